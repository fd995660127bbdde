"""Against JAX: nested forward differentiation, compiled, warm, of the same quantity at the same precision.

JAX runs twice: sample by sample (``jax.lax.map``), and batched (``jax.lax.map(..., batch_size=...)``, which is ``vmap``
in chunks that fit the memory). The library runs through ``estimators.estimate`` on all cores; XLA decides for itself
how many it uses. Everyone draws the weights, in float64, and everyone runs in a process of its own, one per width, so
that peaks of memory are not mixed up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from benchmarks._measure import Timing, in_subprocess, peak_memory_of, timed
from benchmarks._section import Section, Target
from benchmarks._subject import INPUT, Array, Weights, cubic, cubic_at, rms

__all__ = ["WIDTHS", "measure"]

WIDTHS = (16, 32, 64, 128, 256, 1024, 4096)

SAMPLES = 100

#: JAX at the largest widths: fewer samples per call, or the benchmark takes minutes there.
FEWER_SAMPLES = {4096: 5}

#: Entries of W that a batch in JAX may hold.
BATCH_ENTRIES = 2**24

_MIB = 2**20


def _engine(batched: bool) -> tuple[Callable[[Any], Any], Callable[[int, int, int], Array]]:
    """The third derivative in JAX at given weights, and a compiled sampler (width, samples, seed) -> values."""
    import jax

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    jnp = jax.numpy
    x = jnp.asarray(INPUT)

    def f(weights: Any) -> Any:
        U, W, v = weights
        root = len(v) ** 0.5
        h = jnp.tanh(U @ x / 2)
        h = jnp.tanh(W @ h / root)
        return v @ h / root

    def third(weights: Any) -> Any:
        g = jax.grad(f)(weights)

        def first(p: Any) -> Any:
            return jax.jvp(f, (p,), (g,))[1]

        def second(p: Any) -> Any:
            return jax.jvp(first, (p,), (g,))[1]

        return jax.jvp(second, (weights,), (g,))[1]

    compiled: dict[tuple[int, int], Any] = {}

    def sample(width: int, samples: int, seed: int) -> Array:
        def one(key: Any) -> Any:
            k = jax.random.split(key, 3)
            normal = jax.random.normal
            return third((normal(k[0], (width, len(INPUT))), normal(k[1], (width, width)), normal(k[2], (width,))))

        if (width, samples) not in compiled:
            batch = max(1, min(samples, BATCH_ENTRIES // width**2)) if batched else None
            compiled[width, samples] = jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=batch))
        keys = jax.random.split(jax.random.key(seed), samples)
        return np.asarray(compiled[width, samples](keys))

    return jax.jit(third), sample


class _Cores:
    """How many cores this process has kept busy since now, on average."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def busy(self) -> float:
        return (time.process_time() - self._processor) / (time.perf_counter() - self._wall)


def jax_at(width: int, batched: bool) -> dict[str, Any]:
    """Times, peak memory and samples of JAX at one width; run in a process of its own."""
    third, sample = _engine(batched)
    samples = FEWER_SAMPLES.get(width, SAMPLES)
    sample(16, SAMPLES, 0)  # what JAX needs at any size is not counted below
    found: list[Array] = []
    memory = peak_memory_of(lambda: sample(width, samples, 0))
    cores = _Cores()
    timing = timed(lambda seed: found.append(sample(width, samples, seed)), samples, least=3)
    busy = cores.busy()
    generator = np.random.default_rng(width)
    difference = 0.0
    for _ in range(5 if width <= 256 else 0):  # the same weights to both: equal up to rounding
        weights = Weights.draw(width, generator)
        ours, theirs = cubic_at(weights), float(third((weights.U, weights.W, weights.v)))
        difference = max(difference, abs(ours - theirs) / abs(theirs))
    return {
        "seconds": timing.seconds,
        "memory": memory,
        "rms": rms(np.concatenate(found)),
        "difference": difference,
        "cores": busy,
    }


