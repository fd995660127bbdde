"""How far the law of a random quantity is from a centred Gaussian: distances with errors and with their bias known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from estimators._records import matching_schema
from estimators._samples_of_both import check_mergeable, weighted
from estimators._witnesses import FITTERS, Witness, chunks, frequencies
from estimators.conditional import check_variances
from estimators.cumulants import entropy, require
from estimators.power_sums import check_samples
from estimators.sampling import Progress, describe, draw_samples
from estimators.sources import identify
from estimators.statistics import Summary, summarize
from estimators.workers import Jobs
from randtensor.arguments import positive_integer
from randtensor.errors import InputError
from randtensor.quantity import Quantity, resolve_sizes
from randtensor.seeding import Seed, root_sequence

__all__ = ["GaussianDistance", "distance_to_gaussian"]

Array = NDArray[np.float64]
Kind = Literal["kolmogorov", "wasserstein", "characteristic", "characteristic-sup"]

_SCHEMA = "randtensor/gaussian-distance/1"
_NUMBERS = ("value", "error", "upper", "upper_error", "bias", "variance", "dof")
_KINDS = (*FITTERS, "characteristic")
_FEWEST = 20  # samples: halves of fewer say nothing about a distribution function
_STEP = 0.1  # of the frequencies in the squared distance; exact to rounding for samples within 50 standard deviations
_CHANGE = 1e-3  # relative change of the fitted variance in numerical derivatives


@dataclass(frozen=True)
class GaussianDistance:
    """A distance to N(0, variance): the result of `distance_to_gaussian`.

    Attributes
    ----------
    value, error : the estimate and its standard error. For "characteristic" the squared distance, unbiased; otherwise
        unbiased for something at most the distance. Either can be negative when the law is too near to tell.
    upper, upper_error : the distance of the empirical law itself, which is at least the true one on average, and its
        standard error.
    bias : estimated bound on the bias of ``value``: upper - value, or for "characteristic" what was corrected for.
    kind : "kolmogorov", "wasserstein", "characteristic" or "characteristic-sup".
    samples : number of independent samples.
    variance : of the Gaussian.
    fitted : whether that is the mean square of the samples.
    conditional : whether the samples are conditional variances.
    dof : effective degrees of freedom of the error.
    sizes : size of each scale, by name.
    seed : entropy of the random streams; None for samples that were given.
    quantity : identifies the law that was sampled; empty for samples that were given.

    Examples
    --------
    >>> import numpy as np
    >>> found = distance_to_gaussian(np.linspace(-1, 1, 200), "kolmogorov", variance=1 / 3)
    >>> found.dkw_interval(0.95)[0], 0 < found.value < found.upper
    (0.0, True)
    """

    value: float
    error: float
    upper: float
    upper_error: float
    bias: float
    kind: str
    samples: int
    variance: float
    fitted: bool
    conditional: bool
    dof: float
    sizes: dict[str, int]
    seed: int | tuple[int, ...] | None
    quantity: str = field(default="", repr=False)

    def __str__(self) -> str:
        what = "squared characteristic" if self.kind == "characteristic" else self.kind
        numbers = f"{self.value:.4g} ± {self.error:.2g} ({self.samples} samples)"
        return f"{what} distance to N(0, {self.variance:.4g}): {numbers}"

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval, which takes the bias into account; cut off at 0.

        Below, it allows the two halves of the samples to err together, as they do when the law is Gaussian; above, it
        starts from ``upper``, for "characteristic" from its root, which is a supremum too.

        Raises
        ------
        InputError : ``level`` is not strictly between 0 and 1.
        """
        if self.kind == "characteristic":
            low, _ = Summary(self.value, self.error, self.dof, False).interval(level)
            root = math.sqrt(self.upper)
            _, high = Summary(root, self.upper_error / (2 * root) if root else 0.0, self.dof, False).interval(level)
            return max(low, 0.0), high**2
        low, _ = Summary(self.value, math.sqrt(2) * self.error, self.dof, False).interval(level)
        _, high = Summary(self.upper, self.upper_error, self.dof, False).interval(level)
        return max(low, 0.0), max(high, 0.0)

    def dkw_interval(self, level: float = 0.95) -> tuple[float, float]:
        """The Kolmogorov distance's interval that holds at every sample size, not only in the limit.

        By the inequality of Dvoretzky, Kiefer & Wolfowitz (1956) with the constant of Massart (1990).

        Raises
        ------
        InputError : another kind of distance, conditional variances or a fitted variance, for which it does not hold;
            ``level`` is not strictly between 0 and 1.
        """
        if self.kind != "kolmogorov" or self.conditional or self.fitted:
            raise InputError(
                f"kind is {self.kind!r} with conditional={self.conditional} and fitted={self.fitted}, expected a "
                "Kolmogorov distance of unconditional samples to a given Gaussian"
            )
        if not 0 < level < 1:
            raise InputError(f"level is {level!r}, expected a number strictly between 0 and 1")
        reach = math.sqrt(math.log(2 / (1 - level)) / (2 * self.samples))
        return max(self.upper - reach, 0.0), min(self.upper + reach, 1.0)

    def merge(self, other: GaussianDistance) -> GaussianDistance:
        """Averages by the number of samples, of results of independent ones.

        What is unbiased remains so, ``value`` is still at most and ``upper`` at least the distance on average; but
        for a Gaussian of a given variance all samples together would give an ``upper`` that is nearer to it.

        Raises
        ------
        InputError : another kind of distance, law or Gaussian, other sizes, or the same samples twice.

        Examples
        --------
        >>> import numpy as np
        >>> x = np.random.default_rng(0).exponential(size=(2, 1000)) - 1
        >>> one, two = (distance_to_gaussian(row, "kolmogorov") for row in x)
        >>> both = one.merge(two)
        >>> both.samples, both.error < max(one.error, two.error)
        (2000, True)
        """
        agree = ["kind", "sizes", "fitted", "conditional"]
        check_mergeable(self, other, agree if self.fitted else [*agree, "variance"])

        def mean(name: str, error: str = "bias") -> tuple[float, float]:
            one, two = ((each.samples, getattr(each, name), getattr(each, error)) for each in (self, other))
            return weighted(one, two)

        value, value_error = mean("value", "error")
        upper, upper_error = mean("upper", "upper_error")
        return replace(
            self,
            value=value,
            error=value_error,
            upper=upper,
            upper_error=upper_error,
            bias=mean("bias")[0],
            samples=self.samples + other.samples,
            variance=mean("variance")[0] if self.fitted else self.variance,
            dof=self.dof + other.dof,
            seed=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, without loss."""
        record = {"schema": _SCHEMA, **asdict(self), "interval95": list(self.interval(0.95))}
        record["seed"] = list(self.seed) if isinstance(self.seed, tuple) else self.seed
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> GaussianDistance:
        """The distance of which ``record`` is the `to_dict`.

        Raises
        ------
        InputError : a record of something else.
        """
        with matching_schema(record, _SCHEMA):
            seed = record["seed"]
            return cls(
                **{name: float(record[name]) for name in _NUMBERS},
                kind=str(record["kind"]),
                samples=int(record["samples"]),
                fitted=bool(record["fitted"]),
                conditional=bool(record["conditional"]),
                sizes={str(name): int(size) for name, size in record["sizes"].items()},
                seed=tuple(seed) if isinstance(seed, list) else seed,
                quantity=str(record.get("quantity", "")),  # records of earlier versions lack it
            )


def distance_to_gaussian(
    quantity: Any,
    kind: Kind = "characteristic",
    n: int | Mapping[Any, int] | None = None,
    *,
    samples: int = 10_000,
    variance: float | Literal["fitted"] | None = None,
    conditional: bool = False,
    rng: Seed = None,
    jobs: Jobs = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> GaussianDistance:
    """Distance between the law of a scalar random quantity and a centred Gaussian.

    - "characteristic": the integral of |E exp(i t X / s) - exp(-t^2 / 2)|^2 over t with standard normal weight, s^2
      being the variance of the Gaussian. Squared, it has an unbiased estimate, a U-statistic, so it can be averaged and
      its rate fitted: use it where it serves. Its error is up to sqrt(2) times too large where the law is Gaussian.
    - "kolmogorov": the largest |F(x) - Phi(x / s)|.
    - "wasserstein": the integral of |F(x) - Phi(x / s)|, in the unit of X.
    - "characteristic-sup": the largest |E exp(i t X / s) - exp(-t^2 / 2)| over |t| <= 8.

    The last three are suprema over functions f of E f(X) - E f(Z), and suprema of noise are positive. So f is found on
    one half of the samples and evaluated on the other, and vice versa: that is ``value``, not larger than the distance
    on average. The same without halves is ``upper``, not smaller on average.

    Parameters
    ----------
    quantity : scalar quantity, or real samples of shape (N,), at least 20.
    kind : which distance.
    variance : of the Gaussian: a positive number, None for 1, or "fitted" for the mean square of the samples, whose
        error is then part of the result's.
    conditional : the quantity is N(0, q) given q, and what is given is q (see `conditional_covariance`). Averages of
        normal laws then take the place of the empirical one, with far less noise.
    n, samples, rng, jobs, block_size, progress : see `estimate`; not used if samples are given.

    Raises
    ------
    ShapeError : a size that is missing or not a positive integer, or a quantity that is not a scalar.
    InputError : another kind, too few samples, samples that are all equal or not finite, a variance that is not
        positive, or negative conditional variances.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).exponential(size=(20_000, 16)).sum(axis=1)
    >>> found = distance_to_gaussian((x - 16) / 4, "kolmogorov")
    >>> low, high = found.interval(0.95)
    >>> low < 0.13311 / 4 < high  # known value
    True
    """
    if kind not in _KINDS:
        raise InputError(f"kind is {kind!r}, expected {', '.join(map(repr, _KINDS[:-1]))} or {_KINDS[-1]!r}")
    given = _check_variance(variance)
    sizes: dict[str, int] = {}
    seed: int | tuple[int, ...] | None = None
    if isinstance(quantity, Quantity):
        count = require(quantity, positive_integer("samples", samples), 0)
        _check_count(count)
        sizes, root = resolve_sizes(quantity.scale_names, n), root_sequence(rng)
        (draws,) = draw_samples(quantity, [sizes], [count], root, jobs=jobs, block_size=block_size, progress=progress)
        name, seed, law = describe(quantity), entropy(root), identify(quantity.fingerprint)
    else:
        draws, name, law = quantity, "quantity", ""
    data = check_samples(draws, name)
    _check_count(len(data))
    if conditional:
        check_variances(data)
    elif np.ptp(data) == 0:
        raise InputError(f"{name} is {data[0]:g} in all {len(data)} samples, expected a law that spreads")
    with np.errstate(over="ignore"):  # an infinite variance is refused below
        squares = data if conditional else np.square(data)
    used = given or float(squares.mean())
    if not 0 < used < math.inf:
        raise InputError(f"variance fitted to the samples is {used:g}, expected a positive number")
    # conditional variances enter as standard deviations r, samples as themselves, both in units of the Gaussian's
    scaled = np.sqrt(data / used) if conditional else data / math.sqrt(used)
    deviations = None if given else squares / used - 1
    fields = (
        _squared(scaled, conditional, deviations)
        if kind == "characteristic"
        else (_supremum(scaled, kind, conditional, deviations))
    )
    if kind == "wasserstein":
        unit = math.sqrt(used)
        fields |= {field: fields[field] * unit for field in ("value", "error", "upper", "upper_error", "bias")}
    return GaussianDistance(
        **fields,
        kind=kind,
        samples=len(data),
        variance=used,
        fitted=given is None,
        conditional=bool(conditional),
        sizes=sizes,
        seed=seed,
        quantity=law,
    )


def _supremum(data: Array, kind: str, conditional: bool, deviations: Array | None) -> dict[str, float]:
    """A distance as a supremum over functions: cross-fitted between halves, and of all samples."""
    fit = FITTERS[kind][int(conditional)]

    def terms(witness: Witness, part: slice) -> Array:
        """f(X) - E f(Z) at every sample, with the influence of the fitted variance."""
        values = witness.given(data[part]) if conditional else witness.of(data[part])
        result = values - witness.given(np.ones(1))[0]
        if deviations is not None:
            above, below = witness.given(np.sqrt([1 + _CHANGE, 1 - _CHANGE]))
            result = result - (above - below) / (2 * _CHANGE) * deviations[part]
        return np.asarray(result)

    # samples come in blocks that share nothing, and alternate ones in each half
    halves = slice(0, None, 2), slice(1, None, 2)
    crossed = [terms(fit(data[train]), test) for train, test in (halves, halves[::-1])]
    summaries = [summarize(each, "mean") for each in crossed]
    whole = summarize(terms(fit(data), slice(None)), "mean")
    value = (summaries[0].value + summaries[1].value) / 2
    return {
        "value": value,
        "error": math.hypot(summaries[0].error, summaries[1].error) / 2,
        "upper": whole.value,
        "upper_error": whole.error,
        "bias": max(whole.value - value, 0.0),
        "dof": min(each.dof for each in summaries),
    }


def _squared(data: Array, conditional: bool, deviations: Array | None) -> dict[str, float]:
    """The squared weighted distance of characteristic functions as a U-statistic, with jackknife pseudo-values."""
    value, pseudo, biased, witness = _u_statistic(data, conditional)
    correction = 0.0
    if deviations is not None:
        # second-order expansion in the fitted variance: its error moves the distance, and is correlated with it
        above, parts_above, *_ = _u_statistic(data / math.sqrt(1 + _CHANGE), conditional)
        below, parts_below, *_ = _u_statistic(data / math.sqrt(1 - _CHANGE), conditional)
        slope, curvature = (above - below) / (2 * _CHANGE), (above - 2 * value + below) / _CHANGE**2
        slopes = (parts_above - parts_below) / (2 * _CHANGE)
        noise = float(np.mean(np.square(deviations))) / len(data)
        correction = float(np.mean((slopes - slope) * deviations)) / len(data) + curvature * noise / 2
        value, pseudo, witness = value - correction, pseudo + slope * deviations, witness + slope * deviations
    found = summarize(pseudo, "mean")
    return {
        "value": value,
        "error": found.error,
        "upper": biased,
        "upper_error": summarize(witness, "mean").error,
        "bias": abs(correction),
        "dof": found.dof,
    }


def _u_statistic(data: Array, conditional: bool) -> tuple[float, Array, float, Array]:
    """Value and its pseudo-values; the biased value, which pairs every sample with itself too, and its influences."""
    t = frequencies(_STEP)
    weights = 2 * _STEP * np.exp(-np.square(t) / 2) / math.sqrt(2 * math.pi)
    gaussian = np.exp(-np.square(t) / 2)
    count = len(data)

    def features(part: Array) -> Array:
        """Columns whose means are the real and imaginary parts of the difference, times the root of the weight."""
        if conditional:
            return np.asarray((np.exp(-np.square(part[:, None] * t) / 2) - gaussian) * np.sqrt(weights))
        phases = part[:, None] * t
        return np.concatenate([(np.cos(phases) - gaussian), np.sin(phases)], axis=1) * np.sqrt(np.tile(weights, 2))

    total = sum((features(part).sum(axis=0) for part in chunks(data)), np.zeros(1))
    both = [((own := features(part)) @ total, np.square(own).sum(axis=1)) for part in chunks(data)]
    products = np.concatenate([part for part, _ in both])
    pairs = products - np.concatenate([part for _, part in both])  # for each sample, the sum over the others
    value = float(pairs.sum()) / (count * (count - 1))
    without = (pairs.sum() - 2 * pairs) / ((count - 1) * (count - 2))
    biased = float(np.square(total).sum()) / count**2
    return value, count * value - (count - 1) * without, biased, 2 * products / count


def _check_variance(variance: Any) -> float | None:
    """The variance of the Gaussian, or None if it is to be fitted."""
    if variance is None:
        return 1.0
    if isinstance(variance, str) and variance == "fitted":
        return None
    if isinstance(variance, bool) or not isinstance(variance, int | float | np.number) or not 0 < variance < math.inf:
        raise InputError(f"variance is {variance!r}, expected a positive number, None for 1, or 'fitted'")
    return float(variance)


def _check_count(samples: int) -> None:
    if samples < _FEWEST:
        raise InputError(f"samples is {samples}, expected at least {_FEWEST} for a distance between laws")
