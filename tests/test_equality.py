"""Results are equal by value, arrays and undefined numbers included."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

import estimators
import randtensor as rt
from estimators._equality import same
from estimators.identification import identify_order_of

N = [16, 64, 256, 1024]
VALUES = np.array([8.2, 2.1, 0.49, 0.126])


def fit(**options):
    return estimators.fit_rate(N, VALUES, 0.02 * VALUES, **options)


def length(seed=0):
    return estimators.scaling(rt.norm(rt.gaussian(rt.Scale("n"))), n=[8, 32], samples=50, rng=seed)


@pytest.mark.parametrize("make", [fit, length, lambda: identify_order_of(N, VALUES, 0.02 * VALUES)])
def test_equal_inputs_give_equal_results(make):
    assert make() == make()
    assert make() != 1 and make() != dataclasses.asdict(make())
    with pytest.raises(TypeError, match="unhashable"):
        hash(make())


def test_every_field_counts():
    found = fit()
    for name, value in {
        "values": found.values * (1 + 1e-15),
        "exponent": np.nextafter(found.exponent, 0),
        "notes": ("another",),
        "models": found.models[:-1],
    }.items():
        assert dataclasses.replace(found, **{name: value}) != found
    assert fit(hedged=False) != found and fit(log_power=1) != found
    assert length(1) != length(0)


def test_records_restore_what_is_equal():
    for found in (fit(), length()):
        assert type(found).from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (1.0, math.nan, False),
        (np.array([1.0, math.nan]), np.array([1.0, math.nan]), True),
        (np.array([1, 2]), np.array([1, 3]), False),
        (np.array([1.0, 2.0]), np.array([1.0]), False),
        (np.array(["a"]), np.array(["a"]), True),
        (np.array([1.0]), None, False),
        ((1.0, (math.nan, "x")), (1.0, (math.nan, "x")), True),
        ((1.0,), (1.0, 2.0), False),
        (None, None, True),
    ],
)
def test_values_of_fields(one, other, equal):
    assert same(one, other) is equal
