"""Random functions: plain forward code over random parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from randtensor.dimensions import Dimension, evaluate_shape, scale_names, scales_of, show
from randtensor.errors import ShapeError
from randtensor.orders import Term
from randtensor.parameter_space import ParameterSpace, SampledParameters
from randtensor.parametric import Directions, ParametricFunction, check_input
from randtensor.programs.activations import Activation
from randtensor.programs.closing import ProgramAtInput
from randtensor.programs.graph import Graph, Slot
from randtensor.programs.parameters import ParameterVector
from randtensor.programs.trace import trace
from randtensor.quantity import Draw
from randtensor.tensors import Fixed, RandomTensor

__all__ = [
    "Convolutional",
    "FullyConnected",
    "ParameterSpace",
    "RandomFunction",
    "Residual",
    "SampledParameters",
    "check_input",
    "program",
]

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """What a fully connected network consists of, for the exact laws that hold for it.

    With d hidden layers, weight types t = 0..d and h^0 = x: z^{t+1} = factors[t] w^t h^t and h^t = activation(z^t); the
    output is z^{d+1}. The entries of w^t are independent with mean 0 and standard deviation stds[t].

    Attributes
    ----------
    inputs : dimension of the input.
    widths : sizes of the d hidden layers.
    activation : of every hidden layer.
    factors, stds : numbers, orders or terms, one per weight type.
    readout : law of the read-out weights w^d as for ``rt.iid``, None for normal ones.
    biases : standard deviation of the biases of the hidden layers.
    outputs : length of the output vector, None for a scalar.
    hidden : law of the weights between hidden layers as for ``rt.iid``, None for normal ones.
    """

    inputs: int
    widths: tuple[Any, ...]
    activation: Activation
    factors: tuple[Any, ...]
    stds: tuple[Any, ...]
    readout: Any
    biases: float
    outputs: int | None
    hidden: Any = None


@dataclass(frozen=True, eq=False)
class Residual:
    """What ``rt.networks.resnet`` consists of: h^0 = U x / sqrt(inputs), h^{t+1} = h^t + scale W^t phi(h^t) / sqrt(n).

    Attributes
    ----------
    inputs : dimension of the input.
    width : n.
    blocks : number of residual blocks.
    activation : phi, also of the last hidden layer before the read-out.
    scale : of the residual branches.
    readout, outputs : as for ``FullyConnected``.
    """

    inputs: int
    width: Any
    blocks: int
    activation: Activation
    scale: float
    readout: Any
    outputs: int | None


@dataclass(frozen=True, eq=False)
class Convolutional:
    """What ``rt.networks.cnn`` consists of: circular convolutions in NTK parametrisation.

    Attributes
    ----------
    channels_in : channels of the input.
    width : channels of the hidden layers.
    layers : number of convolutional layers.
    activation : of every layer.
    kernel_size, axes : of the convolutions.
    positions : of the input if the read-out has weights of its own at each, None if it averages over positions.
    readout, outputs : as for ``FullyConnected``.
    """

    channels_in: int
    width: Any
    layers: int
    activation: Activation
    kernel_size: int
    axes: int
    positions: int | None
    readout: Any
    outputs: int | None


class RandomFunction(ParametricFunction):
    """A function of an input and of random parameters, given by plain forward code.

    Made by ``rt.program`` or by ``rt.networks``; every function of this kind can be differentiated any number of times
    with respect to its parameters, contracted, and sampled at any size of its scales.
    """

    #: set for fully connected networks at initialisation, None for all other functions
    architecture: FullyConnected | None = None

    #: the same for residual and convolutional networks
    structure: Residual | Convolutional | None = None

    def __init__(self, forward: Callable[[Any, Any], Any], space: ParameterSpace, name: str = "f") -> None:
        self.forward, self.space, self.name = forward, space, name
        self._graphs: dict[tuple[int, ...], Graph] = {}
        self._fingerprints: dict[tuple[int, ...], str] = {}

    def graph(self, shape: tuple[int, ...]) -> Graph:
        """The traced program for inputs of this shape."""
        if shape not in self._graphs:
            self._graphs[shape] = trace(self.forward, self.space.shapes, shape)
        return self._graphs[shape]

    def outputs(self, shape: tuple[int, ...]) -> int | None:
        """Length of the output for inputs of this shape; None for a scalar."""
        graph = self.graph(shape)
        output = graph.nodes[graph.output].shape
        return int(output[0]) if output else None

    def scale_names(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        """Scales the law depends on, for inputs of this shape."""
        factors = [node.attribute for node in self.graph(shape).nodes if node.operation in ("scale", "shift")]
        names = {
            *scale_names(factors),
            *(name for tensor in self.space.tensors.values() for name in tensor.scale_names),
        }
        return tuple(sorted(names - self.space.sizes.keys()))

    def slots(self, shape: tuple[int, ...]) -> tuple[Slot, ...]:
        """The trainable arrays that occur, for inputs of this shape."""
        return self.graph(shape).slots

    def close(self, draw: Draw, x: Array, directions: Directions, probes: Directions = ()) -> Array:
        return ProgramAtInput(self, x, draw).close(directions, probes)

    def close_but_one(
        self, draw: Draw, x: Array, directions: Directions, component: int | None, probes: Directions = ()
    ) -> ParameterVector:
        return ProgramAtInput(self, x, draw).close_but_one(directions, component, probes)

    def fingerprint(self, shape: tuple[int, ...]) -> str:
        """Text that identifies the function's law."""
        if shape not in self._fingerprints:
            parameters = [f"{name}:{tensor.fingerprint}" for name, tensor in self.space.tensors.items()]
            text = self.graph(shape).fingerprint() + ";".join(parameters) + repr(sorted(self.space.sizes.items()))
            self._fingerprints[shape] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._fingerprints[shape]

    def __repr__(self) -> str:
        return f"<RandomFunction {self.name} over {', '.join(self.space.tensors)}>"

    def then(self, outer: Callable[[Any], Any], name: str = "g") -> RandomFunction:
        """The composition ``outer(f(x))``, on the same parameters.

        >>> import randtensor as rt
        >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"))
        >>> squared = f.then(rt.square)
        >>> squared.space is f.space
        True
        """
        forward = self.forward
        return RandomFunction(lambda p, x: outer(forward(p, x)), self.space, f"{name}({self.name})")

    def at(self, **arrays: Any) -> RandomFunction:
        """The same function at given dense parameters; sizes of the scales are read off the arrays.

        Raises
        ------
        ShapeError : a parameter is missing, unknown, or of a shape that fits no size of the scales.

        Examples
        --------
        >>> import numpy as np, randtensor as rt
        >>> n = rt.Scale("n")
        >>> @rt.program(v=rt.gaussian(n))
        ... def f(p, x):
        ...     return p.v @ rt.tanh(p.v * x[0]) / n**0.5
        >>> f.at(v=np.ones(4))([0.5]).sample().round(6).tolist()
        [0.924234]
        """
        unknown = sorted(arrays.keys() ^ self.space.tensors.keys())
        if unknown:
            expected = ", ".join(self.space.tensors)
            raise ShapeError(f"{unknown[0]!r} is missing or unknown among the given arrays, expected {expected}")
        fixed = {name: Fixed(array) for name, array in arrays.items()}
        sizes: dict[str, int] = {}
        # Twice: a size such as n * m can be checked only after others have told n and m.
        for name, tensor in [*self.space.tensors.items()] * 2:
            _match_shape(name, tensor.dimensions, fixed[name].entries.shape, sizes)
        return RandomFunction(self.forward, ParameterSpace(fixed, sizes), self.name)


