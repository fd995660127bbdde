"""What modules of PyTorch need to be evaluated sample by sample, and differentiated more than once."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from randtensor.errors import InputError

__all__ = ["Elementary", "check_module"]


def check_module(module: torch.nn.Module, owner: str) -> None:
    """Refuse what cannot be evaluated sample by sample."""
    trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not trainable:
        raise InputError(f"{owner} has no parameters that require gradients, expected at least one")
    for name, parameter in trainable.items():
        if isinstance(parameter, torch.nn.parameter.UninitializedParameter):
            raise InputError(f"parameter {name!r} of {owner} has no shape yet, expected a module that is not lazy")
        if parameter.is_complex():
            raise InputError(f"parameter {name!r} of {owner} is complex, expected real parameters")
    for name, part in module.named_modules():
        if not part.training:
            continue
        if isinstance(part, torch.nn.modules.dropout._DropoutNd) and part.p > 0:
            raise InputError(
                f"{name or owner!r} is {type(part).__name__} in training mode, which is random, "
                f"expected a factory that returns module.eval()"
            )
        if isinstance(part, torch.nn.modules.batchnorm._NormBase) and (
            part.track_running_stats or isinstance(part, torch.nn.modules.batchnorm._BatchNorm)
        ):
            raise InputError(
                f"{name or owner!r} is {type(part).__name__} in training mode, which mixes inputs or keeps running "
                f"statistics, expected a factory that returns module.eval()"
            )
    storages: dict[int, str] = {}
    for name, parameter in trainable.items():
        other = storages.setdefault(parameter.untyped_storage().data_ptr(), name)
        if other != name:
            raise InputError(
                f"parameters {other!r} and {name!r} of {owner} share memory without being one parameter, "
                f"expected b.weight = a.weight for weights that are tied"
            )


class Elementary(TorchFunctionMode):  # type: ignore[misc]
    """Normalisations in elementary operations.

    The forward derivatives that PyTorch has of its fused ones take mean and variance for constants when they are
    differentiated again: second derivatives would be wrong.
    """

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        return _ELEMENTARY.get(function, function)(*arguments, **(named or {}))


def _layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    axes = tuple(range(-len(shape), 0))
    centred = x - x.mean(axes, keepdim=True)
    return _affine(centred * (centred.square().mean(axes, keepdim=True) + eps).rsqrt(), weight, bias)


def _group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    parts = x.reshape(x.shape[0], groups, -1)
    shape = (-1, *[1] * (x.ndim - 2))
    scale, shift = (None if a is None else a.reshape(shape) for a in (weight, bias))
    return _affine(_layer_norm(parts, parts.shape[-1:], eps=eps).reshape(x.shape), scale, shift)


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


_ELEMENTARY = {torch.nn.functional.layer_norm: _layer_norm, torch.nn.functional.group_norm: _group_norm}
