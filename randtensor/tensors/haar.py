"""Haar matrices of the classical groups, and uniform directions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from randtensor.dimensions import show
from randtensor.errors import InputError
from randtensor.orders import Order, Scale, Term
from randtensor.quantity import Sizes
from randtensor.revealed import DenseMatrix, RandomMatrix, RevealedHaar
from randtensor.tensors.base import RandomTensor
from randtensor.tensors.growth import HALF, chevet_order, entries_order, flat_order, nuclear_order

if TYPE_CHECKING:
    from randtensor.exact.diagrams.elements import Element
    from randtensor.exact.diagrams.networks import Diagram

__all__ = ["Haar", "Sphere", "haar", "sphere"]

Array = np.ndarray

GROUPS = ("orthogonal", "unitary", "special orthogonal", "special unitary")


class Haar(RandomTensor):
    """Haar-distributed matrices of a classical group."""

    def __init__(self, size: Any, group: str = "orthogonal") -> None:
        super().__init__((size, size), "haar")
        if isinstance(group, int | Order | Scale | Term):
            raise InputError(f"haar has the sizes {size} and {group}, expected one: a Haar matrix is square")
        if group not in GROUPS:
            raise InputError(f"group is {group!r}, expected one of {', '.join(GROUPS)}")
        self.group, self.special = group, group.startswith("special")

    @property
    def is_complex(self) -> bool:
        return self.group.endswith("unitary")

    @property
    def fingerprint(self) -> str:
        return f"haar{show(self.dimensions)}" + ("" if self.group == "orthogonal" else f":{self.group}")

    @cached_property
    def element(self) -> Element:
        """The matrix as one random variable."""
        from randtensor.exact.diagrams import elements

        group: Literal["orthogonal", "unitary"] = "unitary" if self.is_complex else "orthogonal"
        return elements.Haar(repr(self), self.dimensions[0], group, self.special)

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import single

        return single(self.element)

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        entries = generator.standard_normal((batch, *shape))
        if self.is_complex:
            q, r = np.linalg.qr(entries + 1j * generator.standard_normal((batch, *shape)))
            diagonal = np.diagonal(r, axis1=1, axis2=2)
            phases = diagonal / np.abs(diagonal)
        else:
            q, r = np.linalg.qr(entries)
            phases = np.sign(np.diagonal(r, axis1=1, axis2=2))
        # Without these phases the law of Q is not Haar: LAPACK's convention leaks into the columns (Mezzadri 2007).
        q = q * phases[:, None, :]
        if self.special:
            # Left translations by the special group commute with this, so the law stays invariant.
            q[:, :, 0] *= np.conj(np.linalg.slogdet(q)[0])[:, None]
        return np.asarray(q)

    def matrix(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> RandomMatrix:
        if self.group == "orthogonal":
            return RevealedHaar(shape[0], batch=batch, rng=generator)
        return DenseMatrix(self.draw(shape, batch, sizes, generator))

    # All singular values are one.

    @property
    def frobenius_order(self) -> Order:
        return entries_order(self.dimensions[:1]) ** HALF

    @property
    def nuclear_order(self) -> Order:
        return entries_order(self.dimensions[:1])

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return Order.one()

    def __repr__(self) -> str:
        return f"haar({self.dimensions[0]}" + (")" if self.group == "orthogonal" else f", {self.group!r})")


class Sphere(RandomTensor):
    """Tensors of Frobenius norm one with a uniform direction."""

    def __init__(self, shape: Sequence[Any]) -> None:
        super().__init__(shape, "sphere")

    @property
    def fingerprint(self) -> str:
        return f"sphere{show(self.dimensions)}"

    @cached_property
    def element(self) -> Element:
        """The tensor as one random variable."""
        from randtensor.exact.diagrams import elements

        return elements.Spherical(repr(self), self.dimensions)

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import single

        return single(self.element)

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        return unit(generator.standard_normal((batch, *shape)), tuple(range(1, len(shape) + 1)))

    # A Gaussian tensor divided by its Frobenius norm, which concentrates.

    @property
    def frobenius_order(self) -> Order:
        return Order.one()

    @property
    def injective_order(self) -> Order:
        if self.ndim < 2:
            return Order.one()
        return chevet_order(self.dimensions) / entries_order(self.dimensions) ** HALF

    @property
    def nuclear_order(self) -> Order:
        order = nuclear_order(self.dimensions)
        if order is None:
            raise self._unknown("nuclear norm")
        return order / entries_order(self.dimensions) ** HALF

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return flat_order(self.dimensions, rows, columns) / entries_order(self.dimensions) ** HALF


def unit(values: Array, axes: tuple[int, ...]) -> Array:
    """Arrays divided by their Euclidean length along some axes."""
    return np.asarray(values / np.sqrt((values**2).sum(axis=axes, keepdims=True)))


def haar(size: Any, group: str = "orthogonal") -> Haar:
    """A matrix with the Haar law of a classical group.

    Parameters
    ----------
    size : dimension.
    group : "orthogonal", "unitary", or "special orthogonal" and "special unitary" for determinant one. Sampled from
        QR decompositions with phases corrected (Mezzadri 2007, arXiv math-ph/0609050).

    Raises
    ------
    ShapeError : a bad size.
    InputError : another group.

    Examples
    --------
    >>> import numpy as np, randtensor as rt
    >>> Q = rt.haar(rt.Scale("n")).sample(3, rng=0)[0]
    >>> bool(np.allclose(Q @ Q.T, np.eye(3)))
    True
    >>> U = rt.haar(3, "special unitary").sample(rng=0)[0]
    >>> bool(np.isclose(np.linalg.det(U), 1.0))
    True
    """
    return Haar(size, group)


def sphere(*shape: Any) -> Sphere:
    """A tensor of Frobenius norm one whose direction is uniform: a Gaussian tensor over its norm (Muller 1959).

    Parameters
    ----------
    shape : sizes; for one size, a uniform unit vector.

    Raises
    ------
    ShapeError : a bad size.

    Examples
    --------
    >>> import numpy as np, randtensor as rt
    >>> bool(np.isclose(np.linalg.norm(rt.sphere(rt.Scale("n")).sample(5, rng=0)), 1.0))
    True
    """
    return Sphere(shape)
