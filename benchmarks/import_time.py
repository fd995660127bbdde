"""How long ``import randtensor`` takes in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from benchmarks._measure import ROOT, Timing
from benchmarks._section import Section, Target

__all__ = ["measure"]

REPEATS = 15


def import_seconds(*modules: str, repeats: int = REPEATS) -> tuple[Timing, ...]:
    """Times of importing each module in fresh interpreters, taken in turn; the first round is not counted."""
    found: dict[str, list[float]] = {module: [] for module in modules}
    for turn in range(repeats + 1):
        for module in modules:
            code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
            done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
            if turn:
                found[module].append(float(done.stdout))
    return tuple(Timing(tuple(found[module])) for module in modules)


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    report("import time")
    library, numpy = import_seconds("randtensor", "numpy")
    return Section(
        name="import-time",
        headers=("import", "time: minimum (median)"),
        rows=(("randtensor", str(library)), ("numpy, which is part of it", str(numpy))),
        targets=(Target("import randtensor, minimum", library.minimum, 0.2, unit=" s"),),
        notes=(f"Over {REPEATS} fresh interpreters each, with the files in the cache of the system.",),
    )
