"""Target functions at Gaussian inputs, through what the dynamics of networks need of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array
from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.averages import BlockAverages, check_multiplicities, sphere_coordinate
from randtensor.mean_field.checks import check_inputs, check_subspace
from randtensor.mean_field.neurons import Neurons
from randtensor.mean_field.risks import digest

__all__ = ["OddTarget", "SubspaceNorm", "Target", "Teacher"]

Array = NDArray[np.float64]


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
        self._averages = BlockAverages(self.multiplicities)

    @property
    def dimension(self) -> int:
        """Of the inputs."""
        return self.neurons.dimension

    @property
    def power(self) -> float:
        """E f*(x)^2."""
        b = self.neurons.b
        return float((self.neurons.a * (b * self.field(b)).sum(axis=-1)).mean())

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the target."""
        return f"teacher:{self.multiplicities}:{digest(self.neurons.a, self.neurons.b)}"

    def field(self, at: Array) -> Array:
        """E[f*(x) 1{b.x > 0} x] at the rows b of ``at``, shape (..., k, d)."""
        return self._averages.field(self.neurons, at)

    def __call__(self, X: Any) -> Array:
        """f* at the rows of ``X``, shape (S,)."""
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
        self.linear = finite_array("linear", linear)
        if self.linear.ndim != 1 or not len(self.linear):
            raise ShapeError(f"linear has shape {self.linear.shape}, expected (d,)")
        least = float(self.linear @ self.linear)
        self.power = least if power is None else float(finite_array("power", power))
        if self.power < least * (1 - 1e-12):
            raise InputError(f"power is {power!r}, expected at least {least:g}, that of the linear part")

    @property
    def dimension(self) -> int:
        """Of the inputs."""
        return len(self.linear)

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the target."""
        return f"odd:{digest(self.linear)}:{self.power!r}"

    def field(self, at: Array) -> Array:
        """E[f*(x) 1{b.x > 0} x] at the rows b of ``at``, shape (..., k, d)."""
        return np.asarray(np.broadcast_to(self.linear / 2, at.shape))

    def __call__(self, X: Any) -> Array:
        """The linear part at the rows of ``X``."""
        return np.asarray(check_inputs(X, self.dimension) @ self.linear)


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
        """Stable text that identifies the target."""
        return f"norm:{self.dimension}:{self.subspace}"

    def reduced(self) -> Teacher:
        """The same target in two coordinates, the lengths of p_H b and of the rest, for networks reduced alike."""
        return Teacher(
            Neurons(np.array([self.mass]), np.array([[1.0, 0.0]])), [self.subspace, self.dimension - self.subspace]
        )

    def field(self, at: Array) -> Array:
        """E[f*(x) 1{b.x > 0} x] at the rows b of ``at``, shape (..., k, d)."""
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
        """f* at the rows of ``X``, shape (S,)."""
        return np.asarray(np.linalg.norm(check_inputs(X, self.dimension)[:, : self.subspace], axis=1))
