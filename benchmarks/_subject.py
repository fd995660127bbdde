"""The quantity that is measured throughout: a third derivative along a gradient.

    f(x) = v . tanh(W tanh(U x / 2) / n^1/2) / n^1/2,      D^3 f(x) [g, g, g],   g = gradient of f at x,

with 4 inputs, two hidden layers of n units and all weights standard normal, drawn anew for every sample. Here it stands
three times: by this library, dense in plain NumPy, and (in ``against_jax``) in JAX.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import randtensor as rt
from randtensor.quantity import Draw, Quantity, Sizes

__all__ = ["INPUT", "DenseCubic", "Weights", "cubic", "cubic_at", "dense_cubic", "rms"]

Array = NDArray[np.float64]

INPUT: Array = np.array([1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Weights:
    """One set of weights: shapes (n, 4), (n, n) and (n,)."""

    U: Array
    W: Array
    v: Array

    @staticmethod
    def draw(width: int, generator: np.random.Generator) -> Weights:
        """Standard normal weights."""
        normal = generator.standard_normal
        return Weights(normal((width, len(INPUT))), normal((width, width)), normal(width))


def _network() -> rt.RandomFunction:
    return rt.networks.mlp(inputs=len(INPUT), width=rt.Scale("n"), hidden_layers=2, activation="tanh")


def _contraction(f: rt.RandomFunction) -> Any:
    g, third = f.derivative(INPUT), f.derivative(INPUT, 3)
    return rt.einsum("abc,a,b,c->", third, g, g, g)


def cubic() -> Any:
    """The quantity, by this library."""
    return _contraction(_network())


def cubic_at(weights: Weights) -> float:
    """Its value at given weights, by this library."""
    f = _network()
    names = list(f.space.tensors)
    arrays = dict(zip(names, (weights.U, weights.W, weights.v), strict=True))
    return float(_contraction(f.at(**arrays)).sample(size=1)[0])


def dense_cubic(weights: Weights) -> float:
    """Its value at given weights in plain NumPy: Taylor coefficients forward, rank-one directions for the gradient.

    W is read three times and nothing of its size is written: no dense method does with less than drawing it.
    """
    U, W, v = weights.U, weights.W, weights.v
    root = np.sqrt(len(v))
    # The forward and the reverse pass; the gradient of W is the outer product of `delta2 / root` and `h1[0]`.
    phi1 = _tanh_taylor(U @ INPUT / 2)
    z2_0 = W @ phi1[0] / root
    phi2 = _tanh_taylor(z2_0)
    delta2 = v * phi2[1] / root
    delta1 = (W.T @ delta2) / root * phi1[1]
    # Taylor coefficients in t of the network at weights + t * gradient.
    slope = np.zeros_like(v)
    h1 = _compose(phi1, (delta1 * (INPUT @ INPUT) / 4, slope, slope))
    products = W @ np.stack(h1[1:], axis=1) / root
    overlaps = [h1[0] @ h for h in h1[:3]]
    z2 = tuple(products[:, k] + delta2 * (overlaps[k] / root**2) for k in range(3))
    h2 = _compose(phi2, z2)
    return float(6 * (v @ h2[3] / root + h2[0] @ h2[2] / root**2))


def _tanh_taylor(z: Array) -> tuple[Array, Array, Array, Array]:
    t = np.tanh(z)
    s = 1 - t * t
    return t, s, -t * s, s * (t * t - 1 / 3)


def _compose(phi: tuple[Array, ...], z: tuple[Array, ...]) -> tuple[Array, Array, Array, Array]:
    """Taylor coefficients 0 to 3 of phi(z) from those of phi at z_0 and the coefficients 1 to 3 of z."""
    first = phi[1] * z[0]
    second = phi[1] * z[1] + phi[2] * z[0] ** 2
    third = phi[1] * z[2] + 2 * phi[2] * z[0] * z[1] + phi[3] * z[0] ** 3
    return phi[0], first, second, third


class DenseCubic(Quantity):
    """The quantity with all weights drawn, in plain NumPy; sampled over threads just like the library's own."""

    scale_names = ("n",)

    @property
    def fingerprint(self) -> str:
        return "dense third derivative along the gradient"

    def block_length(self, sizes: Sizes) -> int:
        return 1

    def evaluate(self, draw: Draw) -> Array:
        return np.array([dense_cubic(Weights.draw(draw.sizes["n"], draw.generator))])


def rms(samples: Array) -> tuple[float, float]:
    """Root mean square and its standard error (delta method)."""
    squares = np.square(samples)
    value = float(np.sqrt(squares.mean()))
    return value, float(squares.std(ddof=1) / np.sqrt(len(squares)) / (2 * value))
