"""Orders of correlations of derivative tensors from their cluster graph (Dyer & Gur-Ari, arXiv 1909.11304).

The operands are the vertices of the graph, and operands that share a contracted parameter index are joined. The
exponent of the correlation is a sum over connected components: docs/predicted_orders.md states the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import combinations

from randtensor.derivative_contraction import DerivativeContraction
from randtensor.dimensions import scales_of
from randtensor.errors import EquationError, ExactError, InputError
from randtensor.orders import Bound, Order
from randtensor.planning import Label, components
from randtensor.prediction.derivation import Derivation, DerivationKind, Step
from randtensor.prediction.function_class import FunctionClass, function_class, growth

__all__ = ["ClusterGraph", "cluster_graph", "cluster_order"]

STATISTICS = ("mean", "rms", "std", "variance")

SOURCE = "Dyer & Gur-Ari, arXiv 1909.11304"
PARITY = "parity of the read-out"


@dataclass(frozen=True)
class ClusterGraph:
    """The operands of a contraction, joined where they share a contracted parameter index.

    Attributes
    ----------
    names : of the operands: f, g, H, T3, ... by order of derivative.
    edges : pairs of operands with a common index, each once; an index that occurs twice in one operand is none.
    components : operands of each connected component.
    """

    names: tuple[str, ...]
    edges: frozenset[tuple[int, int]]
    components: tuple[tuple[int, ...], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of operands of the components."""
        return tuple(len(component) for component in self.components)

    @property
    def even(self) -> int:
        """Number of components with an even number of operands, n_e."""
        return sum(size % 2 == 0 for size in self.sizes)

    @property
    def odd(self) -> int:
        """Number of components with an odd number of operands, n_o."""
        return len(self.sizes) - self.even

    @property
    def exponent(self) -> Fraction:
        """s_C = n_e + n_o / 2 - m / 2, with m operands."""
        return self.even + Fraction(self.odd - len(self.names), 2)

    def exponents(self, statistic: str, symmetric: bool = True) -> Iterator[tuple[str, str, Fraction]]:
        """What each component contributes to the exponent of the mean or of the rms: name, rule, exponent.

        With a symmetric read-out every component of odd size has mean zero and has to pair with another. With a skewed
        one, only single operands do, and the mean joins the last one of an odd number to some other component.
        """
        singles = [component for component in self.components if len(component) == 1]
        for component in self.components:
            size = len(component)
            if not symmetric and statistic == "mean" and len(singles) % 2 and component == singles[-1]:
                constant, rule = Fraction(0), "single operand without partner"
            elif size % 2 == 0:
                constant, rule = Fraction(1), "even component"
            elif symmetric or size == 1:
                constant, rule = Fraction(1, 2), "odd component"
            else:
                constant, rule = Fraction(1), "odd component with a mean"
            yield (
                " ".join(self.names[i] for i in component),
                f"{rule}: {constant} - {size}/2",
                constant - Fraction(size, 2),
            )


def cluster_graph(contraction: DerivativeContraction) -> ClusterGraph:
    """The cluster graph of a contraction of derivative tensors.

    Raises
    ------
    EquationError : the contraction has free parameter indices.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"))
    >>> x = [1.0, 1.0]
    >>> c = rt.einsum("ab,a,b,->", f.derivative(x, order=2), f.derivative(x), f.derivative(x), f(x))
    >>> graph = cluster_graph(c)
    >>> graph.components, graph.exponent
    (((0, 1, 2), (3,)), Fraction(-1, 1))
    """
    if not isinstance(contraction, DerivativeContraction):
        raise InputError(f"contraction is {contraction!r}, expected a contraction of derivative tensors")
    if contraction.free:
        raise EquationError(
            f"contraction has {len(contraction.free)} free parameter indices, so it is not a number: "
            f"expected one that is contracted completely"
        )
    terms = parameter_terms(contraction)
    edges = {(i, j) for i, j in combinations(range(len(terms)), 2) if set(terms[i]) & set(terms[j])}
    orders = [t.derivative_order for t in contraction.tensors]
    names = tuple({0: "f", 1: "g", 2: "H"}.get(order, f"T{order}") for order in orders)
    return ClusterGraph(names, frozenset(edges), tuple(sorted(tuple(sorted(c)) for c in components(terms))))


