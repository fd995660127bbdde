r"""Joint cumulants of the outputs of networks with one hidden layer, at every finite width.

An output is a normalised sum over units, f_o(x) = c sum_i a_oi phi(z_i(x)), whose summands Y are independent and equal
in law. Cumulants of independent summands add up, so that

    kappa(f_o(x_1), ..., f_q(x_p)) = n c^p kappa(Y_o(x_1), ..., Y_q(x_p)),

with no remainder; for c = n^{-1/2} the cumulant of order p is n^{1 - p/2} times that of one unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from randtensor.errors import ExactError, InputError
from randtensor.exact.derivatives._integrals import Monomial, PreActivations, gaussian_integrals
from randtensor.exact.derivatives.neurons import readout_moment
from randtensor.exact.laws.law import RESIDUE
from randtensor.exact.rationals import Number, exact, term_power
from randtensor.orders import Order
from randtensor.random_function import FullyConnected, RandomFunction

__all__ = ["MAXIMUM_ORDER", "UnitLaw", "network_of", "pre_activations"]

Array = np.ndarray

#: One factor of a product: the number of the output, and that of the input.
Label = tuple[int, int]

#: Factors of a cumulant: the sum over set partitions has about 3^p terms.
MAXIMUM_ORDER = 14


class UnitLaw:
    """Joint moments and cumulants of a_o phi(z(x_s)) for one hidden unit, by labels (o, s).

    Parameters
    ----------
    network : with one hidden layer; Gaussian weights and biases there, any law of the read-out weights.
    inputs : vectors.
    """

    def __init__(self, network: FullyConnected, inputs: Sequence[Array]) -> None:
        self._network = network
        self._points = pre_activations(network, inputs)
        self._integrals: dict[Monomial, Number] = {}
        self._cumulants: dict[tuple[Label, ...], Number] = {}

    def moment(self, labels: Sequence[Label]) -> Number:
        """E of the product: the read-out weights of different outputs are independent."""
        result: Number = Fraction(1)
        for output in {o for o, _ in labels}:
            result = result * readout_moment(self._network.readout, sum(o == output for o, _ in labels))
        if not result:
            return Fraction(0)
        monomial = _monomial(labels)
        self._require([monomial])
        return result * self._integrals[monomial]

    def cumulant(self, labels: Sequence[Label]) -> Number:
        """The joint cumulant: the moment without what falls apart into the block of the first factor and the rest."""
        key = tuple(sorted(labels))
        if key not in self._cumulants:
            self._require({_monomial(part) for k in range(1, len(key) + 1) for part in set(combinations(key, k))})
            total = self.moment(key)
            size = abs(float(total))
            first, others = key[0], range(len(key) - 1)
            for along in (part for k in range(len(key) - 1) for part in combinations(others, k)):
                block = (first, *(key[1 + i] for i in along))
                rest = tuple(key[1 + i] for i in others if i not in along)
                part, others_moment = self.cumulant(block), self.moment(rest)
                if part and others_moment:
                    summand = part * others_moment
                    total, size = total - summand, size + abs(float(summand))
            # What rounding leaves of floats that cancel is zero.
            rounding = isinstance(total, float) and abs(total) <= RESIDUE * size
            self._cumulants[key] = Fraction(0) if rounding else total
        return self._cumulants[key]

    def _require(self, monomials: Iterable[Monomial]) -> None:
        """Integrate what is new, all at once: integrals over the same inputs share their grid."""
        missing = [monomial for monomial in monomials if monomial not in self._integrals]
        if missing:
            self._integrals.update(gaussian_integrals(self._network.activation, self._points, missing))


def network_of(f: Any, layers: int | None = None) -> FullyConnected:
    """The architecture of a fully connected network at initialisation.

    Parameters
    ----------
    layers : number of hidden layers that is expected, None for any.

    Raises
    ------
    ExactError : it is no such network.
    """
    if not isinstance(f, RandomFunction):
        raise InputError(f"f is {f!r}, expected a random function such as rt.networks.two_layer(...)")
    network = f.architecture
    if network is None:
        raise ExactError(
            f"the function is {f.name!r}, expected a fully connected network at initialisation, "
            f"made by rt.networks.two_layer or mlp"
        )
    if layers is not None and len(network.widths) != layers:
        expected = "one hidden layer" if layers == 1 else f"{layers} hidden layers"
        raise ExactError(f"the network has {len(network.widths)} hidden layers, expected {expected}")
    return network


def pre_activations(network: FullyConnected, inputs: Sequence[Array]) -> PreActivations:
    """The Gaussian pre-activations of the first layer.

    Raises
    ------
    ExactError : they grow or shrink with the width.
    InputError : inputs that are not vectors of the network's input dimension.
    """
    for x in inputs:
        if x.shape != (network.inputs,):
            raise InputError(f"inputs has an entry of shape {x.shape}, expected vectors of length {network.inputs}")
    variance: Number = Fraction(1)
    growth = Order.one()
    for factor in (network.factors[0], network.stds[0]):
        number, order = term_power(factor, 2)
        variance, growth = variance * number, growth * order
    if growth != Order.one():
        raise ExactError(f"the pre-activations have a variance of order {growth}, expected order 1")
    if not network.biases:
        return PreActivations(inputs, variance)
    # A bias is one more weight, of an input that is constant.
    constant = float(exact(network.biases)) / float(variance) ** 0.5
    return PreActivations([np.append(x, constant) for x in inputs], variance)


def _monomial(labels: Sequence[Label]) -> Monomial:
    inputs = [s for _, s in labels]
    return tuple((s, 0, inputs.count(s)) for s in sorted(set(inputs)))
