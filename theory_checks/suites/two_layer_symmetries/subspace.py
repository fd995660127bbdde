"""Targets of the projection on H: the reduced equations, their energy, their minimiser, alignment (S19, S21 to S23)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

import randtensor as rt
from estimators import NeuronQuantity
from randtensor import mean_field as mf
from theory_checks.claims import Claim, Identity
from theory_checks.suites.two_layer_symmetries.fluctuations import D, H
from theory_checks.suites.two_layer_symmetries.plan import DERIVED, SOURCE, Plan, k, m

__all__ = ["subspace"]

#: rotations of a finite group
g = rt.Scale("g")

Array = np.ndarray


def subspace(plan: Plan) -> Iterator[Claim]:
    """Energy dissipation, the minimiser, alignment, and a target of two directions."""
    yield from _dissipation(plan)
    yield from _minimiser(plan)
    yield from _alignment(plan)
    yield from _two_directions(plan)


def _dissipation(plan: Plan) -> Iterator[Claim]:
    # cut off early: what is left is a kernel like any other, and the identity one of its flow
    reduced = mf.AngleRisk(D, H, degree=32)

    def imbalance(factor: float, name: str) -> rt.Quantity:
        @rt.quantity(k, name=name, batch=128)
        def found(steps: int, batch: int, rng: np.random.Generator) -> Array:
            angles = np.arccos(np.sqrt(rng.beta(H / 2, (D - H) / 2, (batch, 16))))
            signs = np.tile([1.0, -1.0], 8)
            start = reduced.neurons(angles, np.full_like(angles, 1 / 16), np.broadcast_to(signs, angles.shape))
            flow = mf.GradientFlow(reduced, step=1 / steps)
            before, now, after = flow.trajectory(start, [0.25 - 1 / steps, 0.25, 0.25 + 1 / steps])
            slope = (reduced.loss(after) - reduced.loss(before)) * steps / 2
            return np.asarray(slope + factor * mf.dissipation(reduced, now))

        return found

    yield Claim(
        "dF/dt + integral of 2 G^2 + (dG/dtheta)^2 over both masses, central difference of step 1/k",
        imbalance(1.0, "rate of the risk plus dissipation"),
        id="S19",
        predicted=k**-2,
        source=DERIVED,
        correction=2.0,
        **plan.grid([8, 16, 32, 64], [1024] * 4),
    )
    yield Claim(
        "dF/dt + integral, with a factor 0.99, claimed to vanish as well",
        imbalance(0.99, "rate of the risk plus less than the dissipation"),
        id="S19.wrong",
        predicted=k**-2,
        source="negative control",
        expect="refuted",
        correction=2.0,
        **plan.grid([8, 16, 32, 64], [96] * 4),
    )


def _minimiser(plan: Plan) -> Iterator[Claim]:
    def distance(mass: float, name: str) -> rt.Quantity:
        @rt.quantity(name=name, batch=16)
        def found(batch: int, rng: np.random.Generator) -> Array:
            gaps = []
            for _ in range(batch):
                d = int(rng.integers(2, 60))
                risk = mf.AngleRisk(d, int(rng.integers(1, d)), degree=1)
                angles = rng.uniform(0.0, np.pi / 2, 20)
                minimiser = risk.neurons([0.0], [mass * risk.mass], [1.0])
                gaps.append(float(np.abs(risk.output(minimiser, angles) - np.cos(angles)).max()))
            return np.array(gaps)

        return found

    yield Claim(
        "output of the mass alpha at the angle 0 less |p_H x|, at unit inputs of any angle",
        distance(1.0, "distance of the minimiser"),
        id="S21",
        predicted=Identity(1e-12),
        source=SOURCE,
        samples=plan.counts([96])[0],
        note="random dimensions of inputs, up to 60, and of H",
    )
    yield Claim(
        "output of the mass 1.01 alpha at the angle 0 less |p_H x|, claimed to vanish",
        distance(1.01, "distance of another mass"),
        id="S21.wrong",
        predicted=Identity(1e-12),
        source="negative control",
        expect="refuted",
        samples=32,
    )


def _alignment(plan: Plan) -> Iterator[Claim]:
    times = (0.0, 1.0, 2.0, 3.0, 4.0)

    def turning(flip: float, name: str) -> NeuronQuantity:
        def violation(*states: mf.Neurons) -> Array:
            plus, minus = np.swapaxes([state.alignment(H) for state in states], 0, 1)
            forward = np.concatenate([-np.diff(plus, axis=0), flip * np.diff(minus, axis=0)])
            return np.asarray(np.maximum(-forward.min(axis=0), 0.0))

        flow = mf.GradientFlow(mf.GaussianRisk(mf.SubspaceNorm(D, H)), step=0.25)
        return NeuronQuantity(m, mf.Initialization(D), violation, flow, times, name=name)

    yield Claim(
        "mean angle with H over times 0 to 4: that of positive neurons falls, that of negative ones grows",
        turning(1.0, "angles that turn the wrong way"),
        id="S22",
        predicted=Identity(1e-12),
        source=SOURCE,
        note="a trend, of all networks drawn",
        **plan.grid([128], [40]),
    )
    yield Claim(
        "mean angle with H over times 0 to 4, claimed to fall for negative neurons, too",
        turning(-1.0, "angles that do not all fall"),
        id="S22.wrong",
        predicted=Identity(1e-12),
        source="negative control",
        expect="refuted",
        n=[64],
        samples=8,
    )


#: the target |x1| + max(x2, 0), of the two directions of H
_A, _B = np.array([3.0, 3.0, 3.0]), np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])


def _risk(across: int) -> mf.GaussianRisk:
    """The risk of whole networks, with so many dimensions across H."""
    return mf.GaussianRisk(mf.Teacher(mf.Neurons(_A, np.pad(_B, [(0, 0), (0, across)]))))


def _reduced_risk(across: int) -> mf.GaussianRisk:
    """That of networks in the coordinates of H and the length across: neurons (theta, z)."""
    blocks = [0, 0, across]
    return mf.GaussianRisk(mf.Teacher(mf.Neurons(_A, np.pad(_B, [(0, 0), (0, 1)])), blocks), blocks)


@cache
def _limiting_mass(across: int, time: float) -> float:
    """Mass of the positive neurons at infinite width, to 1e-5, from 200 neurons on the nodes of a product rule."""
    points, weights = mf.uniform_directions(2 + across, 2, 10)
    size = np.sqrt(np.tile(weights, 2) * len(weights))
    signs = np.repeat([1.0, -1.0], len(weights))
    start = mf.Neurons(signs * size, size[:, None] * np.tile(points, (2, 1)))
    return float(mf.GradientFlow(_reduced_risk(across), step=0.25).after(start, time).masses()[0])


def _two_directions(plan: Plan) -> Iterator[Claim]:
    across, time = 4, 2.0
    shortfall = NeuronQuantity(
        m,
        mf.Initialization(2 + across, symmetry=mf.SymmetryGroup.balanced(2 + across)),
        lambda f: _limiting_mass(across, time) - f.masses()[0],
        mf.GradientFlow(_risk(across), step=0.25),
        time,
        name="positive mass below that of the reduced equations",
    )
    yield Claim(
        "positive mass at time 2 below that of the equations reduced to (theta, z), |x1| + max(x2, 0) as target: bias",
        shortfall,
        id="S23.bias",
        statistic="mean",
        predicted=m**-1,
        source=DERIVED,
        correction=1.0,
        **plan.grid([4, 16, 64], [8000, 6000, 6000]),
    )

    @rt.quantity(g, name="risk of a network of orbits against that of the reduced one", batch=64)
    def orbits(order: int, batch: int, rng: np.random.Generator) -> Array:
        return np.full(batch, _orbit_error(order, 1.0))

    yield Claim(
        "risk at time 1 of neurons in orbits of g rotations across H, less that of as many neurons (theta, z)",
        orbits,
        id="S23.orbits",
        statistic="mean",
        predicted=g**-4,
        source=DERIVED,
        correction=2.0,
        note="computed, the spread is zero: a sum over g points of a circle, for a kernel with a kink of third order",
        n=[24, 48, 96, 192],
        samples=64,
    )


def _orbit_error(order: int, time: float) -> float:
    """Distance of the risks of whole and of reduced networks, averaged over four networks of four orbits each."""
    angle = 2 * np.pi / order
    turn = np.eye(4)
    turn[2:, 2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    start = mf.Initialization(4).sample(4, 4, rng=np.random.default_rng(4))
    within, length = start.b[..., :2], np.linalg.norm(start.b[..., 2:], axis=-1, keepdims=True)
    reduced = mf.Neurons(start.a, np.concatenate([within, length], axis=-1))
    whole = mf.SymmetryGroup.generated([turn]).closure(start)
    ends = [
        risk.loss(mf.GradientFlow(risk, step=0.25).after(state, time))
        for risk, state in ((_risk(2), whole), (_reduced_risk(2), reduced))
    ]
    return float(np.abs(ends[0] - ends[1]).mean())
