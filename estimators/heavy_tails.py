"""Heavy tails: whether the standard error of a sample can be believed, and what to report where it cannot."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.statistics import Statistic, Summary

__all__ = ["is_heavy", "jackknife_over_blocks", "largest_share"]

_HEAVY_SHARE = 0.35  # plus 10 / N, so that few samples of a chi-square law are not taken for heavy
_HEAVY_KURTOSIS = 60.0  # the square of a normal variable has 12
_BLOCKS = 20
_FEWEST_PER_BLOCK = 5


def largest_share(influence: NDArray[np.float64]) -> float:
    """The share of one sample in the sum of squared deviations from the mean; nan for constant samples.

    It tends to zero where the variance is finite, slowly where the fourth moment is not.

    >>> import numpy as np
    >>> largest_share(np.array([0.0, 0.0, 0.0, 4.0]))
    0.75
    """
    deviation = np.abs(influence - influence.mean())
    top = float(deviation.max())
    if not top > 4 * np.finfo(float).eps * float(np.abs(influence).max()):
        return math.nan
    return float(1 / np.square(deviation / top).sum())


def is_heavy(share: float, kurtosis: float, samples: int) -> bool:
    """Whether so few samples carry the variance that the standard error is a guess.

    One sample with more than about a third of the squared deviations, or an excess kurtosis above 60 of which
    one sample makes up most (kurtosis is at least N share^2).  Few samples show neither.

    >>> is_heavy(0.5, 20.0, 100), is_heavy(0.05, 3.0, 100)
    (True, False)
    """
    if samples < 2 * _FEWEST_PER_BLOCK or math.isnan(share):
        return False
    return share > _HEAVY_SHARE + 10 / samples or (kurtosis > _HEAVY_KURTOSIS and 2 * samples * share**2 > kurtosis)


def jackknife_over_blocks(
    draws: NDArray[Any], statistic: Callable[[NDArray[Any], int], Summary] | Statistic, probes: int
) -> tuple[float, float]:
    """Standard error from leaving out one block of samples at a time, and its degrees of freedom.

    Unlike the delta method it follows a root or a variance whose distribution one sample dominates.
    """
    blocks = min(_BLOCKS, len(draws) // _FEWEST_PER_BLOCK)
    parts = np.array_split(np.arange(len(draws)), blocks)
    left_out = np.array([statistic(np.delete(draws, part, axis=0), probes).value for part in parts])
    spread = math.hypot(*(left_out - left_out.mean()))  # squares of large values would overflow
    return math.sqrt((blocks - 1) / blocks) * spread, blocks - 1.0
