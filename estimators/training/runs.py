"""Training runs recorded step by step, over many networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from estimators.sampling import draw_samples, positive_integer
from estimators.training.observables import Observable, observables
from estimators.training.specification import Diverged, Training
from randtensor.errors import InputError
from randtensor.quantity import Draw, Quantity, Sizes, resolve_sizes
from randtensor.random_function import RandomFunction
from randtensor.seeding import Seed, root_sequence

__all__ = ["TrainingRun", "train"]

Array = np.ndarray

DEFAULT = ("outputs", "loss", "linear_outputs", "linearization_error", "kernel", "parameter_motion")


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What was recorded of networks in training.

    Attributes
    ----------
    training : what was run.
    sizes : sizes of the scales.
    steps : the steps that were recorded, shape (T,); those before the first divergence.
    values : by observable, arrays of shape (samples, T, ...).
    diverged : for every sample the step at which it diverged, or -1.
    warnings : sentences about what a reader of the numbers has to know.
    seed : entropy of the random streams.
    """

    training: Training
    sizes: Mapping[str, int]
    steps: Array
    values: Mapping[str, Array]
    diverged: Array
    warnings: tuple[str, ...] = field(default=())
    seed: Any = None

    def __getitem__(self, name: str) -> Array:
        if name not in self.values:
            raise InputError(f"the run has no observable {name!r}, expected one of {', '.join(self.values)}")
        return self.values[name]

    def __getattr__(self, name: str) -> Array:
        if not name.startswith("_") and name in self.values:
            return self.values[name]
        raise AttributeError(f"the run has no attribute {name!r}; it recorded {', '.join(self.values)}")

    def summary(self, name: str, statistic: str = "rms") -> tuple[Array, Array]:
        """A statistic over samples, step by step, with its standard error; the rms over all other axes.

        Parameters
        ----------
        name : observable.
        statistic : "rms" or "mean" over samples.
        """
        values = self[name].reshape(*self[name].shape[:2], -1)
        count = len(values)
        if statistic == "mean":
            flat = values.mean(axis=2)
            return flat.mean(axis=0), flat.std(axis=0, ddof=1) / count**0.5 if count > 1 else np.full(
                len(self.steps), np.nan
            )
        if statistic != "rms":
            raise InputError(f"statistic is {statistic!r}, expected 'rms' or 'mean'")
        squares = (values**2).mean(axis=2)
        rms = np.sqrt(squares.mean(axis=0))
        error = squares.std(axis=0, ddof=1) / count**0.5 if count > 1 else np.full(len(self.steps), np.nan)
        return rms, np.divide(error, 2 * rms, out=np.zeros_like(rms), where=rms > 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "training": self.training.fingerprint,
            "sizes": dict(self.sizes),
            "steps": self.steps.tolist(),
            "values": {name: values.tolist() for name, values in self.values.items()},
            "diverged": self.diverged.tolist(),
            "warnings": list(self.warnings),
            "seed": self.seed,
        }

    def __repr__(self) -> str:
        at = ", ".join(f"{name} = {size}" for name, size in self.sizes.items())
        last = f"{len(self.diverged)} networks{' at ' + at if at else ''}, {len(self.steps)} records"
        notes = "".join(f"\n  warning: {warning}" for warning in self.warnings)
        return f"<TrainingRun: {last}: {', '.join(self.values)}>{notes}"


class _Record(Quantity):
    """Everything that is recorded of a run, side by side, after the step of divergence."""

    def __init__(self, training: Training, steps: Sequence[int], observed: Sequence[Observable]) -> None:
        self.training, self.steps, self.observed = training, tuple(steps), tuple(observed)
        self.scale_names = training.scale_names
        self.shapes: dict[str, tuple[int, ...]] = {}

    @property
    def fingerprint(self) -> str:
        # without what is observed: the networks of a run do not depend on it
        return f"run:{self.training.fingerprint}"

    def block_length(self, sizes: Sizes) -> int:
        return self.training.block_length(sizes)

    def evaluate(self, draw: Draw) -> Array:
        columns = [np.full((draw.batch, 1), -1.0)]
        try:
            for snapshot in self.training.snapshots(draw, self.steps, self.observed):
                row = []
                for observable in self.observed:
                    value = np.asarray(observable.compute(snapshot), dtype=float)
                    if value.shape[:1] != (draw.batch,):
                        raise InputError(
                            f"observe[{observable.name!r}] gave shape {value.shape}, "
                            f"expected a first axis of {draw.batch} samples"
                        )
                    self.shapes[observable.name] = value.shape[1:]
                    row.append(value.reshape(draw.batch, -1))
                columns.append(np.concatenate(row, axis=1))
        except Diverged as diverged:
            columns[0][:] = diverged.step
        width = 1 + len(self.steps) * sum(prod(shape) for shape in self.shapes.values())
        found = np.concatenate(columns, axis=1)
        padded = np.zeros((draw.batch, max(width, found.shape[1])))
        padded[:, : found.shape[1]] = found
        self.shape = padded.shape[1:]
        return padded


