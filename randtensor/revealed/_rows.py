"""Linear algebra on blocks of long rows, the kernel shared by all revealed ensembles.

Everything here acts on arrays of shape (batch, rows, length) with long rows. Products are taken over column panels
that stay in cache: the skinny matrix products of a BLAS lose a factor of five once a row outgrows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray

#: Entries per panel: this many float64 fit a 2 MiB cache beside what is computed from them.
PANEL = 2**17

#: Most and fewest columns per panel: more gain nothing, with fewer a call costs more than its arithmetic.
MOST_COLUMNS, FEWEST_COLUMNS = 2**14, 2**10

#: Rows up to this length are taken whole.
WHOLE = 2**12


@dataclass(frozen=True)
class Precision:
    """What the rounding of a floating type means for orthonormal bases.

    Attributes
    ----------
    dependent : a residual below this multiple of the vector's length counts as rounding noise.
    rounding : error of a projection, relative to the vector.
    pivot : Cholesky's QR is trusted with vectors whose parts beyond the span of the others are longer than this,
        relative to their lengths.
    shortest : the same holds for vectors longer than this and shorter than its inverse, whose products neither
        underflow nor overflow.
    loss : a second pass of Gram-Schmidt is made where one might leave a basis less orthogonal than this.
    """

    dependent: float
    rounding: float
    pivot: float
    shortest: float
    loss: float


_PRECISIONS = {
    np.dtype(np.float64): Precision(1e-12, 4e-16, 1e-6, 1e-140, 1e-13),
    np.dtype(np.float32): Precision(1e-5, 2e-7, 2e-2, 1e-14, 5e-5),
}


def panel_columns(rows: Array) -> int:
    """Columns per panel for products that read these rows; all where another library has panels of its own."""
    count, length = int(rows.shape[1]), int(rows.shape[2])
    whole = length <= WHOLE or not isinstance(rows, np.ndarray)
    return length if whole else min(max(PANEL // max(count, 1), FEWEST_COLUMNS), MOST_COLUMNS)


def times(coefficients: Array, rows: Array, out: Array | None = None) -> Array:
    """``coefficients @ rows`` where the rows are long; of a single row, ``matmul`` takes five times as long as this."""
    product = np.multiply if rows.shape[-2] == 1 else np.matmul
    result: Array = product(coefficients, rows, out=out)
    return result


def inner(left: Array, right: Array) -> Array:
    """All inner products of rows: shapes (B, r, n) and (B, k, n) give (B, r, k)."""
    length = left.shape[-1]
    step = panel_columns(right)
    transposed = right.swapaxes(-1, -2)
    if length <= step:
        whole: Array = np.matmul(left, transposed)
        return whole
    total = np.zeros((left.shape[0], left.shape[1], right.shape[1]), like=left)
    for start in range(0, length, step):
        stop = start + step
        total += np.matmul(left[..., start:stop], transposed[:, start:stop])
    return total


def combine(coefficients: Array, rows: Array, out: Array | None = None) -> Array:
    """Linear combinations of rows: shapes (B, r, k) and (B, k, n) give (B, r, n)."""
    length = rows.shape[-1]
    step = panel_columns(rows)
    if out is None:
        out = np.empty((coefficients.shape[0], coefficients.shape[1], length), like=rows)
    for start in range(0, length, step):
        stop = start + step
        times(coefficients, rows[..., start:stop], out=out[..., start:stop])
    return out


def add_combination(target: Array, coefficients: Array, rows: Array) -> None:
    """``target += coefficients @ rows`` in place."""
    step = panel_columns(rows)
    for start in range(0, rows.shape[-1], step):
        stop = start + step
        target[..., start:stop] += times(coefficients, rows[..., start:stop])


def remove_and_overlap(vectors: Array, coefficients: Array, rows: Array) -> Array:
    """``vectors -= coefficients @ rows`` in place, and what is then left along the rows, in one pass over memory."""
    step, transposed = panel_columns(rows), rows.swapaxes(-1, -2)
    left = np.zeros_like(coefficients)
    for start in range(0, rows.shape[-1], step):
        stop = start + step
        panel = vectors[..., start:stop]
        panel -= times(coefficients, rows[..., start:stop])
        left += np.matmul(panel, transposed[:, start:stop])
    return left


def row_norms(rows: Array) -> Array:
    """Euclidean lengths of rows, without overflow or underflow for any representable row of moderate spread."""
    square: Array = np.vecdot(rows, rows)
    smallest = _PRECISIONS[rows.dtype].shortest ** 2
    safe = (square > smallest) & (square < 1 / smallest)
    if safe.all():
        lengths: Array = np.sqrt(square)
        return lengths
    largest = np.abs(rows).max(axis=-1, initial=0.0)
    scale = np.where(largest > 0, largest, 1.0)
    scaled = rows / scale[..., None]
    rescaled: Array = scale * np.sqrt(np.vecdot(scaled, scaled))
    return rescaled


class Rows:
    """A growing list of rows of one length, for every sample of a batch.

    The buffer grows geometrically, so appending costs amortised O(length) and reading the rows copies nothing.
    """

    def __init__(self, batch: int, length: int, capacity: int = 4, like: Array | None = None) -> None:
        self._buffer: Array = np.empty((batch, capacity, length), like=like)
        self.count = 0
        #: where the rows are an orthonormal basis: estimated Frobenius distance of their Gram matrix from the identity
        self.loss: Array = np.zeros(batch, like=like)

    @property
    def rows(self) -> Array:
        """View of the rows so far, shape (batch, count, length)."""
        view: Array = self._buffer[:, : self.count]
        return view

    @property
    def last(self) -> Array:
        """View of the row appended last, shape (batch, length)."""
        view: Array = self._buffer[:, self.count - 1]
        return view

    def reserve(self, added: int) -> Array:
        """Append rows with undefined entries and return the view to write them to, shape (batch, added, length)."""
        batch, capacity, length = self._buffer.shape
        needed = self.count + added
        if needed > capacity:
            grown = np.empty((batch, max(needed, 2 * capacity), length), like=self._buffer)
            grown[:, : self.count] = self.rows
            self._buffer = grown
        self.count = needed
        view: Array = self._buffer[:, needed - added : needed]
        return view

    def normals(self, generator: np.random.Generator, added: int) -> Array:
        """Append standard normal rows and return their view."""
        view = self.reserve(added)
        if isinstance(view, np.ndarray) and not view.flags.c_contiguous:
            view[...] = generator.standard_normal(view.shape)
        else:
            generator.standard_normal(out=view)
        return view


def _project(vectors: Array, rows: Array, coefficients: Array) -> None:
    """Remove the components along orthonormal rows, in place, and add them to the coefficients, in place."""
    if rows.shape[1]:
        overlap = inner(vectors, rows)
        add_combination(vectors, -overlap, rows)
        coefficients += overlap


def _lower_factor(gram: Array, least: float | Array) -> Array | None:
    """Cholesky's factor, or None where a pivot is below ``least`` or the matrix is not finite."""
    try:
        lower = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return None
    return lower if (np.diagonal(lower, axis1=1, axis2=2) > least).all() else None


