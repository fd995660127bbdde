"""Symmetries that descent keeps: to rounding from closed neurons, to m^-1/2 from independent ones (claims S3 to S8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from estimators import NeuronQuantity
from randtensor import mean_field as mf
from theory_checks.claims import Claim, Identity
from theory_checks.suites.two_layer_symmetries.plan import DERIVED, SOURCE, Plan, m

__all__ = ["equivariance"]

Array = np.ndarray

_RATE, _STEPS = 0.1, 100

#: of outputs of order one after so many steps
_ROUNDING = 1e-12


def _size(X: Array) -> Array:
    return np.asarray(np.abs(X[:, 0]))


def _odd(X: Array) -> Array:
    return np.asarray(X[:, 0] ** 3 / 3 + X[:, 1])


def _largest(X: Array) -> Array:
    return np.asarray(np.abs(X).max(axis=1))


class _Setting:
    """A group, a target with its symmetry, and data that are closed under it."""

    def __init__(self, group: mf.SymmetryGroup, points: Array, target: Callable[[Array], Array]) -> None:
        self.group, self.X = group, group.orbit(points)
        self.risk = mf.EmpiricalRisk(self.X, target(self.X), symmetry=group)
        self.unclosed = mf.EmpiricalRisk(points, target(points))

    def worst(self, closed_data: bool = True) -> NeuronQuantity:
        """The largest defect over data and group, from neurons that are closed under it."""
        return self._trained(lambda f: self.group.defect(f, self.X), "largest defect", True, closed_data)

    def typical(self, closed_neurons: bool = False, closed_data: bool = True) -> NeuronQuantity:
        """The rms over data of f(T x) - s f(x), T the element of the group that is not the identity."""

        def defect(f: mf.Neurons) -> Array:
            first, second = np.split(f(self.X), 2, axis=1)
            return np.asarray(np.sqrt(((second - self.group.signs[1] * first) ** 2).mean(axis=1)))

        return self._trained(defect, "rms defect", closed_neurons, closed_data)

    def nonlinear(self, closed_neurons: bool, closed_data: bool = True) -> NeuronQuantity:
        """The rms over data of f(x) - w.x."""

        def rest(f: mf.Neurons) -> Array:
            return np.asarray(np.sqrt(((f(self.X) - f.linear_predictor() @ self.X.T) ** 2).mean(axis=1)))

        return self._trained(rest, "rms of what is not linear", closed_neurons, closed_data)

    def _trained(
        self, observable: Callable[[mf.Neurons], Array], name: str, closed_neurons: bool, closed_data: bool
    ) -> NeuronQuantity:
        start = mf.Initialization(self.group.dimension, symmetry=self.group if closed_neurons else None)
        descent = mf.GradientDescent(self.risk if closed_data else self.unclosed, _RATE)
        return NeuronQuantity(m, start, observable, descent, _STEPS, name=name)


def equivariance(plan: Plan) -> Iterator[Claim]:
    """Descent on a closed sample is equivariant at any width and any step size."""
    d = plan.dimension
    mirror = _Setting(mf.SymmetryGroup.reflection(d), plan.points, _size)
    anti = _Setting(mf.SymmetryGroup.reflection(d, sign=-1), plan.points, lambda X: X[:, 0] + 0.3 * X[:, 0] ** 3)
    cube = _Setting(mf.SymmetryGroup.signed_permutations(3), np.random.default_rng(2).standard_normal((2, 3)), _largest)
    odd = _Setting(mf.SymmetryGroup.odd(d), plan.points, _odd)
    for ident, name, setting, sizes in (
        ("S3", "f(T x) - f(x) after descent, T a mirror, |x1| as target", mirror, [16, 64, 256]),
        ("S4", "f(T x) + f(x) after descent, T a mirror, x1 + 0.3 x1^3 as target", anti, [16, 64, 256]),
        ("S5", "f(T x) - f(x) after descent over the 48 signed permutations, max |x_i| as target", cube, [96, 384]),
    ):
        yield Claim(
            f"{name}: closed neurons and data",
            setting.worst(),
            id=ident,
            predicted=Identity(_ROUNDING),
            source=SOURCE if ident != "S5" else DERIVED,
            **plan.grid(sizes, [30] * len(sizes)),
        )
    yield Claim(
        "f(T x) - f(x) after descent: closed neurons, data that are not, claimed to vanish",
        mirror.worst(closed_data=False),
        id="S3.wrong",
        predicted=Identity(_ROUNDING),
        source="negative control",
        expect="refuted",
        **plan.grid([16, 64], [30, 30]),
    )
    yield Claim(
        "f(T x) - f(x) after descent: independent neurons, rms over closed data",
        mirror.typical(),
        id="S6",
        predicted=m**-0.5,
        source=DERIVED,
        correction=1.0,
        **plan.grid([32, 128, 512, 2048], [700, 500, 350, 100]),
    )
    yield Claim(
        "f(T x) - f(x) after descent: independent neurons, claimed as small as the bias 1/m",
        mirror.typical(),
        id="S6.wrong",
        predicted=m**-1,
        source="negative control",
        expect="refuted",
        correction=1.0,
        **plan.grid([32, 128, 512], [150, 150, 150]),
    )
    yield from _odd_targets(plan, odd)


def _odd_targets(plan: Plan, odd: _Setting) -> Iterator[Claim]:
    yield Claim(
        "f(x) - w.x after descent on an odd target: independent neurons",
        odd.nonlinear(closed_neurons=False),
        id="S7.iid",
        predicted=m**-0.5,
        source=DERIVED,
        correction=1.0,
        **plan.grid([32, 128, 512, 2048], [400, 300, 200, 60]),
    )
    yield Claim(
        "f(x) - w.x after descent on an odd target: neurons in pairs (a, b), (-a, -b)",
        odd.nonlinear(closed_neurons=True),
        id="S7.paired",
        predicted=Identity(_ROUNDING),
        source=SOURCE,
        **plan.grid([16, 64, 256], [30, 30, 30]),
    )
    sizes = plan.grid([32, 128, 512], [120, 120, 90])
    yield Claim(
        "f(x) - w.x after descent on an odd target: paired neurons, data that are not closed, tends to a constant",
        odd.nonlinear(closed_neurons=True, closed_data=False),
        id="S8",
        predicted=m**0,
        source=DERIVED,
        correction=1.0,
        **sizes,
    )
    yield Claim(
        "f(x) - w.x after descent on an odd target: paired neurons, data that are not closed, claimed to vanish",
        odd.nonlinear(closed_neurons=True, closed_data=False),
        id="S8.wrong",
        predicted=m**-0.5,
        source="negative control",
        expect="refuted",
        correction=1.0,
        **sizes,
    )
