"""The coordinate check: how the activations of every layer scale with width after a few steps of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from estimators._points import counts_at, sizes_at
from estimators.estimation import from_draws
from estimators.rates import fit_rate
from estimators.sampling import Progress, draw_samples
from estimators.scalings import Scaling, from_estimates
from estimators.sources import Source, identify
from estimators.statistics import Statistic
from estimators.training.divergence import Divergence, divergence_message
from estimators.training.observables import Observable
from estimators.training.quantities import TrainingQuantity
from estimators.training.snapshots import Snapshot
from estimators.training.specification import Training
from randtensor.errors import InputError
from randtensor.quantity import Draw, Quantity, Sizes
from randtensor.seeding import Seed, root_sequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CoordinateCheck", "coordinate_check", "layer_scale"]

Array = np.ndarray

#: What is measured of a layer: its activations, or what training has added to them.
Kind = Literal["activations", "change"]

#: The name under which the outputs of the function stand among the layers.
OUTPUT = "output"


@dataclass(frozen=True, eq=False)
class CoordinateCheck:
    """Exponents of the activations of every layer in the width, step by step; made by `coordinate_check`.

    Attributes
    ----------
    layers : names of the layers, and "output".
    steps : the steps at which they were measured.
    n : widths.
    scalings : by (kind, layer, step), with kind "activations" or "change", the `Scaling` of the root mean square over
        coordinates, inputs and networks; None where that is exactly 0 at some width.
    training : what was trained.
    """

    layers: tuple[str, ...]
    steps: tuple[int, ...]
    n: tuple[int, ...]
    scalings: Mapping[tuple[str, str, int], Scaling | None]
    training: Training

    def scaling(self, layer: str, step: int | None = None, kind: Kind = "activations") -> Scaling | None:
        """The `Scaling` of a layer at a step, the last one if not given.

        Raises
        ------
        InputError : a layer, a step or a kind that was not measured.
        """
        key = (kind, layer, self.steps[-1] if step is None else step)
        if key not in self.scalings:
            raise InputError(
                f"layer, step and kind are {(layer, step, kind)}, expected a layer among {', '.join(self.layers)}, a "
                f"step among {', '.join(map(str, self.steps))} and 'activations' or 'change' (from step 1 on)"
            )
        return self.scalings[key]

    def exponent(self, layer: str, step: int | None = None, kind: Kind = "activations") -> float:
        """The power of the width; -inf where the activations are exactly 0."""
        found = self.scaling(layer, step, kind)
        return -np.inf if found is None else found.exponent

    def interval(
        self, layer: str, step: int | None = None, kind: Kind = "activations", level: float = 0.95
    ) -> tuple[float, float]:
        """Confidence interval of the exponent, see `RateFit.interval`; infinite where there is none."""
        found = self.scaling(layer, step, kind)
        return (-np.inf, -np.inf) if found is None else found.interval(level)

    def __str__(self) -> str:
        width = max(map(len, (*self.layers, "layer")))
        rows = [f"{'layer':<{width}}  step  activations              change"]
        for layer in self.layers:
            for step in self.steps:
                cells = [self._cell(kind, layer, step) for kind in ("activations", "change")]
                rows.append(f"{layer:<{width}}  {step:>4}  {cells[0]:<23}  {cells[1]}".rstrip())
        return "\n".join(rows)

    def _cell(self, kind: str, layer: str, step: int) -> str:
        if (kind, layer, step) not in self.scalings:
            return ""
        found = self.scalings[kind, layer, step]
        if found is None:
            return "0"
        low, high = found.interval(0.95)
        return f"{found.exponent:6.3f} [{low:.3f}, {high:.3f}]"

    def plot(self, kind: Kind = "activations", ax: Axes | None = None) -> Axes:
        """Draw the root mean square of every layer at the last step against the width.

        Raises
        ------
        ImportError : matplotlib is not installed.
        """
        from estimators.training.plots import plot_coordinates

        return plot_coordinates(self, kind, ax)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "schema": "randtensor/coordinate-check/1",
            "training": self.training.name,
            "layers": list(self.layers),
            "steps": list(self.steps),
            "n": list(self.n),
            "scalings": [
                {"kind": kind, "layer": layer, "step": step, "scaling": None if found is None else found.to_dict()}
                for (kind, layer, step), found in self.scalings.items()
            ],
        }


def coordinate_check(
    factory: Any,
    widths: Sequence[int],
    X: Any,
    y: Any,
    *,
    steps: int = 3,
    record: Sequence[int] | None = None,
    samples: int | Sequence[int] = 20,
    rng: Seed = None,
    correction: Any = "auto",
    jobs: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> CoordinateCheck:
    """How the size of the activations of every layer scales with width, at the start and after steps of training.

    A parametrisation that learns features at every width has activations, and changes of activations, that neither
    vanish nor explode: exponents 0 (Yang & Hu 2021, arXiv 2011.14522; Yang et al. 2022, arXiv 2203.03466,
    where the curves of such a check are judged by eye).

    1. At every width, networks are initialised and trained side by side.
    2. Per network, layer and step: the root mean square over coordinates and inputs of the activations, and of what
       they have changed by since the start.
    3. The exponent of its root mean square over networks, with the interval of `fit_rate`.

    Parameters
    ----------
    factory : a random function; or a factory of modules of PyTorch or of pairs for JAX, or a mapping from widths to
        functions without arguments, see ``randtensor.interop.random_function``.
    widths : at least two.
    X, y : training inputs and targets.
    steps : of training.
    record : the steps at which layers are measured; None for all.
    samples : networks per width: one number, or one per width.
    rng : seed; the same seed gives the same bits, whatever ``jobs`` is.
    correction : see `fit_rate`.
    jobs, progress : see `estimate`.
    options : of `Training`: learning_rate, optimizer, rates, loss, batch, ...

    Raises
    ------
    InputError, ShapeError : arguments outside their ranges, a function without layers, or training that diverges.

    Examples
    --------
    In NTK parametrisation the activations change by less and less, as n^(-1/2):

    >>> import estimators, randtensor as rt
    >>> f = rt.networks.mlp(inputs=2, width=rt.Scale("n"), hidden_layers=2, parametrization="ntk")
    >>> X, y = [[1.0, 0.0], [0.6, 0.8]], [1.0, -1.0]
    >>> found = coordinate_check(f, [64, 256, 1024], X, y, steps=2, learning_rate=0.5, samples=40, rng=0)
    >>> found.layers
    ('activation 1', 'activation 2', 'output')
    >>> low, high = found.interval("activation 2", kind="change")
    >>> low < -0.5 < high
    True
    """
    from randtensor.interop import random_function

    training = Training(random_function(factory), X, y, steps=steps, **options)
    recorded = _recorded(record, steps)
    quantity = _LayerScales(training, recorded)
    if isinstance(widths, str | Mapping) or not isinstance(widths, Iterable):
        raise InputError(f"widths is {widths!r}, expected a list of at least two widths that all differ")
    sizes, axis = sizes_at(quantity, widths, None, fewest="two")
    counts, root = counts_at(samples, len(sizes)), root_sequence(rng)
    order = sorted(range(len(sizes)), key=lambda i: sizes[i][axis])
    sizes, counts = [sizes[i] for i in order], [counts[i] for i in order]
    n = tuple(size[axis] for size in sizes)
    if len(set(n)) < max(2, len(n)):
        raise InputError(f"widths is {list(widths)!r}, expected at least two widths that all differ")
    fit_rate(n, np.ones(len(n)), correction=correction)  # refuses a correction that cannot be used, before the work
    statistic = Statistic.of("rms")
    for count in counts:
        statistic.require(count, 1, False)
    # the names of the layers are known when the first network is
    drawn = draw_samples(quantity, sizes, counts, root, jobs=jobs, progress=progress)
    scalings: dict[tuple[str, str, int], Scaling | None] = {}
    for k, kind in enumerate(("activations", "change")):
        for i, layer in enumerate(quantity.layers):
            for t, step in enumerate(recorded):
                columns = [draws[:, k, t, i] for draws in drawn]
                if kind == "change" and step == 0:
                    continue
                if not all(column.any() for column in columns):
                    scalings[kind, layer, step] = None
                    continue
                name = f"{kind} of {layer} at step {step}"
                identity = identify(f"{name}:{quantity.fingerprint}")
                estimates = tuple(
                    from_draws(column, statistic, size, (Source.of(root, 0, len(column)),), 1, False, identity, None)
                    for column, size in zip(columns, sizes, strict=True)
                )
                scalings[kind, layer, step] = from_estimates(estimates, axis, name, correction, False, True)
    return CoordinateCheck(quantity.layers, recorded, n, scalings, training)


def _recorded(record: Any, steps: int) -> tuple[int, ...]:
    """The steps at which layers are measured, in order."""
    given = list(range(steps + 1) if record is None else record if isinstance(record, Iterable) else ())
    if not given or not all(isinstance(s, int | np.integer) and 0 <= s <= steps for s in given):
        raise InputError(f"record is {record!r}, expected a list of steps from 0 to {steps}")
    return tuple(sorted(set(given)))


def layer_scale(
    training: Training, layer: str, step: int | None = None, kind: Kind = "activations"
) -> TrainingQuantity:
    """The root mean square over coordinates and inputs of a layer in training, as a quantity for claims.

    Parameters
    ----------
    training : the run.
    layer : its name, as `coordinate_check` gives it; "output" for the outputs of the function.
    step : None for the last.
    kind : "activations", or "change" since the start.

    Raises
    ------
    InputError : another kind, or a step beyond the end; when sampled, a layer that does not exist.
    """
    if kind not in ("activations", "change"):
        raise InputError(f"kind is {kind!r}, expected 'activations' or 'change'")

    def compute(snapshot: Snapshot) -> Array:
        names, values = _layers(snapshot, kind)
        if layer not in names:
            raise InputError(f"layer is {layer!r}, expected one of {', '.join(names)}")
        return values[:, names.index(layer)]

    return TrainingQuantity(training, Observable(f"{kind} of {layer}", compute), step=step, reduce=None)


def _layers(snapshot: Snapshot, kind: str) -> tuple[tuple[str, ...], Array]:
    """Names of the layers, and root mean squares over coordinates and inputs, shape (batch, layers)."""
    rows = snapshot.feature_scale if kind == "activations" else snapshot.feature_change
    outputs = snapshot.outputs if kind == "activations" else snapshot.outputs - snapshot.initial.outputs
    last = np.sqrt(np.mean(outputs.reshape(len(outputs), -1) ** 2, axis=1))
    layers = np.sqrt(np.mean(rows**2, axis=2))
    return (*snapshot.layers, OUTPUT), np.concatenate([layers, last[:, None]], axis=1)


class _LayerScales(Quantity):
    """What is measured of all layers at all steps, of one training: shape (2, steps, layers)."""

    def __init__(self, training: Training, steps: Sequence[int]) -> None:
        self.training, self.steps, self.scale_names = training, tuple(steps), training.scale_names
        self.name = f"coordinate check of {training.name}"
        self.layers: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        return f"coordinates:{self.steps}:{self.training.fingerprint}"

    def block_length(self, sizes: Sizes) -> int:
        return self.training.block_length(sizes)

    def evaluate(self, draw: Draw) -> Array:
        divergence, found = Divergence(draw.batch), []
        with np.errstate(over="ignore", invalid="ignore"):
            for snapshot in self.training.snapshots(draw, self.steps, [], divergence):
                names, activations = _layers(snapshot, "activations")
                found.append(np.stack([activations, _layers(snapshot, "change")[1]], axis=1))
        if divergence.dead.any():
            raise InputError(divergence_message(self.training, draw.sizes, divergence.steps, divergence.subjects))
        values = np.stack(found, axis=2)
        self.layers, self.shape = names, values.shape[1:]
        return values
