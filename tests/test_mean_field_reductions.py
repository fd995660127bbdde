"""What wide networks reduce to: linear predictors, angles, influence functions, against quadrature and old numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.special import roots_jacobi

from randtensor import mean_field as mf

TIMES = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]


@pytest.fixture(scope="module")
def course():
    """d = 10, dim H = 3, at the times of the table."""
    risk = mf.AngleRisk(10, 3)
    return risk, list(mf.GradientFlow(risk, step=0.05).trajectory(risk.uniform(40), TIMES))


def test_masses_of_the_reduced_equations(course):
    # integrated independently, with quadrature over both blocks and over the angle of the input
    plus = [0.5, 0.927, 1.540, 2.265, 2.947, 3.463, 3.792, 3.981, 4.082]
    minus = [0.5, 0.271, 0.165, 0.115, 0.091, 0.079, 0.075, 0.073, 0.074]
    found = np.array([state.masses() for state in course[1]]).T
    np.testing.assert_allclose(found, [plus, minus], atol=6e-4)


def test_neurons_turn_towards_and_away(course):
    means = np.array([state.alignment(1) for state in course[1]]).T
    assert means[0, 0] == pytest.approx(1.012, abs=1e-3) and means[1, 0] == pytest.approx(1.012, abs=1e-3)
    assert means[0, -1] == pytest.approx(0.662, abs=3e-3) and means[1, -1] == pytest.approx(1.268, abs=3e-3)
    assert (np.diff(means[0]) < 0).all() and (np.diff(means[1]) > 0).all()


def test_more_nodes_terms_and_steps_change_nothing(course):
    fine = mf.AngleRisk(10, 3, degree=200)
    state = mf.GradientFlow(fine, step=0.04).after(fine.uniform(70), 2.0)
    np.testing.assert_allclose(state.masses(), course[1][4].masses(), atol=2e-5)


@pytest.mark.parametrize("d, h", [(10, 3), (2, 1), (5, 1), (4, 2), (6, 5), (30, 5), (40, 35)])
def test_series_against_quadrature(d, h):
    series = mf.AngleRisk(d, h)
    whole = mf.GaussianRisk(mf.SubspaceNorm(d, h).reduced(), [h, d - h])
    angles = np.linspace(0.02, np.pi / 2 - 0.02, 9)
    f = series.neurons(angles, np.linspace(0.1, 0.5, 9), [1, -1, 1, 1, -1, 1, -1, 1, 1])
    np.testing.assert_allclose(series.field(f), whole.field(f), atol=5e-6)
    assert float(series.loss(f)) == pytest.approx(float(whole.loss(f)), abs=2e-7)
    # the risk once more, as an integral over the angle of the input, with f itself
    x, weights = roots_jacobi(300, (d - h) / 2 - 1, h / 2 - 1)
    phi = np.arccos(x) / 2
    gaps = np.cos(phi) - series.output(f, phi)
    assert d / 2 * (weights / weights.sum() @ gaps**2) == pytest.approx(float(series.loss(f)), rel=1e-5)


def test_output_of_reduced_networks_is_an_average_of_whole_ones():
    # 4e5 directions: 5.5 standard errors, false-failure probability 4e-8
    rng = np.random.default_rng(0)
    risk = mf.AngleRisk(7, 3)
    f = risk.neurons([0.3, 1.2], [0.5, 0.8], [1, -1])
    u = rng.standard_normal((2, 400_000, 7))
    for part in (slice(0, 3), slice(3, 7)):
        u[:, :, part] /= np.linalg.norm(u[:, :, part], axis=2, keepdims=True)
    theta = np.array([0.3, 1.2])[:, None]
    phi = 0.7
    cosines = np.cos(theta) * np.cos(phi) * u[:, :, 0] + np.sin(theta) * np.sin(phi) * u[:, :, 3]
    draws = np.array([0.5, -0.8]) @ np.maximum(cosines, 0.0)
    assert abs(draws.mean() - risk.output(f, [phi])[0]) < 5.5 * draws.std() / len(draws) ** 0.5


@pytest.mark.parametrize("h, mass", [(2, math.pi), (3, 4.0), (5, 16 / 3)])
def test_mass_of_the_minimiser(h, mass):
    assert mf.SubspaceNorm(12, h).mass == pytest.approx(mass, rel=1e-14)
    risk = mf.AngleRisk(12, h, degree=200)
    minimiser = risk.neurons([0.0], [mass], [1.0])
    assert abs(float(risk.loss(minimiser))) < 1e-9
    assert np.abs(mf.velocity(risk, minimiser)[0]).max() < 1e-7


def test_a_published_run_of_the_reduction():
    # d = 30, dim H = 5: 1024 random neurons, 1000 inputs per step of 0.005; masses cross after about 670 steps
    risk = mf.AngleRisk(30, 5, degree=48)
    times = np.arange(0, 6.01, 0.05)
    states = list(mf.GradientFlow(risk, step=0.05).trajectory(risk.uniform(24), times))
    plus, minus = np.array([state.masses() for state in states]).T
    hit = int(np.argmax(plus > risk.mass))
    assert 200 * times[hit] == pytest.approx(670, abs=40)
    assert minus[hit] == pytest.approx(0.05, abs=2e-3)
    assert risk.mass == pytest.approx(5.333, abs=1e-3)
    # position distances 1.2 of the positive and 0.42 of the negative neurons at the start, and both fall
    start, end = ([float(distance) for distance in state.position_distances(1)] for state in (states[0], states[-1]))
    assert start == pytest.approx([1.2, 0.42], abs=0.03)
    assert end[0] < start[0] and end[1] < start[1]


@pytest.mark.parametrize("h, plus, minus", [(5, 5.478, 0.063), (20, 11.139, 0.026), (33, 14.353, 0.017)])
def test_published_masses_against_the_dimension_of_h(h, plus, minus):
    risk = mf.AngleRisk(40, h, degree=32)
    found = mf.GradientFlow(risk, step=0.125).after(risk.uniform(16), 10.0).masses()
    assert float(found[0]) == pytest.approx(plus, rel=0.01)
    assert float(found[1]) == pytest.approx(minus, abs=2.5e-3)


def test_a_published_profile_across_h():
    # d = 20, dim H = 5, f(u_H + r e_across) from r = 0 to 5: .72 -> 1.93 at time 5, 1.00 -> 1.13 at time 50
    risk = mf.AngleRisk(20, 5, degree=48)
    reach = np.array([0.0, 5.0])
    flow = mf.GradientFlow(risk, step=0.125)
    for state, published in zip(
        flow.trajectory(risk.uniform(24), [5.0, 50.0]), ([0.72, 1.93], [1.0, 1.13]), strict=True
    ):
        profile = risk.output(state, np.arctan(reach)) * np.hypot(1.0, reach)
        np.testing.assert_allclose(profile, published, rtol=0.05)


@pytest.mark.parametrize("d, h", [(2, 1), (3, 2), (10, 3), (40, 35), (2000, 3), (10_000, 3), (10_000, 9_000)])
def test_rules_of_the_angle_integrate_moments_of_beta_variables(d, h):
    f = mf.AngleRisk(d, h).uniform(30)
    weights, x = f.a**2 / f.width, np.cos(f.angles(1)) ** 2
    assert weights.sum() == pytest.approx(1, rel=1e-13)
    for power, moment in ((1, h / d), (2, h * (h + 2) / (d * (d + 2)))):
        assert weights @ x**power == pytest.approx(moment, rel=1e-10)


def test_uniform_directions_integrate_polynomials():
    points, weights = mf.uniform_directions(7, 2, 20)
    assert np.allclose(np.linalg.norm(points, axis=1), 1.0)
    assert weights @ (points[:, 0] ** 2 * points[:, 1] ** 2) == pytest.approx(1 / (7 * 9), rel=1e-6)
    assert weights @ points[:, 2] ** 2 == pytest.approx(5 / 7, rel=1e-6)


@given(st.floats(0.05, 5), st.floats(0.05, 20), st.floats(1.0, 2.0), st.floats(0.05, 0.999))
def test_the_isotropic_predictor_solves_its_equation(variance, length, spread, fraction):
    # the time to reach p is an integral of 1/p'
    predictor = mf.IsotropicPredictor(variance, length, spread)
    end = fraction * length
    time, _ = quad(lambda p: 1 / (variance * math.hypot(spread / 4, p) * (length - p)), 0, end, epsabs=0, limit=200)
    assert float(predictor.length_at(time)) == pytest.approx(end, rel=1e-6)
    assert float(predictor.distance_at(time)) == pytest.approx(length - end, rel=1e-5)
    assert float(predictor.distance_at(time)) <= float(predictor.bound_at(time)) * (1 + 1e-12)


def test_the_isotropic_predictor_in_the_hyperbolic_form():
    v, c, spread = 0.1, math.sqrt(12), 1.1
    times = np.linspace(0, 40, 9)

    def slope(_, state):
        return 1 - spread / (4 * c) * np.sinh(v * c * state)

    found = solve_ivp(slope, (0, 40), [0.0], method="DOP853", t_eval=times, rtol=1e-12, atol=1e-12)
    expected = spread / 4 * np.sinh(v * c * found.y[0])
    np.testing.assert_allclose(mf.IsotropicPredictor(v, c, spread).length_at(times), expected, atol=1e-9)


def test_distances_keep_their_precision_when_they_are_tiny():
    predictor = mf.IsotropicPredictor(1.0, 2.0, 1.5)
    late = predictor.distance_at([50.0, 60.0])
    assert np.log(late[0] / late[1]) / 10 == pytest.approx(predictor.late_rate, rel=1e-12)


def test_the_predictor_of_a_published_run():
    # d = 60: |w - w*| is about 4.2 at step 3000, 1.65 at 4000, 0.05 at 10000, the bound 5.55 then
    predictor = mf.IsotropicPredictor(1 / 60, math.sqrt(72), 1 + 1 / 60)
    np.testing.assert_allclose(predictor.distance_at([0, 30, 40]), [8.485, 4.2, 1.65], rtol=0.06)
    assert float(predictor.bound_at(100.0)) == pytest.approx(5.55, abs=0.01)


def test_moments_of_the_neurons_are_closed():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((5, 5))
    covariance, optimum = root @ root.T / 5 + 0.1 * np.eye(5), rng.standard_normal(5)
    linear = mf.LinearPredictorRisk(covariance, optimum)
    start = mf.Initialization(5, symmetry=mf.SymmetryGroup.odd(5)).sample(12, 2, rng=rng)
    path = linear.solve([0.0, 1.0, 3.0], start.second_moments())
    states = list(mf.GradientFlow(linear, step=0.02).trajectory(start, [0.0, 1.0, 3.0]))
    np.testing.assert_allclose(np.stack([s.second_moments() for s in states], axis=1), path.moments, atol=1e-8)
    # the whole network at Gaussian inputs moves in the same way
    values, vectors = np.linalg.eigh(covariance)
    half = (vectors * np.sqrt(values)) @ vectors.T
    whole = mf.GaussianRisk(mf.OddTarget(half @ optimum), covariance=covariance)
    after = mf.GradientFlow(whole, step=0.05).after(start, 3.0)
    np.testing.assert_allclose(after.linear_predictor(), path.w[:, -1], atol=1e-6)
    X = rng.standard_normal((9, 5))
    np.testing.assert_allclose(after(X), after.linear_predictor() @ X.T, atol=1e-7)


def test_paths_begin_at_their_moments_and_may_repeat_a_time():
    linear = mf.LinearPredictorRisk(np.eye(2), [1.0, 2.0])
    np.testing.assert_array_equal(linear.solve([0.0]).moments[0], np.diag([1.0, 0.5, 0.5]))
    w = linear.solve([0.0, 1.0, 1.0]).w
    np.testing.assert_array_equal(w[1], w[2])
    assert np.abs(w[0]).max() == 0 and np.linalg.norm(w[1]) > 0.3


def test_the_rate_of_the_predictor_and_its_bound():
    rng = np.random.default_rng(1)
    covariance = np.diag([0.2, 0.5, 2.0])
    linear = mf.LinearPredictorRisk(covariance, rng.standard_normal(3))
    times = np.linspace(0, 8, 801)
    path = linear.solve(times)
    slope = np.gradient(path.w, times, axis=0)[1:-1]
    expected = -(path.rates @ (covariance @ (path.w - linear.optimum)[..., None]))[1:-1, :, 0]
    np.testing.assert_allclose(slope, expected, atol=2e-4)
    assert (linear.excess(path.w) <= linear.excess(np.zeros(3)) * linear.bound(times) * (1 + 1e-12)).all()
    assert (path.moments[:, 0, 0] >= mf.decay_constant(3)).all()


def test_influence_adds_up_to_the_response_to_all_neurons():
    risk = mf.AngleRisk(6, 2, degree=48)
    start = risk.uniform(8)
    weights = start.a**2 / start.width
    flow = mf.GradientFlow(risk, step=0.1)
    psi = mf.influence(flow, start, weights, risk.loss, [0.0, 1.0])
    ends = []
    for change in (1e-4, -1e-4):
        scaled = start.map(lambda array, change=change: array * math.sqrt(1 + change))
        ends.append([float(risk.loss(state)) for state in flow.trajectory(scaled, [0.0, 1.0])])
    np.testing.assert_allclose(psi @ weights, (np.array(ends[0]) - ends[1]) / 2e-4, atol=1e-5)


def test_fluctuations_of_reduced_networks_have_the_predicted_size():
    # 1200 networks: the deviation is known to 2 %, and corrections of 1/m are smaller; 11 % is five standard errors
    d, h, m, count = 10, 3, 128, 1200
    risk = mf.AngleRisk(d, h, degree=24)
    flow = mf.GradientFlow(risk, step=0.25)
    start = risk.uniform(16)
    weights = start.a**2 / start.width
    psi = mf.influence(flow, start, weights, lambda f: f.masses()[0], [1.0])
    rng = np.random.default_rng(2)
    deviations = []
    for _ in range(count // 300):
        angles = np.arccos(np.sqrt(rng.beta(h / 2, (d - h) / 2, (300, m))))
        signs = rng.choice([-1.0, 1.0], angles.shape)
        deviations.append(flow.after(risk.neurons(angles, np.full_like(angles, 1 / m), signs), 1.0).masses()[0])
    found = np.concatenate(deviations).std() * m**0.5
    assert found == pytest.approx(float(mf.limiting_deviation(psi, weights)[0]), rel=0.11)
