"""From fits to a list: which candidate orders the data allow, their weights, and what would tell them apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from estimators._order_fits import Array, Model, ModelFits, corrected, fit_orders, models_for
from estimators._power_law import AUTO_POWERS, POOR_FIT, steady_errors
from randtensor.errors import InputError, ShapeError

__all__ = ["WIDEST", "Candidate", "Exponents", "Selection", "fitted_law", "select", "shape", "threshold", "widening"]

Exponents = tuple[Fraction, Fraction, Fraction]

DENOMINATORS = (1, 2, 3, 4, 6)
LOG_EXPONENTS = tuple(Fraction(b) for b in ("0", "1/2", "1", "2", "-1/2", "-1"))

_SMALLEST_ERROR = 1e-12  # relative; below it, rounding of the values and of their logarithms
_REACH = 5.0  # standard deviations of the free exponent, within which fractions are tried
WIDEST = 3.0  # beyond this distance from the free exponent nothing is tried: the data say nothing
_POWER = 1.645  # normal quantile of the probability, 95 %, with which the advice is to succeed
_MOST_CUTS = 4  # sizes that a rival may leave out when advice is sought
_LARGEST_BATCH = 20_000  # models x candidates x sizes fitted at once: tens of megabytes
_EXTENSIONS = 16  # steps by which the sizes are continued, and by which the samples are multiplied by 4


@dataclass(frozen=True)
class Candidate:
    """One candidate that remains: exponents of n, log n, log log n, and its best fit."""

    exponents: Exponents
    weight: float
    misfit: float
    log_constant: float
    model: Model
    amplitude: float


@dataclass(frozen=True, eq=False)
class Selection:
    """What was found; ``log_largest`` and ``more_samples`` are the advice, None if nothing is to be told apart."""

    candidates: tuple[Candidate, ...]
    considered: int
    exponent: float
    exponent_error: float
    errors: Array
    poor_fit: bool
    log_largest: float | None
    more_samples: float | None
    truncated: bool  # exponents were left untried because the data reach too far


def threshold(level: float, dof: float) -> float:
    """The criterion's distance from the best fit within which a candidate is listed.

    The true candidate fixes the two exponents that the best fit is free to choose: chi-square with two degrees of
    freedom, or twice Fisher's F where the errors come from ``dof`` residuals.
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise InputError(f"level is {level!r}, expected a number strictly between 0 and 1")
    if math.isinf(dof):
        return -2 * math.log1p(-level)
    return dof * math.expm1(-2 / dof * math.log1p(-level))


def widening(dof: float) -> float:
    """Student's quantile over the normal one: what errors with few degrees of freedom are multiplied by."""
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(max(dof, 3.0), 0.975) / ndtri(0.975))


