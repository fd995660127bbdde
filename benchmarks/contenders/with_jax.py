"""JAX in five ways, compiled: nested forward mode, Taylor mode, a Taylor expansion, and derivatives that are formed.

``jax-one`` and ``jax`` nest ``jax.jvp`` in the direction of ``jax.grad``, sample by sample and batched. ``jet`` is
``jax.experimental.jet``. ``expansion`` takes the difference of two Taylor polynomials of the network in its weights,
the construction that libraries for tangent kernels offer (Novak et al. 2020, arXiv:1912.02803), and trains the
linearised network as one. ``formed`` writes out the derivative tensor, with all its entries, and contracts it with
opt_einsum.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import jax
import numpy as np
import opt_einsum

from benchmarks._subject import INPUT, Array, Weights
from benchmarks.contenders.problem import (
    DIRECTIONAL,
    RATE,
    STEPS,
    TARGETS,
    TRAINING_INPUTS,
    Directional,
    Engine,
    calls_of,
)

__all__ = ["engine"]

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
jnp = jax.numpy

#: Entries of W that a batch may hold.
BATCH_ENTRIES = 2**24


def network(weights: Any, x: Any) -> Any:
    """The network at (U, W, v)."""
    U, W, v = weights
    root = len(v) ** 0.5
    h = jnp.tanh(U @ jnp.asarray(x) / 2)
    h = jnp.tanh(W @ h / root)
    return v @ h / root


def _at_input(weights: Any) -> Any:
    return network(weights, INPUT)


def _direction(weights: Any, problem: Directional) -> Any:
    return jax.grad(network)(weights, problem.along)


def nested(weights: Any, problem: Directional) -> Any:
    """Forward mode nested as often as the order says."""
    direction = _direction(weights, problem)
    derivative: Callable[[Any], Any] = _at_input
    for _ in range(problem.order):
        derivative = _along(derivative, direction)
    return derivative(weights)


def _along(function: Callable[[Any], Any], direction: Any) -> Callable[[Any], Any]:
    return lambda weights: jax.jvp(function, (weights,), (direction,))[1]


def taylor_mode(weights: Any, problem: Directional) -> Any:
    """Propagation of the Taylor series along the direction."""
    from jax.experimental.jet import jet

    direction = _direction(weights, problem)

    def on_line(*moved: Any) -> Any:
        return _at_input(moved)

    zeros = [[jnp.zeros_like(d)] * (problem.order - 1) for d in direction]
    series = tuple([d, *rest] for d, rest in zip(direction, zeros, strict=True))
    return jet(on_line, tuple(weights), series)[1][-1]


def expand(function: Callable[[Any], Any], start: Any, degree: int) -> Callable[[Any], Any]:
    """The Taylor polynomial of a function around a point, as a function again."""

    def polynomial(point: Any) -> Any:
        step = jax.tree.map(jnp.subtract, point, start)
        derivative, total = function, function(start)
        for k in range(1, degree + 1):
            derivative = _along(derivative, step)
            total = total + derivative(start) / factorial(k)
        return total

    return polynomial


def expansion(weights: Any, problem: Directional) -> Any:
    """The term of the highest degree, as the difference of two Taylor polynomials at weights + gradient."""
    moved = jax.tree.map(jnp.add, weights, _direction(weights, problem))
    high, low = (expand(_at_input, weights, degree)(moved) for degree in (problem.order, problem.order - 1))
    return factorial(problem.order) * (high - low)


def formed(weights: Any, problem: Directional) -> Any:
    """Every entry of the derivative tensor by repeated forward mode over all parameters, contracted by opt_einsum."""
    from jax.flatten_util import ravel_pytree

    flat, unravel = ravel_pytree(weights)
    derivative = jax.grad(lambda theta: _at_input(unravel(theta)))
    for _ in range(problem.order - 1):
        derivative = jax.jacfwd(derivative)
    direction, labels = ravel_pytree(_direction(weights, problem))[0], "abc"[: problem.order]
    equation = ",".join([labels, *labels]) + "->"
    return opt_einsum.contract(equation, derivative(flat), *[direction] * problem.order, backend="jax")


def descent(weights: Any, by_expansion: bool) -> Any:
    """Gradient descent of the network and of its linearisation, as one compiled loop."""
    inputs, targets = jnp.asarray(TRAINING_INPUTS), jnp.asarray(TARGETS)
    start = weights
    everywhere = jnp.concatenate((inputs, jnp.asarray(INPUT)[None]))
    outputs = jax.vmap(network, (None, 0))

    def trained(model: Callable[[Any, Any], Any]) -> Any:
        def loss(w: Any) -> Any:
            return jnp.mean((model(w, inputs) - targets) ** 2) / 2

        def step(_: Any, w: Any) -> Any:
            return jax.tree.map(lambda p, g: p - RATE * g, w, jax.grad(loss)(w))

        return jax.lax.fori_loop(0, STEPS, step, start)

    last = outputs(trained(outputs), everywhere)[-1]
    if by_expansion:

        def linear(w: Any, x: Any) -> Any:
            return expand(lambda u: outputs(u, x), start, 1)(w)

        return last - linear(trained(linear), everywhere)[-1]
    rows = jax.vmap(jax.grad(network), (None, 0))(start, everywhere)
    flat = [r.reshape(len(r), -1) for r in rows]
    kernel = sum(r @ r[: len(targets)].T for r in flat)

    def linear_step(_: Any, values: Any) -> Any:
        return values - RATE * kernel @ (values[: len(targets)] - targets) / len(targets)

    return last - jax.lax.fori_loop(0, STEPS, linear_step, outputs(start, everywhere))[-1]


class JaxEngine:
    """Draws weights with JAX's default generator and maps a function over them, one by one or batched."""

    def __init__(self, function: Callable[[Any], Any], batched: bool) -> None:
        self._function, self._batched = function, batched
        self._value: Any = jax.jit(function)
        self._compiled: dict[tuple[int, int], Any] = {}

    def value(self, weights: Weights) -> float:
        return float(self._value((weights.U, weights.W, weights.v)))

    def sample(self, width: int, count: int, seed: int) -> Array:
        def one(key: Any) -> Any:
            k = jax.random.split(key, 3)
            normal = jax.random.normal
            shapes = (width, len(INPUT)), (width, width), (width,)
            return self._function(tuple(normal(key, shape) for key, shape in zip(k, shapes, strict=True)))

        if (width, count) not in self._compiled:
            batch = max(1, min(count, BATCH_ENTRIES // width**2)) if self._batched else None
            self._compiled[width, count] = jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=batch))
        keys = jax.random.split(jax.random.key(seed), count)
        return np.asarray(self._compiled[width, count](keys))

    def count(self, width: int) -> int:
        return calls_of(width, 2**24 if self._batched else 2**22)


_DIRECTIONAL = {"jax-one": nested, "jax": nested, "jet": taylor_mode, "expansion": expansion, "formed": formed}


def engine(key: str, quantity: str) -> Engine:
    """One of the five ways to a quantity."""
    if quantity == "training":
        return JaxEngine(lambda weights: descent(weights, key == "expansion"), batched=False)
    function, problem = _DIRECTIONAL[key], DIRECTIONAL[quantity]
    return JaxEngine(lambda weights: function(weights, problem), batched=key == "jax")
