"""Named random parameters of programs, and vectors over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np

from randtensor.dimensions import Dimension, evaluate_shape
from randtensor.errors import ShapeError
from randtensor.programs.graph import Slot
from randtensor.programs.parameters import LowRank, ParameterVector, Probe
from randtensor.quantity import Draw, Sizes
from randtensor.revealed import RandomMatrix
from randtensor.tensors import RandomTensor, gaussian

__all__ = ["ParameterSpace", "SampledParameters"]

Array = np.ndarray


class ParameterSpace:
    """Named random parameters; functions on one space share them, sample by sample.

    ``sizes`` fixes scales that the parameters themselves no longer carry (parameters given as arrays).
    """

    def __init__(self, tensors: Mapping[str, RandomTensor], sizes: Mapping[str, int] | None = None) -> None:
        for name, tensor in tensors.items():
            if not isinstance(tensor, RandomTensor):
                raise ShapeError(
                    f"parameter {name!r} is {tensor!r}, expected a random tensor such as rt.gaussian(n, n)"
                )
        self.tensors = dict(tensors)
        self.sizes = dict(sizes or {})

    @property
    def shapes(self) -> dict[str, tuple[Dimension, ...]]:
        """Symbolic shapes by name."""
        return {name: tensor.dimensions for name, tensor in self.tensors.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(self.tensors)

    def slot_shapes(self, slots: Sequence[Slot], draw: Draw) -> dict[Slot, tuple[int, ...]]:
        """Shapes of trainable arrays at the sizes of a draw."""
        sizes = {**draw.sizes, **self.sizes}
        return {slot: evaluate_shape(self.tensors[slot[0]].dimensions[len(slot[1]) :], sizes) for slot in slots}

    def dimension(self, slots: Sequence[Slot], draw: Draw) -> int:
        """Number of entries of trainable arrays."""
        return sum(prod(shape) for shape in self.slot_shapes(slots, draw).values())

    def random_vector(self, slots: Sequence[Slot], draw: Draw) -> ParameterVector:
        """A standard Gaussian vector; its matrices are revealed like those of the program."""
        arrays, matrices = {}, {}
        for slot, shape in self.slot_shapes(slots, draw).items():
            if len(shape) == 2:
                matrices[slot] = Probe(gaussian(*shape).matrix(shape, draw.batch, draw.sizes, draw.generator))
            else:
                arrays[slot] = draw.generator.standard_normal((draw.batch, *shape))
        return ParameterVector(arrays, dict(matrices))

    def basis_vectors(self, slots: Sequence[Slot], draw: Draw) -> Iterator[ParameterVector]:
        """The standard basis, slot by slot in row-major order."""
        ones = np.ones((draw.batch, 1), like=draw.like)
        for slot, shape in self.slot_shapes(slots, draw).items():
            for index in np.ndindex(*shape):
                if len(shape) == 2:
                    unit = [np.zeros((draw.batch, 1, size), like=draw.like) for size in shape]
                    for vector, entry in zip(unit, index, strict=True):
                        vector[:, 0, entry] = 1.0
                    yield ParameterVector({}, {slot: LowRank(unit[0], unit[1], ones)})
                else:
                    array = np.zeros((draw.batch, *shape), like=draw.like)
                    array[(slice(None), *index)] = 1.0
                    yield ParameterVector({slot: array}, {})

    def entries(self, sizes: Sizes, vectors: int) -> int:
        """Numbers held per sample where each matrix meets this many vectors; smaller matrices are drawn whole."""
        everything = {**sizes, **self.sizes}
        total = 0
        for tensor in self.tensors.values():
            shape = evaluate_shape(tensor.dimensions, everything)
            small = len(shape) < 2 or min(shape[-2:]) <= vectors
            total += prod(shape) if small else prod(shape[:-2]) * sum(shape[-2:]) * vectors
        return total

    def sample(self, draw: Draw) -> SampledParameters:
        """The parameters of one block of samples."""
        sampled: SampledParameters = draw.remember(self, lambda: SampledParameters(self, draw))
        return sampled


class SampledParameters:
    """Parameters of one block of samples, each drawn when it is first met."""

    def __init__(self, space: ParameterSpace, draw: Draw) -> None:
        self.batch = draw.batch
        self.sizes: Mapping[str, int] = {**draw.sizes, **space.sizes}
        self.like = draw.like
        self._space, self._draw = space, draw

    def _slice(self, slot: Slot) -> tuple[RandomTensor, tuple[int, ...]]:
        name, indices = slot
        tensor = self._space.tensors[name]
        return tensor.slice(indices), evaluate_shape(tensor.dimensions[len(indices) :], self.sizes)

    def array(self, slot: Slot) -> Array:
        """A vector or scalar parameter, shape (batch, *shape)."""
        tensor, shape = self._slice(slot)
        result: Array = self._draw.remember(
            (self._space, slot), lambda: tensor.draw(shape, self.batch, self.sizes, self._draw.generator)
        )
        return result

    def matrix(self, slot: Slot) -> RandomMatrix:
        """A matrix parameter."""
        tensor, shape = self._slice(slot)
        result: RandomMatrix = self._draw.remember(
            (self._space, slot), lambda: tensor.matrix(shape, self.batch, self.sizes, self._draw.generator)
        )
        return result
