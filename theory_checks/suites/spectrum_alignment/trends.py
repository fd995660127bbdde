"""What is observed of small networks in training, stated for every network of the sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from estimators.layered import FullBatchDescent, LayeredNetwork, StepSchedule
from estimators.spectrum import SpectralHistory, Spectrum, follow
from theory_checks.claims import Claim, Identity
from theory_checks.suites.spectrum_alignment.plan import LEAKY, SQUARE, TREND, Plan, per_network, shortfall
from theory_checks.suites.spectrum_alignment.targets import TARGETS

__all__ = ["depth", "edge", "experiment", "output"]

Array = np.ndarray

INPUTS, RATE = 150, 0.25
CUTS = (10, 30, 50)

#: the learning rate is halved here, and the run ends there
DROP, END = 3000, 6000


def experiment(rng: np.random.Generator, target: str, steps: int, every: int | None = None) -> SpectralHistory:
    """One network 2-32-32-32-32-1, leaky ReLU, Glorot, float32, learning 150 points of the plane."""
    X = rng.uniform(*SQUARE, (INPUTS, 2))
    network = LayeredNetwork((2, 32, 32, 32, 32), LEAKY)
    run = FullBatchDescent(network, X, TARGETS[target](X), StepSchedule(RATE, every), rng=rng, dtype=np.float32)
    return follow(run, range(0, steps + 1, 200), cuts=CUTS)


def edge(plan: Plan) -> Iterator[Claim]:
    """The largest eigenvalue climbs to 2 N / rate, and again after the rate drops."""
    for target, tolerance in (("rough", 0.15), ("picture", 0.3)):
        yield Claim(
            f"rate lambda_1 / N over steps 1000 to 4000 is 2 within {tolerance}, {target} target",
            per_network(f"plateau, {target}", _plateau(target, 2.0)),
            id=f"A17.{target}",
            predicted=Identity(tolerance),
            source=TREND,
            samples=plan.count(4, 2),
        )
    yield Claim(
        "the same claimed to be 1.5 within 0.15",
        per_network("plateau, wrong", _plateau("rough", 1.5)),
        id="A17.wrong",
        predicted=Identity(0.15),
        source="negative control",
        expect="refuted",
        samples=2,
    )
    for target in ("rough", "picture"):
        yield shortfall(
            f"lambda_1, lambda_10 and lambda_50 grow after the rate is halved, {target} target",
            partial(_after_drop, _growth, target),
            id=f"A18.{target}",
            source=TREND,
            samples=plan.count(4, 2),
        )
    yield shortfall(
        "more modes are active after the rate is halved, rough target",
        partial(_after_drop, _activity, "rough"),
        id="A19",
        source=TREND,
        samples=plan.count(4, 2),
        note="active modes hold 99 % of what a step changes; the sign of the change of E(y, k) varies over networks",
    )


def output(plan: Plan) -> Iterator[Claim]:
    """The output stays in the top modes at all times; targets turn towards them."""
    for target in ("rough", "picture"):
        yield shortfall(
            f"E(f_t, 50) > 0.99 of 150 modes at all times, {target} target",
            partial(_output_room, target),
            id=f"A20.{target}",
            source=TREND,
            samples=plan.count(4, 2),
        )
    for target in ("centred", "picture"):
        yield shortfall(
            f"E(y, 10) is larger after 3000 steps than at the start, {target} target",
            partial(_gain, target),
            id=f"A19.gain.{target}",
            source=TREND,
            samples=plan.count(4, 2),
        )
    yield shortfall(
        "E(y, 10) is smaller after 3000 steps than at the start, centred target",
        lambda rng: -_gain("centred", rng),
        id="A19.wrong",
        source="negative control",
        expect="refuted",
        samples=2,
    )


def depth(plan: Plan) -> Iterator[Claim]:
    """At equal numbers of parameters deeper networks align more."""
    yield shortfall(
        "E(y, 20) grows and y.(G / lambda_1 + 0.001)^-1 y falls with the depth 2, 3, 6 at 1500 parameters",
        _deeper,
        id="A21",
        source=TREND,
        samples=plan.count(3, 1),
    )


def _plateau(target: str, level: float) -> Any:
    def measure(rng: np.random.Generator) -> float:
        history = experiment(rng, target, 4000)
        return abs(float(history.window(history.edge, 1000, 4000)) - level)

    return measure


def _growth(history: SpectralHistory) -> Array:
    chosen = history.eigenvalues[:, [0, 9, 49]]
    before, after = history.window(chosen, DROP // 2, DROP - 1), history.window(chosen, DROP + DROP // 2, END)
    return np.asarray(after / before - 1)


def _activity(history: SpectralHistory) -> float:
    before = history.window(history.active, DROP // 2, DROP - 1)
    return float(history.window(history.active, DROP + DROP // 2, END) - before)


def _after_drop(measure: Callable[[SpectralHistory], Any], target: str, rng: np.random.Generator) -> Any:
    return measure(experiment(rng, target, END, DROP))


def _output_room(target: str, rng: np.random.Generator) -> float:
    return float(experiment(rng, target, 3000).output[:, 2].min() - 0.99)


def _gain(target: str, rng: np.random.Generator) -> float:
    history = experiment(rng, target, 3000)
    return float(history.target[-1, 0] - history.target[0, 0])


def _deeper(rng: np.random.Generator) -> Array:
    X = rng.uniform(*SQUARE, (100, 2))
    y, rows = TARGETS["rough"](X), []
    for layers, width in ((1, 375), (2, 36), (5, 18)):
        network = LayeredNetwork((2, *[width] * layers), LEAKY)
        run = FullBatchDescent(network, X, y, RATE, rng=rng, dtype=np.float32)
        run.advance(3000)
        gramian = network.gramian(run.theta.astype(float), X)
        found = Spectrum.of(gramian)
        effort = y @ np.linalg.solve(gramian / found.eigenvalues[0] + 1e-3 * np.eye(len(y)), y)
        rows.append((found.energy(y)[19], -np.log(effort)))
    return np.diff(rows, axis=0)
