"""Fractions behind floats."""

from __future__ import annotations

import math
from fractions import Fraction

__all__ = ["exact_number", "recognised"]


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
