"""The comparison of orders in one scale against limits computed by SymPy (Gruntz's algorithm)."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from randtensor.orders import Order, Scale, compare, log, loglog

sympy = pytest.importorskip("sympy")

GROWTHS = [
    (power, logarithm, iterated)
    for power in (Fraction(-1, 2), Fraction(0), Fraction(1, 3))
    for logarithm in (-1, 0, 2)
    for iterated in (0, 1)
]


def order(scale: Scale, growth: tuple[Fraction, int, int]) -> Order:
    power, logarithm, iterated = growth
    return scale**power * log(scale) ** logarithm * loglog(scale) ** iterated


def relation(first: tuple[Fraction, int, int], second: tuple[Fraction, int, int], vanishing: bool) -> str:
    """``<``, ``=`` or ``>`` by the limit of the ratio of the two formulas."""
    x = sympy.Symbol("x", positive=True)
    (a, b, c), (d, e, f) = first, second
    logarithm = sympy.log(1 / x) if vanishing else sympy.log(x)
    power = sympy.Rational(a.numerator, a.denominator) - sympy.Rational(d.numerator, d.denominator)
    ratio = x**power * logarithm ** (b - e) * sympy.log(logarithm) ** (c - f)
    limit = sympy.limit(ratio, x, 0, "+") if vanishing else sympy.limit(ratio, x, sympy.oo)
    return "<" if limit == 0 else ">" if limit == sympy.oo else "="


@pytest.mark.parametrize("first", GROWTHS[::3])
def test_to_infinity(first: tuple[Fraction, int, int]) -> None:
    n = Scale("n")
    for second in GROWTHS:
        assert compare(order(n, first), order(n, second)) == relation(first, second, vanishing=False)


def test_to_zero() -> None:
    eta = Scale("eta", to=0)
    # SymPy loses track of log(log(1/x)) at 0 more often than not, so no iterated logarithms here.
    growths = [g for g in GROWTHS if g[2] == 0]
    for first, second in itertools.islice(itertools.product(growths, growths), 0, None, 4):
        assert compare(order(eta, first), order(eta, second)) == relation(first, second, vanishing=True)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.fractions(-2, 2, max_denominator=4), st.integers(-2, 2), st.integers(-1, 1)),
    st.tuples(st.fractions(-2, 2, max_denominator=4), st.integers(-2, 2), st.integers(-1, 1)),
)
def test_random_exponents(first: tuple[Fraction, int, int], second: tuple[Fraction, int, int]) -> None:
    n = Scale("n")
    assert compare(order(n, first), order(n, second)) == relation(first, second, vanishing=False)


def test_sums_against_the_limit_of_the_formula() -> None:
    """A sum is of the order of the formula that evaluates it: the ratio has a positive finite limit."""
    x = sympy.Symbol("x", positive=True)
    n = Scale("n")
    total = n**2 / log(n) + n * log(n) ** 3 + n**2
    formula = x**2 / sympy.log(x) + x * sympy.log(x) ** 3 + x**2
    assert total == n**2
    assert sympy.limit(formula / x**2, x, sympy.oo) == 1
