"""Sampling: the same bits however the work is dealt out, clean ends, and sentences for bad input."""

from __future__ import annotations

import json
import math
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import estimators
from estimators.sampling import draw_samples
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Quantity


class Law(Quantity):
    """Normal with standard deviation n^-1/2."""

    scale_names = ("n",)
    fingerprint = "normal of variance 1/n"

    def evaluate(self, draw):
        return draw.generator.standard_normal(draw.batch) / math.sqrt(draw.sizes["n"])


class Probed(Quantity):
    """Two probes X + e1, X + e2 of a standard normal X plus 2."""

    scale_names = ("n",)
    fingerprint = "probed"
    probes = 2

    def evaluate(self, draw):
        truth = 2 + draw.generator.standard_normal((draw.batch, 1))
        return truth + 3 * draw.generator.standard_normal((draw.batch, 2))


class Broken(Law):
    """Law with something in the place of the first sample of each block of 32."""

    def __init__(self, value):
        self.value = value

    def block_length(self, sizes):
        return 32

    def evaluate(self, draw):
        samples = super().evaluate(draw)
        samples[0] = self.value
        return samples


ROOT = np.random.SeedSequence(20)
REFERENCE = {n: draw_samples(Law(), [{"n": n}], [300], ROOT, jobs=1)[0] for n in (4, 1024)}


@settings(deadline=None, max_examples=40)
@given(
    jobs=st.integers(1, 9),
    block_size=st.none() | st.integers(1, 400),
    samples=st.integers(2, 300),
    n=st.sampled_from([4, 1024]),
)
def test_same_bits_for_every_division_of_the_work(jobs, block_size, samples, n):
    (drawn,) = draw_samples(Law(), [{"n": n}], [samples], ROOT, jobs=jobs, block_size=block_size)
    assert drawn.shape == (samples,)
    np.testing.assert_array_equal(drawn, REFERENCE[n][:samples])


def test_same_samples_as_the_quantity_itself():
    np.testing.assert_array_equal(REFERENCE[4], Law().sample(4, size=300, rng=20))


def test_results_do_not_depend_on_jobs_or_companions():
    alone = estimators.estimate(Law(), 64, statistic="rms", samples=150, rng=3, jobs=1)
    for jobs, block_size in [(2, None), (7, 100)]:
        together = estimators.scaling(
            Law(), n=[256, 16, 64], samples=[150, 90, 150], rng=3, jobs=jobs, block_size=block_size
        )
        assert together.estimates[1] == alone
        assert list(together.n) == [16, 64, 256]
        assert [found.samples for found in together.estimates] == [90, 150, 150]


def test_keep_samples_and_seed_reproduce():
    first = estimators.estimate(Law(), 8, samples=100, rng=np.random.default_rng(5), keep_samples=True)
    again = estimators.estimate(Law(), 8, samples=200, rng=np.random.SeedSequence(first.seed), keep_samples=True)
    np.testing.assert_array_equal(again.draws[:100], first.draws)
    assert estimators.estimate(Law(), 8, samples=100, rng=5).draws is None


@pytest.mark.parametrize("jobs", [1, 3])
def test_progress_counts_every_sample_once(jobs):
    seen = []
    estimators.scaling(Law(), n=[8, 1024], samples=100, rng=0, jobs=jobs, progress=lambda *c: seen.append(c))
    assert seen[-1] == (200, 200)
    assert sorted(set(seen)) == seen


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_cancels_what_has_not_started(error):
    evaluated = []

    class Counting(Law):
        def evaluate(self, draw):
            evaluated.append(1)
            time.sleep(1e-3)  # gives way to the main thread, as drawing real samples does
            return super().evaluate(draw)

    def interrupt(done, total):
        raise error

    with pytest.raises(error):
        # 10 000 blocks, where the first progress report interrupts
        estimators.estimate(Counting(), 2**14, samples=20_000, rng=0, jobs=2, progress=interrupt)
    assert len(evaluated) < 5_000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("randtensor")]


