"""Revealed random matrices: exact linear maps, with the law of the matrices they stand for.

Statistical tests run on drawn, fixed seeds. Each is set to fail by chance with probability below ``FALSE_FAILURE``
per comparison; the file makes fewer than 40 comparisons, so below 1e-6 in total.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse.linalg import svds

import randtensor as rt
from randtensor.revealed import DenseMatrix, RandomMatrix, RevealedGaussian, RevealedGOE, RevealedHaar

FALSE_FAILURE = 2.5e-8

FAMILIES = {
    "gaussian": lambda rows, columns, batch, seed: RevealedGaussian((rows, columns), std=0.7, batch=batch, rng=seed),
    "goe": lambda rows, columns, batch, seed: RevealedGOE(rows, std=0.7, batch=batch, rng=seed),
    "haar": lambda rows, columns, batch, seed: RevealedHaar(rows, batch=batch, rng=seed),
}
families = st.sampled_from(sorted(FAMILIES))


def lengths(rows: np.ndarray) -> np.ndarray:
    largest = np.abs(rows).max(axis=-1, keepdims=True, initial=0.0)
    scale = np.where(largest > 0, largest, 1.0)
    return scale[..., 0] * np.linalg.norm(rows / scale, axis=-1)


def vectors(rng: np.random.Generator, batch: int, length: int, kinds: list[str]) -> np.ndarray:
    """Rows of several kinds; those that refer to an earlier row differ between the samples of the batch."""
    rows: list[np.ndarray] = []
    for kind in kinds:
        row = rng.standard_normal((batch, length))
        other = rows[rng.integers(len(rows))] if rows else row
        match kind:
            case "zero":
                row[rng.integers(batch)] = 0.0
            case "duplicate":
                row[0] = -2.0 * other[0]
            case "nearly dependent":
                row = other + 10.0 ** rng.integers(-15, -4) * lengths(other)[:, None] * row
            case "huge":
                row *= 1e120
            case "tiny":
                row *= 1e-120
            case "spread":
                row *= 10.0 ** rng.integers(-12, 12, row.shape)
            case "unit":
                row = np.eye(length)[rng.integers(length, size=batch)]
        rows.append(row)
    return np.stack(rows, axis=1)


KINDS = st.lists(
    st.sampled_from(["normal", "zero", "duplicate", "nearly dependent", "huge", "tiny", "spread", "unit"]),
    min_size=1,
    max_size=7,
)


class Transcript:
    """Everything asked of a matrix and everything it answered, scaled to unit vectors."""

    def __init__(self, matrix: RandomMatrix) -> None:
        self.matrix = matrix
        self.right: list[tuple[np.ndarray, np.ndarray]] = []
        self.left: list[tuple[np.ndarray, np.ndarray]] = []

    def ask(self, rows: np.ndarray, transposed: bool) -> None:
        answers = (self.matrix.apply_transposed if transposed else self.matrix.apply)(rows)
        size = lengths(rows)[..., None]
        size = np.where(size > 0, size, 1.0)
        (self.left if transposed else self.right).append((rows / size, answers / size))

    def check_consistency(self) -> None:
        """u.(W x) = (W^T u).x for all unit vectors met, to rounding."""
        if self.left and self.right:
            x, wx = (np.concatenate(part, axis=1) for part in zip(*self.right, strict=True))
            u, wu = (np.concatenate(part, axis=1) for part in zip(*self.left, strict=True))
            scale = 1 + np.abs(wx).max() + np.abs(wu).max()
            error = np.abs(u @ wx.swapaxes(1, 2) - wu @ x.swapaxes(1, 2)).max()
            assert error < 1e-10 * scale * np.sqrt(sum(self.matrix.shape))


@settings(max_examples=120, deadline=None)
@given(
    families,
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 3),
    st.lists(st.tuples(st.booleans(), KINDS), min_size=2, max_size=6),
    st.integers(0, 2**32),
)
def test_products_and_transposed_products_are_those_of_one_matrix(family, rows, columns, batch, queries, seed):
    matrix = FAMILIES[family](rows, columns, batch, seed)
    rng = np.random.default_rng(seed)
    transcript = Transcript(matrix)
    for transposed, kinds in queries:
        transcript.ask(vectors(rng, batch, matrix.shape[0 if transposed else 1], kinds), transposed)
    transcript.check_consistency()
    assert matrix.revealed[0] <= batch * matrix.shape[1]


@settings(max_examples=60, deadline=None)
@given(families, st.integers(1, 8), st.integers(1, 8), KINDS, st.integers(0, 2**32))
def test_the_map_is_linear_and_does_not_change(family, rows, columns, kinds, seed):
    matrix = FAMILIES[family](rows, columns, 2, seed)
    rng = np.random.default_rng(seed)
    asked = vectors(rng, 2, matrix.shape[1], kinds)
    first = matrix.apply(asked)
    matrix.apply_transposed(vectors(rng, 2, matrix.shape[0], ["normal", "unit"]))
    again = matrix.apply(asked)
    bound = 1e-10 * lengths(asked)[..., None] * (1 + np.abs(first).max() / max(np.abs(asked).max(), 1e-300))
    assert np.all(np.abs(again - first) <= bound)
    unit = asked / np.where(lengths(asked) > 0, lengths(asked), 1.0)[..., None]
    coefficients = rng.standard_normal((2, 3, len(kinds)))
    combined = matrix.apply(coefficients @ unit)
    np.testing.assert_allclose(combined, coefficients @ matrix.apply(unit), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_more_questions_than_the_rank_reveal_everything(family):
    matrix = FAMILIES[family](7, 7, 3, 5)
    rng = np.random.default_rng(6)
    for _ in range(5):
        matrix.apply(rng.standard_normal((3, 4, 7)))
        matrix.apply_transposed(rng.standard_normal((3, 4, 7)))
    assert matrix.revealed == (7, 7)
    entries = matrix.apply(np.broadcast_to(np.eye(7), (3, 7, 7))).swapaxes(1, 2)
    asked = rng.standard_normal((3, 2, 7))
    np.testing.assert_allclose(matrix.apply(asked), asked @ entries.swapaxes(1, 2), atol=1e-12)
    np.testing.assert_allclose(matrix.apply_transposed(asked), asked @ entries, atol=1e-12)
    if family == "goe":
        np.testing.assert_allclose(entries, entries.swapaxes(1, 2), atol=1e-12)
    if family == "haar":
        np.testing.assert_allclose(entries @ entries.swapaxes(1, 2), np.broadcast_to(np.eye(7), (3, 7, 7)), atol=1e-12)


def test_known_part_answers_what_was_asked():
    matrix = RevealedGaussian((6, 9), batch=2, rng=1)
    rng = np.random.default_rng(2)
    x, u = rng.standard_normal((2, 3, 9)), rng.standard_normal((2, 2, 6))
    wx, wu = matrix.apply(x), matrix.apply_transposed(u)
    known = matrix.known_part()
    np.testing.assert_allclose(x @ known.swapaxes(1, 2), wx, atol=1e-12)
    np.testing.assert_allclose(u @ known, wu, atol=1e-12)


def test_long_vectors_are_worked_on_in_panels():
    length = 2**15 + 3
    matrix = RevealedGaussian((length, 5), rng=3)
    rng = np.random.default_rng(4)
    transcript = Transcript(matrix)
    for transposed in (True, False, True):
        transcript.ask(rng.standard_normal((1, 4, matrix.shape[not transposed])), transposed)
    transcript.check_consistency()


def test_same_seed_same_matrix_and_operators():
    one, two = (RevealedGaussian((4, 3), rng=9) for _ in range(2))
    x, u = np.arange(3.0), np.arange(4.0)
    assert np.array_equal(one @ x, two.apply(x[None, None])[0, 0])
    assert np.array_equal(one.T @ u, u @ two)
    stack = np.arange(6.0).reshape(3, 2)
    np.testing.assert_allclose(one @ stack, np.stack([one @ stack[:, 0], one @ stack[:, 1]], axis=1))
    assert one.T.T.shape == one.shape and one.T.revealed == one.revealed[::-1]
    dense = DenseMatrix(np.arange(12.0).reshape(3, 4))
    assert dense.revealed == (4, 3) and np.array_equal(dense @ u, dense.entries[0] @ u)


# Laws


def sizes_of_moments(samples: np.ndarray, expected: float) -> float:
    """The z-score of a mean."""
    return abs(samples.mean() - expected) / (samples.std(ddof=1) / np.sqrt(len(samples)))


LIMIT = stats.norm.isf(FALSE_FAILURE / 2)


def reveal(matrix: RandomMatrix, rng: np.random.Generator) -> np.ndarray:
    """All entries of square matrices, from a mixture of adaptive questions on both sides."""
    n = matrix.shape[1]
    answer = matrix.apply(rng.standard_normal((matrix.batch, 1, n)))
    back = matrix.apply_transposed(np.tanh(answer))
    matrix.apply(back**2)
    return matrix.apply(np.broadcast_to(np.eye(n), (matrix.batch, n, n))).swapaxes(1, 2)


def test_entries_of_a_fully_revealed_gaussian_matrix():
    entries = reveal(RevealedGaussian((4, 4), std=0.7, batch=20_000, rng=11), np.random.default_rng(12))
    assert stats.kstest(entries.ravel() / 0.7, "norm").pvalue > FALSE_FAILURE
    flat = entries.reshape(-1, 16) / 0.7
    # Off-diagonal sample correlations of independent normals are N(0, 1/count) up to negligible terms; 120 of them.
    correlations = (flat.T @ flat / len(flat))[np.triu_indices(16, 1)]
    assert np.abs(correlations).max() * np.sqrt(len(flat)) < stats.norm.isf(FALSE_FAILURE / 240)
    assert sizes_of_moments((flat**4).mean(axis=1), 3.0) < LIMIT


def test_variances_of_the_gaussian_orthogonal_ensemble():
    entries = reveal(RevealedGOE(5, batch=20_000, rng=13), np.random.default_rng(14))
    diagonal = np.diagonal(entries, axis1=1, axis2=2)
    upper = entries[:, *np.triu_indices(5, 1)]
    assert stats.kstest(diagonal.ravel() / np.sqrt(2), "norm").pvalue > FALSE_FAILURE
    assert stats.kstest(upper.ravel(), "norm").pvalue > FALSE_FAILURE
    assert sizes_of_moments((diagonal**2).mean(axis=1), 2.0) < LIMIT
    assert sizes_of_moments((upper**2).mean(axis=1), 1.0) < LIMIT
    assert sizes_of_moments(diagonal[:, 0] * upper[:, 0], 0.0) < LIMIT


def test_fourth_moment_of_haar_entries():
    n = 4
    entries = reveal(RevealedHaar(n, batch=20_000, rng=15), np.random.default_rng(16))
    assert sizes_of_moments(entries[:, 0, 0] ** 4, 3 / (n * (n + 2))) < LIMIT
    mixed = entries[:, 0, 0] * entries[:, 1, 1] * entries[:, 0, 1] * entries[:, 1, 0]
    assert sizes_of_moments(mixed, -1 / (n * (n - 1) * (n + 2))) < LIMIT
    assert sizes_of_moments(np.sign(np.linalg.det(entries)), 0.0) < LIMIT
    # An entry squared is Beta(1/2, (n-1)/2).
    assert stats.kstest(entries[:, 1, 2] ** 2, stats.beta(0.5, (n - 1) / 2).cdf).pvalue > FALSE_FAILURE


def bidiagonal(matrix: RandomMatrix, start: np.ndarray, steps: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Coefficients of Golub-Kahan bidiagonalisation from given unit vectors, with full orthogonalisation."""
    alphas, betas = [], []
    v, rights, lefts = start, [start], []
    for _ in range(steps):
        u = matrix.apply(v[:, None])[:, 0]
        for old in lefts:
            u = u - np.vecdot(u, old)[:, None] * old
        alphas.append(lengths(u))
        lefts.append(u / alphas[-1][:, None])
        v = matrix.apply_transposed(lefts[-1][:, None])[:, 0]
        for old in rights:
            v = v - np.vecdot(v, old)[:, None] * old
        betas.append(lengths(v))
        v = v / betas[-1][:, None]
        rights.append(v)
    return alphas, betas


