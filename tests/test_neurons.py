"""Exact expectations of networks with one hidden layer.

Statistical tests run on fixed seeds and compare z-scores, formed with the exact standard deviation, with 5, which a
normal variable passes with probability 6e-7.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neuron_correlators import CORRELATORS, X, Y, Z, constant, contraction, n, squared
from scipy.integrate import dblquad, quad
from scipy.stats import expon, uniform

import randtensor as rt
from randtensor.exact import OneHiddenLayer
from randtensor.exact.derivatives._integrals import PreActivations, gaussian_integrals
from randtensor.exact.derivatives.neurons import neuron_expectation
from randtensor.expansions import Expansion
from randtensor.networks import deep_linear, two_layer
from randtensor.programs.activations import Activation, get_activation

ONES = [1.0, 1.0, 1.0, 1.0]


# Published constants and polynomials


@pytest.mark.parametrize(
    ("name", "power", "value"),
    [
        ("Theta", 0, "0.858697"),
        ("gHg f", -1, "-0.136955"),
        ("T3ggg", -1, "-1.728014"),
        ("trH^3 f", -1, "-0.624486"),
        ("trH^4", -1, "1.623367"),
        ("gHHg", -1, "0.630587"),
        ("|H|^2", 0, "1.229010"),
        ("trH f", 0, "-0.282605"),
        ("(gHg)^2", -2, "0.727438"),
    ],
)
def test_constants_of_tanh(name, power, value):
    found = neuron_expectation(contraction(two_layer(4, n), name, ONES))
    assert found.order == n**power and found.is_exact
    assert f"{constant(found):.6f}" == value


def test_variance_of_the_kernel_of_tanh():
    f = two_layer(4, n)
    mean, square = (neuron_expectation(contraction(f, name, ONES)) for name in ("Theta", "Theta^2"))
    for width in (1, 10, 100):
        assert f"{width * (square(width) - mean(width) ** 2):.6f}" == "0.690260"


#: what is not listed vanishes
LINEAR = {
    "f f": 1,
    "f^4": 3 + Expansion.of(6) / n,
    "Theta": 2,
    "Theta^2": 4 + Expansion.of(4) / n,
    "Theta f f": 2 + Expansion.of(4) / n,
    "gHg f": Expansion.of(2) / n,
    "(gHg)^2": Expansion.of(4) / n**2,
    "gHHg": Expansion.of(2) / n,
    "trH^4": Expansion.of(2) / n,
    "|H|^2": 2,
}
RELU = LINEAR | {
    "f^4": 3 + Expansion.of(15) / n,
    "Theta^2": 4 + Expansion.of(12) / n,
    "Theta f f": 2 + Expansion.of(10) / n,
    "gHg f": Expansion.of(4) / n,
    "(gHg)^2": Expansion.of(16) / n**2,
    "gHHg": Expansion.of(4) / n,
    "trH^4": Expansion.of(4) / n,
}


@pytest.mark.parametrize("name", CORRELATORS)
def test_polynomials_of_linear_and_rectified_networks(name):
    """The rectifier is sqrt(2) max(z, 0), one factor per operand."""
    linear = neuron_expectation(contraction(two_layer(4, n, "linear"), name, ONES))
    relu = neuron_expectation(contraction(two_layer(4, n, "relu"), name, ONES))
    assert linear == Expansion.of(LINEAR.get(name, 0))
    assert relu * 2 ** (len(CORRELATORS[name][1]) // 2) == Expansion.of(RELU.get(name, 0))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_moments_of_the_output(k):
    """E f^2k of linear networks is (2k - 1)!! (1 + 2/n) ... (1 + 2(k - 1)/n)."""
    f = deep_linear(1, n, 1)([1.0])
    expected = Expansion.of(prod(range(2 * k - 1, 0, -2)))
    for j in range(k):
        expected = expected * (1 + Expansion.of(2 * j) / n)
    assert neuron_expectation(rt.einsum("," * (2 * k - 1) + "->", *[f] * (2 * k))) == expected


# Identities


@given(st.permutations(range(4)), st.integers(1, 50))
@settings(max_examples=5, deadline=None)
def test_the_order_of_operands_does_not_matter(order, width):
    f = two_layer(3, n, "softplus")
    terms, orders, inputs = ["ij", "i", "j", ""], [2, 1, 1, 0], [X, Y, X, Y]
    values = []
    for permutation in (range(4), order):
        operands = [f.derivative(inputs[i], orders[i]) for i in permutation]
        values.append(neuron_expectation(rt.einsum(",".join(terms[i] for i in permutation) + "->", *operands))(width))
    assert values[0] == pytest.approx(values[1], rel=1e-12)


@pytest.mark.parametrize("name", ["f^4", "Theta f f", "gHHg", "T3ggg"])
@pytest.mark.parametrize("activation", ["square", "power(3)"])
def test_polynomial_activations_agree_with_quadrature(activation, name):
    """Wick's theorem against trapezoidal sums of the same function, said to be merely smooth."""
    phi = get_activation(activation)
    smooth = Activation("smooth " + activation, phi.taylor, "smooth")
    exact, found = (neuron_expectation(contraction(two_layer(3, n, a), name, X, Y)) for a in (phi, smooth))
    assert exact.exact({"n": 3}) == Fraction(exact.exact({"n": 3}))
    for width in (1, 2, 7):
        assert found(width) == pytest.approx(exact(width), rel=1e-9)


