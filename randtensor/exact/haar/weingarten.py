"""Weingarten functions: exact averages of products of entries of Haar-distributed unitary and orthogonal matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm, prod
from typing import Literal

from randtensor.errors import ExactError, InputError
from randtensor.exact.haar.spherical import Partition, SphericalTable, spherical_table
from randtensor.expansions import Expansion
from randtensor.orders import Scale, Term

__all__ = ["Group", "Weingarten", "weingarten"]

Group = Literal["orthogonal", "unitary"]

#: Jack parameters of the spherical functions: zonal ones and characters.
ALPHA = {"unitary": 1, "orthogonal": 2}

#: The table of spherical functions grows as the cube of the number of partitions; degree 12 takes seconds.
LARGEST_DEGREE = 12


@dataclass(frozen=True)
class Weingarten:
    r"""The Weingarten function of a group: the inverse of the Gram matrix of permutations or matchings.

    .. math:: E \prod_a U_{i_a j_a} \bar U_{i'_a j'_a} = \sum_{s, t \in S_k} \mathrm{Wg}(s^{-1} t)
              \prod_a \delta_{i_a i'_{s(a)}} \delta_{j_a j'_{t(a)}}

    for k plain and k conjugate entries of a unitary matrix, and for 2k entries of an orthogonal one the same with
    perfect matchings of the entries for s and t. The function depends on the cycle type of s^-1 t, or on the coset type
    of the two matchings, a partition of k (Collins & Sniady, arXiv math-ph/0402073; Collins & Matsumoto, arXiv
    0903.5143).

    Parameters
    ----------
    group : "unitary" or "orthogonal".
    degree : k, from 1 to 12.

    Raises
    ------
    InputError : another group, or a degree that is not a positive integer.
    ExactError : the degree is above 12.

    Notes
    -----
    The Gram matrix n^length(type) has eigenvalues prod (n + alpha j - i) over the boxes (i, j), counted from 0, of the
    partitions of k, with alpha = 1 for permutations and 2 for matchings; the eigenvectors are spherical functions.

    Examples
    --------
    The mean of |U_11|^4 is 2/(n (n + 1)); all four pairs of permutations count:

    >>> from randtensor.orders import Scale
    >>> wg = Weingarten("unitary", 2)
    >>> wg.value((1, 1), n=3), wg.value((2,), n=3)
    (Fraction(1, 8), Fraction(-1, 24))
    >>> n = Scale("n")
    >>> 2 * wg.expansion((1, 1), n) + 2 * wg.expansion((2,), n)
    Expansion('2/(n (n + 1))')
    """

    group: Group
    degree: int

    def __post_init__(self) -> None:
        if self.group not in ALPHA:
            raise InputError(f"group is {self.group!r}, expected 'unitary' or 'orthogonal'")
        if isinstance(self.degree, bool) or not isinstance(self.degree, int) or self.degree < 1:
            raise InputError(f"degree is {self.degree!r}, expected a positive integer")
        if self.degree > LARGEST_DEGREE:
            raise ExactError(f"degree is {self.degree}, expected at most {LARGEST_DEGREE}")

    @property
    def types(self) -> tuple[Partition, ...]:
        """The partitions of the degree: cycle types of permutations or coset types of matchings."""
        return self._table.types

    @property
    def _table(self) -> SphericalTable:
        return spherical_table(ALPHA[self.group], self.degree)

    def value(self, type: Sequence[int], n: int) -> Fraction:
        """The value at an integer dimension; below the degree, where the Gram matrix is singular, its pseudo-inverse.

        Parameters
        ----------
        type : a partition of the degree, in decreasing order.
        n : dimension of the matrix.

        Raises
        ------
        InputError : the type is not a partition of the degree, or n is not a positive integer.

        >>> Weingarten("orthogonal", 2).value((2,), n=2)
        Fraction(-1, 8)
        """
        column = self._column(type)
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InputError(f"n is {n!r}, expected a positive integer")
        table = self._table
        total = Fraction(0)
        for row in range(len(table.types)):
            eigenvalue = prod(n + shift for shift in table.shifts(row))
            if eigenvalue:
                total += table.projector(row)[column] / eigenvalue
        return total

    def expansion(self, type: Sequence[int], n: Expansion | Scale | Term) -> Expansion:
        """The value as a rational function of the dimension, which holds from n = degree on.

        Parameters
        ----------
        type : a partition of the degree, in decreasing order.
        n : dimension of the matrix. For a plain scale the restriction n >= degree is recorded in the result.

        Raises
        ------
        InputError : the type is not a partition of the degree.

        >>> Weingarten("orthogonal", 2).expansion((1, 1), Scale("n"))
        Expansion('(n + 1)/(n (n - 1) (n + 2))')
        """
        numerator, poles = _rational_function(self.group, self.degree, self._column(type))
        size, top = Expansion.of(n), Expansion.of(0)
        for coefficient in reversed(numerator):
            top = top * size + coefficient
        for shift, power in poles:
            top = top / (size + shift) ** power
        return top.valid(**{n.name: self.degree}) if isinstance(n, Scale) and self.degree > 1 else top

    def _column(self, type: Sequence[int]) -> int:
        kind = tuple(type)
        if kind not in self._table.types:
            raise InputError(f"type is {type!r}, expected a decreasing partition of {self.degree}")
        return self._table.types.index(kind)


def weingarten(group: Group, degree: int) -> Weingarten:
    """The Weingarten function of a group; its table is kept from call to call.

    >>> weingarten("unitary", 1).value((1,), n=7)
    Fraction(1, 7)
    """
    return Weingarten(group, degree)


@lru_cache(maxsize=256)
def _rational_function(
    group: Group, degree: int, column: int
) -> tuple[tuple[Fraction, ...], tuple[tuple[int, int], ...]]:
    """Numerator (constant term first), and the denominator's factors n + shift with their powers, cancelled."""
    table = spherical_table(ALPHA[group], degree)
    shifts = [Counter(table.shifts(row)) for row in range(len(table.types))]
    poles: Counter[int] = Counter()
    for counted in shifts:
        poles |= counted
    weights = [table.projector(row)[column] for row in range(len(table.types))]
    denominator = lcm(*(weight.denominator for weight in weights))
    numerator = [0] * (poles.total() - degree + 1)
    for weight, counted in zip(weights, shifts, strict=True):
        product = [int(weight * denominator)]
        for shift in (poles - counted).elements():
            product = [a * shift + b for a, b in zip([*product, 0], [0, *product], strict=True)]
        numerator = [a + b for a, b in zip(numerator, product, strict=True)]
    for shift in list(poles):
        while poles[shift]:
            quotient, remainder = _divided(numerator, shift)
            if remainder:
                break
            numerator = quotient
            poles[shift] -= 1
    kept = tuple(sorted((shift, power) for shift, power in poles.items() if power))
    return tuple(Fraction(c, denominator) for c in numerator), kept


def _divided(polynomial: list[int], shift: int) -> tuple[list[int], int]:
    """Quotient and remainder of the division by n + shift."""
    quotient: list[int] = []
    carry = 0
    for coefficient in reversed(polynomial):
        carry = coefficient - shift * carry
        quotient.append(carry)
    return quotient[-2::-1], quotient[-1]
