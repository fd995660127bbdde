"""Predictions from text, and the command that prints them."""

import math

import pytest
from click.testing import CliRunner

import randtensor as rt
from theory_checks.cli import main
from theory_checks.predicting import CLASSES, from_classes, from_network, predict

n = rt.Scale("n")


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_has_exact_moments(name):
    c = from_classes("ab,ab->", f"T={name},T*")
    # The squared Frobenius norm.
    assert c.expectation().order == {"sphere": n**0}.get(
        name, n if name in ("haar", "orthogonal", "unitary", "identity") else n**2
    )
    assert len(c.sample(3, size=2, rng=0)) == 2


def test_names_classes_and_dimensions():
    c = from_classes("ab,a,b,cd,c,d->", "W=gaussian,u=gaussian,v=gaussian,W,u,v", {"b": "2*m", "d": "2*m"})
    assert c.expectation() == rt.Expansion.of(n) * rt.Scale("m") * 2
    assert str(from_classes("abc,abd,efd,efc->", "T=complex,T*,T,T*").expectation()) == "n^5 + n^4"
    assert from_classes("ab,ab->", "gaussian", {"a": "3", "b": "4"}).expectation() == 12
    assert str(from_network("ij,i,j,->", "relu").expectation()) == "4 n^{-1}"
    assert str(from_network("i,i->", "relu", 2).expectation()) == "3"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: from_classes("ab,ab->", "banana"), rt.InputError, "classes names 'banana', expected gaussian"),
        (lambda: from_classes("ab,ab->", "goe,goe,goe"), rt.InputError, "classes has 3 items, expected 1 or 2"),
        (lambda: from_classes("abc,abc->", "goe"), rt.InputError, "given for 3 indices, expected two"),
        (lambda: from_classes("ab,ab->", "orthogonal", {"a": "2*n"}), rt.InputError, "expected one dimension"),
        (lambda: from_classes("ab,ba->", "gaussian", {"a": "2*n"}), rt.EquationError, "has dimensions n and 2 n"),
        (lambda: from_classes("ab,ab->", "gaussian", {"a": "0"}), rt.ShapeError, "the size is 0"),
        (lambda: from_classes("ab,ab->", "gaussian", {"z": "3"}), rt.InputError, "dim names the index 'z'"),
        (lambda: from_classes("ab,ab->", "gaussian", {"a": "foo bar"}), rt.InputError, "dim of 'a' is 'foo bar'"),
        (lambda: from_classes("ab,ab->", "T=gaussian,T=goe"), rt.InputError, "classes defines 'T' twice"),
        (lambda: from_classes("aab,ab->", "T=gaussian,gaussian"), rt.EquationError, "'a' .* is used 3 times"),
        (lambda: from_classes("abc,ab->", "gaussian"), rt.InputError, "another name for another tensor"),
        (lambda: from_network("ij,i,j->", "unheard"), rt.ActivationError, "unheard"),
        (lambda: predict(from_classes("a,a->", "gaussian"), "a,a->", [16]), rt.InputError, "at least two different"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_sample_sizes_resolve_exponents():
    # |g|^2 has relative variance 2/n: by the rule, sum (x - xbar)^2 cv^2 / (Sxx 0.015)^2 samples.
    sizes = [16, 32, 64, 128]
    x = [math.log(s) for s in sizes]
    centre = sum(x) / 4
    squares = [(value - centre) ** 2 for value in x]
    expected = sum(q * 2 / s for q, s in zip(squares, sizes, strict=True)) / (sum(squares) * 0.015) ** 2
    found = predict(from_classes("a,a->", "gaussian"), "a,a->", sizes)
    assert found.statistic == "mean" and found.samples == math.ceil(expected)
    # A centred normal number: its second moment has relative variance 2, the root a quarter of that.
    centred = predict(from_classes("a,a->", "u=sphere,v=gaussian"), "a,a->", sizes)
    assert centred.statistic == "rms" and centred.samples == math.ceil(0.5 / (sum(squares) * 0.015**2))
    assert predict(from_classes("ab,ab->", "orthogonal"), "ab,ab->", sizes).samples == 1
    fixed = from_classes("ab,ab->", "gaussian", {"a": "3", "b": "3"})
    assert predict(fixed, "ab,ab->", sizes).samples is None


def test_command():
    result = CliRunner().invoke(main, ["predict", "abc,ade,fbe,fdc->"])
    assert result.exit_code == 0
    for text in ("3 n^4", "4 n^6 + 72 n^5 + 12 n^4 + 8 n^3", "Theta(n^4), exact", "4 at each of the sizes"):
        assert text in " ".join(result.output.split())
    network = CliRunner().invoke(main, ["predict", "ijk,i,j,k->", "--network", "tanh", "--depth", "2"])
    assert network.exit_code == 0 and "O(n^{-1}), conjecture" in network.output and "not exact" in network.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ab,ab->", "--dim", "a"], "dim is 'a', expected an index letter and its size"),
        (["ab,ab->", "--n", "16,x"], "n is '16,x', expected sizes separated by commas"),
        (["i,i->", "--network", "tanh", "--dim", "i=3"], "dim is given together with network"),
        (["i,i->", "--network", "tanh", "--classes", "goe"], "classes is given together with network"),
        (["i,i->", "--depth", "2"], "depth is 2, but there is no network"),
        (["ab,ab->", "--dim", "a=2", "--dim", "a=3"], "dim gives the index 'a' the sizes 2 and 3"),
        (["ab,ab"], "expected letters, commas and one arrow"),
    ],
)
def test_command_refuses_with_a_sentence(arguments, message):
    result = CliRunner().invoke(main, ["predict", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr and len(result.stderr.strip().splitlines()) == 1
