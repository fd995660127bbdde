"""Haar matrices and uniform directions: exact quotients of polynomials, and a faulty sampler (claims H)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from randtensor import Expansion
from theory_checks.claims import Claim, Exact, Zero
from theory_checks.suites.random_tensors.plan import SIZE as N
from theory_checks.suites.random_tensors.plan import Moments, Plan, n, real

__all__ = ["entry_rows", "haar", "matrix_rows"]

Array = np.ndarray

a, b = rt.Scale("a"), rt.Scale("b")


def entry_rows() -> dict[str, Moments]:
    """Polynomials of a few entries, sampled from the columns that they need only."""

    @rt.quantity(n, name="|U_11|^4", batch=1000)
    def unitary(size: int, batch: int, rng: np.random.Generator) -> Array:
        squares = rng.standard_exponential((batch, size))
        return np.asarray((squares[:, 0] / squares.sum(axis=1)) ** 2)

    @rt.quantity(n, name="O_11 O_22 O_12 O_21", batch=1000)
    def minors(size: int, batch: int, rng: np.random.Generator) -> Array:
        x, y = rng.standard_normal((2, batch, size))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        y -= np.einsum("ba,ba->b", x, y)[:, None] * x
        return np.asarray(x[:, 0] * x[:, 1] * y[:, 0] * y[:, 1] / np.einsum("ba,ba->b", y, y))

    first = rt.combine(lambda x: x[:, 0] ** 4, rt.sphere(n), name="O_11^4")
    rows = [
        Moments(
            "H1",
            "|U_11|^4 of a unitary matrix",
            unitary,
            2 / (N * (N + 1)),
            24 / (N * (N + 1) * (N + 2) * (N + 3)) - 4 / (N * (N + 1)) ** 2,
        ),
        Moments(
            "H2",
            "O_11^4 of an orthogonal matrix",
            first,
            3 / (N * (N + 2)),
            105 / (N * (N + 2) * (N + 4) * (N + 6)) - 9 / (N * (N + 2)) ** 2,
        ),
        Moments(
            "H3",
            "O_11 O_22 O_12 O_21 of an orthogonal matrix",
            minors,
            -1 / ((N - 1) * N * (N + 2)),
            (N**2 + 4 * N + 15) / ((N - 1) * N * (N + 1) * (N + 2) * (N + 4) * (N + 6))
            - 1 / ((N - 1) * N * (N + 2)) ** 2,
            sizes=(3, 4, 8),
        ),
    ]
    return {row.id: row for row in rows}


def matrix_rows() -> dict[str, Moments]:
    """Invariants of whole matrices."""
    return {row.id: row for row in (*_entry_sums(), *_traces(), *_purities())}


def _entry_sums() -> Iterator[Moments]:
    """All entries at once: the same means as single entries, with far smaller variance."""
    u, o = rt.haar(n, "unitary"), rt.haar(n)
    conj, agree = u.conj(), rt.identity(n, 4)
    sum_of_fourth = "ax,by,cz,dw,abcd,xyzw->"
    yield Moments(
        "H1.matrix",
        "sum of |U_ij|^4",
        rt.combine(lambda x: (np.abs(x) ** 4).sum(axis=(1, 2)), u, name="sum of |U_ij|^4"),
        2 * N / (N + 1),
        4 * (N - 1) / ((N + 1) ** 2 * (N + 3)),
        sizes=(4, 8, 16),
        contraction=rt.einsum(sum_of_fourth, u, u, conj, conj, agree, agree),
    )
    yield Moments(
        "H2.matrix",
        "sum of O_ij^4",
        rt.combine(lambda x: (x**4).sum(axis=(1, 2)), o, name="sum of O_ij^4"),
        3 * N / (N + 2),
        24 * N * (N - 1) / ((N + 1) * (N + 2) ** 2 * (N + 6)),
        sizes=(4, 8, 16),
        contraction=rt.einsum(sum_of_fourth, o, o, o, o, agree, agree),
    )


def _traces() -> Iterator[Moments]:
    u, o = rt.haar(n, "unitary"), rt.haar(n)
    conj = u.conj()
    powers = {1: "aa,bb->", 2: "ab,ba,cd,dc->", 3: "ab,bc,ca,de,ef,fd->"}
    for k, equation in powers.items():
        contraction = rt.einsum(equation, *[u] * k, *[conj] * k)
        # From n = 2 k on |tr U^k|^2 has the second moment of k times an exponential variable.
        yield Moments(
            f"H4.{k}",
            f"|tr U^{k}|^2",
            real(contraction),
            Expansion.of(k),
            Expansion.of(k * k),
            sizes=(2 * k, 4 * k),
            contraction=contraction,
        )
    # Signs in equal number on the diagonal, in dimension 2 n.
    signs = rt.block(rt.identity(n), -rt.identity(n))
    v = rt.haar(2 * n, "unitary")
    adjoint = v.conj()
    word = [signs, v, signs, adjoint] * 2
    spread = 32 * N**2 * (4 * N**4 - 9 * N**2 + 3) / ((4 * N**2 - 1) ** 2 * (4 * N**2 - 9))
    for ident, name, equation, mean, sizes in (
        ("H5", "|tr A U B U*|^2", "ab,bc,cd,ad,ef,fg,gh,eh->", 4 * N**2 / (4 * N**2 - 1), (2, 4, 8)),
        ("H6", "tr A U B U* A U B U*", "ab,bc,cd,ed,ef,fg,gh,ah->", -2 * N / (4 * N**2 - 1), (2, 4)),
    ):
        contraction = rt.einsum(equation, *word)
        yield Moments(
            ident,
            f"{name}, signs A and B of trace zero, dimension 2 n",
            real(contraction),
            mean,
            spread,
            sizes=sizes,
            contraction=contraction,
        )
    yield Moments("H8", "(tr O)^2", rt.einsum("aa,bb->", o, o), Expansion.of(1), Expansion.of(2), sizes=(4, 8, 16))


def _purities() -> Iterator[Moments]:
    """A uniform pure state of two systems: purity of the state of one of them."""
    sizes = ({"a": 2, "b": 2}, {"a": 3, "b": 5}, {"a": 6, "b": 6})
    x, y = Expansion.of(a), Expansion.of(b)
    whole = x * y
    state = rt.sphere(a, b)
    yield Moments(
        "H7.real",
        "purity of a reduced real state, dimensions a and b",
        rt.einsum("ax,bx,by,ay->", state, state, state, state),
        (x + y + 1) / (whole + 2),
        4 * (x - 1) * (x + 2) * (y - 1) * (y + 2) / ((whole + 2) ** 2 * (whole + 4) * (whole + 6)),
        sizes=sizes,
    )
    yield Moments(
        "H7",
        "purity of a reduced state, dimensions a and b",
        rt.combine(_purity, rt.complex_gaussian(a, b), name="purity"),
        (x + y) / (whole + 1),
        2 * (x**2 - 1) * (y**2 - 1) / ((whole + 1) ** 2 * (whole + 2) * (whole + 3)),
        sizes=sizes,
    )


def _purity(state: Array) -> Array:
    """Of states that are not normalised."""
    reduced = np.matmul(state, np.conj(state).swapaxes(1, 2))
    length = np.trace(reduced, axis1=1, axis2=2).real
    return np.asarray((np.abs(reduced) ** 2).sum(axis=(1, 2)) / length**2)


def haar(plan: Plan) -> Iterator[Claim]:
    """Means against the quotients, small sizes, and what a sampler without the sign of R does."""
    # The means of H3 and H6 are 1/n of their deviations: they cancel.
    for ident, row in {**entry_rows(), **matrix_rows()}.items():
        yield plan.exact(row, within=0.1 if ident in ("H1", "H2", "H3", "H4.1", "H4.2", "H4.3", "H6", "H8") else 0.05)
    rows = matrix_rows()
    yield Claim(
        "|tr U^3|^2 is n below n = 3",
        rows["H4.3"].quantity,
        id="H4.small",
        statistic="mean",
        predicted=Exact(lambda size: min(3, size), within=0.1),
        source="Diaconis & Evans 2001",
        n=[2, 3, 4],
        samples=plan.count(8000),
    )
    wrong: dict[str, Any] = {"expect": "refuted", "source": "negative control"}
    yield Claim(
        "tr A U B U* A U B U* claimed to vanish, as free variables do in the limit",
        rows["H6"].quantity,
        id="H6.wrong",
        predicted=Zero(),
        n=[2, 3],
        samples=plan.count(8000),
        **wrong,
    )
    orthogonal = rt.haar(n)
    yield Claim(
        "tr O, orthogonal matrix",
        rt.einsum("aa->", orthogonal),
        id="H8.trace",
        predicted=Zero(within=0.1),
        source="derived; O and -O have one law",
        n=[4, 8, 16],
        samples=plan.count(4000),
    )
    yield Claim(
        "(tr Q)^2, QR without the sign of R",
        _uncorrected(2),
        id="H8.wrong",
        statistic="mean",
        predicted=Exact(1),
        n=[8, 16],
        samples=plan.count(2000),
        note="Mezzadri 2007 (math-ph/0609050): LAPACK's choice of signs leaks into Q",
        **wrong,
    )
    yield Claim(
        "tr Q, QR without the sign of R",
        _uncorrected(1),
        id="H8.trace.wrong",
        predicted=Zero(),
        n=[4, 8, 16],
        samples=plan.count(2000),
        note="Mezzadri 2007 (math-ph/0609050): LAPACK's choice of signs leaks into Q",
        **wrong,
    )


def _uncorrected(power: int) -> rt.Quantity:
    """A power of the trace of Q in Z = Q R, whose columns have the signs that LAPACK gave them."""

    @rt.quantity(n, name=f"(tr Q)^{power}, uncorrected", batch=50)
    def faulty(size: int, batch: int, rng: np.random.Generator) -> Array:
        q = np.linalg.qr(rng.standard_normal((batch, size, size)))[0]
        return np.asarray(np.trace(q, axis1=1, axis2=2) ** power)

    return faulty
