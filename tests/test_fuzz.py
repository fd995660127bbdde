"""Files from anywhere, at the command line: exit status 70, which is an error of the program, never comes out.

Each file is a sound one with something changed, so that what comes after the first checks is met as well.
"""

from __future__ import annotations

import json
import time

import pytest
from changed_records import places, replaced
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import estimators
import randtensor as rt
from estimators import RunStore, Workers
from randtensor.errors import RandtensorError
from randtensor.expansions import parse_expansion
from theory_checks import Claim, Exact, Tight, verify
from theory_checks.claim_files import template
from theory_checks.cli import main
from theory_checks.loading import load_toml_text
from theory_checks.rendering.documents import render
from theory_checks.suites import SuiteOptions

N = rt.Scale("n")
PATIENCE = 10.0  # seconds: a refusal takes milliseconds, what hangs takes for ever
KNOWN = (0, 1, 2, 3)


def examples(count):
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        start = time.monotonic()
        found = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert found.exit_code in KNOWN, found.output
        assert "Traceback" not in found.output
        assert time.monotonic() - start < PATIENCE
        return found

    return invoke


# --- claim files

WORDS = ["n", "1e999", "nan", "true", '""', "[]", "{}", "-1", "0", "2**70", '"\\u0000"', '"n^n"', '"__import__(1)"']
VALUES = st.sampled_from([*WORDS, "9" * 400, '"' + "(" * 300 + '"', "[" * 80, "1979-05-27", '"aab->"', '"tanh"', "[1]"])
LINES = template().splitlines()
FILLED = [number for number, line in enumerate(LINES) if "=" in line and not line.lstrip().startswith("#")]
CHANGES = st.lists(st.tuples(st.sampled_from(FILLED), st.sampled_from(["value", "drop", "twice", "name"]), VALUES))


def changed_lines(changes):
    lines = list(LINES)
    for place, how, value in changes:
        name, _, old = lines[place].partition("=")
        lines[place] = {
            "value": f"{name}= {value}",
            "drop": "",
            "twice": f"{lines[place]}\n{lines[place]}",
            "name": f"{value} ={old}",
        }[how]
    return "\n".join(lines)


@examples(80)
@given(CHANGES.filter(bool))
@example([(FILLED[0], "value", "{a = " * 500)])
@example([(FILLED[0], "value", '"' + "x" * 10**6 + '"')])
def test_claim_files(changes):
    start = time.monotonic()
    try:
        found = load_toml_text(changed_lines(changes), "mine.toml", SuiteOptions())
    except RandtensorError as error:
        assert str(error)
    else:
        assert all(isinstance(claim, Claim) for claim in found.claims)
    assert time.monotonic() - start < PATIENCE


@examples(25)
@given(CHANGES.filter(bool))
def test_claim_files_at_the_command_line(run, tmp_path, changes):
    (tmp_path / "mine.toml").write_text(changed_lines(changes), encoding="utf-8")
    run("list", "mine.toml")


# --- records

ODD = st.sampled_from(
    [None, True, -1, 0, 2**70, -(2**70), 1e308, -1e-308, "", "x", "\x1b[31m", "[bold", "\\input{x}", "$", [], [[]], {}]
) | st.recursive(
    st.none() | st.integers(-3, 3) | st.floats() | st.text(max_size=4),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts, max_size=3),
    max_leaves=5,
)


LENGTH = rt.norm(rt.gaussian(N))
CLAIMS = [
    Claim("rate", LENGTH, predicted=rt.Theta(N**0.5), n=[4, 8, 16], samples=60),
    Claim("exact", LENGTH**2, predicted=Exact(N), statistic="mean", n=[4, 8], samples=60),
    Claim("tight", LENGTH, predicted=Tight(N**0.5, quantiles=(50, 60)), n=[4, 8, 16], samples=60),
]


@pytest.fixture(scope="module")
def record():
    return json.loads(json.dumps(verify(CLAIMS, rng=0, jobs=1).to_dict()))


@examples(40)
@given(where=st.integers(0, 10**6), value=ODD)
def test_records(run, tmp_path, record, where, value):
    paths = list(places(record))
    changed = replaced(record, paths[where % len(paths)], value)
    (tmp_path / "a.json").write_text(json.dumps(record))
    (tmp_path / "b.json").write_text(json.dumps(changed))
    if run("show", "-v", "b.json").exit_code == 2:
        assert run("diff", "a.json", "b.json").exit_code == 2
        return
    run("diff", "a.json", "b.json")
    render(changed, ("markdown", "csv", "junit"))


