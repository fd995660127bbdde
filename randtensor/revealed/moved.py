"""Matrices that have moved since they were drawn: ``scale * W + D``, as training leaves them behind."""

from __future__ import annotations

import numpy as np

from randtensor.revealed._matrix import Array, RandomMatrix
from randtensor.revealed._rows import add_combination, combine
from randtensor.revealed.gaussian import RevealedGaussian

__all__ = ["MovedGaussian"]


class MovedGaussian(RandomMatrix):
    r"""``scale * W + P^T C Q`` for a revealed Gaussian W with orthonormal bases Q and P of the vectors it has met.

    Gradient steps move a matrix by outer products of vectors that it was asked about, so that the whole displacement is
    a small core C in these two bases, however many steps were made. W itself stays revealed: its answers, and their
    law given everything seen, are those of ``RevealedGaussian``, whatever C was computed from.

    Parameters
    ----------
    base : W; shared, and revealed further by questions to this matrix.
    scale : of W.
    core : C, shape (batch, left, right), in the bases as far as they go: missing rows and columns count as zero, and
        those beyond the bases are left out.

    Examples
    --------
    >>> W = RevealedGaussian((4, 4), rng=0)
    >>> x, u = np.eye(4)[:2]
    >>> before, _ = W @ x, W.T @ u
    >>> moved = MovedGaussian(W, 1.0, np.array([[[3.0]]]))
    >>> (moved @ x - before).round(12).tolist()
    [0.0, 3.0, 0.0, 0.0]
    """

    def __init__(self, base: RevealedGaussian, scale: float, core: Array) -> None:
        super().__init__(base.shape, base.batch)
        right, left = base.revealed
        self.base, self.scale, self.core = base, scale, core[:, :left, :right]

    @property
    def revealed(self) -> tuple[int, int]:
        return self.base.revealed

    def answer(self, vectors: Array) -> Array:
        self.located = coordinates = self.base.right_coordinates(vectors)
        images = self.base.right[1]
        return self._moved(coordinates, images, self.core.swapaxes(1, 2), self.base.left[0])

    def answer_transposed(self, vectors: Array) -> Array:
        self.located = coordinates = self.base.left_coordinates(vectors)
        images = self.base.left[1]
        return self._moved(coordinates, images, self.core, self.base.right[0])

    def _moved(self, coordinates: Array, images: Array, core: Array, dual: Array) -> Array:
        known, reached = core.shape[1:]
        result = combine(coordinates if self.scale == 1.0 else self.scale * coordinates, images)
        if known and reached:
            add_combination(result, np.matmul(coordinates[..., :known], core), dual[:, :reached])
        return result
