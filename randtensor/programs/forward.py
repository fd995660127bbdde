"""Forward evaluation of a program over truncated polynomials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from randtensor.dimensions import evaluate_shape
from randtensor.programs.graph import Graph, Slot
from randtensor.programs.parameters import ParameterVector
from randtensor.programs.polynomials import Monomial, Polynomial, Ring, accumulate, add, compose, multiply
from randtensor.revealed import RandomMatrix

__all__ = [
    "ParameterSource",
    "Tape",
    "dot",
    "extend",
    "forward",
    "lift",
    "matrix_products",
    "product_factor",
    "stack_rows",
]

Array = np.ndarray


class ParameterSource(Protocol):
    """The parameters of one block of samples: drawn on first use, then remembered."""

    batch: int
    sizes: Mapping[str, int]
    #: an array of the kind that parameters are, for ``like=``; None for NumPy's own
    like: Array | None

    def array(self, slot: Slot) -> Array:
        """A vector or scalar parameter, shape (B, *shape)."""

    def matrix(self, slot: Slot) -> RandomMatrix:
        """A matrix parameter."""


@dataclass
class Tape:
    """The values of a program's nodes along given directions.

    ``values[i]`` is the polynomial of node i, with coefficients of shape (B, *shape), or (1, *shape) for what is the
    same in every sample; ``slopes[i]`` is phi'(z) at an elementwise node. Coefficients are never modified once stored.
    """

    graph: Graph
    ring: Ring
    source: ParameterSource
    directions: Sequence[ParameterVector]
    values: list[Polynomial] = field(default_factory=list)
    slopes: dict[int, Polynomial] = field(default_factory=dict)
    #: for products with matrices that tell them, the coordinates of the vectors asked about, of those with the
    #: transpose under True
    located: dict[tuple[int, bool], Array] = field(default_factory=dict)

    @property
    def output(self) -> Polynomial:
        """The polynomial of the program's result."""
        return self.values[self.graph.output]


def forward(
    graph: Graph,
    source: ParameterSource,
    x: Array,
    ring: Ring,
    directions: Sequence[ParameterVector] = (),
    *,
    slopes: bool = False,
    base: Tape | None = None,
) -> Tape:
    """Evaluate a program at ``theta + sum_j t_j directions[j]``.

    Parameters
    ----------
    x : the input.
    ring : its variables belong to the directions in turn.
    slopes : keep what the reverse pass needs; without it, values are dropped after their last use.
    base : an evaluation at the same input along a leading part of the directions, kept whole. Its matrix products are
        reused, so that nothing is asked of a matrix twice.
    """
    tape = Tape(graph, ring, source, directions, [{} for _ in graph.nodes])
    remaining = [0] * len(graph.nodes)
    for node, alive in zip(graph.nodes, graph.alive, strict=True):
        for argument in node.arguments if alive else ():
            remaining[argument] += 1
    remaining[graph.output] += 1
    for groups, others in graph.schedule:
        for positions in [*groups, *([position] for position in others)]:
            if graph.nodes[positions[0]].operation == "matvec":
                _multiply_matrix(tape, positions, base)
            else:
                tape.values[positions[0]] = _evaluate(tape, positions[0], x, slopes)
            for argument in (a for position in positions for a in graph.nodes[position].arguments):
                remaining[argument] -= 1
                if not slopes and remaining[argument] == 0:
                    tape.values[argument] = {}
    return tape


def lift(polynomial: Polynomial, axes: int) -> Polynomial:
    """Coefficients of a scalar, shape (B,), with trailing axes of length 1 to multiply an array with."""
    return {m: z.reshape(z.shape[0], *[1] * axes) for m, z in polynomial.items()} if axes else polynomial


def dot(ring: Ring, left: Polynomial, right: Polynomial) -> Polynomial:
    """Inner product over all axes but the first."""
    total: Polynomial = {}
    for a, x in left.items():
        for b, y in right.items():
            c = ring.product(a, b)
            if c is not None:
                accumulate(total, c, np.vecdot(x.reshape(len(x), -1), y.reshape(len(y), -1)))
    return total


