"""Exact expectations: the time from a contraction to its polynomial, with nothing remembered between calls."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_letters
from typing import Any

from benchmarks._measure import duration, timed
from benchmarks._section import Section, Target

__all__ = ["measure"]


def cycle(tensor: Any, k: int, transposed: bool) -> Any:
    """tr M^k, or tr (M M^T)^k."""
    import randtensor as rt

    if not transposed:
        equation = ",".join(ascii_letters[i] + ascii_letters[(i + 1) % k] for i in range(k))
        return rt.einsum(equation + "->", *[tensor] * k)
    letters = ascii_letters[: 2 * k]
    pairs = [
        (letters[2 * i] + letters[2 * i + 1], letters[(2 * i + 2) % (2 * k)] + letters[2 * i + 1]) for i in range(k)
    ]
    return rt.einsum(",".join(",".join(pair) for pair in pairs) + "->", *[tensor] * (2 * k))


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    import randtensor as rt

    n = rt.Scale("n")
    G, T = rt.gaussian(n, n), rt.gaussian(n, n, n)
    U, orthogonal = rt.haar(n, group="unitary"), rt.haar(n)
    tetrahedron = rt.einsum("abc,ade,fbe,fdc->", T, T, T, T)
    square = tetrahedron * tetrahedron
    f = rt.networks.deep_linear(inputs=1, width=n, hidden_layers=100)
    g, H = f.derivative([1.0]), f.derivative([1.0], order=2)
    trace = cycle(U, 6, False)
    eight = rt.einsum("ij,i,j,kl,k,l,,->", H, g, g, H, g, g, f([1.0]), f([1.0]))
    subjects: list[tuple[str, Callable[[], Any], float | None, int, float | None]] = [
        ("E tr(GG^T)^5: 945 pairings", cycle(G, 5, True).expectation, 0.41 / 20, 1, 945),
        ("E tr(GG^T)^10: 6.5e8 pairings", cycle(G, 10, True).expectation, 0.2, 1, 654_729_075),
        ("E of four tetrahedra: 2.0e6 pairings", (square * square).expectation, 0.1, 1, 2_027_025),
        ("Haar unitary, E |tr U^6|^2", (trace * trace.conj()).expectation, 1.0, 9, 6),
        ("Haar orthogonal, E tr O^8", cycle(orthogonal, 8, False).expectation, None, 9, 1),
        ("8 operands of a linear network of depth 100, E (gHg)^2 f^2", eight.expectation, 1.0, 64, None),
    ]
    rows, targets = [], []
    for name, call, limit, size, known in subjects:
        report(name)
        value = call()
        if known is not None and value.exact({"n": size}) != known:
            raise RuntimeError(f"{name} is {value} at n = {size}, expected {known}")
        timing = timed(lambda seed, call=call: call(), seconds=1.0, least=3)
        rows.append((name, str(timing)))
        if limit is not None:
            targets.append(Target(name, timing.minimum, limit, unit=" s"))
    return Section(
        name="exact",
        headers=("what", "time: minimum (median)"),
        rows=tuple(rows),
        targets=tuple(targets),
        notes=(
            f"The first target is a twentieth of the {duration(0.41)} that PyRTNI2 reports for its five pairs "
            "(Fukuda, arXiv 2309.01167, on a machine of its own), which returns one network per pairing. Results are "
            "checked at a size where they are known: at n = 1 a real Gaussian contraction of 2k tensors is (2k-1)!!.",
        ),
    )
