"""Derivative tensors of random functions, as tensors that are never formed."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.errors import InputError
from randtensor.parametric import Directions, ParametricFunction
from randtensor.quantity import Draw, Quantity, Sizes

if TYPE_CHECKING:
    from randtensor.derivative_contraction import DerivativeContraction

__all__ = ["DerivativeTensor"]

Array = np.ndarray


class DerivativeTensor(Quantity):
    """The derivative of order k of a random function at an input, with respect to all its parameters.

    As an operand of ``rt.einsum`` it has k parameter indices, preceded by an output index when the function is
    vector-valued. It is symmetric in its parameter indices. Order 0 is the function's value.

    Attributes
    ----------
    function, x, derivative_order : what is differentiated, where, and how often.
    outputs : length of the output index, None for a scalar function.
    """

    def __init__(self, function: ParametricFunction, x: Array, order: int) -> None:
        if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 0:
            raise InputError(f"order is {order!r}, expected a non-negative integer")
        self.function, self.x, self.derivative_order = function, x, int(order)
        self.outputs = function.outputs(x.shape)
        self.scale_names = function.scale_names(x.shape)
        self.shape = () if self.outputs is None else (self.outputs,)
        point = sha256(x.tobytes()).hexdigest()[:12]
        #: identifies function and input, stably between runs; the space tells equal laws of distinct parameters apart
        self.key = f"{function.fingerprint(x.shape)}({x.shape}:{point})"

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

    def block_length(self, sizes: Sizes) -> int:
        return self.function.block_length(sizes)

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

    def value(self, draw: Draw, directions: Directions, probes: Directions = ()) -> Array:
        """The tensor closed with ``order`` directions, shape (B,) or (B, outputs).

        ``probes`` are directions that change from call to call: what does not depend on them is kept.
        """
        return self.function.close(draw, self.x, directions, probes)

    def vector(self, draw: Draw, directions: Directions, component: int | None, probes: Directions = ()) -> Any:
        """The tensor closed with all directions but one: a vector in parameter space."""
        return self.function.close_but_one(draw, self.x, directions, component, probes)
