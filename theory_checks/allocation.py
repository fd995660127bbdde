"""What a pilot tells about a claim, and how samples are dealt out over its sizes."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import estimators
from randtensor import Bound, Quantity
from randtensor.errors import InputError
from theory_checks.checks import claim_root
from theory_checks.claims import Claim, Exact, Identity, Zero

__all__ = ["Pilot", "Recorder", "allocate", "draw_pilot", "gains", "recorded"]

Array = NDArray[np.float64]

_PILOT = 16  # samples at each size
_REPEATS = 3  # of the pilot, to time it
_BRIEF = 0.01  # seconds below which it is timed again
_PILOT_KEY = 0x70696C6F  # sets its stream apart from those of the check
_EVEN = 0.25  # share of the time that goes to all sizes alike: the optimum for one law can be blind to another


@dataclass(frozen=True, eq=False)
class Pilot:
    """Samples drawn at each size, seconds per sample, relative scatter of one sample, and the time it took."""

    counts: tuple[int, ...]
    costs: Array
    scatter: Array
    seconds: float


def allocate(gains: ArrayLike, scatter: ArrayLike, costs: ArrayLike, seconds: float) -> Array:
    """Samples per size that take ``seconds``, so that the variance of an estimate falls fastest.

    Of sum g_i x_i, where x_i has the variance s_i^2 / N_i and a sample costs c_i, the variance at a given total cost
    is least for N_i proportional to abs(g_i) s_i / sqrt(c_i) (Neyman 1934). A quarter of the time is spread
    evenly instead.

    Parameters
    ----------
    gains, scatter, costs : g, s and c by size.
    seconds : total cost.

    Examples
    --------
    >>> allocate([1.0, 1.0], [1.0, 1.0], [1.0, 4.0], 8.0).round(2).tolist()
    [3.0, 1.25]
    """
    g, s, c = (np.asarray(values, dtype=float) for values in (gains, scatter, costs))
    even = 1 / (len(c) * c)
    optimal = np.abs(g) * s / np.sqrt(c)
    cost = float(c @ optimal)
    per_second: Array = (1 - _EVEN) * optimal / cost + _EVEN * even if cost > 0 else even
    return seconds * per_second


class Recorder:
    """Keeps the blocks that were drawn, so that a later look draws only what is new, and what they cost."""

    def __init__(self, quantity: Quantity) -> None:
        self.draw = quantity.sample_block
        self.blocks: dict[tuple[tuple[tuple[str, int], ...], int], Any] = {}
        self.seconds: dict[tuple[tuple[str, int], ...], float] = {}

    def sample_block(self, sizes: Any, block: int, root: np.random.SeedSequence) -> Any:
        place = tuple(sorted(sizes.items()))
        if (place, block) not in self.blocks:
            start = time.perf_counter()
            self.blocks[place, block] = self.draw(sizes, block, root)
            self.seconds[place] = self.seconds.get(place, 0.0) + time.perf_counter() - start
        return self.blocks[place, block]


def recorded(quantity: Quantity) -> tuple[Quantity, Recorder]:
    """A twin of the quantity, of the same class and law, whose blocks are remembered."""
    recorder, twin = Recorder(quantity), copy.copy(quantity)
    object.__setattr__(twin, "sample_block", recorder.sample_block)
    return twin, recorder


def draw_pilot(claim: Claim, root: np.random.SeedSequence, jobs: int | None, seconds: float) -> Pilot:
    """Costs and scatter of a claim, from samples that no verdict ever sees.

    Sizes that would take longer than ``seconds`` are not drawn, and their costs follow from those of the smaller ones.
    """
    start = time.perf_counter()
    own = claim_root(claim, root)
    stream = np.random.SeedSequence(own.entropy, spawn_key=(*own.spawn_key, _PILOT_KEY))
    costs: list[float] = []
    scatter: list[float] = []
    counts = [0] * len(claim.sizes)
    for i, (sizes, count) in enumerate(zip(claim.sizes, claim.counts, strict=True)):
        wanted, length = min(count, _PILOT), claim.quantity.block_length(sizes)
        drawn = -(-wanted // length) * length
        if i:
            growth = max(sizes.values(), default=1) / max(claim.sizes[i - 1].values(), default=1)
            # a first step that is too slow is a step between the smallest sizes
            factor = costs[-1] / costs[-2] if i > 1 else growth**0.5
            expected = costs[-1] * max(factor, 1.0)
            if counts[i - 1] == 0 or time.perf_counter() - start + expected * drawn > seconds:
                costs.append(expected)
                scatter.append(scatter[-1])
                continue
        cost, sample = math.inf, None
        for _ in range(_REPEATS):
            twin, recorder = recorded(claim.quantity)
            try:
                (sample,) = estimators.draw_samples(twin, [sizes], [wanted], stream, jobs=jobs)
            except Exception:
                break  # what is wrong with the quantity is said by the check, with the name of the claim
            cost = min(cost, sum(recorder.seconds.values()) / drawn)
            # the first draws of a program are slow, where time is short enough to matter
            if cost * drawn > _BRIEF:
                break
        counts[i] = wanted
        costs.append(max(cost, 1e-9) if sample is not None else 1e-9)
        scatter.append(1.0 if sample is None else _scatter(claim, sample))
    return Pilot(tuple(counts), np.array(costs), _smoothed(np.array(scatter)), time.perf_counter() - start)


def _scatter(claim: Claim, sample: NDArray[Any]) -> float:
    """Relative standard deviation of what one sample contributes to the statistic."""
    if not isinstance(claim.prediction, Bound):
        return 1.0
    try:
        found = estimators.summarize(sample, claim.statistic_name, claim.quantity.probes)
    except InputError:  # too few for a quantile
        return 1.0
    if not found.value:
        return 1.0
    return min(max(abs(found.error / found.value) * math.sqrt(len(sample)), 1e-3), 30.0)


def _smoothed(scatter: Array) -> Array:
    """A straight line through the logarithms: a pilot of few samples knows no more than the trend."""
    if len(scatter) < 3:
        return scatter
    steps = np.arange(len(scatter))
    line: Array = np.exp(np.polynomial.Polynomial.fit(steps, np.log(scatter), 1)(steps))
    return line


def gains(claim: Claim) -> Array:
    """By how much the logarithm of each value moves the fitted exponent; all alike where nothing is fitted."""
    if claim.axis is None or isinstance(claim.prediction, Exact | Zero | Identity):
        return np.ones(len(claim.sizes))
    log_n = np.log([sizes[claim.axis] for sizes in claim.sizes])
    given = (0.5, 1.0) if isinstance(claim.correction, str) else claim.correction
    powers = [] if given is None else [float(power) for power in np.atleast_1d(given)]
    linear = [np.ones_like(log_n), log_n]
    designs = [[*linear, np.exp(-power * (log_n - log_n[0]))] for power in powers] or [linear]
    moves = [np.abs(np.linalg.pinv(np.stack(design, axis=-1))[1]) for design in designs]
    mean: Array = np.mean(moves, axis=0)
    return mean
