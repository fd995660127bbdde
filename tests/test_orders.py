"""The calculus of orders: algebraic laws, comparison, logarithms, evaluation, substitution."""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from order_strategies import HALF, SCALES, eta, law, m, monomials, n, orders, positive

from randtensor.errors import OrderError
from randtensor.orders import (
    O,
    Order,
    Scale,
    Term,
    compare,
    log,
    loglog,
)


class TestSemiring:
    @law(orders(), orders(), orders())
    def test_sums_and_products(self, a: Order, b: Order, c: Order) -> None:
        assert a + b == b + a and a * b == b * a
        assert (a + b) + c == a + (b + c)
        assert (a * b) * c == a * (b * c)
        assert a * (b + c) == a * b + a * c

    @law(orders())
    def test_neutral_and_absorbing_elements(self, a: Order) -> None:
        assert a + a == a == a + Order.zero() == a * Order.one()
        assert a * Order.zero() == Order.zero()
        assert a**0 == Order.one() == 1 and a**1 == a
        assert a * a == a**2

    @law(orders(), orders(), positive, positive)
    def test_positive_powers(self, a: Order, b: Order, p: Fraction, q: Fraction) -> None:
        assert (a**p) ** q == a ** (p * q)
        assert a**p * a**q == a ** (p + q)
        assert (a * b) ** p == a**p * b**p
        assert (a + b) ** p == a**p + b**p

    @law(monomials(), monomials())
    def test_single_terms_have_inverses(self, a: Order, b: Order) -> None:
        assert a / a == 1 and (a / b) * b == a and a**-1 == 1 / a

    def test_geometric_means_are_absorbed(self) -> None:
        assert n + m + (n * m) ** HALF == n + m
        assert (n + m) * (n + m) == n**2 + m**2
        assert n**2 + m**2 + n * m * log(n) != n**2 + m**2

    def test_numbers_stand_for_the_units(self) -> None:
        assert sum([n, m, n]) == n + m and 1 + n**-1 == 1
        with pytest.raises(OrderError, match=r"sum of the order n and 2 is ambiguous: write 1"):
            n + 2
        with pytest.raises(OrderError, match="difference with the order n may cancel"):
            n - m

    def test_powers_that_do_not_exist(self) -> None:
        with pytest.raises(OrderError, match=r"the order n \+ m is a sum of several terms.*negative power"):
            (n + m) ** -1
        with pytest.raises(OrderError, match=r"the order 0 is zero.*negative power"):
            Order.zero() ** -1
        with pytest.raises(OrderError, match=r"float 0\.1, which is not an exact fraction.*Fraction\(1, 10\)"):
            n**0.1
        with pytest.raises(OrderError, match="exponent is nan, expected a finite"):
            n**math.nan
        with pytest.raises(OrderError, match="exponent is m, expected a rational number"):
            n**m  # type: ignore[operator]

    def test_too_many_terms(self) -> None:
        terms = [n**i * m ** (70 - i) for i in range(71)]
        assert sum(terms, Order.zero()) == n**70 + m**70
        # Points of a concave curve: none is below the chord of two others.
        curve = sum((n**i * m ** (100 - i * i) for i in range(9)), Order.zero())
        with pytest.raises(OrderError, match="the order has 81 different terms, expected at most 64"):
            curve * curve.substitute({n: n**0.5, m: m ** Fraction(1, 7)})


