"""Rational constants of the transfer matrix: how contractions placed in some layers project on its eigenspaces.

With the projectors P_lambda on the eigenspaces of the Gram matrices, and the diagonal 0/1 matrices D_S that keep the
matchings which contain a set S of contractions, the constants are

    c(S_1, lambda_1, S_2, .., S_r) = w^T P_lambda_0 D_{S_1} P_lambda_1 D_{S_2} ... D_{S_r} 1

summed over all ordered ways to split the contractions into sets S_1, .., S_r. They do not depend on widths or depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import comb, isqrt, lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from randtensor.errors import ExactError
from randtensor.exact.haar.matchings import coset_types, partners
from randtensor.exact.haar.spherical import SphericalTable, spherical_table

__all__ = ["Key", "Placements", "placement_constants", "supports"]

Array = npt.NDArray[Any]

#: Eigenspace before the first set, sizes of the sets (zeros where they do not matter), eigenspaces between the sets.
Key = tuple[int, tuple[int, ...], tuple[int, ...]]

#: Sets of contractions times matchings times eigenspace sequences: what is kept in memory at most.
LARGEST_STATE = 3 * 10**7

#: Ways to extend a set of placed contractions by another set, at most; each costs several small matrix products.
LARGEST_GROWTH = 5 * 10**4

#: Residues below this keep sums of 945 products below 2^53, so that floating-point matrix products are exact.
LARGEST_PRIME = 2**21


@dataclass(frozen=True)
class Placements:
    """What is to be placed.

    Attributes
    ----------
    points : number of operands.
    edges : pairs of operands that share a contracted index, as often as they do.
    most : the largest number of sets.
    weights : one integer per matching, for the first vector w; None for ones.
    ordered : keep the order of the eigenspaces between the sets, which only matters when the layers differ.
    sized : keep the sizes of the sets.
    """

    points: int
    edges: tuple[tuple[int, int], ...]
    most: int
    weights: tuple[int, ...] | None = None
    ordered: bool = False
    sized: bool = False


def placement_constants(problem: Placements) -> dict[Key, Fraction]:
    """The constants that are not zero, for at least one edge.

    Raises
    ------
    ExactError : there are too many states.
    """
    table, geometry = spherical_table(2, problem.points // 2), _Geometry.of(problem)
    levels = _Levels(problem, len(table.types))
    widest = max((len(keys) for keys in levels.keys.values()), default=0)
    states = 2 ** len(problem.edges) * table.points * widest
    if states > LARGEST_STATE:
        raise ExactError(
            f"the contraction has {len(problem.edges)} contracted indices between {problem.points} operands and needs "
            f"{states:.1e} states, expected at most {LARGEST_STATE:.0e}: sample it, or bound it by its order"
        )
    denominator = lcm(*(entry.denominator for row in range(len(table.types)) for entry in table.projector(row)))
    powers = len(problem.edges) - 1 + (problem.weights is not None)
    bound = 2 * _bound(problem, table) * denominator**powers
    residues: dict[Key, int] = {}
    modulus = 1
    for prime in _primes():
        found = _modular(problem, table, levels, geometry, prime)
        inverse = pow(modulus, -1, prime)
        for key, residue in found.items():
            known = residues.get(key, 0)
            residues[key] = known + modulus * ((residue - known) * inverse % prime)
        modulus *= prime
        if modulus > bound:
            break
    constants: dict[Key, Fraction] = {}
    for key, residue in residues.items():
        scale = denominator ** (len(key[2]) + (problem.weights is not None))
        numerator = residue * scale % modulus
        if numerator:
            constants[key] = Fraction(numerator - modulus if 2 * numerator > modulus else numerator, scale)
    return constants


def _bound(problem: Placements, table: SphericalTable) -> int:
    """Projectors do not lengthen vectors, so Cauchy-Schwarz bounds each ordered split, and Fubini counts them."""
    squares = sum(w * w for w in problem.weights) if problem.weights else table.points
    splits = [1]
    for size in range(1, len(problem.edges) + 1):
        splits.append(sum(comb(size, first) * splits[size - first] for first in range(1, size + 1)))
    return splits[-1] * (isqrt(squares * table.points) + 1)


def _primes() -> Iterator[int]:
    candidate = LARGEST_PRIME - 1
    while True:
        if all(candidate % divisor for divisor in range(3, isqrt(candidate) + 1, 2)):
            yield candidate
        candidate -= 2


class _Levels:
    """All keys by (number of sets placed, number of edges placed), and how they grow."""

    def __init__(self, problem: Placements, eigenspaces: int) -> None:
        self.problem, self.eigenspaces = problem, eigenspaces
        count = len(problem.edges)
        largest = problem.points // 2
        roots = range(eigenspaces) if problem.weights is not None else (0,)
        self.keys: dict[tuple[int, int], list[Key]] = {}
        self.extensions: dict[tuple[int, int, int, int], Array] = {}
        for size in range(1, min(count, largest) + 1):
            self.keys[1, size] = [(root, self._sizes(size), ()) for root in roots]
        numbers = {level: {key: i for i, key in enumerate(keys)} for level, keys in self.keys.items()}
        for placed, edges in product(range(1, min(problem.most, count)), range(1, count)):
            for size, eigenspace in product(range(1, min(count - edges, largest) + 1), range(eigenspaces)):
                known = numbers.setdefault((placed + 1, edges + size), {})
                self.extensions[placed, edges, size, eigenspace] = np.array(
                    [
                        known.setdefault(self._extended(key, size, eigenspace), len(known))
                        for key in self.keys.get((placed, edges), ())
                    ],
                    dtype=np.int64,
                )
                self.keys[placed + 1, edges + size] = list(known)
                if len(known) * 2**count > LARGEST_STATE:
                    raise ExactError(
                        f"the contraction has {count} contracted indices over {problem.most} different layers, "
                        f"which is too many for its exact expectation: sample it, or bound it by its order"
                    )

    def _sizes(self, size: int) -> tuple[int, ...]:
        return (size if self.problem.sized else 0,)

    def _extended(self, key: Key, size: int, eigenspace: int) -> Key:
        between = (*key[2], eigenspace)
        return key[0], key[1] + self._sizes(size), between if self.problem.ordered else tuple(sorted(between))


def supports(edges: Sequence[tuple[int, int]], pairs: Array) -> dict[int, Array]:
    """Sets of disjoint edges as bit masks, with the numbers of the matchings that contain them.

    Raises
    ------
    ExactError : there are too many ways to place such sets one after the other.

    >>> supports([(0, 1), (2, 3), (1, 2)], partners(4))
    {1: array([0]), 2: array([0]), 3: array([0]), 4: array([2])}
    """
    # Placing the edges one by one is part of it.
    ways = len(edges) << max(len(edges) - 1, 0)
    found: dict[int, Array] = {}
    if ways <= LARGEST_GROWTH:
        found = _supports(edges, pairs)
        ways = sum(1 << len(edges) - mask.bit_count() for mask in found)
    if ways > LARGEST_GROWTH:
        raise ExactError(
            f"the contraction has {len(edges)} contracted indices, which can be placed in at least {ways} steps, "
            f"expected at most {LARGEST_GROWTH}: sample it, or bound it by its order"
        )
    return found


def _supports(edges: Sequence[tuple[int, int]], pairs: Array) -> dict[int, Array]:
    found = {}
    for mask in range(1, 1 << len(edges)):
        chosen = [edge for i, edge in enumerate(edges) if mask >> i & 1]
        if len({end for edge in chosen for end in edge}) == 2 * len(chosen):
            found[mask] = np.flatnonzero(np.all([pairs[:, a] == b for a, b in chosen], axis=0))
    return found


@dataclass(frozen=True, eq=False)
class _Geometry:
    """Coset types of all pairs of matchings, and which matchings contain which sets of edges."""

    kinds: Array
    supports: dict[int, Array]

    @classmethod
    def of(cls, problem: Placements) -> _Geometry:
        pairs = partners(problem.points)
        return cls(coset_types(pairs, pairs), supports(problem.edges, pairs))

    def reachable(self, rest: int) -> Array:
        """Matchings that contain at least one edge of a mask."""
        found = [support for mask, support in self.supports.items() if mask & rest == mask]
        return np.unique(np.concatenate(found))


def _modular(
    problem: Placements, table: SphericalTable, levels: _Levels, geometry: _Geometry, prime: int
) -> dict[Key, int]:
    """The constants modulo a prime."""
    projectors = np.array(
        [
            [entry.numerator * pow(entry.denominator, -1, prime) % prime for entry in table.projector(row)]
            for row in range(len(table.types))
        ],
        dtype=float,
    )
    full = (1 << len(problem.edges)) - 1
    states: dict[tuple[int, int], Array] = {}

    def state(mask: int, placed: int) -> Array:
        if (mask, placed) not in states:
            states[mask, placed] = np.zeros((len(levels.keys[placed, mask.bit_count()]), table.points))
        return states[mask, placed]

    first = _first_vectors(problem, geometry, projectors, prime)
    for chosen, support in geometry.supports.items():
        state(chosen, 1)[:, support] += first[:, support]
    result: dict[Key, int] = {}
    for mask in range(1, full + 1):
        rest, edges = full & ~mask, mask.bit_count()
        sets = [(chosen, support) for chosen, support in geometry.supports.items() if chosen & rest == chosen]
        columns = geometry.reachable(rest) if rest else np.empty(0, dtype=int)
        for placed in range(1, problem.most + 1):
            vectors = states.pop((mask, placed), None)
            if vectors is None:
                continue
            vectors %= prime
            if not rest:
                sums = vectors.sum(axis=1) % prime
                result |= {key: int(s) for key, s in zip(levels.keys[placed, edges], sums, strict=True)}
                continue
            if placed == problem.most:
                continue
            rows = np.flatnonzero(vectors.any(axis=0))
            kept, kinds = vectors[:, rows], geometry.kinds[np.ix_(rows, columns)]
            targets = [
                (state(mask | chosen, placed + 1), support, np.searchsorted(columns, support), chosen.bit_count())
                for chosen, support in sets
            ]
            for eigenspace in range(len(table.types)):
                projected = kept @ projectors[eigenspace][kinds] % prime
                for target, support, positions, size in targets:
                    grown = levels.extensions[placed, edges, size, eigenspace]
                    target[grown[:, None], support] += projected[:, positions]
    return result


def _first_vectors(problem: Placements, geometry: _Geometry, projectors: Array, prime: int) -> Array:
    """The first vector, split into eigenspaces unless it is constant."""
    if problem.weights is None:
        return np.ones((1, len(geometry.kinds)))
    weights = np.array([weight % prime for weight in problem.weights], dtype=float)
    return np.stack([weights @ projector[geometry.kinds] % prime for projector in projectors])
