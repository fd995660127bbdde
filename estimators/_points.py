"""The points at which a quantity is sampled: sizes of its scales, and how many samples at each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from estimators.sampling import describe
from randtensor.arguments import positive_integer
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Quantity, resolve_sizes

__all__ = ["counts_at", "sizes_at"]


def sizes_at(quantity: Quantity, n: Any, scale: Any, *, fewest: str) -> tuple[list[dict[str, int]], str]:
    """Sizes of all scales at each point, and the name of the scale whose exponent is wanted.

    Parameters
    ----------
    quantity : what is sampled.
    n : sizes, or mappings from scales to sizes.
    scale : the scale wanted or its name; None is the one that varies.
    fewest : how many sizes are needed, in words.

    Raises
    ------
    ShapeError : something that is no list of sizes, or a quantity without a scale.
    InputError : a scale that the quantity does not have, or several that vary and none named.
    """
    if isinstance(n, str | Mapping) or not np.iterable(n):
        raise ShapeError(f"n is {n!r}, expected a list of at least {fewest} sizes")
    names = quantity.scale_names
    if not names:
        raise ShapeError(f"quantity {describe(quantity)} has no scale, expected one that can grow")
    sizes = [resolve_sizes(names, point) for point in n]
    if scale is not None:
        name = str(getattr(scale, "name", scale))
        if name not in names:
            raise InputError(f"scale is {name!r}, expected a scale of the quantity: {', '.join(names)}")
        return sizes, name
    varying = [name for name in names if len({size[name] for size in sizes}) > 1]
    if len(varying) > 1:
        raise InputError(f"scale is None, but {' and '.join(varying)} vary: name the one whose exponent is wanted")
    return sizes, (varying or list(names))[0]


def counts_at(samples: Any, points: int) -> list[int]:
    """The number of samples at each point, from one number or one per point.

    >>> counts_at(400, 2), counts_at([400, 100], 2)
    ([400, 400], [400, 100])
    """
    if not np.iterable(samples) or isinstance(samples, str):
        return [positive_integer("samples", samples)] * points
    counts = [positive_integer("samples", count) for count in samples]
    if len(counts) != points:
        raise ShapeError(f"samples has {len(counts)} entries, expected {points} as many as n")
    return counts
