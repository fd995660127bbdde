"""Text and files from anywhere: each is read or refused with a sentence, whatever is in it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from changed_records import places, replaced
from hypothesis import example, given, settings
from hypothesis import strategies as st

import estimators
import randtensor as rt
from randtensor.errors import InputError, RandtensorError
from randtensor.orders import parse_bound, parse_order
from theory_checks import Claim, verify
from theory_checks.inputs import load_inputs
from theory_checks.rate_file import read_rate

N = rt.Scale("n")
G, H = rt.gaussian(N, N), rt.gaussian(N, N, N)
CLAIM = Claim("length", rt.norm(rt.gaussian(N)), predicted=rt.Theta(N**0.5), n=[2, 4, 8], samples=20)

names = ["n", "m", "log", r"\log", "sqrt", r"\frac", "O", "Theta", r"\eta", "°", "__import__", *"{}()^*/+-=, \0"]
pieces = st.sampled_from([*names, "**", "1", "0", "2.5", "1e9", "9" * 60])
orders = st.lists(pieces, max_size=30).map("".join) | st.text(max_size=60)


@settings(max_examples=300, deadline=None)
@given(orders)
@example("(" * 500 + "n" + ")" * 500)
@example("n^" * 400 + "2")
@example("n" * 10**6)
@example("n^(1/0)")
@example("n^{" + "9" * 900 + "}")
def test_orders(text):
    for parse in (parse_order, parse_bound):
        try:
            found = parse(text)
        except RandtensorError as error:
            assert str(error)
        else:
            assert parse(str(found)) == found


letters = st.text("abc->,. *A1é\0", max_size=12)


@settings(max_examples=200, deadline=None)
@given(letters | st.text(max_size=20))
@example("ab,abc->" + "c" * 10**5)
@example("a" * 10**6 + ",abc->")
@example("ab,abc->c" + " " * 10**6)
def test_equations(equation):
    try:
        found = rt.einsum(equation, G, H)
    except RandtensorError as error:
        assert len(str(error)) < 10**3
    else:
        assert found.ndim <= 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 1000) | st.just(2**70) | st.floats() | st.text(max_size=8),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def records():
    run = json.loads(json.dumps(verify([CLAIM], rng=0).to_dict()))
    return run, estimators.estimate(CLAIM.quantity, 4, samples=20, rng=0).to_dict()


@settings(max_examples=150, deadline=None)
@given(where=st.integers(0, 10**6), value=json_values)
def test_estimates_from_records(records, where, value):
    record = json.loads(json.dumps(records[1]))
    paths = list(places(record))
    changed = replaced(record, paths[where % len(paths)], value)
    try:
        found = estimators.Estimate.from_dict(changed)
    except RandtensorError as error:
        assert str(error)
    else:
        assert isinstance(found.value, float)


@settings(max_examples=40, deadline=None)
@given(where=st.integers(0, 10**6), value=json_values)
def test_runs_to_replay(records, where, value):
    record = records[0]
    relevant = [path for path in places(record) if path[0] in ("seed", "results", "error_budget", "budget", "quick")]
    changed = replaced(record, relevant[where % len(relevant)], value)
    try:
        report = verify([CLAIM], rng=0, replay=changed)
    except RandtensorError as error:
        assert str(error)
    else:
        assert all(sum(result.claim.counts) < 10**6 for result in report.results)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"[" * 10**5, b"null", b"{" + b'"a":' * 10, b"9" * 10**5, b'{"results": 1e999}']
)
def test_files_to_replay(tmp_path, content):
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(InputError, match="replay"):
        verify([CLAIM], rng=0, replay=tmp_path / "results.json")


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=60) | st.text("0123456789,.;-e n\n\"'#", max_size=60))
def test_tables_of_rates(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("rates") / "rates.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        found = read_rate(file)
    except RandtensorError as error:
        assert str(error)
    else:
        assert found.reason is not None or math.isfinite(found.exponent)


class Bomb:
    """What an array of objects in a file would run if it were loaded."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code in a data file was run')",))


def test_arrays_of_objects_are_not_loaded(tmp_path):
    file = tmp_path / "inputs.npy"
    np.save(file, np.array([[Bomb()]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError):
        load_inputs(file)
