"""Checking one claim: sample, estimate, decide."""

from __future__ import annotations

import hashlib
import math
import time
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np

import estimators
from estimators.workers import Jobs
from randtensor import Bound
from randtensor.errors import InputError, RandtensorError
from randtensor.seeding import Seed, root_sequence
from theory_checks.claims import Claim, Exact, Identity, Zero
from theory_checks.findings import Finding, FitInterval, Progress, Sampling
from theory_checks.quantiles import check_quantiles
from theory_checks.results import Measurement, Result
from theory_checks.values import is_deterministic, unseen_probability, value_finding
from theory_checks.verdicts import (
    Decision,
    FixedResolution,
    Resolution,
    SlopeResolution,
    decide_interval,
    normal_quantile,
    region_of,
    slope_reach,
    smallest_level,
)

__all__ = ["check", "reduced_counts"]

_CONSISTENT = 0.01  # one less the level of the interval that has to lie inside a claim

#: level of the interval that refutes numbers without scatter. Their errors are residuals of the law, of which two or
#: three are left: Student's quantile at the level of random samples would be in the thousands, and bound no probability
_WITHOUT_SCATTER = 1e-3


def check(
    claim: Claim,
    *,
    rng: Seed = None,
    jobs: Jobs = None,
    budget: float = 1.0,
    progress: Progress | None = None,
    false_refutation: float = 1e-4,
    looks: int = 1,
) -> Result:
    """Hold a claim against samples of its quantity.

    A bound is decided by intervals of the fitted exponent: refuted when the one at the level 1 - ``false_refutation``
    lies outside the exponents the bound allows (up to the margin of the claim), consistent when the 99 % interval lies
    inside, inconclusive otherwise, and the reason then says what would decide. Exact values and zeros are decided by a
    joint chi-square test, identities by the largest residual, quantile predictions by the exponents of the quantiles.

    Parameters
    ----------
    claim : what to check.
    rng : seed; the streams are keyed by the claim as well, so that claims with one seed are independent.
    jobs : number of threads (default: that of the processors), an executor, or `estimators.Workers`. Changes nothing in
        the result.
    budget : factor on the samples of the claim.
    progress : called with (samples done, samples in all).
    false_refutation : probability of refuting the claim if it is true.
    looks : planned number of looks at growing samples, of which this is one: both levels are divided by it, so that
        whichever look decides, the probabilities of false verdicts stay what they are for one look.

    Raises
    ------
    InputError : an argument that cannot be used, or a quantity that cannot be sampled at the sizes of the claim.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> length = rt.norm(rt.gaussian(n))
    >>> check(Claim("length", length, predicted=rt.Theta(n**0.5), n=[16, 64, 256, 1024]), rng=0).verdict
    'consistent'
    >>> check(Claim("length", length, predicted=rt.Theta(n), n=[16, 64, 256, 1024]), rng=0).verdict
    'refuted'
    """
    if not isinstance(claim, Claim):
        raise InputError(f"claim is {claim!r}, expected a Claim")
    if isinstance(false_refutation, bool) or not 0 < false_refutation < 1:
        raise InputError(f"false_refutation is {false_refutation!r}, expected a probability between 0 and 1")
    if isinstance(looks, bool) or not isinstance(looks, int) or looks < 1:
        raise InputError(f"looks is {looks!r}, expected a positive integer")
    sampling = Sampling(
        reduced_counts(claim, budget),
        claim_root(claim, root_sequence(rng)),
        jobs,
        progress,
        false_refutation / looks,
        normal_quantile(_CONSISTENT / looks),
    )
    start = time.perf_counter()
    try:
        found = _find(claim, sampling)
    except RandtensorError as error:
        raise type(error)(f"claim {claim.label!r}: {error}") from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename}, line {last.lineno}"
        raise InputError(
            f"claim {claim.label!r}: sampling failed with {type(error).__name__}: {error} ({where})"
        ) from error
    factor = found.decision.factor
    return Result(
        claim=claim,
        verdict=found.decision.verdict,
        reason=found.decision.reason,
        measured=found.measured,
        measure=found.measure,
        error=found.error,
        interval=found.interval,
        refutation_interval=found.refutation_interval,
        measurements=found.measurements,
        p_value=found.p_value,
        contradictions=tuple(min(1.0, looks * p) for p in found.contradictions),
        detectable=found.resolution.detectable(sampling.alpha),
        counts=sampling.counts,
        resolution=found.resolution,
        looks=looks,
        samples_required=None if factor is None else tuple(math.ceil(factor * count) for count in sampling.counts),
        false_refutation=false_refutation,
        seed={"entropy": sampling.root.entropy, "spawn_key": sampling.root.spawn_key},
        seconds=time.perf_counter() - start,
        details=found.details,
    )


