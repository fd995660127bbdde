"""What an expansion says: its value, its scales and its text, without the arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from randtensor.errors import OrderError
from randtensor.expansions._evaluation import evaluated, rounded
from randtensor.expansions._polynomial import Polynomial
from randtensor.expansions._quotient import Factors, expanded
from randtensor.expansions._text import to_latex, to_sympy, to_text
from randtensor.orders._exact import Number
from randtensor.orders._monomial import Symbol
from randtensor.orders._order import Order, Scale
from randtensor.orders._sizes import resolve_sizes

__all__ = ["Formula", "Sizes", "together"]

Sizes = Mapping[Scale, Number] | Mapping[str, Number] | Number


@dataclass(frozen=True, eq=False, repr=False)
class Formula:
    """A quotient of finite sums and a remainder; the public class is `Expansion`."""

    _numerator: Polynomial
    _factors: Factors = field(default_factory=dict)
    #: What is left out is O of this order; None if the expansion is exact.
    remainder: Order | None = None
    #: The smallest sizes, by name, at which the formula holds; sizes that are not restricted are left out.
    valid_from: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether there is no remainder.

        >>> from randtensor.expansions import Expansion
        >>> Expansion.of(Scale("n")).is_exact
        True
        """
        return self.remainder is None

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales that occur, also in the remainder, by name."""
        return tuple(Scale(name, to=0 if vanishes else math.inf) for name, vanishes in self._symbols)

    @property
    def scale_names(self) -> tuple[str, ...]:
        """The names of the scales that occur."""
        return tuple(name for name, _ in self._symbols)

    @property
    def _symbols(self) -> list[Symbol]:
        symbols = {*self._numerator.symbols, *(s for factor in self._factors for s in factor.symbols)}
        if self.remainder is not None:
            symbols |= set(self.remainder._symbols)
        return sorted(symbols)

    @cached_property
    def _denominator(self) -> Polynomial:
        return expanded(self._factors)

    def __call__(self, size: Number | None = None, /, **sizes: Number) -> float:
        """The value at a size of the only scale, or at sizes by name; see `evaluate`.

        >>> from randtensor.expansions import Expansion
        >>> n, m = Expansion.of(Scale("n")), Expansion.of(Scale("m"))
        >>> (n**2 / 2)(3), (n / (m + 1))(n=3, m=5)
        (4.5, 0.5)
        """
        if size is not None and sizes:
            raise OrderError(f"size is {size!r} beside sizes by name, expected one or the other")
        return self.evaluate(sizes if size is None else size)

    def evaluate(self, sizes: Sizes) -> float:
        """The value of the known terms; a remainder is left out.

        The value is found in rational arithmetic and rounded once. Only logarithms, irrational powers and
        coefficients that are floats are rounded before.

        Parameters
        ----------
        sizes : positive numbers by scale or by name, or one number when there is at most one scale.

        Raises
        ------
        OrderError : a size is missing, is not positive or below ``valid_from``, the denominator vanishes there, a
            logarithm that occurs is negative, or the value exceeds the range of a float.

        Examples
        --------
        >>> from randtensor.expansions import Expansion
        >>> n = Expansion.of(Scale("n"))
        >>> ((n**400 + 1) / n**399).evaluate(1000)
        1000.0
        """
        return rounded(self._value(sizes)[0], self._abridged)

    def exact(self, sizes: Sizes) -> Fraction | float:
        """As `evaluate`, but a Fraction where the value is known exactly: rational coefficients and powers.

        >>> from randtensor.expansions import Expansion
        >>> n = Expansion.of(Scale("n"))
        >>> (2 / (n + 1)).exact({"n": 6}), (2 * n**Fraction(1, 2)).exact({"n": 2})
        (Fraction(2, 7), 2.8284271247461903)
        """
        value, exact = self._value(sizes)
        return value if exact else rounded(value, self._abridged)

    def _value(self, sizes: Sizes) -> tuple[Fraction, bool]:
        symbols = sorted({*self._numerator.symbols, *(s for factor in self._factors for s in factor.symbols)})
        checked = resolve_sizes(symbols, sizes)
        given: dict[str, Number]
        if isinstance(sizes, Mapping):
            given = {key.name if isinstance(key, Scale) else key: size for key, size in sizes.items()}
        else:
            # A constant may still be restricted to sizes of a scale.
            given = dict.fromkeys(checked or self.valid_from, sizes)
        for name, start in self.valid_from.items():
            if name in given and given[name] < start:
                raise OrderError(
                    f"size is {name} = {given[name]}, but {self._abridged()} holds only from {name} = {start} on"
                )
        numerator, exact = evaluated(self._numerator, given)
        denominator, exact_below = evaluated(self._denominator, given)
        if denominator == 0:
            at = ", ".join(f"{name} = {given[name]}" for name in checked)
            raise OrderError(f"sizes are {at}, where the denominator of {self._abridged()} vanishes")
        return numerator / denominator, exact and exact_below

    def to_sympy(self) -> Any:
        """The SymPy expression in positive symbols, with a remainder of a single scale as ``sympy.Order``.

        Raises
        ------
        OrderError : there is a remainder, but several scales or none.

        Examples
        --------
        >>> from randtensor.expansions import Expansion
        >>> (Expansion.of(Scale("n")) / 2 + 1).to_sympy()
        n/2 + 1
        """
        return to_sympy(self)

    def latex(self) -> str:
        r"""LaTeX source.

        >>> from randtensor.expansions import Expansion
        >>> print((3 * Expansion.of(Scale("n")) ** 4 + Scale("n") / 2).latex())
        3 n^{4} + \frac{1}{2} n
        """
        return to_latex(self)

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def __str__(self) -> str:
        return to_text(self)

    def _abridged(self) -> str:
        """The text for a message, its end left out if it is long."""
        text = str(self)
        return text if len(text) <= 100 else f"{text[:80]} ..."

    def __repr__(self) -> str:
        return f"Expansion({str(self)!r})"


def together(a: Mapping[str, int], b: Mapping[str, int]) -> Mapping[str, int]:
    """The restrictions ``valid_from`` of both."""
    if not b or a == b:
        return a
    return {name: max(a.get(name, 1), b.get(name, 1)) for name in sorted({*a, *b})}
