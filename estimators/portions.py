"""What is left to be drawn, in pieces of a length that follows from measured cost, and how many fit into memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from estimators.costs import block_costs
from estimators.memory import give_back, memory_text, resident
from randtensor.errors import InputError
from randtensor.quantity import Quantity, Sizes

__all__ = ["AHEAD", "Portions", "Span", "shares"]

_PORTION = 0.25  # seconds
_GROWTH = 4  # times the longest portion measured so far, at most in the next one
AHEAD = 2  # portions per worker that wait or run: more would only make the end uneven
_PROBE = 1.0  # seconds that a block may take which is drawn for its memory alone
_COPIES = 3  # of the samples at one size, at most, while a statistic of them is found
_THREAD = 2**25  # bytes that a thread may hold between its blocks: a buffer of the BLAS library, free memory of its own


@dataclass(frozen=True)
class Span:
    """Blocks ``first`` .. ``last - 1`` at the size number ``index``."""

    index: int
    first: int
    last: int


@dataclass
class Portions:
    """What is left to be handed out, in pieces of suitable length."""

    spans: list[Span]
    workers: int
    steps: Mapping[int, int] | None
    share: Mapping[int, float] | None = None  # of the memory that a block takes, by size
    blocks: int = 0
    left: dict[int, int] = field(default_factory=dict)  # blocks to hand out, by size
    cost: dict[int, float] = field(default_factory=dict)  # seconds per block, by size
    longest: dict[int, int] = field(default_factory=dict)  # blocks in a measured portion, by size

    def __post_init__(self) -> None:
        self.waiting = deque(self.spans)
        for span in self.spans:
            self.left[span.index] = self.left.get(span.index, 0) + span.last - span.first
        self.blocks = sum(self.left.values())

    def fits(self, running: Iterable[Span]) -> bool:
        """Whether the next portion can be drawn beside others; one alone always can."""
        if self.share is None or not self.waiting:
            return True
        taken = sum(self.share[span.index] for span in running)
        return not taken or taken + self.share[self.waiting[0].index] <= 1

    def next(self) -> Span | None:
        if not self.waiting:
            return None
        span = self.waiting.popleft()
        length = self._length(span.index) if self.steps is None else self.steps[span.index]
        length = min(length, span.last - span.first)
        if span.first + length < span.last:
            self.waiting.appendleft(Span(span.index, span.first + length, span.last))
        self.left[span.index] -= length
        return Span(span.index, span.first, span.first + length)

    def again(self, span: Span) -> None:
        self.waiting.appendleft(span)
        self.left[span.index] += span.last - span.first

    def learn(self, span: Span, seconds: float) -> None:
        length = span.last - span.first
        self.cost[span.index] = max(seconds, 1e-9) / length
        self.longest[span.index] = max(length, self.longest.get(span.index, 0))

    def _length(self, index: int) -> int:
        """Blocks that take about as long as a portion should, but less when few are left for all workers."""
        if index not in self.cost:
            return 1
        wanted = min(_PORTION / self.cost[index], _GROWTH * self.longest[index])
        return max(1, min(int(wanted), -(-self.left[index] // (AHEAD * self.workers))))


def shares(memory: int, quantity: Quantity, sizes: Sequence[Sizes], spans: Sequence[Span]) -> dict[int, float]:
    """Of the memory that is left, the share that one block takes, by size.

    Raises
    ------
    InputError : not even one fits.
    """
    free = max(memory - resident(), 0)
    blocks: dict[int, int] = {}
    for span in spans:
        blocks[span.index] = blocks.get(span.index, 0) + span.last - span.first
    found = block_costs(quantity, [sizes[i] for i in blocks], memory=free, seconds=_PROBE)
    costs = dict(zip(blocks, found, strict=True))
    samples = [blocks[i] * cost.samples for i, cost in costs.items()]
    give_back()
    held = resident() + sum(samples) + (_COPIES - 1) * max(samples)
    for i, cost in costs.items():
        if held + cost.memory > memory:
            at = ", ".join(f"{name} = {size}" for name, size in sizes[i].items())
            raise InputError(
                f"memory is {memory_text(memory)}, but a block of {quantity.describe()[:80]}"
                f"{' at ' + at if at else ''} takes {memory_text(cost.memory)} beside the {memory_text(held)} of the "
                f"program and all samples, expected at least {memory_text(held + cost.memory)}, smaller sizes or fewer "
                "samples"
            )
    # the first thread has what it holds among what is resident
    return {i: (cost.memory + _THREAD) / (memory - held + _THREAD) for i, cost in costs.items()}
