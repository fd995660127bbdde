r"""Exact expectations for networks with one hidden layer, at every finite width.

For f(x) = c_1 sum_i v_i phi(c_0 u_i.x) a derivative tensor has no entries that mix two neurons i, and is linear in v. A
connected component of a contraction is therefore a sum over neurons of one polynomial

    X = sum over types of the indices  prod_operands c_1 v^(0 or 1) phi^(k)(z_a)  prod_(type u) c_0^2 x_a.x_b,

where each index is of type u or v, an operand carries at most one index of type v (and then no factor v), and k is the
number of its indices of type u. With the components X_1, ..., X_C independent from neuron to neuron,

    E prod_c sum_i X_c(i) = sum over set partitions {B_1, ..., B_b} of the components of
                            n (n - 1) ... (n - b + 1) prod_j E prod_(c in B_j) X_c,

so that what remains is integrals over one neuron: an exact expansion in n without remainder.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from randtensor.errors import ExactError
from randtensor.exact.derivatives._integrals import Monomial, PreActivations, gaussian_integrals, homogeneity
from randtensor.exact.partitions import Counts, splits, without_first
from randtensor.exact.rationals import Number, term_power
from randtensor.expansions import Expansion
from randtensor.orders import Order, Term
from randtensor.planning import Label, components
from randtensor.random_function import FullyConnected
from randtensor.tensors import iid

if TYPE_CHECKING:
    from randtensor.derivative_contraction import DerivativeContraction
    from randtensor.derivatives import DerivativeTensor

__all__ = ["UnitPolynomial", "neuron_cumulant", "neuron_expectation", "readout_moment", "times"]

#: A polynomial in the read-out weight and the derivatives of phi at one neuron: coefficients by (power of v, monomial).
UnitPolynomial = dict[tuple[int, Monomial], Number]

#: Contracted indices of one component; their types are enumerated.
MAXIMUM_LABELS = 16

#: Products of components on one neuron, and terms of one of them.
MAXIMUM_BLOCKS, MAXIMUM_TERMS = 2**10, 20_000

#: Odd moments below this, relative to the power of the standard deviation, are rounding errors of a symmetric law.
NEGLIGIBLE = 1e-12


def neuron_expectation(contraction: DerivativeContraction) -> Expansion:
    """The exact expectation of a contraction of derivative tensors of a network with one hidden layer.

    Coefficients are fractions for linear and polynomial activations, and for piecewise linear ones at parallel inputs,
    if inputs, standard deviations and moments are (or are roots of) fractions; otherwise floats from quadrature with a
    relative error of about 1e-10.

    Parameters
    ----------
    contraction : scalar, of derivatives of ``rt.networks.mlp(..., hidden_layers=1)`` or of ``two_layer``, without
        biases, at any inputs; several networks are independent of each other.

    Returns
    -------
    The expansion in the width, without remainder.

    Raises
    ------
    ExactError : another architecture, free indices, an activation without the derivatives needed, more than three
        linearly independent inputs (two if piecewise linear), or a contraction that is too large.

    Notes
    -----
    The sum over neurons and set partitions generalises the one-hidden-layer case of Dyer & Gur-Ari, arXiv 1909.11304.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"), activation="linear")
    >>> H, g = f.derivative([1.0], order=2), f.derivative([1.0])
    >>> print(neuron_expectation(rt.einsum("ij,i,j,->", H, g, g, f([1.0]))))
    2 n^{-1}
    """
    return neuron_cumulant(contraction)


def neuron_cumulant(*contractions: DerivativeContraction) -> Expansion:
    """The exact joint cumulant of contractions; of one the mean, of one given twice the variance.

    Leading terms of the moments cancel in cumulants. They do so exactly here, also where coefficients are floats: those
    are subtracted as the fractions that they are, so that the order of the result is the true one.

    Parameters
    ----------
    contractions : as for `neuron_expectation`, which see for what is raised.

    Examples
    --------
    >>> import randtensor as rt
    >>> g = rt.networks.two_layer(inputs=1, width=rt.Scale("n")).derivative([1.0])
    >>> kernel = rt.einsum("i,i->", g, g)
    >>> neuron_cumulant(kernel, kernel).order
    Order('n^{-1}')
    """
    for contraction in contractions:
        if contraction.output:
            raise ExactError(f"the contraction has {len(contraction.output)} free indices, expected 0")
    distinct = list({id(c): c for c in contractions}.values())
    chosen = tuple(sorted(distinct.index(c) for c in contractions))
    spaces = dict.fromkeys(t.function.space for c in distinct for t in c.tensors)
    operands = [list(zip(c.tensors, c.terms, strict=True)) for c in distinct]
    networks = [
        _Neurons([[pair for pair in pairs if pair[0].function.space is space] for pairs in operands], chosen)
        for space in spaces
    ]
    total = _Cumulants(networks).of(chosen)
    if not all(network.is_exact for network in networks):
        total = sum((Expansion.of(Term(float(t.coefficient), t.order)) for t in total.terms), Expansion.of(0))
    for network in networks:
        for factor in (network.architecture.factors[1], network.architecture.stds[1]):
            number, growth = term_power(factor, network.operands(chosen))
            total = total * Expansion.of(number) * growth
    for factor in (factor for c in contractions for factor in c.coefficient):
        number, growth = term_power(factor, 1)
        total = total * Expansion.of(number) * growth
    return total


class _Cumulants:
    """Joint cumulants of contractions, given by their numbers, from joint moments."""

    def __init__(self, networks: Sequence[_Neurons]) -> None:
        self._networks = networks
        self._known: dict[tuple[int, ...], Expansion] = {}

    def of(self, chosen: tuple[int, ...]) -> Expansion:
        """The moment without what falls apart into the cumulant of a part with the first one and a moment."""
        if chosen not in self._known:
            first, *others = chosen
            result = self._moment(chosen)
            for size in range(len(others)):
                for along in combinations(range(len(others)), size):
                    part = (first, *(others[i] for i in along))
                    rest = tuple(other for i, other in enumerate(others) if i not in along)
                    result = result - self.of(part) * self._moment(rest)
            self._known[chosen] = result
        return self._known[chosen]

    def _moment(self, chosen: tuple[int, ...]) -> Expansion:
        result = Expansion.of(1)
        for network in self._networks:
            result = result * network.moment(chosen)
        return result


def readout_moment(readout: Any, power: int) -> Number:
    """E v^power for a law as ``rt.iid`` takes it, or for the standard normal one if it is None.

    Raises
    ------
    ExactError : the moment is not finite.

    >>> readout_moment(None, 4)
    Fraction(3, 1)
    """
    if power == 0:
        return Fraction(1)
    if readout is None:
        return Fraction(0 if power % 2 else math.prod(range(power - 1, 0, -2)))
    law = iid(readout, 1).law
    moment: Number = law.moment((None,) * power)
    if power % 2 and abs(moment) <= NEGLIGIBLE * float(law.moment((None, None))) ** (power / 2):
        return Fraction(0)
    return moment


def times(left: UnitPolynomial, right: UnitPolynomial) -> UnitPolynomial:
    """The product of two polynomials.

    >>> v_phi = {(1, ((0, 0, 1),)): Fraction(2)}
    >>> times(v_phi, v_phi)
    {(2, ((0, 0, 2),)): Fraction(4, 1)}
    """
    result: UnitPolynomial = {}
    for ((p, f), x), ((q, g), y) in product(left.items(), right.items()):
        powers = {(a, k): e for a, k, e in f}
        for a, k, e in g:
            powers[a, k] = powers.get((a, k), 0) + e
        key = p + q, tuple(sorted((a, k, e) for (a, k), e in powers.items()))
        result[key] = result.get(key, Fraction(0)) + x * y
    return result


class _Neurons:
    """Joint moments of the parts of contractions that belong to one network.

    They lack the factor (c_1 s_1)^operands, s_1 the deviation of the read-out: what is left has even powers of factors
    and deviations, which are fractions more often.

    Parameters
    ----------
    parts : operands with their labels, by contraction.
    chosen : the contractions, by number, of the largest moment that will be asked for.
    """

    def __init__(
        self, parts: Sequence[Sequence[tuple[DerivativeTensor, Sequence[Label]]]], chosen: tuple[int, ...]
    ) -> None:
        tensors = [t for part in parts for t, _ in part]
        self.architecture = _check_network(tensors)
        vectors = {t.x.tobytes(): t.x for t in tensors}
        numbers = {x: i for i, x in enumerate(vectors)}
        factor, std = (term_power(values[0], 2)[0] for values in (self.architecture.factors, self.architecture.stds))
        points = PreActivations(list(vectors.values()), factor * std)
        self._sizes = [(len(part), sum(len(term) for _, term in part)) for part in parts]

        found: list[Counter[frozenset[tuple[tuple[int, Monomial], Number]]]] = []
        for part in parts:
            terms = [term for _, term in part]
            inputs = [numbers[t.x.tobytes()] for t, _ in part]
            found.append(
                Counter(
                    frozenset(_component([terms[m] for m in c], [inputs[m] for m in c], points).items())
                    for c in components(terms)
                )
            )
        kinds = list(dict.fromkeys(kind for counted in found for kind in counted))
        self._counts = [tuple(counted[kind] for kind in kinds) for counted in found]
        values = _block_values([dict(kind) for kind in kinds], self._sum(chosen), self.architecture, points)
        squares = [term_power(f, 2)[0] for f in (self.architecture.factors[0], self.architecture.stds[1])]
        #: whether all numbers are fractions by right
        self.is_exact = all(isinstance(x, Fraction) for x in squares) and all(
            isinstance(x, Fraction) for value in values.values() for x in value.values()
        )
        fractions = {block: {p: Fraction(x) for p, x in value.items()} for block, value in values.items()}
        self._arrangements = _Arrangements(fractions)
        self._growth = _growth(self.architecture)

    def operands(self, chosen: tuple[int, ...]) -> int:
        """Number of operands of the contractions together."""
        return sum(self._sizes[i][0] for i in chosen)

    def moment(self, chosen: tuple[int, ...]) -> Expansion:
        """E of the product of the contractions."""
        width, total = Expansion.of(self.architecture.widths[0]), Expansion.of(0)
        operands, slots = self.operands(chosen), sum(self._sizes[i][1] for i in chosen)
        growth, degree = self._growth
        for (blocks, power), value in sorted(self._arrangements.sum(self._sum(chosen)).items()):
            hidden = slots - operands + power
            summand = Expansion.of(value)
            for j in range(blocks):
                summand = summand * (width - j)
            for factor, exponent in (
                (self.architecture.factors[0], hidden),
                (self.architecture.stds[1], power - operands),
            ):
                coefficient, order = term_power(factor, 2)
                summand = summand * Fraction(coefficient) ** (exponent // 2) * order ** Fraction(exponent, 2)
            total = total + summand * growth ** (degree * operands - hidden)
        return total

    def _sum(self, chosen: tuple[int, ...]) -> Counts:
        return tuple(sum(self._counts[i][kind] for i in chosen) for kind in range(len(self._counts[0])))


def _growth(network: FullyConnected) -> tuple[Order, int]:
    """How the pre-activations grow, and with which power the activation lets that through."""
    growth = term_power(network.factors[0], 1)[1] * term_power(network.stds[0], 1)[1]
    degree = 0 if growth == Order.one() else homogeneity(network.activation)
    if degree is None:
        raise ExactError(
            f"the pre-activations of {network.activation.name!r} are of order {growth}, expected order 1 for an "
            f"activation that is not homogeneous"
        )
    return growth, degree


def _check_network(tensors: Sequence[DerivativeTensor]) -> FullyConnected:
    """The architecture of the operands' network."""
    network: FullyConnected | None = tensors[0].function.architecture
    expected = "expected a fully connected network with one hidden layer, scalar output and no biases"
    if network is None or any(t.function.architecture is not network for t in tensors):
        raise ExactError(f"an operand is a derivative of {tensors[0].function.name!r}, {expected}")
    if len(network.widths) != 1:
        raise ExactError(f"the network has {len(network.widths)} hidden layers, {expected}")
    if network.outputs is not None:
        raise ExactError(f"the network has an output vector of length {network.outputs}, {expected}")
    if network.biases:
        raise ExactError(f"the network has biases of standard deviation {network.biases}, {expected}")
    for t in tensors:
        if t.x.shape != (network.inputs,):
            raise ExactError(f"an input has shape {t.x.shape}, expected one vector of length {network.inputs}")
    return network


