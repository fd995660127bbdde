"""How the tangent kernel, its eigenvalues and its alignment start to move under gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from estimators.layered import LayeredNetwork, Tangents, check_inputs, check_targets
from estimators.spectrum.eigenpairs import Spectrum, check_cut

__all__ = ["alignment_velocity", "eigenvalue_velocities", "kernel_velocity"]

Array = np.ndarray


def kernel_velocity(network: LayeredNetwork, theta: Any, X: Any, y: Any) -> Array:
    """dG per unit of learning rate in one step on the mean squared loss: -(1/N) O3 m, shape (N, N).

    O3[a, b, c] = d2f_a(grad f_b, grad f_c) + d2f_b(grad f_a, grad f_c), contracted with the residual m = f - y, is
    D J^T + J D^T with D the derivative of J along J^T m; neither O3 nor J is formed.

    Source: Dyer & Gur-Ari 2019, arXiv 1909.11304, for O3; the contraction layer by layer is derived.

    >>> import numpy as np
    >>> network, X = LayeredNetwork((2, 16, 16)), np.eye(2)
    >>> velocity = kernel_velocity(network, network.initial(rng=0), X, [1.0, -1.0])
    >>> bool(np.allclose(velocity, velocity.T))
    True
    """
    inputs = check_inputs(X, network.widths[0])
    targets, theta = check_targets(y, len(inputs)), network.check_parameters(theta)
    trace = network.forward(theta, inputs)
    direction = network.pull_back(theta, trace, trace.outputs - targets)
    return np.asarray(Tangents(network, theta, inputs, direction).gramian() / -len(inputs))


def eigenvalue_velocities(found: Spectrum, velocity: Array) -> Array:
    """d lambda_i = v_i . dG v_i for simple eigenvalues, shape (k,).

    >>> import numpy as np
    >>> eigenvalue_velocities(Spectrum.of(np.diag([2.0, 1.0])), np.array([[5.0, 1.0], [1.0, 3.0]])).tolist()
    [5.0, 3.0]
    """
    return np.asarray(np.einsum("ai,ab,bi->i", found.eigenvectors, velocity, found.eigenvectors))


def alignment_velocity(found: Spectrum, velocity: Array, y: Any, k: int) -> float:
    """dE(y, k) for a full spectrum with lambda_k > lambda_{k+1}.

    dE = (2 / |y|^2) sum_{i <= k < j} (v_i.y) (v_j.y) (v_i.dG v_j) / (lambda_i - lambda_j).

    Raises
    ------
    InputError : k out of range.

    >>> import numpy as np
    >>> alignment_velocity(Spectrum.of(np.diag([2.0, 1.0])), np.array([[0.0, 1.0], [1.0, 0.0]]), [1.0, 1.0], 1)
    1.0
    """
    check_cut(k, len(found.eigenvalues) - 1)
    V, values, target = found.eigenvectors, found.eigenvalues, np.asarray(y, dtype=float)
    c = V.T @ target
    mixed = V[:, :k].T @ velocity @ V[:, k:] / (values[:k, None] - values[None, k:])
    return float(2 * c[:k] @ mixed @ c[k:] / (target @ target))
