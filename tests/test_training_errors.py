"""What training says of arguments that it cannot use, and of runs that go wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

import randtensor as rt
from estimators import Loss, Training, TrainingQuantity, train
from estimators.training import OBSERVABLES, Observable, rules, specification
from randtensor.errors import InputError, ShapeError

n = rt.Scale("n")
F = rt.networks.mlp(2, n, 2)
VECTOR = rt.networks.mlp(2, n, 2, outputs=3)
X, Y = np.array([[1.0, 0.0], [0.6, 0.8], [-0.5, 0.5]]), np.array([1.0, -1.0, 0.5])
SQUARES = Loss("squares", lambda F, y: (F - y) ** 2, lambda F, y: 2 * (F - y))


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """A few networks side by side, where in earnest there would be thousands of such narrow ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specification, "BLOCK_ENTRIES", 2**10)
        yield


ARGUMENTS = [
    ({"function": "mlp"}, InputError, "function is 'mlp', expected a random function"),
    ({"inputs": 1.0}, ShapeError, r"X has shape \(\), expected a stack of inputs"),
    ({"inputs": np.zeros((0, 2))}, ShapeError, r"X has shape \(0, 2\), expected at least one input"),
    ({"inputs": [[np.nan, 1.0]]}, InputError, "X has 1 NaN or infinite entries"),
    ({"inputs": [["a", "b"]]}, InputError, "X is .* expected an array of numbers"),
    ({"inputs": np.zeros((3, 5))}, ShapeError, "expected a vector of length 2"),
    ({"targets": [1.0, 2.0]}, ShapeError, r"y has shape \(2,\), expected \(3,\): one target per input"),
    ({"targets": np.zeros((3, 1))}, ShapeError, r"y has shape \(3, 1\), expected \(3,\)"),
    ({"function": VECTOR}, ShapeError, r"y has shape \(3,\), expected \(3, 3\)"),
    ({"targets": [1.0, np.inf, 0.0]}, InputError, "y has 1 NaN or infinite entries"),
    ({"targets": "abc"}, InputError, "y is 'abc', expected an array of numbers"),
    ({"targets": [0, 1, 2], "loss": "cross-entropy"}, InputError, "y has the entry 2, expected probabilities"),
    ({"targets": None}, InputError, "y is None, expected one target per input"),
    ({"limit": np.eye(3), "rates": {"v": 2}}, InputError, "limit is given together with rates"),
    ({"function": VECTOR, "targets": [0, 1, 3], "loss": "cross-entropy"}, InputError, "class numbers from 0 to 2"),
    ({"test": [[1.0]]}, ShapeError, r"test has inputs of shape \(1,\), expected \(2,\) as X has"),
    ({"test": [[np.inf, 0.0]]}, InputError, "test has 1 NaN or infinite entries"),
    ({"limit": np.eye(2)}, ShapeError, r"limit has shape \(2, 2\), expected \(3, 3\)"),
    ({"limit": np.eye(3) * np.nan}, InputError, "limit has 9 NaN"),
    ({"learning_rate": "fast"}, InputError, "learning_rate is 'fast', expected a number"),
    ({"learning_rate": -0.1}, InputError, "learning_rate is -0.1, expected a non-negative number"),
    ({"learning_rate": np.nan}, InputError, "learning_rate is nan, expected a finite number"),
    ({"learning_rate": 0, "flow": True}, InputError, "learning_rate is 0.0, expected a positive number"),
    ({"tolerance": 0.0, "flow": True}, InputError, "tolerance is 0.0, expected a positive number"),
    ({"steps": -1}, InputError, "steps is -1, expected a non-negative integer"),
    ({"steps": 2.5}, InputError, "steps is 2.5, expected a non-negative integer"),
    ({"loss": "hinge"}, InputError, "loss is 'hinge', expected one of 'squared', 'cross-entropy' or"),
    ({"loss": np.square}, InputError, "a function without a derivative, expected estimators.Loss"),
    ({"batch": 4}, InputError, "batch is 4, expected 'full', 'cyclic' or a number of inputs from 1 to 3"),
    ({"batch": "random"}, InputError, "batch is 'random'"),
    ({"batch": True}, InputError, "batch is True"),
    ({"reduction": "max"}, InputError, "reduction is 'max', expected 'mean' or 'sum'"),
    ({"momentum": 1.0}, InputError, r"momentum is 1.0, expected a number in \[0, 1\)"),
    ({"momentum": "0.9"}, InputError, "momentum is '0.9', expected a finite number"),
    ({"dampening": 0.1}, InputError, "dampening is 0.1 and momentum is 0"),
    ({"nesterov": True}, InputError, "nesterov is True, expected a positive momentum and no dampening"),
    ({"weight_decay": -1}, InputError, "weight_decay is -1, expected a non-negative number"),
    ({"weight_decay": "a"}, InputError, "weight_decay is 'a', expected a non-negative number"),
    ({"weight_decay": 0.1, "rates": {"v": 2}}, InputError, "weight_decay is given together with rates"),
    ({"rates": {"w": 2}}, InputError, "rates has the parameter 'w', expected names among W1, W2, v"),
    ({"rates": [1, 2]}, InputError, r"rates is \[1, 2\], expected a mapping"),
    ({"rates": {"v": "fast"}}, InputError, r"rates\['v'\] is 'fast', expected a number"),
    ({"rates": {"v": -2}}, InputError, r"rates\['v'\] is -2, expected a non-negative number"),
    ({"flow": True, "momentum": 0.5}, InputError, "flow is True, expected the full batch and no momentum"),
    ({"flow": True, "nesterov": True}, InputError, "flow is True, expected the full batch and no momentum"),
    ({"flow": True, "batch": "cyclic"}, InputError, "flow is True, expected the full batch"),
    (
        {"loss": Loss("s", lambda F, y: ((F - y) ** 2).sum(), lambda F, y: F - y)},
        ShapeError,
        r"value of the loss 's' gave shape \(\) for outputs of shape \(1, 3\), expected \(1, 3\)",
    ),
]


