"""Check, minimum detectable deviation, samples required: each inverts the other, and deviations are detected."""

from __future__ import annotations

import pytest

import randtensor as rt
from theory_checks import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes, Tight, Zero, check
from theory_checks.detection import minimum_detectable, samples_required

n = rt.Scale("n")
SIZES = [16, 64, 256, 1024]


def law(exponent=-1.0, mean=0.0):
    @rt.quantity(n, name=f"law {exponent} {mean}")
    def sampled(size, batch, rng):
        return float(size) ** exponent * (mean + rng.standard_normal(batch))

    return sampled


def claim(quantity, predicted, samples=1000, **options):
    options = {"n": SIZES, "correction": None, **options}
    return Claim("claim", quantity, predicted=predicted, samples=samples, **options)


CLAIMS = {
    "Theta": claim(law(), rt.Theta(n**-1)),
    "Theta, corrected": claim(law(), rt.Theta(n**-1), correction="auto"),
    "O": claim(law(), rt.O(n**-1), samples=[2000, 1000, 500, 250]),
    "Omega": claim(law(), rt.Omega(n**-1)),
    "o": claim(law(), rt.o(n**-0.5)),
    "Exact": claim(law(mean=1.0), Exact(n**-1), statistic="mean"),
    "Zero": claim(law(), Zero()),
    "QuantileSlopes": claim(law(), QuantileSlopes({50: -1.0, 90: -1.0})),
    "Tight": claim(law(), Tight(n**-1, quantiles=(50, 90))),
    "agreement": claim(law(), Tight(quantiles=(50, 90))),
    "NoDefiniteBound": claim(law(), NoDefiniteBound(quantiles=(50, 90))),
}
UNITS = {"Exact": "relative deviation", "Zero": "standard deviations"}


@pytest.mark.parametrize("kind", CLAIMS)
def test_round_trip(kind):
    result = check(CLAIMS[kind], rng=0)
    assert result.detectable_unit == UNITS.get(kind, "exponent")
    assert minimum_detectable(result) == result.detectable
    assert samples_required(result, result.detectable) == result.counts
    finer, farther = 0.75 * result.detectable, 1.5 * result.detectable
    for deviation in (finer, farther):
        if deviation < 0.15 and result.detectable_unit == "exponent":
            continue  # within the margin and what the fit does not know: no samples detect that
        counts = samples_required(result, deviation)
        assert minimum_detectable(result, samples=counts) <= deviation * (1 + 1e-9)
        fewer = [count - 10 for count in counts]
        assert minimum_detectable(result, samples=fewer) > deviation or min(counts) <= 100


@pytest.mark.parametrize("kind", CLAIMS)
def test_power_level_and_samples_move_what_is_detected(kind):
    result = check(CLAIMS[kind], rng=0)
    base = minimum_detectable(result)
    assert minimum_detectable(result, power=0.5) < base < minimum_detectable(result, power=0.999)
    assert minimum_detectable(result, false_refutation=0.01) < base < minimum_detectable(result, false_refutation=1e-9)
    assert minimum_detectable(result, samples=10**5) < base < minimum_detectable(result, samples=50)


def test_a_claim_is_checked_first():
    stated = CLAIMS["Theta"]
    assert minimum_detectable(stated, rng=0) == check(stated, rng=0).detectable
    assert samples_required(stated, 1.0, rng=0) == samples_required(check(stated, rng=0), 1.0)


def test_the_deviation_is_refuted_with_the_power_stated():
    # 60 fresh claims wrong by the deviation detected with probability 0.9: fewer than 40, or all 60 at a power
    # of 0.5 below, have probability below 1e-6 each
    result = check(claim(law(), Zero(), samples=200, n=[4, 8]), rng=0)
    for power, least, most in ((0.9, 40, 60), (0.5, 8, 52)):
        deviation = minimum_detectable(result, power=power)
        wrong = [
            check(claim(law(mean=deviation), Zero(), samples=200, n=[4, 8]), rng=1 + i, jobs=1).verdict
            for i in range(60)
        ]
        assert least <= wrong.count("refuted") <= most


def test_a_wrong_exponent_is_refuted_with_the_power_stated():
    result = check(CLAIMS["Theta"], rng=0)
    # detected with probability 0.99 each: fewer than 15 of 20 have probability 1e-7
    verdicts = [
        check(claim(law(-1 + sign * result.detectable), rt.Theta(n**-1)), rng=i, jobs=1).verdict
        for i in range(10)
        for sign in (-1, 1)
    ]
    assert verdicts.count("refuted") >= 15


def test_identities_detect_whatever_exceeds_their_tolerance():
    result = check(claim(law(), Identity(1e-3), samples=30), rng=0)
    assert (minimum_detectable(result), result.detectable_unit) == (1e-3, "residual")
    assert samples_required(result, 1e-2) == (30,) * 4
    with pytest.raises(rt.InputError, match=r"deviation is 0.0001, but claim 'claim' .* none below 0.001 \(residual\)"):
        samples_required(result, 1e-4)


def test_no_samples_detect_what_is_within_the_margin():
    with pytest.raises(rt.InputError, match=r"deviation is 0\.05, but claim 'claim' on sizes up to 1024 detects none"):
        samples_required(check(CLAIMS["Theta"], rng=0), 0.05)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3, 0.5), {}, "target is 3, expected a Claim or the Result of a check"),
        ((CLAIMS["Zero"], 0), {}, "deviation is 0, expected a positive number"),
        ((CLAIMS["Zero"], 0.5), {"power": 1}, "power is 1, expected a probability of at least 1/2"),
        ((CLAIMS["Zero"], 0.5), {"false_refutation": 0}, "false_refutation is 0, expected a probability"),
    ],
)
def test_options_that_cannot_be_used(arguments, options, message):
    with pytest.raises(rt.InputError, match=message):
        samples_required(*arguments, **options)


@pytest.mark.parametrize(
    ("samples", "message"), [([1, 2], "samples has 2 entries, expected 4"), (0, "expected positive integers")]
)
def test_samples_that_cannot_be_used(samples, message):
    with pytest.raises(rt.InputError, match=message):
        minimum_detectable(check(CLAIMS["Zero"], rng=0), samples=samples)


def test_what_denies_a_common_order_says_from_which_agreement_on_it_is_refuted():
    stated = claim(law(), NoDefiniteBound(quantiles=(50, 90)), samples=150)
    result = check(stated, rng=0)
    assert result.verdict == "inconclusive" and result.detectable > stated.margin
    # so many samples refute exponents that agree exactly, which fall short of the margin by all of it
    counts = samples_required(result, stated.margin)
    assert min(counts) > 150
    # each refuted with probability 0.99 or so: fewer than 5 of 10 have probability below 1e-6
    again = [check(claim(law(), NoDefiniteBound(quantiles=(50, 90)), samples=list(counts)), rng=i) for i in range(10)]
    assert sum(found.verdict == "refuted" for found in again) >= 5
