"""One contender on one quantity at growing widths, and on the exponent: what runs in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks._limited import memory_limit
from benchmarks._measure import peak, reset_peak
from benchmarks._subject import Array, Weights, rms
from benchmarks.contenders import LIBRARY, contender

__all__ = ["exponent", "slope_of", "widths"]

#: The width at which values at the same weights are compared; a derivative tensor that is written out fits only a few
#: units.
COMPARED, COMPARED_FORMED = 128, 6


def widths(key: str, quantity: str, sizes: Sequence[int], seconds: float, longest: float) -> Iterator[dict[str, Any]]:
    """Times per sample and peak memory at each width, until one is too much, and then the agreement with the library.

    Parameters
    ----------
    seconds : how long a width is measured.
    longest : a width is not tried where a sample would take longer, by what the widths before it took.
    """
    competitor = contender(key)
    engine = competitor.engine(quantity)
    smallest = COMPARED_FORMED if key == "formed" else 16
    engine.sample(smallest, engine.count(smallest), 0)
    with_imports, available = reset_peak(), memory_limit()
    taken: list[tuple[int, float]] = []
    for n in sizes:
        least = competitor.least(quantity, n)
        if least > available:
            yield {"width": n, "stopped": f"needs {size(least)}"}
            break
        if _predicted(taken, n) > longest:
            yield {"width": n, "stopped": f"a sample over {longest:g} s"}
            break
        reset_peak()
        count, begin = engine.count(n), time.perf_counter()
        engine.sample(n, count, 0)
        first = time.perf_counter() - begin
        memory = peak() - with_imports
        found: list[float] = []
        busy, begin = time.process_time(), time.perf_counter()
        while len(found) < 1 or (time.perf_counter() - begin < seconds and len(found) < 200):
            start = time.perf_counter()
            engine.sample(n, count, 1 + len(found))
            found.append((time.perf_counter() - start) / count)
        processor = (time.process_time() - busy) / (count * len(found))
        taken.append((n, min(found)))
        yield {
            "width": n,
            "seconds": min(found),
            "median": float(np.median(found)),
            "processor": processor,
            "first": first,
            "memory": memory,
            "count": count,
        }
    # Last, because what this leaves in memory would hide the peaks.
    yield {"difference": _difference(key, quantity, engine.value)}


def _difference(key: str, quantity: str, value: Callable[[Weights], float]) -> float:
    """The largest relative difference from the library at the same weights, three times drawn."""
    if key == LIBRARY.key:
        return 0.0
    reference, generator, worst = LIBRARY.engine(quantity).value, np.random.default_rng(7), 0.0
    for _ in range(3):
        weights = Weights.draw(COMPARED_FORMED if key == "formed" else COMPARED, generator)
        known = reference(weights)
        worst = max(worst, abs(value(weights) - known) / abs(known))
    return worst


def _predicted(taken: list[tuple[int, float]], n: int) -> float:
    """Seconds of a sample at the next width, by the growth between the last two."""
    if len(taken) < 2:
        return 0.0
    (n0, t0), (n1, t1) = taken[-2:]
    power = np.clip(np.log(t1 / t0) / np.log(n1 / n0), 1, 4)
    return float(t1 * (n / n1) ** power)


def size(count: float) -> str:
    """Bytes in the unit that suits them.

    >>> size(8 * 2**40)
    '8 TiB'
    """
    units = ("MiB", "GiB", "TiB", "PiB", "EiB")
    power = min(len(units) - 1, max(0, int(np.log2(max(count, 1)) // 10) - 2))
    return f"{count / 2 ** (20 + 10 * power):.3g} {units[power]}"


def exponent(key: str, sizes: Sequence[int], seconds: float) -> Iterator[dict[str, Any]]:
    """The exponent of the root mean square of the third derivative and its standard error, as the seconds go by.

    The slope of log rms against log n is fitted with equal weights, so that everyone estimates the same number. A width
    gets a share of the time in proportion to |its weight in the slope| * (time of a sample)^1/2, which makes the
    variance of the slope least where the relative error of one sample is the same at all widths. What is compiled or
    drawn to learn the times does not count.
    """
    engine = contender(key).engine("third")
    times = []
    for n in sizes:
        engine.sample(n, engine.count(n), 0)
        start = time.perf_counter()
        engine.sample(n, engine.count(n), 1)
        times.append((time.perf_counter() - start) / engine.count(n))
    pull = np.abs(slope_of(sizes))
    shares = np.maximum(pull, 0.1 * pull.max()) * np.sqrt(times)  # the middle of an odd number of widths has no pull
    spent, samples = np.zeros(len(sizes)), [np.zeros(0) for _ in sizes]
    checkpoints, seed, begin = [seconds * 2.0**-k for k in range(5, -1, -1)], 2, time.perf_counter()
    while checkpoints:
        which = int(np.argmin(spent / shares))
        start = time.perf_counter()
        samples[which] = np.append(samples[which], engine.sample(sizes[which], engine.count(sizes[which]), seed))
        spent[which] += time.perf_counter() - start
        seed += 1
        elapsed = time.perf_counter() - begin
        while checkpoints and elapsed >= checkpoints[0]:
            checkpoints.pop(0)
            if min(len(s) for s in samples) >= 8:  # fewer give no error to speak of
                yield {"elapsed": elapsed, **_fit(sizes, samples)}


def slope_of(sizes: Sequence[int]) -> Array:
    """Weights of the least-squares slope against log n.

    >>> slope_of([2, 4]) * np.log(2)
    array([-1.,  1.])
    """
    x = np.log(np.asarray(sizes, dtype=float))
    x -= x.mean()
    return np.asarray(x / (x @ x))


def _fit(sizes: Sequence[int], samples: Sequence[Array]) -> dict[str, Any]:
    weights = slope_of(sizes)
    found = [rms(s) for s in samples]
    value = float(weights @ np.log([v for v, _ in found]))
    error = float(np.sqrt(sum((w * e / v) ** 2 for w, (v, e) in zip(weights, found, strict=True))))
    return {"exponent": value, "error": error, "samples": [len(s) for s in samples]}
