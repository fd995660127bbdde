"""Checks of arguments that several modules share; each refuses with one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array
from randtensor.errors import InputError, ShapeError

__all__ = [
    "check_covariance",
    "check_dimension",
    "check_inputs",
    "check_positive",
    "check_subspace",
    "check_times",
]

Array = NDArray[np.float64]


def check_positive(name: str, value: Any) -> None:
    """Refuse what is no positive, finite number.

    Raises
    ------
    InputError : with the value.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.integer | np.floating)
        or not 0 < value < np.inf
    ):
        raise InputError(f"{name} is {value!r}, expected a positive number")


def check_times(name: str, values: Any) -> Array:
    """Numbers from 0 on that ascend, shape (T,).

    Raises
    ------
    InputError : anything else.
    """
    times = finite_array(name, values if np.ndim(values) or not hasattr(values, "__iter__") else list(values))
    if times.ndim != 1 or not len(times) or times[0] < 0 or (np.diff(times) < 0).any():
        raise InputError(f"{name} is {times.tolist()!r}, expected numbers from 0 on that ascend")
    return times


def check_inputs(X: Any, dimension: int) -> Array:
    """Inputs as rows, shape (S, d).

    Raises
    ------
    ShapeError : another shape.
    InputError : entries that are not finite numbers.
    """
    inputs = finite_array("X", X)
    if inputs.ndim != 2 or inputs.shape[1] != dimension:
        raise ShapeError(f"X has shape {inputs.shape}, expected (inputs, {dimension})")
    return inputs


def check_dimension(dimension: int, expected: int) -> None:
    """Refuse neurons of another dimension than the inputs.

    Raises
    ------
    ShapeError : with the two dimensions.
    """
    if dimension != expected:
        raise ShapeError(f"neurons have dimension {dimension}, expected {expected}, that of the inputs")


def check_subspace(dimension: Any, subspace: Any) -> None:
    """Refuse a subspace that is not between nothing and everything.

    Raises
    ------
    InputError : with the two dimensions.
    """
    for name, value in (("dimension", dimension), ("subspace", subspace)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise InputError(f"{name} is {value!r}, expected a whole number")
    if not 1 <= subspace < dimension:
        raise InputError(
            f"subspace is {subspace}, expected a dimension from 1 to {dimension - 1}, below the {dimension} of inputs"
        )


def check_covariance(covariance: Any, dimension: int) -> tuple[Array, Array, Array]:
    """A covariance as an array, with its eigenvalues in ascending order and its eigenvectors.

    Raises
    ------
    ShapeError : another shape than (d, d).
    InputError : a matrix that is not symmetric and positive definite.
    """
    matrix = finite_array("covariance", covariance)
    if matrix.shape != (dimension, dimension):
        raise ShapeError(f"covariance has shape {matrix.shape}, expected {(dimension, dimension)}")
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if np.abs(matrix - matrix.T).max() > 1e-9 * np.abs(matrix).max() or values[0] <= 0:
        raise InputError(
            f"covariance has the smallest eigenvalue {values[0]:.3g}, expected a symmetric, positive definite matrix"
        )
    return matrix, values, vectors
