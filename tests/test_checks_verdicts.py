"""Verdicts on laws that are known: true claims hold, false ones are refuted, and the rest says what would decide.

Seeds are fixed. Every claim is tested at a false-refutation probability of 1e-4 or below, so that a fresh draw of the
seeds would break one of the assertions on true claims with a probability of at most about 1e-2 over the whole file.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from theory_checks import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes, Tight, Zero, check
from theory_checks.verdicts import (
    Region,
    decide_interval,
    decide_joint,
    joint_detectable,
    normal_quantile,
    power_quantile,
    region_of,
)

n = rt.Scale("n")
SIZES = [16, 64, 256, 1024]


def power_law(exponent, log=0.0, correction=0.0, mean=0.0):
    """A Gaussian of scale n^exponent (log n)^log (1 + correction / n), and of relative mean ``mean``."""

    @rt.quantity(n, name=f"n^{exponent} log^{log} {correction} {mean}")
    def law(size, batch, rng):
        scale = float(size) ** exponent * math.log(size) ** log * (1 + correction / size)
        return scale * (mean + rng.standard_normal(batch))

    return law


def verdict(quantity, predicted, samples=2000, **options):
    options = {"n": SIZES, "correction": 1.0} | options
    return check(Claim("claim", quantity, predicted=predicted, samples=samples, **options), rng=12)


EXPONENTS = [-2.0, -1.0, -0.5, 0.0, 0.5]


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_bounds_that_hold(exponent):
    law = power_law(exponent, correction=2.0)
    order = n**exponent
    for bound in (rt.Theta(order), rt.O(order), rt.Omega(order), rt.O(order * n**0.5), rt.o(order * n**0.5)):
        assert verdict(law, bound, samples=8000).verdict == "consistent"
    assert verdict(law, rt.Omega(order / n)).verdict == "consistent"


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_bounds_that_fail(exponent):
    law = power_law(exponent, correction=2.0)
    order = n**exponent
    too_small, too_large = order * n**-0.5, order * n**0.5
    for bound in (rt.Theta(too_small), rt.Theta(too_large), rt.O(too_small), rt.o(too_small), rt.Omega(too_large)):
        assert verdict(law, bound).verdict == "refuted"


def test_a_law_just_below_its_order_is_not_refuted():
    for shortfall in (0.0, 0.05, 0.09):
        found = verdict(power_law(-1 - shortfall), rt.o(n**-1), samples=200_000, correction=None)
        assert found.verdict == "inconclusive"
    assert (
        "neither in nor beyond the margin of the claimed"
        in verdict(power_law(-1.05), rt.o(n**-1), samples=200_000, correction=None).reason
    )
    assert verdict(power_law(-0.95), rt.o(n**-1), samples=200_000, correction=None).verdict == "refuted"
    assert verdict(power_law(-1.15), rt.o(n**-1), samples=200_000, correction=None).verdict == "consistent"


def test_an_upper_bound_says_when_it_is_not_tight():
    assert "not tight" in verdict(power_law(-1), rt.O(n**-0.5)).reason
    assert "not tight" not in verdict(power_law(-1), rt.O(n**-1)).reason


def test_the_power_of_the_logarithm_is_taken_from_the_prediction():
    law = power_law(-0.5, log=2)
    assert verdict(law, rt.Theta(n**-0.5 * rt.log(n) ** 2), correction=None).verdict == "consistent"
    assert verdict(law, rt.Theta(n**-0.5), correction=None).verdict == "refuted"


@pytest.mark.parametrize("statistic", ["mean", "rms", "std", "variance", "L1", "q90"])
def test_every_statistic_has_its_exponent(statistic):
    power = -2 if statistic == "variance" else -1
    law = power_law(-1, mean=3.0)
    assert verdict(law, rt.Theta(n**power), statistic=statistic, samples=8000).verdict == "consistent"
    assert verdict(law, rt.Theta(n ** (power - 1)), statistic=statistic, samples=8000).verdict == "refuted"


def test_the_mean_of_a_symmetric_law_has_no_exponent():
    found = verdict(power_law(-1), rt.Theta(n**-1), statistic="mean", samples=200)
    assert found.verdict == "inconclusive"
    assert "standard errors of zero" in found.reason


def test_too_few_samples_say_how_many_would_decide_and_they_do():
    law = power_law(-1)
    few = verdict(law, rt.Theta(n**-1), samples=60)
    assert few.verdict == "inconclusive"
    assert "times the samples would decide" in few.reason
    assert min(few.samples_required) > 60
    # fails with probability 0.01 for a fresh seed: that many samples decide with probability 0.99
    assert verdict(law, rt.Theta(n**-1), samples=list(few.samples_required)).verdict == "consistent"


def test_where_samples_do_not_help_larger_sizes_are_advised():
    region = Region("[-0.1, 0.1]", 0.0, -0.1, 0.1, -0.1, 0.1)
    # the laws that the data allow differ by 0.3, whatever the sampling error
    found = decide_interval(region, lambda q: (-0.15 - 0.01 * q, 0.15 + 0.01 * q), 0.0, 4.0)
    assert (found.verdict, found.factor) == ("inconclusive", None)
    assert "use sizes about 2.2 times as large, another margin, or state the correction" in found.reason
    edge = decide_interval(region, lambda q: (0.1 - 0.01 * q, 0.1 + 0.01 * q), 0.1, 4.0)
    assert "use more and larger sizes, another margin, or state the correction" in edge.reason


def test_the_smallest_detectable_deviation_is_detected():
    reach = verdict(power_law(-1), rt.Theta(n**-1)).detectable
    assert 0.1 < reach < 0.5
    # each is refuted with probability 0.99, so that fewer than 16 of 20 have probability 2e-6
    claims = [
        Claim(f"{i}", power_law(-1 + sign * reach), predicted=rt.Theta(n**-1), n=SIZES, samples=2000, correction=1.0)
        for i in range(10)
        for sign in (-1, 1)
    ]
    assert sum(check(claim, rng=i).verdict == "refuted" for i, claim in enumerate(claims)) >= 16


def test_a_law_that_no_power_fits_is_not_decided_by_a_hair():
    @rt.quantity(n, name="wave")
    def wave(size, batch, rng):
        return (2 + math.sin(2 * math.log(size))) * (1 + 0.01 * rng.standard_normal(batch))

    found = verdict(wave, rt.Theta(1), n=[8, 16, 32, 64, 128, 256, 512])
    assert found.verdict == "inconclusive"
    assert "no power law" in found.reason


def test_a_quantity_that_vanishes_satisfies_every_upper_bound_and_no_lower_one():
    vanishing = rt.einsum("ab,ab->", rt.identity(n), rt.identity(n)) * 0
    for bound in (rt.O(n**-5), rt.o(n**-5)):
        assert verdict(vanishing, bound).verdict == "consistent"
    for bound in (rt.Theta(n**-5), rt.Omega(n**-5)):
        assert verdict(vanishing, bound).verdict == "refuted"
    assert verdict(vanishing, Zero()).verdict == "consistent"


def rare(probability, value=1.0):
    @rt.quantity(n, name=f"{value} with probability {probability}")
    def law(size, batch, rng):
        return value * (rng.random(batch) < probability)

    return law


def test_what_is_zero_in_every_sample_may_be_rare():
    law = rare(1e-3)
    # all of 80 samples are zero with probability 0.92
    for predicted in (rt.Theta(1), rt.O(n**-5), rt.Omega(1), rt.Theta(n**-5)):
        found = verdict(law, predicted, samples=20)
        assert (found.verdict, found.contradictions) == ("inconclusive", (1.0,))
        assert "all 80 samples are zero, so that values with a probability up to 0.056 may be missing" in found.reason
    for predicted in (Exact(1e-3), Exact(1e-3, within=10)):
        found = verdict(law, predicted, samples=20, statistic="mean")
        assert (found.verdict, found.p_value) == ("inconclusive", 1.0)
        assert "no error to judge the difference by" in found.reason
    # the exact variance is enough to tell
    known = Exact(0.5, std=1e-3)
    assert verdict(law, known, samples=20, statistic="mean").verdict == "refuted"


@pytest.mark.parametrize(("samples", "expected"), [(5, "inconclusive"), (100, "consistent")])
def test_samples_without_scatter_bound_what_they_may_miss(samples, expected):
    for predicted in (Zero(), Exact(0)):
        found = verdict(rare(1e-9), predicted, samples=samples, statistic="mean")
        assert found.verdict == expected
        assert f"all {4 * samples} samples are at the predicted value, so that at most" in found.reason
    # missing them all has probability 1 %: a mean of 0.3 deviations of one sample has q / (1 - q) = 0.09
    few = verdict(rare(1e-9), Zero(), samples=5)
    assert sum(few.samples_required) == pytest.approx(math.log(0.01) / math.log(1 - 0.09 / 1.09), abs=4)


def test_signs_scatter_though_their_squares_do_not():
    @rt.quantity(n, name="signs")
    def signs(size, batch, rng):
        return rng.choice([-1.0, 1.0], batch)

    assert verdict(signs, Exact(1)).verdict == "consistent"
    assert verdict(signs, Exact(2)).verdict == "inconclusive"
    assert verdict(signs, Exact(1), samples=4).verdict == "inconclusive"


def test_exact_values():
    law = power_law(-1, mean=2.0)
    exact = Exact(lambda size: 2.0 / size, std=lambda size: 1.0 / size)
    assert verdict(law, exact, statistic="mean").verdict == "consistent"
    assert verdict(law, Exact(2 * n**-1), statistic="mean").verdict == "consistent"
    assert verdict(law, Exact(lambda size: math.sqrt(5.0) / size)).verdict == "consistent"
    wrong = verdict(law, Exact(lambda size: 2.2 / size), statistic="mean")
    assert wrong.verdict == "refuted"
    assert wrong.p_value < 1e-4
    assert [m.expected for m in wrong.measurements] == [2.2 / size for size in SIZES]
    hasty = verdict(law, Exact(2 * n**-1, within=0.05), statistic="mean", samples=50)
    assert hasty.verdict == "inconclusive"
    assert min(hasty.samples_required) > 50


def test_exact_values_of_what_is_not_random():
    @rt.quantity(n, name="size itself")
    def size_itself(size, batch, rng):
        return np.full(batch, float(size))

    assert verdict(size_itself, Exact(n), statistic="mean", samples=20).verdict == "consistent"
    assert verdict(size_itself, Exact(n), statistic="mean", samples=4).verdict == "inconclusive"
    # nothing tells that it is not random; of what is made of given tensors, it is known
    wrong = Exact(lambda size: size + 1e-3)
    assert verdict(size_itself, wrong, statistic="mean", samples=20).verdict == "inconclusive"
    trace = rt.einsum("aa->", rt.identity(n))
    for statistic in ("mean", "rms"):
        assert verdict(trace, Exact(n), statistic=statistic, samples=4).verdict == "consistent"
        assert verdict(trace, wrong, statistic=statistic, samples=4).verdict == "refuted"


def test_zero_means():
    assert verdict(power_law(-1), Zero()).verdict == "consistent"
    assert verdict(power_law(-1, mean=0.3), Zero()).verdict == "refuted"
    assert verdict(power_law(-1), Zero(within=0.01)).verdict == "inconclusive"


def test_identities():
    @rt.quantity(n, shape=(2,), name="rounding")
    def rounding(size, batch, rng):
        return 1e-13 * size * rng.standard_normal((batch, 2))

    assert verdict(rounding, Identity(1e-8)).verdict == "consistent"
    broken = verdict(rounding, Identity(1e-12))
    assert broken.verdict == "refuted"
    assert "at n = 1024" in broken.reason
    assert verdict(rounding, Identity(1e-14, relative_to=power_law(1))).verdict == "refuted"
    assert verdict(rounding, Identity(1e-11, relative_to=power_law(1))).verdict == "consistent"


@rt.quantity(n, name="n^|Z|")
def heavy(size, batch, rng):
    return float(size) ** np.abs(rng.standard_normal(batch))


def test_quantiles_that_drift_apart_and_those_that_do_not():
    options = {"samples": 5000, "correction": None}
    assert verdict(heavy, NoDefiniteBound(), **options).verdict == "consistent"
    assert verdict(heavy, Tight(), **options).verdict == "refuted"
    assert verdict(heavy, Tight(n ** Fraction(2, 3)), **options).verdict == "refuted"
    assert (
        verdict(heavy, QuantileSlopes({50: 0.67449, 90: 1.64485}), samples=40000, correction=None, margin=0.2).verdict
        == "consistent"
    )
    assert verdict(heavy, QuantileSlopes({50: 0.67449, 90: 0.67449}), **options).verdict == "refuted"
    law = power_law(-1)
    assert verdict(law, NoDefiniteBound(), **options).verdict == "refuted"
    assert verdict(law, Tight(n**-1, quantiles=(50, 90, 99)), **options).verdict == "consistent"
    assert verdict(law, Tight(), samples=200, correction=1.0).verdict == "inconclusive"


def test_a_quantile_that_is_zero_is_refused():
    @rt.quantity(n, name="mostly zero")
    def mostly(size, batch, rng):
        return (rng.random(batch) < 0.2).astype(float)

    with pytest.raises(rt.InputError, match="claim 'claim': the 50 % quantile of the magnitude is zero"):
        verdict(mostly, QuantileSlopes({50: 0.0}))


def test_identities_cannot_be_decided_from_noisy_probes():
    noisy = rt.norm(rt.gaussian(n))
    noisy.probes = 4
    with pytest.raises(
        rt.InputError, match="known only through 4 noisy probes per sample, which cannot decide Identity"
    ):
        Claim("probes", noisy, predicted=Identity(), n=[8])


def test_errors_in_a_quantity_name_the_claim_and_the_line():
    @rt.quantity(n, name="broken")
    def broken(size, batch, rng):
        return 1 / (size - size)

    with pytest.raises(
        rt.InputError, match=r"claim 'claim': sampling failed with ZeroDivisionError: .*verdicts\.py, line"
    ):
        verdict(broken, rt.Theta(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0}, "budget is 0, expected a positive number"),
        ({"budget": math.nan}, "budget is nan, expected a positive number"),
        ({"false_refutation": 1}, "false_refutation is 1, expected a probability"),
        ({"jobs": 0}, "jobs is 0, expected a positive integer"),
        ({"rng": -1}, "rng is -1, expected a non-negative integer"),
    ],
)
def test_options_that_cannot_be_used(options, message):
    with pytest.raises(rt.InputError, match=message):
        check(Claim("claim", power_law(-1), predicted=n**-1, n=SIZES), **options)


def test_check_takes_claims_only():
    with pytest.raises(rt.InputError, match="claim is 3, expected a Claim"):
        check(3)


def test_budget_scales_samples_but_not_below_what_a_check_needs():
    claim = Claim("claim", power_law(-1), predicted=n**-1, n=SIZES, samples=[1000, 500, 100, 20])
    assert [m.samples for m in check(claim, rng=0, budget=0.1).measurements] == [100, 50, 30, 20]
    assert [m.samples for m in check(claim, rng=0, budget=2).measurements] == [2000, 1000, 200, 40]


def test_the_number_of_workers_changes_nothing():
    claim = Claim("claim", power_law(-1), predicted=n**-1, n=SIZES)
    one, many = check(claim, rng=3, jobs=1).to_dict(), check(claim, rng=3, jobs=4).to_dict()
    assert {**one, "seconds": 0} == {**many, "seconds": 0}


def test_progress_reaches_the_end():
    seen = []
    for predicted in (n**-1, Zero(), Identity(1.0), NoDefiniteBound()):
        claim = Claim("claim", power_law(-1), predicted=predicted, n=SIZES)
        check(claim, rng=0, progress=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (1600, 1600)


INTERVALS = st.tuples(st.floats(-3, 3), st.floats(0, 2)).map(lambda p: (p[0], p[0] + p[1]))


@given(INTERVALS, st.sampled_from(["O", "o", "Theta", "Omega"]), st.floats(-2, 2), st.floats(0.01, 0.5))
def test_wider_intervals_never_turn_a_verdict_into_its_opposite(interval, kind, exponent, margin):
    region = region_of(kind, exponent, 0.0, margin)
    low, high = interval
    before = region.verdict(lambda q: (low, high), 4.0)
    after = region.verdict(lambda q: (low - 0.1, high + 0.1), 4.0)
    assert after in (before, "inconclusive")


@given(INTERVALS, st.floats(-2, 2), st.floats(0.01, 0.5))
def test_theta_is_both_bounds(interval, exponent, margin):
    theta, above, below = (
        region_of(kind, exponent, 0.0, margin).verdict(lambda q: interval, 4.0) for kind in ("Theta", "O", "Omega")
    )
    assert (theta == "consistent") == (above == below == "consistent")
    assert (theta == "refuted") == ("refuted" in (above, below))


@given(st.floats(-1, 1), st.floats(0.001, 0.3), st.floats(1.5, 6))
def test_the_factor_on_the_samples_decides_with_the_power_added(center, error, quantile):
    region = Region("[-0.1, 0.1]", 0.0, -0.1, 0.1, -0.1, 0.1)

    def interval(q):
        return center - q * error, center + q * error

    found = decide_interval(region, interval, center, quantile)
    if found.factor is not None:
        power, shrink = power_quantile(0.99), 1 / math.sqrt(found.factor)
        assert region.verdict(lambda q: interval(shrink * (q + power)), quantile) != "inconclusive"


@settings(deadline=None)
@given(st.lists(st.floats(0.5, 50), min_size=1, max_size=5), st.sampled_from([0.05, 1e-3, 1e-6]))
def test_the_joint_test_detects_its_smallest_deviation(units, alpha):
    deviation = joint_detectable(units, alpha)
    verdicts = [
        decide_joint([f * deviation * u for u in units], units, alpha, 1.0, "", "")[0].verdict for f in (0, 1.0)
    ]
    assert verdicts[0] != "refuted"
    # at its expectation the joint test is refuted: the power is above one half
    assert verdicts[1] == "refuted"


def test_joint_test_against_its_own_frequencies():
    rng = np.random.default_rng(5)
    alpha = 0.02
    units = [10.0, 7.0, 12.0]
    deviation = joint_detectable(units, alpha)

    def rate(shift):
        scores = rng.standard_normal((800, 3)) + shift * np.array(units)
        return np.mean([decide_joint(s, units, alpha, 1.0, "", "")[0].verdict == "refuted" for s in scores])

    # five binomial standard errors: false-failure probability 1e-6 each
    assert abs(rate(0.0) - alpha) < 5 * math.sqrt(alpha / 800)
    assert abs(rate(deviation) - 0.99) < 5 * math.sqrt(0.0099 / 800)


def test_negative_controls_are_good_when_refuted():
    claim = Claim("control", power_law(-1), predicted=rt.O(n**-2), n=SIZES, samples=2000, expect="refuted")
    found = check(claim, rng=0)
    assert (found.verdict, found.good, found.bad) == ("refuted", True, False)
    true = check(replace(claim, predicted=rt.O(n**-1), correction=1.0), rng=0)
    assert (true.verdict, true.good, true.bad) == ("consistent", False, True)


def test_normal_quantile_against_a_table():
    assert normal_quantile(1e-4) == pytest.approx(3.8906, abs=1e-4)
