"""Functions of JAX as random functions.

>>> import jax, jax.numpy as jnp, randtensor as rt
>>> from randtensor.interop.jax import random_function
>>> def two_layer(n):
...     def init(key):
...         first, second = jax.random.split(key)
...         return {"U": jax.random.normal(first, (n, 2)), "v": jax.random.normal(second, (n,))}
...     def apply(params, x):
...         return params["v"] @ jnp.tanh(params["U"] @ x) / n**0.5
...     return init, apply
>>> f = random_function(two_layer, batched=False)
>>> g = f.derivative([1.0, -1.0])
>>> rt.einsum("a,a->", g, g).sample(256, size=3, rng=0).shape
(3,)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from randtensor.errors import InputError
from randtensor.interop.calculus import Calculus
from randtensor.interop.dense import DenseFunction, DenseSpace
from randtensor.interop.factories import Factory, check_output
from randtensor.interop.library import Library, Model, check_dtype, first_line, whole

__all__ = ["JaxFunction", "random_function"]

Array = np.ndarray


class JaxFunction(DenseFunction):
    """A factory of pairs ``(init, apply)`` as a random function; made by `random_function`."""


def random_function(
    factory: Any,
    *,
    scales: Any = "n",
    output: Any = None,
    batched: bool = True,
    dtype: Any = "float64",
    device: Any = None,
    tokens: bool = False,
    probe: int | None = None,
    name: str | None = None,
) -> JaxFunction:
    """A random function from a factory of pairs ``(init, apply)``, with the law that ``init`` gives its parameters.

    ``init(key)`` gives a tree of parameters and ``apply(params, x)`` the outputs; ``init`` is vectorised over keys.
    Parameters are the floating leaves of the tree. Derivatives are by nested forward mode and one reverse pass,
    vectorised over samples and compiled.

    Parameters
    ----------
    factory : a function of the width that gives ``(init, apply)``, or ``(init, apply, layers)`` where
        ``layers(params, x)`` is a mapping from names to the activations that training observes; with several scales, a
        function that takes each by its name; or a mapping from widths to functions without arguments.
    scales : the scale or scales, or their names.
    output : index of the component of the output that counts. None for one output, or for all of them (a vector-valued
        function).
    batched : whether ``apply`` takes a stack of inputs; False if it takes one at a time.
    dtype : "float64" or "float32", of all evaluations; 64-bit numbers of JAX are enabled for them and nothing else.
    device : a device of JAX; None takes the first.
    tokens : whether inputs are integers, as for embeddings.
    probe : width at which the factory is tried (and at twice it); 32 if not given.
    name : identifies the function; random streams are keyed by it and by the shapes of the parameters.

    Raises
    ------
    InputError, ShapeError : a factory that fails, whose parameters do not grow or that JAX cannot trace; outputs of
        more than one axis without ``output``.

    Examples
    --------
    >>> import randtensor as rt
    >>> def linear(n):
    ...     init = lambda key: {"U": jax.random.normal(key, (n,))}
    ...     return init, lambda params, x: x @ params["U"][None, :].mean(axis=1, keepdims=True)
    >>> f = random_function(linear, name="mean")
    >>> f([2.0]).sample(64, size=3, rng=0).shape
    (3,)
    """
    made = Factory(factory, scales, probe)
    model = JaxModel(made, JaxLibrary(check_dtype(dtype), device), bool(tokens), name or made.name)
    model.check_growth()
    return JaxFunction(DenseSpace(model), Calculus(model, check_output(output), bool(batched)), model.name)


class JaxLibrary(Library):
    """JAX at one floating type and on one device."""

    name = "jax"
    transforms = jax
    namespace = jnp

    def __init__(self, dtype: str, device: Any) -> None:
        if device is not None and not isinstance(device, jax.Device):
            raise InputError(f"device is {device!r}, expected one of jax.devices()")
        self.dtype, self.device = jnp.dtype(dtype), device or jax.devices()[0]

    def context(self) -> AbstractContextManager[Any]:
        return _Work(self.dtype == np.float64, self.device)

    def array(self, values: Array) -> Any:
        return jnp.asarray(np.asarray(values), dtype=self.dtype)

    def numpy(self, values: Any) -> Array:
        return np.asarray(values, dtype=float)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jit(function)  # type: ignore[no-any-return]

    def explain(self, error: Exception) -> str | None:
        text = first_line(error)
        if isinstance(error, MemoryError | Warning) or "RESOURCE_EXHAUSTED" in text:
            return None
        if isinstance(error, jax.errors.ConcretizationTypeError | jax.errors.TracerArrayConversionError):
            return f"it depends on the values of arrays in Python ({text}), expected operations of jax.numpy alone"
        return f"it fails ({text}), expected inputs of the shape that it takes, and operations that JAX can transform"


class _Work:
    """64-bit numbers as needed, on a device, for this thread and until it ends."""

    def __init__(self, double: bool, device: Any) -> None:
        enable = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
        self._parts = [enable(double), jax.default_device(device)]

    def __enter__(self) -> None:
        for part in self._parts:
            part.__enter__()

    def __exit__(self, *exception: Any) -> None:
        for part in reversed(self._parts):
            part.__exit__(*exception)


class JaxModel(Model):
    """The pairs of a factory."""

    library: JaxLibrary

    def __init__(self, factory: Factory, library: JaxLibrary, tokens: bool, name: str) -> None:
        self.factory, self.library, self.tokens, self.name = factory, library, tokens, name
        self.scale_names, self.probes = factory.scale_names, factory.probes
        self._members: dict[Any, _Member] = {}

    def member(self, sizes: Mapping[str, int]) -> _Member:
        """What the factory gives at these sizes."""
        key = tuple(sorted(sizes.items()))
        if key not in self._members:
            found = self.factory(sizes)
            parts = found if isinstance(found, tuple | list) else (found,)
            if len(parts) not in (2, 3) or not all(map(callable, parts)):
                raise InputError(
                    f"the factory gave {type(found).__name__} at {dict(sizes)}, expected a pair (init, apply)"
                )
            with self.library.context():
                try:
                    self._members[key] = _Member(*parts)
                except InputError:
                    raise
                except Exception as error:
                    raise InputError(
                        f"init of {self.name} failed at {dict(sizes)} ({first_line(error)}), expected a function of a "
                        f"key that JAX can trace"
                    ) from error
        return self._members[key]

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        return self.member(sizes).shapes

    def start(self, sizes: Mapping[str, int], seeds: Array) -> tuple[dict[str, Any], Any]:
        member = self.member(sizes)
        with self.library.context():
            leaves = member.initial(jax.random.wrap_key_data(jnp.asarray(seeds), impl="threefry2x32"))
            return self._split(member, dict(zip(member.names, leaves, strict=True)))

    def _split(self, member: _Member, leaves: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        parameters = {name: leaves[name].astype(self.library.dtype) for name in member.shapes}
        return parameters, {name: leaf for name, leaf in leaves.items() if name not in member.shapes}

    def function(self, sizes: Mapping[str, int]) -> Callable[[dict[str, Any], Any, Any], Any]:
        member = self.member(sizes)

        def function(parameters: dict[str, Any], rest: Any, inputs: Any) -> Any:
            found = member.apply(member.tree({**parameters, **rest}), inputs)
            if not hasattr(found, "shape"):
                raise InputError(f"{self.name} gives {type(found).__name__}, expected an array")
            return found

        return function

    def layers(self, sizes: Mapping[str, int]) -> Callable[[dict[str, Any], Any, Any], dict[str, Any]]:
        member = self.member(sizes)
        if member.layers is None:
            raise InputError(
                f"the factory of {self.name} gives no layers, expected (init, apply, layers) to observe features"
            )
        observed: Callable[[Any, Any], Any] = member.layers
        return lambda parameters, rest, inputs: dict(observed(member.tree({**parameters, **rest}), inputs))

    def output_shape(self, sizes: Mapping[str, int], calculus: Calculus, shape: tuple[int, ...]) -> tuple[int, ...]:
        member = self.member(sizes)

        def trial(function: Callable[..., Any]) -> Any:
            kind = jnp.int32 if self.tokens else self.library.dtype
            leaves = dict(zip(member.names, member.template, strict=True))
            parameters = {name: jax.ShapeDtypeStruct(s, self.library.dtype) for name, s in member.shapes.items()}
            rest = {name: leaf for name, leaf in leaves.items() if name not in member.shapes}
            return jax.eval_shape(function, parameters, rest, jax.ShapeDtypeStruct((2, *shape), kind))

        return calculus.output_shape(sizes, trial)

    def inputs(self, values: Array) -> Any:
        if not self.tokens:
            return self.library.array(values)
        return jnp.asarray(whole(values).astype(np.int32))

    def given(self, parameters: Any) -> tuple[dict[str, int], dict[str, Any], Any]:
        sizes, tree = self.sized(parameters)
        member = self.member(sizes)
        with self.library.context():
            leaves = {name: jnp.asarray(leaf) for name, leaf in _named_leaves(tree)}
            if leaves.keys() == set(member.names):
                return (sizes, *self._split(member, leaves))
        return sizes, leaves, {}


class _Member:
    """A pair ``(init, apply)`` at one size, and the tree of its parameters."""

    def __init__(self, init: Callable[..., Any], apply: Callable[..., Any], layers: Any = None) -> None:
        self.apply, self.layers = apply, layers
        key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))
        template = jax.eval_shape(init, key)
        self._structure = jax.tree_util.tree_structure(template)
        named = _named_leaves(template)
        self.names, self.template = [name for name, _ in named], [leaf for _, leaf in named]
        for name, leaf in named:
            if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
                raise InputError(f"parameter {name!r} is complex, expected real parameters")
        #: of the parameters, which are the floating leaves
        self.shapes = {name: tuple(leaf.shape) for name, leaf in named if jnp.issubdtype(leaf.dtype, jnp.floating)}
        if not self.shapes:
            raise InputError("the tree that init gives has no floating leaves, expected at least one parameter")
        self.initial = jax.jit(jax.vmap(lambda key: jax.tree_util.tree_leaves(init(key))))

    def tree(self, leaves: Mapping[str, Any]) -> Any:
        """Parameters as ``apply`` takes them."""
        return jax.tree_util.tree_unflatten(self._structure, [leaves[name] for name in self.names])


def _named_leaves(tree: Any) -> list[tuple[str, Any]]:
    """The leaves with names that tell where they are, such as ``layers.0.W``."""
    found = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(".".join(str(_step(part)) for part in path) or "parameter", leaf) for path, leaf in found]


def _step(part: Any) -> Any:
    for attribute in ("key", "idx", "name"):
        if hasattr(part, attribute):
            return getattr(part, attribute)
    return part
