"""What the experiments learn: functions on the unit square around the origin."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from estimators.spectrum.pictures import grey_values, sample_picture

__all__ = ["TARGETS", "centred", "picture", "rough"]

Array = np.ndarray


def rough(points: Array) -> Array:
    """A wave with a step on it: smooth and not, and not centred."""
    x, y = points.T
    return np.asarray(np.sin(2 * np.pi * x) * np.cos(2 * np.pi * y) + 0.5 * (x + y > 0.1) + 0.5)


def centred(points: Array) -> Array:
    """The same minus its mean, so that no energy is that of the constant."""
    return np.asarray(rough(points) - rough(points).mean())


def picture(points: Array) -> Array:
    """Grey values of a sample picture of scikit-learn."""
    return grey_values(_china(), points)


@cache
def _china() -> Array:
    return sample_picture()


TARGETS: dict[str, Callable[[Array], Array]] = {"rough": rough, "centred": centred, "picture": picture}
