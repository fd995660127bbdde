"""Stochastic big-O: tightness over several quantiles, laws without a definite bound, and uniform families."""

from __future__ import annotations

import math

import numpy as np
import pytest

import randtensor as rt
from theory_checks import Claim, Identity, NoDefiniteBound, Tight, Zero, check
from theory_checks.families import Family, family

n = rt.Scale("n")
SIZES = [16, 64, 256, 1024]


@rt.quantity(n, name="n^|Z|")
def drifting(size, batch, rng):
    return float(size) ** np.abs(rng.standard_normal(batch))


@rt.quantity(n, name="Z / n")
def scaling(size, batch, rng):
    return rng.standard_normal(batch) / size


def mixture(probability, large=0.5, small=-1.0, noise=0.3):
    """n^large with a fixed probability, else n^small, each times a factor of order one."""

    @rt.quantity(n, name=f"mixture {probability} {large} {small} {noise}")
    def law(size, batch, rng):
        exponent = np.where(rng.random(batch) < probability, large, small)
        return float(size) ** exponent * np.exp(noise * rng.standard_normal(batch))

    return law


def found(quantity, predicted, **options):
    options = {"n": SIZES, "samples": 8000, "correction": None, **options}
    return check(Claim("claim", quantity, predicted=predicted, **options), rng=5)


QUANTILES = (2, 10, 50, 90, 98)


@pytest.mark.parametrize("probability", [0.3, 0.7])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_two_point_mixture_has_two_orders(probability, noise):
    law = mixture(probability, noise=noise)
    result = found(law, NoDefiniteBound(quantiles=QUANTILES))
    assert result.verdict == "consistent"
    orders = result.details["orders"]
    assert orders["upper"] == pytest.approx(0.5, abs=0.05)
    assert orders["lower"] == pytest.approx(-1.0, abs=0.05)
    assert f"upper order has exponent {orders['upper']:.3f}, the lower" in result.reason
    assert f"lower order has exponent {orders['lower']:.3f}; their difference is 1.5" in result.reason
    refuted = found(law, Tight(quantiles=QUANTILES))
    assert (refuted.verdict, refuted.details["orders"]) == ("refuted", orders)
    assert found(law, Tight(n**0.5, quantiles=QUANTILES)).verdict == "refuted"
    # from the quantiles above its smaller value alone, the mixture is of its upper order
    if probability == 0.7:
        assert found(law, Tight(n**0.5, quantiles=(50, 90, 98))).verdict == "consistent"


@rt.quantity(n, name="1 or n")
def one_or_n(size, batch, rng):
    return np.where(rng.random(batch) < 0.5, 1.0, size)


@pytest.mark.parametrize("samples", [400, 2000])
def test_one_or_n_with_equal_probability_has_the_upper_order_n_and_the_lower_order_one(samples):
    # the median jumps between both values, and must not blur the orders: the default quantiles do
    verdicts = {}
    for predicted in (NoDefiniteBound(), Tight(), Tight(n), Tight(n**0)):
        result = found(one_or_n, predicted, samples=samples)
        assert result.details["orders"] == pytest.approx({"lower": 0.0, "upper": 1.0}, abs=1e-9)
        verdicts[str(predicted)] = result.verdict
    assert verdicts == {
        "no definite bound": "consistent",
        "tight": "refuted",
        "tight at n": "refuted",
        "tight at 1": "refuted",
    }
    result = found(one_or_n, NoDefiniteBound(), samples=samples)
    assert "the upper order has exponent 1.000, the lower order has exponent 0.000" in result.reason
    # further quantiles tell the orders, but take no part in the verdict
    assert {entry["quantile"] for entry in result.details["quantiles"]} == set(result.claim.quantiles)
    assert len(result.measurements) == len(result.claim.quantiles) * len(SIZES)


