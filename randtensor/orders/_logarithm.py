"""Logarithms of orders."""

from __future__ import annotations

from fractions import Fraction

from randtensor.errors import OrderError
from randtensor.orders._asymptotic import Asymptotic
from randtensor.orders._monomial import ZERO_GROWTH, Growth, Monomial
from randtensor.orders._order import Order, growth_of, sum_of_monomials

__all__ = ["log", "loglog"]

_LOGARITHM_OF: tuple[Growth, Growth] = (
    (Fraction(0), Fraction(1), Fraction(0)),
    (Fraction(0), Fraction(0), Fraction(1)),
)


def log(order: Asymptotic) -> Order:
    """The growth of |log f| for f of the given order, which must tend to infinity or to 0.

    Constants and powers do not matter: log(2 n^3) ~ log n, log(1/n) ~ log n. The logarithm of a product is
    the sum of the logarithms, and that of a sum is the logarithm of its largest term.

    Parameters
    ----------
    order : a scale, order or term.

    Raises
    ------
    OrderError : the order has a constant limit or none, or its logarithm needs a third iterated logarithm.

    Examples
    --------
    >>> from randtensor.orders import Scale
    >>> n, m, eta = Scale("n"), Scale("m"), Scale("eta", to=0)
    >>> log(n**2), log(log(n)), log(eta), log(n * m)
    (Order('log n'), Order('loglog n'), Order('log(1/eta)'), Order('log n + log m'))
    """
    if not isinstance(order, Asymptotic):
        raise OrderError(f"order is {order!r}, expected a Scale, an Order or a Term")
    growth = growth_of(order, "order")
    logarithms = []
    for monomial in growth._monomials:
        rising = [g > ZERO_GROWTH for _, g in monomial.factors]
        # Decay is fine by itself, but a decaying term says nothing about the largest term of a sum.
        if not rising or not (all(rising) or (not any(rising) and len(growth._monomials) == 1)):
            raise OrderError(
                f"log({growth}) is not an order, expected an argument that grows, or decays, in all scales"
            )
        for symbol, (a, b, _) in monomial.factors:
            if not (a or b):
                raise OrderError(f"log({growth}) needs a third iterated logarithm, expected at most loglog")
            logarithms.append(Monomial.of({symbol: _LOGARITHM_OF[0 if a else 1]}))
    if not logarithms:
        raise OrderError("log(0) is not an order, expected an argument that is not identically zero")
    return sum_of_monomials(logarithms)


def loglog(order: Asymptotic) -> Order:
    """The growth of log |log f|, that is ``log(log(order))``.

    Parameters
    ----------
    order : a scale, order or term.

    Raises
    ------
    OrderError : as for `log`.

    Examples
    --------
    >>> from randtensor.orders import Scale
    >>> loglog(Scale("n") ** 2)
    Order('loglog n')
    """
    return log(log(order))
