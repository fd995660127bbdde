"""Averages over one-dimensional laws by quadrature, split where activations have kinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from randtensor.errors import ExactError

__all__ = ["integrate_continuous", "integrate_density"]

Array = np.ndarray
RealFunction = Callable[[Array], Array]

_NODES = 20
_PANELS = tuple(2**k for k in range(4, 13))


def integrate_density(
    function: RealFunction, density: RealFunction, breaks: Sequence[float], tails: Sequence[int], name: str
) -> float:
    """The integral of function times density by Gauss-Legendre rules on panels that shrink until it is stationary.

    Parameters
    ----------
    breaks : ends of the range and the points at which the integrand may be non-smooth.
    tails : the ends (0 for the first, -1 for the last) at which a tail is cut off: the integrand must have died out
        there.

    Raises
    ------
    ExactError : the integral does not converge to twelve digits of the integral of the absolute value.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    previous = np.inf
    with np.errstate(all="ignore"):
        for panels in _PANELS:
            edges = np.concatenate([np.linspace(a, b, panels + 1) for a, b in pairwise(breaks)])
            left, right = edges[:-1, None], edges[1:, None]
            x = ((left + right) / 2 + (right - left) / 2 * nodes).ravel()
            values = function(x) * density(x)
            if not np.isfinite(values).all():
                break
            terms = values * ((right - left) / 2 * weights).ravel()
            total, size = float(terms.sum()), float(np.abs(terms).sum())
            if any(abs(values[end]) > 1e-13 * np.abs(values).max() for end in tails):
                break
            if abs(total - previous) <= 1e-13 * size:
                return total
            previous = total
    raise ExactError(f"the mean of a function of the law {name} is not found by quadrature, expected a finite integral")


def integrate_continuous(function: RealFunction, distribution: Any, name: str) -> float:
    """The same for any SciPy distribution with a density, adaptively.

    Raises
    ------
    ExactError : the integral is not found to nine digits.
    """
    import warnings

    from scipy.integrate import quad

    if not hasattr(distribution, "pdf") or not hasattr(distribution, "support"):
        raise ExactError(f"the density of {name} is not known, expected a SciPy distribution")
    low, high = map(float, distribution.support())
    quantile = getattr(distribution, "ppf", None) or distribution.icdf
    inner = {0.0, *(float(quantile(p)) for p in (1e-6, 0.01, 0.25, 0.5, 0.75, 0.99, 1 - 1e-6))}
    points = [low, *sorted(p for p in inner if low < p < high), high]

    def integrand(x: float) -> float:
        at = np.array([x])
        return float(function(at)[0] * distribution.pdf(at)[0])

    total = error = size = 0.0
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for a, b in pairwise(points):
            part, uncertainty = quad(integrand, a, b, epsabs=1e-14, epsrel=1e-12, limit=400)
            total, error, size = total + part, error + uncertainty, size + abs(part)
    if not np.isfinite(total) or error > 1e-9 * size:
        raise ExactError(f"the mean of a function of {name} is not found by quadrature, expected a finite integral")
    return total
