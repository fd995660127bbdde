"""From the text of a claim file to claims."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from randtensor.errors import InputError, RandtensorError
from randtensor.expansions import parse_expansion
from theory_checks.claim_files.factors import Factors, read_factors, read_quantity
from theory_checks.claim_files.fields import (
    Field,
    Reader,
    closest,
    counts,
    flag,
    integer,
    number,
    numbers,
    one_of,
    text,
    texts,
)
from theory_checks.claim_files.latex import statement
from theory_checks.claim_files.positions import Located, Path, parse_located
from theory_checks.claim_files.problems import Problems
from theory_checks.claims import Claim
from theory_checks.predictions import Exact, NoDefiniteBound, QuantileSlopes, Tight, Zero, as_prediction

__all__ = ["ClaimFile", "read_toml"]

FORMAT = 1
_SECTIONS = ("format", "title", "source", "inputs", "networks", "tensors", "claim")
_ARGUMENT = re.compile(r"""claim (?:'.*?'|".*?"): (?:the )?(\w+) """)


@dataclass(frozen=True)
class ClaimFile:
    """What a claim file defines."""

    title: str
    source: str
    claims: tuple[Claim, ...]


def _prediction(value: Any) -> Any:
    try:
        return as_prediction(text(value))
    except InputError as error:  # the reader names the key
        raise InputError(str(error).removeprefix("predicted ")) from None
    except RandtensorError as error:
        raise InputError(f"cannot be read: {error}") from None


def _expansion(value: Any) -> Any:
    if isinstance(value, int | float):
        return number(value)
    try:
        return parse_expansion(text(value))
    except RandtensorError as error:
        raise InputError(f"cannot be read: {error}") from None


def _sizes(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        return [{name: integer(size) for name, size in entry.items()} for entry in value]
    if not isinstance(value, list) or not value:
        raise InputError(f"is {value!r}, expected a list of sizes")
    return [integer(entry) for entry in value]


def _correction(value: Any) -> Any:
    if isinstance(value, str):
        named = {"auto": "auto", "none": None, "derived": "derived"}
        if value not in named:
            raise InputError(f"is {value!r}, expected a number, a list of numbers, 'auto', 'none' or 'derived'")
        return named[value]
    return tuple(numbers(value)) if isinstance(value, list) else number(value)


#: the keys of a claim: arguments of `Claim`, and what makes its quantity and its prediction
_CLAIM: dict[str, Field] = {
    "id": Field(text),
    "name": Field(text, required=True),
    "equation": Field(text, required=True),
    "factors": Field(texts, required=True),
    "norm": Field(one_of("injective", "symmetric injective", "frobenius", "nuclear", "max")),
    "statistic": Field(text),
    "predicted": Field(_prediction, required=True),
    "variance": Field(_expansion),
    "within": Field(number),
    "quantiles": Field(numbers),
    "n": Field(_sizes),
    "samples": Field(counts),
    "scale": Field(text),
    "correction": Field(_correction),
    "log_power": Field(number),
    "margin": Field(number),
    "refuted": Field(flag),
    "source": Field(text),
    "statement": Field(statement),
    "note": Field(text),
}
_PASSED = (
    "id",
    "statistic",
    "n",
    "samples",
    "scale",
    "correction",
    "log_power",
    "margin",
    "source",
    "statement",
    "note",
)


def read_toml(content: str, name: str) -> ClaimFile:
    """The claims that a text in TOML defines; ``name`` stands for it in messages.

    Raises
    ------
    ClaimFileError : a text that cannot be used; every problem is told with its line.

    Examples
    --------
    >>> found = read_toml('''
    ... [tensors]
    ... T = { law = "gaussian", shape = ["n", "n", "n"] }
    ... [[claim]]
    ... name = "the tetrahedron"
    ... equation = "abc,ade,fbe,fdc->"
    ... factors = ["T", "T", "T", "T"]
    ... statistic = "mean"
    ... predicted = "= 3 n^4"
    ... n = [4, 8, 16]
    ... ''', "example")
    >>> found.claims[0].predicted.expected({"n": 2})
    48.0
    """
    located = parse_located(content, name)
    problems = Problems()
    reader = Reader(located, problems)
    located = reader.located = located.renamed(_misspelt(reader))
    document = located.values
    if document.get("format", FORMAT) != FORMAT:
        problems.add(located.line(("format",)), f"format is {document['format']!r}, expected {FORMAT}")
    words = {}
    for key in ("title", "source"):
        with problems.at(located.line((key,)), f"{key} "):
            words[key] = text(document[key]) if key in document else ""
    factors = read_factors(reader, document)
    entries = document.get("claim", [])
    if not isinstance(entries, list) or not entries:
        given = "[claim] is a single table" if isinstance(entries, dict) else "there are no claims"
        problems.add(located.line(("claim",)), f"{given}, expected tables [[claim]]")
        entries = []
    claims = [_claim(reader, ("claim", i), values, factors, words) for i, values in enumerate(entries)]
    _check_ids(located, problems, claims)
    problems.check(name)
    return ClaimFile(words["title"] or FilePath(name).stem, words["source"], tuple(c for c in claims if c is not None))


def _misspelt(reader: Reader) -> dict[str, str]:
    """What unknown keys at the top were meant to be, so that what they hold is read all the same."""
    meant: dict[str, str] = {}
    document = reader.located.values
    for key in document:
        if key in _SECTIONS:
            continue
        close = closest(key, _SECTIONS)
        hint = f", did you mean {close!r}?" if close else f", expected one of {', '.join(_SECTIONS)}"
        reader.problems.add(reader.located.line((key,)), f"the file has the unknown key {key!r}{hint}")
        if close and close not in document and close not in meant.values():
            meant[key] = close
    return meant


def _claim(reader: Reader, path: Path, values: Any, factors: Factors, words: Mapping[str, str]) -> Claim | None:
    what = f"claim {int(path[1]) + 1}"
    if isinstance(values, dict):
        labels = [values.get(key) for key in ("id", "name")]
        what = next((f"claim {label!r}" for label in labels if isinstance(label, str) and label), what)
    options = reader.table(path, values, _CLAIM, what)
    # the quantity is looked at even if another key is wrong: a reader wants to know everything at once
    quantity = None
    if isinstance(values, dict) and isinstance(values.get("equation"), str) and _are_texts(values.get("factors")):
        norm = values.get("norm") if options is not None else None
        given = {"equation": values["equation"], "factors": values["factors"], "norm": norm, "what": what}
        given["has_norm"] = "norm" in values
        quantity = read_quantity(reader, path, given, factors)
    if options is None:
        return None
    before = len(reader.problems.found)
    predicted = _with_options(reader, path, options, what)
    if quantity is None or len(reader.problems.found) > before:
        return None
    arguments = {key: options[key] for key in _PASSED if key in options}
    arguments.setdefault("source", words.get("source", ""))
    if isinstance(options["predicted"], Exact | Zero):
        arguments.setdefault("statistic", "mean")
    if options.get("refuted"):
        arguments["expect"] = "refuted"
    try:
        return Claim(options["name"], quantity, predicted=predicted, **arguments)
    except RandtensorError as error:
        found = _ARGUMENT.match(str(error))
        key = (found[1].replace("quantity", "equation"),) if found is not None else ()
        reader.problems.add(reader.located.line((*path, *key)), str(error))
        return None


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, str) and entry for entry in value)


def _with_options(reader: Reader, path: Path, options: Mapping[str, Any], what: str) -> Any:
    """The prediction with the options that belong to its kind."""
    predicted = options["predicted"]
    kinds: dict[str, tuple[type, ...]] = {
        "variance": (Exact,),
        "within": (Exact, Zero),
        "quantiles": (Tight, NoDefiniteBound),
    }
    chosen = {}
    for key, allowed in kinds.items():
        if key not in options:
            continue
        if isinstance(predicted, allowed):
            chosen[key] = tuple(options[key]) if key == "quantiles" else options[key]
        else:
            names = "an exact value" if key != "quantiles" else "'tight' or 'no definite bound'"
            reader.problems.add(
                reader.located.line((*path, key)), f"{what} has {key}, but predicts {predicted}, expected {names}"
            )
    if "statistic" in options and isinstance(predicted, QuantileSlopes | Tight | NoDefiniteBound):
        line = reader.located.line((*path, "statistic"))
        reader.problems.add(line, f"{what} has a statistic, but predicts quantiles, expected no statistic")
    if not chosen:
        return predicted
    fields = {name: getattr(predicted, name) for name in predicted.__dataclass_fields__}
    line = reader.located.line((*path, next(iter(chosen))))
    with reader.problems.at(line, f"{what}: "):
        return type(predicted)(**fields | chosen)
    return predicted


def _check_ids(located: Located, problems: Problems, claims: list[Claim | None]) -> None:
    seen: dict[str, int] = {}
    for number_, claim in enumerate(claims):
        if claim is None:
            continue
        line = located.line(("claim", number_, "id" if claim.id else "name"))
        if claim.label in seen:
            first = seen[claim.label]
            problems.add(line, f"two claims have the id {claim.label!r}, the first in line {first}, expected others")
        seen.setdefault(claim.label, line)
