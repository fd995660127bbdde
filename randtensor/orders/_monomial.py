"""Monomials: finite products of powers of scales, of their logarithms and of their iterated logarithms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from randtensor.errors import OrderError

__all__ = ["ZERO_GROWTH", "Exponents", "Growth", "Monomial", "Symbol", "check_symbols"]


class Symbol(NamedTuple):
    """A limit variable by name, and whether it vanishes rather than grows without bound."""

    name: str
    vanishes: bool


class Exponents(NamedTuple):
    """Exponents of a scale, of its logarithm and of its iterated logarithm.

    >>> Exponents(Fraction(-1, 2), Fraction(1), Fraction(0)).power
    Fraction(-1, 2)
    """

    power: Fraction
    log: Fraction
    loglog: Fraction


#: Exponents of g, log g, log log g, where g is the scale, or its reciprocal if the scale vanishes. So a
#: larger triple (lexicographically) is always a faster growth.
Growth = tuple[Fraction, Fraction, Fraction]

ZERO_GROWTH: Growth = (Fraction(0), Fraction(0), Fraction(0))


@dataclass(frozen=True)
class Monomial:
    """A product over symbols of g^a (log g)^b (log log g)^c; ``factors`` is sorted, without zeros."""

    factors: tuple[tuple[Symbol, Growth], ...] = ()

    @classmethod
    def of(cls, growth: Mapping[Symbol, Growth]) -> Monomial:
        return cls(tuple(sorted((symbol, g) for symbol, g in growth.items() if g != ZERO_GROWTH)))

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(symbol for symbol, _ in self.factors)

    def growth(self, symbol: Symbol) -> Growth:
        return next((g for other, g in self.factors if other == symbol), ZERO_GROWTH)

    def __mul__(self, other: Monomial) -> Monomial:
        growth = dict(self.factors)
        for symbol, (a, b, c) in other.factors:
            x, y, z = growth.get(symbol, ZERO_GROWTH)
            growth[symbol] = (a + x, b + y, c + z)
        return Monomial.of(growth)

    def __pow__(self, exponent: Fraction) -> Monomial:
        return Monomial.of({s: (a * exponent, b * exponent, c * exponent) for s, (a, b, c) in self.factors})

    def __truediv__(self, other: Monomial) -> Monomial:
        return self * other ** Fraction(-1)

    def bounded_by(self, other: Monomial) -> bool:
        """Whether self = O(other) when all scales go to their limits independently.

        If one scale grew in the ratio, it could run away while the others stand almost still.
        """
        own, others = dict(self.factors), dict(other.factors)
        return all(own.get(s, ZERO_GROWTH) <= others.get(s, ZERO_GROWTH) for s in own.keys() | others.keys())

    def negligible_to(self, other: Monomial) -> bool:
        """Whether self = o(other) when all scales go to their limits independently."""
        return self != other and self.bounded_by(other)

    def value(self, sizes: Mapping[str, float]) -> float:
        """The product itself at these sizes; ``OverflowError`` where a float cannot hold it."""
        result = 1.0
        for symbol, (a, b, c) in self.factors:
            size = sizes[symbol.name]
            result *= size ** float(-a if symbol.vanishes else a)
            if b or c:
                logarithm = -math.log(size) if symbol.vanishes else math.log(size)
                result *= _power_of_log(logarithm, b, symbol, size, "log")
                if c:
                    iterated = math.log(logarithm) if logarithm > 0 else -math.inf
                    result *= _power_of_log(iterated, c, symbol, size, "loglog")
        return result


def _power_of_log(base: float, exponent: Fraction, symbol: Symbol, size: float, function: str) -> float:
    if exponent == 0:
        return 1.0
    if base < 0 or (base == 0 and exponent < 0):
        argument = f"1/{symbol.name}" if symbol.vanishes else symbol.name
        raise OrderError(
            f"size is {symbol.name} = {size:g}, where {function}({argument}) is {base:g}:"
            f" expected a size closer to the limit, where it is positive"
        )
    return float(base ** float(exponent))


def check_symbols(symbols: Iterable[Symbol]) -> None:
    """Refuse two scales of one name and different direction."""
    seen: dict[str, bool] = {}
    for name, vanishes in symbols:
        if seen.setdefault(name, vanishes) != vanishes:
            raise OrderError(f"the scale {name!r} tends to infinity and to 0 in one expression, expected one limit")
