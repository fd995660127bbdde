"""Coverage of the standard errors of single estimates, and how often heavy tails are flagged.

python -m benchmarks.sample_errors --write     the table of errors in docs/rates.md, a minute on one core
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks._markers import rewrite
from benchmarks.coverage import DOCUMENT
from estimators import Statistic
from estimators.errors_of_samples import standard_error

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

#: name, statistic, true value, sampler
LAWS: tuple[tuple[str, str, float, Draw], ...] = (
    ("normal", "mean", 0.0, lambda rng, size: rng.standard_normal(size)),
    ("normal", "rms", 1.0, lambda rng, size: rng.standard_normal(size)),
    ("lognormal", "mean", 1.0, lambda rng, size: np.exp(rng.standard_normal(size) - 0.5)),
    ("product of 2 normals", "rms", 1.0, lambda rng, size: rng.standard_normal((2, size)).prod(0)),
    ("product of 3 normals", "rms", 1.0, lambda rng, size: rng.standard_normal((3, size)).prod(0)),
)
COUNTS = (30, 100, 1000)


@dataclass(frozen=True)
class ErrorCell:
    """One law at one number of samples."""

    law: str
    statistic: str
    samples: int
    coverage: float
    flagged: float


def error_cells(reps: int, seed: int = 0, level: float = 0.95) -> Iterator[ErrorCell]:
    """Coverage of `Estimate.interval`, and the share of estimates flagged as heavy-tailed."""
    rng = np.random.default_rng(seed)
    for law, name, truth, draw in LAWS:
        for samples in COUNTS:
            covered = flagged = 0
            for _ in range(reps):
                found = standard_error(draw(rng, samples), Statistic(name), 1)
                low, high = found.summary.interval(level)
                covered += low <= truth <= high
                flagged += found.heavy_tailed
            yield ErrorCell(law, name, samples, covered / reps, flagged / reps)


def markdown(found: list[ErrorCell]) -> str:
    """The cells as the table of docs/rates.md."""
    head = "| samples | statistic | " + " | ".join(f"N = {samples}" for samples in COUNTS) + " | flagged |"
    lines = [head, "|---|---|" + "---:|" * (len(COUNTS) + 1)]
    for law, name in dict.fromkeys((cell.law, cell.statistic) for cell in found):
        here = [cell for cell in found if (cell.law, cell.statistic) == (law, name)]
        coverage = " | ".join(f"{100 * cell.coverage:.1f}" for cell in here)
        flags = ", ".join(f"{100 * cell.flagged:.0f} %" for cell in here)
        lines.append(f"| {law} | {name} | {coverage} | {flags} |")
    return "\n".join(lines)


@click.command()
@click.option("--reps", default=4000, show_default=True, help="Estimates per cell.")
@click.option("--seed", default=0, show_default=True, help="Seed of the samples.")
@click.option("--write", is_flag=True, help="Rewrite the table of docs/rates.md.")
def main(reps: int, seed: int, write: bool) -> None:
    """Print the coverage of the 95 % interval of single estimates."""
    text = markdown(list(error_cells(reps, seed)))
    click.echo(text)
    if write:
        DOCUMENT.write_text(rewrite(DOCUMENT.read_text(), "errors", text))


if __name__ == "__main__":
    main()
