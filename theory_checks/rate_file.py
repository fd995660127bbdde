"""The exponent of numbers in a text file: what ``randtensor rate`` reads, fits and keeps."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators import RateFit, Statistic, fit_rate
from estimators.errors_of_samples import standard_error
from estimators.scalings import magnitudes_of, unresolved_reason
from randtensor.errors import InputError, RandtensorError

__all__ = ["RateTable", "log_power_of", "powers_of", "read_rate", "save_rate"]

Array = NDArray[np.float64]

_ERROR_NAMES = ("stderr", "error", "se", "standard error", "standard_error")
_EXPECTED = "the columns n, value and optionally stderr, or n and sample"


@dataclass(frozen=True, eq=False)
class RateTable:
    """Values at several sizes from a file, and the exponent they scale with: the result of `read_rate`.

    Attributes
    ----------
    source : name of the file.
    n, values : sizes in ascending order, and the values with their signs.
    errors : standard errors; None if the file has none.
    samples : number of samples at each size, for a file of raw samples; else None.
    statistic : the statistic of raw samples; else "value".
    heavy_tailed : sizes at which a few samples carry the variance.
    reason : why the exponent means little, if it does.
    fit : the `estimators.RateFit`.
    """

    source: str
    n: Array
    values: Array
    errors: Array | None
    samples: tuple[int, ...] | None
    statistic: str
    heavy_tailed: tuple[float, ...]
    reason: str | None
    fit: RateFit

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "schema": "randtensor/rate-table/1",
            "source": self.source,
            "n": self.n.tolist(),
            "values": self.values.tolist(),
            "errors": None if self.errors is None else self.errors.tolist(),
            "samples": None if self.samples is None else list(self.samples),
            "statistic": self.statistic,
            "heavy_tailed": list(self.heavy_tailed),
            "reason": self.reason,
            "fit": self.fit.to_dict(),
        }


@dataclass(frozen=True)
class _Rows:
    """The numbers of a file, with the line each row stands on."""

    path: Path
    lines: tuple[int, ...]
    columns: tuple[Array, ...]
    raw: bool

    def complain(self, row: int, message: str) -> InputError:
        return InputError(f"{self.path}, line {self.lines[row]}: {message}")


def read_rate(
    path: Path,
    *,
    statistic: str | None = None,
    correction: Any = "auto",
    log_power: bool | float = False,
    hedged: bool = True,
) -> RateTable:
    """The exponent of the numbers in a file.

    Parameters
    ----------
    path : text with the columns n, value and optionally stderr, or n and sample (one sample per line); a header
        is optional, and without one a size that repeats means raw samples. Columns are separated by commas,
        semicolons, tabs or blanks; lines that start with # are skipped.
    statistic : of raw samples; None is the mean.
    correction, log_power, hedged : see `estimators.fit_rate`.

    Raises
    ------
    InputError : a file that cannot be read, with the line; or options that do not fit it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "data.csv")
    ...     _ = path.write_text("n,value,stderr\\n64,2.0,0.02\\n256,0.5,0.005\\n1024,0.125,0.001\\n")
    ...     print(round(read_rate(path).fit.exponent, 2))
    -1.0
    """
    rows = _read_table(Path(path))
    errors: Array | None
    if rows.raw:
        n, values, errors, dofs, samples, heavy = _summarize(rows, Statistic.of(statistic or "mean"))
        name = Statistic.of(statistic or "mean").name
    else:
        if statistic is not None:
            raise InputError(f"statistic is {statistic!r}, but {path} holds values, expected the columns n and sample")
        n, values, errors, name = *_values(rows), "value"
        dofs, samples, heavy = [math.inf] * len(n), None, ()
    reason = None
    magnitudes, spread = np.abs(values), errors
    if errors is not None:
        magnitudes, spread = magnitudes_of(values, errors, dofs, n, name)
        reason = unresolved_reason(n, values, errors, name)
    try:
        fit = fit_rate(n, magnitudes, spread, correction=correction, log_power=log_power, hedged=hedged)
    except RandtensorError as error:
        raise type(error)(f"{path}: {error}") from None
    return RateTable(Path(path).name, n, values, errors, samples, name, heavy, reason, fit)


def save_rate(found: RateTable, record: Path | None, plot: Path | None) -> list[Path]:
    """Write the result as JSON and as a figure, where a place is given; returns the files written.

    Raises
    ------
    InputError : a file that cannot be written, a kind of figure that does not exist, or no matplotlib.
    """
    text = json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n"
    writers: list[tuple[Path | None, Callable[[Path], object]]] = [
        (record, lambda place: place.write_text(text)),
        (plot, lambda place: _figure(found).savefig(place)),
    ]
    written = []
    for place, write in writers:
        if place is None:
            continue
        try:
            write(place)
        except (OSError, ValueError) as error:
            raise InputError(f"{place} cannot be written: {error}") from None
        written.append(place)
    return written


def powers_of(text: str) -> Any:
    """What ``--correction`` says.

    >>> powers_of("1"), powers_of("none"), powers_of("1/2, 1")
    (1.0, None, (0.5, 1.0))
    """
    if text.strip().lower() in ("auto", "none"):
        return None if text.strip().lower() == "none" else "auto"
    try:
        powers = tuple(float(Fraction(part.strip())) for part in text.split(","))
    except (ValueError, ZeroDivisionError):
        raise InputError(f"correction is {text!r}, expected 'auto', 'none' or positive powers like 1/2,1") from None
    return powers[0] if len(powers) == 1 else powers


def log_power_of(text: str | None) -> bool | float:
    """What ``--log`` says.

    >>> log_power_of(None), log_power_of("fit"), log_power_of("2")
    (False, True, 2.0)
    """
    if text is None or text == "fit":
        return text is not None
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"log is {text!r}, expected a number, or nothing to fit the power (then after the file)"
        ) from None


def _figure(found: RateTable) -> Any:
    """The four panels of `estimators.RateFit.plot`, without touching the caller's choice of a display."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("matplotlib is needed for --plot: pip install 'randtensor[plot]'") from None
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    grid = figure.subplots(2, 2, height_ratios=(1.6, 1))
    found.fit.plot(list(grid.ravel()))
    grid[0, 0].set_ylabel(found.statistic)
    grid[0, 0].set_title(found.source, fontsize=10, loc="left")
    return figure


