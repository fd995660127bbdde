"""Smooth activations: the exact laws of one hidden layer, and bounds from cluster graphs for two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.prediction import cluster_order
from theory_checks.claims import Claim, Exact, Zero
from theory_checks.suites.correlation_functions.plan import CLUSTER, SOURCE, Correlators, Plan, n, series

__all__ = ["cluster_graphs", "one_hidden_layer", "second_layer"]

LAW = "derived: sum over neurons"


def one_hidden_layer(plan: Plan) -> Iterator[Claim]:
    """tanh with one hidden layer: pure powers of n with known constants."""
    one = Correlators("tanh", 1)
    kernel = one("i,i->")
    yield plan.exact("D8.mean", "E Theta, tanh", kernel, 0.858697, LAW, **plan.grid(8, [4000, 2000, 1000]))
    # Centred at its exact mean to six digits, which enters the variance squared.
    deviation = one("i,i,j,j->") - kernel * (2 * 0.858697) + 0.858697**2
    yield plan.exact("D8", "Var Theta, tanh", deviation, series(0, 0.69026), LAW, **plan.grid(8, [20000, 20000, 20000]))
    yield plan.exact(
        "D14.tanh",
        "E (gHg)^2, tanh",
        one("ij,i,j,kl,k,l->"),
        series(0, 0, 0.727438),
        LAW,
        **plan.grid(8, [60000, 40000, 20000]),
    )
    laws = {
        "D13": ("E[gHg f]", "ij,i,j,->", -0.136955, [60000, 60000, 50000, 50000]),
        "D15": ("E gHHg", "i,ij,jk,k->", 0.630587, [8000, 4000, 4000, 4000]),
        "D16": ("E T3 ggg", "ijk,i,j,k->", -1.728014, [16000, 8000, 4000, 4000]),
        "D18": ("E[tr H^3 f]", "ij,jk,ki,->", -0.624486, [12000, 12000, 12000, 12000]),
        "D19": ("E tr H^4", "ij,jk,kl,li->", 1.623367, [6000, 3000, 2000, 1000]),
    }
    for ident, (name, equation, constant, samples) in laws.items():
        first = 8 if ident in ("D13", "D15", "D16") else 2
        for suffix, predicted in (
            ("", Exact(series(0, constant), variance=plan.variance(one(equation)), within=0.1)),
            (".rate", rt.Theta(n**-1)),
        ):
            yield Claim(
                f"{name}, tanh{', exponent' if suffix else ''}",
                one(equation),
                id=ident + suffix,
                statistic="mean",
                predicted=predicted,
                source=f"{LAW}; attains {SOURCE}" if suffix else LAW,
                correction=None,
                **plan.grid(first, samples),
            )
    small = plan.grid(2, [8000, 8000, 8000])
    yield plan.exact("D20", "E[tr H f], tanh", one("ii,->"), -0.282605, LAW, **small)
    yield plan.exact("D21.tanh", "E |H|^2, tanh", one("ij,ij->"), 1.22901, LAW, **plan.grid(2, [2000, 1000, 500]))
    yield Claim(
        "E[gHg f], tanh, with the constant of linear networks",
        one("ij,i,j,->"),
        id="D13.copied",
        statistic="mean",
        predicted=Exact(series(0, 2)),
        source="negative control",
        expect="refuted",
        **plan.grid(8, [2000, 2000, 2000]),
    )


def second_layer(plan: Plan) -> Iterator[Claim]:
    """E f^2 of two hidden tanh layers approaches its limit as 1/n."""
    moment, slope = _inner_average()
    center = float(moment(np.ones(1))[0])
    limit = float(moment(np.array([center]))[0])

    def excess(q: np.ndarray) -> np.ndarray:
        # A multiple of q - E q takes most of the noise and nothing of the mean.
        return np.asarray(moment(q) - limit - slope(center) * (q - center))

    @rt.program(U=rt.gaussian(n))
    def mean_square(p: Any, x: Any) -> Any:
        return rt.sum(rt.square(rt.tanh(p.U * x[0]))) / n

    quantity = rt.combine(excess, mean_square([1.0]), name="E[f^2 | first layer] - limit")
    yield Claim(
        "E f^2 - limit, tanh, 2 hidden",
        quantity,
        id="D27",
        statistic="mean",
        predicted=rt.Theta(n**-1),
        source="derived",
        note="averaged exactly over the second layer and the read-out",
        correction=1.0,
        **plan.grid(8, [24000, 40000, 8000, 10000], ratio=4),
    )
    yield Claim(
        "E f^2 - limit, tanh, 2 hidden, constant",
        quantity,
        id="D27.constant",
        statistic="mean",
        predicted=Exact(series(0, -0.030933), within=0.1),
        source="derived",
        note="leading order: at these widths the next one is below the error",
        **plan.grid(2048, [9000, 7000]),
    )


def _inner_average() -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[float], float]]:
    """r -> E tanh(r^(1/2) z)^2 for Gaussian z, and its slope."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(96)
    weights = weights / weights.sum()

    def moment(r: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(np.sqrt(r)[..., None] * nodes) ** 2 @ weights)

    def slope(r: float) -> float:
        t = np.tanh(r**0.5 * nodes)
        return float((t * (1 - t**2) * nodes / r**0.5) @ weights)

    return moment, slope


def cluster_graphs(plan: Plan) -> Iterator[Claim]:
    """Two hidden tanh layers, where no exact law is known: the exponent s_C as a bound, and parity."""
    two = Correlators("tanh", 2)
    for ident, name, equation, samples in (
        ("S.gHgf", "E[gHg f]", "ij,i,j,->", [20000, 48000, 8000, 12000]),
        ("S.gHg2", "E (gHg)^2", "ij,i,j,kl,k,l->", [20000, 36000, 8000, 6000]),
        ("S.gHHg", "E gHHg", "i,ij,jk,k->", [2000, 2000, 500, 500]),
        ("S.claw", "E T3 ggg", "ijk,i,j,k->", [4000, 4000, 1000, 1000]),
        ("S.kernel", "E Theta", "i,i->", [1000, 1000, 250, 250]),
    ):
        yield Claim(
            f"{name}, tanh, 2 hidden, cluster graph",
            two(equation),
            id=ident,
            statistic="mean",
            predicted=cluster_order(two(equation)).bound,
            source=CLUSTER,
            correction=1.0,
            **plan.grid(16, samples, ratio=4),
        )
    odd, even = two("ij,i,j->"), two("i,ij,jk,k->")
    yield Claim(
        "E gHg vanishes: three operands",
        odd,
        id="P1",
        predicted=Zero(0.1),
        source="derived: v -> -v",
        **plan.grid(16, [40000, 40000, 40000, 40000]),
    )
    sizes = plan.grid(16, [12000, 16000, 4000, 4000], ratio=4)
    yield Claim(
        "gHg, an odd component: no suppression of its fluctuation",
        odd,
        id="P4",
        predicted=rt.Theta(n**-1),
        source="derived: two copies pair up",
        correction=1.0,
        **sizes,
    )
    yield Claim(
        "gHHg, an even component: fluctuation smaller than the mean by n^(-1/2)",
        even,
        id="P3",
        statistic="std",
        predicted=rt.Theta(n**-1.5),
        source="derived: disconnected diagrams cancel",
        correction=1.0,
        **sizes,
    )
