"""Drawing many samples in parallel: whole seeded blocks, handed to threads, put back in order.

A block's bits depend on the root seed, the quantity, the sizes and the block's number (see
`randtensor.seeding`), so the way the blocks are dealt out to workers cannot be seen in the result.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor._blas import single_threaded_blas
from randtensor.errors import InputError
from randtensor.quantity import Quantity, Sizes

__all__ = ["Progress", "draw_samples", "positive_integer"]

Progress = Callable[[int, int], None]

_MOST_TASKS = 4096  # per size: enough for balance and for a smooth progress bar, few enough to hold


@dataclass(frozen=True)
class _Task:
    index: int  # which of the requested sizes
    first: int  # blocks first .. last - 1
    last: int
    samples: int  # how many of these are wanted


def draw_samples(
    quantity: Quantity,
    sizes: Sequence[Sizes],
    counts: Sequence[int],
    root: np.random.SeedSequence,
    *,
    jobs: int | None = None,
    block_size: int | None = None,
    progress: Progress | None = None,
    first: Sequence[int] | None = None,
) -> list[NDArray[Any]]:
    """``counts[i]`` samples at ``sizes[i]``, each of shape ``(counts[i], *quantity.shape)``.

    With ``quantity.probes`` > 1 a last axis holds the probes.

    Parameters
    ----------
    quantity : what to sample.
    sizes : integer sizes by scale name; the largest are started first, so that no worker is left with them at
        the end.
    counts : number of samples at each.
    root : root of the random streams.
    jobs : worker threads; default: the number of processors.
    block_size : samples per task, rounded up to whole seeded blocks.  Neither changes a bit of the result.
    progress : called with (samples done, samples in all) as tasks end, in the caller's thread.
    first : number of the first sample wanted at each size; None starts the streams at 0.

    Raises
    ------
    InputError : ``jobs`` or ``block_size`` that is not a positive integer, or samples that are not finite.

    An exception in a sample, and KeyboardInterrupt, cancel what has not started, let running blocks end, and
    go on up.

    Examples
    --------
    >>> import numpy as np
    >>> from randtensor.quantity import Quantity
    >>> class Noise(Quantity):
    ...     scale_names, fingerprint = ("n",), "noise"
    ...     def evaluate(self, draw):
    ...         return draw.generator.standard_normal(draw.batch) / draw.sizes["n"]
    >>> root = np.random.SeedSequence(0)
    >>> one, = draw_samples(Noise(), [{"n": 8}], [100], root, jobs=1)
    >>> many, = draw_samples(Noise(), [{"n": 8}], [300], root, jobs=4, block_size=64)
    >>> bool((many[:100] == one).all())
    True
    """
    workers = (os.cpu_count() or 1) if jobs is None else positive_integer("jobs", jobs)
    skipped = [0] * len(counts) if first is None else list(first)
    tasks = _tasks(quantity, sizes, counts, skipped, block_size)
    total, done = sum(counts), 0
    parts: dict[tuple[int, int], NDArray[Any]] = {}
    stop = threading.Event()

    def run(task: _Task) -> NDArray[Any]:
        blocks = []
        for block in range(task.first, task.last):
            if stop.is_set():
                break
            blocks.append(quantity.sample_block(sizes[task.index], block, root))
        return np.concatenate(blocks) if blocks else np.empty(0)

    with single_threaded_blas():
        if workers == 1 or len(tasks) == 1:
            for task in tasks:
                parts[task.index, task.first] = run(task)
                done += task.samples
                if progress is not None:
                    progress(done, total)
        else:
            pool = ThreadPoolExecutor(min(workers, len(tasks)), thread_name_prefix="randtensor")
            try:
                running: dict[Future[NDArray[Any]], _Task] = {pool.submit(run, task): task for task in tasks}
                pending = set(running)
                while pending:
                    ended, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for future in ended:
                        task = running[future]
                        parts[task.index, task.first] = future.result()
                        done += task.samples
                    if progress is not None:
                        progress(done, total)
            finally:
                # after an exception: running tasks end with their present block, the rest never starts
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
    found = []
    for i, size in enumerate(sizes):
        begin = skipped[i] % quantity.block_length(size)
        found.append(_checked(quantity, size, _joined(parts, i)[begin : begin + counts[i]]))
    return found


def positive_integer(name: str, value: Any) -> int:
    """``value`` as an int, or one sentence about it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name} is {value!r}, expected a positive integer")
    return int(value)


def _tasks(
    quantity: Quantity, sizes: Sequence[Sizes], counts: Sequence[int], skipped: Sequence[int], block_size: int | None
) -> list[_Task]:
    wanted = 1 if block_size is None else positive_integer("block_size", block_size)
    tasks = []
    for index in sorted(range(len(sizes)), key=lambda i: -max(sizes[i].values(), default=1)):
        length = quantity.block_length(sizes[index])
        begin, end = skipped[index], skipped[index] + counts[index]
        start, blocks = begin // length, -(-end // length)
        step = -(-wanted // length) if block_size is not None else -(-(blocks - start) // _MOST_TASKS)
        for first in range(start, blocks, step):
            last = min(first + step, blocks)
            tasks.append(_Task(index, first, last, min(last * length, end) - max(first * length, begin)))
    return tasks


def _joined(parts: dict[tuple[int, int], NDArray[Any]], index: int) -> NDArray[Any]:
    keys = sorted(key for key in parts if key[0] == index)
    return np.concatenate([parts.pop(key) for key in keys])


def _checked(quantity: Quantity, sizes: Sizes, samples: NDArray[Any]) -> NDArray[Any]:
    probes = getattr(quantity, "probes", 1)
    expected = (*quantity.shape, probes) if probes > 1 else tuple(quantity.shape)
    if samples.shape[1:] != expected:
        raise InputError(
            f"{describe(quantity)} gave samples of shape {samples.shape[1:]}, expected its shape {expected}"
        )
    bad = int(samples.size - np.isfinite(samples).sum())
    if bad:
        at = ", ".join(f"{name} = {size}" for name, size in sizes.items())
        raise InputError(
            f"{describe(quantity)} gave {bad} values that are not finite among {samples.size}"
            f"{' at ' + at if at else ''}, expected finite samples"
        )
    return samples


def describe(quantity: Quantity) -> str:
    """The quantity in a few words, for messages and titles."""
    text = quantity.describe()
    return text if len(text) <= 80 else text[:77] + "..."
