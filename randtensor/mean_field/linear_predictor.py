"""Odd targets: the dynamics of the linear predictor, closed in the second moments of the neurons.

For an odd target, an input law that is symmetric, and neurons in pairs (a, b), (-a, -b), the network is the linear
function w(t) . x. All neurons follow one linear flow a' = -b . e/2, b' = -a e/2 with e = C (w - w*), so that the matrix
M of the means of (a, b)(a, b)^T, shape (1 + d, 1 + d), obeys

    M' = K M + M K,    K = -(0, e^T; e, 0)/2,    w = M[0, 1:]/2,

at any width: networks differ in nothing but M(0). Written out, w' = -H e with H = (E a^2 I + E b b^T)/4 (Hajjar &
Chizat 2022, arXiv 2211.08771, section on odd targets; the closure in M is derived).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array, positive_integer
from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.checks import (
    check_covariance,
    check_dimension,
    check_positive,
    check_times,
)
from randtensor.mean_field.neurons import Neurons
from randtensor.mean_field.risks import digest

__all__ = ["IsotropicPredictor", "LinearPredictorRisk", "PredictorPath", "decay_constant"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PredictorPath:
    """The linear predictor over time, for each network.

    Attributes
    ----------
    times : shape (T,).
    moments : means of (a, b)(a, b)^T, shape (..., T, 1 + d, 1 + d).
    """

    times: Array
    moments: Array

    @property
    def w(self) -> Array:
        """The predictor, shape (..., T, d)."""
        return np.asarray(self.moments[..., 0, 1:] / 2)

    @property
    def rates(self) -> Array:
        """H = (E a^2 I + E b b^T)/4 of w' = -H C (w - w*), shape (..., T, d, d)."""
        eye = np.eye(self.moments.shape[-1] - 1)
        return np.asarray((self.moments[..., 0, 0, None, None] * eye + self.moments[..., 1:, 1:]) / 4)


class LinearPredictorRisk:
    """The risk of an odd network (neurons in pairs) as of a linear predictor, Q(w) - Q(w*), for any covariance.

    A risk like any other to `GradientFlow` and `GradientDescent`, at a cost linear in the width, since the field is the
    same for all neurons, -C (w - w*)/2; and the flow of w alone, by `solve`.

    Parameters
    ----------
    covariance : C = E x x^T, positive definite, shape (d, d).
    optimum : w* = C^(-1) E[f*(x) x], shape (d,).

    Raises
    ------
    ShapeError, InputError : shapes that do not fit, a covariance that is not symmetric and positive definite.

    Examples
    --------
    >>> flow = LinearPredictorRisk(np.eye(2), [2.0, 0.0])
    >>> path = flow.solve([0.0, 1.0, 20.0])
    >>> path.w[-1].round(6).tolist(), round(float(flow.excess(path.w)[0]), 12)
    ([2.0, 0.0], 2.0)
    """

    def __init__(self, covariance: Any, optimum: Any) -> None:
        self.optimum = finite_array("optimum", optimum)
        if self.optimum.ndim != 1:
            raise ShapeError(f"optimum has shape {self.optimum.shape}, expected (d,)")
        self.covariance, self.spectrum, _ = check_covariance(covariance, len(self.optimum))

    @property
    def dimension(self) -> int:
        """Of the inputs."""
        return len(self.optimum)

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the risk."""
        return f"linear:{digest(self.covariance, self.optimum)}"

    def elements(self, width: int) -> int:
        """Numbers held at once per network."""
        return width * self.dimension

    def field(self, neurons: Neurons, at: Array | None = None) -> Array:
        """g of `Risk`: -C (w - w*)/2 everywhere."""
        gap = self.optimum - neurons.linear_predictor()
        # one product for each network: its bits are those that it has alone
        force = gap[..., None, :] @ self.covariance / 2
        return np.asarray(np.broadcast_to(force, (neurons.b if at is None else at).shape))

    def loss(self, neurons: Neurons) -> Array:
        """The excess of the networks' predictors."""
        check_dimension(neurons.dimension, self.dimension)
        return self.excess(neurons.linear_predictor())

    def excess(self, w: Any) -> Array:
        """Q(w) - Q(w*) = (w - w*)^T C (w - w*)/2 of predictors of shape (..., d)."""
        predictors = finite_array("w", w)
        if predictors.shape[-1:] != self.optimum.shape:
            raise ShapeError(f"w has shape {predictors.shape}, expected (..., {self.dimension})")
        gap = predictors - self.optimum
        return np.asarray(((gap @ self.covariance) * gap).sum(axis=-1) / 2)

    def bound(self, times: Any) -> Array:
        """exp(-c_d lambda_min(C) t / 2), above (Q - Q*)/(Q_0 - Q*) at infinite width from a = +-1, b on the sphere.

        The flow of (a, b) has determinant one, so that E a^2 stays above c_d by the inequality of the two means.
        """
        rate = decay_constant(self.dimension) * self.spectrum[0] / 2
        return np.asarray(np.exp(-rate * _elapsed(times)))

    def solve(self, times: Iterable[float], moments: Any = None, tolerance: float = 1e-10) -> PredictorPath:
        """Integrate over the times, which ascend from 0, with SciPy's DOP853.

        Parameters
        ----------
        times : at which the path is recorded.
        moments : M(0) of shape (..., 1 + d, 1 + d), as of `Neurons.second_moments`; None for infinite width with
            a = +-1 and b uniform on the sphere.
        tolerance : relative and absolute error per step.

        Raises
        ------
        InputError : times that do not ascend from 0, moments that are not symmetric, a tolerance at which the
            integration ends early.
        ShapeError : moments of another shape.
        """
        from scipy.integrate import solve_ivp

        ends = check_times("times", times)
        d = self.dimension
        start = np.diag([1.0, *[1 / d] * d]) if moments is None else finite_array("moments", moments)
        if start.shape[-2:] != (1 + d, 1 + d):
            raise ShapeError(f"moments has shape {start.shape}, expected (..., {1 + d}, {1 + d})")
        if np.abs(start - start.swapaxes(-1, -2)).max() > 1e-9 * np.abs(start).max():
            raise InputError("moments is not symmetric, expected means of (a, b)(a, b)^T")
        check_positive("tolerance", tolerance)
        matrices = start.reshape(-1, 1 + d, 1 + d)
        distinct, position = np.unique(np.append(0.0, ends), return_inverse=True)
        paths = []
        for matrix in matrices:  # one by one: the steps of one network are not those of another
            found = solve_ivp(
                self._slope, (0.0, float(ends[-1]) or 1.0), matrix.ravel(), method="DOP853", t_eval=distinct,
                rtol=tolerance, atol=tolerance,
            )  # fmt: skip
            if not found.success:
                raise InputError(f"tolerance is {tolerance:g}, at which the integration ended early, expected another")
            paths.append(found.y.T[position[1:]].reshape(-1, 1 + d, 1 + d))
        return PredictorPath(ends, np.stack(paths).reshape(*start.shape[:-2], len(ends), 1 + d, 1 + d))

    def _slope(self, _: float, state: Array) -> Array:
        size = 1 + self.dimension
        moments = state.reshape(size, size)
        e = self.covariance @ (moments[0, 1:] / 2 - self.optimum)
        # K M = -(e . M[1:]; e M[0])/2, and M K is its transpose
        turned = -0.5 * np.concatenate([(e @ moments[1:])[None], np.outer(e, moments[0])])
        return np.asarray((turned + turned.T).ravel())


