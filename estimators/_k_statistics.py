"""Unbiased estimates of cumulants from sums of products: k-statistics of any order, of one quantity or of several.

The joint k-statistic of X_1, ..., X_p is the only symmetric function of the samples whose mean is the joint cumulant
(Fisher 1929; McCullagh, Tensor Methods in Statistics, 1987, chapter 4). In terms of the sums S_C of products over
subsets C of {1, ..., p} it is

    k = sum over partitions sigma of {1, ..., p} of weight(sigma; N) x product over blocks C of sigma of S_C,

where the weight collects the Moebius functions of the two steps: from cumulants to products of moments, and from sums
over distinct samples to products of sums. It depends on the sizes of the blocks alone. See docs/cumulants.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from math import factorial, perm
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HIGHEST_ORDER", "centred", "estimate", "influences", "jackknife", "pairings", "partitions"]

Array = NDArray[np.float64]
Block = tuple[int, ...]

HIGHEST_ORDER = 6

_CHUNK = 2**14  # samples whose products over all subsets are held at once


def partitions(items: Sequence[Any]) -> Iterator[list[list[Any]]]:
    """All set partitions.

    >>> len(list(partitions(range(6))))
    203
    """
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for smaller in partitions(rest):
        yield [[first], *smaller]
        for position, block in enumerate(smaller):
            yield [*smaller[:position], [first, *block], *smaller[position + 1 :]]


def pairings(items: Sequence[Any]) -> list[list[tuple[Any, Any]]]:
    """All partitions into pairs.

    >>> pairings("abcd")
    [[('a', 'b'), ('c', 'd')], [('a', 'c'), ('b', 'd')], [('a', 'd'), ('b', 'c')]]
    """
    if not items:
        return [[]]
    first, rest = items[0], items[1:]
    return [
        [(first, partner), *others]
        for position, partner in enumerate(rest)
        for others in pairings([*rest[:position], *rest[position + 1 :]])
    ]


def _moebius(blocks: int) -> int:
    return (-1) ** (blocks - 1) * factorial(blocks - 1) if blocks else 1


@lru_cache
def _stirling(items: int, blocks: int) -> int:
    if items == 0 or blocks == 0:
        return int(items == blocks)
    return blocks * _stirling(items - 1, blocks) + _stirling(items - 1, blocks - 1)


@lru_cache(maxsize=1024)
def weight(profile: tuple[tuple[int, int], ...], count: int) -> Fraction:
    """Weight of a partition of two groups of factors in the unbiased estimate of the product of their cumulants.

    Parameters
    ----------
    profile : for each block the number of factors from the first and from the second group, which may be empty.
    count : number of samples, at least the number of factors.

    >>> weight(((2, 0),), 10), weight(((1, 0), (1, 0)), 10)
    (Fraction(1, 9), Fraction(-1, 90))
    """
    refined = {(0, 0): 1}  # by numbers of blocks of the finer partitions of both groups
    for first, second in profile:
        grown: Counter[tuple[int, int]] = Counter()
        for i in range(first + 1):
            for j in range(second + 1):
                ways = _stirling(first, i) * _stirling(second, j)
                for (a, b), value in refined.items() if ways else ():
                    grown[a + i, b + j] += value * ways * _moebius(i + j)
        refined = dict(grown)
    return sum(
        (Fraction(value * _moebius(i) * _moebius(j), perm(count, i + j)) for (i, j), value in refined.items()),
        Fraction(0),
    )


@lru_cache
def _terms(labels: tuple[Hashable, ...], split: int) -> tuple[tuple[tuple[Block, ...], Any, int], ...]:
    """Partitions of the factors: blocks as sorted labels, sizes by group, and how many partitions look like that."""
    found: Counter[Any] = Counter()
    for partition in partitions(range(len(labels))):
        blocks = [
            (tuple(sorted(labels[i] for i in block)), (sum(i < split for i in block), sum(i >= split for i in block)))
            for block in partition
        ]
        found[tuple(sorted(blocks))] += 1
    return tuple(
        (tuple(block for block, _ in key), tuple(sorted(sizes for _, sizes in key)), ways)
        for key, ways in found.items()
    )


def estimate(sums: Callable[[Block], Any], labels: tuple[int, ...], count: int, *, split: int | None = None) -> Any:
    """The joint k-statistic of the quantities ``labels``, which may repeat.

    Parameters
    ----------
    sums : the sum over the samples of the product of the quantities with given sorted labels: a Fraction, or an array
        of sums for several sets of samples of equal length.
    labels : one per factor.
    count : number of samples, at least as many as factors.
    split : estimate instead the product of the cumulants of the first ``split`` factors and of the others: a polykay.

    >>> samples = [1, 2, 6]
    >>> print(estimate(lambda block: Fraction(sum(x ** len(block) for x in samples)), (0, 0), 3))
    7
    """
    total: Any = 0
    for blocks, sizes, ways in _terms(labels, len(labels) if split is None else split):
        product: Any = ways * weight(sizes, count)
        factors = [sums(block) for block in blocks]
        if not all(isinstance(factor, Fraction) for factor in factors):
            product = float(product)
        for factor in factors:
            product = product * factor
        total = total + product
    return total


def centred(samples: Array) -> Array:
    """The samples minus their mean; zeros where the difference is no more than its rounding.

    >>> centred(np.full(3, 0.1)).tolist()
    [0.0, 0.0, 0.0]
    """
    deviation = samples - samples.mean()
    deviation = deviation - deviation.mean()
    if np.abs(deviation).max() <= 4 * np.finfo(float).eps * np.abs(samples).max():
        return np.zeros_like(samples)
    return np.asarray(deviation)


def jackknife(columns: Sequence[Array]) -> tuple[float, Array]:
    """The joint k-statistic of one factor per column, and the jackknife's pseudo-value for every sample.

    The mean of the pseudo-values is the k-statistic itself, because it is a U-statistic; their variance over N is the
    delete-one jackknife estimate of its variance, which is not too small on average (Efron & Stein 1981).

    Columns that are one object are recognised as the same quantity. All must be centred, or digits are lost.
    """
    count, seen = len(columns[0]), list({id(column): column for column in columns}.values())
    labels = tuple(sorted(next(i for i, each in enumerate(seen) if each is column) for column in columns))
    blocks = {block for each, _, _ in _terms(labels, len(labels)) for block in each}
    totals = {block: float(np.sum(_product(seen, block, slice(None)))) for block in blocks}
    value = float(estimate(totals.__getitem__, labels, count))
    pseudo = np.empty(count)
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        without = {block: totals[block] - _product(seen, block, part) for block in blocks}
        pseudo[part] = count * value - (count - 1) * estimate(without.__getitem__, labels, count - 1)
    return value, pseudo


def _product(columns: Sequence[Array], block: Block, part: slice) -> Array:
    product = columns[block[0]][part]
    for label in block[1:]:
        product = product * columns[label][part]
    return product


def influences(sums: Callable[[Block], Fraction], order: int, count: int) -> list[Fraction]:
    """The pseudo-values of `jackknife` for one quantity as a polynomial in the sample, exactly: its coefficients."""
    value = estimate(sums, (0,) * order, count)
    without = [Fraction(0)] * (order + 1)
    for blocks, sizes, ways in _terms((0,) * order, order):
        polynomial = [ways * weight(sizes, count - 1)]
        for block in blocks:
            # the sum without a sample x is S - x^r
            polynomial = [
                (sums(block) * polynomial[i] if i < len(polynomial) else Fraction(0))
                - (polynomial[i - len(block)] if i >= len(block) else Fraction(0))
                for i in range(len(polynomial) + len(block))
            ]
        without = [a + b for a, b in zip(without, polynomial, strict=True)]
    pseudo = [-(count - 1) * each for each in without]
    pseudo[0] += count * value
    return pseudo
