"""Exact moments and cumulants of quantities, at every finite size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations_with_replacement
from math import ceil, comb, factorial
from typing import Any

from randtensor.dimensions import Dimension, check_count, evaluate_shape
from randtensor.errors import ExactError
from randtensor.exact.diagrams.averages import Averages, Polynomial
from randtensor.exact.diagrams.elements import CONJUGATE, Gaussian, Haar, Spherical
from randtensor.exact.diagrams.networks import Label, Network
from randtensor.exact.haar.weingarten import weingarten
from randtensor.exact.structure import Summand, summands
from randtensor.expansions import Expansion
from randtensor.orders import Scale, Term
from randtensor.quantity import Quantity, Sizes, resolve_sizes

__all__ = ["cumulant", "expectation", "variance"]


def expectation(quantity: Quantity, n: Any = None) -> Any:
    """The exact mean; see `Quantity.expectation`.

    >>> import randtensor as rt
    >>> G = rt.gaussian(rt.Scale("n"), rt.Scale("n"))
    >>> print(expectation(rt.einsum("ab,cb,cd,ad->", G, G, G, G)))
    2 n^3 + n^2
    """
    return _Moments(quantity, n).moment(1)


def variance(quantity: Quantity, n: Any = None) -> Any:
    """The exact variance; see `Quantity.variance`.

    >>> import randtensor as rt
    >>> T = rt.gaussian(*[rt.Scale("n")] * 3)
    >>> print(variance(rt.einsum("abc,ade,fbe,fdc->", T, T, T, T)))
    4 n^6 + 72 n^5 + 12 n^4 + 8 n^3
    """
    return cumulant(quantity, 2, n)


def cumulant(quantity: Quantity, k: int, n: Any = None) -> Any:
    """The exact cumulant of order k; see `Quantity.cumulant`.

    >>> import randtensor as rt
    >>> g = rt.gaussian(rt.Scale("n"))
    >>> print(cumulant(rt.einsum("a,a->", g, g), 3))
    8 n
    """
    check_count("k", k)
    moments = _Moments(quantity, n)
    if moments.by_units:
        return moments.cumulant_by_units(k)
    raw = [moments.moment(j) for j in range(k + 1)]
    # kappa_k = m_k - sum_j C(k-1, j-1) kappa_j m_(k-j)
    found: list[Any] = [0]
    for order in range(1, k + 1):
        value = raw[order]
        for j in range(1, order):
            value = value - found[j] * raw[order - j] * comb(order - 1, j - 1)
        found.append(value)
    return found[k]


class _Moments:
    """Moments of one quantity, as expansions, or as numbers at given sizes."""

    def __init__(self, quantity: Quantity, n: Any) -> None:
        self.summands = summands(quantity)
        self.sizes: Sizes | None = None if n is None else resolve_sizes(quantity.scale_names, n)
        self.averages = Averages()

    def moment(self, k: int) -> Any:
        one: Any = Expansion.of(1) if self.sizes is None else Fraction(1)
        if k == 0:
            return one
        total = one * 0
        for chosen, multiplicity in _multisets(len(self.summands), k):
            product = self.summands[chosen[0]]
            for index in chosen[1:]:
                product = product * self.summands[index]
            total = total + self._mean(product) * multiplicity
        return total

    @property
    def by_units(self) -> bool:
        """Whether all that is random is a network with one hidden layer.

        Its joint cumulants are known as such: moments have float coefficients, which would not cancel to the last bit
        and leave a leading term that is not there.
        """
        contractions = [s.derivatives for s in self.summands if s.derivatives is not None]
        architectures = [t.function.architecture for c in contractions for t in c.tensors]
        return (
            bool(contractions)
            and not any(s.network.nodes or s.network.labels for s in self.summands)
            and all(a is not None and len(a.widths) == 1 for a in architectures)
        )

    def cumulant_by_units(self, k: int) -> Any:
        """The cumulant of order k, multilinear in the summands; constants count in the mean only."""
        from randtensor.exact.derivatives.neurons import neuron_cumulant

        total = self._at(Expansion.of(0))
        for chosen, multiplicity in _multisets(len(self.summands), k):
            parts = [self.summands[index] for index in chosen]
            contractions = [s.derivatives for s in parts if s.derivatives is not None]
            if len(contractions) < len(parts) and len(parts) > 1:
                continue
            value = self._at(neuron_cumulant(*contractions) if contractions else Expansion.of(1))
            for part in parts:
                value = value * self._at(part.network.coefficient)
            total = total + value * multiplicity
        return total

    def _mean(self, summand: Summand) -> Any:
        network = summand.network
        value = self._at(network.coefficient) * self._average(network)
        if summand.derivatives is not None and value != 0:
            value = value * self._at(derivative_expectation(summand.derivatives))
        return value

    def _at(self, value: Any) -> Any:
        if self.sizes is None:
            return value
        return Expansion.of(value).exact({name: self.sizes[name] for name in Expansion.of(value).scale_names})

    def _average(self, network: Network) -> Any:
        if not network.nodes and not network.labels:
            return self._at(Expansion.of(1))
        polynomial = self.averages.average(network)
        value = self._value(polynomial)
        for element, count in Counter(node.element for node in network.nodes).items():
            if isinstance(element, Gaussian) and element.normalization != 1:
                value = value * Fraction(1, element.normalization ** (count // 2))
            elif isinstance(element, Spherical):
                # A Gaussian tensor is an independent length times a uniform direction.
                size = self._at(Expansion.of(1))
                for dimension in element.dimensions:
                    size = size * self._dimension(dimension)
                for j in range(count // 2):
                    value = value / (size + 2 * j)
        return self._check_haar(network, value)

    def _value(self, polynomial: Polynomial) -> Any:
        """Put in what the symbols stand for; terms with one Weingarten function are added first."""
        powers: dict[tuple[int, int], Any] = {}
        parts: dict[tuple[tuple[int, int], ...], Any] = {}
        for exponents, coefficient in self.averages.monomials(polynomial):
            cycles = tuple((s, e) for s, e in exponents.items() if self._is_cycle(s))
            value: Any = self._at(Expansion.of(coefficient))
            for symbol, exponent in exponents.items():
                if not self._is_cycle(symbol):
                    if (symbol, exponent) not in powers:
                        powers[symbol, exponent] = self._meaning(symbol) ** exponent
                    value = value * powers[symbol, exponent]
            parts[cycles] = parts[cycles] + value if cycles in parts else value
        total = self._at(Expansion.of(0))
        for cycles, value in parts.items():
            types: dict[Haar, list[int]] = {}
            for symbol, exponent in cycles:
                element, length = self.averages.symbols[symbol]
                types.setdefault(element, []).extend([length] * exponent)
            for element, lengths in types.items():
                value = value * self._weingarten(element, tuple(sorted(lengths, reverse=True)))
            total = total + value
        return total

    def _is_cycle(self, symbol: int) -> bool:
        meaning = self.averages.symbols[symbol]
        return isinstance(meaning, tuple) and isinstance(meaning[0], Haar)

    def _meaning(self, symbol: int) -> Any:
        meaning = self.averages.symbols[symbol]
        if isinstance(meaning, Label):
            return self._dimension(meaning.dimension)
        if isinstance(meaning, float):
            return meaning
        element, marks = meaning
        return self._at(element.cumulant(marks))

    def _dimension(self, dimension: Dimension) -> Any:
        if self.sizes is None:
            return Expansion.of(dimension)
        return Fraction(evaluate_shape([dimension], self.sizes)[0])

    def _weingarten(self, element: Haar, kind: tuple[int, ...]) -> Any:
        function = weingarten(element.group, sum(kind))
        (size, _) = element.dimensions
        if self.sizes is not None or isinstance(size, int):
            value = function.value(kind, int(evaluate_shape([size], self.sizes or {})[0]))
            return self._at(Expansion.of(value))
        return function.expansion(kind, Expansion.of(size))

    def _check_haar(self, network: Network, value: Any) -> Any:
        """Where formulas for Haar matrices hold: from the degree on; special groups, above it."""
        counts = Counter((node.element, node.mark) for node in network.nodes if isinstance(node.element, Haar))
        for element in {element for element, _ in counts}:
            plain, conjugate = counts[element, None], counts[element, CONJUGATE]
            least = max(plain, conjugate) if element.is_complex else plain // 2
            if element.special:
                unbalanced = abs(plain - conjugate) if element.is_complex else plain
                least = max(least, unbalanced + 1) if unbalanced else least
            size = element.dimensions[0]
            if element.special and (self.sizes is not None or isinstance(size, int)):
                given = evaluate_shape([size], self.sizes or {})[0]
                if unbalanced and given <= unbalanced:
                    raise ExactError(
                        f"{element!r} of size {given} occurs {unbalanced} times unpaired, "
                        f"expected a size above that: the determinant enters below"
                    )
            elif self.sizes is None and isinstance(size, Term) and value != 0:
                value = value.valid(**{scale.name: _smallest(size, scale, least) for scale in size.scales})
        return value


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
