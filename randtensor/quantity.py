"""Quantities: whatever has a law at each size of its scales, and can be sampled there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor._blas import single_threaded_blas
from randtensor.errors import InputError, ShapeError
from randtensor.seeding import Seed, array_kind, block_generator, root_sequence

if TYPE_CHECKING:
    from randtensor.orders import Bound
    from randtensor.prediction.derivation import Derivation

__all__ = ["Draw", "Quantity", "Sizes", "resolve_sizes", "usual_block_length"]

Sizes = Mapping[str, int]


class Draw:
    """The randomness of one block of samples: each random object met is drawn once and then remembered.

    Everything evaluated on one draw shares the same random objects, so a matrix that occurs in two contractions is the
    same matrix in both.

    Parameters
    ----------
    sizes : mapping from scale name to its integer size.
    batch : number of independent samples in the block.
    generator : source of the block's randomness.
    """

    def __init__(self, sizes: Sizes, batch: int, generator: np.random.Generator) -> None:
        self.sizes = dict(sizes)
        self.batch = batch
        self.generator = generator
        self._memory: dict[Any, Any] = {}

    @property
    def like(self) -> np.ndarray | None:
        """An array of the kind that is drawn, for ``like=`` of NumPy's constructors; None for NumPy's own."""
        return array_kind(self.generator)

    def remember(self, key: Any, make: Any) -> Any:
        """The object stored under ``key``; made by ``make()`` the first time it is asked for."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    def recall(self, key: Any) -> Any:
        """The object stored under ``key``, or None if it was never made."""
        return self._memory.get(key)

    def __enter__(self) -> Draw:
        return self

    def __exit__(self, *exception: object) -> None:
        # Remembered objects refer back to the draw: without this, gigabytes would wait for the garbage collector.
        self._memory.clear()


