"""Symmetries of programs of the library: charges as functions of the same random parameters.

The generator of a symmetry is the gradient of its charge (of half of it where it is quadratic). So its identities are
contractions of derivative tensors of two functions, the loss and the charge, at any width: with g, H, D of the loss
and xi, M the first two derivatives of the charge, <g, xi> = 0 and what follows by differentiating it twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import randtensor as rt
from estimators.mechanics import Part, Symmetry
from randtensor.errors import InputError, ShapeError
from randtensor.random_function import RandomFunction

__all__ = ["charge_function", "identity_residual"]

Array = np.ndarray


def charge_function(function: RandomFunction, symmetry: Symmetry, weights: Any = None) -> RandomFunction:
    """The charge of a symmetry as a function of the parameters of a program; half of it where it is quadratic.

    Parameters
    ----------
    function : whose parameters they are.
    symmetry : of vectors and matrices, with axes that run over units of fixed number, or axis None.
    weights : one number per unit, for the sum of their charges with these; 1 for all by default. ``np.eye(units)[k]``
        takes a single unit.

    Raises
    ------
    InputError : a parameter that the program does not have.
    ShapeError : a stack of matrices, a matrix both of whose axes grow, or units of a number that grows with weights.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.two_layer(inputs=2, width=n, activation="relu")
    >>> layers = charge_function(f, Symmetry("rescale", (Part("W1", None), Part("v", None, -1))))
    >>> g, xi = f.derivative([1.0, 2.0]), layers.derivative([1.0, 2.0])
    >>> bool(abs(rt.einsum("a,a->", g, xi).sample(2**16, rng=0)[0]) < 1e-12)
    True
    """
    shapes = function.space.shapes
    for part in symmetry.parts:
        if part.name not in shapes:
            raise InputError(f"group {symmetry.name!r} has the parameter {part.name!r}, expected {', '.join(shapes)}")
        _check_part(part, shapes[part.name], weights is not None)
    linear = symmetry.linear

    def forward(p: Any, x: Any) -> Any:
        terms = [part.sign * _charge(p[part.name], part, shapes[part.name], weights, linear) for part in symmetry.parts]
        return rt.sum(terms)

    return RandomFunction(forward, function.space, f"charge of {symmetry.name or symmetry.family}")


def identity_residual(
    loss: RandomFunction, charge: RandomFunction, x: Any, *, order: int = 1, probe: Any = None
) -> rt.Quantity:
    """How far an identity of a symmetry is from holding, relative to the terms that cancel in it; sampled at any size.

    Where there is a single term, as in the identity of the gradient and in those of translations, it is relative to the
    lengths of the two vectors of which it is the product.

    Parameters
    ----------
    loss : a scalar program that the symmetry leaves alone.
    charge : of `charge_function`.
    x : input of the loss.
    order : 1, 2 or 3, of the derivatives of the loss.
    probe : an input with whose gradient J of the loss the free indices are contracted: for order 2,
        H(J, xi) + M(J, g), for order 3, D(J, J, xi) + 2 H(J, M J).

    Raises
    ------
    InputError : another order, or a probe that is missing.

    Examples
    --------
    >>> import randtensor as rt
    >>> from estimators.mechanics import Part
    >>> f = rt.networks.mlp(inputs=2, width=rt.Scale("n"), hidden_layers=2, activation="relu").then(rt.square)
    >>> layers = charge_function(f, Symmetry("rescale", (Part("W1", None), Part("v", None, -1))))
    >>> third = identity_residual(f, layers, [1.0, 2.0], order=3, probe=[0.5, -1.0])
    >>> bool(third.sample(4096, rng=0)[0] < 1e-11)
    True
    """
    if isinstance(order, bool) or order not in (1, 2, 3):
        raise InputError(f"order is {order!r}, expected 1, 2 or 3")
    if probe is None and order > 1:
        raise InputError(f"probe is None, expected an input: the identity of order {order} has free indices")
    g, xi = loss.derivative(x), charge.derivative(x)
    if order == 1:
        lengths = [rt.einsum("a,a->", vector, vector) for vector in (g, xi)]
        return rt.combine(_over_lengths, rt.einsum("a,a->", g, xi), *lengths, name="identity of the gradient")
    hessian, m, j = loss.derivative(x, 2), charge.derivative(x, 2), loss.derivative(probe)
    if order == 2:
        terms = [rt.einsum("ab,a,b->", hessian, j, xi), rt.einsum("ab,a,b->", m, j, g)]
        square = rt.einsum("ab,bc,a,c->", hessian, hessian, j, j)
        name = "identity of the Hessian"
    else:
        third = loss.derivative(x, 3)
        terms = [rt.einsum("abc,a,b,c->", third, j, j, xi), 2 * rt.einsum("ab,bc,a,c->", hessian, m, j, j)]
        square = rt.einsum("abc,cde,a,b,d,e->", third, third, j, j, j, j)
        name = "identity of the third derivative"
    return rt.combine(_over_terms, *terms, square, rt.einsum("a,a->", xi, xi), name=name)


def _over_lengths(product: Array, first: Array, second: Array) -> Array:
    return np.asarray(np.abs(product) / np.maximum(np.sqrt(first * second), np.finfo(float).tiny))


def _over_terms(first: Array, second: Array, square: Array, length: Array) -> Array:
    # of a charge that is linear the second term is 0: then relative to the lengths of what is multiplied in the first
    scale = np.where(second == 0, np.sqrt(square * length), np.abs(first) + np.abs(second))
    return np.asarray(np.abs(first + second) / np.maximum(scale, np.finfo(float).tiny))


def _check_part(part: Part, shape: tuple[Any, ...], weighted: bool) -> None:
    if len(shape) > 2:
        raise ShapeError(f"parameter {part.name!r} has {len(shape)} axes, expected a vector or a matrix")
    if part.repeat != 1:
        raise ShapeError(f"parameter {part.name!r} has repeat = {part.repeat}, expected 1 for programs")
    if len(shape) == 2 and not any(isinstance(size, int) for size in shape):
        raise ShapeError(f"parameter {part.name!r} grows along both axes, expected one of fixed size")
    if weighted and (part.axis is None or not isinstance(shape[part.axis], int)):
        raise ShapeError(f"weights are given and the units of {part.name!r} are not of a fixed number, expected None")


def _charge(parameter: Any, part: Part, shape: tuple[Any, ...], weights: Any, linear: bool) -> Any:
    entries: Any = (lambda z: z) if linear else rt.square
    factor = 1.0 if linear else 0.5
    if len(shape) == 1:
        values = entries(parameter)
        return rt.sum(values if weights is None else values * np.asarray(weights, dtype=float)) * factor
    # one product per unit of the axis of fixed size; weights run along the axis of the part
    fixed = part.axis if part.axis is not None and isinstance(shape[part.axis], int) else int(isinstance(shape[1], int))
    matrix = parameter if fixed == 1 else parameter.T
    given = np.ones(shape[fixed]) if weights is None else np.asarray(weights, dtype=float)
    rows = [rt.sum(entries(matrix @ basis)) * float(w) for w, basis in zip(given, np.eye(shape[fixed]), strict=True)]
    return rt.sum(rows) * factor
