"""Normalised weights: how fast they turn and how long they are, when noise and weight decay balance (M18, M19)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators.mechanics import descend
from theory_checks.claims import Claim, Exact
from theory_checks.suites.neural_mechanics.conservation import sphere_regression
from theory_checks.suites.neural_mechanics.plan import DERIVED, Plan, n, sampled

__all__ = ["balance", "growth"]

Array = np.ndarray

WAN = "Wan et al. 2020, arXiv 2006.08419"

_ETA = 0.1
_DIMENSION = 100


def _angles(size: int, batch: int, momentum: float, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Random descent of a scale-invariant loss at eta lambda = 1 / n.

    The gradient at unit length is uniform on the unit sphere orthogonal to the weights. Per sample: the mean angle per
    step, one less the mean product of successive weights over their mean square, and the mean fourth power of the
    length, over the second half of 20 n steps.
    """
    decay = 1 / (_ETA * size)
    weights = rng.standard_normal((batch, _DIMENSION))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    velocity = np.zeros_like(weights)
    angles, products, squares, fourth = np.zeros((4, batch))
    steps = 20 * size
    for step in range(steps):
        square = np.vecdot(weights, weights)
        noise = rng.standard_normal(weights.shape)
        noise -= (np.vecdot(noise, weights) / square)[:, None] * weights
        noise /= (np.linalg.norm(noise, axis=1) * np.sqrt(square))[:, None]
        velocity = momentum * velocity + noise + decay * weights
        moved = weights - _ETA * velocity
        if 2 * step >= steps:
            product = np.vecdot(weights, moved)
            angles += np.arccos(product / np.sqrt(square * np.vecdot(moved, moved)))
            products, squares, fourth = products + product, squares + square, fourth + square**2
        weights = moved
    return angles / (steps / 2), 1 - products / squares, fourth / (steps / 2)


def balance(plan: Plan) -> Iterator[Claim]:
    """The angle per step and the length in equilibrium."""

    def angle(momentum: float) -> rt.Quantity:
        @rt.quantity(n, name=f"angle per step, momentum {momentum}", batch=8)
        def quantity(size: int, batch: int, rng: np.random.Generator) -> Array:
            return _angles(size, batch, momentum, rng)[0]

        return quantity

    def turn(momentum: float, name: str) -> rt.Quantity:
        @rt.quantity(n, name=name, batch=8)
        def quantity(size: int, batch: int, rng: np.random.Generator) -> Array:
            return _angles(size, batch, momentum, rng)[1] * size

        return quantity

    for ident, momentum in (("M18.angle", 0.0), ("M18.angle.momentum", 0.9)):
        yield plan.rate(
            ident, f"mean angle per step at eta lambda = 1 / n, momentum {momentum:g}", angle(momentum),
            -0.5, [50, 100, 200], 8, statistic="mean", source=WAN,
        )  # fmt: skip
    given: dict[str, Any] = {"n": [25, 50, 100], "statistic": "mean", "samples": 96}
    predicted = Exact(1.0, within=0.02 if plan.quick else 0.01)
    yield Claim(
        "(1 + momentum) (1 - <theta, theta'> / <theta, theta>) / (eta lambda), in the mean, momentum 0.9",
        turn(0.9, "turn per step") * 1.9,
        id="M18.turn",
        predicted=predicted,
        source=DERIVED,
        **given,
    )
    yield Claim(
        "the same without the factor of momentum",
        turn(0.9, "turn per step, wrongly"),
        id="M18.wrong",
        predicted=predicted,
        source="negative control",
        expect="refuted",
        **given,
    )

    @rt.quantity(n, name="angle per step against its limit", batch=8)
    def relative(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.asarray(_angles(size, batch, 0.9, rng)[0] * np.sqrt(1.9 * size / 2) - 1)

    yield plan.identity(
        "M18.limit", "mean angle per step over (2 eta lambda / (1 + momentum))^1/2, less 1, momentum 0.9", relative,
        0.02, [100, 200, 400], 8, source=WAN, note="the limit has errors of order eta lambda and 1 / dimension",
    )  # fmt: skip

    @rt.quantity(n, shape=(2,), name="angle and length in equilibrium", batch=4)
    def exactly(size: int, batch: int, rng: np.random.Generator) -> Array:
        angles, _, fourth = _angles(size, batch, 0.0, rng)
        length = _ETA * _ETA * size / (2 - 1 / size)  # eta / (2 lambda - eta lambda^2)
        return np.stack([angles / np.arccos(1 - 1 / size) - 1, fourth / length - 1], axis=1)

    yield plan.identity(
        "M18.exact", "no momentum: the angle is arccos(1 - eta lambda), r^4 is eta / (2 lambda - eta lambda^2)",
        exactly, 1e-9, [25, 50, 100], 4,
    )  # fmt: skip


def growth(plan: Plan) -> Iterator[Claim]:
    """Without weight decay the length of normalised weights grows as an accumulated square does."""

    def residual(steps: int, rng: np.random.Generator) -> float:
        objective, symmetry, start = sphere_regression(rng)
        eta = 0.5
        run = descend(objective, start, [symmetry], learning_rate=eta, steps=steps)
        square = run.measured["sphere"][:, 0]
        unit = run.gradients * square[:-1]  # squared gradients at unit length
        predicted = square[0] ** 2 + 2 * eta**2 * unit.sum() + eta**4 * (unit**2 / square[:-1] ** 2).sum()
        return float(abs(square[-1] ** 2 / predicted - 1))

    yield plan.identity(
        "M19", "r^4 after n steps: r_0^4 + 2 eta^2 sum |g|^2 + eta^4 sum |g|^4 / r^4, g at unit length",
        sampled(residual, "growth of the length"), 1e-12, [10, 100, 1000], 6,
    )  # fmt: skip
