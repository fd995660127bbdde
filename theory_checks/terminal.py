"""What the commands share: errors in one sentence, exit statuses, the console, progress, places to write to."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from randtensor.errors import InputError, RandtensorError
from theory_checks.claim_files.problems import ClaimFileError

if TYPE_CHECKING:
    from rich.console import Console

    from theory_checks.verification import RunProgress

__all__ = ["Program", "check_writable", "complain", "console", "progress_bar", "waiting"]

_BAD_INPUT = 2
_INTERNAL = 70  # EX_SOFTWARE: an error of the program must not look like a refuted claim
_INTERRUPTED = 130


class Program(click.Group):
    """A group whose errors are one sentence on the standard error stream, and whose exit statuses mean something."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            status: Any = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(_BAD_INPUT)
        except click.ClickException as error:
            complain(error.format_message())
            sys.exit(_BAD_INPUT)
        except RandtensorError as error:
            # a file with several problems has a line for each
            for sentence in str(error).split("\n") if isinstance(error, ClaimFileError) else [str(error)]:
                complain(sentence)
            sys.exit(_BAD_INPUT)
        except (KeyboardInterrupt, click.Abort):
            complain("interrupted, no results were written")
            sys.exit(_INTERRUPTED)
        except Exception:
            traceback.print_exc()
            complain("this is an error of the program, not a verdict")
            sys.exit(_INTERNAL)
        if not standalone_mode:
            return status
        sys.exit(status if isinstance(status, int) else 0)


def complain(message: str) -> None:
    """One line on the standard error stream."""
    click.echo(f"randtensor: {' '.join(message.split())}", err=True)


def console() -> Console:
    """Standard output; a pipe has no width, so that a table written to it gets a generous one."""
    from rich.console import Console

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=160 if piped else None, highlight=False)


@contextmanager
def progress_bar() -> Iterator[Callable[[RunProgress], None] | None]:
    """A progress bar on the standard error stream, if that is a terminal, or in a notebook."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
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


def waiting(text: str) -> AbstractContextManager[object]:
    """Tells on the standard error stream what is being done, if that is a terminal."""
    from rich.console import Console

    screen = Console(stderr=True)
    return screen.status(text) if screen.is_terminal else nullcontext()


def check_writable(directory: Path) -> None:
    """Refuse a place for the results before the run, not after it."""
    existing = next(folder for folder in (directory.absolute(), *directory.absolute().parents) if folder.exists())
    if not existing.is_dir():
        raise InputError(f"out is {directory}, but {existing} is a file, expected a directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"out is {directory}, but {existing} cannot be written to")
