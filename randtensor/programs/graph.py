"""Programs as graphs: what a traced forward function computes, without numbers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from randtensor.dimensions import evaluate_factor
from randtensor.errors import RandtensorError
from randtensor.programs.activations import Activation, get_activation

__all__ = ["Graph", "Node", "Slot"]

#: One trainable array: the parameter's name and the leading indices that select a slice of it.
Slot = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Node:
    """One step of a program.

    ``operation`` is one of input, constant, parameter, matvec, elementwise, add, multiply, scale, shift, dot, sum,
    take, stack; ``arguments`` are positions of earlier nodes; ``shape`` holds symbolic dimensions. A matvec's
    attribute is (slot, transposed, factors): the matrix, and what its product is multiplied by.
    ``level`` counts the matrix products on the longest path to the node: products of one matrix on one level can be
    revealed together. ``trainable`` says whether the value depends on a parameter at all.
    """

    operation: str
    arguments: tuple[int, ...]
    shape: tuple[Any, ...]
    attribute: Any
    level: int
    trainable: bool


@dataclass
class Graph:
    """A program for inputs of one shape."""

    input_shape: tuple[int, ...]
    nodes: list[Node] = field(default_factory=list)
    output: int = -1
    #: slots used as vectors or scalars, and slots used as matrices, with their symbolic shapes
    arrays: dict[Slot, tuple[Any, ...]] = field(default_factory=dict)
    matrices: dict[Slot, tuple[Any, ...]] = field(default_factory=dict)
    _factors: dict[tuple[int, tuple[tuple[str, int], ...]], float] = field(default_factory=dict, repr=False)

    def append(self, operation: str, arguments: tuple[int, ...], shape: tuple[Any, ...], attribute: Any = None) -> int:
        """Add a node; its level and trainability follow from its arguments."""
        level = max((self.nodes[i].level for i in arguments), default=0) + int(operation == "matvec")
        trainable = operation in ("parameter", "matvec") or any(self.nodes[i].trainable for i in arguments)
        self.nodes.append(Node(operation, arguments, shape, attribute, level, trainable))
        return len(self.nodes) - 1

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All trainable arrays, in a fixed order."""
        return tuple(sorted({*self.arrays, *self.matrices}))

    def factor(self, position: int, sizes: Mapping[str, int]) -> float:
        """What the result of a node is multiplied by, or shifted, at given sizes; worked out once."""
        key = (position, tuple(sizes.items()))
        if key not in self._factors:
            node = self.nodes[position]
            factors = node.attribute[2] if node.operation == "matvec" else (node.attribute,)
            self._factors[key] = math.prod(evaluate_factor(factor, sizes) for factor in factors)
        return self._factors[key]

    @cached_property
    def schedule(self) -> list[tuple[list[list[int]], list[int]]]:
        """The order of evaluation: per level, groups of products that share their matrix, then the other nodes."""
        levels = max((node.level for node in self.nodes), default=0)
        plan: list[tuple[list[list[int]], list[int]]] = []
        for level in range(levels + 1):
            groups: dict[Any, list[int]] = {}
            others = []
            for position, node in enumerate(self.nodes):
                if node.level != level or not self.alive[position]:
                    continue
                if node.operation == "matvec":
                    groups.setdefault(node.attribute[:2], []).append(position)
                else:
                    others.append(position)
            plan.append((list(groups.values()), others))
        return plan

    def simplify(self) -> None:
        """Fold factors into the matrix products they scale, which then cost no pass over memory of their own."""
        uses = self._uses()
        for position, node in enumerate(self.nodes):
            if node.operation != "scale":
                continue
            inner = self.nodes[node.arguments[0]]
            if inner.operation == "matvec" and uses[node.arguments[0]] == 1:
                slot, transposed, factors = inner.attribute
                attribute = (slot, transposed, (*factors, node.attribute))
                self.nodes[position] = replace(inner, attribute=attribute)
                uses[node.arguments[0]] = 0

    def _uses(self) -> list[int]:
        uses = [0] * len(self.nodes)
        uses[self.output] = 1
        for node in self.nodes:
            for argument in node.arguments:
                uses[argument] += 1
        return uses

    @cached_property
    def alive(self) -> list[bool]:
        """Which nodes the output depends on."""
        alive = [False] * len(self.nodes)
        alive[self.output] = True
        for position in range(len(self.nodes) - 1, -1, -1):
            if alive[position]:
                for argument in self.nodes[position].arguments:
                    alive[argument] = True
        return alive

    def fingerprint(self) -> str:
        """Text that identifies the computation."""
        text = repr([(n.operation, n.arguments, n.shape, _text(n.attribute)) for n in self.nodes]) + repr(self.output)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _text(attribute: Any) -> str:
    if isinstance(attribute, Activation):
        return _activation_text(attribute)
    if hasattr(attribute, "tobytes"):
        return hashlib.sha256(attribute.tobytes()).hexdigest()[:16]
    return str(getattr(attribute, "name", attribute))


def _activation_text(activation: Activation) -> str:
    """The name of an activation of the library; for one of the user's own, also what it does at a few points."""
    try:
        if get_activation(activation.name) is activation:
            return activation.name
    except RandtensorError:
        pass
    points = np.array([0.25, 0.5, 0.75, 1.5])
    # Rounded, so that the last bits of another machine's arithmetic do not change the random streams.
    values = [float(f"{v:.6g}") for c in activation.taylor(points, 2) for v in c if math.isfinite(v)]
    return f"{activation.name}{values}"
