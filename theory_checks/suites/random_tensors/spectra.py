"""Spectra of random matrices, with exact laws at every size where they are known (claims N6, N7, N10)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import randtensor as rt
from randtensor.spectra import spectrum
from theory_checks.claims import Claim, Exact
from theory_checks.suites.random_tensors.plan import Plan, n

__all__ = ["mean_smallest_singular_value", "number_of_real_eigenvalues", "spectra"]


def spectra(plan: Plan) -> Iterator[Claim]:
    """Smallest singular value and real eigenvalues of a Ginibre matrix, edge of the GOE."""
    matrix = rt.gaussian(n, n)
    smallest, real = spectrum(matrix, "smallest singular value"), spectrum(matrix, "number of real eigenvalues")
    edelman: dict[str, Any] = {"statistic": "mean", "source": "Edelman 1988"}
    yield Claim(
        "smallest singular value, exact mean",
        smallest,
        id="N6.exact",
        predicted=Exact(mean_smallest_singular_value, within=0.1),
        n=[2, 4, 8, 16],
        samples=plan.count(4000),
        **edelman,
    )
    yield Claim(
        "smallest singular value",
        smallest,
        id="N6.rate",
        predicted=rt.Theta(n**-0.5),
        correction=1.0,
        n=[4, 8, 16, 32],
        samples=plan.count(12000),
        **edelman,
    )
    eigenvalues: dict[str, Any] = {"statistic": "mean", "source": "Edelman, Kostlan & Shub 1994"}
    yield Claim(
        "number of real eigenvalues, exact mean",
        real,
        id="N7.exact",
        predicted=Exact(number_of_real_eigenvalues, within=0.1),
        n=[3, 4, 8, 16],
        samples=plan.count(2000),
        **eigenvalues,
    )
    yield Claim(
        "number of real eigenvalues less 1/2",
        real - 0.5,
        id="N7.rate",
        predicted=rt.Theta(n**0.5),
        correction=1.0,
        n=[4, 8, 16, 32],
        samples=plan.count(8000),
        **eigenvalues,
    )
    yield Claim(
        "GOE, largest eigenvalue: fluctuation",
        spectrum(rt.goe(n), "largest eigenvalue"),
        id="N10.rate",
        statistic="std",
        predicted=rt.Theta(n ** Fraction(-1, 6)),
        source="Tracy & Widom 1996",
        # The next term is n^-2/3 smaller, and its coefficient small.
        correction=None,
        n=[8, 16, 32, 64, 128],
        samples=[plan.count(count) for count in (8000, 6000, 4000, 3000, 1500)],
    )


def mean_smallest_singular_value(size: int) -> float:
    """Of a square matrix of independent normal entries: the density of Edelman (1988), integrated.

    With s^2 = 2 t the mean is (2/pi)^1/2 n Gamma((n+1)/2) times the Laplace transform at n of Tricomi's function
    U((n-1)/2, -1/2, t), which is a hypergeometric series of positive terms (DLMF 13.10.7).

    >>> round(mean_smallest_singular_value(1), 6), round(10 * mean_smallest_singular_value(100), 3)
    (0.797885, 0.657)
    """
    total, term, k = 0.0, 1.0, 0
    while term > 1e-17 * total:
        total += term
        term *= ((size - 1) / 2 + k) / (size / 2 + 2 + k) * (1 - 1 / size)
        k += 1
    factor = math.exp(math.lgamma((size + 1) / 2) + math.lgamma(5 / 2) - math.lgamma(size / 2 + 2))
    return math.sqrt(2 / math.pi) * factor * total


def number_of_real_eigenvalues(size: int) -> float:
    """Expected, of a square matrix of independent normal entries (Edelman, Kostlan & Shub 1994, corollary 5.1).

    >>> number_of_real_eigenvalues(1), round(number_of_real_eigenvalues(2) ** 2, 12)
    (1.0, 2.0)
    """
    total, term = (1.0, 0.5) if size % 2 else (0.0, 1.0)
    # Even sizes sum (4k-1)!!/(4k)!! from k = 0, odd ones (4k-3)!!/(4k-2)!! from k = 1.
    first = 2 if size % 2 else 0
    for k in range(size // 2):
        total += math.sqrt(2) * term
        top = first + 2 * (2 * k) + 1
        term *= top * (top + 2) / ((top + 1) * (top + 3))
    return total
