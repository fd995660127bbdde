"""Runs within a time budget: they meet it, decide what they can, and can be repeated from their sample counts."""

from __future__ import annotations

import json
import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import randtensor as rt
from theory_checks import (
    Claim,
    Exact,
    Identity,
    NoDefiniteBound,
    Tight,
    Zero,
    adaptive,
    allocation,
    check,
    checks,
    verification,
    verify,
)
from theory_checks.adaptive import LOOKS, fair_shares
from theory_checks.allocation import allocate
from theory_checks.reports import Interrupted

n = rt.Scale("n")
SIZES = [16, 64, 256, 1024]


class Clock:
    """What stands for the time: it passes where a quantity says so, and a little at every look."""

    def __init__(self):
        self.now, self.lock = 0.0, threading.Lock()

    def sleep(self, seconds):
        with self.lock:
            self.now += seconds
            return self.now

    def perf_counter(self):
        return self.sleep(1e-5)


clock = Clock()


@pytest.fixture(scope="module", autouse=True)
def simulated_time():
    """The schedule is tested against a clock of its own: a busy machine changes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (adaptive, allocation, checks, verification):
            patch.setattr(module, "time", clock)
        yield


def law(name, exponent=-1.0, mean=0.0, pause=1e-4):
    """A Gaussian of scale n^exponent; every block of 1000 samples takes ``pause`` seconds."""

    @rt.quantity(n, name=name, batch=1000)
    def sampled(size, batch, rng):
        clock.sleep(pause)
        return float(size) ** exponent * (mean + rng.standard_normal(batch))

    return sampled


def claim(name, predicted, quantity=None, **options):
    quantity = law(name) if quantity is None else quantity
    return Claim(name, quantity, predicted=predicted, **{"n": SIZES, "correction": None, **options})


def mixed():
    return [
        claim("true", rt.Theta(n**-1)),
        claim("false", rt.Theta(n**-0.5)),
        claim("undecided", rt.Theta(n**-1), margin=1e-4),
        claim("exact", Exact(n**-1), law("exact", mean=1.0), statistic="mean"),
        claim("zero", Zero()),
        claim("identity", Identity(1e-12), law("rounding", mean=0.0) * 1e-15),
        claim("tight", Tight(n**-1, quantiles=(50, 90))),
    ]


def comparable(report):
    records = [dict(result) for result in report.to_dict()["results"]]
    for record in records:
        record["details"].pop("adaptive", None)
    return records


@pytest.fixture(scope="module")
def report(simulated_time):
    return verify(mixed(), rng=3, time_budget=1.5, jobs=1)


def test_verdicts_are_those_of_the_laws(report):
    verdicts = {result.claim.name: result.verdict for result in report.results}
    assert verdicts.pop("undecided") == "inconclusive"
    assert verdicts.pop("false") == "refuted"
    assert set(verdicts.values()) <= {"consistent", "inconclusive"}
    assert verdicts["true"] == verdicts["exact"] == verdicts["zero"] == verdicts["identity"] == "consistent"


def test_a_claim_stops_when_it_is_decided(report):
    samples = {result.claim.name: sum(result.counts) for result in report.results}
    assert samples["undecided"] > 2 * samples["exact"]
    for result in report.results:
        looks = result.details["adaptive"]["looks"]
        assert 1 <= len(looks) <= LOOKS == result.looks
        assert looks[-1] == list(result.counts) == list(result.claim.counts)
        assert all(np.all(np.diff(column) >= 0) for column in np.transpose(looks))


def test_the_counts_reproduce_the_run(report, tmp_path):
    path = report.save(tmp_path)
    for record in (report.to_dict(), path, json.loads(path.read_text())):
        again = verify(mixed(), rng=3, replay=record, jobs=2)
        assert comparable(again) == comparable(report)
    one = report.results[0]
    alone = check(one.claim, rng=3, false_refutation=one.false_refutation, looks=one.looks)
    assert [m.to_dict() for m in alone.measurements] == [m.to_dict() for m in one.measurements]
    assert alone.verdict == one.verdict


def test_a_replay_leaves_out_what_was_not_sampled():
    record = verify(mixed()[:2], rng=0).to_dict()
    record["results"][0]["samples"] = [0, 0, 0, 0]
    assert [result.claim.name for result in verify(mixed()[:2], rng=0, replay=record).results] == ["false"]


def test_the_pilot_is_not_in_the_samples(report):
    # the verdict's samples are those of a plain run from its beginning, the pilot's have streams of their own
    one = report.results[0]
    plain = check(claim("true", rt.Theta(n**-1), samples=list(one.counts)), rng=3)
    assert [m.value for m in plain.measurements] == [m.value for m in one.measurements]


def test_the_report_names_the_time_budget(report):
    assert "of a time budget of 1.5 s" in report.summary()
    assert report.to_dict()["time_budget"] == 1.5


@pytest.mark.parametrize("seconds", [1.5, 3.0])
def test_a_run_that_decides_nothing_takes_its_time_budget_within_a_fifth(seconds):
    claims = [
        claim(f"c{i}", rt.Theta(n**-1), law(f"c{i}", pause=0.001 * (i + 1)), margin=1e-4, statistic="L2")
        for i in range(3)
    ]
    start = clock.now
    report = verify(claims, rng=0, time_budget=seconds, jobs=1)
    assert 0.8 * seconds < clock.now - start < 1.2 * seconds
    assert report.exit_status == 3
    # every claim gets its part
    assert min(result.seconds for result in report.results) > 0.5 * seconds / 3


def test_a_run_that_is_decided_ends_before_its_time():
    start = clock.now
    assert verify([claim("true", rt.Theta(n**-1))], rng=0, time_budget=60.0).exit_status == 0
    assert clock.now - start < 20


def test_a_claim_that_does_not_fit_is_not_sampled():
    report = verify(mixed()[:2], rng=0, time_budget=1e-6)
    for result in report.results:
        assert (result.verdict, result.measurements, result.counts) == ("inconclusive", (), (0,) * 4)
        assert "not sampled: the fewest samples of a check take about" in result.reason
        assert min(result.samples_required) >= 30
    assert report.exit_status == 3
    assert "not sampled" in report.text()
    json.dumps(report.to_dict(), allow_nan=False)


def test_the_cost_of_sizes_that_are_too_slow_for_the_pilot_is_extrapolated():
    @rt.quantity(n, name="slow", batch=10)
    def slow(size, batch, rng):
        clock.sleep(0.01 * batch * (size / 1024) ** 2)
        return rng.standard_normal(batch) / size

    start = clock.now
    (result,) = verify([claim("slow", rt.Theta(n**-1), slow)], rng=0, time_budget=0.4, jobs=1).results
    assert clock.now - start < 1.0
    found = result.details["adaptive"]
    assert found["pilot"] == [16, 16, 16, 0] or found["pilot"] == (16, 16, 16, 0)
    # 16 times the cost at a quarter of the size
    assert 0.005 < found["seconds_per_sample"][-1] < 0.03


def test_the_fewest_samples_are_drawn_in_whole_blocks():
    stated = claim("short", rt.Theta(n**-1), rt.norm(rt.gaussian(n)), samples=[400, 400, 400, 20], margin=1e-3)
    (result,) = verify([stated], rng=0, time_budget=0.3).results
    for count, least, sizes in zip(result.counts, (30, 30, 30, 20), stated.sizes, strict=True):
        assert count >= least
        assert count % stated.quantity.block_length(sizes) == 0


def test_larger_sizes_that_cost_more_get_fewer_samples():
    @rt.quantity(n, name="costly", batch=100)
    def costly(size, batch, rng):
        clock.sleep(0.0002 * size / 16)
        return rng.standard_normal(batch) / size

    (result,) = verify([claim("c", rt.Theta(n**-1), costly, margin=1e-3)], rng=0, time_budget=1.0, jobs=1).results
    assert result.counts[0] > result.counts[-1] > 0


def test_an_interruption_keeps_what_was_looked_at(monkeypatch):
    seen = []

    def stop(stated, **options):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(stated)
        return check(stated, **options)

    monkeypatch.setattr(adaptive, "check", stop)
    with pytest.raises(Interrupted) as caught:
        verify(mixed(), rng=0, time_budget=5.0)
    report = caught.value.report
    assert (len(report.results), report.interrupted, report.exit_status) == (2, True, 130)
    assert "interrupted after 2 of 7 claims" in report.summary()


def test_an_interruption_shows_even_when_every_claim_was_looked_at(monkeypatch):
    seen = []

    def stop(stated, **options):
        if len(seen) == 1:
            raise KeyboardInterrupt
        seen.append(stated)
        return check(stated, **options)

    monkeypatch.setattr(adaptive, "check", stop)
    with pytest.raises(Interrupted) as caught:
        verify([claim("undecided", rt.Theta(n**-1), margin=1e-4)], rng=0, time_budget=2.0)
    assert (len(caught.value.report.results), caught.value.report.exit_status) == (1, 130)


def test_errors_name_the_claim():
    @rt.quantity(n, name="broken")
    def broken(size, batch, rng):
        return 1 / (size - size)

    message = "claim 'broken': sampling failed with ZeroDivisionError"
    for options in ({}, {"time_budget": 0.5}):
        report = verify([claim("broken", rt.Theta(1), broken), claim("true", rt.Theta(n**-1))], rng=0, **options)
        bad, fine = report.results
        assert (bad.verdict, bad.counts, bad.contradictions) == ("inconclusive", (0,) * 4, ())
        assert bad.reason.startswith(message) and bad.details["error"] == "InputError"
        assert fine.verdict != "refuted" and sum(fine.counts) > 0
        assert report.exit_status == 3
        json.dumps(report.to_dict(), allow_nan=False)
        assert "ZeroDivisionError" in report.text()
    with pytest.raises(rt.InputError, match="jobs is 0, expected a positive integer"):
        verify([claim("true", rt.Theta(n**-1))], jobs=0)


@pytest.mark.parametrize("options", [{"budget": 4}, {"time_budget": 1.0}])
@pytest.mark.parametrize("predicted", [Tight(), Tight(n**-1), NoDefiniteBound()])
def test_more_samples_add_no_quantiles(predicted, options):
    # 400 samples are enough for three quantiles, 1600 for four
    (result,) = verify([claim("tight", predicted)], rng=0, **options).results
    assert sum(result.counts) > 1600 or "time_budget" in options
    assert result.claim.quantiles == (10.0, 50.0, 90.0)
    assert len(result.contradictions) == (3 if predicted == Tight(n**-1) else 1)
    assert str(result.claim.predicted) == str(predicted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rng": 4}, "rng is 4, but the run to replay had 3, expected the options of that run"),
        ({"budget": 2.0}, "budget is 2.0, but the run to replay had 1.0"),
        ({"false_refutation": 0.01}, "false_refutation is 0.01, but the run to replay had 0.0001"),
        ({"quick": True}, "quick is True, but the run to replay had False"),
    ],
)
def test_a_replay_takes_the_options_of_its_run(report, options, message):
    with pytest.raises(rt.InputError, match=message):
        verify(mixed(), replay=report.to_dict(), **{"rng": 3, **options})


def test_a_replay_takes_the_claims_of_its_run(report):
    with pytest.raises(rt.InputError, match="target has 1 assertions, but the run to replay split its levels over 7"):
        verify(mixed()[:1], rng=3, replay=report.to_dict())
    assert len(verify(mixed(), rng=3, replay=report.to_dict(), only="false").results) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_budget": 0}, "time_budget is 0, expected a positive number of seconds"),
        ({"time_budget": math.inf}, "time_budget is inf, expected a positive number"),
        ({"time_budget": "1"}, "time_budget is '1', expected a positive number"),
        ({"time_budget": 1, "replay": {}}, "time_budget and replay are both given"),
        ({"replay": {}}, "replay has no samples by claim, expected the results of a run"),
        (
            {"replay": {"results": [{"id": "", "name": "true", "samples": [0, 0, 0, 0], "looks": 4}]}},
            "replay has no samples of any of these claims",
        ),
        ({"replay": {"results": []}}, "replay has no results of claim 'true'"),
        (
            {"replay": {"results": [{"id": "", "name": "true", "samples": [3], "looks": 1}]}},
            "claim 'true': samples has 1 entries, expected 4, one per size",
        ),
    ],
)
def test_options_that_cannot_be_used(options, message):
    with pytest.raises(rt.InputError, match=message):
        verify([claim("true", rt.Theta(n**-1))], **options)


def test_progress_ends_at_the_time_budget():
    seen = []
    verify(mixed()[:3], rng=0, time_budget=1.0, progress=seen.append)
    fractions = [state.fraction for state in seen]
    assert fractions == sorted(fractions)
    assert 0.1 < fractions[-1] <= 1
    assert {state.index for state in seen} == {1, 2, 3}


POSITIVE = st.floats(1e-3, 1e3)


@given(st.lists(st.tuples(POSITIVE, POSITIVE, POSITIVE), min_size=1, max_size=6), POSITIVE)
def test_an_allocation_takes_its_time_and_is_near_the_optimum(rows, seconds):
    gains, scatter, costs = np.array(rows).T
    counts = allocate(gains, scatter, costs, seconds)
    assert costs @ counts == pytest.approx(seconds)
    variance = np.sum((gains * scatter) ** 2 / counts)
    best = np.sum(gains * scatter * np.sqrt(costs)) ** 2 / seconds  # Cauchy-Schwarz: no allocation does better
    assert best * (1 - 1e-9) <= variance <= best / 0.75 * (1 + 1e-9)


def test_an_allocation_without_gains_is_even():
    assert allocate([0, 0], [1, 1], [1, 2], 4.0).tolist() == [2.0, 1.0]


@given(st.lists(st.floats(0, 10) | st.just(math.inf), min_size=1, max_size=6), st.floats(0, 20))
def test_fair_shares(needs, total):
    shares = fair_shares(needs, total)
    assert sum(shares) == pytest.approx(min(total, sum(needs)))
    assert all(share <= need for share, need in zip(shares, needs, strict=True))
    # who gets less than the need gets as much as anybody
    short = [share for share, need in zip(shares, needs, strict=True) if share < need - 1e-9]
    assert all(share >= max(shares) - 1e-9 for share in short)
