"""Invariants of Gaussian tensors and matrices: exact polynomials in n, from sums over pairings (claims G)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import randtensor as rt
from randtensor import Expansion
from theory_checks.claims import Claim, Exact
from theory_checks.suites.random_tensors.plan import SIZE as N
from theory_checks.suites.random_tensors.plan import Moments, Plan, n, real

__all__ = ["gaussian", "gaussian_rows"]

m = rt.Scale("m")

TETRAHEDRON = "abc,ade,fbe,fdc->"
PILLOW = "abc,abd,efd,efc->"
CYCLE = "ab,bc,cd,da->"
WISHART = "ax,bx,by,ay->"


def gaussian_rows() -> dict[str, Moments]:
    """The invariants with their first two moments, by id."""
    rows = [*_tensor_rows(), *_matrix_rows(), *_mixed_rows()]
    return {row.id: row for row in rows}


def _tensor_rows() -> Iterator[Moments]:
    t, quartic = rt.gaussian(n, n, n), rt.gaussian(n, n, n, n)
    z = rt.complex_gaussian(n, n, n)
    s = rt.symmetric_gaussian(n, 3)
    conj = z.conj()
    pillow = rt.einsum(PILLOW, z, conj, z, conj)
    bipartite = rt.einsum("adg,aei,beh,bfg,cfi,cdh->", z, conj, z, conj, z, conj)
    yield Moments("G1", "squared length, order 3", rt.einsum("abc,abc->", t, t), N**3, 2 * N**3)
    yield Moments(
        "G2",
        "tetrahedron",
        rt.einsum(TETRAHEDRON, t, t, t, t),
        3 * N**4,
        4 * N**6 + 72 * N**5 + 12 * N**4 + 8 * N**3,
    )
    yield Moments(
        "G4",
        "pillow",
        rt.einsum(PILLOW, t, t, t, t),
        N**5 + N**4 + N**3,
        8 * N**7 + 20 * N**6 + 28 * N**5 + 20 * N**4 + 20 * N**3,
    )
    yield Moments(
        "G5",
        "complex pillow",
        real(pillow),
        N**5 + N**4,
        4 * N**7 + 10 * N**6 + 4 * N**5 + 2 * N**3,
        contraction=pillow,
    )
    yield Moments(
        "G6",
        "complex K_{3,3}",
        real(bipartite),
        3 * N**6 + 3 * N**5,
        84 * N**9 + 216 * N**8 + 189 * N**7 + 126 * N**6 + 63 * N**5 + 6 * N**3,
        contraction=bipartite,
    )
    yield Moments(
        "G7",
        "prism",
        rt.einsum("abc,ade,fbe,fgh,idh,igc->", t, t, t, t, t, t),
        N**6 + 9 * N**5 + 3 * N**4 + 2 * N**3,
        20 * N**9 + 480 * N**8 + 1992 * N**7 + 2708 * N**6 + 2850 * N**5 + 1680 * N**4 + 440 * N**3,
    )
    yield Moments("G8", "pair of traces, order 3", rt.einsum("aac,bbc->", t, t), N**2, 2 * N**3)
    yield Moments(
        "G9",
        "necklace, order 4",
        rt.einsum("abcd,abef,ghef,ghcd->", quartic, quartic, quartic, quartic),
        2 * N**6 + N**4,
        36 * N**8 + 40 * N**6 + 20 * N**4,
        sizes=(2, 4, 8),
    )
    yield Moments(
        "G10.length",
        "squared length, symmetric, order 3",
        rt.einsum("abc,abc->", s, s),
        N * (N + 1) * (N + 2) / 6,
        N * (N + 1) * (N + 2) / 3,
    )
    yield Moments(
        "G10.tetrahedron",
        "tetrahedron, symmetric",
        rt.einsum(TETRAHEDRON, s, s, s, s),
        N * (N + 2) ** 2 * (N + 3) / 12,
        N**6 / 54 + 7 * N**5 / 9 + 121 * N**4 / 18 + 647 * N**3 / 27 + 1066 * N**2 / 27 + 676 * N / 27,
    )


def _matrix_rows() -> Iterator[Moments]:
    g, rectangular = rt.gaussian(n, n), rt.gaussian(m, n)
    goe, gue = rt.goe(n), rt.gue(n)
    hermitian = rt.einsum(CYCLE, gue, gue, gue, gue)
    signs = rt.iid("rademacher", n, n)
    rows = Expansion.of(m)
    small = (4, 8, 16, 32)
    yield Moments(
        "G11", "tr G^4", rt.einsum(CYCLE, g, g, g, g), N**2 + 2 * N, 4 * N**4 + 60 * N**2 + 32 * N, sizes=small
    )
    yield Moments(
        "G12",
        "tr (G G^T)^2",
        rt.einsum(WISHART, g, g, g, g),
        2 * N**3 + N**2,
        36 * N**4 + 40 * N**3 + 20 * N**2,
        sizes=small,
    )
    yield Moments(
        "G12.rectangular",
        "tr (G G^T)^2, G of shape (m, n)",
        rt.einsum(WISHART, rectangular, rectangular, rectangular, rectangular),
        rows * N * (rows + N + 1),
        rows * N * (8 * N**2 + 20 * rows * N + 8 * rows**2 + 20 * N + 20 * rows + 20),
        sizes=({"m": 3, "n": 5}, {"m": 20, "n": 8}, {"m": 4, "n": 32}),
    )
    yield Moments(
        "G13",
        "tr (G G^T)^3",
        rt.einsum("ax,bx,by,cy,cz,az->", g, g, g, g, g, g),
        5 * N**4 + 6 * N**3 + 4 * N**2,
        600 * N**6 + 1692 * N**5 + 3342 * N**4 + 3168 * N**3 + 1368 * N**2,
        sizes=small,
    )
    yield Moments(
        "G14",
        "GOE, tr M^4",
        rt.einsum(CYCLE, goe, goe, goe, goe),
        2 * N**3 + 5 * N**2 + 5 * N,
        72 * N**4 + 304 * N**3 + 664 * N**2 + 496 * N,
        sizes=small,
    )
    yield Moments(
        "G15",
        "GUE, tr M^4",
        real(hermitian),
        2 * N**3 + N,
        36 * N**4 + 60 * N**2,
        sizes=small,
        contraction=hermitian,
    )
    yield Moments(
        "G20",
        "tr (G G^T)^2, entries +-1",
        rt.einsum(WISHART, signs, signs, signs, signs),
        2 * N**3 - N**2,
        4 * N**4 - 8 * N**3 + 4 * N**2,
        sizes=small,
    )


def _mixed_rows() -> Iterator[Moments]:
    """Several independent tensors in one invariant."""
    first, second, third = (rt.gaussian(n, n) for _ in range(3))
    t, w = rt.gaussian(n, n, n), rt.gaussian(n, n)
    u, v = rt.gaussian(n), rt.gaussian(n)
    yield Moments(
        "G16",
        "tr (P P^T)^2, product of 2 matrices",
        rt.einsum("ai,ix,bj,jx,bk,ky,al,ly->", *[first, second] * 4),
        3 * N**5 + 3 * N**4 + 3 * N**3,
        300 * N**8 + 888 * N**7 + 2448 * N**6 + 3312 * N**5 + 2940 * N**4 + 1056 * N**3,
        sizes=(8, 16, 32),
    )
    yield Moments(
        "G17",
        "tr (P P^T)^2, product of 3 matrices",
        rt.einsum("ai,ij,jx,bk,kl,lx,bm,mo,oy,ap,pq,qy->", *[first, second, third] * 4),
        4 * N**7 + 6 * N**6 + 12 * N**5 + 5 * N**4,
        1176 * N**12
        + 5744 * N**11
        + 29736 * N**10
        + 84960 * N**9
        + 196120 * N**8
        + 296784 * N**7
        + 306648 * N**6
        + 185280 * N**5
        + 50448 * N**4,
        sizes=(8, 16, 32),
    )
    yield Moments(
        "G18",
        "|T(., u, v)|^2, independent Gaussian vectors",
        rt.einsum("abc,a,b,dec,d,e->", t, u, v, t, u, v),
        N**3,
        6 * N**5 + 12 * N**4 + 8 * N**3,
        sizes=(4, 8, 16),
    )
    yield Moments(
        "G19",
        "(u W u)^2, independent Gaussian vector",
        rt.einsum("ab,a,b,cd,c,d->", w, u, u, w, u, u),
        N**2 + 2 * N,
        2 * N**4 + 32 * N**3 + 128 * N**2 + 144 * N,
        sizes=(8, 16, 32),
    )


#: sizes of the rows whose growth is fitted as well
_RATES = {
    "G2": (2, 4, 8, 16),
    "G4": (4, 8, 16, 32),
    "G8": (4, 8, 16, 32),
    "G10.length": (6, 12, 24, 48),
    "G12": (8, 16, 32, 64),
    "G14": (8, 16, 32, 64),
    "G15": (4, 8, 16, 32),
}


def gaussian(plan: Plan) -> Iterator[Claim]:
    """The means against the polynomials, growth of some, a variance, and negative controls."""
    rows = gaussian_rows()
    for ident, row in rows.items():
        yield plan.exact(row)
        if ident in _RATES:
            # The next term of the GUE is two powers down: even powers of n only.
            yield plan.rate(row, _RATES[ident], correction=2.0 if ident == "G15" else 1.0)
    yield Claim(
        "tetrahedron, variance",
        rows["G2"].quantity,
        id="G3",
        statistic="variance",
        predicted=Exact(rows["G2"].variance),
        source=rows["G2"].source,
        n=[4, 8, 16],
        samples=plan.count(8000),
    )
    wrong: dict[str, Any] = {"expect": "refuted", "statistic": "mean", "source": "negative control"}
    yield Claim(
        "GOE, tr M^4 claimed to be that of the GUE",
        rows["G14"].quantity,
        id="G14.wrong",
        predicted=Exact(rows["G15"].mean, variance=rows["G14"].variance),
        n=[8, 16, 32],
        samples=plan.count(1000),
        **wrong,
    )
    yield Claim(
        "tr (G G^T)^2, entries +-1, claimed to be that of Gaussian entries",
        rows["G20"].quantity,
        id="G20.wrong",
        predicted=Exact(rows["G12"].mean, variance=rows["G20"].variance),
        n=[8, 16, 32],
        samples=plan.count(1000),
        **wrong,
    )
