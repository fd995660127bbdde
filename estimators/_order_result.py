"""What is known about the order of a quantity: the candidates that remain, as a record and as a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from estimators._equality import ComparedByValue
from estimators._order_fits import Array
from randtensor.errors import InputError
from randtensor.orders import Order, Scale, log, loglog

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SHOWN", "CandidateOrder", "OrderIdentification", "order_of"]

SHOWN = 6  # candidates that a line of text lists


def order_of(scale: Scale, power: Fraction, logarithm: Fraction, iterated: Fraction) -> Order:
    """s^power (log s)^logarithm (log log s)^iterated.

    >>> print(order_of(Scale("n"), Fraction(-1), Fraction(1, 2), Fraction(0)))
    n^{-1} (log n)^{1/2}
    """
    order: Order = scale**power * log(scale) ** logarithm
    return order * loglog(scale) ** iterated if iterated else order


@dataclass(frozen=True)
class CandidateOrder:
    """A growth class that the data allow: part of an `OrderIdentification`.

    Attributes
    ----------
    order : the class, n^a (log n)^b.
    weight : posterior probability among all candidates considered.
    misfit : -2 log likelihood, the correction's prior included, above that of the best law with free exponent.
    constant : C of the law C n^a (log n)^b (1 + correction).
    correction : power w of the correction 1 + c n^-w, or "log" for another unit inside the logarithm.
    amplitude : logarithm of the factor by which the correction changes the smallest size.
    n_min : smallest size the best fit uses.

    Examples
    --------
    >>> from estimators.identification import identify_order_of
    >>> n = [2**k for k in range(6, 13)]
    >>> found = identify_order_of(n, [3 / k for k in n], [0.001 / k for k in n])
    >>> best = found.candidates[0]
    >>> print(best.order, round(best.constant, 2), best.weight > 0.9)
    n^{-1} 3.0 True
    """

    order: Order
    weight: float
    misfit: float
    constant: float
    correction: float | str
    amplitude: float
    n_min: float

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; the exponents of n, log n and log log n as texts of fractions."""
        power, logarithm, iterated = self.order.exponents() if self.order.terms else (None, None, None)
        return {
            "order": str(self.order),
            "exponents": None if power is None else [str(power), str(logarithm), str(iterated)],
            "weight": self.weight,
            "misfit": self.misfit,
            "constant": self.constant,
            "correction": self.correction,
            "amplitude": self.amplitude,
            "n_min": self.n_min,
        }

    @classmethod
    def _from_dict(cls, record: Mapping[str, Any], scale: Scale) -> CandidateOrder:
        fields = {name: record[name] for name in record if name not in ("order", "exponents")}
        exponents = record["exponents"]
        order = Order.zero() if exponents is None else order_of(scale, *map(Fraction, exponents))
        return cls(order=order, **fields)


