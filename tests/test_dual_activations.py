"""Gaussian integrals of pairs against closed forms, adaptive quadrature and exact rules for other purposes."""

from itertools import pairwise

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit

from randtensor.errors import ExactError
from randtensor.exact.derivatives._integrals import PreActivations, gaussian_integrals
from randtensor.exact.dual.activation import dual
from randtensor.exact.dual.closed_forms import closed_form
from randtensor.exact.dual.pairs import GaussianPairs
from randtensor.exact.dual.quadrature import pair_integrals
from randtensor.programs.activations import Activation, get_activation, leaky_relu

ONE_PAIR = (np.array([0]), np.array([1]))

#: Variances of both and angle, with degenerate pairs.
PAIRS = [
    *((1.0, 1.0, np.pi / 3), (1.0, 2.0, 0.0), (4.0, 0.5, 2.0), (100.0, 30.0, 0.04), (1e4, 2e4, 0.8), (1e6, 1e2, np.pi)),
    *((0.01, 0.02, 1.5), (3e-6, 1e-6, 0.4), (7.0, 7.0, 1e-4), (0.0, 2.0, 0.0)),
]
P, Q, THETA = map(np.array, zip(*PAIRS, strict=True))
C = np.sqrt(P * Q) * np.cos(THETA)


def pair_of(x, y):
    return GaussianPairs.of_inputs(np.array([x, y], dtype=float), *ONE_PAIR)


@pytest.mark.parametrize("name", ["erf", "gelu", "sin", "cos", "exp", "square", "power(3)", "linear"])
def test_quadrature_agrees_with_closed_forms(name):
    activation = get_activation(name)
    # Waves and exponentials of large variances need more nodes than any grid has.
    moderate = P < 50 if name in ("sin", "cos", "exp") else slice(None)
    arguments = [x[moderate] for x in (P, Q, C, THETA)]
    for closed, found in zip(closed_form(activation)(*arguments), pair_integrals(activation, *arguments), strict=True):
        assert found == pytest.approx(closed, rel=2e-12, abs=1e-12 * np.abs(closed).max() if name == "sin" else 1e-16)


def test_polynomials_against_symbolic_moments():
    p, q, c, x, y = sympy.symbols("p q c x y", positive=True)
    # E u^3 v^3 and 9 E u^2 v^2 by differentiation of the characteristic function.
    characteristic = sympy.exp((p * x**2 + 2 * c * x * y + q * y**2) / 2)
    value = sympy.diff(characteristic, x, 3, y, 3).subs({x: 0, y: 0})
    slope = 9 * sympy.diff(characteristic, x, 2, y, 2).subs({x: 0, y: 0})
    at = {p: 2, q: 3, c: -1}
    found = closed_form(get_activation("power(3)"))(*(np.array([v]) for v in (2.0, 3.0, -1.0, 2.0)))
    assert [float(f[0]) for f in found] == [float(value.subs(at)), float(slope.subs(at))]


@pytest.mark.parametrize("slope", [0.0, 0.3, -1.0, 2.5])
@pytest.mark.parametrize("y", [(0.5, 1.25), (-2.0, 0.1), (3.0, 0.0), (-3.0, 0.0)])
def test_piecewise_linear_against_integrals_over_sectors(slope, y):
    """The rule for products of any number of factors, which integrates over angles between kinks."""
    activation, points = leaky_relu(slope), PreActivations([np.array([1.5, 0.0]), np.array(y)], 1)
    value, derivative = ((0, 0, 1), (1, 0, 1)), ((0, 1, 1), (1, 1, 1))
    expected = gaussian_integrals(activation, points, [value, derivative])
    after, slopes = dual(activation, pair_of((1.5, 0.0), y))
    assert after.covariances[0] == pytest.approx(float(expected[value]), abs=1e-13)
    assert slopes[0] == pytest.approx(float(expected[derivative]), abs=1e-13)


