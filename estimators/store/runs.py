"""Blocks of samples in a file, so that no run draws again what one before it has drawn.

What is kept of a block are its samples. They do not grow with the width, and they are the only summary from which every
statistic follows to the last bit: quantiles, their errors, block errors for heavy tails, cumulants, and statistics that
nobody has asked for yet. A sample of a scalar takes 8 bytes, and a block about 120 more.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.store.database import check, connect, reported, transaction
from estimators.store.environment import environment
from estimators.store.identity import identity
from randtensor.errors import StoreError
from randtensor.quantity import Quantity, Sizes

__all__ = ["RunStore", "Stored", "Stream", "Traffic"]

_FORMAT = re.compile(r"(<f8|<c16|<f4|<c8|<i8|<i4|\|b1|\|i1|\|u1|<u8|<u4|<i2|<u2)\((\d+(?:,\d+)*)\)")


@dataclass(frozen=True)
class Stored:
    """What a store holds of one stream.

    Attributes
    ----------
    quantity, sizes, seed : what was sampled.
    blocks, samples, bytes : how much of it is there; ``bytes`` of samples alone.
    current : whether this installation, on this kind of processor, would draw the same bits.
    """

    quantity: str
    sizes: dict[str, int]
    seed: Any
    blocks: int
    samples: int
    bytes: int
    current: bool


@dataclass(frozen=True)
class Traffic:
    """Samples that came out of a store and that went into it."""

    read: int = 0
    kept: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.read + other.read, self.kept + other.kept)

    def __sub__(self, other: Traffic) -> Traffic:
        return Traffic(self.read - other.read, self.kept - other.kept)


class RunStore:
    """A file that keeps finished blocks of samples.

    Parameters
    ----------
    path : of the file; if there is none, it is made when samples are first drawn.
    writable : False to look only, at a file that exists.

    Several processes may use one file on a local disk at a time. Blocks are addressed by the whole state of the
    quantity (see `identity`), the sizes, the seed, the block's number, and the `environment`; what another version or
    another kind of processor has drawn is not used.

    Raises
    ------
    StoreError : a file that is no run store or a damaged one, or of a newer schema; it is left as it is.

    Examples
    --------
    >>> import estimators, tempfile, randtensor as rt
    >>> from pathlib import Path
    >>> length = rt.norm(rt.gaussian(rt.Scale("n")))
    >>> with tempfile.TemporaryDirectory() as folder, RunStore(Path(folder) / "runs.sqlite") as store:
    ...     first = estimators.estimate(length, 64, samples=256, rng=0, jobs=estimators.Workers(2, store=store))
    ...     again = estimators.estimate(length, 64, samples=512, rng=0, jobs=estimators.Workers(2, store=store))
    ...     (kept,) = store.contents()
    >>> kept.samples, again == estimators.estimate(length, 64, samples=512, rng=0)
    (512, True)
    """

    def __init__(self, path: str | os.PathLike[str], *, writable: bool = True) -> None:
        self.path, self.writable = Path(path), writable
        #: samples that were read and kept through this object
        self.traffic = Traffic()
        check(self.path, writable=writable)
        self._connection: sqlite3.Connection | None = None
        self._closed, self._lock, self._process = False, threading.RLock(), os.getpid()

    def streams(self, quantity: Quantity, sizes: Sequence[Sizes], root: np.random.SeedSequence) -> tuple[Stream, ...]:
        """The blocks of a quantity at a seed, for each of ``sizes``.

        Raises
        ------
        StoreError : the quantity cannot be identified.
        """
        name = identity(quantity)
        return tuple(Stream(self, name, quantity, size, root) for size in sizes)

    def contents(self) -> tuple[Stored, ...]:
        """What is in the store, in the order in which it was begun."""
        with self._using() as connection:
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                return ()
            rows = connection.execute(
                "SELECT s.quantity, s.sizes, s.seed, s.length, e.text, count(b.number), sum(length(b.samples)) "
                "FROM stream s JOIN environment e ON e.id = s.environment LEFT JOIN block b ON b.stream = s.id "
                "GROUP BY s.id ORDER BY s.id"
            ).fetchall()
        try:
            return tuple(
                Stored(
                    quantity,
                    {str(name): int(size) for name, size in json.loads(sizes).items()},
                    json.loads(seed),
                    blocks,
                    blocks * length,
                    size or 0,
                    text == environment(),
                )
                for quantity, sizes, seed, length, text, blocks, size in rows
            )
        except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError) as error:
            raise StoreError(f"store {self.path} is damaged ({error}), expected a run store") from error

    def collect(self) -> int:
        """Remove what no run of this installation can use, give the space back, and return the number of samples."""
        with self._using() as connection:
            gone = sum(stored.samples for stored in self.contents() if not stored.current)
            with transaction(connection):
                others = "SELECT id FROM environment WHERE text <> ?"
                streams = f"SELECT id FROM stream WHERE environment IN ({others})"
                connection.execute(f"DELETE FROM block WHERE stream IN ({streams})", (environment(),))
                connection.execute(f"DELETE FROM stream WHERE environment IN ({others})", (environment(),))
                connection.execute("DELETE FROM environment WHERE text <> ?", (environment(),))
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return gone

    def close(self) -> None:
        """Close the file; the last process to do so leaves no other files beside it."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RunStore({str(self.path)!r})"

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time."""
        if os.getpid() != self._process:
            raise StoreError(f"store {self.path} was opened by another process, expected one connection for each")
        with self._lock, reported(self.path):
            if self._closed:
                raise StoreError(f"store {self.path} is closed, expected an open one")
            if self._connection is None:
                self._connection = connect(self.path, writable=self.writable)
            yield self._connection


class Stream:
    """The stored blocks of one quantity, known by its identity, at one size and seed; see `RunStore.streams`."""

    def __init__(
        self, store: RunStore, name: str, quantity: Quantity, sizes: Sizes, root: np.random.SeedSequence
    ) -> None:
        entropy: Any = root.entropy
        words = int(entropy) if isinstance(entropy, int | np.integer) else [int(word) for word in entropy]
        self.store, self.length = store, quantity.block_length(sizes)
        self._sizes = json.dumps({name: int(size) for name, size in sorted(sizes.items())})
        self._seed = json.dumps([words, [int(word) for word in root.spawn_key]])
        self._quantity = quantity.describe()[:200]
        parts = (name, self._sizes, self._seed, str(self.length), environment())
        self.key = hashlib.sha256("\0".join(parts).encode()).digest()

    def read(self, first: int, last: int) -> dict[int, NDArray[Any]]:
        """The blocks ``first`` .. ``last - 1`` that are there, by number.

        Raises
        ------
        StoreError : a block does not have the checksum it was written with.
        """
        with self.store._using() as connection:
            rows = connection.execute(
                "SELECT number, format, samples, checksum FROM block "
                "WHERE stream = (SELECT id FROM stream WHERE key = ?) AND number >= ? AND number < ?",
                (self.key, first, last),
            ).fetchall()
        found = {number: self._decoded(number, *row) for number, *row in rows}
        self.store.traffic += Traffic(read=len(found) * self.length)
        return found

    def write(self, blocks: Mapping[int, NDArray[Any]]) -> None:
        """Keep blocks, by number; they are in the file when this returns, whatever happens to the process then.

        Raises
        ------
        StoreError : the file cannot grow, or holds other bits for one of the blocks.
        """
        rows = [(number, *self._encoded(number, samples)) for number, samples in blocks.items()]
        with self.store._using() as connection, transaction(connection):
            connection.execute("INSERT OR IGNORE INTO environment (text) VALUES (?)", (environment(),))
            connection.execute(
                "INSERT OR IGNORE INTO stream (key, quantity, sizes, seed, length, environment) "
                "SELECT ?, ?, ?, ?, ?, id FROM environment WHERE text = ?",
                (self.key, self._quantity, self._sizes, self._seed, self.length, environment()),
            )
            (stream,) = connection.execute("SELECT id FROM stream WHERE key = ?", (self.key,)).fetchone()
            for number, form, samples, checksum in rows:
                new = connection.execute(
                    "INSERT OR IGNORE INTO block VALUES (?, ?, ?, ?, ?)", (stream, number, form, samples, checksum)
                ).rowcount
                if not new:  # another process was faster
                    where = "SELECT checksum FROM block WHERE stream = ? AND number = ?"
                    self._compare(number, checksum, connection.execute(where, (stream, number)).fetchone()[0])

        self.store.traffic += Traffic(kept=len(rows) * self.length)

    def _compare(self, number: int, mine: bytes, theirs: bytes) -> None:
        if mine != theirs:
            raise StoreError(
                f"block {number} of {self._quantity} was drawn with other bits before, "
                f"expected a quantity whose samples depend on its generator alone (store {self.store.path})"
            )

    def _encoded(self, number: int, samples: NDArray[Any]) -> tuple[str, bytes, bytes]:
        data = np.asarray(samples)
        data = np.ascontiguousarray(data.astype(data.dtype.newbyteorder("<"), copy=False)).reshape(data.shape)
        form = f"{data.dtype.str}({','.join(map(str, data.shape))})"
        if not _FORMAT.fullmatch(form) or len(data) != self.length:
            raise StoreError(
                f"block {number} of {self._quantity} is an array {form}, expected {self.length} samples of numbers"
            )
        content = data.tobytes()
        return form, content, self._checksum(number, form, content)

    def _decoded(self, number: int, form: str, content: bytes, checksum: bytes) -> NDArray[Any]:
        match = _FORMAT.fullmatch(form)
        if match is not None and self._checksum(number, form, content) == checksum:
            with suppress(ArithmeticError, ValueError):  # a shape that no array has
                dtype, shape = np.dtype(match[1]), tuple(map(int, match[2].split(",")))
                if prod(shape) * dtype.itemsize == len(content) and shape[0] == self.length:
                    return np.ndarray(shape, dtype, content)
        raise StoreError(f"store {self.store.path} is damaged in block {number} of {self._quantity}")

    def _checksum(self, number: int, form: str, content: bytes) -> bytes:
        head = self.key + number.to_bytes(8, "little") + form.encode() + b"\0"
        return hashlib.blake2b(head + content, digest_size=16).digest()
