"""Families of random tensors: what every sample satisfies, and second moments.

Statistical tests run on fixed seeds and compare z-scores with 5.5, which a normal variable passes with probability
4e-8; there are about 30 of them.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensor_families import FAMILIES, SIZE, A, B, at, m, n, sample

import randtensor as rt
import randtensor.tensors as tensors
from randtensor import strategies
from randtensor.quantity import Draw
from randtensor.tensors.haar import GROUPS


def z_score(samples, expected):
    return abs(samples.mean() - expected) / (samples.std(ddof=1) / math.sqrt(len(samples)))


# What every sample satisfies


@settings(max_examples=15)
@given(st.sampled_from(GROUPS), st.integers(1, 6), strategies.seeds())
def test_haar_matrices_are_in_their_group(group, size, seed):
    q = tensors.haar(n, group).sample(size, 3, rng=seed)
    assert np.allclose(q @ q.conj().swapaxes(1, 2), np.eye(size))
    assert np.iscomplexobj(q) == group.endswith("unitary")
    if group.startswith("special"):
        assert np.allclose(np.linalg.det(q), 1.0)


@settings(max_examples=15)
@given(st.integers(1, 4), st.integers(1, 5), strategies.seeds())
def test_symmetric_tensors_are_the_mean_over_permutations(order, size, seed):
    tensor = tensors.symmetric_gaussian(n, order, std=0.5)
    generator = np.random.default_rng(seed)
    entries = np.random.default_rng(seed).standard_normal((2, *(size,) * order))
    drawn = tensor.draw((size,) * order, 2, {"n": size}, generator)
    permuted = [entries.transpose(0, *(1 + axis for axis in p)) for p in itertools.permutations(range(order))]
    assert np.allclose(drawn, 0.5 * np.mean(permuted, axis=0))


def test_samples_satisfy_their_definitions():
    for name, axes in {"goe": (0, 1), "gue": (0, 1), "wishart": (0, 1), "complex wishart": (0, 1)}.items():
        values = sample(FAMILIES[name], 5)
        assert np.allclose(values, values.conj().swapaxes(1 + axes[0], 1 + axes[1]))
    assert np.allclose((sample(tensors.sphere(n, m), 4) ** 2).sum(axis=(1, 2)), 1.0)
    assert (np.linalg.eigvalsh(sample(FAMILIES["complex wishart"], 5)) > 0).all()
    low = tensors.cp(6, 5, 4, rank=2).sample(size=3, rng=0)
    for axis in (1, 2, 3):
        unfolded = np.moveaxis(low, axis, 1).reshape(3, low.shape[axis], -1)
        assert (np.linalg.matrix_rank(unfolded) == 2).all()
    paired = tensors.cp(4, 4, 4, rank=3, symmetric=True).sample(size=2, rng=0)
    assert np.allclose(paired, paired.transpose(0, 3, 1, 2))
    unit = tensors.cp(5, 4, 3, rank=1, factors="sphere").sample(size=6, rng=0)
    assert np.allclose((unit**2).sum(axis=(1, 2, 3)), 1.0)
    assert np.allclose(tensors.cp(5, rank=1, factors="sphere").sample(rng=0) ** 2 @ np.ones(5), 1.0)
    correlated = sample(tensors.gaussian(2, 4, covariance=[B, None]), 3)
    assert np.allclose(correlated[:, 0], correlated[:, 1])
    assert set(np.unique(sample(tensors.iid("rademacher", n, n), 9))) == {-1.0, 1.0}
    few = sample(tensors.sparse("rademacher", n, density=0.25), 2000)
    assert set(np.unique(few)) == {-2.0, 0.0, 2.0}
    assert tensors.identity(n, 3).sample(2)[0].tolist() == [[[1, 0], [0, 0]], [[0, 0], [0, 1]]]
    assert (tensors.constant(n**-1, n, 2).sample(4) == 0.25).all()


def test_blocks_hold_their_tensors_and_zeros():
    g, q = tensors.gaussian(n, n, 2), tensors.iid("uniform", 2 * n, n, 1)
    both = tensors.block(g, q)
    assert str(both.dimensions) == str((*(tensors.gaussian(3 * n, 2 * n).dimensions), 3))
    with Draw({"n": 2}, 3, np.random.default_rng(0)) as draw:
        whole, first, second = both.evaluate(draw), g.evaluate(draw), q.evaluate(draw)
    assert whole.shape == (3, 6, 4, 3)
    assert np.array_equal(whole[:, :2, :2, :2], first) and np.array_equal(whole[:, 2:, 2:, 2:], second)
    assert np.count_nonzero(whole) == first.size + second.size


def test_spikes_have_rank_one_and_their_strength():
    noise = tensors.constant(0, n, n, n)
    for symmetric in (True, False):
        values = tensors.spiked(noise, 3 * n, symmetric=symmetric).sample(4, 2, rng=0)
        assert np.allclose((values**2).sum(axis=(1, 2, 3)), 144.0)
        assert (np.linalg.matrix_rank(values.reshape(2, 4, -1)) == 1).all()
        assert np.allclose(values, values.transpose(0, 2, 3, 1)) == symmetric
    u, v = np.array([1.0, 2.0]), np.array([0.0, 1.0, 1.0])
    given = tensors.spiked(tensors.constant(0, 2, 3), 2.0, [u, v])
    assert np.array_equal(given.sample()[0], 2 * np.outer(u, v))
    assert np.array_equal(tensors.spiked(tensors.constant(0, 2, 2), 1, [1.0, 2.0]).sample()[0], np.outer(u, u))
    own = tensors.sphere(n)
    shared = tensors.spiked(tensors.constant(0, n, n), 1, own)
    assert np.allclose(rt.einsum("ab,a,b->", shared, own, own).sample(5, 3, rng=0), 1.0)


@pytest.mark.parametrize("tensor", FAMILIES.values(), ids=FAMILIES)
def test_one_seed_gives_one_sample(tensor):
    first, again = sample(tensor, 5, seed=3), sample(tensor, 5, seed=3)
    assert first.shape[1:] == sample(tensor, 1, seed=4).shape[1:] and first.dtype == again.dtype
    assert np.array_equal(first, again) and not np.array_equal(first[:1], sample(tensor, 1, seed=4))
    assert np.array_equal(sample(tensor, 2, seed=3), first[:2]) and not np.array_equal(first[0], first[1])
    assert tensor.is_complex == np.iscomplexobj(first)
    entries = math.prod(first.shape[1:])
    assert tensor.block_length(at(tensor)) <= 64
    assert tensor.block_length(at(tensor, 64)) * entries <= 2**20


# Second moments against the definitions


def crossed(x):
    return (x * x.T).sum()


SECOND_MOMENTS = {
    "gaussian": lambda x: 0.25 * (x * x).sum(),
    "correlated": lambda x: (x * (A @ x @ B)).sum(),
    "complex": lambda x: 4 * (x * x).sum(),
    "symmetric": lambda x: np.mean([(x * x.transpose(p)).sum() for p in itertools.permutations(range(3))]),
    "goe": lambda x: ((x * x).sum() + crossed(x)) / SIZE,
    "gue": lambda x: (x * x).sum(),
    "wishart": lambda x: 36 * np.trace(x) ** 2 + 6 * ((x * x).sum() + crossed(x)),
    "complex wishart": lambda x: 16 * np.trace(x) ** 2 + 4 * (x * x).sum(),
    "haar": lambda x: (x * x).sum() / SIZE,
    "special orthogonal": lambda x: (x * x).sum() / SIZE,
    "unitary": lambda x: (x * x).sum() / SIZE,
    "special unitary": lambda x: (x * x).sum() / SIZE,
    "sphere": lambda x: (x * x).sum() / SIZE**3,
    "cp": lambda x: 4 * (x * x).sum(),
    "spherical cp": lambda x: (x * x).sum() / SIZE**2,
    "symmetric cp": lambda x: 36 * np.trace(x) ** 2 + 6 * ((x * x).sum() + crossed(x)),
    "iid": lambda x: (x * x).sum(),
    "sparse": lambda x: (x * x).sum(),
    "spiked": lambda x: (x * x).sum() * (1 + 36 / SIZE**3),
    "block": lambda x: (x[:3, :3] ** 2).sum() + (x[3:, 3:] ** 2).sum() / 6,
}


#: The same without complex conjugation.
SQUARES = {
    "complex": lambda x: 0.0,
    "unitary": lambda x: 0.0,
    "special unitary": lambda x: 0.0,
    "gue": crossed,
    "complex wishart": lambda x: 16 * np.trace(x) ** 2 + 4 * crossed(x),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_second_moments_are_those_of_the_definition(name):
    values = sample(FAMILIES[name], 8000, seed=17)
    x = np.random.default_rng(5).standard_normal(values.shape[1:])
    projections = (values * x).reshape(len(values), -1).sum(axis=1)
    assert z_score(np.abs(projections) ** 2, SECOND_MOMENTS[name](x)) < 5.5
    if name in SQUARES:
        assert z_score((projections**2).real, SQUARES[name](x)) < 5.5


@pytest.mark.parametrize(
    ("group", "size", "mean", "square", "fourth"),
    [
        ("orthogonal", 4, 0, 1, 3 / 24),
        ("unitary", 4, 0, 0, 2 / 20),
        ("special orthogonal", 2, 0, 2, 3 / 8),
        ("special unitary", 2, 0, 1, 2 / 6),
        ("special orthogonal", 1, 1, 1, 1),
    ],
)
def test_haar_traces_and_fourth_moments(group, size, mean, square, fourth):
    """E tr Q and E (tr Q)^2 tell Haar measure from QR without phases; E |Q_11|^4 is 3/(n(n+2)), 2/(n(n+1))."""
    q = tensors.haar(size, group).sample(size=6000, rng=1)
    trace = np.trace(q, axis1=1, axis2=2).real
    second = (np.trace(q, axis1=1, axis2=2) ** 2).real
    for samples, expected in [(trace, mean), (second, square), (np.abs(q[:, -1, -1]) ** 4, fourth)]:
        assert np.allclose(samples, expected) or z_score(samples, expected) < 5.5


@pytest.mark.parametrize("law", ["normal", "rademacher", "uniform", "exponential", "laplace", "student(15)"])
def test_named_laws_are_sampled_with_their_moments(law):
    values = tensors.iid(law, 100).sample(size=600, rng=2).ravel()
    exact = tensors.iid(law, 1).law
    for k in (1, 2, 3, 4):
        expected = float(exact.raw(k))
        assert np.allclose(values**k, expected) or z_score(values**k, expected) < 5.5


# Messages


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: tensors.gaussian(n, std=-1), rt.ShapeError, "std is -1, expected a non-negative number"),
        (lambda: tensors.gue(n, std=-n), rt.ShapeError, "std is -1 n, expected a non-negative number"),
        (lambda: tensors.gaussian(n, m) + tensors.gaussian(n, 2 * m), rt.ShapeError, "has the sizes m against 2 m"),
        (lambda: tensors.gaussian(n) * 1j, rt.InputError, "factor of gaussian.* is 1j, expected a real number"),
        (lambda: tensors.gaussian(n) / 0, rt.InputError, "the divisor is 0"),
        (lambda: tensors.gaussian(n, n).transpose(0, 0), rt.ShapeError, "axes is .*, expected distinct indices"),
        (lambda: tensors.gaussian(n, n).transpose(1), rt.ShapeError, "expected each of the 2 indices once"),
        (lambda: tensors.goe(n).flattening_order((2,)), rt.ShapeError, "rows is .*, expected distinct indices"),
        (lambda: tensors.gaussian(2, covariance=[A]), rt.ShapeError, r"covariance 0 has shape \(3, 3\)"),
        (lambda: tensors.gaussian(n, covariance=[A]), rt.ShapeError, "expected .n, n. with a size that is an integer"),
        (lambda: tensors.gaussian(3, covariance=A), rt.ShapeError, "expected one matrix or None for each of"),
        (lambda: tensors.gaussian(3, covariance=[-A]), rt.InputError, "covariance 0 has a negative eigenvalue"),
        (lambda: tensors.gaussian(2, covariance=[[[1, 2], [0, 5]]]), rt.InputError, "covariance 0 is not symmetric"),
        (lambda: tensors.ginibre(n, field="quaternion"), rt.InputError, "field is 'quaternion', expected 'real'"),
        (lambda: tensors.symmetric_gaussian(n, 0), rt.ShapeError, "order is 0, expected a positive integer"),
        (lambda: tensors.haar(n, "symplectic"), rt.InputError, "group is 'symplectic', expected one of orthogonal"),
        (lambda: tensors.haar(n, m), rt.InputError, "haar has the sizes n and m, expected one: .* is square"),
        (lambda: tensors.haar(3, 2), rt.InputError, "haar has the sizes 3 and 2, expected one: .* is square"),
        (lambda: tensors.iid("cauchy", n), rt.InputError, "law is 'cauchy', expected a SciPy distribution, normal"),
        (lambda: tensors.iid(3, n), rt.InputError, "law is 3, expected a SciPy distribution"),
        (lambda: tensors.sparse("normal", n, density=2), rt.InputError, "density is 2, expected a number above 0"),
        (lambda: tensors.sparse("normal", n, density=n), rt.InputError, "density is n, expected an order"),
        (
            lambda: tensors.sparse("normal", n, density=3 / n).sample(2),
            rt.InputError,
            r"density is 1\.5 at n = 2, expected a probability",
        ),
        (lambda: tensors.cp(n, rank=0), rt.ShapeError, "rank of cp: the size is 0"),
        (
            lambda: tensors.cp(n, m, rank=2, symmetric=True),
            rt.ShapeError,
            "expected equal sizes for a symmetric tensor",
        ),
        (lambda: tensors.cp(n, rank=2, factors="haar"), rt.InputError, "factors is 'haar', expected 'gaussian'"),
        (
            lambda: tensors.block(tensors.gaussian(n), tensors.gaussian(m)),
            rt.ShapeError,
            "the sizes n and m have no sum",
        ),
        (
            lambda: tensors.block(tensors.gaussian(n), tensors.gaussian(2)),
            rt.ShapeError,
            "the sizes n and 2 have no sum",
        ),
        (lambda: tensors.block(tensors.gaussian(n), tensors.goe(n)), rt.ShapeError, "have 1 and 2 indices"),
        (lambda: tensors.block(), rt.InputError, "expected one random tensor or more"),
        (lambda: tensors.spiked(3, 1), rt.InputError, "noise is 3, expected a random tensor"),
        (lambda: tensors.spiked(tensors.goe(3), 1, [A, A]), rt.InputError, "with 2 indices, expected vectors"),
        (
            lambda: tensors.spiked(tensors.goe(3), 1, [A[0]]),
            rt.ShapeError,
            "spike has 1 vectors, expected one for each",
        ),
        (lambda: tensors.spiked(tensors.goe(3), 1, [1.0, 2.0]), rt.ShapeError, "has the sizes 3 against 2"),
        (lambda: tensors.fixed(["a"]), rt.InputError, "expected an array of numbers"),
        (lambda: tensors.fixed([1j]).diagram(), rt.ExactError, "has complex entries"),
        (lambda: tensors.identity(n, 0), rt.ShapeError, "order is 0, expected a positive integer"),
    ],
)
def test_bad_input_gets_a_sentence(make, error, message):
    with pytest.raises(error, match=message):
        make()
