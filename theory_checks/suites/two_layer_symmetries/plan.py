"""Scales, data and sample sizes shared by the claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.errors import InputError
from theory_checks.suites import SuiteOptions

__all__ = ["DERIVED", "SOURCE", "Plan", "k", "m"]

SOURCE = "Hajjar & Chizat 2022, arXiv 2211.08771"
DERIVED = f"derived; setting of {SOURCE}"

#: neurons of a network
m = rt.Scale("m")
#: steps per unit of time
k = rt.Scale("k")

_POINTS, _DIMENSION = 20, 5


class Plan:
    """Data and sample sizes.

    ``points`` are the inputs whose orbits networks are trained on: fixed Gaussian ones, or those of ``--inputs``.
    """

    def __init__(self, options: SuiteOptions) -> None:
        self.quick = options.quick
        given = options.inputs
        points = np.random.default_rng(0).standard_normal((_POINTS, _DIMENSION)) if given is None else given[:_POINTS]
        if points.shape[1] < 2:
            raise InputError(f"inputs has {points.shape[1]} column, expected at least two: symmetries act there")
        self.points = points
        self.dimension = int(points.shape[1])

    def counts(self, samples: Sequence[int], fewest: int = 30) -> list[int]:
        """Samples at each size; a quick run takes a third of them."""
        return [max(count // 3, min(count, fewest)) if self.quick else count for count in samples]

    def grid(self, sizes: Sequence[int], samples: Sequence[int]) -> dict[str, Any]:
        """Sizes and samples of a claim."""
        return {"n": list(sizes), "samples": self.counts(samples)}

    def within(self, deviation: float) -> float:
        """The deviation that a claim has to be able to exclude; a quick run asks for less."""
        return 1.8 * deviation if self.quick else deviation
