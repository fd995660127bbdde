"""Symmetries, exact laws and flows of `estimators.mechanics`, against formulas, other recursions and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimators.mechanics import (
    ChargeRecorder,
    ContinuousLaw,
    ExactLaw,
    FunctionObjective,
    Hyperparameters,
    Part,
    ProgramObjective,
    Symmetry,
    descend,
    gradient_field,
    integrate,
    modified_loss_field,
    modified_velocity,
    runge_kutta,
    second_order_field,
)
from theory_checks.suites.neural_mechanics.conservation import sphere_regression
from theory_checks.suites.neural_mechanics.flows import tanh_regression
from theory_checks.suites.neural_mechanics.network import Network

SHAPES = {"W": (3, 4), "b": (3,), "V": (2, 6)}
GROUPS = {
    "translation": Symmetry("translation", (Part("V", 1),), "columns"),
    "whole": Symmetry("translation", (Part("b", None),), "bias"),
    "scale": Symmetry("scale", (Part("W"), Part("b")), "scale"),
    "rescale": Symmetry("rescale", (Part("W"), Part("b"), Part("V", 1, -1, 2)), "rescale"),
}


def arrays(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}


def gaussian_network(seed, **options):
    rng = np.random.default_rng(seed)
    net = Network(rng.standard_normal((24, 5)), rng.integers(4, size=24), units=3, hidden=3, outputs=4, **options)
    return net, net.start(rng)


def test_charges_of_units_are_sums_over_their_entries():
    p = arrays(0)
    assert np.allclose(GROUPS["translation"].charges(p), p["V"].sum(axis=0))
    assert np.allclose(GROUPS["whole"].charges(p), [p["b"].sum()])
    assert np.allclose(GROUPS["scale"].charges(p), (p["W"] ** 2).sum(axis=1) + p["b"] ** 2)
    outgoing = (p["V"] ** 2).reshape(2, 3, 2).sum(axis=(0, 2))
    assert np.allclose(GROUPS["rescale"].charges(p), (p["W"] ** 2).sum(axis=1) + p["b"] ** 2 - outgoing)


@pytest.mark.parametrize("family", GROUPS)
@given(seed=st.integers(0, 2**20))
@settings(max_examples=20)
def test_generators_are_derivatives_of_actions_and_of_charges(family, seed):
    symmetry, p = GROUPS[family], arrays(seed)
    h, units = 1e-6, symmetry.units(p)
    weights = np.random.default_rng(seed).standard_normal(units)
    unit, sign = (0.0, 1) if symmetry.linear else (1.0, 1)
    forward, back = (symmetry.act(p, unit + sign * step * weights) for step in (h, -h))
    xi = symmetry.generator(p, weights)
    for name in p:
        assert np.allclose((forward[name] - back[name]) / (2 * h), xi[name], atol=1e-8)
    vector = arrays(seed + 1)
    ends = [symmetry.charges({name: p[name] + s * h * vector[name] for name in p}) for s in (1, -1)]
    factor = 1 if symmetry.linear else 2
    assert np.allclose((ends[0] - ends[1]) / (2 * h), factor * symmetry.along(vector, p), atol=1e-7)
    product = sum((vector[name] * xi[name]).sum() for name in p)
    assert product == pytest.approx(weights @ symmetry.along(vector, p), rel=1e-10, abs=1e-12)
    lengths = [math.sqrt(sum((a**2).sum() for a in symmetry.generator(p, e).values())) for e in np.eye(units)]
    assert np.allclose(lengths, symmetry.norms(p))


@given(
    seed=st.integers(0, 2**16),
    decay=st.sampled_from([0.0, 0.01, 0.3]),
    momentum=st.sampled_from([0.0, 0.5, 0.95]),
    kind=st.sampled_from(["plain", "dampening", "nesterov"]),
    start=st.booleans(),
)
@settings(max_examples=30)
def test_exact_laws_hold_for_every_descent(seed, decay, momentum, kind, start):
    net, point = gaussian_network(seed)
    point = net.objective.layout.join(net.symmetries[2].act(net.objective.layout.split(point), 2.0))
    rng = np.random.default_rng(seed)
    options = {"weight_decay": decay, "momentum": momentum}
    if momentum and kind != "plain":
        options[kind] = 0.4 if kind == "dampening" else True
    if momentum and start:
        options["velocity"] = 0.1 * rng.standard_normal(len(point))
    rates = rng.uniform(0.01, 0.2, size=40)
    batches = [rng.choice(24, 12, replace=False) for _ in rates]
    run = descend(net.objective, point, net.symmetries, learning_rate=rates, steps=40, batches=batches, **options)
    assert max(run.deviations.values()) < 1e-13
    assert run.times[-1] == pytest.approx(rates.sum() * (1 - options.get("dampening", 0.0)))


def test_laws_see_a_group_that_is_none():
    net, point = gaussian_network(0)
    wrong = Symmetry("scale", (Part("W2"),), "no symmetry")
    run = descend(net.objective, point, [wrong], learning_rate=0.1, steps=20)
    assert run.deviations["no symmetry"] > 1e-3


def test_exact_law_of_translations_is_the_two_term_recursion():
    symmetry, beta, decay, eta = Symmetry("translation", (Part("w"),)), 0.9, 0.2, 0.1
    law = ExactLaw(symmetry, Hyperparameters(decay, beta), np.array([1.0]))
    before, now = 1.0, float(law.advance(eta, {"w": np.zeros(1)})[0])
    for _ in range(50):
        before, now = now, (1 + beta - eta * decay) * now - beta * before
        assert float(law.advance(eta, {"w": np.ones(1)})[0]) == pytest.approx(now, rel=1e-12, abs=1e-14)


def oscillator(t, gamma, omega):
    """The factor h of the initial value and the kernel K, in the three regimes written out."""
    if gamma < omega:
        w = math.sqrt(omega**2 - gamma**2)
        return (
            math.exp(-gamma * t) * (math.cos(w * t) + gamma / w * math.sin(w * t)),
            math.exp(-gamma * t) * math.sin(w * t) / w,
        )
    if gamma == omega:
        return math.exp(-gamma * t) * (1 + gamma * t), t * math.exp(-gamma * t)
    slow, fast = (-gamma + s * math.sqrt(gamma**2 - omega**2) for s in (1, -1))
    gap = slow - fast
    return (slow * math.exp(fast * t) - fast * math.exp(slow * t)) / gap, (
        math.exp(slow * t) - math.exp(fast * t)
    ) / gap


@pytest.mark.parametrize("family", ["translation", "scale"])
@pytest.mark.parametrize("dampening", [0.0, 0.25])
@pytest.mark.parametrize("decay", [0.05, "critical", 40.0])
def test_continuous_law_with_momentum_is_the_oscillator_in_closed_form(family, dampening, decay):
    beta, eta, steps = 0.5, 0.1, 12
    step = eta * (1 - dampening)
    gamma = (1 - beta) / (step * (1 + beta))
    factor = 2 if family == "translation" else 4
    decay = gamma**2 * step * (1 + beta) / factor if decay == "critical" else decay
    omega = gamma if math.isclose(factor * decay / (step * (1 + beta)), gamma**2) else 0.0
    omega = omega or math.sqrt(factor * decay / (step * (1 + beta)))
    law = ContinuousLaw(Symmetry(family, (Part("w"),)), Hyperparameters(decay, beta, dampening), np.array([1.5]))
    rng = np.random.default_rng(0)
    velocities = rng.standard_normal(steps)
    for k in range(steps):
        found = law.advance(eta, {"w": np.zeros(1)}, {"w": velocities[k : k + 1]})
        t = (k + 1) * step
        expected = 1.5 * oscillator(t, gamma, omega)[0]
        if family == "scale":
            kicks = [oscillator(t - j * step, gamma, omega)[1] * velocities[j] ** 2 for j in range(k + 1)]
            expected += 2 * step / (1 - dampening) ** 2 * sum(kicks)
        assert float(found[0]) == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_formulas_with_momentum_and_dampening_are_off_by_the_order_of_the_learning_rate():
    objective, symmetry, start = sphere_regression(np.random.default_rng(0))
    errors = []
    for steps in (160, 320, 640):
        given = {"weight_decay": 0.2, "momentum": 0.5, "dampening": 0.3}
        run = descend(objective, start, [symmetry], learning_rate=4 / steps, steps=steps, **given)
        errors.append(np.abs(run.measured["sphere"] - run.continuous["sphere"]).max())
    assert np.allclose(np.array(errors[:-1]) / errors[1:], 2, rtol=0.02)


def test_continuous_law_does_not_overflow():
    law = ContinuousLaw(Symmetry("scale", (Part("w"),)), Hyperparameters(1e-4, 0.9), np.array([1.0]))
    for _ in range(20_000):
        charges = law.advance(0.1, {"w": np.zeros(1)}, {"w": np.array([1e-3])})
    assert np.isfinite(charges).all() and 0 < charges[0] < 1


def test_hessian_products_of_functions_and_programs_agree_with_differences():
    for smooth in (False, True):
        net, point = gaussian_network(3, smooth=smooth, eps=1e-3)
        v, w = np.random.default_rng(4).standard_normal((2, len(point)))
        numpy, program = net.objective, net.program
        h = 1e-6
        slope = (numpy.gradient(point + h * v) - numpy.gradient(point - h * v)) / (2 * h)
        value = (numpy.loss(point + h * v) - numpy.loss(point - h * v)) / (2 * h)
        assert value == pytest.approx(numpy.gradient(point) @ v, rel=1e-6)
        assert np.allclose(numpy.hessian_product(point, v), slope, atol=1e-6)
        assert numpy.loss(point) == pytest.approx(program.loss(point), rel=1e-13)
        assert np.allclose(numpy.gradient(point), program.gradient(point), atol=1e-14)
        assert np.allclose(numpy.hessian_product(point, v), program.hessian_product(point, v), atol=1e-12)
        assert np.allclose(numpy.third_product(point, v, w), program.third_product(point, v, w), atol=1e-7)
        batch = np.array([1, 5, 6, 9, 11])
        assert np.allclose(numpy.gradient(point, batch), program.gradient(point, batch), atol=1e-13)


def test_programs_may_have_stacks_of_arrays():
    import randtensor as rt

    @rt.program(K=rt.gaussian(2, 3, 3), a=rt.gaussian(2, 3))
    def loss(p, rows):
        return rt.mean([rt.square(p.a[0] @ rt.tanh(p.K[1] @ rt.tanh(p.K[0] @ row)) + rt.sum(p.a[1])) for row in rows])

    objective = ProgramObjective(loss, np.random.default_rng(0).standard_normal((4, 3)))
    point, v = np.random.default_rng(1).standard_normal((2, objective.layout.size))
    h = 1e-6
    for vector in (v, np.eye(len(v))[4]):
        slope = (objective.loss(point + h * vector) - objective.loss(point - h * vector)) / (2 * h)
        assert slope == pytest.approx(objective.gradient(point) @ vector, rel=1e-6, abs=1e-9)
    curved = (objective.gradient(point + h * v) - objective.gradient(point - h * v)) / (2 * h)
    assert np.allclose(objective.hessian_product(point, v), curved, atol=1e-7)


def test_flows_of_a_linear_field_are_exponentials():
    curvature = np.array([0.5, 2.0])
    bowl = FunctionObjective(
        {"x": (2,)}, lambda p, b: p["x"] @ (curvature * p["x"]) / 2, lambda p, b: {"x": curvature * p["x"]}
    )
    start, eta, beta, decay = np.array([1.0, -2.0]), 0.1, 0.5, 0.3
    given = {"momentum": beta, "weight_decay": decay}
    c = curvature + decay
    assert np.allclose(integrate(gradient_field(bowl, **given), start, 2.0), start * np.exp(-2 * c / (1 - beta)))
    rate = c / (1 - beta) * (1 + eta * (1 + beta) / (2 * (1 - beta) ** 2) * c)
    assert np.allclose(integrate(modified_loss_field(bowl, eta, **given), start, 1.0), start * np.exp(-rate))
    assert np.allclose(modified_velocity(bowl, start, eta, **given), -rate * start)
    state = np.concatenate([start, np.zeros(2)])
    end = integrate(second_order_field(bowl, eta, **given), state, 1.0)
    mass, friction = eta / 2 * (1 + beta), 1 - beta
    gamma, omega = friction / (2 * mass), np.sqrt(c / mass)
    expected = [x * oscillator(1.0, gamma, float(w))[0] for x, w in zip(start, omega, strict=True)]
    assert np.allclose(end[:2], expected, atol=1e-8)
    assert np.allclose(runge_kutta(gradient_field(bowl), start, 2.0, 200), start * np.exp(-2 * curvature), atol=1e-8)


def test_descent_is_torch_like_and_starts_from_a_velocity():
    objective, start = tanh_regression(np.random.default_rng(0))
    beta, eta, decay, dampening = 0.8, 0.05, 0.02, 0.3
    point, velocity = start.copy(), None
    for _ in range(15):
        g = objective.gradient(point) + decay * point
        velocity = g if velocity is None else beta * velocity + (1 - dampening) * g
        point = point - eta * velocity
    given = {"weight_decay": decay, "momentum": beta, "dampening": dampening}
    run = descend(objective, start, learning_rate=eta, steps=15, **given)
    assert np.allclose(run.parameters, point, rtol=1e-13)
    first = objective.gradient(start) + decay * start
    moved = descend(objective, start, learning_rate=eta, steps=1, **given).parameters
    rest = descend(objective, moved, learning_rate=eta, steps=14, velocity=first, **given)
    assert np.allclose(rest.parameters, point, rtol=1e-12)


def test_forcing_and_gradients_are_on_record():
    objective, symmetry, start = sphere_regression(np.random.default_rng(0))
    run = descend(objective, start, [symmetry], learning_rate=0.1, steps=5)
    assert np.allclose(run.forcing["sphere"][:, 0], run.gradients)
    growth = 0.01 * np.cumsum(run.gradients)
    assert np.allclose(run.measured["sphere"][1:, 0], 1 + growth, rtol=1e-13)


def recorded(recorder, first, last, seed=0):
    """Steps of heavy ball on random gradients, which know of no symmetry: the record does not depend on that."""
    rng = np.random.default_rng(seed)
    p, v = arrays(1), None
    for step in range(last):
        g = {name: rng.standard_normal(a.shape) for name, a in p.items()}
        v = g if v is None else {name: 0.5 * v[name] + g[name] for name in g}
        p = {name: p[name] - 0.1 * v[name] for name in p}
        if step >= first:
            recorder.record(p, g, v, learning_rate=0.1)


def test_a_record_goes_on_bit_for_bit():
    symmetries = list(GROUPS.values())
    make = lambda every=1: ChargeRecorder(symmetries, Hyperparameters(0.1, 0.5), arrays(1), every=every)  # noqa: E731
    whole, part, rest, sparse = make(), make(), make(), make(3)
    recorded(whole, 0, 10)
    recorded(part, 0, 4)
    rest.restore(part.state())
    recorded(rest, 4, 10)
    recorded(sparse, 0, 10)
    for key in ("measured", "exact", "continuous"):
        for name, values in whole.state()[key].items():
            assert np.array_equal(values, rest.state()[key][name])
            assert np.array_equal(values[::3], sparse.state()[key][name])
    assert whole.times == rest.times and sparse.times == whole.times[::3]