class TestComparison:
    @law(orders(), orders())
    def test_consistent_and_mirrored(self, a: Order, b: Order) -> None:
        mirror = {"<": ">", ">": "<", "=": "=", None: None}
        relation = compare(a, b)
        assert compare(b, a) == mirror[relation]
        assert (a < b) == (b > a) == (relation == "<")
        assert (a == b) == (relation == "=") == (a <= b and b <= a)
        assert (a <= b) == (b >= a)
        assert a <= b or relation not in ("<", "=")
        assert hash(a) == hash(b) or a != b

    @law(orders(), orders(), orders())
    def test_order_laws(self, a: Order, b: Order, c: Order) -> None:
        assert a <= a and not a < a
        ab, bc = a + b, b + c
        assert a <= ab <= ab + c
        assert (a <= b) == (ab == b)
        assert a <= c or not (a <= b and b <= c)
        assert a < c or not (a < b and b <= c)
        assert a < c or not (a <= b and b < c)
        assert ab * c <= ab * bc or not c <= bc

    @law(orders(), orders(), orders())
    def test_translation_invariance(self, a: Order, b: Order, c: Order) -> None:
        assert a * c <= (a + b) * c
        for x, y in ((a, b), (a + b, b + c)):
            assert x * c <= y * c or not x <= y
            assert x * c < y * c or not x < y or c == 0

    @law(orders(), orders(), orders(), positive)
    def test_strict_translation_invariance(self, a: Order, b: Order, c: Order, p: Fraction) -> None:
        assume(a != 0 and c != 0)
        for faster in (n**p, log(m) ** p, eta**-p * n):
            assert a < (a + b) * faster and a * c < (a + b) * c * faster
            assert compare(a / faster, a + b) == "<"

    @law(monomials(), monomials(), monomials())
    def test_translation_by_single_terms_changes_nothing(self, a: Order, b: Order, c: Order) -> None:
        assert compare(a, b) == compare(a * c, b * c)

    @law(orders(logs=False), monomials(logs=False), st.lists(st.integers(0, 6), min_size=3, max_size=3))
    def test_along_every_path(self, a: Order, f: Order, direction: list[int]) -> None:
        """f <= a bounds f by a on the path n = t^d1, m = t^d2, eta = t^-d3, whatever the speeds."""
        assume(a != 0 and sum(direction) > 0)
        speed = dict(zip(SCALES, [direction[0], direction[1], -direction[2]], strict=True))

        def rate(order: Order) -> Fraction:
            return max(sum(t.exponents(s).power * v for s, v in speed.items()) for t in order.terms)

        assert rate(f) <= rate(a) or not f <= a
        # Where a scale may stand still, only the strictly growing directions show that f / a -> 0.
        assert rate(f) < rate(a) or not f < a or 0 in direction

    @law(orders(logs=False), monomials(logs=False))
    def test_against_linear_programming(self, a: Order, f: Order) -> None:
        """For pure powers, f = O(a) exactly when no direction d >= 0 has d.f > d.b for all terms b of a."""
        from scipy.optimize import linprog

        assume(a != 0)
        growth = [[float(t.exponents(s).power) * (-1 if s == eta else 1) for s in SCALES] for t in a.terms]
        target = [float(f.exponents(s).power) * (-1 if s == eta else 1) for s in SCALES]
        # minimise v with d.(b - f) <= v, sum d = 1: f escapes where v < 0.
        rows = [[*np.subtract(b, target), -1.0] for b in growth]
        best = linprog(
            [0, 0, 0, 1],
            A_ub=rows,
            b_ub=[0] * len(rows),
            A_eq=[[1, 1, 1, 0]],
            b_eq=[1],
            bounds=[(0, None)] * 3 + [(None, None)],
        )
        # Exponents have denominators at most 3, so a true escape is far above the solver's tolerance.
        assert (f <= a) == (best.fun > -1e-7)

    def test_several_scales(self) -> None:
        assert compare(n, m) is None and not n < m and not n <= m and not n >= m
        assert compare(n / m, n) == "<" and compare(n**-1, 1) == "<" and compare(eta, 1) == "<"
        assert compare(log(eta), eta**-0.5) == "<" and compare(eta * log(eta), eta) == ">"
        assert loglog(n) ** 9 < log(n) < n ** Fraction(1, 100)

    def test_neither_negligible_nor_equal(self) -> None:
        assert n <= n + m and compare(n, n + m) is None
        assert (n * m) ** HALF <= n + m and not (n * m) ** HALF < n + m
        assert n**HALF * m ** Fraction(1, 4) < n + m

    def test_logarithms_break_ties_in_the_hull(self) -> None:
        squares = n**2 + m**2
        assert n * m <= squares and not n * m * log(n) <= squares
        assert n * m / log(n) < squares
        assert n * m * log(n) <= n**2 * log(n) ** 2 + m**2

    def test_zero(self) -> None:
        assert Order.zero() < n**-5 and compare(0, 0) == "=" and not Order.zero() < 0
        assert not n <= Order.zero() and Order(0) == 0 == hash(Order.zero())

    def test_one_name_has_one_direction(self) -> None:
        other = Scale("n", to=0)
        assert other != n and n**-1 != other
        for combine in (lambda: n * other, lambda: n + other, lambda: n < other, lambda: compare(n, other)):
            with pytest.raises(OrderError, match="the scale 'n' tends to infinity and to 0"):
                combine()

    def test_foreign_objects(self) -> None:
        with pytest.raises(OrderError, match="b is None, expected an Order"):
            compare(n, None)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            _ = n < []  # type: ignore[operator]
        assert n != "n" and n != 3


