"""Plots of ``against_all``, drawn from what was measured; opaque, so that they read the same on dark pages.

python -m benchmarks._plots      draws them again from benchmarks/results/against_all.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import ROOT
from benchmarks.contenders import CONTENDERS, LIBRARY

__all__ = ["IMAGES", "draw"]

IMAGES = ROOT / "docs" / "images"

#: Colours that stay apart for the colour-blind (Okabe and Ito), with a marker each.
STYLE = {
    "randtensor": ("#000000", "o"),
    "numpy": ("#0072B2", "s"),
    "jax-one": ("#D55E00", "^"),
    "jax": ("#E69F00", "v"),
    "jet": ("#CC79A7", "D"),
    "expansion": ("#882255", "P"),
    "torch": ("#009E73", "X"),
    "differences": ("#56B4E9", "*"),
    "formed": ("#999999", "h"),
}


def draw(found: Any, folder: Path = IMAGES) -> list[Path]:
    """Time and memory against width, and the error of the exponent against seconds; the paths of three SVGs."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    third, folder = found["widths"]["third"], Path(folder)
    paths = []
    with plt.rc_context({"svg.hashsalt": "randtensor", "svg.fonttype": "path", "font.size": 9}):
        for name, draw_on in (
            ("benchmark_time", lambda axes: _against_width(axes, third, "seconds")),
            ("benchmark_memory", lambda axes: _against_width(axes, third, "memory")),
            ("benchmark_exponent", lambda axes: _exponents(axes, found["exponents"], found["far"])),
        ):
            figure, axes = plt.subplots(figsize=(7.6, 4.2), layout="constrained")
            draw_on(axes)
            axes.grid(alpha=0.25, which="major")
            axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
            path = folder / f"{name}.svg"
            figure.savefig(path, metadata={"Date": None}, facecolor="white")
            plt.close(figure)
            paths.append(path)
    return paths


def _against_width(axes: Any, races: Any, key: str) -> None:
    unit = 2**20 if key == "memory" else 1
    # Below a MiB it is the allocator that is measured.
    least = 1.0 if key == "memory" else 0.0
    for contender in CONTENDERS:
        rows = [row for row in races.get(contender.key, {"rows": []})["rows"] if row[key] / unit > least]
        if rows:
            values = [row[key] / unit for row in rows]
            axes.plot([row["width"] for row in rows], values, label=contender.name, **_line(contender.key))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks([row["width"] for row in races.get(LIBRARY.key, {"rows": []})["rows"]])
    axes.set_xlabel("width $n$ of both hidden layers")
    axes.set_ylabel("peak memory in MiB" if key == "memory" else "seconds per sample")
    axes.set_title("Third derivative of a tanh network along its gradient", fontsize=10)


def _exponents(axes: Any, races: Any, far: Any) -> None:
    for contender in CONTENDERS:
        _errors(axes, races.get(contender.key), contender.name, **_line(contender.key))
    style = _line(LIBRARY.key) | {"linestyle": ":", "markerfacecolor": "white"}
    _errors(axes, far, f"{LIBRARY.name}, large widths", **style)
    low, high = axes.get_ylim()
    if high > low > 0:
        seconds = np.array(axes.get_xlim())
        axes.plot(seconds, high * (seconds / seconds[0]) ** -0.5, "-", lw=0.8, color="#bbbbbb", zorder=0)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:.3g}")
    axes.set_xlabel("seconds")
    axes.set_ylabel("standard error of the fitted exponent")
    axes.set_title("Accuracy for time; the grey line has slope -1/2", fontsize=10)


def _errors(axes: Any, race: Any, label: str, **style: Any) -> None:
    if race and race["steps"]:
        axes.loglog(
            [step["elapsed"] for step in race["steps"]], [step["error"] for step in race["steps"]], label=label, **style
        )


def _line(key: str) -> dict[str, Any]:
    color, marker = STYLE[key]
    ours = key == LIBRARY.key
    return {"color": color, "marker": marker, "ms": 5, "lw": 2.2 if ours else 1.2, "zorder": 3 if ours else 2}


def main() -> None:
    """Draw the plots of the last results."""
    from benchmarks.against_all import RESULTS

    for path in draw(json.loads(RESULTS.read_text(encoding="utf-8"))):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
