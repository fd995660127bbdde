"""What a block of samples costs, in time and memory, measured where it is cheap and extrapolated from there.

Both follow power laws once the sizes are large: revealed matrices take memory and time that grow like the width, dense
ones like its square or cube. So smaller copies of the problem are drawn first, each twice the one before, and the
power law through the last ones tells of the next. The block itself is drawn only if that says that it is cheap.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimators.memory import peak_memory
from randtensor._blas import single_threaded_blas
from randtensor.quantity import Quantity, Sizes

__all__ = ["BlockCost", "block_costs"]

_SMALLEST = 8  # sizes below are not made smaller
_HALVINGS = 12
_CHEAP = 0.3  # seconds that a block may take to be drawn for its cost alone
_LONG_ENOUGH, _REPETITIONS = 0.02, 7  # seconds after which a clock is believed, and blocks after which it has to be
_STEEPEST = 5.0  # power of a size with which anything in the library grows


@dataclass(frozen=True)
class BlockCost:
    """The cost of one block of samples at some sizes.

    Attributes
    ----------
    length : samples in the block.
    seconds : of a processor, to draw it in one thread: whatever else the machine does meanwhile is not in it.
    memory : bytes that are taken at most at a time while it is drawn, its samples included.
    samples : bytes of its samples.
    measured : whether it was drawn; False if the numbers follow from smaller sizes.
    """

    length: int
    seconds: float
    memory: float
    samples: int
    measured: bool


def block_costs(
    quantity: Quantity, sizes: Sequence[Sizes], *, memory: float = math.inf, seconds: float = _CHEAP
) -> list[BlockCost]:
    """The cost of a block at each of ``sizes``, in their order.

    Parameters
    ----------
    quantity, sizes : what is to be drawn.
    memory : bytes that no block drawn here may take, so far as smaller ones tell.
    seconds : no block drawn here takes longer than this, so far as smaller ones tell; of each halving at least one.

    Notes
    -----
    What of the memory is seen is said in `estimators.memory.peak_memory`. The blocks drawn here are at a seed of their
    own, and are thrown away.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> small, large = block_costs(rt.norm(rt.gaussian(n, n, n), "frobenius"), [{"n": 64}, {"n": 4096}])
    >>> large.measured, 0.9 < large.memory / (small.memory / small.length * 64**3) < 1.1
    (False, True)
    """
    known: dict[tuple[tuple[str, int], ...], BlockCost] = {}
    order = sorted(range(len(sizes)), key=lambda i: _largest(sizes[i]))
    found: dict[int, BlockCost] = {}
    with single_threaded_blas():
        for index in order:
            found[index] = _cost(quantity, sizes[index], known, memory, seconds)
    return [found[index] for index in range(len(sizes))]


def _cost(
    quantity: Quantity,
    sizes: Sizes,
    known: dict[tuple[tuple[str, int], ...], BlockCost],
    memory: float,
    seconds: float,
) -> BlockCost:
    """Climb from small copies of a problem to the problem itself, as far as that is cheap."""
    met: list[tuple[int, BlockCost]] = []
    refusal: Exception | None = None
    for smaller in _ladder(sizes):
        key, at = tuple(sorted(smaller.items())), _largest(smaller)
        if key not in known:
            expected = _extrapolated(met, at, quantity.block_length(smaller)) if len(met) > 1 else None
            # times of microseconds are noise, and no law: steps that cannot be long are taken anyway
            slow = expected is not None and min(expected.seconds, 2**_STEEPEST * met[-1][1].seconds) > seconds
            if slow or (expected is not None and expected.memory > memory):
                break
            try:
                known[key] = _measured(quantity, smaller)
            except Exception as error:  # it may be too small for this quantity
                refusal = error
                continue
        met.append((at, known[key]))
    if not met:
        assert refusal is not None
        raise refusal
    if met[-1][0] == _largest(sizes):
        return met[-1][1]
    return _extrapolated(met, _largest(sizes), quantity.block_length(sizes))


def _ladder(sizes: Sizes) -> list[dict[str, int]]:
    """Copies of a problem, each about half of the next, up to the problem itself."""
    found: list[dict[str, int]] = []
    for halvings in range(_HALVINGS + 1):
        copy = {name: max(int(size) >> halvings, min(int(size), _SMALLEST)) for name, size in sizes.items()}
        if found and copy == found[-1]:
            break
        found.append(copy)
    return found[::-1]


def _measured(quantity: Quantity, sizes: Sizes) -> BlockCost:
    """A block for what is done only once, one whose memory is watched, and one against the clock."""
    root = np.random.SeedSequence(0x636F7374)
    quantity.sample_block(sizes, 0, root)
    with peak_memory() as peak:
        block = quantity.sample_block(sizes, 0, root)
    times: list[float] = []
    while len(times) < 2 or (sum(times) < _LONG_ENOUGH and len(times) < _REPETITIONS):
        start = time.thread_time()
        quantity.sample_block(sizes, len(times) + 1, root)
        times.append(time.thread_time() - start)
    return BlockCost(len(block), max(min(times), 1e-9), float(max(peak.size, block.nbytes)), block.nbytes, True)


def _extrapolated(met: Sequence[tuple[int, BlockCost]], at: int, length: int) -> BlockCost:
    """What a sample costs at another size, by power laws through the last ones."""
    last = met[-1][1]
    seconds, memory = (
        length * _power_law([(size, getattr(cost, name) / cost.length) for size, cost in met[-3:]], at, offset=offset)
        for name, offset in (("seconds", False), ("memory", True))
    )
    return BlockCost(length, seconds, memory, last.samples // last.length * length, False)


def _power_law(points: Sequence[tuple[int, float]], at: int, *, offset: bool) -> float:
    """The value at a size of the power law through the last three points; of one point alone, in proportion.

    With an offset it is a power law beside a constant: memory has no noise that would forbid it.
    """
    size, value = points[-1]
    if len(points) == 1:
        return value * at / size
    size_before, before = points[-2] if offset else points[0]
    power = min(max(math.log(value / before) / math.log(size / size_before), 0.0), _STEEPEST)
    found = value * (at / size) ** power
    even = len(points) == 3 and 0.9 < (size / size_before) / (size_before / points[0][0]) < 1.1
    if offset and even and value > before > points[0][1]:
        steps = math.log((value - before) / (before - points[0][1])) / math.log(size / size_before)
        steeper = min(max(steps, power), power + 1)  # one jump is not to be taken for a law
        slope = (value - before) / (size**steeper - size_before**steeper)
        found = max(found, value + slope * (at**steeper - size**steeper))
    return float(found)


def _largest(sizes: Sizes) -> int:
    return max(sizes.values(), default=1)
