"""The page of findings and the claims behind it."""

from __future__ import annotations

import re
import runpy

import pytest

from docs.structure import ROOT
from theory_checks import SuiteOptions, load_suite, verify
from theory_checks.loading import load_file

FILE = ROOT / "examples" / "findings.py"
NAMES = runpy.run_path(str(FILE))
FINDINGS, STATEMENTS = NAMES["FINDINGS"], NAMES["STATEMENTS"]


def test_every_finding_is_on_the_page_and_the_other_way_round():
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == sorted(FINDINGS)
    assert list(STATEMENTS) == list(FINDINGS)


def test_findings_are_rows_of_suites():
    pytest.importorskip("sklearn")
    found = {claim.id: claim for claim in load_file(FILE, SuiteOptions()).claims}
    assert len(found) == sum(len(ids) for _, ids in FINDINGS.values())
    rows = {c.id: c for suite in {suite for suite, _ in FINDINGS.values()} for c in load_suite(suite).claims()}
    for name, claim in found.items():
        row = rows[name.partition(".")[2]]
        assert (claim.name, claim.expect, claim.sizes, claim.counts) == (row.name, row.expect, row.sizes, row.counts)
        assert claim.source and bool(claim.statement) == (claim.expect == "consistent")


def test_a_finding_is_decided():
    pytest.importorskip("sklearn")
    report = verify(FILE, only="definite-bound,shared-indices,expectations", rng=0, jobs=1)
    assert report.exit_status == 0  # false refutation 1e-4; the seed is fixed
    assert [r.claim.id for r in report.results if r.verdict == "refuted"] == ["definite-bound.W24.wrong"]
