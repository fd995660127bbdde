"""The figure of a claim, from its record. matplotlib is imported here where it is used."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from estimators import RateFit
from estimators.plots import plot_values, statistic_label

__all__ = ["Drawings", "describe_figure", "figure_of", "pdf_of", "svg_of"]

_DATA, _FIT, _GUIDE, _PREDICTED = "#1b1b1b", "#2f6db3", "#8a8a8a", "#c2571a"
_QUANTILES = ("#2f6db3", "#8757a8", "#3d8f56", "#b38a2f", "#1b1b1b", "#8a8a8a")
_BAR = 1.96  # standard errors of the bars: 95 %

#: what the colours of a figure become in a page that may be dark
_VARIABLES = {
    "#000000": "var(--ink)",
    "#1b1b1b": "var(--ink)",
    "#ffffff": "var(--paper)",
    "#2f6db3": "var(--fit)",
    "#8a8a8a": "var(--guide)",
    "#c2571a": "var(--predicted)",
    "#8757a8": "var(--violet)",
    "#3d8f56": "var(--green)",
    "#b38a2f": "var(--ochre)",
    "#1f77b4": "var(--fit)",
    "#cccccc": "var(--guide)",
}


class Drawings:
    """The figures of a record, each drawn once for all formats."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._results = record["results"]
        self._figures: dict[int, Any] = {}

    def figure(self, index: int) -> Any:
        """The figure of an entry, or None where there is nothing to draw."""
        if index not in self._figures:
            figure = figure_of(self._results[index])
            if figure is not None:
                figure.get_layout_engine().execute(figure)
                # the places of its axes are found, which costs as much as drawing; with the name "none" instead, every
                # format would be drawn twice
                figure.set_layout_engine(None)
            self._figures[index] = figure
        return self._figures[index]


def figure_of(result: Mapping[str, Any]) -> Any:
    """The figure of one entry of a record, or None where there is nothing to draw."""
    if not result["measurements"] or result["scale"] is None:
        return None
    if "fit" in result["details"]:
        return _exponent_figure(result)
    if "quantiles" in result["details"]:
        return _quantile_figure(result)
    if result["measure"] in ("score", "residual"):
        return _value_figure(result)
    return None


def describe_figure(result: Mapping[str, Any]) -> str:
    """What the figure shows, for those who do not see it."""
    if "fit" in result["details"]:
        return (
            f"Four panels: the {result['statistic']} against {result['scale']} on logarithmic axes, with the fitted "
            "law, its band and the predicted slope; local slopes; residuals of the fit; the exponent of every model."
        )
    if "quantiles" in result["details"]:
        return f"Quantiles of the magnitude against {result['scale']} on logarithmic axes, with their fitted laws."
    return f"The {result['statistic']} at every {result['scale']}, with its standard errors, and what is predicted."


def svg_of(figure: Any, name: str) -> str:
    """The figure as elements to be put into a page, one for each column of panels; colours are variables of its style.

    ``name`` keeps the identifiers in it apart from those of other figures.
    """
    from matplotlib.transforms import Bbox

    width, height = figure.get_size_inches()
    places = [axes.get_tightbbox() for axes in figure.axes]  # in points, as the figure has 72 to the inch
    columns = sorted({axes.get_subplotspec().colspan.start for axes in figure.axes})
    of_column = [
        [k for k, axes in enumerate(figure.axes) if axes.get_subplotspec().colspan.start == c] for c in columns
    ]
    # cut halfway between what a column reaches to and where the next one begins
    cuts = [
        (max(places[k].x1 for k in left) + min(places[k].x0 for k in right)) / 144
        for left, right in pairwise(of_column)
    ]
    parts = []
    for number, (low, high) in enumerate(pairwise([0.0, *cuts, width])):
        for k, axes in enumerate(figure.axes):
            axes.set_visible(k in of_column[number])
        svg = _svg(figure, f"{name}-{number}", Bbox([[low, 0.0], [high, height]]))
        parts.append(f'<div class="panels" style="flex-grow: {high - low:.3f}">{svg}</div>')
    for axes in figure.axes:
        axes.set_visible(True)
    return "".join(parts)


