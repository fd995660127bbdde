"""Limits in which depth grows: fluctuations by layer, the joint limit of depth and width, and orthogonal matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.expansions import Expansion
from theory_checks.claims import Claim, Exact
from theory_checks.suites.correlation_functions.plan import DERIVED, Correlators, Plan, n, series

__all__ = ["critical_tanh", "fluctuations_by_depth", "joint_limit", "kernel_ratio", "kernel_ratio_limit", "orthogonal"]

Array = np.ndarray

HANIN = "Hanin & Nica, arXiv 1909.05989"
YAIDA = "four-point vertex: Yaida, arXiv 1910.00019"

layers = rt.Scale("l")


def fluctuations_by_depth(plan: Plan) -> Iterator[Claim]:
    """q_l, the mean square of the activations of layer l, at fixed width: l/n is the effective depth."""
    width = 64
    moments = {
        # E q, E q^2, E q^3, E q^4 of one layer, times powers of the width
        "linear": (1, width + 2, (width + 2) * (width + 4), (width + 2) * (width + 4) * (width + 6)),
        "relu": (1, width + 5, (width + 4) * (width + 11), (width + 9) * (width**2 + 21 * width + 62)),
    }
    depths = [1, 2, 4, 8, 16]
    for activation, numbers in moments.items():
        one_layer = [m / width**k for k, m in enumerate(numbers)]

        def moment(k: int, depth: int, values: list[float] = one_layer) -> float:
            return values[k - 1] ** depth

        def spread(depth: int, moment: Callable[[int, int], float] = moment) -> float:
            return moment(2, depth) - 1

        def variance(depth: int, moment: Callable[[int, int], float] = moment) -> float:
            fourth = moment(4, depth) - 4 * moment(3, depth) + 6 * moment(2, depth) - 3
            return fourth - (moment(2, depth) - 1) ** 2

        yield Claim(
            f"Var q_l, {activation}, n = {width}: (1 + {2 if activation == 'linear' else 5}/n)^l - 1",
            _squared_deviation(activation, width),
            id=f"D28.{activation}",
            statistic="mean",
            predicted=Exact(spread, variance=variance, within=0.1),
            source="derived",
            note="grows as l/n as long as that is small, and exponentially after that",
            n=depths,
            samples=_halved(plan, [20000, 16000, 12000, 10000, 10000]),
        )
    wide = 1024
    yield Claim(
        f"Var q_l / K_l^2, critical tanh, n = {wide}: first order in 1/n at every l",
        _relative_activation(wide),
        id="D28.tanh",
        statistic="variance",
        predicted=Exact(lambda depth: critical_tanh(depth)[1] / wide, within=0.2),
        source=YAIDA,
        note="the next order is smaller by l/n, below the error",
        n=[1, 2, 4, 8, 16],
        samples=_halved(plan, [4000, 4000, 4000, 4000, 2000]),
    )
    yield Claim(
        f"Var q_l / K_l^2, critical tanh, n = {wide}, growth with depth",
        _relative_activation(wide),
        id="D28.tanh.rate",
        statistic="variance",
        predicted=rt.Theta(layers),
        source=YAIDA,
        note="(2/3) l/n for l large and l/n small; log(l)/l and l/n raise this slope by about 0.04",
        correction=None,
        n=[4, 8, 16, 32],
        samples=_halved(plan, [10000, 8000, 6000, 6000]),
    )
    vertex = rt.quantity(layers, name="V_l / K_l^2 of critical tanh")(
        lambda depth, batch, rng: np.full(batch, critical_tanh(depth)[1])
    )
    yield Claim(
        "V_l / K_l^2, critical tanh, from the recursion",
        vertex,
        id="D28.tanh.recursion",
        statistic="mean",
        predicted=rt.Theta(layers),
        source=YAIDA,
        note="no sampling: only the recursion of the infinitely wide network enters",
        correction=1.0,
        n=[64, 256, 1024, 4096, 16384],
        samples=64,
    )


def _halved(plan: Plan, samples: list[int]) -> list[int]:
    return [count // 2 for count in samples] if plan.quick else samples


def _activation(width: int, name: str) -> Callable[[int, int, np.random.Generator], Array]:
    """q_l by layer: given the layer before, the pre-activations are normal with variance q_{l-1}."""
    phi: dict[str, Callable[[Array], Array]] = {
        "linear": lambda h: h,
        "relu": lambda h: np.sqrt(2.0) * np.maximum(h, 0),
        "tanh": np.tanh,
    }

    def sample(depth: int, batch: int, rng: np.random.Generator) -> Array:
        q = np.ones(batch)
        for _ in range(depth):
            q = np.mean(phi[name](np.sqrt(q)[:, None] * rng.standard_normal((batch, width))) ** 2, axis=1)
        return q

    return sample


def _squared_deviation(activation: str, width: int) -> rt.Quantity:
    law = _activation(width, activation)
    name = f"(q_l - 1)^2, {activation}, {width}"
    return rt.quantity(layers, name=name, batch=256)(lambda depth, batch, rng: (law(depth, batch, rng) - 1) ** 2)


def _relative_activation(width: int) -> rt.Quantity:
    law = _activation(width, "tanh")

    def relative(depth: int, batch: int, rng: np.random.Generator) -> Array:
        return law(depth, batch, rng) / critical_tanh(depth)[0]

    return rt.quantity(layers, name=f"q_l / K_l, tanh, {width}", batch=64)(relative)


@cache
def critical_tanh(depth: int) -> tuple[float, float]:
    """K_l and V_l / K_l^2 of tanh with weights of variance 1/n, from K_0 = 1 and V_0 = 0, to leading order in 1/n.

    >>> round(critical_tanh(4096)[1] / 4096, 2)
    0.67
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    weights = weights / weights.sum()
    mean, vertex = 1.0, 0.0
    for _ in range(depth):
        t = np.tanh(mean**0.5 * nodes)
        second, fourth = t**2 @ weights, t**4 @ weights
        slope = (t * (1 - t**2) * nodes / mean**0.5) @ weights
        mean, vertex = second, fourth - second**2 + slope**2 * vertex
    return float(mean), float(vertex / mean**2)


