"""Strategies for networks, their activations, inputs and derivatives, and seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

import randtensor as rt
from randtensor.dimensions import check_count
from randtensor.errors import InputError, RandtensorError
from randtensor.programs.activations import get_activation
from randtensor.strategies._arguments import listed, subset

__all__ = ["ACTIVATIONS", "activations", "derivative_tensors", "inputs", "networks", "seeds"]

_N = rt.Scale("n")

#: What `networks` draws from, linear first.
ACTIVATIONS = ("linear", "relu", "tanh", "erf", "gelu", "silu", "softplus", "sin", "square", "leaky_relu(0.2)")


def networks(
    shape: Sequence[int] = (2,),
    *,
    width: Any = _N,
    max_layers: int = 2,
    activations: Collection[str] = ACTIVATIONS,
    parametrizations: Collection[str] = ("ntk", "mean-field", "standard", "mup"),
) -> st.SearchStrategy[rt.RandomFunction]:
    """Scalar networks for inputs of a given shape: fully connected and residual for vectors, convolutional for others.

    Parameters
    ----------
    shape : of the input; (dimension,), (positions, channels) or (rows, columns, channels).
    width : a scale, a multiple of one, or an integer.
    max_layers : most hidden layers, or residual blocks.
    activations : names.
    parametrizations : of the fully connected ones, by name; the others have the NTK parametrisation.

    Raises
    ------
    InputError, ShapeError : arguments outside their range.

    Examples
    --------
    >>> from hypothesis import find
    >>> f = find(networks((3,)), lambda f: f.name == "resnet")
    >>> f, f([1.0, 0.0, -1.0]).sample(8, size=2, rng=0).shape
    (<RandomFunction resnet over U, W1, v>, (2,))
    """
    *positions, last = _input_shape(shape)
    layers = st.integers(1, check_count("max_layers", max_layers))
    phi = st.sampled_from(_activation_names("activations", activations))
    scheme = st.sampled_from(subset("parametrizations", parametrizations, ("ntk", "mean-field", "standard", "mup")))
    if positions:
        rt.networks.cnn(last, width, 1, axes=len(positions))  # what is wrong with a width shows now, not in a test
        size = st.integers(1, min(3, *positions))
        axes = st.just(len(positions))
        return st.builds(rt.networks.cnn, st.just(last), st.just(width), layers, phi, kernel_size=size, axes=axes)
    rt.networks.resnet(last, width, 1)
    full = st.builds(rt.networks.mlp, st.just(last), st.just(width), layers, phi, scheme)
    # a scheme is drawn for those without: of two examples the one with fewer draws is the simpler one
    residual = st.tuples(layers, phi, scheme).flatmap(
        lambda drawn: st.builds(rt.networks.resnet, st.just(last), st.just(width), st.just(drawn[0]), st.just(drawn[1]))
    )
    return full | residual


def activations(names: Collection[str] = ACTIVATIONS) -> st.SearchStrategy[rt.Activation]:
    """Activations of the given names; those that networks have, unless others are asked for.

    Raises
    ------
    InputError, ActivationError : no names, or an unknown one.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(activations(), lambda phi: phi.odd and phi(2.0) < 1)
    Activation('tanh')
    """
    return st.sampled_from([get_activation(name) for name in _activation_names("names", names)])


def derivative_tensors(
    shape: Sequence[int] = (2,), *, max_order: int = 2, **options: Any
) -> st.SearchStrategy[rt.DerivativeTensor]:
    """Derivatives of `networks` with respect to their parameters, at `inputs`; of order 0 they are values.

    Parameters
    ----------
    shape : of the input.
    max_order : largest number of derivatives.
    options : of the networks.

    Raises
    ------
    InputError, ShapeError : arguments outside their range.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(derivative_tensors(max_layers=1), lambda tensor: tensor.ndim == 1)
    derivative of order 1 of mlp
    """
    parts = (
        networks(shape, **options),
        inputs(shape),
        st.integers(0, 0 if max_order == 0 else check_count("max_order", max_order)),
    )
    # not mapped: a falsifying example would show this code in place of the derivative
    return st.tuples(*parts).flatmap(lambda drawn: st.just(drawn[0].derivative(*drawn[1:])))


def inputs(
    shape: Sequence[int] = (2,), *, max_magnitude: int = 4, zero: bool = True
) -> st.SearchStrategy[np.ndarray[Any, np.dtype[np.float64]]]:
    """Inputs of networks: arrays of multiples of 1/8, so that a failing one is readable and its text exact.

    Parameters
    ----------
    shape : of the input.
    max_magnitude : of an entry.
    zero : whether all entries may be 0.

    >>> from hypothesis import find
    >>> find(inputs((3,)), lambda x: x.sum() > 1)
    array([0.   , 0.   , 1.125])
    """
    most = 8 * check_count("max_magnitude", max_magnitude)
    arrays = numpy_strategies.arrays(
        np.float64, _input_shape(shape), elements=st.integers(-most, most).map(lambda k: k / 8)
    )
    return arrays if zero else arrays.filter(lambda array: bool(array.any()))


def seeds() -> st.SearchStrategy[int]:
    """Integer seeds for ``rng=``. A test that samples draws its seed, or Hypothesis cannot repeat what failed.

    >>> from hypothesis import find
    >>> find(seeds(), lambda seed: True)
    0
    """
    return st.integers(0, 2**32 - 1)


def _activation_names(argument: str, names: Collection[str]) -> list[str]:
    """Names of activations, or one sentence about one that is none."""
    chosen = listed(argument, names)
    for name in chosen:
        try:
            get_activation(name)
        except RandtensorError as error:
            raise type(error)(f"{argument} is {names!r}: {error}") from None
    return chosen


def _input_shape(shape: Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, str) or not np.iterable(shape) or not 1 <= len(shape) <= 3:
        raise InputError(f"shape is {shape!r}, expected the sizes of one to three axes")
    return tuple(check_count("shape", size) for size in shape)
