"""The spectrum of the tangent kernel: against JAX, closed-form kernels, full decompositions, and what theorems say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import estimators
import randtensor as rt
from estimators.layered import FullBatchDescent, LayeredNetwork, StepSchedule, Tangents
from estimators.spectrum import (
    FunctionModel,
    LayeredModel,
    Spectrum,
    TangentModel,
    active_modes,
    alignment_velocity,
    eigenvalue_velocities,
    follow,
    kernel_target_alignment,
    kernel_velocity,
    mode_factors,
    relative_energy,
    spectrum,
    tail_bound,
)
from estimators.spectrum.pictures import grey_values, sample_picture

n = rt.Scale("n")
ACTIVATIONS = ("tanh", "leaky_relu(0.2)", "relu", "softplus", "erf")


def drawn(seed, widths=(3, 7, 6), activation="tanh", parametrization="glorot", biases=True, inputs=5):
    """A network with generic parameters, inputs, and targets."""
    rng = np.random.default_rng(seed)
    network = LayeredNetwork(widths, activation, parametrization, biases)
    theta = network.initial(rng=rng) + 0.2 * rng.standard_normal(network.count)
    return network, theta, rng.standard_normal((inputs, widths[0])), rng.standard_normal(inputs)


networks = st.builds(
    drawn,
    st.integers(0, 2**32),
    st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from(["glorot", "standard", "ntk"]),
    st.booleans(),
    st.integers(1, 5),
)


def jax_network(network):
    """Values at one input, written anew, with parameters in the documented order."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    phi = {
        "tanh": jax.numpy.tanh,
        "leaky_relu(0.2)": lambda z: jax.nn.leaky_relu(z, 0.2),
        "relu": jax.nn.relu,
        "softplus": jax.nn.softplus,
        "erf": jax.scipy.special.erf,
    }[network.phi.name]

    def value(theta, x):
        h, start = x, 0
        for layer, (fan_in, fan_out) in enumerate(zip(network.widths, (*network.widths[1:], 1), strict=True)):
            W = theta[start : start + fan_out * fan_in].reshape(fan_out, fan_in)
            start += fan_out * fan_in
            h = W @ h * (fan_in**-0.5 if network.parametrization == "ntk" else 1.0)
            if network.biases:
                h, start = h + theta[start : start + fan_out], start + fan_out
            h = phi(h) if layer < network.depth - 1 else h
        return h[0]

    return jax, value


# Networks against JAX: values, Jacobian, Gramian, products, and second derivatives along a direction.


@pytest.mark.parametrize(
    "activation, parametrization, biases",
    [
        ("tanh", "glorot", True),
        ("softplus", "ntk", True),
        ("erf", "standard", False),
        ("relu", "ntk", False),
        ("leaky_relu(0.2)", "standard", True),
    ],
)
def test_values_and_gradients_are_those_of_jax(activation, parametrization, biases):
    network, theta, X, y = drawn(1, (3, 5, 4), activation, parametrization, biases)
    jax, value = jax_network(network)
    at_all = jax.vmap(value, in_axes=(None, 0))
    J = np.asarray(jax.jit(jax.jacrev(at_all))(theta, X))
    trace = network.forward(theta, X)
    np.testing.assert_allclose(trace.outputs, at_all(theta, X), rtol=1e-12)
    np.testing.assert_allclose(network.outputs(theta, X), trace.outputs, rtol=0, atol=1e-15)
    np.testing.assert_allclose(network.jacobian(theta, X), J, atol=1e-12)
    np.testing.assert_allclose(network.gramian(theta, X), J @ J.T, atol=1e-12)
    np.testing.assert_allclose(network.gramian(theta, X[:2], X[1:]), J[:2] @ J[1:].T, atol=1e-12)
    np.testing.assert_allclose(network.pull_back(theta, trace, y), J.T @ y, atol=1e-12)
    q = np.random.default_rng(5).standard_normal(network.count)
    np.testing.assert_allclose(network.push_forward(theta, trace, q), J @ q, atol=1e-12)
    tangents = Tangents(network, theta, X, q)
    np.testing.assert_allclose(tangents.first, J @ q, atol=1e-12)
    if activation not in ("relu", "leaky_relu(0.2)"):
        H = np.asarray(jax.jit(jax.hessian(at_all))(theta, X))
        np.testing.assert_allclose(tangents.second, np.einsum("auv,u,v->a", H, q, q), atol=1e-10)
        D = np.einsum("auv,v->au", H, q)
        np.testing.assert_allclose(tangents.gramian(), D @ J.T + J @ D.T, atol=1e-10)
        O3 = np.einsum("auv,bv,cu->abc", H, J, J) + np.einsum("buv,av,cu->abc", H, J, J)
        expected = -np.einsum("abc,c->ab", O3, trace.outputs - y) / len(y)
        np.testing.assert_allclose(kernel_velocity(network, theta, X, y), expected, atol=1e-10)


