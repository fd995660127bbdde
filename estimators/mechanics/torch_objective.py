"""PyTorch modules as objectives; PyTorch is imported when one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from estimators.mechanics.objectives import ParameterLayout
from randtensor.errors import InputError, ShapeError
from randtensor.interop.library import first_line
from randtensor.interop.torch_normalization import elementary_normalization, import_torch

__all__ = ["ModuleObjective"]

Array = np.ndarray


class ModuleObjective:
    """A ``torch.nn.Module`` with data and a loss, differentiated by PyTorch.

    The module is called with parameters that are given, in the mode (train or eval) that its layers are in; its own
    parameters and buffers are left as they are.

    Parameters
    ----------
    module : the network.
    inputs, targets : all data, one row per example; tensors, or arrays that PyTorch takes. Inputs that are not integers
        have the type of the parameters.
    loss : "cross-entropy", "squared" (the mean of |f - y|^2 / 2 over examples), or a function ``(outputs, targets) ->
        scalar`` of tensors.

    Raises
    ------
    InputError : PyTorch is not installed, another loss, no module, or one without real parameters of known shapes, or a
        dropout layer in train mode, with which two evaluations on one batch differ; as it is evaluated, a module that
        draws random numbers, or that PyTorch cannot evaluate on the inputs.
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
        if not isinstance(module, torch.nn.Module):
            raise InputError(f"module is {module!r}, expected a torch.nn.Module")
        from randtensor.interop.torch_modules import check_parameters

        check_parameters(module, "module")
        for name, layer in module.named_modules():
            if isinstance(layer, torch.nn.modules.dropout._DropoutNd) and layer.training and layer.p > 0:
                raise InputError(
                    f"module has the dropout layer {name!r} in train mode, expected it in eval mode: "
                    "otherwise two evaluations on one batch differ"
                )
        self.module = module
        self.inputs, self.targets = (_tensor(torch, n, a) for n, a in (("inputs", inputs), ("targets", targets)))
        if len(self.inputs) != len(self.targets):
            raise ShapeError(f"inputs has {len(self.inputs)} rows and targets {len(self.targets)}, expected as many")
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

    @property
    def precision(self) -> float:
        """Relative rounding of the parameters, of the coarsest type among them."""
        torch = import_torch()
        return max((float(torch.finfo(dtype).eps) for dtype, _ in self._types.values()), default=0.0)

    def loss(self, parameters: Array, batch: Any = None) -> float:
        """The loss on a batch."""
        return float(self._evaluate(self._tensors(parameters), batch).detach())

    def gradient(self, parameters: Array, batch: Any = None) -> Array:
        """Its gradient, shape (P,)."""
        return self._derivative(parameters, batch, [])

    def hessian_product(self, parameters: Array, vector: Array, batch: Any = None) -> Array:
        """The Hessian times a vector, shape (P,)."""
        return self._derivative(parameters, batch, [vector])

    def third_product(self, parameters: Array, first: Array, second: Array, batch: Any = None) -> Array:
        """The third derivative times two vectors, shape (P,).

        PyTorch (2.13) gives wrong third derivatives of batch and layer normalisation, as if the saved mean and
        deviation were constants in the second backward pass. Normalisations are written out for this one.
        """
        with elementary_normalization():
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
        # running averages of normalisation layers are written to in place, and some modules write to their inputs
        buffers = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        inputs, state = self.inputs[rows].clone(), {**tensors, **self._frozen, **buffers}
        before = _generators(torch, inputs)
        # fused kernels of attention have no second derivatives
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            try:
                outputs = torch.func.functional_call(self.module, state, (inputs,))
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise InputError(
                    f"module cannot be evaluated on inputs of shape {tuple(inputs.shape)} and type {inputs.dtype} "
                    f"({first_line(error)}), expected inputs of the type of its parameters, one row per example"
                ) from error
        if any(not torch.equal(*pair) for pair in zip(before, _generators(torch, inputs), strict=True)):
            raise InputError("module draws random numbers as it is evaluated, expected it in eval mode")
        return self._loss(outputs, self.targets[rows])


def _tensor(torch: Any, name: str, values: Any) -> Any:
    try:
        found = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} is {type(values).__name__}, expected a tensor or an array of numbers") from error
    if found.dim() == 0:
        raise ShapeError(f"{name} is a single number, expected one row per example")
    return found


def _generators(torch: Any, inputs: Any) -> list[Any]:
    """The states of the generators that an evaluation could draw from."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(inputs.device)] if inputs.is_cuda else [])]


def _squared(outputs: Any, targets: Any) -> Any:
    if outputs.shape != targets.shape:
        raise ShapeError(
            f"targets has shape {tuple(targets.shape)} on a batch, expected that of the outputs, {tuple(outputs.shape)}"
        )
    return ((outputs - targets) ** 2).sum() / (2 * len(outputs))


def _loss_function(torch: Any, choice: Any) -> Callable[[Any, Any], Any]:
    if callable(choice):
        found: Callable[[Any, Any], Any] = choice
        return found
    if choice == "cross-entropy":
        cross_entropy: Callable[[Any, Any], Any] = torch.nn.functional.cross_entropy
        return cross_entropy
    if choice == "squared":
        return _squared
    raise InputError(f"loss is {choice!r}, expected 'cross-entropy', 'squared' or a function of outputs and targets")
