"""Polynomials in one variable with integer coefficients, as lists from the constant coefficient up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

__all__ = ["divided_by", "greatest_common_divisor", "split_roots"]

# Denominators of exact moments vanish at small integers and simple fractions; others print unfactored.
_LARGEST_NUMERATOR = 64
_LARGEST_DENOMINATOR = 4


def greatest_common_divisor(a: list[int], b: list[int]) -> list[int]:
    """The primitive greatest common divisor with a positive leading coefficient (Euclid, primitive remainders)."""
    a, b = _primitive(a), _primitive(b)
    while b:
        a, b = b, _primitive(_pseudo_remainder(a, b))
    return a


def divided_by(a: list[int], b: list[int]) -> list[int]:
    """``a / b`` for a primitive ``b`` that divides ``a`` (then the quotient is integral, by Gauss's lemma)."""
    rest = list(a)
    quotient = [0] * (len(a) - len(b) + 1)
    for shift in reversed(range(len(quotient))):
        quotient[shift] = rest[shift + len(b) - 1] // b[-1]
        for i, c in enumerate(b):
            rest[shift + i] -= quotient[shift] * c
    return quotient


def split_roots(a: list[int]) -> Iterator[list[int]]:
    """Primitive factors of a primitive polynomial: those of its small rational roots and what remains."""
    for root in _candidates(a):
        p, q = root.numerator, root.denominator
        while len(a) > 2 and _vanishes(a, p, q):
            yield [-p, q]
            a = divided_by(a, [-p, q])
    if len(a) > 1:
        yield a


def _candidates(a: list[int]) -> list[Fraction]:
    if len(a) <= 2:
        return []
    return [
        Fraction(sign * p, q)
        for q in range(1, _LARGEST_DENOMINATOR + 1)
        if a[-1] % q == 0
        for p in range(1, _LARGEST_NUMERATOR + 1)
        if a[0] % p == 0 and math.gcd(p, q) == 1
        for sign in (1, -1)
    ]


def _vanishes(a: list[int], p: int, q: int) -> bool:
    total, weight = 0, 1
    for c in reversed(a):
        total = total * p + c * weight
        weight *= q
    return total == 0


def _primitive(a: list[int]) -> list[int]:
    content = math.gcd(*a)
    if content == 0:
        return []
    if a[-1] < 0:
        content = -content
    return [c // content for c in a]


def _pseudo_remainder(a: list[int], b: list[int]) -> list[int]:
    """The remainder of a multiple of ``a``, without leading zeros."""
    rest = list(a)
    while len(rest) >= len(b):
        factor = rest.pop()
        if factor:
            start = len(rest) - len(b) + 1
            rest = [c * b[-1] for c in rest]
            for i, c in enumerate(b[:-1]):
                rest[start + i] -= factor * c
    while rest and rest[-1] == 0:
        rest.pop()
    return rest
