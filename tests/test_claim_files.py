"""Claim files in TOML: the grammar, positions, and every problem at once with its line."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.errors import OrderError, RandtensorError
from randtensor.expansions import parse_expansion
from theory_checks import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes, Tight, Zero, check
from theory_checks.claim_files import ClaimFileError, read_toml, template
from theory_checks.claim_files.positions import parse_located
from theory_checks.cli import main
from theory_checks.prediction_text import parse_prediction

n = rt.Scale("n")

HEADER = """
[inputs]
x = [1.0, 1.0]
[networks.f]
architecture = "two_layer"
inputs = 2
width = "n"
[tensors]
S = { law = "gaussian", shape = ["n", "n"] }
C = { law = "complex", shape = ["n"] }
A = { values = [[1, 2], [3, 4]] }
g = { network = "f", at = "x" }
"""
CLAIM = """[[claim]]
id = "a"
name = "a claim"
equation = "ab,ab->"
factors = ["S", "S"]
statistic = "mean"
predicted = "= n^2"
n = [4, 8, 16]
"""


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(ClaimFileError) as caught:
        read_toml(text, "file.toml")
    return [(problem.line, problem.message) for problem in caught.value.problems]


def line_of(text: str, part: str) -> int:
    return next(i for i, line in enumerate(text.split("\n"), 1) if part in line)


class TestExpansions:
    scales = st.sampled_from([rt.Scale("n"), rt.Scale("m")])
    monomials = st.builds(
        lambda c, s, p: rt.Expansion.of(s) ** p * c,
        st.fractions(-9, 9, max_denominator=7),
        scales,
        st.sampled_from([-2, -1, 0, 1, 2, 3]),
    )

    @given(st.lists(monomials, min_size=1, max_size=4), st.lists(monomials, max_size=2))
    @settings(max_examples=60, deadline=None)
    def test_what_is_printed_is_read(self, terms, below):
        expansion = sum(terms, rt.Expansion.of(0))
        divisor = sum(below, rt.Expansion.of(0))
        if divisor != 0:
            expansion = expansion / divisor
        assert parse_expansion(str(expansion)) == expansion

    @given(st.text("nm 0123456789+-*/^(){}.log", max_size=24))
    @settings(max_examples=200, deadline=None)
    def test_any_other_text_is_refused_with_a_sentence(self, text):
        try:
            value = parse_expansion(text)
        except OrderError as error:
            assert "expansion" in str(error) or "text" in str(error)
        else:
            assert isinstance(value, rt.Expansion)

    def test_values(self):
        for text, formula in {
            "3 n^4 + 1/2 n": lambda k: 3 * k**4 + k / 2,
            "n (n+2)/(n-1)": lambda k: k * (k + 2) / (k - 1),
            "-2 n**-0.5": lambda k: -2 * k**-0.5,
            "1.25 (n+1)^2": lambda k: 1.25 * (k + 1) ** 2,
            "n log n": lambda k: k * np.log(k),
        }.items():
            assert parse_expansion(text)(7) == pytest.approx(formula(7), rel=1e-12)

    @pytest.mark.parametrize("text", ["log(n^2)", "log(2 n)", "1/n m", "n^1/2", "n + O(1)", "1/0", "__import__('os')"])
    def test_what_is_ambiguous_or_not_exact_is_refused(self, text):
        with pytest.raises(OrderError, match="is not an expansion"):
            parse_expansion(text)


@pytest.mark.parametrize(
    "prediction",
    [
        rt.Theta(n**-1),
        rt.O(n**-0.5 * rt.log(n)),
        rt.o(n),
        Exact(3 * n**4),
        Zero(),
        Identity(1e-9),
        Tight(),
        Tight(n**-1),
        Tight(n, uniform=True),
        NoDefiniteBound(),
        QuantileSlopes({50: 0.25, 99.9: -1.5}),
    ],
    ids=str,
)
def test_a_prediction_is_read_from_what_it_prints(prediction):
    again = parse_prediction(str(prediction))
    assert (type(again), str(again)) == (type(prediction), str(prediction))


@pytest.mark.parametrize("text", ["n^-1", "tight near n", "identity to x", "q50 0.5", "q50: 1, q50: 2", "about 3", ""])
def test_other_texts_are_no_predictions(text):
    with pytest.raises(RandtensorError, match="expected"):
        parse_prediction(text)


#: statements of one key, and lines that are none
STATEMENTS = [
    "KEY = 1", "KEY = [ # ]\n 1,\n [2, 3],\n]", 'KEY = """\n[x]\n""\\"""\n"""""', "KEY = \'\'\'\na = \"\n\'\'\'",
    'KEY = "# [ \\" {"', "KEY = \'[\' # \"", "KEY = { inner = [1,\n2] }", "", "# [comment", "[[KEY]]", "  KEY=true",
]  # fmt: skip


