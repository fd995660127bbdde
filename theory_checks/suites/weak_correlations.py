"""Weak derivative correlations of wide networks at initialisation, and the calculus of random-tensor asymptotics.

The claims of Shem-Ur & Oz 2024 (arXiv 2401.04013) on the correlations C^{D,d} of derivative tensors with gradients, with
the sharp orders where they are known, the exact one-hidden-layer laws, negative controls, and the rules of the calculus
with their counterexamples. Inputs: ``x0`` for the derivative of highest order, ``x1`` for all gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

import randtensor as rt
from randtensor.exact import OneHiddenLayer
from theory_checks.claims import Claim, Exact, Identity, NoDefiniteBound, QuantileSlopes
from theory_checks.suites import SuiteOptions

__all__ = ["SOURCE", "TITLE", "claims"]

TITLE = "Weak derivative correlations at initialisation, and the calculus of random-tensor asymptotics"
SOURCE = "Shem-Ur & Oz 2024, arXiv 2401.04013"

DYER = "Dyer & Gur-Ari 2019, arXiv 1909.11304"
DERIVED = "derived; one-hidden-layer law"

n = rt.Scale("n")
SMOOTH = ("tanh", "softplus", "gelu", "erf")


class _Plan:
    """Networks, inputs and sample sizes shared by the claims."""

    def __init__(self, options: SuiteOptions) -> None:
        self.quick = options.quick
        if options.inputs is None:
            # Squared lengths equal the dimension, and the overlap is one half.
            self.x0, self.x1 = np.ones(4), np.array([1.0, 1.0, 1.0, -1.0])
        else:
            if len(options.inputs) < 2:
                raise rt.InputError(f"inputs has {len(options.inputs)} row, expected at least two input vectors")
            self.x0, self.x1 = options.inputs[:2]
        self.inputs = len(self.x0)

    def shallow(self, activation: str = "tanh", **options: Any) -> rt.RandomFunction:
        return rt.networks.two_layer(self.inputs, n, activation, **options)

    def deep(self, activation: str = "tanh", parametrization: Any = "ntk") -> rt.RandomFunction:
        return rt.networks.mlp(self.inputs, n, 2, activation, parametrization)

    def correlation(self, f: rt.RandomFunction, free: int, closed: int, **options: Any) -> Any:
        return rt.correlation(f, free, closed, self.x0, self.x1, **options)

    def law(self, activation: str = "tanh", readout: Any = None) -> OneHiddenLayer:
        return OneHiddenLayer(activation, self.x0, self.x1, readout)

    def grid(self, first: int, ratio: int, samples: list[int]) -> dict[str, Any]:
        """Sizes in geometric progression; a quick run stops two sizes earlier."""
        samples = samples[: max(3, len(samples) - 2)] if self.quick else samples
        return {"n": [first * ratio**k for k in range(len(samples))], "samples": samples}

    @property
    def wide(self) -> dict[str, Any]:
        return self.grid(128, 4, [4096, 2048, 1024, 512, 256])

    @property
    def short(self) -> dict[str, Any]:
        return self.grid(128, 4, [1024, 512, 256, 128, 64])


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    plan = _Plan(options)
    parts = (_closed, _open, _variations, _identities, _one_step, _calculus)
    return [claim for part in parts for claim in part(plan)]


def _closed(plan: _Plan) -> Iterator[Claim]:
    """C^{0,d}: every index closed by a gradient."""
    one, two, law = plan.shallow(), plan.deep(), plan.law()
    kernel = plan.correlation(one, 0, 1)
    yield Claim(
        "tangent kernel, exact mean",
        kernel,
        id="W1a",
        statistic="mean",
        predicted=Exact(partial(law.mean, 1), variance=partial(law.variance, 1)),
        source=DERIVED,
        **plan.short,
    )
    yield Claim(
        "tangent kernel, mean",
        plan.correlation(two, 0, 1),
        id="W1b",
        statistic="mean",
        predicted=rt.Theta(1),
        source=SOURCE,
        correction=1.0,
        **plan.short,
    )
    yield Claim(
        "tangent kernel, fluctuation",
        plan.correlation(two, 0, 1),
        id="W1c",
        statistic="std",
        predicted=rt.Theta(n**-0.5),
        source=DYER,
        correction=1.0,
        **plan.wide,
    )
    for depth, f in ((1, one), (2, two)):
        for d in range(2, 7):
            power = -(d // 2)
            yield Claim(
                f"C^(0,{d}), {depth} hidden",
                plan.correlation(f, 0, d),
                id=f"W4.{d}.{depth}",
                statistic="rms" if d % 2 == 0 else "mean",
                predicted=rt.Theta(n**power),
                source=DYER if depth == 2 else DERIVED,
                # One hidden layer is a sum over units: its laws are pure powers, with no correction at all.
                correction=None if depth == 1 else 1.0,
                **plan.wide,
            )
    for d in (2, 3, 4):
        statistic, value = ("rms", law.rms) if d % 2 == 0 else ("mean", law.mean)
        yield Claim(
            f"C^(0,{d}), exact law",
            plan.correlation(one, 0, d),
            id=f"W4.{d}.exact",
            statistic=statistic,
            predicted=Exact(partial(value, d)),
            source=DERIVED,
            **plan.short,
        )
    yield Claim(
        "C^(0,2) to width one million",
        plan.correlation(two, 0, 2),
        id="W2.million",
        predicted=rt.O(n**-1),
        source=SOURCE,
        correction=1.0,
        **plan.grid(2**8, 8, [1024, 512, 128, 32, 16]),
    )
    yield Claim(
        "C^(0,2) claimed n^(-1/2)",
        plan.correlation(two, 0, 2),
        id="W2.wrong",
        predicted=rt.Theta(n**-0.5),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **plan.short,
    )
    yield Claim(
        "C^(0,3) claimed n^(-3/2): the network is not n-exponential",
        plan.correlation(two, 0, 3),
        id="W22.n",
        statistic="mean",
        predicted=rt.O(n**-1.5),
        source="negative control",
        expect="refuted",
        correction=1.0,
        **plan.short,
    )
    yield Claim(
        "C^(0,3) is M^(-3/2) at M = n^(2/3)",
        plan.correlation(two, 0, 3),
        id="W22",
        statistic="mean",
        predicted=rt.Theta(rt.Scale("M") ** -1.5).substitute(M=n ** Fraction(2, 3)),
        source=DERIVED,
        correction=1.0,
        **plan.short,
    )


def _open(plan: _Plan) -> Iterator[Claim]:
    """C^{1,d} and C^{2,d}: parameter indices left free, measured by norms."""
    one, two, law = plan.shallow(), plan.deep(), plan.law()
    for d in (1, 2, 3):
        for depth, f in ((1, one), (2, two)):
            yield Claim(
                f"|C^(1,{d})|, {depth} hidden",
                rt.norm(plan.correlation(f, 1, d)),
                id=f"W6.{d}.{depth}",
                predicted=rt.Theta(n ** Fraction(-d, 2)),
                source=SOURCE,
                correction=None if depth == 1 else 1.0,
                **plan.short,
            )
    yield Claim(
        "|C^(1,1)|, exact law",
        rt.norm(plan.correlation(one, 1, 1)),
        id="W5.exact",
        predicted=Exact(partial(law.vector_rms, 1)),
        source=DERIVED,
        **plan.short,
    )
    spectral = plan.grid(256, 4, [200, 100, 50, 24])
    yield Claim(
        "spectral C^(2,0), 1 hidden",
        rt.norm(plan.correlation(one, 2, 0)),
        id="W7",
        predicted=rt.Theta(n**-0.5 * rt.log(n) ** Fraction(1, 2)),
        source=DERIVED,
        note="the logarithm is a maximum over n Gaussian read-out weights",
        correction=None,
        **spectral,
    )
    for d in (0, 1, 2):
        yield Claim(
            f"spectral C^(2,{d}), 2 hidden",
            rt.norm(plan.correlation(two, 2, d), steps=10),
            id=f"W8.{d}",
            predicted=rt.O(n ** Fraction(-d, 2)),
            source=SOURCE,
            correction=None,
            **plan.grid(128, 4, [64, 32, 16, 8]),
        )
        yield Claim(
            f"Frobenius C^(2,{d})",
            rt.norm(plan.correlation(one if d else two, 2, d), "frobenius"),
            id=f"W9.{d}",
            predicted=rt.Theta(n ** Fraction(-d, 2)),
            source=DERIVED,
            correction=1.0,
            **plan.short,
        )
    for d in (1, 2):
        order = n ** Fraction(-(d + 1), 2) * rt.log(n) ** (d + 1)
        yield Claim(
            f"spectral C^(2,{d}), 1 hidden, with its logarithms",
            rt.norm(plan.correlation(one, 2, d)),
            id=f"W8.{d}.log",
            predicted=rt.O(order),
            source=DERIVED,
            correction=None,
            **spectral,
        )


def _variations(plan: _Plan) -> Iterator[Claim]:
    """Activations, parametrisations and skewed read-out weights."""
    from scipy.stats import expon

    for activation in SMOOTH[1:]:
        f = plan.deep(activation)
        for ident, name, statistic, quantity, order in (
            ("C02", "C^(0,2)", "rms", plan.correlation(f, 0, 2), n**-1),
            ("C03", "C^(0,3)", "mean", plan.correlation(f, 0, 3), n**-1),
            ("C11", "|C^(1,1)|", "rms", rt.norm(plan.correlation(f, 1, 1)), n**-0.5),
        ):
            yield Claim(
                f"{name}, {activation}",
                quantity,
                id=f"W28.{activation}.{ident}",
                statistic=statistic,
                predicted=rt.Theta(order),
                source=SOURCE,
                correction=1.0,
                **(plan.wide if ident == "C02" else plan.short),
            )
    interpolation = [(-0.25, 0.25), (0.25, 0.25), (0.5, 0.25), 0]
    for scheme, name, second, third in (
        ("standard", "standard, eta = 1/n", -1, -1),
        ("mean-field", "mean-field, eta = n", -0.5, 0),
        ("mup", "mup", -0.5, 0),
        (interpolation, "halfway, r = 1/4", -0.75, -0.5),
    ):
        f, eta = plan.deep(parametrization=scheme), rt.networks.parametrization(scheme).rate(n)
        for d, statistic, power in ((2, "rms", second), (3, "mean", third)):
            yield Claim(
                f"C^(0,{d}), {name}",
                plan.correlation(f, 0, d, learning_rate=eta),
                id=f"P.{name.split(',')[0]}.{d}",
                statistic=statistic,
                predicted=rt.Theta(n**power),
                source="derived; output scale, with Yang & Hu, arXiv 2011.14522",
                correction=1.0,
                **(plan.wide if d == 2 else plan.short),
            )
    skewed = expon(loc=-1)
    soft, law = plan.shallow("softplus", readout=skewed), plan.law("softplus", skewed)
    yield Claim(
        "C^(0,2), softplus, skewed read-out",
        plan.correlation(soft, 0, 2),
        id="W30",
        statistic="mean",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=None,
        **plan.wide,
    )
    yield Claim(
        "C^(0,2), softplus, skewed read-out, exact mean",
        plan.correlation(soft, 0, 2),
        id="W30.exact",
        statistic="mean",
        predicted=Exact(partial(law.mean, 2)),
        source=DERIVED,
        **plan.short,
    )
    yield Claim(
        "C^(0,2), softplus, skewed read-out, claimed 1/n",
        plan.correlation(soft, 0, 2),
        id="W30.wrong",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        correction=0.5,
        **plan.short,
    )
    yield Claim(
        "C^(0,2), tanh (odd), skewed read-out",
        plan.correlation(plan.shallow("tanh", readout=skewed), 0, 2),
        id="W30.odd",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=None,
        **plan.wide,
    )


def _identities(plan: _Plan) -> Iterator[Claim]:
    """Statements that hold sample by sample."""
    two = plan.deep()
    sizes = {"n": [64, 1024], "samples": 64}
    g = two.derivative(plan.x1)
    for d in (1, 2, 3):
        labels = "abcd"[: d + 1]
        equation = ",".join([labels, *labels]) + "->"
        factors = [two.derivative(plan.x0, order=d + 1)] + [g] * (d + 1)
        forward, backward = (rt.einsum(equation, *factors, root=root) for root in (0, "a"))
        yield Claim(
            f"closing C^(1,{d}) with a gradient gives {d + 1} C^(0,{d + 1})",
            rt.combine(_relative_difference, forward, backward, name="relative difference"),
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
                _relative_difference,
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
        **plan.short,
    )


def _relative_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(a - b) / np.maximum(np.abs(a), np.abs(b)))


def _composition_residual(
    composed: np.ndarray, value: np.ndarray, kernel: np.ndarray, second: np.ndarray
) -> np.ndarray:
    slope = 1 - np.tanh(value) ** 2
    predicted = slope**3 * second - np.tanh(value) * slope * slope**2 * kernel**2
    return np.asarray(np.abs(composed - predicted) / np.abs(kernel) ** 2)


def _one_step(plan: _Plan) -> Iterator[Claim]:
    """One gradient step: smooth activations depart from linearity as the correlations say, ReLU does not."""
    step = 0.75
    sizes = plan.grid(256, 4, [2048, 1024, 512, 256, 128])
    for activation, rates in (
        ("tanh", (-1, -1, -0.5)),
        ("relu", (-0.5, -0.75, -0.25)),
    ):
        f = plan.shallow(activation)
        move = rt.gradient_step(f, plan.x1, step)
        for ident, name, quantity, power in (
            ("same", "F - F_lin at the trained input", move.linearization_error(plan.x1), rates[0]),
            ("other", "F - F_lin at another input", move.linearization_error(plan.x0), rates[1]),
            ("gradient", "change of the gradient", move.gradient_change(plan.x0), rates[2]),
        ):
            yield Claim(
                f"one step, {activation}: {name}",
                quantity,
                id=f"W21.{activation}.{ident}" if activation == "relu" else f"W10.{ident}",
                predicted=rt.Theta(n**power),
                source="derived; non-analytic control" if activation == "relu" else SOURCE,
                correction=0.5 if activation == "relu" else 1.0,
                **sizes,
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


def _calculus(plan: _Plan) -> Iterator[Claim]:
    """Rules of the random-tensor calculus, and where they break."""
    sizes = {"n": [16, 64, 256, 1024], "samples": 20000}
    identity = rt.identity(n)
    dense = {"n": [8, 32, 128], "samples": [16, 16, 8]}
    yield Claim(
        "two shared indices are not submultiplicative: sum of I * I is n",
        rt.einsum("ab,ab->", identity, identity),
        id="W26",
        statistic="mean",
        predicted=Exact(n),
        source=DERIVED,
        **dense,
    )
    yield Claim(
        "while the norm of I is 1",
        rt.norm(identity),
        id="W26.norm",
        statistic="mean",
        predicted=Exact(1),
        **dense,
    )
    a, b = rt.gaussian(n, n), rt.gaussian(n, n)
    product = rt.combine(
        lambda ab, x, y: np.maximum(ab / (x * y) - 1, 0.0),
        rt.norm(rt.einsum("ab,bc->ac", a, b)),
        rt.norm(a),
        rt.norm(b),
        name="excess of |AB| over |A||B|",
    )
    yield Claim("one shared index is submultiplicative", product, id="N7", predicted=Identity(1e-12), **dense)
    vector = rt.gaussian(n)
    tensor_product = rt.combine(
        _relative_difference,
        rt.norm(rt.einsum("a,bc->abc", vector, a)),
        rt.norm(vector) * rt.norm(a),
        name="relative difference",
    )
    yield Claim(
        "norms multiply over tensor products",
        tensor_product,
        id="N0",
        predicted=Identity(1e-6),
        n=[4, 12],
        samples=4,
    )
    for rank, last in ((2, 256), (3, 64)):
        tensor = rt.gaussian(*[n] * rank)
        grid = {"n": [last // 8, last // 4, last // 2, last], "samples": [64, 48, 32, 16]}
        for kind, power in (("injective", Fraction(1, 2)), ("frobenius", Fraction(rank, 2))):
            yield Claim(
                f"{kind} norm of a Gaussian tensor of order {rank}",
                rt.norm(tensor, kind),
                id=f"W23.{kind}.{rank}",
                predicted=rt.Theta(n**power),
                source="Tomioka & Suzuki, arXiv 1407.1870",
                correction=1.0,
                **grid,
            )

    @rt.quantity(n)
    def heavy(size: int, batch: int, rng: np.random.Generator) -> Any:
        return size ** np.abs(rng.standard_normal(batch))

    yield Claim("n^|Z| has no definite bound", heavy, id="W24", predicted=NoDefiniteBound(), source=DERIVED, **sizes)
    yield Claim(
        "n^|Z|: every quantile has an exponent of its own",
        heavy,
        id="W24.slopes",
        predicted=QuantileSlopes({50: 0.67449, 90: 1.64485, 99: 2.57583}),
        source=DERIVED,
        **sizes,
    )
    yield Claim(
        "n^|Z| claimed to be n^0.674, as its median",
        heavy,
        id="W24.wrong",
        predicted=QuantileSlopes({50: 0.67449, 90: 0.67449}),
        source="negative control",
        expect="refuted",
        **sizes,
    )

    @rt.quantity(n)
    def two_point(size: int, batch: int, rng: np.random.Generator) -> Any:
        return np.where(rng.random(batch) < 0.5, 1.0, size)

    yield Claim(
        "X in {1, n}: upper order n, lower order 1",
        two_point,
        id="W25",
        predicted=QuantileSlopes({25: 0.0, 75: 1.0}),
        source=SOURCE,
        **sizes,
    )

    @rt.quantity(n)
    def rare(size: int, batch: int, rng: np.random.Generator) -> Any:
        return np.where(rng.random(batch) < 1 / size, float(size) ** 2, 0.0)

    yield Claim(
        "X = n^2 with probability 1/n is O(f) for every f: its median vanishes",
        rare,
        id="C1.median",
        statistic="median",
        predicted=Exact(0),
        source=DERIVED,
        **sizes,
    )
    yield Claim(
        "and yet its mean is n: stochastic orders say nothing of expectations",
        rare,
        id="C1.mean",
        statistic="mean",
        predicted=Exact(n),
        source=DERIVED,
        n=[16, 64, 256],
        samples=60000,
    )

    @rt.quantity(n)
    def staircase(size: int, batch: int, rng: np.random.Generator) -> Any:
        uniform = rng.random((batch, 1))
        edges = np.arange(size + 1) / size
        return size * ((uniform >= edges[:-1]) & (uniform < edges[1:])).max(axis=1)

    @rt.quantity(n)
    def step(size: int, batch: int, rng: np.random.Generator) -> Any:
        return (rng.random(batch) < 1 / size).astype(float)

    small = {"n": [16, 64, 256], "samples": 60000}
    yield Claim(
        "max over k of n 1{U in [(k-1)/n, k/n)} is n",
        staircase,
        id="W27",
        statistic="mean",
        predicted=Exact(n),
        source=DERIVED,
        n=[16, 64, 256],
        samples=200,
    )
    yield Claim(
        "while each of them is non-zero with probability 1/n: families need joint bounds",
        step,
        id="W27.each",
        statistic="mean",
        predicted=Exact(n**-1),
        source=DERIVED,
        **small,
    )
