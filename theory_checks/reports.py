"""The verdicts of a run, and where they are kept."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from theory_checks.budget import ErrorBudget
from theory_checks.rendering.records import RUN_SCHEMA, SCHEMA
from theory_checks.results import Result, plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from estimators.store import Traffic

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
    origins : where the claims of each target came from, see `theory_checks.loading.Loaded.to_dict`.
    traffic : samples that came out of the run store and that went into it; None without one.
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
    origins: tuple[dict[str, Any], ...] = ()
    traffic: Traffic | None = None

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
        """One line: the number of verdicts of each kind, the probability of a false refutation, the time."""
        limit = "" if self.time_budget is None else f" of a time budget of {self.time_budget:g} s"
        return f"{self._verdicts()}; {self.seconds:.0f} s{limit}"

    def _verdicts(self) -> str:
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
        return f"{cut}{', '.join(parts)}; {self.error_budget}; seed {self.seed}"

    def to_dict(self) -> dict[str, Any]:
        """The record of the run, ready for JSON; numbers that are not finite become None.

        The same seed and versions give the same record: what differs from run to run is in `run_dict`. The fields are
        described in ``docs/reports.md``.
        """
        record: dict[str, Any] = plain(
            {
                "schema": SCHEMA,
                "targets": self.targets,
                "origins": self.origins,
                "exit_status": self.exit_status,
                "interrupted": self.interrupted,
                "planned": self.planned,
                "summary": self._verdicts(),
                "seed": self.seed,
                "false_refutation": self.false_refutation,
                "error_budget": self.error_budget.to_dict(),
                "budget": self.budget,
                "time_budget": self.time_budget,
                "quick": self.quick,
                "only": self.only,
                "inputs": None if self.inputs is None else np.asarray(self.inputs).tolist(),
                "versions": {
                    "randtensor": package_version(),
                    "numpy": np.__version__,
                    "scipy": version("scipy"),
                    "python": platform.python_version(),
                },
                "results": [result.to_dict() for result in self.results],
            }
        )
        return record

    def run_dict(self) -> dict[str, Any]:
        """What differs from run to run of the same claims: when, where, how long, and what a store had of it."""
        store = None if self.traffic is None else {"read": self.traffic.read, "kept": self.traffic.kept}
        return {
            "schema": RUN_SCHEMA,
            "created": self.created,
            "platform": platform.platform(),
            "seconds": self.seconds,
            "store": store,
            "claims": {result.claim.label: result.seconds for result in self.results},
        }

    def save(self, directory: str | os.PathLike[str], *, documents: bool = False) -> Path:
        """Write ``results.json`` and ``run.json`` into a directory, which is made if need be.

        Each file is complete or absent: it is written under another name and then renamed.

        Parameters
        ----------
        directory : where to.
        documents : write what is rendered from the record as well: pages, tables, the appendix, and figures, see
            `theory_checks.rendering.render`.

        Returns
        -------
        path : of ``results.json``.

        Raises
        ------
        InputError : the directory cannot be written to, or libraries of the extra ``report`` are missing.
        """
        from theory_checks.rendering.documents import render, write_files

        record = self.to_dict()
        files = {name: _json(content) for name, content in (("run.json", self.run_dict()), ("results.json", record))}
        if documents:
            files |= render(record)
        write_files(directory, files)
        return Path(directory) / "results.json"

    def text(self, width: int = 120) -> str:
        """The table and the summary as plain text of at most ``width`` columns."""
        from theory_checks.tables import plain_text

        return plain_text(self, width)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__  # at a prompt, every field would be pages

    def _repr_html_(self) -> str:
        from theory_checks.rendering.rows import notebook_table

        return notebook_table(self.summary(), self.to_dict()["results"])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from theory_checks.tables import render_report

        yield from render_report(self, options.max_width)


def _json(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()


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
