"""Checks of the arguments of linear dynamics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array, float_array
from randtensor.errors import InputError, ShapeError

__all__ = ["check_steps", "check_times", "masks_by_step"]

Array = NDArray[np.float64]


def check_times(times: Any) -> Array:
    """A list of non-negative times, infinity among them or not.

    Raises
    ------
    InputError : anything else.
    """
    array = np.atleast_1d(float_array("times", times))
    if array.ndim != 1 or not array.size or not (array >= 0).all():
        raise InputError(f"times is {times!r}, expected non-negative numbers")
    return array


def check_steps(steps: Any) -> NDArray[np.int64]:
    """A list of numbers of steps.

    Raises
    ------
    InputError : anything else.
    """
    array = np.atleast_1d(np.asarray(steps))
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu" or (array < 0).any():
        raise InputError(f"steps is {steps!r}, expected non-negative integers")
    return array.astype(np.int64)


def masks_by_step(masks: Any, trained: int, steps: int) -> Callable[[int], Array | None]:
    """Weights of the training inputs in each step, with a last axis for outputs; None for all ones.

    Raises
    ------
    InputError, ShapeError : neither an array of shape (steps, trained) nor a function.
    """
    if masks is None:
        return lambda step: None
    if not callable(masks):
        table = np.array(finite_array("masks", masks))
        if table.ndim != 2 or table.shape[1] != trained or len(table) < steps:
            raise ShapeError(f"masks has shape {table.shape}, expected ({steps}, {trained}): a row per step")
        return lambda step: table[step][:, None]

    def row(step: int) -> Array:
        found = finite_array("masks", masks(step))
        if found.ndim not in (1, 2) or found.shape[-1] != trained:
            raise ShapeError(
                f"masks has shape {found.shape} at step {step}, expected ({trained},) or (samples, {trained})"
            )
        return found[..., None]

    return row
