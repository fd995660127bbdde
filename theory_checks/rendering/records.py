"""The record of a run, as it is kept in ``results.json``."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from randtensor.errors import InputError
from theory_checks.rendering.rows import Row
from theory_checks.rendering.schema import violation

__all__ = ["RUN_SCHEMA", "SCHEMA", "read_json", "read_record", "reproducing_command"]

#: of ``results.json``: the number grows when a field changes its meaning or goes, not when one is added
SCHEMA = "randtensor/results/3"
#: of ``run.json``, which has what differs from one run to the next of the same claims: the time
RUN_SCHEMA = "randtensor/run/1"


def read_json(source: str | os.PathLike[str], what: str) -> Any:
    """What is in a file, which is called ``what`` in errors.

    Raises
    ------
    InputError : it cannot be read, or is not JSON.
    """
    try:
        return json.loads(Path(source).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{what} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not JSON, expected the results of a run") from error


def read_record(source: Any) -> dict[str, Any]:
    """The record of a run.

    Parameters
    ----------
    source : path of a ``results.json``, or what is in it.

    Raises
    ------
    InputError : a file that cannot be read, or something else than the record of a run.
    """
    what = "record"
    if isinstance(source, str | os.PathLike):
        what = str(source)
        source = read_json(source, what)
    found = source.get("schema") if isinstance(source, Mapping) else None
    if found != SCHEMA:
        older = isinstance(source, Mapping) and "format" in source
        given = f"format {source['format']!r}, of an older version" if older else f"the schema {found!r}"
        raise InputError(f"{what} has {given}, expected {SCHEMA!r}, the results of a run")
    if (problem := violation(source)) is not None:
        raise InputError(f"{what} is damaged: {problem}")
    for entry in source["results"]:
        try:
            Row.of(entry)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            label = entry["id"] or entry["name"]
            raise InputError(
                f"{what} has a damaged entry {label!r} ({type(error).__name__}: {error}), expected the results of a run"
            ) from None
    return dict(source)


def reproducing_command(record: Mapping[str, Any]) -> str:
    """What draws every number of a record again; programs have to be named, see `theory_checks.reproducing`.

    >>> origins = [{"name": "notes/mine.py", "kind": "file"}, {"name": "random-tensors", "kind": "suite"}]
    >>> reproducing_command({"origins": origins})
    'randtensor reproduce results.json mine.py random-tensors'
    >>> reproducing_command({"origins": origins[1:]})
    'randtensor reproduce results.json'
    """
    origins = record["origins"]
    programs = any(origin["kind"] == "file" and origin.get("text") is None for origin in origins)
    named = [shlex.quote(Path(origin["name"]).name) for origin in origins if programs]
    return " ".join(["randtensor reproduce results.json", *named])
