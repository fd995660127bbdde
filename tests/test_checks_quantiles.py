"""Stochastic big-O: tightness over several quantiles, laws without a definite bound, and uniform families."""

from __future__ import annotations

import math

import numpy as np
import pytest

import randtensor as rt
from theory_checks import Claim, Identity, NoDefiniteBound, Tight, Zero, check
from theory_checks.families import Family

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


def test_a_law_whose_quantiles_keep_drifting_has_no_definite_bound():
    result = found(drifting, NoDefiniteBound())
    assert result.verdict == "consistent"
    assert result.details["orders"]["upper"] is None
    assert "drift apart: no definite bound" in result.reason
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