def _component(terms: Sequence[Sequence[Label]], inputs: Sequence[int], points: PreActivations) -> UnitPolynomial:
    """X without the factors c_0 and c_1, by adding one contracted index after the other."""
    ends: dict[Label, list[int]] = {}
    for operand, term in enumerate(terms):
        for label in term:
            ends.setdefault(label, []).append(operand)
    if len(ends) > MAXIMUM_LABELS:
        raise ExactError(f"a component contracts {len(ends)} indices, expected at most {MAXIMUM_LABELS}")
    #: by operand: indices of type u, and whether it carries one of type v
    states: dict[tuple[tuple[int, bool], ...], Number] = {((0, False),) * len(terms): Fraction(1)}
    for i, j in ends.values():
        following: dict[tuple[tuple[int, bool], ...], Number] = {}
        for state, weight in states.items():
            hidden, readout = list(state), list(state)
            for operand in (i, j):
                hidden[operand] = (hidden[operand][0] + 1, state[operand][1])
                readout[operand] = (state[operand][0], True)
            inner = points.dot(inputs[i], inputs[j])
            if inner:
                following[tuple(hidden)] = following.get(tuple(hidden), Fraction(0)) + weight * inner
            if i != j and not state[i][1] and not state[j][1]:
                following[tuple(readout)] = following.get(tuple(readout), Fraction(0)) + weight
        states = following
    result: UnitPolynomial = {}
    for state, weight in states.items():
        powers = Counter((a, k) for a, (k, _) in zip(inputs, state, strict=True))
        key = sum(not closed for _, closed in state), tuple(sorted((a, k, e) for (a, k), e in powers.items()))
        result[key] = result.get(key, Fraction(0)) + weight
    return result


