"""How many quantities gradient flow conserves, whatever the data: by the rank of a Lie algebra.

If a network depends on its parameters only through functions pi_i, gradient flow moves along combinations of their
gradient fields, with coefficients that the data choose. It can reach every direction of the Lie algebra that these
fields generate, and conserves one quantity for each direction that is missing (Marcotte, Gribonval & Peyre,
arXiv 2307.00144). Here the fields are linear in the parameters, as they are for products of two layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from randtensor.errors import ShapeError

__all__ = ["conserved_quantities", "lie_closure", "two_layer_fields"]

Array = np.ndarray

_TOLERANCE = 1e-9  # of ranks, relative

#: least length of what is new in a commutator of matrices of length 1: the rounding in a direction that is made of it,
#: that of the commutator over this length, has to stay below it
_NEW = 1e-7


def lie_closure(fields: Any) -> Array:
    """An orthonormal basis of the Lie algebra that matrices generate, under commutators.

    Parameters
    ----------
    fields : matrices of shape (fields, P, P): the linear vector fields theta -> A theta. Their lengths do not matter.

    Raises
    ------
    ShapeError : they are no square matrices of one size.

    Examples
    --------
    Rotations about two axes generate those about the third:

    >>> x, y = np.zeros((2, 3, 3))
    >>> x[1, 2], x[2, 1], y[0, 2], y[2, 0] = 1, -1, 1, -1
    >>> len(lie_closure([x, y]))
    3
    """
    generators = np.array(fields, dtype=float)
    if generators.ndim != 3 or generators.shape[1] != generators.shape[2]:
        raise ShapeError(f"fields has shape {generators.shape}, expected (fields, P, P)")
    size = generators.shape[1]
    lengths = np.linalg.norm(generators, axis=(1, 2))
    # commutators of matrices of length 1 that commute are 0 up to rounding
    generators = generators[lengths > 0] / lengths[lengths > 0][:, None, None]
    basis = np.zeros((0, size * size))
    new = generators
    while len(new):
        grown = _extended(basis, new.reshape(len(new), -1))
        added = grown[len(basis) :].reshape(-1, size, size)
        basis = grown
        new = np.array([a @ b - b @ a for a in added for b in generators]).reshape(-1, size, size)
    return basis.reshape(-1, size, size)


def _extended(basis: Array, vectors: Array) -> Array:
    """The basis with orthonormal directions of further vectors, of length about 1, by Gram and Schmidt, twice."""
    rows = list(basis)
    for vector in vectors:
        rest = vector
        for _ in range(2):
            for row in rows:
                rest = rest - (row @ rest) * row
        length = np.linalg.norm(rest)
        if length > _NEW:
            # what is short has lost digits: once more against all others
            rest = rest / length
            for row in rows:
                rest = rest - (row @ rest) * row
            rows.append(rest / np.linalg.norm(rest))
    return np.array(rows).reshape(-1, basis.shape[1])


def conserved_quantities(fields: Any, parameters: Any) -> int:
    """Number of independent conserved quantities at a point: P less the rank of the Lie algebra there.

    Parameters
    ----------
    fields : as for `lie_closure`.
    parameters : the point, shape (P,).

    Raises
    ------
    ShapeError : the point is of another length.

    Examples
    --------
    A linear network with one input, one output and two hidden units, x -> u v^T x:

    >>> point = np.random.default_rng(0).standard_normal(4)
    >>> conserved_quantities(two_layer_fields(1, 1, 2), point)
    3
    >>> conserved_quantities(two_layer_fields(1, 1, 2, relu=True), point)
    2
    """
    closed = lie_closure(fields)
    point = np.array(parameters, dtype=float)
    if point.shape != closed.shape[1:2]:
        raise ShapeError(f"parameters has shape {point.shape}, expected {closed.shape[1:2]}")
    return len(point) - int(np.linalg.matrix_rank(closed @ point, tol=_TOLERANCE * float(np.linalg.norm(point))))


def two_layer_fields(outputs: int, inputs: int, hidden: int, *, relu: bool = False) -> Array:
    """The fields of x -> U phi(V^T x), with U (outputs, hidden) and V (inputs, hidden) stacked to one matrix.

    Parameters
    ----------
    relu : the functions of the parameters are then u_k v_k^T for each unit, and their sum U V^T if phi is linear.

    Returns
    -------
    Shape (fields, P, P), for the entries of the stacked matrix row by row.
    """
    rows = outputs + inputs
    columns: Sequence[Array] = [np.diag(unit) for unit in np.eye(hidden)] if relu else [np.eye(hidden)]
    fields: list[Array] = []
    for i in range(outputs):
        for j in range(inputs):
            exchange = np.zeros((rows, rows))
            exchange[i, outputs + j] = exchange[outputs + j, i] = 1.0
            fields.extend(np.kron(exchange, column) for column in columns)
    return np.array(fields)
