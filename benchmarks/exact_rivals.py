"""Exact expectations: the library against sums over pairings and permutations, and against haarpy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from benchmarks._limited import stream
from benchmarks._measure import duration
from benchmarks._section import Section, Target
from benchmarks.exact import cycle

__all__ = ["PROBLEMS", "measure", "times"]

#: Seconds that one degree may take.
PATIENCE = 5.0


def _gaussian(k: int) -> tuple[Any, Any]:
    import randtensor as rt
    from benchmarks.contenders.double_sums import gaussian_traces

    G = rt.gaussian(rt.Scale("n"), rt.Scale("n"))
    return cycle(G, k, True).expectation, lambda: gaussian_traces(k)


def _unitary(k: int) -> tuple[Any, Any]:
    import sympy

    import randtensor as rt
    from benchmarks.contenders.double_sums import unitary_traces

    trace = cycle(rt.haar(rt.Scale("n"), group="unitary"), k, False)
    return (trace * trace.conj()).expectation, lambda: unitary_traces(k, sympy.Symbol("n"))


def _orthogonal(k: int) -> tuple[Any, Any]:
    import sympy

    import randtensor as rt
    from benchmarks.contenders.double_sums import orthogonal_trace

    return cycle(rt.haar(rt.Scale("n")), k, False).expectation, lambda: orthogonal_trace(k, sympy.Symbol("n"))


def _functions(k: int) -> tuple[Any, Any]:
    import sympy

    import randtensor as rt
    from benchmarks.contenders.double_sums import weingarten_functions
    from randtensor.exact.haar.weingarten import weingarten

    def ours() -> dict[tuple[int, ...], Any]:
        function = weingarten("unitary", k)
        return {kind: function.expansion(kind, rt.Scale("n")) for kind in function.types}

    return ours, lambda: weingarten_functions(k, sympy.Symbol("n"))


#: Name, calls of both by degree, the degrees, of which the first only warms up, and what the other side is.
PROBLEMS: dict[str, tuple[Callable[[int], tuple[Any, Any]], tuple[int, ...], str]] = {
    "E tr(GG^T)^k, Gaussian": (_gaussian, (2, 3, 4, 5, 6, 7, 8), "one term per pairing"),
    "E |tr U^k|^2, unitary": (_unitary, (2, 3, 4, 5, 6), "double sum over permutations, haarpy's functions"),
    "E tr O^k, orthogonal": (_orthogonal, (2, 4, 6, 8), "double sum over pairings, haarpy's functions"),
    "all unitary Weingarten functions of degree k": (_functions, (2, 4, 6, 8), "haarpy"),
}


def value_at(result: Any, n: int) -> Any:
    """A result of either side at one size, as a fraction; of several, a dictionary."""
    if isinstance(result, dict):
        if all(isinstance(key, int) for key in result):  # coefficients by power
            return Fraction(sum(c * n**power for power, c in result.items()))
        return {key: value_at(each, n) for key, each in result.items()}
    if hasattr(result, "subs"):
        return Fraction(str(result.subs("n", n)))
    return Fraction(result.exact({"n": n})) if hasattr(result, "exact") else Fraction(result)


def times(problem: str, ours: bool) -> Iterator[dict[str, Any]]:
    """Degree by degree, the time of one call, nothing of that degree remembered, and the value at n = 11."""
    make, degrees, _ = PROBLEMS[problem]
    make(degrees[0])[0 if ours else 1]()  # imports
    for k in degrees[1:]:
        call = make(k)[0 if ours else 1]
        start = time.perf_counter()
        result = call()
        yield {"k": k, "seconds": time.perf_counter() - start, "value": _text(value_at(result, 11))}


def _text(value: Any) -> str:
    return str(sorted((key, str(each)) for key, each in value.items())) if isinstance(value, dict) else str(value)


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    rows, disagreements, slowest = [], 0, 0.0
    for problem, (_, degrees, method) in PROBLEMS.items():
        report(problem)
        sides = [
            stream(times, {"problem": problem, "ours": ours}, seconds=6 * PATIENCE, patience=PATIENCE)
            for ours in (True, False)
        ]
        (ours, ended), (theirs, stopped) = sides
        mine, other = ({each["k"]: each for each in found} for found in (ours, theirs))
        for k in degrees[1:]:
            cells = [
                duration(found[k]["seconds"]) if k in found else reason or "-"
                for found, reason in ((mine, ended), (other, stopped))
            ]
            both = k in mine and k in other
            ratio = f"{other[k]['seconds'] / mine[k]['seconds']:.1f}" if both else "-"
            disagreements += both and mine[k]["value"] != other[k]["value"]
            slowest = max(slowest, mine[k]["seconds"] if k in mine else PATIENCE)
            rows.append((problem, str(k), method, *cells, ratio))
    return Section(
        name="exact-integrals",
        headers=("expectation", "k", "against", "randtensor", "the other", "times faster"),
        rows=tuple(rows),
        targets=(
            Target("results that differ at n = 11", disagreements, 0),
            Target("slowest of the library", slowest, 1, unit=" s"),
        ),
        notes=(
            "One call each, in a process that has computed nothing of that degree before; a degree may take "
            f"{PATIENCE:.0f} s. All results are rational functions of n.",
        ),
        by="python -m benchmarks against-all",
    )
