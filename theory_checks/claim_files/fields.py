"""Keys of a table: which there are, of what kind, and what is wrong with those given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from randtensor.errors import InputError
from theory_checks.claim_files.positions import Located, Path
from theory_checks.claim_files.problems import Problems

__all__ = ["Field", "Reader", "closest", "counts", "flag", "integer", "number", "numbers", "one_of", "text", "texts"]


@dataclass(frozen=True)
class Field:
    """A key: ``read`` turns its value into what is used, or raises an InputError ``is ..., expected ...``."""

    read: Callable[[Any], Any]
    required: bool = False


class Reader:
    """Reads tables of a located text, and collects what is wrong with them."""

    def __init__(self, located: Located, problems: Problems) -> None:
        self.located = located
        self.problems = problems

    def table(self, path: Path, values: Any, fields: Mapping[str, Field], what: str) -> dict[str, Any] | None:
        """The values that were read, by key; None if one of them is wrong, missing or unknown."""
        if not isinstance(values, dict):
            self.problems.add(self.located.line(path), f"{what} is {values!r}, expected a table")
            return None
        before = len(self.problems.found)
        read = {}
        misspelt: set[str | None] = set()
        for key, value in values.items():
            line = self.located.line((*path, key))
            if key not in fields:
                meant = closest(key, [name for name in fields if name not in values])
                misspelt.add(meant)
                hint = f", did you mean {meant!r}?" if meant else f", expected one of {', '.join(fields)}"
                self.problems.add(line, f"{what} has the unknown key {key!r}{hint}")
                continue
            with self.problems.at(line, f"{key} of {what} "):
                read[key] = fields[key].read(value)
        for key, field in fields.items():
            if field.required and key not in values and key not in misspelt:
                self.problems.add(self.located.line(path), f"{what} has no key {key!r}, expected it")
        return read if len(self.problems.found) == before else None


#: what others call what has another name here
_SYNONYMS = {"normal": "gaussian", "gauss": "gaussian", "complex gaussian": "complex", "sign": "rademacher"}


def closest(word: str, choices: Iterable[str]) -> str | None:
    """What was probably meant: another word for it, the same letters in another case, or nearly the same letters.

    >>> closest("Normal", ["gaussian", "uniform"]), closest("hidden_layer", ["hidden", "hidden_layers"])
    ('gaussian', 'hidden_layers')
    """
    known = list(choices)
    lowered = " ".join(word.lower().replace("_", " ").split())
    if _SYNONYMS.get(lowered) in known:
        return _SYNONYMS[lowered]
    close = get_close_matches(word, known, n=1) or get_close_matches(word.lower(), known, n=1)
    return close[0] if close else None


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"is {value!r}, expected a text")
    return value


def texts(value: Any) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list) or not value or not all(isinstance(entry, str) and entry for entry in value):
        raise InputError(f"is {value!r}, expected a list of texts")
    return value


def one_of(*choices: str) -> Callable[[Any], str]:
    """A text from a list."""

    def read(value: Any) -> str:
        if value not in choices:
            meant = closest(value, choices) if isinstance(value, str) else None
            hint = f": did you mean {meant!r}?" if meant else ""
            raise InputError(f"is {value!r}, expected one of {', '.join(choices)}{hint}")
        return str(value)

    return read


def integer(value: Any) -> int:
    """A positive integer."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"is {value!r}, expected a positive integer")
    return value


def counts(value: Any) -> int | list[int]:
    """A positive integer, or a list of them."""
    if not isinstance(value, list):
        return integer(value)
    if not value:
        raise InputError("is [], expected at least one positive integer")
    return [integer(entry) for entry in value]


def number(value: Any) -> float:
    """A finite real number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"is {value!r}, expected a finite number")
    return value


def numbers(value: Any) -> Any:
    """An array of finite numbers, as nested lists of equal lengths."""
    if not isinstance(value, list) or not value:
        raise InputError(f"is {value!r}, expected a list of numbers")
    entries = [numbers(entry) if isinstance(entry, list) else number(entry) for entry in value]
    lengths = {len(entry) if isinstance(entry, list) else None for entry in entries}
    if len(lengths) > 1:
        raise InputError(f"is {value!r}, expected rows of equal lengths")
    return entries


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InputError(f"is {value!r}, expected true or false")
    return value
