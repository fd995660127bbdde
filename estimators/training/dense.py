"""Models of PyTorch and JAX in training: parameters that are held entry by entry by these libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial, prod
from typing import Any

import numpy as np

from estimators.training.systems import Batch, Evaluation, Network, Task
from randtensor.interop.dense import DenseFunction
from randtensor.interop.vectors import DenseVector, gram
from randtensor.quantity import Draw

__all__ = ["DenseNetwork"]

Array = np.ndarray


class DenseEvaluation(Evaluation):
    """A model at some of its inputs, at given parameters."""

    def __init__(self, network: DenseNetwork, point: DenseVector, inputs: Sequence[int]) -> None:
        self.network, self.point, self.inputs = network, point, network.inputs[list(inputs)]
        calculus, state = network.function.calculus, network.state(point)
        self.outputs = calculus.values(network.sizes, state, self.inputs)

    def gradient(self, cotangent: Array) -> DenseVector:
        """``sum cotangent * outputs`` differentiated by the parameters."""
        network = self.network
        calculus, state = network.function.calculus, network.state(self.point)
        blocks = calculus.pulled_back(network.sizes, state, self.inputs, cotangent)
        return DenseVector(blocks, self.point.library)

    def gradients(self) -> list[DenseVector]:
        found, width = [], prod(self.network.output_shape)
        for row in range(len(self.inputs) * width):
            cotangent = np.zeros((self.network.batch, len(self.inputs) * width))
            cotangent[:, row] = 1.0
            found.append(self.gradient(cotangent.reshape(self.outputs.shape)))
        return found

    def features(self) -> list[list[Array]]:
        layers = self._layers().values()
        return [[values[:, i] for values in layers] for i in range(len(self.inputs))]

    def layers(self) -> tuple[str, ...]:
        return tuple(self._layers())

    def _layers(self) -> dict[str, Array]:
        calculus, state = self.network.function.calculus, self.network.state(self.point)
        return calculus.layers(self.network.sizes, state, self.inputs)


class DenseNetwork(Network):
    """The models of one block of samples; points are their parameters."""

    function: DenseFunction

    def __init__(self, function: DenseFunction, task: Task, draw: Draw) -> None:
        super().__init__(function, task, draw)
        parameters = function.space.sample(draw)
        self.sizes, self.start, self._rest = parameters.sizes, parameters.start, parameters.rest

    def state(self, point: DenseVector) -> Any:
        """What the model is evaluated at."""
        return {name: point.blocks[name] for name in self.start.blocks}, self._rest

    def evaluate(self, point: DenseVector, inputs: Sequence[int]) -> DenseEvaluation:
        return DenseEvaluation(self, point, inputs)

    def gradient(self, point: DenseVector, batch: Batch, watch: Callable[[Array], Array]) -> DenseVector:
        found = self.evaluate(point, batch.inputs)
        resting = watch(found.outputs)
        moved = found.gradient(self.cotangent(found.outputs, batch))
        if self.task.weight_decay:
            moved = moved + point * self.task.weight_decay
        if self.rates:
            moved = moved.rescaled(self.rates)
        return moved.without(resting) if resting.any() else moved

    def kernel(self, rows: Sequence[DenseVector], columns: Sequence[DenseVector]) -> Array:
        return gram(rows, columns, self.rates or None)

    def start_product(self, gradient: DenseVector) -> Array:
        return np.asarray(self.start.dot(gradient))

    def motion(self, point: DenseVector) -> Array:
        moved = point + self.start * -1.0
        return np.asarray(np.sqrt(moved.dot(moved)))

    def largest_motion(self, point: DenseVector) -> Array:
        return np.asarray((point + self.start * -1.0).largest())

    def along(self, point: DenseVector, position: int, direction: DenseVector, order: int) -> Array:
        blocks = {name: direction.blocks[name] for name in self.start.blocks}
        calculus, x = self.function.calculus, self.inputs[position]
        found = calculus.closed(self.sizes, self.state(point), x, [blocks] * order) / factorial(order)
        return np.asarray(found.reshape(self.batch, -1))
