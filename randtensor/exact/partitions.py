"""Parts of collections in which things of a few kinds repeat, as recursions over set partitions take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, product, repeat
from math import comb, prod
from typing import TypeVar

__all__ = ["Counts", "repeated", "splits", "without_first"]

#: How many things there are of each kind.
Counts = tuple[int, ...]

Kind = TypeVar("Kind")


def without_first(counts: Counts) -> tuple[int, Counts]:
    """The first kind that occurs, and the counts with one of it less.

    >>> without_first((0, 2, 1))
    (1, (0, 1, 1))
    """
    first = next(kind for kind, count in enumerate(counts) if count)
    return first, (*counts[:first], counts[first] - 1, *counts[first + 1 :])


def splits(counts: Counts) -> Iterator[tuple[int, Counts, Counts]]:
    """The parts that hold one chosen thing of the first kind: in how many ways, the part, and the rest.

    A moment is the sum over them of ways times the cumulant of the part times the moment of the rest. The whole comes
    last, with nothing as its rest.

    >>> list(splits((2, 1)))
    [(1, (1, 0), (1, 1)), (1, (1, 1), (1, 0)), (1, (2, 0), (0, 1)), (1, (2, 1), (0, 0))]
    """
    first, others = without_first(counts)
    for along in product(*(range(count + 1) for count in others)):
        part = (*along[:first], along[first] + 1, *along[first + 1 :])
        rest = tuple(count - taken for count, taken in zip(others, along, strict=True))
        yield prod(map(comb, others, along)), part, rest


def repeated(kinds: Iterable[Kind], counts: Iterable[int]) -> tuple[Kind, ...]:
    """Each kind as often as its count says.

    >>> repeated("ab", (2, 1))
    ('a', 'a', 'b')
    """
    return tuple(chain.from_iterable(map(repeat, kinds, counts)))
