"""One sample against the floor: drawing the normal numbers it needs, and reading the history once per query.

A revealed matrix answers a query from the rows it holds: the directions met so far and their images. No exact sampler
of this kind does with less than one read of these rows per query and one normal vector per new direction. Both are
counted in a real sample, and then done with nothing else around.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks._measure import in_subprocess, interleaved
from benchmarks._section import Section, Target
from benchmarks._subject import Array, cubic
from randtensor.quantity import Draw
from randtensor.revealed import RevealedGaussian

__all__ = ["WIDTH", "measure"]

WIDTH = 2**18


class CountingGenerator(np.random.Generator):
    """A generator that counts the normal numbers drawn from it."""

    normals = 0

    def standard_normal(self, *args: Any, **kwargs: Any) -> Any:
        result = super().standard_normal(*args, **kwargs)
        self.normals += int(np.size(result))
        return result


def count(width: int) -> tuple[int, list[int]]:
    """Normal numbers drawn in one sample, and the rows of history that each query of the matrix finds."""
    queries: list[int] = []

    def recording(answer: Callable[..., Array]) -> Callable[..., Array]:
        def recorded(matrix: RevealedGaussian, vectors: Array) -> Array:
            right, left = matrix.revealed
            queries.append(2 * (right + left))  # every direction is held with its image
            return answer(matrix, vectors)

        return recorded

    generator = CountingGenerator(np.random.SFC64(0))
    with (
        patch.object(RevealedGaussian, "answer", recording(RevealedGaussian.answer)),
        patch.object(RevealedGaussian, "answer_transposed", recording(RevealedGaussian.answer_transposed)),
        Draw({"n": width}, 1, generator) as draw,
    ):
        cubic().evaluate(draw)
    return generator.normals, queries


def run(width: int) -> dict[str, Any]:
    """Times of a sample, of the draws and of the reads; run in a process of its own."""
    normals, queries = count(width)
    quantity = cubic()
    generator = np.random.Generator(np.random.SFC64(0))
    row, scratch = generator.standard_normal((2, width))
    history = generator.standard_normal((max(queries), width))
    whole, rest = divmod(normals, width)

    def draws(_: int) -> None:
        for _ in range(whole):
            generator.standard_normal(out=scratch)
        generator.standard_normal(rest)

    def reads(_: int) -> None:
        for rows in queries:
            np.dot(history[:rows], row)

    from randtensor._blas import single_threaded_blas

    calls: dict[str, Callable[[int], Any]] = {
        "sample": lambda seed: quantity.sample(width, rng=seed),
        "draws": draws,
        "reads": reads,
    }
    with single_threaded_blas():
        found = interleaved(calls, dict.fromkeys(calls, 1), seconds=10.0, least=10, settle=True)
    times = {name: [timing.minimum, timing.median] for name, timing in found.items()}
    return {"normals": normals, "queries": queries, "times": times}


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    report("floor")
    found = in_subprocess(run, width=WIDTH)
    times = found["times"]
    floors = [times["draws"][i] + times["reads"][i] for i in (0, 1)]
    ratios = [times["sample"][i] / floors[i] for i in (0, 1)]

    def milliseconds(pair: list[float]) -> str:
        return f"{pair[0] * 1e3:.1f} ms ({pair[1] * 1e3:.1f} ms)"

    return Section(
        name="floor",
        headers=("what, at n = 2^18 on one core", "count", "time: minimum (median)"),
        rows=(
            ("normal numbers", f"{found['normals'] / WIDTH:.1f} n", milliseconds(times["draws"])),
            (
                "rows of history read",
                f"{sum(found['queries'])} n in {len(found['queries'])} queries",
                milliseconds(times["reads"]),
            ),
            ("floor: their sum", "", milliseconds(floors)),
            ("one sample", "", milliseconds(times["sample"])),
        ),
        targets=(
            Target("one sample over the floor, by the minima", ratios[0], 2.5),
            Target("one sample over the floor, by the medians", ratios[1], 2.5),
        ),
        notes=(
            "The floor is a strict one: the draws go to one vector that stays in cache, and the history is counted "
            "before each query, without the rows that the query adds. It leaves out every tanh and every "
            "polynomial product.",
        ),
    )
