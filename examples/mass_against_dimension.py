"""Draw the masses that networks learn for |p_H x|, against dim H and over time, beside the reduced equations.

The settings of Hajjar & Chizat 2022 (arXiv 2211.08771): 40 inputs, time 10 (left); 30 inputs, dim H = 5 (right).
Run it with ``python examples/mass_against_dimension.py docs/images/mass_against_dimension.svg`` (about two minutes).
"""

from __future__ import annotations

import sys

import numpy as np

from randtensor import mean_field as mf

D, TIME, WIDTH = 40, 10.0, 512
SUBSPACES = (2, 5, 10, 15, 18, 20, 25, 30, 33, 35)
COURSE = (30, 5)
WIDTHS = (32, 128, 512)


def main(path: str) -> None:
    """Integrate and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.0), layout="constrained")
    draw_sweep(left)
    draw_course(right)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


def draw_sweep(axes) -> None:
    """Masses at one time against dim H: the minimiser, the reduced equations, and networks of finite width."""
    rows = []
    for h in SUBSPACES:
        risk = mf.AngleRisk(D, h, degree=64)
        limit = mf.GradientFlow(risk, step=0.1).after(risk.uniform(40), TIME)
        whole = mf.GradientFlow(mf.GaussianRisk(mf.SubspaceNorm(D, h)), step=0.25)
        network = whole.after(mf.Initialization(D).sample(WIDTH, rng=h), TIME)
        rows.append([risk.mass, *map(float, (*limit.masses(), *network.masses()))])
        print("dim H = {}: alpha {:.3f}, reduced {:.3f} and {:.4f}, m = 512 {:.3f} and {:.4f}".format(h, *rows[-1]))
    alpha, plus, minus, network_plus, network_minus = np.array(rows).T
    axes.plot(SUBSPACES, alpha, "k-", lw=1, label=r"$\alpha = 2\sqrt{\pi}\,\Gamma((d_H+1)/2)/\Gamma(d_H/2)$")
    axes.plot(SUBSPACES, plus, "C0o", ms=5, label=r"mass of $\tau^+$, reduced")
    axes.plot(SUBSPACES, network_plus, "C0x", ms=7, label=f"mass of $\\tau^+$, $m = {WIDTH}$")
    axes.plot(SUBSPACES, minus, "C3o", ms=5, label=r"mass of $\tau^-$, reduced")
    axes.plot(SUBSPACES, network_minus, "C3x", ms=7, label=f"mass of $\\tau^-$, $m = {WIDTH}$")
    axes.set_yscale("log")
    axes.set_xlabel(r"$d_H$")
    axes.set_title(f"$d = {D}$, time {TIME:g}", fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False, loc="center right")


def draw_course(axes) -> None:
    """Masses against time: the reduced equations as lines, networks of finite width as dots."""
    d, h = COURSE
    risk = mf.AngleRisk(d, h, degree=64)
    times = np.concatenate([[0.0], np.geomspace(0.1, 100, 121)])
    states = list(mf.GradientFlow(risk, step=0.1).trajectory(risk.uniform(40), times))
    plus, minus = np.array([state.masses() for state in states]).T
    axes.plot(times, plus, "C0-", lw=1.5, label=r"mass of $\tau^+$, reduced")
    axes.plot(times, minus, "C3-", lw=1.5, label=r"mass of $\tau^-$, reduced")
    axes.axhline(risk.mass, color="k", lw=0.8, ls=":", label=r"$\alpha$")
    hit = int(np.argmax(plus > risk.mass))
    print(
        f"d = {d}, dim H = {h}: tau+ passes alpha = {risk.mass:.3f} at time {times[hit]:.2f} and ends at {plus[-1]:.3f}"
    )
    print(f"tau-: {minus.min():.4f} at time {times[minus.argmin()]:.2f}, {minus[-1]:.4f} at the end")
    for state, time in ((states[0], 0), (states[-1], 100)):
        distances = [round(float(distance), 4) for distance in state.position_distances(1)]
        print(f"time {time}: rms angle of tau+ from 0 and of tau- from pi/2 {distances}")
    shown = np.array([0.5, 1, 2, 3, 5, 8, 15, 30])
    for width, marker in zip(WIDTHS, "v^x", strict=True):
        start = mf.Initialization(d).sample(width, rng=7)
        flow = mf.GradientFlow(mf.GaussianRisk(mf.SubspaceNorm(d, h)), step=0.25)
        masses = np.array([state.masses() for state in flow.trajectory(start, shown)])
        for column, color in ((0, "C0"), (1, "C3")):
            axes.plot(shown, masses[:, column], color + marker, ms=4, label=f"$m = {width}$" if not column else None)
    axes.set_xscale("log")
    axes.set_xlim(0.1, 100)
    axes.set_yscale("log")
    axes.set_xlabel("time")
    axes.set_title(f"$d = {d}$, $d_H = {h}$: $\\tau^-$ grows again, across $H$", fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False, loc="center right", bbox_to_anchor=(1.0, 0.45))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "mass_against_dimension.svg")
