"""Vectors in parameter space, without ever storing an n x n block densely.

The gradient of a program with respect to a matrix W that multiplies h is (adjoint of W h) h^T: rank one per use. So a
direction in parameter space is a dense array for every vector parameter and, for every matrix, a short sum of outer
products, or a random matrix that is itself only revealed (the probes of trace estimators and of Lanczos).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from randtensor.arguments import as_array
from randtensor.programs.graph import Slot
from randtensor.revealed import RandomMatrix
from randtensor.revealed._rows import combine, inner

__all__ = ["LowRank", "ParameterVector", "Probe", "gram"]

Array = np.ndarray


@dataclass(frozen=True)
class LowRank:
    """The matrices ``sum_r weights[r] left[r] right[r]^T``: shapes (B, r, m), (B, r, n) and (B, r)."""

    left: Array
    right: Array
    weights: Array

    def apply(self, vectors: Array) -> Array:
        """Act on rows of shape (B, k, n), giving (B, k, m)."""
        return combine(inner(vectors, self.right) * self.weights[:, None, :], self.left)

    def apply_transposed(self, vectors: Array) -> Array:
        """Act transposed on rows of shape (B, k, m), giving (B, k, n)."""
        return combine(inner(vectors, self.left) * self.weights[:, None, :], self.right)

    def scaled(self, factor: Array) -> LowRank:
        """Times a number per sample, shape (B,)."""
        return LowRank(self.left, self.right, self.weights * factor[:, None])

    @staticmethod
    def total(terms: Sequence[LowRank]) -> LowRank:
        """The sum of several, with no more outer products than the smaller side has entries."""
        left = np.concatenate([term.left for term in terms], axis=1)
        right = np.concatenate([term.right for term in terms], axis=1)
        weights = np.concatenate([term.weights for term in terms], axis=1)
        batch, rank, rows = left.shape
        columns = right.shape[2]
        if rank <= min(rows, columns):
            return LowRank(left, right, weights)
        if columns <= rows:
            left = combine((right * weights[:, :, None]).swapaxes(1, 2), left)
            right = np.broadcast_to(np.eye(columns, like=left), (batch, columns, columns))
        else:
            right = combine((left * weights[:, :, None]).swapaxes(1, 2), right)
            left = np.broadcast_to(np.eye(rows, like=left), (batch, rows, rows))
        return LowRank(left, right, np.ones((batch, min(rows, columns)), like=left))


@dataclass(frozen=True)
class Probe:
    """A random matrix as a direction in parameter space."""

    matrix: RandomMatrix

    def apply(self, vectors: Array) -> Array:
        """Act on rows of shape (B, k, n), giving (B, k, m)."""
        return self.matrix.answer(vectors.copy())

    def apply_transposed(self, vectors: Array) -> Array:
        """Act transposed on rows of shape (B, k, m), giving (B, k, n)."""
        return self.matrix.answer_transposed(vectors.copy())


@dataclass(frozen=True)
class ParameterVector:
    """A vector over all parameters, for every sample of a batch; slots that are absent are zero."""

    arrays: dict[Slot, Array] = field(default_factory=dict)
    matrices: dict[Slot, LowRank | Probe] = field(default_factory=dict)

    def dot(self, other: ParameterVector) -> Array:
        """Inner products, shape (B,)."""
        total: Array | float = 0.0
        for slot, a in self.arrays.items():
            if slot not in other.arrays:
                continue
            b = other.arrays[slot]
            total = total + np.vecdot(a.reshape(len(a), -1), b.reshape(len(b), -1))
        for slot, block in self.matrices.items():
            if slot in other.matrices:
                total = total + _matrix_dot(block, other.matrices[slot])
        return as_array(total, float)

    def scaled(self, factor: Array) -> ParameterVector:
        """Times a number per sample, shape (B,); probes cannot be scaled."""
        arrays = {slot: a * factor.reshape(-1, *[1] * (a.ndim - 1)) for slot, a in self.arrays.items()}
        matrices: dict[Slot, LowRank | Probe] = {}
        for slot, block in self.matrices.items():
            assert isinstance(block, LowRank)
            matrices[slot] = block.scaled(factor)
        return ParameterVector(arrays, matrices)

    @staticmethod
    def combination(vectors: Sequence[ParameterVector], coefficients: Array) -> ParameterVector:
        """A linear combination with coefficients per sample, shape (B, len(vectors)); probes cannot be combined."""
        scaled = [vector.scaled(coefficients[:, k]) for k, vector in enumerate(vectors)]
        arrays: dict[Slot, Array] = {}
        blocks: dict[Slot, list[LowRank]] = {}
        for vector in scaled:
            for slot, array in vector.arrays.items():
                arrays[slot] = arrays[slot] + array if slot in arrays else array
            for slot, block in vector.matrices.items():
                assert isinstance(block, LowRank)
                blocks.setdefault(slot, []).append(block)
        return ParameterVector(arrays, {slot: LowRank.total(terms) for slot, terms in blocks.items()})


def gram(vectors: Sequence[ParameterVector], others: Sequence[ParameterVector], factors: Any = None) -> Array:
    """All inner products of vectors without probes, shape (B, len(vectors), len(others)).

    ``factors`` weigh the parameters by name; missing ones count as 1.
    """
    total: Array | float = 0.0
    slots = {slot: None for vector in vectors for slot in (*vector.arrays, *vector.matrices)}
    for slot in slots:
        factor = 1.0 if factors is None else factors.get(slot[0], 1.0)
        if any(slot in vector.arrays for vector in vectors):
            part = _array_gram([v.arrays.get(slot) for v in vectors], [v.arrays.get(slot) for v in others])
        else:
            part = _low_rank_gram([v.matrices.get(slot) for v in vectors], [v.matrices.get(slot) for v in others])
        total = total + factor * part
    return as_array(total, float)


def _array_gram(left: Sequence[Array | None], right: Sequence[Array | None]) -> Array:
    stacks = []
    for side in (left, right):
        some = next(array for array in (*left, *right) if array is not None)
        rows = [np.zeros_like(some) if array is None else array for array in side]
        stacks.append(np.stack([row.reshape(len(row), -1) for row in rows], axis=1))
    return inner(*stacks)


def _low_rank_gram(left: Sequence[Any], right: Sequence[Any]) -> Array:
    kept = [[(i, block) for i, block in enumerate(side) if block is not None] for side in (left, right)]
    batch = next(block for _, block in (*kept[0], *kept[1])).left.shape[0]
    total = np.zeros((batch, len(left), len(right)))
    if not kept[0] or not kept[1]:
        return total
    joined = [
        [np.concatenate([getattr(block, name) for _, block in side], axis=1) for name in ("left", "right", "weights")]
        for side in kept
    ]
    (left_rows, right_rows, weights), (left_columns, right_columns, others) = joined
    products = inner(left_rows, left_columns) * inner(right_rows, right_columns)
    products *= weights[:, :, None] * others[:, None, :]
    for axis, side in ((1, kept[0]), (2, kept[1])):
        starts = np.cumsum([0, *(block.left.shape[1] for _, block in side)])[:-1]
        products = np.add.reduceat(products, starts, axis=axis)
    total[np.ix_(range(batch), [i for i, _ in kept[0]], [j for j, _ in kept[1]])] = products
    return total


def _matrix_dot(a: LowRank | Probe, b: LowRank | Probe) -> Array:
    if isinstance(a, Probe):
        a, b = b, a
    assert isinstance(a, LowRank), "two probes have no inner product: their norms are never revealed"
    if isinstance(b, Probe):
        images = b.apply(a.right)
        return as_array((np.vecdot(images, a.left) * a.weights).sum(axis=-1))
    overlaps = inner(a.left, b.left) * inner(a.right, b.right)
    return as_array(np.vecdot(a.weights, np.matmul(overlaps, b.weights[:, :, None])[:, :, 0]))
