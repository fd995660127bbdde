"""Networks with several hidden layers: the shift of the variance and the fourth cumulant (claims GP7 and GP8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators import conditional_covariance
from randtensor.exact import edgeworth, output_cumulant
from randtensor.exact.gaussianity.operators import derivative_means
from randtensor.programs.activations import get_activation
from theory_checks.claims import Claim, Exact
from theory_checks.suites.wide_gaussianity.plan import ACTIVATION, DERIVED, EDGEWORTH, SOURCE, Plan, n

__all__ = ["fourth_cumulant", "variance_shift"]

Array = np.ndarray

#: grid of a standard normal variable: trapezoidal sums of analytic functions, exact to rounding at variances near 1
_POINTS = np.linspace(-9, 9, 45)
_WEIGHTS = np.exp(-(_POINTS**2) / 2) / np.exp(-(_POINTS**2) / 2).sum()


def variance_shift(plan: Plan) -> Iterator[Claim]:
    """Var f at two hidden layers against its limit: n^-1/2 for skewed hidden weights, n^-1 for symmetric ones."""
    skewed = _shift_of("exponential", plan)
    shifted = _controlled(plan.deep(2, "exponential"), plan)
    sizes: dict[str, Any] = {"n": [16, 32, 64, 128], "samples": plan.counts([8000, 6000, 5000, 4000])}
    yield Claim(
        "variance at two hidden layers less its limit, skewed hidden weights",
        shifted,
        id="GP7.skewed",
        statistic="mean",
        predicted=Exact(skewed, within=plan.within(0.15)),
        source=EDGEWORTH,
        note="the series to n^-2",
        n=[32, 64, 128],
        samples=plan.counts([5000, 4000, 3000]),
    )
    yield Claim(
        "variance at two hidden layers less its limit, skewed hidden weights, rate",
        shifted,
        id="GP7.skewed.rate",
        statistic="mean",
        predicted=rt.Theta(n**-0.5),
        source=SOURCE,
        correction=None,
        **sizes,
    )
    yield Claim(
        "variance at two hidden layers less its limit, skewed hidden weights, claimed 1/n",
        shifted,
        id="GP7.wrong",
        statistic="mean",
        predicted=rt.O(n**-1),
        source="negative control",
        correction=None,
        expect="refuted",
        **sizes,
    )
    symmetric, means = _shift_of(None, plan), _Means(plan)
    # With normal hidden weights pre-activations of the second layer are N(0, V) given the first layer.
    conditional = rt.combine(
        means.controlled(means.second), conditional_covariance(plan.shallow(), plan.x), name="shift given V"
    )
    sizes = {"n": [8, 32, 128, 512], "samples": plan.counts([60000, 30000, 15000, 8000])}
    yield Claim(
        "variance at two hidden layers less its limit, normal hidden weights",
        conditional,
        id="GP7.symmetric",
        statistic="mean",
        predicted=Exact(symmetric, within=plan.within(0.1)),
        source=EDGEWORTH,
        note="the series to n^-2",
        n=[32, 128, 512],
        samples=plan.counts([30000, 15000, 8000]),
    )
    yield Claim(
        "variance at two hidden layers less its limit, normal hidden weights, rate",
        conditional,
        id="GP7.symmetric.rate",
        statistic="mean",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=1.0,
        **sizes,
    )


def fourth_cumulant(plan: Plan) -> Iterator[Claim]:
    """The fourth cumulant of a deep network, averaged over the last layers: n^-1, with a constant by recursion."""
    means = _Means(plan)
    one, other = (conditional_covariance(rt.networks.two_layer(plan.inputs, n, ACTIVATION), plan.x) for _ in range(2))
    for law, excess, factor in (("normal", 0, 1), ("rademacher", -2, 2), ("exponential", 6, 1)):
        f = rt.networks.mlp(plan.inputs, n, 2, ACTIVATION, readout=None if law == "normal" else law)
        (leading,) = output_cumulant(f, [plan.x] * 4).terms
        common: dict[str, Any] = {"statistic": "mean", "source": DERIVED, "correction": 1.0, "n": [16, 64, 256, 1024]}
        yield Claim(
            f"fourth cumulant at two hidden layers, {law} read-out, rate",
            means.fourth_cumulant(one, other, excess),
            id=f"GP8.{law}",
            predicted=rt.Theta(leading.order),
            samples=plan.counts([factor * count for count in (30000, 12000, 8000, 6000)]),
            **common,
        )
        if law == "rademacher":
            # Two parts of what is left cancel almost, and take too many samples.
            continue
        yield Claim(
            f"fourth cumulant at two hidden layers less {float(leading.coefficient):.4f}/n, {law} read-out, rate",
            means.fourth_cumulant(one, other, excess, controlled=True),
            id=f"GP8.{law}.constant",
            predicted=rt.Theta(leading.order**2),
            samples=plan.counts([26000, 13000, 8000, 5300]),
            **common,
        )
    deep = conditional_covariance(plan.deep(3), plan.x)
    yield Claim(
        "fourth cumulant at three hidden layers: variance of the conditional variance, rate",
        deep,
        id="GP8.three",
        statistic="variance",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=1.0,
        n=[32, 128, 512, 2048],
        samples=plan.counts([24000, 12000, 8000, 4000]),
    )


def _shift_of(law: str | None, plan: Plan) -> rt.Expansion:
    """The series of E phi(z)^2 to n^-2, z being the output of a first layer with these weights, less its limit."""
    expansion = edgeworth(plan.shallow(law), [plan.x], order=4).expectation(ACTIVATION, power=2)
    return expansion - expansion.terms[0]


class _Means:
    """Means over N(0, V) of functions of the activation, and their expansions at the limit K of V.

    What is linear in V - K has mean zero, and (V - V')^2 for independent V, V' has mean 2 n^-1 Var phi(z)^2: parts that
    can be taken off, or put in place of themselves, to see what is left.
    """

    def __init__(self, plan: Plan) -> None:
        self._phi = get_activation(ACTIVATION)
        series = edgeworth(plan.shallow(), [plan.x], order=0)
        self.variance = float(series.covariance[0][0])
        self.limit = float(series.expectation(ACTIVATION, power=2).terms[0].coefficient)

    def second(self, v: Array) -> Array:
        """E phi^2."""
        return np.asarray(self._squares(v) @ _WEIGHTS)

    def spread(self, v: Array) -> Array:
        """Var phi^2."""
        squares = self._squares(v)
        return np.asarray(squares**2 @ _WEIGHTS - (squares @ _WEIGHTS) ** 2)

    def fourth(self, v: Array) -> Array:
        """E phi^4."""
        return np.asarray(self._squares(v) ** 2 @ _WEIGHTS)

    def slope(self, function: Callable[[Array], Array]) -> float:
        """The derivative at K; an error in it leaves controls of mean zero what they are."""
        step = 1e-3
        ends = function(self.variance + np.array([-step, step]))
        return float(ends[1] - ends[0]) / (2 * step)

    def controlled(self, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        """The function less its value at K and less what is linear in V - K."""
        value, slope = float(function(np.array([self.variance]))[0]), self.slope(function)
        return lambda v: np.asarray(function(v) - value - slope * (v - self.variance))

    def fourth_cumulant(self, one: rt.Quantity, other: rt.Quantity, excess: int, controlled: bool = False) -> Any:
        """A quantity whose mean is kappa_4 given two independent V; controlled, less the leading term of the mean."""
        slope = self.slope(self.second)

        def difference(v: Array, w: Array) -> Array:
            linear = slope * (v - w) if controlled else 0.0
            return np.asarray((self.second(v) - self.second(w)) ** 2 - linear**2)

        parts = [rt.combine(difference, one, other, name=f"difference {controlled}") * 1.5]
        for weight, function in ((3, self.spread), (excess, self.fourth)):
            if weight:
                applied = self.controlled(function) if controlled else function
                name = f"{function.__name__} {controlled}"
                parts.append(rt.combine(applied, one, name=name) * (weight * n**-1))
        return sum(parts[1:], start=parts[0])

    def _squares(self, v: Array) -> Array:
        return np.asarray(self._phi(np.sqrt(v)[..., None] * _POINTS) ** 2)


def _controlled(f: rt.RandomFunction, plan: Plan) -> Any:
    """The mean over units of phi(z)^2 at the last of two hidden layers, less its limit and controls of mean zero."""
    means = _Means(plan)
    half, scale = means.slope(means.second), plan.inputs**-0.5
    first = float(derivative_means(get_activation(ACTIVATION), 2, means.variance, 1)[1])

    def forward(p: Any, x: Any) -> Any:
        z = p.W2 @ rt.apply(ACTIVATION, p.W1 @ x * scale) / n**0.5
        return rt.mean(rt.square(rt.apply(ACTIVATION, z)) - z * first - rt.square(z) * half)

    shift = means.limit - half * means.variance
    return rt.RandomFunction(forward, f.space, "controlled variance")(plan.x) - shift
