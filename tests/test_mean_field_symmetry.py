"""Groups, closures, exact equivariance of descent, and what is said about input that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import estimators
import randtensor as rt
from randtensor import mean_field as mf


def dihedral(order: int, sign: int) -> mf.SymmetryGroup:
    """Symmetries of a regular polygon, mirrors with this sign."""
    angle = 2 * np.pi / order
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return mf.SymmetryGroup.generated([turn, np.diag([1.0, -1.0])], [1, sign])


@settings(max_examples=25)
@given(st.integers(1, 7), st.sampled_from([1, -1]), st.integers(0, 2**32 - 1), st.floats(0.01, 0.3))
def test_descent_on_closed_samples_is_equivariant(order, sign, seed, rate):
    # any targets at the points of which the orbits are made will do
    group, rng = dihedral(order, sign), np.random.default_rng(seed)
    points, values = rng.standard_normal((3, 2)), rng.uniform(-1, 1, 3)
    X = group.orbit(points)
    risk = mf.EmpiricalRisk(X, group.orbit_targets(values), symmetry=group)
    start = mf.Initialization(2, symmetry=group).sample(3 * group.order, rng=rng)
    after = mf.GradientDescent(risk, rate).after(start, 30)
    assert float(group.defect(after, X)) < 1e-9 * max(1.0, float(np.abs(after(X)).max()))


def test_flow_at_gaussian_inputs_keeps_the_symmetries_of_the_teacher():
    group = mf.SymmetryGroup.reflection(3, axis=1, sign=-1)
    risk = mf.GaussianRisk(mf.Teacher(group.closure(mf.Neurons([1.0, 2.0], [[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]))))
    start = mf.Initialization(3, symmetry=group).sample(8, rng=np.random.default_rng(0))
    after = mf.GradientFlow(risk, step=0.1).after(start, 3.0)
    assert float(group.defect(after, np.random.default_rng(1).standard_normal((20, 3)))) < 1e-13
    free = mf.Initialization(3).sample(8, rng=np.random.default_rng(0))
    assert float(group.defect(free, np.eye(3))) > 1e-3


@pytest.mark.parametrize("dimension, order", [(1, 2), (2, 8), (3, 48), (4, 384)])
def test_orders_of_signed_permutations(dimension, order):
    group = mf.SymmetryGroup.signed_permutations(dimension)
    assert group.order == order
    np.testing.assert_array_equal(group.matrices[0], np.eye(dimension))


@pytest.mark.parametrize("order, digits", [(7, 9), (59, 10), (1000, 16)])
def test_groups_of_generators_with_few_digits(order, digits):
    angle = 2 * np.pi / order
    turn = np.round([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], digits)
    group = mf.SymmetryGroup.generated([turn])
    assert group.order == order
    gaps = group.matrices @ group.matrices.swapaxes(1, 2) - np.eye(2)
    assert np.abs(gaps).max() < 1e-14


def test_elements_with_few_digits_are_a_group():
    exact = dihedral(13, -1)
    given = mf.SymmetryGroup(np.round(exact.matrices, 10)[::-1], exact.signs[::-1])
    assert given.order == 26
    with pytest.raises(rt.InputError, match="is not closed: the product of elements"):
        mf.SymmetryGroup(exact.matrices[:-1], exact.signs[:-1])


@pytest.mark.parametrize("sign", [1, -1])
def test_closures_have_the_symmetry(sign):
    group, rng = dihedral(5, sign), np.random.default_rng(0)
    f = group.closure(mf.Neurons(rng.standard_normal((4, 3)), rng.standard_normal((4, 3, 2))))
    assert f.a.shape == (4, 30)
    assert group.defect(f, rng.standard_normal((10, 2))).max() < 1e-13


def test_balanced_pairs_start_from_zero():
    f = mf.Initialization(4, symmetry=mf.SymmetryGroup.balanced(4)).sample(10, rng=np.random.default_rng(0))
    assert np.abs(f(np.random.default_rng(1).standard_normal((5, 4)))).max() < 1e-15
    assert [float(mass) for mass in f.masses()] == pytest.approx([0.5, 0.5], abs=1e-14)


@pytest.mark.parametrize("law, second", [("sphere", 1.0), ("ball", 5 / 7), ("gaussian", 1.0)])
def test_laws_of_initial_weights(law, second):
    # 2e4 neurons: 5.5 standard errors, false-failure probability 1e-6 over all
    b = mf.Initialization(5, law).sample(20_000, rng=np.random.default_rng(0)).b
    squared = (b**2).sum(axis=1)
    assert abs(squared.mean() - second) <= 5.5 * squared.std() / 141 + 1e-12
    moments = b.T @ b / len(b) * 5 / second
    assert np.abs(moments - np.eye(5)).max() < 0.06


def test_multiplicity_of_repeated_points_counts():
    mirror = mf.SymmetryGroup.reflection(1)
    assert mirror.first_unmatched([[1.0], [1.0], [-1.0], [-1.0]], [1.0] * 4) is None
    element, row, what = mirror.first_unmatched([[1.0], [1.0], [-1.0]], [1.0] * 3)
    assert (element, row, what) == (1, 0, "occurs another number of times")


MIRROR = mf.SymmetryGroup.reflection(2)
NEURONS = mf.Neurons([1.0, -1.0], [[1.0, 0.0], [0.0, 1.0]])
RISK = mf.EmpiricalRisk([[1.0, 2.0], [-1.0, -2.0], [2.0, -1.0], [-2.0, 1.0]], [1.0, 3.0, 2.0, 1.0])
M = rt.Scale("m")

WRONG = {
    "not orthogonal": (lambda: mf.SymmetryGroup([np.eye(2), [[1.0, 0.1], [0.0, 1.0]]]), r"matrices\[1\] is not orth"),
    "not closed": (lambda: mf.SymmetryGroup([np.eye(2), [[0.0, -1.0], [1.0, 0.0]]]), "elements 1 and 1 is not among"),
    "twice": (lambda: mf.SymmetryGroup([np.eye(2)] * 2), "has 2 elements of which 1 differ"),
    "no sign": (lambda: mf.SymmetryGroup([np.eye(2)], [2]), r"signs is \[2\.0\], expected 1 entries 1 or -1"),
    "infinite": (
        lambda: mf.SymmetryGroup.generated([[[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]]),
        "generate more than 4096 elements",
    ),
    "no matrices": (lambda: mf.SymmetryGroup(np.eye(2)), r"matrices has shape \(2, 2\), expected \(order, d, d\)"),
    "no axis": (lambda: mf.SymmetryGroup.reflection(2, 2), "axis is 2, expected a coordinate from 0 to 1"),
    "unclosed data": (
        lambda: mf.EmpiricalRisk([[1.0, 2.0]], [1.0], symmetry=MIRROR),
        r"image of row 0 under element 1 is no row, so that no symmetry can be exact \(one step .* breaks it by 0\.\d+",
    ),
    "unclosed data that few neurons see": (
        lambda: mf.EmpiricalRisk([[1.0, -20.0]], [1.0], symmetry=MIRROR),
        r"breaks it by (0\.0*)?[1-9]",
    ),
    "unsymmetric target": (
        lambda: mf.EmpiricalRisk([[1.0, 2.0], [-1.0, 2.0]], [1.0, 2.0], symmetry=MIRROR),
        "image of row 0 under element 1 has another target",
    ),
    "other dimension": (lambda: MIRROR.orbit([[1.0]]), r"X has shape \(1, 1\), expected \(inputs, 2\)"),
    "other neurons": (lambda: MIRROR.closure(mf.Neurons([1.0], [[1.0]])), "neurons have dimension 1, expected 2"),
    "width": (
        lambda: mf.Initialization(2, symmetry=MIRROR).sample(3, rng=np.random.default_rng()),
        "width is 3, expected a positive multiple of 2",
    ),
    "group elsewhere": (lambda: mf.Initialization(3, symmetry=MIRROR), "symmetry acts in dimension 2, expected 3"),
    "law": (lambda: mf.Initialization(3, "cube"), "law is 'cube', expected one of 'sphere', 'ball', 'gaussian'"),
    "velocity elsewhere": (lambda: mf.velocity(RISK, mf.Neurons([1.0], [[1.0]])), "dimension 1, expected 2, that of"),
    "loss elsewhere": (
        lambda: mf.GaussianRisk(mf.SubspaceNorm(3, 1)).loss(NEURONS),
        "neurons have dimension 2, expected 3, that of the inputs",
    ),
    "measure elsewhere": (
        lambda: mf.wasserstein_fisher_rao(mf.GaussianRisk(mf.SubspaceNorm(3, 1)), NEURONS.spherical()),
        "neurons have dimension 2, expected 3",
    ),
    "no unit vectors": (lambda: mf.SphericalMeasure([[2.0, 0.0]], [1.0], [1.0]), r"directions\[0\] is .* unit vectors"),
    "no mass": (lambda: mf.SphericalMeasure([[1.0, 0.0]], [0.0], [1.0]), r"masses\[0\] is 0.0, expected positive"),
    "target elsewhere": (lambda: mf.SubspaceNorm(3, 2)([[1.0, 2.0]]), r"X has shape \(1, 2\), expected \(inputs, 3\)"),
    "linear target elsewhere": (lambda: mf.OddTarget([1.0])([[1.0, 2.0]]), r"X has shape \(1, 2\)"),
    "no target": (lambda: mf.GaussianRisk(abs), "target is <built-in .*>, expected one with the methods of Target"),
    "no risk": (lambda: mf.GradientFlow(None, 0.1), "risk is None, expected a risk"),
    "time as a word": (lambda: mf.GradientFlow(RISK, 0.1).after(NEURONS, "x"), "times is .* expected an array of"),
    "no list of times": (lambda: list(mf.GradientDescent(RISK, 0.1).trajectory(NEURONS, 3)), "steps is 3.0, expected"),
    "moments": (
        lambda: mf.LinearPredictorRisk(np.eye(1), [1.0]).solve([1.0], [[1.0, 0.0], [0.5, 1.0]]),
        "moments is not symmetric",
    ),
    "predictor elsewhere": (
        lambda: mf.LinearPredictorRisk(np.eye(1), [1.0]).excess([1.0, 2.0]),
        r"w has shape \(2,\), expected \(..., 1\)",
    ),
    "before the start": (lambda: mf.IsotropicPredictor(1, 1, 1).length_at(-1.0), "times has the entry -1, expected"),
    "angle sign": (
        lambda: mf.AngleRisk(4, 2).neurons([0.1], [1.0], [2.0]),
        "signs has entries from 2 to 2",
    ),
    "too many terms": (lambda: mf.AngleRisk(100_000, 3), "degree is 128, at which polynomials overflow for 100000"),
    "observable of influence": (
        lambda: mf.influence(
            mf.GradientFlow(mf.AngleRisk(4, 2), 0.1), mf.AngleRisk(4, 2).uniform(1), [0.5, 0.5], lambda f: 1.0, [0.0]
        ),
        r"observable has shape \(\) for 4 networks",
    ),
    "width of a quantity": (
        lambda: estimators.NeuronQuantity("m", mf.Initialization(2), lambda f: f.a, name="x"),
        "width is 'm', expected an object of the class Scale",
    ),
    "shapes": (lambda: mf.Neurons([1.0], [[1.0], [2.0]]), r"a and b have shapes \(1,\) and \(2, 1\)"),
    "NaN": (lambda: mf.Neurons([np.nan], [[1.0]]), "a has 1 NaN or infinite entries"),
    "no numbers": (lambda: mf.EmpiricalRisk("x", [1.0]), "X is 'x', expected an array of numbers"),
    "targets": (lambda: mf.EmpiricalRisk([[1.0]], [1.0, 2.0]), r"y has shape \(2,\), expected \(1,\)"),
    "inputs of another size": (lambda: NEURONS([[1.0]]), r"X has shape \(1, 1\), expected \(inputs, 2\)"),
    "risk of another size": (
        lambda: mf.GradientDescent(RISK, 0.1).after(mf.Neurons([1.0], [[1.0]]), 1),
        "neurons have dimension 1, expected 2",
    ),
    "descent diverges": (
        lambda: mf.GradientDescent(RISK, 100.0).after(NEURONS, 1000),
        r"rate is 100, at which gradient descent diverged at step \d+, expected a smaller one",
    ),
    "flow diverges": (
        lambda: mf.GradientFlow(RISK, step=100.0).after(NEURONS, 10000.0),
        r"step is 100, at which the integration diverged at time \d+",
    ),
    "rate": (lambda: mf.GradientDescent(RISK, 0.0), "rate is 0.0, expected a positive number"),
    "half a step": (lambda: mf.GradientDescent(RISK, 0.1).after(NEURONS, 1.5), "steps has 1.5, expected whole"),
    "backwards": (lambda: list(mf.GradientFlow(RISK, step=0.1).trajectory(NEURONS, [2, 1])), "times is .* ascend"),
    "step and tolerance": (lambda: mf.GradientFlow(RISK, 0.1, 1e-9), "step is 0.1 and tolerance 1e-09, expected one"),
    "whole space": (lambda: mf.SubspaceNorm(4, 4), "subspace is 4, expected a dimension from 1 to 3, below the 4"),
    "more than the space": (lambda: mf.AngleRisk(4, 7), "subspace is 7, expected a dimension from 1 to 3"),
    "angle with everything": (lambda: NEURONS.angles(2), "subspace is 2, expected a dimension from 1 to 1"),
    "no negative neuron": (
        lambda: mf.Neurons([1.0], [[1.0, 1.0]]).alignment(1),
        "a has no negative entry in one of the networks",
    ),
    "blocks": (
        lambda: mf.GaussianRisk(mf.SubspaceNorm(5, 2).reduced(), [2, 2]),
        r"multiplicities is \(2, 2\), but the target has \(2, 3\)",
    ),
    "covariance": (
        lambda: mf.GaussianRisk(mf.SubspaceNorm(2, 1), covariance=np.diag([1.0, -1.0])),
        "covariance has the smallest eigenvalue -1, expected a symmetric, positive definite",
    ),
    "singular covariance": (
        lambda: mf.LinearPredictorRisk(np.diag([1.0, 0.0]), [1.0, 1.0]),
        "covariance has the smallest eigenvalue 0",
    ),
    "power": (lambda: mf.OddTarget([2.0], power=1.0), "power is 1.0, expected at least 4"),
    "angle": (lambda: mf.AngleRisk(4, 2).neurons([2.0], [1.0], [1.0]), "angles has entries from 2 to 2, expected 0"),
    "time without dynamics": (
        lambda: estimators.NeuronQuantity(M, mf.Initialization(2), lambda f: f.a, None, 1.0, name="x"),
        "time is 1.0 and dynamics None, expected both or none",
    ),
    "shape of an observable": (
        lambda: estimators.NeuronQuantity(M, mf.Initialization(2), lambda f: f.a, name="x").sample(3, rng=0),
        r"x has shape \(\d+, 3\) for \d+ networks, expected \(\d+,\)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_gets_a_sentence(case):
    make, message = WRONG[case]
    with pytest.raises(rt.RandtensorError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
