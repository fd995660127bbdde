"""What is wrong with a text that is not TOML, in the words of its author."""

from __future__ import annotations

import re

from theory_checks.claim_files.problems import Problem

__all__ = ["syntax_problem"]

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]\n]*?)\s*\]")
_EXPECTED = {
    "Unescaped '\\' in a string": "expected single quotes around LaTeX: statement = '...'",
    "Invalid value": "expected a text in quotes, a number, true, false, [...] or {...}",
    "Invalid statement": "expected key = value, [table] or [[table]]",
    "Unclosed array": "expected ']'",
    "Illegal character '\\n'": "expected the text in quotes to end in its line",
}


def syntax_problem(text: str, error: ValueError) -> Problem:
    r"""The problem behind an error of the parser of the standard library.

    >>> import tomllib
    >>> for text in ("a = 1\na = 2", "[[claim]]\n[claim]", 'a = "$\\mathbb{E}$"'):
    ...     try:
    ...         tomllib.loads(text)
    ...     except ValueError as error:
    ...         print(syntax_problem(text, error))
    Problem(line=2, message='a is given twice, expected it once')
    Problem(line=2, message='[claim] stands beside [[claim]], expected [[claim]]')
    Problem(line=1, message="unescaped '\\' in a string, expected single quotes around LaTeX: statement = '...'")
    """
    place = _PLACE.search(str(error))
    lines = text.split("\n")
    number = int(place[1]) if place is not None and place[1] else len(lines)
    message = _PLACE.sub("", str(error))
    statement = lines[min(number, len(lines)) - 1][:200]
    if message.startswith(("Cannot overwrite a value", "Cannot declare", "Duplicate inline table key")):
        return Problem(number, _twice(text, statement, message))
    hint = _EXPECTED.get(message)
    told = f"{message[:1].lower()}{message[1:]}"
    return Problem(number, f"{told}, {hint}" if hint else told)


def _twice(text: str, statement: str, message: str) -> str:
    if message.startswith("Duplicate"):
        return f"{message.removeprefix('Duplicate inline table key ')} is given twice in {{...}}, expected it once"
    header = _HEADER.match(statement)
    if header is None:
        key = statement.partition("=")[0].strip()
        return f"{key} is given twice, expected it once" if key else "a key is given twice, expected it once"
    bracket, name = header[1], header[2]
    array, table = f"[[{name}]]", f"[{name}]"
    if bracket == "[" and array in text:
        return f"{table} stands beside {array}, expected {array}"
    if bracket == "[[" and re.search(rf"^\s*{re.escape(table)}", text, re.MULTILINE):
        return f"{array} stands beside {table}, expected {array} everywhere"
    return f"{array if bracket == '[[' else table} is given twice, expected it once"
