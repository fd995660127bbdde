"""Two runs of the same claims, number by number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from theory_checks.rendering.records import read_record
from theory_checks.rendering.rows import Row

__all__ = ["ClaimComparison", "Comparison", "compare_records"]

#: relative difference up to which numbers agree: that of the order in which sums are taken, not of other samples
ROUNDING = 1e-9

#: what is compared of a result, beside its measurements
_NUMBERS = ("measured", "error", "p_value", "smallest_detectable_deviation")
_PAIRS = ("interval", "refutation_interval", "contradictions")
_OF_MEASUREMENTS = ("value", "error", "expected", "score", "kurtosis", "samples")
#: what a claim says, which is not the same claim where it differs
_SAYINGS = ("predicted", "statistic", "scale", "sizes", "samples", "margin", "expect")
_OPTIONS = ("seed", "budget", "time_budget", "quick", "only", "inputs", "false_refutation", "versions", "targets")


@dataclass(frozen=True)
class ClaimComparison:
    """One claim in two runs.

    Attributes
    ----------
    label : its id, or name.
    first, second : the row of each run; None where the claim is not in it.
    equal, rounded, different : how many numbers agree to the last bit, up to rounding, and not at all.
    deviation : difference of what was measured in units of both errors together; None where there is no such error, or
        the runs share their seed and so their samples.
    changes : what the claim says differently: name, text in the first, text in the second.
    differing : the numbers that do not agree at all: name, value in the first, value in the second.
    """

    label: str
    first: Row | None
    second: Row | None
    equal: int = 0
    rounded: int = 0
    different: int = 0
    deviation: float | None = None
    changes: tuple[tuple[str, str, str], ...] = ()
    differing: tuple[tuple[str, float | None, float | None], ...] = ()

    @property
    def shared(self) -> bool:
        """Whether both runs have the claim."""
        return self.first is not None and self.second is not None

    @property
    def same_verdict(self) -> bool:
        """Whether both runs have the claim, and one verdict on it."""
        return (
            self.first is not None
            and self.second is not None
            and self.first.result["verdict"] == self.second.result["verdict"]
        )


@dataclass(frozen=True)
class Comparison:
    """Two runs.

    Attributes
    ----------
    claims : in the order of the first run, those that only the second has last.
    options : what the runs were asked for differently: name, value in the first, value in the second.
    """

    claims: tuple[ClaimComparison, ...]
    options: tuple[tuple[str, Any, Any], ...] = field(default=())

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Numbers that agree to the last bit, up to rounding (1e-9 relative), and not at all."""
        return (
            sum(claim.equal for claim in self.claims),
            sum(claim.rounded for claim in self.claims),
            sum(claim.different for claim in self.claims),
        )

    @property
    def same_verdicts(self) -> bool:
        """Whether both runs have the same claims with the same verdicts."""
        return all(claim.same_verdict for claim in self.claims)

    @property
    def reproduced(self) -> bool:
        """Whether they have, no claim says anything else, and all numbers agree up to rounding."""
        return self.same_verdicts and not self.numbers[2] and not any(claim.changes for claim in self.claims)

    def summary(self) -> str:
        """One sentence."""
        equal, rounded, different = self.numbers
        shared = [claim for claim in self.claims if claim.shared]
        differ, missing = sum(not claim.same_verdict for claim in shared), len(self.claims) - len(shared)
        parts = [f"{differ} of {len(shared)} verdicts differ" if differ else "all verdicts agree"]
        if not shared:
            parts = ["no claim is in both runs"]
        elif missing:
            parts.append("1 claim is in one run only" if missing == 1 else f"{missing} claims are in one run only")
        if changed := sum(bool(claim.changes) for claim in shared):
            parts.append("1 claim was changed" if changed == 1 else f"{changed} claims were changed")
        parts.append(
            f"of {equal + rounded + different} numbers {equal} agree to the last bit, "
            f"{rounded} up to rounding, and {different} differ"
        )
        return "; ".join(parts)


