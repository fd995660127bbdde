"""Sums of coefficients times monomials, light enough for inner loops.

Scales, their logarithms and their iterated logarithms are algebraically independent, so each is a variable of
its own; exponents are rational and may be negative.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from operator import add, itemgetter
from typing import NamedTuple

from randtensor.errors import OrderError
from randtensor.orders._monomial import ZERO_GROWTH, Growth, Monomial, Symbol, check_symbols

__all__ = ["ONE", "ZERO", "Coefficient", "Key", "Polynomial", "Variable", "fraction_of"]

# Whole numbers stay ints, which are an order of magnitude faster than fractions.
Coefficient = int | Fraction | float
Exponent = int | Fraction
Key = tuple[Exponent, ...]

# From this many products of terms on it pays to pack exponents into one integer.
_PACKED_FROM = 256

# Products of terms, times variables, that are written out: (a + b)(c + d)... soon has more than fit into memory.
_MOST_WORK = 10**6


class Variable(NamedTuple):
    """A scale (level 0), its logarithm (1) or its iterated logarithm (2), in the direction of growth."""

    name: str
    vanishes: bool
    level: int

    @property
    def symbol(self) -> Symbol:
        return Symbol(self.name, self.vanishes)


@dataclass(frozen=True, eq=False)
class Polynomial:
    """``terms`` maps exponents, one for each of the sorted ``variables``, to coefficients; none is zero.

    Every variable occurs, so equal polynomials have equal fields.
    """

    variables: tuple[Variable, ...]
    terms: dict[Key, Coefficient]

    @classmethod
    def of(cls, variables: tuple[Variable, ...], terms: Mapping[Key, Coefficient]) -> Polynomial:
        """Zero terms and variables that do not occur are dropped."""
        kept = {key: c for key, c in terms.items() if c}
        for c in kept.values():
            if c.__class__ is float and not math.isfinite(c):
                raise OrderError(f"a coefficient is {c!r}, expected one within the range of a float")
        used = [i for i in range(len(variables)) if any(key[i] for key in kept)]
        if len(used) < len(variables):
            variables = tuple(variables[i] for i in used)
            kept = {tuple(key[i] for i in used): c for key, c in kept.items()}
        return cls(variables, kept)

    @classmethod
    def constant(cls, value: Coefficient) -> Polynomial:
        return cls.of((), {(): plain(value)})

    @classmethod
    def monomial(cls, monomial: Monomial, coefficient: Coefficient = 1) -> Polynomial:
        variables: list[Variable] = []
        key: list[Exponent] = []
        for symbol, growth in monomial.factors:
            for level, exponent in enumerate(growth):
                if exponent:
                    variables.append(Variable(symbol.name, symbol.vanishes, level))
                    key.append(exponent.numerator if exponent.denominator == 1 else exponent)
        return cls.of(tuple(variables), {tuple(key): plain(coefficient)})

    def monomial_of(self, key: Key) -> Monomial:
        """The monomial with these exponents."""
        growth: dict[Symbol, Growth] = {}
        for variable, exponent in zip(self.variables, key, strict=True):
            levels = list(growth.get(variable.symbol, ZERO_GROWTH))
            levels[variable.level] = Fraction(exponent)
            growth[variable.symbol] = (levels[0], levels[1], levels[2])
        return Monomial.of(growth)

    @property
    def symbols(self) -> list[Symbol]:
        return sorted({variable.symbol for variable in self.variables})

    @cached_property
    def is_exact(self) -> bool:
        """Whether all coefficients are rational numbers."""
        return not any(c.__class__ is float for c in self.terms.values())

    @property
    def is_single(self) -> bool:
        return len(self.terms) == 1

    @cached_property
    def is_one(self) -> bool:
        return not self.variables and self.terms.get(()) == 1

    @cached_property
    def lead(self) -> Key:
        """Exponents of the first term by `sorted_keys`."""
        return max(self.terms, key=self.rank)

    def rank(self, key: Key) -> tuple[Exponent, Key]:
        """An order of all monomials that multiplication respects, in which the faster growing is larger."""
        if len(key) == 1:
            return (0 if self.variables[0].level else key[0]), key
        powers, precedence = self._precedence
        return sum([key[i] for i in powers]), tuple(key[i] for i in precedence)

    @cached_property
    def _precedence(self) -> tuple[list[int], list[int]]:
        """Positions of the scales, and of all variables: later names first, as orders print, then by level."""
        powers = [i for i, variable in enumerate(self.variables) if variable.level == 0]
        order = sorted(range(len(self.variables)), key=lambda i: self.variables[i].level)
        return powers, sorted(order, key=lambda i: self.variables[i].symbol, reverse=True)

    @property
    def sorted_keys(self) -> list[Key]:
        """Exponents of the terms, leading first."""
        return sorted(self.terms, key=self.rank, reverse=True)

    def rationalised(self) -> Polynomial:
        """With each float replaced by the fraction that it is."""
        if self.is_exact:
            return self
        return Polynomial(self.variables, {key: fraction_of(c) for key, c in self.terms.items()})

    def aligned(self, variables: tuple[Variable, ...]) -> dict[Key, Coefficient]:
        """The terms with an exponent for each of ``variables``, a sorted superset of the own ones."""
        if variables == self.variables:
            return self.terms
        position = {variable: i for i, variable in enumerate(self.variables)}
        source = [position.get(variable, -1) for variable in variables]
        return {tuple(0 if i < 0 else key[i] for i in source): c for key, c in self.terms.items()}

    def __add__(self, other: Polynomial) -> Polynomial:
        variables = union(self.variables, other.variables)
        total = dict(self.aligned(variables))
        try:
            for key, c in other.aligned(variables).items():
                total[key] = total.get(key, 0) + c
        except OverflowError:
            raise OrderError("the coefficients of a sum exceed the range of a float") from None
        return Polynomial.of(variables, total)

    def __neg__(self) -> Polynomial:
        return Polynomial(self.variables, {key: -c for key, c in self.terms.items()})

    def __mul__(self, other: Polynomial) -> Polynomial:
        if self.is_one:
            return other
        if other.is_one:
            return self
        variables = union(self.variables, other.variables)
        if len(self.terms) * len(other.terms) * len(variables) > _MOST_WORK:
            raise OrderError(
                f"sums of {len(self.terms)} and {len(other.terms)} terms in {len(variables)} variables are to be "
                "multiplied out, expected smaller ones"
            )
        first, second = self.aligned(variables), other.aligned(variables)
        try:
            if len(first) * len(second) >= _PACKED_FROM and self.is_exact and other.is_exact:
                return Polynomial.of(variables, _packed_product(first, second))
            total: dict[Key, Coefficient] = {}
            for a, c in first.items():
                for b, d in second.items():
                    key = tuple(map(add, a, b))
                    total[key] = total.get(key, 0) + c * d
        except OverflowError:
            raise OrderError("the coefficients of a product exceed the range of a float") from None
        return Polynomial.of(variables, total)

    def __pow__(self, exponent: int) -> Polynomial:
        result, base = ONE, self
        while exponent:
            if exponent & 1:
                result = result * base
            exponent >>= 1
            if exponent:
                base = base * base
        return result

    def divided(self, key: Key, coefficient: Coefficient) -> Polynomial:
        """Divided by a coefficient times the monomial with exponents ``key`` in the own variables."""
        shifted: dict[Key, Coefficient] = {}
        for own, c in self.terms.items():
            shifted[tuple(a - b for a, b in zip(own, key, strict=True))] = ratio(c, coefficient)
        return Polynomial.of(self.variables, shifted)

    @property
    def reciprocal(self) -> Polynomial:
        """The reciprocal of a single term."""
        ((key, coefficient),) = self.terms.items()
        return Polynomial.of(self.variables, {tuple(-e for e in key): ratio(1, coefficient)})

    @property
    def content(self) -> Key:
        """The smallest exponent of each variable."""
        return tuple(map(min, *self.terms)) if len(self.terms) > 1 else next(iter(self.terms))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Polynomial):
            return NotImplemented
        return self.variables == other.variables and self.terms == other.terms

    @cached_property
    def _hash(self) -> int:
        return hash((self.variables, frozenset(self.terms.items())))

    def __hash__(self) -> int:
        return self._hash


def plain(value: Coefficient) -> Coefficient:
    """Whole fractions as ints."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def fraction_of(value: Coefficient) -> Fraction:
    return Fraction(value)


