"""Detection power of the verdicts: the claims of the suites, held against predictions that are wrong by a known amount.

    python -m benchmarks.power --write              the tables of docs/power.md
    python -m benchmarks.power --runs 20 --only D   fewer runs, of some claims, only shown

Every claim that says how a quantity grows is sampled once, as a run of its suite would. Its draws become the law of an
experiment of its own: they are moved so that the statistic follows the law exactly at every size (the fitted one with
the correction that the claim states, or the exact values), and experiments draw from them with replacement, as many as
the claim takes at its default budget. So the truth is known, the noise is that of the claim, heavy tails included, and
an experiment costs nothing. Each is judged by the very code that judges claims, at the level of a run of the suite:
with the true exponent, and with one that is wrong by 1/4, 1/2 and 1. An exact value is wrong by s in the exponent when
it is multiplied by (n/n_first)^s.

Nothing is strictly below its own order, so that o(n^a) is right where the truth is n^(a - 1/4), and wrong by s where
it is n^(a + s).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import Any
from unittest.mock import patch

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest

import estimators
import randtensor as rt
from benchmarks._section import DOCUMENT, Section, Target, write
from theory_checks import Claim, Exact, QuantileSlopes, check
from theory_checks.budget import assertions
from theory_checks.suites import SUITES, load_suite

__all__ = ["Experiment", "Outcome", "experiment", "judge", "left_out", "measure"]

Array = NDArray[np.float64]

#: By how much the predicted exponent is wrong.
SHIFTS = (Fraction(1, 4), Fraction(1, 2), Fraction(1))

#: False-refutation probability of a run, which its claims share.
BUDGET = 1e-4

#: Sides of the truth on which a prediction is wrong.
SIDES = {"O": (-1,), "o": (-1,), "Omega": (1,)}


class Pool(rt.Quantity):
    """Draws with replacement from a given array at every size."""

    def __init__(self, name: str, sizes: Sequence[Mapping[str, int]], draws: Sequence[Array]) -> None:
        self.name, self.scale_names = name, tuple(sizes[0])
        self.draws = {tuple(size.values()): pool for size, pool in zip(sizes, draws, strict=True)}

    @property
    def fingerprint(self) -> str:
        return f"pool:{self.name}"

    def block_length(self, sizes: Any) -> int:
        return min(len(self.draws[tuple(sizes[name] for name in self.scale_names)]), 2**16)

    def evaluate(self, draw: Any) -> Array:
        pool = self.draws[tuple(draw.sizes[name] for name in self.scale_names)]
        return np.asarray(pool[draw.generator.integers(0, len(pool), size=draw.batch)])


@dataclass(frozen=True, eq=False)
class Experiment:
    """A claim whose truth is known.

    Attributes
    ----------
    suite, level : where the claim is from, and the probability with which a run of the suite may refute it wrongly.
    claim : right, on draws that follow it exactly.
    truth : exponent of the draws, for a bound.
    """

    suite: str
    level: float
    claim: Claim
    truth: Fraction = field(default=Fraction(0))

    @property
    def kind(self) -> str:
        """What is predicted."""
        return "bound" if isinstance(self.claim.prediction, rt.Bound) else type(self.claim.prediction).__name__

    def off_by(self, shift: Fraction) -> list[Claim]:
        """The claim with a prediction that is wrong by ``shift`` in the exponent, on every side that excludes it."""
        prediction = self.claim.prediction
        sides = SIDES.get(prediction.kind, (1, -1)) if isinstance(prediction, rt.Bound) else (1, -1)
        return [replace(self.claim, predicted=self._shifted(side * shift)) for side in (sides if shift else (1,))]

    def _shifted(self, shift: Fraction) -> Any:
        claim = self.claim
        match claim.prediction:
            case Exact(value=value) as exact:
                return replace(exact, value=replace(value, power=float(shift)))
            case QuantileSlopes(slopes=slopes):
                return QuantileSlopes({percent: slope + float(shift) for percent, slope in slopes})
            case rt.Bound(kind=kind):
                exponent = self.truth + shift + (Fraction(1, 4) if kind == "o" and not shift else 0)
                scale = rt.Scale(claim.axis or "n")
                logs = Fraction(claim.log_exponent).limit_denominator(64)
                return rt.Bound(kind, scale**exponent * rt.log(scale) ** logs if logs else scale**exponent)
        raise TypeError(claim.predicted)


@dataclass(frozen=True)
class Outcome:
    """The verdicts on one claim by shift of the predicted exponent, "0" for the truth; none where it is left out."""

    suite: str
    label: str
    kind: str = ""
    level: float = 0.0
    verdicts: dict[str, list[str]] = field(default_factory=dict)
    why: str = ""

    def share(self, shift: str, verdict: str) -> float:
        """Of the experiments at a shift, how many came out like that."""
        return self.verdicts[shift].count(verdict) / len(self.verdicts[shift])


@dataclass(frozen=True, eq=False)
class Values:
    """A function of the size as a table, worked out once; times (n/n_first)^power."""

    axis: str
    table: dict[tuple[int, ...], float]
    first: int
    power: float = 0.0

    @classmethod
    def of(cls, claim: Claim, function: Callable[[Mapping[str, int]], float]) -> Values:
        """The function at the sizes of a claim."""
        axis = claim.axis or ""
        return cls(axis, {tuple(size.values()): function(size) for size in claim.sizes}, claim.sizes[0][axis])

    def __call__(self, sizes: int | Mapping[str, int]) -> float:
        size = sizes[self.axis] if isinstance(sizes, Mapping) else sizes
        key = tuple(sizes.values()) if isinstance(sizes, Mapping) else (sizes,)
        return self.table[key] * float(np.power(size / self.first, self.power))


def left_out(claim: Claim) -> str | None:
    """Why no exponent of this claim can be wrong, if that is so."""
    if claim.expect == "refuted":
        return "negative control"
    prediction = claim.prediction
    if not isinstance(prediction, rt.Bound | Exact | QuantileSlopes):
        return f"{type(prediction).__name__}: no exponent"
    if isinstance(prediction, Exact):
        if not claim.axis or len({size[claim.axis] for size in claim.sizes}) < 2:
            return "one size only"
        if any(prediction.expected(size) == 0 for size in claim.sizes):
            return "exactly zero"
    return None


@cache
def _claims(suite: str) -> tuple[list[Claim], int]:
    """Claims of a suite, and the random assertions that share the budget of its run."""
    claims = load_suite(suite).claims()
    return claims, sum(map(assertions, claims))


def measure(suite: str, index: int, runs: int, rng: int) -> Outcome:
    """What becomes of one claim of a suite, by its number, in so many experiments."""
    claims, total = _claims(suite)
    claim = claims[index]
    if why := left_out(claim):
        return Outcome(suite, claim.label, why=why)
    made = experiment(suite, claim, BUDGET * max(assertions(claim), 1) / total, rng)
    if made is None:
        return Outcome(suite, claim.label, why="deterministic")
    return Outcome(suite, claim.label, made.kind, made.level, judge(made, runs))


def experiment(suite: str, claim: Claim, level: float, rng: int) -> Experiment | None:
    """The claim on draws of its own, sampled once and moved to follow it; None where nothing scatters."""
    draws = estimators.draw_samples(claim.quantity, claim.sizes, claim.counts, np.random.SeedSequence(rng), jobs=1)
    draws = [np.asarray(np.real(sample), dtype=float) for sample in draws]
    if isinstance(claim.prediction, QuantileSlopes):
        return Experiment(suite, level, _on_pools(claim, _with_slopes(claim, claim.prediction, draws)))
    summaries = [estimators.summarize(sample, claim.statistic) for sample in draws]
    values, errors = (np.array([getattr(s, key) for s in summaries]) for key in ("value", "error"))
    # what scatters by rounding alone leaves nothing to detect from noise
    if (errors <= 1e-9 * np.abs(values)).any():
        return None
    prediction, truth = claim.prediction, Fraction(0)
    spreads: list[float | None] = [None] * len(draws)
    if isinstance(prediction, Exact):
        expected = Values.of(claim, prediction.expected)
        wanted = np.array([expected(size) for size in claim.sizes])
        spreads = [prediction.deviation(size) for size in claim.sizes]
        table = {key: spread for key, spread in zip(expected.table, spreads, strict=True) if spread is not None}
        std = replace(expected, table=table) if table else None
        claim = replace(claim, predicted=Exact(expected, std=std, within=prediction.within))
    else:
        sizes = np.array([size[claim.axis or ""] for size in claim.sizes], float)
        truth = _truth(claim, sizes, np.abs(values), errors)
        wanted = np.sign(values) * _law(sizes, np.abs(values), truth, claim)
    moved = map(_moved, [claim.statistic_name] * len(draws), draws, values, wanted, spreads)
    made = Experiment(suite, level, _on_pools(claim, list(moved)), truth)
    return replace(made, claim=made.off_by(Fraction(0))[0])


def _moved(statistic: str, draws: Array, value: float, wanted: float, spread: float | None) -> Array:
    """Draws whose statistic is ``wanted``; a known spread of the law holds for them as well."""
    if statistic == "mean":
        factor = 1.0 if spread is None else spread / float(draws.std())
        return np.asarray(wanted + (draws - draws.mean()) * factor)
    if statistic == "variance":
        return np.asarray(draws.mean() + (draws - draws.mean()) * np.sqrt(abs(wanted / value)))
    return np.asarray(draws * (wanted / value))


def _on_pools(claim: Claim, draws: Sequence[Array]) -> Claim:
    pool = Pool(claim.label, claim.sizes, draws)
    return replace(claim, quantity=pool, n=list(claim.sizes), samples=list(claim.counts))


def _with_slopes(claim: Claim, prediction: QuantileSlopes, draws: Sequence[Array]) -> list[Array]:
    """Magnitudes, stretched between the quantiles so that each quantile has exactly the claimed power of the size."""
    magnitudes = [np.abs(sample) for sample in draws]
    found = [np.log(np.percentile(sample, claim.quantiles)) for sample in magnitudes]
    slopes = np.array([slope for _, slope in prediction.slopes])
    logs = np.log([size[claim.axis or ""] / claim.sizes[0][claim.axis or ""] for size in claim.sizes])
    moves = [found[0] + slopes * log - at for log, at in zip(logs, found, strict=True)]
    return [
        sample * np.exp(np.interp(np.log(sample), at, move))
        for sample, at, move in zip(magnitudes, found, moves, strict=True)
    ]


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


def judge(experiment: Experiment, runs: int) -> dict[str, list[str]]:
    """Verdicts by shift of the predicted exponent, "0" for the truth; the sides that a bound excludes take turns."""
    claims = {str(shift): experiment.off_by(shift) for shift in (Fraction(0), *SHIFTS)}
    verdicts: dict[str, list[str]] = {shift: [] for shift in claims}
    for run in range(runs):
        # The samples of a run do not depend on what is predicted of them, so that they are summarised once.
        estimate, scaling = _once(estimators.estimate), _once(estimators.scaling)
        with patch.object(estimators, "estimate", estimate), patch.object(estimators, "scaling", scaling):
            for shift, wrong in claims.items():
                found = check(wrong[run % len(wrong)], rng=run, jobs=1, false_refutation=experiment.level)
                verdicts[shift].append(found.verdict)
    return verdicts


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a quantity and options, with what it returned remembered."""
    known: dict[str, Any] = {}

    def remembered(quantity: rt.Quantity, *arguments: Any, **options: Any) -> Any:
        key = repr((quantity.fingerprint, arguments, options))
        if key not in known:
            known[key] = function(quantity, *arguments, **options)
        return known[key]

    return remembered


