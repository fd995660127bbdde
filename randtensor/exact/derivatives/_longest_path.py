"""The transfer matrix in (max, +) arithmetic: leading powers of the width, found without the polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from randtensor.exact.derivatives._chain import Chain, check_size
from randtensor.exact.derivatives._placements import supports
from randtensor.exact.haar.matchings import coset_types, matchings, partners
from randtensor.exact.haar.spherical import partitions

__all__ = ["longest_path"]

Array = npt.NDArray[Any]

#: Less than every sum of exponents that occurs.
NEVER = np.iinfo(np.int64).min // 4


def longest_path(chain: Chain, widths: Sequence[Fraction], places: Sequence[Fraction]) -> Fraction | None:
    """The largest exponent of the sum over placements and matchings, relative to m/2 powers of every width.

    Parameters
    ----------
    chain : a chain whose terms are all positive.
    widths, places : exponents of the widths, and of what a contracted index counts at each weight type.

    Returns
    -------
    The exponent, None if there is no term.

    Raises
    ------
    ExactError : there are too many matchings or contracted indices.
    """
    if not chain.edges and chain.is_collinear:
        return Fraction(0) if all(map(all, chain.products)) else None
    check_size(chain)
    pairs = partners(chain.operands)
    sets = supports(chain.edges, pairs)
    unit = lcm(*(exponent.denominator for exponent in (*widths, *places)))
    kinds = partitions(chain.operands // 2)
    lost = np.array([len(kind) - chain.operands // 2 for kind in kinds], dtype=np.int64)[coset_types(pairs, pairs)]
    full = (1 << len(chain.edges)) - 1
    state = np.full((full + 1, len(pairs)), NEVER)
    state[0, _allowed(chain)] = 0
    steps = [*(int(width * unit) for width in widths), None]
    before: tuple[int | None, int] | None = None
    settled = False
    for place, width in zip((int(place * unit) for place in places), steps, strict=True):
        # Between equal layers nothing changes any more once it has not changed at one of them.
        if settled and (width, place) == before:
            continue
        after = _placed(state, sets, place)
        if width is not None:
            after = np.stack([_through(row, width * lost) for row in after])
        settled, before = bool((after == state).all()), (width, place)
        state = after
    best = int(state[full].max())
    return Fraction(best, unit) if best > NEVER // 2 else None


def _allowed(chain: Chain) -> Array:
    """Matchings with a positive product of inner products."""
    return np.array(
        [all(chain.products[a][b] for a, b in matching) for matching in matchings(chain.operands)], dtype=bool
    )


def _placed(state: Array, sets: dict[int, Array], place: int) -> Array:
    """At most one set of contractions added."""
    after = state.copy()
    for mask in np.flatnonzero(state.max(axis=1) > NEVER // 2).tolist():
        for chosen, support in sets.items():
            if not mask & chosen:
                grown = state[mask, support] + place * chosen.bit_count()
                after[mask | chosen, support] = np.maximum(after[mask | chosen, support], grown)
    return after


def _through(row: Array, lost: Array) -> Array:
    """One layer: a matrix-vector product in (max, +) arithmetic."""
    if row.max() <= NEVER // 2:
        return row
    known = np.flatnonzero(row > NEVER // 2)
    result: Array = (row[known, None] + lost[known]).max(axis=0)
    return result
