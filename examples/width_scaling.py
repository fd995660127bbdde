"""Draw the derivative correlations of a wide network from width 2^8 to 2^20, against their predicted orders.

Run it with ``python examples/width_scaling.py docs/images/width_scaling.svg`` (about a minute on two cores).
"""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np

import estimators
import randtensor as rt

n = rt.Scale("n")
WIDTHS = [2**8, 2**11, 2**14, 2**17, 2**20]
SAMPLES = [2048, 1024, 256, 64, 16]


def main(path: str) -> None:
    """Measure and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    f = rt.networks.mlp(inputs=4, width=n, hidden_layers=2, activation="tanh")
    x0, x1 = np.ones(4), np.array([1.0, 1.0, 1.0, -1.0])
    curves = [
        (r"$C^{0,1}$  tangent kernel", rt.correlation(f, 0, 1, x0, x1), rt.Scale("n") ** 0, "C7"),
        (r"$|C^{1,1}|$", rt.norm(rt.correlation(f, 1, 1, x0, x1)), n ** Fraction(-1, 2), "C0"),
        (r"$C^{0,2}$", rt.correlation(f, 0, 2, x0, x1), n**-1, "C1"),
        (r"$C^{0,3}$", rt.correlation(f, 0, 3, x0, x1), n**-1, "C2"),
        (r"$C^{0,4}$", rt.correlation(f, 0, 4, x0, x1), n**-2, "C3"),
    ]
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for name, quantity, order, color in curves:
        scaling = estimators.scaling(quantity, statistic="rms", n=WIDTHS, samples=SAMPLES, correction=1.0, rng=0)
        low, high = scaling.interval(0.95)
        label = f"{name}:  $n^{{{scaling.exponent:.3f}}}$  [{low:.3f}, {high:.3f}]"
        axes.errorbar(WIDTHS, scaling.values, yerr=2 * scaling.errors, fmt="o", ms=4, color=color, label=label)
        line = np.array([order.evaluate({"n": width}) if order.scales else 1.0 for width in WIDTHS])
        axes.plot(WIDTHS, line * scaling.values[0] / line[0], "-", lw=1, color=color, alpha=0.6)
        print(f"{name}: exponent {scaling.exponent:.4f}, 95 % interval [{low:.4f}, {high:.4f}]")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("width $n$ of both hidden layers")
    axes.set_ylabel("root mean square over initialisations")
    axes.set_title("Derivative correlations of a tanh network; lines have the predicted slopes", fontsize=10)
    axes.grid(alpha=0.25, which="major")
    axes.legend(fontsize=8, frameon=False, loc="lower left")
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "width_scaling.svg")
