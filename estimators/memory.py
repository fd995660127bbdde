"""How much memory may be used, and how much is used."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from randtensor.errors import InputError

__all__ = ["Peak", "give_back", "memory_text", "parse_memory", "peak_memory", "resident"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_FORM = re.compile(r"(\d{1,18}(?:\.\d{1,9})?) ?([kmgt]i?)?b?", re.IGNORECASE | re.ASCII)
_NOISE = 2**21  # bytes by which the resident size is off: pages of code that is run for the first time


def parse_memory(memory: Any) -> int:
    """Bytes, from a number of bytes or a text such as ``"4GiB"``.

    Raises
    ------
    InputError : something else.

    >>> parse_memory("1.5 GiB"), parse_memory("200MB"), parse_memory(4096)
    (1610612736, 200000000, 4096)
    """
    if isinstance(memory, int | np.integer) and not isinstance(memory, bool) and memory > 0:
        return int(memory)
    match = _FORM.fullmatch(memory.strip()) if isinstance(memory, str) and len(memory) < 50 else None
    found = 0 if match is None else int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    if found < 1:
        raise InputError(f"memory is {memory!r}, expected bytes, or a text such as '500MB' or '4GiB'")
    return found


def memory_text(size: float) -> str:
    """Bytes for a reader.

    >>> memory_text(3 * 2**30), memory_text(1500)
    ('3.0 GiB', '1.5 KiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" or abs(size) >= 100 else f"{size:.1f} {unit}"


def resident() -> int:
    """Bytes of this process that are in memory now; where only that is known, the most there ever were.

    Raises
    ------
    InputError : the system does not tell.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        raise InputError("memory is given, but this system does not tell how much is used, expected None") from None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def give_back() -> None:
    """Hand memory that is free back to the system, where the allocator keeps it otherwise (glibc does, per thread)."""
    trim = _trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another system, or another library for C
        return None


class Peak:
    """The most memory in use at a time, in bytes beyond what was in use before; see `peak_memory`."""

    size: int = 0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the peak of memory of what is done within.

    Python and NumPy tell what they allocate. What compiled libraries allocate themselves, such as the work space of
    LAPACK, only Linux tells, as the highest resident size since it was last asked to forget it; that counts where it is
    more by megabytes.

    >>> import numpy as np
    >>> with peak_memory() as peak:
    ...     total = np.ones(10**6).sum()
    >>> 8e6 <= peak.size < 10e6
    True
    """
    found, traced = Peak(), tracemalloc.is_tracing()
    give_back()
    forgotten = _forget_highest()
    before = resident() if forgotten else 0
    if not traced:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        start, _ = tracemalloc.get_traced_memory()
        yield found
        _, peak = tracemalloc.get_traced_memory()
        found.size = peak - start
        if forgotten and _highest() - before > found.size + _NOISE:
            found.size = _highest() - before
    finally:
        if not traced:
            tracemalloc.stop()


def _forget_highest() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _highest() > 0
    except OSError:
        return False


def _highest() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return 0
