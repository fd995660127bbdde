"""Dense random tensors against the floor: the time to draw their normal numbers, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks._measure import interleaved
from benchmarks._section import Section, Target

__all__ = ["measure"]

#: Equation, size n, samples.
SUBJECTS = (
    ("abc,abc->", 40, 256),
    ("abc,abd,efd,efc->", 40, 256),
    ("ab,cb,cd,ad->", 256, 64),
    ("abc,ade,fbe,fdc->", 12, 1024),
)

#: The most that sampling and contracting may cost, in units of drawing.
_LIMIT = 1.3


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    import estimators
    import randtensor as rt

    n, jobs = rt.Scale("n"), os.cpu_count() or 1
    rows, targets = [], []
    for equation, size, samples in SUBJECTS:
        report(equation)
        order = equation.index(",")
        tensor = rt.gaussian(*[n] * order)
        quantity = rt.einsum(equation, *[tensor] * (equation.count(",") + 1))
        block = quantity.block_length({"n": size})

        def draw(share: int, seed: int, block: int = block, size: int = size, order: int = order) -> None:
            generator = np.random.Generator(np.random.SFC64(seed))
            for _ in range(share // block):
                generator.standard_normal((block, *[size] * order))

        def floor(seed: int, samples: int = samples, draw: Any = draw) -> None:
            with ThreadPoolExecutor(jobs) as pool:
                list(pool.map(draw, [samples // jobs] * jobs, range(seed * jobs, (seed + 1) * jobs)))

        def sample(seed: int, quantity: Any = quantity, size: int = size, samples: int = samples) -> None:
            estimators.estimate(quantity, size, statistic="mean", samples=samples, rng=seed, jobs=jobs)

        found = interleaved({"floor": floor, "sample": sample}, {"floor": samples, "sample": samples}, seconds=4.0)
        ratio = found["sample"].minimum / found["floor"].minimum
        rows.append((f"{equation} at n = {size}", str(found["floor"]), str(found["sample"]), f"{ratio:.2f}"))
        targets.append(Target(f"{equation} at n = {size}, over the floor", ratio, _LIMIT))
    for size in (100, 200):
        report(f"injective norm at n = {size}")
        norm = rt.norm(rt.gaussian(n, n, n), "injective")
        found = interleaved(
            {"one": lambda seed, size=size, norm=norm: norm.sample(size, rng=seed)}, {"one": 1}, least=3
        )
        rows.append((f"injective norm at n = {size}, one core", "", str(found["one"]), ""))
    return Section(
        name="tensors",
        headers=("contraction", "drawing the normals", "sampling and contracting", "ratio"),
        rows=tuple(rows),
        targets=tuple(targets),
        notes=(
            "Time per sample on all cores. The floor draws the same numbers in blocks of the same length on the same "
            "number of threads and does nothing with them.",
        ),
    )
