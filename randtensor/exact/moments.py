"""Exact moments and cumulants of quantities, at every finite size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, product
from math import ceil, factorial, prod
from typing import Any

from randtensor.dimensions import evaluate_shape
from randtensor.errors import ExactError, InputError
from randtensor.exact.diagrams.averages import Averages
from randtensor.exact.diagrams.elements import CONJUGATE, Gaussian, Haar, Spherical
from randtensor.exact.diagrams.networks import Network
from randtensor.exact.formal import Polynomial, plus, times
from randtensor.exact.partitions import Counts, splits
from randtensor.exact.structure import Summand, summands
from randtensor.expansions import Expansion
from randtensor.orders import Scale, Term
from randtensor.quantity import Quantity, resolve_sizes

__all__ = ["cumulant", "expectation", "joint_cumulant", "second_moment", "variance"]


def expectation(quantity: Quantity, n: Any = None) -> Any:
    """The exact mean; see `Quantity.expectation`.

    >>> import randtensor as rt
    >>> G = rt.gaussian(rt.Scale("n"), rt.Scale("n"))
    >>> print(expectation(rt.einsum("ab,cb,cd,ad->", G, G, G, G)))
    2 n^3 + n^2
    """
    return _Cumulants([quantity], n).of((1,))


def variance(quantity: Quantity, n: Any = None) -> Any:
    """The exact variance; see `Quantity.variance`.

    >>> import randtensor as rt
    >>> T = rt.gaussian(*[rt.Scale("n")] * 3)
    >>> print(variance(rt.einsum("abc,ade,fbe,fdc->", T, T, T, T)))
    4 n^6 + 72 n^5 + 12 n^4 + 8 n^3
    """
    quantities, counts = _absolute_square(quantity)
    return _Cumulants(quantities, n).of(counts)


def cumulant(quantity: Quantity, k: int, n: Any = None) -> Any:
    """The exact cumulant of order k; see `Quantity.cumulant`.

    >>> import randtensor as rt
    >>> g = rt.gaussian(rt.Scale("n"))
    >>> print(cumulant(rt.einsum("a,a->", g, g), 3))
    8 n
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k is {k!r}, expected the order of a cumulant as a positive integer")
    return _Cumulants([quantity], n).of((k,))


def second_moment(quantity: Quantity, n: Any = None) -> Any:
    """The exact mean of |X|^2; arguments, result and errors as for `Quantity.expectation`.

    >>> import randtensor as rt
    >>> print(second_moment(rt.einsum("aa->", rt.haar(rt.Scale("n"), "unitary"))))
    1
    """
    quantities, counts = _absolute_square(quantity)
    return _Cumulants(quantities, n).moment(counts)


def _absolute_square(quantity: Quantity) -> tuple[list[Quantity], Counts]:
    """What |X|^2 is the product of, and how often each of them is taken."""
    return ([quantity, quantity.conj()], (1, 1)) if quantity.is_complex else ([quantity], (2,))


def joint_cumulant(*quantities: Quantity, n: Any = None) -> Any:
    """The exact joint cumulant of several quantities; of two of them, the covariance.

    Parameters
    ----------
    quantities : scalar quantities, without conjugation.
    n : as for `Quantity.expectation`, which see for what is returned and raised.

    Raises
    ------
    InputError : no quantity is given.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> G = rt.goe(n)
    >>> second, fourth = rt.einsum("ab,ba->", G, G), rt.einsum("ab,bc,cd,da->", G, G, G, G)
    >>> print(joint_cumulant(second, fourth))
    16 n^3 + 40 n^2 + 40 n
    """
    if not quantities:
        raise InputError("quantities is empty, expected at least one quantity")
    distinct = list(dict.fromkeys(quantities))
    return _Cumulants(distinct, n).of(tuple(quantities.count(q) for q in distinct))