def parameter_terms(contraction: DerivativeContraction) -> list[tuple[Label, ...]]:
    """The labels of the parameter indices of every operand."""
    pairs = zip(contraction.tensors, contraction.terms, strict=True)
    return [term[len(term) - t.derivative_order :] for t, term in pairs]


def cluster_order(contraction: DerivativeContraction, statistic: str = "mean") -> Derivation:
    """The predicted order of a correlation of derivative tensors at initialisation.

    1. Every component of the cluster graph with c operands contributes the exponent 1 - c/2 if c is even and 1/2 - c/2
       if it is odd: the exponent s_C of Dyer & Gur-Ari (arXiv 1909.11304). It bounds the mean, and by doubling the
       graph also the root mean square. The variance has one power of the width less than the squared rms when all
       components are even, since disconnected diagrams cancel.
    2. With a symmetric read-out, the mean of an odd number of operands is exactly zero. With a skewed read-out and an
       activation that is not odd, components of two or more operands have a mean, and contribute 1 - c/2.
    3. For linear networks, and for relu, leaky_relu and abs at a single input, the true exponent is that of the exact
       expectation: a longest path over pairings.
    4. Coefficients multiply; so do powers of the width for parametrisations other than NTK.

    The bound is proven for networks with one hidden layer, where operands are sums over independent units, and for
    linear ones; it is conjectured for others, among them convolutional (arXiv 2008.08675) and residual networks.

    Parameters
    ----------
    contraction : contracted completely; an array over output indices is bounded entry by entry.
    statistic : "mean", "rms", "std" or "variance".

    Raises
    ------
    InputError : another statistic, or not a contraction of derivative tensors.
    EquationError : free parameter indices.
    ExactError : a random function that the rule does not apply to.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.mlp(inputs=2, width=rt.Scale("n"), hidden_layers=2)
    >>> H, g = f.derivative([1.0, 1.0], order=2), f.derivative([1.0, 1.0])
    >>> print(cluster_order(rt.einsum("ab,a,b->", H, g, g), "rms"))
    O(n^{-1}), conjecture
      H g g  odd component: 1/2 - 3/2  n^{-1}  Dyer & Gur-Ari, arXiv 1909.11304
    """
    if statistic not in STATISTICS:
        raise InputError(f"statistic is {statistic!r}, expected one of {', '.join(map(repr, STATISTICS))}")
    graph = cluster_graph(contraction)
    found = [function_class(t.function, t.x.shape) for t in contraction.tensors]
    operands = len(graph.names)
    symmetric = all(c.symmetric for c in found)
    # A single operand is linear in the read-out, which is centred.
    if statistic == "mean" and (operands == 1 or (operands % 2 and symmetric)):
        step = Step(" ".join(graph.names), f"odd in the read-out: {operands} operands", Order.zero(), PARITY)
        return Derivation(Bound("Theta", Order.zero()), "exact", (step,))
    steps = component_steps(graph, found, statistic, symmetric)
    steps += scaling_steps(contraction, found, 2 if statistic == "variance" else 1)
    bound = Derivation(Bound("O", _product(s.order for s in steps)), kind_of_bound(contraction, found), tuple(steps))
    exact = _exact(contraction, statistic)
    # A variance whose leading term may cancel is only bounded: by whichever is smaller.
    return bound if exact is None or (exact.kind != "exact" and bound.order <= exact.order) else exact


def component_steps(graph: ClusterGraph, found: list[FunctionClass], statistic: str, symmetric: bool) -> list[Step]:
    """One step per component of the cluster graph, and one for what cancels in the variance."""
    power = 2 if statistic == "variance" else 1
    source = SOURCE if symmetric else PARITY
    steps = []
    for name, rule, exponent in graph.exponents("mean" if statistic == "mean" else "rms", symmetric):
        rule = f"twice ({rule})" if power == 2 else rule
        steps.append(Step(name, rule, width_power(found, power * exponent), source))
    fluctuating = graph.odd if symmetric else sum(size == 1 for size in graph.sizes)
    if statistic in ("std", "variance") and not fluctuating:
        rule = "every component has a mean: disconnected diagrams cancel"
        steps.append(Step(statistic, rule, width_power(found, Fraction(-power, 2)), PARITY))
    return steps


