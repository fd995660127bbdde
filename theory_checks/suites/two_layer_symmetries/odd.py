"""Odd targets: the linear predictor, its scalar equation, its rates and bounds (claims S11 to S14)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import randtensor as rt
from estimators import NeuronQuantity
from randtensor import mean_field as mf
from theory_checks.claims import Claim, Identity
from theory_checks.suites.two_layer_symmetries.plan import DERIVED, SOURCE, Plan, m

__all__ = ["odd"]

Array = np.ndarray

#: inputs, variance of each, and |w*| of the isotropic rows
_D, _V, _LENGTH, _TIME = 10, 0.1, 12**0.5, 10.0

_FIRST = np.eye(_D)[0]


def odd(plan: Plan) -> Iterator[Claim]:
    """Finite width against the limit, the limit against its bounds."""
    yield from _finite_width(plan)
    yield from _isotropic(plan)
    yield from _general(plan)


def _finite_width(plan: Plan) -> Iterator[Claim]:
    predictor = mf.IsotropicPredictor(_V, _LENGTH, 1 + 1 / _D)
    linear = mf.LinearPredictorRisk(_V * np.eye(_D), _LENGTH * _FIRST)
    paired = mf.Initialization(_D, symmetry=mf.SymmetryGroup.odd(_D))
    limit = float(predictor.length_at(_TIME)) * _FIRST

    def distance(f: mf.Neurons) -> Array:
        return np.asarray(np.linalg.norm(f.linear_predictor() - limit, axis=1))

    departure = NeuronQuantity(
        m, paired, distance, mf.GradientFlow(linear, step=0.25), _TIME, name="distance of w from its limit"
    )
    yield Claim(
        "distance of the linear predictor from that of infinite width at time 10, isotropic inputs",
        departure,
        id="S11",
        predicted=m**-0.5,
        source=DERIVED,
        correction=1.0,
        **plan.grid([32, 128, 512, 2048], [600, 400, 300, 120]),
    )
    yield Claim(
        "distance of the linear predictor from that of infinite width, claimed 1/m",
        departure,
        id="S11.wrong",
        predicted=m**-1,
        source="negative control",
        expect="refuted",
        correction=1.0,
        **plan.grid([32, 128, 512], [200, 150, 100]),
    )
    whole = mf.GaussianRisk(mf.OddTarget(np.sqrt(_V) * _LENGTH * _FIRST), covariance=_V * np.eye(_D))

    @rt.quantity(m, name="whole network against the moments of its neurons", batch=4)
    def closure(size: int, batch: int, rng: np.random.Generator) -> Array:
        start = paired.sample(size, batch, rng=rng)
        network = mf.GradientFlow(whole, step=0.125).after(start, _TIME).linear_predictor()
        moments = linear.solve([_TIME], start.second_moments()).w[:, 0]
        return np.asarray(np.linalg.norm(network - moments, axis=1) / _LENGTH)

    yield Claim(
        "linear predictor of paired networks of any width, against the flow closed in their second moments",
        closure,
        id="S11.closure",
        predicted=Identity(1e-7),
        source=DERIVED,
        note="the tolerance is that of the integration",
        **plan.grid([4, 16, 64], [12, 12, 12]),
    )


def _parameters(batch: int, rng: np.random.Generator) -> list[mf.IsotropicPredictor]:
    """Isotropic settings with log-uniform variance and length, from 1/30 to 30."""
    variances, lengths = np.exp(rng.uniform(-3.4, 3.4, (2, batch)))
    dimensions = rng.integers(1, 100, batch)
    return [
        mf.IsotropicPredictor(float(v), float(c), 1 + 1 / int(d))
        for v, c, d in zip(variances, lengths, dimensions, strict=True)
    ]


def _isotropic(plan: Plan) -> Iterator[Claim]:
    def above_bound(factor: float, name: str) -> rt.Quantity:
        @rt.quantity(name=name, batch=64)
        def above(batch: int, rng: np.random.Generator) -> Array:
            found = []
            for predictor in _parameters(batch, rng):
                times = np.linspace(0.0, 20.0, 201) / predictor.late_rate
                ratio = predictor.distance_at(times) / predictor.bound_at(factor * times)
                found.append(max(float(ratio.max()) - 1, 0.0))
            return np.array(found)

        return above

    yield Claim(
        "|w - w*| over its bound |w*| exp(-v K t/4): what is above 1",
        above_bound(1.0, "distance above the bound"),
        id="S12",
        predicted=Identity(1e-12),
        source=SOURCE,
        samples=plan.counts([256])[0],
        note="the closed form of the scalar equation, at random variance, length and dimension",
    )
    yield Claim(
        "|w - w*| claimed to fall 2 % faster than the bound from the start",
        above_bound(1.02, "distance above a faster bound"),
        id="S12.wrong",
        predicted=Identity(1e-12),
        source="negative control",
        expect="refuted",
        samples=64,
    )

    def slope_error(constant: bool, name: str) -> rt.Quantity:
        @rt.quantity(name=name, batch=16)
        def error(batch: int, rng: np.random.Generator) -> Array:
            found = []
            for _ in range(batch):
                d, v, c = int(rng.integers(1, 12)), float(rng.uniform(0.1, 2)), float(rng.uniform(0.2, 2))
                predictor = mf.IsotropicPredictor(v, c, 1 + 1 / d)
                claimed = predictor.late_rate if constant else v * c
                times = np.array([14.0, 17.0]) / predictor.late_rate
                target = c * np.eye(d)[0]
                path = mf.LinearPredictorRisk(v * np.eye(d), target).solve(times, tolerance=1e-13)
                early, late = np.linalg.norm(path.w - target, axis=-1)
                found.append(np.log(early / late) / (times[1] - times[0]) / claimed - 1)
            return np.abs(found)

        return error

    yield Claim(
        "late rate of log |w - w*| over v (K^2/16 + |w*|^2)^1/2, less 1, from the flow of the moments",
        slope_error(True, "late rate"),
        id="S13",
        predicted=Identity(1e-4),
        source=DERIVED,
        samples=plan.counts([64])[0],
        note="between the times 14 and 17 over the rate, where it is off by about exp(-14) (1 + |w*|/K)",
    )
    yield Claim(
        "late rate of log |w - w*| claimed to be v |w*|",
        slope_error(False, "late rate without the spread"),
        id="S13.wrong",
        predicted=Identity(1e-4),
        source="negative control",
        expect="refuted",
        samples=32,
    )


def _general(plan: Plan) -> Iterator[Claim]:
    def above_bound(largest: bool, name: str) -> rt.Quantity:
        @rt.quantity(name=name, batch=16)
        def above(batch: int, rng: np.random.Generator) -> Array:
            found = []
            for _ in range(batch):
                d = int(rng.integers(2, 11))
                basis = np.linalg.qr(rng.standard_normal((d, d)))[0]
                spectrum = np.exp(rng.uniform(np.log(0.2), np.log(2.0), d))
                risk = mf.LinearPredictorRisk((basis * spectrum) @ basis.T, rng.standard_normal(d))
                times = np.linspace(0.0, 10.0, 41)
                path = risk.solve(times)
                rate = risk.spectrum[-1 if largest else 0] / risk.spectrum[0]
                ratio = risk.excess(path.w) / risk.excess(np.zeros(d)) / risk.bound(rate * times)
                found.append(max(float(ratio.max()) - 1, 0.0))
            return np.array(found)

        return above

    yield Claim(
        "(Q - Q*)/(Q_0 - Q*) over its bound exp(-c_d lambda_min(C) t/2): what is above 1",
        above_bound(False, "excess above the bound"),
        id="S14",
        predicted=Identity(1e-9),
        source=DERIVED,
        samples=plan.counts([96])[0],
        note="infinite width, random covariances and optima in 2 to 10 dimensions",
    )
    yield Claim(
        "(Q - Q*)/(Q_0 - Q*) claimed to fall at the rate of the largest eigenvalue",
        above_bound(True, "excess above a faster bound"),
        id="S14.wrong",
        predicted=Identity(1e-9),
        source="negative control",
        expect="refuted",
        samples=32,
    )