@dataclass(frozen=True)
class IsotropicPredictor:
    """The predictor at infinite width for C = v I: w stays along w*, and its length p solves a scalar equation.

    With c = |w*|, k = K/4 and D = (k^2 + c^2)^(1/2),

        p' = v (k^2 + p^2)^(1/2) (c - p),    p(0) = 0,

    is solved by p = k sinh s = 2 k u/(1 - u^2) with u = q (1 - E)/(1 + q^2 E), q = (D - k)/c, E = exp(-v D t). The rate
    grows from v K/4 to v D.

    Parameters
    ----------
    variance : v of each input.
    length : c = |w*|.
    spread : K = E a_0^2 + E (b_0 . u)^2 for a unit vector u; 1 + 1/d from the sphere.

    Raises
    ------
    InputError : a number that is not positive.

    Examples
    --------
    >>> predictor = IsotropicPredictor(variance=0.1, length=12**0.5, spread=1.1)
    >>> predictor.length_at([0.0, 1000.0]).round(9).tolist()
    [0.0, 3.464101615]
    >>> round(predictor.late_rate, 4)
    0.3475
    """

    variance: float
    length: float
    spread: float

    def __post_init__(self) -> None:
        for name in ("variance", "length", "spread"):
            value = getattr(self, name)
            check_positive(name, value)

    @property
    def late_rate(self) -> float:
        """v (K^2/16 + |w*|^2)^(1/2), at which the distance falls in the end."""
        return float(self.variance * np.hypot(self.spread / 4, self.length))

    def length_at(self, times: Any) -> Array:
        """p = |w| at the times."""
        u, _ = self._half_angle(times)
        return np.asarray(self.spread / 2 * u / ((1 - u) * (1 + u)))

    def distance_at(self, times: Any) -> Array:
        """|w - w*| at the times, to full relative precision however small."""
        u, missing = self._half_angle(times)
        q = self._limit
        return np.asarray(self.length * missing * (u + 1 / q) / ((1 - u) * (1 + u)))

    def bound_at(self, times: Any) -> Array:
        """The bound |w*| exp(-v K t/4) on the distance (arXiv 2211.08771)."""
        return np.asarray(self.length * np.exp(-self.variance * self.spread / 4 * _elapsed(times)))

    @property
    def _limit(self) -> float:
        """q = (D - k)/c, without the cancellation."""
        k = self.spread / 4
        return float(self.length / (np.hypot(k, self.length) + k))

    def _half_angle(self, times: Any) -> tuple[Array, Array]:
        """u = tanh(s/2), and how far it is below its limit q."""
        q, x = self._limit, -self.late_rate * _elapsed(times)
        decay = np.exp(x)
        return np.asarray(-q * np.expm1(x) / (1 + q**2 * decay)), np.asarray(
            q * (1 + q**2) * decay / (1 + q**2 * decay)
        )


def _elapsed(times: Any) -> Array:
    """Times from the start, in any shape."""
    elapsed = finite_array("times", times)
    if (elapsed < 0).any():
        raise InputError(f"times has the entry {elapsed.min():g}, expected numbers from 0 on")
    return elapsed


def decay_constant(dimension: int) -> float:
    """c_d = ((d + 1)/2) d^(-d/(d + 1)), the least that E a^2 can become from a = +-1, b uniform on the sphere.

    >>> round(decay_constant(10), 3), decay_constant(1)
    (0.678, 1.0)
    """
    positive_integer("dimension", dimension)
    return float((dimension + 1) / 2 * dimension ** (-dimension / (dimension + 1)))
