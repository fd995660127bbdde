"""Exact rational numbers from what a caller wrote as an exponent or a coefficient."""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Rational, Real
from typing import TypeGuard

from randtensor.errors import OrderError

__all__ = ["Number", "exact_coefficient", "is_finite", "is_number", "power", "rational"]

Number = int | float | Fraction

# A float with a larger denominator is a rounded decimal such as 0.1, not a fraction somebody meant.
_LARGEST_DENOMINATOR = 2**20

# Exact powers of coefficients are kept below this many bits; beyond it a float says as much.
_LARGEST_EXACT_POWER = 4096


def is_number(value: object) -> TypeGuard[Number]:
    """Whether ``value`` is a real number (truth values are not)."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_finite(value: Number) -> bool:
    """Whether a number is finite; fractions always are, also those that no float can hold.

    >>> is_finite(10**400), is_finite(float("inf"))
    (True, False)
    """
    return isinstance(value, Rational) or math.isfinite(value)


def rational(value: object, argument: str) -> Fraction:
    """``value`` as an exact fraction; floats only where they are exact dyadic fractions.

    >>> rational(-0.5, "exponent")
    Fraction(-1, 2)
    """
    if not is_number(value):
        raise OrderError(f"{argument} is {value!r}, expected a rational number")
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if not math.isfinite(value):
        raise OrderError(f"{argument} is {value!r}, expected a finite rational number")
    exact = Fraction(float(value))
    if exact.denominator > _LARGEST_DENOMINATOR:
        near = exact.limit_denominator(1000)
        raise OrderError(
            f"{argument} is the float {value!r}, which is not an exact fraction:"
            f" use Fraction, as in Fraction({near.numerator}, {near.denominator})"
        )
    return exact


def exact_coefficient(value: Number, argument: str = "coefficient") -> Fraction | float:
    """``value`` as a coefficient: exact where it is an integer or a fraction, a finite float otherwise."""
    if not is_number(value):
        raise OrderError(f"{argument} is {value!r}, expected a real number")
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if not math.isfinite(value):
        raise OrderError(f"{argument} is {value!r}, expected a finite number")
    return float(value)


def power(base: Fraction | float, exponent: Fraction) -> Fraction | float:
    """``base**exponent``, exact where the result is a fraction.

    >>> power(Fraction(4, 9), Fraction(1, 2))
    Fraction(2, 3)
    >>> power(Fraction(2), Fraction(1, 2))
    1.4142135623730951
    """
    if base == 0 and exponent < 0:
        raise OrderError(f"the coefficient 0 has no power with the negative exponent {exponent}")
    if base < 0 and exponent.denominator != 1:
        raise OrderError(f"the negative coefficient {base} has no power with the exponent {exponent}")
    if isinstance(base, Fraction):
        root = _exact_root(base, exponent.denominator)
        if root is not None:
            bits = max(root.numerator.bit_length(), root.denominator.bit_length())
            if bits * abs(exponent.numerator) <= _LARGEST_EXACT_POWER or abs(root) <= 1 == root.denominator:
                return Fraction(root**exponent.numerator)
    try:
        # An integral exponent goes in as an int, so that the sign of a negative base is kept.
        integral = exponent.denominator == 1
        result = float(float(base) ** (exponent.numerator if integral else float(exponent)))
    except OverflowError:
        raise OrderError(f"the power {base}^{exponent} of a coefficient is too large for a float") from None
    return result


def _exact_root(base: Fraction, degree: int) -> Fraction | None:
    """The rational root of this degree, or None where there is none."""
    if degree == 1:
        return base
    roots = [_integer_root(number, degree) for number in (base.numerator, base.denominator)]
    return None if roots[0] is None or roots[1] is None else Fraction(roots[0], roots[1])


def _integer_root(number: int, degree: int) -> int | None:
    if number in (0, 1):
        return number
    if degree >= number.bit_length():
        return None
    # Newton's iteration from above converges monotonically to the integer part of the root.
    guess = 1 << -(-number.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + number // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess if guess**degree == number else None
        guess = better
