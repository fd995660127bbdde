"""Data from outside: inputs as rows, and one number to learn at each."""

from __future__ import annotations

from typing import Any

import numpy as np

from randtensor.arguments import finite_array
from randtensor.errors import ShapeError

__all__ = ["check_inputs", "check_targets"]

Array = np.ndarray


def check_inputs(X: Any, dimension: int | None = None, name: str = "X") -> Array:
    """Inputs as rows of finite numbers, shape (N, dimension); float32 stays float32.

    Raises
    ------
    ShapeError, InputError : another shape, or entries that are no finite numbers.

    >>> check_inputs([[1, 2]]).dtype
    dtype('float64')
    """
    array = finite_array(name, X, single=True)
    if array.ndim != 2 or not array.size or dimension not in (None, array.shape[1]):
        raise ShapeError(f"{name} has shape {array.shape}, expected (N, {dimension or 'inputs'}): one input per row")
    return array


def check_targets(y: Any, count: int, name: str = "y") -> Array:
    """One finite number per input, shape (count,).

    Raises
    ------
    ShapeError, InputError : another shape, or entries that are no finite numbers.

    >>> check_targets([1, 2], 2)
    array([1., 2.])
    """
    array = finite_array(name, y, single=True)
    if array.shape != (count,):
        raise ShapeError(f"{name} has shape {array.shape}, expected ({count},): one number per input")
    return array
