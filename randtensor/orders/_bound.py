"""Landau bounds: what a claim says about the magnitude of a quantity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from randtensor.errors import OrderError
from randtensor.orders._asymptotic import Asymptotic
from randtensor.orders._exact import Number, is_number, rational
from randtensor.orders._monomial import check_symbols
from randtensor.orders._order import Order, Scale, growth_of

__all__ = ["Bound", "Kind", "O", "Omega", "Theta", "o"]

Kind = Literal["O", "o", "Theta", "Omega"]

# 1/X is bounded on the other side; X that is only bounded from above may be zero, so O and o are not here.
_RECIPROCAL: dict[Kind, Kind] = {"Theta": "Theta", "Omega": "O"}


# Kinds other than Theta, by which of them a product takes on.
_ABSORBING: tuple[Kind, ...] = ("o", "O", "Omega")


@dataclass(frozen=True)
class Bound:
    """A bound f on the magnitude |X| of a quantity: O(f), o(f), Theta(f) or Omega(f).

    Products, quotients and rational powers hold for all quantities, sums for magnitudes: |X| + |Y| is
    Theta(n) if |X| is and |Y| is O(n), while X + Y may cancel. Orders, terms and numbers in the arithmetic
    stand for their Theta. The result is always true; a sum keeps one bound, the one from above unless there
    is none.

    Parameters
    ----------
    kind : ``"O"`` (at most), ``"o"`` (less than), ``"Theta"`` (exactly), ``"Omega"`` (at least), up to
        constants.
    order : growth class.

    Raises
    ------
    OrderError : another kind, or an ``order`` without a growth class.

    Examples
    --------
    >>> n = Scale("n")
    >>> O(n) * Theta(n**-0.5), Theta(n) + O(n**0.5), 1 / Omega(n)
    (O('n^{1/2}'), Theta('n'), O('n^{-1}'))
    """

    kind: Kind
    order: Order

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise OrderError(f"kind is {self.kind!r}, expected one of {', '.join(get_args(Kind))}")
        # A scale or a term becomes the plain order, so that equal bounds look alike.
        object.__setattr__(self, "order", Order(growth_of(self.order, "order")))

    def implies(self, other: Bound) -> bool:
        """Whether whatever satisfies this bound satisfies the other.

        Parameters
        ----------
        other : a bound.

        Raises
        ------
        OrderError : ``other`` is not a bound, or one name stands for scales of different direction.

        Examples
        --------
        >>> n = Scale("n")
        >>> Theta(n**-1).implies(o(n**-0.5)), O(n**-1).implies(Theta(n**-1))
        (True, False)
        """
        if not isinstance(other, Bound):
            raise OrderError(f"other is {other!r}, expected a Bound")
        f, g = self.order, other.order
        check_symbols([*f._symbols, *g._symbols])
        if g == 0 and other.kind == "Omega":
            return True
        if f == 0 and self.kind != "Omega":
            # X = 0, which is O(g) and o(g) for every g.
            return other.kind in ("O", "o") or g == 0
        match self.kind, other.kind:
            case (("Theta" | "O" | "o"), "O"):
                return f <= g
            case (("Theta" | "O"), "o"):
                return f < g
            case "o", "o":
                return f <= g
            case "Theta", "Theta":
                return f == g
            case (("Theta" | "Omega"), "Omega"):
                return f >= g
        return False

    def __mul__(self, other: Bound | Asymptotic | Number) -> Bound:
        factor = _as_bound(other)
        if factor is None:
            return NotImplemented
        kinds = {self.kind, factor.kind} - {"Theta"}
        if "Omega" in kinds and len(kinds) > 1:
            raise OrderError(f"the product of {self} and {factor} is bounded neither from above nor from below")
        # What is little-o stays so under every bounded factor.
        kind: Kind = next((kind for kind in _ABSORBING if kind in kinds), "Theta")
        return Bound(kind, self.order * factor.order)

    __rmul__ = __mul__

    def __truediv__(self, other: Bound | Asymptotic | Number) -> Bound:
        divisor = _as_bound(other)
        return NotImplemented if divisor is None else self * divisor._reciprocal()

    def __rtruediv__(self, other: Asymptotic | Number) -> Bound:
        dividend = _as_bound(other)
        return NotImplemented if dividend is None else dividend * self._reciprocal()

    def _reciprocal(self) -> Bound:
        if self.kind not in _RECIPROCAL:
            raise OrderError(f"the divisor is {self}, which may vanish: expected a bound from below, Theta or Omega")
        return Bound(_RECIPROCAL[self.kind], self.order**-1)

    def __pow__(self, exponent: Number) -> Bound:
        if not is_number(exponent):
            return NotImplemented
        p = rational(exponent, "exponent")
        if p == 0:
            return Bound("Theta", Order.one())
        base = self if p > 0 else self._reciprocal()
        return Bound(base.kind, base.order ** abs(p))

    def __add__(self, other: Bound | Asymptotic | Number) -> Bound:
        term = _as_bound(other)
        if term is None:
            return NotImplemented
        bounds = (self, term)
        below = Order.zero()
        for bound in bounds:
            below = below + (bound.order if bound.kind in ("Theta", "Omega") else 0)
        if any(bound.kind == "Omega" for bound in bounds):
            return Bound("Omega", below)
        above = self.order + term.order
        if above == below:
            return Bound("Theta", above)
        strict = Bound("o", above)
        return strict if all(bound.implies(strict) for bound in bounds) else Bound("O", above)

    __radd__ = __add__

    def substitute(
        self,
        replacements: Mapping[Scale, Asymptotic | str] | Mapping[str, Asymptotic | str] | None = None,
        /,
        **by_name: Asymptotic | str,
    ) -> Bound:
        """The bound along a path on which scales depend on each other; see `Order.substitute`.

        >>> O(Scale("n") / Scale("m")).substitute(m="n^2")
        O('n^{-1}')
        """
        return Bound(self.kind, self.order.substitute(replacements, **by_name))

    def latex(self) -> str:
        r"""LaTeX source.

        >>> print(Theta(Scale("n") ** -1).latex())
        \Theta\left(n^{-1}\right)
        """
        kind = self.kind if len(self.kind) == 1 else f"\\{self.kind}"
        return rf"{kind}\left({self.order.latex()}\right)"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def __str__(self) -> str:
        return f"{self.kind}({self.order})"

    def __repr__(self) -> str:
        return f"{self.kind}({str(self.order)!r})"


def O(order: Asymptotic | Number | str) -> Bound:  # noqa: E743
    """At most a constant times ``order``.

    Parameters
    ----------
    order : an order, scale, term (its coefficient is dropped), number or text.

    Raises
    ------
    OrderError : ``order`` has no growth class.

    Examples
    --------
    >>> O("n^{-1/2} log n")
    O('n^{-1/2} log n')
    """
    return Bound("O", growth_of(order, "order"))


def o(order: Asymptotic | Number | str) -> Bound:
    """Less than every constant times ``order``, in the limit; parameters as for `O`.

    >>> o(Scale("n") ** -1).implies(O(Scale("n") ** -1))
    True
    """
    return Bound("o", growth_of(order, "order"))


def Theta(order: Asymptotic | Number | str) -> Bound:
    """Between two positive constants times ``order``; parameters as for `O`.

    >>> Theta(2 * Scale("n"))
    Theta('n')
    """
    return Bound("Theta", growth_of(order, "order"))


def Omega(order: Asymptotic | Number | str) -> Bound:
    """At least a positive constant times ``order``; parameters as for `O`.

    >>> Omega(1).implies(Omega(Scale("n") ** -1))
    True
    """
    return Bound("Omega", growth_of(order, "order"))


def _as_bound(value: object) -> Bound | None:
    if isinstance(value, Bound):
        return value
    return Bound("Theta", growth_of(value, "value")) if isinstance(value, Asymptotic) or is_number(value) else None
