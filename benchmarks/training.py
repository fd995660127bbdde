"""Full-batch gradient descent of a wide network: revealed matrices against dense ones in NumPy and JAX.

Two hidden layers, four inputs, twenty steps, float64, weights drawn anew for every run; everyone in a process of its
own. The drawing of the weights counts: it is part of one sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._measure import Timing, in_subprocess, peak_memory_of, timed
from benchmarks._section import Section, Target

__all__ = ["WIDTHS", "measure"]

WIDTHS = (2**8, 2**10, 2**12, 2**14, 2**16, 2**18)

#: Beyond this width dense matrices take minutes, or more memory than there is.
LARGEST_DENSE = 2**12

STEPS, RATE = 20, 0.5
INPUTS = np.random.default_rng(0).standard_normal((4, 4))
TARGETS = np.array([1.0, -1.0, 0.5, -0.5])

_MIB = 2**20

Array = Any


def ours(width: int, dense: bool | None = None) -> Callable[[int], Array]:
    """One run of this library."""
    import estimators
    import randtensor as rt

    f = rt.networks.mlp(inputs=4, width=rt.Scale("n"), hidden_layers=2, dense=dense)
    training = estimators.Training(f, INPUTS, TARGETS, learning_rate=RATE, steps=STEPS)

    def run(seed: int) -> Array:
        found = estimators.train(training, n=width, rng=seed, record=[STEPS], observe=["outputs", "loss"], jobs=1)
        return found.loss

    return run


def numpy_dense(width: int) -> Callable[[int], Array]:
    """The same with matrices held entry by entry."""

    def run(seed: int) -> Array:
        generator, root = np.random.default_rng(seed), width**0.5
        U, W, v = (generator.standard_normal(shape) for shape in ((width, 4), (width, width), width))
        for _ in range(STEPS):
            first = np.tanh(U @ INPUTS.T / 2)
            second = np.tanh(W @ first / root)
            slopes = (v @ second / root - TARGETS) / len(TARGETS)
            back = np.outer(v, slopes) / root * (1 - second**2)
            below = W.T @ back / root * (1 - first**2)
            v -= RATE * second @ slopes / root
            W -= (RATE / root) * (back @ first.T)
            U -= RATE * below @ INPUTS / 2
        outputs = v @ np.tanh(W @ np.tanh(U @ INPUTS.T / 2) / root) / root
        return np.mean((outputs - TARGETS) ** 2) / 2

    return run


def jax_dense(width: int) -> Callable[[int], Array]:
    """The same in JAX, compiled as a whole."""
    import jax

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    jnp = jax.numpy
    inputs, targets, root = jnp.asarray(INPUTS), jnp.asarray(TARGETS), width**0.5

    def loss(weights: Any) -> Any:
        U, W, v = weights
        outputs = v @ jnp.tanh(W @ jnp.tanh(U @ inputs.T / 2) / root) / root
        return jnp.mean((outputs - targets) ** 2) / 2

    @jax.jit
    def trained(key: Any) -> Any:
        keys, normal = jax.random.split(key, 3), jax.random.normal
        weights = (normal(keys[0], (width, 4)), normal(keys[1], (width, width)), normal(keys[2], (width,)))

        def step(_: Any, weights: Any) -> Any:
            return jax.tree.map(lambda w, g: w - RATE * g, weights, jax.grad(loss)(weights))

        return loss(jax.lax.fori_loop(0, STEPS, step, weights))

    return lambda seed: float(trained(jax.random.key(seed)))


ENGINES = {"revealed": ours, "numpy": numpy_dense, "jax": jax_dense}


def run_engine(engine: str, width: int) -> dict[str, Any]:
    """Times and peak memory of one engine at one width; run in a process of its own."""
    from randtensor._blas import single_threaded_blas

    run = ENGINES[engine](width)
    if engine == "revealed":
        with single_threaded_blas():
            memory = peak_memory_of(lambda: run(0))
            timing = timed(run, seconds=3.0, least=3)
    else:
        memory = peak_memory_of(lambda: run(0))
        timing = timed(run, seconds=3.0, least=3)
    return {"seconds": timing.seconds, "memory": memory}


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    found: dict[tuple[str, int], tuple[Timing, float]] = {}
    for width in WIDTHS:
        for engine in ENGINES:
            if engine == "revealed" or width <= LARGEST_DENSE:
                report(f"training, {engine}, width {width}")
                result = in_subprocess(run_engine, engine=engine, width=width)
                found[engine, width] = (Timing(tuple(result["seconds"])), result["memory"])
    rows = []
    for width in WIDTHS:
        cells = [f"2^{width.bit_length() - 1}"]
        for engine in ENGINES:
            cells.append(str(found[engine, width][0]) if (engine, width) in found else "-")
        cells.append(f"{found['revealed', width][1] / _MIB:.0f} MiB")
        rows.append(tuple(cells))
    own = {width: found["revealed", width] for width in WIDTHS}
    large = [width for width in WIDTHS if width >= 2**14]
    growth = np.polyfit(np.log(large), np.log([own[width][1] for width in large]), 1)[0]
    best = min(found[engine, LARGEST_DENSE][0].minimum for engine in ("numpy", "jax"))
    return Section(
        name="training",
        headers=("width n", "revealed", "dense, NumPy", "dense, JAX", "memory, revealed"),
        rows=tuple(rows),
        targets=(
            Target("one run at 2^16", own[2**16][0].minimum, 1, unit=" s"),
            Target("one run at 2^18", own[2**18][0].minimum, 5, unit=" s"),
            Target("growth exponent of the memory", float(growth), 1.1),
            Target(
                "times faster than the faster dense one at 4096",
                best / own[LARGEST_DENSE][0].minimum,
                30,
                at_least=True,
            ),
        ),
        notes=(
            "Twenty steps of full-batch gradient descent on four inputs, two hidden tanh layers, one network. Minimum, "
            "and in brackets the median. This library runs on one core, NumPy and JAX on all of them.",
        ),
    )
