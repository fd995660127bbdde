"""Functions of several quantities, sampled jointly."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from randtensor.arguments import as_array
from randtensor.coincidences import coincidences
from randtensor.dimensions import check_factor, evaluate_factor, factor_text, reciprocal, scale_names
from randtensor.errors import InputError, ShapeError
from randtensor.quantity import Draw, Quantity

__all__ = ["Combination", "Custom", "combine", "quantity"]

Array = np.ndarray


class Combination(Quantity):
    """A function of quantities that share their randomness; made by arithmetic on quantities or ``rt.combine``."""

    def __init__(self, function: Callable[..., Array], name: str, operands: Sequence[Quantity], linear: bool) -> None:
        self.function, self.name, self.operands = function, name, tuple(operands)
        probed = [operand for operand in operands if operand.probes > 1]
        if probed and not linear:
            raise InputError(
                f"{name} is not linear and an operand is only estimated, with {probed[0].probes} probes: "
                f"expected exact operands (probes=0)"
            )
        if len({operand.probes for operand in probed}) > 1:
            raise InputError(
                f"the operands of {name} are estimated with {' and '.join(str(o.probes) for o in probed)} probes, "
                f"expected one number of probes"
            )
        self.probes = max((operand.probes for operand in operands), default=1)
        self.scale_names = tuple(sorted({scale for operand in operands for scale in operand.scale_names}))
        shapes = [operand.shape for operand in operands]
        try:
            self.shape = np.broadcast_shapes(*shapes)
        except ValueError as error:
            raise ShapeError(
                f"the operands of {name} have shapes {' and '.join(map(str, shapes))}, expected ones that broadcast"
            ) from error

    @property
    def is_complex(self) -> bool:
        # A function of complex quantities may well be real, as the absolute value is: only arithmetic is known.
        return self.function in _OPERATIONS.values() and any(operand.is_complex for operand in self.operands)

    def conj(self) -> Quantity:
        if not self.is_complex:
            return self
        operands = [operand.conj() for operand in self.operands]
        return Combination(self.function, self.name, operands, linear=self.name in "+-")

    def describe(self) -> str:
        parts = [operand.describe() for operand in self.operands]
        if self.function in _OPERATIONS.values():
            return f"({f' {self.name} '.join(parts)})"
        return f"{self.name}({', '.join(parts)})"

    @property
    def fingerprint(self) -> str:
        return f"{self.name}({', '.join(o.fingerprint for o in self.operands)}){coincidences(self.operands)}"

    def occurrences(self) -> tuple[object, ...]:
        return tuple(leaf for operand in self.operands for leaf in operand.occurrences())

    def block_length(self, sizes: Any) -> int:
        return min(operand.block_length(sizes) for operand in self.operands)

    def evaluate(self, draw: Draw) -> Array:
        values = [operand.evaluate(draw) for operand in self.operands]
        if self.probes > 1:
            values = [v if o.probes > 1 else v[..., None] for v, o in zip(values, self.operands, strict=True)]
        # Samples run along the first axis: shapes of different length are aligned behind it, as within one sample.
        rank = max(v.ndim for v in values)
        values = [v.reshape(len(v), *[1] * (rank - v.ndim), *v.shape[1:]) for v in values]
        return as_array(self.function(*values))


def combine(function: Callable[..., Array], *operands: Quantity, name: str | None = None) -> Combination:
    """A function of several quantities on the same draw of all random objects.

    Parameters
    ----------
    function : maps arrays of shape (batch, *shape), one per operand, to one array of such a shape; like NumPy's
        broadcasting, shapes of fewer axes than the longest one get axes of length 1 in front, behind the batch axis.
    operands : quantities without free parameter indices.
    name : identifies the function; random streams are keyed by it.

    Examples
    --------
    >>> import numpy as np, randtensor as rt
    >>> g = rt.gaussian(rt.Scale("n"))
    >>> square = rt.einsum("a,a->", g, g)
    >>> length = rt.combine(np.sqrt, square)
    >>> bool(99 < length.sample(10**4, rng=0)[0] < 101)
    True
    """
    for number, operand in enumerate(operands):
        if not isinstance(operand, Quantity):
            raise InputError(f"operand {number} is {operand!r}, expected a quantity")
    return Combination(function, name or str(getattr(function, "__qualname__", "function")), operands, linear=False)


_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def arithmetic(symbol: str, left: Any, right: Any) -> Combination:
    """``left symbol right`` where at least one side is a quantity and the other may be a number, order or term."""
    operands = [side for side in (left, right) if isinstance(side, Quantity)]
    operation = _OPERATIONS[symbol]
    if len(operands) == 2:
        return Combination(operation, symbol, operands, linear=symbol in "+-")
    factor = check_factor(right if isinstance(left, Quantity) else left)
    if symbol == "/" and isinstance(left, Quantity):
        reciprocal(factor)  # refuses zero
    return NumberCombination(symbol, operands[0], factor, reflected=not isinstance(left, Quantity))


class NumberCombination(Combination):
    """A quantity and a number that may depend on the scales."""

    def __init__(self, symbol: str, operand: Quantity, factor: Any, reflected: bool) -> None:
        super().__init__(_OPERATIONS[symbol], symbol, [operand], linear=symbol != "/" or not reflected)
        self.factor, self.reflected = factor, reflected
        self.scale_names = tuple(sorted({*self.scale_names, *scale_names([factor])}))

    def conj(self) -> Quantity:
        if not self.is_complex:
            return self
        return NumberCombination(self.name, self.operands[0].conj(), self.factor, self.reflected)

    def describe(self) -> str:
        sides = [self.operands[0].describe(), str(self.factor)]
        return f"({f' {self.name} '.join(reversed(sides) if self.reflected else sides)})"

    @property
    def fingerprint(self) -> str:
        sides = [self.operands[0].fingerprint, factor_text(self.factor)]
        return f"({self.name.join(reversed(sides) if self.reflected else sides)})"

    def evaluate(self, draw: Draw) -> Array:
        value, factor = self.operands[0].evaluate(draw), evaluate_factor(self.factor, draw.sizes)
        return as_array(self.function(factor, value) if self.reflected else self.function(value, factor))


class Custom(Quantity):
    """A quantity given by a sampling function; made by ``rt.quantity``."""

    def __init__(
        self,
        function: Callable[..., Any],
        scales: tuple[str, ...],
        shape: tuple[int, ...],
        name: str,
        batch: int | None,
    ) -> None:
        self.function, self.scale_names, self.shape, self.name, self.batch = function, scales, shape, name, batch

    @property
    def fingerprint(self) -> str:
        return f"custom:{self.name}:{self.shape}"

    def block_length(self, sizes: Any) -> int:
        return super().block_length(sizes) if self.batch is None else self.batch

    def evaluate(self, draw: Draw) -> Array:
        sizes = [draw.sizes[scale] for scale in self.scale_names]
        values: Array = draw.remember(
            self, lambda: np.asarray(self.function(*sizes, draw.batch, draw.generator), dtype=float)
        )
        if values.shape != (draw.batch, *self.shape):
            raise InputError(
                f"{self.name} returned shape {values.shape} for {draw.batch} samples, "
                f"expected {(draw.batch, *self.shape)}"
            )
        return values


def quantity(
    *scales: Any, shape: tuple[int, ...] = (), name: str | None = None, batch: int | None = None
) -> Callable[[Callable[..., Any]], Custom]:
    """Turn a sampling function into a quantity, for laws the library has no family for.

    Parameters
    ----------
    scales : the scales the law depends on.
    shape : shape of one sample.
    name : identifies the quantity; random streams are keyed by it.
    batch : samples per call; fewer at larger sizes if not given.

    Raises
    ------
    InputError : ``batch`` or an entry of ``shape`` is not a positive integer.

    Returns
    -------
    A decorator for functions ``(size of each scale, batch, generator) -> array of shape (batch, *shape)``.

    Examples
    --------
    >>> import randtensor as rt
    >>> @rt.quantity(rt.Scale("n"))
    ... def heavy(n, batch, rng):
    ...     return n ** abs(rng.standard_normal(batch))
    >>> heavy.sample(100, size=2, rng=0).shape
    (2,)
    """
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise InputError(f"batch is {batch!r}, expected a positive number of samples per call")
    if not isinstance(shape, tuple) or not all(isinstance(size, int | np.integer) and size > 0 for size in shape):
        raise InputError(f"shape is {shape!r}, expected a tuple of positive integers, the same at all sizes")

    def decorate(function: Callable[..., Any]) -> Custom:
        names = tuple(str(getattr(scale, "name", scale)) for scale in scales)
        return Custom(function, names, shape, name or str(getattr(function, "__qualname__", "quantity")), batch)

    return decorate
