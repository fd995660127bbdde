"""Exact structure of random tensors, their algebra, and the growth of their norms.

Norms are measured on fixed seeds and concentrate: the tolerance is far beyond their fluctuations.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from tensor_families import FAMILIES, A, m, n, sample

import randtensor as rt
import randtensor.tensors as tensors
from randtensor.exact.diagrams import elements
from randtensor.exact.diagrams.networks import Sector
from randtensor.exact.laws.law import Function
from randtensor.quantity import Draw

# Structure


def networks(tensor):
    return tensor.diagram().networks


def test_diagrams_have_the_free_indices_of_the_tensor():
    for tensor in FAMILIES.values():
        for network in networks(tensor):
            assert len(network.free) == tensor.ndim
            assert [sector.whole for sector in network.sectors] == list(tensor.dimensions)
            for label, sector in zip(network.free, network.sectors, strict=True):
                assert str(network.labels[label].dimension) == str(sector.dimension)
            for node in network.nodes:
                sizes = [network.labels[label].dimension for label in node.labels]
                assert str(sizes) == str(list(node.element.dimensions))


def test_equal_objects_are_one_element_and_others_are_not():
    g, h = tensors.gaussian(n, n), tensors.gaussian(n, n)
    (one,), (other,) = networks(g), networks(h)
    assert one.nodes[0].element is networks(2 * g.T)[0].nodes[0].element
    assert one.nodes[0].element is not other.nodes[0].element
    assert networks(2 * g.T)[0].free == (1, 0) and networks(2 * g.T)[0].coefficient == 2
    wishart = networks(tensors.wishart(n, m, field="complex"))[0]
    assert [node.mark for node in wishart.nodes] == [None, elements.CONJUGATE]
    assert wishart.nodes[0].element is wishart.nodes[1].element and len(wishart.labels) == 3
    cp = networks(tensors.cp(n, n, n, rank=m, symmetric=True))[0]
    assert len({node.element for node in cp.nodes}) == 1 and len({node.labels[1] for node in cp.nodes}) == 1
    assert len(networks(tensors.cp(n, n, rank=5, factors="sphere"))) == 5
    with pytest.raises(rt.ExactError, match=r"rank of cp.* is n, expected at most 64 for exact expectations"):
        tensors.cp(n, n, rank=n, factors="sphere").diagram()


def test_gaussian_diagrams_carry_their_symmetries():
    def element(tensor):
        return networks(tensor)[0].nodes[0].element

    assert element(tensors.goe(n)).permutations == ((0, 1), (1, 0)) and not element(tensors.goe(n)).is_hermitian
    assert element(tensors.gue(n)).permutations == ((1, 0),) and element(tensors.gue(n)).is_hermitian
    assert element(tensors.symmetric_gaussian(n, 3)).normalization == 6
    assert element(tensors.ginibre(n, field="complex")).is_complex
    assert np.array_equal(element(FAMILIES["correlated"]).covariances[0].entries, A)
    assert networks(tensors.gaussian(n, std=0.1))[0].coefficient == Fraction(1, 10)
    assert networks(tensors.gaussian(n, std=n**-0.5))[0].coefficient == n**-0.5
    assert element(tensors.haar(n, "special unitary")).special and element(tensors.haar(n)).group == "orthogonal"


def test_blocks_are_sectors():
    parts = networks(tensors.block(tensors.gaussian(n, 2), tensors.gaussian(2 * n, 3)))
    assert [part.sectors[1] for part in parts] == [Sector(0, 2, 5), Sector(2, 5, 5)]
    inner = tensors.block(tensors.goe(n), tensors.goe(2 * n))
    nested = networks(tensors.block(inner, tensors.haar(3 * n)))
    assert [part.sectors[0][:2] for part in nested] == [(0, 1), (1, 3), (3, 6)]
    scaled = networks(tensors.block(2 * inner, tensors.haar(3 * n)))
    assert [part.sectors for part in scaled] == [part.sectors for part in nested]
    assert len(rt.einsum("ab,ab->", inner, inner).diagram().networks) == 2


def test_blocks_meet_blocks_and_whole_tensors():
    A, a, g = tensors.gaussian(n, n), tensors.gaussian(n), tensors.gaussian(2 * n)
    B = tensors.block(tensors.identity(n), tensors.gaussian(n, 2 * n))
    assert str(rt.einsum("ab,ab->", B, B).expectation()) == "2 n^2 + n"
    # One tensor in two blocks: the trace is twice that of the tensor, and v . g = a . g_1 + a . g_2.
    trace = rt.einsum("aa->", tensors.block(A, A))
    assert str((trace * trace).expectation()) == "4 n"
    product = rt.einsum("a,a->", tensors.block(a, a), g)
    assert str((product * product * product * product).expectation()) == "12 n^2 + 24 n"
    # Different places of one size vanish; blocks of different partitions overlap.
    R = tensors.block(tensors.gaussian(n, 2 * n), tensors.identity(n), tensors.gaussian(2 * n, n))
    assert rt.einsum("aa->", R).expectation() == 0 and str(rt.einsum("ab,ab->", R, R).expectation()) == "4 n^2 + n"
    P = tensors.block(tensors.identity(n), tensors.identity(2 * n))
    Q = tensors.block(tensors.wishart(2 * n, n), tensors.goe(n))
    assert str(rt.einsum("ab,ab->", P, Q).expectation()) == "2 n^2"
    X, Y = tensors.block(A, tensors.gaussian(2 * n, 2 * n)), tensors.block(tensors.goe(2 * n), tensors.goe(n))
    with pytest.raises(rt.ExactError, match=r"an index of size n lies at two places of indices of size 2 n"):
        rt.einsum("ab,bc,cd,ad->", X, Y, Y, X).expectation()
    F = tensors.fixed(np.arange(9.0).reshape(3, 3))
    Z = tensors.block(tensors.fixed([[2.0]]), tensors.fixed([[1.0, 2.0], [3.0, 4.0]]))
    exact = rt.einsum("ab,bc,ac->", Z, F, Z)
    assert float(exact.expectation().exact({})) == pytest.approx(float(exact.sample()[0]), rel=1e-12)


def test_functions_are_marks_of_entries_or_powers():
    g = tensors.gaussian(n, n, std=0.5)
    mark = networks(rt.tanh(2 * g.T))[0].nodes[0].mark
    assert isinstance(mark, Function) and mark.scale == 1 and networks(rt.tanh(g.T))[0].free == (1, 0)
    nested = networks(rt.relu(3 * rt.tanh(g)))[0].nodes[0].mark
    assert str(nested) == "relu(3 tanh(1/2 x))"
    powers = networks(rt.square(tensors.goe(n, std=n**-0.5)))
    assert len(powers) == 1 and len(powers[0].nodes) == 2 and powers[0].coefficient == n**-1
    assert len(networks(rt.square(tensors.goe(n) + tensors.identity(n)))) == 4
    entries = networks(rt.tanh(tensors.fixed([[1.0, 2.0]])))[0].nodes[0].element.entries
    assert np.allclose(entries, np.tanh([[1.0, 2.0]]))
    three = tensors.identity(n, 3)
    diagonal = rt.einsum("cd,cde,eab->ab", tensors.gaussian(n, n), three, three)
    g = tensors.gaussian(n)
    for tensor, cause in (
        (tensors.goe(n), "the entries of goe.* depend on each other, expected independent ones, or a polynomial"),
        (tensors.sphere(n), "the entries of sphere.* depend on each other"),
        (tensors.gaussian(n, std=n**-0.5), "the factor n.* is not a number, expected one, a homogeneous function"),
        (diagonal, "a contraction of gaussian.*, expected that tensor itself"),
        (g + tensors.identity(n, 1), "a sum of 2 terms, expected one tensor"),
        (rt.einsum("a,b->ab", g, g), "a product of 2 random tensors, expected one"),
    ):
        with pytest.raises(rt.ExactError, match=rf"elementwise tanh of .* has no exact structure: .*{cause}"):
            rt.tanh(tensor).diagram()
    with pytest.raises(rt.ShapeError, match=r"elementwise tanh of gue.* has complex entries, expected real ones"):
        rt.tanh(tensors.gue(n))


def test_free_sums_belong_inside_a_function():
    g, one = tensors.gaussian(n), tensors.constant(1, n)
    summed = rt.einsum("a,b,b->a", g, one, one)
    cube = rt.einsum("a,a->", rt.square(rt.einsum("a,bb->a", g, tensors.identity(n))), one)
    assert str(cube.expectation()) == "n^3"
    with pytest.raises(rt.ExactError, match=r"the factor n of gaussian.* is not a number"):
        rt.tanh(summed).diagram()
    h = rt.tanh(rt.einsum("a,b,b->a", tensors.gaussian(4), tensors.constant(1, 4), tensors.constant(1, 4)))
    assert networks(h)[0].nodes[0].mark.scale == 4 and networks(h)[0].coefficient == 1
    product = rt.einsum("a,a->", h, h)
    samples = product.sample(size=4000, rng=1)
    # A mean of 4000 samples at 6 standard errors: false failure below 1e-8, none for this seed.
    error = samples.std() / math.sqrt(4000)
    assert abs(samples.mean() - float(product.expectation().exact({}))) < 6 * error
    fixed = rt.tanh(rt.einsum("a,bb->a", tensors.fixed([0.1, 0.2]), tensors.identity(3)))
    assert np.allclose(networks(fixed)[0].nodes[0].element.entries, fixed.sample()[0], rtol=1e-15)


def test_homogeneous_functions_let_scales_out():
    g = tensors.gaussian(n)
    for factor, square, product in ((n**-0.5, 0.5, 0.5 * 5**0.5), (-2 * n, 250, -25)):
        h = rt.relu(factor * g)
        assert rt.einsum("a,a->", h, h).expectation()(5) == pytest.approx(square, rel=1e-9)
        assert rt.einsum("a,a->", h, g).expectation()(5) == pytest.approx(product, rel=1e-9)
    assert rt.relu(n**-0.5 * g).frobenius_order == 1
    assert networks(rt.apply("leaky_relu(0.5)", g / n))[0].coefficient == n**-1


# Algebra


def test_algebra_is_that_of_arrays():
    g, u, k = tensors.gaussian(n, n), tensors.gue(n), tensors.iid("exponential", n, n)
    cases = [
        (g + k, lambda a, b, c: a + c),
        (g - k, lambda a, b, c: a - c),
        (-g / 2, lambda a, b, c: -a / 2),
        (n**-0.5 * g * 3, lambda a, b, c: 3 * a / 2),
        (g * (2 * n), lambda a, b, c: 8 * a),
        (g.T + u.conj() - 2 * u, lambda a, b, c: a.swapaxes(1, 2) + b.conj() - 2 * b),
        (sum([g, k, g]), lambda a, b, c: 2 * a + c),
        (rt.tanh(g) + rt.square(k) / n, lambda a, b, c: np.tanh(a) + c**2 / 4),
        (rt.apply("leaky_relu(0.5)", g - g), lambda a, b, c: 0 * a),
        (u.conj().conj().transpose(1, 0), lambda a, b, c: b.swapaxes(1, 2)),
        (rt.expansions.Expansion.of(n) / (n + 1 * rt.expansions.Expansion.of(1)) * 1 * g, lambda a, b, c: 0.8 * a),
    ]
    with Draw({"n": 4}, 2, np.random.default_rng(0)) as draw:
        arrays = [tensor.evaluate(draw) for tensor in (g, u, k)]
        for tensor, expected in cases:
            assert isinstance(tensor, tensors.DenseTensor)
            assert np.allclose(tensor.evaluate(draw), expected(*arrays)), repr(tensor)
    assert g.conj() is g and g.T.T.sample(3, rng=0).shape == (1, 3, 3) and g.transpose(0, 1) is g
    cube = tensors.gaussian(2, 3, 4)
    assert cube.T.shape == (4, 3, 2) and cube.transpose(1, 2, 0).dimensions == (3, 4, 2)
    assert (2 * g).scale_names == ("n",) and (m * g).scale_names == ("m", "n")


def test_expansions_as_factors_keep_to_the_sizes_where_they_hold():
    factor, g = rt.expansions.Expansion.of(n) + 1, tensors.gaussian(n)
    for quantity in (g, rt.einsum("a,a->", g, g)):
        (quantity * factor).sample(3, rng=0)
        with pytest.raises(rt.OrderError, match=r"n \+ 1 holds only from n = 4 on"):
            (quantity * factor.valid(n=4)).sample(3, rng=0)


def test_fingerprints_tell_structures_apart():
    g, h = tensors.gaussian(n, n), tensors.gaussian(n, n)
    expressions = [g, g + g, g + h, g - h, g * 2, g / n, g.T, rt.tanh(g), rt.sin(g), tensors.block(g, g)]
    assert len({e.fingerprint for e in expressions}) == len(expressions)
    assert (g + h).fingerprint == (h + g).fingerprint and (2 * g).fingerprint == (g * 2.0).fingerprint
    assert len({tensor.fingerprint for tensor in FAMILIES.values()}) == len(FAMILIES)
    k, v, w = tensors.gaussian(n, n), tensors.gaussian(n), tensors.gaussian(n)
    noise = tensors.goe(n)
    trace_g, trace_h = rt.einsum("aa->", g), rt.einsum("aa->", h)
    product = rt.einsum("ab,bc->ac", g, h)
    pairs = [
        (rt.einsum("ab,ab->", g + h, g + k), rt.einsum("ab,ab->", g + h, tensors.gaussian(n, n) + k)),
        (product + g, product + k),
        (trace_g * trace_g, trace_g * trace_h),
        (rt.combine(np.add, trace_g, trace_g), rt.combine(np.add, trace_g, trace_h)),
        (rt.einsum("ab,ab->", rt.tanh(g), g), rt.einsum("ab,ab->", rt.tanh(g), h)),
        (
            rt.einsum("a,ab,b->", v, rt.spiked(noise, 1, v), v),
            rt.einsum("a,ab,b->", w, rt.spiked(noise, 1, v), w),
        ),
        (rt.norm(g) - rt.norm(g), rt.norm(g) - rt.norm(h)),
    ]
    for one, other in pairs:
        assert one.fingerprint != other.fingerprint
        assert rt.combine(np.abs, one).fingerprint != rt.combine(np.abs, other).fingerprint
    f, other = (rt.networks.two_layer(2, n)([1.0, 1.0]) for _ in range(2))
    assert (f * f).fingerprint != (f * other).fingerprint
    # Random streams that were there before stay: contractions of families, and functions of one set of parameters.
    assert rt.einsum("ab,ab->", g, g).fingerprint == "ab,ab->0:gaussian(n, n)*1.0;0:gaussian(n, n)*1.0"
    assert product.fingerprint == "ab,bc->ac0:gaussian(n, n)*1.0;1:gaussian(n, n)*1.0"
    assert "@" not in (f * f).fingerprint + (trace_g * trace_h).fingerprint
    assert repr(g / 2 - tensors.goe(n)) == "(1/2*gaussian(n, n) + -goe(n, n))"
    assert g.fingerprint == "gaussian(n, n)*1.0" and tensors.haar(n).fingerprint == "haar(n, n)"


def test_complex_tensors_are_no_parameters():
    for tensor in (tensors.complex_gaussian(3), tensors.fixed([1j, 2.0, 3.0])):
        with pytest.raises(rt.ShapeError, match="is complex, expected a real tensor as a parameter of a program"):
            rt.program(u=tensor)(lambda p, x: rt.sum(p.u))([1.0]).sample()
    f = rt.program(u=tensors.sphere(n), B=tensors.block(tensors.goe(n), tensors.goe(n)).operands[0])(
        lambda p, x: p.u @ (p.B @ p.u)
    )
    assert np.isfinite(f([1.0]).sample(4, 3, rng=0)).all()


# Norms


def nuclear(x):
    return np.linalg.svd(x, compute_uv=False).sum(axis=-1)


GROWING = {
    "gaussian": tensors.gaussian(n, 4 * n, std=n**-0.5),
    "thin": tensors.gaussian(n, 3),
    "flattened": tensors.gaussian(n, n**0.5, n**0.5),
    **{k: FAMILIES[k] for k in ("goe", "gue", "haar", "unitary", "wishart", "symmetric cp", "iid", "block")},
    "broad wishart": tensors.wishart(n, n**1.5),
    "sphere": tensors.sphere(n, n**0.5),
    "cp": tensors.cp(n, n, rank=3),
    "high rank": tensors.cp(n, n, rank=n**1.5, factors="sphere"),
    "high symmetric rank": tensors.cp(n, n, rank=n**1.5, factors="sphere", symmetric=True),
    "constant": tensors.constant(n**-1, n, n),
    "identity": tensors.identity(n),
    "spiked": tensors.spiked(tensors.goe(n), n),
    "sparse": tensors.sparse("rademacher", n, n, density=n**-0.25),
    "skewed": tensors.iid(stats.expon(), n, n),
    "tanh": rt.tanh(tensors.gaussian(n, n)),
    "relu": rt.relu(tensors.gaussian(n, n)),
}


@pytest.mark.parametrize("name", GROWING)
def test_norms_grow_as_they_say(name):
    """Over a factor 16 in n the ratio of norm and order moves by less than 16^0.2, for norms that concentrate."""
    tensor, ratios = GROWING[name], []
    for size in (16, 256):
        values = sample(tensor, 3, size, seed=8)
        values = values.reshape(3, size, -1) if tensor.ndim > 2 else values
        measured = {
            "frobenius": np.sqrt((np.abs(values) ** 2).sum(axis=(1, 2))).mean(),
            "flattening": np.linalg.norm(values, 2, axis=(1, 2)).mean(),
        }
        orders = {"frobenius": tensor.frobenius_order, "flattening": tensor.flattening_order((0,))}
        if tensor.ndim == 2 and name not in ("high rank", "high symmetric rank", "symmetric cp", "tanh", "relu"):
            measured["nuclear"], orders["nuclear"] = nuclear(values).mean(), tensor.nuclear_order
        ratios.append({kind: measured[kind] / orders[kind](n=size) for kind in orders})
    for kind in ratios[0]:
        assert abs(math.log(ratios[1][kind] / ratios[0][kind])) < 0.2 * math.log(16), kind


def test_norms_of_expressions_are_bounds():
    G, H, T = tensors.gaussian(n, n), tensors.gaussian(n, n), tensors.gaussian(n, n, n)
    product = rt.einsum("ab,bc->ac", G, G)
    assert product.injective_order == n == product.flattening_order((0,))
    assert product.frobenius_order == n**1.5 == product.flattening_order((0, 1))
    assert rt.einsum("abc,c->ab", T, tensors.gaussian(n)).injective_order == n
    # No tree: the Frobenius norm, here from the exact mean square.
    assert rt.einsum("abc,abd->cd", T, T).injective_order == n**2.5
    unknown = rt.einsum("ab,b->a", rt.tanh(tensors.goe(n)) * 0 + H, tensors.sphere(n))
    with pytest.raises(rt.ExactError, match="no known Frobenius norm"):
        print(unknown.frobenius_order)
    many = rt.einsum("ab,bc,cd,de,ef,fg,gh,hi->ai", *[G] * 8)
    assert many.frobenius_order == n**4.5 and many.injective_order == n**4
    for rows in ((7,), (0, 0)):
        with pytest.raises(rt.ShapeError, match=r"rows is .*, expected distinct indices from 0 to 1"):
            product.flattening_order(rows)
    # Sums may cancel: what is given is an upper bound.
    assert (G - G).frobenius_order == n and tensors.complex_gaussian(n).real.frobenius_order == n**0.5


def test_orders_of_norms():
    T = tensors.gaussian(n, n, n)
    assert T.injective_order == n**0.5 and T.nuclear_order == n**2.5 and T.entry_order == 1
    assert T.flattening_order((0,)) == n == T.flattening_order((2, 1)) and T.flattening_order(()) == n**1.5
    assert (T / n + T).injective_order == n**0.5 and (T.T * n).nuclear_order == n**3.5
    assert tensors.gaussian(n, m).injective_order == n**0.5 + m**0.5
    assert tensors.identity(n, 3).injective_order == 1 and tensors.identity(n, 1).injective_order == n**0.5
    assert tensors.spiked(T, n).injective_order == n and tensors.spiked(T, 2).injective_order == n**0.5
    assert tensors.cp(n, n, n, rank=m).frobenius_order == m**0.5 * n**1.5
    assert tensors.cp(n, n, n, n, rank=m, symmetric=True).frobenius_order == m**0.5 * n**2 + m * n
    assert tensors.fixed(np.zeros(3)).frobenius_order == 0 and tensors.sphere(n).injective_order == 1
    assert tensors.iid("rademacher", n, n, n).injective_order == n**0.5
    for tensor, attribute in [
        (tensors.iid("laplace", n, n, n), "injective_order"),
        (tensors.iid("student(3)", n, n), "injective_order"),
        (tensors.sparse("normal", n, n, density=n**-1), "injective_order"),
        (tensors.gaussian(n, m), "nuclear_order"),
        (tensors.cp(n, n, n, rank=n), "injective_order"),
        (rt.tanh(tensors.goe(n)), "frobenius_order"),
    ]:
        with pytest.raises(rt.ExactError, match=r"no known .* norm"):
            getattr(tensor, attribute)
