"""Results of training as objects: records, summaries, figures, joint draws and reproducibility."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import estimators
import randtensor as rt
from estimators import Training, TrainingQuantity, TrainingRun, train
from estimators.training import specification
from estimators.training.divergence import Divergence
from randtensor.errors import InputError
from randtensor.quantity import Draw

n = rt.Scale("n")
F = rt.networks.mlp(2, n, 2)
X, Y = np.array([[1.0, 0.0], [0.6, 0.8], [-0.5, 0.5]]), np.array([1.0, -1.0, 0.5])
TRAINING = Training(F, X, Y, learning_rate=0.5, steps=6)
RUN = train(TRAINING, n=20, samples=40, rng=0)


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """A few networks side by side, where in earnest there would be thousands of such narrow ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specification, "BLOCK_ENTRIES", 2**10)
        yield


def same(a, b):
    assert a.values.keys() == b.values.keys()
    for name in a.values:
        np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"momentum": 0.5}])
@pytest.mark.parametrize("width", [10, 200])
def test_one_seed_gives_the_same_bits(jobs, options, width):
    f = rt.networks.mlp(2, n, 2, dense=None if width < 100 else False)
    training = Training(f, X, Y, learning_rate=0.5, steps=3, **options)
    reference = train(training, n=width, samples=20, rng=7)
    same(train(training, n=width, samples=20, rng=7, jobs=jobs), reference)
    fewer = train(training, n=width, samples=3, rng=7, jobs=jobs)
    np.testing.assert_array_equal(fewer.outputs, reference.outputs[:3])


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"flow": True}])
def test_dense_networks_do_not_depend_on_what_is_observed(options):
    f = rt.networks.mlp(2, n, 2, dense=True)
    training = Training(f, X, Y, learning_rate=0.5, steps=4, **options)
    everything = train(training, n=9, samples=20, rng=7)
    np.testing.assert_array_equal(train(training, n=9, samples=20, rng=7, observe="loss").loss, everything.loss)
    late = train(training, n=9, samples=20, rng=7, record=[4, 2, 2])
    assert late.steps.tolist() == [2, 4]
    np.testing.assert_array_equal(late.kernel, everything.kernel[:, [2, 4]])


@pytest.mark.parametrize("batch", ["full", 1, 2])
@pytest.mark.parametrize("dense", [True, False])
def test_quantities_of_one_training_see_the_same_networks(batch, dense):
    f = rt.networks.mlp(2, n, 2, dense=dense)
    training = Training(f, X, Y, learning_rate=0.5, steps=4, batch=batch)
    loss = TrainingQuantity(training, "loss", reduce=None)
    outputs = TrainingQuantity(training, "outputs", at="train")
    nothing = (loss - loss).sample(12, size=12, rng=1)
    np.testing.assert_allclose(nothing, 0, atol=1e-12)
    if batch == "full":
        errors = [TrainingQuantity(training, "outputs", at=[i], reduce=None) - Y[i] for i in range(3)]
        again = (errors[0] ** 2 + errors[1] ** 2 + errors[2] ** 2) / 6
        np.testing.assert_allclose((loss - again).sample(12, size=12, rng=1), 0, atol=1e-10)
    assert outputs.sample(12, size=12, rng=1).std() > 0


PROGRAMS = {
    "gaussian": rt.networks.mlp(2, n, 2),
    "revealed": rt.networks.mlp(2, n, 2, dense=False),
    "dense": rt.networks.mlp(2, n, 2, dense=True),
    "skewed": rt.networks.mlp(2, n, 2, hidden="exponential", readout="exponential"),
    "orthogonal": rt.program(U=rt.gaussian(n, 2), W=rt.haar(n), v=rt.gaussian(n))(
        lambda p, x: p.v @ rt.tanh(p.W @ rt.tanh(p.U @ x)) / n**0.5
    ),
    "symmetric": rt.program(U=rt.gaussian(n, 2), W=rt.goe(n), v=rt.gaussian(n))(
        lambda p, x: p.v @ rt.tanh(p.W @ rt.tanh(p.U @ x)) / n
    ),
}


@pytest.mark.parametrize("width", [5, 64])
@pytest.mark.parametrize("name", PROGRAMS)
def test_training_starts_from_the_function_of_the_same_draw(name, width):
    """Whichever of the two is asked first."""
    f = PROGRAMS[name]
    training = Training(f, X, Y, learning_rate=0.3, steps=3)
    start = TrainingQuantity(training, "outputs", step=0, at=[1], reduce=None)
    later = TrainingQuantity(training, "outputs", at=[1], reduce=None)
    for difference in (start - f(X[1]), f(X[1]) - start):
        np.testing.assert_allclose(difference.sample(width, size=6, rng=2), 0, atol=1e-12)
    assert abs((later - f(X[1])).sample(width, size=6, rng=2)).min() > 1e-6


def test_a_control_variate_shrinks_the_variance():
    change = TrainingQuantity(TRAINING, "linear_outputs", at=[0], reduce=None)
    end = TrainingQuantity(TRAINING, "outputs", at=[0], reduce=None)
    assert (end - change).sample(50, size=20, rng=0).std() < 0.2 * end.sample(50, size=20, rng=0).std()


def test_records_round_trip():
    record = json.loads(json.dumps(RUN.to_dict()))
    again = TrainingRun.from_dict(record)
    same(again, RUN)
    assert again.to_dict() == RUN.to_dict() and repr(again) == repr(RUN)
    assert again.training is None and RUN.training is TRAINING
    assert record["schema"] == "randtensor/training-run/1"
    np.testing.assert_allclose(again.summary("loss"), RUN.summary("loss"), rtol=1e-12)


