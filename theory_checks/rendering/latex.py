"""The appendix of a paper: a document that compiles as it is, and the part of it that a paper takes in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from theory_checks.rendering.figures import Drawings, describe_figure, pdf_of
from theory_checks.rendering.formulas import escape_latex, measured_latex
from theory_checks.rendering.records import reproducing_command
from theory_checks.rendering.rows import Row

__all__ = ["file_name", "latex_files"]


def latex_files(record: Mapping[str, Any], drawings: Drawings) -> dict[str, bytes]:
    """``appendix.tex``, the ``claims.tex`` that it takes in, and the figures as PDF."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("theory_checks.rendering"),
        undefined=StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["tex"] = escape_latex
    files: dict[str, bytes] = {}
    rows = []
    for number, result in enumerate(record["results"], start=1):
        figure, name = drawings.figure(number - 1), f"figures/{file_name(result, number)}"
        if figure is not None:
            files[f"{name}.pdf"] = pdf_of(figure)
        rows.append(
            {
                "row": Row.of(result),
                "result": result,
                # a list of exponents may go on in the next line
                "predicted": result["predicted_latex"].replace(r",\; ", "$, $"),
                "measured": measured_latex(result).replace(r",\; ", "$, $"),
                "figure": None if figure is None else name,
                "described": describe_figure(result),
            }
        )
    titles = [origin["title"] for origin in record["origins"] if origin["title"]]
    title = ", ".join(titles) or "Verification of claims"
    words = {"record": record, "rows": rows, "title": title, "again": reproducing_command(record)}
    for name in ("appendix.tex", "claims.tex"):
        files[name] = environment.get_template(f"{name}.jinja").render(words).encode()
    return files


def file_name(result: Mapping[str, Any], number: int) -> str:
    """A name for the files of a claim that every system and LaTeX takes, and that no other claim has.

    >>> file_name({"id": "W4.1 (a)", "name": ""}, 3)
    '03-W4-1-a'
    """
    label = re.sub(r"[^A-Za-z0-9]+", "-", result["id"] or result["name"]).strip("-")[:40]
    return f"{number:02d}-{label or 'claim'}"
