"""Numbers of mean-field networks along their training as quantities: for estimates, scalings and claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from randtensor.errors import InputError, ShapeError
from randtensor.mean_field import GradientDescent, GradientFlow, Initialization, Neurons
from randtensor.mean_field.checks import check_times
from randtensor.orders import Scale
from randtensor.quantity import Draw, Quantity, Sizes

__all__ = ["NeuronQuantity"]

Array = np.ndarray

_HELD = 2**16  # numbers that a block holds at once: what fits into the cache of a processor
_LONGEST = 512


class NeuronQuantity(Quantity):
    """An observable of two-layer networks from random neurons, at the start or after training, as a random number.

    Parameters
    ----------
    width : the scale that counts the neurons.
    start : the law of the neurons. Quantities with the same start, drawn together, observe the same networks.
    observable : from the networks of a block (a `Neurons` with one leading axis) to an array (networks, *shape). With
        several times it is called with one `Neurons` for each.
    dynamics : `GradientDescent` or `GradientFlow`; None for networks as they start.
    time : the time, or the number of steps, after which networks are observed; several in ascending order.
    shape : of one sample.
    name : identifies the observable; random streams are keyed by it, by the start and by the dynamics.

    Raises
    ------
    InputError : arguments of another kind; a time without dynamics or none with them, times that do not ascend; when
        sampled, dynamics that diverge.
    ShapeError : when sampled, an observable of another shape.

    Examples
    --------
    Three times the width, one third of the squared output of independent neurons:

    >>> import estimators, randtensor as rt
    >>> from randtensor import mean_field as mf
    >>> start = mf.Initialization(3)
    >>> m = rt.Scale("m")
    >>> output = NeuronQuantity(m, start, lambda f: f([[1.0, 0.0, 0.0]])[:, 0], name="output")
    >>> estimate = estimators.estimate(output * output, n=8, statistic="mean", samples=4000, rng=0)
    >>> abs(estimate.value * 6 * 8 - 1) < 0.1
    True
    """

    def __init__(
        self,
        width: Scale,
        start: Initialization,
        observable: Callable[..., Any],
        dynamics: GradientDescent | GradientFlow | None = None,
        time: float | Sequence[float] | None = None,
        *,
        shape: tuple[int, ...] = (),
        name: str,
    ) -> None:
        for argument, value, kind in (("width", width, Scale), ("start", start, Initialization)):
            if not isinstance(value, kind):
                raise InputError(f"{argument} is {value!r}, expected an object of the class {kind.__name__}")
        if not callable(observable):
            raise InputError(f"observable is {observable!r}, expected a function of networks")
        if (dynamics is None) != (time is None):
            raise InputError(f"time is {time!r} and dynamics {dynamics!r}, expected both or none")
        self.start, self.observable, self.dynamics = start, observable, dynamics
        self.times: tuple[Any, ...] = () if time is None else tuple(np.atleast_1d(np.asarray(time)).tolist())
        if self.times:
            check_times("time", self.times)
        self.shape, self.name, self.scale_names = shape, name, (width.name,)

    @property
    def fingerprint(self) -> str:
        dynamics = "" if self.dynamics is None else self.dynamics.fingerprint
        return f"neurons:{self.name}@{self.times}:{self.shape}:{self.start.fingerprint}:{dynamics}"

    def occurrences(self) -> tuple[object, ...]:
        return (self.start,)

    def block_length(self, sizes: Sizes) -> int:
        (width,) = sizes.values()
        held = width if self.dynamics is None else self.dynamics.elements(width)
        return int(np.clip(_HELD // held, 1, _LONGEST))

    def evaluate(self, draw: Draw) -> Array:
        (width,) = (draw.sizes[name] for name in self.scale_names)
        key = (self.start, width)
        neurons = draw.remember(key, lambda: self.start.sample(width, draw.batch, rng=draw.generator))
        states = draw.remember((key, self.dynamics, self.times), lambda: self._states(neurons))
        values = np.asarray(self.observable(*states), dtype=float)
        if values.shape != (draw.batch, *self.shape):
            raise ShapeError(
                f"{self.name} has shape {values.shape} for {draw.batch} networks, expected {(draw.batch, *self.shape)}"
            )
        return values

    def _states(self, neurons: Neurons) -> tuple[Neurons, ...]:
        return (neurons,) if self.dynamics is None else tuple(self.dynamics.trajectory(neurons, self.times))
