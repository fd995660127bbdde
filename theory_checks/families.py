"""Families of quantities, drawn jointly, for claims that are to hold of all members at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from estimators.joint import Joint
from randtensor import Quantity
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Draw

__all__ = ["Family", "SampledFamily", "family"]


class Family(Joint):
    """Several scalar quantities as the entries of one, sharing the random objects that occur in them.

    Parameters
    ----------
    members : scalar quantities that are sampled exactly, without probes.

    Raises
    ------
    InputError : no members, or one that is not a quantity or only known through probes.
    ShapeError : a member that is not a scalar.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> family = Family([rt.norm(rt.gaussian(n)), rt.norm(rt.gaussian(n))])
    >>> family.sample(16, size=10, rng=0).shape
    (10, 2)
    """

    kind = "family"

    def __init__(self, members: Sequence[Quantity]) -> None:
        if not members:
            raise InputError("a family has no members, expected at least one quantity")
        for member in members:
            if not isinstance(member, Quantity):
                raise InputError(f"a family has the member {member!r}, expected a quantity")
            if member.shape:
                raise ShapeError(f"a member of a family has shape {member.shape}, expected a scalar")
            if member.probes > 1 or member.only_squares:
                raise InputError("a member of a family is known only through noisy probes: make it with probes=0")
        super().__init__(members)


class SampledFamily(Quantity):
    """The largest magnitude among the members of a family that a function samples; made by `family`."""

    shape = (1,)

    def __init__(self, function: Callable[..., Any], scales: tuple[str, ...], name: str) -> None:
        self.function, self.scale_names, self.name = function, scales, name

    @property
    def fingerprint(self) -> str:
        return f"family:{self.name}"

    def evaluate(self, draw: Draw) -> np.ndarray:
        sizes = [draw.sizes[scale] for scale in self.scale_names]
        members: np.ndarray = draw.remember(
            self, lambda: np.asarray(self.function(*sizes, draw.batch, draw.generator), dtype=float)
        )
        if members.ndim < 2 or len(members) != draw.batch or not members.size:
            raise InputError(
                f"{self.name} returned shape {members.shape} for {draw.batch} samples, expected ({draw.batch}, members)"
            )
        return np.asarray(np.abs(members).reshape(draw.batch, -1).max(axis=1, keepdims=True))


def family(*scales: Any, name: str | None = None) -> Callable[[Callable[..., Any]], SampledFamily]:
    """Turn a sampling function into a family, whose members may grow in number with the size.

    Of each sample only the largest magnitude is kept: a bound of it holds of all members at once. That each member
    has a bound does not say as much, as soon as their number grows.

    Parameters
    ----------
    scales : the scales the law depends on.
    name : identifies the family; random streams are keyed by it.

    Returns
    -------
    A decorator for functions ``(size of each scale, batch, generator) -> array of shape (batch, members)``.

    Examples
    --------
    Each of the n members is zero with probability 1 - 1/n, and yet one of them is always n:

    >>> import numpy as np, randtensor as rt
    >>> @family(rt.Scale("n"))
    ... def intervals(n, batch, rng):
    ...     return n * (rng.integers(n, size=(batch, 1)) == np.arange(n))
    >>> intervals.sample(100, size=3, rng=0).tolist()
    [[100.0], [100.0], [100.0]]
    """

    def decorate(function: Callable[..., Any]) -> SampledFamily:
        names = tuple(str(getattr(scale, "name", scale)) for scale in scales)
        return SampledFamily(function, names, name or str(getattr(function, "__qualname__", "family")))

    return decorate
