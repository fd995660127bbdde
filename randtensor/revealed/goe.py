"""Symmetric Gaussian matrices (GOE), sampled by their action only."""

from __future__ import annotations

import numpy as np

from randtensor.revealed._matrix import Array, RandomMatrix, as_generator
from randtensor.revealed._rows import Rows, add_combination, combine, extend_basis, inner
from randtensor.seeding import Seed, array_kind

__all__ = ["RevealedGOE"]


class RevealedGOE(RandomMatrix):
    """A symmetric n x n Gaussian matrix: variance std^2 off the diagonal and 2 std^2 on it.

    One orthonormal basis Q and its images suffice. The image of a new direction q is decided along Q by symmetry, is
    N(0, 2 std^2) along q, and is i.i.d. N(0, std^2) orthogonal to both.

    Parameters
    ----------
    size : n. std, batch, rng : as for ``RevealedGaussian``.

    Examples
    --------
    >>> import numpy as np
    >>> A = RevealedGOE(10**5, rng=0)
    >>> x, y = np.eye(2, 10**5)
    >>> bool(np.isclose(x @ (A @ y), y @ (A @ x)))
    True
    """

    def __init__(self, size: int, *, std: float = 1.0, batch: int = 1, rng: Seed = None) -> None:
        super().__init__((size, size), batch)
        self.std = float(std)
        self._generator = as_generator(rng)
        self._basis, self._images = (Rows(batch, size, like=array_kind(self._generator)) for _ in range(2))

    @property
    def revealed(self) -> tuple[int, int]:
        return self._basis.count, self._basis.count

    def answer(self, vectors: Array) -> Array:
        coefficients, alive = extend_basis(self._basis, vectors)
        known = self._images.count
        for j in range(alive.shape[1]):
            old = self._basis.rows[:, : known + j]
            direction = self._basis.rows[:, known + j : known + j + 1]
            earlier = self._images.rows
            image = self._images.normals(self._generator, 1)
            image *= self.std
            diagonal = self._generator.standard_normal((self.batch, 1, 1)) * (self.std * np.sqrt(2.0))
            image *= alive[:, j, None, None]
            diagonal *= alive[:, j, None, None]
            if known + j:
                decided = inner(direction, earlier) - inner(image, old)
                add_combination(image, decided, old)
            add_combination(image, diagonal - inner(image, direction), direction)
        return combine(coefficients, self._images.rows)

    answer_transposed = answer