def ours_at(width: int) -> dict[str, Any]:
    """Times, peak memory and samples of this library at one width; run in a process of its own."""
    import estimators

    quantity, jobs = cubic(), os.cpu_count()

    def sample(width: int, seed: int) -> Array:
        found = estimators.estimate(
            quantity, width, statistic="rms", samples=SAMPLES, rng=seed, jobs=jobs, keep_samples=True
        )
        return cast(Array, found.draws)

    sample(16, 0)
    found: list[Array] = []
    memory = peak_memory_of(lambda: sample(width, 0))
    cores = _Cores()
    timing = timed(lambda seed: found.append(sample(width, seed)), SAMPLES)
    return {
        "seconds": timing.seconds,
        "memory": memory,
        "rms": rms(np.concatenate(found)),
        "cores": cores.busy(),
    }


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    rows, ratios, memory_shares, deviations, differences = [], {}, {}, [], []
    cores: dict[str, list[float]] = {"randtensor": [], "JAX one by one": [], "JAX batched": []}
    for width in WIDTHS:
        report(f"against JAX, width {width}")
        ours = in_subprocess(ours_at, width=width)
        single = in_subprocess(jax_at, width=width, batched=False)
        batched = in_subprocess(jax_at, width=width, batched=True) if width <= 1024 else None
        mine, theirs = Timing(tuple(ours["seconds"])), Timing(tuple(single["seconds"]))
        together = Timing(tuple(batched["seconds"])) if batched else None
        fastest = min(theirs.minimum, together.minimum) if together else theirs.minimum
        ratios[width] = (theirs.minimum / mine.minimum, fastest / mine.minimum)
        memory_shares[width] = ours["memory"] / single["memory"] if single["memory"] else np.nan
        for name, run in zip(cores, (ours, single, batched), strict=True):
            if run:
                cores[name].append(run["cores"])
        for other in [single, batched] if batched else [single]:
            deviations.append(abs(ours["rms"][0] - other["rms"][0]) / np.hypot(ours["rms"][1], other["rms"][1]))
            differences.append(other["difference"])
        rows.append(
            (
                str(width),
                str(mine),
                str(theirs),
                str(together) if together else "-",
                f"{ratios[width][0]:.1f}",
                f"{ratios[width][1]:.1f}" if together else "-",
                f"{ours['memory'] / _MIB:.1f}",
                f"{single['memory'] / _MIB:.1f}",
                f"{batched['memory'] / _MIB:.1f}" if batched else "-",
            )
        )
    small = min(ratios[width][0] for width in WIDTHS if width <= 256)
    small_batched = min(ratios[width][1] for width in WIDTHS if width <= 256)
    return Section(
        name="against-jax",
        headers=(
            "width",
            "randtensor",
            "JAX, one by one",
            "JAX, batched",
            "times faster",
            "than the faster JAX",
            "MiB, randtensor",
            "MiB, JAX",
            "MiB, JAX batched",
        ),
        rows=tuple(rows),
        targets=(
            Target("times faster than JAX at widths 16 to 256, worst", small, 1, at_least=True),
            Target("the same over the faster JAX of the two (stricter than asked)", small_batched, 1, at_least=True),
            Target("times faster than JAX at width 1024", ratios[1024][0], 40, at_least=True),
            Target("times faster than JAX at width 4096", ratios[4096][0], 300, at_least=True),
            Target("memory relative to JAX at width 4096", memory_shares[4096], 0.1),
            Target(
                "difference of the rms values, worst of all pairs", float(max(deviations)), 5, unit=" standard errors"
            ),
            Target("relative difference at equal weights, widths up to 256", float(max(differences)), 1e-10),
        ),
        notes=(
            f"Time per sample: minimum, and in brackets the median, over repeated calls of {SAMPLES} samples "
            f"(JAX at width 4096: {FEWER_SAMPLES[4096]} samples per call). The memory is the peak during the first "
            "call, beyond what was resident after the imports and a call at width 16; small"
            " figures vary with what compilation left free. Cores kept busy on "
            "average, least to most over the widths: "
            f"{', '.join(f'{name} {min(c):.1f} to {max(c):.1f}' for name, c in cores.items())}.",
        ),
    )
