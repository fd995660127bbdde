"""What moves in training: the tangent kernel and the features, by parametrisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.networks import parametrization
from randtensor.prediction.abc_rates import abc_regime
from theory_checks.claims import Claim, Exact
from theory_checks.suites.correlation_functions.plan import SOURCE, Correlators, Plan, n, series
from theory_checks.suites.correlation_functions.trained import GradientDescent

__all__ = ["gradient_descent", "gradient_flow"]

YANG = "Yang & Hu 2021, arXiv 2011.14522"

#: halfway between the kernel regime and feature learning, r = 1/4
INTERPOLATION = [(-0.25, 0.25), (0.25, 0.25), (0.5, 0.25), 0]

SCHEMES: dict[str, Any] = {"ntk": "ntk", "standard": "standard", "mup": "mup", "halfway": INTERPOLATION}


def gradient_flow(plan: Plan) -> Iterator[Claim]:
    """Gradient flow on one sample of a linear network, to the end: Theta^2 - 4 f^2 / n is conserved."""
    linear = Correlators("linear", 1)
    kernel, square, output = linear("i,i->"), linear("i,i,j,j->"), linear(",->")
    for target in (0, 2):
        final = square - output * 4 / n + rt.Term(4 * target**2, n**-1) if target else square - output * 4 / n
        drift = rt.combine(_drift, final, kernel, name="sqrt(Theta_0^2 + 4 (y^2 - f_0^2) / n) - Theta_0")
        name = f"Theta_inf - Theta_0, linear, 1 hidden, y = {target}"
        ident = "D23" if target == 0 else "D23.2"
        common: dict[str, Any] = {"source": "derived: a conserved quantity of gradient flow"}
        for suffix, statistic in (("", "mean"), (".std", "std")):
            yield Claim(
                name,
                drift,
                id=ident + suffix,
                statistic=statistic,
                predicted=rt.Theta(n**-1),
                correction=1.0,
                **common,
                **plan.grid(32, [20000, 40000, 12000, 8000], ratio=4),
            )
        yield Claim(
            f"{name}, constant y^2 - 1",
            drift,
            id=f"{ident}.constant",
            statistic="mean",
            predicted=Exact(series(0, target**2 - 1), within=0.1),
            note="leading order: at these widths the next one is below the error",
            **common,
            **plan.grid(1024, [8400, 7000]),
        )


def _drift(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    # Not negative but for rounding: Theta_0 >= 2 |f_0| n^(-1/2) by Cauchy and Schwarz.
    return np.asarray(np.sqrt(np.maximum(final, 0)) - initial)


def gradient_descent(plan: Plan) -> Iterator[Claim]:
    """Twenty steps on three samples, two hidden tanh layers; and the state the training starts from."""
    sizes = plan.grid(16, [8000, 6000, 3000, 1500])
    for name, exponents in SCHEMES.items():
        scheme, regime = parametrization(exponents), abc_regime(exponents, 2)
        training = GradientDescent(scheme)
        features, kernel = regime.feature_change(n), regime.kernel_change(n)
        assert features is not None and kernel is not None
        yield Claim(
            f"change of the features, {name}, r = {regime.r}",
            training.feature_change(),
            id=f"D25.{name}",
            predicted=features.bound,
            source=YANG,
            correction=CORRECTIONS[name],
            **sizes,
        )
        yield Claim(
            f"change of Theta, {name}",
            training.kernel_change(),
            id=f"D24.{name}",
            # With learnt features the mean does not vanish, and the fluctuation n^(-1/2) is large beside it.
            statistic="mean" if name == "mup" else "rms" if name == "halfway" else "L1",
            predicted=rt.O(kernel.order) if name == "halfway" else kernel.bound,
            source=f"{SOURCE}; {YANG}",
            note="the fluctuation n^(-3/4) is not small beside n^(-1/2): a bound only" if name == "halfway" else "",
            correction=CORRECTIONS[name],
            **plan.grid(8, KERNEL[name], ratio=3),
        )
        initial = rt.networks.mlp(2, n, 2, "tanh", exponents)
        gradient = initial.derivative(training.inputs[0])
        yield Claim(
            f"fluctuation of Theta at initialisation, {name}",
            rt.einsum("i,i->", gradient, gradient) * n**-scheme.learning_rate,
            id=f"D26.{name}",
            statistic="std",
            predicted=rt.Theta(n**-0.5),
            source="derived: central limit",
            correction=1.0,
            **plan.grid(32, [4000, 6000, 2000, 2000], ratio=4),
        )
        if name in ("ntk", "mup"):
            start = regime.initial_output(n)
            assert start is not None
            yield Claim(
                f"output at initialisation, {name}",
                initial(training.inputs[0]),
                id=f"D26.output.{name}",
                predicted=start.bound,
                source=YANG,
                correction=1.0,
                **plan.grid(32, [4000, 6000, 2000, 2000], ratio=4),
            )
    yield Claim(
        "change of the features, mup, with the exponent of ntk",
        GradientDescent(parametrization("mup")).feature_change(),
        id="D25.copied",
        predicted=rt.Theta(n**-0.5),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **plan.grid(32, [512, 256, 128]),
    )


#: powers of the correction at finite width: n^(-2r) beside n^(-r) for the features between the regimes
CORRECTIONS = {"ntk": 1.0, "standard": 1.0, "mup": 1.0, "halfway": 0.5}

#: samples of the change of the kernel: small widths are cheap, and tell the correction from the exponent
KERNEL = {
    "ntk": [12000, 24000, 2000, 1500],
    "standard": [6000, 20000, 2000, 1500],
    "mup": [12000, 14000, 1500, 1000],
    "halfway": [90000, 60000, 4000, 5000],
}
