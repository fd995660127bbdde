"""Linear dynamics against integrators and explicit loops, and the law of trained Gaussian processes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import randtensor as rt
from estimators import GaussianProcessLaw, LinearDynamics, Loss, nngp_kernel, tangent_kernel, trained_law
from randtensor.errors import ExactError, InputError, ShapeError

n = rt.Scale("n")

RNG = np.random.default_rng(11)
TARGETS = np.array([1.0, -0.5, 0.3])


def kernel_of(rank, samples=(), inputs=5, trained=3):
    features = RNG.standard_normal((*samples, inputs, rank))
    return features @ np.swapaxes(features, -1, -2)[..., :trained]


def loop(
    kernel, targets, rate, start, steps, gradient=lambda f, y: f - y, mask=lambda s: 1.0, momentum=0.0, nesterov=False
):
    """Outputs after each step for one sample, as the definition says."""
    f, v, trained, history = np.array(start, dtype=float), None, len(targets), [np.array(start, dtype=float)]
    for step in range(steps):
        g = kernel @ (mask(step) * gradient(f[:trained], targets).T).T
        v = g if v is None else momentum * v + g
        f = f - rate * (g + momentum * v if nesterov else v)
        history.append(f)
    return np.array(history)


@pytest.mark.parametrize("rank", [2, 5])
def test_flow_against_an_integrator(rank):
    kernel, start, times = kernel_of(rank), RNG.standard_normal(5), np.array([0.0, 0.1, 0.7, 3.0])
    solution = solve_ivp(
        lambda t, f: -kernel @ (f[:3] - TARGETS), (0, 3), start, t_eval=times, rtol=1e-11, atol=1e-12, method="DOP853"
    )
    run = LinearDynamics(kernel, TARGETS).flow(start, times)
    assert run.outputs == pytest.approx(solution.y.T, abs=1e-9)
    assert run.diverged_at is None


def test_flow_is_stable_for_singular_kernels_and_long_times():
    """Directions outside the range of the kernel never move; the others reach their targets."""
    kernel = kernel_of(2)
    start = np.zeros(5)
    outputs = LinearDynamics(kernel, TARGETS).flow(start, [1e8]).outputs[0]
    projector = kernel[:3] @ np.linalg.pinv(kernel[:3], rcond=1e-10)
    assert outputs[:3] == pytest.approx(projector @ TARGETS, abs=1e-6)
    assert outputs[3:] == pytest.approx(kernel[3:] @ np.linalg.pinv(kernel[:3], rcond=1e-10) @ TARGETS, abs=1e-6)
    with pytest.raises(
        ExactError, match="between the 3 training inputs has rank 2, expected 3: it is singular for coinc"
    ):
        LinearDynamics(kernel, TARGETS).flow(start, [1.0, np.inf])
    regular = LinearDynamics(kernel_of(5), TARGETS).flow(start, np.inf).outputs[0]
    assert regular[:3] == pytest.approx(TARGETS, abs=1e-14)


@pytest.mark.parametrize("rank", [2, 5])
@pytest.mark.parametrize("fraction", [0.05, 0.99])
def test_descent_against_a_loop(rank, fraction):
    kernel, start = kernel_of(rank), RNG.standard_normal(5)
    rate = fraction * LinearDynamics(kernel, TARGETS).stability_threshold
    dynamics = LinearDynamics(kernel, TARGETS, learning_rate=rate)
    expected = loop(kernel, TARGETS, rate, start, 60)
    steps = [7, 0, 1, 60, 2]
    assert dynamics.descent(start, steps).outputs == pytest.approx(expected[steps], abs=1e-11)
    assert dynamics.recursion(start, steps).outputs == pytest.approx(expected[steps], abs=1e-11)
    assert dynamics.descent(start, steps).times.tolist() == steps


@given(st.integers(0, 10**6), st.floats(1.01, 3.0))
@settings(max_examples=15, deadline=None)
def test_divergence_is_told_alike_in_closed_form_and_step_by_step(seed, excess):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((2, 5, 5))
    kernel = features @ np.swapaxes(features, 1, 2)[..., :3]
    rate = excess * LinearDynamics(kernel, TARGETS).stability_threshold
    dynamics, start = LinearDynamics(kernel, TARGETS, learning_rate=rate), rng.standard_normal((2, 5))
    closed, stepped = dynamics.descent(start, range(300)), dynamics.recursion(start, range(300))
    assert closed.diverged_at == stepped.diverged_at
    assert np.isfinite(closed.outputs).all() and len(closed.outputs) == (closed.diverged_at or 300)
    # The definition, with plain loops.
    with np.errstate(all="ignore"):
        loops = [loop(k, TARGETS, rate, f, 300) for k, f in zip(kernel, start, strict=True)]
        lengths = np.array([np.linalg.norm(history[:, :3] - TARGETS, axis=1) for history in loops])
    beyond = ~(lengths <= 1e6 * (1 + lengths[:, :1])).all(axis=0)
    assert closed.diverged_at == (int(np.argmax(beyond)) if beyond.any() else None)


def test_just_below_the_threshold_nothing_diverges():
    kernel = kernel_of(5)
    rate = LinearDynamics(kernel, TARGETS).stability_threshold
    below = LinearDynamics(kernel, TARGETS, learning_rate=0.999 * rate).descent(np.ones(5), [10**7])
    assert below.diverged_at is None
    assert below.outputs[0, :3] == pytest.approx(TARGETS, abs=1e-9)
    above = LinearDynamics(kernel, TARGETS, learning_rate=1.001 * rate).descent(np.ones(5), [0, 10**9])
    assert above.diverged_at is not None and above.times.tolist() == [0]


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_and_masks_against_a_loop(nesterov):
    kernel, start = kernel_of(5), RNG.standard_normal(5)
    masks = RNG.random((40, 3)) < 0.5
    expected = loop(kernel, TARGETS, 0.02, start, 40, mask=lambda s: masks[s], momentum=0.8, nesterov=nesterov)
    dynamics = LinearDynamics(kernel, TARGETS, learning_rate=0.02)
    for given_masks in (masks, lambda step: masks[step]):
        run = dynamics.recursion(start, range(41), masks=given_masks, momentum=0.8, nesterov=nesterov)
        assert run.outputs == pytest.approx(expected, abs=1e-12)


def test_any_loss_several_outputs_and_cyclic_steps():
    kernel, start = kernel_of(5), RNG.standard_normal((5, 2))
    targets = RNG.standard_normal((3, 2))
    quartic = Loss("quartic", lambda f, y: ((f - y) ** 4).sum(-1) / 4, lambda f, y: (f - y) ** 3)

    def cyclic(step):
        return np.arange(3) == step % 3

    expected = loop(kernel, targets, 0.01, start, 12, lambda f, y: (f - y) ** 3, cyclic)
    dynamics = LinearDynamics(kernel, targets, learning_rate=0.01, loss=quartic)
    assert dynamics.recursion(start, range(13), masks=cyclic).outputs == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ExactError, match="loss is 'quartic', expected 'squared' for a closed form: use recursion"):
        dynamics.flow(start, [1.0])
    classes = LinearDynamics(kernel, [0, 1, 1], learning_rate=0.1, loss="cross-entropy")
    logistic = loop(kernel, np.array([0, 1, 1]), 0.1, start[:, 0], 5, lambda f, y: 1 / (1 + np.exp(-f)) - y)
    assert classes.recursion(start[:, 0], range(6)).outputs == pytest.approx(logistic, abs=1e-12)


def test_samples_with_kernels_of_their_own_or_one_for_all():
    kernels, starts = kernel_of(4, (6,)), RNG.standard_normal((6, 5))
    masks = RNG.random((3, 6, 3)) < 0.5
    batch = LinearDynamics(kernels, TARGETS, learning_rate=0.03)
    shared = LinearDynamics(kernels[2], TARGETS, learning_rate=0.03)
    runs = {
        "flow": lambda d, f: d.flow(f, [0.2, 2.0]).outputs,
        "descent": lambda d, f: d.descent(f, [1, 30]).outputs,
        "recursion": lambda d, f: d.recursion(f, [1, 30], momentum=0.5).outputs,
    }
    for run in runs.values():
        found, common = run(batch, starts), run(shared, starts)
        for i, (kernel, start) in enumerate(zip(kernels, starts, strict=True)):
            one = LinearDynamics(kernel, TARGETS, learning_rate=0.03)
            assert found[:, i] == pytest.approx(run(one, start), abs=1e-12)
            assert common[:, i] == pytest.approx(run(shared, start), abs=1e-12)
        assert run(batch, starts[0]).shape == (2, 6, 5)
    own = batch.recursion(starts, [3], masks=lambda step: masks[step]).outputs[0]
    for i in range(6):
        one = loop(kernels[i], TARGETS, 0.03, starts[i], 3, mask=lambda s, i=i: masks[s, i])
        assert own[i] == pytest.approx(one[-1], abs=1e-12)


def test_linearisation_of_a_network_is_its_own_tangent_kernel():
    """One small step of a wide network is that of its linearisation up to O(rate^2)."""
    f = rt.networks.two_layer(inputs=2, width=n, activation="tanh")
    X, y = np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([1.0, -1.0])
    a, w = RNG.standard_normal(8), RNG.standard_normal((8, 2))

    def value(a, w):
        return np.tanh(X @ w.T / np.sqrt(2)) @ a / np.sqrt(8)

    hidden = np.tanh(X @ w.T / np.sqrt(2))
    slopes = (1 - hidden**2) * a
    theta = (hidden @ hidden.T + (slopes @ slopes.T) * (X @ X.T) / 2) / 8
    network = f.at(W1=w, v=a)
    g = [network.derivative(x) for x in X]
    assert [rt.einsum("a,a->", g[0], h).sample()[0] for h in g] == pytest.approx(theta[0])
    rate, residual = 1e-5, value(a, w) - y
    moved = value(
        a - rate * hidden.T @ residual / np.sqrt(8),
        w - rate * (slopes * residual[:, None]).T @ X / np.sqrt(2) / np.sqrt(8),
    )
    run = LinearDynamics(theta, y, learning_rate=rate).descent(value(a, w), [1])
    assert run.outputs[0] == pytest.approx(moved, abs=1e-8)


def test_trained_process_against_textbook_formulas():
    f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, activation="erf", biases=0.5)
    X, test, y = RNG.standard_normal((3, 2)), RNG.standard_normal((2, 2)), TARGETS
    theta, cross = tangent_kernel(f, X), tangent_kernel(f, test, X)
    K, K_cross, K_test = nngp_kernel(f, X), nngp_kernel(f, test, X), nngp_kernel(f, test)
    for time in (0.7, 20.0):
        law = trained_law(f, X, y, time=time, test=test)
        decay = expm(-time * theta)
        gain = cross @ np.linalg.solve(theta, np.eye(3) - decay)
        assert law.mean[:3] == pytest.approx(y - decay @ y, abs=1e-12)
        assert law.mean[3:] == pytest.approx(gain @ y, abs=1e-12)
        assert law.covariance[:3, :3] == pytest.approx(decay @ K @ decay, abs=1e-12)
        expected = K_test + gain @ K @ gain.T - gain @ K_cross.T - K_cross @ gain.T
        assert law.covariance[3:, 3:] == pytest.approx(expected, abs=1e-12)
    end = trained_law(f, X, y, time=np.inf, test=test)
    assert end.covariance[:3] == pytest.approx(0, abs=1e-12)
    slow = trained_law(f, X, y, steps=7000, learning_rate=1e-4, test=test)
    assert slow.mean == pytest.approx(trained_law(f, X, y, time=0.7, test=test).mean, abs=1e-3)


def test_law_is_that_of_trained_samples():
    kernel, covariance = kernel_of(5), kernel_of(5, trained=5)
    prior = GaussianProcessLaw(np.arange(5.0), covariance)
    dynamics = LinearDynamics(kernel, TARGETS, learning_rate=0.01)
    for options, train in (
        ({"time": 0.3}, lambda f: dynamics.flow(f, 0.3)),
        ({"steps": 9}, lambda f: dynamics.descent(f, 9)),
    ):
        law = prior.trained(dynamics, **options)
        assert train(prior.mean).outputs[0] == pytest.approx(law.mean, abs=1e-12)
        roots = np.linalg.cholesky(covariance).T
        moved = train(roots).outputs[0] - train(np.zeros(5)).outputs[0]
        assert moved.T @ moved == pytest.approx(law.covariance, abs=1e-11)


def test_samples_have_the_law():
    """Each of 20 standardised moments beyond 6 standard errors: 4e-8 for a fresh seed; the seed is fixed."""
    law = GaussianProcessLaw(np.array([[1.0, -1.0], [0.5, 2.0]]), np.array([[2.0, 1.0], [1.0, 0.5]]))
    samples = law.sample(20000, rng=5)
    assert samples.shape == (20000, 2, 2)
    flat = samples.reshape(20000, 4) - law.mean.ravel()
    covariance = np.kron(law.covariance, np.eye(2))
    assert np.abs(flat.mean(axis=0) * np.sqrt(20000 / np.diag(covariance))).max() < 6
    deviation = np.sqrt((np.outer(*[np.diag(covariance)] * 2) + covariance**2) / 20000)
    assert np.abs((flat.T @ flat / 20000 - covariance) / deviation).max() < 6
    assert (law.sample(3, rng=5) == law.sample(3, rng=5)).all()


def test_bad_input():
    with pytest.raises(
        ShapeError, match=r"kernel has shape \(2, 3\), expected \(P, N\) or \(samples, P, N\) with N at most P"
    ):
        LinearDynamics(np.ones((2, 3)), TARGETS)
    with pytest.raises(
        InputError, match="kernel is not symmetric between the training inputs, expected its first N rows"
    ):
        LinearDynamics(np.triu(np.ones((3, 3))), TARGETS)
    with pytest.raises(InputError, match="kernel has the eigenvalue -1, expected none below zero"):
        LinearDynamics(-np.eye(3), TARGETS).flow(np.zeros(3), 1.0)
    with pytest.raises(InputError, match="kernel has 1 NaN or infinite entries, expected finite numbers"):
        LinearDynamics([[np.inf]], [1.0])
    with pytest.raises(InputError, match="learning_rate is 0, expected a positive number"):
        LinearDynamics(np.eye(3), TARGETS, learning_rate=0)
    with pytest.raises(ShapeError, match=r"y has shape \(3,\), expected \(2,\): one target per input"):
        LinearDynamics(np.eye(2), TARGETS)
    dynamics = LinearDynamics(np.eye(3), TARGETS)
    with pytest.raises(
        ShapeError, match=r"start has shape \(4,\), expected \(3,\) or \('samples', 3\): outputs at all inputs"
    ):
        dynamics.flow(np.zeros(4), 1.0)
    with pytest.raises(InputError, match="time is 'late', expected a non-negative number"):
        dynamics.transition(time="late")
    with pytest.raises(InputError, match=r"steps is \[3, 4\], expected one non-negative integer"):
        dynamics.transition(steps=[3, 4])
    f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"))
    with pytest.raises(ShapeError, match=r"test has shape \(1, 3\), expected stacked inputs like those of X, \(3, 2\)"):
        trained_law(f, np.ones((3, 2)), TARGETS, time=1.0, test=[[1.0, 0.0, 0.0]])
    with pytest.raises(InputError, match="covariance has 1 NaN or infinite entries"):
        GaussianProcessLaw([0.0], [[np.nan]])
    with pytest.raises(InputError, match=r"times is -1\.0, expected non-negative numbers"):
        dynamics.flow(np.zeros(3), -1.0)
    with pytest.raises(InputError, match=r"steps is \[0.5\], expected non-negative integers"):
        dynamics.descent(np.zeros(3), [0.5])
    with pytest.raises(ShapeError, match=r"masks has shape \(1, 3\), expected \(2, 3\): a row per step"):
        dynamics.recursion(np.zeros(3), [2], masks=np.ones((1, 3)))
    with pytest.raises(ShapeError, match=r"masks has shape \(2,\) at step 0, expected \(3,\) or \(samples, 3\)"):
        dynamics.recursion(np.zeros(3), [2], masks=lambda step: np.ones(2))
    with pytest.raises(InputError, match=r"momentum is 1.5, expected a number in \[0, 1\)"):
        dynamics.recursion(np.zeros(3), [2], momentum=1.5)
    with pytest.raises(InputError, match="time is None and steps is None, expected exactly one of them"):
        dynamics.transition()
    with pytest.raises(
        InputError, match="learning_rate is 9, at which 1000 steps exceed the range of floating-point numbers"
    ):
        LinearDynamics(np.eye(3), TARGETS, learning_rate=9.0).transition(steps=1000)
    with pytest.raises(
        ShapeError, match=r"covariance has shape \(2, 2\), expected \(P, P\) for a mean of shape \(3,\)"
    ):
        GaussianProcessLaw(np.zeros(3), np.eye(2))
    with pytest.raises(InputError, match="covariance has the eigenvalue -1, expected none below zero"):
        GaussianProcessLaw(np.zeros(2), np.diag([1.0, -1.0])).sample(3, rng=0)
    with pytest.raises(
        ShapeError, match=r"dynamics has a kernel of shape \(3, 3\), expected \(2, N\): a row for each input"
    ):
        GaussianProcessLaw(np.zeros(2), np.eye(2)).trained(dynamics, time=1.0)
