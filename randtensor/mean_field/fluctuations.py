"""Fluctuations at finite width to leading order: what one neuron more at a place does to an observable later on.

An observable O of the flow at a time t is a function of the law mu_0 of the neurons at the start. For m independent
neurons, or m/g orbits of g neurons,

    m Var O -> g Var(psi),    psi(a, b) = d O / d mu_0(a, b),    averaged over an orbit,

with psi the influence function, the linear response to a mass at (a, b): the central limit theorem of the dynamics
(Chen, Rotskoff, Bruna & Vanden-Eijnden 2020, arXiv 2008.09623). An observable that is invariant under a group of
rotations, as law and risk are, has an influence function that is invariant, too: the reduced system knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array
from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.dynamics import GradientFlow
from randtensor.mean_field.neurons import Neurons

__all__ = ["influence", "limiting_deviation"]

Array = NDArray[np.float64]

_CHANGE = 1e-3  # of a weight, relative: central differences leave an error of its square


def influence(
    flow: GradientFlow, start: Neurons, weights: Any, observable: Callable[[Neurons], Any], times: Sequence[float]
) -> Array:
    """The influence function of an observable at every neuron of the start, shape (len(times), m).

    Parameters
    ----------
    flow : with a fixed step: all 2m neighbours of the start are integrated at once.
    start : one network whose neurons stand for the law mu_0.
    weights : probabilities under mu_0 that they stand for, shape (m,).
    observable : from networks to one number for each.
    times : ascending from 0.

    Raises
    ------
    ShapeError, InputError : several networks, weights that are no probabilities, a flow without a fixed step, an
        observable of another shape.

    Examples
    --------
    The mass of the neurons with a > 0 at the start is the fraction of them:

    >>> from randtensor.mean_field import AngleRisk
    >>> risk = AngleRisk(10, 3)
    >>> start = risk.uniform(8)
    >>> weights = start.a**2 / start.width
    >>> psi = influence(GradientFlow(risk, step=0.1), start, weights, lambda f: f.masses()[0], [0.0])
    >>> psi.round(9)[0, [0, 8]].tolist(), limiting_deviation(psi, weights).round(9).tolist()
    ([1.0, 0.0], [0.5])
    """
    if start.a.ndim != 1:
        raise ShapeError(f"start has shape {start.a.shape}, expected (m,): one network")
    if flow.step is None:
        raise InputError("flow has a tolerance, expected one with a fixed step")
    p = _probabilities(weights, start.width)
    factors = np.sqrt(1 + _CHANGE * np.concatenate([np.eye(start.width), -np.eye(start.width)]))
    neighbours = Neurons(factors * start.a, factors[..., None] * start.b)
    values = np.array([observable(state) for state in flow.trajectory(neighbours, times)], dtype=float)
    count = len(factors)
    if values.shape[1:] != (count,):
        raise ShapeError(f"observable has shape {values.shape[1:]} for {count} networks, expected one number for each")
    above, below = np.split(values, 2, axis=1)
    return np.asarray((above - below) / (2 * _CHANGE * p))


def limiting_deviation(psi: Any, weights: Any, order: int = 1) -> Array:
    """The limit of m^(1/2) times the standard deviation of the observable, shape (...), from its influence (..., k).

    Parameters
    ----------
    psi : influence function; for orbits, its mean over each.
    weights : probabilities, shape (k,).
    order : neurons of an orbit that are drawn together.

    >>> limiting_deviation([0.0, 2.0], [0.5, 0.5]).tolist()
    1.0
    """
    values = finite_array("psi", psi)
    p = _probabilities(weights, values.shape[-1])
    centred = values - (values @ p)[..., None]
    return np.asarray(np.sqrt(order * (centred**2 @ p)))


def _probabilities(weights: Any, count: int) -> Array:
    p = finite_array("weights", weights)
    if p.shape != (count,):
        raise ShapeError(f"weights has shape {p.shape}, expected ({count},)")
    if (p <= 0).any() or abs(p.sum() - 1) > 1e-9:
        raise InputError(
            f"weights sums to {p.sum():.6g} with the least entry {p.min():.3g}, expected positive numbers that sum to 1"
        )
    return p
