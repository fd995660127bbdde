"""Tensors of Gaussian entries: independent or correlated, real or complex."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.dimensions import Dimension, evaluate_factor, factor_text, scale_names, show
from randtensor.errors import InputError, ShapeError
from randtensor.orders import Order, Scale, Term
from randtensor.quantity import Sizes
from randtensor.revealed import DenseMatrix, RandomMatrix, RevealedGaussian
from randtensor.tensors.algebra import exact_factor
from randtensor.tensors.base import RandomTensor, check_std
from randtensor.tensors.growth import HALF, chevet_order, entries_order, factor_order, flat_order, nuclear_order

if TYPE_CHECKING:
    from randtensor.exact.diagrams.elements import Element
    from randtensor.exact.diagrams.networks import Diagram

__all__ = [
    "Gaussian",
    "GaussianFamily",
    "Std",
    "complex_field",
    "complex_gaussian",
    "gaussian",
    "ginibre",
    "normal_entries",
]

Array = np.ndarray
Std = float | Fraction | Order | Scale | Term

#: Up to this many entries a Gaussian matrix is drawn whole: the bookkeeping of revealing it would cost more.
DENSE_ENTRIES = 2**9


class GaussianFamily(RandomTensor):
    """A centred Gaussian tensor: a standard deviation times an element averaged over pairings.

    Norms grow alike for all families of this kind, with and without symmetries (Tomioka & Suzuki 2014, arXiv
    1407.1870; flattenings: Davidson & Szarek 2001).
    """

    def __init__(self, shape: Sequence[Any], owner: str, std: Any) -> None:
        super().__init__(shape, owner)
        self.std = check_std(std)
        self.scale_names = scale_names((*self.dimensions, self.std))

    @property
    @abstractmethod
    def element(self) -> Element:
        """The tensor of standard deviation one, the same random variable wherever this tensor occurs."""

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import single

        return single(self.element, exact_factor(self.std))

    @property
    def fingerprint(self) -> str:
        return f"{self.family}{show(self.dimensions)}*{_text(self.std)}"

    @property
    def frobenius_order(self) -> Order:
        return factor_order(self.std) * entries_order(self.dimensions) ** HALF

    @property
    def injective_order(self) -> Order:
        return factor_order(self.std) * (chevet_order(self.dimensions) if self.ndim else Order.one())

    @property
    def nuclear_order(self) -> Order:
        order = nuclear_order(self.dimensions)
        if order is None:
            raise self._unknown("nuclear norm")
        return factor_order(self.std) * order

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return factor_order(self.std) * flat_order(self.dimensions, rows, columns)

    def __repr__(self) -> str:
        return super().__repr__() if self.std == 1 else f"{super().__repr__()[:-1].rstrip(',')}, std={self.std})"


class Gaussian(GaussianFamily):
    """Gaussian entries, independent or with a covariance for each index."""

    def __init__(
        self,
        shape: Sequence[Any],
        std: Any,
        dense: bool | None,
        covariance: Sequence[Any] | None = None,
        complex_entries: bool = False,
    ) -> None:
        super().__init__(shape, "complex_gaussian" if complex_entries else "gaussian", std)
        self.dense, self.complex_entries = dense, complex_entries
        self.covariance = None if covariance is None else _check_covariance(covariance, self.dimensions)
        self._roots = [None if c is None else _square_root(c) for c in self.covariance or ()]

    @property
    def is_complex(self) -> bool:
        return self.complex_entries

    @property
    def fingerprint(self) -> str:
        text = super().fingerprint + (f":dense={self.dense}" if self.dense is not None else "")
        if self.covariance is None:
            return text
        from hashlib import sha256

        marks = ["I" if c is None else sha256(c.tobytes()).hexdigest()[:16] for c in self.covariance]
        return f"{text}:covariance={','.join(marks)}"

    @cached_property
    def element(self) -> Element:
        from randtensor.exact.diagrams import elements

        fixed = [None if c is None else elements.Fixed("covariance", c) for c in self.covariance or ()]
        return elements.Gaussian(repr(self), self.dimensions, is_complex=self.is_complex, covariances=fixed)

    def slice(self, indices: tuple[int, ...]) -> RandomTensor:
        return self if self.covariance is None and not self.is_complex else super().slice(indices)

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        values = normal_entries((batch, *shape), self.is_complex, generator)
        for axis, root in enumerate(self._roots):
            if root is not None:
                values = np.moveaxis(np.moveaxis(values, axis + 1, -1) @ root.T, -1, axis + 1)
        std = evaluate_factor(self.std, sizes)
        return values if std == 1.0 else values * std

    def matrix(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> RandomMatrix:
        dense = self.dense if self.dense is not None else shape[0] * shape[1] <= DENSE_ENTRIES
        if dense or self.covariance is not None:
            return DenseMatrix(self.draw(shape, batch, sizes, generator))
        std = evaluate_factor(self.std, sizes)
        return RevealedGaussian((shape[0], shape[1]), std=std, batch=batch, rng=generator)


def gaussian(*shape: Any, std: Std = 1.0, dense: bool | None = None, covariance: Any = None) -> Gaussian:
    """A tensor of Gaussian entries: independent ones, or correlated along each index.

    Parameters
    ----------
    shape : sizes; integers, scales and multiples of products of scales.
    std : standard deviation of the entries; may depend on the scales, as ``n**-0.5``.
    dense : as a matrix in a program, True draws all entries, False reveals only the products asked for
        (``randtensor.revealed``), None chooses by size. The law is the same.
    covariance : for each index a symmetric positive semidefinite matrix, or None for the identity:
        E W_ij W_kl = A_ik B_jl with ``covariance=[A, B]``. The sizes of such indices are integers.

    Raises
    ------
    ShapeError : a size that is not positive, or a covariance of another size.
    InputError : a covariance that is not symmetric and positive semidefinite.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> rt.gaussian(n, 2 * n, 3).sample(2, size=5, rng=0).shape
    (5, 2, 4, 3)
    >>> rt.gaussian(2, n, covariance=[[[1.0, 0.5], [0.5, 1.0]], None]).sample(3, rng=0).shape
    (1, 2, 3)
    """
    return Gaussian(shape, std, dense, covariance)


def complex_gaussian(*shape: Any, std: Std = 1.0) -> Gaussian:
    """A tensor of independent complex Gaussian entries: E |T|^2 = std^2 and E T^2 = 0; ``T.conj()`` is its conjugate.

    Parameters
    ----------
    shape : sizes.
    std : root mean square modulus of the entries; may depend on the scales.

    Raises
    ------
    ShapeError : a bad size or standard deviation.

    Examples
    --------
    >>> import randtensor as rt
    >>> rt.complex_gaussian(rt.Scale("n")).sample(3, rng=0).dtype
    dtype('complex128')
    """
    return Gaussian(shape, std, None, complex_entries=True)


def ginibre(rows: Any, columns: Any = None, *, field: str = "real", std: Std = 1.0) -> Gaussian:
    """A matrix of independent Gaussian entries (Ginibre 1965), square if ``columns`` is not given.

    Parameters
    ----------
    rows, columns : sizes.
    field : "real" or "complex".
    std : root mean square of the entries; may depend on the scales.

    Raises
    ------
    ShapeError : a bad size or standard deviation.
    InputError : another field.

    Examples
    --------
    >>> import randtensor as rt
    >>> rt.ginibre(rt.Scale("n"), field="complex").injective_order
    Order('n^{1/2}')
    """
    shape = (rows, rows if columns is None else columns)
    return Gaussian(shape, std, None, complex_entries=complex_field(field))


def normal_entries(shape: tuple[int, ...], complex_entries: bool, generator: np.random.Generator) -> Array:
    """Independent entries of root mean square one."""
    if not complex_entries:
        return generator.standard_normal(shape)
    parts = generator.standard_normal((*shape, 2))
    return np.asarray(parts.view(np.complex128)[..., 0] * np.sqrt(0.5))


def _text(std: Any) -> str:
    return factor_text(std) if isinstance(std, Fraction) else str(std)


def complex_field(field: Any) -> bool:
    """Whether a field is the complex numbers; an InputError if it is neither these nor the real ones."""
    if field not in ("real", "complex"):
        raise InputError(f"field is {field!r}, expected 'real' or 'complex'")
    return bool(field == "complex")


def _check_covariance(covariance: Any, dimensions: Sequence[Dimension]) -> tuple[Array | None, ...]:
    if not isinstance(covariance, Sequence | np.ndarray) or len(covariance) != len(dimensions):
        raise ShapeError(f"covariance is {covariance!r}, expected one matrix or None for each of {show(dimensions)}")
    return tuple(
        None if matrix is None else _check_matrix(slot, matrix, size)
        for slot, (matrix, size) in enumerate(zip(covariance, dimensions, strict=True))
    )


def _check_matrix(slot: int, matrix: Any, size: Dimension) -> Array:
    try:
        array = np.array(matrix, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"covariance {slot} is {matrix!r}, expected a real matrix") from error
    if not isinstance(size, int) or array.shape != (size, size):
        raise ShapeError(
            f"covariance {slot} has shape {array.shape}, expected ({size}, {size}) with a size that is an integer"
        )
    tolerance = 1e-10 * max(np.abs(array).max(initial=0.0), 1e-300)
    if not np.isfinite(array).all() or np.abs(array - array.T).max(initial=0.0) > tolerance:
        raise InputError(
            f"covariance {slot} is not symmetric with finite entries, expected a positive semidefinite matrix"
        )
    if np.linalg.eigvalsh(array).min() < -tolerance * size:
        raise InputError(f"covariance {slot} has a negative eigenvalue, expected a positive semidefinite matrix")
    return array


def _square_root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
