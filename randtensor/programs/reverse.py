"""The reverse pass: gradients over truncated polynomials.

Reverse differentiation only uses ring operations, so run over truncated polynomials it yields the gradient at
theta + sum_j t_j delta_j as a polynomial: its coefficients are derivative tensors contracted with all directions but
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from randtensor.dimensions import evaluate_shape
from randtensor.programs.forward import Tape, dot, extend, lift, matrix_products, product_factor, stack_rows
from randtensor.programs.graph import Slot
from randtensor.programs.parameters import LowRank, ParameterVector
from randtensor.programs.polynomials import Monomial, Polynomial, add, multiply

__all__ = ["Gradient", "pull_back", "reverse"]

Array = np.ndarray


@dataclass
class Gradient:
    """The gradient of one output with respect to all parameters, a polynomial in the tape's variables."""

    tape: Tape
    arrays: dict[Slot, Polynomial] = field(default_factory=dict)
    #: per matrix, pairs (left, right) whose outer products sum to the gradient
    matrices: dict[Slot, list[tuple[Polynomial, Polynomial]]] = field(default_factory=dict)
    #: per matrix, the products that these pairs belong to
    products: dict[Slot, list[int]] = field(default_factory=dict)
    #: per matrix product, the adjoint of its argument, kept so that a longer evaluation need not ask again
    pulled_back: dict[int, Polynomial] = field(default_factory=dict)

    def coefficient(self, monomial: Monomial) -> ParameterVector:
        """The coefficient of a monomial, as a vector in parameter space."""
        ring, batch = self.tape.ring, self.tape.source.batch
        arrays = {
            slot: np.broadcast_to(p[monomial], (batch, *p[monomial].shape[1:]))
            for slot, p in self.arrays.items()
            if monomial in p
        }
        matrices = {}
        for slot, pairs in self.matrices.items():
            factors = [
                (x, y)
                for left, right in pairs
                for a, x in left.items()
                for b, y in right.items()
                if ring.product(a, b) == monomial
            ]
            if factors:
                lefts, rights = zip(*factors, strict=True)
                matrices[slot] = LowRank(
                    stack_rows(list(lefts), batch),
                    stack_rows(list(rights), batch),
                    np.ones((batch, len(factors)), like=lefts[0]),
                )
        return ParameterVector(arrays, dict(matrices))


def reverse(tape: Tape, component: int | None = None, *, base: Gradient | None = None) -> Gradient:
    """Differentiate the program's output, or one component of it, with respect to every parameter.

    Parameters
    ----------
    tape : an evaluation made with ``slopes=True``.
    component : which entry of a vector output; None for a scalar one.
    base : the same gradient along a leading part of the directions; its transposed products are reused.
    """
    graph = tape.graph
    seed: Array = np.ones(tape.source.batch, like=tape.source.like)
    if component is not None:
        outputs = int(graph.nodes[graph.output].shape[0])
        seed = np.zeros((tape.source.batch, outputs), like=tape.source.like)
        seed[:, component] = 1.0
    return pull_back(tape, seed, base=base)[0]


def pull_back(
    tape: Tape, cotangent: Array, parts: Sequence[int] | None = None, *, base: Gradient | None = None
) -> list[Gradient]:
    """The gradient of ``sum_j cotangent_j output_j`` with respect to every parameter, split into parts.

    Parameters
    ----------
    tape : an evaluation made with ``slopes=True``.
    cotangent : shape (batch,) or (batch, outputs).
    parts : for every node of the program the part that its contribution belongs to, from 0 on: where the nodes of
        different parts share nothing but parameters, one pass finds the gradients of all of them. None: one part.
    base : the same gradient along a leading part of the directions; its transposed products are reused.
    """
    graph = tape.graph
    gradients = [Gradient(tape) for _ in range(1 if parts is None else max(parts) + 1)]
    owners = [0] * len(graph.nodes) if parts is None else parts
    adjoints: dict[int, Polynomial] = {graph.output: {tape.ring.one: cotangent}}
    for groups, others in reversed(graph.schedule):
        for position in reversed(others):
            adjoint = adjoints.pop(position, None)
            if adjoint and graph.nodes[position].trainable:
                _propagate(gradients[owners[position]], position, adjoint, adjoints)
        for positions in groups:
            reached = [position for position in positions if adjoints.get(position)]
            if reached:
                _propagate_products([gradients[owners[position]] for position in reached], reached, adjoints, base)
    return gradients


