"""Rates of numbers in files: what is read, what is refused and on which line, and the command."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import estimators
from estimators._decisive import decisive_interval, fit_text
from randtensor.errors import InputError, ShapeError
from theory_checks.cli import main
from theory_checks.findings import interval_at
from theory_checks.rate_file import read_rate
from theory_checks.rate_options import log_power_of, powers_of
from theory_checks.rate_record import figure_of

N = (32, 64, 128, 256, 512)


def table(rows, header="n,value,stderr", separator=","):
    lines = [header] if header else []
    return "\n".join([*lines, *(separator.join(f"{x:.12g}" for x in row) for row in rows)]) + "\n"


def law(relative=0.01, seed=0):
    rng = np.random.default_rng(seed)
    return [(n, v := 3 / n * (1 + relative * rng.standard_normal()), relative * v) for n in N]


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="data.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return to_file


@pytest.mark.parametrize("separator", [",", ";", "\t", "  ", ", "])
@pytest.mark.parametrize("header", [None, "n value stderr", "N Value Error"])
def test_every_spelling_of_a_table_is_the_same_fit(write, separator, header):
    rows = law()
    text = table(rows[::-1], header and separator.join(header.split()), separator)
    found = read_rate(write("# made by hand\n\n" + text))
    expected = estimators.fit_rate(*(list(column) for column in zip(*rows, strict=True)))
    assert found.fit.interval() == pytest.approx(expected.interval(), rel=1e-8)
    assert list(found.n) == list(N) and found.samples is None and found.reason is None


def test_without_errors_they_come_from_the_residuals(write):
    found = read_rate(write(table([row[:2] for row in law()], "n,value")))
    assert found.errors is None and found.fit.given_errors is None
    assert np.isfinite(found.fit.error)


@given(seed=st.integers(0, 100), statistic=st.sampled_from(["rms", "std", "L1"]))
def test_raw_samples_are_summarized_like_sampled_ones(tmp_path_factory, seed, statistic):
    rng = np.random.default_rng(seed)
    samples = {n: rng.standard_normal(40) / n for n in N}
    path = tmp_path_factory.mktemp("raw") / "raw.csv"
    path.write_text("".join(f"{n} {x!r}\n" for n, draws in samples.items() for x in draws.tolist()))
    found = read_rate(path, statistic=statistic)
    assert found.samples == (40,) * len(N)
    assert found.values == pytest.approx([estimators.summarize(samples[n], statistic).value for n in N])


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_columns_go_by_their_names(write, order):
    names, rows = ("n", "value", "stderr"), law()
    swapped = [[row[i] for i in order] for row in rows]
    found = read_rate(write(table(swapped, ",".join(names[i] for i in order))))
    assert found.fit.interval() == read_rate(write(table(rows))).fit.interval()
    pair = read_rate(write("value,n\n1,16\n0.0625,64\n0.00390625,256\n"))
    assert pair.fit.exponent == pytest.approx(-2)
    raw = read_rate(write("sample,n\n1,16\n3,16\n2,64\n4,64\n"))
    assert raw.samples == (2, 2) and list(raw.values) == [2, 3]


@pytest.mark.filterwarnings("error")
def test_a_column_of_zeros_is_said_to_be_ignored(write):
    found = read_rate(write(table([(n, value, 0) for n, value, _ in law()])))
    assert any("every error is 0" in note for note in found.fit.notes)


def test_means_near_zero_are_unresolved(write):
    rng = np.random.default_rng(3)
    raw = [(n, x) for n in N for x in rng.standard_normal(50)]
    found = read_rate(write(table(raw, "n,sample")))
    assert found.statistic == "mean" and "within 3 standard errors of zero" in found.reason
    assert "at n = 16" in read_rate(write("16,0,0.1\n32,1,0.1\n")).reason
    turning = [(16, -1.0, 0.01), (32, 2.0, 0.01)]
    assert read_rate(write(table(turning))).reason == "the value changes sign between n = 16 and n = 32"


def test_negative_values_scale_by_their_magnitude(write):
    rows = [(n, -value, error) for n, value, error in law()]
    found = read_rate(write(table(rows)))
    assert found.fit.interval() == read_rate(write(table(law()))).fit.interval()
    assert np.all(found.values < 0)
    alike = estimators.fit_rate(*(list(column) for column in zip(*rows, strict=True)))
    assert alike.interval() == pytest.approx(found.fit.interval(), rel=1e-9) and alike.negative and found.fit.negative


def test_heavy_tails_are_named(write):
    rng = np.random.default_rng(0)
    raw = [(n, x) for n in (16, 64, 256) for x in rng.standard_normal((400, 5)).prod(1)]
    assert read_rate(write(table(raw, "n,sample")), statistic="rms").heavy_tailed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"data.csv has no rows, expected the columns n, value and optionally stderr, or n and sample"),
        ("n,value\n", r"data.csv has no rows"),
        ("16,1\n32,x\n", r"data.csv, line 2: 'x' is not a number"),
        ("n,value\n16,1\n\n32,inf\n", r"data.csv, line 4: inf is not finite"),
        ("16,1\n32,nan\n", r"data.csv, line 2: nan is not finite"),
        ("16,1\n32\n", r"data.csv, line 2: 1 columns, expected 2 as in the lines before"),
        ("16\n32\n", r"data.csv, line 1: 1 columns, expected the columns n, value"),
        ("16,1,1,1\n", r"data.csv, line 1: 4 columns, expected the columns n, value"),
        ("n,a,b,c\n", r"data.csv, line 1: the header is n, a, b, c, expected the columns n, value"),
        ("n,value,colour\n1,2,3\n", r"data.csv, line 1: the header is n, value, colour, expected"),
        ("stderr,value\n1,2\n", r"data.csv, line 1: the header is stderr, value, expected the columns n, value"),
        ("width,loss\n1,2\n", r"data.csv, line 1: the header is width, loss, expected .* or n and sample$"),
        ("n,samples\n1,2\n", r"line 1: the header is n, samples, expected .*; did you mean n, sample\?$"),
        ("std_err,n,values\n1,2,3\n", r"the header is std_err, n, values, .*; did you mean stderr, n, value\?$"),
        ("n,n\n1,2\n", r"data.csv, line 1: the header is n, n, expected the columns"),
        ("n,sample,stderr\n1,2,3\n", r"data.csv, line 1: the header is n, sample, stderr, expected the columns"),
        ("n;value\n32;0,1\n", r"data.csv, line 2: '32;0,1' has decimal commas, expected decimal points; a comma sep"),
        ("32;0,1;1\n", r"data.csv, line 1: '32;0,1;1' has decimal commas"),
        ("32 -1,5e-3\n", r"data.csv, line 1: '32 -1,5e-3' has decimal commas"),
        ("16,1,0.1\n32,2,0\n", r"data.csv, line 2: stderr is 0, but other lines have an error, expected a positive"),
        ("16,1e-320\n32,1\n", r"data.csv: values is 1e-320 at n = 16, expected at least 2.2e-308 in size"),
        ("16,1\n-32,1\n", r"data.csv, line 2: n is -32, expected a positive size"),
        ("0,1\n32,1\n", r"data.csv, line 1: n is 0, expected a positive size"),
        ("n,value\n16,1\n16,2\n32,1\n", r"data.csv, line 3: n = 16 is already on line 2, expected one value per"),
        ("16,1\n32,0\n", r"data.csv, line 2: the value is zero, expected one that scales with n"),
        ("n,value\n16,1\n32,-1\n", r"data.csv, line 3: the value -1 has another sign than those before"),
        ("16,1,0.1\n32,2,-0.1\n", r"data.csv, line 2: stderr is -0.1, expected a standard error that is not"),
        ("16,1\n", r"data.csv: n is \[16.0\]: a slope needs at least two different sizes"),
        ("16,1\n16,2\n", r"data.csv: n is \[16.0\]: a slope needs at least two different sizes"),
        ("n,sample\n16,1\n16,2\n32,5\n", r"data.csv, n = 32: samples is 1, expected at least 2"),
        ("n,sample\n16,0\n16,0\n32,0\n32,0\n", r"the mean at n = 16 is exactly zero, expected a statistic that"),
    ],
)
def test_bad_files_get_a_sentence_with_the_line(write, text, message):
    with pytest.raises((InputError, ShapeError), match=message):
        read_rate(write(text))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"missing.csv cannot be read: No such file"):
        read_rate(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match=r"binary.csv cannot be read: it is not text"):
        read_rate(tmp_path / "binary.csv")


def test_a_statistic_needs_samples(write):
    with pytest.raises(
        InputError, match=r"statistic is 'rms', but .*data.csv holds values, expected the columns n and"
    ):
        read_rate(write(table(law())), statistic="rms")


def test_options_are_read():
    assert [powers_of(text) for text in ("auto", "none", "1", "1/2,1")] == ["auto", None, 1.0, (0.5, 1.0)]
    assert [log_power_of(text) for text in (None, "fit", "-1/2")] == [False, True, -0.5]
    with pytest.raises(InputError, match="correction is 'x', expected 'auto', 'none' or positive powers like 1/2,1"):
        powers_of("x")
    with pytest.raises(InputError, match=r"log is 'data.csv', expected a number, or nothing to fit the power"):
        log_power_of("data.csv")


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(main, ["rate", *map(str, arguments)])

    def test_it_prints_the_exponent_and_the_tables(self, write):
        result = self.run(write(table(law())))
        assert result.exit_code == 0
        low, high = read_rate(write(table(law()))).fit.interval()
        assert f"95 % interval [{low:.4g}, {high:.4g}]" in result.output
        for part in ("fitted with 1 + c n^-w for w = 0.5, 1; 5 sizes from 32 to 512", "slope from the", "smallest n"):
            assert part in result.output

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--correction", "2"], "for w = 0.5, 1, 2;"),
            (["--correction", "1", "--trust"], "for w = 1 (trusted)"),
            (["--correction", "none"], "fitted without correction"),
            (["--log"], "power of log n"),
            (["--log", "1"], "times (log n)^1; 5 sizes"),
        ],
    )
    def test_options_reach_the_fit(self, write, options, says):
        result = self.run(write(table(law())), *options)
        assert result.exit_code == 0 and says in result.output

    def test_it_keeps_what_it_found(self, write, tmp_path):
        pytest.importorskip("matplotlib")
        record, figure = tmp_path / "rate.json", tmp_path / "rate.svg"
        result = self.run(write(table(law())), "--json", record, "--plot", figure)
        assert result.exit_code == 0 and result.output.count("written:") == 2
        fit = estimators.RateFit.from_dict(json.loads(record.read_text())["fit"])
        assert fit.interval() == read_rate(write(table(law()))).fit.interval()
        assert "<svg" in figure.read_text()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--correction", "-1"], "correction is -1.0, expected 'auto'"),
            (["--statistic", "rms"], "expected the columns n and sample"),
            (["--plot", "rate.xyz"], "rate.xyz cannot be written: format 'xyz' is not supported, expected one"),
            (["--plot", "rate"], "rate cannot be written: its name has no ending, expected one of"),
            (["--plot", "no/rate.svg"], "no/rate.svg cannot be written: there is no folder"),
            (["--json", "no/such/folder/rate.json"], "rate.json cannot be written: there is no folder"),
            (["--json", "."], ". cannot be written: it is a folder, expected a file"),
        ],
    )
    def test_bad_input_is_one_sentence_and_status_2(self, write, tmp_path, monkeypatch, options, message):
        monkeypatch.chdir(tmp_path)
        result = self.run(write(table(law())), *options)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert message in result.stderr and result.stderr.startswith("randtensor: ") and result.stderr.count("\n") == 1

    def test_what_the_numbers_cannot_say_is_said(self, write):
        assert "too few sizes to estimate an error" in self.run(write("16 1\n32 2\n")).output
        rng = np.random.default_rng(3)
        raw = [(n, x) for n in N for x in rng.standard_normal(50)]
        assert "unresolved: the mean is within 3" in self.run(write(table(raw, "n,sample"))).output

    def test_values_that_change_sign_have_no_interval_and_status_3(self, write, tmp_path):
        pytest.importorskip("matplotlib")
        rows = [(n, (-1) ** i * value, error) for i, (n, value, error) in enumerate(law())]
        path, record, figure = write(table(rows)), tmp_path / "rate.json", tmp_path / "rate.svg"
        result = self.run(path, "--json", record, "--plot", figure)
        assert result.exit_code == 3
        assert result.output.startswith("unresolved: the value changes sign between n = 32 and n = 64")
        assert "interval" not in result.output and "±" not in result.output
        assert json.loads(record.read_text())["unresolved"] is True and figure.exists()
        # two columns say nothing about noise: a change of sign is then refused
        assert self.run(write(table([row[:2] for row in rows], "n,value"))).exit_code == 2

    @pytest.mark.parametrize(
        ("factors", "label", "panels"), [((1, 1), "value", 4), ((-1, -1), "|value|", 4), ((1, -1), "|value|", 1)]
    )
    def test_the_axis_says_that_absolute_values_are_drawn(self, write, factors, label, panels):
        pytest.importorskip("matplotlib")
        rows = [(n, factors[i % 2] * value, error) for i, (n, value, error) in enumerate(law())]
        axes = figure_of(read_rate(write(table(rows)))).axes
        assert axes[0].get_ylabel() == label and len(axes) == panels
        assert ("negative" in axes[0].get_legend_handles_labels()[1]) == (label != "value")

    def test_a_missed_logarithm_is_named(self, write):
        rows = [(n, 3 * np.log(n) / n, 0.006 * np.log(n) / n) for n in (32, 64, 128, 256, 512, 1024)]
        result = self.run(write(table(rows)))
        said = "n^-1.00 log n fits as well: the exponent rests on there being no logarithm (--log=1)"
        assert result.exit_code == 0 and said in " ".join(result.output.split())
        assert "rests on" not in self.run(write(table(rows)), "--log=1").output

    def test_a_precise_interval_has_two_ends(self, write):
        output = self.run(write(table([(n, 3 / n, 3e-9 / n) for n in N]))).output
        low, high = output.split("[")[1].split("]")[0].split(", ")
        assert float(low) < -1 < float(high)

    def test_files_are_written_before_the_report(self, write, tmp_path, monkeypatch):
        def leave(found):
            raise BrokenPipeError

        monkeypatch.setattr("theory_checks.rate_tables.rate_report", leave)
        self.run(write(table(law())), "--json", tmp_path / "rate.json")
        assert (tmp_path / "rate.json").exists()


def test_a_poor_fit_is_printed_with_the_interval_that_decides(write):
    rows = [(8, 8), (16, 19), (32, 30), (64, 66), (128, 125), (256, 261)]
    path = write(table([(n, value, value / 1000) for n, value in rows]))
    fit = read_rate(path).fit
    assert fit.poor_fit
    single, (low, high) = fit.interval(), decisive_interval(fit)
    assert low < single[0] and single[1] < high
    assert (low, high) == pytest.approx(interval_at(fit, 2 * NormalDist().inv_cdf(0.975)))  # as for a verdict
    first, *others = CliRunner().invoke(main, ["rate", str(path)]).output.splitlines()
    assert f"95 % interval [{low:.4g}, {high:.4g}]" in first
    assert "errors enlarged, interval at twice the quantile" in " ".join(" ".join(others).split())
    assert f"({low:.4g}, {high:.4g}) at twice the quantile (no model fits, p < 0.001)" in fit_text(fit)
    good = read_rate(write(table(law()), "good.csv")).fit
    assert decisive_interval(good) == good.interval() and fit_text(good) == str(good)
