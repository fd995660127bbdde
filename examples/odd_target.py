"""Draw how networks of several widths learn an odd target by stochastic gradients, on the curve of infinite width.

The setting of Hajjar & Chizat 2022 (arXiv 2211.08771): d = 60, inputs N(0, I/d), a cubic target, fresh batches of 512.
Run it with ``python examples/odd_target.py docs/images/odd_target.svg`` (about three minutes on one core).
"""

from __future__ import annotations

import sys

import numpy as np

from randtensor import mean_field as mf

D, BATCH, RATE, STEPS, EVERY = 60, 512, 0.01, 10_000, 100
WIDTHS = (10, 50, 128, 1024)
H = np.random.default_rng(42).standard_normal(D)
OPTIMUM = np.sqrt(6 * D / 5) * H / np.linalg.norm(H)


def target(X: np.ndarray) -> np.ndarray:
    """The cubic form of power 2 whose best linear predictor is OPTIMUM."""
    return np.sqrt(2 * D**3 / 15) / np.linalg.norm(H) * (X**3 @ H)


def fresh_batch(step: int) -> mf.EmpiricalRisk:
    """The risk on new inputs."""
    X = np.random.default_rng([1, step]).standard_normal((BATCH, D)) / D**0.5
    return mf.EmpiricalRisk(X, target(X))


def main(path: str) -> None:
    """Train and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.0), layout="constrained")
    steps = np.arange(0, STEPS + 1, EVERY)
    predictor = mf.IsotropicPredictor(1 / D, float(np.linalg.norm(OPTIMUM)), 1 + 1 / D)
    test = np.random.default_rng(2).standard_normal((4000, D)) / D**0.5
    for number, width in enumerate(WIDTHS):
        start = mf.Initialization(D).sample(width, rng=7)
        distances, curved = [], []
        for network in mf.GradientDescent(fresh_batch, RATE).trajectory(start, steps):
            w = network.linear_predictor()
            distances.append(float(np.linalg.norm(w - OPTIMUM)))
            curved.append(float(((network(test) - test @ w) ** 2).mean()))
        left.plot(RATE * steps, distances, lw=1.2, color=f"C{number}", label=f"$m = {width}$")
        right.plot(RATE * steps, curved, lw=1.2, color=f"C{number}", label=f"$m = {width}$")
        peak = int(np.argmax(curved))
        at = ", ".join(f"{distances[step // EVERY]:.3f} at step {step}" for step in (0, 3000, 4000, STEPS))
        print(f"m = {width}: |w - w*| {at}; mean (f - w.x)^2 peaks at {curved[peak]:.1e}, step {steps[peak]}")
    times = RATE * steps
    left.plot(times, predictor.distance_at(times), "k--", lw=1.4, label=r"$m = \infty$, closed form")
    left.plot(times, predictor.bound_at(times), "k:", lw=1.4, label=r"bound $\|w^*\| e^{-vKt/4}$")
    at = ", ".join(f"{float(predictor.distance_at(RATE * step)):.3f} at step {step}" for step in (0, 3000, 4000, STEPS))
    print(f"m = infinity: |w - w*| {at}; bound {float(predictor.bound_at(RATE * STEPS)):.3f} at the end")
    left.set_yscale("log")
    left.set_ylabel(r"$\|w(t) - w^*\|$")
    left.set_title("The linear predictor", fontsize=10)
    right.set_yscale("log")
    right.set_ylabel(r"mean of $(f_m(x) - w_m \cdot x)^2$")
    right.set_title("What is not linear, in one network of each width", fontsize=10)
    for axes in (left, right):
        axes.set_xlabel("time (step size times steps)")
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "odd_target.svg")
