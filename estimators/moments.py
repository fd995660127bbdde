"""Moments of a sample in units of its own spread: they merge, so that results can be added up later."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators._records import number, plain

__all__ = ["Moments"]

_ROUNDING = 4 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Moments:
    """Count, mean, standard deviation (of the sample, divisor N), skewness, kurtosis (3 for a normal law), and so on.

    Merging two gives what all samples together would have given, up to rounding (Pébay 2008, Sandia report
    SAND2008-6212); the dimensionless form keeps high powers inside the range of floats.

    Attributes
    ----------
    higher : standardised moments of order 5, 6, ..., as many as were asked for.
    ends : the smallest and the largest sample in the same form; nan where they are not known.
    residue : what the rounding of the mean leaves, so that merging costs samples far from zero no digits.

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
    higher: tuple[float, ...] = ()
    ends: tuple[float, float] = (math.nan, math.nan)
    residue: float = 0.0

    @classmethod
    def of(cls, samples: NDArray[Any], order: int = 4) -> Moments:
        """The moments up to ``order`` of real ``samples``, or of the magnitudes of complex ones, of any shape."""
        draws = np.abs(samples) if np.iscomplexobj(samples) else np.asarray(samples, dtype=float)
        draws = draws.ravel()
        _, exponent = np.frexp(float(np.abs(draws).max()))
        scaled = np.ldexp(draws, -exponent)  # by a power of two, which rounds nothing
        center = float(scaled.mean())
        deviation = scaled - center
        residue = float(deviation.mean())
        deviation -= residue
        mean, left = _number(center, exponent), _number(residue, exponent)
        reach = float(np.abs(deviation).max())
        # below the rounding of the mean, deviations are noise of the arithmetic
        if not reach > _ROUNDING * float(np.abs(scaled).max()):
            return cls._constant(draws.size, mean, max(order, 4), left)
        unit = deviation / reach
        square = np.square(unit)
        spread, power, standard = float(square.mean()), square, []
        for k in range(3, max(order, 4) + 1):
            power = power * unit
            standard.append(float(power.mean()) / spread ** (k / 2))
        width = _number(reach * math.sqrt(spread), exponent)
        ends = float(unit.min()) / math.sqrt(spread), float(unit.max()) / math.sqrt(spread)
        return cls(draws.size, mean, width, standard[0], standard[1], tuple(standard[2:]), ends, left)

    @classmethod
    def _constant(cls, count: int, mean: float, order: int, residue: float) -> Moments:
        normal = [0.0 if k % 2 else float(math.prod(range(1, k, 2))) for k in range(3, order + 1)]
        return cls(count, mean, 0.0, normal[0], normal[1], tuple(normal[2:]), (0.0, 0.0), residue)

    @property
    def order(self) -> int:
        """The highest moment held."""
        return 4 + len(self.higher)

    @property
    def standardised(self) -> tuple[float, ...]:
        """The moments of (X - mean) / deviation: of order 0, 1, 2, ..."""
        return (1.0, 0.0, 1.0, self.skewness, self.kurtosis, *self.higher)

    def merge(self, other: Moments) -> Moments:
        """The moments of both samples together, up to the lower of the two orders."""
        count, order = self.count + other.count, min(self.order, other.order)
        step = (other.mean - self.mean) + (other.residue - self.residue)
        unit = max(self.deviation, other.deviation, abs(step))
        mean, residue = _sum(self.mean, self.residue + step * (other.count / count))
        if self.deviation == other.deviation == 0 and unit <= _ROUNDING * abs(mean):
            return self._constant(count, mean, order, residue)
        sums, ends = [0.0] * (order + 1), []
        for part, shift in ((self, -step * (other.count / count)), (other, step * (self.count / count))):
            share, s, d = part.count / count, part.deviation / unit, shift / unit
            ends.append((part.ends[0] * s + d, part.ends[1] * s + d))
            own = [moment * s**k for k, moment in enumerate(part.standardised)]
            for p in range(2, order + 1):
                sums[p] += share * math.fsum(math.comb(p, k) * own[k] * d ** (p - k) for k in range(p + 1))
        standard = [sums[p] / sums[2] ** (p / 2) for p in range(3, order + 1)]
        spread = math.sqrt(sums[2])
        lowest, highest = min(low for low, _ in ends) / spread, max(high for _, high in ends) / spread
        return Moments(
            count, mean, unit * spread, standard[0], standard[1], tuple(standard[2:]), (lowest, highest), residue
        )

    def of_polynomial(self, coefficients: Sequence[Fraction]) -> Moments:
        """The moments of p((X - mean) / deviation), with ``coefficients`` of p from that of degree 0 on.

        Moments of X up to four times the degree of p have to be held.

        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 6.0])
        >>> square = Moments.of(x, order=8).of_polynomial([Fraction(0), Fraction(0), Fraction(1)])
        >>> square.mean, round(square.deviation, 3)
        (1.0, 0.707)
        """
        moments = [Fraction(moment) for moment in self.standardised]

        def average(polynomial: Sequence[Fraction]) -> Fraction:
            return sum((c * m for c, m in zip(polynomial, moments, strict=False) if c), Fraction(0))

        mean = average(coefficients)
        # exact from here on: the variance of a polynomial of degree 6 is a small difference of large terms
        centred = [coefficients[0] - mean, *coefficients[1:]]
        square = _product(centred, centred)
        second, third, fourth = (average(p) for p in (square, _product(square, centred), _product(square, square)))
        if second <= 0:
            return self._constant(self.count, float(mean), 4, 0.0)
        width = math.sqrt(second)
        return Moments(self.count, float(mean), width, float(third) / width**3, float(fourth / second**2))

    def average(self) -> tuple[float, float, float]:
        """Mean, its standard error, and the degrees of freedom of that error (docs/rates.md)."""
        if self.deviation == 0:
            return self.mean, 0.0, self.count - 1.0
        dof = min(self.count - 1.0, 2 * self.count / max(self.kurtosis - 1, 2.0))
        return self.mean, self.deviation / math.sqrt(self.count - 1), max(dof, 1.0)

    def largest_share(self, power: int = 1) -> float:
        """The share of one sample in the variance of (X - mean)^power; nan for constant samples.

        >>> import numpy as np
        >>> round(Moments.of(np.array([0.0, 0.0, 0.0, 4.0])).largest_share(), 12)
        0.75
        """
        if self.deviation == 0:
            return math.nan
        found = self.of_polynomial([Fraction(0)] * power + [Fraction(1)])
        if found.deviation == 0:
            return math.nan
        return max(((end**power - found.mean) / found.deviation) ** 2 for end in self.ends) / self.count

    @property
    def excess_kurtosis(self) -> float:
        """Kurtosis less 3; nan for constant samples."""
        return self.kurtosis - 3 if self.deviation > 0 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return {name: plain(list(each) if isinstance(each, tuple) else each) for name, each in asdict(self).items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Moments:
        """The moments of which ``record`` is the `to_dict`."""
        ends = record.get("ends", (None, None))
        return cls(
            count=int(record["count"]),
            **{name: number(record[name], math.nan) for name in ("mean", "deviation", "skewness", "kurtosis")},
            higher=tuple(number(moment, math.nan) for moment in record.get("higher", ())),
            ends=(number(ends[0], math.nan), number(ends[1], math.nan)),
            residue=float(record.get("residue", 0.0)),
        )


def _number(mantissa: float, exponent: int) -> float:
    return float(np.ldexp(mantissa, exponent))


def _sum(a: float, b: float) -> tuple[float, float]:
    """The rounded sum, and what rounding it took away."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _product(p: Sequence[Fraction], q: Sequence[Fraction]) -> list[Fraction]:
    result = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            if a and b:
                result[i + j] += a * b
    return result
