"""Training by gradient flow: kernel, outputs and loss of finite networks against those of infinite width."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import estimators
import randtensor as rt
from estimators import Training, TrainingQuantity
from estimators.training import Observable, Snapshot
from theory_checks.claims import Claim, Exact
from theory_checks.suites.wide_gaussianity.plan import SOURCE, Plan, n
from theory_checks.suites.wide_gaussianity.response import Response, width
from theory_checks.suites.wide_gaussianity.waves import Wave

__all__ = ["TARGETS", "flow", "kernel_drift", "late_training", "law_of_outputs", "outputs_in_training", "responses"]

DERIVED = "derived; expansion of the flow"
TARGETS = np.array([1.0, -0.5])
SKEWED = "exponential"

#: relative error per integration step: what is observed is then off by less than a hundredth of its sampling error
TOLERANCE = 1e-4

t = rt.Scale("t")


def flow(plan: Plan, readout: Any = None, time: float = 1.0, steps: int = 1) -> Training:
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


def responses(plan: Plan, readout: Any = None) -> Response:
    """What is known of the networks at time 1 from their start."""
    return Response(plan.shallow(readout), np.stack([plan.x, plan.y]), TARGETS, 1.0)


def _grid(plan: Plan, sizes: list[int], samples: list[int]) -> dict[str, Any]:
    """Sizes and samples; a quick run takes a quarter of them."""
    return {"n": sizes, "samples": [max(count // 4, 30) for count in samples] if plan.quick else samples}


def _extrapolated(quantity: TrainingQuantity, name: str) -> Any:
    """The mean times sqrt(n) without its part of relative order n^-1/2: from networks of the widths n and 4 n.

    At leading order alone, so many samples as the skewness of what is left asks for would see the next one.
    """

    @rt.quantity(n, name=f"{name}, times n^1/2, from the widths n and 4 n", batch=168)
    def extrapolated(size: int, batch: int, rng: np.random.Generator) -> Any:
        narrow, wide = (quantity.sample(width, batch, rng=rng) for width in (size, 4 * size))
        return size**0.5 * (4 * wide - narrow)

    return extrapolated


def kernel_drift(plan: Plan) -> Iterator[Claim]:
    """The tangent kernel moves by 1/n for symmetric read-outs, by n^-1/2 for skewed ones, and no more with time."""
    drift, skewed, late = (
        TrainingQuantity(run, "kernel_change", reduce="frobenius")
        for run in (flow(plan), flow(plan, SKEWED), flow(plan, time=8.0))
    )
    # the mean over networks: their second moment has heavy tails
    yield Claim(
        "change of the tangent kernel up to time 1, symmetric read-out",
        drift,
        id="GP12",
        statistic="L1",
        predicted=rt.Theta(n**-1),
        source=SOURCE,
        correction=1.0,
        **_grid(plan, [8, 32, 128, 512], [10000, 5000, 2500, 1000]),
    )
    yield Claim(
        "change of the tangent kernel up to time 1, skewed read-out",
        skewed,
        id="GP12.skewed",
        statistic="L1",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=None,
        note="a part of order 1/n with a large constant has died out at these widths",
        **_grid(plan, [1024, 4096, 16384], [340, 168, 100]),
    )
    response = responses(plan, SKEWED)

    def contrast(snapshot: Snapshot) -> Any:
        moved = snapshot.kernel - snapshot.initial.kernel - response.start_of_drift(snapshot)
        return moved[:, 0, 0] - moved[:, 1, 1]

    asymmetry = TrainingQuantity(
        flow(plan, SKEWED), Observable("change of Theta[x, x] - Theta[y, y]", contrast), reduce=None
    )
    mean = "mean change of Theta[x, x] - Theta[y, y] up to time 1, skewed read-out"
    yield Claim(
        mean,
        asymmetry,
        id="GP12.mean",
        statistic="mean",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=1.0,
        **_grid(plan, [32, 256, 2048, 16384], [2048, 341, 84, 25]),
    )
    yield Claim(
        f"{mean}, claimed to be of the order of the drift for symmetric ones",
        asymmetry,
        id="GP12.wrong",
        statistic="mean",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **_grid(plan, [32, 256, 2048], [3000, 500, 100]),
    )
    yield Claim(
        f"{mean}, constant",
        _extrapolated(asymmetry, mean),
        id="GP12.constant",
        statistic="mean",
        predicted=Exact(lambda size: response.drift[0, 0] - response.drift[1, 1], within=plan.within(0.3)),
        source=DERIVED,
        note="extrapolated from two widths: the next order is gone, and the one after it is below the error",
        **_grid(plan, [512], [672]),
    )
    yield Claim(
        "change of the tangent kernel up to time 8, symmetric read-out",
        late,
        id="GP13.n",
        statistic="L1",
        predicted=rt.Theta(n**-1),
        source=SOURCE,
        correction=1.0,
        **_grid(plan, [8, 32, 128, 512], [2600, 1300, 650, 260]),
    )
    units = 8

    @rt.quantity(t, name=f"change of the tangent kernel up to time t, width {units}", batch=350)
    def later(time: int, batch: int, rng: np.random.Generator) -> Any:
        quantity = TrainingQuantity(flow(plan, time=float(time)), "kernel_change", reduce="frobenius")
        return units * quantity.sample(units, batch, rng=rng)

    yield Claim(
        "change of the tangent kernel up to time t, times the width",
        later,
        id="GP13",
        statistic="L1",
        predicted=rt.O(1),
        source=SOURCE,
        correction=None,
        **_grid(plan, [8, 16, 32, 64], [700] * 4),
    )


def outputs_in_training(plan: Plan) -> Iterator[Claim]:
    """Outputs against those of infinite width that start from the same values."""
    for readout, law in ((None, "symmetric"), (SKEWED, "skewed")):
        mark = "" if readout is None else ".skewed"
        yield Claim(
            f"outputs minus those of infinite width, path by path, {law} read-out",
            TrainingQuantity(flow(plan, readout), "limit_error"),
            id=f"GP14{mark}",
            statistic="L1",
            predicted=rt.Theta(n**-0.5),
            source=SOURCE,
            correction=1.0,
            **_grid(plan, [8, 32, 128, 512], [4000, 2000, 1000, 500]),
        )
    yield Claim(
        "outputs minus those of infinite width, path by path, claimed to be of the order of their mean",
        TrainingQuantity(flow(plan), "limit_error"),
        id="GP14.wrong",
        statistic="L1",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **_grid(plan, [8, 32, 128, 512], [2400, 1200, 600, 300]),
    )
    yield Claim(
        "mean of the first output minus that of infinite width, symmetric read-out",
        _departure(plan, None, 0),
        id="GP15",
        statistic="mean",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=1.0,
        **_grid(plan, [3, 12, 48, 192], [26624, 14336, 7280, 3185]),
    )
    skewed = _departure(plan, SKEWED, "all")
    yield Claim(
        "mean of the outputs minus those of infinite width, skewed read-out",
        skewed,
        id="GP15.skewed",
        statistic="mean",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=0.5,
        **_grid(plan, [32, 256, 2048, 16384], [6144, 1023, 168, 30]),
    )
    shift = responses(plan, SKEWED)
    yield Claim(
        "mean of the outputs minus those of infinite width, skewed read-out, constant",
        _extrapolated(skewed, "mean of the outputs minus those of infinite width"),
        id="GP15.constant",
        statistic="mean",
        predicted=Exact(lambda size: shift.shift.mean(), within=plan.within(0.4)),
        source=DERIVED,
        note="extrapolated from two widths: the next order is gone, and the one after it is below the error",
        **_grid(plan, [512], [840]),
    )
    response = responses(plan)

    def risk_gap(snapshot: Snapshot) -> Any:
        assert snapshot.limit is not None
        gap = (snapshot.outputs - TARGETS) ** 2 - (snapshot.limit - TARGETS) ** 2
        return gap.mean(axis=1) - response.loss(snapshot) + response.loss_mean(width(snapshot))

    yield Claim(
        "mean squared error minus that of infinite width",
        TrainingQuantity(flow(plan), Observable("risk gap", risk_gap, needs="limit"), reduce=None),
        id="GP16",
        statistic="mean",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=1.0,
        **_grid(plan, [3, 12, 48, 192], [44000, 22000, 10000, 4000]),
    )
    far = flow(plan, time=8.0)
    yield Claim(
        "way of the parameters up to time 8",
        TrainingQuantity(far, "parameter_motion", reduce=None),
        id="GP19",
        predicted=rt.Theta(1),
        source=DERIVED,
        correction=1.0,
        **_grid(plan, [16, 64, 256, 1024], [1200, 600, 300, 85]),
    )
    yield Claim(
        "largest change of one parameter up to time 8",
        TrainingQuantity(far, "largest_motion", reduce=None),
        id="GP19.max",
        predicted=rt.O(n**-0.5 * rt.log(n)),
        source=DERIVED,
        correction=None,
        **_grid(plan, [16, 64, 256, 1024], [800, 400, 200, 85]),
    )


def _departure(plan: Plan, readout: Any, at: Any) -> TrainingQuantity:
    """Outputs minus those of infinite width, with most of the noise replaced by its exact mean."""
    response = responses(plan, readout)

    def compute(snapshot: Snapshot) -> Any:
        assert snapshot.limit is not None
        noise = response.outputs(snapshot) - width(snapshot) ** -0.5 * response.shift
        return snapshot.outputs - snapshot.limit - noise

    observable = Observable("outputs minus those of infinite width", compute, needs="limit", input_axes=(1,))
    return TrainingQuantity(flow(plan, readout), observable, at=at, reduce="mean")


def late_training(plan: Plan) -> Iterator[Claim]:
    """The loss falls at the rate that the smallest eigenvalue of the limiting kernel sets, and finds its floor."""
    points = np.stack([plan.x, plan.y])
    smallest = float(np.linalg.eigvalsh(estimators.tangent_kernel(plan.shallow(), points))[0])
    start, end = 4, 5

    @rt.quantity(n, name="late slope of the logarithm of the loss", batch=40)
    def slope(size: int, batch: int, rng: np.random.Generator) -> Any:
        run = estimators.train(
            flow(plan, time=float(end), steps=end), n=size, samples=batch, rng=rng, jobs=1, observe=["loss"],
            record=[start, end],
        )  # fmt: skip
        return np.log(run.loss[:, 1] / run.loss[:, 0]) / (end - start)

    # the median: networks that start without a part along the slowest direction have far larger slopes
    yield Claim(
        "late slope of the logarithm of the loss is minus twice the smallest eigenvalue",
        slope,
        id="GP17",
        statistic="median",
        predicted=Exact(lambda size: -2 * smallest, within=plan.within(0.025)),
        source=SOURCE,
        **_grid(plan, [512, 2048], [240, 120]),
    )
    yield Claim(
        "late slope of the logarithm of the loss claimed to be minus the smallest eigenvalue, as of the residual",
        slope,
        id="GP17.wrong",
        statistic="mean",
        predicted=Exact(lambda size: -smallest, within=0.1),
        source="negative control",
        expect="refuted",
        n=[256, 1024],
        samples=40,
    )

    @rt.quantity(n, name="shortfall of the rate at which the loss falls", batch=512)
    def shortfall(size: int, batch: int, rng: np.random.Generator) -> Any:
        run = estimators.train(flow(plan, time=4.0, steps=2), n=size, samples=batch, rng=rng, jobs=1, observe=["loss"])
        rates = -np.log(run.loss[:, 1:] / run.loss[:, :1]) / (4 * smallest * run.steps[1:])
        return np.maximum(1 - rates.min(axis=1), 0.0)

    yield Claim(
        "relative shortfall of the rate of the loss, at its worst, from that of exp(-2 lambda t)",
        shortfall,
        id="GP17.minimum",
        statistic="mean",
        predicted=rt.O(n**-0.5),
        source=SOURCE,
        correction=None,
        **_grid(plan, [4, 16, 64, 256], [3584, 2048, 1024, 512]),
    )

    def lowest(snapshot: Snapshot) -> Any:
        return np.linalg.eigvalsh(snapshot.kernel)[:, 0] / smallest - 1

    yield Claim(
        "smallest eigenvalue of the kernel up to time 4, relative to the limit: its largest departure from 1",
        TrainingQuantity(
            flow(plan, time=4.0, steps=2), Observable("smallest eigenvalue", lowest), step=[0, 1, 2], reduce=None
        ),
        id="GP17.eigenvalue",
        statistic="L1",
        predicted=rt.Theta(n**-0.5),
        source=SOURCE,
        correction=1.0,
        **_grid(plan, [8, 32, 128, 512], [3000, 1500, 800, 350]),
    )


def law_of_outputs(plan: Plan) -> Iterator[Claim]:
    """The law of trained outputs against the Gaussian process: by a coupling, and by smooth functions of them."""
    for readout, law in ((None, "symmetric"), (SKEWED, "skewed")):
        mark = "" if readout is None else ".skewed"
        yield Claim(
            f"length of outputs minus those of infinite width, a coupling of their laws, {law} read-out",
            TrainingQuantity(flow(plan, readout), "limit_error", reduce="frobenius"),
            id=f"GP20.coupling{mark}",
            statistic="L1",
            predicted=rt.O(n**-0.5 * rt.log(n)),
            source=SOURCE,
            correction=None,
            **_grid(plan, [8, 32, 128, 512], [3600, 1800, 900, 450]),
        )
    # the sine tells a shift, the cosine another width; for skewed read-outs both are off, and their sum has less noise
    yield Claim(
        "E sin z minus that of the Gaussian process, z the standardised difference of the outputs, symmetric read-out",
        _wave(plan, None, [1.0, -1.0], np.pi / 2),
        id="GP20",
        statistic="mean",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=1.0,
        **_grid(plan, [3, 12, 48, 192], [26000, 14000, 6000, 2700]),
    )
    first = _wave(plan, SKEWED, [1.0, 0.0], np.pi / 4)
    name = "E cos(z - pi/4) minus that of the Gaussian process, z the standardised first output, skewed read-out"
    skewed: dict[str, Any] = {"statistic": "mean", "correction": 0.5}
    yield Claim(
        name,
        first,
        id="GP20.skewed",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        **skewed,
        **_grid(plan, [32, 256, 2048, 16384], [6000, 1000, 170, 30]),
    )
    yield Claim(
        f"{name}, claimed to be as small as for symmetric ones",
        first,
        id="GP20.wrong",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        **{**skewed, "correction": None},
        **_grid(plan, [32, 128, 512, 2048], [2000, 700, 240, 80]),
    )


def _wave(plan: Plan, readout: Any, direction: list[float], phase: float) -> TrainingQuantity:
    """cos(z - phase), z the trained outputs in a direction, standardised."""
    wave, turned = Wave(responses(plan, readout), direction), np.exp(-1j * phase)
    part: Callable[[Snapshot], Any] = lambda snapshot: (turned * wave.gap(snapshot)).real  # noqa: E731
    return TrainingQuantity(flow(plan, readout), Observable(f"cos along {direction} from {phase}", part), reduce=None)
