"""Vectors over parameters that a library for automatic differentiation holds as arrays, one row per sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from randtensor.interop.library import Library

__all__ = ["DenseLayout", "DenseVector"]

Array = np.ndarray


@dataclass(frozen=True)
class DenseVector:
    """A vector over all parameters, for every sample of a block.

    Attributes
    ----------
    blocks : arrays of the library by name of the parameter, shape (batch, *shape); absent ones are zero.
    library : what the arrays belong to.
    """

    blocks: Mapping[str, Any]
    library: Library

    def dot(self, other: DenseVector) -> Array:
        """Inner products, shape (batch,)."""
        return gram([self], [other])[:, 0, 0]

    def scaled(self, factor: Array) -> DenseVector:
        """Times a number per sample, shape (batch,)."""
        with self.library.context():
            factors = self.library.array(factor)
            moved = {name: block * factors.reshape(-1, *[1] * (block.ndim - 1)) for name, block in self.blocks.items()}
        return DenseVector(moved, self.library)

    @staticmethod
    def combination(vectors: Sequence[DenseVector], coefficients: Array) -> DenseVector:
        """A linear combination with coefficients per sample, shape (batch, len(vectors))."""
        library = vectors[0].library
        with library.context():
            weights = library.array(coefficients)
            blocks = {
                name: library.namespace.einsum(
                    "bk,kb...->b...", weights, library.namespace.stack([vector.blocks[name] for vector in vectors])
                )
                for name in vectors[0].blocks
            }
        return DenseVector(blocks, library)

    def __add__(self, other: DenseVector) -> DenseVector:
        blocks = dict(self.blocks)
        with self.library.context():
            for name, block in other.blocks.items():
                blocks[name] = blocks[name] + block if name in blocks else block
        return DenseVector(blocks, self.library)

    def __mul__(self, factor: float) -> DenseVector:
        with self.library.context():
            return DenseVector({name: block * factor for name, block in self.blocks.items()}, self.library)

    def rescaled(self, factors: Mapping[str, float]) -> DenseVector:
        """Every parameter times a number of its own, by name."""
        with self.library.context():
            blocks = {name: block * factors.get(name, 1.0) for name, block in self.blocks.items()}
        return DenseVector(blocks, self.library)

    def squared(self) -> DenseVector:
        """Every entry squared."""
        with self.library.context():
            return DenseVector({name: block * block for name, block in self.blocks.items()}, self.library)

    def over_root(self, squares: DenseVector, offset: float) -> DenseVector:
        """Every entry divided by the root of another's plus a number."""
        with self.library.context():
            blocks = {name: block / (squares.blocks[name] ** 0.5 + offset) for name, block in self.blocks.items()}
        return DenseVector(blocks, self.library)

    def without(self, samples: Array) -> DenseVector:
        """Zero for the samples of a mask, whatever it was."""
        with self.library.context():
            kept = self.library.namespace.asarray(~samples, device=self.library.device)
            blocks = {
                name: self.library.namespace.where(
                    kept.reshape(-1, *[1] * (block.ndim - 1)), block, self.library.namespace.zeros_like(block)
                )
                for name, block in self.blocks.items()
            }
        return DenseVector(blocks, self.library)

    def largest(self) -> Array:
        """The largest absolute value of an entry, shape (batch,)."""
        blocks = self.arrays().values()
        return np.asarray(np.max([abs(block).reshape(len(block), -1).max(axis=1) for block in blocks], axis=0))

    def arrays(self) -> dict[str, Array]:
        """The blocks as arrays of NumPy."""
        with self.library.context():
            return {name: self.library.numpy(block) for name, block in self.blocks.items()}

    def layout(self) -> DenseLayout:
        """How vectors like this one are laid out as numbers."""
        return DenseLayout({name: tuple(block.shape) for name, block in self.blocks.items()}, self.library)


@dataclass(frozen=True)
class DenseLayout:
    """Vectors whose blocks have these shapes, as one row of numbers: for integrators."""

    shapes: Mapping[str, tuple[int, ...]]
    library: Library

    def vector(self, point: DenseVector) -> Array:
        """The numbers of a vector."""
        arrays = point.arrays()
        return np.concatenate([arrays[name].ravel() for name in self.shapes])

    def point(self, vector: Array) -> DenseVector:
        """The vector with these numbers."""
        blocks, start = {}, 0
        with self.library.context():
            for name, shape in self.shapes.items():
                blocks[name] = self.library.array(vector[start : start + prod(shape)].reshape(shape))
                start += prod(shape)
        return DenseVector(blocks, self.library)


def gram(rows: Sequence[DenseVector], columns: Sequence[DenseVector], factors: Any = None) -> Array:
    """All inner products, shape (batch, len(rows), len(columns)); ``factors`` weigh the parameters by name."""
    library = rows[0].library
    total: Array | float = 0.0
    with library.context():
        for name in {name: None for vector in rows for name in vector.blocks}:
            sides = []
            for side in (rows, columns):
                kept = [vector.blocks[name] for vector in side if name in vector.blocks]
                if len(kept) < len(side):
                    break
                sides.append(library.namespace.stack([block.reshape(len(block), -1) for block in kept], 1))
            if len(sides) == 2:
                weight = 1.0 if factors is None else factors.get(name, 1.0)
                total = total + weight * library.numpy(library.namespace.einsum("brp,bsp->brs", *sides))
    return np.asarray(total, dtype=float)