def compare_records(first: Any, second: Any) -> Comparison:
    """Compare two runs.

    Parameters
    ----------
    first, second : records of runs, or paths of ``results.json``.

    Raises
    ------
    InputError : something else.

    Examples
    --------
    >>> import randtensor as rt, theory_checks
    >>> n = rt.Scale("n")
    >>> claim = theory_checks.Claim("length", rt.norm(rt.gaussian(n)), predicted=rt.Theta(n**0.5), n=[8, 32, 128])
    >>> run = theory_checks.verify(claim, rng=0).to_dict()
    >>> compare_records(run, run).reproduced
    True
    >>> compare_records(run, theory_checks.verify(claim, rng=1).to_dict()).same_verdicts
    True
    """
    records = read_record(first), read_record(second)
    results = [{row.label: row for row in map(Row.of, record["results"])} for record in records]
    shared_seed = records[0]["seed"] == records[1]["seed"]
    claims = tuple(
        _compare(label, results[0].get(label), results[1].get(label), shared_seed)
        for label in dict.fromkeys([*results[0], *results[1]])
    )
    options = tuple(
        (name, records[0].get(name), records[1].get(name))
        for name in _OPTIONS
        if records[0].get(name) != records[1].get(name)
    )
    return Comparison(claims, options)


def _compare(label: str, first: Row | None, second: Row | None, shared_seed: bool) -> ClaimComparison:
    if first is None or second is None:
        return ClaimComparison(label, first, second)
    numbers = dict(_numbers(first.result)), dict(_numbers(second.result))
    counts, differing = [0, 0, 0], []
    for key in dict.fromkeys([*numbers[0], *numbers[1]]):
        one_number, other_number = (found.get(key, math.nan) for found in numbers)
        agreement = _agreement(one_number, other_number)
        counts[agreement] += 1
        if agreement == 2:
            differing.append((_name(key), one_number, other_number))
    said = [_sayings(row.result) for row in (first, second)]
    changes = tuple((name, said[0][name], said[1][name]) for name in _SAYINGS if said[0][name] != said[1][name])
    deviation = None
    one, other = first.result, second.result
    known = all(result["measured"] is not None and result["error"] for result in (one, other))
    if known and not shared_seed and one["measure"] == other["measure"]:
        deviation = (other["measured"] - one["measured"]) / math.hypot(one["error"], other["error"])
    equal, rounded, different = counts
    return ClaimComparison(label, first, second, equal, rounded, different, deviation, changes, tuple(differing))


def _sayings(result: Mapping[str, Any]) -> dict[str, str]:
    said = {name: str(result[name]) for name in _SAYINGS}
    counts = result["samples"]
    said["samples"] = str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))
    said["sizes"] = "; ".join(_at(sizes.items()) for sizes in result["sizes"]) or "none"
    return said


def _at(sizes: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{scale} = {size}" for scale, size in sizes)


def _name(key: Any) -> str:
    """A number of `_numbers` in words."""
    match key:
        case str():
            return key.replace("_", " ")
        case (str() as name, int() as index):
            return f"{name.replace('_', ' ')}[{index}]"
    statistic, *sizes, name = key
    return f"{statistic}, {name}" + (f" at {_at(sizes)}" if sizes else "")


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    for name in _NUMBERS:
        yield name, result[name]
    for name in _PAIRS:
        for i, number in enumerate(result[name] or ()):
            yield (name, i), number
    for measured in result["measurements"]:
        at = (measured["statistic"], *sorted(measured["sizes"].items()))
        for name in _OF_MEASUREMENTS:
            yield (*at, name), measured[name]


def _agreement(first: Any, second: Any) -> int:
    """0 to the last bit, 1 up to rounding, 2 not at all; an unknown number agrees with another unknown one."""
    if first == second:
        return 0
    if first is None or second is None:
        return 2
    return 1 if math.isclose(first, second, rel_tol=ROUNDING, abs_tol=0.0) else 2
