"""Power sums of samples, held exactly: summaries that merge without loss and know unbiased cumulants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators._k_statistics import HIGHEST_ORDER, Block, estimate, influences
from randtensor.errors import InputError

__all__ = ["PowerSums", "check_order", "check_samples"]

Array = NDArray[np.float64]

_HIGHEST_UNBIASED = 4  # order up to which the variance is estimated without bias: beyond, the estimate is mostly noise


@dataclass(frozen=True)
class PowerSums:
    """Sums of the powers of samples about a pivot, as exact fractions of the rounded powers.

    Because the sums are exact, merging is associative to the last bit, and k-statistics found from them lose nothing
    to cancellation; only the rounding of each power is left, so the pivot should lie among the samples.

    Attributes
    ----------
    pivot : what is subtracted from the samples.
    sums : sums of the powers 0 (the count), 1, 2, ... of the differences.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 6.0, 7.0])
    >>> both = PowerSums.of(x[:2], order=2) + PowerSums.of(x[2:], order=2)
    >>> both.count, round(both.cumulant(2), 6), round(float(x.var(ddof=1)), 6)
    (4, 8.666667, 8.666667)
    """

    pivot: float
    sums: tuple[Fraction, ...]

    @classmethod
    def of(cls, samples: Any, order: int = HIGHEST_ORDER, *, pivot: float | None = None) -> PowerSums:
        """The sums that cumulants up to ``order`` and their errors need: twice as many powers.

        Parameters
        ----------
        samples : real numbers, shape (N,).
        order : from 1 to 6.
        pivot : a number near the samples; None takes their mean.

        Raises
        ------
        InputError : samples that are not a list of finite real numbers, or an order out of range.
        """
        draws = check_samples(samples)
        highest = check_order(order)
        center = _mean(draws) if pivot is None else float(pivot)
        if not math.isfinite(center):
            raise InputError(f"pivot is {center!r}, expected a finite number near the samples")
        shifted = draws - center
        _, exponent = np.frexp(np.abs(shifted).max())
        unit = np.ldexp(shifted, -exponent)  # a power of two, so that high powers neither overflow nor round
        power, sums = np.ones_like(unit), [Fraction(len(draws))]
        for degree in range(1, 2 * highest + 1):
            power = power * unit
            sums.append(_exact_sum(power) * Fraction(2) ** (int(exponent) * degree))
        return cls(center, tuple(sums))

    @property
    def count(self) -> int:
        """Number of samples."""
        return int(self.sums[0])

    def about(self, pivot: Fraction | float) -> tuple[Fraction, ...]:
        """The sums about another pivot, exactly."""
        shift = Fraction(self.pivot) - Fraction(pivot)
        if not shift:
            return self.sums
        return tuple(
            sum((math.comb(r, k) * shift ** (r - k) * self.sums[k] for k in range(r + 1)), Fraction(0))
            for r in range(len(self.sums))
        )

    def __add__(self, other: PowerSums) -> PowerSums:
        """The sums over the samples of both, about the pivot of the first."""
        if not isinstance(other, PowerSums):
            return NotImplemented
        pairs = zip(self.sums, other.about(self.pivot), strict=False)  # powers that only one has are lost
        return PowerSums(self.pivot, tuple(a + b for a, b in pairs))

    def cumulant(self, order: int) -> float:
        """The k-statistic of an order: the unbiased estimate of the cumulant.

        Raises
        ------
        InputError : an order whose powers are not held, or fewer samples than the order.
        """
        self._require(order, order, order)
        if order == 1:
            return float(Fraction(self.pivot) + self.sums[1] / self.count)
        return _number(estimate(self._central(), (0,) * order, self.count))

    def unbiased_variance(self, order: int) -> float:
        """The unbiased estimate of the variance of the k-statistic of an order up to 4; it can be negative.

        The variance of k is E k^2 - kappa^2, and kappa^2 has an unbiased estimate, the polykay of twice the order.

        Raises
        ------
        InputError : another order, or fewer than twice as many samples.
        """
        if check_order(order) > _HIGHEST_UNBIASED:
            raise InputError(f"order is {order}, expected at most {_HIGHEST_UNBIASED} for an unbiased variance")
        self._require(order, 2 * order, 2 * order)
        sums, labels = self._central(), (0,) * order
        if order == 1:
            return _number(estimate(sums, (0, 0), self.count) / self.count)
        square = estimate(sums, labels, self.count) ** 2
        return _number(square - estimate(sums, labels * 2, self.count, split=order))

    def jackknife_variance(self, order: int) -> float:
        """The delete-one jackknife estimate of the variance of the k-statistic: positive, and not too small on average.

        Raises
        ------
        InputError : an order whose powers are not held, or no more samples than the order.
        """
        self._require(order, order + 1, 2 * order)
        if order == 1:
            return _number(estimate(self._central(), (0, 0), self.count) / self.count)
        count, central = self.count, self._central()
        polynomial = influences(central, order, count)
        moment = [Fraction(count), *(central((0,) * r) for r in range(1, 2 * order + 1))]
        mean = sum((c * m for c, m in zip(polynomial, moment, strict=False)), Fraction(0)) / count
        square = sum(a * b * moment[i + j] for i, a in enumerate(polynomial) for j, b in enumerate(polynomial))
        return _number((square / count - mean**2) / (count - 1))

    def _central(self) -> Any:
        central = self.about(Fraction(self.pivot) + self.sums[1] / self.count)

        def sums(block: Block) -> Fraction:
            return central[len(block)]

        return sums

    def _require(self, order: int, samples: int, powers: int) -> None:
        check_order(order)
        if powers >= len(self.sums):
            raise InputError(
                f"order is {order}, expected at most {(len(self.sums) - 1) * order // powers}: "
                f"only {len(self.sums) - 1} powers are held"
            )
        if self.count < samples:
            raise InputError(f"samples is {self.count}, expected at least {samples} for a cumulant of order {order}")

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, without loss: the sums as text of fractions."""
        return {"pivot": self.pivot, "sums": [str(each) for each in self.sums]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> PowerSums:
        """What `to_dict` gave.

        Raises
        ------
        InputError : anything else.
        """
        try:
            return cls(float(record["pivot"]), tuple(Fraction(each) for each in record["sums"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"record is {record!r}, expected a mapping with pivot and sums") from error


def check_order(order: Any) -> int:
    """``order`` as an int from 1 to 6, or one sentence about it."""
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or not 1 <= order <= HIGHEST_ORDER:
        raise InputError(f"order is {order!r}, expected an integer from 1 to {HIGHEST_ORDER}")
    return int(order)


def check_samples(samples: Any, name: str = "samples") -> Array:
    """Real finite samples as an array of shape (N,), or one sentence about them."""
    try:
        draws = np.asarray(samples)
        if np.iscomplexobj(draws):
            raise InputError(f"{name} are complex, expected real numbers")
        draws = draws.astype(float)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is {samples!r}, expected a quantity or real numbers of shape (N,)") from error
    if draws.ndim != 1 or not draws.size:
        raise InputError(f"{name} has shape {draws.shape}, expected (N,) with at least one sample")
    bad = int(draws.size - np.isfinite(draws).sum())
    if bad:
        raise InputError(f"{name} has {bad} values that are not finite among {draws.size}, expected finite numbers")
    return draws


def _mean(draws: Array) -> float:
    """The mean, of samples whose sum may be too large for a float."""
    _, exponent = np.frexp(np.abs(draws).max())
    return float(np.ldexp(np.ldexp(draws, -exponent).mean(), exponent))


def _exact_sum(values: Array) -> Fraction:
    """The sum of floats without rounding: mantissas are added as integers, exponent by exponent."""
    mantissas, exponents = np.frexp(values)
    integers = np.ldexp(mantissas, 53).astype(np.int64)
    kinds, which = np.unique(exponents, return_inverse=True)
    # halves of 27 bits: sums of fewer than 2^26 of them are exact in floating point too
    total = Fraction(0)
    for start in range(0, len(values), 2**25):
        part = slice(start, start + 2**25)
        high = np.bincount(which[part], integers[part] >> 27, minlength=len(kinds))
        low = np.bincount(which[part], integers[part] & (2**27 - 1), minlength=len(kinds))
        for exponent, upper, lower in zip(kinds.tolist(), high.tolist(), low.tolist(), strict=True):
            total += Fraction(2) ** (exponent - 53) * ((int(upper) << 27) + int(lower))
    return total


def _number(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise InputError("samples are so large that the cumulant is no float, expected a smaller unit") from error
