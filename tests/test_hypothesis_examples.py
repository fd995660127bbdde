"""What a failing test of Hypothesis shows: examples as a person would write them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty

import randtensor as rt
from randtensor import strategies, tensors

n = rt.Scale("n")
NAMES = {**vars(tensors), **vars(rt), "n": n}


def shown_by_a_failure(strategy):
    """What Hypothesis prints of the simplest example."""

    @settings(database=None, derandomize=True, max_examples=5, phases=[Phase.generate, Phase.shrink])
    @given(strategy)
    def failing(value):
        raise AssertionError

    with pytest.raises(AssertionError) as failure:
        failing()
    text = "\n".join(getattr(failure.value, "__notes__", []))
    return re.sub(r"\s+", " ", text.partition("value=")[2])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (n, "Scale('n')"),
        (n**2, "Order('n^2')"),
        (rt.O(n), "O('n')"),
        (rt.Expansion.of(3) * n + 1, "Expansion('3 n + 1')"),
        (tensors.Fixed(np.eye(2)), "fixed([[1.0, 0.0], [0.0, 1.0]])"),
        (rt.gaussian(n, n), "gaussian(n, n)"),
        (
            rt.gaussian(2, covariance=[[[2.0, 1.0], [1.0, 2.0]]]),
            "gaussian(2, covariance=[[[2.0, 1.0], [1.0, 2.0]]])",
        ),
        (rt.wishart(n, 2 * n), "wishart(n, 2*n)"),
        (rt.wishart(2, n**2, field="complex"), "wishart(2, n**2, field='complex')"),
        (rt.networks.mlp(2, n, 1)([1.0, 0.5]), "([1.0, 0.5])"),
        (rt.networks.mlp(2, n, 1).derivative([1.0, 0.5], 2), ".derivative([1.0, 0.5], 2)"),
    ],
)
def test_values_are_shown_without_their_fields(value, text):
    shown = pretty(value)
    assert shown.endswith(text) and "object at 0x" not in shown and "\n" not in shown


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (strategies.orders(), "Order('0')|Order('1')"),
        (strategies.random_tensors(), "gaussian(n,)"),
        (strategies.contractions(max_operands=1), "einsum('a->', gaussian(n,))|einsum("),
        (strategies.networks(max_layers=1), "mlp("),
        (strategies.derivative_tensors(max_layers=1), "mlp("),
    ],
)
def test_failures_show_what_to_type(strategy, text):
    shown = shown_by_a_failure(strategy)
    assert shown.startswith(tuple(text.split("|"))), shown
    assert "lambda" not in shown and "object at 0x" not in shown and ".map(" not in shown


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.random_tensors(families=["fixed", "sphere", "wishart"], dimensions=[n, 2, 3]))
@example(rt.wishart(n, 2 * n))
def test_what_is_shown_can_be_typed(tensor):
    again = eval(pretty(tensor), NAMES)
    assert repr(again) == repr(tensor) and again.scale_names == tensor.scale_names


def test_examples_of_types_are_shown_too():
    assert pretty(find(st.from_type(rt.Bound), lambda bound: bound.kind == "Theta")).startswith("Theta('")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: strategies.orders(()), r"over is \(\), expected a list of at least one scale"),
        (lambda: strategies.monomials("nm"), "over is 'nm', expected a list of at least one scale"),
        (lambda: strategies.networks(width=0), "0, expected a positive integer"),
        (lambda: strategies.networks((3, 2), width=-2), "-2, expected a positive integer"),
        (lambda: strategies.networks(activations=["swoosh"]), r"activations is \['swoosh'\]: activation 'swoosh' is n"),
        (lambda: strategies.activations(["relu", "swoosh"]), r"names is \['relu', 'swoosh'\]: activation 'swoosh' is"),
        (lambda: strategies.inputs("two"), "shape is 'two', expected the sizes of one to three axes"),
        (lambda: strategies.derivative_tensors(None), "shape is None, expected the sizes of one to three axes"),
    ],
)
def test_arguments_are_checked_when_the_strategy_is_made(make, message):
    with pytest.raises(rt.RandtensorError, match=message):
        make()
