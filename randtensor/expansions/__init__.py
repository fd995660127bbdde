"""Expansions: exact finite sums of coefficients times growth, their quotients, and remainders.

The rules, with their reasons, are in ``docs/expansions.md``.
"""

from randtensor.expansions._expansion import Expansion
from randtensor.expansions._parsing import parse_expansion

__all__ = ["Expansion", "parse_expansion"]
