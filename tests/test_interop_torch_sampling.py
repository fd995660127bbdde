"""Quantities sampled with PyTorch: the same numbers from the same normal numbers, the same law from others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import estimators
import randtensor as rt
from estimators.store.identity import identity
from randtensor.programs.activations import get_activation
from randtensor.revealed import RevealedGaussian, RevealedGOE, RevealedHaar

torch = pytest.importorskip("torch")
on_torch = pytest.importorskip("randtensor.interop.torch_sampling").on_torch
arrays = pytest.importorskip("randtensor.interop.torch_arrays")

n = rt.Scale("n")
X, OTHER = np.array([1.0, -1.0, 1.0, 1.0]), np.array([1.0, 0.5, -0.2, 0.3])
SMOOTH = ("tanh", "sigmoid", "softplus", "silu", "erf", "gelu", "sin", "cos", "arctan", "exp", "square", "power(3)")
PIECEWISE = ("relu", "leaky_relu(0.1)", "leaky_relu(2)", "abs")


def network(activation="tanh", **options):
    return rt.networks.mlp(inputs=4, width=n, hidden_layers=2, activation=activation, **options)


def contractions(f):
    """With and without loops, with one direction and with several."""
    g, g2, H, T = f.derivative(X), f.derivative(OTHER), f.derivative(X, 2), f.derivative(X, 3)
    return {
        "value": f(X),
        "kernel": rt.einsum("a,a->", g, g2),
        "cubic": rt.einsum("abc,a,b,c->", T, g, g2, g),
        "trace": rt.einsum("ab,ab->", H, H),
        "chain": rt.einsum("a,ab,bc,c->", g, H, H, g2),
    }


def recurrent():
    @rt.program(U=rt.gaussian(n, 2), W=rt.gaussian(n, n), b=rt.gaussian(3, n), v=rt.gaussian(n))
    def f(p, x):
        h = rt.tanh(p.U @ x[0])
        for k, step in enumerate(x[1:]):
            h = rt.tanh(p.W @ h / n**0.5 + p.U @ step + p.b[k])
        return [p.v @ h / n**0.5 + 1.0, rt.sum(h * p.v) / n, rt.mean(h) * (p.v @ p.v) / n]

    return f


def quadratic(f, x, equation):
    g, H = f.derivative(x), f.derivative(x, 2)
    return rt.einsum(equation, H, g, g)


QUANTITIES = {
    **{f"{name} {kind}": c for name in (*SMOOTH, *PIECEWISE) for kind, c in contractions(network(name)).items()},
    "three outputs": network(outputs=3)(X),
    "recurrent": quadratic(recurrent(), np.eye(3, 2), "iab,ja,kb->"),
    "convolutional": quadratic(rt.networks.cnn(2, n, 2, activation="tanh"), np.eye(5, 2), "ab,a,b->"),
    "difference": contractions(network())["kernel"] - 0.5 * contractions(network())["kernel"] ** 2,
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_the_same_normal_numbers_give_the_same_samples(name):
    quantity = QUANTITIES[name]
    panels = (5000,) if name.startswith(("tanh", "relu", "recurrent")) else ()
    for width in (6, 40, *panels):  # drawn whole, revealed in batches, and in panels
        here = quantity.sample(width, size=3, rng=1)
        there = on_torch(quantity, normals="host").sample(width, size=3, rng=1)
        np.testing.assert_allclose(there, here, rtol=0, atol=1e-12 * np.abs(here).max())


@pytest.mark.parametrize("kind", contractions(network()))
def test_single_precision_is_as_good_as_its_rounding(kind):
    quantity = contractions(network())[kind]
    for width in (6, 300, 5000):
        here = quantity.sample(width, size=6, rng=1)
        there = on_torch(quantity, normals="host", dtype="float32").sample(width, size=6, rng=1)
        assert there.dtype == np.float64
        scale = np.sqrt(np.mean(here**2))
        assert 1e-10 * scale < np.abs(there - here).max() < 2e-5 * scale


@pytest.mark.parametrize("kind", ["value", "kernel", "cubic"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numbers_of_the_device_have_the_same_law(kind, dtype):
    """Two samples of 1500 each; one of these six tests at 1e-4 fails with probability below 1e-3 over all seeds."""
    quantity = contractions(network())[kind]
    here, there = quantity.sample(40, size=1500, rng=2), on_torch(quantity, dtype=dtype).sample(40, size=1500, rng=3)
    assert stats.ks_2samp(here, there).pvalue > 1e-4
    wrong = there * (1.1 if kind == "kernel" else 1.5)
    assert stats.ks_2samp(here, wrong).pvalue < 1e-3  # what the test can tell


def test_samples_depend_on_the_seed_alone():
    quantity = on_torch(contractions(network())["cubic"])
    few, many = (quantity.sample(2000, size=size, rng=5) for size in (5, 40))
    assert (few == many[:5]).all() and not np.isin(quantity.sample(2000, size=5, rng=6), few).any()
    one, two = (estimators.estimate(quantity, 2000, samples=40, rng=5, jobs=jobs) for jobs in (1, 2))
    assert one == two


@pytest.mark.parametrize("blocks", [1, 7])
def test_blocks_side_by_side_are_one_block(blocks):
    quantity = on_torch(contractions(network())["kernel"], blocks=blocks)
    assert quantity.block_length({"n": 64}) == 128 * blocks
    assert quantity.sample(64, size=10, rng=0).shape == (10,)


def test_predictions_and_exact_values_are_those_of_the_quantity():
    f = rt.networks.mlp(inputs=4, width=n, hidden_layers=2, activation="linear")
    kernel = rt.einsum("a,a->", f.derivative(X), f.derivative(X))
    moved = on_torch(kernel)
    assert moved.order() == kernel.order() and moved.variance(8) == kernel.variance(8)
    assert moved.expectation(8) == kernel.expectation(8) and moved.cumulant(2, 8) == kernel.variance(8)
    found = estimators.estimate(moved, 8, samples=4000, rng=0)
    assert abs(found.value - kernel.expectation(8)) < 5 * found.error  # probability 6e-7


def test_what_is_kept_of_one_kind_is_not_taken_for_another():
    kernel = contractions(network())["kernel"]
    kinds = [kernel, *(on_torch(kernel, **o) for o in ({}, {"dtype": "float32"}, {"normals": "host"}, {"blocks": 2}))]
    assert len({identity(kind) for kind in kinds}) == len({kind.fingerprint for kind in kinds}) == len(kinds)


def uniform(size, batch, rng):
    return rng.uniform(size=batch)


def generator(dtype, on_host=False, seed=0):
    return arrays.TorchGenerator(np.random.SFC64(seed), torch.empty(0, dtype=getattr(torch, dtype)), on_host)


@pytest.mark.parametrize(("dtype", "rounding"), [("float64", 1e-13), ("float32", 2e-5)])
@pytest.mark.parametrize("kind", [RevealedGaussian, RevealedGOE, RevealedHaar])
def test_revealed_matrices_are_consistent_and_their_bases_orthonormal(kind, dtype, rounding):
    size, source = 400, generator(dtype)
    matrix = kind((size, size) if kind is RevealedGaussian else size, batch=3, rng=source)
    x, u = source.standard_normal((3, 5, size)), source.standard_normal((3, 4, size))
    x[:, 3] = x[:, 0] + 1e-3 * x[:, 1]  # nearly dependent, dependent and zero vectors
    x[:, 4] = 2.0 * x[:, 2]
    u[1, 2] = 0.0
    right = matrix.answer(x.copy())
    left = matrix.answer_transposed(u.copy())
    again = matrix.answer(x.copy())
    lengths = np.sqrt(size) * size
    first, second = np.matmul(u, right.swapaxes(1, 2)), np.matmul(left, x.swapaxes(1, 2))
    assert np.abs((first - second).numpy()).max() < rounding * lengths
    assert np.abs((again - right).numpy()).max() < rounding * lengths
    if kind is RevealedGaussian:
        for rows, _ in (matrix.right, matrix.left):
            gram = np.matmul(rows, rows.swapaxes(1, 2)).numpy()
            assert np.abs(gram - gram * np.eye(gram.shape[1])).max() < rounding
            assert set(np.round(np.diagonal(gram, axis1=1, axis2=2), 4).ravel()) <= {0.0, 1.0}


def test_a_revealed_matrix_takes_the_numbers_of_the_host():
    x = np.random.default_rng(0).standard_normal((2, 3, 50))
    here = RevealedGaussian((60, 50), batch=2, rng=np.random.Generator(np.random.SFC64(4)), std=2.0)
    there = RevealedGaussian((60, 50), batch=2, rng=generator("float64", True, 4), std=2.0)
    moved = np.asarray(x, like=generator("float64").like)
    np.testing.assert_allclose(there.answer(moved).numpy(), here.answer(x.copy()), rtol=1e-12)


@pytest.mark.parametrize("name", [*SMOOTH, *PIECEWISE, "log", "sqrt", "reciprocal", "power(-1.5)", "power(20)"])
def test_taylor_coefficients_of_activations(name):
    z = np.abs(np.random.default_rng(1).standard_normal((3, 40))) + 0.1
    z[0] *= 1.0 if name in ("log", "sqrt", "power(-1.5)") else -4.0
    activation = get_activation(name)
    moved = np.asarray(z, like=generator("float64").like)
    for here, there in zip(activation.taylor(z, 4), activation.taylor(moved, 4), strict=True):
        np.testing.assert_allclose(there.numpy(), here, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: on_torch(3), "quantity is 3, expected a quantity that NumPy samples"),
        (lambda: on_torch(on_torch(network()(X))), "expected a quantity that NumPy samples"),
        (lambda: on_torch(rt.einsum("a->a", rt.complex_gaussian(3))), "expected a real one"),
        (lambda: on_torch(network()(X), device="abacus"), "device is 'abacus', expected one that PyTorch has here"),
        (lambda: on_torch(network()(X), dtype="int8"), "dtype is 'int8', expected 'float64' or 'float32'"),
        (lambda: on_torch(network()(X), normals="none"), "normals is 'none', expected 'device' or 'host'"),
        (lambda: on_torch(network()(X), blocks=0), "blocks is 0, expected a positive integer"),
        (lambda: (on_torch(network()(X)) + network()(X)).sample(4), "expected on_torch of the whole combination"),
        (
            lambda: on_torch(rt.norm(network().derivative(X, 2), "injective")).sample(300),
            "expected",
        ),
        (
            lambda: on_torch(rt.quantity(n)(uniform)).sample(4),
            "expected",
        ),
    ],
)
def test_refusals_are_one_sentence(make, text):
    with pytest.raises(rt.InputError, match="expected") as caught:
        make()
    assert text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_accelerator_gives_the_same_samples_and_the_same_law(dtype):
    cubic = contractions(network())["cubic"]
    options = {"device": "cuda", "dtype": dtype}
    here = cubic.sample(5000, size=3, rng=1)
    there = on_torch(cubic, normals="host", blocks=1, **options).sample(5000, size=3, rng=1)
    np.testing.assert_allclose(there, here, rtol=1e-10 if dtype == "float64" else 1e-3)
    drawn = on_torch(cubic, **options).sample(40, size=4000, rng=3)
    assert stats.ks_2samp(cubic.sample(40, size=4000, rng=2), drawn).pvalue > 1e-4
