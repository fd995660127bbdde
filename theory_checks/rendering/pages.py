"""The report as one page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theory_checks.rendering.figures import Drawings, describe_figure, svg_of
from theory_checks.rendering.formulas import formula_html, measured_latex, statement_html
from theory_checks.rendering.latex import file_name
from theory_checks.rendering.records import reproducing_command
from theory_checks.rendering.rows import Row

__all__ = ["html_page"]


def html_page(record: Mapping[str, Any], drawings: Drawings) -> str:
    """The page: verdicts, and for each claim its figure, numbers and reasons; figures are drawn in it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("theory_checks.rendering"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    claims = []
    for number, result in enumerate(record["results"], start=1):
        figure, anchor = drawings.figure(number - 1), f"claim-{file_name(result, number)}"
        claims.append(
            {
                "row": Row.of(result),
                "result": result,
                "anchor": anchor,
                "statement": Markup(statement_html(result["statement"])),
                "predicted": Markup(formula_html(result["predicted_latex"])),
                "measured": Markup(formula_html(measured_latex(result))),
                "figure": None if figure is None else Markup(svg_of(figure, anchor)),
                "described": describe_figure(result),
                "expected": any(m["expected"] is not None for m in result["measurements"]),
                "scored": any(m["score"] is not None for m in result["measurements"]),
                "scales": sorted({scale for m in result["measurements"] for scale in m["sizes"]}),
            }
        )
    titles = [origin["title"] for origin in record["origins"] if origin["title"]]
    page: str = environment.get_template("report.html.jinja").render(
        record=record,
        claims=claims,
        title=", ".join(titles) or "Verification of claims",
        again=reproducing_command(record),
    )
    return page
