"""The semicircle law of the Gaussian orthogonal ensemble, as a suite.

Run it with ``randtensor verify examples/semicircle_suite.py``. Moments are exact at every size; the law of the limit
keeps their leading term. See docs/extending/suite.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import randtensor as rt
from theory_checks import Claim, Exact, SuiteOptions

TITLE = "Moments and edge of the Gaussian orthogonal ensemble"
SOURCE = "Wigner 1958, Ann. Math. 67, 325; Mehta, Random Matrices"

n = rt.Scale("n")
A = rt.goe(n)


def trace(power: int) -> rt.Quantity:
    """tr A^power."""
    letters = "abcdefgh"[:power]
    terms = [left + right for left, right in zip(letters, letters[1:] + letters[0], strict=True)]
    return rt.einsum(",".join(terms) + "->", *[A] * power)


def moments(samples: int) -> Iterator[Claim]:
    """Means of traces, against their exact values, and the order of a fluctuation."""
    for power in (2, 4):
        quantity = trace(power)
        value = Exact(quantity.expectation(), variance=quantity.variance())
        yield Claim(
            f"mean of tr A^{power}",
            quantity,
            id=f"M{power}",
            statistic="mean",
            predicted=value,
            n=[4, 8, 16],
            samples=samples,
            source="Wick's theorem",
        )
    yield Claim(
        "mean of tr A^4, claimed to be that of the limit law",
        trace(4),
        id="M4.wrong",
        statistic="mean",
        predicted=Exact(2 * n**3, variance=trace(4).variance()),
        n=[4, 8, 16],
        samples=samples,
        source="negative control",
        expect="refuted",
    )
    yield Claim(
        "spread of tr A^2",
        trace(2),
        id="S2",
        statistic="std",
        predicted=rt.Theta(n),
        correction=1.0,
        n=[8, 32, 128],
        samples=4 * samples,
        source="Wick's theorem: the variance is 4 n^2 + 4 n",
    )


def edge(samples: int) -> Iterator[Claim]:
    """The largest eigenvalue is 2 n^{1/2} to leading order, with corrections n^{-2/3} relative to it."""
    for label, power, expect in (("E1", "n^{1/2}", "consistent"), ("E1.wrong", "n^{2/3}", "refuted")):
        yield Claim(
            "largest eigenvalue" + ("" if expect == "consistent" else ", claimed to grow faster"),
            rt.spectrum(A, "largest eigenvalue"),
            id=label,
            statistic="mean",
            predicted=rt.Theta(power),
            correction=2 / 3,
            n=[8, 16, 32, 64, 128],
            samples=samples // 4,
            source="edge of the semicircle" if expect == "consistent" else "negative control",
            expect=expect,
        )


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    samples = 1000 if options.quick else 4000
    return [*moments(samples), *edge(samples)]
