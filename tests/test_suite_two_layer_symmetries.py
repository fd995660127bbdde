"""The suite of two-layer symmetries: its rows, small runs of them, and predictions that are wrong by one half."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import randtensor as rt
from theory_checks import check
from theory_checks.suites import SUITES, SuiteOptions, load_suite
from theory_checks.suites.two_layer_symmetries.fluctuations import limiting_constants, limiting_masses

CLAIMS = {claim.id: claim for claim in load_suite("two-layer-symmetries").claims()}

#: rows that take no more than a second or two
FAST = [
    "S1", "S2", "S3", "S4", "S5", "S7.paired", "S8", "S9", "S10", "S11.closure", "S12", "S13", "S14", "S15.iid",
    "S15.paired", "S19", "S20.angle", "S20.risk", "S21", "S23.orbits",
]  # fmt: skip
FAST_CONTROLS = [
    "S3.wrong", "S8.wrong", "S9.wrong", "S12.wrong", "S13.wrong", "S14.wrong", "S15.wrong", "S16.constant.wrong",
    "S19.wrong", "S21.wrong", "S22.wrong",
]  # fmt: skip


def test_every_claim_of_the_table_is_there():
    prefixes = {re.match(r"S\d+", ident)[0] for ident in CLAIMS}
    assert prefixes == {f"S{k}" for k in range(1, 24)}


def test_no_id_is_an_id_of_another_suite():
    others = {claim.id for name in SUITES if name != "two-layer-symmetries" for claim in load_suite(name).claims()}
    assert not others & set(CLAIMS)


# False-failure probability of each: the level at which a single claim of a run is refuted, about 1e-4 / 30.
@pytest.mark.parametrize("ident", FAST)
def test_claims_are_consistent(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=3e-6).verdict == "consistent"


@pytest.mark.parametrize("ident", FAST_CONTROLS)
def test_negative_controls_are_refuted(ident):
    assert CLAIMS[ident].expect == "refuted"
    assert check(CLAIMS[ident], rng=7, false_refutation=3e-6).verdict == "refuted"


@pytest.mark.parametrize("shift", [Fraction(-1, 2), Fraction(1, 2)])
@pytest.mark.parametrize("ident", ["S8", "S9", "S10", "S19", "S23.orbits"])
def test_exponents_that_are_wrong_by_one_half_are_refuted(ident, shift):
    claim = CLAIMS[ident]
    scale = rt.Scale(claim.axis)
    wrong = replace(claim, predicted=rt.Theta(claim.order * scale**shift), n=list(claim.sizes), samples=claim.counts)
    assert check(wrong, rng=7, false_refutation=3e-6).verdict == "refuted"


@pytest.mark.parametrize(
    "ident, factor", [("S1", 1.1), ("S15.iid", 1.08), ("S15.paired", 1.08), ("S20.angle", 1.05), ("S20.risk", 1.05)]
)
def test_constants_that_are_wrong_by_some_per_cent_are_refuted(ident, factor):
    claim = CLAIMS[ident]
    exact = replace(claim.prediction, value=lambda size: factor * claim.prediction.expected({claim.axis: size}))
    wrong = replace(claim, predicted=exact, n=list(claim.sizes), samples=claim.counts)
    assert check(wrong, rng=7, false_refutation=3e-6).verdict == "refuted"


def test_limits_that_finite_networks_are_held_to():
    (plus, minus), (constant, paired) = limiting_masses(1.0)[0], limiting_constants(1.0)[0]
    assert (plus, minus) == pytest.approx((1.540, 0.165), abs=6e-4)
    assert constant**2 == pytest.approx(1.0327, abs=2e-3)
    assert paired == pytest.approx(0.0745, abs=5e-4)


def test_quick_claims_are_the_same_claims_with_fewer_samples():
    quick = load_suite("two-layer-symmetries").claims(SuiteOptions(quick=True))
    assert [claim.id for claim in quick] == list(CLAIMS)
    total = sum(sum(claim.counts) for claim in CLAIMS.values())
    assert sum(sum(claim.counts) for claim in quick) < 0.5 * total


def test_inputs_of_ones_own_have_the_symmetries_too():
    inputs = np.random.default_rng(8).standard_normal((6, 3))
    claims = {claim.id: claim for claim in load_suite("two-layer-symmetries").claims(SuiteOptions(inputs=inputs))}
    for ident in ("S3", "S4", "S7.paired"):
        assert check(claims[ident], rng=0).verdict == "consistent"
    with pytest.raises(rt.InputError, match="inputs has 1 column, expected at least two"):
        load_suite("two-layer-symmetries").claims(SuiteOptions(inputs=inputs[:, :1]))
