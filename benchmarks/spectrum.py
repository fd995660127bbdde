"""Gramian and full-batch descent of a 6 x 256 network on 2 000 inputs, against matrix products and PyTorch.

The floor of the Gramian is the products of which it is the sum: two of N x 256 with 256 x N for each of the hidden
layers that have both inputs and sensitivities of that width. Single precision, as the experiments of the literature.
Everyone in a process of its own, on all cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._measure import Timing, in_subprocess
from benchmarks._section import Section, Target

__all__ = ["measure"]

INPUTS, WIDTH, HIDDEN = 2000, 256, 5

#: An interpreter that has PyTorch, where it is not this one.
TORCH = os.environ.get("RANDTENSOR_TORCH_PYTHON", "")

_TORCH_STEP = f"""
import json, time, torch
torch.manual_seed(0)
sizes = [2] + [{WIDTH}] * {HIDDEN} + [1]
layers = []
for fan_in, fan_out in zip(sizes, sizes[1:]):
    layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.LeakyReLU(0.2)]
net, X, y = torch.nn.Sequential(*layers[:-1]), torch.rand({INPUTS}, 2) - 0.5, torch.rand({INPUTS}, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
def step():
    optimizer.zero_grad()
    (((net(X) - y) ** 2).mean() / 2).backward()
    optimizer.step()
times, end = [], time.perf_counter() + REPLACED
while time.perf_counter() < end:
    begin = time.perf_counter()
    step()
    times.append(time.perf_counter() - begin)
print(json.dumps(times))
"""


def repeated(call: Callable[[], Any], seconds: float) -> list[float]:
    """Times of calls for so many seconds, after one that warms up."""
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return times


def ours(what: str, seconds: float) -> list[float]:
    """Times of one step, of one Gramian, or of the products it is made of."""
    from estimators.layered import FullBatchDescent, LayeredNetwork

    network = LayeredNetwork((2, *[WIDTH] * HIDDEN), "leaky_relu(0.2)")
    X = np.random.default_rng(0).uniform(-0.5, 0.5, (INPUTS, 2))
    run = FullBatchDescent(network, X, np.sin(6 * X[:, 0]), 0.1, rng=0, dtype=np.float32)
    left, right = np.random.default_rng(1).standard_normal((2, INPUTS, WIDTH)).astype(np.float32)
    product = np.empty((INPUTS, INPUTS), np.float32)

    def floor() -> None:
        for _ in range(2 * HIDDEN):
            np.matmul(left, right.T, out=product)

    calls = {"step": run.advance, "Gramian": lambda: network.gramian(run.theta, run.X), "products": floor}
    return repeated(calls[what], seconds)


def torch_step(seconds: float) -> list[float]:
    """Times of one step of PyTorch; none if there is no interpreter that has it."""
    import sys

    code = _TORCH_STEP.replace("REPLACED", repr(seconds))
    done = subprocess.run([TORCH or sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return list(json.loads(done.stdout)) if done.returncode == 0 else []


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything, in turns so that a busy machine slows all alike; ``report`` is told what is being measured."""
    found: dict[str, list[float]] = {name: [] for name in ("step", "Gramian", "products", "PyTorch")}
    for turn in range(4):
        for name, times in found.items():
            report(f"spectrum, {name}, turn {turn + 1} of 4")
            times += torch_step(4.0) if name == "PyTorch" else in_subprocess(ours, what=name, seconds=4.0)
    timings = {name: Timing(tuple(times)) for name, times in found.items() if times}
    labels = {
        "step": "full-batch step",
        "PyTorch": "full-batch step, PyTorch",
        "Gramian": "Gramian",
        "products": "its matrix products alone",
    }
    targets = [
        Target("Gramian over its matrix products", timings["Gramian"].minimum / timings["products"].minimum, 3),
    ]
    if "PyTorch" in timings:
        ratio = timings["step"].minimum / timings["PyTorch"].minimum
        targets.append(Target("full-batch step over that of PyTorch", ratio, 1.5))
    return Section(
        name="spectrum",
        headers=("2-256-256-256-256-256-1, N = 2000, float32", "time"),
        rows=tuple((label, str(timings[name]) if name in timings else "-") for name, label in labels.items()),
        targets=tuple(targets),
        notes=(
            "Minimum, and in brackets the median. A symmetric Gramian is less than its products: one half of it is "
            "worked out, and the other copied. PyTorch is an optional part of this benchmark: without it in this "
            "environment, `RANDTENSOR_TORCH_PYTHON` names an interpreter that has it.",
        ),
    )