def test_an_error_in_a_worker_comes_out():
    class Failing(Law):
        def evaluate(self, draw):
            raise ZeroDivisionError("no sample today")

    with pytest.raises(ZeroDivisionError, match="no sample today"):
        estimators.estimate(Failing(), 8, samples=1000, rng=0, jobs=4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_are_named_and_counted(value):
    message = "normal of variance 1/n gave 4 values that are not finite among 128 at n = 16"
    with pytest.raises(InputError, match=message):
        estimators.estimate(Broken(value), 16, samples=128, rng=0)


def test_probes_are_averaged_or_paired():
    # true mean 2, mean square 5, variance 1; at 4 standard errors a false failure has probability 6e-5 each
    for statistic, truth in {"mean": 2.0, "rms": 5**0.5, "variance": 1.0, "std": 1.0}.items():
        found = estimators.estimate(Probed(), 1, statistic=statistic, samples=40_000, rng=11)
        assert abs(found.value - truth) < 4 * found.error
        assert found.error < 0.1
    for statistic in ("median", "q90", "L1"):
        with pytest.raises(InputError, match="2 noisy probes per sample"):
            estimators.estimate(Probed(), 1, statistic=statistic, rng=0)


def test_estimate_is_a_record():
    found = estimators.estimate(Law(), 25, statistic="rms", samples=500, rng=2)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["sizes"] == {"n": 25} and record["seed"] == 2 and record["samples"] == 500
    low, high = found.interval(0.95)
    assert low < found.value < high
    assert np.subtract(*found.interval(0.5)) > low - high
    assert "rms 0.19" in str(found) or "rms 0.2" in str(found)


def test_constant_samples_have_no_error_and_no_kurtosis():
    class Constant(Law):
        def evaluate(self, draw):
            return np.full(draw.batch, 0.1)

    for statistic in ("mean", "rms", "median", "L3"):
        found = estimators.estimate(Constant(), 3, statistic=statistic, samples=1000, rng=0)
        assert found.error < 1e-12
        assert found.value == pytest.approx(0.1, rel=1e-12)
        assert math.isnan(found.kurtosis) and found.to_dict()["kurtosis"] is None
    assert estimators.estimate(Constant(), 3, statistic="variance", samples=10, rng=0).value < 1e-30


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n": 0}, ShapeError, "n is 0 for the scale 'n', expected a positive integer"),
        ({"n": 2.5}, ShapeError, "n is 2.5 for the scale 'n'"),
        ({"n": None}, ShapeError, "expected a size for the scale 'n'"),
        ({"samples": 1}, InputError, "samples is 1, expected at least 2"),
        ({"samples": 0}, InputError, "samples is 0, expected a positive integer"),
        ({"samples": 10.0}, InputError, "samples is 10.0, expected a positive integer"),
        ({"statistic": "q99", "samples": 100}, InputError, "samples is 100, expected at least 500 .* 'q99'"),
        ({"statistic": "modus"}, InputError, "statistic is 'modus', expected 'mean', 'rms'"),
        ({"statistic": "q100"}, InputError, "statistic is 'q100'"),
        ({"statistic": "L0"}, InputError, "statistic is 'L0'"),
        ({"statistic": 3}, InputError, "statistic is 3"),
        ({"jobs": 0}, InputError, "jobs is 0, expected a positive integer"),
        ({"block_size": -1}, InputError, "block_size is -1, expected a positive integer"),
        ({"rng": "seed"}, InputError, "rng is 'seed'"),
    ],
)
def test_bad_options_get_a_sentence(options, error, message):
    with pytest.raises(error, match=message):
        estimators.estimate(Law(), **({"n": 8, "samples": 20} | options))


def test_only_scalars_are_estimated():
    class Vector(Law):
        shape = (3,)

    with pytest.raises(ShapeError, match=r"has shape \(3,\), expected a scalar"):
        estimators.estimate(Vector(), 8)
    with pytest.raises(InputError, match="quantity is 'f', expected a randtensor quantity"):
        estimators.estimate("f", 8)

    class Liar(Law):
        def evaluate(self, draw):
            return np.zeros((draw.batch, 2))

    with pytest.raises(InputError, match=r"gave samples of shape \(2,\), expected its shape \(\)"):
        estimators.estimate(Liar(), 8)
