"""Convolutional networks: channels take the place of the width."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import randtensor as rt
from theory_checks.claims import Claim
from theory_checks.suites.correlation_functions.plan import Plan, n

__all__ = ["convolutional"]

POSITIONS = 4

#: samples of E[O_3 f], whose scatter does not fall with the width for tanh
THIRD = {"tanh": [24000, 40000, 8000, 10000], "relu": [12000, 16000, 3000, 4000]}


def convolutional(plan: Plan) -> Iterator[Claim]:
    """Two circular convolutions, with a read-out of every position or of their average."""
    x = np.array([[1.0], [-0.5], [1.0], [1.2]])
    for activation in ("tanh", "relu"):
        for readout, positions in (("flat", POSITIONS), ("pool", None)):
            f = rt.networks.cnn(1, n, 2, activation, positions=positions)
            value, gradient, hessian = (f.derivative(x, order=k) for k in range(3))
            deviation = rt.einsum("i,i->", gradient, gradient)
            third = rt.einsum("ij,i,j,->", hessian, gradient, gradient, value) * 2
            fourth = rt.einsum("i,ij,jk,k->", gradient, hessian, hessian, gradient)
            for ident, name, quantity, statistic, samples in (
                ("kernel", "Var Theta", deviation, "variance", [12000, 16000, 4000, 4000]),
                ("third", "E[O_3 f]", third, "mean", THIRD[activation]),
                ("fourth", "E gHHg", fourth, "mean", [3000, 3000, 1000, 400]),
            ):
                yield Claim(
                    f"{name}, {activation}, {readout}",
                    quantity,
                    id=f"D30.{ident}.{activation}.{readout}",
                    statistic=statistic,
                    predicted=rt.Theta(n**-1),
                    source="Andreassen & Dyer 2020, arXiv 2008.08675: channels replace the width",
                    correction=1.0,
                    **plan.grid(8, samples, ratio=4),
                )
