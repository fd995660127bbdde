"""The form in which expansions are kept: quotients in lower terms, nothing that the remainder absorbs."""

from __future__ import annotations

from randtensor.expansions._growth import growth_bound, without
from randtensor.expansions._polynomial import ZERO, Polynomial
from randtensor.expansions._quotient import Factors, expanded, reduced
from randtensor.expansions._series import quotient_terms
from randtensor.orders._order import Order

__all__ = ["normal_form"]


def normal_form(
    numerator: Polynomial, factors: Factors, remainder: Order | None
) -> tuple[Polynomial, Factors, Order | None]:
    """Numerator, factors of the denominator and remainder (None if there is none) of the same expansion."""
    if remainder is not None and not remainder._monomials:
        remainder = None
    if not numerator.terms:
        return ZERO, {}, remainder
    if factors:
        numerator, factors = reduced(numerator, factors)
    if remainder is None:
        return numerator, factors, None
    if not factors:
        return without(numerator, remainder), {}, remainder
    denominator = expanded(factors)
    if len(growth_bound(denominator)._monomials) == 1:
        series = quotient_terms(numerator, denominator, remainder, None)
        if series is not None:
            return series[0], {}, remainder
    return numerator, factors, remainder