def test_records_of_other_things():
    with pytest.raises(InputError, match="record has the schema None, expected 'randtensor/training-run/1'"):
        TrainingRun.from_dict({})
    damaged = {key: value for key, value in RUN.to_dict().items() if key != "steps"}
    with pytest.raises(InputError, match="record has no field 'steps'"):
        TrainingRun.from_dict(damaged)


def test_runs_without_records_or_scales_round_trip():
    fixed = F.at(W1=np.ones((4, 2)), W2=np.eye(4), v=np.ones(4))
    run = train(fixed, X, Y, learning_rate=500.0 * n**0, steps=30, record=[29], rng=np.random.SeedSequence([1, 2]))
    again = TrainingRun.from_dict(json.loads(json.dumps(run.to_dict())))
    assert again.outputs.shape == run.outputs.shape and again.sizes == {} and again.seed == [1, 2]


@given(st.sampled_from(["rms", "mean"]), st.sampled_from(sorted(RUN.values)))
@settings(max_examples=10)
def test_summaries(statistic, name):
    values, errors = RUN.summary(name, statistic)
    flat = RUN[name].reshape(40, 7, -1)
    plain = flat.mean(axis=(0, 2)) if statistic == "mean" else np.sqrt((flat**2).mean(axis=(0, 2)))
    np.testing.assert_allclose(values, plain, rtol=1e-12)
    assert errors.shape == (7,) and (errors >= 0).all()
    assert values[0] == 0 or errors[0] > 0


def test_summaries_of_one_sample_have_no_error():
    values, errors = train(TRAINING, n=10, rng=0).summary("loss", "mean")
    assert np.isnan(errors).all() and np.isfinite(values).all()
    with pytest.raises(InputError, match="statistic is 'median', expected 'rms' or 'mean'"):
        RUN.summary("loss", "median")
    with pytest.raises(InputError, match="the run has no observable 'weights', expected one of outputs, loss"):
        RUN.summary("weights")


def test_attributes_copies_and_text():
    assert RUN.loss is RUN["loss"]
    with pytest.raises(AttributeError, match="the run has no attribute 'weights'; it recorded outputs, loss"):
        _ = RUN.weights
    same(copy.copy(RUN), RUN)
    same(pickle.loads(pickle.dumps(dataclasses.replace(RUN, training=None))), RUN)
    assert repr(RUN).startswith("<TrainingRun: training of mlp, 40 networks at n = 20, 7 records up to step 6: outputs")
    assert repr(TRAINING) == "<Training: training of mlp on 3 inputs, 6 steps>"
    assert dataclasses.replace(TRAINING, learning_rate=0.1).fingerprint != TRAINING.fingerprint
    assert dataclasses.replace(TRAINING).fingerprint == TRAINING.fingerprint


def test_fingerprints_tell_trainings_apart():
    changes = [{}, {"inputs": X + 1}, {"targets": Y + 1}, {"test": X}, {"learning_rate": 0.4}, {"steps": 7},
               {"loss": estimators.Loss("other", *(lambda F, y: F - y,) * 2)}, {"batch": "cyclic"}, {"batch": 2},
               {"reduction": "sum"}, {"flow": True}, {"momentum": 0.1}, {"momentum": 0.1, "nesterov": True},
               {"weight_decay": 0.1}, {"rates": {"v": 2}}, {"rates": {"v": n**-0.5}},
               {"limit": np.eye(3)}, {"function": rt.networks.mlp(2, n, 3)}]  # fmt: skip
    assert len({dataclasses.replace(TRAINING, **change).fingerprint for change in changes}) == len(changes)


@pytest.mark.parametrize("axes", ["linear", "semilog", "loglog"])
def test_figures(axes):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    ax = RUN.plot("linearization_error", axes=axes)
    try:
        (line,) = ax.get_lines()
        shown, values = line.get_data()
        # at step 0 the departure is zero, which no logarithm shows
        first = 0 if axes == "linear" else 1
        assert shown.tolist() == list(range(first, 7))
        np.testing.assert_allclose(values, RUN.summary("linearization_error")[0][first:])
        assert ax.get_yscale() == ("linear" if axes == "linear" else "log")
        assert RUN.plot("loss", "mean", ax=ax) is ax
        ax.figure.canvas.draw()
    finally:
        pyplot.close(ax.figure)
    with pytest.raises(InputError, match="axes is 'polar', expected one of 'linear', 'semilog', 'loglog'"):
        RUN.plot("loss", axes="polar")


def test_sizes_are_those_of_the_scales():
    assert train(rt.networks.mlp(2, 16, 2), X, Y, steps=1, rng=0).sizes == {}
    m = rt.Scale("m")
    two = Training(rt.networks.mlp(2, [n, m], 2), X, Y, learning_rate=0.1 * m**-1)
    run = train(two, n={n: 200, m: 300}, rng=0)
    assert run.sizes == {"m": 300, "n": 200} and "2 records" in repr(run)
    rate_only = train(F.at(W1=np.ones((4, 2)), W2=np.eye(4), v=np.ones(4)), X, Y, learning_rate=n**-0.5)
    assert rate_only.sizes == {}


def test_inputs_may_be_numbers():
    f = rt.program(a=rt.gaussian(n), v=rt.gaussian(n))(lambda p, x: p.v @ rt.tanh(p.a * x) / n**0.5)
    run = train(f, [0.5, -1.0, 2.0], Y, n=50, steps=20, learning_rate=1.0, samples=5, rng=0)
    assert run.outputs.shape == (5, 21, 3) and (run.loss[:, -1] < run.loss[:, 0]).all()


def test_snapshots_are_in_order():
    draw = Draw({"n": 8}, 2, np.random.default_rng(0))
    steps = [snapshot.step for snapshot in TRAINING.snapshots(draw, [5, 0, 3], [], Divergence(2))]
    assert steps == [0, 3, 5]
