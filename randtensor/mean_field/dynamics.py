"""Gradient flow and gradient descent of neurons, in the mean-field time scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.checks import check_positive, check_times
from randtensor.mean_field.neurons import Neurons
from randtensor.mean_field.risks import Risk, velocity

__all__ = ["GradientDescent", "GradientFlow", "dissipation"]

Array = NDArray[np.float64]

_BEYOND = 1e100  # weights this large are on their way to infinity: outputs grow with their square


def dissipation(risk: Risk, neurons: Neurons) -> Array:
    """-dF/dt along the flow: the mean over the neurons of a'^2 + |b'|^2, shape (...).

    For balanced neurons that is the integral of 2 G^2 + |grad G|^2 over the masses of both signs, in the terms of
    `wasserstein_fisher_rao` with G's rate and gradient: a'^2 = |b|^2 G^2, |b'|^2 = a^2 (G^2 + |grad G|^2).
    """
    a, b = velocity(risk, neurons)
    return np.asarray((a**2).mean(axis=-1) + (b**2).sum(axis=-1).mean(axis=-1))


@dataclass(frozen=True, eq=False)
class GradientDescent:
    """Gradient descent with the step size multiplied by the width, (a, b) += eta (a', b'), so that t = eta steps.

    Parameters
    ----------
    risk : what is minimised, or a function from the number of a step, from 0 on, to the risk of that step, as for fresh
        batches.
    rate : the step size eta, before the factor m.

    Raises
    ------
    InputError : no risk; a rate that is no positive number; while it runs, weights that grow without bound, with the
        step at which they do.
    ShapeError : neurons of another dimension than the inputs.

    Examples
    --------
    >>> from randtensor.mean_field import EmpiricalRisk
    >>> risk = EmpiricalRisk([[1.0], [-1.0]], [1.0, 1.0])
    >>> start = Neurons([1.0, 1.0], [[1.0], [-1.0]])
    >>> end = GradientDescent(risk, 0.5).after(start, 40)
    >>> end([[3.0]]).round(6).tolist()
    [3.0]
    >>> GradientDescent(risk, 50.0).after(start, 40)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    randtensor.errors.InputError: rate is 50, at which gradient descent diverged at step ..., expected a smaller one
    """

    risk: Risk | Callable[[int], Risk]
    rate: float

    def __post_init__(self) -> None:
        if not callable(self.risk):
            _check_risk(self.risk, "a risk, or a function from the number of a step to one")
        check_positive("rate", self.rate)

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the dynamics."""
        return f"descent:{self.rate!r}:{_fingerprint(self.risk)}"

    def elements(self, width: int) -> int:
        """Numbers held at once per network."""
        return width if callable(self.risk) else self.risk.elements(width)

    def after(self, neurons: Neurons, steps: int) -> Neurons:
        """The neurons after so many steps."""
        return next(self.trajectory(neurons, [steps]))

    def trajectory(self, neurons: Neurons, steps: Iterable[int]) -> Iterator[Neurons]:
        """The neurons after the given numbers of steps, which ascend."""
        a, b, done = neurons.a, neurons.b, 0
        for end in check_times("steps", steps).tolist():
            if end != int(end):
                raise InputError(f"steps has {end!r}, expected whole numbers")
            for step in range(done, int(end)):
                risk = self.risk(step) if callable(self.risk) else self.risk
                with np.errstate(over="ignore", invalid="ignore"):
                    da, db = velocity(risk, _unchecked(a, b))
                    a, b = a + self.rate * da, b + self.rate * db
                _check_bounded(a, b, f"rate is {self.rate:g}, at which gradient descent diverged at step {step + 1}")
            done = int(end)
            yield _unchecked(a, b)


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """Gradient flow a' = b . g(b), b' = a g(b), integrated numerically.

    Parameters
    ----------
    risk : what is minimised.
    step : of the classical Runge-Kutta method of order four. Every network of a block is integrated by itself, so that
        its bits do not depend on the others.
    tolerance : relative and absolute error per step of SciPy's DOP853, in place of ``step``; for one network.

    Raises
    ------
    InputError : no risk; both or none of ``step`` and ``tolerance``; while it runs, weights that grow without bound.
    ShapeError : neurons of another dimension than the inputs; several networks with a tolerance.

    Examples
    --------
    >>> from randtensor.mean_field import GaussianRisk, SubspaceNorm
    >>> flow = GradientFlow(GaussianRisk(SubspaceNorm(4, 2)), step=0.1)
    >>> start = Neurons([1.0, -1.0], [[0.6, 0.0, 0.8, 0.0], [0.0, 0.0, 0.0, 1.0]])
    >>> late = flow.after(start, 6.0)
    >>> bool(abs(late.imbalance()).max() < 1e-4)
    True
    """

    risk: Risk
    step: float | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        _check_risk(self.risk, "a risk")
        if (self.step is None) == (self.tolerance is None):
            raise InputError(f"step is {self.step!r} and tolerance {self.tolerance!r}, expected one of them")
        name, value = ("step", self.step) if self.tolerance is None else ("tolerance", self.tolerance)
        check_positive(name, value)

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the dynamics."""
        return f"flow:{self.step!r}:{self.tolerance!r}:{_fingerprint(self.risk)}"

    def elements(self, width: int) -> int:
        """Numbers held at once per network."""
        return self.risk.elements(width)

    def after(self, neurons: Neurons, time: float) -> Neurons:
        """The neurons at one time."""
        return next(self.trajectory(neurons, [time]))

    def trajectory(self, neurons: Neurons, times: Iterable[float]) -> Iterator[Neurons]:
        """The neurons at the given times, which ascend from 0."""
        ends = check_times("times", times).tolist()
        if self.step is not None:
            yield from self._fixed(neurons, ends, self.step)
        elif self.tolerance is not None:
            yield from self._adaptive(neurons, ends, self.tolerance)

    def _fixed(self, neurons: Neurons, ends: list[float], step: float) -> Iterator[Neurons]:
        a, b, now = neurons.a, neurons.b, 0.0

        def slope(a: Array, b: Array) -> tuple[Array, Array]:
            return velocity(self.risk, _unchecked(a, b))

        for end in ends:
            count = int(np.ceil((end - now) / step - 1e-9))
            h = (end - now) / max(count, 1)
            for number in range(count):
                with np.errstate(over="ignore", invalid="ignore"):
                    a1, b1 = slope(a, b)
                    a2, b2 = slope(a + h / 2 * a1, b + h / 2 * b1)
                    a3, b3 = slope(a + h / 2 * a2, b + h / 2 * b2)
                    a4, b4 = slope(a + h * a3, b + h * b3)
                    a, b = a + h / 6 * (a1 + 2 * (a2 + a3) + a4), b + h / 6 * (b1 + 2 * (b2 + b3) + b4)
                reached = now + (number + 1) * h
                _check_bounded(a, b, f"step is {step:g}, at which the integration diverged at time {reached:.6g}")
            now = end
            yield _unchecked(a, b)

    def _adaptive(self, neurons: Neurons, ends: list[float], tolerance: float) -> Iterator[Neurons]:
        from scipy.integrate import solve_ivp

        if neurons.a.ndim != 1:
            raise ShapeError(f"neurons have shape {neurons.a.shape}, expected (m,): give step= for several networks")
        width = neurons.width

        def unpack(state: Array) -> Neurons:
            return _unchecked(state[:width], state[width:].reshape(width, -1))

        def slope(_: float, state: Array) -> Array:
            a, b = velocity(self.risk, unpack(state))
            return np.concatenate([a, b.ravel()])

        state, now = np.concatenate([neurons.a, neurons.b.ravel()]), 0.0
        for end in ends:
            if end > now:
                found = solve_ivp(slope, (now, end), state, method="DOP853", rtol=tolerance, atol=tolerance)
                if not found.success:
                    reached = f"{found.t[-1]:.6g}"
                    raise InputError(
                        f"tolerance is {tolerance:g}, at which integration ended at time {reached}, expected another"
                    )
                state, now = found.y[:, -1], end
            yield unpack(state)


def _unchecked(a: Array, b: Array) -> Neurons:
    """Neurons whose entries are not looked at: they come out of a step, whose result is checked for growth."""
    neurons = object.__new__(Neurons)
    object.__setattr__(neurons, "a", a)
    object.__setattr__(neurons, "b", b)
    return neurons


def _check_risk(risk: Any, expected: str) -> None:
    if not hasattr(risk, "field"):
        raise InputError(f"risk is {risk!r}, expected {expected}")


def _check_bounded(a: Array, b: Array, what: str) -> None:
    largest = max(float(np.abs(a).max()), float(np.abs(b).max()))
    if not largest < _BEYOND:
        raise InputError(f"{what}, expected a smaller one")


def _fingerprint(risk: Any) -> str:
    return str(getattr(risk, "fingerprint", None) or getattr(risk, "__qualname__", risk))
