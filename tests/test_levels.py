"""The levels of the tests of exact values against themselves: true means are refuted no more often than promised."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import randtensor as rt
from benchmarks import levels
from estimators._k_statistics import centred, jackknife
from estimators.heavy_tails import Shape
from theory_checks import Claim, Exact, check

n = rt.Scale("n")


def test_levels_hold_for_skewed_and_heavy_laws():
    found = [cell for cell in levels.cells(2e6, 7, counts=(30, 400)) if cell.method != "Student's t"]
    assert len(found) == 5 * 2 * 2 * 3
    # beyond the nominal level with a probability of 1e-7 each
    assert not [cell for cell in found if stats.binom.sf(cell.refuted - 1, cell.sets, 1.5 * cell.level) < 1e-7]


def test_students_t_is_what_fails():
    thirty = [c for c in levels.cells(1e6, 7, laws=("chi-square, 1",), counts=(30,)) if c.method == "Student's t"]
    assert thirty[-1].ratio > 20


def test_light_tails_lose_little():
    rng = np.random.default_rng(1)
    shape = Shape.of(rng.standard_normal((2000, 400)))
    for scores in (shape.deviate(6 / 20), shape.deviate(6 / 20, 1.0)):
        assert 5.5 < np.median(scores) <= 6.1
    assert np.array_equal(np.sign(shape.deviate(shape.mean)), np.sign(shape.mean))


def test_shapes_do_not_depend_on_the_unit():
    x = np.random.default_rng(2).exponential(size=(3, 50))
    shape = Shape.of(x)
    assert shape.skewness == pytest.approx(stats.skew(x, axis=1))
    assert shape.kurtosis == pytest.approx(stats.kurtosis(x, axis=1))
    assert shape.spread == pytest.approx(x.std(axis=1, ddof=1))
    for unit in (1e-300, 1e300):
        scaled = Shape.of(x * unit)
        assert scaled.deviate(0.4 * unit) == pytest.approx(shape.deviate(0.4))
    assert Shape.of(np.full((1, 9), 0.1)).spread[0] == 0


def exponential(mean=1.0):
    @rt.quantity(n, name=f"exponential {mean}")
    def law(size, batch, rng):
        return rng.standard_exponential(batch) * mean

    return law


def test_too_few_samples_for_the_level_are_inconclusive_and_say_how_many_decide():
    def found(samples):
        predicted = Exact(lambda size: 2.0)
        claim = Claim("c", exponential(), predicted=predicted, statistic="mean", n=[4], samples=samples)
        return check(claim, rng=3, false_refutation=1e-6)

    few = found(30)
    assert few.verdict == "inconclusive"
    assert "the samples are too few for the level 1e-06" in few.reason
    assert min(few.samples_required) > 30
    assert found(1000).verdict == "refuted"


def test_one_sample_that_carries_the_variance_refutes_nothing():
    draws = np.random.default_rng(0).standard_normal((2, 300))
    draws[0, 7] = 1e4
    shape = Shape.of(draws)
    assert shape.heavy.tolist() == [True, False]
    for difference in (-1e5, 1e5):
        assert shape.deviate(difference)[0] == 0 and abs(shape.deviate(difference)[1]) > 10
    assert shape.most().tolist()[0] == 0


@pytest.mark.parametrize(("statistic", "value"), [("median", np.log(2)), ("q90", np.log(10))])
def test_quantiles_are_tested_exactly(statistic, value):
    def p(claimed, seed):
        claim = Claim("c", exponential(), predicted=Exact(claimed), statistic=statistic, n=[4], samples=200)
        return check(claim, rng=seed, jobs=1).p_value

    values = np.array([p(value, seed) for seed in range(200)])
    # at most 0.1: five binomial standard errors more have probability 3e-7
    assert np.mean(values <= 0.1) <= 0.1 + 5 * np.sqrt(0.09 / 200)
    assert p(2 * value, 0) < 1e-4


def test_fourth_cumulants_of_normal_samples_are_not_refuted():
    # more than 8 of 1000 sets are refuted at 1e-3 with probability 1e-6 if the level holds; the samples that make a
    # large k4 are rare, and the largest of Student's t here is 4.6
    sets = np.random.default_rng(5).standard_normal((1000, 400))
    pseudo_values = np.array([jackknife([centred(draws)] * 4)[1] for draws in sets])
    shape = Shape.of(pseudo_values)
    assert (np.abs(shape.deviate(shape.mean, None, 14.7)) > 3.29).sum() <= 8
    assert np.abs(shape.mean / (shape.spread / 20)).max() > 4.5
