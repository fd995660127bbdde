"""Tensors that are the same in every sample: given arrays, identities and constants."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.dimensions import check_count, check_factor, evaluate_factor, factor_text, scale_names, show
from randtensor.errors import InputError
from randtensor.orders import Order
from randtensor.quantity import Sizes
from randtensor.tensors.algebra import exact_factor
from randtensor.tensors.base import EqualNorms, RandomTensor
from randtensor.tensors.growth import HALF, entries_order, factor_order

if TYPE_CHECKING:
    from randtensor.exact.diagrams.elements import Element
    from randtensor.exact.diagrams.networks import Diagram

__all__ = ["Constant", "Fixed", "Identity", "constant", "fixed", "identity"]

Array = np.ndarray


class Fixed(EqualNorms, RandomTensor):
    """A given array, the same in every sample."""

    def __init__(self, entries: Any) -> None:
        try:
            array = np.array(entries)
            self.entries = array.astype(complex if np.iscomplexobj(array) else float)
        except (TypeError, ValueError) as error:
            raise InputError(f"entries is {entries!r}, expected an array of numbers") from error
        if not np.isfinite(self.entries).all():
            raise InputError("entries holds NaN or infinite values, expected finite numbers")
        super().__init__(self.entries.shape, "fixed")

    @property
    def is_complex(self) -> bool:
        return bool(np.iscomplexobj(self.entries))

    @property
    def fingerprint(self) -> str:
        from hashlib import sha256

        kind = "complex" if self.is_complex else ""
        return f"fixed{kind}{self.entries.shape}{sha256(self.entries.tobytes()).hexdigest()[:16]}"

    @cached_property
    def element(self) -> Element:
        """The array as an element of diagrams."""
        from randtensor.exact.diagrams import elements

        return elements.Fixed(repr(self), self.entries)

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import single

        return single(self.element)

    def slice(self, indices: tuple[int, ...]) -> RandomTensor:
        return super().slice(()) if self.is_complex else Fixed(self.entries[indices])

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        return np.broadcast_to(self.entries, (batch, *shape))

    # Its size does not depend on any scale: every norm is a constant.

    @property
    def frobenius_order(self) -> Order:
        return Order.one() if self.entries.any() else Order.zero()


class Identity(RandomTensor):
    """One where all indices agree, zero elsewhere."""

    def __init__(self, size: Any, order: int = 2) -> None:
        super().__init__((size,) * check_count("order", order), "identity")

    @property
    def fingerprint(self) -> str:
        return f"identity{show(self.dimensions)}"

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import delta

        return delta(self.dimensions[0], self.ndim)

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        entries = np.zeros(shape)
        entries[(np.arange(shape[0]),) * len(shape)] = 1.0
        return np.broadcast_to(entries, (batch, *shape))

    # Sums of orthonormal terms e x e x ...: flattened, all singular values are one.

    @property
    def frobenius_order(self) -> Order:
        return entries_order(self.dimensions[:1]) ** HALF

    @property
    def injective_order(self) -> Order:
        return self.frobenius_order if self.ndim == 1 else Order.one()

    @property
    def nuclear_order(self) -> Order:
        return self.frobenius_order if self.ndim == 1 else entries_order(self.dimensions[:1])

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return Order.one()


class Constant(EqualNorms, RandomTensor):
    """All entries one number."""

    def __init__(self, value: Any, shape: Sequence[Any]) -> None:
        super().__init__(shape, "constant")
        self.value = check_factor(value)
        self.scale_names = scale_names((*self.dimensions, self.value))

    @property
    def fingerprint(self) -> str:
        return f"constant{show(self.dimensions)}*{factor_text(self.value)}"

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import ones

        diagram: Diagram = ones(self.dimensions) * exact_factor(self.value)
        return diagram

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        return np.broadcast_to(np.float64(evaluate_factor(self.value, sizes)), (batch, *shape))

    # A tensor of rank one: all its norms are its Frobenius norm.

    @property
    def frobenius_order(self) -> Order:
        return factor_order(self.value) * entries_order(self.dimensions) ** HALF

    def __repr__(self) -> str:
        value = self.value
        text = str(value.numerator) if isinstance(value, Fraction) and value.denominator == 1 else str(value)
        return f"constant({', '.join([text, *map(str, self.dimensions)])})"


def identity(size: Any, order: int = 2) -> Identity:
    """One where all indices agree, zero elsewhere; with two indices the identity matrix.

    Parameters
    ----------
    size : dimension of every index.
    order : number of indices.

    Raises
    ------
    ShapeError : a bad size or order.

    Examples
    --------
    >>> import randtensor as rt
    >>> rt.identity(rt.Scale("n")).sample(2)[0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return Identity(size, order)


def constant(value: Any, *shape: Any) -> Constant:
    """A tensor with all entries equal.

    Parameters
    ----------
    value : a number, or an order or term in the scales.
    shape : sizes.

    Raises
    ------
    ShapeError : a bad size.
    InputError : a value that is none of these.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> constant(n**-1, n).sample(4)[0].tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    return Constant(value, shape)


def fixed(entries: Any) -> Fixed:
    """A given array, real or complex, as a tensor that is the same in every sample.

    Raises
    ------
    InputError : entries that are not finite numbers.

    Examples
    --------
    >>> fixed([1.0, 2.0]).sample(size=2).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    return Fixed(entries)
