"""Losses of training: a value to report, and a derivative to follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from randtensor.arguments import finite_array
from randtensor.errors import InputError, ShapeError

__all__ = ["Loss", "loss_function"]

Array = np.ndarray


@dataclass(frozen=True)
class Loss:
    """A loss per input, as a function of the outputs F there and of the targets y.

    Attributes
    ----------
    name : identifies the loss; two losses of one name are taken to be the same.
    value : ``(F, y) -> array``: F has shape (..., N) for scalar outputs and (..., N, outputs) for vectors, the result
        (..., N).
    gradient : ``(F, y) -> array`` of the shape of F: the derivative of the value by F.

    Examples
    --------
    >>> import numpy as np
    >>> quartic = Loss("quartic", lambda F, y: (F - y) ** 4 / 4, lambda F, y: (F - y) ** 3)
    >>> quartic.gradient(np.array([3.0]), np.array([1.0])).tolist()
    [8.0]
    """

    name: str
    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]

    def __post_init__(self) -> None:
        for role, function in (("value", self.value), ("gradient", self.gradient)):
            if not callable(function):
                raise InputError(f"{role} of the loss {self.name!r} is {function!r}, expected a function of (F, y)")


def _squared_value(outputs: Array, targets: Array) -> Array:
    square = (outputs - targets) ** 2 / 2
    return np.asarray(square.sum(axis=-1) if targets.ndim == 2 else square)


def _cross_entropy_value(outputs: Array, targets: Array) -> Array:
    if targets.ndim == 2:
        highest = outputs.max(axis=-1, keepdims=True)
        log_total = np.log(np.exp(outputs - highest).sum(axis=-1)) + highest[..., 0]
        return np.asarray(log_total - (targets * outputs).sum(axis=-1))
    return np.asarray(np.logaddexp(0.0, outputs) - targets * outputs)


def _cross_entropy_gradient(outputs: Array, targets: Array) -> Array:
    if targets.ndim == 2:
        weights = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True) - targets)
    return np.asarray(0.5 * (1 + np.tanh(outputs / 2)) - targets)


_NAMED = {
    "squared": Loss("squared", _squared_value, lambda outputs, targets: outputs - targets),
    "cross-entropy": Loss("cross-entropy", _cross_entropy_value, _cross_entropy_gradient),
}


def loss_function(choice: Any, targets: Any, outputs: int | None, count: int) -> tuple[Loss, Array]:
    """A loss, by name or given, with its targets in the shape that the outputs have.

    Parameters
    ----------
    choice : "squared": |F - y|^2 / 2. "cross-entropy": of the softmax of a vector output, with class numbers or rows of
        probabilities as targets, or of the logistic function of a scalar one, with targets in [0, 1]. Or a ``Loss``.
    targets : one per input.
    outputs : length of the output vector, None for a scalar.
    count : number of inputs.

    Raises
    ------
    InputError : another loss, or targets that are not numbers it can use.
    ShapeError : targets of another shape.
    """
    if isinstance(choice, str) and choice in _NAMED:
        loss = _NAMED[choice]
    elif isinstance(choice, Loss):
        loss = choice
    elif callable(choice):
        raise InputError(
            f"loss is {choice!r}, a function without a derivative, expected estimators.Loss(name, value, gradient)"
        )
    else:
        names = ", ".join(map(repr, _NAMED))
        raise InputError(f"loss is {choice!r}, expected one of {names} or an estimators.Loss")
    array = _targets(loss, targets, outputs, count)
    with np.errstate(all="ignore"):
        for role, expected in (("value", (1, count)), ("gradient", (1, *array.shape))):
            found = np.shape(getattr(loss, role)(np.zeros((1, *array.shape)), array))
            if found != expected:
                raise ShapeError(
                    f"{role} of the loss {loss.name!r} gave shape {found} for outputs of shape {(1, *array.shape)}, "
                    f"expected {expected}"
                )
    return loss, array


def _targets(loss: Loss, targets: Any, outputs: int | None, count: int) -> Array:
    if targets is None:
        raise InputError("y is None, expected one target per input")
    array = np.array(finite_array("y", targets))
    if loss is _NAMED["cross-entropy"] and outputs is not None and array.ndim == 1 and len(array) == count:
        classes = array.astype(int)
        if (classes != array).any() or (classes < 0).any() or (classes >= outputs).any():
            raise InputError(f"y is {targets!r}, expected class numbers from 0 to {outputs - 1}")
        array = np.eye(outputs)[classes]
    expected = (count,) if outputs is None else (count, outputs)
    if array.shape != expected:
        raise ShapeError(f"y has shape {array.shape}, expected {expected}: one target per input")
    if loss is _NAMED["cross-entropy"]:
        summed = array.sum(axis=-1) if outputs is not None else np.ones(count)
        if (array < 0).any() or (array > 1).any() or not np.allclose(summed, 1.0, rtol=0, atol=1e-9):
            wrong = array[(array < 0) | (array > 1)]
            found = f"the entry {wrong[0]:g}" if wrong.size else "rows that do not sum to 1"
            expected_targets = "probabilities" if outputs is None else "probabilities of classes, or class numbers"
            raise InputError(f"y has {found}, expected {expected_targets} for cross-entropy")
    array.setflags(write=False)
    return array
