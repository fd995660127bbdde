"""Training by gradient flow: kernel, outputs and loss of finite networks against those of infinite width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import estimators
import randtensor as rt
from estimators import Training, TrainingQuantity
from estimators.training import Observable, Snapshot
from theory_checks.claims import Claim, Exact
from theory_checks.suites.wide_gaussianity.plan import SOURCE, Plan, n

__all__ = ["kernel_drift", "late_training", "law_of_outputs", "outputs_in_training"]

DERIVED = "derived; expansion of the flow"
TARGETS = np.array([1.0, -0.5])
SKEWED = "exponential"

#: relative error per integration step: far below what sampling can see
TOLERANCE = 1e-4

t = rt.Scale("t")


def _flow(plan: Plan, readout: Any = None, time: float = 1.0, steps: int = 1) -> Training:
    """Gradient flow on the squared loss, observed after equal intervals."""
    f, points = plan.shallow(readout), np.stack([plan.x, plan.y])
    return Training(
        f,
        points,
        TARGETS,
        learning_rate=time / steps,
        steps=steps,
        flow=True,
        reduction="sum",
        tolerance=TOLERANCE,
        limit=estimators.tangent_kernel(f, points),
    )


def kernel_drift(plan: Plan) -> Iterator[Claim]:
    """The tangent kernel moves by 1/n for symmetric read-outs, by n^-1/2 for skewed ones, and no more with time."""
    drift = TrainingQuantity(_flow(plan), "kernel_change", reduce="frobenius")
    yield Claim(
        "change of the tangent kernel up to time 1, symmetric read-out",
        drift,
        id="GP12",
        predicted=rt.Theta(n**-1),
        source=SOURCE,
        correction=1.0,
        n=[16, 64, 256, 1024],
        samples=plan.counts([16000, 6000, 2400, 800]),
    )
    skewed = TrainingQuantity(_flow(plan, SKEWED), "kernel_change", reduce="frobenius")
    grid: dict[str, Any] = {"n": [256, 1024, 4096, 16384], "samples": plan.counts([4000, 1600, 600, 200])}
    yield Claim(
        "change of the tangent kernel up to time 1, skewed read-out",
        skewed,
        id="GP12.skewed",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=0.5,
        **grid,
    )
    yield Claim(
        "change of the tangent kernel, skewed read-out claimed to move it like a symmetric one",
        skewed,
        id="GP12.wrong",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        correction=0.5,
        **grid,
    )
    yield Claim(
        "change of the tangent kernel up to time 12, symmetric read-out",
        TrainingQuantity(_flow(plan, time=12.0), "kernel_change", reduce="frobenius"),
        id="GP13.n",
        predicted=rt.Theta(n**-1),
        source=SOURCE,
        correction=1.0,
        n=[16, 64, 256, 1024],
        samples=plan.counts([8000, 3000, 1200, 400]),
    )

    @rt.quantity(t, name="change of the tangent kernel up to time t, width 64", batch=512)
    def late(time: int, batch: int, rng: np.random.Generator) -> Any:
        quantity = TrainingQuantity(_flow(plan, time=float(time)), "kernel_change", reduce="frobenius")
        return 64 * quantity.sample(64, batch, rng=rng)

    yield Claim(
        "change of the tangent kernel up to time t, times the width",
        late,
        id="GP13",
        predicted=rt.O(1),
        source=SOURCE,
        correction=None,
        n=[32, 64, 128, 256],
        samples=plan.counts([1024] * 4),
    )


def _risk_gap(snapshot: Snapshot) -> np.ndarray:
    assert snapshot.limit is not None
    targets = snapshot.network.targets
    return np.asarray((snapshot.outputs - targets) ** 2 - (snapshot.limit - targets) ** 2)


def outputs_in_training(plan: Plan) -> Iterator[Claim]:
    """Outputs against those of infinite width that start from the same values."""
    for law, readout, mean in (("symmetric", None, -1.0), ("skewed", SKEWED, -0.5)):
        run, mark = _flow(plan, readout), "" if readout is None else ".skewed"
        yield Claim(
            f"outputs minus those of infinite width, path by path, {law} read-out",
            TrainingQuantity(run, "limit_error"),
            id=f"GP14{mark}",
            predicted=rt.Theta(n**-0.5),
            source=SOURCE,
            correction=0.5 if readout else 1.0,
            n=[16, 64, 256, 1024],
            samples=plan.counts([8000, 3000, 1200, 400]),
        )
        yield Claim(
            f"mean of the outputs minus those of infinite width, {law} read-out",
            TrainingQuantity(run, "limit_error", at=0 if readout is None else "all", reduce="mean"),
            id=f"GP15{mark}",
            statistic="mean",
            predicted=rt.Theta(n**mean),
            source=DERIVED,
            correction=1.0,
            **(
                {"n": [4, 8, 16, 32], "samples": plan.counts([60000, 80000, 80000, 80000])}
                if readout is None
                else {"n": [8, 32, 128, 512], "samples": plan.counts([32000, 24000, 16000, 8000])}
            ),
        )
    yield Claim(
        "mean squared error minus that of infinite width",
        TrainingQuantity(_flow(plan), Observable("risk gap", _risk_gap, needs="limit", input_axes=(1,)), reduce="mean"),
        id="GP16",
        statistic="mean",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=1.0,
        n=[4, 8, 16, 32],
        samples=plan.counts([30000, 40000, 60000, 60000]),
    )
    far = _flow(plan, time=12.0)
    yield Claim(
        "way of the parameters up to time 12",
        TrainingQuantity(far, "parameter_motion", reduce=None),
        id="GP19",
        predicted=rt.Theta(1),
        source=DERIVED,
        correction=1.0,
        n=[16, 64, 256, 1024],
        samples=plan.counts([2000, 1000, 500, 250]),
    )
    yield Claim(
        "largest change of one parameter up to time 12",
        TrainingQuantity(far, "largest_motion", reduce=None),
        id="GP19.max",
        predicted=rt.O(n**-0.5 * rt.log(n)),
        source=DERIVED,
        correction=None,
        n=[64, 256, 1024, 4096],
        samples=plan.counts([1000, 500, 250, 100]),
    )


def late_training(plan: Plan) -> Iterator[Claim]:
    """The loss falls at the rate that the smallest eigenvalue of the limiting kernel sets, and finds its floor."""
    points = np.stack([plan.x, plan.y])
    smallest = float(np.linalg.eigvalsh(estimators.tangent_kernel(plan.shallow(), points))[0])
    start, end = 8, 12

    @rt.quantity(n, name="late slope of the logarithm of the loss", batch=128)
    def slope(width: int, batch: int, rng: np.random.Generator) -> Any:
        run = estimators.train(
            _flow(plan, time=float(end), steps=end), n=width, samples=batch, rng=rng, jobs=1, observe=["loss"],
            record=[start, end],
        )  # fmt: skip
        return np.log(run.loss[:, 1] / run.loss[:, 0]) / (end - start)

    yield Claim(
        "late slope of the logarithm of the loss is minus twice the smallest eigenvalue",
        slope,
        id="GP17",
        statistic="mean",
        predicted=Exact(lambda width: -2 * smallest, within=0.02),
        source=SOURCE,
        n=[16384, 65536],
        samples=plan.counts([128, 64]),
    )
    yield Claim(
        "its spread over networks",
        slope,
        id="GP17.spread",
        statistic="std",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=1.0,
        n=[64, 256, 1024, 4096],
        samples=plan.counts([3000, 1200, 500, 300]),
    )
    rate = 0.8

    @rt.quantity(n, name="networks whose loss exceeds exp(-1.6 lambda t) times its start", batch=512)
    def slow(width: int, batch: int, rng: np.random.Generator) -> Any:
        run = estimators.train(
            _flow(plan, time=float(end), steps=end), n=width, samples=batch, rng=rng, jobs=1, observe=["loss"]
        )
        bound = run.loss[:, :1] * np.exp(-2 * rate * smallest * run.steps)
        return (run.loss > bound * (1 + 1e-9)).any(axis=1).astype(float)

    yield Claim(
        "probability that the loss misses the bound exp(-1.6 lambda t) of the global minimum",
        slow,
        id="GP17.minimum",
        statistic="mean",
        predicted=rt.O(n**-0.5),
        source=SOURCE,
        correction=None,
        n=[4, 8, 16, 32, 64],
        samples=plan.counts([2048, 2048, 2048, 4096, 4096]),
    )


def law_of_outputs(plan: Plan) -> Iterator[Claim]:
    """The law of a trained output against the Gaussian process, by its characteristic function."""
    points = np.stack([plan.x, plan.y])
    for law, readout, part, power in (("symmetric", None, "cos", -1.0), ("skewed", SKEWED, "sin", -0.5)):
        f = plan.shallow(readout)
        trained = estimators.trained_law(f, points, TARGETS, time=1.0)
        mean, std = float(trained.mean[0]), float(trained.covariance[0, 0]) ** 0.5
        centre = np.exp(-0.5) if part == "cos" else 0.0
        wave = np.cos if part == "cos" else np.sin

        def gap(
            snapshot: Snapshot, mean: float = mean, std: float = std, wave: Any = wave, centre: float = centre
        ) -> Any:
            return np.asarray(wave((snapshot.outputs[:, 0] - mean) / std) - centre)

        quantity = TrainingQuantity(
            _flow(plan, readout), Observable(f"characteristic function, {part}", gap), reduce=None
        )
        grid = {
            "n": [4, 8, 16, 32] if readout is None else [8, 32, 128, 512],
            "samples": plan.counts(
                [80000, 100000, 120000, 120000] if readout is None else [40000, 30000, 20000, 10000]
            ),
        }
        mark = "" if readout is None else ".skewed"
        yield Claim(
            f"characteristic function of a trained output minus that of the Gaussian process, {law} read-out",
            quantity,
            id=f"GP20{mark}",
            statistic="mean",
            predicted=rt.Theta(n**power),
            source=DERIVED,
            correction=1.0,
            **grid,
        )
        yield Claim(
            f"the same, against the bound n^(-1/2) log n, {law} read-out",
            quantity,
            id=f"GP20.bound{mark}",
            statistic="mean",
            predicted=rt.O(n**-0.5 * rt.log(n)),
            source=SOURCE,
            correction=1.0,
            **grid,
        )