@pytest.mark.parametrize(
    ("name", "phi", "slope"),
    [
        ("tanh", np.tanh, lambda z: 1 / np.cosh(z) ** 2 if abs(z) < 300 else 0.0),
        ("softplus", lambda z: np.logaddexp(0, z), expit),
        ("silu", lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
        ("arctan", np.arctan, lambda z: 1 / (1 + z**2)),
    ],
)
@pytest.mark.parametrize("deviation", [0.3, 3.0, 300.0])
def test_variances_against_one_adaptive_integral(name, phi, slope, deviation):
    def mean(function):
        def integrand(z):
            return function(z) * np.exp(-((z / deviation) ** 2) / 2) / deviation / np.sqrt(2 * np.pi)

        ends = sorted({min(e, 12 * deviation) for e in (0.0, 1.0, 10.0, 100.0, 3000.0)})
        pieces = [piece for a, b in pairwise(ends) for piece in ((a, b), (-b, -a))]
        return sum(quad(integrand, *piece, epsabs=0, epsrel=1e-13, limit=200)[0] for piece in pieces)

    variance = np.array([deviation**2])
    value, derivative = pair_integrals(get_activation(name), variance, variance, variance, np.zeros(1))
    assert value[0] == pytest.approx(mean(lambda z: phi(z) ** 2), rel=1e-11)
    assert derivative[0] == pytest.approx(mean(lambda z: slope(z) ** 2), rel=1e-11)


def test_slopes_are_derivatives_of_values():
    """d/dc E phi(u) phi(v) = E phi'(u) phi'(v), with independent rules for both sides."""
    for name in ("tanh", "gelu", "relu", "softplus"):
        values = [
            dual(get_activation(name), pair_of((1.2, 0.0), (1.1 * np.cos(t), 1.1 * np.sin(t))))
            for t in np.arccos(0.4 + np.array([-1e-4, 0.0, 1e-4]))
        ]
        difference = (values[2][0].covariances - values[0][0].covariances) / (2e-4 * 1.2 * 1.1)
        assert difference == pytest.approx(values[1][1], rel=1e-7)


def test_slopes_of_almost_parallel_inputs_keep_their_digits():
    angle = 1e-9
    after, slopes = dual(get_activation("relu"), pair_of((1.0, 0.0), (np.cos(angle), np.sin(angle))))
    assert 0.5 - slopes[0] == pytest.approx(angle / (2 * np.pi), rel=1e-6)
    # 1 - cos(next angle) = angle^2 / 2 up to relative corrections of the order of the angle
    assert after.angles[0] == pytest.approx(angle, rel=1e-6)


@given(st.floats(0, 3.14), st.floats(0, 3.14), st.floats(0.1, 3), st.floats(0.1, 3))
@settings(max_examples=20, deadline=None)
def test_sums_are_those_of_gram_matrices(first, second, long, short):
    vectors = [np.array([[1.0, 0.0], [x * np.cos(t), x * np.sin(t)]]) for x, t in ((long, first), (short, second))]
    joined = GaussianPairs.of_inputs(np.concatenate(vectors, axis=1), *ONE_PAIR)
    found = GaussianPairs.of_inputs(vectors[0], *ONE_PAIR) + GaussianPairs.of_inputs(vectors[1], *ONE_PAIR)
    for name in ("variances", "covariances", "angles"):
        assert getattr(found, name) == pytest.approx(getattr(joined, name), abs=1e-13)


def test_integrals_that_do_not_exist():
    pair = pair_of((30.0, 0.0), (0.0, 30.0))
    with pytest.raises(ExactError, match="integrals of 'exp' exceed the range of floating-point numbers for pre-act"):
        dual(get_activation("exp"), pair_of((30.0, 0.0), (30.0, 0.0)))
    with pytest.raises(
        ExactError, match="integrals of 'log' and its derivative are not finite, expected an activation"
    ):
        dual(get_activation("log"), pair)

    def steep(z, order):
        assert order <= 1
        return [np.tanh(1e7 * z), 1e7 / np.cosh(np.minimum(np.abs(1e7 * z), 300)) ** 2][: order + 1]

    with pytest.raises(
        ExactError, match="do not converge for pre-activations of standard deviation 30, expected an act"
    ):
        dual(Activation("steep", steep, "smooth", odd=True), pair)
