"""What Hypothesis calls when it is imported: it learns the types of this package, to draw and to show them.

Strategies are made when they are asked for. A module of its own, since Hypothesis may be on its way of being imported
by `randtensor.strategies`, which is not complete then.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import randtensor as rt
from randtensor import tensors

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from hypothesis.vendor.pretty import RepresentationPrinter

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
    """Register a strategy for each type, and how an example of it is shown.

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
    _register_printers()


def _deferred(name: str) -> Callable[[type[Any]], SearchStrategy[Any]]:
    def make(_: type[Any]) -> SearchStrategy[Any]:
        strategy: SearchStrategy[Any] = getattr(importlib.import_module("randtensor.strategies"), name)()
        return strategy

    return make


def _of_class(kind: type[Any]) -> SearchStrategy[Any]:
    from randtensor.strategies.tensors import tensors_of_class

    return tensors_of_class(kind)


def _register_printers() -> None:
    """Hypothesis spells out the fields of dataclasses, also of those that have a shorter text of their own."""
    from hypothesis.vendor.pretty import for_type_by_name

    for shown, printer in _PRINTERS.items():
        for_type_by_name(shown.__module__, shown.__name__, printer)


def _show(value: Any, printer: RepresentationPrinter, cycle: bool) -> None:
    printer.text(repr(value))


def _show_fixed(tensor: tensors.Fixed, printer: RepresentationPrinter, cycle: bool) -> None:
    printer.text("fixed(")
    printer.pretty(tensor.entries.tolist())
    printer.text(")")


def _show_gaussian(tensor: tensors.Gaussian, printer: RepresentationPrinter, cycle: bool) -> None:
    if not tensor.covariance:
        return _show(tensor, printer, cycle)
    printer.text(f"{repr(tensor)[:-1].rstrip(',')}, covariance=")
    printer.pretty([None if matrix is None else matrix.tolist() for matrix in tensor.covariance])
    printer.text(")")


def _show_wishart(tensor: tensors.Wishart, printer: RepresentationPrinter, cycle: bool) -> None:
    # the only shape here whose dimensions may have a number in front: "2 n" is typed 2*n
    typed = [re.sub(r"(?<=[\w)]) (?=\w)", "*", str(size)).replace("^", "**") for size in tensor.factor.dimensions]
    if tensor.is_complex:
        typed.append("field='complex'")
    printer.text(f"wishart({', '.join(typed)})")


def _show_derivative(tensor: rt.DerivativeTensor, printer: RepresentationPrinter, cycle: bool) -> None:
    printer.pretty(tensor.function)
    printer.text(".derivative(" if tensor.derivative_order else "(")
    printer.pretty(tensor.x.tolist())
    printer.text(f", {tensor.derivative_order})" if tensor.derivative_order else ")")


_PRINTERS: dict[type, Callable[[Any, RepresentationPrinter, bool], None]] = {
    rt.Scale: _show,
    rt.Order: _show,
    rt.Term: _show,
    rt.Bound: _show,
    rt.Expansion: _show,
    rt.Activation: _show,
    rt.DerivativeTensor: _show_derivative,
    tensors.Fixed: _show_fixed,
    tensors.Gaussian: _show_gaussian,
    tensors.Wishart: _show_wishart,
}
