"""Orders with their constant: symbolic dimensions such as 2 n and factors such as 1/2 n^{-1/2}."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from randtensor.errors import OrderError
from randtensor.orders._asymptotic import Asymptotic
from randtensor.orders._exact import Number, exact_coefficient, is_number, power, rational
from randtensor.orders._order import Order, Scale, growth_of
from randtensor.orders._text import coefficient_latex, coefficient_text

__all__ = ["Term"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Term(Asymptotic):
    """A coefficient times an order of a single term: what ``2 * n`` and ``n**-0.5 / 3`` are.

    Terms multiply, divide and take rational powers, keeping the coefficient exact where it is rational.
    ``<``, ``<=``, ``>``, ``>=`` compare growth only, ``==`` compares the coefficient as well; a term with
    coefficient 1 equals its order, and only such terms can be added, since a growth class keeps no constants.

    Parameters
    ----------
    coefficient : an integer, a fraction (both kept exactly) or a finite float.
    order : an order of a single term. With the coefficient 0 it is the zero order.

    Raises
    ------
    OrderError : ``coefficient`` is not a finite number or ``order`` is a sum of several terms.

    Examples
    --------
    >>> n = Scale("n")
    >>> 2 * n, (4 * n) ** Fraction(-1, 2)
    (Term(2, 'n'), Term(Fraction(1, 2), 'n^{-1/2}'))
    >>> (2 * n)(16), (2 * n).order, 2 * n / 2 == n
    (32.0, Order('n'), True)
    """

    coefficient: Fraction | float
    _order: Order

    def __init__(self, coefficient: Number, order: Asymptotic | Number | str = 1) -> None:
        value, growth = exact_coefficient(coefficient), growth_of(order, "order")
        if isinstance(order, Term):
            value *= order.coefficient
        if len(growth.terms) > 1 or (isinstance(order, Order) and order.is_sum):
            raise OrderError(f"order is {growth}, expected a single term: a constant times a sum of orders is lost")
        if value == 0 or growth == 0:
            value, growth = Fraction(0), Order.zero()
        object.__setattr__(self, "coefficient", value)
        object.__setattr__(self, "_order", Order(growth))

    @property
    def order(self) -> Order:
        """The growth class of the absolute value, without the coefficient."""
        return self._order

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales that occur, by name."""
        return self._order.scales

    def __mul__(self, other: Asymptotic | Number) -> Term:
        factor = _as_term(other)
        if factor is None:
            return NotImplemented
        return Term(self.coefficient * factor.coefficient, self._order * factor._order)

    __rmul__ = __mul__

    def __truediv__(self, other: Asymptotic | Number) -> Term:
        divisor = _as_term(other)
        return NotImplemented if divisor is None else self * divisor**-1

    def __rtruediv__(self, other: Asymptotic | Number) -> Term:
        dividend = _as_term(other)
        return NotImplemented if dividend is None else dividend * self**-1

    def __pow__(self, exponent: Number) -> Term:
        if not is_number(exponent):
            return NotImplemented
        p = rational(exponent, "exponent")
        return Term(power(self.coefficient, p), self._order**p)

    def __neg__(self) -> Term:
        return Term(-self.coefficient, self._order)

    def __add__(self, other: Asymptotic | Number) -> Order:
        summand = _as_term(other) if not isinstance(other, Order) else other
        if summand is None:
            return NotImplemented
        if self == self._order and summand == summand.order:
            return self._order + summand.order
        raise OrderError(f"the sum of {self} and {other} keeps no coefficients: add the orders, .order, instead")

    __radd__ = __add__

    def __sub__(self, other: Asymptotic | Number) -> Term:
        if not (isinstance(other, Asymptotic) or is_number(other)):
            return NotImplemented
        raise OrderError(f"a difference with the term {self} may cancel, so it has no order: bound it by the sum")

    __rsub__ = __sub__

    def __eq__(self, other: object) -> bool:
        term = _as_term(other) if not isinstance(other, Order) or len(other.terms) <= 1 else None
        if term is None:
            return False if isinstance(other, Order) else NotImplemented
        return self.coefficient == term.coefficient and self._order._monomials == term._order._monomials

    def __hash__(self) -> int:
        if self.coefficient in (0, 1):
            return hash(self._order)
        return hash(self.coefficient) if self._order == 1 else hash((self.coefficient, self._order))

    def __call__(self, size: Number | None = None, /, **sizes: Number) -> float:
        """The value at a size of the only scale, or at sizes by name.

        >>> (Scale("n") / 4)(16)
        4.0
        """
        return self._scaled(self._order(size, **sizes))

    def evaluate(self, sizes: Mapping[Scale, Number] | Mapping[str, Number] | Number) -> float:
        """The value at sizes by scale or by name; see `Order.evaluate`.

        >>> (2 * Scale("n")).evaluate({"n": 16})
        32.0
        """
        return self._scaled(self._order.evaluate(sizes))

    def _scaled(self, value: float) -> float:
        try:
            result = float(self.coefficient) * value
        except OverflowError:
            result = math.inf
        if not math.isfinite(result):
            raise OrderError(f"the value of {self} at these sizes exceeds the range of a float")
        return result

    def latex(self) -> str:
        r"""LaTeX source.

        >>> print((Scale("n") ** 2 / 3).latex())
        \frac{1}{3} n^{2}
        """
        return self._text(coefficient_latex(self.coefficient), self._order.latex())

    def _text(self, factor: str, order: str) -> str:
        return order if self.coefficient in (0, 1) else factor.strip() if self._order == 1 else factor + order

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def __str__(self) -> str:
        return self._text(coefficient_text(self.coefficient), str(self._order))

    def __repr__(self) -> str:
        whole = isinstance(self.coefficient, Fraction) and self.coefficient.denominator == 1
        return f"Term({int(self.coefficient) if whole else self.coefficient!r}, {str(self._order)!r})"


def _as_term(value: object) -> Term | None:
    if isinstance(value, Term):
        return value
    if isinstance(value, Order):
        return Term(1, value)
    return Term(value) if is_number(value) else None
