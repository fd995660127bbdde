"""What many fitted laws say together: candidates, their weights, and intervals that allow for all of them.

Each candidate is a power law with one correction term, see `_single_laws`; the rule by which they are put together and
its measured coverage are in docs/rates.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators._single_laws import PRIOR_WIDTH, Array, Fits, Model, design, fit_models
from randtensor.errors import InputError

#: correction powers that are tried where none is known
AUTO_POWERS = (0.5, 1.0)

#: a correction power is discarded when its best model is worse than the best of all by more than this
RETAINED_WITHIN = 6.0

#: an interval that is the union of several misses less often than each of them: by this share its quantile is
#: too large (measured, docs/rates.md)
UNION_RELIEF = 0.14

#: quantile from which on the union keeps its full width: refutations are never made easier
RELIEF_ENDS = 3.25

#: below this probability of the best model's chi-square the errors are taken to be too small
POOR_FIT = 1e-3

#: relative errors below this are smaller than the rounding of the values
SMALLEST_ERROR = 1e-13


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
    log_n: Array,
    log_values: Array,
    errors: Array | None,
    powers: Sequence[float | None],
    with_log_log: bool,
    *,
    exact_errors: bool = False,
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
        used = errors if exact_errors else steady_errors(log_n, errors)
    fits = fit_models(log_n, log_values, used, models, linear)
    if errors is not None:
        inflation = _inflation(fits, models, powers)
        if np.any(inflation > 1):
            used = used * inflation[:, None]
            fits = fit_models(log_n, log_values, used, models, linear)
    return Inference(models, fits, combine(fits, models, powers), used, inflation, dof)


def candidate_powers(correction: float | str | Sequence[float] | None, hedged: bool) -> tuple[float | None, ...]:
    """The correction powers to fit; None is the plain power law, which nothing hedges."""
    if correction is None:
        return (None,)
    if isinstance(correction, str):
        return AUTO_POWERS
    given = correction if isinstance(correction, Sequence) else (correction,)
    return tuple(dict.fromkeys((*given, *(AUTO_POWERS if hedged else ()))))


def candidates(sizes: int, powers: Sequence[float | None], linear: int) -> list[Model]:
    """Each power on all sizes and on fewer, while a degree of freedom is left; the plain law to compare."""
    wanted = list(powers) if None in powers else [*powers, None]
    models = []
    for power in wanted:
        spare = sizes - linear - (power is not None)
        models += [Model(power, cut) for cut in range(max(spare, 1))]
    return models


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
