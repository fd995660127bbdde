"""Fully connected networks with one output at given parameters: values, gradients, and the Gramian of the gradients.

In contrast to `randtensor.networks`, which draws networks of any width without forming their matrices, everything here
is dense, and all inputs go through each layer in one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from randtensor.dimensions import check_count
from randtensor.errors import InputError, ShapeError
from randtensor.programs.activations import Activation, get_activation

__all__ = ["LayeredNetwork", "Trace", "transposed"]

Array = np.ndarray

#: Rows of the Gramian that are worked out together: the products of two blocks stay in the cache.
BLOCK_ROWS = 512


@dataclass(frozen=True)
class Trace:
    """What a forward pass leaves behind.

    Attributes
    ----------
    layers : inputs of each weight layer, shapes (..., N, fan_in): X, then the activations.
    slopes : derivatives of the activations, shapes (..., N, width), of all hidden layers.
    outputs : shape (..., N).
    """

    layers: list[Array]
    slopes: list[Array]
    outputs: Array


@dataclass(frozen=True)
class LayeredNetwork:
    """z^l = factor_l W^l h^{l-1} + b^l, h^l = phi(z^l), h^0 = x, f = z^L: a fully connected network with one output.

    Parameters are one vector theta of length P, layer by layer, the matrix row by row and then the biases; a stack of
    networks is an array (..., P).

    Parameters
    ----------
    widths : dimension of the input, widths of the hidden layers.
    activation : name or ``Activation``, of the hidden layers.
    parametrization : "glorot": factor 1 and variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010); "standard":
        factor 1 and variance 1 / fan_in; "ntk": factor fan_in^-1/2 and variance 1.
    biases : whether there are biases; they start at zero.

    Raises
    ------
    InputError, ShapeError, ActivationError : an argument outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> network = LayeredNetwork((2, 64, 64), "leaky_relu(0.2)")
    >>> theta = network.initial(rng=0)
    >>> X = np.array([[0.1, 0.2], [0.3, -0.4], [0.5, 0.0]])
    >>> network.count, network.depth, network.outputs(theta, X).shape, network.gramian(theta, X).shape
    (4417, 3, (3,), (3, 3))
    """

    widths: tuple[int, ...]
    activation: str | Activation = "tanh"
    parametrization: str = "glorot"
    biases: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.widths, tuple | list) or len(self.widths) < 2:
            raise ShapeError(f"widths is {self.widths!r}, expected the input dimension and at least one hidden width")
        object.__setattr__(self, "widths", tuple(check_count("widths", width) for width in self.widths))
        object.__setattr__(self, "activation", get_activation(self.activation))
        if self.parametrization not in ("glorot", "standard", "ntk"):
            raise InputError(f"parametrization is {self.parametrization!r}, expected 'glorot', 'standard' or 'ntk'")
        if not isinstance(self.biases, bool):
            raise InputError(f"biases is {self.biases!r}, expected True or False")

    @property
    def depth(self) -> int:
        """Number L of weight layers."""
        return len(self.widths)

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(fan_out, fan_in) of each weight layer."""
        return tuple(zip((*self.widths[1:], 1), self.widths, strict=True))

    @cached_property
    def factors(self) -> tuple[float, ...]:
        """What each matrix is multiplied by."""
        return tuple(fan_in**-0.5 if self.parametrization == "ntk" else 1.0 for _, fan_in in self.shapes)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each layer's parameters stand in theta."""
        sizes = [out * (fan_in + self.biases) for out, fan_in in self.shapes]
        ends = np.cumsum(sizes).tolist()
        return tuple(slice(end - size, end) for size, end in zip(sizes, ends, strict=True))

    @property
    def count(self) -> int:
        """Number P of parameters."""
        return int(self.slices[-1].stop)

    @property
    def phi(self) -> Activation:
        """The activation."""
        assert isinstance(self.activation, Activation)
        return self.activation

    def split(self, theta: Array) -> Iterator[tuple[Array, Array | None]]:
        """Views of each layer's matrix, shape (..., fan_out, fan_in), and of its biases, shape (..., fan_out)."""
        for (out, fan_in), place in zip(self.shapes, self.slices, strict=True):
            part = theta[..., place]
            matrix = part[..., : out * fan_in].reshape(*theta.shape[:-1], out, fan_in)
            yield matrix, part[..., out * fan_in :] if self.biases else None

    def initial(self, samples: int | None = None, *, rng: Any = None, dtype: Any = np.float64) -> Array:
        """Random parameters, shape (P,), or (samples, P) for a stack of networks."""
        generator = np.random.default_rng(rng)
        theta = np.zeros((samples or 1, self.count))
        for (out, fan_in), place in zip(self.shapes, self.slices, strict=True):
            variance = {"ntk": 1.0, "standard": 1 / fan_in, "glorot": 2 / (fan_in + out)}[self.parametrization]
            drawn = generator.standard_normal((len(theta), out * fan_in))
            theta[:, place][:, : out * fan_in] = variance**0.5 * drawn
        return np.asarray((theta if samples else theta[0]).astype(dtype))

    def check_parameters(self, theta: Any) -> Array:
        """The parameters as an array, if they fit.

        Raises
        ------
        ShapeError : their number is not P.
        """
        array = np.asarray(theta)
        if array.ndim < 1 or array.shape[-1] != self.count:
            raise ShapeError(f"theta has shape {array.shape}, expected (..., {self.count}): all parameters")
        return array

    def forward(self, theta: Array, X: Array, slopes: bool = True) -> Trace:
        """All inputs, shape (N, inputs), through all layers."""
        h, layers, found = X, [], []
        parts = list(self.split(theta))
        for factor, (matrix, biases) in zip(self.factors, parts, strict=True):
            layers.append(h)
            z = h @ transposed(matrix)
            if factor != 1:
                z *= factor
            if biases is not None:
                z += biases[..., None, :]
            if len(layers) < self.depth:
                if slopes:
                    h, slope = self.phi.taylor(z, 1)
                    found.append(slope)
                else:
                    h = self.phi(z)
        return Trace(layers, found, z[..., 0])

    def outputs(self, theta: Array, X: Array) -> Array:
        """Shape (..., N)."""
        return self.forward(theta, X, slopes=False).outputs

    def sensitivities(self, theta: Array, trace: Trace, cotangent: Array | None = None) -> list[Array]:
        """Derivatives of the output at each input, times ``cotangent``, by the pre-activations of each layer.

        Shapes (..., N, width), the last (..., N, 1).
        """
        seed = np.ones_like(trace.outputs) if cotangent is None else cotangent
        found, parts = [seed[..., None]], list(self.split(theta))
        for layer in range(self.depth - 1, 0, -1):
            # scaling the matrix is cheaper than scaling what it is applied to
            factor, matrix = self.factors[layer], parts[layer][0]
            found.append(found[-1] @ (matrix if factor == 1 else matrix * matrix.dtype.type(factor)))
            found[-1] *= trace.slopes[layer - 1]
        return found[::-1]

    def pull_back(self, theta: Array, trace: Trace, cotangent: Array) -> Array:
        """J^T cotangent, the gradient of the sum over inputs of cotangent times output: shape (..., P)."""
        gradient = np.empty((*trace.outputs.shape[:-1], self.count), dtype=trace.outputs.dtype)
        sensitivities = self.sensitivities(theta, trace, cotangent)
        for layer, (matrix, biases) in enumerate(self.split(gradient)):
            np.matmul(transposed(sensitivities[layer]), trace.layers[layer], out=matrix)
            if self.factors[layer] != 1:
                matrix *= self.factors[layer]
            if biases is not None:
                sensitivities[layer].sum(axis=-2, out=biases)
        return gradient

    def push_forward(self, theta: Array, trace: Trace, direction: Array) -> Array:
        """J direction, the derivative of the outputs along a direction in parameter space: shape (..., N)."""
        moved: Any = 0.0
        parts = zip(self.factors, self.split(theta), self.split(direction), strict=True)
        for layer, (factor, (matrix, _), (change, biases)) in enumerate(parts):
            h = trace.layers[layer]
            moved = h @ transposed(change * factor) + (moved @ transposed(matrix * factor) if layer else 0.0)
            if biases is not None:
                moved = moved + biases[..., None, :]
            if layer < self.depth - 1:
                moved = moved * trace.slopes[layer]
        return np.asarray(moved[..., 0])

    def jacobian(self, theta: Array, X: Array) -> Array:
        """J, shape (..., N, P): for checks only, as nothing else here needs it."""
        trace = self.forward(theta, X)
        sensitivities = self.sensitivities(theta, trace)
        rows = np.zeros((*trace.outputs.shape, self.count), dtype=trace.outputs.dtype)
        for layer, (matrix, biases) in enumerate(self.split(rows)):
            matrix[...] = sensitivities[layer][..., :, None] * trace.layers[layer][..., None, :] * self.factors[layer]
            if biases is not None:
                biases[...] = sensitivities[layer]
        return rows

    def gramian(self, theta: Array, X: Array, X2: Array | None = None) -> Array:
        """The tangent kernel g(x, x') = grad f(x) . grad f(x'), shape (..., N, N2), without any gradient.

        Layer by layer it is the product, entry by entry, of the Gramian of the layer's inputs and that of its
        sensitivities (Jacot, Gabriel & Hongler, arXiv 1806.07572). Memory beyond the result is that of one block of
        512 rows and columns; of a symmetric Gramian one half is worked out.
        """
        left = self._both(theta, X)
        right = left if X2 is None else self._both(theta, X2)
        rows, columns = len(X), len(X if X2 is None else X2)
        stack, dtype = left[0][1].shape[:-2], left[0][1].dtype
        found = np.empty((*stack, rows, columns), dtype=dtype)
        # three blocks of room that are used again and again: new ones would have to be fetched from the system
        room = np.empty((3, prod(stack) * BLOCK_ROWS**2), dtype=dtype)
        for i in range(0, rows, BLOCK_ROWS):
            for j in range(i if X2 is None else 0, columns, BLOCK_ROWS):
                a, b = slice(i, i + BLOCK_ROWS), slice(j, j + BLOCK_ROWS)
                shape = found[..., a, b].shape
                total, product, other = (part[: prod(shape)].reshape(shape) for part in room)
                total[...] = 0
                for layer, (factor, (h, s), (h2, s2)) in enumerate(zip(self.factors, left, right, strict=True)):
                    np.matmul(h[..., a, :], transposed(h2[..., b, :]), out=product)
                    if factor != 1:
                        product *= factor**2
                    if self.biases:
                        product += 1
                    if layer < self.depth - 1:  # the sensitivities of the last layer are one
                        product *= np.matmul(s[..., a, :], transposed(s2[..., b, :]), out=other)
                    total += product
                found[..., a, b] = total
                if X2 is None and j > i:
                    found[..., b, a] = transposed(total)
        return found

    def kernel_product(self, theta: Array, X: Array, vectors: Array) -> Array:
        """G v = J (J^T v) for one network, vector by vector: vectors and result (N,) or (N, count), theta (P,).

        One pass backward and one forward in place of a Gramian; memory does not grow with N^2.
        """
        trace = self.forward(theta, X)
        columns = np.ascontiguousarray(vectors.reshape(len(X), -1).T)
        products = [self.push_forward(theta, trace, self.pull_back(theta, trace, column)) for column in columns]
        return np.stack(products, axis=1).reshape(vectors.shape)

    def largest_eigenvalue(self, theta: Array, X: Array) -> float:
        """Of the Gramian on X, by Lanczos, to about 1e-4."""
        from scipy.sparse.linalg import LinearOperator, eigsh

        if len(X) < 3:
            return float(np.linalg.eigvalsh(self.gramian(theta, X))[-1])
        trace = self.forward(theta, X)

        def product(vector: Array) -> Array:
            vector = vector.astype(X.dtype, copy=False).ravel()
            return self.push_forward(theta, trace, self.pull_back(theta, trace, vector))

        operator = LinearOperator((len(X), len(X)), matvec=product, dtype=X.dtype)
        start = trace.outputs + 1.0  # fixed, so that no random state is touched
        return float(eigsh(operator, k=1, v0=start, tol=1e-4, return_eigenvectors=False)[0])

    def _both(self, theta: Array, X: Array) -> list[tuple[Array, Array]]:
        """Inputs and sensitivities of each layer."""
        trace = self.forward(theta, X)
        return list(zip(trace.layers, self.sensitivities(theta, trace), strict=True))


def transposed(matrices: Array) -> Array:
    """The last two axes swapped."""
    return np.swapaxes(matrices, -1, -2)
