"""The power of the leading correction at finite size, where it can be derived."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from randtensor.derivative_contraction import DerivativeContraction
from randtensor.derivatives import DerivativeTensor
from randtensor.errors import ExactError, RandtensorError
from randtensor.expansions import Expansion
from randtensor.norms.derivative_norms import DerivativeNorm, FrobeniusNorm
from randtensor.prediction.function_class import function_class

if TYPE_CHECKING:
    from randtensor.quantity import Quantity

__all__ = ["correction_power"]


def correction_power(quantity: Quantity, statistic: str = "rms") -> Fraction | None:
    """The power w of the correction 1 + c n^-w to the growth of a statistic.

    From the exact moment, where there is one: w is the gap between its two leading terms (a root keeps the gap). Else
    from parity: the sizes of correlations of a network whose law does not change with the sign of its read-out differ
    by whole powers of the width (Dyer & Gur-Ari 2019, arXiv 1909.11304), those of one with a skewed read-out by powers
    of its square root.

    Parameters
    ----------
    quantity : with one scale.
    statistic : its name; "mean", "rms", "std" and "variance" may have exact moments, all others follow from parity.

    Returns
    -------
    The power; None where the exact moment is a single power, so that there is no correction.

    Raises
    ------
    ExactError : neither rule applies.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> G = rt.gaussian(n, n)
    >>> print(correction_power(rt.einsum("ab,bc,cd,da->", G, G.T, G, G.T), "mean"))
    1
    >>> f = rt.networks.two_layer(inputs=2, width=n, activation="softplus", readout="exponential")
    >>> print(correction_power(rt.correlation(f, 0, 2, [1.0, 0.0], [0.6, 0.8]), "L1"))
    1/2
    """
    try:
        return _gap(_moment(quantity, statistic))
    except RandtensorError:
        return _from_parity(quantity)


def _moment(quantity: Quantity, statistic: str) -> Expansion:
    from randtensor.exact.moments import second_moment

    if statistic == "mean":
        found: Any = quantity.expectation()
    elif statistic == "rms":
        found = second_moment(quantity)
    elif statistic in ("std", "variance"):
        found = quantity.variance()
    else:
        raise ExactError(f"statistic is {statistic!r}, expected one with an exact moment")
    return Expansion.of(found)


def _gap(moment: Expansion) -> Fraction | None:
    if len(moment.scales) != 1 or moment.remainder is not None:
        raise ExactError(f"the moment {moment} is not an exact expansion in one scale")
    (scale,) = moment.scales
    terms = moment.expand(terms=2).terms
    powers = sorted((Fraction(term.order.exponents(scale).power) for term in terms), reverse=True)
    if len(powers) < 2:
        return None
    return powers[0] - powers[1]


def _from_parity(quantity: Any) -> Fraction:
    if isinstance(quantity, DerivativeNorm | FrobeniusNorm):
        quantity = quantity.tensor
    if isinstance(quantity, DerivativeTensor):
        quantity = quantity.contraction()
    if not isinstance(quantity, DerivativeContraction):
        raise ExactError(f"quantity is {quantity!r}, expected one with exact moments or a contraction of derivatives")
    symmetric = all(function_class(t.function, t.x.shape).symmetric for t in quantity.tensors)
    return Fraction(1) if symmetric else Fraction(1, 2)
