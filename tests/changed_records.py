"""Records of JSON with something changed in them."""

from __future__ import annotations


def places(record, path=()):
    """Where there is something in a record."""
    if path:
        yield path
    items = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


def replaced(record, path, value):
    """The record with something else at a place; the record itself is left as it is."""
    if not path:
        return value
    copy = dict(record) if isinstance(record, dict) else list(record)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy
