"""Derivative tensors and their contractions against materialised derivatives from an independent autodiff."""

from __future__ import annotations

import numpy as np
import pytest

import randtensor as rt

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy
ravel_pytree = pytest.importorskip("jax.flatten_util").ravel_pytree

n = rt.Scale("n")
RNG = np.random.default_rng(20240104)
X0, X1, X2 = RNG.standard_normal((3, 3))
WIDTH = 4


class Case:
    """A program, the same function written in JAX, and dense parameters for both."""

    def __init__(self, function, reference, shapes, inputs=(X0, X1, X2)):
        self.arrays = {name: RNG.standard_normal(shape) for name, shape in shapes.items()}
        self.function = function.at(**self.arrays)
        self.inputs = inputs
        flat, unravel = ravel_pytree([self.arrays[name] for name in shapes])
        self.flat = flat
        self.reference = lambda theta, x: reference(dict(zip(shapes, unravel(theta), strict=True)), x)

    def dense(self, order, x):
        """The derivative of some order, materialised: output index first if there is one."""
        derivative = lambda theta: self.reference(theta, x)  # noqa: E731
        for _ in range(order):
            derivative = jax.jacfwd(derivative)
        return np.asarray(derivative(self.flat))

    def check(self, equation, orders, points, **options):
        tensors = [self.function.derivative(self.inputs[i], order=k) for i, k in zip(points, orders, strict=True)]
        mine = rt.einsum(equation, *tensors, **options).sample(rng=0)[0]
        arrays = [self.dense(k, self.inputs[i]) for i, k in zip(points, orders, strict=True)]
        expected = np.einsum(equation, *arrays, optimize="greedy")
        np.testing.assert_allclose(mine, expected, rtol=1e-10, atol=1e-10 * max(1.0, np.abs(expected).max()))


def mlp_case():
    function = rt.networks.mlp(inputs=3, width=n, hidden_layers=2, activation="tanh", biases=0.3)

    def reference(p, x):
        h = jnp.tanh(p["W1"] @ x / 3**0.5 + 0.3 * p["b1"])
        h = jnp.tanh(p["W2"] @ h / WIDTH**0.5 + 0.3 * p["b2"])
        return p["v"] @ h / WIDTH**0.5

    shapes = {"W1": (WIDTH, 3), "W2": (WIDTH, WIDTH), "b1": (WIDTH,), "b2": (WIDTH,), "v": (WIDTH,)}
    return Case(function, reference, shapes)


def recurrent_case():
    """Weight sharing, a transposed product, inner products of values, division, several outputs."""

    @rt.program(U=rt.gaussian(n, 3), W=rt.gaussian(n, n), v=rt.gaussian(n), s=rt.gaussian())
    def function(p, x):
        first = rt.softplus(p.U @ x)
        second = rt.gelu(p.W @ first / n**0.5) * p.s
        third = rt.erf(second @ p.W / n + first) / (2.0 + rt.square(second))
        energy = (first @ third) / n
        return [energy, p.v @ third - rt.mean(second) ** 3, rt.sum(rt.sin(p.v) * third) * energy]

    def reference(p, x):
        first = jax.nn.softplus(p["U"] @ x)
        second = jax.nn.gelu(p["W"] @ first / WIDTH**0.5, approximate=False) * p["s"]
        third = jax.scipy.special.erf(second @ p["W"] / WIDTH + first) / (2.0 + second**2)
        energy = (first @ third) / WIDTH
        return jnp.stack([energy, p["v"] @ third - jnp.mean(second) ** 3, jnp.sum(jnp.sin(p["v"]) * third) * energy])

    return Case(function, reference, {"U": (WIDTH, 3), "W": (WIDTH, WIDTH), "v": (WIDTH,), "s": ()})


def convolution_case():
    function = rt.networks.cnn(channels_in=2, channels=n, layers=2, activation="sigmoid", kernel_size=2)

    def reference(p, x):
        h = [x[0], x[1], x[2]]
        for name, fan_in in (("W1", 4), ("W2", 2 * 3)):
            h = [jax.nn.sigmoid((p[name][0] @ h[i] + p[name][1] @ h[(i + 1) % 3]) * fan_in**-0.5) for i in range(3)]
        return p["v"] @ (h[0] + h[1] + h[2]) / 3 * 3**-0.5

    return Case(function, reference, {"W1": (2, 3, 2), "W2": (2, 3, 3), "v": (3,)}, RNG.standard_normal((3, 3, 2)))


SCALAR_CASES = {"mlp": mlp_case(), "cnn": convolution_case()}
EQUATIONS = [
    ("a,a->", (1, 1), (0, 1)),
    (",,->", (0, 0, 0), (0, 1, 0)),
    ("ab,a,b->", (2, 1, 1), (0, 0, 0)),
    ("ab,a,b->", (2, 1, 1), (0, 1, 2)),
    ("abc,a,b,c->", (3, 1, 1, 1), (0, 1, 1, 2)),
    ("ab,a,bc,c->", (2, 1, 2, 1), (0, 1, 0, 1)),
    ("ab,a,bc,c->", (2, 1, 2, 1), (0, 1, 2, 0)),
    ("abc,ab,c->", (3, 2, 1), (0, 1, 2)),
    ("ab,ab->", (2, 2), (0, 1)),
    ("aa,b,b->", (2, 1, 1), (0, 1, 1)),
    ("abc,ad,db,c->", (3, 2, 2, 1), (0, 0, 0, 1)),
    ("ab,a,b,->", (2, 1, 1, 0), (0, 0, 0, 0)),
]


@pytest.mark.parametrize("name", SCALAR_CASES)
@pytest.mark.parametrize(("equation", "orders", "points"), EQUATIONS, ids=lambda v: str(v))
def test_contractions_of_a_scalar_function(name, equation, orders, points):
    SCALAR_CASES[name].check(equation, orders, points, probes=0)


@pytest.mark.parametrize("root", [0, 1, 2, "a", "b"])
def test_every_root_gives_the_same_number(root):
    SCALAR_CASES["mlp"].check("ab,a,b->", (2, 1, 1), (0, 1, 2), root=root)


VECTOR_EQUATIONS = [
    ("p->p", (0,), (0,)),
    ("pa,qa->pq", (1, 1), (0, 1)),
    ("pab,pa,qb->pq", (2, 1, 1), (0, 1, 2)),
    ("pab,pa,qb->q", (2, 1, 1), (0, 1, 1)),
    ("pabc,pa,qb,qc->p", (3, 1, 1, 1), (0, 1, 1, 1)),
    ("pab,pab->", (2, 2), (0, 0)),
]


@pytest.mark.parametrize(("equation", "orders", "points"), VECTOR_EQUATIONS, ids=lambda v: str(v))
def test_contractions_of_a_vector_function(equation, orders, points):
    recurrent_case().check(equation, orders, points, probes=0)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6])
def test_high_orders_along_one_gradient(d):
    """C^{0,d} equals d! times a Taylor coefficient, found here by nested forward mode."""
    case = SCALAR_CASES["mlp"]
    direction = jax.grad(case.reference)(case.flat, X1)
    line = lambda t: case.reference(case.flat + t * direction, X0)  # noqa: E731
    for _ in range(d):
        line = jax.grad(line)
    labels = "abcdef"[:d]
    equation = ",".join([labels, *labels]) + "->"
    tensors = [case.function.derivative(X0, order=d)] + [case.function.derivative(X1)] * d
    np.testing.assert_allclose(rt.einsum(equation, *tensors).sample()[0], line(0.0), rtol=1e-9)
