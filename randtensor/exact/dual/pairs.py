"""Covariances of pairs of centred Gaussian variables, with their angles kept as accurately as their covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GaussianPairs"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class GaussianPairs:
    """The second moments of some pairs among P jointly Gaussian centred variables.

    The slope of a kinked activation depends on the angle of a pair, the arc cosine of its correlation. Where variables
    are almost parallel, a covariance in floating point tells the angle to 1e-8 only; so the angles are kept, too.

    Attributes
    ----------
    variances : of the variables, shape (P,).
    left, right : the numbers of the variables of each pair, shape (Q,).
    covariances : of the pairs, shape (Q,).
    angles : between 0 and pi, shape (Q,).

    Examples
    --------
    >>> pairs = GaussianPairs.of_inputs(np.array([[1.0, 0.0], [2.0, 2.0]]), np.array([0]), np.array([1]))
    >>> float(pairs.covariances[0]), pairs.angles / np.pi
    (2.0, array([0.25]))
    """

    variances: Array
    left: Indices
    right: Indices
    covariances: Array
    angles: Array

    @staticmethod
    def of_inputs(points: Array, left: Indices, right: Indices) -> GaussianPairs:
        """The variables w . x of standard normal w at the rows x of ``points``, shape (P, d)."""
        lengths = np.linalg.norm(points, axis=1)
        directions = points / np.where(lengths > 0, lengths, 1.0)[:, None]
        covariances, angles = np.empty(len(left)), np.empty(len(left))
        step = max(2**20 // max(points.shape[1], 1), 1)
        for start in range(0, len(left), step):
            chunk = slice(start, start + step)
            a, b = left[chunk], right[chunk]
            covariances[chunk] = np.vecdot(points[a], points[b])
            # Kahan's formula, which does not lose small angles to cancellation.
            difference = np.linalg.norm(directions[a] - directions[b], axis=1)
            total = np.linalg.norm(directions[a] + directions[b], axis=1)
            angles[chunk] = 2 * np.arctan2(difference, total)
        return GaussianPairs(np.vecdot(points, points), left, right, covariances, angles)

    def deviations(self) -> tuple[Array, Array]:
        """Standard deviations of the left and of the right variables of the pairs."""
        roots = np.sqrt(self.variances)
        return roots[self.left], roots[self.right]

    def scaled(self, factor: float) -> GaussianPairs:
        """The pairs with all second moments multiplied by a non-negative number."""
        return GaussianPairs(
            self.variances * factor,
            self.left,
            self.right,
            self.covariances * factor,
            self.angles if factor else 0.0 * self.angles,
        )

    def shifted(self, variance: float) -> GaussianPairs:
        """The pairs with one and the same independent variable of that variance added to all variables."""
        same = np.zeros(len(self.left))
        shift = GaussianPairs(np.full(len(self.variances), variance), self.left, self.right, same + variance, same)
        return self + shift

    def __add__(self, other: GaussianPairs) -> GaussianPairs:
        """The sums of independent variables."""
        (a, b), (c, d) = self.deviations(), other.deviations()
        plus, minus = (self.angles + other.angles) / 2, (self.angles - other.angles) / 2
        # The determinant of the sum of two Gram matrices, as a sum of squares.
        determinant = (
            (a * b * np.sin(self.angles)) ** 2
            + (c * d * np.sin(other.angles)) ** 2
            + (a * d - b * c) ** 2
            + 2 * a * b * c * d * (np.sin(plus) ** 2 + np.sin(minus) ** 2)
        )
        covariances = self.covariances + other.covariances
        return GaussianPairs(
            self.variances + other.variances,
            self.left,
            self.right,
            covariances,
            np.arctan2(np.sqrt(determinant), covariances),
        )
