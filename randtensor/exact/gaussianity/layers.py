"""What one layer of weights does to the law of a wide network: its scale, and the moments of its weights."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any

from randtensor.errors import ExactError
from randtensor.exact.derivatives.neurons import readout_moment
from randtensor.exact.rationals import Number, term_power
from randtensor.orders import Order
from randtensor.random_function import FullyConnected
from randtensor.tensors import iid

__all__ = ["Layer"]


class Layer:
    """The weights behind a hidden layer: z = c sum over w n units of W phi(z_i), with c of order n^{-1/2}.

    Parameters
    ----------
    network : fully connected.
    number : of the hidden layer, from 1 for the first to the depth for the one before the output.
    """

    def __init__(self, network: FullyConnected, number: int) -> None:
        self.is_last = number == len(network.widths)
        self.law: Any = network.readout if self.is_last else network.hidden
        #: standard deviation of the biases that are added
        self.biases = 0.0 if self.is_last else network.biases
        self._odd = network.activation.odd
        self._width = network.widths[number - 1]
        self._factors = (network.factors[number], network.stds[number])

    @cached_property
    def step(self) -> Order:
        """The width to the power -1/2, without its coefficient.

        Raises
        ------
        ExactError : the width does not grow, or what the layer gives is not of order 1.
        """
        growth = term_power(self._width, 1)[1]
        total = growth
        for factor in self._factors:
            total = total * term_power(factor, 2)[1]
        if growth == Order.one():
            raise ExactError(f"the width is {self._width}, expected one that grows such as rt.Scale('n')")
        if total != Order.one():
            what = "the output" if self.is_last else "a hidden layer"
            raise ExactError(f"{what} has a variance of order {total}, expected order 1")
        return growth ** Fraction(-1, 2)

    def scale(self, power: int) -> Number:
        """The number w (c n^{1/2})^p, by which cumulants of order p are more than those of one unit."""
        result: Number = term_power(self._width, 1)[0]
        for factor in self._factors:
            result = result * term_power(factor, power)[0]
        return result

    @property
    def width(self) -> Number:
        """The number w."""
        return term_power(self._width, 1)[0]

    def moment(self, power: int) -> Number:
        """Of a weight, apart from its standard deviation, which is in the scale."""
        return readout_moment(self.law, power)

    @property
    def excess(self) -> Number:
        """The fourth cumulant of a weight."""
        return self.moment(4) - 3 * self.moment(2) ** 2

    @property
    def hands_on_symmetry(self) -> bool:
        """Whether a symmetric law of the units makes that of their sum symmetric: by the weights or the activation."""
        return self._odd or self.law is None or iid(self.law, 1).law.symmetric

    def require_centred(self) -> None:
        """Refuse weights with a mean.

        Raises
        ------
        ExactError : they have one.
        """
        if abs(float(self.moment(1))) > 1e-12:
            raise ExactError(f"the weights have the mean {float(self.moment(1)):g}, expected centred ones")
