"""Claims on C^{0,d}, C^{1,d} and C^{2,d}, for all activations, parametrisations and read-outs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import randtensor as rt
from theory_checks.claims import Claim, Exact
from theory_checks.suites.weak_correlations.plan import DERIVED, DYER, SOURCE, Plan, n

__all__ = ["closed", "opened", "variations"]


def closed(plan: Plan) -> Iterator[Claim]:
    """C^{0,d}: every index closed by a gradient."""
    one, two, law = plan.shallow(), plan.deep(), plan.law()
    kernel = plan.correlation(one, 0, 1)
    yield Claim(
        "tangent kernel, exact mean",
        kernel,
        id="W1a",
        statistic="mean",
        predicted=Exact(partial(law.mean, 1), variance=partial(law.variance, 1)),
        source=DERIVED,
        **plan.short,
    )
    yield Claim(
        "tangent kernel, mean",
        plan.correlation(two, 0, 1),
        id="W1b",
        statistic="mean",
        predicted=rt.Theta(1),
        source=SOURCE,
        correction=1.0,
        **plan.short,
    )
    yield Claim(
        "tangent kernel, fluctuation",
        plan.correlation(two, 0, 1),
        id="W1c",
        statistic="std",
        predicted=rt.Theta(n**-0.5),
        source=DYER,
        correction=1.0,
        **plan.grid(128, 4, [4096, 6144, 1024, 512, 256]),
    )
    for depth, f in ((1, one), (2, two)):
        for d in range(2, 7):
            power = -(d // 2)
            heavy = d == 6 and depth == 2
            grid = plan.short if d % 2 and depth == 2 else plan.rich if d > 4 else plan.wide
            if d == 5 and depth == 2:
                grid = plan.grid(128, 4, [3072, 2048, 256, 128, 64])
            yield Claim(
                f"C^(0,{d}), {depth} hidden",
                plan.correlation(f, 0, d),
                id=f"W4.{d}.{depth}",
                statistic="L1" if heavy else "rms" if d % 2 == 0 else "mean",
                predicted=rt.Theta(n**power),
                source=DYER if depth == 2 else DERIVED,
                # One hidden layer is a sum over units: its laws are pure powers, with no correction at all.
                correction=None if depth == 1 else 1.0,
                # Of degree 7 in the read-out weights: heavy tails ask for a first moment and for larger sizes.
                **(plan.grid(256, 4, [16384, 8192, 2048, 512]) if heavy else grid),
            )
    # Units of degree 5 in the read-out weights have a kurtosis of hundreds: only many of them have light tails.
    grids = {2: plan.grid(512, 4, [2048, 1024, 1024, 1024]), 3: plan.short, 4: plan.grid(8192, 2, [1024] * 4)}
    for d, grid in grids.items():
        statistic, value = ("rms", law.rms) if d % 2 == 0 else ("mean", law.mean)
        yield Claim(
            f"C^(0,{d}), exact law",
            plan.correlation(one, 0, d),
            id=f"W4.{d}.exact",
            statistic=statistic,
            predicted=Exact(partial(value, d)),
            source=DERIVED,
            **grid,
        )
    yield Claim(
        "C^(0,2), gradients at two inputs",
        rt.correlation(two, 0, 2, plan.x0, [plan.x1, plan.x0 + plan.x1]),
        id="W2.distinct",
        predicted=rt.Theta(n**-1),
        source=DYER,
        correction=1.0,
        **plan.wide,
    )
    yield Claim(
        "C^(0,2) to width one million",
        plan.correlation(two, 0, 2),
        id="W2.million",
        predicted=rt.O(n**-1),
        source=SOURCE,
        correction=1.0,
        **plan.grid(2**8, 8, [1536, 2048, 256, 128, 32]),
    )
    yield Claim(
        "C^(0,2) claimed n^(-1/2)",
        plan.correlation(two, 0, 2),
        id="W2.wrong",
        predicted=rt.Theta(n**-0.5),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **plan.short,
    )
    yield Claim(
        "C^(0,3) claimed n^(-3/2): the network is not n-exponential",
        plan.correlation(two, 0, 3),
        id="W22.n",
        statistic="mean",
        predicted=rt.O(n**-1.5),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **plan.short,
    )
    yield Claim(
        "C^(0,3) is M^(-3/2) at M = n^(2/3)",
        plan.correlation(two, 0, 3),
        id="W22",
        statistic="mean",
        predicted=rt.Theta(rt.Scale("M") ** -1.5).substitute(M=n ** Fraction(2, 3)),
        source=DERIVED,
        correction=1.0,
        **plan.short,
    )


def opened(plan: Plan) -> Iterator[Claim]:
    """C^{1,d} and C^{2,d}: parameter indices left free, measured by norms."""
    one, two, law = plan.shallow(), plan.deep(), plan.law()
    for d in (1, 2, 3):
        for depth, f in ((1, one), (2, two)):
            yield Claim(
                f"|C^(1,{d})|, {depth} hidden",
                rt.norm(plan.correlation(f, 1, d)),
                id=f"W6.{d}.{depth}",
                predicted=rt.Theta(n ** Fraction(-d, 2)),
                source=SOURCE,
                correction=None if depth == 1 else 1.0,
                **plan.short,
            )
    yield Claim(
        "|C^(1,1)|, exact law",
        rt.norm(plan.correlation(one, 1, 1)),
        id="W5.exact",
        predicted=Exact(partial(law.vector_rms, 1)),
        source=DERIVED,
        **plan.short,
    )
    spectral = plan.grid(256, 4, [200, 100, 50, 24])
    yield Claim(
        "spectral C^(2,0), 1 hidden",
        rt.norm(plan.correlation(one, 2, 0)),
        id="W7.lower",
        predicted=rt.Theta(n**-0.5 * rt.log(n) ** Fraction(1, 2)),
        source=DERIVED,
        note="the logarithm is a maximum over n Gaussian read-out weights",
        correction=None,
        **spectral,
    )
    yield Claim(
        "spectral C^(2,0), 1 hidden, upper end of the bracket",
        _upper(plan.correlation(one, 2, 0)),
        id="W7.upper",
        predicted=rt.Theta(n**-0.5 * rt.log(n) ** Fraction(1, 2)),
        source=DERIVED,
        correction=None,
        **spectral,
    )
    for d in (0, 1, 2):
        yield Claim(
            f"spectral C^(2,{d}), 2 hidden, upper end of the bracket",
            _upper(plan.correlation(two, 2, d)),
            id=f"W8.{d}",
            # A few large samples make most of the noise of a second moment.
            statistic="mean" if d else "rms",
            predicted=rt.O(n ** Fraction(-d, 2)),
            source=SOURCE,
            correction=None,
            # Most of the scatter is that of the smallest width.
            **plan.grid(128, 4, [200, 64, 24, 16] if d else [64, 32, 16, 8]),
        )
        for depth, f in ((1, one), (2, two)):
            yield Claim(
                f"Frobenius C^(2,{d}), {depth} hidden",
                rt.norm(plan.correlation(f, 2, d), "frobenius"),
                id=f"W9.{d}.{depth}",
                predicted=rt.Theta(n ** Fraction(-d, 2)),
                source=DERIVED if depth == 1 else DYER,
                correction=1.0,
                **plan.grid(128, 4, [512, 256, 128, 64, 32]),
            )
    for d in (1, 2):
        order = n ** Fraction(-(d + 1), 2) * rt.log(n) ** (d + 1)
        yield Claim(
            f"spectral C^(2,{d}), 1 hidden, with its logarithms, upper end",
            _upper(plan.correlation(one, 2, d)),
            id=f"W8.{d}.log",
            statistic="mean",
            predicted=rt.O(order),
            source=DERIVED,
            correction=None,
            **plan.grid(256, 4, [600, 150, 60, 60]),
        )


def _upper(tensor: Any) -> rt.Quantity:
    """The end of the bracket that an upper bound needs."""
    norm: Any = rt.norm(tensor)
    upper: rt.Quantity = norm.upper(1e-6)
    return upper


def variations(plan: Plan) -> Iterator[Claim]:
    """Activations, parametrisations and skewed read-out weights."""
    from scipy.stats import expon

    for activation in ("softplus", "gelu", "erf"):
        f = plan.deep(activation)
        for ident, name, statistic, quantity, order in (
            ("C02", "C^(0,2)", "rms", plan.correlation(f, 0, 2), n**-1),
            ("C03", "C^(0,3)", "mean", plan.correlation(f, 0, 3), n**-1),
            ("C11", "|C^(1,1)|", "rms", rt.norm(plan.correlation(f, 1, 1)), n**-0.5),
        ):
            yield Claim(
                f"{name}, {activation}",
                quantity,
                id=f"W28.{activation}.{ident}",
                statistic=statistic,
                predicted=rt.Theta(order),
                source=SOURCE,
                correction=1.0,
                **(plan.wide if ident == "C02" else plan.short),
            )
    interpolation = [(-0.25, 0.25), (0.25, 0.25), (0.5, 0.25), 0]
    for scheme, name, second, third in (
        ("standard", "standard, eta = 1/n", -1, -1),
        ("mean-field", "mean-field, eta = n", -0.5, 0),
        ("mup", "mup", -0.5, 0),
        (interpolation, "halfway, r = 1/4", -0.75, -0.5),
    ):
        f, eta = plan.deep(parametrization=scheme), rt.networks.parametrization(scheme).rate(n)
        for d, statistic, power in ((2, "rms", second), (3, "mean", third)):
            yield Claim(
                f"C^(0,{d}), {name}",
                plan.correlation(f, 0, d, learning_rate=eta),
                id=f"P.{name.split(',')[0]}.{d}",
                statistic=statistic,
                predicted=rt.Theta(n**power),
                source="derived; output scale, with Yang & Hu, arXiv 2011.14522",
                correction=1.0,
                **(plan.wide if d == 2 else plan.short),
            )
    skewed = expon(loc=-1)
    soft, law = plan.shallow("softplus", readout=skewed), plan.law("softplus", skewed)
    yield Claim(
        "C^(0,2), softplus, skewed read-out",
        plan.correlation(soft, 0, 2),
        id="W30",
        statistic="mean",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=None,
        **plan.wide,
    )
    yield Claim(
        "C^(0,2), softplus, skewed read-out, exact mean",
        plan.correlation(soft, 0, 2),
        id="W30.exact",
        statistic="mean",
        predicted=Exact(partial(law.mean, 2)),
        source=DERIVED,
        **plan.short,
    )
    yield Claim(
        "C^(0,2), softplus, skewed read-out, claimed 1/n",
        plan.correlation(soft, 0, 2),
        id="W30.wrong",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **plan.short,
    )
    yield Claim(
        "C^(0,2), tanh (odd), skewed read-out",
        plan.correlation(plan.shallow("tanh", readout=skewed), 0, 2),
        id="W30.odd",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=None,
        **plan.wide,
    )
