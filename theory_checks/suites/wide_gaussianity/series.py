"""The asymptotic series of the output law against the law itself, both computed (claims GP6)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.exact import characteristic_function, edgeworth
from theory_checks.claims import Claim
from theory_checks.suites.wide_gaussianity.plan import EDGEWORTH, Plan, n

__all__ = ["FREQUENCY", "TRUNCATIONS", "series", "truncation_error"]

#: of the characteristic function that is expanded, near the inverse of the standard deviation of the output
FREQUENCY = 0.9

#: last orders of the series that are kept
TRUNCATIONS = (0, 1, 2, 3)

#: copies of what is computed once
_BLOCK = 64

_COMPUTED = "computed, not sampled: the spread is zero"


def series(plan: Plan) -> Iterator[Claim]:
    """E exp(i u f), less its series: skewed weights leave half-integer powers, symmetric ones skip them."""
    options: dict[str, Any] = {
        "statistic": "mean",
        "correction": 0.5,
        "n": [2**k for k in range(4, 13)],
        "samples": _BLOCK,
        "note": _COMPUTED,
    }
    for law in ("exponential", "normal", "rademacher", "uniform"):
        f = plan.shallow(None if law == "normal" else law)
        for kept in TRUNCATIONS:
            power = Fraction(-kept - 1, 2) if law == "exponential" else Fraction(-(kept // 2) - 1)
            yield Claim(
                f"characteristic function less its series to the order {kept}, {law} read-out",
                truncation_error(f, plan.x, kept, f"truncation error {law} {kept}"),
                id=f"GP6.{law}.{kept}",
                predicted=rt.Theta(n**power),
                source=EDGEWORTH,
                **options,
            )
    yield Claim(
        "the same, skewed read-out, its limit claimed to be met at the order 1/n of symmetric ones",
        truncation_error(plan.shallow("exponential"), plan.x, 0, "truncation error exponential 0"),
        id="GP6.wrong",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        **options,
    )


def truncation_error(f: rt.RandomFunction, x: np.ndarray, kept: int, name: str = "truncation error") -> rt.Quantity:
    """The distance of the characteristic function at one frequency from its series to an order.

    >>> f = rt.networks.two_layer(inputs=1, width=n, activation="tanh", readout="rademacher")
    >>> bool(truncation_error(f, np.ones(1), 2).sample(64)[0] < 1e-4)
    True
    """
    terms = cache(lambda: edgeworth(f, [x], order=kept).characteristic_terms([FREQUENCY]))

    @rt.quantity(n, name=name, batch=_BLOCK)
    def error(size: int, batch: int, rng: np.random.Generator) -> Any:
        partial = sum(term * size ** (-j / 2) for j, term in enumerate(terms()))
        return np.full(batch, abs(characteristic_function(f, x, FREQUENCY, size) - partial))

    return error
