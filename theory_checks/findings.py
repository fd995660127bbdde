"""What passes between `check` and the rules for each kind of prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from estimators import RateFit
from theory_checks.results import Measurement
from theory_checks.verdicts import Decision

__all__ = ["Finding", "Progress", "Sampling", "interval_at"]

#: called with (samples done, samples in all)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sampling:
    """How a claim is sampled in one check, and the probability ``alpha`` with which it may be refuted falsely."""

    counts: tuple[int, ...]
    root: np.random.SeedSequence
    jobs: int | None
    progress: Progress | None
    alpha: float


@dataclass(frozen=True)
class Finding:
    """What one kind of prediction makes of its samples; see `Result` for the fields."""

    decision: Decision
    measured: float
    measure: str
    measurements: tuple[Measurement, ...]
    error: float | None = None
    interval: tuple[float, float] | None = None
    refutation_interval: tuple[float, float] | None = None
    p_value: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def interval_at(fit: RateFit, quantile: float) -> tuple[float, float]:
    """The interval of a fitted exponent at a quantile of the normal distribution.

    >>> from estimators import fit_rate
    >>> low, high = interval_at(fit_rate([16, 64, 256], [16, 64, 256], [0.1, 0.4, 1.6], correction=None), 2.0)
    >>> low < 1 < high
    True
    """
    from scipy.special import ndtr

    level = 1 - 2 * float(ndtr(-quantile))
    return fit.interval(min(max(level, 1e-12), 1 - 1e-15))
