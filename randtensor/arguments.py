"""What several modules ask of the arrays that they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from randtensor.errors import InputError

__all__ = ["as_array", "finite_array"]

Array = np.ndarray


def as_array(value: Any, dtype: Any = None) -> Array:
    """``value`` as an array: of NumPy, unless it is one of another library that NumPy's functions accept.

    >>> as_array(1.0)
    array(1.)
    """
    foreign = hasattr(value, "__array_function__") and not isinstance(value, np.ndarray)
    array: Array = value if foreign else np.asarray(value, dtype=dtype)
    return array


def finite_array(name: str, value: Any) -> Array:
    """An argument, by its name, as an array of finite numbers; an array of float64 is given back as it is.

    Raises
    ------
    InputError : anything else.

    >>> finite_array("x", [1, 2])
    array([1., 2.])
    """
    if value is None:
        raise InputError(f"{name} is None, expected an array of numbers")
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is {value!r}, expected an array of numbers") from error
    if not np.isfinite(array).all():
        wrong = np.count_nonzero(~np.isfinite(array))
        raise InputError(f"{name} has {wrong} NaN or infinite entries, expected finite numbers")
    return array
