"""Predictions about quantiles: whether one order describes a law as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import estimators
from randtensor.errors import InputError
from theory_checks.claims import Claim, NoDefiniteBound, QuantileSlopes, Tight
from theory_checks.findings import Finding, Sampling, interval_at
from theory_checks.results import Measurement
from theory_checks.verdicts import (
    CONSISTENT_QUANTILE,
    POWER_QUANTILE,
    Decision,
    IntervalAt,
    Region,
    decide_interval,
    normal_quantile,
    region_of,
)

__all__ = ["check_quantiles"]


def check_quantiles(claim: Claim, sampling: Sampling) -> Finding:
    """The verdict of the exponents with which quantiles of the magnitude scale.

    All quantiles come from the same samples. Quantiles of one sample are positively correlated, so that the error of a
    difference of two exponents, taken as if they were independent, is on the safe side.
    """
    draws = estimators.draw_samples(
        claim.quantity, claim.sizes, sampling.counts, sampling.root, jobs=sampling.jobs, progress=sampling.progress
    )
    magnitudes = [np.abs(sample) for sample in draws]
    fits, measurements = {}, []
    for percent in claim.quantiles:
        at_sizes = [_measure(percent, sample, sizes) for sample, sizes in zip(magnitudes, claim.sizes, strict=True)]
        measurements += at_sizes
        fits[percent] = _fit(claim, percent, at_sizes)
    # every quantile gets its share of the probability of a false refutation
    quantile = normal_quantile(sampling.alpha / len(fits))
    prediction = claim.prediction
    if isinstance(prediction, NoDefiniteBound) or (isinstance(prediction, Tight) and prediction.order is None):
        decision, drift, interval = _drift(claim, fits, quantile)
        measured, measure = drift, "drift"
    else:
        decision, percent = _slopes(claim, fits, quantile)
        measured, measure = fits[percent].exponent, "exponent"
        interval = partial(interval_at, fits[percent])
    details = {
        "quantiles": [
            {
                "quantile": percent,
                "exponent": fit.exponent,
                "error": fit.error,
                "interval": interval_at(fit, CONSISTENT_QUANTILE),
                "refutation_interval": interval_at(fit, quantile),
                "fit": fit.to_dict(),
            }
            for percent, fit in fits.items()
        ]
    }
    return Finding(
        decision,
        measured,
        measure,
        tuple(measurements),
        interval=interval(min(quantile, CONSISTENT_QUANTILE)),
        refutation_interval=interval(quantile),
        details=details,
    )


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
    # a quantile that sits on an atom of the law has no error to see: rounding is all that is left
    errors = np.maximum([m.error for m in at_sizes], 1e-12 * values)
    return estimators.fit_rate(
        [m.sizes[claim.axis or ""] for m in at_sizes],
        values,
        errors,
        correction=claim.correction,
        log_power=claim.log_exponent or False,
    )


def _slopes(claim: Claim, fits: dict[float, estimators.RateFit], quantile: float) -> tuple[Decision, float]:
    """Each quantile against its own exponent; the verdict is that of the worst, which is returned too."""
    if isinstance(claim.prediction, QuantileSlopes):
        targets = dict(claim.prediction.slopes)
    else:
        targets = dict.fromkeys(fits, claim.exponent or 0.0)
    decisions = {}
    for percent, fit in fits.items():
        region = region_of("Theta", targets[percent], claim.log_exponent, claim.margin)
        decisions[percent] = decide_interval(
            region, partial(interval_at, fit), fit.exponent, quantile, poor_fit=fit.poor_fit
        )
    ranks = ("consistent", "inconclusive", "refuted")
    worst = max(decisions, key=lambda p: (ranks.index(decisions[p].verdict), abs(fits[p].exponent - targets[p])))
    chosen = decisions[worst]
    factors = [decision.factor for decision in decisions.values() if decision.verdict == "inconclusive"]
    known = [factor for factor in factors if factor is not None]
    return (
        Decision(
            chosen.verdict,
            f"{worst:g} % quantile: {chosen.reason}",
            max(decision.detectable for decision in decisions.values()),
            max(known) if known and len(known) == len(factors) else None,
        ),
        worst,
    )


def _drift(claim: Claim, fits: dict[float, estimators.RateFit], quantile: float) -> tuple[Decision, float, IntervalAt]:
    """Exponent of the highest quantile less that of the lowest: drift apart, or agreement up to the margin."""
    lowest, highest = fits[min(fits)], fits[max(fits)]
    drift = highest.exponent - lowest.exponent

    def interval(q: float) -> tuple[float, float]:
        (a, b), (c, d) = interval_at(lowest, q), interval_at(highest, q)
        down = math.hypot(highest.exponent - c, b - lowest.exponent)
        up = math.hypot(d - highest.exponent, lowest.exponent - a)
        return drift - down, drift + up

    low, high = interval(quantile)
    narrow = interval(min(quantile, CONSISTENT_QUANTILE))
    names = f"{min(fits):g} % and the {max(fits):g} % quantile"
    # Whichever of the two is claimed needs the usual level, and refuting it by the other the strict one.
    denies = isinstance(claim.prediction, NoDefiniteBound)
    outside, inside = (narrow, (low, high)) if denies else ((low, high), narrow)
    apart = outside[0] > claim.margin or outside[1] < -claim.margin
    together = inside[0] >= -claim.margin and inside[1] <= claim.margin
    shown = f"{drift:.3f} [{low:.3f}, {high:.3f}]"
    wide = interval(quantile + POWER_QUANTILE)
    detectable = claim.margin + max(drift - wide[0], wide[1] - drift)
    if apart or together:
        says = "drift apart: no definite bound" if apart else f"agree within {claim.margin:g}"
        reason = f"the exponents of the {names} {says}, their difference is {shown}"
        holds = apart == denies
        return Decision("consistent" if holds else "refuted", reason, detectable), drift, interval
    region = Region("", 0.0, -claim.margin, claim.margin, -claim.margin, claim.margin)
    undecided = decide_interval(region, interval, drift, quantile)
    reason = f"the exponents of the {names} differ by {shown}: neither more nor less than {claim.margin:g}"
    return Decision("inconclusive", reason, detectable, undecided.factor), drift, interval
