"""Timing, memory and subprocesses: what every benchmark measures with."""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = [
    "ROOT",
    "Timing",
    "in_subprocess",
    "interleaved",
    "machine",
    "module_of",
    "peak",
    "peak_memory_of",
    "reset_peak",
    "timed",
]

ROOT = Path(__file__).resolve().parent.parent

#: The last line of a worker's output that holds its result starts with this.
_MARK = "benchmark-result:"


@dataclass(frozen=True)
class Timing:
    """Repeated timings of one thing, in seconds per sample."""

    seconds: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The fastest repeat: what the code costs when nothing else disturbs it."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The middle repeat: far from the minimum, it says that the machine was busy."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{duration(self.minimum)} ({duration(self.median)})"


def duration(seconds: float) -> str:
    """A time in the unit that suits it, to three digits.

    >>> duration(0.0000123)
    '12.3 µs'
    """
    factor, unit = next((f, u) for f, u in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")) if seconds * f >= 1 or f == 1e6)
    value = seconds * factor
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"


def timed(call: Callable[[int], Any], count: int = 1, *, seconds: float = 2.0, least: int = 5) -> Timing:
    """Time ``call(0)``, ``call(1)``, ... for a while, at least ``least`` times, after one call to warm up.

    The argument is a seed: no two repeats do the same. ``count`` is the number of samples that one call makes.
    """
    return interleaved({"": lambda seed: call(seed)}, {"": count}, seconds=seconds, least=least)[""]


def interleaved(
    calls: Mapping[str, Callable[[int], Any]],
    counts: Mapping[str, int],
    *,
    seconds: float = 2.0,
    least: int = 5,
    settle: bool = False,
) -> dict[str, Timing]:
    """Time several calls in turn, so that a machine that slows down for a while slows all of them down.

    ``settle`` lets an untimed call go before every timed one: caches and the memory allocator are then as in a long run
    of the same call, and not as the previous call of another kind left them.
    """
    for call in calls.values():
        call(0)
    gc.collect()
    found: dict[str, list[float]] = {name: [] for name in calls}
    begin, seed = time.perf_counter(), 0
    while seed < least or (time.perf_counter() - begin < seconds and seed < 200):
        seed += 1
        for name, call in calls.items():
            if settle:
                call(seed)
            start = time.perf_counter()
            call(seed)
            found[name].append((time.perf_counter() - start) / counts[name])
    return {name: Timing(tuple(values)) for name, values in found.items()}


def peak_memory_of(call: Callable[[], Any]) -> float:
    """Highest resident memory while ``call()`` runs, beyond what was resident before, in bytes.

    Where the kernel cannot reset its high-water mark this is the growth of the process's lifetime peak, which is
    smaller: only the first and largest call of a process is then measured well.
    """
    gc.collect()
    before = reset_peak()
    call()
    return peak() - before


def reset_peak() -> float:
    """Make the high-water mark of resident memory the present size, and return that; else the lifetime peak."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    except OSError:
        return _lifetime_peak()


def peak() -> float:
    """The high-water mark of resident memory, in bytes."""
    try:
        return _status("VmHWM")
    except OSError:
        return _lifetime_peak()


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return float(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")


def _lifetime_peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def in_subprocess(function: Callable[..., Any], **arguments: Any) -> Any:
    """The result of ``function(**arguments)`` in a fresh interpreter, so that its memory is its own.

    The function stands at the top level of a module; arguments and result pass through JSON.

    Raises
    ------
    RuntimeError : the function failed; the message ends with what it printed.
    """
    task = json.dumps([module_of(function), function.__qualname__, arguments])
    done = subprocess.run([sys.executable, "-m", __name__, task], cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not lines:
        raise RuntimeError(f"{function.__module__}.{function.__qualname__}({arguments}) failed:\n{done.stderr[-2000:]}")
    return json.loads(lines[-1].removeprefix(_MARK))


def module_of(function: Callable[..., Any]) -> str:
    """The name under which another process finds a function's module, also if it runs as the main one."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if function.__module__ == "__main__" and spec else function.__module__


def machine() -> str:
    """Processor, cores, memory and the versions that matter, in one line."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip() if names else processor
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"Python {platform.python_version()}"]
    for package in ("numpy", "scipy", "jax", "torch"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    return f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()}, {', '.join(versions)}"


def _run_task(text: str) -> None:
    module, name, arguments = json.loads(text)
    result = getattr(importlib.import_module(module), name)(**arguments)
    print(_MARK + json.dumps(result))


if __name__ == "__main__":
    _run_task(sys.argv[1])
