"""How charges move in training: exactly, step by step, and by the formulas of continuous time.

Both are recursions, so that nothing grows and the learning rate may change from step to step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from estimators.mechanics.symmetries import Symmetry
from estimators.training.rules import Descent
from randtensor.errors import InputError

__all__ = ["ContinuousLaw", "ExactLaw", "Hyperparameters"]

Array = np.ndarray
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Hyperparameters:
    """What stochastic gradient descent does with a gradient g, in the order of operations of PyTorch's SGD.

    With weight decay lambda, momentum beta and dampening kappa, at the learning rate eta of the step::

        v <- beta v + (1 - kappa) (g + lambda theta)          v = g + lambda theta in the first step
        theta <- theta - eta v                                nesterov: theta - eta (g + lambda theta + beta v)

    Raises
    ------
    InputError : a number outside its range, or dampening or nesterov without momentum.

    >>> Hyperparameters(momentum=0.9, dampening=1.0)
    Traceback (most recent call last):
    ...
    randtensor.errors.InputError: dampening is 1.0, expected a number in [0, 1)
    """

    weight_decay: float = 0.0
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        Descent(1.0, self.momentum, self.dampening, self.nesterov)  # refuses what is wrong at any weight decay
        decay = self.weight_decay
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay < np.inf:
            raise InputError(f"weight_decay is {decay!r}, expected a non-negative number")
        if not 0 <= self.dampening < 1:
            raise InputError(f"dampening is {self.dampening!r}, expected a number in [0, 1)")

    @property
    def mixture(self) -> tuple[float, float]:
        """(a, b): a step goes along a (g + lambda theta) + b v."""
        if self.momentum == 0:
            return 1.0, 0.0
        return (1.0, self.momentum) if self.nesterov else (0.0, 1.0)


def check_learning_rate(value: Any) -> float:
    """A learning rate as a positive float.

    Raises
    ------
    InputError : anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise InputError(f"learning_rate is {value!r}, expected a positive number")
    return float(value)


@dataclass
class ExactLaw:
    """Charges after each step of stochastic gradient descent, without approximation.

    Because <g, xi> = 0 for the gradient of any batch, a charge moves by known multiples of itself, of the overlap
    <theta, v> of parameters and velocity, which obeys a recursion of its own, and of the signed squares Q of gradient
    and velocity. Without momentum this is c' = (1 - eta lambda) c for translations and
    c' = (1 - eta lambda)^2 c + eta^2 Q(g) for the others: the discrete form of Kunin et al. 2020, arXiv 2012.04728,
    equations (18) to (20). Momentum, dampening, look-ahead and changing learning rates are included.

    Parameters
    ----------
    symmetry : whose charges.
    hyperparameters : of the descent.
    charges : of the initial parameters, shape (units,).

    Examples
    --------
    >>> from estimators.mechanics import Part
    >>> law = ExactLaw(Symmetry("scale", (Part("w"),)), Hyperparameters(weight_decay=0.1), np.array([4.0]))
    >>> law.advance(1.0, {"w": np.array([1.0])}).tolist()  # 0.9^2 * 4 + 1
    [4.24]
    """

    symmetry: Symmetry
    hyperparameters: Hyperparameters
    charges: Array
    #: <theta, v> before the step (sums of v for translations)
    overlap: Array = field(init=False)
    steps: int = 0

    def __post_init__(self) -> None:
        self.charges = np.array(self.charges, dtype=float)
        self.overlap = np.zeros_like(self.charges)

    def begin(self, overlap: Array) -> None:
        """Start from a velocity whose products with the generators are ``overlap``, and not from rest."""
        self.overlap, self.steps = np.array(overlap, dtype=float), 1

    def advance(self, learning_rate: float, gradient: Arrays, velocity: Arrays | None = None) -> Array:
        """The charges after one more step.

        Parameters
        ----------
        learning_rate : of this step.
        gradient : of the batch, without weight decay, where the step begins.
        velocity : v after its update in this step; not needed without momentum or for translations.
        """
        given, eta = self.hyperparameters, check_learning_rate(learning_rate)
        beta, decay = given.momentum, given.weight_decay
        a, b = given.mixture
        keep = 1.0 if self.steps == 0 else 1 - given.dampening  # the first gradient is not dampened
        c = self.charges
        # <theta, v> or the sum of v, after its update: the gradient does not contribute to either
        x = beta * self.overlap + keep * decay * c
        along = a * decay * c + b * x
        if self.symmetry.linear:
            self.overlap = x
            self.charges = c - eta * along
        else:
            square, product, own = self._forms(gradient, velocity)
            direction = a * a * (square + decay**2 * c) + 2 * a * b * (product + decay * x) + b * b * own
            self.overlap = x - eta * (a * (product + decay * x) + b * own)
            self.charges = c - 2 * eta * along + eta**2 * direction
        self.steps += 1
        return self.charges

    def _forms(self, gradient: Arrays, velocity: Arrays | None) -> tuple[Any, Any, Any]:
        """Q(g), <g, v> and Q(v)."""
        form = self.symmetry.form
        if self.hyperparameters.momentum == 0:
            return form(gradient, gradient), 0.0, 0.0
        if velocity is None:
            raise InputError("velocity is None, expected that of the step: the momentum is positive")
        own = form(velocity, velocity)
        if not self.hyperparameters.nesterov:
            return 0.0, 0.0, own
        return form(gradient, gradient), form(gradient, velocity), own