def _evaluate(tape: Tape, position: int, x: Array, slopes: bool) -> Polynomial:
    """The value of a node that is not a matrix product."""
    graph, ring = tape.graph, tape.ring
    node = graph.nodes[position]
    arguments = [tape.values[i] for i in node.arguments]
    match node.operation:
        case "input":
            return {ring.one: np.asarray(x, dtype=float, like=tape.source.like)[None]}
        case "constant":
            return {ring.one: np.asarray(node.attribute, like=tape.source.like)[None]}
        case "parameter":
            value = {ring.one: tape.source.array(node.attribute)}
            for j, direction in enumerate(tape.directions):
                if node.attribute in direction.arrays:
                    value[ring.variable(j)] = direction.arrays[node.attribute]
            return value
        case "elementwise":
            value, slope = compose(ring, node.attribute, arguments[0], slopes and node.trainable)
            if slope is not None:
                tape.slopes[position] = slope
            return value
        case "add" | "multiply":
            ranks = [len(graph.nodes[i].shape) for i in node.arguments]
            left, right = (lift(a, max(ranks)) if r == 0 else a for a, r in zip(arguments, ranks, strict=True))
            if node.operation == "multiply":
                return multiply(ring, left, right)
            total: Polynomial = {}
            shape = evaluate_shape(node.shape, tape.source.sizes)
            for part in (left, right):
                add(total, {m: np.broadcast_to(z, (len(z), *shape)) for m, z in part.items()})
            return total
        case "scale":
            factor = graph.factor(position, tape.source.sizes)
            return {m: factor * z for m, z in arguments[0].items()}
        case "shift":
            shifted = dict(arguments[0])
            offset = np.full(1, graph.factor(position, tape.source.sizes), like=tape.source.like)
            shifted[ring.one] = shifted[ring.one] + offset if ring.one in shifted else offset
            return shifted
        case "dot":
            return dot(ring, arguments[0], arguments[1])
        case "sum":
            return {m: z.reshape(len(z), -1).sum(axis=1) for m, z in arguments[0].items()}
        case "take":
            return {m: z[:, node.attribute] for m, z in arguments[0].items()}
        case "stack":
            stacked: Polynomial = {}
            for row, argument in enumerate(arguments):
                for m, z in argument.items():
                    if m not in stacked:
                        stacked[m] = np.zeros((tape.source.batch, len(arguments)), like=z)
                    stacked[m][:, row] = z
            return stacked
    raise AssertionError(node.operation)


def _multiply_matrix(tape: Tape, positions: list[int], base: Tape | None) -> None:
    slot, transposed, _ = tape.graph.nodes[positions[0]].attribute
    vectors = {i: tape.values[tape.graph.nodes[i].arguments[0]] for i in positions}
    known = {} if base is None else {i: extend(base.values[i], tape.ring) for i in positions}
    for i, value in matrix_products(tape, slot, transposed, vectors, known).items():
        tape.values[i] = value


def product_factor(tape: Tape, position: int) -> float:
    """What a matrix product is multiplied by."""
    return tape.graph.factor(position, tape.source.sizes)


def extend(polynomial: Polynomial, ring: Ring) -> Polynomial:
    """A polynomial in the leading variables of a ring as an element of that ring."""
    return {m + (0,) * (len(ring.degrees) - len(m)): z for m, z in polynomial.items()}


def matrix_products(
    tape: Tape, slot: Slot, transposed: bool, vectors: dict[int, Polynomial], known: dict[int, Polynomial]
) -> dict[int, Polynomial]:
    """``(W + sum_j t_j delta_j) v`` for several v at once, or the same with the transpose.

    ``vectors`` are given by the node of their product, whose factor is included. ``known`` holds coefficients of the
    results that were found before; everything else is asked of W in one block.
    """
    factors = {i: product_factor(tape, i) for i in vectors}
    ring, batch = tape.ring, tape.source.batch
    results = {i: dict(known.get(i, {})) for i in vectors}
    asked = [(i, m) for i, vector in vectors.items() for m in vector if m not in results[i]]
    moves: list[list[tuple[int, Monomial, Monomial]]] = []
    for j in range(len(tape.directions)):
        targets = ((i, m, ring.product(m, ring.variable(j))) for i, vector in vectors.items() for m in vector)
        moves.append([(i, m, c) for i, m, c in targets if c is not None and c not in results[i]])
    if asked:
        block = stack_rows([vectors[i][m] for i, m in asked], batch, [factors[i] for i, _ in asked])
        matrix = tape.source.matrix(slot)
        answers = matrix.answer_transposed(block) if transposed else matrix.answer(block)
        located = matrix.located
        for row, (i, m) in enumerate(asked):
            results[i][m] = answers[:, row]
            if located is not None and m == ring.one:
                tape.located[i, transposed] = located[:, row]
    for direction, moved in zip(tape.directions, moves, strict=True):
        delta = direction.matrices.get(slot)
        if delta is not None and moved:
            block = stack_rows([vectors[i][m] for i, m, _ in moved], batch, [factors[i] for i, _, _ in moved])
            answers = delta.apply_transposed(block) if transposed else delta.apply(block)
            for row, (i, _, c) in enumerate(moved):
                accumulate(results[i], c, answers[:, row])
    return results


def stack_rows(rows: Sequence[Array], batch: int, factors: Sequence[float] | None = None) -> Array:
    """Arrays of shape (B, n) or (1, n), times their factors, as a fresh block of shape (B, count, n)."""
    block: Array = np.empty((batch, len(rows), rows[0].shape[-1]), like=rows[0])
    for index, row in enumerate(rows):
        if factors is None or factors[index] == 1.0:
            block[:, index] = row
        else:
            np.multiply(row, factors[index], out=block[:, index])
    return block
