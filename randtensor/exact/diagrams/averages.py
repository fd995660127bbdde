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

from collections.abc import Collection, Hashable, Iterator, Sequence
from itertools import combinations
from math import factorial
from typing import Any, NamedTuple

from randtensor.dimensions import Dimension
from randtensor.errors import ExactError
from randtensor.exact.diagrams.canonical import CanonicalForms, Component, PackedNode, State
from randtensor.exact.diagrams.elements import CONJUGATE, Element, Fixed, Gaussian, Haar, Independent, Mark
from randtensor.exact.diagrams.networks import Network
from randtensor.exact.formal import BITS, Polynomial, Symbols, times
from randtensor.exact.haar.matchings import count_matchings

__all__ = ["Averages"]

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

    Parameters
    ----------
    by_cumulants : elements whose entries functions act on: they are averaged by cumulants, Gaussian or not.
    """

    def __init__(self, by_cumulants: Collection[Element] = (), largest_work: int = LARGEST_WORK) -> None:
        self.symbols = Symbols()
        self._kinds: list[_Kind] = []
        self._kind_numbers: dict[Hashable, int] = {}
        self._memo: dict[State, Polynomial] = {(): {0: 1}}
        self._forms = CanonicalForms(self._is_symmetric)
        self._by_cumulants = frozenset(by_cumulants)
        self._work, self._largest_work = 0, largest_work
        #: whether some labels run over a part of a slot only
        self._split = False

    def average(self, network: Network) -> Polynomial:
        """The average of a network without free labels, up to its coefficient and to normalisations.

        Symmetric Gaussian tensors are taken as sums over permutations, not means, and spherical tensors as Gaussian
        ones: both are factors that depend on the number of tensors only.

        Raises
        ------
        ExactError : no rule covers the network, or it is too large.
        """
        ranges = [self.symbols.number("dimension", label) for label in network.labels]
        self._split = self._split or any(label.sectors for label in network.labels)
        nodes = [(self._kind(node.element, node.mark), *node.labels) for node in network.nodes]
        used = {label for node in nodes for label in node[1:]}
        free = sum(1 << BITS * symbol for label, symbol in enumerate(ranges) if label not in used)
        self._described = network
        state = self._forms.state(nodes, ranges)
        return {key + free: value for key, value in self._evaluate(state).items()}

    def _is_symmetric(self, kind: int) -> bool:
        return self._kinds[kind].symmetric

    # Kinds

    def _kind(self, element: Element, mark: Mark) -> int:
        if mark == CONJUGATE and not element.is_complex:
            mark = None
        if isinstance(element, Fixed):
            return self._add_kind(_NUMBERS, element, mark)
        if isinstance(element, Independent) or element in self._by_cumulants:
            return self._add_kind(_BLOCKS, element, mark)
        rule = _ROWS if isinstance(element, Haar) else _PAIRS
        symmetric = isinstance(element, Gaussian) and len(element.permutations) == factorial(len(element.dimensions))
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
                result = times(result, self._evaluate(group))
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
        first = min(range(len(nodes)), key=lambda k: self._turn(nodes[k], ranges))
        kind = self._kinds[nodes[first][0]]
        if kind.rule == _NUMBERS:
            return {self._number(state, nodes): 1}
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

    def _turn(self, node: PackedNode, ranges: Sequence[int]) -> tuple[int, int]:
        rule = self._kinds[node[0]].rule
        if not self._split or rule > _ROWS:
            return (1, rule)
        # Tensors that a block meets come first: once they are gone, one tensor in two blocks may meet itself.
        sizes = self._kinds[node[0]].element.dimensions
        labels = (self.symbols.label(ranges[label]) for label in node[1:])
        return (
            (0, rule) if any(label.checked([s]).sectors for label, s in zip(labels, sizes, strict=True)) else (1, rule)
        )

    def _reduce(
        self,
        nodes: Sequence[PackedNode],
        ranges: Sequence[int],
        removed: tuple[int, ...],
        added: Sequence[PackedNode],
        unions: Sequence[tuple[int, int, Dimension]],
    ) -> tuple[int, State] | None:
        """Remove and add nodes and identify labels: the closed labels as a monomial, and the rest; None for zero."""
        self._spend()
        parent: dict[int, int] = {}
        touched: dict[int, int] = {}

        def root(label: int) -> int:
            while label in parent:
                label = parent[label]
            return label

        for a, b, size in unions:
            a, b = root(a), root(b)
            if a != b:
                own, other = touched.get(a, ranges[a]), touched.get(b, ranges[b])
                if own != other:
                    common = self.symbols.label(own).meet(self.symbols.label(other), size)
                    if common is None:
                        return None
                    other = self.symbols.number("dimension", common)
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
        if self._split:
            ranges = self._checked(rest, ranges)
        return closed, self._forms.state(rest, ranges)

    def _checked(self, nodes: Sequence[PackedNode], ranges: Sequence[int]) -> list[int]:
        """Labels know where they lie in the larger slots that are left, and forget those of removed nodes."""
        slots: dict[int, list[Dimension]] = {}
        for node in nodes:
            for label, size in zip(node[1:], self._kinds[node[0]].element.dimensions, strict=True):
                slots.setdefault(label, []).append(size)
        checked = list(ranges)
        for label, sizes in slots.items():
            checked[label] = self.symbols.number("dimension", self.symbols.label(ranges[label]).checked(sizes))
        return checked

    # The rules: nodes removed, nodes added, labels identified, and a monomial

    def _pairs(self, nodes: Sequence[PackedNode], first: int, kind: _Kind) -> Iterator[Any]:
        own, sizes = nodes[first][1:], kind.element.dimensions
        permutations: Sequence[tuple[int, ...]] = (tuple(range(len(own))),)
        covariances: Sequence[Fixed | None] = ()
        if isinstance(kind.element, Gaussian):
            permutations, covariances = kind.element.permutations, kind.element.covariances
        for number, node in enumerate(nodes):
            if node[0] != kind.partner or number == first:
                continue
            for permutation in permutations:
                pairs = [(own[slot], node[1 + other], sizes[slot]) for slot, other in enumerate(permutation)]
                added = []
                if covariances:
                    joined = zip(covariances, pairs, strict=True)
                    added = [(self._kind(c, None), *pair[:2]) for c, pair in joined if c]
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
                sizes = element.dimensions
                unions = [pair for k in chosen for pair in zip(nodes[first][1:], nodes[k][1:], sizes, strict=True)]
                yield block, (), unions, self.symbols.monomial("cumulant", (element, marks))

    def _rows(self, nodes: Sequence[PackedNode], first: int, kind: _Kind) -> Iterator[Any]:
        """Join a Haar matrix and a partner: a chain from the column of the plain one to that of the conjugate one."""
        chain = self._add_kind(_CHAINS, kind.element, None, not kind.element.is_complex, 1)
        for number, node in enumerate(nodes):
            if node[0] == kind.partner and number != first:
                columns = [nodes[first][2], node[2]]
                if kind.mark == CONJUGATE:
                    columns.reverse()
                rows = (nodes[first][1], node[1], kind.element.dimensions[0])
                yield (first, number), [(chain, *columns)], [rows], 0

    def _chains(self, nodes: Sequence[PackedNode], first: int, kind: _Kind) -> Iterator[Any]:
        """Match the first column of a chain: with its own second one, which closes a cycle, or with another chain's."""
        element, (_, size) = kind.element, kind.element.dimensions
        start, end = nodes[first][1:]
        weight = self.symbols.monomial("cycle", (element, kind.length))
        yield (first,), (), [(start, end, size)], weight
        for number, node in enumerate(nodes):
            other = self._kinds[node[0]]
            if number == first or other.rule != _CHAINS or other.element is not element:
                continue
            longer = self._add_kind(_CHAINS, element, None, kind.symmetric, kind.length + other.length)
            # A plain column meets a conjugate one; for orthogonal matrices any two columns can meet.
            yield (first, number), [(longer, node[1], end)], [(start, node[2], size)], 0
            if kind.symmetric:
                yield (first, number), [(longer, node[2], end)], [(start, node[1], size)], 0

    def _number(self, state: State, nodes: Sequence[PackedNode]) -> int:
        """Fixed tensors alone: a number."""
        import opt_einsum

        operands: list[Any] = []
        labels = [number for _, own in state for number in own]
        for node in nodes:
            element = self._kinds[node[0]].element
            assert isinstance(element, Fixed)
            ranges = [self.symbols.label(labels[label]) for label in node[1:]]
            places = [label.within(size) for label, size in zip(ranges, element.dimensions, strict=True)]
            entries = element.entries[tuple(slice(int(place.start), int(place.stop)) for place in places)]
            operands += [entries, list(node[1:])]
        value = float(opt_einsum.contract(*operands, []))
        return self.symbols.monomial("value", value, ("fixed", state))

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
        # An odd one out pairs with something else.
        pairings = float(count_matchings(count + count % 2))
        raise ExactError(
            f"the exact average of {len(self._described.nodes)} tensors, {count} of them {element!r}, takes more than "
            f"{self._largest_work} reductions ({pairings:.3g} pairings): expected fewer tensors; "
            f"take .order(), or sample it"
        )
