"""Networks, correlators and sample sizes shared by the claims."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import randtensor as rt
from randtensor.expansions import Expansion
from theory_checks.claims import Claim, Exact
from theory_checks.suites import SuiteOptions

__all__ = ["CLUSTER", "DERIVED", "SOURCE", "Correlators", "Plan", "n", "series"]

SOURCE = "Dyer & Gur-Ari 2019, arXiv 1909.11304"
CLUSTER = f"{SOURCE}: cluster graph"
DERIVED = "derived: sum over pairings"

n = rt.Scale("n")


def series(*coefficients: int | float) -> Expansion:
    """A polynomial in 1/n from its coefficients.

    >>> print(series(3, 6))
    3 + 6 n^{-1}
    """
    return sum((Expansion.of(c) * n**-k for k, c in enumerate(coefficients)), start=Expansion.of(0))


class Correlators:
    """Contractions of the derivative tensors of one network at one input of squared length 1 per dimension.

    ReLU stands for sqrt(2) max(z, 0), which keeps that length from layer to layer.
    """

    def __init__(self, activation: str, hidden_layers: int) -> None:
        self.activation, self.hidden_layers = activation, hidden_layers
        self.function = rt.networks.mlp(1, n, hidden_layers, activation)

    def __call__(self, equation: str) -> Any:
        """The contraction of the derivatives whose orders the equation tells.

        >>> print(Correlators("relu", 1)("ij,i,j,->").expectation())
        4 n^{-1}
        """
        terms = equation.partition("->")[0].split(",")
        contraction = rt.einsum(equation, *[self.function.derivative([1.0], order=len(t)) for t in terms], probes=0)
        if self.activation != "relu":
            return contraction
        gain = Fraction(self.hidden_layers * len(terms), 2)
        return contraction * (2 ** int(gain) if gain.denominator == 1 else 2 ** float(gain))

    def kernel_deviation(self) -> Any:
        """(Theta - (d + 1))^2 at d hidden layers, whose mean is the variance of the tangent kernel."""
        mean = self.hidden_layers + 1
        return self("i,i,j,j->") - self("i,i->") * (2 * mean) + mean**2

    def fourth_cumulant(self) -> Any:
        """f^4 - 6 f^2 + 3, whose mean is E f^4 - 3 (E f^2)^2 where E f^2 = 1, with a smaller variance than f^4."""
        return self(",,,->") - self(",->") * 6 + 3


class Plan:
    """How sizes and samples depend on what a run asks for."""

    def __init__(self, options: SuiteOptions) -> None:
        if options.inputs is not None:
            raise rt.InputError(
                f"inputs has {len(options.inputs)} rows, expected none: "
                "the exact laws of this suite are for one input of squared length 1 per dimension"
            )
        self.quick = options.quick

    def grid(self, first: int, samples: list[int], ratio: int = 2) -> dict[str, Any]:
        """Sizes in geometric progression; a quick run takes half of the samples."""
        halves = [max(count // 2, min(count, 30)) for count in samples] if self.quick else samples
        return {"n": [first * ratio**k for k in range(len(samples))], "samples": halves}

    def exact(
        self, ident: str, name: str, quantity: Any, value: Any, source: str, within: float = 0.1, **options: Any
    ) -> Claim:
        """A claim on the mean, tested with the exact variance of one sample."""
        return Claim(
            name,
            quantity,
            id=ident,
            statistic="mean",
            predicted=Exact(value, variance=self.variance(quantity), within=within),
            source=source,
            **options,
        )

    @staticmethod
    def variance(quantity: Any) -> Callable[[int], float]:
        """The exact variance as a function of the size, worked out when it is first asked for."""
        law = cache(quantity.variance)
        return lambda size: float(law().evaluate({"n": size}))
