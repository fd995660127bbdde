"""What a claim in a file is about: networks, tensors, and their contraction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.errors import InputError, RandtensorError
from theory_checks.claim_files.fields import Field, Reader, closest, integer, number, numbers, one_of, text
from theory_checks.claim_files.positions import Path
from theory_checks.claims import open_indices
from theory_checks.predicting import CLASSES, dimension

__all__ = ["Factors", "read_factors", "read_quantity"]

_HIGHEST_DERIVATIVE = 12


def _size(value: Any) -> Any:
    """An integer, a scale or a multiple of one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"has {value!r}, expected an integer, a scale such as 'n', or a multiple such as '2*n'")
    found = dimension(str(value))
    if found is None:
        raise InputError(f"has {value!r}, expected an integer, a scale such as 'n', or a multiple such as '2*n'")
    return found


def _sizes(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InputError(f"is {value!r}, expected a list of sizes such as ['n', 'n', 3]")
    return [_size(entry) for entry in value]


def _width(value: Any) -> Any:
    return [_size(entry) for entry in value] if isinstance(value, list) and value else _size(value)


def _order(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _HIGHEST_DERIVATIVE:
        raise InputError(f"is {value!r}, expected the order of a derivative, 0 to {_HIGHEST_DERIVATIVE}")
    return value


def _parametrization(value: Any) -> Any:
    return rt.networks.parametrization(value)


_LAYERS = Field(integer, required=True)
_SHARED = {"activation": Field(text), "outputs": Field(integer), "readout": Field(text)}
_MLP = {
    "inputs": Field(integer, required=True),
    "width": Field(_width, required=True),
    **_SHARED,
    "parametrization": Field(_parametrization),
    "biases": Field(number),
    "hidden": Field(text),
}
#: keys by architecture: the arguments of the functions of ``randtensor.networks``
_NETWORKS: dict[str, dict[str, Field]] = {
    "mlp": {**_MLP, "hidden_layers": _LAYERS},
    "two_layer": _MLP,
    "deep_linear": {key: field for key, field in _MLP.items() if key != "activation"} | {"hidden_layers": _LAYERS},
    "resnet": {
        "inputs": Field(integer, required=True),
        "width": Field(_size, required=True),
        "blocks": _LAYERS,
        "residual_scale": Field(number),
        **_SHARED,
    },
    "cnn": {
        "channels_in": Field(integer, required=True),
        "channels": Field(_size, required=True),
        "layers": _LAYERS,
        "kernel_size": Field(integer),
        "axes": Field(integer),
        "positions": Field(integer),
        **_SHARED,
    },
}
_RANDOM = {"law": Field(one_of(*CLASSES), required=True), "shape": Field(_sizes, required=True)}
_DERIVATIVE = {
    "network": Field(text, required=True),
    "at": Field(lambda value: text(value) if isinstance(value, str) else numbers(value), required=True),
    "order": Field(_order),
}
_GIVEN = {"values": Field(numbers, required=True)}


class Factors:
    """The tensors of a file by name; those that cannot be used are None, so that what uses them is not blamed."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self.tensors = tensors

    def contraction(self, equation: str, names: list[str]) -> Any:
        """The contraction, or None if one of its factors is unusable for a reason already told.

        Raises
        ------
        InputError : a name that no tensor has.
        EquationError, ShapeError : factors that do not fit the equation.
        """
        factors = []
        for name in names:
            plain = name.removesuffix("*")
            if plain not in self.tensors:
                listed = ", ".join(sorted(self.tensors)) or "none is defined"
                raise InputError(f"factors names {plain!r}, expected a tensor of the file: {listed}")
            factor = self.tensors[plain]
            factors.append(factor.conj() if factor is not None and name != plain else factor)
        return None if any(factor is None for factor in factors) else rt.einsum(equation, *factors)


def read_factors(reader: Reader, document: Mapping[str, Any]) -> Factors:
    """The tensors that the tables ``inputs``, ``networks`` and ``tensors`` define."""
    inputs = _each(reader, document, "inputs", lambda path, name, value: _input(reader, path, name, value))
    networks = _each(reader, document, "networks", lambda path, name, value: _network(reader, path, name, value))
    tensors = _each(
        reader, document, "tensors", lambda path, name, value: _tensor(reader, path, name, value, networks, inputs)
    )
    return Factors(tensors)


def _each(reader: Reader, document: Mapping[str, Any], section: str, make: Any) -> dict[str, Any]:
    entries = document.get(section, {})
    if not isinstance(entries, dict):
        reader.problems.add(reader.located.line((section,)), f"{section} is {entries!r}, expected a table of names")
        return {}
    return {name: make((section, name), name, value) for name, value in entries.items()}


def _input(reader: Reader, path: Path, name: str, value: Any) -> Any:
    with reader.problems.at(reader.located.line(path), f"input {name!r} "):
        return np.array(numbers(value), dtype=float)
    return None


def _network(reader: Reader, path: Path, name: str, values: Any) -> Any:
    what = f"network {name!r}"
    kinds = _NETWORKS
    architecture = values.get("architecture") if isinstance(values, dict) else None
    if isinstance(values, dict) and (not isinstance(architecture, str) or architecture not in kinds):
        line = reader.located.line((*path, "architecture"))
        given = "has no key 'architecture'" if architecture is None else f"has the architecture {architecture!r}"
        close = closest(architecture, kinds) if isinstance(architecture, str) else None
        hint = f": did you mean {close!r}?" if close else ""
        reader.problems.add(line, f"{what} {given}, expected one of {', '.join(kinds)}{hint}")
        return None
    fields = {"architecture": Field(text), **kinds.get(str(architecture), {})}
    options = reader.table(path, values, fields, what)
    if options is None:
        return None
    make = getattr(rt.networks, options.pop("architecture"))
    with reader.problems.at(reader.located.line(path), f"{what}: "):
        return make(**options)
    return None


def _tensor(
    reader: Reader, path: Path, name: str, values: Any, networks: Mapping[str, Any], inputs: Mapping[str, Any]
) -> Any:
    what = f"tensor {name!r}"
    if name.endswith("*"):
        reader.problems.add(reader.located.line(path), f"{what} ends with *, which means the conjugate in factors")
        return None
    if isinstance(values, dict) and not values.keys() & {"law", "network", "values"}:
        line = reader.located.line(path)
        reader.problems.add(
            line,
            f"{what} has none of the keys law, network and values, expected law and shape, network and at, or values",
        )
        return None
    fields = _RANDOM
    if isinstance(values, dict) and "network" in values:
        fields = _DERIVATIVE
    elif isinstance(values, dict) and "values" in values:
        fields = _GIVEN
    options = reader.table(path, values, fields, what)
    if options is None:
        return None
    line = reader.located.line(path)
    with reader.problems.at(line, f"{what}: "):
        if "values" in options:
            return rt.fixed(np.array(options["values"], dtype=float))
        if "law" in options:
            return CLASSES[options["law"]][1](*options["shape"])
        return _derivative(options, networks, inputs)
    return None


def _derivative(options: Mapping[str, Any], networks: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
    name, point = options["network"], options["at"]
    if name not in networks:
        raise InputError(f"network is {name!r}, expected one of the file: {', '.join(networks) or 'none is defined'}")
    if isinstance(point, str):
        if point not in inputs:
            raise InputError(f"at is {point!r}, expected numbers or one of the inputs: {', '.join(inputs) or 'none'}")
        point = inputs[point]
    if networks[name] is None or point is None:
        return None
    return networks[name].derivative(np.array(point, dtype=float), order=options.get("order", 1))


def read_quantity(reader: Reader, path: Path, values: Mapping[str, Any], factors: Factors) -> Any:
    """The quantity of a claim: a contraction, or a norm of one; None if there is none for a reason that was told."""
    line = reader.located.line
    try:
        found = factors.contraction(values["equation"], values["factors"])
    except InputError as error:
        reader.problems.add(line((*path, "factors")), f"{values['what']}: {error}")
        return None
    except RandtensorError as error:
        reader.problems.add(line((*path, "equation")), f"{values['what']}: {error}")
        return None
    if found is not None and not values["has_norm"] and open_indices(found):
        output = "".join(values["equation"].split()).rpartition("->")[2]
        which = ", ".join(repr(output[position]) for position in open_indices(found))
        reader.problems.add(
            line((*path, "equation")),
            f"{values['what']}: equation {values['equation']!r} leaves {which} free, "
            "expected a norm, such as norm = 'injective', or an equation with a scalar result",
        )
        return None
    if found is None or values.get("norm") is None:
        return found
    with reader.problems.at(line((*path, "norm")), f"{values['what']}: "):
        return rt.norm(found, values["norm"])
    return None
