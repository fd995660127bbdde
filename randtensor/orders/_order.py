"""Growth classes and the scales they are made of."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, overload

from randtensor.errors import OrderError
from randtensor.orders._asymptotic import Asymptotic, Monomials, monomials_of
from randtensor.orders._exact import Number, is_number, rational
from randtensor.orders._hull import vertices
from randtensor.orders._monomial import ZERO_GROWTH, Exponents, Monomial, Symbol, check_symbols
from randtensor.orders._sizes import resolve_sizes
from randtensor.orders._text import sum_latex, sum_text

if TYPE_CHECKING:
    from randtensor.orders._term import Term

__all__ = ["RESERVED_NAMES", "Order", "Scale", "growth_of", "sum_of_monomials"]

# The hull of a sum is found by comparing each term with all others; no theorem states a rate with more terms.
MAXIMUM_TERMS = 64

# Function and relation names would make "exp(n)" or "O(n)" silently a product of scales.
_FUNCTIONS = "log ln loglog exp sqrt frac min max O o Theta Omega Θ Ω oo inf cdot times left right mathrm"
RESERVED_NAMES = frozenset(_FUNCTIONS.split())
_NAME = re.compile(r"[A-Za-zͰ-Ͽ][A-Za-zͰ-Ͽ0-9]*(_[A-Za-zͰ-Ͽ0-9]+)*")


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Order(Asymptotic):
    """A growth class up to constants: a finite sum of products of s^a (log s)^b (log log s)^c over scales s.

    Exponents are exact rationals. For a scale that tends to 0, log s stands for log(1/s), so that logarithms
    always grow. A sum keeps the terms that no combination of the others dominates; ``Order(0)``, the empty
    sum, is the class of the quantities that vanish identically.

    Products, quotients, rational powers and sums of orders are orders; 1 and 0 stand for the unit and the
    zero order in sums and comparisons. A number times an order is a `Term`, which remembers the number.

    Parameters
    ----------
    value : an order, scale or term, a text such as ``"n^{-1/2} log n"``, or a number.

    Raises
    ------
    OrderError : ``value`` has no growth class.

    See Also
    --------
    compare : ``<``, ``=``, ``>`` or incomparable.

    Examples
    --------
    >>> from randtensor.orders import log
    >>> n, m = Scale("n"), Scale("m")
    >>> n**-0.5 * log(n)
    Order('n^{-1/2} log n')
    >>> n**2 + n + m
    Order('n^2 + m')
    >>> n**-1 < n**-0.5, n < m, n <= n + m
    (True, False, True)
    """

    _monomials: Monomials

    #: whether the order was written as a sum, whose smaller terms and constants are lost
    is_sum = False

    def __init__(self, value: Asymptotic | Number | str = 1) -> None:
        object.__setattr__(self, "_monomials", growth_of(value, "value")._monomials)

    @classmethod
    def zero(cls) -> Order:
        """The class of what vanishes identically: neutral in sums, absorbing in products.

        >>> Order.zero() + Scale("n") == Scale("n")
        True
        """
        return sum_of_monomials([])

    @classmethod
    def one(cls) -> Order:
        """The class of constants.

        >>> Scale("n") ** 0 == Order.one()
        True
        """
        return sum_of_monomials([Monomial()])

    @property
    def order(self) -> Order:
        return self

    @property
    def terms(self) -> tuple[Order, ...]:
        """The single products of which this is the sum.

        >>> (Scale("n") + Scale("m")).terms
        (Order('n'), Order('m'))
        """
        return tuple(sum_of_monomials([m]) for m in sorted(self._monomials, key=lambda m: m.factors, reverse=True))

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales that occur, by name."""
        return tuple(Scale(name, to=0 if vanishes else math.inf) for name, vanishes in self._symbols)

    @property
    def _symbols(self) -> list[Symbol]:
        return sorted({symbol for monomial in self._monomials for symbol in monomial.symbols})

    def exponents(self, scale: Scale | None = None) -> Exponents:
        """Exponents of a scale, of its logarithm and iterated logarithm; zeros if it does not occur.

        Parameters
        ----------
        scale : may be left out when there is at most one.

        Raises
        ------
        OrderError : the order is zero or a sum of several terms, or ``scale`` is missing.

        Examples
        --------
        >>> from randtensor.orders import log
        >>> n = Scale("n")
        >>> (n**-0.5 * log(n)).exponents()
        Exponents(power=Fraction(-1, 2), log=Fraction(1, 1), loglog=Fraction(0, 1))
        """
        monomial = self._single("exponents")
        if scale is None:
            if len(self._symbols) > 1:
                raise OrderError(f"scale is None, expected one of the several scales of the order {self}")
            symbols = self._symbols
        elif not isinstance(scale, Scale):
            raise OrderError(f"scale is {scale!r}, expected a Scale")
        else:
            symbols = scale._symbols
            check_symbols([*self._symbols, *symbols])
        if not symbols:
            return Exponents(*ZERO_GROWTH)
        power, logarithm, iterated = monomial.growth(symbols[0])
        return Exponents(-power if symbols[0].vanishes else power, logarithm, iterated)

    def _single(self, purpose: str) -> Monomial:
        if len(self._monomials) != 1:
            kind = "a sum of several terms" if self._monomials else "zero"
            raise OrderError(f"the order {self} is {kind}, expected a single product of powers for its {purpose}")
        return next(iter(self._monomials))

    @overload
    def __mul__(self, other: Order) -> Order: ...
    @overload
    def __mul__(self, other: Number) -> Term: ...
    def __mul__(self, other: Order | Number) -> Order | Term:
        if isinstance(other, Order):
            return sum_of_monomials(a * b for a in self._monomials for b in other._monomials)
        return _term(other, self) if is_number(other) else NotImplemented

    def __rmul__(self, other: Number) -> Term:
        return _term(other, self) if is_number(other) else NotImplemented

    def __neg__(self) -> Term:
        return _term(-1, self)

    @overload
    def __truediv__(self, other: Order) -> Order: ...
    @overload
    def __truediv__(self, other: Number) -> Term: ...
    def __truediv__(self, other: Order | Number) -> Order | Term:
        if isinstance(other, Order):
            return self * other**-1
        return _term(1, self) / other if is_number(other) else NotImplemented

    def __rtruediv__(self, other: Number) -> Term:
        return _term(other, self**-1) if is_number(other) else NotImplemented

    def __pow__(self, exponent: Number) -> Order:
        if isinstance(exponent, Asymptotic):
            raise OrderError(f"exponent is {exponent}, expected a rational number: exponential growth is no order")
        if not is_number(exponent):
            return NotImplemented
        p = rational(exponent, "exponent")
        if p == 0:
            return Order.one()
        if p < 0:
            return sum_of_monomials([self._single("negative power") ** p])
        # (f + g)^p lies between max(f, g)^p and (2 max(f, g))^p.
        return sum_of_monomials(monomial**p for monomial in self._monomials)

    def __add__(self, other: Order | Number) -> Order:
        embedded = _embed(other)
        if embedded is None:
            if is_number(other):
                raise OrderError(f"the sum of the order {self} and {other!r} is ambiguous: write 1 for a constant")
            return NotImplemented
        result = sum_of_monomials([*self._monomials, *embedded])
        # n + 1 is the class of n; as a size or a factor it would be a mistake, and is refused there.
        object.__setattr__(result, "is_sum", bool(self._monomials and embedded))
        return result

    __radd__ = __add__

    def __sub__(self, other: Asymptotic | Number) -> Order:
        if not (isinstance(other, Asymptotic) or is_number(other)):
            return NotImplemented
        raise OrderError(f"a difference with the order {self} may cancel, so it has no order: bound it by the sum")

    __rsub__ = __sub__

    def __eq__(self, other: object) -> bool:
        embedded = _embed(other)
        return self._monomials == embedded if embedded is not None else NotImplemented

    def __hash__(self) -> int:
        # Equal objects hash alike, and Order.one() == 1.
        if self._monomials == {Monomial()}:
            return hash(1)
        return hash(self._monomials) if self._monomials else hash(0)

    def __call__(self, size: Number | None = None, /, **sizes: Number) -> float:
        """The value at a size of the only scale, or at sizes by name.

        >>> n, m = Scale("n"), Scale("m")
        >>> (n**0.5)(16), (n / m)(n=8, m=4)
        (4.0, 2.0)
        """
        if size is not None and sizes:
            raise OrderError(f"size is {size!r} beside sizes by name, expected one or the other")
        return self.evaluate(sizes if size is None else size)

    def evaluate(self, sizes: Mapping[Scale, Number] | Mapping[str, Number] | Number) -> float:
        """The value of the formula itself, all constants being 1 and terms being added.

        Parameters
        ----------
        sizes : positive numbers by scale or by name, or one number when there is at most one scale.

        Raises
        ------
        OrderError : a size is missing, is not positive, or makes a logarithm that occurs negative.

        Examples
        --------
        >>> (Scale("n") ** 2 + Scale("m")).evaluate({"n": 3, "m": 5})
        14.0
        """
        values = resolve_sizes(self._symbols, sizes)
        try:
            return math.fsum(monomial.value(values) for monomial in self._monomials)
        except (OverflowError, ZeroDivisionError):
            raise OrderError(f"sizes are {sizes!r}, where the order {self} exceeds the range of a float") from None

    def substitute(
        self,
        replacements: Mapping[Scale, Asymptotic | str] | Mapping[str, Asymptotic | str] | None = None,
        /,
        **by_name: Asymptotic | str,
    ) -> Order:
        """The order along a path on which scales depend on each other, all replaced at once.

        Parameters
        ----------
        replacements, by_name : for scales or their names, orders that tend to the limit of the scale.

        Raises
        ------
        OrderError : a replacement does not tend to the limit of its scale, or a logarithm of it is no order.

        Examples
        --------
        >>> from randtensor.orders import log
        >>> n, m, eta = Scale("n"), Scale("m"), Scale("eta", to=0)
        >>> (m * log(m) * eta).substitute({m: n**0.5, eta: n**-1})
        Order('n^{-1/2} log n')
        """
        from randtensor.orders._substitution import substitute

        return substitute(self, [*(replacements or {}).items(), *by_name.items()])

    def latex(self) -> str:
        r"""LaTeX source.

        >>> print((Scale("n") ** -0.5 / Scale("m")).latex())
        m^{-1} n^{-1/2}
        """
        return sum_latex(self._monomials)

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def __str__(self) -> str:
        return sum_text(self._monomials)

    def __repr__(self) -> str:
        return f"Order({str(self)!r})"


