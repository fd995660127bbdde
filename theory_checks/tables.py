"""Reports in the terminal."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from theory_checks.claims import Claim
from theory_checks.results import Result

if TYPE_CHECKING:
    from theory_checks.loading import Loaded
    from theory_checks.predicting import TextPrediction
    from theory_checks.verification import Report

__all__ = ["claims_table", "plain_text", "prediction_table", "render_report"]

_WIDE = 140  # columns from which sizes and samples have columns of their own
_NARROW = 72  # columns below which a table would be all hyphens

_STYLES = {"consistent": "green", "refuted": "red", "inconclusive": "yellow"}


def render_report(report: Report, width: int) -> Iterator[RenderableType]:
    """The table, the summary, and the reason of every verdict that is not as expected."""
    yield _cards(report.results) if width < _NARROW else _table(report.results, width)
    for result in report.results:
        if not result.good:
            yield Text.assemble((result.claim.label, "bold"), ": ", _verdict(result), ": ", _explanation(result))
    yield Text(report.summary())


def plain_text(report: Report, width: int) -> str:
    """The same without colours."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    console.print(report)
    file: Any = console.file
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def claims_table(loaded: Loaded) -> Table:
    """The claims of a suite or file: id, name, prediction and source."""
    title = loaded.title if loaded.title in ("", loaded.name) else f"{loaded.name}: {loaded.title}"
    table = Table(title=Text(title or loaded.name), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("id", "claim", "predicted", "source"):
        table.add_column(column, overflow="fold")
    for claim in loaded.claims:
        control = " (negative control)" if claim.expect == "refuted" and claim.source != "negative control" else ""
        table.add_row(*(Text(cell) for cell in (claim.id, claim.name, _predicted(claim), claim.source + control)))
    return table


def prediction_table(prediction: TextPrediction) -> Group:
    """What is predicted of a contraction, its derivation, and the samples that would resolve it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    table.add_row("contraction", Text(prediction.equation, style="bold"))
    for name, value in (("expectation", prediction.expectation), ("variance", prediction.variance)):
        if value is not None:
            where = " and ".join(f"{scale} >= {least}" for scale, least in value.valid_from.items() if least > 1)
            table.add_row(name, Text(f"{value}   ({where})" if where else str(value)))
    if prediction.obstacle is not None:
        table.add_row("not exact", Text(prediction.obstacle))
    derivation = prediction.derivation
    table.add_row("typical size", Text(f"{derivation.bound}, {derivation.kind}"))
    steps = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("factor", "rule", "order", "source"):
        steps.add_column(column, overflow="fold")
    for step in derivation.steps:
        steps.add_row(*(Text(str(cell)) for cell in (step.factor, step.rule, step.order, step.source)))
    return Group(table, steps, Text(_resolving(prediction)))


def _resolving(prediction: TextPrediction) -> str:
    sizes = ", ".join(map(str, prediction.sizes))
    if prediction.samples is None:
        return "samples: unknown, for want of an exact variance or of a single scale"
    if prediction.samples == 1:
        return "samples: one at each size, since nothing fluctuates"
    count = prediction.samples
    what = f"the exponent of the {prediction.statistic} to +-0.015 (one sigma)"
    return f"samples: {count} at each of the sizes {sizes} resolve {what}"


def _table(results: Sequence[Result], width: int) -> Table:
    """Widths are set by hand: a column that is left to shrink takes the verdict, which comes last, with it."""
    wide = width >= _WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    # a number and its interval stay on one line
    numbers = max((len(_measured(result)) for result in results if "quantiles" not in result.details), default=8)
    identified = any(result.claim.id for result in results)
    widths = {
        "id": min(max(len(result.claim.id) for result in results), 16) if identified else 0,
        "measured": max(min(numbers, 28 if wide else 24 + 2 * (width >= 80)), len("measured")),
        "sizes": max(len(_sizes(result)) for result in results) if wide else 0,
        "samples": max(7, *(len(_samples(result)) for result in results)) if wide else 0,
        "detects": len("detects") if wide else 0,
        "verdict": 20 if wide else len("inconclusive"),
    }
    columns = (
        ["id"] * identified + ["claim"] + ["predicted"] * wide + ["measured"] + ["sizes", "samples", "detects"] * wide
    )
    columns.append("verdict")
    left = max(width - sum(widths.values()) - 3 * len(columns), 16)
    longest = max(len(_predicted(result.claim)) for result in results)
    widths["predicted"] = min(max(longest, len("predicted")), left * 2 // 5)
    widths["claim"] = left - widths["predicted"] * wide
    for name in columns:
        table.add_column(name, overflow="fold", width=widths[name])
    for result in results:
        claim, predicted, measured = result.claim.name, _predicted(result.claim), _measured(result)
        sizes, samples = _sizes(result), _samples(result)
        if wide:
            cells = [*map(Text, (claim, predicted, measured, sizes, samples, _detects(result)))]
        else:
            seen = f"\ndetects {_detects(result)}" if _detects(result) else ""
            cells = [_stacked(claim, predicted), _stacked(measured, f"{sizes} x {samples}{seen}")]
        table.add_row(*([Text(result.claim.id)] if identified else []), *cells, _verdict(result))
    return table


def _cards(results: Sequence[Result]) -> Group:
    """One paragraph per claim, for terminals too narrow for a table."""
    cards: list[RenderableType] = []
    for result in results:
        claim = result.claim
        heading = f"{claim.id}  {claim.name}" if claim.id else claim.name
        cards.append(Text(heading, style="bold"))
        cards.append(Text(f"  predicted {_predicted(claim)}"))
        cards.append(Text(f"  measured  {_measured(result)}"))
        cards.append(Text(f"  sizes     {_sizes(result)} x {_samples(result)}"))
        if _detects(result):
            cards.append(Text(f"  detects   {_detects(result)} ({result.detectable_unit})"))
        cards.append(Text.assemble("  verdict   ", _verdict(result)))
    return Group(*cards, Text())


def _stacked(first: str, second: str) -> Text:
    return Text.assemble(first, "\n", (second, "dim"))


def _predicted(claim: Claim) -> str:
    text = str(claim.predicted)
    return text if claim.statistic_name in ("quantiles", "largest residual") else f"{claim.statistic_name}: {text}"


def _measured(result: Result) -> str:
    interval = "" if result.interval is None else f" [{result.interval[0]:.3f}, {result.interval[1]:.3f}]"
    if not result.measurements:
        return "not sampled"
    match result.measure:
        case "score":
            return f"|z| up to {abs(result.measured):.1f}, p = {result.p_value:.2g}"
        case "residual":
            return f"residual {result.measured:.1e}"
        case "drift":
            return f"drift {result.measured:.3f}{interval}"
    if "quantiles" in result.details:
        return ", ".join(f"q{q['quantile']:g}: {q['exponent']:.3f}" for q in result.details["quantiles"])
    return f"{result.measured:.3f}{interval}" if result.measured > float("-inf") else "exactly zero"


def _sizes(result: Result) -> str:
    claim = result.claim
    if claim.axis is None:
        return "no scale"
    return f"{claim.axis} {_range([sizes[claim.axis] for sizes in claim.sizes])}"


def _samples(result: Result) -> str:
    return _range(result.counts)


def _detects(result: Result) -> str:
    """The smallest detectable deviation; what does not fluctuate detects any."""
    return f"{result.detectable:.2g}" if math.isfinite(result.detectable) else ""


def _range(values: Sequence[int]) -> str:
    first, last = _short(values[0]), _short(values[-1])
    return first if first == last else f"{first}..{last}"


def _short(value: int) -> str:
    """Powers of two from 2^17 on as such: they are read more easily than their digits."""
    return f"2^{value.bit_length() - 1}" if value >= 2**17 and value & (value - 1) == 0 else str(value)


def _verdict(result: Result) -> Text:
    if result.good:
        return Text("refuted, as expected" if result.verdict == "refuted" else "consistent", style="green")
    if result.verdict == "consistent":
        return Text("consistent, expected refuted", style="red")
    return Text(result.verdict, style=_STYLES[result.verdict])


def _explanation(result: Result) -> str:
    if result.samples_required is None or result.verdict != "inconclusive":
        return result.reason
    return f"{result.reason} ({_range(list(result.samples_required))} per size)"