class TestPositions:
    def test_every_key_has_the_line_where_it_stands(self):
        text = (
            "# a comment\n\na.b = 1\n[t]\nx = '''\n[not a header]\n'''\n\n[[u.v]]\ny = [\n  1, # two\n  2]\n"
            "[u.v.w]\nz = { p = 1, q = 2 }\n[[u.v]]\ny = 3"
        )
        lines = parse_located(text, "file").lines
        assert lines == {
            ("a",): 3, ("a", "b"): 3, ("t",): 4, ("t", "x"): 5, ("u", "v", 0): 9, ("u", "v", 0, "y"): 10,
            ("u", "v", 0, "w"): 13, ("u", "v", 0, "w", "z"): 14, ("u", "v", 0, "w", "z", "p"): 14,
            ("u", "v", 0, "w", "z", "q"): 14, ("u", "v", 1): 15, ("u", "v", 1, "y"): 16,
        }  # fmt: skip

    @given(st.text("ab=[]\"'1,.{}#\n ", max_size=40))
    @settings(max_examples=300, deadline=None)
    def test_any_text_is_located_or_refused_as_the_standard_library_does(self, text):
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            with pytest.raises(ClaimFileError, match=r"^file, line \d+: ."):
                parse_located(text, "file")
        else:
            assert parse_located(text, "file").values == values

    @given(st.lists(st.sampled_from(STATEMENTS), max_size=8), st.booleans())
    @settings(max_examples=200, deadline=None)
    def test_every_statement_is_found_at_its_line(self, statements, windows):
        text = "".join(f"{statement.replace('KEY', f'k{i}')}\n" for i, statement in enumerate(statements))
        expected, line, table = {}, 1, ()
        for i, statement in enumerate(statements):
            if statement.startswith("[["):
                table = (f"k{i}", 0)
                expected[table] = line
            elif "KEY" in statement:
                expected[(*table, f"k{i}")] = line
            line += statement.count("\n") + 1
        lines = parse_located(text.replace("\n", "\r\n") if windows else text, "file").lines
        assert {path: at for path, at in lines.items() if path[-1] != "inner"} == expected

    def test_long_arrays_take_linear_time(self):
        rows = "".join(f"  [{i}, {i}], # row\n" for i in range(20000))
        located = parse_located(f"a = [\n{rows}]\nb = 1\n", "file")
        assert located.lines == {("a",): 1, ("b",): 20003}

    @pytest.mark.parametrize("number", ["9" * 400, "-" + "9" * 20, "0x" + "f" * 5000, str(2**63)])
    def test_an_integer_beyond_64_bits_is_refused(self, number):
        text = HEADER + CLAIM + f"margin = {number}\n"
        assert problems(text) == [
            (line_of(text, "margin"), "there is an integer of more than 64 bits, expected smaller ones")
        ]

    def test_a_number_of_more_digits_than_python_reads(self):
        with pytest.raises(rt.InputError, match="expected integers of 64 bits"):
            read_toml(f"format = {'9' * 5000}", "file.toml")

    @pytest.mark.parametrize(
        ("text", "line", "message"),
        [
            ("order = 1\norder = 2\n\n# end", 2, "order is given twice, expected it once"),
            ("[t]\n[t]", 2, "[t] is given twice, expected it once"),
            ("[[claim]]\n\n[claim]\n", 3, "[claim] stands beside [[claim]], expected [[claim]]"),
            ("[claim]\n[[claim]]", 2, "[[claim]] stands beside [claim], expected [[claim]] everywhere"),
            ("t = { x = 1, x = 2 }", 1, "'x' is given twice in {...}, expected it once"),
            (
                'a = "$\\mathbb{E}$"',
                1,
                "unescaped '\\' in a string, expected single quotes around LaTeX: statement = '...'",
            ),
            ("a = n", 1, "invalid value, expected a text in quotes, a number, true, false, [...] or {...}"),
            ("a = 1 b = 2", 1, "expected newline or end of document after a statement"),
        ],
    )
    def test_a_syntax_error_says_what_is_wrong(self, text, line, message):
        assert problems(text) == [(line, message)]

    def test_a_syntax_error_has_its_line(self):
        assert problems("a = 1\nb = \n")[0][0] == 2


