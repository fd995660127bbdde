"""Expansions against SymPy: arithmetic, lowest terms, and Laurent series at infinity and at 0."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from randtensor.expansions import Expansion
from randtensor.orders import O, Scale, log

sympy = pytest.importorskip("sympy")

nn, ee = Expansion.of(Scale("n")), Expansion.of(Scale("eta", to=0))
n, t = sympy.Symbol("n", positive=True), sympy.Symbol("t", positive=True)
eta = sympy.Symbol("eta", positive=True)

numbers = st.fractions(-3, 3, max_denominator=3)
lists = st.lists(numbers, min_size=1, max_size=4)


def rational(value: Fraction) -> Any:
    return sympy.Rational(value.numerator, value.denominator)


def pair(numerator: list[Fraction], denominator: list[Fraction]) -> tuple[Expansion, Any]:
    """The same rational function twice."""
    assume(any(denominator))
    own = [sum((c * nn**k for k, c in enumerate(side)), Expansion.of(0)) for side in (numerator, denominator)]
    other = [sympy.Add(*(rational(c) * n**k for k, c in enumerate(side))) for side in (numerator, denominator)]
    return own[0] / own[1], other[0] / other[1]


@settings(deadline=None, max_examples=25)
@given(lists, lists, lists, lists)
def test_arithmetic_in_lowest_terms(a: list[Fraction], b: list[Fraction], c: list[Fraction], d: list[Fraction]) -> None:
    (e, x), (f, y) = pair(a, b), pair(c, d)
    for own, other in [(e + f, x + y), (e - f, x - y), (e * f, x * y)]:
        assert sympy.cancel(own.to_sympy() - other) == 0
        # Lowest terms: the degrees of numerator and denominator are those that SymPy finds, up to powers of n.
        below = sympy.Poly(sympy.fraction(sympy.cancel(sympy.together(other)))[1], n)
        degree = own._denominator.lead[0] if own._factors else 0
        assert degree == below.degree() - min(k for (k,) in below.monoms())
    if f != 0:
        assert sympy.cancel((e / f).to_sympy() - x / y) == 0


@settings(deadline=None, max_examples=15)
@given(lists, lists, st.integers(1, 4))
def test_series_at_infinity(a: list[Fraction], b: list[Fraction], terms: int) -> None:
    e, x = pair(a, b)
    series = e.expand(terms)
    if series.remainder is None:
        assert sympy.cancel(series.to_sympy() - x) == 0
        return
    power = -series.remainder.exponents().power
    assert power.denominator == 1
    # SymPy counts terms from t^0 on, so all powers are raised first.
    expected = sympy.series(sympy.cancel(t**8 * x.subs(n, 1 / t)), t, 0, int(power) + 8).removeO()
    known = sum((term.to_sympy() for term in map(Expansion.of, series.terms)), sympy.Integer(0))
    assert sympy.expand(t**8 * known.subs(n, 1 / t) - expected) == 0


def test_series_at_zero() -> None:
    e = (1 + ee) / (1 - 3 * ee + ee**2)
    expected = sympy.series((1 + eta) / (1 - 3 * eta + eta**2), eta, 0, 4)
    assert e.expand(4).to_sympy() == expected


def test_logarithms_and_remainders_at_infinity() -> None:
    e = nn ** Fraction(1, 2) * log(Scale("n")) + 0.5
    assert e.to_sympy() == sympy.sqrt(n) * sympy.log(n) + sympy.Float(0.5)
    assert (nn + O(1)).to_sympy() == n + sympy.Order(1, (n, sympy.oo))
