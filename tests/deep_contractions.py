"""Contractions of derivatives of deep homogeneous networks, for tests of the transfer matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import randtensor as rt

n, m = rt.Scale("n"), rt.Scale("m")


def contraction(equation, function, inputs=(1.0,)):
    """Operands in the equation's order; one input for all of them, or a list of inputs."""
    terms = equation.split("->")[0].split(",")
    points = inputs if np.ndim(inputs) == 2 else [inputs] * len(terms)
    return rt.einsum(equation, *(function.derivative(x, order=len(t)) for x, t in zip(points, terms, strict=True)))


def network(activation, depth, width=n, **options):
    return rt.networks.mlp(1, width, depth, activation, **options)


@st.composite
def equations(draw):
    operands = draw(st.sampled_from([2, 4, 4, 6]))
    vertices = st.integers(0, operands - 1)
    pairs = draw(st.lists(st.tuples(vertices, vertices).filter(lambda p: p[0] != p[1]), max_size=5))
    terms = [""] * operands
    for label, (a, b) in zip("abcde", pairs, strict=False):
        terms[a] += label
        terms[b] += label
    return ",".join(terms) + "->"
