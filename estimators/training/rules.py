"""Rules that move a point along gradients: stochastic gradient descent and gradient flow.

A rule only adds points and multiplies them by numbers. So one rule moves the parameters of a network, and the values of
its linearisation in function space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from randtensor.errors import InputError

__all__ = ["Adam", "Descent", "Flow", "Rule"]

Array = np.ndarray


class Rule(Protocol):
    """Moves a point by one step."""

    @property
    def learning_rate(self) -> float:
        """By how much."""

    def advance(self, point: Any, memory: Any, gradient: Callable[[Any], Any]) -> tuple[Any, Any]:
        """The point after the step and what the rule remembers; ``gradient`` gives that of the loss at a point."""


def _check_finite(rule: Any, *names: str) -> None:
    for name in names:
        value = getattr(rule, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise InputError(f"{name} is {value!r}, expected a finite number")


@dataclass(frozen=True)
class Descent:
    """Gradient descent with momentum, dampening and weight decay, in the order of operations that PyTorch's SGD has.

    With g the gradient of the loss plus ``weight_decay`` times the parameters: ``v <- momentum v + (1 - dampening) g``
    (``v = g`` in the first step), ``parameters <- parameters - learning_rate v``; with Nesterov's look-ahead v is
    replaced by ``g + momentum v`` in the last formula.

    >>> rule = Descent(learning_rate=0.5, momentum=0.9)
    >>> point, velocity = rule.advance(np.array([1.0]), None, lambda x: x)
    >>> point, velocity = rule.advance(point, velocity, lambda x: x)
    >>> float(point[0].round(6))
    -0.2
    """

    learning_rate: float
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        _check_finite(self, "learning_rate", "momentum", "dampening")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is {self.momentum!r}, expected a number in [0, 1)")
        if self.learning_rate < 0:
            raise InputError(f"learning_rate is {self.learning_rate!r}, expected a non-negative number")
        if self.dampening and not self.momentum:
            raise InputError(f"dampening is {self.dampening!r} and momentum is 0, expected a positive momentum with it")
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise InputError("nesterov is True, expected a positive momentum and no dampening with it")

    def advance(self, point: Any, memory: Any, gradient: Callable[[Any], Any]) -> tuple[Any, Any]:
        found = gradient(point)
        if self.momentum == 0:
            return point + found * -self.learning_rate, None
        velocity = found if memory is None else memory * self.momentum + found * (1 - self.dampening)
        direction = found + velocity * self.momentum if self.nesterov else velocity
        return point + direction * -self.learning_rate, velocity


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1), in the order of operations that PyTorch has.

    Points need ``squared``, ``over_root`` and ``rescaled`` beside sums and multiples.

    Attributes
    ----------
    learning_rate, betas, epsilon : as in the paper.
    rates : multiples of the learning rate, by parameter name.
    """

    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_finite(self, "learning_rate", "epsilon")
        if self.learning_rate < 0:
            raise InputError(f"learning_rate is {self.learning_rate!r}, expected a non-negative number")
        pair = isinstance(self.betas, tuple | list) and len(self.betas) == 2
        if not pair or not all(isinstance(b, int | float) and 0 <= b < 1 for b in self.betas):
            raise InputError(f"betas is {self.betas!r}, expected a pair of numbers in [0, 1)")
        if self.epsilon < 0:
            raise InputError(f"epsilon is {self.epsilon!r}, expected a non-negative number")

    def advance(self, point: Any, memory: Any, gradient: Callable[[Any], Any]) -> tuple[Any, Any]:
        found = gradient(point)
        (first, second), (step, mean, square) = self.betas, memory or (0, found * 0.0, found * 0.0)
        step += 1
        mean = mean * first + found * (1 - first)
        square = square * second + found.squared() * (1 - second)
        corrected = mean * (1 / (1 - first**step))
        direction = corrected.over_root(square * (1 / (1 - second**step)), self.epsilon)
        if self.rates:
            direction = direction.rescaled(self.rates)
        return point + direction * -self.learning_rate, (step, mean, square)


@dataclass(frozen=True)
class Flow:
    """Gradient flow over a time of ``learning_rate``, by the adaptive Runge-Kutta method of order 8 of SciPy.

    Attributes
    ----------
    learning_rate : time of one step.
    tolerance : relative error per integration step; the absolute one is a hundredth of it.

    Raises
    ------
    FlowError : from ``advance``, where the flow ends.
    InputError : from ``advance``, where it takes more than ``MOST_STEPS`` steps of integration.

    >>> point, _ = Flow(learning_rate=1.0).advance(np.array([1.0]), None, lambda x: x)
    >>> bool(abs(point[0] - np.exp(-1.0)) < 1e-8)
    True
    """

    learning_rate: float
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        for name in ("learning_rate", "tolerance"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
                raise InputError(f"{name} is {value!r}, expected a positive number")

    def advance(self, point: Any, memory: Any, gradient: Callable[[Any], Any]) -> tuple[Any, Any]:
        from scipy.integrate import DOP853

        layout, step, time, end, steps = layout_of(point), memory, 0.0, self.learning_rate, 0
        while time < end:
            try:
                field = _Field(gradient, layout)
                first = None if step is None else min(step, end - time)
                solver: Any = DOP853(
                    field, time, layout.vector(point), end, first_step=first,
                    rtol=self.tolerance, atol=self.tolerance / 100,
                )  # fmt: skip
                while solver.status == "running":
                    last = solver.h_abs
                    message, steps = solver.step(), steps + 1
                    if steps > MOST_STEPS:
                        raise InputError(
                            f"tolerance is {self.tolerance:g}, which after {MOST_STEPS} steps of integration has led "
                            f"to the time {solver.t:.3g} of {end:g}: expected a larger one, such as 1e-3 where "
                            f"gradients jump as those of ReLU networks do, or more and shorter steps of training"
                        )
                    if solver.status == "failed":
                        raise FlowError(f"the gradient flow cannot be followed beyond time {solver.t:g}: {message}")
                    point, time = layout.point(solver.y), solver.t
                    # the last step of an interval is cut short: its length says nothing about the next one
                    step = max(last, solver.h_abs) if solver.status == "finished" else solver.h_abs
            except LayoutError as grown:
                layout = grown.layout
        return point, step


#: Smooth flows take tens of steps of integration per step of training.
MOST_STEPS = 2000


class FlowError(Exception):
    """A gradient flow that ends, as one does that reaches infinity in finite time."""


@dataclass(frozen=True)
class _Field:
    """Minus the gradient, as a function of time and of numbers."""

    gradient: Callable[[Any], Any]
    layout: Layout

    def __call__(self, time: float, numbers: Array) -> Array:
        return -self.layout.vector(self.gradient(self.layout.point(numbers)))


class LayoutError(Exception):
    """A vector that does not fit a layout, with a layout that it fits."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout


class Layout(Protocol):
    """How the points of a vector space are laid out as arrays of numbers."""

    def vector(self, point: Any) -> Array:
        """The numbers of a point.

        Raises
        ------
        LayoutError : there are more of them than fit.
        """

    def point(self, vector: Array) -> Any:
        """The point with these numbers."""


def layout_of(point: Any) -> Layout:
    """The layout of the space that a point belongs to."""
    make = getattr(point, "layout", None)
    found: Layout = ArrayLayout(np.shape(point)) if make is None else make()
    return found


@dataclass(frozen=True)
class ArrayLayout:
    """Arrays of one shape."""

    shape: tuple[int, ...]

    def vector(self, point: Any) -> Array:
        return np.asarray(point, dtype=float).ravel()

    def point(self, vector: Array) -> Any:
        return vector.reshape(self.shape)
