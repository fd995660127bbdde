"""Where the claims of a run come from: suites by name, files, or claims given as they are."""

from __future__ import annotations

import hashlib
import os
import runpy
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from randtensor.errors import InputError, RandtensorError
from theory_checks.claims import Claim, with_samples
from theory_checks.rendering.records import read_json
from theory_checks.suites import SUITES, SuiteOptions, load_suite

__all__ = ["Loaded", "is_toml", "load_claims", "load_file", "load_toml_text", "replayed", "select"]

_MOST_SAMPLES = 2**32  # at one size, in a record that is replayed

_QUICK_BUDGET = 0.25  # of claims that do not know how to be quick themselves


@dataclass(frozen=True)
class Loaded:
    """Claims from one place, and the factor on their samples.

    ``kind`` is "suite", "file" or "claims"; ``text`` is that of a file.
    """

    name: str
    title: str
    source: str
    claims: tuple[Claim, ...]
    budget: float = 1.0
    kind: str = "claims"
    text: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Where the claims came from, for the record of a run.

        A file is known by its checksum. Of one in TOML the text is kept: it can be read again without running anything.
        """
        record: dict[str, Any] = {"name": self.name, "kind": self.kind, "title": self.title, "source": self.source}
        if self.text is not None:
            record["sha256"] = hashlib.sha256(self.text.encode()).hexdigest()
            record["text"] = self.text if is_toml(self.name) else None
        return record


def load_claims(target: Any, options: SuiteOptions) -> list[Loaded]:
    """All claims a target stands for.

    Parameters
    ----------
    target : name of a suite, path of a file of claims, a claim, what was loaded before, or a list of these.
    options : handed to suites.

    Raises
    ------
    InputError : an unknown suite, a file that cannot be used, no claims, or two claims with the same id.
    """
    targets = list(target) if isinstance(target, Iterable) and not isinstance(target, str | os.PathLike) else [target]
    loaded, given = [], []
    for entry in targets:
        if isinstance(entry, Claim):
            given.append(entry)
        elif isinstance(entry, Loaded):
            loaded.append(entry)
        elif isinstance(entry, str | os.PathLike):
            loaded.append(_load(entry, options))
        else:
            raise InputError(f"target has the entry {entry!r}, expected a Claim, the name of a suite or a file")
    if given:
        loaded.append(Loaded("claims", "", "", tuple(given), _QUICK_BUDGET if options.quick else 1.0))
    labels: set[str] = set()
    for claim in (claim for part in loaded for claim in part.claims):
        if claim.label in labels:
            raise InputError(f"two claims have the id {claim.label!r}, expected ids, or names, that differ")
        labels.add(claim.label)
    if not labels:
        raise InputError("target has no claims, expected at least one")
    return loaded


def _load(target: str | os.PathLike[str], options: SuiteOptions) -> Loaded:
    path = Path(target)
    if isinstance(target, str) and (target in SUITES or not (path.suffix in (".py", ".toml") or path.exists())):
        suite = load_suite(target)
        return Loaded(suite.name, suite.title, suite.source, tuple(suite.claims(options)), kind="suite")
    return load_file(path, options)


def load_file(path: str | os.PathLike[str], options: SuiteOptions | None = None) -> Loaded:
    """The claims of a TOML file, or of a Python file that defines ``claims``.

    These are a list, or a function from `SuiteOptions` to a list; ``TITLE`` and ``SOURCE`` may be defined as well.
    Modules beside the file can be imported from it. Of a TOML file nothing is evaluated, see
    `theory_checks.claim_files`.

    Raises
    ------
    InputError : the file cannot be read, raises an error (the message tells the line), or defines no claims.
    """
    options = options or SuiteOptions()
    path = Path(path)
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise InputError(f"file {path} {what}, expected a file of claims, .toml or .py")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"file {path} cannot be read: {error}") from error
    if is_toml(path):
        return load_toml_text(text, str(path), options)
    with _errors_of(path), _importing_from(path.resolve().parent):
        namespace = runpy.run_path(str(path))
        claims: Any = namespace.get("claims")
        plans_itself = callable(claims)
        if plans_itself:
            claims = claims(options)
        if isinstance(claims, Iterable) and not isinstance(claims, str):
            claims = list(claims)
    if not isinstance(claims, list):
        described = "does not define claims" if claims is None else f"defines claims as {claims!r}"
        raise InputError(f"{path} {described}, expected claims = [Claim(...), ...]")
    for number, claim in enumerate(claims):
        if not isinstance(claim, Claim):
            raise InputError(f"{path}: claims[{number}] is {claim!r}, expected a Claim")
    if not claims:
        raise InputError(f"{path} defines no claims, expected at least one")
    budget = _QUICK_BUDGET if options.quick and not plans_itself else 1.0
    title, source = str(namespace.get("TITLE", path.stem)), str(namespace.get("SOURCE", ""))
    return Loaded(str(path), title, source, tuple(claims), budget, "file", text)


def load_toml_text(text: str, name: str, options: SuiteOptions | None = None) -> Loaded:
    """The claims that a text in TOML defines; ``name`` stands for it in messages and records.

    Raises
    ------
    ClaimFileError : a text that cannot be used; every problem is told with its line.
    """
    from theory_checks.claim_files import read_toml

    found = read_toml(text, name)
    budget = _QUICK_BUDGET if options is not None and options.quick else 1.0
    return Loaded(name, found.title, found.source, found.claims, budget, "file", text)


def is_toml(path: str | os.PathLike[str]) -> bool:
    """Whether a file is read as TOML."""
    return Path(path).suffix.lower() == ".toml"


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Whatever goes wrong in the file becomes one sentence with its line."""
    try:
        yield
    except SyntaxError as error:
        own = error.filename == str(path)
        place = f"{path}, line {error.lineno}" if own else f"{path}, in {error.filename}, line {error.lineno}"
        raise InputError(f"{place}: {error.msg}") from error
    except OSError as error:
        raise InputError(f"{path}{_line(error, path)}: {error.strerror or error}: {error.filename or ''}") from error
    except (Exception, SystemExit) as error:
        message = str(error).strip().split("\n")[0]
        kind = "" if isinstance(error, RandtensorError) else type(error).__name__
        said = ": ".join(part for part in (kind, message) if part)
        raise InputError(f"{path}{_line(error, path)}: {said}") from error


