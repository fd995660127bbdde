"""Seeds: one independent random stream per block of samples.

A stream is addressed by (root seed, quantity, sizes, block number) and by nothing else, so a sample has the same bits
whichever worker draws it, in whichever order, and whatever else is drawn beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from randtensor.errors import InputError

__all__ = ["Seed", "array_kind", "block_generator", "root_sequence"]

Seed = int | np.random.SeedSequence | np.random.Generator | np.random.BitGenerator | None


def root_sequence(rng: Seed) -> np.random.SeedSequence:
    """The root of all streams of one call, from whatever the caller gave as ``rng``.

    An integer or a ``SeedSequence`` names a reproducible root; a ``Generator`` is advanced to draw one; ``None`` takes
    fresh entropy from the operating system.

    >>> root_sequence(7).entropy
    7
    """
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.BitGenerator):
        rng = np.random.Generator(rng)
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence([int(word) for word in rng.integers(2**32, size=4)])
    if rng is None:
        return np.random.SeedSequence()
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool) and rng >= 0:
        return np.random.SeedSequence(int(rng))
    raise InputError(f"rng is {rng!r}, expected a non-negative integer, a SeedSequence, a Generator or None")


def array_kind(generator: np.random.Generator) -> np.ndarray | None:
    """An array of the kind that a generator draws, for ``like=`` of NumPy's constructors; None for NumPy's own."""
    kind: np.ndarray | None = getattr(generator, "like", None)
    return kind


def block_generator(
    root: np.random.SeedSequence, fingerprint: str, sizes: Mapping[str, int], block: int
) -> np.random.Generator:
    """The generator of one block: keyed by the quantity's fingerprint, the sizes of its scales and the block number."""
    key = fingerprint + ";" + ",".join(f"{name}={size}" for name, size in sorted(sizes.items()))
    digest = hashlib.sha256(key.encode()).digest()
    words = [int.from_bytes(digest[start : start + 4], "little") for start in range(0, 16, 4)]
    child = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *words, block))
    return np.random.Generator(np.random.SFC64(child))
