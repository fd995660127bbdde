"""PyTorch's ``torch.func``: nested ``jvp`` in the direction of ``grad``, under ``vmap`` over samples; and training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks._subject import INPUT, Array, Weights
from benchmarks.contenders.problem import (
    DIRECTIONAL,
    RATE,
    STEPS,
    TARGETS,
    TRAINING_INPUTS,
    Directional,
    Engine,
    calls_of,
)

__all__ = ["engine"]

#: Entries of W that a batch may hold.
BATCH_ENTRIES = 2**22


def _outputs(weights: Any, inputs: Any) -> Any:
    U, W, v = weights
    root = len(v) ** 0.5
    return v @ torch.tanh(W @ torch.tanh(U @ inputs.T / 2) / root) / root


def _network(weights: Any, x: Array) -> Any:
    U, W, v = weights
    root = len(v) ** 0.5
    return v @ torch.tanh(W @ torch.tanh(U @ torch.as_tensor(x) / 2) / root) / root


def nested(weights: Any, problem: Directional) -> Any:
    """Forward mode nested as often as the order says."""
    direction = torch.func.grad(lambda w: _network(w, problem.along))(weights)

    def along(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda w: torch.func.jvp(function, (w,), (direction,))[1]

    derivative: Callable[[Any], Any] = lambda w: _network(w, INPUT)  # noqa: E731
    for _ in range(problem.order):
        derivative = along(derivative)
    return derivative(weights)


def descent(weights: Any) -> Any:
    """Gradient descent of the network and, through ``jvp``, of its linearisation."""
    inputs, targets = torch.as_tensor(TRAINING_INPUTS), torch.as_tensor(TARGETS)
    everywhere = torch.cat((inputs, torch.as_tensor(INPUT)[None]))

    def linear(w: Any, x: Any) -> Any:
        step = tuple(a - b for a, b in zip(w, weights, strict=True))
        value, change = torch.func.jvp(lambda u: _outputs(u, x), (weights,), (step,))
        return value + change

    def trained(model: Callable[[Any, Any], Any]) -> Any:
        def loss(w: Any) -> Any:
            return torch.mean((model(w, inputs) - targets) ** 2) / 2

        w = weights
        for _ in range(STEPS):
            w = tuple(p - RATE * g for p, g in zip(w, torch.func.grad(loss)(w), strict=True))
        return model(w, everywhere)[-1]

    return trained(_outputs) - trained(linear)


class TorchEngine:
    """Draws weights with PyTorch's generator and maps a function over them with ``vmap``, in chunks."""

    def __init__(self, function: Callable[[Any], Any], batched: bool) -> None:
        self._function, self._batched = function, batched
        self._mapped = torch.func.vmap(function)

    def value(self, weights: Weights) -> float:
        return float(self._function(tuple(map(torch.as_tensor, (weights.U, weights.W, weights.v)))))

    def sample(self, width: int, count: int, seed: int) -> Array:
        generator = torch.Generator().manual_seed(seed)
        batch = max(1, min(count, BATCH_ENTRIES // width**2)) if self._batched else 1
        found: list[Array] = []
        for begin in range(0, count, batch):
            size = min(batch, count - begin)
            shapes = (size, width, len(INPUT)), (size, width, width), (size, width)
            drawn = tuple(torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
            found.append(self._mapped(drawn).numpy() if size > 1 else self._single(drawn))
        return np.concatenate(found)

    def _single(self, drawn: tuple[Any, ...]) -> Array:
        return np.array([float(self._function(tuple(d[0] for d in drawn)))])

    def count(self, width: int) -> int:
        return calls_of(width)


def engine(key: str, quantity: str) -> Engine:
    """PyTorch's way to a quantity."""
    if quantity == "training":
        return TorchEngine(descent, batched=True)
    problem = DIRECTIONAL[quantity]
    return TorchEngine(lambda weights: nested(weights, problem), batched=True)
