"""What a claim can predict, beside a bound such as ``rt.Theta(n**-1)``: exact values, zeros, identities, quantiles."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from randtensor import Bound, Expansion, Order, Quantity, Scale, Term
from randtensor.errors import InputError

__all__ = ["Exact", "Identity", "NoDefiniteBound", "Prediction", "QuantileSlopes", "Tight", "Zero", "as_prediction"]

#: in per cent: from where both a lower and an upper order show
_QUANTILES = (10.0, 50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True, eq=False)
class Exact:
    """The statistic is known exactly at every size, so nothing is fitted: a joint chi-square test over the sizes.

    Parameters
    ----------
    value : a number, an order, term or expansion, or a function of the size of the only scale (of a mapping from scale
        names to sizes when there are several).
    std, variance : the exact standard deviation, or variance, of one sample, given in the same way; at most one of
        them, and only for the mean. Without it the standard error is estimated from the samples, which products of many
        Gaussians make unreliable.
    within : relative deviation, common to all sizes, that a consistent verdict has to be able to exclude.

    Raises
    ------
    InputError : values of another kind.

    Examples
    --------
    >>> import randtensor as rt
    >>> str(Exact(3 * rt.Scale("n") ** 4))
    '= 3 n^4'
    >>> T = rt.gaussian(rt.Scale("m"), rt.Scale("n"))
    >>> Exact(rt.einsum("ab,cb,cd,ad->", T, T, T, T).expectation()).expected({"m": 2, "n": 3})
    36.0
    """

    value: Any
    std: Any = None
    variance: Any = None
    within: float = 0.3

    def __post_init__(self) -> None:
        _check_value("value", self.value)
        for name in ("std", "variance"):
            if getattr(self, name) is not None:
                _check_value(name, getattr(self, name))
        if self.std is not None and self.variance is not None:
            raise InputError("std and variance are both given, expected at most one of them")
        _check_positive("within", self.within)

    def expected(self, sizes: Mapping[str, int]) -> float:
        """The statistic at these sizes."""
        return _value_at("value", self.value, sizes)

    def deviation(self, sizes: Mapping[str, int]) -> float | None:
        """The exact standard deviation of one sample, or None if it is to be estimated."""
        if self.variance is not None:
            return math.sqrt(_value_at("variance", self.variance, sizes, least=0.0))
        return None if self.std is None else _value_at("std", self.std, sizes, least=0.0)

    def latex(self) -> str:
        """The prediction in LaTeX, to be set in a formula."""
        return f"= {self.value.latex()}" if _symbolic(self.value) else rf"\text{{{self}}}"

    def __str__(self) -> str:
        if callable(self.value) and not _symbolic(self.value):
            return "exact value"
        return "= " + re.sub(r"\d+\.\d{7,}(e[+-]?\d+)?", lambda number: f"{float(number[0]):.6g}", str(self.value))


@dataclass(frozen=True)
class Zero:
    """The mean vanishes at every size: a joint chi-square test over the sizes.

    Parameters
    ----------
    within : mean, in standard deviations of one sample, that a consistent verdict has to be able to exclude.

    Examples
    --------
    >>> str(Zero())
    '= 0'
    """

    within: float = 0.3

    def __post_init__(self) -> None:
        _check_positive("within", self.within)

    def latex(self) -> str:
        """The prediction in LaTeX, to be set in a formula."""
        return "= 0"

    def __str__(self) -> str:
        return "= 0"


@dataclass(frozen=True, eq=False)
class Identity:
    """The quantity is a residual that vanishes in every single sample, up to rounding.

    Parameters
    ----------
    tolerance : largest absolute residual allowed.
    relative_to : a quantity whose root mean square at the same size divides the residual; None if the residual is
        already relative.

    Examples
    --------
    >>> str(Identity(1e-9))
    'identity to 1e-09'
    """

    tolerance: float = 1e-9
    relative_to: Quantity | None = None

    def __post_init__(self) -> None:
        _check_positive("tolerance", self.tolerance)
        if self.relative_to is not None and not isinstance(self.relative_to, Quantity):
            raise InputError(f"relative_to is {self.relative_to!r}, expected a quantity or None")

    def latex(self) -> str:
        """The prediction in LaTeX, to be set in a formula."""
        mantissa, _, power = f"{self.tolerance:.3g}".partition("e")
        factor = "" if power and mantissa == "1" else mantissa + (r" \cdot " if power else "")
        return rf"= 0 \text{{ up to }} {factor}" + (f"10^{{{int(power)}}}" if power else "")

    def __str__(self) -> str:
        return f"identity to {self.tolerance:g}"


@dataclass(frozen=True, init=False)
class QuantileSlopes:
    """Every quantile of the magnitude scales with an exponent of its own.

    Parameters
    ----------
    slopes : exponents by quantile in per cent.

    Raises
    ------
    InputError : no slopes, a quantile outside (0, 100) or a slope that is not a finite number.

    Examples
    --------
    >>> str(QuantileSlopes({50: 0.674, 90: 1.645}))
    'q50: 0.674, q90: 1.645'
    """

    slopes: tuple[tuple[float, float], ...]

    def __init__(self, slopes: Mapping[float, float]) -> None:
        if not isinstance(slopes, Mapping) or not slopes:
            raise InputError(f"slopes is {slopes!r}, expected a mapping from quantiles in per cent to exponents")
        for percent, slope in slopes.items():
            if not (_is_number(percent) and 0 < percent < 100):
                raise InputError(f"slopes has the quantile {percent!r}, expected per cents strictly between 0 and 100")
            if not (_is_number(slope) and math.isfinite(slope)):
                raise InputError(f"slopes has {slope!r} for the quantile {percent:g}, expected a finite exponent")
        pairs = tuple((float(percent), float(slopes[percent])) for percent in sorted(slopes))
        object.__setattr__(self, "slopes", pairs)

    def latex(self) -> str:
        """The prediction in LaTeX, to be set in a formula."""
        return r",\; ".join(rf"q_{{{percent:g}\%}}\colon {slope:.4g}" for percent, slope in self.slopes)

    def __str__(self) -> str:
        return ", ".join(f"q{percent:g}: {slope:.4g}" for percent, slope in self.slopes)


@dataclass(frozen=True)
class Tight:
    """All quantiles of the magnitude scale alike, so that one order describes the law as a whole.

    Parameters
    ----------
    order : their common order; None if only their agreement is claimed.
    quantiles : in per cent; those that need more samples than the claim has are left out.
    uniform : the quantity is a family of random numbers, one per entry, and all of them are bounded at once: the
        quantiles are those of the largest magnitude in each sample. Members of different orders are divided by
        them first.

    Examples
    --------
    >>> import randtensor as rt
    >>> str(Tight(rt.Scale("n") ** -1))
    'tight at n^{-1}'
    """

    order: Order | None = None
    quantiles: tuple[float, ...] = _QUANTILES
    uniform: bool = False

    def __post_init__(self) -> None:
        _check_quantiles(self.quantiles)
        if not isinstance(self.uniform, bool):
            raise InputError(f"uniform is {self.uniform!r}, expected True or False")
        if self.order is not None:
            bound = as_prediction(self.order, "order")
            if not isinstance(bound, Bound):
                raise InputError(f"order is {self.order!r}, expected an order such as n**-1")
            object.__setattr__(self, "order", bound.order)

    def latex(self) -> str:
        """The prediction in LaTeX, to be set in a formula."""
        words = "uniformly tight" if self.uniform else "tight"
        return rf"\text{{{words}}}" if self.order is None else rf"\text{{{words} at }} {self.order.latex()}"

    def __str__(self) -> str:
        text = "tight" if self.order is None else f"tight at {self.order}"
        return f"uniformly {text}" if self.uniform else text


@dataclass(frozen=True)
class NoDefiniteBound:
    """The exponents of the quantiles drift apart, so that no order describes the law as a whole.

    Parameters
    ----------
    quantiles : in per cent; those that need more samples than the claim has are left out.

    Examples
    --------
    >>> str(NoDefiniteBound())
    'no definite bound'
    """

    quantiles: tuple[float, ...] = _QUANTILES

    def __post_init__(self) -> None:
        _check_quantiles(self.quantiles)

    def latex(self) -> str:
        """The prediction in LaTeX, to be set in a formula."""
        return rf"\text{{{self}}}"

    def __str__(self) -> str:
        return "no definite bound"


Prediction = Bound | Exact | Zero | Identity | QuantileSlopes | Tight | NoDefiniteBound

_KINDS = (Bound, Exact, Zero, Identity, QuantileSlopes, Tight, NoDefiniteBound)
_EXPECTED = (
    "a bound such as rt.Theta(n**-1), or one of Exact, Zero, Identity, QuantileSlopes, Tight and NoDefiniteBound"
)


def as_prediction(value: Any, argument: str = "predicted") -> Prediction:
    """``value`` as a prediction: a plain order means Theta of it, a text is read by `parse_prediction`.

    >>> import randtensor as rt
    >>> as_prediction(2 * rt.Scale("n") ** -1), as_prediction("O(n^{-1/2})")
    (Theta('n^{-1}'), O('n^{-1/2}'))
    """
    if isinstance(value, _KINDS):
        return value
    if isinstance(value, Order | Scale | Term):
        return Bound("Theta", Order(value))
    if isinstance(value, str):
        from theory_checks.prediction_text import parse_prediction

        return parse_prediction(value)
    if isinstance(value, type) and issubclass(value, _KINDS):
        raise InputError(f"{argument} is the class {value.__name__}, expected an instance: {value.__name__}(...)")
    raise InputError(f"{argument} is {value!r}, expected {_EXPECTED}")


def _symbolic(value: Any) -> bool:
    """Whether the value says in writing what it is: orders, terms and expansions are callable too."""
    return isinstance(value, Order | Scale | Term | Expansion)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, bool | str)


def _check_value(name: str, value: Any) -> None:
    if not (callable(value) or _symbolic(value) or _is_number(value)):
        raise InputError(f"{name} is {value!r}, expected a number, an order, or a function of the size")


def _check_positive(name: str, value: Any) -> None:
    if not (_is_number(value) and 0 < value < math.inf):
        raise InputError(f"{name} is {value!r}, expected a positive number")


def _check_quantiles(quantiles: Any) -> None:
    valid = isinstance(quantiles, tuple | list) and all(_is_number(p) and 0 < p < 100 for p in quantiles)
    if not valid or len(set(quantiles)) < 2:
        raise InputError(f"quantiles is {quantiles!r}, expected at least two different per cents between 0 and 100")


def _value_at(name: str, value: Any, sizes: Mapping[str, int], least: float = -math.inf) -> float:
    if _symbolic(value):
        names = {scale.name for scale in value.scales}
        found: Any = value.evaluate({key: size for key, size in sizes.items() if key in names})
    elif callable(value):
        found = value(next(iter(sizes.values()))) if len(sizes) == 1 else value(dict(sizes))
    else:
        found = value
    at = ", ".join(f"{key} = {size}" for key, size in sizes.items())
    if not _is_number(found) or not math.isfinite(found) or found < least:
        raise InputError(f"{name} is {found!r}{' at ' + at if at else ''}, expected a finite number")
    return float(found)
