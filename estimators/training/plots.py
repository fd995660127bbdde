"""Figures of training runs. matplotlib is imported where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from estimators._power_law import two_sided_quantile
from randtensor.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from estimators.training.results import TrainingRun

__all__ = ["plot_run"]

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
