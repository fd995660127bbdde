"""Orders and bounds read from text: recursive descent over

    sum      = product { "+" product }
    product  = power { [ "*" | "/" ] power }
    power    = atom [ "^" exponent ]
    atom     = number | scale | group | sqrt group | frac group group | log [ "^" exponent ] argument
    argument = group | scale | log ...
    group    = "(" sum ")" | "{" sum "}"
    exponent = rational in braces or parentheses, or a signed number

What two readers would read differently (``n^-1/2``, ``log n m``, ``1/n m``, ``log n^2``) is refused with a
hint.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from randtensor.errors import OrderError
from randtensor.orders._bound import Bound, Kind
from randtensor.orders._logarithm import log, loglog
from randtensor.orders._order import RESERVED_NAMES, Order, Scale, sum_of_monomials
from randtensor.orders._text import GREEK
from randtensor.orders._tokens import CLOSING, DEEPEST_NESTING, Reader, Token

__all__ = ["parse_bound", "parse_order"]

_STARTS = ("number", "name", "function", "(", "{")
_KINDS: dict[str, Kind] = {"O": "O", "o": "o", "Theta": "Theta", "Omega": "Omega"}


def parse_order(text: str, scales: Iterable[Scale] | None = None) -> Order:
    r"""The order that a text denotes, in the notation of ``str(order)``, of Python or of LaTeX.

    Numerical factors are dropped, since an order is a class up to constants. ``log x`` is log(1/x) where x
    tends to 0.

    Parameters
    ----------
    text : at most 1000 characters, such as ``"n^{-1/2} log n"``, ``"sqrt(n)/m"``, ``"(log n)^2"``, ``"log^2
        n"``, ``"n**-0.5"``, ``r"\frac{1}{n} + \eta"``.
    scales : the scales that may occur; by default every name is a scale that tends to infinity.

    Raises
    ------
    OrderError : the text is not an order, is ambiguous, or names an unknown scale; the message tells the
        position.

    Examples
    --------
    >>> parse_order(r"\log(n)^2 / \sqrt{n}")
    Order('n^{-1/2} (log n)^2')
    >>> parse_order("eta log(1/eta)", scales=[Scale("eta", to=0)]) < 1
    True
    """
    parser = _Parser(text, "an order", scales)
    order = parser.sum()
    parser.expect("end", "an operator or the end")
    return order


def parse_bound(text: str, scales: Iterable[Scale] | None = None) -> Bound:
    r"""The bound that a text such as ``"O(n^{-1/2} log n)"`` denotes.

    Parameters
    ----------
    text : an order in parentheses after ``O``, ``o``, ``Theta`` or ``Omega``; LaTeX commands and a subscript
        p for "in probability", as in ``O_p(...)``, are accepted.
    scales : as for `parse_order`.

    Raises
    ------
    OrderError : the text is not a bound.

    Examples
    --------
    >>> parse_bound("O_p(n^{-1/2} log n)")
    O('n^{-1/2} log n')
    >>> parse_bound(r"\Theta\left(n^{-1}\right)")
    Theta('n^{-1}')
    """
    parser = _Parser(text, "a bound", scales)
    head = parser.take()
    name, _, subscript = head.text.partition("_")
    if head.kind != "name" or name not in _KINDS or subscript not in ("", "p", "P"):
        parser.fail(head, "O, o, Theta or Omega")
    if parser.next.kind != "(":
        parser.fail(parser.next, "'(' and an order")
    order = parser.group()
    parser.expect("end", "the end")
    return Bound(_KINDS[name], order)


class _Parser(Reader):
    def __init__(self, text: str, what: str, scales: Iterable[Scale] | None) -> None:
        super().__init__(text, what)
        self.after_bare_logarithm = False
        self.scales: dict[str, Scale] | None = None
        if scales is not None:
            given = [scales] if isinstance(scales, Scale) else list(scales)
            for scale in given:
                if not isinstance(scale, Scale):
                    raise OrderError(f"scales contain {scale!r}, expected only instances of Scale")
            self.scales = {scale.name: scale for scale in given}
            if len(self.scales) < len(set(given)):
                raise OrderError(f"scales are {given!r}, expected one scale for each name")

    def sum(self) -> Order:
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            self.fail(self.next, f"at most {DEEPEST_NESTING} nested groups")
        products = [self.product()]
        while self.next.kind == "+":
            self.take()
            products.append(self.product())
        self.depth -= 1
        # One hull for the whole sum: a hull per addition would take quadratic time.
        with self.arithmetic():
            return sum_of_monomials(monomial for product in products for monomial in product._monomials)

    def product(self) -> Order:
        result = self.power()
        while True:
            operator = self.next.kind
            if operator in ("*", "/"):
                self.take()
            elif operator not in _STARTS:
                return result
            elif self.after_bare_logarithm and self.next.text not in ("log", "loglog"):
                self.fail(self.next, "'*' or parentheses, since what follows log n may belong to its argument,")
            factor = self.power()
            with self.arithmetic():
                result = result / factor if operator == "/" else result * factor
            if operator == "/" and self.next.kind in _STARTS:
                self.fail(self.next, "'*' or parentheses, since a factor after a quotient is ambiguous,")

    def power(self) -> Order:
        token = self.take()
        self.after_bare_logarithm = False
        if token.text in ("log", "loglog") and token.kind == "function":
            return self.logarithm(token)
        base = self.atom(token)
        if self.next.kind != "^":
            return base
        exponent = self.exponent()
        with self.arithmetic():
            return base**exponent

    def atom(self, token: Token) -> Order:
        if token.kind == "number":
            return Order(Fraction(token.text))
        if token.kind == "name":
            return self.scale(token)
        if token.kind in CLOSING:
            self.index -= 1
            return self.group()
        if token.text == "sqrt":
            return self.group() ** Fraction(1, 2)
        if token.text == "frac":
            numerator, denominator = self.group(), self.group()
            with self.arithmetic():
                return numerator / denominator
        self.fail(token, "a scale, a number, a function or '('")

    def group(self) -> Order:
        opening = self.take()
        if opening.kind not in CLOSING:
            self.fail(opening, "'('")
        result = self.sum()
        self.expect(CLOSING[opening.kind], f"an operator or {CLOSING[opening.kind]!r}")
        self.after_bare_logarithm = False
        return result

    def scale(self, token: Token) -> Order:
        if self.scales is not None:
            if token.text not in self.scales:
                self.fail(token, f"one of the scales {', '.join(sorted(self.scales)) or '(none)'}")
            scale = self.scales[token.text]
        elif token.text in RESERVED_NAMES:
            self.fail(token, "a scale, a number, a function or '('")
        elif "log" in token.text:
            # "nlogn" and "log2" would otherwise be scales.
            self.fail(token, "spaces around log, and none of it in the name of a scale,")
        else:
            with self.arithmetic():
                scale = Scale(token.text)
        if (
            self.next.kind == "("
            and self.next.position == token.end
            and len(token.text) > 1
            and token.text not in GREEK
        ):
            self.fail(self.next, f"'*', since {token.text} is a scale and not a function,")
        return scale

    def logarithm(self, token: Token) -> Order:
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            self.fail(token, f"at most {DEEPEST_NESTING} nested functions")
        exponent = self.exponent() if self.next.kind == "^" else None
        bare = self.next.kind not in CLOSING
        if not bare:
            argument = self.group()
        elif self.next.kind == "name":
            argument = self.scale(self.take())
        elif self.next.kind == "function" and self.next.text in ("log", "loglog"):
            argument = self.logarithm(self.take())
            bare = self.after_bare_logarithm
        else:
            self.fail(self.next, f"a scale or '(' after {token.text}")
        with self.arithmetic():
            result = log(argument) if token.text == "log" else loglog(argument)
        if self.next.kind == "^":
            if bare or exponent is not None:
                self.fail(self.next, f"an unambiguous power, as in (log n)^2 or log(n^2), of {token.text}")
            exponent = self.exponent()
        self.depth -= 1
        self.after_bare_logarithm = bare
        if exponent is None:
            return result
        with self.arithmetic():
            return result**exponent

    def exponent(self) -> Fraction:
        self.expect("^", "'^'")
        if self.next.kind in CLOSING:
            opening = self.take()
            value = self.rational()
            self.expect(CLOSING[opening.kind], f"{CLOSING[opening.kind]!r} after the exponent")
            return value
        value = self.sign() * self.number()
        after = self.tokens[self.index : self.index + 2]
        if [token.kind for token in after] == ["/", "number"]:
            self.fail(after[0], "braces around the exponent, as in n^{1/2}, or around its base, as in (n^1)/2,")
        return value

    def rational(self) -> Fraction:
        sign = self.sign()
        if self.next.kind == "function" and self.next.text == "frac":
            self.take()
            parts = []
            for _ in range(2):
                self.expect("{", "'{'")
                parts.append(self.sign() * self.number())
                self.expect("}", "'}'")
            return sign * self.quotient(parts[0], parts[1])
        value = self.number()
        if self.next.kind == "/":
            self.take()
            value = self.quotient(value, self.number())
        return sign * value

    def quotient(self, numerator: Fraction, denominator: Fraction) -> Fraction:
        if denominator == 0:
            self.fail(self.tokens[self.index - 1], "a denominator other than 0")
        return numerator / denominator

    def number(self) -> Fraction:
        return Fraction(self.expect("number", "a rational number as the exponent").text)
