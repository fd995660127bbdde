"""What a benchmark reports: one table with its targets, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks._markers import rewrite
from benchmarks._measure import ROOT, machine

__all__ = ["DOCUMENT", "Section", "Target", "write"]

DOCUMENT = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Target:
    """A number that was promised, and what was measured."""

    text: str
    measured: float
    limit: float
    at_least: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the measurement keeps the promise."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Text, promise, measurement and verdict."""
        sign = "at least" if self.at_least else "at most"
        verdict = "met" if self.met else "missed"
        return self.text, f"{sign} {_short(self.limit)}{self.unit}", f"{_short(self.measured)}{self.unit}", verdict


@dataclass(frozen=True)
class Section:
    """The outcome of one benchmark."""

    name: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    #: the command that measures it, where it is not one of ``python -m benchmarks``
    by: str = ""

    @property
    def command(self) -> str:
        """The command that measures this section again."""
        return self.by or f"python -m benchmarks {self.name}"

    def tables(self) -> list[Table]:
        """For the terminal: the measurements, and the targets."""
        found = []
        if self.rows:
            found.append(_rich(self.command, self.headers, self.rows))
        if self.targets:
            found.append(_rich("", _TARGET_HEADERS, [target.cells for target in self.targets]))
        return found

    def markdown(self, load: float) -> str:
        """For the documentation: command, machine and its load before, measurements, targets and notes."""
        parts = [f"`{self.command}` on {machine()}; load {load:.1f} before the run."]
        if self.rows:
            parts.append(_markdown(self.headers, self.rows))
        if self.targets:
            parts.append(_markdown(_TARGET_HEADERS, [target.cells for target in self.targets], "llll"))
        parts.extend(self.notes)
        return "\n\n".join(parts)


_TARGET_HEADERS = ("target", "promised", "measured", "verdict")


def _short(number: float) -> str:
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"


def _rich(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title or None, title_justify="left")
    for position, header in enumerate(headers):
        table.add_column(header, justify="left" if position == 0 else "right")
    for row in rows:
        style = "red" if row[-1] == "missed" else None
        table.add_row(*row, style=style)
    return table


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]], alignment: str = "") -> str:
    marks = {"l": ":--", "r": "--:"}
    alignment = alignment or "r" * len(headers)
    lines = [headers, [marks[a] for a in alignment], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def write(sections: Sequence[Section], *, load: float, complete: bool, path: Path = DOCUMENT) -> None:
    """Replace what stands between the markers of each section.

    Parameters
    ----------
    load : load of the machine before the run, to be read beside the times.
    complete : whether these are all sections; the summary of missed targets is then rewritten too.

    Raises
    ------
    ValueError : the document lacks a section's markers; nothing is written then.
    """
    text = path.read_text(encoding="utf-8")
    for section in sections:
        text = rewrite(text, section.name, section.markdown(load))
    if complete:
        text = rewrite(text, "missed", _summary(sections))
    path.write_text(text, encoding="utf-8")


def _summary(sections: Sequence[Section]) -> str:
    targets = [(section, target) for section in sections for target in section.targets]
    missed = [(section, target) for section, target in targets if not target.met]
    if not missed:
        return f"All {len(targets)} targets were met in the last full run."
    lines = [f"Of {len(targets)} targets, the last full run missed {len(missed)}:", ""]
    for section, target in missed:
        text, promised, measured, _ = target.cells
        lines.append(f"- {section.name}: {text}: {measured}, where {promised} was promised.")
    return "\n".join(lines)
