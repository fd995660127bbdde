"""Formulas of a report: LaTeX for the appendix, MathML for the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape, unescape
from typing import Any

from randtensor import Order, Scale

__all__ = ["escape_latex", "formula_html", "measured_latex", "statement_html"]

_FORMULA = re.compile(r"(?<!\\)\$([^$]+)\$")
_ACTIVE = ("href", "style", "class")  # attributes that lead elsewhere, fetch, or change the page


def measured_latex(result: Mapping[str, Any]) -> str:
    r"""What was measured, as LaTeX without dollar signs: an order with the error of its exponent, or a score.

    >>> result = {"measurements": [1], "measure": "exponent", "measured": -0.5, "error": 0.012, "scale": "n"}
    >>> print(measured_latex(result | {"details": {}, "log_exponent": 0.0}))
    n^{-0.500 \pm 0.012}
    """
    value, error = result["measured"], result["error"]
    if not result["measurements"]:
        return r"\text{not sampled}"
    if result["measure"] == "score":
        size = r"\infty" if value is None else f"{abs(value):.1f}"
        return rf"\lvert z\rvert \le {size},\; p = {_number(result['p_value'])}"
    if result["measure"] == "residual":
        return r"\infty" if value is None else _number(value)
    if result["measure"] == "drift":
        return rf"\text{{drift }} {value:.3f}"
    if "quantiles" in result["details"]:
        return r",\; ".join(
            rf"q_{{{q['quantile']:g}\%}}\colon {q['exponent']:.3f}" for q in result["details"]["quantiles"]
        )
    if value is None:
        return "0"
    power = f"{value:.3f}" + ("" if error is None else rf" \pm {error:.3f}")
    name = Order(Scale(result["scale"])).latex()
    logs = "" if not result["log_exponent"] else rf" (\log {name})^{{{result['log_exponent']:g}}}"
    return f"{name}^{{{power}}}{logs}"


def _number(value: float | None) -> str:
    if value is None:
        return r"\infty"
    mantissa, _, power = f"{value:.2g}".partition("e")
    return mantissa if not power else rf"{mantissa} \cdot 10^{{{int(power)}}}"


def escape_latex(text: str) -> str:
    r"""Plain text as LaTeX, in the encodings that pdflatex knows.

    >>> print(escape_latex("50 % of a_b ≤ 1"))
    50 \% of a\_b \ensuremath{\leq} 1
    """
    from pylatexenc.latexencode import unicode_to_latex

    encoded: str = unicode_to_latex(text, unknown_char_policy="replace")
    return encoded


def statement_html(text: str) -> str:
    """A text with formulas between dollar signs, as HTML with MathML; what cannot be converted is shown as written."""
    parts = []
    end = 0
    for found in _FORMULA.finditer(text):
        parts += [escape(text[end : found.start()]), formula_html(found[1])]
        end = found.end()
    return "".join([*parts, escape(text[end:])])


def formula_html(latex: str) -> str:
    r"""A formula as MathML; parentheses and bars keep their size, which reads better in a line of text.

    Nothing in it can act: words are escaped, and links and styles are left out.

    >>> print(formula_html(r"\href{javascript:x}{a} < \text{<b>}"))  # doctest: +ELLIPSIS
    <math ...<mi>a</mi>...<mo>&lt;</mo><mtext>&lt;b&gt;</mtext></mrow></math>
    """
    from xml.etree.ElementTree import tostring

    from latex2mathml.converter import convert_to_element

    try:
        for fence, bracket in ((r"\left(", "("), (r"\right)", ")"), (r"\lvert ", "|"), (r"\rvert", "|")):
            latex = latex.replace(fence, bracket)
        tree = convert_to_element(latex)
    except Exception:  # of whatever kind: the formula is the author's, and the page must not fail on it
        return f"<code>{escape(latex)}</code>"
    # the converter writes symbols as entities, and unescapes all words with them: words must stay words
    for element in tree.iter():
        element.text = element.text and unescape(element.text)
        element.attrib = {name: unescape(value) for name, value in element.items() if name not in _ACTIVE}
    converted: str = tostring(tree, encoding="unicode")
    return converted
