"""Runs that are killed, starved and interrupted: nothing finished is lost, and the resumed result has the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be forked and killed")

COMMON = """
import faulthandler, os, random, resource, signal, sys, time
faulthandler.dump_traceback_later(100, exit=True)
import numpy as np
from estimators import RunStore, Workers, draw_samples
from estimators.store import environment, identity
from randtensor.errors import StoreError
from randtensor.quantity import Quantity

class Slow(Quantity):
    scale_names, fingerprint = ("n",), "slow"
    def block_length(self, sizes):
        return 16
    def evaluate(self, draw):
        time.sleep(5e-4)
        return draw.generator.standard_normal(draw.batch) / draw.sizes["n"]

path, root, sizes = sys.argv[1], np.random.SeedSequence(5), [{"n": 4}, {"n": 16}]

def run(counts, progress=None, jobs=2):
    with RunStore(path) as store:
        return draw_samples(Slow(), sizes, counts, root, jobs=Workers(jobs, store=store), progress=progress)

def stored():
    with RunStore(path, writable=False) as store:
        return sum(found.samples for found in store.contents())

def whole(counts):
    numbers = [-(-count // 16) for count in counts]
    drawn = [[Slow().sample_block(size, i, root) for i in range(k)] for size, k in zip(sizes, numbers)]
    return [np.concatenate(blocks)[:count] for blocks, count in zip(drawn, counts)]

# what a process does once is done here, so that its copies soon draw
identity(Slow()), environment(), draw_samples(Slow(), sizes, [16, 16], root, jobs=1)
"""

KILLED = """
counts, random_delay, last, cut = [24_000, 24_000], random.Random(int(sys.argv[2])), 0, 0
for attempt in range(60):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run(counts, lambda done, total: os.write(writing, done.to_bytes(8, "little")))
        finally:
            os._exit(0)
    os.close(writing)
    pipe, reports = os.fdopen(reading, "rb", buffering=0), b""
    if attempt % 2:  # of every second one something is finished, on the slowest of machines too
        reports = pipe.read(8)
    time.sleep(random_delay.uniform(0.0, 0.02 if attempt % 2 else 0.04))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    cut += os.WIFSIGNALED(status)
    reports += pipe.read()
    told = int.from_bytes(reports[-8:], "little") if reports else 0
    found = stored() if os.path.exists(path) else 0
    assert found >= max(told, last), (found, told, last)
    last = found
assert 0 < last < sum(counts), last
resumed, uninterrupted = run(counts, jobs=8), whole(counts)
assert all(np.array_equal(*pair) for pair in zip(resumed, uninterrupted))
print(cut, last, sorted(os.listdir(os.path.dirname(path))))
"""

TOGETHER = """
counts = [1600, 1600]
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        try:
            run([counts[0] - 160 * number, counts[1]])
        except BaseException as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
statuses = [os.waitpid(child, 0)[1] for child in children]
resumed, uninterrupted = run(counts), whole(counts)
assert all(np.array_equal(*pair) for pair in zip(resumed, uninterrupted))
print(statuses, stored())
"""

FULL = """
counts = [16_000, 16_000]
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
child = os.fork()
if child == 0:
    resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, limit[1]))
    try:
        run(counts, jobs=8)
    except StoreError as error:
        print(error, flush=True)
        os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
kept = stored()
assert 0 < kept < sum(counts), kept
resumed, uninterrupted = run(counts, jobs=8), whole(counts)
assert all(np.array_equal(*pair) for pair in zip(resumed, uninterrupted))
"""


def execute(program, path, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", COMMON + program, str(path), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_killed_at_random_moments(tmp_path):
    cut, kept, files = execute(KILLED, tmp_path / "runs.sqlite", "1").split(maxsplit=2)
    assert int(cut) >= 50
    assert int(kept) > 0
    assert files.strip() == "['runs.sqlite']"


def test_several_processes_draw_into_one_store(tmp_path):
    assert execute(TOGETHER, tmp_path / "runs.sqlite").strip() == "[0, 0, 0, 0] 3200"


def test_a_disk_that_is_full(tmp_path):
    message = execute(FULL, tmp_path / "runs.sqlite")
    assert "cannot grow" in message and "free some and resume" in message


CLAIMS = """
import time
import randtensor as rt
from theory_checks import Claim
n = rt.Scale("n")

@rt.quantity(n, batch=16)
def slow(n, batch, generator):
    time.sleep(1e-3)
    return generator.standard_normal((batch, n)).sum(1)

claims = [
    Claim(name, slow, statistic="rms", predicted=rt.Theta(n**0.5), n=[4, 16, 64], samples=6_000, id=name)
    for name in ("first", "second")
]
"""


# where these tests are started in the background, Ctrl-C is ignored in whatever they start
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from theory_checks.cli import main
main()
"""


def program(*arguments, cwd):
    return [sys.executable, "-c", PROGRAM, "verify", "mine.py", "--jobs", "2", *arguments], {
        "cwd": cwd,
        "env": {**os.environ, "PYTHONPATH": str(ROOT)},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_program_goes_on_where_it_was(tmp_path, number):
    (tmp_path / "mine.py").write_text(CLAIMS)
    command, options = program("--store", "runs.sqlite", "--out", "cut", cwd=tmp_path)
    running = subprocess.Popen(command, **options)
    give_up = time.monotonic() + 60
    while not (tmp_path / "runs.sqlite-wal").exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    time.sleep(0.1)
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert [path.name for path in tmp_path.glob("runs*")] == ["runs.sqlite"]
    command, options = program("--store", "runs.sqlite", "--resume", "--out", "resumed", cwd=tmp_path)
    assert subprocess.run(command, **options).returncode == 0
    command, options = program("--out", "whole", cwd=tmp_path)
    assert subprocess.run(command, **options).returncode == 0
    resumed, whole = ((tmp_path / name / "results.json").read_bytes() for name in ("resumed", "whole"))
    assert resumed == whole


ORPHANS = """
import os, sys, time
import randtensor as rt
from estimators import Workers, draw_samples
import numpy as np

@rt.quantity(rt.Scale("n"), batch=1)
def who(n, batch, generator):
    time.sleep(0.01)
    return np.full(batch, os.getpid())

workers = Workers(2, executor="processes")
first, = draw_samples(who, [{"n": 1}], [40], np.random.SeedSequence(0), jobs=workers)
print(*sorted({int(pid) for pid in first}), flush=True)
time.sleep(60)
"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
def test_processes_end_with_the_one_that_started_them():
    running = subprocess.Popen([sys.executable, "-c", ORPHANS], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    workers = [int(pid) for pid in running.stdout.readline().split()]
    assert workers and running.pid not in workers and all(map(alive, workers))
    running.kill()
    running.communicate()
    give_up = time.monotonic() + 30
    while any(map(alive, workers)) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not any(map(alive, workers))
