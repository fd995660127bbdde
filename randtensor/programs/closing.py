"""Derivatives of programs closed with vectors.

Evaluations are remembered on the draw by function, point and directions, and longer ones build on shorter ones, so that
no matrix is asked the same question twice.
"""

from __future__ import annotations

from math import factorial, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.parametric import Directions
from randtensor.programs.forward import Tape, forward
from randtensor.programs.parameters import ParameterVector
from randtensor.programs.polynomials import ring
from randtensor.programs.reverse import Gradient, reverse
from randtensor.quantity import Draw

if TYPE_CHECKING:
    from randtensor.random_function import RandomFunction

__all__ = ["ProgramAtInput"]

Array = np.ndarray


class ProgramAtInput:
    """A program at one input, on one draw of its parameters."""

    def __init__(self, function: RandomFunction, x: Array, draw: Draw) -> None:
        self.function, self.x, self.draw = function, x, draw
        self._key = (function.space, function.fingerprint(x.shape), x.shape, x.tobytes())

    def close(self, directions: Directions, probes: Directions) -> Array:
        """Closed with a vector on every index, shape (batch,) or (batch, outputs)."""
        group = _Group([*directions, *probes])
        if probes:
            tape = self._forward(group, self._tape(_Group(directions)), slopes=False)
        else:
            tape = self._recall("tape", group.key) or self._forward(group, self._recall("tape", ()), slopes=False)
        outputs = self.function.outputs(self.x.shape)
        shape = (self.draw.batch,) if outputs is None else (self.draw.batch, outputs)
        coefficient = tape.output.get(group.degrees)
        if coefficient is None:
            coefficient = np.zeros(shape, like=self.draw.like)
        return np.broadcast_to(coefficient, shape) * group.factor

    def close_but_one(self, directions: Directions, component: int | None, probes: Directions) -> ParameterVector:
        """Closed with vectors on all indices but one."""
        gradient = self._gradient(_Group(directions), component)
        group = _Group([*directions, *probes])
        if probes:
            gradient = reverse(self._forward(group, gradient.tape, slopes=True), component, base=gradient)
        result = gradient.coefficient(group.degrees)
        if group.factor == 1.0:
            return result
        return result.scaled(np.full(self.draw.batch, group.factor, like=self.draw.like))

    def _recall(self, *key: Any) -> Any:
        return self.draw.recall((*key[:1], self._key, *key[1:]))

    def _forward(self, group: _Group, base: Tape | None, slopes: bool) -> Tape:
        source = self.function.space.sample(self.draw)
        graph = self.function.graph(self.x.shape)
        return forward(graph, source, self.x, ring(group.degrees), group.vectors, slopes=slopes, base=base)

    def _tape(self, group: _Group) -> Tape:
        def make() -> Tape:
            return self._forward(group, self._recall("tape", ()), slopes=True)

        tape: Tape = self.draw.remember(("tape", self._key, group.key), make)
        return tape

    def _gradient(self, group: _Group, component: int | None) -> Gradient:
        def make() -> Gradient:
            return reverse(self._tape(group), component, base=self._recall("gradient", (), component))

        gradient: Gradient = self.draw.remember(("gradient", self._key, group.key, component), make)
        return gradient


class _Group:
    """Directions gathered by name: equal ones share a variable of the ring, to a higher degree."""

    def __init__(self, directions: Directions) -> None:
        counted: dict[Any, tuple[ParameterVector, int]] = {}
        for name, vector in directions:
            counted[name] = (vector, counted[name][1] + 1 if name in counted else 1)
        self.vectors = [vector for vector, _ in counted.values()]
        self.degrees = tuple(degree for _, degree in counted.values())
        self.key = tuple(zip(counted, self.degrees, strict=True))
        #: alpha!, which turns a coefficient into a derivative
        self.factor = float(prod(map(factorial, self.degrees)))