@pytest.mark.parametrize(("change", "error", "text"), ARGUMENTS, ids=lambda v: str(v)[:40])
def test_arguments_outside_their_range(change, error, text):
    with pytest.raises(error, match=text) as caught:
        Training(**{"function": F, "inputs": X, "targets": Y, **change})
    assert "\n" not in str(caught.value)


def test_a_loss_needs_its_derivative():
    with pytest.raises(InputError, match=r"gradient of the loss 'cubic' is None, expected a function of \(F, y\)"):
        Loss("cubic", lambda F, y: (F - y) ** 3, None)


RUNS = [
    ({"learnin_rate": 0.1}, InputError, "'learnin_rate' is no option of training, expected one of learning_rate"),
    ({"observe": "weights"}, InputError, "observe has 'weights', expected names among outputs, loss"),
    ({"observe": []}, InputError, r"observe is \[\], expected names among outputs, loss"),
    ({"observe": 5}, InputError, "observe is 5, expected names among outputs, loss"),
    ({"observe": {"a": 3}}, InputError, r"observe\['a'\] is 3, expected a function of a snapshot"),
    ({"observe": {"a": lambda s: 1.0}}, InputError, r"observe\['a'\] gave shape \(\), expected a first axis of"),
    ({"observe": {"a": lambda s: s.loss * np.nan}}, InputError, "training of mlp gave .* values that are not finite"),
    ({"observe": "limit_error"}, InputError, "limit is None, expected the tangent kernel of infinite width"),
    ({"observe": "limit_error", "limit": np.eye(3), "weight_decay": 1}, InputError, "weight_decay is 1, expected 0"),
    ({"record": [7]}, InputError, "record has 7, expected steps from 0 to 1"),
    ({"record": []}, InputError, r"record is \[\], expected a list of steps from 0 to 1"),
    ({"record": 1}, InputError, "record is 1, expected a list of steps"),
    ({"record": ["a"]}, InputError, "record has 'a', expected steps from 0 to 1"),
    ({"samples": 0}, InputError, "samples is 0, expected a positive integer"),
    ({"n": None}, ShapeError, "expected a size for the scale 'n'"),
    ({"n": 0}, ShapeError, "n is 0 for the scale 'n', expected a positive integer"),
]


@pytest.mark.parametrize(("change", "error", "text"), RUNS, ids=lambda v: str(v)[:40])
def test_runs_outside_their_range(change, error, text):
    with pytest.raises(error, match=text) as caught:
        train(F, X, Y, **{"n": 6, **change})
    assert "\n" not in str(caught.value)


