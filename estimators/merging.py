"""Adding samples to an estimate: other seeds, other ranges of one stream, or the next samples of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from estimators.errors_of_samples import root_order
from estimators.estimation import Estimate, check_scalar, from_draws, from_samples
from estimators.heavy_tails import is_heavy
from estimators.moments import Moments
from estimators.sampling import Progress, describe, draw_samples
from estimators.sources import identify, merged_sources
from estimators.statistics import Statistic
from estimators.workers import Jobs
from randtensor.arguments import positive_integer
from randtensor.errors import InputError
from randtensor.quantity import Quantity

__all__ = ["extend_estimates", "merge_estimates"]


def merge_estimates(one: Estimate, other: Estimate) -> Estimate:
    """See `Estimate.merge`."""
    if not isinstance(other, Estimate):
        raise InputError(f"other is {other!r}, expected an Estimate")
    for name in ("statistic", "sizes", "probes"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            raise InputError(f"{name} is {theirs!r} in the other estimate, expected {mine!r} as in this one")
    if one.quantity != other.quantity:
        raise InputError("quantity is another one in the other estimate, expected samples of the same law")
    if not one.sources or not other.sources:
        raise InputError("sources is empty in one estimate, expected estimates that know their random streams")
    sources = merged_sources((*one.sources, *other.sources))
    statistic = Statistic(one.statistic)
    variance = next((e.error**2 * e.samples for e in (one, other) if e.error_source == "exact"), None)
    if one.draws is not None and other.draws is not None:
        draws = np.concatenate([e.draws for e in _in_stream_order(one, other) if e.draws is not None])
        return from_draws(draws, statistic, one.sizes, sources, one.probes, True, one.quantity, variance)
    samples = one.samples + other.samples
    moments = _merged(one._moments, other._moments)
    averaged = _merged(one._averaged, other._averaged)
    influence = averaged or _influence(moments, statistic, one.probes)
    share = math.nan
    if averaged is not None:
        share = averaged.largest_share()
    elif moments is not None and influence is not None:
        share = moments.largest_share(statistic.central_power or 1)
    heavy = one.heavy_tailed or other.heavy_tailed
    if influence is not None and not math.isnan(share):
        heavy = is_heavy(share, influence.kurtosis - 3, samples)
    if averaged is not None:
        value, error, dof = _root(averaged, statistic)
    elif moments is not None and influence is not None:
        pooled = statistic.of_moments(moments)
        value, error, dof = pooled.value, pooled.error, pooled.dof
    else:
        value, error, dof = _weighted(one, other)
    source = "sampled"
    if variance is not None:
        error, dof, source = math.sqrt(variance / samples), math.inf, "exact"
    elif heavy:
        # the blocks are gone, but their errors are those of averages: they add up like independent ones
        blocks = _weighted(one, other)
        error, dof, source = max(error, blocks[1]), min(dof, blocks[2]), "blocks"
    return Estimate(
        value=value,
        error=error,
        samples=samples,
        statistic=one.statistic,
        sizes=dict(one.sizes),
        seed=sources[0].seed,
        kurtosis=math.nan if moments is None else moments.excess_kurtosis,
        dof=dof,
        error_source=source,  # type: ignore[arg-type]
        heavy_tailed=heavy,
        largest_share=share,
        quantity=one.quantity,
        sources=sources,
        probes=one.probes,
        _moments=moments,
        _averaged=averaged,
    )


def extend_estimates(
    quantity: Quantity,
    estimates: Sequence[Estimate],
    samples: Sequence[int],
    *,
    jobs: Jobs = None,
    progress: Progress | None = None,
) -> tuple[Estimate, ...]:
    """Each estimate with the next samples of its first stream; see `Estimate.extend`."""
    probes = check_scalar(quantity)
    counts = [positive_integer("samples", count) for count in samples]
    for found in estimates:
        if not found.sources or found.quantity != identify(quantity.fingerprint):
            raise InputError(f"quantity is {describe(quantity)}, expected the one that was sampled for the estimate")
    extended = []
    for found, count in zip(estimates, counts, strict=True):
        statistic, root = Statistic(found.statistic), found.sources[0].root
        stream = found.sources[0].stream
        first = max(source.last for source in found.sources if source.stream == stream)
        (draws,) = draw_samples(
            quantity, [found.sizes], [count], root, jobs=jobs, progress=progress, first=[first]
        )  # fmt: skip
        variance = found.error**2 * found.samples if found.error_source == "exact" else None
        added = _few(draws, statistic, found, root, probes, quantity, variance, first)
        extended.append(merge_estimates(found, added))
    return tuple(extended)


def _few(
    draws: Any,
    statistic: Statistic,
    found: Estimate,
    root: np.random.SeedSequence,
    probes: int,
    quantity: Quantity,
    variance: float | None,
    first: int,
) -> Estimate:
    """The estimate of the added samples alone, of which there must be enough to make one."""
    statistic.require(len(draws), probes, quantity.only_squares)
    return from_samples(
        draws, statistic, found.sizes, root, probes, found.draws is not None,
        quantity=quantity, variance=variance, first=first,
    )  # fmt: skip


def _in_stream_order(one: Estimate, other: Estimate) -> tuple[Estimate, Estimate]:
    """The one that comes first in a common stream first, so that the samples are in the order they were drawn."""
    a, b = one.sources[0], other.sources[0]
    return (other, one) if a.stream == b.stream and b.first < a.first else (one, other)


def _merged(one: Moments | None, other: Moments | None) -> Moments | None:
    return None if one is None or other is None else one.merge(other)


def _influence(moments: Moments | None, statistic: Statistic, probes: int) -> Moments | None:
    """The moments of (X - E X)^k, whose average a variance or a cumulant is to leading order; None for others."""
    power = statistic.central_power
    if power is None or probes > 1 or moments is None or moments.order < statistic.moments_needed:
        return None
    return moments.of_polynomial([Fraction(0)] * power + [Fraction(1)])


def _root(averaged: Moments, statistic: Statistic) -> tuple[float, float, float]:
    """Value, error and degrees of freedom of a power of an average, by the delta method."""
    mean, error, dof = averaged.average()
    power = 1 / (root_order(statistic) or 1.0)
    if power == 1:
        return mean, error, dof
    positive = max(mean, 0.0)
    slope = power * max(positive, error) ** (power - 1) if error > 0 else 0.0
    return positive**power, slope * error, dof


def _weighted(one: Estimate, other: Estimate) -> tuple[float, float, float]:
    """Average by the number of samples, with the error of two independent estimates (Welch & Satterthwaite)."""
    share = one.samples / (one.samples + other.samples)
    a, b = share * one.error, (1 - share) * other.error
    error = math.hypot(a, b)
    dof = one.dof + other.dof + 1
    if error > 0:
        dof = 1 / ((a / error) ** 4 / one.dof + (b / error) ** 4 / other.dof)
    return share * one.value + (1 - share) * other.value, error, dof
