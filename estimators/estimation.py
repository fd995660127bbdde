"""One statistic of one quantity at one size, with its standard error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from estimators._records import matching_schema, number, plain
from estimators.errors_of_samples import influence_of, standard_error
from estimators.moments import Moments
from estimators.sampling import Progress, describe, draw_samples
from estimators.sources import Source, identify, merged_sources, sources_from
from estimators.statistics import Statistic, Summary
from estimators.workers import Jobs
from randtensor.arguments import positive_integer
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Quantity, resolve_sizes
from randtensor.seeding import Seed, root_sequence

__all__ = ["Estimate", "Variance", "estimate"]

Variance = Literal["auto", "exact", "sampled"]

_SCHEMA = "randtensor/estimate/1"


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
    dof : effective degrees of freedom of the standard error: well below ``samples`` for heavy tails, infinite
        where it is exact.
    draws : the samples, when ``keep_samples`` was asked for.
    error_source : "sampled" (from the scatter of the samples), "exact" (from the exact variance of the quantity)
        or "blocks" (jackknife over blocks, for heavy tails).
    heavy_tailed : whether a few samples carry the variance, so that the error is a guess.
    largest_share : share of one sample in the variance of the statistic; nan for quantiles and constants.
    quantity : identifies the law that was sampled.
    sources : the streams and ranges of samples that went in.
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
    error_source: Literal["sampled", "exact", "blocks"] = "sampled"
    heavy_tailed: bool = False
    largest_share: float = field(default=math.nan, compare=False)
    quantity: str = field(default="", repr=False)
    sources: tuple[Source, ...] = field(default=(), repr=False)
    probes: int = field(default=1, repr=False)
    _moments: Moments | None = field(default=None, repr=False, compare=False)
    _averaged: Moments | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        tails = ", heavy tails" if self.heavy_tailed and self.error_source != "exact" else ""
        return f"{self.statistic} {self.value:.6g} ± {self.error:.2g} ({self.samples} samples{tails})"

    __repr__ = __str__  # at a prompt, every field would be pages

    def _repr_html_(self) -> str:
        sizes = ", ".join(f"{scale} = {size}" for scale, size in self.sizes.items())
        return f"<span>{escape(str(self))}{escape(f' at {sizes}') if sizes else ''}</span>"

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval; on the logarithmic scale for statistics that cannot be negative.

        Raises
        ------
        InputError : ``level`` is not strictly between 0 and 1.
        """
        return Summary(self.value, self.error, self.dof, Statistic(self.statistic).is_positive).interval(level)

    def merge(self, other: Estimate) -> Estimate:
        """The estimate from the samples of both: other seeds, or other samples of the same stream.

        Means, rms, L^q norms, variances, standard deviations and cumulants are what all samples together give, up
        to rounding; so is every statistic when both hold their samples.  Quantiles without samples, and variances
        from noisy probes, are averaged by the number of samples, which differs from the pooled statistic by less
        than its error does from zero.

        Raises
        ------
        InputError : another quantity, size or statistic, or samples that are already in this estimate.

        Examples
        --------
        >>> import randtensor as rt
        >>> length = rt.norm(rt.gaussian(rt.Scale("n")))
        >>> one, two = (estimate(length, 8, samples=100, rng=seed) for seed in (0, 1))
        >>> one.merge(two).samples, one.merge(two).error < one.error
        (200, True)
        """
        from estimators.merging import merge_estimates

        return merge_estimates(self, other)

    def extend(
        self,
        quantity: Quantity,
        samples: int,
        *,
        jobs: Jobs = None,
        progress: Progress | None = None,
    ) -> Estimate:
        """This estimate with the next ``samples`` samples of its own stream.

        The result is what `estimate` gives with as many samples from the start, up to rounding.

        Raises
        ------
        InputError : another quantity than the one sampled, or a number of samples that is not positive.
        """
        from estimators.merging import extend_estimates

        return extend_estimates(quantity, (self,), (samples,), jobs=jobs, progress=progress)[0]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the samples, ready for JSON; numbers that are not defined become None."""
        return {
            "schema": _SCHEMA,
            "value": self.value,
            "error": self.error,
            "samples": self.samples,
            "statistic": self.statistic,
            "sizes": dict(self.sizes),
            "seed": list(self.seed) if isinstance(self.seed, tuple) else self.seed,
            "kurtosis": plain(self.kurtosis),
            "dof": plain(self.dof),
            "error_source": self.error_source,
            "heavy_tailed": self.heavy_tailed,
            "largest_share": plain(self.largest_share),
            "interval95": list(self.interval(0.95)),
            "quantity": self.quantity,
            "sources": [source.to_dict() for source in self.sources],
            "probes": self.probes,
            "moments": None if self._moments is None else self._moments.to_dict(),
            "averaged": None if self._averaged is None else self._averaged.to_dict(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Estimate:
        """The estimate of which ``record`` is the `to_dict`; it can be merged and extended, but holds no samples.

        Raises
        ------
        InputError : a record of something else.
        """
        with matching_schema(record, _SCHEMA):
            seed = record["seed"]
            return cls(
                value=float(record["value"]),
                error=float(record["error"]),
                samples=int(record["samples"]),
                statistic=Statistic(record["statistic"]).name,
                sizes={str(name): int(size) for name, size in record["sizes"].items()},
                seed=tuple(seed) if isinstance(seed, list) else int(seed),
                kurtosis=number(record["kurtosis"], math.nan),
                dof=number(record["dof"], math.inf),
                error_source=record["error_source"],
                heavy_tailed=bool(record["heavy_tailed"]),
                largest_share=number(record["largest_share"], math.nan),
                quantity=str(record["quantity"]),
                sources=sources_from(record["sources"]),
                probes=int(record["probes"]),
                _moments=None if record["moments"] is None else Moments.from_dict(record["moments"]),
                _averaged=None if record["averaged"] is None else Moments.from_dict(record["averaged"]),
            )


def estimate(
    quantity: Quantity,
    n: int | Mapping[Any, int] | None = None,
    *,
    statistic: str | Statistic = "mean",
    samples: int = 1000,
    rng: Seed = None,
    variance: Variance = "auto",
    jobs: Jobs = None,
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
    statistic : "mean", "rms", "variance", "std", "median", "q90" (any quantile), "L3" (any L^q norm), "k4" (a
        cumulant) or a `Statistic`.
    samples : number of independent samples, at least 2; the first ones do not depend on it.
    rng : seed; the same seed gives the same bits, whatever ``jobs`` and ``block_size``.
    variance : where the standard error of a mean comes from: "exact" (the exact variance of the quantity),
        "sampled" (the scatter of the samples), or "auto": exact where a rule gives it, else sampled.
    jobs : number of threads (default: that of the processors), an executor, or `Workers`.
    block_size : samples per task, rounded up to whole seeded blocks.
    progress : called with (samples done, samples in all).
    keep_samples : whether the result holds the samples.

    Raises
    ------
    ShapeError : a size that is missing or not a positive integer, or a quantity that is not a scalar.
    ExactError : ``variance="exact"`` and no rule gives it.
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
    from estimators.exact_variance import variance_at

    chosen = Statistic.of(statistic)
    probes = check_scalar(quantity)
    count = positive_integer("samples", samples)
    chosen.require(count, probes, quantity.only_squares)
    sizes = resolve_sizes(quantity.scale_names, n)
    root = root_sequence(rng)
    (exact,) = variance_at(quantity, chosen, [sizes], probes, variance)
    (draws,) = draw_samples(quantity, [sizes], [count], root, jobs=jobs, block_size=block_size, progress=progress)
    return from_samples(draws, chosen, sizes, root, probes, keep_samples, quantity=quantity, variance=exact)


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
    *,
    quantity: Quantity | None = None,
    variance: float | None = None,
    first: int = 0,
) -> Estimate:
    """The estimate that given samples make: numbers ``first``, ... of the stream of ``root``."""
    source = Source.of(root, first, first + len(draws))
    identity = "" if quantity is None else identify(quantity.fingerprint)
    return from_draws(draws, statistic, sizes, (source,), probes, keep, identity, variance)


def from_draws(
    draws: NDArray[Any],
    statistic: Statistic,
    sizes: Mapping[str, int],
    sources: tuple[Source, ...],
    probes: int,
    keep: bool,
    identity: str,
    variance: float | None,
) -> Estimate:
    """The estimate of samples that come from ``sources``."""
    found = standard_error(draws, statistic, probes, variance)
    moments, influence = Moments.of(draws, statistic.moments_needed), influence_of(draws, statistic, probes)
    return Estimate(
        value=found.summary.value,
        error=found.summary.error,
        samples=len(draws),
        statistic=statistic.name,
        sizes=dict(sizes),
        seed=sources[0].seed,
        kurtosis=moments.excess_kurtosis,
        dof=found.summary.dof,
        draws=draws if keep else None,
        error_source=found.source,
        heavy_tailed=found.heavy_tailed,
        largest_share=found.largest_share,
        quantity=identity,
        sources=merged_sources(sources),
        probes=probes,
        _moments=moments,
        _averaged=None if influence is None else Moments.of(influence),
    )
