"""Networks written in JAX and trained densely, step by step: the reference of the tests of training.

The rule of descent is written out for flat parameter vectors, gradients come from JAX, and nothing is shared with the
library but the numbers that parameters start from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

import randtensor as rt

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy
ravel_pytree = pytest.importorskip("jax.flatten_util").ravel_pytree

n = rt.Scale("n")
WIDTH = 5


@rt.program(U=rt.gaussian(n, 2), W=rt.gaussian(n, n), v=rt.gaussian(n))
def _recurrent(p, x):
    h = rt.tanh(p.U @ x[0])
    for step in x[1:]:
        h = rt.tanh(p.W @ h / n**0.5 + p.U @ step)
    return p.v @ h / n**0.5


def _recurrent_reference(p, x):
    h = jnp.tanh(p["U"] @ x[0])
    for step in x[1:]:
        h = jnp.tanh(p["W"] @ h / WIDTH**0.5 + p["U"] @ step)
    return p["v"] @ h / WIDTH**0.5


@rt.program(U=rt.gaussian(n, 3), W=rt.gaussian(n, n), v=rt.gaussian(n), s=rt.gaussian())
def _tied(p, x):
    """One matrix that acts both ways, a parameter that is a number, and outputs of several kinds."""
    first = rt.softplus(p.U @ x)
    second = rt.erf(p.W @ first / n**0.5) * p.s
    third = rt.tanh(second @ p.W / n**0.5 + first)
    return [first @ third / n, p.v @ third / n**0.5 - rt.mean(second) ** 2]


def _tied_reference(p, x):
    first = jax.nn.softplus(p["U"] @ x)
    second = jax.scipy.special.erf(p["W"] @ first / WIDTH**0.5) * p["s"]
    third = jnp.tanh(second @ p["W"] / WIDTH**0.5 + first)
    return jnp.stack([first @ third / WIDTH, p["v"] @ third / WIDTH**0.5 - jnp.mean(second) ** 2])


def _mlp_reference(p, x):
    h = jnp.tanh(p["W1"] @ x / 3**0.5 + 0.3 * p["b1"])
    h = jnp.tanh(p["W2"] @ h / WIDTH**0.5 + 0.3 * p["b2"])
    return p["v"] @ h / WIDTH**0.5


def _resnet_reference(p, x):
    h = p["U"] @ x / 3**0.5
    for name in ("W1", "W2"):
        h = h + 0.7 * p[name] @ jax.nn.sigmoid(h) / WIDTH**0.5
    return p["v"] @ jax.nn.sigmoid(h) / WIDTH**0.5


def _cnn_reference(p, x):
    h = [x[0], x[1], x[2]]
    for name, fan_in in (("W1", 4), ("W2", 2 * WIDTH)):
        h = [jnp.tanh((p[name][0] @ h[i] + p[name][1] @ h[(i + 1) % 3]) * fan_in**-0.5) for i in range(3)]
    return p["v"] @ (h[0] + h[1] + h[2]) / 3 * WIDTH**-0.5


@dataclass(frozen=True, eq=False)
class Case:
    """A random function, the same in JAX, and the shapes of its parameters and inputs."""

    function: Any
    reference: Any
    shapes: dict[str, tuple[int, ...]]
    input_shape: tuple[int, ...] = (3,)
    outputs: int | None = None

    def parameters(self, seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {name: rng.standard_normal(shape) for name, shape in self.shapes.items()}

    def data(self, seed: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed + 1)
        shape = (inputs,) if self.outputs is None else (inputs, self.outputs)
        return rng.standard_normal((inputs, *self.input_shape)), rng.standard_normal(shape)


_MLP = {"W1": (WIDTH, 3), "W2": (WIDTH, WIDTH), "b1": (WIDTH,), "b2": (WIDTH,)}
CASES = {
    "mlp": Case(rt.networks.mlp(3, n, 2, biases=0.3), _mlp_reference, {**_MLP, "v": (WIDTH,)}),
    "vector": Case(
        rt.networks.mlp(3, n, 2, biases=0.3, outputs=2), _mlp_reference, {**_MLP, "v": (2, WIDTH)}, outputs=2
    ),
    "resnet": Case(
        rt.networks.resnet(3, n, 2, "sigmoid", residual_scale=0.7),
        _resnet_reference,
        {"U": (WIDTH, 3), "W1": (WIDTH, WIDTH), "W2": (WIDTH, WIDTH), "v": (WIDTH,)},
    ),
    "cnn": Case(
        rt.networks.cnn(2, n, 2, kernel_size=2),
        _cnn_reference,
        {"W1": (2, WIDTH, 2), "W2": (2, WIDTH, WIDTH), "v": (WIDTH,)},
        (3, 2),
    ),
    "recurrent": Case(
        _recurrent, _recurrent_reference, {"U": (WIDTH, 2), "W": (WIDTH, WIDTH), "v": (WIDTH,)}, (3, 2)
    ),
    "tied": Case(
        _tied, _tied_reference, {"U": (WIDTH, 3), "W": (WIDTH, WIDTH), "v": (WIDTH,), "s": ()}, (3,), 2
    ),
}  # fmt: skip

#: derivatives of losses by the outputs
SLOPES = {
    "squared": lambda f, y: f - y,
    "logistic": lambda f, y: 1 / (1 + np.exp(-f)) - y,
    "softmax": lambda f, y: np.exp(f) / np.exp(f).sum(axis=-1, keepdims=True) - y,
    "log-cosh": lambda f, y: np.tanh(f - y),
}


class Dense:
    """One network with all its parameters in one vector."""

    def __init__(self, name: str, parameters: dict[str, np.ndarray]) -> None:
        self.name, self.case = name, CASES[name]
        flat, _ = ravel_pytree(parameters)
        self.start = np.asarray(flat)

    def outputs(self, theta: np.ndarray, X: np.ndarray) -> np.ndarray:
        return _at_each(self.name, "outputs", theta, X)

    def jacobian(self, theta: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Gradients of all outputs at all inputs, one per row."""
        return _at_each(self.name, "jacobian", theta, X).reshape(-1, len(theta))

    def gradient(self, theta: np.ndarray, X: np.ndarray, y: np.ndarray, weights: Any, loss: str) -> np.ndarray:
        """The gradient of the weighted sum of losses."""
        outputs = self.outputs(theta, X)
        slopes = (SLOPES[loss](outputs, y).T * weights).T
        return slopes.ravel() @ self.jacobian(theta, X)

    def multiples(self, rates: dict[str, float]) -> np.ndarray:
        """Each parameter's multiple of the learning rate."""
        filled = {name: np.full(shape, rates.get(name, 1.0)) for name, shape in self.case.shapes.items()}
        return np.asarray(ravel_pytree(filled)[0])

    def path(self, X, y, weights, *, loss="squared", learning_rate=0.1, rates=None, **rule) -> np.ndarray:
        """Parameters at every step; ``weights`` lists what each input counts, step by step."""
        return descend(
            lambda theta, step: self.gradient(theta, X, y, weights[step], loss),
            self.start, len(weights), learning_rate * self.multiples(rates or {}), **rule,
        )  # fmt: skip


def descend(gradient, start, steps, learning_rate, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0):
    """PyTorch's SGD, as its documentation states it."""
    theta, buffer, path = start, None, [start]
    for step in range(steps):
        g = gradient(theta, step) + weight_decay * theta
        if momentum:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        theta = theta - learning_rate * g
        path.append(theta)
    return np.array(path)


def batch_weights(batch: Any, count: int, steps: int, reduction: str) -> list[np.ndarray]:
    """What each input counts at each step, for the full batch and for one input after the other."""
    size = count if batch == "full" else 1
    scale = 1 / size if reduction == "mean" else 1.0
    return [scale * (np.ones(count) if batch == "full" else np.eye(count)[step % count]) for step in range(steps)]


@cache
def _compiled(name: str, what: str) -> Any:
    case = CASES[name]
    _, unravel = ravel_pytree(case.parameters(0))

    def outputs(theta, x):
        return case.reference(unravel(theta), x)

    return jax.jit(outputs if what == "outputs" else jax.jacrev(outputs))


def _at_each(name: str, what: str, theta: np.ndarray, X: np.ndarray) -> np.ndarray:
    # input by input: another number of them would be compiled anew
    return np.array([_compiled(name, what)(theta, x) for x in X])
