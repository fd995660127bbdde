"""Exact variances for the standard errors of means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from estimators.statistics import Statistic
from randtensor.errors import ExactError, InputError, OrderError
from randtensor.quantity import Quantity

__all__ = ["variance_at"]

_CHOICES = ("auto", "exact", "sampled")


def variance_at(
    quantity: Quantity, statistic: Statistic, sizes: Sequence[Mapping[str, int]], probes: int, choice: Any
) -> list[float | None]:
    """The exact variance of ``quantity`` at each of ``sizes``, None where the samples have to tell.

    Only means without probe noise have an error that the variance alone decides.

    Raises
    ------
    InputError : ``choice`` is none of "auto", "exact" and "sampled", or "exact" for another statistic.
    ExactError : ``choice`` is "exact" and no rule gives the variance.

    Examples
    --------
    >>> import randtensor as rt
    >>> g = rt.gaussian(rt.Scale("n"))
    >>> variance_at(rt.einsum("a,a->", g, g), Statistic("mean"), [{"n": 4}], 1, "auto")
    [8.0]
    """
    if choice not in _CHOICES:
        raise InputError(f"variance is {choice!r}, expected 'auto', 'exact' or 'sampled'")
    usable = statistic.name == "mean" and probes == 1
    if choice == "exact" and not usable:
        why = f"{probes} noisy probes per sample" if statistic.name == "mean" else f"the statistic {statistic.name!r}"
        raise InputError(f"variance is 'exact' with {why}, expected the statistic 'mean' of a quantity without probes")
    if choice == "sampled" or not usable:
        return [None] * len(sizes)
    try:
        formula = quantity.variance()
    except ExactError:
        if choice == "exact":
            raise
        return [None] * len(sizes)
    return [_evaluate(formula, size, choice == "exact") for size in sizes]


def _evaluate(formula: Any, sizes: Mapping[str, int], required: bool) -> float | None:
    try:
        value = complex(formula.evaluate({name: sizes[name] for name in formula.scale_names}))
    except OrderError as error:
        if required:
            raise ExactError(f"variance has no exact value at {dict(sizes)}: {error}") from error
        return None
    # a complex quantity has E X^2 - (E X)^2 here, which is not the scatter of its samples
    if value.imag == 0 and math.isfinite(value.real) and value.real >= 0:
        return value.real
    if required:
        raise ExactError(f"variance is {value} at {dict(sizes)}, expected a real number that is not negative")
    return None
