"""Symbolic dimensions: shapes that mix integers, scales and products such as ``2 * n``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from numbers import Integral, Rational
from typing import Any

from randtensor.errors import InputError, ShapeError
from randtensor.expansions import Expansion
from randtensor.orders import Order, Scale, Term

__all__ = [
    "Dimension",
    "Factor",
    "check_count",
    "check_factor",
    "check_shape",
    "evaluate_factor",
    "evaluate_shape",
    "factor_text",
    "reciprocal",
    "same_dimension",
    "scale_names",
    "scales_of",
    "show",
]

#: A size: a positive integer, or a multiple of a product of scales.
Dimension = int | Term

#: A scalar factor: a number, exact where it was given so, or an order or term that is evaluated at each size.
Factor = float | Fraction | Order | Term | Expansion


def check_shape(shape: Sequence[Any], owner: str) -> tuple[Dimension, ...]:
    """A shape in normal form: integers, and terms for everything that depends on a scale.

    Raises
    ------
    ShapeError : a size that is neither a positive integer nor a growing product of scales.

    >>> from randtensor.orders import Scale
    >>> show(check_shape((Scale("n"), 4), "example"))
    '(n, 4)'
    """
    return tuple(_check_dimension(size, owner) for size in shape)


def _check_dimension(size: Any, owner: str) -> Dimension:
    if isinstance(size, Order) and size.is_sum:
        raise ShapeError(
            f"{owner}: the size is a sum of orders, {size}, which keeps no constants, expected a multiple of a product"
        )
    if isinstance(size, Order | Scale):
        size = Term(1, size)
    if isinstance(size, Term):
        if not size.order.scales:
            return _check_dimension(size.coefficient, owner)
        if size.coefficient <= 0 or not size.order >= Order(1):
            raise ShapeError(
                f"{owner}: the size is {size}, expected one that is positive and does not vanish in the limit"
            )
        return size
    if isinstance(size, bool) or size != (whole := _whole(size)) or whole < 1:
        raise ShapeError(f"{owner}: the size is {size!r}, expected a positive integer, a Scale or a multiple of one")
    return whole


def _whole(size: Any) -> int:
    try:
        return int(size)
    except (TypeError, ValueError, OverflowError):
        return 0


def same_dimension(a: Dimension, b: Dimension) -> bool:
    """Whether two sizes are the same at all sizes of the scales."""
    if isinstance(a, int) or isinstance(b, int):
        return isinstance(a, int) and isinstance(b, int) and a == b
    return a.coefficient == b.coefficient and a.order == b.order


def evaluate_factor(value: Any, sizes: Mapping[str, int]) -> float:
    """A number, order, term or expansion at the given sizes."""
    if isinstance(value, Expansion):
        # Equal expansions may hold from different sizes on, which a cache would not tell apart.
        return _evaluated(value, sizes)
    if isinstance(value, Order | Scale | Term):
        return _remembered(value, tuple(sizes.items()))
    return float(value)


@lru_cache(maxsize=4096)
def _remembered(value: Order | Term, sizes: tuple[tuple[str, int], ...]) -> float:
    return _evaluated(value, dict(sizes))


def _evaluated(value: Order | Term | Expansion, sizes: Mapping[str, int]) -> float:
    names = {scale.name for scale in scales_of(value)}
    return float(value.evaluate({name: size for name, size in sizes.items() if name in names}))


def check_count(name: str, value: Any, alternatives: str = "") -> int:
    """A positive integer.

    Raises
    ------
    ShapeError : anything else; ``alternatives`` completes what was expected.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ShapeError(f"{name} is {value!r}, expected a positive integer{alternatives}")
    return int(value)


def check_factor(factor: Any) -> Factor:
    """A scalar factor: a finite number, kept exactly if it is rational, or an order or term in the scales.

    Raises
    ------
    InputError : anything else.
    """
    if isinstance(factor, Order) and factor.is_sum:
        raise InputError(
            f"the factor is a sum of orders, {factor}, which keeps no constants, expected a product, or an Expansion"
        )
    if isinstance(factor, Order | Scale | Term | Expansion):
        return factor
    if isinstance(factor, Rational) and not isinstance(factor, bool):
        return Fraction(int(factor.numerator), int(factor.denominator))
    try:
        number = float(factor)
    except (TypeError, ValueError) as error:
        raise InputError(f"the factor is {factor!r}, expected a number, an order or a term") from error
    if not math.isfinite(number):
        raise InputError(f"the factor is {number!r}, expected a finite number")
    return number


def reciprocal(factor: Any) -> Factor:
    """One over a scalar factor.

    Raises
    ------
    InputError : the factor is zero, or none.
    """
    checked = check_factor(factor)
    if checked == 0:
        raise InputError("the divisor is 0, expected a number other than zero")
    result: Factor = checked**-1
    return result


def factor_text(factor: Factor) -> str:
    """A factor as it enters fingerprints: equal numbers are one text, whatever their type."""
    return str(float(factor)) if isinstance(factor, Fraction) else str(factor)


def evaluate_shape(shape: Sequence[Dimension], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape in integers.

    Raises
    ------
    ShapeError : a size that is not a whole number there.
    """
    return tuple(d if isinstance(d, int) else _evaluate_dimension(d, sizes) for d in shape)


def _evaluate_dimension(dimension: Term, sizes: Mapping[str, int]) -> int:
    value = evaluate_factor(dimension, sizes)
    whole = round(value)
    if whole < 1 or abs(value - whole) > 1e-9 * whole:
        given = ", ".join(f"{name} = {size}" for name, size in sizes.items())
        raise ShapeError(f"the dimension {dimension} is {value:g} at {given}, expected a positive whole number")
    return whole


def scales_of(value: Any) -> tuple[Scale, ...]:
    """The scales a number, order, term or dimension depends on."""
    if isinstance(value, Term):
        return value.order.scales
    return value.scales if isinstance(value, Order | Scale | Expansion) else ()


def scale_names(values: Sequence[Any]) -> tuple[str, ...]:
    """Names of all scales that occur, sorted."""
    return tuple(sorted({scale.name for value in values for scale in scales_of(value)}))


def show(shape: Sequence[Any]) -> str:
    """A shape as text."""
    return "(" + ", ".join(str(d) for d in shape) + ("," if len(shape) == 1 else "") + ")"
