"""Scales of an expansion replaced by numbers, terms or expansions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from randtensor.errors import OrderError
from randtensor.expansions._polynomial import Polynomial
from randtensor.expansions._quotient import expanded
from randtensor.orders._bound import Bound
from randtensor.orders._monomial import check_symbols
from randtensor.orders._order import Scale
from randtensor.orders._substitution import by_name

if TYPE_CHECKING:
    from randtensor.expansions._expansion import Expansion

__all__ = ["substitute"]

# Where a restriction n >= v is carried over to a scale of which n is a function, sizes are tried up to here.
_LARGEST_SIZE = 2**20


def substitute(expansion: Expansion, replacements: Iterable[tuple[object, object]]) -> Expansion:
    """``expansion`` with scales replaced, all at once; see `Expansion.substitute`."""
    from randtensor.expansions._expansion import Expansion

    own = {scale.name: scale for scale in expansion.scales}
    values: dict[str, Expansion] = {}
    for name, key, given in by_name(replacements):
        if isinstance(key, Scale) and name in own:
            check_symbols([*own[name]._symbols, *key._symbols])
        value = values[name] = Expansion.of(given)  # type: ignore[arg-type]
        if name in own:
            _check(own[name], value)
    result = _replaced(expansion._numerator, values) / _replaced(expanded(expansion._factors), values)
    if expansion.remainder is not None:
        orders = {scale: values[name].order for name, scale in own.items() if name in values}
        result = result + Bound("O", expansion.remainder.substitute(orders))
    restrictions: dict[str, int] = dict(result.valid_from)
    for name, start in expansion.valid_from.items():
        scale_name, first = _restriction(name, start, values[name]) if name in values else (name, start)
        if scale_name:
            restrictions[scale_name] = max(first, restrictions.get(scale_name, 1))
    return result.valid(**restrictions)


def _check(scale: Scale, value: Expansion) -> None:
    if not value.is_exact:
        raise OrderError(f"the replacement of {scale.name} is {value}, expected an exact expansion without remainder")
    if not value.scales:
        if not value.exact({}) > 0:
            raise OrderError(f"the replacement of {scale.name} is {value}, expected a positive number")
    elif not (value.order < 1 if scale.to == 0 else value.order > 1) or value.leading.coefficient < 0:
        limit = "0 from above" if scale.to == 0 else "infinity"
        raise OrderError(f"the replacement of {scale.name} is {value}, expected an expansion that tends to {limit}")


def _replaced(polynomial: Polynomial, values: Mapping[str, Expansion]) -> Expansion:
    from randtensor.expansions._expansion import Expansion

    for variable in polynomial.variables:
        if variable.level and variable.name in values:
            raise OrderError(
                f"the scale {variable.name!r} is replaced, but its logarithm occurs,"
                f" expected powers only: log({values[variable.name]}) is no finite sum of terms"
            )
    powers: dict[tuple[str, int | Fraction], Expansion] = {}
    groups: dict[tuple[int | Fraction, ...], dict[tuple[int | Fraction, ...], int | Fraction | float]] = {}
    replaced = [i for i, variable in enumerate(polynomial.variables) if variable.name in values]
    kept = [i for i in range(len(polynomial.variables)) if i not in replaced]
    for key, coefficient in polynomial.terms.items():
        groups.setdefault(tuple(key[i] for i in replaced), {})[tuple(key[i] for i in kept)] = coefficient
    total = Expansion.of(0)
    for exponents, terms in groups.items():
        product = Expansion(Polynomial.of(tuple(polynomial.variables[i] for i in kept), terms))
        for i, growth in zip(replaced, exponents, strict=True):
            if growth:
                variable = polynomial.variables[i]
                exponent = -growth if variable.vanishes else growth
                if (variable.name, exponent) not in powers:
                    powers[variable.name, exponent] = values[variable.name] ** exponent
                product = product * powers[variable.name, exponent]
        total = total + product
    return total


def _restriction(name: str, start: int, value: Expansion) -> tuple[str, int]:
    """The restriction name >= start for what replaces the scale: a name, empty if it always holds, and a size."""
    if not value.scales:
        if value.exact({}) < start:
            raise OrderError(f"the replacement of {name} is {value}, expected at least {start}")
        return "", 1
    if len(value.scales) > 1:
        raise OrderError(
            f"the replacement of {name} is {value}, expected one with a single scale, since {name} is at least {start}"
        )
    scale = value.scale_names[0]
    below, above = 0, 1
    while value.exact({scale: above}) < start:
        below, above = above, 2 * above
        if above > _LARGEST_SIZE:
            raise OrderError(f"the replacement of {name} is {value}, expected one that soon reaches {start}")
    while above - below > 1:
        middle = math.floor((above + below) / 2)
        below, above = (below, middle) if value.exact({scale: middle}) >= start else (middle, above)
    return scale, above
