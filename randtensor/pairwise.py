"""Einsum equations on batches of arrays, one pair of operands at a time, each as one batched matrix product.

With the sample axis inside the equation, einsum would not reach BLAS; with a loop over samples, small tensors would pay
the interpreter for every sample. A batched matrix product does neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

__all__ = ["contract_batch"]

Array = np.ndarray


def contract_batch(terms: Sequence[str], output: str, arrays: Sequence[Array]) -> Array:
    """Contract arrays of shape (batch, *sizes); every label occurs twice, or once and in ``output``.

    >>> a = np.arange(8.0).reshape(2, 2, 2)
    >>> contract_batch(["ab", "ab"], "", [a, a]).tolist()
    [14.0, 126.0]
    """
    left, values = [], []
    names: list[Any] = []
    for term, array in zip(terms, arrays, strict=True):
        kept = "".join(label for label in term if term.count(label) == 1)
        # A label that occurs twice on one operand is a trace, taken before anything else.
        values.append(array if kept == term else np.einsum(f"Z{_names(term)}->Z{_names(kept, term)}", array))
        left.append(kept)
        names.append((id(array), _names(term)))
    #: products by what they are made of: equal operands are multiplied in the same way once
    known: dict[Any, Array] = {}
    for i, j in _path(tuple(left), output, tuple(value.shape[1:] for value in values)):
        b, a = left.pop(j), left.pop(i)
        y, x = values.pop(j), values.pop(i)
        second, first = names.pop(j), names.pop(i)
        name = (first, second, _names(a + b))
        labels, known[name] = _pair(a, b, x, y, known.get(name))
        left.append(labels)
        values.append(known[name])
        names.append(name)
    (labels,), (result,) = left, values
    return np.ascontiguousarray(result.transpose(0, *(1 + labels.index(label) for label in output)))


def _names(term: str, reference: str | None = None) -> str:
    """Labels as the letters a, b, ...: those of einsum are limited to ASCII."""
    letters = {label: chr(ord("a") + k) for k, label in enumerate(dict.fromkeys(reference or term))}
    return "".join(letters[label] for label in term)


@lru_cache(maxsize=512)
def _path(terms: tuple[str, ...], output: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, int], ...]:
    """Pairs of positions to contract, the results being appended at the end."""
    import opt_einsum

    if len(terms) == 1:
        return ()
    path: Any = opt_einsum.contract_path(",".join(terms) + "->" + output, *shapes, shapes=True)[0]
    pairs: list[tuple[int, int]] = []
    count = len(terms)
    for group in path:
        # Groups of more than two are outer products of unrelated parts: any order will do.
        members = sorted(group)
        while len(members) > 1:
            pairs.append((members[0], members[1]))
            count -= 1
            members = [k - (k > pairs[-1][0]) - (k > pairs[-1][1]) for k in members[2:]] + [count - 1]
    return tuple(pairs)


def _pair(a: str, b: str, x: Array, y: Array, known: Array | None) -> tuple[str, Array]:
    """Labels and entries of the product of two operands over their common labels; ``known`` if it was found before."""
    sizes = dict(zip(a + b, x.shape[1:] + y.shape[1:], strict=True))
    common = [label for label in a if label in b]
    rows, columns = [label for label in a if label not in b], [label for label in b if label not in a]
    if known is not None:
        return "".join([*rows, *columns]), known
    batch, inner = len(x), prod(sizes[label] for label in common)
    x = x.transpose(0, *(1 + a.index(label) for label in [*rows, *common])).reshape(batch, -1, inner)
    y = y.transpose(0, *(1 + b.index(label) for label in [*columns, *common])).reshape(batch, -1, inner)
    product = np.matmul(x, y.swapaxes(1, 2)) if rows or columns else np.einsum("ijk,ijk->i", x, y)
    return "".join([*rows, *columns]), product.reshape(batch, *(sizes[label] for label in [*rows, *columns]))
