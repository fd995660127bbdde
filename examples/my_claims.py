"""Claims of one's own: ``randtensor verify examples/my_claims.py``."""

import randtensor as rt
from theory_checks import Claim

n = rt.Scale("n")


@rt.program(U=rt.gaussian(n, 4), W=rt.gaussian(n, n), v=rt.gaussian(n))
def network(p, x):
    """A residual network, written as plain forward code."""
    h = rt.tanh(p.U @ x / 2)
    h = h + rt.gelu(p.W @ h / n**0.5)
    return p.v @ h / n**0.5


x0, x1 = [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0]
H, g = network.derivative(x0, order=2), network.derivative(x1)

claims = [
    Claim(
        "Hessian along gradients",
        rt.einsum("ab,a,b->", H, g, g),
        id="gHg",
        predicted=rt.Theta(n**-1),
        correction=1.0,
        n=[128, 512, 2048, 8192],
        samples=[8192, 4096, 2048, 1024],
    ),
    Claim(
        "Hessian times gradient",
        rt.norm(rt.einsum("ab,b->a", H, g)),
        id="Hg",
        predicted=rt.Theta(n**-0.5),
        correction=1.0,
        n=[128, 512, 2048, 8192],
        samples=[1024, 512, 256, 128],
    ),
]