def _substitute(lower: Array, vectors: Array) -> Array:
    """The rows with ``lower @ rows = vectors``, row by row.

    Each row makes up for the rounding of those before it, so that the vectors are combinations of them to rounding. The
    inverse of the factor would leave an error as large as its entries.
    """
    rows = vectors.copy()
    step = panel_columns(rows)
    for start in range(0, rows.shape[-1], step):
        panel = rows[..., start : start + step]
        for j in range(rows.shape[1]):
            if j:
                panel[:, j : j + 1] -= times(lower[:, j : j + 1, :j], panel[:, :j])
            panel[:, j] /= lower[:, j, j, None]
    return rows


def _extend_together(
    basis: Rows,
    vectors: Array,
    leftover: Array,
    rest: Array,
    lengths: Array,
    coefficients: Array,
    fresh: Array,
) -> Array | None:
    """Extend a basis by all vectors in a few long products, where none of them nearly depends on the others.

    Two rounds of removing the known directions and of Cholesky's QR: a round turns rows of condition number c into rows
    that are orthonormal to c^2 times rounding (Yamamoto, Nakatsukasa, Yanagisawa & Fukaya 2015), so that the second one
    starts from orthonormal rows and ends at rounding.

    Parameters
    ----------
    vectors, leftover, rest : what the first removal has left, shape (B, r, n), its overlap with the basis as far as
        rounding shows it, (B, r, old), and its lengths, (B, r).
    lengths : of the vectors before, shape (B, r).
    coefficients : shape (B, r, old + r), with those of the first removal; completed in place.
    fresh : positions of the vectors that are not in the span of the basis.

    Returns
    -------
    What all samples keep, shape (B, fresh), or None where nothing was done.
    """
    batch, count = len(vectors), len(fresh)
    if count < vectors.shape[1]:
        vectors, leftover, rest, lengths = vectors[:, fresh], leftover[:, fresh], rest[:, fresh], lengths[:, fresh]
    precision = _PRECISIONS[vectors.dtype]
    if not ((rest > precision.shortest) & (rest < 1 / precision.shortest)).all():
        return None
    known, old = basis.rows, basis.count
    # what is left of a vector beyond the others may still be the rounding noise of its whole length
    least = np.maximum(precision.pivot, precision.dependent * lengths / rest)
    lower = _lower_factor(inner(vectors, vectors) / (rest[:, :, None] * rest[:, None, :]), least)
    if lower is None:
        return None
    inverse, triangle = np.linalg.inv(lower) / rest[:, None, :], rest[:, :, None] * lower
    rows = _substitute(triangle, vectors)
    lost = np.full((batch, count), precision.rounding, like=vectors)
    overlap = np.matmul(inverse, leftover)
    if old:
        unseen = precision.rounding * row_norms(inverse * rest[:, None, :])
        if (unseen > precision.loss).any():
            overlap, unseen = inner(rows, known), np.zeros_like(unseen)
        add_combination(rows, -overlap, known)
        lost += unseen + basis.loss[:, None] * row_norms(overlap)
    again = _lower_factor(inner(rows, rows), 0.5)
    if again is None:
        return None
    combine(np.linalg.inv(again), rows, out=basis.reserve(count))
    coefficients[:, fresh, :old] += np.matmul(triangle, overlap)
    coefficients[:, fresh, old : old + count] = np.matmul(triangle, again)
    basis.loss = np.hypot(basis.loss, np.sqrt(2.0) * row_norms(lost))
    return np.ones((batch, count), dtype=bool, like=vectors)