class Scale(Order):
    """A limit variable; it is itself the order s^1.

    Parameters
    ----------
    name : a letter followed by letters, digits and underscores.
    to : the limit, infinity by default, or 0. One name has one limit within an expression.

    Raises
    ------
    OrderError : ``name`` is not of this form or names a function, or ``to`` is another limit.

    Examples
    --------
    >>> from randtensor.orders import log
    >>> n, eta = Scale("n"), Scale("eta", to=0)
    >>> n**-1 < 1, eta < 1, log(eta) > 1
    (True, True, True)
    """

    def __init__(self, name: str, to: float = math.inf) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in RESERVED_NAMES:
            raise OrderError(f"name is {name!r}, expected a letter, letters and digits that do not name a function")
        if isinstance(to, bool) or not (to == 0 or to == math.inf):
            raise OrderError(f"to is {to!r} for the scale {name!r}, expected infinity or 0")
        symbol = Symbol(name, bool(to == 0))
        unit = Fraction(-1 if symbol.vanishes else 1)
        monomial = Monomial(((symbol, (unit, Fraction(0), Fraction(0))),))
        object.__setattr__(self, "_monomials", frozenset([monomial]))

    @property
    def name(self) -> str:
        return self._symbols[0].name

    @property
    def to(self) -> float:
        """The limit: ``math.inf`` or 0."""
        return 0.0 if self._vanishes else math.inf

    @property
    def _vanishes(self) -> bool:
        return self._symbols[0].vanishes

    def __repr__(self) -> str:
        return f"Scale({self.name!r}, to=0)" if self._vanishes else f"Scale({self.name!r})"


