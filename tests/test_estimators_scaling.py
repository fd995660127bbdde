"""Scaling of sampled quantities: sizes and scales, values near zero, records and figures."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import estimators
import randtensor as rt
from estimators.plots import statistic_label
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Quantity


class Toy(Quantity):
    """Normal with mean shift(n) and standard deviation n^-1/2 m^-1 (1 + 1/n)."""

    fingerprint = "toy"

    def __init__(self, names=("n",), shift=lambda n: 0.0, noise=1.0):
        self.scale_names = names
        self.shift = shift
        self.noise = noise

    def evaluate(self, draw):
        n, m = draw.sizes["n"], draw.sizes.get("m", 1)
        width = self.noise * n**-0.5 / m * (1 + 1 / n)
        return self.shift(n) + width * draw.generator.standard_normal(draw.batch)


class Bounded(Toy):
    """Skewed and with light tails, so that no cumulant up to the sixth is small or dominated by few samples."""

    fingerprint = "bounded"

    def evaluate(self, draw):
        return draw.generator.random(draw.batch) ** 3 / draw.sizes["n"]


MERGEABLE = ("mean", "rms", "L1", "L2.5", "variance", "std", "k3", "k4", "k5", "k6")


def test_exponent_and_record():
    found = estimators.scaling(Toy(), n=[1024, 16, 64, 256], samples=2000, rng=4)
    low, high = found.interval(0.999)
    # the 99.9 % interval misses with probability at most 1e-3
    assert low < -0.5 < high
    assert (found.exponent, found.error) == (found.fit.exponent, found.fit.error)
    assert list(found.n) == [16, 64, 256, 1024]
    assert found.scale == "n" and found.statistic == "rms" and not found.unresolved and found.reason is None
    assert found.local_exponents.shape == (3, 3)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["n"] == [16, 64, 256, 1024] and len(record["estimates"]) == 4
    assert "rms of toy, n = 16 .. 1024: exponent -0." in str(found)
    assert all(each.draws is None for each in found.estimates)
    kept = estimators.scaling(Toy(), n=[16, 64], samples=[50, 60], rng=4, keep_samples=True)
    assert [each.draws.shape for each in kept.estimates] == [(50,), (60,)]


def test_the_scale_is_the_one_that_varies_or_is_named():
    quantity = Toy(("n", "m"))
    for n, scale, exponent in [
        ([{"n": 32, "m": m} for m in (4, 16, 64, 256)], None, -1.0),
        ([{"n": n, "m": 3} for n in (16, 64, 256, 1024)], "n", -0.5),
        ([{"n": k * k, "m": k} for k in (4, 8, 16, 32)], "m", -2.0),
        ([{"n": k * k, "m": k} for k in (4, 8, 16, 32)], "n", -1.0),
    ]:
        found = estimators.scaling(quantity, n=n, scale=scale, samples=1000, rng=7)
        low, high = found.interval(0.9999)
        assert low < exponent < high
        assert abs(found.exponent - exponent) < 0.3
    with pytest.raises(InputError, match="scale is None, but n and m vary: name the one"):
        estimators.scaling(quantity, n=[{"n": 4, "m": 4}, {"n": 8, "m": 8}])
    with pytest.raises(InputError, match="scale is 'k', expected a scale of the quantity: n, m"):
        estimators.scaling(quantity, n=[{"n": 4, "m": 4}, {"n": 8, "m": 8}], scale="k")
    with pytest.raises(ShapeError, match=r"several scales \(n, m\): give a size for each"):
        estimators.scaling(quantity, n=[4, 8])


def test_values_near_zero_are_unresolved():
    hidden = estimators.scaling(Toy(), n=[16, 64, 256], statistic="mean", samples=400, rng=1)
    assert hidden.unresolved
    assert "the mean is within 3 standard errors of zero at n = 16, 64, 256" in hidden.reason
    low, high = hidden.interval()
    assert high - low > 0.5
    assert "unresolved" in str(hidden)


def test_a_change_of_sign_is_unresolved():
    turning = Toy(shift=lambda n: 1 - 100 / n, noise=0.01)
    found = estimators.scaling(turning, n=[25, 50, 200, 400], statistic="mean", samples=400, rng=1)
    assert found.reason == "the mean changes sign between n = 50 and n = 200"
    assert found.values[0] < 0 < found.values[-1]


def test_a_negative_mean_scales_by_its_magnitude():
    found = estimators.scaling(
        Toy(shift=lambda n: -10 / n, noise=0.01), n=[16, 64, 256, 1024], statistic="mean", samples=400, rng=1
    )
    assert not found.unresolved
    assert found.exponent == pytest.approx(-1, abs=0.02)
    assert np.all(found.values < 0)


def test_deterministic_quantities():
    exact = estimators.scaling(Toy(shift=lambda n: 3 / n, noise=0.0), n=[16, 64, 256, 1024, 4096], samples=5, rng=1)
    assert exact.exponent == pytest.approx(-1, abs=1e-9)
    with pytest.raises(InputError, match="the rms at n = 16 is exactly zero, expected a statistic"):
        estimators.scaling(Toy(noise=0.0), n=[16, 64], samples=5, rng=1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n": [256]}, ShapeError, r"n is \[256\]: a slope needs at least two different sizes"),
        ({"n": []}, ShapeError, r"n is \[\]: a slope needs at least two different sizes"),
        ({"n": [8, 8]}, ShapeError, r"n is \[8, 8\]: a slope needs at least two different sizes"),
        ({"n": [8, 16, 8]}, ShapeError, r"n is \[8, 16, 8\]: 8 occurs more than once"),
        ({"n": [8, 0]}, ShapeError, "n is 0 for the scale 'n', expected a positive integer"),
        ({"n": [8, -4]}, ShapeError, "n is -4 for the scale 'n', expected a positive integer"),
        ({"n": [8, 16.5]}, ShapeError, "n is 16.5 for the scale 'n', expected a positive integer"),
        ({"n": 8}, ShapeError, "n is 8, expected a list of at least two sizes"),
        ({"samples": [10, 20, 30]}, ShapeError, "samples has 3 entries, expected 2 as many as n"),
        ({"samples": 1}, InputError, "samples is 1, expected at least 2"),
        ({"samples": "many"}, InputError, "samples is 'many', expected a positive integer"),
        ({"correction": "none"}, InputError, "correction is 'none', expected 'auto'"),
        ({"n": [1, 8], "log_power": 2}, InputError, "n is 1, expected sizes above 1"),
        ({"statistic": "q99"}, InputError, "samples is 20, expected at least 500"),
    ],
)
def test_bad_options_get_a_sentence_before_anything_is_drawn(options, error, message):
    class Silent(Toy):
        def evaluate(self, draw):
            raise AssertionError("drawn")

    with pytest.raises(error, match=message):
        estimators.scaling(Silent(), **({"n": [8, 16], "samples": 20} | options))


def test_a_quantity_without_scale_has_no_exponent():
    class Fixed(Toy):
        scale_names = ()

    with pytest.raises(ShapeError, match="has no scale, expected one that can grow"):
        estimators.scaling(Fixed(()), n=[8, 16])


def test_infinite_samples_are_refused():
    class Infinite(Toy):
        def evaluate(self, draw):
            return np.full(draw.batch, np.inf if draw.sizes["n"] == 64 else 1.0)

    with pytest.raises(InputError, match=r"toy gave 20 values that are not finite among 20 at n = 64, expected finite"):
        estimators.scaling(Infinite(), n=[16, 64], samples=20, rng=1)


def test_a_constant_and_two_sizes():
    constant = estimators.scaling(Toy(shift=lambda n: 2.0, noise=0.0), n=[16, 64, 256, 1024], samples=5, rng=1)
    assert constant.exponent == pytest.approx(0, abs=1e-9) and not constant.heavy_tailed
    two = estimators.scaling(Toy(), n=[16, 1024], samples=2000, rng=1)
    low, high = two.interval()
    assert low < -0.5 < high and high - low > 0.2


class TestAddingSamples:
    n = (16, 64, 256)

    def drawn(self, statistic="rms", rng=0, samples=300, **options):
        return estimators.scaling(Toy(), n=self.n, statistic=statistic, rng=rng, samples=samples, **options)

    @pytest.mark.parametrize("statistic", MERGEABLE)
    @pytest.mark.parametrize("first", [100, 128, 200])
    def test_the_next_samples_are_those_of_one_longer_run(self, statistic, first):
        whole = estimators.scaling(Bounded(), n=self.n, statistic=statistic, rng=0, samples=300)
        begun = estimators.scaling(Bounded(), n=self.n, statistic=statistic, rng=0, samples=first)
        # records hold all that it takes
        begun = estimators.Scaling.from_dict(json.loads(json.dumps(begun.to_dict(), allow_nan=False)))
        extended = begun.extend(Bounded(), 300 - first)
        for a, b in zip(whole.estimates, extended.estimates, strict=True):
            assert (a.samples, a.sources, a.seed, a.heavy_tailed) == (b.samples, b.sources, b.seed, b.heavy_tailed)
            found = [[e.value, e.error, e.kurtosis, e.dof, *e.interval(0.9)] for e in (b, a)]
            assert found[0] == pytest.approx(found[1], rel=1e-9)
            assert b.largest_share == pytest.approx(a.largest_share, rel=1e-9)
        assert extended.interval() == pytest.approx(whole.interval(), rel=1e-6)

    @pytest.mark.parametrize("statistic", MERGEABLE)
    def test_two_halves_are_one_estimate_of_all_samples(self, statistic):
        one, other = (estimators.estimate(Bounded(), 8, statistic=statistic, samples=200, rng=r) for r in (1, 2))
        draws = np.concatenate([Bounded().sample(8, 200, rng=r) for r in (1, 2)])
        whole, both = estimators.summarize(draws, statistic), one.merge(other)
        for merged in (both, other.merge(one)):
            assert [merged.value, merged.error, merged.dof] == pytest.approx(
                [whole.value, whole.error, whole.dof], rel=1e-9
            )
        three = both.merge(estimators.estimate(Bounded(), 8, statistic=statistic, samples=7, rng=3))
        draws = np.concatenate([draws, Bounded().sample(8, 7, rng=3)])
        assert three.value == pytest.approx(estimators.summarize(draws, statistic).value, rel=1e-9)

    def test_a_cumulant_with_heavy_tails_stays_flagged(self):
        class Cauchy(Toy):
            fingerprint = "cauchy"

            def evaluate(self, draw):
                return draw.generator.standard_cauchy(draw.batch)

        one, other = (estimators.estimate(Cauchy(), 8, statistic="k4", samples=200, rng=r) for r in (1, 2))
        draws = np.concatenate([Cauchy().sample(8, 200, rng=r) for r in (1, 2)])
        whole, both = estimators.summarize(draws, "k4"), one.merge(other)
        assert both.heavy_tailed and both.error_source == "blocks" and both.dof <= one.dof + other.dof
        assert both.value == pytest.approx(whole.value, rel=1e-9) and both.error >= whole.error * (1 - 1e-9)

    @pytest.mark.parametrize("statistic", ["median", "std", "variance", "q90", "k4"])
    def test_samples_that_were_kept_give_the_same_bits(self, statistic):
        whole = self.drawn(statistic, keep_samples=True)
        extended = self.drawn(statistic, samples=200, keep_samples=True).extend(Toy(), [100] * 3)
        assert whole.estimates == extended.estimates
        assert all((a.draws == b.draws).all() for a, b in zip(whole.estimates, extended.estimates, strict=True))

    @pytest.mark.parametrize("statistic", ["median", "q90"])
    def test_quantiles_are_averaged(self, statistic):
        one, other = self.drawn(statistic, 0, 4000), self.drawn(statistic, 1, 4000)
        pooled = self.drawn(statistic, 0, 4000, keep_samples=True).merge(
            self.drawn(statistic, 1, 4000, keep_samples=True)
        )
        for a, b, c in zip(one.merge(other).estimates, pooled.estimates, one.estimates, strict=True):
            # the quantile of all samples differs from the average by about N^-1/4 standard errors
            assert abs(a.value - b.value) < 0.5 * b.error
            assert a.error == pytest.approx(b.error, rel=0.2)
            assert a.error < 0.8 * c.error

    def test_merging_is_commutative_and_keeps_every_size(self):
        one, other = self.drawn(rng=0), estimators.scaling(Toy(), n=[64, 1024], samples=100, rng=1)
        a, b = one.merge(other), other.merge(one)
        assert list(a.n) == [16, 64, 256, 1024]
        assert [e.samples for e in a.estimates] == [300, 400, 300, 100]
        assert a.values == pytest.approx(b.values) and a.interval() == pytest.approx(b.interval())

    def test_samples_are_not_counted_twice(self):
        one = self.drawn()
        with pytest.raises(InputError, match="samples 0 to 299 of the seed 0 are in both estimates, expected other"):
            one.merge(one)
        with pytest.raises(InputError, match="samples 0 to 99 of the seed 0"):
            one.merge(self.drawn(samples=100))
        both = one.merge(self.drawn(rng=1))
        with pytest.raises(InputError, match="samples 0 to 299 of the seed 1"):
            both.merge(self.drawn(rng=1))

    def test_what_does_not_belong_together(self):
        one = self.drawn()
        with pytest.raises(InputError, match="statistic is 'mean' in the other result, expected 'rms'"):
            one.merge(self.drawn("mean", 1))
        with pytest.raises(InputError, match="correction is None in the other fit, expected 'auto'"):
            one.merge(self.drawn(rng=1, correction=None))
        other = Toy()
        other.fingerprint = "another toy"
        with pytest.raises(InputError, match="quantity is another toy in the other result, expected toy"):
            one.merge(estimators.scaling(other, n=self.n, samples=20, rng=1))
        with pytest.raises(InputError, match="quantity is another toy, expected the one that was sampled"):
            one.extend(other, 10)
        with pytest.raises(InputError, match=r"sizes is \{'n': 64\} in the other estimate, expected"):
            one.estimates[0].merge(one.estimates[1])
        with pytest.raises(InputError, match="samples is 0, expected a positive integer"):
            one.extend(Toy(), 0)

    def test_records_can_be_added_to(self):
        one = self.drawn(samples=100)
        again = estimators.Scaling.from_dict(json.loads(json.dumps(one.to_dict(), allow_nan=False)))
        assert again.to_dict() == one.to_dict() and again.estimates == one.estimates
        assert again.extend(Toy(), 50).to_dict() == one.extend(Toy(), 50).to_dict()
        with pytest.raises(InputError, match="record has the schema 'randtensor/estimate/1', expected 'randtensor/sc"):
            estimators.Scaling.from_dict(one.estimates[0].to_dict())


class TestExactVariance:
    n = rt.Scale("n")
    g = rt.gaussian(n)
    square = rt.einsum("a,a->", g, g)

    def test_the_error_of_a_mean_is_exact_where_a_rule_gives_it(self):
        found = estimators.scaling(self.square, statistic="mean", n=[4, 16, 64], samples=50, rng=0)
        assert found.errors == pytest.approx(np.sqrt(2 * found.n / 50))
        assert {e.error_source for e in found.estimates} == {"exact"} and found.estimates[0].dof == np.inf
        sampled = estimators.scaling(
            self.square, statistic="mean", n=[4, 16, 64], samples=50, rng=0, variance="sampled"
        )
        assert (sampled.values == found.values).all() and (sampled.errors != found.errors).all()
        more = found.extend(self.square, 50)
        assert more.errors == pytest.approx(found.errors / np.sqrt(2))

    def test_other_statistics_and_quantities_are_sampled(self):
        assert estimators.estimate(self.square, 8, statistic="rms", samples=50, rng=0).error_source == "sampled"
        assert estimators.estimate(Toy(), 8, samples=50, rng=0).error_source == "sampled"
        with pytest.raises(InputError, match="variance is 'exact' with the statistic 'rms', expected the statistic 'm"):
            estimators.estimate(self.square, 8, statistic="rms", samples=50, variance="exact")
        with pytest.raises(rt.ExactError):
            estimators.estimate(Toy(), 8, samples=50, variance="exact")
        with pytest.raises(InputError, match="variance is 'known', expected 'auto', 'exact' or 'sampled'"):
            estimators.estimate(self.square, 8, variance="known")


def test_heavy_tails_are_flagged_and_their_errors_robust():
    class Heavy(Toy):
        fingerprint = "heavy"

        def evaluate(self, draw):
            return draw.generator.standard_normal((draw.batch, 5)).prod(1) / draw.sizes["n"]

    found = estimators.scaling(Heavy(), n=[16, 64, 256], samples=500, rng=0)
    assert found.heavy_tailed and "heavy tails" in str(found)
    flagged = [e for e in found.estimates if e.heavy_tailed]
    assert all(e.error_source == "blocks" and e.dof <= 19 and e.largest_share > 0.1 for e in flagged)
    assert np.all(found.kurtosis > 20)
    assert not estimators.scaling(Toy(), n=[16, 64, 256], samples=500, rng=0).heavy_tailed
    more = found.extend(Heavy(), 500)
    assert more.heavy_tailed and [e.samples for e in more.estimates] == [1000] * 3


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"statistic": "mean"},
        {"log_power": 1},
        {"log_power": True},
        {"correction": None},
        {"n": [8, 16]},
        {"n": [2**k for k in range(2, 13)]},
    ],
)
def test_figures(pyplot, options):
    found = estimators.scaling(Toy(), **({"n": [8, 32, 128, 512], "samples": 100, "rng": 3} | options))
    values, slopes = found.plot()
    values.figure.canvas.draw()
    assert values.get_xscale() == values.get_yscale() == slopes.get_xscale() == "log"
    assert slopes.get_xlabel() == "$n$" and slopes.get_ylabel() == "local slope"
    legend = values.get_legend().get_texts()[0].get_text()
    assert legend == "fit, unresolved" if found.unresolved else legend.startswith("fit, exponent")


@pytest.mark.parametrize(
    ("statistic", "label"),
    [
        ("k3", r"|cumulant $\kappa_{3}$|"),
        ("mean", "|mean|"),
        ("std", "standard deviation"),
        ("L2.5", "$L^{2.5}$ norm"),
        ("q90", "90 % quantile"),
    ],
)
def test_the_statistic_is_named_in_figures(pyplot, statistic, label):
    found = estimators.scaling(Bounded(), n=[8, 32, 128], statistic=statistic, samples=100, rng=3)
    values, _ = found.plot()
    values.figure.canvas.draw()
    assert values.get_ylabel() == label
    assert statistic_label(statistic) == label.strip("|")


def test_figures_in_given_axes(pyplot):
    found = estimators.scaling(Toy(), n=[8, 32, 128], samples=100, rng=3)
    _, ax = pyplot.subplots()
    assert found.plot(ax) == (ax,)
    _, pair = pyplot.subplots(2)
    assert found.plot(pair) == tuple(pair)


def test_figures_without_matplotlib(monkeypatch):
    found = estimators.scaling(Toy(), n=[8, 32, 128], samples=100, rng=3)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"matplotlib is needed for plot\(\): pip install 'rand"):
        found.plot()
