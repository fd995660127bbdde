"""Spectra of random matrices that are drawn whole: eigenvalues and singular values at the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from randtensor.errors import InputError, ShapeError
from randtensor.norms.functional import TensorFunctional
from randtensor.quantity import Draw, Quantity

__all__ = ["spectrum"]

Array = np.ndarray


def spectrum(tensor: Any, kind: str) -> Quantity:
    """A number from the spectrum of a random matrix, as a random quantity.

    Parameters
    ----------
    tensor : a random matrix, or a contraction with two free indices, real or complex.
    kind : "largest eigenvalue" (of a symmetric or Hermitian matrix, with its sign), "spectral radius" (the largest
        absolute value of an eigenvalue), "number of real eigenvalues" (of a real matrix; with multiplicity), or
        "smallest singular value". The largest singular value is ``rt.norm(tensor)``.

    Raises
    ------
    InputError : an unknown kind, or something that is no quantity; when sampled, a matrix that is not Hermitian, or not
        real, where that is expected.
    ShapeError : when sampled, a tensor that is no matrix, or not square where eigenvalues are asked for.

    Examples
    --------
    >>> import randtensor as rt
    >>> from randtensor.spectra import spectrum
    >>> n = rt.Scale("n")
    >>> edge = spectrum(rt.goe(n), "largest eigenvalue")
    >>> bool(0.9 < edge.sample(100, rng=0)[0] / (2 * 100**0.5) < 1.1)
    True
    """
    if kind not in _FUNCTIONALS:
        raise InputError(f"kind is {kind!r}, expected {', '.join(map(repr, _FUNCTIONALS))}")
    if not isinstance(tensor, Quantity):
        raise InputError(f"tensor is {tensor!r}, expected a random matrix or a contraction with two free indices")
    return Spectrum(tensor, kind)


class Spectrum(TensorFunctional):
    """A functional of the spectrum of matrices that are drawn whole."""

    def evaluate(self, draw: Draw) -> Array:
        matrices = self.tensor.evaluate(draw)
        shape = matrices.shape[1:]
        if len(shape) != 2:
            raise ShapeError(f"the tensor has shape {shape}, expected a matrix for its {self.kind}")
        if self.kind != "smallest singular value" and shape[0] != shape[1]:
            raise ShapeError(f"the tensor has shape {shape}, expected a square matrix for its {self.kind}")
        return _FUNCTIONALS[self.kind](matrices)


def _largest_eigenvalue(matrices: Array) -> Array:
    asymmetry = np.abs(matrices - np.conj(matrices).swapaxes(1, 2)).max()
    if asymmetry > 1e-9 * np.abs(matrices).max():
        raise InputError(
            f"the matrix differs from its adjoint by {asymmetry:.3g}, "
            f"expected a symmetric or Hermitian one for its largest eigenvalue"
        )
    return np.asarray(np.linalg.eigvalsh(matrices)[:, -1])


def _spectral_radius(matrices: Array) -> Array:
    return np.asarray(np.abs(np.linalg.eigvals(matrices)).max(axis=1))


def _real_eigenvalues(matrices: Array) -> Array:
    if np.iscomplexobj(matrices):
        raise InputError("the matrix is complex, expected a real one for its number of real eigenvalues")
    # The real Schur form has blocks of sizes 1 and 2, so that imaginary parts are exactly zero or come in pairs.
    return np.asarray((np.linalg.eigvals(matrices).imag == 0).sum(axis=1), dtype=float)


def _smallest_singular_value(matrices: Array) -> Array:
    return np.asarray(np.linalg.svd(matrices, compute_uv=False)[:, -1])


_FUNCTIONALS: dict[str, Callable[[Array], Array]] = {
    "largest eigenvalue": _largest_eigenvalue,
    "spectral radius": _spectral_radius,
    "number of real eigenvalues": _real_eigenvalues,
    "smallest singular value": _smallest_singular_value,
}
