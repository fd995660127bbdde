"""Moments of a sample in units of its own spread: they merge, so that results can be added up later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators._records import number, plain

__all__ = ["Moments"]


@dataclass(frozen=True)
class Moments:
    """Count, mean, standard deviation (of the sample, divisor N), skewness and kurtosis (3 for a normal law).

    Merging two gives what all samples together would have given, up to rounding (Pébay 2008, Sandia report
    SAND2008-6212); the dimensionless form keeps fourth powers inside the range of floats.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 4.0, 9.0, 5.0])
    >>> both = Moments.of(x[:2]).merge(Moments.of(x[2:]))
    >>> both.count, round(both.mean, 12), bool(np.isclose(both.deviation, x.std()))
    (5, 4.2, True)
    """

    count: int
    mean: float
    deviation: float
    skewness: float
    kurtosis: float

    @classmethod
    def of(cls, samples: NDArray[Any]) -> Moments:
        """The moments of real ``samples``, or of the magnitudes of complex ones, of any shape."""
        draws = np.abs(samples) if np.iscomplexobj(samples) else np.asarray(samples, dtype=float)
        draws = draws.ravel()
        largest = float(np.abs(draws).max()) or 1.0
        scaled = draws / largest
        center = float(scaled.mean())
        deviation = scaled - center
        reach = float(np.abs(deviation).max())
        # below the rounding of the mean, deviations are noise of the arithmetic
        if not reach > 4 * np.finfo(float).eps:
            return cls(draws.size, center * largest, 0.0, 0.0, 3.0)
        unit = deviation / reach
        second = float(np.square(unit).mean())
        third, fourth = float((unit**3).mean()), float((unit**4).mean())
        return cls(
            draws.size,
            center * largest,
            reach * math.sqrt(second) * largest,
            third / second**1.5,
            fourth / second**2,
        )

    def merge(self, other: Moments) -> Moments:
        """The moments of both samples together."""
        count = self.count + other.count
        step = other.mean - self.mean
        unit = max(self.deviation, other.deviation, abs(step))
        mean = self.mean + step * (other.count / count)
        if unit == 0:
            return Moments(count, mean, 0.0, 0.0, 3.0)
        sums = [0.0, 0.0, 0.0]
        for part in (self, other):
            share, s, d = part.count / count, part.deviation / unit, (part.mean - mean) / unit
            second, third, fourth = s**2, part.skewness * s**3, part.kurtosis * s**4
            sums[0] += share * (second + d**2)
            sums[1] += share * (third + 3 * d * second + d**3)
            sums[2] += share * (fourth + 4 * d * third + 6 * d**2 * second + d**4)
        return Moments(count, mean, unit * math.sqrt(sums[0]), sums[1] / sums[0] ** 1.5, sums[2] / sums[0] ** 2)

    def average(self) -> tuple[float, float, float]:
        """Mean, its standard error, and the degrees of freedom of that error (docs/rates.md)."""
        if self.deviation == 0:
            return self.mean, 0.0, self.count - 1.0
        dof = min(self.count - 1.0, 2 * self.count / max(self.kurtosis - 1, 2.0))
        return self.mean, self.deviation / math.sqrt(self.count - 1), max(dof, 1.0)

    @property
    def excess_kurtosis(self) -> float:
        """Kurtosis less 3; nan for constant samples."""
        return self.kurtosis - 3 if self.deviation > 0 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return {name: plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Moments:
        """The moments of which ``record`` is the `to_dict`."""
        names = ("mean", "deviation", "skewness", "kurtosis")
        return cls(int(record["count"]), *(number(record[name], math.nan) for name in names))