class Quantity(ABC):
    """A random scalar, or array of fixed shape, with a law at each size of its scales."""

    #: names of the scales on which the law depends
    scale_names: tuple[str, ...] = ()
    #: shape of one sample
    shape: tuple[int, ...] = ()
    #: whether ``shape`` is known before a sample is drawn
    shape_known: bool = True
    #: independent unbiased estimates per sample, on a further last axis of ``evaluate`` when there are several
    probes: int = 1
    #: whether only squares of samples are unbiased, as for a norm whose square is estimated with probes
    only_squares: bool = False

    @property
    def is_complex(self) -> bool:
        """Whether samples are complex numbers."""
        return False

    def conj(self) -> Quantity:
        """The complex conjugate; the quantity itself if it is real."""
        return self

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Stable text that identifies the law; it keys the random streams."""

    def occurrences(self) -> tuple[object, ...]:
        """The independent random objects that the quantity is made of, one for each time they occur."""
        return (self,)

    @abstractmethod
    def evaluate(self, draw: Draw) -> np.ndarray:
        """One block of samples on the randomness of ``draw``, shape ``(draw.batch, *self.shape)``.

        With ``probes > 1`` a last axis of that length holds independent estimates that are unbiased given the draw.
        """

    def block_length(self, sizes: Sizes) -> int:
        """Samples per seeded block at these sizes; it depends on nothing else, so that results never do.

        Small problems are batched to hide the interpreter's overhead, large ones are drawn one by one.
        """
        return usual_block_length(sizes)

    def sample_block(self, sizes: Sizes, block: int, root: np.random.SeedSequence) -> np.ndarray:
        """Block number ``block`` of the sample stream at these sizes, as ``evaluate`` returns it."""
        fingerprint, length = self._block_facts(tuple(sizes.items()))
        with Draw(sizes, length, block_generator(root, fingerprint, sizes, block)) as draw:
            return self.evaluate(draw)

    def _block_facts(self, sizes: tuple[tuple[str, int], ...]) -> tuple[str, int]:
        """Fingerprint and block length, found once: quantities do not change, and small blocks are soon drawn."""
        facts: dict[Any, tuple[str, int]] = self.__dict__.setdefault("_facts", {})
        if sizes not in facts:
            facts[sizes] = self.fingerprint, self.block_length(dict(sizes))
        return facts[sizes]

    def sample(self, n: int | Mapping[Any, int] | None = None, size: int = 1, *, rng: Seed = None) -> np.ndarray:
        """Independent samples, shape ``(size, *shape)``.

        Random streams are keyed by the seed and by the quantity, so that two quantities are independent even at one
        seed; for joint draws use arithmetic on quantities or ``rt.combine``.

        Parameters
        ----------
        n : size of the scale, or a mapping from scales (or their names) to sizes; None if there is no scale.
        size : number of samples. The first samples do not depend on it.
        rng : integer seed, ``SeedSequence``, ``Generator`` or None.

        Raises
        ------
        ShapeError : a size that is missing or not a positive integer.
        InputError : ``size`` or ``rng`` of the wrong kind.
        """
        sizes = resolve_sizes(self.scale_names, n)
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise InputError(f"size is {size!r}, expected a positive integer number of samples")
        root = root_sequence(rng)
        blocks = -(-int(size) // self.block_length(sizes))
        with single_threaded_blas():
            parts = [self.sample_block(sizes, block, root) for block in range(blocks)]
        samples = np.concatenate(parts)[:size]
        return samples.mean(axis=-1) if self.probes > 1 else samples

    def expectation(self, n: int | Mapping[Any, int] | None = None) -> Any:
        """The exact mean, without sampling.

        Parameters
        ----------
        n : sizes as for ``sample``; None for a formula in the scales. For Haar matrices the formula holds from the
            degree on, and smaller sizes are given here.

        Returns
        -------
        An ``Expansion``; a number if sizes are given.

        Raises
        ------
        ExactError : the quantity is outside every rule, with the factor that stopped it, or too large.

        Examples
        --------
        >>> import randtensor as rt
        >>> n = rt.Scale("n")
        >>> T = rt.gaussian(n, n, n)
        >>> tetrahedron = rt.einsum("abc,ade,fbe,fdc->", T, T, T, T)
        >>> print(tetrahedron.expectation(), tetrahedron.expectation()(16))
        3 n^4 196608.0
        """
        from randtensor.exact.moments import expectation

        return expectation(self, n)

    def variance(self, n: int | Mapping[Any, int] | None = None) -> Any:
        """The exact variance, E |X|^2 - |E X|^2; arguments, result and errors as for ``expectation``.

        >>> import randtensor as rt
        >>> g = rt.gaussian(rt.Scale("n"))
        >>> print(rt.einsum("a,a->", g, g).variance())
        2 n
        """
        from randtensor.exact.moments import variance

        return variance(self, n)

    def cumulant(self, k: int, n: int | Mapping[Any, int] | None = None) -> Any:
        """The exact cumulant of order ``k``; other arguments, result and errors as for ``expectation``.

        That of a complex quantity is without conjugates: at order 2 it is E X^2 - (E X)^2, not the variance.

        >>> import randtensor as rt
        >>> g = rt.gaussian(rt.Scale("n"))
        >>> print(rt.einsum("a,a->", g, g).cumulant(4))
        48 n
        """
        from randtensor.exact.moments import cumulant

        return cumulant(self, k, n)

    def order(self, statistic: str = "rms") -> Bound:
        """The predicted growth of a statistic of the quantity, as a bound.

        Parameters
        ----------
        statistic : "rms" (the typical size), "mean", "std" or "variance". Of a tensor with free indices only the "rms"
            of its entries, of a norm the "rms" or "mean".

        Returns
        -------
        ``Theta`` where the order is attained, ``O`` where only an upper bound is known; ``explain`` says why.

        Raises
        ------
        ExactError : no rule predicts it.

        Examples
        --------
        >>> import randtensor as rt
        >>> n = rt.Scale("n")
        >>> T = rt.gaussian(n, n, n)
        >>> tetrahedron = rt.einsum("abc,ade,fbe,fdc->", T, T, T, T)
        >>> tetrahedron.order(), tetrahedron.order("std")
        (Theta('n^4'), Theta('n^3'))
        """
        return self.explain(statistic).bound

    def explain(self, statistic: str = "rms") -> Derivation:
        """How ``order`` is derived: factor, rule, order and source, line by line; see there for the arguments."""
        from randtensor.prediction.predicted_order import derive

        return derive(self, statistic)

    def describe(self) -> str:
        """The quantity in a few words, for messages and titles."""
        return str(getattr(self, "name", None) or self.fingerprint)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.describe()}>"

    def __add__(self, other: Any) -> Any:
        return _arithmetic("+", self, other)

    def __sub__(self, other: Any) -> Any:
        return _arithmetic("-", self, other)

    def __mul__(self, other: Any) -> Any:
        return _arithmetic("*", self, other)

    def __truediv__(self, other: Any) -> Any:
        return _arithmetic("/", self, other)

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, bool) or not isinstance(exponent, int) or exponent < 1:
            raise InputError(f"exponent is {exponent!r}, expected a positive integer: take rt.combine for other powers")
        result: Any = self
        for _ in range(exponent - 1):
            result = result * self
        return result

    def __radd__(self, other: Any) -> Any:
        return _arithmetic("+", other, self)

    def __rsub__(self, other: Any) -> Any:
        return _arithmetic("-", other, self)

    def __rmul__(self, other: Any) -> Any:
        return _arithmetic("*", other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return _arithmetic("/", other, self)


def _arithmetic(symbol: str, left: Any, right: Any) -> Quantity:
    from randtensor.combination import arithmetic

    return arithmetic(symbol, left, right)


def usual_block_length(sizes: Sizes) -> int:
    """Samples per block where the cost of one grows like the largest size."""
    largest = max(sizes.values(), default=1)
    return max(1, min(2**15 // largest, 128))


def resolve_sizes(scale_names: tuple[str, ...], n: int | Mapping[Any, int] | None) -> dict[str, int]:
    """Sizes by scale name from what a caller gave as ``n``.

    >>> resolve_sizes(("n",), 16)
    {'n': 16}
    """
    if not scale_names and n is not None and not isinstance(n, Mapping):
        raise ShapeError(f"n is {n!r}, but the quantity has no scale, expected None: size= is the number of samples")
    if isinstance(n, Mapping):
        given = {str(getattr(scale, "name", scale)): size for scale, size in n.items()}
    elif n is None:
        given = {}
    elif len(scale_names) <= 1:
        given = dict.fromkeys(scale_names, n)
    else:
        names = ", ".join(scale_names)
        raise ShapeError(
            f"n is {n!r}, but the quantity has several scales ({names}): give a size for each as a mapping"
        )
    missing = [name for name in scale_names if name not in given]
    if missing:
        raise ShapeError(f"n is {n!r}, expected a size for the scale {missing[0]!r}")
    for name in scale_names:
        size = given[name]
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ShapeError(f"n is {size!r} for the scale {name!r}, expected a positive integer")
    return {name: int(given[name]) for name in scale_names}
