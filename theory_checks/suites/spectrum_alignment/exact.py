"""Identities and bounds of the Gramian, and the training of models that are linear in their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from estimators import LinearDynamics
from estimators.layered import FullBatchDescent, LayeredNetwork
from estimators.spectrum import Spectrum, kernel_target_alignment, tail_bound
from theory_checks.claims import Claim, Identity
from theory_checks.suites.spectrum_alignment.plan import DERIVED, LEAKY, SQUARE, Plan, per_network, shortfall

__all__ = ["identities", "linear_models"]

Array = np.ndarray
Measure = Callable[[np.random.Generator], Any]

STEPS = 50


def identities(plan: Plan) -> Iterator[Claim]:
    """What holds for every network and all data, to rounding."""
    options: dict[str, Any] = {"samples": plan.count(60)}
    for ident, name, measure, source in (
        ("A3.eigenvalues", "eigenvalues of J J^T and of J^T J", _equal_spectra, DERIVED),
        ("A3.trace", "trace of the Gramian and squared lengths of the gradients", _trace, DERIVED),
        ("A4", "J theta_last = f, for any activation", _last_layer, DERIVED),
        ("A5.layers", "J theta_l = f for every layer, leaky ReLU without biases", _homogeneous(LEAKY), DERIVED),
        ("A22", "kernel-target alignment from eigenpairs", _kta, "Baratin et al. 2021, arXiv 2008.00938; derived"),
    ):
        yield Claim(name, per_network(name, measure), id=ident, predicted=Identity(1e-11), source=source, **options)
    yield Claim(
        "the same claimed for tanh",
        per_network("J theta_l - f, tanh", _homogeneous("tanh")),
        id="A5.wrong",
        predicted=Identity(1e-11),
        source="negative control",
        expect="refuted",
        **options,
    )
    runs = {"samples": plan.count(12, 6)}
    yield shortfall(
        "1 - E(f, k) <= lambda_(k+1) |theta_last|^2 / |f|^2 for all k, along training",
        lambda rng: _tail_room(rng, 1.0),
        id="A6",
        source=DERIVED,
        tolerance=1e-11,
        **runs,
    )
    yield shortfall(
        "the same bound divided by ten thousand",
        lambda rng: _tail_room(rng, 1e-4),
        id="A6.wrong",
        source="negative control",
        expect="refuted",
        tolerance=1e-11,
        **runs,
    )


def _drawn(rng: np.random.Generator, activation: str, biases: bool = True) -> tuple[LayeredNetwork, Array, Array]:
    """A small network with generic parameters, and five inputs."""
    network = LayeredNetwork((3, 7, 7), activation, biases=biases)
    return network, network.initial(rng=rng) + 0.1 * rng.standard_normal(network.count), rng.standard_normal((5, 3))


def _equal_spectra(rng: np.random.Generator) -> float:
    network, theta, X = _drawn(rng, "tanh")
    J = network.jacobian(theta, X)
    left, right = np.linalg.eigvalsh(network.gramian(theta, X)), np.linalg.eigvalsh(J.T @ J)[-len(X) :]
    return float(np.abs(left - right).max() / left[-1])


def _trace(rng: np.random.Generator) -> float:
    network, theta, X = _drawn(rng, "tanh")
    squares = (network.jacobian(theta, X) ** 2).sum()
    return float(abs(np.trace(network.gramian(theta, X)) - squares) / squares)


def _last_layer(rng: np.random.Generator) -> float:
    network, theta, X = _drawn(rng, "tanh")
    trace, last = network.forward(theta, X), _only(network, theta, network.depth - 1)
    return _relative(network.push_forward(theta, trace, last), trace.outputs)


def _homogeneous(activation: str) -> Measure:
    def measure(rng: np.random.Generator) -> float:
        network, theta, X = _drawn(rng, activation, biases=False)
        trace = network.forward(theta, X)
        parts = [network.push_forward(theta, trace, _only(network, theta, layer)) for layer in range(network.depth)]
        whole = network.push_forward(theta, trace, theta)
        return max(*(_relative(part, trace.outputs) for part in parts), _relative(whole, 3 * trace.outputs))

    return measure


def _kta(rng: np.random.Generator) -> float:
    A, y = rng.standard_normal((12, 12)), rng.standard_normal(12)
    found = Spectrum.of(A @ A.T)
    c = found.eigenvectors.T @ y / np.linalg.norm(y)
    by_modes = (found.eigenvalues * c**2).sum() / np.linalg.norm(found.eigenvalues)
    return float(abs(kernel_target_alignment(A @ A.T, y, centred=False) - by_modes))


def _tail_room(rng: np.random.Generator, factor: float) -> float:
    """By how much the bound lies above 1 - E(f, k), the least over k and over steps 0, 100 and 300."""
    X = rng.uniform(*SQUARE, (60, 2))
    y = np.sin(2 * np.pi * X[:, 0]) + X[:, 1]
    network = LayeredNetwork((2, 24, 24, 24), LEAKY)
    run, room = FullBatchDescent(network, X, y, 0.2, rng=rng), np.inf
    for steps in (0, 100, 200):
        run.advance(steps)
        found = Spectrum.of(network.gramian(run.theta, X))
        readout = float(np.linalg.norm(run.theta[network.slices[-1]]))
        bound = factor * tail_bound(found, run.outputs, readout)
        room = min(room, float((bound - (1 - found.energy(run.outputs)[:-1])).min()))
    return room


def linear_models(plan: Plan) -> Iterator[Claim]:
    """Descent of models that are linear in their parameters, against closed forms in eigenpairs."""
    options: dict[str, Any] = {"source": DERIVED, "samples": plan.count(60)}
    for ident, name, measure in (
        ("A7", "descent of a linear model and its eigenpairs, at training inputs and beyond", _frozen),
        ("A16.factors", "each mode falls by (1 - rate lambda_i / N)^t, on both sides of the threshold", _factors),
    ):
        yield Claim(name, per_network(name, measure), id=ident, predicted=Identity(1e-9), **options)
    for ident, name, ratio in (
        ("A16.below", "loss falls in every step at 0.99 of the threshold 2 N / lambda_1", 0.99),
        ("A16.above", "loss grows in the end at 1.01 of the threshold", 1.01),
    ):
        yield shortfall(name, _stability(ratio), id=ident, **options)
    yield shortfall(
        "loss falls in every step at 1.01 of the threshold",
        _stability(1.01, falling=True),
        id="A16.wrong",
        source="negative control",
        expect="refuted",
        samples=options["samples"],
    )


class _Linear:
    """A small network made linear in its parameters, and squared loss on some inputs."""

    def __init__(self, rng: np.random.Generator) -> None:
        network, theta, X = _drawn(rng, "tanh")
        points = np.concatenate([X, rng.standard_normal((3, 3))])
        self.J, self.start = network.jacobian(theta, points), network.outputs(theta, points)
        self.y, self.trained = rng.standard_normal(5), 5
        self.spectrum = Spectrum.of(self.J[:5] @ self.J[:5].T)

    def outputs(self, rate: float, steps: int) -> Array:
        """By descent in parameters, shape (steps + 1, points)."""
        moved, found, J = np.zeros(self.J.shape[1]), [self.start], self.J[: self.trained]
        for _ in range(steps):
            moved = moved - rate * J.T @ (found[-1][: self.trained] - self.y) / self.trained
            found.append(self.start + self.J @ moved)
        return np.array(found)


def _frozen(rng: np.random.Generator) -> float:
    model = _Linear(rng)
    rate = 0.5 * model.spectrum.stable_rate
    dynamics = LinearDynamics(model.J @ model.J[: model.trained].T, model.y, rate / model.trained)
    return _relative(dynamics.descent(model.start, [STEPS]).outputs[0], model.outputs(rate, STEPS)[-1])


def _factors(rng: np.random.Generator) -> float:
    model, worst = _Linear(rng), 0.0
    V, trained = model.spectrum.eigenvectors, model.trained
    for ratio in (0.99, 1.01):
        rate = ratio * model.spectrum.stable_rate
        residuals = (model.outputs(rate, STEPS)[:, :trained] - model.y) @ V
        factors = (1 - model.spectrum.speeds(rate)) ** np.arange(STEPS + 1)[:, None]
        worst = max(worst, _relative(residuals, factors * residuals[0]))
    return worst


def _stability(ratio: float, falling: bool = False) -> Measure:
    def measure(rng: np.random.Generator) -> float:
        model = _Linear(rng)
        growing = ratio > 1 and not falling
        # a start with little energy in the first mode takes long to show what that mode does
        outputs = model.outputs(ratio * model.spectrum.stable_rate, (20 if growing else 3) * STEPS)
        losses = ((outputs[:, : model.trained] - model.y) ** 2).mean(axis=1) / 2
        if growing:
            return float((losses[-1] - losses[-2]) / losses[0])
        return float((losses[:-1] - losses[1:]).min() / losses[0])

    return measure


def _only(network: LayeredNetwork, theta: Array, layer: int) -> Array:
    """The parameters of one layer, all others zero."""
    kept = np.zeros_like(theta)
    kept[network.slices[layer]] = theta[network.slices[layer]]
    return kept


def _relative(found: Array, expected: Array) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())
