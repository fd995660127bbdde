"""Perfect matchings of 2k points: the pairings of Wick's theorem and of orthogonal averages."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from randtensor.errors import InputError
from randtensor.exact.haar.spherical import Partition, partitions

__all__ = ["Matching", "coset_type", "coset_types", "count_matchings", "matchings", "partners"]

Array = npt.NDArray[Any]

#: Pairs (a, b) with a < b, in ascending order.
Matching = tuple[tuple[int, int], ...]


def count_matchings(points: int) -> int:
    """The number of perfect matchings: (points - 1)!!, and 0 for an odd number of points.

    >>> [count_matchings(points) for points in (0, 2, 4, 6, 7, 8)]
    [1, 1, 3, 15, 0, 105]
    """
    return 0 if points % 2 else prod(range(1, points, 2))


def matchings(points: int) -> tuple[Matching, ...]:
    """All perfect matchings of the points 0, .., points - 1, in lexicographic order.

    Parameters
    ----------
    points : a non-negative integer; an odd number has no matching.

    Raises
    ------
    InputError : points is negative or not an integer.

    Examples
    --------
    >>> for matching in matchings(4):
    ...     print(matching)
    ((0, 1), (2, 3))
    ((0, 2), (1, 3))
    ((0, 3), (1, 2))
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < 0:
        raise InputError(f"points is {points!r}, expected a non-negative integer")
    return tuple(
        tuple((point, partner) for point, partner in enumerate(row) if point < partner)
        for row in partners(points).tolist()
    )


@lru_cache(maxsize=16)
def partners(points: int) -> Array:
    """All perfect matchings as involutions: row p, column a holds the partner of point a; shape (matchings, points).

    >>> partners(4)
    array([[1, 0, 3, 2],
           [2, 3, 0, 1],
           [3, 2, 1, 0]], dtype=int8)
    """
    if points % 2:
        return np.empty((0, points), dtype=np.int8)
    if points == 0:
        return np.empty((1, 0), dtype=np.int8)
    inner = partners(points - 2)
    blocks = []
    for partner in range(1, points):
        others = np.array([point for point in range(1, points) if point != partner], dtype=np.int8)
        block = np.empty((len(inner), points), dtype=np.int8)
        block[:, 0], block[:, partner] = partner, 0
        block[:, others] = others[inner]
        blocks.append(block)
    result = np.concatenate(blocks)
    result.setflags(write=False)
    return result


def coset_type(first: Matching, second: Matching) -> Partition:
    """Half the sizes of the connected components of the union of two matchings, in decreasing order.

    It determines the pair up to a common relabelling of the points; its length is the number of loops.

    Raises
    ------
    InputError : the two are not perfect matchings of the same points.

    Examples
    --------
    >>> coset_type(((0, 1), (2, 3), (4, 5)), ((0, 2), (1, 3), (4, 5)))
    (2, 1)
    """
    maps: list[dict[int, int]] = []
    for name, matching in (("first", first), ("second", second)):
        ends = {a: b for pair in matching for a, b in (tuple(pair), tuple(pair)[::-1])}
        if len(ends) != 2 * len(matching) or (maps and ends.keys() != maps[0].keys()):
            raise InputError(f"{name} is {matching!r}, expected a perfect matching of the same points as the other")
        maps.append(ends)
    left, sizes = set(maps[0]), []
    while left:
        start = point = min(left)
        size = 0
        while size == 0 or point != start:
            middle = maps[0][point]
            left -= {point, middle}
            point, size = maps[1][middle], size + 1
        sizes.append(size)
    return tuple(sorted(sizes, reverse=True))


def coset_types(first: Array, second: Array) -> Array:
    """Coset types of all pairs of matchings given as involutions, as numbers into ``partitions(k)``.

    Parameters
    ----------
    first, second : rows of ``partners``, shapes (A, 2k) and (B, 2k).

    Returns
    -------
    Array of shape (A, B).

    >>> coset_types(partners(4), partners(4))
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 1]], dtype=uint8)
    """
    degree = first.shape[1] // 2
    kinds = partitions(degree)
    numbers = {tuple(sum(part for part in kind if step % part == 0) for step in range(1, degree)): number
               for number, kind in enumerate(kinds)}  # fmt: skip
    # The union's component with 2l points is two cycles of length l of the product of the involutions, so that the
    # points which powers of the product leave where they are tell the type.
    product = np.take_along_axis(
        np.broadcast_to(first[:, None], (len(first), *second.shape)),
        np.broadcast_to(second[None], (len(first), *second.shape)),
        axis=2,
    )
    power, code = product, np.zeros(product.shape[:2], dtype=np.int64)
    for step in range(1, degree):
        code = code * (degree + 1) + (power == np.arange(2 * degree, dtype=np.int8)).sum(axis=2) // 2
        if step < degree - 1:
            power = np.take_along_axis(product, power, axis=2)
    table = np.zeros((degree + 1) ** max(degree - 1, 0), dtype=np.uint8)
    for fixed, number in numbers.items():
        position = 0
        for count in fixed:
            position = position * (degree + 1) + count
        table[position] = number
    return table[code]
