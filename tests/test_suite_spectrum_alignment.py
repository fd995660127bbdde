"""The suite on the alignment of the spectrum: its rows are complete, cheap ones come out right, wrong ones do not."""

from __future__ import annotations

import re

import numpy as np
import pytest

import randtensor as rt
from theory_checks import check
from theory_checks.claims import Claim
from theory_checks.suites import SUITES, SuiteOptions, load_suite
from theory_checks.suites.spectrum_alignment.targets import TARGETS, centred, picture, rough

CLAIMS = {claim.id: claim for claim in load_suite("spectrum-alignment").claims()}

#: rows that take less than a second each
CHEAP = [
    "A3.eigenvalues",
    "A3.trace",
    "A4",
    "A5.layers",
    "A7",
    "A16.factors",
    "A16.below",
    "A16.above",
    "A22",
    "A1",
    "A15.outputs",
    "A15.residual",
]
CHEAP_WRONG = ["A5.wrong", "A16.wrong", "A1.wrong"]


def test_every_row_of_the_table_is_there_once():
    assert {re.match(r"A\d+", ident)[0] for ident in CLAIMS} == {f"A{k}" for k in range(1, 23)}
    assert len(CLAIMS) == len(load_suite("spectrum-alignment").claims())
    others = {claim.id for suite in SUITES if suite != "spectrum-alignment" for claim in load_suite(suite).claims()}
    assert not others & set(CLAIMS)


def test_quick_claims_are_the_same_claims_with_fewer_samples():
    quick = load_suite("spectrum-alignment").claims(SuiteOptions(quick=True))
    assert [claim.id for claim in quick] == list(CLAIMS)
    assert sum(sum(claim.counts) for claim in quick) < 0.5 * sum(sum(claim.counts) for claim in CLAIMS.values())


# False-failure probability of each: 1e-6, the level at which a claim is refuted.
@pytest.mark.parametrize("ident", CHEAP)
def test_claims_are_consistent(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=1e-6).verdict == "consistent"


@pytest.mark.parametrize("ident", CHEAP_WRONG)
def test_negative_controls_are_refuted(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=1e-6).verdict == "refuted"


@pytest.mark.parametrize(
    "ident, power",
    [("A1", -1.5), ("A15.residual", -0.5), ("A9.tanh", -1.0), ("A13.glorot.1", 0.0)],
)
def test_exponents_that_are_off_by_a_half_are_refuted(ident, power):
    claim = CLAIMS[ident]
    scale = rt.Scale(claim.axis)
    wrong = Claim(
        claim.name,
        claim.quantity,
        statistic=claim.statistic,
        predicted=rt.Theta(scale**power),
        n=[size[claim.axis] for size in claim.sizes],
        samples=[max(count // 2, 30) for count in claim.counts],
        correction=claim.correction,
    )
    assert check(wrong, rng=7, false_refutation=1e-6).verdict == "refuted"


def test_inputs_replace_those_of_the_suite():
    given_inputs = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 1.0]])
    claims = {c.id: c for c in load_suite("spectrum-alignment").claims(SuiteOptions(inputs=given_inputs))}
    np.testing.assert_array_equal(claims["A8"].quantity.training.inputs, given_inputs)
    with pytest.raises(rt.InputError, match="inputs has 1 row, expected at least two"):
        load_suite("spectrum-alignment").claims(SuiteOptions(inputs=given_inputs[:1]))


def test_targets_are_functions_of_the_plane():
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (200, 2))
    assert abs(centred(points).mean()) < 1e-12
    np.testing.assert_allclose(np.ptp(centred(points)), np.ptp(rough(points)))
    pytest.importorskip("PIL")
    assert set(TARGETS) == {"rough", "centred", "picture"} and 0 <= picture(points).min() < picture(points).max() <= 1
