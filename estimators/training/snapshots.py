"""A network on its way: what can be seen of it at one step of training, worked out when it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from estimators.training.systems import Evaluation, Network
from randtensor.errors import InputError

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
    point: Any
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
    def gradients(self) -> list[Any]:
        """Gradients of all outputs at all inputs."""
        return self.evaluation.gradients()

    @cached_property
    def kernel(self) -> Array:
        """The tangent kernel without the learning rate, shape (batch, inputs * outputs, inputs * outputs)."""
        return self.network.kernel(self.gradients, self.gradients)

    @property
    def gradient_change(self) -> Array:
        """Euclidean length of the change of every gradient since the start, shape (batch, inputs * outputs)."""
        signs = np.broadcast_to([1.0, -1.0], (self.network.batch, 2))
        moved = [
            new.combination([new, old], signs) for new, old in zip(self.gradients, self.initial.gradients, strict=True)
        ]
        return np.stack([np.sqrt(np.maximum(change.dot(change), 0.0)) for change in moved], axis=1)

    @property
    def motion(self) -> Array:
        """Euclidean length of the way from the initial parameters, shape (batch,).

        Raises
        ------
        InputError : weight decay has shrunk a revealed matrix, whose length is not known.
        """
        return self.network.motion(self.point)

    @property
    def largest_motion(self) -> Array:
        """The largest change of a parameter that is held entry by entry, shape (batch,)."""
        return self.network.largest_motion(self.point)

    @cached_property
    def features(self) -> list[list[Array]]:
        """Activations of each input, layer by layer, each of shape (batch, units)."""
        return self.evaluation.features()

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose activations these are."""
        return self.evaluation.layers()

    @property
    def feature_scale(self) -> Array:
        """Root mean square over units of the activations, shape (batch, layers, inputs).

        Raises
        ------
        InputError : the program applies no function entry by entry.
        """
        return self._feature_rms("feature_scale", lambda now, then: now)

    @property
    def feature_change(self) -> Array:
        """Root mean square over units of the change of the activations, shape (batch, layers, inputs).

        Raises
        ------
        InputError : the program applies no function entry by entry.
        """
        return self._feature_rms("feature_change", lambda now, then: now - then)

    def _feature_rms(self, name: str, compared: Callable[[Array, Array], Array]) -> Array:
        if not self.features[0]:
            raise InputError(f"observe has {name!r}, expected a function with entrywise activations")
        rows = [
            [
                np.sqrt(np.mean(compared(new, old) ** 2, axis=tuple(range(1, new.ndim))))
                for new, old in zip(now, then, strict=True)
            ]
            for now, then in zip(self.features, self.initial.features, strict=True)
        ]
        return np.stack([np.stack(layer, axis=1) for layer in zip(*rows, strict=True)], axis=1)

    def correlation(self, order: int) -> Array:
        """``(1/order!) d^order F(theta + t g)(x)/dt^order`` of every output, with g the gradient of that output.

        Shape (batch, inputs * outputs).
        """
        width = prod(self.network.output_shape)
        found = []
        for position, direction in enumerate(self.gradients):
            i, output = divmod(position, width)
            found.append(self.network.along(self.point, i, direction, order)[:, output])
        return np.stack(found, axis=1)
