"""Elementary random tensors: what every family is built from, with the rule that averages over it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from itertools import permutations
from math import factorial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from randtensor.dimensions import Dimension
from randtensor.errors import ExactError

if TYPE_CHECKING:
    from randtensor.exact.laws.law import Law

__all__ = ["CONJUGATE", "Element", "Fixed", "Gaussian", "Haar", "Independent", "Mark", "Spherical"]

#: What is done to every entry: None for nothing, CONJUGATE, or the name of a function that the element's law knows.
Mark = Hashable

CONJUGATE = "*"


class Element:
    """One random (or fixed) tensor with a rule for its expectations; every object is a random variable of its own.

    Parameters
    ----------
    name : for messages.
    dimensions : sizes of the slots.
    """

    #: whether the complex conjugate is another tensor
    is_complex = False
    #: whether the complex conjugate is the transpose
    is_hermitian = False

    def __init__(self, name: str, dimensions: Sequence[Dimension]) -> None:
        self.name, self.dimensions = name, tuple(dimensions)

    def __repr__(self) -> str:
        return self.name


class Gaussian(Element):
    """Centred Gaussian entries, averaged over pairings: E T_a T_b is a sum over slot permutations of deltas.

    Parameters
    ----------
    permutations : slot permutations pi; slot s of one tensor is joined to slot pi(s) of its partner. All of them
        contribute alike.
    normalization : what the sum over permutations is divided by.
    is_complex : only pairs of a tensor and a conjugate one contribute.
    covariances : per slot, a fixed matrix in place of the identity; None for identities.
    """

    def __init__(
        self,
        name: str,
        dimensions: Sequence[Dimension],
        permutations: Sequence[tuple[int, ...]] | None = None,
        normalization: int = 1,
        is_complex: bool = False,
        is_hermitian: bool = False,
        covariances: Sequence[Fixed | None] | None = None,
    ) -> None:
        super().__init__(name, dimensions)
        self.permutations = tuple(permutations or (tuple(range(len(self.dimensions))),))
        self.normalization, self.is_complex, self.is_hermitian = normalization, is_complex, is_hermitian
        self.covariances = tuple(covariances or ())

    @cached_property
    def law(self) -> Law | None:
        """The standard normal law where the entries are i.i.d. and real, so that functions may act on them."""
        from randtensor.exact.laws.law import named

        plain = self.permutations == (tuple(range(len(self.dimensions))),) and self.normalization == 1
        return named("normal") if plain and not self.is_complex and not any(self.covariances) else None

    def cumulant(self, marks: tuple[Mark, ...]) -> Any:
        """The joint cumulant of functions of one entry.

        Raises
        ------
        ExactError : the entries are not i.i.d. and real.
        """
        if self.law is None:
            raise ExactError(f"a function acts on the entries of {self.name}, expected i.i.d. real entries")
        return self.law.cumulant(marks)

    @classmethod
    def symmetric(cls, name: str, dimension: Dimension, order: int) -> Gaussian:
        """The mean of a tensor of i.i.d. normal entries over all permutations of its indices."""
        return cls(name, (dimension,) * order, list(permutations(range(order))), factorial(order))


class Independent(Element):
    """I.i.d. entries of any law, averaged over set partitions with the cumulants of the law.

    Marks of nodes name functions of the entry; the law gives their joint cumulants.
    """

    def __init__(self, name: str, dimensions: Sequence[Dimension], law: Law) -> None:
        super().__init__(name, dimensions)
        self.law = law

    def cumulant(self, marks: tuple[Mark, ...]) -> Any:
        """The joint cumulant of functions of one entry: a Fraction, a float or an Expansion."""
        return self.law.cumulant(marks)


class Spherical(Element):
    """A tensor of Frobenius norm one whose direction is uniform."""


class Haar(Element):
    """A Haar matrix of one of the classical groups.

    Parameters
    ----------
    group : "orthogonal" or "unitary".
    special : whether the determinant is one.
    """

    def __init__(
        self, name: str, size: Dimension, group: Literal["orthogonal", "unitary"], special: bool = False
    ) -> None:
        super().__init__(name, (size, size))
        self.group, self.special = group, special
        self.is_complex = group == "unitary"


class Fixed(Element):
    """A given array.

    Raises
    ------
    ExactError : the entries are complex.
    """

    def __init__(self, name: str, entries: np.ndarray) -> None:
        if np.iscomplexobj(entries):
            raise ExactError(f"{name} has complex entries, expected real ones for an exact expectation")
        super().__init__(name, entries.shape)
        self.entries = entries
