"""Bounds on contractions from norms of their factors, sample by sample: whatever the dependence between factors.

Factors are absorbed one by one into the result A so far: |A . B|_F <= |A|_F |B|, where |B| is the operator norm of B as
a matrix from the indices it shares with A to the others. The injective norm would not do: with two or more shared
indices it is not submultiplicative (the identity has norm 1, and contracted with itself it gives N). docs/
predicted_orders.md states the rules.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import product
from typing import Any, Literal, Protocol, TypeAlias, get_args

from randtensor.dimensions import check_shape, same_dimension, scales_of
from randtensor.errors import EquationError, ExactError, InputError
from randtensor.orders import O, Order, Scale
from randtensor.prediction.derivation import Derivation, Step
from randtensor.prediction.function_class import growth
from randtensor.quantity import Quantity

__all__ = ["Normed", "norm_bound"]

Label: TypeAlias = Hashable
#: Exponents of a scale, its logarithm and its iterated logarithm: orders in one scale compare like these.
Exponents: TypeAlias = tuple[Fraction, ...]

#: Up to this many factors the best order of absorption is found exactly, in time 2^factors; beyond, greedily.
EXHAUSTIVE = 12

#: Up to this many traces within one factor, all ways of taking them are compared.
MOST_TRACES = 2

FROBENIUS = "|A B|_F <= |A|_F |B|_op"
INJECTIVE = "|A B|_inj <= |A|_inj |B|_inj over one index"


class Normed(Protocol):
    """A tensor whose norms have known orders.

    ``flattening_order(rows)`` is the order of the operator norm of the tensor as a matrix from the slots ``rows`` to
    the others; with no slots or all of them, it is the Frobenius norm. ``injective_order`` is for the injective norm.
    """

    @property
    def ndim(self) -> int:
        """Number of slots."""

    @property
    def dimensions(self) -> tuple[Any, ...]:
        """Sizes of the slots."""

    @property
    def injective_order(self) -> Order:
        """Order of the injective norm."""

    def flattening_order(self, rows: tuple[int, ...]) -> Order:
        """Order of the operator norm of the flattening with these slots as rows."""


def norm_bound(
    terms: Sequence[Sequence[Label]],
    output: Sequence[Label],
    norms: Sequence[Normed],
    *,
    norm: Literal["frobenius", "injective"] = "frobenius",
) -> Derivation:
    """A bound on a contraction by norms of its factors, in every sample: no expectation, no independence.

    1. The first factor enters with its Frobenius norm. Every further one multiplies by its operator norm as a matrix
       from the indices it shares with the factors absorbed before to the others, which is the Frobenius norm if it
       shares none or all.
    2. A trace over an index of dimension N costs N^(1/2) and the operator norm with both slots on one side, or N and
       that with the slots on different sides, whichever is less.
    3. By Cauchy-Schwarz, two groups of factors multiply by their Frobenius norms.
    4. The order of absorption with the smallest result is found by dynamic programming over subsets of at most 12
       factors, and greedily beyond. Orders in several scales are compared as if all scales grew alike.

    Parameters
    ----------
    terms : labels of every factor's indices; each label occurs twice, or once and in the output.
    output : labels left free.
    norms : the factors.
    norm : of the result; "injective" is the product of the injective norms where factors are contracted along a tree,
        over one index each, and the Frobenius norm, which is at least as large, elsewhere.

    Raises
    ------
    EquationError : labels that do not match the factors or each other.
    InputError : another norm.
    ExactError : a family that does not know its Frobenius norm.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> G, u = rt.gaussian(n, n), rt.gaussian(n)
    >>> print(norm_bound(["ab", "b"], "a", [G, u]).bound)
    O(n)
    """
    if norm not in get_args(Literal["frobenius", "injective"]):
        raise InputError(f"norm is {norm!r}, expected 'frobenius' or 'injective'")
    network = _network(terms, output, norms)
    steps: list[Step]
    if any(_frobenius(factor) == 0 for factor in norms):
        steps = [Step(name, "vanishes identically", Order.zero(), "definition") for name in network.names[:1]]
    elif norm == "injective" and network.is_forest() and (injective := _injective(norms)) is not None:
        rule = "tree over single indices: injective norms multiply"
        pairs = zip(network.names, injective, strict=True)
        steps = [Step(name, rule, order, INJECTIVE) for name, order in pairs]
    else:
        steps = _absorbed(network)
        if norm == "injective" and output:
            rule = "injective norm <= Frobenius norm: several shared indices, a loop, or injective norms not known"
            steps.append(Step("result", rule, Order.one(), "docs/predicted_orders.md"))
    return Derivation(
        O(reduce(lambda a, b: a * b, (step.order for step in steps), Order.one())), "upper bound", tuple(steps)
    )


@dataclass(frozen=True)
class _Network:
    """A contraction, by slots: which factor lies at the other end of each slot of each factor."""

    factors: tuple[Normed, ...]
    names: tuple[str, ...]
    terms: tuple[tuple[Label, ...], ...]
    #: for every factor and slot, the factor at the other end, None for a free index
    partners: tuple[tuple[int | None, ...], ...]

    def is_forest(self) -> bool:
        groups = list(range(len(self.factors)))
        for i, row in enumerate(self.partners):
            for j in row:
                if j is None or j < i:
                    continue
                a, b = groups[i], groups[j]
                if a == b:
                    return False
                groups = [a if group == b else group for group in groups]
        return True


def _network(terms: Sequence[Sequence[Label]], output: Sequence[Label], norms: Sequence[Normed]) -> _Network:
    if len(terms) != len(norms) or not terms:
        raise EquationError(f"terms lists {len(terms)} factors and norms {len(norms)}, expected one or more of both")
    owners: dict[Label, list[tuple[int, Any]]] = {}
    for number, (term, factor) in enumerate(zip(terms, norms, strict=True)):
        if len(term) != factor.ndim:
            raise EquationError(f"term {number} names {len(term)} indices, expected {factor.ndim} for its factor")
        for label, size in zip(term, factor.dimensions, strict=True):
            owners.setdefault(label, []).append((number, size))
    for label in output:
        if label not in owners:
            raise EquationError(f"index {label!r} is only in the output, expected it in a term")
    for label, ends in owners.items():
        if len(ends) + list(output).count(label) != 2:
            raise EquationError(
                f"index {label!r} is used {len(ends)} times{' and left free' if label in output else ''}, "
                f"expected twice to be summed or once to be left free"
            )
        if len(ends) == 2 and not same_dimension(*(_dimension(size) for _, size in ends)):
            raise EquationError(f"index {label!r} has dimensions {ends[0][1]} and {ends[1][1]}, expected one dimension")
    partners = []
    for number, term in enumerate(terms):
        found = [[owner for owner, _ in owners[label]] for label in term]
        partners.append(tuple(None if len(e) == 1 else e[1] if e[0] == number else e[0] for e in found))
    names = [
        repr(f) if isinstance(f, Quantity) else str(getattr(f, "name", f"factor {i}")) for i, f in enumerate(norms)
    ]
    return _Network(tuple(norms), tuple(names), tuple(map(tuple, terms)), tuple(partners))


def _dimension(size: Any) -> Any:
    return check_shape((size,), "dimensions")[0]


def _injective(norms: Sequence[Normed]) -> list[Order] | None:
    """The orders of the injective norms; None if a family does not know one."""
    try:
        return [factor.injective_order for factor in norms]
    except ExactError:
        return None


def _frobenius(factor: Normed) -> Order:
    return factor.flattening_order(())


@dataclass(frozen=True)
class _Absorption:
    """What a factor contributes when it is absorbed with some of its slots contracted."""

    order: Order
    exponents: Exponents
    rule: str


class _Absorptions:
    """Contributions of the factors of a network, by what has been absorbed before; each found once."""

    def __init__(self, network: _Network) -> None:
        self.network = network
        self._known: dict[tuple[int, tuple[int, ...]], _Absorption] = {}

    def of(self, factor: int, before: int) -> _Absorption:
        """The contribution of a factor when the factors in the bit set ``before`` are absorbed."""
        partners = self.network.partners[factor]
        shared = tuple(k for k, j in enumerate(partners) if j is not None and j != factor and before >> j & 1)
        if (factor, shared) not in self._known:
            options = self._options(factor, shared)
            self._known[factor, shared] = min(options, key=lambda option: option.exponents)
        return self._known[factor, shared]

    def _options(self, factor: int, shared: tuple[int, ...]) -> Iterator[_Absorption]:
        term, tensor = self.network.terms[factor], self.network.factors[factor]
        traces: dict[Label, tuple[int, int]] = {}
        for k, label in enumerate(term):
            if label in term[:k]:
                traces[label] = (term.index(label), k)
        ways = ("rows", "columns", "first", "second")
        # The number of combinations grows too fast: beyond a few traces, all are taken in the same way.
        few = len(traces) <= MOST_TRACES
        for sides in product(ways, repeat=len(traces)) if few else ((way,) * len(traces) for way in ways):
            rows, cost, words = list(shared), Order.one(), []
            for side, (label, (first, second)) in zip(sides, traces.items(), strict=True):
                size = growth(_dimension(tensor.dimensions[first]))
                rows += {"rows": [first, second], "columns": [], "first": [first], "second": [second]}[side]
                apart = side in ("first", "second")
                cost = cost * (size if apart else size**0.5)
                words.append(f"trace over {label}: dimension^{'1' if apart else '1/2'}")
            flat = tuple(sorted(rows))
            try:
                order = cost * tensor.flattening_order(flat)
                rule = self._rule(term, shared, flat)
            except ExactError:
                # The family knows no operator norm of this flattening; its Frobenius norm is at least as large.
                order, rule = cost * _frobenius(tensor), self._rule(term, shared, ())
            yield _Absorption(order, _exponents(order), ", ".join([rule, *words]))

    def _rule(self, term: tuple[Label, ...], shared: tuple[int, ...], rows: tuple[int, ...]) -> str:
        inside = " ".join(str(term[k]) for k in rows)
        outside = " ".join(str(term[k]) for k in range(len(term)) if k not in rows)
        norm = f"operator norm ({inside} | {outside})" if inside and outside else "Frobenius norm"
        if len(shared) <= 1:
            return f"contraction over one index: {norm}" if shared and len(term) > 1 else norm
        return f"contraction over {len(shared)} indices, not submultiplicative in the injective norm: {norm}"


def _absorbed(network: _Network) -> list[Step]:
    """Steps of the best way of absorbing all factors."""
    absorptions = _Absorptions(network)
    count = len(network.factors)
    if count > EXHAUSTIVE:
        return _steps(network, absorptions, [_greedy(absorptions, count)])
    zero = (Fraction(0),) * 3
    best: list[tuple[Exponents, int]] = [(zero, -1)]
    for group in range(1, 1 << count):
        options = []
        for factor in range(count):
            if group >> factor & 1:
                before = group & ~(1 << factor)
                options.append((_sum(best[before][0], absorptions.of(factor, before).exponents), factor))
        best.append(min(options))
    whole = (1 << count) - 1
    # The empty group leaves all factors in one sequence, and wins ties.
    half = min(range(1 << (count - 1)), key=lambda group: (_sum(best[group][0], best[whole & ~group][0]), group))
    sequences = []
    for group in (whole & ~half, half):
        sequence: list[int] = []
        while group:
            sequence.insert(0, best[group][1])
            group &= ~(1 << sequence[0])
        sequences.append(sequence)
    return _steps(network, absorptions, sequences)


def _greedy(absorptions: _Absorptions, count: int) -> list[int]:
    """At each step the factor that costs least, from the start for which this ends best."""
    found: list[tuple[Exponents, list[int]]] = []
    for start in range(count):
        sequence, group = [start], 1 << start
        total = absorptions.of(start, 0).exponents
        while len(sequence) < count:
            rest = [(absorptions.of(f, group).exponents, f) for f in range(count) if not group >> f & 1]
            cost, factor = min(rest)
            total, group = _sum(total, cost), group | 1 << factor
            sequence.append(factor)
        found.append((total, sequence))
    return min(found)[1]


def _steps(network: _Network, absorptions: _Absorptions, sequences: list[list[int]]) -> list[Step]:
    steps = []
    for number, sequence in enumerate(s for s in sequences if s):
        group = 0
        for factor in sequence:
            absorption = absorptions.of(factor, group)
            rule = absorption.rule if group or not number else f"second group, by Cauchy-Schwarz: {absorption.rule}"
            steps.append(Step(network.names[factor], rule, absorption.order, FROBENIUS))
            group |= 1 << factor
    return steps


def _sum(a: Exponents, b: Exponents) -> Exponents:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _exponents(order: Order) -> Exponents:
    """Exponents along the path on which all scales grow alike."""
    common = Scale("common")
    names = {scale: common ** (-1 if scale.to == 0 else 1) for scale in scales_of(order)}
    return tuple(order.substitute(names).exponents()) if names else (Fraction(0),) * 3
