"""What symmetries force on the derivatives of the loss, at random parameters and on random batches (M1 to M6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators.mechanics import Part, Symmetry
from randtensor.random_function import RandomFunction
from theory_checks.claims import Claim
from theory_checks.suites.neural_mechanics.network import Network
from theory_checks.suites.neural_mechanics.plan import DERIVED, SOURCE, Plan, n, sampled
from theory_checks.symmetries import check_identities
from theory_checks.symmetries.programs import charge_function, identity_residual

__all__ = ["derivative_identities", "noise", "wide"]

Array = np.ndarray

_EXAMPLES = (8, 16, 32)  # in a batch


def derivative_identities(plan: Plan) -> Iterator[Claim]:
    """Gradient, Hessian and third derivative on digits, with a wrong sign as a control."""
    orders = ("gradient", "Hessian", "third derivative")
    for k, name in enumerate(orders):

        def residuals(size: int, rng: np.random.Generator, order: int = k) -> list[float]:
            net = Network(*plan.data.draw(size, rng))
            report = check_identities(net.program, net.start(rng), net.symmetries, order=order + 1, rng=rng)
            return [row.orders[order] for row in report]

        yield plan.identity(
            f"M{k + 1}",
            f"identity of the {name}, translation, scale and rescale, batches of n digits",
            sampled(residuals, f"identity of the {name}", shape=(4,)),
            1e-13,
            _EXAMPLES,
            3 if k == 2 else 5,
            source=SOURCE if k < 2 else DERIVED,
        )

    def wrong(size: int, rng: np.random.Generator) -> float:
        net = Network(*plan.data.draw(size, rng))
        objective, point = net.objective, net.start(rng)
        split, join = objective.layout.split, objective.layout.join
        scale = net.symmetries[2]
        gradient = objective.gradient(point)
        curved = objective.hessian_product(point, join(scale.generator(split(point))))
        own = join(scale.multiply(split(gradient)))
        return float(np.linalg.norm(curved - own) / np.linalg.norm(curved))

    yield plan.identity(
        "M2.wrong",
        "scale, identity of the Hessian with the other sign of the gradient",
        sampled(wrong, "identity of the Hessian, other sign"),
        1e-13,
        _EXAMPLES,
        8,
        source="negative control",
        expect="refuted",
    )

    def traces(size: int, rng: np.random.Generator) -> float:
        net = Network(*plan.data.draw(size, rng))
        return _trace_residual(net, net.start(rng), int(rng.integers(net.units)))

    yield plan.identity(
        "M4",
        "scale: tr D3_AA[theta_A] = -2 tr H_AA for one normalised unit, batches of n digits",
        sampled(traces, "traces on the block of a unit"),
        1e-13,
        _EXAMPLES,
        2,
    )


def _trace_residual(net: Network, point: Array, unit: int) -> float:
    objective, scale = net.program, net.symmetries[2]
    split, join = objective.layout.split, objective.layout.join
    weights = np.eye(net.units)[unit]
    xi = join(scale.generator(split(point), weights))
    # the generator of 1 in place of theta: where the entries of the unit are
    inside = np.flatnonzero(join(scale.generator(split(np.ones_like(point)), weights)))
    third, second, size = 0.0, 0.0, 0.0
    for entry in inside:
        basis = np.zeros_like(point)
        basis[entry] = 1.0
        third += objective.third_product(point, xi, basis)[entry]
        curvature = objective.hessian_product(point, basis)[entry]
        second, size = second + curvature, size + abs(curvature)
    return abs(third + 2 * second) / size


def wide(plan: Plan) -> Iterator[Claim]:
    """The same identities of a program at any width, contracted with gradients, and the balance of two layers."""
    x, other = np.array([[1.0, 0.5, -0.3, 0.8]]), np.array([[-0.2, 1.0, 0.7, 0.1]])

    @rt.program(W=rt.gaussian(n, 4), V=rt.gaussian(n, n), a=rt.gaussian(n))
    def loss(p: Any, rows: Any) -> Any:
        hidden = rt.relu(p.V @ rt.relu(p.W @ rows[0]) / n**0.5)
        return rt.square(p.a @ hidden / n**0.5 - 1.0) / 2

    balance = charge_function(loss, Symmetry("rescale", (Part("W", None), Part("a", None, -1)), "layers"))
    for order in (1, 2, 3):
        yield plan.identity(
            f"M{order}.wide",
            f"first against last of three ReLU layers at width n, derivatives of order {order}",
            identity_residual(loss, balance, x, order=order, probe=other),
            1e-11,
            [2**8, 2**12, 2**16],
            6,
        )
    broken = RandomFunction(lambda p, rows: rt.square(p.a @ rt.tanh(p.W @ rows[0]) / n**0.5 - 1.0), loss.space, "tanh")
    yield plan.identity(
        "M1.wrong",
        "the same for tanh units, which have no such symmetry",
        identity_residual(broken, balance, x, order=1, probe=other),
        1e-11,
        [2**8, 2**12, 2**16],
        6,
        source="negative control",
        expect="refuted",
    )


def noise(plan: Plan) -> Iterator[Claim]:
    """Noise of batches along symmetries, and the constant of the normalisation."""

    def covariance(size: int, rng: np.random.Generator) -> list[float]:
        net = Network(*plan.data.draw(200, rng))
        objective, point = net.objective, net.start(rng)
        named = objective.layout.split(point)
        gradients = np.array([objective.gradient(point, rng.choice(200, size, replace=False)) for _ in range(60)])
        gradients -= gradients.mean(axis=0)
        total = (gradients**2).sum()
        found = []
        for symmetry in net.symmetries:
            rows = np.array([symmetry.along(objective.layout.split(row), named) for row in gradients])
            found.append(float(((rows / symmetry.norms(named)) ** 2).sum(axis=0).max() / total))
        return found

    yield plan.identity(
        "M5",
        "part of the batch noise along a symmetry, batches of n digits",
        sampled(covariance, "noise along symmetries", shape=(4,)),
        1e-26,
        [10, 20, 40],
        6,
        source=SOURCE,
        note="squares: 1e-26 is 1e-13 in the gradients",
    )

    def constant(size: int, rng: np.random.Generator) -> float:
        drawn = plan.data.draw(48, rng)
        point = Network(*drawn).start(rng)

        def along(eps: float) -> Array:
            net = Network(*drawn, eps=eps)
            named = net.objective.layout.split(point)
            return net.symmetries[2].along(net.objective.layout.split(net.objective.gradient(point)), named)

        return float(np.abs(along(1 / size)).max() / np.abs(along(1e-3)).max())

    yield plan.rate(
        "M6",
        "<g, theta_A> with eps = 1 / n in the batch normalisation",
        sampled(constant, "product of gradient and normalised weights"),
        -1,
        [10**4, 10**5, 10**6],
        24,
    )
