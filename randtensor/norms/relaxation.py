"""Injective norms from above: unfoldings, and a spectral relaxation for order 3.

For unit vectors x, y the best third vector leaves |T(x, y, .)|^2 = <x x*, M(y y*)> with M(Y) = sum_k T_k Y T_k*, where
T_k are the slices along the third axis. Both arguments are the identity over n plus a traceless Hermitian part,

    <x x*, M(y y*)> = |T|_F^2 / (n_1 n_2) + <X_0, A> / n_2 + <B, Y_0> / n_1 + <X_0, M(Y_0)>,

with A = M(I) and B = M*(I). The middle terms are at most (lambda_max(A) - tr A / n_1) / n_2 and likewise for B; the
last one is at most the operator norm of M between traceless Hermitian matrices times |X_0| |Y_0|, where
|X_0|^2 = 1 - 1/n_1. The bound is met by tensors of rank one. On Gaussian tensors it is of order n^(3/4), where
unfoldings give n and the norm itself is of order n^(1/2).
"""

from __future__ import annotations

import numpy as np

from randtensor.norms.bracket import krylov_excess
from randtensor.norms.linear_algebra import bipartitions, frobenius, largest_singular_values, unfolded

__all__ = ["injective_upper_bound", "spectral_relaxation"]

Array = np.ndarray

#: Gram matrices of unfoldings are diagonalised up to this size.
UNFOLDING_SIDE = 1024

#: Up to this dimension of the space of traceless matrices its operator is formed, and its norm exact.
EXACT_DIMENSION = 600

#: Multiplications per product with the operator, up to which Krylov spaces are affordable: n = 156 for cubes.
AFFORDABLE = 1.2e9


def injective_upper_bound(
    tensors: Array, steps: int, failure: float, generator: np.random.Generator
) -> tuple[Array, float]:
    """Upper bounds on injective norms of order 3 and more, shape (B,), and the probability that they fail.

    The least of the operator norms of all unfoldings whose shorter side is at most 1024 (those with one axis on the
    rows are always used) and, for order 3, of the spectral relaxation. Certain up to dimensions around 34.

    Parameters
    ----------
    tensors : shape (B, n_1, .., n_p), all n_i >= 2.
    steps : Krylov steps where the relaxation is too large to be solved exactly.
    failure : probability that may be spent there.
    generator : source of its random start.
    """
    upper = frobenius(tensors)
    for rows in bipartitions(tensors.ndim - 1):
        matrices = unfolded(tensors, rows)
        if len(rows) == 1 or min(matrices.shape[1:]) <= UNFOLDING_SIDE:
            upper = np.minimum(upper, largest_singular_values(matrices))
    if tensors.ndim != 4:
        return upper, 0.0
    relaxed, spent = spectral_relaxation(tensors, steps, failure, generator)
    return np.minimum(upper, relaxed), spent


def spectral_relaxation(
    tensors: Array, steps: int, failure: float, generator: np.random.Generator
) -> tuple[Array, float]:
    """The upper bound of the module's text on injective norms of order 3, infinite where it costs too much.

    The axis summed over is the longest. The operator norm is exact up to dimensions around 34; above, it is a Ritz
    value times the factor by which that may fall short (``krylov_excess``).
    """
    longest = int(np.argmax(tensors.shape[1:]))
    tensors = np.moveaxis(tensors, longest + 1, 2)
    rows, terms, columns = tensors.shape[1:]
    hermitian = np.iscomplexobj(tensors)
    spent = 0.0
    if max(_dimension(rows, hermitian), _dimension(columns, hermitian)) <= EXACT_DIMENSION:
        traceless = _exact_operator_norm(tensors, hermitian)
    elif rows * terms * columns * (rows + columns) <= AFFORDABLE:
        traceless = np.array([_krylov_operator_norm(tensor, steps, generator) for tensor in tensors])
        traceless *= krylov_excess(_dimension(columns, hermitian), steps, failure)
        spent = failure
    else:
        return np.full(len(tensors), np.inf), 0.0
    square = frobenius(tensors) ** 2
    left = largest_singular_values(unfolded(tensors, (0,))) ** 2
    right = largest_singular_values(unfolded(tensors, (2,))) ** 2
    deviations = (left - square / rows) / columns + (right - square / columns) / rows
    lengths = np.sqrt((1 - 1 / rows) * (1 - 1 / columns))
    return np.sqrt(square / (rows * columns) + deviations + traceless * lengths), spent


