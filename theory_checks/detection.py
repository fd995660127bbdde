"""What a check can see: the smallest deviation it detects, and the samples that detect a given one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from randtensor.errors import InputError
from randtensor.seeding import Seed
from theory_checks.checks import check
from theory_checks.claims import Claim
from theory_checks.results import Result
from theory_checks.verdicts import POWER

__all__ = ["minimum_detectable", "samples_required"]

_MOST = 1e8  # times the samples, beyond which a deviation counts as out of reach


def minimum_detectable(
    target: Claim | Result,
    *,
    samples: int | Sequence[int] | None = None,
    power: float = POWER,
    false_refutation: float | None = None,
    rng: Seed = None,
    jobs: int | None = None,
) -> float:
    """The smallest deviation from a claim that its check refutes with probability ``power``.

    With `check` and `samples_required` one of three operations on every kind of claim, after the statistical tests of
    TensorFlow Probability. The noise is that of a check, and falls as the root of the samples; what the fit of an
    exponent does not know about corrections at finite size does not fall.

    Parameters
    ----------
    target : a result of `check`, or a claim, which is then checked.
    samples : at each size, one number or one per size; default: those of the check. Where they grow by different
        factors, the smallest one counts.
    power : probability of the refutation.
    false_refutation : probability of refuting the claim if it is true; default: that of the result, or 1e-4.
    rng, jobs : for the check of a claim.

    Returns
    -------
    The deviation: of the exponent for bounds and quantiles, relative for exact values, in standard deviations of one
    sample for zeros, the tolerance for identities.

    Raises
    ------
    InputError : options that cannot be used.

    Examples
    --------
    >>> import randtensor as rt
    >>> from theory_checks import check
    >>> n = rt.Scale("n")
    >>> claim = Claim("length", rt.norm(rt.gaussian(n)), predicted=rt.Theta(n**0.5), n=[16, 64, 256, 1024])
    >>> result = check(claim, rng=0)
    >>> minimum_detectable(result) == result.detectable
    True
    >>> minimum_detectable(result, samples=4000) < result.detectable
    True
    """
    result, alpha = _prepared(target, power, false_refutation, rng, jobs)
    factor = 1.0
    if samples is not None:
        factor = min(a / b for a, b in zip(_counts(samples, result), result.counts, strict=True))
    return result.resolution.detectable(alpha, power, factor)


def samples_required(
    target: Claim | Result,
    deviation: float,
    *,
    power: float = POWER,
    false_refutation: float | None = None,
    rng: Seed = None,
    jobs: int | None = None,
) -> tuple[int, ...]:
    """The samples at each size with which a deviation from a claim is refuted with probability ``power``.

    Parameters
    ----------
    target, power, false_refutation, rng, jobs : see `minimum_detectable`.
    deviation : in the unit of the claim, see `minimum_detectable`.

    Returns
    -------
    One number per size, in the proportions of the check.

    Raises
    ------
    InputError : a deviation that no number of samples detects, or options that cannot be used.

    Examples
    --------
    >>> import randtensor as rt
    >>> from theory_checks import check
    >>> n = rt.Scale("n")
    >>> claim = Claim("length", rt.norm(rt.gaussian(n)), predicted=rt.Theta(n**0.5), n=[16, 64, 256, 1024])
    >>> result = check(claim, rng=0)
    >>> samples_required(result, minimum_detectable(result))
    (400, 400, 400, 400)
    """
    if isinstance(deviation, bool) or not isinstance(deviation, int | float | np.number) or not deviation > 0:
        raise InputError(f"deviation is {deviation!r}, expected a positive number")
    result, alpha = _prepared(target, power, false_refutation, rng, jobs)

    def detects(factor: float) -> bool:
        # the last digits of a root are not worth a sample
        return result.resolution.detectable(alpha, power, factor) <= deviation * (1 + 1e-12)

    if not detects(_MOST):
        limit = result.resolution.detectable(alpha, power, _MOST)
        raise InputError(
            f"deviation is {deviation:g}, but claim {result.claim.label!r} on sizes up to {_largest(result)} detects "
            f"none below {limit:.3g} ({result.detectable_unit}) with any number of samples, expected a larger one, "
            "or a claim with a wider range of sizes"
        )
    low, high = 1 / _MOST, _MOST
    if detects(low):
        high = low
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if detects(middle) else (middle, high)
    fewest = [min(count, result.claim.fewest_samples) for count in result.counts]
    return tuple(
        max(math.ceil(high * count * (1 - 1e-8)), least) for count, least in zip(result.counts, fewest, strict=True)
    )


def _prepared(
    target: Any, power: Any, false_refutation: float | None, rng: Seed, jobs: int | None
) -> tuple[Result, float]:
    if isinstance(power, bool) or not isinstance(power, int | float) or not 0.5 <= power < 1:
        raise InputError(f"power is {power!r}, expected a probability of at least 1/2")
    if isinstance(target, Claim):
        target = check(
            target, rng=rng, jobs=jobs, false_refutation=1e-4 if false_refutation is None else false_refutation
        )
    if not isinstance(target, Result):
        raise InputError(f"target is {target!r}, expected a Claim or the Result of a check")
    level = target.false_refutation if false_refutation is None else false_refutation
    if isinstance(level, bool) or not 0 < level < 1:
        raise InputError(f"false_refutation is {level!r}, expected a probability between 0 and 1")
    return target, level / target.looks


def _counts(samples: Any, result: Result) -> list[int]:
    given = list(samples) if np.iterable(samples) and not isinstance(samples, str) else [samples] * len(result.counts)
    if len(given) != len(result.counts):
        raise InputError(f"samples has {len(given)} entries, expected {len(result.counts)}, one per size")
    for count in given:
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise InputError(f"samples is {samples!r}, expected positive integers")
    return [int(count) for count in given]


def _largest(result: Result) -> int:
    return max((max(sizes.values(), default=1) for sizes in result.claim.sizes), default=1)
