"""Figures. matplotlib is imported here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from estimators._power_law import two_sided_quantile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from estimators.scalings import Scaling

__all__ = ["plot_scaling"]

_DATA, _FIT, _GUIDE = "#1b1b1b", "#2f6db3", "#8a8a8a"
_NAMES = {"std": "standard deviation", "rms": "root mean square"}


def plot_scaling(result: Scaling, ax: Axes | Sequence[Axes] | None = None, level: float = 0.95) -> tuple[Axes, ...]:
    """Draw a `Scaling`: see `Scaling.plot`.

    Raises
    ------
    ImportError : matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator
    except ImportError:
        raise ImportError("matplotlib is needed for plot(): pip install 'randtensor[plot]'") from None
    axes: tuple[Axes, ...]
    if ax is None:
        _, (top, bottom) = pyplot.subplots(
            2, 1, sharex=True, figsize=(5.6, 5.4), height_ratios=(2.4, 1), layout="constrained"
        )
        axes = (top, bottom)
    else:
        axes = tuple(np.ravel(np.asarray(ax, dtype=object)))[:2]
    _draw_values(axes[0], result, level)
    if len(axes) > 1:
        _draw_slopes(axes[1], result, level)
    for each in axes:
        each.set_xscale("log")
        # the sizes measured are the natural ticks, unless there are so many that their labels would touch
        every = max(1, -(-len(result.n) // 8))
        each.set_xticks(result.n[::every])
        each.xaxis.set_minor_locator(NullLocator())
        each.xaxis.set_minor_formatter(NullFormatter())
        each.xaxis.set_major_formatter(FuncFormatter(_size_label))
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=9, which="both")
    axes[-1].set_xlabel(_label(result.scale))
    return axes


def _draw_values(ax: Axes, result: Scaling, level: float) -> None:
    fit = result.fit
    reach = (result.n[-1] / result.n[0]) ** 0.06
    grid = np.geomspace(max(result.n[0] / reach, 1.01), result.n[-1] * reach, 200)
    low, high = fit.band(grid, level)
    exponent = _signed(fit.exponent, 3) + (f" ± {fit.error:.3f}" if np.isfinite(fit.error) else " ± ?")
    if np.all(np.isfinite(high)) and high.max() < 1e300:
        ax.fill_between(grid, low, high, color=_FIT, alpha=0.16, lw=0)
    logs = "" if not fit.log_exponent else rf"\,(\log {_symbol(result.scale)})^{{{fit.log_exponent:.2g}}}"
    ax.plot(grid, fit.predict(grid), color=_FIT, lw=1.5, label=f"fit, exponent {exponent}")
    guide = fit.predict(fit.n[-1:]) * (grid / fit.n[-1]) ** fit.exponent
    if fit.log_exponent:
        guide = guide * (np.log(grid) / np.log(fit.n[-1])) ** fit.log_exponent
    ax.plot(
        grid, guide, color=_GUIDE, lw=1, ls=(0, (4, 3)), zorder=1,
        label=rf"${_symbol(result.scale)}^{{{fit.exponent:.2f}}}{logs}$, no correction",
    )  # fmt: skip
    bar = two_sided_quantile(level, np.inf)
    size, error = np.abs(result.values), result.errors
    # on the logarithmic axis a bar that reaches zero would have no end: stop it at a hundredth of its value
    below = np.minimum(bar * error, 0.99 * size)
    known = size > 0
    signs = result.values < 0
    for chosen, fill, label in ((~signs, _DATA, None), (signs, "white", "negative")):
        here = chosen & known
        if here.any():
            ax.errorbar(
                result.n[here], size[here], [below[here], bar * error[here]], fmt="o", ms=4.5, mfc=fill,
                color=_DATA, elinewidth=1, capsize=2, zorder=3, label=label,
            )  # fmt: skip
    ax.set_yscale("log")
    name = _NAMES.get(result.statistic, result.statistic)
    ax.set_ylabel(f"|{name}|" if np.any(signs) or result.statistic == "mean" else name)
    ax.set_title(result.quantity + (" (unresolved)" if result.unresolved else ""), fontsize=10, loc="left")
    ax.legend(frameon=False, fontsize=9)


def _draw_slopes(ax: Axes, result: Scaling, level: float) -> None:
    fit = result.fit
    middle, slope, error = result.local_exponents.T
    bar = two_sided_quantile(level, np.inf)
    low, high = fit.interval(level)
    if np.isfinite(low):
        ax.axhspan(low, high, color=_FIT, alpha=0.16, lw=0)
    ax.axhline(fit.exponent, color=_GUIDE, lw=1, ls=(0, (4, 3)), zorder=1)
    grid = np.geomspace(result.n[0], result.n[-1], 100)
    ax.plot(grid, np.gradient(np.log(fit.predict(grid)), np.log(grid)), color=_FIT, lw=1.5)
    ax.errorbar(middle, slope, bar * error, fmt="o", ms=4, color=_DATA, elinewidth=1, capsize=2)
    ax.set_ylabel("local slope")


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
