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
from theory_checks.suites.weak_correlations.plan import SOURCE, Plan, n

__all__ = ["RATE", "STEPS", "descent", "learning_rates", "long_training", "trained"]

#: four inputs to train on, of squared length 4 and generic overlaps, and what is to be learned there
INPUTS = np.array([[1.2, -1.6, 0.0, 0.0], [0.0, 0.0, 1.6, 1.2], [1.6, 0.8, 0.8, -0.4], [0.4, 0.8, -1.6, 0.8]])
TARGETS = np.array([1.0, -0.5, 0.5, -1.0])
STEPS = 20
RATE = 0.5

s = rt.Scale("s")


#: a tenth of what sampling can see, and less
TOLERANCE = 1e-4


def descent(plan: Plan, f: rt.RandomFunction, **options: Any) -> Training:
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


def _grid(plan: Plan, first: int, samples: list[int]) -> dict[str, Any]:
    """Widths in steps of four, and how departures that average over networks are measured on them.

    The mean over networks has lighter tails than the second moment. A quick run takes a quarter of the networks.
    """
    return {
        "n": [first * 4**k for k in range(len(samples))],
        "samples": [max(count // 4, 30) for count in samples] if plan.quick else samples,
        "statistic": "L1",
        "correction": 1.0,
    }


def trained(plan: Plan) -> Iterator[Claim]:
    """After a fixed number of steps: outputs, gradients and kernel, whatever the rule of descent."""
    for layers, f in ((1, plan.shallow()), (2, plan.deep())):
        run = descent(plan, f)
        observed = (
            ("W11", "F - F_lin", TrainingQuantity(run, "linearization_error"), -1.0),
            ("W12", "change of the gradients", RATE**0.5 * TrainingQuantity(run, "gradient_change"), -0.5),
            (
                "W13",
                "change of the tangent kernel",
                RATE * TrainingQuantity(run, "kernel_change", reduce="spectral"),
                -1.0,
            ),
        )
        for ident, name, quantity, power in observed:
            yield Claim(
                f"{name} after {STEPS} steps, {layers} hidden",
                quantity,
                id=f"{ident}.{layers}",
                predicted=rt.Theta(n**power),
                source=SOURCE,
                **_grid(plan, *SAMPLES[ident, layers]),
            )
    rules: dict[str, tuple[str, dict[str, Any]]] = {
        "full": ("full batch", {"batch": "full"}),
        "minibatch": ("random mini-batches of two", {"batch": 2}),
        "momentum": ("momentum 0.8", {"batch": "full", "momentum": 0.8, "learning_rate": 0.2}),
        "flow": (
            "gradient flow to time 5",
            {"batch": "full", "flow": True, "steps": 1, "learning_rate": 5.0, "tolerance": TOLERANCE},
        ),
        "entropy": ("cross-entropy", {"batch": "full", "loss": "cross-entropy", "targets": TARGETS > 0}),
    }
    for rule, (words, options) in rules.items():
        yield Claim(
            f"F - F_lin, {words}",
            TrainingQuantity(descent(plan, plan.shallow(), **options), "linearization_error"),
            id=f"W11.{rule}",
            predicted=rt.Theta(n**-1),
            source=SOURCE,
            **(_grid(plan, 16, [5600, 2800, 1100, 500]) if rule == "flow" else _grid(plan, *SAMPLES["W11.rule", 1])),
        )
    kinked = Training(plan.shallow("relu"), [plan.x1], [1.0], learning_rate=0.75, steps=1)
    yield Claim(
        "change of the tangent kernel in one step, relu",
        TrainingQuantity(kinked, "kernel_change", reduce="mean"),
        id="W21.kernel",
        statistic="L1",
        predicted=rt.Theta(n**-0.5),
        source="derived; non-analytic control",
        correction=0.5,
        **plan.grid(64, 8, [6000, 3000, 1500, 600, 200]),
    )
    mean_field = plan.shallow(parametrization="mean-field")
    yield Claim(
        f"F - F_lin after {STEPS} steps, mean-field parametrisation claimed to be linear too",
        TrainingQuantity(descent(plan, mean_field, learning_rate=RATE * n), "linearization_error"),
        id="W11.wrong",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        **_grid(plan, 16, [400, 200, 120, 120]),
    )


#: smallest width and samples, by claim and number of hidden layers
SAMPLES = {
    ("W11", 1): (32, [5000, 2500, 1000, 340]),
    ("W12", 1): (32, [800, 400, 160, 80]),
    ("W13", 1): (32, [3600, 1800, 700, 260]),
    ("W11", 2): (32, [5200, 2100, 700, 230]),
    ("W12", 2): (32, [800, 240, 90, 60]),
    ("W13", 2): (32, [2600, 1000, 320, 110]),
    ("W11.rule", 1): (32, [5600, 2800, 1100, 380]),
}


def learning_rates(plan: Plan) -> Iterator[Claim]:
    """One step at the learning rate n^alpha: the paper's bound r/n, and the sharp rate r^2/n."""
    sizes = _grid(plan, 16, [20000, 10000, 4800, 2200])
    for alpha in (Fraction(0), Fraction(-1, 4), Fraction(-1, 2), Fraction(-3, 4), Fraction(-1)):
        run = descent(plan, plan.shallow(), learning_rate=RATE * n**alpha, steps=1)
        error = TrainingQuantity(run, "linearization_error")
        for mark, words, predicted, source in (
            (".bound", "the bound r/n", rt.O(n ** (alpha - 1)), SOURCE),
            ("", "the sharp rate r^2/n", rt.Theta(n ** (2 * alpha - 1)), "derived from the correlations"),
        ):
            yield Claim(
                f"F - F_lin after one step of n^({alpha}), {words}",
                error,
                id=f"W15{mark}.{float(-alpha):g}",
                predicted=predicted,
                source=source,
                **sizes,
            )
    yield Claim(
        "F - F_lin after one step of n^(-1/2), r/n claimed to be sharp",
        TrainingQuantity(descent(plan, plan.shallow(), learning_rate=RATE * n**-0.5, steps=1), "linearization_error"),
        id="W15.wrong",
        predicted=rt.Theta(n**-1.5),
        source="negative control",
        expect="refuted",
        **sizes,
    )
    for alpha in (Fraction(-1, 2), Fraction(-1)):
        run = descent(plan, plan.shallow(), learning_rate=RATE * n**alpha)
        yield Claim(
            f"change of the gradients at the learning rate r = n^({alpha})",
            (RATE * n**alpha) ** Fraction(1, 2) * TrainingQuantity(run, "gradient_change"),
            id=f"W16.{float(-alpha):g}",
            predicted=rt.Theta(n ** ((3 * alpha - 1) / 2)),
            source="derived from the correlations",
            **_grid(plan, 16, [1800, 900, 400, 180]),
        )


def long_training(plan: Plan) -> Iterator[Claim]:
    """Where the linear system converges, the departure does not grow with the number of steps."""
    count = 250 if plan.quick else 1050
    yield Claim(
        "largest departure from linearity up to step s, times the width",
        _largest_departure(plan),
        id="W17",
        predicted=rt.O(1),
        source=SOURCE,
        statistic="L1",
        correction=None,
        n=[40, 80, 160, 320],
        samples=count,
    )
    yield Claim(
        "the same before the linear system has converged, claimed not to grow either",
        _largest_departure(plan, batch="full", learning_rate=0.05),
        id="W17.wrong",
        predicted=rt.O(1),
        source="negative control",
        expect="refuted",
        statistic="L1",
        correction=1.0,
        n=[2, 4, 8, 16],
        samples=800,
    )
    run = descent(plan, plan.shallow(), steps=100)
    yield Claim(
        "largest departure from linearity up to step 100",
        TrainingQuantity(run, "linearization_error", step=[12, 25, 50, 100]),
        id="W17.n",
        predicted=rt.O(n**-1),
        source=SOURCE,
        **_grid(plan, 32, [5000, 2500, 1000, 340]),
    )


def _largest_departure(plan: Plan, **options: Any) -> rt.Quantity:
    """Largest rms of F - F_lin up to step s, times the width, which is fixed."""
    width = 32

    @rt.quantity(s, name=f"largest departure from linearity up to step s, width {width}", batch=512)
    def largest(steps: int, batch: int, rng: np.random.Generator) -> np.ndarray:
        run = descent(plan, plan.shallow(), steps=steps, **options)
        record = estimators.train(
            run, n=width, samples=batch, rng=rng, observe=["linearization_error"], jobs=1,
            record=sorted({int(k) for k in np.geomspace(1, steps, 24)}),
        )  # fmt: skip
        return np.asarray(width * np.sqrt((record.linearization_error**2).mean(axis=2)).max(axis=1))

    return largest