def kernel_ratio(width: int, depth: int) -> float:
    """E Theta^2 / (E Theta)^2 of a ReLU network at one input, exactly.

    >>> kernel_ratio(8, 1) == (4 + 12 / 8) / 4
    True
    """
    lam, mu = 1 + 5 / width, 1 - 1 / width
    shift = np.arange(depth + 1)
    pairs = np.where(shift == 0, depth + 1, 2 * (depth + 1 - shift))
    total = float(np.sum(pairs * lam ** (depth - shift) * mu**shift))
    return lam**depth / 3 + 2 * total / (3 * (depth + 1) ** 2)


def kernel_ratio_limit(beta: float) -> float:
    """The same where depth and width grow together, with beta = depth / width.

    >>> round(kernel_ratio_limit(1e-3), 2)
    1.0
    """
    x = 6 * beta
    return math.exp(5 * beta) * (1 / 3 + 4 / 3 * (x - 1 + math.exp(-x)) / x**2)


def joint_limit(plan: Plan) -> Iterator[Claim]:
    """Depth proportional to width: the relative variance of the tangent kernel does not vanish."""
    for beta in (0.25, 1.0):
        limit = kernel_ratio_limit(beta)

        def deviation(width: int, batch: int, rng: Any, beta: float = beta, limit: float = limit) -> Array:
            return np.full(batch, kernel_ratio(width, round(beta * width)) / limit - 1)

        yield Claim(
            f"E Theta^2 / (E Theta)^2 relative to its joint limit, relu, d = {beta:g} n, exact recursion",
            rt.quantity(n, name=f"deviation from the joint limit, {beta}")(deviation),
            id=f"D29.{beta:g}",
            statistic="mean",
            predicted=rt.Theta(n**-1),
            source=f"{DERIVED}; limit of depth and width: {HANIN}",
            note="no sampling: the order of the departure from exp(5 beta) (1/3 + ...)",
            correction=1.0,
            n=[16, 32, 64, 128, 256, 512],
            samples=64,
        )

    def squared(width: int) -> Any:
        return Correlators("relu", width // 4)("i,i,j,j->") / (width // 4 + 1) ** 2

    @cache
    def variance(width: int) -> float:
        return float(squared(width).variance().evaluate({"n": width}))

    yield Claim(
        "E Theta^2 / (E Theta)^2, relu, d = n/4",
        rt.quantity(n, name="Theta^2 / (E Theta)^2, d = n/4", batch=64)(
            lambda width, batch, rng: squared(width).sample(width, size=batch, rng=rng)
        ),
        id="D29.sampled",
        statistic="mean",
        predicted=Exact(lambda width: kernel_ratio(width, width // 4), variance=variance, within=0.1),
        source=DERIVED,
        note="at larger d/n the tails are too heavy to be sampled",
        n=[8, 16, 32],
        samples=_halved(plan, [40000, 24000, 12000]),
    )


def orthogonal(plan: Plan) -> Iterator[Claim]:
    """Linear networks with orthogonal hidden matrices: fluctuations do not build up with depth."""
    fourth = Expansion.of(3) * series(1, 2)
    eighth = Expansion.of(105) * series(1, 2) * series(1, 4) * series(1, 6)
    fourth_variance = eighth - fourth * fourth
    for depth in (1, 4, 16):
        yield Claim(
            f"E f^4, linear, {depth} hidden, orthogonal hidden matrices",
            _orthogonal_fourth_moment(depth),
            id=f"D31.{depth}",
            statistic="mean",
            predicted=Exact(fourth, variance=fourth_variance, within=0.15),
            source="derived",
            **plan.grid(4, [80000, 42000, 27000]),
        )
    yield Claim(
        "E f^4, linear, 4 hidden, orthogonal hidden matrices, with the law of Gaussian ones",
        _orthogonal_fourth_moment(4),
        id="D31.copied",
        statistic="mean",
        predicted=Exact(Expansion.of(3) * series(1, 2) ** 4, variance=_gaussian_fourth_variance(4)),
        source="negative control",
        expect="refuted",
        **plan.grid(4, [80000, 40000]),
    )


def _gaussian_fourth_variance(depth: int) -> Expansion:
    """Of f^4 where the matrices are Gaussian: each layer multiplies a moment by that of a normalised chi-square."""
    eighth = Expansion.of(105) * (series(1, 2) * series(1, 4) * series(1, 6)) ** depth
    fourth = Expansion.of(3) * series(1, 2) ** depth
    return eighth - fourth * fourth


def _orthogonal_fourth_moment(depth: int) -> Any:
    matrices = {f"W{layer}": rt.haar(n) for layer in range(1, depth)}

    @rt.program(U=rt.gaussian(n), v=rt.gaussian(n), **matrices)
    def f(p: Any, x: Any) -> Any:
        h = p.U * x[0]
        for layer in range(1, depth):
            h = p[f"W{layer}"] @ h
        return p.v @ h / n**0.5

    value = f([1.0])
    return rt.einsum(",,,->", value, value, value, value)
