"""What the flow conserves and descent changes in proportion to its step (claims S9, S10)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import randtensor as rt
from randtensor import mean_field as mf
from theory_checks.claims import Claim
from theory_checks.suites.two_layer_symmetries.plan import DERIVED, SOURCE, Plan, k

__all__ = ["conserved"]

Array = np.ndarray

_WIDTH = 32


def conserved(plan: Plan) -> Iterator[Claim]:
    """w' = -H e in one step, and a^2 - |b|^2 over a fixed time, against the step size 1/k."""
    d = plan.dimension
    group = mf.SymmetryGroup.odd(d)
    X = group.orbit(plan.points)
    risk = mf.EmpiricalRisk(X, X[:, 0] ** 3 / 3 + X[:, 1], symmetry=group)
    paired = mf.Initialization(d, symmetry=group)
    covariance = X.T @ X / len(X)
    moment = risk.targets @ X / len(X)

    @rt.quantity(k, name="(w(t + 1/k) - w(t)) k + H e", batch=64)
    def residual(steps: int, batch: int, rng: np.random.Generator) -> Array:
        # a few steps after the start; once descent has converged both terms vanish
        before = mf.GradientDescent(risk, 0.1).after(paired.sample(_WIDTH, batch, rng=rng), 5)
        after = mf.GradientDescent(risk, 1 / steps).after(before, 1)
        w = before.linear_predictor()
        e = w @ covariance - moment
        moments = before.second_moments()
        rate = (moments[:, :1, :1] * np.eye(d) + moments[:, 1:, 1:]) / 4
        change = (after.linear_predictor() - w) * steps
        return np.asarray(np.linalg.norm(change + (rate @ e[..., None])[..., 0], axis=1))

    sizes = plan.grid([10, 40, 160, 640], [200] * 4)
    yield Claim(
        "w' + H e of one step of size 1/k, odd target, paired neurons",
        residual,
        id="S9",
        predicted=k**-1,
        source=SOURCE,
        correction=None,
        **sizes,
    )
    yield Claim(
        "w' + H e of one step of size 1/k, claimed to be of second order",
        residual,
        id="S9.wrong",
        predicted=k**-2,
        source="negative control",
        expect="refuted",
        correction=None,
        **sizes,
    )

    @rt.quantity(k, name="largest change of a^2 - |b|^2 up to time 2", batch=32)
    def imbalance(steps: int, batch: int, rng: np.random.Generator) -> Array:
        before = mf.Initialization(d).sample(_WIDTH, batch, rng=rng)
        after = mf.GradientDescent(risk, 1 / steps).after(before, 2 * steps)
        return np.asarray(np.abs(after.imbalance() - before.imbalance()).max(axis=1))

    yield Claim(
        "largest change of a^2 - |b|^2 over the neurons up to time 2, step size 1/k",
        imbalance,
        id="S10",
        predicted=k**-1,
        source=DERIVED,
        correction=1.0,
        **plan.grid([10, 20, 40, 80], [192] * 4),
    )
