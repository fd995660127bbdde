"""Tensors of i.i.d. entries of any law, dense or sparse."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from randtensor.dimensions import evaluate_factor, factor_text, scale_names, scales_of, show
from randtensor.errors import ExactError, InputError
from randtensor.orders import Order, Scale, Term, log
from randtensor.quantity import Sizes
from randtensor.tensors.base import RandomTensor
from randtensor.tensors.growth import HALF, chevet_order, entries_order, factor_order, flat_order, nuclear_order

if TYPE_CHECKING:
    from randtensor.exact.diagrams.elements import Independent
    from randtensor.exact.diagrams.networks import Diagram
    from randtensor.exact.laws.law import Law

__all__ = ["IID", "Sparse", "iid", "sparse"]

Array = np.ndarray


class IID(RandomTensor):
    """I.i.d. entries of a law given by name, or of any law that SciPy can sample."""

    def __init__(self, distribution: Any, shape: Sequence[Any], owner: str = "iid") -> None:
        super().__init__(shape, owner)
        self.distribution = distribution
        if isinstance(distribution, str):
            from randtensor.exact.laws.law import named

            named(distribution)
        elif not any(callable(getattr(distribution, name, None)) for name in ("rvs", "sample")):
            raise InputError(
                f"law is {distribution!r}, expected a SciPy distribution such as scipy.stats.expon(loc=-1), "
                f"or the name of a law such as 'rademacher'"
            )

    @property
    def law_text(self) -> str:
        """The law, as it enters fingerprints and messages."""
        law = self.distribution
        if isinstance(law, str):
            return law
        name = getattr(getattr(law, "dist", None), "name", None) or str(law)
        return f"{name}{getattr(law, 'args', ())}{sorted(getattr(law, 'kwds', {}).items())}"

    @property
    def fingerprint(self) -> str:
        return f"iid:{self.law_text}{show(self.dimensions)}"

    @cached_property
    def law(self) -> Law:
        """The law of an entry, with its exact moments and cumulants."""
        return self._base_law()

    def _base_law(self) -> Law:
        from randtensor.exact.laws.law import named
        from randtensor.exact.laws.scipy_laws import scipy_law

        if isinstance(self.distribution, str):
            return named(self.distribution)
        return scipy_law(self.distribution, self.law_text)

    @cached_property
    def element(self) -> Independent:
        """The tensor as one random variable."""
        from randtensor.exact.diagrams import elements

        return elements.Independent(repr(self), self.dimensions, self.law)

    def diagram(self) -> Diagram:
        from randtensor.exact.diagrams.networks import single

        return single(self.element)

    def slice(self, indices: tuple[int, ...]) -> RandomTensor:
        return self

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        return self.draw_law((batch, *shape), generator)

    def draw_law(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent entries of the law."""
        law = self.distribution
        if isinstance(law, str):
            return _draw_named(law, shape, generator)
        if hasattr(law, "rvs"):
            return np.asarray(law.rvs(size=shape, random_state=generator), dtype=float)
        return np.asarray(law.sample(shape, rng=generator), dtype=float)

    @property
    def mean_order(self) -> Order:
        """One if the law has a mean, zero if it is centred."""
        mean = self.law.raw(1)
        return Order.one() if (isinstance(mean, Fraction) and mean) or abs(float(mean)) > 1e-12 else Order.zero()

    # Centred entries: E||A|| is at most a constant times sqrt(rows) + sqrt(columns) for finite fourth moments (Latala
    # 2005); with three indices and more, nets over unit vectors need sub-Gaussian tails (Tomioka & Suzuki 2014). A mean
    # adds a tensor of rank one.

    @property
    def frobenius_order(self) -> Order:
        self.law.raw(2)
        return entries_order(self.dimensions) ** HALF

    @property
    def injective_order(self) -> Order:
        if self.ndim < 3:
            return super().injective_order
        self._require_light_tails("injective norm")
        return chevet_order(self.dimensions) + self.mean_order * self.frobenius_order

    @property
    def nuclear_order(self) -> Order:
        if self.ndim == 2:
            self._require_fourth_moment("nuclear norm")
        elif self.ndim > 2:
            self._require_light_tails("nuclear norm")
        order = nuclear_order(self.dimensions)
        if order is None:
            raise self._unknown("nuclear norm")
        return order

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        self._require_fourth_moment(f"operator norm with rows {rows}")
        return flat_order(self.dimensions, rows, columns) + self.mean_order * self.frobenius_order

    def _require_fourth_moment(self, norm: str) -> None:
        try:
            self.law.raw(4)
        except ExactError as error:
            raise ExactError(f"no known {norm} of {self!r}: {error}") from error

    def _require_light_tails(self, norm: str) -> None:
        law = self.distribution
        if isinstance(law, str):
            light = law in ("normal", "rademacher", "uniform")
        else:
            light = hasattr(law, "support") and bool(np.isfinite(np.asarray(law.support(), dtype=float)).all())
        if not light:
            raise self._unknown(norm)

    def __repr__(self) -> str:
        return f"{self.family}({', '.join([self.law_text, *map(str, self.dimensions)])})"


