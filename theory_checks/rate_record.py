"""Keeping what ``randtensor rate`` found: a record and a figure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from estimators.plots import plot_values
from randtensor.errors import InputError
from theory_checks.rate_file import RateTable

__all__ = ["check_places", "figure_of", "save_rate"]


def check_places(record: Path | None, plot: Path | None) -> None:
    """Refuse places that `save_rate` could not write to, before the work and not after it.

    Raises
    ------
    InputError : a folder that does not exist or cannot be written to, a kind of figure that does not exist, or no
        matplotlib.
    """
    for place in (record, plot):
        if place is None:
            continue
        folder = place.absolute().parent
        if not folder.is_dir():
            raise InputError(f"{place} cannot be written: there is no folder {folder}")
        if place.is_dir():
            raise InputError(f"{place} cannot be written: it is a folder, expected a file")
        if not os.access(place if place.exists() else folder, os.W_OK):
            raise InputError(f"{place} cannot be written: permission denied")
    if plot is not None:
        known = sorted(_empty_figure().canvas.get_supported_filetypes())
        if plot.suffix.lower()[1:] not in known:
            kind = f"format {plot.suffix[1:]!r} is not supported" if plot.suffix else "its name has no ending"
            raise InputError(f"{plot} cannot be written: {kind}, expected one of {', '.join(known)}")


def save_rate(found: RateTable, record: Path | None, plot: Path | None) -> list[Path]:
    """Write the result as JSON and as a figure, where a place is given; returns the files written.

    Raises
    ------
    InputError : a file that cannot be written, a kind of figure that does not exist, or no matplotlib.
    """
    text = json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n"
    writers: list[tuple[Path | None, Callable[[Path], object]]] = [
        (record, lambda place: place.write_text(text)),
        (plot, lambda place: figure_of(found).savefig(place)),
    ]
    written = []
    for place, write in writers:
        if place is None:
            continue
        try:
            write(place)
        except (OSError, ValueError) as error:
            raise InputError(f"{place} cannot be written: {error}") from None
        written.append(place)
    return written


def figure_of(found: RateTable) -> Any:
    """The panels of `estimators.RateFit.plot`, the values alone if they are unresolved; no display is touched."""
    figure = _empty_figure()
    axes = [figure.add_subplot()] if found.reason else figure.subplots(2, 2, height_ratios=(1.6, 1)).ravel().tolist()
    plot_values(
        found.fit,
        found.values,
        found.fit.errors if found.errors is None else found.errors,
        axes,
        name=found.statistic,
        title=found.source + (" (unresolved)" if found.reason else ""),
        resolved=found.reason is None,
    )
    return figure


def _empty_figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("matplotlib is needed for --plot: pip install 'randtensor[plot]'") from None
    return Figure(figsize=(10, 6.4), layout="constrained")
