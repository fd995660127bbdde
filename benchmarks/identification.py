"""How often `estimators.identify_order_of` lists the true order, and how often it lists nothing else.

    python -m benchmarks.identification              rewrites the table of docs/identify_order.md
    python -m benchmarks.identification --reps 20 --dry-run

Each value is the mean of N samples with scatter as large as the mean ("lognormal": sigma = 1), with the standard error
that these samples give. A cell shows the percentage of runs whose list holds the true order and, after the slash, the
percentage whose list holds nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks._measure import ROOT
from benchmarks._section import Section, Target, write
from estimators.identification import identify_order_of
from randtensor.orders import Order, Scale, log

Array = NDArray[np.float64]

DOCUMENT = ROOT / "docs" / "identify_order.md"
RANGES = {"32 .. 1024": 2.0 ** np.arange(5, 11), "2^6 .. 2^18": 4.0 ** np.arange(3, 10)}
#: noise, samples per size
NOISES = (("lognormal", 100), ("normal", 100), ("normal", 10_000), ("normal", 1_000_000))
WIDE = ("2^6 .. 2^18", "normal", 1_000_000)

_n = Scale("n")


def _plain(n: Array) -> Array:
    return np.ones_like(n)


#: name, true order, correction factor
TRUTHS: tuple[tuple[str, Order, Callable[[Array], Array]], ...] = (
    ("1", Order.one(), _plain),
    ("n^-1", _n**-1, _plain),
    ("n^-1/2 (1 + n^-1/2)", _n ** Fraction(-1, 2), lambda n: 1 + n**-0.5),
    ("n^-1 (1 - n^-1/2 / 2)", _n**-1, lambda n: 1 - n**-0.5 / 2),
    ("n^1/3 (1 + 2/n)", _n ** Fraction(1, 3), lambda n: 1 + 2 / n),
    ("n^-3/4 (1 - 4/n)", _n ** Fraction(-3, 4), lambda n: 1 - 4 / n),
    ("log n", log(_n), _plain),
    ("log n + 1", log(_n), lambda n: 1 + 1 / np.log(n)),
    ("n^-1 log n", _n**-1 * log(_n), _plain),
    ("n^-1 log n (1 + n^-1/2)", _n**-1 * log(_n), lambda n: 1 + n**-0.5),
    ("n^-1/2 (log n)^1/2", _n ** Fraction(-1, 2) * log(_n) ** Fraction(1, 2), _plain),
    ("n^-1 (log n)^2", _n**-1 * log(_n) ** 2, _plain),
    ("n^-1 / log n (1 + 1/n)", _n**-1 * log(_n) ** -1, lambda n: 1 + 1 / n),
)


@dataclass(frozen=True)
class Cell:
    """Runs at one truth, range and noise."""

    truth: str
    span: str
    noise: str
    samples: int
    runs: int
    listed: int  # runs whose list holds the true order
    alone: int  # runs whose list holds it alone
    length: float  # median number of orders listed

    @property
    def setting(self) -> tuple[str, str, int]:
        return self.span, self.noise, self.samples


def means(noise: str, samples: int, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Means of ``samples`` draws of mean 1 at ``count`` sizes, and their estimated standard errors."""
    if noise == "normal":  # mean and variance of a normal sample are independent, with known laws
        spread = np.sqrt(rng.chisquare(samples - 1, count) / (samples - 1) / samples)
        return 1 + rng.standard_normal(count) / samples**0.5, spread
    draws = np.exp(rng.standard_normal((count, samples)) - 0.5)
    return draws.mean(1), draws.std(1, ddof=1) / samples**0.5


def cells(
    reps: int = 100,
    seed: int = 0,
    *,
    spans: tuple[str, ...] = tuple(RANGES),
    noises: tuple[tuple[str, int], ...] = NOISES,
    level: float = 0.99,
) -> Iterator[Cell]:
    """The cells of the table, one after another; each has its own random stream."""
    for i, (truth, order, correction) in enumerate(TRUTHS):
        for span in spans:
            n = RANGES[span]
            exact = np.array([order(size) for size in n]) * correction(n)
            for noise, samples in noises:
                rng = np.random.default_rng([seed, i, list(RANGES).index(span), NOISES.index((noise, samples))])
                # one list in twenty that is too long is hard to see in few runs, and these are quick
                runs = reps * (5 if (span, noise, samples) == WIDE else 1)
                lists = []
                for _ in range(runs):
                    value, error = means(noise, samples, len(n), rng)
                    lists.append(identify_order_of(n, exact * value, exact * error, level=level).orders)
                yield Cell(
                    truth, span, noise, samples, runs,
                    sum(order in found for found in lists),
                    sum(found == (order,) for found in lists),
                    float(np.median([len(found) for found in lists])),
                )  # fmt: skip


class _Identification(Section):
    """A section of another page, made by a command of its own."""

    @property
    def command(self) -> str:
        return "python -m benchmarks.identification"


def section(found: list[Cell]) -> Section:
    """The table with its targets."""
    settings = list(dict.fromkeys(cell.setting for cell in found))
    rows = []
    for truth in dict.fromkeys(cell.truth for cell in found):
        here = [cell for cell in found if cell.truth == truth]
        rows.append((truth, *(f"{_percent(c.listed, c.runs)} / {_percent(c.alone, c.runs)}" for c in here)))
    rows.append(("median length", *(_span([c.length for c in found if c.setting == s]) for s in settings)))
    runs, listed = sum(c.runs for c in found), sum(c.listed for c in found)
    wide = [c for c in found if c.setting == WIDE]
    return _Identification(
        "identification",
        ("truth", *(f"{span}, {noise}, N = {samples}" for span, noise, samples in settings)),
        tuple(rows),
        (
            Target("true order listed, all runs", 100 * listed / runs, 95.0, at_least=True, unit=" %"),
            Target(
                "true order listed, worst cell",
                min(100 * c.listed / c.runs for c in found), 95.0, at_least=True, unit=" %",
            ),
            Target(
                "true order alone, wide range and small noise, worst truth",
                min((100 * c.alone / c.runs for c in wide), default=0.0), 95.0, at_least=True, unit=" %",
            ),
        ),
        (f"{min(c.runs for c in found)} runs per cell, {max(c.runs for c in found)} in the last column.",),
    )  # fmt: skip


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}"


def _span(lengths: list[float]) -> str:
    low, high = min(lengths), max(lengths)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


@click.command()
@click.option("--reps", default=60, show_default=True, help="Runs per cell, a fifth of those in the last column.")
@click.option("--seed", default=0, show_default=True, help="Seed of the data sets.")
@click.option("--dry-run", is_flag=True, help="Show the table and leave the document as it is.")
def main(reps: int, seed: int, dry_run: bool) -> None:
    """Measure how often the true order is listed, and write it to docs/identify_order.md."""
    load = os.getloadavg()[0]
    console = Console(width=None if Console().is_terminal else 220)
    found = []
    with console.status("starting") as status:
        for cell in cells(reps, seed):
            found.append(cell)
            status.update(f"{cell.truth}, {cell.span}")
    result = section(found)
    for table in result.tables():
        console.print(table)
    if not dry_run:
        write([result], load=load, complete=False, path=DOCUMENT)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.identification")
