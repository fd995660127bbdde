"""Heavy tails: whether the standard error of a sample can be believed, and what to report where it cannot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.statistics import Statistic

__all__ = ["Shape", "is_heavy", "jackknife_over_blocks", "largest_share"]

_HEAVY_SHARE = 0.35  # plus 10 / N, so that few samples of a chi-square law are not taken for heavy
_HEAVY_KURTOSIS = 60.0  # the square of a normal variable has 12
_BLOCKS = 20
_FEWEST_PER_BLOCK = 5

# standard errors that are added to the sample skewness: with fewer, means of 30 lognormal samples miss the level 1e-4
_SKEWNESS_ERRORS = 2.5

Array = NDArray[np.float64]


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


def jackknife_over_blocks(draws: NDArray[Any], statistic: Statistic, probes: int) -> tuple[float, float]:
    """Standard error from leaving out one block of samples at a time, and its degrees of freedom.

    Unlike the delta method it follows a root or a variance whose distribution one sample dominates.
    """
    blocks = min(_BLOCKS, len(draws) // _FEWEST_PER_BLOCK)
    parts = np.array_split(draws, blocks)
    rest = (np.concatenate(parts[:i] + parts[i + 1 :]) for i in range(blocks))
    left_out = np.array([statistic.value(samples, probes) for samples in rest])
    spread = math.hypot(*(left_out - left_out.mean()))  # squares of large values would overflow
    return math.sqrt((blocks - 1) / blocks) * spread, blocks - 1.0


@dataclass(frozen=True)
class Shape:
    """Count, mean, spread and shape of independent samples: what the tails of their mean follow from.

    Every field but ``count`` is an array with one entry per set of samples.

    Attributes
    ----------
    count : samples in a set.
    mean, spread : their mean, and their standard deviation with divisor count - 1.
    skewness, skewness_error : sample skewness and its standard error, which needs the sixth moment.
    kurtosis : sample excess kurtosis.
    heavy : whether so few samples carry the variance that no error can be trusted.

    Examples
    --------
    >>> import numpy as np
    >>> shape = Shape.of(np.random.default_rng(0).exponential(size=(2, 400)))
    >>> shape.deviate(0.25).round(2).tolist(), shape.deviate(-0.25).round(2).tolist()
    ([4.35, 4.7], [-3.51, -3.49])
    """

    count: int
    mean: Array
    spread: Array
    skewness: Array
    skewness_error: Array
    kurtosis: Array
    heavy: NDArray[np.bool_]

    @classmethod
    def of(cls, samples: NDArray[Any]) -> Shape:
        """The shape of each row of ``samples``, shape (..., N); a constant row has the spread 0."""
        draws = np.asarray(samples, dtype=float)
        count, largest = draws.shape[-1], np.abs(draws).max(axis=-1)
        # by a power of two first, which rounds nothing: sums do not leave the range of floats
        _, exponent = np.frexp(largest)
        draws = np.ldexp(draws, -exponent[..., None])
        mean = draws.mean(axis=-1)
        deviation = draws - mean[..., None]
        reach = np.abs(deviation).max(axis=-1)
        scatters = reach > 4 * np.finfo(float).eps
        unit = deviation / np.where(scatters, reach, 1.0)[..., None]
        square = unit * unit
        second = np.where(scatters, square.mean(axis=-1), 1.0)
        third, fourth, fifth, sixth = (
            (power).mean(axis=-1) / second ** (order / 2)
            for order, power in ((3, square * unit), (4, square**2), (5, square**2 * unit), (6, square**3))
        )
        # of the influence function z^3 - 3 z - g - 3/2 g (z^2 - 1) of the skewness g
        variance = sixth - 6 * fourth + 9 - third**2 - 3 * third * (fifth - 4 * third)
        variance += 2.25 * third**2 * (fourth - 1)
        share = 1 / (count * second)
        kurtosis = fourth - 3
        heavy = (share > _HEAVY_SHARE + 10 / count) | ((kurtosis > _HEAVY_KURTOSIS) & (2 * count * share**2 > kurtosis))
        spread = np.ldexp(np.where(scatters, np.sqrt(second * count / (count - 1)) * reach, 0.0), exponent)
        mean = np.ldexp(mean, exponent)
        error = np.sqrt(np.maximum(variance, 0.0) / count)
        return cls(count, mean, spread, third, error, kurtosis, heavy & scatters & (count >= 2 * _FEWEST_PER_BLOCK))

    def deviate(self, difference: Any, spread: Any = None, skewness: float = 0.0) -> Array:
        """The standard normal deviate that is at most as unlikely as a mean that is off by ``difference``.

        With estimated spread it is Student's t with 2 N / (2 + kurtosis) degrees of freedom, after the cubic of Hall
        (1992, J. R. Statist. Soc. B 54), x = (1 - (1 - k t)^3) / (3 k) with k = skewness / (3 sqrt N), that undoes the
        skewness of t (Johnson 1978, J. Am. Statist. Assoc. 73). Skewness counts towards the side where samples that
        were not seen would lie, and with its standard error added. There x ends at sqrt N / skewness: beyond, so few
        samples cannot tell. Where few samples carry the variance, it is 0.

        With known ``spread`` the mean itself is skewed, towards the other side: its tail is that of a gamma law of this
        skewness, or that of Student's law with the kurtosis of the mean, whichever is heavier.

        Parameters
        ----------
        difference : mean less the value it is held against.
        spread : standard deviation of one sample, where it is known.
        skewness : the least skewness, to be counted on the side where the mean is too small.
        """
        known = spread is not None
        scale = np.asarray(spread if known else self.spread, dtype=float) / math.sqrt(self.count)
        t = np.asarray(difference, dtype=float) / scale
        return np.asarray(np.sign(t) * (self._known(t) if known else self._estimated(t, skewness)))

    def most(self, skewness: float = 0.0) -> Array:
        """The largest deviate that both sides can reach without known spread: sqrt N / skewness, 0 for heavy tails."""
        steep = np.maximum(np.abs(self.skewness) + _SKEWNESS_ERRORS * self.skewness_error, skewness)
        with np.errstate(divide="ignore"):
            return np.where(self.heavy, 0.0, math.sqrt(self.count) / steep)

    def _sided(self, t: Array, side: int) -> Array:
        """Skewness towards the side of t, or towards the other one, on the safe side."""
        return np.asarray(np.maximum(side * np.sign(t) * self.skewness + _SKEWNESS_ERRORS * self.skewness_error, 0.0))

    def _estimated(self, t: Array, skewness: float) -> Array:
        from scipy.special import stdtr

        steep = self._sided(t, -1)
        steep = np.where(t < 0, np.maximum(steep, skewness), steep)
        k, size = steep / (3 * math.sqrt(self.count)), np.abs(t)
        left = np.maximum(1 - k * size, 0.0)
        # the difference of cubes loses its digits where k is small
        bent = np.where(k * size < 1e-4, size, (1 - left**3) / np.where(k > 0, 3 * k, 1.0))
        dof = np.clip(2 * self.count / (2 + np.maximum(self.kurtosis, 0.0)), 1.0, max(self.count - 1.0, 1.0))
        return np.where(self.heavy, 0.0, _upper_deviate(stdtr(dof, -bent), bent))

    def _known(self, t: Array) -> Array:
        from scipy.special import gammaincc, stdtr

        size = np.abs(t)
        skew = self._sided(t, 1) / math.sqrt(self.count)
        shape = 4 / np.maximum(skew, 1e-3) ** 2
        gamma = _upper_deviate(gammaincc(shape, shape + size * np.sqrt(shape)), size)
        dof = 4 + 6 * self.count / np.maximum(self.kurtosis, 1e-9)
        student = _upper_deviate(stdtr(dof, -size * np.sqrt(dof / (dof - 2))), size)
        return np.minimum(np.minimum(size, student), np.where(skew > 1e-3, gamma, size))


def _upper_deviate(tail: Array, otherwise: Array) -> Array:
    """The normal deviate with this upper tail; where it underflows, the verdict is beyond doubt."""
    from scipy.special import ndtri

    safe = np.where(tail > 0, tail, 0.5)
    return np.where(tail > 0, np.maximum(-ndtri(safe), 0.0), np.minimum(otherwise, 38.0))
