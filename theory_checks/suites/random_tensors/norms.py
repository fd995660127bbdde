"""Norms of random tensors: orders, constants through what is left beside them, and exact laws (claims N)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import randtensor as rt
from theory_checks.claims import Claim, Exact
from theory_checks.suites.random_tensors.plan import DERIVED, Plan, n

__all__ = ["INJECTIVE", "NUCLEAR", "SYMMETRIC", "norms"]

Array = np.ndarray

#: limits of the injective norm over n^1/2, for a tensor of order 3 and for its symmetric form
INJECTIVE, SYMMETRIC = 2.87001, 1.65700

#: limit of the nuclear norm of a Ginibre matrix over n^3/2: the average of x^1/2 over the law of Marchenko and Pastur
NUCLEAR = 8 / (3 * math.pi)

_BATES = "Dartois & McKenna 2024 (arXiv 2404.03627); Bates & Sohn 2025 (arXiv 2507.06522)"
_SYMMETRIC = "Auffinger, Ben Arous & Cerny 2013; Subag 2017"


def norms(plan: Plan) -> Iterator[Claim]:
    """Tensors of order 3, and matrices."""
    yield from _injective(plan)
    yield from _matrices(plan)
    yield from _others(plan)


def _injective(plan: Plan) -> Iterator[Claim]:
    tensor = rt.gaussian(n, n, n)
    forms = (
        ("N1", "injective norm, order 3", "injective", INJECTIVE, _BATES, (400, 300, 200, 120)),
        (
            "N2",
            "largest value of J(x, x, x), J of order 3",
            "symmetric injective",
            SYMMETRIC,
            _SYMMETRIC,
            (2000, 1200, 400, 400),
        ),
    )
    for ident, name, kind, limit, source, samples in forms:
        norm = rt.norm(tensor, kind)
        yield Claim(
            name,
            norm,
            id=f"{ident}.rate",
            statistic="mean",
            predicted=rt.Theta(n**0.5),
            source=source,
            correction=1.0,
            n=[4, 8, 16, 32],
            samples=[plan.count(count) for count in (800, 800, 200, 60)],
            note="largest local maximum found",
        )
        # What is left is of order n^-1/2 log n, with a constant beside the logarithm that no fit resolves.
        yield Claim(
            f"{name}: {limit:.5f} n^1/2 less the norm vanishes",
            limit * n**0.5 - norm,
            id=f"{ident}.constant",
            statistic="mean",
            predicted=rt.o(1),
            source=source,
            correction=None,
            n=[4, 8, 16, 32],
            samples=[plan.count(count) for count in samples],
            note="largest local maximum found",
        )

    @rt.quantity(n, name="injective norm, order 3", batch=64)
    def searched(size: int, batch: int, rng: np.random.Generator) -> Array:
        # With fewer starts than this at the large sizes, missed maxima would add to the fluctuation.
        norm: rt.Quantity = rt.norm(tensor, starts=4 * size)
        return norm.sample(size, size=batch, rng=rng)

    yield Claim(
        "injective norm, order 3: fluctuation",
        searched,
        id="N3.rate",
        statistic="std",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        # The correction is log n / n; taken for 1/n it moves the exponent by 0.03 to 0.05 on these sizes.
        correction=1.0,
        margin=0.13,
        n=[4, 8, 16, 32],
        samples=[plan.count(count) for count in (24000, 44000, 1500, 6000)],
        note="largest local maximum found; the margin allows for a correction of log n / n, which no fit resolves",
    )
    yield Claim(
        "injective norm, order 3, claimed to grow like the norm of an unfolding",
        rt.norm(tensor),
        id="N1.wrong",
        statistic="mean",
        predicted=rt.Theta(n),
        source="negative control",
        expect="refuted",
        correction=1.0,
        n=[4, 8, 16, 24],
        samples=100,
    )


def _matrices(plan: Plan) -> Iterator[Claim]:
    matrix = rt.gaussian(n, n)
    nuclear = rt.norm(matrix, "nuclear")
    yield Claim(
        "operator norm of a matrix",
        rt.norm(matrix),
        id="N4.rate",
        statistic="mean",
        predicted=rt.Theta(n**0.5),
        source="Geman 1980",
        correction=2 / 3,
        n=[8, 16, 32, 64, 128],
        samples=plan.count(200),
    )
    yield Claim(
        "operator norm of a matrix: its distance from 2 (n - 1/2)^1/2",
        rt.combine(_below_edge, matrix, rt.norm(matrix), name="distance from the edge"),
        id="N4.edge",
        statistic="mean",
        predicted=rt.Theta(n ** Fraction(-1, 6)),
        source="Johnstone 2001; Ma 2012 for the centring",
        # With this centring the next term is n^-2/3 smaller, and its coefficient small.
        correction=None,
        n=[8, 16, 32, 64, 128],
        samples=[plan.count(count) for count in (8000, 6000, 4000, 2000, 1000)],
    )
    yield Claim(
        "nuclear norm of a matrix",
        nuclear,
        id="N5.rate",
        statistic="mean",
        predicted=rt.Theta(n**1.5),
        source="Marchenko & Pastur 1967",
        correction=1.0,
        n=[4, 8, 16, 32],
        samples=plan.count(1000),
    )
    # Most of the spread is that of |G|_F^2, whose mean is n^2, and is taken out.
    squared = rt.einsum("ab,ab->", matrix, matrix)
    yield Claim(
        f"nuclear norm of a matrix: {NUCLEAR:.5f} n^3/2 less the norm",
        NUCLEAR / 2 * n**1.5 + NUCLEAR / 2 * n**-0.5 * squared - nuclear,
        id="N5.constant",
        statistic="mean",
        predicted=rt.Theta(n**0.5),
        source="derived; next term of the density",
        # The next term is log n / n smaller; taken for 1/n it moves the exponent by about 0.01 on these sizes.
        correction=1.0,
        n=[4, 10, 25, 64],
        samples=[plan.count(count) for count in (60000, 100000, 8000, 14000)],
        note="the limit over n^1/2 is 2/pi - 1/2, from the density (delta_0 + delta_4)/4 - arcsine/2",
    )


def _others(plan: Plan) -> Iterator[Claim]:
    tensor, vector = rt.gaussian(n, n, n), rt.gaussian(n)
    unfolding = rt.norm(tensor, "operator", rows=(0,))
    grid: dict[str, Any] = {"n": [12, 24, 48, 96], "samples": [plan.count(c) for c in (800, 400, 200, 80)]}
    yield Claim(
        "operator norm of the n x n^2 unfolding",
        unfolding,
        id="N8.rate",
        statistic="mean",
        predicted=rt.Theta(n),
        source="Geman 1980",
        correction=0.5,
        **grid,
    )
    yield Claim(
        "operator norm of the n x n^2 unfolding less n",
        unfolding - n,
        id="N8.constant",
        statistic="mean",
        predicted=rt.Theta(n**0.5),
        source="Geman 1980",
        correction=2 / 3,
        **grid,
    )
    length = rt.norm(tensor, "frobenius")
    lengths: dict[str, Any] = {"n": [2, 4, 8, 16], "source": "derived; chi distribution"}
    yield Claim(
        "Frobenius norm, order 3: mean",
        length,
        id="N9.mean",
        statistic="mean",
        predicted=Exact(
            lambda size: _mean_length(size**3), variance=lambda size: size**3 - _mean_length(size**3) ** 2, within=0.01
        ),
        samples=plan.count(2000),
        **lengths,
    )
    yield Claim(
        "Frobenius norm, order 3: variance",
        length,
        id="N9.exact",
        statistic="variance",
        predicted=Exact(lambda size: size**3 - _mean_length(size**3) ** 2, within=0.1),
        samples=plan.count(8000),
        **lengths,
    )
    yield Claim(
        "Frobenius norm, order 3: variance tends to a constant",
        length,
        id="N9.rate",
        statistic="variance",
        predicted=rt.Theta(1),
        correction=3.0,
        samples=plan.count(20000),
        **lengths,
    )
    yield from _nuclear_norm(plan, tensor)
    largest = rt.combine(lambda x: x.max(axis=1), vector, name="largest entry")
    peaks: dict[str, Any] = {"statistic": "mean", "source": "extreme values of normal variables"}
    yield Claim(
        "largest of n normal numbers: mean",
        largest,
        id="N12.exact",
        predicted=Exact(_mean_largest, within=0.02),
        n=[2, 16, 256, 4096],
        samples=plan.count(2000),
        **peaks,
    )
    # Relative corrections are log log n / log n, which no power describes.
    yield Claim(
        "largest of n normal numbers",
        largest,
        id="N12.rate",
        predicted=rt.Theta(rt.log(n) ** 0.5),
        correction=None,
        n=[2**k for k in (4, 7, 10, 13, 16)],
        samples=plan.count(500),
        **peaks,
    )


def _nuclear_norm(plan: Plan, tensor: rt.Quantity) -> Iterator[Claim]:
    """The nuclear norm of a tensor is known by bounds only: n^5/2 between them."""
    nuclear = rt.norm(tensor, "nuclear")
    dual = rt.combine(
        lambda length, norm: length**2 / norm,
        rt.norm(tensor, "frobenius"),
        rt.norm(tensor),
        name="squared Frobenius over injective norm",
    )
    common: dict[str, Any] = {"statistic": "mean", "source": DERIVED, "correction": 1.0}
    yield Claim(
        "nuclear norm, order 3: upper end of the bracket",
        nuclear.upper(),
        id="N11.upper",
        predicted=rt.O(n**2.5),
        n=[3, 6, 12, 24],
        samples=[plan.count(c) for c in (400, 200, 100, 60)],
        **common,
    )
    yield Claim(
        "nuclear norm, order 3: |T|_F^2 / |T|, which bounds it below by duality",
        dual,
        id="N11.dual",
        predicted=rt.Omega(n**2.5),
        n=[3, 6, 12, 24],
        samples=[plan.count(c) for c in (400, 200, 100, 60)],
        note="|T| is the largest local maximum found",
        **common,
    )
    yield Claim(
        "nuclear norm, order 3: certified lower end of the bracket",
        nuclear.lower(),
        id="N11.lower",
        predicted=rt.Omega(n**2.25),
        n=[6, 12, 24, 32],
        samples=[plan.count(c) for c in (400, 200, 60, 30)],
        note="the certificate of the injective norm is of order n^3/4",
        **common,
    )


def _below_edge(matrices: Array, norm: Array) -> Array:
    return np.asarray(2 * math.sqrt(matrices.shape[-1] - 0.5) - norm.reshape(-1))


def _mean_length(entries: int) -> float:
    """Of a vector of so many independent normal entries."""
    return math.sqrt(2) * math.exp(math.lgamma((entries + 1) / 2) - math.lgamma(entries / 2))


def _mean_largest(count: int) -> float:
    """Of independent normal numbers: the integral of P(max > x) - P(max < -x) over x > 0."""
    from scipy.integrate import quad
    from scipy.special import log_ndtr

    def integrand(x: float) -> float:
        return float(-math.expm1(count * log_ndtr(x)) - math.exp(count * log_ndtr(-x)))

    found = quad(integrand, 0.0, 12.0, epsabs=1e-12, limit=200)
    return float(found[0])