def test_a_training_holds_all_options():
    with pytest.raises(InputError, match="X, y or options are given beside a Training"):
        train(Training(F, X, Y), n=4, steps=3)


QUANTITIES = [
    ({"observable": "weights"}, "observable has 'weights'"),
    ({"step": 9}, "step is 9, expected a step from 0 to 5"),
    ({"step": []}, r"step is \[\], expected a step from 0 to 5"),
    ({"step": 1.5}, "step is 1.5, expected a step from 0 to 5"),
    ({"at": "test"}, "at is 'test', expected 'all', 'train' or positions from 0 to 2"),
    ({"at": [3]}, r"at is \[3\], expected 'all', 'train' or positions from 0 to 2"),
    ({"reduce": "sum"}, "reduce is 'sum', expected one of rms, mean, max, frobenius, spectral, or None"),
]


@pytest.mark.parametrize(("change", "text"), QUANTITIES, ids=lambda v: str(v)[:40])
def test_quantities_outside_their_range(change, text):
    with pytest.raises(InputError, match=text):
        TrainingQuantity(**{"training": Training(F, X, Y, steps=5), "observable": "outputs", **change})


def test_reductions_that_do_not_fit():
    training = Training(F, X, Y)
    with pytest.raises(InputError, match=r"reduce is None for outputs of shape \(3,\), expected one of rms"):
        TrainingQuantity(training, "outputs", reduce=None).sample(4)
    with pytest.raises(InputError, match=r"reduce is 'spectral' for loss of shape \(\), expected a matrix"):
        TrainingQuantity(training, "loss", reduce="spectral").sample(4)


def test_lengths_that_are_not_known():
    revealed = rt.networks.mlp(2, n, 2, dense=False)
    with pytest.raises(InputError, match="weight_decay is given and parameter 'W1' is revealed"):
        train(revealed, X, Y, n=8, weight_decay=0.1, observe="parameter_motion")
    # what is observed by default does not ask for them
    run = train(revealed, X, Y, n=8, weight_decay=0.1)
    assert "parameter_motion" not in run.values and "kernel" in run.values


def test_functions_without_activations_have_no_features():
    f = rt.program(v=rt.gaussian(n, 2))(lambda p, x: rt.sum(p.v @ x))
    with pytest.raises(InputError, match="observe has 'feature_change', expected a function with entrywise activ"):
        train(f, X, Y, n=4, observe="feature_change")


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"batch": "cyclic"}, {"loss": SQUARES}])
@pytest.mark.filterwarnings("error")
def test_above_the_stability_threshold(activation, options):
    """The records before the divergence are kept; nothing is NaN or infinite."""
    f = rt.networks.mlp(2, n, 2, activation)
    run = train(f, X, Y, n=40, learning_rate=60.0, steps=200, samples=3, rng=0, **options)
    assert (run.diverged > 0).any() and len(run.steps) == run.diverged[run.diverged > 0].min()
    step = run.diverged[run.diverged > 0].min()
    assert run.steps.tolist() == list(range(step))
    assert f"diverged at step {step} at n = 40" in run.warnings[0]
    assert ": learning_rate is 60.0, expected one below the stability threshold" in run.warnings[0]
    assert all(values.shape[:2] == (3, step) and np.isfinite(values).all() for values in run.values.values())
    assert run.warnings[0] in repr(run)
    assert "NaN" not in json.dumps(run.to_dict()) and "Infinity" not in json.dumps(run.to_dict())


def test_each_network_diverges_for_itself():
    """Networks that are trained side by side do not know of each other."""
    f = rt.networks.deep_linear(2, n, 2)
    training = Training(f, X, Y, learning_rate=8.0, steps=40)
    run = train(training, n=4, samples=300, rng=0, observe=["outputs", "kernel"])
    wild = run.diverged >= 0
    assert 0 < wild.sum() < 300
    assert f" at n = 4 ({wild.sum()} of 300 networks): learning_rate is 8" in run.warnings[0]
    first = int(np.flatnonzero(~wild)[0])
    alone = train(training, n=4, samples=first + 1, rng=0, observe=["outputs", "kernel"])
    assert (alone.diverged >= 0).sum() == wild[: first + 1].sum()
    if first == 0:
        assert alone.warnings == () and len(alone.steps) == 41


