"""The coordinate check: exponents layer by layer, and verdicts on them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import estimators
import randtensor as rt
import theory_checks

n = rt.Scale("n")
X, y = [[1.0, 0.0], [0.6, 0.8]], [1.0, -1.0]


def network(parametrization):
    return rt.networks.mlp(inputs=2, width=n, hidden_layers=2, parametrization=parametrization)


@pytest.fixture(scope="module")
def lazy():
    """NTK parametrisation: activations of order 1 that change by n^(-1/2), and an output that moves by order 1."""
    return estimators.coordinate_check(
        network("ntk"), [64, 256, 1024], X, y, steps=2, learning_rate=0.5, samples=100, correction=1.0, rng=0, jobs=1
    )


@pytest.mark.parametrize(
    ("layer", "kind", "exponent"),
    [
        ("activation 1", "activations", 0.0),
        ("activation 2", "activations", 0.0),
        ("output", "activations", 0.0),
        ("activation 1", "change", -0.5),
        ("activation 2", "change", -0.5),
        ("output", "change", 0.0),
    ],
)
def test_exponents_of_ntk_parametrisation(lazy, layer, kind, exponent):
    """A 99.99 % interval: the six together fail for six seeds in ten thousand."""
    low, high = lazy.interval(layer, kind=kind, level=0.9999)
    assert low < exponent < high
    assert high - low < 1.2
    assert abs(lazy.exponent(layer, kind=kind) - exponent) < 0.2


def test_numbers_are_those_of_training(lazy):
    """Every number is the root mean square of features that `train` records from the same networks."""
    training = lazy.training
    observed = ["feature_scale", "feature_change", "outputs"]
    run = estimators.train(training, n=64, samples=100, rng=0, observe=observed, jobs=1)
    for i, layer in enumerate(lazy.layers[:-1]):
        for kind, name in (("activations", "feature_scale"), ("change", "feature_change")):
            other = np.sqrt(np.mean(run[name][:, 2, i] ** 2))
            found = lazy.scaling(layer, 2, kind)
            # two independent samples of the same law: six standard errors of the difference
            assert abs(found.values[0] - other) < 6 * 2**0.5 * found.errors[0]
    single = estimators.layer_scale(training, "activation 2", kind="change")
    estimate = estimators.estimate(single, n=64, samples=100, rng=1)
    found = lazy.scaling("activation 2", kind="change")
    assert abs(estimate.value - found.values[0]) < 6 * np.hypot(estimate.error, found.errors[0])


def test_same_bits_and_records(lazy):
    again = estimators.coordinate_check(
        network("ntk"), [1024, 64, 256], X, y, steps=2, learning_rate=0.5, samples=100, correction=1.0, rng=0, jobs=2
    )
    assert json.dumps(again.to_dict()) == json.dumps(lazy.to_dict())
    one, other = lazy.scaling("activation 1"), lazy.scaling("activation 2")
    with pytest.raises(rt.InputError, match="quantity is"):
        one.merge(other)
    lines = str(lazy).splitlines()
    assert lines[0].split() == ["layer", "step", "activations", "change"]
    assert len(lines) == 1 + 3 * 3
    assert lazy.plot("change").get_xlabel() == "width"


def test_verdicts():
    """Predictions of two parametrisations: the right ones hold, and those wrong by a half are refuted."""
    training = estimators.Training(network("ntk"), X, y, learning_rate=0.5, steps=2)
    common = {"n": [64, 256, 1024], "samples": 800, "correction": 1.0}
    for change, expected in ((-0.5, "consistent"), (0, "refuted"), (-1, "refuted")):
        (claim,) = theory_checks.coordinate_claims(training, change={"activation 2": rt.Theta(n**change)}, **common)
        assert theory_checks.check(claim, rng=0).verdict == expected
    claims = theory_checks.coordinate_claims(
        training, activations={"activation 1": rt.Theta(n**0), "output": rt.Theta(n**0)}, step=1, **common
    )
    assert [claim.name for claim in claims] == [
        "activations of activation 1 at step 1",
        "activations of output at step 1",
    ]
    assert theory_checks.check(claims[0], rng=0).verdict == "consistent"


def test_layers_that_are_zero():
    """A read-out that starts at zero, as is usual with maximal updates, has no exponent before the first step."""

    @rt.program(U=rt.gaussian(n, 2), v=rt.gaussian(n, std=0.0))
    def silent(p, x):
        return p.v @ rt.tanh(p.U @ x) / n

    found = estimators.coordinate_check(silent, [16, 64], X, y, steps=1, learning_rate=8.0, samples=5, rng=0)
    assert found.scaling("output", 0) is None
    assert found.exponent("output", 0) == -np.inf and found.interval("output", 0) == (-np.inf, -np.inf)
    assert found.scaling("output", 1) is not None
    assert " 0 " in str(found).splitlines()[3] + " "


def test_refused(lazy):
    @rt.program(u=rt.gaussian(n))
    def linear(p, x):
        return rt.mean(p.u) * x[0]

    check, f = estimators.coordinate_check, network("ntk")
    for arguments, options, message in (
        ((f, [64], X, y), {}, r"widths is \[64\], expected at least two widths that all differ"),
        ((f, 64, X, y), {}, "widths is 64, expected a list of at least two widths that all differ"),
        ((f, [64, 64], X, y), {}, r"widths is \[64, 64\], expected at least two widths that all differ"),
        ((f, [64, 128], X, y), {"record": [4], "steps": 3}, r"record is \[4\], expected a list of steps from 0 to 3"),
        ((f, [64, 128], X, y), {"record": 3, "steps": 3}, "record is 3, expected a list of steps from 0 to 3"),
        ((f, [64, 128], X, y), {"samples": 1}, "samples"),
        ((3, [64, 128], X, y), {}, "factory is 3, expected a function of the width"),
        ((lambda n: n, [64, 128], X, y), {}, "the factory gave int at"),
        ((f, [64, 128], X, y), {"learning_rate": 1e9, "steps": 9}, "diverged"),
        ((linear, [64, 128], X, y), {}, "entrywise"),
    ):
        with pytest.raises(rt.RandtensorError, match=message):
            check(*arguments, rng=0, **options)
    with pytest.raises(rt.InputError, match="expected a layer among activation 1, activation 2, output"):
        lazy.exponent("activation 3")
    with pytest.raises(rt.InputError, match="kind is 'size', expected"):
        estimators.layer_scale(lazy.training, "output", kind="size")
    with pytest.raises(rt.InputError, match="layer is 'x', expected one of"):
        estimators.layer_scale(lazy.training, "x").sample(16, rng=0)
    with pytest.raises(rt.InputError, match="expected predictions for at least one layer"):
        theory_checks.coordinate_claims(lazy.training, n=[16, 64])
    with pytest.raises(rt.InputError, match=r"expected an estimators\.Training"):
        theory_checks.coordinate_claims(f, change={"output": rt.Theta(n**0)}, n=[16, 64])
