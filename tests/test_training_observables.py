"""What is observed of networks in training, against Jacobians and derivative tensors of dense ones."""

from __future__ import annotations

import numpy as np
import pytest

import estimators
import randtensor as rt
from estimators import Training, TrainingQuantity, train
from estimators.training import OBSERVABLES, specification
from tests.dense_training import CASES, Dense, batch_weights, descend

CLOSE = {"rtol": 1e-9, "atol": 1e-10}
STEPS = 4


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """A few networks side by side, where in earnest there would be thousands of such narrow ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specification, "BLOCK_ENTRIES", 2**10)
        yield


def trained(name, observe, record=None, **rule):
    """A run of one network, with its path in the reference."""
    case = CASES[name]
    arrays = case.parameters(21)
    X, y = case.data(21, 2)
    test, _ = case.data(22, 1)
    rule = {"learning_rate": 0.4, **rule}
    run = train(case.function.at(**arrays), X, y, steps=STEPS, test=test, observe=observe, record=record, **rule)
    dense = Dense(name, arrays)
    path = dense.path(X, y, batch_weights("full", 2, STEPS, "mean"), **rule)
    return run, dense, path, np.concatenate([X, test])


@pytest.mark.parametrize("name", ["mlp", "tied", "recurrent"])
@pytest.mark.parametrize("rates", [{}, {"v": 3.0}])
def test_kernel_and_gradients_are_products_of_jacobians(name, rates):
    observe = ["kernel", "kernel_change", "gradient_change", "parameter_motion", "largest_motion"]
    run, dense, path, points = trained(name, observe, rates=rates)
    multiples = dense.multiples(rates)
    jacobians = [dense.jacobian(theta, points) for theta in path]
    kernels = np.array([J @ (multiples[:, None] * J.T) for J in jacobians])
    np.testing.assert_allclose(run.kernel[0], kernels, **CLOSE)
    np.testing.assert_allclose(run.kernel_change[0], kernels - kernels[0], **CLOSE)
    changes = [np.linalg.norm(J - jacobians[0], axis=1) for J in jacobians]
    np.testing.assert_allclose(run.gradient_change[0], changes, **CLOSE)
    np.testing.assert_allclose(run.parameter_motion[0], np.linalg.norm(path - path[0], axis=1), **CLOSE)
    np.testing.assert_allclose(run.largest_motion[0], abs(path - path[0]).max(axis=1), **CLOSE)


def test_what_is_seen_does_not_depend_on_when_one_looks_first():
    """The initial kernel is worked out late where nobody asked for it before: it is still the initial one."""
    names = [name for name in OBSERVABLES if not name.startswith("limit")]
    often = trained("mlp", names)[0]
    late = trained("mlp", names, record=[STEPS])[0]
    for name in names:
        np.testing.assert_allclose(late[name][:, -1], often[name][:, -1], err_msg=name, **CLOSE)
        alone = trained("mlp", name, record=[STEPS])[0]
        np.testing.assert_allclose(alone[name][:, -1], often[name][:, -1], err_msg=name, **CLOSE)


def test_motion_counts_weight_decay():
    run, _, path, _ = trained("mlp", ["parameter_motion", "largest_motion"], weight_decay=0.5)
    np.testing.assert_allclose(run.parameter_motion[0], np.linalg.norm(path - path[0], axis=1), **CLOSE)
    np.testing.assert_allclose(run.largest_motion[0], abs(path - path[0]).max(axis=1), **CLOSE)


def test_features_are_the_activations():
    run, dense, path, points = trained("mlp", ["feature_change"])

    def features(theta):
        p, shapes, start = {}, dense.case.shapes, 0
        for name in sorted(shapes):
            size = int(np.prod(shapes[name]))
            p[name] = theta[start : start + size].reshape(shapes[name])
            start += size
        first = np.tanh(points @ p["W1"].T / 3**0.5 + 0.3 * p["b1"])
        return np.stack([first, np.tanh(first @ p["W2"].T / len(p["v"]) ** 0.5 + 0.3 * p["b2"])])

    expected = [np.sqrt(((features(theta) - features(path[0])) ** 2).mean(axis=2)) for theta in path]
    np.testing.assert_allclose(run.feature_change[0], expected, **CLOSE)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_correlations_are_contractions_of_derivative_tensors(name):
    """C^(0,2) = H g g / 2 and C^(0,3) = T g g g / 6, at the start from ``rt.einsum``, later from finite differences."""
    run, dense, path, points = trained(name, ["second_correlation", "third_correlation"])
    f = dense.case.function.at(**dense.case.parameters(21))
    for i, x in enumerate(points):
        g, H, T = (f.derivative(x, order=order) for order in (1, 2, 3))
        second = rt.einsum("ab,a,b->", H, g, g).sample()[0] / 2
        third = rt.einsum("abc,a,b,c->", T, g, g, g).sample()[0] / 6
        np.testing.assert_allclose(run.second_correlation[0, 0, i], second, **CLOSE)
        np.testing.assert_allclose(run.third_correlation[0, 0, i], third, **CLOSE)
    along_gradient(run, dense, path[-1], points)


def test_correlations_of_vector_outputs_are_those_of_each_output():
    run, dense, path, points = trained("tied", ["second_correlation", "third_correlation"])
    along_gradient(run, dense, path[-1], points)


def along_gradient(run, dense, theta, points):
    """Taylor coefficients of each output along its own gradient, from a polynomial through many points."""
    jacobian = dense.jacobian(theta, points)
    nodes = np.cos(np.pi * (np.arange(24) + 0.5) / 24) * 0.05
    for row, gradient in enumerate(jacobian):
        values = [dense.outputs(theta + t * gradient, points).ravel()[row] for t in nodes]
        series = np.polynomial.Polynomial.fit(nodes, values, 12).convert().coef
        np.testing.assert_allclose(run.second_correlation[0, -1, row], series[2], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(run.third_correlation[0, -1, row], series[3], rtol=1e-4, atol=1e-6)


def test_own_observables_see_a_snapshot():
    case = CASES["mlp"]
    X, y = case.data(0, 2)
    own = {"squares": lambda s: s.outputs**2, "at": lambda s: np.full(len(s.outputs), s.step)}
    run = train(case.function.at(**case.parameters(0)), X, y, steps=2, observe=own)
    plain = train(case.function.at(**case.parameters(0)), X, y, steps=2, observe="outputs")
    np.testing.assert_array_equal(run.squares, plain.outputs**2)
    np.testing.assert_array_equal(run["at"][0], [0, 1, 2])


LINEAR = [
    {"learning_rate": 0.3},
    {"learning_rate": 0.3, "momentum": 0.8, "weight_decay": 0.2},
    {"learning_rate": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    {"learning_rate": 0.3, "rates": {"v": 0.5}, "momentum": 0.5, "dampening": 0.1},
]


@pytest.mark.parametrize("rule", LINEAR)
@pytest.mark.parametrize(
    ("name", "loss", "batch"),
    [("mlp", "squared", "full"), ("vector", "softmax", "full"), ("tied", "squared", "cyclic")],
)
def test_the_linearisation_is_the_linearised_model_trained_by_the_same_rule(name, loss, rule, batch):
    case = CASES[name]
    arrays = case.parameters(31)
    X, y = case.data(31, 3)
    test, _ = case.data(32, 1)
    if loss == "softmax":
        y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    run = train(
        case.function.at(**arrays), X, y, steps=8, test=test, batch=batch,
        observe=["linear_outputs", "linearization_error"],
        loss="cross-entropy" if loss == "softmax" else "squared", **rule,
    )  # fmt: skip
    dense, points = Dense(name, arrays), np.concatenate([X, test])
    start = dense.start
    values, jacobian = dense.outputs(start, points), dense.jacobian(start, points)
    width = values[0].size

    def model(theta):
        return values + (jacobian @ (theta - start)).reshape(values.shape)

    def gradient(theta, step):
        outputs = model(theta)[:3]
        if loss == "softmax":
            scores = np.exp(outputs)
            slopes = scores / scores.sum(axis=1, keepdims=True) - y
        else:
            slopes = outputs - y
        weights = np.repeat(batch_weights(batch, 3, 8, "mean")[step], width)
        return jacobian[: 3 * width].T @ (weights * slopes.ravel())

    options = dict(rule)
    multiples = dense.multiples(options.pop("rates", {}))
    path = descend(gradient, start, 8, options.pop("learning_rate") * multiples, **options)
    np.testing.assert_allclose(run.linear_outputs[0], [model(theta) for theta in path], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(
        run.linearization_error[0] + run.linear_outputs[0],
        train(case.function.at(**arrays), X, y, steps=8, test=test, batch=batch, observe="outputs",
              loss="cross-entropy" if loss == "softmax" else "squared", **rule).outputs[0],
        **CLOSE,
    )  # fmt: skip


def test_linear_flow_has_its_closed_form():
    case = CASES["mlp"]
    X, y = case.data(41, 3)
    f = case.function.at(**case.parameters(41))
    run = train(f, X, y, flow=True, learning_rate=0.8, steps=3, reduction="sum", observe=["linear_outputs", "kernel"])
    values, vectors = np.linalg.eigh(run.kernel[0, 0])
    start = run.linear_outputs[0, 0]
    for step in range(4):
        decay = vectors @ np.diag(np.exp(-0.8 * step * values)) @ vectors.T
        np.testing.assert_allclose(run.linear_outputs[0, step], y + decay @ (start - y), rtol=1e-8, atol=1e-8)


def test_the_limit_of_infinite_width_starts_from_the_same_outputs():
    """Given the network's own kernel as that of infinite width, the limit is the linearisation."""
    case = CASES["vector"]
    X, y = case.data(51, 2)
    f = case.function.at(**case.parameters(51))
    rule = {"learning_rate": 0.2, "momentum": 0.5, "steps": 6, "test": X[:1] - 1}
    kernel = train(f, X, y, observe="kernel", record=[0], **rule).kernel[0, 0]
    run = train(f, X, y, limit=kernel[:, :4], observe=["limit_outputs", "linear_outputs", "limit_error"], **rule)
    np.testing.assert_allclose(run.limit_outputs, run.linear_outputs, **CLOSE)
    error = TrainingQuantity(Training(f, X, y, limit=kernel[:, :4], **rule), "limit_error", at="test", reduce="max")
    np.testing.assert_allclose(error.sample()[0], abs(run.limit_error[0, -1, 2]).max(), **CLOSE)


