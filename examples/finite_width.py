"""Draw how networks of finite width leave the reduced equations: bias 1/m, fluctuations m^-1/2 with their constants.

Target |p_H x| with 10 inputs and dim H = 3, at times 1 and 2; independent neurons, and pairs (a, b), (-a, b).
Run it with ``python examples/finite_width.py docs/images/finite_width.svg`` (about two minutes on one core).
"""

from __future__ import annotations

import sys

import numpy as np

from randtensor import mean_field as mf
from theory_checks.suites.two_layer_symmetries.fluctuations import D, H, limiting_constants, limiting_masses

WIDTHS = (8, 16, 32, 64, 128, 256)
SAMPLES = (4000, 3000, 2000, 1500, 700, 250)
TIMES = (1.0, 2.0)


def main(path: str) -> None:
    """Sample and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.0), layout="constrained")
    limits = [plus for plus, _ in limiting_masses(*TIMES)]
    constants = limiting_constants(*TIMES)
    widths = np.array(WIDTHS, dtype=float)
    for kind, (group, name) in enumerate(((None, "independent"), (mf.SymmetryGroup.balanced(D), "pairs"))):
        found = np.array([measure(group, m, count, limits) for m, count in zip(WIDTHS, SAMPLES, strict=True)])
        for number, time in enumerate(TIMES):
            bias, error, deviation = found[:, number].T
            style = {"color": f"C{number}", "ms": 5, "fillstyle": "full" if kind == 0 else "none"}
            label = f"$t = {time:g}$, {name}"
            left.errorbar(widths, -bias, yerr=2 * error, fmt="o", label=label, **style)
            right.plot(widths, deviation, "o", label=label, **style)
            right.plot(widths, constants[number][kind] / widths**0.5, "-", lw=1, color=f"C{number}")
            rows = ", ".join(f"{a:.2f}({b:.2f})" for a, b in zip(bias * widths, error * widths, strict=True))
            print(f"t = {time:g}, {name}: bias * m = {rows}")
            print(
                f"    sd * m^1/2 = {(deviation * widths**0.5).round(3).tolist()}, limit {constants[number][kind]:.4f}"
            )
    left.plot(widths, 4.0 / widths, "k:", lw=1, label="slope $-1$")
    left.set_title("Bias of the mass of $\\tau^+$ (below its limit)", fontsize=10)
    right.set_title("Its deviation; lines: linear response of the limit", fontsize=10)
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel("width $m$")
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


def measure(group, width: int, count: int, limits: list[float]) -> list[tuple[float, float, float]]:
    """Mean, its error, and deviation of the positive mass less its limit, at each time."""
    rng = np.random.default_rng(width)
    flow = mf.GradientFlow(mf.GaussianRisk(mf.SubspaceNorm(D, H)), step=0.25)
    block, gaps = max(2**16 // width**2, 1), []
    for first in range(0, count, block):
        start = mf.Initialization(D, symmetry=group).sample(width, min(block, count - first), rng=rng)
        states = flow.trajectory(start, TIMES)
        gaps.append([state.masses()[0] - limit for state, limit in zip(states, limits, strict=True)])
    values = np.concatenate(gaps, axis=1)
    deviation = values.std(axis=1, ddof=1)
    return list(zip(values.mean(axis=1), deviation / count**0.5, deviation, strict=True))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "finite_width.svg")
