"""Mean-field networks against independent oracles: finite differences, Monte Carlo, closed forms, quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import hyp2f1

import estimators
import randtensor as rt
from randtensor import mean_field as mf
from randtensor.exact.dual.closed_forms import closed_form
from randtensor.programs.activations import get_activation

RNG = np.random.default_rng(5)
_ROOT = RNG.standard_normal((4, 4))
COVARIANCE = _ROOT @ _ROOT.T / 4 + 0.2 * np.eye(4)
TEACHER = mf.Teacher(mf.Neurons([1.0, -2.0, 3.0], RNG.standard_normal((3, 4))))
POINTS = RNG.standard_normal((30, 4))

RISKS = {
    "sample": mf.EmpiricalRisk(POINTS, POINTS[:, 0] ** 2 - 1),
    "teacher": mf.GaussianRisk(TEACHER),
    "teacher, covariance": mf.GaussianRisk(TEACHER, covariance=COVARIANCE),
    "norm": mf.GaussianRisk(mf.SubspaceNorm(4, 2)),
    "odd": mf.GaussianRisk(mf.OddTarget([1.0, 2.0, 0.0, -1.0], power=7.0)),
    "reduced to H and a length": mf.GaussianRisk(
        mf.Teacher(mf.Neurons([1.0, 2.0], [[1.0, 0.5, 0.2, 0.0], [0.0, 1.0, 0.0, 1.0]]), [0, 0, 0, 5]), [0, 0, 0, 5]
    ),
    "reduced to two lengths": mf.GaussianRisk(mf.SubspaceNorm(7, 3).reduced(), [3, 4]),
    "angle": mf.AngleRisk(7, 3),
    "linear predictor": mf.LinearPredictorRisk(COVARIANCE, [1.0, 0.0, 2.0, -1.0]),
}


def networks(risk, width=6, size=None, seed=0, law="gaussian"):
    """Networks for which the risk is defined: lengths are not negative, odd ones are paired."""
    rng = np.random.default_rng(seed)
    group = mf.SymmetryGroup.odd(risk.dimension) if isinstance(risk, mf.LinearPredictorRisk) else None
    start = mf.Initialization(risk.dimension, law, group).sample(width, size, rng=rng)
    lengths = getattr(risk, "multiplicities", (0,) * risk.dimension)
    folded = [bool(k) or isinstance(risk, mf.AngleRisk) for k in lengths]
    return mf.Neurons(start.a, np.where(folded, np.abs(start.b), start.b))


@pytest.mark.parametrize("name", RISKS)
def test_velocity_is_minus_width_times_the_gradient_of_the_loss(name):
    risk = RISKS[name]
    f = networks(risk)
    a, b = mf.velocity(risk, f)
    step = 1e-5
    for j in range(f.width):
        for i in range(-1, f.dimension):
            ends = []
            for sign in (1, -1):
                da, db = np.zeros_like(f.a), np.zeros_like(f.b)
                if i < 0:
                    da[j] = sign * step
                else:
                    db[j, i] = sign * step
                ends.append(float(risk.loss(mf.Neurons(f.a + da, f.b + db))))
            slope = -f.width * (ends[0] - ends[1]) / (2 * step)
            # an odd network is a function of its pairs: the risk of its odd part has the same gradient
            assert slope == pytest.approx(a[j] if i < 0 else b[j, i], abs=2e-7)


@pytest.mark.parametrize("name", RISKS)
def test_networks_of_a_block_do_not_know_each_other(name):
    risk = RISKS[name]
    many = networks(risk, size=3)
    for k in range(3):
        one = many.map(lambda array, k=k: array[k])
        np.testing.assert_array_equal(risk.field(many)[k], risk.field(one))
        assert risk.loss(many)[k] == pytest.approx(float(risk.loss(one)), abs=1e-13)


@pytest.mark.parametrize("name", ["teacher", "teacher, covariance", "norm"])
def test_population_risks_against_monte_carlo(name):
    # 34 numbers, each within 5.5 standard errors: false-failure probability below 2e-6
    risk, rng = RISKS[name], np.random.default_rng(1)
    f = networks(risk, width=8)
    white = rng.standard_normal((200_000, 4))
    X = white @ np.linalg.cholesky(COVARIANCE).T if "covariance" in name else white
    # the target is a function of the inputs whitened by the symmetric root
    values, vectors = np.linalg.eigh(COVARIANCE)
    whitened = X @ (vectors / np.sqrt(values)) @ vectors.T if "covariance" in name else X
    residual = risk.target(whitened) - f(X)
    for neuron, expected in zip(f.b, risk.field(f), strict=True):
        draws = (residual * (X @ neuron > 0))[:, None] * X
        error = draws.std(axis=0) / len(X) ** 0.5
        assert (np.abs(draws.mean(axis=0) - expected) < 5.5 * error).all()
    losses = residual**2 / 2
    assert abs(losses.mean() - float(risk.loss(f))) < 5.5 * losses.std() / len(X) ** 0.5


def test_kernel_is_that_of_the_relu():
    rule = closed_form(get_activation("relu"))
    u, v = RNG.standard_normal((2, 5))
    p, q, c = (np.array([x]) for x in (u @ u, v @ v, u @ v))
    value, _ = rule(p, q, c, np.arccos(c / np.sqrt(p * q)))
    field = mf.Teacher(mf.Neurons([1.0], v[None])).field(u[None])
    assert float(u @ field[0]) == pytest.approx(float(value[0]), rel=1e-13)


@pytest.mark.parametrize("h", [1, 2, 3, 4, 9, 25])
def test_norm_of_the_projection_against_hypergeometric_functions(h):
    target = mf.SubspaceNorm(30, h)
    theta = np.linspace(0.0, np.pi / 2, 31)
    u = np.zeros((31, 30))
    u[:, 0], u[:, -1] = np.cos(theta), np.sin(theta)
    kappa = np.cos(theta)
    root = hyp2f1(-0.5, 0.5, h / 2, kappa**2)
    pull = kappa / h * hyp2f1(0.5, 0.5, h / 2 + 1, kappa**2)
    expected = target.mass / (2 * np.pi) * (u * root[:, None])
    expected[:, 0] += target.mass / (2 * np.pi) * pull
    np.testing.assert_allclose(target.field(u), expected, atol=2e-6 if h == 2 else 2e-8)


def test_whole_networks_keep_what_only_reduced_ones_forget():
    # an orbit under many rotations across H is as good as the average over all of them
    d, order = 4, 96
    turn = np.eye(d)
    angle = 2 * np.pi / order
    turn[2:, 2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    start = networks(mf.GaussianRisk(mf.SubspaceNorm(d, 2)), width=3)
    short = mf.Neurons(start.a, np.c_[start.b[:, :2], np.linalg.norm(start.b[:, 2:], axis=1)])
    a, b = np.array([3.0, 1.0]), np.array([[1.0, 0.0], [0.5, -1.0]])
    whole = mf.GaussianRisk(mf.Teacher(mf.Neurons(a, np.pad(b, [(0, 0), (0, 2)]))))
    reduced = mf.GaussianRisk(mf.Teacher(mf.Neurons(a, np.pad(b, [(0, 0), (0, 1)])), [0, 0, 2]), [0, 0, 2])
    orbits = mf.SymmetryGroup.generated([turn]).closure(start)
    assert float(whole.loss(orbits)) == pytest.approx(float(reduced.loss(short)), abs=1e-7)
    # g across H is along the neuron's own direction there: compare its length
    g, g_short = whole.field(orbits)[::order], reduced.field(short)
    np.testing.assert_allclose(g[:, :2], g_short[:, :2], atol=1e-6)
    along = (g[:, 2:] * start.b[:, 2:]).sum(axis=1) / short.b[:, 2]
    np.testing.assert_allclose(along, g_short[:, 2], atol=1e-6)


@pytest.mark.parametrize("name", ["sample", "norm", "teacher, covariance", "angle"])
def test_measures_on_the_sphere_move_as_their_neurons(name):
    risk = RISKS[name]
    f = networks(risk)
    balanced = f.spherical().neurons()
    a, b = mf.velocity(risk, balanced)
    measure = balanced.spherical()
    growth, drift = mf.wasserstein_fisher_rao(risk, measure)
    lengths = np.linalg.norm(balanced.b, axis=1)
    # d log(|a| |b|)/dt, and the motion of b/|b|
    mass = a / balanced.a + (balanced.b * b).sum(axis=1) / lengths**2
    turned = b / lengths[:, None]
    turned -= (turned * measure.directions).sum(axis=1)[:, None] * measure.directions
    np.testing.assert_allclose(growth, mass, atol=1e-12)
    np.testing.assert_allclose(drift, turned, atol=1e-12)
    X = np.abs(RNG.standard_normal((5, risk.dimension)))
    np.testing.assert_allclose(f(X), measure.neurons()(X), atol=1e-13)
    # -dF/dt in the terms of the measure, with its potential 2 G and slope
    across = (measure.masses * ((growth / 2) ** 2 * 2 + (drift**2).sum(axis=1))).sum()
    assert float(mf.dissipation(risk, balanced)) == pytest.approx(float(across), rel=1e-12)


@pytest.mark.parametrize("name", ["norm", "teacher, covariance", "reduced to two lengths", "angle", "linear predictor"])
def test_energy_dissipates_and_imbalance_is_conserved(name):
    risk = RISKS[name]
    # balanced, as b can pass through zero when |a| > |b|
    start = networks(risk, size=2, law="sphere")
    flow = mf.GradientFlow(risk, step=0.02)
    before, now, after = flow.trajectory(start, [0.24, 0.25, 0.26])
    slope = (risk.loss(after) - risk.loss(before)) / 0.02
    np.testing.assert_allclose(slope, -mf.dissipation(risk, now), rtol=2e-3)
    np.testing.assert_allclose(after.imbalance(), start.imbalance(), atol=1e-8)


def test_runge_kutta_is_of_order_four_and_agrees_with_scipy():
    risk = mf.AngleRisk(10, 3)
    start = risk.uniform(6)
    reference = mf.GradientFlow(risk, tolerance=1e-12).after(start, 1.0)
    errors = [np.abs(mf.GradientFlow(risk, step=h).after(start, 1.0).b - reference.b).max() for h in (0.2, 0.1, 0.05)]
    assert errors[2] < 1e-6
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([4, 4], abs=0.5)


def test_descent_is_the_small_step_of_the_flow():
    risk = RISKS["teacher"]
    start = networks(risk)
    limit = mf.GradientFlow(risk, step=0.02).after(start, 1.0)
    gaps = [np.abs(mf.GradientDescent(risk, 1 / k).after(start, k).b - limit.b).max() for k in (50, 100)]
    assert gaps[0] / gaps[1] == pytest.approx(2.0, rel=0.05)


def test_descent_takes_fresh_batches_in_turn():
    seen = []

    def batch(step):
        seen.append(step)
        return mf.EmpiricalRisk([[1.0], [-1.0]], [step, 0.0])

    f = networks(RISKS["sample"]).b[:, :1]
    states = list(mf.GradientDescent(batch, 0.1).trajectory(mf.Neurons(np.ones(6), f), [2, 5]))
    assert seen == [0, 1, 2, 3, 4] and len(states) == 2


def test_quantities_of_one_start_observe_the_same_networks():
    m, start = rt.Scale("m"), mf.Initialization(4)
    flow = mf.GradientFlow(RISKS["norm"], step=0.25)
    plus, minus = (
        estimators.NeuronQuantity(m, start, lambda f, k=k: f.masses()[k], flow, 1.0, name=f"mass {k}") for k in (0, 1)
    )
    w = estimators.NeuronQuantity(m, start, lambda f: f.masses()[0] - f.masses()[1], flow, 1.0, name="difference")
    other = estimators.NeuronQuantity(m, mf.Initialization(4), w.observable, flow, 1.0, name="difference")
    assert np.abs((plus - minus - w).sample(8, size=5, rng=0)).max() < 1e-15
    assert np.abs((plus - minus - other).sample(8, size=5, rng=0)).min() > 1e-6


def test_networks_have_the_same_bits_whatever_runs_beside():
    m = rt.Scale("m")
    flow = mf.GradientFlow(RISKS["norm"], step=0.25)
    mass = estimators.NeuronQuantity(m, mf.Initialization(4), lambda f: f.masses()[0], flow, 1.0, name="mass")
    whole = mass.sample(8, size=600, rng=3)
    np.testing.assert_array_equal(whole[:7], mass.sample(8, size=7, rng=3))
    (parallel,) = estimators.draw_samples(mass, [{"m": 8}], [600], np.random.SeedSequence(3), jobs=2)
    np.testing.assert_array_equal(whole, parallel)
