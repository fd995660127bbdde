"""What a check found: a verdict, with every number it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from theory_checks.claims import Claim, Zero
from theory_checks.verdicts import FixedResolution, Resolution, Verdict

__all__ = ["Measurement", "Result", "plain", "without_samples"]


@dataclass(frozen=True)
class Measurement:
    """One number measured at one size.

    Attributes
    ----------
    sizes : size of each scale, by name.
    statistic : what was measured.
    value, error : the number and its standard error; the error is nan where there is none, as for a largest residual.
    samples : independent samples behind it.
    expected, score : the predicted value and the standard normal deviate from it, where the claim has one.
    kurtosis : excess kurtosis of the samples; large values say that the error is itself uncertain.
    """

    sizes: dict[str, int]
    statistic: str
    value: float
    error: float
    samples: int
    expected: float | None = None
    score: float | None = None
    kurtosis: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        record: dict[str, Any] = plain(vars(self))
        return record


@dataclass(frozen=True, eq=False)
class Result:
    """The verdict on one claim: the result of `check`.

    Attributes
    ----------
    claim : what was checked.
    verdict : "consistent", "refuted" or "inconclusive".
    reason : one sentence.
    measured : the fitted exponent, the largest standard score, the largest residual or the drift of the quantiles.
    measure : which of these: "exponent", "score", "residual" or "drift".
    error : standard error of ``measured``, sampling and model error together; None where it has none.
    interval : its 99 % interval, which has to lie inside the claim for a verdict "consistent".
    refutation_interval : its interval at the level 1 - ``false_refutation``, which has to lie outside for "refuted".
    measurements : the numbers at each size.
    p_value : of the joint test, where there is one.
    contradictions : for each random assertion of the claim, the smallest level at which it would have been refuted; a
        run compares them with its error budget.
    detectable : the smallest deviation that would have been refuted with probability 0.99, in ``detectable_unit``.
    resolution : the noise found, from which `minimum_detectable` and `samples_required` compute.
    counts : samples at each size of the claim.
    samples_required : samples per size that would decide an inconclusive claim, None if no number of them would.
    false_refutation : probability of refuting the claim if it is true.
    seed : entropy and spawn key of the random streams.
    seconds : wall time.
    looks : planned looks at growing samples over which the levels are split.
    details : further numbers: the fit, or the exponent of each quantile.
    """

    claim: Claim
    verdict: Verdict
    reason: str
    measured: float
    measure: str
    error: float | None
    interval: tuple[float, float] | None
    refutation_interval: tuple[float, float] | None
    measurements: tuple[Measurement, ...]
    p_value: float | None
    contradictions: tuple[float, ...]
    detectable: float
    counts: tuple[int, ...]
    samples_required: tuple[int, ...] | None
    false_refutation: float
    seed: dict[str, Any]
    seconds: float
    looks: int = 1
    resolution: Resolution = field(default_factory=partial(FixedResolution, math.nan), repr=False)
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.claim.label}: {self.verdict}: {self.reason}"

    __repr__ = __str__  # at a prompt, every field would be pages

    def _repr_html_(self) -> str:
        from theory_checks.rendering.rows import notebook_table

        return notebook_table(str(self), [self.to_dict()])

    @property
    def detectable_unit(self) -> str:
        """What ``detectable`` is measured in."""
        if self.measure == "residual":
            return "residual"
        if self.measure != "score":
            return "exponent"
        return "standard deviations" if isinstance(self.claim.prediction, Zero) else "relative deviation"

    @property
    def good(self) -> bool:
        """Whether the verdict is the one expected: refuted for a negative control, consistent for all others."""
        return self.verdict == self.claim.expect

    @property
    def bad(self) -> bool:
        """Whether the verdict is the opposite of the one expected."""
        return not self.good and self.verdict != "inconclusive"

    @property
    def samples(self) -> int:
        """Independent samples over all sizes."""
        return sum({tuple(m.sizes.items()): m.samples for m in self.measurements}.values())

    def to_dict(self) -> dict[str, Any]:
        """Everything but the time it took, ready for JSON; numbers that are not finite become None."""
        claim = self.claim
        record: dict[str, Any] = plain(
            {
                "id": claim.id,
                "name": claim.name,
                "statistic": claim.statistic_name,
                "predicted": str(claim.predicted),
                "predicted_latex": claim.prediction.latex(),
                "predicted_exponent": claim.exponent,
                "kind": type(claim.predicted).__name__,
                "source": claim.source,
                "note": claim.note,
                "statement": claim.statement,
                "scale": claim.axis,
                "margin": claim.margin,
                "log_exponent": claim.log_exponent,
                "correction": claim.correction,
                "expect": claim.expect,
                "verdict": self.verdict,
                "good": self.good,
                "reason": self.reason,
                "measure": self.measure,
                "measured": self.measured,
                "error": self.error,
                "interval": self.interval,
                "refutation_interval": self.refutation_interval,
                "p_value": self.p_value,
                "contradictions": self.contradictions,
                "smallest_detectable_deviation": self.detectable,
                "detectable_unit": self.detectable_unit,
                "sizes": claim.sizes,
                "samples": self.counts,
                "looks": self.looks,
                "samples_required": self.samples_required,
                "false_refutation": self.false_refutation,
                "seed": self.seed,
                "measurements": [measurement.to_dict() for measurement in self.measurements],
                "details": self.details,
            }
        )
        return record


def without_samples(
    claim: Claim,
    reason: str,
    *,
    seed: np.random.SeedSequence,
    false_refutation: float,
    looks: int = 1,
    seconds: float = 0.0,
    samples_required: tuple[int, ...] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Result:
    """The result of a claim that was not sampled, or whose samples gave no verdict: inconclusive, for this reason.

    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> claim = Claim("length", rt.norm(rt.gaussian(n)), predicted=rt.Theta(n**0.5), n=[16, 64])
    >>> str(without_samples(claim, "no time", seed=np.random.SeedSequence(0), false_refutation=1e-4))
    'length: inconclusive: no time'
    """
    return Result(
        claim=claim,
        verdict="inconclusive",
        reason=reason,
        measured=math.nan,
        measure="exponent",
        error=None,
        interval=None,
        refutation_interval=None,
        measurements=(),
        p_value=None,
        contradictions=(),
        detectable=math.nan,
        counts=(0,) * len(claim.sizes),
        samples_required=samples_required,
        false_refutation=false_refutation,
        seed={"entropy": seed.entropy, "spawn_key": seed.spawn_key},
        seconds=seconds,
        looks=looks,
        details=details or {},
    )


def plain(value: Any) -> Any:
    """``value`` in the types of JSON: numbers that are not finite become None, unknown objects their text.

    >>> plain({"a": np.float64("nan"), "b": (np.int64(1), 2.5)})
    {'a': None, 'b': [1, 2.5]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return str(value)
