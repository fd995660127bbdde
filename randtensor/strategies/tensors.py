"""Strategies for random tensors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from hypothesis import strategies as st

import randtensor as rt
from randtensor.dimensions import check_count, check_shape
from randtensor.errors import InputError, ShapeError
from randtensor.strategies._arguments import sizes_of, subset
from randtensor.strategies.families import FAMILIES, Family, families_of, named_family

__all__ = ["chosen_families", "random_tensors", "tensors_of_class", "tensors_of_shape"]

_N, _M = rt.Scale("n"), rt.Scale("m")


def random_tensors(
    shape: Sequence[Any] | None = None,
    *,
    families: Collection[str] = FAMILIES,
    dimensions: Sequence[Any] = (_N, _M, 2, 3, 2 * _N),
    min_ndim: int = 1,
    max_ndim: int = 3,
    complex_entries: bool = True,
) -> st.SearchStrategy[rt.DenseTensor]:
    """Random tensors of a given shape, or of any with up to ``max_ndim`` indices.

    There is a family for every constructor of the package, with standard deviations, ranks, densities and strengths
    that are numbers or powers of a scale of the shape. Two constructors have no name here: ``ginibre`` makes matrices
    that are "gaussian" or "complex", and ``iid`` takes any law of SciPy, where these are the laws with names of their
    own; ``law.map(lambda law: rt.iid(law, n))`` draws others from a strategy for laws. Functions, sums and multiples
    of tensors are made by ``map`` as well.

    Parameters
    ----------
    shape : sizes; integers, scales and multiples of products of scales. None: drawn from ``dimensions``.
    families : names from `FAMILIES`; those that the shape does not allow, such as matrices where it has three
        indices, are left out. Given arrays and covariances need integers, and a "block" sizes that are sums of two.
    dimensions : sizes to draw from when there is no shape.
    min_ndim, max_ndim : least and largest number of indices when there is no shape.
    complex_entries : whether there are tensors with complex entries.

    Raises
    ------
    InputError : an unknown family, or no family that the shape allows.
    ShapeError : a bad size or number of indices.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(random_tensors(families=["goe", "wishart"]), lambda tensor: True)
    goe(n, n)
    >>> find(random_tensors((2, 3), families=["fixed"]), lambda tensor: tensor.entries.sum() > 0).entries
    array([[0. , 0. , 0. ],
           [0. , 0. , 0.5]])
    """
    chosen = chosen_families(families, complex_entries)
    if shape is not None:
        return tensors_of_shape(check_shape(sizes_of("shape", shape, 0), "random_tensors"), chosen)
    sizes = check_shape(sizes_of("dimensions", dimensions), "random_tensors")
    least, most = check_count("min_ndim", min_ndim), check_count("max_ndim", max_ndim)
    if least > most:
        raise ShapeError(f"min_ndim is {least}, expected at most max_ndim, which is {most}")
    own = {family: [size for size in sizes if family.is_size(size)] for family in chosen}
    by_rank = {
        rank: [family for family in chosen if own[family] and family.allows(own[family][:1] * rank)]
        for rank in range(least, most + 1)
    }
    ranks = [rank for rank, allowed in by_rank.items() if allowed]
    if not ranks:
        raise InputError(
            f"families is {families!r}, expected one that allows {least} to {most} indices of the sizes "
            f"{', '.join(map(str, sizes))}"
        )

    @st.composite
    def tensors(draw: st.DrawFn) -> rt.DenseTensor:
        rank = draw(st.sampled_from(ranks))
        family = draw(_one_of(by_rank[rank]))
        # as many draws for each family: only then the first one is the simplest
        first, *others = [draw(st.sampled_from(own[family])) for _ in range(rank)]
        return draw(family.of((first,) * rank if family.is_equal else (first, *others)))

    return tensors()


def tensors_of_shape(shape: Sequence[Any], families: Sequence[Family]) -> st.SearchStrategy[rt.DenseTensor]:
    """Random tensors of one shape; an InputError if no family allows it."""
    allowed = [family for family in families if family.allows(shape)]
    if not allowed:
        names = tuple(name for name in FAMILIES if named_family(name) in families)
        raise InputError(f"families is {names!r}, expected one that allows the shape {tuple(shape)!r}")
    return _one_of(allowed).flatmap(lambda family: family.of(shape))


def _one_of(families: Sequence[Family]) -> st.SearchStrategy[Family]:
    """One of some families; real or complex is drawn first, so that complex ones shrink to the first of these."""
    real, complex_ = ([family for family in families if family.is_complex == kind] for kind in (False, True))
    if not real or not complex_:
        return st.sampled_from(families)
    return st.sampled_from((real, real, real, complex_)).flatmap(st.sampled_from)


def chosen_families(names: Collection[str], complex_entries: bool) -> list[Family]:
    """Families by name."""
    found = [named_family(name) for name in subset("families", names, FAMILIES)]
    chosen = [family for family in found if complex_entries or not family.is_complex]
    if not chosen:
        raise InputError(f"families is {names!r}, expected a real one, since complex_entries is {complex_entries!r}")
    return chosen


def tensors_of_class(kind: type[Any]) -> st.SearchStrategy[rt.DenseTensor]:
    """Random tensors that are instances of a class.

    >>> from hypothesis import find
    >>> find(tensors_of_class(rt.tensors.Wishart), lambda tensor: tensor.is_complex)
    wishart(n, n)
    """
    return random_tensors(families=families_of(kind))
