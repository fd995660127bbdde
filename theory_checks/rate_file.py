"""The exponent of numbers in a text file: what ``randtensor rate`` infers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from estimators import RateFit, Statistic, fit_rate
from estimators._magnitudes import magnitudes_of, unresolved_reason
from estimators.errors_of_samples import standard_error
from randtensor.errors import InputError, RandtensorError
from theory_checks.rate_rows import Array, Rows, read_rows

__all__ = ["RateTable", "read_rate"]


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
    reason : why the exponent means little, if it does; the numbers are then unresolved, and the interval of ``fit``
        is not one of their exponent.
    fit : the `estimators.RateFit` of the absolute values.
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
            "unresolved": self.reason is not None,
            "reason": self.reason,
            "fit": self.fit.to_dict(),
        }


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
    path : text with the columns n, value and optionally stderr, or n and sample (one sample per line). A header
        is optional: with one the columns may come in any order, and without one a size that repeats means raw
        samples. Columns are separated by commas, semicolons, tabs or blanks; lines that start with # are skipped.
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
    rows = read_rows(Path(path))
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
        # signs that vary are left to the reason
        signed = -magnitudes if np.all(values < 0) else magnitudes
        fit = fit_rate(n, signed, spread, correction=correction, log_power=log_power, hedged=hedged)
    except RandtensorError as error:
        raise type(error)(f"{path}: {error}") from None
    return RateTable(Path(path).name, n, values, errors, samples, name, heavy, reason, fit)


def _values(rows: Rows) -> tuple[Array, Array, Array | None]:
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
        if error == 0 and rows.columns[2].any():
            raise rows.complain(
                row, "stderr is 0, but other lines have an error, expected a positive one or a line left out"
            )
    return n[order], values[order], rows.columns[2][order]


def _summarize(
    rows: Rows, statistic: Statistic
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
