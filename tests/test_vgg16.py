"""The example that trains VGG-16: reduced, in double precision, against the exact laws of its charges."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from estimators.mechanics import Hyperparameters
from randtensor.errors import InputError

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")

EXAMPLE = Path(__file__).parents[1] / "examples" / "vgg16_conservation.py"


@pytest.fixture(scope="module")
def example():
    import torch

    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    spec = spec_from_file_location("vgg16_conservation", EXAMPLE)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    torch.set_default_dtype(before)
    torch.set_num_threads(threads)


def run(example, steps, normalized, hyperparameters, rate, **options):
    import torch

    torch.manual_seed(0)
    images = example.Images.digits(32, torch.float64)
    network = example.vgg16(10, width=1 / 32, normalized=normalized, size=32)
    shown = [symmetry for found in example.families(network).values() for symmetry in found]
    recorder, _ = example.train(
        network, images, shown, hyperparameters, learning_rate=rate, steps=steps, batch=16, **options
    )
    return network, recorder


RUNS = {
    "plain": (False, Hyperparameters(0.01), 0.1),
    "momentum": (False, Hyperparameters(0.01, 0.9, 0.2), lambda step: 0.05 if step < 4 else 0.01),
    "normalised": (True, Hyperparameters(0.01), 0.1),
    "normalised with momentum": (True, Hyperparameters(0.01, 0.9), lambda step: 0.05 if step < 4 else 0.01),
}


@pytest.mark.parametrize("name", RUNS)
def test_charges_follow_the_exact_laws(example, name):
    normalized, hyperparameters, rate = RUNS[name]
    _, recorder = run(example, 8, normalized, hyperparameters, rate)
    kinds = [symmetry.family for symmetry in recorder.symmetries]
    # with normalisation, gains and biases of a layer and the weights of the next rescale as well
    assert kinds.count("translation") == 1 and kinds.count("rescale") == 13
    assert kinds.count("scale") == (13 if normalized else 0)
    for symmetry in recorder.symmetries:
        assert recorder.deviation(symmetry.name) < 1e-10
        moved = np.ptp(np.stack(recorder.measured[symmetry.name]), axis=0).max()
        assert moved > 1e-6


def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(example, tmp_path):
    import torch

    normalized, hyperparameters, rate = RUNS["normalised with momentum"]
    whole, record = run(example, 6, normalized, hyperparameters, rate)
    path = tmp_path / "run.pt"
    run(example, 3, normalized, hyperparameters, rate, checkpoint=path)
    rest, continued = run(example, 6, normalized, hyperparameters, rate, checkpoint=path)
    states = whole.state_dict(), rest.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    for symmetry in record.symmetries:
        for law in ("measured", "exact", "continuous"):
            series = getattr(record, law)[symmetry.name], getattr(continued, law)[symmetry.name]
            assert np.array_equal(*map(np.stack, series))
    assert record.times == continued.times
    with pytest.raises(InputError, match=r"is of a run with .*'seed': 0.* expected .*'seed': 1"):
        run(example, 6, normalized, hyperparameters, rate, checkpoint=path, seed=1)


def test_initial_lengths_are_those_of_the_initialisation(example):
    import torch

    torch.manual_seed(1)
    network = example.vgg16(10, width=0.5, normalized=False, size=32)
    channels = 3
    for layer in network:
        if isinstance(layer, torch.nn.Conv2d):
            # relative standard deviation (2 / entries)^1/2: five of them are left, in 13 layers
            spread = (2 / layer.weight.numel()) ** 0.5
            assert float(layer.weight.detach().square().sum()) == pytest.approx(2 * channels, rel=5 * spread)
            channels = layer.out_channels