def test_the_message_of_a_quantity_is_that_of_the_run():
    f = rt.networks.mlp(2, n, 2, "relu")
    training = Training(f, X, Y, learning_rate=60.0, steps=50)
    with pytest.raises(InputError, match=r"training diverged at step .* at n = 40: learning_rate is 60") as caught:
        TrainingQuantity(training, "loss").sample(40, rng=0)
    assert "\n" not in str(caught.value)


def test_a_linearisation_may_diverge_where_the_network_does_not():
    """A tanh network is bounded in its kernel: beyond the threshold it finds a place where it is stable."""
    options = {"n": 30, "learning_rate": 9.0, "steps": 100, "samples": 2, "rng": 0}
    with_it = train(F, X, Y, **options)
    assert with_it.warnings[0].startswith("the linearisation diverged at step")
    assert len(with_it.steps) == with_it.diverged.min() < 101
    without = train(F, X, Y, observe=["outputs", "loss"], **options)
    assert without.warnings == () and len(without.steps) == 101


def test_a_divergence_that_nobody_looks_at_is_seen_when_it_happens():
    f = rt.networks.mlp(2, n, 2, "relu")
    run = train(f, X, Y, n=20, learning_rate=60.0, steps=100, record=[0, 90], rng=0)
    assert run.steps.tolist() == [0] and 0 < run.diverged[0] < 90
    nothing = train(f, X, Y, n=20, learning_rate=60.0, steps=100, record=[90], rng=0)
    assert len(nothing.steps) == 0 and nothing.outputs.shape == (1, 0, 3) and nothing.warnings


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_outputs_that_overflow_at_the_start():
    f = rt.networks.mlp(2, n, 1, "exp")
    with pytest.raises(InputError, match="the outputs at the initial parameters are not finite at n = 8"):
        train(f, 1e6 * X, Y, n=8)


def test_unstable_flows_say_that_they_flow():
    growing = Loss("growing", lambda F, y: -((F - y) ** 2) / 2, lambda F, y: y - F)
    f = rt.networks.deep_linear(2, n, 1)
    run = train(
        f, X, Y, loss=growing, flow=True, learning_rate=5.0, n=20, rng=0, steps=9, tolerance=1e-3, observe="loss"
    )
    assert "gradient" not in run.warnings[0].partition(":")[0]
    assert "in time per step, expected a loss whose gradient flow stays bounded" in run.warnings[0]


def test_networks_too_narrow_for_the_data():
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((12, 2)), rng.standard_normal(12)
    narrow = train(rt.networks.two_layer(2, n), inputs, targets, n=2, samples=5, rng=0)
    assert narrow.warnings == (
        "the tangent kernel of the 12 training inputs is singular (rank 6 of 12): the network is too narrow for so "
        "many, or inputs coincide",
    )
    assert train(rt.networks.two_layer(2, n), inputs, targets, n=50, samples=5, rng=0).warnings == ()
    twice = train(F, np.ones((2, 2)), [1.0, 1.0], n=50, rng=0)
    assert "singular (rank 1 of 2)" in twice.warnings[0]
    # an observable of one's own that has the same name is something else
    assert train(F, np.ones((2, 2)), [1.0, 1.0], n=50, rng=0, observe={"kernel": lambda s: s.loss}).warnings == ()


def test_observables_of_ones_own_in_quantities():
    last = Observable("last layer", lambda s: s.feature_change[:, -1], input_axes=(1,))
    training = Training(F, X, Y, steps=2)
    values = TrainingQuantity(training, last, at=[1]).sample(8, size=3, rng=0)
    assert values.shape == (3,) and (values > 0).all()
    assert all(observable.text for observable in OBSERVABLES.values())


def test_a_flow_that_needs_too_many_steps_says_what_to_do(monkeypatch):
    monkeypatch.setattr(rules, "MOST_STEPS", 20)
    kinked = rt.networks.two_layer(2, n, "relu")
    with pytest.raises(InputError, match=r"tolerance is 1e-09, which after 20 steps .* expected a larger one"):
        train(kinked, np.eye(2), [1.0, -1.0], n=64, flow=True, steps=1, learning_rate=1.0, rng=0)