def width_power(found: list[FunctionClass], exponent: Fraction | int) -> Order:
    """n^exponent; of several widths the smallest one counts, exponents being negative or zero."""
    total = Order.zero()
    for width in {width for c in found for width in c.widths}:
        total = total + width**exponent
    return total


def scaling_steps(contraction: DerivativeContraction, found: list[FunctionClass], power: int) -> list[Step]:
    """What makes the contraction larger or smaller than in NTK parametrisation, and the factor in front."""
    steps = []
    value = _product(c.value for c in found)
    if value != 1:
        rule = "size of the function, once per operand" + ", squared" * (power == 2)
        steps.append(Step(f"{len(found)} operands", rule, value**power, "parametrisation"))
    largest = Order.zero()
    for c in found:
        largest = largest + c.index
    indices = len({label for term in parameter_terms(contraction) for label in term})
    if largest != 1 and indices:
        most = "" if all(c.uniform for c in found) else "at most "
        rule = f"{most}{largest} for each index, one over the variance of a weight" + ", squared" * (power == 2)
        steps.append(Step(f"{indices} indices", rule, largest ** (power * indices), "parametrisation"))
    coefficient = _coefficient(contraction)
    if coefficient != 1:
        steps.append(Step("coefficient", "as given" + ", squared" * (power == 2), coefficient**power, "definition"))
    return steps


def _coefficient(contraction: DerivativeContraction) -> Order:
    return _product(growth(factor) for factor in contraction.coefficient)


def _product(orders: Iterable[Order]) -> Order:
    return reduce(lambda a, b: a * b, orders, Order.one())


def kind_of_bound(contraction: DerivativeContraction, found: list[FunctionClass]) -> DerivationKind:
    """The bound is proven for one hidden layer, where operands are sums over units, and for linear networks."""
    for t, c in zip(contraction.tensors, found, strict=True):
        architecture = t.function.architecture
        if architecture is None or (c.activation != "linear" and len(architecture.widths) > 1):
            return "conjecture"
    return "upper bound"


def _exact(contraction: DerivativeContraction, statistic: str) -> Derivation | None:
    """The order from the exact expectation; None where no such rule covers the network."""
    from randtensor.exact.derivatives.transfer import transfer_exponent

    plain = _without_coefficient(contraction)
    power = {"mean": Fraction(1), "variance": Fraction(1)}.get(statistic, Fraction(1, 2))
    kind: DerivationKind = "exact"
    try:
        exponent = mean = transfer_exponent(plain)
        if statistic != "mean":
            exponent = transfer_exponent(_doubled(plain))
            if statistic != "rms" and exponent is not None and mean is not None and 2 * mean >= exponent:
                kind = "upper bound"
    except ExactError:
        return None
    names = " ".join(cluster_graph(contraction).names)
    source = "Wick's theorem, one pairing per layer"
    if exponent is None:
        step = Step(names, "no assignment of indices to layers", Order.zero(), source)
        return Derivation(Bound("Theta", Order.zero()), kind, (step,))
    architecture = contraction.tensors[0].function.architecture
    assert architecture is not None, "the exact rule holds for fully connected networks only"
    scale = next((scale for width in architecture.widths for scale in scales_of(width)), Order.one())
    squared = "" if statistic == "mean" else ", of the square"
    steps = [Step(names, f"longest path over pairings{squared}: {exponent}", scale ** (power * exponent), source)]
    coefficient = _coefficient(contraction)
    if coefficient != 1:
        steps.append(
            Step("coefficient", "as given", coefficient ** (2 if statistic == "variance" else 1), "definition")
        )
    order = _product(step.order for step in steps)
    return Derivation(Bound("Theta" if kind == "exact" else "O", order), kind, tuple(steps))


def _without_coefficient(contraction: DerivativeContraction) -> DerivativeContraction:
    """The contraction without the factor in front."""
    return DerivativeContraction(contraction.tensors, contraction.terms, contraction.output)


def _doubled(contraction: DerivativeContraction) -> DerivativeContraction:
    """The square of a scalar contraction, as a contraction."""
    terms = [tuple((copy, label) for label in term) for copy in (0, 1) for term in contraction.terms]
    return DerivativeContraction(contraction.tensors * 2, terms, contraction.output)
