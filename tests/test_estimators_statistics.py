"""Statistics against NumPy and SciPy, their symmetries, and the coverage of their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from estimators.statistics import Statistic, Summary, excess_kurtosis, summarize
from randtensor.errors import InputError

NAMES = ("mean", "rms", "variance", "std", "median", "q90", "L1", "L3", "L2.5")
SAMPLES = arrays(float, st.integers(50, 80), elements=st.floats(-1e3, 1e3, allow_subnormal=False))
RNG_SEED = 17


def reference(name, x):
    match name:
        case "mean":
            return x.mean()
        case "rms":
            return np.sqrt(np.square(x).mean())
        case "variance":
            return x.var(ddof=1)
        case "std":
            return x.std(ddof=1)
        case "median":
            return np.median(x)
        case "q90":
            return np.quantile(x, 0.9)
    order = float(name[1:])
    return (np.abs(x) ** order).mean() ** (1 / order)


@pytest.mark.parametrize("name", NAMES)
@given(x=SAMPLES)
def test_values_are_those_of_numpy(name, x):
    assert summarize(x, name).value == pytest.approx(reference(name, x), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@given(x=SAMPLES, power=st.integers(-300, 250))
def test_value_and_error_follow_the_unit(name, x, power):
    # powers of two, so that nothing is rounded; some of them underflow or overflow when squared
    unit = 2.0 ** (power // 2 if name == "variance" else power)
    before, after = summarize(x, name), summarize(x * unit, name)
    factor = unit**2 if name == "variance" else unit
    assert after.value == pytest.approx(before.value * factor, rel=1e-9, abs=1e-12 * factor)
    assert after.error == pytest.approx(before.error * factor, rel=1e-6, abs=1e-9 * factor)


def test_rms_is_the_norm_of_order_two():
    x = np.random.default_rng(0).standard_normal(100)
    a, b = summarize(x, "rms"), summarize(x, "L2")
    assert (a.value, a.error, a.dof) == pytest.approx((b.value, b.error, b.dof))


@pytest.mark.parametrize("name", NAMES)
def test_error_is_the_standard_deviation_over_repetitions(name):
    x = np.random.default_rng(1).gamma(3.0, size=(4000, 250)) - 1
    found = [summarize(row, name) for row in x]
    spread = np.std([each.value for each in found])
    # the standard deviation of 4000 values is known to about 1.5 %, the mean error is biased by at most a few
    assert np.sqrt(np.mean([each.error**2 for each in found])) == pytest.approx(spread, rel=0.08)


@given(x=SAMPLES)
def test_kurtosis_is_that_of_scipy(x):
    ours = excess_kurtosis(x)
    if np.ptp(x) < 1e-9 * np.abs(x).max() or np.ptp(x) < 1e-60:
        return  # scipy itself loses its digits here: its fourth power underflows
    assert ours == pytest.approx(stats.kurtosis(x), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.1, -7.3, 1e300])
def test_constants(constant):
    x = np.full(100, constant)
    assert math.isnan(excess_kurtosis(x))
    for name in NAMES:
        found = summarize(x, name)
        truth = 0.0 if name in ("variance", "std") else abs(constant) if name in ("rms",) else constant
        if name.startswith("L"):
            truth = abs(constant)
        assert found.value == pytest.approx(truth, rel=1e-12, abs=abs(constant) * 1e-15)
        assert found.error <= 1e-12 * abs(constant)


def test_unbiased_pairs_of_probes():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((20_000, 3)) * 2  # three noisy probes of zero
    for name in ("mean", "rms", "variance", "std"):
        found = summarize_probes(x, name)
        # the true value is 0; a root of an estimate of 0 is known to the root of its error
        assert abs(found.value) < 4 * found.error
        assert math.isfinite(found.error) and found.error > 0


def summarize_probes(x, name):
    return Statistic(name)(x, x.shape[-1])


def test_complex_samples_have_norms_only():
    z = np.exp(1j * np.arange(50)) * 2
    assert summarize(z, "rms").value == pytest.approx(2)
    assert summarize(z, "L1").value == pytest.approx(2)
    with pytest.raises(InputError, match="'median' of complex samples, expected 'rms' or a norm"):
        summarize(z, "median")


LAWS = {
    "normal": lambda rng, shape: 1 + rng.standard_normal(shape),
    "lognormal": lambda rng, shape: np.exp(rng.standard_normal(shape) - 0.5),
    "product of two normals": lambda rng, shape: rng.standard_normal(shape) * rng.standard_normal(shape),
}
TRUTHS = {
    ("normal", "mean"): 1.0,
    ("normal", "rms"): 2**0.5,
    ("normal", "std"): 1.0,
    ("normal", "median"): 1.0,
    ("normal", "q90"): 1 + stats.norm.ppf(0.9),
    ("lognormal", "mean"): 1.0,
    ("lognormal", "median"): math.exp(-0.5),
    ("lognormal", "q90"): math.exp(stats.norm.ppf(0.9) - 0.5),
    ("product of two normals", "mean"): 0.0,
    ("product of two normals", "rms"): 1.0,
    ("product of two normals", "L1"): 2 / math.pi,
}


@pytest.mark.parametrize(("law", "name"), TRUTHS)
def test_intervals_cover(law, name):
    samples, reps = 400, 1000
    x = LAWS[law](np.random.default_rng(RNG_SEED), (reps, samples))
    ends = np.array([summarize(row, name).interval(0.95) for row in x])
    covered = int(((ends[:, 0] <= TRUTHS[law, name]) & (TRUTHS[law, name] <= ends[:, 1])).sum())
    # a true coverage of 93 % fails with probability 1e-5; 400 heavy-tailed samples are allowed to fall short
    # of 95 %
    assert stats.binom.cdf(covered, reps, 0.93) > 1e-5
    assert covered < reps


def test_normal_errors_are_not_inflated():
    x = np.random.default_rng(3).standard_normal((200, 1000))
    found = [summarize(row, "mean") for row in x]
    lengths = [np.subtract(*each.interval(0.95)[::-1]) / (2 * 1.959964 * each.error) for each in found]
    assert max(lengths) < 1.005


def test_heavy_tails_lower_the_degrees_of_freedom():
    x = np.random.default_rng(4).standard_normal((4, 1000)).prod(axis=0)
    assert summarize(x, "rms").dof < 60
    assert summarize(x[:100], "median").dof == 99


def test_interval_of_a_positive_statistic_stays_positive():
    assert min(Summary(1.0, 2.0, 10.0, True).interval(0.999)) > 0
    assert min(Summary(1.0, 2.0, 10.0, False).interval(0.999)) < 0
    with pytest.raises(InputError, match="level is 95, expected a number strictly between 0 and 1"):
        Summary(1.0, 2.0, 10.0, True).interval(95)


@pytest.mark.parametrize("name", ["mean", "rms", "variance", "std", "L1", "L3", "k3", "k4", "median"])
@pytest.mark.parametrize("probes", [1, 2])
def test_a_value_alone_is_that_of_the_summary(name, probes):
    samples = np.random.default_rng(0).standard_cauchy((50, probes) if probes > 1 else 50)
    if probes > 1 and name not in ("mean", "rms", "variance", "std"):
        pytest.skip("needs samples without noise")
    assert Statistic(name).value(samples, probes) == Statistic(name)(samples, probes).value
