"""Gaussian matrices with i.i.d. entries, sampled by their action only."""

from __future__ import annotations

import numpy as np

from randtensor.revealed._matrix import Array, RandomMatrix, as_generator
from randtensor.revealed._rows import Rows, add_combination, combine, extend_basis, inner
from randtensor.seeding import Seed, array_kind

__all__ = ["RevealedGaussian"]


class RevealedGaussian(RandomMatrix):
    r"""An m x n matrix W of i.i.d. N(0, std^2) entries of which only the products asked for are ever drawn.

    Given all answers so far, and however the next question depends on them, W is a known part plus
    ``(1 - P^T P) W' (1 - Q^T Q)`` with W' an independent copy of W; Q and P are orthonormal bases of the right and left
    vectors met. A new direction q therefore gets the image ``P^T Z q + (1 - P^T P) g`` with one fresh Gaussian vector
    g, where Z holds the images of P. This is exact at every finite size; memory and time are O((m + n) k) for k
    directions against O(m n) for the entries (the conditioning argument of Bolthausen 2014, arXiv 1201.2891, and
    Bayati & Montanari 2011, arXiv 1001.3448, used as a sampler).

    Parameters
    ----------
    shape : (m, n), positive integers.
    std : standard deviation of the entries.
    batch : number of independent matrices.
    rng : integer seed, ``SeedSequence``, ``Generator`` (used and advanced) or None.
    capacity : number of directions to reserve room for; more are met all the same.

    Examples
    --------
    A million by million matrix, which would fill 8 TB:

    >>> import numpy as np
    >>> W = RevealedGaussian((10**6, 10**6), rng=0)
    >>> x = np.ones(10**6) / 1000
    >>> y = W @ x
    >>> bool(np.isclose(y @ y, x @ (W.T @ y)))
    True
    >>> W.revealed
    (1, 1)
    """

    def __init__(
        self, shape: tuple[int, int], *, std: float = 1.0, batch: int = 1, rng: Seed = None, capacity: int = 4
    ) -> None:
        super().__init__(shape, batch)
        self.std = float(std)
        self._generator = as_generator(rng)
        rows, columns = self.shape
        like = array_kind(self._generator)
        self._right, self._right_images = (Rows(batch, length, capacity, like) for length in (columns, rows))
        self._left, self._left_images = (Rows(batch, length, capacity, like) for length in (rows, columns))

    @property
    def revealed(self) -> tuple[int, int]:
        return self._right.count, self._left.count

    def answer(self, vectors: Array) -> Array:
        return combine(self.right_coordinates(vectors), self._right_images.rows)

    def answer_transposed(self, vectors: Array) -> Array:
        return combine(self.left_coordinates(vectors), self._left_images.rows)

    @property
    def right(self) -> tuple[Array, Array]:
        """Orthonormal right vectors met so far and their images under W, shapes (batch, k, n) and (batch, k, m)."""
        return self._right.rows, self._right_images.rows

    @property
    def left(self) -> tuple[Array, Array]:
        """Orthonormal left vectors met so far and their images under W^T, shapes (batch, k, m) and (batch, k, n)."""
        return self._left.rows, self._left_images.rows

    def right_coordinates(self, vectors: Array) -> Array:
        """Coefficients of rows in the orthonormal right vectors, which are extended as needed; rows are overwritten."""
        return self._coordinates(vectors, self._right, self._right_images, self._left, self._left_images)

    def left_coordinates(self, vectors: Array) -> Array:
        """The same on the left, for rows of length m."""
        return self._coordinates(vectors, self._left, self._left_images, self._right, self._right_images)

    def _coordinates(self, vectors: Array, basis: Rows, images: Rows, dual: Rows, dual_images: Rows) -> Array:
        coefficients, alive = extend_basis(basis, vectors)
        fresh = alive.shape[1]
        if fresh:
            new = basis.rows[:, basis.count - fresh :]
            image = images.normals(self._generator, fresh)
            if self.std != 1.0:
                image *= self.std
            if not alive.all():
                image *= alive[:, :, None]
            if dual.count:
                decided = inner(new, dual_images.rows)
                decided -= inner(image, dual.rows)
                add_combination(image, decided, dual.rows)
        return coefficients

    def known_part(self) -> Array:
        """The conditional mean of W given all answers, dense, shape (batch, m, n); for checks at small sizes."""
        right, left = self._right.rows, self._left.rows
        images, left_images = self._right_images.rows, self._left_images.rows
        by_right = np.matmul(images.swapaxes(1, 2), right)
        by_left = np.matmul(left.swapaxes(1, 2), left_images)
        both = np.matmul(left.swapaxes(1, 2), np.matmul(inner(left, images), right))
        return np.asarray(by_right + by_left - both)
