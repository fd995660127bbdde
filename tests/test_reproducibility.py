"""Same seed, same bits: across processes, hash seeds, workers and block sizes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import estimators
import randtensor as rt

PROGRAM = """
import randtensor as rt
n = rt.Scale("n")
f = rt.networks.mlp(inputs=3, width=n, hidden_layers=3, activation="gelu", biases=0.5, outputs=2)
x, y = [1.0, 0.5, -1.0], [0.0, 1.0, 2.0]
H, T, g, k = f.derivative(x, order=2), f.derivative(x, order=3), f.derivative(x), f.derivative(y)
for c in (
    rt.einsum("pa,qa->pq", g, k),
    rt.einsum("pabc,pa,qb,qc->p", T, g, k, k),
    rt.einsum("pab,pbc,qc,qa->", H, H, g, k),
    rt.einsum("pab,qab->pq", H, H),
    rt.norm(rt.einsum("pabc,qc->pqab", T, k), steps=4),
):
    for size in (20, 300):
        print(c.sample(size, 3, rng=5).tobytes().hex())
"""


def test_hash_randomisation_changes_no_bit():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1, 2)
    }
    assert len(outputs) == 1 and len(outputs.pop()) > 1000


@pytest.mark.parametrize("width", [24, 700, 40000])
def test_workers_and_block_sizes_change_no_bit(width):
    n = rt.Scale("n")
    f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, activation="tanh")
    c = rt.correlation(f, 0, 3, [1.0, 0.0], [0.5, 1.0])
    draws = [
        estimators.estimate(
            c, n=width, statistic="mean", samples=40, rng=1, jobs=jobs, block_size=size, keep_samples=True
        ).draws
        for jobs, size in ((1, None), (2, 1), (3, 17), (2, 1000))
    ]
    assert all(np.array_equal(draws[0], other) for other in draws[1:])
    assert np.array_equal(draws[0][:7], estimators.estimate(c, n=width, samples=7, rng=1, keep_samples=True).draws)
