r"""Truncated polynomials: the ring over which programs are evaluated.

A value is a polynomial in t_1, ..., t_k with array coefficients, in which t_j^(m_j + 1) = 0. Evaluating a function at
theta + sum_j t_j delta_j over this ring yields all its mixed directional derivatives up to those degrees at once: the
coefficient of t^alpha is the derivative along delta^alpha divided by alpha!. Distinct directions (m_j = 1), one
direction many times (univariate Taylor mode) and no direction at all (plain evaluation) are the same code.

Coefficients that vanish identically are left out, so that a program pays only for the monomials that occur.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from randtensor.programs.activations import Activation

__all__ = ["Monomial", "Polynomial", "Ring", "add", "compose", "multiply"]

Array = np.ndarray
Monomial = tuple[int, ...]
Polynomial = dict[Monomial, Array]

#: Elements per panel in which a composition is evaluated: few enough for its temporaries to stay in cache, and enough
#: for a panel to take longer than handing the interpreter from one thread to another.
PANEL = 2**15


class Ring:
    """Polynomials in variables with highest powers ``degrees``; ``Ring(())`` is the plain real numbers."""

    def __init__(self, degrees: tuple[int, ...]) -> None:
        self.degrees = degrees
        self.monomials: tuple[Monomial, ...] = tuple(product(*(range(d + 1) for d in degrees)))
        self.one: Monomial = (0,) * len(degrees)
        self.degree = sum(degrees)
        kept = set(self.monomials)
        sums = ((a, b, tuple(x + y for x, y in zip(a, b, strict=True))) for a in kept for b in kept)
        self._products = {(a, b): c for a, b, c in sums if c in kept}

    def product(self, a: Monomial, b: Monomial) -> Monomial | None:
        """The product of two monomials, or None where it is truncated."""
        return self._products.get((a, b))

    def variable(self, j: int) -> Monomial:
        """The monomial t_j."""
        return tuple(int(i == j) for i in range(len(self.degrees)))


@lru_cache(maxsize=256)
def ring(degrees: tuple[int, ...]) -> Ring:
    """The ring with these degrees, built once."""
    return Ring(degrees)


def add(target: Polynomial, other: Polynomial) -> None:
    """``target += other``; no array is copied or modified, so both may share coefficients with others."""
    for monomial, coefficient in other.items():
        present = target.get(monomial)
        target[monomial] = coefficient if present is None else present + coefficient


def accumulate(target: Polynomial, monomial: Monomial, coefficient: Array) -> None:
    """Add one coefficient that nobody else holds, in place where it fits."""
    present = target.get(monomial)
    if present is None:
        target[monomial] = coefficient
    elif present.shape == np.broadcast_shapes(present.shape, coefficient.shape):
        present += coefficient
    else:
        target[monomial] = present + coefficient


def multiply(base: Ring, left: Polynomial, right: Polynomial) -> Polynomial:
    """The truncated product; coefficients broadcast as arrays do."""
    result: Polynomial = {}
    for a, x in left.items():
        for b, y in right.items():
            c = base.product(a, b)
            if c is not None:
                accumulate(result, c, x * y)
    return result


def compose(
    base: Ring, activation: Activation, argument: Polynomial, derivative: bool
) -> tuple[Polynomial, Polynomial | None]:
    """``phi(z)`` and, if asked for, ``phi'(z)`` for a polynomial z.

    With z = z_0 + N and N nilpotent, phi(z) = sum_k phi^(k)(z_0)/k! N^k, summed by Horner's rule. A partial sum that is
    still to be multiplied by N^k needs only its terms of degree up to (total degree - k).
    """
    constant = argument.get(base.one)
    if constant is not None and len(argument) == 1 and constant.size <= _panel(constant):
        # plain numbers in one panel, as in training: nothing to sum
        found = [z.reshape(constant.shape) for z in activation.taylor(constant.reshape(-1), int(derivative))]
        return {base.one: found[0]}, {base.one: found[1]} if derivative else None
    if base.one not in argument:
        some = next(iter(argument.values()))
        shape = some.shape
        argument = {base.one: np.zeros(shape, like=some), **argument}
    shape = np.broadcast_shapes(*(z.shape for z in argument.values()))
    flat = {m: np.broadcast_to(z, shape).reshape(-1) for m, z in argument.items()}
    size = flat[base.one].size
    values: list[Polynomial] = [{}, {}] if derivative else [{}]
    step = _panel(flat[base.one])
    for start in range(0, size, step):
        panel = {m: z[start : start + step] for m, z in flat.items()}
        constant = panel.pop(base.one)
        highest = base.degree if panel else 0
        taylor = activation.taylor(constant, highest + int(derivative))
        series = [taylor[: highest + 1]]
        if derivative:
            series.append([taylor[1]] + [(k + 1) * taylor[k + 1] for k in range(1, highest + 1)])
        for target, coefficients in zip(values, series, strict=True):
            _write(target, _horner(base, coefficients, panel), start, size)
    results = [{m: z.reshape(shape) for m, z in target.items()} for target in values]
    return results[0], results[1] if derivative else None


def _panel(array: Array) -> int:
    """Elements per panel; all where another library has panels of its own."""
    return PANEL if isinstance(array, np.ndarray) else max(array.size, 1)


def _horner(base: Ring, taylor: list[Array], nilpotent: Polynomial) -> Polynomial:
    highest = len(taylor) - 1
    total: Polynomial = {base.one: taylor[highest]}
    for k in range(highest - 1, -1, -1):
        following: Polynomial = {}
        for a, x in nilpotent.items():
            for b, y in total.items():
                c = base.product(a, b)
                if c is not None and sum(c) <= highest - k:
                    accumulate(following, c, x * y)
        following[base.one] = taylor[k]
        total = following
    return total


def _write(target: Polynomial, panel: Polynomial, start: int, size: int) -> None:
    """Put one panel of the result into arrays of full length, or keep it if it is all there is."""
    if start == 0 and next(iter(panel.values())).size == size:
        target.update(panel)
        return
    if not target:
        # One allocation for all coefficients: large enough for huge pages, whose first touch is far cheaper.
        target.update(zip(panel, np.empty((len(panel), size), like=panel[next(iter(panel))]), strict=True))
    for monomial, coefficient in panel.items():
        target[monomial][start : start + coefficient.size] = coefficient
