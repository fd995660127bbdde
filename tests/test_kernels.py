"""Limiting kernels against formulas of the literature, exact means at finite width, and independent recursions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm, ortho_group

import randtensor as rt
from estimators import LinearDynamics, nngp_kernel, tangent_kernel
from randtensor.errors import ExactError, InputError, ShapeError

n, m = rt.Scale("n"), rt.Scale("m")

TWO_INPUTS = np.sqrt(2) * np.array([[1, 0], [0.5, np.sqrt(3) / 2]])
INPUTS = np.random.default_rng(5).standard_normal((4, 3))

inputs = arrays(float, (4, 3), elements=st.floats(-2, 2).map(lambda x: round(x, 3)))


def test_softplus_reference():
    f = rt.networks.two_layer(inputs=2, width=n, activation="softplus")
    covariance, kernel = nngp_kernel(f, TWO_INPUTS), tangent_kernel(f, TWO_INPUTS)
    assert covariance.ravel() == pytest.approx([0.921246, 0.780078, 0.780078, 0.921246], abs=5e-7)
    assert kernel.ravel() == pytest.approx([1.214625, 0.915792, 0.915792, 1.214625], abs=5e-7)
    assert LinearDynamics(kernel, [0.0, 0.0]).eigenvalues == pytest.approx([0.298833, 2.130417], abs=5e-7)


def reference(X, depth, kappas, biases):
    """Textbook recursion with the two dual activations as functions of variances and covariance."""
    value, slope = kappas
    sigma = X @ X.T / X.shape[1] + biases**2
    theta = sigma.copy()
    for layer in range(depth):
        diagonal = np.diag(sigma)
        p, q = np.meshgrid(diagonal, diagonal, indexing="ij")
        bias = biases**2 if layer + 1 < depth else 0.0
        theta = theta * slope(p, q, sigma)
        sigma = value(p, q, sigma) + bias
        theta = theta + sigma
    return sigma, theta


def arc_cosine_one(p, q, c):
    angle = np.arccos(np.clip(c / np.sqrt(p * q), -1, 1))
    return np.sqrt(p * q) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)


def arc_cosine_zero(p, q, c):
    return (np.pi - np.arccos(np.clip(c / np.sqrt(p * q), -1, 1))) / (2 * np.pi)


def gauss_hermite(phi):
    """A two-dimensional rule of one degree, for variances of about 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def mean(p, q, c):
        u = np.sqrt(p)[..., None, None] * nodes[:, None]
        rest = np.sqrt(np.maximum(q - c**2 / p, 0))
        v = (c / np.sqrt(p))[..., None, None] * nodes[:, None] + rest[..., None, None] * nodes
        return np.einsum("...ij,i,j->...", phi(u) * phi(v), weights, weights)

    return mean


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("biases", [0.0, 0.6])
@pytest.mark.parametrize(
    ("activation", "kappas", "accuracy"),
    [
        # The reference loses half of the digits of the angle on the diagonal.
        ("relu", (arc_cosine_one, arc_cosine_zero), 1e-7),
        (
            "sigmoid",
            (gauss_hermite(lambda z: 1 / (1 + np.exp(-z))), gauss_hermite(lambda z: 0.25 / np.cosh(z / 2) ** 2)),
            1e-11,
        ),
    ],
)
def test_depth_against_the_textbook_recursion(depth, biases, activation, kappas, accuracy):
    f = rt.networks.mlp(inputs=3, width=n, hidden_layers=depth, activation=activation, biases=biases)
    sigma, theta = reference(INPUTS, depth, kappas, biases)
    assert nngp_kernel(f, INPUTS) == pytest.approx(sigma, rel=accuracy)
    assert tangent_kernel(f, INPUTS) == pytest.approx(theta, rel=accuracy)


@pytest.mark.parametrize("activation", ["tanh", "softplus", "erf", "relu", "abs", "square", "gelu", "linear"])
@pytest.mark.parametrize("readout", [None, "exponential"])
def test_one_hidden_layer_has_the_limit_as_its_exact_mean(activation, readout):
    f = rt.networks.two_layer(inputs=3, width=n, activation=activation, readout=readout)
    x, y = INPUTS[:2]
    g, h = f.derivative(x), f.derivative(y)
    assert tangent_kernel(f, [x], [y])[0, 0] == pytest.approx(rt.einsum("a,a->", g, h).expectation()(16), rel=1e-12)
    assert nngp_kernel(f, [x], [y])[0, 0] == pytest.approx(rt.einsum(",->", f(x), f(y)).expectation()(16), rel=1e-12)


@pytest.mark.parametrize("build", [rt.networks.deep_linear, lambda **k: rt.networks.mlp(activation="relu", **k)])
@pytest.mark.parametrize("depth", [2, 4])
def test_deep_networks_have_the_leading_term_of_the_exact_mean(build, depth):
    f = build(inputs=3, width=n, hidden_layers=depth)
    x, y = INPUTS[0], 2 * INPUTS[0]
    mean = rt.einsum("a,a->", f.derivative(x), f.derivative(y)).expectation()
    assert float(mean.leading.coefficient) == pytest.approx(tangent_kernel(f, [x], [y])[0, 0], rel=1e-12)


