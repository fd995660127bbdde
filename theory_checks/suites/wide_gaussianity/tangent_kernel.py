"""The tangent kernel of one hidden layer and its rate of change at initialisation (claims GP9 to GP11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators.kernels import tangent_kernel
from theory_checks.claims import Claim, Exact, Zero
from theory_checks.suites.wide_gaussianity.plan import DERIVED, Plan, evaluated, n

__all__ = ["fluctuation", "kernel_motion", "motion"]


def fluctuation(plan: Plan) -> Iterator[Claim]:
    """The kernel at initialisation around its mean, which is its limit at every width."""
    points = np.stack([plan.x, plan.y])
    for law in ("normal", "exponential"):
        f = plan.shallow(None if law == "normal" else law)
        kernel = {(s, t): _kernel(f, points[s], points[t]) for s, t in ((0, 0), (0, 1), (1, 1))}
        limit = tangent_kernel(f, points)
        for (s, t), name in (((0, 0), "diagonal"), ((0, 1), "off-diagonal")):
            yield plan.exact(
                f"GP9.mean.{law}.{name}",
                f"tangent kernel, {name}, {law} read-out: its mean is the limit",
                kernel[s, t],
                evaluated(lambda value=limit[s, t]: lambda size: value),  # type: ignore[misc]
                (4, 16, 64),
            )
        squares = rt.combine(
            lambda a, b, c, k=limit: (a - k[0, 0]) ** 2 + 2 * (b - k[0, 1]) ** 2 + (c - k[1, 1]) ** 2,
            *kernel.values(),
            name=f"squared distance of the kernel, {law}",
        )
        weights = {(0, 0): 1, (0, 1): 2, (1, 1): 1}
        parts = [(kernel[pair] - float(limit[pair])) ** 2 * weight for pair, weight in weights.items()]
        value = sum((kernel[pair].variance() * weight for pair, weight in weights.items()), rt.Expansion.of(0))
        sizes: dict[str, Any] = {"n": [16, 64, 256, 1024], "samples": plan.counts([24000, 12000, 6000, 3000])}
        yield Claim(
            f"squared distance of the tangent kernel from its limit, {law} read-out",
            squares,
            id=f"GP9.{law}",
            statistic="mean",
            predicted=Exact(
                value, variance=evaluated(sum(parts[1:], start=parts[0]).variance), within=plan.within(0.1)
            ),
            source=DERIVED,
            **sizes,
        )
        yield Claim(
            f"squared distance of the tangent kernel from its limit, {law} read-out, rate",
            squares,
            id=f"GP9.{law}.rate",
            statistic="mean",
            predicted=rt.Theta(n**-1),
            source=DERIVED,
            correction=None,
            **sizes,
        )


def kernel_motion(plan: Plan) -> Iterator[Claim]:
    """d Theta[x, y] / dt = -sum_u Theta3[x, y, u] r_u: E Theta3 is n^-1/2 T, and zero for symmetric weights."""
    skewed, symmetric = (motion(plan.shallow(law), plan.x, plan.y, plan.x) for law in ("exponential", None))
    yield plan.exact(
        "GP10", "rate of change of the kernel, skewed read-out", skewed, skewed.expectation(), (16, 64, 256), 0.08
    )
    sizes: dict[str, Any] = {"n": [8, 32, 128, 512], "samples": plan.counts([40000, 20000, 8000, 4000])}
    yield Claim(
        "rate of change of the kernel, skewed read-out, rate",
        skewed,
        id="GP10.rate",
        statistic="mean",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=None,
        **sizes,
    )
    zero: dict[str, Any] = {"predicted": Zero(within=0.1), "n": [8, 32, 128], "samples": plan.count(12000)}
    for ident, name, quantity in (
        ("GP10.symmetric", "normal read-out", symmetric),
        (
            "GP10.odd",
            "skewed read-out with an odd activation",
            motion(plan.shallow("exponential", "tanh"), plan.x, plan.y, plan.x),
        ),
    ):
        yield Claim(f"rate of change of the kernel, {name}", quantity, id=ident, source=DERIVED, **zero)
    yield Claim(
        "rate of change of the kernel, skewed read-out claimed to be symmetric",
        skewed,
        id="GP10.wrong",
        source="negative control",
        expect="refuted",
        **zero,
    )
    yield Claim(
        "typical rate of change of the kernel, normal read-out",
        symmetric,
        id="GP11",
        predicted=Exact(symmetric.variance() ** 0.5, within=plan.within(0.06)),
        source=DERIVED,
        **sizes,
    )
    yield Claim(
        "typical rate of change of the kernel, normal read-out, rate",
        symmetric,
        id="GP11.rate",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=None,
        **sizes,
    )


def motion(f: rt.RandomFunction, x: np.ndarray, y: np.ndarray, u: np.ndarray) -> Any:
    """Theta3[x, y, u]: by how much the tangent kernel at x and y changes along the gradient at u.

    >>> f = rt.networks.two_layer(inputs=1, width=n, activation="softplus")
    >>> print(motion(f, *[np.ones(1)] * 3).expectation())
    0
    """
    gradient = f.derivative(u)
    parts = [
        rt.einsum("ab,a,b->", f.derivative(first, order=2), f.derivative(other), gradient)
        for first, other in ((x, y), (y, x))
    ]
    return parts[0] + parts[1]


def _kernel(f: rt.RandomFunction, x: np.ndarray, y: np.ndarray) -> Any:
    return rt.einsum("a,a->", f.derivative(x), f.derivative(y))
