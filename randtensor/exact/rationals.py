"""Numbers that stay exact where they can: fractions until something irrational comes in."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from randtensor.orders import Order, Term

__all__ = ["Number", "exact", "exact_number", "multiply", "recognised", "square", "term_power"]

#: Sums and products of the two are fractions as long as no float takes part.
Number = Fraction | float

#: Roots are recognised among fractions with denominators up to this, such as the 1/784 of an input of 28 x 28 pixels.
LARGEST_ROOT = 10**4


def exact_number(value: int | float | Fraction) -> Fraction | float:
    """A number as the fraction it was written as: decimals of up to six digits are exact, other floats stay floats.

    >>> exact_number(0.1), exact_number(2), exact_number(2**0.5)
    (Fraction(1, 10), Fraction(2, 1), 1.4142135623730951)
    """
    if isinstance(value, Fraction):
        return value
    fraction = Fraction(str(value))
    return fraction if fraction.denominator <= 10**6 else float(value)


def recognised(value: float) -> Fraction | float:
    """The fraction of denominator at most 1000 within two units in the last place of a computed number, if any.

    Above 2**20 such fractions lie so dense that every float would be one.

    >>> recognised(1 / 3 + 1e-16), recognised(2**0.5)
    (Fraction(1, 3), 1.4142135623730951)
    """
    near = Fraction(value).limit_denominator(1000)
    return near if abs(value) < 2**20 and abs(float(near) - value) <= 2 * math.ulp(value) else value


def exact(value: Any) -> Number:
    """A number as the fraction it was written as, if it is one; infinities are left as they are.

    >>> exact(0.375), exact(2**0.5)
    (Fraction(3, 8), 1.4142135623730951)
    """
    if isinstance(value, int | Fraction):
        return Fraction(value)
    number = float(value)
    return exact_number(number) if math.isfinite(number) else number


def square(value: Number) -> Number:
    """The square, also as a fraction when the value is the rounded root of one with a small denominator.

    >>> square(3**-0.5)
    Fraction(1, 3)
    """
    if isinstance(value, Fraction):
        return value**2
    squared = value * value
    near = Fraction(squared).limit_denominator(LARGEST_ROOT)
    # Rounding the root and its square costs at most two units in the last place.
    return near if abs(float(near) - squared) <= 4e-16 * squared else squared


def multiply(values: Iterable[Number]) -> Number:
    """The product.

    >>> multiply([Fraction(1, 2), Fraction(4)])
    Fraction(2, 1)
    """
    result: Number = Fraction(1)
    for value in values:
        result = result * value
    return result


def term_power(factor: Any, exponent: int) -> tuple[Number, Order]:
    """A number, order or term to an integer power, as its coefficient and its growth.

    >>> from randtensor.orders import Scale
    >>> term_power((2 * Scale("n")) ** Fraction(-1, 2), 4)
    (Fraction(1, 4), Order('n^{-2}'))
    """
    term = factor if isinstance(factor, Term) else Term(1, factor) if isinstance(factor, Order) else Term(exact(factor))
    coefficient = exact(term.coefficient)
    halves, rest = divmod(exponent, 2)
    # A float to the power 0 is a float, and would end the exactness of the rest.
    return square(coefficient) ** halves * (coefficient if rest else 1), term.order**exponent
