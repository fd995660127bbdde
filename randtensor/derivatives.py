"""Derivative tensors of random functions, as tensors that are never formed."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from math import factorial, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.errors import InputError
from randtensor.programs.forward import Tape, forward
from randtensor.programs.parameters import ParameterVector
from randtensor.programs.polynomials import ring
from randtensor.programs.reverse import Gradient, reverse
from randtensor.quantity import Draw, Quantity

if TYPE_CHECKING:
    from randtensor.derivative_contraction import DerivativeContraction
    from randtensor.random_function import RandomFunction

__all__ = ["DerivativeTensor"]

Array = np.ndarray

#: Directions with a name each; equal names mean equal vectors, so that they share a variable.
Directions = Sequence[tuple[Any, ParameterVector]]


class DerivativeTensor(Quantity):
    """The derivative of order k of a random function at an input, with respect to all its parameters.

    As an operand of ``rt.einsum`` it has k parameter indices, preceded by an output index when the function is
    vector-valued. It is symmetric in its parameter indices. Order 0 is the function's value.

    Attributes
    ----------
    function, x, derivative_order : what is differentiated, where, and how often.
    outputs : length of the output index, None for a scalar function.
    """

    def __init__(self, function: RandomFunction, x: Array, order: int) -> None:
        if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 0:
            raise InputError(f"order is {order!r}, expected a non-negative integer")
        self.function, self.x, self.derivative_order = function, x, int(order)
        self.outputs = function.outputs(x.shape)
        self.scale_names = function.scale_names(x.shape)
        self.shape = () if self.outputs is None else (self.outputs,)
        point = sha256(x.tobytes()).hexdigest()[:12]
        #: identifies function and input, stably between runs; the space tells equal laws of distinct parameters apart
        self.key = f"{function.fingerprint(x.shape)}({x.shape}:{point})"
        self._memory_key = (function.space, self.key)

    @property
    def ndim(self) -> int:
        """Number of indices."""
        return self.derivative_order + (self.outputs is not None)

    @property
    def fingerprint(self) -> str:
        """Text that identifies the tensor's law."""
        return f"D{self.derivative_order}{self.key}"

    def occurrences(self) -> tuple[object, ...]:
        return (self.function.space,)

    def contraction(self) -> DerivativeContraction:
        """The tensor as a contraction with all its indices free."""
        from randtensor.derivative_contraction import DerivativeContraction

        return DerivativeContraction([self], [tuple(range(self.ndim))], tuple(range(self.ndim)))

    def evaluate(self, draw: Draw) -> Array:
        """One block of samples of the value, shape (batch, *outputs); an error for order > 0."""
        return self.contraction().evaluate(draw)

    def __mul__(self, factor: Any) -> Any:
        return self.contraction() * factor

    __rmul__ = __mul__

    def __truediv__(self, factor: Any) -> Any:
        return self.contraction() / factor

    def __repr__(self) -> str:
        return f"derivative of order {self.derivative_order} of {self.function.name}"

    # What follows evaluates on one draw of the parameters. Evaluations are remembered there by point and directions,
    # and longer ones build on shorter ones, so that no matrix is asked the same question twice.

    def value(self, draw: Draw, directions: Directions, probes: Directions = ()) -> Array:
        """The tensor closed with ``order`` directions, shape (B,) or (B, outputs).

        ``probes`` are directions that change from call to call: what does not depend on them is kept.
        """
        kept = _Group(directions)
        group = _Group([*directions, *probes])
        if probes:
            tape = self._forward(draw, group, self._tape(draw, kept), slopes=False)
        else:
            known = draw.recall(("tape", self._memory_key, group.key))
            tape = known or self._forward(draw, group, draw.recall(("tape", self._memory_key, ())), slopes=False)
        shape = (draw.batch,) if self.outputs is None else (draw.batch, self.outputs)
        coefficient = tape.output.get(group.degrees, np.zeros(shape))
        return np.broadcast_to(coefficient, shape) * group.factor

    def vector(
        self, draw: Draw, directions: Directions, component: int | None, probes: Directions = ()
    ) -> ParameterVector:
        """The tensor closed with all directions but one: a vector in parameter space."""
        kept = _Group(directions)
        gradient = self._gradient(draw, kept, component)
        group = _Group([*directions, *probes])
        if probes:
            gradient = reverse(self._forward(draw, group, gradient.tape, slopes=True), component, base=gradient)
        result = gradient.coefficient(group.degrees)
        return result if group.factor == 1.0 else result.scaled(np.full(draw.batch, group.factor))

    def _forward(self, draw: Draw, group: _Group, base: Tape | None, slopes: bool) -> Tape:
        source = self.function.space.sample(draw)
        graph = self.function.graph(self.x.shape)
        return forward(graph, source, self.x, ring(group.degrees), group.vectors, slopes=slopes, base=base)

    def _tape(self, draw: Draw, group: _Group) -> Tape:
        def make() -> Tape:
            return self._forward(draw, group, draw.recall(("tape", self._memory_key, ())), slopes=True)

        tape: Tape = draw.remember(("tape", self._memory_key, group.key), make)
        return tape

    def _gradient(self, draw: Draw, group: _Group, component: int | None) -> Gradient:
        def make() -> Gradient:
            base = draw.recall(("gradient", self._memory_key, (), component))
            return reverse(self._tape(draw, group), component, base=base)

        gradient: Gradient = draw.remember(("gradient", self._memory_key, group.key, component), make)
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
