"""A law without exception: Hypothesis looks for one, among contractions of random tensors and their exact means."""

from hypothesis import assume, given, settings

import randtensor as rt
from randtensor import strategies


@settings(deadline=None, max_examples=30)
@given(strategies.equations(families=["gaussian", "rademacher", "exponential", "goe"]))
def test_means_of_an_even_degree_survive_a_change_of_sign(found):
    equation, operands = found
    assume(len(operands) % 2 == 0)
    contraction, mirrored = rt.einsum(equation, *operands), rt.einsum(equation, *(-operand for operand in operands))
    assert mirrored.expectation() == contraction.expectation()
