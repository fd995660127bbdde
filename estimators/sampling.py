"""Drawing many samples in parallel: whole seeded blocks, found in a store or handed to workers, put back in order.

A block's bits depend on the root seed, the quantity, the sizes and the block's number (see
`randtensor.seeding`), so the way the blocks are dealt out to workers cannot be seen in the result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.store.runs import RunStore, Stream
from estimators.workers import Jobs, Span, Workers
from randtensor.arguments import positive_integer
from randtensor.errors import InputError, StoreError
from randtensor.quantity import Quantity, Sizes

__all__ = ["Progress", "draw_samples"]

Progress = Callable[[int, int], None]

_log = logging.getLogger(__name__)


def draw_samples(
    quantity: Quantity,
    sizes: Sequence[Sizes],
    counts: Sequence[int],
    root: np.random.SeedSequence,
    *,
    jobs: Jobs = None,
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
    jobs : number of threads (default: that of the processors), an executor, or `Workers`.
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
    workers = Workers.of(jobs)
    skipped = [0] * len(counts) if first is None else list(first)
    lengths = [quantity.block_length(size) for size in sizes]
    ends = [begin + count for begin, count in zip(skipped, counts, strict=True)]
    blocks = [range(b // length, -(-e // length)) for b, e, length in zip(skipped, ends, lengths, strict=True)]
    step = None if block_size is None else positive_integer("block_size", block_size)
    parts: list[dict[int, NDArray[Any]]] = [{} for _ in sizes]
    total, done = sum(counts), 0

    def add(index: int, found: Mapping[int, NDArray[Any]]) -> None:
        nonlocal done
        parts[index].update(found)
        length, begin, end = lengths[index], skipped[index], ends[index]
        done += sum(min((n + 1) * length, end) - max(n * length, begin) for n in found)

    def keep(span: Span, drawn: list[NDArray[Any]]) -> None:
        numbered = dict(zip(range(span.first, span.last), drawn, strict=True))
        if streams is not None:
            streams[span.index].write(numbered)
        add(span.index, numbered)

    def tell() -> None:
        if progress is not None:
            progress(done, total)

    streams = _streams(workers.store, quantity, sizes, root)
    if streams is not None:
        for index, (stream, wanted) in enumerate(zip(streams, blocks, strict=True)):
            add(index, stream.read(wanted.start, wanted.stop))
    order = sorted(range(len(sizes)), key=lambda i: -max(sizes[i].values(), default=1))
    missing = [span for i in order for span in _gaps(i, blocks[i], parts[i])]
    if done:
        tell()
    if missing:
        steps = None if step is None else {i: -(-step // length) for i, length in enumerate(lengths)}
        workers.draw(quantity, sizes, missing, root, keep, tell, steps)
    found = []
    for i, size in enumerate(sizes):
        begin, ordered = skipped[i] % lengths[i], sorted(parts[i])
        samples = np.concatenate([parts[i].pop(number) for number in ordered])
        found.append(_checked(quantity, size, samples[begin : begin + counts[i]]))
    return found


def _streams(
    store: RunStore | None, quantity: Quantity, sizes: Sequence[Sizes], root: np.random.SeedSequence
) -> tuple[Stream, ...] | None:
    """Where the blocks are kept; None if there is no store, or the quantity has no identity to be found again by."""
    if store is None:
        return None
    try:
        return store.streams(quantity, sizes, root)
    except StoreError as error:
        _log.warning("%s: its samples are not kept in %s", error, store.path)
        return None


def _gaps(index: int, wanted: range, there: Mapping[int, Any]) -> list[Span]:
    """The runs of wanted blocks that are not there."""
    known = sorted(there)
    starts, ends = [wanted.start, *(n + 1 for n in known)], [*known, wanted.stop]
    return [Span(index, start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _checked(quantity: Quantity, sizes: Sizes, samples: NDArray[Any]) -> NDArray[Any]:
    probes = getattr(quantity, "probes", 1)
    expected = (*quantity.shape, probes) if probes > 1 else tuple(quantity.shape)
    if quantity.shape_known and samples.shape[1:] != expected:
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
