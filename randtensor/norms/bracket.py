"""Two-sided bounds on norms."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from randtensor.errors import InputError
from randtensor.quantity import Draw, Quantity, Sizes
from randtensor.seeding import Seed, root_sequence

__all__ = ["Bracket", "BracketedNorm", "End", "krylov_excess"]

Array = np.ndarray


@dataclass(frozen=True)
class Bracket:
    """Two-sided bounds on norms, one per sample.

    Attributes
    ----------
    lower, upper : the bounds; both hold up to a relative 1e-6 of rounding. Where an upper bound comes from a random
        start, it is infinite if too few steps were possible to say more; it is not a number (nan) where it came out
        below the lower bound by more than rounding, so that it is known to have failed.
    failure : probability, for each sample, that a bound is wrong, over the random starts; 0 if the bounds are certain.
    """

    lower: Array
    upper: Array
    failure: float


class BracketedNorm(Quantity):
    """A norm of which bounds are known on every sample; its own samples are lower bounds unless it is exact."""

    @abstractmethod
    def ends(self, draw: Draw, failure: float) -> tuple[Array, Array, float]:
        """Lower and upper bounds on one draw, and the probability that they fail: at most ``failure``."""

    def bracket(self, n: Any = None, size: int = 1, *, rng: Seed = None, failure: float = 1e-6) -> Bracket:
        """Lower and upper bounds for the samples that ``sample`` returns with the same arguments.

        Parameters
        ----------
        n, size, rng : as for ``sample``.
        failure : probability that may be spent, per sample, on bounds that hold for almost all random starts.

        Raises
        ------
        InputError : ``failure`` is not in (0, 1).

        Examples
        --------
        >>> import randtensor as rt
        >>> n = rt.Scale("n")
        >>> bracket = rt.norm(rt.gaussian(n, n, n)).bracket(8, size=3, rng=0)
        >>> bool((bracket.lower < bracket.upper).all()), bracket.failure
        (True, 0.0)
        """
        ends = _Ends(self, check_failure(failure)).sample(n, size, rng=root_sequence(rng))
        return Bracket(ends[..., 0], ends[..., 1], float(ends[..., 2].max()))

    def lower(self) -> Quantity:
        """The lower end of the bracket as a quantity, on the same samples as the norm itself."""
        return self

    def upper(self, failure: float = 1e-6) -> Quantity:
        """The upper end of the bracket as a quantity, on the same samples as the norm itself.

        Raises
        ------
        InputError : ``failure`` is not in (0, 1).
        """
        return End(self, check_failure(failure), 1)


class _Ends(Quantity):
    """Both ends of a bracket and its probability of failure, along a last axis."""

    def __init__(self, norm: BracketedNorm, failure: float) -> None:
        self.norm, self.failure = norm, failure
        self.scale_names, self.shape = norm.scale_names, (*norm.shape, 3)

    @property
    def fingerprint(self) -> str:
        # That of the norm, on purpose: the ends belong to the same samples.
        return self.norm.fingerprint

    def occurrences(self) -> tuple[object, ...]:
        return self.norm.occurrences()

    def block_length(self, sizes: Sizes) -> int:
        return self.norm.block_length(sizes)

    def evaluate(self, draw: Draw) -> Array:
        lower, upper, failure = self.norm.ends(draw, self.failure)
        return np.stack([lower, upper, np.full_like(lower, failure)], axis=-1)


class End(_Ends):
    """One end of a bracket."""

    def __init__(self, norm: BracketedNorm, failure: float, position: int) -> None:
        super().__init__(norm, failure)
        self.position, self.shape = position, norm.shape

    def describe(self) -> str:
        return f"{('lower', 'upper')[self.position]} bound of the {self.norm.describe()}"

    def evaluate(self, draw: Draw) -> Array:
        lower, upper, _ = self.norm.ends(draw, self.failure)
        return upper if self.position else lower


def check_failure(failure: Any) -> float:
    """A probability in (0, 1).

    Raises
    ------
    InputError : it is not.
    """
    if isinstance(failure, bool) or not isinstance(failure, int | float) or not 0 < failure < 1:
        raise InputError(f"failure is {failure!r}, expected a probability between 0 and 1")
    return float(failure)


def krylov_excess(dimension: int, steps: Array | int, failure: float) -> Array:
    """Factor by which a largest singular value exceeds its Ritz value with probability at most ``failure``.

    The Ritz value is that of a Krylov space of M^T M from a uniformly random start in N dimensions, after k steps. A
    relative gap eps of the largest eigenvalue has probability at most 1.648 sqrt(N) exp(-sqrt(eps) (2k - 1))
    (Kuczynski & Wozniakowski 1992, theorem 4.1(b)); the factor is infinite where that says nothing.

    >>> float(krylov_excess(100, 40, 1e-6).round(3)), float(krylov_excess(100, 2, 1e-6))
    (1.023, inf)
    """
    gap = (np.log(1.648 * np.sqrt(dimension) / failure) / np.maximum(2 * np.asarray(steps) - 1, 1)) ** 2
    return np.where(gap < 1, 1 / np.sqrt(np.maximum(1 - gap, 1e-300)), np.inf)