def growth_of(value: object, argument: str) -> Order:
    """The growth class of an order, scale, term, text or number; ``argument`` names it in the error."""
    if isinstance(value, str):
        from randtensor.orders._parsing import parse_order

        return parse_order(value)
    if isinstance(value, Asymptotic):
        return value.order
    constant = monomials_of(value)
    if constant is None:
        raise OrderError(f"{argument} is {value!r}, expected an Order, a Scale, a Term, a text or a finite number")
    return sum_of_monomials(constant)


def sum_of_monomials(monomials: Iterable[Monomial]) -> Order:
    """The order of a sum, in its unique form: the vertices of the Newton polyhedron."""
    distinct = set(monomials)
    if len(distinct) > MAXIMUM_TERMS:
        raise OrderError(f"the order has {len(distinct)} different terms, expected at most {MAXIMUM_TERMS}")
    check_symbols({symbol for monomial in distinct for symbol in monomial.symbols})
    order = object.__new__(Order)
    object.__setattr__(order, "_monomials", vertices(distinct))
    return order


def _term(coefficient: Number, order: Order) -> Term:
    from randtensor.orders._term import Term

    return Term(coefficient, order)


def _embed(value: object) -> Monomials | None:
    """The terms of ``value`` if nothing is lost: terms and numbers that carry a constant are not orders."""
    if isinstance(value, Order):
        return value._monomials
    if isinstance(value, Asymptotic):
        return value.order._monomials if value == value.order else None
    return monomials_of(value) if is_number(value) and value in (0, 1) else None
