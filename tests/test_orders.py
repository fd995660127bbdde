"""The calculus of orders: algebraic laws, comparison, substitution, bounds, text."""

from __future__ import annotations

import copy
import math
import pickle
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from randtensor.errors import OrderError
from randtensor.orders import (
    Bound,
    O,
    Omega,
    Order,
    Scale,
    Term,
    Theta,
    compare,
    log,
    loglog,
    o,
    parse_bound,
    parse_order,
)

n, m, eta = Scale("n"), Scale("m"), Scale("eta", to=0)
SCALES = [n, m, eta]
HALF = Fraction(1, 2)

exponents = st.fractions(min_value=-2, max_value=2, max_denominator=3)
small = st.integers(min_value=-2, max_value=2).map(Fraction)
positive = st.fractions(min_value=Fraction(1, 3), max_value=3, max_denominator=3)


@st.composite
def monomials(draw: st.DrawFn, scales: tuple[Scale, ...] = tuple(SCALES), logs: bool = True) -> Order:
    result = Order.one()
    for scale in scales:
        result *= scale ** draw(exponents)
        if logs and draw(st.booleans()):
            result *= log(scale) ** draw(small) * loglog(scale) ** draw(small)
    return result


@st.composite
def orders(draw: st.DrawFn, logs: bool = True) -> Order:
    terms = draw(st.lists(monomials(logs=logs), max_size=3))
    return sum(terms, Order.zero())


bounds = st.builds(Bound, st.sampled_from(["O", "o", "Theta", "Omega"]), orders())


def law(*strategies: st.SearchStrategy[object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property test; without a deadline, since a loaded machine is no failure of a law."""
    return lambda test: settings(deadline=None, max_examples=60)(given(*strategies)(test))


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
        with pytest.raises(
            OrderError, match=r"float 0\.1, which is not an exact fraction.*Fraction\(1, 10\)"
        ):
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
        assert a * c <= b * c or not a <= b
        assert a * c < b * c or not a < b or c == 0

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

    @pytest.mark.parametrize("name", ["", "2n", "n-1", "n²", "log", "O", "n m", None])
    def test_bad_names(self, name: str) -> None:
        with pytest.raises(OrderError, match="^name is "):
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


class TestBounds:
    def test_implications(self) -> None:
        exact = Theta(n**-1)
        for weaker in (O(n**-1), O(n**-0.5), o(n**-0.5), Omega(n**-2), Omega(n**-1), exact):
            assert exact.implies(weaker)
        for other in (o(n**-1), O(n**-2), Omega(1), Theta(1), Theta(n**-1 * log(n))):
            assert not exact.implies(other)
        assert o(n).implies(O(n)) and not O(n).implies(o(n)) and not O(n).implies(Omega(n))

    @law(bounds, bounds, bounds)
    def test_implication_is_a_preorder(self, a: Bound, b: Bound, c: Bound) -> None:
        assert a.implies(a)
        assert a.implies(c) or not (a.implies(b) and b.implies(c))

    @law(st.sampled_from(["O", "o", "Theta", "Omega"]), orders(), orders(), orders())
    def test_implication_chains(self, kind: str, a: Order, b: Order, c: Order) -> None:
        chain = [o(a), O(a + b), O(a + b + c)]
        assert chain[0].implies(chain[1]) and chain[1].implies(chain[2]) and chain[0].implies(chain[2])
        assert Bound(kind, a).implies(Bound(kind, a))  # type: ignore[arg-type]

    def test_products(self) -> None:
        assert Theta(n) * Theta(m) == Theta(n * m) and O(n) * Theta(m) == O(n * m) == O(n) * O(m)
        assert o(n) * O(m) == o(n * m) == Theta(m) * o(n) and Omega(n) * Omega(m) == Omega(n * m)
        assert 2 * O(n) == O(n) and n * O(m) == O(n * m) and O(n) / n**2 == O(n**-1)
        for upper in (O(m), o(m)):
            with pytest.raises(OrderError, match="bounded neither from above nor from below"):
                Omega(n) * upper

    def test_quotients_and_powers(self) -> None:
        assert O(n) / Theta(m) == O(n / m) == O(n) / Omega(m) and 1 / Omega(n) == O(1 / n)
        assert O(n) ** 2 == O(n**2) and Omega(n) ** -1 == O(n**-1) and Theta(n) ** -0.5 == Theta(n**-0.5)
        assert o(n) ** 0 == Theta(1)
        with pytest.raises(OrderError, match=r"the divisor is O\(n\), which may vanish"):
            Theta(1) / O(n)

    def test_sums_of_magnitudes(self) -> None:
        assert Theta(n) + O(n**0.5) == Theta(n) and Theta(n) + O(n**2) == O(n**2)
        assert o(n) + o(m) == o(n + m) and o(n) + O(n**0.5) == o(n) and O(n) + O(m) == O(n + m)
        assert Omega(n) + O(n**2) == Omega(n) and Theta(n) + Theta(m) == Theta(n + m)
        assert n + O(m) == O(n + m) and 1 + o(1) == Theta(1)

    @law(bounds, bounds)
    def test_sums_commute_and_only_weaken(self, a: Bound, b: Bound) -> None:
        assert a + b == b + a
        for summand in (a, b):
            if summand.kind in ("Theta", "Omega") and (a + b).kind in ("Theta", "Omega"):
                assert (a + b).implies(Bound("Omega", summand.order))
        if "Omega" not in (a.kind, b.kind):
            assert (a + b).implies(O(a.order + b.order))

    @law(bounds, bounds, bounds)
    def test_products_are_monotone(self, a: Bound, b: Bound, c: Bound) -> None:
        """What follows from a follows from it within a product too."""
        assume(a.implies(b) and "Omega" not in (a.kind, b.kind, c.kind))
        assert (a * c).implies(b * c)

    def test_zero(self) -> None:
        assert O(0).implies(o(n)) and O(0).implies(Theta(0)) and o(0).implies(O(0))
        assert not O(0).implies(Theta(n)) and O(n).implies(Omega(0)) and Theta(n) + O(0) == Theta(n)

    def test_substitution_text_and_latex(self) -> None:
        assert O(m).substitute(m=n**0.5) == O(n**0.5)
        assert str(O(n**-0.5)) == "O(n^{-1/2})" and repr(Theta(n)) == "Theta('n')"
        assert Omega(n)._repr_latex_() == r"$\Omega\left(n\right)$"

    def test_arguments(self) -> None:
        assert O(2 * n) == O("n") == O(n) and type(O(n).order) is Order and O(5) == O(1)
        with pytest.raises(OrderError, match="kind is 'Q', expected one of O, o, Theta, Omega"):
            Bound("Q", n)  # type: ignore[arg-type]
        with pytest.raises(OrderError, match="order is None, expected an Order"):
            O(None)  # type: ignore[arg-type]
        with pytest.raises(OrderError, match="other is 3, expected a Bound"):
            O(n).implies(3)  # type: ignore[arg-type]


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
