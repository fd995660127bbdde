"""One statistic of one quantity at one size, with its standard error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.sampling import Progress, describe, draw_samples, positive_integer
from estimators.statistics import Statistic, Summary, excess_kurtosis
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Quantity, resolve_sizes
from randtensor.seeding import Seed, root_sequence

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True)
class Estimate:
    """A Monte-Carlo estimate: the result of `estimate`.

    Attributes
    ----------
    value, error : the statistic and its standard error.
    samples : number of independent samples.
    statistic : its name.
    sizes : size of each scale, by name.
    seed : entropy of the random streams; ``rng=numpy.random.SeedSequence(seed)`` gives the same samples
        again.
    kurtosis : excess kurtosis of the samples; large values say that the error is itself uncertain; nan if
        constant.
    dof : effective degrees of freedom of the standard error: well below ``samples`` for heavy tails.
    draws : the samples, when ``keep_samples`` was asked for.
    """

    value: float
    error: float
    samples: int
    statistic: str
    sizes: dict[str, int]
    seed: int | tuple[int, ...]
    kurtosis: float
    dof: float
    draws: NDArray[Any] | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.statistic} {self.value:.6g} ± {self.error:.2g} ({self.samples} samples)"

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval; on the logarithmic scale for statistics that cannot be negative.

        Raises
        ------
        InputError : ``level`` is not strictly between 0 and 1.
        """
        return Summary(self.value, self.error, self.dof, Statistic(self.statistic).is_positive).interval(level)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the samples, ready for JSON; a kurtosis that is not defined becomes None."""
        record = asdict(self)
        del record["draws"]
        record["seed"] = list(self.seed) if isinstance(self.seed, tuple) else self.seed
        record["kurtosis"] = None if math.isnan(self.kurtosis) else self.kurtosis
        record["interval95"] = list(self.interval(0.95))
        return record


def estimate(
    quantity: Quantity,
    n: int | Mapping[Any, int] | None = None,
    *,
    statistic: str | Statistic = "mean",
    samples: int = 1000,
    rng: Seed = None,
    jobs: int | None = None,
    block_size: int | None = None,
    progress: Progress | None = None,
    keep_samples: bool = False,
) -> Estimate:
    """Monte-Carlo estimate of a statistic of a scalar random quantity.

    Parameters
    ----------
    quantity : scalar quantity. With ``quantity.probes`` > 1 it has several unbiased estimates per sample, from
        which means, mean squares and variances are estimated without bias.
    n : size of its scale, or a mapping from scales to sizes; None if it has no scale.
    statistic : "mean", "rms", "variance", "std", "median", "q90" (any quantile), "L3" (any L^q norm) or a
        `Statistic`.
    samples : number of independent samples, at least 2; the first ones do not depend on it.
    rng : seed; the same seed gives the same bits, whatever ``jobs`` and ``block_size``.
    jobs : worker threads; default: the number of processors.
    block_size : samples per task, rounded up to whole seeded blocks.
    progress : called with (samples done, samples in all).
    keep_samples : whether the result holds the samples.

    Raises
    ------
    ShapeError : a size that is missing or not a positive integer, or a quantity that is not a scalar.
    InputError : any other argument that cannot be used, or samples that are not finite.

    Examples
    --------
    >>> from randtensor.quantity import Quantity
    >>> class Average(Quantity):
    ...     scale_names, fingerprint = ("n",), "average of n normal variables"
    ...     def evaluate(self, draw):
    ...         return draw.generator.standard_normal((draw.batch, draw.sizes["n"])).mean(axis=1)
    >>> found = estimate(Average(), n=25, statistic="rms", samples=2000, rng=0)
    >>> abs(found.value - 0.2) < 4 * found.error
    True
    """
    chosen = Statistic.of(statistic)
    probes = check_scalar(quantity)
    count = positive_integer("samples", samples)
    chosen.require(count, probes, quantity.only_squares)
    sizes = resolve_sizes(quantity.scale_names, n)
    root = root_sequence(rng)
    (draws,) = draw_samples(quantity, [sizes], [count], root, jobs=jobs, block_size=block_size, progress=progress)
    return from_samples(draws, chosen, sizes, root, probes, keep_samples)


def check_scalar(quantity: Quantity) -> int:
    """Number of probes per sample (1: none) of a quantity that is a scalar up to them."""
    if not isinstance(quantity, Quantity):
        raise InputError(f"quantity is {quantity!r}, expected a randtensor quantity that can be sampled")
    probes = int(getattr(quantity, "probes", 1))
    if tuple(quantity.shape):
        raise ShapeError(
            f"quantity {describe(quantity)} has shape {tuple(quantity.shape)}, expected a scalar: "
            "contract or index it first"
        )
    return probes


def from_samples(
    draws: NDArray[Any],
    statistic: Statistic,
    sizes: Mapping[str, int],
    root: np.random.SeedSequence,
    probes: int,
    keep: bool,
) -> Estimate:
    """The estimate that given samples make."""
    summary = statistic(draws, probes)
    entropy: Any = root.entropy
    return Estimate(
        value=summary.value,
        error=summary.error,
        samples=len(draws),
        statistic=statistic.name,
        sizes=dict(sizes),
        seed=int(entropy) if isinstance(entropy, int | np.integer) else tuple(int(word) for word in entropy),
        kurtosis=excess_kurtosis(draws),
        dof=summary.dof,
        draws=draws if keep else None,
    )
