"""Training many networks, and recording what happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from estimators.sampling import draw_samples
from estimators.training.divergence import Divergence, divergence_message
from estimators.training.observables import OBSERVABLES, Observable, observables
from estimators.training.results import TrainingRun
from estimators.training.snapshots import Snapshot
from estimators.training.specification import Training
from estimators.workers import Jobs
from randtensor.arguments import positive_integer
from randtensor.errors import InputError
from randtensor.parametric import ParametricFunction
from randtensor.quantity import Draw, Quantity, Sizes, resolve_sizes
from randtensor.seeding import Seed, root_sequence

__all__ = ["train"]

Array = np.ndarray

DEFAULT = ("outputs", "loss", "linear_outputs", "linearization_error", "kernel", "parameter_motion")


def train(
    function: ParametricFunction | Training,
    X: Any = None,
    y: Any = None,
    *,
    n: int | Mapping[Any, int] | None = None,
    samples: int = 1,
    rng: Seed = None,
    record: Sequence[int] | None = None,
    observe: Any = None,
    jobs: Jobs = None,
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
        ``Snapshot``. None: outputs, loss, the departure from the linearisation, tangent kernel and parameter motion.
    jobs : number of threads (default: that of the processors), an executor, or `Workers`.
    options : see `Training`: learning_rate, steps, loss, batch, momentum, weight_decay, flow, test, ...

    Returns
    -------
    A `TrainingRun`. Where training diverges it holds the steps before, and says so. One seed gives the same bits
    whatever ``jobs`` is. What is observed changes the order in which revealed matrices are drawn: other bits, one law.

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
        unknown = sorted(options.keys() - Training.__dataclass_fields__.keys())
        if unknown:
            expected = ", ".join(list(Training.__dataclass_fields__)[3:])
            raise InputError(f"{unknown[0]!r} is no option of training, expected one of {expected}")
        training = Training(function, X, y, **options)
    if observe is None:
        # weight decay moves revealed matrices by a length that is not known
        observe = [name for name in DEFAULT if name != "parameter_motion" or not training.weight_decay]
        if training.optimizer == "adam":
            observe = [name for name in observe if not OBSERVABLES[name].needs]
    observed = observables(observe)
    steps = _steps(record, training.steps)
    sizes = resolve_sizes(training.scale_names, n)
    root = root_sequence(rng)
    quantity = _Record(training, steps, observed)
    (table,) = draw_samples(quantity, [sizes], [positive_integer("samples", samples)], root, jobs=jobs)
    diverged = table[:, 0].astype(int)
    first = diverged[diverged >= 0].min(initial=training.steps + 1)
    kept = [i for i, step in enumerate(steps) if step < first]
    rows = table[:, 2:].reshape(len(table), len(steps), -1)[:, kept]
    shapes = quantity.shapes(sizes)
    ends = np.cumsum([prod(shapes[o.name]) for o in observed])
    values = {
        o.name: part.reshape(len(table), len(kept), *shapes[o.name])
        for o, part in zip(observed, np.split(rows, ends[:-1], axis=2), strict=True)
    }
    warnings = []
    if (diverged >= 0).any():
        message = divergence_message(training, sizes, diverged, table[:, 1].astype(int))
        if first == 0:
            raise InputError(message)
        warnings.append(message)
    if OBSERVABLES["kernel"] in observed and kept:
        warnings += _kernel_warnings(training, values["kernel"][:, 0])
    return TrainingRun(
        name=training.name,
        fingerprint=training.fingerprint,
        sizes=sizes,
        steps=np.array(steps)[kept],
        values=values,
        diverged=diverged,
        warnings=tuple(warnings),
        seed=root.entropy,
        training=training,
    )


class _Record(Quantity):
    """Everything that is recorded of a run, side by side: when and what diverged, then one record after the other."""

    shape_known = False

    def __init__(self, training: Training, steps: Sequence[int], observed: Sequence[Observable]) -> None:
        self.training, self.steps, self.observed = training, tuple(steps), tuple(observed)
        self.scale_names, self.name = training.scale_names, training.name
        self._shapes: dict[str, tuple[int, ...]] = {}

    @property
    def fingerprint(self) -> str:
        # without what is observed: the initial parameters of a run do not depend on it
        return f"run:{self.training.fingerprint}"

    def block_length(self, sizes: Sizes) -> int:
        return self.training.block_length(sizes)

    def evaluate(self, draw: Draw) -> Array:
        divergence, columns = Divergence(draw.batch), []
        # what overflows on the way to a divergence is reported as such
        with np.errstate(over="ignore", invalid="ignore"):
            for snapshot in self.training.snapshots(draw, self.steps, self.observed, divergence):
                columns.append(self._observe(snapshot))
                columns[-1][divergence.dead] = 0.0
            if not columns:
                # as many numbers as other blocks have
                columns += map(self._observe, self.training.snapshots(draw, [0], self.observed, Divergence(draw.batch)))
        if not columns:
            message = divergence_message(self.training, draw.sizes, divergence.steps, divergence.subjects)
            raise InputError(message)
        columns += [np.zeros_like(columns[0])] * (len(self.steps) - len(columns))
        return np.concatenate([divergence.steps[:, None], divergence.subjects[:, None], *columns], axis=1)

    def shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        """Shape of each record by name; it takes drawing one where all blocks were drawn elsewhere or before."""
        if not self._shapes:
            with Draw(sizes, 1, np.random.default_rng(0)) as draw:
                for snapshot in self.training.snapshots(draw, [0], self.observed, Divergence(1)):
                    self._observe(snapshot)
        return self._shapes

    def _observe(self, snapshot: Snapshot) -> Array:
        row = []
        for observable in self.observed:
            value = np.asarray(observable.compute(snapshot), dtype=float)
            batch = snapshot.network.batch
            if value.shape[:1] != (batch,):
                raise InputError(
                    f"observe[{observable.name!r}] gave shape {value.shape}, expected a first axis of {batch} samples"
                )
            self._shapes[observable.name] = value.shape[1:]
            row.append(value.reshape(batch, -1))
        return np.concatenate(row, axis=1)


def _steps(record: Any, last: int) -> list[int]:
    if record is None:
        return list(range(last + 1))
    try:
        steps = list(record)
    except TypeError:
        steps = []
    if not steps:
        raise InputError(f"record is {record!r}, expected a list of steps from 0 to {last}")
    for step in steps:
        if isinstance(step, bool) or not isinstance(step, int | np.integer) or not 0 <= step <= last:
            raise InputError(f"record has {step!r}, expected steps from 0 to {last}")
    return sorted({int(step) for step in steps})


def _kernel_warnings(training: Training, kernels: Array) -> list[str]:
    trained = len(training.inputs) * prod(training.output_shape)
    ranks = np.linalg.matrix_rank(kernels[:, :trained, :trained], hermitian=True)
    if (ranks == trained).all():
        return []
    return [
        f"the tangent kernel of the {len(training.inputs)} training inputs is singular "
        f"(rank {ranks.min()} of {trained}): the network is too narrow for so many, or inputs coincide"
    ]
