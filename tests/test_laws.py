"""Laws of single entries: moments and cumulants against closed forms, SciPy, and sums over set partitions."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import randtensor as rt
from randtensor.exact.diagrams import elements
from randtensor.exact.laws.law import Function, SparseLaw, named
from randtensor.exact.laws.scipy_laws import AffineLaw, SciPyLaw, scipy_law
from randtensor.exact.rationals import exact_number, recognised
from randtensor.programs.activations import Activation, get_activation

n = rt.Scale("n")
NAMES = ["normal", "rademacher", "uniform", "exponential", "laplace", "student(25/2)"]
SCIPY = {
    "normal": stats.norm(),
    "rademacher": stats.rv_discrete(values=([-1, 1], [0.5, 0.5]))(),
    "uniform": stats.uniform(-(3**0.5), 2 * 3**0.5),
    "exponential": stats.expon(loc=-1),
    "laplace": stats.laplace(scale=0.5**0.5),
    "student(25/2)": stats.t(12.5, scale=(10.5 / 12.5) ** 0.5),
}


def function(name: str, scale: float | Fraction = Fraction(1), inner: Function | None = None) -> Function:
    return Function(get_activation(name), scale, inner)


def plain(law, order):
    return law.cumulant((None,) * order)


def partitions(items):
    if not items:
        yield []
        return
    first, *rest = items
    for smaller in partitions(rest):
        yield [[first], *smaller]
        for k, block in enumerate(smaller):
            yield [*smaller[:k], [first, *block], *smaller[k + 1 :]]


def cumulant_by_partitions(law, marks):
    """The definition: the sum over set partitions of (-1)^(b-1) (b-1)! times the moments of the b blocks."""
    return sum(
        (-1) ** (len(p) - 1)
        * math.factorial(len(p) - 1)
        * math.prod(law.moment([marks[i] for i in block]) for block in p)
        for p in partitions(list(range(len(marks))))
    )


def test_cumulants_have_their_closed_forms():
    from sympy import bernoulli

    for k in range(1, 10):
        assert plain(named("normal"), k) == (k == 2)
        assert plain(named("exponential"), k) == (math.factorial(k - 1) if k > 1 else 0)
        even = k % 2 == 0
        assert plain(named("laplace"), k) == (Fraction(2 * math.factorial(k - 1), 2 ** (k // 2)) if even else 0)
        b = bernoulli(k)
        assert plain(named("uniform"), k) == (Fraction(int(b.p), int(b.q)) * 12 ** (k // 2) / k if even else 0)
        # The cumulants of a sign are the derivatives of log cosh at 0.
        sign = Fraction(int(b.p), int(b.q)) * 2**k * (2**k - 1) / k if even else 0
        assert plain(named("rademacher"), k) == sign


@pytest.mark.parametrize("name", NAMES)
def test_named_laws_are_those_of_scipy(name):
    law, other = named(name), SCIPY[name]
    for k in range(1, 5):
        assert float(law.raw(k)) == pytest.approx(float(other.moment(k)), abs=1e-12, rel=1e-12)
    assert law.raw(0) == 1 and law.raw(1) == 0 and law.raw(2) == 1
    assert all(isinstance(law.raw(k), Fraction) for k in range(9))
    for mark in (function("tanh"), function("relu", 0.7), function("softplus")):
        means = [other.expect(lambda x, k=k, f=mark: x**k * f(np.atleast_1d(x)).reshape(np.shape(x))) for k in (0, 1)]
        assert law.moment((mark,)) == pytest.approx(float(means[0]), abs=1e-7)
        assert law.moment((mark, None)) == pytest.approx(float(means[1]), abs=1e-7)


@settings(max_examples=25)
@given(
    st.sampled_from(NAMES),
    st.lists(st.sampled_from([None, function("square"), function("power(3)", Fraction(1, 2))]), max_size=4),
    st.randoms(use_true_random=False),
)
def test_joint_cumulants_are_sums_over_partitions(name, marks, random):
    law = named(name)
    value = law.cumulant(marks)
    assert isinstance(value, Fraction)
    if marks:
        assert value == cumulant_by_partitions(law, marks)
    shuffled = list(marks)
    random.shuffle(shuffled)
    assert law.cumulant(shuffled) == value


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["normal", "uniform", "exponential", "laplace", "rademacher"]),
    st.lists(st.integers(-3, 3), min_size=1, max_size=4),
)
def test_quadrature_agrees_with_polynomials(name, coefficients):
    law = named(name)
    values = partial(np.polynomial.polynomial.polyval, c=np.array(coefficients, float))

    def taylor(z, order):
        derivative, terms = np.polynomial.Polynomial(coefficients), []
        for k in range(order + 1):
            terms.append(derivative(z) / math.factorial(k) + 0.0 * z)
            derivative = derivative.deriv()
        return terms

    exact = Function(Activation("p", taylor, "polynomial"))
    blind = Function(Activation("f", taylor, "smooth"))
    assert exact.polynomial is not None and blind.polynomial is None
    assert np.allclose(exact(np.array([1.5])), values(np.array([1.5])))
    size = sum(abs(c) for c in coefficients) ** 2 * float(law.raw(8))
    assert law.moment((blind, blind)) == pytest.approx(float(law.moment((exact, exact))), abs=1e-12 * size + 1e-12)


def test_functions_of_a_normal_entry():
    law = named("normal")
    expected = {
        ("relu",): 1 / math.sqrt(2 * math.pi),
        ("relu", "relu"): 0.5,
        ("abs",): math.sqrt(2 / math.pi),
        ("exp",): math.exp(0.5),
        ("erf", "erf"): 2 / math.pi * math.asin(2 / 3),
        ("sin", "sin"): (1 - math.exp(-2)) / 2,
        ("cos",): math.exp(-0.5),
        ("tanh",): 0.0,
    }
    for names, value in expected.items():
        assert law.moment([function(name) for name in names]) == pytest.approx(value, abs=1e-13)
    assert law.moment((function("sin"), None, None)) == 0 and isinstance(law.moment((function("sin"),)), Fraction)
    assert law.moment((function("exp", 3.0),)) == pytest.approx(math.exp(4.5), rel=1e-12)
    # Stein: E x f(x) = E f'(x).
    assert law.moment((function("erf"), None)) == pytest.approx(2 / math.sqrt(3 * math.pi), rel=1e-12)
    assert law.moment((function("relu", 100.0), None)) == pytest.approx(50.0, rel=1e-12)


def test_functions_compose():
    law = named("normal")
    nested = function("power(2)", Fraction(1, 2), function("square", 3))
    assert nested.polynomial == (0, 0, 0, 0, Fraction(81, 4)) and str(nested) == "power(2)(1/2 square(3 x))"
    assert law.moment((nested,)) == Fraction(243, 4)
    assert function("tanh", 2, function("square")).parity == 1 and function("tanh", 2, function("sin")).parity == -1
    assert function("exp", 1, function("sin")).parity == 0 and function("relu").parity == 0
    inner = function("cos", 1, function("sin"))
    expected = stats.norm().expect(lambda x: math.cos(math.sin(x)))
    assert law.moment((inner,)) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=20)
@given(st.sampled_from(NAMES[:5]), st.integers(1, 6), st.integers(2, 40))
def test_sparse_moments_and_cumulants(name, order, size):
    base, density = named(name), Fraction(1, size**2)
    law, symbolic = SparseLaw(base, density), SparseLaw(base, n**-2)
    assert law.raw(order) == base.raw(order) * Fraction(size) ** (order - 2)
    assert plain(law, order) == pytest.approx(float(cumulant_by_partitions(law, [None] * order)))
    assert float(plain(law, order)) == pytest.approx(
        float(rt.expansions.Expansion.of(plain(symbolic, order)).evaluate({"n": size})), rel=1e-12
    )


def test_sparse_laws_by_hand():
    signs = SparseLaw(named("rademacher"), Fraction(1, 4))
    assert plain(signs, 4) == 4 - 3
    assert str(plain(SparseLaw(named("rademacher"), n**-0.5), 4)) == "n^{1/2} - 3"
    assert signs.moment((function("abs"), function("tanh"), None)) == pytest.approx(math.tanh(2.0), abs=1e-12)
    assert signs.moment((function("cos"),)) == pytest.approx(0.75 + 0.25 * math.cos(2.0), abs=1e-12)
    with pytest.raises(rt.ExactError, match="no sums of powers, expected a polynomial or a numerical density"):
        SparseLaw(named("normal"), n**-0.5).moment((function("tanh"), None))
    assert str(SparseLaw(named("normal"), n**-0.5).moment((function("square"), None, None))) == "3 n^{1/2}"


def test_scipy_laws_are_exact_where_they_can_be():
    for name, distribution in SCIPY.items():
        law = scipy_law(distribution, name)
        if name != "rademacher":
            assert isinstance(law, AffineLaw) and law.symmetric == named(name).symmetric
            assert all(law.raw(k) == named(name).raw(k) for k in range(8))
            assert law.moment((function("relu"),)) == pytest.approx(named(name).moment((function("relu"),)), abs=1e-12)
    shifted = scipy_law(stats.norm(1, 0.1), "norm")
    assert [plain(shifted, k) for k in (1, 2, 3)] == [1, Fraction(1, 100), 0] and not shifted.symmetric
    assert shifted.moment((function("relu"),)) == pytest.approx(1.0, abs=1e-9)
    gamma = scipy_law(stats.gamma(2), "gamma")
    assert type(gamma) is SciPyLaw and [plain(gamma, k) for k in range(1, 5)] == [2, 2, 4, 12]
    assert [plain(scipy_law(stats.poisson(3.0), "poisson"), k) for k in (1, 2, 3)] == [3, 3, 3]
    assert scipy_law(stats.poisson(2.0), "p").moment((function("exp", -1.0),)) == pytest.approx(
        math.exp(2 * (math.exp(-1) - 1))
    )
    assert plain(scipy_law(stats.Normal(mu=3.0), "Normal"), 2) == 1
    assert isinstance(plain(scipy_law(stats.lognorm(0.3), "lognorm"), 3), float)


def test_infinite_and_unknown_moments_are_refused():
    with pytest.raises(rt.ExactError, match=r"the moment of order 6 of student\(5\) is infinite"):
        named("student(5)").moment((None,) * 6)
    with pytest.raises(rt.ExactError, match="the moment of order 2 of cauchy is infinite"):
        scipy_law(stats.cauchy(), "cauchy").raw(2)
    with pytest.raises(rt.ExactError, match="the moment of order 6 of t is infinite"):
        plain(scipy_law(stats.t(5), "t"), 6)
    for law, mark in [(named("exponential"), function("exp")), (named("normal"), function("log"))]:
        with pytest.raises(rt.ExactError, match="is not found by quadrature, expected a finite integral"):
            law.moment((mark,))
    with pytest.raises(
        rt.ExactError, match=r"the mean of log\(x\) under the law rademacher is nan, expected a finite one"
    ):
        named("rademacher").moment((function("log"),))
    with pytest.raises(rt.ExactError, match=r"the mean of log.* under the law sparse rademacher of density 1/2 is"):
        SparseLaw(named("rademacher"), Fraction(1, 2)).moment((function("log", 1, function("abs")),))
    with pytest.raises(rt.ExactError, match="the mark '\\*' is no function of a real entry"):
        named("normal").moment(("*",))
    for bad in ("cauchy", "student(2)", "student", "Normal", "student(x)"):
        with pytest.raises(rt.InputError, match=r"law is .*, expected a SciPy distribution, normal, rademacher"):
            named(bad)


def test_numbers_are_recognised_only_where_they_are_meant():
    assert recognised(0.1 + 0.2) == Fraction(3, 10) and recognised(2 / 3) == Fraction(2, 3)
    for value in (math.pi, 1e-17, 1e9 + 1 / 3, 2**0.5):
        assert recognised(value) == value and isinstance(recognised(value), float)
    assert exact_number(0.1) == Fraction(1, 10) and isinstance(exact_number(1 / 3), float)


def test_gaussian_elements_know_the_law_of_their_entries():
    assert elements.Gaussian("g", (3, 4)).cumulant((function("square"), None, None)) == 2
    for element in (
        elements.Gaussian("c", (3,), is_complex=True),
        elements.Gaussian.symmetric("s", 3, 2),
        elements.Gaussian("k", (2,), covariances=[elements.Fixed("A", np.eye(2))]),
    ):
        assert element.law is None
        with pytest.raises(rt.ExactError, match=r"acts on the entries of ., expected i\.i\.d\. real entries"):
            element.cumulant((None, None))
