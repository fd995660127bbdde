"""Programs in training: their matrices stay revealed, and move in the directions that they have met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from estimators.training.rules import LayoutError
from estimators.training.systems import Batch, Evaluation, Network, Task
from randtensor.errors import InputError
from randtensor.programs.displacements import Displacement, MovingParameters
from randtensor.programs.forward import Tape, forward
from randtensor.programs.graph import Graph, Slot
from randtensor.programs.many_inputs import many_inputs, owners
from randtensor.programs.parameters import ParameterVector, gram
from randtensor.programs.polynomials import ring
from randtensor.programs.reverse import Gradient, pull_back
from randtensor.quantity import Draw
from randtensor.random_function import RandomFunction

__all__ = ["Point", "ProgramNetwork"]

Array = np.ndarray


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


class ProgramEvaluation(Evaluation):
    """A program at some of its inputs, at a point of parameter space."""

    def __init__(self, network: ProgramNetwork, point: Point, inputs: Sequence[int]) -> None:
        network.move(point)
        self.network, self.point, self.count = network, point, len(inputs)
        _, graph, self.owners = network.program(self.count)
        x = network.inputs[list(inputs)]
        self.tape: Tape = forward(graph, network.parameters, x, ring(()), slopes=True)
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

    def features(self) -> list[list[Array]]:
        found: list[list[Array]] = [[] for _ in range(self.count)]
        for position, owner in self._activations():
            value = self.tape.values[position][()]
            found[owner].append(np.broadcast_to(value, (self.network.batch, *value.shape[1:])))
        return found

    def layers(self) -> tuple[str, ...]:
        count = sum(owner == 0 for _, owner in self._activations())
        return tuple(f"activation {number}" for number in range(1, count + 1))

    def _activations(self) -> Iterator[tuple[int, int]]:
        """The functions applied entry by entry, each with the input that it belongs to."""
        graph = self.tape.graph
        for position, node in enumerate(graph.nodes):
            if node.operation == "elementwise" and graph.alive[position] and node.trainable:
                yield position, self.owners[position]


class ProgramNetwork(Network):
    """The programs of one block of samples."""

    function: RandomFunction

    def __init__(self, function: RandomFunction, task: Task, draw: Draw) -> None:
        super().__init__(function, task, draw)
        self._programs: dict[int, tuple[RandomFunction, Graph, list[int]]] = {}
        graph = function.graph(self.inputs.shape[1:])
        self.parameters = MovingParameters(function.space, graph, draw, task.vectors)
        self.start = Point(1.0, Displacement())

    def program(self, count: int) -> tuple[RandomFunction, Graph, list[int]]:
        """The function at ``count`` inputs at once."""
        if count not in self._programs:
            stacked = many_inputs(self.function, self.inputs.shape[1:], count)
            graph = stacked.graph((count, *self.inputs.shape[1:]))
            self._programs[count] = (stacked, graph, owners(graph, count))
        return self._programs[count]

    def move(self, point: Point) -> None:
        """Give the parameters the values that they have at a point."""
        if point.scale != self.parameters.scale or point.displacement is not self.parameters.displacement:
            self.parameters.move(point.scale, point.displacement)

    def evaluate(self, point: Point, inputs: Sequence[int]) -> ProgramEvaluation:
        return ProgramEvaluation(self, point, inputs)

    def gradient(self, point: Point, batch: Batch, watch: Callable[[Array], Array]) -> Point:
        found = self.evaluate(point, batch.inputs)
        resting = watch(found.outputs)
        moved = self.parameters.coordinates(found.gradient(self.cotangent(found.outputs, batch)))
        decay = self.task.weight_decay
        if decay:
            moved = moved + point.displacement * decay
        if self.rates:
            moved = moved.scaled(self.rates)
        if resting.any():
            moved = moved.without(resting)
        return Point(decay * point.scale, moved)

    def kernel(self, rows: Sequence[ParameterVector], columns: Sequence[ParameterVector]) -> Array:
        return gram(rows, columns, self.rates or None)

    def start_product(self, gradient: ParameterVector) -> Array:
        return self.parameters.start_product(gradient)

    def motion(self, point: Point) -> Array:
        square = np.zeros(self.batch)
        for block in self._moved_blocks(point).values():
            square += np.vecdot(block.reshape(len(block), -1), block.reshape(len(block), -1))
        revealed = self.parameters.revealed
        if revealed and point.scale != 1.0:
            name = next(iter(revealed))[0]
            raise InputError(
                f"weight_decay is given and parameter {name!r} is revealed, so that its length is not known, expected "
                f"a training without it or rt.gaussian(..., dense=True)"
            )
        return np.asarray(np.sqrt(square))

    def largest_motion(self, point: Point) -> Array:
        held = self.parameters.held
        moved = self._moved_blocks(point)
        blocks = [abs(b).reshape(len(b), -1).max(axis=1) for s, b in moved.items() if s in held]
        return np.asarray(np.max([*blocks, np.zeros(self.batch)], axis=0))

    def _moved_blocks(self, point: Point) -> dict[Slot, Array]:
        """What has been added to each initial parameter, those held entry by entry including their decay."""
        blocks = dict(point.displacement.blocks)
        if point.scale != 1.0:
            for slot in self.parameters.held:
                blocks[slot] = blocks.get(slot, 0.0) + (point.scale - 1.0) * self.parameters.start(slot)
        return blocks

    def along(self, point: Point, position: int, direction: ParameterVector, order: int) -> Array:
        width = prod(self.output_shape)
        self.move(point)
        graph = self.program(1)[1]
        tape = forward(graph, self.parameters, self.inputs[[position]], ring((order,)), [direction])
        return np.broadcast_to(tape.output.get((order,), np.zeros((1, width))), (self.batch, width))
