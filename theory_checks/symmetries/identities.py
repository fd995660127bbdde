"""The identities that a symmetry forces on the derivatives of a loss, at every point and on every batch.

With the generator xi, its derivative M by the parameters (0 for translations), the gradient g, the Hessian H and the
third derivative D: <g, xi> = 0, H xi + M g = 0 and D[xi] w + H M w + M H w = 0 for every vector w. The first two are of
Kunin et al. 2020, arXiv 2012.04728, section 3; the third is the derivative of the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from estimators import fit_rate
from estimators.mechanics import ModuleObjective, Objective, Symmetry
from estimators.mechanics.objectives import objective_vector
from randtensor.errors import InputError
from randtensor.seeding import Seed, root_sequence

__all__ = ["IdentityReport", "Residuals", "check_identities", "eps_slope"]

Array = np.ndarray

_ORDERS = ("gradient", "Hessian", "third derivative")

#: an eps that is lost in the rounding of any variance; PyTorch does not accept 0 for batch normalisation
_NEGLIGIBLE = 1e-20


@dataclass(frozen=True)
class Residuals:
    """By how much the identities of one symmetry fail, relative to what they would be for a generic direction.

    Attributes
    ----------
    symmetry : whose they are.
    units : number of its units.
    orders : residuals of the gradient, the Hessian and the third derivative, as far as they were asked for.
    """

    symmetry: Symmetry
    units: int
    orders: tuple[float, ...]

    @property
    def worst(self) -> float:
        """The largest of them."""
        return max(self.orders)


@dataclass(frozen=True)
class IdentityReport:
    """The residuals of several symmetries; its text is a table.

    Attributes
    ----------
    rows : by symmetry.
    precision : relative rounding of the objective.
    """

    rows: tuple[Residuals, ...]
    precision: float = float(np.finfo(float).eps)

    def __iter__(self) -> Iterator[Residuals]:
        return iter(self.rows)

    def require(self, tolerance: float = 1e-9) -> IdentityReport:
        """The report itself, if all identities hold exactly.

        Raises
        ------
        InputError : a group that is none of a symmetry, with its residual, or of one that holds only at eps = 0; a
            tolerance that is below the rounding of the objective.
        """
        if tolerance < self.precision:
            raise InputError(
                f"tolerance is {tolerance:g}, expected more than the rounding of the objective, {self.precision:.1g}: "
                f"a module in double precision (module.double()) tells a symmetry from none"
            )
        for row in self.rows:
            symmetry, eps = row.symmetry, getattr(row.symmetry, "eps", 0.0)
            if eps > _NEGLIGIBLE:
                raise InputError(
                    f"group {symmetry.name!r} is a symmetry only at eps = 0 of the normalisation, which has eps = "
                    f"{eps:g}: set it to 1e-30, or see with eps_slope that the residual is proportional to it"
                )
            if not row.worst <= tolerance:
                order = _ORDERS[int(np.argmax(row.orders))]
                raise InputError(
                    f"group {symmetry.name!r} is no {symmetry.family} symmetry of the loss: the identity of the "
                    f"{order} fails by {row.worst:.2g} relative, expected at most {tolerance:g}"
                )
        return self

    def __str__(self) -> str:
        width = max([len("group"), *(len(row.symmetry.name) for row in self.rows)])
        orders = _ORDERS[: len(self.rows[0].orders)] if self.rows else _ORDERS
        lines = [f"{'group':<{width}}  {'units':>5}  " + "  ".join(f"{name:>16}" for name in orders)]
        for row in self.rows:
            found = "  ".join(f"{value:>16.1e}" for value in row.orders)
            lines.append(f"{row.symmetry.name:<{width}}  {row.units:>5}  {found}")
        return "\n".join(lines)


def check_identities(
    objective: Objective,
    parameters: Any,
    symmetries: Sequence[Symmetry],
    *,
    batch: Any = None,
    order: int = 3,
    rng: Seed = 0,
) -> IdentityReport:
    """Evaluate the identities of symmetries at one point, through products with vectors: no Hessian is formed.

    The identity of the gradient is looked at unit by unit. Those of higher order are linear in the generator, and are
    looked at along one random combination of all units, which fails if any of them does.

    Parameters
    ----------
    objective : the loss; `estimators.mechanics.ModuleObjective` for a PyTorch module, `ProgramObjective` for a program
        of the library, `FunctionObjective` for plain functions.
    parameters : the point, a vector or arrays by name.
    symmetries : found by `find_symmetries`, or given by hand.
    batch : of the objective; None for all data.
    order : 1, 2 or 3: up to which derivative.
    rng : of the combinations.

    Raises
    ------
    InputError : an order outside 1, 2, 3, no symmetries, or a group that does not fit the parameters.

    Examples
    --------
    A product of two numbers, with a group that is none as well:

    >>> from estimators.mechanics import FunctionObjective, Part
    >>> def slope(p, batch):
    ...     return {"u": (p["u"] * p["v"] - 1) * p["v"], "v": (p["u"] * p["v"] - 1) * p["u"]}
    >>> product = FunctionObjective({"u": (1,), "v": (1,)}, lambda p, batch: (p["u"] * p["v"] - 1)[0] ** 2 / 2, slope)
    >>> balance = Symmetry("rescale", (Part("u"), Part("v", sign=-1)), "balance")
    >>> check_identities(product, [2.0, 3.0], [balance]).require().rows[0].orders[0]
    0.0
    >>> check_identities(product, [2.0, 3.0], [Symmetry("scale", (Part("u"),), "u")], order=1).require()
    Traceback (most recent call last):
    ...
    randtensor.errors.InputError: group 'u' is no scale symmetry of the loss: the identity of the gradient fails by \
