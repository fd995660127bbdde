"""The characteristic function of trained outputs, less what it is to first order in the fluctuations at the start.

With z = v.(f_t - mean) / std, mean and std those of the Gaussian process, exp(i z) is to first order
exp(i z_inf) (1 + i v.response / std), where z_inf belongs to the flow of infinite width from the same f_0. With one
hidden layer kernel and outputs at the start are sums over independent units, so that the mean of this is some integrals
over one of them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import estimators
from estimators.training import Snapshot
from theory_checks.suites.wide_gaussianity.response import Response, width

__all__ = ["Wave"]

Array = NDArray[np.float64]

#: nodes of the quadrature along each axis
NODES = 48


class Wave:
    """exp(i z) for the standardised trained output in a direction.

    Parameters
    ----------
    response : of the outputs to the fluctuations at the start.
    direction : v, shape (N,).

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(2, rt.Scale("n"), "softplus")
    >>> wave = Wave(Response(f, np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([1.0, -1.0]), 1.0), np.array([1.0, 0.0]))
    >>> bool(abs(wave.mean(10**6) - np.exp(-0.5)) < 1e-5)
    True
    """

    def __init__(self, response: Response, direction: Any) -> None:
        self.response, self.direction = response, np.asarray(direction, dtype=float)
        law = estimators.trained_law(response.f, response.points, response.targets, time=response.time)
        self.centre = float(self.direction @ law.mean)
        self.std = float(self.direction @ law.covariance @ self.direction) ** 0.5
        #: z_inf = weights.f_0
        self.weights: Array = response.decay.T @ self.direction / self.std
        self.mean = cache(self._mean)

    def gap(self, snapshot: Snapshot) -> NDArray[np.complex128]:
        """exp(i z) - exp(-1/2), less its first order and plus the mean of that, shape (samples,)."""
        z = (snapshot.outputs @ self.direction - self.centre) / self.std
        start = snapshot.initial.outputs @ self.weights
        moved = self.response.outputs(snapshot) @ self.direction / self.std
        first = np.exp(1j * start) * (1 + 1j * moved)
        return np.asarray(np.exp(1j * z) - first + (self.mean(width(snapshot)) - np.exp(-0.5)))

    def _mean(self, size: int) -> complex:
        """Mean of exp(i z_inf) (1 + i v.response / std) at width ``size``."""
        response, root = self.response, size**0.5
        y, kernel = response.targets, response.kernel
        probability, outputs, kernels = _unit(response)
        wave = probability * np.exp(1j * (outputs @ self.weights) / root)
        # means over one unit, all with the factor exp(i weights.Y / sqrt(n)); other units give powers of the first one
        one = wave.sum()
        value, theta = np.einsum("a,ak->k", wave, outputs), np.einsum("a,aij->ij", wave, kernels)
        square = np.einsum("a,ak,al->kl", wave, outputs, outputs)
        both = np.einsum("a,aij,ak->ijk", wave, kernels, outputs)
        rest = np.exp((size - 2) * np.log(one))
        plain, f0 = one**2 * rest, root * value * one * rest
        theta0 = theta * one * rest
        pair = square * one * rest + (size - 1) * np.multiply.outer(value, value) * rest
        mixed = (both * one + (size - 1) * np.multiply.outer(theta, value)) * rest / root
        gap = mixed - np.multiply.outer(theta0, y) - np.multiply.outer(kernel, f0 - y * plain)
        residuals = pair - np.multiply.outer(y, f0) - np.multiply.outer(f0, y) + np.multiply.outer(y, y) * plain
        moved = response.contracted(gap, size**-0.5 * residuals) @ self.direction / self.std
        return complex(plain + 1j * moved)


def _unit(response: Response) -> tuple[Array, Array, Array]:
    """One unit by quadrature: probabilities, shape (Q,), its parts of the outputs and of the kernel."""
    network = response.f.architecture
    assert network is not None
    overlaps = response.points @ response.points.T / response.points.shape[1]
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    grid = np.stack(np.meshgrid(*[nodes] * len(overlaps), indexing="ij"), axis=-1).reshape(-1, len(overlaps))
    chance = np.prod(np.meshgrid(*[weights / weights.sum()] * len(overlaps), indexing="ij"), axis=0).ravel()
    hidden = grid @ np.linalg.cholesky(overlaps).T
    if network.readout is None:
        a, b = nodes, weights / weights.sum()
    else:
        # exponential with mean 0, the only other law of these claims
        assert network.readout == "exponential"
        a, b = np.polynomial.laguerre.laggauss(NODES)
        a = a - 1
    values, slopes = network.activation.taylor(hidden, 1)
    probability = np.multiply.outer(b, chance).ravel()
    outputs = np.multiply.outer(a, values).reshape(-1, len(overlaps))
    still, moving = (np.einsum("zi,zj->zij", s, s) for s in (values, slopes))
    kernels = still + np.multiply.outer(a**2, overlaps * moving)
    return probability, outputs, kernels.reshape(-1, *overlaps.shape)
