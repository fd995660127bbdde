"""Strategies for random tensors and their contractions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from hypothesis import strategies as st

import randtensor as rt
from randtensor.dimensions import check_count, check_shape, same_dimension
from randtensor.errors import InputError
from randtensor.strategies._arguments import subset

__all__ = ["FAMILIES", "contractions", "equations", "random_tensors"]

_N, _M = rt.Scale("n"), rt.Scale("m")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

#: What `random_tensors` draws from, most often useful first.
FAMILIES = (
    "gaussian",
    "rademacher",
    "exponential",
    "uniform",
    "laplace",
    "complex",
    "sphere",
    "symmetric",
    "goe",
    "gue",
    "wishart",
    "orthogonal",
    "unitary",
    "cp",
    "identity",
    "constant",
)
_MATRICES = ("goe", "gue", "wishart", "orthogonal", "unitary")
_EQUAL_SIZES = (*_MATRICES, "symmetric", "identity")


def random_tensors(
    shape: Sequence[Any] | None = None,
    *,
    families: Collection[str] = FAMILIES,
    dimensions: Sequence[Any] = (_N, _M, 2, 3),
    max_ndim: int = 3,
) -> st.SearchStrategy[rt.RandomTensor]:
    """Random tensors of a given shape, or of any with up to ``max_ndim`` indices.

    Parameters
    ----------
    shape : sizes; integers, scales and multiples of products of scales. None: drawn from ``dimensions``.
    families : names from `FAMILIES`; those that the shape does not allow, such as matrices where it has three
        indices, are left out.
    dimensions : sizes to draw from when there is no shape.
    max_ndim : most indices when there is no shape.

    Raises
    ------
    InputError : an unknown family, or no family that the shape allows.
    ShapeError : a bad size.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(random_tensors(families=["goe", "cp"]), lambda tensor: tensor.ndim == 2)
    goe(n, n)
    """
    known = subset("families", families, FAMILIES)
    if shape is not None:
        return _tensors_of(check_shape(shape, "random_tensors"), known)
    sizes = check_shape(dimensions, "random_tensors")
    most = check_count("max_ndim", max_ndim)
    by_rank = {rank: _allowed(known, (sizes[0],) * rank) for rank in range(1, most + 1)}
    ranks = [rank for rank, allowed in by_rank.items() if allowed]
    if not ranks:
        raise InputError(f"families is {families!r}, expected one that allows at most {max_ndim} indices")

    @st.composite
    def tensors(draw: st.DrawFn) -> rt.RandomTensor:
        rank = draw(st.sampled_from(ranks))
        family = draw(st.sampled_from(by_rank[rank]))
        # as many draws for each family: only then the first one is the simplest
        first, *others = [draw(st.sampled_from(sizes)) for _ in range(rank)]
        return _make(family, (first,) * rank if family in _EQUAL_SIZES else (first, *others))

    return tensors()


def equations(
    *,
    max_operands: int = 4,
    max_ndim: int = 3,
    max_outputs: int = 0,
    families: Collection[str] = FAMILIES,
    dimensions: Sequence[Any] = (_N, _M, 2),
) -> st.SearchStrategy[tuple[str, tuple[rt.DenseTensor, ...]]]:
    """Contractions as they are written: an einsum equation and its operands, as ``rt.einsum`` takes them.

    Operands of one shape are often the same random tensor, which is what makes expectations differ from zero.

    Parameters
    ----------
    max_operands : most operands.
    max_ndim : most indices of an operand.
    max_outputs : most indices that are left free.
    families : of the operands; complex ones are conjugated at times.
    dimensions : sizes of the indices.

    Raises
    ------
    InputError, ShapeError, as for `random_tensors`.

    Examples
    --------
    >>> from hypothesis import find
    >>> equation, operands = find(equations(), lambda found: len(set(found[1])) == 2)
    >>> equation, operands
    ('a,a->', (gaussian(n,), gaussian(n,)))
    """
    known = subset("families", families, FAMILIES)
    sizes = check_shape(dimensions, "equations")
    operand_count, rank = check_count("max_operands", max_operands), check_count("max_ndim", max_ndim)
    outputs = 0 if max_outputs == 0 else check_count("max_outputs", max_outputs)
    if not all(set(_allowed(known, (1, 2, 3)[:r])) - {"cp"} for r in (1, 2, 3)):
        raise InputError(f"families is {families!r}, expected one among them that allows any shape, such as 'gaussian'")

    @st.composite
    def contractions_of_tensors(draw: st.DrawFn) -> tuple[str, tuple[rt.DenseTensor, ...]]:
        legs, free = _wiring(draw, draw(st.integers(1, operand_count)), rank, outputs)
        names = {index: letter for letter, index in zip(_LETTERS, dict.fromkeys(itertools.chain(*legs)), strict=False)}
        size = {index: draw(st.sampled_from(sizes)) for index in names}
        tensors: dict[Any, rt.DenseTensor] = {}
        operands = []
        for position, own in enumerate(legs):
            shape = tuple(size[index] for index in own)
            key = (draw(st.integers(0, position)), tuple(map(str, shape)))
            if key not in tensors:
                tensors[key] = draw(_tensors_of(shape, known))
            tensor = tensors[key]
            operands.append(tensor.conj() if tensor.is_complex and draw(st.booleans()) else tensor)
        left = ",".join("".join(names[index] for index in own) for own in legs)
        return f"{left}->{''.join(names[index] for index in free)}", tuple(operands)

    return contractions_of_tensors()


def contractions(**options: Any) -> st.SearchStrategy[rt.DenseTensor]:
    """Contractions of random tensors; options as for `equations`.

    >>> from hypothesis import find
    >>> find(contractions(max_outputs=2), lambda tensor: tensor.ndim == 2)
    <einsum ab->ab of gaussian(n, n)>
    """
    return equations(**options).map(lambda found: rt.einsum(found[0], *found[1]))


def _wiring(draw: st.DrawFn, operands: int, max_ndim: int, max_outputs: int) -> tuple[list[tuple[int, ...]], list[int]]:
    """Indices of each operand and those left free: edges between operands that still have room."""
    legs: list[list[int]] = [[] for _ in range(operands)]
    free: list[int] = []
    index = 0

    def room(needed: int = 1) -> list[int]:
        return [o for o in range(operands) if len(legs[o]) + needed <= max_ndim]

    for _ in range(draw(st.integers(0, max_outputs))):
        if choices := room():
            legs[draw(st.sampled_from(choices))].append(index)
            free.append(index)
            index += 1
    for _ in range(draw(st.integers(0 if free else 1, operands * max_ndim // 2))):
        if choices := room():
            first = draw(st.sampled_from(choices))
            legs[first].append(index)
            # an edge from an operand to itself is a trace: the last thing to shrink to
            others = [o for o in room() if o != first] + ([first] if first in room() else [])
            if not others:
                legs[first].pop()
                break
            legs[draw(st.sampled_from(others))].append(index)
            index += 1
    return [tuple(draw(st.permutations(own))) for own in legs if own], list(draw(st.permutations(free)))


def _tensors_of(shape: Sequence[Any], families: Sequence[str]) -> st.SearchStrategy[rt.RandomTensor]:
    allowed = _allowed(families, shape)
    if not allowed:
        raise InputError(f"families is {tuple(families)!r}, expected one that allows the shape {tuple(shape)!r}")
    return st.sampled_from(allowed).map(lambda family: _make(family, shape))


def _allowed(families: Sequence[str], shape: Sequence[Any]) -> list[str]:
    equal = all(same_dimension(shape[0], size) for size in shape[1:])
    return [
        family
        for family in families
        if (equal or family not in _EQUAL_SIZES)
        and (len(shape) == 2 or family not in _MATRICES)
        and (len(shape) > 1 or family not in ("cp", "identity"))
    ]


def _make(family: str, shape: Sequence[Any]) -> rt.RandomTensor:
    makers: dict[str, Callable[[], rt.RandomTensor]] = {
        "gaussian": lambda: rt.gaussian(*shape),
        "complex": lambda: rt.complex_gaussian(*shape),
        "sphere": lambda: rt.sphere(*shape),
        "symmetric": lambda: rt.symmetric_gaussian(shape[0], len(shape)),
        "goe": lambda: rt.goe(shape[0]),
        "gue": lambda: rt.gue(shape[0]),
        "wishart": lambda: rt.wishart(shape[0], shape[0]),
        "orthogonal": lambda: rt.haar(shape[0]),
        "unitary": lambda: rt.haar(shape[0], "unitary"),
        "cp": lambda: rt.cp(*shape, rank=2),
        "identity": lambda: rt.identity(shape[0], len(shape)),
        "constant": lambda: rt.constant(1, *shape),
    }
    return makers[family]() if family in makers else rt.iid(family, *shape)
