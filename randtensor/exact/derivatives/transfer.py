"""Exact expectations of contractions of derivative tensors of deep homogeneous networks, by a transfer matrix.

A weight occurs once per factor of the product, so that Wick's theorem gives one perfect matching of the m factors for
every weight matrix. Neighbouring matrices are coupled by the Gram matrix of the layer between them, and a contracted
index forces two factors to be matched in the matrix whose entry it differentiates by (Dyer & Gur-Ari, arXiv
1909.11304, count the same diagrams by their loops). The Gram matrices of all widths share their eigenspaces, which
belong to the partitions of m/2, so the sum over layers is a sum over eigenvalues that are known polynomials in the
widths. The slope of a piecewise linear homogeneous activation is met an even number of times at every neuron, and
flipping the sign of the neuron's weights shows it to be independent of everything else: only the eigenvalues change.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm, prod

from randtensor.derivative_contraction import DerivativeContraction
from randtensor.errors import ExactError
from randtensor.exact.derivatives._chain import Chain, Monomial, check_size, product_of, read_chain
from randtensor.exact.derivatives._gram import constant_eigenvalue, eigenvalues
from randtensor.exact.derivatives._layers import Layers, Monomials, sum_over_layers
from randtensor.exact.derivatives._longest_path import longest_path
from randtensor.exact.derivatives._placements import Placements, placement_constants
from randtensor.exact.haar.matchings import count_matchings, matchings
from randtensor.exact.rationals import Number, multiply
from randtensor.expansions import Expansion
from randtensor.orders import Order, Term

__all__ = ["transfer_expectation", "transfer_exponent"]


def transfer_expectation(contraction: DerivativeContraction) -> Expansion:
    """The expectation over the initialisation, exact at every width.

    Parameters
    ----------
    contraction : a scalar contraction of derivative tensors of one fully connected network without biases, with scalar
        output, Gaussian weights, and a linear activation; or with relu, leaky_relu or abs, where all operands are
        taken at one input or at positive multiples of it.

    Returns
    -------
    A polynomial in the widths and their inverses, times what the parametrisation contributes; the contraction's
    coefficient is included.

    Raises
    ------
    ExactError : the network or the contraction is not of this kind, or has too many operands.

    Notes
    -----
    1. Split the contracted indices into an ordered list of sets, each for one weight matrix, and find the constants by
       which these sets couple the eigenspaces of the Gram matrices, in exact rational arithmetic.
    2. Sum products of eigenvalues over all layers at which the sets can be placed, as polynomials in the widths.

    With m operands and K contracted indices the first step costs about 2^K (m-1)!! times a small power of the number of
    partitions of m/2; the second is linear in the depth times the length of the answer.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.deep_linear(inputs=1, width=n, hidden_layers=2)
    >>> F, g, H = (f.derivative([1.0], order=k) for k in range(3))
    >>> transfer_expectation(rt.einsum("ab,a,b,->", H, g, g, F))
    Expansion('8 n^{-1} + 10 n^{-2}')
    """
    chain = read_chain(contraction)
    if chain.vanishes or not any(map(any, chain.products)):
        return Expansion.of(0)
    weights, scale = _inputs(chain)
    degree = chain.operands // 2
    if chain.edges:
        check_size(chain)
        found, denominator = eigenvalues(degree, chain.slopes)
    else:
        polynomial, denominator = constant_eigenvalue(degree, chain.slopes)
        found = (polynomial,)
    layers, variables, reference = _layers(chain, found)
    if chain.edges:
        alike = all(width == chain.widths[0] for width in chain.widths)
        alike = alike and all(variable is None for variable in layers.place_variables[1:-1])
        sized = any(variable is not None for variable in layers.place_variables)
        most = len(layers.place_variables)
        constants = placement_constants(Placements(chain.operands, chain.edges, most, weights, not alike, sized))
    else:
        total = sum(weights) if weights else count_matchings(chain.operands)
        constants = {(0, (), ()): Fraction(total)}
    scalars = [chain.prefactor, (scale, Order(1)), *[reference] * len(chain.edges)]
    scalars += [(coefficient / denominator, growth) for coefficient, growth in chain.widths]
    return _expansion(sum_over_layers(layers, constants), variables, product_of(scalars))


def transfer_exponent(contraction: DerivativeContraction) -> Fraction | None:
    """The true exponent of the expectation in the width, without its polynomial.

    Every assignment of contracted indices to weights and every choice of matchings contributes a positive power of the
    width, so that the largest is attained: it is a longest path through the layers.

    Parameters
    ----------
    contraction : as for ``transfer_expectation``, with widths that are multiples of powers of one scale.

    Returns
    -------
    The exponent of that scale, or None if the expectation is zero at every width.

    Raises
    ------
    ExactError : the contraction is not of this kind, has too many operands, has several scales as widths, or has
        inputs of which some form negative inner products, so that leading powers may cancel.

    Examples
    --------
    The claw, whose cluster graph only says that it is at most of order 1/n:

    >>> import randtensor as rt
    >>> f = rt.networks.mlp(inputs=1, width=rt.Scale("n"), hidden_layers=40, activation="relu")
    >>> g, T = f.derivative([1.0]), f.derivative([1.0], order=3)
    >>> transfer_exponent(rt.einsum("abc,a,b,c->", T, g, g, g))
    Fraction(-2, 1)
    """
    chain = read_chain(contraction)
    if chain.vanishes:
        return None
    scales = {scale for _, growth in chain.widths for scale in growth.scales}
    if len(scales) > 1:
        names = ", ".join(sorted(scale.name for scale in scales))
        raise ExactError(f"the widths grow with the scales {names}, expected a single one")
    if not chain.is_collinear and any(product < 0 for row in chain.products for product in row):
        least = float(min(min(row) for row in chain.products))
        raise ExactError(
            f"the inputs have an inner product of {least:g}, so that leading powers may cancel, expected none negative"
        )

    def exponent(monomial: Monomial) -> Fraction:
        return next((monomial[1].exponents(scale).power for scale in scales), Fraction(0))

    widths = [exponent(width) for width in chain.widths]
    best = longest_path(chain, widths, [exponent(place) for place in chain.places])
    return None if best is None else best + exponent(chain.prefactor) + chain.operands // 2 * sum(widths, Fraction(0))


def _inputs(chain: Chain) -> tuple[tuple[int, ...] | None, Number]:
    """Products of inner products by matching, as integers and a common factor; None where all are equal."""
    degree = chain.operands // 2
    if chain.is_collinear:
        longest = max(range(chain.operands), key=lambda operand: chain.products[operand][operand])
        square = chain.products[longest][longest]
        if all(product == square for product in chain.products[longest]):
            return None, square**degree
        return None, multiply(chain.products[longest]) / square**degree
    check_size(chain)
    exact = all(isinstance(product, Fraction) for row in chain.products for product in row)
    products = [[Fraction(product) for product in row] for row in chain.products]
    values = [prod((products[a][b] for a, b in matching), start=Fraction(1)) for matching in matchings(chain.operands)]
    denominator = lcm(*(value.denominator for value in values))
    scale: Number = Fraction(1, denominator)
    return tuple(int(value * denominator) for value in values), scale if exact else float(scale)


def _layers(chain: Chain, found: tuple[tuple[int, ...], ...]) -> tuple[Layers, list[Monomial], Monomial]:
    """The chain with variables for widths and places, what the variables stand for, and what a usual place is worth."""
    variables: list[Monomial] = []

    def number(monomial: Monomial) -> int:
        if monomial not in variables:
            variables.append(monomial)
        return variables.index(monomial)

    numeric = [width[1] == Order(1) for width in chain.widths]
    width_variables = tuple(
        None if plain else number(width) for plain, width in zip(numeric, chain.widths, strict=True)
    )
    reference = max(chain.places, key=chain.places.count)
    widths = len(variables)
    place_variables = []
    for coefficient, growth in chain.places:
        ratio = coefficient / reference[0], growth / reference[1]
        usual = (coefficient, growth) == reference
        # A place may count with the same monomial as some width does, but it is a variable of its own.
        if not usual and ratio not in variables[widths:]:
            variables.append(ratio)
        place_variables.append(None if usual else widths + variables[widths:].index(ratio))
    layers = Layers(
        found,
        tuple(int(width[0]) if plain else None for plain, width in zip(numeric, chain.widths, strict=True)),
        width_variables,
        tuple(place_variables),
        len(variables),
    )
    return layers, variables, reference


def _expansion(monomials: Monomials, variables: list[Monomial], scalar: Monomial) -> Expansion:
    collected: dict[Order, Number] = {}
    for exponents, value in monomials.items():
        powers = [(c**e, growth**e) for (c, growth), e in zip(variables, exponents, strict=True)]
        coefficient, order = product_of([(value, Order(1)), scalar, *powers])
        collected[order] = collected.get(order, Fraction(0)) + coefficient
    terms = [Expansion.of(Term(coefficient, order)) for order, coefficient in collected.items()]
    # Summed in pairs, so that long sums are not copied once per term.
    while len(terms) > 1:
        terms = [sum(terms[i + 1 : i + 2], start=terms[i]) for i in range(0, len(terms), 2)]
    return terms[0] if terms else Expansion.of(0)
