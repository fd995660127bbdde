"""Tables of numbers in text files: rows of n and value, checked cell by cell, with the line each stands on."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import InputError

__all__ = ["Array", "Rows", "read_rows"]

Array = NDArray[np.float64]

_ERROR_NAMES = ("stderr", "error", "se", "standard error", "standard_error")
_NAMES = ("n", "value", "sample", *_ERROR_NAMES)
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_EXPECTED = "the columns n, value and optionally stderr, or n and sample"


@dataclass(frozen=True)
class Rows:
    """The numbers of a file, with the line each row stands on."""

    path: Path
    lines: tuple[int, ...]
    columns: tuple[Array, ...]
    raw: bool

    def complain(self, row: int, message: str) -> InputError:
        return InputError(f"{self.path}, line {self.lines[row]}: {message}")


def read_rows(path: Path) -> Rows:
    """The rows of a file, checked cell by cell."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"{path} cannot be read: {why}") from None
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if _has_decimal_commas(line):
            raise InputError(
                f"{path}, line {number}: {line.strip()!r} has decimal commas, expected decimal points; "
                "a comma separates columns"
            )
        rows.append((number, _cells(line)))
    names: list[str] | None = None
    if rows and not any(_is_number(cell) for cell in rows[0][1]):
        names = [cell.lower() for cell in rows[0][1]]
        header, rows = rows[0][0], rows[1:]
        _check_header(path, header, names)
    if not rows:
        raise InputError(f"{path} has no rows, expected {_EXPECTED}")
    width = len(names) if names else len(rows[0][1])
    if width not in (2, 3):
        raise InputError(f"{path}, line {rows[0][0]}: {width} columns, expected {_EXPECTED}")
    data = np.empty((len(rows), width))
    places = _places(names) if names else range(width)
    for index, (number, cells) in enumerate(rows):
        if len(cells) != width:
            raise InputError(f"{path}, line {number}: {len(cells)} columns, expected {width} as in the lines before")
        for column, cell in zip(places, cells, strict=True):
            if not _is_number(cell):
                raise InputError(f"{path}, line {number}: {cell!r} is not a number")
            data[index, column] = float(cell)
            if not math.isfinite(data[index, column]):
                raise InputError(f"{path}, line {number}: {cell} is not finite")
        if data[index, 0] <= 0:
            raise InputError(f"{path}, line {number}: n is {data[index, 0]:g}, expected a positive size")
    repeats = len(np.unique(data[:, 0])) < len(data)
    raw = "sample" in names if names else width == 2 and repeats
    return Rows(path, tuple(number for number, _ in rows), tuple(data.T), raw)


def _check_header(path: Path, number: int, names: Sequence[str]) -> None:
    if _is_header(names):
        return
    message = f"{path}, line {number}: the header is {', '.join(names)}, expected {_EXPECTED}"
    closest = [(difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.7) or [name])[0] for name in names]
    if _is_header(closest):
        message += f"; did you mean {', '.join(closest)}?"
    raise InputError(message)


def _is_header(names: Sequence[str]) -> bool:
    return sorted(map(_kind, names)) in (["n", "value"], ["n", "sample"], ["n", "stderr", "value"])


def _kind(name: str) -> str:
    return "stderr" if name in _ERROR_NAMES else name


def _places(names: Sequence[str]) -> list[int]:
    """Where each column of the file goes in n, value or sample, stderr."""
    return [{"n": 0, "stderr": 2}.get(_kind(name), 1) for name in names]


def _has_decimal_commas(line: str) -> bool:
    """Whether the cells between other separators are numbers, some of them with a decimal comma."""
    if "," not in line:
        return False
    for separator in (";", "\t", None):
        cells = [cell.strip() for cell in line.split(separator)]
        commas = [bool(_DECIMAL_COMMA.fullmatch(cell)) for cell in cells]
        if len(cells) > 1 and any(commas):
            return all(comma or _is_number(cell) for comma, cell in zip(commas, cells, strict=True))
    return False


def _cells(line: str) -> list[str]:
    separator = next((mark for mark in ",;\t" if mark in line), None)
    cells = line.split(separator) if separator else re.split(r"\s+", line.strip())
    return [cell.strip().strip("\"'") for cell in cells]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
