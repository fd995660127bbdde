"""The pytest plugin: outcomes, messages, seeds, the error budget, the summary, xdist, and whole projects."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import randtensor as rt
import theory_checks
from theory_checks.pytest_support import ClaimFailure, RateCheck, assert_claim

pytest_plugins = "pytester"

EXAMPLES = Path(__file__).parents[1] / "examples"

HEAD = """
import pytest
import randtensor as rt
import theory_checks

n = rt.Scale("n")
LENGTH = rt.norm(rt.gaussian(n))
NOISY = rt.einsum("ab,bc,cd,da->", *4 * [rt.gaussian(n, n)])
WIDTHS = [16, 64, 256, 1024]

def noisy(rate_check, **options):
    return rate_check(NOISY, predicted=rt.Theta(n**2), n=[4, 8], samples=30, **options)
"""


@pytest.fixture(scope="module", autouse=True)
def imported():
    """Checks claims once: a run within this process forgets what it imports, and some modules load only once."""
    for predicted in (rt.O(rt.Scale("n")), theory_checks.Exact(1)):
        claim = theory_checks.Claim("warm up", rt.norm(rt.gaussian(rt.Scale("n"))), predicted=predicted, n=[4, 8])
        theory_checks.check(claim, rng=0)


@pytest.fixture
def run(pytester):
    """Runs the text of a test module within this process; ``text`` is what it wrote."""

    def run(text, *options):
        pytester.makepyfile(HEAD + text)
        result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", *options)
        result.text = result.stdout.str()
        return result

    return run


PASSING = """
def test_length(rate_check):
    assert rate_check(LENGTH, predicted=rt.Theta(n**0.5), n=WIDTHS).verdict == "consistent"
"""
FAILING = """
def test_length(rate_check):
    rate_check(LENGTH, predicted=rt.Theta(n), n=WIDTHS, source="Nobody 2020")
"""


def test_the_plugin_is_an_entry_point():
    (found,) = [point for point in entry_points(group="pytest11") if point.name == "randtensor"]
    assert found.value == "randtensor.pytest_plugin", "install the project again: pip install -e '.[test]'"


def test_nothing_is_imported_until_a_test_asks(pytester):
    pytester.makepyfile("""
        import sys
        def test_imports():
            heavy = {"estimators", "theory_checks", "randtensor.strategies", "scipy.stats", "sympy", "matplotlib"}
            assert "randtensor.pytest_plugin" in sys.modules
            assert not heavy & set(sys.modules)
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*claims about scaling*")


# --- outcomes -----------------------------------------------------------------------------------------------------


def test_a_claim_that_holds_passes_and_is_in_the_summary(run):
    result = run(PASSING)
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines(
        [
            r"=+ claims about scaling =+",
            r"consistent  exponent 0\.\d+ ± 0\.\d+  Theta\(n\^\{1/2\}\)  \S+\.py::test_length$",
            r"rng 0; a true claim is refuted with probability at most 6.1e-05 \(error budget 0.0001, 1 assertion\)$",
        ]
    )


def test_a_claim_that_fails_says_everything_needed_to_act(run):
    result = run(FAILING)
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [
            r">\s+rate_check\(LENGTH, predicted=rt.Theta\(n\)",  # the line of the test, not of the library
            r"E .*ClaimFailure: \S+::test_length: refuted",
            r"E\s+predicted:     rms is Theta\(n\)  \[Nobody 2020\]",
            r"E\s+measured:      exponent 0\.\d+ ± 0\.0\d+",
            r"E\s+interval:      \[0\.\d+, 0\.\d+\] at 99 %, \[0\.\d+, 0\.\d+\] at the level of a refutation",
            r"E\s+z, p:          z = -[\d.]+, p <?= \S+",
            r"E\s+sizes:         n = 16, n = 64, n = 256, n = 1024",
            r"E\s+values:        .* ± .*, .* ± .*, .* ± .*, .* ± .*",
            r"E\s+samples:       400, 400, 400, 400",
            r"E\s+reason:        the interval .* lies outside the claimed \[0.9, 1.1\]",
            r"E\s+detectable:    a deviation of 0\.\d+ \(exponent\)",
            r"E\s+seed:          --randtensor-rng=0 repeats this",
            r"E\s+error budget:  0.0001 for the run, 6.1e-05 for this assertion",
            r"E\s+vary the seed: python -m pytest '\S+\.py::test_length' --randtensor-vary-rng",
        ]
    )
    result.stdout.re_match_lines([r"refuted  exponent .*  Theta\(n\)  \S+::test_length"])
    assert "pytest_support.py" not in result.text.replace("theory_checks.pytest_support", "")


