"""Infinite-width limits of the ready-made networks: covariance of the outputs, and tangent kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import ExactError, InputError, ShapeError
from randtensor.exact.derivatives.neurons import readout_moment
from randtensor.exact.dual.activation import dual
from randtensor.exact.dual.pairs import GaussianPairs
from randtensor.orders import Order, Term, compare
from randtensor.random_function import Convolutional, FullyConnected, RandomFunction, Residual, check_input

__all__ = ["nngp_kernel", "tangent_kernel"]

Array = NDArray[np.float64]

#: A part of a kernel: how it grows, and its values.
Part = tuple[Term, Array]


def nngp_kernel(f: RandomFunction, X: Any, X2: Any = None) -> Array:
    """The covariance of a network's outputs at initialisation in the limit of infinite width (NNGP kernel).

    In that limit the outputs are a centred Gaussian process with this covariance, and several outputs are independent
    copies of it (Lee et al., arXiv 1711.00165; Matthews et al., arXiv 1804.11271).

    Parameters
    ----------
    f : a network from ``rt.networks`` whose widths are scales.
    X : stacked inputs, shape (N, inputs); for ``cnn`` (N, sizes of the axes, channels_in).
    X2 : further stacked inputs, (M, ...); None for X itself.

    Returns
    -------
    Array of shape (N, N) or (N, M), the block of any one output.

    Raises
    ------
    ExactError : f is no network at initialisation from ``rt.networks``; its covariance tends to zero or infinity, or
        depends on how its widths compare; or the Gaussian integrals of its activation are infinite.
    InputError, ShapeError : inputs that f does not accept; a width that does not grow; weights with a mean.

    Notes
    -----
    Layer by layer, K <- gain * E phi(u) phi(v) + biases^2 over centred Gaussian (u, v) with second moments K, where
    gain is the number of summands times the variance of one. The expectations are in closed form for polynomials,
    piecewise linear activations with their kink at 0, erf, gelu, sin, cos and exp. Otherwise they are sums that are
    refined until two grids agree to 1e-12, at about 1 ms for a pair of inputs and a layer.

    Examples
    --------
    >>> import numpy as np, randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"), activation="relu")
    >>> nngp_kernel(f, np.sqrt(2) * np.eye(2)) * 2 * np.pi
    array([[3.14159265, 1.        ],
           [1.        , 3.14159265]])
    """
    pairs = _InputPairs(f, X, X2)
    return _total(_parts(f, pairs)[0], f, "output covariance")


def tangent_kernel(f: RandomFunction, X: Any, X2: Any = None) -> Array:
    """The tangent kernel, the sum over all parameters of df(x) df(x'), in the limit of infinite width.

    All parameters that f has are trained, biases among them. For one hidden layer this is the mean at every finite
    width, too (Jacot, Gabriel & Hongler, arXiv 1806.07572; Lee et al., arXiv 1902.06720).

    Parameters
    ----------
    f, X, X2 : as for `nngp_kernel`.

    Returns
    -------
    Array of shape (N, N) or (N, M): with several outputs the diagonal block of any one of them; other blocks vanish.

    Raises
    ------
    ExactError, InputError, ShapeError : as for `nngp_kernel`. The kernel has a limit in the parametrisations "ntk" and
        "mup"; it grows or vanishes with the width in others, so that training needs a learning rate that does not.

    Notes
    -----
    Layer by layer, Theta <- gain * E phi'(u) phi'(v) * Theta + what the weights and biases of the layer contribute.

    Examples
    --------
    Trained deep linear networks move in function space as if each of their layers was trained alone:

    >>> import numpy as np, randtensor as rt
    >>> f = rt.networks.deep_linear(inputs=2, width=rt.Scale("n"), hidden_layers=3)
    >>> tangent_kernel(f, [[1.0, 1.0], [1.0, 0.0]])
    array([[4., 2.],
           [2., 2.]])
    """
    pairs = _InputPairs(f, X, X2)
    return _total(_parts(f, pairs)[1], f, "tangent kernel")


class _InputPairs:
    """The pairs of inputs that a kernel is wanted for: all of one stack with the other, or within one stack.

    With several positions per input, the points are the positions of all inputs, input by input.
    """

    def __init__(self, f: RandomFunction, X: Any, X2: Any) -> None:
        if not isinstance(f, RandomFunction):
            raise InputError(f"f is {f!r}, expected a network from rt.networks")
        if f.architecture is None and f.structure is None:
            raise ExactError(
                f"f is {f!r}, expected a network from rt.networks with random weights: others have no known limit"
            )
        first = _stack("X", X, f)
        second = first if X2 is None else _stack("X2", X2, f)
        if second.shape[1:] != first.shape[1:]:
            raise ShapeError(f"X2 holds inputs of shape {second.shape[1:]}, expected that of X, {first.shape[1:]}")
        self.symmetric = X2 is None
        self.inputs = first if self.symmetric else np.concatenate([first, second])
        self.rows, self.columns = len(first), len(second)
        self.positions = int(np.prod(first.shape[1:-1]))
        p, q = self.rows * self.positions, self.columns * self.positions
        if self.symmetric:
            self.left, self.right = np.triu_indices(p)
        else:
            self.left, self.right = np.divmod(np.arange(p * q), q)
            self.right = self.right + p

    def matrix(self, values: Array) -> Array:
        """Values on pairs of points as a matrix."""
        p, q = self.rows * self.positions, self.columns * self.positions
        if not self.symmetric:
            return values.reshape(p, q)
        matrix = np.empty((p, q), dtype=values.dtype)
        matrix[self.left, self.right] = values
        matrix[self.right, self.left] = values
        return matrix


def _stack(name: str, value: Any, f: RandomFunction) -> Array:
    array = check_input(value, name)
    if f.architecture is not None:
        expected: tuple[Any, ...] = ("N", f.architecture.inputs)
    elif isinstance(f.structure, Residual):
        expected = ("N", f.structure.inputs)
    else:
        assert f.structure is not None
        expected = ("N", *["size"] * f.structure.axes, f.structure.channels_in)
    if array.ndim != len(expected) or array.shape[-1] != expected[-1] or not array.size:
        raise ShapeError(f"{name} has shape {array.shape}, expected ({', '.join(map(str, expected))}): stacked inputs")
    return array


def _parts(f: RandomFunction, pairs: _InputPairs) -> tuple[list[Part], list[Part]]:
    """The output covariance and the tangent kernel, each as a sum."""
    if f.architecture is not None:
        return _fully_connected(f.architecture, pairs)
    assert f.structure is not None
    _check_width(f.structure.width)
    if isinstance(f.structure, Residual):
        return _residual(f.structure, pairs)
    return _convolutional(f.structure, pairs)


def _fully_connected(network: FullyConnected, inputs: _InputPairs) -> tuple[list[Part], list[Part]]:
    for width in network.widths:
        _check_width(width)
    sizes = (Term(1), *map(Term(1).__mul__, network.widths))
    squares = [_squared(factor) * size for factor, size in zip(network.factors, sizes, strict=True)]
    laws = [None, *[network.hidden] * (len(network.widths) - 1), network.readout]
    names = ["input", *["hidden"] * (len(network.widths) - 1), "readout"]
    gains = [
        square * _squared(std) * _second_moment(law, name)
        for square, std, law, name in zip(squares, network.stds, laws, names, strict=True)
    ]
    pairs = GaussianPairs.of_inputs(inputs.inputs, inputs.left, inputs.right)
    kernel: list[Part] = []
    for layer, activation in enumerate([network.activation] * len(network.widths)):
        kernel.append((squares[layer], pairs.covariances))
        if network.biases:
            kernel.append((Term(1), np.full(len(inputs.left), network.biases**2)))
        pairs, slopes = dual(activation, _pre_activations(pairs, gains[layer], network.biases, layer + 1))
        kernel = [(order * gains[layer + 1], values * slopes) for order, values in kernel]
    kernel.append((squares[-1], pairs.covariances))
    return [(gains[-1], inputs.matrix(pairs.covariances))], [(order, inputs.matrix(values)) for order, values in kernel]


def _residual(network: Residual, inputs: _InputPairs) -> tuple[list[Part], list[Part]]:
    pairs = GaussianPairs.of_inputs(inputs.inputs, inputs.left, inputs.right).scaled(1 / network.inputs)
    kernel = pairs.covariances
    for _ in range(network.blocks):
        branch, slopes = dual(network.activation, pairs)
        kernel = kernel + network.scale**2 * (branch.covariances + slopes * kernel)
        pairs = pairs + branch.scaled(network.scale**2)
    last, slopes = dual(network.activation, pairs)
    variance = _second_moment(network.readout, "readout")
    kernel = last.covariances + variance * slopes * kernel
    return [(Term(variance), inputs.matrix(last.covariances))], [(Term(1), inputs.matrix(kernel))]


def _convolutional(network: Convolutional, inputs: _InputPairs) -> tuple[list[Part], list[Part]]:
    sizes = inputs.inputs.shape[1 : 1 + network.axes]
    if network.positions not in (None, inputs.positions):
        raise ShapeError(f"X has inputs with {inputs.positions} positions, expected positions = {network.positions}")
    places = np.arange(len(inputs.inputs) * inputs.positions).reshape(len(inputs.inputs), *sizes)
    axes = tuple(range(1, 1 + network.axes))
    taps = product(range(network.kernel_size), repeat=network.axes)
    shifts = [np.roll(places, [-k for k in tap], axes).ravel() for tap in taps]
    number = _pair_numbers(inputs, places.size)
    shifted = [number[shift[inputs.left], shift[inputs.right]] for shift in shifts]

    def convolved(pairs: GaussianPairs) -> GaussianPairs:
        moved = (
            GaussianPairs(pairs.variances[shift], inputs.left, inputs.right, pairs.covariances[at], pairs.angles[at])
            for shift, at in zip(shifts, shifted, strict=True)
        )
        return reduce(add, moved).scaled(1 / len(shifts))

    points = inputs.inputs.reshape(places.size, network.channels_in)
    patches = np.concatenate([points[shift] for shift in shifts], axis=1)
    pairs = GaussianPairs.of_inputs(patches, inputs.left, inputs.right).scaled(1 / patches.shape[1])
    kernel = pairs.covariances
    for layer in range(network.layers):
        pairs, slopes = dual(network.activation, pairs)
        kernel = slopes * kernel
        if layer + 1 < network.layers:
            pairs = convolved(pairs)
            kernel = pairs.covariances + sum(kernel[at] for at in shifted) / len(shifts)
    variance = _second_moment(network.readout, "readout")

    def read(values: Array) -> Array:
        blocks = inputs.matrix(values).reshape(inputs.rows, inputs.positions, inputs.columns, inputs.positions)
        if network.positions is None:
            return np.asarray(blocks.mean(axis=(1, 3)))
        return np.asarray(np.einsum("iaja->ij", blocks) / inputs.positions)

    return (
        [(Term(variance), read(pairs.covariances))],
        [(Term(1), read(pairs.covariances + variance * kernel))],
    )


def _pair_numbers(inputs: _InputPairs, points: int) -> NDArray[np.intp]:
    """Numbers of the pairs by their two points, in either order."""
    number = np.zeros((points, points), dtype=np.intp)
    order = np.arange(len(inputs.left))
    number[inputs.right, inputs.left] = order
    number[inputs.left, inputs.right] = order
    return number


def _pre_activations(pairs: GaussianPairs, gain: Term, biases: float, layer: int) -> GaussianPairs:
    relation = compare(gain.order, Order(1))
    if relation == "=":
        pairs = pairs.scaled(float(gain.coefficient))
    elif relation == "<" and biases:
        pairs = pairs.scaled(0.0)
    else:
        raise ExactError(
            f"the variance of the pre-activations of hidden layer {layer} is of order {gain.order}, expected a "
            f"parametrization in which it has a finite positive limit, such as 'ntk'"
        )
    return pairs.shifted(biases**2) if biases else pairs


def _total(parts: Sequence[Part], f: RandomFunction, what: str) -> Array:
    """The limit of a sum of parts.

    Raises
    ------
    ExactError : it is infinite, or zero, or there is none.
    """
    finite = []
    for term, values in parts:
        relation = compare(term.order, Order(1))
        if relation == ">" or relation is None:
            limit = (
                "grows" if relation == ">" else "has no limit that does not depend on how the widths compare: it goes"
            )
            raise ExactError(
                f"the {what} of {f!r} {limit} like {term.order}, expected a parametrization in which it has a finite "
                f"positive limit, such as 'ntk'"
            )
        if relation == "=":
            finite.append(float(term.coefficient) * values)
    if not finite:
        slowest = reduce(add, (term.order for term, _ in parts))
        raise ExactError(
            f"the {what} of {f!r} vanishes like {slowest}, expected a parametrization in which it has a finite "
            f"positive limit, such as 'ntk'"
        )
    return reduce(add, finite)


def _check_width(width: Any) -> None:
    if not isinstance(width, Order | Term) or compare(Term(1, width).order, Order(1)) != ">":
        raise InputError(f"width is {width!r}, expected a Scale or a multiple of one, to take to infinity")


def _squared(factor: Any) -> Term:
    term: Term = Term(1) * factor
    return term * term


def _second_moment(law: Any, name: str) -> float:
    """The variance of the weights.

    Raises
    ------
    InputError : their mean is not zero, so that sums of many of them diverge.
    InfiniteMomentError : it is infinite.
    """
    mean, square = readout_moment(law, 1), readout_moment(law, 2)
    if mean != 0:
        raise InputError(f"the {name} weights have mean {float(mean):g}, expected 0")
    return float(square)
