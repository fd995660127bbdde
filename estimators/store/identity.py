"""What a quantity is, down to the code that a user gave it: the key under which its samples are kept.

A fingerprint names a law, and two quantities may share it on purpose: a norm and its bracket, or one training with
different observables. Samples may be taken from a store only where the same computation would draw the same bits. So
the identity is a digest of the whole state: of arrays by their entries, of functions and classes that do not belong to
an installed package by their code, closures, defaults and the globals they use, of everything else by name and version.
"""

from __future__ import annotations

import builtins
import dis
import hashlib
import sys
import sysconfig
import types
from collections.abc import Iterable
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from randtensor.errors import StoreError
from randtensor.quantity import Quantity

__all__ = ["identity"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented), range, slice)
_NAMED = (
    types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType, types.MethodDescriptorType,
    types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType, np.ufunc,
)  # fmt: skip
_UNTOLD = {
    "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__firstlineno__", "__static_attributes__",
    "__abstractmethods__", "_abc_impl",
}  # fmt: skip

_LIBRARY = ("randtensor", "estimators")  # their sources are part of the environment

#: attributes in which objects of the library remember what follows from the others
_CACHES = {
    "_facts", "_graphs", "_fingerprints", "_shapes", "_outputs", "_compiled", "_checked", "_skeletons", "_members",
}  # fmt: skip


def identity(quantity: Quantity) -> str:
    """A digest that two quantities share only if they compute the same samples from the same randomness.

    Raises
    ------
    StoreError : the quantity holds something without a value of its own, such as an open file or a lock.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> one, same, other = (rt.norm(rt.gaussian(n, std=s)) for s in (1.0, 1.0, 2.0))
    >>> identity(one) == identity(same), identity(one) == identity(other)
    (True, False)
    """
    try:
        return _digest(quantity)
    except Exception as error:  # an object may refuse to be taken apart in its own way
        raise StoreError(f"quantity {quantity.describe()} cannot be identified ({error})") from error


def _digest(root: Any) -> str:
    """Preorder walk: each object gives its own tokens and the objects it consists of, which follow in order."""
    found = hashlib.sha256()
    met: dict[int, int] = {}
    alive = []  # what is made on the way must not lend its address to something else
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if type(item) in _PLAIN:
            _tell(found, type(item).__name__, repr(item))
            continue
        if type(item) is not tuple:
            if id(item) in met:
                # which objects are one decides a law: A + A is not A + B
                _tell(found, "again", str(met[id(item)]))
                continue
            met[id(item)] = len(met)
            alive.append(item)
        tokens, parts = _describe(item)
        _tell(found, *tokens, str(len(parts)))
        waiting.extend(reversed(parts))
    return found.hexdigest()


def _tell(found: Any, *tokens: str | bytes) -> None:
    for token in tokens:
        data = token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "little"))
        found.update(data)


def _describe(x: Any) -> tuple[tuple[str | bytes, ...], list[Any]]:
    """Tokens of an object, and its parts."""
    kind = type(x)
    if kind in (tuple, list):
        return (kind.__name__,), list(x)
    if kind in (dict, types.MappingProxyType):
        return ("dict",), [part for pair in x.items() for part in pair]
    if kind in (set, frozenset):
        return (kind.__name__, *sorted(map(_digest, x))), []
    if isinstance(x, np.ndarray | np.generic) and kind.__module__ == "numpy":
        if x.dtype.hasobject:
            return ("objects", str(x.shape)), [x.tolist()]
        # a BLAS rounds differently along rows and along columns
        layout = "C" if x.flags.c_contiguous else "F" if x.flags.f_contiguous else str(x.strides)
        return ("array", x.dtype.str, str(x.shape), layout, np.ascontiguousarray(x).tobytes()), []
    if isinstance(x, np.dtype):
        return ("dtype", repr(x)), []
    if isinstance(x, type):
        return _describe_class(x)
    if isinstance(x, types.ModuleType):
        return ("module", _owner(x.__name__) or _source(x)), []
    if isinstance(x, types.FunctionType):
        return _describe_function(x)
    if isinstance(x, types.MethodType):
        return ("method",), [x.__func__, x.__self__]
    if isinstance(x, _NAMED):
        owner = getattr(x, "__self__", None)
        bound = [] if owner is None or isinstance(owner, types.ModuleType) else [owner]
        return ("named", str(getattr(x, "__qualname__", x.__name__)), str(getattr(x, "__module__", ""))), bound
    if isinstance(x, types.CodeType):
        return _describe_code(x)
    if isinstance(x, types.CellType):
        try:
            return ("cell",), [x.cell_contents]
        except ValueError:  # not bound yet
            return ("empty cell",), []
    if isinstance(x, staticmethod | classmethod):
        return (kind.__name__,), [x.__func__]
    if isinstance(x, property):
        return ("property",), [x.fget, x.fset, x.fdel]
    if isinstance(x, cached_property):
        return ("cached property",), [x.func]
    return _describe_object(x)


