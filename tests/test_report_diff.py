"""Two runs of the same claims, compared."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import randtensor as rt
from theory_checks import Claim, Exact, verify
from theory_checks.cli import main
from theory_checks.rendering import compare_records

n = rt.Scale("n")


def claims():
    g = rt.gaussian(n)
    length, square = rt.norm(g), rt.einsum("a,a->", g, g)
    given = {"n": [16, 64, 256], "samples": 200}
    return [
        Claim("rate", length, predicted=rt.Theta(n**0.5), id="A.1", **given),
        Claim("wrong", length, predicted=rt.Theta(n), **given),
        Claim("control", length, predicted=rt.O(1), expect="refuted", **given),
        Claim("exact", square, predicted=Exact(n), statistic="mean", **given),
    ]


@pytest.fixture(scope="module")
def record():
    return json.loads(json.dumps(verify(claims(), rng=0, jobs=1).to_dict()))


def test_other_seeds_and_missing_claims(record):
    other = json.loads(json.dumps(verify(claims()[:3], rng=1, jobs=1).to_dict()))
    found = compare_records(record, other)
    assert [claim.label for claim in found.claims] == ["A.1", "wrong", "control", "exact"]
    assert all(claim.second is None for claim in found.claims[3:]) and not found.same_verdicts
    assert ("seed", 0, 1) in found.options
    # the probability that three such deviations exceed 6 is below 1e-8
    assert all(abs(claim.deviation) < 6 for claim in found.claims[:3])
    assert found.claims[0].different > 0 and found.claims[0].same_verdict


def test_a_claim_that_only_one_run_has_is_no_verdict_that_differs(record):
    few = {**record, "results": record["results"][:1]}
    found = compare_records(record, few)
    assert not found.same_verdicts
    assert found.summary().startswith("all verdicts agree; 3 claims are in one run only; of ")
    found = compare_records(few, {**record, "results": record["results"][1:2]})
    assert found.summary() == (
        "no claim is in both runs; of 0 numbers 0 agree to the last bit, 0 up to rounding, and 0 differ"
    )


def test_a_claim_that_was_changed_is_told(record, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    changed = json.loads(json.dumps(record))
    first = changed["results"][0]
    first |= {"predicted": "O(n^{1/2})", "expect": "refuted", "sizes": [{"n": 16}, {"n": 64}, {"n": 512}]}
    first["samples"] = [200, 200, 300]
    first["measurements"][0]["value"] = 4.5
    found = compare_records(record, changed)
    assert found.same_verdicts and not found.reproduced and "; 1 claim was changed; " in found.summary()
    assert [name for name, _, _ in found.claims[0].changes] == ["predicted", "sizes", "samples", "expect"]
    assert not any(claim.changes for claim in found.claims[1:])
    for name, content in (("a", record), ("b", changed)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(content))
    differ = CliRunner().invoke(main, ["diff", str(tmp_path / "a"), str(tmp_path / "b")])
    assert differ.exit_code == 0
    for line in (
        "A.1 predicted: Theta(n^{1/2}) -> O(n^{1/2})",
        "A.1 sizes: n = 16; n = 64; n = 256 -> n = 16; n = 64; n = 512",
        "A.1 samples: 200 -> 200, 200, 300",
        "A.1 expect: consistent -> refuted",
        f"A.1 differs in rms, value at n = 16: {record['results'][0]['measurements'][0]['value']:.10g} -> 4.5",
    ):
        assert line in [each.rstrip() for each in differ.stdout.splitlines()]


def test_rounding_is_told_from_difference(record):
    changed = json.loads(json.dumps(record))
    changed["results"][0]["measured"] *= 1 + 1e-13
    changed["results"][0]["measurements"][0]["value"] *= 1 + 1e-6
    found = compare_records(record, changed)
    assert found.numbers[1:] == (1, 1) and found.same_verdicts and not found.reproduced
    assert "1 up to rounding, and 1 differ" in found.summary()
