"""One number of a training run as a quantity: for estimates, scalings and claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from estimators.training.divergence import Divergence, divergence_message
from estimators.training.observables import Observable, observables
from estimators.training.specification import Training
from randtensor.errors import InputError
from randtensor.quantity import Draw, Quantity, Sizes

__all__ = ["TrainingQuantity"]

Array = np.ndarray


def _flat(values: Array) -> Array:
    return values.reshape(len(values), -1)


_REDUCTIONS: dict[str, Callable[[Array], Array]] = {
    "rms": lambda values: np.sqrt(np.mean(_flat(values) ** 2, axis=1)),
    "mean": lambda values: _flat(values).mean(axis=1),
    "max": lambda values: abs(_flat(values)).max(axis=1),
    "frobenius": lambda values: np.linalg.norm(_flat(values), axis=1),
    "spectral": lambda values: np.linalg.norm(values, ord=2, axis=(-2, -1)),
}


class TrainingQuantity(Quantity):
    """An observable of a training run at one step, reduced to a number per network.

    Parameters
    ----------
    training : the run.
    observable : a name, see ``estimators.training.OBSERVABLES``, or an ``Observable``.
    step : the step; None for the last one. Of several the largest absolute value counts.
    at : the inputs that count: "all", "train", "test", or positions among them.
    reduce : "rms", "mean", "max" (of absolute values), "frobenius" or "spectral" over what is left; None where that is
        one number.

    Raises
    ------
    InputError : an unknown name, a step beyond the end, or a selection that does not exist; when sampled, a network
        that diverges.

    Examples
    --------
    >>> import estimators, randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"))
    >>> run = estimators.Training(f, [[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0], learning_rate=0.5, steps=5)
    >>> error = TrainingQuantity(run, "linearization_error")
    >>> estimators.scaling(error, statistic="rms", n=[64, 256, 1024], samples=100, rng=0).exponent < -0.8
    True
    """

    def __init__(
        self,
        training: Training,
        observable: str | Observable,
        *,
        step: int | Sequence[int] | None = None,
        at: Any = "all",
        reduce: str | None = "rms",
    ) -> None:
        if not isinstance(training, Training):
            raise InputError(f"training is {training!r}, expected an estimators.Training")
        (self.observable,) = observables([observable], "observable")
        if reduce is not None and reduce not in _REDUCTIONS:
            raise InputError(f"reduce is {reduce!r}, expected one of {', '.join(_REDUCTIONS)}, or None")
        steps = training.steps if step is None else step
        self.steps = tuple(steps) if isinstance(steps, Sequence) else (steps,)
        if not self.steps:
            raise InputError(f"step is {step!r}, expected a step from 0 to {training.steps} or several")
        for each in self.steps:
            if isinstance(each, bool) or not isinstance(each, int | np.integer) or not 0 <= each <= training.steps:
                raise InputError(f"step is {each!r}, expected a step from 0 to {training.steps}")
        self.training, self.at, self.reduce = training, at, reduce
        self.scale_names = training.scale_names
        self._chosen = self._positions(at)

    @property
    def name(self) -> str:
        steps = self.steps[0] if len(self.steps) == 1 else f"<= {max(self.steps)}"
        return f"{self.observable.name} of {self.training.function.name} at step {steps}"

    @property
    def fingerprint(self) -> str:
        chosen = "all" if self._chosen is None else self._chosen.tolist()
        return f"{self.observable.name}@{self.steps}:{chosen}:{self.reduce}:{self.training.fingerprint}"

    def occurrences(self) -> tuple[object, ...]:
        return (self.training.function.space,)

    def block_length(self, sizes: Sizes) -> int:
        return self.training.block_length(sizes)

    def evaluate(self, draw: Draw) -> Array:
        found: list[Array] = []
        divergence = Divergence(draw.batch)
        # what overflows on the way to a divergence is reported as such
        with np.errstate(over="ignore", invalid="ignore"):
            for snapshot in self.training.snapshots(draw, self.steps, [self.observable], divergence):
                found.append(self._reduced(np.asarray(self.observable.compute(snapshot))))
        if divergence.dead.any():
            raise InputError(divergence_message(self.training, draw.sizes, divergence.steps, divergence.subjects))
        return found[0] if len(found) == 1 else np.max(np.abs(found), axis=0)

    def _reduced(self, values: Array) -> Array:
        if self._chosen is not None:
            for axis in self.observable.input_axes:
                values = self._take(values, axis)
        if self.reduce == "spectral" and values.ndim != 3:
            raise InputError(
                f"reduce is 'spectral' for {self.observable.name} of shape {values.shape[1:]}, expected a matrix"
            )
        if self.reduce is not None:
            return _REDUCTIONS[self.reduce](values)
        if values[0].size != 1:
            raise InputError(
                f"reduce is None for {self.observable.name} of shape {values.shape[1:]}, expected one of "
                f"{', '.join(_REDUCTIONS)}"
            )
        return values.reshape(len(values))

    def _take(self, values: Array, axis: int) -> Array:
        count = len(self.training.points)
        width = values.shape[axis] // count
        assert self._chosen is not None
        rows = (self._chosen[:, None] * width + np.arange(width)).ravel()
        return np.asarray(np.take(values, rows, axis=axis))

    def _positions(self, at: Any) -> Array | None:
        count, trained = len(self.training.points), len(self.training.inputs)
        if isinstance(at, str):
            named = {"all": None, "train": np.arange(trained), "test": np.arange(trained, count)}
            if at in named and (at != "test" or trained < count):
                return named[at]
        else:
            chosen = np.atleast_1d(np.asarray(at))
            if chosen.dtype.kind in "iu" and chosen.size and (chosen >= 0).all() and (chosen < count).all():
                return chosen
        tests = ", 'test'" if trained < count else ""
        raise InputError(f"at is {at!r}, expected 'all', 'train'{tests} or positions from 0 to {count - 1}")