def _propagate(gradient: Gradient, position: int, adjoint: Polynomial, adjoints: dict[int, Polynomial]) -> None:
    """Pass a node's adjoint on to its arguments."""
    tape = gradient.tape
    graph, ring, node = tape.graph, tape.ring, tape.graph.nodes[position]
    rank = len(node.shape)

    def give(argument: int, contribution: Polynomial) -> None:
        if graph.nodes[argument].trainable:
            add(adjoints.setdefault(argument, {}), contribution)

    match node.operation:
        case "parameter":
            add(gradient.arrays.setdefault(node.attribute, {}), adjoint)
        case "elementwise":
            give(node.arguments[0], multiply(ring, adjoint, tape.slopes[position]))
        case "scale":
            factor = graph.factor(position, tape.source.sizes)
            give(node.arguments[0], {m: factor * z for m, z in adjoint.items()})
        case "shift":
            give(node.arguments[0], adjoint)
        case "add":
            for argument in node.arguments:
                scalar = rank and not graph.nodes[argument].shape
                give(argument, {m: _total(z) for m, z in adjoint.items()} if scalar else adjoint)
        case "multiply":
            for argument, other in (node.arguments, node.arguments[::-1]):
                if not graph.nodes[argument].trainable:
                    continue
                value = tape.values[other]
                if rank and not graph.nodes[argument].shape:
                    give(argument, dot(ring, adjoint, value))
                else:
                    value = value if graph.nodes[other].shape else lift(value, rank)
                    give(argument, multiply(ring, adjoint, value))
        case "dot":
            for argument, other in (node.arguments, node.arguments[::-1]):
                if graph.nodes[argument].trainable:
                    give(argument, multiply(ring, lift(adjoint, 1), tape.values[other]))
        case "sum":
            shape = evaluate_shape(graph.nodes[node.arguments[0]].shape, tape.source.sizes)
            lifted = lift(adjoint, len(shape))
            give(node.arguments[0], {m: np.broadcast_to(z, (len(z), *shape)) for m, z in lifted.items()})
        case "take":
            shape = evaluate_shape(graph.nodes[node.arguments[0]].shape, tape.source.sizes)
            scattered = {}
            for m, z in adjoint.items():
                scattered[m] = np.zeros((len(z), *shape), like=z)
                index: Any = (slice(None), node.attribute)
                np.add.at(scattered[m], index, z)
            give(node.arguments[0], scattered)
        case "stack":
            for row, argument in enumerate(node.arguments):
                # what no component asks for is not followed
                give(argument, {m: z[:, row] for m, z in adjoint.items() if z[:, row].any()})


def _total(array: Array) -> Array:
    total: Array = array.reshape(len(array), -1).sum(axis=1)
    return total


def _propagate_products(
    gradients: list[Gradient], positions: list[int], adjoints: dict[int, Polynomial], base: Gradient | None
) -> None:
    """Record the outer products for one matrix, and pull the adjoints of all its products back in one block."""
    tape = gradients[0].tape
    graph, ring = tape.graph, tape.ring
    slot, transposed, _ = graph.nodes[positions[0]].attribute
    outgoing = {position: adjoints.pop(position) for position in positions}
    for gradient, (position, adjoint) in zip(gradients, outgoing.items(), strict=True):
        pairs = gradient.matrices.setdefault(slot, [])
        value = tape.values[graph.nodes[position].arguments[0]]
        factor = product_factor(tape, position)
        weighted = adjoint if factor == 1.0 else {m: factor * z for m, z in adjoint.items()}
        pairs.append((value, weighted) if transposed else (weighted, value))
        gradient.products.setdefault(slot, []).append(position)
    pulled = [position for position in positions if graph.nodes[graph.nodes[position].arguments[0]].trainable]
    if not pulled:
        return
    known = {} if base is None else {i: extend(base.pulled_back.get(i, {}), ring) for i in pulled}
    result = matrix_products(tape, slot, not transposed, {i: outgoing[i] for i in pulled}, known)
    owners = dict(zip(positions, gradients, strict=True))
    for position in pulled:
        owners[position].pulled_back[position] = result[position]
        add(adjoints.setdefault(graph.nodes[position].arguments[0], {}), result[position])
