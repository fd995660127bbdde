"""Laws without exception: Hypothesis looks for one, and shows the simplest it finds."""

import numpy as np
from hypothesis import assume, given, settings
from wide_network import network

import randtensor as rt
from randtensor import strategies


def kernel(f, x, y):
    """The tangent kernel: the inner product of the gradients at two inputs."""
    return rt.einsum("a,a->", f.derivative(x), f.derivative(y))


@settings(deadline=None, max_examples=30)
@given(strategies.equations(families=["gaussian", "rademacher", "exponential", "goe"]))
def test_means_of_an_even_degree_survive_a_change_of_sign(found):
    """An exact law, of all contractions of these tensors."""
    equation, operands = found
    assume(len(operands) % 2 == 0)
    contraction, mirrored = rt.einsum(equation, *operands), rt.einsum(equation, *(-operand for operand in operands))
    assert mirrored.expectation() == contraction.expectation()


@settings(deadline=None, max_examples=30)
@given(strategies.inputs((4,)), strategies.seeds())
def test_the_network_and_its_gradient_are_odd(x, seed):
    """At every input and every draw of the parameters, which both terms of a sum share."""
    assert np.allclose((network(x) + network(-x)).sample(16, size=4, rng=seed), 0, atol=1e-12)
    assert np.allclose((kernel(network, x, x) + kernel(network, x, -x)).sample(16, size=4, rng=seed), 0, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(strategies.networks((4,)), strategies.inputs((4,)), strategies.inputs((4,)), strategies.seeds())
def test_the_kernel_obeys_cauchy_and_schwarz(f, x, y, seed):
    """In every architecture, with any activation."""
    # one quantity, since two that are sampled one after the other are not on the same draw
    gap = kernel(f, x, x) * kernel(f, y, y) * (1 + 1e-9) - kernel(f, x, y) * kernel(f, x, y)
    assert (gap.sample(8, size=4, rng=seed) >= 0).all()