def _describe_object(x: Any) -> tuple[tuple[str | bytes, ...], list[Any]]:
    kind = type(x)
    usual = all(getattr(kind, name) is getattr(object, name) for name in ("__reduce__", "__reduce_ex__"))
    if usual and not isinstance(x, list | dict | set | tuple | str | bytes | int | float | frozenset):
        state = _state(x)
        if state is not None:
            return ("object",), [kind, *(part for name in sorted(state) for part in (name, state[name]))]
    reduced = x.__reduce_ex__(4)
    if isinstance(reduced, str):
        # a function in a wrapper that goes by its name, such as that of functools.cache, is still code
        return ("global", reduced), [kind, getattr(x, "__wrapped__", None)]
    rest = [list(part) if hasattr(part, "__next__") else part for part in reduced]
    return ("reduced",), rest


def _state(x: Any) -> dict[str, Any] | None:
    """The attributes of an object without those that are caches; None if it keeps its state elsewhere."""
    classes = type(x).__mro__[:-1]
    slots = [name for c in classes for name in _names(vars(c).get("__slots__", ()))]
    if not hasattr(x, "__dict__") and not any("__slots__" in vars(c) for c in classes):
        return None
    forgotten = {name for c in classes for name, part in vars(c).items() if isinstance(part, cached_property)}
    found = {name: getattr(x, name) for name in slots if name not in ("__dict__", "__weakref__") and hasattr(x, name)}
    found.update(getattr(x, "__dict__", {}))
    if str(type(x).__module__).partition(".")[0] in _LIBRARY or isinstance(x, Quantity):
        forgotten |= _CACHES if _owner(type(x).__module__) else {"_facts"}
    if any(c.__module__.startswith("scipy.stats") for c in classes):
        forgotten.add("_random_state")  # the global generator, which laws of SciPy hold and the library does not use
    return {name: part for name, part in found.items() if name not in forgotten}


def _names(slots: str | Iterable[str]) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _describe_class(x: type) -> tuple[tuple[str | bytes, ...], list[Any]]:
    owner = _owner(x.__module__)
    if owner is not None:
        return ("class", owner, x.__qualname__), []
    members = sorted((name, part) for name, part in vars(x).items() if name not in _UNTOLD)
    return ("class", x.__qualname__), [*x.__bases__, *(part for pair in members for part in pair)]


def _describe_function(x: types.FunctionType) -> tuple[tuple[str | bytes, ...], list[Any]]:
    given = [x.__defaults__, x.__kwdefaults__, *(x.__closure__ or ())]
    owner = _owner(x.__module__)
    if owner is not None:
        return ("function", owner, x.__qualname__), given
    used = [part for name in _globals_of(x.__code__) for part in (name, _global(x, name))]
    return ("function", x.__qualname__), [x.__code__, *given, *used]


def _describe_code(x: types.CodeType) -> tuple[tuple[str | bytes, ...], list[Any]]:
    names = repr((x.co_names, x.co_varnames, x.co_freevars, x.co_cellvars, x.co_argcount, x.co_kwonlyargcount))
    return ("code", x.co_code, x.co_exceptiontable, names, str(x.co_flags)), list(x.co_consts)


def _globals_of(code: types.CodeType) -> list[str]:
    """Names of globals that are read, also in functions within."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            names.update(_globals_of(part))
    return sorted(names)


def _global(function: types.FunctionType, name: str) -> Any:
    if name in function.__globals__:
        return function.__globals__[name]
    return ("builtin", name) if hasattr(builtins, name) else ("missing", name)


@lru_cache(maxsize=4096)
def _owner(module: str | None) -> str | None:
    """The installed package a module belongs to, with its version; None for code that is the user's own."""
    if module is None:
        return None
    top = module.partition(".")[0]
    if top in _LIBRARY or (top in sys.stdlib_module_names and top != "__main__"):
        return module
    home = sys.modules.get(top)
    place = getattr(home, "__file__", None)
    if home is None or place is None or top == "__main__":
        return None
    installed = [Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")]
    if "site-packages" not in place and not any(folder in Path(place).resolve().parents for folder in installed):
        return None
    try:
        return f"{module} {getattr(home, '__version__', None) or version(top)}"
    except PackageNotFoundError:  # nothing says whether it is the same as at another time
        return None


def _source(module: types.ModuleType) -> bytes:
    place = getattr(module, "__file__", None)
    if place is None:
        raise TypeError(f"it uses the module {module.__name__}, which has no source")
    return hashlib.sha256(Path(place).read_bytes()).digest()
