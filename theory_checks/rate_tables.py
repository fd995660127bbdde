"""A fitted rate in the terminal: exponent and interval, models, sensitivity to the smallest size, local slopes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from estimators._decisive import decisive_interval
from estimators.rate_fit import digits_for
from theory_checks.rate_file import RateTable

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["rate_report"]


def rate_report(found: RateTable) -> RenderableType:
    """What ``randtensor rate`` prints."""
    from rich.console import Group
    from rich.text import Text

    fit = found.fit
    if found.reason is None:
        lines = [Text(_headline(found), style="bold")]
    else:
        lines = [Text(f"unresolved: {found.reason}, so that no exponent is given", style="bold yellow")]
    if found.reason is None:
        if fit.log_exponent is not None and fit.log_exponent_error:
            lines.append(Text(f"power of log n {fit.log_exponent:.3g} ± {fit.log_exponent_error:.2g}"))
        lines.append(Text(_told(found)))
        lines += [Text(_in_terminal(note), style="yellow") for note in fit.notes]
    if found.heavy_tailed:
        sizes = ", ".join(f"{size:g}" for size in found.heavy_tailed)
        lines.append(
            Text(f"heavy tails at n = {sizes}: a few samples carry the variance, use quantiles", style="yellow")
        )
    if fit.poor_fit and found.reason is None:
        text = "no model fits the values (p < 0.001): errors enlarged, interval at twice the quantile"
        lines.append(Text(text, style="yellow"))
    if math.isinf(fit.error):
        lines.append(Text("too few sizes to estimate an error: give a column stderr, or more sizes", style="yellow"))
    if found.reason is not None:
        return Group(*lines, "", _data(found))
    return Group(*lines, "", _data(found), _models(found))


def _headline(found: RateTable) -> str:
    fit = found.fit
    low, high = decisive_interval(fit)
    digits = digits_for(low, high)
    return f"exponent {fit.exponent:.{digits}g}, 95 % interval [{low:.{digits}g}, {high:.{digits}g}]"


def _in_terminal(note: str) -> str:
    """A note of `estimators.RateFit` with the options of the command for the arguments of the function."""
    return note.replace("log_power=", "--log=")


def _told(found: RateTable) -> str:
    fit = found.fit
    stated = fit.correction
    if stated is None:
        text = "fitted without correction: the interval knows the sampling error only"
    else:
        powers = sorted({model.correction for model in fit.models if model.correction is not None})
        text = "fitted with 1 + c n^-w for w = " + ", ".join(f"{power:g}" for power in powers)
        if stated != "auto" and not fit.hedged:
            text += " (trusted)"
    if fit.log_exponent is not None and not fit.log_exponent_error:
        text += f", times (log n)^{fit.log_exponent:g}"
    return f"{text}; {len(fit.n)} sizes from {fit.n[0]:g} to {fit.n[-1]:g}"


def _data(found: RateTable) -> RenderableType:
    """Values and the slope between each size and the one before, where both have one sign."""
    from rich.table import Table

    table = Table(title="values and local slopes", title_justify="left")
    for name in ("n", found.statistic, "standard error", "slope from the size before", "residual"):
        table.add_column(name, justify="right")
    fit = found.fit
    slopes = [None, *fit.local_exponents.tolist()]
    residuals = fit.residuals
    for i, size in enumerate(fit.n):
        slope = slopes[i] if i and found.values[i] * found.values[i - 1] > 0 else None
        error = None if found.errors is None else found.errors[i]
        table.add_row(
            f"{size:g}",
            f"{found.values[i]:.6g}",
            "" if error is None else f"{error:.2g}",
            "" if slope is None else _with_error(slope[1], slope[2]),
            f"{residuals[i]:+.2f}" if found.reason is None and math.isfinite(residuals[i]) else "",
        )
    return table


def _models(found: RateTable) -> RenderableType:
    """The sensitivity table: the exponent by correction and smallest size."""
    from rich.table import Table

    table = Table(title="models: sensitivity to the correction and to the smallest size", title_justify="left")
    for name in ("correction", "smallest n", "exponent", "chi-square / dof", "weight"):
        table.add_column(name, justify="left" if name == "correction" else "right")
    for model in found.fit.models:
        table.add_row(
            "none" if model.correction is None else f"1 + c n^-{model.correction:g}",
            f"{model.n_min:g}",
            _with_error(model.exponent, model.error),
            f"{model.chi2:.3g} / {model.dof}",
            f"{model.weight:.2f}" if model.weight > 0 else "-",
            style=None if model.weight >= 0.005 else "dim",
        )
    return table


def _with_error(value: float, error: float) -> str:
    """Four decimals, or as many more as the second digit of the error takes.

    >>> _with_error(-1.0, 0.02), _with_error(-1.0, 3.2e-8), _with_error(-1.0, math.inf)
    ('-1.0000 ± 0.02', '-1.000000000 ± 3.2e-08', '-1.0000 ± ?')
    """
    if not math.isfinite(error):
        return f"{value:.4f} ± ?"
    decimals = 4 if error == 0 else min(max(4, 1 - math.floor(math.log10(error))), 15)
    return f"{value:.{decimals}f} ± {error:.2g}"
