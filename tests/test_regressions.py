"""Cases that once went wrong, each with what it shows."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

import estimators
import randtensor as rt
from randtensor.exact import OneHiddenLayer
from theory_checks import Claim

n = rt.Scale("n")
X = [1.0, 0.5]


@pytest.mark.parametrize("length", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_exact_laws_hold_for_long_inputs(length, activation):
    """A fixed quadrature failed where the activation is narrow beside the Gaussian.

    Six comparisons at 5.5 standard errors of the sample mean: false-failure probability below 1e-6.
    """
    x0, x1 = length * np.ones(4), length * np.array([1.0, 1.0, 1.0, -1.0])
    law = OneHiddenLayer(activation, x0, x1)
    f = rt.networks.two_layer(4, n, activation)
    draws = rt.correlation(f, 0, 3, x0, x1).sample(1024, 4000, rng=20240104)
    error = np.sqrt(law.variance(3, 1024) / 4000)
    assert abs(draws.mean() - law.mean(3, 1024)) < 5.5 * error


def test_exact_laws_refuse_integrals_that_do_not_converge():
    with pytest.raises(rt.InputError, match="do not converge: expected shorter inputs"):
        OneHiddenLayer("tanh", 1e4 * np.ones(2), 1e4 * np.array([1.0, 0.5])).mean(2, 10)


def test_activations_of_one_name_are_told_apart():
    """Evaluations used to be remembered by the name of the activation."""

    def parabola(scale):
        def taylor(z, order):
            return [scale * z**2, 2 * scale * z, scale + 0 * z][: order + 1] + [0 * z] * (order - 2)

        return rt.Activation("phi", taylor, "polynomial")

    f = rt.networks.two_layer(2, n)
    a, b = f.then(lambda y: rt.apply(parabola(1.0), y)), f.then(lambda y: rt.apply(parabola(5.0), y))
    ratio = rt.combine(
        lambda ba, aa: ba / aa,
        rt.einsum("a,a->", b.derivative(X), a.derivative(X)),
        rt.einsum("a,a->", a.derivative(X), a.derivative(X)),
        name="ratio",
    )
    np.testing.assert_allclose(ratio.sample(64, 5, rng=0), 5.0)


def test_a_noisy_square_root_has_no_mean():
    norm = rt.norm(rt.networks.two_layer(2, n).derivative(X, 2), "frobenius")
    assert estimators.estimate(norm, n=512, statistic="rms", samples=50, rng=0).value > 0
    with pytest.raises(rt.InputError, match="only the square of the quantity is estimated without bias"):
        estimators.estimate(norm, n=512, statistic="mean", samples=50, rng=0)


def test_the_upper_end_lies_above_the_norm_on_the_same_samples():
    norm = rt.norm(rt.networks.two_layer(2, n).derivative(X, 2))
    bracket = norm.bracket(512, 6, rng=3)
    assert np.array_equal(bracket.lower, norm.sample(512, 6, rng=3))
    assert np.array_equal(bracket.upper, norm.upper().sample(512, 6, rng=3))
    assert (bracket.lower < bracket.upper).all() and (bracket.upper < 1.6 * bracket.lower).all()


def test_newer_scipy_distributions_are_accepted():
    stats = pytest.importorskip("scipy.stats")
    if not hasattr(stats, "Normal"):
        pytest.skip("this SciPy has no random-variable objects")
    values = rt.iid(stats.Normal(mu=3.0), n).sample(1000, 4, rng=0)
    assert values.shape == (4, 1000) and abs(values.mean() - 3.0) < 6 / np.sqrt(4000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rt.goe(n, std=-1), "std is -1, expected a non-negative number"),
        (lambda: rt.networks.mlp(2, n, 1, biases=-1), "biases is -1, expected a non-negative standard deviation"),
        (lambda: rt.networks.mlp(2, "n", 1), "width is 'n', expected a positive integer, a Scale"),
        (lambda: rt.networks.two_layer(2, 8)(X).sample(1000), "n is 1000, but the quantity has no scale"),
        (
            lambda: rt.correlation(rt.networks.two_layer(2, n), 0, 2, X, X, learning_rate=-1),
            "learning_rate is -1.0, expected a positive number",
        ),
        (lambda: rt.networks.two_layer(2, n).derivative(None), "x is None, expected an array of numbers"),
        (lambda: rt.revealed.RevealedGaussian((3, 3)) @ np.ones(3, complex), "vectors is complex"),
        (
            lambda: Claim("no scale", rt.norm(rt.gaussian(5)), predicted=rt.Theta(n), n=[4, 8]),
            "the quantity has no scale, expected a shape that contains one",
        ),
        (
            lambda: rt.program(v=rt.gaussian(n))(lambda p, x: p.v @ p.v if p.v @ p.v > 0 else 0)(X),
            "a program cannot branch on a random value",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(rt.RandtensorError, match=message):
        call()


def test_an_interrupted_run_ends_cleanly(tmp_path):
    """SIGINT to a real process in the midst of sampling: status 130, one line, no file."""
    code = """
import os
import signal
from randtensor.quantity import Quantity
from theory_checks.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits that it is ignored
block = Quantity.sample_block

def announced(*arguments):
    os.write(1, b"sampling\\n")  # whole lines: two workers may announce at the same moment
    return block(*arguments)

Quantity.sample_block = announced
main()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        [*command, "verify", "weak-correlations", "--budget", "50", "--only", "W4.4.2", "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        announced = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert announced == "sampling\n"
    assert run.returncode == 130
    assert "interrupted" in errors and "Traceback" not in errors
    assert not (tmp_path / "out").exists()
