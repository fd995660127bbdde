"""The Gaussian process that infinitely wide networks are, before, during and after training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.kernels import nngp_kernel, tangent_kernel
from estimators.limit import LinearDynamics
from randtensor.arguments import positive_integer
from randtensor.errors import InputError, ShapeError
from randtensor.random_function import RandomFunction, check_input
from randtensor.seeding import Seed, root_sequence

__all__ = ["GaussianProcessLaw", "trained_law"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GaussianProcessLaw:
    """A Gaussian process at P inputs.

    Attributes
    ----------
    mean : shape (P,), or (P, outputs) for several outputs, which are independent.
    covariance : shape (P, P), of each output.

    Raises
    ------
    ShapeError, InputError : shapes that do not fit; a covariance that is not symmetric or not positive semidefinite.

    Examples
    --------
    >>> import numpy as np
    >>> prior = GaussianProcessLaw(np.zeros(2), np.array([[1.0, 1.0], [1.0, 1.0]]))
    >>> a, b = prior.sample(3, rng=0).T
    >>> bool(np.allclose(a, b))
    True
    >>> dynamics = LinearDynamics(np.array([[1.0, 0.0], [0.0, 1.0]]), [2.0, 2.0])
    >>> prior.trained(dynamics, time=np.inf).mean.tolist()
    [2.0, 2.0]
    """

    mean: Any
    covariance: Any

    def __post_init__(self) -> None:
        mean, covariance = check_input(self.mean, "mean"), check_input(self.covariance, "covariance")
        count = len(mean) if mean.ndim else 0
        if mean.ndim not in (1, 2) or covariance.shape != (count, count):
            raise ShapeError(
                f"covariance has shape {covariance.shape}, expected (P, P) for a mean of shape {mean.shape}"
            )
        scale = np.abs(covariance).max(initial=0.0)
        if np.abs(covariance - covariance.T).max(initial=0.0) > 1e-8 * scale:
            raise InputError("covariance is not symmetric, expected a matrix that is")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "covariance", (covariance + covariance.T) / 2)

    def trained(
        self, dynamics: LinearDynamics, *, time: float | None = None, steps: int | None = None
    ) -> GaussianProcessLaw:
        """The law after training all members of the process by the same linear dynamics on the squared loss.

        Parameters
        ----------
        dynamics : with one kernel for all samples, at the inputs of the process in their order.
        time : of gradient flow, infinity for the end of training; or
        steps : of gradient descent.

        Raises
        ------
        ShapeError, InputError : other inputs, one kernel per sample, not exactly one of time and steps.
        ExactError : a singular kernel with an infinite time, or another loss than the squared one.
        """
        if dynamics.kernel.ndim != 2 or len(dynamics.kernel) != len(self.mean):
            raise ShapeError(
                f"dynamics has a kernel of shape {dynamics.kernel.shape}, expected ({len(self.mean)}, N): a row for "
                f"each input of the process"
            )
        matrix, shift = dynamics.transition(time=time, steps=steps)
        if shift.shape != self.mean.shape:
            raise ShapeError(
                f"dynamics has targets of shape {dynamics.targets.shape}, expected as many outputs as the mean of the "
                f"process has, of shape {self.mean.shape}"
            )
        return GaussianProcessLaw(matrix @ self.mean + shift, matrix @ self.covariance @ matrix.T)

    def sample(self, size: int = 1, *, rng: Seed = None) -> Array:
        """Members of the process, shape (size, P) or (size, P, outputs).

        Raises
        ------
        InputError : a bad size, or a covariance with a negative eigenvalue.
        """
        count = positive_integer("size", size)
        values, vectors = np.linalg.eigh(self.covariance)
        if len(values) and values[0] < -1e-9 * abs(values[-1]):
            raise InputError(f"covariance has the eigenvalue {values[0]:g}, expected none below zero")
        roots = vectors * np.sqrt(np.maximum(values, 0.0))
        generator = np.random.Generator(np.random.SFC64(root_sequence(rng)))
        columns = self.mean if self.mean.ndim == 2 else self.mean[:, None]
        samples = columns + roots @ generator.standard_normal((count, *columns.shape))
        return np.asarray(samples.reshape(count, *self.mean.shape))


def trained_law(
    f: RandomFunction,
    X: Any,
    y: Any,
    *,
    time: float | None = None,
    steps: int | None = None,
    learning_rate: float = 1.0,
    test: Any = None,
) -> GaussianProcessLaw:
    """The law of an infinitely wide network that is trained on the squared loss, at training inputs and elsewhere.

    Parameters
    ----------
    f : a network from ``rt.networks``, as for `nngp_kernel`.
    X, y : training inputs, stacked, and targets.
    time : of gradient flow, infinity for the end of training; or
    steps : of gradient descent with that ``learning_rate``; the loss is the sum of halved squares.
    test : further inputs, stacked; their outputs come after those at X.

    Raises
    ------
    ExactError, InputError, ShapeError : as for `tangent_kernel` and `LinearDynamics`.

    Notes
    -----
    The initial process, with the covariance of `nngp_kernel`, is pushed through the linear dynamics of `tangent_kernel`
    (Lee et al., arXiv 1902.06720, section 2.3).

    Examples
    --------
    >>> import numpy as np, randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"), activation="erf")
    >>> law = trained_law(f, np.eye(2), [1.0, -1.0], time=2.0, test=[[1.0, 1.0]])
    >>> law.mean.round(4) + 0.0, float(law.covariance[2, 2].round(4))
    (array([ 0.7538, -0.7538,  0.    ]), 0.0636)
    """
    inputs = everything = check_input(X, "X")
    if test is not None:
        further = check_input(test, "test")
        if not further.ndim or further.shape[1:] != inputs.shape[1:]:
            raise ShapeError(f"test has shape {further.shape}, expected stacked inputs like those of X, {inputs.shape}")
        everything = np.concatenate([inputs, further])
    dynamics = LinearDynamics(tangent_kernel(f, everything, inputs), y, learning_rate=learning_rate)
    prior = GaussianProcessLaw(np.zeros((len(everything), *dynamics.targets.shape[1:])), nngp_kernel(f, everything))
    return prior.trained(dynamics, time=time, steps=steps)