def test_laws_that_vanish_below_have_an_upper_order_only():
    @rt.quantity(n, name="0 or n")
    def zero_or_n(size, batch, rng):
        return np.where(rng.random(batch) < 0.3, 0.0, size)

    result = found(zero_or_n, Tight(n, quantiles=(50, 90, 99)))
    assert result.verdict == "consistent" and result.details["orders"]["upper"] == pytest.approx(1)
    with pytest.raises(rt.InputError, match="the 10 % quantile of the magnitude is zero, expected one that scales"):
        found(zero_or_n, NoDefiniteBound())


def test_a_law_whose_quantiles_keep_drifting_has_no_definite_bound():
    result = found(drifting, NoDefiniteBound())
    assert result.verdict == "consistent"
    assert result.details["orders"] == {"lower": None, "upper": None}
    assert "drift apart: no definite bound" in result.reason
    refuted = found(drifting, Tight())
    assert refuted.verdict == "refuted" and "drift apart: no definite bound" in refuted.reason
    assert all(found(drifting, Tight(n**power)).verdict == "refuted" for power in (0, 1, 3))
    # the exponents are the quantiles of |Z|
    for entry in result.details["quantiles"]:
        low, high = entry["refutation_interval"]
        assert low <= math.sqrt(2) * _inverse_erf(entry["quantile"] / 100) <= high


def _inverse_erf(p):
    from scipy.special import erfinv

    return float(erfinv(p))


def test_a_definite_order_is_both_upper_and_lower():
    result = found(scaling, Tight(n**-1))
    assert result.verdict == "consistent"
    assert result.details["orders"]["lower"] == pytest.approx(-1, abs=0.1)
    assert result.details["orders"]["upper"] == pytest.approx(-1, abs=0.1)


def test_an_undecided_drift_says_what_would_decide():
    result = found(scaling, Tight(), samples=300)
    assert result.verdict == "inconclusive"
    assert "times the samples would decide" in result.reason
    assert min(result.samples_required) > 300


g = rt.gaussian(n)
LENGTH = rt.norm(g)


def test_a_family_is_tight_when_its_maximum_is():
    members = [scaling, scaling * 3.0, scaling * scaling * n]
    result = found(members, Tight(n**-1, uniform=True))
    assert result.verdict == "consistent"
    assert isinstance(result.claim.quantity, Family)
    assert str(result.claim.predicted) == "uniformly tight at n^{-1}"
    # one member of a larger order spoils all
    assert found([*members, scaling * n], Tight(n**-1, uniform=True)).verdict == "refuted"
    assert found([*members, mixture(0.3)], Tight(uniform=True)).verdict == "refuted"


def intervals(size, batch, rng):
    """X_k = n 1{U in [(k-1)/n, k/n)}, k = 1..n."""
    return size * (np.floor(rng.random((batch, 1)) * size) == np.arange(size))


def test_bounds_of_every_member_are_not_uniform():
    @rt.quantity(n, name="first member")
    def first(size, batch, rng):
        return intervals(size, batch, rng)[:, 0]

    # one member alone is zero but for the probability 1/n: any positive function bounds it ...
    for size in (64, 256, 1024):
        draws = first.sample(size, 4000, rng=2)
        # binomial with at most 63 expected: 6 standard deviations have probability below 1e-6
        assert np.mean(draws > 0) < 1 / size + 6 * math.sqrt(1 / size / 4000)
        assert np.quantile(draws, 0.9) == 0
    # ... and yet the largest is n: jointly they have the order n, and no smaller one
    joint = family(n, name="intervals")(intervals)
    assert found(joint, Tight(n, uniform=True), samples=400).verdict == "consistent"
    for order in (n**0, n**0.5):
        assert found(joint, Tight(order, uniform=True), samples=400).verdict == "refuted"
    assert found(joint, Tight(uniform=True), samples=400).details["orders"] == pytest.approx({"lower": 1, "upper": 1})


def test_a_finite_family_of_bounds_that_hold_is_uniform():
    h = rt.gaussian(n)
    members = [LENGTH / n**0.5, rt.einsum("a,a->", g, h) / n**0.5, rt.norm(h) ** 2 / n, scaling * n]
    assert found(members, Tight(n**0, uniform=True), samples=2000).verdict == "consistent"
    # one bound that fails, of a single member, is seen
    assert found([*members, LENGTH], Tight(n**0, uniform=True), samples=2000).verdict == "refuted"


