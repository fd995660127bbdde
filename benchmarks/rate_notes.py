"""How often `estimators.fit_rate` notes that a law with a logarithm fits as well: a table of docs/rates.md.

python -m benchmarks.rate_notes             all cells, some minutes
python -m benchmarks.rate_notes --reps 40   a rough idea
"""

from __future__ import annotations

from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage import GRIDS
from estimators import fit_rate

#: laws by name: power of the logarithm beside 1/n
LAWS = {"log n/n": 1, "1/(n log n)": -1, "1/n": 0}
#: relative errors at every size
ERRORS = (0.0005, 0.002, 0.02, 0.1)


def noted(n: NDArray[Any], power: int, error: float, reps: int, rng: np.random.Generator) -> float:
    """Share of data sets with a note on the logarithm that is there, or on any where there is none."""
    exact = np.log(n) ** power / n
    wanted = "as well" if power == 0 else f"log_power={power:g}"
    found = 0
    for _ in range(reps):
        values = exact * (1 + error * rng.standard_normal(len(n)))
        found += any(wanted in note for note in fit_rate(n, values, error * exact).notes)
    return found / reps


@click.command()
@click.option("--reps", default=400, show_default=True, help="Data sets per cell.")
@click.option("--seed", default=0, show_default=True, help="Seed of the data sets.")
def main(reps: int, seed: int) -> None:
    """Print the rows of the table."""
    rng = np.random.default_rng(seed)
    for law, power in LAWS.items():
        for grid, n in GRIDS.items():
            shares = [noted(n, power, error, reps, rng) for error in ERRORS]
            click.echo(f"| {law} | {grid} | " + " | ".join(f"{100 * share:.0f}" for share in shares) + " |")


if __name__ == "__main__":
    main()
