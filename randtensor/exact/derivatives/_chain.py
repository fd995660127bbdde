"""Contractions of derivative tensors of a homogeneous network, read as a chain of layers for the transfer matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from randtensor.derivative_contraction import DerivativeContraction
from randtensor.errors import ExactError
from randtensor.exact.derivatives._gram import Slopes
from randtensor.exact.haar.matchings import count_matchings
from randtensor.exact.rationals import Number, exact_number, multiply, square, term_power
from randtensor.orders import Order
from randtensor.programs.activations import Activation
from randtensor.random_function import FullyConnected

__all__ = ["Chain", "Monomial", "check_size", "product_of", "read_chain"]

Array = np.ndarray

#: Operands whose matchings are listed: 945 of them.
LARGEST_PRODUCT = 10

#: A coefficient and its growth.
Monomial = tuple[Number, Order]


@dataclass(frozen=True, eq=False)
class Chain:
    """A scalar contraction of m derivative tensors of a network with d hidden layers.

    Attributes
    ----------
    operands : m.
    edges : pairs of operands that share an index, as often as they do.
    slopes : of the activation, for positive and for negative arguments.
    widths : of the hidden layers; integers have the growth 1.
    prefactor : everything that multiplies the sum over placements, apart from inner products of inputs.
    places : per weight type, what one contracted index there contributes more than a pair of plain weights.
    products : inner products of the operands' inputs, m x m.
    is_collinear : whether all inputs are non-negative multiples of one; for a nonlinear activation they are.
    """

    operands: int
    edges: tuple[tuple[int, int], ...]
    slopes: Slopes
    widths: tuple[Monomial, ...]
    prefactor: Monomial
    places: tuple[Monomial, ...]
    products: tuple[tuple[Number, ...], ...]
    is_collinear: bool

    @property
    def vanishes(self) -> bool:
        """Whether the parity of the factors, or an index that an operand carries twice, makes every term zero."""
        return self.operands % 2 == 1 or self.prefactor[0] == 0 or any(a == b for a, b in self.edges)


def read_chain(contraction: DerivativeContraction) -> Chain:
    """The chain behind a contraction.

    Raises
    ------
    ExactError : the contraction has free indices, or its network is not one the transfer matrix covers.
    """
    if contraction.output:
        raise ExactError(f"the contraction has {len(contraction.output)} free indices, expected a scalar")
    functions = {id(t.function): t.function for t in contraction.tensors}
    if len(functions) > 1:
        raise ExactError(f"the operands belong to {len(functions)} functions, expected one network for all of them")
    (function,) = functions.values()
    network = function.architecture
    if network is None:
        raise ExactError(
            f"the function is {function.name!r}, expected a fully connected network at initialisation, "
            f"made by rt.networks.deep_linear, mlp or two_layer"
        )
    _check(network)
    slopes = _slopes(network.activation)
    inputs = [t.x for t in contraction.tensors]
    collinear = _are_collinear(inputs)
    if slopes[0] != slopes[1] and not collinear:
        raise ExactError(
            f"the activation is {network.activation.name!r} and the operands have different inputs, "
            f"expected one common input up to positive factors unless the activation is linear"
        )
    operands = len(contraction.tensors)
    scalars = [term_power(factor, 1) for factor in contraction.coefficient]
    for values in (network.factors, network.stds):
        scalars += [term_power(value, operands) for value in values]
    places = tuple(_inverse(term_power(std, 2)) for std in network.stds)
    return Chain(
        operands,
        _edges(contraction),
        slopes,
        tuple(term_power(width, 1) for width in network.widths),
        product_of(scalars),
        places,
        tuple(tuple(_inner(a, b) for b in inputs) for a in inputs),
        collinear,
    )


def check_size(chain: Chain) -> None:
    """Whether the matchings of the operands can be listed.

    Raises
    ------
    ExactError : they are too many.
    """
    if chain.operands > LARGEST_PRODUCT:
        raise ExactError(
            f"the contraction has {chain.operands} operands with {count_matchings(chain.operands)} matchings, "
            f"expected at most {LARGEST_PRODUCT} operands with {count_matchings(LARGEST_PRODUCT)}: "
            f"sample it, or bound it by its order"
        )


def product_of(monomials: Sequence[Monomial]) -> Monomial:
    """The product of coefficients, and that of growths."""
    order = Order(1)
    for _, growth in monomials:
        order = order * growth
    return multiply(coefficient for coefficient, _ in monomials), order


def _inverse(monomial: Monomial) -> Monomial:
    return 1 / monomial[0], monomial[1] ** -1


def _check(network: FullyConnected) -> None:
    if network.outputs is not None:
        raise ExactError(f"the network has {network.outputs} outputs, expected a scalar one: outputs = None")
    if network.biases:
        raise ExactError(f"biases is {network.biases!r}, expected a network without biases")
    if network.readout is not None:
        raise ExactError("readout is given, expected Gaussian read-out weights")
    if network.hidden is not None:
        raise ExactError(f"hidden is {network.hidden!r}, expected Gaussian weights between hidden layers")


def _slopes(activation: Activation) -> Slopes:
    """Slopes for positive and for negative arguments.

    Raises
    ------
    ExactError : the activation is not linear on both half-lines.
    """
    known = activation.name in ("relu", "abs") or activation.name.startswith("leaky_relu(")
    if not (activation.smoothness == "linear" or known) or activation(0.0) != 0:
        raise ExactError(
            f"the activation is {activation.name!r}, expected a homogeneous one: linear, relu, leaky_relu or abs"
        )
    up, down = (float(activation.taylor(np.array([z]), 1)[1][0]) for z in (1.0, -1.0))
    # The shortest decimal is the slope that was written: 1/10, not the double next to it.
    return Fraction(repr(up)), Fraction(repr(down))


def _edges(contraction: DerivativeContraction) -> tuple[tuple[int, int], ...]:
    ends: dict[Any, list[int]] = {}
    for operand, term in enumerate(contraction.terms):
        for label in term:
            ends.setdefault(label, []).append(operand)
    return tuple((pair[0], pair[1]) for pair in ends.values())


def _are_collinear(inputs: Sequence[Array]) -> bool:
    """Whether all inputs are non-negative multiples of one."""
    longest = [Fraction(float(value)) for value in max(inputs, key=lambda x: float(np.abs(x).max(initial=0)))]
    pivot = next((i for i, value in enumerate(longest) if value), None)
    if pivot is None:
        return True
    for x in {x.tobytes(): x for x in inputs}.values():
        values = [Fraction(float(value)) for value in x]
        if values[pivot] / longest[pivot] < 0:
            return False
        if any(value * longest[pivot] != values[pivot] * other for value, other in zip(values, longest, strict=True)):
            return False
    return True


def _inner(a: Array, b: Array) -> Number:
    """An inner product, exact for decimals such as 0.1 and for the rounded roots of fractions with themselves."""
    total: Number = Fraction(0)
    same = a is b or np.array_equal(a, b)
    for first, second in zip(a.tolist(), b.tolist(), strict=True):
        total = total + (square(exact_number(first)) if same else exact_number(first) * exact_number(second))
    return total
