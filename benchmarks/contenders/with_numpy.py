"""Dense weights in plain NumPy: Taylor coefficients by hand, central differences, and training.

The code by hand is the best that dense sampling does: W is read three times, nothing of its size is written, and the
gradient is kept as a matrix of rank one. Central differences move all weights along the gradient, which is also written
by hand, and know nothing of higher derivatives.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from benchmarks._subject import INPUT, Array, Weights
from benchmarks.contenders.problem import (
    DIRECTIONAL,
    RATE,
    STEPS,
    TARGETS,
    TRAINING_INPUTS,
    Directional,
    Engine,
    LoopEngine,
)

__all__ = ["by_differences", "by_hand", "descent", "engine"]


def engine(key: str, quantity: str) -> Engine:
    """Of "numpy" the code by hand, of "differences" central differences."""
    if quantity == "training":
        return LoopEngine(descent)
    function, problem = {"numpy": by_hand, "differences": by_differences}[key], DIRECTIONAL[quantity]
    return LoopEngine(lambda weights: function(weights, problem))


def _gradient_factors(weights: Weights, h1: Array, slope1: Array, slope2: Array) -> tuple[Array, Array]:
    """(delta1, delta2): the gradient is delta1 y^T / 2 in U and delta2 h1^T / n^1/2 in W, at activations h1."""
    root = np.sqrt(len(weights.v))
    delta2 = weights.v * slope2 / root
    return (weights.W.T @ delta2) / root * slope1, delta2 / root


def by_hand(weights: Weights, problem: Directional) -> float:
    """The quantity from the Taylor coefficients of the network at weights + t * gradient."""
    U, W, v = weights.U, weights.W, weights.v
    root, along = np.sqrt(len(v)), problem.along
    phi1 = _tanh_taylor(U @ INPUT / 2)
    if problem.same:
        phi2 = _tanh_taylor(W @ phi1[0] / root)
        h1_along, slopes, h2_along = phi1[0], (phi1[1], phi2[1]), phi2[0]
    else:
        h1_along = np.tanh(U @ along / 2)
        both = W @ np.stack((phi1[0], h1_along), axis=1) / root
        phi2, h2_along = _tanh_taylor(both[:, 0]), np.tanh(both[:, 1])
        slopes = (1 - h1_along**2, 1 - h2_along**2)
    delta1, delta2 = _gradient_factors(weights, h1_along, *slopes)
    zero = np.zeros_like(v)
    h1 = _compose(phi1, (delta1 * (INPUT @ along) / 4, zero, zero))[: problem.order + 1]
    products = W @ np.stack(h1[1:], axis=1) / root
    z2 = [products[:, k] + delta2 * (h1_along @ h1[k]) / root for k in range(problem.order)]
    h2 = _compose(phi2, (*z2, zero, zero)[:3])
    # The gradient of v is the last layer's activation at the other input.
    top = v @ h2[problem.order] / root + h2_along @ h2[problem.order - 1] / root**2
    return float(factorial(problem.order) * top)


def _tanh_taylor(z: Array) -> tuple[Array, Array, Array, Array]:
    t = np.tanh(z)
    s = 1 - t * t
    return t, s, -t * s, s * (t * t - 1 / 3)


def _compose(phi: tuple[Array, ...], z: tuple[Array, ...]) -> tuple[Array, Array, Array, Array]:
    """Taylor coefficients 0 to 3 of phi(z) from those of phi at z_0 and the coefficients 1 to 3 of z."""
    first = phi[1] * z[0]
    second = phi[1] * z[1] + phi[2] * z[0] ** 2
    third = phi[1] * z[2] + 2 * phi[2] * z[0] * z[1] + phi[3] * z[0] ** 3
    return phi[0], first, second, third


#: Lengths of the steps in units of n^1/2, the distance at which a network of width n turns nonlinear: there truncation,
#: step^2, and rounding, 1e-16 step^-order, are about equal.
_STEP = {1: 6e-6, 2: 1e-4, 3: 8e-4}

#: Offsets in steps, and weights, of the central differences of each order.
_STENCIL: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((1, 0.5), (-1, -0.5)),
    2: ((1, 1.0), (0, -2.0), (-1, 1.0)),
    3: ((2, 0.5), (1, -1.0), (-1, 1.0), (-2, -0.5)),
}


def by_differences(weights: Weights, problem: Directional) -> float:
    """The quantity from values of the network at moved weights, by central differences."""
    U, W, v = weights.U, weights.W, weights.v
    root, along = np.sqrt(len(v)), problem.along
    h1 = np.tanh(U @ along / 2)
    h2 = np.tanh(W @ h1 / root)
    delta1, delta2 = _gradient_factors(weights, h1, 1 - h1**2, 1 - h2**2)
    dU, dW, dv = np.outer(delta1, along) / 2, np.outer(delta2, h1), h2 / root
    length = np.sqrt(np.vdot(dU, dU) + np.vdot(dW, dW) + dv @ dv)
    step = _STEP[problem.order] * root / length

    def moved(t: float) -> float:
        h = np.tanh((U + t * dU) @ INPUT / 2)
        h = np.tanh((W + t * dW) @ h / root)
        return float((v + t * dv) @ h / root)

    total = sum(w * moved(k * step) for k, w in _STENCIL[problem.order])
    return float(total / step**problem.order)


def descent(weights: Weights) -> float:
    """Gradient descent with dense weights, and the linear model next to it through its tangent kernel."""
    U, W, v = weights.U.copy(), weights.W.copy(), weights.v.copy()
    root, count = np.sqrt(len(v)), len(TARGETS)
    X = np.concatenate((TRAINING_INPUTS, INPUT[None]))
    kernel = linear = np.zeros(0)
    for step in range(STEPS + 1):
        first = np.tanh(U @ X.T / 2)
        second = np.tanh(W @ first / root)
        outputs = v @ second / root
        if step == STEPS:
            break
        train1, train2 = first[:, :count], second[:, :count]
        slopes2 = v[:, None] / root * (1 - train2**2)
        slopes1 = (W.T @ slopes2) / root * (1 - train1**2)
        if step == 0:  # the tangent kernel between all inputs and the training inputs
            all2 = v[:, None] / root * (1 - second**2)
            all1 = (W.T @ all2) / root * (1 - first**2)
            kernel = second.T @ train2 / root**2
            kernel = kernel + (all2.T @ slopes2) * (first.T @ train1) / root**2
            kernel = kernel + (all1.T @ slopes1) * (X @ TRAINING_INPUTS.T) / 4
            linear = outputs
        errors = (outputs[:count] - TARGETS) / count
        linear = linear - RATE * kernel @ (linear[:count] - TARGETS) / count
        v -= RATE * train2 @ errors / root
        W -= (RATE / root) * ((slopes2 * errors) @ train1.T)
        U -= RATE * (slopes1 * errors) @ TRAINING_INPUTS / 2
    return float(outputs[-1] - linear[-1])
