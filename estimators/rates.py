"""The exponent of a power law, with an interval that knows about corrections at finite n.

The model, the combination rule and its measured coverage are in docs/rates.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from estimators import _power_law as law
from estimators._power_law import Array
from estimators.rate_fit import Correction, RateFit, SingleFit
from randtensor.errors import InputError, ShapeError

__all__ = ["Correction", "RateFit", "SingleFit", "fit_rate"]

_AUTO_POWERS = (0.5, 1.0)


def fit_rate(
    n: ArrayLike,
    values: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    correction: Correction = "auto",
    log_power: bool | float = False,
    hedged: bool = True,
) -> RateFit:
    """The exponent a of T(n) ~ C n^a as n grows, from values measured at finite n.

    A straight line through a log-log plot reports an interval that knows only the sampling noise, and misses
    the limit exponent whenever T(n) = C n^a (1 + c n^-w + ...).  Here the correction is part of the model:

    1. fit log T = log C + a log n + log(1 + c n^-w) for each candidate w, on all sizes and without the
        smallest ones;
    2. per w, average over the sizes left out by information-criterion weights (Jay & Neil 2021, arXiv
        2008.01069);
    3. the interval is the union over all w that the data do not reject.

    It fails where its assumption does: when the corrections at the sizes given are not of that form, for
    example 1 + c / log n, or two terms of opposite sign that nearly cancel.

    Parameters
    ----------
    n : sizes, at least two different positive numbers (above 1 with ``log_power``).
    values : positive numbers, one per size.
    errors : their standard errors; None (or all zero) to estimate a common relative error from the residuals.
    correction : "auto" tries w = 1/2 and w = 1; a number or several give further w to try; None fits the plain
        power law.
    log_power : True also fits the power b of log n, a number fixes it.
    hedged : whether w = 1/2 and w = 1 are tried beside the powers supplied, so that the interval survives a wrong
        one. False trusts the powers supplied: the interval is then up to half as long, and misses the
        exponent if they are wrong.

    Raises
    ------
    ShapeError : arrays of different lengths, or too few sizes.
    InputError : sizes, values, errors or options that cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> n = np.array([64, 256, 1024, 4096, 16384])
    >>> values = 3 / n * (1 + n**-0.5)
    >>> fit = fit_rate(n, values, 0.003 * values)
    >>> low, high = fit.interval(0.95)
    >>> bool(low < -1 < high)
    True
    >>> plain = fit_rate(n, values, 0.003 * values, correction=None)
    >>> plain.interval(0.95)[1] < -1  # the straight line is sure of the wrong exponent
    True
    """
    sizes, data, relative = _checked(n, values, errors)
    if not isinstance(hedged, bool | np.bool_):
        raise InputError(f"hedged is {hedged!r}, expected True or False")
    powers = candidate_powers(correction, bool(hedged))
    log_n = np.log(sizes)
    free_log = log_power is True
    fixed = _log_power(log_power, sizes)
    target = (np.log(data) - (fixed or 0.0) * (np.log(log_n) if fixed else 0.0))[None]
    if len(sizes) < 2 + free_log:
        raise ShapeError(f"n has {len(sizes)} sizes: fitting a power of log n needs at least three")
    found = law.infer(log_n, target, None if relative is None else relative[None], powers, free_log)
    fits, combined, dof = found.fits, found.combined, found.dof
    spread = found.errors[0] if relative is None else relative * found.inflation[0]
    weights = combined.weights[:, 0]
    singles = tuple(
        SingleFit(
            float(sizes[model.cut]),
            model.power,
            float(fits.exponent[i, 0]),
            math.sqrt(fits.variance[i, 0]) if dof > 0 else math.inf,
            float(fits.chi2[i, 0]),
            int(fits.dof[i]),
            float(weights[i]),
            fits.coefficients[i, 0],
            fits.covariance[i, 0],
        )
        for i, model in enumerate(found.models)
    )
    center = fits.coefficients[:, 0, 0] - fits.coefficients[:, 0, 1] * log_n.mean()
    log_exponent, log_error = fixed, 0.0 if fixed is not None else None
    if free_log:
        b = fits.exponents[:, 0, 1]
        center = center - fits.coefficients[:, 0, 2] * np.log(log_n).mean()
        log_exponent = float(weights @ b)
        log_error = math.sqrt(weights @ (fits.variances[:, 0, 1] + np.square(b - log_exponent)))
    low, high = combined.bounds(found.quantile(0.6826894921370859))
    return RateFit(
        n=sizes,
        values=data,
        errors=data * spread,
        exponent=float(weights @ fits.exponent[:, 0]),
        error=float(high[0] - low[0]) / 2,
        models=singles,
        constant=_exp(float(weights @ center)),
        log_exponent=log_exponent,
        log_exponent_error=log_error,
        poor_fit=bool(found.inflation[0] > 1),
        given_errors=None if relative is None else data * relative,
        correction=_stated(correction),
        log_power=log_power if isinstance(log_power, bool) else float(log_power),
        hedged=bool(hedged),
        _branches=tuple(
            (float(a), float(s))
            for a, s, keep in zip(
                combined.exponents[:, 0], combined.deviations[:, 0], combined.retained[:, 0], strict=True
            )
            if keep
        ),
        _dof=dof,
        _relief=float(combined.relief[0]),
    )


def candidate_powers(correction: Any, hedged: bool) -> tuple[float | None, ...]:
    """The correction powers to fit; None is the plain power law, which nothing hedges."""
    stated = _stated(correction)
    if stated is None:
        return (None,)
    if isinstance(stated, str):
        return _AUTO_POWERS
    given = stated if isinstance(stated, tuple) else (stated,)
    return tuple(dict.fromkeys((*given, *(_AUTO_POWERS if hedged else ()))))


def _exp(x: float) -> float:
    """exp, infinite where that is no float: a steep law has a constant far outside the range of its sizes."""
    return math.exp(x) if x < math.log(sys.float_info.max) else math.inf


def _stated(correction: Any) -> float | str | tuple[float, ...] | None:
    """``correction`` in plain types, or one sentence about it."""
    if correction is None or (isinstance(correction, str) and correction == "auto"):
        return correction
    several = isinstance(correction, Sequence | np.ndarray) and not isinstance(correction, str)
    given = tuple(correction) if several else (correction,)
    try:
        powers = () if isinstance(correction, str) else tuple(float(power) for power in given)
    except (TypeError, ValueError):
        powers = ()
    if not powers or not all(math.isfinite(power) and power > 0 for power in powers):
        raise InputError(f"correction is {correction!r}, expected 'auto', None, a positive power or several")
    return powers if several else powers[0]


def _log_power(log_power: Any, sizes: Array) -> float | None:
    if log_power is False:
        return None
    if sizes[0] <= 1:
        raise InputError(f"n is {sizes[0]:g}, expected sizes above 1 for a power of log n")
    if log_power is True:
        return None
    try:
        power = float(log_power)
    except (TypeError, ValueError):
        power = math.nan
    if not math.isfinite(power):
        raise InputError(f"log_power is {log_power!r}, expected False, True or a finite number")
    return power


def _checked(n: ArrayLike, values: ArrayLike, errors: ArrayLike | None) -> tuple[Array, Array, Array | None]:
    """Sizes, values and relative errors, sorted by size."""
    arrays: dict[str, Array] = {}
    for name, given in {"n": n, "values": values, "errors": errors}.items():
        if given is None:
            continue
        try:
            arrays[name] = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise InputError(f"{name} is {given!r}, expected a sequence of real numbers") from None
        if arrays[name].ndim != 1:
            raise ShapeError(f"{name} has shape {arrays[name].shape}, expected one dimension")
        if len(arrays[name]) != len(arrays["n"]):
            raise ShapeError(f"{name} has {len(arrays[name])} entries, expected {len(arrays['n'])} as many as n")
    sizes, data = arrays["n"], arrays["values"]
    if not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise InputError(f"n is {sizes.tolist()}, expected positive finite sizes")
    distinct = np.unique(sizes)
    if len(distinct) < 2:
        raise ShapeError(f"n is {sizes.tolist()}: a slope needs at least two different sizes")
    if len(distinct) < len(sizes):
        raise ShapeError(f"n is {sizes.tolist()}: each size may occur only once")
    if not np.all(np.isfinite(data) & (data > 0)):
        raise InputError(f"values is {data.tolist()}, expected positive finite numbers to take logarithms of")
    order = np.argsort(sizes)
    if "errors" not in arrays:
        return sizes[order], data[order], None
    spread = arrays["errors"]
    if not np.all(np.isfinite(spread) & (spread >= 0)):
        raise InputError(f"errors is {spread.tolist()}, expected finite standard errors that are not negative")
    relative = np.maximum(spread / data, law.SMALLEST_ERROR)[order] if spread.any() else None
    return sizes[order], data[order], relative
