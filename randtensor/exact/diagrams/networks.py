"""Diagrams: tensors as sums of networks of elementary random tensors.

A network is a product of elements whose slots carry labels; a label that is not free is summed over. A label may join
any number of slots: two in an ordinary contraction, three in a canonical polyadic tensor. Identity and all-ones tensors
need no element, they only identify or free labels. So every family of random tensors, and every contraction of them,
is one sum of networks, and contraction is the gluing of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise, product
from typing import Any, NamedTuple

from randtensor.dimensions import Dimension, same_dimension
from randtensor.errors import ExactError
from randtensor.exact.diagrams.elements import CONJUGATE, Element, Mark
from randtensor.expansions import Expansion
from randtensor.orders import Term

__all__ = ["Diagram", "Label", "Network", "Node", "Sector", "contract", "delta", "ones", "single"]


class Sector(NamedTuple):
    """Part of an index: from ``start`` to ``stop``, in units of what the size ``whole`` is a multiple of.

    >>> from randtensor.orders import Scale, Term
    >>> n = Scale("n")
    >>> print(Sector(Fraction(1), Fraction(3), Term(4, n)).dimension)
    2 n
    """

    start: Fraction
    stop: Fraction
    whole: Dimension

    @classmethod
    def full(cls, size: Dimension) -> Sector:
        """All of an index."""
        return cls(Fraction(0), Fraction(size if isinstance(size, int) else size.coefficient), size)

    @classmethod
    def blocks(cls, partition: Sequence[Dimension], whole: Dimension) -> list[Sector]:
        """An index split into blocks of these sizes, which add up to ``whole``."""
        stops = list(accumulate((cls.full(size).stop for size in partition), initial=Fraction(0)))
        return [cls(start, stop, whole) for start, stop in pairwise(stops)]

    @property
    def dimension(self) -> Dimension:
        """Its size."""
        size = self.stop - self.start
        return int(size) if isinstance(self.whole, int) else Term(size, self.whole.order)

    def meet(self, other: Sector) -> Sector | None:
        """What is in both; None if nothing is."""
        start, stop = max(self.start, other.start), min(self.stop, other.stop)
        return Sector(start, stop, self.whole) if start < stop else None

    def seen_from(self, outer: Sector) -> Sector:
        """The same part, as a part of ``outer``, in which it lies."""
        return Sector(self.start - outer.start, self.stop - outer.start, outer.dimension)

    def inside(self, outer: Sector) -> Sector:
        """The part of a larger index whose part ``outer`` is all that this is a part of."""
        return Sector(outer.start + self.start, outer.start + self.stop, outer.whole)


class Label(NamedTuple):
    """The dimension that a label sums over, and where that range lies in the larger slots that carry the label.

    A slot has the label's dimension, or is the ``whole`` of one of the sectors.
    """

    dimension: Dimension
    sectors: tuple[Sector, ...] = ()

    def within(self, size: Dimension) -> Sector:
        """The range of the label in a slot of this size."""
        found = [s for s in self.checked([size]).sectors if same_dimension(s.whole, size)]
        return found[0] if found else Sector.full(self.dimension)

    def meet(self, other: Label, size: Dimension) -> Label | None:
        """The common range of two labels whose values in slots of a size are identified; None if there is none."""
        own, theirs = self.within(size), other.within(size)
        common = own.meet(theirs)
        if common is None:
            return None
        return self.narrowed(common.seen_from(own)).joined(other.narrowed(common.seen_from(theirs)))

    def narrowed(self, part: Sector) -> Label:
        """The label confined to a part of its range."""
        if part == Sector.full(self.dimension):
            return self
        return Label(part.dimension, (part, *(part.inside(sector) for sector in self.sectors)))

    def joined(self, other: Label) -> Label:
        """With the slots of another label of the same dimension."""
        return Label(self.dimension, tuple(sorted({*self.sectors, *other.sectors}, key=str)))

    def checked(self, sizes: Iterable[Dimension]) -> Label:
        """With what concerns slots of these sizes only.

        Raises
        ------
        ExactError : its range does not have one place in slots of one size.
        """
        kept = tuple(s for s in self.sectors if any(same_dimension(s.whole, size) for size in sizes))
        for number, sector in enumerate(kept):
            if any(same_dimension(sector.whole, other.whole) and sector != other for other in kept[:number]):
                raise ExactError(
                    f"an index of size {self.dimension} lies at two places of indices of size {sector.whole}, "
                    f"expected one place for an exact expectation"
                )
        return Label(self.dimension, kept)


class Node(NamedTuple):
    """An element with labels on its slots, and what is done to its entries."""

    element: Element
    labels: tuple[int, ...]
    mark: Mark = None


@dataclass(frozen=True, eq=False)
class Network:
    """A product of nodes.

    Attributes
    ----------
    coefficient : what it is multiplied by.
    nodes : the factors.
    labels : of the labels 0, 1, ....
    free : the label of each free index.
    sectors : the part of each free index where its label runs; the tensor vanishes elsewhere.
    """

    coefficient: Expansion
    nodes: tuple[Node, ...]
    labels: tuple[Label, ...]
    free: tuple[int, ...] = ()
    sectors: tuple[Sector, ...] = ()


@dataclass(frozen=True, eq=False)
class Diagram:
    """A sum of networks with the same free indices."""

    networks: tuple[Network, ...]

    def __add__(self, other: Diagram) -> Diagram:
        return Diagram(self.networks + other.networks)

    def __mul__(self, factor: Any) -> Diagram:
        scale = Expansion.of(factor)
        return Diagram(tuple(replace(n, coefficient=n.coefficient * scale) for n in self.networks))

    __rmul__ = __mul__

    def __neg__(self) -> Diagram:
        return self * -1

    def transpose(self, axes: Sequence[int]) -> Diagram:
        """Free indices in another order: axis k of the result is axis ``axes[k]``."""
        return Diagram(
            tuple(
                replace(n, free=tuple(n.free[a] for a in axes), sectors=tuple(n.sectors[a] for a in axes))
                for n in self.networks
            )
        )

    def conjugate(self) -> Diagram:
        """The complex conjugate."""
        return self._map(_conjugate)

    def marked(self, mark: Mark) -> Diagram:
        """A function of every entry, for a tensor that is a single element.

        Raises
        ------
        ExactError : the tensor is not a single element with coefficient one.
        """
        if len(self.networks) != 1 or len(self.networks[0].nodes) != 1:
            raise ExactError(f"the function {mark} acts on the entries of a composed tensor, expected i.i.d. entries")
        (network,) = self.networks
        (node,) = network.nodes
        if node.mark is not None or sorted(network.free) != sorted(node.labels):
            raise ExactError(f"the function {mark} acts on the entries of a composed tensor, expected i.i.d. entries")
        return self._map(lambda n: n._replace(mark=mark))

    def embedded(self, sectors: Sequence[Sector]) -> Diagram:
        """The tensor as a block of a larger one: its index k is the part ``sectors[k]`` of a larger index."""
        return Diagram(
            tuple(
                replace(n, sectors=tuple(own.inside(s) for own, s in zip(n.sectors, sectors, strict=True)))
                for n in self.networks
            )
        )

    def _map(self, change: Callable[[Node], Node]) -> Diagram:
        return Diagram(tuple(replace(n, nodes=tuple(map(change, n.nodes))) for n in self.networks))


def _conjugate(node: Node) -> Node:
    if node.element.is_hermitian:
        return node._replace(labels=node.labels[::-1])
    if node.element.is_complex:
        return node._replace(mark=None if node.mark == CONJUGATE else CONJUGATE)
    return node


def single(element: Element, coefficient: Any = 1) -> Diagram:
    """One element, with all its indices free, times a coefficient."""
    slots = tuple(range(len(element.dimensions)))
    diagram = _network(element.dimensions, slots, (Node(element, slots),))
    return Diagram(tuple(replace(n, coefficient=Expansion.of(coefficient)) for n in diagram.networks))


def delta(dimension: Dimension, order: int = 2) -> Diagram:
    """One where all indices agree, zero elsewhere."""
    return _network((dimension,), (0,) * order)


def ones(dimensions: Sequence[Dimension]) -> Diagram:
    """All entries one."""
    return _network(dimensions, tuple(range(len(dimensions))))


def _network(dimensions: Sequence[Dimension], free: tuple[int, ...], nodes: tuple[Node, ...] = ()) -> Diagram:
    sectors = tuple(Sector.full(dimensions[label]) for label in free)
    return Diagram((Network(Expansion.of(1), nodes, tuple(map(Label, dimensions)), free, sectors),))


def contract(terms: Sequence[Sequence[Any]], output: Sequence[Any], diagrams: Sequence[Diagram]) -> Diagram:
    """The product of tensors with indices identified by name; names that are not in ``output`` are summed.

    A name may occur any number of times.
    """
    networks = []
    for factors in product(*(d.networks for d in diagrams)):
        glued = _glue(terms, output, factors)
        if glued is not None:
            networks.append(glued)
    return Diagram(tuple(networks))


def _glue(terms: Sequence[Sequence[Any]], output: Sequence[Any], factors: Iterable[Network]) -> Network | None:
    labels: list[Label] = []
    nodes: list[Node] = []
    #: the label and the sector of each index of each factor
    axes: list[tuple[int, Sector]] = []
    coefficient = Expansion.of(1)
    for network in factors:
        offset = len(labels)
        labels += network.labels
        nodes += [n._replace(labels=tuple(label + offset for label in n.labels)) for n in network.nodes]
        axes += [(label + offset, sector) for label, sector in zip(network.free, network.sectors, strict=True)]
        coefficient = coefficient * network.coefficient
    parent = list(range(len(labels)))
    #: the sizes of the slots that carry each label
    slots: list[list[Dimension]] = [[] for _ in labels]
    for node in nodes:
        for label, size in zip(node.labels, node.element.dimensions, strict=True):
            slots[label].append(size)

    def root(label: int) -> int:
        while parent[label] != label:
            label = parent[label]
        return label

    def narrow(label: int, part: Sector) -> None:
        if part != Sector.full(labels[label].dimension):
            labels[label] = labels[label].narrowed(part).checked(slots[label])
            axes[:] = [(a, part.inside(sector) if root(a) == label else sector) for a, sector in axes]

    first: dict[Any, int] = {}
    for axis, name in enumerate(name for term in terms for name in term):
        (own, sector), (other, second) = axes[axis], axes[first.setdefault(name, axis)]
        own, other = root(own), root(other)
        common = sector.meet(second)
        # Two places of one label in indices that are identified: no value of the label fits.
        if common is None or (own == other and sector != second):
            return None
        if own != other:
            narrow(own, common.seen_from(sector))
            narrow(other, common.seen_from(second))
            slots[other] += slots[own]
            parent[own], labels[other] = other, labels[own].joined(labels[other]).checked(slots[other])
    roots = sorted({root(label) for label in range(len(labels))})
    number = {label: k for k, label in enumerate(roots)}
    return Network(
        coefficient,
        tuple(n._replace(labels=tuple(number[root(label)] for label in n.labels)) for n in nodes),
        tuple(labels[label] for label in roots),
        tuple(number[root(axes[first[name]][0])] for name in output),
        tuple(axes[first[name]][1] for name in output),
    )