class TestClaims:
    def test_a_file_makes_the_claims_that_python_makes(self):
        (claim,) = read_toml(HEADER + CLAIM, "file.toml").claims
        S = rt.gaussian(n, n)
        same = Claim("a claim", rt.einsum("ab,ab->", S, S), statistic="mean", predicted="= n^2", n=[4, 8, 16], id="a")
        first, second = check(claim, rng=3), check(same, rng=3)
        assert first.verdict == "consistent"
        assert [m.value for m in first.measurements] == [m.value for m in second.measurements]

    def test_a_wrong_constant_is_refuted(self):
        text = HEADER + CLAIM.replace("= n^2", "= 1.05 n^2") + "samples = 2000\n"
        assert check(read_toml(text, "file.toml").claims[0], rng=0).verdict == "refuted"

    def test_conjugates_given_values_and_networks(self):
        text = HEADER + CLAIM.replace('"ab,ab->"', '"a,a->"').replace('["S", "S"]', '["C", "C*"]')
        claim = read_toml(text.replace("= n^2", "= n"), "file.toml").claims[0]
        assert claim.quantity.expectation() == rt.Expansion.of(n)
        text = HEADER + CLAIM.replace('["S", "S"]', '["A", "A"]').replace("n = [4, 8, 16]", "")
        assert read_toml(text.replace("= n^2", "= 30"), "file.toml").claims[0].quantity.sample(rng=0) == [30.0]
        text = HEADER + CLAIM.replace('"ab,ab->"', '"a->a"').replace('["S", "S"]', '["g"]\nnorm = "injective"')
        assert read_toml(text.replace("= n^2", "Theta(1)"), "file.toml").claims[0].quantity.sample(8, rng=0) > 0

    def test_the_template_is_read_and_every_kind_of_key_is_known(self):
        found = read_toml(template(), "appendix.toml")
        assert found.title == "Verification of the stated rates"
        assert [claim.source for claim in found.claims] == ["Lemma 1", "Theorem 2", "Theorem 2", "this paper"]
        assert found.claims[-1].expect == "refuted"
        assert "3 n^4" in found.claims[0].statement