def select(
    log_n: Array, log_values: Array, errors: Array | None, given: Sequence[Exponents] | None, level: float
) -> Selection:
    """The orders that remain, from logarithms of sizes (ascending, positive) and of values; relative errors or None."""
    logs = LOG_EXPONENTS if given is None else tuple(dict.fromkeys([Fraction(0), *(b for _, b, _ in given)]))
    models = models_for(len(log_n), AUTO_POWERS, any(logs))
    dof = math.inf
    if errors is None:
        used, dof = _residual_error(log_n, log_values, logs)
    else:
        used = steady_errors(log_n, np.maximum(errors, _SMALLEST_ERROR))
    limit = threshold(level, dof)
    free = _free_fits(log_n, log_values, used, logs, models)
    poor = False
    if errors is not None:
        factor = _inflation(free, models, len(log_n))
        poor = factor > 1
        if poor:
            used = used * factor
            free = _free_fits(log_n, log_values, used, logs, models)
    tried = list(given) if given is not None else _fractions(free, logs, limit)
    fits = _fixed_fits(log_n, log_values, used, tried, models)
    criterion = fits.criterion.min(0)
    best = min(float(free.criterion.min()), float(criterion.min()) if tried else math.inf)
    weights = _weights(fits, tried)
    chosen = sorted(np.flatnonzero(criterion <= best + limit).tolist(), key=lambda k: -float(weights[k]))
    candidates = tuple(
        Candidate(
            exponents=tried[k],
            weight=float(weights[k]),
            misfit=float(criterion[k] - best),
            log_constant=float(fits.linear[i, k, 0]),
            model=models[i],
            amplitude=float(fits.amplitude[i, k]),
        )
        for k in chosen
        for i in [int(fits.criterion[:, k].argmin())]
    )
    # the first of the logs is 0
    share = np.exp((free.criterion[:, 0].min() - free.criterion[:, 0]) / 2)
    share /= share.sum()
    exponent = float(share @ free.linear[:, 0, 1])
    variance = float(share @ (np.square(free.deviation[:, 0]) + np.square(free.linear[:, 0, 1] - exponent)))
    further, samples = _advice(log_n, used, candidates, limit)
    return Selection(
        candidates=candidates,
        considered=len(tried),
        exponent=exponent,
        exponent_error=math.sqrt(variance),
        errors=used,
        poor_fit=poor,
        log_largest=further,
        more_samples=samples,
        truncated=given is None and bool(_REACH * free.deviation[_tolerable(free, limit)].max() > WIDEST),
    )


def fitted_law(
    log_n: Array,
    smallest: float,
    exponents: Sequence[Fraction | float],
    log_constant: float,
    correction: float | str,
    amplitude: float,
) -> Array:
    """Logarithm of a fitted law at sizes ``log_n``; ``smallest`` is the size its amplitude refers to."""
    shift = corrected(log_n, smallest, float(exponents[1]), correction, amplitude)
    return np.asarray(log_constant + shape(log_n, exponents) + shift)


def shape(log_n: Array, exponents: Sequence[Fraction | float]) -> Array:
    """a log n + b log log n + c log log log n."""
    a, b, c = map(float, exponents)
    total = a * log_n
    if b or c:
        total = total + b * np.log(log_n)
    if c:
        total = total + c * np.log(np.log(log_n))
    return np.asarray(total)


def _free_fits(
    log_n: Array, log_values: Array, errors: Array, logs: Sequence[Fraction], models: list[Model]
) -> ModelFits:
    targets = np.stack([log_values - float(b) * np.log(log_n) for b in logs])
    return fit_orders(log_n, targets, np.array([float(b) for b in logs]), errors, models, free=True)


