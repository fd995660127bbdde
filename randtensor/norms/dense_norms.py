"""Norms of tensors that are drawn whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from randtensor.contraction import DenseContraction
from randtensor.errors import EquationError, InputError, ShapeError
from randtensor.norms.bracket import BracketedNorm, End
from randtensor.norms.functional import TensorFunctional
from randtensor.norms.linear_algebra import (
    frobenius,
    largest_singular_values,
    nuclear,
    principal_axes,
    rescaled,
    slices,
    unfolded,
)
from randtensor.norms.relaxation import injective_upper_bound
from randtensor.norms.search import alternating_maximum, default_starts, symmetric_maximum, symmetrised
from randtensor.quantity import Draw, Quantity
from randtensor.tensors import DenseTensor

__all__ = ["ExactNorm", "InjectiveNorm", "NuclearNorm", "SymmetricInjectiveNorm", "operator_norm", "tensor_order"]

Array = np.ndarray

#: Relative errors of the ends of a bracket are smaller than this.
ROUNDING = 1e-6


def tensor_order(tensor: Quantity) -> int | None:
    """Number of indices, or None where it is known only once the tensor is drawn.

    >>> import randtensor as rt
    >>> tensor_order(rt.gaussian(2, rt.Scale("n")))
    2
    """
    return tensor.ndim if isinstance(tensor, DenseTensor) else None


class DenseNorm(TensorFunctional, BracketedNorm):
    """Base of the norms of tensors that are drawn whole: one number per sample.

    Norms are taken of the tensors over powers of two that bring their entries to order one.
    """

    def describe(self) -> str:
        return f"{self.kind} norm of {self.tensor.describe()}"

    def entries(self, draw: Draw) -> tuple[Array, Array]:
        """The tensors without their axes of length 1, which no norm sees, over powers of two, and the exponents.

        The shapes are (B, n_1, .., n_p) and (B,).
        """
        arrays, exponents = rescaled(self.tensor.evaluate(draw))
        return arrays.reshape(len(arrays), *[size for size in arrays.shape[1:] if size > 1]), exponents


class ExactNorm(DenseNorm):
    """A norm in closed form; ``rows`` are the axes of an unfolding whose operator norm it is, None for other norms."""

    def __init__(
        self, tensor: Quantity, kind: str, function: Callable[[Array], Array], rows: tuple[int, ...] | None = None
    ) -> None:
        super().__init__(tensor, kind)
        self.function, self.rows = function, rows

    def evaluate(self, draw: Draw) -> Array:
        arrays, exponents = rescaled(self.tensor.evaluate(draw))
        return np.asarray(np.ldexp(self.function(arrays), exponents))

    def ends(self, draw: Draw, failure: float) -> tuple[Array, Array, float]:
        value = self.evaluate(draw)
        return value, value, 0.0


def operator_norm(tensor: Quantity, rows: Any) -> ExactNorm:
    """The largest singular value of the unfolding whose rows are the given axes.

    Parameters
    ----------
    tensor : with at least two indices.
    rows : axes as integers, or as letters: those of the output of an einsum, else a for the first axis and so on.

    Raises
    ------
    InputError : axes that are not a proper part of the tensor's.

    >>> import randtensor as rt
    >>> operator_norm(rt.gaussian(2, 3, 4), "ac").fingerprint
    'operator(0, 2)(gaussian(2, 3, 4)*1.0)'
    """
    order = tensor_order(tensor)
    axes = _axes(tensor, rows)
    if order is not None:
        _check_axes(rows, axes, order)

    def value(arrays: Array) -> Array:
        _check_axes(rows, axes, arrays.ndim - 1)
        return largest_singular_values(unfolded(arrays, axes))

    return ExactNorm(tensor, f"operator{axes}", value, axes)


def _axes(tensor: Quantity, rows: Any) -> tuple[int, ...]:
    if isinstance(rows, str):
        letters = tensor.output if isinstance(tensor, DenseContraction) else "abcdefghijklmnopqrstuvwxyz"
        return tuple(letters.find(letter) for letter in rows)
    if isinstance(rows, Sequence) and all(isinstance(axis, int) and not isinstance(axis, bool) for axis in rows):
        return tuple(rows)
    raise InputError(f"rows is {rows!r}, expected the axes of the unfolding's rows, such as (0, 1) or 'ab'")


def _check_axes(rows: Any, axes: tuple[int, ...], order: int) -> None:
    if not axes or len(set(axes)) != len(axes) or len(axes) >= order or not all(0 <= axis < order for axis in axes):
        raise InputError(f"rows is {rows!r}, expected some but not all of the {order} axes of the tensor, each once")


class InjectiveNorm(DenseNorm):
    """Largest absolute value of the multilinear form at unit vectors.

    Exact up to order 2; from order 3 on samples are the best of several local maxima, lower bounds that the form takes
    at vectors found.
    """

    def __init__(self, tensor: Quantity, kind: str, starts: int | None, tolerance: float, steps: int) -> None:
        super().__init__(tensor, kind)
        self.starts, self.tolerance, self.steps = starts, tolerance, steps

    @property
    def fingerprint(self) -> str:
        effort = "" if self.starts is None else f":{self.starts}"
        return f"{self.kind}{effort}:{self.tolerance}({self.tensor.fingerprint})"

    def evaluate(self, draw: Draw) -> Array:
        tensors, exponents = self.entries(draw)
        return np.asarray(np.ldexp(self._found(draw, tensors), exponents))

    def ends(self, draw: Draw, failure: float) -> tuple[Array, Array, float]:
        tensors, exponents = self.entries(draw)
        lower = self._found(draw, tensors)
        if tensors.ndim <= 3:
            value = np.ldexp(lower, exponents)
            return value, value, 0.0
        upper, spent = injective_upper_bound(tensors, self.steps, failure, draw.generator)
        return np.ldexp(lower, exponents), np.ldexp(_above(lower, upper), exponents), spent

    def _found(self, draw: Draw, tensors: Array) -> Array:
        result: Array = draw.remember((self, "found"), lambda: self._maximum(tensors, draw.generator))
        return result

    def _maximum(self, tensors: Array, generator: np.random.Generator) -> Array:
        if tensors.ndim <= 2:
            return frobenius(tensors)
        if tensors.ndim == 3:
            return largest_singular_values(tensors)
        return self._search(tensors, self.starts or default_starts(tensors[0].size), generator)

    def _search(self, tensors: Array, starts: int, generator: np.random.Generator) -> Array:
        return alternating_maximum(tensors, starts, self.tolerance, generator)


class SymmetricInjectiveNorm(InjectiveNorm):
    """Largest absolute value of the form with one unit vector in all slots.

    It is the injective norm of the symmetric part (Banach 1938), so upper bounds are those of the latter.
    """

    def entries(self, draw: Draw) -> tuple[Array, Array]:
        arrays = self.tensor.evaluate(draw)
        if len(set(arrays.shape[1:])) > 1:
            raise ShapeError(f"the tensor has shape {arrays.shape[1:]}, expected equal sizes for a symmetric norm")
        if max(arrays.shape[1:], default=1) == 1:
            return rescaled(arrays.reshape(len(arrays)))
        result: tuple[Array, Array] = draw.remember((self, "symmetric"), lambda: self._symmetrised(arrays))
        return result

    def _symmetrised(self, arrays: Array) -> tuple[Array, Array]:
        arrays, exponents = rescaled(arrays)
        # The symmetric part may be much smaller than the tensor.
        arrays, further = rescaled(symmetrised(arrays))
        return arrays, exponents + further

    def _search(self, tensors: Array, starts: int, generator: np.random.Generator) -> Array:
        return symmetric_maximum(tensors, starts, self.tolerance, generator)


class NuclearNorm(DenseNorm):
    """Least sum of lengths over the decompositions into tensors of rank one, dual to the injective norm.

    Exact up to order 2. From order 3 on only bounds are offered. Lower: the nuclear norms of unfoldings, and the
    squared Frobenius norm over an upper bound of the injective norm. Upper: the sum of the nuclear norms of the slices
    over two axes, at its least over the choices of axes and over two bases, the given and that of the principal axes.
    """

    def __init__(self, tensor: Quantity, kind: str, steps: int) -> None:
        super().__init__(tensor, kind)
        self.steps = steps

    def evaluate(self, draw: Draw) -> Array:
        tensors, exponents = self.entries(draw)
        if tensors.ndim > 3:
            raise EquationError(
                f"the tensor has {tensors.ndim - 1} indices and its nuclear norm is known by bounds only, "
                f"expected a call of .bracket(), .lower() or .upper()"
            )
        return np.asarray(np.ldexp(frobenius(tensors) if tensors.ndim <= 2 else nuclear(tensors), exponents))

    def lower(self) -> Quantity:
        return End(self, 1e-6, 0)

    def ends(self, draw: Draw, failure: float) -> tuple[Array, Array, float]:
        tensors, exponents = self.entries(draw)
        order = tensors.ndim - 1
        if order <= 2:
            value = self.evaluate(draw)
            return value, value, 0.0
        injective, spent = injective_upper_bound(tensors, self.steps, failure, draw.generator)
        lower = frobenius(tensors) ** 2 / np.where(injective == 0, 1.0, injective)
        for axis in range(order):
            lower = np.maximum(lower, nuclear(unfolded(tensors, (axis,))))
        upper = np.full(len(tensors), np.inf)
        for form in (tensors, principal_axes(tensors)):
            for i in range(order):
                for j in range(i + 1, order):
                    upper = np.minimum(upper, nuclear(slices(form, (i, j))).sum(axis=1))
        return np.ldexp(lower, exponents), np.ldexp(_above(lower, upper), exponents), spent


def _above(lower: Array, upper: Array) -> Array:
    """Upper bounds, raised to the lower ones where rounding has swapped the two; no number if it cannot be rounding."""
    return np.where(lower <= upper * (1 + ROUNDING), np.maximum(lower, upper), np.nan)
