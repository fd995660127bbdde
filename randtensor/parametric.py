"""What every function of random parameters offers: closed derivative tensors, whoever works them out.

Contractions are planned as trees of derivative tensors that are closed with vectors (``randtensor.planning``). So all
that a kind of function has to know is how to close a derivative with vectors on all its indices, which gives numbers,
or on all but one, which gives a vector; and what vectors on its space of parameters are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from randtensor.arguments import finite_array
from randtensor.quantity import Draw, Sizes, usual_block_length

if TYPE_CHECKING:
    from randtensor.derivatives import DerivativeTensor

__all__ = ["Directions", "ParametricFunction", "Space", "Vector", "check_input"]

Array = np.ndarray


class Vector(Protocol):
    """A vector over all parameters, for every sample of a block."""

    def dot(self, other: Any) -> Array:
        """Inner products, shape (batch,)."""

    def scaled(self, factor: Array) -> Any:
        """Times a number per sample, shape (batch,)."""

    @staticmethod
    def combination(vectors: Sequence[Any], coefficients: Array) -> Any:
        """A linear combination with coefficients per sample, shape (batch, len(vectors))."""


#: Vectors with a name each; equal names mean equal vectors.
Directions = Sequence[tuple[Any, Any]]


class Space(Protocol):
    """Random parameters that functions may share."""

    #: sizes of scales that parameters given as arrays have fixed
    sizes: dict[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""

    def dimension(self, slots: Sequence[Any], draw: Draw) -> int:
        """Number of entries of some parameters."""

    def random_vector(self, slots: Sequence[Any], draw: Draw) -> Any:
        """A standard Gaussian vector over some parameters."""

    def basis_vectors(self, slots: Sequence[Any], draw: Draw) -> Iterator[Any]:
        """The standard basis over some parameters."""

    def entries(self, sizes: Sizes, vectors: int) -> int:
        """Numbers held per sample where each matrix meets this many vectors."""


class ParametricFunction(ABC):
    """A function of an input and of random parameters, whose derivative tensors can be contracted and sampled.

    ``rt.program`` and ``rt.networks`` make such functions from forward code of their own; ``randtensor.interop`` makes
    them from modules of PyTorch and functions of JAX.

    Attributes
    ----------
    name : for messages and titles.
    space : the parameters; functions on one space share them, sample by sample.
    architecture, structure : what the exact laws for some networks need to know of them, else None.
    """

    name: str
    space: Any
    architecture: Any = None
    structure: Any = None

    @abstractmethod
    def outputs(self, shape: tuple[int, ...]) -> int | None:
        """Length of the output for inputs of this shape; None for a scalar."""

    @abstractmethod
    def scale_names(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        """Scales the law depends on, for inputs of this shape."""

    @abstractmethod
    def fingerprint(self, shape: tuple[int, ...]) -> str:
        """Text that identifies the function's law."""

    @abstractmethod
    def slots(self, shape: tuple[int, ...]) -> Sequence[Hashable]:
        """The parameters that occur, for inputs of this shape."""

    @abstractmethod
    def close(self, draw: Draw, x: Array, directions: Directions, probes: Directions = ()) -> Array:
        """The derivative at ``x`` closed with a vector on every index, shape (batch,) or (batch, outputs).

        Its order is the number of vectors. ``probes`` change from call to call: what does not depend on them is kept.
        """

    @abstractmethod
    def close_but_one(
        self, draw: Draw, x: Array, directions: Directions, component: int | None, probes: Directions = ()
    ) -> Any:
        """The derivative at ``x`` of one output, closed with vectors on all indices but one: a vector."""

    def block_length(self, sizes: Sizes) -> int:
        """Samples that are evaluated side by side at these sizes."""
        return usual_block_length(sizes)

    def derivative(self, x: Any, order: int = 1) -> DerivativeTensor:
        """The derivative tensor of some order with respect to all parameters, at input ``x``; it is never formed.

        Parameters
        ----------
        x : input, as the forward code expects it.
        order : number of derivatives; 0 is the function's value itself.

        Raises
        ------
        InputError : x is not an array of finite numbers, or the order is not a non-negative integer.
        ShapeError : the function does not accept inputs of this shape.
        """
        from randtensor.derivatives import DerivativeTensor

        return DerivativeTensor(self, check_input(x), order)

    def __call__(self, x: Any) -> DerivativeTensor:
        """The value at ``x``: the derivative of order 0."""
        return self.derivative(x, 0)


def check_input(x: Any, name: str = "x") -> Array:
    """An argument, by its name, as an array of finite numbers of its own, which cannot be written to.

    Raises
    ------
    InputError : anything else.
    """
    array = np.array(finite_array(name, x))
    array.setflags(write=False)
    return array
