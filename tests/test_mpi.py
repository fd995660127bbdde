"""Workers of MPI: the same bits. It needs mpi4py and an installed MPI, and is skipped without them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mpi4py.futures")
LAUNCHER = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")

PROGRAM = """
import os
import estimators, randtensor as rt
from mpi4py.futures import MPIPoolExecutor

def process(_):
    return os.getpid()

if __name__ == "__main__":
    n = rt.Scale("n")
    f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, activation="tanh")
    correlation = rt.correlation(f, 0, 3, [1.0, 0.0], [0.5, 1.0])
    options = dict(n=[4, 16, 64], samples=60, statistic="rms", rng=1)
    with MPIPoolExecutor(2) as pool:
        there = estimators.scaling(correlation, **options, jobs=estimators.Workers(2, executor=pool))
        elsewhere = os.getpid() not in set(pool.map(process, range(8)))
    print(elsewhere and there.estimates == estimators.scaling(correlation, **options, jobs=1).estimates)
"""


@pytest.mark.skipif(LAUNCHER is None, reason="needs mpiexec")
def test_the_same_bits(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [LAUNCHER, "-n", "3", sys.executable, "-m", "mpi4py.futures", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"]
