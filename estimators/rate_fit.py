"""What `fit_rate` finds: the exponent, every model tried, and the records that can be kept of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from estimators import _power_law as law
from estimators._equality import ComparedByValue
from estimators._records import matching_schema, number, plain
from estimators._single_laws import CUT_PENALTY, PRIOR_WIDTH, Array, Profile, decay, profile
from randtensor.errors import InputError
from randtensor.notebook import html_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Correction", "RateFit", "SingleFit", "digits_for", "local_exponents"]

Correction = Literal["auto"] | float | Sequence[float] | None

_SCHEMA = "randtensor/rate-fit/1"


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
        """All fields, ready for JSON."""
        names = ("n_min", "correction", "exponent", "error", "chi2", "dof", "weight")
        return {name: plain(getattr(self, name)) for name in names} | {
            "coefficients": plain(self._coefficients.tolist()),
            "covariance": plain(self._covariance.tolist()),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> SingleFit:
        """The model of which ``record`` is the `to_dict`."""
        correction = record["correction"]
        return cls(
            n_min=float(record["n_min"]),
            correction=None if correction is None else float(correction),
            exponent=float(record["exponent"]),
            error=number(record["error"], math.inf),
            chi2=float(record["chi2"]),
            dof=int(record["dof"]),
            weight=float(record["weight"]),
            _coefficients=np.array(record["coefficients"], dtype=float),
            _covariance=np.array(record["covariance"], dtype=float),
        )


@dataclass(frozen=True, eq=False)
class RateFit(ComparedByValue):
    """An inferred exponent: the result of `fit_rate`.

    Attributes
    ----------
    n, values, errors : the data, sorted by n; ``values`` are absolute values, and ``errors`` the standard errors by
        which they were weighted: steadied unless ``exact_errors``, and inflated after a poor fit.
    exponent : weighted mean of the exponents of the retained models.
    error : half the length of the 68.3 % interval: sampling and model error together.
    models : every fitted model, with its weight.
    constant : C of the law C n^a, weighted geometric mean over the models.
    log_exponent, log_exponent_error : power of log n; None unless ``log_power`` was asked for.
    poor_fit : True when even the best model missed the data (p < 0.001); the errors were then inflated.
    given_errors : the standard errors as they were given; None when there were none.
    correction, log_power, hedged, exact_errors : how the fit was asked for, see `fit_rate`.
    negative : whether the values given were negative.
    notes : sentences about what the exponent rests on: laws with a logarithm that fit as well, errors of zero.

    Examples
    --------
    >>> from estimators import fit_rate
    >>> fit = fit_rate([32, 64, 128, 256], [8.0, 2.0, 0.5, 0.125], [0.08, 0.02, 0.005, 0.001], correction=None)
    >>> print(f"{fit.exponent:.2f}", len(fit.local_exponents))
    -2.00 3
    >>> [(model.n_min, model.dof) for model in fit.models]
    [(32.0, 2), (64.0, 1)]
    >>> RateFit.from_dict(fit.to_dict()).interval() == fit.interval()
    True
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
    given_errors: Array | None
    correction: float | str | tuple[float, ...] | None
    log_power: bool | float
    hedged: bool
    exact_errors: bool
    negative: bool
    notes: tuple[str, ...]
    _branches: tuple[tuple[float, float], ...] = field(repr=False)
    _dof: float = field(repr=False)
    _relief: float = field(repr=False)

    def __str__(self) -> str:
        low, high = self.interval(0.95)
        digits = digits_for(low, high)
        return (
            f"exponent {self.exponent:.{digits}g} ± {self.error:.2g}, "
            f"95 % interval ({low:.{digits}g}, {high:.{digits}g})"
        ) + "".join(f" ({note})" for note in self.notes)

    __repr__ = __str__  # at a prompt, every field would be pages

    def _repr_html_(self) -> str:
        rows = [
            (f"{at:.4g}", f"{slope:.4f}", f"{error:.2g}" if math.isfinite(error) else "")
            for at, slope, error in self.local_exponents
        ]
        return html_table(str(self), ("n (geometric mean)", "local slope", "standard error"), rows)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval of the exponent: union over the correction powers that the data allow.

        An interval at a level above 98.6 % allows for more: for every correction, of whatever size, at which the law
        fits worse than the best one by less than the square of the quantile.

        Raises
        ------
        InputError : ``level`` is not strictly between 0 and 1.
        """
        quantile = law.two_sided_quantile(level, self._dof)
        if math.isinf(self.error):
            return -math.inf, math.inf
        reach = float(law.relieved(quantile, self._relief))
        low = min(a - reach * s for a, s in self._branches)
        high = max(a + reach * s for a, s in self._branches)
        if quantile**2 > law.RETAINED_WITHIN:
            far_low, far_high = self._profile.bounds(quantile, self._lowest)
            low, high = min(low, far_low), max(high, far_high)
        return low, high

    @cached_property
    def _profile(self) -> Profile:
        log_n, log_values = np.log(self.n), np.log(self.values)
        if self.log_power is not True and self.log_exponent:
            log_values = log_values - self.log_exponent * np.log(log_n)
        powers = law.candidate_powers(self.correction, self.hedged)
        return profile(log_n, log_values, self.errors / self.values, powers, self.log_power is True)

    @cached_property
    def _lowest(self) -> float:
        """Criterion of the best model."""
        powers = law.candidate_powers(self.correction, self.hedged)
        return min(
            model.chi2
            + (float(model._coefficients[-1]) / PRIOR_WIDTH) ** 2
            + CUT_PENALTY * int(np.sum(self.n < model.n_min))
            for model in self.models
            if model.correction in powers
        )

    @property
    def local_exponents(self) -> Array:
        """Slopes between neighbours, shape (k, 3): geometric mean of the two n, slope, standard error."""
        return local_exponents(self.n, self.values, self.errors)

    @property
    def residuals(self) -> Array:
        """log(value / fitted law) at each n, in standard errors."""
        relative = self.errors / self.values
        standardized: Array = np.log(self.values / self.predict(self.n)) / relative
        return standardized

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
        with np.errstate(over="ignore"):  # the upper end is then infinite, as it should be
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
        ratio = decay(log_n, own[0], fit.correction)
        shift = np.expm1(u) * ratio
        gradient = np.stack([*rows, np.exp(u) * ratio / (1 + shift)], axis=-1)
        value = offset + np.log1p(shift) + gradient[..., :-1] @ fit._coefficients[:-1]
        variance = np.einsum("...i,ij,...j->...", gradient, fit._covariance, gradient)
        # through a value that is exact the variance is zero up to rounding of either sign
        return value, np.sqrt(np.maximum(variance, 0.0))

    def plot(self, ax: Axes | Sequence[Axes] | None = None, *, level: float = 0.95) -> tuple[Axes, ...]:
        """Values with the fitted law and its band; local slopes; residuals; sensitivity to the smallest n.

        Parameters
        ----------
        ax : one to four axes for these panels, in this order; None makes a new figure with all four.
        level : confidence level of the bars and bands.

        Raises
        ------
        ImportError : matplotlib is not installed.
        """
        from estimators.plots import plot_fit

        return plot_fit(self, ax, level)

    def merge(self, other: RateFit) -> RateFit:
        """The fit to both data sets: values at the same size are averaged with their inverse variances.

        Raises
        ------
        InputError : fits that were asked for differently, that know no errors, or that share a value and so are
            not independent.

        Examples
        --------
        >>> from estimators import fit_rate
        >>> one = fit_rate([16, 64], [4.1, 1.0], [0.1, 0.02])
        >>> both = one.merge(fit_rate([16, 256], [3.9, 0.25], [0.1, 0.01]))
        >>> both.n.tolist(), round(float(both.values[0]), 3)
        ([16.0, 64.0, 256.0], 4.0)
        """
        from estimators.rates import fit_rate

        if not isinstance(other, RateFit):
            raise InputError(f"other is {other!r}, expected a RateFit")
        for name in ("correction", "log_power", "hedged", "exact_errors", "negative"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if repr(mine) != repr(theirs):  # log_power = True is not 1.0
                raise InputError(f"{name} is {mine!r} in one fit and {theirs!r} in the other, expected the same")
        if self.given_errors is None or other.given_errors is None:
            raise InputError("errors is None in one of the fits, expected standard errors to weight the values by")
        pairs: dict[float, list[tuple[float, float]]] = {}
        for fit, errors in ((self, self.given_errors), (other, other.given_errors)):
            for size, value, error in zip(fit.n, fit.values, errors, strict=True):
                pairs.setdefault(float(size), []).append((float(value), float(error)))
        for size, found in pairs.items():
            if len(found) == 2 and found[0] == found[1]:
                raise InputError(f"the value at n = {size:g} is the same in both fits, expected independent samples")
        sizes = sorted(pairs)
        merged = [_average(pairs[size]) for size in sizes]
        return fit_rate(
            sizes,
            [-value if self.negative else value for value, _ in merged],
            [error for _, error in merged],
            correction=self.correction,  # type: ignore[arg-type]
            log_power=self.log_power,
            hedged=self.hedged,
            exact_errors=self.exact_errors,
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; numbers that are not finite become None. `from_dict` reads it."""
        return {
            "schema": _SCHEMA,
            "n": self.n.tolist(),
            "values": self.values.tolist(),
            "errors": plain(self.errors.tolist()),
            "given_errors": None if self.given_errors is None else self.given_errors.tolist(),
            "exponent": plain(self.exponent),
            "error": plain(self.error),
            "interval95": plain(list(self.interval(0.95))),
            "constant": plain(self.constant),
            "log_exponent": plain(self.log_exponent),
            "log_exponent_error": plain(self.log_exponent_error),
            "poor_fit": self.poor_fit,
            "correction": list(self.correction) if isinstance(self.correction, tuple) else self.correction,
            "log_power": self.log_power,
            "hedged": self.hedged,
            "exact_errors": self.exact_errors,
            "negative": self.negative,
            "notes": list(self.notes),
            "local_exponents": self.local_exponents.tolist(),
            "models": [fit.to_dict() for fit in self.models],
            "branches": plain([list(branch) for branch in self._branches]),
            "dof": plain(self._dof),
            "relief": self._relief,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RateFit:
        """The fit of which ``record`` is the `to_dict`.

        Raises
        ------
        InputError : a record of something else.
        """
        with matching_schema(record, _SCHEMA):
            given, correction = record["given_errors"], record["correction"]
            return cls(
                n=np.array(record["n"], dtype=float),
                values=np.array(record["values"], dtype=float),
                errors=np.array([number(error, math.inf) for error in record["errors"]]),
                exponent=float(record["exponent"]),
                error=number(record["error"], math.inf),
                models=tuple(SingleFit.from_dict(model) for model in record["models"]),
                constant=number(record["constant"], math.inf),
                log_exponent=record["log_exponent"],
                log_exponent_error=record["log_exponent_error"],
                poor_fit=bool(record["poor_fit"]),
                given_errors=None if given is None else np.array(given, dtype=float),
                correction=tuple(correction) if isinstance(correction, list) else correction,
                log_power=record["log_power"],
                hedged=bool(record["hedged"]),
                exact_errors=bool(record.get("exact_errors", False)),  # records of earlier versions lack these three
                negative=bool(record.get("negative", False)),
                notes=tuple(record.get("notes", ())),
                _branches=tuple((float(a), number(s, math.inf)) for a, s in record["branches"]),
                _dof=number(record["dof"], math.inf),
                _relief=float(record["relief"]),
            )


def digits_for(low: float, high: float) -> int:
    """Significant digits, at least 4, that show both ends of an interval to a twentieth of its length.

    >>> digits_for(-1.02, -0.97), digits_for(-1.00000002, -0.99999997)
    (4, 9)
    """
    length = high - low
    if not (math.isfinite(length) and length > 0):
        return 4
    for digits in range(4, 17):
        if all(abs(float(f"{end:.{digits}g}") - end) <= length / 20 for end in (low, high)):
            return digits
    return 17


def local_exponents(n: Array, values: Array, errors: Array) -> Array:
    """Slopes between neighbours, shape (k, 3): geometric mean of the two n, slope, standard error."""
    log_n, relative = np.log(n), errors / values
    step = np.diff(log_n)
    slopes = np.diff(np.log(values)) / step
    spread = np.hypot(relative[1:], relative[:-1]) / step
    return np.stack([np.exp((log_n[1:] + log_n[:-1]) / 2), slopes, spread], axis=-1)


def _average(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Inverse-variance mean and its error; values without error outweigh those that have one."""
    if len(found) == 1:
        return found[0]
    sharp = [value for value, error in found if error == 0]
    if sharp:
        return sum(sharp) / len(sharp), 0.0
    # weights from the relative errors' trend would be better still, but need more than two values
    weights = [error**-2 for _, error in found]
    total = sum(weights)
    return sum(w * value for w, (value, _) in zip(weights, found, strict=True)) / total, total**-0.5
