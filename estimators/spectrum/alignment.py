"""How a vector over the data lies in the eigenvectors of a Gramian, and what that says about descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from estimators.spectrum.eigenpairs import Spectrum, check_cut
from randtensor.errors import InputError, ShapeError

__all__ = [
    "active_modes",
    "kernel_target_alignment",
    "mode_factors",
    "relative_energies",
    "relative_energy",
    "tail_bound",
]

Array = np.ndarray


def relative_energy(vector: Any, eigenvectors: Any, k: int) -> float:
    """E(r, k) = sum_{i <= k} (v_i . r)^2 / |r|^2: squared cosine between r and the span of the first k eigenvectors.

    Parameters
    ----------
    vector : r, shape (N,).
    eigenvectors : orthonormal columns, the leading ones first, shape (N, at least k).
    k : number of modes.

    Raises
    ------
    ShapeError, InputError : shapes that do not fit, k out of range, or a vector that is zero.

    Source: Kopitkov & Indelman 2019, arXiv 1910.08720.

    >>> import numpy as np
    >>> relative_energy([3.0, 4.0], np.eye(2), 1)
    0.36
    """
    vectors = np.asarray(eigenvectors)
    energies = relative_energies(vector, vectors)
    return float(energies[check_cut(k, vectors.shape[-1]) - 1])


def relative_energies(vector: Any, eigenvectors: Array) -> Array:
    """E(r, 1), ..., E(r, k) for all k columns: shape (k,)."""
    r = np.asarray(vector, dtype=float)
    if eigenvectors.ndim != 2 or r.shape != eigenvectors.shape[:1]:
        raise ShapeError(f"vector has shape {r.shape}, expected ({len(eigenvectors)},): one number per input")
    largest = np.abs(r).max(initial=0.0)
    if not 0 < largest < np.inf:
        raise InputError(f"vector has the largest entry {largest:g}, expected a finite vector that is not zero")
    r = r / largest  # squares do not overflow
    return np.asarray(np.cumsum((eigenvectors.T @ r) ** 2) / (r @ r))


def kernel_target_alignment(kernel: Any, y: Any, *, centred: bool = True) -> float:
    """KTA = y.K y / (|K|_F |y|^2), of the centred kernel and the centred targets if ``centred``.

    In contrast to `relative_energy` it mixes eigenvalues and eigenvectors: it is sum_i lambda_i c_i^2 over the root
    of sum_i lambda_i^2, with c_i = v_i.y / |y|.

    Raises
    ------
    ShapeError, InputError : shapes that do not fit, or targets that are zero (constant, if centred).

    Source: Cristianini et al. 2001; Baratin et al. 2021, arXiv 2008.00938.

    >>> import numpy as np
    >>> kernel_target_alignment(np.diag([3.0, 4.0]), [1.0, 0.0], centred=False)
    0.6
    """
    K, targets = np.asarray(kernel, dtype=float), np.asarray(y, dtype=float)
    if targets.ndim != 1 or K.shape != (len(targets), len(targets)):
        raise ShapeError(f"kernel has shape {K.shape} for targets of shape {targets.shape}, expected (N, N) and (N,)")
    scale = np.abs(targets).max(initial=0.0)
    if centred:
        K = K - K.mean(axis=0) - K.mean(axis=1)[:, None] + K.mean()
        targets = targets - targets.mean()
    length, norm = float(targets @ targets), float(np.linalg.norm(K))
    if not length > (1e-14 * scale) ** 2 * len(targets) or not norm > 0:
        what = "constant" if centred else "zero"
        raise InputError(f"y or kernel is {what}, expected targets and a kernel with something to align")
    return float(targets @ K @ targets / (norm * length))


def mode_factors(found: Spectrum, learning_rate: float) -> Array:
    """s_i = 1 - learning_rate lambda_i / N, by which a step of descent multiplies the residual along mode i.

    >>> import numpy as np
    >>> mode_factors(Spectrum.of(np.diag([4.0, 2.0])), 1.0).tolist()
    [-1.0, 0.0]
    """
    return 1 - found.speeds(learning_rate)


def active_modes(found: Spectrum, residual: Any, share: float = 0.99) -> int:
    """Number of leading modes that hold a share of |G m|^2, what a step of descent changes.

    Raises
    ------
    InputError : a share that is not between 0 and 1, or that these modes do not hold.

    >>> import numpy as np
    >>> active_modes(Spectrum.of(np.diag([10.0, 1.0, 1.0])), [1.0, 1.0, 1.0], 0.9)
    1
    """
    if not 0 < share < 1:
        raise InputError(f"share is {share!r}, expected a number between 0 and 1")
    pull = (found.eigenvalues * (found.eigenvectors.T @ np.asarray(residual, dtype=float))) ** 2
    total = pull.sum()
    if not total > 0:
        raise InputError("residual is zero on these modes, expected something left to learn")
    return int(np.searchsorted(np.cumsum(pull) / total, share) + 1)


def tail_bound(found: Spectrum, outputs: Any, readout_norm: float) -> Array:
    """Upper bounds lambda_{k+1} |theta_last|^2 / |f|^2 on 1 - E(f, k), for k = 1, ..., K - 1: shape (K - 1,).

    As f is linear in the parameters of its last layer, J theta_last = f, with all other entries of theta_last zero;
    so f.G^+ f <= |theta_last|^2, whatever the data, the depth and the activation.

    >>> import numpy as np
    >>> tail_bound(Spectrum.of(np.diag([4.0, 1.0])), [2.0, 0.0], 1.0).tolist()
    [0.25]
    """
    f = np.asarray(outputs, dtype=float)
    return np.asarray(np.maximum(found.eigenvalues[1:], 0.0) * readout_norm**2 / (f @ f))
