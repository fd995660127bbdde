"""Glorot initialisation with a learning rate of order one: features are learned at every width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators.layered import FullBatchDescent, LayeredNetwork
from theory_checks.claims import Claim
from theory_checks.suites.spectrum_alignment.plan import DERIVED, LEAKY, SQUARE, Plan, n
from theory_checks.suites.spectrum_alignment.targets import centred

__all__ = ["glorot"]

Array = np.ndarray

INPUTS, STEPS, RATE = 64, 300, 0.2

#: what is claimed is told from the exponents -1/2, -3/4 and -1 of parametrisations that freeze
MARGIN = 0.25

#: seed of the points in the plane, which are the same at every width
POINTS = np.random.default_rng(12).uniform(*SQUARE, (INPUTS, 2))


def glorot(plan: Plan) -> Iterator[Claim]:
    """The change of the kernel does not fall with the width; the initial outputs do."""
    sizes: dict[str, Any] = {"n": [32, 64, 128, 256], "samples": [plan.count(c, 8) for c in (60, 48, 36, 24)]}
    words = f"after {STEPS} steps, Glorot, learning rate {RATE}, leaky ReLU, two hidden layers"
    yield Claim(
        f"|G_t - G_0| / |G_0| {words}",
        _kernel_change("change of the kernel"),
        id="A12",
        statistic="L1",
        margin=MARGIN,
        predicted=rt.Theta(1),
        source=DERIVED,
        correction=None,
        **sizes,
    )
    yield Claim(
        f"|G_t - G_0| / |G_0| {words}, claimed to vanish as in NTK parametrisation",
        _kernel_change("change of the kernel, wrong"),
        id="A12.wrong",
        predicted=rt.O(n**-0.5),
        source="negative control",
        expect="refuted",
        correction=None,
        statistic="L1",
        n=[16, 32, 64, 128],
        samples=24,
    )
    for layers in (1, 3):
        for parametrization, power in (("glorot", -0.5), ("ntk", 0)):
            yield Claim(
                f"outputs at the start, {parametrization}, {layers} hidden, leaky ReLU",
                _start(layers, parametrization),
                id=f"A13.{parametrization}.{layers}",
                predicted=rt.Theta(n**power),
                source=DERIVED,
                correction=1.0,
                **(plan.grid(16, 8, [3000, 2000, 1200, 600]) if layers == 1 else plan.grid(8, 4, [9000, 6000, 4000])),
            )


def _network(width: int, layers: int, parametrization: str) -> LayeredNetwork:
    return LayeredNetwork((2, *[width] * layers), LEAKY, parametrization)


def _kernel_change(name: str) -> rt.Quantity:
    """How far the Gramian moves, relative to its length at the start."""

    @rt.quantity(n, name=name, batch=2)
    def measured(width: int, batch: int, rng: np.random.Generator) -> Array:
        network = _network(width, 2, "glorot")
        theta = network.initial(batch, rng=rng)
        run = FullBatchDescent(network, POINTS, centred(POINTS), RATE, theta, dtype=np.float32)
        before = network.gramian(run.theta.astype(float), POINTS)
        run.advance(STEPS)
        change = network.gramian(run.theta.astype(float), POINTS) - before
        return np.asarray(np.linalg.norm(change, axis=(1, 2)) / np.linalg.norm(before, axis=(1, 2)))

    return measured


def _start(layers: int, parametrization: str) -> rt.Quantity:
    @rt.quantity(n, name=f"outputs at the start, {parametrization}, {layers}", batch=50)
    def measured(width: int, batch: int, rng: np.random.Generator) -> Array:
        network = _network(width, layers, parametrization)
        outputs = network.outputs(network.initial(batch, rng=rng), POINTS[:8])
        return np.asarray(np.sqrt((outputs**2).mean(axis=1)))

    return measured
