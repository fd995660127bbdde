"""The speed of a few kernels over the life of the code, as ratios, so that machines can be compared.

python -m benchmarks.history               measures, and says what grew since the last kept record; half a minute
python -m benchmarks.history --keep TEXT   the same, and adds the record to benchmarks/history.jsonl
python -m benchmarks.history --show        the kept records

A ratio is the processor time of a kernel over that of a reference in plain NumPy, measured in turns in one process on
one thread: vectors of normal numbers for kernels that work on vectors, products of integer polynomials as arrays of
Python objects for those that the interpreter runs. Several processes give the ratio, their median, and its noise.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks._measure import ROOT, in_subprocess, machine

__all__ = ["FILE", "Ratio", "Record", "append", "grown", "measure", "read"]

FILE = ROOT / "benchmarks" / "history.jsonl"

#: Fresh interpreters, and rounds in each.
PROCESSES, ROUNDS = 5, 15

#: What counts as growth: beyond this many standard deviations of the noise of both, and beyond this share.
DEVIATIONS, SHARE = 3.0, 0.05


@dataclass(frozen=True)
class Ratio:
    """Processor time over that of the reference: the median of several processes, and their relative scatter."""

    value: float
    noise: float

    @staticmethod
    def of(values: Sequence[float]) -> Ratio:
        """From the ratios of at least two processes."""
        logs = np.log(values)
        return Ratio(float(np.exp(np.median(logs))), float(logs.std(ddof=1)))


@dataclass(frozen=True)
class Record:
    """The ratios at one time."""

    date: str
    commit: str
    note: str
    machine: str
    ratios: Mapping[str, Ratio]

    @staticmethod
    def from_line(line: str) -> Record:
        """A record from its line of the file."""
        fields = json.loads(line)
        return Record(**fields | {"ratios": {name: Ratio(**ratio) for name, ratio in fields["ratios"].items()}})


def vectors(seed: int) -> None:
    """The reference of kernels that work on vectors: draws, a function of each, an inner product."""
    z = np.random.Generator(np.random.SFC64(seed)).standard_normal(2**16)
    z @ np.tanh(z)


def interpreter(seed: int) -> None:
    """The reference of kernels that the interpreter runs: a product of polynomials with integers of any length."""
    first, second = (np.array([seed + i * i for i in range(k, k + 100)], dtype=object) for k in (1, 7))
    np.convolve(first, second)


def _kernels() -> dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]]:
    """Every kernel with its reference; the argument of both is a seed."""
    import estimators
    import randtensor as rt
    from benchmarks.contenders.library import network, quantity_of
    from benchmarks.exact import cycle

    n = rt.Scale("n")
    f = network()
    T, G, U = rt.gaussian(n, n, n), rt.gaussian(n, n), rt.haar(n, group="unitary")
    third, kernel, training = (quantity_of(name, f) for name in ("third", "kernel", "training"))
    loop = rt.einsum("abc,abd,efd,efc->", T, T, T, T)
    tetrahedron = rt.einsum("abc,ade,fbe,fdc->", T, T, T, T)
    trace = cycle(U, 4, False)
    orders = [n**-k * rt.log(n) ** j for k in range(8) for j in range(4)]
    sizes, values = [64, 256, 1024, 4096], [1.0, 0.26, 0.064, 0.0157]

    def revealed(seed: int) -> None:
        matrix = rt.revealed.RevealedGaussian((2**14, 2**14), rng=seed)
        vector = np.ones(2**14)
        for _ in range(8):
            vector = np.tanh(matrix @ vector / 128)

    return {
        "third derivative, n = 2^8, 128 samples": (lambda seed: third.sample(2**8, size=128, rng=seed), vectors),
        "third derivative, n = 2^16": (lambda seed: third.sample(2**16, rng=seed), vectors),
        "tangent kernel, n = 2^12, 8 samples": (lambda seed: kernel.sample(2**12, size=8, rng=seed), vectors),
        "8 products with a revealed matrix, n = 2^14": (revealed, vectors),
        "training, n = 2^10": (lambda seed: training.sample(2**10, rng=seed), vectors),
        "loop of four tensors, n = 40": (lambda seed: loop.sample(40, size=4, rng=seed), vectors),
        "E of four tetrahedra": (lambda seed: (tetrahedron * tetrahedron).variance(), interpreter),
        "E tr(GG^T)^6": (lambda seed: cycle(G, 6, True).expectation(), interpreter),
        "E |tr U^4|^2": (lambda seed: (trace * trace.conj()).expectation(), interpreter),
        "32 orders sorted out": (lambda seed: [rt.compare(a, b) for a in orders for b in orders], interpreter),
        "fit of a rate": (lambda seed: estimators.fit_rate(sizes, values, [0.01 * v for v in values]), interpreter),
    }


def ratios(rounds: int) -> dict[str, float]:
    """The ratio of every kernel, by medians of processor times taken in turns; run in a process of its own."""
    from randtensor._blas import single_threaded_blas

    found = {}
    with single_threaded_blas():
        for name, calls in _kernels().items():
            times: list[list[float]] = []
            for seed in range(rounds + 1):
                times.append([_processor_time(call, seed) for call in calls])
            kernel, reference = np.median(times[1:], axis=0)  # the first round warms up
            found[name] = float(kernel / reference)
    return found


def _processor_time(call: Callable[[int], Any], seed: int) -> float:
    """Seconds per call, over enough calls that the clock's resolution does not matter."""
    calls, start = 0, time.process_time()
    while calls == 0 or time.process_time() - start < 2e-3:
        call(1000 * seed + calls)
        calls += 1
    return (time.process_time() - start) / calls


