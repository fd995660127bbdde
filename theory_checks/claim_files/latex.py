"""Statements in LaTeX: what would stop the compilation of an appendix, or swallow a part of it."""

from __future__ import annotations

import re
from typing import Any

from randtensor.errors import InputError
from randtensor.orders._tokens import quoted
from theory_checks.claim_files.fields import text

__all__ = ["statement"]

_CLOSING = {"{": "}", "$": "$", r"\(": r"\)", r"\[": r"\]"}
_TOKEN = re.compile(r"\\.|[{}$%]", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")


def statement(value: Any) -> str:
    r"""A text whose dollar signs and braces are balanced, without comments.

    >>> statement(r"$\{T_{ab}\}$ in 95\% of the samples")
    '$\\{T_{ab}\\}$ in 95\\% of the samples'
    >>> statement("$T_{ab}")
    Traceback (most recent call last):
    randtensor.errors.InputError: is '$T_{ab}', where '$' is never closed, expected '$'
    """
    given = text(value)
    if _CONTROL.search(given):
        raise InputError(f"is {quoted(given)} with a control character, expected single quotes around LaTeX: '...'")
    opened: list[str] = []
    for token in _TOKEN.findall(given):
        if token == "%":
            raise InputError(rf"is {quoted(given)}, where '%' hides the rest of its line, expected '\%'")
        if opened and token == _CLOSING[opened[-1]]:
            opened.pop()
        elif token in _CLOSING:  # a dollar sign in braces inside a formula opens one in its text
            opened.append(token)
        elif token in _CLOSING.values():
            break
    else:
        if not opened:
            return given
        raise InputError(f"is {quoted(given)}, where {opened[-1]!r} is never closed, expected {_CLOSING[opened[-1]]!r}")
    raise InputError(f"is {quoted(given)}, where {token!r} closes nothing, expected its opening before it")
