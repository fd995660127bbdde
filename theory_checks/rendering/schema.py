"""Whether a record is what ``results.schema.json`` says: the part of JSON Schema that this file uses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

__all__ = ["violation"]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda x: x is None,
    "boolean": lambda x: isinstance(x, bool),
    "integer": lambda x: isinstance(x, int) and not isinstance(x, bool),
    "number": lambda x: isinstance(x, int | float) and not isinstance(x, bool),
    "string": lambda x: isinstance(x, str),
    "array": lambda x: isinstance(x, list),
    "object": lambda x: isinstance(x, Mapping),
}


def violation(record: Any) -> str | None:
    """Where a record departs from its schema first, in a few words; None for a sound one.

    Fields that the schema does not know are left alone: a later version may have added them.

    >>> violation({"schema": "randtensor/results/3", "targets": [], "origins": "none"})
    "origins is 'none', expected array"
    """
    return next(_violations(record, _schema(), ""), None)


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    text = files("theory_checks.rendering").joinpath("results.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _violations(value: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    if problem := _problem(value, schema):
        text = repr(value)
        yield f"{place or 'it'} is {text if len(text) <= 60 else text[:57] + '...'}, expected {problem}"
        return
    if isinstance(value, list) and "items" in schema:
        for index, entry in enumerate(value):
            yield from _violations(entry, schema["items"], f"{place}[{index}]")
    if isinstance(value, Mapping):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        for name, entry in value.items():
            part = known.get(name, other if isinstance(other, Mapping) else None)
            if part is not None:
                yield from _violations(entry, part, f"{place}.{name}" if place else str(name))
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{place or 'it'} has no {name}, expected it"


def _problem(value: Any, schema: Mapping[str, Any]) -> str | None:
    """What a value should be and is not, its parts left aside."""
    types = schema.get("type", list(_TYPES))
    types = [types] if isinstance(types, str) else types
    if not any(_TYPES[name](value) for name in types):
        return " or ".join(types)
    if "const" in schema and value != schema["const"]:
        return repr(schema["const"])
    if "enum" in schema and value not in schema["enum"]:
        return " or ".join(map(repr, schema["enum"]))
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        return f"a text of the form {schema['pattern']}"
    if isinstance(value, list) and not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
        return f"{schema['minItems']} entries"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _problem_of_number(value, schema)
    return None


def _problem_of_number(value: float, schema: Mapping[str, Any]) -> str | None:
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    if not finite:
        return "a finite number"
    if not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
        return f"a number from {schema.get('minimum', '-oo')} to {schema.get('maximum', 'oo')}"
    if value <= schema.get("exclusiveMinimum", -math.inf):
        return f"a number above {schema['exclusiveMinimum']}"
    return None
