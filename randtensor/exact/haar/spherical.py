"""Spherical functions of permutations and of perfect matchings, which diagonalise every invariant Gram matrix.

A matrix indexed by permutations of k points that depends on the cycle type of s^-1 t, or by perfect matchings of 2k
points that depends on their coset type, is diagonal in one and the same basis whatever its entries are: its eigenspaces
are labelled by the partitions of k. Both cases are one, told apart by the Jack parameter alpha: 1 for permutations
(Schur functions, characters), 2 for matchings (zonal polynomials). The functions are found as the Jack polynomials, by
Gram-Schmidt on the monomial symmetric functions in the scalar product <p_mu, p_nu> = delta z_mu alpha^length(mu)
(Macdonald, Symmetric Functions and Hall Polynomials, VI.10).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import factorial, prod

__all__ = ["Partition", "SphericalTable", "class_sizes", "partitions", "spherical_table"]

#: A weakly decreasing tuple of positive integers.
Partition = tuple[int, ...]


@lru_cache(maxsize=64)
def partitions(degree: int, largest: int | None = None) -> tuple[Partition, ...]:
    """The partitions of an integer, in decreasing lexicographic order.

    >>> partitions(3)
    ((3,), (2, 1), (1, 1, 1))
    """
    if degree == 0:
        return ((),)
    top = degree if largest is None else min(degree, largest)
    return tuple((part, *rest) for part in range(top, 0, -1) for rest in partitions(degree - part, part))


@dataclass(frozen=True)
class SphericalTable:
    """Spherical functions of degree k; rows are labelled by partitions (eigenspaces), columns by types.

    Attributes
    ----------
    alpha : 1 for permutations of k points, 2 for perfect matchings of 2k points.
    types : the partitions of k, in decreasing lexicographic order.
    points : number of permutations or of matchings.
    sizes : how many of them have each type relative to a given one.
    values : the spherical functions, 1 at the type (1, .., 1).
    ranks : dimensions of the eigenspaces.
    """

    alpha: int
    types: tuple[Partition, ...]
    points: int
    sizes: tuple[int, ...]
    values: tuple[tuple[Fraction, ...], ...]
    ranks: tuple[int, ...]

    def projector(self, row: int) -> tuple[Fraction, ...]:
        """Entries, by type, of the orthogonal projector on an eigenspace."""
        return tuple(Fraction(self.ranks[row], self.points) * value for value in self.values[row])

    def shifts(self, row: int) -> tuple[int, ...]:
        """The integers c with eigenvalue prod (n + c) of the Gram matrix n^length(type), ascending."""
        shape = self.types[row]
        return tuple(sorted(self.alpha * j - i for i, part in enumerate(shape) for j in range(part)))


@lru_cache(maxsize=32)
def spherical_table(alpha: int, degree: int) -> SphericalTable:
    """The spherical functions of one degree.

    >>> [[int(2 * value) for value in row] for row in spherical_table(1, 3).values]
    [[2, 2, 2], [-1, 0, 2], [2, -2, 2]]
    """
    types, sizes = partitions(degree), class_sizes(alpha, degree)
    points, whole = sum(sizes), alpha**degree * factorial(degree)
    norms = [whole // size for size in sizes]
    values = [[c * norm / whole for c, norm in zip(jack, norms, strict=True)] for jack in _jack(types, norms)]
    ranks = tuple(int(points / sum(s * v * v for s, v in zip(sizes, row, strict=True))) for row in values)
    return SphericalTable(alpha, types, points, sizes, tuple(map(tuple, values)), ranks)


def class_sizes(alpha: int, degree: int) -> tuple[int, ...]:
    """How many permutations (alpha = 1) or matchings (alpha = 2) have each type relative to a given one.

    >>> class_sizes(2, 3)
    (8, 6, 1)
    """
    whole = alpha**degree * factorial(degree)
    return tuple(whole // (_centraliser(kind) * alpha ** len(kind)) for kind in partitions(degree))


def _centraliser(kind: Partition) -> int:
    """z_mu: the number of permutations that commute with one of this cycle type."""
    return prod(length**count * factorial(count) for length, count in Counter(kind).items())


def _jack(types: tuple[Partition, ...], norms: list[int]) -> list[list[Fraction]]:
    """Jack polynomials in power sums, scaled to the spherical value 1 at the identity."""
    found: list[list[Fraction]] = []
    # Lexicographic order refines dominance, and any refinement gives the same orthogonal basis.
    for monomial in reversed(_monomials(types)):
        vector = list(monomial)
        for other in found:
            overlap = sum((a * b * norm for a, b, norm in zip(monomial, other, norms, strict=True)), Fraction(0))
            length = sum((b * b * norm for b, norm in zip(other, norms, strict=True)), Fraction(0))
            vector = [a - overlap / length * b for a, b in zip(vector, other, strict=True)]
        found.append([c / vector[-1] for c in vector])
    return found[::-1]


def _monomials(types: tuple[Partition, ...]) -> list[list[Fraction]]:
    """Monomial symmetric functions in power sums: the inverse of a triangular matrix of counts."""
    counts = [[_arrangements(kind, shape) for shape in types] for kind in types]
    inverse: list[list[Fraction]] = []
    for row, count in enumerate(counts):
        solved = [Fraction(int(column == row)) for column in range(len(types))]
        for before in range(row):
            if count[before]:
                solved = [a - count[before] * b for a, b in zip(solved, inverse[before], strict=True)]
        inverse.append([value / count[row] for value in solved])
    return inverse


@lru_cache(maxsize=2**16)
def _arrangements(parts: Partition, shape: Partition) -> int:
    """Coefficient of x^shape in the product of the power sums of the parts."""
    if not parts:
        return 1
    total = 0
    for size, count in Counter(shape).items():
        if size >= parts[0]:
            rest = list(shape)
            rest[rest.index(size)] -= parts[0]
            total += count * _arrangements(parts[1:], tuple(sorted(filter(None, rest), reverse=True)))
    return total
