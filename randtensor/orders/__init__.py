"""Asymptotic orders: scales, growth classes, Landau bounds, their arithmetic, comparison and text.

The rules, with their reasons, are in ``docs/orders.md``.

>>> n, m = Scale("n"), Scale("m")
>>> n**-1 * log(n) < n**-0.5
True
>>> (n + m) * (n + m) == n**2 + m**2
True
>>> Theta(n**-1).implies(O("n^{-1/2} log n"))
True
"""

from randtensor.orders._bound import Bound, O, Omega, Theta, o
from randtensor.orders._comparison import compare
from randtensor.orders._logarithm import log, loglog
from randtensor.orders._monomial import Exponents
from randtensor.orders._order import Order, Scale
from randtensor.orders._parsing import parse_bound, parse_order
from randtensor.orders._term import Term

__all__ = [
    "Bound",
    "Exponents",
    "O",
    "Omega",
    "Order",
    "Scale",
    "Term",
    "Theta",
    "compare",
    "log",
    "loglog",
    "o",
    "parse_bound",
    "parse_order",
]
