"""Rules of the random-tensor calculus, and where they break."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import randtensor as rt
from theory_checks.claims import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes
from theory_checks.suites.weak_correlations.plan import DERIVED, SOURCE, Plan, n, relative_difference

__all__ = ["calculus"]


def calculus(plan: Plan) -> Iterator[Claim]:
    """Rules of the random-tensor calculus, and where they break."""
    sizes: dict[str, Any] = {"n": [16, 64, 256, 1024], "samples": 50000 if plan.quick else 400000}
    identity = rt.identity(n)
    dense: dict[str, Any] = {"n": [8, 32, 128], "samples": [16, 16, 8]}
    yield Claim(
        "two shared indices are not submultiplicative: sum of I * I is n",
        rt.einsum("ab,ab->", identity, identity),
        id="W26",
        statistic="mean",
        predicted=Exact(n),
        source=DERIVED,
        **dense,
    )
    yield Claim(
        "while the norm of I is 1",
        rt.norm(identity),
        id="W26.norm",
        statistic="mean",
        predicted=Exact(1),
        **dense,
    )
    a, b = rt.gaussian(n, n), rt.gaussian(n, n)
    product = rt.combine(
        lambda ab, x, y: np.maximum(ab / (x * y) - 1, 0.0),
        rt.norm(rt.einsum("ab,bc->ac", a, b)),
        rt.norm(a),
        rt.norm(b),
        name="excess of |AB| over |A||B|",
    )
    yield Claim("one shared index is submultiplicative", product, id="N7", predicted=Identity(1e-12), **dense)
    vector = rt.gaussian(n)
    tensor_product = rt.combine(
        relative_difference,
        rt.norm(rt.einsum("a,bc->abc", vector, a)),
        rt.norm(vector) * rt.norm(a),
        name="relative difference",
    )
    yield Claim(
        "norms multiply over tensor products",
        tensor_product,
        id="N0",
        predicted=Identity(1e-6),
        n=[4, 12],
        samples=4,
    )
    for rank, last in ((2, 256), (3, 64)):
        tensor = rt.gaussian(*[n] * rank)
        grid: dict[str, Any] = {"n": [last // 8, last // 4, last // 2, last], "samples": [32, 24, 16, 12]}
        for kind, power in (("injective", Fraction(1, 2)), ("frobenius", Fraction(rank, 2))):
            yield Claim(
                f"{kind} norm of a Gaussian tensor of order {rank}",
                rt.norm(tensor, kind),
                id=f"W23.{kind}.{rank}",
                predicted=rt.Theta(n**power),
                source="Tomioka & Suzuki, arXiv 1407.1870",
                correction=1.0,
                **grid,
            )

    @rt.quantity(n, batch=5000)
    def heavy(size: int, batch: int, rng: np.random.Generator) -> Any:
        return size ** np.abs(rng.standard_normal(batch))

    yield Claim(
        "n^|Z| has no definite bound",
        heavy,
        id="W24",
        predicted=NoDefiniteBound(),
        source=DERIVED,
        correction=None,
        **sizes,
    )
    yield Claim(
        "n^|Z|: every quantile has an exponent of its own",
        heavy,
        id="W24.slopes",
        predicted=QuantileSlopes({50: 0.67449, 90: 1.64485, 99: 2.57583}),
        source=DERIVED,
        # log X = |Z| log n: every quantile is a pure power, and the noise of its logarithm grows with n.
        correction=None,
        n=[2, 16, 128, 1024],
        samples=40000 if plan.quick else 80000,
    )
    yield Claim(
        "n^|Z| claimed to be n^0.674, as its median",
        heavy,
        id="W24.wrong",
        predicted=QuantileSlopes({50: 0.67449, 90: 0.67449}),
        source="negative control",
        correction=None,
        expect="refuted",
        **sizes,
    )

    @rt.quantity(n, batch=5000)
    def two_point(size: int, batch: int, rng: np.random.Generator) -> Any:
        return np.where(rng.random(batch) < 0.5, 1.0, size)

    yield Claim(
        "X in {1, n}: upper order n, lower order 1",
        two_point,
        id="W25",
        predicted=QuantileSlopes({25: 0.0, 75: 1.0}),
        source=SOURCE,
        correction=None,
        n=[16, 64, 256, 1024],
        samples=20000,
    )

    @rt.quantity(n, batch=5000)
    def rare(size: int, batch: int, rng: np.random.Generator) -> Any:
        return np.where(rng.random(batch) < 1 / size, float(size) ** 2, 0.0)

    yield Claim(
        "X = n^2 with probability 1/n is O(f) for every f: its median vanishes",
        rare,
        id="C1.median",
        statistic="median",
        predicted=Exact(0),
        source=DERIVED,
        **sizes,
    )
    yield Claim(
        "and yet its mean is n: stochastic orders say nothing of expectations",
        rare,
        id="C1.mean",
        statistic="mean",
        predicted=Exact(n),
        source=DERIVED,
        n=[16, 64, 256],
        samples=60000,
    )

    @rt.quantity(n)
    def staircase(size: int, batch: int, rng: np.random.Generator) -> Any:
        uniform = rng.random((batch, 1))
        edges = np.arange(size + 1) / size
        return size * ((uniform >= edges[:-1]) & (uniform < edges[1:])).max(axis=1)

    @rt.quantity(n, batch=5000)
    def step(size: int, batch: int, rng: np.random.Generator) -> Any:
        return (rng.random(batch) < 1 / size).astype(float)

    small: dict[str, Any] = {"n": [16, 64, 256], "samples": 60000}
    yield Claim(
        "max over k of n 1{U in [(k-1)/n, k/n)} is n",
        staircase,
        id="W27",
        statistic="mean",
        predicted=Exact(n),
        source=DERIVED,
        n=[16, 64, 256],
        samples=200,
    )
    yield Claim(
        "while each of them is non-zero with probability 1/n: families need joint bounds",
        step,
        id="W27.each",
        statistic="mean",
        predicted=Exact(n**-1),
        source=DERIVED,
        **small,
    )