class TestProblems:
    def test_everything_is_told_at_once_in_the_order_of_the_lines(self):
        text = (
            "titel = 'x'\n" + HEADER.replace("inputs = 2", "input = 2") + CLAIM.replace("n^2", "n^^2")
            + CLAIM.replace("samples", "").replace('"S", "S"', '"S", "U"').replace('id = "a"', 'id = "b"')
        )  # fmt: skip
        found = problems(text)
        assert [line for line, _ in found] == sorted(line for line, _ in found)
        told = " | ".join(message for _, message in found)
        for part in (
            "unknown key 'titel'", "network 'f' has the unknown key 'input', did you mean 'inputs'?",
            "predicted of claim 'a' cannot be read", "factors names 'U'",
        ):  # fmt: skip
            assert part in told
        assert len(found) == 4

    @pytest.mark.parametrize(
        ("old", "new", "at", "message"),
        [
            ('"n", "n"]', '"n", "n^2"]', "S =", "shape of tensor 'S' has 'n^2', expected an integer"),
            ('"gaussian"', '"gausian"', "S =", "law of tensor 'S' is 'gausian'"),
            ('at = "x"', 'at = "y"', "g =", "tensor 'g': at is 'y', expected numbers or one of the inputs: x"),
            ('network = "f"', 'network = "h"', "g =", "tensor 'g': network is 'h', expected one of the file: f"),
            ('width = "n"', "width = 0", "networks.f", "network 'f'"),
            ('"two_layer"', '"lstm"', "architecture", "has the architecture 'lstm', expected one of mlp, two_layer"),
            ("x = [1.0, 1.0]", "x = [1.0, nan]", "x =", "input 'x' is nan, expected a finite number"),
            ('"ab,ab->"', '"ab,abc->"', "equation", "claim 'a': operand 1 of 'ab,abc->'"),
            ('"ab,ab->"', '"ab,ac->a"', "equation", "claim 'a': index 'a'"),
            ('"ab,ab->"', '"ab,cb->ac"', "equation", "leaves 'a', 'c' free, expected a norm, such as"),
            ('"ab,ab->"\nfactors = ["S", "S"]', '"a->a"\nfactors = ["g"]', "equation", "leaves 'a' free"),
            ("[4, 8, 16]", "[]", "n = []", "n of claim 'a' is [], expected a list of sizes"),
            ('= "= n^2"', '= "Theta(m)"', "predicted", "in the scale 'm', on which the quantity does not depend"),
            ("n = [4, 8, 16]", "n = [4]\nmargin = 0", "margin", "margin is 0, expected a positive number"),
            ('id = "a"', "id = 3", "id = 3", "id of claim 'a claim' is 3, expected a text"),
            ('name = "a claim"', "", "[[claim]]", "claim 'a' has no key 'name', expected it"),
            ('statistic = "mean"', 'statistic = "meen"', "statistic", "claim 'a'"),
            ('"= n^2"', '"Theta(n^2)"\nwithin = 0.1', "within", "has within, but predicts Theta(n^2)"),
            ('"= n^2"', '"tight"', "statistic", "has a statistic, but predicts quantiles"),
        ],
    )
    def test_one_problem_has_one_sentence_and_its_line(self, old, new, at, message):
        text = HEADER + CLAIM
        assert old in text
        text = text.replace(old, new, 1)
        found = problems(text)
        assert len(found) == 1
        assert message in found[0][1]
        assert found[0][0] == line_of(text, at)

    @pytest.mark.parametrize("predicted", ["Theta(n)", "= 0", "tight", "identity to 1e-9"])
    def test_free_indices_are_refused_in_python_too(self, predicted):
        S, f = rt.gaussian(n, n), rt.networks.two_layer(inputs=1, width=n)
        H, g = (f.derivative([1.0], order=order) for order in (2, 1))
        for quantity in (S, rt.einsum("ab,cb->ac", S, S), g, H, rt.einsum("ab,b->a", H, g)):
            with pytest.raises(rt.InputError, match="with free indices, expected a scalar: contract them, or take"):
                Claim("a claim", quantity, predicted=predicted, n=[4, 8])

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("[[claim]]", "[[claims]]", "the file has the unknown key 'claims', did you mean 'claim'?"),
            ("[tensors]", "[tensor]", "the file has the unknown key 'tensor', did you mean 'tensors'?"),
            ("inputs = 2", "input = 2", "network 'f' has the unknown key 'input', did you mean 'inputs'?"),
            ("[[claim]]", "[claim]", "[claim] is a single table, expected tables [[claim]]"),
        ],
    )
    def test_a_misspelt_key_is_told_once(self, old, new, message):
        text = (HEADER + CLAIM).replace(old, new)
        assert problems(text) == [(line_of(text, new), message)]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("'$T_{ab}'", "where '$' is never closed, expected '$'"),
            ("'a $x$ and $'", "where '$' is never closed, expected '$'"),
            ("'$T_{ab$'", "is never closed"),
            ("'$T_{a}}$'", "where '}' closes nothing"),
            ("'in 95% of $x$'", "where '%' hides the rest of its line, expected"),
            ('"$\\theta$"', "with a control character, expected single quotes"),
        ],
    )
    def test_a_statement_that_would_not_compile(self, given, message):
        text = HEADER + CLAIM + f"statement = {given}\n"
        ((line, told),) = problems(text)
        assert line == line_of(text, "statement")
        assert told.startswith("statement of claim 'a' is ")
        assert message in told

    @pytest.mark.parametrize("given", [r"$\{x\}_{a}$, 5\%, \$", r"$$x \text{ if $y$}$$", r"\(x\) and \[y\]"])
    def test_a_statement_that_compiles(self, given):
        assert read_toml(HEADER + CLAIM + f"statement = '{given}'\n", "file.toml").claims[0].statement == given

    def test_a_correction_that_no_rule_derives(self):
        text = HEADER + CLAIM.replace('"ab,ab->"', '"ab,bc->ac"').replace('"= n^2"', '"Theta(n)"')
        text += 'norm = "injective"\ncorrection = "derived"\n'
        told = "correction is 'derived', but cannot be derived for this norm, expected a number such as 1.0 or 'auto'"
        assert problems(text) == [(line_of(text, "correction"), f"claim 'a': {told}")]

    def test_a_shape_is_a_problem_of_the_equation(self):
        text = HEADER + CLAIM.replace('"ab,ab->"', '"ab,cb->ac"').replace('["S", "S"]', '["A", "A"]')
        text = text.replace('"= n^2"', '"Theta(n)"').replace("n = [4, 8, 16]", "").replace('id = "a"', 'id = "it\'s"')
        ((line, message),) = problems(text)
        assert "has shape (2, 2), expected a scalar" in message
        assert line == line_of(text, "equation")

    def test_other_words_for_a_law(self):
        ((_, message),) = problems((HEADER + CLAIM).replace('"gaussian"', '"normal"'))
        assert message.startswith("law of tensor 'S' is 'normal', expected one of gaussian, ")
        assert message.endswith(": did you mean 'gaussian'?")

    def test_equal_ids_and_no_claims(self):
        assert problems(HEADER + CLAIM + CLAIM) == [
            (line_of(HEADER, "g =") + 10, "two claims have the id 'a', the first in line 14, expected others")
        ]
        assert problems("title = 'x'") == [(1, "there are no claims, expected tables [[claim]]")]

    @given(
        st.sampled_from(sorted(set((HEADER + CLAIM).split("\n")))), st.sampled_from(["3", "'x'", "[[]]", "{}", "1.5"])
    )
    @settings(max_examples=80, deadline=None)
    def test_values_of_the_wrong_type_never_raise_anything_else(self, line, value):
        key, equal, _ = line.partition("=")
        changed = f"{key}= {value}" if equal else f"{line}\nunknown = {value}"
        text = (HEADER + CLAIM).replace(line, changed, 1)
        try:
            read_toml(text, "file.toml")
        except ClaimFileError as error:
            assert all(problem.line >= 1 and "expected" in problem.message for problem in error.problems)


def test_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    assert run(main, ["new", "appendix"]).exit_code == 0
    assert (tmp_path / "appendix.toml").read_text() == template()
    again = run(main, ["new", "appendix"])
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert run(main, ["new", "appendix", "x.txt"]).exit_code == 2
    assert "tetrahedron" in run(main, ["list", "appendix.toml"]).stdout
    (tmp_path / "bad.toml").write_text(HEADER.replace("inputs = 2", "") + CLAIM.replace("n^2", "k^2 +"))
    found = run(main, ["verify", "bad.toml"])
    assert (found.exit_code, found.stdout) == (2, "")
    assert [line.split(":")[1] for line in found.stderr.splitlines()] == [" bad.toml, line 4", " bad.toml, line 19"]
    assert not (tmp_path / "results").exists()
