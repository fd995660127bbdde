"""Random functions whose parameters a library for automatic differentiation holds as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from randtensor.errors import ShapeError
from randtensor.interop.calculus import Calculus, State
from randtensor.interop.library import Model
from randtensor.interop.vectors import DenseVector
from randtensor.parametric import Directions, ParametricFunction
from randtensor.quantity import Draw, Sizes

__all__ = ["DenseFunction", "DenseParameters", "DenseSpace"]

Array = np.ndarray

#: Parameters of the samples that are evaluated side by side: a few arrays of this length are held at a time.
BLOCK_ENTRIES = 2**22

#: A model of few parameters is made in the time that it takes to handle this many numbers.
MODEL_ENTRIES = 2**13


@dataclass(frozen=True)
class DenseParameters:
    """The parameters of one block of samples, and the rest of the state of the model."""

    sizes: Mapping[str, int]
    start: DenseVector
    rest: Any

    @property
    def state(self) -> State:
        """What the model is evaluated at."""
        return self.start.blocks, self.rest

    def aligned(self, vector: DenseVector) -> dict[str, Any]:
        """The blocks of a vector in the order of the parameters, which transformations of trees go by."""
        return {name: vector.blocks[name] for name in self.start.blocks}


class DenseSpace:
    """The parameters of a model, with the law that its own initialisation gives them.

    Parameters
    ----------
    model : what the parameters belong to.
    sizes : of the scales, where the parameters are given.
    fixed : given parameters and the rest of the state, of one sample.
    """

    def __init__(self, model: Model, sizes: Mapping[str, int] | None = None, fixed: State | None = None) -> None:
        self.model, self.sizes, self.fixed = model, dict(sizes or {}), fixed
        self._shapes: dict[tuple[tuple[str, int], ...], dict[str, tuple[int, ...]]] = {}

    def shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters at these sizes."""
        everything = {**sizes, **self.sizes}
        key = tuple(sorted(everything.items()))
        if key not in self._shapes:
            self._shapes[key] = self.model.shapes(everything)
        return self._shapes[key]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(self.shapes(self.model.probes[0]))

    def sample(self, draw: Draw) -> DenseParameters:
        """The parameters of one block of samples."""
        found: DenseParameters = draw.remember(self, lambda: self._sample(draw))
        return found

    def _sample(self, draw: Draw) -> DenseParameters:
        sizes, library = {**draw.sizes, **self.sizes}, self.model.library
        if self.fixed is None:
            seeds = draw.generator.integers(2**32, size=(draw.batch, 2), dtype=np.uint32)
            blocks, rest = self.model.start(sizes, seeds)
        else:
            with library.context():
                broadcast = library.namespace.broadcast_to
                blocks, rest = (
                    {name: broadcast(array, (draw.batch, *array.shape)) for name, array in part.items()}
                    for part in self.fixed
                )
        return DenseParameters(sizes, DenseVector(blocks, library), rest)

    def dimension(self, slots: Sequence[str], draw: Draw) -> int:
        """Number of entries of some parameters."""
        shapes = self.shapes(draw.sizes)
        return sum(prod(shapes[slot]) for slot in slots)

    def random_vector(self, slots: Sequence[str], draw: Draw) -> DenseVector:
        """A standard Gaussian vector over some parameters."""
        shapes = self.shapes(draw.sizes)
        return self._vector({slot: draw.generator.standard_normal((draw.batch, *shapes[slot])) for slot in slots})

    def basis_vectors(self, slots: Sequence[str], draw: Draw) -> Iterator[DenseVector]:
        """The standard basis over some parameters, one after the other in row-major order."""
        shapes = self.shapes(draw.sizes)
        for slot in slots:
            for index in np.ndindex(*shapes[slot]):
                arrays = {name: np.zeros((draw.batch, *shapes[name])) for name in slots}
                arrays[slot][(slice(None), *index)] = 1.0
                yield self._vector(arrays)

    def _vector(self, arrays: Mapping[str, Array]) -> DenseVector:
        library = self.model.library
        with library.context():
            return DenseVector({name: library.array(array) for name, array in arrays.items()}, library)

    def entries(self, sizes: Sizes, vectors: int) -> int:
        """Numbers held per sample, and what it costs to make a model at all."""
        return MODEL_ENTRIES + sum(map(prod, self.shapes(sizes).values()))


