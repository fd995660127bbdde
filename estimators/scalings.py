"""A statistic of one quantity at several sizes, and the exponent it scales with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from estimators._power_law import Array, two_sided_quantile
from estimators.estimation import Estimate, check_scalar, from_samples
from estimators.rates import Correction, RateFit, fit_rate
from estimators.sampling import Progress, describe, draw_samples, positive_integer
from estimators.statistics import Statistic
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Quantity, resolve_sizes
from randtensor.seeding import Seed, root_sequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Scaling", "scaling"]

_RESOLVED = 3.0  # standard errors away from zero, below which the sign of a value is not known


@dataclass(frozen=True, eq=False)
class Scaling:
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
    def exponent(self) -> float:
        """The power of n, see `RateFit.exponent`."""
        return self.fit.exponent

    @property
    def error(self) -> float:
        """Sampling and model error of the exponent, see `RateFit.error`."""
        return self.fit.error

    def __str__(self) -> str:
        span = f"{self.scale} = {self.n[0]:g} .. {self.n[-1]:g}"
        return f"{self.statistic} of {self.quantity}, {span}: {self.fit}" + (
            f" (unresolved: {self.reason})" if self.unresolved else ""
        )

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
        ax : axes for the values, or a pair with axes for the slopes; None makes a new figure with both.
        level : confidence level of the bars and bands.

        Raises
        ------
        ImportError : matplotlib is not installed.
        """
        from estimators.plots import plot_scaling

        return plot_scaling(self, ax, level)

    def to_dict(self) -> dict[str, Any]:
        """Everything but samples, ready for JSON."""
        return {
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
        }


def scaling(
    quantity: Quantity,
    *,
    n: Sequence[int] | Sequence[Mapping[Any, int]],
    statistic: str | Statistic = "rms",
    samples: int | Sequence[int] = 400,
    rng: Seed = None,
    correction: Correction = "auto",
    log_power: bool | float = False,
    scale: Any = None,
    jobs: int | None = None,
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
    correction, log_power : see `fit_rate`.
    scale : the scale (or its name) whose exponent is wanted; may be left out when only one varies.
    jobs, block_size, progress, keep_samples : see `estimate`.

    Raises
    ------
    ShapeError : sizes that are missing, repeated, too few or not positive integers, or a quantity that is not
        a scalar.
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
    sizes, axis = _sizes(quantity, n, scale)
    counts = _counts(samples, len(sizes))
    for count in counts:
        chosen.require(count, probes, quantity.only_squares)
    root = root_sequence(rng)
    order = sorted(range(len(sizes)), key=lambda i: sizes[i][axis])
    sizes, counts = [sizes[i] for i in order], [counts[i] for i in order]
    widths = np.array([size[axis] for size in sizes], dtype=float)
    _check_options(widths, correction, log_power)
    drawn = draw_samples(quantity, sizes, counts, root, jobs=jobs, block_size=block_size, progress=progress)
    estimates = tuple(
        from_samples(draws, chosen, size, root, probes, keep_samples) for draws, size in zip(drawn, sizes, strict=True)
    )
    values = np.array([found.value for found in estimates])
    errors = np.array([found.error for found in estimates])
    size_of_values, size_of_errors = _magnitudes(estimates, widths)
    reason = _unresolved(widths, values, errors, chosen.name)
    return Scaling(
        n=widths,
        values=values,
        errors=errors,
        estimates=estimates,
        fit=fit_rate(widths, size_of_values, size_of_errors, correction=correction, log_power=log_power),
        scale=axis,
        quantity=describe(quantity),
        unresolved=reason is not None,
        reason=reason,
    )


def _magnitudes(estimates: Sequence[Estimate], widths: Array) -> tuple[Array, Array]:
    """Absolute values and errors for the fit.

    A value nearer to zero than its error says only that the magnitude is at most about that error, so it
    enters as the error with a relative error of one.  Errors with few effective degrees of freedom (heavy
    tails) are widened as Student's quantile widens an interval.
    """
    values = np.abs([found.value for found in estimates])
    errors = np.array([found.error for found in estimates])
    if not np.all((values > 0) | (errors > 0)):
        at = widths[np.flatnonzero((values == 0) & (errors == 0))[0]]
        raise InputError(
            f"the {estimates[0].statistic} at n = {at:g} is exactly zero, expected a statistic that scales with n"
        )
    normal = two_sided_quantile(0.95, np.inf)
    student = np.array([two_sided_quantile(0.95, max(found.dof, 3.0)) for found in estimates])
    magnitudes = np.maximum(values, errors)
    return magnitudes, np.minimum(errors * student / normal, magnitudes)


def _unresolved(widths: Array, values: Array, errors: Array, statistic: str) -> str | None:
    near = np.abs(values) < _RESOLVED * errors
    if near.any():
        listed = ", ".join(f"{width:g}" for width in widths[near])
        return f"the {statistic} is within {_RESOLVED:g} standard errors of zero at n = {listed}"
    signs = np.sign(values)
    if np.any(signs != signs[0]):
        change = int(np.flatnonzero(signs != signs[0])[0])
        return f"the {statistic} changes sign between n = {widths[change - 1]:g} and n = {widths[change]:g}"
    return None


def _sizes(quantity: Quantity, n: Any, scale: Any) -> tuple[list[dict[str, int]], str]:
    """Sizes of all scales at each point, and the name of the scale that is the abscissa."""
    if isinstance(n, str | Mapping) or not np.iterable(n):
        raise ShapeError(f"n is {n!r}, expected a list of at least two sizes")
    points = list(n)
    if not quantity.scale_names:
        raise ShapeError(f"quantity {describe(quantity)} has no scale, expected one that can grow")
    sizes = [resolve_sizes(quantity.scale_names, point) for point in points]
    axis = _axis(quantity.scale_names, sizes, scale)
    widths = [size[axis] for size in sizes]
    if len(set(widths)) < 2:
        raise ShapeError(f"n is {widths}: a slope needs at least two different sizes")
    if len(set(widths)) < len(widths):
        twice = next(width for width in widths if widths.count(width) > 1)
        raise ShapeError(f"n is {widths}: {twice} occurs more than once")
    return sizes, axis


def _axis(names: tuple[str, ...], sizes: list[dict[str, int]], scale: Any) -> str:
    if scale is not None:
        name = str(getattr(scale, "name", scale))
        if name not in names:
            raise InputError(f"scale is {name!r}, expected a scale of the quantity: {', '.join(names)}")
        return name
    varying = [name for name in names if len({size[name] for size in sizes}) > 1]
    if len(varying) > 1:
        raise InputError(f"scale is None, but {' and '.join(varying)} vary: name the one whose exponent is wanted")
    return varying[0] if varying else names[0]


def _counts(samples: Any, expected: int) -> list[int]:
    if not np.iterable(samples) or isinstance(samples, str):
        return [positive_integer("samples", samples)] * expected
    counts = [positive_integer("samples", count) for count in samples]
    if len(counts) != expected:
        raise ShapeError(f"samples has {len(counts)} entries, expected {expected} as many as n")
    return counts


def _check_options(widths: Array, correction: Correction, log_power: bool | float) -> None:
    """Refuse options of the fit before the samples are drawn, not after."""
    fit_rate(widths, np.ones_like(widths), correction=correction, log_power=log_power)
