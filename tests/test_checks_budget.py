"""The error budget of a run: Holm's step-down, and p-values that are levels of refutation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from theory_checks import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes, Tight, Zero, check, verify
from theory_checks.budget import assertions, holm_level
from theory_checks.verdicts import normal_quantile, smallest_level

n = rt.Scale("n")
SIZES = [16, 64, 256, 1024]


def law(exponent=-1.0, mean=0.0, name="law"):
    @rt.quantity(n, name=f"{name} {exponent} {mean}")
    def sampled(size, batch, rng):
        return float(size) ** exponent * (mean + rng.standard_normal(batch))

    return sampled


def claim(quantity, predicted, **options):
    return Claim(
        options.pop("name", "claim"),
        quantity,
        predicted=predicted,
        **{"n": SIZES, "correction": None, "samples": 1000, **options},
    )


P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(P_VALUES, st.floats(0.001, 0.5), st.integers(0, 4))
def test_holm_against_its_adjusted_p_values(p_values, total, unchecked):
    level, refuted = holm_level(p_values, total, len(p_values) + unchecked)
    count = len(p_values) + unchecked
    largest, adjusted = 0.0, []
    for rank, p in enumerate(sorted(p_values)):
        largest = max(largest, (count - rank) * p)
        adjusted.append(largest)
    # where a product is equal to the total up to rounding, either answer is right
    if all(abs(a - total) > 1e-12 for a in adjusted):
        assert refuted == sum(a <= total for a in adjusted) == sum(p <= level for p in p_values)


@given(P_VALUES, st.floats(0.001, 0.5))
def test_holm_is_between_bonferroni_and_no_correction(p_values, total):
    _, refuted = holm_level(p_values, total)
    assert sum(p <= total / len(p_values) for p in p_values) <= refuted <= sum(p <= total for p in p_values)


def test_holm_keeps_the_probability_of_any_false_refutation():
    rng = np.random.default_rng(3)
    false = 1e-8 * np.ones(3)
    for shared in (0.0, 0.9):  # independent and dependent true assertions beside false ones
        runs = 4000
        common = rng.standard_normal((runs, 1))
        scores = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal((runs, 5))
        from scipy.special import ndtr

        p_values = 2 * ndtr(-np.abs(scores))
        wrong = sum(holm_level([*false, *p], 0.1)[1] > 3 for p in p_values)
        # five binomial standard errors: false-failure probability 3e-7
        assert wrong <= 0.1 * runs + 5 * np.sqrt(0.09 * runs)


@pytest.mark.parametrize(("p_values", "total", "count"), [([0.1], 0, None), ([0.1], True, None), ([0.1, 0.2], 0.1, 1)])
def test_holm_refuses_what_it_cannot_use(p_values, total, count):
    with pytest.raises(rt.InputError, match=r"^(total|count) is "):
        holm_level(p_values, total, count)


def test_assertions_of_every_kind():
    kinds = {
        rt.Theta(n**-1): 1,
        rt.o(n): 1,
        Exact(1.0): 1,
        Zero(): 1,
        Identity(): 0,
        QuantileSlopes({50: 0.0, 90: 0.0, 99: 0.0}): 3,
        Tight(n**-1, quantiles=(50, 90)): 2,
        Tight(): 1,
        NoDefiniteBound(): 1,
    }
    for predicted, count in kinds.items():
        assert assertions(claim(law(), predicted)) == count


KINDS = [
    (law(), rt.Theta(n**-0.75), {"samples": 100}),
    (law(), rt.O(n**-1.25), {"samples": 100}),
    (law(mean=0.2), Zero(), {"samples": 150}),
    (law(mean=1.0), Exact(1.1 * n**-1), {"statistic": "mean"}),
    (law(), QuantileSlopes({50: -1.0, 90: -0.75}), {"samples": 100}),
    (law(), Tight(n**-0.75, quantiles=(50, 90)), {"samples": 100}),
    (law(), NoDefiniteBound(quantiles=(50, 90)), {"samples": 4000}),
]


@pytest.mark.parametrize(("quantity", "predicted", "options"), KINDS, ids=lambda value: str(value)[:30])
def test_a_p_value_is_the_level_from_which_on_the_claim_is_refuted(quantity, predicted, options):
    stated = claim(quantity, predicted, **options)
    found = check(stated, rng=1)
    assert len(found.contradictions) == assertions(stated)
    # the level of a claim is divided among its assertions
    level = min(found.contradictions) * len(found.contradictions)
    assert 1e-29 < level < 0.2
    assert check(stated, rng=1, false_refutation=level * 1.01).verdict == "refuted"
    assert check(stated, rng=1, false_refutation=level * 0.99).verdict != "refuted"


def test_what_holds_has_no_small_p_value_and_what_vanishes_no_chance():
    for predicted in (rt.Theta(n**-1), Zero(), Tight(quantiles=(50, 90))):
        assert min(check(claim(law(), predicted), rng=0).contradictions) > 1e-3

    nothing = rt.einsum("aa->", rt.identity(n)) * 0
    assert check(claim(nothing, rt.O(1)), rng=0).contradictions == (1.0,)
    assert check(claim(nothing, rt.Theta(1)), rng=0).contradictions == (0.0,)
    assert check(claim(law(), Identity(1e-9)), rng=0).contradictions == ()


@settings(max_examples=20)
@given(st.floats(0.3, 6))
def test_smallest_level_inverts_a_quantile(quantile):
    level = smallest_level(lambda alpha: normal_quantile(alpha) <= quantile)
    if level < 0.5:
        assert normal_quantile(level) == pytest.approx(quantile, abs=1e-3)


def test_refuting_the_plainly_false_hands_its_share_on():
    weak = claim(law(mean=0.2, name="weak"), Zero(), samples=150, name="weak", id="weak")
    # a p-value between the two levels of Holm
    p = check(weak, rng=1).contradictions[0]
    false = [claim(law(name=f"false {i}"), rt.Theta(n), name=f"false {i}", expect="refuted") for i in range(3)]
    run = verify([weak, *false], rng=1, false_refutation=2 * p)
    assert run.results[0].verdict == "refuted"
    assert "Holm" in run.results[0].reason
    assert (run.error_budget.assertions, run.error_budget.refuted) == (4, 4)
    assert run.error_budget.first_level == pytest.approx(p / 2)
    alone = verify([weak, *false], rng=1, false_refutation=2 * p, only="weak")
    assert alone.results[0].verdict != "refuted"
    assert alone.error_budget.level == pytest.approx(p / 2)
    assert alone.results[0].contradictions == run.results[0].contradictions


def test_the_report_states_the_budget():
    run = verify([claim(law(), rt.Theta(n**-1), name=f"{i}", id=f"c{i}") for i in range(4)], rng=0)
    assert "false refutation probability of the run 0.0001, over 4 assertions at level 2.5e-05; " in run.summary()
    record = run.to_dict()["error_budget"]
    assert record == {
        "total": 1e-4,
        "method": "Holm",
        "assertions": 4,
        "first_level": 2.5e-5,
        "level": 2.5e-5,
        "refuted": 0,
    }


def test_several_looks_keep_the_probability_of_a_false_refutation():
    # the same stream, four looks at growing samples, as an adaptive run takes them
    stated = [claim(law(mean=1.0, name=f"{i}"), Exact(n**-1, std=n**-1), statistic="mean", n=[4]) for i in range(150)]
    wrong = 0
    for i, one in enumerate(stated):
        looks = (
            check(Claim("c", one.quantity, predicted=one.predicted, statistic="mean", n=[4], samples=count), rng=i,
                  looks=4, false_refutation=0.2, jobs=1)
            for count in (32, 64, 128, 256)
        )  # fmt: skip
        wrong += any(look.verdict == "refuted" for look in looks)
    # at most 0.2: five binomial standard errors more have probability 3e-7
    assert wrong <= 150 * 0.2 + 5 * np.sqrt(150 * 0.16)
    assert wrong > 0


@pytest.mark.parametrize("looks", [0, True, 1.5])
def test_looks_are_counted(looks):
    with pytest.raises(rt.InputError, match=f"looks is {looks}, expected a positive integer"):
        check(claim(law(), rt.Theta(n)), looks=looks)


def test_quantiles_share_their_level_once():
    slopes = QuantileSlopes({25: -1.0, 50: -1.0, 75: -1.0, 90: -1.0})
    found = [check(claim(law(name=f"{i}"), slopes, name=f"{i}", margin=1e-6), rng=i, jobs=1, false_refutation=0.2)
             for i in range(150)]  # fmt: skip
    for result in found:
        p = min(result.contradictions)
        assert result.p_value == pytest.approx(min(1.0, 4 * p))
        assert (result.verdict == "refuted") == (p <= 0.2 / 4 * (1 + 1e-3))
    # at most 0.2: five binomial standard errors more have probability 3e-7
    assert 0 < sum(result.verdict == "refuted" for result in found) <= 150 * 0.2 + 5 * np.sqrt(150 * 0.16)


def test_a_run_of_quantiles_keeps_its_budget_and_counts_every_quantile_once():
    slopes = QuantileSlopes({25: -1.0, 50: -1.0, 75: -1.0, 90: -1.0})
    wrong = 0
    for i in range(60):
        claims = [claim(law(name=f"{i} {j}"), slopes, name=f"{i} {j}", margin=1e-6) for j in range(2)]
        run = verify(claims, rng=i, jobs=1, false_refutation=0.2)
        assert run.error_budget.first_level == pytest.approx(0.2 / 8)
        assert run.results[0].false_refutation == pytest.approx(0.1)
        wrong += any(result.verdict == "refuted" for result in run.results)
    # as above
    assert wrong <= 60 * 0.2 + 5 * np.sqrt(60 * 0.16)