def train(
    function: RandomFunction | Training,
    X: Any = None,
    y: Any = None,
    *,
    n: int | Mapping[Any, int] | None = None,
    samples: int = 1,
    rng: Seed = None,
    record: Sequence[int] | None = None,
    observe: Any = DEFAULT,
    jobs: int | None = None,
    **options: Any,
) -> TrainingRun:
    """Train many networks from independent initial parameters, and record what happens.

    Gaussian matrices stay revealed, with their updates as a small core in the directions met, so that a step costs time
    and memory linear in the width. The law is that of dense training at every width.

    Parameters
    ----------
    function : the network, or a `Training`, which then holds everything but sizes, samples and what is recorded.
    X, y : training inputs and targets.
    n : size of the scale, or a mapping from scales to sizes.
    samples : number of networks.
    rng : integer seed, ``SeedSequence``, ``Generator`` or None.
    record : steps to record, from 0 on; None records all.
    observe : names of observables (see ``estimators.training.OBSERVABLES``), or a mapping from names to functions of a
        ``Snapshot``.
    jobs : worker threads.
    options : see `Training`: learning_rate, steps, loss, batch, momentum, weight_decay, flow, test, ...

    Returns
    -------
    A `TrainingRun`. Where training diverges it holds the steps before, and says so.

    Raises
    ------
    InputError, ShapeError : arguments outside their ranges, or shapes that do not fit.

    Examples
    --------
    Two hidden layers of width 65,536, which would fill 34 GB per network:

    >>> import estimators, randtensor as rt
    >>> f = rt.networks.mlp(inputs=2, width=rt.Scale("n"), hidden_layers=2)
    >>> run = estimators.train(f, [[1.0, 0.0], [0.6, 0.8]], [1.0, -1.0], learning_rate=0.3, steps=3, n=65536, rng=0)
    >>> run.outputs.shape, bool(abs(run.linearization_error[:, -1]).max() < 1e-3)
    ((1, 4, 2), True)
    """
    if isinstance(function, Training):
        if X is not None or y is not None or options:
            raise InputError("X, y or options are given beside a Training, expected that to hold them")
        training = function
    else:
        training = Training(function, X, y, **options)
    observed = observables(observe)
    steps = list(range(training.steps + 1)) if record is None else sorted({*record})
    for step in steps:
        if isinstance(step, bool) or not isinstance(step, int | np.integer) or not 0 <= step <= training.steps:
            raise InputError(f"record has {step!r}, expected steps from 0 to {training.steps}")
    sizes = resolve_sizes(training.scale_names, n)
    root = root_sequence(rng)
    quantity = _Record(training, steps, observed)
    table = _draw(quantity, sizes, positive_integer("samples", samples), root, jobs)
    diverged = table[:, 0].astype(int)
    first = diverged[diverged >= 0].min() if (diverged >= 0).any() else training.steps + 1
    kept = [i for i, step in enumerate(steps) if step < first]
    widths = [prod(quantity.shapes[o.name]) for o in observed] if quantity.shapes else []
    starts = np.cumsum([0, *widths])
    rows = table[:, 1:].reshape(len(table), len(steps), -1)[:, kept]
    values = {
        o.name: rows[:, :, a:b].reshape(len(table), len(kept), *quantity.shapes[o.name])
        for o, a, b in zip(observed, starts, starts[1:], strict=False)
    }
    return TrainingRun(
        training,
        sizes,
        np.array(steps)[kept],
        values,
        diverged,
        _warnings(training, sizes, values, diverged),
        root.entropy,
    )


def _draw(quantity: _Record, sizes: Sizes, samples: int, root: np.random.SeedSequence, jobs: int | None) -> Array:
    # The width of a record is known once one has been made.
    with Draw(sizes, 1, np.random.Generator(np.random.SFC64(0))) as draw:
        first = next(iter(quantity.training.snapshots(draw, [0], quantity.observed)))
        for observable in quantity.observed:
            quantity.shapes[observable.name] = np.shape(observable.compute(first))[1:]
    quantity.shape = (1 + len(quantity.steps) * sum(prod(shape) for shape in quantity.shapes.values()),)
    return draw_samples(quantity, [sizes], [samples], root, jobs=jobs)[0]


def _warnings(training: Training, sizes: Sizes, values: Mapping[str, Array], diverged: Array) -> tuple[str, ...]:
    from estimators.training.quantities import divergence_message

    found = []
    if (diverged >= 0).any():
        count, step = int((diverged >= 0).sum()), int(diverged[diverged >= 0].min())
        share = "" if count == len(diverged) else f" ({count} of {len(diverged)} networks, in whole blocks)"
        found.append(divergence_message(training, sizes, step) + share)
    kernels = values.get("kernel")
    if kernels is not None and kernels.shape[1]:
        width = prod(training.output_shape)
        trained = kernels[:, 0, : len(training.inputs) * width, : len(training.inputs) * width]
        ranks = np.linalg.matrix_rank(trained, hermitian=True)
        if (ranks < trained.shape[-1]).any():
            found.append(
                f"the tangent kernel of the {len(training.inputs)} training inputs is singular (rank {ranks.min()} of "
                f"{trained.shape[-1]}): the network is too narrow for so many, or inputs coincide"
            )
    return tuple(found)
