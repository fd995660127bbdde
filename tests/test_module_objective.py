"""Modules of PyTorch as objectives: derivatives against differences, and what is said of modules that have none."""

from __future__ import annotations

import re

import numpy as np
import pytest

from estimators.mechanics import ModuleObjective
from randtensor.errors import InputError, ShapeError
from theory_checks.symmetries import check_identities, find_symmetries

torch = pytest.importorskip("torch")
nn = torch.nn


class Attention(nn.Module):
    """PyTorch's own encoder layer, or its attention on one projection."""

    def __init__(self, encoder):
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, 0.0, nn.functional.gelu, batch_first=True)
        self.first, self.last = layer if encoder else nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        x = self.first(x)
        if isinstance(self.first, nn.Linear):
            x = nn.functional.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None])[:, 0]
        return self.last(x.mean(1))


class Dropping(nn.Module):
    """Dropout that is no layer."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(nn.functional.dropout(self.first(x), 0.5, self.training))


class Writing(nn.Module):
    """A module that writes to its inputs."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 2)

    def forward(self, x):
        x += 1.0
        return self.last(x)


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_derivatives_of_attention_are_those_of_its_values(encoder, training):
    torch.manual_seed(0)
    module = Attention(encoder).double().train(training)
    objective = ModuleObjective(module, torch.randn(5, 3, 4, dtype=torch.float64), torch.randint(2, (5,)))
    point = objective.parameters
    v, w = np.random.default_rng(0).standard_normal((2, len(point)))
    ends = [point + s * 1e-5 * v for s in (1, -1)]
    for lower, higher in (
        (objective.gradient, objective.hessian_product(point, v)),
        (lambda p: objective.hessian_product(p, w), objective.third_product(point, v, w)),
    ):
        assert np.allclose((lower(ends[0]) - lower(ends[1])) / 2e-5, higher, atol=1e-6 * abs(higher).max())


def test_data_that_a_module_writes_to_stay_as_they_were():
    inputs = torch.randn(5, 4)
    before = inputs.clone()
    objective = ModuleObjective(Writing(), inputs, torch.randint(2, (5,)))
    assert objective.loss(objective.parameters) == objective.loss(objective.parameters)
    assert torch.equal(inputs, before)


def test_random_modules_are_refused_where_they_draw():
    objective = ModuleObjective(Dropping(), torch.randn(5, 4), torch.randint(2, (5,)))
    with pytest.raises(InputError, match="module draws random numbers as it is evaluated, expected it in eval mode"):
        objective.gradient(objective.parameters)
    objective.module.eval()
    assert objective.gradient(objective.parameters).shape == (objective.layout.size,)


def test_single_precision_is_no_evidence_against_a_symmetry():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    inputs, targets = torch.randn(9, 4), torch.randint(3, (9,))
    objective = ModuleObjective(module, inputs, targets)
    report = check_identities(objective, objective.parameters, find_symmetries(module))
    with pytest.raises(InputError, match=r"tolerance is 1e-09, expected more than the rounding .*, 1e-07: .*double"):
        report.require()
    report.require(1e-5)
    objective = ModuleObjective(module.double(), inputs.double(), targets)
    check_identities(objective, objective.parameters, find_symmetries(module)).require()


def linear(inputs, targets, **options):
    objective = ModuleObjective(nn.Linear(4, 1), inputs, targets, **options)
    return objective.loss(objective.parameters)


ROWS = torch.zeros(5, 4)
CASES = [
    (lambda: linear(ROWS, torch.zeros(5), loss="squared"), ShapeError,
     "targets has shape (5,) on a batch, expected that of the outputs, (5, 1)"),
    (lambda: linear(ROWS.double(), torch.zeros(5, 1), loss="squared"), InputError,
     "module cannot be evaluated on inputs of shape (5, 4) and type torch.float64 (RuntimeError: "),
    (lambda: linear(torch.zeros(5, 3), torch.zeros(5, 1), loss="squared"), InputError,
     "module cannot be evaluated on inputs of shape (5, 3) and type torch.float32 (RuntimeError: "),
    (lambda: linear(None, torch.zeros(5)), InputError, "inputs is NoneType, expected a tensor or an array of numbers"),
    (lambda: linear(ROWS, 1.0), ShapeError, "targets is a single number, expected one row per example"),
    (lambda: ModuleObjective("net", ROWS, ROWS), InputError, "module is 'net', expected a torch.nn.Module"),
    (lambda: ModuleObjective(nn.LazyLinear(2), ROWS, ROWS), InputError, "'weight' of module has no shape yet"),
    (lambda: ModuleObjective(nn.ReLU(), ROWS, ROWS), InputError, "module has no parameters that require gradients"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("case", range(len(CASES)))
def test_one_sentence(case):
    call, error, message = CASES[case]
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
