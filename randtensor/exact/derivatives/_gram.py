"""Gram matrices of the hidden layers of homogeneous networks, over the perfect matchings of a product's factors."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import lcm

from randtensor.exact.haar.spherical import Partition, class_sizes, partitions, spherical_table

__all__ = ["Slopes", "constant_eigenvalue", "eigenvalues"]

#: phi(z) = a z for z > 0 and b z for z < 0.
Slopes = tuple[Fraction, Fraction]

#: Coefficients of a polynomial in the width, constant term first.
Polynomial = tuple[Fraction, ...]


def eigenvalues(degree: int, slopes: Slopes) -> tuple[tuple[tuple[int, ...], ...], int]:
    """Eigenvalues of a layer's Gram matrix, by partition, as integer polynomials over one common denominator.

    The entry of two matchings is the expected number of ways to run through the layer: a sum over assignments of the
    components of their union to neurons, with the mean of slope^visits for every neuron visited.

    >>> eigenvalues(2, (Fraction(1), Fraction(1)))  # n (n + 2) and n (n - 1)
    (((0, 2, 1), (0, -1, 1)), 1)
    >>> eigenvalues(2, (Fraction(1), Fraction(0)))  # a quarter of n (n + 5) and n (n - 1)
    (((0, 5, 1), (0, -1, 1)), 4)
    """
    table = spherical_table(2, degree)
    entries = [_entry(kind, slopes) for kind in table.types]
    found = [
        _combined([size * value for size, value in zip(table.sizes, row, strict=True)], entries) for row in table.values
    ]
    denominator = lcm(*(c.denominator for polynomial in found for c in polynomial))
    return tuple(tuple(int(c * denominator) for c in polynomial) for polynomial in found), denominator


def constant_eigenvalue(degree: int, slopes: Slopes) -> tuple[tuple[int, ...], int]:
    """The eigenvalue of the constant vector alone, which needs no spherical functions."""
    types = partitions(degree)
    sizes = [Fraction(size) for size in class_sizes(2, degree)]
    found = _combined(sizes, [_entry(kind, slopes) for kind in types])
    denominator = lcm(*(c.denominator for c in found))
    return tuple(int(c * denominator) for c in found), denominator


def _combined(weights: list[Fraction], polynomials: list[Polynomial]) -> Polynomial:
    length = max(map(len, polynomials))
    return tuple(
        sum((w * p[i] for w, p in zip(weights, polynomials, strict=True) if i < len(p)), Fraction(0))
        for i in range(length)
    )


def _entry(kind: Partition, slopes: Slopes) -> Polynomial:
    """The Gram entry of two matchings of some coset type: falling powers of the width turned into powers."""
    result = [Fraction(0)] * (len(kind) + 1)
    falling = [Fraction(1)]
    for neurons, coefficient in enumerate(_groupings(kind, slopes)):
        if neurons:
            lowered = [Fraction(0), *falling]
            falling = [a - (neurons - 1) * b for a, b in zip(lowered, [*falling, Fraction(0)], strict=True)]
        for power, value in enumerate(falling):
            result[power] += coefficient * value
    return tuple(result)


@lru_cache(maxsize=4096)
def _groupings(kind: Partition, slopes: Slopes) -> Polynomial:
    """Sums of products of neuron means over the groupings of the components, by number of groups."""
    if not kind:
        return (Fraction(1),)
    first, others = kind[0], kind[1:]
    result = [Fraction(0)] * (len(kind) + 1)
    for chosen in range(1 << len(others)):
        visits = 2 * (first + sum(part for i, part in enumerate(others) if chosen >> i & 1))
        rest = tuple(part for i, part in enumerate(others) if not chosen >> i & 1)
        mean = (slopes[0] ** visits + slopes[1] ** visits) / 2
        for groups, value in enumerate(_groupings(rest, slopes)):
            result[groups + 1] += mean * value
    return tuple(result)
