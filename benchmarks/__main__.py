"""Run the benchmarks and rewrite the tables of ``docs/benchmarks.md``.

python -m benchmarks                        all of them, about a quarter of an hour on two cores
python -m benchmarks against-all            everything else that one could use, about seven minutes
python -m benchmarks width floor --dry-run  two of them, only shown
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import click
from rich.console import Console

from benchmarks import (
    against_all,
    against_jax,
    backends,
    dense,
    exact,
    floor,
    import_time,
    spectrum,
    tensors,
    threads,
    training,
    width,
)
from benchmarks._measure import machine
from benchmarks._section import DOCUMENT, Section, write

BENCHMARKS: dict[str, Callable[[Callable[[str], None]], Section | Sequence[Section]]] = {
    "against-all": against_all.measure,
    "against-jax": against_jax.measure,
    "width": width.measure,
    "floor": floor.measure,
    "threads": threads.measure,
    "dense": dense.measure,
    "backends": backends.measure,
    "exact": exact.measure,
    "tensors": tensors.measure,
    "training": training.measure,
    "spectrum": spectrum.measure,
    "import-time": import_time.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(BENCHMARKS)))
@click.option("--dry-run", is_flag=True, help="Show the tables and leave the document as it is.")
def main(names: tuple[str, ...], dry_run: bool) -> None:
    """Measure NAMES, or everything, and write the results to docs/benchmarks.md."""
    console = Console(width=None if Console().is_terminal else 160)
    console.print(machine())
    busy = os.getloadavg()[0]
    if busy > 0.5:
        console.print(f"[yellow]The machine is busy (load {busy:.1f}): the times will be too long.[/yellow]")
    begin, sections, failed = time.perf_counter(), [], {}
    chosen = tuple(dict.fromkeys(names or BENCHMARKS))
    with console.status("starting") as status:
        for name in chosen:
            try:
                found = BENCHMARKS[name](lambda text: status.update(text))
            except Exception as error:  # the others are still worth their time
                failed[name] = f"{type(error).__name__}: {error}"
                console.print(f"{name} failed: {failed[name]}", style="red", markup=False)
                continue
            new = [found] if isinstance(found, Section) else list(found)
            sections += new
            for section in new:
                for table in section.tables():
                    console.print(table)
            if not dry_run:  # at once: what comes later may be stopped
                write(new, load=busy, complete=False)
    if not dry_run:
        if set(chosen) == set(BENCHMARKS) and not failed:
            write(sections, load=busy, complete=True)
        console.print(f"written: {DOCUMENT.relative_to(DOCUMENT.parent.parent)}")
    missed = [target.text for section in sections for target in section.targets if not target.met]
    console.print(f"{time.perf_counter() - begin:.0f} s; targets missed: {len(missed) or 'none'}")
    for text in missed:
        console.print(f"  {text}", style="red")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
