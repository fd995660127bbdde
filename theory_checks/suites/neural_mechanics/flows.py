"""Continuous models of descent against descent itself, on a tanh network of 20 parameters (M13 to M17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from estimators.mechanics import (
    FunctionObjective,
    descend,
    gradient_field,
    integrate,
    modified_loss_field,
    modified_velocity,
    second_order_field,
)
from theory_checks.claims import Claim
from theory_checks.suites.neural_mechanics.plan import DERIVED, SOURCE, Plan, computed, scaled

__all__ = ["models", "momentum", "solvable", "tanh_regression"]

Array = np.ndarray

_TIME = 2.0
_SIZES = [32, 64, 128, 256]
_BASE = 24
#: of the flows of second order, whose initial layer makes them dear
_TOLERANCE = 1e-8


def tanh_regression(rng: np.random.Generator) -> tuple[FunctionObjective, Array]:
    """Least squares of 10 targets with four tanh units on three inputs: an objective, and where to start."""
    x, y = rng.standard_normal((10, 3)), rng.standard_normal(10)

    def value(p: Any, batch: Any) -> Any:
        residual = np.tanh(x @ p["W"].T + p["b"]) @ p["v"] - y
        return float(residual @ residual) / 20

    def slope(p: Any, batch: Any) -> dict[str, Array]:
        hidden = np.tanh(x @ p["W"].T + p["b"])
        error = (hidden @ p["v"] - y) / 10
        back = error[:, None] * p["v"] * (1 - hidden**2)
        return {"W": back.T @ x, "b": back.sum(axis=0), "v": hidden.T @ error}

    objective = FunctionObjective({"W": (4, 3), "b": (4,), "v": (4,)}, value, slope)
    return objective, rng.standard_normal(objective.layout.size) * 0.5


def _descended(objective: FunctionObjective, start: Array, rate: float, steps: int, **options: Any) -> Array:
    return descend(objective, start, learning_rate=rate, steps=steps, **options).parameters


def _against(end: Callable[[FunctionObjective, Array, float, float], Array], steps: int | None = None) -> Any:
    """The problem of how far descent is from another end point: at time 2, or after so many steps of size 1 / n."""

    def problem(rng: np.random.Generator) -> Callable[[int], float]:
        objective, start = tanh_regression(rng)

        def distance(size: int) -> float:
            rate, count = (_TIME / size, size) if steps is None else (1 / size, steps)
            found = _descended(objective, start, rate, count)
            return float(np.linalg.norm(found - end(objective, start, rate, rate * count)))

        return distance

    return problem


def _flow(objective: FunctionObjective, start: Array, rate: float, time: float) -> Array:
    return integrate(gradient_field(objective), start, time)


def _modified(objective: FunctionObjective, start: Array, rate: float, time: float) -> Array:
    return integrate(modified_loss_field(objective, rate), start, time)


def _from_rest(objective: FunctionObjective, start: Array, rate: float, time: float) -> Array:
    state = np.concatenate([start, np.zeros_like(start)])
    return integrate(second_order_field(objective, rate), state, time, tolerance=_TOLERANCE)[: len(start)]


def _from_slow_manifold(objective: FunctionObjective, start: Array, rate: float, time: float) -> Array:
    state = np.concatenate([start, modified_velocity(objective, start, rate)])
    return integrate(second_order_field(objective, rate), state, time, tolerance=_TOLERANCE)[: len(start)]


def models(plan: Plan) -> Iterator[Claim]:
    """Gradient flow, modified loss and modified flow, after a fixed time and after one step."""
    rows: list[tuple[str, str, Any, float, str]] = [
        ("M13.flow", "gradient flow", _flow, -1, SOURCE),
        ("M13.modified", "flow of the modified loss", _modified, -2, SOURCE),
        ("M14.rest", "modified flow of second order, from rest", _from_rest, -1, DERIVED),
        ("M14.slow", "modified flow of second order, from the slow manifold", _from_slow_manifold, -2, DERIVED),
    ]
    for ident, name, end, power, source in rows:
        yield plan.rate(
            ident, f"descent to time 2 in n steps, less {name}", scaled(_against(end), _BASE, f"descent, {name}"),
            power, _SIZES, 24, source=source,
        )  # fmt: skip
    for ident, name, end, power in (
        ("M13.step.flow", "gradient flow", _flow, -2),
        ("M13.step.modified", "flow of the modified loss", _modified, -3),
    ):
        yield plan.rate(
            ident, f"one step of size 1 / n, less {name}", scaled(_against(end, 1), 5, f"one step, {name}"),
            power, [6, 12, 24, 48], 60,
        )  # fmt: skip
    yield plan.rate(
        "M13.wrong", "descent to time 2 in n steps, less gradient flow, as if it were of order 3/2",
        scaled(_against(_flow), _BASE, "descent, flow, wrongly"), -1.5, _SIZES, 48,
        source="negative control", expect="refuted",
    )  # fmt: skip


def momentum(plan: Plan) -> Iterator[Claim]:
    """Heavy ball, started with the velocity of the slow manifold."""
    beta = 0.5

    def against(modified: bool) -> Any:
        def problem(rng: np.random.Generator) -> Callable[[int], float]:
            objective, start = tanh_regression(rng)
            velocity = objective.gradient(start) / (1 - beta)

            def distance(size: int) -> float:
                rate = _TIME / size
                found = _descended(objective, start, rate, size, momentum=beta, velocity=velocity)
                field = (
                    modified_loss_field(objective, rate, momentum=beta)
                    if modified
                    else gradient_field(objective, momentum=beta)
                )
                return float(np.linalg.norm(found - integrate(field, start, _TIME)))

            return distance

        return problem

    sizes = [40, 80, 160, 320]
    yield plan.rate(
        "M15.flow", "heavy ball to time 2 in n steps, less gradient flow in rescaled time",
        scaled(against(False), 64, "heavy ball, flow"), -1, [2 * size for size in sizes], 24, source=SOURCE,
    )  # fmt: skip
    yield plan.rate(
        "M15", "heavy ball to time 2 in n steps, less flow of the modified loss with momentum",
        scaled(against(True), 32, "heavy ball, modified"), -2, sizes, 30, source=SOURCE,
    )  # fmt: skip


def solvable(plan: Plan) -> Iterator[Claim]:
    """Linear fields, whose descent is known in closed form; there is nothing random in these rows."""
    beta = 0.5
    note = "computed: the spread is zero"

    def contraction(size: int) -> float:
        # the factor per step of heavy ball along curvature 1, of its two-term recursion
        rate = 0.4 * (1 - beta**0.5) ** 2 / size
        matrix = np.array([[1 + beta - rate, -beta], [1.0, 0.0]])
        largest = float(np.abs(np.linalg.eigvals(matrix)).max())
        return float(-np.log(largest) / rate - 1 / (1 - beta) * (1 + rate * (1 + beta) / (2 * (1 - beta) ** 2)))

    yield plan.rate(
        "M16", "rate of decay of heavy ball at step ~ 1 / n, less that of the modified loss",
        computed(contraction, "decay of heavy ball"), -2, [8, 16, 32, 64, 128], 64, note=note,
    )  # fmt: skip

    def rotation(size: int) -> float:
        eta, time, z = 1 / size, 10.0, 1.0 + 0.0j
        for _ in range(round(time * size)):
            z *= 1 + 1j * eta
        return float(abs(z) / np.exp(eta * time / 2) - 1)

    yield plan.rate(
        "M17", "rotation field: Euler steps of 1 / n over the modified flow, less 1, at time 10",
        computed(rotation, "rotation"), -3, [8, 16, 32, 64, 128], 64, source=SOURCE, note=note,
    )  # fmt: skip
    yield plan.rate(
        "M17.constant", "the same plus eta^3 t / 4",
        computed(lambda size: rotation(size) + 2.5 / size**3, "rotation, corrected"), -5, [8, 16, 32, 64, 128], 64,
        note=note,
    )  # fmt: skip
