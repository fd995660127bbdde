"""Training with revealed matrices is training with dense ones: on given matrices to rounding, on random ones in law.

Statistical tests run on drawn, fixed seeds. Each comparison fails by chance with probability below ``FALSE_FAILURE``;
the file makes fewer than 100, so below 2.5e-6 in total.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import randtensor as rt
from estimators import Training, TrainingQuantity, train
from estimators.training import specification
from estimators.training.divergence import Divergence
from randtensor.quantity import Draw
from randtensor.random_function import ParameterSpace, RandomFunction
from randtensor.revealed import RevealedGaussian
from randtensor.revealed._rows import Rows, extend_basis
from randtensor.revealed.moved import MovedGaussian
from randtensor.tensors.gaussian import Gaussian

FALSE_FAILURE = 2.5e-8
RNG = np.random.default_rng(77)
X, y, TEST = RNG.standard_normal((3, 2)), RNG.standard_normal(3), RNG.standard_normal((1, 2))
n = rt.Scale("n")


class GivenMatrix(RevealedGaussian):
    """Matrices that are known, and yet are revealed: a new direction has the image that they give it."""

    def __init__(self, entries):
        super().__init__(entries.shape[1:], batch=len(entries))
        self.entries = entries

    def _coordinates(self, vectors, basis, images, dual, dual_images):
        coefficients, alive = extend_basis(basis, vectors)
        fresh = alive.shape[1]
        if fresh:
            entries = self.entries.swapaxes(1, 2) if basis is self._right else self.entries
            images.reserve(fresh)[...] = basis.rows[:, basis.count - fresh :] @ entries
        return coefficients


class GivenTensor(Gaussian):
    """Sample k of a block has matrix k of a list, again and again."""

    def __init__(self, entries):
        super().__init__(entries.shape[1:], 1.0, dense=False)
        self.entries = entries

    @property
    def fingerprint(self):
        return f"given{self.entries.shape}{self.entries.ravel()[:3]}"

    def matrix(self, shape, batch, sizes, generator):
        return GivenMatrix(self.entries[np.arange(batch) % len(self.entries)])


def networks(f, width, samples, square):
    """One function over revealed matrices, and over dense ones for each sample."""
    sizes = {"n": width}
    arrays, tensors = {}, {}
    for name, tensor in f.space.tensors.items():
        shape = tuple(width if str(d) == "n" else d for d in tensor.dimensions)
        arrays[name] = RNG.standard_normal((samples, *shape))
        if name not in square:
            arrays[name][:] = arrays[name][0]
        tensors[name] = GivenTensor(arrays[name]) if name in square else rt.fixed(arrays[name][0])
    revealed = RandomFunction(f.forward, ParameterSpace(tensors, sizes), f.name)
    return revealed, [f.at(**{name: array[k] for name, array in arrays.items()}) for k in range(samples)]


RULES = {
    "descent": {"learning_rate": 0.5},
    "momentum": {"learning_rate": 0.2, "momentum": 0.9},
    "nesterov": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    "weight decay": {"learning_rate": 0.2, "momentum": 0.5, "dampening": 0.1, "weight_decay": 0.3},
    "cyclic": {"learning_rate": 0.3, "batch": "cyclic"},
    "rates": {"learning_rate": 0.3, "rates": {"W2": 2.0, "v": 0.0}},
    "entropy": {"learning_rate": 0.5, "loss": "cross-entropy"},
    "flow": {"learning_rate": 0.5, "flow": True, "tolerance": 1e-11},
    "decaying flow": {"learning_rate": 0.5, "flow": True, "weight_decay": 0.2, "tolerance": 1e-11},
}
OBSERVED = ["outputs", "loss", "linear_outputs", "kernel", "gradient_change", "feature_change", "second_correlation"]


@pytest.mark.parametrize("width", [4, 100])
@pytest.mark.parametrize("rule", RULES)
def test_given_matrices_train_alike(rule, width, monkeypatch):
    """Narrow ones are known altogether after a few steps; the bases of wide ones grow until the end."""
    if width < 10:
        # fewer networks side by side than are worth while in earnest
        monkeypatch.setattr(specification, "BLOCK_ENTRIES", 2**9)
    options = RULES[rule]
    f = rt.networks.mlp(2, n, 3)
    steps = 2 if "flow" in rule else 30
    targets = y > 0 if rule == "entropy" else y
    revealed, dense = networks(f, width, 2, ("W2", "W3"))
    common = {"steps": steps, "test": TEST, "observe": OBSERVED, "record": [0, 1, steps // 2, steps], **options}
    run = train(revealed, X, targets, samples=2, **common)
    for k, each in enumerate(dense):
        expected = train(each, X, targets, **common)
        for name in OBSERVED:
            np.testing.assert_allclose(run[name][k], expected[name][0], rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("width", [3, 40])
def test_a_matrix_that_acts_both_ways_trains_alike(width, monkeypatch):
    monkeypatch.setattr(specification, "BLOCK_ENTRIES", 2**14)

    @rt.program(U=rt.gaussian(n, 2), W=rt.gaussian(n, n), v=rt.gaussian(n))
    def f(p, x):
        h = rt.tanh(p.U @ x)
        return p.v @ rt.tanh(p.W.T @ rt.tanh(p.W @ h / n**0.5) / n**0.5 + p.W @ h / n**0.5) / n**0.5

    revealed, dense = networks(f, width, 2, ("W",))
    common = {"steps": 25, "learning_rate": 0.3, "momentum": 0.8, "observe": ["outputs", "kernel", "parameter_motion"]}
    run = train(revealed, X, y, samples=2, **common)
    for k, each in enumerate(dense):
        expected = train(each, X, y, **common)
        for name in common["observe"]:
            np.testing.assert_allclose(run[name][k], expected[name][0], rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("scale", [0.0, 1e-12, 0.5])
def test_branches_of_any_weight_train_alike(scale):
    """A product that counts for nothing moves nothing."""
    revealed, dense = networks(rt.networks.resnet(2, n, 2, residual_scale=scale), 20, 1, ("W1", "W2"))
    common = {"steps": 5, "learning_rate": 0.3, "observe": ["outputs", "kernel", "parameter_motion"]}
    run, expected = train(revealed, X, y, **common), train(dense[0], X, y, **common)
    for name in common["observe"]:
        np.testing.assert_allclose(run[name], expected[name], rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("rule", [{}, {"momentum": 0.5}, {"batch": "cyclic"}])
def test_a_network_that_diverges_leaves_the_others_alone(rule, monkeypatch):
    """Side by side with one whose numbers overflow, a network trains as it does alone."""
    monkeypatch.setattr(specification, "BLOCK_ENTRIES", 2**11)
    revealed, dense = networks(rt.networks.mlp(2, n, 3, "softplus"), 9, 2, ("W2", "W3"))
    for name in ("W2", "W3"):
        revealed.space.tensors[name].entries[0] *= 30.0
    training = Training(revealed, X, y, learning_rate=0.4, steps=25, **rule)
    divergence = Divergence(4)
    draw = Draw({}, 4, np.random.default_rng(0))
    with np.errstate(all="ignore"):
        snapshots = training.snapshots(draw, range(26), [], divergence)
        outputs = np.array([snapshot.outputs[1] for snapshot in snapshots])
    assert (divergence.steps[[0, 2]] > 0).all() and (divergence.steps[[1, 3]] == -1).all()
    expected = train(dense[1], X, y, learning_rate=0.4, steps=25, observe="outputs", **rule)
    np.testing.assert_allclose(outputs, expected.outputs[0], rtol=1e-9, atol=1e-10)


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1.0, 0.9, -2.0, 0.0]))
@settings(max_examples=25)
def test_moved_matrices_are_linear_maps(seed, rows, columns, scale):
    rng = np.random.default_rng(seed)
    base = RevealedGaussian((rows, columns), batch=2, rng=seed)
    for _ in range(rng.integers(1, 4)):
        base.apply(rng.standard_normal((2, 1, columns)))
        base.apply_transposed(rng.standard_normal((2, 1, rows)))
    right, left = base.revealed
    core = rng.standard_normal((2, rng.integers(0, left + 3), rng.integers(0, right + 3)))
    moved = MovedGaussian(base, scale, core)
    x, u = rng.standard_normal((2, 3, columns)), rng.standard_normal((2, 4, rows))
    images, pulled = moved.apply(x), moved.apply_transposed(u)
    np.testing.assert_allclose(np.matmul(u, images.swapaxes(1, 2)), np.matmul(pulled, x.swapaxes(1, 2)), atol=1e-10)
    # it is scale * W + P^T C Q with W as its questions left it
    core = core[:, :left, :right]
    P, Q = base.left[0][:, : core.shape[1]], base.right[0][:, : core.shape[2]]
    shift = np.matmul(np.matmul(P.swapaxes(1, 2), core), Q)
    expected = scale * base.apply(x) + np.matmul(x, shift.swapaxes(1, 2))
    np.testing.assert_allclose(images, expected, atol=1e-10)
    # the way back
    back = MovedGaussian(base, 1.0, np.zeros_like(core))
    np.testing.assert_allclose(back.apply(x), base.apply(x), atol=1e-12)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-8, 1e-11])
@pytest.mark.parametrize("known", [0, 3])
@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_blocks_of_almost_dependent_vectors_are_told_by_their_coordinates(gap, known, scale):
    """Two vectors almost alike, and one along the direction in which they differ."""
    rng = np.random.default_rng(5)
    a, b, c, d = rng.standard_normal((4, 2, 5000))
    basis = Rows(2, 5000)
    extend_basis(basis, rng.standard_normal((2, known, 5000)))
    vectors = scale * np.stack([a, a + gap * b, b + c, d], axis=1)
    coefficients, alive = extend_basis(basis, vectors.copy())
    errors = np.linalg.norm((coefficients @ basis.rows - vectors) / scale, axis=2)
    assert errors.max() < 1e-14 * np.linalg.norm(a, axis=1).max()
    assert alive.shape == (2, 4) and alive.all()
    gram = basis.rows @ basis.rows.swapaxes(1, 2)
    assert abs(gram - np.eye(known + 4)).max() < 1e-13


def test_noise_of_a_block_is_no_direction():
    """What two vectors have beyond a known one is alike, up to the rounding of that one."""
    rng = np.random.default_rng(6)
    a, b, c = rng.standard_normal((3, 1, 5000))
    basis = Rows(1, 5000)
    extend_basis(basis, a[:, None].copy())
    _, alive = extend_basis(basis, np.stack([a + 1e-9 * b, a + 1e-9 * b + 1e-14 * c], axis=1))
    assert basis.count == 2 and alive.all()


def drawn(quantities, width, size, seed):
    """Independent samples of several observables of the same networks."""
    joint = rt.combine(lambda *values: np.stack(values, axis=-1), *quantities, name="joint")
    joint.shape = (len(quantities),)
    return joint.sample(width, size=size, rng=seed).T


def assert_alike(a, b):
    """Samples of one law: by all quantiles, and by mean and mean square, which see another scale much sooner.

    Differences of two samples of one law are as likely as their negatives, so that by Hoeffding's inequality their sum
    is x times their length with probability at most 2 exp(-x^2 / 2), at any number of samples and whatever the law.
    """
    assert np.isfinite(a).all() and np.isfinite(b).all()
    assert stats.ks_2samp(a, b).pvalue > FALSE_FAILURE
    for difference in (a - b, a**2 - b**2):
        assert abs(difference.sum()) < (2 * np.log(2 / FALSE_FAILURE)) ** 0.5 * np.linalg.norm(difference)


LARGE = pytest.param(64, 8000, marks=pytest.mark.slow)


@pytest.mark.parametrize(("width", "size"), [(12, 2000), (32, 600), (64, 400), LARGE])
def test_trained_networks_have_the_law_of_dense_ones(width, size):
    samples = []
    for seed, dense in ((1, True), (2, False)):
        f = rt.networks.mlp(2, n, 2, dense=dense)
        training = Training(f, X, y, learning_rate=0.8, steps=10, test=TEST)
        samples.append(
            drawn(
                [
                    TrainingQuantity(training, "outputs", at=[0], reduce=None),
                    TrainingQuantity(training, "outputs", at="test", reduce=None),
                    TrainingQuantity(training, "loss", reduce=None),
                    TrainingQuantity(training, "kernel_change", reduce="mean"),
                    TrainingQuantity(training, "linearization_error", at="test", reduce=None),
                ],
                width, size, seed,
            )
        )  # fmt: skip
    for a, b in zip(*samples, strict=True):
        assert_alike(a, b)


@pytest.mark.parametrize("width", [1, 3])
def test_many_steps_of_narrow_networks(width):
    """The trajectory fills the whole space long before its end."""
    samples = []
    for seed, dense in ((3, True), (4, False)):
        f = rt.networks.mlp(2, n, 2, biases=0.5, dense=dense)
        training = Training(f, X, y, learning_rate=0.3, steps=40, momentum=0.5)
        quantities = [TrainingQuantity(training, name, reduce=how) for name, how in
                      (("outputs", "mean"), ("loss", None), ("kernel_change", "mean"))]  # fmt: skip
        samples.append(drawn(quantities, width, 1000, seed))
    for a, b in zip(*samples, strict=True):
        assert_alike(a, b)


@pytest.mark.slow
def test_revealed_flow_has_the_law_of_dense_flow():
    samples = []
    for seed, dense in ((5, True), (6, False)):
        f = rt.networks.mlp(2, n, 2, dense=dense)
        training = Training(f, X, y, flow=True, learning_rate=3.0, tolerance=1e-5)
        samples.append(drawn([TrainingQuantity(training, "outputs", reduce="mean")], 24, 1500, seed))
    assert_alike(samples[0][0], samples[1][0])


def test_a_wide_network_takes_room_linear_in_its_width():
    f = rt.networks.mlp(2, n, 2)
    run = train(f, X, y, n=2**15, learning_rate=0.5, steps=10, rng=0)
    assert run.diverged.tolist() == [-1] and 0 < abs(run.linearization_error[0, -1]).max() < 1e-2
