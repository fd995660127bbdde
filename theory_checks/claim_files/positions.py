"""Where in a TOML text its keys stand, which the parser of the standard library does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from randtensor.errors import InputError
from theory_checks.claim_files.problems import ClaimFileError, Problem
from theory_checks.claim_files.syntax import syntax_problem

__all__ = ["Located", "Path", "parse_located"]

#: keys, and numbers of the entries of arrays of tables, from the top to a value
Path = tuple[str | int, ...]

_LONGEST_TEXT = 1_000_000

#: what can hold a line break inside a statement, and what only looks as if it could
_LEXEME = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|\#[^\n]*|[\[\]{}]|\n''',
    re.DOTALL,
)


@dataclass(frozen=True)
class Located:
    """The values of a TOML text, and the line of every key and table by its path."""

    values: dict[str, Any]
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of a key, or of the first below it, or of the innermost table around it that has one."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
            if end == len(path) and path in self._first_below:
                return self._first_below[path]
        return 1

    @cached_property
    def _first_below(self) -> dict[Path, int]:
        """The first line below the paths that are not set themselves, as ``claim`` of tables ``[[claim]]``."""
        first: dict[Path, int] = {}
        for path, line in self.lines.items():
            for end in (1, 2):
                first.setdefault(path[:end], line)
        return first

    def renamed(self, names: Mapping[str, str]) -> Located:
        """The same with other names of the keys at the top."""
        values = {names.get(key, key): value for key, value in self.values.items()}
        return Located(values, {(names.get(str(path[0]), path[0]), *path[1:]): n for path, n in self.lines.items()})


def parse_located(text: str, name: str) -> Located:
    """Values and lines of a TOML text.

    Every statement of TOML ends with a line, outside of strings and brackets. So the text is cut there, and each piece
    is parsed by itself, which tells what it sets.

    Raises
    ------
    ClaimFileError : the text is not TOML.

    Examples
    --------
    >>> located = parse_located("a = 1\\n[[claim]]\\nn = [\\n 2,\\n]\\nid = 'x'", "example")
    >>> located.lines
    {('a',): 1, ('claim', 0): 2, ('claim', 0, 'n'): 3, ('claim', 0, 'id'): 6}
    """
    if len(text) > _LONGEST_TEXT:
        raise InputError(f"{name} has {len(text)} characters, expected at most {_LONGEST_TEXT}")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClaimFileError(name, (syntax_problem(text, error),)) from None
    except RecursionError:
        raise InputError(f"{name} is nested too deeply, expected a file of claims") from None
    except ValueError as error:  # Python reads no number of thousands of digits
        raise InputError(f"{name} cannot be read: {error}, expected integers of 64 bits") from None
    text = text.replace("\r\n", "\n")
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, statement in _statements(text):
        stripped, parsed = statement.lstrip(), tomllib.loads(statement)
        if _is_too_large(parsed):
            raise ClaimFileError(
                name, (Problem(number, "there is an integer of more than 64 bits, expected smaller ones"),)
            )
        if stripped.startswith("["):
            table = _header(parsed, stripped.startswith("[["), counts)
            lines.setdefault(table, number)
        else:
            for path in _set_by(parsed):
                lines.setdefault(table + path, number)
    return Located(values, lines)


def _is_too_large(value: Any) -> bool:
    """Whether there is an integer in it that TOML does not promise to hold."""
    if isinstance(value, dict | list):
        return any(map(_is_too_large, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Statements of a valid text with the number of their first line; comments and empty lines are left out."""
    depth = start = 0
    number = first = 1
    for found in _LEXEME.finditer(text + "\n"):
        lexeme = found.group()
        if lexeme in ("[", "{"):
            depth += 1
        elif lexeme in ("]", "}"):
            depth -= 1
        elif lexeme != "\n":  # a string or a comment
            number += lexeme.count("\n")
        else:
            number += 1
            if depth == 0:
                statement = text[start : found.start()]
                if statement.strip() and not statement.lstrip().startswith("#"):
                    yield first, statement
                start, first = found.end(), number


def _header(parsed: dict[str, Any], repeated: bool, counts: dict[Path, int]) -> Path:
    """The path of a table from its header, through the last entry of every array of tables on the way."""
    path: Path = ()
    value: Any = parsed
    while isinstance(value, dict) and value:
        ((key, value),) = value.items()
        path += (key,)
        last = isinstance(value, list) or not value
        if last and repeated:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path += (counts[path] - 1,)
        if isinstance(value, list):
            value = value[0]
    return path


def _set_by(parsed: dict[str, Any]) -> Iterator[Path]:
    for key, value in parsed.items():
        yield (key,)
        if isinstance(value, dict):
            for path in _set_by(value):
                yield (key, *path)
