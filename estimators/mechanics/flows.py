"""Continuous models of descent: gradient flow, the modified loss, and the modified flow of second order in time.

A field is a function of time and state. Kunin et al. 2020, arXiv 2012.04728, section 5, call the two constructions the
modified loss (higher derivatives of L) and the modified flow (higher derivatives in time).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from estimators.mechanics.laws import Hyperparameters, check_learning_rate
from estimators.mechanics.objectives import Objective
from randtensor.arguments import positive_integer
from randtensor.errors import InputError

__all__ = [
    "gradient_field",
    "integrate",
    "modified_loss_field",
    "modified_velocity",
    "runge_kutta",
    "second_order_field",
]

Array = np.ndarray
VectorField = Callable[[float, Array], Array]


def gradient_field(objective: Objective, *, momentum: float = 0.0, weight_decay: float = 0.0) -> VectorField:
    """Gradient flow theta' = -(g + lambda theta) / (1 - beta): what descent is to leading order.

    >>> from estimators.mechanics import FunctionObjective
    >>> bowl = FunctionObjective({"x": (1,)}, lambda p, b: (p["x"] @ p["x"]) / 2, lambda p, b: {"x": p["x"]})
    >>> end = integrate(gradient_field(bowl), np.array([1.0]), 1.0)
    >>> bool(abs(end[0] - np.exp(-1)) < 1e-9)
    True
    """
    given = Hyperparameters(weight_decay, momentum)

    def field(time: float, point: Array) -> Array:
        return np.asarray(-(objective.gradient(point) + given.weight_decay * point) / (1 - given.momentum))

    return field


def modified_velocity(
    objective: Objective, point: Array, learning_rate: float, *, momentum: float = 0.0, weight_decay: float = 0.0
) -> Array:
    """The velocity that descent has at a point, to second order in the learning rate.

    It is minus the gradient of L + eta (1 + beta) / (4 (1 - beta)^2) |grad L|^2, over 1 - beta, with the weight decay
    in L: ``-(g + eta (1 + beta) / (2 (1 - beta)^2) H g) / (1 - beta)``. Descent with momentum has it if it starts with
    the velocity g / (1 - beta).

    >>> from estimators.mechanics import FunctionObjective
    >>> bowl = FunctionObjective({"x": (1,)}, lambda p, b: (p["x"] @ p["x"]) / 2, lambda p, b: {"x": p["x"]})
    >>> modified_velocity(bowl, np.array([1.0]), 0.1).tolist()  # -(1 + eta / 2)
    [-1.05]
    """
    eta = check_learning_rate(learning_rate)
    given = Hyperparameters(weight_decay, momentum)
    decay, beta = given.weight_decay, given.momentum
    gradient = objective.gradient(point) + decay * point
    curved = objective.hessian_product(point, gradient) + decay * gradient
    return np.asarray(-(gradient + eta * (1 + beta) / (2 * (1 - beta) ** 2) * curved) / (1 - beta))


def modified_loss_field(
    objective: Objective, learning_rate: float, *, momentum: float = 0.0, weight_decay: float = 0.0
) -> VectorField:
    """The flow of `modified_velocity`: descent up to an error of second order in the learning rate.

    >>> from estimators.mechanics import FunctionObjective, descend
    >>> bowl = FunctionObjective({"x": (1,)}, lambda p, b: (p["x"] @ p["x"]) / 2, lambda p, b: {"x": p["x"]})
    >>> end = integrate(modified_loss_field(bowl, 0.01), np.array([1.0]), 1.0)
    >>> bool(abs(end - descend(bowl, [1.0], learning_rate=0.01, steps=100).parameters) < 2e-5)
    True
    """
    eta = check_learning_rate(learning_rate)

    def field(time: float, point: Array) -> Array:
        return modified_velocity(objective, point, eta, momentum=momentum, weight_decay=weight_decay)

    return field


def second_order_field(
    objective: Objective, learning_rate: float, *, momentum: float = 0.0, weight_decay: float = 0.0
) -> VectorField:
    """(eta / 2) (1 + beta) theta'' + (1 - beta) theta' = -(g + lambda theta), with the state (theta, theta').

    Started from rest it has an initial layer, which leaves an error of first order in the learning rate; started with
    `modified_velocity` the error is of second order.

    >>> from estimators.mechanics import FunctionObjective
    >>> bowl = FunctionObjective({"x": (1,)}, lambda p, b: (p["x"] @ p["x"]) / 2, lambda p, b: {"x": p["x"]})
    >>> second_order_field(bowl, 0.5)(0.0, np.array([1.0, -1.0])).tolist()  # theta', theta''
    [-1.0, 0.0]
    """
    eta = check_learning_rate(learning_rate)
    given = Hyperparameters(weight_decay, momentum)
    mass, friction = eta / 2 * (1 + given.momentum), 1 - given.momentum

    def field(time: float, state: Array) -> Array:
        point, velocity = np.split(state, 2)
        force = -(objective.gradient(point) + given.weight_decay * point)
        return np.concatenate([velocity, (force - friction * velocity) / mass])

    return field


def integrate(field: VectorField, start: Array, time: float, *, tolerance: float = 1e-11) -> Array:
    """The state after a time, by SciPy's adaptive Runge-Kutta method of order 8.

    Raises
    ------
    InputError : a time that is no number, a field that is not finite at the start, or a state that cannot be followed
        as far as that.
    """
    from scipy.integrate import solve_ivp

    if isinstance(time, bool) or not isinstance(time, int | float | np.number) or not np.isfinite(time):
        raise InputError(f"time is {time!r}, expected a finite number")
    if not np.isfinite(field(0.0, start)).all():  # the integrator would look for a first step for ever
        raise InputError("the field has entries that are not finite at the start, expected finite ones")
    found: Any = solve_ivp(field, (0.0, time), start, method="DOP853", rtol=tolerance, atol=tolerance)
    if not found.success:
        raise InputError(f"the flow cannot be followed to time {time:g}: {found.message}")
    return np.asarray(found.y[:, -1])


def runge_kutta(field: VectorField, start: Array, time: float, steps: int) -> Array:
    """The state after a time, by the classical Runge-Kutta method of order 4 in equal steps.

    >>> end = runge_kutta(lambda t, y: -y, np.array([1.0]), 1.0, 10)
    >>> bool(1e-7 < abs(end[0] - np.exp(-1)) < 1e-6)
    True
    """
    count = positive_integer("steps", steps)
    state, h = np.array(start, dtype=float), time / count
    for k in range(count):
        t = k * h
        first = field(t, state)
        second = field(t + h / 2, state + h / 2 * first)
        third = field(t + h / 2, state + h / 2 * second)
        fourth = field(t + h, state + h * third)
        state = state + h / 6 * (first + 2 * second + 2 * third + fourth)
    return state
