"""Linear and ReLU networks at one input: every mean and its error are known exactly at every width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import randtensor as rt
from theory_checks.claims import Claim, Exact, Identity
from theory_checks.suites.correlation_functions.plan import CLUSTER, DERIVED, Correlators, Plan, n, series

__all__ = ["curvature", "kernel", "output"]

LINEAR, RELU = "linear", "relu"


def output(plan: Plan) -> Iterator[Claim]:
    """Moments of the output."""
    for activation in (LINEAR, RELU):
        for depth in (1, 2, 3):
            yield plan.exact(
                f"D1.{activation}.{depth}",
                f"E f^2, {activation}, {depth} hidden",
                Correlators(activation, depth)(",->"),
                1,
                DERIVED,
                **plan.grid(4, [32000, 20000, 16000, 12000]),
            )
    # The tails of a product of four layers are tamed by width.
    shallow, deep = plan.grid(2, [150000, 150000, 150000]), {LINEAR: [100000, 480000], RELU: [100000, 240000]}
    cumulants = {
        ("D2", LINEAR, 1): series(0, 6),
        ("D2", LINEAR, 3): series(0, 18, 36, 24),
        ("D3", RELU, 1): series(0, 15),
        ("D3", RELU, 3): series(0, 45, 225, 375),
    }
    for (ident, activation, depth), value in cumulants.items():
        yield plan.exact(
            ident if depth == 1 else f"{ident}.{depth}",
            f"E f^4 - 3 (E f^2)^2, {activation}, {depth} hidden",
            Correlators(activation, depth).fourth_cumulant(),
            value,
            f"{DERIVED}: 3 (1 + {2 if activation == LINEAR else 5}/n)^d - 3",
            within=0.3,
            **(shallow if depth == 1 else plan.grid(16, deep[activation], ratio=4)),
        )
    yield plan.exact(
        "D3.copied",
        "E f^4 - 3 (E f^2)^2, relu, 1 hidden, with the constant of linear networks",
        Correlators(RELU, 1).fourth_cumulant(),
        series(0, 6),
        "negative control",
        expect="refuted",
        **plan.grid(4, [60000, 60000]),
    )


def kernel(plan: Plan) -> Iterator[Claim]:
    """The tangent kernel: its mean, its variance, and its correlation with the output."""
    for activation in (LINEAR, RELU):
        for depth in (1, 2, 3):
            yield plan.exact(
                f"D4.{activation}.{depth}",
                f"E Theta, {activation}, {depth} hidden",
                Correlators(activation, depth)("i,i->"),
                depth + 1,
                DERIVED,
                **plan.grid(4, [12000, 8000, 4000, 2000]),
            )
    correlations = {(LINEAR, 1): series(2, 4), (LINEAR, 2): series(3, 12, 12), (RELU, 2): series(3, 30, 75)}
    for (activation, depth), value in correlations.items():
        yield plan.exact(
            "D5" if depth == 1 else f"D5.{activation}.{depth}",
            f"E Theta f^2, {activation}, {depth} hidden",
            Correlators(activation, depth)("i,i,,->"),
            value,
            DERIVED,
            **plan.grid(8, [60000, 40000, 20000]),
        )
    variances = {
        ("D6", LINEAR, 1): series(0, 4),
        ("D7", RELU, 1): series(0, 12),
        ("D9.2", LINEAR, 2): series(0, 20, 16),
        ("D9", LINEAR, 3): series(0, 56, 92, 52),
        ("D10.2", RELU, 2): series(0, 58, 113),
        ("D10", RELU, 3): series(0, 160, 640, 912),
    }
    for (ident, activation, depth), value in variances.items():
        yield plan.exact(
            ident,
            f"Var Theta, {activation}, {depth} hidden",
            Correlators(activation, depth).kernel_deviation(),
            value,
            DERIVED,
            **plan.grid(4 if depth == 1 else 16, [40000, 30000, 20000]),
        )


def curvature(plan: Plan) -> Iterator[Claim]:
    """Correlators of the second and third derivative."""
    table: dict[tuple[str, str, int, str], Any] = {
        ("D11", LINEAR, 1, "ij,i,j,->"): series(0, 2),
        ("D11.3", LINEAR, 3, "ij,i,j,->"): series(0, 20, 50, 38),
        ("D12", RELU, 1, "ij,i,j,->"): series(0, 4),
        ("D12.3", RELU, 3, "ij,i,j,->"): series(0, 40, 280, 544),
        ("D14", LINEAR, 1, "ij,i,j,kl,k,l->"): series(0, 0, 4),
        ("D14.relu", RELU, 1, "ij,i,j,kl,k,l->"): series(0, 0, 16),
        ("D15.linear", LINEAR, 3, "i,ij,jk,k->"): series(0, 40, 82, 58),
        ("D15.relu", RELU, 3, "i,ij,jk,k->"): series(0, 80, 488, 872),
        ("D17.linear", LINEAR, 2, "ijk,i,j,k->"): series(0, 0, 6),
        ("D17.relu", RELU, 2, "ijk,i,j,k->"): series(0, 0, 24),
        ("D17.linear.3", LINEAR, 3, "ijk,i,j,k->"): series(0, 0, 36, 36),
        ("D17.relu.3", RELU, 3, "ijk,i,j,k->"): series(0, 0, 144, 432),
    }
    names = {
        "ij,i,j,->": "E[gHg f]",
        "ij,i,j,kl,k,l->": "E (gHg)^2",
        "i,ij,jk,k->": "E gHHg",
        "ijk,i,j,k->": "E T3 ggg",
    }
    for (ident, activation, depth, equation), value in table.items():
        yield plan.exact(
            ident,
            f"{names[equation]}, {activation}, {depth} hidden",
            Correlators(activation, depth)(equation),
            value,
            DERIVED,
            **plan.grid(8 if depth < 3 else 16, [30000, 20000, 15000]),
        )
    traces = {
        ("D18.linear", LINEAR, 2, "ij,jk,ki,->", "E[tr H^3 f]"): (series(0, 0, 6), [40000, 20000]),
        ("D19.linear", LINEAR, 2, "ij,jk,kl,li->", "E tr H^4"): (series(0, 16, 14), [10000, 4000]),
        ("D21.linear.2", LINEAR, 2, "ij,ij->", "E |H|^2"): (6, [4000, 2000, 1500]),
        ("D21.relu.2", RELU, 2, "ij,ij->", "E |H|^2"): (6, [8000, 4000, 2000]),
        ("D21.relu.3", RELU, 3, "ij,ij->", "E |H|^2"): (12, [16000, 8000]),
    }
    for (ident, activation, depth, equation, name), (value, samples) in traces.items():
        yield plan.exact(
            ident,
            f"{name}, {activation}, {depth} hidden",
            Correlators(activation, depth)(equation),
            value,
            DERIVED,
            # All entries of the derivatives are visited, so that small widths carry the test.
            **plan.grid(2, samples),
        )
    yield plan.exact(
        "D21.relu.T3",
        "E |T3|^2, relu, 2 hidden",
        Correlators(RELU, 2)("ijk,ijk->"),
        6,
        DERIVED,
        **plan.grid(2, [4000, 2000]),
        within=0.2,
    )
    for activation, depth in ((LINEAR, 2), (RELU, 2)):
        yield Claim(
            f"tr H, {activation}, {depth} hidden: f is linear in every weight",
            Correlators(activation, depth)("ii->"),
            id=f"D20.{activation}",
            predicted=Identity(1e-12),
            source=DERIVED,
            n=[2, 4, 8],
            samples=200,
        )
    yield from _rates(plan)


def _rates(plan: Plan) -> Iterator[Claim]:
    """Exponents, fitted without the constants, and what must not be carried from smooth activations to these."""
    sizes = plan.grid(8, [40000, 30000, 20000, 20000])
    claw = Correlators(RELU, 2)("ijk,i,j,k->")
    rates: tuple[tuple[str, str, rt.Bound, str, Literal["consistent", "refuted"]], ...] = (
        ("D17.rate", "E T3 ggg, relu, 2 hidden", rt.Theta(n**-2), DERIVED, "consistent"),
        ("D17.bound", "E T3 ggg, relu, 2 hidden, cluster graph", rt.O(n**-1), CLUSTER, "consistent"),
        (
            "D17.copied",
            "E T3 ggg, relu, 2 hidden, with the rate of tanh",
            rt.Theta(n**-1),
            "negative control",
            "refuted",
        ),
    )
    for ident, name, predicted, source, expect in rates:
        yield Claim(
            name,
            claw,
            id=ident,
            statistic="mean",
            predicted=predicted,
            source=source,
            expect=expect,
            correction=None,
            **sizes,
        )
    hessian = rt.networks.deep_linear(1, n, 1).derivative([1.0], order=2)
    norm = rt.norm(hessian.contraction())
    yield Claim(
        "operator norm of H, linear, 1 hidden: no fluctuation at all",
        norm * n**0.5 - 1,
        id="D22",
        predicted=Identity(1e-9),
        source="derived: the eigenvalues are n^(-1/2) and -n^(-1/2), n times each",
        n=[8, 16, 32, 64],
        samples=32,
    )
    yield Claim(
        "operator norm of H, linear, 1 hidden, value",
        norm,
        id="D22.value",
        statistic="mean",
        predicted=Exact(n**-0.5),
        source="derived",
        n=[8, 16, 32, 64],
        samples=32,
    )
