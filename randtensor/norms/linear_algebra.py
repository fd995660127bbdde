"""Stacked tensors and matrices: scales, largest singular values, unfoldings, nuclear norms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from randtensor.errors import InputError

__all__ = [
    "bipartitions",
    "frobenius",
    "largest_singular_values",
    "nuclear",
    "principal_axes",
    "rescaled",
    "slices",
    "unfolded",
]

Array = np.ndarray


def rescaled(arrays: Array) -> tuple[Array, Array]:
    """Each sample over a power of two that brings its entries to order one, and the exponents, shape (B,).

    A norm of the result, times the power of two (``np.ldexp``), is the norm of the sample: squares of entries neither
    overflow nor underflow, and since powers of two are exact no bit is lost on the way.

    Raises
    ------
    InputError : an entry that is infinite or not a number.

    >>> arrays, exponents = rescaled(np.array([[3.0, -4.0], [0.0, 0.0]]) * 2.0**600)
    >>> arrays.tolist(), exponents.tolist()
    ([[0.375, -0.5], [0.0, 0.0]], [603, 0])
    """
    dtype = complex if np.iscomplexobj(arrays) else float
    # Real and imaginary parts apart: the absolute value of a large complex number may overflow.
    parts = np.ascontiguousarray(arrays, dtype=dtype).reshape(len(arrays), -1).view(float)
    largest = np.maximum(parts.max(axis=1, initial=0.0), -parts.min(axis=1, initial=0.0))
    if not np.isfinite(largest).all():
        raise InputError("the tensor has an entry that is infinite or not a number, expected finite ones for a norm")
    # A power of two beyond these has no inverse; entries that far out come near enough to one.
    exponents = np.clip(np.frexp(largest)[1], -1000, 1000)
    parts = parts * np.ldexp(1.0, -exponents)[:, None]
    return parts.view(dtype).reshape(arrays.shape), exponents


def frobenius(arrays: Array) -> Array:
    """Root of the sum of squared absolute values over all axes but the first.

    >>> frobenius(np.ones((1, 2, 2))).tolist()
    [2.0]
    """
    return np.asarray(np.linalg.norm(arrays.reshape(len(arrays), -1), axis=1))


def unfolded(tensors: Array, rows: Sequence[int]) -> Array:
    """The unfoldings of tensors, shape (B, n_1, .., n_p), whose rows are the given axes, counted without the batch.

    >>> unfolded(np.zeros((1, 2, 3, 4)), (0, 2)).shape
    (1, 8, 3)
    """
    columns = [axis for axis in range(tensors.ndim - 1) if axis not in rows]
    moved = tensors.transpose(0, *(axis + 1 for axis in (*rows, *columns)))
    return moved.reshape(len(tensors), int(np.prod([tensors.shape[axis + 1] for axis in rows])), -1)


def bipartitions(order: int) -> list[tuple[int, ...]]:
    """The ways to unfold a tensor of this order into a matrix, up to transposition, by the axes of the rows.

    >>> bipartitions(3)
    [(0,), (1,), (2,)]
    """
    short = [axes for size in range(1, order // 2 + 1) for axes in combinations(range(order), size)]
    return [axes for axes in short if 2 * len(axes) < order or 0 in axes]


def largest_singular_values(matrices: Array) -> Array:
    """Largest singular values of stacked matrices, from the Gram matrix on the shorter side, shape (B,).

    >>> largest_singular_values(np.array([[[3.0, 0.0, 4.0]]])).tolist()
    [5.0]
    """
    scale = np.abs(matrices).max(axis=(1, 2), keepdims=True, initial=0.0)
    matrices = matrices / np.where(scale == 0, 1.0, scale)
    adjoint = np.conj(matrices).swapaxes(1, 2)
    gram = matrices @ adjoint if matrices.shape[1] <= matrices.shape[2] else adjoint @ matrices
    return np.asarray(np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[:, -1], 0.0)) * scale[:, 0, 0])


def nuclear(matrices: Array) -> Array:
    """Sums of singular values of stacked matrices, over the last two axes.

    >>> nuclear(np.eye(3)).round(12).tolist()
    3.0
    """
    return np.asarray(np.linalg.svd(matrices, compute_uv=False).sum(axis=-1))


def slices(tensors: Array, axes: tuple[int, int]) -> Array:
    """The matrices over two axes, one for each value of the others, shape (B, count, n_i, n_j).

    >>> slices(np.zeros((1, 2, 3, 4)), (0, 2)).shape
    (1, 3, 2, 4)
    """
    moved = np.moveaxis(tensors, (axes[0] + 1, axes[1] + 1), (-2, -1))
    return moved.reshape(len(tensors), -1, *moved.shape[-2:])


def principal_axes(tensors: Array) -> Array:
    """The tensors in the bases of left singular vectors of their unfoldings (De Lathauwer et al. 2000).

    >>> principal_axes(np.full((1, 2, 2, 2), 1.0)).round(9)[0].nonzero()
    (array([1]), array([1]), array([1]))
    """
    for axis in range(1, tensors.ndim):
        matrix = unfolded(tensors, (axis - 1,))
        _, basis = np.linalg.eigh(matrix @ np.conj(matrix).swapaxes(1, 2))
        moved = np.conj(basis).swapaxes(1, 2) @ matrix
        shape = np.moveaxis(tensors, axis, 1).shape
        tensors = np.moveaxis(moved.reshape(shape), 1, axis)
    return tensors
