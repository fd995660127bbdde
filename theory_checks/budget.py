"""The error budget of a run: one probability of refuting anything that is true, spent by Holm's step-down.

Every random assertion of every claim yields a p-value: the smallest level at which it would have been refuted. Holm
(1979, Scand. J. Statist. 6) compares the smallest of m with alpha / m, the next one with alpha / (m - 1), and so on
until one survives; then the probability of refuting any true assertion is at most alpha, whatever their dependence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from randtensor import Bound
from randtensor.errors import InputError
from theory_checks.claims import Claim, Identity, QuantileSlopes, Tight
from theory_checks.results import Result

__all__ = ["ErrorBudget", "assertions", "holm_level", "spend"]


@dataclass(frozen=True)
class ErrorBudget:
    """How the error budget of a run was spent.

    Attributes
    ----------
    total : probability that the run refutes any true claim.
    assertions : random assertions among which it is split: those of all claims of the target, checked or not.
    first_level : the level of every assertion before any is refuted, ``total / assertions``.
    level : the level that Holm's step-down ended with: an assertion is refuted if its p-value is at most this.
    refuted : assertions that were refuted; each hands its share on to the others.
    """

    total: float
    assertions: int
    first_level: float
    level: float
    refuted: int

    def __str__(self) -> str:
        each = f"{self.first_level:.2g}"
        if self.refuted:
            verb = "was" if self.refuted == 1 else "were"
            each += f" (Holm: {self.level:.2g} after {self.refuted} {verb} refuted)"
        plural = "assertion" if self.assertions == 1 else "assertions"
        return (
            f"false refutation probability of the run {self.total:g}, over {self.assertions} {plural} at level {each}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "total": self.total,
            "method": "Holm",
            "assertions": self.assertions,
            "first_level": self.first_level,
            "level": self.level,
            "refuted": self.refuted,
        }


def assertions(claim: Claim) -> int:
    """How many random assertions a claim makes; an identity holds in every sample, so that no chance refutes it.

    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> length = rt.norm(rt.gaussian(n))
    >>> assertions(Claim("quantiles", length, predicted=QuantileSlopes({50: 0.5, 90: 0.5}), n=[8, 16]))
    2
    """
    match claim.prediction:
        case Bound():
            return 1
        case Identity():
            return 0
        case QuantileSlopes():
            return len(claim.quantiles)
        case Tight(order=order) if order is not None:
            return len(claim.quantiles)
    return 1


def holm_level(p_values: Sequence[float], total: float, count: int | None = None) -> tuple[float, int]:
    """The level at which Holm's step-down stops, and how many of the p-values are at most that.

    Parameters
    ----------
    p_values : of the assertions that were checked.
    total : probability of refuting any true assertion.
    count : assertions among which it is split, at least as many; those that were not checked are taken to survive.

    Raises
    ------
    InputError : ``total`` that is not a probability, or ``count`` below the number of p-values.

    Examples
    --------
    >>> holm_level([1e-9, 0.02, 0.4], 0.05)  # 0.02 is above 0.05 / 3, and refuted all the same
    (0.05, 2)
    """
    if isinstance(total, bool) or not 0 < total < 1:
        raise InputError(f"total is {total!r}, expected a probability between 0 and 1")
    count = len(p_values) if count is None else count
    if count < len(p_values):
        raise InputError(f"count is {count!r}, expected at least the {len(p_values)} p-values")
    refuted = 0
    for p in sorted(p_values):
        if p > total / (count - refuted):
            break
        refuted += 1
    return total / max(count - refuted, 1), refuted


def spend(results: Sequence[Result], total: float, count: int) -> tuple[tuple[Result, ...], ErrorBudget]:
    """The final verdicts of a run: refuted as well is what Holm's step-down reaches with the level handed on.

    Parameters
    ----------
    results : as checked, each at its share of ``total``.
    total, count : see `holm_level`.
    """
    p_values = [p for result in results for p in result.contradictions]
    level, refuted = holm_level(p_values, total, max(count, 1))
    final = []
    for result in results:
        p = min(result.contradictions, default=1.0)
        if result.verdict != "refuted" and p <= level:
            reason = f"{result.reason}; but a contradiction has p = {p:.2g}, within the level {level:.2g} (Holm)"
            result = replace(result, verdict="refuted", reason=reason, samples_required=None)
        final.append(result)
    return tuple(final), ErrorBudget(total, count, total / max(count, 1), level, refuted)