def _block_values(
    kinds: Sequence[UnitPolynomial], counts: Counts, network: FullyConnected, points: PreActivations
) -> dict[Counts, dict[int, Number]]:
    """E prod X over every choice of components on one neuron: coefficients by power of the read-out's deviation."""
    if math.prod(count + 1 for count in counts) > MAXIMUM_BLOCKS:
        raise ExactError(
            f"the contraction has {sum(counts)} components of {len(counts)} kinds, expected at most {MAXIMUM_BLOCKS} "
            f"products of them"
        )
    products: dict[Counts, UnitPolynomial] = {(0,) * len(counts): {(0, ()): Fraction(1)}}
    for block in product(*(range(count + 1) for count in counts)):
        if any(block):
            first, less = without_first(block)
            products[block] = times(products[less], kinds[first])
            if len(products[block]) > MAXIMUM_TERMS:
                raise ExactError(f"the contraction needs more than {MAXIMUM_TERMS} integrals, expected fewer operands")
    moments = {p: readout_moment(network.readout, p) for p in {p for unit in products.values() for p, _ in unit}}
    needed = (monomial for unit in products.values() for p, monomial in unit if moments[p])
    integrals = gaussian_integrals(network.activation, points, needed)
    values: dict[Counts, dict[int, Number]] = {}
    for block, unit in products.items():
        by_power: dict[int, Number] = {}
        for (p, monomial), weight in unit.items():
            if moments[p]:
                by_power[p] = by_power.get(p, Fraction(0)) + weight * moments[p] * integrals[monomial]
        values[block] = {p: value for p, value in by_power.items() if value}
    return values


class _Arrangements:
    """Sums over the set partitions of the components, by number of blocks and power of the read-out's deviation."""

    def __init__(self, values: dict[Counts, dict[int, Fraction]]) -> None:
        self._values = values
        self._known: dict[Counts, dict[tuple[int, int], Fraction]] = {}

    def sum(self, counts: Counts) -> dict[tuple[int, int], Fraction]:
        """Sum over the partitions of so many components of each kind."""
        if not any(counts):
            return {(0, 0): Fraction(1)}
        if counts not in self._known:
            result: dict[tuple[int, int], Fraction] = {}
            for ways, block, rest in splits(counts):
                if not self._values[block]:
                    continue
                for ((blocks, p), x), (q, y) in product(self.sum(rest).items(), self._values[block].items()):
                    key = (blocks + 1, p + q)
                    result[key] = result.get(key, Fraction(0)) + ways * x * y
            self._known[counts] = result
        return self._known[counts]
