"""Levels of the tests of exact values: how often a true mean is refuted, at the level that was asked for.

    python -m benchmarks.levels --write              the tables of docs/levels.md, some minutes on one core
    python -m benchmarks.levels --law lognormal      one law, only shown

Each cell shows the share of sets of N samples whose true mean is refuted, in units of the nominal level: 1 is exact,
less is on the safe side. Beside the scores that verdicts rest on, those of Student's t show what they mend.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy.special import stdtrit
from scipy.stats import binom

from benchmarks._section import DOCUMENT, Section, Target, write
from estimators.heavy_tails import Shape
from theory_checks.verdicts import normal_quantile

__all__ = ["COUNTS", "LAWS", "LEVELS", "METHODS", "Cell", "cells"]

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]

#: mean, standard deviation and sampler
LAWS: dict[str, tuple[float, float, Draw]] = {
    "normal": (0.0, 1.0, lambda rng, shape: rng.standard_normal(shape)),
    "exponential": (1.0, 1.0, lambda rng, shape: rng.standard_exponential(shape)),
    "chi-square, 1": (1.0, 2**0.5, lambda rng, shape: rng.standard_normal(shape) ** 2),
    "lognormal": (np.exp(0.5), np.sqrt((np.e - 1) * np.e), lambda rng, shape: np.exp(rng.standard_normal(shape))),
    "Student, 3": (0.0, 3**0.5, lambda rng, shape: rng.standard_t(3, shape)),
}
COUNTS = (30, 100, 1000, 10_000)
LEVELS = (1e-2, 1e-3, 1e-4)
METHODS = ("estimated", "exact variance", "Student's t")

_MOST_SETS = 400_000
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Cell:
    """How many of ``sets`` true means are refuted at a nominal level."""

    law: str
    samples: int
    method: str
    level: float
    refuted: int
    sets: int

    @property
    def ratio(self) -> float:
        """The level reached, in units of the nominal one."""
        return self.refuted / self.sets / self.level

    @property
    def p_value(self) -> float:
        """The probability of so many refutations or more at the nominal level."""
        return float(binom.sf(self.refuted - 1, self.sets, self.level))


def cells(
    draws: float = 1e8, seed: int = 0, *, laws: tuple[str, ...] = tuple(LAWS), counts: tuple[int, ...] = COUNTS
) -> Iterator[Cell]:
    """The levels reached for each law and number of samples, from about ``draws`` samples each.

    >>> found = list(cells(1e5, laws=("normal",), counts=(100,)))
    >>> len(found), found[0].sets
    (9, 1000)
    """
    for law in laws:
        mean, spread, draw = LAWS[law]
        for count in counts:
            rng = np.random.default_rng([seed, count])
            sets = int(min(_MOST_SETS, max(draws // count, 1)))
            refuted = np.zeros((len(METHODS), len(LEVELS)), dtype=int)
            step = max(1, _AT_ONCE // count)
            for start in range(0, sets, step):
                shape = Shape.of(draw(rng, (min(step, sets - start), count)))
                off = shape.mean - mean
                for i, scores in enumerate((shape.deviate(off), shape.deviate(off, spread))):
                    refuted[i] += [int(np.sum(np.abs(scores) > normal_quantile(level))) for level in LEVELS]
                t = np.abs(off) / shape.spread * np.sqrt(count)
                refuted[2] += [int(np.sum(t > -stdtrit(count - 1, level / 2))) for level in LEVELS]
            for method, row in zip(METHODS, refuted, strict=True):
                for level, number in zip(LEVELS, row, strict=True):
                    yield Cell(law, count, method, level, int(number), sets)


def section(found: list[Cell], command: str) -> Section:
    """The cells as one table, with the targets that they are held against."""
    rows = []
    for law, count in dict.fromkeys((cell.law, cell.samples) for cell in found):
        here = [cell for cell in found if (cell.law, cell.samples) == (law, count)]
        rows.append((law, str(count), str(here[0].sets), *(f"{cell.ratio:.2f}" for cell in here)))
    used = [cell for cell in found if cell.method != METHODS[-1]]
    headers = tuple(f"{method}, {level:g}" for method in METHODS for level in LEVELS)
    return Section(
        name="levels",
        headers=("law", "N", "sets", *headers),
        rows=tuple(rows),
        targets=(
            Target("least p-value of a level reached being at most 1.5 times the nominal one", min(map(_above, used)),
                   1e-4, at_least=True),
        ),
        notes=("In units of the nominal level; where few refutations are expected in so many sets, they scatter.",),
        by=command,
    )  # fmt: skip


def _above(cell: Cell) -> float:
    return float(binom.sf(cell.refuted - 1, cell.sets, 1.5 * cell.level))


@click.command()
@click.option("--draws", default=1e8, show_default=True, help="Samples per law and number of samples.")
@click.option("--seed", default=0, show_default=True, help="Seed of the samples.")
@click.option("--law", "laws", type=click.Choice(tuple(LAWS)), multiple=True, help="Only these laws.")
@click.option("--write", "save", is_flag=True, help="Write the table to docs/levels.md.")
def main(draws: float, seed: int, laws: tuple[str, ...], save: bool) -> None:
    """Measure the levels that tests of exact values reach."""
    if save and laws:
        raise click.ClickException("--write needs every law, expected no --law")
    console, load = Console(), os.getloadavg()[0]
    made = section(
        list(cells(draws, seed, laws=laws or tuple(LAWS))), f"python -m benchmarks.levels --draws {draws:g} --write"
    )
    for table in made.tables():
        console.print(table)
    if save:
        write([made], load=load, complete=False, path=DOCUMENT.with_name("levels.md"))


if __name__ == "__main__":
    main()