def test_a_family_is_reduced_to_its_largest_member():
    @family(n, name="three by n")
    def members(size, batch, rng):
        return rng.standard_normal((batch, 3, size))

    draws = members.sample(8, 50, rng=1)
    assert draws.shape == (50, 1) and (draws > 0).all()
    assert np.array_equal(members.sample(8, 20, rng=1), draws[:20])
    assert (members.shape, members.scale_names, members.fingerprint) == ((1,), ("n",), "family:three by n")
    for shape in ((), (1,), (0,)):
        wrong = family(n, name="wrong")(lambda size, batch, rng, shape=shape: np.zeros((batch + len(shape), *shape)))
        with pytest.raises(
            rt.InputError, match=r"wrong returned shape \(.*\) for 128 samples, expected \(128, members\)"
        ):
            wrong.sample(8, 5)
    with pytest.raises(
        rt.InputError, match=r"shape is \(Scale\('n'\),\), expected a tuple of positive integers, the sa"
    ):
        rt.quantity(n, shape=(n,))


def test_members_of_a_family_share_their_randomness():
    shared = Family([LENGTH, LENGTH * 2, rt.norm(rt.gaussian(n))]).sample(16, size=300, rng=1)
    assert np.allclose(shared[:, 1], 2 * shared[:, 0])
    assert not np.allclose(shared[:, 2], shared[:, 0])
    assert Family([LENGTH]).scale_names == ("n",)


def test_the_quantiles_of_a_family_are_joint():
    # P(max of k independent |Z| <= q) = P(|Z| <= q)^k
    def member(i):
        @rt.quantity(n, name=f"member {i}")
        def law(size, batch, rng):
            return rng.standard_normal(batch) * size

        return law

    result = found([member(i) for i in range(4)], Tight(n, quantiles=(50, 90), uniform=True))
    assert result.verdict == "consistent"
    for measured in result.measurements:
        probability = float(measured.statistic[1:]) / 100
        exact = math.sqrt(2) * _inverse_erf(probability ** (1 / 4)) * measured.sizes["n"]
        # eight comparisons at five standard errors: false-failure probability 5e-6
        assert abs(measured.value - exact) < 5 * measured.error


def test_every_entry_of_a_quantity_with_a_shape_counts():
    @rt.quantity(n, shape=(2, 3), name="array")
    def array(size, batch, rng):
        entries = rng.standard_normal((batch, 2, 3))
        entries[:, 1, 2] *= size
        return entries

    assert found(array, Tight(n, uniform=True, quantiles=(50, 90))).verdict == "consistent"
    assert found(array, Tight(n**0.5, uniform=True, quantiles=(50, 90))).verdict == "refuted"


@pytest.mark.parametrize(
    ("quantity", "predicted", "message"),
    [
        (scaling, Tight(uniform=True), "the quantity is a scalar, but the prediction is uniform"),
        ([scaling, scaling * 2], Tight(), r"the quantity has shape \(2,\), expected a scalar: contract or index it"),
        ([scaling], rt.Theta(n), r"the quantity has shape \(1,\), expected a scalar"),
        ([scaling], Zero(), r"has shape \(1,\)"),
        ([], Tight(uniform=True), "a family has no members"),
        ([scaling, 3], Tight(uniform=True), "a family has the member 3, expected a quantity"),
        ([Family([scaling])], Tight(uniform=True), r"a member of a family has shape \(1,\), expected a scalar"),
    ],
)
def test_families_that_cannot_be_used(quantity, predicted, message):
    with pytest.raises(rt.RandtensorError, match=message):
        found(quantity, predicted, samples=100)


def test_uniform_is_true_or_false():
    with pytest.raises(rt.InputError, match="uniform is 1, expected True or False"):
        Tight(uniform=1)


def test_families_of_residuals_are_identities():
    assert found([scaling * 1e-12, scaling * 1e-13], Identity(1e-9), samples=50).verdict == "consistent"
