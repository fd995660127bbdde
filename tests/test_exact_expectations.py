"""Exact expectations and variances of dense contractions: textbook polynomials, identities, and samples."""

import math
from fractions import Fraction
from string import ascii_letters

import numpy as np
import pytest

import randtensor as rt
from randtensor.exact.diagrams.averages import Averages

n, m = rt.Scale("n"), rt.Scale("m")


def power_trace(matrix, k, transposed=False):
    """tr M^k, or tr (M M^T)^k."""
    letters = ascii_letters
    if transposed:
        terms = [
            t
            for i in range(k)
            for t in (letters[2 * i : 2 * i + 2], letters[(2 * i + 2) % (2 * k)] + letters[2 * i + 1])
        ]
        return rt.einsum(",".join(terms) + "->", *[matrix] * (2 * k))
    terms = [letters[i] + letters[(i + 1) % k] for i in range(k)]
    return rt.einsum(",".join(terms) + "->", *[matrix] * k)


POLYNOMIALS = [
    ("abc,abc->", "n^3", "2 n^3"),
    ("abc,ade,fbe,fdc->", "3 n^4", "4 n^6 + 72 n^5 + 12 n^4 + 8 n^3"),
    ("abc,abd,efd,efc->", "n^5 + n^4 + n^3", "8 n^7 + 20 n^6 + 28 n^5 + 20 n^4 + 20 n^3"),
    (
        "abc,ade,fbe,fgh,idh,igc->",
        "n^6 + 9 n^5 + 3 n^4 + 2 n^3",
        "20 n^9 + 480 n^8 + 1992 n^7 + 2708 n^6 + 2850 n^5 + 1680 n^4 + 440 n^3",
    ),
    ("adg,aei,beh,bfg,cfi,cdh->", "3 n^6 + 3 n^5 + 9 n^4", None),
    ("aac,bbc->", "n^2", "2 n^3"),
    ("abcd,abce,fghe,fghd->", "n^7 + n^5 + n^4", None),
    ("abcd,abef,ghef,ghcd->", "2 n^6 + n^4", "36 n^8 + 40 n^6 + 20 n^4"),
    ("ab,bc,cd,da->", "n^2 + 2 n", "4 n^4 + 60 n^2 + 32 n"),
]


@pytest.mark.parametrize(("equation", "mean", "variance"), POLYNOMIALS, ids=[row[0] for row in POLYNOMIALS])
def test_invariants_of_real_gaussian_tensors(equation, mean, variance):
    tensor = rt.gaussian(*[n] * equation.index(","))
    c = rt.einsum(equation, *[tensor] * (equation.count(",") + 1))
    assert str(c.expectation()) == mean
    assert variance is None or str(c.variance()) == variance


def test_complex_invariants():
    T = rt.complex_gaussian(n, n, n)
    S = T.conj()
    pillow = rt.einsum("abc,abd,efd,efc->", T, S, T, S)
    assert str(pillow.expectation()) == "n^5 + n^4"
    assert str(pillow.variance()) == "4 n^7 + 10 n^6 + 4 n^5 + 2 n^3"
    k33 = rt.einsum("adg,aei,beh,bfg,cfi,cdh->", T, S, T, S, T, S)
    assert str(k33.expectation()) == "3 n^6 + 3 n^5"
    assert str(k33.variance()) == "84 n^9 + 216 n^8 + 189 n^7 + 126 n^6 + 63 n^5 + 6 n^3"


@pytest.mark.parametrize(
    ("family", "k", "polynomial"),
    [
        (rt.goe, 2, "n^2 + n"),
        (rt.goe, 4, "2 n^3 + 5 n^2 + 5 n"),
        (rt.goe, 6, "5 n^4 + 22 n^3 + 52 n^2 + 41 n"),
        (rt.goe, 8, "14 n^5 + 93 n^4 + 374 n^3 + 690 n^2 + 509 n"),
        (rt.gue, 4, "2 n^3 + n"),
        (rt.gue, 6, "5 n^4 + 10 n^2"),
        (rt.gue, 8, "14 n^5 + 70 n^3 + 21 n"),
    ],
)
def test_moments_of_symmetric_matrices(family, k, polynomial):
    assert str(power_trace(family(n), k).expectation()) == polynomial


