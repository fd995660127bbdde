"""Models of other libraries as random functions: ``randtensor.interop.torch`` and ``randtensor.interop.jax``.

Each of these modules imports its library; nothing else here does.
"""

from __future__ import annotations

from typing import Any

__all__ = ["random_function"]


def random_function(factory: Any, **options: Any) -> Any:
    """A factory of modules of PyTorch, or of pairs of functions for JAX, as a random function.

    Parameters
    ----------
    factory, options : see ``randtensor.interop.torch.random_function`` and ``randtensor.interop.jax.random_function``;
        the one is chosen that fits what the factory gives. A random function is given back as it is.

    Raises
    ------
    InputError : a factory that gives neither.
    ImportError : the library is not installed.
    """
    from importlib import import_module

    from randtensor.errors import InputError
    from randtensor.interop.factories import Factory
    from randtensor.parametric import ParametricFunction

    if isinstance(factory, ParametricFunction):
        if options:
            raise InputError(f"{next(iter(options))!r} is given beside a random function, expected no options with it")
        return factory
    made = Factory(factory, options.get("scales", "n"), options.get("probe"))
    found = made(made.probes[0])
    if isinstance(found, tuple) and len(found) in (2, 3) and all(map(callable, found)):
        return import_module("randtensor.interop.jax").random_function(factory, **options)
    if any(kind.__module__.startswith("torch.nn") for kind in type(found).__mro__):
        return import_module("randtensor.interop.torch").random_function(factory, **options)
    raise InputError(
        f"the factory gave {type(found).__name__} at {made.probes[0]}, expected a torch.nn.Module or a pair "
        f"(init, apply)"
    )
