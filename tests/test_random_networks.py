"""Exact moments of random networks of all families, against samples, symbolic sizes and reordered operands.

Samples are compared for networks of fixed seeds, so that a run repeats the one that passed. Each of
at most 2 x 80 comparisons is at 7 standard errors: for normal means one of them fails by chance with probability below
160 x 2.6e-12 < 1e-9. Products have heavier tails than that, so there are at most four tensors in a network, and samples
of squares are compared for two only.
"""

from __future__ import annotations

import math
from itertools import pairwise
from string import ascii_letters

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tensor_families import FAMILIES, SIZE, m, n

import randtensor as rt
from randtensor import strategies

SAMPLES, LARGEST_Z = 3000, 7.0

#: All that is left without a rule: rotations of small spaces, tensors that meet two blocks at once, and functions that
#: are no polynomials of entries whose law depends on the size.
NO_RULE = ("the determinant enters below", "lies at two places", "moments that are no sums of powers")

POOL = {
    **FAMILIES,
    "vector": rt.gaussian(n),
    "complex vector": rt.complex_gaussian(n),
    "signs": rt.iid("rademacher", n),
    "skewed": rt.iid("exponential", n, n),
    "direction": rt.sphere(n),
    "identity": rt.identity(n),
    "constant": rt.constant(n**-1, n, n),
    "spiked matrix": rt.spiked(rt.goe(n), 2),
    "shared blocks": rt.block(rt.identity(n), rt.gaussian(n, 2 * n)),
    "nested blocks": rt.block(2 * rt.block(rt.goe(n), rt.haar(n)), rt.identity(n)),
    "whole": rt.gaussian(3 * n, 2 * n),
    "fixed": rt.fixed([[1.0, 2.0, 0.0], [0.0, -1.0, 1.0], [0.5, 0.0, 1.0]]),
    "rectangular": rt.gaussian(n, m),
}


def elementwise(name):
    def function(tensor):
        made = tensor if tensor.is_complex else rt.apply(name, tensor)
        try:
            made.diagram()
        except rt.ExactError:
            return tensor
        return made

    return function


#: One operation on top; where it does not apply it changes nothing.
OPERATIONS = {
    "none": lambda t: t,
    "scaled": lambda t: -t / n**0.5,
    "sum": lambda t: t + 2 * t,
    "transpose": lambda t: t.T,
    "conjugate": lambda t: t.conj(),
    "real": lambda t: t.real,
    "square": elementwise("square"),
    "tanh": elementwise("tanh"),
    "relu": elementwise("relu"),
}


def network(seed):
    """A scalar contraction of two to four tensors: some families, and one operation on one of them."""
    rng = np.random.default_rng(seed)
    while True:
        names = rng.choice(list(POOL), rng.integers(1, 4))
        kinds = [POOL[name] for name in names]
        kinds.append(OPERATIONS[rng.choice(list(OPERATIONS))](kinds[0]))
        chosen = [kinds[-1], *(kinds[k] for k in rng.integers(0, len(kinds), rng.integers(1, 4)))]
        slots = [str(dimension) for tensor in chosen for dimension in tensor.dimensions]
        if len(slots) > 10 or any(slots.count(size) % 2 for size in slots):
            continue
        letters = iter(ascii_letters)
        labels = [""] * len(slots)
        for size in sorted(set(slots)):
            places = rng.permutation([k for k, other in enumerate(slots) if other == size])
            for a, b in places.reshape(-1, 2):
                labels[a] = labels[b] = next(letters)
        cuts = np.cumsum([0, *(t.ndim for t in chosen)])
        return rt.einsum(",".join("".join(labels[a:b]) for a, b in pairwise(cuts)) + "->", *chosen)


def agree(samples, mean, variance=None):
    """Within the largest number of standard errors; equal where there is no spread to speak of."""
    variance = samples.var() if variance is None else variance
    size = max(abs(mean), math.sqrt(np.mean(np.abs(samples) ** 2)), 1e-300)
    if variance <= (1e-7 * size) ** 2:
        np.testing.assert_allclose(samples, mean, rtol=1e-6, atol=1e-6 * size)
    else:
        assert abs(samples.mean() - mean) < LARGEST_Z * math.sqrt(variance / len(samples))


def sizes(quantity, k):
    return dict.fromkeys(quantity.scale_names, k)


@pytest.mark.parametrize("seed", range(80))
def test_exact_moments_are_those_of_samples_and_of_formulas(seed):
    c = network(seed)
    square = c * c.conj()
    try:
        mean, second = (float(q.expectation(sizes(c, SIZE))) for q in (c, square))
    except rt.ExactError as error:
        assert any(text in str(error) for text in NO_RULE)
        pytest.skip(str(error))
    samples = c.sample(sizes(c, SIZE), SAMPLES, rng=seed)
    assert second - mean**2 >= -1e-9 * max(second, 1e-300)
    agree(samples, mean, second - mean**2)
    if len(c.operands) == 2:
        agree(np.abs(samples) ** 2, second)
    assert float(c.variance(sizes(c, SIZE))) == pytest.approx(second - mean**2, rel=1e-6, abs=1e-9 * second)
    for quantity in (c, square):
        formula = quantity.expectation()
        for k in (SIZE, 8):
            at = sizes(quantity, k)
            # Special groups have formulas of their own below the degree, and Haar matrices none.
            if all(k >= formula.valid_from.get(name, 1) for name in at):
                exact = float(formula.exact({name: at[name] for name in formula.scale_names}))
                assert exact == pytest.approx(float(quantity.expectation(at)), rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(strategies.equations(), st.sampled_from(sorted(OPERATIONS)), st.data())
def test_the_order_of_operands_does_not_matter(found, name, data):
    equation, operands = found
    changed = OPERATIONS[name](operands[0])
    if str(changed.dimensions) == str(operands[0].dimensions):
        operands = (changed, *operands[1:])
    terms = equation.removesuffix("->").split(",")
    order = data.draw(st.permutations(range(len(operands))))
    c = rt.einsum(equation, *operands)
    shuffled = rt.einsum(",".join(terms[k] for k in order) + "->", *(operands[k] for k in order))
    try:
        mean = float(c.expectation(sizes(c, 4)))
    except rt.ExactError:
        assume(False)
    assert float(shuffled.expectation(sizes(c, 4))) == pytest.approx(mean, rel=1e-9, abs=1e-12)
