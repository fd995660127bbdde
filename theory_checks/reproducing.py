"""Running again what a record says was run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from estimators.workers import Jobs
from randtensor.errors import InputError
from theory_checks.loading import Loaded, load_toml_text
from theory_checks.rendering.comparing import Comparison, compare_records
from theory_checks.rendering.records import read_record
from theory_checks.reports import Report
from theory_checks.suites import SuiteOptions, load_suite
from theory_checks.verification import RunProgress, verify

__all__ = ["Reproduction", "reproduce"]


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A run that was made again.

    Attributes
    ----------
    report : the new run.
    comparison : of the record with it.
    notes : sentences about what is not as it was: files that changed.
    """

    report: Report
    comparison: Comparison
    notes: tuple[str, ...]


def reproduce(
    record: Any,
    target: Any = None,
    *,
    jobs: Jobs = None,
    progress: Callable[[RunProgress], None] | None = None,
) -> Reproduction:
    """Draw the samples of a record again, at its seed and options, and compare every number.

    Claims in TOML are taken from the record itself, suites from the library. A Python file has to be given as the
    target: a record is data, and gets no program run, neither one in it nor one that it names.

    Parameters
    ----------
    record : path of a ``results.json``, or what is in it.
    target : where the claims are, as for `verify`, if not in the record or the library.
    jobs, progress : see `verify`.

    Raises
    ------
    InputError : something else than a record, or claims that are not to be found, or not as they were.

    Examples
    --------
    >>> import randtensor as rt
    >>> from theory_checks import Claim
    >>> n = rt.Scale("n")
    >>> claim = Claim("length", rt.norm(rt.gaussian(n)), predicted=rt.Theta(n**0.5), n=[8, 32, 128])
    >>> found = reproduce(verify(claim, rng=3).to_dict(), claim)
    >>> found.comparison.summary().split(";")[0], found.comparison.reproduced
    ('all verdicts agree', True)
    """
    record = read_record(record)
    options = SuiteOptions(quick=record["quick"])
    notes: list[str] = []
    if target is None:
        target = [_origin(origin, options, notes) for origin in record["origins"]]
    else:
        notes += _changes(target, record["origins"])
    labels = [result["id"] or result["name"] for result in record["results"]]
    report = verify(
        target,
        rng=_seed(record["seed"]),
        jobs=jobs,
        budget=record["budget"],
        only=labels if record["interrupted"] else record["only"] or None,
        quick=record["quick"],
        inputs=record["inputs"],
        false_refutation=record["false_refutation"],
        replay=record,
        progress=progress,
    )
    return Reproduction(report, compare_records(_sampled(record), report.to_dict()), tuple(notes))


def _sampled(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without claims that it did not sample: there is nothing of them to draw again."""
    return {**record, "results": [result for result in record["results"] if any(result["samples"])]}


def _origin(origin: Mapping[str, Any], options: SuiteOptions, notes: list[str]) -> str | Loaded:
    name, kind = str(origin["name"]), origin["kind"]
    if kind == "suite":
        load_suite(name)  # refuses whatever is none: a record must not have a file run under this name
        return name
    if kind != "file":
        raise InputError(
            "record is of claims that were given in Python, of which it does not know how to make them again, "
            "expected target=: those claims, or a file of them"
        )
    if origin.get("text") is None:
        raise InputError(
            f"record is of the program {name}, and a record gets no program run, "
            f"expected it as a target: randtensor reproduce RESULTS.json {name}"
        )
    if _checksum(name) not in (None, origin.get("sha256")):
        notes.append(f"{name} has changed since: its text in the record was used")
    return load_toml_text(origin["text"], name, options)


def _checksum(name: Any) -> str | None:
    """Of a file; None of what is none, or cannot be read."""
    try:
        return hashlib.sha256(Path(name).read_bytes()).hexdigest()
    except (OSError, TypeError, ValueError):
        return None


def _changes(target: Any, origins: Iterable[Mapping[str, Any]]) -> list[str]:
    """Sentences about files among the targets that the record has with another checksum."""
    then = {Path(str(origin["name"])).name: origin.get("sha256") for origin in origins if origin["kind"] == "file"}
    targets = target if isinstance(target, list | tuple) else [target]
    now = {Path(each).name: _checksum(each) for each in targets if isinstance(each, str | os.PathLike)}
    changed = [name for name, checksum in now.items() if checksum is not None and then.get(name, checksum) != checksum]
    return [f"{name} has changed since the run" for name in changed]


def _seed(seed: Any) -> Any:
    try:
        if isinstance(seed, Mapping):
            return np.random.SeedSequence(seed["entropy"], spawn_key=tuple(seed["spawn_key"]))
        return np.random.SeedSequence(list(seed)) if isinstance(seed, Iterable) else seed
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"record has the seed {seed!r}, expected that of a run") from error
