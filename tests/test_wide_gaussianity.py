"""Non-Gaussianity of wide networks: exact cumulants and series against independent oracles."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.exact import characteristic_function, edgeworth, joint_cumulant, output_cumulant
from randtensor.exact.gaussianity.operators import derivative_means, edgeworth_operators, exponents
from randtensor.exact.laws.law import named
from randtensor.programs.activations import get_activation
from theory_checks.suites.wide_gaussianity.series import FREQUENCY, truncation_error

n = rt.Scale("n")
X, Y = math.sqrt(2) * np.array([1.0, 0.0]), math.sqrt(2) * np.array([0.5, math.sqrt(3) / 2])
LAWS = (None, "rademacher", "uniform", "exponential", "laplace")


def network(readout=None, activation="softplus", **options):
    return rt.networks.two_layer(2, n, activation, readout=readout, **options)


def coefficient(expansion, power):
    """Of a power of n."""
    return next((float(t.coefficient) for t in expansion.terms if t.order == n ** Fraction(power)), 0.0)


# Values found by an independent quadrature, for softplus with pre-activations of variance 1.
@pytest.mark.parametrize(
    "readout, order, value",
    [
        (None, 2, 0.921246),
        (None, 4, 4.467174),
        ("rademacher", 4, -0.208330),
        ("uniform", 4, 1.661872),
        ("exponential", 3, 2.684758),
        ("exponential", 4, 18.493687),
    ],
)
def test_cumulants_of_the_reference_network(readout, order, value):
    found = output_cumulant(network(readout), [X] * order)
    assert found.order == rt.Order(n ** Fraction(2 - order, 2))
    assert float(found(1)) == pytest.approx(value, abs=1e-6)


def test_two_inputs_and_two_outputs_of_the_reference_network():
    assert float(output_cumulant(network(), [X, Y])(1)) == pytest.approx(0.780078, abs=1e-6)
    pair = network(outputs=2)
    cross = output_cumulant(pair, [X] * 4, outputs=[0, 0, 1, 1])
    assert float(cross(1)) == pytest.approx(1.489058, abs=1e-6)
    # With normal read-outs the fourth cumulant is three times that of two outputs.
    assert float(output_cumulant(network(), [X] * 4)(1)) == pytest.approx(3 * float(cross(1)), rel=1e-13)
    assert output_cumulant(pair, [X, Y], outputs=[0, 1]) == 0


@given(
    activation=st.sampled_from(["softplus", "tanh", "relu", "square"]),
    readout=st.sampled_from(LAWS),
    which=st.lists(st.booleans(), min_size=1, max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_cumulants_are_those_of_contractions_of_outputs(activation, readout, which):
    f = network(readout, activation)
    inputs = [X if first else Y for first in which]
    mine, other = output_cumulant(f, inputs), joint_cumulant(*(f(x) for x in inputs))
    assert float(mine(7)) == pytest.approx(float(other(7)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("readout", ["exponential", "uniform"])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_cumulants_of_monomial_activations_are_those_of_sympy(readout, power):
    # E (a z^power)^p are products of moments; the cumulants are the coefficients of the logarithm of their series.
    law, t = named(readout), sympy.Symbol("t")
    moments = [law.raw(p) * (sympy.factorial2(p * power - 1) if p * power % 2 == 0 else 0) for p in range(9)]
    series = sum(sympy.Rational(m) * t**p / sympy.factorial(p) for p, m in enumerate(moments))
    logarithm = sympy.series(sympy.log(series), t, 0, 9).removeO()
    f = rt.networks.two_layer(1, n, f"power({power})", readout=readout)
    for p in range(2, 9):
        expected = logarithm.coeff(t, p) * sympy.factorial(p)
        found = output_cumulant(f, [[1.0]] * p)
        assert found == rt.Expansion.of(Fraction(int(expected.p), int(expected.q))) * n ** Fraction(2 - p, 2)


def test_biases_are_weights_of_a_constant_input():
    f = network("exponential", biases=0.5)
    factor = math.sqrt(3 / 2)
    wider = rt.networks.two_layer(3, n, "softplus", readout="exponential")
    inputs = [factor * np.append(x, 0.5 * math.sqrt(2)) for x in (X, X, Y)]
    assert float(output_cumulant(f, [X, X, Y])(3)) == pytest.approx(float(output_cumulant(wider, inputs)(3)), rel=1e-12)


@pytest.mark.parametrize("activation, function", [("tanh", mpmath.tanh), ("erf", mpmath.erf)])
@pytest.mark.parametrize("length", [0.01, 1.0, 30.0, 1000.0])
def test_integrals_keep_twelve_digits_at_short_and_long_inputs(activation, function, length):
    marks = [-1000, -20, -5, -1, 0, 1, 5, 20, 1000, *(s * k * length for s in (-1, 1) for k in (1, 3, 8, 40))]

    def density(z):
        return mpmath.exp(-((z / length) ** 2) / 2) / (length * mpmath.sqrt(2 * mpmath.pi))

    with mpmath.workdps(25):
        expected = mpmath.quad(
            lambda z: function(z) ** 2 * density(z), sorted({m for m in marks if abs(m) <= 40 * length})
        )
    f = rt.networks.two_layer(1, n, activation)
    assert float(output_cumulant(f, [[length]] * 2)(1)) == pytest.approx(float(expected), rel=1e-12)


def test_operators_are_the_expansion_of_the_exponential():
    e, s, t = sympy.symbols("e s t")
    levels = [{powers: Fraction(3 * w + powers[0], 2) for powers in exponents(2, w + 2)} for w in range(1, 5)]
    exponent = sum(
        e ** (w + 1) * sympy.Rational(c) * s**a * t**b / (sympy.factorial(a) * sympy.factorial(b))
        for w, level in enumerate(levels)
        for (a, b), c in level.items()
    )
    expansion = sympy.Poly(sum(exponent**k / sympy.factorial(k) for k in range(5)).expand(), e, s, t)
    for j, operator in enumerate(edgeworth_operators(levels, 2)):
        expected = {(a, b): c for (k, a, b), c in expansion.terms() if k == j}
        assert {powers: sympy.Rational(c) for powers, c in operator.items()} == expected


def test_the_first_operators_are_those_of_the_textbooks():
    series = edgeworth(network("exponential"), [X], order=3)
    c3, c4, c5 = (float(output_cumulant(network("exponential"), [X] * p)(1)) for p in (3, 4, 5))
    expected = [
        {(3,): c3 / 6},
        {(4,): c4 / 24, (6,): c3**2 / 72},
        {(5,): c5 / 120, (7,): c3 * c4 / 144, (9,): c3**3 / 1296},
    ]
    for operator, values in zip(series.operators[1:], expected, strict=True):
        assert operator.keys() == values.keys()
        assert [float(operator[key]) for key in values] == pytest.approx(list(values.values()), rel=1e-12)


@pytest.mark.parametrize("readout", ["exponential", "rademacher"])
@pytest.mark.parametrize("powers", [(3, 0), (2, 2), (4, 2), (1, 3)])
def test_series_of_polynomials_end_at_their_exact_moments(readout, powers):
    f = rt.networks.two_layer(2, n, "square", readout=readout)
    first, second = [1.0, 0.0], [1.0, 2.0]
    factors = [f(first)] * powers[0] + [f(second)] * powers[1]
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    found = edgeworth(f, [first, second], order=4).expectation(powers)
    assert found.is_exact and found == product.expectation()


def test_a_series_that_does_not_end_says_what_it_leaves_out():
    skewed, symmetric = (edgeworth(network(law), [X], order=2) for law in ("exponential", "uniform"))
    assert skewed.expectation((5,)).remainder == n**-1.5
    assert symmetric.expectation((6,)).remainder == n**-2
    assert symmetric.expectation({(4,): 1, (0,): 2}).is_exact
    assert edgeworth(network("exponential", "tanh"), [X], order=2).is_symmetric


@pytest.mark.parametrize("readout, rule", [(None, "normal"), ("exponential", "exponential"), ("laplace", "laplace")])
def test_characteristic_function_is_a_double_integral(readout, rule):
    phi = {
        "normal": lambda t: mpmath.exp(-(t**2) / 2),
        "exponential": lambda t: mpmath.exp(-1j * t) / (1 - 1j * t),
        "laplace": lambda t: 1 / (1 + t**2 / 2),
    }[rule]
    frequency = 1.3 / math.sqrt(3)
    mean = mpmath.quad(lambda z: phi(frequency * mpmath.log1p(mpmath.exp(z))) * mpmath.npdf(z), [-15, -5, 0, 5, 15])
    assert characteristic_function(network(readout), X, 1.3, 3) == pytest.approx(complex(mean**3), rel=1e-12)


@pytest.mark.parametrize("readout", ["rademacher", "uniform"])
def test_characteristic_function_of_bounded_weights(readout):
    from scipy.stats import uniform

    law = named(readout)
    f, u = network(readout), 0.7
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    values = [law.integral(lambda a, s=s: np.cos(u * a * s)) for s in np.logaddexp(0, nodes)]
    assert characteristic_function(f, X, u, 1) == pytest.approx(values @ weights / weights.sum(), rel=1e-9)
    wide = network(uniform(-math.sqrt(3), 2 * math.sqrt(3)))
    assert characteristic_function(wide, X, u, 5) == pytest.approx(characteristic_function(network("uniform"), X, u, 5))


@pytest.mark.parametrize("readout", [None, "rademacher", "uniform", "exponential"])
@pytest.mark.parametrize("kept", range(5))
def test_truncated_series_of_the_characteristic_function_leave_the_next_order(readout, kept):
    error = truncation_error(network(readout), X, kept)
    first, second = (float(error.sample(size)[0]) for size in (64, 256))
    power = -(kept + 1) / 2 if readout == "exponential" else -(kept // 2) - 1
    assert math.log(second / first) / math.log(4) == pytest.approx(power, abs=0.03)


def test_characteristic_terms_at_two_inputs_are_derivatives_of_cumulants():
    series = edgeworth(network("exponential"), [X, Y], order=1)
    along = characteristic_function(network("exponential"), X, FREQUENCY, 10**6)
    assert sum(series.characteristic_terms([FREQUENCY, 0.0]) * [1, 1e-3]) == pytest.approx(along, abs=1e-5)


# Deeper networks


@pytest.mark.parametrize("law", LAWS)
def test_variance_of_two_hidden_layers_is_a_mean_over_the_series_of_the_first(law):
    deep = rt.networks.mlp(2, n, 2, "softplus", hidden=law)
    found = output_cumulant(deep, [X] * 2)
    series = edgeworth(network(law), [X], order=2).expectation("softplus", power=2)
    assert found.remainder == series.remainder
    for power in (0, Fraction(-1, 2), -1):
        assert coefficient(found, power) == pytest.approx(coefficient(series, power), rel=1e-9, abs=1e-12)


def test_two_hidden_layers_of_the_reference_network():
    skewed, normal = (
        output_cumulant(rt.networks.mlp(2, n, 2, "softplus", hidden=law), [X] * 2) for law in ("exponential", None)
    )
    assert coefficient(normal, 0) == pytest.approx(0.885605, abs=1e-6)
    assert coefficient(normal, -1) == pytest.approx(0.0145, abs=5e-5)
    assert coefficient(skewed, Fraction(-1, 2)) == pytest.approx(0.253924, abs=1e-6)
    assert coefficient(skewed, -1) == pytest.approx(0.0479, abs=5e-5)
    for law, remainder in ((None, n**-2), ("rademacher", n**-2), ("exponential", n**-1.5)):
        fourth = output_cumulant(rt.networks.mlp(2, n, 2, "softplus", hidden=law), [X] * 4)
        assert coefficient(fourth, -1) == pytest.approx(4.79072, abs=1e-5)
        assert fourth.remainder == remainder


@pytest.mark.parametrize("layers", [2, 3, 4])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_cumulants_of_deep_homogeneous_networks_lead_the_exact_ones(layers, activation):
    f = rt.networks.mlp(2, n, layers, activation)
    x = [1.0, 1.0]
    fourth, exact = output_cumulant(f, [x] * 4), f(x).cumulant(4)
    assert fourth.leading == exact.leading
    second = output_cumulant(f, [x] * 2)
    assert second.terms == f(x).variance().terms and second.remainder == n**-2


def test_the_shift_of_the_variance_at_three_hidden_layers():
    # With normal weights z^3 is N(0, K) given the layers before: E_K phi^2 at the mean and variance of K.
    found = output_cumulant(rt.networks.mlp(2, n, 3, "softplus"), [X] * 2)
    two = output_cumulant(rt.networks.mlp(2, n, 2, "softplus"), [X] * 2)
    variance = coefficient(two, 0)
    means = [float(mean) for mean in derivative_means(get_activation("softplus"), 2, variance, 4)]
    spread = coefficient(output_cumulant(rt.networks.mlp(2, n, 2, "softplus"), [X] * 4), -1) / 3
    expected = means[2] / 2 * coefficient(two, -1) + means[4] / 8 * spread
    assert coefficient(found, 0) == pytest.approx(means[0], rel=1e-12)
    assert coefficient(found, -1) == pytest.approx(expected, rel=1e-9)


def test_widths_in_fixed_proportion():
    equal, other = (rt.networks.mlp(1, width, 2, "relu") for width in ([n, n], [2 * n, n]))
    # n kappa_4 -> 3 (Var phi^2 + chi^2 V_1 n / n_1)
    first = [output_cumulant(f, [[1.0]] * 4).leading.coefficient for f in (equal, other)]
    exact = [f([1.0]).cumulant(4).leading.coefficient for f in (equal, other)]
    assert first == exact


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.2)", "abs"])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_means_of_derivatives_of_functions_with_kinks(activation, power):
    # E g^(q)(z) = K^(-q/2) E g(z) He_q(z / K^(1/2)), whether or not g has derivatives.
    variance, phi = 1.7, get_activation(activation)
    z, weights = np.polynomial.legendre.leggauss(200)
    z = np.concatenate([(z - 1) * 12, (z + 1) * 12])
    density = np.concatenate([weights, weights]) * 12 * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    values = phi(math.sqrt(variance) * z) ** power
    for order, mean in enumerate(derivative_means(phi, power, variance, 7)):
        hermite = np.polynomial.hermite_e.hermeval(z, [0] * order + [1])
        assert float(mean) == pytest.approx(variance ** (-order / 2) * (values * hermite * density).sum(), abs=1e-9)


# Networks with other hidden weights


def test_hidden_weights_follow_their_law():
    f = rt.networks.mlp(1, n, 2, "linear", hidden="rademacher")
    assert f.architecture.hidden == "rademacher"

    @rt.quantity(n, shape=(4,), batch=8)
    def entries(size, batch, rng):
        return f.space.tensors["W2"].draw((size, size), batch, {"n": size}, rng)[:, :2, :2].reshape(batch, 4)

    assert set(np.unique(entries.sample(4, size=8, rng=0))) == {-1.0, 1.0}
    assert f([1.0]).sample(64, size=3, rng=0).shape == (3,)


def test_rules_for_gaussian_weights_refuse_other_hidden_laws():
    f = rt.networks.mlp(1, n, 2, "linear", hidden="rademacher")
    with pytest.raises(rt.ExactError, match="hidden is 'rademacher', expected Gaussian weights"):
        f([1.0]).variance()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"hidden_layers": 1}, "hidden is 'uniform' with 1 hidden layer, expected at least two"),
        ({"hidden_layers": 2, "parametrization": "standard"}, "expected a parametrization whose hidden weights"),
        ({"hidden_layers": 2, "dense": False}, "expected None or True: only normal matrices are revealed"),
        ({"hidden_layers": 2, "hidden": "gauss"}, "law is 'gauss'"),
    ],
)
def test_hidden_laws_that_do_not_fit(options, message):
    with pytest.raises(rt.InputError, match=message):
        rt.networks.mlp(**{"inputs": 1, "width": n, "hidden": "uniform", **options})


# Refusals


def program():
    @rt.program(v=rt.gaussian(n))
    def f(p, x):
        return rt.sum(p.v) * x[0] / n**0.5

    return f


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: output_cumulant("f", [X]), rt.InputError, "f is 'f', expected a random function"),
        (lambda: output_cumulant(program(), [[1.0]]), rt.ExactError, "expected a fully connected network"),
        (lambda: output_cumulant(network(), []), rt.ExactError, "inputs has 0 entries, expected 1 to 14"),
        (lambda: output_cumulant(network(), [[1.0]]), rt.InputError, r"shape \(1,\), expected vectors of length 2"),
        (lambda: output_cumulant(network(), [X], [0, 0]), rt.InputError, "outputs has 2 entries, expected 1"),
        (
            lambda: output_cumulant(network(outputs=2), [X], [2]),
            rt.InputError,
            "outputs contains 2, expected .* 0 to 1",
        ),
        (
            lambda: output_cumulant(network(outputs=2), [X]),
            rt.InputError,
            "outputs is None, expected 1 numbers below 2",
        ),
        (lambda: output_cumulant(rt.networks.mlp(2, n, 2), [X, Y]), rt.ExactError, "expected one input, repeated"),
        (lambda: output_cumulant(rt.networks.mlp(2, n, 2), [X] * 6), rt.ExactError, "order 6, expected at most 4"),
        (
            lambda: output_cumulant(rt.networks.mlp(2, 8, 2), [X] * 2),
            rt.ExactError,
            "the width is 8, expected one that",
        ),
        (
            lambda: output_cumulant(rt.networks.mlp(2, [n, rt.Scale("m")], 2), [X] * 2),
            rt.ExactError,
            "the widths are n, m, expected multiples of one",
        ),
        (
            lambda: edgeworth(network(), [X, X]),
            rt.InputError,
            "inputs has 2 entries, expected at least one, all different",
        ),
        (lambda: edgeworth(network(), [X], order=-1), rt.InputError, "order is -1, expected a non-negative integer"),
        (lambda: edgeworth(network(), [X], order=20), rt.ExactError, "order is 20, expected at most 12"),
        (lambda: edgeworth(rt.networks.mlp(2, n, 2), [X]), rt.ExactError, "2 hidden layers, expected one"),
        (
            lambda: edgeworth(rt.networks.two_layer(2, n, parametrization="mean-field"), [X]),
            rt.ExactError,
            "the output has a variance of order n",
        ),
        (lambda: edgeworth(network(), [X]).expectation((1, 1)), rt.InputError, "expected 1 non-negative integers"),
        (lambda: edgeworth(network(), [X, Y]).expectation("cos"), rt.InputError, "expected a single input"),
        (lambda: edgeworth(network(), [X]).characteristic_terms([1, 2]), rt.InputError, "expected 1 frequencies"),
        (
            lambda: characteristic_function(network(activation="relu"), X, 1.0, 4),
            rt.ExactError,
            "expected a smooth one",
        ),
        (lambda: characteristic_function(network("student(9)"), X, 1.0, 4), rt.ExactError, "is not known"),
        (
            lambda: characteristic_function(network(), X, math.nan, 4),
            rt.InputError,
            "u is nan, expected a finite number",
        ),
        (lambda: characteristic_function(network(), X, 1.0), rt.ShapeError, "expected a size for the scale 'n'"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_read_outs_with_a_mean_have_no_gaussian_limit():
    from scipy.stats import expon

    with pytest.raises(rt.ExactError, match="the weights have the mean 1, expected centred ones"):
        edgeworth(network(expon()), [X])
    assert output_cumulant(network(expon()), [X]).order == rt.Order(n**0.5)
