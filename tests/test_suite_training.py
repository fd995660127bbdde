"""The rows of the suites on training: exact means that replace noise, numbers of the theory, and cheap claims."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import estimators
import randtensor as rt
from estimators.training import Observable
from theory_checks import check
from theory_checks.suites import SuiteOptions
from theory_checks.suites.weak_correlations import higher
from theory_checks.suites.weak_correlations import plan as weak
from theory_checks.suites.weak_correlations import training as weak_training
from theory_checks.suites.wide_gaussianity import plan as wide
from theory_checks.suites.wide_gaussianity import training as wide_training
from theory_checks.suites.wide_gaussianity.response import Response, width
from theory_checks.suites.wide_gaussianity.waves import Wave

WEAK_PARTS = (weak_training.trained, weak_training.learning_rates, weak_training.long_training)
HIGHER = higher.higher_derivatives
WIDE_PARTS = (
    wide_training.kernel_drift,
    wide_training.outputs_in_training,
    wide_training.late_training,
    wide_training.law_of_outputs,
)
PLAN = wide.Plan(SuiteOptions())


def claims(quick=False):
    options = SuiteOptions(quick=quick)
    found = [claim for part in (*WEAK_PARTS, HIGHER) for claim in part(weak.Plan(options))]
    found += [claim for part in WIDE_PARTS for claim in part(wide.Plan(options))]
    return {claim.id: claim for claim in found}


CLAIMS = claims()


@cache
def response(law):
    return wide_training.responses(PLAN, None if law == "normal" else law)


def start(law, n, samples, observed, rng):
    """Observables of networks that are not trained, one row per network."""
    run = wide_training.flow(PLAN, None if law == "normal" else law)
    record = estimators.train(run, n=n, samples=samples, record=[0], rng=rng, jobs=1, observe=observed)
    return {name: values[:, 0] for name, values in record.values.items()}


def deviations(values, mean):
    """Distance of the sample mean from ``mean`` in standard errors."""
    return (values.mean(axis=0) - mean) / (values.std(axis=0) / len(values) ** 0.5)


def test_every_claim_of_the_tables_is_there_once():
    rows = {ident.split(".")[0] for ident in CLAIMS}
    weak_rows, wide_rows = (11, 12, 13, 14, 15, 16, 17, 21), (12, 13, 14, 15, 16, 17, 19, 20)
    assert rows == {f"W{k}" for k in weak_rows} | {f"GP{k}" for k in wide_rows}
    for parts, plan in ((WEAK_PARTS, weak.Plan(SuiteOptions())), (WIDE_PARTS, PLAN)):
        for part in parts:
            group = list(part(plan))
            assert len({claim.id for claim in group}) == len(group)
            assert any(claim.expect == "refuted" for claim in group)


def test_quick_claims_are_the_same_claims_at_about_a_quarter_of_the_cost():
    quick = claims(quick=True)
    assert list(quick) == list(CLAIMS)

    def units(claim):
        return sum(next(iter(size.values())) * count for size, count in zip(claim.sizes, claim.counts, strict=True))

    assert sum(map(units, quick.values())) < 0.4 * sum(map(units, CLAIMS.values()))


def test_constants_of_the_skewed_network():
    # Found by an independent quadrature.
    found = response("exponential")
    assert found.shift == pytest.approx([-0.09046, -0.10895], abs=1e-5)
    assert found.drift.ravel() == pytest.approx([0.11597, 0.01758, 0.01758, -0.04488], abs=1e-5)
    assert found.rates == pytest.approx([0.298833, 2.130417], abs=1e-6)
    assert CLAIMS["GP15.constant"].prediction.expected({"n": 4}) == pytest.approx(-0.0997, abs=1e-4)
    assert CLAIMS["GP12.constant"].prediction.expected({"n": 4}) == pytest.approx(0.16085, abs=1e-4)
    assert CLAIMS["GP17"].prediction.expected({"n": 4}) == pytest.approx(-0.59766, abs=1e-4)


def test_symmetric_networks_have_no_shift():
    found = response("normal")
    assert abs(found.shift).max() < 1e-14
    assert abs(found.drift).max() < 1e-14


def test_response_is_the_derivative_by_a_constant_change_of_the_kernel():
    found, step = response("exponential"), 1e-5
    change, residual = np.array([[0.3, -0.5], [-0.5, 1.1]]), np.array([0.7, -1.3])
    kernels = [found.kernel + sign * step * change for sign in (1, -1)]
    plus, minus = (expm(-found.time * kernel) @ residual for kernel in kernels)
    gaps = np.multiply.outer(change, residual)
    assert found.contracted(gaps, np.zeros((2, 2))) == pytest.approx((plus - minus) / (2 * step), abs=1e-8)


def test_response_is_the_derivative_by_the_motion_of_the_kernel():
    found, step = response("exponential"), 1e-4
    residual = np.array([0.7, -1.3])

    def end(size):
        def field(_, state):
            r, total = state[:2], state[2:]
            return np.concatenate([-(found.kernel - size * found.motion @ total) @ r, r])

        start = np.concatenate([residual, np.zeros(2)])
        return solve_ivp(field, (0, found.time), start, rtol=1e-12, atol=1e-14).y[:2, -1]

    expected = (end(step) - end(-step)) / (2 * step)
    pairs = np.multiply.outer(residual, residual)
    assert found.contracted(np.zeros((2, 2, 2)), pairs) == pytest.approx(expected, abs=1e-7)


def test_response_with_coinciding_eigenvalues():
    # Orthogonal inputs of one length under an odd activation: the kernel is a multiple of the identity.
    f = rt.networks.two_layer(2, wide.n, "tanh")
    found = Response(f, np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([1.0, -1.0]), 2.0)
    rate = found.kernel[0, 0]
    change = np.array([[1.0, 2.0], [2.0, 3.0]])
    gaps = np.multiply.outer(change, [1.0, 1.0])
    expected = -2.0 * np.exp(-2.0 * rate) * change.sum(axis=1)
    assert found.contracted(gaps, np.zeros((2, 2))) == pytest.approx(expected, rel=1e-9)


# Ten numbers per case, each beyond 5.5 standard errors with probability 4e-8 where the mean of so many is Gaussian.
@pytest.mark.parametrize("law, n", [("normal", 6), ("exponential", 40)])
def test_noise_that_is_replaced_has_the_mean_that_is_put_back(law, n):
    found = response(law)
    wave = Wave(found, [1.0, -0.4])

    def first(snapshot):
        z = snapshot.initial.outputs @ wave.weights
        moved = found.outputs(snapshot) @ wave.direction / wave.std
        value = np.exp(1j * z) * (1 + 1j * moved)
        return np.stack([value.real, value.imag], axis=1)

    observed = [
        Observable("outputs of first order", found.outputs),
        Observable("loss", found.loss),
        Observable("drift", found.start_of_drift),
        Observable("wave", first),
        Observable("width", lambda snapshot: np.full(snapshot.network.batch, width(snapshot))),
    ]
    values = start(law, n, 40000, observed, rng=3)
    assert set(values["width"]) == {n}
    assert abs(deviations(values["outputs of first order"], n**-0.5 * found.shift)).max() < 5.5
    assert abs(deviations(values["loss"], found.loss_mean(n))) < 5.5
    mean = wave.mean(n)
    assert abs(deviations(values["wave"], [mean.real, mean.imag])).max() < 5.5
    if law == "exponential":
        assert abs(deviations(values["drift"].reshape(-1, 4), 0.0)).max() < 5.5
    else:
        assert abs(values["drift"]).max() < 1e-13


def test_wave_of_the_outputs_at_the_start_is_the_exact_characteristic_function():
    f = PLAN.shallow("exponential")
    for n in (3, 50):
        wave = Wave(Response(f, np.stack([PLAN.x, PLAN.y]), wide_training.TARGETS, 1e-12), [1.0, 0.0])
        expected = rt.exact.characteristic_function(f, PLAN.x, 1 / wave.std, n)
        assert abs(wave.mean(n) - expected) < 1e-8


def test_wave_tends_to_that_of_a_gaussian():
    for law, power in (("normal", 1.0), ("exponential", 0.5)):
        wave = Wave(response(law), [0.3, 1.0])
        gaps = [abs(wave.mean(n) - np.exp(-0.5)) * n**power for n in (10**5, 4 * 10**5)]
        assert gaps[1] == pytest.approx(gaps[0], rel=0.01)


def test_norms_of_higher_derivatives_are_those_of_the_tensors():
    # unit by unit, in the plane of v and of the row of W: entry 0 is v
    rng = np.random.default_rng(11)
    angles = np.linspace(0, np.pi, 20001)
    vectors = np.stack([np.sin(angles), np.cos(angles)])
    for order in higher.ORDERS:
        along, mixed = rng.normal(size=(2, 4, 3))
        along[0, 0] = mixed[1, 1] = 0.0
        norms, lengths = np.zeros((4, 3)), np.zeros((4, 3))
        for index in np.ndindex(4, 3):
            tensor = np.zeros((2,) * order)
            tensor[(1,) * order] = along[index]
            for axis in range(order):
                tensor[tuple(0 if other == axis else 1 for other in range(order))] = mixed[index]
            lengths[index] = np.linalg.norm(tensor)
            value = np.einsum("i...,ia->a...", tensor, vectors)
            for _ in range(order - 1):
                value = np.einsum("ai...,ia->a...", value, vectors)
            norms[index] = abs(value).max()
        assert higher.injective(along, mixed, order) == pytest.approx(norms.max(axis=1), rel=1e-6)
        assert higher.frobenius(along, mixed, order) == pytest.approx(np.sqrt((lengths**2).sum(axis=1)), rel=1e-12)


def test_higher_derivatives_are_those_of_the_network():
    plan = weak.Plan(SuiteOptions())
    network = plan.shallow().architecture
    rng, n, step = np.random.default_rng(2), 5, 2e-3
    readout, hidden = rng.normal(size=(1, n)), rng.normal(size=(1, n, 4))
    dv, dw = rng.normal(size=n), rng.normal(size=n)
    x = plan.x0

    def output(t):
        rows = hidden[0] + t * np.outer(dw, x / np.linalg.norm(x))
        return n**-0.5 * (readout[0] + t * dv) @ np.tanh(rows @ x / len(x) ** 0.5)

    for order, weights in ((2, [1, -2, 1]), (3, [-0.5, 1, 0, -1, 0.5])):
        points = np.arange(len(weights)) - len(weights) // 2
        along, mixed = higher.unit_derivatives(network, readout, hidden, x, order)
        expected = float((along * dw**order + order * mixed * dv * dw ** (order - 1)).sum())
        found = sum(w * output(k * step) for w, k in zip(weights, points, strict=True)) / step**order
        assert found == pytest.approx(expected, rel=1e-3)


def test_tolerance_of_the_flow_is_below_what_sampling_can_see():
    from dataclasses import replace

    from randtensor.quantity import Draw

    for time, observable in ((1.0, "limit_error"), (8.0, "kernel_change")):
        values = []
        for tolerance in (wide_training.TOLERANCE, 1e-9):
            run = replace(wide_training.flow(PLAN, time=time), tolerance=tolerance)
            quantity = estimators.TrainingQuantity(run, observable)
            with Draw({"n": 64}, 50, np.random.default_rng(5)) as draw:
                values.append(quantity.evaluate(draw))
        assert abs(values[0] - values[1]).max() < 2e-3 * abs(values[1]).mean()


# False-failure probability of each: 1e-6, the level at which a claim is refuted.
@pytest.mark.parametrize("ident", ["W12.1", "W14.frobenius", "W15.0.5", "W15.bound.1", "W16.1"])
def test_cheap_claims_are_consistent(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=1e-6).verdict == "consistent"


@pytest.mark.parametrize("ident", ["W11.wrong", "W15.wrong", "W17.wrong", "GP17.wrong"])
def test_cheap_controls_are_refuted(ident):
    assert check(CLAIMS[ident], rng=7, false_refutation=1e-6).verdict == "refuted"
