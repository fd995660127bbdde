"""The interval that a verdict on an exponent goes by."""

from __future__ import annotations

from estimators._power_law import two_sided_quantile
from estimators.rate_fit import RateFit, digits_for

__all__ = ["decisive_interval", "fit_text"]


def decisive_interval(fit: RateFit, level: float = 0.95) -> tuple[float, float]:
    """The interval of the exponent, at twice the quantile where no model fits the values.

    Errors enlarged until the best model fits say how far the values are from it, and not how far its exponent is
    from the true one. So verdicts take twice the quantile then, and what is printed is what they take.

    Examples
    --------
    >>> from estimators import fit_rate
    >>> n, values = [8, 16, 32, 64, 128, 256], [8.0, 19.0, 30.0, 66.0, 125.0, 261.0]
    >>> good, poor = (fit_rate(n, values, [share * value for value in values]) for share in (0.1, 1e-3))
    >>> poor.poor_fit, decisive_interval(good) == good.interval(), decisive_interval(poor)[0] < poor.interval()[0]
    (True, True, True)
    """
    if not fit.poor_fit:
        return fit.interval(level)
    from scipy.special import ndtr

    return fit.interval(max(1 - 2 * float(ndtr(-2 * two_sided_quantile(level, float("inf")))), 1e-12))


def fit_text(fit: RateFit) -> str:
    """The fit on one line, with the interval that decides."""
    if not fit.poor_fit:
        return str(fit)
    low, high = decisive_interval(fit)
    digits = digits_for(low, high)
    return (
        f"exponent {fit.exponent:.{digits}g} ± {fit.error:.2g}, 95 % interval ({low:.{digits}g}, {high:.{digits}g}) "
        "at twice the quantile (no model fits, p < 0.001)"
    ) + "".join(f" ({note})" for note in fit.notes)
