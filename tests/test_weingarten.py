"""Weingarten functions and matchings: inverses of Gram matrices, known values, and an independent package."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor.errors import ExactError, InputError
from randtensor.exact.haar.matchings import coset_type, coset_types, count_matchings, matchings, partners
from randtensor.exact.haar.spherical import partitions, spherical_table
from randtensor.exact.haar.weingarten import Weingarten, weingarten
from randtensor.expansions import Expansion

n = rt.Scale("n")


def cycle_type(permutation):
    left, lengths = set(range(len(permutation))), []
    while left:
        point, length = min(left), 0
        while point in left:
            left.remove(point)
            point, length = permutation[point], length + 1
        lengths.append(length)
    return tuple(sorted(lengths, reverse=True))


def types_of_pairs(group, degree):
    """All pairs of permutations, or of matchings, by type."""
    if group == "unitary":
        elements = list(permutations(range(degree)))
        return [[cycle_type([s.index(i) for i in t]) for t in elements] for s in elements]
    elements = matchings(2 * degree)
    return [[coset_type(p, q) for q in elements] for p in elements]


def gram_and_inverse(group, degree, size):
    """Both matrices at one dimension, in integers: the inverse times its common denominator."""
    pairs, function = types_of_pairs(group, degree), weingarten(group, degree)
    values = {kind: function.value(kind, size) for kind in function.types}
    denominator = int(np.lcm.reduce([value.denominator for value in values.values()], dtype=object))
    gram = np.array([[size ** len(kind) for kind in row] for row in pairs], dtype=object)
    inverse = np.array([[int(values[kind] * denominator) for kind in row] for row in pairs], dtype=object)
    return gram, inverse, denominator


@pytest.mark.parametrize("group", ["unitary", "orthogonal"])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_it_is_the_pseudo_inverse_of_the_gram_matrix(group, degree, size):
    gram, inverse, denominator = gram_and_inverse(group, degree, size)
    product = gram @ inverse
    assert (product == product.T).all()
    assert (product @ gram == denominator * gram).all()
    assert (inverse @ product == denominator * inverse).all()
    if size >= degree:
        assert (product == denominator * np.eye(len(gram), dtype=int)).all()


def test_it_inverts_the_gram_matrix_of_the_105_matchings():
    gram, inverse, denominator = gram_and_inverse("orthogonal", 4, 5)
    assert (gram @ inverse == denominator * np.eye(105, dtype=int)).all()


@pytest.mark.parametrize(
    ("group", "kind", "numerator", "denominator"),
    [
        ("unitary", (1,), lambda n: 1, lambda n: n),
        ("unitary", (1, 1), lambda n: 1, lambda n: n**2 - 1),
        ("unitary", (2,), lambda n: -1, lambda n: n * (n**2 - 1)),
        ("unitary", (1, 1, 1), lambda n: n**2 - 2, lambda n: n * (n**2 - 1) * (n**2 - 4)),
        ("unitary", (2, 1), lambda n: -1, lambda n: (n**2 - 1) * (n**2 - 4)),
        ("unitary", (3,), lambda n: 2, lambda n: n * (n**2 - 1) * (n**2 - 4)),
        ("orthogonal", (1, 1), lambda n: n + 1, lambda n: n * (n - 1) * (n + 2)),
        ("orthogonal", (2,), lambda n: -1, lambda n: n * (n - 1) * (n + 2)),
    ],
)
def test_published_values(group, kind, numerator, denominator):
    size = Expansion.of(n)
    found = weingarten(group, sum(kind)).expansion(kind, size)
    assert found == numerator(size) / denominator(size)


@pytest.mark.parametrize("group", ["unitary", "orthogonal"])
@pytest.mark.parametrize("degree", [2, 3, 5])
def test_the_rational_function_agrees_with_the_values_from_the_degree_on(group, degree):
    function = weingarten(group, degree)
    for kind in function.types:
        found = function.expansion(kind, n)
        assert dict(found.valid_from) == {"n": degree}
        for size in (degree, degree + 1, 20):
            assert found.exact({"n": size}) == function.value(kind, size)
        doubled = function.expansion(kind, 2 * n)
        assert doubled.exact({"n": 9}) == function.value(kind, 18)


@pytest.mark.parametrize(("group", "degree"), [("unitary", 4), ("unitary", 6), ("orthogonal", 3), ("orthogonal", 4)])
def test_an_independent_package_agrees(group, degree):
    haarpy = pytest.importorskip("haarpy")
    other = {"unitary": haarpy.weingarten_unitary, "orthogonal": haarpy.weingarten_orthogonal}[group]
    function = weingarten(group, degree)
    for kind in function.types:
        assert function.value(kind, degree + 3) == Fraction(str(other(kind, degree + 3)))


@pytest.mark.parametrize("degree", [2, 4, 6, 8])
def test_leading_orders_are_products_of_catalan_numbers(degree):
    """Wg ~ n^(-k - |pi|) prod (-1)^(l-1) Catalan(l-1) over the cycles (Collins & Sniady, math-ph/0402073)."""
    for group in ("unitary", "orthogonal"):
        function = weingarten(group, degree)
        for kind in function.types:
            catalan = prod(
                (-1) ** (part - 1) * factorial(2 * part - 2) // factorial(part - 1) // factorial(part) for part in kind
            )
            lead = function.expansion(kind, n).leading
            assert lead.coefficient == catalan
            assert lead.order == n ** (len(kind) - 2 * degree)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_moments_of_one_entry(size):
    """E |U_11|^2k = k!/(n (n+1) ..), E O_11^2k = (2k-1)!!/(n (n+2) ..): below the degree as well."""
    for degree in (1, 2, 4, 5):
        for group, alpha, pairs in (("unitary", 1, factorial(degree)), ("orthogonal", 2, count_matchings(2 * degree))):
            function, table = weingarten(group, degree), spherical_table(alpha, degree)
            total = sum(s * function.value(kind, size) for kind, s in zip(table.types, table.sizes, strict=True))
            assert pairs * total == Fraction(pairs, prod(size + alpha * j for j in range(degree)))


@pytest.mark.parametrize("alpha", [1, 2])
@pytest.mark.parametrize("degree", [1, 4, 6, 7])
def test_spherical_functions_are_orthogonal(alpha, degree):
    table = spherical_table(alpha, degree)
    assert sum(table.ranks) == table.points
    for i, first in enumerate(table.values):
        for j, second in enumerate(table.values):
            overlap = sum(s * a * b for s, a, b in zip(table.sizes, first, second, strict=True))
            assert overlap * table.ranks[i] == (table.points if i == j else 0)


def test_characters_of_the_symmetric_group_of_four_points():
    table = spherical_table(1, 4)
    dimensions = [round(rank**0.5) for rank in table.ranks]
    characters = [[int(d * v) for v in row] for d, row in zip(dimensions, table.values, strict=True)]
    assert table.types == ((4,), (3, 1), (2, 2), (2, 1, 1), (1, 1, 1, 1))
    assert characters == [[1, 1, 1, 1, 1], [-1, 0, -1, 1, 3], [0, -1, 2, 0, 2], [1, 0, -1, -1, 3], [-1, 1, 1, -1, 1]]


@given(st.integers(1, 5), st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_coset_types_depend_on_pairs_up_to_relabelling(degree, random):
    found = partners(2 * degree)
    chosen = matchings(2 * degree)
    first, second = random.randrange(len(chosen)), random.randrange(len(chosen))
    kind = coset_type(chosen[first], chosen[second])
    assert partitions(degree)[coset_types(found[[first]], found[[second]])[0, 0]] == kind
    points = list(range(2 * degree))
    random.shuffle(points)
    moved = [tuple((points[a], points[b]) for a, b in chosen[i]) for i in (second, first)]
    assert coset_type(*moved) == kind


@pytest.mark.parametrize("points", [0, 1, 2, 5, 8])
def test_matchings_are_all_and_distinct(points):
    found = matchings(points)
    assert len(set(found)) == len(found) == count_matchings(points)
    assert all(sorted(point for pair in matching for point in pair) == list(range(points)) for matching in found)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: weingarten("symplectic", 2), InputError, "group is 'symplectic', expected 'unitary' or 'orthogonal'"),
        (lambda: Weingarten("unitary", 0), InputError, "degree is 0, expected a positive integer"),
        (lambda: Weingarten("unitary", 40), ExactError, "degree is 40, expected at most 12"),
        (
            lambda: weingarten("unitary", 2).value((1,), 3),
            InputError,
            r"type is \(1,\), expected a decreasing partition of 2",
        ),
        (lambda: weingarten("unitary", 3).expansion((1, 2), n), InputError, r"type is \(1, 2\), expected"),
        (lambda: weingarten("unitary", 1).value((1,), 0), InputError, "n is 0, expected a positive integer"),
        (lambda: matchings(-2), InputError, "points is -2, expected a non-negative integer"),
        (lambda: coset_type(((0, 1),), ((0, 2),)), InputError, "second is .* expected a perfect matching of the same"),
    ],
)
def test_bad_input_gets_a_sentence(call, error, match):
    with pytest.raises(error, match=match):
        call()
