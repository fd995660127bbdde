"""Gaussian integrals of products of an activation's derivatives, at the pre-activations of one hidden unit.

Three rules: Wick's theorem for polynomial activations; half-lines and sectors, between whose edges the integrand is a
polynomial, for piecewise linear ones; trapezoidal sums, which converge exponentially, for smooth ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from randtensor.errors import ExactError
from randtensor.exact.derivatives._trapezoid import trapezoidal_sums
from randtensor.exact.rationals import Number, exact, multiply
from randtensor.programs.activations import Activation

__all__ = ["Monomial", "PreActivations", "Wick", "gaussian_integrals", "homogeneity", "slopes_of"]

Array = np.ndarray

#: A product of powers of derivatives: sorted triples (input, order of the derivative, power).
Monomial = tuple[tuple[int, int, int], ...]

#: Highest degree of a polynomial activation.
MAXIMUM_DEGREE = 64

#: A direction is new if it contributes more than this to the length of an input.
NEW_DIRECTION = 1e-12


class PreActivations:
    """The jointly Gaussian pre-activations z_a = w . x_a of one unit at several inputs.

    Parameters
    ----------
    inputs : vectors of one length.
    variance : of the independent entries of w.
    """

    def __init__(self, inputs: Sequence[Array], variance: Number) -> None:
        self.inputs, self.variance = tuple(inputs), variance
        self._dots: dict[tuple[int, int], Number] = {}

    def dot(self, a: int, b: int) -> Number:
        """x_a . x_b, as a fraction where the entries are."""
        key = (min(a, b), max(a, b))
        if key not in self._dots:
            pairs = [(exact(x), exact(y)) for x, y in zip(self.inputs[a], self.inputs[b], strict=True)]
            if all(isinstance(number, Fraction) for pair in pairs for number in pair):
                self._dots[key] = sum((x * y for x, y in pairs), Fraction(0))
            else:
                self._dots[key] = float(self.inputs[a] @ self.inputs[b])
        return self._dots[key]

    def covariance(self, a: int, b: int) -> Number:
        """E z_a z_b."""
        return self.variance * self.dot(a, b)

    def frame(self, members: Sequence[int]) -> Array:
        """Rows A_a with z_a = A_a . y for independent standard normal y, lower triangular, of the least length."""
        basis: list[Array] = []
        rows: list[list[float]] = []
        for a in members:
            x = self.inputs[a]
            row, rest = [0.0] * len(basis), x
            # Twice, because rounding leaves a remainder along the basis when x is almost inside its span.
            for i, e in list(enumerate(basis)) * 2:
                step = float(e @ rest)
                row[i] += step
                rest = rest - step * e
            length = float(np.linalg.norm(rest))
            if length > NEW_DIRECTION * float(np.linalg.norm(x)):
                basis.append(rest / length)
                row.append(length)
            rows.append(row)
        frame = np.zeros((len(rows), len(basis)))
        for a, row in enumerate(rows):
            frame[a, : len(row)] = row
        return frame * math.sqrt(self.variance)


def gaussian_integrals(
    activation: Activation, points: PreActivations, monomials: Iterable[Monomial]
) -> dict[Monomial, Number]:
    """Expectations of products of derivatives: E prod phi^(k)(z_a)^e over the triples (a, k, e).

    Parameters
    ----------
    activation : phi; derivatives of piecewise linear functions are those almost everywhere.
    points : law of the pre-activations.
    monomials : what to integrate.

    Raises
    ------
    ExactError : too many inputs that are not parallel, or integrals that do not exist or converge.

    Examples
    --------
    >>> from randtensor.programs.activations import get_activation
    >>> point = PreActivations([np.ones(1)], Fraction(1))
    >>> gaussian_integrals(get_activation("relu"), point, [((0, 0, 4),)])
    {((0, 0, 4),): Fraction(3, 2)}
    """
    result: dict[Monomial, Number] = {}
    groups: dict[tuple[int, ...], list[Monomial]] = {}
    for monomial in dict.fromkeys(monomials):
        if not monomial or _vanishes(activation, monomial):
            result[monomial] = Fraction(not monomial)
        else:
            groups.setdefault(tuple(dict.fromkeys(a for a, _, _ in monomial)), []).append(monomial)
    for members, group in groups.items():
        result.update(zip(group, _integrate(activation, points, members, group), strict=True))
    return result


def homogeneity(activation: Activation) -> int | None:
    """The degree p with phi(r z) = r^p phi(z) for all r > 0, None if there is none.

    >>> from randtensor.programs.activations import get_activation
    >>> [homogeneity(get_activation(name)) for name in ("relu", "square", "tanh")]
    [1, 2, None]
    """
    if activation.smoothness == "piecewise-linear":
        return 1
    if activation.smoothness == "smooth":
        return None
    degrees = [k for k, c in enumerate(_coefficients(activation)) if c]
    return degrees[0] if len(degrees) == 1 else None


def _vanishes(activation: Activation, monomial: Monomial) -> bool:
    """Whether the product is an odd function of all pre-activations together, or zero almost everywhere."""
    if activation.smoothness == "piecewise-linear" and any(k > 1 for _, k, _ in monomial):
        return True
    flips = sum(k * e for _, k, e in monomial)
    if activation.odd:
        flips += sum(e for _, _, e in monomial)
    return (activation.odd or activation.even) and flips % 2 == 1


def _integrate(
    activation: Activation, points: PreActivations, members: tuple[int, ...], monomials: list[Monomial]
) -> list[Number]:
    if activation.smoothness in ("linear", "polynomial"):
        wick = Wick(points.covariance)
        coefficients = _coefficients(activation)
        return [_polynomial(coefficients, wick, monomial) for monomial in monomials]
    frame = points.frame(members)
    rank = frame.shape[1]
    if activation.smoothness == "smooth":
        if rank > 3:
            raise ExactError(
                f"the integrals of {activation.name!r} run over {rank} linearly independent inputs, expected at most 3"
            )
        rows = {a: frame[i] for i, a in enumerate(members)}
        return list(trapezoidal_sums(activation, rows, monomials))
    if rank > 2:
        raise ExactError(
            f"the integrals of the piecewise linear {activation.name!r} run over {rank} linearly independent inputs, "
            f"expected at most 2"
        )
    slopes = slopes_of(activation)
    if not frame.any(axis=1).all():
        # phi vanishes at an input 0, and its slope is multiplied by an inner product with 0.
        return [Fraction(0) for _ in monomials]
    if rank == 1:
        return [_half_lines(slopes, points, monomial) for monomial in monomials]
    directions = {a: frame[i] for i, a in enumerate(members)}
    return [_sectors(slopes, directions, monomial) for monomial in monomials]


# Polynomial activations


def _coefficients(activation: Activation) -> list[Number]:
    """Coefficients of a polynomial activation."""
    found = [exact(c[0]) for c in activation.taylor(np.zeros(1), MAXIMUM_DEGREE)]
    total = float(sum(found))
    if not math.isclose(total, activation(1.0), rel_tol=1e-9, abs_tol=1e-12):
        raise ExactError(f"activation is {activation.name!r}, expected a polynomial of degree at most {MAXIMUM_DEGREE}")
    while len(found) > 1 and found[-1] == 0:
        found.pop()
    return found


class Wick:
    """Moments of a Gaussian vector by Isserlis' theorem.

    Parameters
    ----------
    covariance : of two components, by their numbers.
    """

    def __init__(self, covariance: Callable[[int, int], Number]) -> None:
        self._covariance = covariance
        self._known: dict[tuple[tuple[int, int], ...], Number] = {(): Fraction(1)}

    def moment(self, powers: tuple[tuple[int, int], ...]) -> Number:
        """E prod z_a^e over pairs (a, e)."""
        powers = tuple((a, e) for a, e in powers if e)
        if powers not in self._known:
            (first, power), *others = powers
            rest = [(first, power - 1), *others]
            total: Number = Fraction(0)
            for i, (a, e) in enumerate(rest):
                if e:
                    lowered = tuple((b, f - (i == j)) for j, (b, f) in enumerate(rest))
                    total = total + e * self._covariance(first, a) * self.moment(lowered)
            self._known[powers] = total
        return self._known[powers]


def _polynomial(coefficients: list[Number], wick: Wick, monomial: Monomial) -> Number:
    factors: dict[int, Sequence[Number]] = {}
    for a, k, e in monomial:
        derivative = [math.perm(j, k) * c for j, c in enumerate(coefficients)][k:]
        factors[a] = reduce(_convolve, [derivative] * e, factors.get(a, [Fraction(1)]))
    expanded: dict[tuple[tuple[int, int], ...], Number] = {(): Fraction(1)}
    for a, polynomial in factors.items():
        expanded = {
            (*powers, (a, j)): weight * c for powers, weight in expanded.items() for j, c in enumerate(polynomial) if c
        }
    return sum((weight * wick.moment(powers) for powers, weight in expanded.items()), Fraction(0))


def _convolve(left: Sequence[Number], right: Sequence[Number]) -> Sequence[Number]:
    result: list[Number] = [Fraction(0)] * max(len(left) + len(right) - 1, 0)
    for i, x in enumerate(left):
        for j, y in enumerate(right):
            result[i + j] = result[i + j] + x * y
    return result


# Piecewise linear activations with their kink at 0


def slopes_of(activation: Activation) -> tuple[Number, Number]:
    """Slopes on the negative and on the positive half-line."""
    z = np.array([-4.0, -1.0, -0.25, 0.25, 1.0, 4.0])
    values, slopes = activation.taylor(z, 1)
    if np.ptp(slopes[:3]) or np.ptp(slopes[3:]) or not np.allclose(values, slopes * z, rtol=1e-12, atol=0.0):
        raise ExactError(f"activation is {activation.name!r}, expected a piecewise linear one with its only kink at 0")
    return exact(slopes[0]), exact(slopes[-1])


def _half_lines(slopes: tuple[Number, Number], points: PreActivations, monomial: Monomial) -> Number:
    """All inputs parallel: z_a = ratio_a z with one z, over each half-line."""
    first = monomial[0][0]
    variance = points.covariance(first, first)
    degree = sum(e for _, k, e in monomial if k == 0)
    total: Number = Fraction(0)
    for side in (-1, 1):
        factors: list[Number] = []
        for a, k, e in monomial:
            z = side * points.covariance(a, first) / variance
            factors += [slopes[z > 0] * (z if k == 0 else 1)] * e
        total = total + multiply(factors)
    if degree % 2:
        half = degree // 2
        root = math.sqrt(2 * variance / math.pi)
        return total / 2 * math.factorial(half) * (2 * variance) ** half * root
    return total / 2 * math.prod(range(degree - 1, 0, -2)) * variance ** (degree // 2)


def _sectors(slopes: tuple[Number, Number], directions: dict[int, Array], monomial: Monomial) -> float:
    """Inputs in a plane: the radial integral in closed form, angles by Gauss-Legendre between the kinks."""
    degree = sum(e for _, k, e in monomial if k == 0)
    angles = {a: math.atan2(y, x) for a, (x, y) in directions.items()}
    kinks = sorted(
        {(angle + turn) % (2 * math.pi) for angle in angles.values() for turn in (-math.pi / 2, math.pi / 2)}
    )
    nodes, weights = np.polynomial.legendre.leggauss(24 + degree)
    total = 0.0
    for start, end in zip(kinks, [*kinks[1:], kinks[0] + 2 * math.pi], strict=True):
        theta = (start + end) / 2 + (end - start) / 2 * nodes
        values: Any = weights * (end - start) / 2
        for a, k, e in monomial:
            cosine = np.cos(theta - angles[a])
            slope = np.where(cosine > 0, float(slopes[1]), float(slopes[0]))
            values = values * (slope if k else slope * cosine * math.hypot(*directions[a])) ** e
        total += float(np.sum(values))
    return total * 2 ** (degree / 2) * math.gamma(degree / 2 + 1) / (2 * math.pi)
