"""Growth of norms from the growth of dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

from randtensor.dimensions import Dimension
from randtensor.orders import Order, Scale, Term

__all__ = ["HALF", "chevet_order", "entries_order", "factor_order", "flat_order", "largest", "nuclear_order"]

HALF = Fraction(1, 2)


def factor_order(factor: Any) -> Order:
    """Growth of a number, order, term, dimension or expansion; zero for 0.

    >>> n = Scale("n")
    >>> factor_order(3 * n**2), factor_order(7), factor_order(0)
    (Order('n^2'), Order('1'), Order('0'))
    """
    if isinstance(factor, Order | Scale | Term):
        return Order(factor.order)
    order = getattr(factor, "order", None)
    if isinstance(order, Order):
        return order
    return Order.one() if factor else Order.zero()


def entries_order(dimensions: Iterable[Dimension]) -> Order:
    """Growth of the number of entries."""
    return reduce(lambda product, d: product * factor_order(d), dimensions, Order.one())


def chevet_order(dimensions: Iterable[Dimension]) -> Order:
    """The sum of the square roots of the dimensions: the injective norm of i.i.d. Gaussian entries."""
    return reduce(lambda total, d: total + factor_order(d) ** HALF, dimensions, Order.zero())


def flat_order(dimensions: Sequence[Dimension], rows: Sequence[int], columns: Sequence[int]) -> Order:
    """The sum of the square roots of the two sides of a flattening."""
    sides = (entries_order(dimensions[axis] for axis in axes) for axes in (rows, columns))
    return reduce(lambda total, side: total + side**HALF, sides, Order.zero())


def largest(orders: Iterable[Order]) -> Order | None:
    """The largest of some orders; None if they are not comparable."""
    total = reduce(lambda a, b: a + b, orders, Order.zero())
    return total if len(total.terms) <= 1 else None


def nuclear_order(dimensions: Sequence[Dimension]) -> Order | None:
    """The nuclear norm of i.i.d. Gaussian entries, their number over the root of the largest dimension.

    From below by duality, the squared Frobenius norm over the injective one; from above by the matrices spanned by the
    largest index and another. None if no dimension is the largest.
    """
    if not dimensions:
        return Order.one()
    largest_size = largest(factor_order(d) for d in dimensions)
    if len(dimensions) == 1:
        return factor_order(dimensions[0]) ** HALF
    return None if largest_size is None else entries_order(dimensions) / largest_size**HALF