def measure(
    note: str, *, processes: int = PROCESSES, rounds: int = ROUNDS, report: Callable[[str], None] = lambda text: None
) -> Record:
    """A record of now, in fresh interpreters."""
    runs = []
    for k in range(processes):
        report(f"process {k + 1} of {processes}")
        runs.append(in_subprocess(ratios, rounds=rounds))
    found = {name: Ratio.of([run[name] for run in runs]) for name in runs[0]}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Record(date, _commit(), note, machine(), found)


def _commit() -> str:
    """The short name of the commit, with a plus where files have changed since; nothing outside a repository."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked=no") else "")
    except OSError:  # no git
        return ""


def grown(before: Record, after: Record) -> dict[str, float]:
    """Kernels whose ratio grew by more than its noise, with the factor.

    >>> old, new = (Record("", "", "", "", {"a": Ratio(value, 0.01)}) for value in (2.0, 2.2))
    >>> grown(old, new), grown(new, old), grown(old, old)
    ({'a': 1.1}, {}, {})
    """
    found = {}
    for name in before.ratios.keys() & after.ratios.keys():
        old, new = before.ratios[name], after.ratios[name]
        factor = new.value / old.value
        if np.log(factor) > max(DEVIATIONS * np.hypot(old.noise, new.noise), np.log1p(SHARE)):
            found[name] = round(factor, 6)
    return found


def read(path: Path = FILE) -> list[Record]:
    """The kept records, oldest first."""
    if not path.exists():
        return []
    return [Record.from_line(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def append(record: Record, path: Path = FILE) -> None:
    """Keep a record."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def table(records: Sequence[Record]) -> Table:
    """Ratios by kernel, a column for each record."""
    found = Table(title="processor time over that of the reference", title_justify="left")
    found.add_column("kernel")
    for record in records:
        found.add_column(f"{record.date} {record.commit}\n{record.note}", justify="right")
    for name in dict.fromkeys(name for record in records for name in record.ratios):
        cells = (record.ratios.get(name) for record in records)
        found.add_row(name, *(f"{c.value:.3g} ± {100 * c.noise:.0f} %" if c else "-" for c in cells))
    return found


@click.command()
@click.option("--keep", metavar="TEXT", help="Add the record to the file, with this note.")
@click.option("--show", is_flag=True, help="Show the kept records and measure nothing.")
def main(keep: str | None, show: bool) -> None:
    """Measure the kernels and compare them with the last kept record."""
    console = Console(width=None if Console().is_terminal else 160)
    records = read()
    if show:
        console.print(table(records[-6:]))
        return
    with console.status("starting") as status:
        record = measure(keep or "", report=status.update)
    console.print(table([*records[-3:], record]))
    if records:
        changes = grown(records[-1], record)
        for name, factor in sorted(changes.items(), key=lambda item: -item[1]):
            console.print(f"grew by a factor of {factor:.2f}: {name}", style="red")
        if not changes:
            console.print("no ratio grew by more than its noise")
    if keep is not None:
        append(record)
        console.print(f"kept: {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.history")
