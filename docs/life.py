"""Draw the life of a claim: the functions that it passes on the way from a file to a report.

    python -m docs.life docs/images/life_of_a_claim.svg

`passed` checks a claim and sees which of them are called, and in which order; a test holds the drawing to that.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["STATIONS", "passed", "picture"]

#: (module, function, what it does), in the order in which they are first called
STATIONS: tuple[tuple[str, str, str], ...] = (
    ("theory_checks.loading", "load_claims", "a suite, a TOML or Python file, or claims become one list"),
    ("theory_checks.checks", "check", "one claim: sample, estimate, decide"),
    ("theory_checks.checks", "claim_root", "random streams of its own, from the seed and its id"),
    ("estimators.scalings", "scaling", "which sizes, how many samples"),
    ("estimators.sampling", "draw_samples", "blocks of samples, over workers and store"),
    ("randtensor.quantity", "Quantity.sample_block", "one block: a generator for (quantity, sizes, number)"),
    ("randtensor.norms.dense_norms", "InjectiveNorm.evaluate", "the quantity on the randomness of the block"),
    ("estimators.statistics", "Statistic.__call__", "value, standard error, degrees of freedom at each size"),
    ("estimators.scalings", "from_estimates", "the exponent, over corrections and smallest sizes"),
    ("theory_checks.verdicts", "decide_interval", "consistent, refuted, inconclusive; what would decide"),
    ("theory_checks.budget", "spend", "Holm's procedure over all assertions of the run"),
    ("theory_checks.reports", "Report.save", "the record of the run, in JSON"),
    ("theory_checks.rendering.documents", "render", "page, appendix, table, figures: all from the record"),
)


def passed() -> list[tuple[str, str]]:
    """Which stations a claim about a rate passes, in the order of the first calls."""
    import randtensor as rt
    from theory_checks import Claim, verify

    wanted = {(module, name) for module, name, _ in STATIONS}
    seen: list[tuple[str, str]] = []

    def watch(frame: Any, event: str, _: Any) -> None:
        key = frame.f_globals.get("__name__"), frame.f_code.co_qualname
        if event == "call" and key in wanted and key not in seen:
            seen.append(key)

    n = rt.Scale("n")
    claim = Claim("length", rt.norm(rt.gaussian(n)), predicted=rt.Theta(n**0.5), n=[16, 64, 256], samples=50)
    _watched(watch, lambda: _run(verify, claim))
    return seen


def _run(verify: Callable[..., Any], claim: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        verify(claim, rng=0, jobs=1).save(folder, documents=True)


def _watched(watch: Callable[..., None], work: Callable[[], None]) -> None:
    before = sys.getprofile(), threading.getprofile()
    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(before[0])
        threading.setprofile(before[1])  # type: ignore[arg-type]


_COLORS = {"theory_checks": "#8c5a2b", "estimators": "#2b6c8c", "randtensor": "#3f7d3a"}
_LEFT = {"theory_checks": 10, "estimators": 60, "randtensor": 110}


def picture() -> str:
    """The drawing, as SVG."""
    height = 52 * len(STATIONS) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {height}" font-family="sans-serif" role="img">',
        "<title>The functions that a claim passes, from a file to a report</title>",
        f'<rect width="860" height="{height}" fill="white"/>',
    ]
    for i, (module, name, what) in enumerate(STATIONS):
        package = module.partition(".")[0]
        color, left, top = _COLORS[package], _LEFT[package], 10 + 52 * i
        if i:
            before = _LEFT[STATIONS[i - 1][0].partition(".")[0]]
            path = f"M{before + 40},{top - 14} C{before + 40},{top - 6} {left + 40},{top - 8} {left + 40},{top}"
            lines.append(f'<path d="{path}" fill="none" stroke="#888" stroke-width="1.5"/>')
        lines.append(
            f'<rect x="{left}" y="{top}" width="340" height="38" rx="6" '
            f'fill="{color}" fill-opacity="0.08" stroke="{color}"/>'
        )
        lines.append(f'<text x="{left + 12}" y="{top + 16}" font-size="11" fill="{color}">{module}</text>')
        lines.append(f'<text x="{left + 12}" y="{top + 31}" font-size="13" font-weight="bold">{name}</text>')
        lines.append(f'<text x="465" y="{top + 24}" font-size="12">{what}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(), encoding="utf-8")