class _Cumulants:
    """Joint cumulants of quantities, as expansions, or as numbers at given sizes."""

    def __init__(self, quantities: Sequence[Quantity], n: Any) -> None:
        self.summands = [summands(quantity) for quantity in quantities]
        names = tuple(sorted({name for quantity in quantities for name in quantity.scale_names}))
        self.sizes = None if n is None else resolve_sizes(names, n)
        nodes = [node for parts in self.summands for part in parts for node in part.network.nodes]
        self.averages = Averages({node.element for node in nodes if node.mark not in (None, CONJUGATE)})
        self.symbols = self.averages.symbols
        self._moments: dict[Counts, Polynomial] = {}
        self._cumulants: dict[Counts, Polynomial] = {}
        self._valid: dict[str, int] = {}

    def of(self, counts: Counts) -> Any:
        """The cumulant in which each quantity is taken as often as ``counts`` says."""
        if sum(counts) > 1 and self._by_units:
            return self._of_units(counts)
        return self._value(self._cumulant(counts))

    def moment(self, counts: Counts) -> Any:
        """The moment in which each quantity is taken as often as ``counts`` says."""
        return self._value(self._moment(counts))

    def _value(self, polynomial: Polynomial) -> Any:
        value = self.symbols.value(polynomial, self.sizes)
        return value if self.sizes is not None else value.valid(**self._valid)

    def _cumulant(self, counts: Counts) -> Polynomial:
        """kappa(S) = m(S) - sum of kappa(B) m(S - B) over the proper parts B that hold a chosen element of S."""
        if counts not in self._cumulants:
            total = self._moment(counts)
            for ways, part, rest in splits(counts):
                if any(rest):
                    total = plus(total, times(self._cumulant(part), self._moment(rest)), -ways)
            self._cumulants[counts] = total
        return self._cumulants[counts]

    def _moment(self, counts: Counts) -> Polynomial:
        if counts not in self._moments:
            total: Polynomial = {}
            for ways, parts in self._products(counts):
                total = plus(total, self._product(parts), ways)
            self._moments[counts] = total
        return self._moments[counts]

    def _products(self, counts: Counts) -> Iterator[tuple[int, list[Summand]]]:
        """The product of the quantities, multiplied out: in how many ways each product of summands arises, and it."""
        choices = [list(_multisets(len(p), count)) for p, count in zip(self.summands, counts, strict=True)]
        for chosen in product(*choices):
            parts = [own[index] for own, (indices, _) in zip(self.summands, chosen, strict=True) for index in indices]
            yield prod(ways for _, ways in chosen), parts

    def _product(self, parts: Sequence[Summand]) -> Polynomial:
        """The mean of a product of summands, their coefficients as symbols of their own unless they are rational."""
        result: Polynomial = {0: Fraction(1)}
        for part in parts:
            coefficient = part.network.coefficient
            if coefficient == 0:
                return {}
            number = None if coefficient.scale_names else coefficient.exact({})
            if isinstance(number, Fraction):
                result = times(result, {0: number})
            else:
                result = times(result, {self.symbols.monomial("value", coefficient): 1})
        whole = parts[0]
        for part in parts[1:]:
            whole = whole * part
        result = times(result, self._average(whole.network))
        if whole.derivatives is not None and result:
            mean = derivative_expectation(whole.derivatives)
            result = times(result, {self.symbols.monomial("value", mean): 1} if mean != 0 else {})
        return result

    def _average(self, network: Network) -> Polynomial:
        if not network.nodes and not network.labels:
            return {0: 1}
        polynomial = self.symbols.with_weingarten(self.averages.average(network))
        for element, count in Counter(node.element for node in network.nodes).items():
            if isinstance(element, Gaussian) and element.normalization != 1:
                polynomial = times(polynomial, {0: Fraction(1, element.normalization ** (count // 2))})
            elif isinstance(element, Spherical):
                # A Gaussian tensor is an independent length times a uniform direction.
                polynomial = times(polynomial, {self.symbols.monomial("sphere", (element, count)): 1})
        self._restrict(network)
        return polynomial

    def _restrict(self, network: Network) -> None:
        """Where formulas for Haar matrices hold: from the degree on; special groups, above it."""
        counts = Counter((node.element, node.mark) for node in network.nodes if isinstance(node.element, Haar))
        for element in {element for element, _ in counts}:
            plain, conjugate = counts[element, None], counts[element, CONJUGATE]
            least = max(plain, conjugate) if element.is_complex else plain // 2
            unbalanced = abs(plain - conjugate) if element.is_complex else plain
            if element.special and unbalanced:
                least = max(least, unbalanced + 1)
            size = element.dimensions[0]
            if isinstance(size, Term) and self.sizes is None:
                for scale in size.scales:
                    self._valid[scale.name] = max(self._valid.get(scale.name, 1), _smallest(size, scale, least))
            elif element.special and unbalanced:
                given = evaluate_shape([size], self.sizes or {})[0]
                if given <= unbalanced:
                    raise ExactError(
                        f"{element!r} of size {given} occurs {unbalanced} times, "
                        f"expected a size above that: the determinant enters below"
                    )

    @property
    def _by_units(self) -> bool:
        """Whether all that is random is a network with one hidden layer, whose joint cumulants are known as such."""
        parts = [part for own in self.summands for part in own]
        contractions = [part.derivatives for part in parts if part.derivatives is not None]
        architectures = [t.function.architecture for c in contractions for t in c.tensors]
        return (
            bool(contractions)
            and not any(part.network.nodes or part.network.labels for part in parts)
            and all(a is not None and len(a.widths) == 1 for a in architectures)
        )

    def _of_units(self, counts: Counts) -> Any:
        """Multilinear in the summands; constants count in the mean only."""
        from randtensor.exact.derivatives.neurons import neuron_cumulant

        total = Expansion.of(0)
        for ways, parts in self._products(counts):
            contractions = [part.derivatives for part in parts if part.derivatives is not None]
            if len(contractions) < len(parts):
                continue
            value = neuron_cumulant(*contractions) * ways
            for part in parts:
                value = value * part.network.coefficient
            total = total + value
        return total if self.sizes is None else total.exact({name: self.sizes[name] for name in total.scale_names})


def derivative_expectation(contraction: Any) -> Expansion:
    """The exact mean of a contraction of derivative tensors of a network.

    Raises
    ------
    ExactError : the network is outside every rule.
    """
    from randtensor.exact.derivatives.neurons import neuron_expectation
    from randtensor.exact.derivatives.transfer import transfer_expectation

    architecture = contraction.tensors[0].function.architecture
    if architecture is None:
        name = contraction.tensors[0].function.name
        raise ExactError(
            f"the function {name!r} is not a fully connected network of rt.networks, "
            f"expected one for an exact expectation of its derivatives"
        )
    if len(architecture.widths) > 1:
        return transfer_expectation(contraction)
    try:
        return neuron_expectation(contraction)
    except ExactError:
        # One hidden layer of a homogeneous activation has two rules: the other may reach further.
        if architecture.activation.smoothness == "smooth":
            raise
        return transfer_expectation(contraction)


def _smallest(size: Term, scale: Scale, least: int) -> int:
    """The smallest value of a scale at which the dimension is at least ``least``, whatever the other scales are."""
    power = float(size.order.exponents(scale).power)
    return max(1, ceil(float((least / float(size.coefficient)) ** (1 / power)) - 1e-9))


def _multisets(kinds: int, count: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Sorted tuples of ``count`` indices, with the number of orders in which each occurs."""
    for chosen in combinations_with_replacement(range(kinds), count):
        orders = factorial(count)
        for repeats in Counter(chosen).values():
            orders //= factorial(repeats)
        yield chosen, orders
