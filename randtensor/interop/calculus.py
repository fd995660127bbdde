"""Values and derivatives of a model for all samples of a block, by nested forward mode and one reverse pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from randtensor.errors import InputError, RandtensorError, ShapeError
from randtensor.interop.library import Model

__all__ = ["Calculus", "State"]

Array = np.ndarray

#: Parameters and the rest of the state of a model, one row per sample.
State = tuple[Mapping[str, Any], Any]


class Calculus:
    """Outputs of a model and their derivatives by the parameters, vectorised over samples.

    A derivative of order k in given directions takes k nested passes of forward mode; one index is left open by a
    reverse pass over those. No derivative tensor is formed.

    Parameters
    ----------
    model : what is differentiated.
    output : index of the output that counts, None for all.
    batched : whether the model takes a stack of inputs, or one input at a time.
    """

    def __init__(self, model: Model, output: tuple[int, ...] | None, batched: bool) -> None:
        self.model, self.output, self.batched = model, output, batched
        self._compiled: dict[Any, Callable[..., Any]] = {}
        self._checked: set[tuple[tuple[int, ...], int]] = set()

    def values(self, sizes: Mapping[str, int], state: State, inputs: Array) -> Array:
        """Outputs at a stack of inputs, shape (batch, inputs, *outputs)."""
        with self._work():
            function = self._vectorised("values", sizes, lambda: self.function(sizes), (0, 0, None))
            return self.model.library.numpy(function(*state, self.model.inputs(inputs)))

    def output_shape(self, sizes: Mapping[str, int], trial: Callable[[Callable[..., Any]], Any]) -> tuple[int, ...]:
        """Shape of the outputs at one input, from a trial of ``(parameters, rest, inputs) -> outputs``."""
        with self._work():
            return tuple(trial(self.function(sizes)).shape[1:])

    def closed(self, sizes: Mapping[str, int], state: State, x: Array, directions: Sequence[Any]) -> Array:
        """The derivative at ``x`` in as many directions as it has indices, shape (batch, *outputs)."""
        self._check(x.shape, len(directions))
        with self._work():
            function = self._vectorised(
                ("closed", len(directions)), sizes, lambda: self._along(sizes, None), (0, 0, None, 0)
            )
            return self.model.library.numpy(function(*state, self.model.inputs(x[None]), list(directions)))

    def opened(
        self, sizes: Mapping[str, int], state: State, x: Array, directions: Sequence[Any], component: int | None
    ) -> dict[str, Any]:
        """The derivative of one output at ``x``, in directions on all of its indices but one."""
        self._check(x.shape, len(directions) + 1)

        def make() -> Callable[..., Any]:
            gradient: Callable[..., Any] = self.model.library.transforms.grad(self._along(sizes, component))
            return gradient

        with self._work():
            function = self._vectorised(("opened", len(directions), component), sizes, make, (0, 0, None, 0))
            return dict(function(*state, self.model.inputs(x[None]), list(directions)))

    def _check(self, shape: tuple[int, ...], order: int) -> None:
        """Have the model compare derivatives from the second order on with differences, once for every order."""
        if order > 1 and (shape, order) not in self._checked:
            self._checked.add((shape, order))
            self.model.check_derivative(self, shape, order)

    def pulled_back(self, sizes: Mapping[str, int], state: State, inputs: Array, cotangent: Array) -> dict[str, Any]:
        """``sum cotangent * outputs`` differentiated by the parameters."""

        def make() -> Callable[..., Any]:
            function = self.function(sizes)

            def pull_back(parameters: Any, rest: Any, stack: Any, weights: Any) -> Any:
                _, back = self.model.library.transforms.vjp(lambda p: function(p, rest, stack), parameters)
                return back(weights)[0]

            return pull_back

        with self._work():
            function = self._vectorised("pulled back", sizes, make, (0, 0, None, 0))
            return dict(function(*state, self.model.inputs(inputs), self.model.library.array(cotangent)))

    def layers(self, sizes: Mapping[str, int], state: State, inputs: Array) -> dict[str, Array]:
        """Activations by layer, each of shape (batch, inputs, ...)."""
        with self._work():
            function = self._vectorised("layers", sizes, lambda: self._each(self.model.layers(sizes)), (0, 0, None))
            found = function(*state, self.model.inputs(inputs))
            return {name: self.model.library.numpy(values) for name, values in found.items()}

    def function(self, sizes: Mapping[str, int]) -> Callable[[Any, Any, Any], Any]:
        """``(parameters, rest, inputs) -> outputs`` of one sample, of shape (inputs,) or (inputs, outputs)."""
        raw = self._each(self.model.function(sizes))
        return lambda parameters, rest, stack: self.selected(raw(parameters, rest, stack), len(stack))

    def selected(self, found: Any, count: int) -> Any:
        """The outputs that count, of shape (inputs,) or (inputs, outputs), among all those at a stack of inputs."""
        shape = tuple(found.shape)
        if not shape or shape[0] != count:
            hint = ", or batched=False where the model takes one input" if self.batched else ""
            raise ShapeError(
                f"{self.model.name} gives an output of shape {shape} for a stack of {count} inputs, "
                f"expected one row per input{hint}"
            )
        if self.output is not None:
            axes = shape[1 : 1 + len(self.output)]
            inside = all(-size <= i < size for i, size in zip(self.output, axes, strict=False))
            if len(axes) < len(self.output) or not inside:
                raise InputError(
                    f"output is {self.output}, expected an index into the outputs of {self.model.name}, "
                    f"which have shape {shape[1:]}"
                )
            found = found[(slice(None), *self.output)]
        if tuple(found.shape[1:]) == (1,):
            found = found[:, 0]
        if found.ndim > 2:
            raise ShapeError(
                f"{self.model.name} gives outputs of shape {tuple(found.shape[1:])}, expected a scalar or a vector: "
                f"choose a component with output="
            )
        return found

    def _each(self, function: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
        return function if self.batched else self.model.library.transforms.vmap(function, (None, None, 0))

    def _along(self, sizes: Mapping[str, int], component: int | None) -> Callable[[Any, Any, Any, Any], Any]:
        """The function at one input, differentiated once in each of several directions."""
        function, jvp = self.function(sizes), self.model.library.transforms.jvp

        def along(parameters: Any, rest: Any, stack: Any, directions: Sequence[Any]) -> Any:
            def at_input(p: Any) -> Any:
                value = function(p, rest, stack)[0]
                return value if component is None else value[component]

            nested: Callable[[Any], Any] = at_input
            for direction in directions:
                nested = _derivative(jvp, nested, direction)
            return nested(parameters)

        return along

    def _vectorised(
        self, kind: Any, sizes: Mapping[str, int], make: Callable[[], Any], axes: tuple[int | None, ...]
    ) -> Callable[..., Any]:
        key = (kind, tuple(sorted(sizes.items())))
        if key not in self._compiled:
            library = self.model.library
            self._compiled[key] = library.compiled(library.transforms.vmap(make(), axes))
        return self._compiled[key]

    @contextmanager
    def _work(self) -> Iterator[None]:
        library = self.model.library
        try:
            with library.context():
                yield
        except RandtensorError:
            raise
        except Exception as error:
            reason = library.explain(error)
            if reason is None:
                raise
            raise InputError(f"{self.model.name} cannot be evaluated sample by sample: {reason}") from error


def _derivative(jvp: Any, function: Callable[[Any], Any], direction: Any) -> Callable[[Any], Any]:
    return lambda parameters: jvp(function, (parameters,), (direction,))[1]
