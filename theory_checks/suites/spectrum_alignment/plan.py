"""Networks, data and sample sizes shared by the claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import randtensor as rt
from estimators.layered import LayeredNetwork
from theory_checks.claims import Claim, Identity
from theory_checks.suites import SuiteOptions

__all__ = ["DERIVED", "LEAKY", "SOURCE", "SQUARE", "TREND", "Plan", "n", "per_network", "shortfall"]

SOURCE = "Kopitkov & Indelman 2019, arXiv 1910.08720"
TREND = f"{SOURCE}; trend, with a threshold of this library"
DERIVED = "derived"

LEAKY = "leaky_relu(0.2)"

#: the plane square on which functions are learned
SQUARE = (-0.5, 0.5)

n = rt.Scale("n")

Array = np.ndarray


class Plan:
    """Networks, data and sample sizes shared by the claims."""

    def __init__(self, options: SuiteOptions) -> None:
        self.quick = options.quick
        if options.inputs is None:
            # Squared lengths equal the dimension.
            drawn = np.random.default_rng(0).standard_normal((5, 4))
            self.inputs = 2 * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        else:
            if len(options.inputs) < 2:
                raise rt.InputError(f"inputs has {len(options.inputs)} row, expected at least two input vectors")
            self.inputs = options.inputs[:5]
        self.targets = np.array([1.0, -0.6, 0.3, -1.2, 0.8])[: len(self.inputs)]

    def count(self, samples: int, least: int = 30) -> int:
        """Samples of a claim; a quick run takes a third of them, but not fewer than ``least`` where there are more."""
        return max(samples // 3, min(samples, least)) if self.quick else samples

    def grid(self, first: int, ratio: int, samples: Sequence[int]) -> dict[str, Any]:
        """Sizes in geometric progression."""
        return {"n": [first * ratio**k for k in range(len(samples))], "samples": [self.count(s) for s in samples]}

    def networks(self, activation: str = "tanh", biases: bool = True) -> LayeredNetwork:
        """Two hidden layers of seven neurons: small enough for Jacobians."""
        return LayeredNetwork((3, 7, 7), activation, biases=biases)


def per_network(name: str, measure: Callable[[np.random.Generator], Any], shape: tuple[int, ...] = ()) -> rt.Quantity:
    """A quantity without a scale: ``measure`` draws one network and its data, and returns numbers about them."""

    @rt.quantity(name=name, batch=1, shape=shape)
    def measured(batch: int, rng: np.random.Generator) -> Array:
        return np.array([measure(rng) for _ in range(batch)], dtype=float).reshape(batch, *shape)

    return measured


def shortfall(name: str, measure: Callable[[np.random.Generator], Any], **options: Any) -> Claim:
    """The claim that the numbers ``measure`` returns are non-negative for every network; the residual is the lack."""
    quantity = per_network(name, lambda rng: max(0.0, float(-np.min(measure(rng)))))
    return Claim(name, quantity, predicted=Identity(options.pop("tolerance", 1e-12)), **options)