def reduced_counts(claim: Claim, budget: float) -> tuple[int, ...]:
    """Samples per size at a budget: never so few that the check itself loses its meaning.

    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> reduced_counts(Claim("one", rt.norm(rt.gaussian(n)), predicted=rt.Theta(n), n=[4, 8], samples=[800, 20]), 0.25)
    (200, 20)
    """
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not 0 < budget < math.inf:
        raise InputError(f"budget is {budget!r}, expected a positive number")
    fewest = claim.fewest_samples
    return tuple(max(math.ceil(count * budget), min(count, fewest)) for count in claim.counts)


def claim_root(claim: Claim, root: np.random.SeedSequence) -> np.random.SeedSequence:
    """The root of the claim's streams: it depends on the seed and on the claim's label, not on its neighbours."""
    digest = hashlib.sha256(claim.label.encode()).digest()
    words = [int.from_bytes(digest[start : start + 4], "little") for start in range(0, 16, 4)]
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *words))


def _find(claim: Claim, sampling: Sampling) -> Finding:
    match claim.prediction:
        case Bound():
            return _check_bound(claim, claim.prediction, sampling)
        case Exact() | Zero():
            return _check_value(claim, sampling)
        case Identity():
            return _check_identity(claim, claim.prediction, sampling)
    return check_quantiles(claim, sampling)


def _check_bound(claim: Claim, bound: Bound, sampling: Sampling) -> Finding:
    try:
        scaling = estimators.scaling(
            claim.quantity,
            n=claim.sizes,
            statistic=claim.statistic,
            samples=sampling.counts,
            rng=sampling.root,
            correction=claim.correction,
            log_power=claim.log_exponent or False,
            # A claim that states a correction has derived it; one that does not is held to every candidate.
            hedged=False,
            scale=claim.axis,
            jobs=sampling.jobs,
            progress=sampling.progress,
        )
    except InputError:
        # a quantity that vanishes identically has no exponent, but the claim about it is decided
        estimates = _estimates(claim, sampling, claim.statistic)
        if any(estimate.value or estimate.error for estimate in estimates):
            raise
        return _vanishing(claim, bound, estimates)
    exponent, log_exponent = claim.exponent or 0.0, claim.log_exponent
    region = region_of(bound.kind, exponent, log_exponent, claim.margin)
    dofs = [estimate.dof for estimate in scaling.estimates]
    random = any(estimate.error for estimate in scaling.estimates)
    alpha = sampling.alpha if random else max(sampling.alpha, _WITHOUT_SCATTER)
    widening = _tail_widening(dofs, alpha)
    quantile, consistent = normal_quantile(alpha) * widening, sampling.consistent * widening
    obstacle = scaling.reason if scaling.unresolved else None
    poor = 2.0 if scaling.fit.poor_fit else 1.0

    interval = FitInterval(scaling.fit)

    def quantile_of(alpha: float) -> float:
        return poor * normal_quantile(alpha) * _tail_widening(dofs, alpha)

    def refutes(alpha: float) -> bool:
        return region.verdict(interval, quantile_of(alpha)) == "refuted"

    decision = decide_interval(
        region,
        interval,
        scaling.exponent,
        quantile,
        obstacle,
        scaling.fit.poor_fit,
        consistent,
    )
    tight = not _not_tight(bound, interval(consistent), exponent, claim.margin)
    if decision.verdict == "consistent" and not tight:
        decision = Decision(decision.verdict, f"{decision.reason}; the bound is not tight", decision.detectable)
    p = 1.0 if obstacle else smallest_level(refutes)
    resolution: Resolution = SlopeResolution(region, interval, scaling.exponent, quantile_of)
    if not random:  # the same numbers come out every time: there is no chance, and no power to allow for
        p = 0.0 if decision.verdict == "refuted" else 1.0
        resolution = FixedResolution(slope_reach(region, interval, scaling.exponent, quantile))
    return Finding(
        decision,
        scaling.exponent,
        "exponent",
        tuple(_measurement(estimate) for estimate in scaling.estimates),
        (p,),
        resolution,
        error=scaling.error,
        interval=interval(consistent),
        refutation_interval=interval(quantile),
        details={"fit": scaling.fit.to_dict(), "tail_widening": widening, "tight": tight},
    )


