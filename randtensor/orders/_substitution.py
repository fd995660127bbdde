"""Scales that depend on each other: substitution of orders for scales."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from randtensor.errors import OrderError
from randtensor.orders._asymptotic import Asymptotic
from randtensor.orders._logarithm import log, loglog
from randtensor.orders._monomial import Monomial, check_symbols
from randtensor.orders._order import Order, Scale, growth_of, sum_of_monomials

__all__ = ["by_name", "substitute"]

Value = TypeVar("Value")


def substitute(order: Order, replacements: Iterable[tuple[Scale | str, Asymptotic | str]]) -> Order:
    """``order`` with the scales replaced, all at once; see `Order.substitute`."""
    own = {scale.name: scale for scale in order.scales}
    orders: dict[str, Order] = {}
    for name, key, value in by_name(replacements):
        scale = key if isinstance(key, Scale) else own.get(name)
        orders[name] = growth_of(value, f"the replacement of {name}")
        if scale is not None:
            check_symbols([*order._symbols, *scale._symbols])
            _check_limit(scale, orders[name])
    result = Order.zero()
    for monomial in order._monomials:
        result = result + _substituted(monomial, orders)
    return result


def by_name(replacements: Iterable[tuple[object, Value]]) -> Iterator[tuple[str, Scale | str, Value]]:
    """Replacements with the names of the scales in front.

    Raises
    ------
    OrderError : a key is neither a scale nor a name, or a scale is replaced twice.
    """
    seen: set[str] = set()
    for key, value in replacements:
        if not isinstance(key, Scale | str):
            raise OrderError(f"the replaced scale is {key!r}, expected a Scale or its name")
        name = key.name if isinstance(key, Scale) else key
        if name in seen:
            raise OrderError(f"the scale {name!r} is replaced twice, expected one replacement")
        seen.add(name)
        yield name, key, value


def _check_limit(scale: Scale, replacement: Order) -> None:
    if not (replacement < 1 and replacement > 0 if scale.to == 0 else replacement > 1):
        limit = "0" if scale.to == 0 else "infinity"
        raise OrderError(f"the replacement of {scale.name} is {replacement}, expected an order that tends to {limit}")


def _substituted(monomial: Monomial, orders: dict[str, Order]) -> Order:
    product = Order.one()
    for symbol, growth in monomial.factors:
        base = orders.get(symbol.name)
        if base is None:
            product = product * sum_of_monomials([Monomial.of({symbol: growth})])
            continue
        power, logarithm, iterated = growth
        product = product * base ** (-power if symbol.vanishes else power)
        if logarithm:
            product = product * log(base) ** logarithm
        if iterated:
            product = product * loglog(base) ** iterated
    return product
