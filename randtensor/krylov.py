"""Largest singular values of operators on parameter space, whose vectors are sums of outer products."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from randtensor.errors import InputError
from randtensor.parametric import Vector

__all__ = ["full_norm", "largest_singular_value", "length"]

Array = np.ndarray
Operator = Callable[[Vector], Vector]

#: Inner products of basis vectors may lose this factor of accuracy, so that results err by less than 1e-6, relatively.
AMPLIFICATION = 1e9

#: Lengths up to this power of two, and down to its inverse, have fourth powers far from overflow and underflow.
SAFE_EXPONENT = 200


def largest_singular_value(
    apply: Operator, apply_transposed: Operator, start: Vector, steps: int, batch: int
) -> tuple[Array, Array]:
    """Lower bound for the largest singular value of M, by Rayleigh-Ritz over a Krylov space of M^T M.

    1. r_1 = M^T M s for the random start s; then r_{j+1} = M^T M p_j.
    2. p_j is r_j orthonormalised against p_1, .., p_{j-1}, kept as coefficients over the r's.
    3. The answer is the square root of the largest eigenvalue of <M p_i, M p_j>.

    The start itself stays outside: a random vector over n^2 parameters is only revealed, and has no known length. The
    space M^T M K(M^T M, s) it leaves is no worse: its Ritz values obey the same convergence bound, because the extra
    factor lambda / lambda_max <= 1 only damps the small eigenvalues.

    Parameters
    ----------
    apply, apply_transposed : products with M and its transpose, for every sample of a batch.
    start : random vector.
    steps : dimension of the Krylov space.
    batch : number of samples B.

    Returns
    -------
    The bounds, shape (B,), and the dimensions of the spaces reached, shape (B,): fewer than ``steps`` where the space
    can grow no further, or where rounding errors would spoil more of it.

    Raises
    ------
    InputError : products with the operator that are infinite or not a number.
    """

    def dot(left: Vector, right: Vector) -> Array:
        return np.broadcast_to(left.dot(right), (batch,))

    reached = np.full(batch, steps)
    image = apply(start)
    exponents = _exponents([image], batch)
    if exponents.any():
        apply, apply_transposed = _over_powers(apply, exponents), _over_powers(apply_transposed, exponents)
        image = image.scaled(np.ldexp(1.0, -exponents))
    raw = [apply_transposed(image)]
    images: list[Vector] = []
    coefficients: list[Array] = []
    gram = dot(raw[0], raw[0])[:, None, None]
    projected = np.zeros((batch, steps, steps))
    for step in range(steps):
        own = np.zeros((batch, step + 1))
        own[:, step] = 1.0
        for _ in range(2):  # twice is enough
            for k, basis in enumerate(coefficients):
                overlap = np.einsum("bi,bij,bj->b", basis, gram[:, : k + 1, :], own)
                own[:, : k + 1] -= overlap[:, None] * basis
        square = np.einsum("bi,bij,bj->b", own, gram, own)
        # Below rounding of the Gram matrix the space is exhausted for this sample: a zero vector adds nothing to it.
        alive = square > 1e-13 * gram[:, step, step]
        own *= np.where(alive, 1 / np.sqrt(np.where(alive, square, 1.0)), 0.0)[:, None]
        # The p's are differences of long, nearly dependent r's: stop while their inner products are still accurate.
        lengths = np.sqrt(np.maximum(np.diagonal(gram, axis1=1, axis2=2), 0.0))
        accurate = (np.abs(own) * lengths).sum(axis=1) ** 2 < AMPLIFICATION
        alive &= accurate
        reached = np.where(alive, reached, np.minimum(reached, step))
        own *= alive[:, None]
        coefficients.append(own)
        image = apply(raw[0].combination(raw, own))
        images.append(image)
        for k, other in enumerate(images):
            projected[:, k, step] = projected[:, step, k] = dot(other, image)
        if step + 1 == steps or not alive.any():
            break
        raw.append(apply_transposed(image))
        overlaps = np.stack([dot(vector, raw[-1]) for vector in raw], axis=1)
        grown = np.zeros((batch, step + 2, step + 2))
        grown[:, :-1, :-1] = gram
        grown[:, -1, :] = grown[:, :, -1] = overlaps
        gram = grown
    return np.ldexp(np.sqrt(np.maximum(np.linalg.eigvalsh(projected)[:, -1], 0.0)), exponents), reached


def full_norm(apply: Operator, basis: Sequence[Vector], batch: int) -> Array:
    """The largest singular value from the images of a whole orthonormal basis, shape (B,)."""
    images = [apply(vector) for vector in basis]
    exponents = _exponents(images, batch)
    if exponents.any():
        images = [image.scaled(np.ldexp(1.0, -exponents)) for image in images]
    gram = np.stack([np.stack([np.broadcast_to(a.dot(b), (batch,)) for b in images], axis=-1) for a in images], axis=-1)
    return np.asarray(np.ldexp(np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[:, -1], 0.0)), exponents))


def length(vector: Vector, batch: int) -> Array:
    """The Euclidean length, shape (B,).

    Raises
    ------
    InputError : a length that is infinite or not a number.
    """
    exponents = _exponents([vector], batch)
    if exponents.any():
        vector = vector.scaled(np.ldexp(1.0, -exponents))
    return np.asarray(np.ldexp(np.sqrt(np.maximum(vector.dot(vector), 0.0)), exponents))


def _exponents(vectors: Sequence[Vector], batch: int) -> Array:
    """Powers of two that bring the longest vector near length one, shape (B,); 0 where fourth powers are safe anyway.

    Only extreme scales are touched: the Gram matrices of the Krylov space hold fourth powers of singular values, which
    would underflow to a norm of zero from 1e-81 on.
    """
    result = np.zeros(batch, dtype=int)
    unknown = np.ones(batch, dtype=bool)
    square = np.zeros(batch)
    # A square that underflows or overflows says nothing: look again with the vectors multiplied by powers of two.
    for shift in (0, 400, -400, 800, -800):
        factor = np.full(batch, 2.0**-shift)
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = vectors if shift == 0 else [vector.scaled(factor) for vector in vectors]
            squares = [np.broadcast_to(vector.dot(vector), (batch,)) for vector in shifted]
        square = np.where(unknown, np.max(squares, axis=0), square)
        found = unknown & (square > 2.0**-900) & (square < 2.0**900)
        result[found] = np.frexp(square[found])[1] // 2 + shift
        unknown &= ~found
        if not unknown.any():
            break
    if not np.isfinite(square).all():
        raise InputError("the tensor has products that are infinite or not a number, expected finite ones for a norm")
    return np.where(np.abs(result) > SAFE_EXPONENT, result, 0)


def _over_powers(apply: Operator, exponents: Array) -> Operator:
    factor = np.ldexp(1.0, -exponents)
    return lambda vector: apply(vector).scaled(factor)
