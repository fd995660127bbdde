"""Norm calculus, abc-parametrisations, the kernel hierarchy, and derivations as text."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import factorial, log2

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.orders import Order
from randtensor.prediction import (
    Derivation,
    Step,
    abc_regime,
    cluster_order,
    norm_bound,
    time_derivative_order,
    tower,
    tower_order,
)
from randtensor.prediction.tower import _trees

n, m = rt.Scale("n"), rt.Scale("m")


class Array:
    """An array as a factor: with the scale n at 2, orders are the values of its norms."""

    name = "A"

    def __init__(self, values):
        self.values = values
        self.ndim = values.ndim
        self.dimensions = tuple(n ** int(log2(size)) if size > 1 else 1 for size in values.shape)

    def flattening_order(self, rows):
        columns = [k for k in range(self.ndim) if k not in rows]
        height = int(np.prod([self.values.shape[k] for k in rows]))
        matrix = self.values.transpose(*rows, *columns).reshape(height, -1)
        return n ** Fraction(log2(np.linalg.norm(matrix, 2 if rows and columns else "fro")))

    @property
    def injective_order(self):
        assert self.ndim <= 2
        return self.flattening_order((0,) if self.ndim else ())


@st.composite
def tensor_networks(draw, tree=False):
    """Arrays with dimensions 2 and 4, and terms in which every label occurs twice or is free."""
    count = draw(st.integers(1, 5))
    terms = [[] for _ in range(count)]
    if tree:
        edges = [(draw(st.integers(0, k - 1)), k) for k in range(1, count)]
    else:
        pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
        edges = draw(st.lists(pairs, max_size=5))
    for label, (a, b) in enumerate(edges):
        terms[a].append(label)
        terms[b].append(label)
    output = []
    for term in terms:
        if draw(st.booleans()) and len(output) < 2:
            output.append(100 + len(output))
            term.append(output[-1])
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    sizes = {label: int(generator.choice([2, 4])) for term in terms for label in term}
    arrays = [np.asarray(generator.standard_normal([sizes[label] for label in term])) for term in terms]
    return terms, output, arrays


def contracted(terms, output, arrays):
    letters = {label: chr(ord("a") + k) for k, label in enumerate(dict.fromkeys(x for term in terms for x in term))}
    equation = ",".join("".join(letters[x] for x in term) for term in terms)
    return np.einsum(equation + "->" + "".join(letters[x] for x in output), *arrays)


@settings(max_examples=80)
@given(tensor_networks())
def test_norm_bounds_hold_for_every_array(network):
    terms, output, arrays = network
    derivation = norm_bound(terms, output, [Array(a) for a in arrays])
    assert np.linalg.norm(contracted(*network)) <= derivation.order(2) * (1 + 1e-9)
    assert derivation.kind == "upper bound"
    assert len(derivation.steps) == len(arrays)


@settings(max_examples=40)
@given(tensor_networks(tree=True))
def test_injective_norms_multiply_along_trees(network):
    terms, output, arrays = network
    if any(a.ndim > 2 for a in arrays):
        return
    derivation = norm_bound(terms, output, [Array(a) for a in arrays], norm="injective")
    value = contracted(*network)
    size = np.linalg.norm(value, 2) if value.ndim == 2 else np.linalg.norm(value)
    assert size <= derivation.order(2) * (1 + 1e-9)
    assert derivation.order(2) <= norm_bound(terms, output, [Array(a) for a in arrays]).order(2) * (1 + 1e-9)


class Iid:
    """A tensor of i.i.d. entries: flattenings have the norm of their longer side."""

    def __init__(self, *dimensions, name="T"):
        self.dimensions, self.ndim, self.name = dimensions, len(dimensions), name

    def _side(self, slots):
        size = n**0
        for k in slots:
            size = size * self.dimensions[k]
        return size**0.5

    def flattening_order(self, rows):
        rest = [k for k in range(self.ndim) if k not in rows]
        return self._side(rows) + self._side(rest) if rows and rest else self._side(range(self.ndim))

    @property
    def injective_order(self):
        return sum((size**0.5 for size in self.dimensions), n**0)


def test_known_bounds():
    G, T = Iid(n, n), Iid(n, n, n)
    assert norm_bound(["ab", "cb", "cd", "ad"], "", [G] * 4).bound == rt.O(n**3)  # tight for tr (G G^T)^2
    assert norm_bound(["abc", "abc"], "", [T] * 2).order == n**3  # tight
    assert norm_bound(["abc", "abd", "efd", "efc"], "", [T] * 4).order == n**5  # tight
    assert norm_bound(["aa"], "", [G]).order == n**1.5
    assert norm_bound(["ab", "b"], "a", [G, Iid(n)]).order == n
    assert norm_bound(["ab"], "ab", [Iid(n, m)], norm="injective").order == n**0.5 + m**0.5
    assert norm_bound(["abc", "b", "c"], "a", [T, Iid(n), Iid(n)], norm="injective").order == n**1.5


def test_the_injective_norm_is_not_submultiplicative_over_two_indices():
    T = Iid(n, n, n)
    derivation = norm_bound(["abc", "bcd"], "ad", [T, T], norm="injective")
    assert derivation.order == n**2.5
    assert "contraction over 2 indices, not submultiplicative in the injective norm" in str(derivation)
    assert "injective norm <= Frobenius norm" in str(derivation)


def test_families_know_their_norms():
    G, Q, v = rt.gaussian(n, n), rt.haar(n), rt.gaussian(n)
    assert norm_bound(["ab", "bc", "c"], "a", [Q, G, v]).order == n
    assert norm_bound(["ab", "bc"], "ac", [G, Q], norm="injective").order == n**0.5
    assert norm_bound(["ab", "ab"], "", [rt.identity(n)] * 2).order == n

    class Unknown(Iid):
        def flattening_order(self, rows):
            if 0 < len(rows) < self.ndim:
                raise rt.ExactError("not known")
            return super().flattening_order(rows)

        @property
        def injective_order(self):
            raise rt.ExactError("not known")

    assert norm_bound(["ab", "bc"], "ac", [Unknown(n, n)] * 2, norm="injective").order == n**2


def test_a_vanishing_factor_and_many_factors():
    class Zero(Iid):
        def flattening_order(self, rows):
            return Order.zero()

    assert norm_bound(["a", "a"], "", [Zero(n), Iid(n)]).order == 0
    ring = [f"{a}{b}" for a, b in zip("abcdefghijklmnop", "bcdefghijklmnopa", strict=True)]
    assert norm_bound(ring, "", [Iid(n, n)] * 16).order == n**9


@settings(max_examples=20)
@given(tensor_networks())
def test_no_order_of_absorption_is_better(network):
    terms, output, arrays = network
    if len(terms) > 4 or any(len(set(term)) < len(term) for term in terms):
        return
    best = norm_bound(terms, output, [Array(a) for a in arrays]).order(2)
    for sequence in permutations(range(len(terms))):
        total, absorbed = 1.0, set()
        for factor in sequence:
            rows = tuple(k for k, label in enumerate(terms[factor]) if label in absorbed)
            total *= Array(arrays[factor]).flattening_order(rows)(2)
            absorbed |= set(terms[factor])
        assert best <= total * (1 + 1e-9)


def test_errors_of_norm_bounds():
    G = Iid(n, n)
    for arguments, message in (
        ((["ab"], "", [G]), "index 'a' is used 1 times, expected twice"),
        ((["ab", "ab"], "a", [G, G]), "index 'a' is used 2 times and left free, expected twice"),
        ((["abc"], "", [G]), "term 0 names 3 indices, expected 2 for its factor"),
        ((["ab"], "abc", [G]), "index 'c' is only in the output, expected it in a term"),
        ((["ab", "ba"], "", [G]), "terms lists 2 factors and norms 1"),
        ((["ab", "ab"], "", [G, Iid(n, m)]), "index 'b' has dimensions n and m, expected one dimension"),
    ):
        with pytest.raises(rt.EquationError, match=message):
            norm_bound(*arguments)
    with pytest.raises(rt.InputError, match="norm is 'nuclear', expected 'frobenius' or 'injective'"):
        norm_bound(["ab", "ab"], "", [G, G], norm="nuclear")


HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)
INTERPOLATION = [(-QUARTER, QUARTER), (QUARTER, QUARTER), (HALF, QUARTER), 0]


@pytest.mark.parametrize(
    ("scheme", "depth", "r", "regime"),
    [
        ("standard", 2, HALF, "kernel"),
        ("ntk", 2, HALF, "kernel"),
        ("ntk", 1, HALF, "kernel"),
        ("mean-field", 1, 0, "feature"),
        ("mean-field", 3, 0, "feature"),
        ("mup", 2, 0, "feature"),
        ("mup", 1, 0, "feature"),
        (INTERPOLATION, 2, QUARTER, "kernel"),
        ([(0, 0), (0, HALF), (0, HALF), 0], 2, -1, "unstable"),
        ([(0, 0), (0, HALF), (0, HALF), 2], 2, Fraction(3, 2), "trivial"),
    ],
)
def test_the_table_of_parametrisations(scheme, depth, r, regime):
    found = abc_regime(scheme, depth)
    assert (found.r, found.regime) == (r, regime)
    assert found.stable == (regime != "unstable")
    assert found.nontrivial or regime in ("unstable", "trivial")


exponents = st.fractions(-1, 1, max_denominator=4)


@settings(max_examples=60)
@given(exponents, exponents, exponents, exponents, exponents, exponents, exponents, exponents)
def test_regimes_do_not_depend_on_where_a_factor_is_kept(a1, b1, ah, bh, a, b, c, shift):
    plain = abc_regime([(a1, b1), (ah, bh), (a, b), c], 3)
    # A factor n^shift moved from the weights into the multiplier of every layer changes gradients, hence the rate.
    moved = abc_regime([(a1 + shift, b1 - shift), (ah + shift, bh - shift), (a + shift, b - shift), c - 2 * shift], 3)
    assert (plain.r, plain.regime) == (moved.r, moved.regime)
    # The other form in which Yang & Hu write r.
    least = min(2 * a1, 2 * ah - 1)
    assert plain.r == min(b, a + c) + a + c + least


def test_orders_in_abc_parametrisations():
    def order(derivation):
        return None if derivation is None else derivation.order.exponents().power

    rows = {"ntk": (-HALF, 0, -HALF, -1), "standard": (-HALF, 0, -HALF, -1), "mup": (0, -HALF, -HALF, 0)}
    for name, expected in rows.items():
        regime = abc_regime(name, 2)
        quantities = (
            regime.feature_change,
            regime.initial_output,
            regime.initial_kernel_deviation,
            regime.kernel_change,
        )
        assert tuple(order(q(n)) for q in quantities) == expected
    unstable = abc_regime([(0, 0), (0, HALF), (0, HALF), 0], 2)
    assert unstable.feature_change(n) is unstable.kernel_change(n) is None
    trivial = abc_regime([(0, 0), (0, HALF), (0, HALF), 2], 2)
    assert trivial.initial_kernel_deviation(n) is None and trivial.feature_change(n).order == n**-1.5
    assert any("r >= 0, which is -1: no" in step for step in unstable.steps)
    with pytest.raises(rt.ShapeError, match="hidden_layers is 0, expected a positive integer"):
        abc_regime("ntk", 0)


def test_multiplicities_of_trees():
    for s in range(1, 8):
        assert sum(count for _, count in _trees(s, False)) == factorial(s - 1)
        assert sum(count for _, count in _trees(s, True)) == factorial(s - 1)
    four = {tuple(sorted(np.bincount(np.ravel(tree.edges)))): count for tree, count in _trees(4, False)}
    assert four == {(1, 1, 1, 3): 2, (1, 1, 2, 2): 4}


@pytest.mark.parametrize("several", [False, True])
def test_the_tower_is_the_repeated_derivative_along_the_gradient(several):
    rng = np.random.default_rng(0)
    values = {"U": rng.standard_normal((2, 1)), "v": rng.standard_normal(2)}

    @rt.program(U=rt.gaussian(n, 1), v=rt.gaussian(n))
    def f(p, x):
        return p.v @ rt.square(p.U @ x + p.v)

    u, v, x = sympy.symbols("u:2"), sympy.symbols("v:2"), sympy.Symbol("x")
    formula = sum(v[i] * (u[i] * x + v[i]) ** 2 for i in range(2))
    numbers = {**dict(zip(u, values["U"][:, 0], strict=True)), **dict(zip(v, values["v"], strict=True))}
    inputs = [0.5, -1.0, 2.0, 1.5, 0.7] if several else [0.5] * 5
    kernel = formula.subs(x, inputs[0])
    for s in range(1, 6):
        points = [[value] for value in inputs[:s]] if several else [inputs[0]]
        quantity = tower(f.at(**values), points, s, several=several)
        assert quantity.sample(rng=0)[0] == pytest.approx(float(kernel.subs(numbers)), rel=1e-9)
        if s < 5:
            following = formula.subs(x, inputs[s])
            kernel = sum(sympy.diff(kernel, w) * sympy.diff(following, w) for w in (*u, *v))


def test_orders_of_the_tower_are_those_of_its_terms():
    f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2)
    for s in range(1, 7):
        for tree, _ in _trees(s, False):
            derivation = cluster_order(tree.contraction(f, [[1.0, 1.0]]), "rms")
            assert derivation.order == tower_order(s, n).order


def test_errors_of_towers():
    f = rt.networks.mlp(inputs=2, width=n, hidden_layers=1)
    with pytest.raises(rt.ShapeError, match="s is 0, expected a positive integer"):
        tower(f, [1.0, 1.0], 0)
    with pytest.raises(rt.InputError, match="s is 11, expected at most 10"):
        tower(f, [1.0, 1.0], 11)
    with pytest.raises(rt.InputError, match="x holds 1 inputs, expected s = 2"):
        tower(f, [[1.0, 1.0]], 2, several=True)
    with pytest.raises(rt.InputError, match="has a vector output, expected a scalar one"):
        tower(rt.networks.mlp(inputs=2, width=n, hidden_layers=1, outputs=2), [1.0, 1.0], 2)


def test_time_derivatives_never_grow():
    f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2)
    x = [1.0, 1.0]
    f0, g, H = (f.derivative(x, order=k) for k in range(3))
    kernel = rt.einsum("a,a->", g, g)
    assert [time_derivative_order(kernel, k).order for k in range(4)] == [n**0, n**-1, n**-1, n**-1]
    assert time_derivative_order(rt.einsum("ab,a,b,->", H, g, g, f0), 2).order == n**-1
    # The mean output moves although it starts at zero.
    assert time_derivative_order(f0.contraction(), 0).order == 0
    assert time_derivative_order(f0.contraction() * n**-1, 1).order == n**-1
    with pytest.raises(rt.InputError, match="k is -1, expected a non-negative integer"):
        time_derivative_order(kernel, -1)
    g = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, parametrization="mup").derivative(x)
    with pytest.raises(rt.ExactError, match=r"values of order n\^\{-1/2\}, weights of variance n\^\{-1\}"):
        time_derivative_order(rt.einsum("a,a->", g, g), 1)


def test_the_first_time_derivative_is_bounded_by_the_order_of_its_terms():
    f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2)
    x = [1.0, 1.0]
    f0, g, H, T = (f.derivative(x, order=k) for k in range(4))
    # d/dt of gHHg along -f grad f, by the product rule.
    pieces = [rt.einsum("a,ab,bcd,c,d,->", g, H, T, g, g, f0), rt.einsum("ae,e,ab,bc,c,->", H, g, H, H, g, f0)]
    bound = time_derivative_order(rt.einsum("a,ab,bc,c->", g, H, H, g), 1).order
    assert bound == n**-2
    assert all(cluster_order(piece).order <= bound for piece in pieces)


def test_derivations_as_text():
    derivation = Derivation(
        rt.O(n**-1), "upper bound", (Step("A & B", "rule", n**-1, "source"), Step("C", "", n**0, ""))
    )
    assert str(derivation).splitlines()[1:] == ["  A & B  rule  n^{-1}  source", "  C            1"]
    assert derivation._repr_latex_() == r"$O\left(n^{-1}\right)$"
    assert "<td>A &amp; B</td><td>rule</td><td>$n^{-1}$</td>" in derivation._repr_html_()
    assert derivation.order == n**-1 and hash(derivation) == hash(Derivation(*vars(derivation).values()))
    with pytest.raises(rt.InputError, match="kind is 'guess', expected one of exact, tight, upper bound, conjecture"):
        Derivation(rt.O(1), "guess")
