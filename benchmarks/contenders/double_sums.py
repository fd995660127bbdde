"""Exact expectations by what one would write from the formulas: sums over all pairings or permutations.

Gaussian matrices by Wick's formula, one term for each pairing of the factors, as PyRTNI2 enumerates them (Fukuda,
arXiv:2309.01167). Haar matrices by the Weingarten formula (Collins and Sniady 2006, arXiv:math-ph/0402073): a double
sum over permutations or pairings, with the Weingarten functions of haarpy. Terms are counted by their power of n before
anything symbolic is done, which is the best that an enumeration does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from typing import Any

__all__ = ["gaussian_traces", "orthogonal_trace", "unitary_traces", "weingarten_functions"]

Pairing = tuple[tuple[int, int], ...]


def pairings(items: tuple[int, ...]) -> Iterator[Pairing]:
    """All pairings of the items.

    >>> sum(1 for _ in pairings(tuple(range(6))))
    15
    """
    if not items:
        yield ()
        return
    first, rest = items[0], items[1:]
    for k, other in enumerate(rest):
        for further in pairings(rest[:k] + rest[k + 1 :]):
            yield ((first, other), *further)


def components(count: int, edges: list[tuple[int, int]]) -> int:
    """Connected components of a graph: the free indices after all identifications.

    >>> components(4, [(0, 1), (1, 0), (2, 3)])
    2
    """
    root = list(range(count))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for a, b in edges:
        ra, rb = find(a), find(b)
        if ra != rb:
            root[ra] = rb
            count -= 1
    return count


def gaussian_traces(k: int) -> dict[int, int]:
    """E tr (G G^T)^k of an n x n Gaussian matrix, as coefficients by power of n.

    >>> gaussian_traces(2) == {3: 2, 2: 1}
    True
    """
    # Factor 2i is G[a_i, b_i], factor 2i + 1 is G[a_(i+1), b_i]: rows are nodes 0..k-1, columns k..2k-1.
    rows = [(j + 1) // 2 % k for j in range(2 * k)]
    columns = [k + j // 2 for j in range(2 * k)]
    powers: Counter[int] = Counter()
    for pairing in pairings(tuple(range(2 * k))):
        edges = [(rows[a], rows[b]) for a, b in pairing] + [(columns[a], columns[b]) for a, b in pairing]
        powers[components(2 * k, edges)] += 1
    return dict(powers)


def unitary_traces(k: int, d: Any) -> Any:
    """E |tr U^k|^2 over the unitary group of dimension d, a symbol of SymPy."""
    import haarpy

    # U has indices (i_j, i_(j+1)), its conjugate (l_j, l_(j+1)): nodes 0..k-1 and k..2k-1.
    terms: Counter[tuple[tuple[int, ...], int]] = Counter()
    for sigma in permutations(range(k)):
        rows = [(j, k + sigma[j]) for j in range(k)]
        inverse = sorted(range(k), key=sigma.__getitem__)
        for tau in permutations(range(k)):
            columns = [((j + 1) % k, k + (tau[j] + 1) % k) for j in range(k)]
            terms[_cycle_type([tau[j] for j in inverse]), components(2 * k, rows + columns)] += 1
    return _summed(terms, {kind: haarpy.weingarten_unitary(kind, d) for kind, _ in terms}, d)


def orthogonal_trace(k: int, d: Any) -> Any:
    """E tr O^k over the orthogonal group of dimension d, a symbol of SymPy; k is even."""
    import haarpy

    every = list(pairings(tuple(range(k))))
    terms: Counter[tuple[tuple[int, ...], int]] = Counter()
    for first in every:
        for second in every:
            columns = [((a + 1) % k, (b + 1) % k) for a, b in second]
            terms[_coset_type(first, second), components(k, [*first, *columns])] += 1
    return _summed(terms, {kind: haarpy.weingarten_orthogonal(kind, d) for kind, _ in terms}, d)


def weingarten_functions(k: int, d: Any) -> dict[tuple[int, ...], Any]:
    """haarpy's Weingarten functions of the unitary group, of all cycle types of k elements."""
    import haarpy
    from sympy.utilities.iterables import partitions

    kinds = [tuple(sorted((p for p, m in kind.items() for _ in range(m)), reverse=True)) for kind in partitions(k)]
    return {kind: haarpy.weingarten_unitary(kind, d) for kind in kinds}


def _summed(terms: Counter[tuple[tuple[int, ...], int]], functions: dict[tuple[int, ...], Any], d: Any) -> Any:
    import sympy

    return sympy.cancel(sum(count * functions[kind] * d**power for (kind, power), count in terms.items()))


def _cycle_type(permutation: list[int]) -> tuple[int, ...]:
    seen, lengths = set(), []
    for start in range(len(permutation)):
        length, i = 0, start
        while i not in seen:
            seen.add(i)
            i, length = permutation[i], length + 1
        if length:
            lengths.append(length)
    return tuple(sorted(lengths, reverse=True))


def _coset_type(first: Pairing, second: Pairing) -> tuple[int, ...]:
    """Half the lengths of the cycles that two pairings make."""
    one = {a: b for pair in first for a, b in (pair, pair[::-1])}
    two = {a: b for pair in second for a, b in (pair, pair[::-1])}
    seen, lengths = set(), []
    for start in one:
        length, i = 0, start
        while i not in seen:
            other = one[i]
            seen |= {i, other}
            i, length = two[other], length + 1
        if length:
            lengths.append(length)
    return tuple(sorted(lengths, reverse=True))
