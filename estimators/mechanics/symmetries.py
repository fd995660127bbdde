"""Symmetries of a loss in its parameters: groups of parameters, their charges, generators and actions.

All units of a layer are one `Symmetry`: a charge, like every other number here, is then an array with one entry per
unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from randtensor.errors import InputError, ShapeError

__all__ = ["Family", "Part", "Symmetry"]

Array = np.ndarray
Arrays = Mapping[str, Array]
Family = Literal["translation", "scale", "rescale"]


@dataclass(frozen=True)
class Part:
    """The entries of one parameter that belong to the units.

    Attributes
    ----------
    name : of the parameter.
    axis : axis that runs over the units; None if the whole parameter belongs to one unit.
    sign : 1, or -1 for what is divided where the rest is multiplied.
    repeat : entries along the axis that belong to one unit, one after the other, such as the positions of a channel in
        a flattened image.

    Raises
    ------
    InputError : an axis, a sign or a number of entries outside its range.

    >>> Part("W", 0).by_unit(np.arange(6.0).reshape(2, 3)).tolist()
    [3.0, 12.0]
    """

    name: str
    axis: int | None = 0
    sign: int = 1
    repeat: int = 1

    def __post_init__(self) -> None:
        if self.axis is not None and (isinstance(self.axis, bool) or not isinstance(self.axis, int) or self.axis < 0):
            raise InputError(f"axis is {self.axis!r}, expected a non-negative integer or None")
        if self.sign not in (1, -1):
            raise InputError(f"sign is {self.sign!r}, expected 1 or -1")
        if isinstance(self.repeat, bool) or not isinstance(self.repeat, int) or self.repeat < 1:
            raise InputError(f"repeat is {self.repeat!r}, expected a positive number of entries per unit")

    def units(self, shape: Sequence[int]) -> int:
        """Number of units, for a parameter of this shape.

        Raises
        ------
        ShapeError : the shape has no such axis, or one that the units do not divide.
        """
        if self.axis is None:
            return 1
        if not 0 <= self.axis < len(shape) or shape[self.axis] % self.repeat:
            raise ShapeError(
                f"parameter {self.name!r} has shape {tuple(shape)}, expected an axis {self.axis} of "
                f"{'any length' if self.repeat == 1 else f'a multiple of {self.repeat} entries'}"
            )
        return shape[self.axis] // self.repeat

    def by_unit(self, array: Array) -> Array:
        """The sum of the entries of every unit, shape (units,)."""
        if self.axis is None:
            return np.asarray(array.sum()).reshape(1)
        rows = np.moveaxis(array, self.axis, 0)
        return np.asarray(rows.reshape(self.units(array.shape), -1).sum(axis=1))

    def spread(self, values: Array, shape: Sequence[int]) -> Array:
        """Numbers per unit, laid along the axis of a parameter of this shape so that they broadcast."""
        if self.axis is None:
            return np.asarray(values).reshape((1,) * len(shape))
        units = self.units(shape)
        ends = [1] * len(shape)
        ends[self.axis] = shape[self.axis]
        return np.repeat(np.broadcast_to(values, (units,)), self.repeat).reshape(ends)


@dataclass(frozen=True)
class Symmetry:
    """A loss does not change under an action on groups of parameters, one group per unit.

    ============  ==================================  ======================
    family        action with the number alpha        charge of a unit
    ============  ==================================  ======================
    translation   theta + alpha on the group          sum of theta
    scale         alpha theta on the group            sum of theta^2
    rescale       alpha theta, theta / alpha on the   sum of theta^2, less
                  parts with sign -1                  that of these parts
    ============  ==================================  ======================

    The generator xi is the derivative of the action in alpha. It is the gradient of the charge, up to a factor 2 for
    the quadratic ones, so that the charge is conserved by gradient flow (Kunin et al. 2020, arXiv 2012.04728,
    sections 3 and 4).

    Parameters
    ----------
    family : of the action.
    parts : entries of parameters that belong to the units.
    name : for tables.

    Raises
    ------
    InputError : another family, no parts, or signs that do not belong to the family.

    Examples
    --------
    Hidden units of a ReLU network with weights W (units, inputs), biases b and read-out V (outputs, units):

    >>> hidden = Symmetry("rescale", (Part("W", 0), Part("b", 0), Part("V", 1, sign=-1)), "hidden")
    >>> parameters = {"W": np.array([[3.0, 4.0]]), "b": np.array([1.0]), "V": np.array([[2.0]])}
    >>> hidden.charges(parameters).tolist()
    [22.0]
    """

    family: Family
    parts: tuple[Part, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if self.family not in ("translation", "scale", "rescale"):
            raise InputError(f"family is {self.family!r}, expected 'translation', 'scale' or 'rescale'")
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts:
            raise InputError("parts is empty, expected at least one part of a parameter")
        signs = {part.sign for part in self.parts}
        if self.family == "rescale" and signs != {1, -1}:
            raise InputError("parts of a rescale symmetry have one sign, expected incoming (1) and outgoing ones (-1)")
        if self.family != "rescale" and signs != {1}:
            raise InputError(f"parts of a {self.family} symmetry have the sign -1, expected 1 for all of them")
        if self.family == "rescale" and len({part.name for part in self.parts}) < len(self.parts):
            raise InputError("parts of a rescale symmetry repeat a parameter, expected incoming and outgoing to differ")

    @property
    def linear(self) -> bool:
        """Whether the charge is linear in the parameters, and not quadratic."""
        return self.family == "translation"

    def units(self, arrays: Arrays) -> int:
        """Number of units.

        Raises
        ------
        InputError : a parameter is missing.
        ShapeError : the parts have different numbers of units.
        """
        for part in self.parts:
            if part.name not in arrays:
                known = ", ".join(arrays)
                raise InputError(f"group {self.name!r} has the parameter {part.name!r}, expected one of {known}")
        found = {part.units(np.shape(arrays[part.name])) for part in self.parts}
        if len(found) > 1:
            raise ShapeError(f"the parts of group {self.name!r} have {sorted(found)} units, expected one number")
        return found.pop()

    def charges(self, parameters: Arrays) -> Array:
        """The charge of every unit, shape (units,)."""
        if self.linear:
            return self._sum((part, parameters[part.name]) for part in self.parts)
        return self.form(parameters, parameters)

    def magnitudes(self, parameters: Arrays) -> Array:
        """The charge with all terms taken as positive: what its rounding is relative to, shape (units,)."""
        power = 1 if self.linear else 2
        return np.asarray(sum(part.by_unit(np.abs(parameters[part.name]) ** power) for part in self.parts))

    def form(self, x: Arrays, y: Arrays) -> Array:
        """The signed inner product of two vectors in parameter space on every group, shape (units,)."""
        return self._sum((part, x[part.name] * y[part.name]) for part in self.parts)

    def along(self, vector: Arrays, parameters: Arrays) -> Array:
        """The inner product of a vector in parameter space with the generator of every unit, shape (units,)."""
        if self.linear:
            return self._sum((part, vector[part.name]) for part in self.parts)
        return self.form(vector, parameters)

    def generator(self, parameters: Arrays, weights: Any = 1.0) -> dict[str, Array]:
        """``sum_k weights[k] xi_k``, an array per parameter; parameters outside the groups are zero."""
        if not self.linear:
            return self.multiply(parameters, weights)
        return self._spread(parameters, weights, lambda array: np.ones_like(array))

    def multiply(self, vector: Arrays, weights: Any = 1.0) -> dict[str, Array]:
        """``sum_k weights[k] M_k v``, with M the derivative of the generator by the parameters (0 for translations)."""
        if self.linear:
            return {name: np.zeros_like(array) for name, array in vector.items()}
        return self._spread(vector, weights, lambda array: array)

    def act(self, parameters: Arrays, alpha: Any) -> dict[str, Array]:
        """The parameters after the action with a number per unit, or one for all."""
        moved = dict(parameters)
        for part in self.parts:
            array = moved[part.name]
            factor = part.spread(np.broadcast_to(alpha, (part.units(array.shape),)), array.shape)
            moved[part.name] = array + factor if self.linear else array * factor**part.sign
        return moved

    def norms(self, parameters: Arrays) -> Array:
        """The Euclidean length of the generator of every unit, shape (units,)."""
        if self.linear:
            counts = [prod(np.shape(parameters[p.name])) / p.units(np.shape(parameters[p.name])) for p in self.parts]
            return np.full(self.units(parameters), np.sqrt(sum(counts)))
        return np.asarray(np.sqrt(self.magnitudes(parameters)))

    def _sum(self, terms: Iterator[tuple[Part, Array]]) -> Array:
        return np.asarray(sum(part.sign * part.by_unit(array) for part, array in terms))

    def _spread(self, arrays: Arrays, weights: Any, entries: Any) -> dict[str, Array]:
        weights = np.broadcast_to(np.asarray(weights, dtype=float), (self.units(arrays),))
        found = {name: np.zeros_like(array) for name, array in arrays.items()}
        for part in self.parts:
            array = arrays[part.name]
            found[part.name] = found[part.name] + part.sign * part.spread(weights, array.shape) * entries(array)
        return found
