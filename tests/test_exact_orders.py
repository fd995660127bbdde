"""Orders that follow from exact moments: what cancels leaves nothing behind, and what is claimed is attained."""

from math import prod

import numpy as np
import pytest
from scipy.stats import norm as normal

import randtensor as rt
from randtensor.exact.moments import joint_cumulant

n, m = rt.Scale("n"), rt.Scale("m")
g, G = rt.gaussian(n), rt.gaussian(n, n)


def quartic(matrix):
    return rt.einsum("ab,bc,cd,da->", *[matrix] * 4)


@pytest.mark.parametrize("name", ["tanh", "erf", "cos", "gelu", "softplus", "relu", "silu", "square"])
def test_fluctuations_of_sums_over_entries(name):
    # Moments of functions have float coefficients, and their leading terms cancel in every cumulant.
    f = rt.apply(name, g)
    c = rt.einsum("a,a->", f, f)
    for k in (2, 3, 4):
        assert c.cumulant(k).order == n
    assert c.order("std") == rt.Theta(n**0.5)
    assert c.variance()(2**20) / c.variance()(2**10) == pytest.approx(2**10, rel=1e-9)


def test_irrational_coefficients_cancel():
    M = (G + G.T) / 2**0.5
    assert quartic(M).order("std") == quartic(rt.goe(n)).order("std") == rt.Theta(n**2)
    np.testing.assert_allclose(quartic(M).variance()(9), quartic(rt.goe(n)).variance()(9), rtol=1e-12)
    x = rt.iid(normal(2**0.5, 3**0.5), n)
    assert rt.einsum("a,a->", x, rt.constant(1, n)).cumulant(3) == 0
    k = rt.networks.deep_linear(2, n, 3).derivative([2**0.5, np.pi])
    assert rt.einsum("i,i->", k, k).order("std") == rt.Theta(n**-0.5)


def test_complex_quantities():
    trace = rt.einsum("aa->", rt.haar(n, "unitary"))
    assert trace.variance() == 1 and (trace * trace).variance() == 2
    assert trace.order("std") == (trace * trace).order() == (2 * trace**2).order() == rt.Theta(1)
    assert trace.cumulant(2) == 0
    z = rt.complex_gaussian(n)
    assert rt.einsum("a,a->", z, z).order() == rt.Theta(n**0.5)
    assert ((trace + 1) * (trace - 1).conj()).expectation() == 0


def test_formulas_for_special_groups_end_where_the_determinant_enters():
    S = rt.haar(n, "special unitary")
    pair = rt.einsum("aa,bb->", S, S).expectation()
    assert pair == 0 and pair(3) == 0
    with pytest.raises(rt.OrderError, match="only from n = 3 on"):
        pair(2)


def test_tensors_with_free_indices():
    assert rt.gaussian(n, n, std=n).order() == rt.Theta(n)
    assert rt.einsum("ab,bc->ac", G, G).order() == rt.Theta(n**0.5)
    assert rt.sphere(n, n).order() == rt.Theta(n**-1)
    with pytest.raises(rt.ExactError, match="statistic is 'std' for a tensor with free indices"):
        G.order("std")


def test_infinite_moments_have_no_order():
    x = rt.iid("student(3)", n)
    with pytest.raises(rt.InfiniteMomentError, match="is infinite"):
        rt.einsum("a,a->", x, x).order()
    assert rt.einsum("a,a->", x, x).order("mean") == rt.Theta(n)


def test_terms_that_may_cancel_give_an_upper_bound():
    C = rt.gaussian(m, m)
    difference = rt.einsum("a,a->", g, g) - rt.einsum("ab,ab->", C, C)
    assert difference.order("mean") == rt.O(n + m**2)
    assert difference.explain("mean").kind == "upper bound"


def test_sums_and_products_of_derivative_contractions():
    f = rt.networks.mlp(2, n, 2)
    x = [1.0, -1.0]
    value, gradient = f(x), f.derivative(x)
    kernel = rt.einsum("i,i->", gradient, gradient)
    assert (value * value).order() == (value + 1).order() == rt.O(1)
    assert (kernel * value / n).order() == rt.O(n**-1)
    assert (kernel - 1).explain().kind == "conjecture"


@pytest.mark.parametrize(
    "quantity",
    [
        quartic(G),
        rt.norm(rt.einsum("ab,b->a", G, g)),
        rt.einsum("ab,bc->ac", G, G),
        rt.norm(rt.gaussian(n, n, n)),
        rt.einsum("aa->", rt.haar(n, "unitary")),
    ],
    ids=["quartic", "length", "matrix", "injective", "unitary"],
)
def test_the_steps_multiply_to_the_order(quantity):
    derivation = quantity.explain()
    assert prod((step.order for step in derivation.steps), start=rt.Order(1)) == derivation.order


def test_joint_cumulants():
    M = rt.goe(n)
    second, fourth = rt.einsum("ab,ba->", M, M), quartic(M)
    assert joint_cumulant(second, fourth) == joint_cumulant(fourth, second)
    assert joint_cumulant(second, second) == second.variance()
    whole = (second + fourth).variance()
    assert whole == second.variance() + fourth.variance() + 2 * joint_cumulant(second, fourth)
    assert joint_cumulant(second, quartic(G)) == 0
    with pytest.raises(rt.InputError, match="quantities is empty"):
        joint_cumulant()


def test_bad_orders_of_cumulants_and_powers():
    for k in (0, 1.5, True):
        with pytest.raises(rt.InputError, match=r"k is .*, expected the order of a cumulant"):
            quartic(G).cumulant(k)
    for exponent in (0, -1, 0.5):
        with pytest.raises(rt.InputError, match=r"exponent is .*, expected a positive integer"):
            quartic(G) ** exponent


def test_loops_of_derivatives_have_an_order():
    # Sampled with random probes, of which no square is taken: the order does not depend on them.
    f = rt.networks.two_layer(1, n)
    H = f.derivative([1.0], order=2)
    assert rt.einsum("ab,ab->", H, H).order() == rt.Theta(1)


def test_sums_of_orders_are_no_sizes_and_no_factors():
    for call in (
        lambda: rt.gaussian(n + 1, n),
        lambda: rt.haar(n + 1),
        lambda: rt.gaussian(n, std=n + 1),
        lambda: G * (n + 1),
        lambda: rt.Expansion.of(n + 1),
        lambda: 2 * (n + 1),
    ):
        with pytest.raises(rt.RandtensorError, match="sum"):
            call()


def test_quantities_are_centred_by_their_expectation():
    square = rt.einsum("a,a->", g, g)
    centred = square - square.expectation()
    assert centred.expectation() == 0 and centred.variance() == square.variance()
    assert abs(centred.sample(100, 200, rng=0).mean()) < 6 * (200 / 200) ** 0.5
