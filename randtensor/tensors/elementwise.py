"""Functions of every entry of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.errors import ExactError, OrderError, ShapeError
from randtensor.orders import Order
from randtensor.programs.activations import Activation, get_activation
from randtensor.quantity import Draw
from randtensor.tensors.algebra import Expression
from randtensor.tensors.base import DenseTensor
from randtensor.tensors.growth import HALF, entries_order, factor_order, flat_order

if TYPE_CHECKING:
    from randtensor.exact.diagrams.networks import Diagram, Network

__all__ = ["Elementwise"]

Array = np.ndarray


class Elementwise(Expression):
    """A function of every entry of a real tensor; made by ``rt.apply`` or ``rt.tanh`` and its like.

    Raises
    ------
    ShapeError : the tensor is complex.
    """

    symbol = "elementwise"

    def __init__(self, activation: str | Activation, operand: DenseTensor) -> None:
        self.activation = get_activation(activation)
        if operand.is_complex:
            raise ShapeError(
                f"elementwise {self.activation.name} of {operand!r} has complex entries, expected real ones"
            )
        super().__init__([operand], operand.dimensions)

    def structure(self, parts: Sequence[str]) -> str:
        return f"elementwise {self.activation.name} of {parts[0]}"

    def evaluate(self, draw: Draw) -> Array:
        return np.asarray(self.activation(self.operands[0].evaluate(draw)))

    def diagram(self) -> Diagram:
        """As a function of i.i.d. entries, or as a sum of entrywise powers; see `DenseTensor.diagram`."""
        from randtensor.exact.diagrams.networks import Diagram, contract, ones
        from randtensor.exact.laws.law import polynomial_coefficients

        if not isinstance(self._marked, str):
            return Diagram((self._marked,))
        coefficients = polynomial_coefficients(self.activation)
        if coefficients is None:
            raise ExactError(f"{self!r} has no exact structure: {self._marked}, or a polynomial")
        base, axes = self.operands[0].diagram(), tuple(range(self.ndim))
        parts = [
            (contract([axes] * k, axes, [base] * k) if k else ones(self.dimensions)) * c
            for k, c in enumerate(coefficients)
            if c
        ]
        return reduce(lambda a, b: a + b, parts, Diagram(()))

    @cached_property
    def _marked(self) -> Network | str:
        """The network of a function of single entries of one element; for anything else, why there is none."""
        from randtensor.exact.diagrams import elements
        from randtensor.exact.diagrams.networks import Sector
        from randtensor.exact.laws.law import Function

        networks = self.operands[0].diagram().networks
        if len(networks) != 1:
            return f"its argument is a sum of {len(networks)} terms, expected one tensor"
        (network,) = networks
        if len(network.nodes) != 1:
            return f"its argument is a product of {len(network.nodes)} random tensors, expected one"
        (node,) = network.nodes
        if sorted(network.free) != sorted(node.labels) or len(set(node.labels)) < len(node.labels):
            return f"its argument is a contraction of {node.element!r}, expected that tensor itself"
        full = [Sector.full(network.labels[label].dimension) for label in network.free]
        if list(network.sectors) != full and self.activation(0.0) != 0:
            return f"its argument is {node.element!r} in a block of zeros, expected a function that vanishes at zero"
        coefficient = network.coefficient
        for label, summed in enumerate(network.labels):
            if label not in node.labels:
                # Nothing depends on this index: its sum is a number that belongs inside the function.
                coefficient = coefficient * summed.dimension
        inside, outside = self._scales(coefficient)
        if inside is None:
            return f"the factor {coefficient} of {node.element!r} is not a number, expected one, a homogeneous function"
        if isinstance(node.element, elements.Fixed) and node.mark is None:
            entries = self.activation(node.element.entries * float(inside))
            node = node._replace(element=elements.Fixed(repr(self), entries))
        elif getattr(node.element, "law", None) is None or not isinstance(node.mark, Function | None):
            return f"the entries of {node.element!r} depend on each other, expected independent ones"
        else:
            node = node._replace(mark=Function(self.activation, inside, node.mark))
        names = {label: number for number, label in enumerate(node.labels)}
        return replace(
            network,
            coefficient=outside,
            nodes=(node._replace(labels=tuple(names.values())),),
            labels=tuple(network.labels[label] for label in names),
            free=tuple(names[label] for label in network.free),
        )

    def _scales(self, coefficient: Any) -> tuple[Fraction | float | None, Any]:
        """A factor of the argument as a number inside the function and what can be taken out; None if it cannot."""
        one = coefficient**0
        if not coefficient.scale_names:
            return coefficient.exact({}), one
        points = np.array([-2.0, -0.5, 0.0, 0.25, 3.0])
        homogeneous = self.activation.smoothness in ("linear", "piecewise-linear") and np.allclose(
            self.activation(3 * points), 3 * self.activation(points), rtol=1e-12, atol=0
        )
        try:
            signs = {term.coefficient > 0 for term in coefficient.terms}
        except OrderError:
            return None, one
        if not homogeneous or len(signs) != 1 or not coefficient.is_exact:
            return None, one
        return (Fraction(1), coefficient) if signs == {True} else (Fraction(-1), -coefficient)

    def _cumulants(self, norm: str) -> tuple[Order, Order]:
        """Orders of mean and variance of an entry, where the entries are i.i.d. with finite fourth moments."""
        network = self._marked
        node = None if isinstance(network, str) else network.nodes[0]
        law = getattr(node.element, "law", None) if node is not None else None
        if isinstance(network, str) or node is None or law is None:
            raise self._unknown(norm)
        numbers = [law.moment((node.mark,) * 4), *(law.cumulant((node.mark,) * k) for k in (1, 2))]
        if not all(isinstance(number, Fraction | float) for number in numbers):
            raise self._unknown(norm)
        mean, variance = (factor_order(float(k) if abs(k) > 1e-12 else 0.0) for k in numbers[1:])
        scale = factor_order(network.coefficient)
        return scale * mean, scale**2 * variance

    # Independent entries with finite fourth moments (Latala 2005), and a mean, which is a tensor of rank one.

    @property
    def frobenius_order(self) -> Order:
        if self.activation.name == "abs":
            return self.operands[0].frobenius_order
        mean, variance = self._cumulants("Frobenius norm")
        return (mean + variance**HALF) * entries_order(self.dimensions) ** HALF

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        mean, variance = self._cumulants(f"operator norm with rows {rows}")
        rank_one = mean * entries_order(self.dimensions) ** HALF
        return rank_one + variance**HALF * flat_order(self.dimensions, rows, columns)
