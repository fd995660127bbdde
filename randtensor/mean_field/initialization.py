"""Laws of neurons at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import positive_integer
from randtensor.errors import InputError
from randtensor.mean_field.neurons import Neurons
from randtensor.mean_field.risks import digest
from randtensor.mean_field.symmetry import SymmetryGroup
from randtensor.seeding import Seed, root_sequence

__all__ = ["Initialization"]

Array = NDArray[np.float64]


def _sphere(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    b = rng.standard_normal(shape)
    return np.asarray(b / np.linalg.norm(b, axis=-1, keepdims=True))


def _ball(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return _sphere(rng, shape) * rng.random(shape[:-1])[..., None] ** (1 / shape[-1])


def _gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.standard_normal(shape) / shape[-1] ** 0.5)


_LAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "sphere": _sphere,
    "ball": _ball,
    "gaussian": _gaussian,
}


@dataclass(frozen=True, eq=False)
class Initialization:
    """Independent neurons, or orbits of them under a group: a = 1 or -1 by a coin, b by a rotation-invariant law.

    Parameters
    ----------
    dimension : d of the inputs.
    law : "sphere" (b uniform on the unit sphere, so that |a| = |b|), "ball" (uniform in the unit ball), or "gaussian"
        (N(0, I/d)).
    symmetry : a group under whose action the neurons are closed; None for independent neurons. The width counts all of
        them.

    Raises
    ------
    InputError : another law, a group that acts elsewhere; when sampled, a width that is no multiple of the order.

    Examples
    --------
    >>> start = Initialization(3, symmetry=SymmetryGroup.odd(3)).sample(4, rng=0)
    >>> start.b.shape, float(abs(start.b.sum(axis=0)).max()), float(start.a.sum())
    ((4, 3), 0.0, 0.0)
    """

    dimension: int
    law: str = "sphere"
    symmetry: SymmetryGroup | None = None

    def __post_init__(self) -> None:
        positive_integer("dimension", self.dimension)
        if not isinstance(self.law, str) or self.law not in _LAWS:
            raise InputError(f"law is {self.law!r}, expected one of {', '.join(map(repr, _LAWS))}")
        if not isinstance(self.symmetry, SymmetryGroup | None):
            raise InputError(f"symmetry is {self.symmetry!r}, expected a SymmetryGroup or None")
        if self.symmetry is not None and self.symmetry.dimension != self.dimension:
            raise InputError(
                f"symmetry acts in dimension {self.symmetry.dimension}, expected {self.dimension}, that of the inputs"
            )

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the law."""
        group = "" if self.symmetry is None else digest(self.symmetry.matrices, self.symmetry.signs)
        return f"{self.law}:{self.dimension}:{group}"

    def sample(self, width: int, size: int | None = None, *, rng: Seed = None) -> Neurons:
        """``size`` networks of ``width`` neurons each; one, without a leading axis, if it is None.

        Parameters
        ----------
        width : neurons of a network, a multiple of the order of the symmetry.
        size : number of networks.
        rng : integer seed, ``SeedSequence``, ``Generator`` or None.
        """
        generator = rng if isinstance(rng, np.random.Generator) else np.random.default_rng(root_sequence(rng))
        order = 1 if self.symmetry is None else self.symmetry.order
        if size is not None:
            positive_integer("size", size)
        positive_integer("width", width)
        if width % order:
            raise InputError(f"width is {width}, expected a positive multiple of {order}, the order of the symmetry")
        lead = () if size is None else (size,)
        b = _LAWS[self.law](generator, (*lead, width // order, self.dimension))
        a = generator.choice([-1.0, 1.0], size=b.shape[:-1])
        neurons = Neurons(a, b)
        return neurons if self.symmetry is None else self.symmetry.closure(neurons)
