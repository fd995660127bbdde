"""Contractions: equations, probes, and the arithmetic of quantities.

Statistical tests run on fixed seeds and compare z-scores with 6, which a normal variable passes with probability 2e-9.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import expon

import randtensor as rt
from randtensor.quantity import Draw
from randtensor.seeding import root_sequence

n, m = rt.Scale("n"), rt.Scale("m")
X0, X1, X2 = [1.0, 0.5], [-0.2, 1.3], [0.7, -0.4]
F = rt.networks.mlp(inputs=2, width=n, hidden_layers=1, activation="softplus", biases=0.3)
G = rt.networks.mlp(inputs=2, width=n, hidden_layers=1, activation="softplus", outputs=3)
RNG = np.random.default_rng(41)


def at(width: int) -> rt.RandomFunction:
    shapes = {"W1": (width, 2), "b1": (width,), "v": (width,)}
    return F.at(**{name: RNG.standard_normal(shape) for name, shape in shapes.items()})


def z_score(samples: np.ndarray, expected: float) -> float:
    return abs(samples.mean() - expected) / (samples.std(ddof=1) / np.sqrt(samples.size))


# Equations

g, H = F.derivative(X0), F.derivative(X0, order=2)
A, v = rt.gaussian(n, n), rt.gaussian(n)
SYNTAX = r"expected letters, commas and one arrow, such as 'ab,a,b->'"
BAD_EQUATIONS = [
    (3, (v, v), "equation is 3, expected text such as 'ab,a,b->'"),
    ("a,a", (v, v), SYNTAX),
    ("a,a->->", (v, v), SYNTAX),
    ("a,1->", (v, v), SYNTAX),
    ("a...,a->", (v, v), SYNTAX),
    ("a,a->,", (v, v), SYNTAX),
    ("a,a->", (v,), "has 2 terms, expected one for each of the 1 operands"),
    ("ab->aa", (A,), "repeats an index of its output, expected each once"),
    ("ab->c", (A,), "has the index 'c' only in its output, expected it in a term"),
    ("a,a->", (v, 2.0), "operand 1 of 'a,a->' is float, expected a random tensor, a derivative tensor or"),
    ("a,a->", (v, np.ones(3)), "operand 1 of 'a,a->' is ndarray, expected a random tensor"),
    ("a,a->", (A, v), "operand 0 of 'a,a->', a tensor, has 2 indices, but its term 'a' names 1"),
    ("a,a->", (H, g), "operand 0 of 'a,a->', a derivative of order 2, has 2 indices, but its term 'a' names 1"),
    ("a,a->", (v, g), "mixes random tensors with derivative tensors, expected operands of one kind"),
    (
        "ab,b->",
        (A, v),
        "index 'a' of 'ab,b->' is used once, expected twice to be summed, or once and in the output to be left free",
    ),
    ("a,a,a->", (v, v, v), "index 'a' of 'a,a,a->' is used 3 times, expected twice"),
    ("a,a->a", (v, v), "index 'a' of 'a,a->a' is used 2 times and left free"),
    ("a,a->", (v, rt.gaussian(2 * n)), "index 'a' of 'a,a->' has dimensions n and .*n, expected one dimension"),
    ("a,a->", (v, rt.gaussian(4)), "index 'a' of 'a,a->' has dimensions n and 4"),
    ("ab,b->", (H, g), "index 'a' is used once and summed, expected a partner to contract with"),
    ("a,a,a->", (g, g, g), "index 'a' is used 3 times, expected twice"),
    ("a,a->a", (g, g), "index 'a' is used 2 times and left free, expected twice to be summed or once to be left"),
    ("pa,ap->", (G.derivative(X0), G.derivative(X0)), "is both an output index and a parameter index"),
    (
        "p,p->",
        (G(X0), rt.networks.mlp(2, n, 1, outputs=2)(X0)),
        "index 'p' has sizes 3 and 2, expected one size per index",
    ),
    (
        "a,a->",
        (g, rt.networks.two_layer(2, n).derivative(X0)),
        "are derivatives over different parameters, expected functions on one space",
    ),
]


@pytest.mark.parametrize(("equation", "operands", "message"), BAD_EQUATIONS, ids=lambda value: str(value)[:30])
def test_equations_that_do_not_match_their_operands(equation, operands, message):
    with pytest.raises(rt.EquationError, match=message):
        rt.einsum(equation, *operands)


def test_effort_and_root_are_checked():
    for probes in (-1, 1.5, True):
        with pytest.raises(rt.InputError, match=f"probes is {probes}, expected a positive number, or 0"):
            rt.einsum("aa->", H, probes=probes)
    for root in (7, "z"):
        with pytest.raises(rt.EquationError, match=r"root is .*, expected an operand number or a contracted index"):
            rt.einsum("ab,a,b->", H, g, g, root=root)


def test_what_has_free_parameter_indices_is_never_formed():
    open_vector = rt.einsum("ab,b->a", H, g)
    for tensor in (open_vector, g):
        with pytest.raises(
            rt.EquationError, match=r"index '.*' is free, so the contraction is never formed: take rt\.norm"
        ):
            tensor.sample(8)


def test_a_root_belongs_to_one_component():
    f = at(6)
    first, second = f.derivative(X0), f.derivative(X1)
    expected = rt.einsum("a,a->", first, first) * rt.einsum("b,b->", second, second)
    for root in (0, 3, "a", "b"):
        product = rt.einsum("a,a,b,b->", first, first, second, second, root=root)
        np.testing.assert_allclose(product.sample(), expected.sample(), rtol=1e-12)


# Nested contractions


@pytest.mark.parametrize(("free", "closed"), [(1, 0), (1, 1), (1, 2), (2, 1)])
def test_closing_a_free_index_of_a_correlation(free, closed):
    """einsum('j..,j->..', C^{D,d}, g) = ((d + 1) / D) C^{D-1,d+1}, on one draw of the parameters."""
    c = rt.correlation(F, free, closed, X0, X1)
    labels = "jk"[:free]
    once = rt.einsum(f"{labels},j->{labels[1:]}", c, F.derivative(X1))
    direct = rt.correlation(F, free - 1, closed + 1, X0, X1) * ((closed + 1) / free)
    if free == 2:
        once, direct = (rt.einsum("k,k->", part, F.derivative(X2)) for part in (once, direct))
    assert len(once.tensors) == len(direct.tensors)
    np.testing.assert_allclose((once - direct).sample(16, size=5, rng=1), 0.0, atol=1e-12)
    assert np.abs(once.sample(16, size=5, rng=1)).max() > 1e-4


def test_nested_contractions_flatten():
    f = at(5)
    h0, h1, g1, g2 = f.derivative(X0, 2), f.derivative(X1, 2), f.derivative(X1), f.derivative(X2)
    inner = 2.0 * rt.einsum("xy,yz->xz", h0, h1) / 3
    nested = rt.einsum("ab,b->a", inner, g2)
    flat = rt.einsum("ab,bc,c,a->", h0, h1, g2, g1)
    closed = rt.einsum("y,y->", nested, g1) * n / n
    assert [t.derivative_order for t in closed.tensors] == [2, 2, 1, 1]
    np.testing.assert_allclose(closed.sample(8), flat.sample() * 2 / 3, rtol=1e-12)
    transposed = rt.einsum("ba,b,a->", inner, g1, g2)
    np.testing.assert_allclose(transposed.sample(), closed.sample(8), rtol=1e-12)


def test_outputs_of_vector_functions():
    first, second = G.derivative(X0), G.derivative(X1)
    kernel = rt.einsum("pa,qa->pq", first, second)
    assert kernel.shape == (3, 3)
    trace = rt.einsum("pa,pa->", first, second)
    joint = rt.combine(lambda k, t: np.trace(k, axis1=1, axis2=2) - t[:, 0, 0], kernel, trace)
    np.testing.assert_allclose(joint.sample(16, size=4, rng=2), 0.0, atol=1e-12)
    swapped = rt.einsum("qa,pa->pq", second, first)
    np.testing.assert_allclose((kernel - swapped).sample(16, size=4, rng=2), 0.0, atol=1e-12)


def test_learning_rates_scale_correlations():
    width = 64
    for free, closed in ((0, 1), (0, 3), (1, 1)):
        plain, scaled = (rt.correlation(F, free, closed, X0, X1, learning_rate=rate) for rate in (1.0, 2 * n))
        quantities = [c if free == 0 else rt.norm(c) for c in (plain, scaled)]
        ratio = rt.combine(np.divide, quantities[1], quantities[0]).sample(width, size=3, rng=3)
        np.testing.assert_allclose(ratio, (2 * width) ** (free / 2 + closed), rtol=1e-12)


def test_arguments_of_correlations_are_checked():
    with pytest.raises(rt.InputError, match="free is -1, expected a non-negative integer"):
        rt.correlation(F, -1, 1, X0, X1)
    with pytest.raises(rt.InputError, match=r"closed is 1\.0, expected a non-negative integer"):
        rt.correlation(F, 0, 1.0, X0, X1)
    with pytest.raises(rt.InputError, match=r"free \+ closed is 30, expected at most 26"):
        rt.correlation(F, 15, 15, X0, X1)
    with pytest.raises(rt.InputError, match="directions lists 2 inputs, expected one for each of the 3 gradients"):
        rt.correlation(F, 0, 3, X0, [X1, X2])
    with pytest.raises(rt.InputError, match="function has a vector output, expected a scalar one"):
        rt.correlation(G, 0, 1, X0, X1)
    several = rt.correlation(F, 0, 2, X0, [X1, X2]) - rt.correlation(F, 0, 2, X0, [X2, X1])
    np.testing.assert_allclose(several.sample(16, size=3, rng=4), 0.0, atol=1e-12)


# Probes

LOOPS = [
    ("ab,ab->", lambda f: (f.derivative(X0, 2), f.derivative(X1, 2))),
    ("aa,b,b->", lambda f: (f.derivative(X0, 2), f.derivative(X1), f.derivative(X2))),
    ("ab,bc,ca->", lambda f: (f.derivative(X0, 2), f.derivative(X1, 2), f.derivative(X0, 2))),
    ("aab,b->", lambda f: (f.derivative(X0, 3), f.derivative(X1))),
]


@pytest.mark.parametrize(("equation", "operands"), LOOPS, ids=[equation for equation, _ in LOOPS])
def test_probes_are_unbiased_and_their_pairs_estimate_the_square(equation, operands):
    f = at(16)
    exact = rt.einsum(equation, *operands(f), probes=0).sample()[0]
    estimate = rt.einsum(equation, *operands(f), probes=3)
    assert estimate.probes == 3
    root = root_sequence(5)
    raw = np.concatenate([estimate.sample_block({}, block, root) for block in range(40)])
    assert raw.shape == (40 * 128, 3)
    assert z_score(raw.mean(axis=1), exact) < 6
    pairs = (raw.sum(axis=1) ** 2 - (raw**2).sum(axis=1)) / 6
    assert z_score(pairs, exact**2) < 6
    assert np.array_equal(estimate.sample(size=200, rng=5), raw.mean(axis=1)[:200])


def test_small_parameter_spaces_are_summed_exactly():
    f = at(4)
    H4 = f.derivative(X0, 2)
    default, exact = rt.einsum("ab,ab->", H4, H4), rt.einsum("ab,ab->", H4, H4, probes=0)
    assert (default.probes, exact.probes) == (2, 1)
    np.testing.assert_allclose(default.sample(size=3, rng=1), exact.sample(size=3, rng=2), rtol=1e-13)


# Dense tensors

WORDS = [
    ("ab,bc,ca->", 3),
    ("ab,cb->ac", 2),
    ("aa->", 1),
    ("ab,bc,cd,da->", 4),
    ("ab,ba->", 2),
    ("ab,cd->abcd", 2),
]


@pytest.mark.parametrize(("equation", "count"), WORDS)
@pytest.mark.parametrize("family", [rt.gaussian(n, n, std=n**-0.5), rt.goe(n), rt.haar(n), rt.iid(expon(), n, n)])
def test_a_repeated_tensor_is_one_random_variable(equation, count, family):
    contraction = rt.einsum(equation, *[family] * count)
    with Draw({"n": 6}, 5, np.random.default_rng(7)) as draw:
        result = contraction.evaluate(draw)
        array = family.evaluate(draw)
    for k in range(5):
        np.testing.assert_allclose(result[k], np.einsum(equation, *[array[k]] * count), rtol=1e-10, atol=1e-12)


def test_dense_contractions_of_several_tensors():
    T, B, u = rt.gaussian(n, 3, m), rt.gaussian(m, n), rt.fixed([1.0, 2.0, 3.0])
    contraction = rt.einsum("aBc,ca,B->", T, B, u)
    assert contraction.scale_names == ("m", "n") and contraction.shape == ()
    with Draw({"n": 4, "m": 5}, 3, np.random.default_rng(8)) as draw:
        result = contraction.evaluate(draw)
        arrays = [tensor.evaluate(draw) for tensor in (T, B, u)]
    expected = [np.einsum("aBc,ca,B->", *(array[k] for array in arrays)) for k in range(3)]
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_distinct_tensors_of_one_law_are_independent():
    first, second = rt.gaussian(n), rt.gaussian(n)
    samples = rt.einsum("a,a->", first, second).sample(4, size=4000, rng=9)
    assert z_score(samples, 0.0) < 6 and z_score(samples**2, 4.0) < 6


# Streams

QUANTITIES = {
    "dense": rt.einsum("ab,bc,ca->", *[rt.gaussian(n, n)] * 3),
    "tensor": rt.haar(n),
    "correlation": rt.correlation(F, 0, 2, X0, X1),
    "norm": rt.norm(rt.correlation(F, 1, 1, X0, X1)),
    "probed": rt.einsum("ab,ab->", H, H, probes=2),
    "combined": rt.combine(np.exp, rt.einsum("a,a->", g, g)),
    "vector": G(X0).contraction(),
}


@pytest.mark.parametrize("name", QUANTITIES)
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**63))
def test_samples_are_a_prefix_of_one_stream(name, first, second, seed):
    quantity = QUANTITIES[name]
    a, b = (quantity.sample(3, size=size, rng=seed) for size in (first, second))
    assert len(a) == first
    count = min(first, second)
    assert np.array_equal(a[:count], b[:count])


@pytest.mark.parametrize("name", QUANTITIES)
def test_streams_do_not_depend_on_what_was_drawn_before(name):
    quantity = QUANTITIES[name]
    alone = quantity.sample(5, size=20, rng=10)
    root = root_sequence(10)
    for other in QUANTITIES.values():
        other.sample(5, size=3, rng=10)
    length = quantity.block_length({"n": 5})
    later, earlier = (quantity.sample_block({"n": 5}, block, root) for block in (1, 0))
    if quantity.probes > 1:
        later, earlier = later.mean(axis=-1), earlier.mean(axis=-1)
    assert np.array_equal(earlier[: min(20, length)], alone[:length])
    assert not np.array_equal(later[0], earlier[0])


def test_quantities_sizes_and_seeds_have_streams_of_their_own():
    streams = [q.sample(5, rng=11).ravel()[0] for q in QUANTITIES.values()]
    same_law = [rt.einsum("a,a->", g, g), 2 * rt.einsum("a,a->", g, g), rt.einsum("a,b,a,b->", g, g, g, g)]
    streams += [q.sample(5, rng=11)[0] for q in same_law]
    streams += [same_law[0].sample(size, rng=seed)[0] for size, seed in ((6, 11), (5, 12))]
    assert len(set(streams)) == len(streams)


def test_kinds_of_seeds():
    quantity = QUANTITIES["dense"]
    expected = quantity.sample(4, size=3, rng=12)
    assert np.array_equal(expected, quantity.sample(4, size=3, rng=np.random.SeedSequence(12)))
    assert np.array_equal(expected, quantity.sample(4, size=3, rng=np.int64(12)))
    child = np.random.SeedSequence(12).spawn(1)[0]
    assert not np.array_equal(expected, quantity.sample(4, size=3, rng=child))
    one, two = np.random.default_rng(1), np.random.default_rng(1)
    first = quantity.sample(4, rng=one)
    assert np.array_equal(first, quantity.sample(4, rng=two))
    assert not np.array_equal(first, quantity.sample(4, rng=one))
    assert np.array_equal(*(quantity.sample(4, rng=np.random.PCG64(3)) for _ in range(2)))
    assert not np.array_equal(quantity.sample(4), quantity.sample(4))
    for bad in (-1, 1.5, "seed", True, [1, 2]):
        with pytest.raises(
            rt.InputError, match=r"rng is .*, expected a non-negative integer, a SeedSequence, a Generator"
        ):
            quantity.sample(4, rng=bad)


# Arithmetic


def test_arithmetic_is_joint_and_elementwise():
    c1, c2 = rt.correlation(F, 0, 1, X0, X1), rt.correlation(F, 0, 2, X0, X1)
    assert np.array_equal((c1 - c1).sample(16, size=4, rng=1), np.zeros(4))
    identities = [
        (c1 + c2) - c2 - c1,
        (c1 * c2) / c2 - c1,
        (2 + c1) - (c1 + 2),
        (1 - c1) + (c1 - 1),
        (n / c1) * c1 - n,
        (c1 / n**0.5) * n**0.5 - c1,
        3 * c2 / 3 - c2,
        rt.combine(lambda a, b: a**2 - b**2, c1, c2) - (c1 + c2) * (c1 - c2),
    ]
    for identity in identities:
        np.testing.assert_allclose(identity.sample(16, size=4, rng=1), 0.0, atol=1e-12)
    np.testing.assert_allclose((c1 * n - c1 * 16).sample(16, size=4, rng=1), 0.0, atol=1e-12)


def test_arithmetic_broadcasts_shapes_of_one_sample():
    """Also where the number of samples in a block equals an axis of the shape."""
    vector, number = G(X0).contraction(), rt.einsum("p,p->", G(X0), G(X0))
    matrix = rt.einsum("pa,qa->pq", G.derivative(X0), G.derivative(X0))
    for width in (16, 2**15 // 3):
        values = rt.combine(lambda v, k, a: np.concatenate([v, k, a], axis=1), vector, number, vector * number)
        v, k, a = np.split(values.sample(width, size=3, rng=2), [3, 4], axis=1)
        np.testing.assert_allclose(a, v * k, rtol=1e-12)
    assert (matrix + vector).shape == (3, 3) and (matrix + vector).sample(8, size=2, rng=0).shape == (2, 3, 3)
    with pytest.raises(rt.ShapeError, match=r"the operands of \+ have shapes \(3,\) and \(2,\), expected ones that"):
        vector + rt.fixed([1.0, 2.0])


def test_estimated_quantities_combine_linearly_only():
    f = at(16)
    H0 = f.derivative(X0, 2)
    probed, exact = (rt.einsum("ab,ab->", H0, H0, probes=probes) for probes in (2, 0))
    difference = 2 * (probed - exact) + (exact - probed) * 1 + 5.0
    assert difference.probes == 2
    assert z_score(difference.sample(size=4000, rng=3), 5.0) < 6
    for nonlinear in (lambda: probed * exact, lambda: 1 / probed, lambda: rt.combine(np.sqrt, probed)):
        with pytest.raises(rt.InputError, match=r"is not linear and an operand is only estimated, with 2 probes"):
            nonlinear()
    with pytest.raises(rt.InputError, match=r"operands of - are estimated with 2 and 3 probes, expected one number"):
        probed - rt.einsum("aa->", H0, probes=3)


def test_operands_of_arithmetic_are_checked():
    c = rt.correlation(F, 0, 1, X0, X1)
    for bad in (lambda: c / 0, lambda: (c + c) / 0.0):
        with pytest.raises(rt.InputError, match="the divisor is 0, expected a number other than zero"):
            bad()
    for bad in (lambda: c + "one", lambda: (c - c) * None, lambda: c * [1, 2]):
        with pytest.raises(rt.InputError, match=r"the factor is .*, expected a number, an order or a term"):
            bad()
    with pytest.raises(rt.InputError, match="the factor is nan, expected a finite number"):
        c * float("nan")
    with pytest.raises(rt.InputError, match=r"operand 1 is 2\.0, expected a quantity"):
        rt.combine(np.add, c, 2.0)


def test_arithmetic_of_arrays_with_the_size_of_a_scale():
    A, u = rt.gaussian(n, n), rt.gaussian(n)
    scaled = rt.einsum("ab,b->a", A, u) * rt.einsum("aa->", A) - rt.einsum("ab,b,cc->a", A, u, A)
    np.testing.assert_allclose(scaled.sample(8, size=3, rng=5), 0.0, atol=1e-12)
    assert (A * rt.einsum("a,a->", u, u)).sample(8, size=3, rng=5).shape == (3, 8, 8)


def test_custom_quantities():
    @rt.quantity(n, m, shape=(2,), name="pair")
    def pair(size, other, batch, rng):
        return size + other * rng.standard_normal((batch, 2))

    samples = pair.sample({n: 100, m: 2}, size=4000, rng=4)
    assert samples.shape == (4000, 2) and z_score(samples, 100.0) < 6
    wrong = rt.quantity(n, name="wrong")(lambda size, batch, rng: np.zeros(batch + 1))
    with pytest.raises(rt.InputError, match=r"wrong returned shape \(\d+,\) for \d+ samples, expected \(\d+,\)"):
        wrong.sample(4)
    assert not (pair - pair).sample({n: 3, m: 3}, size=4, rng=0).any()