@given(networks)
def test_the_gramian_is_that_of_the_jacobian(case):
    network, theta, X, y = case
    J = network.jacobian(theta, X)
    scale = 1e-12 * (1 + np.abs(J).max() ** 2) * network.count
    np.testing.assert_allclose(network.gramian(theta, X), J @ J.T, rtol=0, atol=scale)
    np.testing.assert_allclose(network.kernel_product(theta, X, y), J @ (J.T @ y), rtol=0, atol=scale * len(y))


def test_blocks_and_stacks_do_not_change_the_gramian(monkeypatch):
    network, _, X, _ = drawn(2, (3, 6, 6), inputs=11)
    thetas = network.initial(4, rng=3)
    whole = network.gramian(thetas, X)
    for number, theta in enumerate(thetas):
        np.testing.assert_allclose(network.gramian(theta, X), whole[number], rtol=1e-13, atol=1e-14)
    monkeypatch.setattr("estimators.layered.network.BLOCK_ROWS", 4)
    np.testing.assert_allclose(network.gramian(thetas, X), whole, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(network.gramian(thetas[0], X, X[:3]), whole[0][:, :3], rtol=1e-13, atol=1e-14)


# 4 500 networks of width 256: the standard error of each entry is below 0.6 %, so that 5 % is eight of these.
def test_the_mean_gramian_of_wide_relu_networks_is_the_arc_cosine_kernel():
    X = np.array([[1.0, 0.0], [0.6, 0.8], [-0.6, 0.8]])
    network = LayeredNetwork((2, 256), "relu", "ntk", biases=False)
    found = np.mean([network.gramian(network.initial(500, rng=seed), X).mean(axis=0) for seed in range(9)], axis=0)
    cosine = np.clip(X @ X.T, -1, 1)
    angle = np.arccos(cosine)
    kappa_0, kappa_1 = 1 - angle / np.pi, (np.sin(angle) + (np.pi - angle) * cosine) / np.pi
    expected = (kappa_1 + cosine * kappa_0) / 4  # Cho & Saul 2009, with |x|^2 / 2 in each pre-activation
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.05 * expected.max())


def test_programs_have_the_gramian_of_the_same_layered_network():
    network, theta, X, _ = drawn(7, (3, 6, 5), "tanh", "ntk", False)
    (W1, _), (W2, _), (v, _) = network.split(theta)
    f = rt.networks.mlp(3, [6, 5], 2, "tanh").at(W1=W1, W2=W2, v=v[0])
    model = FunctionModel(f)
    assert isinstance(model, TangentModel) and isinstance(LayeredModel(network, theta), TangentModel)
    np.testing.assert_allclose(model.outputs(X), network.outputs(theta, X), rtol=1e-12)
    np.testing.assert_allclose(model.gramian(X), network.gramian(theta, X), rtol=1e-11)
    np.testing.assert_allclose(model.gramian(X[:2], X), network.gramian(theta, X[:2], X), rtol=1e-11)


def test_a_program_is_the_same_network_at_other_inputs():
    model, X = FunctionModel(rt.networks.resnet(2, n, 2), n=24, rng=3), np.random.default_rng(0).standard_normal((6, 2))
    np.testing.assert_allclose(model.gramian(X)[:2, 3:], model.gramian(X[:2], X[3:]), rtol=1e-11)
    assert not np.allclose(model.gramian(X), FunctionModel(model.function, n=24, rng=4).gramian(X))


# Eigenpairs, Nystrom, energies.


