"""Commands about files: a claim file to start from, and what can be done with the record of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from randtensor.errors import InputError
from theory_checks.store_commands import is_store, opened_workers, show_store, worker_options
from theory_checks.terminal import check_writable, complain, console, progress_bar, waiting

__all__ = ["COMMANDS", "write_documents"]


#: what stands for the record in a directory that a run was saved to
_RECORD = "results.json"


def _record_file(path: Path) -> Path:
    """The record that is meant by a path: a directory stands for the one in it."""
    if not path.is_dir():
        return path
    if not (path / _RECORD).is_file():
        raise InputError(f"record is {path}, a directory without {_RECORD}, expected the results of a run")
    return path / _RECORD


@click.command()
@click.argument("kind", type=click.Choice(["appendix"]))
@click.argument("file", type=click.Path(path_type=Path), default=Path("appendix.toml"), metavar="[FILE.toml]")
def new(kind: str, file: Path) -> None:
    """Write a commented file of claims to start from: randtensor new appendix [FILE.toml]."""
    from theory_checks.claim_files import template

    if file.suffix.lower() != ".toml":
        raise InputError(f"file is {file}, expected a name that ends with .toml")
    try:
        with open(file, "x", encoding="utf-8") as opened:
            opened.write(template())
    except FileExistsError:
        raise InputError(f"{file} exists already and was left as it is, expected another name") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror or error}") from None
    click.echo(f"written: {file}; check it with: randtensor verify {file} --out {file.stem}")


@click.command()
@click.argument("record", type=click.Path(path_type=Path), metavar="RESULTS.json|DIR|STORE.sqlite")
@click.option("--verbose", "-v", is_flag=True, help="The reason of every verdict, and the numbers at every size.")
def show(record: Path, verbose: bool) -> None:
    """Show the results of a run, as the table that verify printed, or what a run store holds, without changing it.

    Of a store, "now" is "yes" where this installation, on this kind of processor, would draw the same bits.
    """
    if is_store(record):
        show_store(record)
        return
    from theory_checks.rendering import read_record
    from theory_checks.tables import render_details, render_record

    found, screen = read_record(_record_file(record)), console()
    for part in render_record(found, screen.width):
        screen.print(part)
    if verbose:
        for part in render_details(found):
            screen.print(part)


@click.command()
@click.argument("record", type=click.Path(path_type=Path), metavar="RESULTS.json|DIR")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Directory [default: that of the file]."
)
def report(record: Path, out: Path | None) -> None:
    """Render the results of a run: report.html, appendix.tex with figures, report.md, CSV and JUnit XML."""
    from theory_checks.rendering import read_record

    record = _record_file(record)
    place = record.parent if out is None else out
    check_writable(place)
    write_documents(read_record(record), place)


@click.command()
@click.argument("first", type=click.Path(path_type=Path), metavar="A.json|DIR")
@click.argument("second", type=click.Path(path_type=Path), metavar="B.json|DIR")
@click.pass_context
def diff(context: click.Context, first: Path, second: Path) -> None:
    """Compare two runs of the same claims.

    Exit status: 0 the same claims have the same verdicts, 1 they have not, 2 bad input.
    """
    from theory_checks.rendering import compare_records
    from theory_checks.tables import comparison_tables

    found = compare_records(_record_file(first), _record_file(second))
    for part in comparison_tables(found):
        console().print(part)
    context.exit(0 if found.same_verdicts else 1)


@click.command()
@click.argument("record", type=click.Path(path_type=Path), metavar="RESULTS.json|DIR")
@click.argument("targets", nargs=-1, metavar="[SUITE | FILE.toml | FILE.py]...")
@worker_options
@click.pass_context
def reproduce(context: click.Context, /, record: Path, targets: tuple[str, ...], **workplace: Any) -> None:
    """Draw the samples of a run again, and tell which of its numbers agree.

    Claims in TOML are taken from the record, suites from the library; a Python file has to be among the targets.

    Exit status: 0 all numbers agree up to rounding, 1 some do not, 2 bad input.
    """
    from theory_checks.reproducing import reproduce as run
    from theory_checks.tables import comparison_tables

    file = _record_file(record)
    with opened_workers(**workplace) as workers, progress_bar() as progress:
        found = run(file, list(targets) or None, jobs=workers, progress=progress)
    for note in found.notes:
        complain(note)
    for part in comparison_tables(found.comparison):
        console().print(part)
    context.exit(0 if found.comparison.reproduced else 1)


def write_documents(record: Mapping[str, Any], directory: Path) -> None:
    """Write what can be rendered with the libraries that there are, and say what cannot."""
    from theory_checks.rendering.documents import FORMATS, available_formats, render, write_files

    formats = available_formats()
    with waiting(f"rendering {len(record['results'])} claims"):
        files = render(record, formats)
    write_files(directory, files)
    names = [name for name in files if "/" not in name]
    figures = len(files) - len(names)
    click.echo(f"report: {', '.join(names)}{f', and {figures} figures' if figures else ''} in {directory}")
    if len(formats) < len(FORMATS):
        complain("report.html and appendix.tex need more libraries: pip install 'randtensor[report]'")


#: added to the program by `cli`
COMMANDS = (new, show, report, diff, reproduce)
