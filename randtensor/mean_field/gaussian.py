"""Population risks at Gaussian inputs in closed form, for whole networks and for their reductions by rotations.

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
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.neurons import Neurons, check_numbers, check_subspace
from randtensor.mean_field.risks import digest

__all__ = ["GaussianRisk", "OddTarget", "SubspaceNorm", "Target", "Teacher", "sphere_coordinate", "uniform_directions"]

Array = NDArray[np.float64]

_HELD = 2**16  # pairs of neurons, for all nodes of an average that are taken at once

_NODES = 48  # of the average over one block; what is left is below 1e-6 for blocks of 2, 1e-9 for larger ones


class Target(Protocol):
    """A function f* of x ~ N(0, I), through what the dynamics need of it."""

    @property
    def dimension(self) -> int:
        """Of the inputs."""

    @property
    def power(self) -> float:
        """E f*(x)^2."""

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the target."""

    def field(self, at: Array) -> Array:
        """E[f*(x) 1{b.x > 0} x] at the rows b of ``at``, shape (..., k, d)."""

    def __call__(self, X: Any) -> Array:
        """f* at the rows of ``X``."""


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


class _Averages:
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

    def field(self, source: Neurons, at: Array) -> Array:
        """E[f(x) 1{b.x > 0} x] of the function f of ``source``, averaged, at the rows b of ``at``."""
        lengths = np.linalg.norm(source.b, axis=-1, keepdims=True)
        directions = source.b / np.where(lengths > 0, lengths, 1.0)
        charge = source.a * lengths[..., 0] / (2 * np.pi * source.width)
        reached = np.linalg.norm(at, axis=-1, keepdims=True)
        units = at / np.where(reached > 0, reached, 1.0)
        total = np.zeros(np.broadcast_shapes(units.shape[:-2], directions.shape[:-2]) + units.shape[-2:])
        pairs = max(total[..., 0].size * source.width, 1)
        chunk = max(_HELD // pairs, 1)
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


class Teacher:
    """A network as the target: sums of positive parts such as |x_1| = max(x_1, 0) + max(-x_1, 0).

    Parameters
    ----------
    neurons : one network.
    multiplicities : as for `GaussianRisk`, in whose coordinates the neurons are given.

    Examples
    --------
    >>> target = Teacher(Neurons([2.0, 2.0], [[1.0, 0.0], [-1.0, 0.0]]))
    >>> target([[-3.0, 1.0]]).tolist(), round(target.power, 12)
    ([3.0], 1.0)
    """

    def __init__(self, neurons: Neurons, multiplicities: Sequence[int] | None = None) -> None:
        if neurons.a.ndim != 1:
            raise ShapeError(f"neurons have shape {neurons.a.shape}, expected (m,): one network")
        self.neurons = neurons
        self.multiplicities = check_multiplicities(multiplicities, neurons.dimension)
        self._averages = _Averages(self.multiplicities)

    @property
    def dimension(self) -> int:
        return self.neurons.dimension

    @property
    def power(self) -> float:
        b = self.neurons.b
        return float((self.neurons.a * (b * self.field(b)).sum(axis=-1)).mean())

    @property
    def fingerprint(self) -> str:
        return f"teacher:{self.multiplicities}:{digest(self.neurons.a, self.neurons.b)}"

    def field(self, at: Array) -> Array:
        return self._averages.field(self.neurons, at)

    def __call__(self, X: Any) -> Array:
        if any(self.multiplicities):
            raise InputError(f"the target is reduced by blocks {self.multiplicities}, expected one of whole inputs")
        return self.neurons(X)


class OddTarget:
    """An odd target: only its linear part E[f*(x) x] drives the dynamics of a network that is odd, too.

    Parameters
    ----------
    linear : E[f*(x) x] at x ~ N(0, I), shape (d,): the coefficients of the best linear predictor.
    power : E f*(x)^2; None for a target that is linear.

    Raises
    ------
    InputError : a power below that of the linear part.

    Examples
    --------
    >>> target = OddTarget([3.0, 0.0])
    >>> target.power, target.field(np.array([[1.0, 0.0]])).tolist()
    (9.0, [[1.5, 0.0]])
    """

    def __init__(self, linear: Any, power: float | None = None) -> None:
        self.linear = check_numbers("linear", linear)
        if self.linear.ndim != 1:
            raise ShapeError(f"linear has shape {self.linear.shape}, expected (d,)")
        least = float(self.linear @ self.linear)
        self.power = least if power is None else float(power)
        if self.power < least * (1 - 1e-12):
            raise InputError(f"power is {power!r}, expected at least {least:g}, that of the linear part")

    @property
    def dimension(self) -> int:
        return len(self.linear)

    @property
    def fingerprint(self) -> str:
        return f"odd:{digest(self.linear)}:{self.power!r}"

    def field(self, at: Array) -> Array:
        return np.asarray(np.broadcast_to(self.linear / 2, at.shape))

    def __call__(self, X: Any) -> Array:
        """The linear part at the rows of ``X``."""
        return np.asarray(check_numbers("X", X) @ self.linear)


class SubspaceNorm:
    """f*(x) = |p_H x|, the distance from the complement of the span H of the first coordinates.

    It is the network of positive mass alpha = 2 pi^(1/2) Gamma((h + 1)/2) / Gamma(h/2), spread uniformly over the unit
    sphere of H, h = dim H: that is the global minimiser among functions of the angle with H.

    Parameters
    ----------
    dimension : d of the inputs.
    subspace : dim H, from 1 to d - 1.

    Raises
    ------
    InputError : a subspace that is none.

    Examples
    --------
    >>> target = SubspaceNorm(10, 3)
    >>> round(target.mass, 12), target.power, target([[3.0, 4.0, 0.0] + [1.0] * 7]).tolist()
    (4.0, 3.0, [5.0])
    """

    def __init__(self, dimension: int, subspace: int) -> None:
        check_subspace(dimension, subspace)
        self.dimension, self.subspace = int(dimension), int(subspace)
        self.power = float(subspace)

    @property
    def mass(self) -> float:
        """alpha, the mass of the minimiser."""
        from scipy.special import gammaln

        h = self.subspace
        return float(2 * np.sqrt(np.pi) * np.exp(gammaln((h + 1) / 2) - gammaln(h / 2)))

    @property
    def fingerprint(self) -> str:
        return f"norm:{self.dimension}:{self.subspace}"

    def reduced(self) -> Teacher:
        """The same target in two coordinates, the lengths of p_H b and of the rest, for networks reduced alike."""
        return Teacher(
            Neurons(np.array([self.mass]), np.array([[1.0, 0.0]])), [self.subspace, self.dimension - self.subspace]
        )

    def field(self, at: Array) -> Array:
        # f* = mass times the average of max(z . x, 0) over unit vectors z of H, with z . u = r |p_H u|. The average
        # over r is twice that over r > 0, with pi - arccos q left at its odd part, arcsin q.
        lengths = np.linalg.norm(at, axis=-1, keepdims=True)
        u = at / np.where(lengths > 0, lengths, 1.0)
        within = u[..., : self.subspace]
        cosine = np.linalg.norm(within, axis=-1, keepdims=True)
        r, weights = sphere_coordinate(self.subspace)
        r, weights = r[r > 0], 2 * weights[r > 0]
        q = np.minimum(cosine * r, 1.0)
        result = u * (np.sqrt((1 - q) * (1 + q)) @ weights)[..., None]
        pull = (np.arcsin(q) @ (weights * r))[..., None]
        result[..., : self.subspace] += within / np.where(cosine > 0, cosine, 1.0) * pull
        return np.asarray(self.mass / (2 * np.pi) * result)

    def __call__(self, X: Any) -> Array:
        return np.asarray(np.linalg.norm(check_numbers("X", X)[:, : self.subspace], axis=1))


class GaussianRisk:
    """The population risk E (f*(x) - f(x))^2 / 2 at x ~ N(0, I), or N(0, C), without sampling.

    A step costs O(m^2 d). The kernel is differentiable, so that the flow of finite networks is one of ordinary
    differential equations with continuous right-hand sides.

    Parameters
    ----------
    target : a `Teacher`, an `OddTarget`, a `SubspaceNorm`, or anything with the methods of `Target`.
    multiplicities : one number per coordinate of the neurons: 0 for a coordinate as it is, k for the length of a block
        of k dimensions under whose rotations networks and target are invariant. None: all as they are. So
        ``[0] * h + [d - h]`` reduces a target of the first h coordinates to h + 1 dimensions, and ``[h, d - h]`` one of
        |p_H x| to two.
    covariance : C, positive definite, shape (d, d); only without multiplicities. ``target`` is then a function of the
        whitened inputs C^(-1/2) x.

    Raises
    ------
    ShapeError, InputError : arguments that do not fit each other, or a covariance that is none.

    Examples
    --------
    >>> risk = GaussianRisk(SubspaceNorm(10, 3))
    >>> float(risk.loss(Neurons([0.0], [[1.0] * 10])))  # half the power of the target
    1.5
    >>> reduced = GaussianRisk(SubspaceNorm(10, 3).reduced(), [3, 7])
    >>> abs(round(float(reduced.loss(Neurons([4.0], [[1.0, 0.0]]))), 6))  # the minimiser has mass 4 within H
    0.0
    """

    def __init__(self, target: Target, multiplicities: Sequence[int] | None = None, *, covariance: Any = None) -> None:
        self.target = target
        self.multiplicities = check_multiplicities(multiplicities, target.dimension)
        theirs = getattr(target, "multiplicities", self.multiplicities)
        if theirs != self.multiplicities:
            raise InputError(
                f"multiplicities is {self.multiplicities}, but the target has {theirs}, expected the same blocks"
            )
        self._averages = _Averages(self.multiplicities)
        self._root = None if covariance is None else self._square_root(covariance)

    @property
    def dimension(self) -> int:
        return self.target.dimension

    @property
    def fingerprint(self) -> str:
        root = "" if self._root is None else digest(self._root)
        return f"gaussian:{self.multiplicities}:{root}:{self.target.fingerprint}"

    def elements(self, width: int) -> int:
        return width**2

    def field(self, neurons: Neurons, at: Array | None = None) -> Array:
        rows = neurons.b if at is None else at
        if self._root is None:
            return self._whitened(neurons, rows)
        inner = Neurons(neurons.a, neurons.b @ self._root)
        return np.asarray(self._whitened(inner, rows @ self._root) @ self._root)

    def loss(self, neurons: Neurons) -> Array:
        inner = neurons if self._root is None else Neurons(neurons.a, neurons.b @ self._root)
        pull = 2 * self.target.field(inner.b) - self._averages.field(inner, inner.b)
        return np.asarray((self.target.power - (inner.a * (inner.b * pull).sum(axis=-1)).mean(axis=-1)) / 2)

    def _whitened(self, neurons: Neurons, rows: Array) -> Array:
        return np.asarray(self.target.field(rows) - self._averages.field(neurons, rows))

    def _square_root(self, covariance: Any) -> Array:
        matrix = check_numbers("covariance", covariance)
        if any(self.multiplicities):
            raise InputError(f"covariance is given beside multiplicities {self.multiplicities}, expected one of them")
        if matrix.shape != (self.dimension, self.dimension):
            raise ShapeError(f"covariance has shape {matrix.shape}, expected {(self.dimension, self.dimension)}")
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        if np.abs(matrix - matrix.T).max() > 1e-9 * np.abs(matrix).max() or values[0] <= 0:
            raise InputError(
                f"covariance has the smallest eigenvalue {values[0]:.3g}, "
                "expected a symmetric, positive definite matrix"
            )
        return np.asarray((vectors * np.sqrt(values)) @ vectors.T)


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
    given = [0] * dimension if multiplicities is None else list(multiplicities)
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 0 for k in given)
    if not whole or len(given) != dimension:
        raise InputError(
            f"multiplicities is {multiplicities!r}, expected {dimension} sizes of blocks, 0 for a coordinate as it is"
        )
    return tuple(map(int, given))
