"""Functions to write programs with: elementwise ones, sums and means. They act on plain arrays too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from randtensor.orders import Order, Scale, Term
from randtensor.orders import log as _log_order
from randtensor.programs.activations import Activation, get_activation
from randtensor.programs.trace import Expression
from randtensor.tensors import DenseTensor, Elementwise

__all__ = [
    "abs",
    "apply",
    "arctan",
    "cos",
    "erf",
    "exp",
    "gelu",
    "leaky_relu",
    "log",
    "mean",
    "relu",
    "sigmoid",
    "silu",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "sum",
    "tanh",
]


def apply(activation: str | Activation, z: Any) -> Any:
    """An activation, by name or given, applied to every entry of a value of a program, an array or a random tensor.

    A function of a random tensor is a random tensor.

    Raises
    ------
    ActivationError : the name is not known.
    ShapeError : a random tensor that is complex.

    >>> apply("leaky_relu(0.1)", [-1.0, 2.0]).tolist()
    [-0.1, 2.0]
    """
    if isinstance(z, Expression):
        return z.elementwise(activation)
    if isinstance(z, DenseTensor):
        return Elementwise(activation, z)
    return get_activation(activation)(np.asarray(z, dtype=float))


def _elementwise(name: str, formula: str) -> Callable[[Any], Any]:
    def function(z: Any) -> Any:
        return apply(name, z)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{formula}, entry by entry; of a value of a program, an array or a random tensor."
    return function


tanh = _elementwise("tanh", "tanh(z)")
erf = _elementwise("erf", "The error function erf(z)")
sigmoid = _elementwise("sigmoid", "1 / (1 + exp(-z))")
softplus = _elementwise("softplus", "log(1 + exp(z))")
gelu = _elementwise("gelu", "z Phi(z), with Phi the standard normal distribution function")
silu = _elementwise("silu", "z / (1 + exp(-z))")
sin = _elementwise("sin", "sin(z)")
cos = _elementwise("cos", "cos(z)")
exp = _elementwise("exp", "exp(z)")
sqrt = _elementwise("sqrt", "The square root of z > 0")
square = _elementwise("square", "z^2")
relu = _elementwise("relu", "max(z, 0), with derivative 0 at 0")
arctan = _elementwise("arctan", "arctan(z)")
abs = _elementwise("abs", "|z|, with derivative 0 at 0")


def leaky_relu(z: Any, slope: float = 0.01) -> Any:
    """z for z > 0 and ``slope * z`` otherwise, entry by entry."""
    return apply(f"leaky_relu({float(slope)!r})", z)


def log(z: Any) -> Any:
    """The logarithm: of a scale or order, as an order; of a value of a program or an array, entry by entry.

    >>> from randtensor.orders import Scale
    >>> str(log(Scale("n")))
    'log n'
    """
    if isinstance(z, Order | Scale | Term):
        return _log_order(z)
    return apply("log", z)


def sum(z: Any) -> Any:
    """The sum of all entries of a value of a program or of an array, or the sum of a list of them."""
    if isinstance(z, Expression):
        return z.sum()
    if isinstance(z, list | tuple) and any(isinstance(part, Expression) for part in z):
        total = z[0]
        for part in z[1:]:
            total = total + part
        return total
    return np.sum(z)


def mean(z: Any) -> Any:
    """The mean of all entries of a value of a program or of an array, or the mean of a list of them."""
    if isinstance(z, Expression):
        return z.mean()
    if isinstance(z, list | tuple) and any(isinstance(part, Expression) for part in z):
        return sum(z) / len(z)
    return np.mean(z)
