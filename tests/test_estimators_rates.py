"""Rate inference: exact laws, symmetries, combination of models, calibration, and sentences for bad input."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimators import RateFit, fit_rate
from estimators.rate_fit import digits_for
from randtensor.errors import InputError, ShapeError

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
    fit, without = fit_rate(WIDTHS, values, 0 * values), fit_rate(WIDTHS, values)
    assert fit.interval() == without.interval()
    said = "every error is 0: a common relative error was estimated from the residuals instead"
    assert said in fit.notes and said not in without.notes


@pytest.mark.parametrize("errors", [[0.02, 0, 0.02, 0, 0.02, 0.02], [1.0, 0, 1.0, 1.0, 1e-12, 1e6]])
@pytest.mark.filterwarnings("error")
def test_a_single_error_of_zero_makes_a_value_exact(errors):
    values = 2 / WIDTHS
    fit = fit_rate(WIDTHS, values, np.array(errors) * values)
    assert "the error is 0 at n = 64" in fit.notes[0] and "taken as exact" in fit.notes[0]
    assert fit.predict(64.0) == pytest.approx(2 / 64, rel=1e-6)
    assert np.all(np.isfinite(fit.residuals)) and np.all(fit.band(WIDTHS)[1] >= fit.band(WIDTHS)[0])


@given(seed=st.integers(0, 1000), known=st.booleans())
def test_negative_values_are_fitted_by_their_size(seed, known):
    values, errors = noisy(lambda n: 1 / n, 0.02, seed)
    fit, mirrored = (fit_rate(WIDTHS, s * values, errors if known else None) for s in (1, -1))
    assert (fit.negative, mirrored.negative) == (False, True)
    assert mirrored.interval() == fit.interval() and mirrored.models == fit.models
    assert {**mirrored.to_dict(), "negative": False} == fit.to_dict()
    assert RateFit.from_dict(mirrored.to_dict()).negative
    if known:
        more = fit_rate(WIDTHS * 64, -values / 64, errors / 64)
        assert mirrored.merge(more).negative
        with pytest.raises(InputError, match="negative is False in one fit and True in the other"):
            fit.merge(more)


@pytest.mark.parametrize(("power", "says"), [(1, "n^-1.00 log n fits as well"), (-1, "n^-1.00 / log n fits as well")])
def test_a_logarithm_that_fits_as_well_is_named(power, says):
    values = 3 * np.log(WIDTHS) ** power / WIDTHS
    fit = fit_rate(WIDTHS, values, 0.001 * values)
    low, high = fit.interval()
    assert not low < -1 < high  # sure of the wrong exponent
    (note,) = fit.notes
    assert says in note and f"(log_power={power})" in note and note in str(fit)
    assert RateFit.from_dict(fit.to_dict()).notes == fit.notes
    told = fit_rate(WIDTHS, values, 0.001 * values, log_power=power)
    assert told.notes == () and told.interval()[0] < -1 < told.interval()[1]
    assert fit_rate(WIDTHS, values, 0.001 * values, log_power=0).notes == ()


def test_data_that_reject_a_logarithm_or_cannot_see_one_are_without_note():
    n = 4.0 ** np.arange(3, 10)
    for values in (3 / n, 3 / n * (1 + n**-0.5)):
        assert fit_rate(n, values, 1e-4 * values).notes == ()
    values = 3 / WIDTHS
    rough = fit_rate(WIDTHS, values, 0.3 * values)  # the interval holds the exponent of both
    assert rough.notes == () and rough.interval()[0] < -1.2 < -0.8 < rough.interval()[1]
    assert fit_rate(WIDTHS[:2], values[:2]).notes == ()
    assert fit_rate(WIDTHS / 1024, values, 1e-3 * values).notes == ()  # no logarithm below 1


def test_records_of_earlier_versions_have_no_notes():
    record = fit_rate([8, 16], [1, 2], [0.1, 0.1]).to_dict()
    del record["notes"], record["negative"]
    assert RateFit.from_dict(record).notes == () and not RateFit.from_dict(record).negative


@given(center=st.floats(-5, 5), exponent=st.floats(-12, 0))
def test_the_ends_of_an_interval_are_told_apart(center, exponent):
    low, high = center - 10**exponent, center + 10**exponent
    digits = digits_for(low, high)
    assert digits >= 4 and float(f"{low:.{digits}g}") < float(f"{high:.{digits}g}")
    assert digits_for(-1.0, -1.0) == digits_for(-math.inf, math.inf) == 4


def test_a_precise_fit_is_printed_with_its_digits():
    values = 3 / WIDTHS
    text = str(fit_rate(WIDTHS, values, 1e-9 * values))
    low, high = text.split("(")[1].split(")")[0].split(", ")
    assert float(low) < -1 < float(high)


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
        (([16, 8], [1.0, -2.0]), {}, InputError, "values changes sign between n = 8 and n = 16, expected one sign"),
        (([8, 16], [1.0, 0.0]), {}, InputError, r"values is \[1.0, 0.0\], expected finite numbers other than zero"),
        (([8, 16], [1.0, math.nan]), {}, InputError, "expected finite numbers other than zero"),
        (([8, 16], [1j, 2j]), {}, InputError, r"values is \[1j, 2j\], expected a sequence of real numbers"),
        (([8, 16], np.array([1j, 2j])), {}, InputError, "expected a sequence of real numbers$"),
        (([8, 16], [1, 2], [1j, 2j]), {}, InputError, r"errors is \[1j, 2j\], expected a sequence of real"),
        (([8, 16], [1.0, 1e-320]), {}, InputError, "values is 1e-320 at n = 16, expected at least 2.2e-308 in size"),
        (([8, 16], [1.0, 1.0], [1.0, 1e200]), {}, InputError, r"errors is 1e\+200 at n = 16, where values is 1: exp"),
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


def test_supplied_powers_are_hedged_unless_trusted():
    values, errors = noisy(lambda n: (1 + 2 * n**-0.5) / n, 0.003)
    hedged = fit_rate(WIDTHS, values, errors, correction=1.0)
    trusted = fit_rate(WIDTHS, values, errors, correction=1.0, hedged=False)
    assert {m.correction for m in hedged.models if m.weight} <= {0.5, 1.0}
    assert {m.correction for m in trusted.models} == {None, 1.0}
    low, high = hedged.interval()
    assert low < -1 < high
    assert trusted.interval()[1] < -1  # sure of the wrong exponent: w = 1 is not the truth
    assert {m.correction for m in fit_rate(WIDTHS, values, errors, correction=2).models} == {None, 0.5, 1.0, 2.0}
    with pytest.raises(InputError, match="hedged is 'yes', expected True or False"):
        fit_rate(WIDTHS, values, errors, hedged="yes")


def test_the_relief_of_a_union_ends_before_refutations():
    values, errors = noisy(lambda n: 1 / n, 0.002)
    fit = fit_rate(WIDTHS, values, errors)
    singles = [fit_rate(WIDTHS, values, errors, correction=w, hedged=False) for w in (0.5, 1.0)]
    quantile = 3.890592  # of a level of 0.9999
    low, high = fit.interval(0.9999)
    assert low <= min(s.exponent - quantile * s.error for s in singles) + 1e-9
    assert high >= max(s.exponent + quantile * s.error for s in singles) - 1e-9
    assert low >= min(s.interval(0.9999)[0] for s in singles) and high <= max(s.interval(0.9999)[1] for s in singles)
    short = [max(s.interval(0.95)[1] - s.interval(0.95)[0] for s in singles)]
    assert fit.interval(0.95)[1] - fit.interval(0.95)[0] < 1.02 * short[0]


@given(
    seed=st.integers(0, 1000),
    correction=st.sampled_from(["auto", None, 0.75, (0.5, 2.0)]),
    log_power=st.sampled_from([False, True, 1.5]),
    known=st.booleans(),
)
def test_records_restore_the_fit(seed, correction, log_power, known):
    values, errors = noisy(lambda n: n**-0.7 * (1 + 1 / n), 0.02, seed)
    fit = fit_rate(WIDTHS, values, errors if known else None, correction=correction, log_power=log_power)
    record = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    again = RateFit.from_dict(record)
    assert again.to_dict() == fit.to_dict()
    assert again.interval(0.9) == fit.interval(0.9) and again.models == fit.models
    np.testing.assert_array_equal(again.predict(WIDTHS), fit.predict(WIDTHS))
    np.testing.assert_array_equal(again.band(WIDTHS), fit.band(WIDTHS))


def test_records_of_something_else_are_refused():
    record = fit_rate([8, 16], [1, 2], [0.1, 0.1]).to_dict()
    with pytest.raises(InputError, match="record has the schema 'x', expected 'randtensor/rate-fit/1'"):
        RateFit.from_dict(record | {"schema": "x"})
    with pytest.raises(InputError, match="record has no field 'models'"):
        RateFit.from_dict({key: value for key, value in record.items() if key != "models"})
    with pytest.raises(InputError, match="record cannot be read"):
        RateFit.from_dict(record | {"exponent": "many"})


def test_merging_halves_the_variance():
    one = fit_rate(WIDTHS, *noisy(lambda n: 1 / n, 0.02, 1), correction=None)
    other = fit_rate(WIDTHS, *noisy(lambda n: 1 / n, 0.02, 2), correction=None)
    both = one.merge(other)
    np.testing.assert_allclose(both.given_errors / both.values, 0.02 / np.sqrt(2), rtol=0.01)
    assert other.merge(one).interval() == pytest.approx(both.interval())
    slope = next(m.exponent for m in both.models if m.n_min == WIDTHS[0])
    ends = sorted(next(m.exponent for m in f.models if m.n_min == WIDTHS[0]) for f in (one, other))
    assert ends[0] < slope < ends[1]
    wider = one.merge(fit_rate([4096, 8192], [1 / 4096, 1 / 8192], [1e-6, 1e-6], correction=None))
    assert list(wider.n) == [*WIDTHS, 4096, 8192]


def test_fits_that_cannot_be_merged():
    values, errors = noisy(lambda n: 1 / n, 0.02)
    fit = fit_rate(WIDTHS, values, errors)
    with pytest.raises(InputError, match="the value at n = 32 is the same in both fits, expected independent"):
        fit.merge(fit)
    with pytest.raises(InputError, match=r"log_power is False in one fit and 1.0 in the other, expected the same"):
        fit.merge(fit_rate(WIDTHS, 2 * values, errors, log_power=1))
    with pytest.raises(InputError, match="errors is None in one of the fits"):
        fit.merge(fit_rate(WIDTHS, 2 * values))
    with pytest.raises(InputError, match="other is 3, expected a RateFit"):
        fit.merge(3)


def test_constant_values_have_exponent_zero():
    for errors in (None, [0.0] * 6, [0.01] * 6):
        fit = fit_rate(WIDTHS, [2.0] * 6, errors)
        assert fit.exponent == pytest.approx(0, abs=1e-9)
        low, high = fit.interval()
        assert low <= 1e-12 and high >= -1e-12


def test_residuals_are_in_standard_errors():
    values, errors = noisy(lambda n: 1 / n, 0.02)
    fit = fit_rate(WIDTHS, values, errors, correction=None)
    weighted = fit.residuals * (errors / values) / (fit.errors / fit.values)
    assert np.square(weighted).sum() < 20  # chi-square on at most 5 degrees: fails with probability 1e-3, seed fixed


def test_figures_of_a_fit():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    values, errors = noisy(lambda n: 1 / n, 0.02)
    for fit in (
        fit_rate(WIDTHS, values, errors),
        fit_rate(WIDTHS, values, log_power=True),
        fit_rate(WIDTHS[:2], values[:2]),
    ):
        axes = fit.plot()
        axes[0].figure.canvas.draw()
        assert [ax.get_ylabel() for ax in axes] == ["value", "local slope", "residual / standard error", "exponent"]
        assert axes[3].get_xlabel() == "smallest $n$ fitted"
        pyplot.close(axes[0].figure)
    axes = fit_rate(WIDTHS, -values, errors).plot()
    assert axes[0].get_ylabel() == "|value|" and "negative" in axes[0].get_legend_handles_labels()[1]
    pyplot.close(axes[0].figure)
