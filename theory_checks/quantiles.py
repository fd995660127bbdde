"""Predictions about quantiles: whether one order describes a law as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import estimators
from randtensor.errors import InputError
from theory_checks.claims import Claim, NoDefiniteBound, QuantileSlopes, Tight, samples_for_quantile
from theory_checks.findings import Finding, FitInterval, Sampling, interval_at
from theory_checks.regions import with_samples
from theory_checks.results import Measurement
from theory_checks.verdicts import (
    POWER,
    Decision,
    IntervalAt,
    Region,
    Resolution,
    SlopeResolution,
    WorstResolution,
    decide_interval,
    least_factor,
    normal_quantile,
    power_quantile,
    region_of,
    smallest_level,
)

__all__ = ["check_quantiles"]

_Fits = dict[float, estimators.RateFit]

_BEYOND = 5.0  # times as far out are the further quantiles


def check_quantiles(claim: Claim, sampling: Sampling) -> Finding:
    """The verdict of the exponents with which quantiles of the magnitude scale.

    All quantiles come from the same samples. Quantiles of one sample are positively correlated, so that the error of a
    difference of two exponents, taken as if they were independent, is on the safe side. Of a family, which is a
    quantity with a shape, the largest magnitude in each sample counts: its quantiles bound all members jointly.
    """
    draws = estimators.draw_samples(
        claim.quantity, claim.sizes, sampling.counts, sampling.root, jobs=sampling.jobs, progress=sampling.progress
    )
    magnitudes = [np.abs(sample).reshape(len(sample), -1).max(axis=1) for sample in draws]
    fits, measurements = {}, []
    for percent in claim.quantiles:
        at_sizes = [_measure(percent, sample, sizes) for sample, sizes in zip(magnitudes, claim.sizes, strict=True)]
        measurements += at_sizes
        fits[percent] = _fit(claim, percent, at_sizes)
    further = _further(claim, magnitudes)
    prediction = claim.prediction
    if isinstance(prediction, NoDefiniteBound) or (isinstance(prediction, Tight) and prediction.order is None):
        return _drift(claim, fits, further, sampling, tuple(measurements))
    return _slopes(claim, fits, further, sampling, tuple(measurements))


def _further(claim: Claim, magnitudes: Sequence[NDArray[Any]]) -> _Fits:
    """Quantiles beyond the outermost claimed ones: they do not enter the verdict, but tell the orders at both ends.

    The median of a law that is n with probability 1/2 and 1 otherwise has no order, so that of five quantiles from
    10 % to 99.9 % only one lies at the lower end.
    """
    lowest, highest = min(claim.quantiles), max(claim.quantiles)
    fits = {}
    for percent in (lowest / _BEYOND, 100 - (100 - highest) / _BEYOND):
        if samples_for_quantile(percent) > min(len(sample) for sample in magnitudes):
            continue
        at_sizes = [_measure(percent, sample, sizes) for sample, sizes in zip(magnitudes, claim.sizes, strict=True)]
        if all(m.value > 0 for m in at_sizes):
            fits[percent] = _fit(claim, percent, at_sizes)
    return fits


def _details(claim: Claim, fits: _Fits, further: _Fits, quantile: float, consistent: float) -> dict[str, Any]:
    return {
        "quantiles": [
            {
                "quantile": percent,
                "exponent": fit.exponent,
                "error": fit.error,
                "interval": interval_at(fit, consistent),
                "refutation_interval": interval_at(fit, quantile),
                "fit": fit.to_dict(),
            }
            for percent, fit in fits.items()
        ],
        "orders": _definite_orders(claim, fits | further, consistent),
    }


def _measure(percent: float, sample: NDArray[Any], sizes: dict[str, int]) -> Measurement:
    name = f"q{percent:.10f}".rstrip("0").rstrip(".")
    summary = estimators.summarize(sample, name)
    return Measurement(dict(sizes), name, summary.value, summary.error, len(sample))


def _fit(claim: Claim, percent: float, at_sizes: Sequence[Measurement]) -> estimators.RateFit:
    values = np.array([m.value for m in at_sizes])
    if not np.all(values > 0):
        raise InputError(
            f"the {percent:g} % quantile of the magnitude is zero, expected one that scales with {claim.axis}"
        )
    # a quantile that sits on an atom of the law has no error to see: rounding is all that is left; one next to a gap
    # in it may have an error so large that its square would be no float, and says nothing all the same
    with np.errstate(over="ignore"):
        errors = np.clip([m.error for m in at_sizes], 1e-12 * values, 1e12 * values)
    return estimators.fit_rate(
        [m.sizes[claim.axis or ""] for m in at_sizes],
        values,
        errors,
        correction=claim.correction,
        log_power=claim.log_exponent or False,
        hedged=False,
    )


def _slopes(
    claim: Claim, fits: _Fits, further: _Fits, sampling: Sampling, measurements: tuple[Measurement, ...]
) -> Finding:
    """Each quantile against its own exponent; the verdict is that of the worst."""
    if isinstance(claim.prediction, QuantileSlopes):
        targets = dict(claim.prediction.slopes)
    else:
        targets = dict.fromkeys(fits, claim.exponent or 0.0)
    # every quantile gets its share of the probability of a false refutation
    quantile = normal_quantile(sampling.alpha / len(fits))
    decisions, contradictions, resolutions = {}, [], []
    for percent, fit in fits.items():
        region = region_of("Theta", targets[percent], claim.log_exponent, claim.margin)
        interval, poor = FitInterval(fit), 2.0 if fit.poor_fit else 1.0
        decisions[percent] = decide_interval(
            region, interval, fit.exponent, quantile, poor_fit=fit.poor_fit, consistent=sampling.consistent
        )
        at = partial(_scaled_quantile, poor)
        contradictions.append(smallest_level(partial(_outside, region, interval, at)))
        resolutions.append(SlopeResolution(region, interval, fit.exponent, at))
    ranks = ("consistent", "inconclusive", "refuted")
    worst = max(decisions, key=lambda p: (ranks.index(decisions[p].verdict), abs(fits[p].exponent - targets[p])))
    chosen = decisions[worst]
    factors = [decision.factor for decision in decisions.values() if decision.verdict == "inconclusive"]
    known = [factor for factor in factors if factor is not None]
    return Finding(
        Decision(
            chosen.verdict,
            f"{worst:g} % quantile: {chosen.reason}",
            max(decision.detectable for decision in decisions.values()),
            max(known) if known and len(known) == len(factors) else None,
        ),
        fits[worst].exponent,
        "exponent",
        measurements,
        tuple(contradictions),
        WorstResolution(tuple(resolutions)),
        # of all quantiles together; each of the contradictions is one assertion in the error budget of a run
        p_value=min(1.0, len(contradictions) * min(contradictions)),
        interval=interval_at(fits[worst], min(quantile, sampling.consistent)),
        refutation_interval=interval_at(fits[worst], quantile),
        details=_details(claim, fits, further, quantile, sampling.consistent),
    )


def _scaled_quantile(widening: float, alpha: float) -> float:
    return widening * normal_quantile(alpha)


def _outside(region: Region, interval: IntervalAt, quantile: Callable[[float], float], alpha: float) -> bool:
    return region.verdict(interval, quantile(alpha)) == "refuted"


@dataclass(frozen=True)
class _Difference:
    """The interval of the exponent of ``high`` less that of ``low``."""

    low: FitInterval
    high: FitInterval

    def __call__(self, q: float) -> tuple[float, float]:
        low, high = self.low.fit.exponent, self.high.fit.exponent
        (a, b), (c, d) = self.low(q), self.high(q)
        return high - low - math.hypot(high - c, b - low), high - low + math.hypot(d - high, low - a)

    def with_samples(self, factor: float) -> _Difference:
        """The same at ``factor`` times the samples."""
        return _Difference(self.low.with_samples(factor), self.high.with_samples(factor))


def _difference(low: estimators.RateFit, high: estimators.RateFit) -> _Difference:
    return _Difference(FitInterval(low), FitInterval(high))


@dataclass(frozen=True)
class _AgreementResolution(Resolution):
    """Of the claim that exponents differ by more than the margin.

    The deviation is by how much their difference falls short of the margin: what is refuted is an interval within it.
    A deviation above the margin cannot occur, so that a result above it says that nothing would have been refuted.
    """

    interval: _Difference
    center: float
    quantile: Callable[[float], float]

    def detectable(self, alpha: float, power: float = POWER, factor: float = 1.0) -> float:
        low, high = with_samples(self.interval, factor)(self.quantile(alpha) + power_quantile(power))
        return max(high - self.center, self.center - low)


def _together(interval: tuple[float, float], margin: float) -> bool:
    return interval[0] >= -margin and interval[1] <= margin


def _apart(interval: tuple[float, float], margin: float) -> bool:
    return interval[0] > margin or interval[1] < -margin


def _drift(
    claim: Claim, fits: _Fits, further: _Fits, sampling: Sampling, measurements: tuple[Measurement, ...]
) -> Finding:
    """Exponent of the highest quantile less that of the lowest: drift apart, or agreement up to the margin."""
    lowest, highest = fits[min(fits)], fits[max(fits)]
    drift, interval, margin = highest.exponent - lowest.exponent, _difference(lowest, highest), claim.margin
    widening = 2.0 if lowest.poor_fit or highest.poor_fit else 1.0
    quantile = widening * normal_quantile(sampling.alpha)
    low, high = interval(quantile)
    narrow = interval(min(quantile, widening * sampling.consistent))
    names = f"{min(fits):g} % and the {max(fits):g} % quantile"
    # Whichever of the two is claimed needs the usual level, and refuting it by the other the strict one.
    denies = isinstance(claim.prediction, NoDefiniteBound)
    outside, inside = (narrow, (low, high)) if denies else ((low, high), narrow)
    apart, together = _apart(outside, margin), _together(inside, margin)
    shown = f"{drift:.3f} [{low:.3f}, {high:.3f}]"
    region = Region("", 0.0, -margin, margin, -margin, margin)
    at = partial(_scaled_quantile, widening)
    resolution: Resolution = SlopeResolution(region, interval, drift, at)
    if denies:
        resolution = _AgreementResolution(interval, drift, at)
    reach = resolution.detectable(sampling.alpha)
    contradicts = _together if denies else _apart
    p = smallest_level(lambda alpha: contradicts(interval(_scaled_quantile(widening, alpha)), margin))
    details = _details(claim, fits, further, quantile, sampling.consistent)
    if apart:
        reason = f"the exponents of the {names} drift apart: {_words(details['orders'])}; their difference is {shown}"
        if denies and reach > margin:
            reason += f"; their agreement would not have been seen, which takes {margin:g} and not {reach:.2g}"
        decision = Decision("consistent" if denies else "refuted", reason)
    elif together:
        reason = f"the exponents of the {names} agree within {margin:g}, their difference is {shown}"
        decision = Decision("refuted" if denies else "consistent", reason)
    else:
        reason = f"the exponents of the {names} differ by {shown}: neither more nor less than {margin:g}"
        if denies:
            factor = least_factor(partial(_decides, interval, margin, (quantile, sampling.consistent), widening))
            advice = "more samples alone would not decide: use more and larger sizes"
            advice = advice if factor is None else f"about {factor:.2g} times the samples would decide"
        else:
            undecided = decide_interval(region, interval, drift, quantile, consistent=sampling.consistent)
            factor, advice = undecided.factor, undecided.advice
        decision = Decision("inconclusive", f"{reason}; {advice}", factor=factor)
    return Finding(
        decision,
        drift,
        "drift",
        measurements,
        (p,),
        resolution,
        interval=narrow,
        refutation_interval=(low, high),
        details=details,
    )


def _decides(
    interval: _Difference, margin: float, quantiles: tuple[float, float], widening: float, factor: float
) -> bool:
    """Whether a drift like the one found, with so many times the samples, is decided where none is claimed."""
    strict, narrow = (
        with_samples(interval, factor)(q + widening * power_quantile(POWER))
        for q in (quantiles[0], min(quantiles[0], widening * quantiles[1]))
    )
    return _together(strict, margin) or _apart(narrow, margin)


def _definite_orders(claim: Claim, fits: _Fits, consistent: float) -> dict[str, float | None]:
    """The exponents of the lower and of the upper order, each None where the outermost quantiles do not share one.

    A law that is n^b with some probability and n^a otherwise has quantiles of two slopes: it is bounded by n^a from
    above and by n^b from below, each tight. The outermost two quantiles at an end, on one slope, are the sign of it.
    Where they drift apart as well, as for n^|Z|, no order bounds the law tightly at that end.
    """
    percents = sorted(fits)
    if len(percents) < 3:
        return {"lower": None, "upper": None}

    def common(first: float, second: float, outer: float) -> float | None:
        interval = _difference(fits[first], fits[second])(consistent)
        return fits[outer].exponent if _together(interval, claim.margin) else None

    return {
        "lower": common(percents[0], percents[1], percents[0]),
        "upper": common(percents[-2], percents[-1], percents[-1]),
    }


def _words(orders: dict[str, float | None]) -> str:
    lower, upper = orders["lower"], orders["upper"]
    if upper is None:
        return "no definite bound"
    below = "no definite lower order" if lower is None else f"the lower order has exponent {lower:.3f}"
    return f"no common order: the upper order has exponent {upper:.3f}, {below}"
