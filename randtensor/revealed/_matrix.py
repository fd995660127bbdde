"""What every random matrix offers, whether its entries exist or not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.arguments import as_array
from randtensor.dimensions import check_count
from randtensor.errors import ShapeError
from randtensor.seeding import Seed, root_sequence

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

Array = np.ndarray


def as_generator(rng: Seed) -> np.random.Generator:
    """A generator to draw from; one that is given is used, and advanced, as it is."""
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.Generator(np.random.SFC64(root_sequence(rng)))


class RandomMatrix(ABC):
    """A batch of independent random matrices that answers matrix-vector products.

    Vectors are rows: ``apply`` maps shape (batch, r, columns) to (batch, r, rows), and ``apply_transposed`` maps
    (batch, r, rows) to (batch, r, columns). With ``batch == 1`` a single vector or a stack of row vectors is accepted
    too, and the operators ``W @ x`` and ``W.T @ u`` act on vectors or, column by column, on matrices.
    """

    #: coordinates of the vectors of the last question in the bases of those met so far, where they are kept
    located: Array | None = None

    __array_ufunc__ = None  # arrays on the left of @ defer to __rmatmul__

    def __init__(self, shape: tuple[int, int], batch: int = 1) -> None:
        self.shape = (check_count("rows", shape[0]), check_count("columns", shape[1]))
        self.batch = check_count("batch", batch)

    @abstractmethod
    def answer(self, vectors: Array) -> Array:
        """``apply`` without checks, for inner loops; the vectors, shape (batch, r, columns), may be overwritten."""

    @abstractmethod
    def answer_transposed(self, vectors: Array) -> Array:
        """``apply_transposed`` without checks, for inner loops; the vectors may be overwritten."""

    @property
    @abstractmethod
    def revealed(self) -> tuple[int, int]:
        """How many directions are known so far, on the right and on the left."""

    def apply(self, vectors: Array) -> Array:
        """``W x`` for every row x."""
        return self._checked(vectors, self.shape[1], self.answer)

    def apply_transposed(self, vectors: Array) -> Array:
        """``W^T u`` for every row u."""
        return self._checked(vectors, self.shape[0], self.answer_transposed)

    def _checked(self, vectors: Array, length: int, answer: Any) -> Array:
        if np.iscomplexobj(vectors):
            raise ShapeError("vectors is complex, expected real numbers")
        array = np.array(vectors, dtype=float)
        lead = array.ndim
        if self.batch == 1 and lead < 3:
            array = array.reshape(1, -1, array.shape[-1]) if array.size else array
        if array.ndim != 3 or array.shape[0] != self.batch or array.shape[2] != length:
            raise ShapeError(
                f"vectors has shape {np.shape(vectors)}, expected ({self.batch}, count, {length}) "
                f"for a batch of {self.batch} matrices of shape {self.shape}"
            )
        if not np.isfinite(array).all():
            raise ShapeError("vectors has entries that are NaN or infinite, expected finite numbers")
        result: Array = answer(array)
        return result if lead == 3 else (result[0, 0] if lead == 1 else result[0])

    def __matmul__(self, other: Array) -> Array:
        other = np.asarray(other)
        return self.apply(other) if other.ndim == 1 else self.apply(other.T).T

    def __rmatmul__(self, other: Array) -> Array:
        return self.apply_transposed(np.asarray(other))

    @property
    def T(self) -> TransposedMatrix:
        return TransposedMatrix(self)

    def linear_operator(self) -> LinearOperator:
        """The matrix as a ``scipy.sparse.linalg.LinearOperator``, ready for ``svds``, ``eigsh`` or ``lsqr``.

        Raises
        ------
        ShapeError : the batch holds more than one matrix.
        """
        from scipy.sparse.linalg import LinearOperator

        if self.batch != 1:
            raise ShapeError(f"batch is {self.batch}, expected 1: a linear operator is one matrix")
        return LinearOperator(
            self.shape,
            matvec=lambda x: self @ np.ravel(x),
            rmatvec=lambda u: self.T @ np.ravel(u),
            matmat=lambda X: self @ X,
            rmatmat=lambda U: self.T @ U,
            dtype=np.dtype(float),
        )


class TransposedMatrix(RandomMatrix):
    """The transpose of a random matrix, sharing its state."""

    def __init__(self, matrix: RandomMatrix) -> None:
        super().__init__((matrix.shape[1], matrix.shape[0]), matrix.batch)
        self.matrix = matrix

    @property
    def revealed(self) -> tuple[int, int]:
        right, left = self.matrix.revealed
        return left, right

    def answer(self, vectors: Array) -> Array:
        return self.matrix.answer_transposed(vectors)

    def answer_transposed(self, vectors: Array) -> Array:
        return self.matrix.answer(vectors)


class DenseMatrix(RandomMatrix):
    """A batch of matrices that are held entry by entry, shape (batch, rows, columns)."""

    def __init__(self, entries: Array) -> None:
        entries = as_array(entries, float)
        if entries.ndim == 2:
            entries = entries[None]
        super().__init__(entries.shape[1:], entries.shape[0])
        self.entries = entries

    @property
    def revealed(self) -> tuple[int, int]:
        return self.shape[1], self.shape[0]

    def answer(self, vectors: Array) -> Array:
        images: Array = np.matmul(vectors, self.entries.swapaxes(1, 2))
        return images

    def answer_transposed(self, vectors: Array) -> Array:
        images: Array = np.matmul(vectors, self.entries)
        return images
