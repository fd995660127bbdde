"""The derivative correlations C^{D,d} of a random function."""

from __future__ import annotations

from fractions import Fraction
from math import factorial
from string import ascii_lowercase
from typing import Any

from randtensor.contraction import einsum
from randtensor.dimensions import check_factor
from randtensor.errors import InputError
from randtensor.expansions import Expansion
from randtensor.orders import Order, Term
from randtensor.parametric import ParametricFunction

__all__ = ["correlation"]


def correlation(
    function: ParametricFunction,
    free: int,
    closed: int,
    x0: Any,
    directions: Any,
    *,
    learning_rate: Any = 1.0,
    probes: int | None = None,
) -> Any:
    r"""The derivative correlation C^{D,d}, for a function with scalar output.

    .. math:: C^{D,d}(x_0; x_1, .., x_d) = \frac{\eta^{D/2+d}}{D!\, d!}\,
              \partial^{D+d} F(x_0) \cdot \bigl( \partial F(x_1) \otimes \cdots \otimes \partial F(x_d) \bigr)

    with D parameter indices left free. C^{0,1} is the tangent kernel; along one gradient step, C^{0,2}, C^{0,3}, ...
    are the terms by which the function departs from its linearisation (Shem-Ur & Oz 2024, arXiv 2401.04013).

    Parameters
    ----------
    function : with scalar output.
    free, closed : D >= 0 free indices, and d >= 0 indices closed with gradients.
    x0 : input of the derivative of order D + d.
    directions : input of all gradients, or a list of d inputs, one per gradient. A list of arrays or lists always means
        several inputs: give an input with several axes as an array.
    learning_rate : eta, a number or an order in the scales.
    probes : as for ``einsum``.

    Returns
    -------
    A contraction with D free parameter indices: sample it if D = 0, else take ``rt.norm`` of it.

    Raises
    ------
    InputError : D, d or the number of inputs does not fit, or the function is vector-valued.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"))
    >>> c = rt.correlation(f, 0, 2, [1.0, 0.0], [0.0, 1.0])
    >>> c.sample(4096, size=2, rng=0).shape
    (2,)
    """
    for name, value in (("free", free), ("closed", closed)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InputError(f"{name} is {value!r}, expected a non-negative integer")
    if free + closed > len(ascii_lowercase):
        raise InputError(f"free + closed is {free + closed}, expected at most {len(ascii_lowercase)}")
    inputs = directions if isinstance(directions, list | tuple) and _several(directions) else [directions] * closed
    if len(inputs) != closed:
        raise InputError(f"directions lists {len(inputs)} inputs, expected one for each of the {closed} gradients")
    top = function.derivative(x0, order=free + closed)
    gradients = [function.derivative(x) for x in inputs]
    if any(t.outputs is not None for t in (top, *gradients)):
        raise InputError("function has a vector output, expected a scalar one: contract its derivatives with rt.einsum")
    labels = ascii_lowercase[: free + closed]
    equation = ",".join([labels, *labels[free:]]) + "->" + labels[:free]
    result = einsum(equation, top, *gradients, probes=probes) / (factorial(free) * factorial(closed))
    eta = check_factor(learning_rate)
    if isinstance(eta, Expansion):
        raise InputError(f"learning_rate is the expansion {eta}, expected a positive number or an order in the scales")
    if isinstance(eta, Order | Term):
        result = result * eta ** (Fraction(free, 2) + closed)
    elif eta <= 0:
        raise InputError(f"learning_rate is {float(eta)!r}, expected a positive number or an order in the scales")
    elif eta != 1.0:
        result = result * eta ** (free / 2 + closed)
    return result


def _several(directions: Any) -> bool:
    """Whether a list holds inputs rather than the numbers of one input."""
    return all(hasattr(entry, "__len__") for entry in directions)
