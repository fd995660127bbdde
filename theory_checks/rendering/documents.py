"""The files that are rendered from the record of a run, and how they are written."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from randtensor.errors import InputError, RandtensorError
from theory_checks.rendering.rows import Row

if TYPE_CHECKING:
    from theory_checks.rendering.figures import Drawings

__all__ = ["FORMATS", "available_formats", "render", "write_files"]

_EXTRA = ("jinja2", "latex2mathml", "matplotlib", "pylatexenc")


def available_formats() -> tuple[str, ...]:
    """Those of `FORMATS` whose libraries are installed: all of them with the extra ``report``."""
    return tuple(name for name in FORMATS if name in _LIGHT or not _missing())


def render(record: Mapping[str, Any], formats: Iterable[str] | None = None) -> dict[str, bytes]:
    """The contents of all files that are made from a record, by their names.

    The same record and versions give the same bytes.

    Parameters
    ----------
    record : see `read_record`.
    formats : "markdown", "csv", "junit", "html", "latex"; default: all.

    Raises
    ------
    InputError : a format that is not known, or whose libraries are not installed; a record with damaged details.
    """
    chosen = list(FORMATS) if formats is None else list(formats)
    for name in chosen:
        if name not in FORMATS:
            raise InputError(f"formats has {name!r}, expected {', '.join(FORMATS)}")
        if name not in _LIGHT and (missing := _missing()):
            raise InputError(f"{', '.join(missing)} is needed for {name}: pip install 'randtensor[report]'")
    from theory_checks.rendering.figures import Drawings

    files: dict[str, bytes] = {}
    drawings = Drawings(record)
    for name in chosen:
        try:
            files |= FORMATS[name](record, drawings)
        except RandtensorError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # fits and quantiles among the details of an entry are described by no schema
            raise InputError(
                f"record cannot be rendered as {name} ({type(error).__name__}: {error}), "
                "expected entries whose details are those that verify writes"
            ) from error
    return files


def write_files(directory: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """Write files into a directory, which is made if need be; each is complete or absent.

    Raises
    ------
    InputError : the directory cannot be written to.
    """
    folder = Path(directory)
    try:
        for name, content in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.stem}-", suffix=place.suffix)
            try:
                with open(handle, "wb") as file:
                    file.write(content)
                os.chmod(temporary, 0o644)  # mkstemp keeps the file private
                os.replace(temporary, place)
            except BaseException:
                os.unlink(temporary)
                raise
    except OSError as error:
        raise InputError(f"directory {folder} cannot be written to: {error.strerror or error}") from error


def _missing() -> list[str]:
    return [name for name in _EXTRA if find_spec(name) is None]


def _markdown(record: Mapping[str, Any], _: Drawings) -> dict[str, bytes]:
    rows = [Row.of(result) for result in record["results"]]
    titles = [origin["title"] for origin in record["origins"] if origin["title"]]
    lines = [f"# {', '.join(titles) or 'Claims'}", "", f"{record['summary']}.", ""]
    lines += ["| id | claim | predicted | measured | sizes | samples | detects | verdict |", "|" + "---|" * 8]
    for row in rows:
        cells = (row.id, row.claim, row.predicted, row.measured, row.sizes, row.samples, row.detects, row.verdict)
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    lines += ["", "## Reasons", ""]
    for row in rows:
        source = f" ({_cell(row.result['source'])})" if row.result["source"] else ""
        note = f" {_cell(row.result['note'])}" if row.result["note"] else ""
        lines.append(f"- **{_cell(row.label)}**{source}: {row.verdict}: {_cell(row.explanation)}.{note}")
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines += ["", f"Seed {record['seed']}; {versions}."]
    return {"report.md": ("\n".join(lines) + "\n").encode()}


def _cell(text: str) -> str:
    """Text that Markdown shows as it is, on one line of a table."""
    for character in "\\`*_<>|[]":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _csv(record: Mapping[str, Any], _: Drawings) -> dict[str, bytes]:
    scales = sorted({scale for result in record["results"] for sizes in result["sizes"] for scale in sizes})
    fields = ("statistic", "value", "error", "samples", "expected", "score", "kurtosis")
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("id", "name", *scales, *fields))
    for result in record["results"]:
        for measured in result["measurements"]:
            at = [measured["sizes"].get(scale) for scale in scales]
            # repr has every digit, so that the numbers are those of the record
            cells = [repr(cell) if isinstance(cell, float) else cell for cell in map(measured.get, fields)]
            writer.writerow((result["id"], result["name"], *at, *cells))
    return {"measurements.csv": file.getvalue().encode()}


def _junit(record: Mapping[str, Any], _: Drawings) -> dict[str, bytes]:
    """A refuted claim is a failure, an undecided one an error: as the exit status of the run tells them apart."""
    rows = [Row.of(result) for result in record["results"]]
    tones = [row.tone for row in rows]
    counts = {"tests": len(rows), "failures": tones.count("bad"), "errors": tones.count("open"), "skipped": 0}
    name = _xml(", ".join(record["targets"]))
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", {"name": name} | {key: str(count) for key, count in counts.items()})
    for row in rows:
        case = ET.SubElement(suite, "testcase", classname="randtensor", name=_xml(f"{row.label}: {row.predicted}"))
        if row.tone != "good":
            kind = "failure" if row.tone == "bad" else "error"
            ET.SubElement(case, kind, type=row.result["verdict"], message=_xml(row.explanation))
    ET.indent(root)
    return {"junit.xml": ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"}


def _xml(text: str) -> str:
    """Characters that XML cannot hold are left out."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and not 0xD800 <= ord(c) < 0xE000 and c not in "￾￿"))


def _html(record: Mapping[str, Any], drawings: Drawings) -> dict[str, bytes]:
    from theory_checks.rendering.pages import html_page

    return {"report.html": html_page(record, drawings).encode()}


def _latex(record: Mapping[str, Any], drawings: Drawings) -> dict[str, bytes]:
    from theory_checks.rendering.latex import latex_files

    return latex_files(record, drawings)


#: from the record to files
FORMATS: dict[str, Callable[[Mapping[str, Any], Drawings], dict[str, bytes]]] = {
    "markdown": _markdown,
    "csv": _csv,
    "junit": _junit,
    "html": _html,
    "latex": _latex,
}
_LIGHT = ("markdown", "csv", "junit")
