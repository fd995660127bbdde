"""Figures of training runs. matplotlib is imported where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from estimators._power_law import two_sided_quantile
from randtensor.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from estimators.coordinate_check import CoordinateCheck
    from estimators.training.results import TrainingRun

__all__ = ["plot_coordinates", "plot_run"]

_SCALES = {"linear": ("linear", "linear"), "semilog": ("linear", "log"), "loglog": ("log", "log")}


def plot_run(run: TrainingRun, name: str, statistic: str, axes: str, ax: Axes | None, level: float) -> Axes:
    """Draw an observable of a `TrainingRun`: see `TrainingRun.plot`.

    Raises
    ------
    InputError, ImportError : see there.
    """
    if axes not in _SCALES:
        raise InputError(f"axes is {axes!r}, expected one of {', '.join(map(repr, _SCALES))}")
    values, errors = run.summary(name, statistic)
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("matplotlib is needed for plot(): pip install 'randtensor[plot]'") from None
    if ax is None:
        _, ax = pyplot.subplots(figsize=(5.6, 3.8), layout="constrained")
    across, up = _SCALES[axes]
    # what a logarithm cannot show is left out
    shown = (run.steps > 0) | (across == "linear")
    if up == "log":
        shown &= values > 0
    steps, values, errors = run.steps[shown], values[shown], np.nan_to_num(errors[shown])
    half = two_sided_quantile(level, np.inf) * errors
    low = np.maximum(values - half, 0.01 * values) if up == "log" else values - half
    (line,) = ax.plot(steps, values, lw=1.5, label=name.replace("_", " "))
    ax.fill_between(steps, low, values + half, color=line.get_color(), alpha=0.16, lw=0)
    ax.set_xscale(across)
    ax.set_yscale(up)
    ax.set_xlabel("step")
    ax.set_ylabel(f"{statistic} of {name.replace('_', ' ')}")
    ax.set_title(run.name, fontsize=10, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_coordinates(check: CoordinateCheck, kind: str, ax: Axes | None) -> Axes:
    """Draw a `CoordinateCheck`: see `CoordinateCheck.plot`.

    Raises
    ------
    ImportError : see there.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("matplotlib is needed for plot(): pip install 'randtensor[plot]'") from None
    if ax is None:
        _, ax = pyplot.subplots(figsize=(5.6, 3.8), layout="constrained")
    for layer in check.layers:
        found = check.scalings.get((kind, layer, check.steps[-1]))
        if found is not None:
            low, high = found.interval(0.95)
            label = f"{layer}: {found.exponent:.2f} [{low:.2f}, {high:.2f}]"
            ax.errorbar(found.n, found.values, yerr=found.errors, marker="o", ms=3.5, lw=1.2, label=label)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlabel("width")
    ax.set_ylabel(f"rms of {kind}, step {check.steps[-1]}")
    ax.legend(frameon=False, fontsize=8, title="exponent, 95 % interval", title_fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
