"""How long a run will take, and how much memory, before it is started."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from estimators.costs import BlockCost, block_costs
from estimators.memory import resident
from randtensor.errors import InputError
from theory_checks.checks import reduced_counts
from theory_checks.claims import Claim
from theory_checks.loading import load_claims, select
from theory_checks.suites import SuiteOptions

__all__ = ["ClaimPlan", "Plan", "plan"]

_PROBE = 0.1  # seconds that a block may take which is drawn to be measured


@dataclass(frozen=True)
class ClaimPlan:
    """What a claim will cost.

    Attributes
    ----------
    target : name of the suite or file it belongs to.
    claim : the claim.
    counts : samples at each of its sizes.
    costs : cost of a block at each; empty if none could be drawn.
    problem : why not.
    """

    target: str
    claim: Claim
    counts: tuple[int, ...]
    costs: tuple[BlockCost, ...]
    problem: str = ""

    @property
    def seconds(self) -> tuple[float, ...]:
        """Seconds at each size, in one thread."""
        return tuple(
            math.ceil(count / cost.length) * cost.seconds for count, cost in zip(self.counts, self.costs, strict=False)
        )

    @property
    def memory(self) -> float:
        """Bytes that the largest block takes."""
        return max((cost.memory for cost in self.costs), default=0.0)

    def seconds_on(self, workers: int) -> float:
        """Seconds on so many workers: no faster than its longest block, and all work shared evenly at best."""
        longest = max((cost.seconds for cost in self.costs), default=0.0)
        return max(sum(self.seconds) / workers, longest)


@dataclass(frozen=True)
class Plan:
    """What a run will cost: the result of `plan`.

    Attributes
    ----------
    claims : one plan per claim.
    resident : bytes that the program takes by itself.
    """

    claims: tuple[ClaimPlan, ...]
    resident: int

    @property
    def seconds(self) -> float:
        """Seconds of the whole run in one thread."""
        return math.fsum(second for part in self.claims for second in part.seconds)

    def seconds_on(self, workers: int) -> float:
        """Seconds on so many workers, all alike; claims are checked one after the other."""
        return math.fsum(part.seconds_on(workers) for part in self.claims)

    def memory_on(self, workers: int) -> float:
        """Bytes that the program takes at most with so many threads."""
        return self.resident + workers * max((part.memory for part in self.claims), default=0.0)


def plan(
    target: Any,
    *,
    budget: float = 1.0,
    only: str | Iterable[str] | None = None,
    quick: bool = False,
    inputs: Any = None,
    seconds: float = _PROBE,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Predict time and memory of a run from blocks of smaller size.

    The cost of a claim is (samples) x (cost of a sample), which grows like a power of the size: with revealed matrices
    like the width times the number of vectors that each is asked about, with dense ones like the number of entries. The
    power is measured, see `estimators.costs`. What the statistics and their fits take, well below a second per claim,
    is not in it.

    Parameters
    ----------
    target, budget, only, quick, inputs : as for `verify`.
    seconds : about the longest that a block may take which is drawn to be measured.
    progress : called with (claims measured, claims in all).

    Raises
    ------
    InputError : a target or option that cannot be used.

    Examples
    --------
    >>> import randtensor as rt
    >>> from theory_checks import Claim
    >>> n = rt.Scale("n")
    >>> f = rt.networks.two_layer(inputs=2, width=n)
    >>> kernel = rt.correlation(f, 0, 2, [1.0, 0.0], [0.0, 1.0])
    >>> found = plan(Claim("kernel", kernel, predicted=rt.O(1), n=[64, 256, 2**30], samples=100))
    >>> 1 < found.seconds, found.seconds / 2 <= found.seconds_on(2), found.memory_on(1) > 2**33
    (True, True, True)
    """
    from theory_checks.verification import checked_inputs

    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise InputError(f"seconds is {seconds!r}, expected a positive number")
    loaded = load_claims(target, SuiteOptions(quick=quick, inputs=checked_inputs(inputs)))
    chosen = {id(claim) for claim in select([claim for part in loaded for claim in part.claims], only)}
    wanted = [(part, claim) for part in loaded for claim in part.claims if id(claim) in chosen]
    found = []
    for done, (part, claim) in enumerate(wanted):
        if progress is not None:
            progress(done, len(wanted))
        counts = reduced_counts(claim, budget * part.budget)
        try:
            costs, problem = tuple(block_costs(claim.quantity, claim.sizes, seconds=float(seconds))), ""
        except Exception as error:  # the run will say the same of this claim, and go on
            costs, problem = (), f"{type(error).__name__}: {error}"
        found.append(ClaimPlan(part.name, claim, counts, costs, problem))
    return Plan(tuple(found), resident())
