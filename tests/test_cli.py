"""The command line: exit statuses, one-sentence errors, and files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from theory_checks.cli import main

ROOT = str(Path(__file__).parents[1])

HEADER = """
import randtensor as rt
from theory_checks import Claim
n = rt.Scale("n")
length = rt.norm(rt.gaussian(n))

def claim(name, order, **options):
    return Claim(name, length, predicted=order, n=[16, 64, 256, 1024], id=name, **options)
"""
GOOD = HEADER + "claims = [claim('L1', n**0.5), claim('L2', n, expect='refuted')]\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the program in an empty directory with ``mine.py`` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def invoke(*arguments, text=GOOD):
        (tmp_path / "mine.py").write_text(text)
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return invoke


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ("[claim('L1', n**0.5), claim('L2', n, expect='refuted')]", 0),
        ("[claim('L1', n**0.5), claim('L2', n)]", 1),
        ("[claim('L1', n**0.5, expect='refuted')]", 1),
        ("[claim('L1', n**0.5), claim('L3', n**0.5, samples=3)]", 3),
    ],
)
def test_exit_status_and_results(run, tmp_path, claims, status):
    found = run("verify", "mine.py", text=f"{HEADER}claims = {claims}\n")
    assert found.exit_code == status
    record = json.loads((tmp_path / "results" / "results.json").read_text())
    assert record["exit_status"] == status
    assert record["seed"] == 0
    assert "results: results/results.json" in found.output
    assert record["summary"].split(";")[0] in found.output
    assert "\x1b" not in found.output


def test_the_same_command_gives_the_same_numbers(run, tmp_path):
    def results(*arguments):
        run("verify", "mine.py", "--out", "here", "--no-report", *arguments)
        record = json.loads((tmp_path / "here" / "results.json").read_text())
        return {result["id"]: result for result in record["results"]}

    first = results()
    assert results("--jobs", 3) == first
    assert results("--only", "L2") == {"L2": first["L2"]}
    assert results("--rng", 1) != first
    assert results("--budget", 0.5)["L1"]["measurements"][0]["samples"] == 200
    assert results("--quick")["L1"]["measurements"][0]["samples"] == 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "mine.py", "--budget", "0"], "budget is 0.0, expected a positive number"),
        (["verify", "mine.py", "--budget", "much"], "Invalid value for '--budget'"),
        (["verify", "mine.py", "--jobs", "0"], "jobs is 0, expected a positive integer"),
        (["verify", "mine.py", "--rng", "-1"], "rng is -1, expected a non-negative integer"),
        (["verify", "mine.py", "--time-budget", "0"], "time_budget is 0.0, expected a positive number of seconds"),
        (["verify", "mine.py", "--false-refutation", "2"], "false_refutation is 2.0, expected a probability"),
        (["verify", "mine.py", "--replay", "x.json"], "replay x.json cannot be read: No such file or directory"),
        (["verify", "mine.py", "--replay", "mine.py"], "replay mine.py is not JSON, expected the results of a run"),
        (["verify", "mine.py", "--only", "X"], "'X' matches none of the 2 claims, expected an id such as L1, L2"),
        (["verify", "mine.py", "mine.py"], "two claims have the id 'L1'"),
        (["verify", "mine.py", "--out", "mine.py"], "mine.py is a file, expected a directory"),
        (["verify", "mine.py", "--inputs", "x.npy"], "inputs is given, but only suites use it"),
        (["verify", "weak-correlations", "--inputs", "x.npy"], "x.npy cannot be read: No such file or directory"),
        (["verify", "weak-corelations"], "did you mean 'weak-correlations'?"),
        (["verify", "other.py"], "file other.py does not exist"),
        (["list", "other.py"], "file other.py does not exist"),
        (["verify", "--fast"], "--fast"),
        (["prove"], "No such command 'prove'"),
    ],
)
def test_bad_input_is_one_sentence(run, tmp_path, arguments, message):
    found = run(*arguments)
    assert found.exit_code == 2
    assert found.stdout == ""
    assert message in found.stderr
    assert found.stderr.startswith("randtensor: ")
    assert found.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_errors_in_a_file_name_the_line(run):
    found = run("verify", "mine.py", text="claims = [\n  1 / 0,\n]\n")
    assert (found.exit_code, found.stderr) == (2, "randtensor: mine.py, line 2: ZeroDivisionError: division by zero\n")


def test_an_interruption_leaves_nothing_behind(run, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("theory_checks.verification.check", interrupt)
    found = run("verify", "mine.py")
    assert found.exit_code == 130
    assert "randtensor: interrupted, no results were written" in found.stderr
    assert not (tmp_path / "results").exists()


def test_an_interruption_keeps_what_was_checked(run, tmp_path, monkeypatch):
    from theory_checks import checks

    checked = []

    def interrupt(claim, **options):
        if checked:
            raise KeyboardInterrupt
        checked.append(claim)
        return checks.check(claim, **options)

    monkeypatch.setattr("theory_checks.verification.check", interrupt)
    found = run("verify", "mine.py")
    assert found.exit_code == 130
    assert "interrupted after 1 of 2 claims: 1 consistent" in " ".join(found.output.split())
    record = json.loads((tmp_path / "results" / "results.json").read_text())
    assert (record["interrupted"], record["planned"], record["exit_status"]) == (True, 2, 130)
    assert [result["id"] for result in record["results"]] == ["L1"]


def test_a_time_budget_and_its_replay(run, tmp_path):
    assert run("verify", "mine.py", "--time-budget", "5", "--out", "timed", "--no-report").exit_code == 0
    path = tmp_path / "timed" / "results.json"
    first = json.loads(path.read_text())
    assert first["time_budget"] == 5
    assert run("verify", "mine.py", "--replay", path, "--out", "again", "--no-report").exit_code == 0
    again = json.loads((tmp_path / "again" / "results.json").read_text())
    for key in ("samples", "measurements", "verdict", "contradictions", "interval", "reason"):
        assert [r[key] for r in again["results"]] == [r[key] for r in first["results"]]


def test_an_error_of_the_program_does_not_look_like_a_verdict(run, monkeypatch):
    monkeypatch.setattr("theory_checks.verification.load_claims", lambda *arguments: 1 / 0)
    found = run("verify", "mine.py")
    assert found.exit_code == 70
    assert "ZeroDivisionError" in found.stderr


def test_list(run):
    found = run("list", "mine.py")
    assert found.exit_code == 0
    for word in ("L1", "rms: Theta(n^{1/2})", "(negative control)"):
        assert word in found.stdout
    assert "weak-correlations" in run("list").stdout


def test_version_and_help(run):
    assert run("--version").stdout.startswith("randtensor ")
    for arguments in (["--help"], ["verify", "--help"], ["list", "-h"]):
        found = run(*arguments)
        assert found.exit_code == 0
        assert "Usage:" in found.stdout
    found = run()
    assert found.exit_code == 2
    assert "Usage:" in found.output


def test_the_installed_program(tmp_path):
    (tmp_path / "mine.py").write_text(GOOD)
    command = [sys.executable, "-c", "from theory_checks.cli import main; main()", "verify", "mine.py"]
    environment = {**os.environ, "COLUMNS": "160"}
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert (found.returncode, found.stderr) == (0, "")
    assert "refuted, as expected" in found.stdout


def test_a_run_tells_what_its_store_had(run, tmp_path):
    stores = []
    for _ in range(2):
        found = run("verify", "mine.py", "--store", "runs.sqlite", "--resume")
        assert found.exit_code == 0
        stores.append(json.loads((tmp_path / "results" / "run.json").read_text())["store"])
        assert "\nstore: {read} samples read, {kept} drawn and kept\n".format(**stores[-1]) in found.output
    assert stores[0]["read"] == 0 < stores[0]["kept"]
    assert stores[1] == {"read": stores[0]["kept"], "kept": 0}
    assert run("verify", "mine.py").exit_code == 0
    assert json.loads((tmp_path / "results" / "run.json").read_text())["store"] is None


def test_a_reproduction_takes_the_options_of_workers(run, tmp_path):
    run("verify", "mine.py")
    for options in (["--executor", "processes", "--jobs", "2"], ["--store", "runs.sqlite"], ["--memory", "4GiB"]):
        found = run("reproduce", "results/results.json", "mine.py", *options)
        assert found.exit_code == 0, found.output
    assert "samples" in run("show", "runs.sqlite").output
    found = run("reproduce", "results/results.json", "mine.py", "--store", "runs.sqlite")
    assert found.exit_code == 2 and "store runs.sqlite exists" in found.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--memory", "lots"], "memory is 'lots', expected bytes, or a text such as '500MB' or '4GiB'"),
        (["--memory", "1GiB", "--executor", "processes"], "bounds this process alone"),
        (["--memory", "1GiB", "--scheduler", "tcp://127.0.0.1:1"], "dask worker --memory-limit"),
        (["--memory", "1GiB", "--time-budget", "1"], "a store, an executor or a bound on memory"),
    ],
)
def test_a_bound_on_memory_that_cannot_be_kept(run, options, message):
    found = run("verify", "mine.py", *options)
    assert found.exit_code == 2 and message in found.output


def test_a_bound_on_memory_changes_no_number(run, tmp_path):
    results = []
    for options in ([], ["--memory", "2GiB"]):
        assert run("verify", "mine.py", *options).exit_code == 0
        results.append((tmp_path / "results" / "results.json").read_bytes())
    assert results[0] == results[1]
    assert run("verify", "mine.py", "--memory", "1MiB").exit_code == 3
    reason = json.loads((tmp_path / "results" / "results.json").read_text())["results"][0]["reason"]
    assert reason.startswith("claim 'L1': memory is 1.0 MiB, but a block of injective norm") and "at n =" in reason


def test_a_plan(run):
    found = run("plan", "mine.py", "--jobs", "2")
    assert found.exit_code == 0
    assert " 16: " in found.output and ", 1024: " in found.output
    assert "2 claims: " in found.output and " on 2 workers; " in found.output
    found = run("plan", "mine.py", "--memory", "1MiB")
    assert found.exit_code == 3 and "does not fit" in found.output
    broken = GOOD.replace(
        "length = rt", "import numpy as np\nlength = rt.quantity(n)(lambda n, b, g: 1 / 0) if 1 else rt"
    )
    found = run("plan", "mine.py", text=broken)
    assert found.exit_code == 0 and "division by zero" in found.output


FULL = """
import resource
from theory_checks.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
main(["verify", "mine.py", "--out", "out"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
def test_a_disk_that_is_full_leaves_what_was_there(run, tmp_path):
    """The limit lets run.json be written, but not results.json or the report."""
    assert run("verify", "mine.py", "--out", "out").exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": ROOT}, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", FULL], **options)
    assert done.returncode == 2
    assert "randtensor: directory out cannot be written to: File too large" in done.stderr
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {**before, "run.json": b""} == {**after, "run.json": b""}


def test_processes_without_what_takes_networks_to_them(run, monkeypatch):
    monkeypatch.setattr("theory_checks.store_commands.find_spec", lambda name: None)
    found = run("verify", "mine.py", "--executor", "processes")
    assert found.exit_code == 2 and "pip install 'randtensor[cluster]'" in found.output
