"""Stochastic gradient descent with its charges on record, beside what the laws say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

import numpy as np

from estimators.mechanics.laws import ContinuousLaw, ExactLaw, Hyperparameters, check_learning_rate
from estimators.mechanics.objectives import Objective, objective_vector
from estimators.mechanics.symmetries import Symmetry
from estimators.training.rules import Descent
from randtensor.arguments import positive_integer
from randtensor.errors import InputError, ShapeError

__all__ = ["ChargeRecorder", "MechanicsRun", "descend"]

Array = np.ndarray
Arrays = Mapping[str, Array]


@dataclass
class ChargeRecorder:
    """Follows the charges of a training loop, whoever runs it.

    Parameters
    ----------
    symmetries : what is followed; their names have to differ.
    hyperparameters : of the descent.
    parameters : before the first step, by name.
    velocity : momentum buffer before the first step, by name; None if the first step makes it.
    every : keep the charges of every so many steps; the laws follow all of them.

    Attributes
    ----------
    measured, exact, continuous : by symmetry, one array of shape (units,) per step kept, and one for the start: the
        charges of the parameters, and what `ExactLaw` and `ContinuousLaw` make of the gradients.
    times : eta (1 - dampening) summed over the steps, for each step kept.

    Raises
    ------
    InputError : no symmetries, two of one name, or ``every`` that is no positive integer.

    Examples
    --------
    >>> from estimators.mechanics import Part
    >>> scale = Symmetry("scale", (Part("w", None),), "w")
    >>> w, g = np.array([3.0, 4.0]), np.array([-4.0, 3.0])  # a gradient orthogonal to the weights
    >>> recorder = ChargeRecorder([scale], Hyperparameters(), {"w": w})
    >>> recorder.record({"w": w - 0.1 * g}, {"w": g}, learning_rate=0.1)
    >>> [float(series["w"][-1][0].round(9)) for series in (recorder.measured, recorder.exact)]
    [25.25, 25.25]
    """

    symmetries: Sequence[Symmetry]
    hyperparameters: Hyperparameters
    parameters: InitVar[Arrays]
    velocity: InitVar[Arrays | None] = None
    every: int = 1
    times: list[float] = field(init=False)
    measured: dict[str, list[Array]] = field(init=False)
    exact: dict[str, list[Array]] = field(init=False)
    continuous: dict[str, list[Array]] = field(init=False)

    def __post_init__(self, parameters: Arrays, velocity: Arrays | None) -> None:
        self.symmetries = tuple(self.symmetries)
        names = [symmetry.name for symmetry in self.symmetries]
        if not names or len(set(names)) < len(names):
            raise InputError(f"symmetries have the names {names}, expected at least one, and names that differ")
        positive_integer("every", self.every)
        start, self._scales = {}, {}
        for symmetry in self.symmetries:
            symmetry.units(parameters)
        parameters = self._arrays("parameters", parameters)
        for symmetry in self.symmetries:
            start[symmetry.name] = symmetry.charges(parameters)
            self._scales[symmetry.name] = float(symmetry.magnitudes(parameters).max())
        self.times, self._time, self._steps = [0.0], 0.0, 0
        self.measured, self.exact, self.continuous = ({n: [c] for n, c in start.items()} for _ in range(3))
        self._exact = {s.name: ExactLaw(s, self.hyperparameters, start[s.name]) for s in self.symmetries}
        self._continuous = {
            s.name: ContinuousLaw(s, self.hyperparameters, start[s.name])
            for s in self.symmetries
            if not self.hyperparameters.nesterov
        }
        if velocity is not None:
            velocity = self._arrays("velocity", velocity)
            for symmetry in self.symmetries:
                self._exact[symmetry.name].begin(symmetry.along(velocity, parameters))

    def record(
        self, parameters: Arrays, gradient: Arrays, velocity: Arrays | None = None, *, learning_rate: float
    ) -> None:
        """One step that was made.

        Parameters
        ----------
        parameters : after the step.
        gradient : of the batch, without weight decay, before it.
        velocity : the momentum buffer after the step; None without momentum.
        learning_rate : of the step.

        Raises
        ------
        InputError : a parameter of the symmetries that is missing or no array of numbers, no velocity with momentum, or
            a learning rate that is not positive.
        """
        learning_rate = check_learning_rate(learning_rate)
        parameters, gradient = self._arrays("parameters", parameters), self._arrays("gradient", gradient)
        velocity = None if velocity is None else self._arrays("velocity", velocity)
        self._time += learning_rate * (1 - self.hyperparameters.dampening)
        self._steps += 1
        keep = self._steps % self.every == 0
        for symmetry in self.symmetries:
            name = symmetry.name
            laws: list[tuple[Any, dict[str, list[Array]]]] = [(self._exact[name], self.exact)]
            if self._continuous:
                laws.append((self._continuous[name], self.continuous))
            for law, series in laws:
                charges = law.advance(learning_rate, gradient, velocity)
                if keep:
                    series[name].append(charges)
            if keep:
                self.measured[name].append(symmetry.charges(parameters))
        if keep:
            self.times.append(self._time)

    def _arrays(self, argument: str, given: Arrays) -> dict[str, Array]:
        """What an argument has for the parameters of the symmetries, as arrays of floats."""
        found = {}
        for name in (part.name for symmetry in self.symmetries for part in symmetry.parts):
            if name not in given:
                raise InputError(f"{argument} has no {name!r}, expected an array for every parameter of the symmetries")
            try:
                found[name] = np.asarray(given[name], dtype=float)
            except (TypeError, ValueError, RuntimeError) as error:
                raise InputError(
                    f"{argument} has {type(given[name]).__name__} for {name!r}, expected an array of numbers, or a "
                    f"tensor on the CPU without gradient: tensor.detach().cpu()"
                ) from error
        return found

    def deviation(self, name: str, of: str = "exact") -> float:
        """The largest distance of the measured charges from a law, relative to the terms that they are sums of.

        These are taken at the start, or from the largest charge if one outgrows them.

        Parameters
        ----------
        name : of the symmetry.
        of : "exact" or "continuous".
        """
        if of not in ("exact", "continuous") or not getattr(self, of).get(name):
            raise InputError(f"the law {of!r} of {name!r} was not followed, expected 'exact' or 'continuous'")
        measured, law = np.stack(self.measured[name]), np.stack(getattr(self, of)[name])
        scale = max(self._scales[name], float(np.abs(measured).max()))
        return float(np.abs(measured - law).max()) / scale if scale else 0.0

    def state(self) -> dict[str, Any]:
        """All that is on record, to be stored with a checkpoint; `restore` takes it again."""
        series = {"measured": self.measured, "exact": self.exact, "continuous": self.continuous}
        stored: dict[str, Any] = {k: {n: np.stack(v) for n, v in s.items()} for k, s in series.items()}
        stored["times"] = np.array(self.times)
        stored["clock"] = {"time": self._time, "steps": self._steps}
        stored["laws"] = {name: (law.charges, law.overlap, law.steps) for name, law in self._exact.items()}
        stored["formulas"] = {name: (law.charges, law.speed) for name, law in self._continuous.items()}
        return stored

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where the recorder of which ``state`` is the `state` stood.

        Raises
        ------
        InputError : it followed other symmetries.
        """
        if set(state["measured"]) != set(self.measured):
            raise InputError(f"state is of {sorted(state['measured'])}, expected {sorted(self.measured)}")
        for key in ("measured", "exact", "continuous"):
            setattr(self, key, {name: list(values) for name, values in state[key].items()})
        self.times = [float(time) for time in state["times"]]
        self._time, self._steps = float(state["clock"]["time"]), int(state["clock"]["steps"])
        for name, law in self._exact.items():
            law.charges, law.overlap, law.steps = state["laws"][name]
        for name, formula in self._continuous.items():
            formula.charges, formula.speed = state["formulas"][name]