def test_claims_and_predictions_of_any_kind_can_be_checked(run):
    result = run("""
SUM = rt.einsum("a,a->", *2 * [rt.gaussian(n)])

def test_claim(rate_check):
    rate_check(theory_checks.Claim("the length", LENGTH, id="L1", predicted=rt.O(n**0.5), n=WIDTHS))

def test_control(rate_check):
    rate_check(LENGTH, predicted=rt.O(1), n=WIDTHS, expect="refuted")

def test_exact(rate_check):
    rate_check(SUM, statistic="mean", predicted=theory_checks.Exact(n), n=[4, 8])

def test_wrong_control(rate_check):
    rate_check(LENGTH, predicted=rt.Theta(n**0.5), n=WIDTHS, expect="refuted")
""")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.re_match_lines([r"E .*: consistent \(a negative control: expected to be refuted\)"])
    result.stdout.re_match_lines([r"consistent .*  L1  \(\S+::test_claim\)"])


def test_exact_values_are_shown_beside_those_measured(run):
    result = run("""
SUM = rt.einsum("a,a->", *2 * [rt.gaussian(n)])

def test_exact(rate_check):
    rate_check(SUM, statistic="mean", predicted=theory_checks.Exact(3 * n), n=[4, 8])
""")
    result.stdout.re_match_lines(
        [
            r"E\s+measured:      n = 4: mean \S+ ± \S+ \(predicted 12\), z = -\S+",
            r"E\s+n = 8: mean \S+ ± \S+ \(predicted 24\), z = -\S+",
            r"E\s+samples:       \d+, \d+$",
        ]
    )
    result.stdout.no_re_match_line(r"E\s+values:")


@pytest.mark.parametrize(
    ("option", "outcome"),
    [("fail", "failed"), ("skip", "skipped"), ("warn", "passed")],
    ids=["fail", "skip", "warn"],
)
def test_inconclusive_claims(run, option, outcome):
    options = [] if option == "fail" else [f"--randtensor-inconclusive={option}"]
    result = run(
        """
def test_noisy(rate_check):
    noisy(rate_check)

def test_allowed(rate_check):
    assert noisy(rate_check, allow_inconclusive=True).verdict == "inconclusive"
""",
        "-W",
        "default",
        "-rs",
        *options,
    )
    counts = result.parseoutcomes()
    assert counts.get(outcome) == (2 if outcome == "passed" else 1)
    assert counts["passed"] == (2 if outcome == "passed" else 1)
    assert re.search(r"(more samples alone would not decide|times the samples would decide)", result.text)
    assert ("InconclusiveWarning" in result.text) == (outcome == "passed")


def test_a_claim_is_not_given_twice(run):
    result = run("""
@pytest.mark.parametrize("option", [{"n": [4, 8]}, {"predicted": rt.Theta(n)}, {"name": "other"}])
def test_claim(rate_check, option):
    claim = theory_checks.Claim("length", LENGTH, predicted=rt.O(n**0.5), n=WIDTHS)
    with pytest.raises(rt.InputError, match=f"{next(iter(option))} is given together with a claim"):
        rate_check(claim, **option)
""")
    result.assert_outcomes(passed=3)


# --- seeds and samples --------------------------------------------------------------------------------------------

MEASURED = re.compile(r"exponent \S+ ± \S+")


