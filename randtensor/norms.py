"""Norms of tensors and of contractions with free indices.

Injective (subordinate, spectral) norms: absolute value of a number, Euclidean length of a vector, largest singular
value of a matrix; they multiply over tensor products. Contractions of derivative tensors are measured without forming
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from randtensor.contraction import einsum
from randtensor.derivative_contraction import DerivativeContraction
from randtensor.derivatives import DerivativeTensor
from randtensor.errors import EquationError, InputError
from randtensor.krylov import full_norm, largest_singular_value
from randtensor.planning import Component
from randtensor.probes import basis_vectors, random_vector
from randtensor.programs.parameters import ParameterVector
from randtensor.quantity import Draw, Quantity, Sizes
from randtensor.seeding import Seed, root_sequence
from randtensor.tensors import RandomTensor

__all__ = ["Bracket", "norm"]

Array = np.ndarray

#: Krylov steps of an operator norm, each one product with the matrix and one with its transpose.
STEPS = 20


def norm(tensor: Any, kind: str = "injective", *, steps: int = STEPS, probes: int | None = None) -> Quantity:
    """The norm of a random tensor, a derivative tensor or a contraction, as a random quantity.

    Parameters
    ----------
    tensor : with any number of free indices. Output indices of vector-valued functions are not part of the norm: there
        is one norm for each of their values.
    kind : "injective" or "frobenius". For contractions of derivatives with one free parameter index both are the
        Euclidean length and exact. With two, the injective norm is the largest singular value: its sample is the Ritz
        value over a Krylov space of dimension ``steps`` from a random start, a lower bound, and
        ``.bracket()`` states an upper one. The Frobenius norm is found from its square, which is exact in small
        parameter spaces and estimated without bias by random probes in large ones: use the statistic "rms".
    steps, probes : effort spent.

    Raises
    ------
    InputError : an unknown kind or effort.
    EquationError : an injective norm over three or more parameter indices of derivatives.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.two_layer(inputs=2, width=n)
    >>> H = f.derivative([1.0, 1.0], order=2)
    >>> rt.norm(H, "injective").sample(4096, size=2, rng=0).shape
    (2,)
    """
    if kind not in ("injective", "frobenius"):
        raise InputError(f"kind is {kind!r}, expected 'injective' (for a matrix, its spectral norm) or 'frobenius'")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError(f"steps is {steps!r}, expected a positive integer")
    if isinstance(tensor, DerivativeTensor):
        tensor = tensor.contraction()
    if isinstance(tensor, DerivativeContraction):
        largest = max((len(c.free) for c in tensor.open_components), default=0)
        if kind == "frobenius" and largest > 1:
            return FrobeniusNorm(tensor, probes)
        if largest > 2:
            raise EquationError(
                f"the tensor has {largest} connected free parameter indices, expected at most 2 for the injective "
                f"norm: take the Frobenius norm, or contract it further"
            )
        return DerivativeNorm(tensor, steps)
    if isinstance(tensor, Quantity):
        return DenseNorm(tensor, kind)
    raise InputError(f"tensor is {tensor!r}, expected a random tensor, a derivative tensor or a contraction")


@dataclass(frozen=True)
class Bracket:
    """Two-sided bounds on operator norms.

    ``lower`` holds up to a relative 1e-6 of rounding; each ``upper`` fails with probability at most ``failure`` over
    the random start, and is infinite where too few steps were possible to say more. In parameter spaces small enough
    for a full basis both are the norm itself.
    """

    lower: Array
    upper: Array
    failure: float


class DerivativeNorm(Quantity):
    """Injective norm of a contraction of derivatives with free parameter indices: a product over its components."""

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

    def block_length(self, sizes: Sizes) -> int:
        # A Krylov space takes dozens of evaluations, so small batches hide the interpreter's overhead already.
        longest = max((len(component.free) for component in self.tensor.open_components), default=0)
        return min(self.tensor.block_length(sizes), 16 if longest > 1 else 128)

    def evaluate(self, draw: Draw) -> Array:
        return self.bounds(draw, failure=None)[0]

    def bracket(self, n: Any = None, size: int = 1, *, rng: Seed = None, failure: float = 1e-6) -> Bracket:
        """Lower and upper bounds for the samples that ``sample`` returns with the same arguments.

        The upper bound follows from the convergence of Krylov spaces from a uniformly random start in N dimensions
        (Kuczynski & Wozniakowski 1992, theorem 4.1(b)): a relative gap eps of the largest eigenvalue after k steps has
        probability at most 1.648 sqrt(N) exp(-sqrt(eps) (2k - 1)). The failure is split over the factors of a tensor
        product, and over the dimensions at which rounding may have stopped the space.

        Parameters
        ----------
        failure : probability that an upper bound is wrong, in (0, 1).
        """
        upper, root = self.upper(failure), root_sequence(rng)
        return Bracket(self.sample(n, size, rng=root), upper.sample(n, size, rng=root), failure)

    def upper(self, failure: float = 1e-6) -> Quantity:
        """The upper end of the bracket as a quantity, on the same samples as the norm itself.

        Raises
        ------
        InputError : ``failure`` is not in (0, 1).
        """
        if isinstance(failure, bool) or not isinstance(failure, int | float) or not 0 < failure < 1:
            raise InputError(f"failure is {failure!r}, expected a probability between 0 and 1")
        return _UpperEnd(self, failure)

    def bounds(self, draw: Draw, failure: float | None) -> tuple[Array, Array]:
        """Lower and, if a probability of failure is given, upper bounds on one draw."""
        lower = np.zeros((draw.batch, *self.shape))
        upper = np.zeros((draw.batch, *self.shape))
        for assignment, index in self.tensor.assignments():
            low = high = np.abs(self.tensor.closed_weight(draw, assignment))
            for component in self.tensor.open_components:
                if len(component.free) == 1:
                    vector = self.tensor.open_vector(draw, component, assignment)
                    length = np.sqrt(np.maximum(vector.dot(vector), 0.0))
                    low, high = low * length, high * length
                else:
                    ritz, gap = self._operator_norm(draw, component, assignment, failure)
                    low, high = low * ritz, high * ritz * gap
            entry: Any = (slice(None), *index)
            lower[entry], upper[entry] = low, high
        return lower, upper

    def _operator_norm(
        self, draw: Draw, component: Component, assignment: Any, failure: float | None
    ) -> tuple[Array, Array]:
        tensor = self.tensor
        other = tensor.transposed(component)

        def apply(vector: ParameterVector) -> ParameterVector:
            return tensor.open_vector(draw, component, assignment, vector)

        def apply_transposed(vector: ParameterVector) -> ParameterVector:
            return tensor.open_vector(draw, other, assignment, vector)

        space = tensor.tensors[0].function.space
        dimension = tensor.parameter_count(draw)
        if dimension <= 2 * self.steps:
            return full_norm(apply, list(basis_vectors(space, tensor.slots, draw)), draw.batch), np.ones(draw.batch)
        start = random_vector(space, tensor.slots, draw)
        operators = sum(len(c.free) == 2 for c in tensor.open_components)
        ritz, reached = largest_singular_value(apply, apply_transposed, start, self.steps, draw.batch)
        if failure is None:
            return ritz, np.ones(draw.batch)
        share = failure / (operators * self.steps)
        gap = (np.log(1.648 * np.sqrt(dimension) / share) / np.maximum(2 * reached - 1, 1)) ** 2
        factor = np.where(gap < 1, 1 / np.sqrt(np.maximum(1 - gap, 1e-300)), np.inf)
        # An operator that maps a random vector to zero is zero.
        return ritz, np.where(ritz == 0, 1.0, factor)


class _UpperEnd(Quantity):
    """The upper end of the bracket of an operator norm."""

    def __init__(self, norm: DerivativeNorm, failure: float) -> None:
        self.norm, self.failure = norm, failure
        self.scale_names, self.shape = norm.scale_names, norm.shape

    @property
    def fingerprint(self) -> str:
        # That of the norm, on purpose: both ends belong to the same samples.
        return self.norm.fingerprint

    def block_length(self, sizes: Sizes) -> int:
        return self.norm.block_length(sizes)

    def evaluate(self, draw: Draw) -> Array:
        return self.norm.bounds(draw, self.failure)[1]


class FrobeniusNorm(Quantity):
    """Frobenius norm of a contraction of derivatives, from its square."""

    def __init__(self, tensor: DerivativeContraction, probes: int | None) -> None:
        letters = "".join(chr(ord("a") + i) for i in range(len(tensor.output)))
        kept = "".join(c for c, label in zip(letters, tensor.output, strict=True) if label not in tensor.free)
        self.square: DerivativeContraction = einsum(f"{letters},{letters}->{kept}", tensor, tensor, probes=probes)
        self.scale_names, self.shape = tensor.scale_names, self.square.shape
        self.only_squares = self.square.probes > 1

    def describe(self) -> str:
        return f"Frobenius norm from {self.square.describe()}"

    @property
    def fingerprint(self) -> str:
        return f"frobenius({self.square.fingerprint})"

    def evaluate(self, draw: Draw) -> Array:
        squares = self.square.evaluate(draw)
        return np.asarray(np.sqrt(np.maximum(squares.mean(axis=-1) if self.square.probes > 1 else squares, 0.0)))


class DenseNorm(Quantity):
    """Norm of a tensor that is drawn whole: spectral norms exactly, injective norms of higher order from below."""

    def __init__(self, tensor: Quantity, kind: str) -> None:
        self.tensor, self.kind, self.scale_names = tensor, kind, tensor.scale_names
        if tensor.probes > 1:
            raise InputError(
                "tensor is only estimated, with random probes, expected one that is known exactly (probes=0)"
            )

    @property
    def fingerprint(self) -> str:
        return f"{self.kind}({self.tensor.fingerprint})"

    def block_length(self, sizes: Sizes) -> int:
        return self.tensor.block_length(sizes) if not isinstance(self.tensor, RandomTensor) else 1

    def evaluate(self, draw: Draw) -> Array:
        entries = self.tensor.evaluate(draw)
        if self.kind == "frobenius" or entries.ndim <= 2:
            return np.asarray(np.sqrt((entries.reshape(len(entries), -1) ** 2).sum(axis=1)))
        if entries.ndim == 3:
            return np.asarray(np.linalg.norm(entries, ord=2, axis=(1, 2)))
        return np.array([_power_iteration(entry, draw.generator) for entry in entries])


def _power_iteration(entries: Array, generator: np.random.Generator, starts: int = 8, sweeps: int = 60) -> float:
    """Best local maximum of the multilinear form over unit vectors, from several random starts: a lower bound."""
    best = 0.0
    for _ in range(starts):
        gaussian = [generator.standard_normal(size) for size in entries.shape]
        vectors: list[Array] = [np.asarray(v / np.linalg.norm(v)) for v in gaussian]
        value = 0.0
        for _ in range(sweeps):
            previous = value
            for axis in range(entries.ndim):
                image = entries
                for other in reversed(range(entries.ndim)):
                    if other != axis:
                        image = np.tensordot(image, vectors[other], axes=(other, 0))
                value = float(np.linalg.norm(image))
                vectors[axis] = np.asarray(image / value) if value else vectors[axis]
            if value - previous <= 1e-8 * value:
                break
        best = max(best, value)
    return best
