"""Runs over many claims: where they come from, what a report says, and that the same seed gives the same numbers."""

from __future__ import annotations

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

import randtensor as rt
from theory_checks import Claim, Exact, Identity, NoDefiniteBound, SuiteOptions, Zero, load_suite, verify
from theory_checks.inputs import load_inputs
from theory_checks.loading import load_claims, select
from theory_checks.results import plain
from theory_checks.suites import SUITES

n = rt.Scale("n")
SIZES = [16, 64, 256]


@rt.quantity(n, name="law")
def law(size, batch, rng):
    return (1 + 0.1 * rng.standard_normal(batch)) / size


def good(**changes):
    options = {"predicted": rt.Theta(n**-1), "n": SIZES, "correction": None, "id": "G1"} | changes
    return Claim("decays as 1/n", law, **options)


def wrong(**changes):
    return good(**{"predicted": rt.Theta(n**-2), "id": "B1"} | changes)


def hopeless(**changes):
    @rt.quantity(n, name="noise")
    def noise(size, batch, rng):
        return rng.standard_cauchy(batch)

    options = {"predicted": rt.Theta(1), "n": SIZES, "samples": 30, "id": "H1"} | changes
    return Claim("heavy tails", noise, **options)


def numbers(report):
    return report.to_dict()["results"]


@pytest.mark.parametrize(
    ("claims", "status", "summary"),
    [
        ([good()], 0, "1 consistent, 0 refuted as expected, 0 refuted, 0 inconclusive"),
        ([good(), wrong(expect="refuted")], 0, "1 consistent, 1 refuted as expected, 0 refuted, 0 inconclusive"),
        ([good(), wrong()], 1, "1 consistent, 0 refuted as expected, 1 refuted, 0 inconclusive"),
        ([good(expect="refuted")], 1, "0 refuted, 1 not refuted although false, 0 inconclusive"),
        ([good(), hopeless()], 3, "1 consistent, 0 refuted as expected, 0 refuted, 1 inconclusive"),
        ([hopeless(expect="refuted")], 3, "1 inconclusive"),
        ([wrong(), hopeless()], 1, "1 refuted, 1 inconclusive"),
    ],
)
def test_exit_status_and_summary(claims, status, summary):
    report = verify(claims, rng=0)
    assert report.exit_status == status
    assert summary in report.summary()
    plural = "assertions" if len(claims) > 1 else "assertion"
    assert f"false refutation probability of the run 0.0001, over {len(claims)} {plural} at level" in report.summary()
    assert "; seed 0; " in report.summary()


def test_only_changes_no_number():
    claims = [good(), wrong(), hopeless()]
    whole = numbers(verify(claims, rng=7))
    assert numbers(verify(claims, rng=7, only="B1")) == whole[1:2]
    assert numbers(verify(claims, rng=7, only=["G1", "H1"], jobs=2)) == [whole[0], whole[2]]
    assert numbers(verify(list(reversed(claims)), rng=7)) == whole[::-1]


def test_the_seed_decides():
    claims = [good(), hopeless()]
    assert numbers(verify(claims, rng=7)) == numbers(verify(claims, rng=7))
    assert numbers(verify(claims, rng=7)) != numbers(verify(claims, rng=8))
    fresh = verify(claims)
    assert numbers(verify(claims, rng=fresh.seed)) == numbers(fresh)


def test_claims_with_the_same_quantity_are_independent():
    values = [m.value for r in verify([good(), good(id="G2")], rng=0).results for m in r.measurements]
    assert len(set(values)) == len(values)


def test_the_false_refutation_probability_is_split_over_all_claims():
    claims = [good(id=f"G{i}") for i in range(5)]
    assert verify(claims, rng=0, only="G3").results[0].false_refutation == pytest.approx(2e-5)


@pytest.mark.parametrize(
    ("only", "ids"),
    [
        ("W4", ["W4"]),
        ("w5", ["W5.1", "W5.2"]),
        ("W5.2,W4", ["W4", "W5.2"]),
        (["W4", "W5.1"], ["W4", "W5.1"]),
        ("*.2", ["W5.2"]),
        ("C^(0,2)", ["W5.1"]),
        ("spectral", ["W5.2", "W50"]),
        ("w?", ["W4"]),
        (None, ["W4", "W5.1", "W5.2", "W50"]),
    ],
)
def test_selection(only, ids):
    names = {"W4": "kernel", "W5.1": "C^(0,2) of tanh", "W5.2": "Spectral", "W50": "spectral again"}
    claims = [Claim(name, law, predicted=n**-1, n=SIZES, id=key) for key, name in names.items()]
    assert [claim.id for claim in select(claims, only)] == ids


