"""What more samples would make of a fit: sampling errors shrink, what is not known about corrections does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from estimators._single_laws import PRIOR_WIDTH
from estimators.rate_fit import RateFit, SingleFit
from randtensor.errors import InputError

__all__ = ["with_samples"]


def with_samples(fit: RateFit, factor: float) -> RateFit:
    """The fit as it would be with ``factor`` times the samples, were the values the same.

    Each model holds the information of the data, which grows in proportion, and that of the prior on its correction,
    which does not. Where the sizes are too few to see a correction, as two always are, the prior alone limits the
    exponent, and no number of samples takes its interval below what the prior leaves.

    Parameters
    ----------
    fit : fit with errors.
    factor : positive number.

    Raises
    ------
    InputError : a factor that is not positive and finite.

    Examples
    --------
    >>> from estimators import fit_rate
    >>> two, four = ([16, 64], [1.0, 2.0]), ([16, 64, 256, 1024], [1.0, 2.0, 4.0, 8.0])
    >>> fits = [fit_rate(n, values, [0.1 * value for value in values]) for n, values in (two, four)]
    >>> [round(with_samples(fit, 1e6).error / fit.error, 2) for fit in fits]
    [0.98, 0.0]
    """
    if isinstance(factor, bool) or not isinstance(factor, int | float | np.number) or not 0 < factor < math.inf:
        raise InputError(f"factor is {factor!r}, expected a positive number")
    root = math.sqrt(factor)
    retained = [model for model in fit.models if model.weight > 0]
    powers = list(dict.fromkeys(model.correction for model in retained))
    branches = []
    for power, (exponent, deviation) in zip(powers, fit._branches, strict=True):
        members = [model for model in retained if model.correction == power]
        now, then = _variance(members, 1.0), _variance(members, factor)
        # models that differ by the sizes left out differ by sampling noise, too: their scatter shrinks in proportion
        branches.append((exponent, deviation * math.sqrt(then / now) if now > 0 else deviation))
    grown = replace(
        fit,
        errors=fit.errors / root,
        given_errors=None if fit.given_errors is None else fit.given_errors / root,
        _branches=tuple(branches),
    )
    if math.isinf(fit.error):
        return grown
    low, high = grown.interval(0.6826894921370859)
    return replace(grown, error=(high - low) / 2)


def _variance(models: Sequence[SingleFit], factor: float) -> float:
    """Variance of the mean exponent of models of one correction, of which later ones leave out more sizes."""
    total = sum(model.weight for model in models)
    shares = [model.weight / total for model in models]
    each = [_grown(model, factor) for model in models]
    # the covariance of two nested fits is the variance of the one that leaves out less
    return sum(a * b * each[min(i, j)] for i, a in enumerate(shares) for j, b in enumerate(shares))


def _grown(model: SingleFit, factor: float) -> float:
    """Variance of the exponent where the inverse covariance is ``factor`` x that of the data, plus the prior's.

    A change of rank one in the inverse (Sherman & Morrison), which needs no inverse of what may be singular.
    """
    covariance = model._covariance
    lost = (1 - 1 / factor) / PRIOR_WIDTH**2
    left = max(1 - lost * float(covariance[-1, -1]), min(1 / factor, 1.0))
    return float(covariance[1, 1] + lost * covariance[1, -1] ** 2 / left) / factor
