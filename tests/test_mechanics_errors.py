"""What the mechanics engine says of arguments that it cannot use."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

import randtensor as rt
from estimators.mechanics import (
    ChargeRecorder,
    ContinuousLaw,
    ExactLaw,
    FunctionObjective,
    Hyperparameters,
    Part,
    ProgramObjective,
    Symmetry,
    descend,
    integrate,
    runge_kutta,
)
from randtensor.errors import InputError, ShapeError
from theory_checks.symmetries import charge_function, check_identities, conserved_quantities, identity_residual

BOWL = FunctionObjective({"x": (2,)}, lambda p, b: p["x"] @ p["x"] / 2, lambda p, b: {"x": p["x"]})
X = Symmetry("scale", (Part("x"),), "x")
n = rt.Scale("n")
F = rt.networks.mlp(2, n, 2, activation="relu")


def vector_program():
    @rt.program(W=rt.gaussian(2, 2))
    def f(p, rows):
        return p.W @ rows[0]

    return ProgramObjective(f, [[1.0, 2.0]])


def recorder():
    return ChargeRecorder([X], Hyperparameters(), {"x": np.ones(2)})


CASES = [
    (lambda: Hyperparameters(-0.1), InputError, r"weight_decay is -0.1, expected a non-negative number"),
    (lambda: Hyperparameters(float("nan")), InputError, "weight_decay is nan, expected a non-negative number"),
    (lambda: Hyperparameters(momentum=1.0), InputError, r"momentum is 1.0, expected a number in \[0, 1\)"),
    (lambda: Hyperparameters(momentum=0.9, dampening=1.2), InputError, r"dampening is 1.2, expected .* \[0, 1\)"),
    (lambda: Hyperparameters(momentum=0.9, dampening=-0.1), InputError, r"dampening is -0.1, expected"),
    (lambda: Hyperparameters(dampening=0.5), InputError, "dampening is 0.5 and momentum is 0"),
    (lambda: Hyperparameters(nesterov=True), InputError, "nesterov is True, expected a positive momentum"),
    (lambda: Symmetry("rotation", (Part("x"),)), InputError, "family is 'rotation', expected 'translation'"),
    (lambda: Symmetry("scale", ()), InputError, "parts is empty, expected at least one"),
    (lambda: Symmetry("scale", (Part("x", sign=-1),)), InputError, "parts of a scale symmetry have the sign -1"),
    (lambda: Symmetry("rescale", (Part("x"),)), InputError, "parts of a rescale symmetry have one sign"),
    (lambda: Symmetry("rescale", (Part("x"), Part("x", 1, -1))), InputError, "repeat a parameter"),
    (lambda: Part("x", "rows"), InputError, "axis is 'rows', expected a non-negative integer or None"),
    (lambda: Part("x", -1), InputError, "axis is -1, expected a non-negative integer or None"),
    (lambda: Part("x", sign=2), InputError, "sign is 2, expected 1 or -1"),
    (lambda: Part("x", repeat=0), InputError, "repeat is 0, expected a positive number"),
    (lambda: Part("x", 3).units((2, 2)), ShapeError, r"'x' has shape \(2, 2\), expected an axis 3"),
    (lambda: Part("x", 0, repeat=2).units((3,)), ShapeError, "a multiple of 2 entries"),
    (lambda: X.units({"y": np.zeros(2)}), InputError, "group 'x' has the parameter 'x', expected one of y"),
    (lambda: ExactLaw(X, Hyperparameters(momentum=0.5), np.ones(2)).advance(0.1, {"x": np.ones(2)}), InputError,
     "velocity is None, expected that of the step"),
    (lambda: ContinuousLaw(X, Hyperparameters(momentum=0.5, nesterov=True), np.ones(2)), InputError,
     "nesterov is True, expected False"),
    (lambda: ChargeRecorder([], Hyperparameters(), {}), InputError, r"symmetries have the names \[\], expected"),
    (lambda: ChargeRecorder([X, X], Hyperparameters(), {"x": np.ones(2)}), InputError, "names that differ"),
    (lambda: ChargeRecorder([X], Hyperparameters(), {"x": np.ones(2)}, every=0), InputError, "every is 0, expected"),
    (lambda: recorder().record({"x": np.ones(2)}, {}, learning_rate=0.1), InputError,
     "gradient has no 'x', expected an array for every parameter of the symmetries"),
    (lambda: recorder().record({"x": "ones"}, {"x": np.ones(2)}, learning_rate=0.1), InputError,
     "parameters has str for 'x', expected an array of numbers, or a tensor on the CPU without gradient"),
    (lambda: recorder().record({"x": np.ones(2)}, {"x": np.ones(2)}, learning_rate="fast"), InputError,
     "learning_rate is 'fast', expected a positive number"),
    (lambda: ChargeRecorder([X], Hyperparameters(), {"x": np.ones(2)}).deviation("y"), InputError,
     "the law 'exact' of 'y' was not followed"),
    (lambda: descend(BOWL, [1.0, 1.0], learning_rate=-0.1, steps=1), InputError,
     "learning_rate is -0.1, expected a positive number"),
    (lambda: descend(BOWL, [1.0, 1.0], learning_rate=[0.1], steps=2), ShapeError,
     "learning_rate has 1 entries, expected 2"),
    (lambda: descend(BOWL, [1.0, 1.0], learning_rate=0.1, steps=-1), InputError, "steps is -1, expected"),
    (lambda: descend(BOWL, [1.0], learning_rate=0.1, steps=1), ShapeError, r"has shape \(1,\), expected \(2,\)"),
    (lambda: descend(BOWL, {"y": np.ones(2)}, learning_rate=0.1, steps=1), InputError, "parameters has no 'x'"),
    (lambda: descend(BOWL, [np.nan, 1.0], learning_rate=0.1, steps=1), InputError, "1 entries that are not finite"),
    (lambda: descend(BOWL, [1.0, 1.0], learning_rate=0.1, steps=2, batches=[None]), InputError,
     "batches ended after 1 steps, expected 2"),
    (lambda: descend(BOWL, [1.0, 1.0], learning_rate=0.1, steps=1, velocity=[1.0, 1.0]), InputError,
     "velocity is given and momentum is 0"),
    (lambda: descend(BOWL, [1.0, 1.0], learning_rate=["a", "b"], steps=2), InputError,
     "learning_rate is 'a', expected a positive number"),
    (lambda: descend(BOWL, "ab", learning_rate=0.1, steps=2), InputError, "parameters is 'ab', expected a vector"),
    (lambda: descend(BOWL, [1.0, 1.0], X, learning_rate=0.1, steps=2), InputError,
     "symmetries is the single group 'x', expected a list"),
    (lambda: integrate(lambda t, y: y * np.nan, np.ones(1), 1.0), InputError, "not finite at the start, expected"),
    (lambda: integrate(lambda t, y: -y, np.ones(1), np.nan), InputError, "time is nan, expected a finite number"),
    (lambda: runge_kutta(lambda t, y: y, np.ones(1), 1.0, 0), InputError, "steps is 0, expected a positive integer"),
    (lambda: ProgramObjective(3, [[1.0]]), InputError, r"function is 3, expected a program of rt\.program"),
    (vector_program, ShapeError, "has a vector as value, expected a scalar loss"),
    (lambda: check_identities(BOWL, [1.0, 1.0], [X], order=4), InputError, "order is 4, expected 1, 2 or 3"),
    (lambda: check_identities(BOWL, [1.0, 1.0], []), InputError, "symmetries is empty, expected at least one"),
    (lambda: check_identities(BOWL, [1.0, 1.0], [X], order=1).require(), InputError,
     "group 'x' is no scale symmetry of the loss: the identity of the gradient fails by"),
    (lambda: conserved_quantities(np.zeros((1, 2, 3)), [1.0, 2.0]), ShapeError, r"expected \(fields, P, P\)"),
    (lambda: conserved_quantities(np.zeros((1, 2, 2)), [1.0]), ShapeError, r"parameters has shape \(1,\), expected"),
    (lambda: charge_function(F, Symmetry("scale", (Part("U"),))), InputError, "has the parameter 'U', expected W1"),
    (lambda: charge_function(F, Symmetry("scale", (Part("W2", None),))), ShapeError, "grows along both axes"),
    (lambda: charge_function(F, Symmetry("scale", (Part("W1", 0),)), [1.0]), ShapeError, "not of a fixed number"),
    (lambda: charge_function(F, Symmetry("scale", (Part("v", 0, repeat=2),))), ShapeError, "repeat = 2, expected 1"),
    (lambda: identity_residual(F, F, [1.0, 0.0], order=2), InputError, "probe is None, expected an input"),
    (lambda: identity_residual(F, F, [1.0, 0.0], order=0), InputError, "order is 0, expected 1, 2 or 3"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(CASES)))
def test_one_sentence(case):
    call, error, message = CASES[case]
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:overflow")
def test_divergence_names_its_step():
    cubic = FunctionObjective({"x": (1,)}, lambda p, b: 0.0, lambda p, b: {"x": p["x"] ** 3})
    with pytest.raises(InputError, match=r"the descent diverged at step \d+, expected a smaller learning rate than 1"):
        descend(cubic, [3.0], learning_rate=1.0, steps=100)


def test_a_missing_library_is_named_with_the_command(monkeypatch):
    from estimators.mechanics import ModuleObjective
    from theory_checks.suites.neural_mechanics.network import digits

    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in ("torch", "sklearn"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    digits.cache_clear()
    with pytest.raises(InputError, match=r"scikit-learn is not installed.*pip install 'randtensor\[digits\]'"):
        digits()
    with pytest.raises(InputError, match=r"PyTorch is not installed.*pip install 'randtensor\[torch\]'"):
        ModuleObjective(None, [], [])
