"""The suite on correlation functions: its predictions against exact laws, recursions and independent computations."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, combinations_with_replacement, permutations
from math import prod
from string import ascii_letters

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.expansions import Expansion
from randtensor.networks import parametrization
from randtensor.prediction import cluster_graph
from theory_checks import Exact, SuiteOptions, check, load_suite
from theory_checks.suites.correlation_functions.depth import critical_tanh, kernel_ratio, kernel_ratio_limit
from theory_checks.suites.correlation_functions.plan import Correlators, series
from theory_checks.suites.correlation_functions.trained import GradientDescent, _Network
from theory_checks.suites.correlation_functions.training import SCHEMES

CLAIMS = {claim.id: claim for claim in load_suite("correlation-functions").claims()}
EXACT = [c for c in CLAIMS.values() if isinstance(c.prediction, Exact) and c.expect == "consistent"]

#: exact means, as coefficients of powers of 1/n, with two and with three hidden layers
POLYNOMIALS = {
    "i,i,j,j->": {
        "linear": [(9, 20, 16), (16, 56, 92, 52)],
        "relu": [(9, 58, 113), (16, 160, 640, 912)],
    },
    "ij,i,j,->": {
        "linear": [(0, 8, 10), (0, 20, 50, 38)],
        "relu": [(0, 16, 56), (0, 40, 280, 544)],
    },
    "i,ij,jk,k->": {
        "linear": [(0, 12, 12), (0, 40, 82, 58)],
        "relu": [(0, 24, 72), (0, 80, 488, 872)],
    },
    "ijk,i,j,k->": {
        "linear": [(0, 0, 6), (0, 0, 36, 36)],
        "relu": [(0, 0, 24), (0, 0, 144, 432)],
    },
    "ij,jk,ki,->": {
        "linear": [(0, 0, 6), (0, 0, 36, 36)],
        "relu": [(0, 0, 24), (0, 0, 144, 432)],
    },
    "ij,jk,kl,li->": {
        "linear": [(0, 16, 14), (0, 68, 122, 86)],
        "relu": [(0, 32, 88), (0, 136, 760, 1312)],
    },
    "ijk,ij,k,->": {
        "linear": [(0, 4, 2), (0, 20, 32, 20)],
        "relu": [(0, 8, 16), (0, 40, 208, 328)],
    },
    "ij,i,j,kl,k,l->": {
        "linear": [(0, 0, 68, 184, 144)],
        "relu": [(0, 0, 272, 2144, 3920)],
    },
}


def has_expectation(quantity):
    try:
        quantity.expectation()
    except rt.ExactError:
        return False
    return True


def test_exact_claims_predict_the_exact_expectation():
    known = [
        c for c in EXACT if isinstance(c.prediction.value, Expansion | int | float) and has_expectation(c.quantity)
    ]
    assert len(known) > 45
    for claim in known:
        value = Expansion.of(claim.prediction.value)
        mean = claim.quantity.expectation()
        if "tanh" in claim.name:
            for size in (8, 64):
                sizes = {"n": size}
                # Six decimal places are given.
                assert value.evaluate(sizes) == pytest.approx(mean.evaluate(sizes), rel=5e-6), claim.id
        else:
            assert value == mean, claim.id


def test_exact_claims_use_the_exact_variance():
    for ident in ("D2", "D7", "D12", "D16", "D17.relu"):
        claim = CLAIMS[ident]
        assert claim.prediction.deviation({"n": 16}) ** 2 == pytest.approx(
            claim.quantity.variance().evaluate({"n": 16}), rel=1e-12
        )


@pytest.mark.parametrize("equation", POLYNOMIALS)
@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_polynomials(equation, activation):
    for depth, coefficients in enumerate(POLYNOMIALS[equation][activation], start=2):
        assert Correlators(activation, depth)(equation).expectation() == series(*coefficients)


@settings(max_examples=12)
@given(st.sampled_from(["linear", "relu"]), st.integers(1, 4), st.integers(2, 40))
def test_closed_forms(activation, depth, size):
    correlators, sizes = Correlators(activation, depth), {"n": size}
    slope = 2 if activation == "linear" else 5
    moments = {
        2: 1,
        4: 3 * (1 + slope / size) ** depth,
        6: 15
        * ((1 + 2 / size) * (1 + 4 / size) if activation == "linear" else (1 + 4 / size) * (1 + 11 / size)) ** depth,
        8: 105
        * (
            prod(1 + 2 * j / size for j in range(4))
            if activation == "linear"
            else (size + 9) * (size**2 + 21 * size + 62) / size**3
        )
        ** depth,
    }
    for count, value in moments.items():
        exact = correlators("," * (count - 1) + "->").expectation()
        assert exact.evaluate(sizes) == pytest.approx(value, rel=1e-12)
    for order in (1, 2, 3):
        labels = "abc"[:order]
        value = prod(depth + 1 - k for k in range(order))
        assert correlators(f"{labels},{labels}->").expectation() == Expansion.of(value)
    if activation == "relu":
        exact = correlators("i,i,j,j->").expectation().evaluate(sizes) / (depth + 1) ** 2
        assert kernel_ratio(size, depth) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("beta", [0.25, 1.0, 2.0])
def test_the_joint_limit_is_approached_as_one_over_n(beta):
    departures = [n * (kernel_ratio(n, round(beta * n)) / kernel_ratio_limit(beta) - 1) for n in (512, 1024, 2048)]
    assert departures[2] == pytest.approx(departures[1], rel=0.02)
    assert abs(departures[2] - departures[1]) < abs(departures[1] - departures[0])


def multigraphs():
    """Loopless multigraphs on 2 or 4 vertices with at most 4 edges, one of each kind, as terms of a contraction."""
    for vertices in (2, 4):
        pairs = list(combinations(range(vertices), 2))
        for count in range(5):
            found = set()
            for edges in combinations_with_replacement(pairs, count):
                form = min(
                    tuple(sorted(tuple(sorted((p[a], p[b]))) for a, b in edges)) for p in permutations(range(vertices))
                )
                if form not in found:
                    found.add(form)
                    yield ["".join(ascii_letters[k] for k, e in enumerate(edges) if v in e) for v in range(vertices)]


#: numbers of multigraphs whose mean attains n^s_C, vanishes, or is smaller by one power of n; by depth
COUNTS = {1: (12, 15, 0), 2: (18, 6, 3), 3: (22, 0, 5)}


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_cluster_graphs_are_never_violated_and_not_always_attained(activation):
    graphs = list(multigraphs())
    for depth, (attained, zero, below) in COUNTS.items():
        correlators, gaps = Correlators(activation, depth), Counter()
        for terms in graphs:
            contraction = rt.einsum(
                ",".join(terms) + "->", *[correlators.function.derivative([1.0], order=len(t)) for t in terms]
            )
            order = contraction.expectation().order
            gaps[None if order == 0 else cluster_graph(contraction).exponent - order.exponents().power] += 1
        assert gaps == Counter({0: attained, None: zero, 1: below})


def test_gradient_flow_conserves_theta_squared_less_four_f_squared():
    rng = np.random.default_rng(7)
    n, y = 6, 1.5
    u, v = rng.standard_normal((2, n))
    f = u @ v / n**0.5
    final = np.sqrt(((u @ u + v @ v) / n) ** 2 + 4 * (y**2 - f**2) / n)
    for _ in range(40000):
        error = 1e-3 * (u @ v / n**0.5 - y) / n**0.5
        u, v = u - error * v, v - error * u
    assert u @ v / n**0.5 == pytest.approx(y, abs=1e-9)
    assert (u @ u + v @ v) / n == pytest.approx(final, rel=2e-3)


@pytest.mark.parametrize("name", SCHEMES)
def test_gradient_descent_against_finite_differences(name):
    training, size, step = GradientDescent(parametrization(SCHEMES[name])), 3, 1e-5
    network = _Network(training, size, 2, np.random.default_rng(11))

    def outputs_and_loss():
        network.forward()
        loss = 0.5 * np.mean((network.output - network.targets) ** 2, axis=(1, 2))
        return np.concatenate([network.output[:, 0, 0], loss])

    slopes = []
    for weights in network.weights:
        slope = np.empty((2, *weights.shape))
        for index in np.ndindex(*weights.shape[1:]):
            entry = (slice(None), *index)
            kept = weights[entry].copy()
            weights[entry] = kept + step
            high = outputs_and_loss()
            weights[entry] = kept - step
            low = outputs_and_loss()
            weights[entry] = kept
            slope[(slice(None), *entry)] = ((high - low) / (2 * step)).reshape(2, 2)
        slopes.append(slope)
    network.forward()
    squares = sum(np.sum(slope[0] ** 2, axis=(1, 2)) for slope in slopes)
    np.testing.assert_allclose(network.kernel(), network.rate * squares, rtol=1e-8)
    before = [weights.copy() for weights in network.weights]
    network.step()
    for old, new, slope in zip(before, network.weights, slopes, strict=True):
        np.testing.assert_allclose(old - new, training.learning_rate * network.rate * slope[1], rtol=1e-6, atol=1e-10)


def test_training_samples_are_those_of_their_seed():
    quantity = GradientDescent(parametrization("mup")).kernel_change()
    many, few = (quantity.sample(32, size=size, rng=5) for size in (12, 3))
    np.testing.assert_array_equal(many[:3], few)


def test_second_layer_constant():
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def moment(r):
        return np.tanh(r**0.5 * nodes) ** 2 @ weights

    mean, fourth, h = moment(1.0), np.tanh(nodes) ** 4 @ weights, 1e-3
    curvature = (moment(mean + h) - 2 * moment(mean) + moment(mean - h)) / h**2
    constant = 0.5 * curvature * (fourth - mean**2)
    assert CLAIMS["D27.constant"].prediction.value == series(0, -0.030933)
    assert constant == pytest.approx(-0.030933, abs=1e-6)


def test_the_vertex_of_critical_tanh_grows_as_two_thirds_of_the_depth():
    ratios = [critical_tanh(depth)[1] / depth for depth in (256, 1024, 4096)]
    errors = [abs(ratio - 2 / 3) for ratio in ratios]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-3
    mean, _ = critical_tanh(4096)
    assert 2 * 4096 * mean == pytest.approx(1, rel=5e-3)


def test_every_statement_has_a_claim_and_a_control():
    assert {f"D{k}" for k in range(1, 32)} <= {ident.split(".")[0] for ident in CLAIMS}
    controls = {ident for ident, claim in CLAIMS.items() if claim.expect == "refuted"}
    assert controls == {"D3.copied", "D13.copied", "D17.copied", "D25.copied", "D31.copied"}
    quick = {claim.id: claim for claim in load_suite("correlation-functions").claims(SuiteOptions(quick=True))}
    assert quick.keys() == CLAIMS.keys()
    assert sum(sum(c.counts) for c in quick.values()) < 0.6 * sum(sum(c.counts) for c in CLAIMS.values())


def test_inputs_are_refused():
    with pytest.raises(rt.InputError, match="inputs has 2 rows, expected none"):
        load_suite("correlation-functions").claims(SuiteOptions(inputs=np.ones((2, 3))))


@pytest.mark.parametrize("ident", ["D3.copied", "D7", "D13.copied", "D16.rate", "D22", "D29.1", "D31.1"])
def test_cheap_claims(ident):
    # Refuted by chance with probability 1e-6; the seeds are fixed.
    claim = CLAIMS[ident]
    assert check(claim, rng=3, false_refutation=1e-6).verdict == claim.expect
