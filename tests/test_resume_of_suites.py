"""A run of all suites that is killed again and again ends as if it had never been: the same bytes of results.json."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from estimators import RunStore, Workers
from theory_checks.checks import check
from theory_checks.loading import load_claims
from theory_checks.suites import SUITES, SuiteOptions

ROOT = Path(__file__).parents[1]
BUDGET = 0.02

#: of every suite, claims of every kind of quantity and prediction that it has, which take a second each at most
CLAIMS = (
    *("D1.linear.1", "D3.copied", "D22.value", "D23.2", "D25.mup", "D28.tanh", "D30.kernel.tanh.flat"),
    *("M1.wrong", "M7.plain.changing", "M13.flow", "M13.step.flow", "M18.angle", "M20.relu"),
    *("G1", "G6", "G10.length.rate", "N1.wrong", "N7.rate", "H2.matrix", "H8.wrong"),
    *("A3.eigenvalues", "A14.eigenvalues", "A10.2", "A11", "A13.glorot.3"),
    *("S1", "S15.paired", "S5", "S8", "S9.wrong", "S20.risk", "S16.constant.wrong"),
    *("W1a", "W4.5.2", "W6.1.2", "W19.3", "W12.1", "W11.wrong", "C2.many"),
    *("GP1.normal", "GP7.wrong", "GP8.three", "GP9.exponential.rate", "GP18.softplus.2"),
)

pytestmark = pytest.mark.slow


def command(out, *options):
    program = [sys.executable, "-m", "theory_checks.cli", "verify", *sorted(SUITES), "--only", ",".join(CLAIMS)]
    return [*program, "--quick", "--budget", str(BUDGET), "--jobs", "1", "--no-report", "--out", str(out), *options]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_all_suites_survive_being_killed(tmp_path):
    start = time.monotonic()
    whole = subprocess.run(command(tmp_path / "whole"), cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert whole.returncode in (0, 1, 3), whole.stderr
    length, delay, kills = time.monotonic() - start, random.Random(3), 0
    options = ["--store", "runs.sqlite", "--resume"]
    while True:
        running = subprocess.Popen(command(tmp_path / "cut", *options), cwd=tmp_path, env=environment())
        try:
            # later ones get further, since what was finished is read
            status = running.wait(delay.uniform(0.1, 0.6) * length if kills < 6 else None)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            kills += 1
        else:
            break
    assert kills >= 3 and status == whole.returncode
    record = tmp_path / "cut" / "results.json"
    assert record.read_bytes() == (tmp_path / "whole" / "results.json").read_bytes()
    targets = {result["id"] for result in json.loads(record.read_text())["results"]}
    assert targets == set(CLAIMS)
    told = json.loads((tmp_path / "cut" / "run.json").read_text())["store"]
    assert told["read"] > 0
    assert [path.name for path in tmp_path.glob("runs*")] == ["runs.sqlite"]


@pytest.mark.parametrize("name", sorted(SUITES))
def test_nothing_of_a_suite_is_drawn_twice(tmp_path, caplog, name):
    (loaded,) = load_claims(name, SuiteOptions(quick=True))
    with RunStore(tmp_path / "runs.sqlite") as store, caplog.at_level(logging.WARNING):
        for claim in (claim for claim in loaded.claims if claim.label in CLAIMS):
            first = check(claim, rng=0, jobs=Workers(1, store=store), budget=BUDGET).to_dict()
            drawn = store.traffic
            again = check(claim, rng=0, jobs=Workers(1, store=store), budget=BUDGET).to_dict()
            assert again == first and drawn.kept > 0
            assert store.traffic.kept == drawn.kept, claim.label
    assert not caplog.records
