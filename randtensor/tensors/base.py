"""What every random tensor that is drawn whole offers: samples, algebra, exact structure and norms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.dimensions import Dimension, check_shape, evaluate_shape, reciprocal, same_dimension, scale_names, show
from randtensor.errors import ExactError, ShapeError
from randtensor.orders import Order, Scale, Term
from randtensor.quantity import Draw, Quantity, Sizes
from randtensor.revealed import DenseMatrix, RandomMatrix
from randtensor.tensors.growth import entries_order

if TYPE_CHECKING:
    from randtensor.exact.diagrams.networks import Diagram

__all__ = ["DenseTensor", "EqualNorms", "RandomTensor", "check_axes", "check_std", "require_same_dimensions"]

Array = np.ndarray


class DenseTensor(Quantity):
    """A random tensor with symbolic shape whose samples are arrays; one object is one random variable.

    Tensors of one shape are added and subtracted, and multiplied by numbers, orders and terms; ``T.T`` reverses the
    indices. Norms of families are given by their typical growth, up to constants and with high probability; those of
    sums, real parts and contractions by upper bounds on it, as parts may cancel.

    Parameters
    ----------
    shape : integers, scales, and multiples of products of scales.
    owner : named in the message about a bad shape.
    """

    def __init__(self, shape: Sequence[Any], owner: str) -> None:
        self.dimensions: tuple[Dimension, ...] = check_shape(shape, owner)
        self.scale_names = scale_names(self.dimensions)
        if not scale_names(self.dimensions):
            self.shape = evaluate_shape(self.dimensions, {})

    @property
    def ndim(self) -> int:
        """Number of indices."""
        return len(self.dimensions)

    @property
    def is_complex(self) -> bool:
        """Whether samples are complex numbers."""
        return False

    def block_length(self, sizes: Sizes) -> int:
        entries = prod(evaluate_shape(self.dimensions, sizes))
        return int(np.clip(2**16 // entries, 1, 64))

    def diagram(self) -> Diagram:
        """The tensor as a sum of networks of elementary random tensors, for exact expectations.

        Raises
        ------
        ExactError : there is no such sum.
        """
        raise ExactError(f"{self!r} has no exact structure, expected a tensor made of families with exact rules")

    @property
    def frobenius_order(self) -> Order:
        """Growth of the Frobenius norm: the length of the vector of all entries.

        Raises
        ------
        ExactError : not known; so for all norms.
        """
        raise self._unknown("Frobenius norm")

    @property
    def entry_order(self) -> Order:
        """Growth of the root mean square of the entries: the Frobenius norm over the root of their number."""
        return self.frobenius_order / entries_order(self.dimensions) ** Fraction(1, 2)

    @property
    def injective_order(self) -> Order:
        """Growth of the injective norm, the maximum over products of unit vectors; for a matrix the spectral norm."""
        if self.ndim < 2:
            return self.frobenius_order
        if self.ndim == 2:
            return self.flattening_order((0,))
        raise self._unknown("injective norm")

    @property
    def nuclear_order(self) -> Order:
        """Growth of the nuclear norm, the dual of the injective one; for a matrix the sum of singular values."""
        if self.ndim < 2:
            return self.frobenius_order
        raise self._unknown("nuclear norm")

    def flattening_order(self, rows: tuple[int, ...]) -> Order:
        """Growth of the operator norm of the matrix whose rows are the indices ``rows`` and columns the others.

        Without rows, or without columns, the matrix is a vector and its norm the Frobenius norm.

        Raises
        ------
        ShapeError : ``rows`` are not distinct indices.
        """
        rows = check_axes("rows", rows, self.ndim)
        if not rows or len(rows) == self.ndim:
            return self.frobenius_order
        return self._flattening(rows, tuple(axis for axis in range(self.ndim) if axis not in rows))

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        raise self._unknown(f"operator norm with rows {rows}")

    def _unknown(self, norm: str) -> ExactError:
        return ExactError(f"no known {norm} of {self!r}")

    @property
    def T(self) -> DenseTensor:
        """The tensor with its indices in reverse order."""
        return self.transpose()

    def transpose(self, *axes: int) -> DenseTensor:
        """The tensor with index k being index ``axes[k]`` of this one; without arguments, in reverse order.

        Raises
        ------
        ShapeError : ``axes`` is no permutation of the indices.

        Examples
        --------
        >>> import randtensor as rt
        >>> rt.gaussian(2, 3, 4).transpose(1, 2, 0).shape
        (3, 4, 2)
        """
        from randtensor.tensors.algebra import Transposed

        order = check_axes("axes", axes or tuple(reversed(range(self.ndim))), self.ndim)
        if len(order) != self.ndim:
            raise ShapeError(f"axes is {axes}, expected each of the {self.ndim} indices once")
        return self if order == tuple(range(self.ndim)) else Transposed(self, order)

    def conj(self) -> DenseTensor:
        """The complex conjugate; the tensor itself if it is real."""
        from randtensor.tensors.algebra import Conjugate

        return Conjugate(self) if self.is_complex else self

    @property
    def real(self) -> DenseTensor:
        """The real part; the tensor itself if it is real.

        Examples
        --------
        >>> import randtensor as rt
        >>> T = rt.complex_gaussian(rt.Scale("n"))
        >>> print(rt.einsum("a,a->", T.real, T.real).expectation())
        1/2 n
        """
        from randtensor.tensors.algebra import Real

        return Real(self) if self.is_complex else self

    def __neg__(self) -> DenseTensor:
        return self._scaled(-1)

    def __add__(self, other: Any) -> Any:
        return self._sum(other, 1) or super().__add__(other)

    def __radd__(self, other: Any) -> Any:
        # The built-in sum starts from zero.
        return self if isinstance(other, int) and other == 0 else super().__radd__(other)

    def __sub__(self, other: Any) -> Any:
        return self._sum(other, -1) or super().__sub__(other)

    def __mul__(self, other: Any) -> Any:
        return super().__mul__(other) if isinstance(other, Quantity) else self._scaled(other)

    def __rmul__(self, other: Any) -> Any:
        return super().__rmul__(other) if isinstance(other, Quantity) else self._scaled(other)

    def __truediv__(self, other: Any) -> Any:
        return super().__truediv__(other) if isinstance(other, Quantity) else self._scaled(reciprocal(other))

    def _scaled(self, factor: Any) -> DenseTensor:
        from randtensor.tensors.algebra import Scaled

        return Scaled(self, factor)

    def _sum(self, other: Any, sign: int) -> DenseTensor | None:
        from randtensor.tensors.algebra import Sum

        if not isinstance(other, DenseTensor) or other.ndim != self.ndim:
            return None
        return Sum((self, other if sign == 1 else -other))


class EqualNorms(DenseTensor):
    """A tensor all of whose norms grow as its Frobenius norm does: of rank one, or of a size that does not grow."""

    @property
    def injective_order(self) -> Order:
        return self.frobenius_order

    @property
    def nuclear_order(self) -> Order:
        return self.frobenius_order

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return self.frobenius_order


class RandomTensor(DenseTensor):
    """A family of random tensors; where it is real, also a parameter of programs."""

    #: name of the function that makes the family, for messages
    family = ""

    def __init__(self, shape: Sequence[Any], owner: str) -> None:
        super().__init__(shape, owner)
        self.family = owner

    @abstractmethod
    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        """Independent arrays, shape (batch, *shape); ``shape`` may lack leading axes, for a slice."""

    def matrix(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> RandomMatrix:
        """Independent matrices that answer products with vectors."""
        return DenseMatrix(self.draw(shape, batch, sizes, generator))

    def slice(self, indices: tuple[int, ...]) -> RandomTensor:
        """The family of the slice at these leading indices; ``draw`` and ``matrix`` are then given its shape.

        Raises
        ------
        ShapeError : slices of this family are not independent of each other, or the tensor is complex.
        """
        if self.is_complex:
            raise ShapeError(f"{self!r} is complex, expected a real tensor as a parameter of a program")
        if indices:
            raise ShapeError(f"{self!r} was indexed, expected a family with independent slices (gaussian, iid, fixed)")
        return self

    def evaluate(self, draw: Draw) -> Array:
        """One block of samples, shape (batch, *shape)."""
        shape = evaluate_shape(self.dimensions, draw.sizes)
        result: Array = draw.remember(self, lambda: self.draw(shape, draw.batch, draw.sizes, draw.generator))
        return result

    def describe(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return f"{self.family}{show(self.dimensions)}"


def check_axes(name: str, axes: Sequence[Any], ndim: int) -> tuple[int, ...]:
    """Distinct indices of a tensor.

    Raises
    ------
    ShapeError : anything else.
    """
    valid = isinstance(axes, Sequence) and all(isinstance(axis, int | np.integer) for axis in axes)
    if not valid or len(set(axes)) != len(axes) or not all(0 <= axis < ndim for axis in axes):
        raise ShapeError(f"{name} is {axes!r}, expected distinct indices from 0 to {ndim - 1}")
    return tuple(int(axis) for axis in axes)


def check_std(std: Any) -> Any:
    """A standard deviation: a non-negative number, kept exactly if it is a fraction, or an order in the scales.

    Raises
    ------
    ShapeError : anything else.
    """
    if isinstance(std, Order) and std.is_sum:
        raise ShapeError(f"std is a sum of orders, {std}, which keeps no constants, expected a product")
    if isinstance(std, Order | Scale | Term):
        if isinstance(std, Term) and std.coefficient < 0:
            raise ShapeError(f"std is {std}, expected a non-negative number or an order in the scales")
        return std
    if isinstance(std, bool) or not isinstance(std, int | float | Fraction | np.number) or not 0 <= std < np.inf:
        raise ShapeError(f"std is {std!r}, expected a non-negative number or an order in the scales")
    return std if isinstance(std, Fraction) else float(std)


def require_same_dimensions(a: DenseTensor, b: DenseTensor, owner: str) -> None:
    """Raises a ShapeError unless two tensors have the same shape at all sizes."""
    if a.ndim != b.ndim:
        raise ShapeError(f"{owner}: {a!r} and {b!r} have {a.ndim} and {b.ndim} indices, expected the same number")
    for index, (left, right) in enumerate(zip(a.dimensions, b.dimensions, strict=True)):
        if not same_dimension(left, right):
            raise ShapeError(
                f"{owner}: index {index} of {a!r} and {b!r} has the sizes {left} against {right}, expected the same"
            )
