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

from fractions import Fraction
from math import factorial, sqrt
from typing import Any

from randtensor.errors import ActivationError, ExactError, InputError
from randtensor.exact.derivatives._integrals import Monomial, PreActivations, gaussian_integrals
from randtensor.exact.derivatives.neurons import UnitPolynomial, readout_moment, times
from randtensor.programs.activations import Activation, get_activation
from randtensor.random_function import check_input

__all__ = ["OneHiddenLayer"]


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
    Integrals of smooth activations are trapezoidal sums, which converge exponentially for analytic integrands; the grid
    is refined until two grids agree to a relative 1e-10.

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
        self._points = PreActivations([first, second], Fraction(1, first.size))
        self.k00, self.k01, self.k11 = (float(self._points.covariance(*pair)) for pair in ((0, 0), (0, 1), (1, 1)))
        self._readout = readout

    def mean(self, d: int, n: float) -> float:
        """E C^{0,d} at width n."""
        return float(n ** (-(d - 1) / 2) / factorial(d) * self._expect(self._moved(d, d)))

    def variance(self, d: int, n: float) -> float:
        """Var C^{0,d} at width n."""
        terms = self._moved(d, d)
        return float(n**-d / factorial(d) ** 2 * (self._expect(times(terms, terms)) - self._expect(terms) ** 2))

    def rms(self, d: int, n: float) -> float:
        """Root mean square of C^{0,d} at width n."""
        return sqrt(self.mean(d, n) ** 2 + self.variance(d, n))

    def vector_rms(self, d: int, n: float) -> float:
        """Root mean square of the Euclidean length of C^{1,d} at width n."""
        readout: UnitPolynomial = {(d, _monomial(d, d)): self.k01**d}
        hidden = self._moved(d, d + 1)
        squares = self._expect(times(readout, readout)) + self.k00 * self._expect(times(hidden, hidden))
        return float(n ** (-d / 2) / factorial(d) * sqrt(squares))

    def _moved(self, d: int, k: int) -> UnitPolynomial:
        """phi^(k-d)(z(x_0)) v after d derivatives along the gradient at x_1."""
        terms: UnitPolynomial = {(d + 1, _monomial(k, d)): self.k01**d}
        if d:
            terms[d - 1, _monomial(k - 1, d - 1, 1)] = d * self.k01 ** (d - 1)
        return terms

    def _expect(self, polynomial: UnitPolynomial) -> float:
        """Expectation over v and over the Gaussian pair (z(x_0), z(x_1))."""
        moments = {power: readout_moment(self._readout, power) for power, _ in polynomial}
        needed = [monomial for power, monomial in polynomial if moments[power]]
        # Inputs that are too long are refused for every d, also where the integrals vanish by symmetry.
        needed += [((0, 0, 2),), ((1, 0, 2),), ((0, 0, 1), (1, 0, 1))]
        try:
            integrals = gaussian_integrals(self.activation, self._points, needed)
        except ExactError as error:
            raise InputError(str(error)) from error
        terms = (weight * moments[p] * integrals[f] for (p, f), weight in polynomial.items() if moments[p])
        return float(sum(terms))


def _monomial(k: int, slopes: int, values: int = 0) -> Monomial:
    """P_k Q_1^slopes Q_0^values."""
    factors = ((0, k, 1), (1, 0, values), (1, 1, slopes))
    return tuple(factor for factor in factors if factor[2])
