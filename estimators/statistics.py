"""Statistics of independent samples: a value, its standard error, and how far that error can be trusted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators._k_statistics import centred, influences, jackknife
from estimators.moments import Moments
from randtensor.errors import InputError

__all__ = ["Statistic", "Summary", "excess_kurtosis", "summarize"]

Array = NDArray[np.float64]

#: value, standard error and degrees of freedom of a mean
Average = Callable[[Array], tuple[float, float, float]]

_NAMED = ("mean", "rms", "variance", "std", "median")
_CUMULANTS = {"k3": 3, "k4": 4, "k5": 5, "k6": 6}
_EXPECTED = (
    "'mean', 'rms', 'variance', 'std', 'median', a quantile like 'q90', a norm like 'L3', a cumulant 'k3' to 'k6' "
    "or a Statistic"
)
_FEWEST_BEYOND = 5  # samples on the thin side of a quantile, below which its error cannot be estimated


@dataclass(frozen=True)
class Summary:
    """A statistic of one sample: ``value``, standard ``error``, effective ``dof`` of that error.

    ``positive`` says that the statistic cannot be negative, so that its interval is built on the logarithmic
    scale.

    >>> low, high = Summary(value=1.0, error=0.1, dof=50.0, positive=True).interval(0.95)
    >>> round(low, 3), round(high, 3)
    (0.818, 1.222)
    """

    value: float
    error: float
    dof: float
    positive: bool

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Student interval with ``dof`` degrees of freedom; see docs/rates.md for its measured coverage."""
        if not 0 < level < 1:
            raise InputError(f"level is {level!r}, expected a number strictly between 0 and 1")
        from scipy.special import stdtrit

        reach = float(stdtrit(self.dof, (1 + level) / 2)) * self.error
        if self.positive and self.value > 0:
            factor = math.exp(min(reach / self.value, 700.0))
            return self.value / factor, self.value * factor
        return self.value - reach, self.value + reach


