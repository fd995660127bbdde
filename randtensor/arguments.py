"""What several modules ask of the arrays and numbers that they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from randtensor.errors import InputError

__all__ = ["as_array", "finite_array", "float_array", "positive_integer"]

Array = np.ndarray


def as_array(value: Any, dtype: Any = None) -> Array:
    """``value`` as an array: of NumPy, unless it is one of another library that NumPy's functions accept.

    >>> as_array(1.0)
    array(1.)
    """
    foreign = hasattr(value, "__array_function__") and not isinstance(value, np.ndarray)
    array: Array = value if foreign else np.asarray(value, dtype=dtype)
    return array


def float_array(name: str, value: Any, *, single: bool = False) -> Array:
    """An argument, by its name, as an array of float64; with ``single``, one of float32 is given back as it is.

    Raises
    ------
    InputError : anything that is not made of numbers.
    """
    if value is None:
        raise InputError(f"{name} is None, expected an array of numbers")
    kept = single and getattr(value, "dtype", None) == np.float32
    try:
        return np.asarray(value, dtype=np.float32 if kept else float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is {value!r}, expected an array of numbers") from error


def finite_array(name: str, value: Any, *, single: bool = False) -> Array:
    """An argument as `float_array`, of which every entry is finite.

    Raises
    ------
    InputError : anything else.

    >>> finite_array("x", [1, 2])
    array([1., 2.])
    """
    array = float_array(name, value, single=single)
    if not np.isfinite(array).all():
        wrong = np.count_nonzero(~np.isfinite(array))
        raise InputError(f"{name} has {wrong} NaN or infinite entries, expected finite numbers")
    return array


def positive_integer(name: str, value: Any) -> int:
    """An argument, by its name, as an int that is at least 1.

    Raises
    ------
    InputError : anything else, True among it.

    >>> positive_integer("samples", np.int64(3))
    3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name} is {value!r}, expected a positive integer")
    return int(value)
