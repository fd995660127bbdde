"""What keeping samples costs: a cheap quantity without a store, into an empty one, and out of a full one.

python benchmarks/store.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

import randtensor as rt
from estimators import RunStore, Workers, draw_samples
from estimators.store import environment

SAMPLES, SIZE = 200_000, 64


def seconds(store: RunStore | None) -> float:
    """Time to draw the samples on one thread."""
    g, workers = rt.gaussian(rt.Scale("n")), Workers(1, store=store)
    start = time.perf_counter()
    draw_samples(rt.einsum("a,a->", g, g), [{"n": SIZE}], [SAMPLES], np.random.SeedSequence(0), jobs=workers)
    return time.perf_counter() - start


def main() -> None:
    """Print the times, and the size of the file."""
    environment(), seconds(None)  # what a process does once
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.sqlite"
        print(f"without a store        {seconds(None):.3f} s")
        for what in ("into an empty store", "out of a full store"):
            with RunStore(path) as store:
                print(f"{what:<22} {seconds(store):.3f} s")
        print(f"bytes per sample       {path.stat().st_size / SAMPLES:.1f}")


if __name__ == "__main__":
    main()