def test_three_inputs_agree_with_wicks_theorem():
    phi = get_activation("square")
    smooth = Activation("square, hidden", phi.taylor, "smooth")
    exact, found = (neuron_expectation(contraction(two_layer(3, n, a), "T3ggg", X, Y, Z)) for a in (phi, smooth))
    assert constant(found) == pytest.approx(constant(exact), rel=1e-9)


@pytest.mark.parametrize("name", ["f^4", "Theta^2", "gHHg", "trH^4", "Theta f f"])
def test_leaky_rectifiers_join_absolute_values_to_lines(name):
    """Slope 1 is the line and slope -1 the absolute value, also at several inputs."""
    bent = Activation("line", get_activation("linear").taylor, "piecewise-linear")
    line, absolute, one, minus = (
        neuron_expectation(contraction(two_layer(3, n, a), name, X, Y))
        for a in ("linear", "abs", bent, "leaky_relu(-1)")
    )
    for width in (1, 5):
        assert one(width) == pytest.approx(line(width), rel=1e-12)
        assert minus(width) == pytest.approx(absolute(width), rel=1e-12)


def test_parallel_inputs_are_exact_for_rectifiers():
    """Inputs x, 2x and -x: f(2x) = 2 f(x), and f(x) and f(-x) have no neuron in common."""
    f = two_layer(3, n, "relu")
    x, twice, opposite = f(X), f([1.0, -2.0, 4.0]), f([-0.5, 1.0, -2.0])
    four = neuron_expectation(rt.einsum(",,,->", x, x, x, x))
    assert neuron_expectation(rt.einsum(",,,->", x, twice, x, twice)) == 4 * four
    q = Fraction(21, 4) / 3
    assert neuron_expectation(rt.einsum(",->", x, x)) == Expansion.of(q / 2)
    assert neuron_expectation(rt.einsum(",->", x, opposite)) == Expansion.of(0)
    # Two different neurons; the same one would have to be active at both inputs.
    assert neuron_expectation(rt.einsum(",,,->", x, opposite, x, opposite)) == q**2 / 4 * (1 - Expansion.of(1) / n)


def test_arc_cosine_kernels():
    """Kernels of degree 0 and 1 of Cho & Saul (2009)."""
    f = two_layer(3, n, "relu")
    x, y = np.array(X), np.array(Y)
    lengths = np.linalg.norm(x) * np.linalg.norm(y)
    angle = np.arccos(x @ y / lengths)
    value = lengths / 3 * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    slope = x @ y / 3 * (np.pi - angle) / (2 * np.pi)
    assert constant(neuron_expectation(contraction(f, "f f", X, Y))) == pytest.approx(value, rel=1e-13)
    assert constant(neuron_expectation(contraction(f, "Theta", X, Y))) == pytest.approx(value + slope, rel=1e-13)


def test_integrals_that_vanish_by_a_symmetry_are_zero():
    """The first derivative of the sigmoid is even, the second odd."""
    monomial = ((0, 1, 1), (0, 2, 1))
    point = PreActivations([np.ones(1)], Fraction(2))
    assert gaussian_integrals(get_activation("sigmoid"), point, [monomial])[monomial] == 0


def test_the_zero_input():
    f, bent = two_layer(3, n, "cos"), two_layer(3, n, "relu")
    assert constant(neuron_expectation(contraction(f, "f f", [0.0] * 3))) == pytest.approx(1.0)
    assert neuron_expectation(contraction(bent, "gHHg", [0.0] * 3, X)) == Expansion.of(0)


# Independent oracles


@pytest.mark.parametrize("powers", [((0, 0, 2), (1, 1, 2)), ((0, 0, 1), (0, 2, 1), (1, 1, 1), (1, 0, 1))])
def test_integrals_against_adaptive_quadrature(powers):
    phi = get_activation("tanh")
    points = PreActivations([np.array([1.0, 0.0]), np.array([0.5, 1.25])], Fraction(1))

    def integrand(b, a):
        z = (np.array([a]), np.array([0.5 * a + 1.25 * b]))
        values = [phi.taylor(x, 2) for x in z]
        factor = np.exp(-(a * a + b * b) / 2) / (2 * np.pi)
        return float(factor * prod((values[i][k][0] * (2 if k == 2 else 1)) ** e for i, k, e in powers))

    expected = dblquad(integrand, -7, 7, -7, 7, epsabs=1e-8)[0]
    assert gaussian_integrals(phi, points, [powers])[powers] == pytest.approx(expected, abs=1e-7)


