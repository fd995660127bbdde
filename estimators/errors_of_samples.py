"""The standard error of a statistic: from the samples, from blocks of them, or from an exact variance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from estimators.heavy_tails import is_heavy, jackknife_over_blocks, largest_share
from estimators.statistics import Statistic, Summary, excess_kurtosis

__all__ = ["StandardError", "influence_of", "root_order", "standard_error"]


@dataclass(frozen=True)
class StandardError:
    """A statistic with its error, where that comes from, and how heavy the tails are."""

    summary: Summary
    source: Literal["sampled", "exact", "blocks"]
    heavy_tailed: bool
    largest_share: float


def standard_error(
    draws: NDArray[Any], statistic: Statistic, probes: int, variance: float | None = None
) -> StandardError:
    """The statistic of ``draws``; its error is exact for a mean with known ``variance``, robust for heavy tails.

    >>> import numpy as np
    >>> standard_error(np.arange(100.0), Statistic("mean"), 1, variance=400.0).summary.error
    2.0
    """
    summary = statistic(draws, probes)
    averaged = _scaled_influence(draws, statistic, probes)
    share = math.nan if averaged is None else largest_share(averaged)
    heavy = averaged is not None and is_heavy(share, excess_kurtosis(averaged), len(draws))
    if variance is not None:
        exact = replace(summary, error=math.sqrt(variance / len(draws)), dof=math.inf)
        return StandardError(exact, "exact", heavy, share)
    if not heavy:
        return StandardError(summary, "sampled", False, share)
    blocks, dof = jackknife_over_blocks(draws, statistic, probes)
    robust = replace(summary, error=max(summary.error, blocks), dof=min(summary.dof, dof))
    return StandardError(robust, "blocks", True, share)


def root_order(statistic: Statistic) -> float | None:
    """The q of a statistic (E |X|^q)^(1/q), 1 for the mean; None for those that are no power of an average.

    >>> root_order(Statistic("rms")), root_order(Statistic("median"))
    (2.0, None)
    """
    if statistic.name in ("mean", "rms"):
        return 1.0 if statistic.name == "mean" else 2.0
    return float(statistic.name[1:]) if statistic.is_norm else None


def influence_of(draws: NDArray[Any], statistic: Statistic, probes: int) -> NDArray[np.float64] | None:
    """The variable whose average the statistic is a power of; None if there is none, or it overflows."""
    order = root_order(statistic)
    if order is None:
        return None
    with np.errstate(over="ignore"):
        averaged = _powers(draws, statistic, probes, order)
    return averaged if np.all(np.isfinite(averaged)) and (averaged.any() or not draws.any()) else None


def _scaled_influence(draws: NDArray[Any], statistic: Statistic, probes: int) -> NDArray[np.float64] | None:
    """The variable that decides the error, in units of the largest sample; None for quantiles."""
    if statistic.is_quantile:
        return None
    scaled = draws / (float(np.abs(draws).max()) or 1.0)
    order = root_order(statistic)
    if order is not None:
        return _powers(scaled, statistic, probes, order)
    first = scaled.mean(axis=-1) if probes > 1 else scaled
    return np.asarray((first - first.mean()) ** (statistic.central_power or 2), dtype=float)


def _powers(draws: NDArray[Any], statistic: Statistic, probes: int, order: float) -> NDArray[np.float64]:
    if statistic.name == "mean":
        return np.asarray(draws.mean(axis=-1) if probes > 1 else draws, dtype=float)
    if probes > 1:  # the mean product of two different probes: an unbiased square
        pairs = np.square(draws.sum(-1)) - np.square(draws).sum(-1)
        return np.asarray(pairs / (probes * (probes - 1)), dtype=float)
    return np.asarray(np.abs(draws) ** order, dtype=float)
