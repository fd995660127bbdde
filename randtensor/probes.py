"""Vectors in parameter space to probe derivative tensors with: Gaussian ones, and the standard basis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from randtensor.dimensions import evaluate_shape
from randtensor.programs.graph import Slot
from randtensor.programs.parameters import LowRank, ParameterVector, Probe
from randtensor.quantity import Draw
from randtensor.random_function import ParameterSpace
from randtensor.tensors import gaussian

__all__ = ["basis_vectors", "parameter_count", "random_vector"]


def slot_shapes(space: ParameterSpace, slots: Sequence[Slot], draw: Draw) -> dict[Slot, tuple[int, ...]]:
    """Shapes of trainable arrays at the sizes of a draw."""
    sizes = {**draw.sizes, **space.sizes}
    return {slot: evaluate_shape(space.tensors[slot[0]].dimensions[len(slot[1]) :], sizes) for slot in slots}


def parameter_count(space: ParameterSpace, slots: Sequence[Slot], draw: Draw) -> int:
    """Dimension of the parameter space."""
    return sum(prod(shape) for shape in slot_shapes(space, slots, draw).values())


def random_vector(space: ParameterSpace, slots: Sequence[Slot], draw: Draw) -> ParameterVector:
    """A standard Gaussian vector over all parameters; its matrices are revealed like those of the program."""
    arrays, matrices = {}, {}
    for slot, shape in slot_shapes(space, slots, draw).items():
        if len(shape) == 2:
            matrices[slot] = Probe(gaussian(*shape).matrix(shape, draw.batch, draw.sizes, draw.generator))
        else:
            arrays[slot] = draw.generator.standard_normal((draw.batch, *shape))
    return ParameterVector(arrays, dict(matrices))


def basis_vectors(space: ParameterSpace, slots: Sequence[Slot], draw: Draw) -> Iterator[ParameterVector]:
    """The standard basis of the parameter space, slot by slot in row-major order."""
    ones = np.ones((draw.batch, 1))
    for slot, shape in slot_shapes(space, slots, draw).items():
        for index in np.ndindex(*shape):
            if len(shape) == 2:
                unit = [np.zeros((draw.batch, 1, size)) for size in shape]
                for vector, entry in zip(unit, index, strict=True):
                    vector[:, 0, entry] = 1.0
                yield ParameterVector({}, {slot: LowRank(unit[0], unit[1], ones)})
            else:
                array = np.zeros((draw.batch, *shape))
                array[(slice(None), *index)] = 1.0
                yield ParameterVector({slot: array}, {})
