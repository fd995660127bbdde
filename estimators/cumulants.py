"""Cumulants of random quantities, alone and joint: unbiased, with errors, and mergeable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators._k_statistics import HIGHEST_ORDER, centred, jackknife
from estimators._records import matching_schema
from estimators._samples_of_both import check_mergeable, weighted
from estimators.estimation import check_scalar
from estimators.joint import Joint
from estimators.power_sums import PowerSums, check_order, check_samples
from estimators.sampling import Progress, describe, draw_samples
from estimators.sources import identify
from estimators.statistics import Summary, summarize
from estimators.workers import Jobs
from randtensor.arguments import positive_integer
from randtensor.errors import InputError
from randtensor.quantity import Quantity, resolve_sizes
from randtensor.seeding import Seed, root_sequence

__all__ = ["Cumulant", "cumulant", "joint_cumulant"]

Array = NDArray[np.float64]

_SCHEMA = "randtensor/cumulant/1"


@dataclass(frozen=True)
class Cumulant:
    """An unbiased estimate of a cumulant: the result of `cumulant`, `joint_cumulant` and `conditional_cumulant`.

    Attributes
    ----------
    value, error : the estimate and its standard error (delete-one jackknife).
    order : order of the cumulant.
    samples : number of independent samples.
    dof : effective degrees of freedom of the error: well below ``samples`` for heavy tails.
    sizes : size of each scale, by name.
    seed : entropy of the random streams; None for samples that were given.
    sums : exact power sums of the samples, of the conditional variances for a conditional estimate, None for a joint
        one.
    factor : the value is so many times the k-statistic of ``sums``; 1 unless conditional.
    quantity : identifies the law that was sampled; empty for samples that were given.

    Examples
    --------
    >>> import numpy as np
    >>> both = cumulant(np.array([0.0, 1.0, 2.0, 9.0]), order=3) + cumulant(np.array([0.0, 1.0, 1.0, 2.0]), order=3)
    >>> both.samples, round(both.value, 3)
    (8, 61.714)
    """

    value: float
    error: float
    order: int
    samples: int
    dof: float
    sizes: dict[str, int]
    seed: int | tuple[int, ...] | None
    sums: PowerSums | None = None
    factor: int = 1
    quantity: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"cumulant of order {self.order}: {self.value:.6g} ± {self.error:.2g} ({self.samples} samples)"

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Student interval with ``dof`` degrees of freedom; see docs/cumulants.md for its measured coverage.

        Raises
        ------
        InputError : ``level`` is not strictly between 0 and 1.
        """
        return Summary(self.value, self.error, self.dof, False).interval(level)

    def __add__(self, other: Cumulant) -> Cumulant:
        """See `merge`."""
        return self.merge(other) if isinstance(other, Cumulant) else NotImplemented

    def merge(self, other: Cumulant) -> Cumulant:
        """The estimate from the samples of both, which must be independent.

        With power sums it is the one that all samples together give, to the last bit, but for its ``dof``; joint
        estimates are averaged by their numbers of samples.

        Raises
        ------
        InputError : a cumulant of another order, law or kind, other sizes, or the same samples twice.
        """
        check_mergeable(self, other, ("order", "sizes", "factor"))
        if (self.sums is None) != (other.sums is None):
            mine, theirs = ("joint" if each.sums is None else "single" for each in (self, other))
            raise InputError(f"other is a {theirs} cumulant, expected a {mine} one as here")
        common: dict[str, Any] = {
            "order": self.order,
            "sizes": self.sizes,
            "seed": None,
            "factor": self.factor,
            "quantity": self.quantity,
        }
        dof = self.dof + other.dof
        if self.sums is not None and other.sums is not None:
            return _from_sums(self.sums + other.sums, dof=dof, **common)
        samples = self.samples + other.samples
        value, error = weighted((self.samples, self.value, self.error), (other.samples, other.value, other.error))
        return Cumulant(value=value, error=error, samples=samples, dof=dof, **common)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, without loss."""
        return {
            "schema": _SCHEMA,
            "value": self.value,
            "error": self.error,
            "order": self.order,
            "samples": self.samples,
            "dof": self.dof,
            "interval95": list(self.interval(0.95)),
            "sizes": dict(self.sizes),
            "seed": list(self.seed) if isinstance(self.seed, tuple) else self.seed,
            "sums": None if self.sums is None else self.sums.to_dict(),
            "factor": self.factor,
            "quantity": self.quantity,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Cumulant:
        """The estimate of which ``record`` is the `to_dict`.

        Raises
        ------
        InputError : a record of something else.
        """
        with matching_schema(record, _SCHEMA):
            seed, sums = record["seed"], record["sums"]
            return cls(
                value=float(record["value"]),
                error=float(record["error"]),
                order=int(record["order"]),
                samples=int(record["samples"]),
                dof=float(record["dof"]),
                factor=int(record["factor"]),
                sizes={str(name): int(size) for name, size in record["sizes"].items()},
                seed=tuple(seed) if isinstance(seed, list) else seed,
                sums=None if sums is None else PowerSums.from_dict(sums),
                quantity=str(record.get("quantity", "")),  # records of earlier versions lack it
            )


def cumulant(
    quantity: Any,
    order: int = 4,
    n: int | Mapping[Any, int] | None = None,
    *,
    samples: int = 1000,
    rng: Seed = None,
    jobs: Jobs = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> Cumulant:
    """Unbiased estimate of a cumulant of a scalar random quantity: Fisher's k-statistic.

    1. Draw the samples and sum their powers up to twice the order, exactly, about the sample mean.
    2. The k-statistic is a polynomial in these sums whose mean is the cumulant, whatever the law.
    3. Its error is that of the delete-one jackknife, found in closed form from the same sums.

    For a nearly Gaussian law of variance s^2 the error is about s^order sqrt(order! / samples), however small the
    cumulant; for networks with a Gaussian read-out `conditional_cumulant` does better. Heavy tails make the error
    itself uncertain (see ``dof``).

    Parameters
    ----------
    quantity : scalar quantity, or real samples of shape (N,).
    order : from 1 to 6.
    n, samples, rng, jobs, block_size, progress : see `estimate`; not used if samples are given.

    Raises
    ------
    ShapeError : a size that is missing or not a positive integer, or a quantity that is not a scalar.
    InputError : an order out of range, fewer samples than the order + 1, samples that are not finite real numbers, or
        a quantity that is estimated with probes.

    References
    ----------
    R. A. Fisher, Moments and product moments of sampling distributions, Proc. London Math. Soc. 30 (1929), 199-238.

    Examples
    --------
    >>> import numpy as np
    >>> found = cumulant(np.random.default_rng(0).exponential(size=20_000), order=3)
    >>> abs(found.value - 2) < 4 * found.error
    True
    """
    degree = check_order(order)
    if not isinstance(quantity, Quantity):
        return from_draws(check_samples(quantity, "quantity"), degree)
    count = require(quantity, positive_integer("samples", samples), degree)
    sizes = resolve_sizes(quantity.scale_names, n)
    root = root_sequence(rng)
    (draws,) = draw_samples(quantity, [sizes], [count], root, jobs=jobs, block_size=block_size, progress=progress)
    found = from_draws(check_samples(draws, describe(quantity)), degree, sizes=sizes, seed=entropy(root))
    return replace(found, quantity=identify(quantity.fingerprint))


def joint_cumulant(
    quantities: Sequence[Any],
    n: int | Mapping[Any, int] | None = None,
    *,
    samples: int = 1000,
    rng: Seed = None,
    jobs: Jobs = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> Cumulant:
    """Unbiased estimate of the joint cumulant of several quantities: the multivariate k-statistic.

    Parameters
    ----------
    quantities : two to six scalar quantities, drawn jointly; or as many arrays of real samples, each of shape (N,), in
        which one row is one joint draw. One that occurs twice counts twice.
    n, samples, rng, jobs, block_size, progress : see `cumulant`.

    Raises
    ------
    ShapeError, InputError : as for `cumulant`; a number of quantities out of range, or arrays of different lengths.

    Examples
    --------
    The third joint cumulant of a square and, twice, an inner product:

    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> g, h = rt.gaussian(n), rt.gaussian(n)
    >>> square, overlap = rt.einsum("a,a->", g, g), rt.einsum("a,a->", g, h)
    >>> found = joint_cumulant([square, overlap, overlap], n=4, samples=4000, rng=0)
    >>> abs(found.value - 8) < 4 * found.error  # kappa(g.g, g.h, g.h) = 2 n
    True
    """
    members = _members(quantities)
    order = len(members)
    if any(isinstance(member, Quantity) for member in members):
        joint = _joint(members)
        count = require(joint, positive_integer("samples", samples), order)
        sizes = resolve_sizes(joint.scale_names, n)
        root = root_sequence(rng)
        (draws,) = draw_samples(joint, [sizes], [count], root, jobs=jobs, block_size=block_size, progress=progress)
        columns = [check_samples(draws[:, joint.column(member)], describe(member)) for member in members]
        seed, law = entropy(root), identify(f"cumulant({', '.join(member.fingerprint for member in members)})")
    else:
        sizes, seed, law = {}, None, ""
        columns = [check_samples(member, f"quantities[{i}]") for i, member in enumerate(members)]
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(str(len(column)) for column in columns)
            raise InputError(f"quantities have {lengths} samples, expected as many of each, drawn jointly")
        _require_count(len(columns[0]), order)
    different: dict[bytes, tuple[Array, int]] = {}
    for column in columns:  # equal samples are one quantity, which saves most of the work
        different.setdefault(column.tobytes(), _scaled(column))
    chosen = [different[column.tobytes()] for column in columns]
    value, pseudo = jackknife([deviation for deviation, _ in chosen])
    found = summarize(pseudo, "mean")
    error = found.error
    exponent = sum(each for _, each in chosen)
    try:
        value, error = math.ldexp(value, exponent), math.ldexp(error, exponent)
    except OverflowError:
        raise InputError("quantities are so large that their cumulant is no float, expected smaller units") from None
    return Cumulant(value, error, order, len(pseudo), found.dof, sizes, seed, quantity=law)


def _joint(members: Sequence[Any]) -> Joint:
    for position, member in enumerate(members):
        if not isinstance(member, Quantity):
            raise InputError(f"quantities[{position}] is {member!r}, expected a quantity as the others are")
        require(member, HIGHEST_ORDER + 1, 1)
    return Joint(list({id(member): member for member in members}.values()))


def require(quantity: Quantity, samples: int, order: int) -> int:
    """Refuse quantities without exact samples and too few samples, before anything is drawn; the number of samples."""
    probes = quantity.probes if isinstance(quantity, Joint) else check_scalar(quantity)
    if probes > 1 or quantity.only_squares:
        raise InputError(
            f"quantity {describe(quantity)} is only estimated in each sample, expected an exact one (probes=0)"
        )
    return _require_count(samples, order)


def from_draws(
    draws: Array, order: int, *, factor: int = 1, reported: int | None = None, sizes: Any = None, seed: Any = None
) -> Cumulant:
    """The cumulant of given samples, times ``factor`` and as a cumulant of the order ``reported``."""
    _require_count(len(draws), order)
    sums = PowerSums.of(draws, order)
    deviation, _ = _scaled(draws)
    _, pseudo = jackknife([deviation / (float(np.abs(deviation).max()) or 1.0)] * order)
    dof = summarize(pseudo, "mean").dof
    return _from_sums(sums, order=reported or order, dof=dof, factor=factor, sizes=dict(sizes or {}), seed=seed)


def entropy(root: np.random.SeedSequence) -> int | tuple[int, ...]:
    """What names the random streams of a root, to be drawn again: ``numpy.random.SeedSequence`` takes it."""
    words: Any = root.entropy
    return int(words) if isinstance(words, int | np.integer) else tuple(int(word) for word in words)


def _from_sums(sums: PowerSums, *, factor: int, **fields: Any) -> Cumulant:
    order = (len(sums.sums) - 1) // 2
    error = factor * math.sqrt(max(sums.jackknife_variance(order), 0.0))
    value = factor * sums.cumulant(order)
    return Cumulant(value=value, error=error, samples=sums.count, sums=sums, factor=factor, **fields)


def _scaled(column: Array) -> tuple[Array, int]:
    """Centred samples, and the power of two that they are divided by, so that their products are floats."""
    exponent = int(np.frexp(np.abs(column).max())[1])
    return centred(np.ldexp(column, -exponent)), exponent


def _members(quantities: Any) -> list[Any]:
    if isinstance(quantities, Quantity | str) or not np.iterable(quantities):
        raise InputError(f"quantities is {quantities!r}, expected a list of two to {HIGHEST_ORDER}")
    members = list(quantities)
    if not 2 <= len(members) <= HIGHEST_ORDER:
        raise InputError(f"quantities has {len(members)} entries, expected two to {HIGHEST_ORDER}")
    return members


def _require_count(samples: int, order: int) -> int:
    if samples <= order:
        raise InputError(f"samples is {samples}, expected at least {order + 1} for a cumulant of order {order}")
    return int(samples)
