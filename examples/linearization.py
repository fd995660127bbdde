"""Train networks from width 2^8 to 2^17, and draw how far they depart from their linearisation.

Run it with ``python examples/linearization.py docs/images/linearization.svg`` (two minutes on two cores).
"""

from __future__ import annotations

import sys

import numpy as np

import estimators
import randtensor as rt

n = rt.Scale("n")
WIDTHS = [2**8, 2**11, 2**14, 2**17]
SAMPLES = [1024, 256, 64, 16]
RATE, STEPS = 0.5, 20

#: four inputs to train on, and two more to look at
X = np.array([[1, 1, 1, 1], [1, 1, 1, -1], [1.6, -0.8, 0.8, -0.4], [-0.4, 1.6, 0.4, 1.08]])
Y = np.array([1.0, -0.5, 0.5, -1.0])
TEST = np.array([[1.0, -1, 1, -1], [2, 0, 0, 0]])


def main(path: str) -> None:
    """Train, print the exponents and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    f = rt.networks.mlp(inputs=4, width=n, hidden_layers=2, activation="tanh")
    training = estimators.Training(f, X, Y, learning_rate=RATE, steps=STEPS, batch="cyclic", test=TEST)
    names = {
        "linearization_error": (r"$F - F_{\mathrm{lin}}$", "C0"),
        "kernel_change": (r"$\Theta(s) - \Theta(0)$", "C1"),
        "gradient_change": (r"$|\nabla F(s) - \nabla F(0)|$", "C2"),
    }
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in names}
    for width, samples in zip(WIDTHS, SAMPLES, strict=True):
        run = estimators.train(training, n=width, samples=samples, rng=0, observe=list(names))
        for name in names:
            found[name].append(run.summary(name))
        print(f"width {width}: {samples} networks of {STEPS} steps")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
    for name, (label, color) in names.items():
        last = np.array([values[-1] for values, _ in found[name]])
        errors = np.array([spread[-1] for _, spread in found[name]])
        fit = estimators.fit_rate(WIDTHS, last, errors, correction=1.0)
        low, high = fit.interval(0.95)
        print(f"{name}: exponent {fit.exponent:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
        left.errorbar(
            WIDTHS, last, yerr=2 * errors, fmt="o-", ms=4, color=color, label=f"{label}:  $n^{{{fit.exponent:.2f}}}$"
        )
    left.set(xscale="log", yscale="log", xlabel="width $n$", ylabel=f"rms after {STEPS} steps")
    left.set_xscale("log", base=2)
    for width, (values, _) in zip(WIDTHS, found["linearization_error"], strict=True):
        right.plot(run.steps, width * values, label=f"$n = 2^{{{width.bit_length() - 1}}}$")
    right.set(xlabel="step", ylabel=r"$n \times$ rms of $F - F_{\mathrm{lin}}$")
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, frameon=False)
    figure.suptitle("Two hidden tanh layers, inputs visited in turn", fontsize=10)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "linearization.svg")
