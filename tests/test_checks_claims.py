"""Claims say what is wrong with them when they are made, and read predictions in all their forms."""

from __future__ import annotations

import re

import numpy as np
import pytest

import randtensor as rt
from theory_checks import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes, Tight, Zero

n, m = rt.Scale("n"), rt.Scale("m")


@rt.quantity(n, name="power law")
def law(size, batch, rng):
    return rng.standard_normal(batch) / size


@rt.quantity(n, m, name="two scales")
def both(size_n, size_m, batch, rng):
    return rng.standard_normal(batch)


@rt.quantity(name="no scale")
def constant(batch, rng):
    return rng.standard_normal(batch)


def claim(quantity=law, **changes):
    options = {"predicted": rt.Theta(n**-1), "n": [8, 16, 32]} | changes
    return Claim("the rate", quantity, **options)


BAD = [
    ({"predicted": None}, "claim 'the rate': it has no prediction, expected predicted=rt.Theta(...)"),
    ({"predicted": 7}, "predicted is 7, expected a bound such as rt.Theta(n**-1)"),
    ({"predicted": Zero}, "predicted is the class Zero, expected an instance: Zero(...)"),
    ({"predicted": "n^2"}, "expected 'Theta(n^-1)' (or O, o, Omega), '= 3 n^4'"),
    ({"predicted": rt.Theta(m**-1)}, "in the scale 'm', on which the quantity does not depend, expected an order in n"),
    ({"predicted": rt.O(0)}, "expected a non-zero order: use Zero() or Identity()"),
    ({"predicted": rt.Theta(n * rt.loglog(n))}, "expected no iterated logarithm"),
    ({"n": None}, "n is None, expected a list of sizes for the scale n"),
    ({"n": 16}, "n is 16, expected a list of sizes"),
    ({"n": [16]}, "n is [16], expected at least two different sizes: an exponent is a slope"),
    ({"n": [16, 16, 32]}, "expected sizes that all differ"),
    ({"n": [16, 0]}, "n is 0 for the scale 'n', expected a positive integer"),
    ({"samples": 0}, "samples is 0, expected positive integers"),
    ({"samples": [10, 20]}, "samples has 2 entries, expected 3 as many as n"),
    ({"scale": m}, "scale is 'm', expected a scale of the quantity: n"),
    ({"margin": 0}, "margin is 0, expected a positive number"),
    ({"expect": "wrong"}, "expect is 'wrong', expected 'consistent' or 'refuted'"),
    ({"id": 3}, "id is 3, expected a text"),
    ({"statistic": "average"}, "statistic is 'average', expected 'mean'"),
    ({"correction": "n^-1"}, "correction is 'n^-1', expected 'auto'"),
    ({"log_power": "two"}, "log_power is 'two', expected None or a finite number"),
    ({"quantity": 5}, "quantity is 5, expected a randtensor quantity"),
    ({"quantity": constant, "n": None}, "the quantity has no scale, expected one that can grow"),
    ({"predicted": NoDefiniteBound(), "samples": 12}, "samples is 12, expected at least 50 to compare quantiles"),
    ({"predicted": Exact(1.0, std=1.0)}, "fits the mean, but statistic is 'rms'"),
    ({"quantity": both, "n": [{"n": 2, "m": 3}, {"n": 4, "m": 9}]}, "scale is None, but n and m vary"),
    (
        {"quantity": both, "n": [{"n": 2, "m": 3}, {"n": 4, "m": 9}], "scale": n, "predicted": rt.Theta(n * m)},
        "m varies beside n, expected only one scale of the order to vary",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_what_cannot_be_used_is_refused_with_the_name_of_the_claim(changes, message):
    with pytest.raises(rt.RandtensorError, match=re.escape(message)) as error:
        claim(**changes)
    assert str(error.value).startswith("claim 'the rate': ")


@pytest.mark.parametrize("name", ["", "  ", 3])
def test_a_claim_needs_a_name(name):
    with pytest.raises(rt.InputError, match="expected what is claimed, in words"):
        Claim(name, law, predicted=rt.Theta(n), n=[2, 4])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Exact("one"), "value is 'one', expected a number, an order, or a function"),
        (lambda: Exact(1.0, std=1.0, variance=1.0), "std and variance are both given"),
        (lambda: Exact(1.0, within=0.0), "within is 0.0, expected a positive number"),
        (lambda: Identity(-1.0), "tolerance is -1.0, expected a positive number"),
        (lambda: Identity(relative_to=3), "relative_to is 3, expected a quantity or None"),
        (lambda: QuantileSlopes({}), "expected a mapping from quantiles"),
        (lambda: QuantileSlopes({100: 1.0}), "has the quantile 100, expected per cents strictly between 0 and 100"),
        (lambda: QuantileSlopes({50: np.inf}), "for the quantile 50, expected a finite exponent"),
        (lambda: Tight(quantiles=(50,)), "expected at least two different per cents"),
        (lambda: Tight(rt.O(n).order, quantiles=()), "expected at least two different per cents"),
        (lambda: NoDefiniteBound(quantiles=(0, 50)), "expected at least two different per cents"),
    ],
)
def test_predictions_refuse_what_they_cannot_use(make, message):
    with pytest.raises(rt.InputError, match=re.escape(message)):
        make()


def test_plain_orders_mean_theta_and_texts_are_read():
    for given in (n**-1, 2 * n**-1, "Theta(1/n)", rt.Theta(n**-1)):
        assert claim(predicted=given).predicted == rt.Theta(n**-1)


def test_exponents_come_from_the_order_in_the_scale_that_varies():
    sizes = [{"n": 4, "m": 2}, {"n": 8, "m": 2}]
    found = claim(both, predicted=rt.O(n**-0.5 * rt.log(n) * m**3), n=sizes)
    assert (found.axis, found.exponent, found.log_exponent) == ("n", -0.5, 1.0)
    assert claim(log_power=0.5).log_exponent == 0.5
    assert claim(predicted=rt.Theta(1)).exponent == 0.0


def test_sizes_are_sorted_with_their_samples():
    found = claim(n=[32, 8, 16], samples=[1, 2, 3])
    assert [size["n"] for size in found.sizes] == [8, 16, 32]
    assert found.counts == (2, 3, 1)


def test_quantiles_that_need_more_samples_are_left_out():
    assert claim(predicted=NoDefiniteBound(), samples=400).quantiles == (10, 50, 90)
    assert claim(predicted=NoDefiniteBound(), samples=5000).quantiles == (10, 50, 90, 99, 99.9)


def test_one_size_is_enough_where_nothing_is_fitted():
    for prediction in (Exact(n**-1), Zero(), Identity()):
        assert claim(predicted=prediction, n=[8]).axis == "n"
    assert claim(constant, predicted=Zero(), n=None).sizes == ({},)


def test_exact_values_in_all_forms():
    for value in (0.25, lambda size: 1 / size, n**-1, lambda size: np.float64(0.25)):
        assert Exact(value).expected({"n": 4}) == 0.25
    assert Exact(lambda sizes: sizes["n"] * sizes["m"]).expected({"n": 4, "m": 3}) == 12
    assert Exact(1.0, variance=n).deviation({"n": 9}) == 3.0
    assert Exact(1.0).deviation({"n": 9}) is None
    with pytest.raises(rt.InputError, match=re.escape("value is nan at n = 4, expected a finite number")):
        Exact(lambda size: np.nan).expected({"n": 4})