@dataclass(frozen=True)
class Statistic:
    """A number that a law has: what ``statistic=`` names.

    Parameters
    ----------
    name : "mean", "rms", "variance", "std", "median", a quantile ("q90", "q99.9": in per cent), the norm
        (E|X|^q)^(1/q) as "L" and q ("L1", "L3") or a cumulant ("k3", "k4", "k5", "k6"), estimated without bias by the
        k-statistic.

    Raises
    ------
    InputError : a name that is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> Statistic("L1")(np.array([3.0, -1.0, 2.0, -2.0])).value
    2.0
    """

    name: str

    def __post_init__(self) -> None:
        if self._order is None and self.name not in _NAMED and not self.is_cumulant:
            raise InputError(f"statistic is {self.name!r}, expected {_EXPECTED}")

    @classmethod
    def of(cls, statistic: Any) -> Statistic:
        """``statistic`` itself, or the one it names."""
        if isinstance(statistic, cls):
            return statistic
        if not isinstance(statistic, str):
            raise InputError(f"statistic is {statistic!r}, expected {_EXPECTED}")
        return cls(statistic)

    @property
    def _order(self) -> float | None:
        """The probability of a quantile, the q of a norm, or None."""
        if self.name == "median":
            return 0.5
        match = re.fullmatch(r"([qL])(\d+(?:\.\d+)?)", str(self.name))
        if not match:
            return None
        order = float(match[2])
        if match[1] == "q":
            return order / 100 if 0 < order < 100 else None
        return order if order > 0 else None

    @property
    def is_quantile(self) -> bool:
        return self.name == "median" or self.name.startswith("q")

    @property
    def is_norm(self) -> bool:
        return self.name.startswith("L")

    @property
    def is_cumulant(self) -> bool:
        return self.name in _CUMULANTS

    @property
    def _degree(self) -> int:
        """The power of the unit of the samples that the statistic has as its unit."""
        return 2 if self.name == "variance" else _CUMULANTS.get(self.name, 1)

    @property
    def central_power(self) -> int | None:
        """The k of a statistic that is a function of the first k central moments; None if it is none.

        >>> Statistic("std").central_power, Statistic("k5").central_power, Statistic("rms").central_power
        (2, 5, None)
        """
        return 2 if self.name in ("variance", "std") else _CUMULANTS.get(self.name)

    @property
    def moments_needed(self) -> int:
        """How many moments `of_moments` needs: the error of the error is a moment of four times the order."""
        return 4 * (self.central_power or 1)

    @property
    def is_positive(self) -> bool:
        """Whether the statistic of every law is at least zero."""
        return self.name in ("rms", "variance", "std") or self.is_norm

    def require(self, samples: int, probes: int = 1, only_squares: bool = False) -> None:
        """Refuse, before anything is drawn, what cannot be estimated from so many samples or from probes."""
        if only_squares and self.name != "rms":
            raise InputError(
                f"statistic is {self.name!r}, but only the square of the quantity is estimated without bias: "
                "expected 'rms', or an exact quantity (probes=0)"
            )
        if probes > 1 and (self.is_quantile or self.is_norm or self.is_cumulant):
            raise InputError(
                f"statistic is {self.name!r}, but the quantity has {probes} noisy probes per sample: "
                "expected 'mean', 'rms', 'variance' or 'std', which have unbiased estimates from probes"
            )
        fewest = _CUMULANTS.get(self.name, 1) + 1
        if samples < fewest:
            raise InputError(f"samples is {samples}, expected at least {fewest} to estimate a standard error")
        if self.is_quantile:
            order = self._order or 0.5
            fewest = math.ceil(_FEWEST_BEYOND / min(order, 1 - order) - 1e-9)
            if samples < fewest:
                raise InputError(f"samples is {samples}, expected at least {fewest} for the statistic {self.name!r}")

    def __call__(self, samples: NDArray[Any], probes: int = 1) -> Summary:
        """The statistic of ``samples``, shape (N,), or (N, probes) when ``probes`` > 1.

        Raises
        ------
        InputError : too few samples or ones that are not finite, complex ones where an order is needed, probes where
            they do not suffice, or a value that is too large for a float.
        """
        return self._summary(samples, probes, _average)

    def value(self, samples: NDArray[Any], probes: int = 1) -> float:
        """The same value without its error, which for means and their roots takes a fraction of the time.

        >>> Statistic("rms").value(np.array([1.0, 7.0]))
        5.0
        """
        return self._summary(samples, probes, _center).value

    def _summary(self, samples: NDArray[Any], probes: int, average: Average) -> Summary:
        samples = _checked(samples, probes)
        self.require(len(samples), probes)
        if np.iscomplexobj(samples):
            if not (self.name == "rms" or self.is_norm):
                raise InputError(f"statistic is {self.name!r} of complex samples, expected 'rms' or a norm like 'L1'")
            if probes > 1:
                raise InputError(f"samples are complex and come in {probes} probes, expected real ones")
            samples = np.abs(samples)
        draws = np.asarray(samples, dtype=float)
        # by a power of two first, which rounds nothing: neither sums nor differences leave the range of floats
        exponent = int(np.frexp(np.abs(draws).max())[1]) - 1
        draws, unit = np.ldexp(draws, -exponent), float(np.ldexp(1.0, exponent))
        if self.is_quantile:
            return self._in_units(_quantile(draws, self._order or 0.5), unit)
        if self.central_power and probes == 1:
            draws = centred(draws)  # before they are divided, which would round away what a large mean leaves
        # near the ends of the range of floats, only ratios to the largest can be raised to powers
        scale = float(np.abs(draws).max()) or 1.0
        return self._in_units(_moment(self)(draws / scale, probes, average), scale, unit)

    def of_moments(self, moments: Moments) -> Summary:
        """A variance, a standard deviation or a cumulant of samples of which only moments are left.

        With the first `moments_needed` of them it is what the samples themselves give, up to rounding.

        Raises
        ------
        InputError : another statistic, fewer moments, or too few samples.

        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 6.0, 7.0, 9.0])
        >>> pooled = Statistic("k3").of_moments(Moments.of(x, 12))
        >>> bool(np.isclose(pooled.value, summarize(x, "k3").value))
        True
        """
        power = self.central_power
        if power is None or moments.order < self.moments_needed:
            raise InputError(
                f"statistic is {self.name!r} with moments up to order {moments.order}, "
                "expected a variance, a standard deviation or a cumulant and four times as many moments as its order"
            )
        self.require(moments.count)
        if moments.deviation == 0:
            return Summary(0.0, 0.0, moments.count - 1.0, self.is_positive)
        if power == 2:  # influence function of the variance: (X - E X)^2
            _, error, dof = moments.of_polynomial([Fraction(0), Fraction(0), Fraction(1)]).average()
            found = moments.count / (moments.count - 1), error, dof
            return self._in_units(_power(*found, 0.5) if self.name == "std" else found, moments.deviation)
        count = moments.count
        standardised = [count * Fraction(moment) for moment in moments.standardised]
        pseudo = influences(lambda block: standardised[len(block)], power, count)
        return self._in_units(moments.of_polynomial(pseudo).average(), moments.deviation)

    def _in_units(self, found: tuple[float, float, float], *units: float) -> Summary:
        """The summary of a value and an error that were found in the product of some units."""
        value, error, dof = found
        for unit in units * self._degree:
            value, error = value * unit, error * unit
        if not (math.isfinite(value) and math.isfinite(error)):
            raise InputError(f"samples are so large that their {self.name} is no float, expected a smaller unit")
        return Summary(value, error, dof, self.is_positive)


