"""What the options ``--correction`` and ``--log`` of ``randtensor rate`` say."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from randtensor.errors import InputError

__all__ = ["log_power_of", "powers_of"]


def powers_of(text: str) -> Any:
    """What ``--correction`` says.

    >>> powers_of("1"), powers_of("none"), powers_of("1/2, 1")
    (1.0, None, (0.5, 1.0))
    """
    if text.strip().lower() in ("auto", "none"):
        return None if text.strip().lower() == "none" else "auto"
    try:
        powers = tuple(float(Fraction(part.strip())) for part in text.split(","))
    except (ValueError, ZeroDivisionError):
        raise InputError(f"correction is {text!r}, expected 'auto', 'none' or positive powers like 1/2,1") from None
    return powers[0] if len(powers) == 1 else powers


def log_power_of(text: str | None) -> bool | float:
    """What ``--log`` says.

    >>> log_power_of(None), log_power_of("fit"), log_power_of("2")
    (False, True, 2.0)
    """
    if text is None or text == "fit":
        return text is not None
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"log is {text!r}, expected a number, or nothing to fit the power (then after the file)"
        ) from None
