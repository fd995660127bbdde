"""What has a tangent kernel: anything with outputs and a Gramian, here layered networks and random functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from estimators.layered import LayeredNetwork, check_inputs
from estimators.training.kinds import network_of
from estimators.training.systems import Task
from randtensor.errors import InputError, ShapeError
from randtensor.parametric import ParametricFunction
from randtensor.quantity import Draw, resolve_sizes
from randtensor.seeding import Seed, root_sequence

__all__ = ["FunctionModel", "LayeredModel", "TangentModel"]

Array = np.ndarray


@runtime_checkable
class TangentModel(Protocol):
    """A function of one output at given parameters.

    Two methods are enough; one that also has ``kernel_product(X, v)``, the Gramian times a vector, is asked for
    leading eigenpairs without the Gramian.
    """

    def outputs(self, X: Any) -> Array:
        """f at each input, shape (N,)."""
        ...

    def gramian(self, X: Any, X2: Any = None) -> Array:
        """Inner products of the gradients at X with those at X2 (at X if None), shape (N, N2)."""
        ...


@dataclass(frozen=True, eq=False)
class LayeredModel:
    """A layered network at parameters theta, shape (P,).

    Raises
    ------
    ShapeError : parameters or inputs that do not fit.

    >>> network = LayeredNetwork((2, 16))
    >>> LayeredModel(network, network.initial(rng=0)).gramian([[0.1, 0.2], [0.5, 0.5]]).shape
    (2, 2)
    """

    network: LayeredNetwork
    theta: Any

    def __post_init__(self) -> None:
        theta = self.network.check_parameters(self.theta)
        if theta.ndim != 1:
            raise ShapeError(f"theta has shape {theta.shape}, expected ({self.network.count},): those of one network")
        object.__setattr__(self, "theta", theta)

    def _inputs(self, X: Any, name: str = "X") -> Array:
        return check_inputs(X, self.network.widths[0], name).astype(self.theta.dtype)

    def outputs(self, X: Any) -> Array:
        """f at each input, shape (N,)."""
        return self.network.outputs(self.theta, self._inputs(X))

    def gramian(self, X: Any, X2: Any = None) -> Array:
        """The tangent kernel, layer by layer."""
        return self.network.gramian(self.theta, self._inputs(X), None if X2 is None else self._inputs(X2, "X2"))

    def kernel_product(self, X: Any, vectors: Array) -> Array:
        """The tangent kernel on X times vectors, shape (N,) or (N, count)."""
        return self.network.kernel_product(self.theta, self._inputs(X), vectors.astype(self.theta.dtype))


@dataclass(frozen=True, eq=False)
class FunctionModel:
    """One draw of a random function with scalar output: a network, a program, a model of PyTorch or JAX.

    Parameters
    ----------
    function : the random function.
    n : sizes of its scales, as for ``sample``.
    rng : seed of the draw.

    Raises
    ------
    InputError, ShapeError : a function of several outputs, or sizes that do not fit.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.resnet(inputs=2, width=rt.Scale("n"), blocks=2)
    >>> FunctionModel(f, n=32, rng=0).gramian([[0.1, 0.2], [0.5, 0.5], [1.0, 0.0]]).shape
    (3, 3)
    """

    function: ParametricFunction
    n: Any = None
    rng: Seed = None

    def __post_init__(self) -> None:
        if not isinstance(self.function, ParametricFunction):
            raise InputError(f"function is {self.function!r}, expected a random function such as rt.networks.mlp(...)")
        object.__setattr__(self, "rng", root_sequence(self.rng))

    def _evaluated(self, X: Array) -> Any:
        """The network and its evaluation at the inputs; the same parameters whatever the inputs are."""
        if self.function.outputs(X.shape[1:]) is not None:
            raise ShapeError("function has a vector as output, expected a scalar: take one entry with then(...)")
        sizes = resolve_sizes(self.function.scale_names(X.shape[1:]), self.n)
        generator = np.random.Generator(np.random.SFC64(self.rng))  # type: ignore[arg-type]
        draw = Draw(sizes, 1, generator)
        targets = np.zeros(len(X))
        # entries are drawn as a whole: what is revealed of a matrix would depend on the inputs
        largest = max(sizes.values(), default=1)
        network = network_of(self.function, Task(X, targets, np.subtract, {}, 0.0, largest), draw)
        return network, network.evaluate(network.start, range(len(X)))

    def outputs(self, X: Any) -> Array:
        """f at each input, shape (N,)."""
        return np.asarray(self._evaluated(check_inputs(X))[1].outputs[0])

    def gramian(self, X: Any, X2: Any = None) -> Array:
        """The tangent kernel, from the gradients at all inputs."""
        rows = check_inputs(X)
        columns = rows[:0] if X2 is None else check_inputs(X2, rows.shape[1], "X2")
        network, evaluation = self._evaluated(np.concatenate([rows, columns]))
        gradients = evaluation.gradients()
        left, right = gradients[: len(rows)], gradients[len(rows) :] if X2 is not None else gradients
        return np.asarray(network.kernel(left, right)[0])
