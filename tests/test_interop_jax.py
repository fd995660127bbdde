"""Functions of JAX as random functions: trees, keys, layers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import estimators
import randtensor as rt

jax = pytest.importorskip("jax")
jnp = jax.numpy
random_function = pytest.importorskip("randtensor.interop.jax").random_function

X = [[1.0, 0.0], [0.6, 0.8]]


def mlp(n):
    def init(key):
        keys = jax.random.split(key)
        return {
            "layers": [jax.random.normal(keys[0], (n, 2)), (jax.random.normal(keys[1], (n,)), jnp.zeros(()))],
            "calls": jnp.zeros((), dtype=int),
        }

    def hidden(params, x):
        return jnp.tanh(x @ params["layers"][0].T)

    def apply(params, x):
        weights, bias = params["layers"][1]
        return hidden(params, x) @ weights / n**0.5 + bias

    return init, apply, lambda params, x: {"hidden": hidden(params, x)}


def test_trees_have_names_and_integers_are_no_parameters():
    f = random_function(mlp)
    assert f.space.names == ("layers.0", "layers.1.0", "layers.1.1")
    U, v = np.arange(6.0).reshape(3, 2) / 6, np.array([1.0, -1.0, 2.0])
    at = f.at((3, {"layers": [U, (v, 0.5)], "calls": 7}))
    h = np.tanh(U @ X[1])
    np.testing.assert_allclose(at(X[1]).sample()[0], v @ h / 3**0.5 + 0.5, rtol=1e-12)
    g = at.derivative(X[1])
    expected = (h @ h + np.sum((v * (1 - h**2)) ** 2) * (np.array(X[1]) @ X[1])) / 3 + 1
    np.testing.assert_allclose(rt.einsum("a,a->", g, g).sample()[0], expected, rtol=1e-12)


def test_single_precision_stays_the_default_of_jax():
    before = jnp.ones(2).dtype
    random_function(mlp)(X[0]).sample(8, size=2, rng=0)
    assert jnp.ones(2).dtype == before
    with pytest.raises(RuntimeError, match="stop"):

        def stopping(n):
            def init(key):
                raise RuntimeError("stop")

            return init, init

        try:
            random_function(stopping)
        except rt.InputError as error:
            assert "init of stopping failed at {'n': 32} (RuntimeError: stop)" in str(error)
            raise RuntimeError("stop") from None
    assert jnp.ones(2).dtype == before


def test_features_are_what_layers_gives():
    f = random_function(mlp)
    U, v = np.arange(6.0).reshape(3, 2) / 6, np.array([1.0, -1.0, 2.0])
    at = f.at((3, {"layers": [U, (v, 0.5)], "calls": 0}))
    run = estimators.train(at, X, [1.0, -1.0], steps=0, observe=["feature_scale", "outputs"])
    expected = np.sqrt(np.mean(np.tanh(np.array(X) @ U.T) ** 2, axis=1))
    np.testing.assert_allclose(run.feature_scale[0, 0], [expected], rtol=1e-12)
    without = random_function(lambda n: mlp(n)[:2])
    with pytest.raises(rt.InputError, match="gives no layers, expected"):
        estimators.train(without, X, [1.0, -1.0], steps=0, n=4, observe=["feature_scale"])


def test_adam_descends_by_signs_at_first():
    """The first step of Adam is learning_rate * sign(gradient), up to epsilon."""
    f = random_function(mlp)
    options = {"optimizer": "adam", "learning_rate": 1e-3, "steps": 1, "epsilon": 1e-30, "n": 8, "rng": 0}
    run = estimators.train(f, X[:1], [5.0], **options, observe=["largest_motion", "parameter_motion"])
    np.testing.assert_allclose(run.largest_motion[0, -1], 1e-3, rtol=1e-10)
    # the first input has one entry that is not zero: 8 weights of its row, 8 of the read-out and the bias move
    np.testing.assert_allclose(run.parameter_motion[0, -1], 1e-3 * 17**0.5, rtol=1e-6)


REFUSED = {
    "no width": (lambda n: mlp(5), "the same shapes at {'n': 32} and {'n': 64}"),
    "not a pair": (lambda n: mlp(n)[0], "the factory gave function at {'n': 32}, expected a pair (init, apply)"),
    "no parameters": (lambda n: (lambda key: {"k": jnp.arange(n)}, lambda p, x: x), "has no floating leaves"),
    "complex": (lambda n: (lambda key: {"z": jnp.ones(n) * 1j}, lambda p, x: x), "parameter 'z' is complex"),
    "branches": (
        lambda n: (lambda key: jax.random.normal(key, (n,)), lambda p, x: x[:, 0] if p[0] > 0 else x[:, 1]),
        "it depends on the values of arrays in Python",
    ),
    "not batched": (
        lambda n: (lambda key: jax.random.normal(key, (n,)), lambda p, x: x.sum() * p.sum()),
        "expected one row per input, or batched=False where the model takes one input",
    ),
    "shapes": (
        lambda n: (lambda key: jax.random.normal(key, (n, 2)), lambda p, x: (p @ x.T).sum(0)),
        "cannot be evaluated sample by sample: ",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    factory, message = REFUSED[what]
    with pytest.raises(rt.InputError if what != "not batched" else rt.ShapeError) as caught:
        random_function(factory)([1.0, 2.0, 3.0] if what == "shapes" else X[0])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_device_of_another_library_is_refused():
    with pytest.raises(rt.InputError, match=r"device is 'cpu', expected one of jax\.devices"):
        random_function(mlp, device="cpu")