def _read_table(path: Path) -> _Rows:
    """The rows of a file, checked cell by cell."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"{path} cannot be read: {why}") from None
    rows = [
        (number, _cells(line))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
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
    for index, (number, cells) in enumerate(rows):
        if len(cells) != width:
            raise InputError(f"{path}, line {number}: {len(cells)} columns, expected {width} as in the lines before")
        for column, cell in enumerate(cells):
            if not _is_number(cell):
                raise InputError(f"{path}, line {number}: {cell!r} is not a number")
            data[index, column] = float(cell)
            if not math.isfinite(data[index, column]):
                raise InputError(f"{path}, line {number}: {cell} is not finite")
        if data[index, 0] <= 0:
            raise InputError(f"{path}, line {number}: n is {data[index, 0]:g}, expected a positive size")
    repeats = len(np.unique(data[:, 0])) < len(data)
    raw = names[1] == "sample" if names else width == 2 and repeats
    return _Rows(path, tuple(number for number, _ in rows), tuple(data.T), raw)


def _values(rows: _Rows) -> tuple[Array, Array, Array | None]:
    """Sizes, values and errors, sorted by size; refuses what a power law cannot have, with the line."""
    n, values = rows.columns[:2]
    seen: dict[float, int] = {}
    for row, size in enumerate(n):
        if size in seen:
            first = rows.lines[seen[size]]
            raise rows.complain(row, f"n = {size:g} is already on line {first}, expected one value per size")
        seen[float(size)] = row
        if values[row] == 0 and (len(rows.columns) == 2 or rows.columns[2][row] == 0):
            raise rows.complain(row, "the value is zero, expected one that scales with n")
    change = np.flatnonzero(np.sign(values) != np.sign(values[0]))
    if len(change) and len(rows.columns) == 2:
        raise rows.complain(
            int(change[0]), f"the value {values[change[0]]:g} has another sign than those before: no power law does"
        )
    order = np.argsort(n)
    if len(rows.columns) == 2:
        return n[order], values[order], None
    for row, error in enumerate(rows.columns[2]):
        if error < 0:
            raise rows.complain(row, f"stderr is {error:g}, expected a standard error that is not negative")
    return n[order], values[order], rows.columns[2][order]


def _summarize(
    rows: _Rows, statistic: Statistic
) -> tuple[Array, Array, Array, list[float], tuple[int, ...], tuple[float, ...]]:
    """The statistic of the samples at each size."""
    n, samples = rows.columns
    found = []
    sizes = np.unique(n)
    for size in sizes:
        here = samples[n == size]
        try:
            found.append((standard_error(here, statistic, 1), len(here)))
        except InputError as error:
            raise InputError(f"{rows.path}, n = {size:g}: {error}") from None
    return (
        sizes,
        np.array([each.summary.value for each, _ in found]),
        np.array([each.summary.error for each, _ in found]),
        [each.summary.dof for each, _ in found],
        tuple(count for _, count in found),
        tuple(float(size) for size, (each, _) in zip(sizes, found, strict=True) if each.heavy_tailed),
    )


def _check_header(path: Path, number: int, names: Sequence[str]) -> None:
    known = len(names) in (2, 3) and (len(names) == 2 or (names[1] != "sample" and names[2] in _ERROR_NAMES))
    if not known:
        raise InputError(f"{path}, line {number}: the header is {', '.join(names)}, expected {_EXPECTED}")


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
