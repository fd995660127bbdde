"""Everything else that one could use, each computing the same quantities at the same precision."""

from __future__ import annotations

from benchmarks.contenders.problem import DIRECTIONAL, QUANTITIES, Contender, Engine

__all__ = ["CONTENDERS", "LIBRARY", "QUANTITIES", "Contender", "Engine", "contender"]

_JAX, _DIRECTIONAL = "benchmarks.contenders.with_jax", tuple(DIRECTIONAL)


def _nothing(quantity: str, width: int) -> float:
    return 0.0


def _derivative_tensor(quantity: str, width: int) -> float:
    """Bytes of a derivative tensor that is written out."""
    return float(8 * (width**2 + 5 * width) ** DIRECTIONAL[quantity].order)


LIBRARY = Contender("randtensor", "randtensor", "benchmarks.contenders.library", least=_nothing)

CONTENDERS = (
    LIBRARY,
    Contender("numpy", "NumPy, dense, by hand", "benchmarks.contenders.with_numpy"),
    Contender("jax-one", "JAX, nested jvp, one by one", _JAX, needs=("jax",)),
    Contender("jax", "JAX, nested jvp, batched", _JAX, ("third", "kernel"), needs=("jax",)),
    Contender("jet", "JAX, jet", _JAX, _DIRECTIONAL, needs=("jax",)),
    Contender("expansion", "JAX, Taylor expansion", _JAX, needs=("jax",)),
    Contender("torch", "PyTorch, torch.func, vmap", "benchmarks.contenders.with_torch", needs=("torch",)),
    Contender(
        "differences", "NumPy, central differences", "benchmarks.contenders.with_numpy", _DIRECTIONAL, agreement=1e-3
    ),
    Contender("formed", "derivatives formed, opt_einsum", _JAX, _DIRECTIONAL, needs=("jax",), least=_derivative_tensor),
)


def contender(key: str) -> Contender:
    """The contender of that key."""
    return next(each for each in CONTENDERS if each.key == key)
