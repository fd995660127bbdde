"""Draw norms of Gaussian tensors and matrices over their order, against the constants of the limit.

Run it with ``python examples/constants_of_norms.py docs/images/constants_of_norms.svg`` (half a minute).
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

import estimators
import randtensor as rt

n = rt.Scale("n")
G = rt.gaussian(n, n)

#: name, norm, power of n, constant of the limit, sizes, samples
NORMS: tuple[tuple[str, rt.Quantity, float, float, tuple[int, ...], int], ...] = (
    (
        "injective, order 3",
        rt.norm(rt.gaussian(n, n, n), "injective"),
        0.5,
        2.87001,
        (4, 8, 16, 32),
        100,
    ),
    ("operator, matrix", rt.norm(G, "injective"), 0.5, 2.0, (4, 8, 16, 32, 64, 128), 200),
    ("nuclear, matrix", rt.norm(G, "nuclear"), 1.5, 8 / (3 * math.pi), (4, 8, 16, 32, 64, 128), 200),
)


def draw(axes: Any, row: tuple[str, rt.Quantity, float, float, tuple[int, ...], int], color: str) -> None:
    """The mean over its order, and the limit."""
    name, norm, power, limit, sizes, samples = row
    estimates = [estimators.estimate(norm, n=size, samples=samples, rng=0, jobs=1) for size in sizes]
    values = np.array([estimate.value / size**power for estimate, size in zip(estimates, sizes, strict=True)])
    errors = np.array([estimate.error / size**power for estimate, size in zip(estimates, sizes, strict=True)])
    axes.errorbar(sizes, values / limit, yerr=2 * errors / limit, fmt="o-", ms=4, lw=1, color=color, label=name)
    print(f"{name}: {', '.join(f'{v:.4f}({e:.1g})' for v, e in zip(values, errors, strict=True))} to {limit:.4f}")


def main(path: str) -> None:
    """Sample and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for i, row in enumerate(NORMS):
        draw(axes, row, f"C{i}")
    axes.axhline(1.0, color="gray", lw=1, ls="--")
    axes.set_xscale("log", base=2)
    axes.set_xlabel("dimension $n$")
    axes.set_ylabel("mean of the norm over its limit law")
    axes.set_title(r"Over $2.87001\,n^{1/2}$, $2\,n^{1/2}$ and $8/(3\pi)\,n^{3/2}$", fontsize=10)
    axes.grid(alpha=0.25, which="major")
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "constants_of_norms.svg")