def _task(arguments: tuple[str, int, int, int]) -> Outcome:
    return measure(*arguments)


@click.command()
@click.option("--runs", default=200, show_default=True, help="Experiments per claim and shift.")
@click.option("--only", default=None, help="Claims whose id contains this.")
@click.option("--rng", default=0, show_default=True, help="Seed of the pools.")
@click.option("--write", "save", is_flag=True, help="Write the tables to docs/power.md.")
def main(runs: int, only: str | None, rng: int, save: bool) -> None:
    """Measure false refutations and detection power over the claims of the suites."""
    console, load = Console(), os.getloadavg()[0]
    tasks = [
        (suite, index, runs, rng)
        for suite in sorted(SUITES)
        for index, claim in enumerate(_claims(suite)[0])
        if not only or only in claim.label
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(track(pool.map(_task, tasks), total=len(tasks), description="claims", console=console))
    section = _section(outcomes, runs)
    for table in section.tables():
        console.print(table)
    for note in section.notes:
        console.print(note)
    if save:
        write([section], load=load, complete=False, path=DOCUMENT.with_name("power.md"))


def _section(outcomes: Sequence[Outcome], runs: int) -> Section:
    made, skipped = [o for o in outcomes if o.verdicts], [o for o in outcomes if not o.verdicts]
    rows = []
    for suite, kind in sorted({(o.suite, o.kind) for o in made}):
        own = [o for o in made if (o.suite, o.kind) == (suite, kind)]
        for shift in ("0", *map(str, SHIFTS)):
            shares = [
                float(np.mean([o.share(shift, verdict) for o in own]))
                for verdict in ("consistent", "inconclusive", "refuted")
            ]
            least = min(o.share(shift, "consistent" if shift == "0" else "refuted") for o in own)
            cells = (f"{100 * share:.2f} %" for share in (*shares, least))
            rows.append((suite, kind, str(len(own)), shift, *cells))
    wrong = sum(o.verdicts[shift].count("consistent") for o in made for shift in ("1/2", "1"))
    refuted, tried = sum(o.verdicts["0"].count("refuted") for o in made), runs * len(made)
    p_value = binomtest(refuted, tried, float(np.mean([o.level for o in made])), alternative="greater").pvalue
    missed = _missed(made, map(str, SHIFTS), "refuted", 0.99)
    rare = _missed(made, ["0"], "consistent", 0.95)
    reasons = Counter(o.why for o in skipped)
    listed = "; ".join(f"{why} ({count})" for why, count in sorted(reasons.items()))
    return Section(
        name="power",
        headers=("suite", "prediction", "claims", "off by", "consistent", "inconclusive", "refuted", "least right"),
        rows=tuple(rows),
        targets=(
            Target("claims refuted in less than 99 % of runs, of all shifts", len(missed), 0),
            Target("runs called consistent at 1/2 or 1", wrong, 0),
            Target("p-value of the false refutations within the budget", float(p_value), 1e-3, at_least=True),
            Target("true claims called consistent in less than 95 % of runs", len(rare), 0),
        ),
        notes=(
            f"{runs} experiments for each of {len(made)} claims and each shift. Of the {tried} with the true exponent "
            f"{refuted} were refuted; the budget allows {runs * sum(o.level for o in made):.2g} on average.",
            "Wrong, and refuted in less than 99 % of the experiments: " + ("; ".join(missed) or "none") + ".",
            "True, and consistent in less than 95 % of the experiments: " + ("; ".join(rare) or "none") + ".",
            f"Left out are {len(skipped)} claims: {listed or 'none'}.",
        ),
        by=f"python -m benchmarks.power --runs {runs} --write",
    )


def _missed(made: Sequence[Outcome], shifts: Iterable[str], verdict: str, least: float) -> list[str]:
    """Claims that reach a verdict in a smaller share of runs than they should."""
    return [
        f"{o.label}{f' (off by {shift})' if shift != '0' else ''}: {100 * o.share(shift, verdict):.1f} %"
        for shift in shifts
        for o in made
        if o.share(shift, verdict) < least
    ]


if __name__ == "__main__":
    main()
