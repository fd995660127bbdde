"""PyTorch's normalisations in elementary operations, which can be differentiated any number of times."""

from __future__ import annotations

from typing import Any

from randtensor.errors import InputError

__all__ = ["elementary_normalization", "import_torch"]


def import_torch() -> Any:
    """PyTorch.

    Raises
    ------
    InputError : it is not installed, with the command that installs it.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError("PyTorch is not installed, expected it here: pip install 'randtensor[torch]'") from error
    return torch


def elementary_normalization() -> Any:
    """A context in which batch, instance, group and layer normalisation consist of means, squares and roots.

    PyTorch (2.13) differentiates its fused ones a second or third time as if mean and variance were constants. Running
    averages are not updated in this context.
    """
    torch = import_torch()
    functional = torch.nn.functional
    written = {
        functional.batch_norm: _batch_norm,
        functional.instance_norm: _instance_norm,
        functional.layer_norm: _layer_norm,
        functional.group_norm: _group_norm,
    }

    def replaced(mode: Any, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return written.get(function, function)(*args, **(kwargs or {}))

    base: Any = torch.overrides.TorchFunctionMode
    return type("ElementaryNormalization", (base,), {"__torch_function__": replaced})()


# The names of the arguments below are those of torch.nn.functional.


def _batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    shape = _channels(input)
    if training:
        x = _normalized(input, [axis for axis in range(input.dim()) if axis != 1], eps)
    else:
        x = (input - running_mean.reshape(shape)) / (running_var.reshape(shape) + eps).sqrt()
    return _affine(x, weight, bias, shape)


def _instance_norm(
    input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    if not use_input_stats:
        return _batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    return _affine(_normalized(input, list(range(2, input.dim())), eps), weight, bias, _channels(input))


def _layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    axes = list(range(-len(normalized_shape), 0))
    return _affine(_normalized(input, axes, eps), weight, bias, list(normalized_shape))


def _group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    parts = _normalized(input.reshape(len(input), num_groups, -1), [2], eps)
    return _affine(parts.reshape(input.shape), weight, bias, _channels(input))


def _normalized(x: Any, axes: list[int], eps: float) -> Any:
    centred = x - x.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True) + eps).sqrt()


def _affine(x: Any, weight: Any, bias: Any, shape: list[int]) -> Any:
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _channels(x: Any) -> list[int]:
    return [1, -1] + [1] * (x.dim() - 2)
