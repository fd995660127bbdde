"""How a predicted order comes about: a bound, what it is worth, and the steps that lead to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from randtensor.errors import InputError
from randtensor.notebook import html_table
from randtensor.orders import Bound, Order

__all__ = ["Derivation", "DerivationKind", "Step"]

DerivationKind = Literal["exact", "tight", "upper bound", "conjecture"]


@dataclass(frozen=True)
class Step:
    """One factor of a predicted order.

    Attributes
    ----------
    factor : what contributes.
    rule : why it contributes this much.
    order : what it contributes.
    source : where the rule comes from.
    """

    factor: str
    rule: str
    order: Order
    source: str


@dataclass(frozen=True)
class Derivation:
    """A predicted order with its derivation; as text, a table with one line per step.

    Parameters
    ----------
    bound : what is predicted.
    kind : "exact" (the order is the true one, by an exact expectation), "tight" (attained, by an argument or a
        measurement), "upper bound" (proven, perhaps not attained) or "conjecture" (an upper bound that no known
        case violates).
    steps : factors whose product is the order of the bound.

    Raises
    ------
    InputError : ``kind`` is not one of these.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> step = Step("gHg", "one odd component of 3 operands", n**-1, "Dyer & Gur-Ari, arXiv 1909.11304")
    >>> print(Derivation(rt.O(n**-1), "conjecture", (step,)))
    O(n^{-1}), conjecture
      gHg  one odd component of 3 operands  n^{-1}  Dyer & Gur-Ari, arXiv 1909.11304
    """

    bound: Bound
    kind: DerivationKind
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(DerivationKind):
            raise InputError(f"kind is {self.kind!r}, expected one of {', '.join(get_args(DerivationKind))}")

    @property
    def order(self) -> Order:
        """The predicted growth class."""
        return self.bound.order

    def __str__(self) -> str:
        rows = [(step.factor, step.rule, str(step.order), step.source) for step in self.steps]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([f"{self.bound}, {self.kind}", *(f"  {line}".rstrip() for line in lines)])

    __repr__ = __str__  # at a prompt, every field would be pages

    def _repr_latex_(self) -> str:
        return f"${self.bound.latex()}$"

    def _repr_html_(self) -> str:
        rows = [(step.factor, step.rule, f"${step.order.latex()}$", step.source) for step in self.steps]
        return html_table(f"${self.bound.latex()}$, {self.kind}", ("factor", "rule", "order", "source"), rows)
