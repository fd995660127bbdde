"""Where the limiting tangent kernel is positive definite: for all activations but polynomials (claims GP18)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators.kernels import tangent_kernel
from theory_checks.claims import Claim, Exact
from theory_checks.suites.wide_gaussianity.plan import Plan, n

__all__ = ["positivity", "rank"]

SOURCE = "Carvalho, Lopes Costa, Mourao & Oliveira 2024, arXiv 2404.12928"

#: eigenvalues below this, relative to the largest, are rounding errors
NEGLIGIBLE = 1e-11


def positivity(plan: Plan) -> Iterator[Claim]:
    """Ranks of the limiting tangent kernel of one hidden layer with biases."""
    line, plane = np.linspace(-2, 2, 8)[:, None], np.random.default_rng(0).standard_normal((12, 2))
    options: dict[str, Any] = {"statistic": "mean", "samples": 2, "note": "computed, not sampled"}
    for points in (line, plane):
        count, dimension = points.shape
        for activation, degree in (("square", 2), ("power(3)", 3), ("tanh", None), ("softplus", None), ("relu", None)):
            expected = count if degree is None else min(count, math.comb(dimension + degree, degree))
            yield Claim(
                f"rank of the limiting tangent kernel, {activation}, {count} inputs of dimension {dimension}",
                rank(activation, points),
                id=f"GP18.{activation}.{dimension}",
                predicted=Exact(expected, variance=0),
                source=SOURCE if degree is None else f"{SOURCE}; derived: polynomials of the degree",
                **options,
            )
    yield Claim(
        "the same, a polynomial claimed to have full rank",
        rank("power(3)", line),
        id="GP18.wrong",
        predicted=Exact(len(line), variance=0),
        source="negative control",
        expect="refuted",
        **options,
    )


def rank(activation: str, points: np.ndarray) -> rt.Quantity:
    """Number of eigenvalues of the limiting tangent kernel that are not zero, as a quantity without randomness.

    >>> rank("square", np.linspace(-1, 1, 6)[:, None]).sample().tolist()
    [3.0]
    """
    f = rt.networks.two_layer(points.shape[1], n, activation, biases=1.0)

    @rt.quantity(name=f"rank {activation} {points.shape}", batch=2)
    def number(batch: int, rng: np.random.Generator) -> Any:
        eigenvalues = np.linalg.eigvalsh(tangent_kernel(f, points))
        return np.full(batch, float((eigenvalues > NEGLIGIBLE * eigenvalues[-1]).sum()))

    return number