def test_the_seed_decides_the_numbers(run):
    def measured(*options):
        return MEASURED.search(run(PASSING, *options).text).group()

    default = measured()
    assert measured("--randtensor-rng=0") == default
    assert measured("--randtensor-rng=1") != default
    varied = run(PASSING, "--randtensor-vary-rng")
    seed = re.search(r"drawn seed, --randtensor-rng=(\d+) repeats the run", varied.text).group(1)
    assert f"rng {seed};" in varied.text
    assert measured(f"--randtensor-rng={seed}") == MEASURED.search(varied.text).group()


def test_a_seed_is_given_or_drawn(run):
    result = run(PASSING, "--randtensor-rng=0", "--randtensor-vary-rng")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--randtensor-rng=0 is given together with --randtensor-vary-rng, expected one of*"])


def test_a_claim_has_the_same_numbers_as_outside_of_pytest(run):
    claim = theory_checks.Claim("a", rt.norm(rt.gaussian(rt.Scale("n"))), predicted=rt.O(rt.Scale("n")), n=[8, 32, 128])
    expected = theory_checks.check(claim, rng=5).measured
    result = run(
        f"""
def test_same(rate_check):
    result = rate_check(LENGTH, name="a", predicted=rt.O(n), n=[8, 32, 128])
    assert result.measured == {expected!r}
""",
        "--randtensor-rng=5",
    )
    result.assert_outcomes(passed=1)


