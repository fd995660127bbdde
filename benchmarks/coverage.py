"""Coverage of the intervals of `estimators.fit_rate`: how often the 95 % interval holds the true exponent.

    python -m benchmarks.coverage --write                  every table of docs/rates.md, about ten minutes on one core
    python -m benchmarks.coverage --reps 200 --told wrong  one of them, only shown

Truth C n^-1 (1 + s n^-w), times log n where the fit is told of a logarithm, means of N samples at each n.  Each cell
shows coverage in per cent, and in brackets the median length of the interval relative to the fit that knows the true
form of the law.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from estimators import _power_law as law
from estimators.rate_fit import Correction
from estimators.rates import candidate_powers

Array = NDArray[np.float64]

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "rates.md"

GRIDS = {"32 .. 1024": 2.0 ** np.arange(5, 11), "64 .. 16384": 4.0 ** np.arange(3, 8)}
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
    return candidate_powers(supplied.get(mode, "auto"), not mode.startswith("trusted"))


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
    laws = BEYOND if mode == "beyond" else TRUTHS
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


def rewrite(document: str, name: str, content: str) -> str:
    """The document with ``content`` between the markers of ``name``."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if begin not in document or end not in document:
        raise click.ClickException(f"{DOCUMENT.name} has no markers {begin} and {end}")
    before, rest = document.split(begin)
    return f"{before}{begin}\n\n{content}\n\n{end}{rest.split(end)[1]}"


@click.command()
@click.option("--reps", default=1000, show_default=True, help="Data sets per cell.")
@click.option("--seed", default=0, show_default=True, help="Seed of the data sets.")
@click.option(
    "--told", "modes", type=click.Choice(tuple(MODES)), multiple=True, help="What fit_rate is told [default: all]."
)
@click.option("--write", is_flag=True, help="Rewrite the tables of docs/rates.md.")
def main(reps: int, seed: int, modes: tuple[str, ...], write: bool) -> None:
    """Print the coverage of the 95 % interval of the exponent."""
    console = Console(width=None if Console().is_terminal else 120)
    results = {}
    for mode in modes or MODES:
        results[mode] = found = list(cells(mode, reps, seed))
        console.print(table(MODES[mode], found))
        worst = min(found, key=lambda cell: cell.coverage)
        longest = max(cell.length for cell in found)
        console.print(f"worst coverage {100 * worst.coverage:.1f} %, longest interval {longest:.2f} x oracle\n")
    if write:
        if set(results) != set(MODES):
            raise click.ClickException("--write needs every mode, expected no --told")
        text = DOCUMENT.read_text()
        text = rewrite(text, "coverage", markdown(results["auto"]))
        text = rewrite(text, "told", summary({mode: found for mode, found in results.items() if mode != "beyond"}))
        text = rewrite(text, "beyond", beyond(results["beyond"]))
        DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