def test_ranks_of_polynomial_activations():
    X = np.linspace(-2, 2, 8)[:, None]

    def dynamics(activation):
        return LinearDynamics(tangent_kernel(rt.networks.two_layer(1, n, activation, biases=1.0), X), np.zeros(8))

    assert dynamics("square").rank == 3
    assert dynamics("power(3)").rank == 4
    assert dynamics("square").eigenvalues[:5] == pytest.approx(0, abs=1e-12)
    # A plain trapezoidal sum with 1200 x 1200 nodes gives this; Gauss-Hermite rules of degree 60 give 3.7e-3.
    assert dynamics("tanh").eigenvalues[0] == pytest.approx(4.1717312149e-3, rel=1e-9)
    assert dynamics("softplus").eigenvalues[0] == pytest.approx(4.0e-6, abs=5e-8)
    assert dynamics("tanh").rank == 8
    with pytest.raises(ExactError, match="between the 8 training inputs has rank 3, expected 8: it is singular"):
        dynamics("square").flow(np.zeros(8), np.inf)


@given(inputs, st.sampled_from(["relu", "erf", "tanh", "leaky_relu(0.2)", "square"]), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_properties(X, activation, depth):
    f = rt.networks.mlp(inputs=3, width=n, hidden_layers=depth, activation=activation)
    rotation = ortho_group.rvs(3, random_state=depth)
    for kernel in (nngp_kernel, tangent_kernel):
        found = kernel(f, X)
        scale = 1e-11 * (1 + np.abs(found).max())
        assert (found == found.T).all()
        assert np.linalg.eigvalsh(found)[0] >= -scale
        assert kernel(f, X @ rotation) == pytest.approx(found, abs=1e-7 * (1 + np.abs(found).max()))
        assert kernel(f, X[:1], X[1:]) == pytest.approx(found[:1, 1:], abs=scale)
        if "relu" in activation:
            assert kernel(f, X, 3 * X) == pytest.approx(3 * found, abs=scale)


def test_perfectly_correlated_inputs():
    x = INPUTS[:1]
    for activation, factor in (("relu", 3.0), ("abs", -3.0)):
        f = rt.networks.mlp(inputs=3, width=n, hidden_layers=4, activation=activation)
        for kernel in (nngp_kernel, tangent_kernel):
            assert kernel(f, x, factor * x) == pytest.approx(3 * kernel(f, x), rel=1e-13)
    odd = rt.networks.mlp(inputs=3, width=n, hidden_layers=2, activation="tanh")
    assert tangent_kernel(odd, x, -x) == pytest.approx(-tangent_kernel(odd, x), rel=1e-13)


def test_large_inputs():
    """The limit of tanh at large inputs is that of the sign: (2 / pi) asin of the correlation."""
    f = rt.networks.two_layer(inputs=2, width=n, activation="tanh")
    X = 1e5 * TWO_INPUTS
    assert nngp_kernel(f, X)[0, 1] == pytest.approx(2 / np.pi * np.arcsin(0.5), rel=1e-4)


def test_widths_biases_outputs_and_readouts():
    f = rt.networks.mlp(inputs=3, width=n, hidden_layers=2, activation="erf")
    expected = tangent_kernel(f, INPUTS)
    for options in ({"width": [2 * n, 3 * m]}, {"outputs": 5}, {"readout": "rademacher"}, {"hidden": "exponential"}):
        g = rt.networks.mlp(**{"inputs": 3, "width": n, "hidden_layers": 2, "activation": "erf"} | options)
        assert tangent_kernel(g, INPUTS) == pytest.approx(expected, rel=1e-14)
    g = rt.networks.mlp(inputs=3, width=n, hidden_layers=2, activation="erf", readout=norm(scale=2))
    assert nngp_kernel(g, INPUTS) == pytest.approx(4 * nngp_kernel(f, INPUTS), rel=1e-14)
    # The read-out's own part does not feel its variance: Theta = K + variance (Theta - K).
    covariance = nngp_kernel(f, INPUTS)
    assert tangent_kernel(g, INPUTS) == pytest.approx(covariance + 4 * (expected - covariance), rel=1e-13)


def test_parametrizations():
    def network(choice):
        return rt.networks.mlp(inputs=3, width=n, hidden_layers=2, activation="relu", parametrization=choice)

    ntk = network("ntk")
    assert nngp_kernel(network("standard"), INPUTS) == pytest.approx(nngp_kernel(ntk, INPUTS), rel=1e-14)
    # In mup each layer contributes what it does in ntk, but the first two divided by n / n.
    first, x = network("mup"), INPUTS[:1]
    mean = rt.einsum("a,a->", first.derivative(x[0]), first.derivative(x[0])).expectation()
    assert tangent_kernel(first, x)[0, 0] == pytest.approx(float(mean.leading.coefficient), rel=1e-13)
    with pytest.raises(
        ExactError, match=r"tangent kernel of .* grows like n, expected a parametrization in which it has"
    ):
        tangent_kernel(network("standard"), INPUTS)
    with pytest.raises(ExactError, match=r"tangent kernel of .* vanishes like n\^\{-1\}, expected a parametrization"):
        tangent_kernel(network("mean-field"), INPUTS)
    with pytest.raises(ExactError, match=r"output covariance of .* vanishes like n\^\{-1\}, expected"):
        nngp_kernel(network("mup"), INPUTS)
    with pytest.raises(
        ExactError, match=r"pre-activations of hidden layer 2 is of order n, expected a parametrization"
    ):
        nngp_kernel(network([(0, 0), (0, 0), (0.5, 0), 0]), INPUTS)


def test_linear_residual_and_convolutional_networks():
    x = INPUTS
    f = rt.networks.resnet(inputs=3, width=n, blocks=3, activation="linear", residual_scale=0.5)
    gram = x @ x.T / 3
    assert nngp_kernel(f, x) == pytest.approx(1.25**3 * gram, rel=1e-13)
    # Read-out and input give (1 + s^2)^L each, every block s^2 (1 + s^2)^(L - 1).
    assert tangent_kernel(f, x) == pytest.approx((2 * 1.25**3 + 3 * 0.25 * 1.25**2) * gram, rel=1e-13)
    images = np.random.default_rng(1).standard_normal((3, 4, 5, 2))
    f = rt.networks.cnn(channels_in=2, channels=n, layers=2, activation="linear", kernel_size=2, axes=2)
    # A linear circular network with an average over positions sees the mean over positions of the input only.
    means = images.mean(axis=(1, 2))
    assert nngp_kernel(f, images) == pytest.approx(means @ means.T / 2, rel=1e-13)
    assert tangent_kernel(f, images) == pytest.approx(3 * means @ means.T / 2, rel=1e-13)
    assert tangent_kernel(f, images[:1], images) == pytest.approx(tangent_kernel(f, images)[:1], rel=1e-13)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("kind", ["resnet", "cnn", "cnn with positions"])
def test_residual_and_convolutional_networks_of_large_width(activation, kind):
    """Means of sampled tangent kernels within 6 standard errors and a bias of order 1/n; the seed is fixed.

    Student's law with 23 degrees of freedom leaves 4e-6 outside of 6 standard errors.
    """
    rng = np.random.default_rng(3)
    if kind == "resnet":
        X = rng.standard_normal((2, 3))
        f = rt.networks.resnet(
            inputs=3, width=n, blocks=2, activation=activation, residual_scale=0.7, readout="uniform"
        )
    else:
        X = rng.standard_normal((2, 4, 2))
        positions = 4 if "positions" in kind else None
        f = rt.networks.cnn(channels_in=2, channels=n, layers=2, activation=activation, positions=positions)
    g, h = f.derivative(X[0]), f.derivative(X[1])
    for other, index in ((g, 0), (h, 1)):
        samples = rt.einsum("a,a->", g, other).sample(1024, size=24, rng=7)
        error = samples.std(ddof=1) / np.sqrt(len(samples))
        limit = tangent_kernel(f, X)[0, index]
        assert abs(samples.mean() - limit) < 6 * error + 5 * abs(limit) / 1024
    values = f(X[0]).sample(64, size=400, rng=8)
    error = (values**2).std() / 20
    assert abs((values**2).mean() - nngp_kernel(f, X)[0, 0]) < 6 * error


def test_bad_input():
    f = rt.networks.two_layer(inputs=3, width=n)
    with pytest.raises(ShapeError, match=r"X has shape \(4, 2\), expected \(N, 3\): stacked inputs"):
        tangent_kernel(f, INPUTS[:, :2])
    with pytest.raises(ShapeError, match=r"X2 has shape \(3,\), expected \(N, 3\): stacked inputs"):
        tangent_kernel(f, INPUTS, INPUTS[0])
    with pytest.raises(InputError, match="X has 1 NaN or infinite entries"):
        tangent_kernel(f, [[np.nan, 0, 0]])
    with pytest.raises(InputError, match="width is 64, expected a Scale or a multiple of one, to take to infinity"):
        nngp_kernel(rt.networks.two_layer(inputs=3, width=64), INPUTS)
    with pytest.raises(ExactError, match=r"expected a network from rt\.networks with random weights"):
        nngp_kernel(f.then(rt.square), INPUTS)
    with pytest.raises(InputError, match=r"f is 'mlp', expected a network from rt\.networks"):
        nngp_kernel("mlp", INPUTS)
    with pytest.raises(InputError, match="the readout weights have mean 1, expected 0"):
        nngp_kernel(rt.networks.two_layer(inputs=3, width=n, readout=norm(loc=1)), INPUTS)
    g = rt.networks.cnn(channels_in=2, channels=n, layers=1, positions=3)
    with pytest.raises(ShapeError, match="X has inputs with 4 positions, expected positions = 3"):
        nngp_kernel(g, np.ones((2, 4, 2)))
