"""First order of a finite network's departure from the flow of infinite width, with its exact mean.

Gradient flow on the squared loss moves the outputs of a finite network by f' = -Theta_t (f - y). To first order in
E = Theta_0 - Theta and in the mean rate of change n^-1/2 T of the kernel they depart from those of infinite width by

    -int_0^t e^{-(t-s) Theta} E e^{-s Theta} u ds + n^-1/2 int_0^t e^{-(t-s) Theta} T[A_s u] e^{-s Theta} u ds,

with u = f_0 - y and A_s the integral of e^{-r Theta} up to s. With one hidden layer the mean of this is known at every
width, and what is left of the departure is smaller by another n^-1/2: samples of the departure less its first order,
plus the mean of that, have its mean and little of its noise.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

import estimators
import randtensor as rt
from estimators.training import Snapshot
from theory_checks.suites.wide_gaussianity.tangent_kernel import motion

__all__ = ["Response", "width"]

Array = NDArray[np.float64]


class Response:
    """Response of the outputs at time ``time`` to the fluctuations of the kernel at the start, and to its motion.

    Parameters
    ----------
    f : network with one hidden layer.
    points, targets : training inputs and what is to be learned there.
    time : of gradient flow on the sum of halved squares.

    Examples
    --------
    >>> f = rt.networks.two_layer(1, rt.Scale("n"), "softplus", readout="exponential")
    >>> Response(f, np.ones((1, 1)), np.ones(1), 1.0).shift.round(4)
    array([-0.1594])
    """

    def __init__(self, f: rt.RandomFunction, points: Array, targets: Array, time: float) -> None:
        self.f, self.points, self.targets, self.time = f, points, np.asarray(targets), time
        self.kernel: Array = estimators.tangent_kernel(f, points)
        self.rates, self.basis = np.linalg.eigh(self.kernel)
        #: e^{-t Theta}
        self.decay: Array = (self.basis * np.exp(-time * self.rates)) @ self.basis.T
        rows, columns = np.meshgrid(self.rates, self.rates, indexing="ij")
        self._single = self._divided(rows, columns)
        i, j, k = np.meshgrid(self.rates, self.rates, self.rates, indexing="ij")
        #: of E in the mean over inputs of 2 (e^{-t Theta} u) times the response
        self._loss_weights = 2 / len(points) * np.exp(-time * rows) * self._single
        self._double = (self._divided(i, j) - self._divided(i, j + k)) / k

    def _divided(self, a: Array, b: Array) -> Array:
        """Integral of e^{-(t-s) a - s b} over s from 0 to t."""
        half = (a - b) * self.time / 2
        ratio = np.where(abs(half) < 1e-6, 1.0, np.sinh(half) / np.where(half == 0, 1.0, half))
        return np.asarray(self.time * np.exp(-self.time * (a + b) / 2) * ratio)

    @cached_property
    def motion(self) -> Array:
        """T: the mean of d^2 Theta / dt du times -sqrt(n), shape (N, N, N)."""
        shape = (len(self.points),) * 3
        means = [motion(self.f, *triple).expectation() for triple in product(self.points, repeat=3)]
        return np.array([float(mean(1)) for mean in means]).reshape(shape)

    @cached_property
    def covariance(self) -> Array:
        """C: covariance of the kernel and the outputs at the start, times sqrt(n), shape (N, N, N)."""
        return _at(self._moments(1), 1)

    def _pair_moments(self, size: int) -> Array:
        """E[(Theta_0 - Theta)[i, j] f_0[k] f_0[l]], shape (N, N, N, N)."""
        moments = _at(self._moments(2), size)
        return np.asarray(moments - np.multiply.outer(self.kernel, estimators.nngp_kernel(self.f, self.points)))

    def _moments(self, outputs: int) -> NDArray[np.object_]:
        """Means of the kernel times outputs, exact in the width."""
        count = len(self.points)
        found = np.empty((count,) * (2 + outputs), dtype=object)
        gradients = [self.f.derivative(x) for x in self.points]
        values = [self.f(x) for x in self.points]
        for i, j, *chosen in product(range(count), repeat=2 + outputs):
            equation = "a,a" + "," * outputs + "->"
            product_ = rt.einsum(equation, gradients[i], gradients[j], *[values[k] for k in chosen])
            found[(i, j, *chosen)] = product_.expectation()
        return found

    def _turned(self, tensor: Array) -> Array:
        """In the basis of eigenvectors, along all axes."""
        for axis in range(tensor.ndim):
            tensor = np.moveaxis(np.tensordot(tensor, self.basis, (axis, 0)), -1, axis)
        return tensor

    def contracted(self, gaps: Array, residuals: Array) -> Array:
        """The response to (Theta_0 - Theta)[i, j] u[k] and, by T, to u[j] u[k]: shapes (..., N, N, N), (..., N, N)."""
        first, second = self._weights
        return np.asarray(np.einsum("aijk,...ijk->...a", first, gaps) + np.einsum("ajk,...jk->...a", second, residuals))

    @cached_property
    def _weights(self) -> tuple[Array, Array]:
        basis = self.basis
        noise = -np.einsum("ai,pi,ij,qj,kj->apqk", basis, basis, self._single, basis, basis)
        drift = np.einsum("ai,ijk,ijk,pj,qk->apq", basis, self._double, self._turned(self.motion), basis, basis)
        return noise, drift

    @cached_property
    def shift(self) -> Array:
        """delta: mean of the response times sqrt(n), shape (N,)."""
        square = estimators.nngp_kernel(self.f, self.points) + np.outer(self.targets, self.targets)
        return self.contracted(self.covariance, square)

    def outputs(self, snapshot: Snapshot) -> Array:
        """The response of each network of a snapshot, shape (samples, N); its mean is ``n**-0.5 * shift``."""
        size, residual = width(snapshot), snapshot.initial.outputs - self.targets
        gaps = np.einsum("bij,bk->bijk", snapshot.initial.kernel - self.kernel, residual)
        return self.contracted(gaps, size**-0.5 * np.einsum("bj,bk->bjk", residual, residual))

    @cached_property
    def drift(self) -> Array:
        """Limit of the mean of Theta_t - Theta_0 times sqrt(n), shape (N, N)."""
        return np.asarray(self.motion @ self._integral @ self.targets)

    @cached_property
    def _integral(self) -> Array:
        """A_t."""
        return np.asarray((self.basis * (-np.expm1(-self.time * self.rates) / self.rates)) @ self.basis.T)

    def start_of_drift(self, snapshot: Snapshot) -> Array:
        """The part of Theta_t - Theta_0 that the outputs at the start cause on average, of mean 0, (samples, N, N)."""
        moved = snapshot.initial.outputs @ self._integral
        return np.asarray(-(width(snapshot) ** -0.5) * np.einsum("ijk,bk->bij", self.motion, moved))

    def loss(self, snapshot: Snapshot) -> Array:
        """First-order response of the mean over inputs of (f_t - y)^2 to the kernel at the start, shape (samples,)."""
        residual = (snapshot.initial.outputs - self.targets) @ self.basis
        gap = np.einsum("ia,bij,jc->bac", self.basis, snapshot.initial.kernel - self.kernel, self.basis)
        return np.asarray(-np.einsum("ij,bij,bi,bj->b", self._loss_weights, gap, residual, residual))

    def loss_mean(self, size: int) -> float:
        """The mean of `loss`, at any width."""
        single, double = self._turned(self.covariance), self._turned(self._pair_moments(size))
        targets = self.targets @ self.basis
        mean = np.einsum("ijij->ij", double) - size**-0.5 * (
            np.einsum("i,ijj->ij", targets, single) + np.einsum("j,iji->ij", targets, single)
        )
        return float(-np.sum(self._loss_weights * mean))


def width(snapshot: Snapshot) -> int:
    """Number of hidden units of the networks of a snapshot."""
    return int(snapshot.initial.features[0][0].shape[-1])


def _at(means: NDArray[np.object_], size: int) -> Array:
    return np.array([float(mean(size)) for mean in means.ravel()]).reshape(means.shape)