def summarize(samples: NDArray[Any], statistic: str | Statistic, probes: int = 1) -> Summary:
    """The named statistic of ``samples``: shorthand for ``Statistic(statistic)(samples)``.

    >>> import numpy as np
    >>> round(summarize(np.array([1.0, 2.0, 4.0, 5.0]), "mean").error, 3)
    0.913
    """
    return Statistic.of(statistic)(samples, probes)


def _checked(samples: Any, probes: int) -> NDArray[Any]:
    """The samples as an array of finite numbers, or one sentence about them."""
    draws = np.asarray(samples)
    if not (np.issubdtype(draws.dtype, np.number) or draws.dtype == bool):
        raise InputError(f"samples is {samples!r}, expected numbers")
    if draws.ndim != 1 + (probes > 1) or (probes > 1 and draws.shape[1] != probes):
        raise InputError(f"samples has shape {draws.shape}, expected {f'(N, {probes})' if probes > 1 else '(N,)'}")
    bad = int(draws.size - np.isfinite(draws).sum())
    if bad:
        raise InputError(f"samples has {bad} values that are not finite among {draws.size}, expected finite numbers")
    return draws


def excess_kurtosis(samples: NDArray[Any]) -> float:
    """Sample excess kurtosis; nan for constant samples.

    It is bounded by N: heavy tails show only in many samples.

    >>> import numpy as np
    >>> excess_kurtosis(np.array([-1.0, 1.0, -1.0, 1.0]))
    -2.0
    """
    draws = np.abs(samples) if np.iscomplexobj(samples) else np.asarray(samples, dtype=float)
    draws = draws.ravel()
    deviation = draws - draws.mean()
    largest = np.abs(deviation).max()
    # below the rounding of the mean, deviations are noise of the arithmetic
    if not largest > 4 * np.finfo(float).eps * np.abs(draws).max():
        return math.nan
    square = np.square(deviation / largest)
    return float(np.square(square).mean() / square.mean() ** 2 - 3)


