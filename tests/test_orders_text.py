"""Orders as text and LaTeX, the parser and its errors, and terms with coefficients."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from order_strategies import HALF, SCALES, bounds, eta, law, m, n, orders

from randtensor.errors import OrderError
from randtensor.orders import (
    Bound,
    O,
    Order,
    Scale,
    Term,
    log,
    loglog,
    parse_bound,
    parse_order,
)


class TestTerm:
    def test_keeps_exact_coefficients(self) -> None:
        assert (2 * n / 3).coefficient == Fraction(2, 3)
        assert (4 * n) ** HALF == 2 * n**HALF
        assert ((2 * n) ** HALF).coefficient == 2**0.5
        assert ((-2 * n) ** 3).coefficient == -8 and -n == -1 * n
        assert (2 * n) * (3 * m) / n == 6 * m and n / 2 == Fraction(1, 2) * n and 6 / (2 * n) == 3 * n**-1
        assert isinstance(np.float64(2.5) * n, Term) and np.int64(2) * n == 2 * n
        assert 0 * n == 0 and (0 * n).order == Order.zero()

    @law(st.fractions(min_value=0, max_denominator=50), st.integers(-3, 3), st.integers(1, 4))
    def test_roots_are_exact(self, c: Fraction, p: int, degree: int) -> None:
        assume(c > 0)
        assert (c**degree * n**degree) ** Fraction(p, degree) == c**p * n**p

    def test_equality_and_comparison(self) -> None:
        assert 1 * n == n == 2 * n / 2 and hash(1 * n) == hash(n)
        assert 2 * n != n != 3 * n and 2 * n <= n and not 2 * n < 3 * n and 5 * n < n**2
        assert Term(3) == 3 and hash(Term(3)) == hash(3)
        assert 1 / n + 1 / m == n**-1 + m**-1

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: 2 * n + m, "the sum of 2 n and m keeps no coefficients"),
            (lambda: n + 2 * m, "the sum of 2 m and n keeps no coefficients"),
            (lambda: 2 * n - 1, "difference with the term 2 n may cancel"),
            (lambda: 2 * (n + m), r"order is n \+ m, expected a single term"),
            (lambda: (-2 * n) ** 0.5, "negative coefficient -2 has no power with the exponent 1/2"),
            (lambda: 1 / (0 * n), "coefficient 0 has no power with the negative exponent -1"),
            (lambda: math.inf * n, "coefficient is inf, expected a finite number"),
            (lambda: Term("2", n), "coefficient is '2', expected a real number"),
            (lambda: (10.0**200 * n) ** 2, "too large for a float"),
        ],
    )
    def test_errors(self, make: object, message: str) -> None:
        with pytest.raises(OrderError, match=message):
            make()  # type: ignore[operator]

    def test_arrays_are_refused(self) -> None:
        with pytest.raises(TypeError):
            np.arange(3) * n

    def test_text(self) -> None:
        assert str(2 * n) == "2 n" and str(n**2 / 3) == "(1/3) n^2" and str(Term(3)) == "3"
        assert repr(2.5 * n) == "Term(2.5, 'n')" and (-n / 3).latex() == r"-\frac{1}{3} n"
        assert (1e-5 * n).latex() == r"1 \cdot 10^{-5} n" and (2 * n)._repr_latex_() == "$2 n$"


class TestText:
    @law(orders())
    def test_text_and_latex_are_read_back(self, a: Order) -> None:
        for text in (str(a), a.latex()):
            assert parse_order(text, scales=SCALES) == a
        assert eval(repr(O(a))) == O(a) or eta in a.scales

    @law(bounds)
    def test_bounds_are_read_back(self, a: Bound) -> None:
        assert parse_bound(str(a), SCALES) == a == parse_bound(a.latex(), SCALES)

    @pytest.mark.parametrize("name", ["n", "eta", "eta_1", "n_0", "n2", "width", "hidden_layer_width", "η"])
    def test_names_are_read_back(self, name: str) -> None:
        scale = Scale(name)
        assert parse_order(str(scale**2)) == scale**2 == parse_order((scale**2).latex())

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("n^{-1/2} log n", n**-0.5 * log(n)),
            ("n^(-1/2)", n**-0.5),
            ("n**-0.5", n**-0.5),
            ("n^0.1", n ** Fraction(1, 10)),
            ("sqrt(n)/m", n**0.5 / m),
            (r"\sqrt{n} \cdot \log\left(n\right)", n**0.5 * log(n)),
            (r"n^{-\frac{1}{2}}\,\log n", n**-0.5 * log(n)),
            (r"\frac{\log n}{n m}", log(n) / (n * m)),
            ("(log n)^2", log(n) ** 2),
            ("log(n)^2", log(n) ** 2),
            ("log^2 n", log(n) ** 2),
            (r"\log^{1/2} n", log(n) ** 0.5),
            ("loglog n", loglog(n)),
            (r"\log\log n", loglog(n)),
            (r"\ln n", log(n)),
            (r"\log_2 n", log(n)),
            ("n(log n)^2", n * log(n) ** 2),
            ("3n^2 + 2m + 1", n**2 + m),
            ("1/n", n**-1),
            ("1/(n m)", (n * m) ** -1),
            ("n/m*log n", n / m * log(n)),
            ("1", Order.one()),
            ("0", Order.zero()),
            ("0.5", Order.one()),
        ],
    )
    def test_notations(self, text: str, expected: Order) -> None:
        assert parse_order(text) == expected == Order(text)

    @pytest.mark.parametrize(
        "text",
        [r"O_p(1/n)", r"O_{p}(n^{-1})", r"\mathcal{O}(n^{-1})", r"O_{\mathbb{P}}(n^{-1})", "O( n**-1 )"],
    )
    def test_bound_notations(self, text: str) -> None:
        assert parse_bound(text) == O(n**-1)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", r"text '' is not an order: expected a scale.* at position 0, found the end of the text"),
            ("n^^2", r"text 'n\^\^2' is not an order: expected a rational number.* position 2, found '\^'"),
            ("n^-1/2", r"braces around the exponent, as in n\^\{1/2\}.*position 4"),
            ("1/n m", r"a factor after a quotient is ambiguous, at position 4, found 'm'"),
            ("log n m", r"may belong to its argument, at position 6"),
            ("log n^2", r"as in \(log n\)\^2 or log\(n\^2\), of log at position 5"),
            ("log^2(n)^3", "unambiguous power"),
            ("exp(n)", "expected a scale, a number.*found 'exp'"),
            ("O(n)", "found 'O'"),
            ("f_1(n)", r"f_1 is a scale and not a function"),
            ("nlogn", "spaces around log"),
            ("n - m", "expected an operator or the end at position 2, found '-'"),
            ("n^m", "expected a rational number as the exponent"),
            ("n^{1/0}", "a denominator other than 0"),
            ("n^{1", r"expected '\}' after the exponent"),
            ("(n", r"expected an operator or '\)'"),
            ("n²", "unexpected character '²' at position 1"),
            ("1/0", "text '1/0' is not an order: the order 0 is zero"),
            ("1/(n + m)", "is a sum of several terms"),
            ("log(n/m)", "is not an order: log"),
            ("sqrt n", r"expected '\('"),
            (r"\sum n", r"unknown command .*sum at position 0"),
            ("(" * 60 + "n" + ")" * 60, "at most 40 nested groups"),
            ("log " * 60 + "n", "at most 40 nested functions"),
            ("n" * 1001, "text has 1001 characters, expected an order of at most 1000"),
            (None, "text is None, expected an order as a string"),
        ],
    )
    def test_syntax_errors(self, text: str, message: str) -> None:
        with pytest.raises(OrderError, match=message):
            parse_order(text)

    def test_bound_syntax_errors(self) -> None:
        with pytest.raises(OrderError, match="text 'n' is not a bound: expected O, o, Theta or Omega"):
            parse_bound("n")
        with pytest.raises(OrderError, match=r"expected '\(' and an order at position 2, found 'n'"):
            parse_bound("O n")
        with pytest.raises(OrderError, match="expected the end at position 4, found 'n'"):
            parse_bound("O(n)n")

    def test_scales(self) -> None:
        assert parse_order("eta log(1/eta)", [eta]) == eta * log(eta) == parse_order("eta log eta", [eta])
        with pytest.raises(OrderError, match="expected one of the scales eta at position 0, found 'n'"):
            parse_order("n", scales=[eta])
        with pytest.raises(OrderError, match="scales contain 'n', expected only instances of Scale"):
            parse_order("n", scales=["n"])  # type: ignore[list-item]
        with pytest.raises(OrderError, match="expected one scale for each name"):
            parse_order("n", scales=[n, Scale("n", to=0)])

    @law(st.text(alphabet="nm12 +-*/^(){}._\\logsqrtfac²", max_size=40))
    def test_any_text_is_an_order_or_an_order_error(self, text: str) -> None:
        try:
            order = parse_order(text)
        except OrderError as error:
            assert "\n" not in str(error)
        else:
            assert parse_order(str(order)) == order

    def test_the_worst_text_takes_seconds_at_most(self) -> None:
        text = "+".join(f"a^{i}b^{(63 - i) * (64 + i)}c^{i * 7 % 13}" for i in range(60))
        start = time.perf_counter()
        assert len(parse_order(text).terms) == 60
        assert time.perf_counter() - start < 20
