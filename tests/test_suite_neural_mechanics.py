"""The suite on neural mechanics: all rows of its table are there, cheap ones come out right, wrong ones are refuted."""

from __future__ import annotations

import re

import numpy as np
import pytest

from randtensor.errors import InputError
from theory_checks import check
from theory_checks.suites import SuiteOptions, load_suite
from theory_checks.suites.neural_mechanics.counting import _attention_head
from theory_checks.suites.neural_mechanics.flows import tanh_regression
from theory_checks.suites.neural_mechanics.network import Data, digits

CLAIMS = {claim.id: claim for claim in load_suite("neural-mechanics").claims()}


def test_every_claim_of_the_table_is_there():
    assert {int(re.match(r"M(\d+)", ident)[1]) for ident in CLAIMS} == set(range(1, 27))


def test_no_id_is_an_id_of_another_suite():
    others = {claim.id for name in ("weak-correlations", "random-tensors") for claim in load_suite(name).claims()}
    assert not others & set(CLAIMS)


# False-failure probability of each: 1e-6, the level at which a single claim is refuted.
CHEAP = ["M1.wide", "M2.wide", "M3.wide", "M5", "M6", "M7.plain.changing", "M7.dampening.changing", "M7.nesterov",
         "M10", "M11", "M11.constant", "M12.exact", "M13.step.flow", "M16", "M17", "M17.constant", "M18.angle.momentum",
         "M18.turn", "M18.exact", "M19", "M20", "M20.relu", "M21", "M25", "M26"]  # fmt: skip


@pytest.mark.parametrize("ident", CHEAP)
def test_claims_are_consistent(ident):
    assert check(CLAIMS[ident], rng=7, jobs=1, false_refutation=1e-6).verdict == "consistent"


@pytest.mark.parametrize("ident", [ident for ident, claim in CLAIMS.items() if claim.expect == "refuted"])
def test_negative_controls_are_refuted(ident):
    assert check(CLAIMS[ident], rng=7, jobs=1, false_refutation=1e-6).verdict == "refuted"


def test_quick_claims_are_the_same_claims_with_fewer_samples():
    quick = load_suite("neural-mechanics").claims(SuiteOptions(quick=True))
    assert [claim.id for claim in quick] == list(CLAIMS)
    assert sum(sum(claim.counts) for claim in quick) < sum(sum(claim.counts) for claim in CLAIMS.values())


def test_inputs_of_ones_own_replace_the_digits():
    rows = np.random.default_rng(0).standard_normal((70, 7))
    claims = {c.id: c for c in load_suite("neural-mechanics").claims(SuiteOptions(inputs=rows))}
    for ident in ("M5", "M7.momentum"):
        assert check(claims[ident], rng=0, jobs=1).verdict == "consistent"


def test_digits_are_averaged_pixels():
    images, classes = digits()
    assert images.shape == (1797, 16) and set(classes) == set(range(10))
    assert 0 <= images.min() < images.max() <= 1
    inputs, labels = Data().draw(12, np.random.default_rng(0))
    assert inputs.shape == (12, 16) and labels.shape == (12,)


@pytest.mark.parametrize(
    "make", [tanh_regression, lambda rng: (_attention_head(*rng.standard_normal((2, 6, 4, 3))), None)]
)
def test_gradients_written_out_are_those_of_the_loss(make):
    rng = np.random.default_rng(5)
    objective, _ = make(rng)
    point, vector = rng.standard_normal((2, objective.layout.size)) * 0.5
    h = 1e-6
    slope = (objective.loss(point + h * vector) - objective.loss(point - h * vector)) / (2 * h)
    assert slope == pytest.approx(objective.gradient(point) @ vector, rel=1e-7)


def test_a_claim_without_its_data_says_what_to_install(monkeypatch):
    from theory_checks.suites.neural_mechanics import network

    def missing():
        raise InputError("scikit-learn is not installed, expected it for its handwritten digits")

    monkeypatch.setattr(network, "digits", missing)
    with pytest.raises(InputError, match="claim 'M5': scikit-learn is not installed"):
        check(CLAIMS["M5"], rng=0, jobs=1)
