r"""The characteristic function of the output of a network with one hidden layer, at every finite width.

The output c sum_i a_i phi(z_i) is a sum over units, so that E e^{i u f} = (E chi(u c phi(z)))^n, with chi the
characteristic function of a read-out weight: one Gaussian integral.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from randtensor.dimensions import evaluate_shape
from randtensor.errors import ExactError, InputError
from randtensor.exact.derivatives._trapezoid import stretched_grids, uniform_grids
from randtensor.exact.gaussianity.units import network_of, pre_activations
from randtensor.exact.laws.law import Law, NamedLaw, named
from randtensor.exact.laws.scipy_laws import AffineLaw
from randtensor.exact.rationals import term_power
from randtensor.quantity import resolve_sizes
from randtensor.random_function import FullyConnected, RandomFunction, check_input
from randtensor.tensors import iid

__all__ = ["characteristic_function"]

Array = np.ndarray

#: Agreement of two grids that is asked for, relative to the integral of the absolute value.
AGREEMENT = 1e-13


def characteristic_function(f: RandomFunction, x: Any, u: float, n: Any = None) -> complex:
    """E exp(i u f(x)) for a network with one hidden layer, exact at every width.

    Parameters
    ----------
    f : ``rt.networks.two_layer(...)`` with a smooth activation, and read-out weights that are normal or of another law
        whose characteristic function is known: "rademacher", "uniform", "exponential", "laplace", also scaled.
    x : input vector.
    u : frequency.
    n : size of the scale, or a mapping from scales to sizes; None for a network of fixed width.

    Raises
    ------
    ExactError : another function, or an integral that does not converge.
    InputError, ShapeError : arguments that cannot be used.

    Notes
    -----
    Found as exp(n log(1 + E[chi - 1])), so that its distance from its limit keeps its digits at large widths.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"), activation="tanh", readout="rademacher")
    >>> round(characteristic_function(f, [1.0], u=1.0, n=16).real, 6)
    0.820611
    """
    network = network_of(f, layers=1)
    if network.outputs not in (None, 1):
        raise ExactError(f"the network has {network.outputs} outputs, expected a scalar one")
    if network.activation.smoothness == "piecewise-linear":
        raise ExactError(f"the activation is {network.activation.name!r}, expected a smooth one")
    if isinstance(u, bool) or not isinstance(u, int | float | np.number) or not np.isfinite(u):
        raise InputError(f"u is {u!r}, expected a finite number")
    point = check_input(x)
    deviation = float(pre_activations(network, [point]).covariance(0, 0)) ** 0.5
    sizes = resolve_sizes(f.scale_names(point.shape), n)
    (units,) = evaluate_shape([network.widths[0]], sizes)
    frequency = float(u) * _value(network.factors[-1], sizes) * _value(network.stds[-1], sizes)
    chi = _characteristic(network)
    mean = _gaussian_mean(lambda z: chi(frequency * network.activation(z)), deviation, network.activation.name)
    return complex(np.exp(units * np.log1p(mean)))


def _value(factor: Any, sizes: dict[str, int]) -> float:
    number, order = term_power(factor, 1)
    return float(number) * float(order.evaluate({scale.name: sizes[scale.name] for scale in order.scales}))


def _gaussian_mean(function: Callable[[Array], Array], deviation: float, name: str) -> complex:
    for grids in (uniform_grids(1, deviation), stretched_grids(1, deviation)):
        previous: complex | None = None
        for points, weights in grids:
            values = function(deviation * points) * weights
            total, size = complex(values.sum()), float(np.abs(values).sum())
            if not np.isfinite(size):
                raise ExactError(f"the Gaussian integral of {name!r} is not finite, expected a moderate activation")
            if previous is not None and abs(total - previous) <= AGREEMENT * size:
                return total
            previous = total
    raise ExactError(
        f"the pre-activations of {name!r} have standard deviation {deviation:g}, for which the integral does not "
        f"converge: expected a shorter input or a lower frequency"
    )


def _characteristic(network: FullyConnected) -> Callable[[Array], Array]:
    """t -> E e^{i t a} - 1 of a read-out weight, without cancellation at small t."""
    law: Law = named("normal") if network.readout is None else iid(network.readout, 1).law
    base, scale = (law.base, float(law.scale)) if isinstance(law, AffineLaw) and law.shift == 0 else (law, 1.0)
    found = _CHARACTERISTIC.get(base.family) if isinstance(base, NamedLaw) else None
    if found is None:
        raise ExactError(
            f"the characteristic function of the read-out law {law.name} is not known, "
            f"expected one of {', '.join(_CHARACTERISTIC)}"
        )
    rule = found
    return lambda t: rule(scale * t)


def _t_minus_sin(t: Array) -> Array:
    small = np.where(np.abs(t) < 0.3, t, 0.0)
    square = small**2
    # Up to t^13: the next term is below the rounding at 0.3.
    series = np.ones_like(square)
    for k in range(6, 1, -1):
        series = 1 - square / (2 * k * (2 * k + 1)) * series
    return np.asarray(np.where(np.abs(t) < 0.3, small * square / 6 * series, t - np.sin(t)))


def _exponential(t: Array) -> Array:
    # e^{-i t} - 1 + i t, over 1 - i t
    return np.asarray((-2 * np.sin(t / 2) ** 2 + 1j * _t_minus_sin(t)) / (1 - 1j * t))


def _uniform(t: Array) -> Array:
    b = np.sqrt(3.0) * t
    return np.asarray(-_t_minus_sin(b) / np.where(b == 0, 1.0, b))


_CHARACTERISTIC: dict[str, Callable[[Array], Array]] = {
    "normal": lambda t: np.asarray(np.expm1(-(t**2) / 2)),
    "rademacher": lambda t: np.asarray(-2 * np.sin(t / 2) ** 2),
    "uniform": _uniform,
    "exponential": _exponential,
    "laplace": lambda t: np.asarray(-(t**2) / (2 + t**2)),
}
