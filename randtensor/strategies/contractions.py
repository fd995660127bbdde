"""Strategies for contractions of random tensors."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from string import ascii_letters
from typing import Any

from hypothesis import strategies as st

import randtensor as rt
from randtensor.dimensions import check_count, check_shape
from randtensor.errors import InputError
from randtensor.strategies._arguments import sizes_of
from randtensor.strategies.families import FAMILIES
from randtensor.strategies.tensors import chosen_families, tensors_of_shape

__all__ = ["contractions", "equations"]

_N, _M = rt.Scale("n"), rt.Scale("m")


def equations(
    *,
    max_operands: int = 4,
    max_ndim: int = 3,
    max_outputs: int = 0,
    families: Collection[str] = FAMILIES,
    dimensions: Sequence[Any] = (_N, _M, 2),
    complex_entries: bool = True,
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
    complex_entries : whether there are operands with complex entries.

    Raises
    ------
    InputError, ShapeError, as for `random_tensors`.

    Examples
    --------
    >>> from hypothesis import find
    >>> equation, operands = find(equations(complex_entries=False), lambda found: len(set(found[1])) == 2)
    >>> equation, operands
    ('a,a->', (gaussian(n,), gaussian(n,)))
    """
    known = chosen_families(families, complex_entries)
    sizes = check_shape(sizes_of("dimensions", dimensions), "equations")
    operand_count, rank = check_count("max_operands", max_operands), check_count("max_ndim", max_ndim)
    outputs = 0 if max_outputs == 0 else check_count("max_outputs", max_outputs)
    if operand_count * rank > 2 * len(ascii_letters):
        raise InputError(
            f"max_operands is {max_operands} with up to {max_ndim} indices each, expected at most 104 in all"
        )
    if not any(family.allows_any(sizes) for family in known):
        raise InputError(f"families is {families!r}, expected one among them that allows any shape, such as 'gaussian'")

    @st.composite
    def contractions_of_tensors(draw: st.DrawFn) -> tuple[str, tuple[rt.DenseTensor, ...]]:
        legs, free = _wiring(draw, draw(st.integers(1, operand_count)), rank, outputs)
        names = {
            index: letter for letter, index in zip(ascii_letters, dict.fromkeys(itertools.chain(*legs)), strict=False)
        }
        size = {index: draw(st.sampled_from(sizes)) for index in names}
        tensors: dict[Any, rt.DenseTensor] = {}
        operands = []
        for position, own in enumerate(legs):
            shape = tuple(size[index] for index in own)
            key = (draw(st.integers(0, position)), tuple(map(str, shape)))
            if key not in tensors:
                tensors[key] = draw(tensors_of_shape(shape, known))
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
    # built, not mapped: then a falsifying example shows the call
    return equations(**options).flatmap(
        lambda found: st.builds(rt.einsum, st.just(found[0]), *(st.just(operand) for operand in found[1]))
    )


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