def _tail_widening(dofs: Sequence[float], alpha: float) -> float:
    """Student's quantile over the normal one at ``alpha``, relative to the same ratio at 0.05, which `scaling` applied.

    The two ends of the range decide a slope, hence twice the degrees of freedom of a typical size.
    """
    from scipy.special import stdtrit

    scarcity = sum(1 / max(dof, 1.0) for dof in dofs)
    if not scarcity:  # all errors are exact
        return 1.0
    dof = 2 * len(dofs) / scarcity
    ratios = [float(-stdtrit(dof, a / 2)) / normal_quantile(a) for a in (alpha, 0.05)]
    return max(ratios[0] / ratios[1], 1.0)


def _not_tight(bound: Bound, interval: tuple[float, float], exponent: float, margin: float) -> bool:
    if bound.kind == "O":
        return interval[1] < exponent - margin
    return bound.kind == "Omega" and interval[0] > exponent + margin


def _vanishing(claim: Claim, bound: Bound, estimates: Sequence[estimators.Estimate]) -> Finding:
    """The finding where every sample at every size is zero: it decides where nothing else could have been drawn."""
    statistic, total = estimates[0].statistic, sum(estimate.samples for estimate in estimates)
    measurements = tuple(_measurement(estimate) for estimate in estimates)
    decision, p = Decision("consistent", f"the {statistic} is exactly zero at every size"), 1.0
    if not all(is_deterministic(claim.quantity, sizes) for sizes in claim.sizes):
        rare = unseen_probability(total, _CONSISTENT)
        reason = (
            f"all {total} samples are zero, so that values with a probability up to {rare:.2g} may be missing, "
            "which have any exponent: claim Zero() or an Identity"
        )
        decision = Decision("inconclusive", reason)
    elif bound.kind not in ("O", "o"):
        decision, p = Decision("refuted", decision.reason), 0.0
    return Finding(decision, -math.inf, "exponent", measurements, (p,))


def _check_value(claim: Claim, sampling: Sampling) -> Finding:
    from scipy.special import ndtr

    estimates = _estimates(claim, sampling, claim.statistic_name, keep_samples=True)
    return value_finding(claim, estimates, sampling, 2 * float(ndtr(-sampling.consistent)))


def _check_identity(claim: Claim, prediction: Identity, sampling: Sampling) -> Finding:
    draws = estimators.draw_samples(
        claim.quantity, claim.sizes, sampling.counts, sampling.root, jobs=sampling.jobs, progress=sampling.progress
    )
    unit = [1.0] * len(draws)
    if prediction.relative_to is not None:
        others = estimators.draw_samples(
            prediction.relative_to, claim.sizes, sampling.counts, sampling.root, jobs=sampling.jobs
        )
        unit = [float(np.sqrt(np.mean(np.square(np.abs(other))))) for other in others]
    measurements = []
    for sizes, sample, scale in zip(claim.sizes, draws, unit, strict=True):
        largest = float(np.abs(sample).max()) if sample.size else 0.0
        residual = largest / scale if scale else (math.inf if largest else 0.0)
        measurements.append(Measurement(dict(sizes), "largest residual", residual, math.nan, len(sample)))
    worst = max(measurements, key=lambda m: m.value)
    total = sum(m.samples for m in measurements)
    holds = worst.value <= prediction.tolerance
    where = ", ".join(f"{name} = {size}" for name, size in worst.sizes.items())
    reason = (
        f"the largest residual in {total} samples is {worst.value:.2g}{', at ' + where if where else ''}, "
        f"{'within' if holds else 'above'} {prediction.tolerance:g}"
    )
    decision = Decision("consistent" if holds else "refuted", reason, prediction.tolerance)
    return Finding(
        decision, worst.value, "residual", tuple(measurements), resolution=FixedResolution(prediction.tolerance)
    )


def _estimates(
    claim: Claim, sampling: Sampling, statistic: Any, *, keep_samples: bool = False
) -> tuple[estimators.Estimate, ...]:
    """The statistic at every size."""
    total, before = sum(sampling.counts), 0
    found = []
    for sizes, count in zip(claim.sizes, sampling.counts, strict=True):
        found.append(
            estimators.estimate(
                claim.quantity,
                sizes,
                statistic=statistic,
                samples=count,
                rng=sampling.root,
                jobs=sampling.jobs,
                progress=_shifted(sampling.progress, before, total),
                keep_samples=keep_samples,
            )
        )
        before += count
    return tuple(found)


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    return None if progress is None else lambda done, _: progress(before + done, total)


def _measurement(estimate: estimators.Estimate, **further: Any) -> Measurement:
    fields = {"value": estimate.value, "error": estimate.error, "kurtosis": estimate.kurtosis, **further}
    return Measurement(dict(estimate.sizes), estimate.statistic, samples=estimate.samples, **fields)
