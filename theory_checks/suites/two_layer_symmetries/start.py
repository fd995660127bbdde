"""Networks as they start: exact second moments, and the linearity of the odd part (claims S1, S2, S15, S20)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import randtensor as rt
from estimators import NeuronQuantity
from randtensor import mean_field as mf
from theory_checks.claims import Claim, Exact, Identity
from theory_checks.suites.two_layer_symmetries.plan import DERIVED, SOURCE, Plan, m

__all__ = ["start"]

_D = 5


def start(plan: Plan) -> Iterator[Claim]:
    """Outputs, the odd part, the linear predictor and the angle with H, before training."""
    x = np.ones((1, _D))
    outputs = NeuronQuantity(m, mf.Initialization(_D), lambda f: f(x)[:, 0] ** 2, name="squared output")
    yield Claim(
        "squared output at the start, at an input of squared length d",
        outputs,
        id="S1",
        statistic="mean",
        predicted=Exact(0.5 * m**-1, within=plan.within(0.05)),
        source=DERIVED,
        **plan.grid([8, 64], [30000, 30000]),
    )
    inputs = np.random.default_rng(1).standard_normal((10, _D))

    def odd_part(f: mf.Neurons) -> np.ndarray:
        # weights of any size: the start is only where they come from
        scaled = mf.Neurons(f.a * (1 + np.arange(f.width)), f.b)
        rest = scaled(inputs) - scaled(-inputs) - 2 * scaled.linear_predictor() @ inputs.T
        return np.asarray(np.abs(rest).max(axis=1) / np.abs(scaled(inputs)).max(axis=1))

    yield Claim(
        "f(x) - f(-x) - 2 w.x, w half the mean of a b, for any weights",
        NeuronQuantity(m, mf.Initialization(_D, "gaussian"), odd_part, name="odd part"),
        id="S2",
        predicted=Identity(1e-11),
        source=DERIVED,
        **plan.grid([4, 64, 1024], [100, 100, 100]),
    )
    for name, group, mean, variance in (
        ("iid", None, 0.25 * m**-1, lambda size: (size - 1) / (8 * size**3 * _D)),
        ("paired", mf.SymmetryGroup.odd(_D), 0.5 * m**-1, lambda size: (size - 2) / (2 * size**3 * _D)),
    ):
        squared = NeuronQuantity(
            m,
            mf.Initialization(_D, symmetry=group),
            lambda f: (f.linear_predictor() ** 2).sum(axis=1),
            name="squared length of w",
        )
        yield Claim(
            f"squared length of the linear predictor at the start, {name} neurons",
            squared,
            id=f"S15.{name}",
            statistic="mean",
            predicted=Exact(mean, variance=variance, within=plan.within(0.05)),
            source=DERIVED,
            **plan.grid([8, 32, 128], [8000, 8000, 8000]),
        )
    yield Claim(
        "squared length of the linear predictor of paired neurons, claimed to be that of independent ones",
        squared,
        id="S15.wrong",
        statistic="mean",
        predicted=Exact(0.25 * m**-1, within=0.1),
        source="negative control",
        expect="refuted",
        **plan.grid([8, 32], [400, 400]),
    )
    yield from _angles(plan)


def _angles(plan: Plan) -> Iterator[Claim]:
    d, h = rt.Scale("d"), rt.Scale("h")

    @rt.quantity(d, name="squared cosine of the angle with H, dim H = 3", batch=1024)
    def cosine(size: int, batch: int, rng: np.random.Generator) -> np.ndarray:
        neurons = mf.Initialization(size).sample(1, batch, rng=rng)
        return np.asarray(np.cos(neurons.angles(3)[:, 0]) ** 2)

    yield Claim(
        "squared cosine of the angle between a neuron and H, dim H = 3",
        cosine,
        id="S20.angle",
        statistic="mean",
        # a Beta(3/2, (d - 3)/2) variable
        predicted=Exact(
            3 * d**-1, variance=lambda size: 6 * (size - 3) / (size**2 * (size + 2)), within=plan.within(0.03)
        ),
        source=SOURCE,
        **plan.grid([5, 10, 20, 40], [20000, 20000, 20000, 20000]),
    )

    @rt.quantity(h, name="half the squared length of the projection", batch=1024)
    def risk(size: int, batch: int, rng: np.random.Generator) -> np.ndarray:
        target = mf.SubspaceNorm(size + 3, size)
        return np.asarray(target(rng.standard_normal((batch, size + 3))) ** 2 / 2)

    yield Claim(
        "risk of the zero function for the target |p_H x|",
        risk,
        id="S20.risk",
        statistic="mean",
        predicted=Exact(0.5 * h, variance=0.5 * h, within=plan.within(0.03)),
        source=SOURCE,
        **plan.grid([1, 4, 16], [40000, 20000, 20000]),
    )
