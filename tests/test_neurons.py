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
from scipy.integrate import dblquad, quad
from scipy.stats import expon, t, uniform

import randtensor as rt
from randtensor.exact import OneHiddenLayer
from randtensor.exact.derivatives._integrals import PreActivations, gaussian_integrals
from randtensor.exact.derivatives.neurons import neuron_cumulant, neuron_expectation
from randtensor.expansions import Expansion
from randtensor.networks import deep_linear, mlp, two_layer
from randtensor.programs.activations import Activation, get_activation

n = rt.Scale("n")
ONES = [1.0, 1.0, 1.0, 1.0]
LETTERS = "abcdefghijklmnopq"
X, Y, Z = [0.5, -1.0, 2.0], [1.5, 0.5, -0.5], [0.25, 1.0, 0.75]

#: name: equation and orders of its operands
CORRELATORS = {
    "f f": (",->", (0, 0)),
    "f^4": (",,,->", (0, 0, 0, 0)),
    "Theta": ("i,i->", (1, 1)),
    "Theta^2": ("i,i,j,j->", (1, 1, 1, 1)),
    "Theta f f": ("i,i,,->", (1, 1, 0, 0)),
    "gHg f": ("ij,i,j,->", (2, 1, 1, 0)),
    "(gHg)^2": ("ij,i,j,kl,k,l->", (2, 1, 1, 2, 1, 1)),
    "gHHg": ("i,ij,jk,k->", (1, 2, 2, 1)),
    "T3ggg": ("ijk,i,j,k->", (3, 1, 1, 1)),
    "trH^3 f": ("ij,jk,ki,->", (2, 2, 2, 0)),
    "trH^4": ("ij,jk,kl,li->", (2, 2, 2, 2)),
    "|H|^2": ("ij,ij->", (2, 2)),
    "|T3|^2": ("ijk,ijk->", (3, 3)),
    "T3Hgf": ("ijk,ij,k,->", (3, 2, 1, 0)),
    "trH f": ("ii,->", (2, 0)),
}


def contraction(f, name, *inputs):
    """A correlator of the table, with the inputs assigned to its operands in turn."""
    equation, orders = CORRELATORS[name]
    operands = [f.derivative(inputs[i % len(inputs)], order) for i, order in enumerate(orders)]
    return rt.einsum(equation, *operands, probes=0)


def squared(f, name, *inputs):
    """The square of a correlator, as one contraction."""
    equation, orders = CORRELATORS[name]
    terms = equation.removesuffix("->")
    shifted = "".join(chr(ord(c) + 5) if c.isalpha() else c for c in terms)
    operands = [f.derivative(inputs[i % len(inputs)], order) for i, order in enumerate(orders)]
    return rt.einsum(f"{terms},{shifted}->", *operands, *operands, probes=0)


def constant(expansion):
    """The coefficient of an expansion in one term."""
    return float(expansion.leading.coefficient)


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


# Cumulants


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "leaky_relu(0.3)"])
@pytest.mark.parametrize(("name", "power"), [("Theta", -1), ("gHHg", -3), ("trH^4", -3), ("gHg f", -2), ("f f", 0)])
def test_leading_terms_of_variances_cancel_exactly(activation, name, power):
    """Odd components pair up between the copies and keep the order of the square (Dyer & Gur-Ari, 1909.11304)."""
    f = two_layer(3, n, activation)
    c = contraction(f, name, X, Y)
    variance, mean, square = neuron_cumulant(c, c), neuron_expectation(c), neuron_expectation(squared(f, name, X, Y))
    assert variance.order == n**power
    for width in (1, 3, 20):
        assert variance(width) == pytest.approx(square(width) - mean(width) ** 2, rel=1e-9, abs=1e-12 * square(width))


def test_cumulants_of_the_output():
    """The fourth is 6/n for linear networks; that of order k is of order n^{1 - k/2}, as for sums of n variables."""
    linear, tanh, skewed = (
        rt.einsum("->", f(X))
        for f in (deep_linear(3, n, 1), two_layer(3, n), two_layer(3, 2 * n, "softplus", readout=expon(loc=-1)))
    )
    q = Fraction(21, 12)
    assert neuron_cumulant(*[linear] * 4) == q**2 * 6 / Expansion.of(n)
    assert neuron_cumulant(*[tanh] * 6).order == n**-2 and neuron_cumulant(*[tanh] * 3) == Expansion.of(0)
    assert [neuron_cumulant(*[skewed] * k).order for k in (2, 3, 4)] == [rt.Order.one(), n**-0.5, n**-1]


def test_joint_cumulants():
    f, g = two_layer(3, n), two_layer(3, n, "softplus")
    kernel, other, independent = contraction(f, "Theta", X), contraction(f, "Theta", Y), contraction(g, "Theta", X)
    covariance = neuron_cumulant(kernel, other)
    assert constant(covariance) == pytest.approx(constant(neuron_cumulant(other, kernel)), rel=1e-13)
    assert neuron_cumulant(kernel, independent) == Expansion.of(0)
    product_of_both = rt.einsum("i,i,j,j->", *[f.derivative(X)] * 2, *[f.derivative(Y)] * 2)
    difference = neuron_expectation(product_of_both)(4) - neuron_expectation(kernel)(4) * neuron_expectation(other)(4)
    assert covariance(4) == pytest.approx(difference, rel=1e-9)
    assert constant(neuron_cumulant(3 * kernel, n * other)) == pytest.approx(3 * constant(covariance), rel=1e-13)


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


# Refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: contraction(mlp(3, n, 2), "Theta", X), "the network has 2 hidden layers, expected a fully connected"),
        (lambda: contraction(two_layer(3, n, biases=0.5), "Theta", X), "biases of standard deviation 0.5, expected"),
        (lambda: contraction(two_layer(3, n).then(rt.square), "Theta", X), r"derivative of 'g\(mlp\)', expected"),
        (
            lambda: rt.einsum("oa,oa->", *[two_layer(3, n, outputs=2).derivative(X)] * 2),
            "output vector of length 2, expected a fully connected network with one hidden layer, scalar output",
        ),
        (lambda: rt.einsum("ab->ab", two_layer(3, n).derivative(X, 2)), "has 2 free indices, expected 0"),
        (
            lambda: contraction(two_layer(3, n, "log"), "f f", X),
            "integrals of 'log' and its derivatives are not finite",
        ),
        (lambda: contraction(two_layer(3, n), "f f", [1e4, 0, 0]), "do not converge: expected shorter inputs"),
        (lambda: contraction(two_layer(3, n, "relu"), "f^4", X, Y, Z), "over 3 linearly independent inputs, expected"),
        (
            lambda: contraction(two_layer(4, n), "f^4", *np.eye(4)),
            "integrals of 'tanh' run over 4 linearly independent inputs, expected at most 3",
        ),
        (
            lambda: contraction(two_layer(3, n, readout=t(3)), "f^4", X),
            "the moment of order 3 of t.* is infinite",
        ),
        (
            lambda: rt.einsum(f"{LETTERS},{LETTERS}->", *[two_layer(3, n).derivative(X, 17)] * 2),
            "contracts 17 indices, expected at most 16",
        ),
    ],
)
def test_what_no_rule_covers_is_refused(make, message):
    with pytest.raises(rt.ExactError, match=message):
        neuron_expectation(make())