def test_golub_kahan_coefficients_are_independent_chi_variables():
    """alpha_j ~ chi(m - j + 1) and beta_j ~ chi(n - j) (Dumitriu & Edelman 2002, arXiv math-ph/0206043)."""
    m, n, steps = 9, 6, 4
    matrix = RevealedGaussian((m, n), batch=10_000, rng=17)
    start = np.broadcast_to(np.full(n, n**-0.5), (matrix.batch, n))
    alphas, betas = bidiagonal(matrix, start, steps)
    for j, (alpha, beta) in enumerate(zip(alphas, betas, strict=True), start=1):
        assert stats.kstest(alpha, stats.chi(m - j + 1).cdf).pvalue > FALSE_FAILURE
        assert stats.kstest(beta, stats.chi(n - j).cdf).pvalue > FALSE_FAILURE
    correlations = np.corrcoef(alphas + betas)[np.triu_indices(2 * steps, 1)]
    assert np.abs(correlations).max() * np.sqrt(matrix.batch) < stats.norm.isf(FALSE_FAILURE / 56)


def network(dense: bool) -> list[rt.Quantity]:
    """Value, tangent kernel and second derivative of a network with three hidden layers of 12 units."""
    f = rt.networks.mlp(inputs=2, width=12, hidden_layers=3, activation="tanh", dense=dense)
    x0, x1 = [1.0, -0.5], [0.3, 1.2]
    g0, g1 = f.derivative(x0), f.derivative(x1)
    return [
        f(x0).contraction(),
        rt.einsum("a,a->", g0, g1),
        rt.einsum("ab,a,b->", f.derivative(x0, order=2), g1, g1),
    ]


