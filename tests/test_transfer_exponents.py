"""Exponents from the transfer matrix without its polynomials, and what neither exponents nor expectations cover."""

from __future__ import annotations

import pytest
from deep_contractions import contraction, equations, m, n, network
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.errors import ExactError
from randtensor.exact.derivatives.transfer import transfer_expectation, transfer_exponent


@given(equations(), st.integers(1, 4), st.sampled_from(["linear", "relu", "leaky_relu(1/4)"]))
@settings(max_examples=30)
def test_the_exponent_is_that_of_the_polynomial(equation, depth, activation):
    for scheme in ("ntk", "standard"):
        c = contraction(equation, network(activation, depth, parametrization=scheme))
        found = transfer_expectation(c)
        expected = None if found == 0 else found.order.exponents(n).power
        assert transfer_exponent(c) == expected


def test_exponents_need_no_polynomials():
    c = contraction("abc,a,b,c->", network("relu", 300))
    assert transfer_exponent(c) == -2
    wide = contraction("ab,a,b,->", network("relu", 3, [n, n**2, 3 * n]))
    found = transfer_expectation(wide)
    assert transfer_exponent(wide) == found.order.exponents(n).power


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: contraction("a,a->", network("tanh", 1)), "the activation is 'tanh', expected a homogeneous one"),
        (lambda: contraction("a,a->", network("relu", 1, biases=1.0)), "biases is 1.0, expected a network without"),
        (
            lambda: rt.einsum("i,i->", *[rt.networks.mlp(1, n, 1, "relu", outputs=2)([1.0])] * 2),
            "the network has 2 outputs, expected a scalar one",
        ),
        (
            lambda: network("relu", 1).derivative([1.0]).contraction(),
            "the contraction has 1 free indices, expected a sca",
        ),
        (
            lambda: contraction("a,a->", rt.networks.resnet(1, n, 2), [1.0]),
            "the function is 'resnet', expected a fully",
        ),
        (
            lambda: contraction("a,a->", rt.networks.mlp(2, n, 1, "relu"), [[1.0, 0.0], [0.0, 1.0]]),
            "the activation is 'relu' and the operands have different inputs",
        ),
        (
            lambda: contraction("a,a->", network("relu", 1), [[1.0], [-1.0]]),
            "expected one common input up to positive factors",
        ),
        (
            lambda: rt.einsum(",->", network("linear", 1)([1.0]), network("linear", 1)([1.0])),
            "the operands belong to 2 functions, expected one network",
        ),
        (
            lambda: contraction("a,a" + "," * 10 + "->", network("relu", 1)),
            "12 operands with 10395 matchings, expected at most 10 operands with 945: sample it",
        ),
        (
            lambda: contraction("abcdefg,abcdefg,hijklmn,hijklmn,opq,opq->", network("linear", 9)),
            "17 contracted indices, which can be placed in at least 1114112 steps, expected at most 50000: sample it",
        ),
    ],
)
def test_what_is_not_covered_is_named(make, match):
    c = make()
    for function in (transfer_expectation, transfer_exponent):
        with pytest.raises(ExactError, match=match):
            function(c)


def test_exponents_are_refused_where_leading_powers_may_cancel():
    c = contraction("a,a->", rt.networks.deep_linear(2, n, 1), [[1.0, 0.0], [-1.0, 0.5]])
    with pytest.raises(ExactError, match="the inputs have an inner product of -1, so that leading powers may cancel"):
        transfer_exponent(c)
    with pytest.raises(ExactError, match="the widths grow with the scales m, n, expected a single one"):
        transfer_exponent(contraction("a,a->", network("linear", 2, [n, m])))
