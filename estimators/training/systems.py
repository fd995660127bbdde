"""What training moves: the parameters of a network, or the values of its linearisation.

Both are given as a gradient field on a vector space, so that one rule (`estimators.training.rules`) moves either. How
the parameters of a network are held is a matter of the kind of random function: see `estimators.training.programs` for
programs and `estimators.training.dense` for models of PyTorch and JAX.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from randtensor.parametric import ParametricFunction
from randtensor.quantity import Draw

__all__ = ["Batch", "Evaluation", "LinearSystem", "Network", "Task"]

Array = np.ndarray


@dataclass(frozen=True)
class Batch:
    """The inputs of one step: positions among the training inputs, and weights of their losses, per sample or not."""

    inputs: tuple[int, ...]
    weights: Array


@dataclass(frozen=True, eq=False)
class Task:
    """What networks are trained on, and how strongly each parameter follows.

    Attributes
    ----------
    inputs : stack of inputs; the first ``len(targets)`` are those to train on.
    targets, loss_gradient : what is to be learned, and the derivative of the loss by the outputs.
    rates : multiples of the learning rate, by parameter name.
    weight_decay : lambda in ``gradient + lambda * parameters``.
    vectors : number of vectors that a matrix is expected to meet.
    """

    inputs: Array
    targets: Array
    loss_gradient: Callable[[Array, Array], Array]
    rates: Mapping[str, float]
    weight_decay: float
    vectors: int


class Evaluation(ABC):
    """A network at some of its inputs, at a point of parameter space."""

    #: shape (batch, inputs) or (batch, inputs, outputs)
    outputs: Array

    @abstractmethod
    def gradients(self) -> list[Any]:
        """The gradient of every output at every input, in the order of the outputs."""

    @abstractmethod
    def features(self) -> list[list[Array]]:
        """Activations of each input, layer by layer, each of shape (batch, ...)."""

    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """Names of these layers."""


class Network(ABC):
    """The networks of one block of samples, at all inputs of interest, and their gradient field.

    Points of parameter space can be added and multiplied by numbers, and have a ``layout`` for integrators.

    Attributes
    ----------
    start : the initial point.
    """

    start: Any

    def __init__(self, function: ParametricFunction, task: Task, draw: Draw) -> None:
        self.function, self.task, self.batch = function, task, draw.batch
        self.inputs, self.targets, self.rates = task.inputs, task.targets, task.rates
        outputs = function.outputs(task.inputs.shape[1:])
        self.output_shape = () if outputs is None else (outputs,)

    @abstractmethod
    def evaluate(self, point: Any, inputs: Sequence[int]) -> Evaluation:
        """The network at a point of parameter space."""

    @abstractmethod
    def gradient(self, point: Any, batch: Batch, watch: Callable[[Array], Array]) -> Any:
        """The gradient of the weighted loss, times the rates, in the coordinates in which parameters move.

        ``watch`` is shown the outputs, and says which networks do not move any more.
        """

    @abstractmethod
    def kernel(self, rows: Sequence[Any], columns: Sequence[Any]) -> Array:
        """Inner products of gradients, parameters weighted by their rates."""

    @abstractmethod
    def start_product(self, gradient: Any) -> Array:
        """Inner product of a gradient with the initial parameters, shape (batch,)."""

    @abstractmethod
    def motion(self, point: Any) -> Array:
        """Euclidean length of the way from the initial parameters, shape (batch,)."""

    @abstractmethod
    def largest_motion(self, point: Any) -> Array:
        """The largest change of a parameter that is held entry by entry, shape (batch,)."""

    @abstractmethod
    def along(self, point: Any, position: int, direction: Any, order: int) -> Array:
        """Taylor coefficient of some order of the outputs at an input, along a direction: shape (batch, outputs)."""

    def cotangent(self, outputs: Array, batch: Batch) -> Array:
        """The derivative of the weighted loss by the outputs at the inputs of a batch."""
        slopes = self.task.loss_gradient(outputs, self.targets[list(batch.inputs)])
        return np.asarray(slopes * batch.weights.reshape(*batch.weights.shape, *[1] * len(self.output_shape)))


class LinearSystem:
    """A model that is linear in its parameters, seen from its outputs: they move along a fixed kernel.

    Parameters
    ----------
    start : outputs at the beginning, shape (batch, inputs, *outputs).
    kernel : tangent kernel, shape (batch or 1, inputs * outputs, training inputs * outputs).
    targets, loss_gradient, weight_decay : as for the network.
    linear_start : what the linear part of the model, gradient times parameters, is at the beginning; it matters for
        weight decay only.
    """

    def __init__(
        self,
        start: Array,
        kernel: Array,
        targets: Array,
        loss_gradient: Callable[[Array, Array], Array],
        weight_decay: float = 0.0,
        linear_start: Array | None = None,
    ) -> None:
        self.start, self.kernel, self.targets = start, kernel, targets
        self.loss_gradient, self.weight_decay = loss_gradient, weight_decay
        self._offset = np.zeros_like(start) if linear_start is None else start - linear_start

    def gradient(self, point: Array, batch: Batch, resting: Array) -> Array:
        """By how much the outputs fall per unit of learning rate; samples that rest do not move."""
        chosen = list(batch.inputs)
        slopes = self.loss_gradient(point[:, chosen], self.targets[chosen])
        cotangent = np.zeros((len(point), *self.targets.shape))
        weights = np.broadcast_to(batch.weights, (len(point), len(chosen)))
        cotangent[:, chosen] = slopes * weights.reshape(*weights.shape, *[1] * (slopes.ndim - 2))
        moved = np.matmul(self.kernel, cotangent.reshape(len(point), -1, 1))[:, :, 0].reshape(point.shape)
        if self.weight_decay:
            moved += self.weight_decay * (point - self._offset)
        moved[resting] = 0.0
        return np.asarray(moved)
