"""Facts about norms of tensors, and the converse toys that show what the norms do not say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

import randtensor as rt
from theory_checks.claims import Claim, Exact, Identity
from theory_checks.suites.weak_correlations.plan import DERIVED, SOURCE, Plan, n

__all__ = ["norm_facts", "toys"]

Array = np.ndarray


def _spectral(matrices: Array) -> Array:
    return np.asarray(np.linalg.norm(matrices, ord=2, axis=(-2, -1)))


def _chain(m: Array) -> Array:
    """Largest violation of max entry <= norm <= Frobenius norm <= sqrt(n) norm."""
    norm, frobenius = _spectral(m), np.sqrt((m**2).sum(axis=(1, 2)))
    chain = [np.abs(m).max(axis=(1, 2)), norm, frobenius, np.sqrt(m.shape[1]) * norm]
    return np.asarray(np.max([a / b - 1 for a, b in pairwise(chain)], axis=0))


def _slice(m: Array) -> Array:
    """By how much a row, or a product with a unit vector, exceeds the norm."""
    rows = np.sqrt((m**2).sum(axis=2)).max(axis=1)
    uniform = np.sqrt((m.mean(axis=2) ** 2).sum(axis=1) * m.shape[1])
    return np.asarray(np.maximum(rows, uniform) / _spectral(m) - 1)


def _blocks(m: Array) -> Array:
    """By how much the norm exceeds that of its two column blocks, added in quadrature."""
    half = m.shape[2] // 2
    parts = np.hypot(_spectral(m[:, :, :half]), _spectral(m[:, :, half:]))
    return np.asarray(_spectral(m) / parts - 1)


def _block_diagonal(m: Array) -> Array:
    """Whether diag(A, 2 A) has norm 2 |A|."""
    zero = np.zeros_like(m)
    whole = np.concatenate([np.concatenate([m, zero], axis=2), np.concatenate([zero, 2 * m], axis=2)], axis=1)
    return np.asarray(np.abs(_spectral(whole) / (2 * _spectral(m)) - 1))


def norm_facts(plan: Plan) -> Iterator[Claim]:
    """Inequalities and identities that hold for every tensor, on random ones."""
    sizes: dict[str, Any] = {"n": [8, 32, 128], "samples": [64, 32, 16]}
    facts = (
        ("N2", "largest entry <= norm <= Frobenius norm <= sqrt(n) norm", _chain),
        ("N3", "rows and products with unit vectors are below the norm", _slice),
        ("N4", "norm <= norms of column blocks, in quadrature", _blocks),
        ("N5", "a block-diagonal norm is the largest of its blocks", _block_diagonal),
    )
    for ident, name, function in facts:

        @rt.quantity(n, name=f"violation of {ident}", batch=8)
        def violation(size: int, batch: int, rng: np.random.Generator, function: Any = function) -> Array:
            return np.asarray(np.maximum(function(rng.standard_normal((batch, size, size))), 0.0))

        yield Claim(name, violation, id=ident, predicted=Identity(1e-12), source=DERIVED, **sizes)
    yield Claim(
        "merging indices: the identity has norm 1 as a matrix and sqrt(n) as a vector",
        rt.norm(rt.identity(n), "frobenius"),
        id="N6",
        statistic="mean",
        predicted=Exact(n**0.5),
        source=DERIVED,
        **sizes,
    )


def toys(plan: Plan) -> Iterator[Claim]:
    """F = g.theta + theta.A theta / 2 at theta = 0, with |A| of order n^-1/2: aligned or not decides."""
    sizes: dict[str, Any] = {"n": [64, 256, 1024, 4096], "samples": [4000, 2000, 1000, 1000]}
    x = [0.0]

    @rt.program(t=rt.gaussian(n, std=0), A=rt.goe(n))
    def generic(p: Any, x: Any) -> Any:
        # Entry variance (1 + delta_ij) / (4 n M) at M = n.
        return rt.sum(p.t) / n**0.5 + p.t @ (p.A @ p.t) / (4 * n)

    @rt.program(t=rt.gaussian(n, std=0))
    def aligned(p: Any, x: Any) -> Any:
        along = rt.sum(p.t) / n**0.5
        return along + rt.square(along) / (2 * n**0.5)

    yield Claim(
        "toy with generic curvature: C^(0,2) is (8 M n)^(-1/2), M = n",
        rt.correlation(generic, 0, 2, x, x),
        id="W18.generic",
        predicted=Exact(lambda size: (8 * size * size) ** -0.5),
        source=SOURCE,
        **sizes,
    )
    yield Claim(
        "toy with generic curvature: |C^(1,1)| is (1 + 1/n)^(1/2) M^(-1/2) / 2",
        rt.norm(rt.correlation(generic, 1, 1, x, x)),
        id="W18.vector",
        predicted=Exact(lambda size: 0.5 * size**-0.5 * (1 + 1 / size) ** 0.5),
        source=SOURCE,
        **sizes,
    )
    yield Claim(
        "toy with aligned curvature of the same norm: C^(0,2) is M^(-1/2) / 2",
        rt.correlation(aligned, 0, 2, x, x),
        id="W18.aligned",
        statistic="mean",
        predicted=Exact(lambda size: 0.5 * size**-0.5),
        source=SOURCE,
        **sizes,
    )
