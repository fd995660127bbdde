"""The hierarchy of kernels O_1 = f, O_2 = tangent kernel, O_3, ... that gradient flow couples, and their orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from string import ascii_letters
from typing import Any

from randtensor.contraction import einsum
from randtensor.derivative_contraction import DerivativeContraction
from randtensor.dimensions import check_count
from randtensor.errors import ExactError, InputError
from randtensor.orders import O, Order
from randtensor.prediction.cluster_graph import (
    cluster_graph,
    cluster_order,
    component_steps,
    kind_of_bound,
    scaling_steps,
    width_power,
)
from randtensor.prediction.derivation import Derivation, Step
from randtensor.prediction.function_class import function_class
from randtensor.quantity import Quantity
from randtensor.random_function import RandomFunction

__all__ = ["time_derivative_order", "tower", "tower_order"]

SOURCE = "Dyer & Gur-Ari, arXiv 1909.11304"

#: The number of trees, and the order of the derivatives to be taken, grow too fast beyond.
LARGEST = 10


@dataclass(frozen=True)
class _Tree:
    """A tree of derivatives of the function: inputs of the vertices, and edges, which are contracted indices."""

    inputs: tuple[int, ...]
    edges: tuple[tuple[int, int], ...] = ()

    def attached(self, vertex: int, point: int) -> _Tree:
        """The tree with a further vertex, a gradient at input ``point``, joined to ``vertex``."""
        return _Tree((*self.inputs, point), (*self.edges, (vertex, len(self.inputs))))

    def canonical(self) -> Any:
        """Equal for trees that differ by the numbering of their vertices only."""
        neighbours: dict[int, list[int]] = {v: [] for v in range(len(self.inputs))}
        for a, b in self.edges:
            neighbours[a].append(b)
            neighbours[b].append(a)

        def rooted(vertex: int, parent: int) -> Any:
            children = sorted(rooted(child, vertex) for child in neighbours[vertex] if child != parent)
            return (self.inputs[vertex], tuple(children))

        return min(rooted(root, -1) for root in neighbours)

    def contraction(self, function: RandomFunction, points: Sequence[Any]) -> DerivativeContraction:
        terms = [
            "".join(ascii_letters[k] for k, edge in enumerate(self.edges) if v in edge) for v in range(len(self.inputs))
        ]
        operands = [function.derivative(points[p], len(term)) for p, term in zip(self.inputs, terms, strict=True)]
        result: DerivativeContraction = einsum(",".join(terms) + "->", *operands)
        return result


def tower(function: RandomFunction, x: Any, s: int, *, several: bool = False) -> Quantity:
    """The kernel O_s of the hierarchy O_1 = f, O_{k+1} = grad O_k . grad f.

    O_2 is the tangent kernel, O_3 = 2 gHg and O_4 = 2 T3ggg + 4 gHHg at a single input, with g, H, T3 the first three
    derivatives of f. Under gradient flow on a quadratic loss, dO_s/dt = -sum O_{s+1} (f - y) over the training inputs
    (Huang & Yau, arXiv 1909.08156).

    Parameters
    ----------
    function : with scalar output.
    x : the input; with ``several=True``, a sequence of s inputs x_1, .., x_s, where O_1 = f(x_1) and
        O_{k+1} = grad O_k . grad f(x_{k+1}).
    s : at least 1.
    several : whether ``x`` holds several inputs.

    Returns
    -------
    A quantity: the sum over all trees that the product rule makes, each with its multiplicity.

    Raises
    ------
    InputError : s is larger than 10, the function has a vector output, or the number of inputs is not s.
    ShapeError : s is not a positive integer.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"))
    >>> tower(f, [1.0, 1.0], 4).sample(256, size=3, rng=0).shape
    (3,)
    """
    if check_count("s", s) > LARGEST:
        raise InputError(f"s is {s}, expected at most {LARGEST}")
    points = list(x) if several else [x]
    if several and len(points) != s:
        raise InputError(f"x holds {len(points)} inputs, expected s = {s}")
    if any(function.derivative(point, 0).outputs is not None for point in points):
        raise InputError(f"function {function.name!r} has a vector output, expected a scalar one")
    sums = [tree.contraction(function, points) * count for tree, count in _trees(s, several)]
    total: Quantity = reduce(lambda a, b: a + b, sums[1:], sums[0])
    return total


def _trees(s: int, several: bool) -> list[tuple[_Tree, int]]:
    """The trees of O_s with their multiplicities: a gradient attaches to each operand in turn."""
    representatives = {(): _Tree((0,))}
    counts: Counter[Any] = Counter({(): 1})
    for step in range(1, s):
        new: Counter[Any] = Counter()
        found: dict[Any, _Tree] = {}
        for key, count in counts.items():
            for vertex in range(step):
                tree = representatives[key].attached(vertex, step if several else 0)
                name = tree.canonical()
                found.setdefault(name, tree)
                new[name] += count
        representatives, counts = found, new
    return [(representatives[key], count) for key, count in counts.items()]


def tower_order(s: int, width: Order) -> Derivation:
    """The predicted size of O_s at initialisation: width^(1 - s/2) for even s, width^((1 - s)/2) for odd s.

    All trees of O_s have s connected operands. For even s this bounds the mean; for odd s the mean is zero if the
    read-out is symmetric, and this is the typical size.

    Parameters
    ----------
    s : at least 1.
    width : of a network in NTK parametrisation.

    Raises
    ------
    ShapeError : s is not a positive integer.

    Examples
    --------
    >>> import randtensor as rt
    >>> [str(tower_order(s, rt.Scale("n")).order) for s in (1, 2, 3, 4, 5)]
    ['1', '1', 'n^{-1}', 'n^{-1}', 'n^{-2}']
    """
    constant = Fraction(1, 2) if check_count("s", s) % 2 else Fraction(1)
    order = width ** (constant - Fraction(s, 2))
    rule = f"one {'odd' if s % 2 else 'even'} component: {constant} - {s}/2"
    return Derivation(O(order), "conjecture", (Step(f"O_{s}", rule, order, SOURCE),))


def time_derivative_order(contraction: DerivativeContraction, k: int) -> Derivation:
    """The predicted order of the k-th time derivative of the mean of a correlation, at the start of gradient flow.

    For a quadratic loss every d/dt attaches a gradient to one operand and multiplies by f - y, which is an isolated
    operand or a constant. Attached to an odd component, the gradient leaves the exponent as it is; attached to an even
    one, it lowers it by one. So the exponent never grows, and it falls by one where all components are even: the
    tangent kernel moves at the rate 1/n.

    Parameters
    ----------
    contraction : of functions in NTK parametrisation with symmetric read-outs, contracted completely.
    k : number of time derivatives; 0 is the mean itself.

    Raises
    ------
    InputError : k is not a non-negative integer.
    EquationError : free parameter indices.
    ExactError : another parametrisation, where the learning rate would have to depend on the width too.

    Examples
    --------
    >>> import randtensor as rt
    >>> g = rt.networks.mlp(inputs=2, width=rt.Scale("n"), hidden_layers=2).derivative([1.0, 1.0])
    >>> print(time_derivative_order(rt.einsum("a,a->", g, g), 1))
    O(n^{-1}), conjecture
      g g   even component: 1 - 2/2                             1       Dyer & Gur-Ari, arXiv 1909.11304
      d/dt  the first gradient makes an even component odd: -1  n^{-1}  Dyer & Gur-Ari, arXiv 1909.11304
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 0:
        raise InputError(f"k is {k!r}, expected a non-negative integer")
    if k == 0:
        return cluster_order(contraction)
    graph = cluster_graph(contraction)
    found = [function_class(t.function, t.x.shape) for t in contraction.tensors]
    for t, c in zip(contraction.tensors, found, strict=True):
        if c.value != 1 or c.index != 1 or not c.symmetric:
            raise ExactError(
                f"function {t.function.name!r} has values of order {c.value}, weights of variance {c.index**-1} and a "
                f"{'symmetric' if c.symmetric else 'skewed'} read-out, expected NTK parametrisation and a symmetric one"
            )
    steps = component_steps(graph, found, "rms", symmetric=True)
    if graph.odd:
        rule, change = "gradients attach to odd components, or to the isolated ones of f - y: 0", 0
    else:
        rule, change = "the first gradient makes an even component odd: -1", -1
    steps.append(Step("d/dt" if k == 1 else f"d^{k}/dt^{k}", rule, width_power(found, change), SOURCE))
    steps += scaling_steps(contraction, found, 1)
    order = reduce(lambda a, b: a * b, (step.order for step in steps))
    return Derivation(O(order), kind_of_bound(contraction, found), tuple(steps))
