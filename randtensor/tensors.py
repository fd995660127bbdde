"""Families of random tensors: the raw material of programs and contractions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from randtensor.dimensions import Dimension, check_shape, evaluate_factor, evaluate_shape, scale_names, show
from randtensor.errors import InputError, ShapeError
from randtensor.orders import Order, Scale, Term
from randtensor.quantity import Draw, Quantity, Sizes
from randtensor.revealed import DenseMatrix, RandomMatrix, RevealedGaussian, RevealedGOE, RevealedHaar

__all__ = ["RandomTensor", "fixed", "gaussian", "goe", "haar", "identity", "iid"]

Array = np.ndarray

#: Up to this many entries a Gaussian matrix is drawn whole: the bookkeeping of revealing it would cost more.
DENSE_ENTRIES = 2**9


class RandomTensor(Quantity):
    """A random tensor with symbolic shape; one object is one random variable, wherever it occurs.

    Parameters
    ----------
    shape : integers, scales, and multiples of products of scales.
    """

    def __init__(self, shape: tuple[Any, ...], owner: str) -> None:
        self.dimensions: tuple[Dimension, ...] = check_shape(shape, owner)
        self.scale_names = scale_names(self.dimensions)
        if not self.scale_names:
            self.shape = evaluate_shape(self.dimensions, {})

    @property
    def ndim(self) -> int:
        """Number of indices."""
        return len(self.dimensions)

    @abstractmethod
    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        """Independent arrays, shape (batch, *shape); ``shape`` may lack leading axes, for a slice."""

    def matrix(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> RandomMatrix:
        """Independent matrices that answer products with vectors."""
        return DenseMatrix(self.draw(shape, batch, sizes, generator))

    def slice(self, indices: tuple[int, ...]) -> RandomTensor:
        """The family of the slice at these leading indices; ``draw`` and ``matrix`` are then given its shape.

        Raises
        ------
        ShapeError : slices of this family are not independent of each other.
        """
        if indices:
            raise ShapeError(f"{self!r} was indexed, expected a family with independent slices (gaussian, iid, fixed)")
        return self

    def evaluate(self, draw: Draw) -> Array:
        """One block of samples, shape (batch, *shape)."""
        shape = evaluate_shape(self.dimensions, draw.sizes)
        result: Array = draw.remember(self, lambda: self.draw(shape, draw.batch, draw.sizes, draw.generator))
        return result

    def __repr__(self) -> str:
        return f"{type(self).__name__}{show(self.dimensions)}"


class Gaussian(RandomTensor):
    """I.i.d. Gaussian entries."""

    def __init__(self, shape: tuple[Any, ...], std: Any, dense: bool | None) -> None:
        super().__init__(shape, "gaussian")
        self.std, self.dense = std, dense
        self.scale_names = scale_names((*self.dimensions, std))

    @property
    def fingerprint(self) -> str:
        return f"gaussian{show(self.dimensions)}*{self.std}" + (
            f":dense={self.dense}" if self.dense is not None else ""
        )

    def slice(self, indices: tuple[int, ...]) -> RandomTensor:
        return self

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        values = generator.standard_normal((batch, *shape))
        std = evaluate_factor(self.std, sizes)
        return values if std == 1.0 else values * std

    def matrix(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> RandomMatrix:
        dense = self.dense if self.dense is not None else shape[0] * shape[1] <= DENSE_ENTRIES
        if dense:
            return DenseMatrix(self.draw(shape, batch, sizes, generator))
        std = evaluate_factor(self.std, sizes)
        return RevealedGaussian((shape[0], shape[1]), std=std, batch=batch, rng=generator)


class IID(RandomTensor):
    """I.i.d. entries of any law that SciPy can sample."""

    def __init__(self, distribution: Any, shape: tuple[Any, ...]) -> None:
        super().__init__(shape, "iid")
        if not any(callable(getattr(distribution, name, None)) for name in ("rvs", "sample")):
            raise InputError(
                f"distribution is {distribution!r}, expected a SciPy distribution such as scipy.stats.expon(loc=-1)"
            )
        self.distribution = distribution

    @property
    def fingerprint(self) -> str:
        law = self.distribution
        name = getattr(getattr(law, "dist", None), "name", None) or str(law)
        return f"iid:{name}{getattr(law, 'args', ())}{sorted(getattr(law, 'kwds', {}).items())}{show(self.dimensions)}"

    def slice(self, indices: tuple[int, ...]) -> RandomTensor:
        return self

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        if hasattr(self.distribution, "rvs"):
            values = self.distribution.rvs(size=(batch, *shape), random_state=generator)
        else:
            values = self.distribution.sample((batch, *shape), rng=generator)
        return np.asarray(values, dtype=float)


class GOE(RandomTensor):
    """Symmetric Gaussian matrices."""

    def __init__(self, size: Any, std: Any) -> None:
        super().__init__((size, size), "goe")
        self.std = std
        self.scale_names = scale_names((*self.dimensions, std))

    @property
    def fingerprint(self) -> str:
        return f"goe{show(self.dimensions)}*{self.std}"

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        entries = generator.standard_normal((batch, *shape))
        factor = evaluate_factor(self.std, sizes) / np.sqrt(2.0)
        return np.asarray((entries + entries.swapaxes(1, 2)) * factor)

    def matrix(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> RandomMatrix:
        return RevealedGOE(shape[0], std=evaluate_factor(self.std, sizes), batch=batch, rng=generator)


class Haar(RandomTensor):
    """Haar-distributed orthogonal matrices."""

    def __init__(self, size: Any) -> None:
        super().__init__((size, size), "haar")

    @property
    def fingerprint(self) -> str:
        return f"haar{show(self.dimensions)}"

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        q, r = np.linalg.qr(generator.standard_normal((batch, *shape)))
        # Without this sign the law of Q is not Haar: LAPACK's convention leaks into the columns (Mezzadri 2007).
        return np.asarray(q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :])

    def matrix(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> RandomMatrix:
        return RevealedHaar(shape[0], batch=batch, rng=generator)


class Fixed(RandomTensor):
    """A given array, the same in every sample."""

    def __init__(self, entries: Any) -> None:
        try:
            self.entries = np.array(entries, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError(f"entries is {entries!r}, expected an array of numbers") from error
        if not np.isfinite(self.entries).all():
            raise InputError("entries holds NaN or infinite values, expected finite numbers")
        super().__init__(self.entries.shape, "fixed")

    @property
    def fingerprint(self) -> str:
        from hashlib import sha256

        return f"fixed{self.entries.shape}{sha256(self.entries.tobytes()).hexdigest()[:16]}"

    def slice(self, indices: tuple[int, ...]) -> RandomTensor:
        return Fixed(self.entries[indices])

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        return np.broadcast_to(self.entries, (batch, *shape))


class Identity(RandomTensor):
    """The identity matrix."""

    def __init__(self, size: Any) -> None:
        super().__init__((size, size), "identity")

    @property
    def fingerprint(self) -> str:
        return f"identity{show(self.dimensions)}"

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        return np.broadcast_to(np.eye(shape[0]), (batch, *shape))


def gaussian(*shape: Any, std: float | Order | Scale | Term = 1.0, dense: bool | None = None) -> Gaussian:
    """A tensor of i.i.d. Gaussian entries.

    Parameters
    ----------
    shape : sizes; integers, scales and multiples of products of scales.
    std : standard deviation of the entries; may depend on the scales, as ``n**-0.5``.
    dense : as a matrix in a program, True draws all entries, False reveals only the products asked for
        (``randtensor.revealed``), None chooses by size. The law is the same.

    Raises
    ------
    ShapeError : a size that is not positive.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> rt.gaussian(n, 2 * n, 3).sample(2, size=5, rng=0).shape
    (5, 2, 4, 3)
    """
    return Gaussian(shape, _check_std(std), dense)


def iid(distribution: Any, *shape: Any) -> IID:
    """A tensor of i.i.d. entries with any SciPy law.

    Parameters
    ----------
    distribution : frozen SciPy distribution, one of SciPy's newer random-variable objects, or anything with
        ``rvs(size=..., random_state=...)`` or ``sample(shape, rng=...)``; its text identifies the law.
    shape : sizes.

    Examples
    --------
    Skewed entries with mean 0 and variance 1:

    >>> import randtensor as rt
    >>> from scipy.stats import expon
    >>> rt.iid(expon(loc=-1), rt.Scale("n")).sample(3, size=2, rng=0).shape
    (2, 3)
    """
    return IID(distribution, shape)


def goe(size: Any, *, std: float | Order | Scale | Term = 1.0) -> GOE:
    """A symmetric Gaussian matrix: variance ``std**2`` off the diagonal and twice that on it.

    >>> import randtensor as rt
    >>> A = rt.goe(rt.Scale("n")).sample(3, rng=0)[0]
    >>> bool((A == A.T).all())
    True
    """
    return GOE(size, _check_std(std))


def haar(size: Any) -> Haar:
    """An orthogonal matrix with Haar law.

    >>> import numpy as np, randtensor as rt
    >>> Q = rt.haar(rt.Scale("n")).sample(3, rng=0)[0]
    >>> bool(np.allclose(Q @ Q.T, np.eye(3)))
    True
    """
    return Haar(size)


def identity(size: Any) -> Identity:
    """The identity matrix.

    >>> import randtensor as rt
    >>> rt.identity(rt.Scale("n")).sample(2)[0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return Identity(size)


def fixed(entries: Any) -> Fixed:
    """A given array as a tensor that is the same in every sample.

    >>> fixed([1.0, 2.0]).sample(size=2).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    return Fixed(entries)


def _check_std(std: Any) -> Any:
    if isinstance(std, Order | Scale | Term):
        return std
    if isinstance(std, bool) or not isinstance(std, int | float | np.number) or not 0 <= std < np.inf:
        raise ShapeError(f"std is {std!r}, expected a non-negative number or an order in the scales")
    return float(std)
