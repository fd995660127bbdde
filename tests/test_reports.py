"""The record of a run, what is rendered from it, and runs compared and made again."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from html_elements import Elements

import randtensor as rt
from theory_checks import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes, Tight, Zero, verify
from theory_checks.cli import main
from theory_checks.loading import load_file
from theory_checks.rendering import SCHEMA, compare_records, read_record, render
from theory_checks.reproducing import reproduce

n = rt.Scale("n")
SIZES = [16, 64, 256]
SCHEMA_FILE = json.loads(files("theory_checks.rendering").joinpath("results.schema.json").read_text())
NASTY = 'a <script>alert("x")</script> & 50 % of $x_1$, {b}~\\c | ≤ π'

TOML = """
title = "Lengths"
[tensors]
g = { law = "gaussian", shape = ["n"] }
[[claim]]
id = "L"
name = "squared length"
statement = 'the length obeys $\\|g\\|^2 = n + O_p(\\sqrt{n})$'
equation = "a,a->"
factors = ["g", "g"]
predicted = "= n"
n = [4, 16, 64]
[[claim]]
id = "R"
name = "length"
equation = "a->a"
factors = ["g"]
norm = "injective"
predicted = "Theta(n^{1/2})"
n = [4, 16, 64, 256]
"""


def claims():
    g = rt.gaussian(n)
    length, first = rt.norm(g), rt.einsum("a,a->", g, g)

    def claim(name, quantity, predicted, **options):
        return Claim(name, quantity, predicted=predicted, n=SIZES, samples=200, **options)

    return [
        claim("rate", length, rt.Theta(n**0.5), id="A.1", statement=r"$\|g\| = \Theta_p(\sqrt n)$ <b>", note=NASTY),
        claim(NASTY, length, rt.Theta(n), source=NASTY),
        claim("control", length, rt.O(1), expect="refuted"),
        claim("exact", first, Exact(n), statistic="mean"),
        claim("zero", rt.einsum("a,a->", g, rt.gaussian(n)), Zero()),
        claim("identity", first - first, Identity(1e-9)),
        claim("tight", length, Tight(n**0.5, quantiles=(50, 90))),
        claim("slopes", length, QuantileSlopes({50: 0.5, 90: 0.5})),
        claim("drift", length, NoDefiniteBound(quantiles=(50, 90))),
    ]


@pytest.fixture(scope="module")
def record():
    return json.loads(json.dumps(verify(claims(), rng=0, jobs=1).to_dict()))


@pytest.fixture(scope="module")
def rendered(record):
    return render(record)


def test_the_record_obeys_its_schema(record):
    jsonschema.Draft202012Validator.check_schema(SCHEMA_FILE)
    jsonschema.validate(record, SCHEMA_FILE)
    assert SCHEMA_FILE["title"] == SCHEMA == record["schema"]
    wrong = {**record, "results": [{**record["results"][0], "verdict": "maybe"}]}
    with pytest.raises(jsonschema.ValidationError, match="maybe"):
        jsonschema.validate(wrong, SCHEMA_FILE)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "record has the schema None"),
        ({"format": 2}, "format 2, of an older version"),
        ({"schema": SCHEMA}, "record is damaged: it has no targets, expected it"),
        ([1], "record has the schema None"),
        ("missing.json", r"missing.json cannot be read"),
    ],
)
def test_what_is_no_record_is_refused(source, message):
    with pytest.raises(rt.InputError, match=message):
        read_record(source)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("measured", "much", r"is damaged: results\[0\].measured is 'much', expected number or null"),
        ("details", None, r"is damaged: results\[0\].details is None, expected object"),
        ("interval", [1], r"is damaged: results\[0\].interval is \[1\], expected 2 entries"),
        ("samples", [], r"has a damaged entry 'A.1' \(\w+: .*\), expected the results of a run"),
        ("sizes", [{}], r"has a damaged entry 'A.1' \(\w+: .*\), expected the results of a run"),
    ],
)
def test_a_damaged_entry_is_refused(record, key, value, message):
    damaged = {**record, "results": [{**record["results"][0], key: value}]}
    with pytest.raises(rt.InputError, match=f"record {message}"):
        read_record(damaged)
    without = {name: entry for name, entry in record["results"][0].items() if name != key}
    with pytest.raises(rt.InputError, match=rf"record is damaged: results\[0\] has no {key}, expected it"):
        read_record({**record, "results": [without]})


def test_the_same_run_gives_the_same_bytes(record, rendered):
    again = verify(claims(), rng=0, jobs=2).to_dict()
    assert json.loads(json.dumps(again)) == record
    assert render(again, ["html"]) == {"report.html": rendered["report.html"]}
    few = [{**run, "results": [run["results"][0], *run["results"][4:7]]} for run in (record, again)]
    assert render(few[0], ["markdown", "csv", "junit", "latex"]) == render(
        few[1], ["markdown", "csv", "junit", "latex"]
    )


def test_the_table_of_measurements_has_every_digit(record, rendered):
    rows = list(csv.DictReader(io.StringIO(rendered["measurements.csv"].decode())))
    measured = [m for result in record["results"] for m in result["measurements"]]
    assert [float(row["value"]) for row in rows] == [m["value"] for m in measured]
    assert [int(row["n"]) for row in rows] == [m["sizes"]["n"] for m in measured]
    assert NASTY in {row["name"] for row in rows}


def test_junit_tells_verdicts_apart(record, rendered):
    suite = ET.fromstring(rendered["junit.xml"])[0]
    verdicts = [result["verdict"] for result in record["results"]]
    assert suite.get("tests") == str(len(verdicts))
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed[0] == f"{NASTY}: rms: Theta(n)"
    assert suite.get("failures") == str(len(failed)) == str(sum(not r["good"] and r["verdict"] != "inconclusive"
                                                               for r in record["results"]))  # fmt: skip
    assert suite.get("errors") == str(verdicts.count("inconclusive"))


def links(page):
    return [each[key] for each in page.all for key in ("href", "src", "xlink:href") if key in each]


def test_the_page_stands_alone_and_is_sound(record, rendered):
    text = rendered["report.html"].decode()
    page = Elements(text)
    assert page.open == []
    ids = [each["id"] for each in page.all if "id" in each]
    assert len(set(ids)) == len(ids)
    # links lead to places in the page, and nothing is fetched or run
    assert links(page) and all(link.startswith("#") and link[1:] in ids for link in links(page))
    assert not page.of("script", "iframe", "link", "img")
    assert not re.search(r"@import|url\((?!#)", text)
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert page.of("html")[0]["lang"] == "en" and len(page.of("h1")) == 1
    # every figure is described, and no colour in one is fixed
    drawn = [each for each in page.all if each.get("role") == "img"]
    assert len(drawn) == len(record["results"]) and all("div" in each["in"] for each in page.of("svg"))
    assert all(given["aria-label"] for given in drawn)
    assert not re.findall(r'style="[^"]*#[0-9a-f]{6}', text)
    assert "prefers-color-scheme: dark" in text and page.of("math")


@pytest.mark.parametrize(
    "formula",
    [
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background: url(//evil)}{x}",
        r"\class{verdicts}{x}",
        r"\mathrm{<img src=x onerror=alert(1)>}",
        r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
        r"\fbox{<b onclick=alert(1)>} \operatorname{<i>}",
        r"\left< x \right> < 1 & \color{red\"onload=\"alert(1)}{x}",
        r"<script>alert(1)</script>",
        r"\unknown<script>alert(1)</script>}",
    ],
)
def test_a_formula_cannot_act(record, formula):
    claim = {**record["results"][0], "statement": f"a ${formula}$ b"}
    page = Elements(render({**record, "results": [claim]}, ["html"])["report.html"].decode())
    assert page.open == [] and not page.of("script", "img", "b", "i")
    formulas = [each for each in page.all if "math" in each["in"]]
    assert formulas and not [name for each in formulas for name in each if re.match("on|href|src|style|class", name)]
    assert all(link.startswith("#") for link in links(page))


def test_the_appendix_names_its_figures_and_escapes_words(rendered):
    body = rendered["claims.tex"].decode()
    figures = re.findall(r"\\includegraphics\[[^]]*\]\{([^}]*)\}", body)
    assert sorted(f"{name}.pdf" for name in figures) == sorted(name for name in rendered if name.endswith(".pdf"))
    assert len(figures) == 9 and all(re.fullmatch(r"figures/[A-Za-z0-9-]+", name) for name in figures)
    assert all(rendered[f"{name}.pdf"].startswith(b"%PDF") for name in figures)
    assert r"$\|g\| = \Theta_p(\sqrt n)$" in body and r"\input{claims}" in rendered["appendix.tex"].decode()
    assert r"50 \% of" in body and "≤" not in body
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", body):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    for name in ("figure", "longtable"):
        assert body.count(rf"\begin{{{name}}}") == body.count(rf"\end{{{name}}}")


def test_markdown_shows_words_as_they_are(rendered):
    text = rendered["report.md"].decode()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 10
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 9 for row in rows)
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "- **control**: refuted" in text and re.search(r"^- \*\*.*\*\* \(a ", text, re.MULTILINE)


def test_formats():
    with pytest.raises(rt.InputError, match="formats has 'pdf', expected markdown"):
        render({}, ["pdf"])


class TestReproducing:
    def test_claims_in_python_need_to_be_given(self, record):
        with pytest.raises(rt.InputError, match="expected target=: those claims, or a file of them"):
            reproduce(record)
        assert reproduce(record, claims(), jobs=1).comparison.numbers[1:] == (0, 0)

    def test_a_spawned_seed(self):
        claim = claims()[0]
        report = verify(claim, rng=np.random.SeedSequence(5, spawn_key=(1, 2)), jobs=1)
        assert reproduce(report.to_dict(), claim).comparison.reproduced

    def test_from_the_command_line(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "160")
        run = CliRunner().invoke
        (tmp_path / "mine.toml").write_text(TOML)
        found = run(main, ["verify", "mine.toml", "--out", "out", "--rng", "4", "--jobs", "1"])
        assert found.exit_code == 0 and "report: report.md" in found.stdout
        names = {path.name for path in (tmp_path / "out").iterdir()}
        assert {"results.json", "run.json", "report.md", "measurements.csv", "junit.xml", "report.html"} <= names
        assert {"appendix.tex", "claims.tex", "figures"} <= names
        shown = run(main, ["show", "out/results.json", "-v"])
        assert shown.exit_code == 0 and "R: consistent" in shown.stdout and "seed 4" in shown.stdout
        # a directory stands for the record in it
        assert run(main, ["show", "out", "-v"]).stdout == shown.stdout
        assert run(main, ["diff", "out", "out/results.json"]).exit_code == 0
        assert run(main, ["report", "out"]).exit_code == 0
        empty = run(main, ["show", "."])
        assert empty.exit_code == 2
        assert (
            empty.stderr == "randtensor: record is ., a directory without results.json, expected the results of a run\n"
        )
        # the file changes: the record knows what was run
        (tmp_path / "mine.toml").write_text(TOML.replace("[4, 16, 64]", "[4, 8]"))
        again = run(main, ["reproduce", "out", "--jobs", "1"])
        assert again.exit_code == 0, again.output
        assert "all verdicts agree" in again.stdout and " 0 up to rounding, and 0 differ" in again.stdout
        assert again.stderr == "randtensor: mine.toml has changed since: its text in the record was used\n"
        changed = (tmp_path / "out" / "results.json").read_text().replace('"value": ', '"value": 1')
        (tmp_path / "other.json").write_text(changed)
        differ = run(main, ["diff", "out/results.json", "other.json"])
        assert differ.exit_code == 0 and "L " in differ.stdout
        assert run(main, ["diff", "out/results.json", "mine.toml"]).exit_code == 2

    def test_a_program_is_run_only_if_it_is_named(self, tmp_path):
        source = (
            "import randtensor as rt\nfrom theory_checks import Claim\nn = rt.Scale('n')\n"
            "claims = [Claim('length', rt.norm(rt.gaussian(n)), predicted='Theta(n^{1/2})', n=[16, 64], samples=50)]\n"
        )
        path = tmp_path / "mine.py"
        path.write_text(source)
        record = verify(str(path), rng=0, jobs=1).to_dict()
        assert record["origins"][0]["text"] is None and "import" not in json.dumps(record)
        with pytest.raises(rt.InputError, match=r"a record gets no program run, expected it as a target: .*mine.py"):
            reproduce(record)
        found = reproduce(record, str(path), jobs=1)
        assert found.comparison.reproduced and found.notes == ()
        path.write_text(source + "# a remark\n")
        found = reproduce(record, [path], jobs=1)
        assert found.comparison.reproduced and found.notes == ("mine.py has changed since the run",)
        path.unlink()
        with pytest.raises(rt.InputError, match="does not exist"):
            reproduce(record, str(path))

    def test_a_record_does_not_run_a_file_that_it_calls_a_suite(self, tmp_path):
        path = tmp_path / "evil.py"
        path.write_text("raise SystemExit('run')\n")
        record = json.loads(json.dumps(verify(claims()[0], rng=0, jobs=1).to_dict()))
        record["origins"] = [{"name": str(path), "kind": "suite", "title": "", "source": ""}]
        with pytest.raises(rt.InputError, match="is not known, expected correlation-functions"):
            reproduce(record)

    @pytest.mark.parametrize(
        "seed", [{}, {"entropy": "x", "spawn_key": []}, [1.5], [-1], -1, {"entropy": 1, "spawn_key": 2}]
    )
    def test_a_seed_that_is_none(self, record, seed):
        with pytest.raises(rt.InputError, match=r"record has the seed .*, expected that of a run|rng is -1"):
            reproduce({**record, "seed": seed}, claims()[0])

    @pytest.mark.parametrize("name", ["x" * 5000 + ".py", "a\0b.py", "/", ""])
    def test_a_file_that_is_none(self, record, name):
        origin = {"name": name, "kind": "file", "title": "", "source": ""}
        with pytest.raises(rt.InputError, match="expected"):
            reproduce({**record, "origins": [origin]})

    def test_a_record_that_was_changed_is_not_reproduced(self, tmp_path):
        report = verify(claims()[0], rng=0, jobs=1).to_dict()
        changed = json.loads(json.dumps(report))
        changed["results"][0]["measurements"][1]["value"] *= 1.01
        assert not reproduce(changed, claims()[0]).comparison.reproduced


def test_every_field_of_the_record_is_described():
    text = (Path(__file__).parents[1] / "docs" / "reports.md").read_text(encoding="utf-8")
    parts = [SCHEMA_FILE, *(SCHEMA_FILE["$defs"][name] for name in ("result", "measurement", "origin"))]
    for name, field in (pair for part in parts for pair in part["properties"].items()):
        assert f"| `{name}` | {field.get('description', '')}" in text
        assert field.keys() & {"description", "enum", "const"}  # choices speak for themselves


def test_the_findings_are_claims_with_their_controls():
    found = load_file(Path(__file__).parents[1] / "examples" / "findings.toml").claims
    assert {claim.id: claim.expect for claim in found} == {
        "third": "consistent", "third.wrong": "refuted", "skewed": "consistent", "skewed.wrong": "refuted",
        "claw": "consistent", "claw.wrong": "refuted",
    }  # fmt: skip
    report = verify(list(found), only="third", rng=0, budget=0.3, jobs=1)
    assert report.exit_status == 0  # false refutation 1e-4; the seed is fixed


def odd_results():
    """Claims without scale, with two, without samples or scatter, and broken ones."""
    m, g = rt.Scale("m_long"), rt.gaussian(n)
    fixed = rt.norm(rt.fixed([3.0, 4.0]))
    two = rt.einsum("ab,ab->", rt.gaussian(m, n), rt.gaussian(m, n))
    sizes = [{"m_long": 4, "n": 8}, {"m_long": 16, "n": 8}, {"m_long": 64, "n": 8}]

    @rt.quantity(n, name="broken")
    def broken(size, batch, rng):
        raise RuntimeError("no <samples>")

    @rt.quantity(n, name="zero")
    def zero(size, batch, rng):
        return np.zeros(batch)

    return [
        Claim("no scale", fixed, statistic="mean", predicted=Exact(5), samples=40),
        Claim("two scales", two, predicted=rt.Theta(m**0.5), n=sizes, samples=100, scale=m),
        Claim("broken", broken, predicted=rt.Theta(1), n=SIZES, samples=40),
        Claim("zero", zero, predicted=rt.O(1), n=SIZES, samples=40),
        Claim("constants", rt.norm(rt.identity(n), "frobenius"), predicted=rt.Theta(n**0.5), n=SIZES, samples=30),
        Claim("identity", rt.norm(g), predicted=Identity(1e-9), n=SIZES, samples=30),
        Claim("signs", rt.einsum("a,a->", g, g) * -1, statistic="mean", predicted=rt.Theta(n), n=SIZES, samples=100),
    ]


def test_odd_results_are_rendered():
    report = verify(odd_results(), rng=0, jobs=1)
    record = json.loads(json.dumps(report.to_dict()))
    jsonschema.validate(record, SCHEMA_FILE)
    for content in (record, {**record, "results": []}):
        rendered = render(content)
        assert Elements(rendered["report.html"].decode()).open == []
        for name in ("claims.tex", "report.md", "report.html"):
            assert not re.search(rb"\b(nan|None|undefined)\b", rendered[name].split(b"</style>")[-1])
    assert "no &lt;samples&gt;" in render(record, ["html"])["report.html"].decode()
    for width in (50, 100, 160):
        assert all(len(line) <= width for line in report.text(width).splitlines())
    assert compare_records(record, record).reproduced


def test_without_the_libraries_the_rest_is_written(monkeypatch, tmp_path, record):
    from theory_checks.rendering import documents

    monkeypatch.setattr(documents, "find_spec", lambda name: None if name == "jinja2" else object())
    assert documents.available_formats() == ("markdown", "csv", "junit")
    with pytest.raises(rt.InputError, match=r"jinja2 is needed for html: pip install 'randtensor\[report\]'"):
        render(record, ["html"])
    (tmp_path / "results.json").write_text(json.dumps(record))
    found = CliRunner().invoke(main, ["report", str(tmp_path / "results.json"), "--out", str(tmp_path / "out")])
    assert found.exit_code == 0 and "need more libraries" in found.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.md", "measurements.csv", "junit.xml"}
