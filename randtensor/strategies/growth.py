"""Strategies for scales, orders, terms, bounds and expansions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fractions import Fraction

from hypothesis import strategies as st

import randtensor as rt
from randtensor.dimensions import check_count
from randtensor.errors import InputError
from randtensor.strategies._arguments import subset

__all__ = ["bounds", "expansions", "monomials", "orders", "scales", "terms"]

_N, _M, _ETA = rt.Scale("n"), rt.Scale("m"), rt.Scale("eta", to=0)
_KINDS = ("O", "o", "Theta", "Omega")


def scales(*, vanishing: bool = True) -> st.SearchStrategy[rt.Scale]:
    """Scales: n and m, which go to infinity, and (with ``vanishing``) eta, which goes to 0.

    >>> from hypothesis import find
    >>> find(scales(), lambda scale: scale.to == 0)
    Scale('eta', to=0)
    """
    return st.sampled_from((_N, _M, _ETA) if vanishing else (_N, _M))


def monomials(
    over: Sequence[rt.Scale] | None = None, *, logs: bool = True, max_exponent: int = 2
) -> st.SearchStrategy[rt.Order]:
    """Orders that are one product of powers, with the exponents that rates have: halves and thirds.

    Parameters
    ----------
    over : scales; default: n, m and eta.
    logs : whether there are powers of logarithms and of their logarithms.
    max_exponent : largest magnitude of an exponent.

    Raises
    ------
    InputError : ``over`` are not scales; so for all strategies here that take it.

    >>> from hypothesis import find
    >>> find(monomials(), lambda order: order > rt.Order(1))
    Order('n')
    """
    chosen, powers = _scales(over), _rationals(check_count("max_exponent", max_exponent))
    kinds = [_power, _log_power, _loglog_power] if logs else [_power]
    factors = st.tuples(st.sampled_from([(kind, scale) for kind in kinds for scale in chosen]), powers)
    return st.lists(factors, max_size=2 * len(chosen), unique_by=lambda drawn: drawn[0]).map(_product)


def orders(
    over: Sequence[rt.Scale] | None = None, *, logs: bool = True, max_terms: int = 3, zero: bool = True
) -> st.SearchStrategy[rt.Order]:
    """Growth classes: sums of up to ``max_terms`` monomials; the zero order, too, unless ``zero`` is False.

    Other parameters as for `monomials`.

    >>> from hypothesis import find
    >>> find(orders(), lambda order: order != 0)
    Order('1')
    """
    parts = st.lists(
        monomials(over, logs=logs), min_size=0 if zero else 1, max_size=check_count("max_terms", max_terms)
    )
    return parts.map(lambda found: sum(found, rt.Order.zero()))


def terms(over: Sequence[rt.Scale] | None = None, *, logs: bool = True) -> st.SearchStrategy[rt.Term]:
    """A rational coefficient, possibly 0, times a monomial.

    >>> from hypothesis import find
    >>> find(terms(), lambda term: term.coefficient > 1).order
    Order('1')
    """
    return st.builds(rt.Term, _rationals(3), monomials(over, logs=logs))


def bounds(
    over: Sequence[rt.Scale] | None = None, *, kinds: Collection[str] = _KINDS, logs: bool = True
) -> st.SearchStrategy[rt.Bound]:
    """Bounds of the given kinds on `orders`.

    >>> from hypothesis import find
    >>> find(bounds(kinds=["Theta"]), lambda bound: bound.order != 0)
    Theta('1')
    """
    return st.builds(rt.Bound, st.sampled_from(subset("kinds", kinds, _KINDS)), orders(over, logs=logs))


def expansions(
    over: Sequence[rt.Scale] | None = None,
    *,
    max_terms: int = 3,
    quotients: bool = True,
    remainders: bool = False,
) -> st.SearchStrategy[rt.Expansion]:
    """Exact sums of rational coefficients times powers, their quotients, and remainders.

    Parameters
    ----------
    over : scales; default: n, m and eta.
    max_terms : of a numerator or denominator.
    quotients : whether to divide by sums.
    remainders : whether some end in ``+ O(...)``.

    >>> from hypothesis import find
    >>> find(expansions(), lambda expansion: bool(expansion.scales))
    Expansion('n')
    """
    chosen, most = _scales(over), check_count("max_terms", max_terms)
    coefficients, powers = _rationals(3), _rationals(2, 1)

    @st.composite
    def sums(draw: st.DrawFn) -> rt.Expansion:
        total = rt.Expansion.of(0)
        for _ in range(draw(st.integers(0, most))):
            summand = rt.Expansion.of(draw(coefficients))
            for scale in reversed(chosen):
                summand = summand * rt.Expansion.of(scale) ** draw(powers)
            total = total + summand
        return total

    @st.composite
    def formulas(draw: st.DrawFn) -> rt.Expansion:
        result = draw(sums())
        if quotients and draw(st.booleans()):
            divisor = draw(sums())
            result = result if divisor == 0 else result / divisor
        if remainders and draw(st.booleans()):
            result = result + rt.O(draw(monomials(chosen, logs=False)))
        return result

    return formulas()


def _scales(over: Sequence[rt.Scale] | None) -> tuple[rt.Scale, ...]:
    if over is None:
        return (_N, _M, _ETA)
    listed = isinstance(over, Sequence) and not isinstance(over, str)
    if not listed or not over or not all(isinstance(scale, rt.Scale) for scale in over):
        raise InputError(f"over is {over!r}, expected a list of at least one scale")
    return tuple(over)


def _product(factors: Sequence[tuple[tuple[Callable[[rt.Scale, Fraction], rt.Order], rt.Scale], Fraction]]) -> rt.Order:
    result = rt.Order.one()
    for (kind, scale), power in factors:
        result *= kind(scale, power)
    return result


def _power(scale: rt.Scale, power: Fraction) -> rt.Order:
    # positive powers grow, also for a scale that vanishes: then an earlier scale can take the place of a later one
    return scale ** (power if scale.to else -power)


def _log_power(scale: rt.Scale, power: Fraction) -> rt.Order:
    result: rt.Order = rt.log(scale) ** power
    return result


def _loglog_power(scale: rt.Scale, power: Fraction) -> rt.Order:
    return rt.loglog(scale) ** power


def _rationals(most: int, max_denominator: int = 3) -> st.SearchStrategy[Fraction]:
    """Rational numbers up to a magnitude, simplest first; ``st.fractions`` shrinks to less simple ones."""
    found = {Fraction(p, q) for q in range(1, max_denominator + 1) for p in range(-most * q, most * q + 1)}
    return st.sampled_from(sorted(found, key=lambda value: (value.denominator, abs(value), value < 0)))
