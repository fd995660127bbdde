"""Sizes of scales, as a caller gives them to evaluate an order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from randtensor.errors import OrderError
from randtensor.orders._exact import is_number
from randtensor.orders._monomial import Symbol, check_symbols

__all__ = ["resolve_sizes"]


def resolve_sizes(symbols: Sequence[Symbol], sizes: Any) -> dict[str, float]:
    """Positive sizes by name for all of ``symbols``; further entries are for other orders and are left out.

    >>> resolve_sizes([Symbol("n", False)], 16)
    {'n': 16.0}
    """
    names = [symbol.name for symbol in symbols]
    if isinstance(sizes, Mapping):
        # A scale among the keys must also agree in direction with the one it gives a size to.
        check_symbols([*symbols, *(own for key in sizes for own in getattr(key, "_symbols", ()))])
        given = {getattr(key, "name", key): size for key, size in sizes.items()}
    elif len(names) > 1:
        raise OrderError(f"sizes are {sizes!r}, expected a mapping with a size for each of {', '.join(names)}")
    else:
        given = dict.fromkeys(names, sizes)
    missing = [name for name in names if name not in given]
    if missing:
        raise OrderError(f"sizes are {dict(given)!r}, expected a size for the scale {missing[0]!r}")
    return {name: _positive(name, given[name]) for name in names}


def _positive(name: str, size: object) -> float:
    try:
        value = float(size) if is_number(size) else math.nan
    except OverflowError:
        value = math.inf
    if not (math.isfinite(value) and value > 0):
        raise OrderError(f"size is {size!r} for the scale {name!r}, expected a positive finite number")
    return value
