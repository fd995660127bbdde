"""Orders from cluster graphs: tables, the law of one hidden layer as an oracle, exact exponents, other scalings."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement, permutations
from math import prod
from string import ascii_letters

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import expon, rv_discrete, uniform

import randtensor as rt
from randtensor.exact import OneHiddenLayer
from randtensor.prediction import cluster_graph, cluster_order

n = rt.Scale("n")
X = np.array([1.0, 1.0])
SKEWED = rv_discrete(values=([-1, 2], [2 / 3, 1 / 3]))
SIGNS = rv_discrete(values=([-1, 1], [0.5, 0.5]))


def network(depth=2, activation="tanh", **options):
    return rt.networks.mlp(inputs=2, width=n, hidden_layers=depth, activation=activation, **options)


def contraction(function, terms, x=X):
    return rt.einsum(",".join(terms) + "->", *(function.derivative(x, order=len(term)) for term in terms))


def exponent(order, zero=None):
    return zero if order == 0 else order.exponents().power


TABLE = [
    (["", ""], 0),
    (["", "", "", ""], 0),
    (["i", "i"], 0),
    (["i", "i", "j", "j"], 0),
    (["i", "i", "", ""], 0),
    (["ij", "i", "j", ""], -1),
    (["ij", "i", "j", "kl", "k", "l"], -2),
    (["i", "ij", "jk", "k"], -1),
    (["ijk", "i", "j", "k"], -1),
    (["ij", "jk", "ki", ""], -1),
    (["ij", "jk", "kl", "li"], -1),
    (["ij", "ij"], 0),
    (["ijk", "ijk"], 0),
    (["ijk", "ij", "k", ""], -1),
    (["ii", ""], 0),
]


@pytest.mark.parametrize(("terms", "expected"), TABLE, ids=[",".join(terms) for terms, _ in TABLE])
def test_basic_correlators_have_their_exponents(terms, expected):
    c = contraction(network(), terms)
    assert cluster_graph(c).exponent == expected
    derivation = cluster_order(c)
    assert derivation.bound == rt.O(n**expected) and derivation.kind == "conjecture"
    assert prod((step.order for step in derivation.steps), start=n**0) == derivation.order


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def chains(component_sizes):
    """Contractions whose cluster graph has components of these sizes."""
    letters, terms = iter(ascii_letters), []
    for size in component_sizes:
        edges = [next(letters) for _ in range(size - 1)]
        terms += ["".join(edges[max(k - 1, 0) : k + 1]) for k in range(size)]
    return terms


def partitions(items):
    if not items:
        yield []
        return
    first, *rest = items
    for smaller in partitions(rest):
        yield [[first], *smaller]
        for k in range(len(smaller)):
            yield [*smaller[:k], [first, *smaller[k]], *smaller[k + 1 :]]


def one_hidden_layer_exponents(component_sizes, symmetric):
    """Exponents of mean and variance: components are sums over units, expanded by which of them share a unit."""
    survives = (
        (lambda block: sum(size for _, size in block) % 2 == 0)
        if symmetric
        else (lambda block: len(block) > 1 or block[0][1] > 1)
    )
    m, items = Fraction(sum(component_sizes)), [(0, size) for size in component_sizes]
    counts = [len(p) for p in partitions(items) if all(map(survives, p))]
    mean = max(counts) - m / 2 if counts else None
    pairs = []
    for partition in partitions([*items, *((1, size) for size in component_sizes)]):
        if all(map(survives, partition)):
            joined = any(len({copy for copy, _ in block}) == 2 for block in partition)
            # Distinct units are not independent of being distinct: without a joined block one power is lost.
            pairs.append(len(partition) - (0 if joined else 1))
    return mean, max(pairs) - m


@settings(max_examples=40)
@given(sizes, st.booleans())
def test_exponents_are_those_of_one_hidden_layer(component_sizes, symmetric):
    readout = SIGNS if symmetric else SKEWED
    c = contraction(network(1, "softplus", readout=readout), chains(component_sizes))
    mean, variance = one_hidden_layer_exponents(component_sizes, symmetric)
    derived = cluster_order(c)
    assert exponent(derived.order) == mean
    assert derived.kind == ("exact" if mean is None else "upper bound")
    assert exponent(cluster_order(c, "variance").order) == variance
    assert exponent(cluster_order(c, "std").order) == variance / 2
    rms = exponent(cluster_order(c, "rms").order)
    assert 2 * rms == max(variance, 2 * mean if mean is not None else variance)


@settings(max_examples=40)
@given(sizes)
def test_the_exponent_is_additive_never_positive_and_integer_for_even_numbers_of_operands(component_sizes):
    def s(parts):
        return cluster_graph(contraction(network(1), chains(parts))).exponent

    assert s(component_sizes) == sum(s([size]) for size in component_sizes)
    assert s(component_sizes * 2) == 2 * s(component_sizes) <= 0
    assert sum(component_sizes) % 2 or s(component_sizes).denominator == 1


def test_laws_are_symmetric_or_skewed():
    for readout in ("rademacher", "laplace", uniform(-1, 2), SIGNS):
        assert cluster_order(contraction(network(1, "softplus", readout=readout), ["ab", "a", "b"])).order == 0
    for readout in ("exponential", expon(loc=-1), SKEWED):
        found = cluster_order(contraction(network(1, "softplus", readout=readout), ["ab", "a", "b"]))
        assert found.bound == rt.O(n**-0.5)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
@pytest.mark.parametrize("readout", [None, SKEWED], ids=["normal", "skewed"])
def test_orders_agree_with_exact_moments_of_one_hidden_layer(d, activation, readout):
    law = OneHiddenLayer(activation, [1.0, 1.0], [1.0, 0.0], readout)
    f = network(1, activation, readout=readout)
    c = rt.correlation(f, 0, d, [1.0, 1.0], [1.0, 0.0])
    mean, width = cluster_order(c), 10**6
    if readout is not None and activation == "tanh" and d % 2 == 0:
        # The law of v times an odd function of symmetric weights is that of a symmetric v.
        assert mean.order == 0
        assert abs(law.mean(d, width)) < 1e-9 * law.rms(d, width)
    elif mean.order == 0:
        assert law.mean(d, width) == 0
    else:
        assert law.mean(d, 4 * width) / law.mean(d, width) == pytest.approx(4 ** float(exponent(mean.order)), 1e-6)
    for statistic in ("rms", "variance"):
        predicted = float(exponent(cluster_order(c, statistic).order))
        values = [getattr(law, statistic)(d, size) for size in (width, 4 * width)]
        assert np.log(values[1] / values[0]) / np.log(4) == pytest.approx(predicted, abs=0.01)


def multigraphs(operands, most):
    """Loopless multigraphs up to the numbering of their vertices, as terms."""
    pairs = [(i, j) for i in range(operands) for j in range(i + 1, operands)]
    seen = set()
    for count in range(most + 1):
        for edges in combinations_with_replacement(pairs, count):
            key = canonical(operands, edges)
            if key not in seen:
                seen.add(key)
                yield ["".join(ascii_letters[k] for k, edge in enumerate(edges) if v in edge) for v in range(operands)]


def canonical(operands, edges):
    return min(tuple(sorted(tuple(sorted((p[i], p[j]))) for i, j in edges)) for p in permutations(range(operands)))


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize(("depth", "counts"), [(1, (12, 15, 0)), (2, (18, 6, 3)), (3, (22, 0, 5))])
def test_the_bound_is_attained_or_missed_by_one_power_or_the_mean_vanishes(activation, depth, counts):
    graphs = [*multigraphs(2, 4), *multigraphs(4, 4)]
    f = network(depth, activation)
    attained = zero = gap = 0
    for terms in graphs:
        c = contraction(f, terms)
        exact = cluster_order(c)
        assert exact.kind == "exact"
        bound = cluster_graph(c).exponent
        true = exponent(exact.order)
        assert true is None or bound - 1 <= true <= bound
        attained, zero, gap = attained + (true == bound), zero + (true is None), gap + (true == bound - 1)
    assert (attained, zero, gap) == counts


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize(
    ("terms", "expected"), [(["ijk", "i", "j", "k"], -2), (["ij", "jk", "ki", ""], -2), (["ij", "i", "j", ""], -1)]
)
def test_claws_and_triangles_miss_the_bound_for_linear_and_relu_only(activation, terms, expected):
    exact = cluster_order(contraction(network(2, activation), terms))
    assert exact.bound == rt.Theta(n**expected) and exact.kind == "exact"
    assert cluster_order(contraction(network(2, "tanh"), terms)).bound == rt.O(n**-1)


def test_statistics_of_exactly_solvable_networks():
    f = network(2, "linear")
    kernel = contraction(f, ["i", "i"])
    assert cluster_order(kernel, "rms").bound == rt.Theta(1)
    variance = cluster_order(kernel, "variance")
    assert variance.bound == rt.O(n**-1) and variance.kind == "upper bound"
    hessian = contraction(f, ["ij", "i", "j"])
    assert cluster_order(hessian).bound == rt.Theta(0)
    assert cluster_order(hessian, "rms").bound == rt.Theta(n**-1)
    assert cluster_order(hessian, "variance").bound == rt.Theta(n**-2)
    assert cluster_order(contraction(f, ["ii", ""])).bound == rt.Theta(0)


def test_inputs_with_overlaps_of_both_signs_may_cancel():
    f = network(2, "linear")
    c = rt.einsum("a,a->", f.derivative([1.0, 0.0]), f.derivative([-1.0, 1.0]))
    assert cluster_order(c).kind == "upper bound"
    positive = rt.einsum("a,a->", f.derivative([1.0, 0.0]), f.derivative([1.0, 1.0]))
    assert cluster_order(positive).bound == rt.Theta(1)
    assert cluster_order(c).bound == rt.O(1)
    relu = network(2, "relu")
    c = rt.einsum("a,a->", relu.derivative([1.0, 0.0]), relu.derivative([1.0, 1.0]))
    assert cluster_order(c).kind == "conjecture"


def test_exact_exponents_are_for_gaussian_scalar_networks_without_biases():
    for options in ({"biases": 0.5}, {"readout": uniform(-1, 2)}):
        c = contraction(network(1, "relu", **options), ["ijk", "i", "j", "k"])
        assert cluster_order(c).kind == "upper bound"


def test_unequal_widths_count_by_the_smallest():
    m = rt.Scale("m")
    f = rt.networks.mlp(inputs=2, width=[n, m], hidden_layers=2)
    assert cluster_order(contraction(f, ["ij", "i", "j", ""])).order == n**-1 + m**-1
    bottleneck = rt.networks.mlp(inputs=2, width=[n, 8], hidden_layers=2)
    assert cluster_order(contraction(bottleneck, ["ij", "i", "j", ""])).order == 1


def test_convolutional_and_residual_networks_follow_their_channels():
    for f, x in (
        (rt.networks.cnn(channels_in=1, channels=n, layers=2), np.ones((3, 1))),
        (rt.networks.cnn(channels_in=1, channels=n, layers=1, positions=3), np.ones((3, 1))),
        (rt.networks.resnet(inputs=2, width=n, blocks=2), X),
    ):
        derivation = cluster_order(contraction(f, ["i", "ij", "jk", "k"], x))
        assert derivation.bound == rt.O(n**-1) and derivation.kind == "conjecture"


def test_programs_are_read_off_their_graph():
    @rt.program(U=rt.gaussian(n, 2), W=rt.gaussian(n, n), v=rt.gaussian(n))
    def recurrent(p, x):
        h = rt.tanh(p.U @ x)
        for _ in range(2):
            h = rt.tanh(p.W @ h / n**0.5 + p.U @ x)
        return p.v @ h / n**0.5

    assert cluster_order(contraction(recurrent, ["i", "i"]), "variance").bound == rt.O(n**-1)


# A kernel deviates from its mean by about n^-1/2: a factor of 2 is over 20 deviations, so failures are rarer than 1e-6.
@pytest.mark.parametrize(
    ("scheme", "kernel", "hessian"),
    [("ntk", 0, -1), ("mean-field", -1, Fraction(-5, 2)), ("mup", 0, Fraction(-1, 2)), ("standard", 1, 1)],
)
def test_parametrisations_rescale_operands_and_indices(scheme, kernel, hessian):
    f = network(2, "tanh", parametrization=scheme)
    theta, curvature = contraction(f, ["i", "i"]), contraction(f, ["ij", "i", "j"])
    assert cluster_order(theta).bound == rt.O(n**kernel)
    assert cluster_order(curvature, "rms").bound == rt.O(n**hessian)
    assert cluster_order(curvature, "variance").bound == rt.O(n ** (2 * hessian))
    small, large = (float(np.mean(theta.sample(width, size=8, rng=0))) for width in (1024, 4096))
    assert 0.5 < large / small / 4 ** float(kernel) < 2


def test_coefficients_multiply():
    c = contraction(network(), ["i", "i"]) * 3 * n**-0.5
    assert cluster_order(c).order == n**-0.5
    assert cluster_order(c, "variance").order == n**-2
    assert cluster_order(c * 0).order == 0


def test_outputs_are_bounded_entry_by_entry():
    g = network(2, "tanh", outputs=3).derivative(X)
    assert cluster_order(rt.einsum("pa,qa->pq", g, g)).order == 1


def test_what_the_rule_does_not_cover_is_refused():
    f = network()
    H, g = f.derivative(X, order=2), f.derivative(X)
    with pytest.raises(rt.EquationError, match="contraction has 1 free parameter indices, so it is not a number"):
        cluster_order(rt.einsum("ab,b->a", H, g))
    with pytest.raises(rt.InputError, match="statistic is 'median', expected one of 'mean', 'rms'"):
        cluster_order(rt.einsum("a,a->", g, g), "median")
    with pytest.raises(rt.InputError, match="expected a contraction of derivative tensors"):
        cluster_order(rt.gaussian(n))

    @rt.program(W=rt.gaussian(n, 2), v=rt.gaussian(n))
    def unnormalised(p, x):
        return p.v @ rt.tanh(p.v * n**0.5 + p.W @ x)

    @rt.program(W=rt.gaussian(n, 2), V=rt.gaussian(n, n), v=rt.gaussian(n))
    def large(p, x):
        return p.v @ rt.tanh(p.V @ rt.tanh(p.W @ x)) / n**0.5

    @rt.program(W=rt.iid(SKEWED, n, 2), v=rt.gaussian(n))
    def skewed(p, x):
        return p.v @ rt.tanh(p.W @ x) / n**0.5

    @rt.program(W=rt.gaussian(n, 2), v=rt.iid(expon(), n))
    def shifted(p, x):
        return p.v @ rt.tanh(p.W @ x) / n**0.5

    @rt.program(W=rt.haar(2), v=rt.gaussian(2))
    def rotated(p, x):
        return p.v @ rt.tanh(p.W @ x)

    for function, reason in (
        (f.then(rt.square), "its output is not linear in read-out weights: it ends in the activation 'square'"),
        (unnormalised, "its read-out weights occur in a hidden layer too"),
        (large, r"the argument of the activation 'tanh' is of order n\^\{1/2\}, not 1"),
        (skewed, "the parameter 'W' is skewed, and only a read-out may be"),
        (shifted, "the parameter 'v' has entries that are not centred"),
        (network(1, readout="student(5)"), "the parameter 'v' has infinite moments"),
        (rotated, "and not Gaussian or i.i.d."),
    ):
        with pytest.raises(rt.ExactError, match=reason):
            cluster_order(contraction(function, ["i", "i"]))
