"""What a quantity is made of: sums of products of random networks and of contractions of derivative tensors."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from randtensor.combination import Combination, NumberCombination
from randtensor.derivative_contraction import DerivativeContraction
from randtensor.derivatives import DerivativeTensor
from randtensor.dimensions import reciprocal
from randtensor.errors import ExactError
from randtensor.exact.diagrams.networks import Diagram, Network, contract, ones
from randtensor.expansions import Expansion
from randtensor.quantity import Quantity
from randtensor.tensors import DenseTensor

__all__ = ["Summand", "summands"]


@dataclass(frozen=True, eq=False)
class Summand:
    """A network without free labels times a contraction of derivative tensors, which is independent of it."""

    network: Network
    derivatives: DerivativeContraction | None = None

    def __mul__(self, other: Summand) -> Summand:
        (network,) = contract(["", ""], "", [Diagram((self.network,)), Diagram((other.network,))]).networks
        both = [d for d in (self.derivatives, other.derivatives) if d is not None]
        return Summand(network, joined(both) if both else None)

    def scaled(self, factor: Any) -> Summand:
        """Times a number, order or term."""
        coefficient = self.network.coefficient * Expansion.of(factor)
        return replace(self, network=replace(self.network, coefficient=coefficient))


def joined(contractions: Sequence[DerivativeContraction]) -> DerivativeContraction:
    """The product of contractions as one contraction."""
    if len(contractions) == 1:
        return contractions[0]
    return DerivativeContraction(
        [t for c in contractions for t in c.tensors],
        [tuple((number, label) for label in term) for number, c in enumerate(contractions) for term in c.terms],
        [],
        tuple(f for c in contractions for f in c.coefficient),
    )


def summands(quantity: Quantity) -> tuple[Summand, ...]:
    """A quantity as a sum of products.

    Raises
    ------
    ExactError : the quantity is not a polynomial in random tensors and derivative tensors, or has free indices; the
        message names the factor that is to blame.

    Examples
    --------
    >>> import randtensor as rt
    >>> g = rt.gaussian(rt.Scale("n"))
    >>> square = rt.einsum("a,a->", g, g)
    >>> len(summands((square - 1) * (square + 1)))
    4
    """
    match quantity:
        case DenseTensor():
            if quantity.ndim:
                raise ExactError(f"{quantity!r} has {quantity.ndim} free indices, expected a scalar: contract it")
            return tuple(Summand(network) for network in quantity.diagram().networks)
        case DerivativeTensor() | DerivativeContraction():
            contraction = quantity.contraction() if isinstance(quantity, DerivativeTensor) else quantity
            if contraction.output:
                raise ExactError(f"{quantity!r} has free indices, expected a scalar: contract it")
            return (Summand(ones(()).networks[0], contraction),)
        case NumberCombination(name="*") | NumberCombination(name="/", reflected=False):
            factor = quantity.factor if quantity.name == "*" else reciprocal(quantity.factor)
            return tuple(s.scaled(factor) for s in summands(quantity.operands[0]))
        case NumberCombination(name="+" | "-"):
            constant = Summand(ones(()).networks[0])
            sign = -1 if quantity.name == "-" else 1
            own, other = (sign, 1) if quantity.reflected else (1, sign)
            terms = [s.scaled(own) for s in summands(quantity.operands[0])]
            return (*terms, constant.scaled(quantity.factor).scaled(other))
        case Combination(function=operator.mul):
            left, right = map(summands, quantity.operands)
            return tuple(a * b for a, b in product(left, right))
        case Combination(function=operator.add | operator.sub):
            left, right = map(summands, quantity.operands)
            return (*left, *(s.scaled(-1 if quantity.name == "-" else 1) for s in right))
    raise ExactError(
        f"{quantity.describe()} is not a polynomial in random tensors and derivative tensors, "
        f"expected sums, products and contractions of them for an exact expectation"
    )
