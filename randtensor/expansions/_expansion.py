"""Exact quotients of finite sums of coefficients times growth, with an optional remainder."""

from __future__ import annotations

from collections.abc import Mapping

from randtensor.errors import OrderError
from randtensor.expansions._formula import Formula, together
from randtensor.expansions._growth import growth_bound, tight
from randtensor.expansions._normal_form import normal_form
from randtensor.expansions._polynomial import ONE, ZERO, Polynomial, ratio
from randtensor.expansions._quotient import Factors, common_multiple, factorised
from randtensor.expansions._series import quotient_terms
from randtensor.expansions._substitution import substitute
from randtensor.orders._asymptotic import Asymptotic, monomials_of
from randtensor.orders._bound import Bound
from randtensor.orders._exact import Number, exact_coefficient, is_number, rational
from randtensor.orders._order import Order, Scale, sum_of_monomials
from randtensor.orders._term import Term

__all__ = ["Expansion", "Operand"]

# (a + b)^k is written out, so a larger power of a sum is a mistake rather than a wish.
_LARGEST_POWER = 1000


class Expansion(Formula):
    """A finite sum of coefficients times growth, a quotient of two such sums, or either up to a remainder O(r).

    Coefficients are exact where they are rational. ``+``, ``-``, ``*``, ``/`` and integer powers are exact, also
    with numbers, scales, terms, orders of a single product and bounds O(r) as the other operand; terms that are
    O(r) are absorbed by the remainder. ``==`` is equality of the formulas, whatever form they were given in,
    while ``<``, ``<=``, ``>``, ``>=`` compare growth, as they do for orders and terms. Expansions are made by
    `Expansion.of` and arithmetic. The rules are in ``docs/expansions.md``.

    Raises
    ------
    OrderError : an operand is an order that is a sum (it has forgotten its constants) or a bound other than O,
        the divisor is zero or may vanish, or coefficients exceed the range of a float.

    Examples
    --------
    >>> n = Scale("n")
    >>> moment = 3 * Expansion.of(n) ** 4 + n**2 / 2
    >>> moment, moment(2), moment.order
    (Expansion('3 n^4 + 1/2 n^2'), 50.0, Order('n^4'))
    >>> 2 / (Expansion.of(n) * (Expansion.of(n) + 1))
    Expansion('2/(n (n + 1))')
    >>> (moment + Bound("O", n**3)) / n
    Expansion('3 n^3 + O(n^2)')
    """

    # numpy numbers and arrays leave arithmetic with an expansion to the expansion.
    __array_ufunc__ = None

    @classmethod
    def of(cls, value: Operand) -> Expansion:
        """An expansion from a number, scale, term, order of a single product, bound O(r) or expansion.

        >>> Expansion.of(Scale("n") / 2) + 1
        Expansion('1/2 n + 1')
        """
        expansion = _embed(value)
        if expansion is None:
            raise OrderError(f"value is {value!r}, expected a number, Scale, Term, Order, Bound or Expansion")
        return expansion

    @property
    def order(self) -> Order:
        """The growth class of the absolute value; OrderError if leading terms may cancel or are not known.

        >>> n, m = Scale("n"), Scale("m")
        >>> (Expansion.of(n) ** 2 - n + m).order
        Order('n^2 + m')
        """
        if not self._numerator.terms:
            if self.remainder is None:
                return Order.zero()
            raise OrderError(
                f"the expansion {self._abridged()} has no known term, so it has only an upper bound, .bound"
            )
        growth = growth_bound(self._numerator)
        if not tight(self._numerator, growth):
            raise OrderError(
                f"the leading terms of {self._abridged()} may cancel, so it has only an upper bound, .bound"
            )
        order = self._per_denominator(growth)
        if self.remainder is not None and not self.remainder < order:
            raise OrderError(
                f"the remainder of {self._abridged()} may cancel its terms, so it has only an upper bound, .bound"
            )
        return order

    @property
    def bound(self) -> Bound:
        """The sharpest bound: Theta of the order, or O where leading terms may cancel or are not known.

        >>> (Expansion.of(Scale("n")) - Scale("m")).bound
        O('n + m')
        """
        try:
            return Bound("Theta", self.order)
        except OrderError:
            return Bound("O", self._growth)

    @property
    def leading(self) -> Term:
        """The leading term; OrderError if there are several, or none that is known.

        >>> n = Expansion.of(Scale("n"))
        >>> (3 / (2 * n + 1)).leading
        Term(Fraction(3, 2), 'n^{-1}')
        """
        order = self.order
        if len(order._monomials) > 1:
            raise OrderError(f"the expansion {self._abridged()} has the leading terms {order}, expected a single one")
        return self._first_term if order._monomials else Term(0)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of a finite sum, leading first; OrderError for a quotient.

        >>> (Expansion.of(Scale("n")) + 3).terms
        (Term(1, 'n'), Term(3, '1'))
        """
        if self._factors:
            raise OrderError(f"the expansion {self._abridged()} is a quotient, expected a finite sum: see expand")
        numerator = self._numerator
        return tuple(
            Term(numerator.terms[key], sum_of_monomials([numerator.monomial_of(key)])) for key in numerator.sorted_keys
        )

    @property
    def _growth(self) -> Order:
        """An order of which the expansion is O."""
        known = self._per_denominator(growth_bound(self._numerator))
        return known if self.remainder is None else known + self.remainder

    def _per_denominator(self, growth: Order) -> Order:
        below = growth_bound(self._denominator)
        if len(below._monomials) > 1:
            raise OrderError(
                f"the denominator of {self._abridged()} has the leading terms {below}, expected one for its order"
            )
        return growth / below

    @property
    def _first_term(self) -> Term:
        top, bottom = self._numerator, self._denominator
        monomial = top.monomial_of(top.lead) / bottom.monomial_of(bottom.lead)
        return Term(ratio(top.terms[top.lead], bottom.terms[bottom.lead]), sum_of_monomials([monomial]))

    def __add__(self, other: Operand) -> Expansion:
        summand = _embed(other)
        if summand is None:
            return NotImplemented
        factors, own, others = common_multiple(self._factors, summand._factors)
        remainder = self.remainder
        if summand.remainder is not None:
            remainder = summand.remainder if remainder is None else remainder + summand.remainder
        return self._combined(summand, self._numerator * own + summand._numerator * others, factors, remainder)

    __radd__ = __add__

    def __neg__(self) -> Expansion:
        return Expansion(-self._numerator, self._factors, self.remainder, self.valid_from)

    def __pos__(self) -> Expansion:
        return self

    def __sub__(self, other: Operand) -> Expansion:
        subtrahend = _embed(other)
        return NotImplemented if subtrahend is None else self + -subtrahend

    def __rsub__(self, other: Operand) -> Expansion:
        minuend = _embed(other)
        return NotImplemented if minuend is None else minuend + -self

    def __mul__(self, other: Operand) -> Expansion:
        factor = _embed(other)
        if factor is None:
            return NotImplemented
        factors = dict(self._factors)
        for polynomial, power in factor._factors.items():
            factors[polynomial] = factors.get(polynomial, 0) + power
        remainder = None
        # (a + O(r)) (b + O(s)) = a b + O(|a| s + |b| r + r s), and _growth is |a| + r.
        for one, another in ((self, factor), (factor, self)):
            if one.remainder is not None:
                part = one.remainder * another._growth
                remainder = part if remainder is None else remainder + part
        return self._combined(factor, self._numerator * factor._numerator, factors, remainder)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Expansion:
        divisor = _embed(other)
        return NotImplemented if divisor is None else self * divisor._reciprocal()

    def __rtruediv__(self, other: Operand) -> Expansion:
        dividend = _embed(other)
        return NotImplemented if dividend is None else dividend * self._reciprocal()

    def _reciprocal(self) -> Expansion:
        if not self._numerator.terms:
            if self.remainder is None:
                raise OrderError("the divisor is 0, expected an expansion that is not zero")
            raise OrderError(
                f"the divisor is the remainder {self._abridged()}, which may vanish: expected one with a known term"
            )
        unit, factors = factorised(self._numerator)
        remainder = None
        if self.remainder is not None:
            # 1 / (a + O(r)) = 1/a + O(r / a^2) if r = o(a), which leading ensures.
            remainder = self.remainder / self.leading.order**2
        return Expansion(*normal_form(unit.reciprocal * self._denominator, factors, remainder), self.valid_from)

    def __pow__(self, exponent: Number) -> Expansion:
        if not is_number(exponent):
            return NotImplemented
        p = rational(exponent, "exponent")
        single = self._numerator.is_single and not self._factors and self.remainder is None
        if single and p.denominator != 1:
            return Expansion.of(self._first_term**p).valid(**self.valid_from)
        if p.denominator != 1 or (abs(p) > _LARGEST_POWER and not single):
            raise OrderError(
                f"exponent is {exponent} for {self._abridged()}, expected an integer of size at most {_LARGEST_POWER}"
            )
        base, k = self if p >= 0 else self._reciprocal(), abs(p.numerator)
        if self.remainder is None:
            factors = {factor: power * k for factor, power in base._factors.items()} if k else {}
            return Expansion(base._numerator**k, factors, None, self.valid_from)
        result = Expansion(ONE, {}, None, self.valid_from)
        for _ in range(k):
            result = result * base
        return result

    def _combined(
        self, other: Expansion, numerator: Polynomial, factors: Factors, remainder: Order | None
    ) -> Expansion:
        valid = together(self.valid_from, other.valid_from)
        return Expansion(*normal_form(numerator, factors, remainder), valid)

    def __eq__(self, other: object) -> bool:
        value = _comparable(other)
        if value is None:
            return False if isinstance(other, Order) else NotImplemented
        if self.remainder != value.remainder:
            return False
        # Floats count as the fractions they are, so that equality is transitive.
        first, second = self._numerator.rationalised(), value._numerator.rationalised()
        factors, own, others = common_multiple(self._factors, value._factors)
        difference = first * own + -(second * others)
        return not normal_form(difference, factors, self.remainder)[0].terms

    def __hash__(self) -> int:
        if self.remainder is not None:
            return hash(("remainder", self.remainder))
        # The leading term is the same in all representations, and a term hashes like what it equals.
        return hash(self._first_term) if self._numerator.terms else hash(0)

    def __lt__(self, other: Expansion | Asymptotic | Number) -> bool:
        growth = _order_of(other)
        return NotImplemented if growth is None else self.bound.order < growth

    def __le__(self, other: Expansion | Asymptotic | Number) -> bool:
        growth = _order_of(other)
        return NotImplemented if growth is None else self.bound.order <= growth

    def __gt__(self, other: Expansion | Asymptotic | Number) -> bool:
        growth = _bound_of(other)
        return NotImplemented if growth is None else growth < self.order

    def __ge__(self, other: Expansion | Asymptotic | Number) -> bool:
        growth = _bound_of(other)
        return NotImplemented if growth is None else growth <= self.order

    def expand(self, terms: int = 3) -> Expansion:
        """The leading terms of a quotient or a sum in a single scale, and O of the first term left out.

        Parameters
        ----------
        terms : how many terms to keep. A finite sum without more terms is returned as it is.

        Raises
        ------
        OrderError : ``terms`` is not a positive integer, or there are several scales.

        Examples
        --------
        >>> n = Expansion.of(Scale("n"))
        >>> (n / (n + 2)).expand(3)
        Expansion('1 - 2 n^{-1} + 4 n^{-2} + O(n^{-3})')
        """
        if isinstance(terms, bool) or not isinstance(terms, int) or terms < 1:
            raise OrderError(f"terms is {terms!r}, expected a positive integer")
        if len(self._symbols) > 1:
            raise OrderError(
                f"the scales of {self._abridged()} are {', '.join(self.scale_names)}, expected a single scale"
            )
        if not self._factors and len(self._numerator.terms) <= terms:
            return self
        series = quotient_terms(self._numerator, self._denominator, self.remainder, terms)
        if series is None:
            raise OrderError(
                f"terms is {terms}, expected a number of terms that is found by long division of {self._abridged()}"
            )
        known, following = series
        remainder = self.remainder if following is None else sum_of_monomials([following])
        return Expansion(known, {}, remainder, self.valid_from)

    def substitute(
        self,
        replacements: Mapping[Scale, Operand] | Mapping[str, Operand] | None = None,
        /,
        **by_name: Operand,
    ) -> Expansion:
        """The expansion with scales replaced, all at once, for instance where they depend on each other.

        Parameters
        ----------
        replacements, by_name : for scales or their names, positive numbers, or exact terms and expansions that
            tend to the limit of the scale. Fractional powers of a sum are refused, and so are logarithms.

        Raises
        ------
        OrderError : a replacement is not of this kind, or the denominator vanishes.

        Examples
        --------
        >>> n, m = Scale("n"), Scale("m")
        >>> (Expansion.of(m) ** 2 / (m + Expansion.of(n))).substitute(m=2 * n)
        Expansion('4/3 n')
        """
        return substitute(self, [*(replacements or {}).items(), *by_name.items()])

    def valid(self, **sizes: int) -> Expansion:
        """The same formula, restricted to sizes from these on.

        >>> (1 / Expansion.of(Scale("n"))).valid(n=4)(2)
        Traceback (most recent call last):
        randtensor.errors.OrderError: size is n = 2, but n^{-1} holds only from n = 4 on
        """
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise OrderError(f"{name} is {size!r}, expected the smallest valid size as a positive integer")
            if any(scale.name == name and scale.to == 0 for scale in self.scales):
                raise OrderError(f"{name} is a scale that tends to 0, expected one that tends to infinity")
        return Expansion(self._numerator, self._factors, self.remainder, together(self.valid_from, sizes))


Operand = Expansion | Asymptotic | Bound | Number


def _embed(value: object) -> Expansion | None:
    """None for what is no expansion."""
    if isinstance(value, Expansion):
        return value
    if isinstance(value, Bound):
        if value.kind != "O":
            raise OrderError(f"the operand is the bound {value}, expected O: a remainder is bounded from above")
        return Expansion(*normal_form(ZERO, {}, value.order))
    if isinstance(value, Order) and (len(value._monomials) > 1 or value.is_sum):
        raise OrderError(f"the operand is the order {value}, a sum without constants: add expansions instead")
    return _comparable(value)


def _comparable(value: object) -> Expansion | None:
    """None for what no expansion equals, and for bounds."""
    if isinstance(value, Expansion):
        return value
    coefficient: Number = 1
    if isinstance(value, Term):
        coefficient = value.coefficient
    elif isinstance(value, Order):
        if len(value._monomials) > 1:
            return None
    elif is_number(value):
        return Expansion(Polynomial.constant(exact_coefficient(value)))
    else:
        return None
    monomials = value.order._monomials
    return Expansion(Polynomial.monomial(next(iter(monomials)), coefficient) if monomials else ZERO)


def _order_of(value: object) -> Order | None:
    if isinstance(value, Expansion):
        return value.order
    monomials = monomials_of(value)
    return None if monomials is None else sum_of_monomials(monomials)


def _bound_of(value: object) -> Order | None:
    return value.bound.order if isinstance(value, Expansion) else _order_of(value)
