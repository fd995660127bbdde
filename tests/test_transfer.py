"""The transfer matrix of homogeneous networks: published polynomials, three independent oracles, and Monte Carlo."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import product
from math import factorial, prod

import pytest
from deep_contractions import contraction, equations, m, n, network
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.exact.derivatives.transfer import transfer_expectation, transfer_exponent
from randtensor.exact.haar.matchings import count_matchings, matchings
from randtensor.expansions import Expansion

ACTIVATIONS = ("linear", "relu")


def polynomial(*coefficients, first=0):
    """Coefficients of n^-first, n^-(first + 1), .."""
    return sum((c * Expansion.of(n) ** -(first + k) for k, c in enumerate(coefficients)), start=Expansion.of(0))


def doubled(equation):
    terms = equation.split("->")[0]
    return f"{terms},{terms.upper()}->"


# Equation; power of the leading term; polynomials in 1/n at depths 1, 2, 3 for linear and for sqrt(2) relu.
TABLE = [
    (",->", 0, [[1]] * 3, [[1]] * 3),
    (",,,->", 0, [[3, 6], [3, 12, 12], [3, 18, 36, 24]], [[3, 15], [3, 30, 75], [3, 45, 225, 375]]),
    ("a,a->", 0, [[2], [3], [4]], [[2], [3], [4]]),
    (
        "a,a,b,b->",
        0,
        [[4, 4], [9, 20, 16], [16, 56, 92, 52]],
        [[4, 12], [9, 58, 113], [16, 160, 640, 912]],
    ),
    ("a,a,,->", 0, [[2, 4], [3, 12, 12], [4, 24, 48, 32]], [[2, 10], [3, 30, 75], [4, 60, 300, 500]]),
    ("ab,a,b,->", 1, [[2], [8, 10], [20, 50, 38]], [[4], [16, 56], [40, 280, 544]]),
    ("ab,a,b,cd,c,d->", 2, [[4], [68, 184, 144]], [[16], [272, 2144, 3920]]),
    ("a,ab,bc,c->", 1, [[2], [12, 12], [40, 82, 58]], [[4], [24, 72], [80, 488, 872]]),
    ("abc,a,b,c->", 2, [[], [6], [36, 36]], [[], [24], [144, 432]]),
    ("ab,bc,ca,->", 2, [[], [6], [36, 36]], [[], [24], [144, 432]]),
    ("ab,bc,cd,da->", 1, [[2], [16, 14], [68, 122, 86]], [[4], [32, 88], [136, 760, 1312]]),
    ("ab,ab->", 0, [[2], [6], [12]], [[2], [6], [12]]),
    ("abc,abc->", 0, [[], [6], [24]], [[], [6], [24]]),
    ("abc,ab,c,->", 1, [[], [4, 2], [20, 32, 20]], [[], [8, 16], [40, 208, 328]]),
    ("aa,->", 0, [[], [], []], [[], [], []]),
]


@pytest.mark.parametrize(("equation", "first", "linear", "relu"), TABLE, ids=[row[0] for row in TABLE])
def test_basic_correlators(equation, first, linear, relu):
    for activation, rows in zip(ACTIVATIONS, (linear, relu), strict=True):
        for depth, coefficients in enumerate(rows, start=1):
            c = contraction(equation, network(activation, depth))
            # sqrt(2) relu is a factor 2^(1/2) for each operand and hidden layer.
            norm = 2 ** (depth * len(c.tensors) // 2) if activation == "relu" else 1
            assert norm * transfer_expectation(c) == polynomial(*coefficients, first=first)
            assert transfer_exponent(c) == (-first if coefficients else None)


@pytest.mark.parametrize("depth", [1, 4, 30])
def test_moments_of_the_output(depth):
    """Linear: E f^2k = (2k-1)!! prod (1 + 2j/n)^d; relu: E f^4, f^6, f^8 in closed form. No limit on the operands."""
    size = Expansion.of(n)
    for k in (1, 2, 3, 5, 8):
        expected = count_matchings(2 * k) * prod(((1 + 2 * j / size) for j in range(k)), start=Expansion.of(1)) ** depth
        assert transfer_expectation(contraction("," * (2 * k - 1) + "->", network("linear", depth))) == expected
    layers = {
        4: 3 * (1 + 5 / size) ** depth,
        6: 15 * ((1 + 4 / size) * (1 + 11 / size)) ** depth,
        8: 105 * ((size + 9) * (size**2 + 21 * size + 62) / size**3) ** depth,
    }
    for k, expected in layers.items():
        found = transfer_expectation(contraction("," * (k - 1) + "->", network("relu", depth)))
        assert 2 ** (depth * k // 2) * found == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_sums_of_squares_of_derivatives(activation, depth, order):
    """(d+1)!/(d+1-k)! at every width."""
    labels = "abcd"[:order]
    found = transfer_expectation(contraction(f"{labels},{labels}->", network(activation, depth)))
    expected = factorial(depth + 1) // factorial(depth + 1 - order) if order <= depth + 1 else 0
    assert found * (2**depth if activation == "relu" else 1) == expected


@pytest.mark.parametrize(("activation", "rate"), [("linear", 2), ("relu", 5)])
def test_second_moment_of_the_tangent_kernel_of_a_deep_network(activation, rate):
    size, depth = 7, 100
    found = transfer_expectation(contraction("a,a,b,b->", network(activation, depth))).exact({"n": size})
    mu, lam = 1 - Fraction(1, size), 1 + Fraction(rate, size)
    pairs = sum(lam ** (depth - abs(t - s)) * mu ** abs(t - s) for t in range(depth + 1) for s in range(depth + 1))
    norm = 4**depth if activation == "relu" else 1
    assert norm * found == Fraction((depth + 1) ** 2, 3) * lam**depth + Fraction(2, 3) * pairs


def test_a_deep_product_of_eight_operands_has_a_long_exact_answer():
    found = transfer_expectation(contraction("a,a,b,b,c,c,d,d->", network("linear", 100)))
    assert found.is_exact and len(found.terms) == 301
    assert found.leading.coefficient == 101**4
    assert found.exact({"n": 1}) == width_one("a,a,b,b,c,c,d,d->", 100)


# Oracle 1: at width 1 the network is a product of independent Gaussian numbers.


def contracted_pairs(equation):
    ends = defaultdict(list)
    for operand, term in enumerate(equation.split("->")[0].split(",")):
        for label in term:
            ends[label].append(operand)
    return list(ends.values())


def width_one(equation, depth):
    """Sum over assignments of indices to weights of products of Gaussian moments, by counts of indices per weight."""
    operands, pairs = equation.count(",") + 1, contracted_pairs(equation)
    sets = defaultdict(int)
    sets[frozenset()] = 1
    for _ in range(depth + 1):
        grown = defaultdict(int)
        for placed, weight in sets.items():
            rest = [i for i in range(len(pairs)) if i not in placed]
            for chosen in product((False, True), repeat=len(rest)):
                new = [i for i, take in zip(rest, chosen, strict=True) if take]
                ends = [end for i in new for end in pairs[i]]
                if len(set(ends)) == len(ends):
                    grown[placed.union(new)] += weight * count_matchings(operands - len(ends))
        sets = grown
    return sets[frozenset(range(len(pairs)))]


@given(equations(), st.integers(1, 4))
@settings(max_examples=30)
def test_at_width_one_every_mask_is_met_once_per_layer(equation, depth):
    expected = width_one(equation, depth)
    assert transfer_expectation(contraction(equation, network("linear", depth, 1))) == expected
    relu = transfer_expectation(contraction(equation, network("relu", depth)))
    assert relu.exact({"n": 1}) * 2**depth == expected


# Oracle 2: sums over matchings and neurons, one by one, at unequal widths.


def enumerated(equation, widths, slopes):
    operands, pairs = equation.count(",") + 1, [tuple(pair) for pair in contracted_pairs(equation)]
    states = matchings(operands)

    def layer(p, q, width):
        """Expected slopes over all ways to send the components of two matchings through neurons."""
        parent = list(range(operands))
        for a, b in (*p, *q):
            parent = [parent[a] if root == parent[b] else root for root in parent]
        blocks = [parent.count(root) for root in set(parent)]
        total = Fraction(0)
        for neurons in product(range(width), repeat=len(blocks)):
            visits = defaultdict(int)
            for neuron, size in zip(neurons, blocks, strict=True):
                visits[neuron] += size
            total += prod((sum(s**v for s in slopes) / 2 for v in visits.values()), start=Fraction(1))
        return total

    grams = [{(p, q): layer(p, q, width) for p in states for q in states} for width in widths]
    total = Fraction(0)
    for places in product(range(len(widths) + 1), repeat=len(pairs)):
        allowed = [
            [p for p in states if all(pair in p for pair, at in zip(pairs, places, strict=True) if at == place)]
            if all(
                places[i] != places[j] or not set(pairs[i]) & set(pairs[j]) for i in range(len(pairs)) for j in range(i)
            )
            else []
            for place in range(len(widths) + 1)
        ]
        row = {p: Fraction(1) for p in allowed[0]}
        for gram, following in zip(grams, allowed[1:], strict=True):
            row = {q: sum((value * gram[p, q] for p, value in row.items()), Fraction(0)) for q in following}
        total += sum(row.values())
    return total / prod(width ** (operands // 2) for width in widths)


@pytest.mark.parametrize(
    ("activation", "slopes"),
    [("linear", (1, 1)), ("relu", (1, 0)), ("leaky_relu(-1/4)", (1, Fraction(-1, 4))), ("abs", (1, -1))],
)
@pytest.mark.parametrize("equation", ["ab,a,b,->", "a,a,b,b->", "abc,abc,,->", "ab,bc,cd,da->"])
def test_unequal_widths_against_a_sum_over_neurons(activation, slopes, equation):
    slopes = tuple(Fraction(s) for s in slopes)
    numeric = transfer_expectation(contraction(equation, network(activation, 3, [2, 3, 1])))
    assert numeric == enumerated(equation, [2, 3, 1], slopes)
    symbolic = transfer_expectation(contraction(equation, network(activation, 3, [n, 2 * m, n])))
    assert symbolic.exact({"n": 3, "m": 1}) == enumerated(equation, [3, 2, 3], slopes)


def test_abs_of_a_symmetric_argument_is_linear():
    for equation in ("ab,a,b,->", "a,ab,bc,c->"):
        found = [transfer_expectation(contraction(equation, network(name, 3))) for name in ("abs", "linear")]
        assert found[0] == found[1]


# Oracle 3: derivative tensors written out, averaged monomial by monomial.


def written_out(equation, function, inputs):
    """The expectation of a contraction for a small linear network with integer widths, through SymPy polynomials."""
    import sympy

    net = function.architecture
    sizes = (net.inputs, *net.widths)
    symbols: list[sympy.Symbol] = []
    layers = []
    for t, (rows, columns) in enumerate([*zip(sizes[1:], sizes[:-1], strict=True), (1, sizes[-1])]):
        entries = [[sympy.Symbol(f"w{t}_{i}_{j}") for j in range(columns)] for i in range(rows)]
        symbols += [entry for row in entries for entry in row]
        layers.append(entries)
    spread = {
        entry: float(std) for entries, std in zip(layers, net.stds, strict=True) for row in entries for entry in row
    }

    def value(x):
        h = [sympy.Rational(Fraction(v)) for v in x]
        for entries in layers:
            h = [sympy.expand(sum(w * v for w, v in zip(row, h, strict=True))) for row in entries]
        return sympy.Poly(h[0], *symbols)

    operands = [value(x) for x in inputs]
    labels = sorted(set(equation) & set("abcdef"))
    terms = equation.split("->")[0].split(",")
    total = sympy.Poly(0, *symbols)

    def closed(labels, factors):
        nonlocal total
        if any(factor.is_zero for factor in factors):
            return
        if not labels:
            total += prod(factors[1:], start=factors[0])
            return
        for symbol in symbols:
            closed(labels[1:], [f.diff(symbol) if labels[0] in t else f for f, t in zip(factors, terms, strict=True)])

    closed(labels, operands)
    result = 0.0
    for exponents, coefficient in total.terms():
        if all(e % 2 == 0 for e in exponents):
            moments = (count_matchings(e) * spread[s] ** e for s, e in zip(symbols, exponents, strict=True) if e)
            result += float(coefficient) * prod(moments)
    return result * prod(float(factor) ** len(terms) for factor in net.factors)


@pytest.mark.parametrize("scheme", ["ntk", "standard", "mup", "mean-field", [(0, 1), (0, 0.5), (0.25, 0.25), 0]])
def test_different_inputs_and_parametrizations_against_written_out_tensors(scheme):
    function = rt.networks.deep_linear(2, [2, 3], 2, scheme)
    for equation in ("ab,a,b,->", "a,a,,->", "ab,ab->"):
        inputs = [[1.0, 0.5], [-1.0, 2.0], [0.0, 1.0], [1.0, 1.0]][: equation.count(",") + 1]
        found = transfer_expectation(contraction(equation, function, inputs))
        assert found(1) == pytest.approx(written_out(equation, function, inputs), rel=1e-12)


def test_inputs_and_parametrization_of_symbolic_width_agree_with_integer_widths():
    inputs = [[1.0, 0.5], [-1.0, 2.0], [0.0, 1.0], [1.0, 1.0]]
    for scheme, equation in product(("ntk", "standard", "mup"), ("ab,a,b,->", "abc,ab,c,->", "a,a,b,b->")):
        symbolic = transfer_expectation(contraction(equation, rt.networks.deep_linear(2, n, 3, scheme), inputs))
        integer = transfer_expectation(contraction(equation, rt.networks.deep_linear(2, 4, 3, scheme), inputs))
        assert symbolic.exact({"n": 4}) == integer.exact({})
        unequal = transfer_expectation(
            contraction(equation, rt.networks.deep_linear(2, [n, m, 2 * m], 3, scheme), inputs)
        )
        assert unequal.exact({"n": 4, "m": 2}) == transfer_expectation(
            contraction(equation, rt.networks.deep_linear(2, [4, 2, 4], 3, scheme), inputs)
        ).exact({})


def test_positive_multiples_of_an_input_factor_out():
    equation, f = "ab,a,b,->", rt.networks.mlp(2, n, 2, "relu")
    one = transfer_expectation(contraction(equation, f, [1.0, -2.0]))
    scaled = transfer_expectation(contraction(equation, f, [[1.0, -2.0], [0.5, -1.0], [3.0, -6.0], [1.0, -2.0]]))
    assert scaled == one * Fraction(3, 2)
    assert transfer_expectation(contraction(equation, f, [0.0, 0.0])) == 0
    assert transfer_exponent(contraction(",->", f, [[1.0, -2.0], [0.0, 0.0]])) is None


def test_norms_of_inputs_stay_exact():
    f = rt.networks.mlp(3, n, 2, "relu")
    found = transfer_expectation(contraction("a,a->", f, [3**-0.5] * 3))
    assert found == Fraction(3, 4) / 3
    assert found.is_exact


def test_coefficients_are_included():
    c = contraction("ab,a,b,->", network("linear", 2))
    assert transfer_expectation(c * 3 / n) == 3 * transfer_expectation(c) / n
    assert transfer_exponent(c * 3 / n) == -2
    assert transfer_expectation(0 * c) == 0 and transfer_exponent(0 * c) is None


@pytest.mark.parametrize("operands", [1, 3])
def test_odd_products_vanish(operands):
    c = contraction("," * (operands - 1) + "->", network("relu", 2))
    assert transfer_expectation(c) == 0
    assert transfer_exponent(c) is None


@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu(0.5)"])
@pytest.mark.parametrize("equation", ["ab,a,b,->", "a,ab,bc,c->", "abc,a,b,c->"])
def test_monte_carlo(activation, equation):
    # The exact variance stands in for the sample's; |z| < 5 fails with probability 6e-7 for a normal mean.
    c = contraction(equation, network(activation, 2))
    size, samples = 6, 4000
    mean = transfer_expectation(c)(size)
    variance = transfer_expectation(contraction(doubled(equation), network(activation, 2)))(size) - mean**2
    drawn = c.sample(size, size=samples, rng=11)
    assert abs(drawn.mean() - mean) < 5 * (variance / samples) ** 0.5
