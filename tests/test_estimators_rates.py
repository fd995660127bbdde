"""Rate inference: exact laws, symmetries, combination of models, calibration, and sentences for bad input."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from estimators import fit_rate
from randtensor.errors import InputError, ShapeError

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = 2.0 ** np.arange(5, 11)


def noisy(law, relative, seed=0, n=WIDTHS):
    values = law(n) * np.exp(relative * np.random.default_rng(seed).standard_normal(len(n)))
    return values, relative * values


exponents = st.floats(-3, 3)
constants = st.floats(1e-6, 1e6)
corrections = st.floats(-0.9, 3) | st.just(0.0)


@given(a=exponents, constant=constants, c=corrections, power=st.sampled_from([0.5, 1.0]), known=st.booleans())
def test_an_exact_law_is_found_exactly(a, constant, c, power, known):
    values = constant * WIDTHS**a * (1 + c * WIDTHS**-power)
    fit = fit_rate(WIDTHS, values, 1e-8 * values if known else None, correction=power)
    assert fit.exponent == pytest.approx(a, abs=1e-6)
    assert fit.constant == pytest.approx(constant, rel=1e-4)
    assert not fit.poor_fit
    np.testing.assert_allclose(fit.predict(WIDTHS), values, rtol=1e-6)


@given(
    a=exponents,
    c=corrections,
    b=st.sampled_from([-1.0, 0.5, 2.0]),
    seed=st.integers(0, 1000),
    n_unit=st.floats(1e-3, 1e3),
    unit=constants,
)
def test_units_only_move_the_constant(a, c, b, seed, n_unit, unit):
    values, errors = noisy(lambda n: n**a * (1 + c / n), 0.05, seed)
    fit = fit_rate(WIDTHS, values, errors)
    moved = fit_rate(WIDTHS * n_unit, values * unit, errors * unit)
    assert moved.exponent == pytest.approx(fit.exponent, abs=1e-5)
    assert moved.interval() == pytest.approx(fit.interval(), abs=1e-5)
    tilted = fit_rate(WIDTHS, values * WIDTHS**b, errors * WIDTHS**b)
    assert tilted.exponent == pytest.approx(fit.exponent + b, abs=1e-5)
    shuffle = np.random.default_rng(seed).permutation(len(WIDTHS))
    assert fit_rate(WIDTHS[shuffle], values[shuffle], errors[shuffle]).interval() == fit.interval()


def test_the_union_contains_every_power_the_data_allow():
    values, errors = noisy(lambda n: 1 / n, 0.02)
    auto = fit_rate(WIDTHS, values, errors).interval()
    for power in (0.5, 1.0):
        single = fit_rate(WIDTHS, values, errors, correction=power).interval()
        assert auto[0] <= single[0] + 1e-12 and single[1] - 1e-12 <= auto[1]
    plain = fit_rate(WIDTHS, values, errors, correction=None)
    assert np.diff(auto) > 2 * np.diff(plain.interval())


def test_a_power_the_data_reject_is_dropped():
    n = 4.0 ** np.arange(2, 10)
    values = (1 + 3 / n**0.5) / n
    fit = fit_rate(n, values, 1e-4 * values)
    weights = {power: sum(m.weight for m in fit.models if m.correction == power) for power in (None, 0.5, 1)}
    assert weights[None] == 0 and weights[1] < 0.01
    right = fit_rate(n, values, 1e-4 * values, correction=0.5)
    assert fit.interval() == pytest.approx(right.interval(), abs=1e-3)
    assert sum(m.weight for m in fit.models) == pytest.approx(1)


def test_models_make_a_sensitivity_table():
    values, errors = noisy(lambda n: (1 + n**-0.5) / n, 0.02)
    fit = fit_rate(WIDTHS, values, errors)
    assert {m.correction for m in fit.models} == {None, 0.5, 1.0}
    assert [m.n_min for m in fit.models if m.correction is None] == [32, 64, 128, 256]
    assert [m.dof for m in fit.models if m.correction == 1.0] == [3, 2, 1]
    assert all(m.weight == 0 for m in fit.models if m.correction is None)
    record = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert len(record["models"]) == len(fit.models)
    assert record["interval95"] == pytest.approx(list(fit.interval()))


def test_plain_fit_is_weighted_least_squares():
    values, errors = noisy(lambda n: 2 * n**-1.5, 0.05, seed=4, n=WIDTHS[:3])
    fit = fit_rate(WIDTHS[:3], values, errors, correction=None)
    full = next(m for m in fit.models if m.n_min == 32)
    slope = np.polyfit(np.log(WIDTHS[:3]), np.log(values), 1)[0]
    assert full.exponent == pytest.approx(slope, rel=1e-3)
    assert fit.local_exponents.shape == (2, 3)
    np.testing.assert_allclose(fit.local_exponents[:, 0], np.sqrt(WIDTHS[:2] * WIDTHS[1:3]))
    np.testing.assert_allclose(fit.local_exponents[:, 1], np.diff(np.log(values)) / np.log(2))
    np.testing.assert_allclose(fit.local_exponents[:, 2], 0.05 * math.sqrt(2) / np.log(2))


@pytest.mark.parametrize("errors", [True, False])
def test_two_and_three_sizes_are_honest_about_corrections(errors):
    for count in (2, 3):
        n = WIDTHS[:count]
        values = (1 + n**-0.5) / n
        fit = fit_rate(n, values, 0.01 * values if errors else None)
        low, high = fit.interval()
        assert low < -1 < high
        assert high - low > 0.2
        json.dumps(fit.to_dict(), allow_nan=False)
    if not errors:
        assert fit_rate(WIDTHS[:2], [1, 0.5]).interval() == (-math.inf, math.inf)


def test_sharp_values_at_some_sizes_keep_their_weight():
    values, errors = noisy(lambda n: 1 / n, 0.05, seed=8)
    errors = errors * np.array([1, 1e-3, 1, 1, 1e-3, 1])
    values[[1, 4]] = 1 / WIDTHS[[1, 4]]
    fit = fit_rate(WIDTHS, values, errors, correction=None)
    assert fit.exponent == pytest.approx(-1, abs=0.01)
    # while a scatter of 20 % among the errors is taken for the noise of their estimation
    values, errors = noisy(lambda n: 1 / n, 0.05, seed=8)
    jitter = np.exp(0.2 * np.random.default_rng(0).standard_normal(6))
    ends = fit_rate(WIDTHS, values, errors, correction=None).interval()
    assert fit_rate(WIDTHS, values, errors * jitter, correction=None).interval() == pytest.approx(ends, abs=0.02)


def test_a_poor_fit_is_flagged_and_widened():
    n = 2.0 ** np.arange(5, 13)
    values = (1 + 0.2 * np.cos(np.arange(8) * 2.5)) / n
    fit = fit_rate(n, values, 0.001 * values)
    assert fit.poor_fit
    assert fit.error > 20 * 0.001
    assert fit.errors.min() > 0.0015 * values.min()
    good = fit_rate(n, values, 0.3 * values)
    assert not good.poor_fit


def test_powers_of_the_logarithm():
    n = 4.0 ** np.arange(2, 10)
    values = 3 * np.log(n) ** 2 / n
    free = fit_rate(n, values, 1e-4 * values, log_power=True)
    assert abs(free.log_exponent - 2) < 4 * free.log_exponent_error
    assert abs(free.exponent + 1) < 4 * free.error
    fixed = fit_rate(n, values, 1e-4 * values, log_power=2)
    assert fixed.exponent == pytest.approx(-1, abs=1e-4)
    assert (fixed.log_exponent, fixed.log_exponent_error) == (2, 0)
    assert fixed.constant == pytest.approx(3, rel=1e-3)
    for fit in (free, fixed):
        np.testing.assert_allclose(fit.predict(n), values, rtol=2e-3)
        low, high = fit.band(n)
        assert np.all(low < values) and np.all(values < high)
    assert fit_rate(n, values, 1e-4 * values).log_exponent is None


def test_all_zero_errors_are_unknown_errors():
    values = 2 / WIDTHS
    assert fit_rate(WIDTHS, values, 0 * values).interval() == fit_rate(WIDTHS, values).interval()


def test_interval_levels_nest():
    values, errors = noisy(lambda n: 1 / n, 0.02)
    fit = fit_rate(WIDTHS, values, errors)
    lows, highs = zip(*(fit.interval(level) for level in (0.5, 0.9, 0.99, 0.9999)), strict=True)
    assert list(lows) == sorted(lows, reverse=True) and list(highs) == sorted(highs)
    low, high = fit.interval(0.6826894921370859)
    assert fit.error == pytest.approx((high - low) / 2)
    assert "exponent -" in str(fit)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([256], [1.0]), {}, ShapeError, r"n is \[256.0\]: a slope needs at least two different sizes"),
        (([8, 8], [1.0, 2.0]), {}, ShapeError, "a slope needs at least two different sizes"),
        (([8, 8, 9], [1.0, 2.0, 3.0]), {}, ShapeError, "each size may occur only once"),
        (([8, 0], [1.0, 2.0]), {}, InputError, r"n is \[8.0, 0.0\], expected positive finite sizes"),
        (([8, math.inf], [1.0, 2.0]), {}, InputError, "expected positive finite sizes"),
        (([8, 16], [1.0]), {}, ShapeError, "values has 1 entries, expected 2 as many as n"),
        (([8, 16], [[1.0, 2.0]]), {}, ShapeError, r"values has shape \(1, 2\), expected one dimension"),
        (([8, 16], [1.0, -2.0]), {}, InputError, r"values is \[1.0, -2.0\], expected positive finite num"),
        (([8, 16], [1.0, 0.0]), {}, InputError, "expected positive finite numbers"),
        (([8, 16], [1.0, math.nan]), {}, InputError, "expected positive finite numbers"),
        (([8, 16], ["a", "b"]), {}, InputError, r"values is \['a', 'b'\], expected a sequence of real"),
        (([8, 16], [1, 2], [1, -1]), {}, InputError, r"errors is \[1.0, -1.0\], expected finite standard"),
        (([8, 16], [1, 2], [1, math.inf]), {}, InputError, "expected finite standard errors"),
        (([8, 16], [1, 2]), {"correction": "both"}, InputError, "correction is 'both', expected 'auto'"),
        (([8, 16], [1, 2]), {"correction": -1.0}, InputError, "correction is -1.0, expected 'auto'"),
        (([8, 16], [1, 2]), {"correction": ()}, InputError, r"correction is \(\), expected"),
        (([8, 16], [1, 2]), {"log_power": True}, ShapeError, "n has 2 sizes: fitting a power of log n"),
        (([1, 16], [1, 2]), {"log_power": 1}, InputError, "n is 1, expected sizes above 1"),
        (([8, 16], [1, 2]), {"log_power": "x"}, InputError, "log_power is 'x', expected False, True or a"),
    ],
)
def test_bad_input_gets_a_sentence(arguments, options, error, message):
    with pytest.raises(error, match=message):
        fit_rate(*arguments, **options)
    with pytest.raises(InputError, match=r"level is 1.0, expected a number strictly between"):
        fit_rate([8, 16], [1, 2]).interval(1.0)


@pytest.fixture(scope="module")
def coverage():
    """benchmarks/coverage.py, which is a script and not part of a package."""
    spec = importlib.util.spec_from_file_location("coverage_benchmark", ROOT / "benchmarks" / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def too_low(cell, reps, target=0.93):
    """Whether coverage is below the target beyond chance: false with probability 1e-6 at the target."""
    return stats.binom.cdf(round(cell.coverage * reps), reps, target) < 1e-6


@pytest.mark.parametrize("mode", ["auto", "right"])
def test_intervals_cover_in_a_few_cells(coverage, mode):
    reps = 200
    found = list(
        coverage.cells(mode, reps, 5, noises=("normal", "lognormal"), counts=(100,), truths=("none", "+n^-1/2"))
    )
    assert len(found) == 8
    assert not [cell for cell in found if too_low(cell, reps)]
    assert max(cell.length for cell in found) < 5


def test_the_plain_fit_is_what_fails(coverage):
    (cell,) = coverage.cells(
        "none", 200, 5, noises=("precise",), counts=(1000,), grids=("32 .. 1024",), truths=("+n^-1/2",)
    )
    assert cell.coverage < 0.2


def test_the_benchmark_measures_fit_rate(coverage):
    n = coverage.GRIDS["32 .. 1024"]
    means, errors = coverage.sample_means("lognormal", 50, len(n), 5, np.random.default_rng(0))
    values, spread = means / n, errors / n
    found = coverage.law.infer(np.log(n), np.log(values), spread / values, (0.5, 1.0), False)
    low, high = found.combined.bounds(found.quantile(0.95))
    for i in range(5):
        assert fit_rate(n, values[i], spread[i]).interval() == pytest.approx((low[i], high[i]), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "right"])
def test_intervals_cover_everywhere(coverage, mode):
    reps = 400
    found = list(coverage.cells(mode, reps, 6))
    assert len(found) == 120
    assert not [cell for cell in found if too_low(cell, reps)]
    assert max(cell.length for cell in found) < 5
