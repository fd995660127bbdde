"""Contractions of derivative tensors: evaluated without forming any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from randtensor.arguments import as_array
from randtensor.coincidences import coincidences
from randtensor.derivatives import DerivativeTensor
from randtensor.dimensions import check_factor, evaluate_factor, factor_text, reciprocal, scale_names
from randtensor.errors import EquationError, InputError
from randtensor.parametric import Space, Vector
from randtensor.planning import Branch, Component, Label, Leaf, components, plan
from randtensor.quantity import Draw, Quantity, Sizes

__all__ = ["DerivativeContraction"]

Array = np.ndarray
Assignment = dict[Label, int]

#: Loops are closed exactly, by a full basis in place of probes, while that takes no more evaluations than this.
EXACT_EVALUATIONS = 512

#: Independent probes per sample where loops are closed at random: two, so that squares can be estimated without bias.
DEFAULT_PROBES = 2


class DerivativeContraction(Quantity):
    """A contraction of derivative tensors of random functions on one parameter space; made by ``rt.einsum``.

    Parameters
    ----------
    tensors : the operands.
    terms : labels of every operand's indices.
    output : labels that are left free.
    coefficient : a number, order or term in front.
    probes : random probes per sample, used where the contraction has loops; 0 closes loops exactly at any cost.
    root : operand number or label at which the contraction is closed; None chooses the cheapest.
    """

    def __init__(
        self,
        tensors: Sequence[DerivativeTensor],
        terms: Sequence[Sequence[Label]],
        output: Sequence[Label],
        coefficient: tuple[Any, ...] = (),
        probes: int | None = None,
        root: int | Label | None = None,
    ) -> None:
        self.tensors, self.terms, self.output = tuple(tensors), tuple(map(tuple, terms)), tuple(output)
        self.coefficient, self.root = coefficient, root
        if probes is not None and (isinstance(probes, bool) or not isinstance(probes, int) or probes < 0):
            raise InputError(f"probes is {probes!r}, expected a positive number, or 0 for an exact sum")
        self._asked_probes = probes
        self.output_sizes = self._check_labels()
        self._parameter_terms = [
            term[len(term) - t.derivative_order :] for t, term in zip(self.tensors, self.terms, strict=True)
        ]
        self.free = tuple(label for label in self.output if label not in self.output_sizes)
        self._components = self._plan(root)
        self.cuts = tuple(label for component in self._components for label in component.cuts)
        self.probes = 1 if not self.cuts or probes == 0 or self.free else (probes or DEFAULT_PROBES)
        self.shape = tuple(self.output_sizes[label] for label in self.output if label in self.output_sizes)
        names_of_scales = {name for t in self.tensors for name in t.function.scale_names(t.x.shape)}
        self.scale_names = tuple(sorted(names_of_scales | set(scale_names(coefficient))))

    def _plan(self, root: int | Label | None) -> list[Component]:
        """One component per connected part; the root belongs to one of them, and the others choose theirs."""
        names = [t.key for t in self.tensors]
        planned = []
        unused = root is not None
        for members in components(self._parameter_terms):
            labels = {label for m in members for label in self._parameter_terms[m]}
            inside = root in members or root in labels
            unused = unused and not inside
            free = [label for label in self.free if label in labels]
            planned.append(plan(self._parameter_terms, members, free, root if inside else None, names))
        if unused:
            raise EquationError(f"root is {root!r}, expected an operand number or a contracted index of the equation")
        return planned

    def _check_labels(self) -> dict[Label, int]:
        """Sizes of the output-index labels; everything else is a parameter index."""
        sizes: dict[Label, int] = {}
        counts: dict[Label, int] = {}
        for t, term in zip(self.tensors, self.terms, strict=True):
            if t.outputs is not None:
                label = term[0]
                if sizes.setdefault(label, t.outputs) != t.outputs:
                    raise EquationError(
                        f"index {_text(label)!r} has sizes {sizes[label]} and {t.outputs}, expected one size per index"
                    )
            for label in term[len(term) - t.derivative_order :]:
                counts[label] = counts.get(label, 0) + 1
        for label in counts.keys() & sizes.keys():
            raise EquationError(
                f"index {_text(label)!r} is both an output index and a parameter index, expected one kind"
            )
        for label, count in counts.items():
            free = label in self.output
            if count > 2 or (free and count > 1):
                raise EquationError(
                    f"index {_text(label)!r} is used {count} times{' and left free' if free else ''}, "
                    f"expected twice to be summed or once to be left free"
                )
            if count == 1 and not free:
                raise EquationError(
                    f"index {_text(label)!r} is used once and summed, expected a partner to contract with"
                )
        spaces = {id(t.function.space) for t in self.tensors if t.derivative_order}
        if len(spaces) > 1:
            raise EquationError(
                "the operands are derivatives over different parameters, expected functions on one space"
            )
        return sizes

    @property
    def fingerprint(self) -> str:
        numbers = {label: i for i, label in enumerate(dict.fromkeys(label for term in self.terms for label in term))}
        terms = [[numbers[label] for label in term] for term in self.terms]
        operands = ";".join(t.fingerprint for t in self.tensors)
        how = f"{self.probes}/{self.root if isinstance(self.root, int) else numbers.get(self.root)}"
        coefficient = list(map(factor_text, self.coefficient))
        free = [numbers[label] for label in self.output]
        return f"{terms}->{free}:{operands}*{coefficient}:{how}{coincidences(self.tensors)}"

    def occurrences(self) -> tuple[object, ...]:
        return tuple(tensor.function.space for tensor in self.tensors)

    def describe(self) -> str:
        labels = dict.fromkeys(label for term in self.terms for label in term)
        letters = {label: chr(ord("a") + i) for i, label in enumerate(labels)}
        terms = ",".join("".join(letters[label] for label in term) for term in self.terms)
        orders = ", ".join(str(t.derivative_order) for t in self.tensors)
        functions = ", ".join(dict.fromkeys(t.function.name for t in self.tensors))
        free = "".join(letters[label] for label in self.output)
        return f"{terms}->{free} of derivatives of order {orders} of {functions}"

    def __mul__(self, factor: Any) -> Any:
        if isinstance(factor, Quantity):
            return super().__mul__(factor)
        return self._copy(coefficient=(*self.coefficient, check_factor(factor)))

    __rmul__ = __mul__

    def __truediv__(self, factor: Any) -> Any:
        if isinstance(factor, Quantity):
            return super().__truediv__(factor)
        return self * reciprocal(factor)

    def _copy(self, **changes: Any) -> DerivativeContraction:
        given: dict[str, Any] = {
            "coefficient": self.coefficient,
            "probes": self._asked_probes,
            "root": self.root,
        }
        return DerivativeContraction(self.tensors, self.terms, self.output, **(given | changes))

    # Evaluation

    def evaluate(self, draw: Draw) -> Array:
        if self.free:
            raise EquationError(
                f"the parameter index {_text(self.free[0])!r} is free, so the contraction is never formed: "
                f"take rt.norm of it, or contract it"
            )
        factor = self.factor(draw)
        exact = self._exact_sum(draw)
        if exact is not None:
            return factor * (np.repeat(exact[..., None], self.probes, axis=-1) if self.probes > 1 else exact)
        estimates = [self._closed(draw, probes) for probes in self._random_probes(draw)]
        return factor * (np.stack(estimates, axis=-1) if self.probes > 1 else estimates[0])

    def factor(self, draw: Draw) -> float:
        """The coefficient in front, at the sizes of the draw."""
        return float(np.prod([evaluate_factor(c, draw.sizes) for c in self.coefficient]))

    def block_length(self, sizes: Sizes) -> int:
        return min(t.function.block_length(sizes) for t in self.tensors)

    @property
    def space(self) -> Space:
        """The parameters."""
        space: Space = self.tensors[0].function.space
        return space

    @property
    def slots(self) -> tuple[Any, ...]:
        """The trainable arrays that occur."""
        return tuple(sorted({slot for t in self.tensors for slot in t.function.slots(t.x.shape)}))

    def parameter_count(self, draw: Draw) -> int:
        """Dimension of the parameter space at the sizes of the draw."""
        return self.space.dimension(self.slots, draw)

    def _exact_sum(self, draw: Draw) -> Array | None:
        """The exact value, where loops are absent or a full basis is affordable or demanded."""
        if not self.cuts:
            return self._closed(draw, {})
        demanded = self._asked_probes == 0
        affordable = self.parameter_count(draw) ** len(self.cuts) <= EXACT_EVALUATIONS
        if not demanded and (self._asked_probes is not None or not affordable):
            return None
        total: Array | float = 0.0
        for vectors in product(*(list(self.space.basis_vectors(self.slots, draw)) for _ in self.cuts)):
            total = total + self._closed(draw, dict(zip(self.cuts, vectors, strict=True)))
        return as_array(total)

    def _random_probes(self, draw: Draw) -> Iterator[dict[Label, Vector]]:
        for _ in range(self.probes):
            yield {label: self.space.random_vector(self.slots, draw) for label in self.cuts}

    def _closed(self, draw: Draw, probes: dict[Label, Vector]) -> Array:
        """The contraction with given vectors on the cut edges, shape (B, *shape)."""
        result: Array = np.zeros((draw.batch, *self.shape), like=draw.like)
        for assignment, index in self.assignments():
            term: Array | float = 1.0
            for component in self._components:
                term = term * self._component_value(draw, component, assignment, probes)
            entry: Any = (slice(None), *index)
            result[entry] += term
        return result

    def assignments(self) -> Iterator[tuple[Assignment, tuple[int, ...]]]:
        """All values of the output indices, each with the entry of the result it adds to."""
        labels = list(self.output_sizes)
        for values in product(*(range(self.output_sizes[label]) for label in labels)):
            assignment = dict(zip(labels, values, strict=True))
            yield assignment, tuple(assignment[label] for label in self.output if label in assignment)

    def _component_value(
        self, draw: Draw, component: Component, assignment: Assignment, probes: dict[Label, Vector]
    ) -> Array:
        if len(component.ends) == 2:
            first, second = (self._vector(draw, end, assignment, probes)[1] for end in component.ends)
            return first.dot(second)
        (end,) = component.ends
        kept, changing = self._directions(draw, end, assignment, probes)
        tensor = self.tensors[end.operand]
        values = tensor.value(draw, kept, changing)
        entry = self._component_index(end, assignment)
        return values if entry is None else values[:, entry]

    def _component_index(self, branch: Branch, assignment: Assignment) -> int | None:
        tensor = self.tensors[branch.operand]
        return None if tensor.outputs is None else assignment[self.terms[branch.operand][0]]

    def _directions(
        self, draw: Draw, branch: Branch, assignment: Assignment, probes: dict[Label, Vector]
    ) -> tuple[list[tuple[Any, Vector]], list[tuple[Any, Vector]]]:
        """What closes a branch: vectors that are the same for all probes, and vectors that are not."""
        kept: list[tuple[Any, Vector]] = []
        changing: list[tuple[Any, Vector]] = []
        for child in branch.children:
            if isinstance(child, Leaf):
                changing.append((("probe", child.label), probes[child.label]))
                continue
            name, vector = self._vector(draw, child, assignment, probes)
            (changing if name[0] == "probed" else kept).append((name, vector))
        return sorted(kept, key=lambda pair: repr(pair[0])), changing

    def _vector(
        self, draw: Draw, branch: Branch, assignment: Assignment, probes: dict[Label, Vector]
    ) -> tuple[tuple[Any, ...], Vector]:
        """A branch as a vector in parameter space, with a name that is equal for equal vectors."""
        kept, changing = self._directions(draw, branch, assignment, probes)
        tensor, entry = self.tensors[branch.operand], self._component_index(branch, assignment)
        names = tuple(name for name, _ in kept), tuple(name for name, _ in changing)
        if changing:
            return ("probed", tensor.key, entry, *names), tensor.vector(draw, kept, entry, changing)
        name = ("kept", tensor.key, entry, *names)
        return name, draw.remember((tensor.function.space, name), lambda: tensor.vector(draw, kept, entry))

    @property
    def open_components(self) -> list[Component]:
        """The components with free parameter indices; the contraction is their outer product."""
        return [component for component in self._components if component.free]

    def closed_weight(self, draw: Draw, assignment: Assignment) -> Array:
        """The coefficient times all components without free parameter indices, shape (B,)."""
        weight = np.full(draw.batch, self.factor(draw), like=draw.like)
        for component in self._components:
            if not component.free:
                weight = weight * self._component_value(draw, component, assignment, {})
        return weight

    def open_vector(
        self, draw: Draw, component: Component, assignment: Assignment, vector: Vector | None = None
    ) -> Vector:
        """A component as a vector over its first free index; ``vector`` enters at the second, if there is one."""
        probes = {} if vector is None else {component.free[1]: vector}
        return self._vector(draw, component.ends[0], assignment, probes)[1]

    def transposed(self, component: Component) -> Component:
        """A component with two free indices, read the other way; itself if it is symmetric."""
        first, second = component.free
        if any(first in term and second in term for term in self._parameter_terms):
            return component
        members = next(m for m in components(self._parameter_terms) if component.ends[0].operand in m)
        return plan(self._parameter_terms, members, (second, first), None, [t.key for t in self.tensors])


def _text(label: Label) -> str:
    return str(label[-1]) if isinstance(label, tuple) else str(label)
