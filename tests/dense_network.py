"""A network with one hidden layer in plain NumPy: the reference of several tests.

F = n^-1/2 v.phi(z), z = W x / sqrt(inputs), with parameters in the order (W row by row, v).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np

import randtensor as rt
from randtensor.programs.activations import get_activation

__all__ = ["DenseNetwork", "random_network"]


@dataclass(frozen=True)
class DenseNetwork:
    activation: str
    W: np.ndarray
    v: np.ndarray

    @property
    def function(self) -> rt.RandomFunction:
        """The same network at the same arrays, made by the library."""
        network = rt.networks.two_layer(self.W.shape[1], rt.Scale("n"), self.activation)
        return network.at(W1=self.W, v=self.v)

    def derivatives(self, x, order: int) -> list[np.ndarray]:
        """phi^(k)(z(x)) for k up to the order."""
        z = self.W @ np.asarray(x) / self.W.shape[1] ** 0.5
        return [factorial(k) * c for k, c in enumerate(get_activation(self.activation).taylor(z, order))]

    def value(self, x) -> float:
        return float(self.v @ self.derivatives(x, 0)[0] / len(self.v) ** 0.5)

    def gradient(self, x) -> np.ndarray:
        phi, slope = self.derivatives(x, 1)
        scaled = np.asarray(x) / self.W.shape[1] ** 0.5
        return np.concatenate([np.outer(self.v * slope, scaled).ravel(), phi]) / len(self.v) ** 0.5

    def hessian(self, x) -> np.ndarray:
        n, inputs = self.W.shape
        _, slope, curvature = self.derivatives(x, 2)
        scaled = np.asarray(x) / inputs**0.5
        hessian = np.zeros((n * inputs + n, n * inputs + n))
        for i in range(n):
            unit = slice(i * inputs, (i + 1) * inputs)
            hessian[unit, unit] = self.v[i] * curvature[i] * np.outer(scaled, scaled)
            hessian[unit, n * inputs + i] = hessian[n * inputs + i, unit] = slope[i] * scaled
        return hessian / n**0.5

    def moved(self, direction: np.ndarray) -> DenseNetwork:
        """The network at parameters moved by a vector."""
        split = self.W.size
        return DenseNetwork(
            self.activation, self.W + direction[:split].reshape(self.W.shape), self.v + direction[split:]
        )


def random_network(activation: str, n: int, inputs: int, seed: int) -> DenseNetwork:
    rng = np.random.default_rng(seed)
    return DenseNetwork(activation, rng.standard_normal((n, inputs)), rng.standard_normal(n))
