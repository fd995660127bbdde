"""Expansions: exact arithmetic of quotients of sums, absorption by remainders, evaluation, text."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from randtensor import strategies
from randtensor.errors import OrderError
from randtensor.expansions import Expansion
from randtensor.orders import O, Order, Scale, Theta, log, loglog

n, m, eta = Scale("n"), Scale("m"), Scale("eta", to=0)
nn, mm, ee = Expansion.of(n), Expansion.of(m), Expansion.of(eta)
SCALES = [n, m, eta]
HALF = Fraction(1, 2)

coefficients = st.fractions(-3, 3, max_denominator=3)
points = st.fixed_dictionaries({name: st.integers(5, 40) for name in ("n", "m", "eta")})


sums = partial(strategies.expansions, SCALES, quotients=False)


@st.composite
def quotients(draw: st.DrawFn) -> Expansion:
    if draw(st.booleans()):
        return draw(strategies.expansions(SCALES))
    # factors that cancel, and that others share
    return draw(sums()) / ((nn + draw(st.integers(-3, 3))) * (nn + draw(st.integers(-3, 3))))


def law(*drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return lambda test: settings(deadline=None, max_examples=40)(given(*drawn)(test))


def value(expansion: Expansion, sizes: dict[str, int]) -> Fraction:
    try:
        result = expansion.exact(sizes)
    except OrderError:
        assume(False)
    assert isinstance(result, Fraction)
    return result


# --- exact arithmetic -------------------------------------------------------------------------------------------


@law(quotients(), quotients(), points)
def test_arithmetic_is_that_of_the_values(e: Expansion, f: Expansion, sizes: dict[str, int]) -> None:
    x, y = value(e, sizes), value(f, sizes)
    assert (e + f).exact(sizes) == x + y
    assert (e - f).exact(sizes) == x - y
    assert (e * f).exact(sizes) == x * y
    assert (-e).exact(sizes) == -x
    if y:
        assert (e / f).exact(sizes) == x / y
        assert (f**-2).exact(sizes) == y**-2


@law(quotients(), quotients(), quotients())
def test_field(e: Expansion, f: Expansion, g: Expansion) -> None:
    assert (e + f) + g == e + (f + g)
    assert (e + f) * g == e * g + f * g
    assert e - e == 0
    if f != 0:
        assert (e / f) * f == e
        assert hash((e / f) * f) == hash(e)
        assert f**3 / f**5 == f**-2


@law(sums(), sums())
def test_multiples_cancel(e: Expansion, f: Expansion) -> None:
    assume(e != 0 and f != 0)
    assert str(e * f / f) == str(e)


def test_equality_and_hash_agree_with_numbers_scales_and_terms() -> None:
    for expansion, other in [
        (nn, n),
        (2 * nn, 2 * n),
        (nn / nn, 1),
        (nn - nn, 0),
        (nn * HALF / nn, 0.5),
        (nn - nn, Order.zero()),
    ]:
        assert expansion == other and other == expansion and hash(expansion) == hash(other)
    assert nn + mm != n + m and n + m != nn + mm and nn != "n" and nn != n**2
    assert 0.5 * nn + 0.25 == nn / 2 + Fraction(1, 4)
    assert hash(0.5 * nn + 0.25) == hash(nn / 2 + Fraction(1, 4))
    assert nn.valid(n=3) == nn
    assert len({1 / (nn * (nn + mm)), 1 / nn / (nn + mm), (nn - mm) / (nn * (nn**2 - mm**2))}) == 1


def test_operands_of_other_kinds_on_either_side() -> None:
    assert n + nn == nn + n == 2 * n and n * nn == n**2 and n / nn == 1
    assert 2 * n + nn == 3 * n and 2 * n / (nn + 1) == 2 * nn / (nn + 1)
    assert 3 - nn == -(nn - 3) and 3 / nn == 3 * n**-1
    assert nn - n == 0 and nn - 2 * n == -n
    assert np.int64(2) * nn == 2 * n and nn + np.float64(0.5) == nn + HALF
    assert sum([nn, nn, 1], Expansion.of(0)) == 2 * nn + 1
    assert (4 * nn**2) ** HALF == 2 * n and (nn + 1) ** 2.0 == nn**2 + 2 * nn + 1


def test_products_of_many_terms() -> None:
    """Packed exponents: against the values, and with fractional and negative exponents in several scales."""
    first = sum((Fraction(k + 1, k + 2) * nn ** Fraction(k, 2) * mm ** (k % 3 - 1) for k in range(30)), Expansion.of(0))
    second = sum(((-1) ** k * nn ** (-k) * ee ** (k % 4) for k in range(25)), Expansion.of(0))
    sizes = {"n": 9, "m": 2, "eta": Fraction(1, 7)}
    assert (first * second).exact(sizes) == first.exact(sizes) * second.exact(sizes)
    assert len((first * second).terms) > 256


def test_rational_exponents_and_logarithms_cancel() -> None:
    assert (nn - 1) / (nn**HALF + 1) == nn**HALF - 1
    assert str((nn - 1) / (nn**HALF + 1)) == "n^{1/2} - 1"
    logarithm = Expansion.of(log(n))
    assert str((logarithm**2 - 1) / (logarithm + 1)) == "log n - 1"
    assert str((nn**2 * mm - mm) / (nn + 1)) == "m n - m"


def test_floats_cancel_only_without_loss() -> None:
    assert str((0.5 * nn + 0.5) / (nn + 1)) == "0.5"
    third = (nn / 3.0 + 1) / (nn + 3)
    assert str(third) == "(0.3333333333333333 n + 1)/(n + 3)"
    assert third(6) == pytest.approx(1 / 3, rel=1e-15)


# --- remainders -------------------------------------------------------------------------------------------------


def test_absorption() -> None:
    e = nn**2 + nn + 1 + O(n)
    assert str(e) == "n^2 + O(n)" and not e.is_exact and e.remainder == n
    assert str(e - e) == "O(n)" and str(e * 0) == "0"
    assert str(O(n) + nn**2) == str(nn**2 + O(n)) and str(nn**2 - O(n)) == "n^2 + O(n)"
    assert str(nn * mm + nn**2 + O(n**2 + m**2)) == "O(n^2 + m^2)"
    assert nn + O(0) == nn
    assert str(1 / (nn * (nn + 1)) + O(n**-4)) == "n^{-2} - n^{-3} + O(n^{-4})"
    assert str(1 / (1 + ee) + O(eta**3)) == "1 - eta + eta^2 + O(eta^3)"
    assert e == nn**2 + 5 * nn + O(n) and hash(e) == hash(nn**2 + 5 * nn + O(n)) and e != nn**2


def test_a_remainder_that_no_series_reaches_leaves_the_quotient() -> None:
    assert str(1 / (Expansion.of(log(n)) + 1) + O(n**-1)) == "1/(log n + 1) + O(n^{-1})"
    assert str(mm / (nn + 1) + O(n**-1)) == "m/(n + 1) + O(n^{-1})"
    assert str(1 / (nn + mm) + O(n**-9)) == "1/(n + m) + O(n^{-9})"


remainders = strategies.monomials([n, m], logs=False)


@law(sums(), sums(), remainders, remainders, coefficients, coefficients)
def test_remainders_cover_what_they_stand_for(
    e: Expansion, f: Expansion, r: Order, s: Order, c: Fraction, d: Fraction
) -> None:
    """e + c r and f + d s are among what e + O(r) and f + O(s) stand for, so are results among the results."""
    first, second, x, y = e + O(r), f + O(s), e + c * Expansion.of(r), f + d * Expansion.of(s)
    for vague, exact in [(first + second, x + y), (first - second, x - y), (first * second, x * y), (first**2, x**2)]:
        rest = exact - Expansion(vague._numerator, vague._factors)
        assert vague.remainder is not None and rest.bound.order <= vague.remainder
    try:
        quotient = first / second
    except OrderError:
        return
    # (x/y - q) y leaves no division by a sum of unknown order: |y| is of the order of f here.
    rest = x - Expansion(quotient._numerator, quotient._factors) * y
    assert quotient.remainder is not None and rest.bound.order <= quotient.remainder * f.order


@law(st.lists(coefficients, min_size=2, max_size=4), st.integers(1, 5))
def test_expand_leaves_the_order_of_its_remainder(c: list[Fraction], terms: int) -> None:
    assume(any(c))
    denominator = nn**3 + sum((x * nn**k for k, x in enumerate(c[:3])), Expansion.of(0))
    e = (nn + c[-1]) / denominator
    series = e.expand(terms)
    if series.remainder is None:
        assert series == e
    else:
        assert len(series.terms) == terms
        assert (e - Expansion(series._numerator)).order == series.remainder


def test_expand_of_sums() -> None:
    assert str((nn**3 + nn + 1 / nn).expand(2)) == "n^3 + n + O(n^{-1})"
    assert str((nn + 1).expand(2)) == "n + 1"
    assert str((nn / (nn + 1) + O(n**-2)).expand(9)) == "1 - n^{-1} + O(n^{-2})"


# --- growth -----------------------------------------------------------------------------------------------------


def test_order_and_leading() -> None:
    assert (3 * nn**4 - 7 * nn).order == n**4 and (3 * nn**4 - 7 * nn).leading == 3 * n**4
    assert ((nn + 1) / (2 * mm - 5)).leading == n / (2 * m)
    assert Expansion.of(0).order == 0 and Expansion.of(0).leading == 0
    assert (nn**2 + mm - nn).order == n**2 + m
    assert (nn + O(1)).order == n and (nn + O(1)).bound == Theta(n)
    assert (nn - mm).bound == O(n + m) and (nn + O(m)).bound == O(n + m) and Expansion.of(O(n)).bound == O(n)
    assert (nn * mm - nn**2 + mm**2).bound.kind == "O"
    assert (ee + 1).order == 1 and (Expansion.of(loglog(n)) + log(n)).order == log(n)
    assert [str(term) for term in (nn + nn**3 + mm * nn).terms] == ["n^3", "m n", "n"]


def test_comparison_is_of_growth() -> None:
    assert nn < n**2 and n < nn**2 and nn >= n and nn + 1 <= n and not nn < n
    assert 2 * nn**2 + nn > n and nn - mm <= nn + mm and 1 / nn < 1
    assert not nn > m and not nn < m


# --- evaluation -------------------------------------------------------------------------------------------------


def test_evaluation_neither_overflows_nor_cancels_on_the_way() -> None:
    assert (nn**400 / (nn**399 + 1))(10**9) == 1e9
    assert ((nn + 1) ** 30 - nn**30 - 30 * nn**29)(2**20) == float((2**20 + 1) ** 30 - 2**600 - 30 * 2**580)
    assert (nn**HALF * (nn**2 - (nn + 1) * (nn - 1)))(1e12) == 1e6
    assert (nn ** Fraction(801, 2) / nn**400)(4.0) == 2.0
    assert (nn / 3)(10) == 10 / 3 and Expansion.of(2.5)() == 2.5


def test_exact_values() -> None:
    assert (2 / (nn * (nn + 1))).exact({"n": 5}) == Fraction(1, 15)
    assert (nn / mm).exact({n: 3, m: Fraction(1, 2)}) == 6
    assert isinstance((nn + 0.5).exact({"n": 5}), float)
    assert (nn**HALF).exact({"n": 2}) == math.sqrt(2)
    assert (nn * log(n) / ee)(n=8, eta=0.5) == pytest.approx(16 * math.log(8), rel=1e-15)


def test_valid_sizes_are_kept_by_arithmetic() -> None:
    e = 1 / nn.valid(n=4) + mm.valid(m=2) * nn.valid(n=3)
    assert e.valid_from == {"n": 4, "m": 2}
    with pytest.raises(OrderError, match=r"size is n = 3, but .* holds only from n = 4 on"):
        e(n=3, m=5)
    with pytest.raises(OrderError, match="n = 2, but 3 holds only from n = 5"):
        Expansion.of(3).valid(n=5)(2)
    assert mm.valid(m=5).substitute(m=2 * n).valid_from == {"n": 3}
    assert mm.valid(m=5).substitute(m=7).valid_from == {}


# --- substitution -----------------------------------------------------------------------------------------------


@law(quotients(), st.integers(1, 3), st.integers(0, 3), points)
def test_substitution_commutes_with_evaluation(e: Expansion, factor: int, shift: int, sizes: dict[str, int]) -> None:
    replaced = {**sizes, "m": factor * sizes["n"] + shift}
    expected = value(e, replaced)
    try:
        result = e.substitute(m=factor * nn + shift)
    except OrderError:
        assume(False)
    assert result.exact(sizes) == expected
    assert value(e.substitute(n=5), sizes) == value(e, {**sizes, "n": 5})


def test_substitution() -> None:
    assert ((nn + mm) ** 2).substitute({m: 2 * n}) == 9 * nn**2
    assert (nn * mm + O(m)).substitute(m=n**2) == nn**3 + O(n**2)
    assert (nn / mm).substitute(m=n, n=m) == mm / nn
    assert (ee**HALF).substitute(eta=1 / (4 * n)) == nn**-HALF / 2


# --- text -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expansion, text, latex",
    [
        (3 * nn**4 + nn**2 / 2 + O(1 / n), "3 n^4 + 1/2 n^2 + O(n^{-1})", r"3 n^{4} + \frac{1}{2} n^{2} + O(n^{-1})"),
        (2 / (nn * (nn + 1)), "2/(n (n + 1))", r"\frac{2}{n \left(n + 1\right)}"),
        (1 / nn, "n^{-1}", "n^{-1}"),
        (-(nn**2) - HALF, "-n^2 - 1/2", r"-n^{2} - \frac{1}{2}"),
        (-nn / (2 * nn - 1) ** 2, "-n/(2 n - 1)^2", r"-\frac{n}{\left(2 n - 1\right)^{2}}"),
        (-HALF / (nn + 2), "-1/(2 (n + 2))", r"-\frac{1}{2 \left(n + 2\right)}"),
        ((nn + 2) / (nn**3 - nn), "(n + 2)/(n (n - 1) (n + 1))", None),
        ((nn - mm) / (nn + mm), "(n - m)/(n + m)", r"\frac{n - m}{n + m}"),
        (1 / (1 + ee), "1/(1 + eta)", r"\frac{1}{1 + \eta}"),
        (1 / (nn**2 + 1), "1/(n^2 + 1)", None),
        (0.5 * nn - 1, "0.5 n - 1", "0.5 n - 1"),
        (nn * 0, "0", "0"),
        (Expansion.of(O(n)), "O(n)", "O(n)"),
    ],
)
def test_text(expansion: Expansion, text: str, latex: str | None) -> None:
    assert str(expansion) == text and repr(expansion) == f"Expansion({text!r})"
    assert latex is None or (expansion.latex() == latex and expansion._repr_latex_() == f"${latex}$")


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression, message",
    [
        (lambda: nn / (nn - n), "the divisor is 0, expected an expansion that is not zero"),
        (lambda: nn / O(n), r"the divisor is the remainder O\(n\), which may vanish"),
        (lambda: 1 / (nn - mm + O(1)), "the leading terms of n - m .* may cancel"),
        (lambda: nn + (n + m), "the operand is the order n \\+ m, a sum without constants"),
        (lambda: nn + Theta(n), r"the operand is the bound Theta\(n\), expected O"),
        (lambda: Expansion.of("n"), "value is 'n', expected a number, Scale, Term, Order, Bound or Expansion"),  # type: ignore[arg-type]
        (lambda: Expansion.of(math.nan), "coefficient is nan, expected a finite number"),
        (lambda: nn * 1e300 * 1e300, "expected one within the range of a float"),
        (lambda: nn * 10**400 * 0.5, "coefficients of a product exceed the range of a float"),
        (lambda: (nn + 1) ** HALF, "exponent is 1/2 for n \\+ 1, expected an integer"),
        (lambda: (nn + 1) ** 10**6, "exponent is 1000000 for n \\+ 1, expected an integer of size at most 1000"),
        (lambda: (nn - mm).order, "the leading terms of n - m may cancel"),
        (lambda: (nn + O(n**2)).order, "has no known term"),
        (lambda: (1 / (nn + mm)).order, "the denominator of .* has the leading terms n \\+ m"),
        (lambda: (nn + mm).leading, "has the leading terms n \\+ m, expected a single one"),
        (lambda: (1 / (nn + 1)).terms, "is a quotient, expected a finite sum"),
        (lambda: (1 / (nn + mm)).expand(), "the scales of .* are m, n, expected a single scale"),
        (lambda: nn.expand(0), "terms is 0, expected a positive integer"),
        (lambda: (1 / (nn - 2))(2), "sizes are n = 2, where the denominator of .* vanishes"),
        (lambda: (nn**400)(10**9), "exceeds the range of a float"),
        (lambda: (nn + mm)(3), "sizes are 3, expected a mapping"),
        (lambda: nn(3, m=4), "size is 3 beside sizes by name"),
        (lambda: nn(0), "size is 0 for the scale 'n', expected a positive finite number"),
        (lambda: nn + Expansion.of(Scale("n", to=0)), "'n' tends to infinity and to 0"),
        (lambda: nn.valid(n=0), "n is 0, expected the smallest valid size as a positive integer"),
        (lambda: ee.valid(eta=2), "eta is a scale that tends to 0"),
        (lambda: nn.substitute(n=0), "the replacement of n is 0, expected a positive number"),
        (lambda: nn.substitute(n=1 / mm), "the replacement of n is m\\^{-1}, expected an expansion that tends to inf"),
        (lambda: nn.substitute(n=mm + O(1)), "expected an exact expansion without remainder"),
        (lambda: nn.substitute({n: m, "n": m}), "the scale 'n' is replaced twice"),
        (lambda: Expansion.of(log(n)).substitute(n=2 * m), "its logarithm occurs"),
        (lambda: mm.valid(m=5).substitute(m=4), "the replacement of m is 4, expected at least 5"),
        (lambda: (nn + mm + O(1)).to_sympy(), "expected a single scale for a remainder in SymPy"),
    ],
)
def test_refused(expression: Callable[[], object], message: str) -> None:
    with pytest.raises(OrderError, match=message):
        expression()


def test_unknown_operands_are_type_errors() -> None:
    with pytest.raises(TypeError):
        nn + "n"  # type: ignore[operator]
    with pytest.raises(TypeError):
        2**nn  # type: ignore[operator]
    with pytest.raises(TypeError):
        assert nn < "n"  # type: ignore[operator]
