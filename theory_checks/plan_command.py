"""``randtensor plan``: time and memory of a run, predicted."""

from __future__ import annotations

import os

import click

from theory_checks.terminal import console, waiting

__all__ = ["plan"]


@click.command()
@click.argument("targets", nargs=-1, metavar="[SUITE | FILE.toml | FILE.py]...")
@click.option("--budget", type=float, default=1.0, show_default=True, help="Factor on the number of samples.")
@click.option("--quick", is_flag=True, help="Smaller sizes and fewer samples.")
@click.option("--only", multiple=True, metavar="TEXT", help="Only claims with this id, part of an id or name, or glob.")
@click.option("--jobs", type=int, default=None, help="Workers [default: the number of processors].")
@click.option("--memory", default=None, metavar="SIZE", help="Mark claims of which no block fits, such as into 4GiB.")
def plan(
    targets: tuple[str, ...], budget: float, quick: bool, only: tuple[str, ...], jobs: int | None, memory: str | None
) -> None:
    """Predict how long verify will take, and how much memory, from small samples of every claim.

    It takes well below a second per claim. Exit status: 0, 2 bad input, 3 some blocks do not fit into the memory.
    """
    from rich.markup import escape
    from rich.table import Table

    from estimators.memory import memory_text, parse_memory
    from randtensor.arguments import positive_integer
    from theory_checks.planning import plan as run
    from theory_checks.suites import SUITES

    workers = (os.cpu_count() or 1) if jobs is None else positive_integer("jobs", jobs)
    bound = None if memory is None else parse_memory(memory)
    with waiting("measuring small samples"):
        found = run(list(targets or sorted(SUITES)), budget=budget, quick=quick, only=only or None)
    table = Table("claim", "samples", "seconds at each size", "seconds", "a block", box=None)
    tight = 0
    for part in found.claims:
        fits = bound is None or found.resident + part.memory <= bound
        tight += not fits
        each = ", ".join(
            f"{'/'.join(map(str, sizes.values())) or '-'}: {seconds:.2g}"
            for sizes, seconds in zip(part.claim.sizes, part.seconds, strict=False)
        )
        memory_of_block = memory_text(part.memory) + ("" if fits else " does not fit")
        cells = (part.claim.label, str(sum(part.counts)), part.problem or each, f"{sum(part.seconds):.3g}")
        table.add_row(*map(escape, cells), memory_of_block)
    console().print(table)
    most = found.memory_on(workers if bound is None else 1)
    click.echo(
        f"{len(found.claims)} claims: {time_text(found.seconds)} in one thread, "
        f"{time_text(found.seconds_on(workers))} on {workers} workers; "
        f"{memory_text(most)} of memory at most{'' if bound is None else ', one block at a time'}"
    )
    click.get_current_context().exit(3 if tight else 0)


def time_text(seconds: float) -> str:
    """A time for a reader.

    >>> time_text(42), time_text(5400), time_text(2e5)
    ('42 s', '1.5 h', '2.3 days')
    """
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length or (unit == "h" and seconds >= length):
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"
