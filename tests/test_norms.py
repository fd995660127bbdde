"""Norms of contractions with free indices, against formulas and dense linear algebra."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
from dense_network import random_network
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.quantity import Draw

n = rt.Scale("n")
X0, X1, X2 = np.array([1.0, -0.3, 0.5]), np.array([0.2, 1.1, -0.7]), np.array([-0.4, 0.8, 1.5])


def unit_terms(network, d):
    """What one hidden unit contributes to C^{1,d} and C^{2,d}: the chain rule along the gradient at X1, by hand."""
    width, inputs = network.W.shape
    p0, q = network.derivatives(X0, d + 2), network.derivatives(X1, 1)
    k01 = X0 @ X1 / inputs
    p = width**-0.5 * network.v * q[1] * k01
    step = d * width**-0.5 * q[0] * p ** max(d - 1, 0)
    return [p0[k] * p**d for k in range(d + 3)], [
        network.v * p0[k] * p**d + step * p0[max(k - 1, 0)] for k in range(d + 3)
    ]


@pytest.mark.parametrize("activation", ["tanh", "softplus", "sin"])
@pytest.mark.parametrize("d", [0, 1, 2])
def test_one_hidden_layer_has_a_formula(activation, d):
    """C^{2,d} is block-diagonal over units, each block of rank two with entries b (read-out, input) and c (input)."""
    network = random_network(activation, 32, 3, seed=d)
    readout, hidden = unit_terms(network, d)
    k00 = X0 @ X0 / 3
    b, c = np.sqrt(k00) * readout[d + 1], k00 * hidden[d + 2]
    prefactor = 32**-0.5 / (2 * factorial(d))
    spectral = prefactor * np.max(np.abs(c) / 2 + np.sqrt(c**2 / 4 + b**2))
    frobenius = prefactor * np.sqrt(np.sum(2 * b**2 + c**2))
    correlation = rt.correlation(network.function, 2, d, X0, X1)
    np.testing.assert_allclose(rt.norm(correlation, steps=70).sample(rng=0), [spectral], rtol=1e-4)
    assert rt.norm(correlation).sample(size=20, rng=0).max() <= spectral * (1 + 1e-6)
    exact = rt.norm(rt.correlation(network.function, 2, d, X0, X1), "frobenius", probes=0)
    np.testing.assert_allclose(exact.sample(), [frobenius], rtol=1e-10)
    vector = 32**-0.5 / factorial(d) * np.sqrt(np.sum(readout[d] ** 2) + k00 * np.sum(hidden[d + 1] ** 2))
    for kind in ("injective", "frobenius"):
        quantity = rt.norm(rt.correlation(network.function, 1, d, X0, X1), kind)
        np.testing.assert_allclose(quantity.sample(), [vector], rtol=1e-12)


def test_random_probes_estimate_the_square_of_the_frobenius_norm():
    """A z-score of 6 has probability 2e-9."""
    network = random_network("tanh", 16, 3, seed=5)
    truth = (network.hessian(X0) ** 2).sum()
    squares = rt.norm(network.function.derivative(X0, 2), "frobenius", probes=8).square
    samples = squares.sample(size=2000, rng=1)
    assert abs(samples.mean() - truth) < 6 * samples.std() / np.sqrt(2000)


def test_two_hidden_layers_against_automatic_differentiation():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    shapes = {"W1": (4, 3), "W2": (4, 4), "v": (4,)}
    rng = np.random.default_rng(6)
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    ends = np.cumsum([a.size for a in arrays.values()])

    def reference(theta, x):
        W1, W2, v = (
            part.reshape(s) for part, s in zip(jax.numpy.split(theta, ends[:-1]), shapes.values(), strict=True)
        )
        return v @ jax.numpy.tanh(W2 @ jax.numpy.tanh(W1 @ x / 3**0.5) / 2) / 2

    theta = np.concatenate([a.ravel() for a in arrays.values()])
    gradient = jax.grad(reference)(theta, X1)
    hessian = jax.hessian(reference)
    closed = jax.jvp(lambda t: hessian(t, X0), (theta,), (gradient,))[1]
    f = rt.networks.mlp(inputs=3, width=n, hidden_layers=2).at(**arrays)
    for d, dense in ((0, hessian(theta, X0) / 2), (1, closed / 2)):
        correlation = rt.correlation(f, 2, d, X0, X1)
        singular = np.linalg.norm(np.asarray(dense), 2)
        np.testing.assert_allclose(rt.norm(correlation, steps=len(theta)).sample(rng=2), [singular], rtol=1e-7)
        square = rt.norm(correlation, "frobenius", probes=0).sample()
        np.testing.assert_allclose(square, [np.linalg.norm(np.asarray(dense))], rtol=1e-10)


def test_chains_of_different_hessians():
    network = random_network("softplus", 8, 3, seed=7)
    f = network.function
    h0, h1, h2 = (f.derivative(x, 2) for x in (X0, X1, X2))
    d0, d1, d2 = (network.hessian(x) for x in (X0, X1, X2))
    cases = [
        (rt.einsum("ab,bc->ac", h0, h1), d0 @ d1),
        (rt.einsum("ab,bc->ca", h0, h1), d1 @ d0),
        (rt.einsum("ab,bc,cd->ad", h0, h1, h2), d0 @ d1 @ d2),
        (-2.0 * rt.einsum("ab,bc->ac", h0, h0), -2 * d0 @ d0),
    ]
    for contraction, dense in cases:
        np.testing.assert_allclose(rt.norm(contraction, steps=32).sample(rng=3), [np.linalg.norm(dense, 2)], rtol=1e-7)
        frobenius = rt.norm(contraction, "frobenius", probes=0).sample()
        np.testing.assert_allclose(frobenius, [np.linalg.norm(dense)], rtol=1e-10)


def test_norms_multiply_over_outer_products():
    network = random_network("tanh", 6, 3, seed=8)
    f = network.function
    g0, g1, H = f.derivative(X0), f.derivative(X1), f.derivative(X2, 2)
    a, b = (np.linalg.norm(network.gradient(x)) for x in (X0, X1))
    h = np.linalg.norm(network.hessian(X2), 2)
    products = [
        (rt.einsum("a,b->ab", g0, g1), a * b),
        (rt.einsum("a,b,c,c->ab", g0, g1, g0, g0), a**3 * b),
        (rt.einsum("ab,c->abc", H, g0), h * a),
        (rt.einsum("ab,cd->abcd", H, H), h**2),
        (rt.einsum("a,a->", g0, g0), a**2),
        (-3 * rt.einsum("a,->a", g0, f(X1)), 3 * a * abs(network.value(X1))),
    ]
    for tensor, expected in products:
        np.testing.assert_allclose(rt.norm(tensor, steps=30).sample(rng=4), [expected], rtol=1e-7)


def test_every_output_has_its_own_norm():
    f = rt.networks.mlp(inputs=3, width=n, hidden_layers=1, outputs=2)
    rng = np.random.default_rng(9)
    W, v = rng.standard_normal((5, 3)), rng.standard_normal((2, 5))
    norms = rt.norm(f.at(W1=W, v=v).derivative(X0))
    assert norms.shape == (2,)
    kernel = rt.einsum("pa,pa->p", *[f.at(W1=W, v=v).derivative(X0)] * 2)
    np.testing.assert_allclose(norms.sample()[0] ** 2, kernel.sample()[0], rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(12, 200),
    st.sampled_from(["uniform", "geometric", "clustered", "signed", "one"]),
    st.integers(1, 11),
    st.integers(0, 2**32),
)
def test_brackets_contain_the_norm(dimension, spectrum, steps, seed):
    """Five random starts each, 200 in all; every upper bound fails with probability 1e-9.

    The Hessian is diagonal: a Gaussian start has the same law in every basis.
    """
    rng = np.random.default_rng(seed)
    values = {
        "uniform": rng.uniform(0, 1, dimension),
        "geometric": 0.7 ** np.arange(dimension),
        "clustered": 1 - 10.0 ** -rng.uniform(1, 8, dimension),
        "signed": rng.standard_normal(dimension),
        "one": np.eye(dimension)[0],
    }[spectrum]
    f = rt.program(v=rt.gaussian(dimension))(lambda p, x: rt.sum(rt.square(p.v) * values) * 0.5)
    quantity = rt.norm(f.derivative(0.0, 2), steps=steps)
    bracket = quantity.bracket(size=5, rng=seed, failure=1e-9)
    truth = np.abs(values).max()
    assert bracket.failure == 1e-9
    assert np.all(bracket.lower <= truth * (1 + 1e-6)) and np.all(bracket.upper >= truth * (1 - 1e-6))
    assert np.all(bracket.lower <= bracket.upper) and np.all(bracket.lower > 0)
    assert np.array_equal(bracket.lower, quantity.sample(size=5, rng=seed))


def test_brackets_close_with_effort_and_are_exact_on_whole_spaces():
    f = rt.program(v=rt.gaussian(300))(lambda p, x: rt.sum(rt.square(p.v) * np.linspace(0, 1, 300)) * 0.5)
    H = f.derivative(0.0, 2)
    widths = []
    for steps in (10, 20, 40, 80):
        bracket = rt.norm(H, steps=steps).bracket(rng=0)
        widths.append((bracket.upper / bracket.lower)[0])
    assert np.isfinite(widths[1:]).all() and sorted(widths[:3], reverse=True) == widths[:3] and max(widths[2:]) < 1.06
    small = rt.norm(random_network("tanh", 4, 3, seed=1).function.derivative(X0, 2)).bracket(rng=0)
    assert np.array_equal(small.lower, small.upper)
    vector = rt.norm(random_network("tanh", 4, 3, seed=1).function.derivative(X0)).bracket(rng=0)
    assert np.array_equal(vector.lower, vector.upper)


def test_norms_of_zero_are_zero():
    f = rt.program(v=rt.gaussian(40))(lambda p, x: p.v @ x)
    x = np.ones(40)
    for kind in ("injective", "frobenius"):
        assert rt.norm(f.derivative(x, 2), kind).sample(rng=0) == [0.0]
    assert rt.norm(f.derivative(x, 2), steps=5).bracket(rng=0).upper == [0.0]


@pytest.mark.parametrize("scale", [1e-170, 1e-100, 1e-81, 1e81, 1e100, 1e170])
def test_brackets_of_derivatives_hold_at_extreme_scales(scale):
    """Fourth powers of these singular values underflow or overflow; each upper bound fails with probability 1e-9."""
    for dimension, tight in ((30, True), (100, False)):
        weights = np.linspace(0, 1, dimension)
        f = rt.program(v=rt.gaussian(dimension))(
            lambda p, x, weights=weights: rt.sum(rt.square(p.v) * (scale * weights)) * 0.5
        )
        bracket = rt.norm(f.derivative(0.0, 2)).bracket(size=3, rng=0, failure=1e-9)
        assert np.all(bracket.lower <= scale * (1 + 1e-6)) and np.all(bracket.lower >= 0.9 * scale)
        assert np.all(bracket.upper >= scale * (1 - 1e-6)) and np.all(np.isfinite(bracket.upper))
        assert np.array_equal(bracket.lower, bracket.upper) == tight
        v = np.linspace(-1, 2, dimension)
        length = rt.norm(f.at(v=v).derivative(0.0)).sample(rng=0)
        np.testing.assert_allclose(length / scale, [np.linalg.norm(weights * v)])


def test_derivatives_that_overflow_have_no_norm():
    f = rt.program(v=rt.gaussian(3))(lambda p, x: rt.sum(p.v) * 1e200 * 1e200)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(rt.InputError, match="the tensor has products that are infinite or not a number"),
    ):
        rt.norm(f.derivative(0.0)).sample(rng=0)


# Dense tensors


@pytest.mark.parametrize(
    ("tensor", "kind", "reference"),
    [
        (rt.gaussian(), "injective", np.abs),
        (rt.gaussian(n), "injective", np.linalg.norm),
        (rt.gaussian(n, n), "injective", lambda a: np.linalg.norm(a, 2)),
        (rt.goe(n), "injective", lambda a: np.linalg.norm(a, 2)),
        (rt.haar(n), "injective", lambda a: 1.0),
        (rt.haar(n), "frobenius", lambda a: np.sqrt(len(a))),
        (rt.gaussian(n, 2, 3), "frobenius", np.linalg.norm),
        (rt.identity(n), "injective", lambda a: 1.0),
        (rt.einsum("ab,bc->ac", *[rt.gaussian(n, n)] * 2), "injective", lambda a: np.linalg.norm(a, 2)),
        (rt.einsum("ab,ab->", *[rt.identity(n)] * 2), "injective", lambda a: 6.0),
    ],
)
def test_dense_norms(tensor, kind, reference):
    with Draw({"n": 6}, 3, np.random.default_rng(10)) as draw:
        norms, arrays = rt.norm(tensor, kind).evaluate(draw), tensor.evaluate(draw)
    np.testing.assert_allclose(norms, [reference(a) for a in arrays], rtol=1e-12)


def test_injective_norms_of_higher_order():
    u, v, w = (np.random.default_rng(k).standard_normal(k + 3) for k in range(3))
    lengths = np.prod([np.linalg.norm(z) for z in (u, v, w)])
    rank_one = rt.fixed(np.einsum("a,b,c->abc", u, v, w))
    np.testing.assert_allclose(rt.norm(rank_one).sample(rng=0), [lengths], rtol=1e-10)
    diagonal = np.zeros((4, 4, 4))
    diagonal[range(4), range(4), range(4)] = [1.0, -2.0, 0.5, 1.5]
    np.testing.assert_allclose(rt.norm(rt.fixed(diagonal)).sample(rng=0), [2.0], rtol=1e-10)
    tensor = rt.gaussian(n, n, n)
    both = rt.combine(lambda a, b: b - a, rt.norm(tensor), rt.norm(tensor, "frobenius"))
    assert (both.sample(5, size=4, rng=1) > 0).all()
    assert rt.norm(rt.fixed(np.zeros((2, 2, 2)))).sample(rng=0) == [0.0]


def test_arguments_are_checked():
    network = random_network("tanh", 6, 3, seed=11)
    f = network.function
    g, H, T = (f.derivative(X0, order) for order in (1, 2, 3))
    with pytest.raises(rt.InputError, match="kind is 'nuclear', expected 'injective'"):
        rt.norm(g, "nuclear")
    for steps in (0, 2.0, True):
        with pytest.raises(rt.InputError, match=f"steps is {steps}, expected a positive integer"):
            rt.norm(H, steps=steps)
    with pytest.raises(
        rt.InputError, match="tensor is 3, expected a random tensor, a derivative tensor or a contraction"
    ):
        rt.norm(3)
    with pytest.raises(rt.EquationError, match="the tensor has 3 connected free parameter indices, expected at most 2"):
        rt.norm(T)
    for loop in (rt.einsum("aab->b", T), rt.einsum("aa,b->b", H, g), rt.einsum("ab,ab,c->c", H, H, g)):
        with pytest.raises(rt.EquationError, match="the tensor contains a loop of contracted parameter indices"):
            rt.norm(loop)
    vector = rt.networks.two_layer(3, n, outputs=2).derivative(X0)
    with pytest.raises(
        rt.EquationError, match="the output index 'p' is summed under a norm, expected it to be left free"
    ):
        rt.norm(rt.einsum("pa->a", vector))
    with pytest.raises(rt.InputError, match="tensor is only estimated, with random probes, expected one that is known"):
        rt.norm(rt.einsum("ab,ab->", H, H, probes=2) - 1.0)
    for failure in (0, 1.0, 2):
        with pytest.raises(rt.InputError, match=r"failure is .*, expected a probability between 0 and 1"):
            rt.norm(H).bracket(failure=failure)
