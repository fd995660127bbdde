"""Symmetries of PyTorch modules and of programs: what is found, that it holds, and what is said where there is none."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import randtensor as rt
from estimators.mechanics import ModuleObjective, Part, Symmetry, descend
from randtensor.errors import InputError
from theory_checks.suites.neural_mechanics.network import Network
from theory_checks.symmetries import (
    charge_function,
    check_identities,
    conserved_quantities,
    eps_slope,
    find_symmetries,
    identity_residual,
    lie_closure,
    rescale_group,
    scale_group,
    two_layer_fields,
)

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
n = rt.Scale("n")


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield torch
    torch.set_default_dtype(before)
    torch.set_num_threads(threads)


def shaken(torch, module):
    """Biases and gains away from their special initial values."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return module


def architectures(nn):
    """Networks with their input shape and the names of what is to be found in them."""
    return {
        "perceptron": (
            nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)),
            (5,),
            {"rescale of 0 and 2", "translation of 2.weight", "translation of 2.bias"},
        ),
        "convolutional": (
            nn.Sequential(
                nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, eps=1e-30), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 2),
                nn.LeakyReLU(0.1), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 3, bias=False),
            ),
            (2, 9, 9),
            {"translation of 0.bias", "scale of 0", "rescale of 1 and 4", "rescale of 4 and 8",
             "translation of 8.weight"},
        ),
        "group normalisation": (
            nn.Sequential(nn.Linear(5, 6), nn.GroupNorm(2, 6, eps=1e-30), nn.Tanh(), nn.Linear(6, 3)),
            (5,),
            {"translation of 0.bias", "scale of 0", "translation of 3.weight", "translation of 3.bias"},
        ),
        "layer normalisation": (
            nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6, eps=1e-30), nn.Sigmoid(), nn.Linear(6, 3)),
            (5,),
            {"translation of 0.weight", "translation of 0.bias", "scale of 0", "translation of 3.weight",
             "translation of 3.bias"},
        ),
        "instance normalisation": (
            nn.Sequential(nn.Conv1d(1, 3, 2), nn.InstanceNorm1d(3, eps=1e-30), nn.Tanh(), nn.Flatten(),
                          nn.Linear(12, 3), nn.LogSoftmax(dim=1)),
            (1, 5),
            {"translation of 0.bias", "scale of 0", "translation of 4.weight", "translation of 4.bias"},
        ),
        "in eval mode": (
            nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4).eval(), nn.ReLU(), nn.Dropout(0.5).eval(),
                          nn.Linear(4, 3)),
            (5,),
            {"rescale of 1 and 4", "translation of 4.weight", "translation of 4.bias"},
        ),
        "smooth": (
            nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)),
            (5,),
            {"translation of 2.weight", "translation of 2.bias"},
        ),
        "depthwise": (
            nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 2, groups=4), nn.ReLU(), nn.Flatten(),
                          nn.Linear(16, 3)),
            (2, 5, 5),
            {"rescale of 2 and 5", "translation of 5.weight", "translation of 5.bias"},
        ),
    }  # fmt: skip


@needs_torch
@pytest.mark.parametrize(
    "name",
    ["perceptron", "convolutional", "group normalisation", "layer normalisation", "instance normalisation",
     "in eval mode", "smooth", "depthwise"],
)  # fmt: skip
def test_what_is_found_holds_to_third_order(torch, name):
    module, shape, expected = architectures(torch.nn)[name]
    shaken(torch, module)
    found = find_symmetries(module)
    assert {symmetry.name for symmetry in found} == expected
    objective = ModuleObjective(module, torch.randn(11, *shape), torch.randint(3, (11,)))
    report = check_identities(objective, objective.parameters, found, rng=1)
    report.require(1e-12)
    assert name != "perceptron" or "rescale of 0 and 2" in str(report)


