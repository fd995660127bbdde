"""Haar-distributed orthogonal matrices, sampled by their action only."""

from __future__ import annotations

from randtensor.revealed._matrix import Array, RandomMatrix, as_generator
from randtensor.revealed._rows import Rows, combine, extend_basis
from randtensor.seeding import Seed, array_kind

__all__ = ["RevealedHaar"]


class RevealedHaar(RandomMatrix):
    """An n x n orthogonal matrix O with Haar law.

    The state is a list of pairs (z, Oz) with orthonormal z and orthonormal Oz. The image of a new unit vector is
    uniform on the unit sphere orthogonal to all images so far; a product with the transpose gives pairs the other way
    round.

    Parameters
    ----------
    size : n. batch, rng : as for ``RevealedGaussian``.

    Examples
    --------
    >>> import numpy as np
    >>> O = RevealedHaar(10**5, rng=0)
    >>> x = np.arange(10.0**5)
    >>> bool(np.allclose(O.T @ (O @ x), x))
    True
    """

    def __init__(self, size: int, *, batch: int = 1, rng: Seed = None) -> None:
        super().__init__((size, size), batch)
        self._generator = as_generator(rng)
        self._domain, self._image = (Rows(batch, size, like=array_kind(self._generator)) for _ in range(2))

    @property
    def revealed(self) -> tuple[int, int]:
        return self._domain.count, self._domain.count

    def answer(self, vectors: Array) -> Array:
        return self._answer(vectors, self._domain, self._image)

    def answer_transposed(self, vectors: Array) -> Array:
        return self._answer(vectors, self._image, self._domain)

    def _answer(self, vectors: Array, basis: Rows, images: Rows) -> Array:
        coefficients, alive = extend_basis(basis, vectors)
        for j in range(alive.shape[1]):
            before = images.count
            while images.count == before:
                # Projecting a Gaussian vector and normalising it is uniform on the sphere of the complement. A row
                # that vanished would be drawn again; with a Gaussian vector that never happens in practice.
                extend_basis(images, self._generator.standard_normal((self.batch, 1, self.shape[0])))
            images.last[...] *= alive[:, j, None]
        return combine(coefficients, images.rows)