def _svg(figure: Any, name: str, part: Any) -> str:
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", bbox_inches=part, transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    # other figures of the page have glyphs and axes of the same names
    svg = re.sub(r'((?:\bid="|href="#|url\(#))', rf"\g<1>{name}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg


def pdf_of(figure: Any) -> bytes:
    """The figure as a PDF, without the time."""
    file = io.BytesIO()
    figure.savefig(file, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return file.getvalue()


def _new(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    # points, as in SVG and PDF: what is measured for one is not measured again for the other
    return Figure(figsize=(width, height), dpi=72, layout="constrained")


def _column(measurements: Any, key: str) -> Any:
    return np.array([np.nan if m[key] is None else m[key] for m in measurements], dtype=float)


def _exponent_figure(result: Mapping[str, Any]) -> Any:
    fit, measured = RateFit.from_dict(result["details"]["fit"]), result["measurements"]
    figure = _new(9, 5.8)
    axes = figure.subplots(2, 2, height_ratios=(1.6, 1)).ravel().tolist()
    name = statistic_label(result["statistic"])
    plot_values(fit, _column(measured, "value"), _column(measured, "error"), axes, name=name)
    exponent = result["predicted_exponent"]
    if exponent is not None:
        sizes = np.array([fit.n[0], fit.n[-1]])
        logs = (np.log(sizes) / np.log(sizes[-1])) ** result["log_exponent"]
        line = fit.predict(sizes[-1:]) * (sizes / sizes[-1]) ** exponent * logs
        label = f"predicted, ${result['predicted_latex']}$"
        axes[0].plot(sizes, line, color=_PREDICTED, lw=1.3, ls=(0, (1, 1.5)), label=label)
        axes[0].legend(frameon=False, fontsize=8)
        for panel in (axes[1], axes[3]):
            panel.axhline(exponent, color=_PREDICTED, lw=1.3, ls=(0, (1, 1.5)))
            _show(panel, exponent)
    return figure


def _show(panel: Any, height: float) -> None:
    """Widen the limits of a panel until a line at this height is inside, off its edges."""
    low, high = panel.get_ylim()
    room = 0.06 * (max(high, height) - min(low, height))
    panel.set_ylim(min(low, height - room), max(high, height + room))


def _quantile_figure(result: Mapping[str, Any]) -> Any:
    figure = _new(9, 4)
    values, slopes = figure.subplots(1, 2)
    for k, quantile in enumerate(result["details"]["quantiles"]):
        fit, colour = RateFit.from_dict(quantile["fit"]), _QUANTILES[k % len(_QUANTILES)]
        grid = np.geomspace(fit.n[0], fit.n[-1], 60)
        error = np.minimum(_BAR * fit.errors, 0.99 * fit.values)
        label = f"{quantile['quantile']:g} %, exponent {quantile['exponent']:.3f}"
        values.errorbar(fit.n, fit.values, [error, _BAR * fit.errors], fmt="o", ms=4, color=colour, capsize=2, lw=1)
        values.plot(grid, fit.predict(grid), color=colour, lw=1.3, label=label)
        middle, slope, spread = fit.local_exponents.T
        slopes.errorbar(middle, slope, _BAR * spread, fmt="o", ms=4, color=colour, capsize=2, lw=1)
        slopes.axhline(quantile["exponent"], color=colour, lw=1)
    if result["predicted_exponent"] is not None:
        slopes.axhline(result["predicted_exponent"], color=_PREDICTED, lw=1.3, ls=(0, (1, 1.5)))
    values.set_yscale("log")
    values.set_ylabel("quantiles of the magnitude")
    slopes.set_ylabel("local slope")
    values.legend(frameon=False, fontsize=8)
    _finish(result, (values, slopes))
    return figure


def _value_figure(result: Mapping[str, Any]) -> Any:
    """Values relative to the exact ones, or as they are where these vanish; residuals below their tolerance."""
    measured = result["measurements"]
    sizes = np.array([m["sizes"][result["scale"]] for m in measured], dtype=float)
    values, errors = _column(measured, "value"), np.nan_to_num(_column(measured, "error"))
    if result["measure"] == "residual":
        figure = _new(6, 3.4)
        axes = figure.subplots()
        axes.plot(sizes, np.maximum(values, 1e-18), "o", ms=5, color=_DATA)
        axes.axhline(result["smallest_detectable_deviation"], color=_PREDICTED, lw=1.3, ls=(0, (1, 1.5)))
        axes.set_yscale("log")
        axes.set_ylabel("largest residual")
        _finish(result, (axes,))
        return figure
    figure = _new(9, 3.4)
    shown, scores = figure.subplots(1, 2)
    expected = _column(measured, "expected")
    relative = bool(np.all(expected != 0))
    unit = expected if relative else np.ones_like(expected)
    shown.errorbar(sizes, values / unit, _BAR * np.abs(errors / unit), fmt="o", ms=5, color=_DATA, capsize=2, lw=1)
    shown.axhline(1.0 if relative else 0.0, color=_PREDICTED, lw=1.3, ls=(0, (1, 1.5)))
    name = statistic_label(result["statistic"])
    shown.set_ylabel(f"{name} / exact value" if relative else name)
    scores.axhspan(-_BAR, _BAR, color=_FIT, alpha=0.16, lw=0)
    scores.plot(sizes, _column(measured, "score"), "o", ms=5, color=_DATA)
    scores.axhline(0.0, color=_GUIDE, lw=1)
    scores.set_ylabel("standard score")
    _finish(result, (shown, scores))
    return figure


def _finish(result: Mapping[str, Any], axes: Any) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter

    sizes = sorted({m["sizes"][result["scale"]] for m in result["measurements"]})
    for each in axes:
        each.set_xscale("log")
        each.set_xticks(sizes[:: max(1, -(-len(sizes) // 8))])
        each.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        each.xaxis.set_minor_locator(NullLocator())
        each.xaxis.set_minor_formatter(NullFormatter())
        each.set_xlabel(result["scale"])
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=9)
