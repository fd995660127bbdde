"""What a second core gains: the same samples on one thread, on two, and in two processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks._measure import Timing, in_subprocess, interleaved
from benchmarks._section import Section, Target
from benchmarks._subject import cubic

__all__ = ["WIDTHS", "measure"]

WIDTHS = (2**8, 2**12, 2**16, 2**18)

THREADS = 2


def run(width: int, seconds: float) -> list[list[float]]:
    """Seconds per sample on one thread, on two, and in two processes, in turns; run in a process of its own."""
    import estimators

    quantity = cubic()
    samples = max(8 * THREADS, 2**21 // width)

    def sample(jobs: Any, seed: int) -> Any:
        return estimators.estimate(quantity, width, statistic="rms", samples=samples, rng=seed, jobs=jobs)

    with estimators.Workers(THREADS, executor="processes") as processes:
        sample(processes, 0)  # starts them
        calls = {str(jobs): partial(sample, jobs) for jobs in (1, THREADS, processes)}
        found = interleaved(calls, dict.fromkeys(calls, samples), seconds=seconds)
    return [list(found[name].seconds) for name in calls]


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    rows, ratios = [], []
    for width in WIDTHS:
        report(f"threads, width {width}")
        one, two, apart = (Timing(tuple(times)) for times in in_subprocess(run, width=width, seconds=5.0))
        ratios.append(one.minimum / two.minimum)
        gain = f"{one.minimum / apart.minimum:.2f}"
        rows.append((f"2^{width.bit_length() - 1}", str(one), str(two), str(apart), f"{ratios[-1]:.2f}", gain))
    return Section(
        name="threads",
        headers=(
            "width n",
            "one thread",
            "two threads",
            "two processes",
            "times faster, threads",
            "times faster, processes",
        ),
        rows=tuple(rows),
        targets=(Target("times faster with a second thread, worst", min(ratios), 1.7, at_least=True),),
        notes=(f"Time per sample: minimum, and in brackets the median, on {os.cpu_count()} cores; in turns.",),
    )
