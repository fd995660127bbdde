"""What is descended on: a loss on batches, with its gradient and products with its higher derivatives.

Parameters are one vector; `ParameterLayout` says which of its entries belong to which named array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol

import numpy as np

from randtensor.errors import InputError, ShapeError

__all__ = ["FunctionObjective", "Objective", "ParameterLayout", "objective_vector"]

Array = np.ndarray


@dataclass(frozen=True)
class ParameterLayout:
    """Named arrays, one after the other in one vector.

    >>> layout = ParameterLayout({"W": (2, 2), "b": (2,)})
    >>> layout.split(np.arange(6.0))["b"].tolist()
    [4.0, 5.0]
    """

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(prod(shape) for shape in self.shapes.values())

    def split(self, vector: Array) -> dict[str, Array]:
        """The arrays, as views of the vector."""
        if vector.shape != (self.size,):
            raise ShapeError(f"the vector of parameters has shape {vector.shape}, expected ({self.size},)")
        found, start = {}, 0
        for name, shape in self.shapes.items():
            found[name] = vector[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        return found

    def join(self, arrays: Mapping[str, Any]) -> Array:
        """The vector; what is not given is zero.

        Raises
        ------
        ShapeError : an array that is unknown or of another shape.
        """
        for name, array in arrays.items():
            if self.shapes.get(name) != np.shape(array):
                raise ShapeError(
                    f"parameter {name!r} has shape {np.shape(array)}, expected {self.shapes.get(name, 'no such name')}"
                )
        parts = [np.ravel(arrays[name]) if name in arrays else np.zeros(prod(s)) for name, s in self.shapes.items()]
        return np.concatenate(parts)


class Objective(Protocol):
    """A loss as a function of a vector of parameters and of a batch; batch None stands for all data."""

    @property
    def layout(self) -> ParameterLayout:
        """Names and shapes of the parameters."""

    def loss(self, parameters: Array, batch: Any = None) -> float:
        """The loss on a batch."""

    def gradient(self, parameters: Array, batch: Any = None) -> Array:
        """Its gradient g, shape (P,)."""

    def hessian_product(self, parameters: Array, vector: Array, batch: Any = None) -> Array:
        """H v, shape (P,); H is never formed."""

    def third_product(self, parameters: Array, first: Array, second: Array, batch: Any = None) -> Array:
        """The third derivative contracted with two vectors, shape (P,)."""


#: relative step of a derivative along an imaginary direction: its error is of second order in the step, and
#: nothing cancels
_IMAGINARY = 1e-40
#: relative step of central differences with one extrapolation
_REAL = 2e-3


@dataclass(frozen=True)
class FunctionObjective:
    """Plain NumPy functions as an objective.

    Attributes
    ----------
    shapes : of the parameters, by name.
    value : ``(arrays, batch) -> number``, the loss.
    slope : ``(arrays, batch) -> arrays``, its gradient; parameters that are left out have gradient zero.
    product : ``(arrays, directions, batch) -> arrays``, the Hessian times a vector; None differentiates ``slope``
        along an imaginary direction, which is exact to rounding if it accepts complex arrays and computes with
        analytic operations (no absolute values, conjugates or comparisons but of real parts).

    Examples
    --------
    >>> quartic = FunctionObjective(
    ...     {"x": (2,)}, lambda p, batch: (p["x"] ** 4).sum() / 4, lambda p, batch: {"x": p["x"] ** 3}
    ... )
    >>> quartic.hessian_product(np.array([1.0, 2.0]), np.array([1.0, 1.0])).tolist()
    [3.0, 12.0]
    """

    shapes: Mapping[str, tuple[int, ...]]
    value: Callable[[Any, Any], Any]
    slope: Callable[[Any, Any], Any]
    product: Callable[[Any, Any, Any], Any] | None = None
    layout: ParameterLayout = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layout", ParameterLayout(dict(self.shapes)))

    def loss(self, parameters: Array, batch: Any = None) -> float:
        """The loss on a batch."""
        return float(self.value(self.layout.split(parameters), batch))

    def gradient(self, parameters: Array, batch: Any = None) -> Array:
        """Its gradient, shape (P,)."""
        return self.layout.join(self.slope(self.layout.split(parameters), batch))

    def hessian_product(self, parameters: Array, vector: Array, batch: Any = None) -> Array:
        """The Hessian times a vector, shape (P,)."""
        if self.product is not None:
            split = self.layout.split
            return self.layout.join(self.product(split(parameters), split(vector), batch))
        moved = parameters + 1j * _IMAGINARY * vector
        return np.asarray(self.gradient(moved, batch).imag / _IMAGINARY)

    def third_product(self, parameters: Array, first: Array, second: Array, batch: Any = None) -> Array:
        """The third derivative times two vectors, by extrapolated differences of Hessian products."""
        step = _REAL * max(1.0, float(np.linalg.norm(parameters))) / max(float(np.linalg.norm(first)), 1e-300)

        def difference(h: float) -> Array:
            ends = [self.hessian_product(parameters + s * h * first, second, batch) for s in (1, -1)]
            return np.asarray((ends[0] - ends[1]) / (2 * h))

        coarse, middle, fine = (difference(step * f) for f in (1.0, 0.5, 0.25))
        once = [(4 * b - a) / 3 for a, b in ((coarse, middle), (middle, fine))]
        return np.asarray((16 * once[1] - once[0]) / 15)


def objective_vector(objective: Objective, parameters: Any) -> Array:
    """Parameters, as a vector or as arrays by name, as a vector of finite numbers.

    Raises
    ------
    ShapeError : of another length, or arrays that do not fit.
    InputError : something else, or entries that are not finite.
    """
    layout = objective.layout
    if isinstance(parameters, Mapping):
        missing = [name for name in layout.shapes if name not in parameters]
        if missing:
            raise InputError(f"parameters has no {missing[0]!r}, expected {', '.join(layout.shapes)}")
        vector = layout.join(parameters)
    else:
        try:
            vector = np.array(parameters, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError(f"parameters is {parameters!r}, expected a vector of numbers") from error
        layout.split(vector)
    if not np.isfinite(vector).all():
        raise InputError(f"parameters has {np.count_nonzero(~np.isfinite(vector))} entries that are not finite")
    return np.array(vector, dtype=float)


def as_batch(data: Array, batch: Any) -> Array:
    """The rows of a batch."""
    return data if batch is None else data[np.asarray(batch)]


def check_rows(name: str, arrays: Sequence[Array]) -> None:
    """Refuse arrays whose numbers of rows differ."""
    counts = [len(array) for array in arrays]
    if len(set(counts)) > 1:
        raise ShapeError(f"{name} have {' and '.join(map(str, counts))} rows, expected one of each per example")
