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
from estimators._single_laws import Array, design, fit_models
from estimators.rate_fit import Correction, RateFit, SingleFit
from randtensor.errors import InputError, ShapeError

__all__ = ["Correction", "RateFit", "SingleFit", "fit_rate"]

#: powers of log n that are held against the law without one
_LOGARITHMS = (1.0, -1.0)

#: how much worse a criterion may be to count as equal: within it two laws weigh the same up to e^1/2
_AS_WELL = 1.0

#: a relative error above this says nothing about the value
_LARGEST_ERROR = 1e10

#: an error this much smaller than another is as good as zero, and would make the fit singular
_NEGLIGIBLE = 1e-14


def fit_rate(
    n: ArrayLike,
    values: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    correction: Correction = "auto",
    log_power: bool | float = False,
    hedged: bool = True,
    exact_errors: bool = False,
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
    example 1 + c / log n, or two terms of opposite sign that nearly cancel.  A factor log n or 1 / log n looks like
    another exponent; `RateFit.notes` says so where a law with one fits as well and has its exponent outside the
    interval.

    Parameters
    ----------
    n : sizes, at least two different positive numbers (above 1 with ``log_power``).
    values : numbers of one sign, one per size; the fit is to their absolute values.
    errors : their standard errors; None (or all zero) to estimate a common relative error from the residuals. A
        single zero takes that value as exact. `RateFit.notes` mentions zeros.
    correction : "auto" tries w = 1/2 and w = 1; a number or several give further w to try; None fits the plain
        power law.
    log_power : True also fits the power b of log n, a number fixes it.
    hedged : whether w = 1/2 and w = 1 are tried beside the powers supplied, so that the interval survives a wrong
        one. False trusts the powers supplied: the interval is then up to half as long, and misses the
        exponent if they are wrong.
    exact_errors : whether the errors are known and not themselves estimated. Estimated ones scatter, and go down
        together with the values they belong to, so that they are pulled towards their common trend in n; exact ones are
        used as they are.

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
    sizes, data, relative, negative, notes = _checked(n, values, errors)
    for name, option in {"hedged": hedged, "exact_errors": exact_errors}.items():
        if not isinstance(option, bool | np.bool_):
            raise InputError(f"{name} is {option!r}, expected True or False")
    stated = _stated(correction)
    powers = law.candidate_powers(stated, bool(hedged))
    log_n = np.log(sizes)
    free_log = log_power is True
    fixed = _log_power(log_power, sizes)
    target = (np.log(data) - (fixed or 0.0) * (np.log(log_n) if fixed else 0.0))[None]
    if len(sizes) < 2 + free_log:
        raise ShapeError(f"n has {len(sizes)} sizes: fitting a power of log n needs at least three")
    given = None if relative is None else relative[None]
    found = law.infer(log_n, target, given, powers, free_log, exact_errors=bool(exact_errors))
    fits, combined, dof = found.fits, found.combined, found.dof
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
    if log_power is False and sizes[0] > 1:
        notes += _missed_logarithm(log_n, target[0], found, powers)
    return RateFit(
        n=sizes,
        values=data,
        errors=data * found.errors[0],
        exponent=float(weights @ fits.exponent[:, 0]),
        error=float(high[0] - low[0]) / 2,
        models=singles,
        constant=_exp(float(weights @ center)),
        log_exponent=log_exponent,
        log_exponent_error=log_error,
        poor_fit=bool(found.inflation[0] > 1),
        given_errors=None if relative is None else data * relative,
        correction=stated,
        log_power=log_power if isinstance(log_power, bool) else float(log_power),
        hedged=bool(hedged),
        exact_errors=bool(exact_errors),
        negative=negative,
        notes=notes,
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


def _missed_logarithm(
    log_n: Array, log_values: Array, found: law.Inference, powers: Sequence[float | None]
) -> tuple[str, ...]:
    """A sentence if log n or 1 / log n times a power fits as well, and with an exponent outside the interval.

    The laws have as many coefficients as those without a logarithm, so that their criteria compare directly.
    """
    if found.dof == 0:
        return ()
    logs = np.array(_LOGARITHMS)
    targets = log_values - logs[:, None] * np.log(log_n)
    errors = np.broadcast_to(found.errors, targets.shape)
    fits = fit_models(log_n, targets, errors, found.models, design(log_n, False))
    rows = [i for i, model in enumerate(found.models) if model.power in powers]
    worse = fits.criterion[rows].min(0) - found.fits.criterion[rows].min(0)
    weights = law.combine(fits, found.models, powers).weights
    exponents = (weights * fits.exponent).sum(0)
    low, high = (float(end[0]) for end in found.combined.bounds(found.quantile(0.95)))
    as_good = np.flatnonzero((worse <= _AS_WELL) & ((exponents < low) | (exponents > high)))
    if not len(as_good):
        return ()
    laws = " and ".join(f"n^{exponents[i]:.2f} {'log n' if logs[i] > 0 else '/ log n'}" for i in as_good)
    options = ", ".join(f"log_power={logs[i]:g}" for i in as_good)
    verb = "fits" if len(as_good) == 1 else "fit"
    return (f"{laws} {verb} as well: the exponent rests on there being no logarithm ({options})",)


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


def _checked(
    n: ArrayLike, values: ArrayLike, errors: ArrayLike | None
) -> tuple[Array, Array, Array | None, bool, tuple[str, ...]]:
    """Sizes, absolute values and relative errors, sorted by size; whether the values are negative; notes."""
    arrays: dict[str, Array] = {}
    for name, given in {"n": n, "values": values, "errors": errors}.items():
        if given is None and name == "errors":
            continue
        try:
            plain = np.asarray(given)
            if np.iscomplexobj(plain):
                raise TypeError
            arrays[name] = plain.astype(float)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{name} is {_shown(given)}, expected a sequence of real numbers") from None
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
    if not np.all(np.isfinite(data) & (data != 0)):
        raise InputError(f"values is {data.tolist()}, expected finite numbers other than zero")
    order = np.argsort(sizes)
    sizes, data = sizes[order], data[order]
    negative = bool(data[0] < 0)
    turns = np.flatnonzero((data < 0) != negative)
    if len(turns):
        here = int(turns[0])
        raise InputError(
            f"values changes sign between n = {sizes[here - 1]:g} and n = {sizes[here]:g}, expected one sign: "
            "no power law changes it"
        )
    data = np.abs(data)
    smallest = float(np.finfo(float).tiny)
    if data.min() < smallest:
        at = sizes[data.argmin()]
        raise InputError(
            f"values is {data.min():.3g} at n = {at:g}, expected at least {smallest:.2g} in size: "
            "smaller numbers have lost their digits, so change the unit"
        )
    if "errors" not in arrays:
        return sizes, data, None, negative, ()
    spread = arrays["errors"]
    if not np.all(np.isfinite(spread) & (spread >= 0)):
        raise InputError(f"errors is {spread.tolist()}, expected finite standard errors that are not negative")
    if not spread.any():
        note = "every error is 0: a common relative error was estimated from the residuals instead"
        return sizes, data, None, negative, (note,)
    spread = spread[order]
    with np.errstate(over="ignore"):
        relative = np.maximum(spread / data, law.SMALLEST_ERROR)
    if relative.max() > _LARGEST_ERROR:
        at = int(relative.argmax())
        raise InputError(
            f"errors is {spread[at]:g} at n = {sizes[at]:g}, where values is {data[at]:g}: "
            f"expected at most {_LARGEST_ERROR:g} times that"
        )
    relative = np.maximum(relative, _NEGLIGIBLE * relative.max())
    exact = sizes[spread == 0]
    where = ", ".join(f"{size:g}" for size in exact)
    notes = (f"the error is 0 at n = {where}: the value there was taken as exact",) if len(exact) else ()
    return sizes, data, relative, negative, notes


def _shown(given: Any) -> str:
    """``given`` on one line."""
    return " ".join(repr(given).split())
