"""One step of descent of a small smooth network: outputs, Gramian, eigenvalues and alignment, to the next order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators.layered import LayeredNetwork, Tangents
from estimators.spectrum import Spectrum, alignment_velocity, eigenvalue_velocities, kernel_velocity
from theory_checks.claims import Claim
from theory_checks.suites.spectrum_alignment.plan import DERIVED, Plan

__all__ = ["one_step"]

Array = np.ndarray

#: the inverse of the learning rate
s = rt.Scale("s")

NETWORK = LayeredNetwork((3, 7, 7), "tanh")
CUT = 2


class Step:
    """A random network with data, before and after one step."""

    def __init__(self, rng: np.random.Generator, rate: float) -> None:
        theta = NETWORK.initial(rng=rng) + 0.1 * rng.standard_normal(NETWORK.count)
        self.X, self.y, self.rate = rng.standard_normal((5, 3)), rng.standard_normal(5), rate
        self.before, self.theta = NETWORK.forward(theta, self.X), theta
        residual = self.before.outputs - self.y
        self.direction = NETWORK.pull_back(theta, self.before, residual) / len(self.y)
        self.after = theta - rate * self.direction

    def remainder(self) -> Array:
        """What the first order in the learning rate leaves over of the change of the outputs."""
        first = NETWORK.push_forward(self.theta, self.before, self.direction)
        return np.asarray(NETWORK.outputs(self.after, self.X) - self.before.outputs + self.rate * first)

    def first_order(self) -> float:
        """The remainder per squared length of q, which takes most of the scatter over networks away."""
        return float(np.linalg.norm(self.remainder()) / (self.direction @ self.direction))

    def second_order(self) -> float:
        """Relative distance of the remainder from half the second derivative along the step."""
        predicted = Tangents(NETWORK, self.theta, self.X, self.direction).second / 2
        return _distance(self.remainder() / self.rate**2, predicted)

    def spectra(self) -> tuple[Spectrum, Spectrum, Array]:
        """Before, after, and the predicted velocity of the Gramian."""
        grams = (NETWORK.gramian(theta, self.X) for theta in (self.theta, self.after))
        velocity = kernel_velocity(NETWORK, self.theta, self.X, self.y)
        return Spectrum.of(next(grams)), Spectrum.of(next(grams)), velocity

    def kernel(self) -> float:
        change = NETWORK.gramian(self.after, self.X) - NETWORK.gramian(self.theta, self.X)
        return _distance(change / self.rate, kernel_velocity(NETWORK, self.theta, self.X, self.y))

    def eigenvalues(self) -> float:
        before, after, velocity = self.spectra()
        moved = (after.eigenvalues - before.eigenvalues) / self.rate
        return _distance(moved, eigenvalue_velocities(before, velocity))

    def alignment(self) -> float:
        before, after, velocity = self.spectra()
        moved = (after.energy(self.y) - before.energy(self.y))[CUT - 1] / self.rate
        predicted = alignment_velocity(before, velocity, self.y, CUT)
        return float(abs(moved - predicted) / abs(predicted))


def one_step(plan: Plan) -> Iterator[Claim]:
    """Orders in the learning rate 1/s; medians, as nearly equal eigenvalues make some networks far from typical."""
    sizes: dict[str, Any] = plan.grid(16, 16, [1500, 1000, 1000, 1000])
    rows: tuple[tuple[str, str, Callable[[Step], float], float, str], ...] = (
        ("A1", "f(theta - rate q) - f + rate J q, over the squared length of q", Step.first_order, -2, DERIVED),
        ("A2", "the same over rate^2, minus half the second derivative along q", Step.second_order, -1, DERIVED),
        ("A14.kernel", "change of the Gramian over the rate, minus -O3 m / N", Step.kernel, -1, DERIVED),
        ("A14.eigenvalues", "change of the eigenvalues over the rate, minus v O3 v", Step.eigenvalues, -1, DERIVED),
        ("A14.alignment", f"change of E(y, {CUT}) over the rate, minus its first order", Step.alignment, -1, DERIVED),
        ("A1.wrong", "the same, a power too many", Step.first_order, -3, "negative control"),
    )
    for ident, name, measure, power, source in rows:
        yield Claim(
            name,
            _at_rate(name, measure),
            id=ident,
            statistic="median",
            predicted=rt.Theta(s**power),
            source=source,
            expect="refuted" if source != DERIVED else "consistent",
            correction=1.0,
            note="tanh network 3-7-7-1 on five inputs, learning rate 1/s",
            **sizes,
        )


def _at_rate(name: str, measure: Callable[[Step], float]) -> rt.Quantity:
    @rt.quantity(s, name=name, batch=50)
    def measured(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.array([measure(Step(rng, 1 / size)) for _ in range(batch)])

    return measured


def _distance(found: Array, predicted: Array) -> float:
    return float(np.linalg.norm(found - predicted) / np.linalg.norm(predicted))
