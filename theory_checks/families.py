"""Families of quantities, drawn jointly, for claims that are to hold of all members at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from randtensor import Quantity
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Draw

__all__ = ["Family"]


class Family(Quantity):
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

    def __init__(self, members: Sequence[Quantity]) -> None:
        self.members = tuple(members)
        if not self.members:
            raise InputError("a family has no members, expected at least one quantity")
        for member in self.members:
            if not isinstance(member, Quantity):
                raise InputError(f"a family has the member {member!r}, expected a quantity")
            if member.shape:
                raise ShapeError(f"a member of a family has shape {member.shape}, expected a scalar")
            if member.probes > 1 or member.only_squares:
                raise InputError("a member of a family is known only through noisy probes: make it with probes=0")
        self.scale_names = tuple(sorted({name for member in self.members for name in member.scale_names}))
        self.shape = (len(self.members),)

    @property
    def fingerprint(self) -> str:
        return f"family({', '.join(member.fingerprint for member in self.members)})"

    def block_length(self, sizes: Any) -> int:
        return min(member.block_length(sizes) for member in self.members)

    def evaluate(self, draw: Draw) -> np.ndarray:
        return np.stack([member.evaluate(draw) for member in self.members], axis=-1)
