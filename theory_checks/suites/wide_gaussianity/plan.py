"""Networks, inputs and sample sizes shared by the claims."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.quantity import Draw
from theory_checks.claims import Claim, Exact
from theory_checks.suites import SuiteOptions
from theory_checks.verdicts import joint_detectable

__all__ = ["DERIVED", "EDGEWORTH", "SOURCE", "Plan", "evaluated", "in_large_blocks", "n"]

SOURCE = "Carvalho, Lopes Costa, Mourao & Oliveira 2023, arXiv 2304.03385"
DERIVED = "derived; cumulants of sums over units"
EDGEWORTH = f"{SOURCE}; Edgeworth series"

n = rt.Scale("n")

_LEVEL = 1e-7  # of one claim, when an error budget of 1e-4 is split over all suites
_FEWEST = 400

ACTIVATION = "softplus"


class Plan:
    """Networks, inputs and sample sizes shared by the claims."""

    def __init__(self, options: SuiteOptions) -> None:
        self.quick = options.quick
        if options.inputs is None:
            # Squared lengths equal the dimension, and the overlap is one half.
            self.x, self.y = math.sqrt(2) * np.array([1.0, 0.0]), math.sqrt(2) * np.array([0.5, math.sqrt(3) / 2])
        else:
            if len(options.inputs) < 2:
                raise rt.InputError(f"inputs has {len(options.inputs)} row, expected at least two input vectors")
            self.x, self.y = options.inputs[:2]
            if np.linalg.matrix_rank(np.stack([self.x, self.y])) < 2:
                raise rt.InputError("inputs has parallel first two rows, expected linearly independent vectors")
        self.inputs = len(self.x)

    @cache  # noqa: B019 - one plan lives as long as its claims
    def shallow(self, readout: Any = None, activation: str = ACTIVATION) -> rt.RandomFunction:
        """One hidden layer; the same object each time, so that its integrals are found once."""
        return rt.networks.two_layer(self.inputs, n, activation, readout=readout)

    def deep(self, layers: int, hidden: Any = None) -> rt.RandomFunction:
        """Several hidden layers."""
        return rt.networks.mlp(self.inputs, n, layers, ACTIVATION, hidden=hidden)

    def within(self, deviation: float) -> float:
        """The deviation that a claim has to be able to exclude; a quick run asks for half of that."""
        return 2 * deviation if self.quick else deviation

    def count(self, samples: int) -> int:
        """Samples of a claim; a quick run takes a third of them."""
        return max(samples // 3, min(samples, _FEWEST)) if self.quick else samples

    def counts(self, samples: Sequence[int]) -> list[int]:
        """The same for each of several sizes."""
        return [self.count(number) for number in samples]

    def exact(
        self,
        ident: str,
        name: str,
        quantity: rt.Quantity,
        value: Any,
        sizes: Sequence[int],
        within: float = 0.06,
        sampled: rt.Quantity | None = None,
        tails: float = 1.0,
    ) -> Claim:
        """The mean at every size, with exact errors, and the samples that let a relative ``within`` be seen.

        ``sampled`` is the same quantity in a form that is faster to sample; heavy ``tails`` ask for so many times the
        samples that a normal law would.
        """
        within = self.within(within)
        variance = evaluated(quantity.variance)
        needed = joint_detectable([1.0] * len(sizes), _LEVEL) / within
        spreads = [math.sqrt(variance(size)) / float(value(size)) for size in sizes]
        samples = [max(_FEWEST, math.ceil(tails * (needed * spread) ** 2)) for spread in spreads]
        return Claim(
            name,
            in_large_blocks(sampled or quantity),
            id=ident,
            statistic="mean",
            predicted=Exact(value, variance=variance, within=within),
            source=DERIVED,
            n=list(sizes),
            samples=samples,
        )


def evaluated(law: Callable[[], Any]) -> Callable[[int], float]:
    """An expansion as a function of the size, worked out when it is first asked for."""
    known = cache(law)
    return lambda size: float(known()(size))


def in_large_blocks(quantity: rt.Quantity, block: int = 4096) -> rt.Quantity:
    """The same law, drawn in larger blocks: the widths here are so small that the interpreter would set the pace.

    >>> f = rt.networks.two_layer(inputs=1, width=n)
    >>> in_large_blocks(f([1.0])).block_length({"n": 2})
    4096
    """

    @rt.quantity(n, name=quantity.fingerprint, batch=block)
    def sampled(size: int, batch: int, rng: np.random.Generator) -> Any:
        with Draw({"n": size}, batch, rng) as draw:
            return quantity.evaluate(draw).copy()

    return sampled
