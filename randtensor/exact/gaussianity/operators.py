r"""The differential operators of an Edgeworth series, generated from cumulants.

A law whose cumulants of order p at n^{-w/2} are c_{p,w}, beside those of a Gaussian G, has

    E F = E exp( sum_{w>=1} e^w C_w(D) ) F(G),   C_w(D) = sum_p c_{p,w} D^p / p!,   e = n^{-1/2},

so that the operators of E F = sum_j e^j E P_j(D) F(G) follow from the derivative of the exponential,

    P_0 = 1,   j P_j = sum_{k=1..j} k C_k P_{j-k}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import combinations_with_replacement

from randtensor.exact.derivatives._integrals import Monomial, PreActivations, gaussian_integrals, slopes_of
from randtensor.exact.rationals import Number
from randtensor.programs.activations import Activation

__all__ = ["Operator", "derivative_means", "edgeworth_operators", "exponents", "symbol"]

#: A polynomial in the derivatives along each variable: coefficients by powers.
Operator = dict[tuple[int, ...], Number]


def edgeworth_operators(cumulants: Sequence[Mapping[tuple[int, ...], Number]], variables: int) -> tuple[Operator, ...]:
    """P_0, ..., P_J from the cumulants at n^-1/2, ..., n^-J/2.

    Parameters
    ----------
    cumulants : by power of n^-1/2, starting at 1: joint cumulants by how often each variable is taken.
    variables : how many there are.

    Examples
    --------
    The operators c_3 D^3 / 6 and c_4 D^4 / 24 + (c_3 D^3)^2 / 72 for c_3 = 6 and c_4 = 24:

    >>> edgeworth_operators([{(3,): Fraction(6)}, {(4,): Fraction(24)}], 1)[1:]
    ({(3,): Fraction(1, 1)}, {(4,): Fraction(1, 1), (6,): Fraction(1, 2)})
    """
    series = [
        {powers: value / math.prod(map(math.factorial, powers)) for powers, value in level.items() if value}
        for level in cumulants
    ]
    found: list[Operator] = [{(0,) * variables: Fraction(1)}]
    for j in range(1, len(series) + 1):
        total: Operator = {}
        for k in range(1, j + 1):
            for powers, value in series[k - 1].items():
                for others, coefficient in found[j - k].items():
                    key = tuple(a + b for a, b in zip(powers, others, strict=True))
                    total[key] = total.get(key, Fraction(0)) + Fraction(k, j) * value * coefficient
        found.append(dict(sorted(total.items())))
    return tuple(found)


def exponents(variables: int, order: int) -> list[tuple[int, ...]]:
    """All ways to take ``order`` factors from so many variables.

    >>> exponents(2, 2)
    [(2, 0), (1, 1), (0, 2)]
    """
    chosen = combinations_with_replacement(range(variables), order)
    return [tuple(part.count(i) for i in range(variables)) for part in chosen]


def symbol(operator: Operator, u: Sequence[complex]) -> complex:
    """The operator with numbers in place of the derivatives.

    >>> symbol({(2,): Fraction(1)}, [2j])
    (-4+0j)
    """
    total = 0j
    for powers, coefficient in operator.items():
        total += float(coefficient) * reduce(lambda a, b: a * b, (x**p for x, p in zip(u, powers, strict=True)), 1 + 0j)
    return total


def derivative_means(activation: Activation, power: int, variance: Number, highest: int) -> list[Number]:
    """E of the derivatives of order 0, ..., ``highest`` of phi(z)^power over z ~ N(0, variance).

    Those of piecewise linear phi are derivatives of distributions: jumps count.

    Raises
    ------
    ExactError : the integrals are not found.

    Examples
    --------
    >>> from randtensor.programs.activations import get_activation
    >>> [float(mean) for mean in derivative_means(get_activation("square"), 2, Fraction(1), 4)]
    [3.0, 0.0, 12.0, 0.0, 24.0]
    """
    if activation.smoothness == "piecewise-linear":
        return _piecewise(slopes_of(activation), power, variance, highest)
    derivatives: list[dict[Monomial, int]] = [{((0, 0, power),): 1}]
    for _ in range(highest):
        derivatives.append(_differentiated(derivatives[-1]))
    needed = {monomial for derivative in derivatives for monomial in derivative}
    # The one input has length 1, so that z has the variance of the weight.
    integrals = gaussian_integrals(activation, _unit_point(variance), needed)
    return [
        sum((weight * integrals[monomial] for monomial, weight in derivative.items()), Fraction(0))
        for derivative in derivatives
    ]


def _unit_point(variance: Number) -> PreActivations:
    import numpy as np

    return PreActivations([np.ones(1)], variance)


def _differentiated(polynomial: dict[Monomial, int]) -> dict[Monomial, int]:
    """The derivative in z of a polynomial in the derivatives of phi."""
    result: dict[Monomial, int] = {}
    for monomial, weight in polynomial.items():
        for _, order, exponent in monomial:
            powers = {k: e for _, k, e in monomial}
            powers[order] -= 1
            powers[order + 1] = powers.get(order + 1, 0) + 1
            key = tuple((0, k, e) for k, e in sorted(powers.items()) if e)
            result[key] = result.get(key, 0) + weight * exponent
    return result


def _piecewise(slopes: tuple[Number, Number], power: int, variance: Number, highest: int) -> list[Number]:
    """phi^p is s^p z^p on each half-line: its derivatives up to p are powers, and then those of a delta."""
    below, above = (slope**power for slope in slopes)
    result: list[Number] = []
    for order in range(highest + 1):
        if order <= power:
            left = power - order
            result.append(math.perm(power, order) * (above + (-1) ** left * below) * _half_moment(left, variance))
            continue
        steps = order - power - 1
        density = (2 * math.pi * float(variance)) ** -0.5
        delta = (
            0.0 if steps % 2 else float(-1 / variance) ** (steps // 2) * math.prod(range(steps - 1, 0, -2)) * density
        )
        result.append(math.factorial(power) * (above - below) * delta)
    return result


def _half_moment(order: int, variance: Number) -> Number:
    """E z^order over z > 0."""
    if order % 2 == 0:
        return math.prod(range(order - 1, 0, -2)) * variance ** (order // 2) / 2
    half = order // 2
    return math.factorial(half) * (2 * variance) ** half * math.sqrt(float(variance) / (2 * math.pi))
