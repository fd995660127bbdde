"""Laws of single entries: moments and cumulants of an entry and of functions of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import factorial, prod
from typing import Any

import numpy as np

from randtensor.errors import ExactError, InfiniteMomentError, InputError
from randtensor.exact.laws.integration import integrate_continuous, integrate_density
from randtensor.exact.partitions import repeated, splits
from randtensor.exact.rationals import exact_number
from randtensor.orders import Order, Scale, Term
from randtensor.programs.activations import Activation

__all__ = ["Function", "Law", "NamedLaw", "SparseLaw", "named"]

Array = np.ndarray

#: Activations called polynomials are read off up to this degree.
LARGEST_DEGREE = 24


@dataclass(frozen=True)
class Function:
    """A function of one entry: ``activation(scale * x)``, or of another function in place of x.

    It is the mark of an element in a diagram whose entries the function acts on.

    Examples
    --------
    >>> from randtensor.programs.activations import get_activation
    >>> print(Function(get_activation("tanh"), Fraction(2)))
    tanh(2 x)
    """

    activation: Activation
    scale: Fraction | float = Fraction(1)
    inner: Function | None = None

    def __call__(self, x: Array) -> Array:
        argument = x if self.inner is None else self.inner(x)
        return np.asarray(self.activation(np.asarray(argument * float(self.scale), dtype=float)))

    @property
    def parity(self) -> int:
        """1 for an even function, -1 for an odd one, 0 for neither."""
        inner = -1 if self.inner is None else self.inner.parity
        if inner == 1 or (self.activation.even and inner == -1):
            return 1
        return -1 if self.activation.odd and inner == -1 else 0

    @cached_property
    def polynomial(self) -> tuple[Any, ...] | None:
        """Coefficients, constant first; None for what is no polynomial."""
        outer = polynomial_coefficients(self.activation)
        if outer is None:
            return None
        argument = (Fraction(0), Fraction(1)) if self.inner is None else self.inner.polynomial
        if argument is None:
            return None
        result: tuple[Any, ...] = ()
        for coefficient in reversed(outer):
            result = _times(result, tuple(c * self.scale for c in argument))
            result = (coefficient + (result[0] if result else 0), *result[1:])
        return result

    def __str__(self) -> str:
        inside = "x" if self.inner is None else str(self.inner)
        return f"{self.activation.name}({inside if self.scale == 1 else f'{self.scale} {inside}'})"


def polynomial_coefficients(activation: Activation) -> tuple[Fraction | float, ...] | None:
    """Coefficients of an activation that is a polynomial, constant first; None if it is none, or of high degree."""
    if activation.smoothness not in ("polynomial", "linear"):
        return None
    taylor = [float(c[0]) for c in activation.taylor(np.zeros(1), LARGEST_DEGREE)]
    points = np.array([-2.5, -0.3, 1.7, 4.0])
    if not np.allclose(np.polynomial.polynomial.polyval(points, taylor), activation(points), rtol=1e-9, atol=1e-9):
        return None
    while taylor and not taylor[-1]:
        taylor.pop()
    return tuple(exact_number(c) for c in taylor)


def _times(a: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
    result: list[Any] = [Fraction(0)] * (len(a) + len(b) - 1) if a and b else []
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            result[i + j] = result[i + j] + x * y
    return tuple(result)


#: What is left of sums of floats that cancel, relative to the sum of their absolute values.
RESIDUE = 1e-13


class Law(ABC):
    """The law of one real entry x, with its joint moments and cumulants.

    Marks stand for functions of x: None for x itself, or a `Function`.

    Examples
    --------
    >>> named("rademacher").cumulant((None,) * 4)
    Fraction(-2, 1)
    """

    #: whether x and -x have one law and all moments are finite, so that odd functions average to zero
    symmetric = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._moments: dict[tuple[Any, ...], Any] = {}
        self._cumulants: dict[tuple[Any, ...], Any] = {}

    def __repr__(self) -> str:
        return self.name

    @abstractmethod
    def raw(self, order: int) -> Any:
        """E x^order."""

    @abstractmethod
    def integral(self, function: Callable[[Array], Array]) -> float:
        """E function(x), by quadrature."""

    def moment(self, marks: Sequence[Any]) -> Any:
        """E of the product of the functions: a Fraction where it is exact, a float, or an Expansion.

        Raises
        ------
        ExactError : the moment is infinite, or no quadrature finds it.
        """
        key = _sorted(marks)
        if key not in self._moments:
            self._moments[key] = self._moment(key)
        return self._moments[key]

    def _moment(self, marks: tuple[Any, ...]) -> Any:
        if self.symmetric and prod(-1 if mark is None else mark.parity for mark in marks) == -1:
            return Fraction(0)
        polynomials = [(Fraction(0), Fraction(1)) if mark is None else mark.polynomial for mark in marks]
        if all(p is not None for p in polynomials):
            total: tuple[Any, ...] = (Fraction(1),)
            for polynomial in polynomials:
                total = _times(total, polynomial or ())
            return sum((c * self.raw(k) for k, c in enumerate(total) if c), start=Fraction(0))
        with np.errstate(all="ignore"):
            value = self.integral(lambda x: np.prod([x if mark is None else mark(x) for mark in marks], axis=0))
        if not np.isfinite(value):
            functions = ", ".join("x" if mark is None else str(mark) for mark in marks)
            raise ExactError(f"the mean of {functions} under the law {self.name} is {value}, expected a finite one")
        return value

    def cumulant(self, marks: Sequence[Any]) -> Any:
        """The joint cumulant of the functions, by the Moebius formula over set partitions, block of the first apart.

        Raises
        ------
        ExactError : as for `moment`.
        """
        key = _sorted(marks)
        if key not in self._cumulants:
            self._cumulants[key] = self._cumulant(key)
        return self._cumulants[key]

    def _cumulant(self, marks: tuple[Any, ...]) -> Any:
        total = self.moment(marks)
        if not marks:
            return Fraction(0)
        size = abs(total) if isinstance(total, float) else 0.0
        counts = Counter(marks)
        for ways, block, rest in splits(tuple(counts.values())):
            if not any(rest):
                continue
            part = self.cumulant(repeated(counts, block))
            if part != 0:
                summand = ways * part * self.moment(repeated(counts, rest))
                total = total - summand
                size += abs(summand) if isinstance(summand, float) else 0.0
        # What rounding leaves of floats that cancel is zero.
        return Fraction(0) if isinstance(total, float) and abs(total) <= RESIDUE * size else total


def _sorted(marks: Sequence[Any]) -> tuple[Any, ...]:
    for mark in marks:
        if mark is not None and not isinstance(mark, Function):
            raise ExactError(f"the mark {mark!r} is no function of a real entry, expected None or a Function")
    return tuple(sorted(marks, key=lambda mark: (mark is not None, str(mark))))


class NamedLaw(Law):
    """A law of mean 0 and variance 1 with rational moments, by its name; made by `named`."""

    def __init__(self, name: str, family: str, degrees: Fraction | None = None) -> None:
        super().__init__(name)
        self.family, self.degrees = family, degrees
        self.symmetric = family not in ("exponential", "student")

    def raw(self, order: int) -> Fraction:
        if self.degrees is not None and order >= self.degrees:
            raise InfiniteMomentError(f"the moment of order {order} of {self.name} is infinite")
        if self.family == "exponential":  # E (X - 1)^k counts derangements
            return Fraction(sum((-1) ** j * (factorial(order) // factorial(j)) for j in range(order + 1)))
        if order % 2:
            return Fraction(0)
        half = order // 2
        if self.degrees is not None:
            factors = [(2 * i - 1) / (self.degrees - 2 * i) for i in range(1, half + 1)]
            return (self.degrees - 2) ** half * prod(factors, start=Fraction(1))
        return {
            "normal": lambda: Fraction(factorial(order), 2**half * factorial(half)),
            "rademacher": lambda: Fraction(1),
            "uniform": lambda: Fraction(3**half, order + 1),
            "laplace": lambda: Fraction(factorial(order), 2**half),
        }[self.family]()

    def integral(self, function: Callable[[Array], Array]) -> float:
        if self.family == "rademacher":
            return float(function(np.array([-1.0, 1.0])).mean())
        if self.degrees is not None:
            from scipy.stats import t

            width = float(self.degrees - 2) ** 0.5 / float(self.degrees) ** 0.5
            return integrate_continuous(function, t(float(self.degrees), scale=width), self.name)
        edge, tail = 3.0**0.5, [1.0, 8.0, 50.0, 500.0]
        density, breaks, tails = {
            "normal": (_normal_density, [-38.0, -8.0, -1.0, 0.0, 1.0, 8.0, 38.0], [0, -1]),
            "uniform": (lambda x: np.full_like(x, 0.5 / edge), [-edge, 0.0, edge], []),
            "exponential": (lambda x: np.exp(-(x + 1.0)), [-1.0, 0.0, *tail], [-1]),
            "laplace": (_laplace_density, [*(-x for x in reversed(tail)), 0.0, *tail], [0, -1]),
        }[self.family]
        return integrate_density(function, density, breaks, tails, self.name)


def _normal_density(x: Array) -> Array:
    return np.asarray(np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))


def _laplace_density(x: Array) -> Array:
    return np.asarray(np.exp(-np.sqrt(2.0) * np.abs(x)) / np.sqrt(2.0))


_NAMES = ("normal", "rademacher", "uniform", "exponential", "laplace")
_STUDENT = re.compile(r"student\((\d+(?:\.\d+|/\d+)?)\)")


def named(name: str) -> NamedLaw:
    """A law of mean 0 and variance 1, by name.

    Parameters
    ----------
    name : "normal", "rademacher" (signs), "uniform" (between -sqrt(3) and sqrt(3)), "exponential" (of rate 1, minus
        1), "laplace", or "student(5)" with any number of degrees of freedom above 2, scaled to variance 1.

    Raises
    ------
    InputError : any other name.

    Examples
    --------
    >>> named("exponential").raw(3), named("student(5)").raw(4)
    (Fraction(2, 1), Fraction(9, 1))
    """
    if name in _NAMES:
        return NamedLaw(name, name)
    match = _STUDENT.fullmatch(name)
    if match and Fraction(match[1]) > 2:
        return NamedLaw(name, "student", Fraction(match[1]))
    raise InputError(
        f"law is {name!r}, expected a SciPy distribution, {', '.join(_NAMES)} or student(d) with d above 2"
    )


class SparseLaw(Law):
    """An entry that is zero but with probability ``density``, where it is that of another law over sqrt(density).

    The density may be a term in the scales; moments and cumulants are then Expansions.

    Examples
    --------
    >>> SparseLaw(named("rademacher"), Fraction(1, 4)).raw(4)
    Fraction(4, 1)
    """

    def __init__(self, base: Law, density: Any) -> None:
        super().__init__(f"sparse {base.name} of density {density}")
        self.base, self.density, self.symmetric = base, density, base.symmetric

    def raw(self, order: int) -> Any:
        moment = self.base.raw(order)
        if order == 0 or moment == 0:
            return moment
        if isinstance(self.density, Order | Scale | Term):
            from randtensor.expansions import Expansion

            return Expansion.of(Term(1, self.density) ** Fraction(2 - order, 2)) * moment
        root = Term(self.density) ** Fraction(2 - order, 2)
        return root.coefficient * moment

    def integral(self, function: Callable[[Array], Array]) -> float:
        if isinstance(self.density, Order | Scale | Term):
            raise ExactError(
                f"a function of the entries of {self.name} has moments that are no sums of powers, expected a "
                f"polynomial or a numerical density"
            )
        density = float(self.density)
        zero = float(function(np.zeros(1))[0])
        return density * self.base.integral(lambda x: function(x / density**0.5)) + (1 - density) * zero
