"""The neurons of two-layer ReLU networks in the mean-field scaling, and their signed measure on the sphere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array
from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.checks import check_inputs, check_subspace

__all__ = ["Neurons", "SphericalMeasure"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Neurons:
    """Two-layer ReLU networks without biases, f(x) = (1/m) sum_j a_j max(b_j . x, 0), as their neurons (a_j, b_j).

    Leading axes hold independent networks. A neuron of weight p is the neuron sqrt(p m) (a, b) of weight 1/m, in f as
    in its dynamics, since both are homogeneous of degree two: weighted particles need nothing of their own.

    Parameters
    ----------
    a : output weights, shape (..., m).
    b : input weights, shape (..., m, d).

    Raises
    ------
    ShapeError : shapes that do not fit.
    InputError : entries that are not finite numbers.

    Examples
    --------
    >>> absolute_value = Neurons([2.0, 2.0], [[1.0], [-1.0]])
    >>> absolute_value([[-3.0], [2.0]]).tolist()
    [3.0, 2.0]
    """

    a: Array
    b: Array

    def __post_init__(self) -> None:
        a, b = finite_array("a", self.a), finite_array("b", self.b)
        if a.ndim < 1 or b.shape[:-1] != a.shape or 0 in b.shape:
            raise ShapeError(f"a and b have shapes {a.shape} and {b.shape}, expected (..., m) and (..., m, d)")
        object.__setattr__(self, "a", a)
        object.__setattr__(self, "b", b)

    @property
    def width(self) -> int:
        """The number m of neurons of a network."""
        return int(self.a.shape[-1])

    @property
    def dimension(self) -> int:
        """The dimension d of the inputs."""
        return int(self.b.shape[-1])

    def __call__(self, X: Any) -> Array:
        """Outputs at the rows of ``X``, shape (..., S)."""
        hidden = np.maximum(self.b @ check_inputs(X, self.dimension).T, 0.0)
        return np.asarray((self.a[..., None, :] @ hidden)[..., 0, :] / self.width)

    def linear_predictor(self) -> Array:
        """The vector w = (1/2m) sum_j a_j b_j of shape (..., d): w . x is the odd part of f, whatever the weights.

        Source: Hajjar & Chizat 2022 (arXiv 2211.08771), section on odd targets; max(z, 0) - max(-z, 0) = z.

        >>> f = Neurons([1.0, 4.0], [[2.0, 0.0], [0.0, -1.0]])
        >>> x = [[3.0, 5.0]]
        >>> float((f(x) - f([[-3.0, -5.0]]))[0] / 2), float((x @ f.linear_predictor())[0])
        (-3.5, -3.5)
        """
        return np.asarray((self.a[..., None, :] @ self.b)[..., 0, :] / (2 * self.width))

    def masses(self) -> tuple[Array, Array]:
        """Total mass of the neurons with a > 0 and of those with a < 0, (1/m) sum |a_j| |b_j|, each of shape (...)."""
        mass = self.a * np.linalg.norm(self.b, axis=-1) / self.width
        return np.asarray(np.maximum(mass, 0.0).sum(axis=-1)), np.asarray(np.maximum(-mass, 0.0).sum(axis=-1))

    def imbalance(self) -> Array:
        """a_j^2 - |b_j|^2 of every neuron, which gradient flow conserves (ReLU is homogeneous), shape (..., m)."""
        return np.asarray(self.a**2 - (self.b**2).sum(axis=-1))

    def angles(self, subspace: int) -> Array:
        """Angles in [0, pi/2] between b_j and the span H of the first ``subspace`` coordinates, shape (..., m)."""
        check_subspace(self.dimension, subspace)
        within, across = (np.linalg.norm(part, axis=-1) for part in np.split(self.b, [subspace], axis=-1))
        return np.asarray(np.arctan2(across, within))

    def alignment(self, subspace: int) -> tuple[Array, Array]:
        """Mean angle with H of the neurons with a > 0 and of those with a < 0, weighted by mass, each of shape (...).

        Raises
        ------
        InputError : a network without neurons of one of the signs; a subspace that is none.
        """
        angles = self.angles(subspace)
        return self._weighted_mean(1, angles), self._weighted_mean(-1, angles)

    def position_distances(self, subspace: int) -> tuple[Array, Array]:
        """Rms angle of the neurons with a > 0 from H and of those with a < 0 from its complement, weighted by mass.

        The distances of their positions from where they align (arXiv 2211.08771); errors as for `alignment`.
        """
        angles = self.angles(subspace)
        squares = self._weighted_mean(1, angles**2), self._weighted_mean(-1, (np.pi / 2 - angles) ** 2)
        return np.sqrt(squares[0]), np.sqrt(squares[1])

    def _weighted_mean(self, sign: int, values: Array) -> Array:
        """Over the neurons of one sign, weighted by mass."""
        weight = np.maximum(sign * self.a * np.linalg.norm(self.b, axis=-1), 0.0)
        total = weight.sum(axis=-1)
        if not (total > 0).all():
            name = "positive" if sign > 0 else "negative"
            raise InputError(f"a has no {name} entry in one of the networks, expected neurons of either sign")
        return np.asarray((weight * values).sum(axis=-1) / total)

    def second_moments(self) -> Array:
        """The means of (a, b)(a, b)^T over the neurons, shape (..., 1 + d, 1 + d)."""
        whole = np.concatenate([self.a[..., None], self.b], axis=-1)
        return np.asarray(whole.swapaxes(-1, -2) @ whole / self.width)

    def spherical(self) -> SphericalMeasure:
        """The signed measure on the sphere that gives the same function; neurons at b = 0 or a = 0 have no part in it.

        Raises
        ------
        ShapeError : several networks at once.
        """
        if self.a.ndim != 1:
            raise ShapeError(
                f"a has shape {self.a.shape}, expected (m,): one network, as measures differ in their atoms"
            )
        lengths = np.linalg.norm(self.b, axis=-1)
        mass = np.abs(self.a) * lengths / self.width
        kept = mass > 0
        return SphericalMeasure(self.b[kept] / lengths[kept, None], mass[kept], np.sign(self.a[kept]))

    def map(self, function: Callable[[Array], Any]) -> Neurons:
        """The networks with ``function`` applied to both arrays, such as a choice along the leading axes."""
        return Neurons(function(self.a), function(self.b))


@dataclass(frozen=True, eq=False)
class SphericalMeasure:
    """A signed measure sum_j s_j c_j delta(u_j) on the unit sphere, with f(x) = sum_j s_j c_j max(u_j . x, 0).

    Gradient flow of balanced neurons (|a| = |b|) is the Wasserstein-Fisher-Rao flow of this measure: masses c_j = |a_j|
    |b_j| / m grow at the rate 2 s_j G(u_j), directions move along s_j grad G(u_j), see `wasserstein_fisher_rao`.

    Attributes
    ----------
    directions : unit vectors, shape (k, d).
    masses : positive, shape (k,).
    signs : 1.0 or -1.0, shape (k,).

    Raises
    ------
    ShapeError : shapes that do not fit.
    InputError : directions that are no unit vectors, masses that are not positive, signs that are none.

    Examples
    --------
    >>> measure = Neurons([2.0, -1.0], [[0.0, 3.0], [1.0, 0.0]]).spherical()
    >>> measure.masses.tolist(), measure.signs.tolist()
    ([3.0, 0.5], [1.0, -1.0])
    >>> measure.neurons()([[2.0, 1.0]]).round(12).tolist()
    [2.0]
    """

    directions: Array
    masses: Array
    signs: Array

    def __post_init__(self) -> None:
        arrays = directions, masses, signs = [
            finite_array(name, getattr(self, name)) for name in ("directions", "masses", "signs")
        ]
        if directions.ndim != 2 or masses.shape != directions.shape[:1] or signs.shape != masses.shape:
            raise ShapeError(
                f"directions, masses and signs have shapes {directions.shape}, {masses.shape} and {signs.shape}, "
                "expected (k, d), (k,) and (k,)"
            )
        lengths = np.linalg.norm(directions, axis=1)
        for name, wrong, expected in (
            ("directions", np.abs(lengths - 1) > 1e-9, "unit vectors"),
            ("masses", masses <= 0, "positive numbers"),
            ("signs", np.abs(signs) != 1, "1 or -1"),
        ):
            if wrong.any():
                row = int(np.argmax(wrong))
                raise InputError(f"{name}[{row}] is {getattr(self, name)[row]!r}, expected {expected}")
        for name, array in zip(("directions", "masses", "signs"), arrays, strict=True):
            object.__setattr__(self, name, array)

    def total(self, sign: int) -> float:
        """The mass of the positive (``sign=1``) or of the negative part (``sign=-1``)."""
        return float(self.masses[self.signs == sign].sum())

    def neurons(self) -> Neurons:
        """Balanced neurons |a_j| = |b_j| that stand for the measure."""
        size = np.sqrt(self.masses * len(self.masses))
        return Neurons(self.signs * size, self.directions * size[:, None])
