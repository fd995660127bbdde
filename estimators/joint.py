"""Several quantities on one draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from randtensor.quantity import Draw, Quantity

__all__ = ["Joint"]


class Joint(Quantity):
    """Several scalar quantities as the entries of one, which share the random objects that occur in them.

    Each by itself with the same seed would be sampled from streams of its own.

    Parameters
    ----------
    members : scalar quantities.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> g, h = rt.gaussian(n), rt.gaussian(n)
    >>> first, second, _ = Joint([rt.norm(g), rt.norm(g), rt.norm(h)]).sample(16, size=10, rng=0).T
    >>> bool((first == second).all())
    True
    """

    #: what the fingerprint, by which random streams are keyed, begins with
    kind = "joint"

    def __init__(self, members: Sequence[Quantity]) -> None:
        self.members = tuple(members)
        self.shape = (len(self.members),)
        self.scale_names = tuple(sorted({name for member in self.members for name in member.scale_names}))

    @property
    def fingerprint(self) -> str:
        return f"{self.kind}({', '.join(member.fingerprint for member in self.members)})"

    def column(self, member: Quantity) -> int:
        """Where a member is found."""
        return next(i for i, each in enumerate(self.members) if each is member)

    def block_length(self, sizes: Any) -> int:
        return min(int(member.block_length(sizes)) for member in self.members)

    def evaluate(self, draw: Draw) -> np.ndarray:
        return np.stack([member.evaluate(draw) for member in self.members], axis=-1)
