"""Power laws with one correction term, fitted to many data sets and by many models at once.

The model is ``log T = log C + a log n + b log log n + log(1 + d (n / n_0)^-w)`` with ``n_0`` the smallest
size.  The correction is written through ``u = log(1 + d)``, the logarithm of the factor by which it changes
the smallest size: it is then positive for every ``u``, and ``u`` has a scale that does not depend on the unit
of ``n``.  Given ``u`` the model is linear, so the fit is a one-dimensional problem solved on a grid and
polished by Gauss-Newton steps.  See docs/rates.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import InputError

Array = NDArray[np.float64]

#: standard deviation of the weak prior on u: a correction by more than a factor e^2 at the smallest size is
#: unusual. Without it, d -> infinity turns the correction into a second power law and the exponent is not
#: determined.
PRIOR_WIDTH = 1.0

#: by how much leaving out one more size must lower chi-square before that model is preferred
CUT_PENALTY = 6.0

#: a correction power is discarded when its best model is worse than the best of all by more than this
RETAINED_WITHIN = 6.0

#: an interval that is the union of several misses less often than each of them: by this share its quantile is
#: too large (measured, docs/rates.md)
UNION_RELIEF = 0.14

#: quantile from which on the union keeps its full width: refutations are never made easier
RELIEF_ENDS = 3.25

#: factor on the variance of an exponent that comes from u, when u is integrated out: the distribution is skewed, and
#: a symmetric interval of the plain variance covers 90 % in the worst cell
SKEWED = 1.2

#: below this probability of the best model's chi-square the errors are taken to be too small
POOR_FIT = 1e-3

#: relative errors below this are smaller than the rounding of the values
SMALLEST_ERROR = 1e-13

_GRID = np.linspace(-3.0, 3.0, 60).reshape(6, 10)
_POLISHING_STEPS = 8
_AROUND, _AFAR = np.linspace(-6.0, 6.0, 49), np.linspace(-4.0, 4.0, 81)


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


@dataclass(frozen=True, eq=False)
class Combined:
    """The candidates put together, one correction power at a time."""

    weights: Array  # (M, R), zero for models that only serve for comparison
    powers: tuple[float | None, ...]
    exponents: Array  # (P, R)
    deviations: Array  # (P, R)
    retained: NDArray[np.bool_]  # (P, R)
    relief: Array  # (R,) by which share of the quantile a union is too wide

    def bounds(self, quantile: float) -> tuple[Array, Array]:
        """The union over the retained correction powers of exponent -+ quantile x standard deviation."""
        spread = relieved(quantile, self.relief) * self.deviations
        low = np.where(self.retained, self.exponents - spread, np.inf).min(axis=0)
        high = np.where(self.retained, self.exponents + spread, -np.inf).max(axis=0)
        return low, high


@dataclass(frozen=True, eq=False)
class Inference:
    """Everything inferred from R data sets."""

    models: list[Model]
    fits: Fits
    combined: Combined
    errors: Array  # (R, m) relative errors the fits were weighted by
    inflation: Array  # (R,) factor on the errors given, 1 unless the best model missed the data
    dof: float  # of the error estimate: infinite when errors were given, 0 when nothing is known about them

    def quantile(self, level: float) -> float:
        return two_sided_quantile(level, self.dof)


def infer(
    log_n: Array, log_values: Array, errors: Array | None, powers: Sequence[float | None], with_log_log: bool
) -> Inference:
    """From relative errors (or none) and logarithms of values (R, m) to combined exponents of R data sets."""
    linear = design(log_n, with_log_log)
    models = candidates(len(log_n), powers, linear.shape[1])
    inflation = np.ones(len(log_values))
    dof = np.inf
    if errors is None:
        noise, dof = residual_error(log_n, log_values, models, linear)
        used = np.broadcast_to(noise[:, None], log_values.shape)
    else:
        used = steady_errors(log_n, errors)
    fits = fit_models(log_n, log_values, used, models, linear)
    if errors is not None:
        inflation = _inflation(fits, models, powers)
        if np.any(inflation > 1):
            used = used * inflation[:, None]
            fits = fit_models(log_n, log_values, used, models, linear)
    return Inference(models, fits, combine(fits, models, powers), used, inflation, dof)


def candidates(sizes: int, powers: Sequence[float | None], linear: int) -> list[Model]:
    """Each power on all sizes and on fewer, while a degree of freedom is left; the plain law to compare."""
    wanted = list(powers) if None in powers else [*powers, None]
    models = []
    for power in wanted:
        spare = sizes - linear - (power is not None)
        models += [Model(power, cut) for cut in range(max(spare, 1))]
    return models


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


def fit_models(log_n: Array, log_values: Array, errors: Array, models: Sequence[Model], linear: Array) -> Fits:
    """Weighted fits of every model to every row of ``log_values``, with standard errors ``errors`` (R, m)."""
    m, p = linear.shape
    ratios = np.stack([decay(log_n, log_n[0], model.power) for model in models])[:, None, :]  # (M, 1, m)
    kept = np.stack([np.arange(m) >= model.cut for model in models])[:, None, :]
    weights = kept / errors  # (M, R, m): a size left out has weight zero
    basis, triangle = np.linalg.qr(weights[..., None] * linear)

    def residual(v: Array) -> Array:  # the part of v that the linear columns cannot follow; v is (M, R, K, m)
        return np.asarray(v - (v @ basis) @ basis.swapaxes(-1, -2))

    data = (weights * log_values)[..., None, :]
    weights_, ratios_ = weights[..., None, :], ratios[..., None, :]

    def objective(u: Array) -> Array:  # u is (M, R, K)
        left = residual(data - weights_ * _correction(u, ratios_)[0])
        return np.asarray(np.square(left).sum(-1) + (u / PRIOR_WIDTH) ** 2)

    # precise data make narrow valleys, and the true one need not hold the best point of a grid: polish one
    # per stretch
    grid = np.broadcast_to(_GRID.ravel(), (*weights.shape[:-1], _GRID.size))
    scanned = objective(grid).reshape(*weights.shape[:-1], *_GRID.shape)
    u = _GRID[np.arange(len(_GRID)), scanned.argmin(-1)]
    for _ in range(_POLISHING_STEPS):
        correction, slope = _correction(u, ratios_)
        left, along = residual(data - weights_ * correction), residual(weights_ * slope)
        gradient = (left * along).sum(-1) - u / PRIOR_WIDTH**2
        curvature = np.square(along).sum(-1) + PRIOR_WIDTH**-2
        u = np.clip(u + np.clip(gradient / curvature, -0.3, 0.3), -4.0, 4.0)
    u = np.take_along_axis(u, objective(u).argmin(-1)[..., None], -1)[..., 0]

    correction, slope = _correction(u, ratios)
    target = weights * (log_values - correction)
    chi2 = np.square(residual(target[..., None, :])).sum((-1, -2))
    beta = np.linalg.solve(triangle, (target[..., None, :] @ basis).swapaxes(-1, -2))[..., 0]
    jacobian = np.concatenate([weights[..., None] * linear, (weights * slope)[..., None]], axis=-1)
    # the pseudo-inverse of the stacked (data, prior) rows keeps the precision that normal equations would
    # square away
    prior_row = np.zeros((*jacobian.shape[:-2], 1, p + 1))
    prior_row[..., -1] = 1 / PRIOR_WIDTH
    inverse = np.linalg.inv(np.linalg.qr(np.concatenate([jacobian, prior_row], axis=-2), mode="r"))
    covariance = inverse @ inverse.swapaxes(-1, -2)
    exponents, variances = beta[..., 1:], np.diagonal(covariance, axis1=-2, axis2=-1)[..., 1:p]
    if p == 3:
        # log log n and n^-w are nearly collinear: the exponent then follows u along a curve, which the
        # linearisation cuts short, so that u is integrated out
        reach = np.sqrt(covariance[..., -1, -1])[..., None]
        points = np.sort(
            np.concatenate(
                [np.clip(u[..., None] + reach * _AROUND, -4.0, 4.0), np.broadcast_to(_AFAR, (*u.shape, len(_AFAR)))], -1
            )
        )
        exponents, variances = _marginal(points, objective(points), weights_, ratios_, data, basis, triangle)
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


def _marginal(
    points: Array, objective: Array, weights: Array, ratios: Array, data: Array, basis: Array, triangle: Array
) -> tuple[Array, Array]:
    """Means and variances of a and b when u, at ``points`` (M, R, K), is integrated out by the trapezoidal rule."""
    steps = np.diff(points, axis=-1)
    zero = np.zeros_like(steps[..., :1])
    mass = np.exp(-(objective - objective.min(-1, keepdims=True)) / 2)
    mass = mass * (np.concatenate([zero, steps], -1) + np.concatenate([steps, zero], -1))
    mass /= mass.sum(-1, keepdims=True)
    projected = (data - weights * _correction(points, ratios)[0]) @ basis  # (M, R, K, p)
    inverse = np.linalg.inv(triangle)
    slopes = (projected @ inverse.swapaxes(-1, -2))[..., 1:]  # (M, R, K, 2)
    mass = mass[..., None]
    mean = (mass * slopes).sum(-2)
    within = np.square(inverse[..., 1:, :]).sum(-1)
    between = (mass * np.square(slopes - mean[..., None, :])).sum(-2)
    return mean, within + SKEWED * between


def _correction(u: Array, ratios: Array) -> tuple[Array, Array]:
    """log(1 + d r) and its derivative by u, where d = e^u - 1."""
    shift = np.expm1(u)[..., None] * ratios
    return np.log1p(shift), np.exp(u)[..., None] * ratios / (1 + shift)


def combine(fits: Fits, models: Sequence[Model], powers: Sequence[float | None]) -> Combined:
    """Average over the sizes left out by information-criterion weights; keep the correction powers apart."""
    exponents, deviations, best, contractions = [], [], [], []
    weights = np.zeros_like(fits.criterion)
    for power in powers:
        rows = [i for i, model in enumerate(models) if model.power == power]
        criterion, a, variance = fits.criterion[rows], fits.exponent[rows], fits.variance[rows]
        share = np.exp((criterion.min(0) - criterion) / 2)
        share /= share.sum(0)
        mean = (share * a).sum(0)
        # the fits share their data: the covariance of two nested ones is the variance of the more efficient
        # (Hausman 1978), which is the one that leaves out less
        earlier = np.minimum.outer(np.arange(len(rows)), np.arange(len(rows)))
        sampling = np.einsum("ir,jr,ijr->r", share, share, variance[earlier])
        exponents.append(mean)
        deviations.append(np.sqrt(sampling + (share * np.square(a - mean)).sum(0)))
        best.append(criterion.min(0))
        contractions.append(1 - np.sqrt(fits.covariance[rows[0], :, -1, -1]) / PRIOR_WIDTH)
    lowest = np.min(best, axis=0)
    retained = np.stack(best) <= lowest + RETAINED_WITHIN
    for power, keep in zip(powers, retained, strict=True):
        for i, model in enumerate(models):
            if model.power == power:
                weights[i] = np.where(keep, np.exp((lowest - fits.criterion[i]) / 2), 0.0)
    # the union over-covers as far as the data, and not the prior on u, decide between its members
    decided = np.where(retained, np.stack(contractions), np.inf).min(0).clip(0, 1)
    relief = np.where(retained.sum(0) > 1, UNION_RELIEF * decided**2, 0.0)
    return Combined(
        weights / weights.sum(0), tuple(powers), np.stack(exponents), np.stack(deviations), retained, relief
    )


def relieved(quantile: float, relief: Array | float) -> Array:
    """The quantile calibrated for a union: shorter below 2, unchanged above `RELIEF_ENDS`."""
    fading = min(max((RELIEF_ENDS - quantile) / (RELIEF_ENDS - 2.0), 0.0), 1.0)
    return np.asarray(quantile * (1 - fading * np.asarray(relief))) if fading else np.asarray(quantile)


def steady_errors(log_n: Array, errors: Array) -> Array:
    """Relative errors pulled towards their common trend in n.

    Errors estimated from few or heavy-tailed samples scatter, and go down together with the value they belong
    to; weights made from them pull the fit to the low values.  A scatter well below a factor of two is taken
    for noise of that kind, one well above for real differences (more samples at some n).
    """
    logs = np.log(errors)
    if errors.shape[-1] < 3:
        return errors
    linear = design(log_n, False)
    trend = logs @ np.linalg.pinv(linear).T @ linear.T
    scatter = np.square(logs - trend).sum(-1, keepdims=True) / (errors.shape[-1] - 2)
    genuine = scatter**2 / (scatter**2 + 0.5**4)
    steadied: Array = np.exp(trend + genuine * (logs - trend))
    return steadied


def residual_error(log_n: Array, log_values: Array, models: Sequence[Model], linear: Array) -> tuple[Array, float]:
    """Common relative error (R,) from the residuals of the richest models that leave any, and its dof."""
    full = [model for model in models if model.cut == 0]
    noise = np.ones(len(log_values))
    for _ in range(40):
        fits = fit_models(log_n, log_values, np.repeat(noise[:, None], len(log_n), 1), full, linear)
        positive = fits.dof[fits.dof > 0]
        if not len(positive):  # as many coefficients as sizes: nothing is known about the noise
            return noise, 0.0
        dof = int(positive.min())
        reduced = fits.chi2[fits.dof == dof].min(0) / dof
        # the prior on u is weighed against the noise, so the two are found together
        before, noise = noise, np.maximum(noise * np.sqrt(reduced), SMALLEST_ERROR)
        if np.all(np.abs(noise - before) < 0.01 * before):
            break
    return noise, float(dof)


def _inflation(fits: Fits, models: Sequence[Model], powers: Sequence[float | None]) -> Array:
    """sqrt(chi-square / dof) of each data set's best model where that model misses the data, else 1."""
    from scipy.special import gammaincc

    rows = [i for i, model in enumerate(models) if model.power in powers]
    best = fits.criterion[rows].argmin(0)
    chi2 = np.take_along_axis(fits.chi2[rows], best[None], 0)[0]
    dof = fits.dof[rows][best]
    free = np.maximum(dof, 1)
    poor = (dof > 0) & (gammaincc(free / 2, chi2 / 2) < POOR_FIT)
    factor: Array = np.where(poor, np.sqrt(chi2 / free), 1.0)
    return factor


def two_sided_quantile(level: float, dof: float) -> float:
    """Normal where the errors are known, Student where they come from the residuals."""
    if not 0 < level < 1:
        raise InputError(f"level is {level!r}, expected a number strictly between 0 and 1")
    if dof == 0:
        return float("inf")
    from scipy.special import ndtri, stdtrit

    tail = (1 + level) / 2
    return float(ndtri(tail) if np.isinf(dof) else stdtrit(dof, tail))
