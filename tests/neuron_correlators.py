"""Correlators of derivatives of networks with one hidden layer, for tests of their exact expectations."""

from __future__ import annotations

import randtensor as rt

n = rt.Scale("n")
X, Y, Z = [0.5, -1.0, 2.0], [1.5, 0.5, -0.5], [0.25, 1.0, 0.75]

#: name: equation and orders of its operands
CORRELATORS = {
    "f f": (",->", (0, 0)),
    "f^4": (",,,->", (0, 0, 0, 0)),
    "Theta": ("i,i->", (1, 1)),
    "Theta^2": ("i,i,j,j->", (1, 1, 1, 1)),
    "Theta f f": ("i,i,,->", (1, 1, 0, 0)),
    "gHg f": ("ij,i,j,->", (2, 1, 1, 0)),
    "(gHg)^2": ("ij,i,j,kl,k,l->", (2, 1, 1, 2, 1, 1)),
    "gHHg": ("i,ij,jk,k->", (1, 2, 2, 1)),
    "T3ggg": ("ijk,i,j,k->", (3, 1, 1, 1)),
    "trH^3 f": ("ij,jk,ki,->", (2, 2, 2, 0)),
    "trH^4": ("ij,jk,kl,li->", (2, 2, 2, 2)),
    "|H|^2": ("ij,ij->", (2, 2)),
    "|T3|^2": ("ijk,ijk->", (3, 3)),
    "T3Hgf": ("ijk,ij,k,->", (3, 2, 1, 0)),
    "trH f": ("ii,->", (2, 0)),
}


def contraction(f, name, *inputs):
    """A correlator of the table, with the inputs assigned to its operands in turn."""
    equation, orders = CORRELATORS[name]
    operands = [f.derivative(inputs[i % len(inputs)], order) for i, order in enumerate(orders)]
    return rt.einsum(equation, *operands, probes=0)


def squared(f, name, *inputs):
    """The square of a correlator, as one contraction."""
    equation, orders = CORRELATORS[name]
    terms = equation.removesuffix("->")
    shifted = "".join(chr(ord(c) + 5) if c.isalpha() else c for c in terms)
    operands = [f.derivative(inputs[i % len(inputs)], order) for i, order in enumerate(orders)]
    return rt.einsum(f"{terms},{shifted}->", *operands, *operands, probes=0)


def constant(expansion):
    """The coefficient of an expansion in one term."""
    return float(expansion.leading.coefficient)
