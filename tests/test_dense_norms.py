"""Norms and spectra of tensors that are drawn whole: identities, brackets, grids, and published averages."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from given_tensors import Given, bracket, gaussian, product_of, values
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.norms import relaxation
from randtensor.norms.linear_algebra import bipartitions
from randtensor.quantity import Draw
from randtensor.spectra import spectrum

n = rt.Scale("n")
CUBE = rt.gaussian(n, n, n)


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
seeds = st.integers(0, 2**32)


@settings(max_examples=40)
@given(shapes, st.booleans(), seeds)
def test_norms_are_ordered(shape, complex_valued, seed):
    """max <= injective <= operator <= Frobenius <= nuclear, for every unfolding, with both ends of every bracket."""
    tensors = gaussian((3, *shape), seed, complex_valued)
    injective, nuclear = bracket(tensors), bracket(tensors, "nuclear")
    frobenius, largest = values(tensors, "frobenius"), values(tensors, "max")
    operators = [values(tensors, "operator", rows=rows) for rows in bipartitions(len(shape))] or [frobenius]
    chain = [injective.lower, injective.upper, np.min(operators, axis=0), np.max(operators, axis=0), frobenius]
    chain += [nuclear.lower, nuclear.upper]
    for smaller, larger in pairwise(chain):
        assert (smaller <= larger * (1 + 1e-9)).all()
    assert (largest <= injective.upper * (1 + 1e-9)).all()
    assert injective.failure == nuclear.failure == 0.0
    if sum(size > 1 for size in shape) <= 2:
        assert (injective.lower == injective.upper).all() and (nuclear.lower == nuclear.upper).all()


@settings(max_examples=30)
@given(shapes, st.booleans(), seeds)
def test_every_norm_of_a_product_is_the_product_of_lengths(shape, complex_valued, seed):
    """Brackets close on tensors of rank one: relaxation, unfoldings and principal axes are all tight there."""
    vectors = [gaussian(size, seed + k, complex_valued) for k, size in enumerate(shape)]
    tensor, length = product_of(vectors)[None], np.prod([np.linalg.norm(v) for v in vectors])
    for kind in ("injective", "nuclear"):
        ends = bracket(tensor, kind)
        np.testing.assert_allclose([ends.lower, ends.upper], length, rtol=1e-6)
    np.testing.assert_allclose(values(tensor, "frobenius"), length)
    np.testing.assert_allclose(values(tensor, "max"), np.prod([np.abs(v).max() for v in vectors]))
    for rows in bipartitions(len(shape)):
        np.testing.assert_allclose(values(tensor, "operator", rows=rows), length)
    if len(shape) == 3 and min(shape) > 1:
        relaxed, _ = relaxation.spectral_relaxation(tensor, 20, 1e-6, np.random.default_rng(0))
        np.testing.assert_allclose(relaxed, length, rtol=1e-6)


@pytest.mark.parametrize("complex_valued", [False, True])
def test_maximum_over_a_circle_or_a_sphere(complex_valued):
    """With a last axis of length 2 the norm is the largest top singular value over a grid of third vectors z.

    The best z is nearer than 0.04 to one in the grid, so their inner product, and the value there, loses below 1e-3.
    """
    tensors = gaussian((20, 3, 4, 2), 1, complex_valued)
    if complex_valued:
        angles, phases = np.linspace(0, np.pi / 2, 60), np.exp(2j * np.pi * np.arange(120) / 120)
    else:
        angles, phases = np.linspace(0, np.pi / 2, 500), np.array([1.0, -1.0])
    cosines, sines = np.broadcast_arrays(np.cos(angles)[:, None], np.sin(angles)[:, None] * phases)
    thirds = np.stack([cosines.ravel(), sines.ravel()])
    grid = np.linalg.svd(np.einsum("sijk,kg->sgij", tensors, thirds), compute_uv=False)[..., 0].max(axis=1)
    found = values(tensors)
    assert (found >= grid * (1 - 1e-6)).all() and (found <= grid * (1 + 1e-3)).all()


def test_states_of_three_qubits():
    """Wei & Goldbart, quant-ph/0307219: overlaps 2/3 and 1/sqrt(2), over complex product states as over real ones."""
    w, ghz = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    w[0, 0, 1] = w[0, 1, 0] = w[1, 0, 0] = 3**-0.5
    ghz[0, 0, 0] = ghz[1, 1, 1] = 2**-0.5
    for states in (np.stack([w, ghz]), np.stack([w, ghz]) + 0j):
        np.testing.assert_allclose(values(states), [2 / 3, 2**-0.5], rtol=1e-6)
        np.testing.assert_allclose(values(states, "symmetric injective"), [2 / 3, 2**-0.5], rtol=1e-6)
    ends = bracket(ghz[None], "nuclear")
    np.testing.assert_allclose([ends.lower, ends.upper], 2**0.5)


@settings(max_examples=20)
@given(st.lists(st.floats(0.1, 5.0), min_size=2, max_size=5), st.integers(3, 4), seeds)
def test_orthogonally_decomposable_tensors(gaps, order, seed):
    """sum_i w_i u_i x v_i x .. has injective norm max w and nuclear norm sum w; distinct w close both brackets."""
    weights, size = np.cumsum(gaps), len(gaps) + 1
    bases = [np.linalg.qr(gaussian((size, size), seed + k))[0] for k in range(order)]
    tensor = sum(w * product_of([basis[:, i] for basis in bases]) for i, w in enumerate(weights))
    injective, nuclear = bracket(tensor[None]), bracket(tensor[None], "nuclear")
    np.testing.assert_allclose([injective.lower, injective.upper], max(weights), rtol=1e-6)
    np.testing.assert_allclose([nuclear.lower, nuclear.upper], sum(weights), rtol=1e-6)
    symmetric = sum(w * product_of([bases[0][:, i]] * order) for i, w in enumerate(weights))
    np.testing.assert_allclose(values(symmetric[None], "symmetric injective"), max(weights), rtol=1e-6)


@settings(max_examples=15)
@given(st.integers(2, 4), st.integers(2, 4), st.integers(2, 4), st.booleans(), seeds)
def test_norms_do_not_see_rotations(a, b, c, complex_valued, seed):
    tensors = gaussian((2, a, b, c), seed, complex_valued)
    rotations = [np.linalg.qr(gaussian((d, d), seed + d, complex_valued))[0] for d in (a, b, c)]
    rotated = np.einsum("sabc,ia,jb,kc->sijk", tensors, *rotations)
    np.testing.assert_allclose(values(rotated), values(tensors), rtol=1e-5)
    np.testing.assert_allclose(bracket(rotated).upper, bracket(tensors).upper, rtol=1e-9)
    np.testing.assert_allclose(bracket(rotated, "nuclear").lower, bracket(tensors, "nuclear").lower, rtol=1e-9)
    transposed, turned = tensors.transpose(0, 3, 1, 2), bracket(tensors.transpose(0, 3, 1, 2))
    assert (turned.upper >= values(tensors) * (1 - 1e-9)).all()
    np.testing.assert_allclose(values(transposed), values(tensors), rtol=1e-5)


@settings(max_examples=15)
@given(st.integers(2, 4), st.integers(3, 4), st.booleans(), seeds)
def test_triangle_inequality_and_duality(size, order, complex_valued, seed):
    s, t = (gaussian((2, *[size] * order), seed + k, complex_valued) for k in range(2))
    assert (values(s + t) <= bracket(s).upper + bracket(t).upper).all()
    inner = np.abs((np.conj(s) * t).reshape(2, -1).sum(axis=1))
    assert (inner <= bracket(s).upper * bracket(t, "nuclear").upper).all()
    np.testing.assert_allclose(values(-2 * s), 2 * values(s), rtol=1e-5)


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(1, 4), st.booleans(), seeds)
def test_symmetric_tensors_peak_on_the_diagonal(size, order, complex_valued, seed):
    """Banach 1938: one vector in all slots does as well as several, so two different searches agree."""
    tensors = gaussian((4, *[size] * order), seed, complex_valued)
    quantity = rt.norm(Given(tensors), "symmetric injective")
    with Draw({}, 4, np.random.default_rng(0)) as draw:
        parts, exponents = quantity.entries(draw)
        symmetric = parts * 2.0 ** exponents.reshape(-1, *[1] * (parts.ndim - 1))
        found, again = quantity.evaluate(draw), quantity.evaluate(draw)
    np.testing.assert_allclose(found, values(symmetric), rtol=1e-5)
    assert np.array_equal(found, again)
    assert (found <= bracket(tensors).upper * (1 + 1e-9)).all()
    ends = bracket(tensors, "symmetric injective")
    assert (ends.lower <= ends.upper).all()


#: Accuracy stated with the published averages. They are taken to be right to within twice that; what that error is, a
#: standard deviation or a bound, is not stated, so that it is added to ours and not in quadrature.
PUBLISHED = 2 * 0.012


@pytest.mark.parametrize(
    ("kind", "size", "average"), [("injective", 4, 2.195), ("injective", 8, 2.483), ("symmetric injective", 4, 1.313)]
)
def test_published_averages(kind, size, average):
    """Means of 800 samples are normal to good accuracy: a z-score of 5 of our own error has probability 6e-7."""
    samples = rt.norm(CUBE, kind).sample(size, size=800, rng=1) / np.sqrt(size)
    assert abs(samples.mean() - average) < PUBLISHED + 5 * samples.std() / np.sqrt(len(samples))
    # The norm is 1-Lipschitz in the entries, so its variance is at most 1 (Gaussian Poincare inequality).
    assert samples.var() * size < 1.0


@pytest.mark.parametrize("kind", ["injective", "symmetric injective"])
def test_more_starts_rarely_find_more(kind):
    for size, batch in ((4, 64), (8, 32), (16, 24)):
        with Draw({"n": size}, batch, np.random.default_rng(size)) as draw:
            default = rt.norm(CUBE, kind).evaluate(draw)
            many = rt.norm(CUBE, kind, starts=300, tolerance=1e-8).evaluate(draw)
        assert (default >= many * (1 - 1e-4)).mean() >= 0.95


@pytest.mark.parametrize("complex_valued", [False, True])
def test_krylov_spaces_bound_the_relaxation(complex_valued, monkeypatch):
    """Each upper bound fails with probability at most 1e-9; the relaxation itself is exact where it is formed."""
    tensors = gaussian((4, 6, 5, 9), 3, complex_valued)
    exact, spent = relaxation.spectral_relaxation(tensors, 20, 1e-9, np.random.default_rng(0))
    assert spent == 0.0 and (values(tensors) <= exact).all()
    monkeypatch.setattr(relaxation, "EXACT_DIMENSION", 0)
    widths = []
    for steps in (3, 12, 25, 60):
        bound, spent = relaxation.spectral_relaxation(tensors, steps, 1e-9, np.random.default_rng(1))
        assert spent == 1e-9 and (bound >= exact * (1 - 1e-9)).all()
        widths.append(bound.max())
    assert widths[0] == np.inf and widths[1:] == sorted(widths[1:], reverse=True)
    np.testing.assert_allclose(bound, exact, rtol=0.05)
    ends = rt.norm(Given(tensors), steps=25).bracket(size=4, rng=0, failure=1e-9)
    assert ends.failure == 1e-9 and (ends.lower <= ends.upper).all()
    monkeypatch.setattr(relaxation, "AFFORDABLE", 0)
    unaffordable, spent = relaxation.spectral_relaxation(tensors, 20, 1e-9, np.random.default_rng(1))
    assert np.isinf(unaffordable).all() and spent == 0.0


def test_the_relaxation_beats_unfoldings():
    """Order n^(3/4) against n: at n = 24 on Gaussian tensors it is far below every unfolding."""
    ends = rt.norm(CUBE).bracket(24, size=2, rng=0)
    unfolding = rt.norm(CUBE, "operator", rows=(0,)).sample(24, size=2, rng=0)
    assert (ends.upper < 0.7 * unfolding.min()).all() and (ends.upper < 1.4 * ends.lower).all()


def test_brackets_belong_to_the_samples():
    quantity = rt.norm(CUBE)
    samples, ends = quantity.sample(5, size=7, rng=4), quantity.bracket(5, size=7, rng=4)
    assert np.array_equal(samples, ends.lower) and np.array_equal(quantity.lower().sample(5, size=7, rng=4), samples)
    assert np.array_equal(quantity.upper().sample(5, size=7, rng=4), ends.upper)
    assert np.array_equal(quantity.sample(5, size=3, rng=4), samples[:3])
    nuclear = rt.norm(CUBE, "nuclear")
    ends = nuclear.bracket(3, size=5, rng=4)
    assert np.array_equal(nuclear.lower().sample(3, size=5, rng=4), ends.lower)
    assert np.array_equal(nuclear.upper().sample(3, size=5, rng=4), ends.upper)
    both = rt.combine(lambda a, b: a - b, quantity, quantity)
    assert (both.sample(4, size=3, rng=0) == 0).all()


def test_nuclear_norm_of_matrices():
    """The trace norm; orthogonal matrices have n."""
    np.testing.assert_allclose(rt.norm(rt.haar(n), "nuclear").sample(5, size=3, rng=0), 5.0)
    matrices = gaussian((4, 3, 6), 0)
    np.testing.assert_allclose(values(matrices, "nuclear"), [np.linalg.norm(m, "nuc") for m in matrices])
    np.testing.assert_allclose(values(matrices[:, :1], "nuclear"), np.linalg.norm(matrices[:, 0], axis=1))


def test_axes_of_unfoldings():
    tensors = gaussian((2, 2, 3, 4), 5)
    expected = [np.linalg.norm(t.transpose(0, 2, 1).reshape(8, 3), 2) for t in tensors]
    for rows in ((0, 2), "ac", (2, 0), (1,), "b"):
        np.testing.assert_allclose(values(tensors, "operator", rows=rows), expected)
    G = rt.gaussian(2, 3)
    product = rt.einsum("xy,zw->wxzy", G, G)
    for rows, axes in (("xy", (1, 3)), ("w", (0,))):
        by_letter, by_axis = (rt.norm(product, "operator", rows=r) for r in (rows, axes))
        assert np.array_equal(by_letter.sample(size=2, rng=0), by_axis.sample(size=2, rng=0))


def test_arguments_are_checked():
    with pytest.raises(rt.InputError, match=r"kind is 'spectral', expected 'injective' .*, 'symmetric injective', "):
        rt.norm(CUBE, "spectral")
    with pytest.raises(rt.InputError, match="starts is 0, expected a positive integer"):
        rt.norm(CUBE, starts=0)
    with pytest.raises(rt.InputError, match="tolerance is 2, expected a relative accuracy between 0 and 1"):
        rt.norm(CUBE, tolerance=2)
    with pytest.raises(rt.InputError, match=r"rows is \(0,\), expected None: unfoldings are for kind='operator'"):
        rt.norm(CUBE, rows=(0,))
    for rows in (None, 1, (0.5,), (True,)):
        with pytest.raises(rt.InputError, match=r"rows is .*, expected the axes of the unfolding's rows"):
            rt.norm(CUBE, "operator", rows=rows)
    for rows in ((), (0, 0), (3,), (-1,), "abc", "z", (0, 1, 2)):
        with pytest.raises(rt.InputError, match=r"rows is .*, expected some but not all of the 3 axes of the tensor"):
            rt.norm(CUBE, "operator", rows=rows)
    with pytest.raises(rt.InputError, match="expected some but not all of the 1 axes"):
        values(np.ones((1, 2)), "operator", rows=(0,))
    with pytest.raises(rt.EquationError, match="the tensor has 3 indices and its nuclear norm is known by bounds only"):
        rt.norm(CUBE, "nuclear").sample(3)
    with pytest.raises(
        rt.ShapeError, match=r"the tensor has shape \(2, 3\), expected equal sizes for a symmetric norm"
    ):
        values(np.ones((1, 2, 3)), "symmetric injective")
    with pytest.raises(rt.InputError, match="failure is 0, expected a probability between 0 and 1"):
        rt.norm(CUBE).bracket(3, failure=0)


# Spectra


@pytest.mark.parametrize("complex_valued", [False, True])
def test_spectra_against_direct_computation(complex_valued):
    matrices = gaussian((5, 6, 6), 7, complex_valued)
    hermitian = matrices + np.conj(matrices).swapaxes(1, 2)
    cases = [
        ("largest eigenvalue", hermitian, lambda m: max(np.linalg.eigvals(m).real)),
        ("spectral radius", matrices, lambda m: max(abs(np.linalg.eigvals(m)))),
        ("smallest singular value", matrices[:, :4], lambda m: 1 / np.linalg.norm(np.linalg.pinv(m), 2)),
    ]
    for kind, arrays, reference in cases:
        sample = spectrum(Given(arrays), kind).sample(size=5, rng=0)
        np.testing.assert_allclose(sample, [reference(m) for m in arrays], rtol=1e-9)


@pytest.mark.parametrize(("size", "mean"), [(1, 1.0), (2, 2**0.5), (3, 1 + 2**-0.5), (4, 11 / 8 * 2**0.5)])
def test_number_of_real_eigenvalues(size, mean):
    """Edelman, Kostlan & Shub, J. AMS 7 (1994) 247. A z-score of 6 has probability 2e-9."""
    counts = spectrum(rt.gaussian(n, n), "number of real eigenvalues").sample(size, size=4000, rng=3)
    assert ((size - counts) % 2 == 0).all() and ((counts >= 0) & (counts <= size)).all()
    assert abs(counts.mean() - mean) <= 6 * counts.std() / np.sqrt(len(counts))


def test_spectra_check_their_arguments():
    with pytest.raises(rt.InputError, match="kind is 'trace', expected 'largest eigenvalue', 'spectral radius', "):
        spectrum(rt.goe(n), "trace")
    with pytest.raises(rt.InputError, match="tensor is 3, expected a random matrix or a contraction"):
        spectrum(3, "spectral radius")
    with pytest.raises(rt.InputError, match=r"the matrix differs from its adjoint by .*, expected a symmetric"):
        spectrum(rt.gaussian(n, n), "largest eigenvalue").sample(3, rng=0)
    with pytest.raises(rt.InputError, match="the matrix is complex, expected a real one"):
        spectrum(Given(np.ones((1, 2, 2)) + 0j), "number of real eigenvalues").sample()
    with pytest.raises(rt.ShapeError, match=r"the tensor has shape \(3, 3, 3\), expected a matrix"):
        spectrum(CUBE, "smallest singular value").sample(3)
    with pytest.raises(rt.ShapeError, match=r"the tensor has shape \(3, 2\), expected a square matrix"):
        spectrum(rt.gaussian(n, 2), "spectral radius").sample(3)
