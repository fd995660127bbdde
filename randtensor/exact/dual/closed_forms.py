"""Closed forms of E phi(u) phi(v) and E phi'(u) phi'(v) for centred Gaussian u, v of variances p, q and covariance c.

With s^2 = p q - c^2, angle theta, and asin and all differences written so that nothing cancels:

- polynomials: sum_j c^j / j! E phi^(j)(u) E phi^(j)(v);
- piecewise linear, slopes l and r: alpha = (r + l) / 2, beta = (r - l) / 2, and with
  g = sin theta + (pi/2 - theta) cos theta: alpha^2 c + (2/pi) beta^2 sqrt(p q) g and alpha^2 + beta^2 (1 - 2 theta/pi)
  (arc-cosine kernels: Cho & Saul, NIPS 2009);
- erf: (2/pi) asin(2 c / sqrt((1+2p)(1+2q))) (Williams, NIPS 1996);
- gelu: Stein's identity twice (in other terms: Tsuchida et al., AAAI 2021, arXiv 2002.08517);
- sin, cos, exp: characteristic functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.exact.derivatives._integrals import slopes_of
from randtensor.exact.laws.law import polynomial_coefficients
from randtensor.programs.activations import Activation, get_activation

__all__ = ["closed_form", "next_angles"]

Array = NDArray[np.float64]

#: (p, q, c, theta) -> (E phi phi, E phi' phi')
Rule = Callable[[Array, Array, Array, Array], tuple[Array, Array]]


def closed_form(activation: Activation) -> Rule | None:
    """The rule for an activation, None if there is none.

    >>> rule = closed_form(get_activation("relu"))
    >>> one, right_angle = np.ones(1), np.full(1, np.pi / 2)
    >>> [float(x[0].round(12)) for x in rule(one, one, 0 * one, right_angle)], closed_form(get_activation("tanh"))
    ([0.159154943092, 0.25], None)
    """
    coefficients = polynomial_coefficients(activation)
    if coefficients is not None:
        numbers = [float(c) for c in coefficients]
        return lambda p, q, c, theta: _polynomial(numbers, p, q, c)
    if activation.smoothness == "piecewise-linear":
        slopes = _halves(activation)
        return lambda p, q, c, theta: _piecewise_linear(slopes, p, q, c, theta)
    # By identity: an activation of one's own may have the name of another.
    return next((rule for name, rule in _RULES.items() if get_activation(name) is activation), None)


def next_angles(activation: Activation, angles: Array) -> Array:
    """Angles between phi(u) and phi(v) for a piecewise linear phi, from those between u and v."""
    alpha, beta = _halves(activation)
    folded = np.minimum(angles, np.pi - angles)
    defect = 2 * np.sin(folded / 2) ** 2 - 2 / np.pi * (np.sin(folded) - folded * np.cos(folded))
    missing = (2 * alpha**2 * np.sin(angles / 2) ** 2 + beta**2 * defect) / (alpha**2 + beta**2)
    result: Array = 2 * np.arcsin(np.sqrt(np.clip(missing / 2, 0.0, 1.0)))
    return result


def _halves(activation: Activation) -> tuple[float, float]:
    """The slopes of the odd and of the even part."""
    left, right = map(float, slopes_of(activation))
    return (right + left) / 2, (right - left) / 2


def _piecewise_linear(slopes: tuple[float, float], p: Array, q: Array, c: Array, theta: Array) -> tuple[Array, Array]:
    alpha, beta = slopes
    rest = np.pi / 2 - theta
    even = 2 / np.pi * np.sqrt(p) * np.sqrt(q) * (np.sin(theta) + rest * np.cos(theta))
    return alpha**2 * c + beta**2 * even, alpha**2 + beta**2 * 2 / np.pi * rest


def _polynomial(coefficients: Sequence[float], p: Array, q: Array, c: Array) -> tuple[Array, Array]:
    def moment(polynomial: Sequence[float], variance: Array) -> Array:
        # (k - 1)!! is the k-th moment of a standard normal variable.
        terms = [
            a * math.prod(range(k - 1, 0, -2)) * variance ** (k // 2) for k, a in enumerate(polynomial) if k % 2 == 0
        ]
        return np.asarray(sum(terms, np.zeros_like(variance)))

    derivatives = [list(coefficients)]
    while len(derivatives[-1]) > 1:
        derivatives.append([k * a for k, a in enumerate(derivatives[-1])][1:])
    products = [moment(d, p) * moment(d, q) for d in derivatives]
    zero = np.zeros_like(c)
    value = sum((c**j / math.factorial(j) * product for j, product in enumerate(products)), zero)
    slope = sum((c**j / math.factorial(j) * product for j, product in enumerate(products[1:])), zero)
    return np.asarray(value), np.asarray(slope)


def _erf(p: Array, q: Array, c: Array, theta: Array) -> tuple[Array, Array]:
    root = np.sqrt(1 + 2 * p + 2 * q + 4 * _determinant(p, q, theta))
    return 2 / np.pi * np.arctan2(2 * c, root), 4 / np.pi / root


def _gelu(p: Array, q: Array, c: Array, theta: Array) -> tuple[Array, Array]:
    determinant = _determinant(p, q, theta)
    inverses = 1 / (1 + p) + 1 / (1 + q)
    whole = 1 + p + q + determinant
    root = np.sqrt(whole)
    sector = 0.25 + np.arctan2(c, root) / (2 * np.pi)
    numerator = determinant + c**2 * inverses
    value = c * sector + numerator / (2 * np.pi * root)
    return value, sector + c * (2 * inverses - 1 + numerator / whole) / (2 * np.pi * root)


def _waves(p: Array, q: Array, theta: Array) -> tuple[Array, Array]:
    """E sin sin and E cos cos."""
    a, b = np.sqrt(p), np.sqrt(q)
    difference = np.exp(-((a - b) ** 2) / 2 - 2 * a * b * np.sin(theta / 2) ** 2)
    total = np.exp(-((a - b) ** 2) / 2 - 2 * a * b * np.cos(theta / 2) ** 2)
    return (difference - total) / 2, (difference + total) / 2


def _sin(p: Array, q: Array, c: Array, theta: Array) -> tuple[Array, Array]:
    sines, cosines = _waves(p, q, theta)
    return sines, cosines


def _cos(p: Array, q: Array, c: Array, theta: Array) -> tuple[Array, Array]:
    sines, cosines = _waves(p, q, theta)
    return cosines, sines


def _exp(p: Array, q: Array, c: Array, theta: Array) -> tuple[Array, Array]:
    value = np.exp((p + q) / 2 + c)
    return value, value


def _determinant(p: Array, q: Array, theta: Array) -> Any:
    return p * q * np.sin(theta) ** 2


_RULES: dict[str, Rule] = {"erf": _erf, "gelu": _gelu, "sin": _sin, "cos": _cos, "exp": _exp}
