"""Which random objects the parts of a quantity share: A + A and A + B look alike and have two laws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from randtensor.quantity import Quantity

__all__ = ["coincidences"]


def coincidences(parts: Sequence[Quantity]) -> str:
    """Text that completes the fingerprint of something made of distinct parts; empty where they are independent.

    Derivative tensors usually are of functions of one set of parameters: there it is several sets that are written out.

    >>> import randtensor as rt
    >>> A, B, C = (rt.goe(rt.Scale("n")) for _ in range(3))
    >>> coincidences([A + B, A + C]), coincidences([A, B + C])
    ('@0,1,0,2', '')
    """
    groups = [part.occurrences() for part in parts]
    leaves = [leaf for group in groups for leaf in group]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(map(id, leaves)))}
    drawn = Counter(key for group in groups for key in {id(leaf) for leaf in group if isinstance(leaf, Quantity)})
    parameters = {id(leaf) for leaf in leaves if not isinstance(leaf, Quantity)}
    if max(drawn.values(), default=0) <= 1 and len(parameters) <= 1:
        return ""
    return "@" + ",".join(str(numbers[id(leaf)]) for leaf in leaves)