@pytest.mark.parametrize(
    ("k", "polynomial"),
    [
        (2, "2 n^3 + n^2"),
        (3, "5 n^4 + 6 n^3 + 4 n^2"),
        (4, "14 n^5 + 29 n^4 + 42 n^3 + 20 n^2"),
        (5, "42 n^6 + 130 n^5 + 305 n^4 + 320 n^3 + 148 n^2"),
        (6, "132 n^7 + 562 n^6 + 1884 n^5 + 3229 n^4 + 3240 n^3 + 1348 n^2"),
    ],
)
def test_moments_of_wishart_matrices(k, polynomial):
    assert str(power_trace(rt.gaussian(n, n), k, transposed=True).expectation()) == polynomial
    assert str(power_trace(rt.wishart(n, n), k).expectation()) == polynomial


def test_rectangular_and_non_gaussian_entries():
    c = power_trace(rt.gaussian(m, n), 2, transposed=True)
    rows, columns = rt.Expansion.of(m), rt.Expansion.of(n)
    assert c.expectation() == rows * columns * (rows + columns + 1)
    for law, kappa in (("rademacher", -2), ("uniform", Fraction(-6, 5)), ("exponential", 6), ("laplace", 3)):
        value = power_trace(rt.iid(law, n, n), 2, transposed=True).expectation()
        assert value.exact({"n": 5}) == 2 * 125 + 25 * (1 + kappa)


def test_products_of_matrices():
    A, B = rt.gaussian(n, n), rt.gaussian(n, n)
    P = rt.einsum("ab,bc->ac", A, B)
    assert str(power_trace(P, 1, transposed=True).expectation()) == "n^3"
    assert str(power_trace(P, 2, transposed=True).expectation()) == "3 n^5 + 3 n^4 + 3 n^3"
    assert str(power_trace(P, 3, transposed=True).expectation()) == "12 n^7 + 30 n^6 + 75 n^5 + 72 n^4 + 36 n^3"
    Q = rt.einsum("ab,bc->ac", P, rt.gaussian(n, n))
    assert str(power_trace(Q, 2, transposed=True).expectation()) == "4 n^7 + 6 n^6 + 12 n^5 + 5 n^4"


def test_symmetric_tensors():
    S = rt.symmetric_gaussian(n, 3)
    sizes = {"n": 7}
    for equation, value in (
        ("abc,abc->", Fraction(7 * 8 * 9, 6)),
        ("abc,ade,fbe,fdc->", Fraction(7 * 81 * 10, 12)),
        ("abc,abd,efd,efc->", Fraction(7 * 9 * (343 + 6 * 49 + 13 * 7 + 16), 36)),
    ):
        c = rt.einsum(equation, *[S] * (equation.count(",") + 1))
        assert c.expectation().exact(sizes) == value == c.expectation(7)


def test_matrix_product_states():
    D, q = rt.Scale("D"), rt.Scale("q")
    A, B = rt.gaussian(D, D, q), rt.gaussian(D, D, q)
    c = rt.einsum("xys,yxt,uvs,vut->", A, B, A, B)
    at = {"D": 5, "q": 3}
    assert (c * c).expectation().exact(at) == 25 * 9 * (25 * 9 + 2 * 25 + 4 * 3 + 2)


def test_one_dimensional_contractions_are_gaussian_moments():
    for equation, *_ in POLYNOMIALS:
        tensor = rt.gaussian(*[n] * equation.index(","))
        count = equation.count(",") + 1
        c = rt.einsum(equation, *[tensor] * count)
        assert c.expectation()(1) == math.prod(range(count - 1, 0, -2))


def test_haar_matrices():
    U, orthogonal = rt.haar(n, group="unitary"), rt.haar(n)
    for k in (1, 2, 3):
        c = power_trace(U, k)
        square = c * c.conj()
        assert square.expectation().exact({"n": 12}) == k
        assert [square.expectation(size) for size in (1, 2, 3, 4)] == [min(k, size) for size in (1, 2, 3, 4)]
    e = [rt.fixed(np.eye(3)[i]) for i in range(3)]
    o = rt.haar(3)
    entry = rt.einsum("a,ab,b->", e[0], o, e[0])
    assert float((entry * entry * entry * entry).expectation().exact({})) == pytest.approx(3 / 15, rel=1e-14)
    trace = rt.einsum("aa->", orthogonal)
    assert (trace * trace * trace * trace).expectation().exact({"n": 9}) == 3
    with pytest.raises(rt.OrderError, match="only from n = 2 on"):
        (trace * trace * trace * trace).expectation()(1)


