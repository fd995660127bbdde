"""What has a growth class, and how growth classes compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Never

from randtensor.errors import OrderError
from randtensor.orders._exact import Number, is_finite, is_number
from randtensor.orders._hull import dominated
from randtensor.orders._monomial import Monomial, check_symbols

if TYPE_CHECKING:
    from randtensor.orders._order import Order

__all__ = ["Asymptotic", "Monomials", "below", "monomials_of"]

Monomials = frozenset[Monomial]


class Asymptotic(ABC):
    """What has a growth: it is compared asymptotically, ``<=`` being O and ``<`` being o."""

    # numpy numbers and arrays leave arithmetic with an order to the order.
    __array_ufunc__ = None

    @property
    @abstractmethod
    def order(self) -> Order:
        """The growth class, without any constant."""

    def __xor__(self, other: object) -> Never:
        raise OrderError(f"{self}^{other} is not a power, expected {self}**{other}")

    def __lt__(self, other: Asymptotic | Number) -> bool:
        growth = monomials_of(other)
        return NotImplemented if growth is None else below(self.order._monomials, growth, strictly=True)

    def __le__(self, other: Asymptotic | Number) -> bool:
        growth = monomials_of(other)
        return NotImplemented if growth is None else below(self.order._monomials, growth, strictly=False)

    def __gt__(self, other: Asymptotic | Number) -> bool:
        growth = monomials_of(other)
        return NotImplemented if growth is None else below(growth, self.order._monomials, strictly=True)

    def __ge__(self, other: Asymptotic | Number) -> bool:
        growth = monomials_of(other)
        return NotImplemented if growth is None else below(growth, self.order._monomials, strictly=False)


def monomials_of(value: object) -> Monomials | None:
    """The terms of the growth class of an order, scale, term or number; None for anything else."""
    if isinstance(value, Asymptotic):
        return value.order._monomials
    if is_number(value) and is_finite(value):
        return frozenset([Monomial()] if value else [])
    return None


def below(a: Monomials, b: Monomials, *, strictly: bool) -> bool:
    """Whether a = O(b), or a = o(b)."""
    check_symbols(symbol for monomial in a | b for symbol in monomial.symbols)
    if not a:
        return bool(b) or not strictly
    others = sorted(b, key=lambda m: m.factors)
    found = (dominated(monomial, others) for monomial in a)
    return all(found) if strictly else all(relation is not None for relation in found)
