"""Reports in the terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from theory_checks.rendering.rows import Row, predicted_text

if TYPE_CHECKING:
    from theory_checks.loading import Loaded
    from theory_checks.predicting import TextPrediction
    from theory_checks.rendering.comparing import ClaimComparison, Comparison
    from theory_checks.verification import Report

__all__ = [
    "claims_table",
    "comparison_tables",
    "plain_text",
    "prediction_table",
    "render_details",
    "render_record",
    "render_report",
]

_WIDE = 140  # columns from which sizes and samples have columns of their own
_NAMED = 3  # of the numbers of a claim that differ, those that are named
_NARROW = 72  # columns below which a table would be all hyphens

_STYLES = {"good": "green", "bad": "red", "open": "yellow"}


def render_report(report: Report, width: int) -> Iterator[RenderableType]:
    """The table, the summary, and the reason of every verdict that is not as expected."""
    yield from render_record(report.to_dict(), width, report.summary())


def render_record(record: Mapping[str, Any], width: int, summary: str | None = None) -> Iterator[RenderableType]:
    """The same for the record of a run, with another summary if it is given."""
    rows = [Row.of(result) for result in record["results"]]
    if rows:
        yield _cards(rows) if width < _NARROW else _table(rows, width)
    for row in rows:
        if row.tone != "good":
            yield Text.assemble((row.label, "bold"), ": ", _verdict(row), ": ", row.explanation)
    yield Text(record["summary"] if summary is None else summary)


def render_details(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The reason of every verdict, and the numbers at every size."""
    for row in map(Row.of, record["results"]):
        yield Text.assemble("\n", (row.label, "bold"), ": ", _verdict(row), ": ", row.explanation)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("sizes", "statistic", "value", "error", "samples", "expected", "score"):
            table.add_column(column, justify="left" if column in ("sizes", "statistic") else "right")
        for measured in row.result["measurements"]:
            sizes = ", ".join(f"{scale} = {size}" for scale, size in measured["sizes"].items())
            numbers = [_number(measured[key]) for key in ("value", "error", "samples", "expected", "score")]
            table.add_row(sizes, measured["statistic"], *numbers)
        yield table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def comparison_tables(comparison: Comparison) -> Iterator[RenderableType]:
    """Claims whose numbers or verdicts are not the same, how they and the options differ, and the summary."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("claim", "first", "second", "numbers equal, rounded, different", "deviation", "verdict"):
        table.add_column(column, overflow="fold")
    for claim in comparison.claims:
        if claim.same_verdict and not claim.different:
            continue
        cells = ["missing" if row is None else row.measured for row in (claim.first, claim.second)]
        counts = f"{claim.equal}, {claim.rounded}, {claim.different}" if claim.shared else ""
        deviation = "" if claim.deviation is None else f"{claim.deviation:+.1f} sigma"
        table.add_row(*map(Text, (claim.label, *cells, counts, deviation)), _change(claim))
    if table.row_count:
        yield table
    for claim in comparison.claims:
        for name, one, other in claim.changes:
            yield Text(f"{claim.label} {name}: {one} -> {other}")
    if all(name != "seed" for name, _, _ in comparison.options):  # other samples have other numbers throughout
        for claim in comparison.claims:
            if claim.differing:
                yield Text(f"{claim.label} differs in {_named(claim.differing)}")
    for name, first, second in comparison.options:
        yield Text(f"{name}: {_short(first)} -> {_short(second)}")
    yield Text(comparison.summary())


def _named(differing: Sequence[tuple[str, float | None, float | None]]) -> str:
    """The first of the numbers that differ."""
    shown = [f"{name}: {_digits(one)} -> {_digits(other)}" for name, one, other in differing[:_NAMED]]
    more = len(differing) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more else shown)


def _digits(value: float | None) -> str:
    return "unknown" if value is None else "missing" if value != value else f"{value:.10g}"


def _change(claim: ClaimComparison) -> Text:
    if claim.first is None or claim.second is None:
        return Text("only in one run", style="red")
    if claim.same_verdict:
        return Text(claim.first.verdict)
    return Text(f"{claim.first.verdict} -> {claim.second.verdict}", style="red")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
        predicted = predicted_text(claim.statistic_name, str(claim.predicted))
        control = " (negative control)" if claim.expect == "refuted" and claim.source != "negative control" else ""
        table.add_row(*(Text(cell) for cell in (claim.id, claim.name, predicted, claim.source + control)))
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


def _table(rows: Sequence[Row], width: int) -> Table:
    """Widths are set by hand: a column that is left to shrink takes the verdict, which comes last, with it."""
    wide = width >= _WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    # a number and its interval stay on one line
    numbers = max((len(row.measured) for row in rows if "quantiles" not in row.result["details"]), default=8)
    identified = any(row.id for row in rows)
    widths = {
        "id": min(max(len(row.id) for row in rows), 16) if identified else 0,
        "measured": max(min(numbers, 28 if wide else 24 + 2 * (width >= 80)), len("measured")),
        "sizes": max(len(row.sizes) for row in rows) if wide else 0,
        "samples": max(7, *(len(row.samples) for row in rows)) if wide else 0,
        "detects": len("detects") if wide else 0,
        "verdict": 20 if wide else len("inconclusive"),
    }
    columns = (
        ["id"] * identified + ["claim"] + ["predicted"] * wide + ["measured"] + ["sizes", "samples", "detects"] * wide
    )
    columns.append("verdict")
    left = max(width - sum(widths.values()) - 3 * len(columns), 16)
    longest = max(len(row.predicted) for row in rows)
    widths["predicted"] = min(max(longest, len("predicted")), left * 2 // 5)
    widths["claim"] = left - widths["predicted"] * wide
    for name in columns:
        table.add_column(name, overflow="fold", width=widths[name])
    for row in rows:
        if wide:
            cells = [*map(Text, (row.claim, row.predicted, row.measured, row.sizes, row.samples, row.detects))]
        else:
            seen = f"\ndetects {row.detects}" if row.detects else ""
            sampled = f"{row.sizes} x {row.samples}{seen}"
            cells = [_stacked(row.claim, row.predicted), _stacked(row.measured, sampled)]
        table.add_row(*([Text(row.id)] if identified else []), *cells, _verdict(row))
    return table


def _cards(rows: Sequence[Row]) -> Group:
    """One paragraph per claim, for terminals too narrow for a table."""
    cards: list[RenderableType] = []
    for row in rows:
        cards.append(Text(f"{row.id}  {row.claim}" if row.id else row.claim, style="bold"))
        cards.append(Text(f"  predicted {row.predicted}"))
        cards.append(Text(f"  measured  {row.measured}"))
        cards.append(Text(f"  sizes     {row.sizes} x {row.samples}"))
        if row.detects:
            cards.append(Text(f"  detects   {row.detects} ({row.result['detectable_unit']})"))
        cards.append(Text.assemble("  verdict   ", _verdict(row)))
    return Group(*cards, Text())


def _stacked(first: str, second: str) -> Text:
    return Text.assemble(first, "\n", (second, "dim"))


def _verdict(row: Row) -> Text:
    return Text(row.verdict, style=_STYLES[row.tone])
