"""Expansions as text, as LaTeX and as SymPy expressions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from randtensor.errors import OrderError
from randtensor.expansions._polynomial import Coefficient, Key, Polynomial, fraction_of
from randtensor.expansions._quotient import Factors
from randtensor.orders._monomial import Monomial
from randtensor.orders._order import Order
from randtensor.orders._text import coefficient_latex, sum_latex, sum_text

if TYPE_CHECKING:
    from randtensor.expansions._formula import Formula

__all__ = ["to_latex", "to_sympy", "to_text"]


def to_text(expansion: Formula) -> str:
    """For instance ``3 n^4 + 1/2 n^2 + O(n)`` or ``2/(n (n + 1))``."""
    return _Plain().expansion(expansion)


def to_latex(expansion: Formula) -> str:
    r"""For instance ``3 n^{4} + \frac{1}{2} n^{2}`` or ``\frac{2}{n \left(n + 1\right)}``."""
    return _Latex().expansion(expansion)


class _Notation(ABC):
    @abstractmethod
    def number(self, value: Coefficient) -> str:
        """A positive coefficient."""

    @abstractmethod
    def monomial(self, monomial: Monomial) -> str: ...

    @abstractmethod
    def power(self, base: str, exponent: int) -> str: ...

    @abstractmethod
    def quotient(self, sign: str, numerator: str, several: bool, factors: list[str]) -> str: ...

    @abstractmethod
    def parenthesised(self, text: str) -> str: ...

    @abstractmethod
    def remainder(self, order: Order) -> str: ...

    def expansion(self, expansion: Formula) -> str:
        numerator, factors, remainder = expansion._numerator, expansion._factors, expansion.remainder
        parts = []
        if numerator.terms or remainder is None:
            parts.append(self.fraction(numerator, factors) if factors else self.sum(numerator))
        if remainder is not None:
            parts.append(self.remainder(remainder))
        return " + ".join(parts)

    def sum(self, polynomial: Polynomial) -> str:
        text = ""
        for key in polynomial.sorted_keys:
            c = polynomial.terms[key]
            sign = ("-" if c < 0 else "") if not text else " - " if c < 0 else " + "
            text += sign + self.product(-c if c < 0 else c, polynomial.monomial_of(key))
        return text or "0"

    def product(self, coefficient: Coefficient, monomial: Monomial) -> str:
        if not monomial.factors:
            return self.number(coefficient)
        return self.monomial(monomial) if coefficient == 1 else f"{self.number(coefficient)} {self.monomial(monomial)}"

    def fraction(self, numerator: Polynomial, factors: Factors) -> str:
        """A numerator with whole coefficients and powers that are not negative; the rest below the line."""
        above = numerator
        shown: dict[Polynomial, Polynomial] = {}
        for factor, power in factors.items():
            # Kept in powers of 1/eta, read better in powers of eta: 1/(1 + eta).
            top = tuple(_most(factor, i) if v.vanishes else 0 for i, v in enumerate(factor.variables))
            shown[factor] = factor.divided(top, 1)
            above = above * Polynomial.of(factor.variables, {tuple(-e * power for e in top): 1})
        scale = math.lcm(*(fraction_of(c).denominator for c in above.terms.values())) if above.is_exact else 1
        decaying = tuple(
            max(_most(above, i), 0) if v.vanishes else min(low, 0)
            for i, (v, low) in enumerate(zip(above.variables, above.content, strict=True))
        )
        below = [self.number(scale)] if scale > 1 else []
        if any(decaying):
            below.append(self.monomial(above.monomial_of(decaying) ** Fraction(-1)))
        above = above.divided(decaying, Fraction(1, scale) if scale > 1 else 1)
        for factor in sorted(factors, key=_by_root):
            base, power = self.parenthesised(self.sum(shown[factor])), factors[factor]
            below.append(self.power(base, power) if power > 1 else base)
        sign = "-" if all(c < 0 for c in above.terms.values()) else ""
        return self.quotient(sign, self.sum(-above if sign else above), not above.is_single, below)


class _Plain(_Notation):
    def number(self, value: Coefficient) -> str:
        return str(value)

    def monomial(self, monomial: Monomial) -> str:
        return sum_text([monomial])

    def power(self, base: str, exponent: int) -> str:
        return f"{base}^{exponent}"

    def quotient(self, sign: str, numerator: str, several: bool, factors: list[str]) -> str:
        above = self.parenthesised(numerator) if several else numerator
        below = " ".join(factors)
        # A single factor in parentheses (or to a power) needs no further ones.
        return f"{sign}{above}/{below if len(factors) == 1 else self.parenthesised(below)}"

    def parenthesised(self, text: str) -> str:
        return f"({text})"

    def remainder(self, order: Order) -> str:
        return f"O({order})"


class _Latex(_Notation):
    def number(self, value: Coefficient) -> str:
        if value == 1:
            return "1"
        return coefficient_latex(value if isinstance(value, float) else Fraction(value)).strip()

    def monomial(self, monomial: Monomial) -> str:
        return sum_latex([monomial])

    def power(self, base: str, exponent: int) -> str:
        return f"{base}^{{{exponent}}}"

    def quotient(self, sign: str, numerator: str, several: bool, factors: list[str]) -> str:
        # A lone factor between the line and the end needs no parentheses.
        alone = len(factors) == 1 and factors[0].startswith(r"\left(") and factors[0].endswith(r"\right)")
        below = factors[0][len(r"\left(") : -len(r"\right)")] if alone else " ".join(factors)
        return rf"{sign}\frac{{{numerator}}}{{{below}}}"

    def parenthesised(self, text: str) -> str:
        return rf"\left({text}\right)"

    def remainder(self, order: Order) -> str:
        return f"O({sum_latex(order._monomials)})"


def _most(polynomial: Polynomial, index: int) -> int | Fraction:
    return max(key[index] for key in polynomial.terms)


def _by_root(factor: Polynomial) -> tuple[int, int | Fraction, Fraction, int, str]:
    """Linear factors by the distance of their root from 0, then others by degree and text."""
    coefficients = [fraction_of(factor.terms[key]) for key in factor.sorted_keys]
    root = Fraction(-coefficients[-1] / coefficients[0])
    return len(factor.variables), factor.lead[0], abs(root), int(root < 0), _Plain().sum(factor)


def to_sympy(expansion: Formula) -> Any:
    """The expression with positive symbols; see `Expansion.to_sympy`."""
    import sympy  # type: ignore[import-untyped]

    def number(value: Coefficient) -> Any:
        return sympy.Float(value) if isinstance(value, float) else sympy.Rational(*Fraction(value).as_integer_ratio())

    def term(polynomial: Polynomial, key: Key, coefficient: Coefficient) -> Any:
        product = number(coefficient)
        for variable, exponent in zip(polynomial.variables, key, strict=True):
            symbol = sympy.Symbol(variable.name, positive=True)
            base = 1 / symbol if variable.vanishes else symbol
            for _ in range(variable.level):
                base = sympy.log(base)
            product *= base ** number(exponent)
        return product

    def total(polynomial: Polynomial) -> Any:
        return sympy.Add(*(term(polynomial, key, c) for key, c in polynomial.terms.items()))

    result = total(expansion._numerator)
    for factor, power in expansion._factors.items():
        result /= total(factor) ** power
    remainder = expansion.remainder
    if remainder is None:
        return result
    if len(expansion.scales) != 1:
        names = ", ".join(expansion.scale_names) or "none"
        raise OrderError(f"the scales of {expansion} are {names}, expected a single scale for a remainder in SymPy")
    scale = expansion.scales[0]
    point = sympy.Integer(0) if scale.to == 0 else sympy.oo
    below = [Polynomial.monomial(monomial) for monomial in remainder._monomials]
    return result + sympy.Order(sympy.Add(*map(total, below)), (sympy.Symbol(scale.name, positive=True), point))