class DenseFunction(ParametricFunction):
    """A model of PyTorch or JAX as a random function: what `randtensor.interop` makes of a factory.

    Parameters
    ----------
    space : its parameters.
    calculus : its values and derivatives.
    name : for messages; random streams are keyed by it.
    """

    def __init__(self, space: DenseSpace, calculus: Calculus, name: str) -> None:
        self.space, self.calculus, self.name = space, calculus, name
        self._outputs: dict[tuple[int, ...], int | None] = {}

    def __repr__(self) -> str:
        names = self.space.names
        shown = ", ".join(names[:4]) + (f", ... ({len(names)} in all)" if len(names) > 4 else "")
        return f"<{type(self).__name__} {self.name} of {self.calculus.model.library.name} over {shown}>"

    def at(self, parameters: Any) -> DenseFunction:
        """The same function at given parameters; sizes of the scales are those of the model that they fit.

        Parameters
        ----------
        parameters : a pair of the width (or of a mapping from scales to sizes) and of what the model holds: for PyTorch
            a module of the factory, or a mapping from names to arrays; for JAX a tree of parameters.

        Raises
        ------
        InputError, ShapeError : parameters that are missing, unknown, or do not have the shapes of the model.
        """
        model = self.calculus.model
        sizes, blocks, rest = model.given(parameters)
        expected = model.shapes(sizes)
        unknown = sorted(blocks.keys() ^ expected.keys())
        if unknown:
            raise ShapeError(f"{unknown[0]!r} is missing or unknown among the given parameters of {self.name}")
        for name, block in blocks.items():
            if tuple(block.shape) != expected[name]:
                raise ShapeError(
                    f"parameter {name!r} has shape {tuple(block.shape)}, expected {expected[name]} at {sizes}"
                )
        return type(self)(DenseSpace(model, sizes, (blocks, rest)), self.calculus, self.name)

    def slots(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        names: tuple[str, ...] = self.space.names
        return names

    def scale_names(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        return () if self.space.sizes else self.calculus.model.scale_names

    def block_length(self, sizes: Sizes) -> int:
        if self.space.fixed is not None:
            return 1
        return int(np.clip(BLOCK_ENTRIES // self.space.entries(sizes, 1), 1, 128))

    def fingerprint(self, shape: tuple[int, ...]) -> str:
        model = self.calculus.model
        text = f"{model.library.name}:{self.name}:{self.calculus.output}:{shape}:{sorted(self.space.sizes.items())}"
        text += "".join(repr(sorted(self.space.shapes(sizes).items())) for sizes in model.probes)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def outputs(self, shape: tuple[int, ...]) -> int | None:
        if shape not in self._outputs:
            self._outputs[shape] = self._find_outputs(shape)
        return self._outputs[shape]

    def _find_outputs(self, shape: tuple[int, ...]) -> int | None:
        """By trial at small sizes."""
        model = self.calculus.model
        found = [model.output_shape(sizes, self.calculus, shape) for sizes in model.probes]
        if len(set(found)) > 1:
            raise ShapeError(
                f"{self.name} has outputs of shapes {found[0]} and {found[1]} at {model.probes[0]} and "
                f"{model.probes[1]}, expected a number of outputs that does not grow"
            )
        return int(found[0][0]) if found[0] else None

    def close(self, draw: Draw, x: Array, directions: Directions, probes: Directions = ()) -> Array:
        parameters = self.space.sample(draw)
        vectors = [parameters.aligned(vector) for _, vector in (*directions, *probes)]
        return self.calculus.closed(parameters.sizes, parameters.state, x, vectors)

    def close_but_one(
        self, draw: Draw, x: Array, directions: Directions, component: int | None, probes: Directions = ()
    ) -> DenseVector:
        parameters = self.space.sample(draw)
        vectors = [parameters.aligned(vector) for _, vector in (*directions, *probes)]
        found = self.calculus.opened(parameters.sizes, parameters.state, x, vectors, component)
        return DenseVector(found, self.calculus.model.library)
