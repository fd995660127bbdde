"""Diagrams: tensors as sums of networks of elementary random tensors.

A network is a product of elements whose slots carry labels; a label that is not free is summed over. A label may join
any number of slots: two in an ordinary contraction, three in a canonical polyadic tensor. Identity and all-ones tensors
need no element, they only identify or free labels. So every family of random tensors, and every contraction of them,
is one sum of networks, and contraction is the gluing of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

from randtensor.dimensions import Dimension, show
from randtensor.errors import ExactError
from randtensor.exact.diagrams.elements import CONJUGATE, Element, Mark
from randtensor.expansions import Expansion

__all__ = ["Diagram", "Label", "Network", "Node", "Sector", "contract", "delta", "ones", "single"]


class Sector(NamedTuple):
    """A block of an index: which partition of the index into blocks, and which block of it."""

    partition: tuple[Dimension, ...]
    block: int


class Label(NamedTuple):
    """The dimension that a label sums over, and the block of a larger index it is confined to, if any."""

    dimension: Dimension
    sector: Sector | None = None

    def meet(self, other: Label) -> Label | None:
        """The common range of two labels that are identified; None if there is none."""
        if self == other or other.sector is None:
            return self
        if self.sector is None:
            return other
        if self.sector.partition == other.sector.partition:
            return None
        raise ExactError(
            f"an index is split into blocks {show(self.sector.partition)} by one factor and "
            f"{show(other.sector.partition)} by another, expected one partition for an exact expectation"
        )


class Node(NamedTuple):
    """An element with labels on its slots, and what is done to its entries."""

    element: Element
    labels: tuple[int, ...]
    mark: Mark = None


@dataclass(frozen=True, eq=False)
class Network:
    """A product of nodes; ``labels`` describes the labels 0, 1, ..., and ``free`` lists those of the free indices."""

    coefficient: Expansion
    nodes: tuple[Node, ...]
    labels: tuple[Label, ...]
    free: tuple[int, ...] = ()


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
        return Diagram(tuple(replace(n, free=tuple(n.free[a] for a in axes)) for n in self.networks))

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

    def embedded(self, sectors: Sequence[Sector], dimensions: Sequence[Dimension]) -> Diagram:
        """The tensor as a block of a larger one: its index k runs over the block ``sectors[k]`` only."""
        networks = []
        for network in self.networks:
            labels = list(network.labels)
            for index, sector in zip(network.free, sectors, strict=True):
                labels[index] = Label(labels[index].dimension, sector)
            networks.append(replace(network, labels=tuple(labels)))
        return Diagram(tuple(networks))

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
    labels = tuple(Label(d) for d in element.dimensions)
    slots = tuple(range(len(labels)))
    return Diagram((Network(Expansion.of(coefficient), (Node(element, slots),), labels, slots),))


def delta(dimension: Dimension, order: int = 2) -> Diagram:
    """One where all indices agree, zero elsewhere."""
    return Diagram((Network(Expansion.of(1), (), (Label(dimension),), (0,) * order),))


def ones(dimensions: Sequence[Dimension]) -> Diagram:
    """All entries one."""
    return Diagram((Network(Expansion.of(1), (), tuple(Label(d) for d in dimensions), tuple(range(len(dimensions)))),))


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
    parent: list[int] = []
    first: dict[Any, int] = {}
    coefficient = Expansion.of(1)

    def root(label: int) -> int:
        while parent[label] != label:
            label = parent[label]
        return label

    for term, network in zip(terms, factors, strict=True):
        offset = len(labels)
        labels += network.labels
        parent += range(offset, len(labels))
        nodes += [n._replace(labels=tuple(label + offset for label in n.labels)) for n in network.nodes]
        coefficient = coefficient * network.coefficient
        for name, own in zip(term, network.free, strict=True):
            a, b = root(own + offset), root(first.setdefault(name, own + offset))
            if a != b:
                common = labels[a].meet(labels[b])
                if common is None:
                    return None
                parent[a], labels[b] = b, common
    roots = sorted({root(label) for label in range(len(labels))})
    number = {label: k for k, label in enumerate(roots)}
    return Network(
        coefficient,
        tuple(n._replace(labels=tuple(number[root(label)] for label in n.labels)) for n in nodes),
        tuple(labels[label] for label in roots),
        tuple(number[root(first[name])] for name in output),
    )
