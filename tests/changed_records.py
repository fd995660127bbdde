"""Records of JSON with one thing in them replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]


def places(record: Any, path: Path = ()) -> Iterator[Path]:
    """Where there is something in a record."""
    items = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, part in items:
        yield (*path, key)
        yield from places(part, (*path, key))


def replaced(record: Any, path: Path, value: Any) -> Any:
    """A copy with another value at that place."""
    if not path:
        return value
    copy = dict(record) if isinstance(record, dict) else list(record)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy
