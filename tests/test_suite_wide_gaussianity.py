"""The suite on non-Gaussianity of wide networks: computed rows, cheap rows and small runs come out right."""

from __future__ import annotations

import re

import numpy as np
import pytest

import randtensor as rt
from randtensor.exact import output_cumulant
from theory_checks import check
from theory_checks.suites import SuiteOptions, load_suite
from theory_checks.suites.wide_gaussianity.plan import Plan, in_large_blocks

n = rt.Scale("n")
CLAIMS = {claim.id: claim for claim in load_suite("wide-gaussianity").claims()}


def test_every_claim_of_the_tables_is_there():
    found = {re.match(r"GP\d+", ident)[0] for ident in CLAIMS}
    assert found >= {*(f"GP{k}" for k in range(1, 12)), "GP18"}


def test_no_id_is_an_id_of_another_suite():
    others = {c.id for suite in ("random-tensors", "weak-correlations") for c in load_suite(suite).claims()}
    assert not others & set(CLAIMS)


# Values found by an independent quadrature.
@pytest.mark.parametrize(
    "ident, value",
    [("GP9.normal", 2.5855**2), ("GP9.exponential", 2.9305**2), ("GP10", 0.084981), ("GP11", 1.66675**0.5)],
)
def test_predictions_for_the_tangent_kernel(ident, value):
    assert CLAIMS[ident].prediction.expected({"n": 1}) == pytest.approx(value, rel=4e-5)


# False-failure probability of each: 1e-6, the level at which a claim is refuted.
@pytest.mark.parametrize(
    "ident",
    [
        "GP1.exponential",
        "GP2",
        "GP3.normal",
        "GP4.uniform",
        "GP5",
        "GP6.exponential.2",
        "GP7.skewed",
        "GP9.mean.normal.diagonal",
    ],
)
def test_claims_are_consistent(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=1e-6).verdict == "consistent"


@pytest.mark.parametrize("ident", [ident for ident, claim in CLAIMS.items() if claim.expect == "refuted"])
def test_negative_controls_are_refuted(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=1e-6).verdict == "refuted"


def test_all_ranks_and_all_truncation_errors_are_consistent():
    computed = [c for c in CLAIMS.values() if c.id.startswith(("GP6", "GP18")) and c.expect == "consistent"]
    assert len(computed) == 26
    assert {check(claim, rng=7, false_refutation=1e-6).verdict for claim in computed} == {"consistent"}


def test_quick_claims_are_the_same_claims_with_fewer_samples():
    quick = load_suite("wide-gaussianity").claims(SuiteOptions(quick=True))
    assert [claim.id for claim in quick] == list(CLAIMS)
    assert sum(sum(c.counts) for c in quick) < 0.5 * sum(sum(c.counts) for c in CLAIMS.values())


def test_inputs_replace_those_of_the_suite():
    given_inputs = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 1.0]])
    claims = {c.id: c for c in load_suite("wide-gaussianity").claims(SuiteOptions(inputs=given_inputs))}
    value = claims["GP1.normal"].prediction.expected({"n": 4})
    expected = output_cumulant(rt.networks.two_layer(3, n, "softplus"), list(given_inputs))
    assert value == pytest.approx(float(expected(4)))
    with pytest.raises(rt.InputError, match="parallel first two rows"):
        Plan(SuiteOptions(inputs=np.array([[1.0, 1.0], [2.0, 2.0]])))
    with pytest.raises(rt.InputError, match="inputs has 1 row"):
        Plan(SuiteOptions(inputs=np.array([[1.0, 1.0]])))


def test_larger_blocks_have_the_same_law():
    f = rt.networks.two_layer(1, n, "softplus")
    sample = in_large_blocks(f([1.0])).sample(8, size=20000, rng=1)
    # Standard error 0.0075 of the variance 0.921: five of them are a probability below 1e-6.
    assert sample.var() == pytest.approx(0.921246, abs=0.06)
