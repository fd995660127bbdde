"""The quantities that everybody computes, and what a contender is.

    f(x) = v . tanh(W tanh(U x / 2) / n^1/2) / n^1/2

with 4 inputs, two hidden layers of n units and all weights standard normal, drawn anew for every sample. Three of the
quantities are one formula, the derivative of order k at x along the gradient at y,

    D^k f(x) [g(y), ..., g(y)],

and the fourth is where training leaves the linearised network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from benchmarks._subject import INPUT, Array, Weights

__all__ = [
    "DIRECTIONAL",
    "OTHER",
    "QUANTITIES",
    "RATE",
    "STEPS",
    "TARGETS",
    "TRAINING_INPUTS",
    "Contender",
    "Directional",
    "Engine",
    "LoopEngine",
    "calls_of",
]

OTHER: Array = np.array([1.0, 1.0, 1.0, -1.0])


@dataclass(frozen=True)
class Directional:
    """The derivative of some order at ``INPUT`` along the gradient at ``along``."""

    order: int
    along: Array

    @property
    def same(self) -> bool:
        """Whether the gradient is taken at the input itself."""
        return self.along is INPUT


DIRECTIONAL = {"third": Directional(3, INPUT), "hessian": Directional(2, OTHER), "kernel": Directional(1, OTHER)}

QUANTITIES = {
    "third": "third derivative along the gradient, D^3 f(x)[g(x), g(x), g(x)]",
    "hessian": "Hessian along the gradient at another input, g(y)^T H(x) g(y)",
    "kernel": "tangent-kernel entry, g(x)^T g(y)",
    "training": "output minus linearised output at x after 20 steps of gradient descent on four other inputs",
}

# Of the quantity "training": full batch, loss (1/2N) sum (f - target)^2.
STEPS, RATE = 20, 0.5
TRAINING_INPUTS: Array = np.random.default_rng(0).standard_normal((4, 4))
TARGETS: Array = np.array([1.0, -1.0, 0.5, -0.5])


class Engine(Protocol):
    """One way to compute one quantity."""

    def value(self, weights: Weights) -> float:
        """The quantity at given weights."""

    def sample(self, width: int, count: int, seed: int) -> Array:
        """Independent values, weights drawn anew; the first call at a width may compile."""

    def count(self, width: int) -> int:
        """Samples that one call had best make."""


@dataclass(frozen=True)
class Contender:
    """A way to compute some of the quantities.

    Parameters
    ----------
    key : short name for the command line and the file of results.
    name : what tables call it.
    module : where ``engine(key, quantity)`` is found.
    quantities : keys of ``QUANTITIES``.
    needs : packages that have to be installed.
    least : bytes that it cannot do without at (quantity, width); beyond the memory of the machine it is not tried.
    agreement : relative difference from this library that rounding, or the method's own error, allows.
    """

    key: str
    name: str
    module: str
    quantities: tuple[str, ...] = tuple(QUANTITIES)
    needs: tuple[str, ...] = ()
    least: Callable[[str, int], float] = lambda quantity, width: 8.0 * width**2
    agreement: float = 1e-10

    @property
    def missing(self) -> str:
        """The first package that is not installed, or nothing."""
        return next((name for name in self.needs if find_spec(name) is None), "")

    def engine(self, quantity: str) -> Engine:
        """The engine for a quantity."""
        found: Engine = import_module(self.module).engine(self.key, quantity)
        return found


@dataclass(frozen=True)
class LoopEngine:
    """Samples one by one, in NumPy: weights are drawn and handed to a function."""

    function: Callable[[Weights], float]

    def value(self, weights: Weights) -> float:
        return self.function(weights)

    def sample(self, width: int, count: int, seed: int) -> Array:
        generator = np.random.Generator(np.random.SFC64(seed))
        return np.array([self.function(Weights.draw(width, generator)) for _ in range(count)])

    def count(self, width: int) -> int:
        return calls_of(width)


def calls_of(width: int, entries: int = 2**22) -> int:
    """Samples per call of a dense method: no more than fit ``entries`` entries of W, at most 256, at least one."""
    return max(1, min(256, entries // width**2))
