"""From numbers with errors to verdicts: the decision rules, and what they could have seen.

Each rule has three operations, after the statistical tests of TensorFlow Probability: decide, the smallest deviation
that would have been refuted, and the samples that would decide.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from theory_checks.regions import (
    CONSISTENT_QUANTILE,
    IntervalAt,
    Kind,
    Region,
    Verdict,
    region_of,
    with_samples,
)

__all__ = [
    "CONSISTENT_QUANTILE",
    "POWER",
    "POWER_QUANTILE",
    "Decision",
    "FixedResolution",
    "IntervalAt",
    "JointResolution",
    "Kind",
    "Region",
    "Resolution",
    "SlopeResolution",
    "Verdict",
    "WorstResolution",
    "decide_interval",
    "decide_joint",
    "joint_detectable",
    "least_factor",
    "normal_quantile",
    "p_text",
    "power_quantile",
    "region_of",
    "smallest_level",
]

#: probability with which the smallest detectable deviation would have been refuted
POWER = 0.99
POWER_QUANTILE = 2.3263478740408408

#: beyond this many times the samples, or the sizes, no number is given
_MOST = 1e4
_MOST_WIDER = 1e4

_LARGEST_RATIO = 1e150  # of deviations: the squares of larger ones are no floats

#: no p-value of an exponent is reported below this: the normal law is not meant that far out
_SMALLEST_LEVEL = 1e-30


#: With this many times the samples still to come, other ways to decide are named.
MANY = 30.0


@dataclass(frozen=True)
class Decision:
    """A verdict with its reason, what would have been refuted, and the factor on the samples that would decide."""

    verdict: Verdict
    reason: str
    detectable: float = math.nan
    factor: float | None = None
    advice: str = ""


def decide_interval(
    region: Region,
    interval: IntervalAt,
    center: float,
    quantile: float,
    obstacle: str | None = None,
    poor_fit: bool = False,
    consistent: float = CONSISTENT_QUANTILE,
) -> Decision:
    """The verdict of a region on the interval of a fitted exponent.

    Parameters
    ----------
    region : exponents at which the claim holds.
    interval : gives the interval at a quantile of the normal distribution; the advice takes what more samples make of
        it from `with_samples`.
    center : the fitted exponent.
    quantile : that of the level at which the claim is refuted.
    obstacle : why the exponent means nothing, if it does not.
    poor_fit : the law does not fit the data; then only an interval twice as wide decides.
    consistent : quantile of the level at which the claim is called consistent.

    >>> found = decide_interval(Region("at most 0", 0, high=0, refuted_above=0), lambda q: (-q, q), 0.0, 3.0)
    >>> found.verdict
    'inconclusive'
    """
    low, high = interval(quantile)
    widening = 2.0 if poor_fit else 1.0
    shown = f"[{low:.3f}, {high:.3f}] at the level of a refutation"
    detectable = slope_reach(region, interval, center, widening * quantile + POWER_QUANTILE)
    if obstacle is not None:
        return Decision("inconclusive", obstacle, detectable)
    verdict = region.verdict(lambda q: interval(widening * q), quantile, consistent)
    if verdict == "consistent":
        low, high = interval(min(quantile, consistent))
        return Decision(verdict, f"the interval [{low:.3f}, {high:.3f}] lies in the claimed {region.text}", detectable)
    if verdict == "refuted":
        return Decision(verdict, f"the interval {shown} lies outside the claimed {region.text}", detectable)
    factor = None if poor_fit else _factor(region, interval, center, (quantile, consistent), widening)
    if poor_fit:
        advice = "no power law with one correction term fits the values: use larger sizes or another correction"
        return Decision(verdict, f"the interval {shown} decides nothing, and {advice}", detectable, advice=advice)
    if factor is None:
        larger = _wider(region, interval, center)
        sizes = "more and larger sizes" if larger is None else f"sizes about {larger:.2g} times as large"
        advice = f"more samples alone would not decide: use {sizes}, another margin, or state the correction"
    else:
        advice = f"about {factor:.2g} times the samples would decide"
        if factor > MANY:
            advice += "; sizes further apart, or a known correction=, would help more"
    touches = any(low <= edge <= high for edge in (region.low, region.high))
    where = "partly in" if touches else "neither in nor beyond the margin of"
    reason = f"the interval {shown} lies {where} the claimed {region.text}; {advice}"
    return Decision(verdict, reason, detectable, factor, advice)


def slope_reach(region: Region, interval: IntervalAt, center: float, quantile: float) -> float:
    """The deviation that takes the whole interval at ``quantile`` out of the region.

    A true exponent beyond the edge by the reach of the interval at the sum of the quantiles of level and power is
    refuted with that power.
    """
    low, high = interval(quantile)
    reaches = []
    if math.isfinite(region.refuted_above):
        reaches.append(region.refuted_above - region.claimed + center - low)
    if math.isfinite(region.refuted_below):
        reaches.append(region.claimed - region.refuted_below + high - center)
    return max(reaches, default=math.nan)


def _factor(
    region: Region, interval: IntervalAt, center: float, quantiles: tuple[float, float], widening: float
) -> float | None:
    """Least factor on the samples that decides, be the exponent the fitted or the claimed one; None if none does.

    The fitted exponent scatters: around one that lies deep inside a region or far out by chance, few samples would do.
    """

    def decides(shift: float, factor: float) -> bool:
        grown = with_samples(interval, factor)

        def moved(q: float) -> tuple[float, float]:
            low, high = grown(widening * (q + POWER_QUANTILE))
            return low + shift, high + shift

        return region.verdict(moved, *quantiles) != "inconclusive"

    found = [least_factor(partial(decides, shift)) for shift in (0.0, region.claimed - center)]
    return None if found[0] is None else max(factor for factor in found if factor is not None)


def least_factor(decides: Callable[[float], bool]) -> float | None:
    """The least factor on the samples from 1 on that decides; None if none up to ten thousand does."""
    if not decides(_MOST):
        return None
    low, high = 1.0, _MOST
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def _wider(region: Region, interval: IntervalAt, center: float) -> float | None:
    """Factor on the sizes after which what the fit does not know about corrections no longer reaches over an edge.

    By the slowest correction that is tried, n^-1/2, that falls as the root of the sizes. None where it takes no larger
    sizes, or more than can be.
    """
    low, high = interval(0.0)
    edges = {region.low, region.high, region.refuted_below, region.refuted_above}
    slack = min(abs(center - edge) for edge in edges if math.isfinite(edge))
    reach = max(high - center, center - low)
    if slack <= 0 or not slack < reach < slack * _MOST_WIDER**0.5:
        return None
    return (reach / slack) ** 2


def decide_joint(
    scores: Sequence[float],
    units: Sequence[float],
    alpha: float,
    within: float,
    claim: str,
    unit: str,
    scarce: float | None = None,
) -> tuple[Decision, float, float]:
    """A joint chi-square test, with its p-value and largest score.

    Parameters
    ----------
    scores : standard normal deviates if the claim holds, one per size.
    units : by how many standard errors the deviation 1 moves each.
    alpha : probability of a false refutation.
    within : deviation that has to be detectable for the verdict consistent.
    claim, unit : for the reason: what is tested, and in what deviations are measured.
    scarce : factor on the samples with which deviations would be seen, where all units are 0 and none is.

    >>> decide_joint([0.3, -1.0], [100.0, 100.0], 1e-3, 0.1, "the value", "relative")[0].verdict
    'consistent'
    """
    chi2 = sum(score * score for score in scores)  # infinite where the power of a float would raise
    p = _chi2_tail(len(scores), chi2)
    worst = max(scores, key=abs)
    detectable = joint_detectable(units, alpha)
    summary = f"chi-square {chi2:.3g} on {len(scores)} {'size' if len(scores) == 1 else 'sizes'}, {p_text(p)}"
    if p <= alpha:
        return Decision("refuted", f"{claim} is excluded: {summary}", detectable), p, worst
    if detectable <= within:
        return Decision("consistent", f"{claim} is not excluded: {summary}", detectable), p, worst
    if math.isinf(detectable):
        advice = "other statistics or an exact variance would" if scarce is None else f"about {scarce:.2g} times would"
        reason = (
            f"{claim} is not excluded ({summary}), but with tails like these the samples are too few for the level "
            f"{alpha:.2g}, whatever the deviation; {advice} decide"
        )
        return Decision("inconclusive", reason, detectable, scarce), p, worst
    factor = min(detectable / within, _LARGEST_RATIO) ** 2
    reason = (
        f"{claim} is not excluded ({summary}), but only {unit} of {detectable:.2g} would have been seen, "
        f"not {within:g}; about {factor:.2g} times the samples would decide"
    )
    return Decision("inconclusive", reason, detectable, factor), p, worst


def joint_detectable(units: Sequence[float], alpha: float, power: float = POWER) -> float:
    """The deviation, common to all sizes, that the joint test refutes with probability ``power``.

    >>> round(joint_detectable([10.0], 0.05, 0.9), 3)
    0.324
    """
    strength = math.hypot(*units)
    if strength == 0:
        return math.inf
    if math.isinf(strength):
        return 0.0
    from scipy.special import chdtri, chndtr

    critical = float(chdtri(len(units), alpha))
    low, high = 0.0, 2 * (critical + 100.0)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chndtr(critical, len(units), middle) > 1 - power else (low, middle)
    return math.sqrt(high) / strength


def _chi2_tail(dof: int, chi2: float) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(dof, chi2)) if math.isfinite(chi2) else 0.0


def p_text(p: float) -> str:
    """A p-value in words; those below what any of the laws behind them is meant for are only bounded.

    >>> p_text(0.0123), p_text(0.0)
    ('p = 0.012', 'p <= 1e-30')
    """
    return f"p = {p:.2g}" if p > _SMALLEST_LEVEL else f"p <= {_SMALLEST_LEVEL:g}"


def normal_quantile(alpha: float) -> float:
    """The two-sided quantile of the standard normal distribution.

    >>> round(normal_quantile(0.05), 2)
    1.96
    """
    from scipy.special import ndtri

    return float(-ndtri(alpha / 2))


def power_quantile(power: float) -> float:
    """The one-sided quantile of the standard normal distribution.

    >>> round(power_quantile(0.99), 3)
    2.326
    """
    from scipy.special import ndtri

    return float(ndtri(power))


def smallest_level(refutes: Callable[[float], bool]) -> float:
    """The p-value of a contradiction: the smallest level at which it refutes; 1 if none up to one half does.

    Parameters
    ----------
    refutes : whether the claim is refuted at a level; if it is at one, then at every larger one.

    >>> round(smallest_level(lambda alpha: normal_quantile(alpha) < 3.0), 5)
    0.0027
    """
    if not refutes(0.5):
        return 1.0
    low, high = math.log(_SMALLEST_LEVEL), math.log(0.5)
    if refutes(_SMALLEST_LEVEL):
        return _SMALLEST_LEVEL
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if refutes(math.exp(middle)) else (middle, high)
    return math.exp(high)


class Resolution(ABC):
    """What a check can tell apart: the noise it found, as a function of level, power and samples."""

    @abstractmethod
    def detectable(self, alpha: float, power: float = POWER, factor: float = 1.0) -> float:
        """The smallest deviation refuted at level ``alpha`` with probability ``power``, at ``factor`` x the samples."""


@dataclass(frozen=True)
class SlopeResolution(Resolution):
    """Of an exponent: more samples shrink what `with_samples` makes of its interval.

    ``quantile`` turns a level into the quantile at which ``interval`` is used.
    """

    region: Region
    interval: IntervalAt
    center: float
    quantile: Callable[[float], float]

    def detectable(self, alpha: float, power: float = POWER, factor: float = 1.0) -> float:
        reach = self.quantile(alpha) + power_quantile(power)
        return slope_reach(self.region, with_samples(self.interval, factor), self.center, reach)


@dataclass(frozen=True)
class JointResolution(Resolution):
    """Of a joint chi-square test; ``units`` are the standard errors by which the deviation 1 moves each value."""

    units: tuple[float, ...]

    def detectable(self, alpha: float, power: float = POWER, factor: float = 1.0) -> float:
        return joint_detectable(self.units, alpha, power) / math.sqrt(factor)


@dataclass(frozen=True)
class FixedResolution(Resolution):
    """Of what does not fluctuate."""

    deviation: float

    def detectable(self, alpha: float, power: float = POWER, factor: float = 1.0) -> float:
        return self.deviation


@dataclass(frozen=True)
class WorstResolution(Resolution):
    """Of several assertions that share a level: a deviation of any one of them is detected."""

    parts: tuple[Resolution, ...]

    def detectable(self, alpha: float, power: float = POWER, factor: float = 1.0) -> float:
        return max(part.detectable(alpha / len(self.parts), power, factor) for part in self.parts)
