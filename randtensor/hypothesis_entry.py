"""What Hypothesis calls when it is imported: ``st.from_type`` learns the types of this package.

Strategies are made when they are asked for. A module of its own, since Hypothesis may be on its way of being imported
by `randtensor.strategies`, which is not complete then.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import randtensor as rt
from randtensor import tensors

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["register_types"]

_STRATEGIES: dict[type, str] = {
    rt.Scale: "scales",
    rt.Order: "orders",
    rt.Term: "terms",
    rt.Bound: "bounds",
    rt.Expansion: "expansions",
    rt.DenseTensor: "contractions",
    rt.Quantity: "contractions",
    rt.Activation: "activations",
    rt.RandomFunction: "networks",
    rt.DerivativeTensor: "derivative_tensors",
}

_FAMILIES: tuple[type, ...] = (
    rt.RandomTensor,
    tensors.Block,
    tensors.Constant,
    tensors.CP,
    tensors.Fixed,
    tensors.Gaussian,
    tensors.GOE,
    tensors.GUE,
    tensors.Haar,
    tensors.Identity,
    tensors.IID,
    tensors.Sparse,
    tensors.Sphere,
    tensors.SymmetricGaussian,
    tensors.Wishart,
)


def register_types() -> None:
    """Register a strategy for each type.

    >>> register_types()
    >>> from hypothesis import find, strategies as st
    >>> find(st.from_type(rt.Order), lambda order: order > rt.Order(1))
    Order('n')
    """
    from hypothesis.strategies import register_type_strategy

    for registered, name in _STRATEGIES.items():
        register_type_strategy(registered, _deferred(name))
    for family in _FAMILIES:
        register_type_strategy(family, _of_class)


def _deferred(name: str) -> Callable[[type[Any]], SearchStrategy[Any]]:
    def make(_: type[Any]) -> SearchStrategy[Any]:
        strategy: SearchStrategy[Any] = getattr(importlib.import_module("randtensor.strategies"), name)()
        return strategy

    return make


def _of_class(kind: type[Any]) -> SearchStrategy[Any]:
    from randtensor.strategies.tensors import tensors_of_class

    return tensors_of_class(kind)