def _fixed_fits(
    log_n: Array, log_values: Array, errors: Array, tried: Sequence[Exponents], models: list[Model]
) -> ModelFits:
    targets = np.stack([log_values - shape(log_n, each) for each in tried])
    logs = np.array([float(b) for _, b, _ in tried])
    step = max(1, _LARGEST_BATCH // (len(models) * len(log_n)))
    parts = [
        fit_orders(log_n, targets[k : k + step], logs[k : k + step], errors, models, free=False)
        for k in range(0, len(tried), step)
    ]
    return ModelFits(*(np.concatenate([getattr(part, f.name) for part in parts], axis=1) for f in fields(ModelFits)))


def _fractions(free: ModelFits, logs: Sequence[Fraction], limit: float) -> list[Exponents]:
    """Fractions of small denominator within reach of the free exponent, for each power of the logarithm."""
    tolerable = _tolerable(free, limit)
    found: list[Exponents] = []
    for j, b in enumerate(logs):
        # a logarithm that fits badly is tried all the same where it fits best, so that there is always a candidate
        rows = np.flatnonzero(tolerable[:, j]) if tolerable[:, j].any() else [int(free.criterion[:, j].argmin())]
        centre, reach = free.linear[rows, j, 1], _REACH * free.deviation[rows, j]
        low = float((centre - np.minimum(reach, WIDEST)).min()) - 1 / 12
        high = float((centre + np.minimum(reach, WIDEST)).max()) + 1 / 12
        values = {Fraction(p, q) for q in DENOMINATORS for p in range(math.ceil(low * q), math.floor(high * q) + 1)}
        found += [(a, b, Fraction(0)) for a in sorted(values)]
    return found


def _tolerable(free: ModelFits, limit: float) -> NDArray[np.bool_]:
    return np.asarray(free.criterion <= free.criterion.min() + limit + 4)


def _weights(fits: ModelFits, tried: Sequence[Exponents]) -> Array:
    prior = np.array([a.denominator**-2.0 * (1 + 2 * abs(float(b))) ** -2.0 for a, b, _ in tried])
    evidence = np.exp((fits.criterion.min() - fits.criterion) / 2).sum(0)
    posterior: Array = prior * evidence
    return np.asarray(posterior / posterior.sum())


def _residual_error(log_n: Array, log_values: Array, logs: Sequence[Fraction]) -> tuple[Array, float]:
    """Common relative error from the residuals of the freest laws, and its degrees of freedom."""
    dof = len(log_n) - 3
    if dof < 2:
        raise ShapeError(
            f"n has {len(log_n)} sizes to fit and no errors, expected standard errors or at least five sizes"
        )
    models = [model for model in models_for(len(log_n), AUTO_POWERS, any(logs)) if model.cut == 0]
    noise = 1.0
    for _ in range(60):
        fits = _free_fits(log_n, log_values, np.full(len(log_n), noise), logs, models)
        # the prior on the correction is weighed against the noise, so the two are found together
        before, noise = noise, max(noise * math.sqrt(float(fits.chi2.min()) / dof), _SMALLEST_ERROR)
        if abs(noise - before) < 0.01 * before:
            break
    return np.full(len(log_n), noise), float(dof)


def _inflation(free: ModelFits, models: list[Model], sizes: int) -> float:
    """sqrt(chi-square / dof) of the best law where even that misses the data, else 1."""
    from scipy.special import gammaincc

    i, j = np.unravel_index(int(free.criterion.argmin()), free.criterion.shape)
    dof = sizes - models[i].cut - 3
    chi2 = float(free.chi2[i, j])
    if dof < 1 or gammaincc(dof / 2, chi2 / 2) >= POOR_FIT:
        return 1.0
    return math.sqrt(chi2 / dof)


def _advice(
    log_n: Array, errors: Array, candidates: Sequence[Candidate], limit: float
) -> tuple[float | None, float | None]:
    """Logarithm of the largest size, or factor on the samples, that would exclude all but the heaviest candidate.

    The heaviest is taken for the truth, and the others are fitted to its law without noise.
    """
    if len(candidates) < 2:
        return None, None
    best, rivals = candidates[0], [each.exponents for each in candidates[1:]]
    needed = (math.sqrt(limit) + _POWER) ** 2

    def told_apart(sizes: Array, spread: Array) -> bool:
        values = fitted_law(sizes, log_n[0], best.exponents, best.log_constant, best.model.correction, best.amplitude)
        models = [m for m in models_for(len(sizes), AUTO_POWERS, any(b for _, b, _ in rivals)) if m.cut <= _MOST_CUTS]
        return bool(_fixed_fits(sizes, values, spread, rivals, models).criterion.min() >= needed)

    step = float(np.median(np.diff(log_n)))
    further = log_n[-1] + step * np.arange(1, _EXTENSIONS + 1)

    def at_larger_sizes(k: int) -> bool:
        return told_apart(np.append(log_n, further[:k]), np.append(errors, np.full(k, errors[-1])))

    reach = _first(at_larger_sizes)
    factor = _first(lambda k: told_apart(log_n, errors * 2.0**-k))
    return None if reach is None else float(further[reach - 1]), None if factor is None else 4.0**factor


def _first(enough: Callable[[int], bool]) -> int | None:
    """The first of the steps 1, 2, ... that is enough, found by halving: more never tells less."""
    if not enough(_EXTENSIONS):
        return None
    low, high = 0, _EXTENSIONS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
