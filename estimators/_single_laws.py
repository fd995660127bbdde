"""One power law with one correction term, fitted to many data sets at once, and its profile over the correction.

The model is ``log T = log C + a log n + b log log n + log(1 + d (n / n_0)^-w)`` with ``n_0`` the smallest
size.  The correction is written through ``u = log(1 + d)``, the logarithm of the factor by which it changes
the smallest size: it is then positive for every ``u``, and ``u`` has a scale that does not depend on the unit
of ``n``.  Given ``u`` the model is linear, so the fit is a one-dimensional problem solved on a grid and
polished by Gauss-Newton steps.  See docs/rates.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: standard deviation of the weak prior on u: a correction by more than a factor e^2 at the smallest size is
#: unusual. Without it, d -> infinity turns the correction into a second power law and the exponent is not
#: determined.
PRIOR_WIDTH = 1.0

#: by how much leaving out one more size must lower chi-square before that model is preferred
CUT_PENALTY = 6.0

#: factor on the variance of an exponent that comes from u, when u is integrated out: the distribution is skewed, and
#: a symmetric interval of the plain variance covers 90 % in the worst cell
SKEWED = 1.2

_GRID = np.linspace(-3.0, 3.0, 60).reshape(6, 10)
_POLISHING_STEPS = 8

#: largest |u| of a fit
_FARTHEST = 4.0

#: largest |u| that a refutation allows for: that of a correction by a factor of e^2 = 7.4 at the smallest size. No
#: data exclude a larger one (a power law of exponent a - w is one of exponent a with a correction without end), but who
#: supposes it does not suppose that the sizes say anything about the limit.
_LARGEST = 2.0


#: how often an end of a profile is looked for between the points next to the best one, and where
_ZOOMS, _BETWEEN = 4, np.linspace(0.0, 1.0, 15)
_AROUND, _AFAR = np.linspace(-6.0, 6.0, 49), np.linspace(-_FARTHEST, _FARTHEST, 81)


@dataclass(frozen=True, eq=False)
class Fits:
    """Fits of M models to R data sets; coefficients are (constant at the centre of log n, a, [b], u)."""

    coefficients: Array  # (M, R, k)
    covariance: Array  # (M, R, k, k)
    chi2: Array  # (M, R) without the prior's share
    criterion: Array  # (M, R) chi-square + prior + penalty of the sizes left out
    dof: NDArray[np.int64]  # (M,)
    exponents: Array  # (M, R, 1 or 2): a, [b]
    variances: Array  # (M, R, 1 or 2)

    @property
    def exponent(self) -> Array:
        return self.exponents[..., 0]

    @property
    def variance(self) -> Array:
        return self.variances[..., 0]


@dataclass(frozen=True)
class Model:
    """One candidate: power of its correction (None: no correction), number of smallest n it leaves out."""

    power: float | None
    cut: int


def design(log_n: Array, with_log_log: bool) -> Array:
    """Linear part of the model, (m, 2 or 3); columns are centred to keep the covariances readable."""
    columns = [np.ones_like(log_n), log_n - log_n.mean()]
    if with_log_log:
        log_log = np.log(log_n)
        columns.append(log_log - log_log.mean())
    return np.stack(columns, axis=-1)


def decay(log_n: Array, smallest: float, power: float | None) -> Array:
    """(n / n_0)^-w, or zero for the plain law (the prior alone decides its u, which touches nothing)."""
    return np.zeros_like(log_n) if power is None else np.exp(-power * (log_n - smallest))


@dataclass(frozen=True, eq=False)
class _Problem:
    """Weighted fits of M models to R data sets as functions of u alone: given u, the rest is linear.

    Points u are (M, R, K).
    """

    weights: Array  # (M, R, m): a size left out has weight zero
    ratios: Array  # (M, 1, m)
    data: Array  # (M, R, m) weighted logarithms of the values
    linear: Array  # (m, p)
    basis: Array  # (M, R, m, p), orthonormal
    triangle: Array  # (M, R, p, p)

    @classmethod
    def of(cls, log_n: Array, log_values: Array, errors: Array, models: Sequence[Model], linear: Array) -> _Problem:
        ratios = np.stack([decay(log_n, log_n[0], model.power) for model in models])[:, None, :]
        kept = np.stack([np.arange(len(log_n)) >= model.cut for model in models])[:, None, :]
        weights = kept / errors
        basis, triangle = np.linalg.qr(weights[..., None] * linear)
        return cls(weights, ratios, weights * log_values, linear, basis, triangle)

    def shift(self, u: Array) -> tuple[Array, Array]:
        """The correction and its derivative by u, both weighted, (M, R, K, m)."""
        correction, slope = _correction(u, self.ratios[..., None, :])
        return self.weights[..., None, :] * correction, self.weights[..., None, :] * slope

    def residual(self, v: Array) -> Array:
        """The part of v, (M, R, K, m), that the linear columns cannot follow."""
        return np.asarray(v - (v @ self.basis) @ self.basis.swapaxes(-1, -2))

    def chi2(self, u: Array) -> Array:
        left = self.residual(self.data[..., None, :] - self.shift(u)[0])
        return np.asarray(np.square(left).sum(-1))

    def objective(self, u: Array) -> Array:
        return np.asarray(self.chi2(u) + (u / PRIOR_WIDTH) ** 2)

    def step(self, u: Array) -> tuple[Array, Array]:
        """Half the gradient of the objective downhill, and half its curvature by Gauss and Newton."""
        correction, slope = self.shift(u)
        left, along = self.residual(self.data[..., None, :] - correction), self.residual(slope)
        gradient: Array = (left * along).sum(-1) - u / PRIOR_WIDTH**2
        curvature: Array = np.square(along).sum(-1) + PRIOR_WIDTH**-2
        return gradient, curvature

    def minima(self) -> Array:
        """The lowest point that is reached from each stretch of the grid, (M, R, stretches)."""
        # precise data make narrow valleys, and the true one need not hold the best point of a grid: polish one
        # per stretch
        grid = np.broadcast_to(_GRID.ravel(), (*self.weights.shape[:-1], _GRID.size))
        scanned = self.objective(grid).reshape(*self.weights.shape[:-1], *_GRID.shape)
        u = _GRID[np.arange(len(_GRID)), scanned.argmin(-1)]
        for _ in range(_POLISHING_STEPS):
            gradient, curvature = self.step(u)
            u = np.clip(u + np.clip(gradient / curvature, -0.3, 0.3), -_FARTHEST, _FARTHEST)
        return np.asarray(u)

    def around(self, u: Array, reach: Array) -> Array:
        """Points close to each of u, (M, R, J), on the scale of ``reach``, and some everywhere, in order."""
        near = np.clip(u[..., None] + reach[..., None] * _AROUND, -_FARTHEST, _FARTHEST)
        near = near.reshape(*u.shape[:-1], -1)
        return np.sort(np.concatenate([near, np.broadcast_to(_AFAR, (*u.shape[:-1], len(_AFAR)))], -1))

    def slopes(self, u: Array) -> tuple[Array, Array]:
        """a and b at each u, (M, R, K, 1 or 2), and their variances given u, (M, R, 1 or 2)."""
        projected = (self.data[..., None, :] - self.shift(u)[0]) @ self.basis
        inverse = np.linalg.inv(self.triangle)
        slopes: Array = (projected @ inverse.swapaxes(-1, -2))[..., 1:]
        return slopes, np.square(inverse[..., 1:, :]).sum(-1)


def fit_models(log_n: Array, log_values: Array, errors: Array, models: Sequence[Model], linear: Array) -> Fits:
    """Weighted fits of every model to every row of ``log_values``, with standard errors ``errors`` (R, m)."""
    m, p = linear.shape
    problem = _Problem.of(log_n, log_values, errors, models, linear)
    u = problem.minima()
    u = np.take_along_axis(u, problem.objective(u).argmin(-1)[..., None], -1)
    chi2 = problem.chi2(u)[..., 0]
    correction, slope = problem.shift(u)
    target = problem.data[..., None, :] - correction
    beta = np.linalg.solve(problem.triangle, (target @ problem.basis).swapaxes(-1, -2))[..., 0]
    jacobian = np.concatenate([problem.weights[..., None] * linear, slope.swapaxes(-1, -2)], axis=-1)
    # the pseudo-inverse of the stacked (data, prior) rows keeps the precision that normal equations would
    # square away
    prior_row = np.zeros((*jacobian.shape[:-2], 1, p + 1))
    prior_row[..., -1] = 1 / PRIOR_WIDTH
    inverse = np.linalg.inv(np.linalg.qr(np.concatenate([jacobian, prior_row], axis=-2), mode="r"))
    covariance = inverse @ inverse.swapaxes(-1, -2)
    exponents: Array = np.asarray(beta[..., 1:], dtype=float)
    variances: Array = np.diagonal(covariance, axis1=-2, axis2=-1)[..., 1:p]
    if p == 3:
        # log log n and n^-w are nearly collinear: the exponent then follows u along a curve, which the
        # linearisation cuts short, so that u is integrated out
        exponents, variances = _marginal(problem, problem.around(u, np.sqrt(covariance[..., -1, -1])[..., None]))
    u = u[..., 0]
    dropped = CUT_PENALTY * np.array([[model.cut] for model in models])
    return Fits(
        coefficients=np.concatenate([beta, u[..., None]], axis=-1),
        covariance=covariance,
        chi2=chi2,
        criterion=chi2 + (u / PRIOR_WIDTH) ** 2 + dropped,
        dof=np.array([max(m - model.cut - p - (model.power is not None), 0) for model in models]),
        exponents=exponents,
        variances=variances,
    )


@dataclass(frozen=True, eq=False)
class Profile:
    """The exponent at many corrections: what a law with a correction of any size says, however far from the best one.

    The fitted correction can be far from the true one and fit as well: a large correction bends as much as a small one
    of the same sign, and the prior alone prefers one of them, by no more than a few units. An interval around the best
    fit does not reach the other, and at the level of a refutation it has to. Corrections are up to e^2 times the value
    at the smallest size.
    """

    problem: _Problem
    points: Array  # (M, K) corrections u of every power, in order

    def bounds(self, quantile: float, lowest: float) -> tuple[float, float]:
        """All exponents whose criterion, at the best of all other coefficients, is at most ``lowest`` + quantile^2."""
        return -self._end(-1.0, quantile, lowest), self._end(1.0, quantile, lowest)

    def _end(self, sign: float, quantile: float, lowest: float) -> float:
        points, rows, end = self.points, np.arange(len(self.points)), -np.inf
        for _ in range(_ZOOMS):
            exponents, deviations, criterion = self._scan if points is self.points else self._at(points)
            allowed = quantile**2 - (criterion - lowest)
            reached = sign * exponents + deviations * np.sqrt(np.maximum(allowed, 0.0))
            reached = np.where(allowed >= 0, reached, -np.inf)
            end = max(end, float(reached.max()))
            # where two minima meet the valley is far wider than its curvature says, and the points are sparse
            best = reached.argmax(-1)
            left, right = points[rows, np.maximum(best - 1, 0)], points[rows, np.minimum(best + 1, points.shape[1] - 1)]
            points = left[:, None] + (right - left)[:, None] * _BETWEEN
        return end

    @cached_property
    def _scan(self) -> tuple[Array, Array, Array]:
        return self._at(self.points)

    def _at(self, points: Array) -> tuple[Array, Array, Array]:
        """Exponents, their deviations and the criterion at corrections (M, K)."""
        u = points[:, None, :]
        slopes, variances = self.problem.slopes(u)
        return slopes[:, 0, :, 0], np.sqrt(variances[:, 0, :1]), self.problem.objective(u)[:, 0]


def profile(log_n: Array, log_values: Array, errors: Array, powers: Sequence[float | None], free_log: bool) -> Profile:
    """The profile over the correction, of all powers, for one data set with no size left out."""
    models = [Model(power, 0) for power in powers]
    problem = _Problem.of(log_n, log_values[None], errors[None], models, design(log_n, free_log))
    u = problem.minima()
    near = np.clip(problem.around(u, 1 / np.sqrt(problem.step(u)[1]))[:, 0], -_LARGEST, _LARGEST)
    everywhere = np.broadcast_to(np.linspace(-_LARGEST, _LARGEST, 401), (len(near), 401))
    return Profile(problem, np.sort(np.concatenate([near, everywhere], axis=-1)))


def _marginal(problem: _Problem, points: Array) -> tuple[Array, Array]:
    """Means and variances of a and b when u, at ``points`` (M, R, K), is integrated out by the trapezoidal rule."""
    objective = problem.objective(points)
    steps = np.diff(points, axis=-1)
    zero = np.zeros_like(steps[..., :1])
    mass = np.exp(-(objective - objective.min(-1, keepdims=True)) / 2)
    mass = mass * (np.concatenate([zero, steps], -1) + np.concatenate([steps, zero], -1))
    mass /= mass.sum(-1, keepdims=True)
    slopes, within = problem.slopes(points)
    mass = mass[..., None]
    mean = (mass * slopes).sum(-2)
    between = (mass * np.square(slopes - mean[..., None, :])).sum(-2)
    return mean, within + SKEWED * between


def _correction(u: Array, ratios: Array) -> tuple[Array, Array]:
    """log(1 + d r) and its derivative by u, where d = e^u - 1."""
    shift = np.expm1(u)[..., None] * ratios
    return np.log1p(shift), np.exp(u)[..., None] * ratios / (1 + shift)
