"""Where samples come from: ranges of random streams, so that no sample is counted twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from randtensor.errors import InputError

__all__ = ["Source", "identify", "merged_sources", "sources_from"]


@dataclass(frozen=True, order=True)
class Source:
    """Samples ``first`` .. ``last - 1`` of the stream with a seed.

    >>> Source(7, (), 0, 100).root.entropy
    7
    """

    seed: int | tuple[int, ...]
    spawn_key: tuple[int, ...]
    first: int
    last: int

    @classmethod
    def of(cls, root: np.random.SeedSequence, first: int, last: int) -> Source:
        """A range of the stream of ``root``."""
        entropy: Any = root.entropy
        seed = int(entropy) if isinstance(entropy, int | np.integer) else tuple(int(word) for word in entropy)
        return cls(seed, tuple(int(word) for word in root.spawn_key), first, last)

    @property
    def root(self) -> np.random.SeedSequence:
        """The root of the stream."""
        return np.random.SeedSequence(self.seed, spawn_key=self.spawn_key)

    @property
    def stream(self) -> tuple[str, tuple[int, ...]]:
        """What two ranges of one stream have in common."""
        return str(self.seed), self.spawn_key

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Source:
        """The source of which ``record`` is the `to_dict`."""
        seed = record["seed"]
        return cls(
            tuple(seed) if isinstance(seed, list) else int(seed),
            tuple(record["spawn_key"]),
            int(record["first"]),
            int(record["last"]),
        )


def sources_from(records: Iterable[Mapping[str, Any]]) -> tuple[Source, ...]:
    """The sources of which ``records`` are the `Source.to_dict`."""
    return tuple(Source.from_dict(record) for record in records)


def merged_sources(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Adjacent ranges joined; the order of the streams is that in which they came.

    Raises
    ------
    InputError : two ranges of one stream overlap.
    """
    streams: dict[Any, list[Source]] = {}
    for source in sources:
        streams.setdefault(source.stream, []).append(source)
    joined: list[Source] = []
    for ranges in streams.values():
        ranges.sort(key=lambda source: source.first)
        current = ranges[0]
        for following in ranges[1:]:
            if following.first < current.last:
                raise InputError(
                    f"samples {following.first} to {min(current.last, following.last) - 1} of the seed {current.seed} "
                    "are in both estimates, expected other seeds or other ranges"
                )
            if following.first == current.last:
                current = Source(current.seed, current.spawn_key, current.first, following.last)
            else:
                joined.append(current)
                current = following
        joined.append(current)
    return tuple(joined)


def identify(fingerprint: str) -> str:
    """A short name of a law, for comparison only.

    >>> len(identify("a long text"))
    16
    """
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:16]
