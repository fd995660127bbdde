"""Tensors of PyTorch behind NumPy's own protocols, so that code written for NumPy runs on them, on any device.

NumPy hands a call to an argument that is no array of its own: functions of entries through ``__array_ufunc__``
(NEP 13), all others through ``__array_function__`` (NEP 18), constructors through their argument ``like`` (NEP 35).
`TorchArray` answers these calls for the functions that revealed matrices and programs are made of. There is no second
version of that code, and arrays of NumPy never meet this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import special

from randtensor.errors import InputError

__all__ = ["TorchArray", "TorchGenerator"]


class TorchArray(np.lib.mixins.NDArrayOperatorsMixin):
    """A tensor of PyTorch that the functions of NumPy accept; slices are views of it, as in NumPy.

    >>> x = TorchArray(torch.ones(2, 3))
    >>> x[:, 0] += 1.0
    >>> np.vecdot(x, x).tensor.tolist()
    [6.0, 6.0]
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return int(self.tensor.ndim)

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(self.tensor.numel())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries, as one of NumPy."""
        return np.dtype(str(self.tensor.dtype).rpartition(".")[2])

    def numpy(self) -> np.ndarray:
        """A copy as an array of NumPy."""
        return np.array(self.tensor.cpu().numpy())

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise InputError("a tensor of PyTorch was asked for as an array of NumPy, expected a step that runs on torch")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "at":
            return _add_at(ufunc, *inputs)
        function = _UFUNCS.get(ufunc)
        if function is None or method != "__call__" or not options.keys() <= {"out", "where"}:
            raise _missing(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}")
        result = function(*(self._operand(x) for x in inputs))
        (out,) = options.get("out") or (None,)
        if out is None:
            return TorchArray(result)
        if not isinstance(out, TorchArray):
            raise _missing(f"{ufunc.__name__} into an array of NumPy")
        if "where" in options:
            result = torch.where(self._operand(options["where"]), result, out.tensor)
        out.tensor.copy_(result)
        return out

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        if function in _CONSTRUCTORS:
            return TorchArray(_CONSTRUCTORS[function](self.tensor, *arguments, **options))
        if function not in _FUNCTIONS:
            raise _missing(function.__name__)
        return _FUNCTIONS[function](*arguments, **options)

    def _operand(self, x: Any) -> torch.Tensor:
        """An argument on this device; numbers stay numbers, which take the type of the tensors that they meet."""
        if isinstance(x, TorchArray):
            return x.tensor
        if isinstance(x, np.ndarray) and x.ndim:
            return _moved(x, self.tensor)
        number = x.item() if isinstance(x, np.ndarray | np.generic) else x
        return torch.tensor(number, dtype=torch.float64 if isinstance(number, float) else None)

    def _index(self, key: Any) -> Any:
        if isinstance(key, tuple):
            return tuple(self._index(part) for part in key)
        if isinstance(key, TorchArray):
            return key.tensor
        return torch.as_tensor(key, device=self.tensor.device) if isinstance(key, np.ndarray) else key

    def __getitem__(self, key: Any) -> TorchArray:
        return TorchArray(self.tensor[self._index(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, TorchArray) and not _same(self.tensor[self._index(key)], value.tensor):
            self.tensor[self._index(key)] = value.tensor.to(self.tensor.dtype)
        elif not isinstance(value, TorchArray):
            self.tensor[self._index(key)] = _moved(value, self.tensor) if np.ndim(value) else float(value)

    def __len__(self) -> int:
        return len(self.tensor)

    def __bool__(self) -> bool:
        return bool(self.tensor)

    def __float__(self) -> float:
        return float(self.tensor)

    def __repr__(self) -> str:
        return f"TorchArray(shape={self.shape}, dtype={self.dtype}, device={self.tensor.device})"

    def reshape(self, *shape: Any) -> TorchArray:
        """With another shape."""
        return TorchArray(self.tensor.reshape(*shape))

    def swapaxes(self, first: int, second: int) -> TorchArray:
        """A view with two axes exchanged."""
        return TorchArray(self.tensor.transpose(first, second))

    def copy(self) -> TorchArray:
        """A copy."""
        return TorchArray(self.tensor.clone())

    def astype(self, dtype: Any) -> TorchArray:
        """A copy of another type."""
        return TorchArray(self.tensor.to(getattr(torch, np.dtype(dtype).name)))

    def any(self, axis: int | None = None) -> TorchArray:
        """Whether some entry is true."""
        return TorchArray(self.tensor.any() if axis is None else self.tensor.any(axis))

    def all(self) -> TorchArray:
        """Whether all entries are true."""
        return TorchArray(self.tensor.all())

    def sum(self, axis: int | None = None) -> TorchArray:
        """The sum over an axis, or of all entries."""
        return TorchArray(self.tensor.sum() if axis is None else self.tensor.sum(axis))

    def mean(self, axis: int | None = None) -> TorchArray:
        """The mean over an axis, or of all entries."""
        return TorchArray(self.tensor.mean() if axis is None else self.tensor.mean(axis))

    def max(self, axis: int, initial: float) -> TorchArray:
        """The largest entry along an axis, or a number that is larger."""
        return TorchArray(self.tensor.amax(axis).clamp_min(initial))


class TorchGenerator(np.random.Generator):
    """A generator whose normal numbers are tensors of PyTorch; all others it draws as arrays of NumPy.

    Parameters
    ----------
    bits : source of the randomness, and of the seed of the device's own generator.
    like : a tensor of the type and on the device wanted.
    on_host : whether the numbers are those of NumPy, moved to the device, instead of the device's own.
    """

    def __init__(self, bits: Any, like: torch.Tensor, on_host: bool) -> None:
        super().__init__(bits)
        self.like = TorchArray(like)
        self._device: torch.Generator | None = None
        if not on_host:
            self._device = torch.Generator(like.device)
            self._device.manual_seed(int(self.integers(2**63)))

    def standard_normal(self, size: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """Standard normal numbers, shape ``size``, or into ``out``."""
        like = self.like.tensor
        if out is None:
            shape = () if size is None else (size,) if isinstance(size, int | np.integer) else tuple(size)
            out = TorchArray(torch.empty(shape, dtype=like.dtype, device=like.device))
        if self._device is None:
            out.tensor.copy_(torch.from_numpy(np.asarray(super().standard_normal(out.shape))))
        else:
            out.tensor.normal_(generator=self._device)
        return out


def _missing(name: str) -> InputError:
    return InputError(
        f"numpy.{name} is not available for tensors of PyTorch, expected derivative tensors of programs with Gaussian "
        "weights, and what is computed from them entry by entry"
    )


def _moved(x: Any, like: torch.Tensor) -> torch.Tensor:
    """An array of NumPy on the device; floating-point numbers take the type that is used there."""
    array = np.array(x)
    dtype = like.dtype if array.dtype.kind == "f" else None
    return torch.as_tensor(array, dtype=dtype, device=like.device)


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool(a.data_ptr() == b.data_ptr() and a.shape == b.shape and a.stride() == b.stride())


def _unwrap(x: Any) -> Any:
    return x.tensor if isinstance(x, TorchArray) else x


def _like(make: Callable[..., torch.Tensor]) -> Callable[[TorchArray], TorchArray]:
    return lambda x, **_: TorchArray(make(x.tensor))


def _joined(join: Callable[..., torch.Tensor]) -> Callable[..., TorchArray]:
    return lambda arrays, axis=0: TorchArray(join([_unwrap(x) for x in arrays], axis))


def _cholesky(x: TorchArray) -> TorchArray:
    lower, wrong = torch.linalg.cholesky_ex(x.tensor)
    if bool(wrong.any()):
        raise np.linalg.LinAlgError("not positive definite")
    return TorchArray(lower)


def _where(condition: TorchArray, a: Any, b: Any) -> TorchArray:
    some = next(x for x in (condition, a, b) if isinstance(x, TorchArray))
    return TorchArray(torch.where(some._operand(condition), *(some._operand(x) for x in (a, b))))


def _copyto(target: TorchArray, value: Any, where: TorchArray) -> None:
    target.tensor.masked_fill_(where.tensor, float(value))


def _repeat(x: TorchArray, repeats: int, axis: int) -> TorchArray:
    return TorchArray(torch.repeat_interleave(x.tensor, repeats, dim=axis))


def _add_at(ufunc: np.ufunc, target: TorchArray, index: Any, values: TorchArray) -> None:
    """``np.add.at`` along the second axis."""
    if ufunc is not np.add or not isinstance(index, tuple) or len(index) != 2 or index[0] != slice(None):
        raise _missing(f"{ufunc.__name__}.at")
    rows = torch.as_tensor(index[1], device=target.tensor.device)
    flat = values.tensor.reshape(len(target), rows.numel(), *target.shape[2:])
    target.tensor.index_add_(1, rows.reshape(-1), flat)


def _matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A product; with a single inner row, entry by entry."""
    return a * b if b.shape[-2] == 1 and a.ndim == b.ndim == 3 else torch.matmul(a, b)


