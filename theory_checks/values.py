"""Predictions of a value at every size: scores from samples, and what samples that do not scatter can tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators import Estimate, Statistic
from estimators._k_statistics import centred, jackknife
from estimators.errors_of_samples import influence_of, root_order
from estimators.exact_variance import variance_at
from estimators.heavy_tails import Shape
from randtensor import Quantity
from randtensor.tensors import Constant, Fixed, Identity
from theory_checks.claims import Claim, Exact, Zero
from theory_checks.findings import Finding, Sampling
from theory_checks.results import Measurement
from theory_checks.verdicts import Decision, JointResolution, decide_joint, joint_detectable

__all__ = ["Score", "is_deterministic", "score_value", "unseen_probability", "value_finding"]

_ROUNDING = 1e-9  # relative differences and spreads below this are of the arithmetic, not of the law
_FARTHEST = 100.0  # times the deviate that is asked for: where the tails do not give it by then, they never do
_LIGHT = 0.9  # tails that cost less than a tenth of what is detectable are not counted against it
_SPARE = 1.2  # times the samples at which the largest deviate is just the one that is asked for

Array = NDArray[Any]


@dataclass(frozen=True)
class Score:
    """How far a statistic is from the value that is predicted of it.

    Attributes
    ----------
    value : the standard normal deviate that is at most as unlikely; 0 where the samples cannot tell.
    error : standard error that it rests on.
    unit : standard errors by which the deviation 1 moves the statistic, less what the tails cost; 0 if no deviation
        would be seen.
    still : whether the samples do not scatter although the law may, so that they have no error.
    differs : whether the statistic is not the predicted value, up to rounding.
    scarce : factor on the samples with which a deviation would be seen; 1 if one would be, None if that is not known.
    """

    value: float
    error: float
    unit: float
    still: bool = False
    differs: bool = False
    scarce: float | None = 1.0


def is_deterministic(quantity: Quantity, sizes: dict[str, int]) -> bool:
    """Whether all samples at these sizes are known to be equal: nothing random in it, or an exact variance of zero.

    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> is_deterministic(rt.norm(rt.identity(n)), {"n": 4}), is_deterministic(rt.norm(rt.gaussian(n)), {"n": 4})
    (True, False)
    """
    if quantity.probes > 1:
        return False
    if all(isinstance(leaf, Constant | Fixed | Identity) for leaf in quantity.occurrences()):
        return True
    return variance_at(quantity, Statistic("mean"), [sizes], 1, "auto") == [0.0]


def unseen_probability(samples: int, level: float) -> float:
    """The probability of another value that so many equal samples leave possible, about -log(level) / samples.

    >>> round(unseen_probability(1000, 0.01), 5)
    0.00459
    """
    return -math.expm1(math.log(level) / samples)


def score_value(
    claim: Claim, sizes: dict[str, int], estimate: Estimate, expected: float, target: float, spread: float | None
) -> Score:
    """The score of one statistic at one size.

    Parameters
    ----------
    claim, sizes : what is predicted, and where.
    estimate : of the statistic, with its samples.
    expected : the predicted value.
    target : deviate that has to be reached for a deviation to count as seen.
    spread : exact standard deviation of one sample, None if it is to be estimated.
    """
    count, difference = estimate.samples, estimate.value - expected
    if spread is None and estimate.error_source == "exact":
        spread = estimate.error * math.sqrt(count)
    error = estimate.error if spread is None else spread / math.sqrt(count)
    exact = isinstance(claim.prediction, Exact)
    differs = abs(difference) > _ROUNDING * abs(expected)
    statistic, draws = Statistic(estimate.statistic), estimate.draws
    assert draws is not None
    if statistic.is_quantile:
        return _score_quantile(statistic, draws, estimate, expected, target)
    if spread == 0 or (not _scatters(draws) and is_deterministic(claim.quantity, sizes)):
        return Score(math.copysign(math.inf, difference) if differs else 0.0, 0.0, math.inf, differs=differs)
    if (spread is None and not _scatters(draws)) or error == 0:
        return Score(0.0, 0.0, 0.0, still=True, differs=differs)
    # an exact value is tested relative to itself, a mean of zero relative to the spread of the samples
    unit = abs(expected) / error if exact and expected else math.sqrt(count)
    averaged = _averaged(draws, statistic, estimate.probes)
    if averaged is None:
        return Score(_student(difference / error, estimate.dof) if differs else 0.0, error, unit, differs=differs)
    shape, floor = Shape.of(averaged), _normal_skewness(statistic)
    if spread is None and not shape.spread > 0:  # constant magnitudes, such as signs
        return Score(0.0, 0.0, 0.0, still=True, differs=differs)
    power = 2.0 if statistic.name == "std" else root_order(statistic) or 1.0
    with np.errstate(over="ignore"):
        moved = float(shape.mean - math.copysign(np.float_power(abs(expected), power), expected))
    value = float(shape.deviate(moved, spread, floor)) if differs else 0.0
    worth = _worth(shape, target, spread, floor)
    most = float(shape.most(floor))
    scarce = 1.0 if worth else _SPARE * (target / most) ** 2 if most else None
    return Score(value, error, unit * worth, differs=differs, scarce=scarce)


def value_finding(claim: Claim, estimates: Sequence[Estimate], sampling: Sampling, consistent_level: float) -> Finding:
    """The joint verdict on the statistic at all sizes.

    ``consistent_level`` is the probability with which a claim that is wrong by ``within`` may be called consistent.
    """
    prediction = claim.prediction
    assert isinstance(prediction, Exact | Zero)
    exact = isinstance(prediction, Exact)
    target = joint_detectable([1.0] * len(estimates), sampling.alpha)
    scores, measurements = [], []
    for sizes, estimate in zip(claim.sizes, estimates, strict=True):
        expected = prediction.expected(sizes) if isinstance(prediction, Exact) else 0.0
        spread = prediction.deviation(sizes) if isinstance(prediction, Exact) else None
        found = score_value(claim, sizes, estimate, expected, target, spread)
        fields = {"value": estimate.value, "error": found.error, "kurtosis": estimate.kurtosis}
        measurements.append(
            Measurement(dict(sizes), estimate.statistic, samples=estimate.samples, expected=expected,
                        score=found.value, **fields)
        )  # fmt: skip
        scores.append(found)
    what = "the exact value" if exact else "a mean of zero"
    unit_name = "a relative deviation" if exact else "a mean, in standard deviations,"
    units = tuple(score.unit for score in scores)
    known = [score.scarce for score in scores if score.scarce is not None]
    decision, p, worst = decide_joint(
        [score.value for score in scores], units, sampling.alpha, prediction.within, what, unit_name,
        scarce=max(known, default=None) if not any(units) else None,
    )  # fmt: skip
    blind = [i for i, score in enumerate(scores) if not score.unit and not score.still]
    if blind and decision.verdict == "consistent":
        decision = _not_everywhere(claim, blind, scores, decision)
    still = [(score, estimate.samples) for score, estimate in zip(scores, estimates, strict=True) if score.still]
    if still and decision.verdict != "refuted":
        samples = sum(count for _, count in still)
        if any(score.differs for score, _ in still):
            decision = _undecided_difference(samples, decision)
        elif len(still) == len(scores):
            decision = _without_scatter(samples, prediction.within, consistent_level, what)
    return Finding(decision, worst, "score", tuple(measurements), (p,), JointResolution(units), p_value=p)


def _not_everywhere(claim: Claim, blind: Sequence[int], scores: Sequence[Score], decision: Decision) -> Decision:
    """A claim about every size needs samples at each that would have contradicted it."""
    at = "; ".join(", ".join(f"{name} = {size}" for name, size in claim.sizes[i].items()) for i in blind)
    known = [scores[i].scarce for i in blind]
    factor = max((factor for factor in known if factor is not None), default=None) if None not in known else None
    advice = "another statistic or an exact variance" if factor is None else f"about {factor:.2g} times the samples"
    reason = f"with tails like these no deviation would have been seen at {at}; {advice} would decide"
    return Decision("inconclusive", reason, decision.detectable, factor)


def _undecided_difference(samples: int, decision: Decision) -> Decision:
    reason = (
        f"the {samples} samples do not scatter, and are not at the predicted value: that leaves no error to judge the "
        "difference by, since rare samples may be missing; give std= or variance=, or claim an Identity"
    )
    return Decision("inconclusive", reason, decision.detectable)


def _without_scatter(samples: int, within: float, level: float, what: str) -> Decision:
    """X that differs from its usual value with probability q has a mean at most sqrt(q / (1 - q)) deviations off."""
    q = unseen_probability(samples, level)
    reach = math.sqrt(q / (1 - q))
    seen = f"all {samples} samples are at the predicted value, so that at most {q:.2g} of the law is not"
    text = f"{seen} ({what} within {reach:.2g} standard deviations, at the level {1 - level:.3g})"
    if reach <= within:
        return Decision("consistent", text, reach)
    needed = math.log(level) / math.log1p(-(within**2) / (1 + within**2))
    factor = needed / samples
    return Decision("inconclusive", f"{text}; about {factor:.2g} times the samples would decide", reach, factor)


def _scatters(draws: Array) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.abs(draws - draws.flat[0]).max() > _ROUNDING * np.abs(draws).max())


def _averaged(draws: Array, statistic: Statistic, probes: int) -> NDArray[np.float64] | None:
    """The variable whose average the statistic is, up to a power; None where there is none."""
    if statistic.central_power is None:
        return influence_of(draws, statistic, probes)
    if probes > 1:
        return None
    deviation = centred(np.asarray(draws, dtype=float))
    if statistic.central_power == 2:
        return np.asarray(np.square(deviation) * (len(draws) / (len(draws) - 1)))
    return jackknife([deviation] * statistic.central_power)[1]


def _normal_skewness(statistic: Statistic) -> float:
    """The skewness of what a cumulant of even order averages for a normal law, where samples rarely show it.

    That is the Hermite polynomial of this order, with E He_r^3 = r!^3 / (r/2)!^3 and E He_r^2 = r!.
    """
    order = statistic.central_power or 1
    if not statistic.is_cumulant or order % 2:
        return 0.0
    return math.sqrt(math.factorial(order)) ** 3 / math.factorial(order // 2) ** 3


def _worth(shape: Shape, target: float, spread: float | None, floor: float) -> float:
    """``target`` in units of the standard errors after which either side has this deviate; 0 if one never has.

    1 for light tails: planned samples would else fall short by the few per cent that skewness takes at the far levels.
    """
    scale = (float(shape.spread) if spread is None else spread) / math.sqrt(shape.count)

    def least(t: float) -> float:
        return min(abs(float(shape.deviate(sign * t * scale, spread, floor))) for sign in (-1, 1))

    low, high = 1.0, _FARTHEST
    if least(high * target) < target:
        return 0.0
    if least(target / _LIGHT) >= target:
        return 1.0
    for _ in range(30):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if least(middle * target) >= target else (middle, high)
    return 1 / high


def _score_quantile(statistic: Statistic, draws: Array, estimate: Estimate, expected: float, target: float) -> Score:
    """The exact test of a quantile: how many samples lie below it is binomial, whatever the law."""
    order = 0.5 if statistic.name == "median" else float(statistic.name[1:]) / 100
    slack = _ROUNDING * abs(expected)
    below, upto = int(np.sum(draws < expected - slack)), int(np.sum(draws <= expected + slack))
    value = _binomial_deviate(below, upto, len(draws), order)
    unit = math.sqrt(len(draws))
    if expected:
        unit = abs(expected) / estimate.error if estimate.error else math.inf
    if estimate.error <= _ROUNDING * float(np.abs(draws).max()):
        # on an atom: any other value would be refuted if enough of the samples sit there
        sides = (_binomial_deviate(upto, upto, len(draws), order), _binomial_deviate(below, below, len(draws), order))
        unit = math.inf if min(map(abs, sides)) >= target else 0.0
    differs = abs(estimate.value - expected) > slack
    return Score(value, estimate.error, unit, differs=differs, scarce=None)


def _binomial_deviate(below: int, upto: int, count: int, order: float) -> float:
    """Negative where too few samples lie at or below the value, positive where too many lie below it."""
    from scipy.special import bdtr, bdtrc, ndtri

    few = float(bdtr(upto, count, order))
    many = float(bdtrc(below - 1, count, order)) if below else 1.0
    tail = min(few, many)
    if tail >= 0.5:
        return 0.0
    deviate = float(-ndtri(tail)) if tail > 0 else 38.0
    return -deviate if few < many else deviate


def _student(t: float, dof: float) -> float:
    """The standard normal deviate that is as unlikely as Student's t."""
    if math.isinf(dof):
        return t
    from scipy.special import ndtri, stdtr

    tail = float(stdtr(dof, -abs(t)))
    # where the tail underflows, the verdict is beyond doubt
    return math.copysign(float(-ndtri(tail)) if tail > 0 else min(abs(t), 38.0), t)