class TestScale:
    def test_is_its_own_first_power(self) -> None:
        assert n == n**1 and hash(n) == hash(n**1) and {n: 3}[Scale("n")] == 3
        assert n.to == math.inf and eta.to == 0 and eta.name == "eta"
        assert (n * eta).scales == (eta, n)
        assert repr(n) == "Scale('n')" and repr(eta) == "Scale('eta', to=0)"

    def test_powers_are_written_with_two_stars(self) -> None:
        with pytest.raises(OrderError, match=r"^n\^-1 is not a power, expected n\*\*-1$"):
            n ^ -1

    @pytest.mark.parametrize("name", ["", "2n", "n-1", "n²", "log", "O", "n m", None])
    def test_bad_names(self, name: str) -> None:
        with pytest.raises(OrderError, match=r"^name is "):
            Scale(name)

    @pytest.mark.parametrize("to", [1, -math.inf, True, math.nan])
    def test_bad_limits(self, to: float) -> None:
        with pytest.raises(OrderError, match=r"^to is .* expected infinity or 0"):
            Scale("n", to=to)

    def test_immutable_and_copied_by_value(self) -> None:
        for thing in (n, eta, n * log(m) + m, 2 * n, O(n)):
            assert pickle.loads(pickle.dumps(thing)) == thing == copy.deepcopy(thing)
            with pytest.raises(AttributeError):
                thing.order = n  # type: ignore[misc]

    @law(monomials())
    def test_exponents(self, a: Order) -> None:
        rebuilt = Order.one()
        for s in SCALES:
            power, logarithm, iterated = a.exponents(s)
            rebuilt *= s**power * log(s) ** logarithm * loglog(s) ** iterated
        assert rebuilt == a

    def test_exponents_of_sums(self) -> None:
        with pytest.raises(OrderError, match="expected a single product of powers for its exponents"):
            (n + m).exponents(n)
        with pytest.raises(OrderError, match="scale is None, expected one of the several scales"):
            (n * m).exponents()


class TestLogarithm:
    def test_rules(self) -> None:
        assert log(2 * n**3) == log(n) == log(1 / n) == log(n * log(n) ** -4)
        assert log(log(n) ** 2) == loglog(n) == loglog(n**0.5)
        assert log(n * m) == log(n) + log(m) == log(n + m)
        assert log(eta) == log(eta**-2) > 1

    @pytest.mark.parametrize("bad", [n / m, n**0, n + m / n, Order.zero(), n**-1 + m**-1])
    def test_no_order(self, bad: Order) -> None:
        with pytest.raises(OrderError, match=r"^log\(.*\) is not an order"):
            log(bad)

    def test_third_iterate(self) -> None:
        with pytest.raises(OrderError, match=r"log\(loglog n\) needs a third iterated logarithm"):
            loglog(log(n))
        with pytest.raises(OrderError, match="order is 5, expected a Scale"):
            log(5)  # type: ignore[arg-type]


