"""A rate of convergence that is computed instead of sampled (claim C1)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

import randtensor as rt
from theory_checks.claims import Claim
from theory_checks.suites.random_tensors.plan import Plan, n

__all__ = ["BERRY_ESSEEN", "distance_from_normal", "limits"]

Array = np.ndarray

#: limit of n^1/2 times the distance: skewness / (6 (2 pi)^1/2), with skewness 2
BERRY_ESSEEN = 1 / (3 * math.sqrt(2 * math.pi))


def limits(plan: Plan) -> Iterator[Claim]:
    """Sums of exponential variables against the normal law."""

    @rt.quantity(n, name="sup |F_n - Phi|, sums of exponential variables", batch=64)
    def distance(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.full(batch, distance_from_normal(size))

    note = "computed from the gamma law: the spread is zero"
    yield Claim(
        "largest distance of a sum of n exponential variables from the normal law",
        distance,
        id="C1.rate",
        statistic="mean",
        predicted=rt.Theta(n**-0.5),
        source="Esseen 1945",
        correction=1.0,
        n=[4**k for k in range(1, 6)],
        samples=64,
        note=note,
    )
    yield Claim(
        f"the same, less {BERRY_ESSEEN:.5f} n^-1/2",
        distance - BERRY_ESSEEN * n**-0.5,
        id="C1.constant",
        statistic="mean",
        predicted=rt.Theta(n**-1.5),
        source="Esseen 1945",
        correction=1.0,
        n=[4**k for k in range(1, 6)],
        samples=64,
        note=note,
    )


def distance_from_normal(size: int) -> float:
    """The largest distance between the standardised sum of exponential variables and the normal law, at all points.

    >>> round(2 * distance_from_normal(4), 5)
    0.1334
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammainc, ndtr

    def difference(z: Array | float) -> Array:
        return np.asarray(np.abs(gammainc(size, np.maximum(size + math.sqrt(size) * z, 0.0)) - ndtr(z)))

    grid = np.linspace(-6, 6, 601)
    best = grid[difference(grid).argmax()]
    found = minimize_scalar(
        lambda z: -float(difference(z)), bounds=(best - 0.02, best + 0.02), method="bounded", options={"xatol": 1e-10}
    )
    return float(-found.fun)
