"""Against everything else that one could use: time, memory, accuracy per second, on four quantities.

Every contender runs in a process of its own with limits of time and memory; what it had measured until then is kept,
and a cell of the table says what ended it. All that is measured is written to ``benchmarks/results`` as it comes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _plots, _race, exact_rivals
from benchmarks._limited import stream
from benchmarks._measure import ROOT, machine
from benchmarks._rival_tables import agreement_targets, exponents_section, others_section, ratio_targets, widths_section
from benchmarks._section import Section
from benchmarks.contenders import CONTENDERS, LIBRARY, QUANTITIES, Contender

__all__ = ["RESULTS", "exponent_race", "measure", "width_race"]

RESULTS = ROOT / "benchmarks" / "results" / "against_all.json"

#: Of the quantity that is drawn, and of the other three.
WIDTHS, FEWER_WIDTHS = tuple(2**k for k in range(6, 21, 2)), (2**8, 2**12, 2**14, 2**16, 2**20)

#: Widths at which everybody looks for the exponent, and those that only the library reaches.
SHARED, FAR = (2**7, 2**8, 2**9, 2**10), (2**10, 2**12, 2**14, 2**16)

#: Seconds for an exponent.
BUDGET = 5.0

#: Seconds of one process, without a sign of life and in all: compilation on a slow machine is waited for.
PATIENCE, IN_ALL = 45.0, 150.0


def _python(contender: Contender) -> str:
    """The interpreter of a contender: another environment may have PyTorch, as for the benchmark of spectra."""
    other = os.environ.get("RANDTENSOR_TORCH_PYTHON")
    return other if other and contender.key == "torch" else sys.executable


def _missing(contender: Contender) -> str:
    python = _python(contender)
    if python != sys.executable:
        return "" if shutil.which(python) else "RANDTENSOR_TORCH_PYTHON names no interpreter"
    return f"{contender.missing} is not installed" if contender.missing else ""


def width_race(contender: Contender, quantity: str, sizes: Sequence[int], seconds: float, longest: float) -> Any:
    """{"rows": by width, "difference": from the library, "stopped": reason}."""
    if missing := _missing(contender):
        return {"rows": [], "stopped": missing}
    found, reason = stream(
        _race.widths,
        {"key": contender.key, "quantity": quantity, "sizes": list(sizes), "seconds": seconds, "longest": longest},
        seconds=IN_ALL,
        patience=PATIENCE,
        python=_python(contender),
    )
    ended = next((each["stopped"] for each in found if "stopped" in each), reason)
    difference = next((each["difference"] for each in found if "difference" in each), None)
    return {"rows": [each for each in found if "seconds" in each], "stopped": ended, "difference": difference}


def exponent_race(contender: Contender, sizes: Sequence[int], seconds: float = BUDGET) -> Any:
    """{"steps": errors as the seconds go by, "stopped": reason}."""
    if missing := _missing(contender):
        return {"steps": [], "stopped": missing}
    steps, reason = stream(
        _race.exponent,
        {"key": contender.key, "sizes": list(sizes), "seconds": seconds},
        seconds=IN_ALL,
        patience=PATIENCE + seconds,
        python=_python(contender),
    )
    return {"steps": steps, "stopped": reason or ("" if steps else "fewer than 8 samples at a width")}


def measure(report: Callable[[str], None] = lambda text: None) -> tuple[Section, ...]:
    """Run everything; ``report`` is told what is being measured."""
    found: dict[str, Any] = {"machine": machine(), "widths": {q: {} for q in QUANTITIES}, "exponents": {}, "far": {}}
    for quantity in QUANTITIES:
        main = quantity == "third"
        sizes, seconds, longest = (WIDTHS, 0.5, 3.0) if main else (FEWER_WIDTHS, 0.3, 1.5)
        for contender in CONTENDERS:
            if quantity in contender.quantities:
                report(f"{contender.name}: {QUANTITIES[quantity]}")
                found["widths"][quantity][contender.key] = width_race(contender, quantity, sizes, seconds, longest)
                _keep(found)
    for contender in CONTENDERS:
        if contender.key != "formed":  # it reaches none of the widths
            report(f"{contender.name}: exponent in {BUDGET:.0f} s")
            found["exponents"][contender.key] = exponent_race(contender, SHARED)
            _keep(found)
    report(f"{LIBRARY.name}: exponent at large widths")
    found["far"] = exponent_race(LIBRARY, FAR)
    _keep(found)
    _plots.draw(found)
    exact = exact_rivals.measure(report)
    return (*sections(found), exact)


def sections(found: Any) -> tuple[Section, ...]:
    """The tables of what was measured."""
    third = found["widths"]["third"]
    return (
        widths_section("against-all", third, WIDTHS, "seconds", (*ratio_targets(third), *agreement_targets(found))),
        widths_section("against-all-memory", third, WIDTHS, "memory", ()),
        others_section({q: found["widths"][q] for q in QUANTITIES if q != "third"}, FEWER_WIDTHS),
        exponents_section(found["exponents"], found["far"], SHARED, FAR),
    )


def _keep(found: Any, path: Path = RESULTS) -> None:
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
