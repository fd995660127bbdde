"""Finding the symmetries of a PyTorch module from its graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from estimators.mechanics import Part, Symmetry
from randtensor.errors import InputError
from randtensor.interop.torch_normalization import import_torch
from theory_checks.symmetries.layers import Effect, axes_of, effect_of, is_shape_query, shift_axis_of

__all__ = ["FoundSymmetry", "find_symmetries", "rescale_group", "scale_group"]


@dataclass(frozen=True)
class FoundSymmetry(Symmetry):
    """A symmetry with the reason for it.

    Attributes
    ----------
    through : the layers that make it one: normalisation, softmax, or everything between incoming and outgoing weights.
    eps : the largest constant that a normalisation among them adds to a variance; the symmetry is exact only at 0.
    """

    through: tuple[str, ...] = ()
    eps: float = 0.0


def find_symmetries(module: Any, loss: Any = "cross-entropy") -> list[FoundSymmetry]:
    """The translation, scale and rescale symmetries that follow from the architecture of a module.

    Found are: columns of weights, and the bias, of a linear layer before a softmax or layer normalisation
    (translation); biases before a normalisation (translation); weights and biases before batch, instance, group or
    layer normalisation (scale); incoming and outgoing weights of units between which there are only maps with
    phi(a z) = a phi(z) for a > 0, such as ReLU, pooling and dropout (rescale), also where the incoming weights are the
    gains of a batch normalisation. Units that are used in several places are followed to all of them. Shared and
    frozen parameters, grouped convolutions and units that reach a sum, as in residual connections, belong to no group.
    Linear layers are taken to act on rows of features, shape (examples, features).

    Parameters
    ----------
    module : a ``torch.nn.Module`` in the mode (train or eval) that it is to have: batch normalisation with running
        averages is no normalisation.
    loss : "cross-entropy" says that a softmax follows the output; anything else says nothing.

    Raises
    ------
    InputError : PyTorch is not installed, or ``torch.fx`` cannot trace the module.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, eps=1e-30), nn.ReLU(), nn.Linear(3, 2))
    >>> for found in find_symmetries(net):
    ...     print(found.name, "|", ", ".join(found.through))
    translation of 0.bias | 1
    scale of 0 | 1
    rescale of 1 and 3 | 2
    translation of 3.weight | softmax
    translation of 3.bias | softmax
    """
    walk = _Walk.of(module)
    return [symmetry for producer in walk.producers() for symmetry in walk.symmetries(producer, loss)]


def scale_group(module: Any, layer: str) -> FoundSymmetry:
    """The scale symmetry of the units of one layer.

    Raises
    ------
    InputError : there is none, with what stands in its way.

    Examples
    --------
    >>> from torch import nn
    >>> scale_group(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh()), "0").eps
    1e-05
    """
    walk = _Walk.of(module)
    reach = walk.reach(walk.node(layer))
    if reach.weights or not reach.forgotten:
        raise InputError(f"the units of {layer!r} are not normalised, expected batch or layer normalisation after it")
    return walk.group(layer, reach)


def rescale_group(module: Any, incoming: str, outgoing: str) -> FoundSymmetry:
    """The rescale symmetry of the units between two layers.

    Raises
    ------
    InputError : there is none, with what stands in its way: an activation that is not homogeneous, say.

    Examples
    --------
    >>> from torch import nn
    >>> rescale_group(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), "0", "2").parts[-1]
    Part(name='2.weight', axis=1, sign=-1, repeat=1)
    >>> rescale_group(nn.Sequential(nn.Linear(4, 3), nn.GELU(), nn.Linear(3, 2)), "0", "2")
    Traceback (most recent call last):
    ...
    randtensor.errors.InputError: the units of '0' reach GELU (_1), expected only homogeneous activations, pooling, \
