"""What passes between `check` and the rules for each kind of prediction."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from estimators import RateFit
from estimators.more_samples import with_samples
from estimators.workers import Jobs
from theory_checks.results import Measurement
from theory_checks.verdicts import CONSISTENT_QUANTILE, Decision, FixedResolution, Resolution

__all__ = ["Finding", "FitInterval", "Progress", "Sampling", "interval_at"]

_FARTHEST = 7.0

#: called with (samples done, samples in all)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sampling:
    """How a claim is sampled in one check, and at which levels it is decided.

    ``alpha`` is the probability with which it may be refuted falsely, ``consistent`` the quantile of the interval that
    has to lie inside the claim.
    """

    counts: tuple[int, ...]
    root: np.random.SeedSequence
    jobs: Jobs
    progress: Progress | None
    alpha: float
    consistent: float = CONSISTENT_QUANTILE


@dataclass(frozen=True)
class Finding:
    """What one kind of prediction makes of its samples; see `Result` for the fields.

    ``contradictions`` has the p-value of each assertion, and ``resolution`` what could have been detected.
    """

    decision: Decision
    measured: float
    measure: str
    measurements: tuple[Measurement, ...]
    contradictions: tuple[float, ...] = ()
    resolution: Resolution = field(default_factory=partial(FixedResolution, math.nan))
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

    def at(q: float) -> tuple[float, float]:
        return fit.interval(max(1 - 2 * float(ndtr(-q)), 1e-12))

    if quantile <= _FARTHEST:
        return at(quantile)
    # levels nearer to 1 are lost to rounding, and by then each end moves in proportion to the quantile
    near, far = at(_FARTHEST - 1), at(_FARTHEST)
    beyond = quantile - _FARTHEST
    return far[0] + beyond * (far[0] - near[0]), far[1] + beyond * (far[1] - near[1])


@dataclass(frozen=True)
class FitInterval:
    """The interval of a fitted exponent by quantile, which knows what more samples would make of it.

    >>> from estimators import fit_rate
    >>> interval = FitInterval(fit_rate([16, 64], [1.0, 2.0], [0.01, 0.02]))
    >>> low, high = interval.with_samples(1e6)(2.0)
    >>> high - low > 0.9 * (interval(2.0)[1] - interval(2.0)[0])  # two sizes see no correction
    True
    """

    fit: RateFit

    def __call__(self, quantile: float) -> tuple[float, float]:
        return interval_at(self.fit, quantile)

    def with_samples(self, factor: float) -> FitInterval:
        """The same at ``factor`` times the samples."""
        return self if factor == 1 else FitInterval(with_samples(self.fit, factor))
