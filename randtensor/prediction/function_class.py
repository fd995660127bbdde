"""What the cluster rule has to know of a random function, read off its traced program.

The rule is a statement on networks in NTK parametrisation: centred independent parameters, pre-activations of order 1,
and a linear read-out of its own. Other parametrisations differ from it by powers of the width, one for every operand
and one for every contracted index, as long as pre-activations are of order 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, NoReturn

from randtensor.dimensions import scales_of
from randtensor.errors import ExactError
from randtensor.orders import Order
from randtensor.parametric import ParametricFunction
from randtensor.programs.graph import Graph, Node, Slot
from randtensor.random_function import RandomFunction
from randtensor.tensors import IID, Gaussian, RandomTensor, Sparse

__all__ = ["ActivationClass", "FunctionClass", "function_class", "growth"]

ActivationClass = Literal["linear", "piecewise linear", "smooth"]

#: A moment that laws with heavy tails do not have.
_LARGEST_MOMENT = 64

#: Where a law is compared with its mirror image, in standard deviations: no points at which discrete laws have weight.
_POINTS = (0.0837, 0.3119, 0.7721, 1.3733, 2.1127, 3.3391)


@dataclass(frozen=True)
class FunctionClass:
    """What the cluster rule has to know of a random function.

    Attributes
    ----------
    activation : "linear", "piecewise linear" (relu, leaky_relu, abs) or "smooth".
    widths : growth of the hidden dimensions; the constant order stands for one of fixed size.
    value : order of a typical value of the function, which every operand carries; 1 in NTK parametrisation.
    index : order that every contracted parameter index carries; 1 where weights have standard deviation 1.
    uniform : whether ``index`` is the same for all parameters, and not only the largest.
    symmetric : whether the law does not change when the sign of the read-out does.
    """

    activation: ActivationClass
    widths: frozenset[Order]
    value: Order
    index: Order
    uniform: bool
    symmetric: bool


def growth(factor: Any) -> Order:
    """The growth of a number, order, term or dimension; 1 for every number but 0."""
    if scales_of(factor):
        return Order(factor.order)
    return Order.one() if factor != 0 else Order.zero()


def function_class(function: ParametricFunction, shape: tuple[int, ...]) -> FunctionClass:
    """The class of a function on inputs of this shape.

    Raises
    ------
    ExactError : the cluster rule does not hold for the function; the message says why.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, activation="relu", parametrization="mean-field")
    >>> found = function_class(f, (2,))
    >>> found.activation, str(found.value), str(found.index)
    ('piecewise linear', 'n^{-1/2}', '1')
    """
    if not isinstance(function, RandomFunction):
        _refuse(function, "it is not a program that can be read")
    graph = function.graph(shape)
    tensors = {slot: function.space.tensors[slot[0]] for slot in graph.slots}
    for (name, _), tensor in tensors.items():
        if (reason := _unsuitable(tensor)) is not None:
            _refuse(function, f"the parameter {name!r} {reason}")
    readout = _readout(function, graph)
    skewed = [slot for slot, tensor in tensors.items() if isinstance(tensor, IID) and not _is_symmetric(tensor)]
    if any(slot not in readout for slot in skewed):
        _refuse(function, f"the parameter {skewed[0][0]!r} is skewed, and only a read-out may be")
    activations = [
        node.attribute
        for node, alive in zip(graph.nodes, graph.alive, strict=True)
        if alive and node.operation == "elementwise" and node.trainable
    ]
    kinds = {activation.smoothness for activation in activations}
    activation: ActivationClass = "linear"
    if kinds - {"linear"}:
        activation = "piecewise linear" if "piecewise-linear" in kinds else "smooth"
    homogeneous = kinds <= {"linear", "piecewise-linear"}
    value, widths = _Orders(function, graph, homogeneous).propagate()
    edges = {growth(_std(tensor)) ** -2 for tensor in tensors.values()}
    # An odd activation hands the sign of a read-out weight on to the symmetric weights of its unit.
    odd = function.architecture is not None and function.architecture.activation.odd
    return FunctionClass(
        activation, widths, value, reduce(lambda a, b: a + b, edges), len(edges) == 1, odd or not skewed
    )


def _unsuitable(tensor: RandomTensor) -> str | None:
    """Why entries of a parameter are not independent, centred and with all moments bounded, if so."""
    if isinstance(tensor, Gaussian):
        if tensor.covariance is not None or tensor.is_complex:
            return "has correlated or complex entries"
        return "is zero" if growth(tensor.std) == 0 else None
    if not isinstance(tensor, IID):
        return f"is {tensor!r}, and not Gaussian or i.i.d."
    if isinstance(tensor, Sparse) and scales_of(tensor.density):
        return f"has moments that grow, its density being {tensor.density}"
    if tensor.mean_order != 0:
        return "has entries that are not centred"
    if isinstance(tensor.distribution, str):
        try:
            tensor.law.raw(_LARGEST_MOMENT)
        except ExactError:
            return "has infinite moments"
    return None


def _is_symmetric(tensor: IID) -> bool:
    """Whether the law is that of its negative; SciPy laws are judged at a few points, and skewed if without a cdf."""
    law = tensor.distribution
    if isinstance(law, str):
        return tensor.law.symmetric
    if not hasattr(law, "cdf"):
        return False
    spread = float(law.std() if hasattr(law, "std") else law.standard_deviation())
    return all(abs(law.cdf(-p * spread) + law.cdf(p * spread) - 1) < 1e-9 for p in _POINTS)


def _std(tensor: RandomTensor) -> Any:
    return tensor.std if isinstance(tensor, Gaussian) else 1.0


def _refuse(function: ParametricFunction, reason: str) -> NoReturn:
    raise ExactError(
        f"function {function.name!r} is outside the cluster rule because {reason}: expected a network with centred "
        f"independent parameters, pre-activations of order 1 and a linear read-out of its own"
    )


def _readout(function: RandomFunction, graph: Graph) -> set[Slot]:
    """Parameters in which the output is linear and which occur nowhere else: they carry its sign."""
    uses: Counter[Slot] = Counter()
    for node, alive in zip(graph.nodes, graph.alive, strict=True):
        if alive and node.operation in ("parameter", "matvec"):
            uses[node.attribute if node.operation == "parameter" else node.attribute[0]] += 1
    found: Counter[Slot] = Counter()
    pending = [graph.output]
    while pending:
        node = graph.nodes[pending.pop()]
        if node.operation in ("scale", "add", "stack", "take"):
            pending += node.arguments
        elif node.operation == "matvec" and len(graph.nodes[node.arguments[0]].shape) == 1:
            found[node.attribute[0]] += 1
        elif node.operation == "dot":
            slots = [slot for i in node.arguments if (slot := _parameter(graph, i)) is not None]
            if len(slots) != 1:
                _refuse(function, "its output is not linear in a vector of read-out weights")
            found[slots[0]] += 1
        else:
            _refuse(function, f"its output is not linear in read-out weights: it ends in {_name(node)}")
    if any(uses[slot] > count for slot, count in found.items()):
        _refuse(function, "its read-out weights occur in a hidden layer too")
    return set(found)


def _parameter(graph: Graph, position: int) -> Slot | None:
    """The parameter that a node is a multiple of."""
    node = graph.nodes[position]
    while node.operation == "scale":
        node = graph.nodes[node.arguments[0]]
    return node.attribute if node.operation == "parameter" else None


def _name(node: Node) -> str:
    return f"the activation {node.attribute.name!r}" if node.operation == "elementwise" else f"a {node.operation}"


class _Orders:
    """The growth of typical entries along a program, by the central limit theorem, and the widths met on the way."""

    def __init__(self, function: RandomFunction, graph: Graph, homogeneous: bool) -> None:
        self.function, self.graph, self.homogeneous = function, graph, homogeneous
        self.widths: set[Order] = set()
        self.orders: list[Order] = []

    def propagate(self) -> tuple[Order, frozenset[Order]]:
        for position, node in enumerate(self.graph.nodes):
            self.orders.append(self._order(node) if self.graph.alive[position] else Order.one())
        return self.orders[self.graph.output], frozenset(self.widths or {Order.one()})

    def _order(self, node: Node) -> Order:
        arguments = [self.orders[i] for i in node.arguments]
        match node.operation:
            case "parameter":
                return self._scale_of(node.attribute)
            case "matvec":
                slot, _, factors = node.attribute
                terms = self._width(node.arguments[0]) ** 0.5
                return self._product([arguments[0], self._scale_of(slot), terms, *map(growth, factors)])
            case "dot":
                centred = any(_parameter(self.graph, i) is not None for i in node.arguments)
                terms = self._width(node.arguments[0])
                return self._product([*arguments, terms**0.5 if centred else terms])
            case "sum":
                return self._product([*arguments, *(growth(size) for size in self._shape(node.arguments[0]))])
            case "multiply":
                return self._product(arguments)
            case "scale":
                return self._product([*arguments, growth(node.attribute)])
            case "shift":
                return arguments[0] + growth(node.attribute)
            case "elementwise":
                if node.trainable and not self.homogeneous and arguments[0] != 1:
                    _refuse(self.function, f"the argument of {_name(node)} is of order {arguments[0]}, not 1")
                return arguments[0] if node.trainable else Order.one()
        return reduce(lambda a, b: a + b, arguments, Order.zero()) if arguments else Order.one()

    def _product(self, orders: Sequence[Order]) -> Order:
        return reduce(lambda a, b: a * b, orders, Order.one())

    def _scale_of(self, slot: Slot) -> Order:
        return growth(_std(self.function.space.tensors[slot[0]]))

    def _shape(self, position: int) -> tuple[Any, ...]:
        return self.graph.nodes[position].shape

    def _width(self, position: int) -> Order:
        """The number of terms of a product; it is a width unless they are the entries of the input."""
        size = growth(self._shape(position)[0])
        if self.graph.nodes[position].trainable:
            self.widths.add(size)
        return size
