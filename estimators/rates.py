"""The exponent of a power law, with an interval that knows about corrections at finite n.

The model, the combination rule and its measured coverage are in docs/rates.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from estimators import _power_law as law
from estimators._power_law import Array
from randtensor.errors import InputError, ShapeError

__all__ = ["Correction", "RateFit", "SingleFit", "fit_rate"]

Correction = Literal["auto"] | float | Sequence[float] | None

_AUTO_POWERS = (0.5, 1.0)


@dataclass(frozen=True)
class SingleFit:
    """One fitted model: part of a `RateFit`, and one row of its sensitivity table.

    Attributes
    ----------
    n_min : smallest size the model was fitted to.
    correction : power w of the correction term 1 + c n^-w, or None for the plain power law.
    exponent, error : fitted exponent and its sampling error.
    chi2, dof : weighted sum of squared residuals, and degrees of freedom.
    weight : share in the combined exponent; zero for a model that is shown for comparison or was discarded.
    """

    n_min: float
    correction: float | None
    exponent: float
    error: float
    chi2: float
    dof: int
    weight: float
    _coefficients: Array = field(repr=False, compare=False)
    _covariance: Array = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The public fields, ready for JSON."""
        names = ("n_min", "correction", "exponent", "error", "chi2", "dof", "weight")
        return {name: _plain(getattr(self, name)) for name in names}


@dataclass(frozen=True, eq=False)
class RateFit:
    """An inferred exponent: the result of `fit_rate`.

    Attributes
    ----------
    n, values, errors : the data, sorted by n; ``errors`` are the standard errors used, after inflation if
        any.
    exponent : weighted mean of the exponents of the retained models.
    error : half the length of the 68.3 % interval: sampling and model error together.
    models : every fitted model, with its weight.
    constant : C of the law C n^a, weighted geometric mean over the models.
    log_exponent, log_exponent_error : power of log n; None unless ``log_power`` was asked for.
    poor_fit : True when even the best model missed the data (p < 0.001); the errors were then inflated.

    Examples
    --------
    >>> fit = fit_rate([32, 64, 128, 256], [8.0, 2.0, 0.5, 0.125], [0.08, 0.02, 0.005, 0.001], correction=None)
    >>> print(f"{fit.exponent:.2f}", len(fit.local_exponents))
    -2.00 3
    >>> [(model.n_min, model.dof) for model in fit.models]
    [(32.0, 2), (64.0, 1)]
    """

    n: Array
    values: Array
    errors: Array
    exponent: float
    error: float
    models: tuple[SingleFit, ...]
    constant: float
    log_exponent: float | None
    log_exponent_error: float | None
    poor_fit: bool
    _branches: tuple[tuple[float, float], ...] = field(repr=False)
    _dof: float = field(repr=False)

    def __str__(self) -> str:
        low, high = self.interval(0.95)
        return f"exponent {self.exponent:.4g} ± {self.error:.2g}, 95 % interval ({low:.4g}, {high:.4g})"

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval of the exponent: union over the correction powers that the data allow.

        Raises
        ------
        InputError : ``level`` is not strictly between 0 and 1.
        """
        quantile = law.two_sided_quantile(level, self._dof)
        if math.isinf(self.error):
            return -math.inf, math.inf
        low = min(a - quantile * s for a, s in self._branches)
        high = max(a + quantile * s for a, s in self._branches)
        return low, high

    @property
    def local_exponents(self) -> Array:
        """Slopes between neighbours, shape (k, 3): geometric mean of the two n, slope, standard error."""
        return local_exponents(self.n, self.values, self.errors)

    def predict(self, n: ArrayLike) -> Array:
        """The fitted law at sizes ``n`` (any shape): weighted geometric mean over the models."""
        sizes = np.asarray(n, dtype=float)
        total = sum(fit.weight * self._curve(fit, sizes)[0] for fit in self.models if fit.weight > 0)
        curve: Array = np.exp(np.asarray(total))
        return curve

    def band(self, n: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
        """Pointwise confidence band of the law at ``n``: union over the models of at least 5 % weight."""
        sizes = np.asarray(n, dtype=float)
        quantile = law.two_sided_quantile(level, self._dof)
        top = max(fit.weight for fit in self.models)
        curves = [self._curve(fit, sizes) for fit in self.models if fit.weight >= min(0.05, top)]
        low = np.min([y - quantile * s for y, s in curves], axis=0)
        high = np.max([y + quantile * s for y, s in curves], axis=0)
        return np.exp(low), np.exp(high)

    def _curve(self, fit: SingleFit, sizes: Array) -> tuple[Array, Array]:
        """log T and its standard deviation at ``sizes``."""
        own, log_n = np.log(self.n), np.log(sizes)
        rows = [np.ones_like(log_n), log_n - own.mean()]
        offset = np.zeros_like(log_n)
        if len(fit._coefficients) == 4:
            rows.append(np.log(log_n) - np.log(own).mean())
        elif self.log_exponent is not None:
            offset = self.log_exponent * np.log(log_n)
        u = float(fit._coefficients[-1])
        ratio = law.decay(log_n, own[0], fit.correction)
        shift = np.expm1(u) * ratio
        gradient = np.stack([*rows, np.exp(u) * ratio / (1 + shift)], axis=-1)
        value = offset + np.log1p(shift) + gradient[..., :-1] @ fit._coefficients[:-1]
        variance = np.einsum("...i,ij,...j->...", gradient, fit._covariance, gradient)
        return value, np.sqrt(variance)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; numbers that are not finite become None."""
        return {
            "n": self.n.tolist(),
            "values": self.values.tolist(),
            "errors": [_plain(e) for e in self.errors.tolist()],
            "exponent": _plain(self.exponent),
            "error": _plain(self.error),
            "interval95": [_plain(end) for end in self.interval(0.95)],
            "constant": _plain(self.constant),
            "log_exponent": _plain(self.log_exponent),
            "log_exponent_error": _plain(self.log_exponent_error),
            "poor_fit": self.poor_fit,
            "local_exponents": self.local_exponents.tolist(),
            "models": [fit.to_dict() for fit in self.models],
        }


