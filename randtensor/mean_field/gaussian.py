"""Population risks at Gaussian inputs in closed form, for whole networks and for their reductions by rotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import InputError
from randtensor.mean_field.averages import BlockAverages, check_multiplicities
from randtensor.mean_field.checks import check_covariance, check_dimension
from randtensor.mean_field.neurons import Neurons
from randtensor.mean_field.risks import digest
from randtensor.mean_field.targets import Target

__all__ = ["GaussianRisk"]

Array = NDArray[np.float64]


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
    >>> from randtensor.mean_field import SubspaceNorm
    >>> risk = GaussianRisk(SubspaceNorm(10, 3))
    >>> float(risk.loss(Neurons([0.0], [[1.0] * 10])))  # half the power of the target
    1.5
    >>> reduced = GaussianRisk(SubspaceNorm(10, 3).reduced(), [3, 7])
    >>> abs(round(float(reduced.loss(Neurons([4.0], [[1.0, 0.0]]))), 6))  # the minimiser has mass 4 within H
    0.0
    """

    def __init__(self, target: Target, multiplicities: Sequence[int] | None = None, *, covariance: Any = None) -> None:
        if not hasattr(target, "field"):
            raise InputError(f"target is {target!r}, expected one with the methods of Target")
        self.target = target
        self.multiplicities = check_multiplicities(multiplicities, target.dimension)
        theirs = getattr(target, "multiplicities", self.multiplicities)
        if theirs != self.multiplicities:
            raise InputError(
                f"multiplicities is {self.multiplicities}, but the target has {theirs}, expected the same blocks"
            )
        self._averages = BlockAverages(self.multiplicities)
        self._root = None if covariance is None else self._square_root(covariance)

    @property
    def dimension(self) -> int:
        """Of the inputs."""
        return self.target.dimension

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the risk."""
        root = "" if self._root is None else digest(self._root)
        return f"gaussian:{self.multiplicities}:{root}:{self.target.fingerprint}"

    def elements(self, width: int) -> int:
        """Numbers held at once per network."""
        return self._averages.elements(width)

    def field(self, neurons: Neurons, at: Array | None = None) -> Array:
        """g of `Risk`, shape (..., k, d)."""
        rows = neurons.b if at is None else at
        if self._root is None:
            return self._whitened(neurons, rows)
        inner = Neurons(neurons.a, neurons.b @ self._root)
        return np.asarray(self._whitened(inner, rows @ self._root) @ self._root)

    def loss(self, neurons: Neurons) -> Array:
        """F, shape (...)."""
        check_dimension(neurons.dimension, self.dimension)
        inner = neurons if self._root is None else Neurons(neurons.a, neurons.b @ self._root)
        pull = 2 * self.target.field(inner.b) - self._averages.field(inner, inner.b)
        return np.asarray((self.target.power - (inner.a * (inner.b * pull).sum(axis=-1)).mean(axis=-1)) / 2)

    def _whitened(self, neurons: Neurons, rows: Array) -> Array:
        return np.asarray(self.target.field(rows) - self._averages.field(neurons, rows))

    def _square_root(self, covariance: Any) -> Array:
        if any(self.multiplicities):
            raise InputError(f"covariance is given beside multiplicities {self.multiplicities}, expected one of them")
        _, values, vectors = check_covariance(covariance, self.dimension)
        return np.asarray((vectors * np.sqrt(values)) @ vectors.T)
