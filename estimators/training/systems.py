"""What training moves: the parameters of a network, or the values of its linearisation.

Both are given as a gradient field on a vector space, so that one rule (`estimators.training.rules`) moves either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from estimators.training.rules import LayoutError
from randtensor.programs.displacements import Displacement, MovingParameters
from randtensor.programs.forward import Tape, forward
from randtensor.programs.graph import Graph, Slot
from randtensor.programs.many_inputs import many_inputs, owners
from randtensor.programs.parameters import ParameterVector, gram
from randtensor.programs.polynomials import ring
from randtensor.programs.reverse import Gradient, pull_back
from randtensor.quantity import Draw
from randtensor.random_function import RandomFunction

__all__ = ["Batch", "Evaluation", "LinearSystem", "Network", "Point"]

Array = np.ndarray


@dataclass(frozen=True)
class Batch:
    """The inputs of one step: positions among the training inputs, and weights of their losses, per sample or not."""

    inputs: tuple[int, ...]
    weights: Array


@dataclass(frozen=True)
class Point:
    """Parameters ``scale * theta_0 + displacement``, or a gradient in the same coordinates."""

    scale: float
    displacement: Displacement

    def __add__(self, other: Point) -> Point:
        return Point(self.scale + other.scale, self.displacement + other.displacement)

    def __mul__(self, factor: float) -> Point:
        return Point(self.scale * factor, self.displacement * factor)

    def layout(self) -> PointLayout:
        """How points like this one are laid out as numbers, with room for the bases to grow."""
        return PointLayout({slot: block.shape for slot, block in self.displacement.blocks.items()})


@dataclass(frozen=True)
class PointLayout:
    """Points whose blocks have at most these shapes; missing coordinates are zero."""

    shapes: Mapping[Slot, tuple[int, ...]]

    def vector(self, point: Point) -> Array:
        parts = [np.array([point.scale])]
        blocks = point.displacement.blocks
        known = self.shapes
        if any(slot not in known or np.greater(block.shape, known[slot]).any() for slot, block in blocks.items()):
            raise LayoutError(PointLayout({**known, **{s: self._room(s, b.shape) for s, b in blocks.items()}}))
        for slot, shape in known.items():
            padded = np.zeros(shape)
            if slot in blocks:
                padded[tuple(map(slice, blocks[slot].shape))] = blocks[slot]
            parts.append(padded.ravel())
        return np.concatenate(parts)

    def point(self, vector: Array) -> Point:
        blocks, start = {}, 1
        for slot, shape in self.shapes.items():
            size = int(np.prod(shape))
            blocks[slot] = vector[start : start + size].reshape(shape)
            start += size
        return Point(float(vector[0]), Displacement(blocks))

    def _room(self, slot: Slot, needed: tuple[int, ...]) -> tuple[int, ...]:
        """Shapes that grow do so by a half: the integrator starts anew each time."""
        known = self.shapes.get(slot)
        if known is None or known == needed:
            return needed
        return tuple(max(a, b + b // 2) if b > a else a for a, b in zip(known, needed, strict=True))


class Evaluation:
    """A network at some of its inputs, at a point of parameter space."""

    def __init__(self, network: Network, point: Point, inputs: Sequence[int], slopes: bool) -> None:
        network.move(point)
        self.network, self.point, self.count = network, point, len(inputs)
        _, graph, self.owners = network.program(self.count)
        x = network.inputs[list(inputs)]
        self.tape: Tape = forward(graph, network.parameters, x, ring(()), slopes=slopes)
        outputs = np.broadcast_to(self.tape.output[()], (network.batch, len(graph.nodes[graph.output].arguments)))
        #: shape (batch, inputs) or (batch, inputs, outputs)
        self.outputs: Array = outputs.reshape(network.batch, self.count, *network.output_shape)

    def gradient(self, cotangent: Array) -> Gradient:
        """``sum cotangent * outputs`` differentiated by the parameters."""
        flat = np.ascontiguousarray(cotangent.reshape(len(cotangent), -1))
        # the parameters may have moved on since the values were worked out
        self.network.move(self.point)
        return pull_back(self.tape, flat)[0]

    def gradients(self) -> list[ParameterVector]:
        """The gradient of every output at every input, in the order of the outputs."""
        self.network.move(self.point)
        width = int(np.prod(self.network.output_shape, dtype=int))
        found: list[list[ParameterVector]] = []
        for o in range(width):
            seed = np.zeros((self.network.batch, self.count, width))
            seed[:, :, o] = 1.0
            parts = pull_back(self.tape, seed.reshape(len(seed), -1), self.owners)
            found.append([part.coefficient(()) for part in parts])
        return [found[o][i] for i in range(self.count) for o in range(width)]


class Network:
    """The networks of one block of samples, at all inputs of interest, and their gradient field.

    Parameters
    ----------
    function : the random function.
    inputs : stack of inputs; the first ``len(targets)`` are those to train on.
    targets, loss_gradient : what is to be learned, and the derivative of the loss by the outputs.
    rates : multiples of the learning rate, by parameter name.
    weight_decay : lambda in ``gradient + lambda * parameters``.
    draw : randomness of the block.
    vectors : number of vectors that a matrix is expected to meet.
    """

    def __init__(
        self,
        function: RandomFunction,
        inputs: Array,
        targets: Array,
        loss_gradient: Callable[[Array, Array], Array],
        rates: Mapping[str, float],
        weight_decay: float,
        draw: Draw,
        vectors: int,
    ) -> None:
        self.function, self.inputs, self.targets = function, inputs, targets
        self.loss_gradient, self.rates, self.weight_decay = loss_gradient, dict(rates), weight_decay
        self.batch = draw.batch
        outputs = function.outputs(inputs.shape[1:])
        self.output_shape = () if outputs is None else (outputs,)
        self._programs: dict[int, tuple[RandomFunction, Graph, list[int]]] = {}
        graph = function.graph(inputs.shape[1:])
        self.parameters = MovingParameters(function.space, graph, draw, vectors)
        self.start = Point(1.0, Displacement())

    def program(self, count: int) -> tuple[RandomFunction, Graph, list[int]]:
        """The function at ``count`` inputs at once."""
        if count not in self._programs:
            stacked = many_inputs(self.function, self.inputs.shape[1:], count)
            graph = stacked.graph((count, *self.inputs.shape[1:]))
            self._programs[count] = (stacked, graph, owners(graph, count))
        return self._programs[count]

    def evaluate(self, point: Point, inputs: Sequence[int], slopes: bool = True) -> Evaluation:
        """The network at a point of parameter space."""
        return Evaluation(self, point, inputs, slopes)

    def move(self, point: Point) -> None:
        """Give the parameters the values that they have at a point."""
        if point.scale != self.parameters.scale or point.displacement is not self.parameters.displacement:
            self.parameters.move(point.scale, point.displacement)

    def gradient(self, point: Point, batch: Batch, watch: Callable[[Array], Array]) -> Point:
        """The gradient of the weighted loss, times the rates, in the coordinates in which parameters move.

        ``watch`` is shown the outputs, and says which networks do not move any more.
        """
        found = self.evaluate(point, batch.inputs)
        resting = watch(found.outputs)
        slopes = self.loss_gradient(found.outputs, self.targets[list(batch.inputs)])
        weights = batch.weights.reshape(*batch.weights.shape, *[1] * len(self.output_shape))
        moved = self.parameters.coordinates(found.gradient(slopes * weights))
        if self.weight_decay:
            moved = moved + point.displacement * self.weight_decay
        if self.rates:
            moved = moved.scaled(self.rates)
        if resting.any():
            moved = moved.without(resting)
        return Point(self.weight_decay * point.scale, moved)


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


def kernel(rows: Sequence[ParameterVector], columns: Sequence[ParameterVector], rates: Mapping[str, float]) -> Array:
    """Inner products of gradients, parameters weighted by their rates."""
    return gram(rows, columns, rates or None)
