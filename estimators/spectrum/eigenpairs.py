"""Eigenvalues and eigenvectors of the tangent kernel on a data set: all of them, or the leading ones by Lanczos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from estimators.layered import check_inputs
from randtensor.errors import InputError, ShapeError

__all__ = ["DENSE_LIMIT", "Spectrum", "check_cut", "spectrum"]

Array = np.ndarray

#: Largest number of inputs whose Gramian is decomposed as a whole.
DENSE_LIMIT = 4000

#: Leading eigenpairs that are found of a larger one, if no number is asked for.
LEADING = 100

#: Entries of the Gramian that are held at once where it is applied by blocks of rows.
BLOCK_ENTRIES = 2**24


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenpairs of a Gramian on N inputs.

    Attributes
    ----------
    eigenvalues : shape (k,), the largest first.
    eigenvectors : orthonormal columns, shape (N, k).
    method : "dense" or "Lanczos".
    notes : what the reader should know, a sentence each.

    Examples
    --------
    >>> import numpy as np
    >>> found = Spectrum.of(np.diag([1.0, 4.0, 2.0]))
    >>> found.eigenvalues.tolist(), found.stable_rate
    ([4.0, 2.0, 1.0], 1.5)
    >>> found.energy([0.0, 3.0, 4.0]).round(2).tolist()
    [0.36, 1.0, 1.0]
    """

    eigenvalues: Array
    eigenvectors: Array
    method: str = "dense"
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, gramian: Any, k: int | None = None) -> Spectrum:
        """The spectrum of a symmetric matrix: all of it, or the ``k`` largest eigenvalues.

        Raises
        ------
        ShapeError, InputError : a matrix that is not square, symmetric and finite, or k out of range.
        """
        matrix = np.asarray(gramian)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
            raise ShapeError(f"gramian has shape {matrix.shape}, expected a square matrix")
        if not np.isfinite(matrix).all():
            wrong = np.count_nonzero(~np.isfinite(matrix))
            raise InputError(f"gramian has {wrong} NaN or infinite entries, expected none")
        tolerance = 1e3 * np.finfo(matrix.dtype if matrix.dtype.kind == "f" else float).eps
        if np.abs(matrix - matrix.T).max() > tolerance * np.abs(matrix).max():
            raise InputError("gramian is not symmetric, expected a symmetric matrix")
        count = len(matrix) if k is None else check_cut(k, len(matrix))
        values, vectors = np.linalg.eigh(matrix)
        return cls(values[::-1][:count].copy(), vectors[:, ::-1][:, :count].copy())

    @property
    def stable_rate(self) -> float:
        """2 N / lambda_1: at larger learning rates descent on the mean squared loss grows along the first mode."""
        return float(2 * len(self.eigenvectors) / self.eigenvalues[0])

    def speeds(self, learning_rate: float) -> Array:
        """learning_rate * lambda_i / N, the share of a mode's residual that one step removes: shape (k,)."""
        return np.asarray(learning_rate * self.eigenvalues / len(self.eigenvectors))

    def energy(self, vector: Any) -> Array:
        """Relative energies E(vector, 1), ..., E(vector, k), see `relative_energy`: shape (k,)."""
        from estimators.spectrum.alignment import relative_energies

        return relative_energies(vector, self.eigenvectors)

    def extend(self, cross: Any) -> Array:
        """The eigenfunctions at other inputs, v_i(x) = g(x, X) v_i / lambda_i (Nystrom), shape (M, k).

        Parameters
        ----------
        cross : tangent kernel between M other inputs and the N ones, shape (M, N).

        Raises
        ------
        ShapeError : ``cross`` of another shape.
        InputError : an eigenvalue that is zero to rounding; ask for fewer modes.
        """
        matrix = np.asarray(cross)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.eigenvectors):
            raise ShapeError(f"cross has shape {matrix.shape}, expected (M, {len(self.eigenvectors)})")
        floor = len(self.eigenvectors) * np.finfo(self.eigenvalues.dtype).eps * self.eigenvalues[0]
        valid = int((self.eigenvalues > floor).sum())
        if valid < len(self.eigenvalues):
            raise InputError(
                f"spectrum has {len(self.eigenvalues)} modes of which {valid} have eigenvalues above rounding, "
                f"expected all: ask for k <= {valid}"
            )
        return np.asarray(matrix @ self.eigenvectors / self.eigenvalues)

    def __repr__(self) -> str:
        n, k = self.eigenvectors.shape
        return f"<Spectrum: {k} of {n} eigenpairs, {self.method}, largest eigenvalue {self.eigenvalues[0]:.4g}>"


