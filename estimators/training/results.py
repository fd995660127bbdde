"""The result of training many networks: observables, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from estimators._records import matching_schema
from estimators.training.specification import Training
from randtensor.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TrainingRun"]

Array = np.ndarray

_SCHEMA = "randtensor/training-run/1"


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What was recorded of networks in training; made by `train`.

    Attributes
    ----------
    name, fingerprint : of the training, in a few words and in all detail.
    sizes : sizes of the scales.
    steps : the steps that were recorded, shape (T,); those before the first divergence.
    values : by observable, arrays of shape (samples, T, ...). Each is also an attribute: ``run.loss``.
    diverged : for every sample the step at which it diverged, or -1.
    warnings : sentences about what a reader of the numbers has to know.
    seed : entropy of the random streams.
    training : what was run; None where the run was read from a record.

    Examples
    --------
    >>> import json, estimators, randtensor as rt
    >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"))
    >>> X, y = [[1.0], [-0.5]], [1.0, 0.5]
    >>> run = estimators.train(f, X, y, learning_rate=0.5, steps=4, n=64, samples=10, rng=0)
    >>> run
    <TrainingRun: training of mlp, 10 networks at n = 64, 5 records up to step 4: outputs, loss, linear_outputs, ...>
    >>> again = TrainingRun.from_dict(json.loads(json.dumps(run.to_dict())))
    >>> bool((again.loss == run.loss).all())
    True
    """

    name: str
    fingerprint: str
    sizes: Mapping[str, int]
    steps: Array
    values: Mapping[str, Array]
    diverged: Array
    warnings: tuple[str, ...] = ()
    seed: Any = None
    training: Training | None = None

    def __getitem__(self, name: str) -> Array:
        if name not in self.values:
            raise InputError(f"the run has no observable {name!r}, expected one of {', '.join(self.values)}")
        return self.values[name]

    def __getattr__(self, name: str) -> Array:
        # before a copy has its fields, looking for them would lead back here
        values: Mapping[str, Array] = self.__dict__.get("values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"the run has no attribute {name!r}; it recorded {', '.join(values)}")

    def summary(self, name: str, statistic: str = "rms") -> tuple[Array, Array]:
        """A statistic over samples, step by step, with its standard error.

        Parameters
        ----------
        name : observable.
        statistic : "rms" or "mean", over samples and over all other axes.

        Returns
        -------
        Values and standard errors, shape (T,); the errors are NaN where there is but one sample.

        Raises
        ------
        InputError : something that was not recorded, or another statistic.
        """
        if statistic not in ("rms", "mean"):
            raise InputError(f"statistic is {statistic!r}, expected 'rms' or 'mean'")
        values = self[name].reshape(*self[name].shape[:2], -1)
        count = len(values)
        per_sample = (values if statistic == "mean" else values**2).mean(axis=2)
        mean, error = per_sample.mean(axis=0), np.full(len(self.steps), np.nan)
        if count > 1:
            error = per_sample.std(axis=0, ddof=1) / count**0.5
        if statistic == "mean":
            return mean, error
        rms = np.sqrt(mean)
        # where the rms is zero every sample is
        return rms, np.divide(error, 2 * rms, out=0 * error, where=rms > 0)

    def plot(
        self, name: str, statistic: str = "rms", *, axes: str = "semilog", ax: Axes | None = None, level: float = 0.95
    ) -> Axes:
        """Draw a statistic of an observable against the steps, with a band for its error.

        Parameters
        ----------
        name, statistic : as for `summary`.
        axes : "linear", "semilog" (values logarithmic) or "loglog", which leaves step 0 out.
        ax : where to draw; None makes a figure.
        level : coverage of the band.

        Raises
        ------
        InputError : an argument outside its range.
        ImportError : matplotlib is not installed.
        """
        from estimators.training.plots import plot_run

        return plot_run(self, name, statistic, axes, ax, level)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it."""
        return {
            "schema": _SCHEMA,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "sizes": dict(self.sizes),
            "steps": self.steps.tolist(),
            "shapes": {name: list(values.shape) for name, values in self.values.items()},
            "values": {name: values.tolist() for name, values in self.values.items()},
            "diverged": self.diverged.tolist(),
            "warnings": list(self.warnings),
            "seed": self.seed if isinstance(self.seed, int | None) else [int(word) for word in self.seed],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> TrainingRun:
        """The run of which ``record`` is the `to_dict`; it does not hold the training itself.

        Raises
        ------
        InputError : a record of something else.
        """
        with matching_schema(record, _SCHEMA):
            shapes = record["shapes"]
            return cls(
                name=str(record["name"]),
                fingerprint=str(record["fingerprint"]),
                sizes={str(name): int(size) for name, size in record["sizes"].items()},
                steps=np.array(record["steps"], dtype=int),
                values={
                    str(name): np.array(values, dtype=float).reshape(shapes[name])
                    for name, values in record["values"].items()
                },
                diverged=np.array(record["diverged"], dtype=int),
                warnings=tuple(map(str, record["warnings"])),
                seed=record["seed"],
            )

    def __repr__(self) -> str:
        at = ", ".join(f"{name} = {size}" for name, size in self.sizes.items())
        last = f" up to step {self.steps[-1]}" if len(self.steps) else ""
        names = [*self.values][:3] + ["..."] * (len(self.values) > 3)
        count = len(self.diverged)
        networks = f"{count} network{'s' * (count > 1)}{' at ' + at if at else ''}"
        notes = "".join(f"\n  warning: {warning}" for warning in self.warnings)
        return f"<TrainingRun: {self.name}, {networks}, {len(self.steps)} records{last}: {', '.join(names)}>{notes}"
