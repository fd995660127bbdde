"""Canonical forms of networks: equal for networks that differ by names of labels and by the order of their nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["CanonicalForms", "Component", "PackedNode", "State"]

#: The kind of a node, then its labels.
PackedNode = tuple[int, ...]

#: Nodes of a connected component with canonical labels, and the range of every label.
Component = tuple[tuple[PackedNode, ...], tuple[int, ...]]

#: The components of a network, sorted.
State = tuple[Component, ...]


class CanonicalForms:
    """Finds canonical forms, and remembers them for components as they were met.

    A component is written down as a breadth-first search from a root finds it; its form is the least text over all
    roots. It tells exactly which network it is, so that two forms agree for equal networks only. Where slots of a kind
    are interchangeable, or a label joins more than two slots, equal networks may keep different forms, which costs time
    and nothing else.

    Parameters
    ----------
    is_symmetric : whether the slots of a kind of node are interchangeable.
    """

    def __init__(self, is_symmetric: Callable[[int], bool]) -> None:
        self._is_symmetric = is_symmetric
        self._canonical: dict[Component, Component] = {}

    def state(self, nodes: Sequence[PackedNode], ranges: Any) -> State:
        """The canonical form of a network: its components, each with canonical labels, sorted."""
        carriers: dict[int, list[int]] = {}
        for number, node in enumerate(nodes):
            for label in node[1:]:
                carriers.setdefault(label, []).append(number)
        left = set(range(len(nodes)))
        found = []
        for number in range(len(nodes)):
            if number in left:
                raw, members = self._code(nodes, ranges, carriers, number)
                left.difference_update(members)
                best = self._canonical.get(raw)
                if best is None:
                    best = min(self._code(nodes, ranges, carriers, root)[0] for root in members)
                    self._canonical[raw] = best
                found.append(best)
        found.sort()
        return tuple(found)

    def _code(
        self, nodes: Sequence[PackedNode], ranges: Any, carriers: dict[int, list[int]], root: int
    ) -> tuple[Component, list[int]]:
        """A component as seen from a root: nodes and labels numbered in the order of a breadth-first search."""
        names: dict[int, int] = {}
        queue, seen = [root], {root}
        code: list[PackedNode] = []
        for number in queue:
            node = nodes[number]
            slots = node[1:]
            if self._is_symmetric(node[0]):
                slots = tuple(sorted(slots, key=lambda label: names.get(label, len(names))))
            for label in slots:
                if label not in names:
                    names[label] = len(names)
                    for other in carriers[label]:
                        if other not in seen:
                            seen.add(other)
                            queue.append(other)
            code.append((node[0], *[names[label] for label in slots]))
        return (tuple(code), tuple([ranges[label] for label in names])), queue
