"""Training step by step, against dense networks in JAX and against one in NumPy, from the same parameters."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import estimators
import randtensor as rt
from estimators import Loss, Training, train
from estimators.training import specification
from estimators.training.divergence import Divergence
from tests.dense_training import CASES, WIDTH, Dense, batch_weights, descend

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
LOG_COSH = Loss("log-cosh", lambda F, y: np.log(np.cosh(F - y)), lambda F, y: np.tanh(F - y))
LOG_COSH_OF_VECTORS = Loss("log-cosh", lambda F, y: np.log(np.cosh(F - y)).sum(axis=-1), lambda F, y: np.tanh(F - y))


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """A few networks side by side, where in earnest there would be thousands of such narrow ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specification, "BLOCK_ENTRIES", 2**10)
        yield


#: the library's loss and what it is called in the reference, for scalar and for vector outputs
CHOICES = {
    None: {"squared": "squared", "cross-entropy": "logistic", LOG_COSH: "log-cosh"},
    2: {"squared": "squared", "cross-entropy": "softmax", LOG_COSH_OF_VECTORS: "log-cosh"},
}


@st.composite
def trainings(draw):
    """An architecture, data, a loss and a rule."""
    name = draw(st.sampled_from(sorted(CASES)))
    case = CASES[name]
    seed, count = draw(st.integers(0, 999)), draw(st.integers(1, 4))
    X, y = case.data(seed, count)
    loss = draw(st.sampled_from(list(CHOICES[case.outputs])))
    if loss == "cross-entropy":
        y = y > 0 if case.outputs is None else np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    momentum = draw(st.sampled_from([0.0, 0.0, 0.5, 0.9]))
    nesterov = momentum > 0 and draw(st.booleans())
    rule = {
        "learning_rate": draw(st.sampled_from([0.01, 0.05, 0.2])),
        "momentum": momentum,
        "nesterov": nesterov,
        "dampening": 0.3 if momentum and not nesterov and draw(st.booleans()) else 0.0,
    }
    if draw(st.booleans()):
        rule["weight_decay"] = 0.2
    elif draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(sorted(case.shapes)), unique=True))
        rule["rates"] = {each: draw(st.sampled_from([0.0, 0.5, 3.0])) for each in names}
    batch, reduction = draw(st.sampled_from(["full", "cyclic"])), draw(st.sampled_from(["mean", "sum"]))
    return name, seed, X, y, loss, rule, batch, reduction


@given(trainings())
@settings(max_examples=20)
def test_descent_is_that_of_a_dense_network(choice):
    name, seed, X, y, loss, rule, batch, reduction = choice
    case = CASES[name]
    arrays = case.parameters(seed)
    extra, _ = case.data(seed + 7, 1)
    run = train(
        case.function.at(**arrays), X, y, steps=6, loss=loss, batch=batch, reduction=reduction, test=extra,
        observe=["outputs", "loss"], **rule,
    )  # fmt: skip
    dense, points = Dense(name, arrays), np.concatenate([X, extra])
    weights = batch_weights(batch, len(X), 6, reduction)
    path = dense.path(X, np.asarray(y, dtype=float), weights, loss=CHOICES[case.outputs][loss], **rule)
    expected = np.array([dense.outputs(theta, points) for theta in path])
    # a run may well be unstable: then it ends where the reference is out of all bounds, and errors grow with it
    kept = len(run.steps)
    assert kept == 7 or abs(expected[kept]).max() > 1e6
    for mine, other in zip(run.outputs[0], expected[:kept], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-10 * max(1.0, abs(other).max()))


