"""Tokens of the notation for orders, in plain text and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from randtensor.errors import OrderError
from randtensor.orders._text import GREEK

__all__ = ["CLOSING", "DEEPEST_NESTING", "FUNCTIONS", "Reader", "Token", "quoted", "tokenize"]

CLOSING = {"(": ")", "{": "}"}
DEEPEST_NESTING = 40

_LONGEST_TEXT = 1000

FUNCTIONS = frozenset({"log", "loglog", "sqrt", "frac"})

_LETTER = "A-Za-zͰ-Ͽ"
_TOKEN = re.compile(
    rf"""(?P<space>(?:\s|\\[,;:! ]|\\left(?![A-Za-z])|\\right(?![A-Za-z])|~)+)
       | (?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)
       | (?P<name>(?:\\(?:mathrm|mathcal|mathit|operatorname)(?:\{{(?:[{_LETTER}0-9]|\\?_)+\}}|\s[{_LETTER}])
            |\\[A-Za-z]+|[{_LETTER}][{_LETTER}0-9]*)
            (?:_\{{(?:[{_LETTER}0-9]|\\mathbb\{{P\}})+\}}|(?:_[{_LETTER}0-9]+)+)?)
       | (?P<operator>\*\*|[-+*/^(){{}}·×−])""",
    re.VERBOSE,
)
_SYNONYMS = {"**": "^", "·": "*", "×": "*", "cdot": "*", "times": "*", "−": "-"}
_NAMES = {"ln": "log", "Θ": "Theta", "Ω": "Omega"}


class Token(NamedTuple):
    """A piece of the text: ``kind`` is ``number``, ``name``, ``function``, ``end`` or the operator itself."""

    kind: str
    text: str
    position: int
    end: int


def tokenize(text: object, what: str) -> list[Token]:
    """The tokens of ``text``, closed by one of kind ``end``; ``what`` says in errors what was to be read."""
    if not isinstance(text, str):
        raise OrderError(f"text is {text!r}, expected {what} as a string")
    if len(text) > _LONGEST_TEXT:
        raise OrderError(f"text has {len(text)} characters, expected {what} of at most {_LONGEST_TEXT}")
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise OrderError(
                f"text {quoted(text)} is not {what}: unexpected character {text[position]!r} at position {position}"
            )
        position = match.end()
        kind = match.lastgroup
        if kind != "space":
            tokens.append(_token(str(kind), match, text, what))
    return [*tokens, Token("end", "the end of the text", len(text), len(text))]


def quoted(text: str) -> str:
    """``text`` in quotes, its middle left out if it is long."""
    return repr(text if len(text) <= 80 else f"{text[:50]} ... {text[-20:]}")


def _token(kind: str, match: re.Match[str], text: str, what: str) -> Token:
    lexeme = match.group()
    if kind == "operator":
        return Token(_SYNONYMS.get(lexeme, lexeme), lexeme, match.start(), match.end())
    if kind == "number":
        return Token(kind, lexeme, match.start(), match.end())
    command = lexeme.startswith("\\") and not re.match(r"\\(mathrm|mathcal|mathit|operatorname)[{\s]", lexeme)
    name = re.sub(r"\\(mathrm|mathcal|mathit|operatorname|mathbb)(?![A-Za-z])|[{}\s\\]", "", lexeme)
    if command and name in _SYNONYMS:
        return Token(_SYNONYMS[name], lexeme, match.start(), match.end())
    name = _NAMES.get(name, name)
    base, _, subscript = name.partition("_")
    if base == "log" and subscript:
        # The base of a logarithm is a constant factor.
        name = "log"
    if command and base not in FUNCTIONS | GREEK | {"Theta", "Omega"}:
        raise OrderError(f"text {quoted(text)} is not {what}: unknown command {lexeme} at position {match.start()}")
    return Token("function" if name in FUNCTIONS else "name", name, match.start(), match.end())


class Reader:
    """Goes through the tokens of a text, and says in errors where it is and ``what`` was to be read."""

    def __init__(self, text: str, what: str) -> None:
        self.text = text
        self.what = what
        self.tokens = tokenize(text, what)
        self.index = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.index]

    def take(self) -> Token:
        token = self.next
        self.index += token.kind != "end"
        return token

    def expect(self, kind: str, expected: str) -> Token:
        if self.next.kind != kind:
            self.fail(self.next, expected)
        return self.take()

    def fail(self, found: Token, expected: str) -> NoReturn:
        seen = found.text if found.kind == "end" else repr(found.text)
        raise OrderError(
            f"text {quoted(self.text)} is not {self.what}:"
            f" expected {expected} at position {found.position}, found {seen}"
        )

    def sign(self) -> int:
        return -1 if self.next.kind in ("+", "-") and self.take().kind == "-" else 1

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Errors of the calculus, told with the text that led to them."""
        try:
            yield
        except OrderError as error:
            raise OrderError(f"text {quoted(self.text)} is not {self.what}: {error}") from None
