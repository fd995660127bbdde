"""What the tests are about: a residual network of width n."""

import randtensor as rt

n = rt.Scale("n")


@rt.program(U=rt.gaussian(n, 4), W=rt.gaussian(n, n), v=rt.gaussian(n))
def network(p, x):
    """A scalar network for inputs of dimension 4."""
    h = rt.tanh(p.U @ x / 2)
    h = h + rt.tanh(p.W @ h / n**0.5)
    return p.v @ h / n**0.5


def hessian_along_gradients(x, y):
    """The Hessian at ``x``, contracted with the gradient at ``y`` on both sides."""
    gradient = network.derivative(y)
    return rt.einsum("ab,a,b->", network.derivative(x, order=2), gradient, gradient)
