"""Expansion of quotients in descending terms."""

from __future__ import annotations

from randtensor.expansions._growth import absorbed_by
from randtensor.expansions._polynomial import Coefficient, Key, Polynomial, fraction_of, plain, union
from randtensor.orders._monomial import Monomial
from randtensor.orders._order import Order

__all__ = ["quotient_terms"]

# A quotient whose terms a remainder does not absorb within so many steps stays a quotient.
MAXIMUM_STEPS = 200


def quotient_terms(
    numerator: Polynomial, denominator: Polynomial, remainder: Order | None, count: int | None
) -> tuple[Polynomial, Monomial | None] | None:
    """The terms of a quotient, leading first, that a remainder does not absorb, at most ``count`` of them.

    Long division from the leading term down. The denominator needs a leading term to which all its other terms
    are negligible, which the caller has to see to. Then leaving out a term t of what remains to be divided
    changes the quotient by t / lead (1 + o(1)), which is as good as O(remainder) if t / lead is.

    Returns
    -------
    The terms, and the monomial of the first one left out because of ``count`` (None if there was none). None
    instead if the search does not come to an end.
    """
    exact, divisor = numerator.rationalised(), denominator.rationalised()
    variables = union(exact.variables, divisor.variables)
    lower = divisor.aligned(variables)
    frame = Polynomial(variables, {})
    lead = max(lower, key=frame.rank)
    others = [(key, d) for key, d in lower.items() if key != lead]
    top = fraction_of(lower[lead])
    absorbed = absorbed_by(remainder, variables) if remainder is not None else None
    rest = {tuple(a - b for a, b in zip(key, lead, strict=True)): c for key, c in exact.aligned(variables).items()}
    steps = tuple(tuple(a - b for a, b in zip(key, lead, strict=True)) for key, _ in others)
    terms: dict[Key, Coefficient] = {}
    following: Monomial | None = None
    if absorbed is not None:
        rest = {key: c for key, c in rest.items() if not absorbed(frame, key)}
    while rest:
        key = max(rest, key=frame.rank)
        if count is not None and len(terms) == count:
            following = frame.monomial_of(key)
            break
        if count is None and len(terms) >= MAXIMUM_STEPS:
            return None
        c = terms[key] = plain(fraction_of(rest.pop(key)) / top)
        for step, (_, d) in zip(steps, others, strict=True):
            position = tuple(a + b for a, b in zip(key, step, strict=True))
            difference = rest.get(position, 0) - c * d
            if not difference:
                rest.pop(position, None)
            elif absorbed is None or not absorbed(frame, position):
                rest[position] = difference
    if not (numerator.is_exact and denominator.is_exact):
        terms = {key: float(c) for key, c in terms.items()}
    return Polynomial.of(variables, terms), following
