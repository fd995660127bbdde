"""What more samples would make of a fit: against fits to data with smaller errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from estimators import fit_rate
from estimators.more_samples import with_samples

N = 4.0 ** np.arange(3, 9)
EXACT = 3 / N * (1 + N**-0.5)


def fit(share, n=N, values=EXACT, **options):
    # errors that are exact stay as they are; values on the law, so that only errors change
    return fit_rate(n, values, share * values, exact_errors=True, **options)


@pytest.mark.parametrize("factor", [4.0, 100.0])
@pytest.mark.parametrize("options", [{"correction": 0.5, "hedged": False}, {"correction": None}])
def test_it_is_the_fit_to_values_with_smaller_errors(factor, options):
    values = 3 / N if options["correction"] is None else EXACT
    few, many = fit(0.05, values=values, **options), fit(0.05 / factor**0.5, values=values, **options)
    predicted = with_samples(few, factor)
    assert predicted.error == pytest.approx(many.error, rel=0.1)
    assert predicted.errors == pytest.approx(many.errors) and predicted.given_errors == pytest.approx(many.given_errors)
    length = np.ptp(predicted.interval())
    assert length == pytest.approx(np.ptp(many.interval()), rel=0.1)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 0.2), st.floats(1.01, 1e4), st.sampled_from([(2, 0), (3, 1), (6, 3)]))
def test_more_samples_never_lengthen_the_interval(share, factor, grid):
    sizes, _ = grid
    one = fit(share, N[:sizes], EXACT[:sizes])
    more = with_samples(one, factor)
    assert more.error <= one.error * (1 + 1e-9)
    # no faster than the root of the number of samples
    assert more.error >= one.error / factor**0.5 * (1 - 1e-9)
    assert more.exponent == one.exponent


def test_what_is_not_known_about_the_correction_remains():
    two = fit(0.01, N[:2], EXACT[:2])
    assert with_samples(two, 1e8).error > 0.5 * two.error
    assert with_samples(fit(0.01, 3 * N, 3 / N), 1e8).error < 1e-3 * fit(0.01, 3 * N, 3 / N).error


def test_one_times_the_samples_changes_nothing():
    found = fit(0.03)
    assert with_samples(found, 1).interval() == pytest.approx(found.interval())


def test_fits_without_errors():
    unknown = fit_rate(N[:2], EXACT[:2])
    assert np.isinf(with_samples(unknown, 4).error)


@pytest.mark.parametrize("factor", [0, -1, np.inf, np.nan, True, "2", None])
def test_bad_factors_get_a_sentence(factor):
    with pytest.raises(rt.InputError, match=f"factor is {factor!r}, expected a positive number"):
        with_samples(fit(0.1), factor)
