"""A run over many claims."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from estimators.workers import Jobs, Workers
from randtensor.errors import InputError, RandtensorError, StoreError, WorkersError
from randtensor.seeding import Seed, root_sequence
from theory_checks.adaptive import check_within
from theory_checks.budget import assertions, spend
from theory_checks.checks import check, claim_root, reduced_counts
from theory_checks.claims import Claim, with_samples
from theory_checks.loading import load_claims, replayed, select
from theory_checks.rendering.records import read_json
from theory_checks.reports import Interrupted, Report
from theory_checks.results import Result, plain, without_samples
from theory_checks.suites import SuiteOptions

__all__ = ["Interrupted", "Report", "RunProgress", "verify"]

_WIDE = 2**15  # width from which a block holds one sample


@dataclass(frozen=True)
class RunProgress:
    """Where a run stands.

    Attributes
    ----------
    target : name of the suite or file the claim belongs to.
    claim, index, claims : the claim at work, its number from 1, and how many there are.
    done, samples : samples of this claim drawn so far, and in all.
    fraction : of the whole run, by the estimated work of each claim.
    """

    target: str
    claim: Claim
    index: int
    claims: int
    done: int
    samples: int
    fraction: float


def verify(
    target: Any,
    *,
    rng: Seed = None,
    jobs: Jobs = None,
    budget: float = 1.0,
    only: str | Iterable[str] | None = None,
    quick: bool = False,
    inputs: Any = None,
    false_refutation: float = 1e-4,
    time_budget: float | None = None,
    replay: Any = None,
    progress: Callable[[RunProgress], None] | bool | None = None,
) -> Report:
    """Check many claims, one after the other, each in parallel over its samples.

    Parameters
    ----------
    target : name of a suite, path of a file of claims (TOML, or Python that defines ``claims``), a claim, or a list of
        these.
    rng : seed. Every claim has its own streams, keyed by its id, so that ``only`` changes no number.
    jobs : number of threads (default: that of the processors), an executor, or `estimators.Workers`, which may keep the
        samples in a store. Changes nothing in the results.
    budget : factor on the samples of every claim.
    only : check only claims that match: ids, parts of ids or names, or globs; several, or separated by commas.
    quick : smaller sizes and fewer samples, as the suite decides; a quarter of the samples for claims given otherwise.
    inputs : input vectors as rows, for the suites.
    false_refutation : probability that the run refutes any true claim; split over all assertions of the target by
        Holm's step-down.
    time_budget : seconds for the whole run. The samples of the claims then follow from measured cost and scatter, see
        `theory_checks.adaptive`, and a claim ends when its verdict is decided; one that does not fit is inconclusive.
        Without it the same seed gives the same results; with it, the same seed and ``replay``.
    replay : results of an earlier run, a path of ``results.json`` or what is in it, whose samples are drawn again;
        claims that it did not sample are left out.
    progress : called with a `RunProgress` as samples are drawn; True shows a bar in terminals and notebooks.

    Raises
    ------
    InputError : a target or option that cannot be used, or a replay of a run with other options. A claim that cannot be
        checked raises nothing: it is inconclusive, with the sentence about it as the reason.
    StoreError, WorkersError : the store cannot be read or written, or the workers are lost; what was kept in the store
        before is still there.
    Interrupted : on Ctrl-C, once a claim has been checked.

    Examples
    --------
    >>> import randtensor as rt
    >>> from theory_checks import Claim
    >>> n = rt.Scale("n")
    >>> length, sizes = rt.norm(rt.gaussian(n)), [16, 64, 256, 1024]
    >>> report = verify(
    ...     [
    ...         Claim("length", length, predicted=rt.Theta(n**0.5), n=sizes),
    ...         Claim("length, wrongly", length, predicted=rt.O(1), n=sizes, expect="refuted"),
    ...     ],
    ...     rng=0,
    ... )
    >>> report.exit_status, [result.verdict for result in report.results]
    (0, ['consistent', 'refuted'])
    """
    if isinstance(false_refutation, bool) or not 0 < false_refutation < 1:
        raise InputError(f"false_refutation is {false_refutation!r}, expected a probability between 0 and 1")
    _check_time(time_budget, replay)
    workers = Workers.of(jobs)
    if time_budget is not None and not workers.plain_threads:
        raise InputError(
            "time_budget is given together with a store, an executor or a bound on memory, expected one of them: "
            "samples that follow from a clock are not those of another run"
        )
    known = None if workers.store is None else workers.store.traffic
    root = root_sequence(rng)
    vectors = checked_inputs(inputs)
    start = time.perf_counter()
    loaded = load_claims(target, SuiteOptions(quick=quick, inputs=vectors))
    everything = [claim for part in loaded for claim in part.claims]
    chosen = {id(claim) for claim in select(everything, only)}
    plan = [(part.name, claim, part.budget) for part in loaded for claim in part.claims if id(claim) in chosen]
    counts = [reduced_counts(claim, budget * factor) for _, claim, factor in plan]
    claims = [with_samples(claim, count) for (_, claim, _), count in zip(plan, counts, strict=True)]
    names, looks = [name for name, _, _ in plan], [1] * len(claims)
    total = sum(map(assertions, everything))
    if replay is not None:
        if isinstance(replay, str | os.PathLike):
            replay = read_json(replay, f"replay {replay}")
        given = {"seed": _seed(root), "budget": float(budget), "quick": bool(quick), "inputs": plain(vectors)}
        again, counted = replayed(claims, replay)
        _check_replay(replay, {**given, "false_refutation": false_refutation}, total)
        kept = [i for i, claim in enumerate(again) if claim is not None]
        claims = [claim for claim in again if claim is not None]
        names, looks = [names[i] for i in kept], [counted[i] for i in kept]
    # split over all claims of the target, not only those chosen: `only` must not change an interval
    levels = [false_refutation * max(assertions(claim), 1) / max(total, 1) for claim in claims]
    finished: dict[int, Result] = {}

    def report(interrupted: bool = False) -> Report:
        done, spent = spend([finished[i] for i in sorted(finished)], false_refutation, total)
        return Report(
            targets=tuple(part.name for part in loaded),
            results=done,
            seed=_seed(root),
            error_budget=spent,
            budget=float(budget),
            quick=bool(quick),
            only=() if only is None else (only,) if isinstance(only, str) else tuple(only),
            inputs=vectors,
            seconds=time.perf_counter() - start,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            planned=len(claims),
            time_budget=time_budget,
            interrupted=interrupted,
            origins=tuple(part.to_dict() for part in loaded),
            traffic=None if known is None or workers.store is None else workers.store.traffic - known,
        )

    work = [_work(claim, claim.counts) for claim in claims]
    try:
        with _shown(progress) as shown:
            if time_budget is not None:
                tell = None if shown is None else _clock(shown, names, claims, start, time_budget)
                left = time_budget - (time.perf_counter() - start)
                check_within(claims, left, root=root, levels=levels, finished=finished, jobs=workers.count, tell=tell)
                return report()
            for i, claim in enumerate(claims):
                told = None if shown is None else _teller(shown, names[i], claim, i, work)
                if told is not None:
                    told(0, sum(claim.counts))
                try:
                    found = check(
                        claim, rng=root, jobs=workers, progress=told, false_refutation=levels[i], looks=looks[i]
                    )
                except (StoreError, WorkersError):
                    raise  # it is not the claim that cannot be checked
                except RandtensorError as error:
                    details = {"error": type(error).__name__}
                    options: dict[str, Any] = {"false_refutation": levels[i], "looks": looks[i], "details": details}
                    found = without_samples(claim, str(error), seed=claim_root(claim, root), **options)
                finished[i] = found
            return report()
    except KeyboardInterrupt:
        if not finished:
            raise
        raise Interrupted(report(interrupted=True)) from None


def _shown(
    progress: Callable[[RunProgress], None] | bool | None,
) -> AbstractContextManager[Callable[[RunProgress], None] | None]:
    """What is to be told of the progress of a run."""
    if isinstance(progress, bool):
        from theory_checks.terminal import progress_bar

        return progress_bar() if progress else nullcontext()
    return nullcontext(progress)


def checked_inputs(inputs: Any) -> Any:
    """Input vectors as an array of shape (vectors, dimension), or None."""
    if inputs is None:
        return None
    try:
        rows = np.array(inputs, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"inputs is {inputs!r}, expected rows of real numbers") from None
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"inputs has shape {rows.shape}, expected rows of at least one number each")
    if not np.all(np.isfinite(rows)):
        raise InputError("inputs has entries that are not finite, expected finite numbers")
    return rows


def _work(claim: Claim, counts: Iterable[int]) -> float:
    """Rough cost of a claim: blocks are of similar cost, until a single sample outgrows one."""
    total = 0.0
    for count, sizes in zip(counts, claim.sizes, strict=True):
        blocks = math.ceil(count / claim.quantity.block_length(sizes))
        total += blocks * max(1.0, max(sizes.values(), default=1) / _WIDE)
    return total


def _teller(
    progress: Callable[[RunProgress], None], name: str, claim: Claim, index: int, work: list[float]
) -> Callable[[int, int], None]:
    before, total = sum(work[:index]), math.fsum(work)

    def tell(done: int, samples: int) -> None:
        fraction = (before + work[index] * done / samples) / total
        progress(RunProgress(name, claim, index + 1, len(work), done, samples, min(fraction, 1.0)))

    return tell


def _clock(
    progress: Callable[[RunProgress], None],
    names: Sequence[str],
    claims: Sequence[Claim],
    start: float,
    seconds: float,
) -> Callable[[int, int, int], None]:
    """Progress by the time that has passed."""

    def tell(index: int, done: int, samples: int) -> None:
        fraction = min((time.perf_counter() - start) / seconds, 1.0)
        progress(RunProgress(names[index], claims[index], index + 1, len(claims), done, samples, fraction))

    return tell


def _check_time(time_budget: Any, replay: Any) -> None:
    if time_budget is None:
        return
    if isinstance(time_budget, bool) or not isinstance(time_budget, int | float) or not 0 < time_budget < math.inf:
        raise InputError(f"time_budget is {time_budget!r}, expected a positive number of seconds")
    if replay is not None:
        raise InputError("time_budget and replay are both given, expected at most one of them")


def _check_replay(record: Any, options: Mapping[str, Any], total: int) -> None:
    """Samples drawn at another seed, or verdicts at other levels, would not be those of the run."""
    argument = {"seed": "rng"}
    for name, value in options.items():
        if name in record and record[name] != value:
            raise InputError(
                f"{argument.get(name, name)} is {value!r}, but the run to replay had {record[name]!r}, "
                "expected the options of that run"
            )
    spent = record.get("error_budget", {})
    if not isinstance(spent, Mapping):
        raise InputError(f"replay has the error budget {spent!r}, expected the results of a run")
    counted = spent.get("assertions", total)
    if counted != total:
        raise InputError(
            f"target has {total} assertions, but the run to replay split its levels over {counted}, "
            "expected the same target: choose among its claims with only="
        )


def _seed(root: np.random.SeedSequence) -> Any:
    """The entropy as something ``rng=`` takes again; a list if it was drawn from a generator."""
    entropy: Any = root.entropy
    if root.spawn_key:
        return {"entropy": plain(entropy), "spawn_key": list(root.spawn_key)}
    return int(entropy) if isinstance(entropy, int | np.integer) else [int(word) for word in entropy]