class Sparse(IID):
    """I.i.d. entries that are zero but with a given probability."""

    def __init__(self, distribution: Any, shape: Sequence[Any], density: Any) -> None:
        super().__init__(distribution, shape, "sparse")
        self.density = _check_density(density)
        self.scale_names = scale_names((*self.dimensions, self.density))

    @property
    def fingerprint(self) -> str:
        return f"sparse:{self.law_text}{show(self.dimensions)}:{factor_text(self.density)}"

    @cached_property
    def law(self) -> Law:
        from randtensor.exact.laws.law import SparseLaw

        return SparseLaw(self._base_law(), self.density)

    def draw(self, shape: tuple[int, ...], batch: int, sizes: Sizes, generator: np.random.Generator) -> Array:
        density = evaluate_factor(self.density, sizes)
        if not 0 < density <= 1:
            at = ", ".join(f"{name} = {size}" for name, size in sizes.items())
            raise InputError(f"density is {density:g} at {at}, expected a probability above 0 and at most 1")
        kept = generator.random((batch, *shape)) < density
        return np.asarray(np.where(kept, self.draw_law((batch, *shape), generator) / np.sqrt(density), 0.0))

    @property
    def mean_order(self) -> Order:
        base = IID(self.distribution, self.dimensions).mean_order
        return base * factor_order(self.density) ** HALF

    # While every row and column keeps more entries than the logarithm of their number, their lengths concentrate, and
    # they bound the norm (Seginer 2000); tensors of higher order have logarithms that are not known to be sharp.

    @property
    def frobenius_order(self) -> Order:
        if not factor_order(self.density) * entries_order(self.dimensions) > 1 and scales_of(self.density):
            raise self._unknown("Frobenius norm")
        return super().frobenius_order

    def _flattening(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Order:
        if scales_of(self.density):
            kept = [
                factor_order(self.density) * entries_order(self.dimensions[a] for a in side) for side in (rows, columns)
            ]
            logarithms = [log(s) for s in {s.name: s for d in self.dimensions for s in scales_of(d)}.values()]
            if not all(count > logarithm for count in kept for logarithm in logarithms):
                raise self._unknown(f"operator norm with rows {rows}")
        return super()._flattening(rows, columns)

    def _require_fourth_moment(self, norm: str) -> None:
        IID(self.distribution, self.dimensions)._require_fourth_moment(norm)

    def _require_light_tails(self, norm: str) -> None:
        if scales_of(self.density):
            raise self._unknown(norm)
        super()._require_light_tails(norm)

    @property
    def nuclear_order(self) -> Order:
        if self.ndim == 2:
            self.flattening_order((0,))
        return super().nuclear_order

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, density={self.density})"


def iid(law: Any, *shape: Any) -> IID:
    """A tensor of i.i.d. entries of any law.

    Parameters
    ----------
    law : a name: "normal", "rademacher" (signs), "uniform" (between -sqrt(3) and sqrt(3)), "exponential" (of rate 1,
        minus 1), "laplace" or "student(5)", all of mean 0 and variance 1 with exact moments. Or a frozen SciPy
        distribution, one of SciPy's newer random-variable objects, or anything with ``rvs(size=..., random_state=...)``
        or ``sample(shape, rng=...)``; its text identifies the law.
    shape : sizes.

    Raises
    ------
    InputError : ``law`` is none of these.
    ShapeError : a bad size.

    Examples
    --------
    Skewed entries with mean 0 and variance 1:

    >>> import randtensor as rt
    >>> rt.iid("exponential", rt.Scale("n")).sample(3, size=2, rng=0).shape
    (2, 3)
    >>> from scipy.stats import expon
    >>> rt.iid(expon(loc=-1), rt.Scale("n")).sample(3, size=2, rng=0).shape
    (2, 3)
    """
    return IID(law, shape)


def sparse(law: Any, *shape: Any, density: Any) -> Sparse:
    """A tensor of i.i.d. entries that are zero but with probability ``density``, then of a law over sqrt(density).

    So the variance is that of the law, and the cumulant of order k grows as ``density**(1 - k/2)``.

    Parameters
    ----------
    law : as for ``iid``.
    shape : sizes.
    density : a number above 0 and at most 1, or an order or term in the scales such as ``n**-0.5``.

    Raises
    ------
    InputError : a bad law or density; when sampling, a density that is no probability at the given sizes.
    ShapeError : a bad size.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> sparse("rademacher", n, density=n**-0.5).law.raw(4).order
    Order('n^{1/2}')
    """
    return Sparse(law, shape, density)


def _draw_named(law: str, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    if law == "normal":
        return generator.standard_normal(shape)
    if law == "rademacher":
        return generator.integers(0, 2, size=shape, dtype=np.int8) * 2.0 - 1.0
    if law == "uniform":
        return generator.uniform(-(3.0**0.5), 3.0**0.5, size=shape)
    if law == "exponential":
        return generator.standard_exponential(shape) - 1.0
    if law == "laplace":
        return generator.laplace(scale=0.5**0.5, size=shape)
    degrees = float(Fraction(law.removeprefix("student(").removesuffix(")")))
    return np.asarray(generator.standard_t(degrees, size=shape) * ((degrees - 2) / degrees) ** 0.5)


def _check_density(density: Any) -> Any:
    if isinstance(density, Order | Scale | Term):
        factor = Term(1, density)
        if factor.coefficient <= 0 or not factor.order <= Order(1):
            raise InputError(f"density is {density}, expected an order that is positive and does not grow")
        return factor if scales_of(factor) else _check_density(factor.coefficient)
    if isinstance(density, bool) or not isinstance(density, int | float | Fraction | np.number) or not 0 < density <= 1:
        raise InputError(f"density is {density!r}, expected a number above 0 and at most 1, or an order in the scales")
    from randtensor.exact.rationals import exact_number

    return exact_number(density if isinstance(density, Fraction) else float(density))
