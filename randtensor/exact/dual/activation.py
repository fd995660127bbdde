"""The dual of an activation: what it makes of the second moments of Gaussian pre-activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import ExactError
from randtensor.exact.dual.closed_forms import closed_form, next_angles
from randtensor.exact.dual.pairs import GaussianPairs
from randtensor.exact.dual.quadrature import pair_integrals
from randtensor.programs.activations import Activation

__all__ = ["dual"]

Array = NDArray[np.float64]


def dual(activation: Activation, pairs: GaussianPairs) -> tuple[GaussianPairs, Array]:
    """The second moments of phi(z), and E phi'(z_a) phi'(z_b) for every pair (Daniely et al., arXiv 1602.05897).

    Closed forms for polynomials, piecewise linear activations with their kink at 0, erf, gelu, sin, cos and exp;
    otherwise verified quadrature.

    Parameters
    ----------
    activation : phi; the derivative of a piecewise linear function is the one almost everywhere.
    pairs : of Gaussian pre-activations.

    Returns
    -------
    The pairs (phi(z_a), phi(z_b)), whose second moments need not be central, and an array of shape (Q,).

    Raises
    ------
    ExactError : integrals that are infinite or do not converge; a kink elsewhere than at 0.

    Examples
    --------
    >>> from randtensor.programs.activations import get_activation
    >>> inputs = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> after, slopes = dual(get_activation("relu"), GaussianPairs.of_inputs(inputs, np.array([0]), np.array([1])))
    >>> after.variances, after.covariances * 2 * np.pi, slopes
    (array([0.5, 0.5]), array([1.]), array([0.25]))
    """
    rule = closed_form(activation)
    # The variables themselves go along as pairs of equals.
    p = np.concatenate([pairs.variances[pairs.left], pairs.variances])
    q = np.concatenate([pairs.variances[pairs.right], pairs.variances])
    c = np.concatenate([pairs.covariances, pairs.variances])
    theta = np.concatenate([pairs.angles, np.zeros(len(pairs.variances))])
    if rule is None:
        values, slopes = pair_integrals(activation, p, q, c, theta)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            values, slopes = rule(p, q, c, theta)
        if not (np.isfinite(values).all() and np.isfinite(slopes).all()):
            raise ExactError(
                f"the Gaussian integrals of {activation.name!r} exceed the range of floating-point numbers for "
                f"pre-activations of standard deviation {np.sqrt(pairs.variances.max()):g}, expected shorter inputs"
            )
    covariances, variances = values[: len(pairs.left)], values[len(pairs.left) :]
    if activation.smoothness == "piecewise-linear":
        angles = next_angles(activation, pairs.angles)
    else:
        # Smooth duals are smooth functions of the covariance, so that this angle need not be accurate.
        product = variances[pairs.left] * variances[pairs.right]
        angles = np.arctan2(np.sqrt(np.maximum(product - covariances**2, 0.0)), covariances)
    return GaussianPairs(variances, pairs.left, pairs.right, covariances, angles), slopes[: len(pairs.left)]
