"""The quantity that is measured throughout: a third derivative along a gradient.

    f(x) = v . tanh(W tanh(U x / 2) / n^1/2) / n^1/2,      D^3 f(x) [g, g, g],   g = gradient of f at x,

with 4 inputs, two hidden layers of n units and all weights standard normal, drawn anew for every sample; here by this
library, and by everybody else in ``contenders``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import randtensor as rt

__all__ = ["INPUT", "Weights", "cubic", "cubic_at", "rms"]

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


def rms(samples: Array) -> tuple[float, float]:
    """Root mean square and its standard error (delta method)."""
    squares = np.square(samples)
    value = float(np.sqrt(squares.mean()))
    return value, float(squares.std(ddof=1) / np.sqrt(len(squares)) / (2 * value))
