"""Ready-made networks against plain NumPy, exact laws, and steps of gradient descent.

Statistical tests run on fixed seeds and compare z-scores with 6, which a normal variable passes with probability 2e-9.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from dense_network import random_network
from scipy.special import erf
from scipy.stats import expon, laplace

import randtensor as rt
from randtensor.exact import OneHiddenLayer
from randtensor.networks import cnn, deep_linear, mlp, parametrization, resnet, two_layer

n, m = rt.Scale("n"), rt.Scale("m")
RNG = np.random.default_rng(51)


def arrays_of(function, sizes):
    """Random arrays for all parameters at given sizes."""
    return {
        name: RNG.standard_normal(tensor.sample({k: sizes[k] for k in tensor.scale_names}, rng=0).shape[1:])
        for name, tensor in function.space.tensors.items()
    }


def check(function, sizes, x, reference):
    arrays = arrays_of(function, sizes)
    np.testing.assert_allclose(function.at(**arrays)(x).sample()[0], reference(arrays, np.asarray(x)), rtol=1e-12)


# Forward passes

X = [0.7, -1.2, 0.4]


def dense_mlp(phi, exponents, biases=0.0):
    """``exponents`` holds a of the input, hidden and read-out layers."""

    def forward(p, x):
        h, layer = x / len(x) ** 0.5, 0
        while f"W{layer + 1}" in p:
            layer += 1
            W = p[f"W{layer}"]
            scale = len(W) ** -exponents[0] if layer == 1 else W.shape[1] ** -exponents[1]
            h = phi(W @ h * scale + (biases * p[f"b{layer}"] if biases else 0.0))
        return p["v"] @ h * len(h) ** -exponents[2]

    return forward


FORWARD_EXPONENTS = {"ntk": (0, 0.5, 0.5), "mean-field": (0, 0.5, 1), "standard": (0, 0, 0), "mup": (-0.5, 0, 0.5)}


@pytest.mark.parametrize("scheme", FORWARD_EXPONENTS)
@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize("outputs", [None, 2])
def test_fully_connected_networks(scheme, layers, outputs):
    f = mlp(3, n, layers, "erf", scheme, outputs=outputs, biases=0.4)
    check(f, {"n": 5}, X, dense_mlp(erf, FORWARD_EXPONENTS[scheme], 0.4))


def test_widths_may_differ():
    f = mlp(3, [n, 2 * n, m, 4], 4, "softplus")
    assert f.scale_names((3,)) == ("m", "n")
    check(f, {"n": 3, "m": 7}, X, dense_mlp(lambda z: np.logaddexp(0, z), (0, 0.5, 0.5)))
    explicit = mlp(3, [n, m], 2, "sin", [(Fraction(1, 4), 0), (Fraction(3, 4), 0), (1, Fraction(1, 2)), 0])
    check(explicit, {"n": 3, "m": 7}, X, dense_mlp(np.sin, (0.25, 0.75, 1)))
    check(mlp(3, 6, 2, "sin", "mup"), {}, X, dense_mlp(np.sin, (-0.5, 0, 0.5)))


def test_small_networks():
    check(two_layer(3, n, "gelu"), {"n": 6}, X, dense_mlp(lambda z: z * (1 + erf(z / 2**0.5)) / 2, (0, 0.5, 0.5)))
    check(deep_linear(3, n, 3), {"n": 6}, X, dense_mlp(lambda z: z, (0, 0.5, 0.5)))
    check(
        two_layer(3, n, rt.Activation("one", lambda z, k: [np.ones_like(z)] + [0 * z] * k, "polynomial")),
        {"n": 6},
        X,
        lambda p, x: p["v"].sum() / 6**0.5,
    )


@pytest.mark.parametrize("outputs", [None, 3])
def test_residual_networks(outputs):
    def reference(p, x):
        h = p["U"] @ x / 3**0.5
        for block in (1, 2, 3):
            h = h + 0.3 * p[f"W{block}"] @ np.tanh(h) / 5**0.5
        return p["v"] @ np.tanh(h) / 5**0.5

    check(resnet(3, n, 3, residual_scale=0.3, outputs=outputs), {"n": 5}, X, reference)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("own_weights", [False, True])
def test_convolutional_networks(axes, own_weights):
    """Circular convolutions, written with rolled arrays."""
    grid, kernel, width = (4, 3)[:axes], 2, 5
    x = RNG.standard_normal((*grid, 2))
    taps = list(product(range(kernel), repeat=axes))

    def reference(p, x):
        h = x
        for name in ("W1", "W2"):
            total = 0.0
            for W, tap in zip(p[name], taps, strict=True):
                total = total + np.roll(h, [-k for k in tap], axis=tuple(range(axes))) @ W.T
            h = np.tanh(total / (len(taps) * h.shape[-1]) ** 0.5)
        flat = h.reshape(-1, width)
        if own_weights:
            return np.sum(p["v"] * flat) / width**0.5 / len(flat) ** 0.5
        return p["v"] @ flat.mean(axis=0) / width**0.5

    positions = int(np.prod(grid)) if own_weights else None
    f = cnn(2, n, 2, kernel_size=kernel, axes=axes, positions=positions)
    check(f, {"n": width}, x, reference)
    if own_weights:
        with pytest.raises(rt.ShapeError, match=rf"the input has .* positions, expected positions = {positions}"):
            f(np.ones((5,) * axes + (2,)))


# Parametrisations


@pytest.mark.parametrize(
    ("scheme", "stds", "rate"),
    [
        ("ntk", (0, 0, 0), 0),
        ("mean-field", (0, 0, 0), -1),
        ("standard", (0, 0.5, 0.5), 1),
        ("mup", (0.5, 0.5, 0.5), 0),
        ([(0, Fraction(1, 3)), (0, 1), (2, Fraction(3, 2)), -2], (1 / 3, 1, 1.5), -2),
    ],
)
def test_standard_deviations_and_learning_rates(scheme, stds, rate):
    f = mlp(3, n, 2, "tanh", scheme)
    for name, exponent in zip(("W1", "W2", "v"), stds, strict=True):
        entries = f.space.tensors[name].sample(64, size=60, rng=1)
        ratio = entries.std() * 64.0**exponent
        # The relative error of a standard deviation over k normal entries is (2k)^-1/2.
        assert abs(ratio - 1) < 6 / np.sqrt(2 * entries.size)
    assert parametrization(scheme).rate(4) == 4.0**-rate
    assert rt.compare(parametrization(scheme).rate(n), n**-rate) == rt.compare(n, n)


def test_the_law_of_the_function_depends_on_a_plus_b():
    """n^-a w with w of standard deviation n^-b: three ways to write one law."""
    x = [1.0, -1.0, 0.5]
    variances = {}
    for scheme in ("ntk", "standard", [(-1, 1), (0, Fraction(1, 2)), (1, Fraction(-1, 2)), 0]):
        samples = mlp(3, 8, 2, "tanh", scheme)(x).sample(size=20_000, rng=2)
        variances[str(scheme)] = (np.mean(samples**2), np.std(samples**2) / np.sqrt(20_000))
    values = list(variances.values())
    for value, error in values[1:]:
        assert abs(value - values[0][0]) < 6 * np.hypot(error, values[0][1])


@pytest.mark.parametrize("law", [expon(loc=-1), laplace(scale=0.5)])
def test_laws_of_the_readout(law):
    f = two_layer(2, n, readout=law)
    entries = f.space.tensors["v"].sample(50, size=100, rng=3).ravel()
    z = (np.mean(entries**3) - law.moment(3)) / (np.std(entries**3) / np.sqrt(entries.size))
    assert abs(z) < 6


def test_dense_matrices_on_request():
    for dense in (True, False, None):
        assert mlp(2, n, 2, dense=dense)([1.0, 1.0]).sample(30, size=2, rng=0).shape == (2,)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: mlp(0, n, 1), rt.ShapeError, "inputs is 0, expected a positive integer"),
        (lambda: mlp(2, n, 0), rt.ShapeError, "hidden_layers is 0, expected a positive integer"),
        (lambda: mlp(2, -3, 1), rt.ShapeError, "width is -3, expected a positive integer"),
        (lambda: mlp(2, [n, n], 3), rt.ShapeError, "width lists 2 sizes, expected 3, one per hidden layer"),
        (lambda: mlp(2, n, 1, outputs=0), rt.ShapeError, "outputs is 0, expected a positive integer"),
        (lambda: mlp(2, n, 1, "tahn"), rt.ActivationError, "activation 'tahn' is not known; did you mean 'tanh'"),
        (
            lambda: mlp(2, n, 1, "tanh", "NTK"),
            rt.InputError,
            "parametrization is 'NTK', expected one of 'ntk', 'mean-field'",
        ),
        (lambda: mlp(2, n, 1, "tanh", [(0, 0)]), rt.InputError, r"or exponents \[\(a_1, b_1\), \(a_l, b_l\)"),
        (lambda: parametrization([(np.inf, 0), (0, 0), (0, 0), 0]), rt.InputError, "parametrization is"),
        (lambda: parametrization(None), rt.InputError, "parametrization is None"),
        (lambda: mlp(2, n, 1, "tanh", "mup", readout=expon()), rt.InputError, "readout is given, expected a parametri"),
        (lambda: mlp(2, n, 1, readout="unheard"), rt.InputError, "law is .unheard., expected a SciPy"),
        (lambda: resnet(2, n, 0), rt.ShapeError, "blocks is 0, expected a positive integer"),
        (lambda: cnn(1, n, 1, axes=0), rt.ShapeError, "axes is 0, expected a positive integer"),
        (lambda: cnn(1, n, 1, kernel_size=1.5), rt.ShapeError, r"kernel_size is 1\.5, expected a positive integer"),
        (
            lambda: cnn(1, n, 1, positions=2, outputs=2),
            rt.InputError,
            "positions is given together with readout or out",
        ),
    ],
)
def test_arguments_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()


# Exact laws

SAME_LENGTH = ([1, 1, 1, 1], [1, 1, 1, -1])


@pytest.mark.parametrize(
    ("activation", "constants"),
    [
        ("tanh", ("0.37870", "0.17811", "-0.013421", "0.55897")),
        ("softplus", ("0.91579", "0.26312", "0.0083029", "0.69009")),
    ],
)
def test_constants_of_one_hidden_layer(activation, constants):
    """k00 = k11 = 1 and k01 = 1/2: the mean of C01, n rms C02, n times the mean of C03, sqrt(n) rms |C11|."""
    law = OneHiddenLayer(activation, *SAME_LENGTH)
    for width in (1, 7, 1000):
        found = (
            law.mean(1, width),
            width * law.rms(2, width),
            width * law.mean(3, width),
            width**0.5 * law.vector_rms(1, width),
        )
        for value, constant in zip(found, constants, strict=True):
            digits = len(constant.partition(".")[2])
            assert f"{value:.{digits}f}" == constant
    assert law.mean(2, 10) == law.mean(4, 10) == 0.0


def test_constants_for_a_skewed_readout():
    tanh, softplus = (OneHiddenLayer(phi, *SAME_LENGTH, readout=expon(loc=-1)) for phi in ("tanh", "softplus"))
    assert f"{100 * tanh.mean(3, 100):.6f}" == "-0.035333" and abs(tanh.mean(2, 100)) < 1e-15
    assert f"{100 * softplus.mean(3, 100):.7f}" == "0.0076137" and f"{10 * softplus.mean(2, 100):.6f}" == "0.015030"


@pytest.mark.parametrize("readout", [None, expon(loc=-1)], ids=["normal", "skewed"])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_exact_laws_against_samples(activation, readout):
    x0, x1, width, count = [1.0, -0.5, 0.8], [0.3, 1.2, -0.1], 16, 16_000
    law = OneHiddenLayer(activation, x0, x1, readout)
    f = two_layer(3, n, activation, readout=readout)
    for d in (1, 2, 3):
        samples = rt.correlation(f, 0, d, x0, x1).sample(width, size=count, rng=10 + d)
        assert abs(samples.mean() - law.mean(d, width)) < 6 * np.sqrt(law.variance(d, width) / count)
        squares = samples**2
        assert abs(squares.mean() - law.rms(d, width) ** 2) < 6 * squares.std() / np.sqrt(count)
    squares = rt.norm(rt.correlation(f, 1, 1, x0, x1)).sample(width, size=count, rng=20) ** 2
    assert abs(squares.mean() - law.vector_rms(1, width) ** 2) < 6 * squares.std() / np.sqrt(count)


def test_arguments_of_exact_laws_are_checked():
    with pytest.raises(rt.ActivationError, match="activation is 'relu', expected a smooth one"):
        OneHiddenLayer("relu", *SAME_LENGTH)
    with pytest.raises(rt.InputError, match=r"shapes \(2,\) and \(3,\), expected non-zero vectors of one length"):
        OneHiddenLayer("tanh", [1, 2], [1, 2, 3])
    with pytest.raises(rt.InputError, match="expected non-zero vectors"):
        OneHiddenLayer("tanh", [0, 0], [1, 2])


# Steps of gradient descent


@pytest.mark.parametrize("layers", [1, 2])
def test_the_linearization_error_is_the_alternating_series(layers):
    """Sum over d >= 2 of (-s)^d C^{0,d}; at this width the first term left out is below 1e-10."""
    x0, x1, s = [1.0, -0.5], [0.3, 1.2], 0.5
    f = mlp(2, n, layers, "tanh")
    error = rt.gradient_step(f, x1, s).linearization_error(x0)
    series = sum((-s) ** d * rt.correlation(f, 0, d, x0, x1) for d in range(2, 7))
    difference = (error - series).sample(4096, size=3, rng=1)
    assert np.abs(difference).max() < 1e-10
    assert np.abs(error.sample(4096, size=3, rng=1)).max() > 1e-6


@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
@pytest.mark.parametrize("step", [0.3, -2.0])
def test_one_step_at_given_arrays(activation, step):
    x0, x1 = np.array([1.0, -0.5, 0.8]), np.array([0.3, 1.2, -0.1])
    network = random_network(activation, 12, 3, seed=3)
    gradient = network.gradient(x1)
    moved = network.moved(-step * gradient)
    before, after = network.gradient(x0), moved.gradient(x0)
    taken = rt.gradient_step(network.function, x1, step)
    expected = {
        "linearization_error": moved.value(x0) - network.value(x0) + step * before @ gradient,
        "gradient_change": np.linalg.norm(after - before),
        "kernel_change": after @ after - before @ before,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(taken, name)(x0).sample(), [value], rtol=1e-10, atol=1e-13)


def test_small_steps_see_the_hessian():
    """The gradient changes by s H g to leading order, whose length is s |C^{1,1}|."""
    x0, x1, s = [1.0, -0.5], [0.3, 1.2], 1e-4
    f = mlp(2, n, 3, "erf")
    change = rt.gradient_step(f, x1, s).gradient_change(x0)
    ratio = rt.combine(np.divide, change, rt.norm(rt.correlation(f, 1, 1, x0, x1)))
    np.testing.assert_allclose(ratio.sample(256, size=3, rng=2), s, rtol=1e-3)


def test_arguments_of_steps_are_checked():
    with pytest.raises(rt.InputError, match="step is inf, expected a finite number"):
        rt.gradient_step(two_layer(2, n), [1.0, 1.0], np.inf)
    with pytest.raises(rt.InputError, match="function has a vector output, expected a scalar one"):
        rt.gradient_step(two_layer(2, n, outputs=2), [1.0, 1.0], 0.1)