def _constructor(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def made(like: torch.Tensor, *arguments: Any, dtype: Any = None, **_: Any) -> torch.Tensor:
        return make(*arguments, dtype=torch.bool if dtype is bool else like.dtype, device=like.device)

    return made


#: called with a tensor of the kind to be made, and with the arguments of the function of NumPy
_CONSTRUCTORS: dict[Any, Callable[..., torch.Tensor]] = {
    np.empty: _constructor(torch.empty),
    np.zeros: _constructor(torch.zeros),
    np.ones: _constructor(torch.ones),
    np.full: _constructor(lambda shape, value, **kind: torch.ones(shape, **kind) * value),
    np.eye: _constructor(torch.eye),
    np.asarray: lambda like, x, **_: _moved(x, like),
}

_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.zeros_like: _like(torch.zeros_like),
    np.ones_like: _like(torch.ones_like),
    np.empty_like: _like(torch.empty_like),
    np.broadcast_to: lambda x, shape: TorchArray(torch.broadcast_to(x.tensor, shape)),
    np.stack: _joined(torch.stack),
    np.concatenate: _joined(torch.cat),
    np.where: _where,
    np.copyto: _copyto,
    np.repeat: _repeat,
    np.diagonal: lambda x, axis1, axis2: TorchArray(torch.diagonal(x.tensor, dim1=axis1, dim2=axis2)),
    np.flatnonzero: lambda x: np.flatnonzero(x.numpy()),
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: x.size,
    np.linalg.cholesky: _cholesky,
    np.linalg.inv: lambda x: TorchArray(torch.linalg.inv(x.tensor)),
}

_UFUNCS: dict[np.ufunc, Callable[..., torch.Tensor]] = {
    np.matmul: _matmul,
    np.vecdot: torch.linalg.vecdot,
    np.absolute: torch.abs,
    np.power: torch.pow,
    np.equal: torch.eq,
    np.not_equal: torch.ne,
    np.less: torch.lt,
    np.less_equal: torch.le,
    np.greater: torch.gt,
    np.greater_equal: torch.ge,
    np.bitwise_and: torch.bitwise_and,
    np.bitwise_or: torch.bitwise_or,
    np.invert: torch.bitwise_not,
    special.erf: torch.special.erf,
    special.ndtr: torch.special.ndtr,
}
for _name in (
    *("add", "subtract", "multiply", "divide", "negative", "reciprocal", "square", "sqrt", "sign", "hypot"),
    *("exp", "log", "log1p", "tanh", "sin", "cos", "arctan", "maximum", "minimum"),
):
    _UFUNCS[getattr(np, _name)] = getattr(torch, _name)
