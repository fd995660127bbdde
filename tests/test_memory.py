"""A bound on memory: kept, whatever is drawn, without changing a bit; and what blocks cost, by measuring small ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import estimators
import randtensor as rt
from estimators import Workers, draw_samples
from estimators.costs import block_costs
from estimators.memory import memory_text, parse_memory, peak_memory, resident
from randtensor.errors import InputError
from randtensor.quantity import Quantity
from theory_checks import Claim, verify

ROOT = Path(__file__).parents[1]
LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="peaks are measured by /proc")
N = rt.Scale("n")
SEED = np.random.SeedSequence(4)

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import estimators, randtensor as rt
from estimators.costs import block_costs
from estimators.memory import resident

n = rt.Scale("n")
network = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, activation="tanh")
tensor, vector, x = rt.gaussian(n, n, n), rt.gaussian(n), [1.0, 0.5]

def wide():
    gradient = network.derivative([0.0, 1.0])
    return rt.einsum("ab,a,b->", network.derivative(x, order=2), gradient, gradient)

def trained():
    training = estimators.Training(network, np.eye(2), [1.0, -1.0], learning_rate=0.1, steps=3)
    return estimators.TrainingQuantity(training, "loss", step=3)

@rt.quantity(n, batch=1)
def gramian(n, batch, generator):
    rows = generator.standard_normal((n, n))
    return np.linalg.eigvalsh(rows @ rows.T)[-1:]

make, sizes, counts = {
    "derivatives of a wide network": (wide, [2**15, 2**17], [16, 8]),
    "a dense tensor": (lambda: rt.einsum("abc,abc->", tensor, tensor), [96, 192], [40, 12]),
    "contracted tensors": (lambda: rt.einsum("abc,abd,ecd,e->", tensor, tensor, tensor, vector), [64, 144], [24, 8]),
    "a Gramian": (lambda: gramian, [400, 900], [16, 8]),
    "a training": (trained, [2**13, 2**15], [8, 8]),
}[sys.argv[1]]
quantity, sizes = make(), [{"n": size} for size in sizes]
largest = block_costs(quantity, sizes)[-1].memory
bound = int(resident() + 48e6 + 2.5 * largest)
if sys.argv[2] == "bounded":
    workers = estimators.Workers(6, memory=bound)
else:
    workers = estimators.Workers(int(sys.argv[2]))
found = estimators.draw_samples(quantity, sizes, counts, np.random.SeedSequence(4), jobs=workers)
(highest,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(b"".join(part.tobytes() for part in found).hex(), 1024 * int(highest.split()[1]) / bound)
"""


def peak(what, workers):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, what, workers], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    samples, ratio = done.stdout.split()
    return samples, float(ratio)


@LINUX
@pytest.mark.parametrize(
    "what",
    [
        "derivatives of a wide network",
        "a dense tensor",
        "contracted tensors",
        "a Gramian",
        "a training",
    ],
)
def test_the_bound_is_kept_and_changes_no_bit(what):
    bounded, ratio = peak(what, "bounded")
    assert ratio <= 1.2
    assert bounded == peak(what, "1")[0]


@LINUX
def test_without_the_bound_there_is_more():
    assert peak("a dense tensor", "6")[1] > 1.2


# --- what a block costs


class Power(Quantity):
    """Holds a working array of given size in bytes, and gives one number per sample."""

    scale_names, fingerprint = ("n",), "power"

    def __init__(self, size, length=1):
        self.size, self.length = size, length

    def block_length(self, sizes):
        return self.length

    def evaluate(self, draw):
        work = np.zeros(int(self.length * self.size(draw.sizes["n"])), dtype=np.uint8)
        return draw.generator.standard_normal(draw.batch) + work[0]


@pytest.mark.parametrize("power", [0, 1, 2, 3])
@pytest.mark.parametrize("length", [1, 4])
def test_memory_that_is_not_taken_is_extrapolated(power, length):
    law = Power(lambda n: 1000 * n**power, length)
    (cost,) = block_costs(law, [{"n": 3 * 2**11}], memory=2e7)
    expected = length * 1000 * (3 * 2**11) ** power
    assert cost.measured == (expected <= 2e7)
    assert 0.95 * expected - 1 <= cost.memory <= 1.05 * expected + 20_000 * length
    assert (cost.length, cost.samples) == (length, 8 * length)


def test_sizes_that_are_too_small_are_left_out():
    class Choosy(Power):
        def evaluate(self, draw):
            if draw.sizes["n"] < 100:
                raise ZeroDivisionError("too small")
            return super().evaluate(draw)

    (cost,) = block_costs(Choosy(lambda n: 8 * n), [{"n": 2**14}])
    assert cost.measured and 2**17 <= cost.memory < 2**17 + 2**15
    with pytest.raises(ZeroDivisionError):
        block_costs(Choosy(lambda n: n), [{"n": 50}])


@LINUX
def test_what_libraries_take_for_themselves_is_seen():
    matrix = np.eye(700)
    with peak_memory() as peak:
        np.linalg.svd(matrix)
    assert peak.size > 3.5 * matrix.nbytes


# --- sentences


def test_not_even_one_block_fits():
    huge = rt.norm(rt.gaussian(N, N, N), "frobenius")
    with pytest.raises(InputError, match=r"memory is .* [MG]iB, but a block of .* at n = 4096 takes 1\.\d TiB beside"):
        estimators.estimate(huge, 4096, samples=2, rng=0, jobs=Workers(2, memory=int(resident() + 2e8)))
    claim = Claim("huge", huge, predicted=rt.Theta(N**1.5), n=[8, 16, 4096], samples=4)
    length = Claim("length", rt.norm(rt.gaussian(N)), predicted=rt.Theta(N**0.5), n=[16, 64, 256])
    found = verify([claim, length], rng=0, jobs=Workers(2, memory=int(resident() + 2e8)))
    assert [result.verdict for result in found.results] == ["inconclusive", "consistent"]
    assert "expected at least" in found.results[0].reason


def test_the_samples_themselves_need_memory():
    law = Power(lambda n: 8, 100)
    with pytest.raises(InputError, match="fewer samples"):
        draw_samples(law, [{"n": 4}], [10**9], SEED, jobs=Workers(1, memory=int(resident() + 1e9)))


@pytest.mark.parametrize(
    ("memory", "bytes_"), [("4GiB", 2**32), ("0.5 g", 5 * 10**8), (" 100 MB", 10**8), (np.int64(7), 7), ("12", 12)]
)
def test_sizes_of_memory(memory, bytes_):
    assert parse_memory(memory) == bytes_


@pytest.mark.parametrize("memory", ["", "much", "-1GB", "1e9", "0", 0, True, 2.5, "9" * 10**6, "1 XB", "\u0663GB"])
def test_what_is_no_size_of_memory(memory):
    with pytest.raises(InputError, match="expected bytes, or a text such as"):
        parse_memory(memory)


def test_other_processes_are_not_bounded():
    with pytest.raises(InputError, match="bounds this process alone"):
        Workers(2, executor="processes", memory="1GiB")
    assert memory_text(2**31) == "2.0 GiB"
