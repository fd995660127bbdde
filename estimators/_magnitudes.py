"""From signed values with errors to what a power law is fitted to, and whether that means anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from estimators._power_law import two_sided_quantile
from estimators._single_laws import Array
from randtensor.errors import InputError

__all__ = ["magnitudes_of", "unresolved_reason"]

_RESOLVED = 3.0  # standard errors away from zero, below which the sign of a value is not known


def magnitudes_of(
    signed: Array, errors: Array, dofs: Sequence[float], widths: Array, statistic: str
) -> tuple[Array, Array]:
    """Absolute values and errors for the fit.

    A value nearer to zero than its error says only that the magnitude is at most about that error, so it
    enters as the error with a relative error of one.  Errors with few effective degrees of freedom (heavy
    tails) are widened as Student's quantile widens an interval.
    """
    values = np.abs(signed)
    if not np.all((values > 0) | (errors > 0)):
        at = widths[np.flatnonzero((values == 0) & (errors == 0))[0]]
        raise InputError(f"the {statistic} at n = {at:g} is exactly zero, expected a statistic that scales with n")
    normal = two_sided_quantile(0.95, np.inf)
    student = np.array([two_sided_quantile(0.95, max(dof, 3.0)) for dof in dofs])
    magnitudes = np.maximum(values, errors)
    return magnitudes, np.minimum(errors * student / normal, magnitudes)


def unresolved_reason(widths: Array, values: Array, errors: Array, statistic: str) -> str | None:
    """Why the exponent of these values means little; None if it does not."""
    near = np.abs(values) < _RESOLVED * errors
    if near.any():
        listed = ", ".join(f"{width:g}" for width in widths[near])
        return f"the {statistic} is within {_RESOLVED:g} standard errors of zero at n = {listed}"
    signs = np.sign(values)
    if np.any(signs != signs[0]):
        change = int(np.flatnonzero(signs != signs[0])[0])
        return f"the {statistic} changes sign between n = {widths[change - 1]:g} and n = {widths[change]:g}"
    return None
