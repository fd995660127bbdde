"""Which monomials a sum of monomials dominates: the Newton polyhedron of the sum.

A sum b_1 + ... + b_k of monomials is at least each weighted geometric mean of them (weighted arithmetic and
geometric means), so f = O(b_1 + ... + b_k) as soon as f = O(b_1^w_1 ... b_k^w_k) for some weights w: the
exponents of f lie below the convex hull of the exponents of the b_i. For pure powers the converse holds as
well (Farkas): a point not below the hull is separated from it by a direction d >= 0, and along the path n_i =
t^{d_i} f outgrows the sum. All arithmetic is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from randtensor.orders._monomial import Monomial

__all__ = ["dominated", "vertices"]


def dominated(monomial: Monomial, by: Sequence[Monomial]) -> bool | None:
    """Whether ``monomial`` is o(sum of ``by``): None if it is not even O of it."""
    if any(monomial.negligible_to(other) for other in by):
        return True
    if len(by) >= 2:
        return _below_hull(monomial, by)
    return False if monomial in by else None


def vertices(monomials: Iterable[Monomial]) -> frozenset[Monomial]:
    """The monomials that no combination of the others dominates; they determine the growth of the sum."""
    distinct = set(monomials)
    kept = {m for m in distinct if not any(m.negligible_to(other) for other in distinct)}
    # Of two incomparable monomials neither is below the other, so a hull has something to say from three on.
    if len(kept) >= 3:
        for monomial in sorted(kept, key=lambda m: m.factors):
            if _below_hull(monomial, sorted(kept - {monomial}, key=lambda m: m.factors)) is not None:
                kept.remove(monomial)
    return frozenset(kept)


def _below_hull(monomial: Monomial, by: Sequence[Monomial]) -> bool | None:
    """As ``dominated``, by weights w >= 0 for which prod_i (by_i / monomial)^w_i decays in no scale.

    A scale decays or not by the first non-zero of its three exponents. So each scale starts with the
    constraint that its power is not negative; where the constraints allow no positive power, the exponent of
    its logarithm must not be negative either, and so on. When nothing changes any more, a mean of the weights
    found makes all scales that can grow do so at once.
    """
    ratios = [other / monomial for other in by]
    symbols = sorted({symbol for ratio in ratios for symbol in ratio.symbols})
    rows = {s: [[ratio.growth(s)[level] for ratio in ratios] for level in range(3)] for s in symbols}
    level = dict.fromkeys(symbols, 0)
    while True:
        constraints = [row for s in symbols for row in rows[s][: level[s] + 1]]
        if not _attainable([Fraction(1)] * len(by), constraints):
            return None
        undecided = [s for s in symbols if level[s] < 3]
        stuck = [s for s in undecided if not _attainable(rows[s][level[s]], constraints)]
        if not stuck:
            return bool(undecided)
        for symbol in stuck:
            level[symbol] += 1


def _attainable(objective: Sequence[Fraction], constraints: Sequence[Sequence[Fraction]]) -> bool:
    """Whether some w >= 0 has objective . w > 0 and constraint . w >= 0 for each constraint.

    Simplex method with Bland's rule (which cannot cycle) for: maximise objective . w subject to
    -constraint . w <= 0 and sum w <= 1. The start w = 0 is feasible; a positive objective ends the search.
    The tableau is kept in integers over a common denominator (Edmonds), far faster than in fractions.
    """
    width, height = len(objective), len(constraints) + 1
    table = [[-entry for entry in _integers(row)] for row in constraints] + [[1] * width]
    for index, row in enumerate(table):
        row += [int(slack == index) for slack in range(height)]
        row.append(int(index == height - 1))
    # The last row is the gain of each column, its last entry minus the value of the objective.
    table.append([*_integers(objective), *[0] * (height + 1)])
    basis = [width + index for index in range(height)]
    denominator = 1
    while table[-1][-1] == 0:
        entering = next((column for column in range(width + height) if table[-1][column] > 0), None)
        if entering is None:
            return False
        leaving = min(
            (index for index in range(height) if table[index][entering] > 0),
            key=lambda index: (Fraction(table[index][-1], table[index][entering]), basis[index]),
        )
        pivot_row = table[leaving]
        pivot = pivot_row[entering]
        for index, row in enumerate(table):
            if index != leaving:
                factor = row[entering]
                table[index] = [
                    (pivot * entry - factor * other) // denominator for entry, other in zip(row, pivot_row, strict=True)
                ]
        basis[leaving] = entering
        denominator = pivot
    return True


def _integers(row: Sequence[Fraction]) -> list[int]:
    """A positive multiple of ``row`` in integers; the sign of its products is all that matters."""
    multiple = math.lcm(*(entry.denominator for entry in row))
    return [entry.numerator * (multiple // entry.denominator) for entry in row]
