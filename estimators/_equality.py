"""Equality of results by value: they hold arrays, and numbers that are not defined."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

import numpy as np

__all__ = ["ComparedByValue", "same"]


class ComparedByValue:
    """A dataclass whose instances are equal when all fields that are compared are, arrays entry by entry.

    An undefined number (nan) equals another one. There is no hash, since arrays and mappings have none.

    >>> from estimators import fit_rate
    >>> fit_rate([8, 16], [1.0, 2.0], [0.1, 0.1]) == fit_rate([8, 16], [1.0, 2.0], [0.1, 0.1])
    True
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return same(self, other) if type(other) is type(self) else NotImplemented


def same(one: Any, other: Any) -> bool:
    """Whether two values of fields are equal."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind in "fc"))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if is_dataclass(one) and type(one) is type(other) and type(one).__module__.startswith("estimators"):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.compare)
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)
