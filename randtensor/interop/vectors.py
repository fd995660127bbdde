"""Vectors over parameters that a library for automatic differentiation holds as arrays, one row per sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    blocks : arrays of the library by name of the parameter, shape (batch, *shape).
    library : what the arrays belong to.
    """

    blocks: Mapping[str, Any]
    library: Library

    def dot(self, other: DenseVector) -> Array:
        """Inner products, shape (batch,)."""
        return gram([self], [other])[:, 0, 0]

    def scaled(self, factor: Array) -> DenseVector:
        """Times a number per sample, shape (batch,)."""
        return self._made(_scaled, self.blocks, self._factors(factor))

    @staticmethod
    def combination(vectors: Sequence[DenseVector], coefficients: Array) -> DenseVector:
        """A linear combination with coefficients per sample, shape (batch, len(vectors))."""
        total = vectors[0].scaled(coefficients[:, 0])
        for k, vector in enumerate(vectors[1:], start=1):
            total = total._made(_scaled_sum, total.blocks, vector.blocks, vector._factors(coefficients[:, k]))
        return total

    def __add__(self, other: DenseVector) -> DenseVector:
        return self._made(_sum, self.blocks, other.blocks)

    def __mul__(self, factor: float) -> DenseVector:
        return self._made(_multiple, self.blocks, float(factor))

    def rescaled(self, factors: Mapping[str, float]) -> DenseVector:
        """Every parameter times a number of its own, by name."""
        return self._made(_rescaled, self.blocks, {name: float(factors.get(name, 1.0)) for name in self.blocks})

    def squared(self) -> DenseVector:
        """Every entry squared."""
        return self._made(_squared, self.blocks)

    def over_root(self, squares: DenseVector, offset: float) -> DenseVector:
        """Every entry divided by the root of another's plus a number."""
        return self._made(_over_root, self.blocks, squares.blocks, float(offset))

    def _factors(self, numbers: Array) -> Any:
        with self.library.context():
            return self.library.array(numbers)

    def _made(self, function: Callable[..., Any], *arguments: Any) -> DenseVector:
        trees = [dict(argument) if isinstance(argument, Mapping) else argument for argument in arguments]
        return DenseVector(self.library.run(function, *trees), self.library)

    def without(self, samples: Array) -> DenseVector:
        """Zero for the samples of a mask, whatever it was."""
        with self.library.context():
            kept = self.library.namespace.asarray(~samples, device=self.library.device)
            blocks = {
                name: self.library.namespace.where(
                    _column(kept, block), block, self.library.namespace.zeros_like(block)
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
        for name in rows[0].blocks:
            left, right = ([vector.blocks[name] for vector in side] for side in (rows, columns))
            weight = 1.0 if factors is None else factors.get(name, 1.0)
            total = total + weight * library.numpy(library.run(library.products, left, right))
    return np.asarray(total, dtype=float)


def _column(factors: Any, block: Any) -> Any:
    """Numbers per sample, to be multiplied with a block."""
    return factors.reshape(-1, *[1] * (block.ndim - 1))


def _scaled(blocks: Any, factors: Any) -> Any:
    return {name: block * _column(factors, block) for name, block in blocks.items()}


def _scaled_sum(blocks: Any, others: Any, factors: Any) -> Any:
    return {name: block + others[name] * _column(factors, block) for name, block in blocks.items()}


def _sum(blocks: Any, others: Any) -> Any:
    return {name: block + others[name] for name, block in blocks.items()}


def _multiple(blocks: Any, factor: Any) -> Any:
    return {name: block * factor for name, block in blocks.items()}


def _rescaled(blocks: Any, factors: Any) -> Any:
    return {name: block * factors[name] for name, block in blocks.items()}


def _squared(blocks: Any) -> Any:
    return {name: block * block for name, block in blocks.items()}


def _over_root(blocks: Any, squares: Any, offset: Any) -> Any:
    return {name: block / (squares[name] ** 0.5 + offset) for name, block in blocks.items()}
