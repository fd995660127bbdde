"""Work in a process of its own, with limits of time and memory, whose partial results are kept.

The process runs a generator and prints what it yields, a line of JSON each; whatever ends it, the lines before count.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from benchmarks._measure import ROOT, module_of

__all__ = ["memory_limit", "stream"]

#: Seconds between two looks at the memory of the process.
_POLL = 0.1


def memory_limit() -> float:
    """Resident bytes that a process may take: 70 % of what is available now, so that nothing is swapped."""
    info = Path("/proc/meminfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 0.7 * 1024 * float(line.split()[1])
    return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def stream(
    function: Callable[..., Iterator[Any]],
    arguments: Mapping[str, Any],
    *,
    seconds: float,
    patience: float,
    bytes_at_most: float | None = None,
    python: str = sys.executable,
) -> tuple[list[Any], str]:
    """What ``function(**arguments)`` yields in a fresh interpreter, and what ended it early, or nothing.

    Parameters
    ----------
    function, arguments : a generator function at the top level of a module, and its keyword arguments; arguments and
        results pass through JSON.
    seconds : limit on the whole.
    patience : limit on the time to the first result and between two of them.
    bytes_at_most : limit on the resident memory; ``memory_limit()`` if it is not given.
    python : the interpreter.
    """
    limit = memory_limit() if bytes_at_most is None else bytes_at_most
    task = json.dumps([module_of(function), function.__qualname__, dict(arguments)])
    found: list[Any] = []
    reason = ""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [python, "-m", __name__, task], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        begin = last = time.monotonic()
        try:
            while not reason:
                try:
                    line = lines.get(timeout=_POLL)
                except queue.Empty:
                    line = ""
                if line is None:  # the end
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(patience)
                    break
                if line.startswith(_MARK):
                    found.append(json.loads(line.removeprefix(_MARK)))
                    last = time.monotonic()
                now = time.monotonic()
                if now - begin > seconds:
                    reason = f"over {seconds:g} s in all"
                elif now - last > patience:
                    reason = f"over {patience:g} s"
                elif _resident(process.pid) > limit:
                    reason = f"over {limit / 2**30:.1f} GiB"
        finally:  # also when the caller is interrupted
            process.kill()
            code = process.wait()
            reader.join()
            process.stdout.close()
        if code and not reason:
            errors.seek(0)
            reason = _failure(errors.read(), code)
    return found, reason


#: A line of a process's output that holds a result starts with this.
_MARK = "partial-result:"


def _read(output: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in output:
        lines.put(line)
    lines.put(None)


def _resident(process: int) -> float:
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return float(line.split()[1]) * 1024
    except OSError:  # it has just ended, or there is no /proc
        pass
    return 0.0


def _failure(errors: str, code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed, most likely for its memory"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    named = [line for line in lines if "Error" in line.split(":")[0]]
    text = (named or lines or [f"ended with status {code}"])[-1]
    if "MemoryError" in text or "RESOURCE_EXHAUSTED" in text or "not enough memory" in text:
        return "out of memory"
    return text[:80].replace("|", "/")


def _run_task(text: str) -> None:
    module, name, arguments = json.loads(text)
    for result in getattr(importlib.import_module(module), name)(**arguments):
        print(_MARK + json.dumps(result), flush=True)


if __name__ == "__main__":
    _run_task(sys.argv[1])
