"""Glorot initialisation with a learning rate of order one: features are learned at every width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators.layered import FullBatchDescent, LayeredNetwork
from estimators.spectrum import Spectrum
from theory_checks.claims import Claim
from theory_checks.suites.spectrum_alignment.plan import DERIVED, LEAKY, SQUARE, Plan, n
from theory_checks.suites.spectrum_alignment.targets import centred

__all__ = ["glorot"]

Array = np.ndarray

INPUTS, STEPS, RATE, CUT = 64, 300, 0.2, 10

#: what is claimed is told from the exponents -1/2, -3/4 and -1 of parametrisations that freeze
MARGIN = 0.25

#: seed of the points in the plane, which are the same at every width
POINTS = np.random.default_rng(12).uniform(*SQUARE, (INPUTS, 2))


def glorot(plan: Plan) -> Iterator[Claim]:
    """Kernel change and gain of alignment do not fall with the width; the initial outputs do."""
    sizes: dict[str, Any] = {"n": [32, 64, 128, 256], "samples": [plan.count(c, 8) for c in (60, 48, 36, 24)]}
    words = f"after {STEPS} steps, Glorot, learning rate {RATE}, leaky ReLU, two hidden layers"
    for ident, name, measure in (
        ("A12.kernel", f"|G_t - G_0| / |G_0| {words}", _kernel_change),
        ("A12.alignment", f"gain of E(y, {CUT}) {words}", _gain),
    ):
        yield Claim(
            name,
            _trained(name, measure),
            id=ident,
            statistic="L1",
            margin=MARGIN,
            predicted=rt.Theta(1),
            source=DERIVED,
            correction=None,
            **sizes,
        )
    yield Claim(
        f"|G_t - G_0| / |G_0| {words}, claimed to vanish as in NTK parametrisation",
        _trained("wrong", _kernel_change),
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
                **(plan.grid(32, 8, [9000, 5000, 3000, 1500]) if layers == 1 else plan.grid(16, 4, [9000, 5000, 2500])),
            )


def _network(width: int, layers: int, parametrization: str) -> LayeredNetwork:
    return LayeredNetwork((2, *[width] * layers), LEAKY, parametrization)


def _trained(name: str, measure: Any) -> rt.Quantity:
    """What ``measure`` makes of the Gramians before and after training, and of the targets."""

    @rt.quantity(n, name=name, batch=2)
    def measured(width: int, batch: int, rng: np.random.Generator) -> Array:
        network, y = _network(width, 2, "glorot"), centred(POINTS)
        run = FullBatchDescent(network, POINTS, y, RATE, network.initial(batch, rng=rng), dtype=np.float32)
        before = network.gramian(run.theta.astype(float), POINTS)
        run.advance(STEPS)
        after = network.gramian(run.theta.astype(float), POINTS)
        return np.array([measure(*pair, y) for pair in zip(before, after, strict=True)])

    return measured


def _kernel_change(before: Array, after: Array, y: Array) -> float:
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


def _gain(before: Array, after: Array, y: Array) -> float:
    return float(Spectrum.of(after).energy(y)[CUT - 1] - Spectrum.of(before).energy(y)[CUT - 1])


def _start(layers: int, parametrization: str) -> rt.Quantity:
    @rt.quantity(n, name=f"outputs at the start, {parametrization}, {layers}", batch=4)
    def measured(width: int, batch: int, rng: np.random.Generator) -> Array:
        network = _network(width, layers, parametrization)
        outputs = network.outputs(network.initial(batch, rng=rng), POINTS[:8])
        return np.asarray(np.sqrt((outputs**2).mean(axis=1)))

    return measured
