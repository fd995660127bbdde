r"""Exact laws of networks with one hidden layer, at every finite width.

For F(x) = n^{-1/2} sum_i v_i phi(z_i(x)) with z(x) = W x / sqrt(inputs), Gaussian W and i.i.d. v, every derivative
correlation is a sum over hidden units, so that its moments are integrals over one unit: exact in n, with no remainder.
With P_k = phi^(k)(z(x_0)), Q_k = phi^(k)(z(x_1)), k_ab = x_a.x_b / inputs and all gradients at x_1,

    C^{0,d} = n^{-(d+1)/2} / d!  sum_i X_i,    X = v^{d+1} P_d (Q_1 k_01)^d + d v^{d-1} P_{d-1} Q_0 (Q_1 k_01)^{d-1}
    |C^{1,d}|^2 = n^{-(d+1)} / d!^2  sum_i Y_i,
    Y = v^{2d} P_d^2 (Q_1 k_01)^{2d} + k_00 (v^{d+1} P_{d+1} (Q_1 k_01)^d + d v^{d-1} P_d Q_0 (Q_1 k_01)^{d-1})^2

by the chain rule: moving along the gradient at x_1 changes z_i(x_0) by n^{-1/2} v_i Q_1 k_01 and v_i by n^{-1/2} Q_0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import factorial, sqrt
from typing import Any

import numpy as np

from randtensor.errors import ActivationError, InputError
from randtensor.programs.activations import Activation, get_activation
from randtensor.random_function import check_input

__all__ = ["OneHiddenLayer"]

Array = np.ndarray

#: A polynomial in the read-out weight v: values over the grid by power.
Powers = dict[int, Array]

#: Half-width of the integration grid in standard deviations: the weight beyond it is below 1e-55.
REACH = 16.0

#: Grid points per direction, doubled until two grids agree.
NODES = (128, 256, 512, 1024, 2048)

#: Agreement asked for, relative to the integral of the absolute value.
AGREEMENT = 1e-10


class OneHiddenLayer:
    """Exact moments of the correlations C^{D,d} of a two-layer network in NTK parametrisation, without biases.

    Parameters
    ----------
    activation : smooth activation.
    x0, x1 : input of the correlation's first derivative, and input of all gradients.
    readout : frozen SciPy distribution of the read-out weights, standard normal if not given.

    Raises
    ------
    ActivationError : the activation is not smooth, so that derivatives of higher order do not exist.
    InputError : inputs that are not vectors of one length; or, from the methods, an integral that does not converge
        because the inputs are too long for the activation's scale.

    Notes
    -----
    Integrals are trapezoidal sums, which converge exponentially for analytic integrands; the grid is refined until two
    grids agree to a relative 1e-10.

    Examples
    --------
    >>> law = OneHiddenLayer("tanh", [1, 1, 1, 1], [1, 1, 1, -1])
    >>> round(law.mean(1, n=100), 5), round(100 * law.rms(2, n=100), 5)
    (0.3787, 0.17811)
    """

    def __init__(self, activation: str | Activation, x0: Any, x1: Any, readout: Any = None) -> None:
        self.activation = get_activation(activation)
        if self.activation.smoothness not in ("smooth", "polynomial", "linear"):
            raise ActivationError(f"activation is {self.activation.name!r}, expected a smooth one")
        first, second = check_input(x0), check_input(x1)
        if first.ndim != 1 or first.shape != second.shape or not first.any():
            raise InputError(
                f"x0 and x1 have shapes {first.shape} and {second.shape}, expected non-zero vectors of one length"
            )
        self.k00, self.k01, self.k11 = (
            float(a @ b) / first.size for a, b in ((first, first), (first, second), (second, second))
        )
        self._readout = readout

    def mean(self, d: int, n: float) -> float:
        """E C^{0,d} at width n."""
        return float(n ** (-(d - 1) / 2) / factorial(d) * self._expect(d, partial(self._closed, d)))

    def variance(self, d: int, n: float) -> float:
        """Var C^{0,d} at width n."""

        def square(p: list[Array], q: list[Array]) -> Powers:
            terms = self._closed(d, p, q)
            return _product(terms, terms)

        mean = self._expect(d, partial(self._closed, d))
        return float(n**-d / factorial(d) ** 2 * (self._expect(d, square) - mean**2))

    def rms(self, d: int, n: float) -> float:
        """Root mean square of C^{0,d} at width n."""
        return sqrt(self.mean(d, n) ** 2 + self.variance(d, n))

    def vector_rms(self, d: int, n: float) -> float:
        """Root mean square of the Euclidean length of C^{1,d} at width n."""

        def square(p: list[Array], q: list[Array]) -> Powers:
            step = q[1] * self.k01
            readout: Powers = {d: p[d] * step**d}
            hidden: Powers = {d + 1: p[d + 1] * step**d}
            if d:
                hidden[d - 1] = d * p[d] * q[0] * step ** (d - 1)
            total = _product(readout, readout)
            for power, values in _product(hidden, hidden).items():
                total[power] = total.get(power, 0.0) + self.k00 * values
            return total

        return float(n ** (-d / 2) / factorial(d) * sqrt(self._expect(d + 1, square)))

    def _closed(self, d: int, p: list[Array], q: list[Array]) -> Powers:
        """X as a polynomial in v: coefficients by power."""
        step = q[1] * self.k01
        terms: Powers = {d + 1: p[d] * step**d}
        if d:
            terms[d - 1] = d * p[d - 1] * q[0] * step ** (d - 1)
        return terms

    def _expect(self, order: int, integrand: Callable[[list[Array], list[Array]], Powers]) -> float:
        """Expectation over v and over the Gaussian pair (z(x_0), z(x_1)).

        ``integrand`` maps derivatives of phi at both inputs, up to ``order``, to coefficients by power of v.
        """
        previous = None
        for nodes in NODES:
            points = np.linspace(-REACH, REACH, nodes)
            weights = np.exp(-(points**2) / 2)
            weights /= weights.sum()
            z0 = sqrt(self.k00) * points[:, None]
            spread = sqrt(max(self.k11 - self.k01**2 / self.k00, 0.0))
            z1 = self.k01 / sqrt(self.k00) * points[:, None] + spread * points[None, :]
            derivatives = (self._derivatives(z0, order), self._derivatives(z1, order))
            value = size = 0.0
            for power, terms in integrand(*derivatives).items():
                moment, terms = self._readout_moment(power), np.broadcast_to(terms, (nodes, nodes))
                value += moment * float(weights @ terms @ weights)
                size += abs(moment) * float(weights @ np.abs(terms) @ weights)
            # Two grids can agree by missing the activation altogether: its scale, which is 1, has to be resolved too.
            resolved = 2 * REACH / nodes * sqrt(max(self.k00, self.k11)) < 1.0
            if previous is not None and resolved and abs(value - previous) <= AGREEMENT * size:
                return value
            previous = value
        raise InputError(
            f"the inputs have mean squares {self.k00:g} and {self.k11:g}, for which the integrals of "
            f"{self.activation.name!r} do not converge: expected shorter inputs"
        )

    def _derivatives(self, z: Array, order: int) -> list[Array]:
        return [factorial(k) * c for k, c in enumerate(self.activation.taylor(z, max(order, 1)))]

    def _readout_moment(self, power: int) -> float:
        if self._readout is not None:
            return float(self._readout.moment(power)) if power else 1.0
        return 0.0 if power % 2 else float(np.prod(np.arange(power - 1, 0, -2)))


def _product(left: Powers, right: Powers) -> Powers:
    result: Powers = {}
    for a, x in left.items():
        for b, y in right.items():
            result[a + b] = result.get(a + b, 0.0) + x * y
    return result
