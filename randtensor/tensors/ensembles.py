"""Gaussian tensors with symmetries, and Wishart matrices."""

from __future__ import annotations

from functools import cached_property, reduce
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.dimensions import check_count, evaluate_factor, evaluate_shape, show
from randtensor.orders import Order
from randtensor.quantity import Sizes
from randtensor.revealed import RandomMatrix, RevealedGOE
from randtensor.tensors.base import RandomTensor
from randtensor.tensors.gaussian import Gaussian, GaussianFamily, Std, complex_field, normal_entries
from randtensor.tensors.growth import HALF, chevet_order, entries_order

if TYPE_CHECKING:
    from randtensor.exact.diagrams.elements import Element
    from randtensor.exact.diagrams.networks import Diagram

__all__ = ["GOE", "GUE", "SymmetricGaussian", "Wishart", "goe", "gue", "symmetric_gaussian", "wishart"]

Array = np.ndarray


class SymmetricGaussian(GaussianFamily):
    """Gaussian tensors averaged over all permutations of their indices."""

    def __init__(self, size: Any, order: int, std: Any) -> None:
        super().__init__((size,) * check_count("order", order), "symmetric_gaussian", std)

    @cached_property
    def element(self) -> Element:
        from randtensor.exact.diagrams import elements

        return elements.Gaussian.symmetric(repr(self), self.dimensions[0], self.ndim)

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        total = generator.standard_normal((batch, *shape))
        # The symmetric group is a product of cosets: permutations of the first k indices times k swaps with the next.
        for axis in range(1, len(shape)):
            total = reduce(np.add, [total.swapaxes(1 + other, 1 + axis) for other in range(axis)], total)
        return np.asarray(total * (evaluate_factor(self.std, sizes) / factorial(len(shape))))


class GOE(GaussianFamily):
    """Symmetric Gaussian matrices."""

    def __init__(self, size: Any, std: Any) -> None:
        super().__init__((size, size), "goe", std)

    @cached_property
    def element(self) -> Element:
        from randtensor.exact.diagrams import elements

        return elements.Gaussian(repr(self), self.dimensions, permutations=[(0, 1), (1, 0)])

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        entries = generator.standard_normal((batch, *shape))
        factor = evaluate_factor(self.std, sizes) / np.sqrt(2.0)
        return np.asarray((entries + entries.swapaxes(1, 2)) * factor)

    def matrix(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> RandomMatrix:
        return RevealedGOE(shape[0], std=evaluate_factor(self.std, sizes), batch=batch, rng=generator)


class GUE(GaussianFamily):
    """Hermitian Gaussian matrices."""

    def __init__(self, size: Any, std: Any) -> None:
        super().__init__((size, size), "gue", std)

    @property
    def is_complex(self) -> bool:
        return True

    @cached_property
    def element(self) -> Element:
        from randtensor.exact.diagrams import elements

        return elements.Gaussian(repr(self), self.dimensions, permutations=[(1, 0)], is_hermitian=True)

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        entries = normal_entries((batch, *shape), True, generator)
        factor = evaluate_factor(self.std, sizes) / np.sqrt(2.0)
        return np.asarray((entries + entries.conj().swapaxes(1, 2)) * factor)


class Wishart(RandomTensor):
    """G G^dagger for a matrix G of independent Gaussian entries."""

    def __init__(self, size: Any, samples: Any, field: str) -> None:
        super().__init__((size, size), "wishart")
        self.factor = Gaussian((size, samples), 1.0, None, complex_entries=complex_field(field))
        self.scale_names = self.factor.scale_names

    @property
    def is_complex(self) -> bool:
        return self.factor.is_complex

    @property
    def fingerprint(self) -> str:
        return f"wishart:{self.factor.fingerprint}"

    def block_length(self, sizes: Sizes) -> int:
        return min(super().block_length(sizes), self.factor.block_length(sizes))

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import contract

        factor = self.factor.diagram()
        return contract(["ax", "bx"], "ab", [factor, factor.conjugate()])

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        rows = self.factor.draw(evaluate_shape(self.factor.dimensions, sizes), batch, sizes, generator)
        return np.asarray(rows @ rows.conj().swapaxes(1, 2))

    # With n rows and m samples: trace n m; spectral norm (sqrt(n) + sqrt(m))^2 (Davidson & Szarek 2001); and
    # E ||W||_F^2 = n m (n + m + 1).

    @property
    def frobenius_order(self) -> Order:
        return entries_order(self.factor.dimensions) ** HALF * chevet_order(self.factor.dimensions)

    @property
    def nuclear_order(self) -> Order:
        return entries_order(self.factor.dimensions)

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return chevet_order(self.factor.dimensions) ** 2

    def __repr__(self) -> str:
        return f"wishart{show(self.factor.dimensions)}"


def symmetric_gaussian(size: Any, order: int, *, std: Std = 1.0) -> SymmetricGaussian:
    """A symmetric Gaussian tensor: the mean of independent entries over all permutations of the indices.

    An entry with distinct indices has variance ``std**2 / order!``.

    Parameters
    ----------
    size : dimension of every index.
    order : number of indices.
    std : standard deviation of the entries before the symmetrisation, which is that of the diagonal ones.

    Raises
    ------
    ShapeError : a bad size, order or standard deviation.

    Examples
    --------
    >>> import numpy as np, randtensor as rt
    >>> T = rt.symmetric_gaussian(rt.Scale("n"), 3).sample(4, rng=0)[0]
    >>> bool(np.allclose(T, T.transpose(1, 2, 0)))
    True
    """
    return SymmetricGaussian(size, order, std)


def goe(size: Any, *, std: Std = 1.0) -> GOE:
    """A symmetric Gaussian matrix: variance ``std**2`` off the diagonal and twice that on it.

    It is (G + G^T) / sqrt(2) with independent entries in G, the Gaussian orthogonal ensemble (Mehta 2004).

    Raises
    ------
    ShapeError : a bad size or standard deviation.

    Examples
    --------
    >>> import randtensor as rt
    >>> A = rt.goe(rt.Scale("n")).sample(3, rng=0)[0]
    >>> bool((A == A.T).all())
    True
    """
    return GOE(size, std)


def gue(size: Any, *, std: Std = 1.0) -> GUE:
    """A Hermitian Gaussian matrix, E M_ij M_kl = std^2 delta_il delta_jk: the Gaussian unitary ensemble (Mehta 2004).

    Raises
    ------
    ShapeError : a bad size or standard deviation.

    Examples
    --------
    >>> import randtensor as rt
    >>> A = rt.gue(rt.Scale("n")).sample(3, rng=0)[0]
    >>> bool((A == A.conj().T).all())
    True
    """
    return GUE(size, std)


def wishart(size: Any, samples: Any, *, field: str = "real") -> Wishart:
    """A Wishart matrix G G^dagger with independent standard Gaussian entries in G (Wishart 1928); its mean is m 1.

    Parameters
    ----------
    size : dimension n of the matrix.
    samples : the number m of columns of G.
    field : "real" or "complex".

    Raises
    ------
    ShapeError : a bad size.
    InputError : another field.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> rt.wishart(n, 2 * n).sample(3, rng=0).shape, rt.wishart(n, 2 * n).injective_order
    ((1, 3, 3), Order('n'))
    """
    return Wishart(size, samples, field)