def test_the_loss_is_the_mean_over_training_inputs():
    case = CASES["vector"]
    X, _ = case.data(3, 4)
    classes = [0, 1, 1, 0]
    run = train(case.function.at(**case.parameters(3)), X, classes, steps=3, loss="cross-entropy", learning_rate=0.5)
    scores = np.exp(run.outputs[0])
    chosen = scores[:, np.arange(4), classes] / scores.sum(axis=2)
    np.testing.assert_allclose(run.loss[0], -np.log(chosen).mean(axis=1), **CLOSE)
    rows = train(case.function.at(**case.parameters(3)), X, np.eye(2)[classes], steps=3, loss="cross-entropy",
                 learning_rate=0.5)  # fmt: skip
    np.testing.assert_array_equal(rows.outputs, run.outputs)


@pytest.mark.parametrize("batch", [2, 3])
def test_mini_batches_are_disjoint_within_an_epoch(batch):
    """Which inputs a step saw is found by trying all; each step is exact for one choice only."""
    case, count, steps = CASES["mlp"], 6, 6
    arrays = case.parameters(5)
    X, y = case.data(5, count)
    options = {"learning_rate": 0.3, "momentum": 0.5}
    run = train(
        case.function.at(**arrays), X, y, steps=steps, batch=batch, samples=3, rng=1, observe="outputs", **options
    )
    dense, orders = Dense("mlp", arrays), set()
    for outputs in run.outputs:
        weights: list[np.ndarray] = []
        seen: list[tuple[int, ...]] = []
        for step in range(steps):
            found = []
            for chosen in combinations(range(count), batch):
                trial = [*weights, np.isin(range(count), chosen) / batch]
                theta = dense.path(X, y, trial, **options)[-1]
                if np.allclose(dense.outputs(theta, X), outputs[step + 1], **CLOSE):
                    found.append((chosen, trial))
            assert len(found) == 1
            seen.append(found[0][0])
            weights = found[0][1]
        for epoch in range(0, steps, count // batch):
            inputs = sum(seen[epoch : epoch + count // batch], ())
            assert len(set(inputs)) == len(inputs)
        orders.add(tuple(seen))
    assert len(orders) == 3, "every network has an order of its own"


@pytest.mark.parametrize(("name", "weight_decay"), [("mlp", 0.0), ("tied", 0.3)])
def test_gradient_flow_is_that_of_a_dense_network(name, weight_decay):
    from scipy.integrate import solve_ivp

    case = CASES[name]
    arrays = case.parameters(11)
    X, y = case.data(11, 3)
    run = train(
        case.function.at(**arrays), X, y, flow=True, learning_rate=0.7, steps=3, tolerance=1e-11,
        weight_decay=weight_decay, observe=["outputs", "linear_outputs"],
    )  # fmt: skip
    dense = Dense(name, arrays)
    solution = solve_ivp(
        lambda _, theta: -dense.gradient(theta, X, y, np.full(3, 1 / 3), "squared") - weight_decay * theta,
        (0, 2.1), dense.start, method="DOP853", rtol=1e-12, atol=1e-13, t_eval=0.7 * np.arange(4),
    )  # fmt: skip
    expected = np.array([dense.outputs(theta, X) for theta in solution.y.T])
    np.testing.assert_allclose(run.outputs[0], expected, **CLOSE)


def test_against_a_network_written_out_in_numpy():
    """Two hidden tanh layers, back-propagated by hand; momentum and weight decay."""
    rng = np.random.default_rng(8)
    width, inputs = 7, 4
    shapes = {"W1": (width, inputs), "W2": (width, width), "v": (width,)}
    start = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    X, y = rng.standard_normal((5, inputs)), rng.standard_normal(5)

    def layers(p):
        first = np.tanh(X @ p["W1"].T / inputs**0.5)
        second = np.tanh(first @ p["W2"].T / width**0.5)
        return first, second, second @ p["v"] / width**0.5

    def gradient(p):
        first, second, outputs = layers(p)
        error = (outputs - y) / len(y)
        z2 = np.outer(error, p["v"]) / width**0.5 * (1 - second**2)
        z1 = z2 @ p["W2"] / width**0.5 * (1 - first**2)
        return {"W1": z1.T @ X / inputs**0.5, "W2": z2.T @ first / width**0.5, "v": error @ second / width**0.5}

    def flat(p):
        return np.concatenate([p[name].ravel() for name in shapes])

    def shaped(theta):
        parts = np.split(theta, np.cumsum([np.prod(shape) for shape in shapes.values()])[:-1])
        return {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)}

    rule = {"learning_rate": 0.4, "momentum": 0.8, "weight_decay": 0.01}
    path = descend(lambda theta, _: flat(gradient(shaped(theta))), flat(start), 25, **rule)
    f = rt.networks.mlp(inputs, rt.Scale("n"), 2).at(**start)
    run = train(f, X, y, steps=25, **rule)
    np.testing.assert_allclose(run.outputs[0], [layers(shaped(theta))[2] for theta in path], **CLOSE)
    np.testing.assert_allclose(run["loss"][0], ((run.outputs[0] - y) ** 2).mean(axis=1) / 2, **CLOSE)


@pytest.mark.parametrize("scheme", ["ntk", "standard", "mup", "mean-field"])
def test_learning_rates_and_parameter_rates_may_be_orders(scheme):
    n = rt.Scale("n")
    exponents = rt.networks.parametrization(scheme)
    f = rt.networks.mlp(3, n, 2, "tanh", scheme)
    X, y = CASES["mlp"].data(0, 3)
    number = float(exponents.rate(float(WIDTH)))
    fixed = f.at(**{name: CASES["mlp"].parameters(2)[name] for name in ("W1", "W2", "v")})
    runs = [
        train(fixed, X, y, learning_rate=rate, rates={"v": multiple}, steps=4).outputs
        for rate, multiple in ((0.2 * exponents.rate(n), n**-0.5), (0.2 * number, WIDTH**-0.5))
    ]
    np.testing.assert_allclose(*runs, **CLOSE)
    assert abs(runs[0][0, -1] - runs[0][0, 0]).max() > 1e-6


def test_a_training_quantity_is_the_number_in_the_run():
    n = rt.Scale("n")
    X, y = CASES["mlp"].data(0, 3)
    training = Training(rt.networks.mlp(3, n, 2), X, y, learning_rate=0.5, steps=5, test=X[:1] + 1)
    run = train(training, n=8, rng=4, observe=["outputs", "kernel"], samples=5)
    point = estimators.TrainingQuantity(training, "outputs", at=[3], reduce=None, step=4)
    rms = estimators.TrainingQuantity(training, "kernel", at="train", step=2)
    spectral = estimators.TrainingQuantity(training, "kernel", at="test", reduce="spectral")
    largest = estimators.TrainingQuantity(training, "outputs", step=[1, 3], reduce="max")
    # the streams of quantities differ: the same draws are those of one block
    from randtensor.quantity import Draw

    def sampled(quantity):
        return quantity.evaluate(Draw({"n": 8}, 5, np.random.Generator(np.random.SFC64(1))))

    whole = {name: sampled(_Everything(training, name)) for name in ("outputs", "kernel")}
    np.testing.assert_allclose(sampled(point), whole["outputs"][:, 4, 3], **CLOSE)
    np.testing.assert_allclose(sampled(rms), (whole["kernel"][:, 2, :3, :3] ** 2).mean(axis=(1, 2)) ** 0.5, **CLOSE)
    np.testing.assert_allclose(sampled(spectral), whole["kernel"][:, -1, 3, 3], **CLOSE)
    np.testing.assert_allclose(sampled(largest), abs(whole["outputs"][:, [1, 3]]).max(axis=(1, 2)), **CLOSE)
    assert run.outputs.shape == (5, 6, 4) and run.kernel.shape == (5, 6, 4, 4)


class _Everything(estimators.TrainingQuantity):
    """An observable at every step, not reduced."""

    def evaluate(self, draw):
        steps = range(self.training.steps + 1)
        snapshots = self.training.snapshots(draw, steps, [self.observable], Divergence(draw.batch))
        return np.stack([self.observable.compute(snapshot) for snapshot in snapshots], axis=1)
