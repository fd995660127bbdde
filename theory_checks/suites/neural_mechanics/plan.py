"""Sizes, samples and the form of the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import randtensor as rt
from theory_checks.claims import Claim, Identity
from theory_checks.suites import SuiteOptions
from theory_checks.suites.neural_mechanics.network import Data

__all__ = ["DERIVED", "SOURCE", "Plan", "computed", "n", "sampled", "scaled"]

Array = np.ndarray

SOURCE = "Kunin et al. 2020, arXiv 2012.04728"
DERIVED = "derived"

#: what it counts stands in the name of each claim: examples, steps, or 1 over what tends to zero
n = rt.Scale("n")


def sampled(function: Callable[[int, np.random.Generator], Any], name: str, shape: tuple[int, ...] = ()) -> rt.Quantity:
    """The quantity of which ``function(size, generator)`` draws one sample.

    >>> sampled(lambda size, rng: size * rng.random(), "a number below n").sample(4, size=3, rng=0).shape
    (3,)
    """

    @rt.quantity(n, name=name, shape=shape, batch=1)
    def quantity(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.array([function(size, rng) for _ in range(batch)], dtype=float)

    return quantity


def scaled(problem: Callable[[np.random.Generator], Callable[[int], float]], base: int, name: str) -> rt.Quantity:
    """What a random problem gives at size n, over what the same problem gives at size ``base``.

    The constants of a law, which differ from problem to problem, drop out of the ratio and its exponent stays.
    """

    def ratio(size: int, rng: np.random.Generator) -> float:
        at = problem(rng)
        return at(size) / at(base)

    return sampled(ratio, name)


def computed(function: Callable[[int], float], name: str) -> rt.Quantity:
    """A number that depends on the size alone, as a quantity without scatter.

    >>> computed(lambda size: 1 / size, "inverse").sample(4, size=2).tolist()
    [0.25, 0.25]
    """

    @rt.quantity(n, name=name, batch=64)
    def quantity(size: int, batch: int, rng: np.random.Generator) -> Array:
        return np.full(batch, function(size))

    return quantity


class Plan:
    """How a run asks for the claims."""

    def __init__(self, options: SuiteOptions) -> None:
        self.quick = options.quick
        self.data = Data(options.inputs)

    def count(self, samples: int) -> int:
        """Samples of a claim; a quick run takes a third of them."""
        return max(samples // 3, min(samples, 4)) if self.quick else samples

    def rate(
        self, ident: str, name: str, quantity: rt.Quantity, power: float, sizes: Sequence[int], samples: int,
        **options: Any,
    ) -> Claim:  # fmt: skip
        """The exponent of the mean of absolute values."""
        given: dict[str, Any] = {"statistic": "L1", "correction": 1.0, "source": DERIVED}
        return Claim(
            name,
            quantity,
            id=ident,
            predicted=rt.Theta(n**power),
            n=list(sizes),
            samples=self.count(samples),
            **given | options,
        )

    def identity(
        self, ident: str, name: str, quantity: rt.Quantity, tolerance: float, sizes: Sequence[int], samples: int,
        **options: Any,
    ) -> Claim:  # fmt: skip
        """A relative residual that vanishes in every sample."""
        given: dict[str, Any] = {"source": DERIVED}
        return Claim(
            name,
            quantity,
            id=ident,
            predicted=Identity(tolerance),
            n=list(sizes),
            samples=self.count(samples),
            **given | options,
        )
