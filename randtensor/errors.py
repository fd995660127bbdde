"""The exceptions the library raises.

Every message is one sentence that names the argument, the value it had and what was expected.
"""

from __future__ import annotations

__all__ = [
    "ActivationError",
    "EquationError",
    "ExactError",
    "InfiniteMomentError",
    "InputError",
    "OrderError",
    "RandtensorError",
    "ShapeError",
    "StoreError",
    "WorkersError",
]


class RandtensorError(ValueError):
    """Base class: a request that cannot be honoured as it was written."""


class OrderError(RandtensorError):
    """An order, bound or scale that is ill-formed, or compared where it cannot be."""


class ShapeError(RandtensorError):
    """A size or shape that is not positive, not known at the given scales, or does not fit its neighbour."""


class EquationError(RandtensorError):
    """An einsum equation that does not match its factors."""


class ActivationError(RandtensorError):
    """An activation that is not known, or is not differentiable as often as asked."""


class ExactError(RandtensorError):
    """An exact expectation that no rule covers, or that is too large to be found."""


class InfiniteMomentError(ExactError):
    """An expectation that does not exist, because a moment of a law is infinite."""


class InputError(RandtensorError):
    """Data from outside (an array, a file, an option) that cannot be used."""


class StoreError(RandtensorError):
    """A run store that cannot be read, written, or trusted: a foreign or damaged file, a full disk, other bits."""


class WorkersError(RandtensorError):
    """Workers that were lost or would draw other bits; what was finished before is in the run store, if any."""
