"""The verdicts of a run, and where they are kept."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.errors import InputError
from theory_checks.budget import ErrorBudget
from theory_checks.results import Result, plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Interrupted", "Report", "package_version"]


@dataclass(frozen=True, eq=False)
class Report:
    """The verdicts of a run: the result of `verify`.

    Attributes
    ----------
    targets : names of the suites and files.
    results : one per claim, in their order.
    seed : entropy of the run: ``rng=seed`` gives the same numbers again.
    error_budget : how the probability of refuting any true claim was split.
    budget, quick, only, inputs, time_budget : as given to `verify`.
    seconds : wall time.
    created : when the run ended, in UTC.
    planned : claims that were to be checked.
    interrupted : whether the run was cut short, so that claims are missing or looked at less than planned.
    """

    targets: tuple[str, ...]
    results: tuple[Result, ...]
    seed: Any
    error_budget: ErrorBudget
    budget: float
    quick: bool
    only: tuple[str, ...]
    inputs: Any
    seconds: float
    created: str
    planned: int
    time_budget: float | None = None
    interrupted: bool = False

    @property
    def false_refutation(self) -> float:
        """Probability that the run refutes any claim that is true."""
        return self.error_budget.total

    @property
    def exit_status(self) -> int:
        """0 if every verdict is as expected, 1 if one is the opposite, 3 if none is but one is inconclusive.

        130 if the run was interrupted.
        """
        if self.interrupted:
            return 130
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
        cut = f"interrupted after {len(self.results)} of {self.planned} claims: " if self.interrupted else ""
        limit = "" if self.time_budget is None else f" of a time budget of {self.time_budget:g} s"
        return f"{cut}{', '.join(parts)}; {self.error_budget}; seed {self.seed}; {self.seconds:.0f} s{limit}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; numbers that are not finite become None."""
        record: dict[str, Any] = plain(
            {
                "format": 2,
                "targets": self.targets,
                "exit_status": self.exit_status,
                "interrupted": self.interrupted,
                "planned": self.planned,
                "summary": self.summary(),
                "seed": self.seed,
                "false_refutation": self.false_refutation,
                "error_budget": self.error_budget.to_dict(),
                "budget": self.budget,
                "time_budget": self.time_budget,
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


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run, with the ``report`` on the claims that were checked by then."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.summary())
        self.report = report


def package_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("randtensor")
    except PackageNotFoundError:
        return "unknown (not installed)"