def fit_rate(
    n: ArrayLike,
    values: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    correction: Correction = "auto",
    log_power: bool | float = False,
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
    correction : "auto" tries w = 1/2 and w = 1; a number or several give the w to try; None fits the plain
        power law.
    log_power : True also fits the power b of log n, a number fixes it.

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
    powers = _powers(correction)
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
    center = fits.coefficients[:, 0, 0] - fits.exponent[:, 0] * log_n.mean()
    log_exponent, log_error = fixed, 0.0 if fixed is not None else None
    if free_log:
        b = fits.coefficients[:, 0, 2]
        center = center - b * np.log(log_n).mean()
        log_exponent = float(weights @ b)
        log_error = math.sqrt(weights @ (fits.covariance[:, 0, 2, 2] + np.square(b - log_exponent)))
    low, high = combined.bounds(found.quantile(0.6826894921370859))
    return RateFit(
        n=sizes,
        values=data,
        errors=data * spread,
        exponent=float(weights @ fits.exponent[:, 0]),
        error=float(high[0] - low[0]) / 2,
        models=singles,
        constant=float(np.exp(weights @ center)),
        log_exponent=log_exponent,
        log_exponent_error=log_error,
        poor_fit=bool(found.inflation[0] > 1),
        _branches=tuple(
            (float(a), float(s))
            for a, s, keep in zip(
                combined.exponents[:, 0], combined.deviations[:, 0], combined.retained[:, 0], strict=True
            )
            if keep
        ),
        _dof=dof,
    )


def local_exponents(n: Array, values: Array, errors: Array) -> Array:
    """Slopes between neighbours, shape (k, 3): geometric mean of the two n, slope, standard error."""
    log_n, relative = np.log(n), errors / values
    step = np.diff(log_n)
    slopes = np.diff(np.log(values)) / step
    spread = np.sqrt(np.square(relative[1:]) + np.square(relative[:-1])) / step
    return np.stack([np.exp((log_n[1:] + log_n[:-1]) / 2), slopes, spread], axis=-1)


def _plain(x: Any) -> Any:
    return None if isinstance(x, float) and not math.isfinite(x) else x


def _powers(correction: Any) -> tuple[float | None, ...]:
    if correction is None:
        return (None,)
    if isinstance(correction, str):
        if correction != "auto":
            raise InputError(f"correction is {correction!r}, expected 'auto', None, a positive power or several")
        return _AUTO_POWERS
    given = tuple(correction) if isinstance(correction, Sequence | np.ndarray) else (correction,)
    try:
        powers = [float(power) for power in given]
    except (TypeError, ValueError):
        powers = []
    if not powers or not all(math.isfinite(power) and power > 0 for power in powers):
        raise InputError(f"correction is {correction!r}, expected 'auto', None, a positive power or several")
    return tuple(dict.fromkeys(powers))


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
