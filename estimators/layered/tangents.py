"""Derivatives of a network and of its Gramian along one direction in parameter space."""

from __future__ import annotations

from typing import Any

import numpy as np

from estimators.layered.network import LayeredNetwork, transposed

__all__ = ["Tangents"]

Array = np.ndarray


class Tangents:
    """How values and gradients of a network move along a direction q in parameter space.

    With f(theta + h q) and J(theta + h q) as functions of h, all derivatives are those at h = 0. One forward and one
    backward pass of first order in h give the inputs and sensitivities of all layers with their derivatives.

    Parameters
    ----------
    network, theta, X : the network, its parameters (..., P), and the inputs, shape (N, inputs).
    direction : q, shape (..., P).

    Attributes
    ----------
    first : J q, shape (..., N).
    second : the second derivative d2f(q, q) of f at each input, shape (..., N).

    Examples
    --------
    >>> import numpy as np
    >>> network = LayeredNetwork((2, 8, 8))
    >>> theta, X = network.initial(rng=0), np.array([[0.3, -0.2], [0.1, 0.9]])
    >>> q = network.initial(rng=1)
    >>> tangents, h = Tangents(network, theta, X, q), 1e-4
    >>> below, at, above = (network.outputs(theta + k * h * q, X) for k in (-1, 0, 1))
    >>> bool(np.allclose(tangents.second, (above - 2 * at + below) / h**2, rtol=1e-5))
    True
    """

    def __init__(self, network: LayeredNetwork, theta: Array, X: Array, direction: Array) -> None:
        self.network = network
        trace = network.forward(theta, X, slopes=False)
        weights, changes = list(network.split(theta)), list(network.split(direction))
        #: inputs of each layer and their derivatives, slopes and their derivatives
        self.layers, self.layer_changes = trace.layers, [np.zeros_like(X)]
        slopes, slope_changes, own = [], [], []
        for layer, factor in enumerate(network.factors):
            h, dh = self.layers[layer], self.layer_changes[layer]
            (matrix, biases), (change, bias_change) = weights[layer], changes[layer]
            z = factor * (h @ transposed(matrix))
            through = factor * (dh @ transposed(matrix)) if layer else np.zeros_like(z)
            direct = factor * (h @ transposed(change))
            if biases is not None and bias_change is not None:
                z, direct = z + biases[..., None, :], direct + bias_change[..., None, :]
            #: by how much z moves with this layer's own parameters, and its derivative
            own.append((direct, factor * (dh @ transposed(change)) if layer else np.zeros_like(z)))
            moved = through + direct
            if layer < network.depth - 1:
                _, slope, half_curvature = network.phi.taylor(z, 2)
                slopes.append(slope)
                slope_changes.append(2 * half_curvature * moved)
                self.layer_changes.append(slope * moved)
        self.first: Array = moved[..., 0]
        s, ds = np.ones_like(moved), np.zeros_like(moved)
        self.sensitivities, self.sensitivity_changes = [s], [ds]
        for layer in range(network.depth - 1, 0, -1):
            factor, (matrix, _), (change, _) = network.factors[layer], weights[layer], changes[layer]
            back, back_change = factor * (s @ matrix), factor * (ds @ matrix + s @ change)
            s, ds = back * slopes[layer - 1], back_change * slopes[layer - 1] + back * slope_changes[layer - 1]
            self.sensitivities.insert(0, s)
            self.sensitivity_changes.insert(0, ds)
        total: Any = 0.0
        for (direct, crossed), s, ds in zip(own, self.sensitivities, self.sensitivity_changes, strict=True):
            total = total + (ds * direct + s * crossed).sum(axis=-1)
        self.second: Array = total

    def gramian(self) -> Array:
        """The derivative D J^T + J D^T of the Gramian, with D that of J: shape (..., N, N)."""
        total: Any = 0.0
        parts = zip(
            self.network.factors,
            self.layers, self.layer_changes, self.sensitivities, self.sensitivity_changes, strict=True,
        )  # fmt: skip
        for factor, h, dh, s, ds in parts:
            inputs = factor**2 * (h @ transposed(h)) + self.network.biases
            half = factor**2 * (dh @ transposed(h)) * (s @ transposed(s)) + inputs * (ds @ transposed(s))
            total = total + half
        return np.asarray(total + transposed(total))