def test_haar_and_traceless_signs():
    half = rt.Scale("h")
    signs = rt.block(rt.identity(half), -rt.identity(half))
    U = rt.haar(2 * half, group="unitary")
    c = rt.einsum("ab,bc,cd,ad->", signs, U, signs, U.conj())
    for h in (2, 5):
        size = 2 * h
        assert (c * c.conj()).expectation(h) == Fraction(size**2, size**2 - 1)
    d = rt.einsum("ab,bc,cd,ed,ef,fg,gh,ah->", signs, U, signs, U.conj(), signs, U, signs, U.conj())
    assert d.expectation(5) == Fraction(-10, 99) == d.expectation().exact({"h": 5})


def test_random_states():
    a, b = rt.Scale("a"), rt.Scale("b")
    psi = rt.complex_gaussian(a, b)
    purity = rt.einsum("xy,zy,zw,xw->", psi, psi.conj(), psi, psi.conj())
    norm = rt.einsum("xy,xy->", psi, psi.conj())
    at = {"a": 3, "b": 5}
    ratio = purity.expectation().exact(at) / (norm * norm).expectation().exact(at)
    assert ratio == Fraction(3 + 5, 3 * 5 + 1)
    u = rt.sphere(a, b)
    real = rt.einsum("xy,zy,zw,xw->", u, u, u, u)
    assert real.expectation().exact(at) == Fraction(15 * (3 + 5 + 1), 15 * 17)


def test_invariance_of_haar_matrices():
    G = rt.gaussian(n, n)
    rotated = rt.einsum("ab,cb->ac", rt.haar(n), G)
    for k in (1, 2):
        assert power_trace(rotated, k, True).expectation() == power_trace(G, k, True).expectation()


def test_canonical_polyadic_tensors():
    R = rt.Scale("R")
    T = rt.cp(n, n, n, rank=R)
    c = rt.einsum("abc,abc->", T, T)
    assert c.expectation() == rt.Expansion.of(R * n**3)
    S = rt.cp(n, n, n, rank=R, symmetric=True)
    # sum over r, s of (a_r . a_s)^3: E |a|^6 on the diagonal, zero off it.
    assert rt.einsum("abc,abc->", S, S).expectation()(n=4, R=3) == 3 * 4 * 6 * 8


def test_spiked_and_block_and_constant_tensors():
    noise = rt.gaussian(n, n)
    spiked = rt.spiked(noise, n**0.5)
    assert rt.einsum("ab,ab->", spiked, spiked).expectation().exact({"n": 9}) == 81 + 9
    J = rt.constant(2, n, n)
    assert str(rt.einsum("ab,ab->", J, J).expectation()) == "4 n^2"
    assert str(rt.einsum("ab,bc,ca->", J, J, J).expectation()) == "8 n^3"
    B = rt.block(rt.gaussian(n, n), rt.goe(n))
    assert str(power_trace(B, 2).expectation()) == "n^2 + 2 n"
    assert str(rt.einsum("ab,ab->", B, B).expectation()) == "2 n^2 + n"
    assert str(rt.einsum("ab,ab->", B, rt.gaussian(2 * n, 2 * n)).variance()) == "2 n^2 + n"


def test_covariances():
    rng = np.random.default_rng(5)
    A, B = (x @ x.T for x in rng.standard_normal((2, 3, 3)))
    W = rt.gaussian(3, 3, covariance=(A, B))
    c = rt.einsum("ab,cb,cd,ad->", W, W, W, W)
    # E tr (W W^T)^2 for rows with covariance A and columns with covariance B.
    expected = (
        (np.trace(A) ** 2 * np.trace(B @ B)) + np.trace(A @ A) * np.trace(B) ** 2 + np.trace(A @ A) * np.trace(B @ B)
    )
    assert float(c.expectation().exact({})) == pytest.approx(expected, rel=1e-12)


