"""One result of a record, as the words and numbers that every table shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from randtensor.notebook import html_table

__all__ = ["Row", "notebook_table", "predicted_text", "short_range"]


@dataclass(frozen=True)
class Row:
    """The cells of a claim.

    Attributes
    ----------
    result : the entry of the record.
    label : the id, or the name if there is none.
    tone : "good", "bad" or "open".
    """

    result: Mapping[str, Any]
    label: str
    id: str
    claim: str
    predicted: str
    measured: str
    sizes: str
    samples: str
    detects: str
    verdict: str
    tone: str

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Row:
        """The row of one entry of ``results``."""
        return cls(
            result=result,
            label=result["id"] or result["name"],
            id=result["id"],
            claim=result["name"],
            predicted=predicted_text(result["statistic"], result["predicted"]),
            measured=_measured(result),
            sizes=_sizes(result),
            samples=short_range(result["samples"]),
            detects="" if result["smallest_detectable_deviation"] is None
            else f"{result['smallest_detectable_deviation']:.2g}",
            verdict=_verdict(result),
            tone="good" if result["good"] else "open" if result["verdict"] == "inconclusive" else "bad",
        )  # fmt: skip

    @property
    def explanation(self) -> str:
        """The reason of the verdict, with what would decide an open one."""
        required = self.result["samples_required"]
        if required is None or self.tone != "open":
            return str(self.result["reason"])
        return f"{self.result['reason']} ({short_range(required)} per size)"


def predicted_text(statistic: str, predicted: str) -> str:
    """A prediction with the statistic it is about, where it does not say so itself."""
    return predicted if statistic in ("quantiles", "largest residual") else f"{statistic}: {predicted}"


def _measured(result: Mapping[str, Any]) -> str:
    if not result["measurements"]:
        return "not sampled"
    value, bounds = result["measured"], result["interval"]
    known = bounds is not None and None not in bounds
    interval = f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if known else ""
    if result["measure"] == "score":
        size = "inf" if value is None else f"{abs(value):.1f}"
        return f"|z| up to {size}, p = {result['p_value']:.2g}"
    if result["measure"] == "residual":
        return "residual inf" if value is None else f"residual {value:.1e}"
    if result["measure"] == "drift":
        return f"drift {value:.3f}{interval}"
    if "quantiles" in result["details"]:
        return ", ".join(f"q{q['quantile']:g}: {q['exponent']:.3f}" for q in result["details"]["quantiles"])
    return "exactly zero" if value is None else f"{value:.3f}{interval}"


def _sizes(result: Mapping[str, Any]) -> str:
    axis = result["scale"]
    return "no scale" if axis is None else f"{axis} {short_range([sizes[axis] for sizes in result['sizes']])}"


def _verdict(result: Mapping[str, Any]) -> str:
    if result["good"]:
        return "refuted, as expected" if result["verdict"] == "refuted" else "consistent"
    return "consistent, expected refuted" if result["verdict"] == "consistent" else str(result["verdict"])


def short_range(values: Sequence[int]) -> str:
    """The first and the last, or the only one.

    >>> short_range([128, 2**20]), short_range([400, 400])
    ('128..2^20', '400')
    """
    first, last = _short(values[0]), _short(values[-1])
    return first if first == last else f"{first}..{last}"


def _short(value: int) -> str:
    """Powers of two from 2^17 on as such: they are read more easily than their digits."""
    return f"2^{value.bit_length() - 1}" if value >= 2**17 and math.log2(value).is_integer() else str(value)


def notebook_table(caption: str, results: Sequence[Mapping[str, Any]]) -> str:
    """Results as HTML for a notebook, which sets the predicted order as a formula."""
    rows = [
        (row.label, f"${row.result['predicted_latex']}$", row.measured, row.sizes, row.samples, row.verdict)
        for row in map(Row.of, results)
    ]
    return html_table(caption, ("claim", "predicted", "measured", "sizes", "samples", "verdict"), rows)