@needs_torch
def test_sums_and_shared_parameters_belong_to_no_group(torch):
    nn = torch.nn

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 6), nn.Linear(6, 4)
            self.twice, self.last = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x):
            x = torch.relu(self.first(x))
            x = x + self.outer(torch.relu(self.inner(x)))
            x = torch.relu(self.twice(torch.relu(self.twice(x))))
            return self.last(x.view(x.size(0), -1))

    module = shaken(torch, Residual())
    found = find_symmetries(module)
    names = {symmetry.name for symmetry in found}
    assert names == {"rescale of inner and outer", "translation of last.weight", "translation of last.bias"}
    objective = ModuleObjective(module, torch.randn(9, 4), torch.randint(3, (9,)))
    check_identities(objective, objective.parameters, found).require(1e-12)


@needs_torch
def test_units_used_in_two_places_are_followed_to_both(torch):
    nn = torch.nn

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.left, self.right = nn.Linear(4, 5), nn.Linear(5, 3), nn.Linear(5, 3)

        def forward(self, x):
            x = torch.nn.functional.relu(self.first(x))
            return torch.tanh(self.left(x)) * self.right(x)

    module = shaken(torch, Branches())
    found = [symmetry for symmetry in find_symmetries(module) if symmetry.family == "rescale"]
    assert [symmetry.name for symmetry in found] == ["rescale of first and left, right"]
    objective = ModuleObjective(module, torch.randn(9, 4), torch.randn(9, 3), loss="squared")
    check_identities(objective, objective.parameters, found).require(1e-12)


@needs_torch
def test_frozen_parameters_belong_to_no_group(torch):
    nn = torch.nn
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
    module[0].bias.requires_grad_(False)
    found = find_symmetries(module)
    names = {symmetry.name for symmetry in found}
    assert names == {"rescale of 2 and 4", "translation of 4.weight", "translation of 4.bias"}
    objective = ModuleObjective(module, torch.randn(9, 4), torch.randint(3, (9,)))
    assert "0.bias" not in objective.layout.shapes
    check_identities(objective, objective.parameters, found).require(1e-12)


@needs_torch
def test_without_a_softmax_the_last_layer_has_no_translation(torch):
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    assert find_symmetries(module, loss="squared") == []
    wrong = find_symmetries(module)
    objective = ModuleObjective(module, torch.randn(7, 4), torch.randn(7, 2), loss="squared")
    with pytest.raises(InputError, match=r"'translation of 2.weight' is no translation symmetry .* fails by 0\.\d+"):
        check_identities(objective, objective.parameters, wrong).require()


@needs_torch
def test_modules_programs_and_numpy_agree(torch):
    rng = np.random.default_rng(0)
    net = Network(rng.standard_normal((14, 5)), rng.integers(4, size=14), units=3, hidden=3, outputs=4, eps=1e-3)
    nn = torch.nn
    module = nn.Sequential(
        nn.Linear(5, 3), nn.BatchNorm1d(3, eps=1e-3, affine=False), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(),
        nn.Linear(3, 4),
    )  # fmt: skip
    objective = ModuleObjective(module, torch.tensor(net.inputs), torch.tensor(net.classes))
    point = net.start(rng)
    v, w = rng.standard_normal((2, len(point)))
    assert list(objective.layout.shapes.values()) == list(net.shapes.values())
    program = net.program
    assert objective.loss(point) == pytest.approx(program.loss(point), rel=1e-13)
    assert np.allclose(objective.gradient(point), program.gradient(point), atol=1e-14)
    assert np.allclose(objective.hessian_product(point, v), program.hessian_product(point, v), atol=1e-12)
    assert np.allclose(objective.third_product(point, v, w), program.third_product(point, v, w), atol=1e-11)
    rows = np.array([0, 3, 4, 8, 10])
    assert np.allclose(objective.gradient(point, rows), program.gradient(point, rows), atol=1e-14)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    descend(objective, point, learning_rate=0.1, steps=2)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@needs_torch
