"""Witnesses: the functions f at which E f(X) - E f(Z), Z standard normal, attains a distance between laws.

Each distance is a supremum over a class of functions: steps give the Kolmogorov distance, functions of slope at most 1
the Wasserstein-1 distance (Kantorovich & Rubinstein 1958), waves the largest difference of characteristic functions. A
witness found on some samples, evaluated on others, is an unbiased estimate of something no larger than the distance.

A witness acts on samples of X, or, when X is N(0, r^2) given r, on the conditional standard deviations r.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["FITTERS", "Witness", "chunks", "frequencies"]

Array = NDArray[np.float64]

_CHUNK = 2**13  # samples evaluated at all points of a grid at once
_GRID = 240
_FREQUENCY_STEP = 0.05
_HIGHEST_FREQUENCY = 8.0  # beyond, a standard normal characteristic function is below 1e-13


class Witness(Protocol):
    """A function f, through its values and its means over Gaussian laws."""

    def of(self, x: Array) -> Array:
        """f at samples."""

    def given(self, r: Array) -> Array:
        """E f(r Z) for every standard deviation r."""


@dataclass(frozen=True)
class Step:
    """f(x) = 1 up to ``place``, or minus that; the place itself belongs to it where ``sign`` is positive."""

    place: float
    sign: float

    def of(self, x: Array) -> Array:
        return np.where(x <= self.place if self.sign > 0 else x < self.place, self.sign, 0.0)

    def given(self, r: Array) -> Array:
        return np.asarray(self.sign * _cdf(np.array([self.place]), r)[:, 0])


@dataclass(frozen=True, eq=False)
class Potential:
    """Piecewise linear f: ``slopes`` to the left of, between and to the right of ``breaks``; f(breaks[0]) = 0."""

    breaks: Array
    slopes: Array

    def of(self, x: Array) -> Array:
        heights = np.concatenate([[0.0], np.cumsum(self.slopes[1:-1] * np.diff(self.breaks))])
        piece = np.searchsorted(self.breaks, x)
        anchor = np.maximum(piece - 1, 0)
        return np.asarray(heights[anchor] + self.slopes[piece] * (x - self.breaks[anchor]))

    def given(self, r: Array) -> Array:
        # f(x) = slope_0 (x - b_0) + sum of (change of slope) max(x - b, 0), whose Gaussian means are known
        changes = np.diff(self.slopes)
        result = np.full(r.shape, -self.slopes[0] * self.breaks[0])
        step = max(1, _CHUNK * _GRID // max(r.size, 1))
        for start in range(0, len(changes), step):
            b = self.breaks[start : start + step]
            z = _ratio(b, r)
            with np.errstate(over="ignore"):  # exp of minus infinity is right
                density = np.exp(-np.square(z) / 2)
            excess = r[:, None] * density / math.sqrt(2 * math.pi) - b * _ndtr(-z)
            result += np.where(r[:, None] > 0, excess, np.maximum(-b, 0.0)) @ changes[start : start + step]
        return result


@dataclass(frozen=True)
class Wave:
    """f(x) = cos(frequency x - phase)."""

    frequency: float
    phase: float

    def of(self, x: Array) -> Array:
        return np.asarray(np.cos(self.frequency * x - self.phase))

    def given(self, r: Array) -> Array:
        return np.asarray(math.cos(self.phase) * np.exp(-np.square(self.frequency * r) / 2))


def chunks(data: Array) -> list[Array]:
    """Parts of the samples that fit into memory when evaluated on a grid."""
    return [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]


def frequencies(step: float = _FREQUENCY_STEP) -> Array:
    """Positive frequencies, in units of the inverse standard deviation."""
    return np.arange(1, round(_HIGHEST_FREQUENCY / step) + 1, dtype=float) * step


def _step(x: Array) -> Witness:
    ordered, count = np.sort(x), len(x)
    gaussian = _ndtr(ordered)
    above = np.arange(1, count + 1) / count - gaussian
    below = gaussian - np.arange(count) / count
    high, low = int(above.argmax()), int(below.argmax())
    return Step(float(ordered[high]), 1.0) if above[high] >= below[low] else Step(float(ordered[low]), -1.0)


def _step_given(r: Array) -> Witness:
    points = _points(r)
    difference = _difference(points, r)
    best = int(np.abs(difference).argmax())
    place = math.exp(_peak(np.log(points), np.abs(difference)))
    return Step(place, 1.0 if difference[best] >= 0 else -1.0)


def _potential(x: Array) -> Witness:
    from scipy.special import ndtri

    ordered, count = np.sort(x), len(x)
    # between two samples the empirical distribution function is level and meets the normal one at most once
    crossings = ndtri(np.arange(1, count) / count)
    inside = (ordered[:-1] < crossings) & (crossings < ordered[1:])
    breaks = np.sort(np.concatenate([ordered, crossings[inside]]))
    middles = (breaks[:-1] + breaks[1:]) / 2
    difference = np.searchsorted(ordered, middles, side="right") / count - _ndtr(middles)
    # E f(X) - E f(Z) = - integral of f' (F - Phi), so f falls where F exceeds Phi
    slopes = np.concatenate([[1.0], np.where(difference > 0, -1.0, 1.0), [-1.0]])
    return _pruned(breaks, slopes)


def _potential_given(r: Array) -> Witness:
    points = np.concatenate([[0.0], _points(r)])
    difference = _difference(points, r)[1:]
    signs = np.where(difference > 0, 1.0, -1.0)
    changes = np.flatnonzero(np.diff(signs))
    left, right = points[1:][changes], points[1:][changes + 1]
    share = difference[changes] / (difference[changes] - difference[changes + 1])
    crossings = left + share * (right - left)
    # F - Phi is odd, so it changes sign at 0 as well
    positive = signs[np.concatenate([[0], changes + 1])]
    breaks = np.concatenate([-crossings[::-1], [0.0], crossings])
    return Potential(breaks, -np.concatenate([-positive[::-1], positive]))


def _wave(x: Array) -> Witness:
    t = frequencies()
    total = sum((np.exp(1j * part[:, None] * t).sum(axis=0) for part in chunks(x)), np.zeros(len(t), complex))
    return _largest(t, total / len(x))


def _wave_given(r: Array) -> Witness:
    t = frequencies()
    total = sum((np.exp(-np.square(part[:, None] * t) / 2).sum(axis=0) for part in chunks(r)), np.zeros(len(t)))
    return _largest(t, total / len(r))


#: by kind: how to find a witness from samples, and from conditional standard deviations
FITTERS: dict[str, tuple[Callable[[Array], Witness], Callable[[Array], Witness]]] = {
    "kolmogorov": (_step, _step_given),
    "wasserstein": (_potential, _potential_given),
    "characteristic-sup": (_wave, _wave_given),
}


def _largest(t: Array, characteristic: NDArray[Any]) -> Wave:
    difference = characteristic - np.exp(-np.square(t) / 2)
    best = int(np.abs(difference).argmax())
    return Wave(_peak(t, np.abs(difference)), float(np.angle(difference[best])))


def _peak(points: Array, heights: Array) -> float:
    """Where evenly spaced heights are largest: the vertex of the parabola through the highest and its neighbours."""
    best = int(heights.argmax())
    if not 0 < best < len(points) - 1:
        return float(points[best])
    left, top, right = heights[best - 1 : best + 2]
    curvature = left - 2 * top + right
    shift = (left - right) / (2 * curvature) if curvature < 0 else 0.0
    return float(points[best] + shift * (points[best + 1] - points[best]))


def _pruned(breaks: Array, slopes: Array) -> Potential:
    kept = np.diff(slopes) != 0
    return Potential(breaks[kept], np.concatenate([slopes[:1], slopes[1:][kept]]))


def _points(r: Array) -> Array:
    """Positive points, denser near 0, that resolve a mixture of N(0, r^2) and N(0, 1)."""
    positive = r[r > 0]
    low, high = (np.quantile(positive, [0.01, 0.99])) if positive.size else (1.0, 1.0)
    return np.geomspace(1e-2 * min(low, 1.0), 8 * max(high, 1.0), _GRID)


def _difference(points: Array, r: Array) -> Array:
    total = sum((_cdf(points, part).sum(axis=0) for part in chunks(r)), np.zeros(len(points)))
    return np.asarray(total / len(r) - _ndtr(points))


def _ratio(x: Array, r: Array) -> Array:
    """x / r for all pairs, shape (len(r), len(x)); for r = 0 infinite with the sign of x."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = x / r[:, None]
    return np.where(np.isnan(z), 0.0, z)


def _cdf(x: Array, r: Array) -> Array:
    return _ndtr(_ratio(x, r))


def _ndtr(z: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(z), dtype=float)
