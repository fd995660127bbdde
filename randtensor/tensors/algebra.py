"""Tensors made of others: sums, multiples, transposes, conjugates and real parts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.dimensions import check_factor, evaluate_factor, factor_text, scale_names
from randtensor.errors import InputError
from randtensor.expansions import Expansion
from randtensor.orders import Order
from randtensor.quantity import Draw, Sizes
from randtensor.tensors.base import DenseTensor, require_same_dimensions
from randtensor.tensors.growth import factor_order

if TYPE_CHECKING:
    from randtensor.exact.diagrams.networks import Diagram

__all__ = ["Conjugate", "Expression", "Real", "Scaled", "Sum", "Transposed"]

Array = np.ndarray


class Expression(DenseTensor):
    """A tensor made of others; equal operands are one random variable."""

    #: what the tensors are put together by, in messages and fingerprints
    symbol = ""

    def __init__(self, operands: Sequence[DenseTensor], shape: Sequence[Any], factors: Sequence[Any] = ()) -> None:
        super().__init__(shape, self.symbol)
        self.operands = tuple(operands)
        names = {name for operand in operands for name in operand.scale_names}
        self.scale_names = tuple(sorted(names | {*self.scale_names, *scale_names(factors)}))

    @property
    def is_complex(self) -> bool:
        return any(operand.is_complex for operand in self.operands)

    def occurrences(self) -> tuple[object, ...]:
        return tuple(leaf for operand in self.operands for leaf in operand.occurrences())

    def block_length(self, sizes: Sizes) -> int:
        return min(super().block_length(sizes), *(operand.block_length(sizes) for operand in self.operands))

    def structure(self, parts: Sequence[str]) -> str:
        """The expression as text, with a text for each operand."""
        return f"{self.symbol}({', '.join(parts)})"

    @property
    def fingerprint(self) -> str:
        leaves = self.occurrences()
        numbers = {id(leaf): number for number, leaf in enumerate(dict.fromkeys(leaves))}
        text = self.structure([operand.fingerprint for operand in self.operands])
        # A + A and A + B have one structure; which leaves agree tells them apart.
        return text if len(numbers) == len(leaves) else f"{text}@{','.join(str(numbers[id(leaf)]) for leaf in leaves)}"

    def describe(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return self.structure([repr(operand) for operand in self.operands])


class Sum(Expression):
    """The sum of tensors of one shape."""

    symbol = "+"

    def __init__(self, operands: Sequence[DenseTensor]) -> None:
        for operand in operands[1:]:
            require_same_dimensions(operands[0], operand, "sum")
        super().__init__(operands, operands[0].dimensions)

    def structure(self, parts: Sequence[str]) -> str:
        return f"({' + '.join(parts)})"

    def evaluate(self, draw: Draw) -> Array:
        return np.asarray(reduce(np.add, [operand.evaluate(draw) for operand in self.operands]))

    def diagram(self) -> Diagram:
        return reduce(lambda a, b: a + b, [operand.diagram() for operand in self.operands])

    # Norms of a sum: at most the largest one, by the triangle inequality; attained unless the summands cancel.

    @property
    def frobenius_order(self) -> Order:
        return reduce(lambda a, b: a + b, [operand.frobenius_order for operand in self.operands])

    @property
    def injective_order(self) -> Order:
        return reduce(lambda a, b: a + b, [operand.injective_order for operand in self.operands])

    @property
    def nuclear_order(self) -> Order:
        return reduce(lambda a, b: a + b, [operand.nuclear_order for operand in self.operands])

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return reduce(lambda a, b: a + b, [operand.flattening_order(rows) for operand in self.operands])


class Scaled(Expression):
    """A tensor times a number, an order, a term or an expansion."""

    symbol = "*"

    def __init__(self, operand: DenseTensor, factor: Any) -> None:
        if isinstance(factor, complex | np.complexfloating):
            raise InputError(f"the factor of {operand!r} is {factor!r}, expected a real number, an order or a term")
        self.factor = check_factor(factor)
        super().__init__([operand], operand.dimensions, [self.factor])

    def structure(self, parts: Sequence[str]) -> str:
        return f"{self._parenthesized(factor_text(self.factor))}*{parts[0]}"

    def __repr__(self) -> str:
        text = "-" if self.factor == -1 else f"{self._parenthesized(str(self.factor))}*"
        return f"{text}{self.operands[0]!r}"

    def _parenthesized(self, text: str) -> str:
        return f"({text})" if isinstance(self.factor, Expansion) else text

    def evaluate(self, draw: Draw) -> Array:
        return np.asarray(self.operands[0].evaluate(draw) * evaluate_factor(self.factor, draw.sizes))

    def diagram(self) -> Diagram:
        diagram: Diagram = self.operands[0].diagram() * exact_factor(self.factor)
        return diagram

    @property
    def frobenius_order(self) -> Order:
        return factor_order(self.factor) * self.operands[0].frobenius_order

    @property
    def injective_order(self) -> Order:
        return factor_order(self.factor) * self.operands[0].injective_order

    @property
    def nuclear_order(self) -> Order:
        return factor_order(self.factor) * self.operands[0].nuclear_order

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return factor_order(self.factor) * self.operands[0].flattening_order(rows)


class _SameNorms(Expression):
    """An expression whose norms grow as those of its only operand."""

    @property
    def frobenius_order(self) -> Order:
        return self.operands[0].frobenius_order

    @property
    def injective_order(self) -> Order:
        return self.operands[0].injective_order

    @property
    def nuclear_order(self) -> Order:
        return self.operands[0].nuclear_order

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return self.operands[0].flattening_order(rows)


class Transposed(_SameNorms):
    """A tensor with its indices in another order."""

    symbol = "transpose"

    def __init__(self, operand: DenseTensor, axes: tuple[int, ...]) -> None:
        self.axes = axes
        super().__init__([operand], [operand.dimensions[axis] for axis in axes])

    def structure(self, parts: Sequence[str]) -> str:
        return f"{parts[0]}.transpose{self.axes}"

    def evaluate(self, draw: Draw) -> Array:
        return self.operands[0].evaluate(draw).transpose(0, *(axis + 1 for axis in self.axes))

    def diagram(self) -> Diagram:
        return self.operands[0].diagram().transpose(self.axes)

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return self.operands[0].flattening_order(tuple(self.axes[row] for row in rows))


class Conjugate(_SameNorms):
    """The complex conjugate of a tensor."""

    symbol = "conj"

    def __init__(self, operand: DenseTensor) -> None:
        super().__init__([operand], operand.dimensions)

    def conj(self) -> DenseTensor:
        return self.operands[0]

    def evaluate(self, draw: Draw) -> Array:
        return np.asarray(np.conj(self.operands[0].evaluate(draw)))

    def diagram(self) -> Diagram:
        return self.operands[0].diagram().conjugate()


class Real(_SameNorms):
    """The real part of a complex tensor; made by ``T.real``."""

    symbol = "real"

    def __init__(self, operand: DenseTensor) -> None:
        super().__init__([operand], operand.dimensions)

    @property
    def is_complex(self) -> bool:
        return False

    def evaluate(self, draw: Draw) -> Array:
        return np.asarray(np.real(self.operands[0].evaluate(draw)))

    def diagram(self) -> Diagram:
        diagram = self.operands[0].diagram()
        return (diagram + diagram.conjugate()) * Fraction(1, 2)


def exact_factor(factor: Any) -> Any:
    """A factor as it enters exact expectations: decimals such as 0.1 are the fractions they were written as."""
    from randtensor.exact.rationals import exact_number

    return exact_number(factor) if isinstance(factor, int | float | Fraction) else factor
