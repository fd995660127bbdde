"""Structured tensors: of low rank, spiked, and direct sums."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property, reduce
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.dimensions import Dimension, check_shape, evaluate_shape, same_dimension, scale_names, show
from randtensor.errors import ExactError, InputError, ShapeError
from randtensor.orders import Order, Term
from randtensor.quantity import Draw, Sizes
from randtensor.tensors.algebra import Expression, Scaled, Sum
from randtensor.tensors.base import DenseTensor, EqualNorms, RandomTensor
from randtensor.tensors.deterministic import Fixed
from randtensor.tensors.gaussian import Gaussian
from randtensor.tensors.growth import HALF, chevet_order, entries_order, factor_order
from randtensor.tensors.haar import Sphere, unit

if TYPE_CHECKING:
    from randtensor.exact.diagrams.networks import Diagram

__all__ = ["CP", "Block", "Outer", "block", "cp", "spiked"]

Array = np.ndarray

#: Unit vectors have no common element, so their exact structure is written out term by term, up to this rank.
LARGEST_SPHERICAL_RANK = 64


class CP(RandomTensor):
    """A sum of products of random vectors, one for each index (Hitchcock 1927)."""

    def __init__(self, shape: Sequence[Any], rank: Any, factors: str, symmetric: bool) -> None:
        super().__init__(shape, "cp")
        if not shape:
            raise ShapeError("shape is (), expected at least one size")
        if factors not in ("gaussian", "sphere"):
            raise InputError(f"factors is {factors!r}, expected 'gaussian' or 'sphere'")
        if symmetric and not all(same_dimension(d, self.dimensions[0]) for d in self.dimensions):
            raise ShapeError(f"shape is {show(self.dimensions)}, expected equal sizes for a symmetric tensor")
        self.rank: Dimension = check_shape((rank,), "rank of cp")[0]
        self.factors, self.symmetric = factors, bool(symmetric)
        self.scale_names = scale_names((*self.dimensions, self.rank))

    @property
    def fingerprint(self) -> str:
        return f"cp{show(self.dimensions)}:{self.rank}:{self.factors}:{self.symmetric}"

    def block_length(self, sizes: Sizes) -> int:
        *lengths, rank = evaluate_shape((*self.dimensions, self.rank), sizes)
        return int(np.clip(2**16 // (max(prod(lengths[:-1]), lengths[-1]) * max(rank, lengths[-1])), 1, 64))

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        (rank,) = evaluate_shape((self.rank,), sizes)
        count = 1 if self.symmetric else len(shape)
        vectors = [generator.standard_normal((batch, size, rank)) for size in shape[:count]]
        if self.factors == "sphere":
            vectors = [unit(v, (1,)) for v in vectors]
        vectors *= len(shape) // count
        if len(shape) == 1:
            return np.asarray(vectors[0].sum(axis=-1))
        left = reduce(lambda a, b: (a[:, :, None] * b[:, None]).reshape(batch, -1, rank), vectors[:-1])
        return np.asarray((left @ vectors[-1].swapaxes(1, 2)).reshape(batch, *shape))

    @cached_property
    def vectors(self) -> tuple[DenseTensor, ...]:
        """The factor matrices, of shape (size, rank), for each index."""
        if self.symmetric:
            return (Gaussian((self.dimensions[0], self.rank), 1.0, None),) * self.ndim
        return tuple(Gaussian((d, self.rank), 1.0, None) for d in self.dimensions)

    @cached_property
    def _unit_vectors(self) -> tuple[tuple[Sphere, ...], ...]:
        if not isinstance(self.rank, int) or self.rank > LARGEST_SPHERICAL_RANK:
            raise ExactError(
                f"rank of {self!r} is {self.rank}, expected at most {LARGEST_SPHERICAL_RANK} for exact expectations "
                f"with factors on the sphere"
            )
        if self.symmetric:
            return tuple((Sphere(self.dimensions[:1]),) * self.ndim for _ in range(self.rank))
        return tuple(tuple(Sphere((d,)) for d in self.dimensions) for _ in range(self.rank))

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import contract

        axes = tuple(range(self.ndim))
        if self.factors == "gaussian":
            return contract([(axis, "rank") for axis in axes], axes, [v.diagram() for v in self.vectors])
        terms = [contract([(axis,) for axis in axes], axes, [v.diagram() for v in term]) for term in self._unit_vectors]
        return reduce(lambda a, b: a + b, terms)

    # A product of vectors has one value of all norms, the product of their lengths. Squared lengths of a sum of R of
    # them add up, but for the R^2 scalar products of equal sign that an even power of one vector leaves.

    @property
    def _length(self) -> Order:
        return entries_order(self.dimensions) ** HALF if self.factors == "gaussian" else Order.one()

    @property
    def frobenius_order(self) -> Order:
        rank = factor_order(self.rank)
        total = rank**HALF
        if self.symmetric and self.ndim % 2 == 0:
            total = total + rank / factor_order(self.dimensions[0]) ** Fraction(self.ndim, 4)
        return self._length * total

    @property
    def injective_order(self) -> Order:
        return super().injective_order if isinstance(self.rank, Term) else self._length

    @property
    def nuclear_order(self) -> Order:
        return super().nuclear_order if isinstance(self.rank, Term) else self._length

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        if not isinstance(self.rank, Term):
            return self._length
        if self.ndim != 2:
            raise self._unknown(f"operator norm with rows {rows}")
        # A B^T with R columns: the length of one product times 1 + sqrt(R / n), or a Wishart matrix if A = B.
        if self.symmetric:
            sides = factor_order(self.rank) + factor_order(self.dimensions[0])
            return self._length * sides / factor_order(self.dimensions[0])
        return self._length * (Order.one() + factor_order(self.rank) ** HALF * self._shrink())

    def _shrink(self) -> Order:
        return chevet_order(self.dimensions) / entries_order(self.dimensions) ** HALF

    def __repr__(self) -> str:
        return f"cp({', '.join(map(str, self.dimensions))}, rank={self.rank})"


class Outer(EqualNorms, Expression):
    """The product of vectors, one for each index; one vector may occur several times."""

    symbol = "outer"

    def __init__(self, vectors: Sequence[DenseTensor]) -> None:
        super().__init__(vectors, [vector.dimensions[0] for vector in vectors])

    def evaluate(self, draw: Draw) -> Array:
        vectors = [vector.evaluate(draw) for vector in self.operands]
        return reduce(lambda a, b: a[..., None] * b.reshape(len(b), *[1] * (a.ndim - 1), -1), vectors)

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import contract

        axes = tuple(range(self.ndim))
        return contract([(axis,) for axis in axes], axes, [vector.diagram() for vector in self.operands])

    @property
    def frobenius_order(self) -> Order:
        return reduce(lambda a, b: a * b, [vector.frobenius_order for vector in self.operands])


class Block(Expression):
    """The direct sum of tensors: zero but where all indices belong to one block."""

    symbol = "block"

    def __init__(self, tensors: Sequence[DenseTensor]) -> None:
        if not tensors or not all(isinstance(tensor, DenseTensor) and tensor.ndim for tensor in tensors):
            raise InputError(f"tensors is {tuple(tensors)!r}, expected one random tensor or more, with indices")
        for tensor in tensors[1:]:
            if tensor.ndim != tensors[0].ndim:
                raise ShapeError(
                    f"block: {tensors[0]!r} and {tensor!r} have {tensors[0].ndim} and {tensor.ndim} indices, "
                    f"expected the same number"
                )
        # A block of blocks is one direct sum of all of them.
        tensors = [part for tensor in tensors for part in (tensor.operands if isinstance(tensor, Block) else [tensor])]
        self.partitions = tuple(zip(*(tensor.dimensions for tensor in tensors), strict=True))
        super().__init__(tensors, [_add(partition) for partition in self.partitions])

    def evaluate(self, draw: Draw) -> Array:
        result = np.zeros(
            (draw.batch, *evaluate_shape(self.dimensions, draw.sizes)), dtype=complex if self.is_complex else float
        )
        start = (0,) * self.ndim
        for tensor in self.operands:
            entries = tensor.evaluate(draw)
            stop = tuple(a + b for a, b in zip(start, entries.shape[1:], strict=True))
            result[(slice(None), *(slice(a, b) for a, b in zip(start, stop, strict=True)))] = entries
            start = stop
        return result

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import Sector

        blocks = zip(*map(Sector.blocks, self.partitions, self.dimensions), strict=True)
        parts = [tensor.diagram().embedded(place) for tensor, place in zip(self.operands, blocks, strict=True)]
        return reduce(lambda a, b: a + b, parts)

    # Norms of a direct sum: squares add up, nuclear norms add up, spectral and injective norms are the largest ones.

    @property
    def frobenius_order(self) -> Order:
        return reduce(lambda a, b: a + b, [tensor.frobenius_order for tensor in self.operands])

    @property
    def injective_order(self) -> Order:
        return reduce(lambda a, b: a + b, [tensor.injective_order for tensor in self.operands])

    @property
    def nuclear_order(self) -> Order:
        return reduce(lambda a, b: a + b, [tensor.nuclear_order for tensor in self.operands])

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        return reduce(lambda a, b: a + b, [tensor.flattening_order(rows) for tensor in self.operands])


def cp(*shape: Any, rank: Any, factors: str = "gaussian", symmetric: bool = False) -> CP:
    """A random tensor of low rank: the sum over r of a_r x b_r x ... with independent random vectors.

    Parameters
    ----------
    shape : sizes.
    rank : number of summands; an integer, a scale or a multiple of a product of scales.
    factors : "gaussian" for vectors with standard normal entries, "sphere" for uniform unit vectors.
    symmetric : whether all indices share one vector, a_r x a_r x ....

    Raises
    ------
    ShapeError : a bad size or rank, or unequal sizes of a symmetric tensor.
    InputError : other factors.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> rt.cp(n, n, n, rank=n).sample(4, rng=0).shape, rt.cp(n, n, n, rank=n).frobenius_order
    ((1, 4, 4, 4), Order('n^2'))
    """
    return CP(shape, rank, factors, symmetric)


def spiked(noise: DenseTensor, strength: Any, spike: Any = None, *, symmetric: bool | None = None) -> DenseTensor:
    """Noise plus a tensor of rank one, strength * u x u x ... (Johnstone 2001; Richard & Montanari 2014, 1411.1076).

    Parameters
    ----------
    noise : a random tensor.
    strength : a number, or an order or term in the scales.
    spike : a vector (an array, or a random tensor with one index) for all indices, or a list with one for each index.
        Uniform unit vectors if not given.
    symmetric : whether a random spike is the same for all indices; None if the sizes allow it.

    Returns
    -------
    DenseTensor

    Raises
    ------
    InputError : ``noise`` is no random tensor, or a vector is none.
    ShapeError : a vector does not have the size of its index.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> Y = rt.spiked(rt.gaussian(n, n, n), n**0.75)
    >>> Y.sample(3, rng=0).shape, Y.injective_order
    ((1, 3, 3, 3), Order('n^{3/4}'))
    """
    if not isinstance(noise, DenseTensor) or not noise.ndim:
        raise InputError(f"noise is {noise!r}, expected a random tensor with indices")
    if spike is None:
        same = all(same_dimension(d, noise.dimensions[0]) for d in noise.dimensions)
        if symmetric and not same:
            raise ShapeError(f"noise has shape {show(noise.dimensions)}, expected equal sizes for a symmetric spike")
        if same and symmetric is not False:
            vectors: list[DenseTensor] = [Sphere(noise.dimensions[:1])] * noise.ndim
        else:
            vectors = [Sphere((d,)) for d in noise.dimensions]
    elif isinstance(spike, list | tuple) and not np.isscalar(spike[0] if spike else 0):
        vectors = [_vector(v) for v in spike]
    else:
        vectors = [_vector(spike)] * noise.ndim
    if len(vectors) != noise.ndim:
        raise ShapeError(
            f"spike has {len(vectors)} vectors, expected one for each of the {noise.ndim} indices of the noise"
        )
    return Sum((noise, Scaled(Outer(vectors), strength)))


def block(*tensors: DenseTensor) -> Block:
    """The direct sum of random tensors: its entries vanish unless all indices belong to the same block.

    Parameters
    ----------
    tensors : with equally many indices. For each index their sizes must add up to one: integers, or multiples of one
        product of scales, n + 2 n = 3 n.

    Raises
    ------
    ShapeError : numbers of indices that differ, or sizes that do not add up.
    InputError : something that is no random tensor.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> rt.block(rt.gaussian(n, n), rt.haar(2 * n)).sample(1, rng=0)[0].round(1).tolist()[0][1:]
    [0.0, 0.0]
    """
    return Block(tensors)


def _vector(value: Any) -> DenseTensor:
    vector = value if isinstance(value, DenseTensor) else Fixed(value)
    if vector.ndim != 1:
        raise InputError(f"spike holds {vector!r} with {vector.ndim} indices, expected vectors")
    return vector


def _add(sizes: Sequence[Dimension]) -> Dimension:
    whole = [size for size in sizes if isinstance(size, int)]
    terms = [size for size in sizes if isinstance(size, Term)]
    if not terms:
        return sum(whole)
    if whole or any(term.order != terms[0].order for term in terms):
        raise ShapeError(
            f"block: the sizes {' and '.join(map(str, sizes))} have no sum that is a size, expected integers or "
            f"multiples of one product of scales"
        )
    total = sum((Fraction(term.coefficient) for term in terms), start=Fraction(0))
    return Term(total, terms[0].order)