def test_elementwise_functions():
    G = rt.gaussian(n, n)
    c = rt.einsum("ab,ab->", rt.square(G), rt.square(G))
    assert str(c.expectation()) == "3 n^2"
    d = rt.einsum("ab,ab->", rt.tanh(G), G)
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    stein = float((weights * np.tanh(points) * points).sum() / weights.sum())
    assert d.expectation()(10) == pytest.approx(100 * stein, rel=1e-10)


def test_cumulants():
    g = rt.gaussian(n)
    square = rt.einsum("a,a->", g, g)
    for k in range(1, 6):
        assert square.cumulant(k)(7) == 7 * 2 ** (k - 1) * math.factorial(k - 1)
    shifted = (square - 3) * 2
    assert shifted.cumulant(3) == square.cumulant(3) * 8
    assert shifted.expectation()(7) == 8


def test_what_stops_an_exact_expectation():
    G = rt.gaussian(n, n)
    with pytest.raises(rt.ExactError, match="free indices"):
        rt.einsum("ab,bc->ac", G, G).expectation()
    with pytest.raises(rt.ExactError, match="goe"):
        rt.einsum("ab,ab->", rt.tanh(rt.goe(n)), G).expectation()
    with pytest.raises(rt.ExactError, match="not a polynomial"):
        rt.norm(G, "frobenius").expectation()
    T = rt.gaussian(n, n, n)
    with pytest.raises(rt.ExactError, match="reductions"):
        Averages(largest_work=10).average(rt.einsum("abc,ade,fbe,fgh,idh,igc->", *[T] * 6).diagram().networks[0])


def test_special_groups():
    for group, plain in (("special orthogonal", "orthogonal"), ("special unitary", "unitary")):
        S, H = rt.haar(n, group=group), rt.haar(n, group=plain)
        special, whole = (rt.einsum("ab,cb,cd,ad->", X, X.conj(), X, X.conj()) for X in (S, H))
        assert special.expectation() == whole.expectation() == rt.Expansion.of(n)
        trace = rt.einsum("aa->", S)
        assert trace.expectation() == 0
    # det O = 1 enters where the size is not above the degree: the square of a rotation's trace in the plane.
    plane = rt.einsum("aa->", rt.haar(2, group="special orthogonal"))
    with pytest.raises(rt.ExactError, match="the determinant enters below"):
        (plane * plane).expectation()


def test_orders_are_those_of_the_moments():
    T = rt.gaussian(n, n, n)
    prism = rt.einsum("abc,ade,fbe,fgh,idh,igc->", *[T] * 6)
    assert prism.order() == rt.Theta(n**6) and prism.order("std") == rt.Theta(n**4.5)
    assert prism.order("variance") == rt.Theta(n**9) and prism.order("mean") == rt.Theta(n**6)
    u, v = rt.sphere(n), rt.sphere(n)
    assert rt.einsum("a,a->", u, v).order() == rt.Theta(n**-0.5)
    free = rt.einsum("abc,b,c->a", T, u, v)
    assert free.order() == rt.Theta(1)
    with pytest.raises(rt.InputError, match="statistic is 'median', expected one of 'rms', 'mean'"):
        prism.order("median")


def test_orders_of_norms():
    T, G, u = rt.gaussian(n, n, n), rt.gaussian(n, n), rt.gaussian(n)
    assert rt.norm(T).order() == rt.Theta(n**0.5) and rt.norm(T, "operator", rows=(0,)).order() == rt.Theta(n)
    assert rt.norm(T, "frobenius").order() == rt.Theta(n**1.5) and rt.norm(T, "nuclear").order() == rt.Theta(n**2.5)
    assert rt.norm(rt.einsum("ab,b->a", G, u)).order() == rt.Theta(n)
    assert rt.norm(rt.einsum("ab,bc->ac", G, G)).order() == rt.O(n)
    assert rt.norm(rt.einsum("abc,abd->cd", T, T)).order() == rt.O(n**2.5)
    f = rt.networks.two_layer(2, n)
    H, g = f.derivative([1.0, 1.0], order=2), f.derivative([1.0, 1.0])
    assert rt.norm(rt.einsum("ab,b->a", H, g)).order() == rt.Theta(n**-0.5)
    with pytest.raises(rt.ExactError, match="no rule predicts the max norm"):
        rt.norm(T, "max").order()
