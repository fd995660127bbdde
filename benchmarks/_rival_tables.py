"""The tables of ``against_all``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks._measure import duration
from benchmarks._section import Section, Target
from benchmarks.contenders import CONTENDERS, LIBRARY, QUANTITIES, contender

__all__ = ["agreement_targets", "exponents_section", "growth", "others_section", "ratio_targets", "widths_section"]

COMMAND = "python -m benchmarks against-all"

_MIB = 2**20

#: What was promised: times faster than the best other one, by width.
PROMISED = {1024: 40.0, 4096: 300.0}


def _power(n: int) -> str:
    return f"2^{n.bit_length() - 1}"


def growth(race: Any, key: str) -> float | None:
    """The exponent fitted to the largest three widths that were reached; None where there are fewer than two."""
    rows = race["rows"][-3:]
    if len(rows) < 2 or min(row[key] for row in rows) <= 0:
        return None
    return float(np.polyfit(np.log([row["width"] for row in rows]), np.log([row[key] for row in rows]), 1)[0])


def _cells(race: Any, sizes: Sequence[int], key: str) -> list[str]:
    rows = {row["width"]: row for row in race["rows"]}
    text = (lambda v: f"{v / _MIB:.1f}") if key == "memory" else duration
    return [text(rows[n][key]) if n in rows else "-" for n in sizes]


def widths_section(
    name: str, races: Mapping[str, Any], sizes: Sequence[int], key: str, targets: Sequence[Target]
) -> Section:
    """Contenders by widths, with the growth over the last three widths and what ended it."""
    rows = []
    for competitor in CONTENDERS:
        race = races.get(competitor.key)
        if race is None:
            continue
        power = growth(race, key)
        end = race["stopped"] or ("-" if race["rows"] else "nothing was measured")
        rows.append(
            (competitor.name, *_cells(race, sizes, key), f"{power:.2f}" if power is not None else "-", end),
        )
    note = (
        "Peak of resident memory while a width runs, in MiB, beyond what the process held after its imports and a call "
        "at width 16; a contender may keep what it needed at a smaller width."
        if key == "memory"
        else "Time per sample: minimum over repeated calls. The growth is fitted to the last three widths reached; the "
        "last column says why there is no further one, as the contender or its process was stopped."
    )
    headers = ("contender", *map(_power, sizes), "growth", "stopped by")
    return Section(name, headers, tuple(rows), tuple(targets), (note,), by=COMMAND)


def _best_other(races: Mapping[str, Any], n: int, key: str = "seconds") -> tuple[float, str] | None:
    found = [
        (row[key], name)
        for name, race in races.items()
        for row in race["rows"]
        if row["width"] == n and name != LIBRARY.key
    ]
    return min(found) if found else None


def _ours(races: Mapping[str, Any], n: int) -> float | None:
    return next((row["seconds"] for row in races.get(LIBRARY.key, {"rows": []})["rows"] if row["width"] == n), None)


def ratio_targets(races: Mapping[str, Any]) -> list[Target]:
    """Times faster than the best other contender."""
    targets = []
    for n, promised in PROMISED.items():
        best, mine = _best_other(races, n), _ours(races, n)
        if best is not None and mine is not None:
            text = f"times faster at width {n} than the best other one ({contender(best[1]).name})"
            targets.append(Target(text, best[0] / mine, promised, at_least=True))
    return targets


def agreement_targets(found: Any) -> list[Target]:
    """Largest relative difference from the library at equal weights, over all quantities."""
    targets = []
    for exact in (True, False):
        worst, limit = -1.0, 0.0
        for races in found["widths"].values():
            for key, race in races.items():
                chosen = (contender(key).agreement <= 1e-10) == exact
                if key != LIBRARY.key and chosen and race.get("difference") is not None:
                    worst, limit = max(worst, race["difference"]), contender(key).agreement
        if worst >= 0:
            who = "all but central differences" if exact else "central differences"
            targets.append(Target(f"relative difference at equal weights, {who}", worst, limit))
    return targets


def others_section(races: Mapping[str, Mapping[str, Any]], sizes: Sequence[int]) -> Section:
    """The other quantities, one after the other."""
    rows = []
    for quantity, by_key in races.items():
        for competitor in CONTENDERS:
            race = by_key.get(competitor.key)
            if race is None:
                continue
            power = growth(race, "seconds")
            cells = _cells(race, sizes, "seconds")
            end = race["stopped"] or ("-" if race["rows"] else "nothing was measured")
            rows.append((quantity, competitor.name, *cells, f"{power:.2f}" if power is not None else "-", end))
    meaning = "; ".join(f"*{quantity}*: {QUANTITIES[quantity]}" for quantity in races)
    return Section(
        "against-all-others",
        ("quantity", "contender", *map(_power, sizes), "growth", "stopped by"),
        tuple(rows),
        notes=(f"Time per sample: minimum over repeated calls. {meaning}.",),
        by=COMMAND,
    )


def exponents_section(races: Mapping[str, Any], far: Any, shared: Sequence[int], wide: Sequence[int]) -> Section:
    """The exponent that each had when the time was up."""
    rows = []
    mine = races.get(LIBRARY.key, {"steps": []})["steps"]
    listed = [(contender(key).name, race, shared) for key, race in races.items()]
    if far:
        listed.insert(1, (f"{LIBRARY.name}, large widths", far, wide))
    for name, race, sizes in listed:
        reach = ", ".join(map(_power, sizes))
        if not race["steps"]:
            rows.append((name, reach, "-", "-", "-", "-", race["stopped"]))
            continue
        last = race["steps"][-1]
        rows.append(
            (
                name,
                reach,
                ", ".join(map(str, last["samples"])),
                f"{last['elapsed']:.1f} s",
                f"{last['exponent']:.4f} +- {last['error']:.4f}",
                duration(last["elapsed"] * (last["error"] / 0.01) ** 2),
                f"{_cost(last) / _cost(mine[-1]):.2g}" if mine else "-",
            )
        )
    return Section(
        "against-all-exponent",
        ("contender", "widths", "samples", "time", "exponent", "time to an error of 0.01", "times that of randtensor"),
        tuple(rows),
        notes=(
            "The slope of log rms against log n of the third derivative, in the limit -1, and its standard error when "
            "time was up; the time to an error of 0.01 follows from error ~ time^(-1/2). Compilation and a trial call "
            "at each width are not counted. The standard error knows nothing of the bias at finite width, which is "
            "the same for everyone at the same widths, and which only larger widths cure.",
        ),
        by=COMMAND,
    )


def _cost(step: Any) -> float:
    """Seconds times variance: what does not depend on when the time was up."""
    return float(step["elapsed"] * step["error"] ** 2)