def test_lanczos_finds_what_a_full_decomposition_finds():
    network, theta, X, _ = drawn(0, (2, 16, 16), "leaky_relu(0.2)", inputs=60)
    model = LayeredModel(network, theta)

    class ByRows:
        """The same without products: blocks of rows of the Gramian."""

        outputs, gramian = model.outputs, model.gramian

    full = spectrum(model, X)
    assert full.method == "dense" and full.eigenvectors.shape == (60, 60)
    for other in (model, ByRows()):
        leading = spectrum(other, X, k=5, method="Lanczos")
        np.testing.assert_allclose(leading.eigenvalues, full.eigenvalues[:5], rtol=1e-9)
        overlaps = np.abs(np.sum(leading.eigenvectors * full.eigenvectors[:, :5], axis=0))
        np.testing.assert_allclose(overlaps, 1, atol=1e-8)
    assert network.largest_eigenvalue(theta, X) == pytest.approx(full.eigenvalues[0], rel=1e-4)


def test_many_inputs_are_left_to_lanczos_and_it_says_so(monkeypatch):
    monkeypatch.setattr("estimators.spectrum.eigenpairs.DENSE_LIMIT", 20)
    network, theta, X, _ = drawn(0, (2, 8), inputs=30)
    found = spectrum(LayeredModel(network, theta), X, k=3)
    assert found.method == "Lanczos"
    (note,) = found.notes
    assert note.startswith("30 inputs are too many for a dense decomposition, which takes up to 20")


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_nystrom_is_exact_on_kernels_of_low_rank(seed, rank):
    rng = np.random.default_rng(seed)
    features, others = rng.standard_normal((12, rank)), rng.standard_normal((7, rank))
    found = Spectrum.of(features @ features.T, rank)
    extended = found.extend(others @ features.T)
    # the extended functions reproduce the kernel everywhere, and the eigenvectors on the inputs themselves
    np.testing.assert_allclose(extended * found.eigenvalues @ extended.T, others @ others.T, atol=1e-8)
    np.testing.assert_allclose(found.extend(features @ features.T), found.eigenvectors, atol=1e-8)


@given(st.integers(0, 2**32))
def test_energies_grow_to_one_and_are_those_of_the_projector(seed):
    rng = np.random.default_rng(seed)
    A, r = rng.standard_normal((8, 8)), rng.standard_normal(8)
    found = Spectrum.of(A @ A.T)
    energies = found.energy(r)
    assert (np.diff(energies) >= 0).all() and energies[-1] == pytest.approx(1)
    V = found.eigenvectors[:, :3]
    assert relative_energy(r, V, 3) == pytest.approx(np.sum((V @ V.T @ r) ** 2) / (r @ r))
    assert relative_energy(1e200 * r, V, 2) == pytest.approx(energies[1])


@given(st.integers(0, 2**32), st.booleans())
def test_kernel_target_alignment_is_the_cosine_of_two_matrices(seed, centred):
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((7, 7)), rng.standard_normal(7)
    K, P = A @ A.T, np.eye(7) - centred / 7
    centred_kernel, target = P @ K @ P, np.outer(P @ y, P @ y)
    cosine = np.sum(centred_kernel * target) / (np.linalg.norm(centred_kernel) * np.linalg.norm(target))
    assert kernel_target_alignment(K, y, centred=centred) == pytest.approx(cosine, rel=1e-9, abs=1e-12)


@given(networks)
def test_outputs_lie_in_the_leading_modes_as_the_bound_says(case):
    network, theta, X, _ = case
    found, f = Spectrum.of(network.gramian(theta, X)), network.outputs(theta, X)
    if np.abs(f).max() < 1e-6:
        return
    bound = tail_bound(found, f, float(np.linalg.norm(theta[network.slices[-1]])))
    assert (1 - found.energy(f)[:-1] <= bound + 1e-9).all()


def test_eigenvalues_and_alignment_start_as_perturbation_theory_says():
    network, theta, X, y = drawn(3)
    found = Spectrum.of(network.gramian(theta, X))
    velocity = kernel_velocity(network, theta, X, y)
    trace, h = network.forward(theta, X), 1e-5
    q = network.pull_back(theta, trace, trace.outputs - y) / len(y)
    ahead, behind = (Spectrum.of(network.gramian(theta - sign * h * q, X)) for sign in (1, -1))
    moved = (ahead.eigenvalues - behind.eigenvalues) / (2 * h)
    np.testing.assert_allclose(eigenvalue_velocities(found, velocity), moved, rtol=1e-5, atol=1e-8)
    turned = (ahead.energy(y) - behind.energy(y)) / (2 * h)
    for k in range(1, len(y)):
        assert alignment_velocity(found, velocity, y, k) == pytest.approx(turned[k - 1], rel=1e-5, abs=1e-8)