0.83 relative, expected at most 1e-09
    """
    if isinstance(order, bool) or order not in (1, 2, 3):
        raise InputError(f"order is {order!r}, expected 1, 2 or 3")
    if not symmetries:
        raise InputError("symmetries is empty, expected at least one")
    point = objective_vector(objective, parameters)
    named = objective.layout.split(point)
    for symmetry in symmetries:
        symmetry.units(named)
    generator = np.random.default_rng(root_sequence(rng))
    gradient = objective.gradient(point, batch)
    rows = [_residuals(objective, point, symmetry, gradient, batch, order, generator) for symmetry in symmetries]
    return IdentityReport(tuple(rows), getattr(objective, "precision", float(np.finfo(float).eps)))


def _residuals(
    objective: Objective,
    point: Array,
    symmetry: Symmetry,
    gradient: Array,
    batch: Any,
    order: int,
    rng: np.random.Generator,
) -> Residuals:
    layout = objective.layout
    named = layout.split(point)
    units = symmetry.units(named)
    along = symmetry.along(layout.split(gradient), named)
    orders = [_relative(np.abs(along).max(), float(np.linalg.norm(gradient)) * float(symmetry.norms(named).min()))]
    weights = rng.standard_normal(units)
    xi = layout.join(symmetry.generator(named, weights))

    def turned(vector: Array) -> Array:
        """M v."""
        return layout.join(symmetry.multiply(layout.split(vector), weights))

    # what the products give along directions that are none of a symmetry, of the length of the generator
    other, w = (_of_length(rng.standard_normal(layout.size), length) for length in (float(np.linalg.norm(xi)), 1.0))
    if order >= 2:
        scale = _length(objective.hessian_product(point, other, batch)) + _length(turned(gradient))
        orders.append(_relative(_length(objective.hessian_product(point, xi, batch) + turned(gradient)), scale))
    if order >= 3:
        parts = [
            objective.third_product(point, xi, w, batch),
            objective.hessian_product(point, turned(w), batch),
            turned(objective.hessian_product(point, w, batch)),
        ]
        generic = _length(objective.third_product(point, other, w, batch))
        orders.append(_relative(_length(sum(parts)), generic + sum(map(_length, parts))))
    return Residuals(symmetry, units, tuple(orders))


def eps_slope(
    module: Any, inputs: Any, targets: Any, symmetry: Symmetry, *, eps: Sequence[float] = (1e-3, 1e-4, 1e-5, 1e-6),
    loss: Any = "cross-entropy",
) -> Any:  # fmt: skip
    """How <g, xi> vanishes with the constant that normalisations add to variances: with exponent 1.

    Parameters
    ----------
    module, inputs, targets, loss : as for `estimators.mechanics.ModuleObjective`.
    symmetry : the group.
    eps : values that all normalisations of a copy of the module are given in turn.

    Returns
    -------
    The fit of the largest abs(<g, xi>) over the units, see `estimators.fit_rate`; its exponent is in 1 / eps, so -1.

    Raises
    ------
    InputError : no normalisation, or values that are not positive and different.
    """
    values = [float(value) for value in eps]
    if len(set(values)) < 2 or not all(0 < value < np.inf for value in values):
        raise InputError(f"eps is {list(eps)}, expected at least two positive numbers that differ")
    copy = deepcopy(module)
    layers = [layer for layer in copy.modules() if hasattr(layer, "eps")]
    if not layers:
        raise InputError("module has no layer with an eps, expected a normalisation")
    found = []
    for value in values:
        for layer in layers:
            layer.eps = value
        objective = ModuleObjective(copy, inputs, targets, loss)
        named: Mapping[str, Array] = objective.layout.split(objective.parameters)
        gradient = objective.layout.split(objective.gradient(objective.parameters))
        found.append(float(np.abs(symmetry.along(gradient, named)).max()))
    sizes = [1 / value for value in values]
    return fit_rate(sizes, found, correction=1.0)


def _length(vector: Any) -> float:
    return float(np.linalg.norm(vector))


def _of_length(vector: Array, length: float) -> Array:
    return vector * (length / _length(vector))


def _relative(residual: Any, scale: float) -> float:
    """A residual over its scale; zero over zero is zero."""
    return float(residual) / scale if scale > 0 else (0.0 if residual == 0 else float("inf"))
