"""Who draws: threads, processes, or any executor; in which portions; and where the samples are kept.

Blocks are handed out in portions whose length follows from the measured cost of a block at each size, so that a portion
takes about a quarter of a second whether a block takes microseconds or minutes. What travels to another process is the
quantity and block numbers, what comes back are samples; neither grows with the width.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.memory import give_back, parse_memory
from estimators.portions import AHEAD, Portions, Span, shares
from estimators.store.environment import environment
from estimators.store.runs import RunStore
from randtensor._blas import single_threaded_blas
from randtensor.arguments import positive_integer
from randtensor.errors import InputError, WorkersError
from randtensor.quantity import Quantity, Sizes

__all__ = ["Jobs", "Keep", "Span", "Workers"]

_LOST = (BrokenExecutor, CancelledError)
_REPAIRS = 3  # times in a row that processes may be killed before anything is finished


#: called with a span that is done and its blocks
Keep = Callable[[Span, list[NDArray[Any]]], None]


class Workers:
    """Who draws samples: what ``jobs=`` takes beside a number of threads.

    Parameters
    ----------
    count : number of workers; default: the number of processors. With an executor from elsewhere, how many tasks it
        runs at once.
    executor : "threads", "processes", or any `concurrent.futures.Executor`, such as that of an engine for clusters.
        Tasks for other processes are pickled, by cloudpickle where it is installed (the extra ``cluster``), which
        networks, and functions defined in a script, need.
    store : keeps every finished block, and gives those it has; see `RunStore`.
    memory : bound on the memory of this process, in bytes or as a text such as "4GiB"; with threads alone. So many
        blocks are drawn at a time as fit, by what smaller ones are measured to take. Where not even one fits, there is
        an InputError that says how much it needs.

    None of these changes a bit of any result. Processes are started when they are first needed, and end with `close` or
    at the end of a ``with`` block; executors from elsewhere and stores are left open.

    Examples
    --------
    >>> import estimators, randtensor as rt
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> length = rt.norm(rt.gaussian(rt.Scale("n")))
    >>> with ThreadPoolExecutor(2) as pool:
    ...     elsewhere = estimators.estimate(length, 64, rng=0, jobs=Workers(2, executor=pool))
    >>> elsewhere == estimators.estimate(length, 64, rng=0, jobs=1)
    True
    """

    def __init__(
        self,
        count: int | None = None,
        *,
        executor: str | Executor = "threads",
        store: RunStore | None = None,
        memory: int | str | None = None,
    ) -> None:
        if not isinstance(executor, Executor) and executor not in ("threads", "processes"):
            raise InputError(
                f"executor is {executor!r}, expected 'threads', 'processes' or a concurrent.futures.Executor"
            )
        if store is not None and not isinstance(store, RunStore):
            raise InputError(f"store is {store!r}, expected a RunStore")
        self.count = (os.cpu_count() or 1) if count is None else positive_integer("jobs", count)
        self.executor, self.store = executor, store
        self.memory = None if memory is None else parse_memory(memory)
        if memory is not None and executor != "threads":
            raise InputError(
                f"memory is {memory!r}, but it bounds this process alone, and the executor is {executor!r}, "
                "expected threads: workers elsewhere have limits of their own"
            )
        self._processes: Executor | None = None

    @classmethod
    def of(cls, jobs: Jobs) -> Workers:
        """``jobs`` itself, or the workers that it describes.

        >>> Workers.of(3).count
        3
        """
        if isinstance(jobs, Workers):
            return jobs
        return cls(executor=jobs) if isinstance(jobs, Executor) else cls(jobs)

    @property
    def plain_threads(self) -> bool:
        """Whether the work is done by threads of this process alone, nothing is kept, and memory is not bounded."""
        return self.executor == "threads" and self.store is None and self.memory is None

    def close(self) -> None:
        """End the processes that were started."""
        if self._processes is not None:
            self._processes.shutdown(wait=True, cancel_futures=True)
            self._processes = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        memory = "" if self.memory is None else f", memory={self.memory}"
        return f"Workers({self.count}, executor={self.executor!r}, store={self.store!r}{memory})"

    def draw(
        self,
        quantity: Quantity,
        sizes: Sequence[Sizes],
        spans: Sequence[Span],
        root: np.random.SeedSequence,
        keep: Keep,
        tell: Callable[[], None],
        steps: Mapping[int, int] | None = None,
    ) -> None:
        """Draw the blocks of ``spans``, in their order.

        Parameters
        ----------
        quantity, sizes, root : what to sample.
        spans : what is to be drawn; the costliest first, so that no worker is left with it at the end.
        keep : takes each portion as it is done, in this thread; after an exception also what was under way then, but
            for executors from elsewhere.
        tell : called in this thread after portions were kept.
        steps : blocks in a portion, by size; None lets them follow from measured cost.

        Raises
        ------
        InputError : a quantity that cannot be sent to another process, or one of which no block fits into the memory.
        WorkersError : a worker whose software would give other bits, processes that are killed time and again, or an
            executor from elsewhere that is lost.
        """
        share = None if self.memory is None else shares(self.memory, quantity, sizes, spans)
        portions, stop = Portions(list(spans), self.count, steps, share), threading.Event()
        draw = partial(_draw, quantity, sizes, root, stop, tidy=share is not None)
        with single_threaded_blas():
            if self.executor != "threads":
                packed = _packed((quantity, [dict(size) for size in sizes], root))
                self._collect(portions, partial(self._submit, packed), keep, tell, stop)
            elif self.count == 1 or portions.blocks == 1:
                while (span := portions.next()) is not None:
                    seconds, blocks = draw(span)
                    portions.learn(span, seconds)
                    keep(span, blocks)
                    tell()
            else:
                with ThreadPoolExecutor(self.count, thread_name_prefix="randtensor") as pool:
                    self._collect(portions, partial(pool.submit, draw), keep, tell, stop)

    def _submit(self, packed: bytes, span: Span) -> Future[_Done]:
        """Hand a portion to another process."""
        if isinstance(self.executor, Executor):
            return self.executor.submit(_draw_elsewhere, environment(), packed, span)
        if self._processes is None:
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor

            # a copy of a process with threads may hold a lock for ever
            context = multiprocessing.get_context("spawn")
            self._processes = ProcessPoolExecutor(self.count, mp_context=context, initializer=_begin)
        return self._processes.submit(_draw_elsewhere, environment(), packed, span)

    def _collect(
        self, portions: Portions, submit: Submit, keep: Keep, tell: Callable[[], None], stop: threading.Event
    ) -> None:
        """Keep a few portions per worker under way until all are done; those of a pool that broke are run again."""
        running: dict[Future[_Done], Span] = {}
        breaks = 0
        # once a pool of our own broke, all that it had is lost or done at once; of others nothing is known
        patience = 0.0 if isinstance(self.executor, Executor) else None
        try:
            while True:
                broken: Exception | None = None
                while broken is None and len(running) < AHEAD * self.count:
                    if not portions.fits(running.values()) or (span := portions.next()) is None:
                        break
                    try:
                        running[submit(span)] = span
                    except _LOST as error:
                        portions.again(span)
                        broken = error
                if not running and broken is None:
                    return
                ended = (
                    wait(running, return_when=FIRST_COMPLETED) if broken is None else wait(running, timeout=patience)
                ).done
                while ended:
                    future = ended.pop()
                    span = running[future]
                    try:
                        seconds, blocks = future.result()
                    except _LOST as error:
                        portions.again(span)
                        if broken is None:
                            broken = error
                            ended |= wait(running, timeout=patience).done - {future}
                    else:
                        breaks = 0
                        portions.learn(span, seconds)
                        keep(span, blocks)
                    del running[future]
                if broken is not None:
                    breaks += 1
                    self._repair(breaks, broken)
                tell()
        except BaseException:
            # what has not started never does, and what is under way ends with its present block, which is kept
            stop.set()
            under_way = [(future, span) for future, span in running.items() if not future.cancel()]
            for future, span in under_way if not isinstance(self.executor, Executor) else ():
                with suppress(Exception):
                    _, blocks = future.result()
                    keep(Span(span.index, span.first, span.first + len(blocks)), blocks)
            raise

    def _repair(self, breaks: int, error: Exception) -> None:
        """Workers were lost: processes of our own are started again, unless that does not help."""
        if isinstance(self.executor, Executor):
            lost = type(error).__name__
            raise WorkersError(
                f"the executor lost its workers ({lost} {error}), expected it to run all tasks"
            ) from error
        if breaks > _REPAIRS:
            raise WorkersError(
                f"processes that draw samples were killed {breaks} times in a row, "
                "expected enough memory for one block in each: fewer jobs"
            ) from error
        self.close()


Jobs = int | Executor | Workers | None

_Done = tuple[float, list[NDArray[Any]]]  # seconds, blocks

Submit = Callable[[Span], Future[_Done]]


def _draw(
    quantity: Quantity,
    sizes: Sequence[Sizes],
    root: np.random.SeedSequence,
    stop: threading.Event,
    span: Span,
    *,
    tidy: bool = False,
) -> _Done:
    start, blocks = time.perf_counter(), []
    for number in range(span.first, span.last):
        if stop.is_set():
            break
        blocks.append(quantity.sample_block(sizes[span.index], number, root))
    if tidy:
        give_back()
    return time.perf_counter() - start, blocks


def _draw_elsewhere(expected: str, packed: bytes, span: Span) -> _Done:
    """A portion, in a process that may be on another machine."""
    if environment() != expected:
        mine, theirs = (set(text.splitlines()) for text in (environment(), expected))
        raise WorkersError(
            f"a worker has {sorted(mine - theirs)}, expected {sorted(theirs - mine)} as in the process that collects: "
            "other software, or another kind of processor, draws other bits"
        )
    quantity, sizes, root = _unpacked(packed)
    with single_threaded_blas():
        return _draw(quantity, sizes, root, threading.Event(), span)


def _packed(x: Any) -> bytes:
    """``x`` for workers of this run; nothing that is read from a file is ever unpacked."""
    try:
        import cloudpickle as chosen
    except ImportError:
        chosen = pickle
    try:
        data: bytes = chosen.dumps(x)
        return data
    except Exception as error:
        advice = "" if chosen is not pickle else "; networks and functions of a script need the package cloudpickle"
        raise InputError(f"quantity cannot be sent to another process ({error}){advice}") from error


@lru_cache(maxsize=8)
def _unpacked(data: bytes) -> tuple[Quantity, list[Sizes], np.random.SeedSequence]:
    quantity, sizes, root = pickle.loads(data)
    return quantity, sizes, root


def _begin() -> None:
    """In a new process: Ctrl-C is for the one that started it, and without that one there is nothing to do."""
    import multiprocessing
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
