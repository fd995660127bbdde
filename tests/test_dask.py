"""A cluster of Dask on this machine: the same bits as a local run, also when one of its workers is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import estimators
import randtensor as rt
from estimators import RunStore, Workers, draw_samples
from randtensor.errors import WorkersError
from theory_checks.cli import main

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore")

CLAIMS = """
import randtensor as rt
from theory_checks import Claim
n = rt.Scale("n")

@rt.quantity(n)
def total(n, batch, generator):
    return generator.standard_normal((batch, n)).sum(1)

claims = [Claim("total", total, statistic="rms", predicted=rt.Theta(n**0.5), n=[4, 16, 64], samples=4000)]
"""

N = rt.Scale("n")
ROOT = np.random.SeedSequence(2)


def local_cluster():
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    )


@pytest.fixture(scope="module")
def client():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with local_cluster() as cluster, distributed.Client(cluster) as client:
            yield client


def once(condition, act):
    """A report of progress that does something, in another thread, when it is first time for it."""
    acted = []

    def tell(done, total):
        if condition(done) and not acted:
            acted.append(threading.Thread(target=act))
            acted[0].start()

    return tell


@rt.quantity(N, batch=4)
def slow(n, batch, generator):
    time.sleep(0.002)
    return generator.standard_normal((batch, n)).sum(1)


def test_the_same_bits(client):
    f = rt.networks.mlp(inputs=2, width=N, hidden_layers=2, activation="tanh")
    correlation = rt.correlation(f, 0, 3, [1.0, 0.0], [0.5, 1.0])
    workers = Workers(2, executor=client.get_executor())
    for quantity in (correlation, slow):
        here, there = (
            estimators.scaling(quantity, n=[4, 16, 64], samples=60, statistic="rms", rng=1, jobs=jobs)
            for jobs in (1, workers)
        )
        assert here.estimates == there.estimates


def test_the_command_line_draws_on_a_cluster(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CLAIMS)
    outputs = []
    for options in (["--scheduler", client.scheduler.address, "--store", "runs.sqlite"], ["--jobs", "1"]):
        found = CliRunner().invoke(main, ["verify", "mine.py", *options])
        assert found.exit_code in (0, 3), found.output
        record = json.loads((tmp_path / "results" / "results.json").read_text())
        outputs.append([{**result, "seconds": 0} for result in record["results"]])
    assert outputs[0] == outputs[1]


def test_a_cluster_that_ends_ends_the_run_and_not_the_samples(tmp_path):
    with RunStore(tmp_path / "runs.sqlite") as store:
        with local_cluster() as cluster, distributed.Client(cluster) as client:
            at_work = once(lambda done: done > 100, cluster.close)
            workers = Workers(2, executor=client.get_executor(retries=3), store=store)
            with pytest.raises(WorkersError, match="lost its workers"):
                draw_samples(slow, [{"n": 4}], [40_000], ROOT, jobs=workers, progress=at_work)
        (stored,) = store.contents()
        assert 0 < stored.samples < 40_000
        (found,) = draw_samples(slow, [{"n": 4}], [2000], ROOT, jobs=Workers(4, store=store))
    assert np.array_equal(found, draw_samples(slow, [{"n": 4}], [2000], ROOT, jobs=4)[0])


def test_a_worker_is_killed(client, tmp_path):
    pids = client.run(os.getpid)
    victim = sorted(pids.values())[0]
    at_work = once(lambda done: done > 100, lambda: os.kill(victim, signal.SIGKILL))
    with RunStore(tmp_path / "runs.sqlite") as store:
        workers = Workers(2, executor=client.get_executor(retries=3), store=store)
        (found,) = draw_samples(slow, [{"n": 4}], [4000], ROOT, jobs=workers, progress=at_work)
        (stored,) = store.contents()
    assert victim not in client.run(os.getpid).values()
    assert np.array_equal(found, draw_samples(slow, [{"n": 4}], [4000], ROOT, jobs=4)[0])
    assert stored.samples == 4000


def scheduler_process(folder):
    """A scheduler and two workers, each in a process of its own; on a port that is theirs whenever they are started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    common = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    program = [sys.executable, "-m", "distributed.cli"]

    def scheduler():
        options = ["--host", address, "--no-dashboard", "--no-jupyter"]
        return subprocess.Popen([*program[:2], "distributed.cli.dask_scheduler", *options], **common)

    def worker():
        options = [address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
        return subprocess.Popen([*program[:2], "distributed.cli.dask_worker", *options], **common)

    return address, scheduler, worker


def test_a_scheduler_is_restarted(tmp_path):
    address, scheduler, worker = scheduler_process(tmp_path)
    processes = [scheduler(), worker()]

    def restart():
        processes[0].kill()
        processes[0].wait()
        processes[0] = scheduler()

    quantity, counts = slow, [4_000]
    try:
        with RunStore(tmp_path / "runs.sqlite") as store:
            with distributed.Client(address, timeout=60) as client:
                at_work = once(lambda done: done > 100, restart)
                workers = Workers(1, executor=client.get_executor(retries=3), store=store)
                with pytest.raises(WorkersError, match="the executor lost its workers"):
                    draw_samples(quantity, [{"n": 4}], counts, ROOT, jobs=workers, progress=at_work)
            kept = sum(stored.samples for stored in store.contents())
            assert 100 < kept < 4_000
            processes.append(worker())
            with distributed.Client(address, timeout=60) as client:
                workers = Workers(1, executor=client.get_executor(retries=3), store=store)
                (found,) = draw_samples(quantity, [{"n": 4}], counts, ROOT, jobs=workers)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert np.array_equal(found, draw_samples(quantity, [{"n": 4}], counts, ROOT, jobs=4)[0])
