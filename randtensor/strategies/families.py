"""The families of random tensors that strategies draw from: which shapes each allows, and the parameter it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

import randtensor as rt
from randtensor import tensors
from randtensor.dimensions import Dimension, evaluate_shape, same_dimension, scales_of

__all__ = ["FAMILIES", "Family", "families_of", "named_family"]

Shape = Sequence[Dimension]
_HALF = Fraction(1, 2)
_LAWS = ("rademacher", "exponential", "uniform", "laplace", "normal", "student(5)")


def _ignored(shape: Shape) -> st.SearchStrategy[Any]:
    # drawn all the same: of two examples the one with fewer draws is the simpler one, and that is to be the Gaussian
    return st.integers(0, 2)


@dataclass(frozen=True)
class Family:
    """A family of random tensors.

    Attributes
    ----------
    make : the tensor of a shape, with a value of the family's parameter.
    kind : its class.
    parameter : values for a shape, simplest first.
    ndims : least and largest number of indices.
    is_equal : whether all sizes have to be equal.
    is_complex : whether samples are complex numbers.
    is_size : which sizes are allowed.
    """

    make: Callable[[Shape, Any], rt.DenseTensor]
    kind: type[Any]
    parameter: Callable[[Shape], st.SearchStrategy[Any]] = _ignored
    ndims: tuple[int, float] = (0, float("inf"))
    is_equal: bool = False
    is_complex: bool = False
    is_size: Callable[[Dimension], bool] = field(default=lambda size: True)

    def allows(self, shape: Shape) -> bool:
        """Whether there is a tensor of this shape in the family."""
        equal = not self.is_equal or all(same_dimension(shape[0], size) for size in shape[1:])
        return self.ndims[0] <= len(shape) <= self.ndims[1] and equal and all(map(self.is_size, shape))

    def allows_any(self, sizes: Shape) -> bool:
        """Whether there are tensors of every shape that is made of these sizes."""
        return self.ndims[0] <= 1 and self.ndims[1] > 2 and not self.is_equal and all(map(self.is_size, sizes))

    def of(self, shape: Shape) -> st.SearchStrategy[rt.DenseTensor]:
        """Tensors of an allowed shape."""
        # not mapped: a falsifying example would show this code in place of the tensor
        return self.parameter(shape).flatmap(lambda value: st.just(self.make(shape, value)))


def named_family(name: str) -> Family:
    """The family of a name in `FAMILIES`."""
    return _TABLE[name]


def families_of(kind: type[Any]) -> list[str]:
    """Names of the families whose tensors are instances of a class.

    >>> families_of(tensors.Haar)
    ['orthogonal', 'unitary', 'special orthogonal', 'special unitary']
    """
    return [name for name, family in _TABLE.items() if issubclass(family.kind, kind)]


def _std(shape: Shape) -> st.SearchStrategy[Any]:
    return st.sampled_from((1, _HALF, _growing(shape) ** -_HALF))


def _rank(shape: Shape) -> st.SearchStrategy[Any]:
    return st.sampled_from((1, 2, _growing(shape)))


def _samples(shape: Shape) -> st.SearchStrategy[Any]:
    return st.sampled_from((shape[0], 2 * shape[0], 2))


def _density(shape: Shape) -> st.SearchStrategy[Any]:
    return st.sampled_from((_HALF, Fraction(1, 4), _growing(shape) ** -_HALF))


def _strength(shape: Shape) -> st.SearchStrategy[Any]:
    return st.sampled_from((1, 2, _growing(shape) ** _HALF))


def _value(shape: Shape) -> st.SearchStrategy[Any]:
    return st.sampled_from((1, 0, -2, _growing(shape) ** -1))


def _growing(shape: Shape) -> Any:
    """A scale of a shape, or a number in place of one."""
    return next((scale for size in shape for scale in scales_of(size)), 4)


def _array(shape: Shape) -> st.SearchStrategy[Any]:
    halves = st.integers(-4, 4).map(lambda k: k / 2)
    return numpy_strategies.arrays(np.float64, evaluate_shape(shape, {}), elements=halves, fill=st.nothing())


def _complex_array(shape: Shape) -> st.SearchStrategy[Any]:
    return st.tuples(_array(shape), _array(shape)).map(lambda parts: parts[0] + 1j * parts[1])


def _covariance(shape: Shape) -> st.SearchStrategy[Any]:
    return st.tuples(*map(_gram, shape)).map(list)


def _gram(size: Any) -> st.SearchStrategy[Any]:
    """Matrices L L^T with L = 1 + a lower triangle, the identity first; singular at times, never zero."""
    triangle = np.tril(np.ones((size, size), dtype=int))
    triangle[0, 0] = 0
    entries = numpy_strategies.arrays(np.int64, (size, size), elements=st.integers(-1, 1), fill=st.nothing())
    return entries.map(lambda drawn: np.eye(size) + triangle * drawn).map(lambda root: root @ root.T)


def _block(shape: Shape, law: str) -> rt.DenseTensor:
    first, second = zip(*map(_parts, shape), strict=True)
    return rt.block(rt.gaussian(*first), rt.iid(law, *second))


def _parts(size: Dimension) -> tuple[Any, Any]:
    """Two sizes that add up to one: halves, rounded."""
    if isinstance(size, int):
        return size // 2, size - size // 2
    half = size.coefficient // 2
    return half * size.order, (size.coefficient - half) * size.order


def _has_parts(size: Dimension) -> bool:
    count = size if isinstance(size, int) else size.coefficient
    return bool(count >= 2 and count == int(count))


def _is_integer(size: Dimension) -> bool:
    return isinstance(size, int)


def _haar(group: str) -> Family:
    return Family(
        lambda shape, _: rt.haar(shape[0], group),
        tensors.Haar,
        ndims=(2, 2),
        is_equal=True,
        is_complex=group.endswith("unitary"),
    )


def _iid(law: str) -> Family:
    return Family(lambda shape, _: rt.iid(law, *shape), tensors.IID)


_VECTORS = (1, float("inf"))
_TENSORS = (2, float("inf"))
_GAUSSIAN = Family(lambda shape, std: rt.gaussian(*shape, std=std), tensors.Gaussian, _std)
_GOE = Family(lambda shape, std: rt.goe(shape[0], std=std), tensors.GOE, _std, (2, 2), is_equal=True)
_WISHART = Family(lambda shape, m: rt.wishart(shape[0], m), tensors.Wishart, _samples, (2, 2), is_equal=True)
_CP = Family(lambda shape, rank: rt.cp(*shape, rank=rank), tensors.CP, _rank, _TENSORS)
_FIXED = Family(lambda shape, entries: rt.fixed(entries), tensors.Fixed, _array, is_size=_is_integer)

# Those that allow fewer numbers of indices come later: a family then has one place in the lists for all numbers that it
# allows, and examples keep it while they shrink to fewer indices.
_TABLE = {
    "gaussian": _GAUSSIAN,
    **{law: _iid(law) for law in _LAWS},
    "sparse": Family(lambda shape, p: rt.sparse("normal", *shape, density=p), tensors.Sparse, _density),
    "constant": Family(lambda shape, value: rt.constant(value, *shape), tensors.Constant, _value),
    "sphere": Family(lambda shape, _: rt.sphere(*shape), tensors.Sphere),
    "fixed": _FIXED,
    "complex": replace(_GAUSSIAN, make=lambda shape, std: rt.complex_gaussian(*shape, std=std), is_complex=True),
    "complex fixed": replace(_FIXED, parameter=_complex_array, is_complex=True),
    "correlated": Family(
        lambda shape, covariance: rt.gaussian(*shape, covariance=covariance),
        tensors.Gaussian,
        _covariance,
        _VECTORS,
        is_size=_is_integer,
    ),
    "symmetric": Family(
        lambda shape, std: rt.symmetric_gaussian(shape[0], len(shape), std=std),
        tensors.SymmetricGaussian,
        _std,
        _VECTORS,
        is_equal=True,
    ),
    "spiked": Family(
        lambda shape, strength: rt.spiked(rt.gaussian(*shape), strength), rt.DenseTensor, _strength, _VECTORS
    ),
    "block": Family(_block, tensors.Block, lambda shape: st.sampled_from(_LAWS[:3]), _VECTORS, is_size=_has_parts),
    "cp": _CP,
    "spherical cp": replace(_CP, make=lambda shape, rank: rt.cp(*shape, rank=rank, factors="sphere")),
    "symmetric cp": replace(_CP, make=lambda shape, rank: rt.cp(*shape, rank=rank, symmetric=True), is_equal=True),
    "identity": Family(
        lambda shape, _: rt.identity(shape[0], len(shape)), tensors.Identity, ndims=_TENSORS, is_equal=True
    ),
    "goe": _GOE,
    "gue": replace(_GOE, make=lambda shape, std: rt.gue(shape[0], std=std), kind=tensors.GUE, is_complex=True),
    "wishart": _WISHART,
    "complex wishart": replace(
        _WISHART, make=lambda shape, m: rt.wishart(shape[0], m, field="complex"), is_complex=True
    ),
    "orthogonal": _haar("orthogonal"),
    "unitary": _haar("unitary"),
    "special orthogonal": _haar("special orthogonal"),
    "special unitary": _haar("special unitary"),
}

#: What `random_tensors` draws from, the simplest and least demanding first.
FAMILIES = tuple(_TABLE)
