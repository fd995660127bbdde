"""This library: weights revealed, derivatives never formed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, cast

import estimators
import randtensor as rt
from benchmarks._subject import INPUT, Array, Weights
from benchmarks.contenders.problem import DIRECTIONAL, RATE, STEPS, TARGETS, TRAINING_INPUTS, Engine

__all__ = ["engine", "network", "quantity_of"]


def network() -> rt.RandomFunction:
    """The network, as a random function."""
    return rt.networks.mlp(inputs=len(INPUT), width=rt.Scale("n"), hidden_layers=2, activation="tanh")


def quantity_of(name: str, f: Any) -> Any:
    """One of the quantities, of the network or of the network at given weights."""
    if name == "training":
        run = estimators.Training(f, TRAINING_INPUTS, TARGETS, learning_rate=RATE, steps=STEPS, test=[INPUT])
        return estimators.TrainingQuantity(run, "linearization_error", at="test", reduce="mean")
    problem = DIRECTIONAL[name]
    gradient, labels = f.derivative(problem.along), "abc"[: problem.order]
    equation = ",".join([labels, *labels]) + "->"
    return rt.einsum(equation, f.derivative(INPUT, problem.order), *[gradient] * problem.order)


@dataclass(frozen=True)
class _Library:
    name: str
    quantity: Any

    def value(self, weights: Weights) -> float:
        f = network()
        arrays = dict(zip(f.space.tensors, (weights.U, weights.W, weights.v), strict=True))
        return float(quantity_of(self.name, f.at(**arrays)).sample(size=1)[0])

    def sample(self, width: int, count: int, seed: int) -> Array:
        found = estimators.estimate(
            self.quantity, width, statistic="rms", samples=count, rng=seed, jobs=os.cpu_count(), keep_samples=True
        )
        return cast(Array, found.draws)

    def count(self, width: int) -> int:
        # At least a block for every core, and two samples, without which there is no estimate; more where a sample
        # takes less than the overhead of a call.
        blocks = (os.cpu_count() or 1) * int(self.quantity.block_length({"n": width}))
        return max(2, blocks, 0 if self.name == "training" else min(256, 2**19 // width))


def engine(key: str, quantity: str) -> Engine:
    """The library's way to a quantity."""
    return _Library(quantity, quantity_of(quantity, network()))