def _line(error: BaseException, path: Path) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


def select(claims: Sequence[Claim], only: str | Iterable[str] | None) -> list[Claim]:
    """Those claims that match one of the patterns, in their order.

    A pattern is an id, the part of ids before a dot, any part of an id or name, or a glob with ``*`` and ``?``: the
    first of these readings under which it matches. Several patterns may be given in one text, separated by commas.
    Letters match in either case.

    Raises
    ------
    InputError : a pattern that matches no claim.
    """
    if only is None:
        return list(claims)
    chosen: set[int] = set()
    for text in [only] if isinstance(only, str) else only:
        # names contain commas, so the whole text is tried first
        found = _matching(claims, text.strip())
        for pattern in [] if found else text.split(","):
            part = _matching(claims, pattern.strip())
            if not part:
                ids = ", ".join(claim.label for claim in claims[:5])
                raise InputError(
                    f"only is {text!r}, but {pattern.strip()!r} matches none of the {len(claims)} claims, "
                    f"expected an id such as {ids}, a part of a name or a glob"
                )
            found |= part
        chosen |= found
    return [claim for i, claim in enumerate(claims) if i in chosen]


def _matching(claims: Sequence[Claim], pattern: str) -> set[int]:
    wanted = pattern.lower()
    if not wanted:
        return set()
    exact = {i for i, claim in enumerate(claims) if claim.label.lower() == wanted}
    if exact:
        return exact
    # "W4" means the family W4.1, W4.2, ... and not W40
    family = {i for i, claim in enumerate(claims) if claim.id.lower().startswith(wanted + ".")}
    if family:
        return family
    if "*" in wanted or "?" in wanted:
        glob = wanted.replace("[", "[[]")
        return {i for i, c in enumerate(claims) if any(fnmatchcase(text.lower(), glob) for text in (c.id, c.name))}
    return {i for i, c in enumerate(claims) if wanted in c.id.lower() or wanted in c.name.lower()}


def _drawn(result: Any) -> tuple[list[int], int]:
    """Samples by size, and looks, of a recorded result."""
    counts, looks = list(result["samples"]), result["looks"]
    if not all(type(count) is int and 0 <= count <= _MOST_SAMPLES for count in counts):
        raise ValueError(f"samples are {counts!r}")
    if type(looks) is not int or looks < 1:
        raise ValueError(f"looks is {looks!r}")
    return counts, looks


def replayed(claims: Sequence[Claim], results: Any) -> tuple[list[Claim | None], list[int]]:
    """The claims with the samples of an earlier run, and over how many looks that run split its levels.

    Parameters
    ----------
    claims : in any order; every one has to be in the results. None stands for one that was not sampled there.
    results : path of a ``results.json``, or what is in it.

    Raises
    ------
    InputError : results that cannot be used, or a claim that is not among them.
    """
    if isinstance(results, str | os.PathLike):
        results = read_json(results, f"replay {results}")
    try:
        found = {result["id"] or result["name"]: _drawn(result) for result in results["results"]}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise InputError("replay has no samples by claim, expected the results of a run") from None
    again: list[Claim | None] = []
    looks = []
    for claim in claims:
        if claim.label not in found:
            raise InputError(f"replay has no results of claim {claim.label!r}, expected the results of the same claims")
        counts, count = found[claim.label]
        again.append(with_samples(claim, counts) if any(counts) else None)
        looks.append(count)
    if all(claim is None for claim in again):
        raise InputError("replay has no samples of any of these claims, expected the results of a run that drew some")
    return again, looks