def spectrum(model: Any, X: Any, k: int | None = None, *, method: str = "auto") -> Spectrum:
    """Eigenpairs of the tangent kernel of a model on inputs.

    Parameters
    ----------
    model : a `TangentModel`, such as `LayeredModel` or `FunctionModel`.
    X : inputs as rows, shape (N, inputs).
    k : number of leading eigenpairs; None for all, or for the first 100 of more than 4000.
    method : "dense" forms and decomposes the Gramian; "Lanczos" only applies it: by ``model.kernel_product`` if there
        is one, else by blocks of rows. "auto" takes Lanczos above 4000 inputs, and says so in ``notes``.

    Raises
    ------
    InputError, ShapeError : k or method out of range, or inputs that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from estimators.layered import LayeredNetwork
    >>> from estimators.spectrum import LayeredModel, spectrum
    >>> network = LayeredNetwork((2, 32, 32))
    >>> X = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 2))
    >>> spectrum(LayeredModel(network, network.initial(rng=0)), X, k=3, method="Lanczos")  # doctest: +ELLIPSIS
    <Spectrum: 3 of 40 eigenpairs, Lanczos, largest eigenvalue ...>
    """
    inputs = check_inputs(X)
    count = len(inputs)
    if method not in ("auto", "dense", "Lanczos"):
        raise InputError(f"method is {method!r}, expected 'auto', 'dense' or 'Lanczos'")
    if k is not None:
        check_cut(k, count)
    notes: tuple[str, ...] = ()
    if method == "auto":
        method = "dense" if count <= DENSE_LIMIT else "Lanczos"
        if method == "Lanczos":
            notes = (
                f"{count} inputs are too many for a dense decomposition, which takes up to {DENSE_LIMIT}: "
                f"the first {k or LEADING} eigenpairs were found by Lanczos",
            )
    if method == "dense":
        return Spectrum.of(model.gramian(inputs), k)
    number = min(LEADING, count - 1) if k is None else k
    if number >= count:
        raise InputError(f"k is {number}, expected at most {count - 1} of {count} eigenpairs by Lanczos")
    values, vectors = _lanczos(model, inputs, number)
    return Spectrum(values, vectors, "Lanczos", notes)


def check_cut(k: Any, count: int) -> int:
    """k, if it is a number of modes.

    Raises
    ------
    InputError : it is not an integer from 1 to ``count``.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= count:
        raise InputError(f"k is {k!r}, expected an integer from 1 to {count}, the number of modes")
    return int(k)


def _lanczos(model: Any, X: Array, k: int) -> tuple[Array, Array]:
    from scipy.sparse.linalg import LinearOperator, eigsh

    count, block = len(X), max(1, BLOCK_ENTRIES // len(X))

    def by_rows(vector: Array) -> Array:
        parts = [model.gramian(X[start : start + block], X) @ vector for start in range(0, count, block)]
        return np.concatenate(parts)

    def product(vector: Array) -> Array:
        vector = vector.ravel()
        return np.asarray(model.kernel_product(X, vector) if hasattr(model, "kernel_product") else by_rows(vector))

    # a fixed start that favours no mode, so that results are the same bits
    start = np.random.Generator(np.random.SFC64(0)).standard_normal(count)
    operator = LinearOperator((count, count), matvec=product, dtype=np.float64)
    values, vectors = eigsh(operator, k=k, v0=start, which="LA", ncv=min(count, max(2 * k + 1, 20)))
    return values[::-1].copy(), vectors[:, ::-1].copy()
