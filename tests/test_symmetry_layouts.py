"""Symmetries of PyTorch modules where channels and positions are easily taken for each other."""

from __future__ import annotations

import pytest

from estimators.mechanics import ModuleObjective
from theory_checks.symmetries import check_identities, find_symmetries

torch = pytest.importorskip("torch")
nn = torch.nn


class Joined(nn.Module):
    """Two layers with a function between them."""

    def __init__(self, first, between, last):
        super().__init__()
        self.first, self.between, self.last = first, between, last

    def forward(self, x):
        return self.last(self.between(torch.relu(self.first(x))))


def channels(between, positions=6, images=False):
    """Four channels that meet four inputs of a linear layer."""
    first = nn.Conv2d(1, 4, 3) if images else nn.Conv1d(1, 4, 3)
    return Joined(first, between, nn.Linear(4, 2)), (1, positions, positions) if images else (1, positions)


#: the last layer has as many inputs as the first has channels, but they are not these channels
MISLEADING = {
    "linear layer over positions": lambda: channels(lambda z: z),
    "linear layer over positions of images": lambda: channels(lambda z: z, images=True),
    "rows of mixed channels": lambda: channels(lambda z: z.reshape(-1, 4), images=True),
    "rows of mixed channels, three axes": lambda: channels(lambda z: z.view(z.size(0), -1, 4), images=True),
    "mean over channels": lambda: channels(lambda z: z.mean(-2)),
    "mean over one axis of two": lambda: channels(lambda z: z.mean(dim=2), images=True),
    "flattened examples": lambda: channels(lambda z: torch.flatten(z).reshape(-1, 4)),
    "pooling of features": lambda: (Joined(nn.Linear(3, 4), nn.MaxPool1d(3, 1, 1), nn.Linear(4, 2)), (3,)),
    "normalisation of features": lambda: (
        nn.Sequential(nn.Linear(3, 6), nn.InstanceNorm1d(6), nn.Tanh(), nn.Linear(6, 2)),
        (3,),
    ),
    "convolution over features": lambda: (
        Joined(nn.Linear(3, 4), lambda z: z.reshape(-1, 4, 1), nn.Conv1d(4, 2, 1)),
        (3,),
    ),
}

#: the same with the channels where they should be
HONEST = {
    "mean over positions": lambda: channels(lambda z: z.mean(-1)),
    "mean over positions of images": lambda: channels(lambda z: z.sum((2, -1)), images=True),
    "kept axes": lambda: channels(lambda z: z.amax(dim=(-2, -1), keepdim=True).flatten(1), images=True),
    "pooling": lambda: channels(lambda z: nn.functional.adaptive_avg_pool2d(z, 1).view(z.size(0), -1), images=True),
    "positions beside each other": lambda: (
        Joined(nn.Conv1d(1, 4, 3), lambda z: torch.flatten(z, start_dim=1), nn.Linear(16, 2)),
        (1, 6),
    ),
}


def names_of_found(make):
    """Names of the scale and rescale symmetries that are found, and that hold."""
    torch.manual_seed(0)
    module, shape = make()
    module.double()
    found = [symmetry for symmetry in find_symmetries(module) if symmetry.family != "translation"]
    if found:
        examples = torch.randn(6, *shape, dtype=torch.float64)
        objective = ModuleObjective(module, examples, torch.randint(2, (6,)))
        check_identities(objective, objective.parameters, found).require(1e-12)
    return {symmetry.name for symmetry in found}


@pytest.mark.parametrize("name", MISLEADING)
def test_positions_are_not_taken_for_channels(name):
    assert names_of_found(MISLEADING[name]) == set()


@pytest.mark.parametrize("name", HONEST)
def test_channels_are_followed_past_their_positions(name):
    assert names_of_found(HONEST[name]) == {"rescale of first and last"}
