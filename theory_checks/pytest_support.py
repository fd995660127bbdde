"""Claims as assertions: `assert_claim` for any test framework, and what the pytest fixture ``rate_check`` does."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from randtensor import Bound, Quantity
from randtensor.errors import InputError
from randtensor.seeding import Seed, root_sequence
from theory_checks.checks import check
from theory_checks.claims import Claim, Exact, Identity, Zero
from theory_checks.results import Measurement, Result
from theory_checks.verdicts import p_text, region_of

__all__ = ["ClaimFailure", "InconclusiveWarning", "RateCheck", "assert_claim", "failure_text"]


class ClaimFailure(AssertionError):
    """A claim that does not hold, or is not decided; ``result`` is the `Result`."""

    def __init__(self, text: str, result: Result) -> None:
        super().__init__(text)
        self.result = result


class InconclusiveWarning(UserWarning):
    """A claim that its test lets pass though it is not decided."""


def assert_claim(
    claim: Claim,
    *,
    rng: Seed = None,
    budget: float = 1.0,
    false_refutation: float = 1e-7,
    allow_inconclusive: bool = False,
) -> Result:
    """Check a claim and raise unless its verdict is the expected one.

    Parameters
    ----------
    claim : what to check.
    rng : seed; give an integer, so that the test does the same every time.
    budget : factor on the samples of the claim.
    false_refutation : probability of refuting the claim if it is true. A thousand assertions at the default stay
        within 1e-4 together; the fixture ``rate_check`` splits the budget by itself.
    allow_inconclusive : return the result of a claim that is not decided instead of raising.

    Raises
    ------
    ClaimFailure : an ``AssertionError`` that says what was predicted, what was measured, and how to try another seed.
    InputError : an argument that cannot be used.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> length = Claim("length", rt.norm(rt.gaussian(n)), predicted=rt.Theta(n**0.5), n=[16, 64, 256, 1024])
    >>> assert_claim(length, rng=0).verdict
    'consistent'
    """
    __tracebackhide__ = True
    root = root_sequence(rng)
    result = check(claim, rng=root, budget=budget, false_refutation=false_refutation)
    if result.good or (allow_inconclusive and result.verdict == "inconclusive"):
        return result
    repeat = f"SeedSequence({root.entropy}, spawn_key={root.spawn_key})" if root.spawn_key else f"{root.entropy}"
    seed = f"rng={repeat} repeats this"
    raise ClaimFailure(
        failure_text(result, seed, f"{false_refutation:.2g} for this assertion", "another rng= for assert_claim"),
        result,
    )


class RateCheck:
    """The fixture ``rate_check`` of one test: checks claims and fails the test unless they hold.

    Each further assertion of a test gets a smaller share of the test's level, 6 / (pi k)^2 of it for assertion k, so
    that all shares together never exceed it, however many there are.

    Parameters
    ----------
    nodeid : the test.
    rng : integer seed of the run.
    budget : factor on the samples.
    level : probability that any assertion of the test refutes a true claim.
    run_level : the same for the whole run; for messages.
    inconclusive : what a claim that is not decided does: "fail", "skip" or "warn".
    record : takes what the summary of the run shows about an assertion.
    path : file of the test, to which warnings point.
    """

    def __init__(
        self,
        *,
        nodeid: str,
        rng: int,
        budget: float,
        level: float,
        run_level: float,
        inconclusive: Literal["fail", "skip", "warn"],
        record: Callable[[Mapping[str, Any]], object],
        path: str = "",
    ) -> None:
        self._path = path
        self._nodeid, self._rng, self._budget = nodeid, rng, budget
        self._level, self._run_level, self._inconclusive, self._record = level, run_level, inconclusive, record
        self._assertions = 0

    def __call__(
        self,
        claim: Claim | Quantity | Sequence[Quantity],
        *,
        predicted: Any = None,
        name: str | None = None,
        allow_inconclusive: bool = False,
        **options: Any,
    ) -> Result:
        """Check one claim.

        Parameters
        ----------
        claim : a `Claim`, or the quantity of one, or a family of quantities.
        predicted, options : for a quantity: the prediction and further arguments of `Claim`, such as ``n``,
            ``samples``, ``statistic``.
        name : for a quantity: what is claimed, in words; default: the name of the test. Random streams depend on it.
        allow_inconclusive : return the result of a claim that is not decided.

        Raises
        ------
        ClaimFailure : the verdict is not the expected one.
        InputError : an argument that cannot be used.
        """
        __tracebackhide__ = True
        self._assertions += 1
        if isinstance(claim, Claim):
            given = [*options, *(key for key, value in (("predicted", predicted), ("name", name)) if value is not None)]
            if given:
                raise InputError(f"{given[0]} is given together with a claim, expected it as an argument of Claim")
        else:
            claim = Claim(name or self._name(), claim, predicted=predicted, **options)
        share = self._level * 6 / (math.pi * self._assertions) ** 2
        result = check(claim, rng=self._rng, budget=self._budget, false_refutation=share)
        self._record(
            {
                "claim": claim.label,
                "verdict": result.verdict,
                "outcome": _outcome(result),
                "measured": _measured(result),
                "predicted": _predicted(claim),
                "good": result.good,
                "bad": result.bad,
                "false_refutation": share,
            }
        )
        self._settle(result, allow_inconclusive)
        return result

    def _name(self) -> str:
        """The name of the test, told apart from its earlier assertions; the folder is left out, it may differ."""
        path, separator, test = self._nodeid.partition("::")
        test = path.rpartition("/")[2] + separator + test
        return test if self._assertions == 1 else f"{test} #{self._assertions}"

    def _settle(self, result: Result, allow_inconclusive: bool) -> None:
        __tracebackhide__ = True
        undecided = result.verdict == "inconclusive"
        if result.good or (undecided and allow_inconclusive):
            return
        seed = f"--randtensor-rng={self._rng} repeats this"
        level = f"{self._run_level:.2g} for the run, {result.false_refutation:.2g} for this assertion"
        command = f"python -m pytest '{self._nodeid}' --randtensor-vary-rng"
        text = failure_text(result, seed, level, command)
        if undecided and self._inconclusive == "warn":
            warnings.warn(text, InconclusiveWarning, stacklevel=_depth(self._path))
        elif undecided and self._inconclusive == "skip":
            import pytest

            pytest.skip(str(result))
        else:
            raise ClaimFailure(text, result)


def failure_text(result: Result, seed: str, level: str, vary: str) -> str:
    """What a person needs to act on a verdict that was not expected.

    Parameters
    ----------
    result : the verdict and what it rests on.
    seed, level, vary : the seed, the error budget, and how to try another seed.
    """
    claim = result.claim
    control = f" (a negative control: expected to be {claim.expect})" if claim.expect != "consistent" else ""
    z, p = _deviation(result)
    table = _table(result)
    rows = {
        "predicted": f"{_relation(claim)}{_predicted(claim)}" + (f"  [{claim.source}]" if claim.source else ""),
        "measured": ("\n" + " " * 17).join(table) or _measured(result),
        "interval": _intervals(result),
        "z, p": _scores(z, p),
        "sizes": "" if table else ", ".join(_sizes(measurement) for measurement in result.measurements),
        "values": "" if table else ", ".join(_value(measurement) for measurement in result.measurements),
        "samples": ", ".join(str(measurement.samples) for measurement in result.measurements),
        "reason": result.reason,
        "detectable": _detectable(result),
        "would decide": _needed(result),
        "seed": seed,
        "error budget": level,
        "vary the seed": vary,
    }
    lines = [f"{claim.label}: {result.verdict}{control}"]
    return "\n".join(lines + [f"  {name + ':':<14} {text}" for name, text in rows.items() if text])


def _outcome(result: Result) -> str:
    """The verdict, and what a reader of nothing else would take for something else."""
    if result.verdict == "refuted" and result.good:
        return "refuted (as expected)"
    return f"{result.verdict} (not tight)" if result.details.get("tight") is False and result.good else result.verdict


def _relation(claim: Claim) -> str:
    match claim.prediction:
        case Bound():
            return f"{claim.statistic_name} is "
        case Exact() | Zero():
            return f"{claim.statistic_name} = "
    return "" if isinstance(claim.prediction, Identity) else f"{claim.statistic_name} "


def _predicted(claim: Claim) -> str:
    if not isinstance(claim.prediction, Identity):
        text = str(claim.predicted).removeprefix("= ")
        return "the exact value given" if text == "exact value" else text
    relative = "" if claim.prediction.relative_to is None else "relative "
    return f"every {relative}residual at most {claim.prediction.tolerance:g}"


def _table(result: Result) -> list[str]:
    """Measured beside predicted values, size by size, where the claim predicts them."""
    return [
        (f"{_sizes(measurement)}: " if measurement.sizes else "")
        + f"{measurement.statistic} {_value(measurement)}, z = {measurement.score:.3g}"
        for measurement in result.measurements
        if measurement.score is not None
    ]


def _measured(result: Result) -> str:
    if result.measure == "score" and result.measurements:
        worst = max(result.measurements, key=lambda measurement: abs(measurement.score or 0.0))
        value = _rounded(worst.value, worst.error)
        return f"{worst.statistic} {value}{_at(worst)}, z = {result.measured:.3g}"
    if result.measure == "residual" and result.measurements:
        worst = max(result.measurements, key=lambda measurement: measurement.value)
        return f"largest residual {result.measured:.2g}{_at(worst)}"
    error = "" if result.error is None or not math.isfinite(result.error) else f" ± {result.error:.2g}"
    return f"{result.measure} {result.measured:.4g}{error}"


def _intervals(result: Result) -> str:
    """Both intervals of the rule: the wide one lies outside for a refutation, the other inside for consistency."""
    parts = []
    if result.interval is not None:
        parts.append(f"[{result.interval[0]:.4g}, {result.interval[1]:.4g}] at 99 %")
    if result.refutation_interval is not None:
        low, high = result.refutation_interval
        parts.append(f"[{low:.4g}, {high:.4g}] at the level of a refutation")
    return ", ".join(parts)


def _deviation(result: Result) -> tuple[float | None, float | None]:
    """The largest standard score, or that of the exponent beyond what the claim allows, and the p-value."""
    p = min(result.contradictions, default=None) if result.p_value is None else result.p_value
    scores = [measurement.score for measurement in result.measurements if measurement.score is not None]
    if scores:
        return max(scores, key=abs), p
    bound, exponent = result.claim.prediction, result.claim.exponent
    if not isinstance(bound, Bound) or exponent is None or not result.error or not math.isfinite(result.measured):
        return None, p
    region = region_of(bound.kind, exponent, result.claim.log_exponent, result.claim.margin)
    above, below = result.measured - region.refuted_above, region.refuted_below - result.measured
    return (above if above > 0 else -below if below > 0 else 0.0) / result.error, p


def _scores(z: float | None, p: float | None) -> str:
    found = [] if z is None else [f"z = {z:.3g}"]
    if p is not None:
        found.append(p_text(p))
    return ", ".join(found)


def _sizes(measurement: Measurement) -> str:
    return " ".join(f"{name} = {size}" for name, size in measurement.sizes.items())


def _at(measurement: Measurement) -> str:
    return f" at {_sizes(measurement)}" if measurement.sizes else ""


def _value(measurement: Measurement) -> str:
    predicted = "" if measurement.expected is None else f" (predicted {measurement.expected:.6g})"
    return f"{_rounded(measurement.value, measurement.error)}{predicted}"


def _rounded(value: float, error: float) -> str:
    """A value to the second digit of its error, and the error."""
    if not math.isfinite(error):
        return f"{value:.4g}"
    if not (error > 0 and math.isfinite(value) and value):
        return f"{value:.4g} ± {error:.2g}"
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(error)) + 2
    return f"{value:.{min(max(digits, 2), 15)}g} ± {error:.2g}"


def _depth(path: str) -> int:
    """The level, for a warning of the caller, of the test itself: the outermost frame in its file.

    The assertion may be made in a function that several test files share, and what calls the test is pytest.
    """
    level, found, frame = 1, 3, sys._getframe(1)
    while (outer := frame.f_back) is not None:
        frame, level = outer, level + 1
        if path and frame.f_code.co_filename == path:
            found = level
    return found


def _detectable(result: Result) -> str:
    known = math.isfinite(result.detectable)
    return f"a deviation of {result.detectable:.2g} ({result.detectable_unit})" if known else ""


def _needed(result: Result) -> str:
    if result.samples_required is None:
        return ""
    return f"{', '.join(map(str, result.samples_required))} samples"