class TestEvaluation:
    @law(monomials(), monomials())
    def test_homomorphism(self, a: Order, b: Order) -> None:
        sizes = {"n": 20, "m": 50.0, "eta": 0.01}
        assert (a * b).evaluate(sizes) == pytest.approx(a.evaluate(sizes) * b.evaluate(sizes), rel=1e-12)
        assert Term(3, a).evaluate(sizes) == 3 * a.evaluate(sizes)

    def test_ways_to_give_sizes(self) -> None:
        assert (n**0.5)(16) == (n**0.5)(n=16) == (n**0.5).evaluate({n: 16, m: 2}) == 4
        assert (n + m).evaluate({"n": 2, "m": 3}) == 5
        assert log(eta)(math.exp(-2)) == pytest.approx(2)
        assert (n * log(n))(1) == 0 and Order.one()(7) == 1 and Order.zero()(7) == 0

    @pytest.mark.parametrize(
        ("evaluate", "message"),
        [
            (lambda: (n * m)(16), "sizes are 16, expected a mapping with a size for each of m, n"),
            (lambda: n.evaluate({"m": 2}), "expected a size for the scale 'n'"),
            (lambda: n(-1), "size is -1 for the scale 'n', expected a positive finite number"),
            (lambda: n(10**400), "expected a positive finite number"),
            (lambda: (log(n) ** -1)(1), r"size is n = 1, where log\(n\) is 0"),
            (lambda: loglog(n)(2), r"where loglog\(n\) is -0\.36"),
            (lambda: log(eta)(10), r"where log\(1/eta\) is -2\.3"),
            (lambda: (n**400)(16), "the order n\\^400 exceeds the range of a float"),
            (lambda: n.evaluate({Scale("n", to=0): 3}), "tends to infinity and to 0"),
            (lambda: n(3, n=3), "size is 3 beside sizes by name"),
            (lambda: (1e300 * n)(1e300), "exceeds the range of a float"),
        ],
    )
    def test_errors(self, evaluate: object, message: str) -> None:
        with pytest.raises(OrderError, match=message):
            evaluate()  # type: ignore[operator]


class TestSubstitution:
    @law(orders(), orders(), positive)
    def test_homomorphism(self, a: Order, b: Order, p: Fraction) -> None:
        def image(x: Order) -> Order:
            return x.substitute({m: n**p, eta: n**-p})

        assert image(a + b) == image(a) + image(b)
        assert image(a * b) == image(a) * image(b)

    @law(orders(), orders(), positive)
    def test_powers_preserve_comparison(self, a: Order, b: Order, p: Fraction) -> None:
        image_a, image_b = (x.substitute(n=n**p) for x in (a, b))
        assert compare(image_a, image_b) == compare(a, b)
        assert image_a.substitute(n=n ** (1 / p)) == a

    @law(orders(), orders(), positive)
    def test_dependence_keeps_bounds(self, a: Order, b: Order, p: Fraction) -> None:
        image_a, image_b = (x.substitute({m: n**p}) for x in (a, b))
        assert image_a <= image_b or not a <= b
        assert image_a < image_b or not a < b

    def test_examples(self) -> None:
        assert (n / m).substitute({n: m, m: n}) == m / n
        assert (m * loglog(m)).substitute(m=log(n) * n) == n * log(n) * loglog(n)
        assert log(m).substitute(m=log(n)) == loglog(n)
        assert (eta * log(eta)).substitute(eta="n^{-1/2}") == n**-0.5 * log(n)
        assert n.substitute(k=m) == n

    @pytest.mark.parametrize(
        ("substitute", "message"),
        [
            (lambda: eta.substitute({eta: n}), "replacement of eta is n, expected an order that tends to 0"),
            (lambda: eta.substitute(eta=0), "replacement of eta is 0, expected an order that tends to 0"),
            (lambda: m.substitute(m=n**-1), "expected an order that tends to infinity"),
            (lambda: m.substitute(m=3), "replacement of m is 1, expected an order that tends to infinity"),
            (lambda: m.substitute({m: n}, m=n), "'m' is replaced twice"),
            (lambda: m.substitute({3: n}), "the replaced scale is 3, expected a Scale"),
            (lambda: loglog(m).substitute(m=log(n)), "third iterated logarithm"),
            (lambda: n.substitute({Scale("n", to=0): m**-1}), "tends to infinity and to 0"),
        ],
    )
    def test_errors(self, substitute: object, message: str) -> None:
        with pytest.raises(OrderError, match=message):
            substitute()  # type: ignore[operator]
