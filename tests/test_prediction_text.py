"""Predictions that cannot be read: what is suggested, and positions in what was written."""

from __future__ import annotations

import pytest

import randtensor as rt
from randtensor.errors import OrderError
from theory_checks.prediction_text import FORMS, parse_prediction


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("theta(n^{1.5})", "'Theta(n^{1.5})'"),
        ("~ n^{3/2}", "'Theta(n^{3/2})'"),
        ("n^2 + 2 n", "'= n^2 + 2 n'"),
        ("n^-1", "'Theta(n^-1)' or '= n^-1'"),
        ("== n^2", "'= n^2'"),
    ],
)
def test_what_was_meant_is_suggested(text, meant):
    with pytest.raises(rt.InputError) as caught:
        parse_prediction(text)
    assert str(caught.value) == f"predicted is {text!r}, expected {FORMS}: did you mean {meant}?"


@pytest.mark.parametrize(("text", "position"), [("= n^^2", 4), ("tight at n^^2", 11)])
def test_positions_are_those_in_the_text_as_it_was_written(text, position):
    with pytest.raises(OrderError, match=rf"text {text!r} is .* at position {position}".replace("^", r"\^")):
        parse_prediction(text)
