"""The arc-cosine kernel, averaged over rotations of blocks of coordinates.

For unit vectors u, v with q = u . v and x ~ N(0, I), the arc-cosine kernel of order one and its derivative are (Cho &
Saul, NIPS 2009)

    k(q) = E max(u.x, 0) max(v.x, 0) = (sqrt(1 - q^2) + q (pi - arccos q)) / (2 pi),  k'(q) = (pi - arccos q) / (2 pi),

and E[1{u.x > 0} max(v.x, 0) x] = sqrt(1 - q^2)/(2 pi) u + k'(q) v.

Blocks of coordinates under whose rotations everything is invariant are reduced to one coordinate, their length: the
inner product of two directions is then averaged over r, one coordinate of a uniform point of the sphere in that block.
Whole networks, the reduction to H and one more coordinate, and that to two lengths are one computation with other
averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import positive_integer
from randtensor.errors import InputError
from randtensor.mean_field.checks import check_subspace
from randtensor.mean_field.neurons import Neurons

__all__ = ["BlockAverages", "check_multiplicities", "sphere_coordinate", "uniform_directions"]

Array = NDArray[np.float64]

_HELD = 2**16  # pairs of neurons, for all nodes of an average that are taken at once

_NODES = 48  # of the average over one block; what is left is below 1e-6 for blocks of 2, 1e-9 for larger ones


@cache
def sphere_coordinate(dimension: int, nodes: int = _NODES) -> tuple[Array, Array]:
    """Nodes and weights for one coordinate r of a uniform point of the sphere in so many dimensions.

    The density is proportional to (1 - r^2)^((k - 3)/2) on [-1, 1]; for k = 1 it is a coin, r = 1 or -1.

    >>> r, weights = sphere_coordinate(5)
    >>> bool(abs(weights.sum() - 1) < 1e-12), bool(abs(weights @ r**2 - 1 / 5) < 1e-12)
    (True, True)
    """
    if dimension == 1:
        return np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    from scipy.special import roots_jacobi, roots_legendre

    if dimension < 10:
        # Kernels have roots of 1 - r^2 as a factor where directions meet; in r = sin psi these are smooth.
        x, weights = roots_legendre(nodes)
        r, weights = np.sin(np.pi / 2 * x), weights * np.cos(np.pi / 2 * x) ** (dimension - 2)
    else:
        r, weights = roots_jacobi(nodes, (dimension - 3) / 2, (dimension - 3) / 2)
    return np.asarray(r), np.asarray(weights / weights.sum())


class BlockAverages:
    """Weights and diagonals D with E k(u . D v): one for every choice of nodes of the reduced blocks."""

    def __init__(self, multiplicities: Sequence[int]) -> None:
        rules = [sphere_coordinate(k) if k else (np.ones(1), np.ones(1)) for k in multiplicities]
        reduced = [position for position, k in enumerate(multiplicities) if k]
        if not reduced:
            # the plain network, without a node per coordinate
            self.weights, self.diagonals = np.ones(1), np.ones((1, len(multiplicities)))
            return
        self.diagonals = np.array(list(product(*(rule[0] for rule in rules))))
        self.weights = np.array(list(product(*(rule[1] for rule in rules)))).prod(axis=1)

    def elements(self, width: int) -> int:
        """Numbers that `field` holds at once per network."""
        return width**2 * min(self._chunk(width, width), len(self.weights))

    @staticmethod
    def _chunk(rows: int, width: int) -> int:
        return max(_HELD // (rows * width), 1)

    def field(self, source: Neurons, at: Array) -> Array:
        """E[f(x) 1{b.x > 0} x] of the function f of ``source``, averaged, at the rows b of ``at``."""
        lengths = np.linalg.norm(source.b, axis=-1, keepdims=True)
        directions = source.b / np.where(lengths > 0, lengths, 1.0)
        charge = source.a * lengths[..., 0] / (2 * np.pi * source.width)
        reached = np.linalg.norm(at, axis=-1, keepdims=True)
        units = at / np.where(reached > 0, reached, 1.0)
        total = np.zeros(np.broadcast_shapes(units.shape[:-2], directions.shape[:-2]) + units.shape[-2:])
        # as many nodes at once for one network as for many: sums have the same bits
        chunk = self._chunk(units.shape[-2], source.width)
        for first in range(0, len(self.weights), chunk):
            weights = self.weights[first : first + chunk, None, None]
            others = directions[..., None, :, :] * self.diagonals[first : first + chunk, None, :]
            q = units[..., None, :, :] @ others.swapaxes(-1, -2)
            # Nearby directions are one: arccos would turn the rounding of q = 1 into an angle of 1e-8.
            np.clip(q * (1 + 4e-16), -1.0, 1.0, out=q)
            sines = np.sqrt((1 - q) * (1 + q))
            total += units * (weights * (sines @ charge[..., None, :, None])).sum(axis=-3)
            np.arccos(-q, out=q)
            total += (weights * (q @ (charge[..., None, :, None] * others))).sum(axis=-3)
        # A neuron without direction has none of x on its active side.
        return np.asarray(np.where(reached > 0, total, 0.0))


def uniform_directions(dimension: int, subspace: int, nodes: int) -> tuple[Array, Array]:
    """Points and weights for a uniform direction, as the coordinates within H and the length across.

    A product rule, coordinate by coordinate: each is one coordinate of a uniform point of the sphere that is left.

    Parameters
    ----------
    dimension, subspace : d of the inputs and dim H.
    nodes : per coordinate of H.

    Returns
    -------
    Arrays of shapes (nodes**subspace, subspace + 1) and (nodes**subspace,).

    >>> points, weights = uniform_directions(6, 2, 16)
    >>> points.shape, bool(abs(weights @ points[:, :2] ** 2 - 1 / 6).max() < 1e-9)
    ((256, 3), True)
    """
    check_subspace(dimension, subspace)
    positive_integer("nodes", nodes)
    points, weights, left = np.zeros((1, 0)), np.ones(1), np.ones(1)
    for coordinate in range(subspace):
        r, w = sphere_coordinate(dimension - coordinate, nodes)
        fresh = np.outer(left, r)
        points = np.concatenate([np.repeat(points, len(r), axis=0), fresh.reshape(-1, 1)], axis=1)
        weights, left = np.outer(weights, w).ravel(), np.outer(left, np.sqrt((1 - r) * (1 + r))).ravel()
    return np.concatenate([points, left[:, None]], axis=1), weights


def check_multiplicities(multiplicities: Sequence[int] | None, dimension: int) -> tuple[int, ...]:
    """One multiplicity per coordinate.

    Raises
    ------
    InputError : another number of them, or ones that are no sizes.
    """
    given = [0] * dimension if multiplicities is None else list(multiplicities) if np.iterable(multiplicities) else []
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 0 for k in given)
    if not whole or len(given) != dimension:
        raise InputError(
            f"multiplicities is {multiplicities!r}, expected {dimension} sizes of blocks, 0 for a coordinate as it is"
        )
    return tuple(map(int, given))