def ratio(a: Coefficient, b: Coefficient) -> Coefficient:
    """``a / b``, exact for rational numbers."""
    if isinstance(a, float) or isinstance(b, float):
        try:
            return float(Fraction(a) / Fraction(b))
        except OverflowError:
            raise OrderError("the coefficients of a quotient exceed the range of a float") from None
    return plain(Fraction(a) / b)


def union(a: tuple[Variable, ...], b: tuple[Variable, ...]) -> tuple[Variable, ...]:
    if a == b or not b:
        return a
    if not a:
        return b
    merged = tuple(sorted({*a, *b}))
    check_symbols(variable.symbol for variable in merged)
    return merged


def _packed_product(first: dict[Key, Coefficient], second: dict[Key, Coefficient]) -> dict[Key, Coefficient]:
    """The product with exponents packed into one integer each and coefficients over common denominators."""
    roots = [math.lcm(*(e.denominator for key in [*first, *second] for e in key[i : i + 1])) for i in _indices(first)]
    (low, a, p), (lower, b, q) = _integral(first, roots), _integral(second, roots)
    strides = [1]
    for i in _indices(first):
        strides.append(strides[-1] * (1 + max(map(itemgetter(i), a)) + max(map(itemgetter(i), b))))
    total: defaultdict[int, int] = defaultdict(int)
    others = [(sum(map(int.__mul__, key, strides)), c) for key, c in b.items()]
    for key, c in a.items():
        start = sum(map(int.__mul__, key, strides))
        for offset, d in others:
            total[start + offset] += c * d
    product: dict[Key, Coefficient] = {}
    shift = tuple(map(add, low, lower))
    for packed, c in total.items():
        if c:
            exponents = (packed % strides[i + 1] // strides[i] + shift[i] for i in _indices(first))
            powers = tuple(_quotient(e, root) for e, root in zip(exponents, roots, strict=True))
            product[powers] = c if p * q == 1 else plain(Fraction(c, p * q))
    return product


def _indices(terms: Mapping[Key, Coefficient]) -> range:
    return range(len(next(iter(terms))))


def _quotient(exponent: int, root: int) -> Exponent:
    whole, rest = divmod(exponent, root)
    return Fraction(exponent, root) if rest else whole


def _integral(
    terms: Mapping[Key, Coefficient], roots: Iterable[int]
) -> tuple[tuple[int, ...], dict[tuple[int, ...], int], int]:
    """Smallest exponents, non-negative integer exponents to integer coefficients, common denominator."""
    scale = list(roots)
    keys = [tuple(int(e * root) for e, root in zip(key, scale, strict=True)) for key in terms]
    low: tuple[int, ...] = tuple(map(min, *keys)) if len(keys) > 1 else keys[0]
    exact = [fraction_of(c) for c in terms.values()]
    denominator = reduce(math.lcm, (c.denominator for c in exact), 1)
    shifted = (tuple(e - bottom for e, bottom in zip(key, low, strict=True)) for key in keys)
    numbers = (c.numerator * (denominator // c.denominator) for c in exact)
    return low, dict(zip(shifted, numbers, strict=True)), denominator


ONE = Polynomial((), {(): 1})
ZERO = Polynomial((), {})
