"""The growth of sums, and which of their terms a remainder absorbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from randtensor.expansions._polynomial import ZERO, Key, Polynomial, Variable, union
from randtensor.orders._hull import dominated
from randtensor.orders._order import Order, sum_of_monomials

__all__ = ["absorbed_by", "growth_bound", "tight", "without"]


def growth_bound(polynomial: Polynomial) -> Order:
    """The order of the sum of the absolute values of the terms."""
    below = _comparison(polynomial.variables)
    largest: list[Key] = []
    # Leading first, so that no later key can dominate an earlier one.
    for key in polynomial.sorted_keys:
        if not any(below(key, other) for other in largest):
            largest.append(key)
    return sum_of_monomials(polynomial.monomial_of(key) for key in largest)


def tight(polynomial: Polynomial, bound: Order) -> bool:
    """Whether |polynomial| is of the order ``bound``, its growth bound: no leading terms may cancel."""
    leading = bound._monomials
    signs = set()
    rest = []
    for key, coefficient in polynomial.terms.items():
        monomial = polynomial.monomial_of(key)
        if monomial in leading:
            signs.add(coefficient > 0)
        else:
            rest.append((coefficient > 0, monomial))
    if len(signs) != 1:
        return False
    others = sorted(leading, key=lambda m: m.factors)
    return all(sign in signs or dominated(monomial, others) for sign, monomial in rest)


def absorbed_by(remainder: Order, variables: tuple[Variable, ...]) -> Callable[[Polynomial, Key], bool]:
    """A test whether a term, given by a polynomial and exponents in ``variables``, is O(remainder)."""
    bounds = [Polynomial.monomial(monomial) for monomial in remainder._monomials]
    merged = variables
    for bound in bounds:
        merged = union(merged, bound.variables)
    keys = [next(iter(bound.aligned(merged))) for bound in bounds]
    monomials = sorted(remainder._monomials, key=lambda m: m.factors)
    below = _comparison(merged)
    position = {variable: i for i, variable in enumerate(variables)}
    source = [position.get(variable, -1) for variable in merged]

    def absorbed(polynomial: Polynomial, key: Key) -> bool:
        own = tuple(0 if i < 0 else key[i] for i in source)
        if any(below(own, other) for other in keys):
            return True
        # Two products can dominate a third together: m n = O(m^2 + n^2).
        return len(keys) > 1 and dominated(polynomial.monomial_of(key), monomials) is not None

    return absorbed


def without(polynomial: Polynomial, remainder: Order) -> Polynomial:
    """The terms that are not O(remainder)."""
    absorbed = absorbed_by(remainder, polynomial.variables)
    kept = {key: c for key, c in polynomial.terms.items() if not absorbed(polynomial, key)}
    if len(kept) == len(polynomial.terms):
        return polynomial
    return Polynomial.of(polynomial.variables, kept) if kept else ZERO


def _comparison(variables: Sequence[Variable]) -> Callable[[Key, Key], bool]:
    """Whether one product is O of another: each scale by itself, its logarithms after its power."""
    starts = [i for i, v in enumerate(variables) if i == 0 or v.symbol != variables[i - 1].symbol]
    spans = [slice(start, end) for start, end in pairwise([*starts, len(variables)])]

    def below(a: Key, b: Key) -> bool:
        return all(a[span] <= b[span] for span in spans)

    return below