def program(**parameters: RandomTensor) -> Callable[[Callable[[Any, Any], Any]], RandomFunction]:
    """Turn a forward function into a random function of its parameters.

    Parameters
    ----------
    parameters : random tensors by name. Inside the function, ``p.W @ h``, ``p.W.T @ h`` and ``h @ p.W`` multiply by
        a matrix, vectors are used like values, and stacks of arrays are indexed, ``p.W[k] @ h``.

    Returns
    -------
    A decorator. The decorated function takes ``(p, x)`` and returns a scalar, a vector of fixed length or a list of
    scalars; it may use + - * / **, @, indexing of axes of fixed size, Python loops and lists, and the functions
    ``rt.tanh``, ``rt.erf``, ..., ``rt.sum`` and ``rt.mean``.

    Raises
    ------
    ShapeError : a parameter is not a random tensor; shapes in the program do not fit (when first used).

    Examples
    --------
    A recurrent network that reads a sequence with one shared matrix:

    >>> import numpy as np, randtensor as rt
    >>> n = rt.Scale("n")
    >>> @rt.program(U=rt.gaussian(n, 2), W=rt.gaussian(n, n), v=rt.gaussian(n))
    ... def f(p, x):
    ...     h = rt.tanh(p.U @ x[0])
    ...     for step in x[1:]:
    ...         h = rt.tanh(p.W @ h / n**0.5 + p.U @ step)
    ...     return p.v @ h / n**0.5
    >>> g = f.derivative(np.ones((3, 2)))
    >>> kernel = rt.einsum("a,a->", g, g)
    >>> kernel.sample(1000, size=2, rng=0).shape
    (2,)
    """

    def decorate(function: Callable[[Any, Any], Any]) -> RandomFunction:
        return RandomFunction(function, ParameterSpace(parameters), getattr(function, "__name__", "f"))

    return decorate


def _match_shape(name: str, dimensions: tuple[Dimension, ...], shape: tuple[int, ...], sizes: dict[str, int]) -> None:
    """Check an array against a symbolic shape, learning the sizes of scales on the way."""
    wrong = ShapeError(
        f"parameter {name!r} has shape {shape}, expected {show(dimensions)}" + (f" at {sizes}" if sizes else "")
    )
    if len(dimensions) != len(shape):
        raise wrong
    for dimension, size in zip(dimensions, shape, strict=True):
        if isinstance(dimension, Term):
            unknown = [scale for scale in scales_of(dimension) if scale.name not in sizes]
            if len(unknown) == 1 and len(scales_of(dimension)) == 1:
                power = float(dimension.order.exponents(unknown[0])[0])
                sizes[unknown[0].name] = round((size / float(dimension.coefficient)) ** (1 / power))
            elif unknown:
                continue
            if evaluate_shape((dimension,), sizes)[0] != size:
                raise wrong
        elif dimension != size:
            raise wrong
