"""Brackets of norms at extreme scales, and the bounds themselves against tensors of known norms."""

from __future__ import annotations

import numpy as np
import pytest
from given_tensors import bracket, gaussian, product_of, values

import randtensor as rt
from randtensor.norms import dense_norms, relaxation
from randtensor.norms.linear_algebra import rescaled


def tensors_of_known_norms(order, size, seed):
    """Tensors with their injective and nuclear norms, and the factor by which upper bounds may exceed the former.

    Tensors of rank one; sums of products of orthonormal vectors with weights 3, 2, 1, whose norms are 3 and 6; and, at
    order 3, the GHZ state with norms 1/sqrt(2) and sqrt(2), and the W state with norms 2/3 and 3/2 (Wei & Goldbart,
    quant-ph/0307219; Friedland & Lim, arXiv 1410.6072), whose unfoldings have norms sqrt(2/3).
    """
    vectors = [gaussian(size, seed + k) for k in range(order)]
    length = np.prod([np.linalg.norm(v) for v in vectors])
    cases = [(product_of(vectors), length, length, 1.0)]
    bases = [np.linalg.qr(gaussian((size, size), seed + k))[0] for k in range(order)]
    orthogonal = sum(w * product_of([basis[:, i] for basis in bases]) for i, w in enumerate((3.0, 2.0, 1.0)))
    cases.append((orthogonal, 3.0, 6.0, 1.0))
    if order == 3:
        w, ghz = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
        w[0, 0, 1] = w[0, 1, 0] = w[1, 0, 0] = 3**-0.5
        ghz[0, 0, 0] = ghz[1, 1, 1] = 2**-0.5
        cases += [(ghz, 2**-0.5, 2**0.5, 1.0), (w, 2 / 3, 3 / 2, 1.5**0.5)]
    return cases


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("complex_valued", [False, True])
@pytest.mark.parametrize("krylov", [False, True])
def test_upper_bounds_are_not_below_known_norms(scale, order, complex_valued, krylov, monkeypatch):
    """The functions that bound, before a bracket compares their results; a Krylov bound fails with probability 1e-9."""
    if krylov:
        monkeypatch.setattr(relaxation, "EXACT_DIMENSION", 0)
    for tensor, injective, _, excess in tensors_of_known_norms(order, 4, 11):
        phase = np.exp(0.7j) if complex_valued else -1.0
        tensors, exponents = rescaled(scale * phase * tensor[None])
        upper, spent = relaxation.injective_upper_bound(tensors, 60, 1e-9, np.random.default_rng(0))
        upper = np.ldexp(upper, exponents) / scale
        assert injective * (1 - 1e-9) <= upper <= injective * excess * (1 + 1e-6)
        assert spent == (1e-9 if krylov and order == 3 else 0.0)
        if order == 3:
            relaxed, _ = relaxation.spectral_relaxation(tensors, 60, 1e-9, np.random.default_rng(0))
            assert np.ldexp(relaxed, exponents) >= injective * scale * (1 - 1e-9)


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-170, 1e-150, 1e150, 1e160, 1e300])
def test_brackets_hold_at_extreme_scales(scale):
    """Subnormal numbers keep three digits at 1e-320, others all."""
    accuracy = 1e-2 if scale < 1e-310 else 1e-6
    for tensor, injective, nuclear, _ in tensors_of_known_norms(3, 3, 17):
        for kind, truth in (("injective", injective), ("nuclear", nuclear)):
            ends = bracket(scale * tensor[None], kind)
            assert ends.lower <= truth * scale * (1 + accuracy) and ends.upper >= truth * scale * (1 - accuracy)
    tensors = gaussian((2, 3, 3, 3), 0)
    for kind in ("injective", "symmetric injective", "nuclear", "frobenius", "max"):
        small, one = bracket(scale * tensors, kind), bracket(tensors, kind)
        np.testing.assert_allclose(small.lower, scale * one.lower, rtol=max(accuracy, 1e-5))
        np.testing.assert_allclose(small.upper, scale * one.upper, rtol=accuracy)
    for kind in ("injective", "nuclear", "frobenius", "max"):
        np.testing.assert_allclose(values(scale * np.eye(3)[None, :1], kind), scale, rtol=accuracy)
    np.testing.assert_allclose(
        values(scale * tensors, "operator", rows="a") / scale, values(tensors, "operator", rows="a"), rtol=accuracy
    )


def test_samples_of_one_batch_have_scales_of_their_own():
    tensors = gaussian((3, 3, 3, 3), 1) * np.array([1e-170, 1.0, 1e160])[:, None, None, None]
    ends = bracket(tensors)
    single = [bracket(tensor[None] / np.abs(tensor).max()).upper[0] * np.abs(tensor).max() for tensor in tensors]
    np.testing.assert_allclose(ends.upper, single, rtol=1e-9)
    assert (ends.lower > 0.5 * ends.upper).all()


def test_powers_of_two_leave_no_trace():
    """Scaling by them is exact, so that norms carry it bit for bit."""
    tensors = gaussian((3, 3, 4, 2), 2, complex_valued=True)
    for kind in ("injective", "frobenius", "max"):
        assert np.array_equal(values(2.0**300 * tensors, kind), 2.0**300 * values(tensors, kind))


def test_a_symmetric_part_far_smaller_than_the_tensor():
    """An antisymmetric tensor has none, so that only the diagonal is left, whose norm is its largest entry."""
    tensor = np.zeros((1, 3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        tensor[0, i, j, k], tensor[0, i, k, j] = 1.0, -1.0
    tensor[0, range(3), range(3), range(3)] = [1e-170, 2e-170, 3e-170]
    ends = bracket(tensor, "symmetric injective")
    np.testing.assert_allclose([ends.lower, ends.upper], 3e-170, rtol=1e-6)


def test_upper_bounds_that_fail_are_not_hidden(monkeypatch):
    honest = dense_norms.injective_upper_bound
    for factor, hidden in ((0.5, True), (1 - 1e-9, False)):

        def wrong(*arguments, factor=factor):
            upper, spent = honest(*arguments)
            return factor * upper, spent

        monkeypatch.setattr(dense_norms, "injective_upper_bound", wrong)
        ends = bracket(product_of([np.ones(3)] * 3)[None])
        assert np.isnan(ends.upper) == hidden and ends.lower > 5.0


def test_tensors_of_zeros_and_without_finite_entries():
    for kind in ("injective", "symmetric injective", "nuclear"):
        ends = bracket(np.zeros((2, 3, 3, 3)), kind)
        assert (ends.lower == 0).all() and (ends.upper == 0).all()
    for kind in ("injective", "symmetric injective", "frobenius", "max"):
        for entry in (np.inf, -np.inf, np.nan, complex(0, np.inf)):
            with pytest.raises(rt.InputError, match="the tensor has an entry that is infinite or not a number"):
                values(np.full((1, 2, 2), entry), kind)
