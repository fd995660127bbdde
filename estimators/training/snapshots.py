"""A network on its way: what can be seen of it at one step of training, worked out when it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np

from estimators.training.systems import Evaluation, Network, Point, kernel
from randtensor.errors import InputError
from randtensor.programs.forward import forward
from randtensor.programs.graph import Slot
from randtensor.programs.parameters import ParameterVector
from randtensor.programs.polynomials import ring

__all__ = ["Snapshot"]

Array = np.ndarray


@dataclass(eq=False)
class Snapshot:
    """The networks of one block at one step.

    Arrays have a leading axis over the samples of the block and then one over the inputs, those of training first;
    vector outputs add an axis.

    Attributes
    ----------
    step : number of steps made.
    learning_rate, trained : learning rate, and number of training inputs.
    linear : values of the linearisation, which starts from the same parameters.
    limit : values of a network of infinite width that starts from the same outputs, or None.
    initial : the snapshot of step 0.

    Examples
    --------
    What ``observe=`` of `estimators.train` is shown:

    >>> import estimators, randtensor as rt
    >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"))
    >>> seen = {"alignment": lambda s: s.gradients[0].dot(s.initial.gradients[0])}
    >>> estimators.train(f, [[1.0]], [2.0], steps=3, n=64, samples=5, observe=seen, rng=0).alignment.shape
    (5, 4)
    """

    network: Network
    point: Point
    step: int
    learning_rate: float
    trained: int
    loss_value: Callable[[Array, Array], Array]
    linear: Array | None = None
    limit: Array | None = None
    initial: Snapshot = field(init=False)

    def __post_init__(self) -> None:
        self.initial = self

    @cached_property
    def evaluation(self) -> Evaluation:
        """The networks at all inputs."""
        return self.network.evaluate(self.point, range(len(self.network.inputs)))

    @property
    def outputs(self) -> Array:
        """Shape (batch, inputs, *outputs)."""
        return self.evaluation.outputs

    @property
    def loss(self) -> Array:
        """Mean loss over the training inputs, shape (batch,)."""
        return np.asarray(self.loss_value(self.outputs[:, : self.trained], self.network.targets).mean(axis=-1))

    @cached_property
    def gradients(self) -> list[ParameterVector]:
        """Gradients of all outputs at all inputs."""
        return self.evaluation.gradients()

    @cached_property
    def kernel(self) -> Array:
        """The tangent kernel without the learning rate, shape (batch, inputs * outputs, inputs * outputs)."""
        return kernel(self.gradients, self.gradients, self.network.rates)

    @property
    def gradient_change(self) -> Array:
        """Euclidean length of the change of every gradient since the start, shape (batch, inputs * outputs)."""
        signs = np.broadcast_to([1.0, -1.0], (self.network.batch, 2))
        moved = [
            ParameterVector.combination([new, old], signs)
            for new, old in zip(self.gradients, self.initial.gradients, strict=True)
        ]
        return np.stack([np.sqrt(np.maximum(change.dot(change), 0.0)) for change in moved], axis=1)

    @property
    def motion(self) -> Array:
        """Euclidean length of the way from the initial parameters, shape (batch,).

        Raises
        ------
        InputError : weight decay has shrunk a revealed matrix, whose length is not known.
        """
        square, point = np.zeros(self.network.batch), self.point
        for block in self._moved_blocks().values():
            square += np.vecdot(block.reshape(len(block), -1), block.reshape(len(block), -1))
        revealed = self.network.parameters.revealed
        if revealed and point.scale != 1.0:
            name = next(iter(revealed))[0]
            raise InputError(
                f"weight_decay is given and parameter {name!r} is revealed, so that its length is not known, expected "
                f"a training without it or rt.gaussian(..., dense=True)"
            )
        return np.asarray(np.sqrt(square))

    @property
    def largest_motion(self) -> Array:
        """The largest change of a parameter that is held entry by entry, shape (batch,)."""
        held = self.network.parameters.held
        blocks = [abs(b).reshape(len(b), -1).max(axis=1) for s, b in self._moved_blocks().items() if s in held]
        return np.asarray(np.max([*blocks, np.zeros(self.network.batch)], axis=0))

    def _moved_blocks(self) -> dict[Slot, Array]:
        """What has been added to each initial parameter, those held entry by entry including their decay."""
        parameters, point = self.network.parameters, self.point
        blocks = dict(point.displacement.blocks)
        if point.scale != 1.0:
            for slot in parameters.held:
                blocks[slot] = blocks.get(slot, 0.0) + (point.scale - 1.0) * parameters.start(slot)
        return blocks

    @cached_property
    def features(self) -> list[list[Array]]:
        """Activations of each input, layer by layer, each of shape (batch, units)."""
        tape, owners = self.evaluation.tape, self.evaluation.owners
        found: list[list[Array]] = [[] for _ in range(self.evaluation.count)]
        for position, node in enumerate(tape.graph.nodes):
            if node.operation == "elementwise" and tape.graph.alive[position] and node.trainable:
                value = tape.values[position][()]
                found[owners[position]].append(np.broadcast_to(value, (self.network.batch, *value.shape[1:])))
        return found

    @property
    def feature_change(self) -> Array:
        """Root mean square over units of the change of the activations, shape (batch, layers, inputs).

        Raises
        ------
        InputError : the program applies no function entry by entry.
        """
        if not self.features[0]:
            raise InputError("observe has 'feature_change', expected a function with entrywise activations")
        rows = [
            [
                np.sqrt(np.mean((new - old) ** 2, axis=tuple(range(1, new.ndim))))
                for new, old in zip(now, then, strict=True)
            ]
            for now, then in zip(self.features, self.initial.features, strict=True)
        ]
        return np.stack([np.stack(layer, axis=1) for layer in zip(*rows, strict=True)], axis=1)

    def correlation(self, order: int) -> Array:
        """``(1/order!) d^order F(theta + t g)(x)/dt^order`` of every output, with g the gradient of that output.

        Shape (batch, inputs * outputs).
        """
        graph, parameters = self.network.program(1)[1], self.network.parameters
        width = prod(self.network.output_shape)
        found = []
        for position, direction in enumerate(self.gradients):
            i, output = divmod(position, width)
            self.network.move(self.point)
            tape = forward(graph, parameters, self.network.inputs[[i]], ring((order,)), [direction])
            coefficient = tape.output.get((order,), np.zeros((1, width)))
            found.append(np.broadcast_to(coefficient, (self.network.batch, width))[:, output])
        return np.stack(found, axis=1)
