"""Norms of contractions of derivative tensors with free parameter indices, which are never formed."""

from __future__ import annotations

from typing import Any

import numpy as np

from randtensor.contraction import einsum
from randtensor.derivative_contraction import DerivativeContraction
from randtensor.errors import EquationError
from randtensor.krylov import full_norm, largest_singular_value, length
from randtensor.norms.bracket import BracketedNorm, krylov_excess
from randtensor.parametric import Vector
from randtensor.planning import Component
from randtensor.quantity import Draw, Quantity, Sizes

__all__ = ["DerivativeNorm", "FrobeniusNorm"]

Array = np.ndarray


class DerivativeNorm(BracketedNorm):
    """Injective norm of a contraction of derivatives with free parameter indices: a product over its components.

    The upper end of the bracket follows from the convergence of Krylov spaces (``krylov_excess``). The failure is split
    over the factors of a tensor product, and over the dimensions at which rounding may have stopped the space. In
    parameter spaces small enough for a full basis both ends are the norm itself.
    """

    kind = "injective"

    def __init__(self, tensor: DerivativeContraction, steps: int) -> None:
        self.tensor, self.steps = tensor, steps
        self.scale_names, self.shape = tensor.scale_names, tensor.shape
        if tensor.cuts:
            raise EquationError(
                "the tensor contains a loop of contracted parameter indices, "
                "expected a tree for the injective norm and for Euclidean lengths"
            )
        if any(label not in tensor.output for label in tensor.output_sizes):
            summed = next(label for label in tensor.output_sizes if label not in tensor.output)
            raise EquationError(f"the output index {summed!r} is summed under a norm, expected it to be left free")

    def describe(self) -> str:
        return f"norm of {self.tensor.describe()}"

    @property
    def fingerprint(self) -> str:
        return f"norm{self.steps}({self.tensor.fingerprint})"

    def occurrences(self) -> tuple[object, ...]:
        return self.tensor.occurrences()

    def block_length(self, sizes: Sizes) -> int:
        # A Krylov space takes dozens of evaluations, so small batches hide the interpreter's overhead already.
        longest = max((len(component.free) for component in self.tensor.open_components), default=0)
        return min(self.tensor.block_length(sizes), 16 if longest > 1 else 128)

    def evaluate(self, draw: Draw) -> Array:
        return self._bounds(draw, None)[0]

    def ends(self, draw: Draw, failure: float) -> tuple[Array, Array, float]:
        lower, upper = self._bounds(draw, failure)
        return lower, upper, failure

    def _bounds(self, draw: Draw, failure: float | None) -> tuple[Array, Array]:
        lower = np.zeros((draw.batch, *self.shape))
        upper = np.zeros((draw.batch, *self.shape))
        for assignment, index in self.tensor.assignments():
            low = high = np.abs(self.tensor.closed_weight(draw, assignment))
            for component in self.tensor.open_components:
                if len(component.free) == 1:
                    vector = self.tensor.open_vector(draw, component, assignment)
                    euclidean = length(vector, draw.batch)
                    low, high = low * euclidean, high * euclidean
                else:
                    ritz, excess = self._operator_norm(draw, component, assignment, failure)
                    low, high = low * ritz, high * ritz * excess
            entry: Any = (slice(None), *index)
            lower[entry], upper[entry] = low, high
        return lower, upper

    def _operator_norm(
        self, draw: Draw, component: Component, assignment: Any, failure: float | None
    ) -> tuple[Array, Array]:
        tensor = self.tensor
        other = tensor.transposed(component)

        def apply(vector: Vector) -> Vector:
            return tensor.open_vector(draw, component, assignment, vector)

        def apply_transposed(vector: Vector) -> Vector:
            return tensor.open_vector(draw, other, assignment, vector)

        dimension = tensor.parameter_count(draw)
        if dimension <= 2 * self.steps:
            return full_norm(apply, list(tensor.space.basis_vectors(tensor.slots, draw)), draw.batch), np.ones(
                draw.batch
            )
        start = tensor.space.random_vector(tensor.slots, draw)
        operators = sum(len(c.free) == 2 for c in tensor.open_components)
        ritz, reached = largest_singular_value(apply, apply_transposed, start, self.steps, draw.batch)
        if failure is None:
            return ritz, np.ones(draw.batch)
        excess = krylov_excess(dimension, reached, failure / (operators * self.steps))
        # An operator that maps a random vector to zero is zero.
        return ritz, np.where(ritz == 0, 1.0, excess)


class FrobeniusNorm(Quantity):
    """Frobenius norm of a contraction of derivatives, from its square."""

    kind = "frobenius"

    def __init__(self, tensor: DerivativeContraction, probes: int | None) -> None:
        letters = "".join(chr(ord("a") + i) for i in range(len(tensor.output)))
        kept = "".join(c for c, label in zip(letters, tensor.output, strict=True) if label not in tensor.free)
        self.square: DerivativeContraction = einsum(f"{letters},{letters}->{kept}", tensor, tensor, probes=probes)
        self.tensor, self.scale_names, self.shape = tensor, tensor.scale_names, self.square.shape
        self.only_squares = self.square.probes > 1

    def describe(self) -> str:
        return f"Frobenius norm from {self.square.describe()}"

    @property
    def fingerprint(self) -> str:
        return f"frobenius({self.square.fingerprint})"

    def occurrences(self) -> tuple[object, ...]:
        return self.tensor.occurrences()

    def block_length(self, sizes: Sizes) -> int:
        return self.square.block_length(sizes)

    def evaluate(self, draw: Draw) -> Array:
        squares = self.square.evaluate(draw)
        return np.asarray(np.sqrt(np.maximum(squares.mean(axis=-1) if self.square.probes > 1 else squares, 0.0)))
