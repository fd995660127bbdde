"""Claims: a random quantity, how it is measured, and what is predicted of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from estimators import Statistic, fit_rate
from estimators.scalings import derived_correction
from randtensor import Bound, Order, Quantity, Scale
from randtensor.derivative_contraction import DerivativeContraction
from randtensor.derivatives import DerivativeTensor
from randtensor.dimensions import scale_names
from randtensor.errors import InputError, RandtensorError
from randtensor.quantity import resolve_sizes
from randtensor.tensors.base import DenseTensor
from theory_checks.families import Family
from theory_checks.predictions import (
    Exact,
    Identity,
    NoDefiniteBound,
    Prediction,
    QuantileSlopes,
    Tight,
    Zero,
    as_prediction,
)

__all__ = ["Claim", "Exact", "Identity", "NoDefiniteBound", "QuantileSlopes", "Tight", "Zero", "with_samples"]

_FEWEST_BEYOND = 5  # samples that have to lie beyond a quantile before it is estimated


@dataclass(frozen=True, eq=False)
class Claim:
    """One statement about a random quantity, that can be checked by sampling.

    Parameters
    ----------
    name : what is claimed, in words.
    quantity : a scalar quantity; of any shape for an `Identity` and for ``Tight(uniform=True)``, where a list of scalar
        quantities, drawn jointly, does as well.
    statistic : what of the law is predicted, see `estimators.estimate`; quantile predictions, `Zero` (the mean) and
        `Identity` (the largest residual) bring their own.
    predicted : a bound such as ``rt.Theta(n**-1)`` (a plain order means Theta), or one of `Exact`, `Zero`, `Identity`,
        `QuantileSlopes`, `Tight`, `NoDefiniteBound`.
    source : where the prediction comes from.
    n : sizes of the scale, or mappings from scales to sizes.
    samples : samples at each size; one number, or one per size.
    scale : the scale whose exponent is predicted, where several vary.
    correction : powers w of the correction 1 + c n^-w at finite size, see `estimators.fit_rate`; "derived" takes the
        one that `rt.prediction.correction_power` finds.
    log_power : power of log n in the law; None takes it from the predicted order.
    margin : exponents closer than this are taken for equal.
    expect : ``"refuted"`` marks a negative control, a statement known to be false that the check has to refute.
    id : short and unique within a run; random streams are keyed by it, or by the name if there is none.
    note : anything the reader of a report should know.
    statement : the statement as the paper prints it, for reports: LaTeX, formulas between dollar signs.

    Raises
    ------
    InputError, ShapeError : anything that cannot be used; the message names the claim.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> g = rt.gaussian(n)
    >>> claim = Claim("length of a Gaussian vector", rt.norm(g), predicted=rt.Theta(n**0.5), n=[16, 64, 256])
    >>> claim.predicted, claim.exponent
    (Theta('n^{1/2}'), 0.5)
    """

    name: str
    quantity: Any
    _: KW_ONLY
    statistic: str | Statistic = "rms"
    predicted: Any = None
    source: str = ""
    n: Sequence[Any] | None = None
    samples: int | Sequence[int] = 400
    scale: Any = None
    correction: Any = "auto"
    log_power: float | None = None
    margin: float = 0.1
    expect: Literal["consistent", "refuted"] = "consistent"
    id: str = ""
    note: str = ""
    statement: str = ""
    #: sizes by scale name, ascending in the scale whose exponent is predicted, and samples at each
    sizes: tuple[dict[str, int], ...] = field(init=False, repr=False)
    counts: tuple[int, ...] = field(init=False, repr=False)
    #: name of the scale whose exponent is predicted, None for a quantity without scales
    axis: str | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise InputError(f"name is {self.name!r}, expected what is claimed, in words")
        try:
            self._check()
        except RandtensorError as error:
            raise type(error)(f"claim {self.label!r}: {error}") from None

    @property
    def label(self) -> str:
        """The id, or the name if there is none."""
        return self.id if isinstance(self.id, str) and self.id else self.name

    @property
    def prediction(self) -> Prediction:
        """The prediction, typed."""
        prediction: Prediction = self.predicted
        return prediction

    @property
    def statistic_name(self) -> str:
        """What is measured: the statistic, or what the prediction measures instead."""
        match self.prediction:
            case Zero():
                return "mean"
            case Identity():
                return "largest residual"
            case QuantileSlopes() | Tight() | NoDefiniteBound():
                return "quantiles"
        return Statistic.of(self.statistic).name

    @property
    def order(self) -> Order | None:
        """The predicted growth class, where there is one."""
        if isinstance(self.prediction, Bound):
            return self.prediction.order
        return self.prediction.order if isinstance(self.prediction, Tight) else None

    @property
    def exponent(self) -> float | None:
        """The predicted power of the scale, where there is one."""
        return None if self.order is None else float(self._exponents(self.order).power)

    @property
    def log_exponent(self) -> float:
        """The power of the logarithm of the scale in the law."""
        if self.log_power is not None:
            return float(self.log_power)
        return 0.0 if self.order is None else float(self._exponents(self.order).log)

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Quantiles in per cent that the prediction is about and for which there are enough samples."""
        match self.prediction:
            case QuantileSlopes(slopes=slopes):
                return tuple(percent for percent, _ in slopes)
            case Tight(quantiles=quantiles) | NoDefiniteBound(quantiles=quantiles):
                fewest = min(self.counts)
                return tuple(sorted(p for p in quantiles if samples_for_quantile(p) <= fewest))
        return ()

    @property
    def fewest_samples(self) -> int:
        """Samples per size below which a reduced budget must not go."""
        return max([30, *(samples_for_quantile(percent) for percent in self.quantiles)])

    def _exponents(self, order: Order) -> Any:
        own = next((scale for scale in order.scales if scale.name == self.axis), None)
        return order.exponents(own or Scale(self.axis or "n"))

    def _check(self) -> None:
        if not isinstance(self.id, str):
            raise InputError(f"id is {self.id!r}, expected a text")
        if not isinstance(self.statement, str):
            raise InputError(f"statement is {self.statement!r}, expected a text in LaTeX")
        if isinstance(self.quantity, list | tuple):
            object.__setattr__(self, "quantity", Family(self.quantity))
        if not isinstance(self.quantity, Quantity):
            raise InputError(f"quantity is {self.quantity!r}, expected a randtensor quantity that can be sampled")
        if open_indices(self.quantity):
            raise InputError(
                f"quantity is {self.quantity!r} with free indices, expected a scalar: contract them, or take rt.norm"
            )
        if self.predicted is None:
            raise InputError("it has no prediction, expected predicted=rt.Theta(...), rt.O(...), Exact(...) or another")
        object.__setattr__(self, "predicted", as_prediction(self.predicted))
        if self.expect not in ("consistent", "refuted"):
            raise InputError(f"expect is {self.expect!r}, expected 'consistent' or 'refuted'")
        if isinstance(self.margin, bool) or not (_is_real(self.margin) and 0 < self.margin < math.inf):
            raise InputError(f"margin is {self.margin!r}, expected a positive number")
        if self.log_power is not None and not (_is_real(self.log_power) and math.isfinite(self.log_power)):
            raise InputError(f"log_power is {self.log_power!r}, expected None or a finite number")
        Statistic.of(self.statistic)
        self._check_sizes()
        self._check_prediction()

    def _check_sizes(self) -> None:
        names = self.quantity.scale_names
        points: list[Any] = []
        if self.n is not None:
            if isinstance(self.n, str | Mapping) or not np.iterable(self.n):
                raise InputError(f"n is {self.n!r}, expected a list of sizes")
            points = list(self.n)
        elif not names:
            points = [None]
        if not names and self.n is not None:
            raise InputError(f"n is {self.n!r}, but the quantity has no scale, expected a shape that contains one")
        if not points:
            raise InputError(f"n is {self.n!r}, expected a list of sizes for the scale {', '.join(names)}")
        sizes = [resolve_sizes(names, point) for point in points]
        axis = _axis(names, sizes, self.scale)
        if len({tuple(size.items()) for size in sizes}) < len(sizes):
            raise InputError(f"n is {points!r}, expected sizes that all differ")
        counts = _counts(self.samples, len(sizes))
        order = sorted(range(len(sizes)), key=lambda i: sizes[i][axis] if axis else 0)
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "sizes", tuple(sizes[i] for i in order))
        object.__setattr__(self, "counts", tuple(counts[i] for i in order))

    def _check_prediction(self) -> None:
        probes = getattr(self.quantity, "probes", 1)
        if probes > 1 and isinstance(self.prediction, Identity | QuantileSlopes | Tight | NoDefiniteBound):
            raise InputError(
                f"the quantity is known only through {probes} noisy probes per sample, "
                f"which cannot decide {type(self.prediction).__name__}: make it with probes=0"
            )
        if isinstance(self.prediction, Exact):
            exact_error = self.prediction.std is not None or self.prediction.variance is not None
            if exact_error and self.statistic_name != "mean":
                raise InputError(f"an exact standard deviation fits the mean, but statistic is {self.statistic_name!r}")
        if not isinstance(self.prediction, Bound | QuantileSlopes | Tight | NoDefiniteBound):
            return
        family, shape = getattr(self.prediction, "uniform", False), tuple(self.quantity.shape)
        if family and not shape:
            raise InputError("the quantity is a scalar, but the prediction is uniform, expected one with a shape")
        if shape and not family:
            raise InputError(
                f"the quantity has shape {shape}, expected a scalar: contract or index it, or claim Tight(uniform=True)"
            )
        if self.axis is None:
            raise InputError("the quantity has no scale, expected one that can grow")
        widths = {size[self.axis] for size in self.sizes}
        if len(widths) < len(self.sizes) or len(widths) < 2:
            raise InputError(
                f"n is {[size[self.axis] for size in self.sizes]}, expected at least two different sizes: "
                "an exponent is a slope"
            )
        self._check_order(self.order)
        # options of the fit are refused now, not after the samples have been drawn
        statistic = Statistic.of(self.statistic).name
        try:
            object.__setattr__(self, "correction", derived_correction(self.quantity, statistic, self.correction))
        except RandtensorError:
            kind = "this norm" if "Norm" in type(self.quantity).__name__ else "this quantity"
            raise InputError(
                f"correction is 'derived', but cannot be derived for {kind}, expected a number such as 1.0 or 'auto'"
            ) from None
        fit_rate(sorted(widths), [1.0] * len(widths), correction=self.correction, log_power=self.log_exponent or False)
        if not isinstance(self.prediction, Bound) and len(self.quantiles) < min(2, self._fewest_quantiles):
            raise InputError(f"samples is {min(self.counts)}, expected at least 50 to compare quantiles")

    @property
    def _fewest_quantiles(self) -> int:
        return 1 if isinstance(self.prediction, QuantileSlopes) else 2

    def _check_order(self, order: Order | None) -> None:
        if order is None:
            return
        if order == 0:
            raise InputError(f"predicted is {self.predicted}, expected a non-zero order: use Zero() or Identity()")
        for scale in order.scales:
            if scale.name not in self.quantity.scale_names:
                listed = ", ".join(self.quantity.scale_names)
                raise InputError(
                    f"predicted is {self.predicted} in the scale {scale.name!r}, on which the quantity does not "
                    f"depend, expected an order in {listed}"
                )
            if scale.name != self.axis and len({size[scale.name] for size in self.sizes}) > 1:
                raise InputError(
                    f"predicted is {self.predicted} and {scale.name} varies beside {self.axis}, "
                    "expected only one scale of the order to vary"
                )
        if self._exponents(order).loglog != 0:
            raise InputError(f"predicted is {self.predicted}, expected no iterated logarithm: no fit can see it")


