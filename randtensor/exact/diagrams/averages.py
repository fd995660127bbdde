"""Exact averages of networks of elementary random tensors, at every finite size.

One recursion covers all classes. A step removes or joins a few nodes, identifies the labels on their slots, and a label
that no node carries any more is summed freely: it contributes its dimension.

- Gaussian tensors are removed in pairs, slot by slot along the permutations of their class (Wick's theorem).
- I.i.d. tensors are removed in blocks of any size, with a joint cumulant of the law.
- Haar matrices are joined in pairs, which identifies their row labels and leaves a chain with two column labels; chains
  are joined to longer ones or closed to cycles, which identifies column labels. The lengths of the cycles of one matrix
  are the type of a Weingarten function: both matchings of the Weingarten formula are built one pair at a time.
- Fixed tensors stay, and are contracted when nothing else is left.

Networks that differ by names of labels and by the order of nodes are one state, evaluated once. Everything that the law
puts in (dimensions, cumulants, Weingarten functions, numbers) is a formal symbol: the recursion itself adds integers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations
from math import prod
from typing import Any, NamedTuple

from randtensor.errors import ExactError
from randtensor.exact.diagrams.canonical import CanonicalForms, Component, PackedNode, State
from randtensor.exact.diagrams.elements import CONJUGATE, Element, Fixed, Gaussian, Haar, Independent, Mark
from randtensor.exact.diagrams.networks import Network

__all__ = ["Averages", "Polynomial"]

#: Coefficients by monomial; a monomial packs the exponents of the symbols, ``BITS`` bits each.
Polynomial = dict[int, int]

BITS = 20

#: Reductions after which an average is given up: about ten seconds.
LARGEST_WORK = 150_000

_PAIRS, _BLOCKS, _ROWS, _CHAINS, _NUMBERS = range(5)


class _Kind(NamedTuple):
    """What nodes have in common: the rule, the element, what is done to its entries, the kind it is paired with."""

    rule: int
    element: Element
    mark: Mark
    partner: int
    symmetric: bool
    length: int = 0


class Averages:
    """Averages of networks over shared random elements, as polynomials in formal symbols.

    Attributes
    ----------
    symbols : what the symbols stand for: a ``Label`` for its dimension, ``(element, marks)`` for a joint cumulant,
        ``(element, length)`` for a cycle of a Haar matrix, a float for a number.
    """

    def __init__(self, largest_work: int = LARGEST_WORK) -> None:
        self.symbols: list[Any] = []
        self._numbers: dict[Hashable, int] = {}
        self._kinds: list[_Kind] = []
        self._kind_numbers: dict[Hashable, int] = {}
        self._memo: dict[State, Polynomial] = {(): {0: 1}}
        self._forms = CanonicalForms(self._is_symmetric)
        self._by_cumulants: set[Element] = set()
        self._work, self._largest_work = 0, largest_work

    @property
    def states(self) -> int:
        """Number of distinct networks met."""
        return len(self._memo)

    def average(self, network: Network) -> Polynomial:
        """The average of a network without free labels, up to its coefficient and to normalisations.

        Symmetric Gaussian tensors are taken as sums over permutations, not means, and spherical tensors as Gaussian
        ones: both are factors that depend on the number of tensors only.

        Raises
        ------
        ExactError : no rule covers the network, or it is too large.
        """
        for node in network.nodes:
            if isinstance(node.element, Independent) or node.mark not in (None, CONJUGATE):
                self._by_cumulants.add(node.element)
        ranges = [self.symbol(label) for label in network.labels]
        nodes = [(self._kind(node.element, node.mark), *node.labels) for node in network.nodes]
        used = {label for node in nodes for label in node[1:]}
        free = sum(1 << BITS * symbol for label, symbol in enumerate(ranges) if label not in used)
        self._described = network
        state = self._forms.state(nodes, ranges)
        return {key + free: value for key, value in self._evaluate(state).items()}

    def symbol(self, meaning: Any, key: Hashable = None) -> int:
        """The number of a symbol."""
        key = meaning if key is None else key
        if key not in self._numbers:
            self._numbers[key] = len(self.symbols)
            self.symbols.append(meaning)
        return self._numbers[key]

    def monomials(self, polynomial: Polynomial) -> Iterator[tuple[dict[int, int], int]]:
        """Exponents by symbol, and coefficients."""
        mask = (1 << BITS) - 1
        for packed, coefficient in polynomial.items():
            exponents, symbol = {}, 0
            while packed:
                if packed & mask:
                    exponents[symbol] = packed & mask
                packed >>= BITS
                symbol += 1
            yield exponents, coefficient

    def _is_symmetric(self, kind: int) -> bool:
        return self._kinds[kind].symmetric

    # Kinds

    def _kind(self, element: Element, mark: Mark) -> int:
        if mark == CONJUGATE and not element.is_complex:
            mark = None
        if isinstance(element, Fixed):
            return self._add_kind(_NUMBERS, element, mark)
        if element in self._by_cumulants:
            return self._add_kind(_BLOCKS, element, mark)
        rule = _ROWS if isinstance(element, Haar) else _PAIRS
        symmetric = isinstance(element, Gaussian) and len(element.permutations) == _factorial(len(element.dimensions))
        kind = self._add_kind(rule, element, mark, symmetric)
        if element.is_complex and not element.is_hermitian:
            partner = self._add_kind(rule, element, None if mark == CONJUGATE else CONJUGATE, symmetric)
            self._kinds[kind] = self._kinds[kind]._replace(partner=partner)
            self._kinds[partner] = self._kinds[partner]._replace(partner=kind)
        return kind

    def _add_kind(self, rule: int, element: Element, mark: Mark, symmetric: bool = False, length: int = 0) -> int:
        key = (rule, element, mark, length)
        if key not in self._kind_numbers:
            number = self._kind_numbers[key] = len(self._kinds)
            self._kinds.append(_Kind(rule, element, mark, number, symmetric, length))
        return self._kind_numbers[key]

    # The recursion

    def _evaluate(self, state: State) -> Polynomial:
        known = self._memo.get(state)
        if known is not None:
            return known
        groups = self._groups(state)
        if len(groups) == 1:
            result = self._expand(state)
        else:
            result = {0: 1}
            for group in groups:
                result = _product(result, self._evaluate(group))
        self._memo[state] = result
        return result

    def _groups(self, state: State) -> list[State]:
        """Components that share random elements belong together; the average factors over the groups."""
        groups: list[tuple[set[int], list[Component]]] = []
        for component in state:
            elements = {
                id(kind.element) for kind in (self._kinds[node[0]] for node in component[0]) if kind.rule != _NUMBERS
            }
            members = [component]
            rest = []
            for others, theirs in groups:
                if others & elements:
                    elements, members = elements | others, theirs + members
                else:
                    rest.append((others, theirs))
            groups = [*rest, (elements, members)]
        return [tuple(sorted(members)) for _, members in groups]

    def _expand(self, state: State) -> Polynomial:
        nodes: list[PackedNode] = []
        ranges: list[int] = []
        for component, own in state:
            shift = len(ranges)
            nodes += [(node[0], *[label + shift for label in node[1:]]) for node in component]
            ranges += own
        first = min(range(len(nodes)), key=lambda k: self._kinds[nodes[k][0]].rule)
        kind = self._kinds[nodes[first][0]]
        if kind.rule == _NUMBERS:
            return {1 << BITS * self._number(state, nodes): 1}
        rules = (self._pairs, self._blocks, self._rows, self._chains)
        total: Polynomial = {}
        for removed, added, unions, weight in rules[kind.rule](nodes, first, kind):
            reduced = self._reduce(nodes, ranges, removed, added, unions)
            if reduced is None:
                continue
            closed, rest = reduced
            for key, value in self._evaluate(rest).items():
                monomial = key + closed + weight
                total[monomial] = total.get(monomial, 0) + value
        return total

    def _reduce(
        self,
        nodes: Sequence[PackedNode],
        ranges: Sequence[int],
        removed: tuple[int, ...],
        added: Sequence[PackedNode],
        unions: Sequence[tuple[int, int]],
    ) -> tuple[int, State] | None:
        """Remove and add nodes and identify labels: the closed labels as a monomial, and the rest; None for zero."""
        self._spend()
        parent: dict[int, int] = {}
        touched: dict[int, int] = {}

        def root(label: int) -> int:
            while label in parent:
                label = parent[label]
            return label

        for a, b in unions:
            a, b = root(a), root(b)
            if a != b:
                own, other = touched.get(a, ranges[a]), touched.get(b, ranges[b])
                if own != other:
                    common = self.symbols[own].meet(self.symbols[other])
                    if common is None:
                        return None
                    other = self.symbol(common)
                parent[a] = b
                touched[b] = other
        rest = [
            (node[0], *[root(label) for label in node[1:]])
            for number, node in enumerate(nodes)
            if number not in removed
        ]
        rest += [(node[0], *[root(label) for label in node[1:]]) for node in added]
        used = {label for node in rest for label in node[1:]}
        closed = 0
        for label in {root(label) for number in removed for label in nodes[number][1:]}:
            if label not in used:
                closed += 1 << BITS * touched.get(label, ranges[label])
        if touched:
            ranges = list(ranges)
            for label, symbol in touched.items():
                ranges[label] = symbol
        return closed, self._forms.state(rest, ranges)

    # The rules: nodes removed, nodes added, labels identified, and a monomial

    def _pairs(self, nodes: Sequence[PackedNode], first: int, kind: _Kind) -> Iterator[Any]:
        own = nodes[first][1:]
        permutations: Sequence[tuple[int, ...]] = (tuple(range(len(own))),)
        covariances: Sequence[Fixed | None] = ()
        if isinstance(kind.element, Gaussian):
            permutations, covariances = kind.element.permutations, kind.element.covariances
        for number, node in enumerate(nodes):
            if node[0] != kind.partner or number == first:
                continue
            for permutation in permutations:
                pairs = [(own[slot], node[1 + other]) for slot, other in enumerate(permutation)]
                added = []
                if covariances:
                    matrices = [(self._kind(c, None), *pair) for c, pair in zip(covariances, pairs, strict=True) if c]
                    added = matrices
                    pairs = [pair for c, pair in zip(covariances, pairs, strict=True) if c is None]
                yield (first, number), added, pairs, 0

    def _blocks(self, nodes: Sequence[PackedNode], first: int, kind: _Kind) -> Iterator[Any]:
        element: Any = kind.element
        others = [
            number for number, node in enumerate(nodes) if number != first and self._kinds[node[0]].element is element
        ]
        for size in range(len(others) + 1):
            for chosen in combinations(others, size):
                self._spend()
                block = (first, *chosen)
                marks = tuple(sorted((self._kinds[nodes[k][0]].mark for k in block), key=repr))
                if element.cumulant(marks) == 0:
                    continue
                unions = [pair for k in chosen for pair in zip(nodes[first][1:], nodes[k][1:], strict=True)]
                yield block, (), unions, 1 << BITS * self.symbol((element, marks), ("cumulant", element, marks))

    def _rows(self, nodes: Sequence[PackedNode], first: int, kind: _Kind) -> Iterator[Any]:
        """Join a Haar matrix and a partner: a chain from the column of the plain one to that of the conjugate one."""
        chain = self._add_kind(_CHAINS, kind.element, None, not kind.element.is_complex, 1)
        for number, node in enumerate(nodes):
            if node[0] == kind.partner and number != first:
                columns = [nodes[first][2], node[2]]
                if kind.mark == CONJUGATE:
                    columns.reverse()
                yield (first, number), [(chain, *columns)], [(nodes[first][1], node[1])], 0

    def _chains(self, nodes: Sequence[PackedNode], first: int, kind: _Kind) -> Iterator[Any]:
        """Match the first column of a chain: with its own second one, which closes a cycle, or with another chain's."""
        element = kind.element
        start, end = nodes[first][1:]
        weight = 1 << BITS * self.symbol((element, kind.length), ("cycle", element, kind.length))
        yield (first,), (), [(start, end)], weight
        for number, node in enumerate(nodes):
            other = self._kinds[node[0]]
            if number == first or other.rule != _CHAINS or other.element is not element:
                continue
            longer = self._add_kind(_CHAINS, element, None, kind.symmetric, kind.length + other.length)
            # A plain column meets a conjugate one; for orthogonal matrices any two columns can meet.
            yield (first, number), [(longer, node[1], end)], [(start, node[2])], 0
            if kind.symmetric:
                yield (first, number), [(longer, node[2], end)], [(start, node[1])], 0

    def _number(self, state: State, nodes: Sequence[PackedNode]) -> int:
        """Fixed tensors alone: a number."""
        import opt_einsum

        operands: list[Any] = []
        for node in nodes:
            element = self._kinds[node[0]].element
            assert isinstance(element, Fixed)
            if any(self.symbols[symbol].sector for _, own in state for symbol in own):
                raise ExactError(f"{element!r} meets an index that is split into blocks, expected a block tensor there")
            operands += [element.entries, list(node[1:])]
        value = float(opt_einsum.contract(*operands, []))
        return self.symbol(value, ("number", state))

    def _spend(self) -> None:
        """Count a reduction, and give up when there were too many.

        Raises
        ------
        ExactError : the average is too large.
        """
        self._work += 1
        if self._work <= self._largest_work:
            return
        counts: dict[Element, int] = {}
        for node in self._described.nodes:
            counts[node.element] = counts.get(node.element, 0) + 1
        element, count = max(counts.items(), key=lambda item: item[1])
        raise ExactError(
            f"the exact average of {len(self._described.nodes)} tensors, {count} of them {element!r}, takes more than "
            f"{self._largest_work} reductions ({_pairings(count)} pairings): expected fewer tensors; "
            f"take .order(), or sample it"
        )


def _factorial(order: int) -> int:
    return prod(range(1, order + 1))


def _pairings(count: int) -> str:
    return f"{float(prod(range(count - 1 + count % 2, 0, -2))):.3g}"


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    result: Polynomial = {}
    for x, u in a.items():
        for y, v in b.items():
            result[x + y] = result.get(x + y, 0) + u * v
    return result
