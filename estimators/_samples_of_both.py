"""Results of independent samples put together: what has to agree, and averages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from randtensor.errors import InputError

__all__ = ["check_mergeable", "weighted"]


def check_mergeable(one: Any, other: Any, fields: Sequence[str]) -> None:
    """Refuse to merge two results of other types, laws or ``fields``, or of the same samples.

    Raises
    ------
    InputError : what differs and must not, or the same samples twice.
    """
    if type(other) is not type(one):
        raise InputError(f"other is {other!r}, expected a {type(one).__name__}")
    for name in fields:
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            raise InputError(f"other has {name} {theirs}, expected {mine} as here")
    if one.quantity != other.quantity:
        raise InputError("other has another quantity, expected samples of the same law")
    if one.seed is not None and one.seed == other.seed:
        raise InputError(f"other has the seed {one.seed} too, expected independent samples")
    if one == other:
        raise InputError("other is the same result, expected independent samples")


def weighted(one: tuple[int, float, float], other: tuple[int, float, float]) -> tuple[float, float]:
    """The mean of two values by their numbers of samples, and its error, from (samples, value, error).

    >>> weighted((100, 1.0, 0.3), (300, 2.0, 0.1))
    (1.75, 0.10606601717798213)
    """
    (first, a, s), (second, b, t) = one, other
    total = first + second
    return (first * a + second * b) / total, math.hypot(first * s, second * t) / total