@dataclass
class ContinuousLaw:
    """Charges after each step by the formulas of continuous time, Kunin et al. 2020, arXiv 2012.04728.

    Without momentum, equations (18) to (20): a translation charge decays by e^{-lambda t}; the others decay by
    e^{-2 lambda t}, and gain eta times the integral of e^{-2 lambda (t - s)} Q(g(s)), taken as the sum over the steps.
    With momentum they are damped oscillators, with t = eta (1 - kappa) per step::

        c'' + 2 gamma c' + omega^2 c = 2 Q(theta')        (0 for translations), c'(0) = 0
        gamma = (1 - beta) / (eta (1 - kappa) (1 + beta))
        omega^2 = 4 lambda / (eta (1 - kappa) (1 + beta))  (2 lambda for translations)

    solved from step to step through the exponential of a 2 x 2 matrix, whatever the damping. Their difference from
    `ExactLaw` is of order eta. They start from rest: a velocity at the start is not known to them.

    Parameters
    ----------
    symmetry, hyperparameters, charges : as for `ExactLaw`.

    Raises
    ------
    InputError : nesterov, for which there is no such formula.

    Examples
    --------
    >>> from estimators.mechanics import Part
    >>> law = ContinuousLaw(Symmetry("translation", (Part("w"),)), Hyperparameters(weight_decay=0.1), np.array([1.0]))
    >>> law.advance(1.0, {"w": np.array([5.0])}).round(6).tolist()  # e^-0.1
    [0.904837]
    """

    symmetry: Symmetry
    hyperparameters: Hyperparameters
    charges: Array
    #: dc/dt
    speed: Array = field(init=False)

    def __post_init__(self) -> None:
        if self.hyperparameters.nesterov:
            raise InputError("nesterov is True, expected False: the formulas of continuous time do not cover it")
        self.charges = np.array(self.charges, dtype=float)
        self.speed = np.zeros_like(self.charges)

    def advance(self, learning_rate: float, gradient: Arrays, velocity: Arrays | None = None) -> Array:
        """The charges after one more step; arguments as for `ExactLaw.advance`."""
        given, eta = self.hyperparameters, check_learning_rate(learning_rate)
        form, linear = self.symmetry.form, self.symmetry.linear
        decay = given.weight_decay * (1 if linear else 2)
        if given.momentum == 0:
            gained: Any = 0.0 if linear else eta**2 * form(gradient, gradient)
            self.charges = np.exp(-decay * eta) * (self.charges + gained)
            return self.charges
        time = eta * (1 - given.dampening)
        if not linear:
            if velocity is None:
                raise InputError("velocity is None, expected that of the step: the momentum is positive")
            # theta' is minus the velocity over 1 - kappa
            self.speed = self.speed + 2 * eta / (1 - given.dampening) * form(velocity, velocity)
        moved = _oscillation(time, given.momentum, decay) @ np.stack([self.charges, self.speed])
        self.charges, self.speed = moved[0], moved[1]
        return self.charges


@lru_cache(maxsize=64)  # learning rates that are in use at a time
def _oscillation(time: float, momentum: float, decay: float) -> Array:
    """What maps (c, c') to their values after a step of this length."""
    from scipy.linalg import expm

    mass = time * (1 + momentum)
    generator = np.array([[0.0, 1.0], [-2 * decay / mass, -2 * (1 - momentum) / mass]])
    return np.asarray(expm(generator * time))
