"""The exponents that a claim allows, and the intervals that are held against them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

__all__ = [
    "CONSISTENT_QUANTILE",
    "GrowingInterval",
    "IntervalAt",
    "Kind",
    "Region",
    "Verdict",
    "region_of",
    "with_samples",
]

Kind = Literal["O", "o", "Theta", "Omega"]
Verdict = Literal["consistent", "refuted", "inconclusive"]

#: a claim holds when its 99 % interval lies inside; refuting it takes the far stricter level of the run's error budget
CONSISTENT_QUANTILE = 2.5758293035489004

#: the interval of a fit at a quantile of the normal distribution
IntervalAt = Callable[[float], tuple[float, float]]


@runtime_checkable
class GrowingInterval(Protocol):
    """An interval that knows which part of it more samples shrink."""

    def __call__(self, quantile: float) -> tuple[float, float]: ...

    def with_samples(self, factor: float) -> IntervalAt:
        """The interval at ``factor`` times the samples."""
        ...


def with_samples(interval: IntervalAt, factor: float) -> IntervalAt:
    """An interval at ``factor`` times the samples; one that does not know better shrinks with the root of them.

    >>> with_samples(lambda quantile: (-quantile, quantile), 4.0)(2.0)
    (-1.0, 1.0)
    """
    if isinstance(interval, GrowingInterval):
        return interval.with_samples(factor)
    return lambda quantile: interval(quantile / math.sqrt(factor))


@dataclass(frozen=True)
class Region:
    """The exponents at which a claim holds; those beyond ``refuted_below`` and ``refuted_above`` contradict it.

    ``claimed`` is the exponent that deviations are counted from: the last one that the claim allows, or the first one
    that ``o`` does not.
    """

    text: str
    claimed: float
    low: float = -math.inf
    high: float = math.inf
    refuted_below: float = -math.inf
    refuted_above: float = math.inf

    def verdict(self, interval: IntervalAt, quantile: float, consistent: float = CONSISTENT_QUANTILE) -> Verdict:
        """What the intervals of an exponent say, at the strict level of a refutation and at that of consistency."""
        low, high = interval(quantile)
        if high < self.refuted_below or low > self.refuted_above:
            return "refuted"
        low, high = interval(min(quantile, consistent))
        return "consistent" if low >= self.low and high <= self.high else "inconclusive"


def region_of(kind: Kind, exponent: float, log_exponent: float, margin: float) -> Region:
    """The exponents at which a bound with this power of the scale holds, at a resolution of ``margin``.

    ``o(n^a)`` asks for a power below a by ``margin``: a slope does not see factors that vanish more slowly, such as
    1/log n, and those are to be stated as an order of their own. Powers between that and a may well be of such a law,
    and are not decided: only those above a contradict it. Where the order itself has a logarithm, n^a is among what it
    allows, so that the margin is added to a.

    >>> small = region_of("o", -1.0, 0.0, 0.1)
    >>> [small.verdict(lambda q, at=at: (at - 0.01, at + 0.01), 4.0) for at in (-1.2, -1.05, -0.95)]
    ['consistent', 'inconclusive', 'refuted']
    >>> region_of("O", -1.0, 0.0, 0.1).verdict(lambda quantile: (-2.1, -1.9), 4.0)
    'consistent'
    """
    low, high = exponent - margin, exponent + margin
    match kind:
        case "Theta":
            return Region(f"[{low:g}, {high:g}]", exponent, low, high, low, high)
        case "O":
            return Region(f"(-inf, {high:g}]", exponent, high=high, refuted_above=high)
        case "Omega":
            return Region(f"[{low:g}, inf)", exponent, low=low, refuted_below=low)
    text = f"(-inf, {low:g}]"
    return Region(text, exponent, high=low, refuted_above=high if log_exponent > 0 else exponent)
