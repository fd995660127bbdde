"""Figures. matplotlib is imported here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from estimators._power_law import two_sided_quantile
from estimators._single_laws import Array
from estimators.statistics import Statistic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from estimators.rate_fit import RateFit
    from estimators.scalings import Scaling

__all__ = ["plot_fit", "plot_scaling", "plot_values"]

_DATA, _FIT, _GUIDE = "#1b1b1b", "#2f6db3", "#8a8a8a"
_POWERS = ("#2f6db3", "#c2571a", "#3d8f56", "#8757a8")
_NAMES = {"std": "standard deviation", "rms": "root mean square"}
_FAMILIES = {"k": r"cumulant $\kappa_{%s}$", "L": "$L^{%s}$ norm", "q": "%s %% quantile"}


@dataclass(frozen=True)
class _Subject:
    """What is drawn: a fit, and the signed values that it was made from."""

    fit: RateFit
    values: Array
    errors: Array
    scale: str
    label: str
    title: str
    resolved: bool = True


def plot_scaling(result: Scaling, ax: Axes | Sequence[Axes] | None = None, level: float = 0.95) -> tuple[Axes, ...]:
    """Draw a `Scaling`: see `Scaling.plot`.

    Raises
    ------
    ImportError : matplotlib is not installed.
    """
    statistic = Statistic(result.statistic)
    name = statistic_label(statistic.name)
    signed = bool(np.any(result.values < 0)) or statistic.name == "mean" or statistic.is_cumulant
    title = result.quantity + (" (unresolved)" if result.unresolved else "")
    label = f"|{name}|" if signed else name
    subject = _Subject(
        result.fit, result.values, result.errors, result.scale, label, title, not result.unresolved
    )  # fmt: skip
    return _draw(subject, ax, level, 2)


def statistic_label(name: str) -> str:
    """A statistic as the label of an axis.

    >>> statistic_label("k4"), statistic_label("q99.9"), statistic_label("rms")
    ('cumulant $\\\\kappa_{4}$', '99.9 % quantile', 'root mean square')
    """
    if name[1:].replace(".", "").isdigit():
        return _FAMILIES[name[0]] % name[1:]
    return _NAMES.get(name, name)


def plot_fit(fit: RateFit, ax: Axes | Sequence[Axes] | None = None, level: float = 0.95) -> tuple[Axes, ...]:
    """Draw a `RateFit`: see `RateFit.plot`.

    Raises
    ------
    ImportError : matplotlib is not installed.
    """
    return plot_values(fit, -fit.values if fit.negative else fit.values, fit.errors, ax, level)


def plot_values(
    fit: RateFit,
    values: Array,
    errors: Array,
    ax: Axes | Sequence[Axes] | None = None,
    level: float = 0.95,
    *,
    name: str = "value",
    title: str = "",
    resolved: bool = True,
) -> tuple[Axes, ...]:
    """Draw a `RateFit` and the signed values that it was made from; negative ones have open markers.

    Parameters
    ----------
    fit : the fit, to the absolute values.
    values, errors : the values with their signs, sorted by n, and their standard errors.
    ax, level : see `RateFit.plot`.
    name : of the values; bars are put around it where one is negative.
    title : of the first panel.
    resolved : False draws the fit without its exponent and interval.

    Raises
    ------
    ImportError : matplotlib is not installed.
    """
    label = f"|{name}|" if np.any(np.asarray(values) < 0) else name
    return _draw(_Subject(fit, values, errors, "n", label, title, resolved), ax, level, 4)


def _draw(subject: _Subject, ax: Axes | Sequence[Axes] | None, level: float, panels: int) -> tuple[Axes, ...]:
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator
    except ImportError:
        raise ImportError("matplotlib is needed for plot(): pip install 'randtensor[plot]'") from None
    axes: tuple[Axes, ...]
    if ax is not None:
        axes = tuple(np.ravel(np.asarray(ax, dtype=object)))[:4]
    elif panels == 2:
        _, grid = pyplot.subplots(2, 1, sharex=True, figsize=(5.6, 5.4), height_ratios=(2.4, 1), layout="constrained")
        axes = tuple(grid)
    else:
        _, grid = pyplot.subplots(2, 2, figsize=(10, 6.4), height_ratios=(1.6, 1), layout="constrained")
        axes = (grid[0, 0], grid[0, 1], grid[1, 0], grid[1, 1])
    for each, draw in zip(axes, (_draw_values, _draw_slopes, _draw_residuals, _draw_sensitivity), strict=False):
        draw(each, subject, level)
        each.set_xscale("log")
        # the sizes measured are the natural ticks, unless there are so many that their labels would touch
        every = max(1, -(-len(subject.fit.n) // 8))
        each.set_xticks(subject.fit.n[::every])
        each.xaxis.set_minor_locator(NullLocator())
        each.xaxis.set_minor_formatter(NullFormatter())
        each.xaxis.set_major_formatter(FuncFormatter(_size_label))
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=9, which="both")
    stacked = len(axes) == 2
    for each in axes[-1:] if stacked else axes[:3]:
        each.set_xlabel(_label(subject.scale))
    return axes


def _draw_values(ax: Axes, subject: _Subject, level: float) -> None:
    fit = subject.fit
    reach = (fit.n[-1] / fit.n[0]) ** 0.06
    grid = np.geomspace(max(fit.n[0] / reach, 1.01), fit.n[-1] * reach, 200)
    low, high = fit.band(grid, level)
    exponent = _signed(fit.exponent, 3) + (f" ± {fit.error:.3f}" if np.isfinite(fit.error) else " ± ?")
    if np.all(np.isfinite(high)) and high.max() < 1e300:
        ax.fill_between(grid, low, high, color=_FIT, alpha=0.16, lw=0)
    logs = "" if not fit.log_exponent else rf"\,(\log {_symbol(subject.scale)})^{{{fit.log_exponent:.2g}}}"
    named = f"fit, exponent {exponent}" if subject.resolved else "fit, unresolved"
    ax.plot(grid, fit.predict(grid), color=_FIT, lw=1.5, label=named)
    guide = fit.predict(fit.n[-1:]) * (grid / fit.n[-1]) ** fit.exponent
    if fit.log_exponent:
        guide = guide * (np.log(grid) / np.log(fit.n[-1])) ** fit.log_exponent
    if subject.resolved:
        ax.plot(
            grid, guide, color=_GUIDE, lw=1, ls=(0, (4, 3)), zorder=1,
            label=rf"${_symbol(subject.scale)}^{{{fit.exponent:.2f}}}{logs}$, no correction",
        )  # fmt: skip
    bar = two_sided_quantile(level, np.inf)
    size, error = np.abs(subject.values), np.where(np.isfinite(subject.errors), subject.errors, 0.0)
    # on the logarithmic axis a bar that reaches zero would have no end: stop it at a hundredth of its value
    below = np.minimum(bar * error, 0.99 * size)
    known = size > 0
    signs = subject.values < 0
    for chosen, fill, label in ((~signs, _DATA, None), (signs, "white", "negative")):
        here = chosen & known
        if here.any():
            ax.errorbar(
                fit.n[here], size[here], [below[here], bar * error[here]], fmt="o", ms=4.5, mfc=fill,
                color=_DATA, elinewidth=1, capsize=2, zorder=3, label=label,
            )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylabel(subject.label)
    ax.set_title(subject.title, fontsize=10, loc="left")
    ax.legend(frameon=False, fontsize=9)


def _draw_slopes(ax: Axes, subject: _Subject, level: float) -> None:
    fit = subject.fit
    middle, slope, error = fit.local_exponents.T
    bar = two_sided_quantile(level, np.inf)
    _draw_interval(ax, subject, level)
    grid = np.geomspace(fit.n[0], fit.n[-1], 100)
    ax.plot(grid, np.gradient(np.log(fit.predict(grid)), np.log(grid)), color=_FIT, lw=1.5)
    error = np.where(np.isfinite(error), error, 0.0)
    ax.errorbar(middle, slope, bar * error, fmt="o", ms=4, color=_DATA, elinewidth=1, capsize=2)
    ax.set_ylabel("local slope")


def _draw_interval(ax: Axes, subject: _Subject, level: float) -> None:
    """The exponent and its interval, unless it is not to be relied on."""
    if not subject.resolved:
        return
    low, high = subject.fit.interval(level)
    if np.isfinite(low):
        ax.axhspan(low, high, color=_FIT, alpha=0.16, lw=0)
    ax.axhline(subject.fit.exponent, color=_GUIDE, lw=1, ls=(0, (4, 3)), zorder=1)


def _draw_residuals(ax: Axes, subject: _Subject, level: float) -> None:
    bar = two_sided_quantile(level, np.inf)
    ax.axhspan(-bar, bar, color=_FIT, alpha=0.16, lw=0)
    ax.axhline(0, color=_GUIDE, lw=1, ls=(0, (4, 3)), zorder=1)
    ax.plot(subject.fit.n, subject.fit.residuals, "o", ms=4, color=_DATA)
    ax.set_ylabel("residual / standard error")


def _draw_sensitivity(ax: Axes, subject: _Subject, level: float) -> None:
    """The exponent of every model against the smallest size it was fitted to; open markers have no weight."""
    fit = subject.fit
    low, high = fit.interval(level)
    _draw_interval(ax, subject, level)
    bar = two_sided_quantile(level, np.inf)
    powers = list(dict.fromkeys(model.correction for model in fit.models))
    for k, power in enumerate(powers):
        color = _GUIDE if power is None else _POWERS[k % len(_POWERS)]
        models = [model for model in fit.models if model.correction == power]
        sizes = np.array([model.n_min for model in models]) * 1.06 ** (k - (len(powers) - 1) / 2)
        spread = np.array([model.error if np.isfinite(model.error) else 0.0 for model in models])
        filled = [model.weight > 0.01 for model in models]
        ax.errorbar(
            sizes, [model.exponent for model in models], bar * spread, fmt="none", ecolor=color, elinewidth=1,
            capsize=2,
        )  # fmt: skip
        name = "no correction" if power is None else f"$1 + c\\,{_symbol(subject.scale)}^{{-{power:g}}}$"
        for full, label in ((True, name), (False, None if any(filled) else name)):
            chosen = [i for i, weighty in enumerate(filled) if weighty == full]
            ax.plot(
                sizes[chosen], [models[i].exponent for i in chosen], "o", ms=4.5, color=color,
                mfc=color if full else "white", label=label if chosen else None,
            )  # fmt: skip
    # a model with as many coefficients as sizes says little: its bar must not squeeze the others
    shown = [m.exponent for m in fit.models] + [low if np.isfinite(low) else fit.exponent]
    shown += [high if np.isfinite(high) else fit.exponent]
    margin = 0.35 * (max(shown) - min(shown)) or 0.1
    ax.set_ylim(min(shown) - margin, max(shown) + margin)
    # points lie beside their size, the outermost beyond it: away from the axis
    smallest = [model.n_min for model in fit.models]
    ax.set_xlim(min(smallest) / 1.25, max(smallest) * 1.25)
    ax.set_xlabel(f"smallest {_label(subject.scale)} fitted")
    ax.set_ylabel("exponent")
    ax.legend(frameon=False, fontsize=8)


def _size_label(size: float, _: Any = None) -> str:
    power = np.log2(size)
    if size >= 2**14 and abs(power - round(power)) < 1e-9:
        return f"$2^{{{round(power)}}}$"
    return f"{size:.6g}"


def _label(scale: str) -> str:
    return f"${_symbol(scale)}$"


def _symbol(scale: str) -> str:
    """One letter is a variable, a longer name a word; characters that mathtext would read stay text."""
    return scale if len(scale) == 1 else rf"\mathrm{{{scale.replace('_', ' ').replace(' ', chr(92) + ' ')}}}"


def _signed(number: float, digits: int) -> str:
    return f"{number:.{digits}f}".replace("-", "−")
