"""Full-batch gradient descent on networks with two hidden layers, batched over initialisations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.networks import Parametrization
from theory_checks.suites.correlation_functions.plan import n

__all__ = ["GradientDescent"]

Array = np.ndarray

#: entries of the hidden matrices of one block of networks: larger blocks leave the cache
_BLOCK_ENTRIES = 2**18


@dataclass(frozen=True)
class GradientDescent:
    """Training of a tanh network on the mean of (f - y)^2 / 2 over a few inputs.

    Layer l has weights n^-a_l w^l; w^l starts from a normal law of standard deviation n^-b_l and takes steps of
    ``learning_rate`` n^-c (Yang & Hu, arXiv 2011.14522).

    Attributes
    ----------
    scheme : the exponents.
    inputs, targets : rows of inputs, and one target each.
    learning_rate, steps : of the training.
    """

    scheme: Parametrization
    inputs: tuple[tuple[float, ...], ...] = ((1.0, 1.0), (1.0, -1.0), (-1.4, 0.2))
    targets: tuple[float, ...] = (1.0, -1.0, 0.5)
    learning_rate: float = 0.2
    steps: int = 20

    def feature_change(self) -> rt.Quantity:
        """Root mean square, over neurons and inputs, of the change of the last hidden activations.

        >>> scheme = rt.networks.parametrization("mup")
        >>> GradientDescent(scheme).feature_change().sample(16, size=3, rng=0).shape
        (3,)
        """

        def change(size: int, batch: int, rng: np.random.Generator) -> Array:
            def observe(network: _Network) -> Array:
                return np.asarray(network.second)

            return _in_blocks(
                size, batch, lambda part: np.sqrt(np.mean(self._change(size, part, rng, observe) ** 2, (1, 2)))
            )

        return rt.quantity(n, name=f"feature change, {self}")(change)

    def kernel_change(self) -> rt.Quantity:
        """Change of the tangent kernel at the first input, times n^-c.

        >>> scheme = rt.networks.parametrization("ntk")
        >>> GradientDescent(scheme).kernel_change().sample(16, size=3, rng=0).shape
        (3,)
        """

        def change(size: int, batch: int, rng: np.random.Generator) -> Array:
            return _in_blocks(size, batch, lambda part: self._change(size, part, rng, _Network.kernel))

        return rt.quantity(n, name=f"kernel change, {self}")(change)

    def _change(self, size: int, batch: int, rng: np.random.Generator, observe: Any) -> Array:
        network = _Network(self, size, batch, rng)
        before = observe(network)
        for _ in range(self.steps):
            network.step()
        return np.asarray(observe(network) - before)


class _Network:
    """Weights of a batch of networks, with the activations they have at all inputs, shape (batch, n, inputs)."""

    def __init__(self, training: GradientDescent, size: int, batch: int, rng: np.random.Generator) -> None:
        scheme = training.scheme
        self.inputs, self.targets = np.array(training.inputs), np.array(training.targets)
        count, dimension = self.inputs.shape
        layers = (scheme.input, scheme.hidden, scheme.output)
        self.factors = [float(size) ** -float(a) for a, _ in layers]
        self.factors[0] *= dimension**-0.5
        shapes = ((batch, size, dimension), (batch, size, size), (batch, 1, size))
        self.weights = [
            rng.standard_normal(shape) * float(size) ** -float(b) for shape, (_, b) in zip(shapes, layers, strict=True)
        ]
        self.rate = float(size) ** -float(scheme.learning_rate)
        self.step_size = training.learning_rate * self.rate / count
        self.forward()

    def forward(self) -> None:
        (u, w, v), (c_u, c_w, c_v) = self.weights, self.factors
        self.first = np.tanh(c_u * (u @ self.inputs.T))
        self.second = np.tanh(c_w * (w @ self.first))
        self.output = c_v * (v @ self.second)

    def slopes(self) -> tuple[Array, Array]:
        """Derivatives of the outputs by the pre-activations of both layers."""
        second = self.factors[2] * np.swapaxes(self.weights[2], 1, 2) * (1 - self.second**2)
        first = self.factors[1] * (np.swapaxes(self.weights[1], 1, 2) @ second) * (1 - self.first**2)
        return first, second

    def step(self) -> None:
        """One step of gradient descent."""
        first, second = self.slopes()
        error = self.step_size * (self.output - self.targets)
        (u, w, v), (c_u, c_w, c_v) = self.weights, self.factors
        u -= c_u * ((error * first) @ self.inputs)
        w -= c_w * ((error * second) @ np.swapaxes(self.first, 1, 2))
        v -= c_v * (error @ np.swapaxes(self.second, 1, 2))
        self.forward()

    def kernel(self) -> Array:
        """Squared gradient at the first input times n^-c, shape (batch,)."""
        lengths = [np.full(len(self.first), np.sum(self.inputs[0] ** 2))]
        lengths += [np.sum(a[:, :, 0] ** 2, axis=1) for a in (self.first, self.second)]
        slopes = [np.sum(s[:, :, 0] ** 2, axis=1) for s in self.slopes()] + [np.ones(len(self.first))]
        parts = [c**2 * a * s for c, a, s in zip(self.factors, lengths, slopes, strict=True)]
        return np.asarray(self.rate * np.sum(parts, axis=0))


def _in_blocks(size: int, batch: int, run: Any) -> Array:
    block = max(1, _BLOCK_ENTRIES // size**2)
    parts = [run(min(block, batch - start)) for start in range(0, batch, block)]
    return np.concatenate(parts)
