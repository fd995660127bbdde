"""Joint cumulants of outputs of networks, from the laws of their units and of their layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from randtensor.errors import ExactError, InputError
from randtensor.exact.gaussianity.depth import deep_law
from randtensor.exact.gaussianity.layers import Layer
from randtensor.exact.gaussianity.units import MAXIMUM_ORDER, UnitLaw, network_of
from randtensor.exact.rationals import term_power
from randtensor.expansions import Expansion
from randtensor.orders import Order
from randtensor.random_function import FullyConnected, RandomFunction, check_input

__all__ = ["output_cumulant"]

Array = np.ndarray


def output_cumulant(f: RandomFunction, inputs: Sequence[Any], outputs: Sequence[int] | None = None) -> Expansion:
    """The joint cumulant of the outputs of a fully connected network at initialisation.

    With one hidden layer it is exact at every width. With several it is taken at one input, to the order n^{-1}: the
    variance, with its shift from the limit, and the third and fourth cumulants.

    Parameters
    ----------
    f : ``rt.networks.two_layer(...)`` or ``mlp``: any activation with finite integrals, biases, any laws of the
        read-out weights (``readout=``) and of the weights between hidden layers (``hidden=``), and any parametrisation
        that keeps pre-activations of order 1.
    inputs : p vectors, which may repeat; the cumulant is of order p.
    outputs : numbers of the outputs, one per input, for a network with several and one hidden layer; the read-out
        weights of different outputs are independent.

    Returns
    -------
    With one hidden layer a single power of the width, zero where symmetry makes the cumulant vanish; with several the
    terms that are known, and O of the next.

    Raises
    ------
    ExactError : another function, too high an order, several inputs to a deep network, or integrals that are not found
        (those of smooth activations run over at most three linearly independent inputs).
    InputError : inputs of the wrong length, or outputs that do not exist.

    Notes
    -----
    Symmetric weights have no odd cumulants, and expansions in n^{-1}; skewed weights have expansions in n^{-1/2}.
    Contractions of outputs with one another and with derivatives have such cumulants too, by `rt.exact.joint_cumulant`.
    Source: Carvalho, Lopes Costa, Mourao & Oliveira 2023, arXiv 2304.03385; for the fourth cumulant in depth Yaida
    2020, arXiv 1910.00019.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.two_layer(inputs=1, width=n, activation="relu", readout="exponential")
    >>> print(output_cumulant(f, [[1.0]] * 2), "and", output_cumulant(f, [[1.0]] * 4))
    1/2 and 51/4 n^{-1}
    >>> deep = rt.networks.mlp(inputs=1, width=n, hidden_layers=3, activation="relu")
    >>> print(output_cumulant(deep, [[1.0]] * 4))
    45/64 n^{-1} + O(n^{-2})
    """
    network = network_of(f)
    points = [check_input(x, "inputs") for x in inputs]
    if not 1 <= len(points) <= MAXIMUM_ORDER:
        raise ExactError(f"inputs has {len(points)} entries, expected 1 to {MAXIMUM_ORDER} for a joint cumulant")
    if len(network.widths) > 1:
        return _deep_cumulant(network, points, outputs)
    numbers = _outputs(network, len(points), outputs)
    kinds = [next(i for i, other in enumerate(points) if np.array_equal(other, x)) for x in points]
    value = UnitLaw(network, points).cumulant(list(zip(numbers, kinds, strict=True)))
    coefficient, growth = Expansion.of(network.widths[0]), Order.one()
    for factor in (network.factors[-1], network.stds[-1]):
        number, order = term_power(factor, len(points))
        coefficient, growth = coefficient * number, growth * order
    return coefficient * growth * value


def _deep_cumulant(network: FullyConnected, points: Sequence[Array], outputs: Sequence[int] | None) -> Expansion:
    if network.outputs not in (None, 1) or outputs is not None:
        raise ExactError(f"the network has {len(network.widths)} hidden layers, expected a scalar output then")
    if any(not np.array_equal(x, points[0]) for x in points):
        raise ExactError(
            f"inputs are not all equal, expected one input, repeated, with {len(network.widths)} hidden layers"
        )
    law, step = deep_law(network, points[0])
    last = Layer(network, len(network.widths))
    # Given the hidden layers, an output with symmetric read-out weights is symmetric.
    if len(points) == 1 or (len(points) % 2 and last.hands_on_symmetry):
        return Expansion.of(0)
    return law.cumulant(len(points), step)


def _outputs(network: FullyConnected, count: int, outputs: Sequence[int] | None) -> list[int]:
    if outputs is None:
        if network.outputs not in (None, 1):
            raise InputError(f"outputs is None, expected {count} numbers below {network.outputs}: one per input")
        return [0] * count
    if len(outputs) != count:
        raise InputError(f"outputs has {len(outputs)} entries, expected {count}: one per input")
    for number in outputs:
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < (network.outputs or 1):
            raise InputError(f"outputs contains {number!r}, expected numbers from 0 to {(network.outputs or 1) - 1}")
    return list(outputs)
