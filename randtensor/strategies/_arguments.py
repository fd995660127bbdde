"""Checks of what strategies are given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from randtensor.errors import InputError

__all__ = ["listed", "sizes_of", "subset"]

_T = TypeVar("_T")


def listed(name: str, values: Collection[_T]) -> list[_T]:
    if isinstance(values, str) or not values:
        raise InputError(f"{name} is {values!r}, expected a list of names")
    return list(values)


def subset(name: str, values: Collection[str], known: Sequence[str]) -> list[str]:
    chosen = listed(name, values)
    for value in chosen:
        if value not in known:
            raise InputError(f"{name} names {value!r}, expected names out of {', '.join(known)}")
    # in the order of the list of all, so that examples shrink to the first
    return [value for value in known if value in chosen]


def sizes_of(name: str, values: Any, least: int = 1) -> Sequence[Any]:
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) < least:
        raise InputError(f"{name} is {values!r}, expected a list of sizes")
    return values