def test_the_budget_multiplies_the_samples(run):
    text = """
def test_samples(rate_check):
    result = rate_check(LENGTH, predicted=rt.Theta(n**0.5), n=WIDTHS, samples=100)
    assert [m.samples for m in result.measurements] == [250] * 4
"""
    run(text, "--randtensor-budget=2.5").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--randtensor-rng=-1", "it is '-1', expected a non-negative integer seed"),
        ("--randtensor-budget=0", "it is '0', expected a positive number"),
        ("--randtensor-budget=nan", "it is 'nan', expected a positive number"),
        ("--randtensor-false-refutation=1", "it is '1', expected a probability between 0 and 1"),
        ("--randtensor-inconclusive=pass", "choose from"),
    ],
)
def test_options_are_checked(run, option, message):
    result = run(PASSING, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{option.partition('=')[0]}*{message}*"])


# --- the error budget ---------------------------------------------------------------------------------------------

SEVERAL = """
def test_one(rate_check):
    for _ in range(3):
        print("LEVEL", rate_check(LENGTH, predicted=rt.O(n), n=[8, 32], allow_inconclusive=True).false_refutation)

@pytest.mark.parametrize("size", [4, 8, 16])
def test_two(rate_check, size):
    print("LEVEL", rate_check(LENGTH, predicted=rt.O(n), n=[8, 32], allow_inconclusive=True).false_refutation)

def test_none():
    pass
"""


def levels(result):
    return [float(level) for level in re.findall(r"^LEVEL (\S+)$|LEVEL (\S+)", result.text) for level in level if level]


def test_the_budget_is_split_over_tests_and_assertions(run):
    every = levels(run(SEVERAL, "-s", "--randtensor-false-refutation=1e-3"))
    assert len(every) == 6
    assert every[0] > every[1] > every[2]
    assert every[3:] == [every[0]] * 3
    assert sum(every) < 1e-3
    # deselecting tests changes nothing for the others
    assert levels(run(SEVERAL, "-s", "--randtensor-false-refutation=1e-3", "-k", "one")) == every[:3]


def test_the_shares_of_any_number_of_assertions_stay_within_the_level():
    """sum of 1 / k^2 = pi^2 / 6: the partial sums of the shares approach the level and never reach it."""
    spent = []
    check = RateCheck(
        nodeid="t.py::t",
        rng=0,
        budget=1.0,
        level=1e-4,
        run_level=1e-4,
        inconclusive="fail",
        record=lambda verdict: spent.append(verdict["false_refutation"]),
    )
    residual = rt.gaussian(4) - rt.gaussian(4)
    for _ in range(60):
        check(residual * 0, predicted=theory_checks.Identity(), samples=1)
    assert 0.98e-4 < sum(spent) < 1e-4


def test_tests_have_to_name_the_fixture(run):
    result = run("def test_dynamic(request):\n    request.getfixturevalue('rate_check')")
    result.assert_outcomes(errors=0, failed=1)
    result.stdout.fnmatch_lines(["*expected an argument of the test: the error budget is split*"])


def test_claims_can_be_deselected(run):
    result = run(PASSING + "\ndef test_other():\n    pass", "-m", "not scaling")
    result.assert_outcomes(passed=1, deselected=1)


# --- many workers, reports ----------------------------------------------------------------------------------------


def test_xdist_changes_no_number(run):
    """Nor does each worker draw a seed of its own."""
    pytest.importorskip("xdist")

    def summary(result):
        return result.text.partition("claims about scaling ===")[2].partition("short test summary")[0].strip(" =\n")

    shared = summary(run(SEVERAL + FAILING, "--randtensor-vary-rng", "-n2"))
    seed = re.search(r"rng (\d+);", shared).group(1)
    assert len(shared.splitlines()) == 8
    assert summary(run(SEVERAL + FAILING, f"--randtensor-rng={seed}")) == shared


def test_verdicts_are_in_the_junit_file(run, pytester):
    run(FAILING, "--junitxml=out.xml")
    text = (pytester.path / "out.xml").read_text(encoding="utf-8")
    record = json.loads(re.search(r'name="randtensor" value="([^"]*)"', text).group(1).replace("&quot;", '"'))
    assert record["verdict"] == "refuted" and record["predicted"] == "Theta(n)"


# --- without pytest -----------------------------------------------------------------------------------------------


def test_assert_claim():
    n = rt.Scale("n")
    length = rt.norm(rt.gaussian(n))

    def claim(predicted, **options):
        return theory_checks.Claim("length", length, predicted=predicted, n=[16, 64, 256, 1024], **options)

    assert assert_claim(claim(rt.Theta(n**0.5)), rng=1).false_refutation == 1e-7
    with pytest.raises(ClaimFailure, match=r"(?s)length: refuted.*seed:  .*rng=1 repeats.*another rng=") as failure:
        assert_claim(claim(rt.Theta(n)), rng=1)
    assert failure.value.result.verdict == "refuted"
    with pytest.raises(ClaimFailure, match="inconclusive"):
        assert_claim(claim(rt.Theta(n**0.5), margin=1e-3), rng=1)
    assert assert_claim(claim(rt.Theta(n**0.5), margin=1e-3), rng=1, allow_inconclusive=True).verdict == "inconclusive"
    with pytest.raises(rt.InputError, match="claim is 1, expected a Claim"):
        assert_claim(1)


# --- whole projects -----------------------------------------------------------------------------------------------


def project(name):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
    return subprocess.run(command, cwd=EXAMPLES / name, capture_output=True, text=True)


def test_a_project_that_uses_the_plugin():
    result = project("ci")
    assert result.returncode == 0, result.stdout
    assert "5 passed" in result.stdout
    assert "consistent  exponent -0.9" in result.stdout or "consistent  exponent -1.0" in result.stdout


def test_its_wrong_twin_fails_with_a_message_for_each_claim():
    result = project("ci_wrong")
    assert result.returncode == 1 and "3 failed" in result.stdout
    for line in [
        r"predicted:     mean = 2 n\^4",
        r"measured:      n = 4: mean \S+ ± \S+ \(predicted 512\), z = \S+\n",
        r"n = 16: mean \S+ ± \S+ \(predicted 131072\), z = \S+\n",
        r"reason:        the exact value is excluded: chi-square",
        r"predicted:     rms is Theta\(n\^\{-1/2\}\)",
        r"sizes:         n = 64, n = 256, n = 1024, n = 4096",
        r"reason:        the interval \[-1\.\d+, -0\.\d+\] at the level of a refutation lies outside "
        r"the claimed \[-0\.6, -0\.4\]",
        r"vary the seed: python -m pytest 'tests/test_scaling.py::\w+' --randtensor-vary-rng",
        r"found = \('aa->', \(wishart\(n, n\),\)\)",
    ]:
        assert re.search(line, result.stdout), f"{line} is not in\n{result.stdout}"
