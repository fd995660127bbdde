"""Coverage of the intervals of `estimators.fit_rate`: how often the 95 % interval holds the true exponent.

    python -m benchmarks.coverage --write                  every table of docs/rates.md, about twelve minutes
    python -m benchmarks.coverage --reps 200 --told wrong  one of them, only shown
    python -m benchmarks.coverage --bounds                 how short an interval can be, by Cramér & Rao

Truth C n^-1 (1 + s n^-w), times log n where the fit is told of a logarithm, means of N samples at each n.  Each cell
shows coverage in per cent, and in brackets the median length of the interval relative to the fit that knows the true
form of the law.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks._markers import rewrite
from estimators import _power_law as law
from estimators.rate_fit import Correction

Array = NDArray[np.float64]

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "rates.md"

GRIDS: dict[str, Any] = {"32 .. 1024": 2.0 ** np.arange(5, 11), "64 .. 16384": 4.0 ** np.arange(3, 8)}
#: relative corrections as sums of strength x n^-power
TRUTHS: dict[str, tuple[tuple[float, float], ...]] = {
    "none": ((0.0, 1.0),),
    "+n^-1/2": ((1.0, 0.5),),
    "-n^-1/2 / 2": ((-0.5, 0.5),),
    "+n^-1": ((1.0, 1.0),),
    "-n^-1 / 2": ((-0.5, 1.0),),
}
#: corrections that are not of the form the fit assumes
BEYOND: dict[str, tuple[tuple[float, float], ...]] = {
    "+5 n^-1/2": ((5.0, 0.5),),
    "+n^-3/4": ((1.0, 0.75),),
    "+n^-1/2 + 2/n": ((1.0, 0.5), (2.0, 1.0)),
    "-n^-1/2 + 2/n": ((-1.0, 0.5), (2.0, 1.0)),
    "+n^-1/4": ((1.0, 0.25),),
}
#: further strengths of the corrections that the fit assumes
AMPLITUDES: dict[str, tuple[tuple[float, float], ...]] = {
    f"{s:+g} n^{-w:g}": ((s, w),) for s, w in [(-0.9, 0.5), (2.0, 0.5), (-4.0, 1.0), (-2.0, 1.0), (5.0, 1.0)]
}
LAWS: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {"beyond": BEYOND, "amplitudes": AMPLITUDES}
NOISES = ("normal", "precise", "lognormal")
COUNTS = (30, 100, 1000, 10_000)
#: what fit_rate is told, by mode
MODES = {
    "auto": 'nothing: `"auto"`',
    "right": "the right power",
    "wrong": "a wrong power",
    "several": "1/2, 1 and 2",
    "log known": "the power of log n",
    "log": "that there is a power of log n",
    "trusted right": "the right power, `hedged=False`",
    "trusted wrong": "a wrong power, `hedged=False`",
    "none": "that there is no correction: `None`",
    "unknown errors": "nothing, and no errors",
    "beyond": "nothing, and the law is none of the models",
    "amplitudes": "nothing, and the correction has another strength",
}
#: the modes that keep the promise of the documentation
PROMISED = ("auto", "right", "wrong", "several", "log known")
EXPONENT = -1.0


@dataclass(frozen=True)
class Cell:
    """One cell of the table."""

    noise: str
    samples: int
    grid: str
    truth: str
    coverage: float
    length: float


def sample_means(noise: str, samples: int, sizes: int, reps: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Means and standard errors of ``samples`` draws of mean 1, both of shape (reps, sizes)."""
    means, errors = np.empty((reps, sizes)), np.empty((reps, sizes))
    step = max(1, 20_000_000 // (samples * sizes))
    for start in range(0, reps, step):
        stop = min(start + step, reps)
        z = rng.standard_normal((stop - start, sizes, samples), dtype=np.float32)
        if noise == "lognormal":
            draws = np.exp(z - np.float32(0.5))
        else:
            draws = 1 + (np.float32(0.3) if noise == "precise" else np.float32(1.0)) * z
        means[start:stop] = draws.mean(-1, dtype=float)
        errors[start:stop] = draws.std(-1, dtype=float, ddof=1) / np.sqrt(samples)
    return means, errors


def powers_of(mode: str, power: float) -> tuple[float | None, ...]:
    """The correction powers that are fitted when a user of this mode asks."""
    supplied: dict[str, Correction] = {
        "right": power, "wrong": 1.5 - power, "trusted right": power, "trusted wrong": 1.5 - power,
        "several": (0.5, 1.0, 2.0), "none": None,
    }  # fmt: skip
    return law.candidate_powers(supplied.get(mode, "auto"), not mode.startswith("trusted"))


def cells(
    mode: str = "auto",
    reps: int = 1000,
    seed: int = 0,
    *,
    noises: tuple[str, ...] = NOISES,
    counts: tuple[int, ...] = COUNTS,
    grids: tuple[str, ...] = tuple(GRIDS),
    truths: tuple[str, ...] | None = None,
    level: float = 0.95,
) -> Iterator[Cell]:
    """Coverage of every cell asked for, inferred by the code of `fit_rate`, many data sets at a time."""
    rng = np.random.default_rng(seed)
    laws = LAWS.get(mode, TRUTHS)
    for noise in noises:
        for samples in counts:
            for grid in grids:
                n = GRIDS[grid]
                means, errors = sample_means(noise, samples, len(n), reps, rng)
                positive = np.all(means > 0, axis=1)  # else there is no logarithm: not a case for fit_rate
                means, errors = means[positive], errors[positive]
                for truth in truths or laws:
                    strength, power = laws[truth][0]
                    exact = np.log(n**EXPONENT * (1 + sum(s * n**-w for s, w in laws[truth])))
                    log_values = exact + np.log(means)
                    relative = None if "unknown" in mode else errors / means
                    # a known power of log n is divided out by fit_rate, and the same law is left
                    free_log = mode == "log"
                    if free_log:
                        log_values = log_values + np.log(np.log(n))
                    found = law.infer(np.log(n), log_values, relative, powers_of(mode, power), free_log)
                    low, high = found.combined.bounds(found.quantile(level))
                    known = (power if strength else None,)
                    oracle = law.infer(np.log(n), log_values, errors / means, known, free_log)
                    sharp = np.sqrt(oracle.fits.variance[0]) * oracle.quantile(level) * 2
                    covered = (low <= EXPONENT) & (high >= EXPONENT)
                    length = float(np.median(high - low) / np.median(sharp))
                    yield Cell(noise, samples, grid, truth, float(covered.mean()), length)


def table(mode: str, found: list[Cell], target: float = 0.93) -> Table:
    """The cells as a table, those below the target in red."""
    result = Table(title=f"told: {mode}", title_justify="left")
    for heading in ("noise", "N", "n"):
        result.add_column(heading, justify="right" if heading == "N" else "left")
    truths = list(dict.fromkeys(cell.truth for cell in found))
    for truth in truths:
        result.add_column(truth, justify="right")
    rows = list(dict.fromkeys((cell.noise, cell.samples, cell.grid) for cell in found))
    for row in rows:
        entries = []
        for cell in found:
            if (cell.noise, cell.samples, cell.grid) == row:
                text = f"{100 * cell.coverage:5.1f} ({cell.length:.1f})"
                entries.append(text if cell.coverage >= target else f"[red]{text}[/red]")
        result.add_row(row[0], str(row[1]), row[2], *entries)
    return result


def markdown(found: list[Cell]) -> str:
    """The cells as a table of docs/rates.md."""
    truths = list(dict.fromkeys(cell.truth for cell in found))
    lines = ["| noise | N | n | " + " | ".join(truths) + " |", "|---|---:|---|" + "---:|" * len(truths)]
    for row in dict.fromkeys((cell.noise, cell.samples, cell.grid) for cell in found):
        here = [cell for cell in found if (cell.noise, cell.samples, cell.grid) == row]
        entries = [f"{100 * cell.coverage:.1f} ({cell.length:.1f})" for cell in here]
        lines.append("| " + " | ".join([row[0], str(row[1]), row[2], *entries]) + " |")
    return "\n".join(lines)


def summary(results: dict[str, list[Cell]]) -> str:
    """One line per mode for docs/rates.md."""
    lines = ["| fit_rate is told | worst cell | mean | longest, x oracle |", "|---|---:|---:|---:|"]
    for mode, found in results.items():
        worst, mean = min(cell.coverage for cell in found), np.mean([cell.coverage for cell in found])
        longest = max(cell.length for cell in found)
        lines.append(f"| {MODES[mode]} | {100 * worst:.1f} | {100 * mean:.1f} | {longest:.2f} |")
    return "\n".join(lines)


def beyond(found: list[Cell]) -> str:
    """The worst cell of each law that is none of the models, by range, for docs/rates.md."""
    lines = ["| correction | " + " | ".join(GRIDS) + " |", "|---|" + "---:|" * len(GRIDS)]
    for truth in dict.fromkeys(cell.truth for cell in found):
        entries = []
        for grid in GRIDS:
            worst = min((c for c in found if (c.truth, c.grid) == (truth, grid)), key=lambda cell: cell.coverage)
            entries.append(f"{100 * worst.coverage:.1f} ({worst.noise}, {worst.samples})")
        lines.append(f"| {truth} | " + " | ".join(entries) + " |")
    return "\n".join(lines)


def efficiency(n: Array, power: float, free_log: bool) -> float:
    """Least standard deviation of an unbiased exponent over that of the fit that knows c = 0 (Cramér & Rao).

    >>> round(efficiency(GRIDS["32 .. 1024"], 0.5, False), 2)
    4.16
    """
    log_n = np.log(n)
    logs = [np.log(log_n)] if free_log else []
    known, free = ([np.ones_like(log_n), log_n, *logs, *more] for more in ([], [n**-power]))
    spread = [np.linalg.inv(design.T @ design)[1, 1] for design in (np.stack(known, 1), np.stack(free, 1))]
    return float(np.sqrt(spread[1] / spread[0]))


def bounds() -> Table:
    """`efficiency` of every range and correction."""
    result = Table(title="least length, x that of the fit that knows there is no correction", title_justify="left")
    for heading in ("correction", *GRIDS):
        result.add_column(heading)
    for free_log in (False, True):
        for power in (0.5, 1.0):
            name = f"n^-{power:g}" + (" and a fitted power of log n" if free_log else "")
            result.add_row(name, *(f"{efficiency(n, power, free_log):.2f}" for n in GRIDS.values()))
    return result


@click.command()
@click.option("--reps", default=1000, show_default=True, help="Data sets per cell.")
@click.option("--seed", default=0, show_default=True, help="Seed of the data sets.")
@click.option(
    "--told", "modes", type=click.Choice(tuple(MODES)), multiple=True, help="What fit_rate is told [default: all]."
)
@click.option("--noise", "noises", type=click.Choice(NOISES), multiple=True, help="Only this noise; repeatable.")
@click.option("--samples", "counts", type=int, multiple=True, help="Only means of so many samples; repeatable.")
@click.option("--n", "grids", type=click.Choice(tuple(GRIDS)), multiple=True, help="Only these sizes; repeatable.")
@click.option("--truth", "truths", multiple=True, metavar="LAW", help="Only this correction; repeatable.")
@click.option("--level", default=0.95, show_default=True, help="Confidence level of the interval.")
@click.option("--bounds", "only_bounds", is_flag=True, help="Only how short an interval can be.")
@click.option("--write", is_flag=True, help="Rewrite the tables of docs/rates.md.")
def main(
    reps: int,
    seed: int,
    modes: tuple[str, ...],
    noises: tuple[str, ...],
    counts: tuple[int, ...],
    grids: tuple[str, ...],
    truths: tuple[str, ...],
    level: float,
    only_bounds: bool,
    write: bool,
) -> None:
    """Print the coverage of the interval of the exponent."""
    console = Console(width=None if Console().is_terminal else 120)
    if only_bounds:
        console.print(bounds())
        return
    chosen = {"noises": noises, "counts": counts, "grids": grids, "truths": truths}
    narrowed: dict[str, Any] = {name: values for name, values in chosen.items() if values}
    for mode in modes or MODES:
        if unknown := set(truths) - set(LAWS.get(mode, TRUTHS)):
            laws = ", ".join(map(repr, LAWS.get(mode, TRUTHS)))
            raise click.ClickException(f"truth is {min(unknown)!r}, expected one of {laws}")
    results = {}
    for mode in modes or MODES:
        results[mode] = found = list(cells(mode, reps, seed, level=level, **narrowed))
        console.print(table(MODES[mode], found))
        worst = min(found, key=lambda cell: cell.coverage)
        longest = max(cell.length for cell in found)
        console.print(f"worst coverage {100 * worst.coverage:.1f} %, longest interval {longest:.2f} x oracle\n")
    if write:
        if set(results) != set(MODES) or narrowed or level != 0.95:
            raise click.ClickException("--write needs every cell, expected no --told and nothing else that narrows")
        text = DOCUMENT.read_text()
        text = rewrite(text, "coverage", markdown(results["auto"]))
        text = rewrite(text, "told", summary({mode: found for mode, found in results.items() if mode not in LAWS}))
        text = rewrite(text, "beyond", beyond(results["beyond"]))
        DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
