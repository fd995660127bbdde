"""Taylor coefficients of elementary functions at every entry of an array.

Each function takes a floating-point array ``z`` and an order K and returns the K + 1 arrays phi(z), phi'(z),
phi''(z)/2!, ..., phi^(K)(z)/K!, all fresh, of the shape and dtype of ``z``. They are the inner loops of the
jet engine, called on panels that fit a cache, so they work in place and count their passes over memory. Entry
0 is computed the same way whatever the order.

The recurrences are the ones of the differential equations the functions satisfy (A. Griewank and A. Walther,
*Evaluating Derivatives*, 2nd ed., SIAM 2008, section 13.2), rearranged so that no tail is a difference of
large numbers.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

# Powers up to this one are products, built from the bottom; beyond it np.power is faster and more accurate.
_LARGEST_PRODUCT = 16


def _inverse_factorials(order: int) -> list[float]:
    return [1 / math.factorial(k) for k in range(order + 1)]


# --- the logistic family: tanh, sigmoid, softplus, silu ---------------------------------------------------


@lru_cache(maxsize=64)
def _logistic_polynomials(order: int, square: Fraction) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """Coefficients 3 to `order` of h, where h' = s, s' = -2 h s, h^2 = square - s, as polynomials in s.

    The k-th Taylor coefficient of h is s P_k(s) for odd k and -h s P_k(s) for even k. Differentiating these
    two forms gives P_1 = P_2 = 1 and, with R = s P_k,

        even k + 1:  (k + 1) P_{k+1} = 2 R'          odd k + 1:  (k + 1) P_{k+1} = -R + 2 (square - s) R'

    Every P_k is monic up to its sign, so each entry is (sign, lower coefficients from the constant upwards).
    """
    polynomial = [Fraction(1)]
    found = []
    for k in range(2, order + 1):
        shifted = [Fraction(0), *polynomial]
        slope = [j * a for j, a in enumerate(shifted)][1:]
        if k % 2 == 0:
            polynomial = [2 * a / k for a in slope]
        else:
            terms = [2 * square * a for a in slope] + [Fraction(0)]
            for j, a in enumerate(slope):
                terms[j + 1] -= 2 * a
            for j, a in enumerate(shifted):
                terms[j] -= a
            polynomial = [a / k for a in terms]
        if k >= 3:
            found.append((float(polynomial[-1]), tuple(float(a) for a in polynomial[:-1])))
    return tuple(found)


def _logistic_tower(h: Array, s: Array, order: int, square: Fraction) -> list[Array]:
    """Taylor coefficients 1 to `order` of h; `s` becomes the first of them."""
    out = [s]
    if order < 2:
        return out
    second = np.negative(h)
    second *= s
    out.append(second)
    for k, (sign, lower) in enumerate(_logistic_polynomials(order, square), start=3):
        total = np.add(s, lower[-1]) if sign > 0 else np.subtract(lower[-1], s)
        for coefficient in lower[-2::-1]:
            total *= s
            total += coefficient
        total *= s if k % 2 else second
        out.append(total)
    return out


def _saturation(t: Array) -> tuple[Array, npt.NDArray[np.bool_] | None]:
    """1 - t^2 for t = tanh, and the mask of the entries where that has cancelled (None if there are none).

    The threshold is met at |x| = 4.1 (1.8 in single precision). It leaves the other entries a relative error
    of a few 1e-13 (1e-6), and a panel of standard normal arguments mostly needs no repair.
    """
    rest = np.square(t)
    np.subtract(1.0, rest, out=rest)
    tail = rest < (1e-3 if rest.dtype == np.float64 else 0.1)
    return rest, (tail if tail.any() else None)


def tanh(z: Array, order: int) -> list[Array]:
    value = np.tanh(z)
    if order == 0:
        return [value]
    slope, tail = _saturation(value)
    if tail is not None:
        decay = np.exp(-2.0 * np.abs(z[tail]))
        slope[tail] = 4.0 * decay / np.square(1.0 + decay)
    return [value, *_logistic_tower(value, slope, order, Fraction(1))]


def sigmoid(z: Array, order: int) -> list[Array]:
    half = np.multiply(z, 0.5)
    np.tanh(half, out=half)
    slope, tail = _saturation(half)
    slope *= 0.25
    half *= 0.5
    value = np.add(half, 0.5)
    if tail is not None:
        z_tail = z[tail]
        decay = np.exp(-np.abs(z_tail))
        upper = 1.0 / (1.0 + decay)
        lower = decay * upper
        value[tail] = np.where(z_tail > 0, upper, lower)
        slope[tail] = lower * upper
    if order == 0:
        return [value]
    return [value, *_logistic_tower(half, slope, order, Fraction(1, 4))]


def softplus(z: Array, order: int) -> list[Array]:
    value = np.abs(z)
    np.negative(value, out=value)
    np.exp(value, out=value)
    np.log1p(value, out=value)
    value += np.maximum(z, 0.0)
    if order == 0:
        return [value]
    slope = sigmoid(z, order - 1)
    for k, coefficient in enumerate(slope[1:], start=2):
        coefficient *= 1 / k
    return [value, *slope]


def silu(z: Array, order: int) -> list[Array]:
    out = sigmoid(z, order)
    for k in range(order, 0, -1):
        out[k] *= z
        out[k] += out[k - 1]
    out[0] *= z
    return out


# --- the normal family: erf, gelu -------------------------------------------------------------------------


def _bell(z: Array, order: int, rate: float, height: float) -> list[Array]:
    """Taylor coefficients of g = height * exp(-rate z^2 / 2), by g' = -rate z g: Hermite's recurrence.

    Started from g and not from 1, so that nothing overflows where g underflows.
    """
    first = np.square(z)
    first *= -rate / 2
    np.exp(first, out=first)
    first *= height
    out = [first]
    for k in range(1, order + 1):
        following = np.multiply(z, out[-1])
        if k > 1:
            following += out[-2]
        following *= -rate / k
        out.append(following)
    return out


def erf(z: Array, order: int) -> list[Array]:
    from scipy import special

    value: Array = special.erf(z)
    if order == 0:
        return [value]
    slope = _bell(z, order - 1, 2.0, 2 / math.sqrt(math.pi))
    for k, coefficient in enumerate(slope[1:], start=2):
        coefficient *= 1 / k
    return [value, *slope]


def gelu(z: Array, order: int) -> list[Array]:
    from scipy import special

    probability: Array = special.ndtr(z)
    out = [np.multiply(z, probability)]
    if order == 0:
        return out
    density = _bell(z, order, 1.0, 1 / math.sqrt(2 * math.pi))
    # (z Phi)_k = z Phi_k + Phi_{k-1} with k Phi_k = p_{k-1}: the recurrence for p removes the product.
    np.subtract(probability, density[1], out=probability)
    out.append(probability)
    for k in range(2, order + 1):
        earlier = density[k - 2]
        earlier *= 1 / (k * (k - 1))
        earlier -= density[k]
        out.append(earlier)
    return out


# --- circular functions -----------------------------------------------------------------------------------


def _circular(values: tuple[Array, Array], signs: tuple[int, int, int, int], order: int) -> list[Array]:
    out = list(values)
    for k, weight in enumerate(_inverse_factorials(order)):
        if k >= 2:
            out.append(np.multiply(values[k % 2], signs[k % 4] * weight))
    np.multiply(out[1], signs[1], out=out[1])
    return out


def sin(z: Array, order: int) -> list[Array]:
    return [np.sin(z)] if order == 0 else _circular((np.sin(z), np.cos(z)), (1, 1, -1, -1), order)


def cos(z: Array, order: int) -> list[Array]:
    return [np.cos(z)] if order == 0 else _circular((np.cos(z), np.sin(z)), (1, -1, -1, 1), order)


def arctan(z: Array, order: int) -> list[Array]:
    value = np.arctan(z)
    if order == 0:
        return [value]
    # g = 1 / (1 + z^2) solves (1 + z^2) g_k + 2 z g_{k-1} + g_{k-2} = 0; both solutions shrink alike.
    slope = np.square(z)
    slope += 1.0
    np.reciprocal(slope, out=slope)
    out = [value, slope]
    if order == 1:
        return out
    weight = np.multiply(z, slope)
    weight *= -2.0
    coefficients = [slope, np.multiply(weight, slope)]
    scratch = np.empty_like(slope)
    for _ in range(3, order + 1):
        following = np.multiply(weight, coefficients[-1])
        np.multiply(slope, coefficients[-2], out=scratch)
        following -= scratch
        coefficients.append(following)
    for k, coefficient in enumerate(coefficients[1:], start=2):
        coefficient *= 1 / k
    return [value, *coefficients]


# --- exponential, logarithm, powers -----------------------------------------------------------------------


def exp(z: Array, order: int) -> list[Array]:
    value = np.exp(z)
    return [value, *(np.multiply(value, weight) for weight in _inverse_factorials(order)[1:])]


def log(z: Array, order: int) -> list[Array]:
    out = [np.log(z)]
    if order == 0:
        return out
    inverse = np.reciprocal(z)
    out.append(inverse)
    ratio = np.negative(inverse)
    for _ in range(2, order + 1):
        out.append(np.multiply(out[-1], ratio))
    for k, coefficient in enumerate(out[2:], start=2):
        coefficient *= 1 / k
    return out


def _binomial(exponent: float, k: int) -> float:
    return math.prod(exponent - j for j in range(k)) / math.factorial(k)


def monomial(exponent: int, z: Array, order: int) -> list[Array]:
    """z^exponent for an exponent in {0, 1, 2, ...}: the coefficients beyond the exponent are exact zeros."""
    products = [z]
    if exponent <= _LARGEST_PRODUCT:
        for _ in range(exponent - 1):
            products.append(np.multiply(products[-1], z))
    out = []
    for k in range(order + 1):
        remaining, weight = exponent - k, _binomial(float(exponent), k)
        if remaining < 0:
            coefficient = np.zeros_like(z)
        elif remaining == 0:
            coefficient = np.ones_like(z)
        elif remaining == 1:
            coefficient = np.multiply(z, weight)
        else:
            coefficient = products[remaining - 1] if remaining <= len(products) else np.power(z, float(remaining))
            if k:
                coefficient *= weight
        out.append(coefficient)
    return out


def power(exponent: float, z: Array, order: int) -> list[Array]:
    """z^exponent for every other real exponent; defined for z > 0, or z != 0 for integers."""
    if exponent == 0.5:
        out = [np.sqrt(z)]
    elif exponent == -1.0:
        out = [np.reciprocal(z)]
    else:
        out = [np.power(z, exponent)]
    if order == 0:
        return out
    # At z = 0 the first coefficients vanish and the later ones are infinite: 1/z may enter only then.
    regular = max(0, math.floor(exponent) + 1)
    for k in range(1, min(regular, order) + 1):
        following = np.reciprocal(out[0]) if exponent == 0.5 else np.power(z, exponent - k)
        following *= _binomial(exponent, k)
        out.append(following)
    if order <= regular:
        return out
    inverse = np.reciprocal(z)
    for k in range(regular + 1, order + 1):
        following = np.multiply(out[-1], inverse)
        following *= (exponent - k + 1) / k
        out.append(following)
    return out


# --- piecewise linear functions ---------------------------------------------------------------------------


def leaky_relu(slope: float, z: Array, order: int) -> list[Array]:
    """max(z, slope z) for slope <= 1, min beyond; at 0 the derivative is the one from the left."""
    if slope == 0.0:
        value = np.maximum(z, 0.0)
    else:
        value = np.multiply(z, slope)
        (np.maximum if slope <= 1.0 else np.minimum)(z, value, out=value)
    if order == 0:
        return [value]
    gradient = (z > 0.0).astype(z.dtype)
    if slope:
        # several times faster than a choice entry by entry, where it comes to the same
        if 0.0 < slope <= 1.0:
            np.maximum(gradient, z.dtype.type(slope), out=gradient)
        else:
            np.copyto(gradient, slope, where=gradient == 0.0)
    return [value, gradient, *(np.zeros_like(z) for _ in range(order - 1))]


def absolute(z: Array, order: int) -> list[Array]:
    """|z|; at 0 the derivative is sign(0) = 0, as in PyTorch and JAX."""
    out = [np.abs(z)]
    if order >= 1:
        out.append(np.sign(z))
    return out + [np.zeros_like(z) for _ in range(order - 1)]
