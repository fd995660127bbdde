"""Degenerate samples give a finite answer or one sentence, for every statistic and every kind of claim."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import estimators
import randtensor as rt
from estimators.cumulants import cumulant, joint_cumulant
from estimators.gaussianity import distance_to_gaussian
from theory_checks import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes, Tight, Zero, check, verify
from theory_checks.tables import plain_text

n = rt.Scale("n")

STATISTICS = (
    *("mean", "rms", "variance", "std", "median", "q20", "q90", "L0.5", "L1", "L3"),
    *("k3", "k4", "k5", "k6"),
)

Z = np.random.default_rng(0).standard_normal(60)
LAWS = {
    "zeros": np.zeros(60),
    "a constant": np.full(60, 0.1),
    "a large constant": np.full(60, -1.7e308),
    "the smallest number": np.full(60, 5e-324),
    "two signs": np.sign(Z),
    "large": Z * 1e300,
    "small": Z * 1e-310,
    "far from zero": Z + 1e15,
    "one outlier": np.where(np.arange(60) == 7, 1.0, 0.0),
    "one huge outlier": np.where(np.arange(60) == 7, 1e300, Z),
    "the whole range": np.exp(700 * np.sign(Z)),
    "some NaN": np.where(np.arange(60) % 2, math.nan, Z),
    "some infinities": np.where(np.arange(60) % 2, math.inf, Z),
    "infinities": np.full(60, -math.inf),
}
EXTREME = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 0.1, 5e-324, 1e-200, 1e15, -3e200, 1.7e308, math.inf, -math.inf, math.nan]
)
SAMPLES = st.lists(EXTREME | st.floats(), min_size=0, max_size=30) | st.builds(
    lambda x, k: [x] * k, EXTREME, st.integers(25, 30)
)


def answer(call):
    """What a call returns, or None for a refusal in one sentence; any other exception and any warning goes through."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return call()
        except rt.RandtensorError as error:
            text = str(error)
            assert len(text) > 20 and "\n" not in text and "failed with" not in text
            return None


def finite(*numbers):
    return all(math.isfinite(number) for number in numbers)


def law(name):
    """Draws from the samples of that name."""

    @rt.quantity(n, name=name)
    def quantity(size, batch, rng):
        return rng.choice(LAWS[name], batch)

    return quantity


@pytest.mark.parametrize("statistic", STATISTICS)
@settings(max_examples=60)
@given(samples=SAMPLES)
def test_a_statistic_is_finite_or_refused(statistic, samples):
    found = answer(lambda: estimators.summarize(np.array(samples), statistic))
    if found is None:
        return
    assert finite(*samples) and finite(found.value, found.error, found.dof)
    assert found.error >= 0 and found.dof >= 1
    assert not np.isnan(found.interval(0.95)).any()
    if len(set(samples)) == 1 and statistic in ("variance", "std", "k3", "k4", "k5", "k6"):
        assert found.value == found.error == 0


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("name", LAWS)
def test_an_estimate_is_finite_or_refused(name, statistic):
    one, other = (
        answer(lambda seed=seed: estimators.estimate(law(name), 8, statistic=statistic, samples=60, rng=seed))
        for seed in (0, 1)
    )
    if name in ("some NaN", "some infinities", "infinities"):
        assert one is None
    merged = None if one is None or other is None else answer(lambda: one.merge(other))
    for found in (one, other, merged):
        if found is not None:
            assert finite(found.value, found.error) and "nan" not in str(found)
            record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
            assert estimators.Estimate.from_dict(record) == found or math.isnan(found.kurtosis)
    fitted = answer(lambda: estimators.scaling(law(name), n=[4, 16, 64], statistic=statistic, samples=60, rng=0))
    if fitted is not None:
        assert "nan" not in str(fitted) and not np.isnan(fitted.interval(0.95)).any()
        json.dumps(fitted.to_dict(), allow_nan=False)


PREDICTIONS = (
    *(rt.Theta(n**-1), rt.O(n), rt.Omega(n**0), Exact(1.0), Zero(), Identity(1e-9)),
    *(Tight(), Tight(n), NoDefiniteBound(), QuantileSlopes({50: 0.0, 90: 1.0})),
)


@pytest.mark.parametrize("predicted", PREDICTIONS, ids=str)
@pytest.mark.parametrize("name", LAWS)
def test_a_verdict_has_no_nan_in_its_table(name, predicted):
    for statistic in ("rms", "k4") if isinstance(predicted, rt.Bound | Exact) else ("rms",):
        claim = Claim("degenerate", law(name), predicted=predicted, statistic=statistic, n=[4, 16, 64], samples=60)
        report = verify([claim], rng=0)
        if answer(lambda claim=claim: check(claim, rng=0)) is None:  # the run says why, and names the quantity
            assert report.results[0].verdict == "inconclusive" and report.results[0].reason
            continue
        for width in (60, 100, 160):
            assert "nan" not in plain_text(report, width).lower()
        json.dumps(report.to_dict(), allow_nan=False)
        (result,) = report.results
        assert result.verdict in ("consistent", "refuted", "inconclusive") and "nan" not in result.reason


@pytest.mark.parametrize("name", LAWS)
def test_cumulants_and_distances_are_finite_or_refused(name):
    x = LAWS[name]
    for order in (1, 2, 4, 6):
        for found in (
            answer(lambda order=order: cumulant(x, order)),
            answer(lambda order=order: joint_cumulant([x] * max(order, 2))),
        ):
            assert found is None or finite(found.value, found.error, found.dof, *found.interval())
    for kind in ("characteristic", "kolmogorov", "wasserstein", "characteristic-sup"):
        for variance in (None, "fitted"):
            distance = answer(lambda kind=kind, variance=variance: distance_to_gaussian(x, kind, variance=variance))
            if distance is not None:
                assert finite(distance.value, distance.error, distance.upper, *distance.interval())
                assert "nan" not in str(distance)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("name", LAWS)
def test_orders_of_degenerate_laws(name, statistic):
    found = answer(
        lambda: estimators.identify_order(law(name), n=[4, 16, 64, 256], statistic=statistic, samples=40, rng=0)
    )
    if found is not None:
        assert "nan" not in str(found)
        json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_one_width_has_no_slope(statistic):
    with pytest.raises(rt.ShapeError, match=r"n is \[16\]: a slope needs at least two different sizes"):
        estimators.scaling(law("two signs"), n=[16], statistic=statistic, samples=60)
    with pytest.raises(rt.InputError, match=r"n is \[16\], expected at least two different sizes: an exponent is a sl"):
        Claim("one width", law("two signs"), predicted=rt.O(n), statistic=statistic, n=[16], samples=60)


@pytest.mark.parametrize("statistic", ["mean", "median", "k3"])
def test_a_change_of_sign_is_named(statistic):
    @rt.quantity(n, name="turning")
    def turning(size, batch, rng):
        skewed = rng.exponential(size=batch) ** 0.5
        return (skewed + 1) * (1.0 if size > 100 else -1.0)

    found = estimators.scaling(turning, n=[16, 64, 256], statistic=statistic, samples=4000, rng=1)
    assert found.unresolved and found.reason == f"the {statistic} changes sign between n = 64 and n = 256"
    result = check(Claim("turning", turning, predicted=rt.O(n), statistic=statistic, n=[16, 64, 256], samples=4000))
    assert result.verdict == "inconclusive" and "changes sign" in result.reason
