"""Derivative tensors of second and higher order in training: one hidden layer, unit by unit."""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import randtensor as rt
from estimators import TrainingQuantity
from estimators.training import Observable, Snapshot
from estimators.training.programs import ProgramNetwork
from theory_checks.claims import Claim
from theory_checks.suites.weak_correlations.plan import SOURCE, Plan, n
from theory_checks.suites.weak_correlations.training import RATE, STEPS, descent

__all__ = ["ORDERS", "frobenius", "higher_derivatives", "injective", "unit_derivatives"]

Array = NDArray[np.float64]

#: orders D of the derivatives; a bound on all of them at once
ORDERS = (2, 3, 4, 5)


def unit_derivatives(network: Any, readout: Array, hidden: Array, x: Array, order: int) -> tuple[Array, Array]:
    """The derivative of order D of n^-1/2 sum_i v_i phi(z_i), shapes (samples, n) both.

    It is block-diagonal: unit i knows its v_i and, of its row of W, the component along x. Entries are all along the
    row, or one along v.

    Parameters
    ----------
    network : `rt.networks.FullyConnected` with one hidden layer and no biases.
    readout, hidden : v of shape (samples, n), W of shape (samples, n, inputs).
    """
    length = float(np.linalg.norm(x)) / len(x) ** 0.5
    taylor = network.activation.taylor(hidden @ x / len(x) ** 0.5, order)
    upper, lower = (factorial(k) * np.asarray(taylor[k]) for k in (order, order - 1))
    root = readout.shape[-1] ** -0.5
    return root * length**order * readout * upper, root * length ** (order - 1) * lower


def injective(along: Array, mixed: Array, order: int) -> Array:
    """Injective norms of such tensors, shape (samples,): the largest over units, each in closed form.

    Symmetric tensors take it at equal vectors. At (sin a, cos a) the value is cos(a)^(D-1) (c cos a + D b sin a), which
    is stationary where tan a solves a quadratic equation.

    >>> c, b = np.array([[0.3]]), np.array([[-0.7]])
    >>> bool(np.isclose(injective(c, b, 2)[0], np.linalg.norm([[0.3, -0.7], [-0.7, 0.0]], ord=2)))
    True
    """
    root = np.sqrt(along**2 + 4 * (order - 1) * mixed**2)
    best = np.zeros_like(along)
    for sign in (1, -1):
        # the same angle as tan a = (-c + sign root) / (2 (D - 1) b), without dividing by b = 0
        angle = np.arctan2(sign * root - along, 2 * (order - 1) * mixed)
        value = np.cos(angle) ** (order - 1) * (along * np.cos(angle) + order * mixed * np.sin(angle))
        best = np.maximum(best, abs(value))
    return np.asarray(np.maximum(best, abs(along)).max(axis=-1))


def frobenius(along: Array, mixed: Array, order: int) -> Array:
    """Frobenius norms of such tensors, shape (samples,)."""
    return np.asarray(np.sqrt((along**2 + order * mixed**2).sum(axis=-1)))


def _change(plan: Plan, norm: Any) -> TrainingQuantity:
    run = descent(plan, plan.shallow())
    network = run.function.architecture
    width = plan.inputs

    def largest(snapshot: Snapshot) -> Any:
        assert isinstance(snapshot.network, ProgramNetwork)
        parameters, moved = snapshot.network.parameters, snapshot.point.displacement.blocks
        starts = {slot: parameters.start(slot) for slot in parameters.held}
        ends = {slot: start + moved.get(slot, 0.0) for slot, start in starts.items()}
        norms = []
        for order in ORDERS:
            (c0, b0), (c1, b1) = (
                unit_derivatives(network, *_readout_and_hidden(held, width), plan.x0, order) for held in (starts, ends)
            )
            norms.append(RATE ** (order / 2) / factorial(order) * norm(c1 - c0, b1 - b0, order))
        return np.max(norms, axis=0)

    return TrainingQuantity(run, Observable(f"change of higher derivatives, {norm.__name__}", largest), reduce=None)


def _readout_and_hidden(held: dict[Any, Array], inputs: int) -> tuple[Array, Array]:
    """v and W: the one with an axis of the inputs is W."""
    by_axes = {value.ndim: value for value in held.values()}
    assert by_axes[3].shape[-1] == inputs
    return by_axes[2], by_axes[3]


def higher_derivatives(plan: Plan) -> Iterator[Claim]:
    """Derivative tensors of orders 2 to 5 at once, in both norms: the injective one is the smaller."""
    counts = [4000, 1600, 600, 200]
    common: dict[str, Any] = {
        "statistic": "L1",
        "correction": 1.0,
        "n": [64, 256, 1024, 4096],
        "samples": [count // 4 for count in counts] if plan.quick else counts,
    }
    words = f"largest change of the derivatives of orders {ORDERS[0]} to {ORDERS[-1]} after {STEPS} steps"
    yield Claim(
        f"{words}, injective norm",
        _change(plan, injective),
        id="W14",
        predicted=rt.O(n**-0.5),
        source=SOURCE,
        **common,
    )
    yield Claim(
        f"{words}, Frobenius norm",
        _change(plan, frobenius),
        id="W14.frobenius",
        predicted=rt.Theta(n**-0.5),
        source="derived from the correlations",
        **common,
    )
