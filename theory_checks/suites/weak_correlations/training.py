"""Training: networks stay near their linearisation as their correlations at initialisation say."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import estimators
import randtensor as rt
from estimators import Training, TrainingQuantity
from theory_checks.claims import Claim
from theory_checks.suites.weak_correlations.plan import DERIVED, SOURCE, Plan, n

__all__ = ["learning_rates", "long_training", "trained"]

#: four inputs to train on, of squared length 4 and generic overlaps, and what is to be learned there
INPUTS = np.array(
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0], [1.6, -0.8, 0.8, -0.4], [-0.4, 1.6, 0.4, 1.0770329614269007]]
)
TARGETS = np.array([1.0, -0.5, 0.5, -1.0])
STEPS = 20
RATE = 0.5

s = rt.Scale("s")


def _training(plan: Plan, f: rt.RandomFunction, **options: Any) -> Training:
    """Squared loss, the inputs visited in turn, observed at two more inputs."""
    chosen = {
        "targets": TARGETS,
        "learning_rate": RATE,
        "steps": STEPS,
        "batch": "cyclic",
        "test": [plan.x0, plan.x1],
        **options,
    }
    inputs = INPUTS if plan.inputs == INPUTS.shape[1] else np.resize(INPUTS, (len(INPUTS), plan.inputs))
    return Training(f, inputs, **chosen)


def trained(plan: Plan) -> Iterator[Claim]:
    """After a fixed number of steps: outputs, gradients and kernel, whatever the rule of descent."""
    for layers, f in ((1, plan.shallow()), (2, plan.deep())):
        run = _training(plan, f)
        error = TrainingQuantity(run, "linearization_error")
        sizes = plan.grid(64, 4, [6000, 3000, 1500, 800, 300] if layers == 1 else [4000, 1500, 500, 200, 64])
        # the mean over networks: their second moment has heavy tails
        common = {"source": SOURCE, "statistic": "L1", "correction": 1.0, **sizes}
        yield Claim(
            f"F - F_lin after {STEPS} steps, {layers} hidden",
            error,
            id=f"W11.{layers}",
            predicted=rt.Theta(n**-1),
            **common,
        )
        yield Claim(
            f"change of the gradients after {STEPS} steps, {layers} hidden",
            RATE**0.5 * TrainingQuantity(run, "gradient_change"),
            id=f"W12.{layers}",
            predicted=rt.Theta(n**-0.5),
            **common,
        )
        yield Claim(
            f"change of the tangent kernel after {STEPS} steps, {layers} hidden",
            RATE * TrainingQuantity(run, "kernel_change", reduce="spectral"),
            id=f"W13.{layers}",
            predicted=rt.Theta(n**-1),
            **common,
        )
    rules: dict[str, dict[str, Any]] = {
        "full": {"batch": "full"},
        "minibatch": {"batch": 2},
        "momentum": {"batch": "full", "momentum": 0.8, "learning_rate": 0.2},
        "flow": {"batch": "full", "flow": True, "steps": 1, "learning_rate": 5.0, "tolerance": 1e-7},
        "entropy": {"batch": "full", "loss": "cross-entropy", "targets": TARGETS > 0},
    }
    for name, options in rules.items():
        run = _training(plan, plan.shallow(), **options)
        yield Claim(
            f"F - F_lin, {_WORDS[name]}",
            TrainingQuantity(run, "linearization_error"),
            id=f"W11.{name}",
            predicted=rt.Theta(n**-1),
            source=SOURCE,
            correction=1.0,
            statistic="L1",
            **plan.grid(64, 4, [6000, 3000, 1500, 800, 300]),
        )


_WORDS = {
    "full": "full batch",
    "minibatch": "random mini-batches of two",
    "momentum": "momentum 0.8",
    "flow": "gradient flow to time 5",
    "entropy": "cross-entropy",
}


def learning_rates(plan: Plan) -> Iterator[Claim]:
    """One step at the learning rate n^alpha: the paper's bound r/n, and the sharp rate r^2/n."""
    sizes = plan.grid(64, 4, [3000, 1500, 800, 400])
    for alpha in (Fraction(0), Fraction(-1, 4), Fraction(-1, 2), Fraction(-3, 4), Fraction(-1)):
        run = _training(plan, plan.shallow(), learning_rate=RATE * n**alpha, steps=1)
        error = TrainingQuantity(run, "linearization_error")
        yield Claim(
            f"F - F_lin after one step of n^({alpha}), the bound r/n",
            error,
            id=f"W15.bound.{float(-alpha):g}",
            predicted=rt.O(n ** (alpha - 1)),
            source=SOURCE,
            statistic="L1",
            correction=1.0,
            **sizes,
        )
        yield Claim(
            f"F - F_lin after one step of n^({alpha}), the sharp rate r^2/n",
            error,
            id=f"W15.{float(-alpha):g}",
            predicted=rt.Theta(n ** (2 * alpha - 1)),
            source="derived from the correlations",
            correction=1.0,
            **sizes,
        )
    yield Claim(
        "F - F_lin after one step of n^(-1/2), r/n claimed to be sharp",
        TrainingQuantity(_training(plan, plan.shallow(), learning_rate=RATE * n**-0.5, steps=1), "linearization_error"),
        id="W15.wrong",
        predicted=rt.Theta(n**-1.5),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **sizes,
    )
    for alpha in (Fraction(-1, 2), Fraction(-1)):
        run = _training(plan, plan.shallow(), learning_rate=RATE * n**alpha)
        yield Claim(
            f"change of the gradients at the learning rate r = n^({alpha})",
            (RATE * n**alpha) ** Fraction(1, 2) * TrainingQuantity(run, "gradient_change"),
            id=f"W16.{float(-alpha):g}",
            predicted=rt.Theta(n ** ((3 * alpha - 1) / 2)),
            source="derived from the correlations",
            correction=1.0,
            **plan.grid(64, 4, [800, 400, 200, 100]),
        )


def long_training(plan: Plan) -> Iterator[Claim]:
    """Where the linear system converges, the departure does not grow with the number of steps."""
    width = 256

    @rt.quantity(s, name=f"largest departure from linearity up to step s, width {width}", batch=16)
    def largest(steps: int, batch: int, rng: np.random.Generator) -> np.ndarray:
        run = _training(plan, plan.shallow(), steps=steps)
        record = estimators.train(
            run, n=width, samples=batch, rng=rng, observe=["linearization_error"], jobs=1,
            record=sorted({int(k) for k in np.geomspace(1, steps, 24)}),
        )  # fmt: skip
        return np.asarray(width * np.sqrt((record.linearization_error**2).mean(axis=2)).max(axis=1))

    yield Claim(
        "largest departure from linearity up to step s, times the width",
        largest,
        id="W17",
        predicted=rt.O(1),
        source=SOURCE,
        correction=1.0,
        n=[125, 250, 500, 1000] if plan.quick else [125, 250, 500, 1000, 2000],
        samples=64,
    )
    run = _training(plan, plan.shallow(), steps=400)
    yield Claim(
        "largest departure from linearity up to step 400",
        TrainingQuantity(run, "linearization_error", step=[25, 50, 100, 200, 400]),
        id="W17.n",
        predicted=rt.O(n**-1),
        source=SOURCE,
        correction=1.0,
        **plan.grid(64, 4, [256, 128, 64]),
    )