def test_active_modes_and_factors():
    found = Spectrum.of(np.diag([8.0, 2.0, 1.0, 0.5]))
    assert active_modes(found, [1, 1, 1, 1], 0.9) == 1 and active_modes(found, [1, 1, 1, 1], 0.99) == 3
    assert active_modes(found, [0, 0, 1, 1]) == 4
    np.testing.assert_allclose(mode_factors(found, found.stable_rate)[0], -1)


# Descent.


def test_descent_is_that_of_estimators_train():
    network, theta, X, y = drawn(4, (3, 6, 5), "tanh", "ntk", False)
    (W1, _), (W2, _), (v, _) = network.split(theta)
    f = rt.networks.mlp(3, [6, 5], 2, "tanh").at(W1=W1, W2=W2, v=v[0])
    reference = estimators.train(f, X, y, learning_rate=0.3, steps=25)
    run = FullBatchDescent(network, X, y, 0.3, theta)
    for step in range(26):
        np.testing.assert_allclose(run.outputs, reference.outputs[0, step], rtol=1e-9)
        run.advance()


def test_a_stack_of_networks_descends_as_each_of_them():
    network, _, X, y = drawn(5)
    thetas = network.initial(3, rng=1)
    together = FullBatchDescent(network, X, y, StepSchedule(0.1, 10), thetas)
    together.advance(30)
    for number, theta in enumerate(thetas):
        alone = FullBatchDescent(network, X, y, StepSchedule(0.1, 10), theta)
        alone.advance(30)
        np.testing.assert_allclose(alone.theta, together.theta[number], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_resumes_bit_for_bit(tmp_path, dtype):
    network, _, X, y = drawn(6)

    def new():
        return FullBatchDescent(network, X, y, StepSchedule(0.1, 15), rng=0, dtype=dtype)

    whole, first, second = new(), new(), new()
    whole.advance(40)
    first.advance(17)
    first.save(tmp_path / "run.npz")
    second.resume(tmp_path / "run.npz")
    second.advance(23)
    assert second.step == 40 and second.theta.dtype == dtype
    np.testing.assert_array_equal(second.theta, whole.theta)
    other = FullBatchDescent(network, X, y, StepSchedule(0.1, 16), rng=0, dtype=dtype)
    with pytest.raises(rt.InputError, match="a checkpoint of another run"):
        other.resume(tmp_path / "run.npz")


def test_history_is_what_its_steps_give_one_by_one():
    network, _, X, y = drawn(8, inputs=9)
    run, again = (FullBatchDescent(network, X, y, StepSchedule(0.1, 10), rng=0) for _ in range(2))
    history = follow(run, [0, 7, 20], cuts=(1, 4))
    assert history.learning_rates.tolist() == [0.1, 0.1, 0.025]
    for row, step in enumerate((0, 7, 20)):
        again.advance(step - again.step)
        found = Spectrum.of(network.gramian(again.theta, X))
        np.testing.assert_allclose(history.eigenvalues[row], found.eigenvalues, rtol=1e-9, atol=1e-12)
        for name, vector in (("target", y), ("output", again.outputs), ("residual", again.residual)):
            np.testing.assert_allclose(getattr(history, name)[row], found.energy(vector)[[0, 3]], rtol=1e-8)
        pull = network.gramian(again.theta, X) @ again.residual
        np.testing.assert_allclose(history.increment[row], found.energy(pull)[[0, 3]], rtol=1e-8)
    np.testing.assert_allclose(history.edge, history.learning_rates * history.eigenvalues[:, 0] / 9)
    assert history.window(history.losses, 5, 20) == pytest.approx(history.losses[1:].mean())


# Pictures.


def test_grey_values_are_linear_between_pixels_and_pictures_are_upright():
    picture = np.add.outer(np.linspace(1, 0, 5), 2 * np.linspace(0, 1, 9))  # brighter to the top and to the right
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 2))
    np.testing.assert_allclose(grey_values(picture, points), points[:, 1] + 0.5 + 2 * (points[:, 0] + 0.5), atol=1e-12)


def test_the_sample_picture_is_there():
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    picture = sample_picture(size=64)
    assert picture.shape == (64, 64) and 0 <= picture.min() < picture.max() <= 1
    with pytest.raises(rt.InputError, match="size and blur are 9999 and 9"):
        sample_picture(size=9999)
    with pytest.raises(rt.InputError, match=r"name is 'mona\.jpg', expected one of 'china\.jpg'"):
        sample_picture("mona.jpg")


