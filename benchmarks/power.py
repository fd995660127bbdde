"""Detection power of the verdicts: every rate in the suites, held against a prediction that is wrong by a known amount.

    python -m benchmarks.power --write              the tables of docs/power.md, about half an hour on two cores
    python -m benchmarks.power --runs 20 --only D   fewer runs, of some claims, only shown

Every claim of the suites that predicts a growth is sampled once, as a run of the suite would. Its draws become the law
of an experiment of its own: they are moved so that the statistic follows the fitted law exactly at every size, with the
fitted correction to scaling, and experiments draw from them with replacement, as many as the claim takes at its default
budget. So the true exponent is known, the noise is that of the claim, heavy tails included, and an experiment costs
nothing. Each is judged by the very code that judges claims: with the right exponent, and with one that is wrong by 1/4,
1/2 and 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest

import estimators
import randtensor as rt
from benchmarks._section import DOCUMENT, Section, Target, write
from theory_checks import Claim, check
from theory_checks.suites import SUITES, load_suite

__all__ = ["Experiment", "experiments", "judge"]

Array = NDArray[np.float64]

#: By how much the predicted exponent is wrong.
SHIFTS = (Fraction(1, 4), Fraction(1, 2), Fraction(1))

#: False-refutation probability of a run, which its claims share.
BUDGET = 1e-4


class Pool(rt.Quantity):
    """Draws with replacement from a given array at every size."""

    def __init__(self, name: str, axis: str, draws: dict[int, Array]) -> None:
        self.name, self.draws, self.axis, self.scale_names = name, draws, axis, (axis,)

    @property
    def fingerprint(self) -> str:
        return f"pool:{self.name}"

    def block_length(self, sizes: Any) -> int:
        return 4096

    def evaluate(self, draw: Any) -> Array:
        pool = self.draws[draw.sizes[self.axis]]
        return np.asarray(pool[draw.generator.integers(0, len(pool), size=draw.batch)])


@dataclass(frozen=True, eq=False)
class Experiment:
    """A claim whose truth is known: ``claim`` predicts it, on draws whose statistic follows it exactly."""

    suite: str
    claim: Claim

    def predicting(self, exponent: Fraction | float) -> Claim:
        """The claim with another exponent in its bound."""
        scale = rt.Scale(self.claim.axis or "n")
        growth = scale ** Fraction(exponent).limit_denominator(64)
        logs = self.claim.log_exponent
        if logs:
            growth = growth * rt.log(scale) ** Fraction(logs).limit_denominator(64)
        return replace(self.claim, predicted=rt.Bound(self.claim.predicted.kind, growth))


def experiments(suites: Sequence[str], only: str | None, rng: int) -> Iterator[Experiment]:
    """One experiment for every claim that predicts a growth, as far as its statistic can be moved to a given law."""
    for name in suites:
        for claim in load_suite(name).claims():
            known = isinstance(claim.prediction, rt.Bound) and claim.expect == "consistent" and claim.axis
            if not known or claim.order == rt.Order.zero() or (only and only not in claim.label):
                continue
            made = _experiment(name, claim, rng)
            if made is not None:
                yield made


def _experiment(suite: str, claim: Claim, rng: int) -> Experiment | None:
    statistic = claim.statistic_name
    if statistic not in ("rms", "mean", "std", "variance", "L1") or claim.quantity.probes > 1:
        return None
    assert claim.axis is not None
    sizes = [size[claim.axis] for size in claim.sizes]
    found = [
        estimators.estimate(
            claim.quantity, size, statistic=statistic, samples=count, rng=rng, keep_samples=True, jobs=1
        )
        for size, count in zip(claim.sizes, claim.counts, strict=True)
    ]
    values = np.array([e.value for e in found])
    if (np.array([e.error for e in found]) == 0).any() or (values == 0).any():
        return None  # deterministic: nothing to detect from noise
    exponent = _truth(claim, np.array(sizes, float), np.abs(values), np.array([e.error for e in found]))
    target = np.sign(values) * _law(np.array(sizes, float), np.abs(values), exponent, claim)
    pools = {}
    for size, estimate, value, wanted in zip(sizes, found, values, target, strict=True):
        draws = np.asarray(estimate.draws, dtype=float)
        if statistic == "mean":
            pools[size] = draws + (wanted - value)
        elif statistic == "variance":
            pools[size] = draws.mean() + (draws - draws.mean()) * np.sqrt(abs(wanted / value))
        else:
            pools[size] = draws * (wanted / value)
    made = replace(
        claim,
        quantity=Pool(claim.label, claim.axis, pools),
        n=sizes,
        samples=list(claim.counts),
        predicted=claim.predicted,
    )
    return Experiment(suite, Experiment(suite, made).predicting(exponent))


def _truth(claim: Claim, sizes: Array, values: Array, errors: Array) -> Fraction:
    """The claimed exponent if the bound is tight, else the fitted one, to the nearest quarter."""
    assert claim.exponent is not None
    if claim.predicted.kind == "Theta":
        return Fraction(claim.exponent).limit_denominator(64)
    fit = estimators.fit_rate(sizes, values, errors, correction=claim.correction)
    return Fraction(round(4 * fit.exponent), 4)


def _law(sizes: Array, values: Array, exponent: Fraction, claim: Claim) -> Array:
    """C n^a (log n)^b (1 + c n^-w), with C and c from least squares on the measured values."""
    growth = sizes ** float(exponent) * np.log(sizes) ** claim.log_exponent
    power = 1.0 if claim.correction in ("auto", None) else float(np.min(np.atleast_1d(claim.correction)))
    columns = [np.ones_like(sizes)] if claim.correction is None else [np.ones_like(sizes), sizes**-power]
    design = np.stack(columns, axis=1)
    ratio = values / growth
    coefficients = np.linalg.lstsq(design / ratio[:, None], np.ones_like(ratio), rcond=None)[0]
    law = design @ coefficients * growth
    return law if (law > 0).all() else growth * np.exp(np.mean(np.log(ratio)))


def judge(experiment: Experiment, runs: int, level: float) -> dict[str, list[str]]:
    """Verdicts by shift of the predicted exponent, "0" for the truth; shifts go to the side that the bound excludes."""
    truth = Fraction(experiment.claim.exponent or 0).limit_denominator(64)
    sides = {"O": (-1,), "o": (-1,), "Omega": (1,), "Theta": (1, -1)}[experiment.claim.predicted.kind]
    verdicts: dict[str, list[str]] = {}
    for shift in (Fraction(0), *SHIFTS):
        claims = [experiment.predicting(truth + side * shift) for side in (sides if shift else (1,))]
        verdicts[str(shift)] = [
            check(claims[run % len(claims)], rng=run, jobs=1, false_refutation=level).verdict for run in range(runs)
        ]
    return verdicts


def _task(arguments: tuple[Experiment, int, float]) -> dict[str, list[str]]:
    return judge(*arguments)


@click.command()
@click.option("--runs", default=200, show_default=True, help="Experiments per claim and shift.")
@click.option("--only", default=None, help="Claims whose id contains this.")
@click.option("--rng", default=0, show_default=True, help="Seed of the pools.")
@click.option("--write", "save", is_flag=True, help="Write the tables to docs/power.md.")
def main(runs: int, only: str | None, rng: int, save: bool) -> None:
    """Measure false refutations and detection power over the claims of the suites."""
    console = Console()
    made = list(track(experiments(sorted(SUITES), only, rng), description="pools", console=console))
    level = BUDGET / max(len(made), 1)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        tasks = pool.map(_task, [(e, runs, level) for e in made])
        found = list(track(tasks, total=len(made), description="runs", console=console))
    section = _section(made, found, runs)
    for table in section.tables():
        console.print(table)
    if save:
        write([section], load=os.getloadavg()[0], complete=False, path=DOCUMENT.with_name("power.md"))


def _section(made: Sequence[Experiment], found: Sequence[dict[str, list[str]]], runs: int) -> Section:
    rows, missed, wrong = [], [], 0
    for suite in sorted({e.suite for e in made}):
        own = [f for e, f in zip(made, found, strict=True) if e.suite == suite]
        for shift in ("0", *map(str, SHIFTS)):
            verdicts = [v for f in own for v in f[shift]]
            shares = [verdicts.count(v) / len(verdicts) for v in ("consistent", "inconclusive", "refuted")]
            least = min(f[shift].count("refuted") / runs for f in own)
            rows.append(
                (
                    suite,
                    shift,
                    str(len(own)),
                    *(f"{100 * s:.2f} %" for s in shares),
                    f"{100 * least:.1f} %" if shift != "0" else "-",
                )
            )
    for e, f in zip(made, found, strict=True):
        wrong += f["1/2"].count("consistent") + f["1"].count("consistent")
        for shift in map(str, SHIFTS):
            share = f[shift].count("refuted") / runs
            if share < 0.99:
                missed.append(f"{e.claim.label} (off by {shift}): {100 * share:.1f} %")
    refuted = sum(f["0"].count("refuted") for f in found)
    total = runs * len(made)
    p_value = binomtest(refuted, total, BUDGET / max(len(made), 1), alternative="greater").pvalue
    return Section(
        name="power",
        headers=("suite", "exponent off by", "claims", "consistent", "inconclusive", "refuted", "least refuted"),
        rows=tuple(rows),
        targets=(
            Target("claims refuted in less than 99 % of runs, of all shifts", len(missed), 0),
            Target("runs called consistent at 1/2 or 1", wrong, 0),
            Target("p-value of the false refutations within the budget", float(p_value), 1e-3, at_least=True),
        ),
        notes=(
            f"{runs} experiments per claim and shift; {refuted} false refutations in {total}.",
            "Refuted in less than 99 % of the experiments: " + ("; ".join(missed) if missed else "none") + ".",
        ),
        by=f"python -m benchmarks.power --runs {runs} --write",
    )


if __name__ == "__main__":
    main()
