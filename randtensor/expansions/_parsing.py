"""Expansions read from text: recursive descent, nothing is evaluated, over

    sum      = [ sign ] product { sign product }
    product  = power { [ "*" | "/" ] power }
    power    = atom [ "^" exponent ]
    atom     = number | scale | group | "sqrt" group | "log" argument
    argument = scale | "(" scale ")"
    group    = "(" sum ")" | "{" sum "}"
    exponent = [ sign ] number | "{" [ sign ] number [ "/" number ] "}", or in parentheses

A factor that follows a quotient without "*" (``1/n m``) is refused, unless the quotient is a number (``1/2 n``).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from randtensor.expansions._expansion import Expansion
from randtensor.orders import Scale
from randtensor.orders._logarithm import log
from randtensor.orders._tokens import CLOSING, DEEPEST_NESTING, Reader, Token

__all__ = ["parse_expansion"]

_LARGEST_POWER = 64  # of a sum: larger ones have more terms than anybody writes
_STARTS = ("number", "name", "function", "(", "{")


def parse_expansion(text: str, scales: Iterable[Scale] | None = None) -> Expansion:
    """The exact expansion that a text denotes, in the notation of ``str(expansion)`` or of Python.

    Decimals are read exactly, and a remainder is refused: what is read is known at every size.

    Parameters
    ----------
    text : at most 1000 characters, such as ``"3 n^4 + 1/2 n^2"``, ``"2/(n (n + 1))"``, ``"n**-0.5"``.
    scales : the scales that may occur; by default every name is a scale that tends to infinity.

    Raises
    ------
    OrderError : the text is not an expansion; the message tells the position.

    Examples
    --------
    >>> n = Scale("n")
    >>> print(parse_expansion("n (n + 2) - 1/2 n^{1/2}"), parse_expansion("2/(n*(n - 1))")(4))
    n^2 + 2 n - 1/2 n^{1/2} 0.16666666666666666
    """
    parser = _Parser(text, scales)
    found = parser.sum()
    parser.expect("end", "an operator or the end")
    return found


class _Parser(Reader):
    def __init__(self, text: str, scales: Iterable[Scale] | None) -> None:
        super().__init__(text, "an expansion")
        self.scales = None if scales is None else {scale.name: scale for scale in scales}

    def sum(self) -> Expansion:
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            self.fail(self.next, f"at most {DEEPEST_NESTING} nested groups")
        total = Expansion.of(0)
        sign = self.sign()
        while True:
            product = self.product()
            with self.arithmetic():
                total = total + product * sign
            if self.next.kind not in ("+", "-"):
                break
            sign = self.sign()
        self.depth -= 1
        return total

    def product(self) -> Expansion:
        numeric = self.next.kind == "number"
        result = self.power()
        while True:
            operator = self.next.kind
            if operator in ("*", "/"):
                self.take()
            elif operator not in _STARTS:
                return result
            numeric = numeric and self.next.kind == "number"
            factor = self.power()
            with self.arithmetic():
                result = result / factor if operator == "/" else result * factor
            if operator == "/" and not numeric and self.next.kind in _STARTS:
                self.fail(self.next, "'*' or parentheses, since a factor after a quotient is ambiguous,")

    def power(self) -> Expansion:
        token = self.take()
        base = self.atom(token)
        if self.next.kind != "^":
            return base
        self.take()
        exponent = self.exponent()
        if token.kind in CLOSING and abs(exponent) > _LARGEST_POWER:
            self.fail(token, f"a power of a group of at most {_LARGEST_POWER}")
        with self.arithmetic():
            return base ** (int(exponent) if exponent.denominator == 1 else exponent)

    def exponent(self) -> Fraction:
        if self.next.kind not in CLOSING:
            value = self.sign() * self.number()
            if [token.kind for token in self.tokens[self.index : self.index + 2]] == ["/", "number"]:
                self.fail(self.next, "braces around the exponent, as in n^{1/2}, or around its base, as in (n^1)/2,")
            return value
        closing = CLOSING[self.take().kind]
        value = self.sign() * self.number()
        if self.next.kind == "/":
            bar = self.take()
            divisor = self.number()
            if divisor == 0:
                self.fail(bar, "a denominator other than 0")
            value /= divisor
        self.expect(closing, f"{closing!r} after the exponent")
        return value

    def number(self) -> Fraction:
        return Fraction(self.expect("number", "a rational number as the exponent").text)

    def atom(self, token: Token) -> Expansion:
        if token.kind == "number":
            return Expansion.of(Fraction(token.text))
        if token.kind == "name":
            return Expansion.of(self.scale(token))
        if token.kind in CLOSING:
            self.index -= 1
            return self.group()
        if token.kind == "function" and token.text == "sqrt":
            group = self.group()
            with self.arithmetic():
                return group ** Fraction(1, 2)
        if token.kind == "function" and token.text == "log":
            return Expansion.of(log(self.argument()))
        self.fail(token, "a scale, a number, sqrt, log or '('")

    def argument(self) -> Scale:
        """Of a logarithm: a scale alone, since log(2 n) and log(n^2) are no single terms."""
        closing = CLOSING[self.take().kind] if self.next.kind in CLOSING else None
        scale = self.scale(self.take())
        if closing is not None:
            self.expect(closing, f"{closing!r}: a logarithm is of a scale alone,")
        return scale

    def group(self) -> Expansion:
        opening = self.take()
        if opening.kind not in CLOSING:
            self.fail(opening, "'('")
        result = self.sum()
        closing = CLOSING[opening.kind]
        self.expect(closing, f"an operator or {closing!r}")
        return result

    def scale(self, token: Token) -> Scale:
        if token.kind != "name":
            self.fail(token, "a scale")
        if self.scales is not None:
            if token.text not in self.scales:
                self.fail(token, f"one of the scales {', '.join(sorted(self.scales)) or '(none)'}")
            return self.scales[token.text]
        with self.arithmetic():
            return Scale(token.text)