def _moment(statistic: Statistic) -> Callable[[Array, int, Average], tuple[float, float, float]]:
    if statistic.is_norm:
        order = statistic._order or 1.0
        return lambda draws, probes, average: _power(*average(np.abs(draws) ** order), 1 / order)
    if statistic.is_cumulant:
        return lambda draws, probes, average: _cumulant(draws, _CUMULANTS[statistic.name], average)
    return {"mean": _mean, "rms": _rms, "variance": _variance, "std": _std}[statistic.name]


def _mean(draws: Array, probes: int, average: Average) -> tuple[float, float, float]:
    return average(draws.mean(axis=-1) if probes > 1 else draws)


def _rms(draws: Array, probes: int, average: Average) -> tuple[float, float, float]:
    return _power(*average(_square(draws, probes)), 0.5)


def _variance(draws: Array, probes: int, average: Average) -> tuple[float, float, float]:
    count = len(draws)
    first = draws.mean(axis=-1) if probes > 1 else draws
    center = first.mean()
    # unbiased: E X^2 from products within a sample, (E X)^2 from products between samples
    within = _square(draws - center, probes)
    value = float(within.mean() + np.square(first - center).sum() / (count * (count - 1)))
    _, error, dof = average(within)  # influence function of the variance: (X - E X)^2
    return value, error, dof


def _std(draws: Array, probes: int, average: Average) -> tuple[float, float, float]:
    return _power(*_variance(draws, probes, average), 0.5)


def _cumulant(draws: Array, order: int, average: Average) -> tuple[float, float, float]:
    """k-statistic: the mean of its jackknife pseudo-values, which are treated as independent samples of it."""
    value, pseudo = jackknife([draws] * order)
    return value, *average(pseudo)[1:]


def _square(draws: Array, probes: int) -> Array:
    """Unbiased estimate of the square of each sample: from probes, the mean product of two different ones."""
    if probes == 1:
        return np.square(draws)
    pairs: Array = (np.square(draws.sum(-1)) - np.square(draws).sum(-1)) / (probes * (probes - 1))
    return pairs


def _power(value: float, error: float, dof: float, exponent: float) -> tuple[float, float, float]:
    """Delta method for value^exponent; an unbiased estimate of a square that is negative counts as 0."""
    positive = max(value, 0.0)
    # at 0 the delta method divides by zero; within one error of 0 the root is known to (error)^exponent and
    # no better
    slope = exponent * max(positive, error) ** (exponent - 1) if error > 0 else 0.0
    return positive**exponent, slope * error, dof


def _average(draws: Array) -> tuple[float, float, float]:
    """Mean, standard error and effective degrees of freedom.

    The variance of a sample variance grows with the kurtosis; matching it to a scaled chi-square gives
    2 N / (2 + excess kurtosis) degrees of freedom, which is N - 1 for normal samples up to rounding.
    """
    count = len(draws)
    center = float(draws.mean())
    kurtosis = excess_kurtosis(draws)
    if math.isnan(kurtosis):
        return center, 0.0, count - 1.0
    error = float(draws.std(ddof=1)) / math.sqrt(count)
    return center, error, max(min(count - 1.0, 2 * count / (2 + max(kurtosis, 0.0))), 1.0)


def _center(draws: Array) -> tuple[float, float, float]:
    """The mean alone, in the place of `_average`."""
    return float(draws.mean()), 0.0, math.inf


def _quantile(draws: Array, order: float) -> tuple[float, float, float]:
    """Sample quantile with the standard error of Maritz & Jarrett (1978): the bootstrap's, in closed form."""
    from scipy.special import betainc

    count = len(draws)
    ordered = np.sort(draws)
    edges = np.arange(count + 1) / count
    rank = order * (count + 1)
    weights = np.diff(betainc(rank, count + 1 - rank, edges))
    middle = float(np.quantile(ordered, order))
    shifted = ordered - middle
    spread = weights @ np.square(shifted) - (weights @ shifted) ** 2
    return middle, math.sqrt(max(float(spread), 0.0)), count - 1.0
