"""What the layers of a PyTorch module do to channels of their input that are multiplied by positive numbers.

That is all that finding scale and rescale symmetries needs: a layer lets the factors pass, forgets them (as
normalisation does), takes them into its weights (linear and convolutional layers), or stops them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Effect", "axes_of", "effect_of", "is_shape_query", "shift_axis_of"]

#: elementwise maps with phi(a z) = a phi(z) for a > 0, and maps that are linear on every channel, by name
_HOMOGENEOUS_MODULES = (
    "ReLU", "LeakyReLU", "PReLU", "Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d",
)  # fmt: skip
_HOMOGENEOUS_CALLS = ("relu", "relu_", "leaky_relu", "leaky_relu_", "prelu", "dropout", "neg", "contiguous", "clone")
_POOLS = ("MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "LPPool")
_POOL_CALLS = ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool")
_BATCH_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
_INSTANCE_NORMS = ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
_CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")


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
    axes : axes of positions that the output has besides those of examples and channels.
    """

    kind: Literal["pass", "flatten", "forget", "weights", "stop"]
    per_unit: int = 1
    eps: float = 0.0
    layer: Any = None
    axes: int = 0


def axes_of(node: Any, modules: dict[str, Any]) -> int:
    """Axes of positions in the output of a layer: 0 for a linear one, d for a convolution in d dimensions.

    One-dimensional batch normalisation has what the layer before it has, and 0 if that cannot be told.
    """
    while node.op == "call_module":
        name = type(modules[node.target]).__name__
        if name != "BatchNorm1d":
            return _dimension(name) if name in (*_CONVOLUTIONS, "BatchNorm2d", "BatchNorm3d") else 0
        node = node.args[0]
    return 0


def effect_of(node: Any, modules: dict[str, Any], axes: int, channels: int) -> Effect:
    """The effect of a node of a ``torch.fx`` graph on an input with so many axes of positions, and channels."""
    if node.op == "call_module":
        return _module_effect(modules[node.target], axes)
    if node.op in ("call_function", "call_method"):
        name = _name(node)
        if name in _HOMOGENEOUS_CALLS or (name.startswith(_POOL_CALLS) and _dimension(name) == axes):
            return Effect("pass", axes=axes)
        if _keeps_examples(name, node, axes, channels):
            return Effect("flatten")
        if name in ("mean", "sum", "amax"):
            left = _axes_left(node, axes)
            return Effect("stop") if left is None else Effect("pass", axes=left)
    return Effect("stop")


def _name(node: Any) -> str:
    return str(node.target if isinstance(node.target, str) else getattr(node.target, "__name__", ""))


def _dimension(name: str) -> int:
    """The number in names such as MaxPool2d; 0 if there is none."""
    return int(name[-2]) if name[-1:] == "d" and name[-2:-1].isdigit() else 0


def _module_effect(layer: Any, axes: int) -> Effect:
    name = type(layer).__name__
    if name in _HOMOGENEOUS_MODULES or (name.startswith(_POOLS) and _dimension(name) == axes):
        return Effect("pass", layer=layer, axes=axes)
    if name == "Flatten" and (layer.start_dim, layer.end_dim) == (1, -1):
        return Effect("flatten", layer=layer)
    if (name == "Linear" and axes == 0) or (name in _CONVOLUTIONS and _dimension(name) == axes):
        # with groups a channel meets only some of the outputs
        return Effect("weights" if getattr(layer, "groups", 1) == 1 else "stop", layer=layer)
    batch = name in _BATCH_NORMS and _dimension(name) == max(axes, 1)
    instance = name in _INSTANCE_NORMS and _dimension(name) == axes
    if (batch or instance) and (layer.training or layer.running_mean is None):
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
        name = _name(node)
        dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
        return name in ("softmax", "log_softmax") and dim in (-1, 1)
    return False


def is_shape_query(node: Any) -> bool:
    """Whether a node only asks for the shape of its argument."""
    if node.op == "call_method":
        return node.target in ("size", "dim")
    return node.op == "call_function" and node.target is getattr and node.args[1:] == ("shape",)


def _keeps_examples(name: str, node: Any, axes: int, channels: int) -> bool:
    """Whether a call puts channels and positions of each example into one axis, and nothing else."""
    if name == "flatten":
        ends = (*node.args[1:], *([] if len(node.args) > 2 else [-1])) if len(node.args) > 1 else ()
        given = {"start_dim": 0, "end_dim": -1, **dict(zip(("start_dim", "end_dim"), ends, strict=False))}
        given |= {key: value for key, value in node.kwargs.items() if key in given}
        return given == {"start_dim": 1, "end_dim": -1}
    if name not in ("view", "reshape"):
        return False
    shape = node.args[1:]
    shape = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], list | tuple) else shape
    # rows that are as long as there are channels hold positions, if there are any
    return len(shape) == 2 and not (axes and shape[0] == -1 and shape[1] == channels)


def _axes_left(node: Any, axes: int) -> int | None:
    """Axes of positions that are left by a mean, sum or maximum over some of them; None if it is over others."""
    given = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    found = {given} if isinstance(given, int) else set(given or ()) if isinstance(given, list | tuple) else set()
    ahead = {dim - axes - 2 if isinstance(dim, int) and dim >= 0 else dim for dim in found}
    if not ahead or not ahead <= set(range(-axes, 0)):
        return None
    kept = node.kwargs.get("keepdim", node.args[2] if len(node.args) > 2 else False)
    return axes if kept else axes - len(ahead)
