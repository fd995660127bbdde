"""Against dense sampling: the same quantity in plain NumPy, with every entry of the weights drawn.

Both run through ``estimators.estimate`` on all cores with the same generator, so the difference is the method alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from benchmarks._measure import Timing, in_subprocess, peak_memory_of, timed
from benchmarks._section import Section, Target
from benchmarks._subject import Array, Weights, cubic, cubic_at, rms
from benchmarks.contenders.problem import DIRECTIONAL
from benchmarks.contenders.with_numpy import by_hand
from randtensor.quantity import Draw, Quantity, Sizes

__all__ = ["SAMPLES", "measure"]

#: Width, and samples per call of the dense method.
SAMPLES = {256: 100, 1024: 20, 4096: 4}

_MIB = 2**20


class DenseCubic(Quantity):
    """The quantity with all weights drawn, in plain NumPy; sampled over threads just like the library's own."""

    scale_names = ("n",)

    @property
    def fingerprint(self) -> str:
        return "dense third derivative along the gradient"

    def block_length(self, sizes: Sizes) -> int:
        return 1

    def evaluate(self, draw: Draw) -> Array:
        return np.array([by_hand(Weights.draw(draw.sizes["n"], draw.generator), DIRECTIONAL["third"])])


def run(width: int, dense: bool) -> dict[str, Any]:
    """Times, peak memory and rms at one width; run in a process of its own."""
    import estimators

    quantity, jobs = DenseCubic() if dense else cubic(), os.cpu_count()
    samples = SAMPLES[width] if dense else 100

    def sample(width: int, seed: int) -> Array:
        found = estimators.estimate(
            quantity, width, statistic="rms", samples=samples, rng=seed, jobs=jobs, keep_samples=True
        )
        return cast(Array, found.draws)

    sample(16, 0)
    found: list[Array] = []
    memory = peak_memory_of(lambda: sample(width, 0))
    timing = timed(lambda seed: found.append(sample(width, seed)), samples, seconds=4.0)
    return {"seconds": timing.seconds, "memory": memory, "rms": rms(np.concatenate(found))}


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    rows, deviations, differences = [], [], []
    generator = np.random.default_rng(0)
    for width in SAMPLES:
        report(f"dense, width {width}")
        revealed, dense = in_subprocess(run, width=width, dense=False), in_subprocess(run, width=width, dense=True)
        mine, theirs = Timing(tuple(revealed["seconds"])), Timing(tuple(dense["seconds"]))
        deviations.append(abs(revealed["rms"][0] - dense["rms"][0]) / np.hypot(revealed["rms"][1], dense["rms"][1]))
        if width <= 1024:
            weights = Weights.draw(width, generator)
            value = by_hand(weights, DIRECTIONAL["third"])
            differences.append(abs(cubic_at(weights) - value) / abs(value))
        rows.append(
            (
                str(width),
                str(mine),
                str(theirs),
                f"{theirs.minimum / mine.minimum:.1f}",
                f"{revealed['memory'] / _MIB:.1f}",
                f"{dense['memory'] / _MIB:.1f}",
            )
        )
    return Section(
        name="dense",
        headers=("width", "randtensor", "dense NumPy", "times faster", "MiB, randtensor", "MiB, dense"),
        rows=tuple(rows),
        targets=(
            Target("difference of the rms values, worst", float(max(deviations)), 5, unit=" standard errors"),
            Target("relative difference at equal weights, widths up to 1024", float(max(differences)), 1e-10),
        ),
        notes=(
            "Time per sample: minimum, and in brackets the median. The dense code draws W with the same fast "
            "generator, keeps the gradient as a rank-one matrix and reads W three times.",
        ),
    )
