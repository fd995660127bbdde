r"""The asymptotic series of the law of wide networks around its Gaussian limit.

For one hidden layer the cumulant of order p is c_p n^{1 - p/2} with c_p free of n, so that C_w of
`randtensor.exact.gaussianity.operators` is c_{w+2} D^{w+2} / (w+2)! and

    P_1 = c_3 D^3 / 6,   P_2 = c_4 D^4 / 24 + (c_3 D^3)^2 / 72,   P_3 = c_5 D^5 / 120 + ...
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import ExactError, InputError
from randtensor.exact.derivatives._integrals import Wick
from randtensor.exact.gaussianity.layers import Layer
from randtensor.exact.gaussianity.operators import (
    Operator,
    derivative_means,
    edgeworth_operators,
    exponents,
    symbol,
)
from randtensor.exact.gaussianity.units import MAXIMUM_ORDER, UnitLaw, network_of
from randtensor.exact.rationals import Number
from randtensor.expansions import Expansion
from randtensor.orders import Bound, Order
from randtensor.programs.activations import Activation, get_activation
from randtensor.random_function import RandomFunction, check_input

__all__ = ["EdgeworthSeries", "edgeworth"]

#: Joint cumulants that a series may need, of all orders together.
MAXIMUM_CUMULANTS = 2000


@dataclass(frozen=True)
class EdgeworthSeries:
    """The law of the outputs of a wide network at some inputs, up to a power of the width: made by `edgeworth`.

    Attributes
    ----------
    covariance : of the Gaussian limit G, as nested tuples of numbers.
    operators : P_0, ..., P_J with E F(f) = sum_j step^j E P_j(D) F(G): coefficients by the powers of the derivatives.
    step : what the series runs in, the width to the power -1/2.
    is_symmetric : whether f and -f have one law, so that odd powers of the step vanish.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"), activation="relu", readout="rademacher")
    >>> series = edgeworth(f, [[1.0]], order=2)
    >>> series.operators[2]  # c_4 D^4 / 24 with c_4 = 3/2 - 3/4
    {(4,): Fraction(1, 32)}
    """

    covariance: tuple[tuple[Number, ...], ...]
    operators: tuple[Operator, ...]
    step: Order
    is_symmetric: bool

    @property
    def order(self) -> int:
        """The largest power of the step that is kept."""
        return len(self.operators) - 1

    def expectation(self, test: Any, power: int = 1) -> Expansion:
        """E F(f) as an expansion.

        Parameters
        ----------
        test : F: powers of the outputs such as ``(2, 1)`` for f(x_1)^2 f(x_2), a mapping from such powers to
            coefficients, or for a single input an activation, by name or given.
        power : of the activation.

        Returns
        -------
        The terms up to the order of the series, and the remainder unless the series ends: that of a polynomial of
        degree d ends at the order d - 2.

        Raises
        ------
        InputError : powers that do not fit the inputs, or an activation with several inputs.
        ExactError : the activation is not smooth and bounded well enough for its integrals.

        Examples
        --------
        >>> import randtensor as rt
        >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"), activation="linear", readout="rademacher")
        >>> print(edgeworth(f, [[1.0]], order=4).expectation((6,)))
        15
        >>> print(edgeworth(f, [[1.0]], order=2).expectation("cos").bound)
        Theta(1)
        """
        count = len(self.covariance)
        if isinstance(test, str | Activation):
            if count != 1:
                raise InputError(f"test is an activation with {count} inputs, expected a single input")
            highest = max(sum(powers) for operator in self.operators for powers in operator)
            means = derivative_means(get_activation(test), power, self.covariance[0][0], highest)
            values = [_dot(operator, {(k,): mean for k, mean in enumerate(means)}) for operator in self.operators]
            return self._summed(values, ends=False)
        polynomial = test if isinstance(test, Mapping) else {tuple(test): 1}
        for powers in polynomial:
            if len(powers) != count or any(isinstance(p, bool) or not isinstance(p, int) or p < 0 for p in powers):
                raise InputError(
                    f"test has the powers {powers!r}, expected {count} non-negative integers: one per input"
                )
        wick = Wick(lambda a, b: self.covariance[a][b])
        values = [
            sum(
                (
                    weight * _dot(operator, _derivatives(powers, operator, wick))
                    for powers, weight in polynomial.items()
                ),
                Fraction(0),
            )
            for operator in self.operators
        ]
        # P_j has derivatives of order j + 2 at least, which annihilate polynomials of a lower degree.
        return self._summed(values, ends=max(map(sum, polynomial), default=0) < self._following + 2)

    def characteristic_terms(self, u: Sequence[float]) -> NDArray[np.complex128]:
        """The coefficients of E exp(i u.f) in powers of the step.

        Parameters
        ----------
        u : one frequency per input.

        Examples
        --------
        >>> import randtensor as rt
        >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"), activation="linear", readout="rademacher")
        >>> edgeworth(f, [[1.0]], order=2).characteristic_terms([1.0]).round(6)
        array([0.606531+0.j, 0.      +0.j, 0.      +0.j])
        """
        count = len(self.covariance)
        frequency = check_input(u, "u")
        if frequency.shape != (count,):
            raise InputError(f"u has shape {frequency.shape}, expected {count} frequencies: one per input")
        matrix = np.array([[float(value) for value in row] for row in self.covariance])
        gaussian = math.exp(-float(frequency @ matrix @ frequency) / 2)
        return np.array([symbol(operator, [1j * x for x in frequency]) * gaussian for operator in self.operators])

    def _summed(self, values: Sequence[Number], ends: bool) -> Expansion:
        total = Expansion.of(0)
        for j, value in enumerate(values):
            total = total + Expansion.of(value) * self.step**j
        return total if ends else total + Bound("O", self.step**self._following)

    @property
    def _following(self) -> int:
        """The power of the first term that is left out."""
        return self.order + (2 if self.is_symmetric and self.order % 2 == 0 else 1)


def edgeworth(f: RandomFunction, inputs: Sequence[Any], order: int = 4) -> EdgeworthSeries:
    """The series of the law of a network with one hidden layer around its Gaussian limit, in powers of n^{-1/2}.

    Parameters
    ----------
    f : ``rt.networks.two_layer(...)`` or ``mlp`` with one hidden layer, with outputs of order 1; any law of the
        read-out weights with mean 0, biases, any activation with finite integrals.
    inputs : vectors, all different, at which the joint law is expanded.
    order : the largest power of n^{-1/2} to keep, which takes cumulants up to order + 2.

    Raises
    ------
    ExactError : another function, outputs that are not centred or not of order 1, or a series that is too large.
    InputError : inputs or an order that cannot be used.

    Notes
    -----
    Symmetric read-out weights have no odd cumulants, and their series runs in n^{-1}; skewed ones have a genuine
    series in n^{-1/2}. Source: Carvalho, Lopes Costa, Mourao & Oliveira 2023, arXiv 2304.03385, in Edgeworth's form.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"), activation="linear", readout="exponential")
    >>> series = edgeworth(f, [[1.0]])
    >>> print(series.expectation((4,)))
    3 + 24 n^{-1}
    """
    network = network_of(f, layers=1)
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise InputError(f"order is {order!r}, expected a non-negative integer")
    if order + 2 > MAXIMUM_ORDER:
        raise ExactError(f"order is {order}, expected at most {MAXIMUM_ORDER - 2}")
    if network.outputs not in (None, 1):
        raise ExactError(f"the network has {network.outputs} outputs, expected a scalar one")
    points = [check_input(x, "inputs") for x in inputs]
    if not points or len({x.tobytes() for x in points}) < len(points):
        raise InputError(f"inputs has {len(points)} entries, expected at least one, all different")
    count = len(points)
    if math.comb(count + order + 2, count) > MAXIMUM_CUMULANTS:
        raise ExactError(
            f"the series at {count} inputs to the order {order} needs {math.comb(count + order + 2, count)} "
            f"cumulants, expected at most {MAXIMUM_CUMULANTS}"
        )
    units = UnitLaw(network, points)
    layer = Layer(network, 1)
    layer.require_centred()

    def cumulant(powers: tuple[int, ...]) -> Number:
        labels = [(0, s) for s, power in enumerate(powers) for _ in range(power)]
        return units.cumulant(labels) * layer.scale(len(labels))

    covariance = tuple(
        tuple(cumulant(tuple((i == s) + (i == t) for i in range(count))) for t in range(count)) for s in range(count)
    )
    levels = [{powers: cumulant(powers) for powers in exponents(count, w + 2)} for w in range(1, order + 1)]
    return EdgeworthSeries(covariance, edgeworth_operators(levels, count), layer.step, layer.hands_on_symmetry)


def _dot(operator: Operator, means: Mapping[tuple[int, ...], Number]) -> Number:
    return sum((value * means[powers] for powers, value in operator.items() if means[powers]), Fraction(0))


def _derivatives(powers: tuple[int, ...], operator: Operator, wick: Wick) -> dict[tuple[int, ...], Number]:
    """E of the derivatives of a monomial that an operator asks for."""
    result: dict[tuple[int, ...], Number] = {}
    for order in operator:
        left = tuple(p - k for p, k in zip(powers, order, strict=True))
        if min(left) < 0:
            result[order] = Fraction(0)
            continue
        factor = math.prod(math.perm(p, k) for p, k in zip(powers, order, strict=True))
        result[order] = factor * wick.moment(tuple(enumerate(left)))
    return result
