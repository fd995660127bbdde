"""One function written thrice: as a program, as a module of PyTorch and as functions of JAX, on the same parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import randtensor as rt

n = rt.Scale("n")
WIDTH = 5
LIBRARIES = ("torch", "jax")


@rt.program(U=rt.gaussian(n, 3), b=rt.gaussian(n), W=rt.gaussian(n, n), v=rt.gaussian(n))
def _mlp(p, x):
    h = rt.tanh(p.U @ x / 3**0.5 + 0.3 * p.b)
    h = rt.tanh(p.W @ h / n**0.5)
    return p.v @ h / n**0.5


@rt.program(U=rt.gaussian(n, 3), W=rt.gaussian(n, n), v=rt.gaussian(n))
def _shared(p, x):
    """One matrix used twice and transposed, and two outputs."""
    first = rt.softplus(p.U @ x)
    second = rt.sin(p.W @ first / n**0.5)
    third = rt.tanh(second @ p.W / n**0.5 + first)
    return [p.v @ third / n**0.5, first @ third / n]


def _torch_forward(name: str) -> Callable[..., Any]:
    import torch

    def mlp(p, x):
        h = torch.tanh(x @ p.U.T / 3**0.5 + 0.3 * p.b)
        h = torch.tanh(h @ p.W.T / len(p.W) ** 0.5)
        return h @ p.v / len(p.v) ** 0.5

    def shared(p, x):
        first = torch.nn.functional.softplus(x @ p.U.T)
        second = torch.sin(first @ p.W.T / len(p.W) ** 0.5)
        third = torch.tanh(second @ p.W / len(p.W) ** 0.5 + first)
        return torch.stack([third @ p.v / len(p.v) ** 0.5, (first * third).sum(-1) / len(p.v)], -1)

    return {"mlp": mlp, "shared": shared}[name]


def _jax_forward(name: str) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    def mlp(p, x):
        h = jnp.tanh(p["U"] @ x / 3**0.5 + 0.3 * p["b"])
        h = jnp.tanh(p["W"] @ h / len(p["W"]) ** 0.5)
        return p["v"] @ h / len(p["v"]) ** 0.5

    def shared(p, x):
        first = jax.nn.softplus(p["U"] @ x)
        second = jnp.sin(p["W"] @ first / len(p["W"]) ** 0.5)
        third = jnp.tanh(second @ p["W"] / len(p["W"]) ** 0.5 + first)
        return jnp.stack([p["v"] @ third / len(p["v"]) ** 0.5, first @ third / len(p["v"])])

    return {"mlp": mlp, "shared": shared}[name]


@dataclass(frozen=True, eq=False)
class Case:
    """A program and the shapes of its parameters at a width."""

    name: str
    program: rt.RandomFunction
    shapes: Callable[[int], dict[str, tuple[int, ...]]]

    def arrays(self, width: int = WIDTH, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {name: rng.standard_normal(shape) for name, shape in self.shapes(width).items()}

    def factory(self, library: str) -> Callable[[int], Any]:
        """A factory whose parameters are standard normal, as those of the program."""
        return self._torch() if library == "torch" else self._jax()

    def _torch(self) -> Callable[[int], Any]:
        import torch

        forward, shapes = _torch_forward(self.name), self.shapes

        class Model(torch.nn.Module):
            def __init__(self, width):
                super().__init__()
                for name, shape in shapes(width).items():
                    setattr(self, name, torch.nn.Parameter(torch.randn(shape)))

            def forward(self, x):
                return forward(self, x)

        return Model

    def _jax(self) -> Callable[[int], Any]:
        import jax

        forward, shapes = _jax_forward(self.name), self.shapes

        def model(width):
            def init(key):
                keys = jax.random.split(key, len(shapes(width)))
                return {
                    name: jax.random.normal(key, shape)
                    for key, (name, shape) in zip(keys, shapes(width).items(), strict=True)
                }

            return init, lambda params, x: jax.vmap(lambda row: forward(params, row))(x)

        return model

    def adapted(self, library: str, output: int | None = None, dtype: str = "float64") -> Any:
        """The model as a random function; one for all tests, which JAX compiles for."""
        pytest.importorskip(library)
        return _adapted(self, library, output, dtype)

    def pair(self, library: str) -> tuple[rt.RandomFunction, Any]:
        """Program and adapted model at the same dense parameters."""
        arrays = self.arrays()
        return self.program.at(**arrays), self.adapted(library).at((WIDTH, arrays))


@cache
def _adapted(case: Case, library: str, output: int | None, dtype: str) -> Any:
    adapter = import_module(f"randtensor.interop.{library}")
    return adapter.random_function(case.factory(library), name=case.name, output=output, dtype=dtype)


CASES = {
    "mlp": Case("mlp", _mlp, lambda w: {"U": (w, 3), "b": (w,), "W": (w, w), "v": (w,)}),
    "shared": Case("shared", _shared, lambda w: {"U": (w, 3), "W": (w, w), "v": (w,)}),
}
