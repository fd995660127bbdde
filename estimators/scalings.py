"""A statistic of one quantity at several sizes, and the exponent it scales with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from estimators._decisive import fit_text
from estimators._equality import ComparedByValue
from estimators._magnitudes import magnitudes_of, unresolved_reason
from estimators._points import counts_at, sizes_at
from estimators._records import matching_schema
from estimators._single_laws import Array
from estimators.estimation import Estimate, Variance, check_scalar, from_samples
from estimators.exact_variance import variance_at
from estimators.merging import extend_estimates
from estimators.rate_fit import Correction, RateFit
from estimators.rates import fit_rate
from estimators.sampling import Progress, describe, draw_samples
from estimators.statistics import Statistic
from estimators.workers import Jobs
from randtensor.errors import InputError, ShapeError
from randtensor.notebook import html_table
from randtensor.quantity import Quantity
from randtensor.seeding import Seed, root_sequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Scaling", "scaling"]

_SCHEMA = "randtensor/scaling/1"


@dataclass(frozen=True, eq=False)
class Scaling(ComparedByValue):
    """A statistic against size: the result of `scaling`.

    Attributes
    ----------
    n : sizes of the scale, ascending.
    values, errors : the statistic at each size, with its sign, and its standard error.
    estimates : the `Estimate` at each size.
    fit : the `RateFit` of the absolute values.
    scale : name of the scale.
    quantity : the quantity in a few words.
    unresolved : True when some value is not clearly away from zero, or they change sign; the exponent is then
        not to be relied on.
    reason : why it is unresolved, else None.
    """

    n: Array
    values: Array
    errors: Array
    estimates: tuple[Estimate, ...]
    fit: RateFit
    scale: str
    quantity: str
    unresolved: bool
    reason: str | None

    @property
    def statistic(self) -> str:
        """Name of the statistic."""
        return self.estimates[0].statistic

    @property
    def heavy_tailed(self) -> bool:
        """Whether a few samples carry the variance at some size, so that the errors there are guesses."""
        return any(found.heavy_tailed and found.error_source != "exact" for found in self.estimates)

    @property
    def kurtosis(self) -> Array:
        """Excess kurtosis of the samples at each size; nan where they are constant."""
        return np.array([found.kurtosis for found in self.estimates])

    @property
    def exponent(self) -> float:
        """The power of n, see `RateFit.exponent`."""
        return self.fit.exponent

    @property
    def error(self) -> float:
        """Sampling and model error of the exponent, see `RateFit.error`."""
        return self.fit.error

    def __str__(self) -> str:
        span = f"{self.scale} = {self.n[0]:g} .. {self.n[-1]:g}"
        return (
            f"{self.statistic} of {self.quantity}, {span}: {fit_text(self.fit)}"
            + (f" (unresolved: {self.reason})" if self.unresolved else "")
            + (" (heavy tails: see kurtosis)" if self.heavy_tailed else "")
        )

    __repr__ = __str__  # at a prompt, every field would be pages

    def _repr_html_(self) -> str:
        rows = [
            (f"{found.sizes[self.scale]}", f"{found.value:.6g}", f"{found.error:.2g}", str(found.samples))
            for found in self.estimates
        ]
        return html_table(str(self), (self.scale, self.statistic, "standard error", "samples"), rows)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval of the exponent, see `RateFit.interval`."""
        return self.fit.interval(level)

    @property
    def local_exponents(self) -> Array:
        """Slopes between neighbours, shape (k, 3): geometric mean of the two n, slope, standard error."""
        return self.fit.local_exponents

    def plot(self, ax: Axes | Sequence[Axes] | None = None, *, level: float = 0.95) -> tuple[Axes, ...]:
        """Values with error bars, fitted law and its band; below, local slopes and the fitted exponent.

        Parameters
        ----------
        ax : axes for the values, or several: local slopes, residuals and the sensitivity to the smallest n
            are drawn in the second to fourth; None makes a new figure with the first two.
        level : confidence level of the bars and bands.

        Raises
        ------
        ImportError : matplotlib is not installed.
        """
        from estimators.plots import plot_scaling

        return plot_scaling(self, ax, level)

    def merge(self, other: Scaling) -> Scaling:
        """All samples of both, and the fit to them; a size that only one of them has is kept.

        Raises
        ------
        InputError : another quantity, scale, statistic or fit, or samples that are already in this result.

        Examples
        --------
        >>> import randtensor as rt
        >>> length = rt.norm(rt.gaussian(rt.Scale("n")))
        >>> one = scaling(length, n=[8, 32], samples=100, rng=0)
        >>> both = one.merge(scaling(length, n=[32, 128], samples=100, rng=1))
        >>> [(found.sizes["n"], found.samples) for found in both.estimates]
        [(8, 100), (32, 200), (128, 100)]
        """
        if not isinstance(other, Scaling):
            raise InputError(f"other is {other!r}, expected a Scaling")
        for name in ("scale", "statistic"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise InputError(f"{name} is {theirs!r} in the other result, expected {mine!r} as in this one")
        for name in ("correction", "log_power", "hedged"):
            mine, theirs = getattr(self.fit, name), getattr(other.fit, name)
            if repr(mine) != repr(theirs):  # log_power = True is not 1.0
                raise InputError(f"{name} is {theirs!r} in the other fit, expected {mine!r} as in this one")
        if self.estimates[0].quantity != other.estimates[0].quantity:
            raise InputError(f"quantity is {other.quantity} in the other result, expected {self.quantity}")
        found = {int(estimate.sizes[self.scale]): estimate for estimate in self.estimates}
        for estimate in other.estimates:
            size = int(estimate.sizes[self.scale])
            found[size] = found[size].merge(estimate) if size in found else estimate
        return self._with(tuple(found[size] for size in sorted(found)))

    def extend(
        self,
        quantity: Quantity,
        samples: int | Sequence[int],
        *,
        jobs: Jobs = None,
        progress: Progress | None = None,
    ) -> Scaling:
        """This result with the next ``samples`` samples (one number, or one per size) of its own streams.

        Raises
        ------
        InputError : another quantity than the one sampled, or numbers of samples that are not positive.
        """
        counts = counts_at(samples, len(self.estimates))
        return self._with(extend_estimates(quantity, self.estimates, counts, jobs=jobs, progress=progress))

    def _with(self, estimates: tuple[Estimate, ...]) -> Scaling:
        """The same question asked of other estimates."""
        correction: Any = self.fit.correction
        return from_estimates(estimates, self.scale, self.quantity, correction, self.fit.log_power, self.fit.hedged)

    def to_dict(self) -> dict[str, Any]:
        """Everything but samples, ready for JSON; `from_dict` reads it."""
        return {
            "schema": _SCHEMA,
            "quantity": self.quantity,
            "statistic": self.statistic,
            "scale": self.scale,
            "n": self.n.tolist(),
            "values": self.values.tolist(),
            "errors": self.errors.tolist(),
            "estimates": [estimate.to_dict() for estimate in self.estimates],
            "fit": self.fit.to_dict(),
            "unresolved": self.unresolved,
            "reason": self.reason,
            "heavy_tailed": self.heavy_tailed,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Scaling:
        """The result of which ``record`` is the `to_dict`; it can be merged and extended, but holds no samples.

        Raises
        ------
        InputError : a record of something else.
        """
        with matching_schema(record, _SCHEMA):
            return cls(
                n=np.array(record["n"], dtype=float),
                values=np.array(record["values"], dtype=float),
                errors=np.array(record["errors"], dtype=float),
                estimates=tuple(Estimate.from_dict(estimate) for estimate in record["estimates"]),
                fit=RateFit.from_dict(record["fit"]),
                scale=str(record["scale"]),
                quantity=str(record["quantity"]),
                unresolved=bool(record["unresolved"]),
                reason=record["reason"],
            )


def scaling(
    quantity: Quantity,
    *,
    n: Sequence[int] | Sequence[Mapping[Any, int]],
    statistic: str | Statistic = "rms",
    samples: int | Sequence[int] = 400,
    rng: Seed = None,
    correction: Correction | Literal["derived"] = "auto",
    log_power: bool | float = False,
    hedged: bool = True,
    variance: Variance = "auto",
    scale: Any = None,
    jobs: Jobs = None,
    block_size: int | None = None,
    progress: Progress | None = None,
    keep_samples: bool = False,
) -> Scaling:
    """How a statistic of a random quantity scales with n: estimates at several sizes, and their exponent.

    Parameters
    ----------
    quantity : scalar quantity; see `estimate`.
    n : at least two different sizes, or mappings from scales to sizes when the quantity has several scales.
    statistic : see `estimate`.
    samples : independent samples per size: one number, or one per size in the order of ``n``.
    rng : seed; the same seed gives the same bits, whatever ``jobs`` and ``block_size``.
    correction : see `fit_rate`; also "derived": from exact moments or parity, see `rt.prediction.correction_power`.
    log_power, hedged : see `fit_rate`.
    variance : where the standard errors of means come from, see `estimate`.
    scale : the scale (or its name) whose exponent is wanted; may be left out when only one varies.
    jobs, block_size, progress, keep_samples : see `estimate`.

    Raises
    ------
    ShapeError : sizes that are missing, repeated, too few or not positive integers, or a quantity that is not
        a scalar.
    ExactError : ``variance="exact"`` and no rule gives it.
    InputError : any other argument that cannot be used, samples that are not finite, or a statistic that is
        exactly 0.

    Examples
    --------
    >>> from randtensor.quantity import Quantity
    >>> class Average(Quantity):
    ...     scale_names, fingerprint = ("n",), "average of n normal variables"
    ...     def evaluate(self, draw):
    ...         return draw.generator.standard_normal((draw.batch, draw.sizes["n"])).mean(axis=1)
    >>> found = scaling(Average(), n=[8, 32, 128, 512], samples=1000, rng=0)
    >>> low, high = found.interval(0.95)
    >>> low < -0.5 < high
    True
    """
    chosen = Statistic.of(statistic)
    probes = check_scalar(quantity)
    sizes, axis = sizes_at(quantity, n, scale, fewest="two")
    _check_widths([size[axis] for size in sizes])
    counts = counts_at(samples, len(sizes))
    power: Correction = derived_correction(quantity, chosen.name, correction)
    for count in counts:
        chosen.require(count, probes, quantity.only_squares)
    root = root_sequence(rng)
    order = sorted(range(len(sizes)), key=lambda i: sizes[i][axis])
    sizes, counts = [sizes[i] for i in order], [counts[i] for i in order]
    widths = np.array([size[axis] for size in sizes], dtype=float)
    _check_options(widths, power, log_power, hedged)
    exact = variance_at(quantity, chosen, sizes, probes, variance)
    drawn = draw_samples(quantity, sizes, counts, root, jobs=jobs, block_size=block_size, progress=progress)
    estimates = tuple(
        from_samples(draws, chosen, size, root, probes, keep_samples, quantity=quantity, variance=known)
        for draws, size, known in zip(drawn, sizes, exact, strict=True)
    )
    return from_estimates(estimates, axis, describe(quantity), power, log_power, hedged)


def derived_correction(quantity: Quantity, statistic: str, correction: Any) -> Any:
    """``correction``, or the power that a rule derives where it is "derived".

    Raises
    ------
    ExactError : no rule derives one.
    """
    if not isinstance(correction, str) or correction != "derived":
        return correction
    from randtensor.prediction import correction_power

    power = correction_power(quantity, statistic)
    return None if power is None else float(power)


def from_estimates(
    estimates: tuple[Estimate, ...],
    axis: str,
    quantity: str,
    correction: Correction,
    log_power: bool | float,
    hedged: bool,
) -> Scaling:
    """The scaling of estimates in ascending order of the scale ``axis``."""
    widths = np.array([found.sizes[axis] for found in estimates], dtype=float)
    values = np.array([found.value for found in estimates])
    errors = np.array([found.error for found in estimates])
    statistic = estimates[0].statistic
    magnitudes, spread = magnitudes_of(values, errors, [found.dof for found in estimates], widths, statistic)
    reason = unresolved_reason(widths, values, errors, statistic)
    signed = -magnitudes if np.all(values < 0) else magnitudes
    return Scaling(
        n=widths,
        values=values,
        errors=errors,
        estimates=estimates,
        fit=fit_rate(
            widths,
            signed,
            spread,
            correction=correction,
            log_power=log_power,
            hedged=hedged,
            exact_errors=all(math.isinf(found.dof) for found in estimates),
        ),
        scale=axis,
        quantity=quantity,
        unresolved=reason is not None,
        reason=reason,
    )


def _check_widths(widths: Sequence[int]) -> None:
    if len(set(widths)) < 2:
        raise ShapeError(f"n is {widths}: a slope needs at least two different sizes")
    if len(set(widths)) < len(widths):
        twice = next(width for width in widths if widths.count(width) > 1)
        raise ShapeError(f"n is {widths}: {twice} occurs more than once")


def _check_options(widths: Array, correction: Correction, log_power: bool | float, hedged: bool) -> None:
    """Refuse options of the fit before the samples are drawn, not after."""
    fit_rate(widths, np.ones_like(widths), correction=correction, log_power=log_power, hedged=hedged)
