"""Polynomials in formal symbols, and what they amount to once numbers are put in.

Moments are polynomials with rational coefficients in symbols: dimensions, joint cumulants, Weingarten functions, and
coefficients that need not be rational. Cumulants subtract moments, and what cancels has to cancel exactly: a rounded
coefficient would leave a leading term that is not there. So polynomials are added and multiplied first, and symbols get
their values last.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from randtensor.dimensions import Dimension, evaluate_shape
from randtensor.errors import OrderError
from randtensor.exact.diagrams.elements import Element, Haar
from randtensor.exact.diagrams.networks import Label
from randtensor.exact.haar.weingarten import weingarten
from randtensor.expansions import Expansion
from randtensor.orders import Order, Term

__all__ = ["BITS", "Polynomial", "Symbols", "plus", "times"]

#: Coefficients by monomial; a monomial packs the exponents of the symbols, ``BITS`` bits each.
Polynomial = dict[int, Any]

BITS = 20

#: What is left of sums of floats that cancel, relative to the sum of their absolute values.
RESIDUE = 1e-12


def plus(a: Polynomial, b: Polynomial, factor: Any = 1) -> Polynomial:
    """a + factor b.

    >>> plus({0: 1}, {0: 2, 1: 3}, -1)
    {0: -1, 1: -3}
    """
    total = dict(a)
    for monomial, coefficient in b.items():
        total[monomial] = total.get(monomial, 0) + factor * coefficient
    return total


def times(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product.

    >>> times({0: 1, 1: 1}, {1: 2})
    {1: 2, 2: 2}
    """
    result: Polynomial = {}
    for x, u in a.items():
        for y, v in b.items():
            result[x + y] = result.get(x + y, 0) + u * v
    return result


class Symbols:
    """Numbers the symbols, and knows their values.

    A symbol is a pair of a kind and what it is about: ``("dimension", label)``, ``("cumulant", (element, marks))``,
    ``("cycle", (element, length))``, ``("weingarten", (element, lengths))``, ``("sphere", (element, count))``, or
    ``("value", value)`` for a number or an expansion that stands for itself.
    """

    def __init__(self) -> None:
        self._meanings: list[tuple[str, Any]] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, kind: str, meaning: Any, key: Hashable = None) -> int:
        """The number of a symbol; ``key`` identifies it where its meaning cannot be hashed."""
        key = (kind, meaning if key is None else key)
        if key not in self._numbers:
            self._numbers[key] = len(self._meanings)
            self._meanings.append((kind, meaning))
        return self._numbers[key]

    def monomial(self, kind: str, meaning: Any, key: Hashable = None) -> int:
        """A symbol as a packed monomial."""
        return 1 << BITS * self.number(kind, meaning, key)

    def label(self, number: int) -> Label:
        """The label of a dimension's symbol."""
        kind, meaning = self._meanings[number]
        assert kind == "dimension"
        label: Label = meaning
        return label

    @staticmethod
    def exponents(monomial: int) -> Iterator[tuple[int, int]]:
        """Symbols and their exponents."""
        mask, number = (1 << BITS) - 1, 0
        while monomial:
            if monomial & mask:
                yield number, monomial & mask
            monomial >>= BITS
            number += 1

    def with_weingarten(self, polynomial: Polynomial) -> Polynomial:
        """Cycles of Haar matrices gathered to the argument of their Weingarten function, which is no product."""
        result: Polynomial = {}
        for monomial, coefficient in polynomial.items():
            lengths: dict[Element, list[int]] = {}
            rest = 0
            for number, exponent in self.exponents(monomial):
                kind, meaning = self._meanings[number]
                if kind == "cycle":
                    lengths.setdefault(meaning[0], []).extend([meaning[1]] * exponent)
                else:
                    rest += exponent << BITS * number
            for element, cycles in lengths.items():
                rest += self.monomial("weingarten", (element, tuple(sorted(cycles, reverse=True))))
            result[rest] = result.get(rest, 0) + coefficient
        return result

    def value(self, polynomial: Polynomial, sizes: Mapping[str, int] | None) -> Any:
        """The polynomial with all values put in: an expansion, or a number if sizes are given.

        Terms that share their irrational symbols are added exactly before those are put in.
        """
        values: dict[int, Any] = {}
        parts: dict[int, Any] = {}
        for monomial, coefficient in polynomial.items():
            if not coefficient:
                continue
            irrational, exact = 0, _number(coefficient, sizes)
            for number, exponent in self.exponents(monomial):
                if number not in values:
                    values[number] = self._value(number, sizes)
                if _is_rational(values[number]):
                    exact = exact * values[number] ** exponent
                else:
                    irrational += exponent << BITS * number
            parts[irrational] = parts[irrational] + exact if irrational in parts else exact
        summands = []
        for irrational, total in parts.items():
            for number, exponent in self.exponents(irrational):
                total = total * values[number] ** exponent
            summands.append(total)
        return _sum(summands, sizes)

    def _value(self, number: int, sizes: Mapping[str, int] | None) -> Any:
        kind, meaning = self._meanings[number]
        if kind == "dimension":
            return _dimension(meaning.dimension, sizes)
        if kind == "cumulant":
            element, marks = meaning
            return _number(element.cumulant(marks), sizes)
        if kind == "weingarten":
            element, lengths = meaning
            return _weingarten(element, lengths, sizes)
        if kind == "sphere":
            element, count = meaning
            size, value = _number(1, sizes), _number(1, sizes)
            for dimension in element.dimensions:
                size = size * _dimension(dimension, sizes)
            for j in range(count // 2):
                value = value / (size + 2 * j)
            return value
        return _number(meaning, sizes)


def _number(value: Any, sizes: Mapping[str, int] | None) -> Any:
    expansion = Expansion.of(value)
    return expansion if sizes is None else expansion.exact({name: sizes[name] for name in expansion.scale_names})


def _dimension(dimension: Dimension, sizes: Mapping[str, int] | None) -> Any:
    return Expansion.of(dimension) if sizes is None else Fraction(evaluate_shape([dimension], sizes)[0])


def _weingarten(element: Haar, lengths: tuple[int, ...], sizes: Mapping[str, int] | None) -> Any:
    function, size = weingarten(element.group, sum(lengths)), element.dimensions[0]
    if sizes is None and not isinstance(size, int):
        return function.expansion(lengths, Expansion.of(size))
    return _number(function.value(lengths, int(evaluate_shape([size], sizes or {})[0])), sizes)


def _is_rational(value: Any) -> bool:
    if not isinstance(value, Expansion):
        return isinstance(value, Fraction)
    try:
        return all(isinstance(term.coefficient, Fraction) for term in value.terms)
    except OrderError:
        return True  # a quotient: of dimensions, or one that the caller wrote


def _sum(summands: list[Any], sizes: Mapping[str, int] | None) -> Any:
    """The sum, without terms that are nothing but rounding."""
    total = sum(summands, _number(0, sizes))
    if sizes is not None or all(map(_is_rational, summands)):
        return total
    sums: dict[Order, tuple[Any, float]] = {}
    try:
        for term in (term for summand in summands for term in summand.terms):
            value, size = sums.get(term.order, (0, 0.0))
            sums[term.order] = value + term.coefficient, size + abs(float(term.coefficient))
    except OrderError:
        return total  # a quotient: its terms do not line up
    kept = [Term(value, order) for order, (value, size) in sums.items() if abs(value) > RESIDUE * size]
    return sum((Expansion.of(term) for term in kept), Expansion.of(0)).valid(**total.valid_from)