@dataclass(frozen=True, eq=False)
class OrderIdentification(ComparedByValue):
    """The orders that the data allow: the result of `identify_order` and `identify_order_of`.

    Attributes
    ----------
    scale : the limit variable.
    n, values, errors : the data, sorted so that n goes to its limit; errors as used, after inflation if any.
    used : which of the sizes entered the fits.
    candidates : the orders that the data do not exclude, of greatest posterior weight first.
    considered : number of orders tried.
    exponent, exponent_error : power of n when it is fitted freely and without logarithm, and its standard
        deviation within and between corrections.
    level : probability with which the true order, if it was tried, is meant to be listed.
    poor_fit : True when no law followed the data (p < 0.001); the errors were then inflated.
    reason : why there is not exactly one candidate, or why sizes were left out; else None.
    larger_n, more_samples : what would leave one candidate, if the heaviest is the true one: a largest size at the
        relative error of the present largest, or a factor on the number of samples at the present sizes; None
        where there is nothing to tell apart, or where none was found to suffice.
    statistic, quantity : what was measured, where known.
    samples, seed : samples per size and entropy of the random streams, where they were drawn here.

    Examples
    --------
    >>> import json
    >>> from estimators.identification import identify_order_of
    >>> n = [2**k for k in range(6, 13)]
    >>> found = identify_order_of(n, [k**-0.5 for k in n], [0.001 * k**-0.5 for k in n])
    >>> found.identified, found.order
    (True, Order('n^{-1/2}'))
    >>> again = OrderIdentification.from_dict(json.loads(json.dumps(found.to_dict())))
    >>> again.candidates == found.candidates
    True
    """

    scale: Scale
    n: Array
    values: Array
    errors: Array
    used: tuple[bool, ...]
    candidates: tuple[CandidateOrder, ...]
    considered: int
    exponent: float | None
    exponent_error: float | None
    level: float
    poor_fit: bool
    reason: str | None
    larger_n: float | None
    more_samples: float | None
    statistic: str | None = None
    quantity: str | None = None
    samples: tuple[int, ...] | None = None
    seed: int | tuple[int, ...] | None = None

    @property
    def identified(self) -> bool:
        """Whether exactly one candidate is left."""
        return len(self.candidates) == 1

    @property
    def order(self) -> Order | None:
        """The candidate of greatest weight; None if the data exclude, or cannot test, all of them."""
        return self.candidates[0].order if self.candidates else None

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders of the candidates, of greatest weight first."""
        return tuple(candidate.order for candidate in self.candidates)

    def __str__(self) -> str:
        what = f"{self.statistic or 'values'}{f' of {self.quantity}' if self.quantity else ''}"
        span = f"{self.scale.name} = {self.n[0]:g} .. {self.n[-1]:g}"
        listed = ", ".join(f"{c.order} (weight {c.weight:.2g})" for c in self.candidates[:SHOWN])
        more = len(self.candidates) - SHOWN
        listed += f" and {more} more" if more > 0 else ""
        return f"{what}, {span}: {listed or 'no order identified'}{f'; {self.reason}' if self.reason else ''}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "scale": {"name": self.scale.name, "to": "infinity" if math.isinf(self.scale.to) else 0},
            "n": self.n.tolist(),
            "values": self.values.tolist(),
            "errors": self.errors.tolist(),
            "used": list(self.used),
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "considered": self.considered,
            "exponent": self.exponent,
            "exponent_error": self.exponent_error,
            "level": self.level,
            "poor_fit": self.poor_fit,
            "reason": self.reason,
            "larger_n": self.larger_n,
            "more_samples": self.more_samples,
            "statistic": self.statistic,
            "quantity": self.quantity,
            "samples": None if self.samples is None else list(self.samples),
            "seed": list(self.seed) if isinstance(self.seed, tuple) else self.seed,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> OrderIdentification:
        """The result that `to_dict` recorded.

        Raises
        ------
        InputError : ``record`` is no such record.
        """
        try:
            fields = dict(record)
            scale = Scale(record["scale"]["name"], to=0 if record["scale"]["to"] == 0 else math.inf)
            fields |= {name: np.asarray(record[name], dtype=float) for name in ("n", "values", "errors")}
            fields["candidates"] = tuple(CandidateOrder._from_dict(each, scale) for each in record["candidates"])
            for name in ("samples", "seed"):
                fields[name] = tuple(fields[name]) if isinstance(fields[name], list) else fields[name]
            return cls(**fields | {"scale": scale, "used": tuple(record["used"])})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"record is not that of an OrderIdentification ({error!r}), expected to_dict()") from None

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> tuple[Axes, ...]:
        """Values with the laws of the heaviest candidates; below, values over each candidate, flat where it holds.

        Parameters
        ----------
        ax : axes for the values, or a pair with axes for the ratios; None makes a new figure with both.

        Raises
        ------
        ImportError : matplotlib is not installed.
        """
        from estimators._order_plot import plot_identification

        return plot_identification(self, ax)
