"""Cumulants of the output of one hidden layer, which are known at every width (claims GP1 to GP5)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import randtensor as rt
from estimators import conditional_covariance
from randtensor.exact import output_cumulant
from theory_checks.claims import Claim, Exact, Zero
from theory_checks.suites.wide_gaussianity.plan import DERIVED, Plan, evaluated, in_large_blocks, n

__all__ = ["cross_output", "fourth", "second", "third"]

_SMALL = (4, 16, 64)


def second(plan: Plan) -> Iterator[Claim]:
    """The covariance has its limit at every width."""
    for law in ("normal", "exponential"):
        f = plan.shallow(_law(law))
        for ident, pair in (("", (plan.x, plan.y)), (".variance", (plan.x, plan.x))):
            yield plan.exact(
                f"GP1.{law}{ident}",
                f"covariance of outputs at {'two inputs' if not ident else 'one input'}, {law} read-out",
                f(pair[0]) * f(pair[1]),
                output_cumulant(f, pair),
                _SMALL,
                sampled=rt.combine(lambda f, g: f * g, f(pair[0]), f(pair[1])),
            )


def third(plan: Plan) -> Iterator[Claim]:
    """The third cumulant shows the skewness of the read-out."""
    skewed = plan.shallow("exponential")
    for ident, name, triple in (
        ("GP2", "third cumulant, skewed read-out", (plan.x, plan.x, plan.x)),
        ("GP2.mixed", "third cumulant at two inputs, skewed read-out", (plan.x, plan.x, plan.y)),
    ):
        f, g, h = (skewed(x) for x in triple)
        yield plan.exact(
            ident, name, f * g * h, output_cumulant(skewed, triple), (2, 8, 32), 0.15, rt.combine(_triple, f, g, h), 2.0
        )
    cube = _cube(skewed, plan.x)
    sizes: dict[str, Any] = {"n": [4, 8, 16, 32], "samples": plan.counts([120000, 180000, 240000, 300000])}
    yield Claim(
        "third cumulant, skewed read-out, rate",
        cube,
        id="GP2.rate",
        statistic="mean",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=None,
        **sizes,
    )
    yield Claim(
        "third cumulant, skewed read-out, claimed 1/n",
        cube,
        id="GP2.wrong",
        statistic="mean",
        predicted=rt.O(n**-1),
        source="negative control",
        correction=None,
        expect="refuted",
        **sizes,
    )
    sizes = {"n": list(_SMALL), "samples": plan.count(40000)}
    for law in ("normal", "rademacher", "uniform"):
        symmetric = plan.shallow(_law(law))
        yield Claim(
            f"third cumulant, {law} read-out",
            _cube(symmetric, plan.x),
            id=f"GP3.{law}",
            source=DERIVED,
            **_vanishing(symmetric, plan.x),
            **sizes,
        )
    odd = plan.shallow("exponential", "tanh")
    yield Claim(
        "third cumulant, skewed read-out with an odd activation",
        _cube(odd, plan.x),
        id="GP3.odd",
        source=DERIVED,
        **_vanishing(odd, plan.x),
        **sizes,
    )
    yield Claim(
        "third cumulant, skewed read-out claimed to be symmetric",
        cube,
        id="GP3.wrong",
        predicted=Zero(within=0.05),
        source="negative control",
        expect="refuted",
        **sizes,
    )


def fourth(plan: Plan) -> Iterator[Claim]:
    """The fourth cumulant, the mean of f^4 - 6 K f^2 + 3 K^2: negative for signs as read-out."""
    grids = {
        "normal": ((2, 4, 8), 0.12, 2.0),
        "rademacher": ((1, 2, 4), 0.3, 1.3),
        "uniform": ((1, 2, 4), 0.15, 1.3),
        "exponential": ((16, 32), 0.25, 2.0),
    }
    for law, (sizes, within, tails) in grids.items():
        f = plan.shallow(_law(law))
        yield plan.exact(
            f"GP4.{law}",
            f"fourth cumulant, {law} read-out",
            f(plan.x) ** 4 - f(plan.x) ** 2 * (6 * _variance(f, plan.x)) + 3 * _variance(f, plan.x) ** 2,
            output_cumulant(f, [plan.x] * 4),
            sizes,
            within,
            _fourth(f, plan.x),
            tails,
        )
    f = plan.shallow()
    yield Claim(
        "fourth cumulant, normal read-out, rate",
        in_large_blocks(_fourth(f, plan.x)),
        id="GP4.rate",
        statistic="mean",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=None,
        n=[1, 2, 4, 8],
        samples=plan.counts([400000, 600000, 1200000, 2000000]),
    )


def cross_output(plan: Plan) -> Iterator[Claim]:
    """Outputs with independent read-outs are uncorrelated and yet dependent: the hidden layer fluctuates."""
    pair = rt.networks.two_layer(plan.inputs, n, "softplus", outputs=2)
    value = output_cumulant(pair, [plan.x] * 4, [0, 0, 1, 1])
    k = float(_variance(plan.shallow(), plan.x))
    product = pair.then(lambda f: (rt.square(f[0]) - k) * (rt.square(f[1]) - k), name="squares")(plan.x)
    yield Claim(
        "covariance of the squares of two outputs",
        in_large_blocks(product),
        id="GP5.outputs",
        statistic="mean",
        predicted=Exact(
            value, variance=evaluated(lambda: _variance_of_squares(plan.shallow(), plan.x)), within=plan.within(0.15)
        ),
        source=DERIVED,
        n=[1, 2, 4],
        samples=plan.counts([200000, 250000, 300000]),
    )
    variance = conditional_covariance(plan.shallow(), plan.x)
    sizes: dict[str, Any] = {"n": [8, 32, 128, 512], "samples": plan.counts([40000, 20000, 12000, 6000])}
    yield Claim(
        "the same, averaged over the read-outs: variance of the conditional variance",
        variance,
        id="GP5",
        statistic="variance",
        predicted=Exact(value, within=plan.within(0.08)),
        source=DERIVED,
        **sizes,
    )
    yield Claim(
        "variance of the conditional variance, rate",
        variance,
        id="GP5.rate",
        statistic="variance",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=None,
        **sizes,
    )


def _law(name: str) -> str | None:
    return None if name == "normal" else name


def _triple(f: np.ndarray, g: np.ndarray, h: np.ndarray) -> np.ndarray:
    return np.asarray(f * g * h)


def _cube(f: rt.RandomFunction, x: np.ndarray) -> Any:
    return in_large_blocks(f.then(lambda y: y * y * y, name="cube")(x))


def _vanishing(f: rt.RandomFunction, x: np.ndarray) -> dict[str, Any]:
    """The cube has mean zero, and a variance that is known: sixth powers have tails that samples would not show."""
    y = f(x)
    return {"statistic": "mean", "predicted": Exact(0, variance=evaluated((y * y * y).variance), within=0.05)}


def _variance_of_squares(f: rt.RandomFunction, x: np.ndarray) -> rt.Expansion:
    """Of (f^2 - K) (g^2 - K) for outputs f and g with independent normal read-outs on one hidden layer.

    Given that layer both are N(0, V), so that E f^2k = (2k - 1)!! E V^k, and E (f^2 - K)^2 = 3 V^2 - 2 K V + K^2.
    """
    k = _variance(f, x)
    second, third, fourth = ((f(x) ** (2 * j)).expectation() / factor for j, factor in ((2, 3), (3, 15), (4, 105)))
    value = second - k**2
    square: rt.Expansion = fourth * 9 - third * (12 * k) + second * (10 * k**2) - 3 * k**4 - value * value
    return square


def _variance(f: rt.RandomFunction, x: np.ndarray) -> Fraction:
    """The variance of the output, which no width changes."""
    return Fraction(output_cumulant(f, [x, x]).exact({}))


def _fourth(f: rt.RandomFunction, x: np.ndarray) -> Any:
    """f^4 - 6 K f^2 + 3 K^2, whose mean is that of f^4 - 3 K^2, with a smaller variance."""
    k = float(_variance(f, x))
    return f.then(lambda y: rt.square(rt.square(y)) - rt.square(y) * (6 * k) + 3 * k**2, name="fourth")(x)
