"""Charges along descent: exact recursions, what is left of conservation, and the formulas of continuous time
(M7 to M12, M25, M26)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from estimators.mechanics import (
    FunctionObjective,
    MechanicsRun,
    Part,
    Symmetry,
    descend,
    gradient_field,
    integrate,
    runge_kutta,
)
from theory_checks.claims import Claim, Exact
from theory_checks.suites.neural_mechanics.network import Network
from theory_checks.suites.neural_mechanics.plan import DERIVED, SOURCE, Plan, sampled, scaled

__all__ = ["broken", "continuous", "exact", "initial", "sphere_regression"]

Array = np.ndarray

_EXAMPLES = 60


def exact(plan: Plan) -> Iterator[Claim]:
    """The recursions, for every variant of stochastic gradient descent."""
    variants: dict[str, tuple[str, dict[str, Any]]] = {
        "plain": ("weight decay", {"weight_decay": 0.05}),
        "momentum": ("weight decay and momentum", {"weight_decay": 0.05, "momentum": 0.9}),
        "dampening": ("with dampening", {"weight_decay": 0.05, "momentum": 0.9, "dampening": 0.3}),
        "nesterov": ("with look-ahead", {"weight_decay": 0.05, "momentum": 0.9, "nesterov": True}),
    }
    for ident, (name, options) in variants.items():
        for changing in (False, True):
            suffix, rate = (".changing", _changing) if changing else ("", 0.1)

            def deviation(
                steps: int, rng: np.random.Generator, given: dict[str, Any] = options, rate: Any = rate
            ) -> list[float]:
                return list(_training(plan, steps, rng, learning_rate=rate, **given).deviations.values())

            yield plan.identity(
                f"M7.{ident}{suffix}",
                f"charges after n steps on batches of 20, {name}{', changing learning rate' if changing else ''}",
                sampled(deviation, f"charges against recursion, {ident}{suffix}", shape=(4,)),
                1e-13,
                [30, 100, 300],
                2,
            )

    def without_gradients(steps: int, rng: np.random.Generator) -> float:
        run = _training(plan, steps, rng, learning_rate=0.1, weight_decay=0.05)
        charges = run.measured["hidden"]
        decayed = (1 - 0.1 * 0.05) ** (2 * np.arange(steps + 1))[:, None] * charges[0]
        return float(np.abs(charges - decayed).max() / np.abs(charges).max())

    yield plan.identity(
        "M7.wrong",
        "charges of hidden units after n steps, weight decay alone",
        sampled(without_gradients, "charges against weight decay"),
        1e-12,
        [30, 100, 300],
        2,
        source="negative control",
        expect="refuted",
    )

    def excess(steps: int, rng: np.random.Generator) -> list[float]:
        run = _training(plan, steps, rng, learning_rate=0.1)
        bound = np.concatenate([[0.0], np.cumsum(run.learning_rates**2 * run.gradients)])
        changes = (abs(run.measured[name] - run.measured[name][0]).max(axis=1) for name in ("normalised", "hidden"))
        # the square of the last charge is rounded
        return [float(np.maximum(change - bound, 0.0).max() / bound[-1]) for change in changes]

    yield plan.identity(
        "M25",
        "change of charges in n steps is below the sum of squared steps: excess",
        sampled(excess, "excess over the bound", shape=(2,)),
        1e-12,
        [30, 100, 300],
        4,
        source="Marcotte et al. 2025, arXiv 2506.06194, and " + DERIVED,
    )


def _changing(step: int) -> float:
    """Warm-up, a drop to a tenth, and a slow rise."""
    return 0.02 * (step + 1) if step < 5 else (0.1 if step < 60 else 0.01 + 1e-4 * (step - 60))


def _training(plan: Plan, steps: int, rng: np.random.Generator, **options: Any) -> MechanicsRun:
    net = Network(*plan.data.draw(_EXAMPLES, rng))
    batches = [rng.choice(_EXAMPLES, 20, replace=False) for _ in range(steps)]
    return descend(net.objective, net.start(rng), net.symmetries, steps=steps, batches=batches, **options)


def _smooth(plan: Plan, rng: np.random.Generator) -> tuple[Network, Array]:
    """A network without kinks. Its normalised weights are long, which makes the loss flat: small steps are small."""
    net = Network(*plan.data.draw(_EXAMPLES, rng), smooth=True)
    split, join = net.objective.layout.split, net.objective.layout.join
    return net, join(net.symmetries[2].act(split(net.start(rng)), 2.0))


def broken(plan: Plan) -> Iterator[Claim]:
    """Gradient flow conserves, descent does not; the smooth network on all its examples."""
    time = 2.0

    def flow(rng: np.random.Generator) -> Callable[[int], float]:
        net, start = _smooth(plan, rng)
        field = gradient_field(net.objective)

        def change(steps: int) -> float:
            return _change(net, start, runge_kutta(field, start, 2 * time, steps))

        return change

    def at_fixed_time(rng: np.random.Generator) -> Callable[[int], float]:
        net, start = _smooth(plan, rng)
        return lambda steps: _change(net, start, _descended(net, start, time / steps, steps))

    def at_fixed_steps(rng: np.random.Generator) -> Callable[[int], float]:
        net, start = _smooth(plan, rng)
        return lambda size: _change(net, start, _descended(net, start, 1 / size, 10))

    def beyond_integral(rng: np.random.Generator) -> Callable[[int], float]:
        net, start = _smooth(plan, rng)
        integral = _integrated_forcing(net, start, time)

        def difference(steps: int) -> float:
            changes = _charges(net, _descended(net, start, time / steps, steps)) - _charges(net, start)
            return float(np.linalg.norm(changes - time / steps * integral))

        return difference

    yield plan.rate(
        "M8", "change of charges in gradient flow, n steps of Runge-Kutta", scaled(flow, 24, "charges in flow"),
        -4, [32, 64, 128], 32, source=SOURCE,
    )  # fmt: skip
    yield plan.rate(
        "M9", "change of charges in descent to time 2, n steps", scaled(at_fixed_time, 16, "charges, fixed time"),
        -1, [24, 48, 96, 192], 30, source=SOURCE,
    )  # fmt: skip
    yield plan.rate(
        "M9.value", "the same less eta times the integral of Q(g) along the flow",
        scaled(beyond_integral, 32, "charges, less the integral"), -2, [48, 96, 192, 384], 16,
    )  # fmt: skip
    yield plan.rate(
        "M9.wrong", "the change of charges in descent to time 2, n steps, as if it were of order 3/2",
        scaled(at_fixed_time, 16, "charges, fixed time"), -1.5, [24, 48, 96, 192], 30,
        source="negative control", expect="refuted",
    )  # fmt: skip
    yield plan.rate(
        "M10", "change of charges in 10 steps, learning rate 1 / n", scaled(at_fixed_steps, 100, "charges, 10 steps"),
        -2, [200, 400, 800, 1600], 40,
    )  # fmt: skip


def _charges(net: Network, point: Array) -> Array:
    """Of the scale and rescale symmetries, one after the other."""
    named = net.objective.layout.split(point)
    return np.concatenate([symmetry.charges(named) for symmetry in net.symmetries if not symmetry.linear])


def _change(net: Network, start: Array, end: Array) -> float:
    return float(np.linalg.norm(_charges(net, end) - _charges(net, start)))


def _descended(net: Network, start: Array, rate: float, steps: int) -> Array:
    return descend(net.objective, start, learning_rate=rate, steps=steps).parameters


def _integrated_forcing(net: Network, start: Array, time: float) -> Array:
    """The integral of Q(g) along gradient flow, per unit."""
    size, split = len(start), net.objective.layout.split
    quadratic = [symmetry for symmetry in net.symmetries if not symmetry.linear]

    def field(t: float, state: Array) -> Array:
        gradient = net.objective.gradient(state[:size])
        forcing = [symmetry.form(split(gradient), split(gradient)) for symmetry in quadratic]
        return np.concatenate([-gradient, *forcing])

    units = sum(symmetry.units(split(start)) for symmetry in quadratic)
    return integrate(field, np.concatenate([start, np.zeros(units)]), time, tolerance=1e-9)[size:]


def continuous(plan: Plan) -> Iterator[Claim]:
    """Errors of the formulas of continuous time."""
    decay, time = 0.5, 2.0
    shrunk = np.exp(-decay * time)

    def translation(steps: int, rng: np.random.Generator) -> float:
        net = Network(*plan.data.draw(30, rng))
        run = descend(
            net.objective, net.start(rng), net.symmetries[:1], learning_rate=time / steps, steps=steps,
            weight_decay=decay,
        )  # fmt: skip
        charges = run.measured["columns"]
        largest = np.abs(charges[0]).argmax()
        return float((charges[-1, largest] - shrunk * charges[0, largest]) / charges[0, largest])

    def less_leading(steps: int, rng: np.random.Generator) -> float:
        return float(translation(steps, rng) + time / steps * decay**2 * time / 2 * shrunk)

    sizes = [32, 64, 128, 256]
    yield plan.rate(
        "M11", "translation: relative error of e^(-lambda t) at time 2, n steps", sampled(translation, "decay"),
        -1, sizes, 4,
    )  # fmt: skip
    yield plan.rate(
        "M11.constant", "the same plus (eta lambda^2 t / 2) e^(-lambda t)", sampled(less_leading, "decay, corrected"),
        -2, sizes, 4,
    )  # fmt: skip

    def formula(**options: Any) -> Callable[[np.random.Generator], Callable[[int], float]]:
        def problem(rng: np.random.Generator) -> Callable[[int], float]:
            objective, symmetry, start = sphere_regression(rng)

            def error(steps: int) -> float:
                run = descend(
                    objective, start, [symmetry], learning_rate=time / steps, steps=steps, weight_decay=decay, **options
                )
                return float(np.abs(run.measured["sphere"] - run.continuous["sphere"]).max())

            return error

        return problem

    for ident, name, samples, options in (
        ("M12", "integral formula", 36, {}),
        ("M12.momentum", "oscillator formula, momentum 0.5, dampening 0.3", 12, {"momentum": 0.5, "dampening": 0.3}),
    ):
        yield plan.rate(
            ident, f"scale: largest error of the {name} with weight decay to time 2, n steps",
            scaled(formula(**options), 64, name), -1, [96, 192, 384, 768], samples, source=SOURCE,
        )  # fmt: skip

    def undecayed(steps: int, rng: np.random.Generator) -> float:
        objective, symmetry, start = sphere_regression(rng)
        run = descend(objective, start, [symmetry], learning_rate=time / steps, steps=steps)
        return float(np.abs(run.measured["sphere"] / run.continuous["sphere"] - 1).max())

    yield plan.identity(
        "M12.exact", "scale: error of the integral formula without weight decay, n steps",
        sampled(undecayed, "integral formula, no decay"), 1e-12, sizes, 8, source=SOURCE,
    )  # fmt: skip


def sphere_regression(rng: np.random.Generator) -> tuple[FunctionObjective, Symmetry, Array]:
    """Least squares of 12 targets on 5 features along the direction of a vector, whatever its length."""
    x, y = rng.standard_normal((12, 5)), rng.standard_normal(12)

    def value(p: Any, batch: Any) -> Any:
        residual = x @ (p["w"] / np.sqrt(p["w"] @ p["w"])) - y
        return float(residual @ residual) / 24

    def slope(p: Any, batch: Any) -> dict[str, Array]:
        length = np.sqrt(p["w"] @ p["w"])
        unit = p["w"] / length
        back = x.T @ (x @ unit - y) / 12
        return {"w": (back - unit * (unit @ back)) / length}

    start = rng.standard_normal(5)
    objective = FunctionObjective({"w": (5,)}, value, slope)
    return objective, Symmetry("scale", (Part("w", None),), "sphere"), start / np.linalg.norm(start)


def initial(plan: Plan) -> Iterator[Claim]:
    """The charges that training starts from, in the initialisation of the paper's networks."""
    kernel, channels = 3, 16

    def squared_length(size: int, rng: np.random.Generator) -> float:
        weights = rng.standard_normal((size, channels, kernel, kernel)) * (2 / (kernel**2 * size)) ** 0.5
        return float((weights**2).sum())

    yield Claim(
        "squared length of 3 x 3 kernels from 16 to n channels, variance 2 / fan-out: 2 x 16",
        sampled(squared_length, "squared length of kernels"),
        id="M26",
        statistic="mean",
        predicted=Exact(
            2.0 * channels, std=lambda size: 2.0 * channels * (2 / (kernel**2 * channels * size)) ** 0.5, within=0.02
        ),
        source=SOURCE,
        n=[8, 32, 128],
        samples=plan.count(600),
    )
