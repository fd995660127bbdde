"""E phi(u) phi(v) and E phi'(u) phi'(v) of smooth activations by nested trapezoidal sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import ExactError
from randtensor.programs.activations import Activation

__all__ = ["pair_integrals"]

Array = NDArray[np.float64]

#: Nodes of the outer and of the inner sum, and their reach in standard deviations. All grow, so that agreement of two
#: grids tells that the spacing and the cut-off are good enough.
GRIDS = (
    *((40, 64, 9.0), (56, 96, 9.5), (80, 128, 10.0), (112, 192, 10.5), (160, 256, 11.0), (224, 384, 12.0)),
    *((320, 512, 13.0), (448, 768, 14.0), (640, 1024, 15.0), (896, 1536, 16.0), (1280, 2048, 17.0)),
)

#: Agreement asked for, relative to the integral of the absolute value. The finer grid is better by far: each has 1.4
#: times the nodes of the one before, and the logarithm of the error is proportional to their number.
AGREEMENT = 1e-12

#: The same for Stein's identity, E y phi(a y) = a E phi'(a y). It fails where all grids miss a spike of phi'.
STEIN = 1e-10

#: Points that are in memory at once.
CHUNK = 2**19

#: Standard deviation below which an activation has no structure finer than the Gaussian weight.
FLAT = 0.1


def pair_integrals(activation: Activation, p: Array, q: Array, c: Array, theta: Array) -> tuple[Array, Array]:
    """The two expectations for pairs of variances p, q, covariances c and angles theta, all of shape (Q,).

    Notes
    -----
    With u = sqrt(p) y_1 and v = (c y_1 + s y_2) / sqrt(p), s^2 = p q - c^2, for independent standard normal y, the sums
    run over tau with y = y_0 + w sinh(tau): y_0 is where the argument of phi vanishes, 1 / w its standard deviation.
    Nodes are then dense where phi varies, on the scale 1, and logarithmically sparse beyond, so that variances of 10^6
    cost little more than variances of 1. Trapezoidal sums of analytic functions converge exponentially in their number
    of nodes (Trefethen & Weideman, SIAM Rev. 56, 385, 2014).

    Raises
    ------
    ExactError : the sums are not finite, or two successive grids never agree to 1e-12.

    Examples
    --------
    >>> from randtensor.programs.activations import get_activation
    >>> pair = [np.array([x]) for x in (1.0, 1.0, 0.5, np.pi / 3)]
    >>> [float(x[0].round(6)) for x in pair_integrals(get_activation("softplus"), *pair)]
    [0.780078, 0.271428]
    """
    # The variable that spreads more is the outer one: the inner sum then varies no faster than phi itself.
    larger, smaller = np.sqrt(np.maximum(p, q)), np.sqrt(np.minimum(p, q))
    frame = np.stack([larger, smaller * np.cos(theta), smaller * np.sin(theta)])
    # Covariances of orthogonal variables are exact where cosines are not.
    np.divide(c, larger, out=frame[1], where=larger > 0)
    result = np.empty((2, len(p)))
    previous: Array | None = None
    pending = np.arange(len(p))
    for outer, inner, reach in GRIDS:
        step = max(CHUNK // (outer * inner), 1)
        parts = [
            _nested_sums(activation, frame[:, pending[start : start + step]], outer, inner, reach)
            for start in range(0, len(pending), step)
        ]
        current = np.concatenate(parts, axis=2) if parts else np.empty((2, 3, 0))
        if not np.isfinite(current).all():
            raise ExactError(
                f"the Gaussian integrals of {activation.name!r} and its derivative are not finite, expected an "
                f"activation that is defined and moderate on the whole line"
            )
        result[:, pending] = current[0, :2]
        if previous is not None:
            agrees = (np.abs(current[0, :2] - previous) <= AGREEMENT * current[1, :2]).all(axis=0)
            agrees &= np.abs(current[0, 2]) <= STEIN * current[1, 2]
            pending, current = pending[~agrees], current[:, :, ~agrees]
        previous = current[0, :2]
        if not len(pending):
            return result[0], result[1]
    worst = frame[0, pending].max()
    raise ExactError(
        f"the Gaussian integrals of {activation.name!r} do not converge for pre-activations of standard deviation "
        f"{worst:g}, expected an activation without structure far below the scale 1"
    )


def _nested_sums(activation: Activation, frame: Array, outer: int, inner: int, reach: float) -> Array:
    """Both integrals and the defect in Stein's identity, and what they are relative to, on one grid: (2, 3, pairs)."""
    a, b, s = frame
    with np.errstate(all="ignore"):
        y, outer_weights = _nodes(np.zeros_like(a), a, outer, reach)
        u = a[:, None] * y
        means = b[:, None] * y
        deviations = np.broadcast_to(s[:, None], means.shape)
        x, inner_weights = _nodes(-means / np.where(deviations > 0, deviations, 1.0), deviations, inner, reach)
        v = means[:, :, None] + deviations[:, :, None] * x
        left, right = activation.taylor(u, 1), activation.taylor(v, 1)
        sums = np.empty((2, 3, len(a)))
        for k in range(2):
            smooth = np.vecdot(right[k], inner_weights)
            size = np.vecdot(np.abs(right[k]), inner_weights)
            sums[0, k] = np.vecdot(left[k] * smooth, outer_weights)
            sums[1, k] = np.vecdot(np.abs(left[k]) * size, outer_weights)
        value, slope = left[0] * y, left[1] * a[:, None]
        sums[0, 2] = np.vecdot(value - slope, outer_weights)
        sums[1, 2] = np.vecdot(np.abs(value) + np.abs(slope), outer_weights)
    return sums


def _nodes(centre: Array, deviation: Array, count: int, reach: float) -> tuple[Array, Array]:
    """Nodes y and weights of a standard normal variable, dense around the centre on the scale 1 / deviation."""
    flat = (deviation < FLAT) | (np.abs(centre) > 2 * reach)
    centre = np.where(flat, 0.0, centre)[..., None]
    width = 1 / np.where(flat, FLAT, deviation)[..., None]
    start, end = np.arcsinh((-reach - centre) / width), np.arcsinh((reach - centre) / width)
    tau = start + (end - start) * np.linspace(0.0, 1.0, count)
    y = centre + width * np.sinh(tau)
    weights = np.exp(-(y**2) / 2) * np.cosh(tau)
    return y, weights / weights.sum(axis=-1, keepdims=True)
