"""Batched contraction by matrix products, against einsum sample by sample."""

from itertools import pairwise
from string import ascii_letters

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from randtensor.pairwise import contract_batch


@st.composite
def contractions(draw):
    """Terms and output of an equation whose labels occur twice, or once and in the output."""
    ranks = draw(st.lists(st.integers(0, 3), min_size=1, max_size=5))
    slots = sum(ranks)
    free = draw(st.integers(0, min(3, slots)))
    free += (slots - free) % 2
    labels = list(ascii_letters[:free]) + [c for c in ascii_letters[free : free + (slots - free) // 2] for _ in "ab"]
    labels = draw(st.permutations(labels))
    cuts = np.cumsum([0, *ranks])
    output = draw(st.permutations(ascii_letters[:free]))
    return ["".join(labels[a:b]) for a, b in pairwise(cuts)], "".join(output)


@given(contractions(), st.integers(0, 2**32 - 1), st.booleans())
def test_agrees_with_einsum(equation, seed, is_complex):
    terms, output = equation
    rng = np.random.default_rng(seed)
    sizes = {label: int(rng.integers(1, 4)) for label in "".join(terms)}
    arrays = [rng.standard_normal((2, *(sizes[label] for label in term))) for term in terms]
    if is_complex:
        arrays = [a + 1j * rng.standard_normal(a.shape) for a in arrays]
    expected = [np.einsum(",".join(terms) + "->" + output, *(a[k] for a in arrays)) for k in range(2)]
    np.testing.assert_allclose(contract_batch(terms, output, arrays), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("letters", ["αβγ", "xyz"])
def test_any_letters(letters):
    a, b, c = letters
    x = np.random.default_rng(0).standard_normal((3, 2, 2, 4))
    found = contract_batch([a + a + b, c + c + b], "", [x, x])
    np.testing.assert_allclose(found, np.einsum("zaab,zccb->z", x, x))
