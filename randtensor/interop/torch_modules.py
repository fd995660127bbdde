"""What modules of PyTorch need to be evaluated sample by sample."""

from __future__ import annotations

import torch

from randtensor.errors import InputError

__all__ = ["check_module", "check_parameters"]


def check_parameters(module: torch.nn.Module, owner: str) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained, by name.

    Raises
    ------
    InputError : there are none, or one of them has no shape yet or is complex.
    """
    trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not trainable:
        raise InputError(f"{owner} has no parameters that require gradients, expected at least one")
    for name, parameter in trainable.items():
        if isinstance(parameter, torch.nn.parameter.UninitializedParameter):
            raise InputError(f"parameter {name!r} of {owner} has no shape yet, expected a module that is not lazy")
        if parameter.is_complex():
            raise InputError(f"parameter {name!r} of {owner} is complex, expected real parameters")
    return trainable


def check_module(module: torch.nn.Module, owner: str) -> None:
    """Refuse what cannot be evaluated sample by sample.

    Raises
    ------
    InputError : parameters as for `check_parameters`, or ones that share memory; layers that are random, mix inputs or
        keep statistics.
    """
    trainable = check_parameters(module, owner)
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
    rest = [(name, p) for name, p in module.named_parameters() if not p.requires_grad]
    for name, tensor in (*rest, *module.named_buffers()):
        trained = storages.get(tensor.untyped_storage().data_ptr()) if tensor.numel() else None
        if trained is not None:
            raise InputError(
                f"parameter {trained!r} and {name!r} of {owner}, which is not trained, share memory, "
                f"expected {name!r} to be a copy, or the parameter itself"
            )