normalisation of the batch, and linear or convolutional layers with weights of their own
    """
    walk = _Walk.of(module)
    reach = walk.reach(walk.node(incoming))
    if not any(part.name == f"{outgoing}.weight" for part in reach.weights):
        reached = (
            ", ".join(part.name for part in reach.weights) or f"the normalisation {reach.through[-1]!r} and no weights"
        )
        raise InputError(f"outgoing is {outgoing!r}, expected what the units of {incoming!r} reach: {reached}")
    return walk.group(incoming, reach)


@dataclass
class _Reach:
    """Where factors on the channels of a layer go."""

    weights: list[Part] = field(default_factory=list)
    forgotten: list[Effect] = field(default_factory=list)
    through: list[str] = field(default_factory=list)


@dataclass
class _Walk:
    """A traced module."""

    nodes: list[Any]
    modules: dict[str, Any]
    #: names of the parameters that are trained and that exactly one place of the graph uses
    own: set[str]

    @classmethod
    def of(cls, module: Any) -> _Walk:
        torch = import_torch()
        if not isinstance(module, torch.nn.Module):
            raise InputError(f"module is {module!r}, expected a torch.nn.Module")
        try:
            graph = torch.fx.symbolic_trace(module).graph
        except Exception as error:
            raise InputError(
                f"module cannot be traced by torch.fx ({type(error).__name__}), expected groups given by hand"
            ) from error
        nodes, modules = list(graph.nodes), dict(module.named_modules())
        calls = Counter(node.target for node in nodes if node.op == "call_module")
        everywhere = Counter(id(p) for _, p in module.named_parameters(remove_duplicate=False))
        direct = {node.target for node in nodes if node.op == "get_attr"}
        own = {
            name
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
            and everywhere[id(parameter)] == 1
            and calls[name.rpartition(".")[0]] == 1
            and name not in direct
        }
        return cls(nodes, modules, own)

    def node(self, layer: str) -> Any:
        for node in self.nodes:
            if node.op == "call_module" and node.target == layer:
                return node
        known = ", ".join(node.target for node in self.nodes if node.op == "call_module")
        raise InputError(f"layer is {layer!r}, expected one of {known}")

    def producers(self) -> Iterator[Any]:
        """Layers whose output channels have parameters of their own, none of them shared."""
        for node in self.nodes:
            if node.op == "call_module" and self._channels(self.modules[node.target]):
                names = [f"{node.target}.{name}" for name, _ in self.modules[node.target].named_parameters()]
                if names and all(name in self.own for name in names):
                    yield node

    @staticmethod
    def _channels(layer: Any) -> int:
        """Output channels that weights on the first axis, and biases, belong to; 0 if there are none."""
        name = type(layer).__name__
        if name == "Linear":
            return int(layer.out_features)
        if name in ("Conv1d", "Conv2d", "Conv3d"):
            return int(layer.out_channels)
        return int(layer.num_features) if name.startswith("BatchNorm") and layer.affine else 0

    def symmetries(self, node: Any, loss: Any) -> Iterator[FoundSymmetry]:
        """All symmetries of the parameters of one layer."""
        layer, users = self.modules[node.target], self._users(node)
        shifts = [self._shift(user, loss) for user in users]
        whole = type(layer).__name__ == "Linear" and bool(users) and all(shifts)
        biased = getattr(layer, "bias", None) is not None
        try:
            reach = self.reach(node)
        except InputError:
            reach = None
        if biased and not whole and reach is not None and self._forgets_shift(node, users):
            per_unit = self._per_unit(node.target, reach)
            part = Part(f"{node.target}.bias", 0, repeat=per_unit)
            yield self._translation(part, reach.through)  # whatever eps is: it is added to the variance
        if reach is not None:
            yield self.group(node.target, reach)
        if whole:
            for part in (Part(f"{node.target}.weight", 1), *([Part(f"{node.target}.bias", None)] if biased else [])):
                yield self._translation(part, shifts)

    @staticmethod
    def _translation(part: Part, through: list[str]) -> FoundSymmetry:
        return FoundSymmetry("translation", (part,), f"translation of {part.name}", tuple(through))

    def _shift(self, user: Any, loss: Any) -> str:
        """The name of what forgets a number added to all features, or nothing."""
        if user.op == "output":
            return "softmax" if loss == "cross-entropy" else ""
        return str(user.target) if shift_axis_of(user, self.modules) else ""

    def _forgets_shift(self, node: Any, users: list[Any]) -> bool:
        """Whether all that follows at once subtracts a mean from each channel."""
        axes, channels = axes_of(node, self.modules), self._channels(self.modules[node.target])
        return bool(users) and all(effect_of(user, self.modules, axes, channels).kind == "forget" for user in users)

    def group(self, layer: str, reach: _Reach) -> FoundSymmetry:
        """The symmetry of a layer whose factors go there."""
        repeat = self._per_unit(layer, reach)
        names = [name for name, _ in self.modules[layer].named_parameters()]
        incoming = [Part(f"{layer}.{name}", 0, repeat=repeat) for name in names]
        outgoing = [Part(part.name, 1, -1, part.repeat * repeat) for part in reach.weights]
        eps = max((effect.eps for effect in reach.forgotten), default=0.0)
        if outgoing:
            others = ", ".join(part.name.removesuffix(".weight") for part in outgoing)
            name = f"rescale of {layer} and {others}"
            return FoundSymmetry("rescale", (*incoming, *outgoing), name, tuple(reach.through), eps)
        return FoundSymmetry("scale", tuple(incoming), f"scale of {layer}", tuple(reach.through), eps)

    def _per_unit(self, layer: str, reach: _Reach) -> int:
        channels = self._channels(self.modules[layer])
        return math.lcm(*(effect.per_unit or channels for effect in reach.forgotten))

    def _users(self, node: Any) -> list[Any]:
        return [user for user in node.users if not is_shape_query(user)]

    def reach(self, node: Any) -> _Reach:
        """Follow positive factors on the output channels of a layer.

        Raises
        ------
        InputError : they cannot be absorbed, with the layer that stops them.
        """
        reach, channels = _Reach(), self._channels(self.modules[node.target])
        if not channels:
            what = type(self.modules[node.target]).__name__
            raise InputError(f"layer {node.target!r} is a {what}, expected a linear, convolutional or batch-norm layer")
        if not self._users(node):
            raise InputError(f"the output of {node.target!r} is not used, expected layers after it")
        positions = axes_of(node, self.modules)
        pending = [(user, positions, False) for user in self._users(node)]
        while pending:
            user, axes, flat = pending.pop(0)
            effect = effect_of(user, self.modules, axes, channels)
            label = str(user.target if user.op == "call_module" else user.name)
            fits = getattr(effect.layer, "num_features", getattr(effect.layer, "num_channels", channels)) == channels
            if effect.kind == "stop" or not fits:
                raise InputError(self._stopped(node.target, user, effect))
            if effect.kind == "weights":
                entries = effect.layer.weight.shape[1]
                # positions of a flattened image stand beside each other, channel by channel
                alike = entries == channels or (positions > 0 and flat and entries % channels == 0)
                if f"{label}.weight" not in self.own or not alike:
                    raise InputError(self._stopped(node.target, user, effect))
                reach.weights.append(Part(f"{label}.weight", 1, -1, entries // channels))
                continue
            reach.through.append(label)
            if effect.kind == "forget":
                reach.forgotten.append(effect)
                continue
            flat = flat or effect.kind == "flatten"
            pending.extend((further, effect.axes, flat) for further in self._users(user))
            if not self._users(user):
                raise InputError(self._stopped(node.target, user, effect))
        return reach

    def _stopped(self, layer: str, user: Any, effect: Effect) -> str:
        what = type(effect.layer).__name__ if effect.layer is not None else str(user.target)
        where = "the output" if user.op == "output" else f"{what} ({user.name})"
        return (
            f"the units of {layer!r} reach {where}, expected only homogeneous activations, pooling, normalisation of "
            "the batch, and linear or convolutional layers with weights of their own"
        )
