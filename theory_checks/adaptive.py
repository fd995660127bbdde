"""Claims checked within a time budget: a pilot, looks at growing samples, and a stop as soon as the verdict is decided.

1. A few samples at every size of every claim measure cost and scatter. They are then thrown away: they only allocate.
2. In each of a few rounds every undecided claim takes a look: it draws more samples and is checked on all it has. The
    time of a round is shared so that the claims that need least get what they need. Over the sizes it is spent so that
    the error of the exponent falls fastest (Neyman's allocation at measured costs).
3. The levels of both verdicts are split over the planned looks, so that stopping early costs no error probability.

Samples come from the streams of `check`, from their beginning, so that the counts alone reproduce the numbers.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor import Quantity
from randtensor.errors import RandtensorError
from theory_checks.allocation import Array, Pilot, Recorder, allocate, draw_pilot, gains, recorded
from theory_checks.checks import check, claim_root
from theory_checks.claims import Claim, Identity, with_samples
from theory_checks.results import Result, without_samples

__all__ = ["LOOKS", "check_within", "fair_shares"]

#: planned looks at the growing samples of a claim
LOOKS = 4

# of the time left at the beginning of each round, how much the round may take; those after the fourth are for claims
# that had too little time for all their looks before
_ROUNDS = (0.02, 0.1, 0.35, 1.0, 1.0, 1.0)

_PILOT_SHARE = 0.1  # of the time
_LEFT_OVER = 0.05  # share of the time budget that is worth another round
_SHORTEST = 0.03  # seconds below which a look costs more than it draws, so that it is left out
_MOST = 2**26  # samples that a run holds at once, half a gigabyte
_EVALUATING = 1e-7  # seconds per sample of a statistic; a quantile with its error takes several times that
# times the samples of a look at most in the next one, where drawing or the statistics take most of the time: the cost
# of a draw stays what it is, that of the statistics is not known so far ahead
_GROWTH = (100, 16)
_FIRST = 4  # times the samples that the claim asks for, at most in the first look
_WORTHWHILE = 1.1  # times the samples at least, for another look
_NEEDED = 1.1  # times the estimated need is drawn

#: called with (number of the claim, samples done, samples in all)
Tell = Callable[[int, int, int], None]


def check_within(
    claims: Sequence[Claim],
    seconds: float,
    *,
    root: np.random.SeedSequence,
    levels: Sequence[float],
    finished: dict[int, Result],
    jobs: int | None = None,
    tell: Tell | None = None,
) -> None:
    """Check claims within ``seconds`` in all.

    Parameters
    ----------
    claims : what to check. One whose fewest samples do not fit into its time is not sampled, and inconclusive.
    seconds : wall time.
    root : of the random streams.
    levels : probability of a false refutation of each claim.
    finished : receives the last result of each claim by its number, also before the claim is decided.
    jobs : worker threads.
    tell : called as samples are drawn.
    """
    start = time.perf_counter()
    most = max(_MOST // sum(len(claim.sizes) for claim in claims), 2**10)
    allowance = _PILOT_SHARE * seconds / len(claims)
    works = [_begin(i, claim, draw_pilot(claim, root, jobs, allowance), most) for i, claim in enumerate(claims)]
    for number, share in enumerate(_ROUNDS):
        last = share == 1.0
        waiting = sorted((work for work in works if not work.decided), key=_urgency)
        round_start = time.perf_counter()
        end = round_start + share * max(start + seconds - round_start, 0.0)
        enough = end - round_start >= max(_SHORTEST * len(waiting), _LEFT_OVER * seconds * last)
        if not enough and number != LOOKS - 1:
            continue
        while waiting:
            left = max(end - time.perf_counter(), 0.0)
            work = waiting[0]
            # the present claim's part of what is left, which later claims have a part in
            time_for_it = fair_shares([other.need(last) for other in waiting], left)[0]
            enough = left / len(waiting) >= _SHORTEST
            waiting = waiting[1:]
            if (work.result is not None and not enough) or (work.result is None and work.least > time_for_it):
                continue
            finished[work.index] = work.look(time_for_it, last, root, levels[work.index], jobs, tell)
    for work in works:
        work.forget()
        if work.result is None:
            finished[work.index] = work.nothing(root, levels[work.index])


def fair_shares(needs: Sequence[float], total: float) -> list[float]:
    """``total`` split so that nobody gets more than the need, and the others alike.

    >>> fair_shares([1.0, math.inf, math.inf], 9.0)
    [1.0, 4.0, 4.0]
    """
    shares, left = [0.0] * len(needs), total
    order = sorted(range(len(needs)), key=lambda i: needs[i])
    for rank, i in enumerate(order):
        shares[i] = min(needs[i], left / (len(order) - rank))
        left -= shares[i]
    return shares


@dataclass
class _Work:
    """One claim on its way to a verdict."""

    index: int
    claim: Claim
    costs: Array  # seconds per sample
    scatter: Array
    most: int  # samples at each size
    pilot: tuple[int, ...]
    spent: float
    counts: NDArray[np.int64]
    # time over that by ``costs``, which see one thread, and seconds per sample and per look of the statistics
    drawing: float = 1.0
    evaluating: float = _EVALUATING
    fixed: float = 0.005
    evaluated: tuple[int, float] = (0, 0.0)  # samples of the last look, and the seconds of its statistics
    result: Result | None = None
    looks: list[list[int]] = field(default_factory=list)
    recorder: Recorder | None = None
    twin: Quantity | None = None
    failed: bool = False

    @property
    def decided(self) -> bool:
        return self.failed or (
            self.result is not None
            and (
                self.result.verdict != "inconclusive"
                or len(self.looks) >= LOOKS
                or bool(np.all(self.counts >= self.most))
            )
        )

    def need(self, last: bool = False) -> float:
        """Seconds that would decide, as far as is known: the last look takes whatever time there is."""
        if isinstance(self.claim.prediction, Identity):
            return self._seconds(np.array(self.claim.counts))
        if last or self.result is None or self.result.samples_required is None:
            return math.inf
        return self._seconds(self._wanted)

    @property
    def least(self) -> float:
        """Seconds for the fewest samples that a check needs."""
        return self._seconds(self._fewest)

    @property
    def _fewest(self) -> NDArray[np.int64]:
        fewest = np.array([min(count, self.claim.fewest_samples) for count in self.claim.counts])
        if isinstance(self.claim.prediction, Identity):
            return fewest
        # blocks are drawn whole
        whole: NDArray[np.int64] = -(-fewest // self._lengths) * self._lengths
        return whole

    def nothing(self, root: np.random.SeedSequence, level: float) -> Result:
        """The result of a claim for which there was no time."""
        return without_samples(
            self.claim,
            f"not sampled: the fewest samples of a check take about {self.least:.2g} s, "
            "more than the time budget leaves for it",
            seed=claim_root(self.claim, root),
            false_refutation=level,
            looks=LOOKS,
            seconds=self.spent,
            samples_required=tuple(int(count) for count in self._fewest),
            details=self._details,
        )

    @property
    def _details(self) -> dict[str, Any]:
        looks = list(self.looks)
        return {"adaptive": {"pilot": self.pilot, "looks": looks, "seconds_per_sample": self.costs.tolist()}}

    @property
    def uncertainty(self) -> float:
        """Share of the time of a look that goes into its statistics."""
        statistics = self.evaluating * float(self.counts.sum())
        return statistics / (statistics + self.drawing * float(self.costs @ self.counts) + self.fixed)

    @property
    def _wanted(self) -> NDArray[np.int64]:
        """Samples that would decide, with some to spare."""
        assert self.result is not None and self.result.samples_required is not None
        wanted = np.ceil(_NEEDED * np.array(self.result.samples_required, dtype=float))
        return np.minimum(wanted, self.most).astype(np.int64)

    def _seconds(self, counts: NDArray[np.int64]) -> float:
        """Time of a look at so many samples in all."""
        drawn = self.drawing * float(self.costs @ (counts - self.counts))
        return self.fixed + drawn + self.evaluating * float(counts.sum())

    def look(
        self,
        seconds: float,
        last: bool,
        root: np.random.SeedSequence,
        level: float,
        jobs: int | None,
        tell: Tell | None,
    ) -> Result:
        """Draw for ``seconds`` and check all samples so far, unless that would add hardly any."""
        start = time.perf_counter()
        drawn = self.counts.copy()
        self._grow(seconds, last)
        if self.result is not None and self.counts.sum() < _WORTHWHILE * drawn.sum():
            self.counts = drawn
            return self.result
        if self.twin is None:
            self.twin, self.recorder = recorded(self.claim.quantity)
        assert self.recorder is not None
        drawn_seconds = sum(self.recorder.seconds.values())
        counts = [int(count) for count in self.counts]
        index, progress = self.index, None
        if tell is not None:
            report = tell

            def progress(done: int, total: int) -> None:
                report(index, done, total)

        stated = self._with(counts, self.twin)
        try:
            found = check(stated, rng=root, jobs=jobs, progress=progress, false_refutation=level, looks=LOOKS)
        except RandtensorError as error:
            self.spent += time.perf_counter() - start
            return self._broken(error, root, level)
        elapsed = time.perf_counter() - start
        self.spent += elapsed
        self._learn(drawn, elapsed, sum(self.recorder.seconds.values()) - drawn_seconds, jobs)
        self.looks.append(counts)
        details = {**found.details, **self._details}
        # the result refers to the claim as given, not to the twin that holds the samples
        claim = self._with(counts, self.claim.quantity)
        self.result = replace(found, claim=claim, details=details, seconds=self.spent)
        if self.decided:
            self.forget()
        return self.result

    def _broken(self, error: RandtensorError, root: np.random.SeedSequence, level: float) -> Result:
        """The end of a claim that cannot be checked: the others go on."""
        self.failed = True
        self.forget()
        self.result = without_samples(
            self.claim,
            str(error),
            seed=claim_root(self.claim, root),
            false_refutation=level,
            looks=LOOKS,
            seconds=self.spent,
            details={**self._details, "error": type(error).__name__},
        )
        return self.result

    def forget(self) -> None:
        """Give the memory of the samples back."""
        self.twin = self.recorder = None

    def _learn(self, drawn: NDArray[np.int64], elapsed: float, threads: float, jobs: int | None) -> None:
        """Take the measured costs of a look for those of the next one."""
        assert self.recorder is not None
        places = [tuple(sorted(sizes.items())) for sizes in self.claim.sizes]
        blocks = -(-self.counts // self._lengths) * self._lengths
        found = np.array([self.recorder.seconds.get(place, 0.0) for place in places]) / blocks
        # of what was found in memory nothing is known
        self.costs = np.where((found > 0) & (self.counts > drawn), found, self.costs)
        wall = min(threads / (jobs or os.cpu_count() or 1), elapsed)
        if (new := float(self.costs @ (self.counts - drawn))) > 0:
            self.drawing = min(max(wall / new, 1e-2), 1.0)
        rest, total = elapsed - wall, int(self.counts.sum())
        before, less = self.evaluated
        if total > 1.5 * before > 0:
            self.evaluating = max((rest - less) / (total - before), 0.0)
            self.fixed = max(rest - self.evaluating * total, 0.0)
        elif not before:
            self.fixed = min(rest, self.fixed)
            self.evaluating = (rest - self.fixed) / total
        self.evaluated = total, rest

    def _grow(self, seconds: float, last: bool) -> None:
        """Counts that take ``seconds``; whole blocks, since these are what is drawn."""
        claim = self.claim
        if isinstance(claim.prediction, Identity):
            everything = np.array(claim.counts)
            wanted = np.ceil(min(seconds / self._seconds(everything), 1.0) * everything)
        elif self.need(last) <= seconds:
            wanted = self._wanted.astype(float)
        else:
            costs = self.drawing * self.costs + self.evaluating
            afforded = seconds - self.fixed + self.drawing * float(self.costs @ self.counts)
            wanted = allocate(gains(claim), self.scatter, costs, max(afforded, 0.0))
            # costs are known roughly before the first look, and the claim says what it takes
            known, growth = (self.counts, _GROWTH[self.uncertainty > 0.5]) if self.looks else (claim.counts, _FIRST)
            wanted = np.minimum(wanted, growth * np.asarray(known))
            wanted = np.floor(np.minimum(wanted, self.most) / self._lengths) * self._lengths
        self.counts = np.maximum(np.maximum(wanted, self._fewest).astype(np.int64), self.counts)

    @property
    def _lengths(self) -> NDArray[np.int64]:
        return np.array([self.claim.quantity.block_length(sizes) for sizes in self.claim.sizes])

    def _with(self, counts: list[int], quantity: Quantity) -> Claim:
        return with_samples(replace(self.claim, quantity=quantity), counts)


def _urgency(work: _Work) -> tuple[bool, float]:
    """First the claims without a result, the cheapest first; then those whose costs are known least.

    These are the costs of statistics: the others absorb what comes out differently.
    """
    return work.result is not None, work.least if work.result is None else -work.uncertainty


def _begin(index: int, claim: Claim, pilot: Pilot, most: int) -> _Work:
    return _Work(
        index=index,
        claim=claim,
        costs=pilot.costs,
        scatter=pilot.scatter,
        most=max(most, claim.fewest_samples),
        pilot=pilot.counts,
        spent=pilot.seconds,
        counts=np.zeros(len(pilot.counts), dtype=np.int64),
        evaluating=_EVALUATING * max(5 * len(claim.quantiles), 1),
    )
