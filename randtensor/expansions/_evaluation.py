"""Values of quotients of sums: rational arithmetic throughout, rounded once at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from numbers import Rational

from randtensor.errors import OrderError
from randtensor.expansions._polynomial import Polynomial, fraction_of
from randtensor.orders._exact import Number, power
from randtensor.orders._monomial import Monomial, Symbol

__all__ = ["evaluated", "rounded"]

_MOST_BITS = 2**20  # of a power of a size: exact ones of exponents without bound would fill the memory


def evaluated(polynomial: Polynomial, sizes: Mapping[str, Number]) -> tuple[Fraction, bool]:
    """The value at positive sizes by name, and whether it is exact.

    Only irrational powers, logarithms and coefficients that are floats are rounded; their products and sums
    are those of the rounded numbers, so nothing overflows on the way and no cancellation loses more digits.
    """
    numbers = {v.name: _exact_size(sizes[v.name]) for v in polynomial.variables}
    exact = polynomial.is_exact
    known: dict[tuple[int, int | Fraction], tuple[Fraction | int, bool]] = {}
    total = Fraction(0)
    for key, coefficient in polynomial.terms.items():
        product: Fraction | int = 1
        for index, exponent in enumerate(key):
            if not exponent:
                continue
            if (index, exponent) not in known:
                variable = polynomial.variables[index]
                size = numbers[variable.name]
                known[index, exponent] = _power(variable.symbol, variable.level, Fraction(exponent), size)
            factor, rational_factor = known[index, exponent]
            exact = exact and rational_factor
            product = product * factor
        total += fraction_of(coefficient) * product
    return total, exact


def rounded(number: Fraction, name: Callable[[], str]) -> float:
    """The nearest float."""
    try:
        return float(number)
    except OverflowError:
        raise OrderError(f"the value of {name()} at these sizes exceeds the range of a float") from None


def _exact_size(size: Number) -> Fraction:
    if isinstance(size, Rational):
        return Fraction(int(size.numerator), int(size.denominator))
    return Fraction(float(size))


def _power(symbol: Symbol, level: int, exponent: Fraction, size: Fraction) -> tuple[Fraction | int, bool]:
    """A power of the growth variable of a scale, and whether it is exact."""
    if level:
        growth = (Fraction(0), exponent, Fraction(0)) if level == 1 else (Fraction(0), Fraction(0), exponent)
        return Fraction(Monomial.of({symbol: growth}).value({symbol.name: float(size)})), False
    base = 1 / size if symbol.vanishes else size
    whole = math.floor(exponent)
    broken = power(base, exponent - whole)
    if abs(whole) * max(base.numerator.bit_length(), base.denominator.bit_length()) > _MOST_BITS:
        raise OrderError(
            f"the exponent of {symbol.name} is {exponent} at {symbol.name} = {size}, "
            f"expected a power of less than {_MOST_BITS} bits"
        )
    integral = base**whole
    if integral.denominator == 1 and isinstance(broken, Fraction) and broken == 1:
        return integral.numerator, True
    return integral * Fraction(broken), isinstance(broken, Fraction)
