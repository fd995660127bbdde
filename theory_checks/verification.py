"""A run over many claims, and its report."""

from __future__ import annotations

import json
import math
import os
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.errors import InputError
from randtensor.seeding import Seed, root_sequence
from theory_checks.checks import check, reduced_counts
from theory_checks.claims import Claim
from theory_checks.loading import load_claims, select
from theory_checks.results import Result, plain
from theory_checks.suites import SuiteOptions

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Report", "RunProgress", "package_version", "verify"]

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


@dataclass(frozen=True, eq=False)
class Report:
    """The verdicts of a run: the result of `verify`.

    Attributes
    ----------
    targets : names of the suites and files.
    results : one per claim, in their order.
    seed : entropy of the run: ``rng=seed`` gives the same numbers again.
    false_refutation : probability that the run refutes any claim that is true.
    budget, quick, only, inputs : as given to `verify`.
    seconds : wall time.
    created : when the run ended, in UTC.
    """

    targets: tuple[str, ...]
    results: tuple[Result, ...]
    seed: Any
    false_refutation: float
    budget: float
    quick: bool
    only: tuple[str, ...]
    inputs: Any
    seconds: float
    created: str

    @property
    def exit_status(self) -> int:
        """0 if every verdict is as expected, 1 if one is the opposite, 3 if none is but one is inconclusive."""
        if any(result.bad for result in self.results):
            return 1
        return 0 if all(result.good for result in self.results) else 3

    def summary(self) -> str:
        """One line: the number of verdicts of each kind, and the probability of a false refutation."""
        kinds = Counter((result.claim.expect, result.verdict) for result in self.results)
        parts = [
            f"{kinds['consistent', 'consistent']} consistent",
            f"{kinds['refuted', 'refuted']} refuted as expected",
            f"{kinds['consistent', 'refuted']} refuted",
            f"{kinds['consistent', 'inconclusive'] + kinds['refuted', 'inconclusive']} inconclusive",
        ]
        if missed := kinds["refuted", "consistent"]:
            parts.insert(3, f"{missed} not refuted although false")
        return (
            f"{', '.join(parts)}; false refutation probability of the run {self.false_refutation:g}; "
            f"seed {self.seed}; {self.seconds:.0f} s"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; numbers that are not finite become None."""
        record: dict[str, Any] = plain(
            {
                "format": 1,
                "targets": self.targets,
                "exit_status": self.exit_status,
                "summary": self.summary(),
                "seed": self.seed,
                "false_refutation": self.false_refutation,
                "budget": self.budget,
                "quick": self.quick,
                "only": self.only,
                "inputs": None if self.inputs is None else np.asarray(self.inputs).tolist(),
                "seconds": self.seconds,
                "created": self.created,
                "versions": {
                    "randtensor": package_version(),
                    "numpy": np.__version__,
                    "scipy": version("scipy"),
                    "python": platform.python_version(),
                },
                "platform": platform.platform(),
                "results": [result.to_dict() for result in self.results],
            }
        )
        return record

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write ``results.json`` into a directory, which is made if need be, and return its path.

        The file is complete or absent: it is written under another name and then renamed.

        Raises
        ------
        InputError : the directory cannot be written to.
        """
        folder = Path(directory)
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, prefix=".results-", suffix=".json")
            try:
                with open(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                os.chmod(name, 0o644)  # mkstemp keeps the file private
                os.replace(name, folder / "results.json")
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise InputError(f"directory {folder} cannot be written to: {error.strerror or error}") from error
        return folder / "results.json"

    def text(self, width: int = 120) -> str:
        """The table and the summary as plain text of at most ``width`` columns."""
        from theory_checks.tables import plain_text

        return plain_text(self, width)

    def __str__(self) -> str:
        return self.text()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from theory_checks.tables import render_report

        yield from render_report(self, options.max_width)


def verify(
    target: Any,
    *,
    rng: Seed = None,
    jobs: int | None = None,
    budget: float = 1.0,
    only: str | Iterable[str] | None = None,
    quick: bool = False,
    inputs: Any = None,
    false_refutation: float = 1e-4,
    progress: Callable[[RunProgress], None] | None = None,
) -> Report:
    """Check many claims, one after the other, each in parallel over its samples.

    Parameters
    ----------
    target : name of a suite, path of a Python file that defines ``claims = [...]``, a claim, or a list of these.
    rng : seed. Every claim has its own streams, keyed by its id, so that ``only`` changes no number.
    jobs : worker threads; default: the number of processors. Changes nothing in the results.
    budget : factor on the samples of every claim.
    only : check only claims that match: ids, parts of ids or names, or globs; several, or separated by commas.
    quick : smaller sizes and fewer samples, as the suite decides; a quarter of the samples for claims given otherwise.
    inputs : input vectors as rows, for the suites.
    false_refutation : probability that the run refutes any true claim; split evenly over all claims of the target.
    progress : called with a `RunProgress` as samples are drawn.

    Raises
    ------
    InputError : a target or option that cannot be used.

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
    root = root_sequence(rng)
    vectors = checked_inputs(inputs)
    loaded = load_claims(target, SuiteOptions(quick=quick, inputs=vectors))
    everything = [claim for part in loaded for claim in part.claims]
    chosen = {id(claim) for claim in select(everything, only)}
    plan = [(part.name, claim, part.budget) for part in loaded for claim in part.claims if id(claim) in chosen]
    work = [_work(claim, reduced_counts(claim, budget * factor)) for _, claim, factor in plan]
    start = time.perf_counter()
    results = []
    for index, (name, claim, factor) in enumerate(plan):
        tell = None
        if progress is not None:
            tell = _teller(progress, name, claim, index, work)
            tell(0, sum(reduced_counts(claim, budget * factor)))
        results.append(
            check(
                claim,
                rng=root,
                jobs=jobs,
                budget=budget * factor,
                progress=tell,
                # split over all claims of the target, not only those chosen: `only` must not change an interval
                false_refutation=false_refutation / len(everything),
            )
        )
    return Report(
        targets=tuple(part.name for part in loaded),
        results=tuple(results),
        seed=_seed(root),
        false_refutation=false_refutation,
        budget=float(budget),
        quick=bool(quick),
        only=() if only is None else (only,) if isinstance(only, str) else tuple(only),
        inputs=vectors,
        seconds=time.perf_counter() - start,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


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


def package_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("randtensor")
    except PackageNotFoundError:
        return "unknown (not installed)"


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


def _seed(root: np.random.SeedSequence) -> Any:
    """The entropy as something ``rng=`` takes again; a list if it was drawn from a generator."""
    entropy: Any = root.entropy
    if root.spawn_key:
        return {"entropy": plain(entropy), "spawn_key": list(root.spawn_key)}
    return int(entropy) if isinstance(entropy, int | np.integer) else [int(word) for word in entropy]
