"""Fits of growth laws whose exponents are fixed: how well each candidate order follows measured values.

The law is ``log T = log C + a log n + b log log n + h(u)`` with one correction to scaling

    h(u) = beta log(1 + (e^(u / beta) - 1) rho(n)),        rho(n_0) = 1 at the smallest size n_0,

either ``rho = (n / n_0)^-w`` with ``beta = 1``, which is 1 + c n^-w, or ``rho = log n_0 / log n`` with ``beta = b``,
which is another unit inside the logarithm, (log n + kappa)^b.  In both, u is the logarithm of the factor by which the
correction changes the smallest size.  See docs/identify_order.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimators._single_laws import CUT_PENALTY, Array

__all__ = ["LOG_UNIT", "Array", "Model", "ModelFits", "corrected", "fit_orders", "models_for"]

#: the correction that changes the unit inside the logarithm
LOG_UNIT = "log"

_GRID = np.linspace(-3.0, 3.0, 42).reshape(6, 7)
_POLISHING_STEPS = 10
_FURTHEST = 5.0
_MOST_CUTS = 12  # many sizes lie close together: leaving out more is the price of a fit, and tells little


@dataclass(frozen=True)
class Model:
    """One form of the correction (a power w, or `LOG_UNIT`), and how many of the smallest sizes are left out."""

    correction: float | str
    cut: int


@dataclass(frozen=True, eq=False)
class ModelFits:
    """Fits of M models to K candidates; a free exponent is measured from that of the candidate."""

    criterion: Array  # (M, K) chi-square + u^2 + price of the sizes left out
    chi2: Array  # (M, K)
    amplitude: Array  # (M, K) the u of the module's text
    linear: Array  # (M, K, 1 or 2): log C, [a]
    deviation: Array  # (M, K) of the last linear coefficient


def models_for(sizes: int, powers: tuple[float, ...], logarithms: bool) -> list[Model]:
    """Every correction on all sizes and without the smallest ones, as long as four sizes are left; at most 12."""
    kinds: list[float | str] = [*powers, *([LOG_UNIT] if logarithms else [])]
    return [Model(kind, cut) for kind in kinds for cut in range(min(max(sizes - 3, 1), _MOST_CUTS + 1))]


def fit_orders(
    log_n: Array, targets: Array, log_exponents: Array, errors: Array, models: list[Model], *, free: bool
) -> ModelFits:
    """Weighted least squares of ``log C [+ a log n] + h(u)`` to ``targets``, with u ~ N(0, 1).

    Parameters
    ----------
    log_n, errors : shape (m,): logarithms of the sizes, ascending, and relative errors of the values.
    targets : shape (K, m): logarithms of the values less those of the candidates.
    log_exponents : shape (K,): the b of each candidate.
    free : whether a is fitted too.
    """
    columns = [np.ones_like(log_n), log_n][: 1 + free]
    kept = np.stack([np.arange(len(log_n)) >= model.cut for model in models])[:, None, :]
    weights = kept / errors  # (M, 1, m): a size left out has weight zero
    basis, triangle = np.linalg.qr(weights[..., None] * np.stack(columns, -1))  # (M, 1, m, p)
    rho, beta = _shapes(log_n, log_exponents, models)  # (M, K, m), (M, K)
    data = weights * targets  # (M, K, m)

    def residual(v: Array) -> Array:  # what the linear columns cannot follow; v is (M, K, J, m)
        return np.asarray(v - (v @ basis) @ basis.swapaxes(-1, -2))

    weights_, rho_, beta_, data_ = weights[:, :, None], rho[:, :, None], beta[:, :, None], data[:, :, None]

    def objective(u: Array) -> Array:  # u is (M, K, J)
        left = residual(data_ - weights_ * _correction(u, rho_, beta_)[0])
        return np.asarray(np.square(left).sum(-1) + np.square(u))

    # precise data make narrow valleys, and the lowest need not hold the best point of a grid: polish one per stretch
    grid = np.broadcast_to(_GRID.ravel(), (*rho.shape[:-1], _GRID.size))
    scanned = objective(grid).reshape(*rho.shape[:-1], *_GRID.shape)
    u = _GRID[np.arange(len(_GRID)), scanned.argmin(-1)]
    for _ in range(_POLISHING_STEPS):
        value, slope = _correction(u, rho_, beta_)
        left, along = residual(data_ - weights_ * value), residual(weights_ * slope)
        bend = weights_ * slope * (1 - slope) / beta_[..., None]
        gauss = np.square(along).sum(-1) + 1
        newton = gauss - (left * bend).sum(-1)
        # Newton where the valley is convex: Gauss-Newton alone creeps where the law fits badly
        step = ((left * along).sum(-1) - u) / np.where(newton > 0.2 * gauss, newton, gauss)
        u = np.clip(u + np.clip(step, -0.3, 0.3), -_FURTHEST, _FURTHEST)
    u = np.take_along_axis(u, objective(u).argmin(-1)[..., None], -1)[..., 0]

    value, slope = _correction(u, rho, beta)
    target = data - weights * value
    chi2 = np.square(residual(target[:, :, None])).sum((-1, -2))
    projected = (target[..., None, :] @ basis).swapaxes(-1, -2)
    linear = np.linalg.solve(np.broadcast_to(triangle, (*rho.shape[:-1], *triangle.shape[-2:])), projected)[..., 0]
    return ModelFits(
        criterion=chi2 + np.square(u) + CUT_PENALTY * np.array([[model.cut] for model in models]),
        chi2=chi2,
        amplitude=u,
        linear=linear,
        deviation=_deviation(weights * slope, basis, triangle),
    )


def corrected(log_n: Array, smallest: float, log_exponent: float, correction: float | str, amplitude: float) -> Array:
    """The correction h at sizes ``log_n``, in the unit of the smallest size measured."""
    ends = np.concatenate([[smallest], log_n])
    rho, beta = _shapes(ends, np.array([log_exponent]), [Model(correction, 0)])
    return _correction(np.array(amplitude), rho[0, 0, 1:], np.array(beta[0, 0]))[0]


def _shapes(log_n: Array, log_exponents: Array, models: list[Model]) -> tuple[Array, Array]:
    """rho (M, K, m) and beta (M, K); a candidate without logarithm has no unit inside one, so that rho = 0."""
    has_log = log_exponents != 0
    rho = np.empty((len(models), len(log_exponents), len(log_n)))
    beta = np.ones((len(models), len(log_exponents)))
    for i, model in enumerate(models):
        if isinstance(model.correction, str):
            rho[i] = has_log[:, None] * (log_n[0] / log_n)
            beta[i] = np.where(has_log, log_exponents, 1.0)
        else:
            rho[i] = np.exp(-model.correction * (log_n - log_n[0]))
    return rho, beta


def _correction(u: Array, rho: Array, beta: Array) -> tuple[Array, Array]:
    """h and its derivative by u."""
    scaled = (u / beta)[..., None]
    shift = np.expm1(scaled) * rho
    return np.asarray(beta[..., None] * np.log1p(shift)), np.asarray(np.exp(scaled) * rho / (1 + shift))


def _deviation(slope: Array, basis: Array, triangle: Array) -> Array:
    """Standard deviation of the last linear coefficient, that of u and its prior included."""
    along = (slope[..., None, :] @ basis)[..., 0, :]  # (M, K, p)
    rest = np.square(slope).sum(-1) - np.square(along).sum(-1)
    own = 1 / np.square(triangle[..., -1, -1])  # the triangle's last row holds the last coefficient alone
    shared = np.square(along[..., -1]) * own / (np.maximum(rest, 0.0) + 1)
    return np.asarray(np.sqrt(own + shared))
