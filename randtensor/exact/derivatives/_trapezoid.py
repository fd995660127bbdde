"""Trapezoidal sums over a Gaussian vector, refined until two grids agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import mul
from typing import Any

import numpy as np

from randtensor.errors import ExactError
from randtensor.programs.activations import Activation

__all__ = ["stretched_grids", "trapezoidal_sums", "uniform_grids"]

Array = np.ndarray
Factor = tuple[int, int, int]

#: Points per direction and reach in standard deviations. Both grow, so that agreement of two grids tells that the
#: spacing and the cut-off are good enough.
GRIDS = (
    *((96, 12.0), (128, 13.0), (192, 14.5), (256, 16.0), (384, 16.5)),
    *((512, 17.0), (1024, 18.0), (2048, 19.0), (4096, 20.0)),
)

#: Points of the largest grid, in all directions together: a few seconds.
MAXIMUM_POINTS = 2**27

#: Points that are in memory at once.
CHUNK = 2**20

#: Agreement asked for, relative to the integral of the absolute value.
AGREEMENT = 1e-10

#: Below this, relative to the same integral, a value is the rounding error of one that vanishes by a symmetry.
NEGLIGIBLE = 1e-14


def trapezoidal_sums(
    activation: Activation, rows: Mapping[int, Array], monomials: Sequence[Sequence[Factor]]
) -> list[float]:
    """E prod phi^(k)(z_a)^e with z_a = rows[a] . y for standard normal y, one number per monomial of triples (a, k, e).

    Every row is as long as y, and every input occurs in every monomial.

    Raises
    ------
    ExactError : the sums do not converge, or are not finite.

    Examples
    --------
    >>> from randtensor.programs.activations import get_activation
    >>> rows = {0: np.array([1.0, 0.0]), 1: np.array([0.5, 0.5])}
    >>> (value,) = trapezoidal_sums(get_activation("sin"), rows, [((0, 1, 1), (1, 1, 1))])
    >>> abs(value - (math.exp(-0.25) + math.exp(-1.25)) / 2) < 1e-14
    True
    """
    rank = max(len(next(iter(rows.values()))), 1)
    deviation = max(float(np.linalg.norm(row)) for row in rows.values())
    # Activations with poles near the line need steps that grow with the distance from 0, where Gaussians are wide.
    for grids in (uniform_grids(rank, deviation), stretched_grids(rank, deviation)):
        previous: tuple[Array, Array] | None = None
        for points, weights in grids:
            with np.errstate(all="ignore"):
                values, sizes = _grid_sums(activation, rows, monomials, points, weights, rank)
            if not np.isfinite(sizes).all():
                raise ExactError(
                    f"the Gaussian integrals of {activation.name!r} and its derivatives are not finite, expected an "
                    f"activation that is defined and moderate on the whole line"
                )
            if previous is not None and np.all(np.abs(values - previous[0]) <= AGREEMENT * sizes):
                return [float(v) if abs(v) > NEGLIGIBLE * size else 0.0 for v, size in zip(values, sizes, strict=True)]
            previous = values, sizes
    raise ExactError(
        f"the pre-activations of {activation.name!r} have standard deviation {deviation:g}, for which its integrals "
        f"do not converge: expected shorter inputs"
    )


def uniform_grids(rank: int, deviation: float) -> Iterator[tuple[Array, Array]]:
    """Points and weights with equal steps."""
    for nodes, reach in GRIDS:
        # Two grids can agree by missing the activation altogether: its scale, which is 1, has to be resolved too.
        if nodes**rank <= MAXIMUM_POINTS and 2 * reach / nodes * deviation < 1.0:
            points = np.linspace(-reach, reach, nodes)
            weights = np.exp(-(points**2) / 2)
            yield points, weights / weights.sum()


def stretched_grids(rank: int, deviation: float) -> Iterator[tuple[Array, Array]]:
    """The same in t with deviation * y = sinh t: a logarithmic number of points; in one direction only."""
    for nodes, reach in GRIDS if rank == 1 and deviation > 1 else ():
        t = np.linspace(-1, 1, nodes) * np.arcsinh(reach * deviation)
        points = np.sinh(t) / deviation
        weights = np.exp(-(points**2) / 2) * np.cosh(t)
        yield points, weights / weights.sum()


def _grid_sums(
    activation: Activation,
    rows: Mapping[int, Array],
    monomials: Sequence[Sequence[Factor]],
    points: Array,
    weights: Array,
    rank: int,
) -> tuple[Array, Array]:
    """All integrals and the integrals of the absolute values, on one grid."""
    nodes = len(points)
    orders = {a: max(k for monomial in monomials for b, k, _ in monomial if a == b) for a in rows}
    totals = np.zeros((2, len(monomials)))
    step = max(CHUNK // nodes ** (rank - 1), 1)
    for start in range(0, nodes, step):
        chunk = slice(start, start + step)
        sums = _NestedSums(activation, rows, orders, points, weights, chunk, rank)
        totals += np.array([sums.of(tuple(monomial), 0) for monomial in monomials]).T
    return totals[0], totals[1]


class _NestedSums:
    """Sums over one slab of the grid, innermost direction first; what monomials share is summed once."""

    def __init__(
        self,
        activation: Activation,
        rows: Mapping[int, Array],
        orders: Mapping[int, int],
        points: Array,
        weights: Array,
        chunk: slice,
        rank: int,
    ) -> None:
        self.rank = rank
        self.weights = [weights[chunk]] + [weights] * (rank - 1)
        self.levels = {a: int(max(np.flatnonzero(row), default=0)) for a, row in rows.items()}
        self.derivatives: dict[int, list[Array]] = {}
        for a, row in rows.items():
            axes = [points[chunk]] + [points] * self.levels[a]
            grids = np.meshgrid(*axes, indexing="ij", sparse=True)
            coordinates = row[: len(axes)] if len(row) else np.zeros(1)
            z: Any = sum(c * grid for c, grid in zip(coordinates, grids, strict=True))
            taylor = activation.taylor(z, max(orders[a], 1))
            self.derivatives[a] = [math.factorial(k) * c for k, c in enumerate(taylor)]
        self._known: dict[tuple[Factor, ...], tuple[Any, Any]] = {}

    def of(self, monomial: tuple[Factor, ...], level: int) -> tuple[Any, Any]:
        """The sum and the sum of absolute values over the directions from ``level`` on."""
        if level == self.rank:
            return 1.0, 1.0
        key = tuple(factor for factor in monomial if self.levels[factor[0]] >= level)
        if key not in self._known:
            inner, size = self.of(key, level + 1)
            here = [self.derivatives[a][k] for a, k, e in key if self.levels[a] == level for _ in range(e)]
            product = reduce(mul, here)
            weights = self.weights[level]
            self._known[key] = (product * inner) @ weights, (np.abs(product) * size) @ weights
        return self._known[key]
