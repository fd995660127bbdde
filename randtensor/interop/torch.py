"""Modules of PyTorch as random functions.

>>> import torch, randtensor as rt
>>> from randtensor.interop.torch import random_function
>>> def mlp(n):
...     return torch.nn.Sequential(torch.nn.Linear(2, n), torch.nn.Tanh(), torch.nn.Linear(n, 1))
>>> f = random_function(mlp)
>>> g = f.derivative([1.0, -1.0])
>>> rt.einsum("a,a->", g, g).sample(256, size=3, rng=0).shape  # the tangent kernel of three modules of width 256
(3,)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from randtensor.errors import InputError
from randtensor.interop.calculus import Calculus
from randtensor.interop.dense import DenseFunction, DenseSpace
from randtensor.interop.factories import Factory, check_output
from randtensor.interop.library import Library, Model, check_dtype, first_line, whole
from randtensor.interop.torch_modules import check_module
from randtensor.interop.torch_normalization import elementary_normalization

__all__ = ["TorchFunction", "random_function"]

Array = np.ndarray

#: Work with PyTorch is done by one thread at a time: modules draw their parameters from a generator that all threads
#: share, modules that are called with other parameters hold these meanwhile, and levels of forward mode are counted per
#: process.
_lock = threading.RLock()


class TorchFunction(DenseFunction):
    """A factory of modules as a random function; made by `random_function`."""

    def module(self, n: int | Mapping[str, int], seed: tuple[int, int] = (0, 0)) -> torch.nn.Module:
        """The module of one sample, as the factory makes it from a seed, of which PyTorch's generator keeps 32 bits.

        >>> f = random_function(lambda n: torch.nn.Sequential(torch.nn.Linear(1, n), torch.nn.Linear(n, 1)))
        >>> f.module(3)[0].weight.shape
        torch.Size([3, 1])
        """
        model: TorchModel = self.calculus.model  # type: ignore[assignment]
        sizes = n if isinstance(n, Mapping) else dict.fromkeys(model.scale_names, n)
        return model.seeded(sizes, np.array(seed, dtype=np.uint32))


def random_function(
    factory: Any,
    *,
    scales: Any = "n",
    output: Any = None,
    batched: bool = True,
    dtype: Any = "float64",
    device: Any = None,
    threads: int = 1,
    tokens: bool = False,
    layers: Any = None,
    probe: int | None = None,
    name: str | None = None,
) -> TorchFunction:
    """A random function from a factory of modules, with the law that the modules' own initialisation has.

    Its parameters are those of the module that require gradients, drawn by calling the factory under a seed of its own
    for every sample. Derivatives are by nested forward mode and one reverse pass, vectorised over samples.

    Parameters
    ----------
    factory : a function of the width that gives a ``torch.nn.Module``; with several scales, one that takes each by its
        name; or a mapping from widths to functions without arguments, as the coordinate checks of muP take it.
    scales : the scale or scales, or their names.
    output : index of the component of the output that counts. None for a module with one output, or for all of them
        (a vector-valued function).
    batched : whether the module takes a stack of inputs; False for modules of one input at a time.
    dtype : "float64" or "float32", of all evaluations. Parameters are drawn as the module draws them.
    device : where to evaluate; None takes CUDA if there is one. Parameters are drawn on the CPU.
    threads : that PyTorch uses on the CPU. Workers (``jobs``) take turns with PyTorch, so that this is what makes use
        of several cores; sums of other numbers of threads differ by rounding.
    tokens : whether inputs are integers, as for embeddings.
    layers : names of submodules whose outputs are the features that training observes; None for all without children.
    probe : width at which the factory is tried (and at twice it); 32 if not given.
    name : identifies the function; random streams are keyed by it and by the shapes of the parameters.

    Raises
    ------
    InputError, ShapeError : a factory that fails or whose modules do not grow; modules that are random or that update
        buffers as they are evaluated (dropout and batch normalisation in training mode), that hold tensors which are
        not registered, or that PyTorch cannot vectorise; outputs of more than one axis without ``output``.

    Examples
    --------
    >>> import estimators, randtensor as rt
    >>> def mlp(n):
    ...     return torch.nn.Sequential(torch.nn.Linear(2, n), torch.nn.Tanh(), torch.nn.Linear(n, 1))
    >>> f = random_function(mlp)
    >>> H, g = f.derivative([1.0, 0.0], order=2), f.derivative([0.0, 1.0])
    >>> rt.einsum("ab,a,b->", H, g, g).sample(64, size=2, rng=0).shape
    (2,)
    >>> run = estimators.train(f, [[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0], steps=3, n=64, samples=2, rng=0)
    >>> run.outputs.shape
    (2, 4, 2)
    """
    made = Factory(factory, scales, probe)
    library = TorchLibrary(check_dtype(dtype), device, threads)
    model = TorchModel(made, library, bool(tokens), layers, name or made.name)
    model.check_growth()
    return TorchFunction(DenseSpace(model), Calculus(model, check_output(output), bool(batched)), model.name)


class TorchLibrary(Library):
    """PyTorch at one floating type and on one device."""

    name = "torch"
    transforms = torch.func
    namespace = torch

    def __init__(self, dtype: str, device: Any, threads: int) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise InputError(f"threads is {threads!r}, expected a positive number of threads")
        self.dtype, self.threads = getattr(torch, dtype), threads
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            torch.empty(0, device=self.device)
        except (RuntimeError, TypeError, AssertionError) as error:
            raise InputError(f"device is {device!r} ({first_line(error)}), expected one that PyTorch has") from error

    @contextmanager
    def context(self) -> Iterator[None]:
        # fused kernels of attention have no forward mode
        with _lock, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            threads, fused = torch.get_num_threads(), torch.backends.mha.get_fastpath_enabled()
            torch.set_num_threads(self.threads)
            torch.backends.mha.set_fastpath_enabled(False)
            try:
                yield
            finally:
                torch.set_num_threads(threads)
                torch.backends.mha.set_fastpath_enabled(fused)

    def array(self, values: Array) -> Any:
        return torch.as_tensor(np.array(values), dtype=self.dtype, device=self.device)

    def numpy(self, values: Any) -> Array:
        return np.asarray(values.detach().to("cpu", torch.float64).numpy())

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def explain(self, error: Exception) -> str | None:
        if isinstance(error, torch.OutOfMemoryError | MemoryError | Warning):
            return None
        text = first_line(error)
        # what is written to has no axis of samples, or fewer axes than what is written
        if any(sign in text for sign in ("inplace", "in-place", "doesn't match the broadcast shape")):
            return f"it changes a tensor in place ({text}), expected x = x + y in place of x += y"
        if "randomness" in text:
            return f"it draws random numbers as it is evaluated ({text}), expected a factory that returns module.eval()"
        if "data-dependent control flow" in text or ".item()" in text:
            return f"it depends on the values of tensors in Python ({text}), expected operations on tensors alone"
        return f"it fails ({text}), expected inputs of the shape that it takes, and operations that torch.func supports"


class TorchModel(Model):
    """The modules of a factory."""

    library: TorchLibrary

    def __init__(self, factory: Factory, library: TorchLibrary, tokens: bool, layers: Any, name: str) -> None:
        self.factory, self.library, self.tokens, self.name = factory, library, tokens, name
        self.scale_names, self.probes = factory.scale_names, factory.probes
        if isinstance(layers, str) or (layers is not None and not all(isinstance(layer, str) for layer in layers)):
            raise InputError(f"layers is {layers!r}, expected a list of names of submodules")
        self._layers = None if layers is None else tuple(layers)
        self._skeletons: dict[Any, tuple[torch.nn.Module, dict[str, tuple[int, ...]]]] = {}

    def check_growth(self) -> None:
        """Refuse modules that do not grow, or that differ between two calls with one seed."""
        super().check_growth()
        same = [self.seeded(self.probes[0], np.array([1, 2], dtype=np.uint32)) for _ in range(2)]
        for (name, one), (_, other) in zip(*(_tensors(module).items() for module in same), strict=True):
            if not torch.equal(one, other):
                raise InputError(
                    f"parameter {name!r} of {self.name} differs between two modules of one seed, "
                    f"expected parameters that are drawn by PyTorch's own generator"
                )

    def seeded(self, sizes: Mapping[str, int], seed: Array) -> torch.nn.Module:
        """The module that the factory makes from a seed; the generator of the user is left as it was."""
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
        with _lock, torch.random.fork_rng(devices=list(devices)):
            torch.manual_seed(int(seed[0]) << 31 ^ int(seed[1]))
            module = self.factory(sizes)
        if not isinstance(module, torch.nn.Module):
            raise InputError(f"the factory gave {type(module).__name__} at {dict(sizes)}, expected a torch.nn.Module")
        return module

    def skeleton(self, sizes: Mapping[str, int]) -> torch.nn.Module:
        """A module at these sizes, whose own parameters do not matter."""
        return self._known(sizes)[0]

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        return self._known(sizes)[1]

    def _known(self, sizes: Mapping[str, int]) -> tuple[torch.nn.Module, dict[str, tuple[int, ...]]]:
        key = tuple(sorted(sizes.items()))
        with _lock:
            if key not in self._skeletons:
                module = self.seeded(sizes, np.zeros(2, dtype=np.uint32))
                check_module(module, self.name)
                # kept, since a module that is being called with other parameters shows those
                shapes = {name: tuple(p.shape) for name, p in module.named_parameters() if p.requires_grad}
                self._skeletons[key] = module.to(self.library.device, self.library.dtype), shapes
            return self._skeletons[key]

    def start(self, sizes: Mapping[str, int], seeds: Array) -> tuple[dict[str, Any], Any]:
        shapes = self.shapes(sizes)
        states = [self._state(self.seeded(sizes, seed)) for seed in seeds]
        stacked = {name: torch.stack([state[name] for state in states]) for name in states[0]}
        return {n: stacked[n] for n in shapes}, {n: t for n, t in stacked.items() if n not in shapes}

    def _state(self, module: torch.nn.Module) -> dict[str, Any]:
        """Parameters and buffers, on the device and of the floating type of the evaluation."""
        found = {}
        for name, tensor in _tensors(module).items():
            dtype = self.library.dtype if tensor.is_floating_point() else tensor.dtype
            found[name] = tensor.to(self.library.device, dtype)
        return found

    def function(self, sizes: Mapping[str, int]) -> Callable[[dict[str, Any], Any, Any], Any]:
        module = self.skeleton(sizes)

        def function(parameters: dict[str, Any], rest: Any, inputs: Any) -> Any:
            with elementary_normalization():
                found = functional_call(module, {**parameters, **rest}, (inputs.clone(),))
            if not isinstance(found, torch.Tensor):
                raise InputError(f"{self.name} gives {type(found).__name__}, expected a tensor")
            return found

        return function

    def layers(self, sizes: Mapping[str, int]) -> Callable[[dict[str, Any], Any, Any], dict[str, Any]]:
        module = self.skeleton(sizes)
        known = dict(module.named_modules())
        if self._layers is None:
            chosen = {name: part for name, part in known.items() if not any(True for _ in part.children())}
        else:
            for layer in self._layers:
                if layer not in known:
                    raise InputError(f"layers has {layer!r}, expected names of submodules among {', '.join(known)}")
            chosen = {name: known[name] for name in self._layers}
        function = self.function(sizes)

        def layers(parameters: dict[str, Any], rest: Any, inputs: Any) -> dict[str, Any]:
            found: dict[str, Any] = {}
            with _hooks(chosen, found):
                function(parameters, rest, inputs)
            return found

        return layers

    def inputs(self, values: Array) -> Any:
        if not self.tokens:
            return self.library.array(values)
        return torch.as_tensor(whole(values), device=self.library.device)

    def given(self, parameters: Any) -> tuple[dict[str, int], dict[str, Any], Any]:
        sizes, arrays = self.sized(parameters)
        shapes = self.shapes(sizes)
        own = self._state(self.seeded(sizes, np.zeros(2, dtype=np.uint32)))
        if isinstance(arrays, torch.nn.Module):
            held = self._state(arrays)
        elif isinstance(arrays, Mapping):
            held = {str(name): self.library.array(np.asarray(array, dtype=float)) for name, array in arrays.items()}
        else:
            raise InputError(
                f"parameters has {type(arrays).__name__} beside the width, expected a module or a mapping from names "
                f"to arrays"
            )
        rest = {name: held.get(name, tensor) for name, tensor in own.items() if name not in shapes}
        return sizes, {name: tensor for name, tensor in held.items() if name not in rest}, rest

    def output_shape(self, sizes: Mapping[str, int], calculus: Calculus, shape: tuple[int, ...]) -> tuple[int, ...]:
        """By the outputs of two modules, which are compared with those that the calculus gives."""
        rng = np.random.default_rng(0)
        inputs = self._example(rng, shape)
        seeds = rng.integers(2**32, size=(2, 2), dtype=np.uint32)
        values = calculus.values(sizes, self.start(sizes, seeds), inputs)
        for seed, found in zip(seeds, values, strict=True):
            module = self.seeded(sizes, seed).to(self.library.device, self.library.dtype)
            self._compare(module, calculus, inputs, found)
        return values.shape[2:]

    def check_derivative(self, calculus: Calculus, shape: tuple[int, ...], order: int) -> None:
        """At a few modules along random directions, in double precision on the CPU.

        A kink may lie between the two points of a difference, so that one agreement is enough: what is wrong in an
        operation is so everywhere.
        """
        library = TorchLibrary("float64", "cpu", 1)
        model = TorchModel(self.factory, library, self.tokens, self._layers, self.name)
        exact = Calculus(model, calculus.output, calculus.batched)
        exact._checked = {(shape, k) for k in range(order + 1)}
        rng, sizes, step = np.random.default_rng(0), self.probes[0], 1e-5
        x = self._example(rng, shape)[0]
        blocks, rest = model.start(sizes, rng.integers(2**32, size=(4, 2), dtype=np.uint32))
        toward = {name: torch.from_numpy(rng.standard_normal(tuple(b.shape))) for name, b in blocks.items()}
        lower = [
            exact.closed(
                sizes, ({n: b + s * toward[n] for n, b in blocks.items()}, rest), x, [toward] * (order - 1)
            ).reshape(4, -1)[:, 0]
            for s in (step, -step)
        ]
        difference = (lower[0] - lower[1]) / (2 * step)
        scale = abs(difference) + 1e-4 * abs(lower[0])
        component = None if self.output_shape(sizes, calculus, shape) == () else 0
        opened = exact.opened(sizes, (blocks, rest), x, [toward] * (order - 1), component)
        for found in (
            exact.closed(sizes, (blocks, rest), x, [toward] * order).reshape(4, -1)[:, 0],
            sum((opened[name] * toward[name]).reshape(4, -1).sum(1) for name in toward).numpy(),
        ):
            if not (abs(found - difference) <= 1e-4 * scale).any() and np.isfinite(difference).all():
                raise InputError(
                    f"the derivative of order {order} of {self.name} that PyTorch finds is {found[0]:.6g} where its "
                    f"values give {difference[0]:.6g}, expected operations whose forward derivatives can be "
                    f"differentiated again: write them in elementary ones"
                )

    def _example(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.zeros((2, *shape)) if self.tokens else rng.standard_normal((2, *shape))

    def _compare(self, module: torch.nn.Module, calculus: Calculus, inputs: Array, found: Array) -> None:
        tolerance = 1e-8 if self.library.dtype == torch.float64 else 1e-3
        with self.library.context():
            stack = self.inputs(inputs)
            calls = [module(stack.clone()) if calculus.batched else _one_by_one(module, stack) for _ in range(2)]
            first, second = (self.library.numpy(calculus.selected(call, len(inputs))) for call in calls)
            alone = calls[0][:1] if not calculus.batched else module(stack[:1].clone())
            one = self.library.numpy(calculus.selected(alone, 1))
        close = {"rtol": 0, "atol": tolerance * (1 + abs(first).max()), "equal_nan": True}
        if not np.allclose(first, second, **close):
            raise InputError(
                f"{self.name} gives two values for one input and the same parameters, "
                f"expected a factory that returns module.eval()"
            )
        if not np.allclose(first[:1], one, **close):
            raise InputError(
                f"{self.name} gives other values for an input that stands beside others (by "
                f"{abs(first[:1] - one).max():.2g}), expected a module that takes the inputs of a stack one by one"
            )
        if not np.allclose(first, found, **close):
            raise InputError(
                f"{self.name} gives other values when its parameters are handed to it (by "
                f"{abs(first - found).max():.2g}), expected every tensor that it uses to be registered as a parameter "
                f"or buffer"
            )


def _one_by_one(module: torch.nn.Module, stack: Any) -> Any:
    return torch.stack([module(x.clone()) for x in stack])


def _tensors(module: torch.nn.Module) -> dict[str, Any]:
    """Parameters and buffers by name, those that occur under several names once."""
    return {name: tensor.detach() for name, tensor in (*module.named_parameters(), *module.named_buffers())}


@contextmanager
def _hooks(modules: Mapping[str, torch.nn.Module], found: dict[str, Any]) -> Iterator[None]:
    """Keep the outputs of modules in ``found``; a module that is used several times has a number for each use."""

    def keep(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, arguments: Any, value: Any) -> None:
            if isinstance(value, torch.Tensor):
                uses = sum(known == name or known.startswith(f"{name}#") for known in found)
                # a copy, since what follows may change the tensor in place
                found[f"{name}#{uses + 1}" if uses else name or "output"] = value.clone()

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
