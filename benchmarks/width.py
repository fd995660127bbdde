"""Cost per sample as the width grows from 2^10 to 2^20, and the memory of one sample of width a million."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._measure import Timing, in_subprocess, interleaved, peak_memory_of, timed
from benchmarks._section import Section, Target
from benchmarks._subject import cubic

__all__ = ["WIDTHS", "measure"]

WIDTHS = tuple(2**k for k in range(10, 21))

#: The exponent is fitted from here on: below, the interpreter's overhead still shows.
FIT_FROM = 2**14

_GIB = 2**30


def sweep(widths: list[int], seconds: float, allocator_alone: bool) -> list[list[float]]:
    """Seconds per sample on one core, a list per width; run in a process of its own.

    ``allocator_alone`` leaves the C library's memory allocator as it is, which returns every large block at once.
    """
    from randtensor import _blas

    if allocator_alone:
        _blas._keep_freed_memory = lambda: None
    quantity = cubic()
    counts = {str(n): quantity.block_length({"n": n}) for n in widths}

    def call(n: int) -> Callable[[int], Any]:
        return lambda seed: quantity.sample(n, size=counts[str(n)], rng=seed)

    found = interleaved({str(n): call(n) for n in widths}, counts, seconds=seconds, settle=True)
    return [list(found[str(n)].seconds) for n in widths]


def largest() -> dict[str, Any]:
    """Peak memory of the first sample at the largest width, and the times of further ones."""
    quantity = cubic()
    quantity.sample(16, rng=0)
    memory = peak_memory_of(lambda: quantity.sample(WIDTHS[-1], rng=0))
    timing = timed(lambda seed: quantity.sample(WIDTHS[-1], rng=seed))
    return {"memory": memory, "seconds": timing.seconds}


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    report("width, all sizes in turn")
    timings = [Timing(tuple(t)) for t in in_subprocess(sweep, widths=list(WIDTHS), seconds=20.0, allocator_alone=False)]
    few = [2**14, 2**16, 2**18, 2**20]
    report("width, with the default allocator")
    alone = [Timing(tuple(t)) for t in in_subprocess(sweep, widths=few, seconds=5.0, allocator_alone=True)]
    report("width, memory of one sample")
    single = in_subprocess(largest)
    chosen = [(n, t) for n, t in zip(WIDTHS, timings, strict=True) if n >= FIT_FROM]
    slopes = [
        float(np.polyfit(np.log([n for n, _ in chosen]), np.log(seconds), 1)[0])
        for seconds in ([t.minimum for _, t in chosen], [t.median for _, t in chosen])
    ]
    default = dict(zip(few, alone, strict=True))
    rows = tuple(
        (
            f"2^{n.bit_length() - 1}",
            str(timing),
            f"{timing.minimum / n * 1e9:.0f} ns",
            str(default[n]) if n in default else "-",
        )
        for n, timing in zip(WIDTHS, timings, strict=True)
    )
    time = Timing(tuple(single["seconds"]))
    return Section(
        name="width",
        headers=("width n", "time per sample", "per unit of width", "with the default allocator"),
        rows=rows,
        targets=(
            Target("growth exponent from 2^14 to 2^20, of the minima", slopes[0], 1.15),
            Target("growth exponent from 2^14 to 2^20, of the medians", slopes[1], 1.15),
            Target("one sample at 2^20, median time", time.median, 2, unit=" s"),
            Target("one sample at 2^20, peak memory", single["memory"] / _GIB, 2, unit=" GiB"),
        ),
        notes=(
            f"Minimum, and in brackets the median, on one of {os.cpu_count()} cores; the widths are measured in "
            "turn, so that a machine that is busy for a while slows all of them down. The last column leaves the "
            "memory allocator of the C library as it is; the library asks it to keep freed blocks, which "
            "saves page faults.",
        ),
    )
