"""Orders as text and as LaTeX; both are read back by the parser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction

from randtensor.orders._monomial import Monomial, Symbol

__all__ = ["GREEK", "coefficient_latex", "coefficient_text", "sum_latex", "sum_text", "symbol_latex"]

_GREEK_TO_RHO = "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho"
_GREEK_FROM_SIGMA = "sigma tau upsilon phi varphi chi psi Gamma Delta Lambda Xi Pi Sigma Upsilon Phi Psi"
GREEK = frozenset(f"{_GREEK_TO_RHO} {_GREEK_FROM_SIGMA}".split())


def sum_text(monomials: Iterable[Monomial]) -> str:
    """For instance ``n^2 + m^{-1/2} log n``; ``0`` for the empty sum."""
    return " + ".join(_monomial_text(m) for m in _by_growth(monomials)) or "0"


def sum_latex(monomials: Iterable[Monomial]) -> str:
    r"""For instance ``n^{2} + m^{-1/2} \log n``."""
    return " + ".join(_monomial_latex(m) for m in _by_growth(monomials)) or "0"


def symbol_latex(symbol: Symbol) -> str:
    base, _, subscript = symbol.name.partition("_")
    if base in GREEK:
        base = f"\\{base}"
    if (len(base) == 1 or base[0] == "\\") and "_" not in subscript:
        return f"{base}_{{{subscript}}}" if subscript else base
    return f"\\mathrm{{{symbol.name}}}".replace("_", r"\_")


def coefficient_text(value: Fraction | float) -> str:
    """Empty for 1; fractions in parentheses, since ``1/2 n`` reads both ways."""
    if value == 1:
        return ""
    fraction = isinstance(value, Fraction) and value.denominator != 1
    return f"({value}) " if fraction else f"{value} "


def coefficient_latex(value: Fraction | float) -> str:
    if isinstance(value, Fraction) and value.denominator != 1:
        sign = "-" if value < 0 else ""
        return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}} "
    mantissa, _, exponent = coefficient_text(value).strip().partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}} " if exponent else re.sub(r"(?<=.)$", " ", mantissa)


def _by_growth(monomials: Iterable[Monomial]) -> list[Monomial]:
    return sorted(monomials, key=lambda m: m.factors, reverse=True)


def _monomial_text(monomial: Monomial) -> str:
    return _product(monomial, lambda symbol: symbol.name, _exponent_text, "log", "loglog")


def _monomial_latex(monomial: Monomial) -> str:
    return _product(monomial, symbol_latex, lambda exponent: f"{{{exponent}}}", r"\log", r"\log\log")


def _product(
    monomial: Monomial,
    name: Callable[[Symbol], str],
    exponent_text: Callable[[Fraction], str],
    *functions: str,
) -> str:
    """Powers first and bare logarithms last, so that no power seems part of a logarithm's argument."""
    growing: list[str] = []
    decaying: list[str] = []
    raised: list[str] = []
    bare: list[str] = []
    for symbol, (power, *degrees) in monomial.factors:
        exponent = -power if symbol.vanishes else power
        if exponent:
            factor = name(symbol) if exponent == 1 else f"{name(symbol)}^{exponent_text(exponent)}"
            (growing if exponent > 0 else decaying).append(factor)
        for function, degree in zip(functions, degrees, strict=True):
            call = f"{function}(1/{name(symbol)})" if symbol.vanishes else f"{function} {name(symbol)}"
            if degree == 1:
                bare.append(call)
            elif degree:
                raised.append(f"({call})^{exponent_text(degree)}")
    return " ".join(growing + decaying + raised + bare) or "1"


def _exponent_text(value: Fraction) -> str:
    return str(value) if value.denominator == 1 and value >= 0 else f"{{{value}}}"
