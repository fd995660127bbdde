"""Cumulants: unbiased by exact enumeration, against SciPy, against exact cumulants, merged and conditional."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import randtensor as rt
from estimators._k_statistics import estimate, jackknife, partitions
from estimators.conditional import conditional_covariance, conditional_cumulant, conditional_joint_cumulant
from estimators.cumulants import Cumulant, cumulant, joint_cumulant
from estimators.moments import Moments
from estimators.power_sums import PowerSums
from estimators.scalings import scaling
from estimators.statistics import Statistic, summarize

n = rt.Scale("n")
SAMPLES = arrays(float, st.integers(8, 30), elements=st.integers(-40, 40).map(lambda k: k / 8))
RATIONALS = st.fractions(-2, 2, max_denominator=3)
LAWS = st.lists(st.tuples(RATIONALS, RATIONALS, st.integers(1, 4)), min_size=2, max_size=3)


def multinomial(law, count):
    """All samples of a law on a few points, up to order: how often each point occurs, and with which probability."""
    total = sum(weight for *_, weight in law)
    for times in product(range(count + 1), repeat=len(law)):
        if sum(times) == count:
            ways = math.factorial(count)
            chance = Fraction(1)
            for k, (*_, weight) in zip(times, law, strict=True):
                ways //= math.factorial(k)
                chance *= Fraction(weight, total) ** k
            yield times, ways * chance


def joint_moment(law, labels):
    total = sum(weight for *_, weight in law)
    return sum(Fraction(point[-1], total) * math.prod(point[i] for i in labels) for point in law)


def true_cumulant(law, labels):
    """The joint cumulant by its definition through moments."""
    return sum(
        (-1) ** (len(blocks) - 1) * math.factorial(len(blocks) - 1) * math.prod(joint_moment(law, b) for b in blocks)
        for blocks in partitions(labels)
    )


def sums_of(law, times):
    return lambda block: Fraction(
        sum(k * math.prod(point[i] for i in block) for k, point in zip(times, law, strict=True))
    )


@pytest.mark.parametrize("labels", [(0,), (0, 0), (0, 0, 0), (0,) * 4, (0,) * 5, (0,) * 6, (0, 1, 1), (0, 0, 1, 1, 1)])
@settings(max_examples=4)
@given(law=LAWS, extra=st.integers(0, 1))
def test_k_statistics_are_unbiased_exactly(labels, law, extra):
    count = len(labels) + extra
    mean = sum(chance * estimate(sums_of(law, times), labels, count) for times, chance in multinomial(law, count))
    assert mean == true_cumulant(law, labels)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@settings(max_examples=3)
@given(law=LAWS)
def test_the_variance_of_a_k_statistic_is_unbiased(order, law):
    count, labels = 2 * order, (0,) * order
    found, square, mean = 0.0, 0.0, 0.0
    for times, chance in multinomial(law, count):
        samples = np.repeat([float(point[0]) for point in law], times)
        sums = PowerSums.of(samples, order)
        weight, value = float(chance), sums.cumulant(order)
        found += weight * sums.unbiased_variance(order)
        square, mean = square + weight * value**2, mean + weight * value
    assert found == pytest.approx(square - mean**2, rel=1e-9, abs=1e-9)
    assert mean == pytest.approx(float(true_cumulant(law, labels)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@settings(max_examples=25)
@given(x=SAMPLES)
def test_values_are_those_of_scipy(order, x):
    sums = PowerSums.of(x)
    assert sums.cumulant(order) == pytest.approx(stats.kstat(x, order), rel=1e-8, abs=1e-8)
    if order <= 2:
        assert sums.unbiased_variance(order) == pytest.approx(stats.kstatvar(x, order), rel=1e-8, abs=1e-8)
    if order == 2:
        assert joint_cumulant([x, x + x**2]).value == pytest.approx(np.cov(x, x + x**2)[0, 1], abs=1e-9)


@pytest.mark.parametrize("order", [2, 3, 4])
@settings(max_examples=25)
@given(x=SAMPLES)
def test_the_jackknife_is_the_one_that_leaves_out_each_sample(order, x):
    d = x - x.mean()
    value, pseudo = jackknife([d] * order)
    without = np.array([stats.kstat(np.delete(x, i), order) for i in range(len(x))])
    assert pseudo == pytest.approx(len(x) * value - (len(x) - 1) * without, rel=1e-7, abs=1e-6)
    assert pseudo.mean() == pytest.approx(value, rel=1e-9, abs=1e-8)
    assert PowerSums.of(x).jackknife_variance(order) == pytest.approx(pseudo.var(ddof=1) / len(x), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
def test_summaries_samples_statistics_and_joint_estimates_agree(order):
    x = np.random.default_rng(5).gamma(2.0, size=200)
    whole = cumulant(x, order)
    joint = joint_cumulant([x, x.copy()] + [x] * (order - 2))
    assert (joint.value, joint.error, joint.dof) == pytest.approx((whole.value, whole.error, whole.dof), rel=1e-8)
    if order > 2:
        named = summarize(x, f"k{order}")
        assert (named.value, named.error, named.dof) == pytest.approx((whole.value, whole.error, whole.dof), rel=1e-8)


@settings(max_examples=25)
@given(x=SAMPLES, a=st.integers(-3, 3), b=st.integers(-9, 9))
def test_joint_cumulants_are_multilinear_and_ignore_shifts(x, a, b):
    rng = np.random.default_rng(len(x))
    y, z, w = rng.integers(-4, 5, (3, len(x))).astype(float)
    mixed = joint_cumulant([a * x + y + b, z, w, w]).value
    parts = a * joint_cumulant([x, z, w, w]).value + joint_cumulant([w, y, z, w]).value
    assert mixed == pytest.approx(parts, rel=1e-8, abs=1e-7)


@settings(max_examples=25)
@given(x=SAMPLES, cut=st.integers(1, 6), power=st.integers(-60, 60))
def test_merging_loses_nothing(x, cut, power):
    whole = PowerSums.of(x, pivot=0.0)
    parts = [PowerSums.of(part, pivot=0.0) for part in (x[:cut], x[cut:-1], x[-1:])]
    assert (parts[0] + parts[1]) + parts[2] == parts[2] + (parts[1] + parts[0]) == whole
    other = PowerSums.of(x[:cut]) + PowerSums.of(x[cut:])
    assert other.cumulant(6) == pytest.approx(whole.cumulant(6), rel=1e-7, abs=1e-6)
    # powers of two round nothing
    assert PowerSums.of(x * 2.0**power, pivot=0.0).cumulant(3) == whole.cumulant(3) * 2.0 ** (3 * power)
    assert PowerSums.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole


@settings(max_examples=20)
@given(
    x=arrays(float, st.integers(20, 40), elements=st.integers(-50, 50).map(lambda k: k / 8)),
    cut=st.integers(2, 18),
    shift=st.sampled_from([0.0, 1e3, 2.0**40]),
)
def test_moments_tell_what_the_samples_do(x, cut, shift):
    x = x + shift
    for statistic in map(Statistic, ("variance", "std", "k3", "k4", "k5", "k6")):
        order, power = statistic.moments_needed, 2 if statistic.name == "variance" else statistic.central_power
        parts = [Moments.of(part, order) for part in (x[:cut], x[cut:-1], x[-1:])]
        merged = parts[0].merge(parts[1]).merge(parts[2])
        found, truth = statistic.of_moments(merged), summarize(x, statistic)
        unit = x.std() ** (1 if statistic.name == "std" else power) or 1.0
        # the error of a sample of two points, all equally influential, is the root of a rounded zero
        assert abs(found.value - truth.value) < 1e-8 * unit and abs(found.error - truth.error) < 1e-5 * unit
        assert Moments.from_dict(json.loads(json.dumps(merged.to_dict(), allow_nan=False))) == merged


def test_a_large_mean_costs_no_digits():
    x = np.arange(40.0) ** 2
    shifted = PowerSums.of(x + 2.0**40)
    assert shifted.cumulant(6) == pytest.approx(PowerSums.of(x).cumulant(6), rel=1e-12)
    assert shifted.cumulant(1) == x.mean() + 2.0**40
    assert summarize(x + 2.0**40, "k4").value == pytest.approx(stats.kstat(x, 4), rel=1e-9)


KNOWN = {
    ("gamma(1)", 3): 2.0,
    ("gamma(1)", 4): 6.0,
    ("gamma(3)", 3): 6.0,
    ("gamma(2)", 4): 12.0,
    ("uniform", 4): -1 / 120,
    ("uniform", 6): 1 / 252,
    ("coin", 5): 0.0,
    ("coin", 6): 0.25,  # signs +-1 have kappa_6 = 16; halves of them 16 / 64
}


@pytest.mark.parametrize(("law", "order"), KNOWN)
def test_known_cumulants(law, order):
    rng = np.random.default_rng(order)
    if law.startswith("gamma"):
        x = rng.gamma(float(law[6]), size=200_000)
    else:
        x = rng.uniform(size=100_000) if law == "uniform" else rng.integers(2, size=100_000).astype(float)
    found = cumulant(x, order)
    # 5 standard errors with a fixed seed: about 1e-6 per case
    assert abs(found.value - KNOWN[law, order]) < 5 * found.error
    assert found.error < 0.25 * abs(KNOWN[law, order] or 1)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_errors_are_standard_deviations_over_repetitions(order):
    x = np.random.default_rng(11).gamma(6.0, size=(1200, 150))
    found = [summarize(row - 6, "variance" if order == 2 else f"k{order}") for row in x]
    spread = np.std([each.value for each in found])
    # 1200 values have a standard deviation known to 4 % (heavier tails: 8 %); the jackknife overestimates slightly
    assert np.sqrt(np.mean([each.error**2 for each in found])) == pytest.approx(spread, rel=0.25)


def test_intervals_cover():
    reps = 300
    x = np.random.default_rng(12).gamma(8.0, size=(reps, 400)) / math.sqrt(8)
    truth = 2 / math.sqrt(8)
    ends = np.array([cumulant(row, 3).interval(0.95) for row in x])
    covered = int(((ends[:, 0] <= truth) & (truth <= ends[:, 1])).sum())
    # a coverage of 89 % fails with probability below 1e-6
    assert stats.binom.cdf(covered, reps, 0.89) > 1e-6
    assert covered < reps


def average():
    @rt.quantity(n, name="average of exponentials")
    def mean(size, batch, rng):
        return rng.exponential(size=(batch, size)).mean(axis=1)

    return mean


def test_cumulants_are_statistics_that_scale():
    # kappa_3 of an average of n exponentials is 2 / n^2
    found = scaling(average(), n=[2, 4, 8, 16], statistic="k3", samples=4000, rng=2)
    low, high = found.interval(0.9999)
    assert low < -2 < high and not found.unresolved
    assert found.statistic == "k3"
    below = scaling(average() * -1, n=[2, 4, 8], statistic="k3", samples=2000, rng=2)
    assert (below.values < 0).all()


def other_average():
    return average() * 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: cumulant(average(), 3, 4, samples=50, rng=2), "other has order 3, expected 2 as here"),
        (lambda: cumulant(average(), 2, 8, samples=50, rng=2), "other has sizes {'n': 8}, expected {'n': 4} as here"),
        (lambda: cumulant(other_average(), 2, 4, samples=50, rng=2), "other has another quantity, expected samples of"),
        (lambda: joint_cumulant([average()] * 2, 4, samples=50, rng=2), "other has another quantity, expected samples"),
        (lambda: cumulant(average(), 2, 4, samples=60, rng=1), "other has the seed 1 too, expected independent sampl"),
        (lambda: 1.0, "other is 1.0, expected a Cumulant"),
    ],
)
def test_only_independent_samples_of_one_law_are_merged(other, message):
    with pytest.raises(rt.InputError, match=message):
        cumulant(average(), 2, 4, samples=50, rng=1).merge(other())


def test_given_samples_are_merged_once():
    x, y = np.random.default_rng(0).exponential(size=(2, 40))
    found = cumulant(x, 2)
    both = found.merge(cumulant(y, 2))
    assert both.value == pytest.approx(np.var(np.concatenate([x, y]), ddof=1))
    for result in (found, both, joint_cumulant([x, y])):
        with pytest.raises(rt.InputError, match="other is the same result, expected independent samples"):
            result.merge(result)
    with pytest.raises(rt.InputError, match="other is a joint cumulant, expected a single one as here"):
        found.merge(joint_cumulant([x, y]))
    with pytest.raises(TypeError):
        found + 1


def test_more_samples_are_added():
    first, second = (cumulant(average(), 4, 4, samples=500, rng=seed) for seed in (1, 2))
    both = first + second
    draws = [average().sample(4, 500, rng=seed) for seed in (1, 2)]
    whole = cumulant(np.concatenate(draws), 4)
    assert (both.value, both.error, both.samples) == pytest.approx((whole.value, whole.error, 1000), rel=1e-9)
    joint = [joint_cumulant([average(), average()], 4, samples=300, rng=seed) for seed in (1, 2)]
    assert (joint[0] + joint[1]).value == pytest.approx((joint[0].value + joint[1].value) / 2)
    for found in (both, joint[0]):
        assert Cumulant.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    with pytest.raises(rt.InputError, match="record has the schema None, expected 'randtensor/cumulant/1'"):
        Cumulant.from_dict({})
    with pytest.raises(rt.InputError, match="record has no field 'sums', expected a record made by to_dict"):
        Cumulant.from_dict({k: v for k, v in both.to_dict().items() if k != "sums"})


NETWORKS = {
    "one relu layer": rt.networks.mlp(2, n, 1, "relu"),
    "deep linear": rt.networks.deep_linear(2, n, 3),
    "mean field": rt.networks.two_layer(2, n, "linear", "mean-field"),
    "several outputs": rt.networks.mlp(2, n, 2, "linear", outputs=2),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_conditional_cumulants_are_the_exact_ones(name):
    f, x, size = NETWORKS[name], [1.0, 1.0], 16
    q = conditional_covariance(f, x)
    alone = rt.networks.mlp(2, n, 2, "linear") if name == "several outputs" else f
    found = conditional_cumulant(q, 4, size, samples=4000, rng=1)
    exact = alone(x).cumulant(4)(size)
    # 5 standard errors with a fixed seed: about 1e-6 per case
    assert abs(found.value - exact) < 5 * found.error
    assert found.error < 0.15 * exact
    second = conditional_cumulant(q, 2, size, samples=4000, rng=1)
    assert abs(second.value - alone(x).variance()(size)) < 5 * second.error


def test_conditioning_removes_noise():
    f = NETWORKS["one relu layer"]
    plain = cumulant(f([1.0, 1.0]), 4, 64, samples=4000, rng=3)
    conditional = conditional_cumulant(conditional_covariance(f, [1.0, 1.0]), 4, 64, samples=4000, rng=3)
    assert conditional.error < plain.error / 10
    assert abs(plain.value - 15 / 4 / 64) < 5 * plain.error  # 1e-6
    sixth = conditional_cumulant(conditional_covariance(f, [1.0, 1.0]), 6, 4, samples=40_000, rng=3)
    # q is an average of n squares of relus, so kappa_6 = 15 kappa_3(q) = 15 kappa_3(relu^2) / n^2
    m1, m2, m3 = 0.5, 1.5, 7.5
    truth = 15 * (m3 - 3 * m2 * m1 + 2 * m1**3) / 16
    assert abs(sixth.value - truth) < 5 * sixth.error  # 1e-6
    assert sixth.order == 6 and sixth.factor == 15


def test_the_conditional_law_is_the_law():
    # f^2 and q on one draw: E f^2 g = E q g for any function g of q
    for f, x in ((rt.networks.resnet(2, n, 1), [1.0, 0.5]), (rt.networks.cnn(1, n, 2, positions=3), np.ones((3, 1)))):
        q = conditional_covariance(f, x)
        residual = rt.combine(lambda a, b: (a**2 - b) * b, f(x), q, name="residual")
        draws = residual.sample(16, 4000, rng=4)
        assert abs(draws.mean()) < 5 * draws.std() / math.sqrt(4000)  # 1e-6


def test_joint_conditional_cumulants():
    f = rt.networks.two_layer(2, n, "linear")
    x, y = np.array([1.0, 0.0]), np.array([1.0, 2.0])
    # q_st is the average of n products z_s z_t with covariance k, and Cov(z_s z_t, z_u z_v) = k_su k_tv + k_sv k_tu
    k = np.array([[x @ x, x @ y], [y @ x, y @ y]]) / 2
    cov = {"xyxy": (k[0, 0] * k[1, 1] + k[0, 1] ** 2) / 8, "xxyy": 2 * k[0, 1] ** 2 / 8}
    found = conditional_joint_cumulant(f, [x, x, y, y], 8, samples=20_000, rng=5)
    assert abs(found.value - (cov["xxyy"] + 2 * cov["xyxy"])) < 5 * found.error  # 1e-6
    pair = conditional_joint_cumulant(f, [x, y], 8, samples=20_000, rng=5)
    assert abs(pair.value - k[0, 1]) < 5 * pair.error  # 1e-6
    same = conditional_joint_cumulant(f, [x, x, x, x], 8, samples=500, rng=5)
    assert same.value == pytest.approx(3 * np.var(conditional_draws(f, x), ddof=1))


def conditional_draws(f, x):
    from estimators.joint import Joint

    return Joint([conditional_covariance(f, x, x)]).sample(8, 500, rng=5)[:, 0]


def not_linear():
    @rt.program(v=rt.gaussian(n))
    def f(p, x):
        return p.v @ rt.tanh(p.v * x[0])

    return f


def with_offset():
    @rt.program(v=rt.gaussian(n), w=rt.gaussian(n))
    def f(p, x):
        return p.v @ p.w + p.w @ p.w

    return f


X = np.arange(10.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cumulant(X, 7), "order is 7, expected an integer from 1 to 6"),
        (lambda: cumulant(X[:4], 4), "samples is 4, expected at least 5 for a cumulant of order 4"),
        (lambda: cumulant(X * math.nan), "quantity has 10 values that are not finite among 10"),
        (lambda: cumulant("abc"), "quantity is 'abc', expected a quantity or real numbers"),
        (lambda: cumulant(X * 1j), "quantity are complex, expected real numbers"),
        (lambda: cumulant(X.reshape(2, 5)), r"quantity has shape \(2, 5\), expected \(N,\)"),
        (lambda: cumulant(X * 1e200, 4), "samples are so large that the cumulant is no float"),
        (lambda: joint_cumulant([X * 1e200, X * 1e200]), "quantities are so large that their cumulant is no float"),
        (lambda: joint_cumulant([X]), "quantities has 1 entries, expected two to 6"),
        (lambda: joint_cumulant(X[0]), "expected a list of two to 6"),
        (lambda: joint_cumulant([X, X[:5]]), "quantities have 10, 5 samples, expected as many of each"),
        (lambda: joint_cumulant([average(), X], 4), r"quantities\[1\] is array.*expected a quantity as the others"),
        (lambda: conditional_cumulant(X, 3), "order is 3, expected an even integer from 2 to 12"),
        (lambda: conditional_cumulant(X - 5, 4), "variance has the negative value -5, expected conditional variances"),
        (lambda: conditional_covariance(X, X), "function is array.*expected a random function"),
        (lambda: conditional_covariance(NETWORKS["deep linear"], [1.0, 1.0], readout="u"), "readout is 'u', expected"),
        (lambda: conditional_covariance(not_linear(), [1.0]).sample(4), "readout is 'v', expected a parameter that"),
        (lambda: conditional_covariance(with_offset(), [1.0]).sample(4), "readout is 'v', expected a parameter that"),
        (
            lambda: conditional_covariance(rt.networks.two_layer(1, n, readout="rademacher"), [1.0]),
            "readout 'v' is .*, expected independent real Gaussian entries",
        ),
        (lambda: conditional_joint_cumulant(NETWORKS["deep linear"], [[1.0, 1.0]] * 3, 4), "inputs has 3 entries"),
        (lambda: PowerSums.of(X, 2).cumulant(5), "order is 5, expected at most 4: only 4 powers are held"),
        (lambda: PowerSums.of(X).unbiased_variance(5), "order is 5, expected at most 4 for an unbiased variance"),
        (lambda: PowerSums.from_dict({}), "record is {}, expected a mapping with pivot and sums"),
        (lambda: cumulant(X, 2) + cumulant(X, 3), "other has order 3, expected 2 as here"),
        (lambda: cumulant(average(), 2, 4, rng=1) + cumulant(average(), 2, 4, rng=1), "other has the seed 1 too"),
        (lambda: summarize(X[:4], "k4"), "samples is 4, expected at least 5 to estimate a standard error"),
        (lambda: summarize(np.ones((9, 2)), "k9"), "statistic is 'k9', expected .* a cumulant 'k3' to 'k6'"),
    ],
)
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(rt.RandtensorError, match=message):
        call()


def test_constants_have_no_cumulants():
    for constant in (0.0, 0.1, -7.3e10):
        x = np.full(50, constant)
        assert summarize(x, "k4").value == summarize(x, "k4").error == 0
        found = cumulant(x, 4)
        assert (found.value, found.error) == (0, 0)
        assert joint_cumulant([x, x, x]).value == 0


@settings(max_examples=20)
@given(x=SAMPLES, power=st.integers(-250, 250))
def test_joint_cumulants_follow_the_unit(x, power):
    unit = 2.0**power
    before, after = joint_cumulant([x, x, x + x**2]), joint_cumulant([x * unit, x / unit, x + x**2])
    assert (after.value, after.error) == pytest.approx((before.value, before.error), rel=1e-12, abs=1e-12)
