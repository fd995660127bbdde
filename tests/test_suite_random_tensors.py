"""The suite of random tensors: what it writes out equals what the exact rules give, and small runs come out right."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import randtensor as rt
from theory_checks import check
from theory_checks.suites import SuiteOptions, load_suite
from theory_checks.suites.random_tensors.gaussian import gaussian_rows
from theory_checks.suites.random_tensors.haar import entry_rows, matrix_rows
from theory_checks.suites.random_tensors.limits import BERRY_ESSEEN, distance_from_normal
from theory_checks.suites.random_tensors.norms import INJECTIVE, SYMMETRIC
from theory_checks.suites.random_tensors.plan import Moments, Plan
from theory_checks.suites.random_tensors.spectra import mean_smallest_singular_value, number_of_real_eigenvalues

GAUSSIAN, ENTRIES, MATRICES = gaussian_rows(), entry_rows(), matrix_rows()
#: factors of the invariants of one real tensor
DEGREES = {"G1": 2, "G2": 4, "G4": 4, "G7": 6, "G8": 2, "G9": 4, "G11": 4, "G12": 4, "G13": 6}
CLAIMS = {claim.id: claim for claim in load_suite("random-tensors").claims()}


def test_every_claim_of_the_tables_is_there():
    prefixes = {re.match(r"[A-Z]\d+", ident)[0] for ident in CLAIMS}
    assert prefixes == {
        *(f"G{k}" for k in range(1, 21)),
        *(f"N{k}" for k in range(1, 13)),
        *(f"H{k}" for k in range(1, 9)),
        "C1",
    }


def test_no_id_is_an_id_of_another_suite():
    others = {claim.id for claim in load_suite("weak-correlations").claims()}
    assert not others & set(CLAIMS)


@pytest.mark.parametrize("ident", GAUSSIAN)
def test_gaussian_moments_are_the_sums_over_pairings(ident):
    row = GAUSSIAN[ident]
    assert row.exact.expectation() == row.mean
    assert row.exact.variance() == row.variance


@pytest.mark.parametrize("ident", [ident for ident in MATRICES if ident not in ("H5", "H6", "H7")])
def test_haar_moments_are_the_weingarten_sums(ident):
    row = MATRICES[ident]
    assert row.exact.expectation() == row.mean
    assert row.exact.variance() == row.variance


@pytest.mark.parametrize("ident", ["H5", "H6"])
def test_moments_of_words_in_signs_and_a_haar_matrix(ident):
    row = MATRICES[ident]
    assert row.exact.expectation() == row.mean
    assert row.exact.variance(3) == row.variance.exact({"n": 3})


def test_purity_is_a_ratio_of_gaussian_moments():
    # The length of a Gaussian tensor is independent of its direction.
    a, b = rt.Scale("a"), rt.Scale("b")
    z = rt.complex_gaussian(a, b)
    conj = z.conj()
    fourth = rt.einsum("ax,bx,by,ay->", z, conj, z, conj)
    size = rt.Expansion.of(a) * b
    first, second = fourth.expectation(), fourth.variance() + fourth.expectation() ** 2
    mean = first / (size * (size + 1))
    assert mean == MATRICES["H7"].mean
    assert second / (size * (size + 1) * (size + 2) * (size + 3)) - mean**2 == MATRICES["H7"].variance


@pytest.mark.parametrize("size", [3, 4, 6])
@pytest.mark.parametrize("ident", ["H1", "H2", "H3"])
def test_moments_of_entries_of_haar_matrices(ident, size):
    first, second = (rt.fixed(np.eye(size)[k]) for k in range(2))
    u = rt.haar(size, "unitary")
    o = rt.haar(size)
    factors = {
        "H1": ([u, u, u.conj(), u.conj()], [(first, first)] * 4),
        "H2": ([o] * 4, [(first, first)] * 4),
        "H3": ([o] * 4, [(first, first), (second, second), (first, second), (second, first)]),
    }
    matrices, ends = factors[ident]
    c = rt.einsum(
        "ab,a,b,cd,c,d,ef,e,f,gh,g,h->", *(t for m, (x, y) in zip(matrices, ends, strict=True) for t in (m, x, y))
    )
    row = ENTRIES[ident]
    assert c.expectation() == rt.Expansion.of(row.mean.exact({"n": size}))
    assert c.variance() == rt.Expansion.of(row.variance.exact({"n": size}))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_traces_of_powers_below_the_degree(size):
    assert MATRICES["H4.3"].exact.expectation(size) == size


@pytest.mark.parametrize("ident", DEGREES)
def test_gaussian_moments_at_size_one(ident):
    # With one entry an invariant of one real tensor is a power of a normal number.
    row, degree = GAUSSIAN[ident], DEGREES[ident]
    double_factorial = math.prod(range(1, degree, 2))
    assert row.mean.exact({"n": 1}) == double_factorial
    assert row.variance.exact({"n": 1}) == math.prod(range(1, 2 * degree, 2)) - double_factorial**2


def test_limits_of_the_injective_norms_solve_the_complexity_equation():
    # Auffinger, Ben Arous & Cerny 2013: the number of critical values above e n^1/2 is exp(n S(e)).
    from scipy.optimize import brentq

    edge = 2 * math.sqrt(2 / 3)

    def complexity(e):
        s = math.sqrt(e * e - edge * edge)
        return 0.5 * math.log(2) - e * e / 8 - e * s / edge**2 + math.log(e + s) - math.log(edge)

    root = brentq(complexity, edge, 10)
    assert root == pytest.approx(SYMMETRIC, abs=1e-5)
    assert math.sqrt(3) * root == pytest.approx(INJECTIVE, abs=1e-5)


def test_mean_smallest_singular_value():
    assert mean_smallest_singular_value(1) == pytest.approx(math.sqrt(2 / math.pi))
    limit = math.sqrt(math.pi / 2) * math.exp(0.5) * math.erfc(math.sqrt(0.5))
    assert 20 * mean_smallest_singular_value(400) == pytest.approx(limit, rel=2e-3)


@pytest.mark.parametrize("size, ratio", [(2, 1), (4, 11 / 8), (6, 211 / 128)])
def test_number_of_real_eigenvalues(size, ratio):
    # Edelman, Kostlan & Shub 1994, table 1.
    assert number_of_real_eigenvalues(size) == pytest.approx(ratio * math.sqrt(2))


def test_number_of_real_eigenvalues_of_odd_size():
    assert number_of_real_eigenvalues(3) == pytest.approx(1 + math.sqrt(2) / 2)
    assert number_of_real_eigenvalues(5) == pytest.approx(1 + 13 * math.sqrt(2) / 16)


@pytest.mark.parametrize("size, value", [(4, 0.13340), (16, 0.13311), (64, 0.13301), (256, 0.13299), (1024, 0.13298)])
def test_distance_from_the_normal_law(size, value):
    assert math.sqrt(size) * distance_from_normal(size) == pytest.approx(value, abs=6e-6)
    assert pytest.approx(0.13298, abs=5e-6) == BERRY_ESSEEN


# False-failure probability of each: 1e-4 / 100, the level at which a single claim is refuted.
@pytest.mark.parametrize(
    "ident", ["G2", "G12.rectangular", "G15", "H2", "H4.small", "H7", "N6.exact", "C1.rate", "C1.constant"]
)
def test_claims_are_consistent(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=1e-6).verdict == "consistent"


@pytest.mark.parametrize(
    "ident", [ident for ident, claim in CLAIMS.items() if claim.expect == "refuted" and ident[0] != "N"]
)
def test_negative_controls_are_refuted(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=1e-6).verdict == "refuted"


def test_quick_claims_are_the_same_claims_with_fewer_samples():
    quick = load_suite("random-tensors").claims(SuiteOptions(quick=True))
    assert [claim.id for claim in quick] == list(CLAIMS)
    total = sum(sum(claim.counts) for claim in CLAIMS.values())
    assert sum(sum(claim.counts) for claim in quick) < 0.6 * total


def test_samples_follow_from_the_moments():
    row = GAUSSIAN["G11"]
    assert row.squared_cv(8) == pytest.approx((4 * 8**4 + 60 * 8**2 + 32 * 8) / (8**2 + 16) ** 2)
    doubled = Moments(row.id, row.name, row.quantity, row.mean, 4 * row.variance, row.sizes)
    plan = Plan(SuiteOptions())
    counts = zip(plan.exact(row).counts, plan.exact(doubled).counts, strict=True)
    assert all(abs(large - 4 * small) <= 4 for small, large in counts)