def _dimension(n: int, hermitian: bool) -> int:
    """Dimension of the traceless symmetric or Hermitian matrices over the reals."""
    return n * n - 1 if hermitian else n * (n + 1) // 2 - 1


def _traceless_basis(n: int, hermitian: bool) -> Array:
    """Orthonormal basis as columns, shape (n^2, d); Hermitian matrices are met in their complex span."""
    upper = [(i, j) for i in range(n) for j in range(i + 1, n)]
    basis = np.zeros((_dimension(n, hermitian), n, n))
    for number, (i, j) in enumerate(upper):
        if hermitian:
            basis[2 * number, i, j] = basis[2 * number + 1, j, i] = 1.0
        else:
            basis[number, i, j] = basis[number, j, i] = np.sqrt(0.5)
    first = len(basis) - (n - 1)
    for k in range(1, n):
        diagonal = np.concatenate([np.full(k, 1.0), [-k], np.zeros(n - k - 1)])
        basis[first + k - 1] = np.diag(diagonal / np.linalg.norm(diagonal))
    return basis.reshape(len(basis), n * n).T


def _exact_operator_norm(tensors: Array, hermitian: bool) -> Array:
    """Norm of M between traceless matrices, from its matrix; ``tensors`` has the summed axis in the middle."""
    batch, rows, _, columns = tensors.shape
    flat = tensors.swapaxes(2, 3).reshape(batch, rows * columns, -1)
    operator = (flat @ np.conj(flat).swapaxes(1, 2)).reshape(batch, rows, columns, rows, columns)
    operator = operator.transpose(0, 1, 3, 2, 4).reshape(batch, rows * rows, columns * columns)
    compressed = _traceless_basis(rows, hermitian).T @ operator @ _traceless_basis(columns, hermitian)
    return largest_singular_values(compressed)


def _krylov_operator_norm(tensor: Array, steps: int, generator: np.random.Generator) -> float:
    """Ritz value of M from below, after ``steps`` Lanczos steps on M* M; ``tensor`` has shape (n_1, K, n_2)."""
    adjoint = np.ascontiguousarray(np.conj(tensor).transpose(2, 1, 0))
    columns = len(adjoint)

    def squared(matrix: Array) -> Array:
        return _congruence(adjoint, _congruence(tensor, matrix.reshape(columns, columns))).ravel()

    start = generator.standard_normal((columns, columns))
    if np.iscomplexobj(tensor):
        start = start + 1j * generator.standard_normal((columns, columns))
    # Of a matrix with independent Gaussian entries this projection has a uniform direction.
    vector = _traceless(start + np.conj(start).T).ravel()
    basis = np.zeros((steps, columns * columns), dtype=vector.dtype)
    projected = np.zeros((steps, steps))
    for step in range(steps):
        length = np.linalg.norm(vector)
        if step and length <= 1e-12 * projected.max():
            # The space is exhausted: no number of further steps would add to it.
            break
        basis[step] = vector / length
        vector = squared(basis[step])
        for _ in range(2):  # twice is enough
            overlaps = (np.conj(basis[: step + 1]) @ vector).real
            projected[: step + 1, step] += overlaps
            vector = vector - overlaps @ basis[: step + 1]
    upper = np.triu(projected)
    ritz = np.linalg.eigvalsh(upper + np.triu(projected, 1).T)[-1]
    return float(np.sqrt(max(ritz, 0.0)))


def _congruence(tensor: Array, matrix: Array) -> Array:
    """The traceless part of sum_k T_k Y T_k*, for T of shape (n_1, K, n_2)."""
    rows, _, columns = tensor.shape
    product = (tensor.reshape(-1, columns) @ matrix).reshape(rows, -1)
    return _traceless(product @ np.conj(tensor.reshape(rows, -1)).T)


def _traceless(matrix: Array) -> Array:
    return np.asarray(matrix - np.trace(matrix) / len(matrix) * np.eye(len(matrix)))
