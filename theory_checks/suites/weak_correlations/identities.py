"""Claims that hold sample by sample, and one gradient step taken exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from theory_checks.claims import Claim, Identity
from theory_checks.suites.weak_correlations.plan import DERIVED, SOURCE, Plan, n, relative_difference

__all__ = ["identities", "one_step"]


def identities(plan: Plan) -> Iterator[Claim]:
    """Statements that hold sample by sample."""
    two = plan.deep()
    sizes: dict[str, Any] = {"n": [64, 1024], "samples": 64}
    g = two.derivative(plan.x1)
    for d in (1, 2, 3):
        labels = "abcd"[: d + 1]
        equation = ",".join([labels, *labels]) + "->"
        factors = [two.derivative(plan.x0, order=d + 1)] + [g] * (d + 1)
        forward, backward = (rt.einsum(equation, *factors, root=root) for root in (0, "a"))
        yield Claim(
            f"closing C^(1,{d}) with a gradient gives {d + 1} C^(0,{d + 1})",
            rt.combine(relative_difference, forward, backward, name="relative difference"),
            id=f"W29.{d}",
            predicted=Identity(1e-8),
            source=DERIVED,
            **sizes,
        )
    kappa = 3.0
    scaled = two.then(lambda y: y * kappa)
    for d in (2, 3):
        mine = plan.correlation(scaled, 0, d, learning_rate=kappa**-2)
        yield Claim(
            f"C^(0,{d}) under F -> k F, eta -> eta / k^2 scales as k^{-(d - 1)}",
            rt.combine(
                relative_difference,
                mine,
                plan.correlation(two, 0, d) * kappa ** -(d - 1),
                name="relative difference",
            ),
            id=f"W19.{d}",
            predicted=Identity(1e-10),
            source=DERIVED,
            **sizes,
        )
    outer = two.then(rt.tanh, name="tanh")
    composed = rt.combine(
        _composition_residual,
        rt.correlation(outer, 0, 2, plan.x1, plan.x1),
        two(plan.x1),
        rt.correlation(two, 0, 1, plan.x1, plan.x1),
        rt.correlation(two, 0, 2, plan.x1, plan.x1),
        name="composition residual",
    )
    yield Claim(
        "C^(0,2) of tanh(F) by the chain rule",
        composed,
        id="W20.identity",
        predicted=Identity(1e-9),
        source=DERIVED,
        **sizes,
    )
    yield Claim(
        "C^(0,2) of tanh(F): a non-linear output is not weakly correlated",
        rt.correlation(outer, 0, 2, plan.x0, plan.x1),
        id="W20",
        predicted=rt.Theta(1),
        source=DERIVED,
        correction=1.0,
        **plan.grid(128, 4, [3072, 2048, 512, 128, 64]),
    )


def _composition_residual(
    composed: np.ndarray, value: np.ndarray, kernel: np.ndarray, second: np.ndarray
) -> np.ndarray:
    slope = 1 - np.tanh(value) ** 2
    predicted = slope**3 * second - np.tanh(value) * slope * slope**2 * kernel**2
    return np.asarray(np.abs(composed - predicted) / np.abs(kernel) ** 2)


def one_step(plan: Plan) -> Iterator[Claim]:
    """One gradient step: smooth activations depart from linearity as the correlations say, ReLU does not."""
    step = 0.75
    sizes = plan.grid(256, 4, [4096, 2048, 1024, 512, 256])
    # A correction by n^-1/2 is told from the exponent by a wide range, with many samples where they are cheap.
    spread = plan.grid(256, 8, [10000, 9000, 1000, 700])
    for activation, rates in (
        ("tanh", (-1, -1, -0.5)),
        ("relu", (-0.5, -0.75, -0.25)),
    ):
        f = plan.shallow(activation)
        move = rt.gradient_step(f, plan.x1, step)
        for ident, name, quantity, power in (
            ("same", "F - F_lin at the trained input", move.linearization_error(plan.x1), rates[0]),
            ("other", "F - F_lin at another input", move.linearization_error(plan.x0), rates[1]),
            ("grad", "change of the gradient", move.gradient_change(plan.x0), rates[2]),
        ):
            yield Claim(
                f"one step, {activation}: {name}",
                quantity,
                id=f"W21.{ident}" if activation == "relu" else f"W10.{ident}",
                predicted=rt.Theta(n**power),
                source="derived; non-analytic control" if activation == "relu" else SOURCE,
                correction=0.5 if activation == "relu" else 1.0,
                **(spread if ident != "grad" and activation == "relu" else sizes),
            )
    yield Claim(
        "one step, relu, claimed 1/n as for smooth activations",
        rt.gradient_step(plan.shallow("relu"), plan.x1, step).linearization_error(plan.x1),
        id="W21.wrong",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        correction=0.5,
        **plan.short,
    )
