"""Distances to Gaussian laws: closed forms, brute force, exact limits, coverage, and what cannot be asked."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, special, stats

import randtensor as rt
from estimators._witnesses import FITTERS
from estimators.conditional import conditional_covariance
from estimators.gaussianity import GaussianDistance, distance_to_gaussian

n = rt.Scale("n")
KINDS = ("kolmogorov", "wasserstein", "characteristic", "characteristic-sup")
SAMPLES = arrays(float, st.integers(20, 40), elements=st.integers(-40, 40).map(lambda k: k / 8)).filter(np.ptp)


def between_normals(kind, s):
    """The distance between N(0, s^2) and N(0, 1)."""
    x = np.linspace(0, 8, 80_001)
    match kind:
        case "kolmogorov":
            return np.abs(special.ndtr(x / s) - special.ndtr(x)).max()
        case "wasserstein":
            return abs(s - 1) * math.sqrt(2 / math.pi)
        case "characteristic":
            return 1 / math.sqrt(1 + 2 * s**2) - 2 / math.sqrt(2 + s**2) + 1 / math.sqrt(3)
    return np.abs(np.exp(-((x * s) ** 2) / 2) - np.exp(-(x**2) / 2)).max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("s", [0.4, 0.9, 1.3, 3.0])
def test_two_normal_laws(kind, s):
    exact = distance_to_gaussian(np.full(30, s**2), kind, conditional=True)
    # suprema are taken over a grid of points or frequencies, then improved by one parabola
    assert exact.value == pytest.approx(between_normals(kind, s), rel=1e-5)
    assert exact.error < 1e-12
    x = s * np.random.default_rng(1).standard_normal(8000)
    found = distance_to_gaussian(x, kind)
    low, high = found.interval(1 - 1e-6)
    assert low <= between_normals(kind, s) <= high
    assert abs(found.value - between_normals(kind, s)) < 6 * found.error
    # in other units: the same law
    scaled = distance_to_gaussian(x * 8, kind, variance=64.0)
    assert scaled.value == pytest.approx(found.value * (8 if kind == "wasserstein" else 1))


@settings(max_examples=15)
@given(x=SAMPLES, s=st.floats(0.5, 2))
def test_plug_in_distances_are_those_of_the_empirical_law(x, s):
    found = distance_to_gaussian(x, "kolmogorov", variance=s**2)
    assert found.upper == pytest.approx(stats.kstest(x, stats.norm(scale=s).cdf).statistic, abs=1e-12)
    grid = np.linspace(min(x.min(), -9 * s), max(x.max(), 9 * s), 40_001)
    difference = np.searchsorted(np.sort(x), grid, side="right") / len(x) - special.ndtr(grid / s)
    area = distance_to_gaussian(x, "wasserstein", variance=s**2).upper
    assert area == pytest.approx(integrate.trapezoid(np.abs(difference), grid), rel=2e-3)


@settings(max_examples=15)
@given(x=SAMPLES)
def test_the_squared_distance_is_a_u_statistic_of_a_gaussian_kernel(x):
    count = len(x)
    kernel = np.exp(-np.square(x[:, None] - x) / 2)
    pairs = (kernel.sum() - count) / (count * (count - 1))
    truth = pairs - 2 * np.mean(np.exp(-np.square(x) / 4)) / math.sqrt(2) + 1 / math.sqrt(3)
    found = distance_to_gaussian(x)
    assert found.value == pytest.approx(truth, abs=1e-12)
    assert found.upper == pytest.approx(truth + (1 - pairs) / count, abs=1e-12)
    if count > 20 and np.ptp(np.sort(x)[1:]) > 0 and np.ptp(np.sort(x)[:-1]) > 0:
        without = [distance_to_gaussian(np.delete(x, i)).value for i in range(count)]
        jackknife = math.sqrt((count - 1) / count * np.square(np.array(without) - np.mean(without)).sum())
        assert found.error == pytest.approx(jackknife, rel=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in FITTERS])
@settings(max_examples=15)
@given(x=SAMPLES, seed=st.integers(0, 10))
def test_witnesses_attain_the_supremum_and_know_their_gaussian_mean(kind, x, seed):
    witness = FITTERS[kind][0](x)
    scale = np.array([0.3, 1.0, 2.5])
    grid = np.linspace(-30, 30, 400_001)
    for r, found in zip(scale, witness.given(scale), strict=True):
        density = np.exp(-np.square(grid / r) / 2) / (r * math.sqrt(2 * math.pi))
        assert found == pytest.approx(integrate.trapezoid(witness.of(grid) * density, grid), abs=2e-4)
    assert witness.given(np.zeros(1))[0] == pytest.approx(witness.of(np.zeros(1))[0]) or kind == "kolmogorov"
    # other samples' witness gives no larger a difference for these samples
    other = FITTERS[kind][0](np.random.default_rng(seed).normal(size=30))
    values = [(w.of(x).mean() - w.given(np.ones(1))[0]) for w in (witness, other)]
    slack = 1e-3 if kind == "characteristic-sup" else 1e-12  # frequencies are on a grid there
    assert values[1] <= values[0] + slack


# sqrt(n) sup |F_n - Phi| of normalised sums of n exponential variables; the limit is 1 / (3 sqrt(2 pi))
SUMS = {4: 0.13340, 16: 0.13311, 64: 0.13301}


@pytest.mark.parametrize("size", SUMS)
def test_sums_of_exponentials(size):
    @rt.quantity(n, name="normalised sum", batch=500)
    def total(number, batch, rng):
        return (rng.gamma(number, size=batch) - number) / math.sqrt(number)

    found = distance_to_gaussian(total, "kolmogorov", size, samples=60_000, rng=size)
    truth = SUMS[size] / math.sqrt(size)
    law = stats.gamma(size)
    x = np.linspace(-4, 6, 100_001)
    assert np.abs(law.cdf(size + math.sqrt(size) * x) - special.ndtr(x)).max() == pytest.approx(truth, abs=1e-5)
    low, high = found.interval(1 - 1e-6)
    assert low < truth < high
    # 1e-6 for the band, which needs no limit theorem
    low, high = found.dkw_interval(1 - 1e-6)
    assert low < truth < high
    assert abs(found.value - truth) < 6 * found.error
    assert found.value <= found.upper and found.sizes == {"n": size}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variance", [None, "fitted"])
@pytest.mark.parametrize("law", ["normal", "gamma", "mixture"])
def test_intervals_cover(kind, variance, law):
    reps, count = 100, 600
    rng = np.random.default_rng(3)
    if law == "mixture":  # q is 1/2 or 3/2
        data = 0.5 + rng.integers(2, size=(reps, count))
        truth = distance_to_gaussian(np.tile([0.5, 1.5], 200), kind, conditional=True).upper
    elif law == "normal":
        data, truth = rng.standard_normal((reps, count)), 0.0
    else:
        data = (rng.gamma(4, size=(reps, count)) - 4) / 2
        truth = {
            "kolmogorov": 0.0667000,
            "wasserstein": 0.1608001,
            "characteristic": 0.0088095,
            "characteristic-sup": 0.1941387,
        }[kind]
        assert truth == pytest.approx(gamma_distance(kind), abs=2e-6)
    found = [distance_to_gaussian(row, kind, variance=variance, conditional=law == "mixture") for row in data]
    ends = np.array([each.interval(0.95) for each in found])
    slack = 1e-9  # the two-point mixture has exact answers, up to the grid
    covered = int(((ends[:, 0] <= truth + slack) & (truth - slack <= ends[:, 1])).sum())
    # a true coverage of 92 % fails with probability below 1e-6
    assert stats.binom.cdf(covered, reps, 0.92) > 1e-6
    values = np.array([each.value for each in found])
    if kind == "characteristic":
        # unbiased: 5 standard errors, 1e-6
        assert abs(values.mean() - truth) < 5 * values.std() / math.sqrt(reps) + slack
    else:
        assert values.mean() - 5 * values.std() / math.sqrt(reps) <= truth + slack
        assert truth <= np.mean([each.upper for each in found]) + 5 * values.std() / math.sqrt(reps)


def gamma_distance(kind):
    """Between (gamma(4) - 4) / 2 and N(0, 1), by quadrature."""
    x, t = np.linspace(-12, 20, 200_001), np.linspace(0, 8, 8001)
    difference = np.abs(stats.gamma(4).cdf(4 + 2 * x) - special.ndtr(x))
    waves = np.abs(np.exp(-2j * t) * (1 - 0.5j * t) ** -4 - np.exp(-(t**2) / 2))
    match kind:
        case "kolmogorov":
            return difference.max()
        case "wasserstein":
            return integrate.trapezoid(difference, x)
        case "characteristic":
            return 2 * integrate.trapezoid(waves**2 * np.exp(-(t**2) / 2), t) / math.sqrt(2 * math.pi)
    return waves.max()


@pytest.mark.parametrize("kind", KINDS)
def test_conditioning_removes_noise_and_leaves_the_distance(kind):
    f, x = rt.networks.two_layer(1, n, "linear"), [1.0]
    q = conditional_covariance(f, x)
    plain = distance_to_gaussian(f(x), kind, 4, samples=6000, variance=1.0, rng=1)
    conditional = distance_to_gaussian(q, kind, 4, samples=6000, variance="fitted", conditional=True, rng=2)
    low, high = plain.interval(1 - 1e-6)
    assert low < conditional.value < high
    assert conditional.error < plain.error / 3
    # f is the average of 4 products of normals: its characteristic function is (1 + t^2 / 4)^-2
    t = np.linspace(0, 8, 8001)
    waves = np.abs((1 + t**2 / 4) ** -2 - np.exp(-(t**2) / 2))
    if kind.startswith("characteristic"):
        square = 2 * integrate.trapezoid(waves**2 * np.exp(-(t**2) / 2), t) / math.sqrt(2 * math.pi)
        truth = square if kind == "characteristic" else waves.max()
        assert abs(conditional.value - truth) < 5 * conditional.error  # 1e-6
    assert conditional.variance == pytest.approx(1, abs=0.1)


def test_results_are_records():
    x = np.random.default_rng(0).gamma(3, size=200) - 3
    found = distance_to_gaussian(x, "kolmogorov", variance="fitted")
    record = json.loads(json.dumps(found.to_dict()))
    assert record["kind"] == "kolmogorov" and record["samples"] == 200 and record["fitted"]
    assert record["variance"] == pytest.approx(np.mean(x**2))
    assert record["bias"] == pytest.approx(found.upper - found.value)
    assert "kolmogorov distance to N(0, " in str(found)


@pytest.mark.parametrize("kind", KINDS)
def test_records_restore_the_distance(kind):
    x = np.random.default_rng(0).gamma(3, size=100) - 3
    given_samples = distance_to_gaussian(x, kind, variance="fitted")
    square = rt.einsum("a,a->", rt.gaussian(n), rt.gaussian(n))
    sampled = distance_to_gaussian(square, kind, 4, samples=100, rng=np.random.SeedSequence([1, 2]))
    for found in (given_samples, sampled):
        again = GaussianDistance.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
        assert again == found and again.to_dict() == found.to_dict() and again.interval(0.9) == found.interval(0.9)
    record = found.to_dict()
    for damaged, message in (
        ({}, "record has the schema None, expected 'randtensor/gaussian-distance/1'"),
        (record | {"schema": "randtensor/rate/1"}, "record has the schema 'randtensor/rate/1', expected"),
        ({k: v for k, v in record.items() if k != "upper"}, "record has no field 'upper', expected a record made by"),
        (record | {"value": "much"}, r"record cannot be read \(could not convert .*\), expected a record made by to_d"),
        (record | {"sizes": 3}, "record cannot be read"),
    ):
        with pytest.raises(rt.InputError, match=message):
            GaussianDistance.from_dict(damaged)


@pytest.mark.parametrize("kind", KINDS)
def test_independent_samples_are_merged(kind):
    square = rt.einsum("a,a->", rt.gaussian(n), rt.gaussian(n))

    def found(rng=1, size=4, quantity=square, kind=kind, samples=100, **options):
        return distance_to_gaussian(quantity, kind, size, samples=samples, rng=rng, **options)

    one, two = found(), found(rng=2, samples=300)
    both = one.merge(two)
    assert both == two.merge(one) and both.samples == 400 and both.seed is None
    assert both.value == pytest.approx((one.value + 3 * two.value) / 4)
    assert both.error == pytest.approx(np.hypot(one.error, 3 * two.error) / 4)
    assert both.dof == one.dof + two.dof and min(one.upper, two.upper) <= both.upper <= max(one.upper, two.upper)
    fitted = found(variance="fitted").merge(found(rng=2, variance="fitted"))
    assert fitted.variance == pytest.approx(
        (found(variance="fitted").variance + found(rng=2, variance="fitted").variance) / 2
    )
    for other, message in (
        (found(), "other has the seed 1 too, expected independent samples"),
        (found(rng=2, size=8), "other has sizes {'n': 8}, expected {'n': 4} as here"),
        (found(rng=2, variance=2.0), "other has variance 2.0, expected 1.0 as here"),
        (found(rng=2, variance="fitted"), "other has fitted True, expected False as here"),
        (found(rng=2, quantity=square * 2), "other has another quantity, expected samples of the same law"),
        (found(rng=2, kind=next(k for k in KINDS if k != kind)), "other has kind '?[a-z-]+'?, expected"),
        (0.1, "other is 0.1, expected a GaussianDistance"),
    ):
        with pytest.raises(rt.InputError, match=message):
            one.merge(other)
    given_samples = distance_to_gaussian(np.random.default_rng(0).gamma(3, size=100), kind)
    for result in (given_samples, both):
        with pytest.raises(rt.InputError, match="other is the same result, expected independent samples"):
            result.merge(result)


X = np.arange(30.0) - 14


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: distance_to_gaussian(X, "total variation"), "kind is 'total variation', expected 'kolmogorov'"),
        (lambda: distance_to_gaussian(X[:5]), "samples is 5, expected at least 20 for a distance between laws"),
        (lambda: distance_to_gaussian(X * 0 + 3), "quantity is 3 in all 30 samples, expected a law that spreads"),
        (lambda: distance_to_gaussian([math.inf] * 30), "quantity has 30 values that are not finite among 30"),
        (lambda: distance_to_gaussian(X, variance=0), "variance is 0, expected a positive number, None for 1"),
        (lambda: distance_to_gaussian(X, variance="exact"), "variance is 'exact', expected a positive number"),
        (lambda: distance_to_gaussian(X, conditional=True), "variance has the negative value -14, expected"),
        (lambda: distance_to_gaussian(X * 0, variance="fitted", conditional=True), "fitted to the samples is 0"),
        (lambda: distance_to_gaussian(X).interval(95), "level is 95, expected a number strictly between 0 and 1"),
        (lambda: distance_to_gaussian(X).dkw_interval(), "kind is 'characteristic' with conditional=False"),
        (lambda: distance_to_gaussian(X, "kolmogorov").dkw_interval(2), "level is 2, expected a number strictly"),
        (
            lambda: distance_to_gaussian(rt.einsum("aa->", rt.gaussian(n, n)), samples=3, n=2),
            "samples is 3, expected at least 20",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(rt.InputError, match=message):
        call()
