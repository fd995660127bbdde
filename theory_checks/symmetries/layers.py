"""What the layers of a PyTorch module do to channels of their input that are multiplied by positive numbers.

That is all that finding scale and rescale symmetries needs: a layer lets the factors pass, forgets them (as
normalisation does), takes them into its weights (linear and convolutional layers), or stops them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Effect", "effect_of", "is_shape_query", "shift_axis_of"]

#: elementwise maps with phi(a z) = a phi(z) for a > 0, and maps that are linear on every channel, by name
_HOMOGENEOUS_MODULES = (
    "ReLU", "LeakyReLU", "PReLU", "Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d",
)  # fmt: skip
_HOMOGENEOUS_CALLS = ("relu", "relu_", "leaky_relu", "leaky_relu_", "prelu", "dropout", "neg", "contiguous", "clone")
_POOLS = ("MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "LPPool")
_POOL_CALLS = ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool")
_FLATTEN = ("flatten", "view", "reshape")
_BATCH_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
_INSTANCE_NORMS = ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
_WEIGHTED = ("Linear", "Conv1d", "Conv2d", "Conv3d")


@dataclass(frozen=True)
class Effect:
    """What a node of a traced module does to factors on the channels of its input.

    Attributes
    ----------
    kind : "pass", "flatten" (passes, and puts the positions of a channel one after the other), "forget", "weights" or
        "stop".
    per_unit : channels that have to share a factor for it to be forgotten; 0 for all of them.
    eps : of a normalisation.
    layer : the module, where there is one.
    """

    kind: Literal["pass", "flatten", "forget", "weights", "stop"]
    per_unit: int = 1
    eps: float = 0.0
    layer: Any = None


def effect_of(node: Any, modules: dict[str, Any]) -> Effect:
    """The effect of a node of a ``torch.fx`` graph."""
    if node.op == "call_module":
        return _module_effect(modules[node.target])
    if node.op in ("call_function", "call_method"):
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        if name in _HOMOGENEOUS_CALLS or name.startswith(_POOL_CALLS) or _is_spatial_mean(name, node):
            return Effect("pass")
        if name in _FLATTEN:
            return Effect("flatten")
    return Effect("stop")


def _module_effect(layer: Any) -> Effect:
    name = type(layer).__name__
    if name in _HOMOGENEOUS_MODULES or name.startswith(_POOLS):
        return Effect("pass", layer=layer)
    if name == "Flatten":
        return Effect("flatten", layer=layer)
    if name in _WEIGHTED:
        # with groups a channel meets only some of the outputs
        return Effect("weights" if getattr(layer, "groups", 1) == 1 else "stop", layer=layer)
    if name in _BATCH_NORMS and (layer.training or layer.running_mean is None):
        return Effect("forget", 1, float(layer.eps), layer)
    if name in _INSTANCE_NORMS and (layer.training or layer.running_mean is None):
        return Effect("forget", 1, float(layer.eps), layer)
    if name == "GroupNorm":
        return Effect("forget", layer.num_channels // layer.num_groups, float(layer.eps), layer)
    if name == "LayerNorm":
        return Effect("forget", 0, float(layer.eps), layer)
    return Effect("stop", layer=layer)


def shift_axis_of(node: Any, modules: dict[str, Any]) -> bool:
    """Whether a node forgets a number that is added to all features of one example: softmax and layer normalisation."""
    if node.op == "call_module":
        layer = modules[node.target]
        if type(layer).__name__ in ("Softmax", "LogSoftmax"):
            return layer.dim in (-1, 1)
        return type(layer).__name__ == "LayerNorm" and len(layer.normalized_shape) == 1
    if node.op in ("call_function", "call_method"):
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
        return name in ("softmax", "log_softmax") and dim in (-1, 1)
    return False


def is_shape_query(node: Any) -> bool:
    """Whether a node only asks for the shape of its argument."""
    if node.op == "call_method":
        return node.target in ("size", "dim")
    return node.op == "call_function" and node.target is getattr and node.args[1:] == ("shape",)


def _is_spatial_mean(name: str, node: Any) -> bool:
    if name not in ("mean", "sum", "amax"):
        return False
    axes = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    axes = (axes,) if isinstance(axes, int) else axes
    return isinstance(axes, list | tuple) and len(axes) > 0 and set(axes) <= {2, 3, 4} | {-1, -2, -3} and 1 not in axes