def test_dense_and_revealed_networks_have_one_law():
    for number, (dense, revealed) in enumerate(zip(network(True), network(False), strict=True)):
        samples = [q.sample(size=20_000, rng=seed + number) for q, seed in ((dense, 100), (revealed, 200))]
        assert stats.ks_2samp(*samples).pvalue > FALSE_FAILURE
        assert stats.ks_2samp(*(np.abs(s) for s in samples)).pvalue > FALSE_FAILURE


@pytest.mark.parametrize("family", FAMILIES)
def test_questions_that_depend_on_answers(family):
    """Six rounds of a non-linear power iteration, against the same on all entries of the same ensemble."""
    n, batch = 6, 20_000
    tensors = {"gaussian": rt.gaussian(n, n, std=0.7), "goe": rt.goe(n, std=0.7), "haar": rt.haar(n)}
    entries = tensors[family].draw((n, n), batch, {}, np.random.default_rng(18))
    results = []
    for matrix in (FAMILIES[family](n, n, batch, 19), DenseMatrix(entries)):
        x = np.zeros((batch, 1, n))
        x[:, :, 0] = 1.0
        for _ in range(3):
            image = matrix.apply(x)
            x = matrix.apply_transposed(np.where(image > 0, image, 0.1 * image))
            x = x / lengths(x)[..., None]
        results.append((matrix.apply(x)[:, 0] @ np.arange(1.0, n + 1), x[:, 0, 0]))
    for revealed, dense in zip(*results, strict=True):
        assert stats.ks_2samp(revealed, dense).pvalue > FALSE_FAILURE


