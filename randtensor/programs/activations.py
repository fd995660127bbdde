"""Elementwise functions with their Taylor coefficients: the leaves of the truncated-polynomial engine."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from randtensor.arguments import as_array
from randtensor.errors import ActivationError, InputError
from randtensor.programs import _elementary_taylor as elementary

__all__ = ["ACTIVATION_NAMES", "Activation", "Smoothness", "get_activation", "leaky_relu", "power"]

Array: TypeAlias = npt.NDArray[Any]
Taylor: TypeAlias = Callable[[Array, int], list[Array]]
Smoothness: TypeAlias = Literal["smooth", "piecewise-linear", "linear", "polynomial"]

_DEFAULT_SLOPE = 0.01


@dataclass(frozen=True)
class Activation:
    """A real function of one real variable, applied entry by entry, with its Taylor coefficients.

    Attributes
    ----------
    name : str
        The canonical name, such as ``"tanh"`` or ``"leaky_relu(0.1)"``; `get_activation` takes it back.
    taylor : callable
        ``taylor(z, order)`` returns ``[phi(z), phi'(z), phi''(z)/2!, ..., phi^(order)(z)/order!]``: order + 1
        new arrays of the shape of `z`, of its dtype where that is float32 or float64, of float64 otherwise.
        `z` is not modified. The coefficients of phi' are ``(k + 1) * taylor(z, order + 1)[k + 1]``.
    smoothness : {"smooth", "piecewise-linear", "linear", "polynomial"}
        "smooth" means smooth on the domain: log, sqrt and fractional powers need positive arguments, and
        follow NumPy (nan or inf with a RuntimeWarning) elsewhere.
    odd, even : bool
        Whether phi(-z) = -phi(z), and whether phi(-z) = phi(z).

    Examples
    --------
    >>> import numpy as np
    >>> from randtensor.programs.activations import Activation, get_activation
    >>> get_activation("exp").taylor(np.array([0.0]), 2)
    [array([1.]), array([1.]), array([0.5])]
    >>> get_activation("cos")(0.0)
    1.0

    One of your own needs nothing but its coefficients:

    >>> def coefficients(z, order):
    ...     return ([1 + z**2, 2 * z, np.ones_like(z)] + [np.zeros_like(z)] * order)[: order + 1]
    >>> Activation("1 + z^2", coefficients, "polynomial", even=True)(3.0)
    10.0
    """

    name: str
    taylor: Taylor
    smoothness: Smoothness
    odd: bool = False
    even: bool = False

    @overload
    def __call__(self, z: float) -> float: ...
    @overload
    def __call__(self, z: Array) -> Array: ...
    def __call__(self, z: float | Array) -> float | Array:
        """Return phi(z): an array for an array, a float for a number."""
        if isinstance(z, np.ndarray):
            return self.taylor(z, 0)[0]
        values = np.asarray(z)
        if values.ndim:
            return self.taylor(values, 0)[0]
        return float(self.taylor(values.reshape(1), 0)[0][0])

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"


def _checked(name: str, kernel: Taylor, z: Array, order: int) -> list[Array]:
    """Hand clean input to a kernel: a float32 or float64 array with at least one axis, and an int."""
    try:
        count = operator.index(order)
    except TypeError:
        count = -1
    if count < 0:
        raise InputError(f"order of the Taylor expansion of {name} must be a non-negative integer, got {order!r}.")
    values = as_array(z)
    if values.dtype.char not in "fd" or not values.dtype.isnative:
        if not np.can_cast(values.dtype, np.longdouble):
            raise InputError(f"z of {name} must hold real numbers, got an array of dtype {values.dtype}.")
        values = values.astype(np.float64)
    if values.ndim:
        return kernel(values, count)
    # NumPy's functions turn arrays without axes into scalars, which cannot be written to.
    return [coefficient.reshape(()) for coefficient in kernel(values.reshape(1), count)]


def _activation(
    name: str, kernel: Taylor, smoothness: Smoothness = "smooth", *, odd: bool = False, even: bool = False
) -> Activation:
    return Activation(name, partial(_checked, name, kernel), smoothness, odd=odd, even=even)


def _power_activation(name: str, exponent: float) -> Activation:
    if exponent < 0 or exponent != int(exponent):
        integer = exponent == int(exponent)
        return _activation(
            name,
            partial(elementary.power, exponent),
            odd=integer and exponent % 2 == 1,
            even=integer and exponent % 2 == 0,
        )
    degree = int(exponent)
    return _activation(
        name,
        partial(elementary.monomial, degree),
        "linear" if degree == 1 else "polynomial",
        odd=degree % 2 == 1,
        even=degree % 2 == 0,
    )


def _number_text(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _finite(function: str, argument: str, value: object) -> float:
    number = float(value) if isinstance(value, (int, float, Fraction, np.integer, np.floating)) else math.nan
    if not math.isfinite(number):
        raise ActivationError(f"{argument} of {function} must be a finite real number, got {value!r}.")
    return number


def leaky_relu(slope: float = _DEFAULT_SLOPE) -> Activation:
    """Return z for z > 0 and slope * z for z <= 0, the leaky rectifier.

    The derivative at the kink is the one from the left, so that slope 0 gives the convention relu'(0) = 0 of
    automatic differentiation.

    Parameters
    ----------
    slope : float
        The slope on the negative half-line; any finite number.

    Raises
    ------
    ActivationError
        If the slope is not a finite real number.

    Examples
    --------
    >>> import numpy as np
    >>> from randtensor.programs.activations import leaky_relu
    >>> leaky_relu(0.5).taylor(np.array([-2.0, 3.0]), 1)
    [array([-1.,  3.]), array([0.5, 1. ])]
    """
    return _leaky_relu(_finite("leaky_relu", "slope", slope) + 0.0)


@lru_cache(maxsize=128)
def _leaky_relu(slope: float) -> Activation:
    return _activation(
        f"leaky_relu({_number_text(slope)})",
        partial(elementary.leaky_relu, slope),
        "linear" if slope == 1 else "piecewise-linear",
        odd=slope == 1,
        even=slope == -1,
    )


def power(exponent: float) -> Activation:
    """Return z to a fixed real power.

    Exponents 0, 1, 2, ... give polynomials whose higher coefficients are exact zeros. Negative integers are
    defined for z != 0, other exponents for z > 0.

    Parameters
    ----------
    exponent : float
        Any finite number.

    Raises
    ------
    ActivationError
        If the exponent is not a finite real number.

    Examples
    --------
    >>> import numpy as np
    >>> from randtensor.programs.activations import power
    >>> power(3).taylor(np.array([2.0]), 4)
    [array([8.]), array([12.]), array([6.]), array([1.]), array([0.])]
    """
    return _power(_finite("power", "exponent", exponent) + 0.0)


@lru_cache(maxsize=128)
def _power(exponent: float) -> Activation:
    return _power_activation(f"power({_number_text(exponent)})", exponent)


_PLAIN = {
    activation.name: activation
    for activation in (
        _activation("tanh", elementary.tanh, odd=True),
        _activation("sigmoid", elementary.sigmoid),
        _activation("softplus", elementary.softplus),
        _activation("silu", elementary.silu),
        _activation("erf", elementary.erf, odd=True),
        _activation("gelu", elementary.gelu),
        _activation("sin", elementary.sin, odd=True),
        _activation("cos", elementary.cos, even=True),
        _activation("arctan", elementary.arctan, odd=True),
        _activation("exp", elementary.exp),
        _activation("log", elementary.log),
        _power_activation("sqrt", 0.5),
        _power_activation("reciprocal", -1.0),
        _power_activation("square", 2.0),
        _power_activation("linear", 1.0),
        _activation("relu", partial(elementary.leaky_relu, 0.0), "piecewise-linear"),
        _activation("abs", elementary.absolute, "piecewise-linear", even=True),
    )
}
_ALIASES = {"identity": "linear", "logistic": "sigmoid", "swish": "silu", "atan": "arctan"}
_PATTERN = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^()]*)\))?\s*", re.ASCII)

ACTIVATION_NAMES: tuple[str, ...] = (*sorted(_PLAIN), "leaky_relu(slope)", "power(exponent)")
"""The names `get_activation` understands, aliases aside."""


def _argument(function: str, text: str) -> float:
    try:
        return float(Fraction(text.strip()))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ActivationError(
            f"activation {f'{function}({text})'!r} needs a finite number in its parentheses, such as "
            f"{function}(0.2) or {function}(1/3), got {text.strip()!r}."
        ) from None


def get_activation(activation: str | Activation) -> Activation:
    """Return the activation of that name; an `Activation` is returned as it is.

    Parameters
    ----------
    activation : str or Activation
        One of `ACTIVATION_NAMES`, with a number for the parameter: ``"tanh"``, ``"leaky_relu(0.2)"``,
        ``"power(3)"``, ``"power(1/2)"``. ``"leaky_relu"`` alone has slope 0.01. Also ``"identity"``,
        ``"logistic"``, ``"swish"`` and ``"atan"`` for linear, sigmoid, silu and arctan. ``"gelu"`` is the
        exact one, z Phi(z).

    Raises
    ------
    ActivationError
        If the name is not known, or its parameter is missing, superfluous or not a number.

    Examples
    --------
    >>> from randtensor.programs.activations import get_activation
    >>> get_activation("leaky_relu(0.2)")
    Activation('leaky_relu(0.2)')
    >>> get_activation("identity").smoothness
    'linear'
    """
    if isinstance(activation, Activation):
        return activation
    if not isinstance(activation, str):
        raise ActivationError(
            f"activation must be a name or an Activation, got {activation!r}; known are {', '.join(ACTIVATION_NAMES)}."
        )
    match = _PATTERN.fullmatch(activation)
    name, argument = match.groups() if match else (activation, None)
    if name == "leaky_relu":
        return leaky_relu() if argument is None else leaky_relu(_argument(name, argument))
    if name == "power":
        if argument is None:
            raise ActivationError("activation 'power' needs its exponent in parentheses, such as power(3).")
        return power(_argument(name, argument))
    found = _PLAIN.get(_ALIASES.get(name, name))
    if found is None:
        candidates = [*_PLAIN, *_ALIASES, "leaky_relu", "power"]
        close = difflib.get_close_matches(name.lower(), candidates, n=1)
        hint = f"did you mean {close[0]!r}? Known" if close else "known"
        raise ActivationError(f"activation {activation!r} is not known; {hint} are {', '.join(ACTIVATION_NAMES)}.")
    if argument is not None:
        raise ActivationError(f"activation {name!r} takes no parameter, got {activation!r}.")
    return found
