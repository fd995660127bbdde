"""Factories of models by width, in the forms in which users have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from randtensor.errors import InputError
from randtensor.interop.library import first_line

__all__ = ["Factory", "check_output"]


class Factory:
    """A model at each size of its scales.

    Parameters
    ----------
    make : a function of the width; with several scales, a function that takes each by its name; or a mapping from
        widths to functions without arguments, as the coordinate checks of muP take it.
    scales : the scale or scales, or their names.
    probe : size at which the factory is tried, None for 32; twice that is the second. A mapping is tried at its two
        smallest widths.

    Raises
    ------
    InputError : anything else.

    >>> factory = Factory({64: lambda: "narrow", 128: lambda: "wide"}, "n", None)
    >>> factory({"n": 128}), factory.probes
    ('wide', ({'n': 64}, {'n': 128}))
    """

    def __init__(self, make: Any, scales: Any, probe: int | None) -> None:
        given = scales if isinstance(scales, list | tuple) else [scales]
        self.scale_names = tuple(str(getattr(scale, "name", scale)) for scale in given)
        if not self.scale_names or not all(name.isidentifier() for name in self.scale_names):
            raise InputError(f"scales is {scales!r}, expected a scale such as rt.Scale('n'), its name, or several")
        if probe is not None and (isinstance(probe, bool) or not isinstance(probe, int) or probe < 1):
            raise InputError(f"probe is {probe!r}, expected a width at which the factory can be tried")
        self.make, self.widths = make, None
        sizes: Sequence[int] = [probe or 32, 2 * (probe or 32)]
        if isinstance(make, Mapping):
            sizes = self.widths = _widths(make)
            if len(self.scale_names) > 1:
                raise InputError(f"factory is a mapping from widths but scales is {scales!r}, expected one scale")
        elif not callable(make):
            raise InputError(f"factory is {make!r}, expected a function of the width that gives a model")
        self.probes = tuple(dict.fromkeys(self.scale_names, int(size)) for size in sizes[:2])
        self.name = str(getattr(make, "__qualname__", "model")).rpartition(".")[2].strip("<>")

    def __call__(self, sizes: Mapping[str, int]) -> Any:
        """The model at these sizes.

        Raises
        ------
        InputError : the factory does not take them.
        """
        at = ", ".join(f"{name} = {sizes[name]}" for name in self.scale_names)
        if self.widths is not None:
            width = sizes[self.scale_names[0]]
            if width not in self.widths:
                listed = ", ".join(map(str, self.widths))
                raise InputError(f"the factory has no model at {at}, expected one of its widths {listed}")
            thunk: Callable[[], Any] = self.make[width]
            return _called(thunk, at)
        if len(self.scale_names) == 1:
            return _called(self.make, at, sizes[self.scale_names[0]])
        return _called(self.make, at, **{name: sizes[name] for name in self.scale_names})


def check_output(output: Any) -> tuple[int, ...] | None:
    """The index of an output component.

    >>> check_output(2)
    (2,)
    """
    if output is None:
        return None
    index = output if isinstance(output, tuple) else (output,)
    if not index or any(isinstance(i, bool) or not isinstance(i, int | np.integer) for i in index):
        raise InputError(f"output is {output!r}, expected None, or an index of one component of the output")
    return tuple(map(int, index))


def _widths(make: Mapping[Any, Any]) -> list[int]:
    whole = all(isinstance(w, int | np.integer) and not isinstance(w, bool) and w > 0 for w in make)
    if len(make) < 2 or not whole or not all(map(callable, make.values())):
        raise InputError(
            f"factory is the mapping {dict(make)!r}, expected at least two widths, each with a function without "
            f"arguments that gives the model"
        )
    return sorted(make)


def _called(make: Callable[..., Any], at: str, *arguments: int, **named: int) -> Any:
    try:
        return make(*arguments, **named)
    except Exception as error:
        raise InputError(
            f"the factory failed at {at} ({first_line(error)}), expected a model at every width that is asked for "
            f"(probe= sets the one that is tried first)"
        ) from error
