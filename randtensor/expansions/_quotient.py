"""Denominators as products of factors, and what cancels between them and a numerator."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction

from randtensor.expansions._polynomial import ONE, Coefficient, Key, Polynomial, fraction_of, plain
from randtensor.expansions._univariate import divided_by, greatest_common_divisor, split_roots

__all__ = ["Factors", "common_multiple", "expanded", "factorised", "reduced"]

#: Primitive polynomials with integer coefficients, non-negative exponents and no monomial factor, to powers.
Factors = dict[Polynomial, int]

# From this degree on a common divisor is not looked for: it is costly, and sums and equality need none.
_LARGEST_DEGREE = 512

# A division that looks at more exponents than this is given up: (x^k - y^k)/(x - y) has k terms.
_MOST_WORK = 4 * 10**5


def expanded(factors: Factors) -> Polynomial:
    product = ONE
    for factor, power in factors.items():
        product = product * factor**power
    return product


def factorised(polynomial: Polynomial) -> tuple[Polynomial, Factors]:
    """A single term and primitive factors whose product is the polynomial, which must not be zero."""
    exact = polynomial.rationalised()
    fractions = [fraction_of(c) for c in exact.terms.values()]
    scale = Fraction(math.gcd(*(c.numerator for c in fractions)), math.lcm(*(c.denominator for c in fractions)))
    if exact.terms[exact.lead] < 0:
        scale = -scale
    content = exact.content
    primitive = exact.divided(content, scale)
    unit = Polynomial.of(exact.variables, {content: plain(scale)})
    if not polynomial.is_exact:
        unit = Polynomial(unit.variables, {key: float(c) for key, c in unit.terms.items()})
    if primitive.is_one:
        return unit, {}
    if len(primitive.variables) > 1:
        return unit, {primitive: 1}
    root = _root([primitive], 0)
    if primitive.lead[0] * root >= _LARGEST_DEGREE:
        return unit, {primitive: 1}
    factors: Factors = {}
    for part in split_roots(_dense(primitive.terms, 0, root)):
        factor = _sparse(part, primitive, root)
        factors[factor] = factors.get(factor, 0) + 1
    return unit, factors


def common_multiple(a: Factors, b: Factors) -> tuple[Factors, Polynomial, Polynomial]:
    """A common multiple of two denominators, and what it is divided by each of them."""
    if a == b:
        return a, ONE, ONE
    multiple = {factor: max(a.get(factor, 0), b.get(factor, 0)) for factor in [*a, *b]}
    missing = [{f: p - own.get(f, 0) for f, p in multiple.items()} for own in (a, b)]
    return multiple, expanded(missing[0]), expanded(missing[1])


def reduced(numerator: Polynomial, factors: Factors) -> tuple[Polynomial, Factors]:
    """The same quotient in lower terms.

    What several factors in one variable share with the numerator is cancelled (so the result is in lowest
    terms if all factors are of this kind), other factors as far as they divide the numerator as a whole.
    Floats take part as the fractions that they are, and only if the result is again exact in floats.
    """
    exact = numerator.rationalised()
    left: Factors = {}
    for factor, power in factors.items():
        if len(factor.variables) == 1:
            exact, parts = _cancelled(exact, factor, power)
        else:
            exact, parts = _divided_out(exact, factor, power)
        for part, exponent in parts.items():
            left[part] = left.get(part, 0) + exponent
    if left == factors:
        return numerator, factors
    if numerator.is_exact:
        return exact, left
    try:
        floats: dict[Key, Coefficient] = {key: float(c) for key, c in exact.terms.items()}
    except OverflowError:
        return numerator, factors
    lossless = all(Fraction(c) == exact.terms[key] for key, c in floats.items())
    return (Polynomial.of(exact.variables, floats), left) if lossless else (numerator, factors)


def _divided_out(numerator: Polynomial, factor: Polynomial, power: int) -> tuple[Polynomial, Factors]:
    while power:
        quotient = _exact_quotient(numerator, factor)
        if quotient is None:
            return numerator, {factor: power}
        numerator, power = quotient, power - 1
    return numerator, {}


def _exact_quotient(numerator: Polynomial, factor: Polynomial) -> Polynomial | None:
    """The quotient if it is a finite sum; leading terms are divided one after the other."""
    if not set(factor.variables) <= set(numerator.variables):
        return None
    variables = numerator.variables
    content = numerator.content
    rest = {tuple(e - low for e, low in zip(k, content, strict=True)): c for k, c in numerator.terms.items()}
    divisor = factor.aligned(variables)
    # All exponents are non-negative now, so by total degree only finitely many monomials are smaller.
    lead = max(divisor, key=_degree)
    quotient: dict[Key, Coefficient] = {}
    work = 0
    while rest:
        work += len(rest) * len(variables)
        if work > _MOST_WORK:
            return None
        top = max(rest, key=_degree)
        key = tuple(a - b for a, b in zip(top, lead, strict=True))
        if min(key) < 0:
            return None
        c = quotient[key] = plain(Fraction(rest[top]) / Fraction(divisor[lead]))
        for other, d in divisor.items():
            position = tuple(a + b for a, b in zip(key, other, strict=True))
            difference = rest.get(position, 0) - c * d
            if difference:
                rest[position] = difference
            else:
                del rest[position]
    raised = {tuple(e + low for e, low in zip(key, content, strict=True)): c for key, c in quotient.items()}
    return Polynomial.of(variables, raised)


def _degree(key: Key) -> tuple[int | Fraction, Key]:
    return sum(key), key


def _cancelled(numerator: Polynomial, factor: Polynomial, power: int) -> tuple[Polynomial, Factors]:
    """Common divisors of a factor in one variable and of all coefficients of the numerator with respect to it."""
    if not set(factor.variables) <= set(numerator.variables):
        return numerator, {factor: power}
    at = numerator.variables.index(factor.variables[0])
    root = math.lcm(_root([factor], 0), _root([numerator], at))
    rows: defaultdict[Key, dict[Key, Coefficient]] = defaultdict(dict)
    for key, c in numerator.terms.items():
        rows[(*key[:at], *key[at + 1 :])][(key[at],)] = c
    lows = {rest: min(row)[0] for rest, row in rows.items()}
    degrees = [(max(row)[0] - lows[rest]) * root for rest, row in rows.items()]
    if max(*degrees, factor.lead[0] * root) > _LARGEST_DEGREE:
        return numerator, {factor: power}
    scale = math.lcm(*(fraction_of(c).denominator for c in numerator.terms.values()))
    dense = {rest: _dense(row, lows[rest], root, scale) for rest, row in rows.items()}
    left: Factors = {}
    pending = [(_dense(factor.terms, 0, root), power)]
    changed = False
    while pending:
        part, exponent = pending.pop()
        common = part
        for row_coefficients in dense.values():
            common = greatest_common_divisor(common, row_coefficients)
            if len(common) == 1:
                break
        if len(common) == 1:
            whole = _sparse(part, factor, root)
            left[whole] = left.get(whole, 0) + exponent
            continue
        changed = True
        dense = {rest: divided_by(row_coefficients, common) for rest, row_coefficients in dense.items()}
        if exponent > 1:
            pending.append((common, exponent - 1))
        if len(part) > len(common):
            pending.append((divided_by(part, common), exponent))
    if not changed:
        return numerator, left
    terms: dict[Key, Coefficient] = {}
    for rest, row_coefficients in dense.items():
        for i, c in enumerate(row_coefficients):
            if c:
                terms[(*rest[:at], plain_exponent(lows[rest] + Fraction(i, root)), *rest[at:])] = plain(
                    Fraction(c, scale)
                )
    return Polynomial.of(numerator.variables, terms), left


def plain_exponent(value: Fraction | int) -> Fraction | int:
    return value.numerator if value.denominator == 1 else value


def _root(polynomials: list[Polynomial], at: int) -> int:
    """The common denominator of the exponents of a variable."""
    return math.lcm(*(key[at].denominator for p in polynomials for key in p.terms))


def _dense(terms: dict[Key, Coefficient], low: int | Fraction, root: int, scale: int = 1) -> list[int]:
    """Coefficients, times ``scale``, of a polynomial in the variable to the power 1/root."""
    coefficients = [0] * (int((max(terms)[0] - low) * root) + 1)
    for key, c in terms.items():
        coefficients[int((key[0] - low) * root)] = int(fraction_of(c) * scale)
    return coefficients


def _sparse(coefficients: list[int], like: Polynomial, root: int) -> Polynomial:
    terms: dict[Key, Coefficient] = {(plain_exponent(Fraction(i, root)),): c for i, c in enumerate(coefficients) if c}
    return Polynomial(like.variables, terms)