def test_a_selection_of_nothing_is_an_error():
    with pytest.raises(rt.InputError, match=re.escape("only is 'G1,X9', but 'X9' matches none of the 1 claims")):
        verify([good()], only="G1,X9")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("weak-correlation", ": did you mean 'weak-correlations'?"),
        ("nothing alike", "or the path of a file of claims, .toml or .py"),
        ("missing.py", "file missing.py does not exist"),
        ([], "target has no claims"),
        ([3], "target has the entry 3, expected a Claim, the name of a suite or a file"),
        (3, "target has the entry 3"),
        ([good(), good()], "two claims have the id 'G1', expected ids, or names, that differ"),
    ],
)
def test_targets_that_cannot_be_used(target, message):
    with pytest.raises(rt.InputError, match=re.escape(message)):
        verify(target)


HEADER = """
import randtensor as rt
from theory_checks import Claim
n = rt.Scale("n")
length = rt.norm(rt.gaussian(n))
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "does not define claims, expected claims = [Claim(...), ...]"),
        ("claims = 3", "defines claims as 3"),
        ("claims = []", "defines no claims"),
        ("claims = [1]", "claims[0] is 1, expected a Claim"),
        ("claims = [", "line 1: '[' was never closed"),
        ("\n\nclaims = [1 / 0]", "line 3: ZeroDivisionError: division by zero"),
        ("import no_such_module_at_all", "line 1: ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("raise SystemExit(0)", "line 1: SystemExit: 0"),
        ("open('/no/such/file')", "line 1: No such file or directory: /no/such/file"),
        (HEADER + "claims = [Claim('length', length, n=[4, 8])]", "line 6: claim 'length': it has no prediction"),
        ("def claims(options):\n    raise KeyError('a')", "line 2: KeyError: 'a'"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(rt.InputError, match=re.escape(message)) as error:
        verify(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_files_of_claims(tmp_path):
    (tmp_path / "beside_the_claims.py").write_text("SIZES = [16, 64, 256, 1024]\n")
    path = tmp_path / "mine.py"
    text = "from beside_the_claims import SIZES\nclaim = Claim('length', length, predicted=n**0.5, n=SIZES)\n"
    path.write_text(HEADER + text + "claims = [claim]\n")
    report = verify(path, rng=0)
    assert report.exit_status == 0
    assert report.targets == (str(path),)
    (quick,) = verify(str(path), rng=0, quick=True).results
    assert [m.samples for m in quick.measurements] == [100] * 4
    path.write_text(HEADER + text + "def claims(options):\n    return [claim] if options.quick else []\n")
    assert [m.samples for m in verify(path, rng=0, quick=True).results[0].measurements] == [400] * 4


def test_suites_are_given_the_options(monkeypatch):
    seen = []

    def claims(options):
        seen.append(options)
        return [good()]

    module = SimpleNamespace(TITLE="title", SOURCE="source", claims=claims)
    monkeypatch.setitem(SUITES, "mine", "theory_checks.suites.mine")
    monkeypatch.setattr("theory_checks.suites.import_module", lambda name: module)
    report = verify(["mine", wrong(expect="refuted")], rng=0, quick=True, inputs=[[1.0, 2.0]])
    assert report.targets == ("mine", "claims")
    assert seen[0].quick
    assert seen[0].inputs.tolist() == [[1.0, 2.0]]
    assert [len(result.claim.sizes) for result in report.results] == [3, 3]
    assert {m.samples for m in report.results[1].measurements} == {100}


@pytest.mark.parametrize("inputs", [[1.0], [[math.nan]], [["a"]], [[]]])
def test_inputs_have_to_be_rows_of_numbers(inputs):
    with pytest.raises(rt.InputError, match="inputs"):
        verify([good()], inputs=inputs)


def test_every_suite_has_claims_that_can_be_told_apart():
    for name in SUITES:
        for quick in (False, True):
            (loaded,) = load_claims(name, SuiteOptions(quick=quick))
            assert loaded.title and loaded.source and loaded.claims
            assert any(claim.expect == "refuted" for claim in loaded.claims)
        assert load_suite(name).claims()


def test_progress_goes_from_nothing_to_everything():
    seen = []
    verify([good(), wrong(), hopeless()], rng=0, progress=seen.append)
    fractions = [state.fraction for state in seen]
    assert fractions[0] == 0
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert {state.index for state in seen} == {1, 2, 3}


def test_results_on_disk(tmp_path):
    nothing = Claim(
        "nothing", rt.quantity(n, name="zero")(lambda size, batch, rng: np.zeros(batch)), predicted=rt.O(1), n=SIZES
    )
    drift = Claim("drift", law, predicted=NoDefiniteBound(), n=SIZES, expect="refuted", correction=None)
    exact = Claim("exact", law, predicted=Exact(n**-1), n=SIZES, statistic="mean")
    claims = [
        good(),
        hopeless(),
        nothing,
        drift,
        exact,
        Claim("zero", law, predicted=Zero(), n=SIZES, expect="refuted"),
    ]
    claims.append(Claim("identity", law, predicted=Identity(1.0), n=SIZES))
    report = verify(claims, rng=0)
    path = report.save(tmp_path / "deep" / "down")
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["results.json", "run.json"]

    def refuse(text):
        raise AssertionError(f"{text} is not JSON")

    record = json.loads(path.read_text(), parse_constant=refuse)
    assert record == json.loads(json.dumps(report.to_dict()))
    assert {"versions", "origins", "seed", "exit_status", "false_refutation"} <= set(record)
    run = json.loads((path.parent / "run.json").read_text())
    assert {"created", "platform", "seconds", "claims"} <= set(run) and not {"created", "platform", "seconds"} & set(
        record
    )
    assert (record["interrupted"], record["planned"], record["time_budget"]) == (False, len(claims), None)
    assert record["error_budget"]["assertions"] == len(claims) - 1  # the identity takes no part in it
    assert set(record["versions"]) == {"randtensor", "numpy", "scipy", "python"}
    assert len(record["results"]) == len(claims)
    for entry in record["results"]:
        assert entry["verdict"] in ("consistent", "refuted", "inconclusive")
        assert entry["reason"] and entry["seed"]["entropy"] == 0
        assert entry["samples"] == [m["samples"] for m in entry["measurements"]][: len(entry["samples"])]
        assert {"contradictions", "smallest_detectable_deviation", "detectable_unit", "looks"} <= set(entry)
        for measured in entry["measurements"]:
            assert {"sizes", "samples", "value", "error", "statistic", "kurtosis"} <= set(measured)
    assert record["results"][0]["interval"][0] < -1 < record["results"][0]["interval"][1]
    before = path.read_text()
    report.save(path.parent)
    assert path.read_text() == before


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(rt.InputError, match="cannot be written to"):
        verify([good()], rng=0).save(tmp_path / "file")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_the_table_fits_and_names_every_verdict(width):
    claims = [good(), wrong(expect="refuted", id="a.very.long.id.for.a.claim"), hopeless(), wrong()]
    lines = verify(claims, rng=0).text(width).splitlines()
    assert max(map(len, lines)) <= width
    flat = " ".join(" ".join(lines).split())
    for word in ("consistent", "refuted,", "expected", "inconclusive", "B1: refuted: the interval", "G1", "H1"):
        assert word in flat


def test_str_of_a_report_is_its_table():
    report = verify([good()], rng=0)
    assert "G1" in str(report)
    assert report.summary() in " ".join(str(report).split())


def test_plain_json_types():
    assert plain({1: (np.float64(np.inf), np.bool_(True), np.arange(2), None, n)}) == {
        "1": [None, True, [0, 1], None, "n"]
    }


def write(path, content):
    path.write_text(content) if isinstance(content, str) else np.save(path, content)
    return path


def test_inputs_are_normalised_to_their_dimension(tmp_path):
    for path in (
        write(tmp_path / "a.csv", "x,y\n3,4\n\n 5e200 , 0\n"),
        write(tmp_path / "a.npy", np.array([[3.0, 4.0], [5e200, 0.0]])),
    ):
        rows = load_inputs(path)
        assert rows == pytest.approx(np.array([[0.6, 0.8], [1.0, 0.0]]) * math.sqrt(2))
        assert load_inputs(path, normalize=False).tolist() == [[3.0, 4.0], [5e200, 0.0]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "1,2", "expected a .npy or .csv file"),
        ("a.csv", "1,2\n3", "line 2: 1 numbers, expected 2 as before"),
        ("a.csv", "1,2\n3,x", "line 2: 'x' is not a number"),
        ("a.csv", "1,2\n3,nan", "row 2, column 2 is nan, expected finite numbers"),
        ("a.csv", "1,2\n0,0", "row 2 is zero, expected a vector that can be normalised"),
        ("a.csv", "", "has shape (0,), expected rows"),
        ("a.npy", "text", "cannot be read as a .npy array of numbers"),
        ("a.npy", np.ones(3), "has shape (3,), expected rows"),
        ("a.npy", np.array([["a"]]), "expected an array of real numbers"),
        ("a.npy", np.array([[np.inf]]), "row 1, column 1 is inf"),
        ("missing/a.npy", None, "cannot be read: No such file or directory"),
    ],
)
def test_inputs_that_cannot_be_used(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        write(path, content)
    with pytest.raises(rt.RandtensorError, match=re.escape(message)):
        load_inputs(path)
