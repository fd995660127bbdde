"""Predictions read from text, in the words in which they are printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from randtensor import parse_bound, parse_order
from randtensor.errors import InputError, OrderError, RandtensorError
from randtensor.expansions import parse_expansion
from randtensor.orders._tokens import quoted
from theory_checks.predictions import Exact, Identity, NoDefiniteBound, Prediction, QuantileSlopes, Tight, Zero

__all__ = ["FORMS", "parse_prediction"]

#: what can be written
FORMS = (
    "'Theta(n^-1)' (or O, o, Omega), '= 3 n^4', '= 0', 'identity to 1e-9', 'tight at n^-1', 'tight', "
    "'uniformly tight at n', 'no definite bound' or 'q50: 0.5, q90: 0.5'"
)

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_QUANTILE = re.compile(rf"\s*q({_NUMBER})\s*:\s*({_NUMBER})\s*")
_BOUND = re.compile(r"\s*\\?(?:O|o|Theta|Omega|Θ|Ω)\s*(?:_|\(|\\left|\{)")
#: what bounds and rates are taken for, and a single power, which may be either a rate or a value
_MISSPELT = re.compile(r"\\?(theta|omega)(?:_p)?\s*(?=\()", re.IGNORECASE)
_RATE = re.compile(r"(?:~|∼|≍|\\sim|\\asymp)\s*")
_POWER = r"[A-Za-z]\w*\s*(?:(?:\^|\*\*)\s*\S+)?"
_LONGEST_GUESS = 200


def parse_prediction(text: str) -> Prediction:
    """The prediction that a text denotes: what ``str`` of a prediction prints, or a bound in any notation.

    Parameters
    ----------
    text : one of

        - a bound, see `randtensor.parse_bound`: ``"O(n^{-1/2} log n)"``,
        - ``"= "`` and an exact expansion of the statistic, see `randtensor.expansions.parse_expansion`; ``"= 0"`` is
          a mean that vanishes,
        - ``"identity to 1e-9"``,
        - ``"tight"``, ``"tight at n^-1"``, ``"uniformly tight at n"``,
        - ``"no definite bound"``,
        - exponents of quantiles, ``"q50: 0.5, q90: 0.5"``.

    Raises
    ------
    InputError : another text.
    OrderError : an order or expansion that cannot be read; the message tells the position.

    Examples
    --------
    >>> print(parse_prediction("= 3 n^4"), "|", parse_prediction("tight at n**-1"), "|", parse_prediction("O(1/n)"))
    = 3 n^4 | tight at n^{-1} | O(n^{-1})
    """
    words = " ".join(text.split())
    if words.startswith("="):
        if words.startswith("=="):
            raise _unknown(text, words)
        value = _within(parse_expansion, words, 1)
        return Zero() if value == 0 else Exact(value)
    if words.startswith("identity"):
        found = re.fullmatch(rf"identity(?: to ({_NUMBER}))?", words)
        if found is None:
            raise InputError(f"predicted is {text!r}, expected a tolerance, as in 'identity to 1e-9'")
        return Identity() if found[1] is None else Identity(float(found[1]))
    if words == "no definite bound":
        return NoDefiniteBound()
    tight = re.fullmatch(r"(uniformly )?tight(?: at (.+))?", words)
    if tight is not None:
        return Tight(
            None if tight[2] is None else _within(parse_order, words, tight.start(2)), uniform=tight[1] is not None
        )
    if words.startswith("q"):
        return _slopes(text, words)
    if _BOUND.match(words) is None:
        raise _unknown(text, words)
    return parse_bound(words)


def _within(parse: Callable[[str], Any], words: str, start: int) -> Any:
    """What the end of a text denotes; errors show the whole text, and positions in it."""
    padded = " " * start + words[start:]
    try:
        return parse(padded)
    except OrderError as error:
        raise OrderError(str(error).replace(quoted(padded), quoted(words), 1)) from None


def _unknown(text: str, words: str) -> InputError:
    """The error about a text in no known form, with what was probably meant."""
    meant = " or ".join(repr(form) for form in _candidates(words) if _is_read(form))
    hint = f": did you mean {meant}?" if meant else ""
    return InputError(f"predicted is {text!r}, expected {FORMS}{hint}")


def _candidates(words: str) -> tuple[str, ...]:
    bound = _MISSPELT.match(words)
    if bound is not None:
        return (f"{bound[1].capitalize()}{words[bound.end() :]}",)
    rate = _RATE.match(words)
    if rate is not None:
        return (f"Theta({words[rate.end() :]})",)
    if words.startswith("=="):
        return (f"= {words.lstrip('= ')}",)
    if len(words) <= _LONGEST_GUESS and re.fullmatch(_POWER, words):
        return (f"Theta({words})", f"= {words}")
    return (f"= {words}",)


def _is_read(form: str) -> bool:
    if len(form) > _LONGEST_GUESS:
        return False
    try:
        parse_prediction(form)
    except RandtensorError:
        return False
    return True


def _slopes(text: str, words: str) -> QuantileSlopes:
    pairs: dict[float, float] = {}
    for part in words.split(","):
        found = _QUANTILE.fullmatch(part)
        if found is None:
            raise InputError(f"predicted is {text!r}, expected exponents by quantile, as in 'q50: 0.5, q90: 0.5'")
        if float(found[1]) in pairs:
            raise InputError(f"predicted is {text!r}, expected each quantile once")
        pairs[float(found[1])] = float(found[2])
    return QuantileSlopes(pairs)
