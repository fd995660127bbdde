"""The reduction of f*(x) = |p_H x| at Gaussian inputs to one variable: the angle theta between a neuron and H.

Under rotations of H and of its complement only theta remains. On functions of theta the arc-cosine kernel is diagonal:
in x = cos 2 theta the law of theta of a uniform direction is that of the Jacobi polynomials P_j^(alpha, beta) with
alpha = (d - h)/2 - 1, beta = h/2 - 1, each of which is a spherical harmonic of degree 2j, and by the Funk-Hecke formula

    K(theta, theta') = sum_j d s_2j^2 p_j(cos 2 theta) p_j(cos 2 theta'),    s_l = E max(r, 0) C_l(r)/C_l(1)

with p_j orthonormal, C_l Gegenbauer polynomials, and r one coordinate of a uniform point of the sphere. The target is
the mass alpha at theta = 0, so that the residual is a measure, too, and one sum gives field and risk.

Source: Hajjar & Chizat 2022 (arXiv 2211.08771) for the reduction; its diagonal form is derived.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array, positive_integer
from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.averages import sphere_coordinate
from randtensor.mean_field.checks import check_subspace
from randtensor.mean_field.neurons import Neurons
from randtensor.mean_field.targets import SubspaceNorm

__all__ = ["AngleRisk"]

Array = NDArray[np.float64]


class AngleRisk:
    """The population risk of f*(x) = |p_H x|, for networks in the coordinates (|p_H b|, |b - p_H b|) of their neurons.

    A neuron is a point of the quarter plane that stands for all its rotations; a balanced one at the angle theta with
    H has the mass a^2, and under gradient flow mass' = 2 s G(theta) mass, theta' = s dG/dtheta with s the sign of a.
    The same as ``GaussianRisk(SubspaceNorm(d, h).reduced(), [h, d - h])``, up to the series that is cut off, at a cost
    that is linear in the number of neurons.

    Parameters
    ----------
    dimension : d of the inputs.
    subspace : h = dim H, from 1 to d - 1.
    degree : terms of the series; what is left out of G falls as ``degree`` to the power -(h + 2) at theta = 0, of its
        derivative one power slower.

    Raises
    ------
    InputError : a subspace that is none, a degree below one.

    Examples
    --------
    >>> risk = AngleRisk(10, 3)
    >>> start = risk.uniform(40)
    >>> round(float(risk.loss(start)), 12), [round(float(mass), 12) for mass in start.masses()]
    (1.5, [0.5, 0.5])
    >>> from randtensor.mean_field import GradientFlow
    >>> end = GradientFlow(risk, step=0.05).after(start, 2.0)
    >>> round(float(end.masses()[0]), 2)
    2.95
    """

    dimension = 2

    def __init__(self, dimension: int, subspace: int, degree: int = 128) -> None:
        check_subspace(dimension, subspace)
        positive_integer("degree", degree)
        self.inputs, self.subspace, self.degree = int(dimension), int(subspace), int(degree)
        self.mass = SubspaceNorm(dimension, subspace).mass
        self._alpha, self._beta = (dimension - subspace) / 2 - 1, subspace / 2 - 1
        with np.errstate(over="ignore", invalid="ignore"):
            finite = bool(np.isfinite(self._target).all())
        if not finite:
            raise InputError(f"degree is {degree}, at which polynomials overflow for {dimension} inputs, expected less")

    @property
    def fingerprint(self) -> str:
        """Stable text that identifies the risk."""
        return f"angle:{self.inputs}:{self.subspace}:{self.degree}"

    def elements(self, width: int) -> int:
        """Numbers held at once per network."""
        return width * self.degree

    def uniform(self, nodes: int) -> Neurons:
        """Balanced neurons for the start at infinite width: directions uniform on the sphere, half of each sign.

        ``nodes`` angles per sign, those of the Gauss-Jacobi rule of the law of theta.

        Raises
        ------
        InputError : nodes that are no positive integer.
        """
        from scipy.linalg import eigh_tridiagonal

        positive_integer("nodes", nodes)
        _, first, second = _recurrence(self.inputs, self._alpha, self._beta, nodes)
        x = np.asarray(np.clip(eigh_tridiagonal(first, second[1:], eigvals_only=True), -1.0, 1.0), dtype=np.float64)
        # Christoffel numbers: each to its own precision, however small
        weights = 1 / (_orthonormal(x, first, second, slopes=False)[0] ** 2).sum(axis=0)
        angles = np.arccos(x) / 2
        return self.neurons(np.tile(angles, 2), np.tile(weights / weights.sum() / 2, 2), np.repeat([1.0, -1.0], nodes))

    def neurons(self, angles: Any, masses: Any, signs: Any) -> Neurons:
        """Balanced neurons of these masses (not their means: the masses add up) at these angles, shape (..., k) each.

        Raises
        ------
        InputError : an angle outside [0, pi/2], a mass that is not positive, a sign that is none.
        ShapeError : shapes that do not fit.
        """
        theta, mass, sign = (finite_array(name, v) for name, v in
                             (("angles", angles), ("masses", masses), ("signs", signs)))  # fmt: skip
        if (theta < 0).any() or (theta > np.pi / 2).any():
            raise InputError(f"angles has entries from {theta.min():.3g} to {theta.max():.3g}, expected 0 to pi/2")
        if (mass <= 0).any():
            raise InputError(f"masses has the entry {mass.min():.3g}, expected positive ones")
        if (np.abs(sign) != 1).any():
            raise InputError(f"signs has entries from {sign.min():.3g} to {sign.max():.3g}, expected 1 or -1")
        try:
            theta, mass, sign = np.broadcast_arrays(theta, mass, sign)
        except ValueError as error:
            shapes = f"{theta.shape}, {mass.shape} and {sign.shape}"
            raise ShapeError(f"angles, masses and signs have shapes {shapes}, expected the same") from error
        size = np.sqrt(mass * mass.shape[-1])
        return Neurons(sign * size, size[..., None] * np.stack([np.cos(theta), np.sin(theta)], axis=-1))

    def potential(self, neurons: Neurons, angles: Any) -> tuple[Array, Array]:
        """G(theta) = E[(f* - f)(x) max(u . x, 0)] at u of angle theta, and dG/dtheta, shapes (..., k)."""
        theta = np.asarray(angles, dtype=float)
        coefficients = self._residual(neurons)
        values, slopes = self._polynomials(np.cos(2 * theta))
        potential = np.einsum("j...,...j->...", values, coefficients[..., None, :])
        slope = np.einsum("j...,...j->...", slopes, coefficients[..., None, :])
        return potential, np.asarray(-2 * np.sin(2 * theta) * slope)

    def output(self, neurons: Neurons, angles: Any) -> Array:
        """f(x)/|x| of one network at inputs whose angle with H is given, shape (k,); the target is cos(angle).

        By quadrature over the rotations, not by the series, which converges slowly here: f has kinks.
        """
        if neurons.a.ndim != 1 or neurons.dimension != 2:
            raise ShapeError(f"neurons have shape {neurons.b.shape}, expected (m, 2): one network in two coordinates")
        phi = finite_array("angles", angles)
        # b . x = sum of |b_i| |x_i| r_i over the two blocks
        sides = neurons.b.T[:, :, None] * np.stack([np.cos(phi), np.sin(phi)])[:, None, :]
        blocks = (self.subspace, self.inputs - self.subspace)
        # With the larger side averaged in closed form, the kink is nowhere in what the rule of the other one averages.
        means = []
        for large, small in ((0, 1), (1, 0)):
            nodes, weights = sphere_coordinate(blocks[small])
            means.append(
                _mean_positive_part(blocks[large], sides[large][..., None], sides[small][..., None] * nodes) @ weights
            )
        hidden = np.where(sides[0] >= sides[1], *means)
        return np.asarray(neurons.a @ hidden / neurons.width)

    def field(self, neurons: Neurons, at: Array | None = None) -> Array:
        """g of `Risk`, in the two coordinates."""
        rows = neurons.b if at is None else at
        potential, slope = self.potential(neurons, np.arctan2(rows[..., 1], rows[..., 0]))
        lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
        units = rows / np.where(lengths > 0, lengths, 1.0)
        across = np.stack([-units[..., 1], units[..., 0]], axis=-1)
        return np.asarray(potential[..., None] * units + slope[..., None] * across)

    def loss(self, neurons: Neurons) -> Array:
        """The risk, shape (...); the exact power h of the target takes the place of its series."""
        residual = self._residual(neurons)
        cut = self.subspace - float(self._target @ self._target)
        return np.asarray(((residual**2).sum(axis=-1) + cut) / 2)

    def _residual(self, neurons: Neurons) -> Array:
        """Coefficients of (target - network), each times the root of its eigenvalue, shape (..., degree)."""
        if neurons.dimension != 2:
            raise ShapeError(f"neurons have dimension {neurons.dimension}, expected 2: the lengths within and across H")
        b = neurons.b
        squared = (b**2).sum(axis=-1)
        x = (b[..., 0] - b[..., 1]) * (b[..., 0] + b[..., 1]) / np.where(squared > 0, squared, 1.0)
        values, _ = self._polynomials(x, slopes=False)
        charge = neurons.a * np.sqrt(squared) / neurons.width
        return np.asarray(self._target - np.einsum("j...k,...k->...j", values, charge))

    @cached_property
    def _target(self) -> Array:
        return np.asarray(self.mass * self._polynomials(np.ones(1), slopes=False)[0][:, 0])

    def _polynomials(self, x: Array, slopes: bool = True) -> tuple[Array, Array]:
        """d^(1/2) s_2j p_j(x), and their derivatives in x, shape (degree, *x.shape)."""
        root, first, second = _recurrence(self.inputs, self._alpha, self._beta, self.degree)
        values, derivatives = _orthonormal(x, first, second, slopes)
        shape = (-1, *[1] * x.ndim)
        return values * root.reshape(shape), derivatives * root.reshape(shape) if slopes else derivatives


def _orthonormal(x: Array, first: Array, second: Array, slopes: bool) -> tuple[Array, Array]:
    """Orthonormal polynomials of `_recurrence` at x, and their derivatives, shape (degree, *x.shape)."""
    values = np.empty((len(first), *x.shape))
    derivatives = np.zeros((len(first), *x.shape)) if slopes else values[:0]
    values[0] = 1.0
    before, before_slope = np.zeros(x.shape), np.zeros(x.shape)
    for j in range(len(first) - 1):
        values[j + 1] = ((x - first[j]) * values[j] - second[j] * before) / second[j + 1]
        if slopes:
            derivatives[j + 1] = (values[j] + (x - first[j]) * derivatives[j] - second[j] * before_slope) / second[
                j + 1
            ]
            before_slope = derivatives[j]
        before = values[j]
    return values, derivatives


def _mean_positive_part(dimension: int, scale: Array, shift: Array) -> Array:
    """E max(scale r + shift, 0) for scale >= 0, r one coordinate of a uniform point of the sphere."""
    if dimension == 1:
        return np.asarray((np.maximum(shift + scale, 0.0) + np.maximum(shift - scale, 0.0)) / 2)
    from scipy.special import betainc, gammaln

    # positive for r above the threshold s; P(r > s) is a regularised incomplete beta function
    s = np.clip(-shift / np.where(scale > 0, scale, 1e-300), -1.0, 1.0)
    half = (dimension - 1) / 2
    density = np.exp(gammaln(dimension / 2) - gammaln(0.5) - gammaln(half))
    tail = betainc(half, half, (1 - s) / 2)
    return np.asarray(scale * density / (dimension - 1) * ((1 - s) * (1 + s)) ** half + shift * tail)


@cache
def _recurrence(dimension: int, alpha: float, beta: float, degree: int) -> tuple[Array, Array, Array]:
    """d^(1/2) s_2j, and x p_j = B_(j+1) p_(j+1) + A_j p_j + B_j p_(j-1) for orthonormal Jacobi polynomials (A, B)."""
    from scipy.special import gammaln

    j = np.arange(degree, dtype=float)
    total = alpha + beta
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (beta**2 - alpha**2) / ((2 * j + total) * (2 * j + total + 2))
        square = 4 * j * (j + alpha) * (j + beta) * (j + total)
        square /= (2 * j + total) ** 2 * (2 * j + total + 1) * (2 * j + total - 1)
    # the general terms are 0/0 where alpha + beta vanishes or is -1
    first[0] = (beta - alpha) / (total + 2)
    square[0] = 0.0
    if degree > 1:
        square[1] = 4 * (1 + alpha) * (1 + beta) / ((2 + total) ** 2 * (3 + total))
    degrees = 2 * j[1:]
    log_density = gammaln(dimension / 2) - gammaln(0.5) - gammaln((dimension - 1) / 2)
    sizes = (
        log_density
        - degrees * np.log(2)
        + gammaln((dimension - 1) / 2)
        + gammaln(degrees - 1)
        - gammaln(degrees / 2)
        - gammaln(degrees / 2 + (dimension + 1) / 2)
    )
    # the signs of s_l alternate, and only their squares are used
    root = np.concatenate([[np.exp(log_density) / (dimension - 1)], np.exp(sizes)])
    return np.sqrt(dimension) * root, first, np.sqrt(square)
