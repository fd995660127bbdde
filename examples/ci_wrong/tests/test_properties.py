"""A law with exceptions, which Hypothesis finds: Wishart matrices have a mean."""

from hypothesis import assume, given, settings

import randtensor as rt
from randtensor import strategies


@settings(deadline=None, derandomize=True, max_examples=100)
@given(strategies.equations(families=["gaussian", "goe", "wishart"]))
def test_means_of_an_odd_degree_vanish(found):
    equation, operands = found
    assume(len(operands) % 2 == 1)
    assert rt.einsum(equation, *operands).expectation() == 0
