"""Sizes, samples and the form of the exact rows, shared by the claims."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import randtensor as rt
from randtensor import Expansion
from theory_checks.claims import Claim, Exact
from theory_checks.suites import SuiteOptions
from theory_checks.verdicts import joint_detectable

__all__ = ["DERIVED", "SIZE", "Moments", "Plan", "n"]

DERIVED = "derived; Wick and Weingarten calculus"

n = rt.Scale("n")

#: the scale as an expansion, in which polynomials and their quotients are written
SIZE = Expansion.of(n)

_LEVEL = 1e-6  # of one claim, when an error budget of 1e-4 is split over a hundred of them
_SLOPE_ERROR = 0.003  # of a plain power law; a correction term triples it, and 0.1 is the margin
_FEWEST = 400  # samples below which a mean of many invariants is not yet normal


@dataclass(frozen=True, eq=False)
class Moments:
    """A random number whose first two moments are written out, as polynomials or their quotients.

    Parameters
    ----------
    id, name : of the claim.
    quantity : what is sampled.
    mean, variance : at every size; the variance is None where it is not needed.
    sizes : for the check of the mean.
    contraction : the same number as a contraction, where the two differ in form only, as a complex number with
        imaginary part zero.
    source : of the moments.
    """

    id: str
    name: str
    quantity: rt.Quantity
    mean: Any
    variance: Any
    sizes: Sequence[Any] = (2, 4, 8, 16)
    contraction: rt.Quantity | None = None
    source: str = DERIVED

    @property
    def exact(self) -> rt.Quantity:
        """What the exact rules apply to."""
        return self.contraction or self.quantity

    def squared_cv(self, size: Any) -> float:
        """Variance over squared mean."""
        prediction = Exact(self.mean, variance=self.variance)
        sizes = size if isinstance(size, Mapping) else {"n": size}
        deviation = prediction.deviation(sizes) or 0.0
        return (deviation / prediction.expected(sizes)) ** 2


class Plan:
    """How many samples the claims take."""

    def __init__(self, options: SuiteOptions) -> None:
        self.quick = options.quick

    def count(self, samples: int) -> int:
        """Samples of a claim; a quick run takes half of them."""
        return samples // 2 if self.quick else samples

    def exact(self, row: Moments, within: float = 0.05) -> Claim:
        """The mean at every size, with the samples that let a relative deviation of ``within`` be seen."""
        within = 1.5 * within if self.quick else within
        # a tenth is spare for tails, which reach further than those of the normal law
        needed = 1.1 * joint_detectable([1.0] * len(row.sizes), _LEVEL) / within
        return Claim(
            f"{row.name}, mean",
            row.quantity,
            id=row.id,
            statistic="mean",
            predicted=Exact(row.mean, variance=row.variance, within=within),
            source=row.source,
            n=list(row.sizes),
            scale=row.quantity.scale_names[-1],
            samples=[max(_FEWEST, math.ceil(needed**2 * row.squared_cv(size))) for size in row.sizes],
        )

    def rate(self, row: Moments, sizes: Sequence[int], correction: Any = 1.0) -> Claim:
        """The growth of the mean, with the samples that a fit with a correction term needs."""
        # Four sizes in ratio two give a slope to cv / (1.55 sqrt(N)).
        needed = (1.0 / (1.55 * _SLOPE_ERROR)) ** 2
        return Claim(
            f"{row.name}, growth",
            row.quantity,
            id=f"{row.id}.rate",
            statistic="mean",
            predicted=rt.Theta(row.mean.order),
            source=row.source,
            n=list(sizes),
            correction=correction,
            samples=[max(_FEWEST, self.count(math.ceil(needed * row.squared_cv(size)))) for size in sizes],
        )


def real(contraction: rt.Quantity) -> rt.Quantity:
    """The real part of samples; a number that equals its conjugate has only rounding beside it."""
    return rt.combine(np.real, contraction)