def with_samples(claim: Claim, counts: Sequence[int]) -> Claim:
    """The claim with these samples at its sizes, which are in ascending order.

    It keeps the quantiles for which the claim had samples enough: its assertions were counted when it was planned.
    """
    if len(counts) != len(claim.sizes):
        raise InputError(
            f"claim {claim.label!r}: samples has {len(counts)} entries, expected {len(claim.sizes)}, one per size"
        )
    predicted = claim.prediction
    if isinstance(predicted, Tight | NoDefiniteBound):
        predicted = replace(predicted, quantiles=claim.quantiles)
    sizes = None if claim.axis is None else list(claim.sizes)
    return replace(claim, predicted=predicted, n=sizes, samples=[int(count) for count in counts])


def samples_for_quantile(percent: float) -> int:
    """Samples needed to estimate a quantile.

    >>> samples_for_quantile(99)
    500
    """
    return math.ceil(100 * _FEWEST_BEYOND / min(percent, 100 - percent) - 1e-9)


def open_indices(quantity: Quantity) -> tuple[int, ...]:
    """Positions of the indices without a fixed range: a quantity that has some is a factor, and no sample of a claim.

    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> open_indices(rt.gaussian(2, n)), open_indices(rt.norm(rt.gaussian(2, n)))
    ((1,), ())
    """
    if isinstance(quantity, DerivativeContraction):
        return tuple(i for i, label in enumerate(quantity.output) if label in quantity.free)
    if isinstance(quantity, DerivativeTensor):
        return tuple(range(len(quantity.shape), len(quantity.shape) + quantity.derivative_order))
    dimensions = quantity.dimensions if isinstance(quantity, DenseTensor) else ()
    return tuple(i for i, dimension in enumerate(dimensions) if scale_names((dimension,)))


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) or hasattr(value, "numerator")


def _axis(names: Sequence[str], sizes: Sequence[Mapping[str, int]], scale: Any) -> str | None:
    if scale is not None:
        name = str(getattr(scale, "name", scale))
        if name not in names:
            raise InputError(
                f"scale is {name!r}, expected a scale of the quantity: {', '.join(names) or 'it has none'}"
            )
        return name
    varying = [name for name in names if len({size[name] for size in sizes}) > 1]
    if len(varying) > 1:
        raise InputError(f"scale is None, but {' and '.join(varying)} vary: name the one whose exponent is predicted")
    return varying[0] if varying else (names[0] if names else None)


def _counts(samples: Any, expected: int) -> list[int]:
    given = list(samples) if np.iterable(samples) and not isinstance(samples, str) else [samples] * expected
    for count in given:
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise InputError(f"samples is {samples!r}, expected positive integers")
    if len(given) != expected:
        raise InputError(f"samples has {len(given)} entries, expected {expected} as many as n")
    return [int(count) for count in given]
