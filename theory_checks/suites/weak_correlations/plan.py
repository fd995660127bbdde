"""Networks, inputs and sample sizes shared by the claims."""

from __future__ import annotations

from typing import Any

import numpy as np

import randtensor as rt
from randtensor.exact import OneHiddenLayer
from theory_checks.suites import SuiteOptions

__all__ = ["DERIVED", "DYER", "SOURCE", "Plan", "n", "relative_difference"]

SOURCE = "Shem-Ur & Oz 2024, arXiv 2401.04013"
DYER = "Dyer & Gur-Ari 2019, arXiv 1909.11304"
DERIVED = "derived; one-hidden-layer law"

n = rt.Scale("n")


class Plan:
    """Networks, inputs and sample sizes shared by the claims."""

    def __init__(self, options: SuiteOptions) -> None:
        self.quick = options.quick
        if options.inputs is None:
            # Squared lengths equal the dimension, and the overlap is one half.
            self.x0, self.x1 = np.ones(4), np.array([1.0, 1.0, 1.0, -1.0])
        else:
            if len(options.inputs) < 2:
                raise rt.InputError(f"inputs has {len(options.inputs)} row, expected at least two input vectors")
            self.x0, self.x1 = options.inputs[:2]
            lengths = float(np.linalg.norm(self.x0) * np.linalg.norm(self.x1))
            cosine = float(self.x0 @ self.x1) / lengths if lengths else 0.0
            # The orders are those of a generic pair: parallel or orthogonal inputs have others.
            if not 1e-6 < abs(cosine) < 1 - 1e-6:
                raise rt.InputError(
                    f"inputs has first two rows at cosine {cosine:.3g}, "
                    f"expected two vectors that are neither parallel nor orthogonal"
                )
        self.inputs = len(self.x0)

    def shallow(self, activation: str = "tanh", **options: Any) -> rt.RandomFunction:
        return rt.networks.two_layer(self.inputs, n, activation, **options)

    def deep(self, activation: str = "tanh", parametrization: Any = "ntk") -> rt.RandomFunction:
        return rt.networks.mlp(self.inputs, n, 2, activation, parametrization)

    def correlation(self, f: rt.RandomFunction, free: int, closed: int, **options: Any) -> Any:
        return rt.correlation(f, free, closed, self.x0, self.x1, **options)

    def law(self, activation: str = "tanh", readout: Any = None) -> OneHiddenLayer:
        return OneHiddenLayer(activation, self.x0, self.x1, readout)

    def grid(self, first: int, ratio: int, samples: list[int]) -> dict[str, Any]:
        """Sizes in geometric progression; a quick run leaves out the largest."""
        samples = samples[: max(3, len(samples) - 1)] if self.quick else samples
        return {"n": [first * ratio**k for k in range(len(samples))], "samples": samples}

    @property
    def rich(self) -> dict[str, Any]:
        """For statistics with heavy tails."""
        return self.grid(128, 4, [8192, 4096, 2048, 1024, 512])

    @property
    def wide(self) -> dict[str, Any]:
        """For statistics that vanish on average, whose relative error is that of a variance."""
        return self.grid(128, 4, [4096, 2048, 1024, 512, 256])

    @property
    def short(self) -> dict[str, Any]:
        """For statistics that concentrate."""
        return self.grid(128, 4, [1024, 512, 256, 128, 64])


def relative_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sample by sample."""
    return np.asarray(np.abs(a - b) / np.maximum(np.abs(a), np.abs(b)))