def test_the_limit_of_vector_outputs_is_that_of_each():
    f = rt.networks.mlp(2, rt.Scale("n"), 2, outputs=2)
    X, y, test = np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([[1.0, -1.0], [0.5, 2.0]]), np.array([[0.0, 1.0]])
    kernel = estimators.tangent_kernel(f, np.concatenate([X, test]), X)
    run = train(f, X, y, n=16, samples=2, rng=0, steps=3, learning_rate=0.5, test=test, limit=kernel,
                observe=["limit_outputs"])  # fmt: skip
    dynamics = estimators.LinearDynamics(kernel, y, learning_rate=0.25)
    expected = dynamics.descent(run.limit_outputs[:, 0], run.steps).outputs
    np.testing.assert_allclose(run.limit_outputs.swapaxes(0, 1), expected, **CLOSE)


def test_linear_networks_do_not_depart_from_linearity_in_their_last_layer():
    """With only the read-out in motion the model is linear in its parameters: no departure at all."""
    f = rt.networks.mlp(2, rt.Scale("n"), 2)
    X = [[1.0, 0.5], [0.2, -1.0]]
    frozen = {"W1": 0, "W2": 0}
    run = train(f, X, [1.0, -1.0], n=300, samples=2, rates=frozen, learning_rate=0.5, steps=20, rng=0)
    assert abs(run.linearization_error).max() < 1e-12
    assert abs(run.kernel - run.kernel[:, :1]).max() < 1e-12
    assert estimators.train(f, X, [1.0, -1.0], n=300, learning_rate=0.5, steps=20, rng=0).outputs.shape == (1, 21, 2)
