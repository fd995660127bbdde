"""The figure of an `OrderIdentification`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from estimators._order_fits import Array
from estimators._order_selection import fitted_law, shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from estimators._order_result import CandidateOrder, OrderIdentification

__all__ = ["plot_identification"]

_DATA, _GUIDE = "#1b1b1b", "#8a8a8a"
_COLOURS = ("#2f6db3", "#c26a1d", "#3b8f4e", "#8a4fa3")
_BAR = 1.96


def plot_identification(result: OrderIdentification, ax: Axes | Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw an `OrderIdentification`: see `OrderIdentification.plot`.

    Raises
    ------
    ImportError : matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("matplotlib is needed for plot(): pip install 'randtensor[plot]'") from None
    axes: tuple[Axes, ...]
    if ax is None:
        _, (top, bottom) = pyplot.subplots(2, 1, sharex=True, figsize=(5.6, 5.8), layout="constrained")
        axes = (top, bottom)
    else:
        axes = tuple(np.ravel(np.asarray(ax, dtype=object)))[:2]
    _draw_values(axes[0], result)
    if len(axes) > 1:
        _draw_ratios(axes[1], result)
    for each in axes:
        each.set_xscale("log")
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=9, which="both")
    name = result.scale.name
    axes[-1].set_xlabel(f"${name}$" if len(name) == 1 else name)
    return axes


def _draw_values(ax: Axes, result: OrderIdentification) -> None:
    size = np.abs(result.values)
    # on the logarithmic axis a bar that reaches zero would have no end: stop it at a hundredth of its value
    bars = np.stack([np.minimum(_BAR * result.errors, 0.99 * size), _BAR * result.errors])
    used = np.array(result.used)
    for chosen, colour, label in ((used, _DATA, None), (~used, _GUIDE, "left out")):
        here = chosen & (size > 0)
        if here.any():
            ax.errorbar(
                result.n[here], size[here], bars[:, here], fmt="o", ms=4.5, color=colour, elinewidth=1, capsize=2,
                zorder=3, label=label,
            )  # fmt: skip
    for candidate, colour in zip(_fitted(result), _COLOURS, strict=False):
        first = result.n[used][0]
        grid = np.geomspace(first, result.n[-1], 200)
        curve = np.exp(_curve(result, candidate, grid))
        ax.plot(grid, curve, color=colour, lw=1.4, label=f"${candidate.order.latex()}$, weight {candidate.weight:.2g}")
    if (size > 0).any():
        ax.set_yscale("log")
    ax.set_ylabel(f"|{result.statistic}|" if result.statistic else "|value|")
    ax.set_title(result.quantity or "candidate orders", fontsize=10, loc="left")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=9)


def _draw_ratios(ax: Axes, result: OrderIdentification) -> None:
    used = np.array(result.used)
    n, values, errors = result.n[used], np.abs(result.values[used]), result.errors[used]
    for candidate, colour in zip(_fitted(result), _COLOURS, strict=False):
        flat = abs(candidate.constant) * np.exp(shape(_log(n), _growth(result, candidate)))
        ax.errorbar(
            n, values / flat, _BAR * errors / flat, fmt="o", ms=4, color=colour, elinewidth=1, capsize=2
        )  # fmt: skip
        grid = np.geomspace(n[0], n[-1], 200)
        law = _curve(result, candidate, grid) - shape(_log(grid), _growth(result, candidate))
        ax.plot(grid, np.exp(law) / abs(candidate.constant), color=colour, lw=1.4)
    ax.axhline(1.0, color=_GUIDE, lw=1, ls=(0, (4, 3)), zorder=1)
    ax.set_ylabel("value / candidate")


def _fitted(result: OrderIdentification) -> tuple[CandidateOrder, ...]:
    """The candidates that have a law to draw: a quantity that vanishes has none."""
    return tuple(candidate for candidate in result.candidates if candidate.constant)


def _curve(result: OrderIdentification, candidate: CandidateOrder, n: Array) -> Array:
    """Logarithm of the magnitude of a candidate's fitted law."""
    return fitted_law(
        _log(n),
        _log(result.n[np.array(result.used)])[0],
        _growth(result, candidate),
        math.log(abs(candidate.constant)),
        candidate.correction,
        candidate.amplitude,
    )


def _growth(result: OrderIdentification, candidate: CandidateOrder) -> tuple[float, float, float]:
    """Exponents in the variable that grows."""
    power, logarithm, iterated = map(float, candidate.order.exponents())
    return (power if math.isinf(result.scale.to) else -power), logarithm, iterated


def _log(n: Array) -> Array:
    return np.asarray(np.abs(np.log(n)))
