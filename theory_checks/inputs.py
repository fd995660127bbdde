"""Input vectors from files, as rows of an array."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import InputError, ShapeError

__all__ = ["load_inputs"]


def load_inputs(path: str | os.PathLike[str], *, normalize: bool = True) -> NDArray[np.float64]:
    """Input vectors from a ``.npy`` or ``.csv`` file, one per row.

    Parameters
    ----------
    path : of the file. A CSV file may begin with a line of column names.
    normalize : scale every row to squared length equal to its dimension, as the NTK parametrisation assumes.

    Returns
    -------
    array of shape (vectors, dimension).

    Raises
    ------
    InputError : the file cannot be read, or has entries that are not finite numbers, or a zero row to be normalised.
    ShapeError : rows of different lengths, or an array that is not two-dimensional.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("3, 4\\n1, 0\\n")
    ...     file.flush()
    ...     rows = load_inputs(file.name)
    >>> np.square(rows).sum(axis=1).round(9).tolist()
    [2.0, 2.0]
    """
    path = Path(path)
    readers = {".npy": _read_npy, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise InputError(f"inputs is {path}, expected a .npy or .csv file")
    try:
        rows = readers[path.suffix.lower()](path)
    except OSError as error:
        raise InputError(f"inputs {path} cannot be read: {error.strerror or error}") from error
    if rows.ndim != 2 or 0 in rows.shape:
        raise ShapeError(f"inputs {path} has shape {rows.shape}, expected rows of at least one number each")
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"inputs {path}: row {row + 1}, column {column + 1} is {rows[row, column]}, expected finite numbers"
        )
    if not normalize:
        return rows
    # dividing by the largest entry first keeps the squares within the range of floats
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if np.any(largest == 0):
        row = int(np.flatnonzero(largest == 0)[0])
        raise InputError(f"inputs {path}: row {row + 1} is zero, expected a vector that can be normalised")
    unit = rows / largest
    normalized: NDArray[np.float64] = unit * math.sqrt(rows.shape[1]) / np.linalg.norm(unit, axis=1, keepdims=True)
    return normalized


def _read_npy(path: Path) -> NDArray[np.float64]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"inputs {path} cannot be read as a .npy array of numbers") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        kind = getattr(array, "dtype", type(array).__name__)
        raise InputError(f"inputs {path} holds {kind}, expected an array of real numbers")
    return array.astype(np.float64)


def _read_csv(path: Path) -> NDArray[np.float64]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"inputs {path} is not a text file, expected comma-separated numbers") from error
    lines = [(number, row) for number, row in enumerate(csv.reader(text.splitlines()), 1) if any(map(str.strip, row))]
    if lines and all(_number(entry) is None for entry in lines[0][1]):
        lines = lines[1:]
    rows: list[list[float | None]] = []
    for number, row in lines:
        values = [_number(entry) for entry in row]
        if None in values:
            bad = row[values.index(None)].strip()
            raise InputError(f"inputs {path}, line {number}: {bad!r} is not a number")
        if rows and len(values) != len(rows[0]):
            raise ShapeError(f"inputs {path}, line {number}: {len(values)} numbers, expected {len(rows[0])} as before")
        rows.append(values)
    return np.array(rows, dtype=np.float64)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
