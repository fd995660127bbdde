"""How a contraction of derivative tensors is carried out: a tree of closed tensors, and probes on what closes loops.

The operands are the vertices of a graph and the contracted parameter indices its edges. A derivative tensor can be
closed with vectors on all indices but one, which gives a vector, or on all, which gives a number. So a tree is
evaluated from its leaves to a root. An edge beyond the tree is cut with a random probe v at both ends, E v v^T = 1.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from randtensor.errors import EquationError

__all__ = ["Branch", "Component", "Label", "Leaf", "components", "plan"]

Label = Hashable


@dataclass(frozen=True)
class Leaf:
    """A probe, or an external vector, on one index."""

    label: Label


@dataclass(frozen=True)
class Branch:
    """An operand whose indices are closed by the results of its children."""

    operand: int
    children: tuple[Branch | Leaf, ...]


@dataclass(frozen=True)
class Component:
    """One connected component, ready to evaluate.

    ``ends`` holds one branch, closed completely (the root is an operand), or two, whose vectors are multiplied (the
    root is the edge between them). With a free index the single branch is closed but for that index.
    ``cuts`` are the labels that carry probes.
    """

    ends: tuple[Branch, ...]
    cuts: tuple[Label, ...]
    free: tuple[Label, ...]


def components(terms: Sequence[Sequence[Label]]) -> list[list[int]]:
    """Operands grouped by connection through shared labels."""
    groups: list[tuple[set[Label], list[int]]] = []
    for operand, term in enumerate(terms):
        labels, members = set(term), [operand]
        rest = []
        for other_labels, other_members in groups:
            if other_labels & labels:
                labels |= other_labels
                members = other_members + members
            else:
                rest.append((other_labels, other_members))
        groups = [*rest, (labels, members)]
    return [members for _, members in groups]


def plan(
    terms: Sequence[Sequence[Label]],
    members: Sequence[int],
    free: Sequence[Label],
    root: int | Label | None,
    names: Sequence[Hashable],
) -> Component:
    """The cheapest way to close one component.

    Parameters
    ----------
    terms : parameter labels of every operand; each label occurs twice, or once if it is free.
    members : operands of the component.
    free : the free labels; one or two of them are possible. With two, the first is left open, and the vector to act on
        enters at the second.
    root : an operand or a label to close at; None chooses.
    names : equal for equal operands, whose results are then found once.

    Raises
    ------
    EquationError : the root is not part of the component.
    """
    inner = {label for m in members for label in terms[m]} - set(free)
    if free:
        start = next(m for m in members if free[0] in terms[m])
        return _close(terms, members, free, [start], None)
    candidates: list[Component] = []
    for operand in members:
        if root is None or root == operand:
            candidates.append(_close(terms, members, (), [operand], None))
    for label in sorted(inner, key=repr):
        ends = [m for m in members if label in terms[m]]
        if len(ends) == 2 and (root is None or root == label):
            candidates.append(_close(terms, members, (), ends, label))
    if not candidates:
        raise EquationError(f"root is {root!r}, expected an operand number or a contracted label of the equation")
    return min(candidates, key=lambda c: (len(c.cuts), _cost(c, names)))


def _close(
    terms: Sequence[Sequence[Label]],
    members: Sequence[int],
    free: Sequence[Label],
    roots: list[int],
    edge: Label | None,
) -> Component:
    """Spanning tree by breadth-first search from the roots; what closes a loop is cut."""
    open_label = edge if edge is not None else free[0] if free else None
    parent_label: dict[int, Label | None] = dict.fromkeys(roots, open_label)
    children: dict[int, list[tuple[Label, int]]] = {m: [] for m in members}
    tree = {edge} if edge is not None else set()
    queue = list(roots)
    while queue:
        operand = queue.pop(0)
        for label in terms[operand]:
            for other in members:
                if label in terms[other] and other not in parent_label:
                    parent_label[other] = label
                    children[operand].append((label, other))
                    tree.add(label)
                    queue.append(other)
    inside = {label for m in members for label in terms[m]} - set(free)
    cuts = tuple(sorted(inside - tree, key=repr))

    def branch(operand: int) -> Branch:
        below = dict(children[operand])
        closed: list[Branch | Leaf] = []
        skipped = False
        for label in terms[operand]:
            if label == parent_label[operand] and not skipped:
                skipped = True
            elif label in below:
                closed.append(branch(below[label]))
            else:
                closed.append(Leaf(label))
        return Branch(operand, tuple(closed))

    return Component(tuple(branch(r) for r in roots), cuts, tuple(free))


def _cost(component: Component, names: Sequence[Hashable]) -> int:
    """Vectors to be revealed, roughly: monomials of each evaluation, thrice as many when a reverse pass follows."""
    seen: set[Hashable] = set()
    total = 0

    def visit(node: Branch | Leaf, closed: bool) -> Hashable:
        nonlocal total
        if isinstance(node, Leaf):
            return node
        below = sorted((visit(child, False) for child in node.children), key=repr)
        signature = (names[node.operand], tuple(below))
        if signature not in seen:
            seen.add(signature)
            total += (1 if closed else 3) * (len(node.children) + 1)
        return signature

    for end in component.ends:
        visit(end, len(component.ends) == 1 and not component.free)
    return total
