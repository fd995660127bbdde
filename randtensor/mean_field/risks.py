"""Risks of two-layer networks: what a risk has to give to the dynamics, and the risk on a sample."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array
from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.checks import check_dimension
from randtensor.mean_field.neurons import Neurons, SphericalMeasure
from randtensor.mean_field.symmetry import SymmetryGroup

__all__ = ["EmpiricalRisk", "Risk", "digest", "velocity", "wasserstein_fisher_rao"]

Array = NDArray[np.float64]


class Risk(Protocol):
    """F = E (f* - f)^2 / 2 over some law of the inputs, as a function of the neurons.

    By homogeneity one vector field drives everything: with g(b) = E[(f* - f)(x) 1{b . x > 0} x], gradient flow in the
    mean-field time scale is a' = b . g(b), b' = a g(b).
    """

    @property
    def dimension(self) -> int:
        """Of the inputs."""

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the risk."""

    def elements(self, width: int) -> int:
        """Numbers held at once per network of this width, by which blocks of samples are cut."""

    def field(self, neurons: Neurons, at: Array | None = None) -> Array:
        """g at the rows of ``at``, shape (..., k, d); at the neurons themselves if it is None."""

    def loss(self, neurons: Neurons) -> Array:
        """F, shape (...)."""


def velocity(risk: Risk, neurons: Neurons) -> tuple[Array, Array]:
    """a' and b' of the gradient flow, shapes (..., m) and (..., m, d).

    These are -m times the derivatives of the risk: the Wasserstein gradient flow of the law of the neurons.

    Raises
    ------
    ShapeError : neurons of another dimension than the inputs.

    >>> risk = EmpiricalRisk([[1.0], [-1.0]], [1.0, 1.0])
    >>> [part.tolist() for part in velocity(risk, Neurons([1.0, -1.0], [[1.0], [1.0]]))]
    [[0.5, 0.5], [[0.5], [-0.5]]]
    """
    check_dimension(neurons.dimension, risk.dimension)
    g = risk.field(neurons)
    return np.asarray((neurons.b * g).sum(axis=-1)), np.asarray(neurons.a[..., None] * g)


def wasserstein_fisher_rao(risk: Risk, measure: SphericalMeasure) -> tuple[Array, Array]:
    """The flow on the sphere: growth c_j'/c_j = 2 s_j G(u_j), shape (k,), and drift u_j' = s_j grad G(u_j), (k, d).

    G(u) = E[(f* - f)(x) max(u . x, 0)]; its gradient on the sphere is the part of g(u) across u.

    Raises
    ------
    ShapeError : directions of another dimension than the inputs.

    >>> risk = EmpiricalRisk([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    >>> growth, drift = wasserstein_fisher_rao(risk, Neurons([1e-9], [[0.6, 0.8]]).spherical())
    >>> growth.round(6).tolist(), drift.round(6).tolist()
    ([1.4], [[0.08, -0.06]])
    """
    neurons = measure.neurons()
    check_dimension(neurons.dimension, risk.dimension)
    g = risk.field(neurons, measure.directions)
    potential = (measure.directions * g).sum(axis=-1)
    return 2 * measure.signs * potential, measure.signs[:, None] * (g - potential[:, None] * measure.directions)


class EmpiricalRisk:
    """The risk on a sample, (1/2S) sum_i (y_i - f(x_i))^2.

    Parameters
    ----------
    X : inputs as rows, shape (S, d).
    y : targets, shape (S,).
    symmetry : a group under which the sample has to be closed, so that dynamics keep the symmetry to rounding.

    Raises
    ------
    ShapeError : shapes that do not fit.
    InputError : entries that are not finite; a sample that is not closed under ``symmetry``: the message shows by how
        much one step of descent breaks the symmetry of neurons that had it.

    Examples
    --------
    >>> mirror = SymmetryGroup.reflection(2)
    >>> points = [[1.0, 2.0], [0.5, -1.0]]
    >>> risk = EmpiricalRisk(mirror.orbit(points), mirror.orbit_targets([1.0, 0.5]), symmetry=mirror)
    >>> float(risk.loss(Neurons([1.0, 1.0], [[2.0, 0.0], [-2.0, 0.0]])))
    0.0
    >>> EmpiricalRisk(points, [1.0, 0.5], symmetry=mirror)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    randtensor.errors.InputError: X is not closed under the symmetry: the image of row 0 under element 1 is no row, ...
    """

    def __init__(self, X: Any, y: Any, *, symmetry: SymmetryGroup | None = None) -> None:
        self.inputs, self.targets = finite_array("X", X), finite_array("y", y)
        if self.inputs.ndim != 2 or not self.inputs.size:
            raise ShapeError(f"X has shape {self.inputs.shape}, expected (inputs, dimension)")
        if self.targets.shape != self.inputs.shape[:1]:
            raise ShapeError(
                f"y has shape {self.targets.shape}, expected {self.inputs.shape[:1]}: one target per input"
            )
        self.symmetry = symmetry
        if symmetry is not None:
            self._check_closed(symmetry)

    @property
    def dimension(self) -> int:
        """Of the inputs."""
        return int(self.inputs.shape[1])

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the risk."""
        return f"sample:{digest(self.inputs, self.targets)}"

    def elements(self, width: int) -> int:
        """Numbers held at once per network."""
        return width * len(self.inputs)

    def residual(self, neurons: Neurons) -> Array:
        """y - f at the inputs, shape (..., S)."""
        return np.asarray(self.targets - neurons(self.inputs))

    def field(self, neurons: Neurons, at: Array | None = None) -> Array:
        """g of `Risk`, shape (..., k, d)."""
        hidden = neurons.b @ self.inputs.T
        outputs = (neurons.a[..., None, :] @ np.maximum(hidden, 0.0))[..., 0, :] / neurons.width
        residual = (self.targets - outputs) / len(self.targets)
        reached = hidden if at is None else at @ self.inputs.T
        return np.asarray(np.where(reached > 0, residual[..., None, :], 0.0) @ self.inputs)

    def loss(self, neurons: Neurons) -> Array:
        """F, shape (...)."""
        return np.asarray((self.residual(neurons) ** 2).mean(axis=-1) / 2)

    def _check_closed(self, group: SymmetryGroup) -> None:
        wrong = group.first_unmatched(self.inputs, self.targets)
        if wrong is None:
            return
        element, row, what = wrong
        # in both directions: some neuron is active at any input
        half = np.eye(self.dimension) + 0.1
        start = group.closure(Neurons(np.ones(2 * self.dimension), np.concatenate([half, -half])))
        a, b = velocity(self, start)
        # no weight moves by more than a tenth: a step that turns all neurons off would break nothing
        rate = 0.1 / max(1.0, float(np.abs(a).max()), float(np.abs(b).max()))
        moved = Neurons(start.a + rate * a, start.b + rate * b)
        broken = float(group.defect(moved, self.inputs))
        raise InputError(
            f"X is not closed under the symmetry: the image of row {row} under element {element} {what}, so that no "
            f"symmetry can be exact (one step of rate {rate:.2g} from symmetric neurons breaks it by {broken:.3g}), "
            "expected group.orbit(X) with group.orbit_targets(y)"
        )


def digest(*arrays: Any) -> str:
    """A short text that tells arrays apart, for fingerprints."""
    state = hashlib.sha256()
    for array in arrays:
        values = np.ascontiguousarray(array, dtype=float)
        state.update(str(values.shape).encode() + values.tobytes())
    return state.hexdigest()[:16]