def test_identities_hold_only_at_eps_zero_and_fail_in_proportion(torch):
    nn = torch.nn
    module = shaken(torch, nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)))
    inputs, targets = torch.randn(30, 5), torch.randint(3, (30,))
    objective = ModuleObjective(module, inputs, targets)
    scale = scale_group(module, "0")
    report = check_identities(objective, objective.parameters, [scale])
    with pytest.raises(InputError, match=r"only at eps = 0 of the normalisation, which has eps = 1e-05.*eps_slope"):
        report.require()
    assert 1e-9 < report.rows[0].worst < 1e-2
    low, high = eps_slope(module, inputs, targets, scale).interval(0.95)
    assert low < -1 < high and high - low < 0.2
    assert module[1].eps == 1e-5


@needs_torch
def test_what_is_said_of_modules_without_the_symmetry(torch):
    nn = torch.nn
    plain = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    data = torch.randn(6, 5), torch.randint(3, (6,))
    cases = [
        (lambda: rescale_group(plain, "0", "2"), "units of '0' reach Tanh .* expected only homogeneous activations"),
        (lambda: rescale_group(plain, "9", "2"), "layer is '9', expected one of 0, 1, 2"),
        (lambda: rescale_group(plain, "1", "2"), "layer '1' is a Tanh, expected a linear"),
        (lambda: scale_group(plain, "2"), "reach the output"),
        (lambda: scale_group(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), "0"), "are not normalised"),
        (lambda: find_symmetries("net"), "module is 'net', expected a torch.nn.Module"),
        (lambda: ModuleObjective(nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.1)), *data),
         "has the dropout layer '1' in train mode, expected it in eval mode"),
        (lambda: ModuleObjective(plain, data[0], data[1][:2]), "inputs has 6 rows and targets 2"),
        (lambda: ModuleObjective(plain, *data, loss="hinge"), "loss is 'hinge', expected 'cross-entropy'"),
        (lambda: eps_slope(plain, *data, Symmetry("scale", (Part("0.weight"),))), "no layer with an eps"),
        (lambda: eps_slope(plain, *data, Symmetry("scale", (Part("0.weight"),)), eps=[1e-3]), "expected at least two"),
    ]  # fmt: skip
    for call, message in cases:
        with pytest.raises(rt.RandtensorError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


@needs_torch
def test_a_module_that_branches_on_its_input_is_given_groups_by_hand(torch):
    class Branching(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)

        def forward(self, x):
            return self.b(torch.relu(self.a(x)) if x.sum() > 0 else torch.relu(-self.a(x)))

    module = Branching()
    with pytest.raises(InputError, match=r"cannot be traced by torch.fx .* expected groups given by hand"):
        find_symmetries(module)
    group = Symmetry("rescale", (Part("a.weight"), Part("a.bias"), Part("b.weight", 1, -1)), "hidden")
    objective = ModuleObjective(module, torch.randn(8, 3), torch.randint(2, (8,)))
    check_identities(objective, objective.parameters, [group]).require(1e-12)


def test_single_units_of_a_program_have_charges_of_their_own():
    f = rt.networks.mlp(inputs=3, width=4, hidden_layers=2, activation="relu", biases=1.0)
    for unit in range(4):
        weights = np.eye(4)[unit]
        hidden = Symmetry("rescale", (Part("W1", 0), Part("b1", 0), Part("W2", 1, -1)), "hidden")
        charge = charge_function(f, hidden, weights)
        values = {name: np.random.default_rng(1).standard_normal(s) for name, s in f.space.shapes.items()}
        expected = hidden.charges(values)[unit] / 2
        assert float(charge.at(**values)([1.0, 0.0, 0.0]).sample()[0]) == pytest.approx(expected, rel=1e-12)
        for order in (1, 2, 3):
            residual = identity_residual(f, charge, [1.0, -0.4, 0.2], order=order, probe=[0.3, 0.9, -1.0])
            assert residual.sample(size=8, rng=2).max() < 1e-12
        wrong = charge_function(f, Symmetry("scale", (Part("W1", 0),)), weights)
        assert identity_residual(f, wrong, [1.0, -0.4, 0.2]).sample(size=8, rng=2).max() > 1e-3


def test_translations_of_a_program_with_a_softmax():
    @rt.program(W=rt.gaussian(n, 2), V=rt.gaussian(3, n), b=rt.gaussian(3))
    def loss(p, x):
        z = p.V @ rt.tanh(p.W @ x) / n**0.5 + p.b
        return rt.log(rt.sum(rt.exp(z))) - z[0]

    for part in (Part("V", None), Part("b", None)):
        charge = charge_function(loss, Symmetry("translation", (part,)))
        for order in (1, 2, 3):
            residual = identity_residual(loss, charge, [1.0, 0.5], order=order, probe=[0.2, -1.0])
            assert residual.sample(64, size=4, rng=0).max() < 1e-13
    wrong = charge_function(loss, Symmetry("translation", (Part("W", None),)))
    for order in (1, 2, 3):
        residual = identity_residual(loss, wrong, [1.0, 0.5], order=order, probe=[0.2, -1.0])
        assert 1e-3 < residual.sample(64, size=4, rng=0).max() < 1


# Section 2.4 of Marcotte et al. 2023, arXiv 2307.00144, for shapes of U and V with r hidden units
@pytest.mark.parametrize(
    "outputs, inputs, hidden, laws",
    [(1, 1, 1, 1), (1, 1, 2, 3), (2, 1, 2, 3), (2, 2, 2, 3), (2, 2, 3, 6), (3, 2, 2, 3), (1, 1, 3, 5), (1, 2, 4, 9)],
)
def test_number_of_conserved_quantities(outputs, inputs, hidden, laws):
    point = np.random.default_rng(hidden).standard_normal((outputs + inputs) * hidden)
    assert conserved_quantities(two_layer_fields(outputs, inputs, hidden), point) == laws
    assert conserved_quantities(two_layer_fields(outputs, inputs, hidden, relu=True), point) == hidden


def test_closure_is_an_algebra():
    fields = two_layer_fields(2, 2, 1)
    closed = lie_closure(fields)
    flat = closed.reshape(len(closed), -1)
    assert len(closed) == 6  # of the matrices that keep an indefinite form of four variables
    assert np.allclose(flat @ flat.T, np.eye(len(closed)))
    for a in closed:
        for b in closed:
            bracket = (a @ b - b @ a).ravel()
            assert np.allclose(flat.T @ (flat @ bracket), bracket, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_commutators_that_vanish_up_to_rounding_are_no_directions(seed):
    rng = np.random.default_rng(seed)
    frame = rng.standard_normal((4, 4))
    commuting = [frame @ np.diag(rng.standard_normal(4)) @ np.linalg.inv(frame) for _ in range(3)]
    assert len(lie_closure(commuting)) == 3
    x, y = np.zeros((2, 3, 3))
    x[1, 2], x[2, 1], y[0, 2], y[2, 0] = 1, -1, 1, -1
    turned = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert len(lie_closure([1e-6 * turned @ x @ turned.T, turned @ y @ turned.T])) == 3
    assert len(lie_closure([turned @ x @ turned.T, np.zeros((3, 3))])) == 1


def test_number_of_conserved_quantities_does_not_depend_on_coordinates():
    rng = np.random.default_rng(0)
    point, turned = rng.standard_normal(12), np.linalg.qr(rng.standard_normal((12, 12)))[0]
    for relu, laws in ((False, 6), (True, 3)):
        fields = turned @ two_layer_fields(2, 2, 3, relu=relu) @ turned.T
        assert conserved_quantities(fields, turned @ point) == laws
