"""PyTorch modules as objectives; PyTorch is imported when one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from estimators.mechanics.objectives import ParameterLayout
from randtensor.errors import InputError, ShapeError

__all__ = ["ModuleObjective", "import_torch"]

Array = np.ndarray


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


class ModuleObjective:
    """A ``torch.nn.Module`` with data and a loss, differentiated by PyTorch.

    The module is called with parameters that are given, in the mode (train or eval) that its layers are in; its own
    parameters and buffers are left as they are.

    Parameters
    ----------
    module : the network.
    inputs, targets : all data, one row per example.
    loss : "cross-entropy", "squared" (the mean of |f - y|^2 / 2 over examples), or a function ``(outputs, targets) ->
        scalar`` of tensors.

    Raises
    ------
    InputError : PyTorch is not installed, another loss, or a dropout layer in train mode, with which two evaluations on
        one batch differ.
    ShapeError : inputs and targets that do not go together.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)
    >>> objective = ModuleObjective(layer, torch.eye(2, dtype=torch.float64), torch.zeros(2, 1), loss="squared")
    >>> objective.gradient(np.array([1.0, 3.0])).tolist()
    [0.5, 1.5]
    """

    def __init__(self, module: Any, inputs: Any, targets: Any, loss: Any = "cross-entropy") -> None:
        torch = import_torch()
        for name, layer in module.named_modules():
            if isinstance(layer, torch.nn.modules.dropout._DropoutNd) and layer.training and layer.p > 0:
                raise InputError(
                    f"module has the dropout layer {name!r} in train mode, expected it in eval mode: "
                    "otherwise two evaluations on one batch differ"
                )
        if len(inputs) != len(targets):
            raise ShapeError(f"inputs has {len(inputs)} rows and targets {len(targets)}, expected as many")
        self.module, self.inputs, self.targets = module, torch.as_tensor(inputs), torch.as_tensor(targets)
        self._loss = _loss_function(torch, loss)
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self._frozen = {name: p.detach() for name, p in module.named_parameters() if not p.requires_grad}
        self._types = {name: (p.dtype, p.device) for name, p in trained.items()}
        self.layout = ParameterLayout({name: tuple(p.shape) for name, p in trained.items()})

    @property
    def parameters(self) -> Array:
        """The parameters that the module has now, as one vector."""
        own = {n: p.detach().cpu().numpy() for n, p in self.module.named_parameters() if n in self.layout.shapes}
        return self.layout.join(own).astype(float)

    def loss(self, parameters: Array, batch: Any = None) -> float:
        """The loss on a batch."""
        return float(self._evaluate(self._tensors(parameters), batch))

    def gradient(self, parameters: Array, batch: Any = None) -> Array:
        """Its gradient, shape (P,)."""
        return self._derivative(parameters, batch, [])

    def hessian_product(self, parameters: Array, vector: Array, batch: Any = None) -> Array:
        """The Hessian times a vector, shape (P,)."""
        return self._derivative(parameters, batch, [vector])

    def third_product(self, parameters: Array, first: Array, second: Array, batch: Any = None) -> Array:
        """The third derivative times two vectors, shape (P,).

        PyTorch (2.13) takes the saved mean and deviation of a normalisation for constants when it differentiates a
        second backward pass, so that third derivatives come out wrong. Normalisations are written out for this one.
        """
        with _written_out():
            return self._derivative(parameters, batch, [first, second])

    def _derivative(self, parameters: Array, batch: Any, vectors: list[Array]) -> Array:
        """The gradient of the loss, differentiated along each of the vectors in turn."""
        torch = import_torch()
        tensors = self._tensors(parameters)
        leaves = list(tensors.values())
        scalar = self._evaluate(tensors, batch)
        for vector in vectors:
            first = torch.autograd.grad(scalar, leaves, create_graph=True, allow_unused=True)
            along = self._tensors(vector)
            scalar = sum((g * v.detach()).sum() for g, v in zip(first, along.values(), strict=True) if g is not None)
        if not getattr(scalar, "requires_grad", False):  # the derivative is constant
            return np.zeros(self.layout.size)
        found = torch.autograd.grad(scalar, leaves, allow_unused=True)
        arrays = {n: g.cpu().numpy() for n, g in zip(tensors, found, strict=True) if g is not None}
        return self.layout.join(arrays).astype(float)

    def _tensors(self, vector: Array) -> dict[str, Any]:
        torch = import_torch()
        found = {}
        for name, array in self.layout.split(np.asarray(vector, dtype=float)).items():
            dtype, device = self._types[name]
            found[name] = torch.as_tensor(array.copy(), dtype=dtype, device=device).requires_grad_()
        return found

    def _evaluate(self, tensors: dict[str, Any], batch: Any) -> Any:
        torch = import_torch()
        rows = slice(None) if batch is None else torch.as_tensor(np.asarray(batch))
        # running averages of normalisation layers are written to in place
        buffers = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        outputs = torch.func.functional_call(self.module, {**tensors, **self._frozen, **buffers}, (self.inputs[rows],))
        return self._loss(outputs, self.targets[rows])


def _loss_function(torch: Any, choice: Any) -> Callable[[Any, Any], Any]:
    if callable(choice):
        found: Callable[[Any, Any], Any] = choice
        return found
    if choice == "cross-entropy":
        cross_entropy: Callable[[Any, Any], Any] = torch.nn.functional.cross_entropy
        return cross_entropy
    if choice == "squared":
        return lambda outputs, targets: ((outputs - targets) ** 2).sum() / (2 * len(outputs))
    raise InputError(f"loss is {choice!r}, expected 'cross-entropy', 'squared' or a function of outputs and targets")


def _written_out() -> Any:
    """A context in which normalisations consist of elementary operations."""
    torch = import_torch()
    functional = torch.nn.functional

    def normalized(x: Any, axes: Any, eps: float) -> Any:
        centred = x - x.mean(axes, keepdim=True)
        return centred / (centred.square().mean(axes, keepdim=True) + eps).sqrt()

    def affine(x: Any, weight: Any, bias: Any, shape: Any) -> Any:
        x = x if weight is None else x * weight.reshape(shape)
        return x if bias is None else x + bias.reshape(shape)

    def channels(x: Any) -> list[int]:
        return [1, -1] + [1] * (x.dim() - 2)

    def batch_norm(
        x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None, training: bool = False,
        momentum: float = 0.1, eps: float = 1e-5,
    ) -> Any:  # fmt: skip
        if training:
            x = normalized(x, [axis for axis in range(x.dim()) if axis != 1], eps)
        else:
            x = (x - mean.reshape(channels(x))) / (var.reshape(channels(x)) + eps).sqrt()
        return affine(x, weight, bias, channels(x))

    def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
        return affine(normalized(x, list(range(-len(shape), 0)), eps), weight, bias, list(shape))

    def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
        parts = normalized(x.reshape(len(x), groups, -1), [2], eps)
        return affine(parts.reshape(x.shape), weight, bias, channels(x))

    def instance_norm(
        x: Any, mean: Any = None, var: Any = None, weight: Any = None, bias: Any = None, own: bool = True,
        momentum: float = 0.1, eps: float = 1e-5,
    ) -> Any:  # fmt: skip
        if not own:
            return batch_norm(x, mean, var, weight, bias, False, momentum, eps)
        return affine(normalized(x, list(range(2, x.dim())), eps), weight, bias, channels(x))

    written = {
        functional.instance_norm: instance_norm,
        functional.batch_norm: batch_norm,
        functional.layer_norm: layer_norm,
        functional.group_norm: group_norm,
    }

    class WrittenOut(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return written.get(function, function)(*args, **(kwargs or {}))

    return WrittenOut()
