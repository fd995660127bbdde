"""One step of gradient descent, taken exactly: the departure from linearity that derivative correlations predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from randtensor.errors import InputError
from randtensor.programs.forward import forward
from randtensor.programs.graph import Slot
from randtensor.programs.parameters import LowRank, ParameterVector, Probe
from randtensor.programs.polynomials import ring
from randtensor.programs.reverse import reverse
from randtensor.quantity import Draw, Quantity
from randtensor.random_function import RandomFunction, SampledParameters
from randtensor.revealed import RandomMatrix

__all__ = ["GradientStep", "gradient_step"]

Array = np.ndarray


class ShiftedParameters:
    """The parameters of a block of samples, moved by a vector; the matrices stay revealed."""

    def __init__(self, base: SampledParameters, shift: ParameterVector) -> None:
        self.batch: int = base.batch
        self.sizes: Mapping[str, int] = base.sizes
        self.like = base.like
        self._base, self._shift = base, shift

    def array(self, slot: Slot) -> Array:
        """A vector or scalar parameter, shape (batch, *shape)."""
        value, shift = self._base.array(slot), self._shift.arrays.get(slot)
        return value if shift is None else value + shift

    def matrix(self, slot: Slot) -> RandomMatrix:
        """A matrix parameter."""
        value, shift = self._base.matrix(slot), self._shift.matrices.get(slot)
        return value if shift is None else _ShiftedMatrix(value, shift)


class _ShiftedMatrix(RandomMatrix):
    def __init__(self, base: RandomMatrix, shift: LowRank | Probe) -> None:
        super().__init__(base.shape, base.batch)
        self._base, self._shift = base, shift

    @property
    def revealed(self) -> tuple[int, int]:
        return self._base.revealed

    def answer(self, vectors: Array) -> Array:
        moved = self._shift.apply(vectors)
        moved += self._base.answer(vectors)
        return moved

    def answer_transposed(self, vectors: Array) -> Array:
        moved = self._shift.apply_transposed(vectors)
        moved += self._base.answer_transposed(vectors)
        return moved


class GradientStep:
    """The step ``theta' = theta - step * grad F(theta)(x1)``; made by ``gradient_step``."""

    def __init__(self, function: RandomFunction, x1: Any, step: float) -> None:
        if not isinstance(function, RandomFunction):
            raise InputError(
                f"function is {function!r}, expected a program: estimators.Training takes steps with every function"
            )
        self.function, self.step = function, float(step)
        self.source = function.derivative(x1)
        if not np.isfinite(self.step):
            raise InputError(f"step is {step!r}, expected a finite number")
        if self.source.outputs is not None:
            raise InputError("function has a vector output, expected a scalar one")

    def linearization_error(self, x0: Any) -> Quantity:
        """``F(theta')(x0) - F(theta)(x0) + step grad F(x0).grad F(x1)``, the sum over d >= 2 of (-step)^d C^{0,d}."""
        return _StepObservable(self, x0, "linearization error")

    def gradient_change(self, x0: Any) -> Quantity:
        """Euclidean length of ``grad F(theta')(x0) - grad F(theta)(x0)``."""
        return _StepObservable(self, x0, "gradient change")

    def kernel_change(self, x0: Any) -> Quantity:
        """Change of the tangent kernel ``|grad F(x0)|^2``."""
        return _StepObservable(self, x0, "kernel change")


class _StepObservable(Quantity):
    def __init__(self, step: GradientStep, x0: Any, observable: str) -> None:
        self.step, self.observable = step, observable
        self.tensor = step.function.derivative(x0)
        self.scale_names = step.function.scale_names(self.tensor.x.shape)

    @property
    def fingerprint(self) -> str:
        return f"{self.observable}:{self.step.step!r}:{self.step.source.fingerprint}:{self.tensor.fingerprint}"

    def occurrences(self) -> tuple[object, ...]:
        return self.tensor.occurrences()

    def evaluate(self, draw: Draw) -> Array:
        function, x0 = self.step.function, self.tensor.x
        direction = self.step.source.vector(draw, [], None)
        gradient = self.tensor.vector(draw, [], None)
        before = function.derivative(x0, 0).value(draw, [])
        shift = direction.scaled(np.full(draw.batch, -self.step.step))
        moved = ShiftedParameters(function.space.sample(draw), shift)
        need_gradient = self.observable != "linearization error"
        tape = forward(function.graph(x0.shape), moved, x0, ring(()), slopes=need_gradient)
        if not need_gradient:
            after = np.broadcast_to(tape.output[()], (draw.batch,))
            return np.asarray(after - before + self.step.step * gradient.dot(direction))
        new = reverse(tape).coefficient(())
        if self.observable == "kernel change":
            return np.asarray(new.dot(new) - gradient.dot(gradient))
        signs = np.broadcast_to([1.0, -1.0], (draw.batch, 2))
        change = ParameterVector.combination([new, gradient], signs)
        return np.asarray(np.sqrt(np.maximum(change.dot(change), 0.0)))


def gradient_step(function: RandomFunction, x1: Any, step: float) -> GradientStep:
    """One step of gradient descent on a random function, and what it changes.

    Parameters
    ----------
    function : scalar random function; it need not be smooth.
    x1 : input whose output's gradient is followed.
    step : learning rate times the derivative of the loss.

    Raises
    ------
    InputError : a vector-valued function, or a step that is not finite.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"), activation="relu")
    >>> error = rt.gradient_step(f, [1.0, 0.0], 0.5).linearization_error([1.0, 0.0])
    >>> error.sample(4096, size=2, rng=0).shape
    (2,)
    """
    return GradientStep(function, x1, step)