@dataclass(frozen=True, eq=False)
class MechanicsRun:
    """A descent that was made.

    Attributes
    ----------
    parameters : at the end, shape (P,).
    times, learning_rates : shape (steps + 1,) and (steps,).
    measured, exact, continuous : charges by symmetry, shape (steps + 1, units); see `ChargeRecorder`.
    deviations : of the exact law by symmetry, see `ChargeRecorder.deviation`.
    gradients : squared lengths of the batch gradients, shape (steps,).
    forcing : Q(g) by symmetry, shape (steps, units).
    """

    parameters: Array
    times: Array
    learning_rates: Array
    measured: dict[str, Array]
    exact: dict[str, Array]
    continuous: dict[str, Array]
    deviations: dict[str, float]
    gradients: Array
    forcing: dict[str, Array]


def descend(
    objective: Objective,
    start: Any,
    symmetries: Sequence[Symmetry] = (),
    *,
    learning_rate: Any,
    steps: int,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    batches: Iterable[Any] | None = None,
    velocity: Any = None,
) -> MechanicsRun:
    """Stochastic gradient descent on an objective, with the charges of its symmetries.

    Parameters
    ----------
    objective : see `Objective`.
    start : parameters, a vector or arrays by name.
    symmetries : whose charges are recorded.
    learning_rate : a number, or a function of the step or a sequence of them where it changes.
    steps : number of steps.
    weight_decay, momentum, dampening, nesterov : see `Hyperparameters`.
    batches : one batch per step, as the objective takes them; None for all data in every step.
    velocity : to start with, like ``start``; None lets the first gradient be the first velocity. Needs momentum.

    Raises
    ------
    InputError : an argument outside its range, or a run that diverges, with its step.

    Examples
    --------
    A product of two numbers, which a rescaling of one by the other leaves alone:

    >>> from estimators.mechanics import FunctionObjective, Part
    >>> def slope(p, batch):
    ...     error = p["u"] * p["v"] - 1
    ...     return {"u": error * p["v"], "v": error * p["u"]}
    >>> product = FunctionObjective({"u": (1,), "v": (1,)}, lambda p, batch: (p["u"] * p["v"] - 1)[0] ** 2 / 2, slope)
    >>> balance = Symmetry("rescale", (Part("u"), Part("v", sign=-1)), "balance")
    >>> run = descend(product, [2.0, 1.0], [balance], learning_rate=0.1, steps=20, weight_decay=0.01, momentum=0.5)
    >>> bool(abs(run.measured["balance"] - run.exact["balance"]).max() < 1e-14)
    True
    """
    given = Hyperparameters(weight_decay, momentum, dampening, nesterov)
    if isinstance(symmetries, Symmetry):
        raise InputError(f"symmetries is the single group {symmetries.name!r}, expected a list of them")
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 0:
        raise InputError(f"steps is {steps!r}, expected a non-negative integer")
    rates = learning_rates(learning_rate, int(steps))
    layout = objective.layout
    point = objective_vector(objective, start)
    memory = None if velocity is None else objective_vector(objective, velocity)
    if memory is not None and momentum == 0:
        raise InputError("velocity is given and momentum is 0, expected a positive momentum with it")
    moving = None if memory is None else layout.split(memory)
    recorder = ChargeRecorder(symmetries, given, layout.split(point), moving) if symmetries else None
    rule = Descent(rates[0] if len(rates) else 1.0, float(momentum), float(dampening), nesterov)
    drawn = iter([None] * int(steps)) if batches is None else iter(batches)
    forcing: dict[str, list[Array]] = {symmetry.name: [] for symmetry in symmetries}
    gradients = []
    for step, rate in enumerate(rates):
        try:
            batch = next(drawn)
        except StopIteration:
            raise InputError(f"batches ended after {step} steps, expected {steps}") from None
        found = objective.gradient(point, batch)
        gradients.append(float(found @ found))
        decayed = _Constant(found + weight_decay * point)
        point, memory = replace(rule, learning_rate=rate).advance(point, memory, decayed)
        if not np.isfinite(point).all():
            raise InputError(f"the descent diverged at step {step}, expected a smaller learning rate than {rate:g}")
        if recorder is not None:
            named = layout.split(found)
            moving = None if memory is None else layout.split(memory)
            recorder.record(layout.split(point), named, moving, learning_rate=rate)
            for symmetry in symmetries:
                forcing[symmetry.name].append(symmetry.form(named, named))
    series: dict[str, Any] = {"measured": {}, "exact": {}, "continuous": {}}
    if recorder is not None:
        series = recorder.state()
    return MechanicsRun(
        parameters=point,
        times=np.concatenate([[0.0], np.cumsum(rates)]) * (1 - dampening),
        learning_rates=np.array(rates),
        measured=series["measured"],
        exact=series["exact"],
        continuous=series["continuous"],
        deviations={} if recorder is None else {name: recorder.deviation(name) for name in series["measured"]},
        gradients=np.array(gradients),
        forcing={name: np.array(values) for name, values in forcing.items()},
    )


@dataclass(frozen=True)
class _Constant:
    """A field that is the same everywhere: the gradient of the step was found beforehand, to look at it."""

    value: Array

    def __call__(self, point: Any) -> Array:
        return self.value


def learning_rates(choice: float | Sequence[float] | Callable[[int], float], steps: int) -> list[float]:
    """One learning rate per step.

    Raises
    ------
    InputError : a rate that is not positive.
    ShapeError : a sequence of another length.
    """
    if callable(choice):
        given: list[Any] = [choice(step) for step in range(steps)]
    elif np.ndim(choice) == 0:
        given = [choice] * steps
    else:
        sequence: Any = choice
        given = list(sequence)
        if len(given) != steps:
            raise ShapeError(f"learning_rate has {len(given)} entries, expected {steps}, one per step")
    return [check_learning_rate(rate) for rate in given]
