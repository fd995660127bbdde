"""Laws of SciPy distributions, exact where they are shifted and scaled laws with rational moments."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np

from randtensor.errors import ExactError, InfiniteMomentError
from randtensor.exact.laws.integration import integrate_continuous
from randtensor.exact.laws.law import Law, NamedLaw, named
from randtensor.exact.rationals import exact_number, recognised

__all__ = ["AffineLaw", "SciPyLaw", "scipy_law"]

Array = np.ndarray


class SciPyLaw(Law):
    """The law of a SciPy distribution.

    Its moments are floats; one below 2**20 that lies within two units in the last place of a fraction with a
    denominator of at most 1000 is taken for that fraction.

    Examples
    --------
    >>> from scipy.stats import gamma
    >>> SciPyLaw(gamma(2), "gamma").cumulant((None, None, None))
    Fraction(4, 1)
    """

    def __init__(self, distribution: Any, name: str) -> None:
        super().__init__(name)
        self.distribution = distribution

    def raw(self, order: int) -> Fraction | float:
        if order == 0:
            return Fraction(1)
        moment = getattr(self.distribution, "moment", None)
        if moment is None:
            raise ExactError(f"the moments of {self.name} are not known, expected a SciPy distribution")
        with np.errstate(all="ignore"):
            value = float(moment(order) if hasattr(self.distribution, "rvs") else moment(order, kind="raw"))
        if not np.isfinite(value):
            raise InfiniteMomentError(f"the moment of order {order} of {self.name} is infinite")
        return recognised(value)

    def integral(self, function: Callable[[Array], Array]) -> float:
        if hasattr(getattr(self.distribution, "dist", None), "pmf"):
            return float(self.distribution.expect(lambda x: function(np.asarray(x, dtype=float))))
        return integrate_continuous(function, self.distribution, self.name)


class AffineLaw(SciPyLaw):
    """The law of shift + scale * x for a law of x with rational moments; moments that come out as floats are rounded
    to fractions as for `SciPyLaw`.
    """

    def __init__(self, distribution: Any, name: str, base: NamedLaw, shift: Any, scale: Any) -> None:
        super().__init__(distribution, name)
        self.base, self.shift, self.scale = base, shift, scale
        self.symmetric = base.symmetric and shift == 0

    def raw(self, order: int) -> Fraction | float:
        try:
            moments = [comb(order, j) * self.base.raw(j) for j in range(order + 1)]
        except ExactError as error:
            raise InfiniteMomentError(f"the moment of order {order} of {self.name} is infinite") from error
        shift, scale = self.shift, self.scale
        value = sum((m * shift ** (order - j) * scale**j for j, m in enumerate(moments) if m), start=Fraction(0))
        return recognised(value) if isinstance(value, float) else value

    def integral(self, function: Callable[[Array], Array]) -> float:
        if self.shift:
            return super().integral(function)
        return self.base.integral(lambda x: function(x * float(self.scale)))


def scipy_law(distribution: Any, name: str) -> Law:
    """The law of a SciPy distribution; normal, uniform, exponential, Laplace and Student laws have exact moments.

    >>> from scipy.stats import expon
    >>> scipy_law(expon(loc=-1), "expon").cumulant((None,) * 6)
    Fraction(120, 1)
    """
    family = getattr(getattr(distribution, "dist", None), "name", None)
    names = {"norm": "normal", "uniform": "uniform", "expon": "exponential", "laplace": "laplace", "t": "student"}
    if family not in names:
        return SciPyLaw(distribution, name)
    order = ["df"] * (family == "t") + ["loc", "scale"]
    given = {"loc": 0.0, "scale": 1.0, **dict(zip(order, distribution.args, strict=False)), **distribution.kwds}
    if not all(np.ndim(value) == 0 for value in given.values()):
        return SciPyLaw(distribution, name)
    shift, scale = (exact_number(float(given[key])) for key in ("loc", "scale"))
    if family == "t":
        degrees = exact_number(float(given["df"]))
        if not 2 < degrees < 10**6 or not isinstance(degrees, Fraction):
            return SciPyLaw(distribution, name)
        base = NamedLaw(name, "student", degrees)
        return AffineLaw(distribution, name, base, shift, _exact(scale * float(degrees / (degrees - 2)) ** 0.5))
    if family == "expon":
        shift = _exact(shift + scale)
    elif family == "uniform":
        shift, scale = _exact(shift + scale / 2), _exact(scale / float(12**0.5))
    elif family == "laplace":
        scale = _exact(scale * 2**0.5)
    return AffineLaw(distribution, name, named(names[family]), shift, scale)


def _exact(value: Fraction | float) -> Fraction | float:
    return recognised(value) if isinstance(value, float) else value
