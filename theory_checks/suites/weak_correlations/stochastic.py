"""Arithmetic of stochastic orders: which rules hold, and which need more than an upper bound."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import randtensor as rt
from theory_checks.claims import Claim, Exact, QuantileSlopes
from theory_checks.suites.weak_correlations.plan import DERIVED, Plan, n

__all__ = ["arithmetic"]

Array = np.ndarray


def arithmetic(plan: Plan) -> Iterator[Claim]:
    """Sums, powers, series, cancellation and products."""
    sizes: dict[str, Any] = {"n": [16, 64, 256, 1024], "samples": 20000, "source": DERIVED}

    @rt.quantity(n, batch=5000)
    def few_terms(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.asarray(rng.standard_normal((batch, 3)) @ np.array([1.0, size**-0.5, 1.0 / size]))

    @rt.quantity(n, batch=5000)
    def many_terms(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.asarray(size * rng.standard_normal(batch))

    @rt.quantity(n, batch=5000)
    def negative_power(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.where(rng.random(batch) < 0.5, 1.0, 1.0 / size) ** -1.0

    @rt.quantity(n, batch=5000)
    def series(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.asarray(np.expm1(rng.standard_normal(batch) / size**0.5))

    @rt.quantity(n, batch=5000)
    def cancelling(size: int, batch: int, rng: np.random.Generator) -> Array:
        x = rng.standard_normal(batch)
        return x + (-x)

    @rt.quantity(n, batch=5000)
    def squared_sign(size: int, batch: int, rng: np.random.Generator) -> Array:
        sign = rng.choice([-1.0, 1.0], batch)
        return np.asarray(sign * sign)

    yield Claim(
        "a sum of three terms has the largest of their orders",
        few_terms,
        id="C2.few",
        predicted=rt.Theta(1 + n ** Fraction(-1, 2) + n**-1),
        correction=1.0,
        **sizes,
    )
    yield Claim(
        "a sum of n equal terms of order 1 is n: the number of terms counts",
        many_terms,
        id="C2.many",
        predicted=rt.Theta(n),
        correction=None,
        **sizes,
    )
    yield Claim(
        "X in {1, 1/n} is O(1), and 1/X is not: negative powers need a lower bound",
        negative_power,
        id="C3",
        predicted=QuantileSlopes({25: 0.0, 75: 1.0}),
        correction=None,
        **sizes,
    )
    yield Claim(
        "the series of (Z n^-1/2)^d / d! over d >= 1 has the order of its first term",
        series,
        id="C4",
        predicted=rt.Theta(n**-0.5),
        correction=1.0,
        **sizes,
    )
    yield Claim(
        "X + (-X) vanishes: upper bounds say nothing from below",
        cancelling,
        id="C5",
        predicted=Exact(0),
        **sizes,
    )
    yield Claim(
        "the variance of a product can vanish: signs, squared",
        squared_sign,
        id="C6",
        statistic="variance",
        predicted=Exact(0),
        **sizes,
    )
