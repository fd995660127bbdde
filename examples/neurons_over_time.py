"""Draw the neurons of small networks over time, in the plane and on the sphere, for targets with symmetries.

Targets of Hajjar & Chizat 2022 (arXiv 2211.08771) at normal inputs, in closed form: every target is a network.
Run it with ``python examples/neurons_over_time.py docs/images/neurons_plane.svg docs/images/neurons_sphere.svg``.
"""

from __future__ import annotations

import sys

import numpy as np

from randtensor import mean_field as mf

TIMES = np.concatenate([np.linspace(0, 4, 21), np.linspace(5, 20, 11)])


def sum_of_positive_parts(directions: list[list[float]], weights: list[float]) -> mf.Teacher:
    """The target sum_i weights_i max(directions_i . x, 0)."""
    return mf.Teacher(mf.Neurons(np.array(weights) * len(weights), directions))


PLANE = {
    "$|x_1|$": sum_of_positive_parts([[1, 0], [-1, 0]], [1, 1]),
    "$x_1$": sum_of_positive_parts([[1, 0], [-1, 0]], [1, -1]),
    "$|x_1| + x_1$": sum_of_positive_parts([[1, 0]], [2]),
}
SPACE = {
    "$|x_1| + x_2$": sum_of_positive_parts([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], [1, 1, 1, -1]),
    "$|x_1| + |x_2|$": sum_of_positive_parts([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], [1, 1, 1, 1]),
    "$x_1 + x_2$": sum_of_positive_parts([[1, 1, 0], [-1, -1, 0]], [1, -1]),
}


def train(target: mf.Teacher, width: int, seed: int) -> list[mf.Neurons]:
    """The flow of the population risk from independent neurons."""
    start = mf.Initialization(target.dimension).sample(width, rng=seed)
    risk = mf.GaussianRisk(target)
    states = list(mf.GradientFlow(risk, step=0.1).trajectory(start, TIMES))
    print(f"{target.dimension} inputs: risk {float(risk.loss(states[0])):.3f} -> {float(risk.loss(states[-1])):.1e}")
    return states


def main(plane: str, sphere: str) -> None:
    """Train and draw both figures."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    figure, panels = plt.subplots(1, 3, figsize=(9.4, 3.3), layout="constrained")
    for axes, (name, target) in zip(panels, PLANE.items(), strict=True):
        states = train(target, 100, seed=0)
        paths = np.stack([np.abs(state.a)[:, None] * state.b for state in states])
        for j, sign in enumerate(np.sign(states[0].a)):
            color = "C0" if sign > 0 else "C3"
            axes.plot(*paths[:, j].T, lw=0.5, color=color, alpha=0.6, rasterized=True)
            axes.plot(*paths[-1, j], "o", ms=2.5, color=color, rasterized=True)
        axes.set_title(f"target {name}", fontsize=10)
        axes.set_aspect("equal", adjustable="datalim")
        axes.grid(alpha=0.25)
        axes.set_xlabel("$|a_j|\\, b_{j1}$")
    panels[0].set_ylabel("$|a_j|\\, b_{j2}$")
    save(figure, plane)
    figure, panels = plt.subplots(
        1, 3, figsize=(9.4, 3.6), layout="constrained", subplot_kw={"projection": "3d", "computed_zorder": False}
    )
    for axes, (name, target) in zip(panels, SPACE.items(), strict=True):
        states = train(target, 80, seed=1)
        draw_sphere(axes)
        directions = np.stack([state.b / np.linalg.norm(state.b, axis=1, keepdims=True) for state in states])
        mass = np.abs(states[-1].a) * np.linalg.norm(states[-1].b, axis=1)
        for sign, color in ((1, "C0"), (-1, "C3")):
            mine = np.sign(states[0].a) == sign
            for path in np.moveaxis(directions[:, mine], 1, 0):
                axes.plot(*path.T, lw=0.4, color=color, alpha=0.5, rasterized=True)
            axes.scatter(*directions[-1, mine].T, s=4 * mass[mine] + 1, color=color, depthshade=False, rasterized=True)
        axes.set_title(f"target {name}", fontsize=10)
    save(figure, sphere)


def draw_sphere(axes) -> None:
    """The great circles of the coordinate planes."""
    angle = np.linspace(0, 2 * np.pi, 91)
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)])
    for turn in range(3):
        axes.plot(*np.roll(circle, turn, axis=0), lw=0.6, color="0.6")
    axes.set_box_aspect((1, 1, 1), zoom=1.5)
    axes.view_init(elev=24, azim=35)
    axes.set_axis_off()
    for position, name in zip(1.15 * np.eye(3), ("$x_1$", "$x_2$", "$x_3$"), strict=True):
        axes.text(*position, name, fontsize=9, color="0.3")


def save(figure, path: str) -> None:
    """Without a date, so that the same numbers make the same file; paths are pixels, at a quarter of the size."""
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=100)


if __name__ == "__main__":
    main(*(sys.argv[1:3] if len(sys.argv) > 2 else ("neurons_plane.svg", "neurons_sphere.svg")))
