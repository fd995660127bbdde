"""The order of an unknown quantity: which growth laws n^a (log n)^b its values at finite n allow.

The method, its prior and its measured coverage are in docs/identify_order.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import _order_selection as selection
from estimators._order_fits import Array
from estimators._order_result import SHOWN, CandidateOrder, OrderIdentification, order_of
from estimators._points import counts_at, sizes_at
from estimators._power_law import AUTO_POWERS
from estimators.estimation import estimate
from estimators.sampling import Progress, describe
from estimators.statistics import Statistic
from estimators.workers import Jobs
from randtensor.errors import InputError, OrderError, ShapeError
from randtensor.orders import Order, Scale
from randtensor.quantity import Quantity
from randtensor.seeding import Seed, root_sequence

__all__ = ["CandidateOrder", "OrderIdentification", "identify_order", "identify_order_of"]

_SIZES = (16, 32, 64, 128, 256)
_RESOLVED = 3.0  # standard errors away from zero, below which the sign of a value is not known


def identify_order(
    quantity: Quantity,
    *,
    n: Sequence[int] | Sequence[Mapping[Any, int]] = _SIZES,
    statistic: str | Statistic = "rms",
    samples: int | Sequence[int] = 1000,
    rng: Seed = None,
    candidates: Sequence[Order | str] | None = None,
    scale: Any = None,
    level: float = 0.99,
    jobs: Jobs = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> OrderIdentification:
    """Which orders n^a (log n)^b a statistic of a random quantity can have, judged from samples.

    Parameters
    ----------
    quantity : scalar quantity; see `estimate`.
    n : at least three different sizes, or mappings from scales to sizes when the quantity has several scales.
    statistic : see `estimate`.
    samples : independent samples per size: one number, or one per size in the order of ``n``.
    rng : seed; the same seed gives the same bits, whatever ``jobs`` and ``block_size``.
    candidates, level : see `identify_order_of`.
    scale : the scale (or its name) whose exponent is wanted; may be left out when only one varies.
    jobs, block_size, progress : see `estimate`; progress counts the samples of all sizes.

    Raises
    ------
    ShapeError : sizes that are missing, repeated, fewer than three or not positive integers above 1, or a
        quantity that is not a scalar.
    InputError, OrderError : any other argument that cannot be used, or samples that are not finite.

    Examples
    --------
    >>> from randtensor.quantity import Quantity
    >>> class Average(Quantity):
    ...     scale_names, fingerprint = ("n",), "average of n normal variables"
    ...     def evaluate(self, draw):
    ...         return draw.generator.standard_normal(draw.batch) / draw.sizes["n"] ** 0.5
    >>> found = identify_order(Average(), n=[2**k for k in range(4, 19, 2)], samples=4000, rng=0)
    >>> found.order
    Order('n^{-1/2}')
    """
    chosen = Statistic.of(statistic)
    if not isinstance(quantity, Quantity):
        raise InputError(f"quantity is {quantity!r}, expected a randtensor quantity that can be sampled")
    sizes, axis = sizes_at(quantity, n, scale, fewest="three")
    counts = counts_at(samples, len(sizes))
    symbol = Scale(axis)
    # refuse what cannot be fitted before the samples are drawn, not after
    identify_order_of([size[axis] for size in sizes], np.zeros(len(sizes)), candidates=candidates, scale=symbol)
    selection.threshold(level, math.inf)
    root = root_sequence(rng)
    estimates, done = [], 0
    for size, count in zip(sizes, counts, strict=True):
        report = None if progress is None else _shifted(progress, done, sum(counts))
        estimates.append(
            estimate(
                quantity, n=size, statistic=chosen, samples=count, rng=root, jobs=jobs, block_size=block_size,
                progress=report,
            )
        )  # fmt: skip
        done += count
    return _identify(
        np.array([size[axis] for size in sizes], dtype=float),
        np.array([found.value for found in estimates]),
        np.array([found.error * selection.widening(found.dof) for found in estimates]),
        symbol,
        candidates,
        level,
        statistic=chosen.name,
        quantity=describe(quantity),
        samples=tuple(counts[i] for i in np.argsort([size[axis] for size in sizes])),
        seed=estimates[0].seed,
    )


def identify_order_of(
    n: ArrayLike,
    values: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    candidates: Sequence[Order | str] | None = None,
    scale: Scale | str = "n",
    level: float = 0.99,
) -> OrderIdentification:
    """Which orders n^a (log n)^b numbers measured at finite n can have.

    A slope of -0.9 may be n^-1 (log n)^{1/2}, or n^-1 (1 + n^-1/2): over a short range no number of samples
    tells them apart.  Each candidate is therefore fitted with corrections to scaling, and the answer is the list
    of those that remain.

    1. Fit log T = log C + a log n + b log log n + correction, the corrections being 1 + c n^-1/2, 1 + c n^-1 and,
        for b other than 0, another unit inside the logarithm; on all sizes and without the smallest ones, at a
        price of 6 in chi-square per size.
    2. With a left free, this gives the best attainable fit and the range of a; the candidates are the fractions
        of denominator 1, 2, 3, 4, 6 in that range, with b one of -1, -1/2, 0, 1/2, 1, 2.
    3. List the candidates whose criterion is within -2 log(1 - level) of the best.  The prior has no part in this.
    4. Weigh them by exp(-criterion / 2), summed over corrections and sizes left out (Jay & Neil 2021, arXiv
        2008.01069), times the prior q^-2 (1 + 2|b|)^-2, where q is the denominator of a: simple exponents are
        likelier.

    Sizes up to the last change of sign, and those whose value is within 3 errors of zero, are left out.  It fails
    where its assumption does: when the corrections at the sizes given are not of that form, for example
    n^-1 (1 + 1 / log n).

    Parameters
    ----------
    n : at least three different numbers, above 1 (below 1 for a scale that tends to 0).
    values : real numbers, one per size.
    errors : their standard errors; None (or all zero) to estimate a common relative error from the residuals,
        which takes at least five sizes.
    candidates : the orders to try, in place of the fractions; single products of powers of the scale and its
        logarithms.
    scale : the limit variable, or its name.
    level : probability with which the true order, if it is a candidate, is meant to be listed.

    Raises
    ------
    ShapeError : arrays of different lengths, or too few sizes.
    InputError : sizes, values, errors or options that cannot be used.
    OrderError : a candidate that is no single product of powers of the scale.

    Examples
    --------
    >>> import numpy as np
    >>> n = 4.0 ** np.arange(3, 10)
    >>> values = np.log(n) / n
    >>> print(identify_order_of(n, values, 0.001 * values).order)
    n^{-1} log n
    >>> short = identify_order_of(n[:4], values[:4], 0.03 * values[:4])
    >>> short.identified, "n^{-1} log n" in map(str, short.orders)
    (False, True)
    """
    symbol = scale if isinstance(scale, Scale) else Scale(scale)
    arrays: dict[str, Array] = {}
    for name, given in {"n": n, "values": values, "errors": errors}.items():
        if given is None and name == "errors":
            continue
        try:
            arrays[name] = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise InputError(f"{name} is {given!r}, expected a sequence of real numbers") from None
        if arrays[name].ndim != 1:
            raise ShapeError(f"{name} has shape {arrays[name].shape}, expected one dimension")
        if len(arrays[name]) != len(arrays["n"]):
            raise ShapeError(f"{name} has {len(arrays[name])} entries, expected {len(arrays['n'])} as many as n")
        if not np.all(np.isfinite(arrays[name])):
            raise InputError(f"{name} is {arrays[name].tolist()}, expected finite numbers")
    spread = arrays.get("errors", np.zeros_like(arrays["n"]))
    if np.any(spread < 0):
        raise InputError(f"errors is {spread.tolist()}, expected standard errors that are not negative")
    return _identify(arrays["n"], arrays["values"], spread, symbol, candidates, level)


def _identify(
    n: Array,
    values: Array,
    errors: Array,
    scale: Scale,
    candidates: Sequence[Order | str] | None,
    level: float,
    **labels: Any,
) -> OrderIdentification:
    """The result for checked arrays; errors that are all zero stand for unknown ones."""
    selection.threshold(level, math.inf)
    growing = math.isinf(scale.to)
    _check_sizes(n, growing)
    given = None if candidates is None else [_exponents(each, scale) for each in _listed(candidates)]
    if given and any(c for _, _, c in given) and min(n if growing else 1 / n) <= math.e:
        raise InputError(f"n is {n.tolist()}, expected sizes above e for candidates with an iterated logarithm")
    order = np.argsort(n if growing else -n)
    n, values, errors = n[order], values[order], errors[order]
    used, notes = _usable(n, values, errors)
    if not values.any() and not errors.any():
        zero = CandidateOrder(Order.zero(), 1.0, 0.0, 0.0, AUTO_POWERS[0], 0.0, float(n[0]))
        return OrderIdentification(
            scale, n, values, errors, tuple([True] * len(n)), (zero,), 1, None, None, level, False,
            "every value is exactly zero", None, None, **labels,
        )  # fmt: skip
    if used.sum() < 3:
        notes.append(f"sizes that remain: {used.sum()}, where a fit takes three")
        return OrderIdentification(
            scale, n, values, errors, tuple(used.tolist()), (), 0, None, None, level, False,
            "; ".join(notes), None, None, **labels,
        )  # fmt: skip
    log_n = np.abs(np.log(n[used]))
    magnitudes = np.abs(values[used])
    relative = errors[used] / magnitudes if errors.any() else None
    found = selection.select(log_n, np.log(magnitudes), relative, given, level)
    spread = errors.copy()
    spread[used] = found.errors * magnitudes
    sign = math.copysign(1.0, values[used][-1])
    sizes = n[used]
    listed = tuple(
        CandidateOrder(
            order=order_of(scale, *(each.exponents if growing else (-each.exponents[0], *each.exponents[1:]))),
            weight=each.weight,
            misfit=each.misfit,
            constant=sign * math.exp(min(each.log_constant, 700.0)),
            correction=each.model.correction,
            amplitude=each.amplitude,
            n_min=float(sizes[each.model.cut]),
        )
        for each in found.candidates
    )
    largest = None if found.log_largest is None else math.exp(found.log_largest if growing else -found.log_largest)
    sign_of_exponent = 1 if growing else -1
    return OrderIdentification(
        scale=scale,
        n=n,
        values=values,
        errors=spread,
        used=tuple(used.tolist()),
        candidates=listed,
        considered=found.considered,
        exponent=sign_of_exponent * found.exponent,
        exponent_error=found.exponent_error,
        level=level,
        poor_fit=found.poor_fit,
        reason="; ".join([*notes, *_open_questions(found, listed, scale, largest)]) or None,
        larger_n=largest,
        more_samples=found.more_samples,
        **labels,
    )


def _open_questions(
    found: selection.Selection,
    listed: Sequence[CandidateOrder],
    scale: Scale,
    largest: float | None,
) -> list[str]:
    """Why there is not exactly one candidate, and what would leave one."""
    fitted = f"{found.exponent if math.isinf(scale.to) else -found.exponent:.3g} ± {found.exponent_error:.2g}"
    if not listed:
        return [f"none of the {found.considered} candidates fits: without logarithm the exponent is {fitted}"]
    if len(listed) == 1:
        return []
    ways = []
    if largest is not None:
        ways.append(f"sizes to {scale.name} = {largest:.2g} at the same relative error")
    if found.more_samples is not None:
        ways.append(f"{found.more_samples:.2g} times the samples")
    advice = " or ".join(ways) or "neither more samples nor larger sizes"
    untried = f"exponents further than {selection.WIDEST:g} from {fitted} were not tried"
    return [untried] * found.truncated + [
        f"{len(listed)} candidates are not told apart: {advice} would leave {listed[0].order} alone if it is true"
    ]


def _usable(n: Array, values: Array, errors: Array) -> tuple[NDArray[np.bool_], list[str]]:
    """Sizes beyond the last change of sign whose value is resolved from zero, and what is to be said of the others."""
    used = (np.abs(values) >= _RESOLVED * errors) & (values != 0)
    notes = []
    if not used.all():
        hidden = ", ".join(f"{size:g}" for size in n[~used][:SHOWN]) + (", ..." if (~used).sum() > SHOWN else "")
        notes.append(f"left out, within {_RESOLVED:g} errors of zero: n = {hidden}")
    resolved = np.flatnonzero(used)
    signs = np.sign(values[resolved])
    changes = np.flatnonzero(np.diff(signs))
    if len(changes):
        first = resolved[changes[-1] + 1]
        notes.append(
            f"left out, before the last change of sign: n < {n[first]:g}"
            if n[0] < n[-1]
            else f"left out, before the last change of sign: n > {n[first]:g}"
        )
        used[:first] = False
    return used, notes


def _check_sizes(n: Array, growing: bool) -> None:
    if len(n) < 3:
        raise ShapeError(f"n is {n.tolist()}, expected at least three sizes: two fit every order")
    if len(np.unique(n)) < len(n):
        raise ShapeError(f"n is {n.tolist()}: each size may occur only once")
    if growing and not np.all(n > 1):
        raise InputError(f"n is {n.min():g} at its smallest, expected sizes above 1, where log n is positive")
    if not growing and not np.all((n > 0) & (n < 1)):
        raise InputError(f"n is {n.tolist()}, expected sizes between 0 and 1 for a scale that tends to 0")


def _listed(candidates: Any) -> list[Any]:
    if isinstance(candidates, str | Order) or not np.iterable(candidates) or not len(list(candidates)):
        raise InputError(f"candidates is {candidates!r}, expected a list of at least one order")
    return list(candidates)


def _exponents(candidate: Order | str, scale: Scale) -> selection.Exponents:
    """Exponents of a candidate in the variable that grows."""
    order = Order(candidate)
    if len(order.terms) != 1 or any(each.name != scale.name for each in order.scales):
        raise OrderError(f"candidates holds {candidate!r}, expected a product of powers of {scale.name} and its logs")
    power, logarithm, iterated = order.exponents()
    # a text cannot say where its scale tends to
    return power if math.isinf(scale.to) else -power, logarithm, iterated


def _shifted(progress: Progress, done: int, total: int) -> Progress:
    return lambda some, _: progress(done + some, total)
