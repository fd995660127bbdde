"""Draw a claw of derivative tensors against the width, for activations with and without a gap to the bound.

Run it with ``python examples/cluster_gaps.py docs/images/cluster_gaps.svg`` (some seconds).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import estimators
import randtensor as rt

n = rt.Scale("n")
WIDTHS = [4, 8, 16, 32, 64, 128]
SAMPLED = {4: 200_000, 8: 100_000, 16: 50_000}


def claw(f: rt.RandomFunction) -> rt.Quantity:
    """The third derivative along three gradients."""
    third, gradient = f.derivative([1.0], order=3), f.derivative([1.0])
    return rt.einsum("abc,a,b,c->", third, gradient, gradient, gradient)


def networks() -> dict[str, rt.RandomFunction]:
    """Linear and ReLU networks with two hidden layers, and tanh with one, where the moments are exact."""
    return {
        "linear, 2 hidden layers": rt.networks.deep_linear(1, n, 2),
        "ReLU, max(z, 0), 2 hidden layers": rt.networks.mlp(1, n, 2, "relu"),
        "tanh, 1 hidden layer": rt.networks.two_layer(1, n, "tanh"),
    }


def draw(axes: Any, name: str, quantity: rt.Quantity, color: str) -> None:
    """Exact means as a line, sampled ones with two of their exact standard errors."""
    mean, variance = quantity.expectation(), quantity.variance()
    exact = np.array([abs(float(mean(width))) for width in WIDTHS])
    axes.plot(WIDTHS, exact, "-", lw=1.2, color=color, label=f"{name}: ${mean.order.latex()}$")
    found, errors = [], []
    for width, samples in SAMPLED.items():
        found.append(abs(estimators.estimate(quantity, n=width, samples=samples, rng=0, jobs=1).value))
        errors.append(2 * (float(variance(width)) / samples) ** 0.5)
    axes.errorbar(list(SAMPLED), found, yerr=errors, fmt="o", ms=4, color=color)
    shown = ", ".join(f"{value:.4g}({error / 2:.1g})" for value, error in zip(found, errors, strict=True))
    print(f"{name}: mean {mean}; sampled {shown}")


def main(path: str) -> None:
    """Compute, sample and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for i, (name, f) in enumerate(networks().items()):
        draw(axes, name, claw(f), f"C{i}")
    start = 3.0
    axes.plot(WIDTHS, [start / width for width in WIDTHS], "--", lw=1, color="gray", label="slope of the bound")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("width $n$")
    axes.set_ylabel(r"$|E\,\partial_{abc} f\,\partial_a f\,\partial_b f\,\partial_c f|$")
    axes.set_title("Lines are exact, dots are sampled", fontsize=10)
    axes.grid(alpha=0.25, which="major")
    axes.legend(fontsize=8, frameon=False, loc="lower left")
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cluster_gaps.svg")