# Interfaces


def test_scipy_finds_singular_values_of_a_revealed_matrix():
    matrix = RevealedGaussian((300, 200), rng=20)
    # A Krylov space of some 140 vectors: rounding errors of an orthogonalisation in one pass would grow geometrically.
    largest = svds(matrix.linear_operator(), k=2, return_singular_vectors=False, rng=np.random.default_rng(21))
    entries = matrix @ np.eye(200)
    np.testing.assert_allclose(np.sort(largest), np.linalg.svd(entries)[1][:2][::-1], rtol=1e-8)
    operator = matrix.linear_operator()
    np.testing.assert_allclose(operator @ np.eye(200)[:, :3], entries[:, :3], atol=1e-10)
    np.testing.assert_allclose(operator.T @ np.eye(300)[:, :3], entries[:3].T, atol=1e-10)


def test_errors_name_the_argument_and_the_value():
    with pytest.raises(rt.ShapeError, match="rows is 0, expected a positive integer"):
        RevealedGaussian((0, 3))
    with pytest.raises(rt.ShapeError, match=r"columns is 2\.5, expected a positive integer"):
        RevealedGaussian((3, 2.5))
    with pytest.raises(rt.ShapeError, match="rows is -4"):
        RevealedGOE(-4)
    with pytest.raises(rt.ShapeError, match="batch is True"):
        RevealedHaar(3, batch=True)
    with pytest.raises(rt.InputError, match="rng is 'seed', expected a non-negative integer"):
        RevealedHaar(3, rng="seed")
    matrix = RevealedGaussian((3, 4))
    with pytest.raises(rt.ShapeError, match=r"vectors has shape \(3,\), expected \(1, count, 4\)"):
        matrix @ np.ones(3)
    with pytest.raises(rt.ShapeError, match=r"for a batch of 2 matrices of shape \(3, 3\)"):
        RevealedHaar(3, batch=2).apply(np.ones(3))
    with pytest.raises(rt.ShapeError, match="NaN or infinite, expected finite"):
        matrix.apply(np.array([1.0, np.nan, 0.0, 0.0]))
    with pytest.raises(rt.ShapeError, match="batch is 2, expected 1: a linear operator is one matrix"):
        RevealedGOE(3, batch=2).linear_operator()
