"""Comparison of two orders in one word."""

from __future__ import annotations

from typing import Literal

from randtensor.orders._asymptotic import Asymptotic
from randtensor.orders._exact import Number
from randtensor.orders._order import growth_of

__all__ = ["compare"]


def compare(a: Asymptotic | Number | str, b: Asymptotic | Number | str) -> Literal["<", "=", ">"] | None:
    """How two orders compare when all scales go to their limits independently.

    Parameters
    ----------
    a, b : orders, scales, terms (whose coefficients do not matter), numbers or texts.

    Returns
    -------
    ``"<"`` if a / b -> 0, ``"="`` if they are the same class, ``">"`` if b / a -> 0, None otherwise. None
    does not exclude ``a <= b``: n = O(n + m), but n / (n + m) has no limit.

    Raises
    ------
    OrderError : an argument has no growth class, or one name stands for scales of different direction.

    Examples
    --------
    >>> from randtensor.orders import Scale
    >>> n, m = Scale("n"), Scale("m")
    >>> compare(n**-1, n**-0.5), compare(2 * n, n), compare(n, m)
    ('<', '=', None)
    """
    first, second = growth_of(a, "a"), growth_of(b, "b")
    if first < second:
        return "<"
    if first > second:
        return ">"
    return "=" if first == second else None