def extend_basis(basis: Rows, vectors: Array) -> tuple[Array, Array]:
    """Extend an orthonormal basis until it spans the vectors, by Gram-Schmidt with second passes where they are needed.

    Parameters
    ----------
    basis : orthonormal rows, extended in place. A sample whose vector was already in the span gets a row of zeros
        where other samples of the batch get a new direction: a zero row is orthogonal to everything and changes no
        answer, so no sample needs a branch of its own.
    vectors : shape (B, r, n); overwritten.

    Returns
    -------
    coefficients : shape (B, r, count), with ``vectors = coefficients @ basis.rows`` to rounding.
    alive : shape (B, new rows), false where the new row is zero.
    """
    batch, count, _ = vectors.shape
    old, precision = basis.count, _PRECISIONS[vectors.dtype]
    dependent, rounding = precision.dependent, precision.rounding
    lengths = row_norms(vectors)
    coefficients = np.zeros((batch, count, old + count), like=vectors)
    known, leftover = basis.rows, np.zeros((batch, count, 0), like=vectors)
    if old:
        overlap = inner(vectors, known)
        leftover = remove_and_overlap(vectors, overlap, known)
        coefficients[:, :, :old] = overlap
    rest = row_norms(vectors)
    beyond = rest > dependent * lengths
    fresh = np.flatnonzero(beyond.any(axis=0))
    if len(fresh) > 1 and beyond[:, fresh].all():
        together = _extend_together(basis, vectors, leftover, rest, lengths, coefficients, fresh)
        if together is not None:
            return coefficients[:, :, : basis.count], together
    # What one pass leaves along the basis is its loss of orthogonality times the part removed, and rounding. Relative
    # to a residual shorter than that part it compounds from vector to vector: a rule that looked at the cancellation
    # of each vector alone would lose the orthogonality of a Krylov space exponentially.
    left = basis.loss[:, None] * row_norms(coefficients) + rounding * lengths
    if (left > precision.loss * rest)[beyond].any():
        if old:
            add_combination(vectors, -leftover, known)
            coefficients[:, :, :old] += leftover
        left = basis.loss[:, None] * left + rounding * rest
        rest = row_norms(vectors)
    alive = []
    for j in fresh:
        residual = vectors[:, j : j + 1]
        if basis.count > old:
            _project(residual, basis.rows[:, old:], coefficients[:, j : j + 1, old : basis.count])
            norm = row_norms(residual)[:, 0]
            error = left[:, j] + basis.loss * row_norms(coefficients[:, j, old:]) + rounding * rest[:, j]
        else:
            norm, error = rest[:, j], left[:, j]
        kept = norm > dependent * lengths[:, j]
        if (error > precision.loss * norm)[kept].any():
            _project(residual, basis.rows, coefficients[:, j : j + 1, : basis.count])
            error = basis.loss * error + rounding * norm
            norm = row_norms(residual)[:, 0]
            kept = norm > dependent * lengths[:, j]
        lost = np.divide(error, norm, out=np.zeros_like(norm), where=kept)
        basis.loss = np.where(kept, np.hypot(basis.loss, np.sqrt(2.0) * lost), basis.loss)
        if kept.any():
            inverse = np.divide(1.0, norm, out=np.zeros_like(norm), where=kept)[:, None, None]
            coefficients[:, j, basis.count] = np.where(kept, norm, 0.0)
            np.multiply(residual, inverse, out=basis.reserve(1))
            alive.append(kept)
    mask = np.stack(alive, axis=1) if alive else np.zeros((batch, 0), dtype=bool, like=vectors)
    return coefficients[:, :, : basis.count], mask
