"""The progress of a run, in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theory_checks.verification import RunProgress

__all__ = ["progress_bar"]


@contextmanager
def progress_bar() -> Iterator[Callable[[RunProgress], None] | None]:
    """A progress bar on the standard error stream, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    bar = Progress(
        TextColumn("{task.fields[target]} {task.fields[number]}", markup=False),
        TextColumn("{task.fields[claim]}", markup=False, style="bold"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[samples]}", style="dim"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # the work per sample differs between claims by orders of magnitude: look back far
        speed_estimate_period=120.0,
    )
    with bar:
        task = bar.add_task("", total=1.0, target="", number="", claim="loading", samples="")

        def tell(state: RunProgress) -> None:
            bar.update(
                task,
                completed=state.fraction,
                target=Path(state.target).name,
                number=f"{state.index}/{state.claims}",
                claim=state.claim.label[:32],
                samples=f"{state.done}/{state.samples} samples",
            )

        yield tell
