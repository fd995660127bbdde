"""Threads, processes and executors from elsewhere: the same bits, and clean ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import estimators
import randtensor as rt
from estimators import RunStore, Workers, draw_samples
from estimators.portions import Portions, Span
from estimators.workers import _packed, _unpacked
from randtensor.errors import InputError, WorkersError
from randtensor.quantity import Quantity
from theory_checks import Claim, verify

N = rt.Scale("n")
ROOT = np.random.SeedSequence(3)


class Law(Quantity):
    """Normal; the first block kills its process, unless a file says that one has done so."""

    scale_names, fingerprint = ("n",), "a law for workers"

    def __init__(self, mark=""):
        self.mark = mark

    def block_length(self, sizes):
        return 8

    def evaluate(self, draw):
        if self.mark and not os.path.exists(self.mark):
            if os.path.isdir(os.path.dirname(self.mark)):
                open(self.mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return draw.generator.standard_normal(draw.batch)


class Deferred(Executor):
    """Ends tasks in another order than they came, as a scheduler with a mind of its own might."""

    def __init__(self):
        self.submitted = []

    def submit(self, function, /, *arguments, **options):
        future = Future()
        self.submitted.append(future)
        thread = threading.Timer(0.001 * (3 - len(self.submitted) % 3), self._run, (future, function, arguments))
        thread.start()
        return future

    def _run(self, future, function, arguments):
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)


@pytest.fixture(scope="module")
def processes():
    with Workers(2, executor="processes") as workers:
        yield workers


@rt.quantity(N, batch=16)
def local(n, batch, generator):
    return generator.standard_normal((batch, n)).sum(1)


f = rt.networks.mlp(inputs=2, width=N, hidden_layers=2, activation="tanh")
LAWS = {
    "contraction": rt.einsum("abc,abc->", *[rt.gaussian(N, N, N)] * 2),
    "norm": rt.norm(rt.goe(N)),
    "correlation": rt.correlation(f, 0, 3, [1.0, 0.0], [0.5, 1.0]),
    "function": local,
    "combination": rt.combine(lambda x: np.exp(x), local, name="exp") * N**-1,
}


@pytest.mark.parametrize("name", LAWS)
def test_processes_draw_the_same_bits(processes, name):
    sizes, counts = [{"n": 4}, {"n": 12}], [50, 33]
    one, other = (draw_samples(LAWS[name], sizes, counts, ROOT, jobs=jobs) for jobs in (1, processes))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_training_in_processes(processes):
    run, same = (
        estimators.train(f, [[1.0, 0.0]], [1.0], learning_rate=0.1, steps=2, n=8, samples=3, rng=0, jobs=jobs)
        for jobs in (1, processes)
    )
    assert all(np.array_equal(run[name], same[name]) for name in run.values)


@pytest.mark.parametrize("make", [ThreadPoolExecutor, Deferred])
def test_any_executor_draws_the_same_bits(make):
    expected = draw_samples(Law(), [{"n": 4}], [500], ROOT, jobs=1)
    for jobs in (executor := make(), Workers(3, executor=executor)):
        assert np.array_equal(draw_samples(Law(), [{"n": 4}], [500], ROOT, jobs=jobs)[0], expected[0])


def test_a_killed_process_is_replaced(tmp_path):
    mark = tmp_path / "killed"
    with RunStore(tmp_path / "runs.sqlite") as store, Workers(2, executor="processes", store=store) as workers:
        (found,) = draw_samples(Law(str(mark)), [{"n": 5}], [200], ROOT, jobs=workers)
    assert mark.exists()
    assert np.array_equal(found, draw_samples(Law(), [{"n": 5}], [200], ROOT, jobs=1)[0])


def test_processes_that_are_always_killed_end_in_a_sentence():
    with Workers(1, executor="processes") as workers, pytest.raises(WorkersError, match="killed 4 times in a row"):
        draw_samples(Law(os.devnull + "/none"), [{"n": 5}], [20], ROOT, jobs=workers)


def test_errors_come_out_of_processes(processes):
    @rt.quantity(N)
    def wrong(n, batch, generator):
        raise ZeroDivisionError("no sample today")

    with pytest.raises(ZeroDivisionError, match="no sample today"):
        draw_samples(wrong, [{"n": 5}], [20], ROOT, jobs=processes)
    law = Law()
    law.lock = threading.Lock()
    with pytest.raises(InputError, match="quantity cannot be sent to another process"):
        draw_samples(law, [{"n": 5}], [20], ROOT, jobs=processes)


@pytest.mark.parametrize("error", [BrokenExecutor("gone"), CancelledError("gone")])
def test_an_executor_that_is_lost_ends_the_run_and_not_the_claim(tmp_path, error):
    class Lost(Deferred):
        def _run(self, future, function, arguments):
            if len(self.submitted) <= 8:
                super()._run(future, function, arguments)
            elif future.set_running_or_notify_cancel():
                future.set_exception(error)

    claim = Claim("law", Law(), statistic="rms", predicted=rt.Theta(1), n=[4, 8, 16])
    with RunStore(tmp_path / "runs.sqlite") as store:
        with pytest.raises(WorkersError, match=f"lost its workers .{type(error).__name__} gone"):
            verify([claim], rng=0, jobs=Workers(2, executor=Lost(), store=store))
        assert sum(stored.blocks for stored in store.contents()) > 0
        resumed = verify([claim], rng=0, jobs=Workers(1, store=store)).results[0].to_dict()
    whole = verify([claim], rng=0, jobs=1).results[0].to_dict()
    assert {**resumed, "seconds": 0} == {**whole, "seconds": 0}


def test_workers_with_other_software_are_refused(monkeypatch):
    monkeypatch.setattr("estimators.workers.environment", iter(["numpy 2.4"] + ["numpy 7.0"] * 9).__next__)
    with ThreadPoolExecutor(1) as pool, pytest.raises(WorkersError, match=r"a worker has \['numpy 7.0'\], expected"):
        draw_samples(Law(), [{"n": 5}], [20], ROOT, jobs=Workers(1, executor=pool))


def test_what_is_under_way_at_an_interruption_is_kept(tmp_path):
    class Slow(Law):
        def evaluate(self, draw):
            time.sleep(0.01)
            return super().evaluate(draw)

    def interrupt(done, total):
        raise KeyboardInterrupt

    with RunStore(tmp_path / "runs.sqlite") as store:
        with pytest.raises(KeyboardInterrupt):
            draw_samples(Slow(), [{"n": 4}], [800], ROOT, jobs=Workers(2, store=store), progress=interrupt)
        (stored,) = store.contents()
        # the first portion, whose report interrupts, and that of the other worker
        assert 2 <= stored.blocks <= 6


def test_a_clock_that_jumps_changes_nothing(monkeypatch):
    times = np.random.default_rng(0).uniform(-1e6, 1e6, 10_000)
    monkeypatch.setattr("estimators.workers.time.perf_counter", iter(times).__next__)
    found = draw_samples(Law(), [{"n": 4}], [500], ROOT, jobs=1)
    monkeypatch.undo()
    assert np.array_equal(found[0], draw_samples(Law(), [{"n": 4}], [500], ROOT, jobs=1)[0])


@settings(deadline=None)
@given(
    spans=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 500)), max_size=4, unique_by=lambda span: span[0]),
    workers=st.integers(1, 9),
    costs=st.lists(st.floats(1e-6, 10.0), min_size=4, max_size=4),
    lost=st.sets(st.integers(0, 20)),
)
def test_portions_cover_every_block_once(spans, workers, costs, lost):
    portions = Portions([Span(index, 0, count) for index, count in spans], workers, None)
    seen, number = [], 0
    while (span := portions.next()) is not None:
        number += 1
        if number in lost:
            portions.again(span)
            continue
        length = span.last - span.first
        # about a quarter of a second, once the cost is known
        assert length == 1 or length * costs[span.index] <= 0.26
        portions.learn(span, length * costs[span.index])
        seen += [(span.index, block) for block in range(span.first, span.last)]
    assert sorted(seen) == sorted((index, block) for index, count in spans for block in range(count))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"executor": "threats"},
            "executor is 'threats', expected 'threads', 'processes' or a concurrent.futures.Executor",
        ),
        ({"count": 0}, "jobs is 0, expected a positive integer"),
        ({"count": True}, "jobs is True"),
    ],
)
def test_bad_options_get_a_sentence(options, message):
    with pytest.raises(InputError, match=message):
        Workers(**options)


def test_without_cloudpickle_tensors_can_be_sent(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    for name in ("contraction", "norm"):
        quantity, sizes, _ = _unpacked(_packed((LAWS[name], [{"n": 4}], ROOT)))
        assert np.array_equal(quantity.sample(sizes[0], 3, rng=0), LAWS[name].sample(4, 3, rng=0))
    for name in ("correlation", "combination"):
        with pytest.raises(InputError, match=r"cannot be sent .* need the package cloudpickle"):
            _packed((LAWS[name], [{"n": 4}], ROOT))