def test_details_that_cannot_be_rendered(record):
    paths = [path for path in places(record) if path[:4] == ("results", 0, "details", "fit")]
    assert len(paths) > 20
    refused = 0
    for path in paths[:: len(paths) // 10]:
        try:
            render({**record, "results": replaced(record, path, [])["results"][:1]}, ("html",))
        except RandtensorError as error:
            refused += 1
            assert str(error)
    assert refused


@pytest.mark.parametrize("command", [("show",), ("show", "-v"), ("report",), ("reproduce",), ("diff", "b.json")])
@pytest.mark.parametrize(
    "content", [b"", b"[" * 10**5, b"\xff", b"9" * 10**5, b"null", b'{"schema": {}}', b"\0" * 9000]
)
def test_files_that_are_no_records(run, tmp_path, command, content):
    (tmp_path / "b.json").write_bytes(content)
    found = run(*command[:1], "b.json", *command[1:])
    assert found.exit_code == 2 and found.output.startswith("randtensor: ")


# --- expressions


@examples(150)
@given(st.text("nm 0123456789+-*/^(){}.logsqrt\\", max_size=40))
@example("(" * 5000 + "n" + ")" * 5000)
@example("n^" * 3000 + "2")
@example("(n+1)^(9^9)")
@example("(n+m+1)^" + "9" * 9)
@example("(n+m+1)^400")
@example("(a+b+c+d+e+f+g+h)^64")
@example("".join(f"(a{k}+b{k})" for k in range(99)))
@example("+".join(f"1/(a{k}+b{k})" for k in range(60)))
@example("1/(n^99999999+1)")
@example("1/(n^{1/997}+n^{1/991}+n^{1/983}+1)")
@example("(n^99999999-m^99999999)/(n-m)")
@example("n^{-999999999999}")
def test_expansions(text):
    start = time.monotonic()
    try:
        found = parse_expansion(text)
        found.evaluate(dict.fromkeys(found.scale_names, 64))
    except RandtensorError as error:
        assert str(error)
    assert time.monotonic() - start < PATIENCE


# --- stores


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "runs.sqlite"
    with RunStore(path) as store:
        expected = estimators.estimate(LENGTH, 16, samples=4000, rng=0, jobs=Workers(1, store=store))
    return path.read_bytes(), expected


def outcome(path, content):
    path.write_bytes(content)
    try:
        with RunStore(path) as store:
            return estimators.estimate(LENGTH, 16, samples=4000, rng=0, jobs=Workers(1, store=store))
    except RandtensorError as error:
        return str(error)


def test_every_page_of_a_store(tmp_path, stored):
    content, expected = stored
    page, refused = 4096, 0
    assert len(content) >= 10 * page
    for number in range(len(content) // page):
        for offset in (0, 3, 8, 700, 2048, page - 1):
            damaged = bytearray(content)
            damaged[number * page + offset] ^= 1 << (number + offset) % 8
            found = outcome(tmp_path / "runs.sqlite", bytes(damaged))
            assert found == expected or "runs.sqlite" in found
            refused += found != expected
        found = outcome(tmp_path / "runs.sqlite", content[: number * page])
        assert found == expected or "runs.sqlite" in found
    assert refused > len(content) // page


@pytest.mark.parametrize("name", [b"environment", b"stream", b"block", b"CREATE TABLE stream", b"samples BLOB"])
def test_names_in_a_store_that_are_no_text(tmp_path, stored, name):
    content, _ = stored
    damaged = bytearray(content)
    damaged[content.index(name) + len(name) - 1] |= 0x80
    damaged[content.index(name)] |= 0x80
    assert "is damaged" in outcome(tmp_path / "runs.sqlite", bytes(damaged))


def test_damaged_stores_at_the_command_line(run, tmp_path, stored):
    content, _ = stored
    for place in range(0, len(content), len(content) // 40):
        (tmp_path / "runs.sqlite").write_bytes(content[:place] + bytes(64) + content[place + 64 :])
        run("show", "runs.sqlite")
        run("gc", "runs.sqlite")