# What cannot be used.

NETWORK, THETA, X, Y = drawn(0)
MODEL = LayeredModel(NETWORK, THETA)


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: spectrum(MODEL, X, k=0), "k is 0, expected an integer from 1 to 5"),
        (lambda: spectrum(MODEL, X, k=6), "k is 6, expected an integer from 1 to 5"),
        (lambda: spectrum(MODEL, X, k=5, method="Lanczos"), "k is 5, expected at most 4 of 5 eigenpairs by Lanczos"),
        (lambda: spectrum(MODEL, X, method="qr"), "method is 'qr', expected 'auto', 'dense' or 'Lanczos'"),
        (lambda: spectrum(MODEL, X[:, :2]), r"X has shape \(5, 2\), expected \(N, 3\): one input per row"),
        (lambda: spectrum(MODEL, [[np.nan] * 3]), "X has 3 NaN or infinite entries, expected finite numbers"),
        (lambda: LayeredModel(NETWORK, THETA[:-1]), r"theta has shape \(82,\), expected \(\.\.\., 83\)"),
        (lambda: LayeredModel(NETWORK, [THETA]), "theta has shape .*: those of one network"),
        (
            lambda: relative_energy(np.zeros(5), np.eye(5), 1),
            "vector has the largest entry 0, expected a finite",
        ),
        (lambda: relative_energy(Y, np.eye(5), 6), "k is 6, expected an integer from 1 to 5"),
        (lambda: relative_energy(Y[:3], np.eye(5), 1), r"vector has shape \(3,\), expected \(5,\)"),
        (lambda: Spectrum.of(np.ones((2, 3))), r"gramian has shape \(2, 3\), expected a square matrix"),
        (lambda: Spectrum.of([[1.0, 2.0], [0.0, 1.0]]), "gramian is not symmetric"),
        (lambda: Spectrum.of(np.diag([1.0, 0.0])).extend(np.ones((1, 2))), "spectrum has 2 modes of which 1 have"),
        (lambda: Spectrum.of(np.eye(2)).extend(np.ones((1, 3))), r"cross has shape \(1, 3\), expected \(M, 2\)"),
        (lambda: kernel_target_alignment(np.eye(3), np.ones(3)), "y or kernel is constant"),
        (lambda: active_modes(Spectrum.of(np.eye(2)), [0, 0]), "residual is zero on these modes"),
        (
            lambda: FullBatchDescent(NETWORK, X, Y, 1e3, THETA),
            "learning_rate is 1000, expected at most 2 N / lambda_1",
        ),
        (
            lambda: FullBatchDescent(NETWORK, X, Y[:2], 0.1),
            r"y has shape \(2,\), expected \(5,\): one number per input",
        ),
        (lambda: FullBatchDescent(NETWORK, X, Y, -1.0), "learning_rate is -1.0, expected a positive number"),
        (lambda: FullBatchDescent(NETWORK, X, Y, 0.1, dtype=int), "dtype is .*, expected float32 or float64"),
        (lambda: StepSchedule(0.1, 0), "every is 0, expected a positive number of steps or None"),
        (lambda: LayeredNetwork((3,)), r"widths is \(3,\), expected the input dimension and at least one hidden width"),
        (
            lambda: LayeredNetwork((3, 4), "tanh", "he"),
            "parametrization is 'he', expected 'glorot', 'standard' or 'ntk'",
        ),
        (lambda: follow(FullBatchDescent(NETWORK, X, 0 * Y, 0.01), [0], cuts=(1,)), "y is zero everywhere"),
        (lambda: follow(FullBatchDescent(NETWORK, X, Y, 0.01), [0], cuts=(9,)), "k is 9, expected an integer"),
        (lambda: follow(FullBatchDescent(NETWORK, X, Y, 0.01), []), r"record is \[\]"),
        (lambda: FunctionModel(rt.networks.mlp(2, n, 1, outputs=2), n=4).gramian([[1.0, 2.0]]), "a vector as output"),
        (lambda: FunctionModel(3), "function is 3, expected a random function"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(rt.RandtensorError, match=sentence):
        call()


def test_a_run_that_diverges_says_where():
    run = FullBatchDescent(NETWORK, X, Y, 1e3, THETA, check=False)
    with pytest.raises(rt.InputError, match=r"training diverged at step \d+: learning_rate is 1000"):
        run.advance(100_000)
