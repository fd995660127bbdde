"""Contractions of random tensors, written as einsum equations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from string import ascii_letters
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from randtensor.coincidences import coincidences
from randtensor.derivative_contraction import DerivativeContraction
from randtensor.derivatives import DerivativeTensor
from randtensor.dimensions import evaluate_shape, same_dimension
from randtensor.errors import EquationError, ExactError
from randtensor.orders import Order
from randtensor.pairwise import contract_batch
from randtensor.quantity import Draw
from randtensor.tensors import DenseTensor
from randtensor.tensors.growth import HALF

if TYPE_CHECKING:
    from randtensor.exact.diagrams.networks import Diagram

__all__ = ["DenseContraction", "einsum"]

_LONGEST_EQUATION = 1000  # characters

Array = np.ndarray

#: Up to this many random tensors the order of a Frobenius norm is that of the exact mean square.
LARGEST_EXACT = 6


def einsum(equation: str, *operands: Any, probes: int | None = None, root: int | str | None = None) -> Any:
    """A contraction of random tensors, or of derivative tensors, as a random quantity.

    Parameters
    ----------
    equation : ``"ab,a,b->"``; one term per operand and an explicit output. Every summed index occurs twice.
    operands : random tensors, or derivative tensors and contractions of them. A derivative tensor of order k has k
        parameter indices, preceded by an output index if the function is vector-valued.
    probes : where a contraction of derivatives has loops that no gradient closes, such as ``"ab,ab->"``, the number of
        random probes per sample that estimate it without bias (2 if not given), or 0 for the exact sum, at a cost
        proportional to the number of parameters. Small parameter spaces are always summed exactly.
    root : for derivative tensors, the operand number or the index at which the contraction is closed. The value
        does not depend on it; two roots are two routes to the same number.

    Returns
    -------
    A ``Quantity``. With free parameter indices it cannot be sampled but contracted further, or measured by ``rt.norm``.

    Raises
    ------
    EquationError : an equation that does not match the operands.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.mlp(inputs=4, width=n, hidden_layers=2, activation="tanh")
    >>> x = [1.0, -1.0, 1.0, 1.0]
    >>> H, g = f.derivative(x, order=2), f.derivative(x)
    >>> c = rt.einsum("ab,a,b->", H, g, g)
    >>> c.sample(2**16, size=3, rng=0).shape
    (3,)
    """
    terms, output = parse(equation, len(operands))
    for number, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        rank = _rank(operand)
        if rank is None:
            raise EquationError(
                f"operand {number} of {equation!r} is {type(operand).__name__}, "
                f"expected a random tensor, a derivative tensor or a contraction of them"
            )
        if rank != len(term):
            derivative = isinstance(operand, DerivativeTensor)
            what = f"derivative of order {operand.derivative_order}" if derivative else "tensor"
            raise EquationError(
                f"operand {number} of {equation!r}, a {what}, has {rank} indices, "
                f"but its term {term!r} names {len(term)}"
            )
    if all(isinstance(operand, DenseTensor) for operand in operands):
        return DenseContraction(equation, terms, output, operands)
    if any(isinstance(operand, DenseTensor) for operand in operands):
        raise EquationError(f"{equation!r} mixes random tensors with derivative tensors, expected operands of one kind")
    tensors: list[DerivativeTensor] = []
    labels: list[tuple[Any, ...]] = []
    coefficient: tuple[Any, ...] = ()
    for number, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        part = operand.contraction() if isinstance(operand, DerivativeTensor) else operand
        outer = dict(zip(part.output, term, strict=True))
        tensors += part.tensors
        labels += [tuple(outer.get(label, (number, label)) for label in inner) for inner in part.terms]
        coefficient += part.coefficient
    return DerivativeContraction(tensors, labels, output, coefficient, probes, root)


def parse(equation: str, count: int) -> tuple[list[str], str]:
    """Terms and output of an equation with ``count`` operands.

    Raises
    ------
    EquationError : not of the form ``"ab,bc->ac"``, or a number of terms other than ``count``.

    >>> parse("ab, bc -> ac", 2)
    (['ab', 'bc'], 'ac')
    """
    if not isinstance(equation, str):
        raise EquationError(f"equation is {equation!r}, expected text such as 'ab,a,b->'")
    if len(equation) > _LONGEST_EQUATION:
        raise EquationError(f"equation has {len(equation)} characters, expected at most {_LONGEST_EQUATION}")
    text = "".join(equation.split())
    left, arrow, output = text.partition("->")
    terms = left.split(",")
    if not arrow or not all(c.isalpha() or c == "," for c in left) or not (output.isalpha() or not output):
        raise EquationError(f"equation is {equation!r}, expected letters, commas and one arrow, such as 'ab,a,b->'")
    if len(terms) != count:
        raise EquationError(
            f"equation {equation!r} has {len(terms)} terms, expected one for each of the {count} operands"
        )
    if len(set(output)) != len(output):
        raise EquationError(f"equation {equation!r} repeats an index of its output, expected each once")
    missing = sorted(set(output) - set(left))
    if missing:
        raise EquationError(
            f"equation {equation!r} has the index {missing[0]!r} only in its output, expected it in a term"
        )
    return terms, output


def _rank(operand: Any) -> int | None:
    if isinstance(operand, DerivativeTensor | DenseTensor):
        return operand.ndim
    return len(operand.output) if isinstance(operand, DerivativeContraction) else None


class DenseContraction(DenseTensor):
    """A contraction of random tensors that are drawn whole; a random tensor itself.

    One operand that occurs several times is the same random variable each time.
    """

    def __init__(self, equation: str, terms: Sequence[str], output: str, operands: Sequence[DenseTensor]) -> None:
        self.equation, self.terms, self.output, self.operands = (
            equation,
            tuple(terms),
            output,
            tuple(operands),
        )
        sizes: dict[str, Any] = {}
        counts: dict[str, int] = {}
        for term, operand in zip(terms, operands, strict=True):
            for label, dimension in zip(term, operand.dimensions, strict=True):
                counts[label] = counts.get(label, 0) + 1
                known = sizes.setdefault(label, dimension)
                if not same_dimension(known, dimension):
                    raise EquationError(
                        f"index {label!r} of {equation!r} has dimensions {known} and {dimension}, "
                        f"expected one dimension per index"
                    )
        for label, count in counts.items():
            if count + (label in output) != 2:
                left_free = " and left free" if label in output else ""
                times = "once" if count == 1 else f"{count} times"
                hint = " (powers of entries are written rt.square and its like)" if count > 2 else ""
                raise EquationError(
                    f"index {label!r} of {equation!r} is used {times}{left_free}, "
                    f"expected twice to be summed, or once and in the output to be left free{hint}"
                )
        super().__init__(tuple(sizes[label] for label in output), "einsum")
        self.scale_names = tuple(sorted({name for operand in operands for name in operand.scale_names}))

    @property
    def is_complex(self) -> bool:
        return any(operand.is_complex for operand in self.operands)

    @property
    def fingerprint(self) -> str:
        names = {id(operand): str(i) for i, operand in enumerate(dict.fromkeys(self.operands))}
        text = self.equation + ";".join(f"{names[id(o)]}:{o.fingerprint}" for o in self.operands)
        return text + coincidences(tuple(dict.fromkeys(self.operands)))

    def occurrences(self) -> tuple[object, ...]:
        return tuple(leaf for operand in self.operands for leaf in operand.occurrences())

    def describe(self) -> str:
        return f"{self.equation} of {', '.join(map(repr, self.operands))}"

    def __repr__(self) -> str:
        return f"<einsum {self.describe()}>"

    def block_length(self, sizes: Any) -> int:
        largest = max((int(np.prod(evaluate_shape(o.dimensions, sizes))) for o in self.operands), default=1)
        return int(np.clip(2**16 // largest, 1, 64))

    def evaluate(self, draw: Draw) -> Array:
        return contract_batch(self.terms, self.output, [operand.evaluate(draw) for operand in self.operands])

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import contract

        return contract(self.terms, self.output, [operand.diagram() for operand in self.operands])

    @cached_property
    def frobenius_order(self) -> Order:
        """By the exact second moment of small contractions, else an upper bound by norms of the operands."""
        if len(self.occurrences()) <= LARGEST_EXACT:
            letters = ascii_letters[: self.ndim]
            square = einsum(f"{letters},{letters}->", self, self.conj())
            try:
                order: Order = square.expectation().order ** HALF
                return order
            except ExactError:
                pass
        return self._norm_bound("frobenius")

    @property
    def injective_order(self) -> Order:
        """An upper bound: the product of the injective norms along a tree, else the Frobenius norm."""
        if self.ndim < 2:
            return self.frobenius_order
        frobenius, bound = self.frobenius_order, self._norm_bound("injective")
        return frobenius if frobenius <= bound else bound

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return self.injective_order if self.ndim == 2 else self.frobenius_order

    def _norm_bound(self, norm: Literal["frobenius", "injective"]) -> Order:
        from randtensor.prediction.norm_calculus import norm_bound

        return norm_bound(self.terms, self.output, self.operands, norm=norm).order
