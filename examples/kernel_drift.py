"""Draw how far training moves the tangent kernel, against the width, for symmetric and for skewed read-out weights.

Run it with ``python examples/kernel_drift.py docs/images/kernel_drift.svg`` (about a minute on two cores).
"""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np

import estimators
import randtensor as rt

n = rt.Scale("n")
INPUTS = 2**0.5 * np.array([[1.0, 0.0], [0.5, 0.75**0.5]])
TARGETS = [1.0, -0.5]
WIDTHS = [2**6, 2**8, 2**10, 2**12, 2**14]
SAMPLES = [2400, 1200, 500, 200, 80]


def main(path: str) -> None:
    """Measure and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for name, readout, power, color in (
        ("normal read-out", None, Fraction(-1), "C0"),
        ("exponential read-out", "exponential", Fraction(-1, 2), "C1"),
    ):
        f = rt.networks.two_layer(inputs=2, width=n, activation="softplus", readout=readout)
        run = estimators.Training(f, INPUTS, TARGETS, learning_rate=1.0, flow=True, reduction="sum", tolerance=1e-4)
        drift = estimators.TrainingQuantity(run, "kernel_change", reduce="frobenius")
        # the mean, as the second moment has heavy tails
        scaling = estimators.scaling(drift, statistic="L1", n=WIDTHS, samples=SAMPLES, correction=1.0, rng=0)
        low, high = scaling.interval(0.95)
        label = f"{name}:  $n^{{{scaling.exponent:.3f}}}$  [{low:.3f}, {high:.3f}]"
        axes.errorbar(WIDTHS, scaling.values, yerr=2 * scaling.errors, fmt="o", ms=4, color=color, label=label)
        line = np.array([(n**power).evaluate({"n": width}) for width in WIDTHS])
        axes.plot(WIDTHS, line * scaling.values[-1] / line[-1], "-", lw=1, color=color, alpha=0.6)
        print(f"{name}: exponent {scaling.exponent:.4f}, 95 % interval [{low:.4f}, {high:.4f}]")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("width $n$")
    axes.set_ylabel(r"mean of $\|\Theta_1 - \Theta_0\|_F$ over networks")
    axes.set_title("Change of the tangent kernel in training; lines have the predicted slopes", fontsize=10)
    axes.grid(alpha=0.25, which="major")
    axes.legend(fontsize=8, frameon=False, loc="lower left")
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "kernel_drift.svg")
