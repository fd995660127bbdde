"""One BLAS thread per worker: parallelism is over samples, and sums must not depend on the number of cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

_lock = threading.Lock()
_depth = 0
_limit: Any = None


@lru_cache(maxsize=1)
def _controller() -> Any:
    """Finding the loaded libraries takes half a millisecond, so it is done once."""
    from threadpoolctl import ThreadpoolController

    _keep_freed_memory()
    return ThreadpoolController()


def _keep_freed_memory() -> None:
    """Ask the GNU allocator to reuse blocks of up to 64 MB, and to hold on to up to 256 MB between samples.

    By default it returns large blocks to the system when they are freed, and at widths around 2^18 the page faults of
    getting them back take 40 % of the time (``benchmarks/width.py`` shows it). Threads have pools of their own, in
    pieces of 64 MB that are returned in any case: so all share one pool. Other allocators are left alone.
    """
    import ctypes
    import sys

    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            m_trim_threshold, m_mmap_threshold, m_arena_max = -1, -3, -8
            mallopt(m_arena_max, 1)
            mallopt(m_mmap_threshold, 2**26)
            mallopt(m_trim_threshold, 2**28)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold the BLAS libraries of this process to one thread; re-entrant, and safe when entered by several threads."""
    global _depth, _limit
    with _lock:
        _depth += 1
        if _depth == 1:
            _limit = _controller().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _limit.restore_original_limits()
                _limit = None
