"""Run stores on the command line: the options of ``verify``, ``show`` and ``gc``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from randtensor.errors import InputError, StoreError, WorkersError
from theory_checks.terminal import console

if TYPE_CHECKING:
    from estimators import Workers

__all__ = ["gc", "is_store", "opened_workers", "show_store", "worker_options"]

_RETRIES = 3  # of a task whose worker is lost
_PATIENCE = 30  # seconds, to reach a scheduler
_MAGIC = b"SQLite format 3\0"
_SUFFIXES = (".sqlite", ".sqlite3", ".db")


_OPTIONS = (
    click.option("--jobs", type=int, default=None, help="Workers [default: the number of processors]."),
    click.option(
        "--executor",
        type=click.Choice(["threads", "processes"]),
        default="threads",
        show_default=True,
        help="What the workers are; it changes no number.",
    ),
    click.option(
        "--scheduler",
        default=None,
        metavar="ADDRESS",
        help="Draw on the cluster of this Dask scheduler instead, such as tcp://host:8786.",
    ),
    click.option(
        "--store",
        type=click.Path(path_type=Path),
        default=None,
        metavar="FILE",
        help="Keep every finished block of samples in this file.",
    ),
    click.option("--resume", is_flag=True, help="Go on with what the store holds; without it, the file must be new."),
    click.option(
        "--memory",
        default=None,
        metavar="SIZE",
        help="Bound on the memory of the program and its threads, such as 4GiB; it changes no number.",
    ),
)


def worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say who draws and where samples are kept; `opened_workers` takes them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextmanager
def opened_workers(
    jobs: int | None = None,
    executor: str = "threads",
    scheduler: str | None = None,
    store: Path | None = None,
    resume: bool = False,
    memory: str | None = None,
) -> Iterator[Workers]:
    """Workers for one run of the program, which ends in the same way on SIGTERM as on Ctrl-C.

    The arguments are the options of `worker_options`.

    Raises
    ------
    InputError : options that do not fit together.
    StoreError : a store that exists and is not to be resumed, or that is none.
    WorkersError : a scheduler that cannot be reached.
    """
    from estimators import RunStore, Workers

    if memory is not None and scheduler is not None:
        raise InputError(
            f"memory is {memory!r}, but it bounds this process alone, and the scheduler is {scheduler}, "
            "expected the limit that its workers were started with: dask worker --memory-limit"
        )
    if resume and store is None:
        raise StoreError("resume is given without a store, expected the file to go on with: --store FILE")
    if store is not None and not resume and (store.exists() or store.is_symlink()):
        raise StoreError(f"store {store} exists, expected a new file, or --resume to go on with what it holds")
    if executor == "processes" and find_spec("cloudpickle") is None:
        raise WorkersError(
            "executor is processes, but the package cloudpickle, which takes networks to them, is not installed: "
            "pip install 'randtensor[cluster]'"
        )
    with ExitStack() as stack:
        stack.enter_context(_terminable())
        kept = None if store is None else stack.enter_context(RunStore(store))
        if scheduler is None:
            yield stack.enter_context(Workers(jobs, executor=executor, store=kept, memory=memory))
        else:
            client = stack.enter_context(_client(scheduler))
            count = jobs or sum(client.ncores().values()) or None
            yield Workers(count, executor=client.get_executor(retries=_RETRIES), store=kept)


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    """A client of a cluster of Dask."""
    try:
        from distributed import Client
    except ImportError as error:
        raise WorkersError(
            "scheduler is given, but the package distributed is not installed: pip install 'randtensor[cluster]'"
        ) from error
    try:
        client = Client(scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkersError(
            f"scheduler {scheduler} cannot be reached ({error}), expected an address such as tcp://host:8786"
        ) from error
    with client:
        yield client


@contextmanager
def _terminable() -> Iterator[None]:
    """What clusters send before they kill is an interruption like that of a user."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_store(file: Path) -> bool:
    """Whether a file is meant as a run store: by what is in it, or else by its name."""
    try:
        with file.open("rb") as opened:
            found = opened.read(len(_MAGIC)) == _MAGIC
    except OSError:
        found = False
    return found or file.suffix.lower() in _SUFFIXES


def show_store(file: Path) -> None:
    """A table of what a run store holds, and whether this installation would draw the same bits."""
    from rich.markup import escape
    from rich.table import Table

    from estimators import RunStore

    with RunStore(file, writable=False) as opened:
        contents = opened.contents()
    table = Table("quantity", "sizes", "seed", "samples", "kB", "now", box=None)
    for stored in contents:
        sizes = ", ".join(f"{name} = {size}" for name, size in stored.sizes.items())
        seed, size = str(stored.seed[0]), f"{stored.bytes / 1000:.0f}"
        cells = (_short(stored.quantity), sizes, _short(seed), str(stored.samples), size)
        table.add_row(*map(escape, cells), "yes" if stored.current else "no")
    console().print(table)
    total, usable = sum(s.samples for s in contents), sum(s.samples for s in contents if s.current)
    click.echo(f"{total} samples in {len(contents)} streams, {usable} of them of this installation")


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.sqlite")
def gc(file: Path) -> None:
    """Remove from a run store what other versions, or another kind of processor, have drawn."""
    from estimators import RunStore

    if not file.exists():
        raise StoreError(f"store {file} does not exist, expected a run store")
    with RunStore(file) as store:
        gone = store.collect()
    click.echo(f"removed {gone} samples")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
