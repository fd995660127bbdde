"""What PyTorch and JAX have in common: transformations of functions, arrays, and models made of parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from randtensor.errors import InputError
from randtensor.quantity import resolve_sizes

__all__ = ["Library", "Model", "check_dtype", "first_line", "whole"]

Array = np.ndarray


def whole(values: Array) -> Array:
    """Inputs that are integers, as such.

    Raises
    ------
    InputError : they are not.
    """
    found = values.astype(np.int64)
    if (found != values).any():
        raise InputError("x has entries that are not whole, expected integers since tokens=True")
    return found


def check_dtype(dtype: Any) -> str:
    """The name of a floating type, which may be given as a type of NumPy or of a library.

    >>> check_dtype(np.float32)
    'float32'
    """
    text = getattr(dtype, "__name__", None) or str(dtype)
    name = text.rpartition(".")[2]
    if name not in ("float32", "float64"):
        raise InputError(f"dtype is {dtype!r}, expected 'float64' or 'float32'")
    return name


class Library(ABC):
    """A library for automatic differentiation.

    Attributes
    ----------
    name : for messages.
    transforms : namespace with ``vmap``, ``grad``, ``jvp`` and ``vjp``.
    namespace : namespace with functions of arrays, ``stack`` and ``einsum`` among them.
    device : where arrays are.
    """

    name: str
    transforms: Any
    namespace: Any
    device: Any

    @abstractmethod
    def context(self) -> AbstractContextManager[Any]:
        """What all work with arrays of the library is done in."""

    @abstractmethod
    def array(self, values: Array) -> Any:
        """An array of the library, of its floating type and on its device."""

    @abstractmethod
    def numpy(self, values: Any) -> Array:
        """An array of floats of NumPy."""

    @abstractmethod
    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, made fast for many calls with arrays of equal shapes."""

    def products(self, rows: Any, columns: Any) -> Any:
        """Inner products of lists of blocks, shape (batch, len(rows), len(columns))."""
        sides = [self.namespace.stack([block.reshape(len(block), -1) for block in side], 1) for side in (rows, columns)]
        return self.namespace.einsum("brp,bsp->brs", *sides)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(*arguments)`` on trees of arrays, compiled once for all calls with arrays of equal shapes."""
        with self.context():
            known = self.__dict__.setdefault("_compiled", {})
            if function not in known:
                known[function] = self.compiled(function)
            return known[function](*arguments)

    @abstractmethod
    def explain(self, error: Exception) -> str | None:
        """What an error of the library says about a model, in half a sentence; None if it is not about the model."""


def first_line(error: Exception) -> str:
    """The beginning of the message of an error, for a sentence about it.

    >>> first_line(ValueError("no such layer\\nstack follows"))
    'ValueError: no such layer'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


class Model(ABC):
    """Parameters with a law at each size, and a function of them and of a stack of inputs.

    Parameters are kept apart from the rest of a model's state (buffers, integers): derivatives are by the former, and
    samples differ in both.
    """

    library: Library
    #: names of the scales
    scale_names: tuple[str, ...]
    #: sizes at which outputs and parameters are looked at before anything is sampled
    probes: tuple[dict[str, int], ...]
    name: str

    @abstractmethod
    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters."""

    @abstractmethod
    def start(self, sizes: Mapping[str, int], seeds: Array) -> tuple[dict[str, Any], Any]:
        """Initial parameters and the rest of the state, one row per sample, from seeds of shape (batch, 2), uint32."""

    @abstractmethod
    def function(self, sizes: Mapping[str, int]) -> Callable[[dict[str, Any], Any, Any], Any]:
        """``(parameters, rest, inputs) -> outputs`` of one sample at a stack of inputs."""

    @abstractmethod
    def layers(self, sizes: Mapping[str, int]) -> Callable[[dict[str, Any], Any, Any], dict[str, Any]]:
        """``(parameters, rest, inputs) -> activations by layer`` of one sample, each with a leading axis of inputs."""

    @abstractmethod
    def inputs(self, values: Array) -> Any:
        """A stack of inputs as the model takes them."""

    @abstractmethod
    def given(self, parameters: Any) -> tuple[dict[str, int], dict[str, Any], Any]:
        """Sizes, parameters and the rest of the state, of one sample, from what a caller gives as parameters."""

    def check_growth(self) -> None:
        """Refuse parameters of the same shapes at two sizes."""
        first, second = (self.shapes(sizes) for sizes in self.probes)
        if first == second:
            raise InputError(
                f"the parameters of {self.name} have the same shapes at {self.probes[0]} and {self.probes[1]}, "
                f"expected a factory whose argument is the width"
            )

    def sized(self, parameters: Any) -> tuple[dict[str, int], Any]:
        """Sizes and what belongs to them, from a pair that a caller gives."""
        if not isinstance(parameters, tuple | list) or len(parameters) != 2:
            raise InputError(
                f"parameters is {type(parameters).__name__}, expected a pair of the width and of what the model holds"
            )
        n, held = parameters
        return resolve_sizes(self.scale_names, n), held

    def check_derivative(self, calculus: Any, shape: tuple[int, ...], order: int) -> None:
        """Compare the derivative of some order with differences of the one before, where a library may be wrong.

        Raises
        ------
        InputError : they differ.
        """
        return

    @abstractmethod
    def output_shape(self, sizes: Mapping[str, int], calculus: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the outputs that the calculus gives for inputs of some shape, found by trial."""
