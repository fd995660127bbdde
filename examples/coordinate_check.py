"""How much training changes the activations of a PyTorch module, against its width, in two parametrisations.

Run it with ``python examples/coordinate_check.py docs/images/coordinate_check.svg`` (half a minute on one core).

Left, PyTorch's own initialisation and one learning rate for all: what Adam adds to the second hidden layer grows like
the width. Right, maximal updates (Yang et al. 2022, arXiv 2203.03466, table 3, for Adam): read-out zero at the start,
and learning rates of hidden matrix and read-out divided by the width.
"""

from __future__ import annotations

import sys

import torch

import estimators
import randtensor as rt
from randtensor.interop.torch import random_function

n = rt.Scale("n")
WIDTHS = [64, 128, 256, 512]
X, y = [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0]], [1.0, -1.0]
RATES = {"hidden.weight": 32 * n**-1, "readout.weight": 32 * n**-1}


class Network(torch.nn.Module):
    """Two hidden tanh layers."""

    def __init__(self, width: int, zero: bool) -> None:
        super().__init__()
        self.input, self.hidden = torch.nn.Linear(4, width), torch.nn.Linear(width, width)
        self.first, self.second = torch.nn.Tanh(), torch.nn.Tanh()
        self.readout = torch.nn.Linear(width, 1)
        if zero:
            torch.nn.init.zeros_(self.readout.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.readout(self.second(self.hidden(self.first(self.input(x)))))


def check(zero: bool, **options: object) -> estimators.CoordinateCheck:
    """Three steps of Adam at every width."""
    f = random_function(lambda width: Network(width, zero), scales=n, layers=["first", "second"])
    return estimators.coordinate_check(
        f, WIDTHS, X, y, steps=3, record=[0, 3], optimizer="adam", samples=100, correction=1.0, rng=0, **options
    )


def main(path: str) -> None:
    """Train, print the exponents and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "randtensor"
    found = {
        "PyTorch's own initialisation, one learning rate": check(zero=False, learning_rate=2e-4),
        "maximal updates": check(zero=True, learning_rate=1e-2, rates=RATES),
    }
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained", sharey=True)
    for (title, result), ax in zip(found.items(), axes, strict=True):
        print(title, result, sep="\n")
        result.plot("change", ax)
        ax.set_title(title, fontsize=10, loc="left")
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "coordinate_check.svg")