def test_half_lines_against_adaptive_quadrature():
    phi = get_activation("leaky_relu(0.3)")
    points = PreActivations([np.array([1.5]), np.array([-0.5])], Fraction(1))
    for powers in (((0, 0, 3), (1, 1, 2)), ((0, 0, 2), (1, 0, 2)), ((0, 1, 1), (1, 0, 1))):

        def integrand(y, powers=powers):
            values = [phi.taylor(np.array([c * y]), 1) for c in (1.5, -0.5)]
            return float(np.exp(-y * y / 2) / np.sqrt(2 * np.pi) * prod(values[i][k][0] ** e for i, k, e in powers))

        expected = quad(integrand, -12, 0)[0] + quad(integrand, 0, 12)[0]
        assert gaussian_integrals(phi, points, [powers])[powers] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("readout", [None, expon(loc=-1)], ids=["normal", "skewed"])
@pytest.mark.parametrize("activation", ["tanh", "softplus", "square"])
def test_correlations_agree_with_their_closed_forms(activation, readout):
    """C^{0,1} and C^{0,2}: derivatives at x0 along gradients at x1, with mean and variance."""
    f, law = two_layer(3, n, activation, readout=readout), OneHiddenLayer(activation, X, Y, readout)
    g = f.derivative(Y)
    for d, first, second in ((1, "a,a", "b,b"), (2, "ab,a,b", "cd,c,d")):
        operands = [f.derivative(X, d), *[g] * d]
        mean = neuron_expectation(rt.einsum(f"{first}->", *operands))
        square = neuron_expectation(rt.einsum(f"{first},{second}->", *operands, *operands))
        for width in (1, 6, 100):
            factor = 1 if d == 1 else 0.5
            assert factor * mean(width) == pytest.approx(law.mean(d, width), rel=1e-9, abs=1e-14)
            variance = factor**2 * (square(width) - mean(width) ** 2)
            assert variance == pytest.approx(law.variance(d, width), rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("width", [2, 5])
@pytest.mark.parametrize(
    ("activation", "parametrization", "readout", "name", "inputs"),
    [
        ("tanh", "ntk", None, "gHg f", (X, Y)),
        ("tanh", "mup", None, "Theta", (X, Y, Z)),
        ("softplus", "mean-field", None, "trH f", (X, Y)),
        ("gelu", "ntk", expon(loc=-1), "|H|^2", (X, Y)),
        ("square", "standard", None, "Theta", (X, Y)),
        ("relu", "ntk", None, "Theta f f", (X, Y)),
        ("abs", "ntk", uniform(-1, 2), "gHHg", (X, Y)),
        ("leaky_relu(0.2)", "mup", None, "gHg f", (X, [-0.5, 1.0, -2.0])),
    ],
)
def test_samples(activation, parametrization, readout, name, inputs, width):
    """Sixteen comparisons; the means of 4000 heavy-tailed values are normal enough at 5 standard errors."""
    f = two_layer(3, n, activation, parametrization, readout=readout)
    c, count = contraction(f, name, *inputs), 4000
    mean = neuron_expectation(c)(width)
    variance = neuron_expectation(squared(f, name, *inputs))(width) - mean**2
    samples = c.sample(width, size=count, rng=20)
    assert abs(samples.mean() - mean) < 5 * np.sqrt(variance / count)


# Widths and parametrisations


def test_widths_are_numbers_or_multiples_of_scales():
    half, fixed = (neuron_expectation(contraction(two_layer(3, w, "relu"), "f^4", X)) for w in (2 * n, 10))
    assert half(5) == pytest.approx(float(fixed.exact({})), rel=1e-14)
    assert half.exact({"n": 5}) == fixed.exact({})


def test_pre_activations_that_grow():
    """Homogeneous activations let the growth through; others have no expansion in powers of n."""
    scheme = [(0, Fraction(1, 4)), (0, 0), (Fraction(1, 2), 0), 0]
    for activation, power in (("relu", -1), ("square", -2)):
        grown, plain = (
            neuron_expectation(contraction(two_layer(3, n, activation, p), "f^4", X, Y)) for p in (scheme, "ntk")
        )
        assert grown(7) == pytest.approx(plain(7) * 7.0**power)
    with pytest.raises(rt.ExactError, match=r"pre-activations of 'tanh' are of order n\^\{-1/4\}, expected order 1"):
        neuron_expectation(contraction(two_layer(3, n, "tanh", scheme), "f^4", X, Y))


def test_factors_in_front_and_independent_networks():
    f, g = two_layer(3, n, "linear"), two_layer(3, n, "relu")
    twice = neuron_expectation(2 * n * contraction(f, "Theta", ONES[:3]))
    assert twice == Expansion.of(4 * n)
    assert neuron_expectation(rt.einsum(",,,->", f(X), g(X), f(X), g(X))) == Fraction(21, 12) ** 2 * Expansion.of(
        Fraction(1, 2)
    )
