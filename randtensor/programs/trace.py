"""Tracing: running a plain Python forward function once, on symbols, to obtain its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from randtensor.dimensions import Dimension, Factor, check_factor, reciprocal, same_dimension, show
from randtensor.errors import InputError, ShapeError
from randtensor.orders import Order, Scale, Term
from randtensor.programs.activations import Activation, get_activation
from randtensor.programs.graph import Graph, Slot

__all__ = ["Expression", "Symbol", "trace"]


class Expression:
    """Arithmetic shared by values and parameters of a program: + - * / **, and @ as inner product."""

    __array_ufunc__ = None  # numpy arrays on the left defer to the reflected operators below
    _graph: Graph

    def _value(self) -> Symbol:
        raise TypeError("an expression has a value only as a Symbol or a parameter")

    def _coerce(self, other: Any) -> Symbol | Factor:
        """``other`` as a value of this program, or as a factor known at every size."""
        if isinstance(other, Expression):
            return other._value()
        if isinstance(other, int | float | np.number | Order | Scale | Term):
            return check_factor(other)
        try:
            array = np.asarray(other, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError(f"a constant is {other!r}, expected numbers") from error
        if array.ndim == 0:
            return check_factor(array)
        if not np.isfinite(array).all():
            bad = np.count_nonzero(~np.isfinite(array))
            raise InputError(f"a constant has {bad} NaN or infinite entries, expected finite numbers")
        return Symbol(self._graph, self._graph.append("constant", (), array.shape, array))

    def __add__(self, other: Any) -> Symbol:
        value, right = self._value(), self._coerce(other)
        if not isinstance(right, Symbol):
            return value._node("shift", (), value.shape, right)
        return value._node("add", (right,), value._joint_shape(right))

    def __mul__(self, other: Any) -> Symbol:
        value, right = self._value(), self._coerce(other)
        if not isinstance(right, Symbol):
            return value._node("scale", (), value.shape, right)
        return value._node("multiply", (right,), value._joint_shape(right))

    def __radd__(self, other: Any) -> Symbol:
        return self.__add__(other)

    def __rmul__(self, other: Any) -> Symbol:
        return self.__mul__(other)

    def __neg__(self) -> Symbol:
        return self.__mul__(-1.0)

    def __sub__(self, other: Any) -> Symbol:
        right = self._coerce(other)
        return self.__add__(-right if isinstance(right, Symbol) else right * -1)

    def __rsub__(self, other: Any) -> Symbol:
        return self.__neg__().__add__(other)

    def __truediv__(self, other: Any) -> Symbol:
        right = self._coerce(other)
        if isinstance(right, Symbol):
            return self.__mul__(right.elementwise("reciprocal"))
        return self.__mul__(reciprocal(right))

    def __rtruediv__(self, other: Any) -> Symbol:
        return self._value().elementwise("reciprocal").__mul__(other)

    def __pow__(self, power: Any) -> Symbol:
        if not isinstance(power, int | float) or isinstance(power, bool):
            raise ShapeError(f"the power is {power!r}, expected a number")
        return self._value().elementwise("square" if power == 2 else f"power({float(power)!r})")

    def __matmul__(self, other: Any) -> Symbol:
        if isinstance(other, ParameterSymbol) and len(other.shape) == 2:
            return other.T.__matmul__(self)
        value, right = self._value(), self._coerce(other)
        shape = right.shape if isinstance(right, Symbol) else ()
        if not isinstance(right, Symbol) or len(value.shape) != 1 or len(shape) != 1:
            raise ShapeError(f"@ between shapes {show(value.shape)} and {show(shape)}: expected two vectors")
        value._joint_shape(right)
        return value._node("dot", (right,), ())

    def __rmatmul__(self, other: Any) -> Symbol:
        return self.__matmul__(other)

    def __bool__(self) -> bool:
        raise ShapeError("a program cannot branch on a random value, expected entrywise functions such as rt.relu")

    def __lt__(self, other: Any) -> bool:
        return bool(self)

    __gt__ = __le__ = __ge__ = __lt__

    def elementwise(self, activation: str | Activation) -> Symbol:
        """An activation applied to every entry."""
        value = self._value()
        return value._node("elementwise", (), value.shape, get_activation(activation))

    def sum(self) -> Symbol:
        """The sum of all entries."""
        value = self._value()
        return value._node("sum", (), ()) if value.shape else value

    def mean(self) -> Symbol:
        """The mean of all entries."""
        total = self.sum()
        for dimension in self._value().shape:
            total = total / dimension
        return total


class Symbol(Expression):
    """A value inside a program."""

    def __init__(self, graph: Graph, position: int) -> None:
        self._graph, self._position = graph, position

    def _value(self) -> Symbol:
        return self

    @property
    def shape(self) -> tuple[Dimension, ...]:
        """Symbolic dimensions of the value."""
        return self._graph.nodes[self._position].shape

    def __len__(self) -> int:
        if not self.shape or not isinstance(self.shape[0], int):
            raise ShapeError(f"a value of shape {show(self.shape)} was indexed: only a first axis of fixed size can be")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Symbol:
        size = len(self)
        try:
            picked = np.arange(size)[index]
        except IndexError as error:
            raise ShapeError(f"index {index!r} does not fit a first axis of size {size}") from error
        return self._node("take", (), (*np.shape(picked), *self.shape[1:]), np.asarray(picked))

    def __iter__(self) -> Iterator[Symbol]:
        return (self[i] for i in range(len(self)))

    def _node(
        self, operation: str, others: tuple[Symbol, ...], shape: tuple[Any, ...], attribute: Any = None
    ) -> Symbol:
        positions = (self._position, *(other._position for other in others))
        return Symbol(self._graph, self._graph.append(operation, positions, shape, attribute))

    def _joint_shape(self, other: Symbol) -> tuple[Dimension, ...]:
        if not self.shape or not other.shape:
            return self.shape or other.shape
        if len(self.shape) != len(other.shape) or not all(map(same_dimension, self.shape, other.shape)):
            raise ShapeError(f"values of shapes {show(self.shape)} and {show(other.shape)} do not fit together")
        return self.shape


class ParameterSymbol(Expression):
    """A parameter inside a program: a vector to compute with, a matrix to multiply by, or a stack of either to
    index."""

    def __init__(self, graph: Graph, slot: Slot, shape: tuple[Dimension, ...], transposed: bool = False) -> None:
        self._graph, self._slot, self._shape, self._transposed = graph, slot, shape, transposed

    def _value(self) -> Symbol:
        if len(self._shape) > 1:
            raise ShapeError(
                f"parameter {self._slot[0]!r} of shape {show(self.shape)} was used as a value: a matrix can only be "
                f"multiplied by a vector (W @ h, W.T @ h, h @ W), and a stack of arrays must be indexed first"
            )
        self._graph.arrays[self._slot] = self._shape
        return Symbol(self._graph, self._graph.append("parameter", (), self._shape, self._slot))

    @property
    def shape(self) -> tuple[Dimension, ...]:
        """Symbolic dimensions of the parameter."""
        return self._shape[::-1] if self._transposed else self._shape

    @property
    def T(self) -> ParameterSymbol:
        """The transposed matrix."""
        if len(self._shape) != 2:
            raise ShapeError(
                f"parameter {self._slot[0]!r} of shape {show(self._shape)} was transposed, expected a matrix"
            )
        return ParameterSymbol(self._graph, self._slot, self._shape, not self._transposed)

    def __len__(self) -> int:
        if not self._shape or not isinstance(self._shape[0], int):
            raise ShapeError(
                f"parameter {self._slot[0]!r} of shape {show(self._shape)} was indexed: "
                f"only a first axis of fixed size can be"
            )
        return self._shape[0]

    def __getitem__(self, index: Any) -> ParameterSymbol:
        if isinstance(index, tuple):
            return self[index[0]][index[1:]] if index else self
        size = len(self)
        if not isinstance(index, int | np.integer) or not -size <= index < size or self._transposed:
            raise ShapeError(f"index {index!r} of parameter {self._slot[0]!r}: expected an integer below {size}")
        name, indices = self._slot
        return ParameterSymbol(self._graph, (name, (*indices, int(index) % size)), self._shape[1:])

    def __iter__(self) -> Iterator[ParameterSymbol]:
        return (self[i] for i in range(len(self)))

    def __matmul__(self, other: Any) -> Symbol:
        if len(self._shape) != 2:
            return super().__matmul__(other)
        vector = self._coerce(other)
        if (
            not isinstance(vector, Symbol)
            or len(vector.shape) != 1
            or not same_dimension(vector.shape[0], self.shape[1])
        ):
            found = show(vector.shape) if isinstance(vector, Symbol) else "()"
            raise ShapeError(
                f"{self._slot[0]} @ h with shapes {show(self.shape)} and {found}: "
                f"expected a vector of length {self.shape[1]}"
            )
        self._graph.matrices[self._slot] = self._shape
        return vector._node("matvec", (), (self.shape[0],), (self._slot, self._transposed, ()))

    def __rmatmul__(self, other: Any) -> Symbol:
        return self.T.__matmul__(other) if len(self._shape) == 2 else super().__rmatmul__(other)


class Parameters:
    """What a program receives as its first argument: its parameters by name."""

    def __init__(self, graph: Graph, shapes: Mapping[str, tuple[Dimension, ...]]) -> None:
        self._graph, self._shapes = graph, dict(shapes)

    def __getattr__(self, name: str) -> ParameterSymbol:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> ParameterSymbol:
        if name not in self._shapes:
            raise ShapeError(f"parameter {name!r} is not one of this program's: {', '.join(self._shapes)}")
        return ParameterSymbol(self._graph, (name, ()), self._shapes[name])


def trace(
    function: Callable[[Any, Any], Any],
    shapes: Mapping[str, tuple[Dimension, ...]],
    input_shape: tuple[int, ...],
) -> Graph:
    """The graph of ``function(p, x)`` for inputs of one shape.

    Raises
    ------
    ShapeError : shapes that do not fit, a matrix used as a value, a parameter used both whole and by slices, or a
    result
        that is not a scalar or a vector of fixed length.
    """
    graph = Graph(input_shape)
    x = Symbol(graph, graph.append("input", (), input_shape))
    result = function(Parameters(graph, shapes), x)
    symbol = _as_output(graph, result)
    if len(symbol.shape) > 1 or not all(isinstance(d, int) for d in symbol.shape):
        raise ShapeError(
            f"the program returned shape {show(symbol.shape)}, expected a scalar or a vector of fixed length"
        )
    graph.output = symbol._position
    for name in shapes:
        depths = {len(indices) for slot_name, indices in graph.slots if slot_name == name}
        kinds = {slot in graph.matrices for slot in graph.slots if slot[0] == name}
        if len(depths) > 1 or len(kinds) > 1:
            raise ShapeError(f"parameter {name!r} is used both whole and by slices, expected one or the other")
    graph.simplify()
    return graph


def _as_output(graph: Graph, result: Any) -> Symbol:
    if isinstance(result, list | tuple):
        parts = [_as_output(graph, part) for part in result]
        if not parts or any(part.shape for part in parts):
            raise ShapeError("the program returned a list, expected its entries to be scalars")
        return parts[0]._node("stack", tuple(parts[1:]), (len(parts),))
    if isinstance(result, ParameterSymbol):
        return result._value()
    if not isinstance(result, Symbol):
        raise ShapeError(f"the program returned {type(result).__name__}, expected a value computed from p and x")
    return result
